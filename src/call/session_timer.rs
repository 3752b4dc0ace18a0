//! Session timers (RFC 4028), both roles.
//!
//! All state of them lives in this file: [`Negotiation`] agrees on the interval and on who
//! refreshes, and [`SessionTimer`] says when to refresh and when to give the session up. A dialog
//! has one of each; forks have their own (7.2).
//!
//! ```text
//!           a 2xx with terms          +--------------------+---+ half the interval, if
//!   +-----+-------------------------->| Running            |   | this side refreshes: Refresh
//!   | Off |                           |                    |<--+
//!   +-----+<--------------------------+--------------------+---+ a 2xx with terms:
//!      |     a 2xx without            |    |               ^   | both timers start again
//!      |                              |    |               +---+
//!      | Stop                    Stop |    | the refresh is lost, or the interval is
//!      |                              |    | nearly over: Expired
//!      |        +------------+        |    |
//!      +------->| Terminated |<-------+----+
//!               +------------+
//! ```

use core::fmt;
use core::time::Duration;

use super::Side;
use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::message::{Message, Name, Params, Request, StatusCode, ValueError, parse_delta_seconds};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::rebase;

/// The option tag of RFC 4028.
pub const OPTION_TAG: &str = "timer";

/// The least session interval there is, in seconds (section 4).
pub const LEAST: u32 = 90;

/// The interval to ask for, in seconds: section 4 recommends no less.
pub const RECOMMENDED: u32 = 1_800;

/// How long before the end BYE goes, at most (section 10).
const MARGIN: Duration = Duration::from_secs(32);

/// Who of a transaction refreshes the session.
///
/// Exhaustive on purpose: the parameter has these values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

/// A Session-Expires value: `1800;refresher=uac` (section 4).
///
/// ```
/// use drongo::call::session_timer::{Role, SessionExpires};
///
/// let value = SessionExpires::parse(b"1800 ; Refresher=UAC").unwrap();
/// assert_eq!((value.seconds, value.refresher), (1800, Some(Role::Uac)));
/// assert_eq!(value.to_string(), "1800;refresher=uac");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the grammar is a number and one parameter"
)]
pub struct SessionExpires {
    /// The session interval.
    pub seconds: u32,
    /// Who refreshes. A value that is neither counts as none.
    pub refresher: Option<Role>,
}

impl SessionExpires {
    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// Those of [`parse_delta_seconds`] and [`Params::parse`].
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let (seconds, params) = number_and_params(value)?;
        let refresher = params.get("refresher").and_then(|p| p.value_str());
        let refresher = match refresher {
            Some(word) if word.eq_ignore_ascii_case("uac") => Some(Role::Uac),
            Some(word) if word.eq_ignore_ascii_case("uas") => Some(Role::Uas),
            Some(_) | None => None,
        };
        Ok(Self { seconds, refresher })
    }

    /// That of a request or a 2xx. One that cannot be read counts as none.
    pub fn of(message: &Message) -> Option<Self> {
        Self::parse(message.first(Name::SessionExpires)?).ok()
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            Some(Role::Uac) => ";refresher=uac",
            Some(Role::Uas) => ";refresher=uas",
            None => "",
        };
        write!(f, "{}{refresher}", self.seconds)
    }
}

/// Min-SE of a request or a 422, in seconds, at least [`LEAST`] (section 5). One that cannot be
/// read counts as none.
pub fn min_se(message: &Message) -> Option<u32> {
    let (seconds, _) = number_and_params(message.first(Name::MinSe)?).ok()?;
    Some(seconds.max(LEAST))
}

fn number_and_params(value: &[u8]) -> Result<(u32, Params<'_>), ValueError> {
    let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    let (number, params) = value.split_at_checked(end).unwrap_or((value, b""));
    Ok((parse_delta_seconds(number)?, Params::parse(params)?))
}

/// What this side wants of session timers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The interval to ask for, in seconds; at least [`LEAST`].
    pub interval: u32,
    /// The least that is taken, in seconds; at least [`LEAST`].
    pub least: u32,
    /// Who refreshes where this side may choose, as a callee.
    pub refresher: Side,
    /// Whether a caller that asked for a session timer has one of its own, and refreshes, if the other
    /// side has none (7.2): it then finds out all the same when that is lost.
    pub alone: bool,
}

impl Default for Config {
    /// Half an hour, refreshed by the caller; not alone.
    fn default() -> Self {
        Self {
            interval: RECOMMENDED,
            least: LEAST,
            refresher: Side::Remote,
            alone: false,
        }
    }
}

/// What an INVITE or UPDATE of the other side asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Asked {
    /// Whether it supports session timers.
    pub supported: bool,
    /// Its Session-Expires.
    pub expires: Option<SessionExpires>,
    /// Its Min-SE.
    pub min_se: Option<u32>,
}

impl Asked {
    /// Reads it from the request.
    pub fn of(request: &Request) -> Self {
        let lists = |name| request.lists(name, OPTION_TAG);
        Self {
            supported: lists(Name::Supported) || lists(Name::Require),
            expires: SessionExpires::of(request),
            min_se: min_se(request),
        }
    }
}

/// What a session lasts for, and who refreshes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// The session interval in seconds, at least [`LEAST`].
    pub interval: u32,
    /// Which side refreshes.
    pub refresher: Side,
}

/// What goes into the response to an INVITE or UPDATE (section 9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The 2xx carries no Session-Expires: there is no timer.
    Off,
    /// The 2xx carries this.
    Accept {
        /// Always with a refresher.
        expires: SessionExpires,
        /// Whether it carries `Require: timer`.
        require: bool,
        /// What holds from then on.
        terms: Terms,
    },
    /// 422 (Session Interval Too Small) with this Min-SE.
    TooSmall {
        /// In seconds.
        min_se: u32,
    },
}

impl Answer {
    /// The status that refuses the request, if it is refused.
    pub const fn refusal(&self) -> Option<StatusCode> {
        match self {
            Self::TooSmall { .. } => Some(StatusCode::SESSION_INTERVAL_TOO_SMALL),
            Self::Off | Self::Accept { .. } => None,
        }
    }
}

/// What was heard and agreed of a dialog's session timer.
///
/// ```
/// use drongo::call::session_timer::{Config, Negotiation, SessionExpires};
///
/// let mut caller = Negotiation::new(Some(Config::default()));
/// let (expires, min_se) = caller.request().unwrap();
/// assert_eq!((expires.to_string().as_str(), min_se), ("1800", None));
/// // 422 with Min-SE: 3600, and once more.
/// assert!(caller.on_too_small(Some(3600)));
/// let (expires, min_se) = caller.request().unwrap();
/// assert_eq!((expires.seconds, min_se), (3600, Some(3600)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Negotiation {
    config: Option<Config>,
    /// The largest Min-SE of a 422 or a refresh (7.4).
    min_se: Option<u32>,
    terms: Option<Terms>,
}

impl Negotiation {
    /// `None` if this side does without session timers.
    pub const fn new(config: Option<Config>) -> Self {
        Self {
            config,
            min_se: None,
            terms: None,
        }
    }

    /// What holds now.
    pub const fn terms(&self) -> Option<Terms> {
        self.terms
    }

    /// Session-Expires and Min-SE of an INVITE or UPDATE of this side (7.1, 7.4); `None` without
    /// session timers. Within a session that has one, the refresher is always named.
    pub fn request(&self) -> Option<(SessionExpires, Option<u32>)> {
        let config = self.config?;
        let wanted = self.terms.map_or(config.interval, |terms| terms.interval);
        let refresher = self.terms.map(|terms| match terms.refresher {
            Side::Local => Role::Uac,
            Side::Remote => Role::Uas,
        });
        let seconds = wanted.max(self.min_se.unwrap_or(LEAST)).max(LEAST);
        Some((SessionExpires { seconds, refresher }, self.min_se))
    }

    /// Takes a 422 with its Min-SE. Returns whether the request can be sent again, with what
    /// [`request`](Self::request) now says: a 422 that asks for no more than it was given will say
    /// the same again.
    pub fn on_too_small(&mut self, min_se: Option<u32>) -> bool {
        let asked = self.request().map(|(expires, _)| expires.seconds);
        match (min_se, asked) {
            (Some(least), Some(asked)) if least > asked => {
                self.raise(Some(least));
                true
            }
            (Some(_) | None, _) => false,
        }
    }

    /// A dialog is made: Min-SE of before is forgotten (7.4).
    pub const fn on_dialog(&mut self) {
        self.min_se = None;
    }

    /// Takes the Session-Expires of a 2xx to an INVITE or UPDATE of this side (7.2). What it says
    /// holds, even if nothing was asked for; without one there is no timer any more, unless this side
    /// wants one [alone](Config::alone).
    pub fn on_success(&mut self, expires: Option<SessionExpires>) -> Option<Terms> {
        let own = || {
            self.request()
                .filter(|_| self.config.is_some_and(|c| c.alone))
        };
        let expires = expires.or_else(|| {
            let (own, _) = own()?;
            // "and its value was the same as that in the request, but with a refresher of uac".
            let refresher = Some(Role::Uac);
            Some(SessionExpires { refresher, ..own })
        });
        self.terms = expires.map(|expires| Terms {
            interval: expires.seconds.max(LEAST),
            // Section 9 wants it there. Two that refresh do no harm; none does.
            refresher: match expires.refresher {
                Some(Role::Uac) | None => Side::Local,
                Some(Role::Uas) => Side::Remote,
            },
        });
        self.terms
    }

    /// What answers an INVITE or UPDATE of the other side. It changes nothing: see
    /// [`on_answered`](Self::on_answered).
    pub fn answer(&self, asked: &Asked) -> Answer {
        let Some(config) = self.config else {
            return Answer::Off;
        };
        let least = config.least.max(LEAST);
        let floor = asked.min_se.unwrap_or(LEAST).max(least);
        let interval = match asked.expires {
            // Only who knows what a 422 is gets one (section 9).
            Some(expires) if expires.seconds < least && asked.supported => {
                return Answer::TooSmall { min_se: least };
            }
            // No such value exists (section 4), and it cannot be raised.
            Some(expires) if expires.seconds < LEAST => return Answer::Off,
            // "It MUST NOT be higher", and lower only down to Min-SE.
            Some(expires) => expires.seconds.min(config.interval.max(floor)),
            None if asked.supported => config.interval.max(floor),
            None => return Answer::Off,
        };
        let role = match (asked.supported, asked.expires.and_then(|e| e.refresher)) {
            // Section 9, table 2.
            (false, _) => Role::Uas,
            (true, Some(role)) => role,
            (true, None) => match config.refresher {
                Side::Local => Role::Uas,
                Side::Remote => Role::Uac,
            },
        };
        let refresher = match role {
            Role::Uac => Side::Remote,
            Role::Uas => Side::Local,
        };
        Answer::Accept {
            expires: SessionExpires {
                seconds: interval,
                refresher: Some(role),
            },
            require: asked.supported,
            terms: Terms {
                interval,
                refresher,
            },
        }
    }

    /// The 2xx with [`answer`](Self::answer) is sent: that holds now. A Min-SE of a request within
    /// the dialog is remembered (7.4).
    pub fn on_answered(&mut self, asked: &Asked, answer: &Answer) -> Option<Terms> {
        if self.terms.is_some() {
            self.raise(asked.min_se);
        }
        match answer {
            Answer::Accept { terms, .. } => self.terms = Some(*terms),
            Answer::Off => self.terms = None,
            // 10: only a 2xx changes anything.
            Answer::TooSmall { .. } => {}
        }
        self.terms
    }

    fn raise(&mut self, min_se: Option<u32>) {
        self.min_se = self.min_se.max(min_se);
    }
}

/// What a [`SessionTimer`] hears.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A 2xx to an INVITE or UPDATE was sent or received, whatever that was for: these terms hold
    /// from now on. `None` ends the timer.
    Agreed(Option<Terms>),
    /// The refresh was refused by other than 408 and 481, or could not be sent yet. It is tried
    /// again after this wait, if there is one.
    Refused(Option<Duration>),
    /// The refresh met 408, 481 or silence (section 10).
    Lost,
}

/// What the owner wants of a [`SessionTimer`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// The session is over.
    Stop,
}

/// What a [`SessionTimer`] wants done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send a refresh: UPDATE without an offer if the other side allows it, else a re-INVITE with
    /// the session description as it is (7.4).
    Refresh,
    /// Send BYE: the session expires.
    Expired,
    /// The last action.
    Terminated,
}

/// The timers of this machine. At one instant the first goes first (law L4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// The end of the interval, less 32 s or a third of it (section 10).
    Expiry,
    /// Half the interval (7.2), or the wait after a refusal.
    Refresh,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum State {
    /// No timer was agreed on.
    Off,
    /// The session expires. `refresh` is set while this side has a refresh to send.
    Running {
        refresh: Option<Time>,
        expiry: Option<Time>,
    },
    Terminated,
}

/// The session timer of a dialog.
///
/// ```
/// use drongo::call::session_timer::{Action, Config, Event, Negotiation, SessionExpires, SessionTimer};
/// use drongo::machine::Machine;
/// use drongo::time::Time;
///
/// let mut negotiation = Negotiation::new(Some(Config::default()));
/// let expires = SessionExpires::parse(b"1800;refresher=uac").ok();
/// let terms = negotiation.on_success(expires);
///
/// let mut timer = SessionTimer::new(Time::ZERO);
/// let mut out = Vec::new();
/// timer.receive(Time::ZERO, Event::Agreed(terms), &mut out);
/// timer.on_deadline(Time::from_secs(900), &mut out);
/// assert_eq!(out, [Action::Refresh]);
/// // Nobody answers the refresh.
/// assert_eq!(timer.deadline(), Some(Time::from_secs(1_768)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionTimer {
    since: Time,
    state: State,
}

impl SessionTimer {
    /// Without terms yet.
    pub const fn new(now: Time) -> Self {
        Self {
            since: now,
            state: State::Off,
        }
    }

    /// The state's name, as in the figure.
    pub const fn state(&self) -> &'static str {
        match self.state {
            State::Off => "Off",
            State::Running { .. } => "Running",
            State::Terminated => "Terminated",
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        let (expiry, refresh) = self.timers();
        let all = [
            expiry.map(|at| (at, Timer::Expiry)),
            refresh.map(|at| (at, Timer::Refresh)),
        ];
        all.into_iter().flatten().min()
    }

    const fn timers(&self) -> (Option<Time>, Option<Time>) {
        match self.state {
            State::Running { refresh, expiry } => (expiry, refresh),
            State::Off | State::Terminated => (None, None),
        }
    }

    /// The timer to fire at `now`: the end before what would come too late.
    fn due(&self, now: Time) -> Option<Timer> {
        let (expiry, refresh) = self.timers();
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        match (is_due(expiry), is_due(refresh)) {
            (true, _) => Some(Timer::Expiry),
            (false, true) => Some(Timer::Refresh),
            (false, false) => None,
        }
    }

    /// The figure as a table.
    fn step(&mut self, now: Time, event: Event) {
        let state = match (self.state, event) {
            (State::Off | State::Running { .. }, Event::Agreed(Some(terms))) => running(now, terms),
            (State::Off | State::Running { .. }, Event::Agreed(None)) => State::Off,
            (State::Running { expiry, .. }, Event::Refused(wait)) => State::Running {
                refresh: wait.and_then(|wait| now + wait),
                expiry,
            },
            // Lost ends it elsewhere. What was refused while there is no timer is not ours.
            (State::Running { .. }, Event::Lost)
            | (State::Off, Event::Refused(_) | Event::Lost)
            | (State::Terminated, Event::Agreed(_) | Event::Refused(_) | Event::Lost) => self.state,
        };
        self.enter(now, state);
    }

    fn fire(&mut self, now: Time, timer: Timer, out: &mut (impl Sink<Action> + ?Sized)) {
        match (self.state, timer) {
            (State::Running { expiry, .. }, Timer::Refresh) => {
                let refresh = None;
                self.state = State::Running { refresh, expiry };
                out.push(Action::Refresh);
            }
            (State::Running { .. }, Timer::Expiry) => self.expire(now, out),
            (State::Off | State::Terminated, Timer::Refresh | Timer::Expiry) => {}
        }
    }

    fn expire(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        out.push(Action::Expired);
        self.terminate(now, out);
    }

    fn terminate(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        out.push(Action::Terminated);
        self.enter(now, State::Terminated);
    }

    fn enter(&mut self, now: Time, state: State) {
        if core::mem::discriminant(&self.state) != core::mem::discriminant(&state) {
            self.since = now;
        }
        self.state = state;
    }
}

/// 7.2: the refresher refreshes at half the interval; 10: who sees no refresh hangs up 32 s before
/// its end, or a third of it. So does a refresher whose refreshes fail.
fn running(now: Time, terms: Terms) -> State {
    let millis = u64::from(terms.interval).saturating_mul(1_000);
    let refresh = match terms.refresher {
        Side::Local => now + Duration::from_millis(millis / 2),
        Side::Remote => None,
    };
    let margin = MARGIN.min(Duration::from_millis(millis / 3));
    let expiry = now + Duration::from_millis(millis).saturating_sub(margin);
    State::Running { refresh, expiry }
}

impl Machine for SessionTimer {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        match (self.state, event) {
            (State::Running { .. }, Event::Lost) => self.expire(now, out),
            (State::Running { .. }, Event::Agreed(_) | Event::Refused(_))
            | (State::Off | State::Terminated, _) => self.step(now, event),
        }
        self.on_deadline(now, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        match (self.state, command) {
            (State::Off | State::Running { .. }, Command::Stop) => self.terminate(now, out),
            (State::Terminated, Command::Stop) => {}
        }
        Ok(())
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        while let Some(timer) = self.due(now) {
            self.fire(now, timer, out);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.next_timer().map(|(at, _)| at)
    }

    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn rebase(&mut self, from: Time, to: Time) {
        self.since = self.since.rebased(from, to);
        if let State::Running { refresh, expiry } = &mut self.state {
            rebase(refresh, from, to);
            rebase(expiry, from, to);
        }
    }
}

impl Leaf for SessionTimer {
    /// A late refresh, and then the end.
    const MAX_ACTIONS: usize = 3;
}

#[cfg(test)]
mod tests;

//! Reliable provisional responses (RFC 3262), both sides.
//!
//! All state of them lives in this file: [`ReliableServer`] is what a callee keeps for one INVITE,
//! [`RseqOrder`] what a caller keeps for one INVITE on each leg. Which message is reliable is said
//! by [`sending`] and [`kind`].
//!
//! The machine of the callee's side:
//!
//! ```text
//!              Send: 1xx
//!   +------+--------------->+-----------------------+---+ T1, doubling without end:
//!   | Idle |                | Waiting: one 1xx is   |   | 1xx again
//!   +------+<---------------| out, others queue     |<--+
//!      |     PRACK, and     +-----------------------+---+ PRACK: the next 1xx
//!      |     nothing queued   |     |         |     ^   |
//!      |                      |     |         |     +---+
//!      | Accept, Close        |     |         | 64*T1: timed out
//!      |         Accept, held |     | Close   |
//!      |       for the PRACK  |     |         |
//!      |       of a session   V     V         V
//!      |      description   +-----------------------+
//!      |                    | Closed: a late PRACK  |
//!      |                    | is answered still     |
//!      |                    +-----------------------+
//!      |                      | PRACK, or 64*T1
//!      |     +------------+   |
//!      +---->| Terminated |<--+
//!            +------------+
//! ```
//!
//! RFC 3262 section 3 allows a second response in flight once the first of an INVITE is
//! acknowledged, and recommends against it. This machine has one in flight at any time.

mod caller;

use alloc::collections::VecDeque;
use core::mem;
use core::time::Duration;

use bytes::Bytes;

use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::message::{Method, Name, RAck, Request, StatusCode};
use crate::seed::Ids;
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::{Backoff, Running, Timers, rebase};

pub use caller::{Kind, Order, RseqOrder, kind};

/// The option tag of RFC 3262.
pub const OPTION_TAG: &str = "100rel";

/// How often a callee that is not ready sends another reliable response, so that no proxy gives
/// the INVITE up (section 3): 2.5 minutes.
pub const EXTENSION: Duration = Duration::from_secs(150);

/// The most responses that wait behind the one in flight: a callee that has more to say while a
/// caller is silent for less than 64*T1 has lost its way.
pub const MAX_QUEUED: usize = 16;

/// What this side wants of the extension.
///
/// Exhaustive on purpose: these are the three answers that the RFC knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Policy {
    /// Neither offer nor use it.
    Off,
    /// Offer it, and use it with whoever has it.
    #[default]
    Supported,
    /// Demand it.
    Required,
}

/// What the INVITE says of the extension.
///
/// Exhaustive on purpose: the RFC knows no other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Asked {
    /// Nothing.
    No,
    /// `Supported: 100rel`.
    Supported,
    /// `Require: 100rel`.
    Required,
}

impl Asked {
    /// Reads it from an INVITE.
    pub fn of(invite: &Request) -> Self {
        if invite.lists(Name::Require, OPTION_TAG) {
            Self::Required
        } else if invite.lists(Name::Supported, OPTION_TAG) {
            Self::Supported
        } else {
            Self::No
        }
    }
}

/// How a callee sends 101-199 to an INVITE, by [`sending`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Sending {
    /// All without reliability.
    Unreliable,
    /// As the application likes, each.
    Either,
    /// All reliably.
    Reliable,
    /// The INVITE is refused: 420 with `Unsupported: 100rel`, or 421 with `Require: 100rel`.
    Refuse(StatusCode),
}

/// How a callee with this policy sends 101-199 to an INVITE that asks so: section 3 as a table.
///
/// ```
/// use drongo::call::reliable::{Asked, Policy, Sending, sending};
/// use drongo::message::StatusCode;
///
/// assert_eq!(sending(Policy::Supported, Asked::Required), Sending::Reliable);
/// let refused = Sending::Refuse(StatusCode::BAD_EXTENSION);
/// assert_eq!(sending(Policy::Off, Asked::Required), refused);
/// ```
pub const fn sending(policy: Policy, asked: Asked) -> Sending {
    match (policy, asked) {
        // "it MUST reject the initial request with a 420".
        (Policy::Off, Asked::Required) => Sending::Refuse(StatusCode::BAD_EXTENSION),
        // "If the request did not include either a Supported or Require header field".
        (Policy::Off, Asked::No | Asked::Supported) | (Policy::Supported, Asked::No) => {
            Sending::Unreliable
        }
        (Policy::Supported, Asked::Supported) => Sending::Either,
        (Policy::Supported | Policy::Required, Asked::Required)
        | (Policy::Required, Asked::Supported) => Sending::Reliable,
        // 3261 21.4.16: the UAS needs an extension that the request does not list.
        (Policy::Required, Asked::No) => Sending::Refuse(StatusCode::EXTENSION_REQUIRED),
    }
}

/// The first RSeq of an INVITE: evenly spread over 1 to 2^31-1 (section 3).
///
/// `base` and `counter` are those of [`Ids::jitter`]: a pair serves once.
pub fn first_rseq(ids: &Ids, base: u64, counter: u64) -> u32 {
    const SPREAD: Duration = Duration::from_nanos((1 << 31) - 1);
    let drawn = ids.jitter(base, counter, SPREAD).as_nanos();
    u32::try_from(drawn).unwrap_or_default().saturating_add(1)
}

/// What the other side's PRACK acknowledges: its RAck, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Acknowledged {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq number of the response.
    pub cseq: u32,
    /// Whether the method is INVITE, letter for letter (7.2): no other response is reliable.
    pub is_invite: bool,
}

impl From<RAck<'_>> for Acknowledged {
    fn from(rack: RAck<'_>) -> Self {
        Self {
            rseq: rack.rseq,
            cseq: rack.cseq,
            is_invite: rack.method == Method::Invite,
        }
    }
}

/// What a [`ReliableServer`] hears.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A PRACK within the dialog, with a RAck. (One without is answered 400 by the owner.)
    Prack(Acknowledged),
}

/// What the owner wants of a [`ReliableServer`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Send this response reliably, after those that wait already.
    Send {
        /// 101-199.
        status: StatusCode,
        /// The whole response, with `Require: 100rel` and the RSeq that
        /// [`next_rseq`](ReliableServer::next_rseq) says.
        bytes: Bytes,
        /// Whether it carries a session description.
        session: bool,
    },
    /// A 2xx is wanted: [`Action::Accept`] says when it may go.
    Accept,
    /// A final response of 300-699 goes now (section 3): nothing more is sent here.
    Close,
}

/// What a [`ReliableServer`] wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Pass this to the INVITE's server transaction.
    Transmit {
        /// The status in the bytes.
        status: StatusCode,
        /// The same bytes each time.
        bytes: Bytes,
    },
    /// The PRACK matches: answer it with 2xx, now or when the answer to its offer is there.
    Acknowledged {
        /// Which response.
        rseq: u32,
        /// Whether that carried a session description.
        session: bool,
    },
    /// The PRACK matches nothing that is unacknowledged: answer it with 481.
    Unmatched,
    /// The 2xx that was asked for may go now.
    Accept,
    /// No PRACK for 64*T1: refuse the INVITE with a 5xx. A 2xx that was asked for is off.
    TimedOut,
    /// The last action: no PRACK is waited for any more.
    Terminated,
}

/// The timers of this machine. At one instant the first goes first (law L4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// The response in flight was not acknowledged for 64*T1 from its first transmission; or no
    /// late PRACK can come any more.
    GiveUp,
    /// The response in flight again: T1, doubling without T2's cap.
    Resend,
}

/// A response that was asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Provisional {
    rseq: u32,
    status: StatusCode,
    bytes: Bytes,
    session: bool,
}

/// The response in flight.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct InFlight {
    provisional: Provisional,
    resend: Option<Backoff>,
    until: Option<Time>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// Nothing waits for a PRACK, and the INVITE has no final response.
    Idle,
    /// One response is in flight. The 2xx may be wanted already.
    Waiting {
        flight: InFlight,
        queue: VecDeque<Provisional>,
        accept: bool,
    },
    /// The final response is out, and this response was not acknowledged.
    Closed {
        rseq: u32,
        session: bool,
        until: Option<Time>,
    },
    Terminated,
}

/// All that can happen, for the table.
enum Input {
    Prack(Acknowledged),
    Send(Provisional),
    Accept,
    Close,
    Timer(Timer),
}

/// The reliable provisional responses of a callee to one INVITE.
///
/// Once it is terminated every PRACK for that INVITE is answered 481 by its owner.
///
/// ```
/// use drongo::call::reliable::{Acknowledged, Action, Command, Event, ReliableServer};
/// use drongo::machine::Machine;
/// use drongo::message::{RAck, StatusCode};
/// use drongo::time::Time;
/// use drongo::transaction::Timers;
///
/// let mut out = Vec::new();
/// let mut reliable = ReliableServer::new(Time::ZERO, Timers::DEFAULT, 1, 776_655);
/// let progress = Command::Send {
///     status: StatusCode::SESSION_PROGRESS,
///     bytes: bytes::Bytes::from_static(b"SIP/2.0 183 Session Progress\r\n"),
///     session: true,
/// };
/// assert_eq!(reliable.next_rseq(), Some(776_655));
/// reliable.command(Time::ZERO, progress, &mut out).unwrap();
/// // It carries the answer, so the 2xx waits for its PRACK.
/// reliable.command(Time::ZERO, Command::Accept, &mut out).unwrap();
/// assert_eq!(out.len(), 1);
///
/// out.clear();
/// let rack = RAck::parse(b"776655 1 INVITE").unwrap();
/// reliable.receive(Time::from_millis(100), Event::Prack(rack.into()), &mut out);
/// let acknowledged = Action::Acknowledged { rseq: 776_655, session: true };
/// assert_eq!(out, [acknowledged, Action::Accept, Action::Terminated]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReliableServer {
    timers: Timers,
    since: Time,
    /// CSeq number of the INVITE.
    cseq: u32,
    /// `None` past 2^32-1: it does not wrap.
    next_rseq: Option<u32>,
    state: State,
}

impl ReliableServer {
    /// For an INVITE with this CSeq number. The first RSeq is [`first_rseq`]'s.
    pub const fn new(now: Time, timers: Timers, cseq: u32, first_rseq: u32) -> Self {
        Self {
            timers,
            since: now,
            cseq,
            next_rseq: Some(first_rseq),
            state: State::Idle,
        }
    }

    /// The RSeq that the response of the next [`Command::Send`] must carry.
    pub const fn next_rseq(&self) -> Option<u32> {
        self.next_rseq
    }

    /// Whether a response is in flight.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// The state's name, as in the figure.
    pub const fn state(&self) -> &'static str {
        match self.state {
            State::Idle => "Idle",
            State::Waiting { .. } => "Waiting",
            State::Closed { .. } => "Closed",
            State::Terminated => "Terminated",
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        self.running().next()
    }

    fn running(&self) -> Running<Timer> {
        match &self.state {
            State::Waiting { flight, .. } => {
                Running::ends(flight.until, Timer::GiveUp).repeats(flight.resend, Timer::Resend)
            }
            State::Closed { until, .. } => Running::ends(*until, Timer::GiveUp),
            State::Idle | State::Terminated => Running::NONE,
        }
    }

    fn acknowledges(&self, ack: Acknowledged, rseq: u32) -> bool {
        ack.is_invite && ack.cseq == self.cseq && ack.rseq == rseq
    }

    /// The figure as a table.
    fn step(&mut self, now: Time, input: Input, out: &mut (impl Sink<Action> + ?Sized)) {
        use Input as I;
        use State as S;
        let state = mem::replace(&mut self.state, S::Terminated);
        let before = mem::discriminant(&state);
        self.state = match (state, input) {
            (S::Idle, I::Send(provisional)) => {
                let flight = self.transmit(now, provisional, out);
                let queue = VecDeque::new();
                S::Waiting {
                    flight,
                    queue,
                    accept: false,
                }
            }
            (
                S::Waiting {
                    flight,
                    mut queue,
                    accept,
                },
                I::Send(provisional),
            ) => {
                queue.push_back(provisional);
                S::Waiting {
                    flight,
                    queue,
                    accept,
                }
            }
            (
                S::Waiting {
                    flight,
                    queue,
                    accept,
                },
                I::Prack(ack),
            ) if self.acknowledges(ack, flight.provisional.rseq) => {
                let Provisional { rseq, session, .. } = flight.provisional;
                out.push(Action::Acknowledged { rseq, session });
                self.proceed(now, queue, accept, out)
            }
            (S::Closed { rseq, session, .. }, I::Prack(ack)) if self.acknowledges(ack, rseq) => {
                out.push(Action::Acknowledged { rseq, session });
                terminate(out)
            }
            (S::Idle, I::Accept) => {
                out.push(Action::Accept);
                terminate(out)
            }
            (S::Waiting { flight, queue, .. }, I::Accept) if !holds(&flight, &queue) => {
                out.push(Action::Accept);
                self.close(now, &flight)
            }
            (S::Waiting { flight, queue, .. }, I::Accept) => S::Waiting {
                flight,
                queue,
                accept: true,
            },
            (S::Idle, I::Close) => terminate(out),
            (S::Waiting { flight, .. }, I::Close) => self.close(now, &flight),
            (
                S::Waiting {
                    mut flight,
                    queue,
                    accept,
                },
                I::Timer(Timer::Resend),
            ) => {
                flight.resend = flight.resend.and_then(|r| r.doubled(now, Duration::MAX));
                out.push(flight.provisional.copy());
                S::Waiting {
                    flight,
                    queue,
                    accept,
                }
            }
            (S::Waiting { flight, .. }, I::Timer(Timer::GiveUp)) => {
                out.push(Action::TimedOut);
                self.close(now, &flight)
            }
            (S::Closed { .. }, I::Timer(Timer::GiveUp)) => terminate(out),
            (state @ (S::Idle | S::Waiting { .. } | S::Closed { .. }), I::Prack(_)) => {
                out.push(Action::Unmatched);
                state
            }
            // Nothing is sent after the final response; a verb on what has ended is harmless.
            (state @ S::Closed { .. }, I::Send(_) | I::Accept | I::Close | I::Timer(_))
            | (state @ S::Idle, I::Timer(_))
            | (state @ S::Terminated, I::Prack(_))
            | (state @ S::Terminated, I::Send(_) | I::Accept | I::Close | I::Timer(_)) => state,
        };
        if mem::discriminant(&self.state) != before {
            self.since = now;
        }
    }

    /// Section 3: the interval starts at T1 and doubles; given up 64*T1 after the first
    /// transmission.
    fn transmit(
        &self,
        now: Time,
        provisional: Provisional,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> InFlight {
        out.push(provisional.copy());
        InFlight {
            provisional,
            resend: Backoff::start(now, self.timers.t1),
            until: now + self.timers.t1x64(),
        }
    }

    /// What was in flight is acknowledged: the next one, or the 2xx.
    fn proceed(
        &self,
        now: Time,
        mut queue: VecDeque<Provisional>,
        accept: bool,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if accept && !queue.iter().any(|provisional| provisional.session) {
            // What else waited to ring is overtaken.
            out.push(Action::Accept);
            return terminate(out);
        }
        match queue.pop_front() {
            Some(next) => State::Waiting {
                flight: self.transmit(now, next, out),
                queue,
                accept,
            },
            None => State::Idle,
        }
    }

    /// Section 3: what is unacknowledged at the final response is not sent again, "but it MUST be
    /// prepared to process PRACK requests for those outstanding responses". One can come as long
    /// as a client transaction that began just now lasts.
    fn close(&self, now: Time, flight: &InFlight) -> State {
        State::Closed {
            rseq: flight.provisional.rseq,
            session: flight.provisional.session,
            until: now + self.timers.t1x64(),
        }
    }

    /// What refuses the command, if anything does.
    fn check(&self, command: &Command) -> Result<(), Misuse> {
        match (&self.state, command) {
            (State::Idle | State::Waiting { .. }, Command::Send { status, .. })
                if !can_be_reliable(*status) =>
            {
                let status = status.as_u16();
                Err(Misuse::WrongStatus { status })
            }
            (State::Waiting { accept: true, .. }, Command::Send { .. }) => {
                Err(Misuse::WrongState {
                    verb: "progress",
                    state: "Waiting to accept",
                })
            }
            (State::Waiting { queue, .. }, Command::Send { .. }) if queue.len() >= MAX_QUEUED => {
                Err(Misuse::LimitReached {
                    limit: "reliable provisional responses",
                })
            }
            (State::Idle | State::Waiting { .. }, Command::Send { .. })
                if self.next_rseq.is_none() =>
            {
                Err(Misuse::LimitReached { limit: "RSeq" })
            }
            (
                State::Idle | State::Waiting { .. } | State::Closed { .. } | State::Terminated,
                Command::Send { .. } | Command::Accept | Command::Close,
            ) => Ok(()),
        }
    }

    /// The command as an input. Only what is sent takes a number.
    fn input(&mut self, command: Command) -> Option<Input> {
        Some(match command {
            Command::Send {
                status,
                bytes,
                session,
            } => {
                let open = matches!(self.state, State::Idle | State::Waiting { .. });
                let rseq = self.next_rseq.filter(|_| open)?;
                self.next_rseq = rseq.checked_add(1);
                Input::Send(Provisional {
                    rseq,
                    status,
                    bytes,
                    session,
                })
            }
            Command::Accept => Input::Accept,
            Command::Close => Input::Close,
        })
    }
}

/// Whether a response of this status can be reliable: 101-199 (section 3), never 100.
pub const fn can_be_reliable(status: StatusCode) -> bool {
    status.is_provisional() && status.as_u16() != 100
}

/// Section 3: the 2xx waits while what is unacknowledged carries a session description. What still
/// queues with one goes before it too: without it the other side would never see that description.
fn holds(flight: &InFlight, queue: &VecDeque<Provisional>) -> bool {
    flight.provisional.session || queue.iter().any(|provisional| provisional.session)
}

fn terminate(out: &mut (impl Sink<Action> + ?Sized)) -> State {
    out.push(Action::Terminated);
    State::Terminated
}

impl Provisional {
    fn copy(&self) -> Action {
        Action::Transmit {
            status: self.status,
            bytes: self.bytes.clone(),
        }
    }
}

impl Machine for ReliableServer {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let Event::Prack(ack) = event;
        self.step(now, Input::Prack(ack), out);
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
        self.check(&command)?;
        if let Some(input) = self.input(command) {
            self.step(now, input, out);
        }
        self.on_deadline(now, out);
        Ok(())
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        while let Some(timer) = self.running().due(now) {
            self.step(now, Input::Timer(timer), out);
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
        match &mut self.state {
            State::Waiting { flight, .. } => {
                if let Some(resend) = &mut flight.resend {
                    resend.rebase(from, to);
                }
                rebase(&mut flight.until, from, to);
            }
            State::Closed { until, .. } => rebase(until, from, to),
            State::Idle | State::Terminated => {}
        }
    }
}

impl Leaf for ReliableServer {
    /// A late copy; and for the PRACK that comes then its match, the 2xx, and the end.
    const MAX_ACTIONS: usize = 4;
}

#[cfg(test)]
mod tests;

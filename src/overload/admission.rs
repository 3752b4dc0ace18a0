//! What of the new work that arrives is taken. All state of the admission is in [`Admission`].
//!
//! ```text
//!               something is refused or shed
//!     Calm ------------------------------------> Overloaded --+
//!       ^                                         |   ^       | something is
//!       |  nothing was refused for `calm`         |   |       | refused or shed
//!       +-----------------------------------------+   +-------+
//! ```
//!
//! What is too much is said by four bounds, of which each may refuse: requests a second, calls,
//! transactions, and how long what is processed now has waited. The bounds say yes again as soon
//! as there is room; the states are there so that the application hears once that it began and
//! once that it is over.
//!
//! A queue that is long for a moment is no overload: it is worked off. One that only grows is, and
//! so is one whose requests are about to be repeated; then it is kept short.

mod meter;

use core::time::Duration;

use super::{Algorithm, Feedback, Policy, Priority, Sequence};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::{Leaf, Machine};
use crate::sink::Sink;
use crate::time::Time;
use meter::Meter;

const SECOND: u64 = 1_000_000_000;

/// A request that begins something new, as far as admission must know it.
///
/// Others are never brought here: requests within a dialog, ACK, CANCEL, responses, and copies of
/// requests that were taken or refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Offer {
    /// What it says of itself, if that is believed.
    pub priority: Priority,
    /// How long it waited in queues that are known of before it was looked at.
    pub waited: Duration,
    /// Whether its sender repeats it if it meets silence: it came over an unreliable transport.
    pub is_repeated: bool,
    /// Calls in the tables.
    pub calls: usize,
    /// Transactions in the tables.
    pub transactions: usize,
    /// Spreads the delays that are suggested: a keyed hash of the request.
    pub salt: u64,
    /// The client, if it heeds feedback: the algorithm that it gets, and a hash of who it is.
    pub client: Option<(Algorithm, u64)>,
}

/// What the application wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// From now on so many requests a second, or as many as come. Zero takes nothing new: what
    /// stands is brought to its end.
    SetRate(Option<u32>),
}

/// What must now be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Take the request.
    Admit,
    /// Answer 503 (3261 21.5.4), with this Retry-After in seconds if there is one.
    Refuse {
        /// When to come again.
        retry_after: Option<u32>,
    },
    /// Drop the request. Answering does not keep up with what comes; its sender repeats it.
    Shed,
    /// Overload begins with what is refused or shed next.
    Began(Bound),
    /// Overload is over.
    Ended(Episode),
}

/// What can be too much.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Bound {
    /// Requests a second: [`Limits::request_rate`].
    Rate,
    /// Calls: [`Limits::calls`].
    Calls,
    /// Transactions: [`Limits::transactions`].
    Transactions,
    /// How long requests wait before they are looked at: [`Limits::queue_patience`], and
    /// [`Limits::queue_wait`] while that was not enough.
    Queue,
}

/// An overload that is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Episode {
    /// From the first request that was not taken to the last.
    pub lasted: Duration,
    /// Requests that were answered 503.
    pub refused: u64,
    /// Requests that were dropped.
    pub shed: u64,
}

/// How much more can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Capacity {
    /// The bound that is nearest.
    pub bound: Bound,
    /// How much of it is used: requests in the last second, calls, transactions, or microseconds.
    /// Requests are counted only where their rate is bounded.
    pub load: u64,
    /// Where the bound is.
    pub limit: u64,
    /// Whether new work was refused a moment ago.
    pub is_overloaded: bool,
    /// How long who would bring more now should wait before.
    pub delay: Option<Duration>,
}

impl Capacity {
    /// How much of the bound is used, in percent; over 100 if more is offered than can be taken.
    pub const fn percent(&self) -> u64 {
        match self.load.saturating_mul(100).checked_div(self.limit) {
            Some(percent) => percent,
            // Of nothing at all, nothing is left.
            None => 100,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum State {
    Calm,
    Overloaded {
        since: Time,
        /// The last request that was not taken.
        last: Time,
        until: Time,
        refused: u64,
        shed: u64,
    },
}

/// What was too much, and what becomes of the request.
enum Verdict {
    Admit,
    Refuse(Bound),
    Shed,
}

/// Decides what of the new work is taken.
///
/// ```
/// use drongo::limits::Limits;
/// use drongo::machine::Machine;
/// use drongo::overload::admission::{Action, Admission, Offer};
/// use drongo::overload::Policy;
/// use drongo::time::Time;
///
/// let mut limits = Limits::default();
/// limits.request_rate = Some(10);
/// limits.request_burst = Some(1);
/// let mut admission = Admission::new(Policy::default(), &limits);
/// let mut out = Vec::new();
/// for millis in [0, 50, 100] {
///     admission.receive(Time::from_millis(millis), Offer::default(), &mut out);
/// }
/// assert!(matches!(
///     out[..],
///     [Action::Admit, Action::Began(_), Action::Refuse { .. }, Action::Admit]
/// ));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Admission {
    policy: Policy,
    bounds: Bounds,
    /// When the bucket will be empty: the virtual time of the next request at exactly the rate.
    empty_at: Time,
    /// What was offered of late, where that matters.
    meter: Option<Meter>,
    /// What a clock that runs backwards is clamped to: the start of the state. `None`: an owner
    /// sees to it.
    since: Option<Time>,
    /// The queue is long, and gets longer.
    rise: Option<Rise>,
    /// Since when the queue is too long.
    behind: Option<Behind>,
    /// Whether refusing does not keep up: what has waited is dropped, until what comes is fresh.
    flushing: bool,
    state: State,
}

/// Since when nothing has waited less than so long, and that was longer than it should.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Rise {
    since: Time,
    from: Duration,
    /// When one was looked at last.
    last: Time,
}

/// The queue is too long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Behind {
    since: Time,
    /// The last request that was not taken because it had waited.
    last: Time,
}

/// Those of [`Limits`] that count here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Bounds {
    rate: Option<u32>,
    burst: Option<u32>,
    calls: usize,
    transactions: usize,
    patience: Duration,
    wait: Duration,
    shed: Duration,
}

impl Admission {
    /// One that has refused nothing. Of `limits` count
    /// [`request_rate`](Limits::request_rate), [`request_burst`](Limits::request_burst),
    /// [`calls`](Limits::calls), [`transactions`](Limits::transactions),
    /// [`queue_patience`](Limits::queue_patience), [`queue_wait`](Limits::queue_wait) and
    /// [`queue_shed`](Limits::queue_shed).
    pub fn new(policy: Policy, limits: &Limits) -> Self {
        let bounds = Bounds {
            rate: limits.request_rate,
            burst: limits.request_burst,
            calls: limits.calls,
            transactions: limits.transactions,
            patience: limits.queue_patience,
            wait: limits.queue_wait,
            shed: limits.queue_shed,
        };
        let mut new = Self {
            policy,
            bounds,
            empty_at: Time::ZERO,
            meter: None,
            since: None,
            rise: None,
            behind: None,
            flushing: false,
            state: State::Calm,
        };
        new.set_meter();
        new
    }

    /// For one that is used alone from now on: it clamps a clock that runs backwards by itself (law
    /// L6 of [`Machine`]). One that is owned leaves that to its owner.
    #[must_use]
    pub fn alone(mut self, now: Time) -> Self {
        self.since = Some(now);
        self
    }

    fn clamped(&self, now: Time) -> Time {
        self.since.map_or(now, |since| since.max(now))
    }

    fn enter(&mut self, now: Time, state: State) {
        let is_other = core::mem::discriminant(&self.state) != core::mem::discriminant(&state);
        if is_other && self.since.is_some() {
            self.since = Some(now);
        }
        self.state = state;
    }

    /// The state's name.
    pub fn state(&self) -> &'static str {
        match self.state {
            State::Calm => "Calm",
            State::Overloaded { .. } => "Overloaded",
        }
    }

    /// How much more can be taken: the bound of which most is used. `waited` is how long the last
    /// datagram was in the queue.
    pub fn capacity(
        &self,
        now: Time,
        calls: usize,
        transactions: usize,
        waited: Duration,
    ) -> Capacity {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let micros = |wait: Duration| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        let bounds = &self.bounds;
        let offered = self.meter.as_ref().map_or(0, |meter| meter.offered(now));
        let rate = bounds
            .rate
            .map(|rate| (Bound::Rate, offered, u64::from(rate)));
        let held = [
            (Bound::Calls, count(calls), count(bounds.calls)),
            (
                Bound::Transactions,
                count(transactions),
                count(bounds.transactions),
            ),
            (Bound::Queue, micros(waited), micros(self.longest_wait(now))),
        ];
        let is_overloaded = matches!(self.state, State::Overloaded { .. });
        let of = |(bound, load, limit)| Capacity {
            bound,
            load,
            limit,
            is_overloaded,
            delay: None,
        };
        let all = rate.into_iter().chain(held).map(of);
        let mut nearest = all
            .max_by_key(|capacity| (capacity.percent(), core::cmp::Reverse(capacity.bound)))
            .unwrap_or(of((Bound::Calls, 0, 0)));
        let is_full = is_overloaded || nearest.percent() >= 100;
        let delay = Duration::from_secs(u64::from(self.policy.retry_after));
        nearest.delay = is_full.then_some(delay);
        nearest
    }

    /// What a client that heeds feedback is told now (RFC 7339 5.1, 5.2). `None` if no feedback is
    /// given.
    pub fn feedback(&mut self, now: Time, algorithm: Algorithm) -> Option<Feedback> {
        let policy = self.policy.feedback?;
        let rate = self.bounds.rate;
        let meter = self.meter.as_mut()?;
        meter.roll(now, rate);
        let (value, validity) = match (algorithm, meter.loss(), meter.share(rate)) {
            (Algorithm::Loss, 0, _) | (Algorithm::Rate, _, None) => (0, 0),
            (Algorithm::Loss, loss, _) => (loss, policy.validity),
            (Algorithm::Rate, _, Some(share)) => (share, policy.validity),
        };
        let sequence = Sequence::at(meter.since());
        Some(Feedback::new(algorithm, value, validity).with_sequence(sequence))
    }

    /// Only what is bounded, or told to others, is counted.
    fn set_meter(&mut self) {
        let matters = self.bounds.rate.is_some() || self.policy.feedback.is_some();
        match (matters, &self.meter) {
            (true, None) => self.meter = Some(Meter::new()),
            (false, Some(_)) => self.meter = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Whether a request that waited so long would be dropped, whatever else is to be said of it.
    /// What can be known of it without reading all of it need not be read.
    pub fn sheds(&mut self, now: Time, waited: Duration) -> bool {
        // Old requests behind which older ones were answered would all be too old in their turn,
        // and nothing would ever be taken: a queue that is behind is emptied.
        let fresh = self.bounds.wait.checked_div(4).unwrap_or_default();
        self.flushing = match self.flushing {
            true => waited > fresh,
            false => waited > self.longest_life(now, waited),
        };
        self.flushing
    }

    /// How long a request may have waited and still be taken.
    fn longest_wait(&self, now: Time) -> Duration {
        let Bounds { patience, wait, .. } = self.bounds;
        let lasts = |rise: Rise| now.saturating_since(rise.since) >= wait;
        let patience = match self.rise.is_some_and(lasts) {
            // At T1 it would be too late: what was taken waits for its ACKs as long.
            true => patience.checked_div(2).unwrap_or_default(),
            false => patience,
        };
        match self.behind(now) {
            Some(_) => wait,
            None => wait.max(patience),
        }
    }

    /// Looks how long one waited: a queue that is worked off gets shorter.
    fn watch(&mut self, now: Time, waited: Duration) {
        // What had come when the last was looked at has waited with it, in one queue.
        let goes_on =
            |rise: &Rise| rise.from <= waited && now.saturating_since(rise.last) <= waited;
        let new = Rise {
            since: now,
            from: waited,
            last: now,
        };
        self.rise = match self.rise.filter(goes_on) {
            _ if waited <= self.bounds.wait => None,
            Some(rise) => Some(Rise { last: now, ..rise }),
            None => Some(new),
        };
    }

    /// How long a request that has waited so long may have waited and still be answered. Those
    /// that were there when it began are: refusing them is what shortens the queue.
    fn longest_life(&self, now: Time, waited: Duration) -> Duration {
        let Bounds { patience, shed, .. } = self.bounds;
        let is_later = |behind: Behind| now.saturating_since(behind.since) > waited;
        match self.behind(now).is_some_and(is_later) {
            true => shed,
            false => shed.max(patience.saturating_mul(2)),
        }
    }

    fn behind(&self, now: Time) -> Option<Behind> {
        let lasts = |behind: &Behind| now.saturating_since(behind.last) < self.policy.calm;
        self.behind.filter(lasts)
    }

    fn fall_behind(&mut self, now: Time) {
        let since = self.behind(now).map_or(now, |behind| behind.since);
        self.behind = Some(Behind { since, last: now });
    }

    /// Whether a request would be refused or dropped now: what cannot change that need not be read.
    pub fn refuses(&mut self, now: Time, offer: &Offer) -> bool {
        !matches!(self.foresee(now, offer), Verdict::Admit)
    }

    fn judge(&mut self, now: Time, offer: &Offer) -> Verdict {
        let verdict = self.foresee(now, offer);
        if matches!(verdict, Verdict::Admit) {
            self.take_token(now);
        }
        verdict
    }

    /// The bounds, the cheapest to be over first. What is too old is not worth an answer.
    fn foresee(&mut self, now: Time, offer: &Offer) -> Verdict {
        let bounds = self.bounds;
        if offer.is_repeated {
            self.watch(now, offer.waited);
        }
        if offer.is_repeated
            && self.sheds(now, offer.waited)
            && offer.priority == Priority::Ordinary
        {
            return Verdict::Shed;
        }
        if offer.waited > self.longest_wait(now) && offer.priority == Priority::Ordinary {
            return Verdict::Refuse(Bound::Queue);
        }
        if offer.calls >= bounds.calls {
            return Verdict::Refuse(Bound::Calls);
        }
        if offer.transactions >= bounds.transactions {
            return Verdict::Refuse(Bound::Transactions);
        }
        match self.has_token(now, offer.priority) {
            true => Verdict::Admit,
            false => Verdict::Refuse(Bound::Rate),
        }
    }

    /// Between two requests at exactly the rate, in nanoseconds; `None` at a rate of zero.
    fn interval(rate: u32) -> Option<u64> {
        SECOND.checked_div(u64::from(rate))
    }

    /// A bucket as RFC 7415 3.5.2 has it: emergencies may go twice as deep.
    fn has_token(&self, now: Time, priority: Priority) -> bool {
        let Some(rate) = self.bounds.rate else {
            return true;
        };
        let Some(interval) = Self::interval(rate) else {
            return false;
        };
        let patience = u64::try_from(self.bounds.patience.as_millis()).unwrap_or(u64::MAX);
        let burst = match self.bounds.burst {
            Some(burst) => u64::from(burst),
            None => u64::from(rate).saturating_mul(patience) / 1_000,
        };
        let burst = burst.max(1);
        let burst = match priority {
            Priority::Ordinary => burst,
            Priority::Emergency => burst.saturating_mul(2),
        };
        let depth = burst.saturating_sub(1).saturating_mul(interval);
        let content = self.empty_at.saturating_since(now).as_nanos();
        content <= u128::from(depth)
    }

    fn take_token(&mut self, now: Time) {
        if let Some(interval) = self.bounds.rate.and_then(Self::interval) {
            let from = self.empty_at.max(now);
            self.empty_at = (from + Duration::from_nanos(interval)).unwrap_or(Time::MAX);
        }
    }

    fn take(&mut self, now: Time, offer: &Offer, out: &mut (impl Sink<Action> + ?Sized)) {
        let verdict = self.judge(now, offer);
        let is_taken = matches!(verdict, Verdict::Admit);
        let rate = self.bounds.rate;
        if let Some(meter) = &mut self.meter {
            meter.roll(now, rate);
            meter.count(offer.client, is_taken);
        }
        match verdict {
            Verdict::Admit => out.push(Action::Admit),
            Verdict::Refuse(bound) => {
                if bound == Bound::Queue {
                    self.fall_behind(now);
                }
                self.press(now, bound, (1, 0), out);
                let retry_after = self.retry_after(offer.salt);
                out.push(Action::Refuse { retry_after });
            }
            Verdict::Shed => {
                self.fall_behind(now);
                self.press(now, Bound::Queue, (0, 1), out);
                out.push(Action::Shed);
            }
        }
    }

    /// RFC 7339 5.10.2: who gives feedback asks nobody to stay away.
    fn retry_after(&self, salt: u64) -> Option<u32> {
        if self.policy.feedback.is_some() {
            return None;
        }
        let span = u64::from(self.policy.retry_spread).saturating_add(1);
        let more = salt.checked_rem(span).unwrap_or(0);
        let more = u32::try_from(more).unwrap_or(0);
        Some(self.policy.retry_after.saturating_add(more))
    }

    /// Something is not taken.
    fn press(
        &mut self,
        now: Time,
        bound: Bound,
        (more_refused, more_shed): (u64, u64),
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let (since, last, refused, shed) = match self.state {
            State::Calm => {
                out.push(Action::Began(bound));
                (now, now, 0, 0)
            }
            State::Overloaded {
                since,
                last,
                refused,
                shed,
                ..
            } => (since, last, refused, shed),
        };
        let last = last.max(now);
        // A calm of zero would end it in the call that began it.
        let calm = self.policy.calm.max(Duration::from_nanos(1));
        let state = State::Overloaded {
            since,
            last,
            until: (last + calm).unwrap_or(Time::MAX),
            refused: refused.saturating_add(more_refused),
            shed: shed.saturating_add(more_shed),
        };
        self.enter(now, state);
    }
}

impl Machine for Admission {
    type Event = Offer;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, offer: Offer, out: &mut (impl Sink<Action> + ?Sized)) {
        self.on_deadline(now, out);
        self.take(self.clamped(now), &offer, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        self.on_deadline(now, out);
        let Command::SetRate(rate) = command;
        self.bounds.rate = rate;
        // What an old rate has lent counts for nothing at a new one.
        self.empty_at = Time::ZERO;
        self.set_meter();
        Ok(())
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        if let State::Overloaded {
            since,
            last,
            until,
            refused,
            shed,
        } = self.state
            && until <= now
        {
            self.enter(now, State::Calm);
            out.push(Action::Ended(Episode {
                lasted: last.saturating_since(since),
                refused,
                shed,
            }));
        }
    }

    fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Calm => None,
            State::Overloaded { until, .. } => Some(until),
        }
    }

    /// Never: it lasts as long as its endpoint.
    fn is_terminated(&self) -> bool {
        false
    }

    fn rebase(&mut self, from: Time, to: Time) {
        // The beginning of time is before every point in it.
        if self.empty_at > Time::ZERO {
            self.empty_at = self.empty_at.rebased(from, to);
        }
        self.since = self.since.map(|since| since.rebased(from, to));
        if let Some(behind) = &mut self.behind {
            behind.since = behind.since.rebased(from, to);
            behind.last = behind.last.rebased(from, to);
        }
        if let Some(rise) = &mut self.rise {
            rise.since = rise.since.rebased(from, to);
            rise.last = rise.last.rebased(from, to);
        }
        if let Some(meter) = &mut self.meter {
            meter.rebase(from, to);
        }
        if let State::Overloaded {
            since, last, until, ..
        } = &mut self.state
        {
            for point in [since, last, until] {
                *point = point.rebased(from, to);
            }
        }
    }
}

impl Leaf for Admission {
    const MAX_ACTIONS: usize = 3;
}

#[cfg(test)]
mod tests;

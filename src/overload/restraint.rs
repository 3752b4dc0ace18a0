//! What one server has asked of this side: to come again later (RFC 3261 21.5.4), or to send less
//! (RFC 7339, RFC 7415). All state of a restraint is in [`Restraint`].
//!
//! ```text
//!            503 with Retry-After                 feedback
//!     Held <---------------------- (nothing) ----------------------> Throttled
//!      |                               ^                                |
//!      |  the time has passed          |  validity has passed           |
//!      +-------------------------- Terminated --------------------------+
//! ```
//!
//! Both at once is `Held`: what is throttled besides comes to light when the time has passed.

use core::time::Duration;

use super::{Algorithm, Feedback, Priority, Sequence};
use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::sink::Sink;
use crate::time::Time;

/// What the server said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A 503 with Retry-After: nothing new for so long.
    Unavailable {
        /// How long.
        wait: Duration,
    },
    /// Feedback in the Via of any response.
    Feedback(Feedback),
}

/// What this side wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// To send a request that begins something new.
    Begin(Priority),
    /// To send a request of something that stands. It always goes, and counts: feedback is about
    /// all requests (RFC 7339 5.3).
    Continue,
}

/// What must now be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send it.
    Send,
    /// Do not send it there.
    Withhold {
        /// How long until the server may be asked again, if it said so.
        wait: Option<Duration>,
    },
    /// The last action: there is nothing to heed any more.
    Terminated,
}

/// The most that can be due: ten requests in a row that are not sent. Where all that goes is of
/// what stands, what was not saved cannot be saved later.
const MOST_DUE: u32 = 1_000;

/// How long it is remembered which feedback was the last, if that ended it.
const MEMORY: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Control {
    until: Time,
    sequence: Option<Sequence>,
    valve: Valve,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Valve {
    /// Everything goes: feedback was ended, and older feedback may still arrive.
    Open,
    /// Each request of any kind owes `percent` hundredths of one that is not sent, and each that
    /// is not sent pays for a whole one. So what cannot be held back is made up for by what can,
    /// as RFC 7339 7.2 has it with random numbers.
    Loss { percent: u32, due: u32 },
    /// The leaky bucket of RFC 7415 3.5.2, in nanoseconds.
    Rate {
        interval: u64,
        content: u64,
        last: Time,
    },
    /// A rate of zero: nothing goes.
    Shut,
}

/// What one server, known by its address and port, has asked of this side.
///
/// ```
/// use core::time::Duration;
/// use drongo::machine::Machine;
/// use drongo::overload::restraint::{Action, Command, Event};
/// use drongo::overload::{Priority, Restraint};
/// use drongo::time::Time;
///
/// let wait = Duration::from_secs(5);
/// let mut restraint = Restraint::new(Time::ZERO, Event::Unavailable { wait }).unwrap();
/// let mut out = Vec::new();
/// restraint.command(Time::from_secs(4), Command::Begin(Priority::Ordinary), &mut out)?;
/// assert_eq!(out, [Action::Withhold { wait: Some(Duration::from_secs(1)) }]);
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Restraint {
    since: Time,
    held: Option<Time>,
    control: Option<Control>,
    ended: bool,
}

impl Restraint {
    /// A server that has said something. `None` if that keeps nothing back.
    pub fn new(now: Time, event: Event) -> Option<Self> {
        let mut new = Self {
            since: now,
            held: None,
            control: None,
            ended: false,
        };
        new.take(now, event);
        let is_open = |control: Control| control.valve == Valve::Open;
        let matters = new.held.is_some() || !new.control.is_none_or(is_open);
        matters.then_some(new)
    }

    /// The state's name.
    pub fn state(&self) -> &'static str {
        match (self.held, self.control) {
            (Some(_), _) => "Held",
            (None, Some(_)) => "Throttled",
            (None, None) => "Terminated",
        }
    }

    /// Until when nothing new goes there.
    pub fn held_until(&self) -> Option<Time> {
        self.held
    }

    fn take(&mut self, now: Time, event: Event) {
        match event {
            Event::Unavailable { wait } => {
                let until = (now + wait).unwrap_or(Time::MAX);
                // The last word counts, also one that comes to less.
                self.held = Some(until).filter(|until| *until > now);
            }
            Event::Feedback(feedback) => self.take_feedback(now, feedback),
        }
    }

    fn take_feedback(&mut self, now: Time, feedback: Feedback) {
        let stored = self.control.and_then(|control| control.sequence);
        if let (Some(stored), Some(new)) = (stored, feedback.sequence)
            && new.is_before(stored)
        {
            return;
        }
        let wait = match feedback.validity {
            0 => MEMORY,
            _ => feedback.wait(),
        };
        let valve = match (feedback.validity, feedback.algorithm, feedback.value) {
            (0, _, _) | (_, Algorithm::Loss, 0) => Valve::Open,
            (_, Algorithm::Loss, percent) => self.loss(percent),
            (_, Algorithm::Rate, 0) => Valve::Shut,
            (_, Algorithm::Rate, rate) => self.rate(now, rate),
        };
        self.control = Some(Control {
            until: (now + wait).unwrap_or(Time::MAX),
            sequence: feedback.sequence,
            valve,
        });
    }

    /// What is due goes on.
    fn loss(&self, percent: u32) -> Valve {
        let due = match self.control.map(|control| control.valve) {
            Some(Valve::Loss { due, .. }) => due,
            Some(Valve::Open | Valve::Rate { .. } | Valve::Shut) | None => 0,
        };
        Valve::Loss { percent, due }
    }

    /// What the bucket holds stays in it. A new one is empty: TAU0 is 0.
    fn rate(&self, now: Time, rate: u32) -> Valve {
        const SECOND: u64 = 1_000_000_000;
        let interval = SECOND.checked_div(u64::from(rate)).unwrap_or(SECOND);
        let (content, last) = match self.control.map(|control| control.valve) {
            Some(Valve::Rate { content, last, .. }) => (content, last),
            Some(Valve::Open | Valve::Loss { .. } | Valve::Shut) | None => (0, now),
        };
        Valve::Rate {
            interval,
            content,
            last,
        }
    }

    /// Whether a request may go.
    fn asks(&mut self, now: Time, command: Command) -> bool {
        let is_held = self.held.is_some();
        let Some(control) = &mut self.control else {
            return !is_held || command == Command::Continue;
        };
        let goes = control.valve.lets(now, command, is_held);
        goes && (!is_held || command == Command::Continue)
    }
}

impl Valve {
    /// `is_held`: it does not go in any case, and takes nothing from others.
    fn lets(&mut self, now: Time, command: Command, is_held: bool) -> bool {
        let may_wait = command == Command::Begin(Priority::Ordinary);
        match self {
            Self::Open => true,
            Self::Shut => command == Command::Continue,
            Self::Loss { percent, due } => {
                let owed = due.saturating_add(*percent).min(MOST_DUE);
                let goes = !may_wait || owed < 100;
                *due = match goes && !is_held {
                    true => owed,
                    false => owed.saturating_sub(100),
                };
                goes
            }
            Self::Rate {
                interval,
                content,
                last,
            } => {
                let gone = now.saturating_since(*last).as_nanos();
                let left = content.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
                // TAU2 is 10*T and TAU1 half of it; what stands always goes.
                let tolerance = match command {
                    Command::Begin(Priority::Ordinary) => interval.saturating_mul(5),
                    Command::Begin(Priority::Emergency) => interval.saturating_mul(10),
                    Command::Continue => u64::MAX,
                };
                let goes = left <= tolerance;
                if goes && !is_held {
                    *content = left.saturating_add(*interval);
                    *last = now.max(*last);
                }
                goes
            }
        }
    }
}

impl Machine for Restraint {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        self.on_deadline(now, out);
        if self.ended {
            return;
        }
        let (now, before) = (now.max(self.since), self.state());
        self.take(now, event);
        self.settle(now, before, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        self.on_deadline(now, out);
        if self.ended {
            return Ok(());
        }
        let now = now.max(self.since);
        match self.asks(now, command) {
            true => out.push(Action::Send),
            false => out.push(Action::Withhold {
                wait: self.held.map(|until| until.saturating_since(now)),
            }),
        }
        Ok(())
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        let before = self.state();
        self.held = self.held.filter(|until| *until > now);
        self.control = self.control.filter(|control| control.until > now);
        self.settle(now, before, out);
    }

    fn deadline(&self) -> Option<Time> {
        let control = self.control.map(|control| control.until);
        self.held.into_iter().chain(control).min()
    }

    fn is_terminated(&self) -> bool {
        self.ended
    }

    fn rebase(&mut self, from: Time, to: Time) {
        self.since = self.since.rebased(from, to);
        self.held = self.held.map(|until| until.rebased(from, to));
        if let Some(control) = &mut self.control {
            control.until = control.until.rebased(from, to);
            if let Valve::Rate { last, .. } = &mut control.valve {
                *last = last.rebased(from, to);
            }
        }
    }
}

impl Restraint {
    fn settle(&mut self, now: Time, before: &str, out: &mut (impl Sink<Action> + ?Sized)) {
        if self.state() != before {
            self.since = now;
        }
        if self.held.is_none() && self.control.is_none() {
            self.ended = true;
            out.push(Action::Terminated);
        }
    }
}

impl Leaf for Restraint {
    const MAX_ACTIONS: usize = 1;
}

#[cfg(test)]
mod tests;

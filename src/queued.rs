//! Actions one at a time, for those who would rather poll.

use alloc::collections::VecDeque;

use crate::error::Misuse;
use crate::machine::Machine;
use crate::time::Time;

/// Room for actions that an empty queue keeps.
const KEPT: usize = 64;

/// A machine with a queue behind it: what it pushes is taken out with [`poll`](Self::poll).
///
/// A machine keeps no queue, so that nothing is ever changed but not drained. This adapter gives
/// that up for convenience: after each input, poll until `None` before sleeping until the
/// deadline, because what waits in the queue has no deadline.
///
/// ```
/// use drongo::queued::Queued;
/// use drongo::time::Time;
/// use drongo::transaction::non_invite_client::{Action, NonInviteClient};
/// use drongo::transaction::{Reliability, Timers};
///
/// let options = bytes::Bytes::from_static(b"OPTIONS sip:bob@biloxi.example.com SIP/2.0\r\n\r\n");
/// let mut first = Vec::new();
/// let unreliable = Reliability::Unreliable;
/// let machine =
///     NonInviteClient::new(Time::ZERO, Timers::DEFAULT, unreliable, options.clone(), &mut first);
/// assert_eq!(first, [Action::Transmit(options.clone())]);
///
/// let mut transaction = Queued::new(machine);
/// let wake = transaction.deadline().expect("timer E");
/// transaction.on_deadline(wake);
/// assert_eq!(transaction.poll(), Some(Action::Transmit(options)));
/// assert_eq!(transaction.poll(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Queued<M: Machine> {
    machine: M,
    waiting: VecDeque<M::Action>,
}

impl<M: Machine> Queued<M> {
    /// Puts a queue behind `machine`.
    pub const fn new(machine: M) -> Self {
        Self {
            machine,
            waiting: VecDeque::new(),
        }
    }

    /// Takes an event; see [`Machine::receive`].
    pub fn receive(&mut self, now: Time, event: M::Event) {
        self.machine.receive(now, event, &mut self.waiting);
    }

    /// Takes a command; see [`Machine::command`].
    ///
    /// # Errors
    ///
    /// [`Misuse`] if the command does not fit.
    pub fn command(&mut self, now: Time, command: M::Command) -> Result<(), Misuse> {
        self.machine.command(now, command, &mut self.waiting)
    }

    /// Fires what is due at `now`; see [`Machine::on_deadline`].
    pub fn on_deadline(&mut self, now: Time) {
        self.machine.on_deadline(now, &mut self.waiting);
    }

    /// The next action, in the order in which they must be performed.
    pub fn poll(&mut self) -> Option<M::Action> {
        let action = self.waiting.pop_front();
        if action.is_none() && self.waiting.capacity() > KEPT {
            self.waiting.shrink_to(KEPT);
        }
        action
    }

    /// When [`on_deadline`](Self::on_deadline) must be called next. Says nothing of actions that
    /// wait to be polled.
    pub fn deadline(&self) -> Option<Time> {
        self.machine.deadline()
    }

    /// Whether the last action has been polled.
    pub fn is_terminated(&self) -> bool {
        self.waiting.is_empty() && self.machine.is_terminated()
    }

    /// Shifts the machine to another clock; see [`Machine::rebase`].
    pub fn rebase(&mut self, from: Time, to: Time) {
        self.machine.rebase(from, to);
    }

    /// The machine.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine and what was not polled.
    pub fn into_parts(self) -> (M, VecDeque<M::Action>) {
        (self.machine, self.waiting)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "times of a test")]
mod tests {
    use super::*;
    use crate::sink::Sink;
    use core::time::Duration;

    /// Repeats each number a second later, until told to stop.
    #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    struct Echo {
        due: Option<(Time, u32)>,
        stopped: bool,
    }

    impl Machine for Echo {
        type Event = u32;
        type Command = ();
        type Action = u32;

        fn receive(&mut self, now: Time, n: u32, out: &mut (impl Sink<u32> + ?Sized)) {
            out.push(n);
            self.due = (now + Duration::from_secs(1)).map(|at| (at, n));
        }

        fn command(
            &mut self,
            _: Time,
            (): (),
            out: &mut (impl Sink<u32> + ?Sized),
        ) -> Result<(), Misuse> {
            if self.stopped {
                return Err(Misuse::UnknownHandle);
            }
            *self = Self {
                due: None,
                stopped: true,
            };
            out.push(0);
            Ok(())
        }

        fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<u32> + ?Sized)) {
            if let Some((_, n)) = self.due.take_if(|(at, _)| *at <= now) {
                out.push(n);
            }
        }

        fn deadline(&self) -> Option<Time> {
            self.due.map(|(at, _)| at)
        }

        fn is_terminated(&self) -> bool {
            self.stopped
        }

        fn rebase(&mut self, from: Time, to: Time) {
            self.due = self.due.map(|(at, n)| (at.rebased(from, to), n));
        }
    }

    #[test]
    fn actions_come_out_in_the_order_of_pushes() {
        let mut echo = Queued::new(Echo::default());
        echo.receive(Time::ZERO, 5);
        assert_eq!(echo.deadline(), Some(Time::from_secs(1)));
        echo.rebase(Time::ZERO, Time::from_secs(10));
        echo.on_deadline(Time::from_secs(11));
        echo.receive(Time::from_secs(11), 6);
        assert_eq!(echo.command(Time::from_secs(11), ()), Ok(()));
        assert_eq!(
            echo.command(Time::from_secs(11), ()),
            Err(Misuse::UnknownHandle)
        );
        for expected in [5, 5, 6, 0] {
            assert!(!echo.is_terminated());
            assert_eq!(echo.poll(), Some(expected));
        }
        assert!(echo.is_terminated());
        assert_eq!(echo.poll(), None);
    }

    #[test]
    fn burst_polled_gives_its_memory_back() {
        let mut echo = Queued::new(Echo::default());
        for n in 0..10_000 {
            echo.receive(Time::ZERO, n);
        }
        while echo.poll().is_some() {}
        let (_, waiting) = echo.into_parts();
        assert!(waiting.is_empty() && waiting.capacity() <= KEPT);
    }
}

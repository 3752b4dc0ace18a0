//! The non-INVITE client transaction: RFC 3261 17.1.2.
//!
//! All state of a non-INVITE client transaction lives in this file.
//!
//! ```text
//!                                   |Request from TU
//!                                   |send request
//!               Timer E             V
//!               send request  +-----------+
//!                   +---------|           |-------------------+
//!                   |         |  Trying   |  Timer F          |
//!                   +-------->|           |  or Transport Err.|
//!                             +-----------+  inform TU        |
//!                200-699         |  |                         |
//!                resp. to TU     |  |1xx                      |
//!                +---------------+  |resp. to TU              |
//!                |                  |                         |
//!                |   Timer E        V       Timer F           |
//!                |   send req +-----------+ or Transport Err. |
//!                |  +---------|           | inform TU         |
//!                |  |         |Proceeding |------------------>|
//!                |  +-------->|           |-----+             |
//!                |            +-----------+     |1xx          |
//!                |              |      ^        |resp to TU   |
//!                | 200-699      |      +--------+             |
//!                | resp. to TU  |                             |
//!                |              V                             |
//!                |            +-----------+                   |
//!                +----------->| Completed |                   |
//!                             +-----------+                   |
//!                                   | Timer K                 |
//!                                   V                         |
//!                             +-----------+                   |
//!                             | Terminated|<------------------+
//!                             +-----------+
//! ```

use alloc::boxed::Box;
use core::mem;

use bytes::Bytes;

use super::{Backoff, Failure, Reliability, Running, Timers, rebase};
use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::message::Response;
use crate::sink::Sink;
use crate::time::Time;

/// What the transport tells a non-INVITE client transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A response that matches by [`ClientKey`](super::key::ClientKey).
    Response(Box<Response>),
    /// What was last transmitted could not be sent.
    TransportError,
}

/// A non-INVITE client transaction takes no commands: CANCEL is for INVITE alone (9.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {}

/// What a non-INVITE client transaction wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send the request.
    Transmit(Bytes),
    /// Hand this response to the user: any number of provisional ones, one final.
    Response(Box<Response>),
    /// Tell the user that the request failed.
    Failed(Failure),
    /// The last action: the resources are free.
    Terminated,
}

/// The timers of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// Repeats the request on an unreliable transport: T1, doubling up to T2; T2 in Proceeding.
    E,
    /// Ends Trying and Proceeding: 64*T1.
    F,
    /// Keeps Completed for repeated responses: T4, zero if reliable.
    K,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// The request is out and nothing was heard.
    Trying {
        request: Bytes,
        e: Option<Backoff>,
        f: Option<Time>,
    },
    /// A provisional response came.
    Proceeding {
        request: Bytes,
        e: Option<Backoff>,
        f: Option<Time>,
    },
    /// The final response came; copies of it are absorbed.
    Completed {
        k: Option<Time>,
    },
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Input {
    Provisional(Box<Response>),
    Final(Box<Response>),
    TransportError,
    Timer(Timer),
}

/// A non-INVITE client transaction.
///
/// ```
/// use drongo::machine::Machine;
/// use drongo::time::Time;
/// use drongo::transaction::non_invite_client::{Action, NonInviteClient};
/// use drongo::transaction::{Failure, Reliability, Timers};
///
/// let request = bytes::Bytes::from_static(b"OPTIONS sip:bob@biloxi.example.com SIP/2.0\r\n\r\n");
/// let mut out = Vec::new();
/// let mut transaction = NonInviteClient::new(
///     Time::ZERO, Timers::DEFAULT, Reliability::Reliable, request.clone(), &mut out,
/// );
/// assert_eq!(out, [Action::Transmit(request)]);
///
/// // Nobody answers: timer F at 64*T1.
/// out.clear();
/// transaction.on_deadline(Time::from_secs(32), &mut out);
/// assert_eq!(out, [Action::Failed(Failure::Timeout), Action::Terminated]);
/// assert!(transaction.is_terminated());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NonInviteClient {
    timers: Timers,
    reliability: Reliability,
    since: Time,
    state: State,
}

impl NonInviteClient {
    /// Starts the transaction: transmits the request and enters Trying (17.1.2.2).
    ///
    /// `request` is the whole request as written, with the branch of this transaction in its top
    /// Via.
    pub fn new(
        now: Time,
        timers: Timers,
        reliability: Reliability,
        request: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Self {
        out.push(Action::Transmit(request.clone()));
        let e = match reliability {
            Reliability::Unreliable => Backoff::start(now, timers.t1),
            Reliability::Reliable => None,
        };
        let state = State::Trying {
            request,
            e,
            f: now + timers.t1x64(),
        };
        let mut new = Self {
            timers,
            reliability,
            since: now,
            state,
        };
        new.on_deadline(now, out);
        new
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        self.running().next()
    }

    fn running(&self) -> Running<Timer> {
        match &self.state {
            State::Trying { e, f, .. } | State::Proceeding { e, f, .. } => {
                Running::ends(*f, Timer::F).repeats(*e, Timer::E)
            }
            State::Completed { k } => Running::ends(*k, Timer::K),
            State::Terminated => Running::NONE,
        }
    }

    /// The state's name, as in the RFC's figure.
    pub fn state(&self) -> &'static str {
        match self.state {
            State::Trying { .. } => "Trying",
            State::Proceeding { .. } => "Proceeding",
            State::Completed { .. } => "Completed",
            State::Terminated => "Terminated",
        }
    }

    /// An input, and the timers of zero that it started: nothing is pending afterwards (law L1).
    fn take(&mut self, now: Time, input: Input, out: &mut (impl Sink<Action> + ?Sized)) {
        self.step(now, input, out);
        self.on_deadline(now, out);
    }

    /// The figure as a table.
    fn step(&mut self, now: Time, input: Input, out: &mut (impl Sink<Action> + ?Sized)) {
        use Input as I;
        use State as S;
        let state = mem::replace(&mut self.state, S::Terminated);
        let before = mem::discriminant(&state);
        self.state = match (state, input) {
            (
                S::Trying {
                    request,
                    e: Some(e),
                    f,
                },
                I::Timer(Timer::E),
            ) => {
                out.push(Action::Transmit(request.clone()));
                let e = e.doubled(now, self.timers.t2);
                S::Trying { request, e, f }
            }
            (
                S::Proceeding {
                    request,
                    e: Some(e),
                    f,
                },
                I::Timer(Timer::E),
            ) => {
                // 17.1.2.2: T2, whatever the interval was before.
                out.push(Action::Transmit(request.clone()));
                let e = e.again(now, self.timers.t2);
                S::Proceeding { request, e, f }
            }
            (S::Trying { .. } | S::Proceeding { .. }, I::Timer(Timer::F)) => {
                fail(Failure::Timeout, out)
            }
            (S::Trying { .. } | S::Proceeding { .. }, I::TransportError) => {
                fail(Failure::Transport, out)
            }
            (
                S::Trying { request, e, f } | S::Proceeding { request, e, f },
                I::Provisional(response),
            ) => {
                // The running timer E is left alone; only its next reset is T2.
                out.push(Action::Response(response));
                S::Proceeding { request, e, f }
            }
            (S::Trying { .. } | S::Proceeding { .. }, I::Final(response)) => {
                out.push(Action::Response(response));
                S::Completed {
                    k: now + self.timers.ik(self.reliability),
                }
            }
            (S::Completed { .. }, I::Timer(Timer::K)) => terminate(out),
            // What the figure leaves out. No response ever makes an ACK.
            (
                state @ (S::Trying { e: None, .. } | S::Proceeding { e: None, .. }),
                I::Timer(Timer::E),
            )
            | (state @ (S::Trying { .. } | S::Proceeding { .. }), I::Timer(Timer::K))
            | (
                state @ S::Completed { .. },
                I::Provisional(_) | I::Final(_) | I::TransportError | I::Timer(Timer::E | Timer::F),
            )
            | (
                state @ S::Terminated,
                I::Provisional(_) | I::Final(_) | I::TransportError | I::Timer(_),
            ) => state,
        };
        if mem::discriminant(&self.state) != before {
            self.since = now;
        }
    }
}

fn fail(failure: Failure, out: &mut (impl Sink<Action> + ?Sized)) -> State {
    out.push(Action::Failed(failure));
    terminate(out)
}

fn terminate(out: &mut (impl Sink<Action> + ?Sized)) -> State {
    out.push(Action::Terminated);
    State::Terminated
}

impl Machine for NonInviteClient {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let input = match event {
            Event::Response(response) if response.status().is_provisional() => {
                Input::Provisional(response)
            }
            Event::Response(response) => Input::Final(response),
            Event::TransportError => Input::TransportError,
        };
        self.take(now, input, out);
    }

    fn command(
        &mut self,
        _: Time,
        command: Command,
        _: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        match command {}
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
            State::Trying { e, f, .. } | State::Proceeding { e, f, .. } => {
                if let Some(e) = e {
                    e.rebase(from, to);
                }
                rebase(f, from, to);
            }
            State::Completed { k } => rebase(k, from, to),
            State::Terminated => {}
        }
    }
}

impl Leaf for NonInviteClient {
    /// Timer E, late; a final response; and with a T4 of zero the end.
    const MAX_ACTIONS: usize = 3;
}

#[cfg(test)]
mod tests;

//! The INVITE client transaction: RFC 3261 17.1.1 as corrected by RFC 6026 7.2 and 8.4.
//!
//! All state of an INVITE client transaction lives in this file.
//!
//! ```text
//!                                    |INVITE from TU
//!                  Timer A fires     |INVITE sent      Timer B fires
//!                  Reset A,          V                 or Transport Err.
//!                  INVITE sent +-----------+           inform TU
//!                    +---------|           |--------------------------+
//!                    |         |  Calling  |                          |
//!                    +-------->|           |-----------+              |
//! 300-699                      +-----------+ 2xx       |              |
//! ACK sent                        |  |       2xx to TU |              |
//! resp. to TU                     |  |1xx              |              |
//! +-----------------------------+ |  |1xx to TU        |              |
//! |                               |  V                 |              |
//! |                            +-----------+           |              |
//! |    1xx to TU     +---------|           |           |              |
//! |                  |         |Proceeding |---------->|              |
//! |                  +-------->|           | 2xx       |              |
//! |<---------------------------+-----------+ 2xx to TU |              |
//! | 300-699                         |64*T1 after the   |              |
//! | ACK sent, resp. to TU           |CANCEL: inform TU |              |
//! |                                 +------------------|------------->|
//! |                                                    V              |
//! |  +-----------+                               +-----------+        |
//! |  |           |--+ 300-699, ACK sent     2xx  |           |        |
//! +->| Completed |  |                     to TU +|  Accepted |        |
//!    |           |<-+                           ||           |        |
//!    +-----------+                              ++-----------+        |
//!       | Timer D fires, or Transport Err.             | Timer M fires |
//!       |  inform TU of the latter                     V              |
//!       |                                        +-----------+        |
//!       +--------------------------------------->| Terminated|<-------+
//!                                                +-----------+
//! ```
//!
//! CANCEL is a transaction of its own, but when it may be sent is decided here, where the 1xx
//! arrives (9.1): a `Cancel` command in Calling waits for it. The INVITE goes on meanwhile.

use alloc::boxed::Box;
use core::mem;
use core::time::Duration;

use bytes::Bytes;

use super::{Backoff, Failure, Reliability, Running, Timers, rebase};
use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::message::{Response, derive};
use crate::sink::Sink;
use crate::time::Time;

/// What the transport tells an INVITE client transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A response that matches by [`ClientKey`](super::key::ClientKey).
    Response(Box<Response>),
    /// What was last transmitted could not be sent.
    TransportError,
}

/// What its user tells an INVITE client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Cancel the INVITE as soon as a provisional response allows it (9.1). Repeating it is
    /// harmless; after a final response it does nothing.
    Cancel,
}

/// What an INVITE client transaction wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send these bytes to where the INVITE went: the INVITE, or the ACK for a 300-699.
    Transmit(Bytes),
    /// Hand this response to the user.
    Response(Box<Response>),
    /// Send the CANCEL for this INVITE now, in a non-INVITE client transaction of its own; the
    /// bytes are the INVITE to derive it from.
    Cancel(Bytes),
    /// Tell the user that the INVITE failed.
    Failed(Failure),
    /// The last action: the resources are free.
    Terminated,
}

/// The timers of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// Repeats the INVITE on an unreliable transport: T1, doubling without a cap.
    A,
    /// Ends Calling: 64*T1.
    B,
    /// Keeps Completed to acknowledge repeated finals: at least 32 s, zero if reliable.
    D,
    /// Keeps Accepted for more 2xx: 64*T1.
    M,
    /// Ends a cancelled INVITE that gets no final response: 64*T1 after the CANCEL (9.1).
    CancelGuard,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// The INVITE is out and nothing was heard.
    Calling {
        invite: Bytes,
        a: Option<Backoff>,
        b: Option<Time>,
        cancel: bool,
    },
    /// A provisional response came: ringing may take as long as the user lets it.
    Proceeding {
        invite: Bytes,
        cancel: bool,
        guard: Option<Time>,
    },
    /// A 300-699 came and was acknowledged.
    Completed {
        ack: Option<Bytes>,
        d: Option<Time>,
    },
    /// A 2xx came; the user acknowledges it.
    Accepted {
        m: Option<Time>,
    },
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Input {
    Provisional(Box<Response>),
    Success(Box<Response>),
    Failure(Box<Response>),
    TransportError,
    Cancel,
    Timer(Timer),
}

/// An INVITE client transaction.
///
/// ```
/// use drongo::machine::Machine;
/// use drongo::time::Time;
/// use drongo::transaction::invite_client::{Action, InviteClient};
/// use drongo::transaction::{Reliability, Timers};
///
/// let invite = bytes::Bytes::from_static(b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\r\n");
/// let mut out = Vec::new();
/// let mut transaction = InviteClient::new(
///     Time::ZERO, Timers::DEFAULT, Reliability::Unreliable, invite.clone(), &mut out,
/// );
/// assert_eq!(out, [Action::Transmit(invite.clone())]);
///
/// // Timer A: the same bytes again after T1.
/// assert_eq!(transaction.deadline(), Some(Time::from_millis(500)));
/// out.clear();
/// transaction.on_deadline(Time::from_millis(500), &mut out);
/// assert_eq!(out, [Action::Transmit(invite)]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InviteClient {
    timers: Timers,
    reliability: Reliability,
    since: Time,
    state: State,
}

impl InviteClient {
    /// Starts the transaction: transmits the INVITE and enters Calling (17.1.1.2).
    ///
    /// `invite` is the whole request as written, with the branch of this transaction in its top
    /// Via.
    pub fn new(
        now: Time,
        timers: Timers,
        reliability: Reliability,
        invite: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Self {
        out.push(Action::Transmit(invite.clone()));
        let a = match reliability {
            Reliability::Unreliable => Backoff::start(now, timers.t1),
            Reliability::Reliable => None,
        };
        let b = now + timers.t1x64();
        let state = State::Calling {
            invite,
            a,
            b,
            cancel: false,
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
            State::Calling { a, b, .. } => Running::ends(*b, Timer::B).repeats(*a, Timer::A),
            State::Proceeding { guard, .. } => Running::ends(*guard, Timer::CancelGuard),
            State::Completed { d, .. } => Running::ends(*d, Timer::D),
            State::Accepted { m } => Running::ends(*m, Timer::M),
            State::Terminated => Running::NONE,
        }
    }

    /// The state's name, as in the RFC's figure.
    pub fn state(&self) -> &'static str {
        match self.state {
            State::Calling { .. } => "Calling",
            State::Proceeding { .. } => "Proceeding",
            State::Completed { .. } => "Completed",
            State::Accepted { .. } => "Accepted",
            State::Terminated => "Terminated",
        }
    }

    /// The INVITE as sent, until a final response came.
    pub fn invite(&self) -> Option<&Bytes> {
        match &self.state {
            State::Calling { invite, .. } | State::Proceeding { invite, .. } => Some(invite),
            State::Completed { .. } | State::Accepted { .. } | State::Terminated => None,
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
                S::Calling {
                    invite,
                    a: Some(a),
                    b,
                    cancel,
                },
                I::Timer(Timer::A),
            ) => {
                // 17.1.1.2: the very bytes again, twice as long to wait, without a cap.
                out.push(Action::Transmit(invite.clone()));
                S::Calling {
                    invite,
                    a: a.doubled(now, Duration::MAX),
                    b,
                    cancel,
                }
            }
            // 17.1.1.2: timer B informs the user, and never makes an ACK.
            (S::Calling { .. }, I::Timer(Timer::B)) => fail(Failure::Timeout, out),
            // 17.1.4.
            (S::Calling { .. }, I::TransportError) => fail(Failure::Transport, out),
            (
                S::Calling {
                    invite,
                    a,
                    b,
                    cancel: _,
                },
                I::Cancel,
            ) => {
                // 9.1: no CANCEL before a provisional response.
                S::Calling {
                    invite,
                    a,
                    b,
                    cancel: true,
                }
            }
            (S::Calling { invite, cancel, .. }, I::Provisional(response)) => {
                out.push(Action::Response(response));
                let state = S::Proceeding {
                    invite,
                    cancel: false,
                    guard: None,
                };
                if cancel {
                    self.cancel(now, state, out)
                } else {
                    state
                }
            }
            // 17.1.1.2: every provisional response goes up.
            (state @ S::Proceeding { .. }, I::Provisional(response)) => {
                out.push(Action::Response(response));
                state
            }
            (state @ S::Proceeding { .. }, I::Cancel) => self.cancel(now, state, out),
            // 9.1: no answer to the INVITE within 64*T1 of the CANCEL.
            (S::Proceeding { guard: Some(_), .. }, I::Timer(Timer::CancelGuard)) => {
                fail(Failure::CancelTimeout, out)
            }
            (S::Calling { invite, .. } | S::Proceeding { invite, .. }, I::Failure(response)) => {
                self.complete(now, &invite, response, out)
            }
            // 6026 8.4: not Terminated, so that more 2xx find their way.
            (S::Calling { .. } | S::Proceeding { .. }, I::Success(response)) => {
                out.push(Action::Response(response));
                S::Accepted {
                    m: now + self.timers.t1x64(),
                }
            }
            // 17.1.1.2: the ACK again, the user heard already.
            (S::Completed { ack, d }, I::Failure(_)) => {
                if let Some(ack) = &ack {
                    out.push(Action::Transmit(ack.clone()));
                }
                S::Completed { ack, d }
            }
            (S::Completed { .. }, I::TransportError) => fail(Failure::Transport, out),
            (S::Completed { .. }, I::Timer(Timer::D)) => terminate(out),
            // 6026 7.2: a repeated 2xx and one of another fork alike; M runs on.
            (state @ S::Accepted { .. }, I::Success(response)) => {
                out.push(Action::Response(response));
                state
            }
            (S::Accepted { .. }, I::Timer(Timer::M)) => terminate(out),
            // What the figure leaves out.
            (state @ S::Calling { a: None, .. }, I::Timer(Timer::A))
            | (state @ S::Calling { .. }, I::Timer(Timer::D | Timer::M | Timer::CancelGuard))
            | (state @ S::Proceeding { guard: None, .. }, I::Timer(Timer::CancelGuard))
            | (
                state @ S::Proceeding { .. },
                I::TransportError | I::Timer(Timer::A | Timer::B | Timer::D | Timer::M),
            )
            | (
                state @ S::Completed { .. },
                I::Provisional(_)
                | I::Success(_)
                | I::Cancel
                | I::Timer(Timer::A | Timer::B | Timer::M | Timer::CancelGuard),
            )
            | (
                state @ S::Accepted { .. },
                I::Provisional(_)
                | I::Failure(_)
                | I::TransportError
                | I::Cancel
                | I::Timer(Timer::A | Timer::B | Timer::D | Timer::CancelGuard),
            )
            | (
                state @ S::Terminated,
                I::Provisional(_)
                | I::Success(_)
                | I::Failure(_)
                | I::TransportError
                | I::Cancel
                | I::Timer(_),
            ) => state,
        };
        if mem::discriminant(&self.state) != before {
            self.since = now;
        }
    }

    /// 9.1: CANCEL now, once, and wait 64*T1 for the final response to the INVITE.
    fn cancel(&self, now: Time, state: State, out: &mut (impl Sink<Action> + ?Sized)) -> State {
        match state {
            State::Proceeding {
                invite,
                cancel: false,
                guard: _,
            } => {
                out.push(Action::Cancel(invite.clone()));
                State::Proceeding {
                    invite,
                    cancel: true,
                    guard: now + self.timers.t1x64(),
                }
            }
            state @ (State::Proceeding { .. }
            | State::Calling { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated) => state,
        }
    }

    /// 17.1.1.2: ACK first, then the user; timer D, which is zero on a reliable transport.
    fn complete(
        &self,
        now: Time,
        invite: &Bytes,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let ack = derive::ack_for_failure(invite, &response);
        if let Some(ack) = &ack {
            out.push(Action::Transmit(ack.clone()));
        }
        out.push(Action::Response(response));
        State::Completed {
            ack,
            d: now + self.timers.d(self.reliability),
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

impl Machine for InviteClient {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let input = match event {
            Event::Response(response) => match response.status().class() {
                1 => Input::Provisional(response),
                2 => Input::Success(response),
                _ => Input::Failure(response),
            },
            Event::TransportError => Input::TransportError,
        };
        self.take(now, input, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        match command {
            Command::Cancel => self.take(now, Input::Cancel, out),
        }
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
            State::Calling { a, b, .. } => {
                if let Some(a) = a {
                    a.rebase(from, to);
                }
                rebase(b, from, to);
            }
            State::Proceeding { guard, .. } => rebase(guard, from, to),
            State::Completed { d, .. } => rebase(d, from, to),
            State::Accepted { m } => rebase(m, from, to),
            State::Terminated => {}
        }
    }
}

impl Leaf for InviteClient {
    /// Timer A, late; then the ACK and a final response, or a provisional one and the CANCEL.
    const MAX_ACTIONS: usize = 3;
}

#[cfg(test)]
mod tests;

//! The non-INVITE server transaction: RFC 3261 17.2.2 as corrected by RFC 4320 and RFC 6026 8.8.
//!
//! All state of a non-INVITE server transaction lives in this file.
//!
//! ```text
//!                                  |Request received
//!                                  |pass to TU
//!                                  V
//!                            +-----------+
//!                            |           |
//!                            | Trying    |-------------+
//!                            |           |             |
//!                            +-----------+             |200-699 from TU
//!                                  |                   |send response
//!                                  |100, at 3.5 s      |
//!                                  |send response      |
//!                                  |                   |
//!               Request            V                   |
//!               send response+-----------+             |
//!                   +--------|           |             |
//!                   |        | Proceeding|             |
//!                   +------->|           |             |
//!                            +-----------+             |
//!                                  |200-699 from TU    |
//!                                  |send response      |
//!                                  V                   |
//!                            +-----------+             |
//!               Request +----|           |             |
//!         send response |    | Completed |<------------+
//!                       +--->|           |
//!                            +-----------+
//!                                  |Timer J
//!                                  V
//!                            +-----------+
//!                            | Terminated|
//!                            +-----------+
//! ```
//!
//! Against the figure of RFC 3261: no provisional response but 100, and that not before the
//! client's timer E reaches T2 (4320 4.1); a transport error informs the user and ends nothing
//! (6026 8.8).

use core::mem;

use bytes::Bytes;

use super::{Failure, Reliability, Running, Timers, rebase};
use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::message::{HeaderList, Reply, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

/// What the transport tells a non-INVITE server transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The request came again.
    Request,
    /// What was last transmitted could not be sent.
    TransportError,
}

/// What its user tells a non-INVITE server transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Send this response; whatever follows a final one is discarded.
    ///
    /// Until then 101-199 is [`Misuse::WrongStatus`] (4320 4.1), and so is 408, which would come
    /// too late to be of use (4320 4.2). A 100 before it is due on an unreliable transport is left
    /// to the transaction, which sends it in time.
    Respond {
        /// The status in the bytes.
        status: StatusCode,
        /// The whole response as written.
        bytes: Bytes,
    },
}

/// Whether a user may answer with this: a final response (4320 4.1: 100 is the transaction's, and
/// nothing else is provisional), but not a 408, which would come too late to be of use (4320 4.2).
pub(crate) fn is_allowed(status: StatusCode) -> bool {
    status.is_final() && status != StatusCode::REQUEST_TIMEOUT
}

/// What a non-INVITE server transaction wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send these bytes to where responses to the request go (18.2.2).
    Transmit(Bytes),
    /// Tell the user that a response could not be sent; the state stays as it is.
    Failed(Failure),
    /// The last action: the resources are free.
    Terminated,
}

/// The timers of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// Says 100 when the user has not answered by the time the client's timer E reaches T2:
    /// 3.5 s (4320 4.1).
    Trying,
    /// Keeps Completed for copies of the request: 64*T1, zero if reliable.
    J,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// The user is thinking.
    Trying {
        reply: Reply,
        trying: Option<Time>,
    },
    /// A 100 is out.
    Proceeding {
        last: Bytes,
    },
    /// The final response is out.
    Completed {
        response: Bytes,
        j: Option<Time>,
    },
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Input {
    Request,
    TransportError,
    Trying(Bytes),
    Final(Bytes),
    Timer(Timer),
}

/// A non-INVITE server transaction.
///
/// ```
/// use drongo::machine::Machine;
/// use drongo::message::{Message, Reply, Request, StatusCode};
/// use drongo::time::Time;
/// use drongo::transaction::non_invite_server::{Action, Command, Event, NonInviteServer};
/// use drongo::transaction::{Reliability, Timers};
///
/// let options = "OPTIONS sip:bob@biloxi.example.com SIP/2.0\r\n\
///     Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKhjhs8ass877\r\n\
///     Max-Forwards: 70\r\n\
///     To: <sip:bob@biloxi.example.com>\r\n\
///     From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
///     Call-ID: a84b4c76e66710\r\n\
///     CSeq: 63104 OPTIONS\r\n\r\n";
/// let options = Request::try_from(Message::parse(options.into())?)?;
/// let mut transaction = NonInviteServer::new(
///     Time::ZERO, Timers::DEFAULT, Reliability::Unreliable, Reply::new(&options),
/// );
///
/// let mut out = Vec::new();
/// let bytes = bytes::Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n");
/// let respond = Command::Respond { status: StatusCode::OK, bytes: bytes.clone() };
/// transaction.command(Time::ZERO, respond, &mut out)?;
/// // The client did not hear it: it repeats the request, and gets the same bytes.
/// transaction.receive(Time::from_millis(500), Event::Request, &mut out);
/// assert_eq!(out, [Action::Transmit(bytes.clone()), Action::Transmit(bytes)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NonInviteServer {
    timers: Timers,
    reliability: Reliability,
    since: Time,
    state: State,
}

impl NonInviteServer {
    /// Starts the transaction in Trying; the caller hands the request to the user itself.
    ///
    /// `reply` is what answers the request: the transaction says 100 with it when the user takes
    /// longer than RFC 4320 4.1 allows.
    pub fn new(now: Time, timers: Timers, reliability: Reliability, reply: Reply) -> Self {
        let state = State::Trying {
            reply,
            trying: now + timers.e_reaches_t2(),
        };
        Self {
            timers,
            reliability,
            since: now,
            state,
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        self.running().next()
    }

    fn running(&self) -> Running<Timer> {
        match &self.state {
            State::Trying { trying, .. } => Running::ends(*trying, Timer::Trying),
            State::Completed { j, .. } => Running::ends(*j, Timer::J),
            State::Proceeding { .. } | State::Terminated => Running::NONE,
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

    /// Whether a final response is still to be sent.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
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
            (S::Trying { reply, .. }, I::Timer(Timer::Trying)) => {
                let last = reply.write(StatusCode::TRYING, None, None, &HeaderList::new(), None);
                out.push(Action::Transmit(last.clone()));
                S::Proceeding { last }
            }
            (state @ S::Trying { .. }, I::Trying(response)) => match self.reliability {
                // 4320 4.1: not yet; the transaction says it when it is due.
                Reliability::Unreliable => state,
                Reliability::Reliable => {
                    out.push(Action::Transmit(response.clone()));
                    S::Proceeding { last: response }
                }
            },
            (S::Proceeding { .. }, I::Trying(response)) => {
                out.push(Action::Transmit(response.clone()));
                S::Proceeding { last: response }
            }
            (S::Proceeding { last }, I::Request) => {
                out.push(Action::Transmit(last.clone()));
                S::Proceeding { last }
            }
            (S::Trying { .. } | S::Proceeding { .. }, I::Final(response)) => {
                out.push(Action::Transmit(response.clone()));
                S::Completed {
                    response,
                    j: now + self.timers.j(self.reliability),
                }
            }
            (S::Completed { response, j }, I::Request) => {
                out.push(Action::Transmit(response.clone()));
                S::Completed { response, j }
            }
            (S::Completed { .. }, I::Timer(Timer::J)) => terminate(out),
            // 6026 8.8: inform the user and stay, so that copies of the request are absorbed.
            (state @ (S::Proceeding { .. } | S::Completed { .. }), I::TransportError) => {
                out.push(Action::Failed(Failure::Transport));
                state
            }
            // What the figure leaves out. In Trying nothing was sent that could fail.
            (state @ S::Trying { .. }, I::Request | I::TransportError | I::Timer(Timer::J))
            | (state @ S::Proceeding { .. }, I::Timer(Timer::Trying | Timer::J))
            | (state @ S::Completed { .. }, I::Trying(_) | I::Final(_) | I::Timer(Timer::Trying))
            | (
                state @ S::Terminated,
                I::Request | I::TransportError | I::Trying(_) | I::Final(_) | I::Timer(_),
            ) => state,
        };
        if mem::discriminant(&self.state) != before {
            self.since = now;
        }
    }
}

fn terminate(out: &mut (impl Sink<Action> + ?Sized)) -> State {
    out.push(Action::Terminated);
    State::Terminated
}

impl Machine for NonInviteServer {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let input = match event {
            Event::Request => Input::Request,
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
        let Command::Respond { status, bytes } = command;
        let input = match status.as_u16() {
            100 => Input::Trying(bytes),
            101..=199 | 408 if self.is_pending() => {
                return Err(Misuse::WrongStatus {
                    status: status.as_u16(),
                });
            }
            _ => Input::Final(bytes),
        };
        self.take(now, input, out);
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
            State::Trying { trying, .. } => rebase(trying, from, to),
            State::Completed { j, .. } => rebase(j, from, to),
            State::Proceeding { .. } | State::Terminated => {}
        }
    }
}

impl Leaf for NonInviteServer {
    /// The 100, late; a final response; and the end, on a reliable transport.
    const MAX_ACTIONS: usize = 3;
}

#[cfg(test)]
mod tests;

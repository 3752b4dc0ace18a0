//! The INVITE server transaction: RFC 3261 17.2.1 as corrected by RFC 6026 7.1 and 8.6.
//!
//! All state of an INVITE server transaction lives in this file.
//!
//! ```text
//!                                       |INVITE
//!                                       |pass INV to TU
//!                    INVITE             V send 100 if TU won't in 200 ms
//!                    send response+------------+
//!                        +--------|            |--------+ 101-199 from TU
//!                        |        |            |        | send response
//!                        +------->|            |<-------+
//!                                 | Proceeding |
//!                                 |            |--------+ Transport Error
//!                                 |            |        | inform TU
//!                                 |            |<-------+
//!                                 +------------+
//!                    300-699 from TU |    |2xx from TU
//!                    send response   |    |send response
//!                     +--------------+    +------------+
//!                     |                                |
//!    INVITE           V          Timer G               V
//!    send response +-----------+ send response   +-----------+ INVITE: absorb
//!      +-----------|           |--------+        |           |--------+
//!      |           |           |        |        |           |        |
//!      +---------->| Completed |<-------+        |  Accepted |<-------+
//!                  |           |                 |           |
//!      +-----------|           |        +--------|           |--------+ 2xx from TU
//!      | Transport |           |    ACK |        |           |        | send response
//!      | Error     |           |  to TU +------->|           |<-------+
//!      +---------->+-----------+                 |           |--------+ Transport Error
//!      inform TU      |     |                    |           |        | inform TU
//!                 ACK |     |                    |           |<-------+
//!                     |     | Timer H            +-----------+
//!                     V     | inform TU                |
//!               +-----------+    |                     | Timer L
//!               | Confirmed |    |                     |
//!               +-----------+    |                     |
//!                 |Timer I       |                     |
//!                 V              V                     |
//!               +-----------------------+              |
//!               |      Terminated       |<-------------+
//!               +-----------------------+
//! ```

use alloc::boxed::Box;
use core::mem;

use bytes::Bytes;

use super::{Backoff, Failure, Reliability, Running, Timers, rebase};
use crate::error::Misuse;
use crate::machine::{Leaf, Machine};
use crate::message::{Reply, Request, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

/// What the transport tells an INVITE server transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The INVITE came again.
    Invite,
    /// An ACK that matches by [`ServerKey`](super::key::ServerKey).
    Ack(Box<Request>),
    /// What was last transmitted could not be sent.
    TransportError,
}

/// What its user tells an INVITE server transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Send this response. Whatever follows a final response is discarded, but for more 2xx.
    Respond {
        /// The status in the bytes.
        status: StatusCode,
        /// The whole response as written.
        bytes: Bytes,
    },
}

/// What an INVITE server transaction wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send these bytes to where responses to the INVITE go (18.2.2).
    Transmit(Bytes),
    /// Hand this ACK to the user: it came with the branch of an INVITE answered 2xx, as RFC 2543
    /// clients send it.
    Ack(Box<Request>),
    /// Tell the user: [`Failure::Transport`] leaves the state as it is, [`Failure::NoAck`] ends
    /// the transaction.
    Failed(Failure),
    /// The last action: the resources are free.
    Terminated,
}

/// The timers of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// Says 100 when the user has said nothing: 200 ms.
    Trying,
    /// Repeats a 300-699 on an unreliable transport: T1, doubling up to T2.
    G,
    /// Ends the wait for the ACK: 64*T1.
    H,
    /// Keeps Confirmed for more copies: T4, zero if reliable.
    I,
    /// Keeps Accepted to absorb the INVITE: 64*T1.
    L,
}

/// What was last said in Proceeding.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Provisional {
    /// Nothing yet; the 100 is due.
    Due {
        reply: Reply,
        trying: Option<Time>,
    },
    Sent(Bytes),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// The user is thinking.
    Proceeding(Provisional),
    /// A 300-699 is out, without ACK yet.
    Completed {
        response: Bytes,
        g: Option<Backoff>,
        h: Option<Time>,
    },
    /// The ACK came; copies of it are absorbed.
    Confirmed {
        i: Option<Time>,
    },
    /// A 2xx is out; the user repeats it and waits for its ACK.
    Accepted {
        l: Option<Time>,
    },
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Input {
    Invite,
    Ack(Box<Request>),
    TransportError,
    Provisional(Bytes),
    Success(Bytes),
    Failure(Bytes),
    Timer(Timer),
}

/// An INVITE server transaction.
///
/// ```
/// use drongo::machine::Machine;
/// use drongo::message::{Message, Reply, Request, StatusCode};
/// use drongo::time::Time;
/// use drongo::transaction::invite_server::{Action, Command, Event, InviteServer};
/// use drongo::transaction::{Reliability, Timers};
///
/// let invite = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
///     Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n\
///     Max-Forwards: 70\r\n\
///     To: Bob <sip:bob@biloxi.example.com>\r\n\
///     From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
///     Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
///     CSeq: 314159 INVITE\r\n\r\n";
/// let invite = Request::try_from(Message::parse(invite.into())?)?;
/// let mut out = Vec::new();
/// let mut transaction = InviteServer::new(
///     Time::ZERO, Timers::DEFAULT, Reliability::Unreliable, Reply::new(&invite), &mut out,
/// );
/// // The user is slow, so the transaction says 100 by itself after 200 ms.
/// transaction.on_deadline(Time::from_millis(200), &mut out);
/// assert!(matches!(&out[0], Action::Transmit(b) if b.starts_with(b"SIP/2.0 100 Trying\r\n")));
///
/// out.clear();
/// let bytes = bytes::Bytes::from_static(b"SIP/2.0 486 Busy Here\r\n\r\n");
/// let respond = Command::Respond { status: StatusCode::BUSY_HERE, bytes: bytes.clone() };
/// transaction.command(Time::from_secs(1), respond, &mut out)?;
/// assert_eq!(out, [Action::Transmit(bytes.clone())]);
///
/// // The caller did not hear it: it repeats the INVITE, and gets the same bytes.
/// out.clear();
/// transaction.receive(Time::from_millis(1_100), Event::Invite, &mut out);
/// assert_eq!(out, [Action::Transmit(bytes)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InviteServer {
    timers: Timers,
    reliability: Reliability,
    since: Time,
    state: State,
}

impl InviteServer {
    /// Starts the transaction in Proceeding; the caller hands the INVITE to the user itself.
    ///
    /// `reply` is what answers the INVITE: the transaction says 100 with it when the user is
    /// silent for [`Timers::trying`].
    pub fn new(
        now: Time,
        timers: Timers,
        reliability: Reliability,
        reply: Reply,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Self {
        let due = Provisional::Due {
            reply,
            trying: now + timers.trying,
        };
        let mut new = Self {
            timers,
            reliability,
            since: now,
            state: State::Proceeding(due),
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
            State::Proceeding(Provisional::Due { trying, .. }) => {
                Running::ends(*trying, Timer::Trying)
            }
            State::Completed { g, h, .. } => Running::ends(*h, Timer::H).repeats(*g, Timer::G),
            State::Confirmed { i } => Running::ends(*i, Timer::I),
            State::Accepted { l } => Running::ends(*l, Timer::L),
            State::Proceeding(Provisional::Sent(_)) | State::Terminated => Running::NONE,
        }
    }

    /// The state's name, as in the RFC's figure.
    pub fn state(&self) -> &'static str {
        match self.state {
            State::Proceeding(_) => "Proceeding",
            State::Completed { .. } => "Completed",
            State::Confirmed { .. } => "Confirmed",
            State::Accepted { .. } => "Accepted",
            State::Terminated => "Terminated",
        }
    }

    /// Whether a final response is still to be sent.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Proceeding(_))
    }

    /// Whether a 300-699 needs no ACK any more, or there never was one.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.state, State::Confirmed { .. } | State::Terminated)
    }

    /// Whether it can still be refused, or is, without an ACK.
    pub(crate) fn is_unsettled(&self) -> bool {
        matches!(self.state, State::Proceeding(_) | State::Completed { .. })
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
            // 17.2.1: 100 on the user's behalf; it copies what 8.2.6 says and adds no To tag.
            (S::Proceeding(Provisional::Due { reply, .. }), I::Timer(Timer::Trying)) => {
                let trying = reply.write_trying(now.saturating_since(self.since));
                out.push(Action::Transmit(trying.clone()));
                S::Proceeding(Provisional::Sent(trying))
            }
            (S::Proceeding(Provisional::Sent(last)), I::Invite) => {
                out.push(Action::Transmit(last.clone()));
                S::Proceeding(Provisional::Sent(last))
            }
            (S::Proceeding(_), I::Provisional(response)) => {
                out.push(Action::Transmit(response.clone()));
                S::Proceeding(Provisional::Sent(response))
            }
            (S::Proceeding(_), I::Success(response)) => {
                out.push(Action::Transmit(response));
                S::Accepted {
                    l: now + self.timers.t1x64(),
                }
            }
            (S::Proceeding(_), I::Failure(response)) => self.complete(now, response, out),
            // 6026 7.1: the copies of the INVITE that follow still need this state.
            (
                state @ (S::Proceeding(_) | S::Completed { .. } | S::Accepted { .. }),
                I::TransportError,
            ) => {
                out.push(Action::Failed(Failure::Transport));
                state
            }
            (
                S::Completed {
                    response,
                    g: Some(g),
                    h,
                },
                I::Timer(Timer::G),
            ) => {
                out.push(Action::Transmit(response.clone()));
                let g = g.doubled(now, self.timers.t2);
                S::Completed { response, g, h }
            }
            (S::Completed { .. }, I::Timer(Timer::H)) => {
                // 17.2.1's text, which the figure of RFC 6026 does not draw.
                out.push(Action::Failed(Failure::NoAck));
                terminate(out)
            }
            (S::Completed { response, g, h }, I::Invite) => {
                out.push(Action::Transmit(response.clone()));
                S::Completed { response, g, h }
            }
            (S::Completed { .. }, I::Ack(_)) => S::Confirmed {
                i: now + self.timers.ik(self.reliability),
            },
            (S::Confirmed { .. }, I::Timer(Timer::I)) => terminate(out),
            // 6026 7.1: every ACK goes up; L runs on.
            (state @ S::Accepted { .. }, I::Ack(ack)) => {
                out.push(Action::Ack(ack));
                state
            }
            (state @ S::Accepted { .. }, I::Success(response)) => {
                out.push(Action::Transmit(response));
                state
            }
            (S::Accepted { .. }, I::Timer(Timer::L)) => terminate(out),
            // What the figure leaves out.
            (
                state @ S::Proceeding(Provisional::Due { .. }),
                I::Invite | I::Ack(_) | I::Timer(Timer::G | Timer::H | Timer::I | Timer::L),
            )
            | (state @ S::Proceeding(Provisional::Sent(_)), I::Ack(_) | I::Timer(_))
            | (state @ S::Completed { g: None, .. }, I::Timer(Timer::G))
            | (
                state @ S::Completed { .. },
                I::Provisional(_)
                | I::Success(_)
                | I::Failure(_)
                | I::Timer(Timer::Trying | Timer::I | Timer::L),
            )
            | (
                state @ S::Confirmed { .. },
                I::Invite
                | I::Ack(_)
                | I::TransportError
                | I::Provisional(_)
                | I::Success(_)
                | I::Failure(_)
                | I::Timer(Timer::Trying | Timer::G | Timer::H | Timer::L),
            )
            | (
                state @ S::Accepted { .. },
                I::Invite
                | I::Provisional(_)
                | I::Failure(_)
                | I::Timer(Timer::Trying | Timer::G | Timer::H | Timer::I),
            )
            | (
                state @ S::Terminated,
                I::Invite
                | I::Ack(_)
                | I::TransportError
                | I::Provisional(_)
                | I::Success(_)
                | I::Failure(_)
                | I::Timer(_),
            ) => state,
        };
        if mem::discriminant(&self.state) != before {
            self.since = now;
        }
    }

    /// 17.2.1: G on an unreliable transport, H on every one.
    fn complete(
        &self,
        now: Time,
        response: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        out.push(Action::Transmit(response.clone()));
        let g = match self.reliability {
            Reliability::Unreliable => Backoff::start(now, self.timers.t1),
            Reliability::Reliable => None,
        };
        State::Completed {
            response,
            g,
            h: now + self.timers.t1x64(),
        }
    }
}

fn terminate(out: &mut (impl Sink<Action> + ?Sized)) -> State {
    out.push(Action::Terminated);
    State::Terminated
}

impl Machine for InviteServer {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let input = match event {
            Event::Invite => Input::Invite,
            Event::Ack(ack) => Input::Ack(ack),
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
        let input = match status.class() {
            1 => Input::Provisional(bytes),
            2 => Input::Success(bytes),
            _ => Input::Failure(bytes),
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
            State::Proceeding(Provisional::Due { trying, .. }) => rebase(trying, from, to),
            State::Completed { g, h, .. } => {
                if let Some(g) = g {
                    g.rebase(from, to);
                }
                rebase(h, from, to);
            }
            State::Confirmed { i } => rebase(i, from, to),
            State::Accepted { l } => rebase(l, from, to),
            State::Proceeding(Provisional::Sent(_)) | State::Terminated => {}
        }
    }
}

impl Leaf for InviteServer {
    /// The 100, late; a failure; and with a T1 of zero the end of the wait for its ACK, told and
    /// done. Otherwise two.
    const MAX_ACTIONS: usize = 4;
}

#[cfg(test)]
mod tests;

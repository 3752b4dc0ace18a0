//! Calls: the INVITE usage of dialogs (RFC 3261 §13, §14, §15), both sides of it.
//!
//! A call is a machine above transactions and below its user. As a caller it owns a request
//! template and a list of attempts, each of which can make a set of dialogs, its legs; the first
//! 2xx wins, the others are acknowledged and hung up. As a callee it repeats its 2xx until the
//! ACK comes. Which transaction carries what is its owner's matter: requests of this side are
//! named by [`RequestId`], those of the other side by [`ServerId`].
//!
//! ```text
//!   place                                     INVITE
//!     |                                         |
//!     V          2xx: ACK                       V
//! +----------+                            +----------+  answer: 2xx
//! | Inviting |--------------+       +-----| Incoming |
//! +----------+              V       V     +----------+
//!   | 300-699, silence,   +-----------+        | reject, CANCEL: 487, BYE: 487,
//!   | cancelled           | Confirmed |        | nobody answers: 480
//!   |        BYE of the   +-----------+        |
//!   |        other side     |       | BYE of this side: hung up, no ACK, dialog lost
//!   |                       |       V          |
//!   |                       |  +---------+     |
//!   |                       |  | Leaving |     |
//!   |                       |  +---------+     |
//!   |                       V       V its end  |
//!   |                       +-----------+      |
//!   +---------------------->| Lingering |<-----+
//!                           +-----------+
//!                                  | no INVITE of this side can be answered any more,
//!                                  V every BYE has been
//!                           +------------+
//!                           | Terminated |
//!                           +------------+
//! ```

mod callee;
mod caller;
pub mod failure;
mod leg;
mod notice;
pub mod offer_answer;
pub mod reliable;
mod session;
pub mod session_timer;
#[cfg(test)]
mod tests;
mod timer;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use smallvec::SmallVec;

pub use caller::Invitation;
pub use notice::{EndReason, Notice, Side};
pub use timer::Timer;

use crate::dialog::{Dialog, Phase};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::{
    Body, Draft, HeaderList, Method, Name, Outgoing, Reply, Request, Response, StatusCode,
};
use crate::seed::{Ids, Token};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::{Failure, Timers};
use callee::Incoming;
use caller::Inviting;
use leg::{Leg, LegState};
use session::Session;

/// Names a request of this side within its call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(u32);

/// The owner's name for the server transaction of a request of the other side.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub u64);

/// What all calls of an owner share.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Context {
    /// Makes branches and delays.
    pub ids: Ids,
    /// T1, T2 and T4.
    pub timers: Timers,
    /// Bounds.
    pub limits: Limits,
    /// Header lines that say what this side can do (Allow, Supported, User-Agent, …): sent with
    /// INVITE and its 2xx.
    pub capabilities: HeaderList,
}

/// What the floor below tells a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A response to a request of this side.
    Response {
        /// Which request.
        request: RequestId,
        /// The response.
        response: Response,
    },
    /// A request of this side failed without a response.
    Failed {
        /// Which request.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// The client transaction of an INVITE is gone: no response to it can come any more.
    Gone {
        /// Which INVITE.
        request: RequestId,
    },
    /// A request of the other side within a dialog of this call, other than ACK and CANCEL.
    Request {
        /// Its server transaction.
        server: ServerId,
        /// The request.
        request: Request,
        /// Host, port and parameters for a Contact that answers it, as in
        /// [`Call::incoming`].
        host: Bytes,
    },
    /// A CANCEL for an INVITE that has no final response yet. It is answered already.
    Cancel {
        /// The server transaction of the INVITE.
        server: ServerId,
        /// The CANCEL.
        cancel: Request,
    },
    /// An ACK within a dialog of this call, for a 2xx.
    Ack {
        /// The ACK.
        ack: Request,
    },
}

/// What its user tells a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Callee: a provisional response, 101-199. 180 rings.
    Progress {
        /// The status.
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// Accept the INVITE or re-INVITE of the other side.
    Answer(Outgoing),
    /// Refuse the INVITE or re-INVITE of the other side, 300-699.
    Reject {
        /// The status.
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// Send the ACK that carries the answer to the offer in a 2xx.
    Acknowledge(Outgoing),
    /// End the call, whatever state it is in: cancel, refuse with 480, or BYE. It waits where the
    /// RFC says so: CANCEL for a provisional response (9.1), a callee's BYE for the ACK (§15). A
    /// CANCEL takes the headers only.
    HangUp(Outgoing),
    /// Send a re-INVITE (§14.1).
    Update(Outgoing),
    /// Send another request within the dialog.
    Request {
        /// A method other than INVITE, ACK, CANCEL and BYE.
        method: String,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// Answer a request that [`Notice::Request`] brought.
    Respond {
        /// Which request.
        server: ServerId,
        /// 200-699.
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
}

/// What a call wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "a message travels by value: no allocation"
)]
pub enum Action {
    /// Send an INVITE in a client transaction of its own, and report on it until
    /// [`Event::Gone`].
    Invite {
        /// To report on it.
        request: RequestId,
        /// The INVITE.
        draft: Draft,
    },
    /// Send another request in a client transaction of its own.
    Request {
        /// To report on it.
        request: RequestId,
        /// The request.
        draft: Draft,
    },
    /// Send the ACK for a 2xx, outside any transaction (13.2.2.4).
    Ack {
        /// The ACK.
        draft: Draft,
    },
    /// Cancel an INVITE of this side as soon as that is allowed.
    Cancel {
        /// Which INVITE.
        request: RequestId,
        /// What goes with the CANCEL.
        headers: HeaderList,
    },
    /// Respond in the server transaction.
    Respond {
        /// Which one.
        server: ServerId,
        /// The status in the bytes.
        status: StatusCode,
        /// The whole response.
        bytes: Bytes,
    },
    /// Tell the user.
    Notify(Notice),
    /// An event changed nothing: count it.
    Absorbed,
    /// The last action: the resources are free.
    Terminated,
}

/// A call, from its INVITE to the end of the last transaction that can still bring something.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    core: Core,
    state: State,
}

/// What a call has in every state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Core {
    context: Arc<Context>,
    since: Time,
    branch_base: u64,
    branches: u32,
    requests: u32,
    /// INVITEs of this side whose transaction is alive.
    invites: SmallVec<[RequestId; 2]>,
    /// The dialogs. Once one is confirmed, the first is the one that the user talks on.
    legs: SmallVec<[Leg; 1]>,
    /// Requests of the other side that the user has not answered.
    pending: Vec<Pending>,
    /// The user part of this side's Contact.
    user: Box<[u8]>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Pending {
    server: ServerId,
    reply: Reply,
    until: Option<Time>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// The INVITE of this side has no final response.
    Inviting(Box<Inviting>),
    /// The INVITE of the other side has none.
    Incoming(Box<Incoming>),
    /// A dialog is confirmed. While the BYE of this side is out on it, it is Leaving.
    Confirmed(Session),
    /// The user heard [`Notice::Ended`].
    Lingering,
    Terminated,
}

/// All that can happen, for the table.
#[allow(
    clippy::large_enum_variant,
    reason = "a message travels by value: no allocation"
)]
enum Input {
    Event(Event),
    Command(Command),
    Timer(Timer),
}

impl Call {
    /// Whether a request with these tags is within a dialog of this call. One place decides who
    /// gets a 481 (12.2.2): the owner, by asking this.
    ///
    /// A peer of RFC 2543 has no tag (12.1).
    pub fn has_dialog(&self, remote_tag: Option<&str>) -> bool {
        self.core.legs.iter().any(|leg| {
            !matches!(leg.state, LegState::Left) && leg.dialog.remote_tag() == remote_tag
        })
    }

    /// Takes the CSeq of a request that its owner refuses before the call hears of it: that
    /// counts all the same. Otherwise says what refuses it first (12.2.2).
    pub(crate) fn take_cseq(&mut self, request: &Request) -> Result<(), StatusCode> {
        self.core.take_cseq(request)
    }

    /// The dialog that the user talks on, or the first early one.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.core.dialog()
    }

    /// The name of the state, as in the figure above.
    pub fn state(&self) -> &'static str {
        match &self.state {
            State::Inviting(_) => "Inviting",
            State::Incoming(_) => "Incoming",
            State::Confirmed(_) if self.core.is_leaving() => "Leaving",
            State::Confirmed(_) => "Confirmed",
            State::Lingering => "Lingering",
            State::Terminated => "Terminated",
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        timer::next(&self.core, &self.state)
    }

    /// The figure as a table.
    fn step(
        &mut self,
        now: Time,
        input: Input,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let before = self.state();
        let state = mem::replace(&mut self.state, State::Terminated);
        let core = &mut self.core;
        let (state, result) = match (state, input) {
            (State::Inviting(state), Input::Event(event)) => {
                (state.receive(core, now, event, out), Ok(()))
            }
            (State::Inviting(state), Input::Command(command)) => {
                state.command(core, now, command, out)
            }
            (State::Inviting(state), Input::Timer(timer)) => {
                (state.on_timer(core, timer, out), Ok(()))
            }
            (State::Incoming(state), Input::Event(event)) => {
                (state.receive(core, now, event, out), Ok(()))
            }
            (State::Incoming(state), Input::Command(command)) => {
                state.command(core, now, command, out)
            }
            (State::Incoming(state), Input::Timer(timer)) => {
                (state.on_timer(core, now, timer, out), Ok(()))
            }
            (State::Confirmed(state), Input::Event(event)) => {
                (state.receive(core, now, event, out), Ok(()))
            }
            (State::Confirmed(state), Input::Command(command)) => {
                state.command(core, now, command, out)
            }
            (State::Confirmed(state), Input::Timer(timer)) => {
                (state.on_timer(core, now, timer, out), Ok(()))
            }
            (State::Lingering, Input::Event(event)) => {
                core.linger(event, out);
                (State::Lingering, Ok(()))
            }
            (State::Terminated, Input::Event(_)) => {
                // L9: absorbed; the owner frees it and hears nothing more.
                (State::Terminated, Ok(()))
            }
            // L10: a verb on what has ended is harmless.
            (
                state @ (State::Lingering | State::Terminated),
                Input::Command(_) | Input::Timer(_),
            ) => (state, Ok(())),
        };
        self.state = state;
        if matches!(self.state, State::Lingering) && self.core.is_done() {
            self.state = State::Terminated;
            out.push(Action::Terminated);
        }
        if self.state() != before {
            self.core.since = now;
        }
        result
    }
}

impl Machine for Call {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.core.since);
        self.on_deadline(now, out);
        // Only a command can be a misuse.
        let _ = self.step(now, Input::Event(event), out);
        // A wait of zero is over in the call that began it.
        self.on_deadline(now, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = now.max(self.core.since);
        self.on_deadline(now, out);
        let result = self.step(now, Input::Command(command), out);
        self.on_deadline(now, out);
        result
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.core.since);
        while let Some(timer) = timer::due(&self.core, &self.state, now) {
            let _ = self.step(now, Input::Timer(timer), out);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.next_timer().map(|(at, _)| at)
    }

    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn rebase(&mut self, from: Time, to: Time) {
        timer::rebase_all(&mut self.core, &mut self.state, from, to);
    }
}

impl Core {
    fn new(context: Arc<Context>, now: Time, branch_base: u64, user: Box<[u8]>) -> Self {
        Self {
            context,
            since: now,
            branch_base,
            branches: 0,
            requests: 0,
            invites: SmallVec::new(),
            legs: SmallVec::new(),
            pending: Vec::new(),
            user,
        }
    }

    fn dialog(&self) -> Option<&Dialog> {
        self.legs.first().map(|leg| &leg.dialog)
    }

    fn is_done(&self) -> bool {
        self.invites.is_empty() && !self.legs.iter().any(Leg::is_leaving)
    }

    fn new_branch(&mut self) -> Token {
        self.branches = self.branches.wrapping_add(1);
        self.context
            .ids
            .branch(self.branch_base, u64::from(self.branches))
    }

    fn new_request(&mut self) -> RequestId {
        self.requests = self.requests.wrapping_add(1);
        RequestId(self.requests)
    }

    /// After [`Notice::Ended`]: what an INVITE or a BYE still brings.
    fn linger(&mut self, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        match event {
            Event::Response { request, response } if self.invites.contains(&request) => {
                if response.status().is_success() {
                    // 13.2.2.4: every 2xx is acknowledged, and nobody wants this one.
                    self.repeat_or_drop(request, response, out);
                } else {
                    out.push(Action::Absorbed);
                }
            }
            Event::Response { request, response } => {
                if !response.status().is_final() || !self.left(request) {
                    out.push(Action::Absorbed);
                }
            }
            Event::Failed { request, .. } => {
                if !self.left(request) {
                    out.push(Action::Absorbed);
                }
            }
            Event::Gone { request } => self.gone(request),
            Event::Request {
                server,
                request,
                host: _,
            } => {
                // The owner asks has_dialog first; what comes all the same meets a BYE under way.
                let leaving = self.leg_of(&request).is_some_and(Leg::is_leaving);
                let status = match request.method() == Method::Bye && leaving {
                    true => StatusCode::OK,
                    false => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                };
                self.refuse(server, &Reply::new(&request), status, out);
            }
            Event::Cancel { .. } | Event::Ack { .. } => out.push(Action::Absorbed),
        }
    }

    /// The transaction of an INVITE of this side is gone: so are the legs that only it could
    /// feed.
    fn gone(&mut self, request: RequestId) {
        self.invites.retain(|id| *id != request);
        for leg in &mut self.legs {
            leg.forget_ack(request);
        }
        self.prune();
    }

    /// Without a live INVITE of this side, a fork that is not bound has nothing to wait for.
    fn prune(&mut self) {
        if self.invites.is_empty() {
            let mut first = true;
            self.legs.retain(|leg| {
                mem::take(&mut first) || !matches!(leg.state, LegState::Early | LegState::Left)
            });
            self.legs.shrink_to_fit();
            self.invites.shrink_to_fit();
        }
    }

    /// A BYE has had its answer, or will have none. Returns whether it was one.
    fn left(&mut self, bye: RequestId) -> bool {
        let leaving = LegState::Leaving { bye };
        let leg = self.legs.iter_mut().find(|leg| leg.state == leaving);
        let was_one = leg.map(|leg| leg.state = LegState::Left).is_some();
        self.prune();
        was_one
    }

    /// The leg of a request of the other side.
    fn leg_of(&self, request: &Request) -> Option<&Leg> {
        let at = self.find_leg(request.from_tag())?;
        self.legs.get(at)
    }

    /// The BYE of this side is out on the leg that the user talks on.
    fn is_leaving(&self) -> bool {
        self.legs.first().is_some_and(Leg::is_leaving)
    }

    /// The leg that the user talks on owes nothing and is not being left.
    fn is_talking(&self) -> bool {
        let state = self.legs.first().map(|leg| &leg.state);
        state == Some(&LegState::Confirmed)
    }

    /// The leg of a response, by its To tag; made if the response makes a dialog.
    fn find_leg(&self, tag: Option<&str>) -> Option<usize> {
        self.legs
            .iter()
            .position(|leg| leg.dialog.remote_tag() == tag)
    }

    /// A 2xx to an INVITE whose call has gone another way or is over: its ACK again, or ACK and
    /// BYE. Returns the response if it was of a new leg.
    fn repeat_or_drop(
        &mut self,
        invite: RequestId,
        response: Response,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<Response> {
        let found = self.find_leg(response.to_tag());
        let cseq = response.cseq().number;
        if let Some((at, leg)) = found.and_then(|at| Some((at, self.legs.get(at)?))) {
            if let Some(ack) = leg.ack_of(invite) {
                out.push(Action::Ack { draft: ack.clone() });
                return None;
            }
            if matches!(leg.state, LegState::AwaitingAnswer { .. }) {
                // The user still owes the answer that the ACK carries.
                out.push(Action::Absorbed);
                return None;
            }
            if leg.dialog.phase() == Phase::Confirmed {
                // To a re-INVITE that was overtaken by a BYE: it wants its ACK all the same.
                self.send_ack(at, invite, cseq, &Outgoing::default(), out);
                return None;
            }
        }
        let Some(at) = found.or_else(|| self.fork_from(&response)) else {
            // Every place is bound: the other side's BYE after 64*T1 is what is left.
            out.push(Action::Absorbed);
            return None;
        };
        if let Some(leg) = self.legs.get_mut(at) {
            leg.dialog.confirm(&response);
        }
        self.ack(at, invite, cseq, &Outgoing::default(), out);
        self.bye(at, &Outgoing::default(), out);
        Some(response)
    }

    /// A dialog for a fork first heard of now, taken after the call's own.
    fn fork_from(&mut self, response: &Response) -> Option<usize> {
        if self.legs.len() >= self.context.limits.forks {
            // Room for what must be acknowledged: a leg that has said nothing binding goes.
            let early = self
                .legs
                .iter()
                .position(|leg| leg.state == LegState::Early)?;
            self.legs.remove(early);
        }
        let sibling = &self.legs.first()?.dialog;
        // A fork without a Contact is reached by its To, if at all: never at its sibling.
        let to = response.to().uri();
        let origin = crate::dialog::Origin {
            call_id: sibling.call_id().as_bytes(),
            from: sibling.local(),
            uri: to.as_bytes(),
            cseq: response.cseq().number,
            secure: sibling.is_secure(),
        };
        let dialog = Dialog::uac(origin, response);
        self.legs.push(Leg::new(dialog));
        self.legs.len().checked_sub(1)
    }

    /// The ACK that makes a leg one to talk on, if it is not being left already.
    fn ack(
        &mut self,
        at: usize,
        invite: RequestId,
        cseq: u32,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.send_ack(at, invite, cseq, outgoing, out);
        if let Some(leg) = self.legs.get_mut(at)
            && matches!(leg.state, LegState::Early | LegState::AwaitingAnswer { .. })
        {
            leg.state = LegState::Confirmed;
        }
    }

    /// The ACK that the user still owes, without an answer: 13.2.2.4 wants it before anything
    /// ends the dialog.
    fn ack_owed(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        let owed = self.legs.first().map(|leg| leg.state.clone());
        if let Some(LegState::AwaitingAnswer { invite, cseq, .. }) = owed {
            self.ack(0, invite, cseq, &Outgoing::default(), out);
        }
    }

    /// The ACK for a 2xx, kept for its copies.
    fn send_ack(
        &mut self,
        at: usize,
        invite: RequestId,
        cseq: u32,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let branch = self.new_branch();
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let draft = leg
            .dialog
            .request(Method::Ack, cseq)
            .headers(&outgoing.headers)
            .body(outgoing.body.as_ref())
            .draft(branch, None);
        out.push(Action::Ack {
            draft: draft.clone(),
        });
        if self.invites.contains(&invite) {
            leg.keep_ack(invite, draft);
        }
    }

    fn bye(&mut self, at: usize, outgoing: &Outgoing, out: &mut (impl Sink<Action> + ?Sized)) {
        if let Some(bye) = self.request(at, Method::Bye, outgoing, out)
            && let Some(leg) = self.legs.get_mut(at)
        {
            leg.state = LegState::Leaving { bye };
        }
    }

    /// What this side can do, but for what the application says itself, and that.
    fn with_capabilities(&self, own: &HeaderList) -> HeaderList {
        let mut headers = HeaderList::new();
        for (name, text, value) in self.context.capabilities.iter() {
            let said = own.iter().any(|(other, spelled, _)| {
                other == name && (name != Name::Other || spelled.eq_ignore_ascii_case(text))
            });
            if !said {
                // It was well-formed when it was pushed.
                let _ = headers.push(core::str::from_utf8(text).unwrap_or_default(), value);
            }
        }
        headers.extend(own);
        headers
    }

    /// The user part of Contact in an INVITE of this side, unless the application gives its own
    /// Contact (8.1.1.8: exactly one).
    fn contact_user(&self, own: &HeaderList) -> Option<&[u8]> {
        (!own.contains(Name::Contact)).then_some(&*self.user)
    }

    /// A request within a dialog, other than INVITE and ACK.
    fn request(
        &mut self,
        at: usize,
        method: Method<'_>,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<RequestId> {
        let branch = self.new_branch();
        let request = self.new_request();
        let cseq = self.legs.get_mut(at)?.dialog.next_cseq();
        let user = match refreshes_target(method) {
            true => self.contact_user(&outgoing.headers),
            false => None,
        };
        let dialog = &self.legs.get(at)?.dialog;
        let draft = dialog
            .request(method, cseq)
            .headers(&outgoing.headers)
            .body(outgoing.body.as_ref())
            .draft(branch, user);
        out.push(Action::Request { request, draft });
        Some(request)
    }

    /// A final response without anything from the user.
    fn refuse(
        &self,
        server: ServerId,
        reply: &Reply,
        status: StatusCode,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.respond(server, reply, status, &HeaderList::new(), None, out);
    }

    fn respond(
        &self,
        server: ServerId,
        reply: &Reply,
        status: StatusCode,
        headers: &HeaderList,
        body: Option<&Body>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let tag = self.legs.first().map(|leg| leg.dialog.local_tag());
        let bytes = reply.write(status, None, tag, headers, body);
        out.push(Action::Respond {
            server,
            status,
            bytes,
        });
    }

    /// A request of the other side that is the user's to answer.
    fn hand_over(
        &mut self,
        now: Time,
        server: ServerId,
        request: Request,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let reply = Reply::new(&request);
        if self.pending.len() >= self.context.limits.pending_requests {
            self.refuse(server, &reply, StatusCode::SERVICE_UNAVAILABLE, out);
            return;
        }
        let until = now + self.context.limits.request_wait;
        self.pending.push(Pending {
            server,
            reply,
            until,
        });
        out.push(Action::Notify(Notice::Request { server, request }));
    }

    /// [`Command::Respond`].
    fn respond_pending(
        &mut self,
        server: ServerId,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(outgoing)?;
        if !status.is_final() {
            // 4320 4.1: 100 is the transaction's, and nothing else is allowed.
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        let Some(at) = self.pending.iter().position(|p| p.server == server) else {
            return Ok(());
        };
        let pending = self.pending.remove(at);
        let body = outgoing.body.as_ref();
        self.respond(server, &pending.reply, status, &outgoing.headers, body, out);
        self.shrink_pending();
        Ok(())
    }

    /// The user took too long: 500, never 408 (4320 4.2).
    fn expire_pending(&mut self, server: ServerId, out: &mut (impl Sink<Action> + ?Sized)) {
        if let Some(at) = self.pending.iter().position(|p| p.server == server) {
            let pending = self.pending.remove(at);
            self.refuse(
                server,
                &pending.reply,
                StatusCode::SERVER_INTERNAL_ERROR,
                out,
            );
            self.shrink_pending();
        }
    }

    fn shrink_pending(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// Ends the call for its user. What the other side still waits for is answered 487
    /// (15.1.2).
    fn end(&mut self, reason: EndReason, out: &mut (impl Sink<Action> + ?Sized)) -> State {
        for pending in mem::take(&mut self.pending) {
            self.refuse(
                pending.server,
                &pending.reply,
                StatusCode::REQUEST_TERMINATED,
                out,
            );
        }
        for leg in &mut self.legs {
            // What is not leaving by a BYE of this side has no dialog any more.
            if !leg.is_leaving() {
                leg.state = LegState::Left;
            }
        }
        out.push(Action::Notify(Notice::Ended { reason }));
        State::Lingering
    }
}

/// Requests besides INVITE that carry a Contact (12.2.1.1): UPDATE (RFC 3311 5.1), and those of
/// the usages that share the dialog (RFC 6665 4.1.2, 4.2.2; RFC 3515 2.2).
fn refreshes_target(method: Method<'_>) -> bool {
    matches!(
        method,
        Method::Update | Method::Subscribe | Method::Notify | Method::Refer
    )
}

/// An application's headers must not be the core's.
fn check(outgoing: &Outgoing) -> Result<(), Misuse> {
    match outgoing.reserved() {
        Some(name) => Err(Misuse::ReservedHeader {
            name: name.as_str(),
        }),
        None => Ok(()),
    }
}

fn wrong_state(verb: &'static str, state: &'static str) -> Misuse {
    Misuse::WrongState { verb, state }
}

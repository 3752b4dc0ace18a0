//! A request outside of any dialog other than INVITE: the UAC of 8.1, with credentials, redirection
//! and what else of a refusal can be mended. It makes no dialog.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use super::course::{Again, Course};
use super::{
    Action, Call, Command, Context, Core, EndReason, Event, Invitation, Notice, RequestId, State,
    check, refreshes_target, wrong_state,
};
use crate::auth;
use crate::dialog::{as_request_uri, routed};
use crate::error::Misuse;
use crate::message::{Method, Response, StatusCode};
use crate::seed::CallIds;
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;

/// The request of this side is out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Asking {
    method: String,
    course: Course,
    call_id: Box<[u8]>,
    /// The From value, tag included.
    from: Box<[u8]>,
    request: RequestId,
    cseq: u32,
    credentials: auth::Attempt,
}

impl Call {
    /// Sends a request outside of any dialog, such as MESSAGE or OPTIONS. Its user hears
    /// [`Notice::Response`] for each provisional response, and [`Notice::Ended`] with
    /// [`EndReason::Completed`] for a 2xx. `ids` are those of an ordinal that was not used before.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`] if it has a header that the core writes, or
    /// [`Misuse::Malformed`] for INVITE, ACK, CANCEL, BYE, PRACK and UPDATE.
    pub fn ask(
        now: Time,
        context: Arc<Context>,
        ids: &CallIds,
        method: &str,
        invitation: Invitation,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<Self, Misuse> {
        check(invitation.outgoing())?;
        let malformed = Misuse::Malformed { what: "method" };
        let parsed = Method::parse(method.as_bytes()).map_err(|_| malformed)?;
        if matches!(
            parsed,
            Method::Invite
                | Method::Ack
                | Method::Cancel
                | Method::Bye
                | Method::Prack
                | Method::Update
        ) {
            return Err(malformed);
        }
        let base = Some(ids.branch_base);
        let mut core = Core::new(context, now, base, invitation.user());
        core.owns_call_id = true;
        let tag = ids.from_tag.as_str().as_bytes();
        let mut state = Asking {
            method: method.into(),
            call_id: ids.call_id.as_str().as_bytes().into(),
            from: [&invitation.from, b";tag=".as_slice(), tag].concat().into(),
            course: Course::new(invitation),
            request: RequestId(0),
            cseq: 1,
            credentials: auth::Attempt::new(),
        };
        state.send(&mut core, out);
        let state = State::Asking(Box::new(state));
        Ok(Self::new(core, state))
    }
}

impl Asking {
    /// 8.1.1.
    fn send(&mut self, core: &mut Core, out: &mut (impl Sink<Action> + ?Sized)) {
        let method = Method::parse(self.method.as_bytes()).unwrap_or(Method::Other(""));
        let branch = core.new_branch();
        let request = core.new_request();
        let template = &self.course.template;
        let target = as_request_uri(template.target());
        let outgoing = template.outgoing();
        let headers = core.with_capabilities(&outgoing.headers);
        let mut headers = core.with_timer_tag(headers);
        let body = outgoing.body.as_ref();
        let routes = template.routes.iter().map(AsRef::as_ref);
        let writer = routed(method, &target, routes);
        core.authorize(
            &mut self.credentials,
            method,
            writer.uri(),
            body,
            &mut headers,
        );
        // RFC 3428 4: no Contact where no dialog can come of it.
        let user = core
            .contact_user(&headers)
            .filter(|_| refreshes_target(method));
        let draft = writer
            .secure(template.is_secure())
            .from(&self.from)
            .to(&template.to)
            .call_id(&self.call_id)
            .cseq(self.cseq)
            .headers(&headers)
            .body(body)
            .draft(branch, user, &core.context.origin);
        self.request = request;
        out.push(Action::Request { request, draft });
    }

    pub(super) fn receive(
        self: Box<Self>,
        core: &mut Core,
        event: Event,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match event {
            Event::Response { request, response } if request == self.request => {
                self.on_response(core, response, out)
            }
            Event::Failed { request, failure } if request == self.request => {
                self.on_failed(core, failure, out)
            }
            // 12.2.2: there is no dialog that it could be within. Its owner asks first.
            Event::Request { server, reply, .. } => {
                let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                core.refuse(server, &reply, status, out);
                State::Asking(self)
            }
            Event::Response { .. }
            | Event::Failed { .. }
            | Event::Gone { .. }
            | Event::Rerouted { .. }
            | Event::Cancel { .. }
            | Event::Ack { .. }
            | Event::Settled { .. } => {
                out.push(Action::Absorbed);
                State::Asking(self)
            }
        }
    }

    /// 8.1.3.
    fn on_response(
        mut self: Box<Self>,
        core: &mut Core,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let status = response.status();
        if status.is_provisional() {
            let request = self.request;
            out.push(Action::Notify(Notice::Response { request, response }));
            return State::Asking(self);
        }
        core.is_authorized(&self.credentials, &response);
        if status.is_success() {
            return core.end(EndReason::Completed { response }, out);
        }
        // 22.2.
        if core.is_challenged(&mut self.credentials, &response) {
            return self.send_again(core, out);
        }
        match self.course.again(core, &response) {
            Some(again) => self.go_again(core, again, out),
            None => core.end(EndReason::Refused { response }, out),
        }
    }

    /// 8.1.3.1, 8.1.3.4: silence, and a transport that cannot send, are failures of this target
    /// only.
    fn on_failed(
        mut self: Box<Self>,
        core: &mut Core,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match self.course.next_target() {
            true => self.go_again(core, Again::Elsewhere(None), out),
            false => core.end(EndReason::Failed(failure), out),
        }
    }

    fn go_again(
        mut self: Box<Self>,
        core: &mut Core,
        again: Again,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let notice = match again {
            Again::Changed(response) => Notice::Retried { response },
            Again::Elsewhere(response) => {
                core.forget_server_credentials();
                self.credentials = auth::Attempt::new();
                let target = self.course.template.target().to_buf();
                Notice::Redirected { target, response }
            }
        };
        out.push(Action::Notify(notice));
        self.send_again(core, out)
    }

    /// 8.1.3.5: the same Call-ID, To and From, and the next CSeq.
    fn send_again(
        mut self: Box<Self>,
        core: &mut Core,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        self.cseq = self.cseq.saturating_add(1);
        self.send(core, out);
        State::Asking(self)
    }

    pub(super) fn command(
        self: Box<Self>,
        core: &mut Core,
        command: &Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        match command {
            // 9.1: nothing but an INVITE is cancelled. What still comes is of no concern.
            Command::HangUp(outgoing) => match check(outgoing) {
                Ok(()) => {
                    let reason = EndReason::Cancelled { timeout: false };
                    (core.end(reason, out), Ok(()))
                }
                Err(error) => (State::Asking(self), Err(error)),
            },
            Command::Progress { .. }
            | Command::Preview { .. }
            | Command::Reliable(_)
            | Command::SessionTimer(_)
            | Command::Answer(_)
            | Command::Reject { .. }
            | Command::Acknowledge(_)
            | Command::Prack { .. }
            | Command::Reinvite(_)
            | Command::CancelReinvite(_)
            | Command::Update { .. }
            | Command::Identify { .. }
            | Command::Request { .. }
            | Command::Respond { .. } => (
                State::Asking(self),
                Err(wrong_state("a call's verb", "Asking")),
            ),
        }
    }
}

//! Requests of this side within the dialog, other than INVITE and BYE: sent again when they are
//! challenged (RFC 3261 22.2), and what their failure ends (RFC 5057 5.1).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::Session;
use crate::auth;
use crate::call::failure::{Effect, Hold, Usage, effect, hold, stand_in, usage_of};
use crate::call::retries::retry_after;
use crate::call::{Action, Core, Notice, RequestId, State, check, refreshes_target, wrong_state};
use crate::dialog::contact_of;
use crate::error::Misuse;
use crate::message::{Method, Outgoing, Response};
use crate::sink::Sink;
use crate::transaction::Failure;

/// A request without final response.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sent {
    /// The user's name for it: that of its first try.
    request: RequestId,
    /// That of the try that is out.
    last: RequestId,
    method: String,
    /// What the user gave, for another try.
    outgoing: Outgoing,
    credentials: auth::Attempt,
}

impl Sent {
    fn method(&self) -> Method<'_> {
        Method::parse(self.method.as_bytes()).unwrap_or(Method::Other(""))
    }
}

impl Session {
    /// [`Command::Request`](crate::call::Command::Request).
    pub(super) fn request(
        &mut self,
        core: &mut Core,
        name: String,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(&outgoing)?;
        let malformed = Misuse::Malformed { what: "method" };
        let method = Method::parse(name.as_bytes()).map_err(|_| malformed)?;
        if matches!(
            method,
            Method::Invite
                | Method::Ack
                | Method::Cancel
                | Method::Bye
                | Method::Prack
                | Method::Update
        ) {
            return Err(malformed);
        }
        if !core.is_talking() {
            return Err(wrong_state(
                "request",
                "Confirmed, with a BYE or an answer in progress",
            ));
        }
        let mut credentials = auth::Attempt::new();
        if let Some(request) = core.request(0, method, &outgoing, &mut credentials, out) {
            self.requests.push(Sent {
                request,
                last: request,
                method: name,
                outgoing,
                credentials,
            });
        }
        Ok(())
    }

    pub(super) fn on_request_response(
        mut self,
        core: &mut Core,
        request: RequestId,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let Some(at) = self.requests.iter().position(|sent| sent.last == request) else {
            out.push(Action::Absorbed);
            return State::Confirmed(self);
        };
        if !response.status().is_final() {
            let request = self.requests.get(at).map_or(request, |sent| sent.request);
            out.push(Action::Notify(Notice::Response { request, response }));
            return State::Confirmed(self);
        }
        let mut sent = self.take_sent(at);
        core.is_authorized(&sent.credentials, &response);
        // 22.2: nothing more is sent within a dialog that is being left.
        if core.is_talking() && core.is_challenged(&mut sent.credentials, &response) {
            let method = Method::parse(sent.method.as_bytes()).unwrap_or(Method::Other(""));
            let again = core.request(0, method, &sent.outgoing, &mut sent.credentials, out);
            if let Some(last) = again {
                sent.last = last;
                self.requests.push(sent);
                return State::Confirmed(self);
            }
        }
        let lost = ends_session(sent.method(), &response).then(|| response.clone());
        let request = sent.request;
        if response.status().is_success() && refreshes_target(sent.method()) {
            // RFC 5057 5.4.
            core.accepted_contact(&sent.outgoing.headers);
            if let Some(contact) = contact_of(&response) {
                core.refresh_target(0, contact, out);
            }
        }
        out.push(Action::Notify(Notice::Response { request, response }));
        match lost {
            Some(response) => self.lose(core, Some(response), out),
            None => State::Confirmed(self),
        }
    }

    pub(super) fn on_request_failed(
        mut self,
        core: &mut Core,
        request: RequestId,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let Some(at) = self.requests.iter().position(|sent| sent.last == request) else {
            out.push(Action::Absorbed);
            return State::Confirmed(self);
        };
        let sent = self.take_sent(at);
        let request = sent.request;
        out.push(Action::Notify(Notice::RequestFailed { request, failure }));
        self.after_failure(core, sent.method(), failure, out)
    }

    /// 8.1.3.1: silence is a 408, and a transport that cannot send is a 503.
    pub(super) fn after_failure(
        self,
        core: &mut Core,
        method: Method<'_>,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match concerns_session(method, effect(method, stand_in(failure))) {
            true => self.lose(core, None, out),
            false => State::Confirmed(self),
        }
    }

    /// Takes out a request that is answered.
    fn take_sent(&mut self, at: usize) -> Sent {
        let sent = self.requests.swap_remove(at);
        if self.requests.is_empty() {
            // An idle call keeps nothing.
            self.requests = Vec::new();
        }
        sent
    }
}

/// Whether this response to a request of this side ends the session: RFC 5057 5.1, table 2.
pub(in crate::call) fn ends_session(method: Method<'_>, response: &Response) -> bool {
    let status = response.status();
    // Note 7: whoever says when to ask again has not lost the usage.
    let is_held = hold(status) == Some(Hold::Usage) && retry_after(response.message()).is_some();
    !is_held && concerns_session(method, effect(method, status))
}

fn concerns_session(method: Method<'_>, effect: Effect) -> bool {
    match effect {
        // 5.1, table 1: nothing in a dialog is redirected; the request has failed, no more.
        Effect::Transaction | Effect::Redirection => false,
        Effect::Usage => usage_of(method) == Some(Usage::Invite),
        Effect::Dialog => true,
    }
}

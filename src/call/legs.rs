//! The legs of a call: finding them, their ACKs and BYEs, and what late messages still bring.

use alloc::boxed::Box;
use core::mem;

use super::declined::declining;
use super::description::{describes, has_session};
use super::leg::{Leg, LegState};
use super::offer_answer::{Message, OfferAnswer, Verdict};
use super::{Action, Core, Event, RequestId};
use crate::auth::Attempt;
use crate::dialog::{Dialog, Origin, Phase};
use crate::message::{HeaderList, Method, Outgoing, Request, Response, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

impl Core {
    pub(super) fn is_done(&self) -> bool {
        self.invites.is_empty() && self.reliable.is_none() && !self.legs.iter().any(Leg::is_leaving)
    }

    /// After [`Notice::Ended`]: what an INVITE or a BYE still brings.
    pub(super) fn linger(
        &mut self,
        now: Time,
        event: Event,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        match event {
            Event::Response { request, response } if self.invites.contains(&request) => {
                if response.status().is_final() {
                    self.unanswered = self.unanswered.filter(|id| *id != request);
                }
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
                reply,
                ..
            } if request.method() == Method::Prack => {
                // The user has heard the end: nothing more is said to it, or asked of it.
                let mut quiet = |action| {
                    if !matches!(action, Action::Notify(_)) {
                        out.push(action);
                    }
                };
                self.on_prack(now, server, (request, reply), &mut quiet);
                self.terminate_pending(out);
            }
            Event::Request {
                server,
                request,
                host: _,
                reply,
            } => {
                // The owner asks has_dialog first; what comes all the same meets a BYE under way.
                let leaving = self.leg_of(&request).is_some_and(Leg::is_leaving);
                let status = match request.method() == Method::Bye && leaving {
                    true => StatusCode::OK,
                    false => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                };
                self.refuse(server, &reply, status, out);
            }
            Event::Cancel { .. }
            | Event::Ack { .. }
            | Event::Settled { .. }
            | Event::Rerouted { .. } => {
                out.push(Action::Absorbed);
            }
        }
    }

    /// §9.1. From then on the client transaction knows how long to wait.
    pub(super) fn cancel_unanswered(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        if let Some(request) = self.unanswered.take() {
            let headers = self.with_timer_tag(HeaderList::new());
            out.push(Action::Cancel { request, headers });
        }
    }

    /// The transaction of an INVITE of this side is gone: so are the legs that only it could
    /// feed.
    pub(super) fn gone(&mut self, request: RequestId) {
        self.invites.retain(|id| *id != request);
        self.unanswered = self.unanswered.filter(|id| *id != request);
        self.forget_credentials(request);
        for leg in &mut self.legs {
            leg.forget_ack(request);
        }
        self.prune();
    }

    /// Without a live INVITE of this side, a fork that is not bound has nothing to wait for.
    pub(super) fn prune(&mut self) {
        if self.invites.is_empty() {
            let mut first = true;
            self.legs.retain(|leg| {
                let waits = matches!(
                    leg.state,
                    LegState::Early | LegState::HungUp { .. } | LegState::Left
                );
                mem::take(&mut first) || !waits
            });
            self.legs.shrink_to_fit();
            self.invites.shrink_to_fit();
        }
    }

    /// A BYE has had its answer, or will have none. Returns whether it was one.
    pub(super) fn left(&mut self, bye: RequestId) -> bool {
        let leaving = LegState::Leaving { bye };
        let leg = self.legs.iter_mut().find(|leg| leg.state == leaving);
        let was_one = leg.map(|leg| leg.state = LegState::Left).is_some();
        self.prune();
        was_one
    }

    /// The leg of a request of the other side.
    pub(super) fn leg_of(&self, request: &Request) -> Option<&Leg> {
        let at = self.find_leg(request.tag_of_from())?;
        self.legs.get(at)
    }

    /// The BYE of this side is out on the leg that the user talks on.
    pub(super) fn is_leaving(&self) -> bool {
        self.legs.first().is_some_and(Leg::is_leaving)
    }

    /// The leg that the user talks on owes nothing and is not being left.
    pub(super) fn is_talking(&self) -> bool {
        let state = self.legs.first().map(|leg| &leg.state);
        state == Some(&LegState::Confirmed)
    }

    /// The other side has ended an early dialog by BYE: nothing but a 2xx that it overtook, which
    /// wants its ACK, is taken from there any more.
    pub(super) fn hung_up(&mut self, bye: Box<Request>) {
        let at = self.find_leg(bye.tag_of_from());
        if let Some(leg) = at.and_then(|at| self.legs.get_mut(at))
            && leg.state == LegState::Early
        {
            leg.drop_rare();
            leg.state = LegState::HungUp { bye };
        }
    }

    /// The BYE that came before its 2xx, if one did: from then on the leg is like any that is gone.
    pub(super) fn take_hung_up(&mut self, at: usize) -> Option<Box<Request>> {
        let leg = self.legs.get_mut(at).filter(|leg| leg.is_hung_up())?;
        if let LegState::HungUp { bye } = mem::replace(&mut leg.state, LegState::Left) {
            return Some(bye);
        }
        None
    }

    /// The leg of a response, by its To tag; made if the response makes a dialog.
    pub(super) fn find_leg(&self, tag: Option<&[u8]>) -> Option<usize> {
        self.legs.iter().position(|leg| leg.dialog.is_with(tag))
    }

    /// A 2xx to an INVITE whose call has gone another way or is over: its ACK again, or ACK and
    /// BYE. Returns the response if it was of a new leg.
    pub(super) fn repeat_or_drop(
        &mut self,
        invite: RequestId,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<Box<Response>> {
        let found = self.find_leg(response.to_tag_bytes());
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
                let refusal = self.refusing_late(at, &response);
                self.send_ack(at, invite, cseq, &refusal, out);
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
        let refusal = self.refusing_late(at, &response);
        self.ack(at, invite, cseq, &refusal, out);
        if self.take_hung_up(at).is_some() {
            // The other side has ended it by itself.
            return None;
        }
        self.bye(at, &Outgoing::default(), &mut Attempt::new(), out);
        Some(response)
    }

    /// A dialog for a fork first heard of now, taken after the call's own.
    pub(super) fn fork_from(&mut self, response: &Response) -> Option<usize> {
        if self.legs.len() >= self.context.limits.forks {
            // Room for what must be acknowledged: a leg that has said nothing binding goes.
            let early = self
                .legs
                .iter()
                .position(|leg| leg.state == LegState::Early || leg.is_hung_up())?;
            self.legs.remove(early);
        }
        let sibling = &self.legs.first()?.dialog;
        // A fork without a Contact is reached by its To, if at all: never at its sibling.
        let to = response.to().uri();
        let origin = Origin {
            call_id: sibling.call_id().as_bytes(),
            from: self.first_from()?,
            uri: to.as_bytes(),
            cseq: response.cseq().number,
            secure: sibling.is_secure(),
        };
        let dialog = Dialog::uac(origin, response);
        let mut exchange = OfferAnswer::new();
        exchange.on_sent(Message::Invite, !self.asks);
        let leg = self.new_leg(dialog, exchange);
        self.legs.push(leg);
        self.legs.len().checked_sub(1)
    }

    /// The ACK that makes a leg one to talk on, if it is not being left already.
    pub(super) fn ack(
        &mut self,
        at: usize,
        invite: RequestId,
        cseq: u32,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.send_ack(at, invite, cseq, outgoing, out);
        let session = describes(outgoing, &self.context.limits);
        if let Some(leg) = self.legs.get_mut(at) {
            leg.exchange.on_sent(Message::Ack, session);
        }
        self.described(at, outgoing.body.as_ref());
        if let Some(leg) = self.legs.get_mut(at)
            && matches!(leg.state, LegState::Early | LegState::AwaitingAnswer { .. })
        {
            leg.state = LegState::Confirmed;
        }
    }

    /// The ACK that the user still owes, with an answer that refuses all: 13.2.2.4 wants it before
    /// anything ends the dialog. An offer that nobody here can read stays without.
    pub(super) fn ack_owed(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        let Some(leg) = self.legs.first_mut() else {
            return;
        };
        if let LegState::AwaitingAnswer { invite, cseq, .. } = leg.state {
            let body = leg.take_rare(|rare| &mut rare.declined);
            let headers = HeaderList::new();
            self.ack(0, invite, cseq, &Outgoing { headers, body }, out);
        }
    }

    /// What the ACK for a 2xx carries that nobody wants: the answer that refuses all, if it makes
    /// an offer (13.2.2.4).
    pub(super) fn refusing(&self, session: Verdict, success: &Response) -> Outgoing {
        let body = match session {
            Verdict::Offer => declining(success, &self.context.limits),
            Verdict::Nothing
            | Verdict::Answer
            | Verdict::Preview
            | Verdict::Missing
            | Verdict::Ignore
            | Verdict::Refuse(_) => None,
        };
        let headers = HeaderList::new();
        Outgoing { headers, body }
    }

    /// The same of one that comes when its call has gone another way.
    pub(super) fn refusing_late(&mut self, at: usize, success: &Response) -> Outgoing {
        let body = has_session(success, &self.context.limits);
        let leg = self.legs.get_mut(at);
        let session = leg.map(|leg| leg.exchange.on_received(Message::Success, body));
        self.refusing(session.unwrap_or(Verdict::Nothing), success)
    }

    /// The ACK for a 2xx, kept for its copies.
    pub(super) fn send_ack(
        &mut self,
        at: usize,
        invite: RequestId,
        cseq: u32,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let branch = self.new_branch();
        // 22.1: the credentials of the INVITE.
        let mut headers = outgoing.headers.clone();
        if let Some(lines) = self.credentials_of(invite) {
            headers.extend(lines);
        }
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let draft = leg
            .dialog
            .request(Method::Ack, cseq)
            .headers(&headers)
            .body(outgoing.body.as_ref())
            .draft(branch, None, &self.context.origin);
        out.push(Action::Ack {
            draft: draft.clone(),
        });
        if self.invites.contains(&invite) {
            leg.keep_ack(invite, draft);
        }
    }

    pub(super) fn bye(
        &mut self,
        at: usize,
        outgoing: &Outgoing,
        attempt: &mut Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(bye) = self.request(at, Method::Bye, outgoing, attempt, out)
            && let Some(leg) = self.legs.get_mut(at)
        {
            leg.state = LegState::Leaving { bye };
            // Over, and so are its timers.
            leg.drop_rare();
        }
    }
}

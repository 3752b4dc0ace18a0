//! Re-INVITE, both ways (§14).

use alloc::boxed::Box;

use bytes::Bytes;

use super::sent::ends_session;
use super::{Reinvite, Reoffer, Retry, Session, To, Unacked};
use crate::auth;
use crate::call::callee::Host;
use crate::call::caller::requires_nothing;
use crate::call::description::{describes, has_session};
use crate::call::offer_answer::{Message, Refusal, Verdict};
use crate::call::provisional::Next;
use crate::call::reliable;
use crate::call::update::GLARE_STEP;
use crate::call::{
    Action, Aside, Core, Early, LegId, Notice, RequestId, ServerId, State, check, check_coding,
    check_response, wrong_state,
};
use crate::dialog::contact_of;
use crate::error::Misuse;
use crate::message::{Method, Name, Outgoing, Reply, Request, Response, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

impl Session {
    pub(super) fn on_reinvite_response(
        mut self,
        core: &mut Core,
        now: Time,
        request: RequestId,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let status = response.status();
        if status.is_provisional() {
            let is_trying = status == StatusCode::TRYING;
            let early = match is_trying || !core.is_talking() {
                true => None,
                false => core.take_provisional(now, 0, false, &response, out),
            };
            if let (
                Some(Early {
                    is_reliable: true, ..
                }),
                Some(own),
            ) = (&early, &self.reinvite)
            {
                // RFC 6141 4.4: that this side's target has moved is known to the other one.
                core.accepted_contact(&own.outgoing.headers);
            }
            out.push(match early.is_some() || is_trying {
                true => Action::Notify(Notice::Progress { response, early }),
                false => Action::Absorbed,
            });
            return match core.next_provisional(0) {
                Some(next) => self.on_reinvite_response(core, now, request, next, out),
                None => State::Confirmed(self),
            };
        }
        let Some(reinvite) = self.reinvite.take() else {
            return State::Confirmed(self);
        };
        core.is_authorized(&reinvite.credentials, &response);
        core.end_of_provisionals(0);
        match (status.is_success(), core.is_talking()) {
            (true, true) => on_accepted(core, now, &reinvite, response, out),
            // 15.1.1: its dialog has had its BYE, but a 2xx wants its ACK all the same.
            (true, false) => {
                let refusal = core.refusing_late(0, &response);
                core.ack(0, request, response.cseq().number, &refusal, out);
            }
            (false, true) => return self.on_refused(core, now, *reinvite, response, out),
            (false, false) => out.push(Action::Absorbed),
        }
        State::Confirmed(self)
    }

    /// Its re-INVITE goes to the next server: what responses of the last one said is undone.
    pub(super) fn on_rerouted(&mut self, core: &mut Core, request: RequestId) {
        let Some(reinvite) = self.reinvite.as_ref().filter(|r| r.request == request) else {
            return;
        };
        core.end_of_provisionals(0);
        core.exchange_failed();
        core.forget_pracks();
        let session = describes(&reinvite.outgoing, &core.context.limits);
        if let Some(leg) = core.legs.first_mut() {
            leg.exchange.on_sent(Message::Invite, session);
        }
    }

    /// 14.1.
    fn on_refused(
        mut self,
        core: &mut Core,
        now: Time,
        mut reinvite: Reinvite,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let changed = core.exchange_failed();
        if reinvite.cancelled {
            // Not sent again, whatever the refusal asks for.
        } else if core.is_challenged(&mut reinvite.credentials, &response)
            || core.is_longer_now(0, &response)
        {
            let how = (reinvite.glares, reinvite.refresh);
            self.send(core, reinvite.outgoing, how, reinvite.credentials, out);
            return State::Confirmed(self);
        }
        if reinvite.refresh && !ends_session(Method::Invite, &response) {
            out.push(Action::Absorbed);
            if let Some(leg) = core.legs.first().map(|leg| leg.id) {
                core.refresh_refused(now, leg, &response);
            }
            return State::Confirmed(self);
        }
        if !reinvite.cancelled
            && reinvite.glares < core.context.limits.glare_retries
            && let Some(at) = core.after_refusal(now, &response)
        {
            self.retry = Some(Box::new(Retry {
                at: Some(at),
                outgoing: reinvite.outgoing,
                glares: reinvite.glares.saturating_add(1),
                answers: core.answers(0),
            }));
            out.push(Action::Notify(Notice::UpdateDeferred { response }));
            return State::Confirmed(self);
        }
        let lost = ends_session(Method::Invite, &response).then(|| response.clone());
        out.push(Action::Notify(Notice::UpdateRefused { response, changed }));
        match lost {
            // 14.1, RFC 5057 5.1: 481, 408 and others end the usage or the dialog.
            Some(response) => self.lose(core, Some(response), out),
            None => State::Confirmed(self),
        }
    }

    /// A re-INVITE of the other side (14.2).
    pub(super) fn on_invite(
        &mut self,
        core: &mut Core,
        now: Time,
        server: ServerId,
        request: Box<Request>,
        (host, reply): (Bytes, Reply),
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        // RFC 6141 5.4: who sends another re-INVITE may have moved since the last, and its ACK never
        // comes. Of the first INVITE that cannot be.
        let mut overtakes = true;
        let open = self.reoffer.is_some();
        if open {
            core.refuse_for_now(server, &reply, out);
        } else if self.reinvite.is_some() || self.hang_up.is_some() || !core.is_talking() {
            // Crossing re-INVITEs; and while the ACK of this side is missing, the answer to the
            // last offer is in it.
            core.refuse(server, &reply, StatusCode::REQUEST_PENDING, out);
        } else if let Some(refusal) = core.meets(&request) {
            // The ACK may owe an answer, which no other request brings.
            overtakes = false;
            core.refuse_exchange(server, &reply, refusal, out);
        } else {
            let contact = contact_of(&request).map(|uri| uri.to_buf());
            let until = now + core.context.limits.answer_wait;
            let cseq = request.cseq().number;
            let host = Host::new(host, &request);
            let asked = reliable::Asked::of(&request);
            core.begin_reliable(now, server, (cseq, asked), contact.clone());
            let timer = core.asks_for_timer(&request);
            let reoffer = Reoffer {
                server,
                reply,
                cseq,
                contact,
                host,
                timer,
                until,
            };
            self.reoffer = Some(Box::new(reoffer));
            out.push(Action::Notify(Notice::Reoffered { request }));
        }
        if open || self.reoffer.is_none() {
            core.has_refused(server);
        }
        if let Some(unacked) = &mut self.unacked {
            unacked.overtaken |= overtakes && unacked.again;
        }
    }

    pub(super) fn on_cancel(
        &mut self,
        core: &mut Core,
        now: Time,
        server: ServerId,
        cancel: Box<Request>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let is_its = self.reoffer.as_ref().is_some_and(|r| r.server == server);
        if is_its && !core.is_accepting() {
            self.give_up_reoffer(core, now, StatusCode::REQUEST_TERMINATED, out);
            out.push(Action::Notify(Notice::ReofferCancelled { cancel }));
        } else {
            // 9.2: the final response is out; the CANCEL has no effect.
            out.push(Action::Absorbed);
        }
    }

    /// Nobody will answer the re-INVITE of the other side. RFC 6141 3.3, 3.8: once it has changed
    /// something, only a 2xx says what holds.
    pub(super) fn give_up_reoffer(
        &mut self,
        core: &mut Core,
        now: Time,
        status: StatusCode,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if core.has_changed() {
            // Without a body it cannot be refused.
            let _ = self.answer(core, now, &Outgoing::default(), out);
        } else if let Some(reoffer) = self.reoffer.take() {
            core.say(Message::Failure, &Outgoing::default());
            core.close_reliable(now);
            core.refuse(reoffer.server, &reoffer.reply, status, out);
            core.has_refused(reoffer.server);
        }
    }

    /// A refused INVITE of the other side is out of the way: what waited for that goes.
    pub(super) fn on_settled(
        &mut self,
        core: &mut Core,
        now: Time,
        server: ServerId,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if core.has_settled(server) && self.retry.as_ref().is_some_and(|retry| retry.at.is_none()) {
            self.retry(core, now, out);
        }
    }

    /// What the PRACKs of the re-INVITE of the other side led to.
    pub(super) fn proceed(
        &mut self,
        core: &mut Core,
        now: Time,
        next: Next,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        match next {
            Next::Stay => {}
            Next::Accept(outgoing) => self.accept(core, now, &outgoing, out),
            Next::TimedOut => {
                if let Some(reoffer) = self.reoffer.take() {
                    core.say(Message::Failure, &Outgoing::default());
                    let status = StatusCode::SERVER_INTERNAL_ERROR;
                    core.refuse(reoffer.server, &reoffer.reply, status, out);
                    core.has_refused(reoffer.server);
                }
            }
        }
    }

    /// 487 for the re-INVITE of the other side that nobody will answer now.
    pub(super) fn refuse_reoffer(
        &mut self,
        core: &mut Core,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(reoffer) = self.reoffer.take() {
            core.say(Message::Failure, &Outgoing::default());
            // With the dialog goes what late PRACKs would belong to.
            core.reliable = None;
            core.refuse(
                reoffer.server,
                &reoffer.reply,
                StatusCode::REQUEST_TERMINATED,
                out,
            );
        }
    }

    /// 14.1. It takes the place of one that waits for its next try after glare.
    pub(super) fn reinvite(
        &mut self,
        core: &mut Core,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        self.may_reinvite(core, &outgoing)?;
        self.retry = None;
        match core.awaits_settling() {
            true => {
                self.retry = Some(Box::new(Retry {
                    at: None,
                    outgoing,
                    glares: 0,
                    answers: core.answers(0),
                }))
            }
            false => self.send(core, outgoing, (0, false), auth::Attempt::new(), out),
        }
        Ok(())
    }

    /// RFC 4916 4.3.
    pub(super) fn identify(
        &mut self,
        core: &mut Core,
        from: &str,
        reinvite: Option<Box<Outgoing>>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let Some(outgoing) = reinvite else {
            return core.identify(from);
        };
        self.may_reinvite(core, &outgoing)?;
        core.identify(from)?;
        self.reinvite(core, *outgoing, out)
    }

    /// Whether a re-INVITE of the user may go, or wait for the ACK of a refusal.
    fn may_reinvite(&self, core: &Core, outgoing: &Outgoing) -> Result<(), Misuse> {
        check(outgoing)?;
        let leg = core.legs.first();
        let open = leg.is_some_and(|leg| leg.exchange.may_send(Message::Invite, true).is_err());
        match !core.is_talking() || self.is_busy() || open {
            true => Err(wrong_state(
                "reinvite",
                "Confirmed, with an INVITE, UPDATE or BYE in progress",
            )),
            false => Ok(()),
        }
    }

    /// 9.1, RFC 6141 5.5. A refresh is the core's own, and stays.
    pub(super) fn cancel_reinvite(
        &mut self,
        core: &Core,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(&outgoing)?;
        requires_nothing(&outgoing)?;
        self.retry = None;
        let open = self.reinvite.as_mut().filter(|reinvite| !reinvite.refresh);
        if let Some(reinvite) = open.filter(|reinvite| !reinvite.cancelled) {
            reinvite.cancelled = true;
            out.push(Action::Cancel {
                request: reinvite.request,
                headers: core.with_timer_tag(outgoing.headers),
            });
        }
        Ok(())
    }

    /// 14.1: another try, unless an INVITE of the other side came first; then it waits again. What
    /// would offer what was true before another exchange goes back to the user (RFC 3264 8).
    pub(super) fn retry(
        &mut self,
        core: &mut Core,
        now: Time,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if core.awaits_settling()
            && let Some(retry) = &mut self.retry
        {
            retry.at = None;
            return;
        }
        let Some(mut retry) = self.retry.take() else {
            return;
        };
        let free = core
            .legs
            .first()
            .is_some_and(|leg| leg.exchange.may_send(Message::Invite, true).is_ok());
        if self.is_busy() || !core.is_talking() || !free {
            let at = core.after_glare(now);
            // Later than now, whatever was drawn (law L8).
            retry.at = at.max(now + GLARE_STEP);
            self.retry = Some(retry);
        } else if core.is_outdated(0, retry.answers, &retry.outgoing) {
            let outgoing = Box::new(retry.outgoing);
            out.push(Action::Notify(Notice::ReinviteOutdated { outgoing }));
        } else {
            self.send(
                core,
                retry.outgoing,
                (retry.glares, false),
                auth::Attempt::new(),
                out,
            );
        }
    }

    /// The session is to be refreshed (RFC 4028 7.4): by UPDATE if the other side has it, else by
    /// a re-INVITE that changes nothing.
    pub(super) fn refresh(
        &mut self,
        core: &mut Core,
        now: Time,
        due: Time,
        leg: LegId,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let place = core.leg_at(leg).and_then(|at| core.legs.get(at));
        if place.is_some_and(|leg| leg.takes_update == Some(true)) {
            return core.refresh_by_update(now, due, leg, out);
        }
        let free = place.is_some_and(|leg| leg.exchange.may_send(Message::Invite, true).is_ok());
        if self.is_busy() || core.awaits_settling() || !core.is_talking() || !free {
            return core.refresh_again(now, due, leg);
        }
        let outgoing = core.description(0);
        self.send(core, outgoing, (0, true), auth::Attempt::new(), out);
    }

    /// 14.1: one INVITE at a time, of either side.
    fn is_busy(&self) -> bool {
        self.reinvite.is_some() || self.reoffer.is_some() || self.unacked.is_some()
    }

    fn send(
        &mut self,
        core: &mut Core,
        outgoing: Outgoing,
        (glares, refresh): (u8, bool),
        mut credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let branch = core.new_branch();
        let request = core.new_request();
        let headers = core.authorize_within(0, &mut credentials, Method::Invite, &outgoing);
        let headers = core.put_timer(0, core.with_local_target(&headers));
        let headers = core.with_capabilities(&headers);
        let headers = core.with_timer_tag(core.with_requirements(headers));
        core.sent_with(request, &credentials);
        core.forget_pracks();
        let session = describes(&outgoing, &core.context.limits);
        if let Some(leg) = core.legs.first_mut() {
            let cseq = leg.dialog.next_cseq();
            let user = (!headers.contains(Name::Contact)).then_some(&*core.user);
            leg.exchange.on_sent(Message::Invite, session);
            let writer = leg.dialog.request(Method::Invite, cseq).headers(&headers);
            let writer = writer.body(outgoing.body.as_ref());
            let draft = writer.draft(branch, user, &core.context.origin);
            out.push(Action::Invite { request, draft });
        }
        core.invites.push(request);
        core.told_identity(0);
        self.reinvite = Some(Box::new(Reinvite {
            request,
            outgoing,
            glares,
            refresh,
            cancelled: false,
            credentials,
        }));
    }

    /// Whether the re-INVITE, if there is one, may be answered so.
    fn check(&self, status: StatusCode, outgoing: &Outgoing) -> Result<(), Misuse> {
        check_response(status, outgoing)?;
        self.reoffer
            .as_ref()
            .map_or(Ok(()), |reoffer| check_coding(&reoffer.reply, outgoing))
    }

    pub(super) fn answer(
        &mut self,
        core: &mut Core,
        now: Time,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        self.check(StatusCode::OK, outgoing)?;
        let Some(reoffer) = &mut self.reoffer else {
            return Err(wrong_state("answer", "Confirmed"));
        };
        core.may_move(0, &reoffer.host, &outgoing.headers)?;
        match core.accept_reliably(now, outgoing, out)? {
            Some(outgoing) => self.accept(core, now, &outgoing, out),
            // The user has answered; what is awaited is a PRACK.
            None => reoffer.until = None,
        }
        Ok(())
    }

    fn accept(
        &mut self,
        core: &mut Core,
        now: Time,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let Some(reoffer) = self.reoffer.take() else {
            return;
        };
        core.say(Message::Success, outgoing);
        let unacked = Unacked::send(core, now, reoffer.to(), outgoing, out);
        core.accepted_contact(&outgoing.headers);
        core.described(0, outgoing.body.as_ref());
        self.unacked = Some(Box::new(unacked.again()));
        if let Some(contact) = &reoffer.contact {
            core.refresh_target(0, contact.as_uri(), out);
        }
    }

    pub(super) fn reject(
        &mut self,
        core: &mut Core,
        now: Time,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        self.check(status, outgoing)?;
        if !(3..=6).contains(&status.class()) {
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        if core.has_changed() {
            // RFC 6141 3.3: what has been changed already is not undone by a refusal.
            return Err(wrong_state("reject", "Confirmed, with changes made"));
        }
        let Some(reoffer) = self.reoffer.take() else {
            return Err(wrong_state("reject", "Confirmed"));
        };
        let (headers, body) = (&outgoing.headers, outgoing.body.as_ref());
        core.say(Message::Failure, &Outgoing::default());
        core.close_reliable(now);
        core.respond(reoffer.server, &reoffer.reply, status, headers, body, out);
        core.has_refused(reoffer.server);
        Ok(())
    }

    pub(super) fn progress(
        &mut self,
        core: &mut Core,
        now: Time,
        status: StatusCode,
        outgoing: &Outgoing,
        preview: bool,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        self.check(status, outgoing)?;
        if !(101..=198).contains(&status.as_u16()) {
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        let Some(reoffer) = &self.reoffer else {
            return Err(wrong_state("progress", "Confirmed"));
        };
        if core.is_accepting() {
            return Err(wrong_state("progress", "Confirmed, answered"));
        }
        if core.is_reliable(outgoing, preview) {
            core.may_move(0, &reoffer.host, &outgoing.headers)?;
            let next = core.say_reliably(now, &reoffer.to(), status, outgoing, out)?;
            self.proceed(core, now, next, out);
            return Ok(());
        }
        core.may_say(Message::Unreliable, outgoing)?;
        core.say(Message::Unreliable, outgoing);
        let headers = core.with_contact(&reoffer.host, &outgoing.headers);
        let bytes = core.dialog_response(&reoffer.reply, status, &headers, outgoing);
        out.push(Action::Respond {
            server: reoffer.server,
            status,
            bytes,
        });
        Ok(())
    }
}

/// A 2xx to the re-INVITE of this side: a target refresh, and the answer or the offer.
fn on_accepted(
    core: &mut Core,
    now: Time,
    reinvite: &Reinvite,
    response: Box<Response>,
    out: &mut (impl Sink<Action> + ?Sized),
) {
    let body = has_session(&response, &core.context.limits);
    let leg = core.legs.first_mut();
    let verdict = leg.map(|leg| leg.exchange.on_received(Message::Success, body));
    if let Some(contact) = contact_of(&response) {
        core.refresh_target(0, contact, out);
    }
    core.accepted_contact(&reinvite.outgoing.headers);
    core.renew_timer(now, 0, &response);
    core.described(0, reinvite.outgoing.body.as_ref());
    let (request, cseq) = (reinvite.request, response.cseq().number);
    let answer_needed = verdict == Some(Verdict::Offer);
    match answer_needed {
        true => core.await_answer(now, request, &response),
        false => core.ack(0, request, cseq, &Outgoing::default(), out),
    }
    out.push(Action::Notify(match reinvite.refresh && !answer_needed {
        true => Notice::SessionRefreshed { response },
        false => Notice::Updated {
            response,
            answer_needed,
        },
    }));
}

impl Reoffer {
    fn to(&self) -> To<'_> {
        To {
            server: self.server,
            reply: &self.reply,
            cseq: self.cseq,
            host: &self.host,
            timer: self.timer.as_ref(),
        }
    }
}

impl Core {
    /// 14.1: no INVITE of this side goes before this one is Confirmed or Terminated.
    pub(in crate::call) fn has_refused(&mut self, server: ServerId) {
        self.aside.get_or_insert_default().refused.push(server);
    }

    /// A refused INVITE of the other side is out of the way. Whether none is left that is not.
    pub(in crate::call) fn has_settled(&mut self, server: ServerId) -> bool {
        let Some(aside) = &mut self.aside else {
            return false;
        };
        let waited = !aside.refused.is_empty();
        aside.refused.retain(|other| *other != server);
        let waits = !aside.refused.is_empty();
        // An idle call keeps nothing.
        self.aside.take_if(|aside| **aside == Aside::default());
        waited && !waits
    }

    /// Whether an INVITE of this side has to wait for the ACK of a refusal.
    pub(in crate::call) fn awaits_settling(&self) -> bool {
        let aside = self.aside.as_ref();
        aside.is_some_and(|aside| !aside.refused.is_empty())
    }

    /// Whether an exchange was completed since the INVITE in progress began.
    pub(super) fn has_changed(&self) -> bool {
        self.legs
            .first()
            .is_some_and(|leg| leg.exchange.has_changed())
    }

    /// What an INVITE of the other side meets (14.2, RFC 6337 4.3). If nothing, it has begun.
    fn meets(&mut self, invite: &Request) -> Option<Refusal> {
        let body = has_session(invite, &self.context.limits);
        let leg = self.legs.first_mut()?;
        match leg.exchange.on_received(Message::Invite, body) {
            Verdict::Refuse(refusal) => Some(refusal),
            Verdict::Nothing
            | Verdict::Offer
            | Verdict::Answer
            | Verdict::Preview
            | Verdict::Missing
            | Verdict::Ignore => None,
        }
    }
}

//! Re-INVITE, both ways (§14).

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;

use super::{Reinvite, Reoffer, Retry, Session, To, Unacked, is_lost};
use crate::auth;
use crate::call::callee::Host;
use crate::call::caller::has_body;
use crate::call::{Action, Core, Notice, RequestId, ServerId, State, check, wrong_state};
use crate::dialog::contact_of;
use crate::error::Misuse;
use crate::message::{Method, Name, Outgoing, Reply, Request, Response, StatusCode, Uri};
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
            out.push(Action::Notify(Notice::Progress { response }));
            return State::Confirmed(self);
        }
        let Some(mut reinvite) = self.reinvite.take() else {
            return State::Confirmed(self);
        };
        core.is_authorized(&reinvite.credentials, &response);
        if !core.is_talking() {
            // 15.1.1: its dialog has had its BYE, but a 2xx wants its ACK all the same.
            match status.is_success() {
                true => core.ack(
                    0,
                    request,
                    response.cseq().number,
                    &Outgoing::default(),
                    out,
                ),
                false => out.push(Action::Absorbed),
            }
            return State::Confirmed(self);
        }
        if status.is_success() {
            if let Some(contact) = contact_of(&response) {
                core.refresh_target(contact, out);
            }
            let cseq = response.cseq().number;
            let answer_needed = reinvite.outgoing.body.is_none() && has_body(&response);
            match answer_needed {
                true => core.await_answer(now, request, cseq),
                false => core.ack(0, request, cseq, &Outgoing::default(), out),
            }
            out.push(Action::Notify(Notice::Updated {
                response,
                answer_needed,
            }));
            return State::Confirmed(self);
        }
        if core.is_challenged(&mut reinvite.credentials, &response) {
            let Reinvite {
                outgoing,
                glares,
                credentials,
                ..
            } = *reinvite;
            self.reinvite(core, outgoing, glares, credentials, out);
            return State::Confirmed(self);
        }
        if status == StatusCode::REQUEST_PENDING
            && reinvite.glares < core.context.limits.glare_retries
        {
            self.retry = Some(Box::new(Retry {
                at: core.after_glare(now),
                outgoing: reinvite.outgoing,
                glares: reinvite.glares.saturating_add(1),
            }));
            out.push(Action::Notify(Notice::UpdateDeferred { response }));
            return State::Confirmed(self);
        }
        let lost = is_lost(status).then(|| response.clone());
        out.push(Action::Notify(Notice::UpdateRefused { response }));
        match lost {
            // 14.1: 481 and 408 end the dialog.
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
        if self.reoffer.is_some() {
            core.refuse_for_now(server, &reply, out);
        } else if self.reinvite.is_some() || self.unacked.is_some() || !core.is_talking() {
            // Crossing re-INVITEs; and while an ACK is missing, of either side, the answer to
            // the last offer may be in it.
            core.refuse(server, &reply, StatusCode::REQUEST_PENDING, out);
        } else {
            let contact = contact_of(&request).map(|uri| uri.to_buf());
            let until = now + core.context.limits.answer_wait;
            let cseq = request.cseq().number;
            let host = Host::new(host, &request);
            let reoffer = Reoffer {
                server,
                reply,
                cseq,
                contact,
                host,
                until,
            };
            self.reoffer = Some(Box::new(reoffer));
            out.push(Action::Notify(Notice::Reoffered { request }));
        }
    }

    pub(super) fn on_cancel(
        &mut self,
        core: &Core,
        server: ServerId,
        cancel: Box<Request>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if self.reoffer.as_ref().is_some_and(|r| r.server == server) {
            self.refuse_reoffer(core, out);
            out.push(Action::Notify(Notice::ReofferCancelled { cancel }));
        } else {
            // 9.2: the final response is out; the CANCEL has no effect.
            out.push(Action::Absorbed);
        }
    }

    /// 487 for the re-INVITE of the other side that nobody will answer now.
    pub(super) fn refuse_reoffer(&mut self, core: &Core, out: &mut (impl Sink<Action> + ?Sized)) {
        if let Some(reoffer) = self.reoffer.take() {
            core.refuse(
                reoffer.server,
                &reoffer.reply,
                StatusCode::REQUEST_TERMINATED,
                out,
            );
        }
    }

    /// 14.1. It takes the place of one that waits for its next try after glare.
    pub(super) fn update(
        &mut self,
        core: &mut Core,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(&outgoing)?;
        if !core.is_talking() || self.is_busy() {
            return Err(wrong_state(
                "update",
                "Confirmed, with an INVITE or BYE in progress",
            ));
        }
        self.retry = None;
        self.reinvite(core, outgoing, 0, auth::Attempt::new(), out);
        Ok(())
    }

    /// 14.1: another try, unless an INVITE of the other side came first; then it waits again.
    pub(super) fn retry(
        &mut self,
        core: &mut Core,
        now: Time,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let Some(mut retry) = self.retry.take() else {
            return;
        };
        if self.is_busy() || !core.is_talking() {
            let at = core.after_glare(now);
            // Later than now, whatever was drawn (law L8).
            retry.at = at.max(now + GLARE_STEP);
            self.retry = Some(retry);
        } else {
            self.reinvite(
                core,
                retry.outgoing,
                retry.glares,
                auth::Attempt::new(),
                out,
            );
        }
    }

    /// 14.1: one INVITE at a time, of either side.
    fn is_busy(&self) -> bool {
        self.reinvite.is_some() || self.reoffer.is_some() || self.unacked.is_some()
    }

    fn reinvite(
        &mut self,
        core: &mut Core,
        outgoing: Outgoing,
        glares: u8,
        mut credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let branch = core.new_branch();
        let request = core.new_request();
        let headers = core.authorize_within(0, &mut credentials, Method::Invite, &outgoing);
        let headers = core.with_capabilities(&headers);
        core.sent_with(request, &credentials);
        if let Some(leg) = core.legs.first_mut() {
            let cseq = leg.dialog.next_cseq();
            let user = (!outgoing.headers.contains(Name::Contact)).then_some(&*core.user);
            let writer = leg.dialog.request(Method::Invite, cseq).headers(&headers);
            let draft = writer.body(outgoing.body.as_ref()).draft(branch, user);
            out.push(Action::Invite { request, draft });
        }
        core.invites.push(request);
        self.reinvite = Some(Box::new(Reinvite {
            request,
            outgoing,
            glares,
            credentials,
        }));
    }

    pub(super) fn answer(
        &mut self,
        core: &mut Core,
        now: Time,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(outgoing)?;
        let Some(reoffer) = self.reoffer.take() else {
            return Err(wrong_state("answer", "Confirmed"));
        };
        let to = To {
            server: reoffer.server,
            reply: &reoffer.reply,
            cseq: reoffer.cseq,
            host: &reoffer.host,
        };
        let unacked = Unacked::send(core, now, to, outgoing, out);
        self.unacked = Some(Box::new(unacked));
        if let Some(contact) = &reoffer.contact {
            core.refresh_target(contact.as_uri(), out);
        }
        Ok(())
    }

    pub(super) fn reject(
        &mut self,
        core: &Core,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(outgoing)?;
        if !(3..=6).contains(&status.class()) {
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        let Some(reoffer) = self.reoffer.take() else {
            return Err(wrong_state("reject", "Confirmed"));
        };
        let (headers, body) = (&outgoing.headers, outgoing.body.as_ref());
        core.respond(reoffer.server, &reoffer.reply, status, headers, body, out);
        Ok(())
    }

    pub(super) fn progress(
        &self,
        core: &Core,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(outgoing)?;
        if !(101..=199).contains(&status.as_u16()) {
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        let Some(reoffer) = &self.reoffer else {
            return Err(wrong_state("progress", "Confirmed"));
        };
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

/// 14.1: delays after glare are multiples of 10 ms.
const GLARE_STEP: Duration = Duration::from_millis(10);

impl Core {
    /// 14.1: when to try again after glare. Whoever made the Call-ID waits 2.1 to 4 s, the other
    /// side 0 to 2 s, so that one goes first.
    fn after_glare(&mut self, now: Time) -> Option<Time> {
        let (least, choices) = if self.owns_call_id {
            (210, 191)
        } else {
            (0, 201)
        };
        self.branches = self.branches.wrapping_add(1);
        let (base, counter) = (self.branch_base, u64::from(self.branches));
        let choices = Duration::from_nanos(choices);
        let drawn = self.context.ids.jitter(base, counter, choices).as_nanos();
        let steps = u32::try_from(drawn).unwrap_or(0).saturating_add(least);
        now + GLARE_STEP.saturating_mul(steps)
    }

    /// A Contact in a re-INVITE or its 2xx (12.2.1.2, 12.2.2).
    fn refresh_target(&mut self, contact: Uri<'_>, out: &mut (impl Sink<Action> + ?Sized)) {
        if let Some(leg) = self.legs.first_mut()
            && leg.dialog.refresh_target(contact)
        {
            out.push(Action::Notify(Notice::TargetRefreshed));
        }
    }
}

//! What this side answers to requests, at once or when its user does; and the end of a call.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::description::describes;
use super::exchange::Asked;
use super::leg::LegState;
use super::{
    Action, Core, EndReason, Notice, Pending, ServerId, State, check_coding, check_response,
    refreshes_target,
};
use crate::dialog::contact_of;
use crate::error::Misuse;
use crate::message::{Body, HeaderList, Outgoing, Reply, Request, StatusCode};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::non_invite_server::is_allowed;

impl Core {
    /// A final response without anything from the user.
    pub(super) fn refuse(
        &mut self,
        server: ServerId,
        reply: &Reply,
        status: StatusCode,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.respond(server, reply, status, &HeaderList::new(), None, out);
    }

    pub(super) fn respond(
        &mut self,
        server: ServerId,
        reply: &Reply,
        status: StatusCode,
        headers: &HeaderList,
        body: Option<&Body>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let tag = self.legs.first().map(|leg| leg.dialog.local_tag_bytes());
        let bytes = reply.write_tagged(status, tag, headers, body);
        out.push(Action::Respond {
            server,
            status,
            bytes,
        });
        self.settle_claim(server, status, out);
    }

    /// A request of the other side that is the user's to answer.
    pub(super) fn hand_over(
        &mut self,
        now: Time,
        server: ServerId,
        (request, reply): (Box<Request>, Reply),
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if self.pending.len() >= self.context.limits.pending_requests {
            self.refuse(server, &reply, StatusCode::SERVICE_UNAVAILABLE, out);
            return;
        }
        let until = now + self.context.limits.request_wait;
        let target = contact_of(&request).filter(|_| refreshes_target(request.method()));
        let asked = match (target, self.leg_of(&request)) {
            (Some(target), Some(leg)) => Asked::Target(Box::new((leg.id, target.to_buf()))),
            (Some(_) | None, _) => Asked::Plain,
        };
        self.pending.push(Pending {
            server,
            reply,
            until,
            asked,
        });
        out.push(Action::Notify(Notice::Request { server, request }));
    }

    /// [`Command::Respond`].
    pub(super) fn respond_pending(
        &mut self,
        now: Time,
        server: ServerId,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check_response(status, outgoing)?;
        if !is_allowed(status) {
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        let Some(at) = self.pending.iter().position(|p| p.server == server) else {
            return Ok(());
        };
        let offers = describes(outgoing, &self.context.limits);
        if let Some(pending) = self.pending.get(at) {
            check_coding(&pending.reply, outgoing)?;
            self.may_answer(&pending.asked, status, (&outgoing.headers, offers))?;
        }
        let pending = self.pending.remove(at);
        self.shrink_pending();
        match &pending.asked {
            Asked::Update(asked) if status.is_success() => {
                self.accept_update(now, server, &pending.reply, asked, outgoing, out);
            }
            Asked::Prack if status.is_success() => {
                let body = outgoing.body.as_ref();
                self.respond(server, &pending.reply, status, &outgoing.headers, body, out);
                self.prack_answered(outgoing);
            }
            Asked::Plain | Asked::Update(_) | Asked::Prack | Asked::Target(_) => {
                let body = outgoing.body.as_ref();
                self.respond(server, &pending.reply, status, &outgoing.headers, body, out);
                if let (Asked::Target(named), true) = (&pending.asked, status.is_success())
                    && let (leg, target) = &**named
                    && let Some(at) = self.leg_at(*leg)
                {
                    self.refresh_target(at, target.as_uri(), out);
                }
                self.not_answered(&pending.asked);
            }
        }
        Ok(())
    }

    /// The user took too long: 500, never 408 (4320 4.2).
    pub(super) fn expire_pending(
        &mut self,
        server: ServerId,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(at) = self.pending.iter().position(|p| p.server == server) {
            let pending = self.pending.remove(at);
            self.refuse(
                server,
                &pending.reply,
                StatusCode::SERVER_INTERNAL_ERROR,
                out,
            );
            self.not_answered(&pending.asked);
            self.shrink_pending();
            out.push(Action::Notify(Notice::RequestExpired { server }));
        }
    }

    /// The offer in this request was refused.
    fn not_answered(&mut self, asked: &Asked) {
        match asked {
            Asked::Plain | Asked::Target(_) => {}
            Asked::Update(asked) => self.update_answered(asked, None),
            Asked::Prack => self.prack_refused(),
        }
    }

    pub(super) fn shrink_pending(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// Nobody is left to answer (15.1.2).
    pub(super) fn terminate_pending(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        for Pending { server, reply, .. } in mem::take(&mut self.pending) {
            self.refuse(server, &reply, StatusCode::REQUEST_TERMINATED, out);
        }
    }

    /// Ends the call for its user. What the other side still waits for is answered 487
    /// (15.1.2).
    pub(super) fn end(
        &mut self,
        reason: EndReason,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        self.terminate_pending(out);
        self.own = Vec::new();
        self.forget_identities();
        for leg in &mut self.legs {
            leg.drop_rare();
            // What is not leaving by a BYE of this side has no dialog any more.
            if !leg.is_leaving() && !leg.is_hung_up() {
                leg.state = LegState::Left;
            }
        }
        out.push(Action::Notify(Notice::Ended { reason }));
        State::Lingering
    }
}

//! What this side answers to requests, at once or when its user does; and the end of a call.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::leg::LegState;
use super::{Action, Core, EndReason, Notice, Pending, ServerId, State, check};
use crate::error::Misuse;
use crate::message::{Body, HeaderList, Outgoing, Reply, Request, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

impl Core {
    /// A final response without anything from the user.
    pub(super) fn refuse(
        &self,
        server: ServerId,
        reply: &Reply,
        status: StatusCode,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.respond(server, reply, status, &HeaderList::new(), None, out);
    }

    pub(super) fn respond(
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
        self.pending.push(Pending {
            server,
            reply,
            until,
        });
        out.push(Action::Notify(Notice::Request { server, request }));
    }

    /// [`Command::Respond`].
    pub(super) fn respond_pending(
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
            self.shrink_pending();
        }
    }

    pub(super) fn shrink_pending(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// Ends the call for its user. What the other side still waits for is answered 487
    /// (15.1.2).
    pub(super) fn end(
        &mut self,
        reason: EndReason,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
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

//! A 2xx of this side until its ACK comes (13.3.1.4).

use bytes::Bytes;

use super::super::{Action, Core, ServerId};
use super::To;
use crate::message::{HeaderList, Name, Outgoing, StatusCode};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Backoff;

/// A 2xx of this side: the same bytes until the ACK comes (13.3.1.4).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in super::super) struct Unacked {
    pub(super) server: ServerId,
    pub(super) cseq: u32,
    pub(super) bytes: Bytes,
    pub(super) resend: Option<Backoff>,
    pub(super) until: Option<Time>,
    /// Whether it is to a re-INVITE.
    pub(super) again: bool,
    /// A newer INVITE has come, so the 2xx to a re-INVITE has arrived.
    pub(super) overtaken: bool,
}

impl Unacked {
    /// Sends a 2xx, and keeps it for the retransmissions, which are the core's on every transport
    /// (13.3.1.4, 6026 8.1).
    pub(in super::super) fn send(
        core: &mut Core,
        now: Time,
        offer: To<'_>,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Self {
        let To {
            server,
            reply,
            cseq,
            host,
            timer,
        } = offer;
        let mut more = HeaderList::new();
        core.answer_timer(now, 0, timer, &mut more);
        let (own, capabilities) = (&outgoing.headers, &core.context.capabilities);
        let status = StatusCode::OK;
        let as_they_are = own.shares_none_with(capabilities)
            && more.shares_none_with(capabilities)
            && !capabilities.contains(Name::Contact);
        let bytes = if as_they_are {
            let [scheme, user, at, host, end] = core.contact_line(host, own);
            let (own, more) = (own.as_bytes(), more.as_bytes());
            let capabilities = capabilities.as_bytes();
            let lines = [capabilities, scheme, user, at, host, end, own, more];
            core.dialog_lines(reply, status, &lines, outgoing)
        } else {
            let mut headers = core.with_contact(host, own);
            headers.extend(&more);
            headers.put_over(capabilities);
            let headers = core.with_from_change(headers);
            core.dialog_response(reply, status, &headers, outgoing)
        };
        out.push(Action::Respond {
            server,
            status,
            bytes: bytes.clone(),
        });
        core.settle_claim(server, status, out);
        let timers = &core.context.timers;
        Self {
            server,
            cseq,
            bytes,
            resend: Backoff::start(now, timers.t1),
            until: now + timers.t1x64(),
            again: false,
            overtaken: false,
        }
    }

    /// Of a re-INVITE.
    pub(super) fn again(self) -> Self {
        Self {
            again: true,
            ..self
        }
    }
}

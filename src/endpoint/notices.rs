//! What a call says, in the words of its endpoint.

use super::servers::server_handle;
use super::{CallHandle, Event};
use crate::call::Notice;

/// The endpoint's name for what a call says.
// Where it is built in, the arms are merged, and what all have in common is copied byte by byte.
#[inline(never)]
pub(super) fn event_of(call: CallHandle, notice: Notice) -> Event {
    match notice {
        Notice::Progress { response, early } => Event::Progress {
            call,
            response,
            early,
        },
        Notice::Redirected { target, response } => Event::Redirected {
            call,
            target,
            response,
        },
        Notice::Retried { response } => Event::Retried { call, response },
        Notice::Answered {
            response,
            answer_needed,
        } => Event::Answered {
            call,
            response,
            answer_needed,
        },
        Notice::Acknowledged {
            ack,
            answer_missing,
        } => Event::Acknowledged {
            call,
            request: ack,
            answer_missing,
        },
        Notice::Reoffered { request } => Event::Reoffered { call, request },
        Notice::ReofferCancelled { cancel } => Event::ReofferCancelled {
            call,
            request: cancel,
        },
        Notice::Updated {
            response,
            answer_needed,
        } => Event::Updated {
            call,
            response,
            answer_needed,
        },
        Notice::UpdateRefused { response, changed } => Event::UpdateRefused {
            call,
            response,
            changed,
        },
        Notice::UpdateDeferred { response } => Event::UpdateDeferred { call, response },
        Notice::ReinviteOutdated { outgoing } => Event::ReinviteOutdated { call, outgoing },
        Notice::UpdateOutdated { leg, outgoing } => Event::UpdateOutdated {
            call,
            leg,
            outgoing,
        },
        Notice::ReofferExpired { status } => Event::ReofferExpired { call, status },
        Notice::RequestExpired { server } => Event::RequestExpired {
            request: server_handle(server),
            call: Some(call),
        },
        Notice::TargetRefreshed => Event::TargetRefreshed { call },
        Notice::PeerIdentified { leg, request } => Event::PeerIdentified { call, leg, request },
        Notice::Identified { response } => Event::Identified { call, response },
        Notice::Offered { server, request } => Event::Offered {
            call,
            request: server_handle(server),
            message: request,
        },
        Notice::Pracked { request, session } => Event::Pracked {
            call,
            request,
            session,
        },
        Notice::SessionRefreshed { response } => Event::SessionRefreshed { call, response },
        Notice::Refreshed { request } => Event::Refreshed { call, request },
        Notice::Request { server, request } => {
            let (request, message) = (server_handle(server), request);
            Event::Request {
                request,
                call: Some(call),
                message,
            }
        }
        Notice::Response { request, response } => Event::Response {
            call,
            request,
            response,
        },
        Notice::RequestFailed { request, failure } => Event::RequestFailed {
            call,
            request,
            failure,
        },
        Notice::ForkDropped { response } => Event::ForkDropped { call, response },
        Notice::Ended { reason } => Event::Ended { call, reason },
    }
}

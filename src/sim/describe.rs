//! Messages and events in few words.

use alloc::format;
use alloc::string::{String, ToString};

use crate::call::offer_answer::Verdict;
use crate::call::{Early, EndReason, Side};
use crate::endpoint::{Dropped, Event};
use crate::locate::Question;
use crate::message::Response;

pub(super) fn query(question: &Question) -> String {
    match question {
        Question::Naptr { name } => format!("asks for NAPTR of {name}"),
        Question::Srv { name } => format!("asks for SRV of {name}"),
        Question::Addresses { name } => format!("asks for {name}"),
    }
}

pub(super) fn dropped(dropped: &Dropped) -> String {
    match dropped {
        Dropped::Malformed { kind, .. } => format!("drops Malformed {kind:?}"),
        Dropped::KeepAlive
        | Dropped::StrayResponse
        | Dropped::ForeignResponse
        | Dropped::StrayAck
        | Dropped::StrayRequest
        | Dropped::Overload
        | Dropped::Shed
        | Dropped::StaleAnswer
        | Dropped::StaleFailure => format!("drops {dropped:?}"),
    }
}

/// What a user heard.
pub(super) fn event(event: &Event) -> String {
    match event {
        Event::Incoming { offer, .. } => with_body("hears Incoming", offer.is_empty()),
        Event::Redirected {
            target, response, ..
        } => {
            let status = response.as_ref().map(|r| r.status().as_u16());
            let status = status.map_or("silence".to_string(), |status| status.to_string());
            format!("hears Redirected {status}, to {}", target.as_uri())
        }
        Event::Retried { response, .. } => of("Retried", response),
        Event::Rerouted { reason, flow, .. } => {
            let (transport, remote) = (flow.transport, flow.remote);
            format!("hears Rerouted {reason:?}, to {transport} {remote}")
        }
        Event::Progress {
            response, early, ..
        } => progress(response, *early),
        Event::Answered {
            response,
            answer_needed,
            ..
        } => needed("Answered", response, *answer_needed),
        Event::Acknowledged {
            request,
            answer_missing,
            ..
        } => {
            let text = with_body("hears Acknowledged", request.body_slice().is_empty());
            match answer_missing {
                true => format!("{text}, answer missing"),
                false => text,
            }
        }
        Event::Reoffered { request, .. } => {
            with_body("hears Reoffered", request.body_slice().is_empty())
        }
        Event::ReofferCancelled { .. } => "hears ReofferCancelled".to_string(),
        Event::Updated {
            response,
            answer_needed,
            ..
        } => needed("Updated", response, *answer_needed),
        Event::UpdateRefused {
            response, changed, ..
        } => {
            let text = of("UpdateRefused", response);
            match changed {
                true => format!("{text}, undoes changes"),
                false => text,
            }
        }
        Event::Offered { message, .. } => format!("hears Offered {} (body)", message.method()),
        Event::Pracked {
            request, session, ..
        } => {
            let text = with_body("hears Pracked", request.body_slice().is_empty());
            match *session == Verdict::Missing {
                true => format!("{text}, answer missing"),
                false => text,
            }
        }
        Event::SessionRefreshed { response, .. } => of("SessionRefreshed", response),
        Event::Refreshed { .. } => "hears Refreshed".to_string(),
        Event::UpdateDeferred { response, .. } => of("UpdateDeferred", response),
        Event::ReinviteOutdated { .. } => "hears ReinviteOutdated".to_string(),
        Event::UpdateOutdated { .. } => "hears UpdateOutdated".to_string(),
        Event::ReofferExpired { status, .. } => {
            format!("hears ReofferExpired {}", status.as_u16())
        }
        Event::RequestExpired { .. } => "hears RequestExpired".to_string(),
        Event::TargetRefreshed { .. } => "hears TargetRefreshed".to_string(),
        Event::PeerIdentified { request, .. } => {
            let uri = request.from().uri().as_bytes().escape_ascii();
            format!("hears PeerIdentified {uri}")
        }
        Event::Identified { response, .. } => of("Identified", response),
        Event::Request { call, message, .. } => {
            let within = if call.is_some() {
                ""
            } else {
                " outside a call"
            };
            format!("hears Request {}{within}", message.method())
        }
        Event::Response { response, .. } => of("Response", response),
        Event::RequestFailed { failure, .. } => format!("hears RequestFailed {failure:?}"),
        Event::ForkDropped { response, .. } => of("ForkDropped", response),
        Event::OverloadBegan { bound } => format!("hears OverloadBegan: {bound:?}"),
        Event::OverloadEnded { .. } => "hears OverloadEnded".to_string(),
        Event::Ended { reason, .. } => format!("hears Ended: {}", ended(reason)),
    }
}

/// A session description in it is what its body is, unless it is a preview.
fn progress(response: &Response, early: Option<Early>) -> String {
    let text = of("Progress", response);
    match early.map(|early| early.session) {
        Some(Verdict::Preview) => format!("{text}, preview"),
        Some(Verdict::Offer) => format!("{text}, answer needed"),
        Some(Verdict::Ignore) => format!("{text}, ignored"),
        Some(_) | None => text,
    }
}

fn of(name: &str, response: &Response) -> String {
    let text = format!("hears {name} {}", response.status().as_u16());
    with_body(&text, response.body_slice().is_empty())
}

fn needed(name: &str, response: &Response, answer_needed: bool) -> String {
    let text = of(name, response);
    match answer_needed {
        true => format!("{text}, answer needed"),
        false => text,
    }
}

fn with_body(text: &str, empty: bool) -> String {
    match empty {
        true => text.to_string(),
        false => format!("{text} (body)"),
    }
}

fn ended(reason: &EndReason) -> String {
    match reason {
        EndReason::Refused { response } => format!("refused {}", response.status().as_u16()),
        EndReason::Completed { response } => format!("completed {}", response.status().as_u16()),
        EndReason::Failed(failure) => format!("failed {failure:?}"),
        EndReason::Cancelled { timeout: true } => "cancelled, rang too long".to_string(),
        EndReason::Cancelled { timeout: false } => "cancelled".to_string(),
        EndReason::CancelledByCaller { .. } => "cancelled by the caller".to_string(),
        EndReason::Rejected { status } => format!("rejected {}", status.as_u16()),
        EndReason::Unanswered => "unanswered".to_string(),
        EndReason::HungUp { by, .. } => match by {
            Side::Local => "hung up by this side".to_string(),
            Side::Remote => "hung up by the other side".to_string(),
        },
        EndReason::ByeFailed(failure) => format!("BYE failed {failure:?}"),
        EndReason::NoAck { bye: None } => "no ACK".to_string(),
        EndReason::NoAck { bye: Some(failure) } => format!("no ACK, and BYE failed {failure:?}"),
        EndReason::SessionExpired => "the session expired".to_string(),
        EndReason::NoPrack => "no PRACK".to_string(),
        EndReason::NoAnswer => "no answer from this side".to_string(),
        EndReason::DialogLost {
            response: Some(response),
        } => {
            format!("dialog lost, {}", response.status().as_u16())
        }
        EndReason::DialogLost { response: None } => "dialog lost, silence".to_string(),
    }
}

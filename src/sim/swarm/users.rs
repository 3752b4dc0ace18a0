//! Users who do what their scenario says.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use core::cell::RefCell;
use core::time::Duration;

use super::ledger::{Ledger, SideLog};
use super::{Act, Call, Deed, Manners, Reaction, draw};
use crate::call::offer_answer::Verdict;
use crate::call::{Early, Invitation};
use crate::endpoint::{CallHandle, Event, RequestHandle};
use crate::message::{Body, Outgoing, Request, StatusCode};
use crate::sim::{Turn, User};

type Shared = Rc<RefCell<Ledger>>;

/// Whoever uses the endpoint of a node.
pub(super) fn user(node: usize, ledger: Shared) -> impl User + 'static {
    move |turn: &mut Turn<'_>, event: Event| on_event(node, &ledger, turn, event)
}

/// The deed that places a call.
pub(super) fn place(call: Call, ledger: Shared) -> impl FnOnce(&mut Turn<'_>) + 'static {
    move |turn: &mut Turn<'_>| {
        let (_, callee) = draw::place(call.callee);
        let target = format!("sip:call{}@{callee}", call.number);
        let from = format!("sip:n{}@example.com", call.caller);
        let outgoing = match call.with_offer {
            true => sdp(),
            false => Outgoing::default(),
        };
        let ordinal = call.number as u64;
        let placed = Invitation::new(&target, &from).and_then(|i| {
            turn.endpoint
                .place(turn.now, ordinal, i.with(outgoing), turn.out)
        });
        let mut log = ledger.borrow_mut();
        match placed {
            Ok(handle) => {
                if let Some(log) = log.of_number(call.number) {
                    log.caller.call = Some(handle);
                }
                update_early(turn, &call, true, handle);
                if let Some(patience) = call.patience {
                    // It may stand by then: what is hung up is harmless to hang up.
                    turn.after(patience, move |turn| hang_up(turn, handle));
                }
            }
            Err(misuse) => log.misuses.push(format!("place {}: {misuse}", call.number)),
        }
    }
}

fn on_event(node: usize, ledger: &Shared, turn: &mut Turn<'_>, event: Event) {
    let manners = hear(node, ledger, &event);
    match event {
        Event::Incoming { call, request, .. } => on_incoming(ledger, turn, call, &request),
        Event::Answered {
            call,
            answer_needed,
            ..
        } => {
            if answer_needed {
                let _ = turn.call(call, |call, now, out| call.acknowledge(now, sdp(), out));
            }
            on_standing(node, ledger, turn, call);
        }
        Event::Acknowledged { call, .. } => on_standing(node, ledger, turn, call),
        Event::Progress {
            call,
            early:
                Some(Early {
                    leg,
                    session: Verdict::Offer,
                    is_reliable: true,
                    ..
                }),
            ..
        } => {
            let _ = turn.call(call, |call, now, out| call.prack(now, leg, sdp(), out));
        }
        Event::Updated {
            call,
            answer_needed: true,
            ..
        } => {
            let _ = turn.call(call, |call, now, out| call.acknowledge(now, sdp(), out));
        }
        Event::Reoffered { call, .. } => on_reoffered(turn, call, manners),
        Event::Request { request, .. } => on_request(turn, request, manners, Outgoing::default()),
        Event::Offered { request, .. } => on_request(turn, request, manners, sdp()),
        Event::Ended { call, reason } => {
            if let Some(found) = ledger.borrow_mut().of_handle(node, call) {
                found.side.ends.push(format!("{reason:?}"));
            }
        }
        // What is only to be heard.
        Event::Progress { .. }
        | Event::Pracked { .. }
        | Event::Refreshed { .. }
        | Event::SessionRefreshed { .. }
        | Event::PeerIdentified { .. }
        | Event::Identified { .. }
        | Event::Redirected { .. }
        | Event::Retried { .. }
        | Event::Rerouted { .. }
        | Event::ReofferCancelled { .. }
        | Event::Updated { .. }
        | Event::UpdateRefused { .. }
        | Event::UpdateDeferred { .. }
        | Event::ReinviteOutdated { .. }
        | Event::UpdateOutdated { .. }
        | Event::ReofferExpired { .. }
        | Event::RequestExpired { .. }
        | Event::TargetRefreshed { .. }
        | Event::Response { .. }
        | Event::RequestFailed { .. }
        | Event::ForkDropped { .. }
        | Event::OverloadBegan { .. }
        | Event::OverloadEnded { .. } => {}
    }
}

/// Looks whether this may still be heard, and says what manners are on this call.
fn hear(node: usize, ledger: &Shared, event: &Event) -> Manners {
    let (name, call) = match event {
        Event::Incoming { call, .. } => ("Incoming", *call),
        Event::Progress { call, .. } => ("Progress", *call),
        Event::Redirected { call, .. } => ("Redirected", *call),
        Event::Retried { call, .. } => ("Retried", *call),
        Event::Rerouted { call, .. } => ("Rerouted", *call),
        Event::Answered { call, .. } => ("Answered", *call),
        Event::Acknowledged { call, .. } => ("Acknowledged", *call),
        Event::Reoffered { call, .. } => ("Reoffered", *call),
        Event::ReofferCancelled { call, .. } => ("ReofferCancelled", *call),
        Event::Updated { call, .. } => ("Updated", *call),
        Event::UpdateRefused { call, .. } => ("UpdateRefused", *call),
        Event::UpdateDeferred { call, .. } => ("UpdateDeferred", *call),
        Event::ReinviteOutdated { call, .. } => ("ReinviteOutdated", *call),
        Event::UpdateOutdated { call, .. } => ("UpdateOutdated", *call),
        Event::ReofferExpired { call, .. } => ("ReofferExpired", *call),
        Event::RequestExpired { call, .. } => match call {
            Some(call) => ("RequestExpired", *call),
            None => return Manners::Good,
        },
        Event::TargetRefreshed { call } => ("TargetRefreshed", *call),
        Event::PeerIdentified { call, .. } => ("PeerIdentified", *call),
        Event::Identified { call, .. } => ("Identified", *call),
        Event::Offered { call, .. } => ("Offered", *call),
        Event::Pracked { call, .. } => ("Pracked", *call),
        Event::Refreshed { call, .. } => ("Refreshed", *call),
        Event::SessionRefreshed { call, .. } => ("SessionRefreshed", *call),
        Event::Request { call, .. } => match call {
            Some(call) => ("Request", *call),
            None => return Manners::Good,
        },
        Event::Response { call, .. } => ("Response", *call),
        Event::RequestFailed { call, .. } => ("RequestFailed", *call),
        // The one that may come behind the end, and that itself.
        Event::ForkDropped { .. } | Event::Ended { .. } => return Manners::Good,
        // They are of no call.
        Event::OverloadBegan { .. } | Event::OverloadEnded { .. } => return Manners::Good,
    };
    let mut ledger = ledger.borrow_mut();
    let Some(found) = ledger.of_handle(node, call) else {
        return Manners::Good;
    };
    if !found.side.ends.is_empty() {
        found.side.late.push(name.to_string());
    }
    found.plan.manners
}

fn on_reoffered(turn: &mut Turn<'_>, call: CallHandle, manners: Manners) {
    // What came since then may have ended it.
    let answer = move |turn: &mut Turn<'_>| {
        let _ = turn.call(call, |call, now, out| call.answer(now, sdp(), out));
    };
    match manners {
        Manners::Good => turn.after(Duration::from_millis(50), answer),
        Manners::Slow(wait) => turn.after(wait, answer),
        Manners::Refusing(status) => {
            let status = StatusCode::new(status).unwrap_or(StatusCode::BUSY_HERE);
            let refused = turn.call(call, |call, now, out| {
                call.reject(now, status, Outgoing::default(), out)
            });
            if refused.is_err() {
                answer(turn);
            }
        }
        Manners::Silent => {}
    }
}

fn on_request(turn: &mut Turn<'_>, request: RequestHandle, manners: Manners, with: Outgoing) {
    let answer = move |turn: &mut Turn<'_>| {
        let _ = turn.request(request, |request, now, out| {
            request.respond(now, StatusCode::OK, with, out)
        });
    };
    match manners {
        Manners::Good => answer(turn),
        Manners::Slow(wait) => turn.after(wait, answer),
        // If that is refused, the core says 500 in the end.
        Manners::Refusing(status) => {
            let status = StatusCode::new(status).unwrap_or(StatusCode::BUSY_HERE);
            let _ = turn.request(request, |request, now, out| {
                request.respond(now, status, Outgoing::default(), out)
            });
        }
        Manners::Silent => {}
    }
}

/// Plans the UPDATEs of one side that come before the answer.
fn update_early(turn: &mut Turn<'_>, plan: &Call, by_caller: bool, call: CallHandle) {
    let own = plan.early_updates.iter().filter(|(by, _)| *by == by_caller);
    for (_, after) in own {
        turn.after(*after, move |turn| {
            let _ = turn.call(call, |call, now, out| call.update(now, sdp(), out));
        });
    }
}

fn on_incoming(ledger: &Shared, turn: &mut Turn<'_>, call: CallHandle, request: &Request) {
    let number = request.uri().as_sip().and_then(|uri| {
        let user = core::str::from_utf8(uri.user()?).ok()?;
        user.strip_prefix("call")?.parse().ok()
    });
    let mut shared = ledger.borrow_mut();
    let Some(log) = number.and_then(|number: usize| shared.of_number(number)) else {
        let uri = request.uri().to_string();
        shared.misuses.push(format!("a call for nobody: {uri}"));
        return;
    };
    let has_offer = !request.body_slice().is_empty();
    if has_offer != log.plan.with_offer {
        let number = log.plan.number;
        shared.misuses.push(format!("call {number} lost its offer"));
        return;
    }
    log.callees.push(SideLog {
        call: Some(call),
        ..SideLog::default()
    });
    let number = log.plan.number;
    update_early(turn, &log.plan, false, call);
    match log.plan.reaction.clone() {
        Reaction::Answer(after) => turn.after(after, answer(ledger, number, call)),
        Reaction::EarlyMedia(media, after) => {
            turn.after(media, move |turn| {
                let session = StatusCode::SESSION_PROGRESS;
                let _ = turn.call(call, |call, now, out| {
                    call.progress(now, session, sdp(), out)
                });
            });
            let after = media.saturating_add(after);
            turn.after(after, answer(ledger, number, call));
        }
        Reaction::Reject(after, status) => turn.after(after, move |turn| {
            let status = StatusCode::new(status).unwrap_or(StatusCode::BUSY_HERE);
            // It may have been cancelled.
            let _ = turn.call(call, |call, now, out| {
                call.reject(now, status, Outgoing::default(), out)
            });
        }),
        Reaction::Ring => {}
        Reaction::Ignore => return,
    }
    let _ = turn.call(call, |call, now, out| call.ring(now, out));
}

/// The deed that answers a call.
fn answer(
    ledger: &Shared,
    number: usize,
    call: CallHandle,
) -> impl FnOnce(&mut Turn<'_>) + 'static {
    let ledger = Rc::clone(ledger);
    move |turn: &mut Turn<'_>| {
        let answered = turn.call(call, |call, now, out| call.answer(now, sdp(), out));
        if let Some(log) = ledger.borrow_mut().of_number(number)
            && let Some(side) = log.callees.iter_mut().find(|s| s.call == Some(call))
            && answered.is_ok()
            && side.ends.is_empty()
        {
            side.accepted = true;
        }
    }
}

/// The call stands on this side: it does what was planned.
fn on_standing(node: usize, ledger: &Shared, turn: &mut Turn<'_>, call: CallHandle) {
    let mut shared = ledger.borrow_mut();
    let Some(found) = shared.of_handle(node, call) else {
        return;
    };
    if found.side.stands {
        // Acknowledged comes again for a re-INVITE.
        return;
    }
    found.side.stands = true;
    if !found.side.ends.is_empty() {
        found.side.late.push("stands".to_string());
    }
    let is_caller = found.is_caller;
    for act in found
        .plan
        .acts
        .iter()
        .filter(|act| act.by_caller == is_caller)
    {
        let Act { after, deed, .. } = *act;
        let ledger = Rc::clone(ledger);
        turn.after(after, move |turn| do_it(node, &ledger, turn, call, deed));
    }
}

/// A deed may come too late, or meet another: then it is refused or harmless, and all goes on.
fn do_it(node: usize, ledger: &Shared, turn: &mut Turn<'_>, call: CallHandle, deed: Deed) {
    let done = match deed {
        Deed::HangUp => return hang_up(turn, call),
        Deed::Reinvite => turn.call(call, |call, now, out| call.reinvite(now, sdp(), out)),
        Deed::Update => turn.call(call, |call, now, out| call.update(now, sdp(), out)),
        Deed::Refresh => turn.call(call, |call, now, out| {
            call.update(now, Outgoing::default(), out)
        }),
        Deed::Info => turn.call(call, |call, now, out| {
            call.send(now, "INFO", Outgoing::default(), out)
        }),
        Deed::CancelReinvite => turn.call(call, |call, now, out| {
            call.cancel_reinvite(now, Outgoing::default(), out)
        }),
        Deed::Abandon => {
            let Ok(view) = turn.endpoint.call(call) else {
                return;
            };
            view.abandon();
            if let Some(found) = ledger.borrow_mut().of_handle(node, call) {
                found.side.abandoned = true;
            }
            return;
        }
    };
    let _ = done;
}

fn hang_up(turn: &mut Turn<'_>, call: CallHandle) {
    let _ = turn.call(call, |call, now, out| call.hang_up(now, out));
}

fn sdp() -> Outgoing {
    Outgoing::default().with_body(Body::sdp("v=0\r\n"))
}

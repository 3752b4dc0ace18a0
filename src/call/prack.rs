//! Reliable provisional responses of the other side (RFC 3262 4), and the PRACKs for them.
//!
//! A PRACK goes by itself, unless the response carries an offer: then the user gives the answer.

use super::declined::declining;
use super::description::{describes, has_session};
use super::exchange::{Fate, Own, What};
use super::leg::Leg;
use super::offer_answer::Message;
use super::reliable::{Kind, Order, RseqOrder, kind};
use super::{Action, Core, Early, LegId, Notice, check, wrong_state};
use crate::auth;
use crate::call::offer_answer::Verdict;
use crate::dialog::contact_of;
use crate::error::Misuse;
use crate::message::{Body, HeaderList, Method, Name, Outgoing, Response};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// A reliable response whose offer the user has not answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Owed {
    rseq: u32,
    invite: u32,
    pub(super) until: Option<Time>,
    /// The answer that refuses all that it offers.
    declined: Option<Body>,
}

impl Core {
    /// A 101-199 to the INVITE of this side on this leg. `None`: it is a copy, out of order or
    /// broken, and means nothing.
    pub(super) fn take_provisional(
        &mut self,
        now: Time,
        at: usize,
        is_new: bool,
        response: &Response,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<Early> {
        let body = has_session(response, &self.context.limits);
        let limits = &self.context.limits;
        let connected = self.context.connected_identity;
        let until = now + limits.request_wait;
        let leg = self.legs.get_mut(at)?;
        let id = leg.id;
        let (message, rseq) = match kind(response) {
            Kind::Broken => return None,
            Kind::Unreliable => (Message::Unreliable, None),
            Kind::Reliable { rseq } => (Message::Reliable, Some(rseq)),
        };
        let invite = response.cseq().number;
        if let Some(rseq) = rseq {
            let place = &mut leg.rare().order;
            let order = place.get_or_insert(RseqOrder::new(invite));
            if order.cseq() != invite {
                *order = RseqOrder::new(invite);
                leg.take_rare(|rare| &mut rare.ahead);
            }
            match leg.order_of(rseq, response, limits.provisionals_ahead) {
                Order::Next => {}
                // The client transaction of the PRACK repeats it; what is missing comes again.
                Order::Repeated | Order::OutOfOrder => return None,
            }
        }
        leg.learn(response, connected);
        let session = leg.exchange.on_received(message, body);
        if let Some(rseq) = rseq {
            if session == Verdict::Offer {
                leg.rare().owed = Some(Owed {
                    rseq,
                    invite,
                    until,
                    declined: declining(response, limits),
                });
            } else {
                self.prack(
                    id,
                    (rseq, invite),
                    Outgoing::default(),
                    auth::Attempt::new(),
                    out,
                );
            }
            if let Some(contact) = contact_of(response).filter(|_| !is_new) {
                // RFC 6141 4.7: an unreliable one refreshes nothing.
                self.refresh_target(at, contact, out);
            }
        }
        Some(Early {
            leg: id,
            is_new,
            is_reliable: rseq.is_some(),
            session,
        })
    }

    /// [`Command::Prack`](super::Command::Prack).
    pub(super) fn answer_in_prack(
        &mut self,
        leg: LegId,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(&outgoing)?;
        let session = describes(&outgoing, &self.context.limits);
        let nothing_owed = wrong_state("prack", "with no answer owed");
        let Some(place) = self.leg_mut(leg).filter(|leg| leg.is_live()) else {
            return Err(nothing_owed);
        };
        if place.owed().is_none() {
            return Err(nothing_owed);
        }
        place.exchange.may_send(Message::Prack, session)?;
        if let Some(Owed { rseq, invite, .. }) = place.take_rare(|rare| &mut rare.owed) {
            self.prack(leg, (rseq, invite), outgoing, auth::Attempt::new(), out);
        }
        Ok(())
    }

    /// The user will not answer the offers in reliable responses: each PRACK that is owed refuses
    /// all that is offered (RFC 6337 5.2.4). That for an offer which nobody here can read has no
    /// answer, but ends the repetitions (RFC 3262 4).
    pub(super) fn decline_owed(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        let owing = |leg: &&Leg| leg.owed().is_some();
        let legs: SmallVec<[LegId; 2]> = self.legs.iter().filter(owing).map(|leg| leg.id).collect();
        for id in legs {
            let Some(leg) = self.leg_mut(id) else {
                continue;
            };
            let owed = leg.take_rare(|rare| &mut rare.owed);
            if let Some(Owed {
                rseq,
                invite,
                declined,
                ..
            }) = owed.filter(|_| leg.is_live())
            {
                let outgoing = Outgoing {
                    headers: HeaderList::new(),
                    body: declined,
                };
                self.prack(id, (rseq, invite), outgoing, auth::Attempt::new(), out);
            }
        }
    }

    fn prack(
        &mut self,
        leg: LegId,
        (rseq, invite): (u32, u32),
        outgoing: Outgoing,
        mut credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let Some(at) = self.leg_at(leg) else {
            return;
        };
        let session = describes(&outgoing, &self.context.limits);
        let rack = RseqOrder::new(invite).rack(rseq);
        let mut full = outgoing.clone();
        // Two numbers and a method cannot be malformed.
        let _ = full
            .headers
            .push(Name::RAck.as_str(), alloc::format!("{rack}"));
        let sent = self.request(at, Method::Prack, &full, &mut credentials, out);
        if let Some(leg) = self.legs.get_mut(at) {
            leg.exchange.on_sent(Message::Prack, session);
        }
        if let Some(request) = sent {
            self.own.push(Own {
                request,
                leg,
                what: What::Prack {
                    rseq,
                    invite,
                    counts: true,
                },
                outgoing,
                credentials,
            });
        }
    }

    pub(super) fn on_prack_response(
        &mut self,
        mut own: Own,
        (rseq, invite, counts): (u32, u32, bool),
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Fate {
        let body = has_session(&response, &self.context.limits);
        let status = response.status();
        if !status.is_success() && self.is_challenged(&mut own.credentials, &response) {
            self.prack(own.leg, (rseq, invite), own.outgoing, own.credentials, out);
            return Fate::Stands;
        }
        let Some(leg) = self.leg_mut(own.leg) else {
            out.push(Action::Absorbed);
            return Fate::Stands;
        };
        let message = match status.is_success() {
            true => Message::PrackSuccess,
            false => Message::PrackFailure,
        };
        if counts {
            leg.exchange.on_received(message, body);
        }
        if status.is_success() || !leg.is_live() {
            return Fate::Stands;
        }
        let fate = Fate::of(Method::Prack, own.leg, &response);
        let request = own.request;
        out.push(Action::Notify(Notice::Response { request, response }));
        fate
    }

    pub(super) fn on_prack_failed(
        &mut self,
        own: &Own,
        counts: bool,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(leg) = self.leg_mut(own.leg)
            && counts
        {
            leg.exchange.on_received(Message::PrackFailure, false);
        }
        let request = own.request;
        out.push(Action::Notify(Notice::RequestFailed { request, failure }));
    }

    /// A response that came too early, and is the next one now (section 4).
    pub(super) fn next_provisional(&mut self, at: usize) -> Option<Box<Response>> {
        let leg = self.legs.get_mut(at).filter(|leg| leg.has_rare())?;
        let rare = leg.rare();
        let order = rare.order?;
        let is_next = |response: &Response| rseq_of(response).is_some_and(|n| order.is_next(n));
        let found = rare.ahead.iter().position(is_next)?;
        let next = rare.ahead.swap_remove(found);
        if rare.ahead.is_empty() {
            rare.ahead = Vec::new();
        }
        Some(Box::new(next))
    }

    /// The INVITE has its final response: its numbers mean nothing any more.
    pub(super) fn end_of_provisionals(&mut self, at: usize) {
        let leg = self.legs.get_mut(at);
        if let Some(leg) = leg.filter(|leg| leg.has_rare()) {
            leg.rare().ahead = Vec::new();
            leg.take_rare(|rare| &mut rare.order);
        }
    }

    /// A new INVITE begins in the dialog: PRACKs for the last one are no part of its exchange.
    pub(super) fn forget_pracks(&mut self) {
        for own in &mut self.own {
            if let What::Prack { counts, .. } = &mut own.what {
                *counts = false;
            }
        }
    }
}

impl Leg {
    /// Where a reliable response stands. One that comes before another may be kept for later.
    fn order_of(&mut self, rseq: u32, response: &Response, most_ahead: usize) -> Order {
        let rare = self.rare();
        let Some(order) = &mut rare.order else {
            return Order::OutOfOrder;
        };
        let place = order.take(rseq);
        let is_ahead = place == Order::OutOfOrder && order.is_ahead(rseq);
        let is_kept = |kept: &Response| rseq_of(kept) == Some(rseq);
        let room = rare.ahead.len() < most_ahead;
        if is_ahead && room && !rare.ahead.iter().any(is_kept) {
            rare.ahead.push(response.clone());
        }
        place
    }
}

fn rseq_of(response: &Response) -> Option<u32> {
    response.rseq()?.ok()
}

//! Requests of this side that carry offers and answers beside INVITE: who sent them, and what
//! their responses end.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Deref;

use super::callee::Host;
use super::description::describes;
use super::leg::Leg;
use super::offer_answer::{Message, OfferAnswer, Verdict};
use super::session::sent::ends_session;
use super::{Action, Core, LegId, RequestId};
use crate::auth;
use crate::message::{Method, Outgoing, Response, UriBuf};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;

/// The offer/answer state of a leg, and how many answers there were.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Exchange {
    state: OfferAnswer,
    /// It wraps: what compares two counts is over long before that.
    answers: u8,
}

impl From<OfferAnswer> for Exchange {
    fn from(state: OfferAnswer) -> Self {
        Self { state, answers: 0 }
    }
}

impl Deref for Exchange {
    type Target = OfferAnswer;

    fn deref(&self) -> &OfferAnswer {
        &self.state
    }
}

impl Exchange {
    /// [`OfferAnswer::on_sent`].
    pub(super) fn on_sent(&mut self, message: Message, body: bool) -> Verdict {
        let verdict = self.state.on_sent(message, body);
        self.count(verdict)
    }

    /// [`OfferAnswer::on_received`].
    pub(super) fn on_received(&mut self, message: Message, body: bool) -> Verdict {
        let verdict = self.state.on_received(message, body);
        self.count(verdict)
    }

    fn count(&mut self, verdict: Verdict) -> Verdict {
        let answered = verdict == Verdict::Answer;
        self.answers = self.answers.wrapping_add(answered.into());
        verdict
    }
}

/// An UPDATE or PRACK of this side without final response.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Own {
    pub(super) request: RequestId,
    pub(super) leg: LegId,
    pub(super) what: What,
    /// What the user wants, for another try.
    pub(super) outgoing: Outgoing,
    pub(super) credentials: auth::Attempt,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum What {
    Update {
        /// How often it has met glare.
        glares: u8,
        /// What it is for.
        why: Why,
    },
    Prack {
        rseq: u32,
        /// CSeq number of its INVITE.
        invite: u32,
        /// Whether it is part of the exchange of the INVITE in progress.
        counts: bool,
    },
}

/// What an UPDATE of this side is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Why {
    /// The user's business.
    User,
    /// The session is to be refreshed.
    Refresh,
    /// The other side is told who this side is (RFC 4916).
    Identity,
}

/// What a request of the other side that waits for its answer is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Asked {
    /// Nothing to the core.
    Plain,
    /// An UPDATE with an offer.
    Update(Box<AskedUpdate>),
    /// A PRACK with an offer.
    Prack,
    /// One of another usage of the dialog that names the target from then on (RFC 5057 5.4).
    Target(Box<(LegId, UriBuf)>),
}

/// What the 2xx to an UPDATE needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct AskedUpdate {
    pub(super) leg: LegId,
    /// The target from then on.
    pub(super) contact: Option<UriBuf>,
    pub(super) host: Host,
    /// What it asks of the session timer.
    pub(super) timer: Option<super::session_timer::Asked>,
}

/// What a response, or its absence, does to the dialog of its request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Fate {
    /// The dialog stands.
    Stands,
    /// The other side has lost it.
    Lost(LegId, Option<Box<Response>>),
}

impl Fate {
    /// 12.2.1.2; RFC 3311 5.3; RFC 5057 5.1.
    pub(super) fn of(method: Method<'_>, leg: LegId, response: &Response) -> Self {
        match ends_session(method, response) {
            true => Self::Lost(leg, Some(Box::new(response.clone()))),
            false => Self::Stands,
        }
    }
}

impl Core {
    /// How many answers there were on this leg.
    pub(super) fn answers(&self, at: usize) -> u8 {
        self.legs.get(at).map_or(0, |leg| leg.exchange.answers)
    }

    /// Whether another exchange has been completed since there were so many, so that what this
    /// offers was made for a session that is no more.
    pub(super) fn is_outdated(&self, at: usize, answers: u8, outgoing: &Outgoing) -> bool {
        answers != self.answers(at) && describes(outgoing, &self.context.limits)
    }

    /// Takes the request out, if it is an UPDATE or PRACK of this side.
    pub(super) fn take_own(&mut self, request: RequestId) -> Option<Own> {
        let at = self.own.iter().position(|own| own.request == request)?;
        let own = self.own.swap_remove(at);
        if self.own.is_empty() {
            self.own = Vec::new();
        }
        Some(own)
    }

    /// Whether an UPDATE of the user has no final response, or waits for its next try.
    pub(super) fn is_updating(&self) -> bool {
        let is_update = |own: &Own| matches!(own.what, What::Update { why: Why::User, .. });
        self.own.iter().any(is_update) || self.legs.iter().any(Leg::is_deferred)
    }

    pub(super) fn is_own(&self, request: RequestId) -> bool {
        self.own.iter().any(|own| own.request == request)
    }

    /// A response to an UPDATE or PRACK of this side.
    pub(super) fn on_own_response(
        &mut self,
        now: Time,
        request: RequestId,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Fate {
        if !response.status().is_final() {
            out.push(Action::Absorbed);
            return Fate::Stands;
        }
        let Some(own) = self.take_own(request) else {
            return Fate::Stands;
        };
        match own.what {
            What::Update { glares, why } => {
                self.on_update_response(now, own, (glares, why), response, out)
            }
            What::Prack {
                rseq,
                invite,
                counts,
            } => self.on_prack_response(own, (rseq, invite, counts), response, out),
        }
    }

    /// An UPDATE or PRACK of this side got no response.
    pub(super) fn on_own_failed(
        &mut self,
        request: RequestId,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Fate {
        let Some(own) = self.take_own(request) else {
            return Fate::Stands;
        };
        match own.what {
            What::Update { .. } => self.on_update_failed(&own, failure, out),
            What::Prack { counts, .. } => self.on_prack_failed(&own, counts, failure, out),
        }
        match failure {
            // 8.1.3.1: a transport that cannot send is a 503, which ends no dialog.
            Failure::Transport
            | Failure::Withheld
            | Failure::Unroutable
            | Failure::Unresolved
            | Failure::NoLocalAddress
            | Failure::NoRoom
            | Failure::Withdrawn => Fate::Stands,
            // 12.2.1.2: silence is a 408.
            Failure::Timeout | Failure::NoAck | Failure::CancelTimeout => Fate::Lost(own.leg, None),
        }
    }
}

//! UPDATE (RFC 3311), both ways, in early and confirmed dialogs.
//!
//! Who may offer when is [`offer_answer`](super::offer_answer)'s matter; here is what is done about
//! it. An UPDATE without an offer is answered at once; one with an offer is the user's to answer.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;

use super::callee::Host;
use super::description::{describes, has_session};
use super::exchange::{Asked, AskedUpdate, Fate, Own, What, Why};
use super::leg::LegState;
use super::offer_answer::{Message, Refusal, Verdict, glare_wait};
use super::retries::retry_after;
use super::{Action, Core, LegId, Notice, Pending, ServerId, check, wrong_state};
use crate::auth;
use crate::dialog::contact_of;
use crate::error::Misuse;
use crate::message::{
    HeaderList, Method, Name, Outgoing, Reply, Request, Response, StatusCode, Uri,
};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;

/// Delays after glare are multiples of 10 ms (3261 14.1).
pub(super) const GLARE_STEP: Duration = Duration::from_millis(10);

/// The most seconds that who refuses an overlapping offer asks for (3261 14.2, RFC 3311 5.2).
const MOST_WAIT: u32 = 10;

/// An UPDATE of this side that met glare, and when it is sent again (5.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Deferred {
    pub(super) at: Option<Time>,
    outgoing: Outgoing,
    glares: u8,
    pub(super) why: Why,
    /// How many answers there were when it began to wait.
    answers: u8,
}

/// Sending.
impl Core {
    /// [`Command::Update`](super::Command::Update). It takes the place of one that waits for its
    /// next try after glare.
    pub(super) fn update(
        &mut self,
        leg: Option<LegId>,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(&outgoing)?;
        check_update(&outgoing)?;
        let leg = match leg {
            Some(id) => self.leg_at(id).and_then(|at| self.legs.get_mut(at)),
            None => self.legs.first_mut(),
        };
        let Some(leg) = leg.filter(|leg| leg.is_live()) else {
            return Err(wrong_state("update", "without that dialog"));
        };
        if leg.takes_update == Some(false) {
            // 4: who lists what it allows, and not this, does not know it.
            return Err(wrong_state("update", "with a side that has no UPDATE"));
        }
        let offers = describes(&outgoing, &self.context.limits);
        leg.exchange.may_send(Message::Update, offers)?;
        let id = leg.id;
        leg.take_rare(|rare| &mut rare.deferred);
        self.send_update(id, outgoing, (0, Why::User), auth::Attempt::new(), out);
        Ok(())
    }

    /// An UPDATE without an offer that refreshes the session. Whether it could go.
    pub(super) fn send_refresh(
        &mut self,
        id: LegId,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> bool {
        let leg = self.leg_mut(id).filter(|leg| leg.is_live());
        let free = leg.is_some_and(|leg| leg.exchange.may_send(Message::Update, false).is_ok());
        if free {
            let at = self.leg_at(id).unwrap_or_default();
            let headers = self.refresh_headers(at, false);
            let outgoing = Outgoing::new().with_headers(headers);
            self.send_update(id, outgoing, (0, Why::Refresh), auth::Attempt::new(), out);
        }
        free
    }

    /// An UPDATE that says nothing but who this side is (RFC 4916 4.2, 4.3).
    pub(super) fn send_identity(&mut self, leg: LegId, out: &mut (impl Sink<Action> + ?Sized)) {
        let how = (0, Why::Identity);
        self.send_update(leg, Outgoing::new(), how, auth::Attempt::new(), out);
    }

    fn send_update(
        &mut self,
        leg: LegId,
        outgoing: Outgoing,
        (glares, why): (u8, Why),
        mut credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let Some(at) = self.leg_at(leg) else {
            return;
        };
        let offers = describes(&outgoing, &self.context.limits);
        let headers = self.with_local_target(&outgoing.headers);
        let headers = match self.legs.get(at).is_some_and(|leg| leg.session().is_some()) {
            true => self.put_timer(at, headers),
            false => headers,
        };
        let full = Outgoing {
            headers: self.with_capabilities(&headers),
            body: outgoing.body.clone(),
        };
        let sent = self.request(at, Method::Update, &full, &mut credentials, out);
        let Some(request) = sent else {
            return;
        };
        if let Some(leg) = self.legs.get_mut(at) {
            leg.exchange.on_sent(Message::Update, offers);
        }
        self.own.push(Own {
            request,
            leg,
            what: What::Update { glares, why },
            outgoing,
            credentials,
        });
        self.told_identity(at);
    }

    pub(super) fn on_update_response(
        &mut self,
        now: Time,
        mut own: Own,
        (glares, why): (u8, Why),
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Fate {
        if response.status().is_success() {
            self.on_update_accepted(now, &own, why, response, out);
            return Fate::Stands;
        }
        let challenged = self.is_challenged(&mut own.credentials, &response);
        let most = self.context.limits.glare_retries;
        let Some(leg) = self.leg_mut(own.leg) else {
            out.push(Action::Absorbed);
            return Fate::Stands;
        };
        leg.exchange.on_received(Message::UpdateFailure, false);
        if !leg.is_live() {
            out.push(Action::Absorbed);
            return Fate::Stands;
        }
        let at = self.leg_at(own.leg).unwrap_or_default();
        if challenged || self.is_longer_now(at, &response) {
            let what = (glares, why);
            self.send_update(own.leg, own.outgoing, what, own.credentials, out);
            return Fate::Stands;
        }
        let fate = Fate::of(Method::Update, own.leg, &response);
        if why == Why::Refresh && fate == Fate::Stands {
            out.push(Action::Absorbed);
            self.refresh_refused(now, own.leg, &response);
            return fate;
        }
        if glares < most
            && let Some(at) = self.after_refusal(now, &response)
        {
            let deferred = Deferred {
                at: Some(at),
                outgoing: own.outgoing,
                glares: glares.saturating_add(1),
                why,
                answers: self.leg_at(own.leg).map_or(0, |at| self.answers(at)),
            };
            if let Some(leg) = self.leg_mut(own.leg) {
                leg.rare().deferred = Some(deferred);
            }
            out.push(match why {
                Why::User => Action::Notify(Notice::UpdateDeferred { response }),
                Why::Refresh | Why::Identity => Action::Absorbed,
            });
            return Fate::Stands;
        }
        let changed = false;
        out.push(Action::Notify(match why {
            Why::Identity => Notice::Identified { response },
            Why::User | Why::Refresh => Notice::UpdateRefused { response, changed },
        }));
        fate
    }

    /// The 2xx to an UPDATE of this side: the answer, and a target refresh (5.1).
    fn on_update_accepted(
        &mut self,
        now: Time,
        own: &Own,
        why: Why,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.is_authorized(&own.credentials, &response);
        self.accepted_contact(&own.outgoing.headers);
        let answer_needed = false;
        let connected = self.context.connected_identity;
        let body = has_session(&response, &self.context.limits);
        if let Some(at) = self.leg_at(own.leg) {
            if let Some(leg) = self.legs.get_mut(at) {
                leg.exchange.on_received(Message::UpdateSuccess, body);
                leg.learn(&response, connected);
            }
            if let Some(contact) = contact_of(&response) {
                self.refresh_target(at, contact, out);
            }
            if self.legs.get(at).is_some_and(|leg| leg.session().is_some()) {
                self.renew_timer(now, at, &response);
                self.described(at, own.outgoing.body.as_ref());
            }
        }
        out.push(Action::Notify(match why {
            Why::Refresh => Notice::SessionRefreshed { response },
            Why::Identity => Notice::Identified { response },
            Why::User => Notice::Updated {
                response,
                answer_needed,
            },
        }));
    }

    pub(super) fn on_update_failed(
        &mut self,
        own: &Own,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(leg) = self.leg_mut(own.leg) {
            leg.exchange.on_received(Message::UpdateFailure, false);
        }
        let request = own.request;
        out.push(Action::Notify(Notice::RequestFailed { request, failure }));
    }

    /// 5.3: once more, unless something else is in progress; then it waits again. What would offer
    /// what was true before another exchange goes back to the user (RFC 3264 8).
    pub(super) fn retry_update(
        &mut self,
        now: Time,
        leg: LegId,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let context = self.context.clone();
        let Some(place) = self.leg_mut(leg) else {
            return;
        };
        let Some(mut deferred) = place.take_rare(|rare| &mut rare.deferred) else {
            return;
        };
        if !place.is_live() {
            return;
        }
        let offers = describes(&deferred.outgoing, &context.limits);
        if place.exchange.may_send(Message::Update, offers).is_ok() {
            let Deferred {
                outgoing,
                glares,
                why,
                answers,
                ..
            } = deferred;
            let at = self.leg_at(leg).unwrap_or_default();
            if self.is_outdated(at, answers, &outgoing) {
                let outgoing = Box::new(outgoing);
                return out.push(Action::Notify(Notice::UpdateOutdated { leg, outgoing }));
            }
            let what = (glares, why);
            return self.send_update(leg, outgoing, what, auth::Attempt::new(), out);
        }
        // Later than now, whatever was drawn (law L8).
        deferred.at = self.after_glare(now).max(now + GLARE_STEP);
        if let Some(place) = self.leg_mut(leg) {
            place.rare().deferred = Some(deferred);
        }
    }

    /// When to try again what was refused because of something else that is in progress: 491, or
    /// 500 with the Retry-After of such a refusal (3261 14.1, 14.2; RFC 3311 5.2, 5.3).
    pub(super) fn after_refusal(&mut self, now: Time, response: &Response) -> Option<Time> {
        match response.status() {
            StatusCode::REQUEST_PENDING => self.after_glare(now),
            StatusCode::SERVER_INTERNAL_ERROR => {
                let wait = retry_after(response).filter(|seconds| *seconds <= MOST_WAIT)?;
                now + Duration::from_secs(wait.into())
            }
            _ => None,
        }
    }

    /// When to try again after glare (3261 14.1, RFC 3311 5.3).
    pub(super) fn after_glare(&mut self, now: Time) -> Option<Time> {
        self.branches = self.branches.wrapping_add(1);
        let (base, counter) = (self.branch_base(), u64::from(self.branches));
        now + glare_wait(self.owns_call_id, &self.context.ids, base, counter)
    }
}

/// Receiving.
impl Core {
    /// An UPDATE of the other side (5.2). Its CSeq is taken.
    pub(super) fn on_update(
        &mut self,
        now: Time,
        server: ServerId,
        (request, reply): (Box<Request>, Reply),
        host: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let offers = has_session(&request, &self.context.limits);
        let room = self.pending.len() < self.context.limits.pending_requests;
        let at = self.find_leg(request.tag_of_from());
        let Some(leg) = at.and_then(|at| self.legs.get_mut(at)) else {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            return self.refuse(server, &reply, status, out);
        };
        if offers && !room {
            return self.refuse(server, &reply, StatusCode::SERVICE_UNAVAILABLE, out);
        }
        let id = leg.id;
        leg.learn(&request, false);
        let verdict = leg.exchange.on_received(Message::Update, offers);
        if let Verdict::Refuse(refusal) = verdict {
            return self.refuse_exchange(server, &reply, refusal, out);
        }
        let asked = AskedUpdate {
            leg: id,
            contact: contact_of(&request).map(|uri| uri.to_buf()),
            host: Host::new(host, &request),
            timer: self.asks_for_timer(&request),
        };
        if verdict == Verdict::Offer {
            let asked = Asked::Update(Box::new(asked));
            return self.ask(now, server, reply, asked, request, out);
        }
        // Nothing for a user to decide.
        self.accept_update(now, server, &reply, &asked, &Outgoing::default(), out);
        out.push(Action::Notify(Notice::Refreshed { request }));
    }

    /// 491, or 500 with a Retry-After (3261 14.2, RFC 3311 5.2).
    pub(super) fn refuse_exchange(
        &mut self,
        server: ServerId,
        reply: &Reply,
        refusal: Refusal,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        match refusal {
            Refusal::Pending => self.refuse(server, reply, refusal.status(), out),
            Refusal::Overlap => self.refuse_for_now(server, reply, out),
        }
    }

    /// An offer that the user must answer.
    pub(super) fn ask(
        &mut self,
        now: Time,
        server: ServerId,
        reply: Reply,
        asked: Asked,
        request: Box<Request>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let until = now + self.context.limits.request_wait;
        self.pending.push(Pending {
            server,
            reply,
            until,
            asked,
        });
        out.push(Action::Notify(Notice::Offered { server, request }));
    }

    /// Whether the user may answer an offer so: a 2xx carries the answer.
    pub(super) fn may_answer(
        &self,
        asked: &Asked,
        status: StatusCode,
        (headers, body): (&HeaderList, bool),
    ) -> Result<(), Misuse> {
        if let (Asked::Update(asked), true) = (asked, status.is_success())
            && let Some(at) = self.leg_at(asked.leg)
        {
            self.may_move(at, &asked.host, headers)?;
        }
        let (leg, message) = match asked {
            Asked::Plain | Asked::Target(_) => return Ok(()),
            Asked::Update(asked) => (self.leg_at(asked.leg), Message::UpdateSuccess),
            Asked::Prack => (Some(0), Message::PrackSuccess),
        };
        let leg = leg.and_then(|at| self.legs.get(at));
        match leg {
            Some(leg) if status.is_success() => leg.exchange.may_send(message, body),
            Some(_) | None => Ok(()),
        }
    }

    /// The 2xx to an UPDATE, which refreshes the target.
    pub(super) fn accept_update(
        &mut self,
        now: Time,
        server: ServerId,
        reply: &Reply,
        asked: &AskedUpdate,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let mut headers = self.with_contact(&asked.host, &outgoing.headers);
        // Before the call is answered there is no session to time.
        let at = self.leg_at(asked.leg);
        let at = at.filter(|at| {
            self.legs
                .get(*at)
                .is_some_and(|leg| leg.state == LegState::Confirmed)
        });
        if let Some(at) = at {
            self.answer_timer(now, at, asked.timer.as_ref(), &mut headers);
            self.described(at, outgoing.body.as_ref());
        }
        headers.put_over(&self.context.capabilities);
        let body = outgoing.body.as_ref();
        self.respond(server, reply, StatusCode::OK, &headers, body, out);
        self.accepted_contact(&outgoing.headers);
        self.update_answered(asked, Some(describes(outgoing, &self.context.limits)));
        if let (Some(at), Some(contact)) = (self.leg_at(asked.leg), &asked.contact) {
            self.refresh_target(at, contact.as_uri(), out);
        }
    }

    /// The final response to an UPDATE of the other side is out; `success` says of a 2xx whether it
    /// has a session description.
    pub(super) fn update_answered(&mut self, asked: &AskedUpdate, success: Option<bool>) {
        if let Some(leg) = self.leg_mut(asked.leg) {
            match success {
                Some(body) => leg.exchange.on_sent(Message::UpdateSuccess, body),
                None => leg.exchange.on_sent(Message::UpdateFailure, false),
            };
        }
    }
}

/// Targets.
impl Core {
    /// A Contact in a re-INVITE, an UPDATE, or what accepts one (12.2.1.2, 12.2.2; RFC 6141 4).
    pub(super) fn refresh_target(
        &mut self,
        at: usize,
        contact: Uri<'_>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(leg) = self.legs.get_mut(at)
            && leg.dialog.refresh_target(contact)
        {
            out.push(Action::Notify(Notice::TargetRefreshed));
        }
    }

    /// The other side accepted a request with these headers, or they are of what accepts one of its:
    /// a Contact among them is this side's from now on (RFC 6141 4.4, 4.5).
    pub(super) fn accepted_contact(&mut self, headers: &HeaderList) {
        if let Some((.., contact)) = headers.iter().find(|(name, ..)| *name == Name::Contact) {
            self.contact = Some(contact.into());
        }
    }

    /// Whether a response of this side within a dialog may carry these headers. RFC 6141 4.8: it moves
    /// this side only while an UPDATE cannot, since nothing says in which order a response and a
    /// request were sent.
    pub(super) fn may_move(&self, at: usize, host: &Host, own: &HeaderList) -> Result<(), Misuse> {
        let mut rows = own.iter();
        let Some((.., contact)) = rows.find(|(name, ..)| *name == Name::Contact) else {
            return Ok(());
        };
        let now = self.contact_line(host, &HeaderList::new()).concat();
        let now = now.strip_prefix(b"Contact: ").unwrap_or(&now);
        let can_update = self.legs.get(at).is_some_and(|leg| {
            let free = leg.exchange.may_send(Message::Update, false).is_ok();
            leg.takes_update == Some(true) && free
        });
        match can_update && contact != now.trim_ascii_end() {
            true => Err(wrong_state(
                "a Contact that moves",
                "with an UPDATE to say so",
            )),
            false => Ok(()),
        }
    }

    /// The Contact that the user gave earlier, unless it gives another now.
    pub(super) fn with_local_target(&self, own: &HeaderList) -> HeaderList {
        let mut headers = own.clone();
        if let Some(contact) = &self.contact
            && !own.contains(Name::Contact)
        {
            // It came from a header.
            let _ = headers.push(Name::Contact.as_str(), contact);
        }
        headers
    }
}

/// RFC 3311 7, table 1: headers that say nothing in an UPDATE.
fn check_update(outgoing: &Outgoing) -> Result<(), Misuse> {
    let strange = [
        Name::AlertInfo,
        Name::Event,
        Name::Expires,
        Name::Priority,
        Name::Subject,
        Name::SubscriptionState,
    ];
    let found = strange
        .into_iter()
        .find(|name| outgoing.headers.contains(*name));
    found.map_or(Ok(()), |name| {
        let name = name.as_str();
        Err(Misuse::ReservedHeader { name })
    })
}

impl super::leg::Leg {
    /// Whether requests of this side may go there.
    pub(super) fn is_live(&self) -> bool {
        match self.state {
            LegState::Early | LegState::AwaitingAnswer { .. } | LegState::Confirmed => true,
            LegState::Leaving { .. } | LegState::HungUp { .. } | LegState::Left => false,
        }
    }
}

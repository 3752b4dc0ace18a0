//! The caller's side of an INVITE until its final response (13.2, §9.1).

mod again;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

use super::course::{Again, Course};
use super::declined::declining;
use super::description::{describes, has_session};
use super::exchange::Fate;
use super::failure::Retry;
use super::leg::{Leg, LegState};
use super::offer_answer::{Message, OfferAnswer, Verdict};
use super::policy::{extensions, listing};
use super::refresh::{is_longer, put_request};
use super::reliable::{Kind, OPTION_TAG, Policy, kind};
use super::session::Session;
use super::session_timer::Negotiation;
use super::{
    Action, Call, Command, Context, Core, EndReason, Event, Invitation, Notice, RequestId, Side,
    State, Timer, check, wrong_state,
};
use crate::auth;
use crate::dialog::{Dialog, Origin, routed};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::{
    HeaderList, Method, Name, Outgoing, Reply, Request, Response, StatusCode, parse_delta_seconds,
};
use crate::seed::{CallIds, Token};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;

/// One try of an invitation. A challenge, a redirection or a longer session interval leads to
/// another, with a higher CSeq, under the same call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Attempt {
    request: RequestId,
    cseq: u32,
    credentials: auth::Attempt,
}

/// The INVITE of this side is out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Inviting {
    course: Course,
    call_id: Token,
    /// The From value, tag included.
    from: Box<[u8]>,
    attempts: SmallVec<[Attempt; 1]>,
    pub(super) ringing_until: Option<Time>,
    /// How long the session shall be (RFC 4028).
    negotiation: Negotiation,
    /// Why it is being cancelled.
    cancelled: Option<Cancelled>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Cancelled {
    ByUser,
    ByTimeout,
    /// The user did not answer the offer in a reliable response.
    NoAnswer,
    /// Every leg was lost to an UPDATE or PRACK that met 481, 408 or silence.
    Lost(Option<Box<Response>>),
}

impl Call {
    /// Places a call. `ids` are those of an ordinal that was not used before.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`] if the invitation has a header that the core writes.
    pub fn place(
        now: Time,
        context: Arc<Context>,
        ids: &CallIds,
        invitation: Invitation,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<Self, Misuse> {
        check(&invitation.outgoing)?;
        let outgoing = &invitation.outgoing;
        let ringing_wait = context.limits.ringing_wait;
        let ringing_until =
            now + expires(&outgoing.headers).map_or(ringing_wait, |s| s.min(ringing_wait));
        let context = invitation.policies.over(context);
        let mut core = Core::new(context, now, Some(ids.branch_base), invitation.user());
        core.owns_call_id = true;
        let tag = ids.from_tag.as_bytes();
        let mut state = Inviting {
            call_id: ids.call_id,
            from: [&invitation.from, b";tag=".as_slice(), tag].concat().into(),
            course: Course::new(invitation),
            attempts: SmallVec::new(),
            ringing_until,
            negotiation: core.negotiation(),
            cancelled: None,
        };
        state.attempt(&mut core, 1, auth::Attempt::new(), out);
        let state = State::Inviting(Box::new(state));
        let mut call = Self::new(core, state);
        call.on_deadline(now, out);
        Ok(call)
    }
}

impl Inviting {
    /// Sends the INVITE (13.2.1).
    fn attempt(
        &mut self,
        core: &mut Core,
        cseq: u32,
        mut credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let branch = core.new_branch();
        let request = core.new_request();
        let target = self.course.template.request_uri();
        let outgoing = &self.course.template.outgoing;
        core.asks = !describes(outgoing, &core.context.limits);
        let mut headers = core.with_capabilities(&outgoing.headers);
        if let Some(policy) = self.course.template.policies.reliable {
            // Also where the application lists extensions by itself.
            let is_on = policy != Policy::Off;
            headers = listing(&headers, Name::Supported, OPTION_TAG, is_on);
        }
        headers = core.with_timer_tag(core.with_requirements(headers));
        headers = core.with_from_change(headers);
        put_request(&self.negotiation, &mut headers);
        let body = outgoing.body.as_ref();
        let routes = self.course.template.routes.iter().map(AsRef::as_ref);
        let writer = routed(Method::Invite, &target, routes);
        core.authorize(
            &mut credentials,
            Method::Invite,
            writer.uri(),
            body,
            &mut headers,
        );
        core.sent_with(request, &credentials);
        let draft = writer
            .secure(self.is_secure())
            .from(&self.from)
            .to(&self.course.template.to)
            .call_id(self.call_id.as_bytes())
            .cseq(cseq)
            .on_one_line()
            .headers(&headers)
            .body(body)
            .draft(
                branch,
                core.contact_user(&outgoing.headers),
                &core.context.origin,
            );
        self.attempts = smallvec![Attempt {
            request,
            cseq,
            credentials
        }];
        core.invites.push(request);
        out.push(Action::Invite { request, draft });
    }

    pub(super) fn receive(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        event: Event,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match event {
            Event::Response { request, response } if self.is_current(request) => {
                match response.status().class() {
                    1 => self.provisional(core, now, response, out),
                    2 => self.success(core, now, request, response, out),
                    _ => self.refused(core, response, out),
                }
            }
            Event::Failed { request, failure } if self.is_current(request) => {
                self.failed(core, failure, out)
            }
            Event::Response { request, response } if core.is_own(request) => {
                let fate = core.on_own_response(now, request, response, out);
                self.suffer(core, fate, out)
            }
            Event::Failed { request, failure } if core.is_own(request) => {
                let fate = core.on_own_failed(request, failure, out);
                self.suffer(core, fate, out)
            }
            Event::Response { .. } | Event::Failed { .. } => {
                out.push(Action::Absorbed);
                State::Inviting(self)
            }
            // 13.2.2.3.
            Event::Rerouted { request } => {
                if self.is_current(request) {
                    core.forget_early(out);
                }
                State::Inviting(self)
            }
            Event::Gone { request } => {
                core.gone(request);
                match self.is_current(request) {
                    // Gone without a word: silence is a 408 (13.2.2).
                    true => self.failed(core, Failure::Timeout, out),
                    false => State::Inviting(self),
                }
            }
            Event::Request {
                server,
                request,
                host,
                reply,
            } => self.request(core, now, server, (request, reply), host, out),
            Event::Settled { server } => {
                let _ = core.has_settled(server);
                State::Inviting(self)
            }
            Event::Cancel { .. } | Event::Ack { .. } => {
                out.push(Action::Absorbed);
                State::Inviting(self)
            }
        }
    }

    fn is_current(&self, request: RequestId) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.request == request)
    }

    /// One that closes a gap brings those that came too early with it (RFC 3262 4).
    fn provisional(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let mut response = response;
        loop {
            let at = self.take_provisional(core, now, response, out);
            match at.and_then(|at| core.next_provisional(at)) {
                Some(next) => response = next,
                None => return State::Inviting(self),
            }
        }
    }

    /// 13.2.2.1: 101-199 with a To tag makes an early dialog, one for each tag. Returns its leg.
    fn take_provisional(
        &self,
        core: &mut Core,
        now: Time,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<usize> {
        let tag = response.to_tag_bytes();
        let makes_dialog = tag.is_some() && response.status() != StatusCode::TRYING;
        let found = core.find_leg(tag).filter(|_| makes_dialog);
        let leg = found.and_then(|at| core.legs.get(at));
        if leg.is_some_and(Leg::is_hung_up) {
            out.push(Action::Absorbed);
            return None;
        }
        let room = core.legs.len() < core.context.limits.forks;
        let at = match found {
            None if makes_dialog && room && self.may_begin(&response) => {
                let dialog = Dialog::uac(self.origin(&response), &response);
                let exchange = self.exchange(&core.context.limits);
                let leg = core.new_leg(dialog, exchange);
                core.legs.push(leg);
                core.legs.len().checked_sub(1)
            }
            found => found,
        };
        let mut early = None;
        if let Some(at) = at {
            early = core.take_provisional(now, at, found.is_none(), &response, out);
            if let Some(leg) = core.legs.get_mut(at)
                && response.status() == EARLY_DIALOG_TERMINATED
            {
                // RFC 6228 4: no BYE; only acknowledgements go there from now on.
                leg.state = LegState::Left;
            }
        }
        // What cannot be placed is told where the RFC leaves it a meaning: without a dialog.
        let placed = at.is_some() || response.status() == EARLY_DIALOG_TERMINATED;
        let means = early.is_some() || (!placed && kind(&response) == Kind::Unreliable);
        out.push(match self.cancelled {
            None if means => Action::Notify(Notice::Progress { response, early }),
            None | Some(_) => Action::Absorbed,
        });
        at
    }

    /// RFC 6228 4: a 199 for a dialog that was never heard of makes none, unless it wants a PRACK.
    /// RFC 3262 4: what asks for one and cannot have it is dropped.
    fn may_begin(&self, response: &Response) -> bool {
        match kind(response) {
            Kind::Unreliable => response.status() != EARLY_DIALOG_TERMINATED,
            Kind::Reliable { .. } => true,
            Kind::Broken => false,
        }
    }

    /// What the INVITE began on each of its legs.
    fn exchange(&self, limits: &Limits) -> OfferAnswer {
        let mut exchange = OfferAnswer::new();
        exchange.on_sent(
            Message::Invite,
            describes(&self.course.template.outgoing, limits),
        );
        exchange
    }

    /// What became of an UPDATE or PRACK: a leg that the other side has lost is gone. With the last
    /// one the INVITE has nobody left to answer it.
    fn suffer(
        mut self: Box<Self>,
        core: &mut Core,
        fate: Fate,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Fate::Lost(leg, response) = fate {
            if let Some(leg) = core.leg_mut(leg).filter(|leg| !leg.is_hung_up()) {
                leg.state = LegState::Left;
            }
            if core.legs.iter().all(|leg| !leg.is_live()) {
                self.cancel(core, Cancelled::Lost(response), Outgoing::default(), out);
            }
        }
        State::Inviting(self)
    }

    /// 13.2.2.4: the first 2xx wins, unless the user has gone.
    fn success(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        request: RequestId,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let at = match core.find_leg(response.to_tag_bytes()) {
            Some(at) => at,
            None => {
                let dialog = Dialog::uac(self.origin(&response), &response);
                let exchange = self.exchange(&core.context.limits);
                let leg = core.new_leg(dialog, exchange);
                core.legs.insert(0, leg);
                0
            }
        };
        core.legs.swap(0, at);
        let mut session = Verdict::Nothing;
        let body = has_session(&response, &core.context.limits);
        let connected = core.context.connected_identity;
        if let Some(leg) = core.legs.first_mut() {
            leg.dialog.confirm(&response);
            if leg.state == LegState::Left {
                // It was said to be lost, and is not.
                leg.state = LegState::Early;
            }
            leg.learn(&response, connected);
            session = leg.exchange.on_received(Message::Success, body);
        }
        core.end_of_provisionals(0);
        let cseq = response.cseq().number;
        if let Some(cause) = self.cancelled {
            // 9.1: the CANCEL came too late; the other side must be told.
            let refusal = core.refusing(session, &response);
            core.ack(0, request, cseq, &refusal, out);
            if core.take_hung_up(0).is_none() {
                core.bye(0, &Outgoing::default(), &mut auth::Attempt::new(), out);
            }
            return core.end(cause.reason(), out);
        }
        if let Some(bye) = core.take_hung_up(0) {
            return answered_and_over(core, request, (response, session), bye, out);
        }
        if let Some(attempt) = self.attempts.iter().find(|a| a.request == request) {
            core.is_authorized(&attempt.credentials, &response);
        }
        core.accepted_contact(&self.course.template.outgoing.headers);
        core.begin_timer(now, 0, self.negotiation, &response);
        core.refreshes_say(extensions(&self.course.template.outgoing));
        core.described(0, self.course.template.outgoing.body.as_ref());
        let answer_needed = session == Verdict::Offer;
        if answer_needed {
            core.await_answer(now, request, &response);
        } else {
            core.ack(0, request, cseq, &Outgoing::default(), out);
        }
        out.push(Action::Notify(Notice::Answered {
            response,
            answer_needed,
        }));
        State::Confirmed(Session::default())
    }

    /// 13.2.2.2, 13.2.2.3.
    fn refused(
        mut self: Box<Self>,
        core: &mut Core,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if self.cancelled.is_none()
            && let Some(Attempt {
                cseq,
                mut credentials,
                ..
            }) = self.attempts.pop()
        {
            // 22.2: once more with credentials, under the same Call-ID and From tag; RFC 4028 7.3:
            // once more for longer.
            if core.is_challenged(&mut credentials, &response) || self.may_last_longer(&response) {
                core.forget_early(out);
                self.attempt(core, cseq.saturating_add(1), credentials, out);
                return State::Inviting(self);
            }
            if let Some(again) = self.course.again(core, &response) {
                return self.go_again(core, again, cseq, credentials, out);
            }
        }
        let reason = match self.cancelled {
            Some(cause) => cause.reason(),
            None => EndReason::Refused { response },
        };
        core.end(reason, out)
    }

    fn may_last_longer(&mut self, response: &Response) -> bool {
        response.status() == StatusCode::SESSION_INTERVAL_TOO_SMALL
            && self.course.budget.spend(Retry::LongerSession)
            && is_longer(&mut self.negotiation, response)
    }

    fn failed(
        mut self: Box<Self>,
        core: &mut Core,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        // 8.1.3.4: silence and a transport that cannot send are failures of this target only.
        if self.cancelled.is_none()
            && let Some(cseq) = self.attempts.last().map(|attempt| attempt.cseq)
            && self.course.next_target()
        {
            let again = Again::Elsewhere(None);
            return self.go_again(core, again, cseq, auth::Attempt::new(), out);
        }
        let reason = match self.cancelled {
            Some(cause) => cause.reason(),
            None => EndReason::Failed(failure),
        };
        core.end(reason, out)
    }

    /// A request within an early dialog.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every method but those of calls is the user's to answer"
    )]
    fn request(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        server: super::ServerId,
        (request, reply): (Box<Request>, Reply),
        host: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Err(status) = core.take_cseq(&request) {
            core.refuse(server, &reply, status, out);
            return State::Inviting(self);
        }
        core.hear_claim(server, &request);
        match request.method() {
            // A callee must not do this (§15), or its 2xx is under way still; but the dialog matches
            // (15.1.2): the fork is gone, and the INVITE goes on.
            Method::Bye => {
                core.refuse(server, &reply, StatusCode::OK, out);
                core.hung_up(request);
            }
            // 14.2: there is an INVITE in progress on this dialog.
            Method::Invite => {
                core.refuse(server, &reply, StatusCode::REQUEST_PENDING, out);
                core.has_refused(server);
            }
            // RFC 3262 3: there is no reliable response of this side.
            Method::Prack => {
                let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                core.refuse(server, &reply, status, out);
            }
            Method::Update => core.on_update(now, server, (request, reply), host, out),
            _ => core.hand_over(now, server, (request, reply), out),
        }
        State::Inviting(self)
    }

    pub(super) fn command(
        mut self: Box<Self>,
        core: &mut Core,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        let result = match command {
            Command::HangUp(outgoing) => {
                let result = check(&outgoing).and_then(|()| requires_nothing(&outgoing));
                if result.is_ok() {
                    self.cancel(core, Cancelled::ByUser, outgoing, out);
                }
                result
            }
            Command::Respond {
                server,
                status,
                outgoing,
            } => core.respond_pending(now, server, status, &outgoing, out),
            Command::Prack { leg, outgoing } => core.answer_in_prack(leg, outgoing, out),
            Command::Progress { .. } | Command::Preview { .. } => {
                Err(wrong_state("progress", "Inviting"))
            }
            Command::Reliable(_) => Err(wrong_state("reliable", "Inviting")),
            Command::SessionTimer(_) => Err(wrong_state("session timer", "Inviting")),
            Command::Answer(_) => Err(wrong_state("answer", "Inviting")),
            Command::Reject { .. } => Err(wrong_state("reject", "Inviting")),
            Command::Acknowledge(_) => Err(wrong_state("acknowledge", "Inviting")),
            Command::Update { leg, outgoing } => match self.cancelled {
                None => core.update(leg, outgoing, out),
                Some(_) => Err(wrong_state("update", "Inviting, cancelled")),
            },
            Command::Reinvite(_) => Err(wrong_state("reinvite", "Inviting")),
            Command::CancelReinvite(_) => Err(wrong_state("cancel a re-INVITE", "Inviting")),
            Command::Identify {
                from,
                reinvite: None,
            } => core.identify(&from),
            Command::Identify { .. } => Err(wrong_state("reinvite", "Inviting")),
            Command::Request { .. } => Err(wrong_state("request", "Inviting")),
        };
        (State::Inviting(self), result)
    }

    pub(super) fn on_timer(
        mut self: Box<Self>,
        core: &mut Core,
        now: Time,
        timer: Timer,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match timer {
            Timer::Ringing => {
                self.ringing_until = None;
                self.cancel(core, Cancelled::ByTimeout, Outgoing::default(), out);
            }
            Timer::Pending(server) => core.expire_pending(server, out),
            Timer::UpdateRetry(leg) => core.retry_update(now, leg, out),
            Timer::PrackOwed(_) => {
                core.decline_owed(out);
                self.cancel(core, Cancelled::NoAnswer, Outgoing::default(), out);
            }
            Timer::Provisional
            | Timer::Session(_)
            | Timer::AnswerWait
            | Timer::RepeatProvisional
            | Timer::ReofferWait
            | Timer::AnswerOwed
            | Timer::Retry
            | Timer::Unanswered
            | Timer::Resend(_)
            | Timer::NoAck(_) => {}
        }
        State::Inviting(self)
    }

    /// §9.1. The client transaction knows when the CANCEL may go, and how long to wait then.
    fn cancel(
        &mut self,
        core: &mut Core,
        cause: Cancelled,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if self.cancelled.is_none() {
            self.cancelled = Some(cause);
            self.ringing_until = None;
            core.decline_owed(out);
            for attempt in &self.attempts {
                let headers = core.with_timer_tag(outgoing.headers.clone());
                out.push(Action::Cancel {
                    request: attempt.request,
                    headers,
                });
            }
        }
    }

    fn origin(&self, response: &Response) -> Origin<'_> {
        Origin {
            call_id: self.call_id.as_bytes(),
            from: &self.from,
            uri: self.course.template.target.as_bytes(),
            cseq: self
                .attempts
                .last()
                .map_or(response.cseq().number, |attempt| attempt.cseq),
            secure: self.is_secure(),
        }
    }

    /// Whether it is being cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    fn is_secure(&self) -> bool {
        self.course.template.is_secure()
    }
}

impl Cancelled {
    fn reason(self) -> EndReason {
        match self {
            Self::ByUser => EndReason::Cancelled { timeout: false },
            Self::ByTimeout => EndReason::Cancelled { timeout: true },
            Self::NoAnswer => EndReason::NoAnswer,
            Self::Lost(response) => EndReason::DialogLost { response },
        }
    }
}

impl Core {
    /// The INVITE of this side goes again: the early dialogs of its last transaction are over, and what
    /// the other side still waits for within them (13.2.2.3).
    pub(super) fn forget_early(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        self.terminate_pending(out);
        self.legs.clear();
        self.own.clear();
    }

    /// The 2xx carries the offer, so the ACK must carry the answer (13.2.2.4): the user's.
    pub(super) fn await_answer(&mut self, now: Time, invite: RequestId, success: &Response) {
        let until = now + self.context.limits.request_wait;
        let declined = declining(success, &self.context.limits);
        let cseq = success.cseq().number;
        if let Some(leg) = self.legs.first_mut() {
            if declined.is_some() {
                leg.rare().declined = declined;
            }
            leg.state = LegState::AwaitingAnswer {
                invite,
                cseq,
                until,
            };
        }
    }
}

/// The 2xx of a call whose BYE came before it: it is acknowledged all the same (13.2.2.4).
fn answered_and_over(
    core: &mut Core,
    invite: RequestId,
    (response, session): (Box<Response>, Verdict),
    bye: Box<Request>,
    out: &mut (impl Sink<Action> + ?Sized),
) -> State {
    let cseq = response.cseq().number;
    let refusal = core.refusing(session, &response);
    core.ack(0, invite, cseq, &refusal, out);
    out.push(Action::Notify(Notice::Answered {
        response,
        answer_needed: false,
    }));
    let reason = EndReason::HungUp {
        by: Side::Remote,
        bye: Some(bye),
    };
    core.end(reason, out)
}

/// RFC 6228: 199 (Early Dialog Terminated).
const EARLY_DIALOG_TERMINATED: StatusCode = match StatusCode::new(199) {
    Some(status) => status,
    None => StatusCode::RINGING,
};

/// 9.1: a CANCEL asks for no extension. 8.2.2.3: nor does an ACK, but for those of its INVITE.
pub(super) fn requires_nothing(outgoing: &Outgoing) -> Result<(), Misuse> {
    let headers = &outgoing.headers;
    let asks = [Name::Require, Name::ProxyRequire]
        .into_iter()
        .find(|name| headers.contains(*name));
    match asks {
        Some(name) => Err(Misuse::ReservedHeader {
            name: name.as_str(),
        }),
        None => Ok(()),
    }
}

/// 13.2.1: how long the INVITE says that it is good for.
fn expires(headers: &HeaderList) -> Option<Duration> {
    let (.., value) = headers.iter().find(|(name, ..)| *name == Name::Expires)?;
    let seconds = parse_delta_seconds(value).ok()?;
    Some(Duration::from_secs(seconds.into()))
}

//! A call whose dialog is confirmed: the 2xx until its ACK, re-INVITE both ways, requests within
//! the dialog, and BYE (13.2.2.4, 13.3.1.4, §14, §15).

mod bye;
mod reinvite;
pub(super) mod sent;
mod unacked;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use self::bye::Bye;
use self::sent::Sent;
pub(super) use self::unacked::Unacked;
use super::callee::Host;
use super::caller::requires_nothing;
use super::description::has_session;
use super::leg::{Leg, LegState};
use super::offer_answer::{Message, Verdict};
use super::refresh::Due;
use super::timer::timed;
use super::{
    Action, Command, Core, EndReason, Event, Notice, RequestId, ServerId, Side, State, Timer,
    check, session_timer, wrong_state,
};
use crate::auth;
use crate::error::Misuse;
use crate::message::{Method, Outgoing, Reply, Request, Response, StatusCode, UriBuf};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::{Failure, rebase};

/// What a confirmed call is waiting for. An idle one waits for nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Session {
    /// The 2xx of this side without ACK. A second INVITE is refused until it has come.
    unacked: Option<Box<Unacked>>,
    /// The re-INVITE of this side without final response.
    reinvite: Option<Box<Reinvite>>,
    /// The re-INVITE of this side that met glare, and when it is sent again (14.1).
    retry: Option<Box<Retry>>,
    /// The re-INVITE of the other side without final response.
    reoffer: Option<Box<Reoffer>>,
    /// The user has hung up, and the BYE waits for the ACK (§15).
    hang_up: Option<Box<Outgoing>>,
    /// Why the BYE that is out was sent, if not by the user.
    ending: Option<Box<EndReason>>,
    /// The BYE of this side, to send it again if it is challenged.
    bye: Option<Box<Bye>>,
    /// Other requests of this side without final response.
    requests: Vec<Sent>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Reinvite {
    request: RequestId,
    /// What the user wants changed, for another try.
    outgoing: Outgoing,
    /// How often it has met glare.
    glares: u8,
    /// Whether it is the core's, to refresh the session.
    refresh: bool,
    /// Whether the user has taken it back.
    cancelled: bool,
    credentials: auth::Attempt,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Retry {
    outgoing: Outgoing,
    glares: u8,
    /// `None`: when what [`Aside::refused`](crate::call::Aside) waits for has come.
    at: Option<Time>,
    /// How many answers there were when it began to wait.
    answers: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Reoffer {
    server: ServerId,
    reply: Reply,
    cseq: u32,
    contact: Option<UriBuf>,
    host: Host,
    timer: Option<session_timer::Asked>,
    until: Option<Time>,
}

/// The INVITE that a 2xx answers.
pub(super) struct To<'a> {
    pub(super) server: ServerId,
    pub(super) reply: &'a Reply,
    pub(super) cseq: u32,
    pub(super) host: &'a Host,
    /// What it asks of the session timer.
    pub(super) timer: Option<&'a session_timer::Asked>,
}

impl Session {
    /// The callee's, right after its 2xx.
    pub(super) fn answered(unacked: Unacked) -> Self {
        Self {
            unacked: Some(Box::new(unacked)),
            ..Self::default()
        }
    }

    /// Whether the other side has acknowledged that there is a dialog: what it was called with, or
    /// called.
    pub(super) fn has_its_ack(&self) -> bool {
        self.unacked.as_ref().is_none_or(|unacked| unacked.again)
    }

    /// Whether a re-INVITE of the user has no final response, or waits for its next try.
    pub(super) fn is_reinviting(&self) -> bool {
        let is_out = self.reinvite.as_ref().is_some_and(|r| !r.refresh);
        is_out || self.retry.is_some()
    }

    /// Nothing is awaited, and nothing kept.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.requests.capacity() == 0 && *self == Self::default()
    }

    /// Whether it may have timers of its own.
    pub(super) fn has_timers(&self) -> bool {
        self.unacked.is_some() || self.retry.is_some() || self.reoffer.is_some()
    }

    /// The answer owed, or what the 2xx waits for: a call never waits for both; the re-INVITE of
    /// the other side, and the next try of the own one.
    pub(super) fn timers(&self, core: &Core) -> [Option<(Time, Timer)>; 4] {
        let owed = core.legs.first().and_then(Leg::deadline);
        let owed = timed(owed, Timer::AnswerOwed);
        let retry = timed(self.retry.as_ref().and_then(|retry| retry.at), Timer::Retry);
        if let Some(unacked) = &self.unacked {
            let server = unacked.server;
            let resend = unacked.resend.map(|resend| resend.due);
            let no_ack = timed(unacked.until, Timer::NoAck(server));
            return [owed, no_ack, timed(resend, Timer::Resend(server)), retry];
        }
        let reoffer = self.reoffer.as_ref().and_then(|reoffer| reoffer.until);
        [owed, timed(reoffer, Timer::ReofferWait), None, retry]
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        if let Some(unacked) = &mut self.unacked {
            rebase(&mut unacked.until, from, to);
            if let Some(resend) = &mut unacked.resend {
                resend.rebase(from, to);
            }
        }
        if let Some(reoffer) = &mut self.reoffer {
            rebase(&mut reoffer.until, from, to);
        }
        if let Some(retry) = &mut self.retry {
            rebase(&mut retry.at, from, to);
        }
    }

    pub(super) fn receive(
        mut self,
        core: &mut Core,
        now: Time,
        event: Event,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match event {
            Event::Response { request, response } => {
                return self.on_response(core, now, request, response, out);
            }
            Event::Failed { request, failure } => {
                return self.on_failed(core, request, failure, out);
            }
            Event::Gone { request } => core.gone(request),
            Event::Rerouted { request } => self.on_rerouted(core, request),
            Event::Request {
                server,
                request,
                host,
                reply,
            } => {
                return self.on_request(core, now, server, request, (host, reply), out);
            }
            Event::Cancel { server, cancel } => self.on_cancel(core, now, server, cancel, out),
            Event::Ack { ack } => return self.on_ack(core, ack, out),
            Event::Settled { server } => self.on_settled(core, now, server, out),
        }
        State::Confirmed(self)
    }

    fn on_response(
        mut self,
        core: &mut Core,
        now: Time,
        request: RequestId,
        response: Box<Response>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Some(leaving) = core
            .legs
            .iter()
            .position(|leg| leg.state == LegState::Leaving { bye: request })
        {
            if leaving == 0
                && let Some(mut bye) = self.bye.take()
            {
                // 22.2, PAINS 55: the dialog is there until its BYE has its answer.
                if core.is_challenged(&mut bye.credentials, &response) {
                    core.bye(0, &bye.outgoing, &mut bye.credentials, out);
                    self.bye = Some(bye);
                    return State::Confirmed(self);
                }
                self.bye = Some(bye);
            }
            return match response.status().is_final() {
                true => self.on_bye_done(core, request, leaving, None, out),
                false => State::Confirmed(self),
            };
        }
        if self.reinvite.as_ref().is_some_and(|r| r.request == request) {
            return self.on_reinvite_response(core, now, request, response, out);
        }
        if core.is_own(request) {
            let fate = core.on_own_response(now, request, response, out);
            return self.suffer(core, fate, out);
        }
        if core.invites.contains(&request) {
            // Another fork, or a 2xx again: the ACK it wants is all it gets.
            if response.status().is_success() {
                if let Some(response) = core.repeat_or_drop(request, response, out) {
                    out.push(Action::Notify(Notice::ForkDropped { response }));
                }
            } else {
                out.push(Action::Absorbed);
            }
            return State::Confirmed(self);
        }
        self.on_request_response(core, request, response, out)
    }

    fn on_failed(
        mut self,
        core: &mut Core,
        request: RequestId,
        failure: Failure,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Some(leaving) = core
            .legs
            .iter()
            .position(|leg| leg.state == LegState::Leaving { bye: request })
        {
            return self.on_bye_done(core, request, leaving, Some(failure), out);
        }
        if core.is_own(request) {
            let fate = core.on_own_failed(request, failure, out);
            return self.suffer(core, fate, out);
        }
        let is_reinvite = self.reinvite.as_ref().is_some_and(|r| r.request == request);
        if is_reinvite {
            core.exchange_failed();
            self.reinvite = None;
            out.push(Action::Notify(Notice::RequestFailed { request, failure }));
            return self.after_failure(core, Method::Invite, failure, out);
        }
        self.on_request_failed(core, request, failure, out)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every method but those of calls is the user's to answer"
    )]
    fn on_request(
        mut self,
        core: &mut Core,
        now: Time,
        server: ServerId,
        request: Box<Request>,
        (host, reply): (Bytes, Reply),
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Err(status) = core.take_cseq(&request) {
            core.refuse(server, &reply, status, out);
            if request.method() == Method::Invite {
                core.has_refused(server);
            }
            return State::Confirmed(self);
        }
        core.hear_claim(server, &request);
        let own = core.find_leg(request.tag_of_from()) == Some(0);
        let leaving = core.leg_of(&request).is_some_and(Leg::is_leaving);
        match request.method() {
            // 15.1.1: after the BYE of this side there is no dialog, but for a BYE that crossed.
            method if leaving && method != Method::Bye => {
                core.refuse(
                    server,
                    &reply,
                    StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                    out,
                );
            }
            Method::Bye if own => {
                core.ack_owed(out);
                core.refuse(server, &reply, StatusCode::OK, out);
                self.refuse_reoffer(core, out);
                let reason = match self.ending {
                    Some(reason) => *reason,
                    None => EndReason::HungUp {
                        by: Side::Remote,
                        bye: Some(request),
                    },
                };
                core.unanswered = self.reinvite.map(|reinvite| reinvite.request);
                return core.end(reason, out);
            }
            // A fork that lost hangs up by itself.
            Method::Bye => {
                core.refuse(server, &reply, StatusCode::OK, out);
                core.hung_up(request);
            }
            // 14.2: on a fork, the INVITE of this side is in progress still.
            Method::Invite if !own => {
                core.refuse(server, &reply, StatusCode::REQUEST_PENDING, out);
            }
            Method::Invite => self.on_invite(core, now, server, request, (host, reply), out),
            Method::Update => core.on_update(now, server, (request, reply), host, out),
            Method::Prack => {
                let next = core.on_prack(now, server, (request, reply), out);
                self.proceed(core, now, next, out);
            }
            _ => core.hand_over(now, server, (request, reply), out),
        }
        State::Confirmed(self)
    }

    /// The ACK of the 2xx with its CSeq (13.3.1.4), never of the newest one.
    fn on_ack(
        mut self,
        core: &mut Core,
        ack: Box<Request>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let cseq = ack.cseq().number;
        if self.unacked.as_ref().is_none_or(|u| u.cseq != cseq) {
            out.push(Action::Absorbed);
            return State::Confirmed(self);
        }
        self.unacked = None;
        let answer_missing = core.heard_ack(&ack);
        out.push(Action::Notify(Notice::Acknowledged {
            ack,
            answer_missing,
        }));
        if let Some(outgoing) = self.hang_up.take() {
            self.say_bye(core, *outgoing, out);
        }
        State::Confirmed(self)
    }

    pub(super) fn command(
        mut self,
        core: &mut Core,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        let result = match command {
            Command::HangUp(outgoing) => self.hang_up(core, outgoing, out),
            Command::Reliable(_) => Err(wrong_state("reliable", "Confirmed")),
            Command::SessionTimer(_) => Err(wrong_state("session timer", "Confirmed")),
            Command::Reinvite(outgoing) => self.reinvite(core, outgoing, out),
            Command::CancelReinvite(outgoing) => self.cancel_reinvite(core, outgoing, out),
            Command::Update { leg, outgoing } => core.update(leg, outgoing, out),
            Command::Answer(outgoing) => self.answer(core, now, &outgoing, out),
            Command::Reject { status, outgoing } => self.reject(core, now, status, &outgoing, out),
            Command::Progress { status, outgoing } => {
                self.progress(core, now, status, &outgoing, false, out)
            }
            Command::Preview { status, outgoing } => {
                self.progress(core, now, status, &outgoing, true, out)
            }
            Command::Prack { leg, outgoing } => core.answer_in_prack(leg, outgoing, out),
            Command::Identify { from, reinvite } => self.identify(core, &from, reinvite, out),
            Command::Acknowledge(outgoing) => acknowledge(core, &outgoing, out),
            Command::Request { method, outgoing } => self.request(core, method, outgoing, out),
            Command::Respond {
                server,
                status,
                outgoing,
            } => {
                let result = core.respond_pending(now, server, status, &outgoing, out);
                let next = core.next_of_reliable(false);
                self.proceed(core, now, next, out);
                result
            }
        };
        (State::Confirmed(self), result)
    }

    pub(super) fn on_timer(
        mut self,
        core: &mut Core,
        now: Time,
        timer: Timer,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match timer {
            Timer::Resend(server) => {
                let t2 = core.context.timers.t2;
                if let Some(unacked) = &mut self.unacked {
                    unacked.resend = unacked.resend.and_then(|r| r.doubled(now, t2));
                    let (status, bytes) = (StatusCode::OK, unacked.bytes.clone());
                    out.push(Action::Respond {
                        server,
                        status,
                        bytes,
                    });
                }
            }
            Timer::NoAck(_) => return self.on_no_ack(core, out),
            Timer::AnswerOwed => {
                return self.leave(core, EndReason::NoAnswer, out);
            }
            Timer::ReofferWait => {
                // Not 480, which ends the usage (RFC 5057 5.1).
                let mut status = StatusCode::SERVER_INTERNAL_ERROR;
                if core.has_changed() {
                    status = StatusCode::OK;
                }
                self.give_up_reoffer(core, now, status, out);
                out.push(Action::Notify(Notice::ReofferExpired { status }));
            }
            Timer::Retry => self.retry(core, now, out),
            Timer::Pending(server) => {
                core.expire_pending(server, out);
                let next = core.next_of_reliable(false);
                self.proceed(core, now, next, out);
            }
            Timer::Provisional => {
                let next = core.on_reliable_timer(now, out);
                self.proceed(core, now, next, out);
            }
            Timer::Session(leg) => match core.on_session_timer(now, leg) {
                Due::Nothing => {}
                Due::Refresh(due) => self.refresh(core, now, due, leg, out),
                Due::Expired => return self.leave(core, EndReason::SessionExpired, out),
            },
            Timer::PrackOwed(leg) => {
                let talks = core.leg_at(leg) == Some(0);
                core.decline_owed(out);
                if talks {
                    return self.leave(core, EndReason::NoAnswer, out);
                }
            }
            Timer::UpdateRetry(leg) => core.retry_update(now, leg, out),
            Timer::Ringing | Timer::Unanswered | Timer::AnswerWait | Timer::RepeatProvisional => {}
        }
        State::Confirmed(self)
    }
}

impl Core {
    /// The ACK for the 2xx of this side. Whether it owes an answer and has none.
    fn heard_ack(&mut self, ack: &Request) -> bool {
        let body = has_session(ack, &self.context.limits);
        let leg = self.legs.first_mut();
        let verdict = leg.map(|leg| leg.exchange.on_received(Message::Ack, body));
        verdict == Some(Verdict::Missing)
    }

    /// The re-INVITE of this side failed. Whether an exchange within it is undone by that.
    pub(super) fn exchange_failed(&mut self) -> bool {
        let Some(leg) = self.legs.first_mut() else {
            return false;
        };
        let changed = leg.exchange.has_changed();
        leg.exchange.on_received(Message::Failure, false);
        changed
    }
}

/// The ACK with the answer that the 2xx asked for.
fn acknowledge(
    core: &mut Core,
    outgoing: &Outgoing,
    out: &mut (impl Sink<Action> + ?Sized),
) -> Result<(), Misuse> {
    check(outgoing)?;
    // 8.2.2.3: an ACK asks for no more than its INVITE did.
    requires_nothing(outgoing)?;
    match core.legs.first().map(|leg| leg.state.clone()) {
        Some(LegState::AwaitingAnswer { invite, cseq, .. }) => {
            if let (Some(leg), Some(_)) = (core.legs.first(), &outgoing.body) {
                leg.exchange.may_send(Message::Ack, true)?;
            }
            if let Some(leg) = core.legs.first_mut() {
                leg.take_rare(|rare| &mut rare.declined);
            }
            core.ack(0, invite, cseq, outgoing, out);
            Ok(())
        }
        Some(
            LegState::Early
            | LegState::Confirmed
            | LegState::Leaving { .. }
            | LegState::HungUp { .. }
            | LegState::Left,
        )
        | None => Err(wrong_state("acknowledge", "Confirmed, with no answer owed")),
    }
}

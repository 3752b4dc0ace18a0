//! The callee's side of an INVITE until its final response (13.3).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;

use super::description::{describes, has_session};
use super::exchange::Fate;
use super::leg::LegState;
use super::offer_answer::{Message, OfferAnswer};
use super::policy::Policies;
use super::provisional::Next;
use super::reliable::{self, EXTENSION};
use super::session::{Session, To, Unacked};
use super::{
    Action, Call, Command, Context, Core, EndReason, Event, ServerId, Side, State, Timer,
    check_coding, check_response, session_timer, wrong_state,
};
use crate::dialog::{Dialog, contact_of};
use crate::error::Misuse;
use crate::message::{
    HeaderList, Method, Name, NameAddr, Outgoing, Reply, Request, StatusCode, Uri, contact_host,
    split_commas,
};
use crate::sink::Sink;
use crate::time::Time;
use crate::transport::Transport;

/// 13.3.1.1: a proxy cancels what stays silent for longer than its Timer C.
const MINUTE: Duration = Duration::from_secs(60);

/// The INVITE of the other side has no final response yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Incoming {
    server: ServerId,
    reply: Reply,
    cseq: u32,
    host: Host,
    pub(super) answer_until: Option<Time>,
    /// What the other side hears then.
    late: StatusCode,
    /// The last 101-199, without its bytes if it was reliable; and when it is due again.
    last: Option<(StatusCode, Option<Bytes>)>,
    pub(super) repeat: Option<Time>,
    /// What it asks of reliable provisional responses (RFC 3262).
    asked: reliable::Asked,
    /// What it asks of the session timer (RFC 4028).
    timer: session_timer::Asked,
}

impl Call {
    /// Takes an INVITE outside any dialog.
    ///
    /// `reply` is what answers it. `local_tag` goes into every response, from the first on (8.2.6.2). `host` is what a Contact
    /// of this side names: host, port and parameters, such as `192.0.2.1:5060` or
    /// `192.0.2.1:5061;transport=tls`, of where the INVITE came in.
    pub fn incoming(
        now: Time,
        context: Arc<Context>,
        server: ServerId,
        invite: &Request,
        reply: Reply,
        local_tag: &str,
        host: Bytes,
    ) -> Self {
        // 12.1.1: secure only if it came over TLS.
        let came_secure = || {
            let transport = Transport::from_via(invite.top_via().transport());
            transport.is_some_and(Transport::is_secure)
        };
        let uri = invite.uri();
        let is_sips = is_sips(&uri);
        let secure = is_sips && came_secure();
        let (wait, late) = patience(invite, context.limits.answer_wait);
        let answer_until = now + wait;
        let mut core = Core::new(context, now, None, user_of(&uri));
        let mut exchange = OfferAnswer::new();
        exchange.on_received(Message::Invite, has_session(invite, &core.context.limits));
        let contact = contact_of(invite);
        let host = Host::of(host, is_sips, invite, || contact);
        let dialog = Dialog::uas_of(invite, contact, local_tag, secure);
        let mut leg = core.new_leg(dialog, exchange);
        leg.learn(invite, core.context.connected_identity);
        core.legs.push(leg);
        let asked = reliable::Asked::of(invite);
        let cseq = invite.cseq().number;
        core.begin_reliable(now, server, (cseq, asked), None);
        let state = Incoming {
            server,
            reply,
            cseq,
            host,
            answer_until,
            late,
            last: None,
            repeat: None,
            asked,
            timer: session_timer::Asked::of(invite),
        };
        Self::new(core, State::Incoming(Box::new(state)))
    }
}

impl Incoming {
    pub(super) fn receive(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        event: Event,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match event {
            // 9.2: the CANCEL has its 200, the INVITE gets its 487.
            Event::Cancel { server, cancel } if server == self.server => {
                core.close_reliable(now);
                core.refuse(server, &self.reply, StatusCode::REQUEST_TERMINATED, out);
                core.end(EndReason::CancelledByCaller { cancel }, out)
            }
            Event::Request {
                server,
                request,
                host,
                reply,
            } => self.request(core, now, server, (request, reply), host, out),
            Event::Response { request, response } if core.is_own(request) => {
                let fate = core.on_own_response(now, request, response, out);
                self.suffer(core, fate, out)
            }
            Event::Failed { request, failure } if core.is_own(request) => {
                let fate = core.on_own_failed(request, failure, out);
                self.suffer(core, fate, out)
            }
            Event::Settled { server } => {
                let _ = core.has_settled(server);
                State::Incoming(self)
            }
            Event::Cancel { .. }
            | Event::Ack { .. }
            | Event::Response { .. }
            | Event::Failed { .. }
            | Event::Rerouted { .. }
            | Event::Gone { .. } => {
                out.push(Action::Absorbed);
                State::Incoming(self)
            }
        }
    }

    /// What became of an UPDATE: without its dialog the INVITE cannot be answered.
    fn suffer(
        self: Box<Self>,
        core: &mut Core,
        fate: Fate,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match fate {
            Fate::Stands => State::Incoming(self),
            Fate::Lost(_, response) => {
                let status = StatusCode::SERVER_INTERNAL_ERROR;
                core.reliable = None;
                core.refuse(self.server, &self.reply, status, out);
                core.end(EndReason::DialogLost { response }, out)
            }
        }
    }

    /// A request within the early dialog.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every method but those of calls is the user's to answer"
    )]
    fn request(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        server: ServerId,
        (request, reply): (Box<Request>, Reply),
        host: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Err(status) = core.take_cseq(&request) {
            core.refuse(server, &reply, status, out);
            return State::Incoming(self);
        }
        core.hear_claim(server, &request);
        match request.method() {
            // 15.1.2: the caller may end an early dialog.
            Method::Bye => {
                core.refuse(server, &reply, StatusCode::OK, out);
                core.reliable = None;
                core.refuse(
                    self.server,
                    &self.reply,
                    StatusCode::REQUEST_TERMINATED,
                    out,
                );
                let bye = Some(request);
                return core.end(
                    EndReason::HungUp {
                        by: Side::Remote,
                        bye,
                    },
                    out,
                );
            }
            // 14.2: a second INVITE before the first has its final response.
            Method::Invite => {
                core.refuse_for_now(server, &reply, out);
                core.has_refused(server);
            }
            Method::Update => core.on_update(now, server, (request, reply), host, out),
            Method::Prack => {
                let next = core.on_prack(now, server, (request, reply), out);
                return self.proceed(core, now, next, out);
            }
            _ => core.hand_over(now, server, (request, reply), out),
        }
        State::Incoming(self)
    }

    pub(super) fn command(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        let error = match command {
            Command::Progress { status, outgoing } => {
                return self.progress(core, now, status, &outgoing, false, out);
            }
            Command::Preview { status, outgoing } => {
                return self.progress(core, now, status, &outgoing, true, out);
            }
            Command::Answer(outgoing) => return self.answer(core, now, &outgoing, out),
            Command::Reject { status, outgoing } => {
                return self.reject(core, now, status, &outgoing, out);
            }
            // Not 603: another device of the callee may still answer.
            Command::HangUp(outgoing) => {
                let status = StatusCode::TEMPORARILY_UNAVAILABLE;
                return self.reject(core, now, status, &outgoing, out);
            }
            Command::Respond {
                server,
                status,
                outgoing,
            } => {
                let result = core.respond_pending(now, server, status, &outgoing, out);
                let next = core.next_of_reliable(false);
                return (self.proceed(core, now, next, out), result);
            }
            Command::Reliable(_) if self.last.is_some() => {
                wrong_state("reliable", "Incoming, after a response")
            }
            Command::Reliable(policy) => {
                let result = core.take_reliable(policy, self.asked);
                if result.is_ok() {
                    core.begin_reliable(now, self.server, (self.cseq, self.asked), None);
                }
                return (State::Incoming(self), result);
            }
            Command::SessionTimer(_) if core.is_accepting() => {
                wrong_state("session timer", "Incoming, answered")
            }
            Command::SessionTimer(config) => {
                core.take_policies(Policies {
                    reliable: None,
                    session_timer: Some(config),
                });
                return (State::Incoming(self), Ok(()));
            }
            Command::Acknowledge(_) => wrong_state("acknowledge", "Incoming"),
            Command::Prack { .. } => wrong_state("prack", "Incoming"),
            Command::Update { leg, outgoing } => {
                // 12.1: the first provisional response makes the dialog.
                let result = match self.last {
                    Some(_) => core.update(leg, outgoing, out),
                    None => Err(wrong_state("update", "Incoming, before any response")),
                };
                return (State::Incoming(self), result);
            }
            Command::Reinvite(_) => wrong_state("reinvite", "Incoming"),
            Command::CancelReinvite(_) => wrong_state("cancel a re-INVITE", "Incoming"),
            Command::Identify {
                from,
                reinvite: None,
            } => {
                let result = core.identify(&from);
                return (State::Incoming(self), result);
            }
            Command::Identify { .. } => wrong_state("reinvite", "Incoming"),
            Command::Request { .. } => wrong_state("request", "Incoming"),
        };
        (State::Incoming(self), Err(error))
    }

    fn check(&self, status: StatusCode, outgoing: &Outgoing) -> Result<(), Misuse> {
        check_response(status, outgoing)?;
        check_coding(&self.reply, outgoing)
    }

    /// 13.3.1.1; RFC 3262 3.
    fn progress(
        mut self: Box<Self>,
        core: &mut Core,
        now: Time,
        status: StatusCode,
        outgoing: &Outgoing,
        preview: bool,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        let result = self
            .check(status, outgoing)
            .and_then(|()| match status.as_u16() {
                _ if core.is_accepting() => Err(wrong_state("progress", "Incoming, answered")),
                // RFC 6228 5: 199 is for who has other dialogs of the same INVITE; a callee has one, and
                // its end is the final response.
                101..=198 => Ok(()),
                status => Err(Misuse::WrongStatus { status }),
            });
        if result.is_ok() && core.is_reliable(outgoing, preview) {
            return match core.say_reliably(now, &self.offer(), status, outgoing, out) {
                Ok(next) => {
                    self.last = Some((status, None));
                    self.repeat = now + EXTENSION;
                    (self.proceed(core, now, next, out), Ok(()))
                }
                Err(error) => (State::Incoming(self), Err(error)),
            };
        }
        let result = result.and_then(|()| core.may_say(Message::Unreliable, outgoing));
        if result.is_ok() {
            core.say(Message::Unreliable, outgoing);
            let [scheme, user, at, host, end] = core.contact_line(&self.host, &outgoing.headers);
            let own = outgoing.headers.as_bytes();
            let more = core.own_tag_line(&outgoing.headers);
            let lines = [scheme, user, at, host, end, own, more];
            let bytes = core.dialog_lines(&self.reply, status, &lines, outgoing);
            self.last = Some((status, Some(bytes.clone())));
            self.repeat = now + MINUTE;
            out.push(Action::Respond {
                server: self.server,
                status,
                bytes,
            });
        }
        (State::Incoming(self), result)
    }

    /// 13.3.1.4. The 2xx may have to wait for a PRACK (RFC 3262 3).
    fn answer(
        mut self: Box<Self>,
        core: &mut Core,
        now: Time,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        let accepted = self
            .check(StatusCode::OK, outgoing)
            .and_then(|()| core.accept_reliably(now, outgoing, out));
        match accepted {
            Ok(Some(outgoing)) => (self.accept(core, now, &outgoing, out), Ok(())),
            Ok(None) => {
                // The user has answered; what is awaited is a PRACK.
                self.answer_until = None;
                self.repeat = None;
                (State::Incoming(self), Ok(()))
            }
            Err(error) => (State::Incoming(self), Err(error)),
        }
    }

    fn accept(
        &self,
        core: &mut Core,
        now: Time,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        core.say(Message::Success, outgoing);
        let unacked = Unacked::send(core, now, self.offer(), outgoing, out);
        core.accepted_contact(&outgoing.headers);
        core.described(0, outgoing.body.as_ref());
        if let Some(leg) = core.legs.first_mut() {
            leg.dialog.confirm_as_uas();
            leg.state = LegState::Confirmed;
        }
        State::Confirmed(Session::answered(unacked))
    }

    /// 13.3.1.2, 13.3.1.3.
    fn reject(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> (State, Result<(), Misuse>) {
        let result = self
            .check(status, outgoing)
            .and_then(|()| match status.class() {
                3..=6 => Ok(()),
                _ => Err(Misuse::WrongStatus {
                    status: status.as_u16(),
                }),
            });
        if result.is_err() {
            return (State::Incoming(self), result);
        }
        let body = outgoing.body.as_ref();
        core.close_reliable(now);
        core.respond(
            self.server,
            &self.reply,
            status,
            &outgoing.headers,
            body,
            out,
        );
        (core.end(EndReason::Rejected { status }, out), Ok(()))
    }

    pub(super) fn on_timer(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        timer: Timer,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match timer {
            Timer::AnswerWait => {
                core.close_reliable(now);
                core.refuse(self.server, &self.reply, self.late, out);
                return core.end(EndReason::Unanswered, out);
            }
            Timer::RepeatProvisional => {
                return self.repeat(core, now, out);
            }
            Timer::Pending(server) => {
                core.expire_pending(server, out);
                let next = core.next_of_reliable(false);
                return self.proceed(core, now, next, out);
            }
            Timer::Provisional => {
                let next = core.on_reliable_timer(now, out);
                return self.proceed(core, now, next, out);
            }
            Timer::UpdateRetry(leg) => core.retry_update(now, leg, out),
            Timer::PrackOwed(_)
            | Timer::Session(_)
            | Timer::Ringing
            | Timer::ReofferWait
            | Timer::AnswerOwed
            | Timer::Retry
            | Timer::Unanswered
            | Timer::Resend(_)
            | Timer::NoAck(_) => {}
        }
        State::Incoming(self)
    }

    /// 13.3.1.1: the last 101-199 again; a reliable one as a new one (RFC 3262 3).
    fn repeat(
        mut self: Box<Self>,
        core: &mut Core,
        now: Time,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let Some((status, bytes)) = self.last.clone() else {
            self.repeat = None;
            return State::Incoming(self);
        };
        let wait = if bytes.is_some() { MINUTE } else { EXTENSION };
        let due = self.repeat.and_then(|at| at + wait);
        self.repeat = due.filter(|at| *at > now).or(now + wait);
        if let Some(bytes) = bytes {
            out.push(Action::Respond {
                server: self.server,
                status,
                bytes,
            });
            return State::Incoming(self);
        }
        // One that waits for its PRACK, or holds the 2xx, is repeated by itself.
        let said = match core.is_waiting_for_prack() {
            true => Ok(Next::Stay),
            false => core.say_reliably(now, &self.offer(), status, &Outgoing::default(), out),
        };
        self.proceed(core, now, said.unwrap_or(Next::Stay), out)
    }

    /// What the PRACKs led to.
    fn proceed(
        self: Box<Self>,
        core: &mut Core,
        now: Time,
        next: Next,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match next {
            Next::Stay => State::Incoming(self),
            Next::Accept(outgoing) => self.accept(core, now, &outgoing, out),
            Next::TimedOut => {
                let status = StatusCode::SERVER_INTERNAL_ERROR;
                core.refuse(self.server, &self.reply, status, out);
                core.end(EndReason::NoPrack, out)
            }
        }
    }

    fn offer(&self) -> To<'_> {
        To {
            server: self.server,
            reply: &self.reply,
            cseq: self.cseq,
            host: &self.host,
            timer: Some(&self.timer),
        }
    }
}

/// How long the INVITE waits for its answer, and what it is told then. 13.3.1: what it says itself
/// in Expires ends in 487.
fn patience(invite: &Request, limit: Duration) -> (Duration, StatusCode) {
    let expires = invite.expires().and_then(Result::ok);
    match expires.map(|seconds| Duration::from_secs(seconds.into())) {
        Some(own) if own <= limit => (own, StatusCode::REQUEST_TERMINATED),
        Some(_) | None => (limit, StatusCode::TEMPORARILY_UNAVAILABLE),
    }
}

/// 12.1.1: the Contact of the response is where the caller reaches this side; its user is whom
/// the caller called.
fn user_of<'a>(uri: &Uri<'a>) -> &'a [u8] {
    let user = uri.as_sip().and_then(|sip| sip.user());
    user.unwrap_or_default()
}

fn is_sips(uri: &Uri<'_>) -> bool {
    uri.as_sip().is_some_and(|sip| sip.is_secure())
}

/// What a Contact that answers an INVITE names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Host {
    /// Host, port and parameters.
    text: Bytes,
    /// Whether it is a SIPS URI.
    secure: bool,
}

impl Host {
    /// 12.1.1: SIPS if the Request-URI is, or the first Record-Route, or without one the Contact.
    pub(super) fn new(text: Bytes, invite: &Request) -> Self {
        Self::of(text, is_sips(&invite.uri()), invite, || contact_of(invite))
    }

    fn of<'m>(
        text: Bytes,
        is_sips_uri: bool,
        invite: &'m Request,
        contact: impl FnOnce() -> Option<Uri<'m>>,
    ) -> Self {
        let secure = is_sips_uri
            || match first_record_route(invite) {
                Some(first) => is_sips(&first),
                None => contact().is_some_and(|contact| is_sips(&contact)),
            };
        Self { text, secure }
    }
}

fn first_record_route(invite: &Request) -> Option<Uri<'_>> {
    let first = split_commas(invite.first(Name::RecordRoute)?).next()?;
    NameAddr::parse(first).ok().map(|address| address.uri())
}

impl Core {
    /// Takes the CSeq of a request of the other side, or says what refuses it (12.2.2).
    pub(super) fn take_cseq(&mut self, request: &Request) -> Result<(), StatusCode> {
        let at = self.find_leg(request.tag_of_from());
        let leg = at.and_then(|at| self.legs.get_mut(at));
        // The owner asks has_dialog first.
        let leg = leg.ok_or(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST)?;
        let taken = leg.dialog.accept_cseq(request.cseq_number());
        taken.map_err(|_| StatusCode::SERVER_INTERNAL_ERROR)
    }

    /// Whether a provisional response to the INVITE of the other side may carry what it does. One
    /// without a session description always may.
    pub(super) fn may_say(&self, message: Message, outgoing: &Outgoing) -> Result<(), Misuse> {
        match self.legs.first() {
            Some(leg) if describes(outgoing, &self.context.limits) => {
                leg.exchange.may_send(message, true)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// It is sent.
    pub(super) fn say(&mut self, message: Message, outgoing: &Outgoing) {
        let session = describes(outgoing, &self.context.limits);
        if let Some(leg) = self.legs.first_mut() {
            leg.exchange.on_sent(message, session);
        }
    }

    /// 14.2: 500 with a Retry-After of 0 to 10 seconds.
    pub(super) fn refuse_for_now(
        &mut self,
        server: ServerId,
        reply: &Reply,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.branches = self.branches.wrapping_add(1);
        let (base, counter) = (self.branch_base(), u64::from(self.branches));
        let delay = self
            .context
            .ids
            .jitter(base, counter, Duration::from_secs(11))
            .as_secs();
        let mut headers = HeaderList::new();
        // Digits cannot be malformed.
        let _ = headers.push("Retry-After", alloc::format!("{delay}"));
        self.respond(
            server,
            reply,
            StatusCode::SERVER_INTERNAL_ERROR,
            &headers,
            None,
            out,
        );
    }

    /// The headers of a response that makes or keeps a dialog: Contact (12.1.1) unless the
    /// application gives its own. There is room in front for what this side can do.
    pub(super) fn with_contact(&self, host: &Host, own: &HeaderList) -> HeaderList {
        let contact = self.contact_line(host, own);
        let capabilities = self.context.capabilities.as_bytes();
        let room = [capabilities, own.as_bytes()]
            .iter()
            .chain(&contact)
            .fold(0, |room: usize, part| room.saturating_add(part.len()));
        let mut headers = HeaderList::with_room(room);
        if !own.contains(Name::Contact) {
            headers.push_line(Name::Contact, &contact);
        }
        headers.extend(own);
        headers
    }

    /// The Contact line of such a response, in pieces; all empty if the application gives its own.
    pub(super) fn contact_line<'a>(&'a self, host: &'a Host, own: &HeaderList) -> [&'a [u8]; 5] {
        if own.contains(Name::Contact) {
            return [b""; 5];
        }
        if let Some(contact) = &self.contact {
            return [b"Contact: ", contact, b"\r\n", b"", b""];
        }
        let secure = host.secure || self.dialog().is_some_and(Dialog::is_secure);
        let scheme: &[u8] = match secure {
            true => b"Contact: <sips:",
            false => b"Contact: <sip:",
        };
        let at: &[u8] = if self.user.is_empty() { b"" } else { b"@" };
        [
            scheme,
            &self.user,
            at,
            contact_host(&host.text, secure),
            b">\r\n",
        ]
    }

    pub(super) fn dialog_response(
        &self,
        reply: &Reply,
        status: StatusCode,
        headers: &HeaderList,
        outgoing: &Outgoing,
    ) -> Bytes {
        self.dialog_lines(reply, status, &[headers.as_bytes()], outgoing)
    }

    /// The same, of finished lines.
    pub(super) fn dialog_lines(
        &self,
        reply: &Reply,
        status: StatusCode,
        lines: &[&[u8]],
        outgoing: &Outgoing,
    ) -> Bytes {
        let tag = self.legs.first().map(|leg| leg.dialog.local_tag_bytes());
        reply.write_lines(status, tag, lines, outgoing.body.as_ref())
    }
}

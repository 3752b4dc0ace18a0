//! What plays the transactions, the network and the other side.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::call::offer_answer::Verdict;
use crate::call::reliable::Policy;
use crate::call::{
    Action, Call, Command, Context, EndReason, Event, Invitation, Notice, RequestId, ServerId, Side,
};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::{
    Body, Builder, Draft, HeaderList, Incoming, Message, Origin, Outgoing, Reply, Request,
    Response, StatusCode, parse,
};
use crate::seed::{Ids, Seed};
use crate::time::Time;
use crate::transaction::{Failure, Timers};

pub(super) const TARGET: &str = "sip:bob@192.0.2.4:5070";
pub(super) const FROM: &str = "\"Alice\" <sip:alice@example.com>";

fn origin() -> Origin {
    Origin::new("UDP", "192.0.2.1:5060", "192.0.2.1:5060")
}

/// A call, the time, and all that it has said.
pub(super) struct Script {
    pub(super) call: Call,
    pub(super) now: Time,
    call_id: String,
    local_tag: String,
    servers: u64,
    /// Requests of this side, each as `METHOD CSeq`.
    sent: Vec<(String, Option<RequestId>, Request)>,
    /// Responses of this side.
    said: Vec<(ServerId, Response)>,
    /// What was not yet taken, in words.
    words: Vec<String>,
    ended: bool,
}

pub(super) fn context() -> Context {
    Context {
        keyring: Default::default(),
        ids: Ids::new(Seed::from_bytes([7; 32])),
        timers: Timers::DEFAULT,
        limits: Limits::DEFAULT,
        capabilities: headers(&[
            ("Allow", "INVITE, ACK, CANCEL, BYE"),
            ("Supported", "path"),
            ("User-Agent", "drongo"),
        ]),
        reliable: Policy::Off,
        session_timer: None,
        connected_identity: false,
        origin: origin(),
    }
}

pub(super) fn headers(list: &[(&str, &str)]) -> HeaderList {
    list.iter()
        .fold(HeaderList::new(), |headers, (name, value)| {
            headers.with(name, value).unwrap()
        })
}

pub(super) fn outgoing(list: &[(&str, &str)]) -> Outgoing {
    Outgoing::new().with_headers(headers(list))
}

pub(super) fn sdp(text: &'static str) -> Outgoing {
    Outgoing::new().with_body(Body::sdp(text))
}

pub(super) fn nothing() -> Outgoing {
    Outgoing::new()
}

pub(super) fn invitation() -> Invitation {
    Invitation::new(TARGET, FROM).unwrap().with(sdp("offer"))
}

pub(super) fn secs(secs: u64) -> Time {
    Time::from_secs(secs)
}

pub(super) fn seal(draft: &Draft) -> Request {
    request_of(draft.seal(&origin()))
}

fn request_of(bytes: Bytes) -> Request {
    match parse(bytes, &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("not a request: {other:?}"),
    }
}

fn response_of(bytes: Bytes) -> Response {
    match parse(bytes, &Limits::DEFAULT) {
        Ok(Incoming::Response(response)) => response,
        other => panic!("not a response: {other:?}"),
    }
}

/// All values of a header, as text.
pub(super) fn all(message: &Message, name: &str) -> Vec<String> {
    message
        .all_named(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

/// The only value of a header.
pub(super) fn one(message: &Message, name: &str) -> String {
    let values = all(message, name);
    assert_eq!(values.len(), 1, "one {name}: {values:?}");
    values.into_iter().next().unwrap()
}

/// An INVITE of the other side, outside any dialog.
pub(super) fn their_invite(extra: &[(&str, &str)], body: Option<&'static str>) -> Request {
    invite_to("sip:me@example.com", Some("them"), extra, body)
}

pub(super) fn invite_to(
    uri: &str,
    from_tag: Option<&str>,
    extra: &[(&str, &str)],
    body: Option<&'static str>,
) -> Request {
    let tag = from_tag.map_or(String::new(), |tag| format!(";tag={tag}"));
    let mut builder = Builder::request("INVITE", uri)
        .header("Via", "SIP/2.0/UDP 192.0.2.4:5070;branch=z9hG4bKtheirs0")
        .header("Max-Forwards", "70")
        .header("From", format!("<sip:them@example.org>{tag}"))
        .header("To", "<sip:me@example.com>")
        .header("Call-ID", "their-call")
        .header("CSeq", "100 INVITE");
    if extra.iter().all(|(name, _)| *name != "Contact") {
        builder = builder.header("Contact", "<sip:them@192.0.2.4:5070>");
    }
    for (name, value) in extra.iter().filter(|(_, value)| !value.is_empty()) {
        builder = builder.header(name, value);
    }
    if let Some(body) = body {
        builder = builder.body(Body::sdp(body));
    }
    request_of(builder.build().unwrap())
}

/// The same with another transport in its Via.
pub(super) fn over(transport: &str, request: &Request) -> Request {
    let text = core::str::from_utf8(request.bytes()).unwrap();
    let via = format!("SIP/2.0/{transport} ");
    request_of(text.replacen("SIP/2.0/UDP ", &via, 1).into())
}

impl Script {
    /// A placed call whose INVITE is out and not yet taken.
    pub(super) fn place() -> Self {
        Self::place_with(context(), invitation())
    }

    pub(super) fn place_with(context: Context, invitation: Invitation) -> Self {
        let ids = context.ids.call(1);
        let mut out = Vec::new();
        let call = Call::place(Time::ZERO, Arc::new(context), &ids, invitation, &mut out).unwrap();
        let mut script = Self::new(call, ids.call_id.as_str(), ids.from_tag.as_str());
        script.note(out);
        script
    }

    /// A request outside of any dialog that is out and not yet taken.
    pub(super) fn ask(method: &str, invitation: Invitation) -> Self {
        Self::ask_with(context(), method, invitation)
    }

    pub(super) fn ask_with(context: Context, method: &str, invitation: Invitation) -> Self {
        let ids = context.ids.call(1);
        let mut out = Vec::new();
        let context = Arc::new(context);
        let call = Call::ask(Time::ZERO, context, &ids, method, invitation, &mut out).unwrap();
        let mut script = Self::new(call, ids.call_id.as_str(), ids.from_tag.as_str());
        script.note(out);
        script
    }

    /// A call whose INVITE, server transaction 1, came from the other side.
    pub(super) fn incoming() -> Self {
        Self::incoming_with(context(), &their_invite(&[], Some("offer")))
    }

    pub(super) fn incoming_with(context: Context, invite: &Request) -> Self {
        let host = Bytes::from_static(b"192.0.2.1:5060");
        let context = Arc::new(context);
        let call = Call::incoming(
            Time::ZERO,
            context,
            ServerId(1),
            invite,
            Reply::new(invite),
            "me",
            host,
        );
        Self::new(call, "their-call", "me")
    }

    /// A placed call that was answered: its dialog has the tag `a`.
    pub(super) fn placed_and_answered() -> Self {
        let mut script = Self::place();
        script.respond("INVITE 1", 200, "a");
        assert_eq!(script.take(), ["INVITE 1", "ACK 1", "answered 200"]);
        script
    }

    /// The same, and its INVITE's transaction is gone.
    pub(super) fn confirmed_as_caller() -> Self {
        let mut script = Self::placed_and_answered();
        script.gone("INVITE 1");
        assert_eq!(script.take(), [""; 0]);
        script
    }

    /// An answered call whose ACK has come.
    pub(super) fn confirmed_as_callee() -> Self {
        let mut script = Self::incoming();
        script.command(Command::Answer(sdp("answer"))).unwrap();
        script.ack(100, "them");
        assert_eq!(script.take(), ["200 INVITE 100", "acknowledged"]);
        script
    }

    fn new(call: Call, call_id: &str, local_tag: &str) -> Self {
        Self {
            call,
            now: Time::ZERO,
            call_id: call_id.to_string(),
            local_tag: local_tag.to_string(),
            servers: 1,
            sent: Vec::new(),
            said: Vec::new(),
            words: Vec::new(),
            ended: false,
        }
    }

    /// What happened since the last `take`.
    #[must_use]
    pub(super) fn take(&mut self) -> Vec<String> {
        core::mem::take(&mut self.words)
    }

    /// Forgets what happened.
    pub(super) fn skip(&mut self) {
        self.words.clear();
    }

    /// The newest request of this side with this label.
    pub(super) fn sent(&self, label: &str) -> Request {
        let found = self.sent.iter().rev().find(|(other, ..)| other == label);
        found.expect("it was sent").2.clone()
    }

    pub(super) fn count_sent(&self, label: &str) -> usize {
        self.sent
            .iter()
            .filter(|(other, ..)| other == label)
            .count()
    }

    pub(super) fn id(&self, label: &str) -> RequestId {
        let found = self.sent.iter().rev().find(|(other, ..)| other == label);
        found.expect("it was sent").1.expect("not an ACK")
    }

    /// The newest response of this side.
    pub(super) fn said(&self) -> Response {
        self.said.last().expect("a response was sent").1.clone()
    }

    /// The oldest response of this side.
    pub(super) fn said_first(&self) -> Response {
        self.said.first().expect("a response was sent").1.clone()
    }

    pub(super) fn said_to(&self, server: ServerId) -> Vec<u16> {
        let to = self.said.iter().filter(|(to, _)| *to == server);
        to.map(|(_, response)| response.status().as_u16()).collect()
    }

    /// A response of the other side with this To tag, and a Contact named after the tag.
    pub(super) fn respond(&mut self, label: &str, status: u16, tag: &str) {
        let contact = format!("<sip:{tag}@192.0.2.4:5070>");
        let extra: &[(&str, &str)] = match status {
            101..=299 => &[("Contact", &contact)],
            _ => &[],
        };
        self.respond_with(label, status, Some(tag), extra, None);
    }

    pub(super) fn respond_with(
        &mut self,
        label: &str,
        status: u16,
        tag: Option<&str>,
        extra: &[(&str, &str)],
        body: Option<&'static str>,
    ) {
        let response = self.response(label, status, tag, extra, body);
        let request = self.id(label);
        self.receive(Event::Response {
            request,
            response: response.into(),
        });
    }

    pub(super) fn response(
        &self,
        label: &str,
        status: u16,
        tag: Option<&str>,
        extra: &[(&str, &str)],
        body: Option<&'static str>,
    ) -> Response {
        let status = StatusCode::new(status).unwrap();
        let body = body.map(Body::sdp);
        let reply = Reply::new(&self.sent(label));
        response_of(reply.write(status, None, tag, &headers(extra), body.as_ref()))
    }

    pub(super) fn gone(&mut self, label: &str) {
        let request = self.id(label);
        self.receive(Event::Gone { request });
    }

    pub(super) fn fail(&mut self, label: &str, failure: Failure) {
        let request = self.id(label);
        self.receive(Event::Failed { request, failure });
    }

    /// A request of the other side within the dialog of its `tag`.
    pub(super) fn request(&mut self, method: &str, cseq: u32, tag: &str) -> ServerId {
        self.request_with(method, cseq, Some(tag), &[], None)
    }

    pub(super) fn request_with(
        &mut self,
        method: &str,
        cseq: u32,
        tag: Option<&str>,
        extra: &[(&str, &str)],
        body: Option<&'static str>,
    ) -> ServerId {
        self.servers += 1;
        let server = ServerId(self.servers);
        let request = self.their_request(method, cseq, tag, extra, body);
        let host = Bytes::from_static(b"192.0.2.1:5060");
        self.receive(Event::Request {
            server,
            reply: Reply::new(&request),
            request: request.into(),
            host,
        });
        server
    }

    pub(super) fn ack(&mut self, cseq: u32, tag: &str) {
        let ack = self.their_request("ACK", cseq, Some(tag), &[], None);
        self.receive(Event::Ack { ack: ack.into() });
    }

    /// The ACK for a refused INVITE of the other side has come.
    pub(super) fn settle(&mut self, server: ServerId) {
        self.receive(Event::Settled { server });
    }

    pub(super) fn cancel(&mut self, server: ServerId) {
        let cancel = self.their_request("CANCEL", 100, Some("them"), &[], None);
        self.receive(Event::Cancel {
            server,
            cancel: cancel.into(),
        });
    }

    pub(super) fn their_request(
        &self,
        method: &str,
        cseq: u32,
        tag: Option<&str>,
        extra: &[(&str, &str)],
        body: Option<&'static str>,
    ) -> Request {
        let tag = tag.map_or(String::new(), |tag| format!(";tag={tag}"));
        let branch = format!("z9hG4bKtheirs{}", self.servers);
        let mut builder = Builder::request(method, "sip:me@192.0.2.1:5060")
            .header("Via", format!("SIP/2.0/UDP 192.0.2.4:5070;branch={branch}"))
            .header("Max-Forwards", "70")
            .header("From", format!("<sip:them@example.org>{tag}"))
            .header("To", format!("<sip:me@example.com>;tag={}", self.local_tag))
            .header("Call-ID", &self.call_id)
            .header("CSeq", format!("{cseq} {method}"));
        for (name, value) in extra {
            builder = builder.header(name, value);
        }
        if let Some(body) = body {
            builder = builder.body(Body::sdp(body));
        }
        request_of(builder.build().unwrap())
    }

    pub(super) fn receive(&mut self, event: Event) {
        let mut out = Vec::new();
        self.call.receive(self.now, event, &mut out);
        self.note(out);
    }

    pub(super) fn command(&mut self, command: Command) -> Result<(), Misuse> {
        let mut out = Vec::new();
        let before = self.call.clone();
        let result = self.call.command(self.now, command, &mut out);
        if result.is_err() && before.deadline().is_none_or(|due| due > self.now) {
            // L10.
            assert_eq!(out, [], "a misuse pushes nothing");
            assert_eq!(self.call, before, "a misuse changes nothing");
        }
        self.note(out);
        result
    }

    pub(super) fn hang_up(&mut self) {
        self.command(Command::HangUp(nothing())).unwrap();
    }

    /// Serves every deadline until then, each at its instant.
    pub(super) fn run_to(&mut self, until: Time) {
        while let Some(due) = self.call.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.wake();
        }
        self.now = until;
    }

    /// Serves the next deadline at its instant.
    pub(super) fn fire(&mut self) {
        self.now = self.call.deadline().expect("a timer runs");
        self.wake();
    }

    /// One `on_deadline`, whether something is due or not.
    pub(super) fn wake(&mut self) {
        let mut out = Vec::new();
        self.call.on_deadline(self.now, &mut out);
        // L8.
        assert!(self.call.deadline().is_none_or(|due| due > self.now));
        self.note(out);
    }

    fn note(&mut self, out: Vec<Action>) {
        for action in out {
            assert_ne!(
                self.words.last().map(String::as_str),
                Some("terminated"),
                "terminated is the last action: {action:?}"
            );
            let words = self.describe(action);
            self.words.push(words);
        }
        if self.call.is_terminated() {
            assert_eq!(self.call.deadline(), None);
        }
    }

    fn describe(&mut self, action: Action) -> String {
        match action {
            Action::Invite { request, draft } | Action::Request { request, draft } => {
                self.keep(Some(request), &draft)
            }
            Action::Ack { draft } => self.keep(None, &draft),
            Action::Cancel { request, .. } => {
                let of = self.sent.iter().find(|(_, id, _)| *id == Some(request));
                format!("CANCEL {}", of.expect("it was sent").2.cseq().number)
            }
            Action::Respond {
                server,
                status,
                bytes,
            } => {
                let response = response_of(bytes);
                assert_eq!(response.status(), status);
                let words = format!(
                    "{} {} {}",
                    status.as_u16(),
                    response.cseq().method.as_str(),
                    response.cseq().number
                );
                self.said.push((server, response));
                words
            }
            Action::Notify(notice) => {
                let ends = matches!(notice, Notice::Ended { .. });
                assert!(!(ends && self.ended), "ended once");
                self.ended |= ends;
                describe(notice)
            }
            Action::Absorbed => "absorbed".into(),
            Action::Terminated => {
                assert!(self.ended, "the user heard of the end");
                "terminated".into()
            }
        }
    }

    fn keep(&mut self, id: Option<RequestId>, draft: &Draft) -> String {
        let request = seal(draft);
        let label = format!("{} {}", request.method().as_str(), request.cseq().number);
        self.sent.push((label.clone(), id, request));
        label
    }
}

fn describe(notice: Notice) -> String {
    let needed = |needed| if needed { ", answer needed" } else { "" };
    let status = |response: &Response| response.status().as_u16();
    match notice {
        Notice::Progress { response, early } => {
            let session = match early.map(|early| early.session) {
                Some(Verdict::Preview) => ", preview",
                Some(Verdict::Answer) => ", answer",
                Some(Verdict::Offer) => ", answer needed",
                Some(Verdict::Ignore) => ", body ignored",
                Some(_) | None => "",
            };
            format!("progress {}{session}", status(&response))
        }
        Notice::Answered {
            response,
            answer_needed,
        } => format!("answered {}{}", status(&response), needed(answer_needed)),
        Notice::Acknowledged {
            answer_missing: true,
            ..
        } => "acknowledged, answer missing".into(),
        Notice::Acknowledged { .. } => "acknowledged".into(),
        Notice::Offered { request, .. } => format!("offered {}", request.method().as_str()),
        Notice::SessionRefreshed { response } => {
            format!("session refreshed {}", status(&response))
        }
        Notice::Refreshed { .. } => "refreshed".into(),
        Notice::Pracked { session, .. } => match session {
            Verdict::Answer => "pracked, answer".into(),
            Verdict::Missing => "pracked, answer missing".into(),
            Verdict::Ignore => "pracked, body ignored".into(),
            Verdict::Nothing | Verdict::Offer | Verdict::Preview | Verdict::Refuse(_) => {
                "pracked".into()
            }
        },
        Notice::Reoffered { .. } => "reoffered".into(),
        Notice::ReofferCancelled { .. } => "reoffer cancelled".into(),
        Notice::Updated {
            response,
            answer_needed,
        } => format!("updated {}{}", status(&response), needed(answer_needed)),
        Notice::Redirected { target, response } => {
            let status = response.map(|response| response.status().as_u16());
            format!("redirected {status:?} to {}", target.as_uri())
        }
        Notice::Retried { response } => format!("retried {}", status(&response)),
        Notice::UpdateRefused { response, changed } => {
            let undone = if changed { ", undone" } else { "" };
            format!("update refused {}{undone}", status(&response))
        }
        Notice::UpdateDeferred { response } => format!("update deferred {}", status(&response)),
        Notice::ReinviteOutdated { .. } => "reinvite outdated".into(),
        Notice::UpdateOutdated { .. } => "update outdated".into(),
        Notice::ReofferExpired { status } => format!("reoffer expired {}", status.as_u16()),
        Notice::RequestExpired { .. } => "request expired".into(),
        Notice::TargetRefreshed => "target refreshed".into(),
        Notice::PeerIdentified { request, .. } => {
            format!("peer is {}", request.from().uri())
        }
        Notice::Identified { response } => format!("identified {}", status(&response)),
        Notice::Request { request, .. } => format!("request {}", request.method().as_str()),
        Notice::Response { response, .. } => format!("response {}", status(&response)),
        Notice::RequestFailed { failure, .. } => format!("request failed {failure:?}"),
        Notice::ForkDropped { .. } => "fork dropped".into(),
        Notice::Ended { reason } => format!("ended: {}", describe_end(reason)),
    }
}

fn describe_end(reason: EndReason) -> String {
    match reason {
        EndReason::Refused { response } => format!("refused {}", response.status().as_u16()),
        EndReason::Completed { response } => {
            format!("completed {}", response.status().as_u16())
        }
        EndReason::Failed(failure) => format!("failed {failure:?}"),
        EndReason::Cancelled { timeout: false } => "cancelled".into(),
        EndReason::Cancelled { timeout: true } => "cancelled, rang too long".into(),
        EndReason::CancelledByCaller { .. } => "cancelled by caller".into(),
        EndReason::Rejected { status } => format!("rejected {}", status.as_u16()),
        EndReason::Unanswered => "unanswered".into(),
        EndReason::HungUp {
            by: Side::Local, ..
        } => "BYE of this side".into(),
        EndReason::HungUp {
            by: Side::Remote,
            bye,
        } => {
            let bye: Box<Request> = bye.expect("with its BYE");
            format!("BYE of the other side, CSeq {}", bye.cseq().number)
        }
        EndReason::ByeFailed(failure) => format!("BYE failed {failure:?}"),
        EndReason::NoAck { bye: None } => "no ACK".into(),
        EndReason::NoAck { bye: Some(failure) } => format!("no ACK, BYE failed {failure:?}"),
        EndReason::SessionExpired => "session expired".into(),
        EndReason::NoPrack => "no PRACK".into(),
        EndReason::NoAnswer => "no answer".into(),
        EndReason::DialogLost { response } => {
            let status = response.map(|response| response.status().as_u16());
            format!("dialog lost {status:?}")
        }
    }
}

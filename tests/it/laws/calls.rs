//! The laws on a call, from each of its ends and from every place where it can stand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drongo::call::reliable::Policy;
use drongo::call::{
    Action, Call, Command, Context, Event, Invitation, Notice, RequestId, ServerId,
};
use drongo::limits::Limits;
use drongo::machine::Machine;
use drongo::message::{
    Body, Builder, Draft, HeaderList, Incoming, Origin, Outgoing, Reply, Request, Response,
    StatusCode, parse,
};
use drongo::seed::{Ids, Seed};
use drongo::time::Time;
use drongo::transaction::{Failure, Timers};
use proptest::prelude::*;

use super::{Step, Subject, check_exhaustively, check_script, chosen, must_keep_the_laws, steps};

/// Requests that the user has not answered: few, so that the limit is met.
const PENDING: usize = 2;

/// Where a script begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    Inviting,
    Early,
    CallerConfirmed,
    AnswerOwed,
    Incoming,
    Unacknowledged,
    CalleeConfirmed,
}

const ALL: [Start; 7] = [
    Start::Inviting,
    Start::Early,
    Start::CallerConfirmed,
    Start::AnswerOwed,
    Start::Incoming,
    Start::Unacknowledged,
    Start::CalleeConfirmed,
];

struct OfCall {
    start: Start,
    context: Arc<Context>,
    events: Vec<Event>,
    commands: Vec<Command>,
}

/// The default, and waits that are over at once, or never.
fn all(start: Start) -> [OfCall; 3] {
    let zero = Duration::ZERO;
    [
        OfCall::new(start, Timers::DEFAULT.t1, None),
        OfCall::new(start, zero, Some(zero)),
        OfCall::new(start, Duration::MAX, Some(Duration::MAX)),
    ]
}

fn context(t1: Duration, wait: Option<Duration>) -> Arc<Context> {
    let mut timers = Timers::DEFAULT;
    timers.t1 = t1;
    let mut limits = Limits::DEFAULT;
    limits.pending_requests = PENDING;
    limits.forks = 2;
    if let Some(wait) = wait {
        limits.request_wait = wait;
        limits.answer_wait = wait;
        limits.ringing_wait = wait;
    }
    Arc::new(Context {
        keyring: Default::default(),
        ids: Ids::new(Seed::from_bytes([3; 32])),
        timers,
        limits,
        capabilities: HeaderList::new(),
        reliable: Policy::Supported,
        session_timer: Some(Default::default()),
        connected_identity: true,
        origin: Origin::default(),
    })
}

impl OfCall {
    fn new(start: Start, t1: Duration, wait: Option<Duration>) -> Self {
        let mut subject = Self {
            start,
            context: context(t1, wait),
            events: Vec::new(),
            commands: all_commands(),
        };
        subject.events = subject.all_events();
        subject
    }

    fn is_caller(&self) -> bool {
        match self.start {
            Start::Inviting | Start::Early | Start::CallerConfirmed | Start::AnswerOwed => true,
            Start::Incoming | Start::Unacknowledged | Start::CalleeConfirmed => false,
        }
    }

    fn all_events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for request in first_ids() {
            // The Contact of the 302 is a target that was not tried yet.
            let all = [(180, "b"), (200, "a"), (200, "b"), (481, "a"), (302, "c")];
            for (status, tag) in all {
                let response = response(status, tag);
                events.push(Event::Response {
                    request,
                    response: response.into(),
                });
            }
            for failure in [Failure::Timeout, Failure::Transport] {
                events.push(Event::Failed { request, failure });
            }
            let response = reliable_response();
            events.push(Event::Response {
                request,
                response: response.into(),
            });
            events.push(Event::Gone { request });
        }
        let [first, ..] = first_ids();
        events.push(Event::Rerouted { request: first });
        let remote = if self.is_caller() { "a" } else { "them" };
        let methods = [
            ("INVITE", 101),
            ("INFO", 102),
            ("INFO", 103),
            ("INFO", 104),
            ("BYE", 105),
            ("UPDATE", 106),
        ];
        for (server, (method, cseq)) in (2..).zip(methods) {
            let request = request(method, cseq, remote);
            events.push(Event::Request {
                server: ServerId(server),
                reply: Reply::new(&request),
                request: request.into(),
                host: Bytes::from_static(b"192.0.2.1"),
            });
        }
        let update = request_with("UPDATE", 107, remote, true);
        for (server, request) in [(8, update), (9, prack(&self.context, remote))] {
            events.push(Event::Request {
                server: ServerId(server),
                reply: Reply::new(&request),
                request: request.into(),
                host: Bytes::from_static(b"192.0.2.1"),
            });
        }
        for cseq in [100, 101] {
            let ack = request("ACK", cseq, remote);
            events.push(Event::Ack { ack: ack.into() });
        }
        for server in [ServerId(1), ServerId(2)] {
            let cancel = request("CANCEL", 100, remote);
            events.push(Event::Cancel {
                server,
                cancel: cancel.into(),
            });
            events.push(Event::Settled { server });
        }
        events
    }
}

/// Places a call, and answers it or not.
fn placed(context: &Arc<Context>, start: Start, now: Time, out: &mut Vec<Action>) -> Call {
    let outgoing = match start {
        Start::AnswerOwed => Outgoing::new(),
        _ => Outgoing::new().with_body(Body::sdp("offer")),
    };
    let invitation = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com").unwrap();
    let ids = context.ids.call(1);
    let invitation = invitation.with(outgoing);
    let mut call = Call::place(now, context.clone(), &ids, invitation, out).unwrap();
    let [request, ..] = first_ids();
    let status = match start {
        Start::Early => 180,
        Start::CallerConfirmed | Start::AnswerOwed => 200,
        _ => return call,
    };
    let response = response(status, "a");
    call.receive(
        now,
        Event::Response {
            request,
            response: response.into(),
        },
        out,
    );
    call
}

/// Takes a call, and answers it or not.
fn taken(context: &Arc<Context>, start: Start, now: Time, out: &mut Vec<Action>) -> Call {
    let invite = request("INVITE", 100, "them");
    let host = Bytes::from_static(b"192.0.2.1");
    let mut call = Call::incoming(
        now,
        context.clone(),
        ServerId(1),
        &invite,
        Reply::new(&invite),
        "me",
        host,
    );
    // It has no sink: with waits of zero its first deadline is at once.
    call.on_deadline(now, out);
    if start != Start::Incoming {
        // With waits of zero it may be too late.
        let _ = call.command(
            now,
            Command::Answer(Outgoing::new().with_body(Body::sdp("answer"))),
            out,
        );
    }
    if start == Start::CalleeConfirmed {
        let ack = request("ACK", 100, "them");
        call.receive(now, Event::Ack { ack: ack.into() }, out);
    }
    call
}

/// The names that a call gives its first requests, whatever they are.
fn first_ids() -> [RequestId; 3] {
    let context = context(Timers::DEFAULT.t1, None);
    let mut out = Vec::new();
    let mut call = taken(&context, Start::CalleeConfirmed, Time::ZERO, &mut out);
    for _ in 0..3 {
        call.command(Time::ZERO, info(), &mut out).unwrap();
    }
    let ids = out.iter().filter_map(|action| match action {
        Action::Request { request, .. } => Some(*request),
        _ => None,
    });
    ids.collect::<Vec<_>>().try_into().unwrap()
}

/// A PRACK for the first reliable response of this side.
fn prack(context: &Arc<Context>, remote_tag: &str) -> Request {
    let mut out = Vec::new();
    let limits = Limits::DEFAULT;
    let context = Arc::new(Context {
        limits,
        timers: Timers::DEFAULT,
        ..(**context).clone()
    });
    let mut call = taken(&context, Start::Incoming, Time::ZERO, &mut out);
    // The first reliable response to an INVITE without an offer makes it.
    let progress = all_commands().swap_remove(2);
    call.command(Time::ZERO, progress, &mut out).unwrap();
    let Some(Action::Respond { bytes, .. }) = out.pop() else {
        panic!("{out:?}");
    };
    let Incoming::Response(response) = parsed(bytes) else {
        panic!("a response");
    };
    let rack = format!("{} 100 INVITE", response.rseq().unwrap().unwrap());
    let text = request("PRACK", 108, remote_tag).bytes().clone();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let text = text.replacen("Max-Forwards", &format!("RAck: {rack}\r\nMax-Forwards"), 1);
    match parsed(text.into()) {
        Incoming::Request(request) => request,
        Incoming::Response(_) => panic!("a request"),
    }
}

/// A reliable one with an offer or answer.
fn reliable_response() -> Response {
    let text = response(183, "a").bytes().clone();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let reliable = "Require: 100rel\r\nRSeq: 7\r\nContact";
    match parsed(text.replacen("Contact", reliable, 1).into()) {
        Incoming::Response(response) => response,
        Incoming::Request(_) => panic!("a response"),
    }
}

/// A response with an offer to the INVITE of this side.
fn response(status: u16, tag: &str) -> Response {
    let context = context(Timers::DEFAULT.t1, None);
    let mut out = Vec::new();
    let invitation = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com").unwrap();
    let ids = context.ids.call(1);
    Call::place(Time::ZERO, context, &ids, invitation, &mut out).unwrap();
    let Some(Action::Invite { draft, .. }) = out.first() else {
        panic!("{out:?}");
    };
    let contact = format!("<sip:{tag}@192.0.2.4>");
    let headers = HeaderList::new().with("Contact", contact).unwrap();
    let headers = headers.with("Supported", "from-change").unwrap();
    let status = StatusCode::new(status).unwrap();
    let body = Body::sdp("offer");
    let reply = Reply::new(&seal(draft));
    match parsed(reply.write(status, None, Some(tag), &headers, Some(&body))) {
        Incoming::Response(response) => response,
        Incoming::Request(_) => panic!("a response"),
    }
}

/// A request of the other side. A call looks at no more of it than the From tag.
fn request(method: &str, cseq: u32, remote_tag: &str) -> Request {
    request_with(method, cseq, remote_tag, false)
}

fn request_with(method: &str, cseq: u32, remote_tag: &str, offer: bool) -> Request {
    // One of them says that it is somebody else.
    let user = if cseq == 103 { "else" } else { "them" };
    let builder = Builder::request(method, "sip:me@192.0.2.1")
        .header("Via", "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKtheirs")
        .header("Max-Forwards", "70")
        .header("From", format!("<sip:{user}@example.org>;tag={remote_tag}"))
        .header("To", "<sip:me@example.com>")
        .header("Call-ID", "their-call")
        .header("CSeq", format!("{cseq} {method}"))
        .header("Supported", "100rel, timer, from-change")
        .header("Session-Expires", "90;refresher=uas")
        .header("Contact", "<sip:them@192.0.2.4>");
    let builder = match offer {
        true => builder.body(Body::sdp("offer")),
        false => builder,
    };
    match parsed(builder.build().unwrap()) {
        Incoming::Request(request) => request,
        Incoming::Response(_) => panic!("a request"),
    }
}

fn seal(draft: &Draft) -> Request {
    match parsed(draft.seal(&Origin::new("UDP", "192.0.2.1", "192.0.2.1"))) {
        Incoming::Request(request) => request,
        Incoming::Response(_) => panic!("a request"),
    }
}

fn parsed(bytes: Bytes) -> Incoming {
    parse(bytes, &Limits::DEFAULT).unwrap()
}

/// One command of each kind, misuse among them.
fn all_commands() -> Vec<Command> {
    let outgoing = Outgoing::new;
    let reserved = HeaderList::new().with("Via", "x").unwrap();
    vec![
        Command::Progress {
            status: StatusCode::RINGING,
            outgoing: outgoing(),
        },
        // A 2xx owes a session description.
        Command::Answer(outgoing().with_body(Body::sdp("answer"))),
        Command::Progress {
            status: StatusCode::SESSION_PROGRESS,
            outgoing: outgoing().with_body(Body::sdp("offer")),
        },
        Command::Reject {
            status: StatusCode::BUSY_HERE,
            outgoing: outgoing(),
        },
        Command::Acknowledge(outgoing()),
        Command::HangUp(outgoing()),
        Command::HangUp(outgoing().with_headers(reserved)),
        Command::Reinvite(outgoing()),
        Command::CancelReinvite(outgoing()),
        Command::Update {
            leg: None,
            outgoing: outgoing(),
        },
        Command::Update {
            leg: None,
            outgoing: outgoing().with_body(Body::sdp("offer")),
        },
        info(),
        Command::Identify {
            from: "sip:carol@example.com".into(),
            reinvite: None,
        },
        Command::Respond {
            server: ServerId(3),
            status: StatusCode::OK,
            outgoing: outgoing(),
        },
    ]
}

fn info() -> Command {
    Command::Request {
        method: "INFO".into(),
        outgoing: Outgoing::new(),
    }
}

impl Subject for OfCall {
    type Machine = Call;

    fn fresh(&self, now: Time, out: &mut Vec<Action>) -> Call {
        match self.is_caller() {
            true => placed(&self.context, self.start, now, out),
            false => taken(&self.context, self.start, now, out),
        }
    }

    fn events(&self) -> &[Event] {
        &self.events
    }

    fn commands(&self) -> &[Command] {
        &self.commands
    }

    fn is_last(&self, action: &Action) -> bool {
        matches!(action, Action::Terminated)
    }

    /// Of what a timer pushes, only 101-299 was sent before.
    fn is_repetition(&self, action: &Action) -> bool {
        matches!(action, Action::Respond { status, .. } if status.as_u16() < 300)
    }

    fn phase(&self, call: &Call) -> &'static str {
        call.state()
    }

    fn is_composite(&self) -> bool {
        true
    }

    /// One answer to each request that waits; for the input at most five actions, as of a BYE: an
    /// ACK that was owed, 200, 487 to a re-INVITE, `Ended`, `Terminated`; and at most three for
    /// each of two other timers that are due.
    fn max_actions(&self, _: &Call) -> usize {
        PENDING + 5 + 2 * 3
    }
}

/// A script of the fuzzer.
pub(super) fn script(on: u8, choices: &[(u8, i32)]) {
    let start = ALL[usize::from(on) % ALL.len()];
    let subject = &all(start)[usize::from(on) / ALL.len() % 3];
    ends_once(subject, &chosen(subject, choices));
    must_keep_the_laws(subject, choices);
}

#[test]
fn calls_keep_the_laws() {
    let mut phases = BTreeSet::new();
    for start in ALL {
        for subject in all(start) {
            let tally = check_exhaustively(&subject, 2);
            phases.extend(tally.unwrap_or_else(|v| panic!("{start:?}: {v}")).phases);
        }
    }
    let expected = [
        "Confirmed",
        "Incoming",
        "Inviting",
        "Leaving",
        "Lingering",
        "Terminated",
    ];
    assert!(phases.iter().eq(&expected), "{phases:?}");
}

/// The user hears of the end exactly once.
fn ends_once(subject: &OfCall, script: &[Step]) {
    let mut out = Vec::new();
    let mut now = Time::from_secs(10_000);
    let mut call = subject.fresh(now, &mut out);
    let (events, commands) = (subject.events(), subject.commands());
    for step in script {
        match step {
            Step::Receive(at) => call.receive(now, events[*at].clone(), &mut out),
            Step::Command(at) => {
                let _ = call.command(now, commands[*at].clone(), &mut out);
            }
            Step::At => {
                now = call.deadline().unwrap_or(now).max(now);
                call.on_deadline(now, &mut out);
            }
            _ => {}
        }
    }
    let ended = |action: &&Action| matches!(action, Action::Notify(Notice::Ended { .. }));
    let over = matches!(call.state(), "Lingering" | "Terminated");
    let ends = out.iter().filter(ended).count();
    assert_eq!(ends, usize::from(over), "{script:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn long_scripts_of_calls_keep_the_laws(
        (start, on) in (0..ALL.len(), 0..3_usize),
        numbers in prop::collection::vec((any::<u8>(), -2_000..60_000_i32), 0..40),
    ) {
        let subject = &all(ALL[start])[on];
        let steps = steps(subject);
        let step = |(which, by)| match which {
            0..60 => Step::Move(by),
            _ => steps[usize::from(which) % steps.len()],
        };
        let script: Vec<Step> = numbers.into_iter().map(step).collect();
        ends_once(subject, &script);
        if let Err(violation) = check_script(subject, &script) {
            panic!("{:?}: {violation}", ALL[start]);
        }
    }
}

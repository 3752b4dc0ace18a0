//! Client and server transactions against each other, over a channel that loses, delays, doubles
//! and reorders: both sides end, and their users agree on what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bytes::Bytes;
use drongo::machine::Machine;
use drongo::message::{Incoming, Reply, Request, Response, StatusCode, derive, parse};
use drongo::time::Time;
use drongo::transaction::key::{ClientKey, ServerKey};
use drongo::transaction::{
    Failure, InviteClient, InviteServer, NonInviteClient, NonInviteServer, Reliability, Timers,
    invite_client, invite_server, non_invite_client, non_invite_server,
};
use proptest::prelude::*;

use crate::laws::transactions::{parsed, request};

/// What becomes of one packet: the delay in milliseconds of each copy that arrives.
type Fate = Vec<u16>;

/// What the users do, and what the channel does.
#[derive(Clone, Debug)]
struct Plan {
    reliability: Reliability,
    /// What becomes of the packets, in order, that are sent before `healed`.
    fates: Vec<Fate>,
    /// From when on every packet arrives, in milliseconds.
    healed: u64,
    /// When the callee says 180 and its final response, after the INVITE.
    ringing: Option<u64>,
    answer: (u64, u16),
    /// When the caller cancels.
    cancel: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Task {
    /// The response of the callee to its INVITE.
    Respond(u16),
    /// The callee's user sends its 2xx again; the next time after so many milliseconds.
    Again(u64),
    Cancel,
}

#[derive(Debug)]
enum Due {
    ToServer(Bytes),
    ToClient(Bytes),
    Task(Task),
}

/// What the users saw.
#[derive(Default, Debug)]
struct Seen {
    /// How often each transaction was created: more than once is a ghost.
    created: BTreeMap<ServerKey, usize>,
    /// The final responses to the INVITE, and how it failed.
    finals: Vec<u16>,
    failed: Option<Failure>,
    /// The final response that the callee gave, and whether it learned that it arrived.
    given: Option<u16>,
    acknowledged: bool,
    no_ack: bool,
    /// The response to the CANCEL.
    cancelled: Option<u16>,
}

struct World {
    /// The machines that have said `Terminated`.
    over: BTreeSet<&'static str>,
    plan: Plan,
    now: Time,
    sent: usize,
    queue: BTreeMap<(Time, usize), Due>,
    client: InviteClient,
    canceller: Option<NonInviteClient>,
    server: Option<(ServerKey, Reply, InviteServer)>,
    cancelled: Option<(ServerKey, NonInviteServer)>,
    seen: Seen,
}

fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

impl World {
    fn run(plan: Plan) -> Seen {
        let mut out = Vec::new();
        let (reliability, cancel) = (plan.reliability, plan.cancel);
        let bytes = request("INVITE");
        let client = InviteClient::new(ms(0), Timers::DEFAULT, reliability, bytes, &mut out);
        let mut world = Self {
            over: BTreeSet::new(),
            plan,
            now: ms(0),
            sent: 0,
            queue: BTreeMap::new(),
            client,
            canceller: None,
            server: None,
            cancelled: None,
            seen: Seen::default(),
        };
        world.perform_client(out);
        if let Some(at) = cancel {
            world.at(at, Due::Task(Task::Cancel));
        }
        while let Some(next) = world.next() {
            assert!(
                next >= world.now,
                "time runs backwards: a deadline was in the past"
            );
            world.now = next;
            world.wake();
            while world
                .queue
                .first_key_value()
                .is_some_and(|((at, _), _)| *at <= next)
            {
                let (_, due) = world.queue.pop_first().unwrap();
                world.deliver(due);
            }
        }
        world.ended()
    }

    fn next(&self) -> Option<Time> {
        let deadlines = [
            self.queue.first_key_value().map(|((at, _), _)| *at),
            self.client.deadline(),
            self.canceller.as_ref().and_then(Machine::deadline),
            self.server
                .as_ref()
                .and_then(|(.., server)| server.deadline()),
            self.cancelled
                .as_ref()
                .and_then(|(_, server)| server.deadline()),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Nothing is due any more.
    fn ended(self) -> Seen {
        assert!(self.client.is_terminated(), "{:?}", self.client);
        assert!(self.canceller.is_none_or(|client| client.is_terminated()));
        assert!(
            self.server
                .is_none_or(|(.., server)| server.is_terminated())
        );
        assert!(
            self.cancelled
                .is_none_or(|(_, server)| server.is_terminated())
        );
        self.seen
    }

    fn at(&mut self, after: u64, due: Due) {
        self.sent += 1;
        let at = Time::from_nanos(self.now.as_nanos() + after * 1_000_000);
        self.queue.insert((at, self.sent), due);
    }

    fn send(&mut self, due: fn(Bytes) -> Due, bytes: &Bytes) {
        let healthy =
            self.now >= ms(self.plan.healed) || self.plan.reliability == Reliability::Reliable;
        let fate = match self.plan.fates.pop() {
            Some(fate) if !healthy => fate,
            _ => vec![20],
        };
        for delay in fate {
            self.at(u64::from(delay), due(bytes.clone()));
        }
    }

    fn wake(&mut self) {
        let now = self.now;
        let mut out = Vec::new();
        self.client.on_deadline(now, &mut out);
        self.perform_client(out);
        if let Some(client) = &mut self.canceller {
            let mut out = Vec::new();
            client.on_deadline(now, &mut out);
            self.perform_canceller(out);
        }
        if let Some((.., server)) = &mut self.server {
            let mut out = Vec::new();
            server.on_deadline(now, &mut out);
            self.perform_server(out);
        }
        if let Some((_, server)) = &mut self.cancelled {
            let mut out = Vec::new();
            server.on_deadline(now, &mut out);
            self.perform_cancelled(out);
        }
    }

    fn deliver(&mut self, due: Due) {
        match due {
            Due::ToServer(bytes) => match parse(bytes, &Default::default()).unwrap() {
                Incoming::Request(request) => self.requested(request),
                other => panic!("no request: {other:?}"),
            },
            Due::ToClient(bytes) => match parse(bytes, &Default::default()).unwrap() {
                Incoming::Response(response) => self.responded(response),
                other => panic!("no response: {other:?}"),
            },
            Due::Task(Task::Respond(code)) => self.respond(code),
            Due::Task(Task::Again(wait)) => self.again(wait),
            Due::Task(Task::Cancel) => {
                let mut out = Vec::new();
                let cancel = invite_client::Command::Cancel;
                self.client.command(self.now, cancel, &mut out).unwrap();
                self.perform_client(out);
            }
        }
    }

    /// A request arrives at the callee.
    fn requested(&mut self, request: Request) {
        match request.method().as_str() {
            "INVITE" => self.invited(&request),
            "CANCEL" => self.cancel_requested(&request),
            "ACK" => self.acknowledged(request),
            other => panic!("{other}"),
        }
    }

    fn invited(&mut self, request: &Request) {
        let (now, key) = (self.now, ServerKey::of_request(request));
        let mut out = Vec::new();
        match &mut self.server {
            Some((of, _, server)) if *of == key && !server.is_terminated() => {
                server.receive(now, invite_server::Event::Invite, &mut out);
            }
            _ => {
                *self.seen.created.entry(key.clone()).or_default() += 1;
                let reply = Reply::new(request);
                let (timers, reliability) = (Timers::DEFAULT, self.plan.reliability);
                let server = InviteServer::new(now, timers, reliability, reply.clone(), &mut out);
                self.server = Some((key, reply, server));
                if let Some(at) = self.plan.ringing {
                    self.at(at, Due::Task(Task::Respond(180)));
                }
                let (at, code) = self.plan.answer;
                self.at(at, Due::Task(Task::Respond(code)));
            }
        }
        self.perform_server(out);
    }

    fn acknowledged(&mut self, ack: Request) {
        let Some((key, _, server)) = &mut self.server else {
            panic!("an ACK of nothing");
        };
        if ServerKey::of_acknowledged(&ack).any(|a| a.key == *key) {
            let mut out = Vec::new();
            server.receive(self.now, invite_server::Event::Ack(ack.into()), &mut out);
            self.perform_server(out);
        } else {
            // With a branch of its own: that of a 2xx.
            self.seen.acknowledged = true;
        }
    }

    fn cancel_requested(&mut self, request: &Request) {
        let (now, key) = (self.now, ServerKey::of_request(request));
        let mut out = Vec::new();
        match &mut self.cancelled {
            Some((of, server)) if *of == key && !server.is_terminated() => {
                server.receive(now, non_invite_server::Event::Request, &mut out);
            }
            _ => {
                *self.seen.created.entry(key.clone()).or_default() += 1;
                let reply = Reply::new(request);
                let (timers, reliability) = (Timers::DEFAULT, self.plan.reliability);
                let mut server = NonInviteServer::new(now, timers, reliability, reply.clone());
                let target = ServerKey::of_cancelled(request, parsed("INVITE").method());
                let found = self.server.as_ref().filter(|(of, ..)| *of == target);
                let found = found.is_some_and(|(.., server)| !server.is_terminated());
                let status = StatusCode::new(if found { 200 } else { 481 }).unwrap();
                let bytes = reply.write(status, None, Some("t"), &Default::default(), None);
                let respond = non_invite_server::Command::Respond { status, bytes };
                server.command(now, respond, &mut out).unwrap();
                self.cancelled = Some((key, server));
                if found {
                    self.respond(487);
                }
            }
        }
        self.perform_cancelled(out);
    }

    /// The callee's user says this, if it has not said its last word.
    fn respond(&mut self, code: u16) {
        let Some((_, reply, server)) = &mut self.server else {
            panic!("nothing to respond to");
        };
        if self.seen.given.is_some() {
            return;
        }
        let status = StatusCode::new(code).unwrap();
        if status.is_final() {
            self.seen.given = Some(code);
        }
        let bytes = reply.write(status, None, Some("t"), &Default::default(), None);
        let mut out = Vec::new();
        let respond = invite_server::Command::Respond { status, bytes };
        server.command(self.now, respond, &mut out).unwrap();
        self.perform_server(out);
        if status.is_success() {
            self.at(500, Due::Task(Task::Again(1_000)));
        }
    }

    /// 6026 8.1: the 2xx again, until its ACK comes.
    fn again(&mut self, wait: u64) {
        let Some((_, reply, server)) = &mut self.server else {
            panic!("nothing to respond to");
        };
        if self.seen.acknowledged || server.is_terminated() {
            return;
        }
        let bytes = reply.write(StatusCode::OK, None, Some("t"), &Default::default(), None);
        let status = StatusCode::OK;
        let mut out = Vec::new();
        let respond = invite_server::Command::Respond { status, bytes };
        server.command(self.now, respond, &mut out).unwrap();
        self.perform_server(out);
        self.at(wait, Due::Task(Task::Again((wait * 2).min(4_000))));
    }

    /// A response arrives at the caller.
    fn responded(&mut self, response: Response) {
        let now = self.now;
        let key = ClientKey::of_response(&response);
        let branch = parsed("INVITE").branch().unwrap().to_owned();
        if key == Some(ClientKey::new(&branch, parsed("INVITE").method())) {
            let mut out = Vec::new();
            self.client.receive(
                now,
                invite_client::Event::Response(response.into()),
                &mut out,
            );
            self.perform_client(out);
        } else if let Some(client) = &mut self.canceller {
            let mut out = Vec::new();
            client.receive(
                now,
                non_invite_client::Event::Response(response.into()),
                &mut out,
            );
            self.perform_canceller(out);
        } else {
            panic!("a response to nothing: {response:?}");
        }
    }

    /// `Terminated` is said once, and nothing after it.
    fn nothing_after<A: PartialEq + Debug>(&mut self, who: &'static str, out: &[A], last: &A) {
        assert!(
            out.is_empty() || !self.over.contains(who),
            "{who} goes on: {out:?}"
        );
        if let Some(at) = out.iter().position(|action| action == last) {
            assert_eq!(at + 1, out.len(), "{who} goes on: {out:?}");
            self.over.insert(who);
        }
    }

    fn perform_client(&mut self, out: Vec<invite_client::Action>) {
        use invite_client::Action;

        self.nothing_after("client", &out, &Action::Terminated);
        for action in out {
            match action {
                Action::Transmit(bytes) => self.send(Due::ToServer, &bytes),
                Action::Response(response) if response.status().is_final() => {
                    self.seen.finals.push(response.status().as_u16());
                    if response.status().is_success() {
                        let ack = String::from_utf8(request("ACK").to_vec()).unwrap();
                        let ack = ack.replace("nashds8", "ofitsown").into();
                        self.send(Due::ToServer, &ack);
                    }
                }
                Action::Cancel(invite) => {
                    let bytes = derive::cancel(&invite, &Default::default()).unwrap();
                    let (timers, reliability) = (Timers::DEFAULT, self.plan.reliability);
                    let mut out = Vec::new();
                    let client =
                        NonInviteClient::new(self.now, timers, reliability, bytes, &mut out);
                    assert!(self.canceller.replace(client).is_none(), "a second CANCEL");
                    self.perform_canceller(out);
                }
                Action::Failed(failure) => {
                    assert_eq!(self.seen.failed.replace(failure), None);
                }
                Action::Response(_) | Action::Terminated | _ => {}
            }
        }
    }

    fn perform_canceller(&mut self, out: Vec<non_invite_client::Action>) {
        use non_invite_client::Action;

        self.nothing_after("canceller", &out, &Action::Terminated);
        for action in out {
            match action {
                Action::Transmit(bytes) => self.send(Due::ToServer, &bytes),
                Action::Response(response) if response.status().is_final() => {
                    let first = self.seen.cancelled.replace(response.status().as_u16());
                    assert_eq!(first, None);
                }
                Action::Response(_) | Action::Terminated | _ => {}
            }
        }
    }

    fn perform_server(&mut self, out: Vec<invite_server::Action>) {
        use invite_server::Action;

        self.nothing_after("server", &out, &Action::Terminated);
        for action in out {
            match action {
                Action::Transmit(bytes) => self.send(Due::ToClient, &bytes),
                Action::Failed(failure) => {
                    assert_eq!(failure, Failure::NoAck);
                    self.seen.no_ack = true;
                }
                Action::Ack(_) | Action::Terminated | _ => {}
            }
        }
    }

    fn perform_cancelled(&mut self, out: Vec<non_invite_server::Action>) {
        self.nothing_after("cancelled", &out, &non_invite_server::Action::Terminated);
        for action in out {
            if let non_invite_server::Action::Transmit(bytes) = action {
                self.send(Due::ToClient, &bytes);
            }
        }
    }
}

fn plans(healed: u64) -> impl Strategy<Value = Plan> {
    let delay = 1..400_u16;
    let fate = prop_oneof![
        3 => Just(vec![]),
        4 => delay.clone().prop_map(|delay| vec![delay]),
        1 => prop::collection::vec(delay, 2..4),
    ];
    let answer = (0..6_000_u64, prop::sample::select(vec![200, 302, 486, 603]));
    (
        prop::sample::select(vec![Reliability::Unreliable, Reliability::Reliable]),
        prop::collection::vec(fate, 0..80),
        prop::option::of(0..3_000_u64),
        answer,
        prop::option::of(0..7_000_u64),
    )
        .prop_map(move |(reliability, fates, ringing, answer, cancel)| Plan {
            reliability,
            fates,
            healed,
            ringing,
            answer,
            cancel,
        })
}

/// What holds whatever was lost.
fn agree(plan: &Plan, seen: &Seen) -> Result<(), TestCaseError> {
    prop_assert!(
        seen.created.values().all(|times| *times == 1),
        "a ghost: {seen:?}"
    );
    let success = seen.given.is_some_and(|code| code < 300);
    prop_assert!(
        seen.finals.iter().all(|code| Some(*code) == seen.given),
        "{seen:?}"
    );
    prop_assert!(success || seen.finals.len() <= 1, "{seen:?}");
    prop_assert_eq!(seen.finals.is_empty(), seen.failed.is_some(), "{:?}", seen);
    // Who was acknowledged, was heard.
    let heard = if success {
        seen.acknowledged
    } else {
        seen.given.is_some() && !seen.no_ack
    };
    prop_assert!(!heard || !seen.finals.is_empty(), "{seen:?}");
    prop_assert!(plan.cancel.is_some() || seen.cancelled.is_none());
    Ok(())
}

/// What holds if the channel heals in time.
fn succeed(seen: &Seen) -> Result<(), TestCaseError> {
    prop_assert_eq!(seen.failed, None, "{:?}", seen);
    prop_assert!(!seen.no_ack, "{seen:?}");
    prop_assert_eq!(seen.finals.first().copied(), seen.given, "{:?}", seen);
    prop_assert!(
        seen.given != Some(487) || seen.cancelled == Some(200),
        "{seen:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // PAINS 20, 21: loss at every step, of the CANCEL too.
    #[test]
    fn whatever_is_lost_both_sides_end_and_agree(plan in plans(u64::MAX)) {
        let seen = World::run(plan.clone());
        agree(&plan, &seen)?;
    }

    #[test]
    fn once_the_channel_heals_both_sides_succeed(plan in plans(3_000)) {
        let seen = World::run(plan.clone());
        agree(&plan, &seen)?;
        succeed(&seen)?;
    }
}

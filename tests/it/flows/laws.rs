//! Random calls over bad networks, and the laws of the endpoint.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use drongo::call::Invitation;
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Input, Output};
use drongo::message::{Outgoing, StatusCode};
use drongo::seed::Seed;
use drongo::sim::{Entry, Link, Node, Record, Turn, User, World};
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Transport};

use super::support::{ALICE, BOB, address, answers_at_once, assert_empty, sdp};

/// How a callee treats a call.
#[derive(Clone, Copy, Debug)]
enum Callee {
    Answers { after: u64 },
    Rings { then: Option<u64> },
    Rejects,
    Silent,
}

/// What happens to a call later; whichever side is meant may have lost it by then.
#[derive(Clone, Copy, Debug)]
enum Deed {
    HangUp,
    Update,
    Info,
}

#[derive(Clone, Debug)]
struct Plan {
    at: u64,
    by_alice: bool,
    callee: Callee,
    deeds: Vec<(u64, bool, Deed)>,
    hang_up: u64,
}

#[derive(Clone, Debug)]
struct Mix {
    seed: u8,
    loss: u16,
    duplication: u16,
    delay: u64,
    jitter: u64,
    /// When nothing gets through, and for how long.
    cuts: Vec<(u64, u64)>,
    plans: Vec<Plan>,
}

fn callee() -> impl Strategy<Value = Callee> {
    prop_oneof![
        4 => (0_u64..3000).prop_map(|after| Callee::Answers { after }),
        3 => proptest::option::of(0_u64..5000).prop_map(|then| Callee::Rings { then }),
        1 => Just(Callee::Rejects),
        1 => Just(Callee::Silent),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![1 => Just(Deed::HangUp), 3 => Just(Deed::Update), 2 => Just(Deed::Info)]
}

fn plan() -> impl Strategy<Value = Plan> {
    let deeds = proptest::collection::vec((0_u64..20_000, any::<bool>(), deed()), 0..5);
    (0_u64..5000, any::<bool>(), callee(), deeds, 0_u64..40_000).prop_map(
        |(at, by_alice, callee, deeds, hang_up)| Plan {
            at,
            by_alice,
            callee,
            deeds,
            hang_up,
        },
    )
}

fn mix() -> impl Strategy<Value = Mix> {
    let plans = proptest::collection::vec(plan(), 1..5);
    let network = (
        0_u16..=300,
        0_u16..=300,
        1_u64..200,
        prop_oneof![Just(0), 0_u64..3000],
        proptest::collection::vec((0_u64..30_000, 0_u64..40_000), 0..2),
    );
    (any::<u8>(), network, plans).prop_map(
        |(seed, (loss, duplication, delay, jitter, cuts), plans)| Mix {
            seed,
            loss,
            duplication,
            delay,
            jitter,
            cuts,
            plans,
        },
    )
}

/// What a user heard of each of its calls: whether each has ended.
type Heard = Rc<RefCell<BTreeMap<CallHandle, u32>>>;

/// Takes the calls as planned, in the order in which they come in.
struct Person {
    heard: Heard,
    plans: Vec<Plan>,
    taken: usize,
}

impl Person {
    fn take(&mut self, turn: &mut Turn<'_>, call: CallHandle) {
        self.heard.borrow_mut().insert(call, 0);
        let plan = self
            .plans
            .get(self.taken % self.plans.len().max(1))
            .cloned();
        self.taken += 1;
        let answer_after = match plan.map_or(Callee::Silent, |plan| plan.callee) {
            Callee::Answers { after } => Some(after),
            Callee::Rings { then } => {
                turn.call(call, |call, now, out| call.ring(now, out))
                    .unwrap();
                then
            }
            Callee::Rejects => {
                let (status, none) = (StatusCode::BUSY_HERE, Outgoing::default());
                turn.call(call, |call, now, out| call.reject(now, status, none, out))
                    .unwrap();
                None
            }
            Callee::Silent => None,
        };
        if let Some(after) = answer_after {
            turn.after(Duration::from_millis(after), move |turn| {
                // It may have been cancelled.
                let _ = turn.call(call, |call, now, out| call.answer(now, sdp(), out));
            });
        }
    }
}

impl User for Person {
    fn on_event(&mut self, turn: &mut Turn<'_>, event: Event) {
        let call = match &event {
            Event::Incoming { call, .. }
            | Event::Progress { call, .. }
            | Event::Answered { call, .. }
            | Event::Acknowledged { call, .. }
            | Event::Reoffered { call, .. }
            | Event::ReofferCancelled { call, .. }
            | Event::Updated { call, .. }
            | Event::UpdateRefused { call, .. }
            | Event::UpdateDeferred { call, .. }
            | Event::ReinviteOutdated { call, .. }
            | Event::UpdateOutdated { call, .. }
            | Event::ReofferExpired { call, .. }
            | Event::TargetRefreshed { call }
            | Event::PeerIdentified { call, .. }
            | Event::Identified { call, .. }
            | Event::Response { call, .. }
            | Event::RequestFailed { call, .. }
            | Event::ForkDropped { call, .. }
            | Event::Ended { call, .. } => *call,
            Event::Request { call, .. } | Event::RequestExpired { call, .. } => {
                call.expect("all requests are within calls")
            }
            other => panic!("unknown event {other:?}"),
        };
        let ended = self.heard.borrow().get(&call).copied();
        if matches!(event, Event::Incoming { .. }) {
            assert_eq!(ended, None, "a call comes in once");
            return self.take(turn, call);
        }
        assert_eq!(
            ended,
            Some(0),
            "nothing is heard of a call that has ended: {event:?}"
        );
        match event {
            Event::Ended { .. } => *self.heard.borrow_mut().entry(call).or_default() += 1,
            Event::Reoffered { .. } => {
                turn.call(call, |call, now, out| call.answer(now, sdp(), out))
                    .unwrap();
            }
            Event::Request { request, .. } => turn
                .request(request, |request, now, out| {
                    request.respond(now, StatusCode::OK, Outgoing::default(), out)
                })
                .unwrap(),
            _ => {}
        }
    }
}

struct Run {
    world: World,
    link: Link,
    nodes: [Node; 2],
    heard: [Heard; 2],
}

impl Run {
    fn new(mix: &Mix) -> Self {
        let link = Link::default()
            .loss(mix.loss)
            .duplication(mix.duplication)
            .delay(Duration::from_millis(mix.delay))
            .jitter(Duration::from_millis(mix.jitter));
        let mut world = World::new(Seed::from_bytes([mix.seed; 32]), link);
        let heard = [Heard::default(), Heard::default()];
        let person = |n: usize| Person {
            heard: heard[n].clone(),
            plans: mix.plans.clone(),
            taken: 0,
        };
        let mut config = Config::default();
        // Calls that ring for ever end sooner.
        config.limits.answer_wait = Duration::from_secs(70);
        let alice = world
            .endpoint("alice", address(ALICE), config.clone(), person(0))
            .unwrap();
        let bob = world
            .endpoint("bob", address(BOB), config, person(1))
            .unwrap();
        let mut run = Self {
            world,
            link,
            nodes: [alice, bob],
            heard,
        };
        for (ordinal, plan) in mix.plans.iter().enumerate() {
            run.place(ordinal as u64, plan);
        }
        for node in run.nodes {
            run.world.at(HEALED, node, hang_up_all);
        }
        run
    }

    fn place(&mut self, ordinal: u64, plan: &Plan) {
        let (mine, target) = match plan.by_alice {
            true => (0, "sip:bob@192.0.2.4"),
            false => (1, "sip:alice@192.0.2.1"),
        };
        let heard = self.heard[mine].clone();
        self.world
            .at(Time::from_millis(plan.at), self.nodes[mine], move |turn| {
                let invitation = Invitation::new(target, "sip:caller@example.com")
                    .unwrap()
                    .with(sdp());
                let call = turn
                    .endpoint
                    .place(turn.now, ordinal, invitation, turn.out)
                    .unwrap();
                heard.borrow_mut().insert(call, 0);
            });
        let last = (plan.hang_up, plan.by_alice, Deed::HangUp);
        for (after, by_alice, deed) in plan.deeds.iter().copied().chain([last]) {
            let node = self.nodes[usize::from(!by_alice)];
            let nth = ordinal as usize;
            self.world
                .at(Time::from_millis(plan.at + after), node, move |turn| {
                    act(turn, nth, deed)
                });
        }
    }

    fn check(&self) {
        let ladder = || self.world.trace().ladder();
        assert_eq!(self.world.record().broken().next(), None, "{}", ladder());
        for (node, heard) in self.nodes.into_iter().zip(&self.heard) {
            assert_empty(&self.world, node);
            for (call, ended) in heard.borrow().iter() {
                assert_eq!(*ended, 1, "{call} ends exactly once:\n{}", ladder());
            }
        }
    }
}

/// A verb on one of the calls that there are; each may come in a state in which it is a misuse.
fn act(turn: &mut Turn<'_>, nth: usize, deed: Deed) {
    let calls: Vec<CallHandle> = turn.endpoint.call_handles().collect();
    let Some(call) = calls.get(nth % calls.len().max(1)).copied() else {
        return;
    };
    turn.endpoint.on_deadline(turn.now, turn.out);
    let (before, pushed) = (turn.endpoint.clone(), turn.out.len());
    let result = turn.call(call, |call, now, out| match deed {
        Deed::HangUp => call.hang_up(now, out),
        Deed::Update => call.reinvite(now, sdp(), out),
        Deed::Info => call.send(now, "INFO", Outgoing::default(), out),
    });
    if result.is_err() {
        // L10
        assert_eq!(turn.out.len(), pushed, "a misuse pushes nothing");
        assert!(*turn.endpoint == before, "a misuse changes nothing");
    }
}

/// What one side has lost, the other has not, unless it is told so.
fn hang_up_all(turn: &mut Turn<'_>) {
    let calls: Vec<CallHandle> = turn.endpoint.call_handles().collect();
    for call in calls {
        turn.call(call, |call, now, out| call.hang_up(now, out))
            .unwrap();
    }
}

/// From then on the network is good, and all is hung up.
const HEALED: Time = Time::from_secs(120);

fn run(mix: &Mix) -> Record {
    let mut run = Run::new(mix);
    for (at, length) in mix.cuts.iter().copied() {
        run.world.run_until(Time::from_millis(at));
        run.world.link_all(Link::cut());
        run.world.run_for(Duration::from_millis(length));
        run.world.link_all(run.link);
    }
    run.world.run_until(HEALED);
    run.world.link_all(Link::default());
    let idle = run.world.run_until_idle(Duration::from_secs(2000));
    assert!(idle, "it never ends:\n{}", run.world.trace().ladder());
    run.check();
    for entry in run.world.record().entries() {
        // What was sent before has been given up or got through by then.
        if let Entry::Note { at, text, .. } = entry
            && *at > Time::from_secs(160)
        {
            let ladder = || run.world.trace().ladder();
            assert!(!text.contains("failed"), "{text}:\n{}", ladder());
        }
    }
    run.world.record().clone()
}

/// Runs an endpoint alone until it wants nothing more: what it pushes, and how long after `from`.
fn drain(mut endpoint: Endpoint, from: Time) -> Vec<(Duration, Vec<Output>)> {
    let mut pushed = Vec::new();
    while let Some(at) = endpoint.deadline() {
        let mut out = Vec::new();
        endpoint.on_deadline(at, &mut out);
        // L8
        assert!(endpoint.deadline().is_none_or(|next| next > at));
        pushed.push((at.saturating_since(from), out));
    }
    pushed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every call ends exactly once at each end, and leaves nothing; the same seed gives the same
    /// bytes (L12).
    #[test]
    fn calls_end_once_at_each_end_whatever_the_network_does(mix in mix()) {
        let record = run(&mix);
        prop_assert!(record == run(&mix), "the same seed twice gives two records");
    }

    /// L5, L7, L8 and `rebase` at every point of a flow.
    #[test]
    fn laws_hold_at_every_point_of_a_flow(mix in mix(), pick in any::<prop::sample::Index>()) {
        let mut run = Run::new(&mix);
        let mut steps = 0;
        while run.world.next().is_some() {
            run.world.step();
            steps += 1;
            let now = run.world.now();
            for node in run.nodes {
                let endpoint = run.world.look(node).unwrap();
                let Some(deadline) = endpoint.deadline() else { continue };
                if deadline <= now {
                    continue;
                }
                // L7: an early wake does nothing.
                let mut early = endpoint.clone();
                let mut out = Vec::new();
                early.on_deadline(now, &mut out);
                early.on_deadline(Time::from_nanos(deadline.as_nanos() - 1), &mut out);
                prop_assert_eq!(&out, &Vec::new());
                prop_assert_eq!(early.deadline(), Some(deadline));
            }
        }
        let stop = pick.index(steps);
        let mut run = Run::new(&mix);
        for _ in 0..stop {
            run.world.step();
        }
        let now = run.world.now();
        for node in run.nodes {
            let endpoint = run.world.look(node).unwrap();
            let pushed = drain(endpoint.clone(), now);
            for to in [Time::ZERO, Time::from_secs(1_000_000)] {
                let mut rebased = endpoint.clone();
                rebased.rebase(now, to);
                let kept = drain(rebased, to);
                // Before the origin there is no time: what was due at once is due at zero.
                prop_assert_eq!(&kept, &pushed);
            }
            // L5: a wake a day late fires each timer at most once, and does not burst.
            let mut late = endpoint.clone();
            let mut out = Vec::new();
            let parts = late.transactions() + late.calls();
            late.on_deadline((now + Duration::from_secs(86_400)).unwrap(), &mut out);
            prop_assert!(out.len() <= 12 * parts, "{} outputs of {} parts", out.len(), parts);
            // L6: an earlier time is the last one, and is counted.
            let mut back = endpoint.clone();
            back.on_deadline(now, &mut Vec::new());
            let same = back.clone();
            let mut out = Vec::new();
            back.receive(Time::ZERO, keep_alive(), &mut out);
            prop_assert_eq!(back.counters().time_went_back, same.counters().time_went_back + u64::from(now > Time::ZERO));
            prop_assert_eq!(back.deadline(), same.deadline());
        }
    }
}

fn keep_alive() -> Input {
    let flow = Flow {
        id: FlowId::new(0),
        transport: Transport::Udp,
        local: address(ALICE),
        remote: address(BOB),
    };
    let bytes = bytes::Bytes::from_static(b"\r\n\r\n");
    Input::Datagram { flow, bytes }
}

#[test]
fn other_seed_gives_other_bytes_and_the_same_ladder() {
    let flow = |seed: u8| {
        let mut world = World::new(Seed::from_bytes([seed; 32]), Link::default());
        let alice = world
            .endpoint("alice", address(ALICE), Config::default(), ())
            .unwrap();
        world
            .endpoint("bob", address(BOB), Config::default(), answers_at_once)
            .unwrap();
        let invitation = super::support::invitation();
        let place = |turn: &mut Turn<'_>| turn.endpoint.place(turn.now, 0, invitation, turn.out);
        world.act(alice, place).unwrap().unwrap();
        world.at(Time::from_secs(1), alice, super::support::hang_up);
        assert!(world.run_until_idle(Duration::from_secs(100)));
        (world.record().clone(), world.trace().ladder())
    };
    let (one, other) = (flow(1), flow(2));
    assert!(one.0 != other.0);
    assert_eq!(one.1, other.1);
}

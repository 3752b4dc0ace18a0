//! Swarms: worlds drawn from seeds, with calls of all kinds and faults of all kinds, and what must
//! hold in every one of them.
//!
//! One seed draws a [`Scenario`]: how many nodes, who calls whom, what each side does and when,
//! and what the network does to it. [`run`] plays it: first with the faults, then on a healed
//! network, in which everything must come to rest. What is wrong is a list of sentences; the trace
//! shows how it came to that, and [`shrink`] leaves out all that it did not take.
//!
//! ```
//! use drongo::sim::swarm;
//!
//! let outcome = swarm::run(&swarm::Scenario::draw(7, &swarm::Options::default()));
//! assert!(outcome.violations.is_empty(), "{}", outcome.trace.ladder());
//! ```

mod draw;
mod ledger;
mod proof;
mod users;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::slice::from_ref;
use core::time::Duration;

use super::{Link, Node, World};
use crate::call::reliable::Policy;
use crate::call::session_timer;
use crate::endpoint::Config;
use crate::seed::Seed;
use crate::time::Time;
use crate::trace::Trace;
use ledger::Ledger;

pub use draw::Options;

/// What happens in one world.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// It draws what the network does to each datagram, and every identifier.
    pub seed: u64,
    /// The endpoints, and what each of them can do.
    pub nodes: Vec<Skills>,
    /// What the network does while there are faults.
    pub link: Link,
    /// Links that are cut for a time.
    pub outages: Vec<Outage>,
    /// Partitions of the network.
    pub partitions: Vec<Partition>,
    /// What happens to the nodes themselves.
    pub troubles: Vec<Trouble>,
    /// The calls.
    pub calls: Vec<Call>,
}

/// What an endpoint can do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Skills {
    /// Reliable provisional responses.
    pub reliable: Policy,
    /// Session timers, of so many seconds.
    pub session_timer: Option<u32>,
}

/// A link that is cut for a time, in one direction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Outage {
    /// From which node.
    pub from: usize,
    /// To which node.
    pub to: usize,
    /// Since when.
    pub begin: Duration,
    /// Until when.
    pub end: Duration,
}

/// Some nodes are cut off from the others for a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Partition {
    /// Which nodes.
    pub nodes: Vec<usize>,
    /// Whether what they send still arrives.
    pub one_way: bool,
    /// Since when.
    pub begin: Duration,
    /// Until when.
    pub end: Duration,
}

/// What happens to a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Trouble {
    /// To which node.
    pub node: usize,
    /// When.
    pub at: Duration,
    /// What.
    pub kind: TroubleKind,
}

/// What can happen to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TroubleKind {
    /// It stops for a time.
    Pause(Duration),
    /// It crashes, and comes back after a time.
    Crash(Duration),
    /// Its clock goes at so many parts of a million from then on.
    Drift(u32),
    /// Its clock is set forward.
    Forward(Duration),
    /// Its clock is set back.
    Back(Duration),
    /// A translator is put in front of it, which forgets what was not used for so long.
    Nat(Duration),
}

/// A call: who calls whom, and what both do.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Call {
    /// Its number: the user part of the address that is called.
    pub number: usize,
    /// When it is placed.
    pub at: Duration,
    /// Which node calls.
    pub caller: usize,
    /// Which node is called; it may be the same.
    pub callee: usize,
    /// Whether the INVITE carries an offer. Otherwise the first reliable response does.
    pub with_offer: bool,
    /// Whether provisional responses are to be reliable.
    pub reliable: Policy,
    /// How long the caller waits before it cancels.
    pub patience: Option<Duration>,
    /// What the callee does.
    pub reaction: Reaction,
    /// What either side does once it hears that the call stands.
    pub acts: Vec<Act>,
    /// UPDATEs with an offer before that: by the caller or not, and how long after the first
    /// provisional response or the INVITE.
    pub early_updates: Vec<(bool, Duration)>,
    /// How both answer what the other one wants while it stands.
    pub manners: Manners,
}

/// How users answer re-INVITEs, UPDATEs and other requests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Manners {
    /// At once, or nearly so, with what is wanted.
    Good,
    /// After so long, which may be too late.
    Slow(Duration),
    /// With this status.
    Refusing(u16),
    /// Never.
    Silent,
}

/// What a callee does with a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reaction {
    /// Rings, and answers after a time.
    Answer(Duration),
    /// Rings, sends early media after a time, and answers after another.
    EarlyMedia(Duration, Duration),
    /// Rings, and refuses after a time.
    Reject(Duration, u16),
    /// Rings for ever.
    Ring,
    /// Does nothing at all.
    Ignore,
}

/// What one side does while a call stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Act {
    /// Whether the caller does it.
    pub by_caller: bool,
    /// How long after it heard that the call stands.
    pub after: Duration,
    /// What.
    pub deed: Deed,
}

/// What can be done on a call that stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Deed {
    /// Hang up.
    HangUp,
    /// A re-INVITE with an offer.
    Reinvite,
    /// An UPDATE with an offer.
    Update,
    /// An UPDATE without one.
    Refresh,
    /// A request within the dialog.
    Info,
    /// Forget the call without a word.
    Abandon,
    /// Take back a re-INVITE.
    CancelReinvite,
}

/// What came of a scenario.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What does not hold. Empty, if the crate is right.
    pub violations: Vec<String>,
    /// How many things happened: deliveries, deadlines, deeds.
    pub events: u64,
    /// How many calls the callers heard to be answered.
    pub answered: usize,
    /// How much virtual time went by.
    pub elapsed: Duration,
    /// All that went over the network.
    pub trace: Trace,
}

impl Outcome {
    /// FNV-1a of all that went over the network, and when. The same scenario has the same one in
    /// every build and on every machine.
    pub fn digest(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        for packet in self.trace.packets() {
            add(&packet.at.as_nanos().to_be_bytes());
            add(&packet.bytes);
        }
        hash
    }
}

/// How long everything may take to come to rest once the network is well: far longer than any
/// timer.
const REST: Duration = Duration::from_secs(4_000);

/// Plays a scenario, and checks what must hold in all of them.
pub fn run(scenario: &Scenario) -> Outcome {
    play_and_check(scenario, None)
}

/// The same, and the memory of every endpoint must be back where it was when it was new. `heap`
/// says how many bytes this thread holds: that of a counting allocator.
pub fn run_measured(scenario: &Scenario, heap: fn() -> usize) -> Outcome {
    play_and_check(scenario, Some(heap))
}

fn play_and_check(scenario: &Scenario, heap: Option<fn() -> usize>) -> Outcome {
    let ledger = Rc::new(RefCell::new(Ledger::new(scenario)));
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(scenario.seed.to_be_bytes()) {
        *to = from;
    }
    let mut world = World::new(Seed::from_bytes(bytes), scenario.link);
    let mut nodes = Vec::new();
    let mut violations = Vec::new();
    for (at, skills) in scenario.nodes.iter().enumerate() {
        let (name, address) = draw::place(at);
        let timer = |interval| session_timer::Config {
            interval,
            ..session_timer::Config::default()
        };
        let config = Config {
            reliable: skills.reliable,
            session_timer: skills.session_timer.map(timer),
            ..Config::default()
        };
        let user = users::user(at, Rc::clone(&ledger));
        match world.endpoint(&name, address, config, user) {
            Ok(node) => nodes.push(node),
            Err(misuse) => violations.push(alloc::format!("{name}: {misuse}")),
        }
    }
    for call in &scenario.calls {
        if let Some(node) = nodes.get(call.caller) {
            let at = Time::ZERO + call.at;
            let place = users::place(call.clone(), Rc::clone(&ledger));
            world.at(at.unwrap_or(Time::MAX), *node, place);
        }
    }
    let mut events = play(&mut world, scenario, &nodes, &ledger);
    let came_to_rest = {
        let until = (world.now() + REST).unwrap_or(Time::MAX);
        while world.next().is_some_and(|at| at <= until) {
            world.step();
            events = events.saturating_add(1);
        }
        world.next().is_none()
    };
    violations.extend(proof::check(
        &world,
        &nodes,
        scenario,
        &ledger.borrow(),
        came_to_rest,
    ));
    if let Some(heap) = heap {
        violations.extend(proof::check_heap(&mut world, &nodes, heap));
    }
    Outcome {
        violations,
        events,
        answered: ledger.borrow().answered(),
        elapsed: world.now().saturating_since(Time::ZERO),
        trace: world.trace(),
    }
}

/// What changes at some time.
#[derive(Clone, Copy)]
enum Change<'s> {
    Cut(&'s [usize], &'s [usize], bool),
    Trouble(usize, TroubleKind),
    Resume(usize),
    Restart(usize),
}

/// All changes, in order.
fn changes(scenario: &Scenario) -> Vec<(Duration, Change<'_>)> {
    let mut changes = Vec::new();
    for outage in &scenario.outages {
        let (from, to) = (from_ref(&outage.from), from_ref(&outage.to));
        changes.push((outage.begin, Change::Cut(from, to, true)));
        changes.push((outage.end, Change::Cut(from, to, false)));
    }
    for partition in &scenario.partitions {
        let mut cut = |from, to| {
            changes.push((partition.begin, Change::Cut(from, to, true)));
            changes.push((partition.end, Change::Cut(from, to, false)));
        };
        cut(&[], &partition.nodes);
        if !partition.one_way {
            cut(&partition.nodes, &[]);
        }
    }
    for Trouble { node, at, kind } in &scenario.troubles {
        changes.push((*at, Change::Trouble(*node, *kind)));
        match kind {
            TroubleKind::Pause(time) => {
                changes.push((at.saturating_add(*time), Change::Resume(*node)));
            }
            TroubleKind::Crash(time) => {
                changes.push((at.saturating_add(*time), Change::Restart(*node)));
            }
            TroubleKind::Drift(_)
            | TroubleKind::Forward(_)
            | TroubleKind::Back(_)
            | TroubleKind::Nat(_) => {}
        }
    }
    changes.retain(|(at, _)| *at < draw::FAULTS);
    changes.sort_by_key(|(at, _)| *at);
    changes
}

/// The part with faults. The last thing it does is to heal the network, and to wake and revive
/// everybody.
fn play(
    world: &mut World,
    scenario: &Scenario,
    nodes: &[Node],
    ledger: &Rc<RefCell<Ledger>>,
) -> u64 {
    let mut events = 0_u64;
    let mut run_until = |world: &mut World, at: Duration| {
        let until = (Time::ZERO + at).unwrap_or(Time::MAX);
        while world.next().is_some_and(|next| next <= until) {
            world.step();
            events = events.saturating_add(1);
        }
        world.run_until(until);
    };
    for (at, change) in changes(scenario) {
        run_until(world, at);
        match change {
            Change::Cut(from, to, cut) => {
                let link = if cut { Link::cut() } else { scenario.link };
                cut_off(world, nodes, (from, to), link);
            }
            Change::Trouble(at, kind) => {
                if let Some(node) = nodes.get(at) {
                    befall(world, *node, at, kind, ledger);
                }
            }
            Change::Resume(at) => nodes.get(at).into_iter().for_each(|n| world.resume(*n)),
            Change::Restart(at) => nodes.get(at).into_iter().for_each(|n| world.restart(*n)),
        }
    }
    run_until(world, draw::FAULTS);
    world.link_all(Link::default());
    for node in nodes {
        world.restart(*node);
        world.resume(*node);
    }
    events
}

/// Changes the links from some nodes to some others; to or from nobody means all but them.
fn cut_off(world: &mut World, nodes: &[Node], (from, to): (&[usize], &[usize]), link: Link) {
    for (a, one) in nodes.iter().enumerate() {
        for (b, other) in nodes.iter().enumerate() {
            let from_fits = from.contains(&a) || (from.is_empty() && !to.contains(&a));
            let to_fits = to.contains(&b) || (to.is_empty() && !from.contains(&b));
            if from_fits && to_fits {
                world.link(*one, *other, link);
            }
        }
    }
}

fn befall(
    world: &mut World,
    node: Node,
    at: usize,
    kind: TroubleKind,
    ledger: &Rc<RefCell<Ledger>>,
) {
    match kind {
        TroubleKind::Pause(_) => world.pause(node),
        TroubleKind::Crash(_) => {
            world.crash(node);
            ledger.borrow_mut().crashed(at);
        }
        TroubleKind::Drift(rate) => world.clock_rate(node, rate),
        TroubleKind::Forward(by) => world.clock_forward(node, by),
        TroubleKind::Back(by) => world.clock_back(node, by),
        TroubleKind::Nat(forgets) => world.nat(node, draw::public(at), forgets),
    }
}

/// The least of a scenario that still goes wrong: calls, acts, outages and faults that it does not
/// take are left out. One that does not go wrong comes back as it is.
pub fn shrink(scenario: &Scenario) -> Scenario {
    let fails = |scenario: &Scenario| !run(scenario).violations.is_empty();
    let mut least = scenario.clone();
    if !fails(&least) {
        return least;
    }
    loop {
        let smaller = draw::smaller(&least).find(fails);
        match smaller {
            Some(smaller) => least = smaller,
            None => return least,
        }
    }
}

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
use core::time::Duration;

use super::{Link, Node, World};
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
    /// How many endpoints there are.
    pub nodes: usize,
    /// What the network does while there are faults.
    pub link: Link,
    /// Links that are cut for a time.
    pub outages: Vec<Outage>,
    /// The calls.
    pub calls: Vec<Call>,
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
    /// Whether the INVITE carries an offer. Otherwise the 2xx does.
    pub with_offer: bool,
    /// How long the caller waits before it cancels.
    pub patience: Option<Duration>,
    /// What the callee does.
    pub reaction: Reaction,
    /// What either side does once it hears that the call stands.
    pub acts: Vec<Act>,
}

/// What a callee does with a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reaction {
    /// Rings, and answers after a time.
    Answer(Duration),
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
    /// A request within the dialog.
    Info,
    /// Forget the call without a word.
    Abandon,
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

/// How long everything may take to come to rest once the network is well: far longer than any
/// timer.
const REST: Duration = Duration::from_secs(4_000);

/// Plays a scenario, and checks what must hold in all of them.
pub fn run(scenario: &Scenario) -> Outcome {
    let ledger = Rc::new(RefCell::new(Ledger::new(scenario)));
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(scenario.seed.to_be_bytes()) {
        *to = from;
    }
    let mut world = World::new(Seed::from_bytes(bytes), scenario.link);
    let mut nodes = Vec::new();
    let mut violations = Vec::new();
    for at in 0..scenario.nodes {
        let (name, address) = draw::place(at);
        let user = users::user(at, Rc::clone(&ledger));
        match world.endpoint(&name, address, Config::default(), user) {
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
    let mut events = play(&mut world, scenario, &nodes);
    let came_to_rest = {
        let until = (world.now() + REST).unwrap_or(Time::MAX);
        while world.next().is_some_and(|at| at <= until) {
            world.step();
            events = events.saturating_add(1);
        }
        world.next().is_none()
    };
    let ledger = ledger.borrow();
    violations.extend(proof::check(
        &world,
        &nodes,
        scenario,
        &ledger,
        came_to_rest,
    ));
    Outcome {
        violations,
        events,
        answered: ledger.answered(),
        elapsed: world.now().saturating_since(Time::ZERO),
        trace: world.trace(),
    }
}

/// The part with faults. The last thing it does is to heal the network.
fn play(world: &mut World, scenario: &Scenario, nodes: &[Node]) -> u64 {
    let mut changes: Vec<(Duration, usize, usize, bool)> = Vec::new();
    for outage in &scenario.outages {
        changes.push((outage.begin, outage.from, outage.to, true));
        changes.push((outage.end, outage.from, outage.to, false));
    }
    changes.sort_by_key(|(at, ..)| *at);
    let mut events = 0_u64;
    let mut run_until = |world: &mut World, at: Duration| {
        let until = (Time::ZERO + at).unwrap_or(Time::MAX);
        while world.next().is_some_and(|next| next <= until) {
            world.step();
            events = events.saturating_add(1);
        }
        world.run_until(until);
    };
    for (at, from, to, cut) in changes {
        run_until(world, at);
        if let (Some(from), Some(to)) = (nodes.get(from), nodes.get(to)) {
            let link = if cut { Link::cut() } else { scenario.link };
            world.link(*from, *to, link);
        }
    }
    run_until(world, draw::FAULTS);
    world.link_all(Link::default());
    events
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

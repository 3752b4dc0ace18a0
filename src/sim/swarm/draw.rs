//! What a seed draws, and what can be left out of it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use super::{
    Act, Call, Deed, Manners, Outage, Partition, Reaction, Scenario, Skills, Trouble, TroubleKind,
};
use crate::call::reliable::Policy;
use crate::seed::{Domain, Seed, Stream};
use crate::sim::Link;

/// How long there are faults. All calls begin in this time.
pub(super) const FAULTS: Duration = Duration::from_secs(60);

/// What is drawn at most.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Nodes; at least two.
    pub nodes: usize,
    /// Calls; at least one.
    pub calls: usize,
    /// The chance, in thousandths, that a datagram is lost. What a world has is drawn up to this.
    pub loss: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 4,
            calls: 6,
            loss: 400,
        }
    }
}

/// The name and the address of a node.
pub(super) fn place(at: usize) -> (String, SocketAddr) {
    let host = u8::try_from(at.saturating_add(1)).unwrap_or(u8::MAX);
    let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, host));
    (format!("n{at}"), SocketAddr::new(ip, 5060))
}

/// The address of the translator in front of a node.
pub(super) fn public(at: usize) -> IpAddr {
    let host = u8::try_from(at.saturating_add(1)).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, host))
}

/// Draws numbers.
struct Dice(Stream);

impl Dice {
    /// Evenly from `0..sides`; zero if there are none.
    fn below(&mut self, sides: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()).saturating_mul(u128::from(sides));
        (wide >> 64) as u64
    }

    fn index(&mut self, sides: usize) -> usize {
        self.below(sides as u64) as usize
    }

    /// True in so many of a thousand.
    fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1_000) < thousandths
    }

    fn millis(&mut self, at_most: u64) -> Duration {
        Duration::from_millis(self.below(at_most.saturating_add(1)))
    }

    /// Short mostly, so that things meet; at times long enough for timers to run out.
    fn wait(&mut self) -> Duration {
        match self.below(10) {
            0..=2 => self.millis(30),
            3..=6 => self.millis(1_500),
            7 | 8 => self.millis(12_000),
            _ => self.millis(150_000),
        }
    }
}

impl Scenario {
    /// The world of this seed. The same seed and options draw the same world for ever.
    pub fn draw(seed: u64, options: &Options) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().rev().zip(seed.to_be_bytes()) {
            *to = from;
        }
        let mut dice = Dice(Seed::from_bytes(bytes).stream(Domain::Simulation, u64::MAX));
        let more = options.nodes.saturating_sub(1).max(1);
        let nodes = dice.index(more).saturating_add(2);
        let link = link(&mut dice, options.loss);
        let outages = match dice.below(3) {
            0 => Vec::new(),
            count => (0..count).map(|_| outage(&mut dice, nodes)).collect(),
        };
        let calls = dice.index(options.calls.max(1)).saturating_add(1);
        let calls: Vec<Call> = (0..calls)
            .map(|number| call(&mut dice, number, nodes))
            .collect();
        let nodes: Vec<Skills> = (0..nodes).map(|_| skills(&mut dice)).collect();
        // Half of the worlds have no more than that.
        let count = |dice: &mut Dice| if dice.chance(500) { 0 } else { dice.below(3) };
        let partitions = count(&mut dice);
        let partitions = (0..partitions).map(|_| partition(&mut dice, nodes.len()));
        let partitions = partitions.collect();
        let troubles = count(&mut dice);
        let troubles = (0..troubles).map(|_| trouble(&mut dice, nodes.len()));
        let troubles = troubles.collect();
        let small = dice.chance(50).then(|| dice.index(400).saturating_add(300));
        Self {
            seed,
            nodes,
            link: link.mtu(small),
            outages,
            partitions,
            troubles,
            calls,
        }
    }
}

/// A third of the worlds have a good network.
fn link(dice: &mut Dice, loss: u16) -> Link {
    let link = Link::default().delay(dice.millis(60));
    if dice.chance(330) {
        return link;
    }
    let loss = dice.below(u64::from(loss.min(1_000)).saturating_add(1));
    let duplication = if dice.chance(500) { dice.below(300) } else { 0 };
    link.jitter(dice.millis(400))
        .loss(u16::try_from(loss).unwrap_or_default())
        .duplication(u16::try_from(duplication).unwrap_or_default())
}

fn outage(dice: &mut Dice, nodes: usize) -> Outage {
    let begin = dice.millis(40_000);
    Outage {
        from: dice.index(nodes),
        to: dice.index(nodes),
        begin,
        end: begin.saturating_add(dice.millis(20_000)),
    }
}

fn partition(dice: &mut Dice, nodes: usize) -> Partition {
    let begin = dice.millis(40_000);
    let mut cut_off: Vec<usize> = (0..nodes).filter(|_| dice.chance(500)).collect();
    if cut_off.is_empty() {
        cut_off.push(dice.index(nodes));
    }
    Partition {
        nodes: cut_off,
        one_way: dice.chance(400),
        begin,
        end: begin.saturating_add(dice.millis(20_000)),
    }
}

fn trouble(dice: &mut Dice, nodes: usize) -> Trouble {
    Trouble {
        node: dice.index(nodes),
        at: dice.millis(50_000),
        kind: match dice.below(6) {
            0 => TroubleKind::Pause(dice.wait()),
            1 => TroubleKind::Crash(dice.wait()),
            2 => TroubleKind::Drift(900_000_u32.saturating_add(dice.below(200_001) as u32)),
            3 => TroubleKind::Forward(dice.wait()),
            4 => TroubleKind::Back(dice.wait()),
            _ => TroubleKind::Nat(dice.wait()),
        },
    }
}

fn call(dice: &mut Dice, number: usize, nodes: usize) -> Call {
    let acts = dice.below(5);
    let (caller, callee) = (dice.index(nodes), dice.index(nodes));
    let mut acts: Vec<Act> = (0..acts).map(|_| act(dice)).collect();
    // Nobody talks for ever.
    for by_caller in [true, false] {
        acts.push(Act {
            by_caller,
            after: dice.wait().saturating_add(Duration::from_secs(1)),
            deed: Deed::HangUp,
        });
    }
    Call {
        number,
        at: dice.millis(30_000),
        caller,
        callee,
        with_offer: dice.chance(850),
        reliable: policy(dice),
        patience: dice.chance(300).then(|| dice.wait()),
        reaction: reaction(dice),
        acts,
        early_updates: match dice.chance(200) {
            true => (0..2).map(|_| (dice.chance(500), dice.wait())).collect(),
            false => Vec::new(),
        },
        manners: manners(dice),
    }
}

fn manners(dice: &mut Dice) -> Manners {
    match dice.below(10) {
        0 => Manners::Slow(dice.wait()),
        1 => {
            // 408 and 180 are none of its business, and are refused to it.
            let statuses = [180, 408, 481, 488, 491, 500, 603];
            let status = statuses.get(dice.index(statuses.len())).copied();
            Manners::Refusing(status.unwrap_or(488))
        }
        2 => Manners::Silent,
        _ => Manners::Good,
    }
}

fn skills(dice: &mut Dice) -> Skills {
    let seconds = [90, 100, 300, 1_800];
    let interval = seconds.get(dice.index(seconds.len())).copied();
    Skills {
        reliable: policy(dice),
        session_timer: interval.filter(|_| dice.chance(500)),
    }
}

fn policy(dice: &mut Dice) -> Policy {
    match dice.below(10) {
        0..=3 => Policy::Off,
        4..=8 => Policy::Supported,
        _ => Policy::Required,
    }
}

fn reaction(dice: &mut Dice) -> Reaction {
    match dice.below(20) {
        0..=7 => Reaction::Answer(dice.wait()),
        8..=13 => Reaction::EarlyMedia(dice.wait(), dice.wait()),
        14..=16 => {
            let statuses = [302, 404, 480, 486, 500, 503, 600, 603];
            let status = statuses.get(dice.index(statuses.len())).copied();
            Reaction::Reject(dice.wait(), status.unwrap_or(486))
        }
        17 | 18 => Reaction::Ring,
        _ => Reaction::Ignore,
    }
}

fn act(dice: &mut Dice) -> Act {
    Act {
        by_caller: dice.chance(500),
        after: dice.wait(),
        deed: match dice.below(20) {
            0..=5 => Deed::Reinvite,
            6..=9 => Deed::Update,
            10 | 11 => Deed::Refresh,
            12..=15 => Deed::Info,
            16 => Deed::CancelReinvite,
            17 | 18 => Deed::HangUp,
            _ => Deed::Abandon,
        },
    }
}

/// All that has one thing less, the greatest things first.
pub(super) fn smaller(scenario: &Scenario) -> impl Iterator<Item = Scenario> + '_ {
    let without_call = (0..scenario.calls.len()).map(|at| {
        let mut smaller = scenario.clone();
        smaller.calls.remove(at);
        smaller
    });
    let without_outage = (0..scenario.outages.len()).map(|at| {
        let mut smaller = scenario.clone();
        smaller.outages.remove(at);
        smaller
    });
    let without_partition = (0..scenario.partitions.len()).map(|at| {
        let mut smaller = scenario.clone();
        smaller.partitions.remove(at);
        smaller
    });
    let without_trouble = (0..scenario.troubles.len()).map(|at| {
        let mut smaller = scenario.clone();
        smaller.troubles.remove(at);
        smaller
    });
    let acts = scenario.calls.iter().enumerate();
    let acts = acts.flat_map(|(at, call)| {
        // Somebody has to end it: the last two acts are for that.
        let left_out = call.acts.len().saturating_sub(2);
        (0..left_out).map(move |act| (at, act))
    });
    let without_act = acts.map(|(at, act)| {
        let mut smaller = scenario.clone();
        if let Some(call) = smaller.calls.get_mut(at) {
            call.acts.remove(act);
        }
        smaller
    });
    let with_better_manners = (0..scenario.calls.len()).map(|at| {
        let mut smaller = scenario.clone();
        if let Some(call) = smaller.calls.get_mut(at) {
            call.manners = Manners::Good;
            call.early_updates.clear();
        }
        smaller
    });
    let links = [
        Link::default(),
        scenario.link.loss(0),
        scenario.link.duplication(0),
        scenario.link.jitter(Duration::ZERO),
        scenario.link.mtu(None),
    ];
    let with_better_link = links.into_iter().map(|link| Scenario {
        link,
        ..scenario.clone()
    });
    without_call
        .chain(without_outage)
        .chain(without_partition)
        .chain(without_trouble)
        .chain(without_act)
        .chain(with_better_manners)
        .chain(with_better_link)
        .filter(move |smaller| smaller != scenario)
}

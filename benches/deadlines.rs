//! Candidates for the deadline queue, at a million armed timers.
//!
//! The winner is `drongo::deadlines`; the others live here as baselines. Each keeps the same
//! promise: (deadline, order of arming), exact to the nanosecond, `next` in constant time.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    missing_docs,
    reason = "baselines of a benchmark: no input from a network, no users"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use drongo::deadlines::Deadlines;
use drongo::time::Time;

const TIMERS: u32 = 1_000_000;
/// Timers that are armed and cancelled again before they fire, in flight at once.
const SHORT_LIVED: u32 = 10_000;
const NONE: u32 = u32::MAX;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(1_500))
        .measurement_time(Duration::from_secs(3));
    targets = all
}
criterion_main!(benches);

fn all(c: &mut Criterion) {
    assert_alike();
    candidate::<Deadlines>(c, "shipped");
    candidate::<Indexed<2>>(c, "indexed heap, 2-ary");
    candidate::<Indexed<4>>(c, "indexed heap, 4-ary");
    candidate::<Indexed<8>>(c, "indexed heap, 8-ary");
    candidate::<Packed<4>>(c, "packed heap, 4-ary");
    candidate::<Packed<8>>(c, "packed heap, 8-ary");
    candidate::<Packed<16>>(c, "packed heap, 16-ary");
    candidate::<Lazy>(c, "binary heap, lazy deletion");
    candidate::<Tree>(c, "b-tree");
    candidate::<Wheel>(c, "wheel and near heap");
}

trait Queue: Default {
    fn set(&mut self, id: u32, at: Option<u64>);
    fn next(&self) -> Option<(u64, u32)>;
    fn pop(&mut self) -> Option<(u64, u32)>;
}

fn candidate<Q: Queue>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group(name);
    let (mut queue, mut random) = armed::<Q>();
    group.bench_function("a: re-arm", |b| {
        let mut now = 0;
        b.iter(|| {
            now += 1;
            queue.set(random.below(TIMERS), Some(now + random.delay()));
            black_box(queue.next())
        });
    });
    let (mut queue, mut random) = armed::<Q>();
    group.bench_function("b: arm and cancel", |b| {
        let (mut now, mut turn) = (0, 0);
        b.iter(|| {
            now += 1;
            turn = (turn + 1) % SHORT_LIVED;
            queue.set(TIMERS + turn, None);
            queue.set(TIMERS + turn, Some(now + random.delay()));
            black_box(queue.next())
        });
    });
    let (mut queue, mut random) = armed::<Q>();
    group.bench_function("c: pop and re-arm", |b| {
        b.iter(|| {
            let (now, id) = queue.pop().unwrap();
            queue.set(id, Some(now + random.delay()));
            black_box(queue.next())
        });
    });
    group.finish();
}

/// A million timers as they stand at one moment: started evenly before it.
fn armed<Q: Queue>() -> (Q, Random) {
    let mut queue = Q::default();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // The first is due at once: else the wheel, which cannot turn back, would hold all that is due
    // before it in its heap.
    queue.set(0, Some(0));
    for id in 1..TIMERS {
        let delay = random.delay();
        queue.set(id, Some(random.next() % delay));
    }
    (queue, random)
}

/// All candidates say the same, or the numbers compare different things.
fn assert_alike() {
    fn run<Q: Queue>() -> Vec<Option<(u64, u32)>> {
        let (mut queue, mut random, mut now) = (Q::default(), Random(7), 0);
        let mut seen = Vec::new();
        for _ in 0..200_000 {
            let id = random.below(500);
            match random.below(8) {
                0..4 => queue.set(
                    id,
                    Some(now + random.delay() / 1_000_000_000 * 1_000_000_000),
                ),
                4 | 5 => queue.set(id, None),
                _ => {
                    let popped = queue.pop();
                    now = popped.map_or(now, |(at, _)| at);
                    seen.push(popped);
                }
            }
            seen.push(queue.next());
        }
        seen
    }
    let shipped = run::<Deadlines>();
    assert!(run::<Indexed<2>>() == shipped && run::<Indexed<8>>() == shipped);
    assert!(run::<Packed<4>>() == shipped && run::<Packed<16>>() == shipped);
    assert!(run::<Lazy>() == shipped);
    assert!(run::<Tree>() == shipped);
    assert!(run::<Wheel>() == shipped);
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// Of ten timers four retransmit (T1 to T2), four end a transaction (64*T1), one is T4, and
    /// one is a session or a registration.
    fn delay(&mut self) -> u64 {
        const MILLI: u64 = 1_000_000;
        match self.below(10) {
            0..4 => (500 * MILLI) << self.below(4),
            4..8 => 32_000 * MILLI,
            8 => 5_000 * MILLI,
            _ => 1_800_000 * MILLI + self.next() % (1_800_000 * MILLI),
        }
    }
}

impl Queue for Deadlines {
    fn set(&mut self, id: u32, at: Option<u64>) {
        self.set(id, at.map(Time::from_nanos));
    }

    fn next(&self) -> Option<(u64, u32)> {
        self.next().map(|(at, id)| (at.as_nanos(), id))
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        self.pop_due(Time::MAX).map(|(at, id)| (at.as_nanos(), id))
    }
}

/// A heap that knows where each timer is.
#[derive(Default)]
struct Indexed<const ARITY: usize> {
    heap: Vec<(u64, u64, u32)>,
    places: Vec<u32>,
    order: u64,
}

impl<const ARITY: usize> Indexed<ARITY> {
    fn put(&mut self, place: usize, entry: (u64, u64, u32)) {
        self.heap[place] = entry;
        self.places[entry.2 as usize] = place as u32;
    }

    fn settle(&mut self, mut place: usize, entry: (u64, u64, u32)) {
        while place > 0 && entry < self.heap[(place - 1) / ARITY] {
            let up = (place - 1) / ARITY;
            self.put(place, self.heap[up]);
            place = up;
        }
        loop {
            let first = place * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            match children.min_by_key(|child| self.heap[*child]) {
                Some(child) if self.heap[child] < entry => {
                    self.put(place, self.heap[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(place, entry);
    }
}

impl<const ARITY: usize> Queue for Indexed<ARITY> {
    fn set(&mut self, id: u32, at: Option<u64>) {
        if self.places.len() <= id as usize {
            self.places.resize(id as usize + 1, NONE);
        }
        let place = self.places[id as usize];
        match at {
            Some(at) if place != NONE && self.heap[place as usize].0 == at => {}
            Some(at) if place != NONE => {
                self.order += 1;
                self.settle(place as usize, (at, self.order, id));
            }
            Some(at) => {
                self.order += 1;
                self.heap.push((at, self.order, id));
                self.settle(self.heap.len() - 1, (at, self.order, id));
            }
            None if place != NONE => {
                self.places[id as usize] = NONE;
                let last = self.heap.pop().unwrap();
                if (place as usize) < self.heap.len() {
                    self.settle(place as usize, last);
                }
            }
            None => {}
        }
    }

    fn next(&self) -> Option<(u64, u32)> {
        self.heap.first().map(|entry| (entry.0, entry.2))
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let next = self.next()?;
        self.set(next.1, None);
        Some(next)
    }
}

/// The same with 16 bytes an entry: deadline, order and number in one word. (The order would have
/// to be renumbered once in 2^32 armings; left out here.)
#[derive(Default)]
struct Packed<const ARITY: usize> {
    heap: Vec<u128>,
    places: Vec<u32>,
    order: u32,
}

impl<const ARITY: usize> Packed<ARITY> {
    fn put(&mut self, place: usize, entry: u128) {
        self.heap[place] = entry;
        self.places[entry as u32 as usize] = place as u32;
    }

    fn settle(&mut self, mut place: usize, entry: u128) {
        while place > 0 && entry < self.heap[(place - 1) / ARITY] {
            let up = (place - 1) / ARITY;
            self.put(place, self.heap[up]);
            place = up;
        }
        loop {
            let first = place * ARITY + 1;
            let end = (first + ARITY).min(self.heap.len());
            if first >= end {
                break;
            }
            let mut best = first;
            let mut least = self.heap[first];
            for child in first + 1..end {
                let other = self.heap[child];
                let less = other < least;
                best = if less { child } else { best };
                least = if less { other } else { least };
            }
            if entry < least {
                break;
            }
            self.put(place, least);
            place = best;
        }
        self.put(place, entry);
    }

    fn entry(&mut self, at: u64, id: u32) -> u128 {
        self.order += 1;
        (u128::from(at) << 64) | (u128::from(self.order) << 32) | u128::from(id)
    }
}

impl<const ARITY: usize> Queue for Packed<ARITY> {
    fn set(&mut self, id: u32, at: Option<u64>) {
        if self.places.len() <= id as usize {
            self.places.resize(id as usize + 1, NONE);
        }
        let place = self.places[id as usize];
        match at {
            Some(at) if place != NONE && (self.heap[place as usize] >> 64) as u64 == at => {}
            Some(at) if place != NONE => {
                let entry = self.entry(at, id);
                self.settle(place as usize, entry);
            }
            Some(at) => {
                let entry = self.entry(at, id);
                self.heap.push(entry);
                self.settle(self.heap.len() - 1, entry);
            }
            None if place != NONE => {
                self.places[id as usize] = NONE;
                let last = self.heap.pop().unwrap();
                if (place as usize) < self.heap.len() {
                    self.settle(place as usize, last);
                }
            }
            None => {}
        }
    }

    fn next(&self) -> Option<(u64, u32)> {
        self.heap
            .first()
            .map(|entry| ((entry >> 64) as u64, *entry as u32))
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let next = self.next()?;
        self.set(next.1, None);
        Some(next)
    }
}

/// The standard heap; cancelled entries stay until they surface or outnumber the live ones.
#[derive(Default)]
struct Lazy {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    live: Vec<Option<(u64, u64)>>,
    armed: usize,
    order: u64,
}

impl Lazy {
    fn clean(&mut self) {
        if self.heap.len() > 2 * self.armed + 64 {
            let live = &self.live;
            self.heap
                .retain(|Reverse((at, order, id))| live[*id as usize] == Some((*at, *order)));
        }
        while let Some(Reverse((at, order, id))) = self.heap.peek()
            && self.live[*id as usize] != Some((*at, *order))
        {
            self.heap.pop();
        }
    }
}

impl Queue for Lazy {
    fn set(&mut self, id: u32, at: Option<u64>) {
        if self.live.len() <= id as usize {
            self.live.resize(id as usize + 1, None);
        }
        let had = self.live[id as usize];
        if had.map(|(at, _)| at) == at {
            return;
        }
        self.armed -= usize::from(had.is_some());
        self.live[id as usize] = at.map(|at| {
            self.order += 1;
            self.armed += 1;
            self.heap.push(Reverse((at, self.order, id)));
            (at, self.order)
        });
        self.clean();
    }

    fn next(&self) -> Option<(u64, u32)> {
        self.heap.peek().map(|Reverse((at, _, id))| (*at, *id))
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let Reverse((at, _, id)) = self.heap.pop()?;
        self.live[id as usize] = None;
        self.armed -= 1;
        self.clean();
        Some((at, id))
    }
}

/// The standard ordered map.
#[derive(Default)]
struct Tree {
    tree: BTreeMap<(u64, u64), u32>,
    live: Vec<Option<(u64, u64)>>,
    first: Option<(u64, u32)>,
    order: u64,
}

impl Queue for Tree {
    fn set(&mut self, id: u32, at: Option<u64>) {
        if self.live.len() <= id as usize {
            self.live.resize(id as usize + 1, None);
        }
        let had = self.live[id as usize];
        if had.map(|(at, _)| at) == at {
            return;
        }
        if let Some(had) = had {
            self.tree.remove(&had);
        }
        self.live[id as usize] = at.map(|at| {
            self.order += 1;
            self.tree.insert((at, self.order), id);
            (at, self.order)
        });
        self.first = self.tree.first_key_value().map(|((at, _), id)| (*at, *id));
    }

    fn next(&self) -> Option<(u64, u32)> {
        self.first
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let ((at, _), id) = self.tree.pop_first()?;
        self.live[id as usize] = None;
        self.first = self.tree.first_key_value().map(|((at, _), id)| (*at, *id));
        Some((at, id))
    }
}

/// A wheel of eight levels of 64 slots, a millisecond the finest; the timers of the slot that is
/// due, and all before it, are in a heap that orders them exactly.
struct Wheel {
    timers: Vec<Timer>,
    heads: Vec<u32>,
    used: [u64; LEVELS],
    near: Vec<(u64, u64, u32)>,
    /// All timers up to this tick are near.
    tick: u64,
    order: u64,
}

const LEVELS: usize = 8;
const TICK_BITS: u32 = 20;
const NEAR: u32 = u32::MAX - 1;

#[derive(Clone, Copy)]
struct Timer {
    at: u64,
    order: u64,
    /// In its slot; the place in the heap of one that is near.
    before: u32,
    after: u32,
    slot: u32,
}

impl Default for Wheel {
    fn default() -> Self {
        let heads = vec![NONE; LEVELS * 64];
        Self {
            timers: vec![],
            heads,
            used: [0; LEVELS],
            near: vec![],
            tick: 0,
            order: 0,
        }
    }
}

impl Wheel {
    fn link(&mut self, id: u32) {
        let timer = self.timers[id as usize];
        let tick = timer.at >> TICK_BITS;
        if tick <= self.tick {
            self.timers[id as usize].slot = NEAR;
            self.near.push((timer.at, timer.order, id));
            self.settle(self.near.len() - 1, (timer.at, timer.order, id));
            return;
        }
        let level = ((tick ^ self.tick).ilog2() / 6) as usize;
        let place = (tick >> (6 * level)) & 63;
        let slot = level * 64 + place as usize;
        let head = self.heads[slot];
        let timer = &mut self.timers[id as usize];
        (timer.slot, timer.before, timer.after) = (slot as u32, NONE, head);
        if head != NONE {
            self.timers[head as usize].before = id;
        }
        self.heads[slot] = id;
        self.used[level] |= 1 << place;
    }

    fn unlink(&mut self, id: u32) {
        let Timer {
            before,
            after,
            slot,
            ..
        } = self.timers[id as usize];
        self.timers[id as usize].slot = NONE;
        if slot == NEAR {
            let last = self.near.pop().unwrap();
            if (before as usize) < self.near.len() {
                self.settle(before as usize, last);
            }
            return;
        }
        if after != NONE {
            self.timers[after as usize].before = before;
        }
        if before != NONE {
            self.timers[before as usize].after = after;
        } else {
            self.heads[slot as usize] = after;
            if after == NONE {
                self.used[slot as usize / 64] &= !(1 << (slot % 64));
            }
        }
    }

    /// Moves the earliest slots near, until there is something near or nothing at all.
    fn advance(&mut self) {
        while self.near.is_empty() {
            let Some(level) = self.used.iter().position(|used| *used != 0) else {
                return;
            };
            let place = u64::from(self.used[level].trailing_zeros());
            self.used[level] &= !(1 << place);
            let shift = 6 * level as u32;
            let above = self.tick.checked_shr(shift + 6).unwrap_or(0);
            self.tick = above.checked_shl(shift + 6).unwrap_or(0) | (place << shift);
            let slot = level * 64 + place as usize;
            let mut id = std::mem::replace(&mut self.heads[slot], NONE);
            while id != NONE {
                let after = self.timers[id as usize].after;
                self.link(id);
                id = after;
            }
        }
    }

    fn put(&mut self, place: usize, entry: (u64, u64, u32)) {
        self.near[place] = entry;
        self.timers[entry.2 as usize].before = place as u32;
    }

    fn settle(&mut self, mut place: usize, entry: (u64, u64, u32)) {
        while place > 0 && entry < self.near[(place - 1) / 4] {
            let up = (place - 1) / 4;
            self.put(place, self.near[up]);
            place = up;
        }
        loop {
            let first = place * 4 + 1;
            let children = first..(first + 4).min(self.near.len());
            match children.min_by_key(|child| self.near[*child]) {
                Some(child) if self.near[child] < entry => {
                    self.put(place, self.near[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(place, entry);
    }
}

impl Queue for Wheel {
    fn set(&mut self, id: u32, at: Option<u64>) {
        if self.timers.len() <= id as usize {
            let timer = Timer {
                at: 0,
                order: 0,
                before: NONE,
                after: NONE,
                slot: NONE,
            };
            self.timers.resize(id as usize + 1, timer);
        }
        let timer = self.timers[id as usize];
        if (timer.slot != NONE).then_some(timer.at) == at {
            return;
        }
        if timer.slot != NONE {
            self.unlink(id);
        }
        if let Some(at) = at {
            self.order += 1;
            self.timers[id as usize].at = at;
            self.timers[id as usize].order = self.order;
            self.link(id);
        }
        self.advance();
    }

    fn next(&self) -> Option<(u64, u32)> {
        self.near.first().map(|entry| (entry.0, entry.2))
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let next = self.next()?;
        self.unlink(next.1);
        self.advance();
        Some(next)
    }
}

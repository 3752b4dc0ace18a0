//! When each of many parts is due, and which is next.

use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::time::Time;

/// Children of a node. Measured: DESIGN.md, "Why this deadline queue?".
const ARITY: usize = 8;
/// The place of a part that is not armed.
const NOWHERE: u32 = u32::MAX;
/// So many removals are needed before giving memory back is considered.
const PATIENCE: usize = 1024;
/// So many places are kept for good.
const SMALL: usize = 256;

/// A queue of deadlines: one for each part, which is named by a small dense number, such as the
/// [`index`](crate::handle::Handle::index) of its handle.
///
/// Parts come out by (deadline, order of arming), to the nanosecond: ties go to the part that was
/// armed first (law L4 of [`Machine`](crate::machine::Machine)). A deadline that is disarmed is
/// gone at once; nothing piles up.
///
/// ```
/// use drongo::deadlines::Deadlines;
/// use drongo::time::Time;
///
/// let mut deadlines = Deadlines::new();
/// deadlines.set(7, Some(Time::from_millis(500)));
/// deadlines.set(8, Some(Time::from_millis(200)));
/// deadlines.set(8, None);
/// assert_eq!(deadlines.next(), Some((Time::from_millis(500), 7)));
/// assert_eq!(deadlines.pop_due(Time::from_millis(499)), None);
/// assert_eq!(deadlines.pop_due(Time::from_millis(500)), Some((Time::from_millis(500), 7)));
/// ```
#[derive(Clone, Default)]
pub struct Deadlines {
    /// A heap of [`ARITY`] children a node, the smallest first.
    heap: Vec<Entry>,
    /// Where in the heap each part is.
    places: Vec<u32>,
    /// How often a deadline has been armed since the last renumbering.
    armed: u32,
    /// Removals since the last time that memory was given back.
    removals: usize,
}

/// Deadline, order of arming and number of the part, from the highest bits to the lowest: a
/// comparison is one of integers, without a branch, and four entries fill a cache line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u128);

impl Entry {
    const fn new(at: Time, order: u32, id: u32) -> Self {
        Self(((at.as_nanos() as u128) << 64) | ((order as u128) << 32) | id as u128)
    }

    const fn at(self) -> Time {
        Time::from_nanos((self.0 >> 64) as u64)
    }

    const fn id(self) -> u32 {
        self.0 as u32
    }
}

impl Deadlines {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            heap: Vec::new(),
            places: Vec::new(),
            armed: 0,
            removals: 0,
        }
    }

    /// Arms `id` for `at`, or disarms it.
    ///
    /// Setting the deadline that it already has changes nothing: it keeps its place among those
    /// due at the same instant. So an owner can copy the deadline of a part after each input, and
    /// an input that did not touch the timer does not change the order of what follows. Any other
    /// deadline counts as armed now. `u32::MAX` is no part's number and is ignored.
    #[inline]
    pub fn set(&mut self, id: u32, at: Option<Time>) {
        // Half of the inputs touch no timer.
        if self.get(id) != at {
            self.change(id, at);
        }
    }

    fn change(&mut self, id: u32, at: Option<Time>) {
        match (self.place(id), at) {
            (Some(place), Some(at)) => self.rearm(place, id, at),
            (Some(place), None) => self.take_out(place),
            (None, Some(at)) => self.arm(id, at),
            (None, None) => {}
        }
    }

    /// The deadline of `id`.
    pub fn get(&self, id: u32) -> Option<Time> {
        self.heap.get(self.place(id)?).map(|entry| entry.at())
    }

    /// The next deadline and whose it is.
    pub fn next(&self) -> Option<(Time, u32)> {
        self.heap.first().map(|entry| (entry.at(), entry.id()))
    }

    /// Takes the next deadline out if it is not after `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, u32)> {
        let (at, id) = self.next().filter(|(at, _)| *at <= now)?;
        self.take_out(0);
        Some((at, id))
    }

    /// How many are armed.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Shifts every deadline from a clock that reads `from` to one that reads `to` at the same
    /// instant. The order stays what it was, even of those that the range of `Time` clamps.
    pub fn rebase(&mut self, from: Time, to: Time) {
        self.renumber(|at| at.rebased(from, to));
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.places
            .get(id as usize)
            .filter(|place| **place != NOWHERE)
            .map(|place| *place as usize)
    }

    /// The entry of a part that is armed now.
    fn entry(&mut self, at: Time, id: u32) -> Entry {
        if self.armed == u32::MAX {
            self.renumber(|at| at);
        }
        let order = self.armed;
        self.armed = self.armed.saturating_add(1);
        Entry::new(at, order, id)
    }

    /// Numbers what is armed anew from zero, in the order in which it will come out. Once in four
    /// billion armings.
    fn renumber(&mut self, shift: impl Fn(Time) -> Time) {
        // A sorted array is a heap, and stays one when ties arise.
        self.heap.sort_unstable();
        self.armed = 0;
        for (place, entry) in self.heap.iter_mut().enumerate() {
            *entry = Entry::new(shift(entry.at()), self.armed, entry.id());
            self.armed = self.armed.saturating_add(1);
            set_place(&mut self.places, entry.id(), place);
        }
    }

    fn arm(&mut self, id: u32, at: Time) {
        if id == u32::MAX {
            return;
        }
        let places = (id as usize).saturating_add(1);
        if self.places.len() < places {
            self.places.resize(places, NOWHERE);
        }
        let entry = self.entry(at, id);
        self.heap.push(entry);
        self.rise(self.heap.len().saturating_sub(1), entry);
    }

    fn rearm(&mut self, place: usize, id: u32, at: Time) {
        let is_last = self.armed == u32::MAX;
        let entry = self.entry(at, id);
        // A renumbering moves what is armed.
        let place = match is_last {
            true => self.place(id),
            false => Some(place),
        };
        if let Some(place) = place {
            self.settle(place, entry);
        }
    }

    fn take_out(&mut self, place: usize) {
        if let Some(gone) = self.heap.get(place) {
            if let Some(place) = self.places.get_mut(gone.id() as usize) {
                *place = NOWHERE;
            }
            if let Some(last) = self.heap.pop()
                && place < self.heap.len()
            {
                self.settle(place, last);
            }
            self.removals = self.removals.saturating_add(1);
            if self.removals >= self.patience() {
                self.give_back();
            }
        }
    }

    /// Puts `entry` where `place` is free, or as far up or down as it belongs.
    fn settle(&mut self, place: usize, entry: Entry) {
        match parent(place).and_then(|above| self.heap.get(above)) {
            Some(above) if entry < *above => self.rise(place, entry),
            _ => self.sink(place, entry),
        }
    }

    fn rise(&mut self, mut place: usize, entry: Entry) {
        while let Some(up) = parent(place) {
            match self.heap.get(up).copied() {
                Some(above) if entry < above => self.put(place, above),
                _ => break,
            }
            place = up;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize, entry: Entry) {
        while let Some((down, below)) = self.least_child(place) {
            if entry < below {
                break;
            }
            self.put(place, below);
            place = down;
        }
        self.put(place, entry);
    }

    fn least_child(&self, place: usize) -> Option<(usize, Entry)> {
        let first = place.saturating_mul(ARITY).saturating_add(1);
        let children = self.heap.get(first..)?;
        let (least, entry) = match children.first_chunk::<ARITY>() {
            // The usual case: unrolled.
            Some(children) => least_of(children)?,
            None => least_of(children)?,
        };
        Some((first.saturating_add(least), entry))
    }

    fn put(&mut self, place: usize, entry: Entry) {
        if let Some(hole) = self.heap.get_mut(place) {
            *hole = entry;
        }
        set_place(&mut self.places, entry.id(), place);
    }

    /// How many removals pay for giving memory back. An empty queue is asked sooner, since to give
    /// all back is cheap; only what is armed next then pays, for places up to its number.
    fn patience(&self) -> usize {
        let places = self.places.len();
        match self.heap.is_empty() && places > SMALL {
            true => places / 64,
            false => (places / 4).max(PATIENCE),
        }
    }

    /// Shrinks what is less than a quarter full. Its cost is linear in what is armed, and that is
    /// paid for: there were at least a quarter as many removals as there are places.
    fn give_back(&mut self) {
        self.removals = 0;
        let len = self.heap.len();
        if len <= self.heap.capacity() / 4 {
            self.heap.shrink_to(len.saturating_mul(2));
        }
        if len > self.places.len() / 4 {
            return;
        }
        let highest = self.heap.iter().map(|entry| entry.id() as usize).max();
        self.places
            .truncate(highest.map_or(0, |id| id.saturating_add(1)));
        // What is left may go at once, and then so does this.
        self.removals = self.places.len() / 64;
        if self.places.len() <= self.places.capacity() / 4 {
            self.places.shrink_to(self.places.len().saturating_mul(2));
        }
    }
}

/// Equal if the same parts come out at the same times in the same order.
impl PartialEq for Deadlines {
    fn eq(&self, other: &Self) -> bool {
        self.heap.len() == other.heap.len() && self.in_order().eq(other.in_order())
    }
}

impl Eq for Deadlines {}

impl Hash for Deadlines {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.heap.len().hash(state);
        for part in self.in_order() {
            part.hash(state);
        }
    }
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.in_order()).finish()
    }
}

impl Deadlines {
    fn in_order(&self) -> impl Iterator<Item = (Time, u32)> {
        let mut sorted = self.heap.clone();
        sorted.sort_unstable();
        sorted.into_iter().map(|entry| (entry.at(), entry.id()))
    }
}

#[inline]
fn least_of(entries: &[Entry]) -> Option<(usize, Entry)> {
    let (mut least, mut best) = (0, *entries.first()?);
    for (place, entry) in entries.iter().enumerate().skip(1) {
        // Two choices that compile to moves: a branch here is mispredicted half of the time.
        let less = *entry < best;
        least = if less { place } else { least };
        best = if less { *entry } else { best };
    }
    Some((least, best))
}

fn parent(place: usize) -> Option<usize> {
    place.checked_sub(1).map(|n| n / ARITY)
}

fn set_place(places: &mut [u32], id: u32, place: usize) {
    if let Some(known) = places.get_mut(id as usize) {
        // Fewer than 2^32 parts are armed: their numbers are u32 and differ.
        *known = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Option<Time> {
        Some(Time::from_nanos(nanos))
    }

    fn drain(deadlines: &mut Deadlines) -> Vec<u32> {
        core::iter::from_fn(|| deadlines.pop_due(Time::MAX))
            .map(|(_, id)| id)
            .collect()
    }

    #[test]
    fn ties_come_out_in_the_order_of_arming() {
        let mut deadlines = Deadlines::new();
        for id in [5, 3, 9, 1] {
            deadlines.set(id, at(10));
        }
        deadlines.set(0, at(9));
        assert_eq!(drain(&mut deadlines), [0, 5, 3, 9, 1]);
    }

    #[test]
    fn same_deadline_again_keeps_its_place_and_another_loses_it() {
        let mut deadlines = Deadlines::new();
        for id in [1, 2, 3] {
            deadlines.set(id, at(10));
        }
        deadlines.set(1, at(10));
        deadlines.set(2, at(11));
        deadlines.set(2, at(10));
        assert_eq!(drain(&mut deadlines), [1, 3, 2]);
    }

    #[test]
    fn rebase_keeps_the_order_of_those_it_clamps() {
        let mut deadlines = Deadlines::new();
        deadlines.set(1, at(3));
        deadlines.set(2, at(2));
        deadlines.set(3, at(1));
        let mut later = deadlines.clone();
        deadlines.rebase(Time::from_nanos(100), Time::ZERO);
        assert_eq!(deadlines.next(), Some((Time::ZERO, 3)));
        deadlines.set(4, at(0));
        assert_eq!(drain(&mut deadlines), [3, 2, 1, 4]);
        later.rebase(Time::ZERO, Time::from_nanos(100));
        assert_eq!(
            (later.next(), later.get(1)),
            (Some((Time::from_nanos(101), 3)), at(103))
        );
    }

    #[test]
    fn order_survives_the_renumbering() {
        for before_the_end in 0..8 {
            let mut deadlines = Deadlines {
                armed: u32::MAX - before_the_end,
                ..Deadlines::new()
            };
            for id in [4, 9, 2, 7, 1] {
                deadlines.set(id, at(10));
            }
            deadlines.set(9, at(5));
            deadlines.set(9, at(10));
            assert!(deadlines.armed < 100 || before_the_end > 6);
            assert_eq!(drain(&mut deadlines), [4, 2, 7, 1, 9]);
        }
    }

    #[test]
    fn equal_are_those_that_go_on_alike() {
        let (mut one, mut other) = (Deadlines::new(), Deadlines::new());
        for id in 0..50 {
            one.set(id, at(10));
            other.set(id, at(100));
        }
        assert_ne!(one, other);
        for id in 0..50 {
            other.set(id, at(10));
        }
        other.set(0, at(11));
        one.set(0, at(11));
        assert_eq!(one, other);
        other.set(1, None);
        other.set(1, at(10));
        assert_ne!(one, other);
    }

    /// PAINS 115.
    #[test]
    fn burst_gone_gives_its_memory_back() {
        let mut deadlines = Deadlines::new();
        for id in 0..100_000 {
            deadlines.set(id, at(u64::from(id)));
        }
        for id in 10..100_000 {
            deadlines.set(id, None);
        }
        // Giving back waits for removals: what is left over goes with the next ones.
        for id in 10..30_000 {
            deadlines.set(id % 10, at(u64::from(id)));
            deadlines.set(id % 10, None);
        }
        assert!(deadlines.heap.capacity() <= 64 && deadlines.places.capacity() <= 64);
        assert_eq!(deadlines.len(), 0);
    }

    /// PAINS 115: whatever the order in which they go.
    #[test]
    fn all_gone_gives_all_back() {
        for step in [1, 7, 9_999] {
            let mut deadlines = Deadlines::new();
            for n in 0..10_000u32 {
                deadlines.set(n * 4, at(u64::from(n)));
            }
            for n in 0..10_000u32 {
                deadlines.set(n * step % 10_000 * 4, None);
            }
            assert!(deadlines.is_empty());
            assert!(deadlines.heap.capacity() <= 64 && deadlines.places.capacity() <= SMALL);
        }
    }

    #[test]
    fn number_that_is_no_parts_is_ignored() {
        let mut deadlines = Deadlines::new();
        deadlines.set(u32::MAX, at(1));
        deadlines.set(u32::MAX, None);
        assert!(deadlines.is_empty() && deadlines.get(u32::MAX).is_none());
    }

    /// The queue as one would write it without a care: a sort at each question.
    #[derive(Default)]
    struct Naive {
        armed: BTreeMap<u32, (Time, usize)>,
    }

    impl Naive {
        fn set(&mut self, step: usize, id: u32, at: Option<Time>) {
            match at {
                Some(at) if self.armed.get(&id).is_some_and(|(had, _)| *had == at) => {}
                Some(at) => {
                    self.armed.insert(id, (at, step));
                }
                None => {
                    self.armed.remove(&id);
                }
            }
        }

        fn next(&self) -> Option<(Time, u32)> {
            let first = self.armed.iter().min_by_key(|(_, armed)| **armed);
            first.map(|(id, (at, _))| (*at, *id))
        }
    }

    proptest! {
        #[test]
        fn queue_does_what_the_naive_one_does(
            steps in proptest::collection::vec((0u8..8, 0u32..40, 0u64..60), 0..1500),
        ) {
            let mut naive = Naive::default();
            let mut deadlines = Deadlines::new();
            for (step, (verb, id, nanos)) in steps.into_iter().enumerate() {
                let time = Time::from_nanos(nanos);
                match verb {
                    0..4 => {
                        deadlines.set(id, Some(time));
                        naive.set(step, id, Some(time));
                    }
                    4 | 5 => {
                        deadlines.set(id, None);
                        naive.set(step, id, None);
                    }
                    6 => {
                        let due = naive.next().filter(|(at, _)| *at <= time);
                        if let Some((_, id)) = due {
                            naive.set(step, id, None);
                        }
                        prop_assert_eq!(deadlines.pop_due(time), due);
                    }
                    _ => {
                        let same = naive.armed.get(&id).map(|(at, _)| *at);
                        prop_assert_eq!(deadlines.get(id), same);
                        deadlines.set(id, same);
                    }
                }
                prop_assert_eq!(deadlines.next(), naive.next());
                prop_assert_eq!(deadlines.len(), naive.armed.len());
            }
        }
    }
}

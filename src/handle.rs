//! Handles that go stale instead of wrong, and the arena behind them.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter;
use core::marker::PhantomData;

/// Slots of a page: one bit each in a word.
const PAGE: u32 = 64;
/// The generation of a slot that is worn out. No handle ever has it.
const WORN: u32 = u32::MAX;

/// What a handle names. The type only tells handles of different arenas apart.
pub trait Kind {
    /// The word that a handle prints before its number, for example `call`.
    const NAME: &'static str;
}

/// Names one entry of an [`Arena`], until it is removed, and nothing ever after.
///
/// An index and a generation: an index is used again, but with another generation. Prints as
/// `call-12.3`. Handles order by index, then by age.
pub struct Handle<K> {
    index: u32,
    generation: u32,
    kind: PhantomData<fn() -> K>,
}

impl<K> Handle<K> {
    const fn new(index: u32, generation: u32) -> Self {
        Self {
            index,
            generation,
            kind: PhantomData,
        }
    }

    /// The place in the arena. Small and dense: free places are used again from the lowest, so it
    /// indexes side arrays, such as [`Deadlines`](crate::deadlines::Deadlines).
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Index and generation in one word, for an owner that must name the entry without its type.
    pub(crate) const fn to_bits(self) -> u64 {
        ((self.generation as u64) << 32) | self.index as u64
    }

    /// The handle that [`to_bits`](Self::to_bits) came from. Any other word is a stale handle.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self::new(bits as u32, (bits >> 32) as u32)
    }

    const fn parts(self) -> (u32, u32) {
        (self.index, self.generation)
    }
}

/// Values that are named by handles.
///
/// A lookup with a stale handle is `None`. The order of iteration is that of the indices, so it is
/// the same for the same history. A page of 64 places that is empty gives its memory back; some 40
/// bytes of each page stay until the arena is empty, and then one page does.
///
/// ```
/// use drongo::handle::{Arena, Kind};
///
/// struct Call;
/// impl Kind for Call {
///     const NAME: &'static str = "call";
/// }
///
/// let mut calls: Arena<Call, &str> = Arena::new();
/// let first = calls.insert("alice").unwrap();
/// assert_eq!(first.to_string(), "call-0.0");
/// assert_eq!(calls.remove(first), Some("alice"));
/// let second = calls.insert("bob").unwrap();
/// assert_eq!(second.to_string(), "call-0.1");
/// assert_eq!((calls.get(first), calls.get(second)), (None, Some(&"bob")));
/// ```
pub struct Arena<K, T> {
    pages: Vec<Page<T>>,
    /// The pages that have a free place.
    open: BTreeSet<u32>,
    /// An empty page that keeps its memory, so that one entry that comes and goes costs nothing.
    spare: Option<u32>,
    /// The generation that a new page begins with: none of its handles was given before.
    floor: u32,
    len: u32,
    kind: PhantomData<fn() -> K>,
}

impl<K, T> Arena<K, T> {
    /// An empty arena.
    pub const fn new() -> Self {
        Self {
            pages: Vec::new(),
            open: BTreeSet::new(),
            spare: None,
            floor: 0,
            len: 0,
            kind: PhantomData,
        }
    }

    /// Puts a value in. `None`, and the value is gone, if all 2^32 - 64 indices are taken; limits are
    /// the owner's to keep.
    #[inline]
    pub fn insert(&mut self, value: T) -> Option<Handle<K>> {
        let (handle, place) = self.take_place()?;
        *place = Some(value);
        Some(handle)
    }

    /// Puts a value in that knows its own handle.
    pub fn insert_with(&mut self, value: impl FnOnce(Handle<K>) -> T) -> Option<Handle<K>> {
        let (handle, place) = self.take_place()?;
        *place = Some(value(handle));
        Some(handle)
    }

    /// The value that `handle` names.
    pub fn get(&self, handle: Handle<K>) -> Option<&T> {
        let (index, generation) = handle.parts();
        let slot = self.slot(index)?;
        slot.value
            .as_ref()
            .filter(|_| slot.generation == generation)
    }

    /// The value that `handle` names, to change it.
    pub fn get_mut(&mut self, handle: Handle<K>) -> Option<&mut T> {
        let (index, generation) = handle.parts();
        let slot = self.slot_mut(index)?;
        slot.value
            .as_mut()
            .filter(|_| slot.generation == generation)
    }

    /// Whether `handle` names a value.
    pub fn contains(&self, handle: Handle<K>) -> bool {
        self.get(handle).is_some()
    }

    /// The handle of the value at `index`.
    pub fn at(&self, index: u32) -> Option<Handle<K>> {
        let slot = self.slot(index)?;
        slot.value
            .is_some()
            .then(|| Handle::new(index, slot.generation))
    }

    /// Takes the value out that `handle` names. The handle is stale from now on.
    pub fn remove(&mut self, handle: Handle<K>) -> Option<T> {
        let (index, generation) = handle.parts();
        let slot = self
            .slot_mut(index)
            .filter(|slot| slot.generation == generation)?;
        let value = slot.value.take()?;
        self.vacate(index);
        Some(value)
    }

    /// Drops the value where it is that `handle` names, as [`remove`](Self::remove) would take it
    /// out.
    pub(crate) fn discard(&mut self, handle: Handle<K>) {
        let (index, generation) = handle.parts();
        let slot = self.slot_mut(index);
        if let Some(slot) = slot.filter(|slot| slot.generation == generation)
            && slot.value.is_some()
        {
            slot.value = None;
            self.vacate(index);
        }
    }

    /// The value at `index` has gone.
    fn vacate(&mut self, index: u32) {
        let Some(slot) = self.slot_mut(index) else {
            return;
        };
        slot.generation = slot.generation.saturating_add(1);
        let worn = slot.generation == WORN;
        self.len = self.len.saturating_sub(1);
        let number = index / PAGE;
        if let Some(page) = self.pages.get_mut(number as usize) {
            let was_full = page.is_full();
            page.release(index % PAGE, worn);
            let (empty, full) = (page.is_empty(), page.is_full());
            if was_full && !full {
                self.open.insert(number);
            }
            match (empty, full) {
                // Every slot has had its last value.
                (true, true) => self.free(number),
                (true, false) => self.keep_or_free(number),
                (false, _) => {}
            }
        }
        if self.len == 0 && self.pages.len() > 1 {
            self.forget();
        }
    }

    /// How many values there are.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values with their handles, by index.
    pub fn iter(&self) -> impl Iterator<Item = (Handle<K>, &T)> {
        self.pages.iter().zip(0u32..).flat_map(|(page, number)| {
            page.slots
                .iter()
                .zip(0u32..)
                .filter_map(move |(slot, place)| {
                    let index = number.saturating_mul(PAGE) | place;
                    slot.value
                        .as_ref()
                        .map(|value| (Handle::new(index, slot.generation), value))
                })
        })
    }

    /// The values, to change them, with their handles, by index.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Handle<K>, &mut T)> {
        self.pages
            .iter_mut()
            .zip(0u32..)
            .flat_map(|(page, number)| {
                page.slots
                    .iter_mut()
                    .zip(0u32..)
                    .filter_map(move |(slot, place)| {
                        let index = number.saturating_mul(PAGE) | place;
                        let generation = slot.generation;
                        slot.value
                            .as_mut()
                            .map(|value| (Handle::new(index, generation), value))
                    })
            })
    }

    /// The place of the next value, which is its owner's from now on.
    fn take_place(&mut self) -> Option<(Handle<K>, &mut Option<T>)> {
        let number = self.open_page()?;
        let page = self.pages.get_mut(number as usize)?;
        let place = page.first_free();
        let generation = page.slots.get(place as usize)?.generation;
        page.take(place);
        if page.is_full() {
            self.open.remove(&number);
        }
        if self.spare == Some(number) {
            self.spare = None;
        }
        self.len = self.len.saturating_add(1);
        let handle = Handle::new(number.saturating_mul(PAGE) | place, generation);
        let slot = page.slots.get_mut(place as usize)?;
        Some((handle, &mut slot.value))
    }

    /// The lowest page with a free place, in memory.
    fn open_page(&mut self) -> Option<u32> {
        let number = match self.open.first() {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.pages.len()).ok()?;
                // The last page is left out: u32::MAX is no index.
                if number >= u32::MAX / PAGE {
                    return None;
                }
                self.pages.push(Page::new(self.floor));
                self.open.insert(number);
                number
            }
        };
        self.pages.get_mut(number as usize)?.load();
        Some(number)
    }

    /// One empty page stays in memory, the lowest; the others are freed.
    fn keep_or_free(&mut self, number: u32) {
        match self.spare {
            Some(spare) if spare < number => self.free(number),
            Some(spare) => {
                self.spare = Some(number);
                self.free(spare);
            }
            None => self.spare = Some(number),
        }
    }

    /// Gives back what the pages of an empty arena kept, but for the first page. Paid for by the
    /// 64 values that each of them had held.
    fn forget(&mut self) {
        let latest = self.pages.iter().skip(1).map(Page::latest).max();
        let floor = latest.unwrap_or_default().max(self.floor);
        if floor == WORN {
            // A page may be worn out; it must not come again.
            return;
        }
        self.floor = floor;
        self.pages.truncate(1);
        self.pages.shrink_to_fit();
        self.open.retain(|number| *number == 0);
        self.spare = self.spare.filter(|number| *number == 0);
    }

    fn free(&mut self, number: u32) {
        if let Some(page) = self.pages.get_mut(number as usize) {
            page.free();
            if page.is_full() {
                self.open.remove(&number);
            }
        }
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.pages
            .get((index / PAGE) as usize)?
            .slots
            .get((index % PAGE) as usize)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.pages
            .get_mut((index / PAGE) as usize)?
            .slots
            .get_mut((index % PAGE) as usize)
    }
}

/// 64 slots, or what must be remembered of them.
#[derive(Clone)]
struct Page<T> {
    /// All or none.
    slots: Box<[Slot<T>]>,
    /// A bit for each slot that cannot take a value: it has one, or is worn out.
    taken: u64,
    /// How many slots have a value.
    live: u32,
    /// The generation that the slots begin with when they are made again.
    generation: u32,
}

#[derive(Clone)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Page<T> {
    fn new(generation: u32) -> Self {
        Self {
            slots: Box::default(),
            taken: 0,
            live: 0,
            generation,
        }
    }

    fn load(&mut self) {
        if self.slots.is_empty() {
            let generation = self.generation;
            let slots = iter::repeat_with(|| Slot {
                generation,
                value: None,
            });
            self.slots = slots.take(PAGE as usize).collect();
        }
    }

    /// The latest of all slots stands for each: a few generations are skipped, none comes twice.
    fn latest(&self) -> u32 {
        let latest = self.slots.iter().map(|slot| slot.generation).max();
        latest.unwrap_or(self.generation)
    }

    /// Gives the memory of an empty page back.
    fn free(&mut self) {
        self.generation = self.latest();
        self.taken = if self.generation == WORN { u64::MAX } else { 0 };
        self.slots = Box::default();
    }

    /// The lowest place that can take a value.
    fn first_free(&self) -> u32 {
        self.taken.trailing_ones()
    }

    fn take(&mut self, place: u32) {
        self.taken |= bit(place);
        self.live = self.live.saturating_add(1);
    }

    fn release(&mut self, place: u32, worn: bool) {
        self.live = self.live.saturating_sub(1);
        if !worn {
            self.taken &= !bit(place);
        }
    }

    const fn is_full(&self) -> bool {
        self.taken == u64::MAX
    }

    const fn is_empty(&self) -> bool {
        self.live == 0
    }
}

const fn bit(place: u32) -> u64 {
    1u64.rotate_left(place)
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, T: Clone> Clone for Arena<K, T> {
    fn clone(&self) -> Self {
        Self {
            pages: self.pages.clone(),
            open: self.open.clone(),
            spare: self.spare,
            floor: self.floor,
            len: self.len,
            kind: PhantomData,
        }
    }
}

/// The same values under the same handles; what is gone does not count.
impl<K, T: PartialEq> PartialEq for Arena<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K, T: Eq> Eq for Arena<K, T> {}

impl<K, T: Hash> Hash for Arena<K, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        for entry in self.iter() {
            entry.hash(state);
        }
    }
}

impl<K: Kind, T: fmt::Debug> fmt::Debug for Arena<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K> Clone for Handle<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Handle<K> {}

impl<K> PartialEq for Handle<K> {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl<K> Eq for Handle<K> {}

impl<K> PartialOrd for Handle<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Handle<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl<K> Hash for Handle<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl<K: Kind> fmt::Display for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", K::NAME, self.index, self.generation)
    }
}

impl<K: Kind> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use proptest::prelude::*;

    enum Call {}
    impl Kind for Call {
        const NAME: &'static str = "call";
    }
    type Calls<T> = Arena<Call, T>;

    fn loaded<T>(calls: &Calls<T>) -> usize {
        calls
            .pages
            .iter()
            .filter(|page| !page.slots.is_empty())
            .count()
    }

    #[test]
    fn handle_prints_its_kind() {
        let handle = Handle::<Call>::new(12, 3);
        assert_eq!(format!("{handle} {handle:?}"), "call-12.3 call-12.3");
        assert_eq!(size_of::<Option<Handle<Call>>>(), 12);
    }

    #[test]
    fn value_may_know_its_handle() {
        let mut calls: Calls<Handle<Call>> = Arena::new();
        let handle = calls.insert_with(|handle| handle).unwrap();
        assert_eq!(calls.get(handle), Some(&handle));
        assert_eq!(calls.at(handle.index()), Some(handle));
    }

    #[test]
    fn stale_handle_finds_nothing_even_after_its_page_was_freed() {
        let mut calls = Calls::new();
        let all: Vec<_> = (0..1000).map(|n| calls.insert(n).unwrap()).collect();
        for handle in &all {
            assert!(calls.remove(*handle).is_some());
        }
        assert_eq!(loaded(&calls), 1);
        for n in 0..1000 {
            calls.insert(n).unwrap();
        }
        for handle in &all {
            assert_eq!(calls.get(*handle), None);
            assert_eq!(calls.remove(*handle), None);
        }
        assert_eq!(calls.len(), 1000);
    }

    /// PAINS 115: the pages themselves too, once all is gone.
    #[test]
    fn empty_arena_keeps_one_page_and_gives_no_handle_twice() {
        let mut calls = Calls::new();
        let mut seen = BTreeSet::new();
        for round in 0..5 {
            let all: Vec<_> = (0..500).map(|n| calls.insert(n).unwrap()).collect();
            for handle in &all {
                assert!(seen.insert(*handle), "{round}: {handle}");
                calls.remove(*handle);
            }
            assert_eq!((calls.pages.len(), calls.pages.capacity()), (1, 1));
            assert_eq!((calls.open.len(), calls.spare), (1, Some(0)));
        }
    }

    /// PAINS 115: also when a call in the highest page lives on.
    #[test]
    fn burst_gone_gives_its_memory_back() {
        let mut calls = Calls::new();
        let all: Vec<_> = (0..100_000).map(|n| calls.insert(n).unwrap()).collect();
        let last = *all.last().unwrap();
        for handle in &all {
            if *handle != last {
                calls.remove(*handle);
            }
        }
        assert_eq!(loaded(&calls), 2);
        assert_eq!(calls.get(last), Some(&99_999));
        assert!(size_of::<Page<[u8; 500]>>() <= 32);
    }

    #[test]
    fn worn_slot_is_retired_and_never_given_again() {
        let mut calls = Calls::new();
        calls.pages.push(Page::new(WORN - 2));
        calls.open.insert(0);
        let mut seen = BTreeSet::new();
        for n in 0..1000 {
            let handle = calls.insert(n).unwrap();
            assert!(handle.parts().1 < WORN && seen.insert(handle));
            assert_eq!(calls.remove(handle), Some(n));
        }
        assert!(
            calls
                .pages
                .first()
                .is_some_and(|page| page.slots.is_empty())
        );
        assert_eq!(calls.insert(0).unwrap().index(), 64);
    }

    #[test]
    fn iteration_goes_by_index_whatever_the_history() {
        let mut calls = Calls::new();
        let all: Vec<_> = (0..200).map(|n| calls.insert(n).unwrap()).collect();
        for handle in all.iter().rev().step_by(2) {
            calls.remove(*handle);
        }
        calls.insert(1000).unwrap();
        for (_, value) in calls.iter_mut() {
            *value += 1;
        }
        let handles: Vec<_> = calls.iter().map(|(handle, _)| handle).collect();
        assert!(handles.is_sorted());
        assert!(
            calls
                .iter()
                .all(|(handle, value)| calls.get(handle) == Some(value))
        );
        assert_eq!(calls.iter().count(), calls.len() as usize);
    }

    proptest! {
        #[test]
        fn arena_is_a_map_that_never_gives_a_handle_twice(
            steps in proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..1500),
        ) {
            let mut model = BTreeMap::new();
            let mut gone = Vec::new();
            let mut calls = Calls::new();
            for (n, (insert, pick)) in steps.into_iter().enumerate() {
                if insert || model.is_empty() {
                    let handle = calls.insert(n).unwrap();
                    prop_assert!(!gone.contains(&handle));
                    prop_assert_eq!(model.insert(handle, n), None);
                } else {
                    let handle = *model.keys().nth(pick.index(model.len())).unwrap();
                    prop_assert_eq!(calls.remove(handle), model.remove(&handle));
                    gone.push(handle);
                }
                prop_assert_eq!(calls.len() as usize, model.len());
            }
            prop_assert!(gone.iter().all(|handle| calls.get(*handle).is_none()));
            prop_assert!(calls.iter().map(|(h, v)| (h, *v)).eq(model));
        }
    }
}

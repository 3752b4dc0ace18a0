//! Where the entries of a table lie.
//!
//! Places come in groups of sixteen. Each place has a tag of two bytes: fifteen bits of the hash of
//! its entry, or that it is free. A search looks at all tags of a group at once, and at the entries
//! whose tags fit; it goes on to another group only if this one has no free place and had none
//! since the entry came.
//!
//! Groups begin where a search does: the tags of one lie in one cache line, and no entry of up to 32
//! bytes lies across two. So a search touches one line of tags and one of the entry. (In a table
//! whose groups may begin anywhere, a quarter of the searches touch two lines of tags, and half of
//! the entries lie across two. With seven bits of the hash, one search in thirty looks at the entry
//! of another key.)

use alloc::vec::Vec;
use core::iter;
use core::mem;

use wide::{CmpEq, i16x16};

/// The tag of a place that was never taken since the table was made: a search ends there.
const FREE: i16 = -1;
/// The tag of a place whose entry has gone: a search goes on.
const GONE: i16 = i16::MIN;
/// The tag of a place that is not there, in a table smaller than a group.
const NOWHERE: i16 = i16::MAX;

/// Places in a group.
const GROUP: usize = 16;
/// Places of the smallest table.
const LEAST: usize = 4;
/// A table with this many places or fewer is not made smaller as long as it has an entry.
const SMALL: usize = 64;

/// The tags of a group.
type Tags = i16x16;

/// Four places, which begin with a cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Row<T>([Option<T>; ROW]);

const ROW: usize = 4;

/// An entry, which knows its hash.
pub(super) trait Hashed {
    fn hash(&self) -> u64;
}

/// Entries by hash.
#[derive(Clone)]
pub(super) struct Groups<T> {
    tags: Vec<Tags>,
    rows: Vec<Row<T>>,
    len: usize,
    /// How many free places may be taken before the table is made anew: some must stay, or a search
    /// would have no end.
    room: usize,
}

impl<T> Groups<T> {
    pub(super) const fn new() -> Self {
        Self {
            tags: Vec::new(),
            rows: Vec::new(),
            len: 0,
            room: 0,
        }
    }
}

impl<T: Hashed> Groups<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// All places, taken or not.
    pub(super) fn places(&self) -> usize {
        self.rows.len().saturating_mul(ROW)
    }

    /// The place of the entry with this hash that is the one.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<usize> {
        let tag = tag(hash);
        for group in self.probe(hash) {
            let tags = self.tags.get(group)?;
            for place in places(group, equal(tags, tag)) {
                if self.get(place).is_some_and(&is) {
                    return Some(place);
                }
            }
            if equal(tags, FREE) != 0 {
                return None;
            }
        }
        None
    }

    /// The entry at a place.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        let row = self.rows.get(place / ROW)?;
        row.0.get(place % ROW)?.as_ref()
    }

    /// The entry at a place, to change it in a way that leaves its hash.
    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.slot(place)?.as_mut()
    }

    /// Puts an entry in that is not there yet.
    #[inline]
    pub(super) fn insert(&mut self, entry: T) {
        let hash = entry.hash();
        let place = self.vacancy(hash).filter(|place| {
            // A place whose entry has gone is no free one less.
            self.room > 0 || self.tag_of(*place) == Some(GONE)
        });
        let place = match place {
            Some(place) => Some(place),
            None => {
                self.make_room();
                self.vacancy(hash)
            }
        };
        if let Some(place) = place {
            self.put(place, entry);
        }
    }

    /// Takes the entry at a place out.
    #[inline]
    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        let entry = self.slot(place)?.take()?;
        let group = place / GROUP;
        let is_alone = self.tags.len() == 1;
        // No search has ever gone past a group with a free place.
        let is_end = is_alone || self.tags.get(group).is_some_and(|t| equal(t, FREE) != 0);
        self.set_tag(place, if is_end { FREE } else { GONE });
        self.room = self.room.saturating_add(usize::from(is_end));
        self.len = self.len.saturating_sub(1);
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flat_map(|row| &row.0).flatten()
    }

    /// Shrinks a table that is less than a sixteenth full to one that is a quarter to a half full:
    /// a constant share of its entries must come or go before it is moved again.
    pub(super) fn give_back(&mut self) {
        let places = self.places();
        if self.len == 0 {
            // As many entries as it had room for have come and gone.
            self.shrink_to(1);
        } else if places > SMALL && self.len < places / 16 {
            self.shrink_to(self.len.saturating_mul(2));
        }
    }

    /// Moves all entries to a table that has room for so many.
    fn shrink_to(&mut self, entries: usize) {
        let places = places_for(entries.max(self.len));
        if places < self.places() {
            self.move_to(places);
        }
    }

    /// The groups in the order in which they are searched: each comes once.
    #[inline]
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> + use<T> {
        let groups = self.tags.len();
        let mask = groups.wrapping_sub(1);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "only the lowest bits count"
        )]
        let mut at = hash as usize;
        // Steps of 1, 2, 3 … come to each of a power of two.
        (0..groups).map(move |step| {
            at = at.wrapping_add(step) & mask;
            at
        })
    }

    /// The first place that an entry with this hash may have.
    #[inline]
    fn vacancy(&self, hash: u64) -> Option<usize> {
        self.probe(hash).find_map(|group| {
            let vacant = self.tags.get(group)?.move_mask().cast_unsigned();
            places(group, vacant).next()
        })
    }

    #[inline]
    fn put(&mut self, place: usize, entry: T) {
        let was_free = self.tag_of(place) == Some(FREE);
        self.settle(place, entry);
        self.room = self.room.saturating_sub(usize::from(was_free));
        self.len = self.len.saturating_add(1);
    }

    /// Puts an entry in its place, and counts nothing.
    #[inline]
    fn settle(&mut self, place: usize, entry: T) {
        self.set_tag(place, tag(entry.hash()));
        if let Some(slot) = self.slot(place) {
            *slot = Some(entry);
        }
    }

    /// If entries have come and gone, as many places are enough; else it takes twice as many.
    #[cold]
    fn make_room(&mut self) {
        let most = most(self.places());
        let entries = match self.len < most / 2 {
            true => most,
            false => most.saturating_add(1),
        };
        self.move_to(places_for(entries));
    }

    #[cold]
    fn move_to(&mut self, places: usize) {
        let mut new = Self::with_places(places);
        // Each entry is moved once, from its place to its place.
        for row in mem::take(&mut self.rows) {
            for entry in row.0.into_iter().flatten() {
                if let Some(place) = new.vacancy(entry.hash()) {
                    new.settle(place, entry);
                }
            }
        }
        new.len = self.len;
        new.room = new.room.saturating_sub(self.len);
        *self = new;
    }

    fn with_places(places: usize) -> Self {
        let groups = places.div_ceil(GROUP);
        let mut tags = [FREE; GROUP];
        for tag in tags.iter_mut().skip(places) {
            *tag = NOWHERE;
        }
        Self {
            tags: iter::repeat_n(Tags::new(tags), groups).collect(),
            rows: iter::repeat_with(|| Row([None, None, None, None]))
                .take(places / ROW)
                .collect(),
            len: 0,
            room: most(places),
        }
    }

    #[inline]
    fn slot(&mut self, place: usize) -> Option<&mut Option<T>> {
        self.rows.get_mut(place / ROW)?.0.get_mut(place % ROW)
    }

    #[inline]
    fn tag_of(&self, place: usize) -> Option<i16> {
        let tags = self.tags.get(place / GROUP)?;
        tags.as_array_ref().get(place % GROUP).copied()
    }

    #[inline]
    fn set_tag(&mut self, place: usize, tag: i16) {
        let tags = self.tags.get_mut(place / GROUP);
        if let Some(known) = tags.and_then(|tags| tags.as_array_mut().get_mut(place % GROUP)) {
            *known = tag;
        }
    }
}

/// Fifteen bits of a hash, other ones than say the group.
#[inline]
fn tag(hash: u64) -> i16 {
    let [first, second, ..] = hash.to_be_bytes();
    i16::from_be_bytes([first >> 1, second]).min(NOWHERE - 1)
}

/// Which tags of a group are that one, as a bit for each.
#[inline]
fn equal(tags: &Tags, tag: i16) -> u32 {
    tags.cmp_eq(Tags::splat(tag)).move_mask().cast_unsigned()
}

/// The places of a group whose bits are set.
#[inline]
fn places(group: usize, mut bits: u32) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let lane = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (lane < u32::BITS).then(|| group.wrapping_mul(GROUP).wrapping_add(lane as usize))
    })
}

/// How many entries so many places may hold.
fn most(places: usize) -> usize {
    places.saturating_sub(places / 8)
}

/// How many places it takes for so many entries.
fn places_for(entries: usize) -> usize {
    let mut places = LEAST;
    while most(places) < entries {
        places = places.saturating_mul(2);
    }
    places
}

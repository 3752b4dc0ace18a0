//! Where things are that know their own keys.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::groups::{self, Groups};
use super::{Hashed, hash_of, hash_of_own};

/// A hash table of values whose keys are elsewhere, and are not kept twice: who looks one up says
/// which it is. A value is small, such as a [`Handle`](crate::handle::Handle).
///
/// As a [`Table`](super::Table) it is keyed from the seed, and nothing iterates over it.
#[derive(Clone)]
pub(crate) struct Index<V> {
    entries: Groups<Slot<V>>,
    key: [u64; 2],
}

#[derive(Clone)]
struct Slot<V> {
    hash: u64,
    value: V,
}

impl<V> groups::Hashed for Slot<V> {
    fn hash(&self) -> u64 {
        self.hash
    }
}

impl<V: Copy + PartialEq> Index<V> {
    pub(crate) const fn with_key(key: [u64; 2]) -> Self {
        Self {
            entries: Groups::new(),
            key,
        }
    }

    /// The hash of a key that strangers may have chosen.
    pub(crate) fn hashed<Q: Hash + ?Sized>(&self, key: &Q) -> Hashed {
        Hashed(hash_of(self.key, key))
    }

    /// The hash of a key of this side's own, which hashes by its random bytes.
    #[inline]
    pub(crate) fn hashed_own<Q: Hash + ?Sized>(&self, key: &Q) -> Hashed {
        Hashed(hash_of_own(self.key, key))
    }

    /// The value with this hash that is the one.
    #[inline]
    pub(crate) fn find(&self, hashed: Hashed, is: impl Fn(V) -> bool) -> Option<V> {
        let place = self.place(hashed, is)?;
        Some(self.entries.get(place)?.value)
    }

    /// Puts a value in that is not there yet.
    pub(crate) fn insert(&mut self, hashed: Hashed, value: V) {
        let hash = hashed.0;
        self.entries.insert(Slot { hash, value });
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, hashed: Hashed, value: V) {
        if let Some(place) = self.place(hashed, |known| known == value) {
            self.entries.remove(place);
            self.entries.give_back();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    fn place(&self, hashed: Hashed, is: impl Fn(V) -> bool) -> Option<usize> {
        let hash = hashed.0;
        self.entries
            .find(hash, |slot| slot.hash == hash && is(slot.value))
    }
}

/// Equal if they hold the same values under the same hashes.
impl<V: Copy + PartialEq> PartialEq for Index<V> {
    fn eq(&self, other: &Self) -> bool {
        let has = |slot: &Slot<V>| {
            let found = other.find(Hashed(slot.hash), |value| value == slot.value);
            found.is_some()
        };
        self.len() == other.len() && self.entries.iter().all(has)
    }
}

impl<V: Copy + Eq> Eq for Index<V> {}

impl<V: Copy + PartialEq> Hash for Index<V> {
    /// The rest is said by what the values name.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
    }
}

/// Only how many values there are: printing them would show their order.
impl<V: Copy + PartialEq> fmt::Debug for Index<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// The key of a value, of which three have the same hash.
    fn hashed(index: &Index<u16>, value: u16) -> Hashed {
        match value % 2 {
            0 => index.hashed(&(value / 3)),
            _ => index.hashed_own(&u64::from(value / 3)),
        }
    }

    proptest! {
        #[test]
        fn index_is_a_set_by_hash(steps in proptest::collection::vec((any::<bool>(), 0_u16..300), 0..2000)) {
            let mut model = BTreeMap::new();
            let mut index = Index::with_key([3, 4]);
            for (put, value) in steps {
                let at = hashed(&index, value);
                match put {
                    true if model.insert(value, ()).is_none() => index.insert(at, value),
                    true => {}
                    false => {
                        model.remove(&value);
                        index.remove(at, value);
                    }
                }
                prop_assert_eq!(index.len(), model.len());
            }
            for value in 0..300 {
                let found = index.find(hashed(&index, value), |known| known == value);
                prop_assert_eq!(found, model.get(&value).map(|()| value));
            }
            let mut other = Index::with_key([3, 4]);
            for value in model.keys().rev() {
                other.insert(hashed(&other, *value), *value);
            }
            prop_assert_eq!(&other, &index);
            if let Some(value) = model.keys().next() {
                other.remove(hashed(&other, *value), *value);
                prop_assert_ne!(&other, &index);
            }
        }
    }

    /// What a flood of looks-up can find out about is not what decides where keys go.
    #[test]
    fn words_of_this_side_are_spread_over_the_groups() {
        let index: Index<u16> = Index::with_key([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
        // Words that differ in their highest byte only, and in their lowest only.
        for shift in [0, 56] {
            let hashes: Vec<u64> = (0..128_u64)
                .map(|n| index.hashed_own(&(n << shift)).0)
                .collect();
            for bits in [0, 48] {
                let mut places: Vec<u64> = hashes.iter().map(|hash| hash >> bits & 0x7f).collect();
                places.sort_unstable();
                places.dedup();
                // Of 128 at random some 81 differ.
                assert!(places.len() > 60, "{shift} {bits}: {}", places.len());
            }
        }
    }
}

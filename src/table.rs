//! The only map of the crate.

mod groups;
mod index;

use core::fmt;
use core::hash::{Hash, Hasher};
use core::mem;

use equivalent::Equivalent;
use groups::Groups;
pub(crate) use index::Index;
use siphasher::sip::SipHasher13;

/// A hash table keyed from the seed, without iteration.
///
/// Strangers choose many of the keys (Call-IDs, branches, tags). SipHash-1-3 with a secret key
/// keeps them from choosing ones that collide. What follows from the key, the order of the
/// entries, must never reach the wire (law L12 of [`Machine`](crate::machine::Machine)): that is
/// why nothing iterates. Who needs an order keeps one, for example in an
/// [`Arena`](crate::handle::Arena).
///
/// After a burst the memory is given back, at an amortised constant cost a removal.
///
/// Two tables are equal if they hold equal entries, whatever their keys.
///
/// ```
/// use drongo::seed::{Ids, Seed};
/// use drongo::table::Table;
///
/// let ids = Ids::new(Seed::from_bytes([7; 32]));
/// let mut calls: Table<String, u32> = Table::with_key(ids.table_key());
/// calls.insert("a84b4c76e66710".to_string(), 1);
/// assert_eq!(calls.get("a84b4c76e66710"), Some(&1));
/// assert_eq!(format!("{calls:?}"), "Table { len: 1 }");
/// ```
#[derive(Clone)]
pub struct Table<K, V> {
    entries: Groups<Slot<K, V>>,
    key: [u64; 2],
}

/// The hash of a key that a stranger may have chosen: SipHash-1-3.
fn hash_of<Q: Hash + ?Sized>([first, second]: [u64; 2], key: &Q) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(first, second);
    key.hash(&mut hasher);
    hasher.finish()
}

/// The hash of a key that hashes by random bytes which this side has chosen. A stranger may look for
/// keys that collide with others, but put none in.
#[inline]
fn hash_of_own<Q: Hash + ?Sized>([state, factor]: [u64; 2], key: &Q) -> u64 {
    let factor = factor | 1;
    let mut hasher = Folded { state, factor };
    key.hash(&mut hasher);
    hasher.finish()
}

/// Multiplies each word, and folds the product.
struct Folded {
    state: u64,
    factor: u64,
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, b| word << 8 | u64::from(*b));
            self.write_u64(word);
        }
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.state = folded(self.state ^ word, self.factor);
    }

    /// Once more, or words that differ in few bits have hashes that do.
    #[inline]
    fn finish(&self) -> u64 {
        // Of the golden ratio: bits without a pattern.
        folded(self.state, 0x9e37_79b9_7f4a_7c15)
    }
}

#[inline]
fn folded(word: u64, factor: u64) -> u64 {
    let product = u128::from(word).wrapping_mul(u128::from(factor));
    product as u64 ^ (product >> 64) as u64
}

/// The hash of a key in one table: who looks it up and then inserts it need not hash it twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Hashed(u64);

impl Hashed {
    /// The hash.
    pub(crate) const fn as_u64(self) -> u64 {
        self.0
    }
}

/// An entry with its hash: a table that grows need not hash its keys again.
#[derive(Clone)]
struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K, V> groups::Hashed for Slot<K, V> {
    fn hash(&self) -> u64 {
        self.hash
    }
}

impl<K, V> Slot<K, V> {
    /// Whether it has this key. The key lies elsewhere, and is looked at only if the hash is the
    /// same.
    fn is<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> bool {
        self.hash == hash && key.equivalent(&self.key)
    }
}

impl<K, V> Table<K, V> {
    /// An empty table that hashes under `key`; see [`Ids`](crate::seed::Ids::table_key).
    pub const fn with_key(key: [u64; 2]) -> Self {
        Self {
            entries: Groups::new(),
            key,
        }
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    /// The value of `key`.
    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        let place = self.place(hash_of(self.key, key), key)?;
        Some(&self.entries.get(place)?.value)
    }

    /// The hash of `key` here.
    pub(crate) fn hashed<Q: Hash + ?Sized>(&self, key: &Q) -> Hashed {
        Hashed(hash_of(self.key, key))
    }

    /// The value of `key`, to change it.
    pub fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        let place = self.place(hash_of(self.key, key), key)?;
        Some(&mut self.entries.get_mut(place)?.value)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> bool {
        self.get(key).is_some()
    }

    /// Gives `key` a value, and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_of(self.key, &key);
        let place = self.place(hash, &key);
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(slot) => Some(mem::replace(&mut slot.value, value)),
            None => {
                self.entries.insert(Slot { hash, key, value });
                None
            }
        }
    }

    /// Gives `key` a value if it has none; says whether it had none.
    pub fn insert_new(&mut self, key: K, value: V) -> bool {
        let hash = hash_of(self.key, &key);
        let is_new = self.place(hash, &key).is_none();
        if is_new {
            self.entries.insert(Slot { hash, key, value });
        }
        is_new
    }

    /// Takes the value of `key` out.
    pub fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        let place = self.place(hash_of(self.key, key), key)?;
        self.take(place)
    }

    fn place<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<usize> {
        self.entries.find(hash, |slot| slot.is(hash, key))
    }

    fn take(&mut self, place: usize) -> Option<V> {
        let slot = self.entries.remove(place)?;
        self.entries.give_back();
        Some(slot.value)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Hash + Eq, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let has = |slot: &Slot<K, V>| other.get(&slot.key) == Some(&slot.value);
        self.len() == other.len() && self.entries.iter().all(has)
    }
}

impl<K: Hash + Eq, V: Eq> Eq for Table<K, V> {}

impl<K: Hash + Eq, V: Hash> Hash for Table<K, V> {
    /// A sum over the entries: it knows neither their order nor the table's key.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let sum = self
            .entries
            .iter()
            .map(|slot| hash_of([0, 0], &(&slot.key, &slot.value)))
            .fold(0, u64::wrapping_add);
        state.write_usize(self.len());
        state.write_u64(sum);
    }
}

/// Only how many entries there are: printing them would show their order.
impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.entries.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn digest(table: &Table<u16, u32>) -> u64 {
        hash_of([1, 2], table)
    }

    #[test]
    fn borrowed_key_finds_the_owned_one() {
        let mut table: Table<String, u8> = Table::with_key([1, 2]);
        assert_eq!(table.insert("x".to_string(), 1), None);
        assert_eq!(table.insert("x".to_string(), 2), Some(1));
        *table.get_mut("x").unwrap() = 3;
        assert_eq!(table.remove("x"), Some(3));
        assert_eq!(table.remove("x"), None);
        assert!(table.is_empty() && !table.contains_key("x"));
    }

    /// A key made of parts is found without building it.
    #[test]
    fn equivalent_key_of_another_shape_finds_the_entry() {
        #[derive(Hash)]
        struct Parts<'a>(&'a str, u32);
        impl Equivalent<(String, u32)> for Parts<'_> {
            fn equivalent(&self, key: &(String, u32)) -> bool {
                self.0 == key.0 && self.1 == key.1
            }
        }
        let mut table = Table::with_key([1, 2]);
        table.insert(("a".to_string(), 7), ());
        assert!(table.contains_key(&Parts("a", 7)));
        assert!(!table.contains_key(&Parts("a", 8)));
    }

    /// PAINS 115.
    #[test]
    fn burst_gone_gives_its_memory_back() {
        let mut table: Table<u32, u64> = Table::with_key([1, 2]);
        for n in 0..100_000 {
            table.insert(n, 0);
        }
        let peak = table.entries.places();
        for n in 10..100_000 {
            table.remove(&n);
        }
        assert!(table.entries.places() * 500 < peak);
        assert!((0..10).all(|n| table.contains_key(&n)));
    }

    /// One entry that comes and goes at any fill never moves the table twice.
    #[test]
    fn entry_that_comes_and_goes_does_not_move_the_table() {
        let mut table: Table<u32, u64> = Table::with_key([1, 2]);
        for n in 0..10_000 {
            table.insert(n, 0);
        }
        for n in (0..10_000).rev() {
            table.remove(&n);
            let places = table.entries.places();
            for _ in 0..3 {
                table.insert(n, 0);
                table.remove(&n);
            }
            assert_eq!(table.entries.places(), places, "{n}");
        }
    }

    proptest! {
        #[test]
        fn table_is_a_map(steps in proptest::collection::vec((0u8..3, 0u16..300, any::<u32>()), 0..2000)) {
            let mut model = BTreeMap::new();
            let mut table = Table::with_key([3, 4]);
            for (verb, key, value) in steps {
                match verb {
                    0 | 1 => prop_assert_eq!(table.insert(key, value), model.insert(key, value)),
                    _ => prop_assert_eq!(table.remove(&key), model.remove(&key)),
                }
                prop_assert_eq!(table.len(), model.len());
            }
            for key in 0..300 {
                prop_assert_eq!(table.get(&key), model.get(&key));
            }
            // Equal whatever the key and the order of insertion, and hashed alike.
            let mut other = Table::with_key([5, 6]);
            for (key, value) in model.iter().rev() {
                other.insert(*key, *value);
            }
            prop_assert_eq!(&other, &table);
            prop_assert_eq!(digest(&other), digest(&table));
            if let Some((key, value)) = model.iter().next() {
                other.insert(*key, value.wrapping_add(1));
                prop_assert!(other != table);
                prop_assert!(digest(&other) != digest(&table));
            }
        }
    }
}

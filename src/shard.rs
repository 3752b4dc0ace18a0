//! Which of several endpoints a message belongs to, and which calls an endpoint may place.
//!
//! A dialog is the highest unit of serial work, and its Call-ID is in each of its messages. So is
//! that of a transaction: an INVITE, its forks, CANCEL, ACK, PRACK, UPDATE, BYE and all responses
//! land on one shard, and shards share nothing but the seed. Since every value that is made from
//! the seed is a function of what it is for, the bytes of a call are the same however many shards
//! there are.
//!
//! ```
//! use drongo::message::call_id_of;
//! use drongo::shard::shard_of;
//!
//! let datagram = b"BYE sip:bob@192.0.2.4 SIP/2.0\r\ni : a84b4c76e66710\r\nCSeq: 2 BYE\r\n\r\n";
//! let call_id = call_id_of(datagram).unwrap_or_default();
//! assert_eq!(call_id, b"a84b4c76e66710");
//! assert_eq!(shard_of(call_id, 8), 0);
//! assert_eq!(shard_of(call_id, 1), 0);
//! ```

use siphasher::sip::SipHasher24;

use crate::message::call_id_of;
use crate::seed::{Ids, Seed};

/// The key of the hash. It is fixed and no secret: all nodes that share work must agree. Who sends
/// Call-IDs that all fall to one shard fills that shard, as it would fill an endpoint without any.
const KEY: [u64; 2] = [0x6472_6f6e_676f_2e73, 0x6861_7264_5f6f_6601];

/// The shard, of `shards`, that a Call-ID belongs to: the same on every node, in every life and
/// every version of this crate. No shards count as one.
///
/// SipHash-2-4 of the bytes of the Call-ID as they are (they are compared with case, RFC 3261
/// 20.8), multiplied with the number of shards; the upper 64 bits of that.
pub fn shard_of(call_id: &[u8], shards: u32) -> u32 {
    let [first, second] = KEY;
    let hash = SipHasher24::new_with_keys(first, second).hash(call_id);
    let wide = u128::from(hash).saturating_mul(u128::from(shards));
    // Less than `shards`.
    (wide >> 64) as u32
}

/// One of several endpoints that share a seed.
///
/// ```
/// use drongo::seed::Seed;
/// use drongo::shard::Shard;
///
/// let all: Vec<Shard> = Shard::all(4).collect();
/// let seed = Seed::from_bytes([7; 32]);
/// // Each shard places calls with ordinals of its own.
/// let mut first: Vec<u64> = all.iter().map(|shard| shard.ordinals(seed.clone()).next().unwrap()).collect();
/// first.sort();
/// assert_eq!(first[0], 0);
/// assert!(first.windows(2).all(|pair| pair[0] != pair[1]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// The only one of one: an endpoint without shards.
    pub const ONLY: Self = Self { index: 0, of: 1 };

    /// Shard `index`, counted from zero, of `of`. `None` if there is no such shard.
    pub const fn new(index: u32, of: u32) -> Option<Self> {
        match index < of {
            true => Some(Self { index, of }),
            false => None,
        }
    }

    /// All of `of` shards.
    pub fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// Its number, counted from zero.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Whether the Call-ID belongs to it.
    pub fn owns(self, call_id: &[u8]) -> bool {
        shard_of(call_id, self.of) == self.index
    }

    /// The number of the shard, among those that this is one of, that a message belongs to. What
    /// names no Call-ID is no message, and shard 0 says so.
    pub fn owner_of(self, message: &[u8]) -> u32 {
        match call_id_of(message) {
            Some(call_id) if self.of > 1 => shard_of(call_id, self.of),
            Some(_) | None => 0,
        }
    }

    /// The ordinals for [`Endpoint::place`](crate::endpoint::Endpoint::place) and
    /// [`Endpoint::ask`](crate::endpoint::Endpoint::ask) whose Call-IDs belong to this shard, in
    /// order. No two shards of one seed have one in common.
    pub fn ordinals(self, seed: Seed) -> Ordinals {
        Ordinals {
            ids: Ids::new(seed),
            shard: self,
            next: 0,
        }
    }
}

/// The ordinals of one shard: see [`Shard::ordinals`]. It takes as many tries to find one as there
/// are shards, on average.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ordinals {
    ids: Ids,
    shard: Shard,
    next: u64,
}

impl Iterator for Ordinals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            let ordinal = self.next;
            // After 2^64 calls there are no ordinals left.
            self.next = ordinal.checked_add(1)?;
            let is_own = self.shard.of <= 1 || {
                let ids = self.ids.call(ordinal);
                self.shard.owns(ids.call_id.as_str().as_bytes())
            };
            if is_own {
                return Some(ordinal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn hash_never_changes() {
        // Nodes of different versions must agree.
        let shards = ["", "1", "a84b4c76e66710", "f81d4fae-7dec@foo.bar.com"]
            .map(|call_id| [2, 8, 1_000].map(|of| shard_of(call_id.as_bytes(), of)));
        assert_eq!(shards, [[0, 2, 291], [1, 6, 804], [0, 0, 122], [1, 7, 880]]);
    }

    #[test]
    fn shards_get_even_parts() {
        let mut parts: BTreeMap<u32, u32> = BTreeMap::new();
        for n in 0..8_000 {
            let shard = shard_of(format!("{n}@example.com").as_bytes(), 8);
            *parts.entry(shard).or_default() += 1;
        }
        assert_eq!(parts.len(), 8);
        assert!(
            parts.values().all(|n| (850..1_150).contains(n)),
            "{parts:?}"
        );
    }

    #[test]
    fn no_shards_are_one() {
        assert_eq!(shard_of(b"1", 0), 0);
        assert_eq!(Shard::new(0, 0), None);
        assert_eq!(Shard::new(3, 3), None);
        assert_eq!(Shard::new(0, 1), Some(Shard::ONLY));
    }

    #[test]
    fn ordinals_of_all_shards_are_each_ordinal_once() {
        let seed = Seed::from_bytes([3; 32]);
        for of in [1, 2, 8] {
            let mut all: Vec<u64> = Shard::all(of)
                .flat_map(|shard| shard.ordinals(seed.clone()).take_while(|n| *n < 500))
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..500).collect::<Vec<u64>>());
        }
    }
}

//! Nonces that say by themselves when they were made and by whom, and what was used of them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

use sha2::digest::Digest as _;

use super::super::hex::Hex;
use super::super::secret::Hidden;
use super::Refusal;
use crate::time::Time;

/// What a nonce says: when it was made, and its number among those of its verifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Stamp {
    pub(super) issued: Time,
    pub(super) number: u64,
}

/// Makes nonces and knows its own: time, number, and 128 bits of a keyed hash of both. So a server
/// keeps nothing for a client that it has only challenged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Mint {
    key: Hidden<[u8; 32]>,
    made: u64,
}

impl Mint {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self {
            key: Hidden(key),
            made: 0,
        }
    }

    /// A nonce that was never given before. Numbers begin at 1.
    pub(super) fn make(&mut self, now: Time) -> Hex {
        self.made = self.made.saturating_add(1);
        self.write(Stamp {
            issued: now,
            number: self.made,
        })
    }

    /// What a nonce says, if it is one of ours.
    pub(super) fn read(&self, nonce: &[u8]) -> Option<Stamp> {
        let word = |range| {
            let digits: &[u8] = nonce.get(range)?;
            u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
        };
        let stamp = Stamp {
            issued: Time::from_nanos(word(0..16)?),
            number: word(16..32)?,
        };
        (Hex::parse(nonce, 64)? == self.write(stamp)).then_some(stamp)
    }

    fn write(&self, stamp: Stamp) -> Hex {
        let (issued, number) = (stamp.issued.as_nanos(), stamp.number);
        let hash = sha2::Sha256::new()
            .chain_update(self.key.0)
            .chain_update(issued.to_be_bytes())
            .chain_update(number.to_be_bytes())
            .finalize();
        let words = [issued.to_be_bytes(), number.to_be_bytes()];
        let mut bytes = [0; 32];
        let content = words.iter().flatten().chain(&hash);
        for (place, byte) in bytes.iter_mut().zip(content) {
            *place = *byte;
        }
        Hex::new(&bytes)
    }
}

/// How often each nonce was used, for the latest nonces: nothing is remembered of one until a
/// digest made with it was right, so strangers cannot fill it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Window {
    /// In the order of their numbers.
    used: VecDeque<Used>,
    /// The highest number that was forgotten: what is at or below it and not in `used` may have
    /// been used before.
    floor: u64,
    max: usize,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Used {
    stamp: Stamp,
    nc: u32,
    /// For `-sess`: the cnonce of the first answer.
    cnonce: Option<Box<[u8]>>,
}

impl Window {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            used: VecDeque::new(),
            floor: 0,
            max,
        }
    }

    /// The cnonce of the first answer with this nonce, if a session was begun.
    pub(super) fn session(&self, stamp: Stamp) -> Option<&[u8]> {
        let index = self.find(stamp).ok()?;
        self.used.get(index)?.cnonce.as_deref()
    }

    /// Notes a use of a nonce whose digest was right.
    ///
    /// # Errors
    ///
    /// [`Refusal::Replayed`] if the count is not above the last one, [`Refusal::Stale`] if the last
    /// one was forgotten.
    pub(super) fn note(
        &mut self,
        stamp: Stamp,
        nc: u32,
        session: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        match self.find(stamp) {
            Ok(index) => match self.used.get_mut(index) {
                Some(used) if used.nc < nc => {
                    used.nc = nc;
                    Ok(())
                }
                Some(_) | None => Err(Refusal::Replayed),
            },
            Err(_) if stamp.number <= self.floor => Err(Refusal::Stale),
            Err(_) if nc == 0 => Err(Refusal::Replayed),
            Err(index) => {
                let cnonce = session.map(Into::into);
                self.used.insert(index, Used { stamp, nc, cnonce });
                if self.used.len() > self.max {
                    self.forget_first();
                }
                Ok(())
            }
        }
    }

    /// Forgets the nonces that are too old to be used.
    pub(super) fn expire(&mut self, now: Time, life: Duration) {
        let is_old = |used: &Used| now.saturating_since(used.stamp.issued) > life;
        while self.used.front().is_some_and(is_old) {
            self.forget_first();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.used.pop_front() {
            self.floor = self.floor.max(first.stamp.number);
        }
    }

    fn find(&self, stamp: Stamp) -> Result<usize, usize> {
        self.used
            .binary_search_by_key(&stamp.number, |used| used.stamp.number)
    }
}

//! Requests that were refused a moment ago, so that their copies are refused too (3261 8.2.7).

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::table::Table;
use crate::time::Time;

/// How many entries that are over are looked at for one that comes: more than one, so that the
/// memory empties, and few, so that nothing takes long.
const SWEEP: usize = 16;

/// How a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Refusal {
    /// What its Retry-After said, in seconds, if it had one.
    pub(crate) retry_after: Option<u32>,
}

/// What was refused, by a keyed hash of its transaction's key. No transaction is kept, and no timer
/// runs: a copy meets the same answer as long as it is remembered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Refusals {
    known: Table<u64, Refusal>,
    /// In the order in which they end.
    order: VecDeque<(Time, u64)>,
}

impl Refusals {
    pub(crate) fn with_key(key: [u64; 2]) -> Self {
        Self {
            known: Table::with_key(key),
            order: VecDeque::new(),
        }
    }

    /// How a request with this hash was refused.
    pub(crate) fn get(&self, now: Time, hash: u64) -> Option<Refusal> {
        if self.is_over(now) {
            return None;
        }
        self.known.get(&hash).copied()
    }

    /// Whether nothing was refused so lately that it is remembered.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.order.back().is_none_or(|(until, _)| *until <= now)
    }

    /// Remembers a refusal for so long; of more than `most` the oldest go.
    pub(crate) fn put(
        &mut self,
        now: Time,
        hash: u64,
        refusal: Refusal,
        (wait, most): (Duration, usize),
    ) {
        let Some(until) = (now + wait).filter(|_| most > 0) else {
            return;
        };
        for _ in 0..SWEEP {
            let is_over = |(until, _): &(Time, u64)| *until <= now || self.order.len() >= most;
            if !self.order.front().is_some_and(is_over) {
                break;
            }
            self.forget_first();
        }
        if self.known.insert_new(hash, refusal) {
            self.order.push_back((until, hash));
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, hash)) = self.order.pop_front() {
            self.known.remove(&hash);
        }
        // After a burst the memory is given back, as that of the table is.
        if self.order.len() < self.order.capacity() / 16 {
            self.order.shrink_to(self.order.len().saturating_mul(2));
        }
    }

    pub(crate) fn rebase(&mut self, from: Time, to: Time) {
        for (until, _) in &mut self.order {
            *until = until.rebased(from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(32);
    const REFUSAL: Refusal = Refusal {
        retry_after: Some(5),
    };

    fn refusals(hashes: impl IntoIterator<Item = u64>, most: usize) -> Refusals {
        let mut refusals = Refusals::with_key([1, 2]);
        for hash in hashes {
            refusals.put(Time::ZERO, hash, REFUSAL, (LONG, most));
        }
        refusals
    }

    #[test]
    fn copy_meets_the_same_answer_until_no_copy_comes_any_more() {
        let refusals = refusals([7], 10);
        assert_eq!(refusals.get(Time::from_secs(31), 7), Some(REFUSAL));
        assert_eq!(refusals.get(Time::from_secs(31), 8), None);
        assert_eq!(refusals.get(Time::from_secs(32), 7), None);
    }

    #[test]
    fn full_memory_forgets_the_oldest_and_stays_bounded() {
        let refusals = refusals(0..1_000, 10);
        assert_eq!((refusals.order.len(), refusals.known.len()), (10, 10));
        assert_eq!(refusals.get(Time::ZERO, 989), None);
        assert_eq!(refusals.get(Time::ZERO, 990), Some(REFUSAL));
    }

    #[test]
    fn memory_after_a_burst_is_given_back() {
        let mut refusals = refusals(0..10_000, 20_000);
        let full = refusals.order.capacity();
        let later = Time::from_secs(40);
        for hash in 20_000..21_000 {
            refusals.put(later, hash, REFUSAL, (LONG, 20_000));
        }
        assert_eq!(refusals.order.len(), 1_000);
        assert!(refusals.order.capacity() < full / 4);
    }

    #[test]
    fn limit_of_zero_remembers_nothing() {
        assert_eq!(refusals([7], 0).get(Time::ZERO, 7), None);
    }
}

//! What a node's clock reads.

use core::time::Duration;

use crate::time::Time;

/// Parts of a million: a clock that is right.
const RIGHT: u32 = 1_000_000;

/// A node's clock: how it differs from the world's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clock {
    /// The world's time when it was last set, and what it read then.
    world: Time,
    own: Time,
    /// How fast it goes, in parts per million.
    rate: u32,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            world: Time::ZERO,
            own: Time::ZERO,
            rate: RIGHT,
        }
    }
}

impl Clock {
    /// What it reads.
    pub(super) fn read(&self, now: Time) -> Time {
        let passed = scaled(now.saturating_since(self.world), self.rate, RIGHT, false);
        (self.own + passed).unwrap_or(Time::MAX)
    }

    /// When it reads this, or has read it. `None` if it never does.
    pub(super) fn when(&self, own: Time) -> Option<Time> {
        let passes = own.saturating_since(self.own);
        self.world + scaled(passes, RIGHT, self.rate.max(1), true)
    }

    /// Goes faster or slower from now on.
    pub(super) fn run(&mut self, now: Time, rate: u32) {
        self.own = self.read(now);
        self.world = now;
        self.rate = rate.max(1);
    }

    /// Is set forward or back.
    pub(super) fn jump(&mut self, now: Time, by: Duration, back: bool) {
        self.run(now, self.rate);
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.own = Time::from_nanos(match back {
            true => self.own.as_nanos().saturating_sub(nanos),
            false => self.own.as_nanos().saturating_add(nanos),
        });
    }
}

/// A duration in other units: never less than it should be if `up`, else never more.
fn scaled(duration: Duration, by: u32, of: u32, up: bool) -> Duration {
    let more = if up { of.saturating_sub(1) } else { 0 };
    let nanos = duration.as_nanos().saturating_mul(by.into());
    let nanos = nanos.saturating_add(more.into()).checked_div(of.into());
    let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok());
    Duration::from_nanos(nanos.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_is_right_reads_the_time() {
        let clock = Clock::default();
        let now = Time::from_millis(1_234);
        assert_eq!((clock.read(now), clock.when(now)), (now, Some(now)));
    }

    #[test]
    fn deadline_has_been_read_when_it_is_said_to_be_and_not_before() {
        for rate in [900_000, 999_983, 1_000_001, 1_100_000] {
            let mut clock = Clock::default();
            clock.run(Time::from_millis(777), rate);
            for nanos in [1_000_000_001, 5_000_000_000, 77_777_777_777] {
                let own = Time::from_nanos(nanos);
                let at = clock.when(own).unwrap();
                assert!(clock.read(at) >= own);
                assert!(clock.read(Time::from_nanos(at.as_nanos() - 1)) <= own);
            }
        }
    }

    #[test]
    fn clock_that_is_set_back_reads_the_same_again() {
        let mut clock = Clock::default();
        let now = Time::from_secs(100);
        clock.jump(now, Duration::from_secs(30), true);
        assert_eq!(clock.read(now), Time::from_secs(70));
        assert_eq!(clock.when(Time::from_secs(100)), Some(Time::from_secs(130)));
        clock.jump(now, Duration::from_secs(90), false);
        assert_eq!(clock.read(now), Time::from_secs(160));
    }
}

//! The timers of RFC 3261 Appendix A, as corrected by RFC 6026 and RFC 4320.

use core::time::Duration;

use crate::time::Time;

/// Whether the transport of a transaction delivers what it accepted.
///
/// Exhaustive on purpose: there is no third answer, and a user's match should not need one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reliability {
    /// UDP: the transaction retransmits, and waits for stray copies before it ends.
    Unreliable,
    /// TCP, TLS, SCTP, WebSocket: it does neither.
    Reliable,
}

/// T1, T2 and T4, from which every timer derives.
///
/// A smaller T1 is for closed private networks (3261 17.1.1.1); the back-off stays exponential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Timers {
    /// The estimate of the round-trip time: 500 ms.
    pub t1: Duration,
    /// The longest interval between retransmissions of a non-INVITE request or a final response
    /// to INVITE: 4 s.
    pub t2: Duration,
    /// How long a message may stay in the network: 5 s.
    pub t4: Duration,
    /// How long the user of an INVITE server transaction may stay silent before the transaction
    /// says 100 for it: 200 ms (3261 17.2.1). Zero says it at once.
    pub trying: Duration,
}

impl Timers {
    /// The values of RFC 3261 Appendix A.
    pub const DEFAULT: Self = Self {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
        trying: Duration::from_millis(200),
    };

    /// 64*T1: timers B, F, H, L and M on every transport, J on an unreliable one.
    pub const fn t1x64(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: at least 32 s whatever T1 is, and no less than 64*T1, so that it outlives the
    /// server's timer H; zero on a reliable transport.
    pub fn d(&self, reliability: Reliability) -> Duration {
        match reliability {
            Reliability::Unreliable => self.t1x64().max(Duration::from_secs(32)),
            Reliability::Reliable => Duration::ZERO,
        }
    }

    /// Timers I and K: T4, or zero on a reliable transport.
    pub const fn ik(&self, reliability: Reliability) -> Duration {
        match reliability {
            Reliability::Unreliable => self.t4,
            Reliability::Reliable => Duration::ZERO,
        }
    }

    /// Timer J: 64*T1, or zero on a reliable transport.
    pub const fn j(&self, reliability: Reliability) -> Duration {
        match reliability {
            Reliability::Unreliable => self.t1x64(),
            Reliability::Reliable => Duration::ZERO,
        }
    }

    /// When a client's timer E is first reset to T2: 0.5 + 1 + 2 = 3.5 s by default. Before that
    /// a non-INVITE request over an unreliable transport is not answered 100; then it must be
    /// (4320 4.1). T1 if that is half of T2 or more; without end if T1 is zero, as nothing is
    /// ever retransmitted.
    pub fn e_reaches_t2(&self) -> Duration {
        if self.t1.is_zero() {
            return Duration::MAX;
        }
        let mut sum = self.t1;
        let mut interval = self.t1.saturating_mul(2);
        while interval < self.t2 {
            sum = sum.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        sum
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A retransmission that is due, and the interval that led to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Backoff {
    pub(crate) due: Time,
    pub(crate) interval: Duration,
}

impl Backoff {
    /// The first one, `interval` after `now`. `None` past the end of time, and for an interval of
    /// zero, which would never stop.
    pub(crate) fn start(now: Time, interval: Duration) -> Option<Self> {
        if interval.is_zero() {
            return None;
        }
        Some(Self {
            due: (now + interval)?,
            interval,
        })
    }

    /// The next one after `interval`: counted from when this one was due, so that a late wake
    /// does not shift the schedule; from `now` if that has passed too, so that it does not burst
    /// (law L5).
    pub(crate) fn again(self, now: Time, interval: Duration) -> Option<Self> {
        match self.due + interval {
            Some(due) if due > now && !interval.is_zero() => Some(Self { due, interval }),
            Some(_) | None => Self::start(now, interval),
        }
    }

    /// Twice the last interval, at most `cap`.
    pub(crate) fn doubled(self, now: Time, cap: Duration) -> Option<Self> {
        self.again(now, self.interval.saturating_mul(2).min(cap))
    }

    pub(crate) fn rebase(&mut self, from: Time, to: Time) {
        self.due = self.due.rebased(from, to);
    }
}

/// Shifts an optional deadline.
pub(crate) fn rebase(at: &mut Option<Time>, from: Time, to: Time) {
    if let Some(at) = at {
        *at = at.rebased(from, to);
    }
}

/// The timers of a state that run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running<T> {
    pub(super) ends: Option<(Time, T)>,
    pub(super) repeats: Option<(Time, T)>,
}

impl<T: Copy> Running<T> {
    pub(crate) const NONE: Self = Self {
        ends: None,
        repeats: None,
    };

    /// A timer that leaves the state, or is the only one in it.
    pub(crate) fn ends(at: Option<Time>, timer: T) -> Self {
        Self {
            ends: at.map(|at| (at, timer)),
            repeats: None,
        }
    }

    /// And one that repeats a message in it.
    pub(crate) fn repeats(self, backoff: Option<Backoff>, timer: T) -> Self {
        Self {
            ends: self.ends,
            repeats: backoff.map(|backoff| (backoff.due, timer)),
        }
    }

    /// The one that is due first; at a tie the one that ends (law L4).
    pub(crate) fn next(self) -> Option<(Time, T)> {
        match (self.ends, self.repeats) {
            (Some(ends), Some(repeats)) if repeats.0 < ends.0 => Some(repeats),
            (Some(ends), _) => Some(ends),
            (None, repeats) => repeats,
        }
    }

    /// The one to fire at `now`. The one that ends comes first even if the other was due before
    /// it: after a long sleep a last copy would ask the peer for what nobody waits for any more.
    pub(crate) fn due(self, now: Time) -> Option<T> {
        [self.ends, self.repeats]
            .into_iter()
            .flatten()
            .find_map(|(at, timer)| (at <= now).then_some(timer))
    }
}

#[cfg(test)]
mod tests;

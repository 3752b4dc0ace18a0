//! Where time and entropy come from.

use std::io;
use std::time::{Duration, Instant};

use crate::seed::Seed;
use crate::time::Time;

/// A clock that never goes back, whose origin is time zero of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: instant() }
    }

    pub(super) fn now(self) -> Time {
        let elapsed = instant().saturating_duration_since(self.origin);
        Time::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The instant of a time, unless it is beyond the end of time.
    #[cfg(feature = "tokio")]
    pub(super) fn instant(self, at: Time) -> Option<Instant> {
        self.origin.checked_add(Duration::from_nanos(at.as_nanos()))
    }

    /// How long it is until then.
    #[cfg(feature = "mio")]
    pub(super) fn until(self, at: Time) -> Duration {
        let nanos = at.as_nanos().saturating_sub(self.now().as_nanos());
        Duration::from_nanos(nanos)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a driver is where time comes from"
)]
fn instant() -> Instant {
    Instant::now()
}

/// A seed that nobody else has.
pub(super) fn seed() -> io::Result<Seed> {
    let mut entropy = [0; 32];
    #[allow(
        clippy::disallowed_methods,
        reason = "a driver is where entropy comes from"
    )]
    getrandom::fill(&mut entropy).map_err(io::Error::other)?;
    Ok(Seed::from_bytes(entropy))
}

//! Points in time, as the caller counts them.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// Nanoseconds from an origin that the caller chose.
///
/// A `Time` has no `now()`: it is always an argument. An origin at the start of the process gives
/// 584 years of range. Only differences mean anything, so two endpoints need not share an origin.
///
/// ```
/// use core::time::Duration;
/// use drongo::time::Time;
///
/// let now = Time::from_nanos(1_000);
/// assert_eq!(now + Duration::from_nanos(500), Some(Time::from_nanos(1_500)));
/// // Past the end of time there is no deadline, rather than a wrong one.
/// assert_eq!(Time::MAX + Duration::from_nanos(1), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The caller's origin.
    pub const ZERO: Self = Self(0);
    /// The end of time.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The point `millis` milliseconds after the origin; past the end of time, the end of time.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The point `secs` seconds after the origin; past the end of time, the end of time.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This point carried from a clock that read `from` to one that reads `to` at the same
    /// instant. Clamped to the range of `Time`.
    pub const fn rebased(self, from: Self, to: Self) -> Self {
        if to.0 >= from.0 {
            Self(self.0.saturating_add(to.0.saturating_sub(from.0)))
        } else {
            Self(self.0.saturating_sub(from.0.saturating_sub(to.0)))
        }
    }
}

impl Add<Duration> for Time {
    type Output = Option<Self>;

    /// `None` past the end of time: what would be due then is never due.
    fn add(self, rhs: Duration) -> Option<Self> {
        let nanos = u64::try_from(rhs.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }
}

/// Seconds with microseconds, as a log prints it.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = Duration::from_nanos(self.0);
        write!(f, "{}.{:06}s", d.as_secs(), d.subsec_micros())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

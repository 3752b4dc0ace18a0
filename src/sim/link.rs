//! What the network does to a datagram.

use core::time::Duration;

use crate::seed::Stream;

/// What the network does to a datagram between two nodes.
///
/// Chances are in thousandths: 0 never, 1000 always.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Link {
    /// The least time a datagram takes.
    pub delay: Duration,
    /// How much longer it may take. Datagrams overtake each other if this is more than the time
    /// between them.
    pub jitter: Duration,
    /// The chance that it is lost.
    pub loss: u16,
    /// The chance that it arrives twice.
    pub duplication: u16,
    /// The most bytes that it carries in one datagram; longer ones are lost.
    pub mtu: Option<usize>,
    /// Whether the sender's own stack refuses it: its endpoint is told that sending failed.
    pub refused: bool,
}

impl Default for Link {
    /// 10 ms, and nothing is lost.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0,
            duplication: 0,
            mtu: None,
            refused: false,
        }
    }
}

impl Link {
    /// A link on which nothing arrives.
    pub fn cut() -> Self {
        Self {
            loss: 1000,
            ..Self::default()
        }
    }

    /// The same with another delay.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same with another jitter.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// The same with another chance of loss, in thousandths.
    #[must_use]
    pub fn loss(mut self, thousandths: u16) -> Self {
        self.loss = thousandths;
        self
    }

    /// The same with another chance of duplication, in thousandths.
    #[must_use]
    pub fn duplication(mut self, thousandths: u16) -> Self {
        self.duplication = thousandths;
        self
    }

    /// The same with another limit to the length of a datagram.
    #[must_use]
    pub fn mtu(mut self, bytes: Option<usize>) -> Self {
        self.mtu = bytes;
        self
    }

    pub(super) fn is_too_small_for(&self, bytes: &[u8]) -> bool {
        self.mtu.is_some_and(|mtu| bytes.len() > mtu)
    }

    /// The same, refusing everything.
    #[must_use]
    pub fn refusing(mut self) -> Self {
        self.refused = true;
        self
    }

    /// After how long each copy of one datagram arrives. It draws the same number of values
    /// whatever the outcome, so that one loss more does not change what follows.
    pub(super) fn carry(&self, stream: &mut Stream) -> [Option<Duration>; 2] {
        let mut copy = |chance: u16| {
            let happens = chance_of(stream, chance);
            let late = jitter(stream, self.jitter);
            (happens, self.delay.saturating_add(late))
        };
        let (lost, first) = copy(self.loss);
        let (twice, second) = copy(self.duplication);
        match lost {
            true => [None, None],
            false => [Some(first), twice.then_some(second)],
        }
    }
}

fn chance_of(stream: &mut Stream, thousandths: u16) -> bool {
    stream.next_u64() % 1000 < u64::from(thousandths)
}

fn jitter(stream: &mut Stream, max: Duration) -> Duration {
    let drawn = stream.next_u64();
    let nanos = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
    match nanos.checked_add(1) {
        Some(range) => Duration::from_nanos(drawn.checked_rem(range).unwrap_or(0)),
        None => Duration::from_nanos(drawn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Domain, Seed};

    fn stream() -> Stream {
        Seed::from_bytes([9; 32]).stream(Domain::Simulation, 0)
    }

    #[test]
    fn chances_are_in_thousandths() {
        let carried = |link: Link| {
            let mut stream = stream();
            let copies = (0..10_000).flat_map(|_| link.carry(&mut stream));
            copies.flatten().count()
        };
        assert_eq!(carried(Link::default()), 10_000);
        assert_eq!(carried(Link::cut()), 0);
        assert_eq!(carried(Link::default().duplication(1000)), 20_000);
        assert!((7_800..8_200).contains(&carried(Link::default().loss(200))));
        assert!((12_800..13_200).contains(&carried(Link::default().duplication(300))));
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        let (least, most) = (Duration::from_millis(5), Duration::from_millis(7));
        let link = Link::default()
            .delay(least)
            .jitter(Duration::from_millis(2));
        let mut stream = stream();
        let delays: Vec<Duration> = (0..1000)
            .filter_map(|_| link.carry(&mut stream)[0])
            .collect();
        assert!(delays.iter().all(|delay| (least..=most).contains(delay)));
        assert!(delays.iter().any(|delay| *delay > least) && !delays.is_sorted());
    }

    #[test]
    fn a_loss_changes_nothing_of_what_follows() {
        let (mut one, mut other) = (stream(), stream());
        Link::cut().carry(&mut one);
        Link::default().duplication(1000).carry(&mut other);
        assert_eq!(one.next_u64(), other.next_u64());
    }
}

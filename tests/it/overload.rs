//! One core that is offered twice what it carries, in virtual time: each message costs what the
//! model says, and waits until those before it are done. `benches/overload.rs` does the same with
//! what messages really cost.

pub(crate) mod callers;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use drongo::endpoint::{Config, Counters};
use drongo::time::Time;

use callers::{Callee, Core, Phase, SECOND, T1, Tally, offer};

/// Nanoseconds that the core of the model takes.
#[derive(Clone, Copy, Debug)]
struct Prices {
    /// For an INVITE that is answered.
    answer: u64,
    /// For any other message that is served.
    serve: u64,
    /// To refuse an INVITE, and to absorb the ACK of that.
    refuse: u64,
    /// To drop one.
    drop: u64,
    /// To send what is due again.
    repeat: u64,
}

impl Prices {
    /// What a call costs: an INVITE, an ACK and a BYE.
    const fn call(&self) -> u64 {
        self.answer + 2 * self.serve
    }

    /// Calls a second that fill the core.
    const fn capacity(&self) -> u64 {
        SECOND / self.call()
    }
}

/// A call costs 2 ms, and a refusal a tenth of that with its ACK.
const PRICES: Prices = Prices {
    answer: 1_000_000,
    serve: 500_000,
    refuse: 100_000,
    drop: 20_000,
    repeat: 100_000,
};
const CAPACITY: u64 = PRICES.capacity();

/// A core for which messages cost so much.
struct Model {
    callee: Callee,
    prices: Prices,
    /// When it does something else.
    stands_still: Option<Range<u64>>,
}

impl Model {
    fn new(prices: Prices, change: impl FnOnce(&mut Config)) -> Self {
        let callee = Callee::new(change);
        Self {
            callee,
            prices,
            stands_still: None,
        }
    }

    fn counters(&self) -> &Counters {
        self.callee.endpoint.counters()
    }
}

impl Core for Model {
    fn callee(&self) -> &Callee {
        &self.callee
    }

    fn receive(&mut self, now: u64, arrived: u64, bytes: Bytes, sent: &mut Vec<Bytes>) -> u64 {
        let (before, answered) = (*self.counters(), self.callee.answered);
        self.callee.receive(now, arrived, bytes, sent);
        if let Some(still) = self.stands_still.take_if(|still| still.contains(&now)) {
            return still.end - now;
        }
        let after = self.counters();
        let refused = |counters: &Counters| {
            counters.turned_away + counters.refusals_repeated + counters.refusals_acknowledged
        };
        if self.callee.answered > answered {
            self.prices.answer
        } else if after.shed > before.shed {
            self.prices.drop
        } else if refused(after) > refused(&before) {
            self.prices.refuse
        } else {
            self.prices.serve
        }
    }

    fn on_deadline(&mut self, now: u64, sent: &mut Vec<Bytes>) -> u64 {
        self.callee.on_deadline(now, sent);
        self.prices.repeat * sent.len() as u64
    }
}

fn phases(of: &[(u64, u64)]) -> Vec<Phase> {
    let phase = |&(rate, seconds): &(u64, u64)| Phase { rate, seconds };
    of.iter().map(phase).collect()
}

/// Offers so many calls a second, for so many seconds, in one phase after the other.
fn run(of: &[(u64, u64)], rate: Option<u64>) -> (Vec<Tally>, Model) {
    let mut model = Model::new(PRICES, |config| {
        config.limits.request_rate = rate.map(|rate| u32::try_from(rate).unwrap());
    });
    (offer(&mut model, &phases(of)), model)
}

fn check_conservation(counters: &Counters) {
    let split = counters.admitted + counters.turned_away + counters.shed;
    assert_eq!(counters.offered, split);
}

#[test]
fn core_that_is_offered_twice_its_rate_completes_its_rate_and_recovers_at_once() {
    // A rate of four fifths of what the core carries leaves enough for refusals.
    let rate = CAPACITY * 4 / 5;
    let phases = [(rate / 2, 2), (2 * rate, 10), (rate * 9 / 10, 5)];
    let (tallies, core) = run(&phases, Some(rate));
    let [before, during, after] = tallies[..] else {
        panic!()
    };
    assert_eq!((before.completed, before.refused), (before.offered, 0));
    assert!(during.completed >= 10 * rate * 9 / 10, "{during:?}");
    assert_eq!(during.silent, 0, "each that is refused hears it");
    assert_eq!(during.completed + during.refused, during.offered);
    assert_eq!((after.completed, after.refused), (after.offered, 0));
    assert_eq!(core.counters().overloads, 1);
    check_conservation(core.counters());
}

#[test]
fn core_that_is_offered_twice_what_it_carries_does_not_collapse() {
    // No rate is set: the age of the queue alone decides.
    let phases = [(CAPACITY / 2, 2), (2 * CAPACITY, 10), (CAPACITY / 2, 5)];
    let (tallies, core) = run(&phases, None);
    let [before, during, after] = tallies[..] else {
        panic!()
    };
    assert_eq!((before.completed, before.refused), (before.offered, 0));
    // What is left when each of the others is refused and acknowledges it: 89 % of the capacity.
    let left =
        10 * (SECOND - 4 * CAPACITY * PRICES.refuse) / (SECOND / CAPACITY - 2 * PRICES.refuse);
    assert!(during.completed >= left * 9 / 10, "{during:?} of {left}");
    assert_eq!(during.silent, 0, "{during:?}");
    // Those that came while the queue of the overload was still there may have been refused.
    assert!(after.completed >= after.offered * 98 / 100, "{after:?}");
    check_conservation(core.counters());
}

#[test]
fn core_that_cannot_even_refuse_all_still_completes_calls() {
    // Refusing alone would take more than the core has.
    let phases = [
        (SECOND / PRICES.refuse * 3 / 4, 4),
        (1, 40),
        (CAPACITY / 2, 2),
    ];
    let (tallies, core) = run(&phases, None);
    let [during, _, after] = tallies[..] else {
        panic!()
    };
    assert!(core.counters().shed > 0);
    assert!(during.completed >= 4 * CAPACITY / 10, "{during:?}");
    // The copies of what was offered go on for 32 s.
    assert_eq!(after.completed, after.offered);
    check_conservation(core.counters());
}

#[test]
fn memory_of_an_overload_is_bounded_and_given_back() {
    let rate = CAPACITY / 10;
    let (_, mut core) = run(&[(4 * CAPACITY, 5)], Some(rate));
    // Those that were taken linger; nothing else is held.
    let lingering = 64 * T1 / SECOND * rate * 2;
    assert!(core.callee.endpoint.transactions() as u64 <= lingering + 100);
    while let Some(due) = core.callee.endpoint.deadline() {
        core.callee.endpoint.on_deadline(due, &mut VecDeque::new());
    }
    assert!(core.callee.endpoint.is_idle());
    let capacity = core.callee.endpoint.capacity(Time::from_secs(100));
    assert_eq!((capacity.load, capacity.delay), (0, None::<Duration>));
}

/// As long as there is time to refuse all, nobody meets silence: who does comes again, and his
/// copies are there when the load has fallen.
#[test]
fn core_that_can_refuse_all_drops_none_and_recovers_at_once() {
    // Refusing all of it takes from 22 to 91 % of the core.
    for (refuse, times) in [
        (75_000, 2),
        (200_000, 2),
        (300_000, 2),
        (75_000, 6),
        (150_000, 4),
    ] {
        let prices = Prices {
            answer: 650_000,
            serve: 350_000,
            refuse,
            drop: 50_000,
            repeat: 100_000,
        };
        let capacity = prices.capacity();
        let mut core = Model::new(prices, |_| ());
        let phases = phases(&[(capacity / 2, 1), (times * capacity, 3), (capacity / 2, 2)]);
        let tallies = offer(&mut core, &phases);
        let [before, during, after] = tallies[..] else {
            panic!()
        };
        assert_eq!((before.completed, before.refused), (before.offered, 0));
        assert_eq!(core.counters().shed, 0, "{refuse} {times}: {during:?}");
        assert_eq!(during.completed + during.refused, during.offered);
        // No ACK waits for T1, so no 200 is sent twice.
        assert!(during.longest_wait < Duration::from_nanos(T1), "{during:?}");
        // What is left when the others are refused.
        let left = SECOND.saturating_sub(2 * refuse * times * capacity);
        let left = 3 * left / (prices.call() - 2 * refuse);
        assert!(during.completed >= left * 95 / 100, "{during:?} of {left}");
        // What came behind the queue that was left, and no more.
        assert!(
            after.troubled_until < Duration::from_millis(100),
            "{after:?}"
        );
        check_conservation(core.counters());
    }
}

/// A queue that gathered while the core stood still is worked off: nobody is refused for it.
#[test]
fn core_that_stood_still_for_less_than_t1_refuses_nobody() {
    let mut core = Model::new(PRICES, |_| ());
    core.stands_still = Some(2 * SECOND..2 * SECOND + T1 * 9 / 10);
    let tallies = offer(&mut core, &phases(&[(CAPACITY * 2 / 3, 5)]));
    assert_eq!(tallies[0].completed, tallies[0].offered);
    assert_eq!(core.counters().overloads, 0);
    assert!(tallies[0].longest_wait > Duration::from_nanos(T1 * 8 / 10));
}

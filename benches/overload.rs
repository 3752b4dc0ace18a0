//! What overload costs, and what is left of a core that is offered twice what it carries.
//!
//! First the price of each: of a call that is taken (INVITE, 180, 200, ACK, BYE, 200, all on the
//! side of the callee), of one that is refused (INVITE, 503, ACK), and of an INVITE that is dropped.
//! Then callers in memory (`tests/it/overload/callers.rs`) are offered to one endpoint: each message
//! takes as much of the virtual clock as the endpoint really takes of a core's time for it, on this
//! machine. (On Linux that is the time of the thread: on a machine with other things to do, those
//! would count as the endpoint's. What reading that clock takes is left out.) So the queue grows as
//! it would, and what is measured is the whole of the endpoint without sockets.
//!
//! Three phases of 3 s each: at half of what the core carries, at twice of it, and at half again, in
//! one endpoint without a pause; with the bounds of the queue alone, and with a rate. With
//! `--series`, what was done in each tenth of a second is printed too.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a bench: it reads the clock and may panic"
)]

#[path = "../tests/it/overload/callers.rs"]
mod callers;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use callers::{Callee, Core, Phase, SECOND, T1, Tally, invite, offer};
use drongo::endpoint::Config;

/// What this thread has had of a core so far.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock.now().unwrap().into()
}

#[cfg(not(target_os = "linux"))]
fn cpu_time() -> Duration {
    use std::sync::LazyLock;
    static BEGIN: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    BEGIN.elapsed()
}

/// The same, when the way to the clock is not in the caches of the core: how long that takes is not
/// in what is measured from here on.
fn cpu_time_from_now() -> Duration {
    std::hint::black_box(cpu_time());
    cpu_time()
}

/// What it takes to look at that clock: as much is in each time that is measured by it.
fn price_of_clock() -> u64 {
    const TIMES: u32 = 100_000;
    let begin = cpu_time();
    let mut last = begin;
    for _ in 0..TIMES {
        last = std::hint::black_box(cpu_time());
    }
    ((last - begin) / TIMES).as_nanos() as u64
}

/// What was done in a tenth of a second.
#[derive(Default)]
struct Row {
    messages: u64,
    admitted: u64,
    refused: u64,
    shed: u64,
    busy: u64,
    longest_wait: u64,
    longest_step: u64,
}

/// This core.
struct Measured {
    callee: Callee,
    clock: u64,
    series: BTreeMap<u64, Row>,
}

impl Measured {
    fn new(clock: u64, change: impl FnOnce(&mut Config)) -> Self {
        Self {
            callee: Callee::new(change),
            clock,
            series: BTreeMap::new(),
        }
    }

    fn took(&self, begin: Duration) -> u64 {
        let took = (cpu_time() - begin).as_nanos() as u64;
        took.saturating_sub(self.clock).max(1)
    }
}

impl Core for Measured {
    fn callee(&self) -> &Callee {
        &self.callee
    }

    fn receive(&mut self, now: u64, arrived: u64, bytes: Bytes, sent: &mut Vec<Bytes>) -> u64 {
        let before = *self.callee.endpoint.counters();
        let begin = cpu_time_from_now();
        self.callee.receive(now, arrived, bytes, sent);
        let took = self.took(begin);
        let after = self.callee.endpoint.counters();
        let row = self.series.entry(now / (SECOND / 10)).or_default();
        row.messages += 1;
        row.admitted += after.admitted - before.admitted;
        row.refused += after.turned_away - before.turned_away;
        row.refused += after.refusals_repeated - before.refusals_repeated;
        row.shed += after.shed - before.shed;
        row.busy += took;
        row.longest_wait = row.longest_wait.max(now - arrived);
        row.longest_step = row.longest_step.max(took);
        took
    }

    fn on_deadline(&mut self, now: u64, sent: &mut Vec<Bytes>) -> u64 {
        let begin = cpu_time_from_now();
        self.callee.on_deadline(now, sent);
        self.took(begin)
    }
}

/// Nanoseconds of one of so many calls, one after the other.
fn price(clock: u64, calls: u64, change: impl FnOnce(&mut Config)) -> u64 {
    let phase = Phase {
        rate: 1_000,
        seconds: calls / 1_000,
    };
    let tallies = offer(&mut Measured::new(clock, change), &[phase]);
    tallies[0].spent / tallies[0].offered
}

/// Nanoseconds of one of so many INVITEs that have waited too long for an answer.
fn price_to_drop(clock: u64, calls: u64) -> u64 {
    let mut core = Measured::new(clock, |_| ());
    let (mut spent, mut sent) = (0, Vec::new());
    for call in 0..calls {
        let arrived = SECOND + call * 1_000;
        spent += core.receive(arrived + 2 * T1 + 1, arrived, invite(call), &mut sent);
    }
    assert_eq!(core.callee.endpoint.counters().shed, calls);
    spent / calls
}

fn report(name: &str, capacity: u64, limit: u64, tallies: &[Tally], core: &Measured) {
    const SECONDS: u64 = 3;
    println!("{name}");
    for (phase, tally) in tallies.iter().enumerate() {
        println!(
            "  phase {phase}: offered {:>7}/s, completed {:>7}/s ({:>3} % of the limit, {:>3} % of the \
             core, {:>3} % of the offered), refused {:>7}/s, silent {:>5}, trouble until {:?}; longest \
             wait {:?}, longest step {:?}, {} ns a message",
            tally.offered / SECONDS,
            tally.completed / SECONDS,
            tally.completed * 100 / (limit * SECONDS),
            tally.completed * 100 / (capacity * SECONDS),
            tally.completed * 100 / tally.offered,
            tally.refused / SECONDS,
            tally.silent,
            tally.troubled_until,
            tally.longest_wait,
            tally.longest_step,
            tally.spent / tally.messages.max(1),
        );
    }
    if std::env::args().any(|arg| arg == "--series") {
        println!("  0.1 s: messages, admitted, refused, shed; busy ms, longest wait ms, step us");
        for (at, row) in &core.series {
            println!(
                "  {at:>5}: {:>6} {:>6} {:>6} {:>6}; {:>4} {:>4} {:>6}",
                row.messages,
                row.admitted,
                row.refused,
                row.shed,
                row.busy / 1_000_000,
                row.longest_wait / 1_000_000,
                row.longest_step / 1_000,
            );
        }
    }
}

fn main() {
    const CALLS: u64 = 50_000;
    let clock = price_of_clock();
    let taken = price(clock, CALLS, |_| ());
    let none = |config: &mut Config| config.limits.request_rate = Some(0);
    let refused = price(clock, CALLS, none);
    let dropped = price_to_drop(clock, CALLS);
    println!(
        "a call that is taken: {taken} ns; refused: {refused} ns; dropped: {dropped} ns; and \
         {clock} ns to look at the clock, which is left out"
    );
    let capacity = SECOND / taken;
    let left = SECOND.saturating_sub(2 * capacity * refused) / (taken - refused);
    println!(
        "a core carries {capacity} calls a second, by its price; {left} of twice as many, if the \
         others are refused"
    );
    let run = |name: &str, limit: u64, rates: [u64; 3], rate: Option<u64>| {
        let mut core = Measured::new(clock, |config| {
            config.limits.request_rate = rate.map(|rate| u32::try_from(rate).unwrap());
        });
        let phases = rates.map(|rate| Phase { rate, seconds: 3 });
        let tallies = offer(&mut core, &phases);
        report(name, capacity, limit, &tallies, &core);
    };
    let half = capacity / 2;
    let rates = [half, capacity * 2, half];
    run("bounded by the queue alone", capacity, rates, None);
    let rates = [half / 2, capacity, half / 2];
    let name = "with a rate of half, twice of which is offered";
    run(name, half, rates, Some(half));
    let rates = [half / 2, capacity * 2, half / 2];
    let name = "with a rate of half, four times of which is offered";
    run(name, half, rates, Some(half));
}

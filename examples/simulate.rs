//! Plays swarms of simulated calls and says what went wrong.
//!
//! ```text
//! cargo run --release --features sim,trace --example simulate -- --seeds 20000
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it says how long it took; the worlds themselves have no clock"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, fs, io, thread};

use drongo::sim::swarm::{self, Options, Outcome, Scenario};

#[path = "common/heap.rs"]
mod heap;

#[global_allocator]
static ALLOCATOR: heap::Counted = heap::Counted;

const HELP: &str = "\
Plays worlds of simulated calls, one for each seed, and checks what must hold in all of them, the
memory that an endpoint at rest still holds included.

usage: simulate [options]

  --seeds N         how many worlds (1000)
  --seed S          the first seed (0)
  --loss P          the chance that a datagram is lost, up to 1 (0.4); what a world has is drawn
  --nodes N         at most so many nodes in a world (4)
  --calls N         at most so many calls in a world (6)
  --threads N       threads (as many as there are processors)
  --ladder          print the ladder of each world
  --pcapng FILE     write the capture of the last world
  --help            this text

The last line is a summary. The exit status is 1 if anything went wrong; then the seed, a command
that plays it again, and the ladder of the least world that still goes wrong are printed.
";

#[derive(Clone)]
struct Wanted {
    seeds: u64,
    seed: u64,
    threads: usize,
    ladder: bool,
    pcapng: Option<String>,
    options: Options,
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Some(wanted)) => match run(&wanted) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => fail(&error, 1),
        },
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format_args!("{error}\n{HELP}"), 2),
    }
}

fn fail(error: &dyn fmt::Display, code: u8) -> ExitCode {
    eprintln!("simulate: {error}");
    ExitCode::from(code)
}

fn arguments() -> Result<Option<Wanted>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let mut wanted = Wanted {
        seeds: 1_000,
        seed: 0,
        threads: thread::available_parallelism().map_or(1, usize::from),
        ladder: false,
        pcapng: None,
        options: Options::default(),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("seeds") => wanted.seeds = parser.value()?.parse()?,
            Long("seed") => wanted.seed = parser.value()?.parse()?,
            Long("threads") => wanted.threads = parser.value()?.parse::<usize>()?.max(1),
            Long("nodes") => wanted.options.nodes = parser.value()?.parse()?,
            Long("calls") => wanted.options.calls = parser.value()?.parse()?,
            Long("ladder") => wanted.ladder = true,
            Long("pcapng") => wanted.pcapng = Some(parser.value()?.string()?),
            Long("loss") => {
                wanted.options.loss = parser.value()?.parse_with(|text| {
                    let chance: f64 = text.parse().map_err(|_| "not a number")?;
                    match (0.0..=1.0).contains(&chance) {
                        true => Ok((chance * 1_000.0) as u16),
                        false => Err("not from 0 to 1"),
                    }
                })?;
            }
            Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
        }
    }
    Ok(Some(wanted))
}

/// What all worlds came to.
#[derive(Default)]
struct Totals {
    worlds: AtomicU64,
    calls: AtomicU64,
    answered: AtomicU64,
    events: AtomicU64,
    wrong: AtomicU64,
    /// The sum of all digests, in whatever order they came.
    digest: AtomicU64,
}

fn run(wanted: &Wanted) -> io::Result<bool> {
    let totals = Totals::default();
    let failed = Mutex::new(Vec::new());
    let next = AtomicU64::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..wanted.threads {
            scope.spawn(|| work(wanted, &next, &totals, &failed));
        }
        progress(wanted, &totals, began);
    });
    let mut failed = failed.into_inner().unwrap_or_default();
    failed.sort_unstable();
    for seed in failed.iter().take(3) {
        report(*seed, wanted);
    }
    if let Some(path) = &wanted.pcapng {
        let last = wanted.seed.wrapping_add(wanted.seeds.saturating_sub(1));
        let outcome = swarm::run(&Scenario::draw(last, &wanted.options));
        fs::write(path, outcome.trace.pcapng(Duration::ZERO))?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let total = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{{\"worlds\":{},\"calls\":{},\"answered\":{},\"events\":{},\"violations\":{},\
         \"digest\":\"{:016x}\",\
         \"seconds\":{elapsed:.1},\"events_per_second\":{:.0}}}",
        total(&totals.worlds),
        total(&totals.calls),
        total(&totals.answered),
        total(&totals.events),
        total(&totals.wrong),
        total(&totals.digest),
        total(&totals.events) as f64 / elapsed.max(0.001),
    );
    Ok(total(&totals.wrong) == 0)
}

fn work(wanted: &Wanted, next: &AtomicU64, totals: &Totals, failed: &Mutex<Vec<u64>>) {
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= wanted.seeds {
            return;
        }
        let seed = wanted.seed.wrapping_add(at);
        let scenario = Scenario::draw(seed, &wanted.options);
        let outcome = swarm::run_measured(&scenario, heap::held);
        let add = |number: &AtomicU64, more: u64| number.fetch_add(more, Ordering::Relaxed);
        add(&totals.worlds, 1);
        add(&totals.calls, scenario.calls.len() as u64);
        add(&totals.answered, outcome.answered as u64);
        add(&totals.events, outcome.events);
        add(&totals.digest, outcome.digest());
        if wanted.ladder {
            println!("seed {seed}\n{}", outcome.trace.ladder());
        }
        if !outcome.violations.is_empty() {
            add(&totals.wrong, 1);
            if let Ok(mut failed) = failed.lock() {
                failed.push(seed);
            }
        }
    }
}

/// One line on stderr now and then.
fn progress(wanted: &Wanted, totals: &Totals, began: Instant) {
    let mut said = Duration::ZERO;
    loop {
        let worlds = totals.worlds.load(Ordering::Relaxed);
        if worlds >= wanted.seeds {
            return;
        }
        let elapsed = began.elapsed();
        if elapsed.saturating_sub(said) >= Duration::from_secs(10) {
            said = elapsed;
            let wrong = totals.wrong.load(Ordering::Relaxed);
            eprintln!("{worlds} of {} worlds, {wrong} wrong", wanted.seeds);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The seed, how to play it again, and the least that goes wrong.
fn report(seed: u64, wanted: &Wanted) {
    let scenario = Scenario::draw(seed, &wanted.options);
    let least = swarm::shrink(&scenario);
    let Outcome {
        violations, trace, ..
    } = swarm::run_measured(&least, heap::held);
    println!("seed {seed}:");
    for violation in violations {
        println!("  {violation}");
    }
    let Options {
        nodes, calls, loss, ..
    } = wanted.options;
    println!(
        "again: cargo run --release --features sim,trace --example simulate -- --seeds 1 \
         --seed {seed} --nodes {nodes} --calls {calls} --loss {}",
        f64::from(loss) / 1_000.0
    );
    println!("the least that goes wrong: {least:#?}\n{}", trace.ladder());
}

//! What each side of a call takes, in instructions: those of a thousand calls of each kind of
//! `cargo bench --bench call`. The timers do not run, so that all linger.
//!
//! `cargo bench --manifest-path benches/instructions/Cargo.toml --bench calls`
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    dead_code,
    reason = "a benchmark: no input from a network, no users"
)]

use gungraun::{
    Callgrind, EntryPoint, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use pair::Pair;

#[path = "../../call/counted.rs"]
mod counted;
#[path = "../../call/pair.rs"]
mod pair;

const CALLS: usize = 1_000;

/// Counts what happens in the frame of one side.
fn frame(side: &str) -> LibraryBenchmarkConfig {
    let frame = EntryPoint::Custom(format!("*::pair::{side}"));
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().entry_point(frame));
    config
}

#[library_benchmark(config = frame("caller"))]
#[bench::call(Pair::new())]
#[bench::digest(Pair::with_digest())]
#[bench::prack(Pair::with_prack())]
fn callers(mut pair: Pair) -> Pair {
    (0..CALLS).for_each(|_| pair.call());
    pair
}

#[library_benchmark(config = frame("callee"))]
#[bench::call(Pair::new())]
#[bench::digest(Pair::with_digest())]
#[bench::prack(Pair::with_prack())]
fn callees(mut pair: Pair) -> Pair {
    (0..CALLS).for_each(|_| pair.call());
    pair
}

library_benchmark_group!(name = all; benchmarks = callers, callees);

main!(library_benchmark_groups = all);

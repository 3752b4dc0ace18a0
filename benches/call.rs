//! A complete call between two endpoints in memory: INVITE with SDP, 100, 180, 200, ACK, BYE, 200;
//! bytes parsed and written on both sides, no sockets. The yardstick is `httparse::parse_headers`
//! over the header blocks of the messages in `vectors/corpus`, in the same run.
//!
//! Beside it, the same call with its INVITE challenged (401, digest with SHA-256), the same call
//! with a reliable 180 and its PRACK and 200, what a call allocates, and what it weighs over 100,000
//! calls. The last line is the ratio of the call to the yardstick.
//!
//! With numbers as its arguments the bench runs so many calls, and then so many digest calls and so
//! many PRACK calls, and nothing else. A profiler then gives the instructions of a call; what each side does stands in a
//! frame of its own, `caller` and `callee`, whose inclusive counts are those of the two sides:
//!
//! ```text
//! cargo bench --bench call --no-run
//! valgrind --tool=callgrind --callgrind-out-file=calls.out target/release/deps/call-… 1000
//! callgrind_annotate --inclusive=yes --threshold=100 calls.out | grep -E 'pair::(caller|callee) '
//! ```
//!
//! (`callgrind_annotate` gives a function one line for each source file that was inlined into it:
//! the largest is the one that counts.) Timers do not run there, so that all calls linger.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a bench: it reads the clock and may panic"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use counted::Counted;
use drongo::time::Time;
use pair::Pair;

#[path = "call/counted.rs"]
mod counted;
#[path = "call/pair.rs"]
#[expect(dead_code, reason = "made for the bench beside many calls, too")]
mod pair;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn header_blocks() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/corpus");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    let files = names
        .iter()
        .filter(|name| name.extension().is_some_and(|e| e == "sip"));
    files
        .map(|name| {
            let bytes = std::fs::read(name).unwrap();
            let start = bytes.windows(2).position(|w| w == b"\r\n").unwrap() + 2;
            bytes[start..].to_vec()
        })
        .collect()
}

fn yardstick(blocks: &[Vec<u8>]) -> Duration {
    let start = Instant::now();
    for _ in 0..200 {
        for block in blocks {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let _ = black_box(httparse::parse_headers(black_box(block), &mut headers).unwrap());
        }
    }
    start.elapsed() / 200
}

/// The time of a call, both sides together: 200 of them, then the timers run, uncounted.
fn calls(pair: &mut Pair) -> Duration {
    let start = Instant::now();
    for _ in 0..200 {
        pair.call();
    }
    let elapsed = start.elapsed() / 200;
    pair.rest();
    elapsed
}

fn memory() {
    const CALLS: i64 = 100_000;
    // So many linger at once.
    const BATCH: i64 = 10_000;
    let mut pair = Pair::new();
    pair.call();
    pair.rest();
    let (ended, at_rest) = (pair.ended, pair.heap());
    // Both endpoints are in this process: a side is half of it.
    for batch in 1..=CALLS / BATCH {
        let before = pair.heap();
        for _ in 0..BATCH {
            pair.place();
        }
        if batch == 1 {
            let lingering = (pair.heap() - before) / (2 * BATCH);
            println!("heap per call and side, INVITE transaction lingering = {lingering}");
        }
        pair.run_until(Time::MAX);
    }
    let idle = (pair.heap() - at_rest) / (2 * CALLS);
    println!("heap per call and side, idle = {idle}");
    // The other sides of the calls are hung up in turn, too, while the timers run.
    for _ in 0..CALLS / BATCH {
        for _ in 0..BATCH {
            let call = pair.answered.pop().unwrap();
            pair.hang_up(call);
        }
        pair.run_until(Time::MAX);
    }
    pair.rest();
    assert_eq!(pair.ended - ended, 2 * CALLS as u64);
    let left = pair.heap() - at_rest;
    println!("heap after all have ended = {left}");
    // PAINS 115: a burst gives its memory back.
    assert!(left < 64 * 1024);
}

/// So many calls and nothing else, for a profiler.
fn only(calls: &[u64]) {
    let pairs = [Pair::new, Pair::with_digest, Pair::with_prack];
    for (pair, calls) in pairs.iter().zip(calls) {
        let mut pair = pair();
        (0..*calls).for_each(|_| pair.call());
        // A call that is challenged ends once more, where it was.
        assert!(pair.ended >= 2 * calls);
    }
}

/// What the caller and the callee allocate in a call, on average.
fn allocations(pair: &mut Pair) -> [i64; 2] {
    const CALLS: i64 = 200;
    calls(pair);
    pair.allocations = [0; 2];
    for _ in 0..CALLS {
        pair.call();
    }
    pair.rest();
    pair.allocations.map(|n| (n + CALLS - 1) / CALLS)
}

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    if !numbers.is_empty() {
        return only(&numbers);
    }
    let blocks = header_blocks();
    let (mut pair, mut digest, mut prack) = (Pair::new(), Pair::with_digest(), Pair::with_prack());
    let [caller, callee] = allocations(&mut pair);
    let [digest_caller, digest_callee] = allocations(&mut digest);
    let [prack_caller, prack_callee] = allocations(&mut prack);
    memory();
    // In turn, so that a machine whose speed drifts does not favour one of them; the least of many.
    let [mut call, mut challenged, mut reliable, mut scan] = [Duration::MAX; 4];
    for _ in 0..200 {
        scan = scan.min(yardstick(&blocks));
        call = call.min(calls(&mut pair));
        challenged = challenged.min(calls(&mut digest));
        reliable = reliable.min(calls(&mut prack));
    }
    println!("allocations of a call: caller = {caller}, callee = {callee}");
    println!("allocations of a digest call: caller = {digest_caller}, callee = {digest_callee}");
    println!("allocations of a PRACK call: caller = {prack_caller}, callee = {prack_callee}");
    println!("httparse = {} ns", scan.as_nanos());
    let ratio = |time: Duration| time.as_secs_f64() / scan.as_secs_f64();
    println!("a digest call on both sides = {} ns", challenged.as_nanos());
    println!("digest call/httparse = {:.1}", ratio(challenged));
    println!("a PRACK call on both sides = {} ns", reliable.as_nanos());
    println!("PRACK call/httparse = {:.1}", ratio(reliable));
    println!("a call on both sides = {} ns", call.as_nanos());
    println!("call/httparse = {:.1}", ratio(call));
}

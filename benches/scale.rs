//! What a call costs beside a thousand, a hundred thousand and a million idle ones, on both sides.
//!
//! An idle call is one that was answered, and whose session timer is armed. Virtual time runs on
//! between the steps of the ramp, so that lingering INVITE transactions do not fill the memory. A
//! small pair with the least number stays beside the growing one, and all is measured on both in
//! turn: a machine whose speed drifts favours neither.
//!
//! - a call: from INVITE to BYE, as in `cargo bench --bench call`;
//! - a BYE: of a random idle call, with its response;
//! - a timer: the end of a transaction, with all that it frees;
//! - a lookup: of a random one among as many dialogs as there are calls, by Call-ID and tag, in the
//!   kind of table that the endpoint keeps them in. It touches three cache lines: the tags of a
//!   group, the entry, and the text of its key.
//!
//! The last line says how many times dearer a call is beside a million than beside a thousand.
//!
//! With two numbers as its arguments the bench fills such a table with the first, looks up the
//! second, and does nothing else. With a cache that holds nothing of it but what the bench itself
//! needs, the misses that one more lookup makes are the lines that it touches:
//!
//! ```text
//! cargo bench --bench scale --no-run
//! valgrind --tool=cachegrind --cache-sim=yes --D1=131072,32,64 target/release/deps/scale-… 1000000 100000
//! valgrind --tool=cachegrind --cache-sim=yes --D1=131072,32,64 target/release/deps/scale-… 1000000 200000
//! ```

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
use std::io::Write as _;
use std::time::{Duration, Instant};

use counted::Counted;
use drongo::call::session_timer;
use drongo::endpoint::Config;
use drongo::seed::{Ids, Seed};
use drongo::table::Table;
use pair::Pair;

#[path = "call/counted.rs"]
mod counted;
#[path = "call/pair.rs"]
#[expect(dead_code, reason = "made for the bench of one call, too")]
mod pair;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// How many idle calls there are, step by step.
const STEPS: [usize; 3] = [1_000, 100_000, 1_000_000];
/// So many calls linger at once while the ramp goes up.
const BATCH: usize = 10_000;
/// So many calls are timed at once.
const CALLS: u32 = 100;
/// How often each step is timed; the least counts.
const ROUNDS: usize = 100;
/// Longer than any transaction lingers.
const LINGERING: Duration = Duration::from_secs(40);

/// Two endpoints with idle calls between them.
struct Idle {
    pair: Pair,
    dialogs: Dialogs,
    random: Random,
}

/// The least times of what was measured.
struct Times {
    call: Duration,
    bye: Duration,
    timer: Duration,
    lookup: Duration,
}

impl Idle {
    fn new() -> Self {
        let configure = |config: &mut Config| {
            config.limits.calls = 2 * STEPS[2];
            // No session is over while the bench lasts.
            let mut session_timer = session_timer::Config::default();
            session_timer.interval = 30 * 24 * 3600;
            config.session_timer = Some(session_timer);
        };
        Self {
            pair: Pair::with(configure),
            dialogs: Dialogs::new(),
            random: Random(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// Places calls until so many are idle.
    fn ramp(&mut self, calls: usize) {
        while self.pair.answered.len() < calls {
            for _ in 0..BATCH.min(calls - self.pair.answered.len()) {
                self.pair.place();
            }
            self.pair.run(LINGERING);
        }
    }

    fn measure(&mut self, times: &mut Times) {
        let idle = self.pair.answered.len();
        let start = Instant::now();
        (0..CALLS).for_each(|_| self.pair.call());
        times.call = times.call.min(start.elapsed() / CALLS);

        let timers = self.pair.transactions();
        let start = Instant::now();
        self.pair.run(LINGERING);
        times.timer = times.timer.min(start.elapsed() / timers as u32);
        assert_eq!(self.pair.transactions(), 0);

        let start = Instant::now();
        for _ in 0..CALLS {
            let at = self.random.below(self.pair.answered.len());
            let call = self.pair.answered.swap_remove(at);
            self.pair.hang_up(call);
        }
        times.bye = times.bye.min(start.elapsed() / CALLS);
        self.ramp(idle);

        times.lookup = times
            .lookup
            .min(self.dialogs.look_up(CALLS, &mut self.random));
    }
}

impl Times {
    const NONE: Self = Self {
        call: Duration::MAX,
        bye: Duration::MAX,
        timer: Duration::MAX,
        lookup: Duration::MAX,
    };

    fn print(&self, calls: usize) {
        let Self {
            call,
            bye,
            timer,
            lookup,
        } = self;
        let [call, bye, timer, lookup] = [call, bye, timer, lookup].map(Duration::as_nanos);
        println!(
            "{calls} idle calls: a call = {call} ns, a BYE of a random one = {bye} ns, \
             a timer = {timer} ns, a lookup = {lookup} ns"
        );
    }
}

/// Dialogs in a table like the endpoint's.
struct Dialogs {
    table: Table<Box<[u8]>, u64>,
    len: u32,
}

impl Dialogs {
    fn new() -> Self {
        let key = Ids::new(Seed::from_bytes([5; 32])).table_key();
        Self {
            table: Table::with_key(key),
            len: 0,
        }
    }

    fn fill(&mut self, dialogs: usize) {
        while (self.len as usize) < dialogs {
            self.table
                .insert(Box::new(Self::text(self.len)), self.len.into());
            self.len += 1;
        }
    }

    /// A Call-ID and a tag as long as the core's own.
    fn text(dialog: u32) -> [u8; 41] {
        let mut text = *b"00000000a84b4c76e6671000\x00z9hg4bk776asdhds";
        write!(&mut text[..8], "{dialog:08x}").unwrap();
        text
    }

    fn look_up(&self, lookups: u32, random: &mut Random) -> Duration {
        let texts: Vec<_> = (0..lookups)
            .map(|_| Self::text(random.below(self.len as usize) as u32))
            .collect();
        let start = Instant::now();
        for text in &texts {
            black_box(self.table.get(&text[..]).unwrap());
        }
        start.elapsed() / lookups
    }
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn main() {
    let numbers: Vec<u32> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    if let [dialogs, lookups] = numbers[..] {
        let mut idle = Dialogs::new();
        idle.fill(dialogs as usize);
        let mut random = Random(1);
        for _ in 0..lookups / CALLS {
            idle.look_up(CALLS, &mut random);
        }
        return;
    }
    let (mut few, mut many) = (Idle::new(), Idle::new());
    few.ramp(STEPS[0]);
    few.dialogs.fill(STEPS[0]);
    let mut ratio = 0.0;
    for calls in STEPS {
        let (before, had) = (many.pair.heap(), many.pair.answered.len());
        many.ramp(calls);
        let heap = (many.pair.heap() - before) / (2 * (calls - had)) as i64;
        many.dialogs.fill(calls);
        let (mut beside_few, mut beside_many) = (Times::NONE, Times::NONE);
        for _ in 0..ROUNDS {
            few.measure(&mut beside_few);
            many.measure(&mut beside_many);
        }
        beside_many.print(calls);
        println!("heap per call and side = {heap}");
        ratio = beside_many.call.as_secs_f64() / beside_few.call.as_secs_f64();
        println!(
            "a call beside {calls}/a call beside {} = {ratio:.2}",
            STEPS[0]
        );
    }
    println!("call@1M/call@1k = {ratio:.2}");
}

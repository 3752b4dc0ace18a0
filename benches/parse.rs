//! How fast a message is read and written, beside `httparse` on the same header blocks.
//!
//! Criterion's figures come first; `cargo bench --bench parse -- ratios` leaves them out, and
//! `-- linear` prints nothing but what hostile input costs at lengths that double. The last lines
//! are ratios of the least times over many short interleaved turns: the least is the time without
//! interruption, so they hold on a machine that is busy with other things.
//!
//! `parse` makes the index of a message (`Message::parse`). `parse+read` makes it and reads six
//! values from it: the top Via's branch, the From tag, the To tag, Call-ID, CSeq and the URI of the
//! first Contact, for each of which the whole header value is read and judged; no other header is
//! looked at. `parse+check+read` makes a `Request` or a `Response` (`message::parse`), which also
//! checks the Request-URI, the method, that nothing single is there twice, and the limits on all
//! values, and reads the same six from that: what an endpoint does.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    missing_docs,
    reason = "a benchmark: no input from a network, no users, and a clock to read"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use drongo::limits::Limits;
use drongo::message::{Edit, Message, Request, parse};

use counted::Counted;
use work::{header_block, hop, httparse_block, read, read_checked, readable, request};

#[path = "parse/corpus.rs"]
mod corpus;
#[path = "parse/counted.rs"]
mod counted;
#[path = "parse/growth.rs"]
mod growth;
#[path = "parse/work.rs"]
mod work;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() {
    if std::env::args().any(|arg| arg == "linear") {
        growth::linear();
        return;
    }
    let corpus = corpus::files("vectors/corpus");
    assert_eq!(corpus.len(), 8, "run it where Cargo.toml is");
    let sets = [
        ("corpus", corpus),
        ("flows", readable(corpus::files("vectors/flows"))),
        ("generated", corpus::generated(64)),
    ];
    let mut criterion = Criterion::default()
        .sample_size(40)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (name, messages) in &sets {
        if !messages.is_empty() {
            speed(&mut criterion, name, messages);
        }
    }
    growth::benches(&mut criterion);
    criterion.final_summary();
    growth::report();
    for (name, messages) in sets.iter().rev() {
        if !messages.is_empty() {
            report(name, messages);
        }
    }
}

fn speed(criterion: &mut Criterion, set: &str, messages: &[Bytes]) {
    let mut group = criterion.benchmark_group(set);
    let bytes = messages.iter().map(Bytes::len).sum::<usize>();
    group.throughput(Throughput::Bytes(bytes as u64));
    for mut task in tasks(messages) {
        group.bench_function(BenchmarkId::from_parameter(task.name), |b| {
            b.iter(|| (task.run)());
        });
    }
    group.finish();
}

/// Something done once with every message of a set.
struct Task<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
}

fn tasks(messages: &[Bytes]) -> Vec<Task<'_>> {
    fn each<'a, T: 'a>(
        name: &'static str,
        items: Vec<T>,
        mut work: impl FnMut(&T) + 'a,
    ) -> Task<'a> {
        let run = Box::new(move || items.iter().for_each(|item| work(black_box(item))));
        Task { name, run }
    }
    let requests: Vec<Request> = messages.iter().filter_map(request).collect();
    let request_bytes = requests.iter().map(|r| r.bytes().clone()).collect();
    let parsed: Vec<_> = messages
        .iter()
        .map(|bytes| Message::parse(bytes.clone()).unwrap())
        .collect();
    let blocks = messages.iter().map(header_block).collect();
    let mut copied = Vec::with_capacity(65_535);
    let mut written = Vec::with_capacity(65_535);
    vec![
        each("httparse", blocks, |block: &&[u8]| httparse_block(block)),
        each("parse", messages.to_vec(), |bytes| {
            drop(black_box(Message::parse(bytes.clone())));
        }),
        each(
            "parse+read",
            messages.to_vec(),
            |bytes| match &Message::parse(bytes.clone()) {
                Ok(message) => read(message),
                Err(error) => panic!("{error}"),
            },
        ),
        each("parse+check+read", messages.to_vec(), |bytes| match &parse(
            bytes.clone(),
            &Limits::DEFAULT,
        ) {
            Ok(incoming) => read_checked(incoming),
            Err(error) => panic!("{error}"),
        }),
        each("parse requests", request_bytes, |bytes| {
            drop(black_box(Message::parse(bytes.clone())));
        }),
        each("hop", requests, |request| {
            black_box(hop(request));
        }),
        each("clone", messages.to_vec(), |bytes: &Bytes| {
            black_box(bytes.clone());
        }),
        each("write unedited", parsed.clone(), |message: &Message| {
            black_box(Edit::new(message).write());
        }),
        each("copy", messages.to_vec(), move |bytes: &Bytes| {
            copied.clear();
            copied.extend_from_slice(bytes);
            black_box(&copied);
        }),
        each("write into", parsed, move |message: &Message| {
            written.clear();
            Edit::new(message).write_to(&mut written);
            black_box(&written);
        }),
    ]
}

/// The ratios, and what was allocated by reading.
fn report(set: &str, messages: &[Bytes]) {
    let mut tasks = tasks(messages);
    let least = least(&mut tasks);
    let time = |name: &str| {
        let at = tasks.iter().position(|task| task.name == name).unwrap();
        least[at]
    };
    println!("\n{set}: {} messages", messages.len());
    for (task, time) in tasks.iter().zip(&least) {
        println!("{:16} {:8.0} ns", task.name, time);
    }
    let over = |name, other| (time(name) - time(other)) / messages.len() as f64;
    println!(
        "unedited, over a clone = {:.1} ns a message",
        over("write unedited", "clone")
    );
    println!(
        "unedited into a buffer, over a copy = {:.1} ns a message",
        over("write into", "copy")
    );
    println!(
        "parse: the index. parse+read: the index and six typed values, each read and judged whole \
         (top Via, From, To, Call-ID, CSeq, Contact). parse+check+read: as an endpoint does it, a \
         Request or Response with all that it relies on checked, and the same six."
    );
    let checking = time("parse+check+read") / time("httparse");
    println!("parse+check+read/httparse = {checking:.2}");
    let parsing = time("parse") / time("httparse");
    println!("parse/httparse = {parsing:.2}");
    let reading = time("parse+read") / time("httparse");
    println!("parse+read/httparse = {reading:.2}");
    println!("hop/parse = {:.2}", time("hop") / time("parse requests"));
    println!("allocations = {}", allocations(messages));
}

/// The least time of each task, in nanoseconds.
fn least(tasks: &mut [Task<'_>]) -> Vec<f64> {
    const TURNS: u32 = 1_500;
    const TIMES: u32 = 8;
    let mut least = vec![f64::MAX; tasks.len()];
    for _ in 0..TURNS {
        for (task, least) in tasks.iter_mut().zip(&mut least) {
            // Once untimed, so that no task pays for what the one before it left in the caches.
            (task.run)();
            let start = Instant::now();
            for _ in 0..TIMES {
                (task.run)();
            }
            let time = start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES);
            *least = least.min(time);
        }
    }
    least
}

/// How often parsing and reading all messages asks for memory.
fn allocations(messages: &[Bytes]) -> usize {
    let before = counted::allocations();
    for bytes in messages {
        read(&Message::parse(bytes.clone()).unwrap());
        read_checked(&parse(bytes.clone(), &Limits::DEFAULT).unwrap());
    }
    counted::allocations() - before
}

//! How fast a message is read and written, beside `httparse` on the same header blocks.
//!
//! Criterion's figures come first; `cargo bench --bench parse -- ratios` leaves them out. The last
//! lines are ratios of the least times over many short interleaved turns: the least is the time
//! without interruption, so they hold on a machine that is busy with other things.
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
use drongo::message::{ContactValue, Edit, Incoming, Message, Name, Request, parse};

use counted::Counted;

#[path = "parse/corpus.rs"]
mod corpus;
#[path = "parse/counted.rs"]
mod counted;
#[path = "parse/growth.rs"]
mod growth;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// The bytes of one hop of a proxy.
const VIA: &[u8] = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK87asdks7.1;rport";
const RECORD_ROUTE: &[u8] = b"<sip:192.0.2.1;lr>";

fn main() {
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
    let parsed = messages
        .iter()
        .map(|bytes| Message::parse(bytes.clone()).unwrap())
        .collect();
    let blocks = messages.iter().map(header_block).collect();
    let mut buffer = Vec::with_capacity(65_535);
    vec![
        each("httparse", blocks, |block: &&[u8]| httparse_block(block)),
        each("parse", messages.to_vec(), |bytes| {
            drop(black_box(Message::parse(bytes.clone())));
        }),
        each("parse+read", messages.to_vec(), |bytes| {
            match &parse(bytes.clone(), &Limits::DEFAULT) {
                Ok(incoming) => read(incoming),
                Err(error) => panic!("{error}"),
            }
        }),
        each("parse requests", request_bytes, |bytes| {
            drop(black_box(Message::parse(bytes.clone())));
        }),
        each("hop", requests, |request| {
            black_box(hop(request));
        }),
        each("clone unedited", parsed, |message: &Message| {
            black_box(Edit::new(message).write());
        }),
        each("copy", messages.to_vec(), move |bytes: &Bytes| {
            buffer.clear();
            buffer.extend_from_slice(bytes);
            black_box(&buffer);
        }),
    ]
}

fn request(bytes: &Bytes) -> Option<Request> {
    match parse(bytes.clone(), &Limits::DEFAULT).unwrap() {
        Incoming::Request(request) => Some(request),
        Incoming::Response(_) => None,
    }
}

/// From behind the start line to the empty line.
fn header_block(bytes: &Bytes) -> &[u8] {
    let start = memchr::memmem::find(bytes, b"\r\n").unwrap() + 2;
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap() + 4;
    &bytes[start..end]
}

/// What the yardstick reads too: it refuses folded lines.
fn readable(mut messages: Vec<Bytes>) -> Vec<Bytes> {
    messages.retain(|bytes| {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        httparse::parse_headers(header_block(bytes), &mut headers).is_ok()
    });
    messages
}

fn httparse_block(block: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let status = httparse::parse_headers(block, &mut headers);
    assert!(matches!(status, Ok(httparse::Status::Complete(_))));
    black_box(&headers);
}

/// Top Via branch, tags, Call-ID, CSeq and Contact URI, as typed values.
fn read(incoming: &Incoming) {
    macro_rules! essentials {
        ($of:expr) => {{
            black_box(($of.branch(), $of.from_tag(), $of.to_tag()));
            black_box(($of.call_id(), $of.cseq()));
            $of.message()
        }};
    }
    let message = match incoming {
        Incoming::Request(request) => essentials!(request),
        Incoming::Response(response) => essentials!(response),
    };
    match message.contacts().next() {
        Some(Ok(ContactValue::Addr(address))) => {
            black_box(address.uri());
        }
        Some(Ok(ContactValue::Star)) | None => {}
        Some(Err(error)) => panic!("{error}"),
    }
}

/// What a proxy changes on the way.
fn hop(request: &Request) -> Bytes {
    let hops = request.max_forwards().map_or(70, Result::unwrap);
    let mut edit = Edit::new(request.message());
    edit.push_first(Name::Via, VIA).unwrap();
    edit.push_first(Name::RecordRoute, RECORD_ROUTE).unwrap();
    edit.set_max_forwards(hops - 1);
    edit.write()
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
    let copying = (time("clone unedited") - time("copy")) / messages.len() as f64;
    println!("an unedited write over a copy = {copying:.1} ns a message");
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
        drop(black_box(Message::parse(bytes.clone())));
        read(&parse(bytes.clone(), &Limits::DEFAULT).unwrap());
    }
    counted::allocations() - before
}

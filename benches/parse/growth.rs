//! What hostile input costs: each is given in lengths that double, and must take about the same
//! time for each byte, and no more than a millisecond for 64 KiB.
//!
//! `cargo bench --bench parse -- linear` prints every input at every length.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use drongo::limits::Limits;
use drongo::message::{
    ContactValue, ContentType, Message, NameAddr, Params, RetryAfter, Tokens, Uri, Via, parse,
    split_commas, unquote,
};

const LENGTH: usize = 64 * 1024;

type Input = (String, fn(usize) -> Vec<u8>);

/// Inputs of any length.
fn inputs() -> Vec<Input> {
    let mut inputs: Vec<Input> = vec![
        ("headers".into(), |n| message(&repeat(b"a:b\r\n", n))),
        ("known headers".into(), |n| {
            message(&repeat(b"Via: a\r\n", n))
        }),
        ("folds".into(), |n| {
            message(&[b"Subject: a", &*repeat(b"\r\n b", n), b"\r\n"].concat())
        }),
        ("vias".into(), |n| {
            in_message("Via", &repeat(b"SIP/2.0/UDP a,", n))
        }),
        ("parameters".into(), |n| in_message("From", &distinct(n))),
        ("same parameter".into(), |n| {
            in_message("To", &repeat(b";a", n))
        }),
        ("uri parameters".into(), |n| {
            in_message("To", &[b"<sip:a", &*distinct(n), b">"].concat())
        }),
        ("uri headers".into(), |n| {
            in_message("To", &[b"<sip:a?", &*repeat(b"a=b&", n), b">"].concat())
        }),
        ("escapes".into(), |n| {
            in_message("To", &[b"<sip:", &*repeat(b"%41", n), b"@a>"].concat())
        }),
        ("labels".into(), |n| {
            in_message("Via", &[b"SIP/2.0/UDP ", &*repeat(b"a.", n)].concat())
        }),
        ("commas".into(), |n| in_message("Contact", &repeat(b",", n))),
        ("nested comments".into(), |n| {
            in_message("Retry-After", &[b"1 ", &*repeat(b"(", n)].concat())
        }),
        ("quotes".into(), |n| {
            in_message("Contact", &repeat(b"\"", n))
        }),
        ("quoted pairs".into(), |n| {
            in_message("From", &[b"\"", &*repeat(b"\\\"", n)].concat())
        }),
        ("angles".into(), |n| {
            in_message("Contact", &repeat(b"<>", n))
        }),
        ("line breaks".into(), |n| repeat(b"\r\n", n)),
        ("body".into(), |n| [message(b""), repeat(b"x", n)].concat()),
    ];
    // A byte of each kind: letters, separators, space, controls, beyond ASCII.
    macro_rules! bytes {
        ($($byte:literal)*) => {
            $(inputs.push((format!("byte {:?}", char::from($byte)), |n| repeat(&[$byte], n)));
            inputs.push((format!("value of {:?}", char::from($byte)), |n| {
                in_message("From", &repeat(&[$byte], n))
            }));)*
        };
    }
    bytes!(b'a' b'0' b' ' b'\t' b'\r' b'\n' b':' b';' b'=' b',' b'<' b'>' b'"' b'\\' b'(' b'%'
        b'@' b'?' b'.' b'/' b'[' b'*' 0_u8 0xff_u8);
    inputs
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("64 KiB of");
    group.sample_size(10);
    group.warm_up_time(std::time::Duration::from_millis(50));
    group.measurement_time(std::time::Duration::from_millis(200));
    for (name, make) in inputs() {
        for length in [LENGTH / 2, LENGTH] {
            let bytes = Bytes::from(make(length));
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_with_input(BenchmarkId::new(&name, length), &bytes, |b, bytes| {
                b.iter(|| {
                    let _ = black_box(parse(bytes.clone(), &widest()));
                    all(bytes);
                });
            });
        }
    }
    group.finish();
}

type Step = (&'static str, fn(&Bytes) -> f64);

/// What is done with an input, and how long it takes.
const STEPS: [Step; 3] = [
    ("parse", |bytes| {
        least(|| drop(black_box(parse(bytes.clone(), &Limits::DEFAULT))))
    }),
    ("parse without limits", |bytes| {
        least(|| drop(black_box(parse(bytes.clone(), &widest()))))
    }),
    ("the dearest of all readers", |bytes| {
        let Ok(message) = Message::parse_with(bytes.clone(), &widest()) else {
            return 0.0;
        };
        let times = READERS.map(|read| least(|| read(&message)));
        times.into_iter().fold(0.0, f64::max)
    }),
];

/// What can be read from a message; the row that an input is about comes first.
const READERS: [fn(&Message); 12] = [
    |message| seen(split_commas(first(message)).count()),
    |message| seen(NameAddr::parse(first(message))),
    |message| seen(Via::parse(first(message))),
    |message| seen(Uri::parse(first(message))),
    |message| seen(Params::parse(first(message))),
    |message| seen(ContentType::parse(first(message))),
    |message| seen(RetryAfter::parse(first(message))),
    |message| seen(ContactValue::parse(first(message))),
    |message| seen(unquote(first(message))),
    |message| seen(Tokens::new(first(message)).count()),
    |message| seen(message.vias().filter(Result::is_ok).count()),
    |message| seen(message.contacts().filter(Result::is_ok).count()),
];

/// Keeps the compiler from leaving out what nobody looks at.
fn seen<T>(value: T) {
    black_box(value);
}

fn first(message: &Message) -> &[u8] {
    message.headers().next().map_or(&[], |row| row.value)
}

/// Every input in lengths that double: the nanoseconds that each byte takes.
pub(crate) fn linear() {
    const LENGTHS: [usize; 4] = [LENGTH / 4, LENGTH / 2, LENGTH, LENGTH * 2];
    println!("ns for each byte of 16, 32, 64 and 128 KiB; the ceiling of 1 ms for 64 KiB is 15.3");
    for (step, work) in STEPS {
        println!("\n{step}:");
        let mut dearest = ("".to_owned(), 0.0_f64);
        for (name, make) in inputs() {
            let costs = LENGTHS.map(|length| {
                let bytes = Bytes::from(make(length));
                work(&bytes) / bytes.len() as f64
            });
            println!(
                "{name:24} {}",
                costs.map(|cost| format!("{cost:8.2}")).concat()
            );
            let most = costs.iter().copied().fold(0.0, f64::max);
            if most > dearest.1 {
                dearest = (name, most);
            }
        }
        println!("dearest: {} at {:.2} ns a byte", dearest.0, dearest.1);
    }
}

/// The worst of all inputs, and of all doublings.
pub(crate) fn report() {
    println!("\n64 KiB of anything:");
    for (step, work) in STEPS {
        let mut worst = ("".to_owned(), 0.0);
        let mut steepest = ("".to_owned(), 0.0);
        for (name, make) in inputs() {
            let of = |length| work(&Bytes::from(make(length)));
            let (half, whole) = (of(LENGTH / 2), of(LENGTH));
            if whole > worst.1 {
                worst = (name.clone(), whole);
            }
            if whole > 50_000.0 && whole / half > steepest.1 {
                steepest = (name, whole / half);
            }
        }
        println!(
            "{step}: dearest {} at {:.0} us, steepest {} at {:.2} times for twice the length",
            worst.0,
            worst.1 / 1e3,
            steepest.0,
            steepest.1
        );
    }
}

fn least(mut work: impl FnMut()) -> f64 {
    let mut least = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        work();
        least = least.min(start.elapsed().as_secs_f64() * 1e9);
    }
    least
}

fn widest() -> Limits {
    let mut limits = Limits::DEFAULT;
    limits.message_bytes = usize::MAX;
    limits.start_line_bytes = usize::MAX;
    limits.headers = usize::MAX;
    limits.header_line_bytes = usize::MAX;
    limits
}

/// The message and whatever can be read from it, under the widest limits.
fn all(bytes: &Bytes) {
    if let Ok(message) = Message::parse_with(bytes.clone(), &widest()) {
        READERS.iter().for_each(|read| read(&message));
    }
}

fn repeat(unit: &[u8], length: usize) -> Vec<u8> {
    unit.repeat(length / unit.len())
}

fn distinct(length: usize) -> Vec<u8> {
    (0..length / 7)
        .flat_map(|n| format!(";p{n:05}").into_bytes())
        .collect()
}

fn in_message(name: &str, value: &[u8]) -> Vec<u8> {
    message(&[name.as_bytes(), b": ", value, b"\r\n"].concat())
}

/// The lines in a request that is complete without them.
fn message(lines: &[u8]) -> Vec<u8> {
    [
        b"OPTIONS sip:a@b SIP/2.0\r\n",
        lines,
        b"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n",
        b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n",
    ]
    .concat()
}

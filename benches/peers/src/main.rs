//! Other SIP parsers of crates.io beside drongo's, on the messages of `vectors/corpus`.
//!
//!     cargo run --release --manifest-path benches/peers/Cargo.toml
//!
//! The times are the least over many short turns that the parsers take one after the other: the
//! least is the time without interruption, so the ratios hold on a machine that is busy with other
//! things. The yardstick is `httparse::parse_headers` on the same header blocks in the same run.

use std::fmt::Display;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;

use crate::counted::Counted;
use crate::peers::{Drongo, Ezk, Peer, Rsip, Rsiprtp, Rsipstack, Sipx, Values};

mod counted;
mod peers;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const TURNS: u32 = 1_500;
const TIMES: u32 = 8;

fn main() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/corpus"));
    let mut tasks = vec![yardstick(&files)];
    add::<Drongo>(&mut tasks, &files);
    add::<Sipx>(&mut tasks, &files);
    add::<Rsipstack>(&mut tasks, &files);
    add::<Rsiprtp>(&mut tasks, &files);
    add::<Rsip>(&mut tasks, &files);
    add::<Ezk>(&mut tasks, &files);
    let allocations = tasks.iter_mut().map(allocations).collect::<Vec<_>>();
    let least = least(&mut tasks);
    table(&tasks, &least, &allocations);
}

/// A message and the name of its file.
struct File {
    name: String,
    bytes: Bytes,
}

fn files(directory: &Path) -> Vec<File> {
    let entries = std::fs::read_dir(directory).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let file = |path: &std::path::PathBuf| File {
        name: path
            .file_stem()
            .map_or(String::new(), |name| name.to_string_lossy().into()),
        // A clone of static bytes costs next to nothing: in life the datagram arrives.
        bytes: Bytes::from_static(std::fs::read(path).expect("a message").leak()),
    };
    paths.iter().map(file).collect()
}

/// Something done once with every message.
struct Task<'a> {
    name: &'static str,
    remark: String,
    run: Box<dyn FnMut() + 'a>,
}

fn yardstick(files: &[File]) -> Task<'_> {
    let blocks: Vec<&[u8]> = files.iter().map(|file| header_block(&file.bytes)).collect();
    let run = Box::new(move || {
        for block in &blocks {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let status = httparse::parse_headers(black_box(block), &mut headers);
            assert!(matches!(status, Ok(httparse::Status::Complete(_))));
            black_box(&headers);
        }
    });
    let remark = "names and values of the header lines".to_owned();
    Task {
        name: "httparse",
        remark,
        run,
    }
}

/// From behind the start line to the empty line.
fn header_block(bytes: &[u8]) -> &[u8] {
    let find = |needle: &[u8]| bytes.windows(needle.len()).position(|at| at == needle);
    let start = find(b"\r\n").expect("a start line") + 2;
    let end = find(b"\r\n\r\n").expect("an empty line") + 4;
    &bytes[start..end]
}

/// Two tasks: parse; parse and read.
fn add<'a, P: Peer>(tasks: &mut Vec<Task<'a>>, files: &'a [File]) {
    tasks.push(Task {
        name: P::NAME,
        remark: format!("{}{}", P::PARSE, refused::<P>(files)),
        run: Box::new(move || {
            for file in files {
                black_box(&P::parse(black_box(&file.bytes)));
            }
        }),
    });
    tasks.push(Task {
        name: P::NAME,
        remark: misread::<P>(files),
        run: Box::new(move || {
            for file in files {
                black_box(P::parse_and_read(black_box(&file.bytes), &mut Unused));
            }
        }),
    });
}

fn refused<P: Peer>(files: &[File]) -> String {
    let refused = files.iter().filter(|file| P::parse(&file.bytes).is_err());
    refused
        .map(|file| format!("; refuses {}", file.name))
        .collect()
}

/// What is not read as drongo reads it.
fn misread<P: Peer>(files: &[File]) -> String {
    const NAMES: [&str; 7] = [
        "branch",
        "From tag",
        "To tag",
        "Call-ID",
        "CSeq number",
        "CSeq method",
        "Contact URI",
    ];
    let mut remarks = Vec::new();
    for file in files {
        let (mut ours, mut theirs) = (Compared::default(), Compared::default());
        Drongo::parse_and_read(&file.bytes, &mut ours).expect("drongo reads its corpus");
        if P::parse_and_read(&file.bytes, &mut theirs).is_none() {
            let stuck = NAMES.get(theirs.0.len()).copied().unwrap_or_default();
            remarks.push(format!("{}: stops before {stuck}", file.name));
            continue;
        }
        for (name, (ours, theirs)) in NAMES.iter().zip(ours.0.iter().zip(&theirs.0)) {
            if ours != theirs {
                remarks.push(format!("{}: {name} `{theirs}` for `{ours}`", file.name));
            }
        }
    }
    match remarks.is_empty() {
        true => "every value as drongo reads it".to_owned(),
        false => remarks.join("; "),
    }
}

/// The values, printed.
#[derive(Default)]
struct Compared(Vec<String>);

impl Values for Compared {
    fn value<T: Display>(&mut self, value: Option<&T>) {
        self.0.push(value.map_or("none".to_owned(), T::to_string));
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        self.value(value.map(String::from_utf8_lossy).as_ref());
    }
}

/// The values, read and no more.
struct Unused;

impl Values for Unused {
    fn value<T: Display>(&mut self, value: Option<&T>) {
        black_box(value);
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        black_box(value);
    }
}

fn allocations(task: &mut Task<'_>) -> usize {
    // Once uncounted: what is made only the first time is not the messages'.
    (task.run)();
    let before = counted::allocations();
    (task.run)();
    counted::allocations() - before
}

/// The least time of each task, in nanoseconds.
fn least(tasks: &mut [Task<'_>]) -> Vec<f64> {
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

fn table(tasks: &[Task<'_>], least: &[f64], allocations: &[usize]) {
    let yardstick = least[0];
    println!(
        "| | parse, ns | / httparse | allocations | parse + read, ns | / httparse | allocations |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    println!(
        "| httparse, headers only | {yardstick:.0} | 1.00 | {} | | | |",
        allocations[0]
    );
    for at in (1..tasks.len()).step_by(2) {
        print!("| {} |", tasks[at].name);
        for at in [at, at + 1] {
            let (time, count) = (least[at], allocations[at]);
            print!(" {time:.0} | {:.2} | {count} |", time / yardstick);
        }
        println!();
    }
    println!();
    for pair in tasks[1..].chunks(2) {
        println!(
            "- {}: {}. Read: {}.",
            pair[0].name, pair[0].remark, pair[1].remark
        );
    }
}

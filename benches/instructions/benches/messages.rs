//! The operations of `cargo bench --bench parse`, in instructions: the same on every run, however
//! busy the machine is.
//!
//! `cargo bench --manifest-path benches/instructions/Cargo.toml`, from the root of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    dead_code,
    reason = "a benchmark: no input from a network, no users"
)]

use std::hint::black_box;

use bytes::Bytes;
use drongo::limits::Limits;
use drongo::message::{Edit, Message, Request, parse};
use gungraun::{library_benchmark, library_benchmark_group, main};

#[path = "../../parse/corpus.rs"]
mod corpus;
#[path = "../../parse/work.rs"]
mod work;

fn messages(set: &str) -> Vec<Bytes> {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors");
    match set {
        "generated" => corpus::generated(64),
        directory => work::readable(corpus::files(format!("{vectors}/{directory}"))),
    }
}

fn blocks(set: &str) -> Vec<Bytes> {
    let block = |bytes: Bytes| bytes.slice_ref(work::header_block(&bytes));
    messages(set).into_iter().map(block).collect()
}

fn requests(set: &str) -> Vec<Request> {
    messages(set).iter().filter_map(work::request).collect()
}

fn request_bytes(set: &str) -> Vec<Bytes> {
    requests(set).iter().map(|r| r.bytes().clone()).collect()
}

fn parsed(set: &str) -> Vec<Message> {
    let parse = |bytes: Bytes| Message::parse(bytes).unwrap();
    messages(set).into_iter().map(parse).collect()
}

/// Does something with each; dropping them does not count, nor does making them.
fn each<T>(items: Vec<T>, mut work: impl FnMut(&T)) -> Vec<T> {
    for item in &items {
        work(black_box(item));
    }
    items
}

#[library_benchmark(setup = blocks)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn httparse(items: Vec<Bytes>) -> Vec<Bytes> {
    each(items, |item| work::httparse_block(item))
}

#[library_benchmark(setup = messages)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn parse_message(items: Vec<Bytes>) -> Vec<Bytes> {
    each(items, |item| drop(black_box(Message::parse(item.clone()))))
}

#[library_benchmark(setup = messages)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn parse_and_read(items: Vec<Bytes>) -> Vec<Bytes> {
    each(items, |item| match &Message::parse(item.clone()) {
        Ok(message) => work::read(message),
        Err(error) => panic!("{error}"),
    })
}

#[library_benchmark(setup = messages)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn parse_check_and_read(items: Vec<Bytes>) -> Vec<Bytes> {
    each(items, |item| match &parse(item.clone(), &Limits::DEFAULT) {
        Ok(incoming) => work::read_checked(incoming),
        Err(error) => panic!("{error}"),
    })
}

#[library_benchmark(setup = request_bytes)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn parse_requests(items: Vec<Bytes>) -> Vec<Bytes> {
    each(items, |item| drop(black_box(Message::parse(item.clone()))))
}

#[library_benchmark(setup = requests)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn hop(items: Vec<Request>) -> Vec<Request> {
    each(items, |item| drop(black_box(work::hop(item))))
}

#[library_benchmark(setup = parsed)]
#[bench::corpus("corpus")]
#[bench::flows("flows")]
#[bench::generated("generated")]
fn write_unedited(items: Vec<Message>) -> Vec<Message> {
    each(items, |item| drop(black_box(Edit::new(item).write())))
}

library_benchmark_group!(
    name = all;
    benchmarks =
        httparse,
        parse_message,
        parse_and_read,
        parse_check_and_read,
        parse_requests,
        hop,
        write_unedited,
);

main!(library_benchmark_groups = all);

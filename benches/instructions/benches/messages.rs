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

/// What is built before and dropped after does not count.
macro_rules! operation {
    ($name:ident, $setup:ident, $item:ty, $work:expr) => {
        #[library_benchmark(setup = $setup)]
        #[bench::corpus("corpus")]
        #[bench::flows("flows")]
        #[bench::generated("generated")]
        fn $name(items: Vec<$item>) -> Vec<$item> {
            for item in &items {
                $work(black_box(item));
            }
            items
        }
    };
}

operation!(httparse, blocks, Bytes, |block: &Bytes| {
    work::httparse_block(block);
});
operation!(parse_message, messages, Bytes, |bytes: &Bytes| {
    drop(black_box(Message::parse(bytes.clone())));
});
operation!(parse_and_read, messages, Bytes, |bytes: &Bytes| {
    match &parse(bytes.clone(), &Limits::DEFAULT) {
        Ok(incoming) => work::read(incoming),
        Err(error) => panic!("{error}"),
    }
});
operation!(parse_requests, request_bytes, Bytes, |bytes: &Bytes| {
    drop(black_box(Message::parse(bytes.clone())));
});
operation!(hop, requests, Request, |request| {
    black_box(work::hop(request));
});
operation!(write_unedited, parsed, Message, |message| {
    black_box(Edit::new(message).write());
});

library_benchmark_group!(
    name = all;
    benchmarks =
        httparse,
        parse_message,
        parse_and_read,
        parse_requests,
        hop,
        write_unedited,
);

main!(library_benchmark_groups = all);

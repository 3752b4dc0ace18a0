//! What a driver says to those who watch it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drongo::driver::tokio::Driver;
use drongo::endpoint::{Config, Event};
use drongo::message::{Body, Outgoing};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use tokio::time::timeout;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};

use crate::driver::anywhere;
use crate::driver::overload::run;

/// Counts in a map, by name and labels.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<BTreeMap<String, f64>>>);

struct Cell(String, Board);

fn name_of(key: &Key) -> String {
    let labels = key
        .labels()
        .map(|label| format!("{}={}", label.key(), label.value()));
    let labels: Vec<String> = labels.collect();
    match labels.is_empty() {
        true => key.name().to_owned(),
        false => format!("{}{{{}}}", key.name(), labels.join(",")),
    }
}

impl Cell {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        change(self.1.0.lock().unwrap().entry(self.0.clone()).or_default());
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.change(|cell| *cell += value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|cell| *cell = value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.change(|cell| *cell += value);
    }

    fn decrement(&self, value: f64) {
        self.change(|cell| *cell -= value);
    }

    fn set(&self, value: f64) {
        self.change(|cell| *cell = value);
    }
}

impl Recorder for Board {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Cell(name_of(key), self.clone())))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(Cell(name_of(key), self.clone())))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn message(method: &str, cseq: u32, tag: &str, from: std::net::SocketAddr) -> String {
    format!(
        "{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>{tag}\r\n\
         Call-ID: watched\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@{from}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A call over UDP that is answered and hung up, and an OPTIONS that is refused after it.
async fn scene() {
    let mut driver = Driver::udp(anywhere(), Config::default()).await.unwrap();
    let peer = UdpSocket::bind(anywhere()).unwrap();
    let from = peer.local_addr().unwrap();
    let to = driver.local_addr();
    let send = |text: String| peer.send_to(text.as_bytes(), to).unwrap();
    send(message("INVITE", 1, "", from));
    let Event::Incoming { call, .. } = driver.next_event().await.unwrap() else {
        panic!("no call");
    };
    driver
        .act(|endpoint, now, out| {
            let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
            endpoint.call(call)?.answer(now, answer, out)
        })
        .unwrap();
    let mut buffer = [0; 2_000];
    let length = peer.recv(&mut buffer).unwrap();
    let ok = String::from_utf8(buffer[..length].to_vec()).unwrap();
    let to_line = ok.lines().find(|line| line.starts_with("To: ")).unwrap();
    let tag = to_line.split_once(";tag=").unwrap().1;
    let tag = format!(";tag={tag}");
    send(message("ACK", 1, &tag, from).replace("z9hG4bKACK", "z9hG4bKa"));
    send(message("BYE", 2, &tag, from));
    while !matches!(driver.next_event().await.unwrap(), Event::Ended { .. }) {}
    driver.act(|endpoint, now, out| endpoint.set_request_rate(now, Some(0), out));
    send(message("OPTIONS", 1, "", from).replace("watched", "other"));
    let refused = driver.next_event().await.unwrap();
    assert!(
        matches!(refused, Event::OverloadBegan { .. }),
        "{refused:?}"
    );
    // One turn more, in which nothing comes.
    let _ = timeout(Duration::from_millis(1), driver.next_event()).await;
}

#[test]
fn metrics_have_the_names_that_users_know() {
    let board = Board::default();
    metrics::with_local_recorder(&board, || run(scene()));
    let seen = board.0.lock().unwrap();
    for (name, expected) in [
        ("sip_requests_received_total{method=INVITE}", 1.0),
        ("sip_requests_received_total{method=ACK}", 1.0),
        ("sip_requests_received_total{method=BYE}", 1.0),
        ("sip_requests_received_total{method=OPTIONS}", 1.0),
        ("sip_responses_sent_total{code=200}", 2.0),
        ("sip_responses_sent_total{code=503}", 1.0),
        ("sip_new_requests_total{result=admitted}", 1.0),
        ("sip_new_requests_total{result=refused}", 1.0),
        ("sip_overloads_total", 1.0),
        ("sip_overloaded", 1.0),
    ] {
        assert_eq!(seen.get(name), Some(&expected), "{name} in {seen:?}");
    }
    assert!(seen.contains_key("sip_transactions_active"), "{seen:?}");
}

/// Writes down spans: their names with their fields, and whether they are closed.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Entry>>>);

/// A span: its name, its fields, and whether it is closed.
type Entry = (String, BTreeSet<String>, bool);

struct Fields<'a>(&'a mut BTreeSet<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        self.0
            .insert(format!("{}={}", field.name(), value.trim_matches('"')));
    }
}

impl tracing::Subscriber for Book {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = BTreeSet::new();
        span.record(&mut Fields(&mut fields));
        let mut book = self.0.lock().unwrap();
        book.push((span.metadata().name().to_owned(), fields, false));
        Id::from_u64(book.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let at = span.into_u64() as usize - 1;
        values.record(&mut Fields(&mut self.0.lock().unwrap()[at].1));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn try_close(&self, span: Id) -> bool {
        self.0.lock().unwrap()[span.into_u64() as usize - 1].2 = true;
        true
    }
}

#[test]
fn spans_cover_calls_and_transactions() {
    let book = Book::default();
    tracing::subscriber::with_default(book.clone(), || run(scene()));
    let book = book.0.lock().unwrap();
    let find = |name: &str, field: &str| {
        let found = |(known, fields, _): &&Entry| known == name && fields.contains(field);
        let span = book.iter().find(found);
        span.unwrap_or_else(|| panic!("{name} {field} in {book:?}"))
    };
    let (_, call, closed) = find("sip.call", "sip.call_id=watched");
    assert!(closed);
    assert!(
        call.contains("sip.direction=incoming") && call.contains("sip.end=HungUp"),
        "{call:?}"
    );
    for (method, status) in [("INVITE", 200), ("BYE", 200), ("OPTIONS", 503)] {
        let (_, fields, closed) = find("sip.transaction", &format!("sip.method={method}"));
        assert!(closed);
        assert!(
            fields.contains(&format!("sip.status_code={status}")),
            "{fields:?}"
        );
        assert!(fields.contains("sip.role=server") && fields.contains("network.transport=UDP"));
    }
}

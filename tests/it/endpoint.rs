//! What RFC 3261 17 and 18 ask of whoever owns transactions and transport: an endpoint fed with
//! datagrams by hand.

use bytes::Bytes;
use drongo::call::Invitation;
use drongo::endpoint::{
    Answer, Config, Dropped, Endpoint, Event, Input, Output, Query, QueryId, Transmit,
};
use drongo::locate::{Question, Records};
use drongo::message::{Builder, HeaderList, Incoming, Outgoing, Reply, Request, StatusCode, parse};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

mod agents;
mod answers;
mod failover;
mod overload;
mod reliable;
mod rules;
mod ways;

const HERE: &str = "192.0.2.1:5060";

fn config() -> Config {
    Config::default().local(Local::new(Transport::Udp, HERE.parse().unwrap()))
}

struct Bench {
    endpoint: Endpoint,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        let endpoint = Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO).unwrap();
        Self {
            endpoint,
            now: Time::ZERO,
        }
    }

    fn receive(&mut self, from: &str, bytes: impl Into<Bytes>) -> Vec<Output> {
        let mut out = Vec::new();
        let flow = Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: HERE.parse().unwrap(),
            remote: from.parse().unwrap(),
        };
        let input = Input::Datagram {
            flow,
            bytes: bytes.into(),
        };
        self.endpoint.receive(self.now, input, &mut out);
        out
    }

    fn place(&mut self) -> Transmit {
        let mut out = Vec::new();
        let invitation = Invitation::new("sip:bob@192.0.2.2:5070", "sip:alice@192.0.2.1").unwrap();
        self.endpoint
            .place(self.now, 1, invitation, &mut out)
            .unwrap();
        sent(&out).pop().unwrap()
    }

    fn fail(&mut self, transmit: &Transmit) -> Vec<Output> {
        let mut out = Vec::new();
        let input = Input::SendFailed { id: transmit.id };
        self.endpoint.receive(self.now, input, &mut out);
        out
    }

    fn answer(&mut self, id: QueryId, addresses: &[&str]) -> Vec<Output> {
        let mut out = Vec::new();
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let answer = Answer::Dns(Records::Addresses(addresses));
        self.endpoint
            .receive(self.now, Input::Answer { id, answer }, &mut out);
        out
    }

    /// Runs all timers; what was sent on the way.
    fn rest(&mut self) -> Vec<Transmit> {
        let mut all = Vec::new();
        while let Some(due) = self.endpoint.deadline() {
            let mut out = Vec::new();
            self.now = due;
            self.endpoint.on_deadline(due, &mut out);
            all.extend(sent(&out));
        }
        assert!(self.endpoint.is_idle());
        all
    }
}

fn sent(out: &[Output]) -> Vec<Transmit> {
    let transmit = |output: &Output| match output {
        Output::Transmit(transmit) => Some(transmit.clone()),
        _ => None,
    };
    out.iter().filter_map(transmit).collect()
}

fn request(method: &str, headers: &[(&str, &str)]) -> Bytes {
    request_via("192.0.2.2:5070;branch=z9hG4bK1", method, headers)
}

fn request_via(via: &str, method: &str, headers: &[(&str, &str)]) -> Bytes {
    let builder = Builder::request(method, "sip:alice@192.0.2.1")
        .header("Via", format!("SIP/2.0/UDP {via}"))
        .header("Max-Forwards", "70")
        .header("From", "<sip:bob@192.0.2.2>;tag=b")
        .header("To", "<sip:alice@192.0.2.1>")
        .header("Call-ID", "1@192.0.2.2")
        .header("CSeq", format!("1 {method}"));
    let add = |builder: Builder, (name, value): &(&str, &str)| builder.header(name, value);
    headers.iter().fold(builder, add).build().unwrap()
}

fn read(bytes: Bytes) -> Request {
    match parse(bytes, &drongo::limits::Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(invite: &Transmit, status: u16) -> Bytes {
    reply(invite, status, &[])
}

fn reply(invite: &Transmit, status: u16, headers: &[(&str, &str)]) -> Bytes {
    let contact = HeaderList::new()
        .with("Contact", "<sip:else@192.0.2.99:5099>")
        .unwrap();
    let add = |list: HeaderList, (name, value): &(&str, &str)| list.with(name, value).unwrap();
    let headers = headers.iter().fold(contact, add);
    let status = StatusCode::new(status).unwrap();
    Reply::new(&read(invite.bytes.clone())).write(status, None, Some("b"), &headers, None)
}

#[test]
fn ack_for_a_refusal_goes_where_the_invite_went() {
    let mut bench = Bench::new();
    let invite = bench.place();
    // From another port, with a Contact that names another host.
    let out = bench.receive("192.0.2.2:6666", response(&invite, 486));
    let ack = sent(&out).pop().unwrap();
    assert!(ack.bytes.starts_with(b"ACK sip:bob@192.0.2.2:5070 "));
    // 3261-17.1.1.2-18, 3261-18.1.2-02, 3261-18.1.1-15
    assert_eq!(ack.flow, invite.flow);
    assert!(matches!(
        out.last(),
        Some(Output::Event(Event::Ended { .. }))
    ));
}

#[test]
fn ack_has_no_transaction_and_a_request_that_matches_none_gets_one() {
    let mut bench = Bench::new();
    let out = bench.receive("192.0.2.2:5070", request("ACK", &[]));
    // 3261-17-04, 3261-17.2-01
    assert_eq!(out, [Output::Dropped(Dropped::StrayAck)]);
    assert_eq!(bench.endpoint.transactions(), 0);
    let out = bench.receive(
        "192.0.2.2:5070",
        request("INVITE", &[("Contact", "<sip:b@h>")]),
    );
    // 6026-8.10-01
    assert!(matches!(
        out.first(),
        Some(Output::Event(Event::Incoming { .. }))
    ));
    assert_eq!(bench.endpoint.transactions(), 1);
}

#[test]
fn response_that_matches_nothing_is_dropped() {
    let mut bench = Bench::new();
    let invite = bench.place();
    let stray = String::from_utf8(response(&invite, 200).to_vec()).unwrap();
    let stray = stray.replace("branch=z9hG4bK", "branch=z9hG4bKx");
    // 6026-7.2-07
    let out = bench.receive("192.0.2.2:5070", stray);
    assert_eq!(out, [Output::Dropped(Dropped::StrayResponse)]);
}

#[test]
fn invite_and_cancel_keep_the_schedules_of_their_own_machines() {
    let mut bench = Bench::new();
    bench.place();
    // 3261-17-05: an INVITE is sent 7 times (timer A has no cap) …
    assert_eq!(bench.rest().len(), 6);
    let mut bench = Bench::new();
    let invite = bench.place();
    let out = bench.receive("192.0.2.2:5070", response(&invite, 180));
    let Some(Output::Event(Event::Progress { call, .. })) = out.first() else {
        panic!("{out:?}");
    };
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(*call).unwrap();
    call.hang_up(Time::from_millis(1), &mut out).unwrap();
    // … and a CANCEL 11 times (timer E is capped at T2).
    assert!(sent(&out).pop().unwrap().bytes.starts_with(b"CANCEL "));
    assert_eq!(bench.rest().len(), 10);
}

#[test]
fn response_goes_where_the_top_via_says_and_nowhere_else() {
    let mut bench = Bench::new();
    let elsewhere = [
        ("Contact", "<sip:b@192.0.2.77:7777>"),
        ("Record-Route", "<sip:192.0.2.88:8888;lr>"),
    ];
    let out = bench.receive("192.0.2.2:6000", request("OPTIONS", &elsewhere));
    // 3261-18.2.2-10: the sent-by port at the source address, since rport was not asked for.
    let remote = sent(&out).pop().unwrap().flow.remote;
    assert_eq!(remote, "192.0.2.2:5070".parse().unwrap());
}

fn one_sent(out: &[Output]) -> Transmit {
    let [transmit] = <[Transmit; 1]>::try_from(sent(out)).unwrap();
    transmit
}

fn lookup(out: &[Output]) -> (QueryId, String) {
    match out {
        [
            Output::Query {
                id,
                query: Query::Dns(Question::Addresses { name }),
            },
        ] => (*id, name.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn response_that_cannot_be_sent_goes_to_sent_by() {
    // 3261-17.2.4-01, 3261-18.2.2-07, 3263-5-01
    let mut bench = Bench::new();
    let via = "192.0.2.50:5070;rport;branch=z9hG4bK1";
    let first = one_sent(&bench.receive("192.0.2.2:6000", request_via(via, "OPTIONS", &[])));
    assert_eq!(first.flow.remote, "192.0.2.2:6000".parse().unwrap());
    let second = one_sent(&bench.fail(&first));
    assert_eq!(second.flow.remote, "192.0.2.50:5070".parse().unwrap());
    assert_eq!(second.bytes, first.bytes);
    // What failed on the old way has gone another way since.
    let stale = [Output::Dropped(Dropped::StaleFailure)];
    assert_eq!(bench.fail(&first), stale);
    // Copies of the request are served where it works.
    let copy = one_sent(&bench.receive("192.0.2.2:6000", request_via(via, "OPTIONS", &[])));
    assert_eq!(copy.flow, second.flow);
    assert_eq!(bench.endpoint.counters().undelivered, 0);
    assert_eq!(bench.fail(&second), []);
    assert_eq!(bench.endpoint.counters().undelivered, 1);
    assert_eq!(bench.endpoint.counters().rerouted, 1);
    assert_eq!(bench.rest(), []);
}

#[test]
fn response_that_cannot_be_sent_tries_each_address_of_a_named_sent_by() {
    // 3261-17.2.4-01, 3261-18.2.2-07, 3263-5-02
    let mut bench = Bench::new();
    let via = "pc.example.com:5070;branch=z9hG4bK1";
    let first = one_sent(&bench.receive("192.0.2.2:6000", request_via(via, "OPTIONS", &[])));
    assert_eq!(first.flow.remote, "192.0.2.2:5070".parse().unwrap());
    let (query, host) = lookup(&bench.fail(&first));
    assert_eq!(host, "pc.example.com");
    assert_eq!(bench.fail(&first), [], "the place is being looked up");
    // The one that failed and the one that no local address reaches are left out.
    let addresses = ["192.0.2.2", "192.0.2.61", "2001:db8::1", "192.0.2.62"];
    let second = one_sent(&bench.answer(query, &addresses));
    assert_eq!(second.flow.remote, "192.0.2.61:5070".parse().unwrap());
    let third = one_sent(&bench.fail(&second));
    assert_eq!(third.flow.remote, "192.0.2.62:5070".parse().unwrap());
    assert_eq!(third.bytes, first.bytes);
    assert_eq!(bench.fail(&third), []);
    assert_eq!(bench.endpoint.counters().undelivered, 1);
    assert_eq!(bench.rest(), []);
}

#[test]
fn response_without_another_place_leaves_nothing_behind() {
    // 17.2.4, RFC 6026 7.1: the transaction stays, the failure is counted.
    for answer in [Some(&[][..]), Some(&["192.0.2.2"][..]), None] {
        let mut bench = Bench::new();
        let via = "pc.example.com:5070;branch=z9hG4bK1";
        let first = one_sent(&bench.receive("192.0.2.2:6000", request_via(via, "OPTIONS", &[])));
        let (query, _) = lookup(&bench.fail(&first));
        if let Some(addresses) = answer {
            assert_eq!(bench.answer(query, addresses), []);
            assert_eq!(bench.endpoint.counters().undelivered, 1);
        }
        assert_eq!(bench.rest(), []);
    }
}

#[test]
fn largest_datagram_is_read() {
    let mut bench = Bench::new();
    let head = request("MESSAGE", &[]);
    let head = String::from_utf8(head.to_vec())
        .unwrap()
        .replace("Content-Length: 0\r\n", "");
    let mut bytes = head.into_bytes();
    bytes.resize(65_507, b'x');
    // 3261-18.1.1-05
    let out = bench.receive("192.0.2.2:5070", bytes);
    let Some(Output::Event(Event::Request {
        message, request, ..
    })) = out.first()
    else {
        panic!("{out:?}");
    };
    assert_eq!(message.bytes().len(), 65_507);
    // 3261-17.2.3-16: the answer goes to this transaction, by its handle.
    let (request, mut out) = (*request, Vec::new());
    let mut view = bench.endpoint.request(request).unwrap();
    view.respond(Time::ZERO, StatusCode::OK, Outgoing::default(), &mut out)
        .unwrap();
    assert!(sent(&out).pop().unwrap().bytes.starts_with(b"SIP/2.0 200 "));
}

//! RFC 3263 4.3: a host with several addresses.

use drongo::call::Invitation;
use drongo::endpoint::{Answer, Event, Input, Output, Query, Transmit};
use drongo::locate::{Question, Records};
use drongo::message::Message;
use drongo::time::Time;

use super::{Bench, one_sent, response, sent};

const BOTH: [&str; 2] = ["192.0.2.2", "192.0.2.3"];

/// A request to a host with two addresses, as it goes to the first.
fn asked(bench: &mut Bench, method: Option<&str>) -> Transmit {
    let mut out = Vec::new();
    let bob = Invitation::new("sip:bob@example.org", "sip:alice@192.0.2.1").unwrap();
    match method {
        None => bench.endpoint.place(bench.now, 1, bob, &mut out).unwrap(),
        Some(method) => {
            let endpoint = &mut bench.endpoint;
            endpoint.ask(bench.now, 1, method, bob, &mut out).unwrap()
        }
    };
    // There are neither NAPTR nor SRV records.
    loop {
        match &out[..] {
            [
                Output::Query {
                    id,
                    query: Query::Dns(Question::Addresses { .. }),
                },
            ] => return one_sent(&bench.answer(*id, &BOTH)),
            [Output::Query { id, .. }] => {
                let (id, answer) = (*id, Answer::Dns(Records::None));
                out.clear();
                let input = Input::Answer { id, answer };
                bench.endpoint.receive(bench.now, input, &mut out);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// How it ended, if it did.
fn ended(out: &[Output]) -> Option<String> {
    out.iter().find_map(|output| match output {
        Output::Event(Event::Ended { reason, .. }) => Some(format!("{reason:?}")),
        _ => None,
    })
}

/// Runs the timers until something is sent elsewhere than to the first address, or all is over.
fn elsewhere(bench: &mut Bench) -> Option<Transmit> {
    while let Some(due) = bench.endpoint.deadline() {
        let mut out = Vec::new();
        bench.now = due;
        bench.endpoint.on_deadline(due, &mut out);
        let moved = |transmit: &Transmit| transmit.flow.remote.ip().to_string() == BOTH[1];
        if let Some(transmit) = sent(&out).into_iter().find(moved) {
            return Some(transmit);
        }
    }
    None
}

fn header(transmit: &Transmit, name: &str) -> String {
    let message = Message::parse(transmit.bytes.clone()).unwrap();
    let value = message.all_named(name).next().unwrap();
    String::from_utf8_lossy(value).into_owned()
}

fn is_the_same_elsewhere(first: &Transmit, second: &Transmit) {
    assert_eq!(second.flow.remote.to_string(), "192.0.2.3:5060");
    // 3261-8.1.2-05, 3263-4.3-02, 3263-4.3-54
    for name in ["Call-ID", "CSeq", "From", "To"] {
        assert_eq!(header(first, name), header(second, name), "{name}");
    }
    assert_ne!(header(first, "Via"), header(second, "Via"));
}

// 3261-8.1.2-04
#[test]
fn server_that_is_unavailable_is_passed_over() {
    // 3263-4.3-01, 3261-21-06
    for method in [None, Some("MESSAGE")] {
        let mut bench = Bench::new();
        let first = asked(&mut bench, method);
        let out = bench.receive("192.0.2.2:5060", response(&first, 503));
        assert_eq!(ended(&out), None);
        // An INVITE has its ACK first.
        let second = sent(&out).pop().unwrap();
        is_the_same_elsewhere(&first, &second);
        // There is no third.
        let out = bench.receive("192.0.2.3:5060", response(&second, 503));
        assert!(ended(&out).unwrap().starts_with("Refused"), "{out:?}");
        bench.rest();
    }
}

#[test]
fn silence_and_a_transport_that_cannot_send_lead_elsewhere() {
    // 3263-4.3-01
    for method in [None, Some("MESSAGE")] {
        let mut bench = Bench::new();
        let first = asked(&mut bench, method);
        let second = elsewhere(&mut bench).unwrap();
        is_the_same_elsewhere(&first, &second);

        let mut bench = Bench::new();
        let first = asked(&mut bench, method);
        let second = one_sent(&bench.fail(&first));
        is_the_same_elsewhere(&first, &second);
    }
}

#[test]
fn timeout_after_a_provisional_response_leads_nowhere_else() {
    // 3263-4.3-03
    let mut bench = Bench::new();
    let first = asked(&mut bench, Some("MESSAGE"));
    bench.receive("192.0.2.2:5060", response(&first, 100));
    assert_eq!(elsewhere(&mut bench), None);
    assert!(bench.endpoint.is_idle());
}

#[test]
fn other_refusals_end_the_search() {
    // 3263-4.3-55
    for status in [404, 408, 500, 600] {
        let mut bench = Bench::new();
        let first = asked(&mut bench, None);
        let out = bench.receive("192.0.2.2:5060", response(&first, status));
        assert!(ended(&out).is_some(), "{status}");
        assert_eq!(elsewhere(&mut bench), None);
    }
}

#[test]
fn cancel_goes_where_the_invite_went_last() {
    // 3261-9.1-14
    let mut bench = Bench::new();
    let first = asked(&mut bench, None);
    let out = bench.receive("192.0.2.2:5060", response(&first, 503));
    let second = sent(&out).pop().unwrap();
    bench.receive("192.0.2.3:5060", response(&second, 180));
    let call = bench.endpoint.call_handles().next().unwrap();
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(call).unwrap();
    call.hang_up(bench.now, &mut out).unwrap();
    let cancel = one_sent(&out);
    assert!(cancel.bytes.starts_with(b"CANCEL "));
    assert_eq!(cancel.flow, second.flow);
    assert_eq!(header(&cancel, "Via"), header(&second, "Via"));
}

#[test]
fn invite_that_is_cancelled_goes_nowhere_else() {
    let mut bench = Bench::new();
    asked(&mut bench, None);
    let call = bench.endpoint.call_handles().next().unwrap();
    let mut out = Vec::new();
    bench
        .endpoint
        .call(call)
        .unwrap()
        .hang_up(Time::ZERO, &mut out)
        .unwrap();
    assert_eq!(elsewhere(&mut bench), None);
    assert!(bench.endpoint.is_idle());
}

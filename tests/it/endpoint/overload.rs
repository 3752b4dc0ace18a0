//! Too much work: what is refused and how, what never is, and who is left alone.

use std::time::Duration;

use bytes::Bytes;
use drongo::call::{EndReason, Invitation};
use drongo::endpoint::{
    Answer, CallHandle, Config, Dropped, Event, Input, Output, Query, Transmit,
};
use drongo::locate::{Question, Records};
use drongo::message::{Body, Message, Outgoing, StatusCode};
use drongo::overload::{Algorithm, Bound, FeedbackPolicy};
use drongo::time::Time;
use drongo::transaction::Failure;
use drongo::transport::{Flow, FlowId, Local, Transport};

use super::{Bench, HERE, config, one_sent, reply, request, request_via, sent};

const PEER: &str = "192.0.2.2:5070";
const CONTACT: (&str, &str) = ("Contact", "<sip:b@192.0.2.2:5070>");

fn limited(rate: u32) -> Bench {
    let mut config = config();
    config.limits.request_rate = Some(rate);
    config.limits.request_burst = Some(1);
    Bench::with(config)
}

fn with_feedback(prefer: Algorithm) -> Config {
    let mut config = config();
    let mut feedback = FeedbackPolicy::default();
    feedback.prefer = prefer;
    config.overload.feedback = Some(feedback);
    config
}

/// Lets time pass; what is due on the way is done.
fn pass(bench: &mut Bench, to: Time) {
    while let Some(due) = bench.endpoint.deadline().filter(|due| *due <= to) {
        bench.endpoint.on_deadline(due, &mut Vec::new());
    }
    bench.now = to;
}

/// An INVITE of a call of its own.
fn invite(number: u32) -> Bytes {
    invite_via(number, "")
}

fn invite_via(number: u32, params: &str) -> Bytes {
    let via = format!("192.0.2.2:5070;branch=z9hG4bKi{number}{params}");
    let text = request_via(&via, "INVITE", &[CONTACT]).to_vec();
    let text = String::from_utf8(text).unwrap();
    let call_id = format!("Call-ID: {number}@192.0.2.2");
    text.replace("Call-ID: 1@192.0.2.2", &call_id).into()
}

fn value(bytes: &Bytes, name: &str) -> Option<String> {
    let message = Message::parse(bytes.clone()).unwrap();
    let value = message.all_named(name).next().map(<[u8]>::to_vec);
    value.map(|value| String::from_utf8(value).unwrap())
}

fn incoming(out: &[Output]) -> Option<CallHandle> {
    out.iter().find_map(|output| match output {
        Output::Event(Event::Incoming { call, .. }) => Some(*call),
        _ => None,
    })
}

fn place(bench: &mut Bench, ordinal: u64, target: &str) -> Vec<Output> {
    let mut out = Vec::new();
    let invitation = Invitation::new(target, "sip:alice@192.0.2.1").unwrap();
    let endpoint = &mut bench.endpoint;
    endpoint
        .place(bench.now, ordinal, invitation, &mut out)
        .unwrap();
    out
}

fn failure(out: &[Output]) -> Option<Failure> {
    out.iter().find_map(|output| match output {
        Output::Event(Event::Ended {
            reason: EndReason::Failed(failure),
            ..
        }) => Some(*failure),
        _ => None,
    })
}

/// A request within the dialog that this 2xx has made.
fn within(ok: &Transmit, method: &str, cseq: u32, branch: &str) -> String {
    let to = value(&ok.bytes, "To").unwrap();
    let call_id = value(&ok.bytes, "Call-ID").unwrap();
    let via = format!("192.0.2.2:5070;branch=z9hG4bK{branch}");
    let text = request_via(&via, method, &[CONTACT]).to_vec();
    String::from_utf8(text)
        .unwrap()
        .replace("To: <sip:alice@192.0.2.1>", &format!("To: {to}"))
        .replace("Call-ID: 1@192.0.2.2", &format!("Call-ID: {call_id}"))
        .replace(
            &format!("CSeq: 1 {method}"),
            &format!("CSeq: {cseq} {method}"),
        )
}

#[test]
fn invite_over_the_rate_gets_503_and_so_do_its_copies() {
    let mut bench = limited(1);
    assert!(incoming(&bench.receive(PEER, invite(1))).is_some());
    assert_eq!(bench.endpoint.transactions(), 1);
    let out = bench.receive(PEER, invite(2));
    let refusal = one_sent(&out);
    assert!(refusal.bytes.starts_with(b"SIP/2.0 503 "));
    let after = value(&refusal.bytes, "Retry-After").unwrap();
    assert!((5..=10).contains(&after.parse::<u32>().unwrap()), "{after}");
    assert!(out.contains(&Output::Event(Event::OverloadBegan { bound: Bound::Rate })));
    assert!(out.contains(&Output::Dropped(Dropped::Overload)));
    // 3261-8.2.7-01: nothing is kept of it, and its copy gets the same bytes; also once there is
    // room again.
    for seconds in [0, 1, 31] {
        pass(&mut bench, Time::from_secs(seconds));
        assert_eq!(one_sent(&bench.receive(PEER, invite(2))), refusal);
    }
    assert_eq!(bench.endpoint.transactions(), 1);
    let counters = bench.endpoint.counters();
    let split = (counters.offered, counters.admitted, counters.turned_away);
    assert_eq!(split, (2, 1, 1));
    assert_eq!((counters.refusals_repeated, counters.overloads), (3, 1));
    // No copy comes after 64*T1: it is a new request.
    pass(&mut bench, Time::from_secs(33));
    assert!(incoming(&bench.receive(PEER, invite(2))).is_some());
}

#[test]
fn ack_for_a_503_is_absorbed_and_counted() {
    let mut bench = limited(0);
    let refusal = one_sent(&bench.receive(PEER, invite(2)));
    let to = value(&refusal.bytes, "To").unwrap();
    let ack = String::from_utf8(invite(2).to_vec()).unwrap();
    let ack = ack
        .replace("INVITE", "ACK")
        .replace("To: <sip:alice@192.0.2.1>", &format!("To: {to}"));
    assert_eq!(bench.receive(PEER, ack.clone()), []);
    assert_eq!(bench.endpoint.counters().refusals_acknowledged, 1);
    // 17.2.3: the branch says which INVITE it is for, as long as that is known.
    let other = ack.replace(";tag=", ";tag=x");
    assert_eq!(bench.receive(PEER, other.clone()), []);
    assert_eq!(bench.endpoint.counters().refusals_acknowledged, 2);
    // PAINS 75: an ACK that is for nothing of ours is not answered either.
    let stray = [Output::Dropped(Dropped::StrayAck)];
    let foreign = ack.replace("branch=z9hG4bKi2", "branch=z9hG4bKi3");
    assert_eq!(bench.receive(PEER, foreign), stray);
    // When it is not known any more, the tag does.
    pass(&mut bench, Time::from_secs(33));
    assert_eq!(bench.receive(PEER, ack), []);
    assert_eq!(bench.receive(PEER, other), stray);
    assert_eq!(bench.endpoint.counters().refusals_acknowledged, 3);
}

#[test]
fn overload_begins_once_and_ends_once() {
    let mut bench = limited(0);
    for number in 0..5 {
        bench.receive(PEER, invite(number));
    }
    let due = bench.endpoint.deadline().unwrap();
    assert_eq!(due, Time::from_secs(1));
    let mut out = Vec::new();
    bench.endpoint.on_deadline(due, &mut out);
    let [Output::Event(Event::OverloadEnded { episode })] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!((episode.refused, episode.shed), (5, 0));
    assert_eq!(bench.endpoint.counters().overloads, 1);
    assert!(bench.endpoint.is_idle());
}

#[test]
fn what_belongs_to_a_call_is_never_refused() {
    // DESIGN section 5: never ACK, CANCEL, PRACK, responses or requests in a dialog.
    let mut config = config().method("INFO");
    config.reliable = drongo::call::reliable::Policy::Supported;
    let mut bench = Bench::with(config);
    let out = bench.receive(PEER, invite(1));
    let answered = incoming(&out).unwrap();
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(answered).unwrap();
    let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    call.answer(bench.now, answer, &mut out).unwrap();
    let ok = one_sent(&out);
    // One that can be cancelled, one with a PRACK to come, and one of this side's.
    bench.receive(PEER, invite(2));
    let supports = String::from_utf8(invite(3).to_vec()).unwrap();
    let supports = supports.replace("Contact:", "Supported: 100rel\r\nContact:");
    let ringing = incoming(&bench.receive(PEER, supports)).unwrap();
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(ringing).unwrap();
    let offer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    let session = StatusCode::SESSION_PROGRESS;
    call.progress(bench.now, session, offer, &mut out).unwrap();
    let reliable = sent(&out).pop().unwrap();
    let rseq = value(&reliable.bytes, "RSeq").unwrap();
    let own = bench.place();

    bench
        .endpoint
        .set_request_rate(bench.now, Some(0), &mut Vec::new());
    let refused = one_sent(&bench.receive(PEER, invite(4)));
    assert!(refused.bytes.starts_with(b"SIP/2.0 503 "));

    let out = bench.receive(PEER, within(&ok, "ACK", 1, "a"));
    assert!(matches!(
        out[..],
        [Output::Event(Event::Acknowledged { .. })]
    ));
    let cancel = String::from_utf8(invite(2).to_vec()).unwrap();
    let out = bench.receive(PEER, cancel.replace("INVITE", "CANCEL"));
    let said: Vec<Bytes> = sent(&out).into_iter().map(|sent| sent.bytes).collect();
    assert!(said[0].starts_with(b"SIP/2.0 200 ") && said[1].starts_with(b"SIP/2.0 487 "));
    let prack = within(&reliable, "PRACK", 2, "p");
    let prack = prack.replace("Contact:", &format!("RAck: {rseq} 1 INVITE\r\nContact:"));
    let prack = prack.replace(
        "Content-Length: 0\r\n\r\n",
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    );
    let out = bench.receive(PEER, prack);
    assert!(one_sent(&out).bytes.starts_with(b"SIP/2.0 200 "), "{out:?}");
    for (cseq, method, status) in [(2, "INFO", ""), (3, "OPTIONS", "200"), (4, "UPDATE", "200")] {
        let out = bench.receive(PEER, within(&ok, method, cseq, method));
        match status {
            "" => assert!(matches!(out[..], [Output::Event(Event::Request { .. })])),
            status => {
                let said = one_sent(&out).bytes;
                assert!(said.starts_with(format!("SIP/2.0 {status} ").as_bytes()));
            }
        }
    }
    let reoffer = bench.receive(PEER, within(&ok, "INVITE", 5, "r"));
    assert!(matches!(
        reoffer[..],
        [Output::Event(Event::Reoffered { .. })]
    ));
    let out = bench.receive(PEER, reply(&own, 180, &[]));
    assert!(matches!(out[..], [Output::Event(Event::Progress { .. })]));
    let out = bench.receive(PEER, within(&ok, "BYE", 6, "b"));
    assert!(
        sent(&out)
            .iter()
            .any(|sent| sent.bytes.starts_with(b"SIP/2.0 200 "))
    );
    let counters = bench.endpoint.counters();
    assert_eq!((counters.turned_away, counters.shed), (1, 0));
}

#[test]
fn requests_that_make_no_sense_without_a_dialog_are_no_new_work() {
    let mut bench = limited(0);
    for method in ["BYE", "PRACK", "UPDATE"] {
        let out = bench.receive(PEER, request(method, &[]));
        let expected: &[u8] = match method {
            "PRACK" => b"SIP/2.0 405 ",
            _ => b"SIP/2.0 481 ",
        };
        assert!(one_sent(&out).bytes.starts_with(expected), "{method}");
    }
    assert_eq!(bench.endpoint.counters().offered, 0);
}

#[test]
fn new_requests_of_any_method_are_refused() {
    let mut bench = limited(0);
    for method in ["INVITE", "OPTIONS", "MESSAGE", "INFO", "REGISTER"] {
        let out = bench.receive(PEER, request(method, &[CONTACT]));
        assert!(
            one_sent(&out).bytes.starts_with(b"SIP/2.0 503 "),
            "{method}"
        );
    }
    assert_eq!(bench.endpoint.counters().turned_away, 5);
}

fn delayed(bench: &mut Bench, transport: Transport, bytes: Bytes, wait: u64) -> Vec<Output> {
    let mut out = Vec::new();
    bench.now = Time::from_secs(100);
    let flow = Flow {
        id: FlowId::new(u64::from(transport == Transport::Tcp)),
        transport,
        local: HERE.parse().unwrap(),
        remote: PEER.parse().unwrap(),
    };
    let arrived = Time::from_millis(100_000 - wait);
    let input = Input::Delayed {
        flow,
        bytes,
        arrived,
    };
    bench.endpoint.receive(bench.now, input, &mut out);
    out
}

#[test]
fn request_that_waited_is_refused_and_one_that_waited_long_is_dropped() {
    let mut bench = Bench::with(config().local(Local::new(Transport::Tcp, HERE.parse().unwrap())));
    // 3261 17.1.1.2: nobody has sent it again before T1.
    let out = delayed(&mut bench, Transport::Udp, invite(1), 500);
    assert!(incoming(&out).is_some());
    let out = delayed(&mut bench, Transport::Udp, invite(2), 501);
    assert!(one_sent(&out).bytes.starts_with(b"SIP/2.0 503 "));
    let out = delayed(&mut bench, Transport::Udp, invite(3), 1_001);
    assert_eq!(out, [Output::Dropped(Dropped::Shed)]);
    // Nobody repeats what came over a stream.
    let out = delayed(&mut bench, Transport::Tcp, invite(4), 1_001);
    assert!(one_sent(&out).bytes.starts_with(b"SIP/2.0 503 "));
    // 3261-18.2.1: what is not new is served, however late.
    let out = delayed(&mut bench, Transport::Udp, request("BYE", &[]), 5_000);
    assert!(one_sent(&out).bytes.starts_with(b"SIP/2.0 481 "));
    let counters = bench.endpoint.counters();
    assert_eq!(
        (
            counters.offered,
            counters.admitted,
            counters.turned_away,
            counters.shed
        ),
        (4, 1, 2, 1)
    );
    let capacity = bench.endpoint.capacity(bench.now);
    assert_eq!((capacity.bound, capacity.load), (Bound::Queue, 5_000_000));
    assert!(capacity.is_overloaded && capacity.delay.is_some());
}

#[test]
fn emergency_goes_first_only_where_its_mark_is_believed() {
    for (believed, status) in [(false, &b"SIP/2.0 503 "[..]), (true, b"SIP/2.0 100 ")] {
        let mut config = config();
        config.limits.request_rate = Some(1);
        config.limits.request_burst = Some(1);
        config.overload.emergencies = believed;
        config.timers.trying = Duration::ZERO;
        let mut bench = Bench::with(config);
        bench.receive(PEER, invite(1));
        let marked = String::from_utf8(invite(2).to_vec()).unwrap();
        let marked = marked.replace("Contact:", "Resource-Priority: esnet.1, q735.0\r\nContact:");
        // 7339-5.10-02
        let out = bench.receive(PEER, marked);
        assert!(sent(&out)[0].bytes.starts_with(status), "{out:?}");
    }
}

#[test]
fn server_that_says_when_to_come_again_is_left_alone_until_then() {
    // 3261-21-04, 3263-4.3-56, 5390-5-01; PAINS 75, 76
    let mut bench = Bench::new();
    let first = one_sent(&place(&mut bench, 1, "sip:bob@192.0.2.2:5070"));
    bench.receive(PEER, reply(&first, 503, &[("Retry-After", "30 (full)")]));
    let server = PEER.parse().unwrap();
    assert_eq!(bench.endpoint.held_until(server), Some(Time::from_secs(30)));

    pass(&mut bench, Time::from_secs(29));
    let out = place(&mut bench, 2, "sip:carol@192.0.2.2:5070");
    assert_eq!(
        (sent(&out).len(), failure(&out)),
        (0, Some(Failure::Withheld))
    );
    assert_eq!(bench.endpoint.counters().withheld, 1);
    // Another port is another server.
    one_sent(&place(&mut bench, 3, "sip:carol@192.0.2.2:5071"));

    pass(&mut bench, Time::from_secs(30));
    one_sent(&place(&mut bench, 4, "sip:carol@192.0.2.2:5070"));
    assert_eq!(bench.endpoint.held_until(server), None);
    bench.rest();
}

#[test]
fn refusal_that_names_no_time_holds_nothing() {
    // 3261-21-03
    for (status, after) in [(503, None), (480, Some("30")), (503, Some("soon"))] {
        let mut bench = Bench::new();
        let first = one_sent(&place(&mut bench, 1, "sip:bob@192.0.2.2:5070"));
        let headers: Vec<_> = after
            .map(|after| ("Retry-After", after))
            .into_iter()
            .collect();
        bench.receive(PEER, reply(&first, status, &headers));
        one_sent(&place(&mut bench, 2, "sip:bob@192.0.2.2:5070"));
    }
}

#[test]
fn time_that_nobody_would_wait_is_cut_short() {
    let mut bench = Bench::new();
    let first = one_sent(&place(&mut bench, 1, "sip:bob@192.0.2.2:5070"));
    bench.receive(PEER, reply(&first, 503, &[("Retry-After", "99999999999")]));
    let until = bench.endpoint.held_until(PEER.parse().unwrap());
    assert_eq!(until, Some(Time::from_secs(3_600)));
}

#[test]
fn call_that_stands_goes_on_with_a_server_that_is_held() {
    let mut bench = Bench::new();
    let standing = one_sent(&place(&mut bench, 1, "sip:bob@192.0.2.2:5070"));
    let contact = ("Contact", "<sip:bob@192.0.2.2:5070>");
    bench.receive(PEER, reply(&standing, 200, &[contact]));
    let other = one_sent(&place(&mut bench, 2, "sip:bob@192.0.2.2:5070"));
    bench.receive(PEER, reply(&other, 503, &[("Retry-After", "30")]));
    let call = bench.endpoint.call_handles().next().unwrap();
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(call).unwrap();
    call.hang_up(bench.now, &mut out).unwrap();
    // Its BYE goes to the Contact in the 2xx that `reply` adds first.
    assert!(one_sent(&out).bytes.starts_with(b"BYE "));
}

/// Answers what is asked of DNS, with two addresses, and gives what is sent.
fn located(bench: &mut Bench, mut out: Vec<Output>) -> Vec<Output> {
    while let Some(id) = out.iter().find_map(|output| match output {
        Output::Query {
            id,
            query: Query::Dns(Question::Addresses { .. }),
        } => Some(Ok(*id)),
        Output::Query { id, .. } => Some(Err(*id)),
        _ => None,
    }) {
        out = match id {
            Ok(id) => bench.answer(id, &["192.0.2.2", "192.0.2.3"]),
            Err(id) => {
                let mut out = Vec::new();
                let answer = Answer::Dns(Records::None);
                let input = Input::Answer { id, answer };
                bench.endpoint.receive(bench.now, input, &mut out);
                out
            }
        };
    }
    out
}

#[test]
fn request_for_a_server_that_is_held_goes_to_the_next() {
    // 3261-21-05, 7339-5.10-01
    let mut bench = Bench::new();
    let out = place(&mut bench, 1, "sip:bob@example.org");
    let first = one_sent(&located(&mut bench, out));
    assert_eq!(first.flow.remote.to_string(), "192.0.2.2:5060");
    let out = bench.receive(
        "192.0.2.2:5060",
        reply(&first, 503, &[("Retry-After", "30")]),
    );
    // The ACK, and the INVITE to the other one: nobody is asked twice.
    let said = sent(&out);
    assert_eq!(said.len(), 2);
    assert_eq!(said[1].flow.remote.to_string(), "192.0.2.3:5060");

    let out = place(&mut bench, 2, "sip:carol@example.org");
    let out = located(&mut bench, out);
    assert_eq!(one_sent(&out).flow.remote.to_string(), "192.0.2.3:5060");
    let second = one_sent(&out);
    assert_eq!(failure(&out), None);
    let out = bench.receive(
        "192.0.2.3:5060",
        reply(&second, 503, &[("Retry-After", "30")]),
    );
    // Both are held: it ends with what the server said, and the next call is not sent at all.
    assert!(out.iter().any(|output| matches!(
        output,
        Output::Event(Event::Ended {
            reason: EndReason::Refused { .. },
            ..
        })
    )));
    let out = place(&mut bench, 3, "sip:carol@example.org");
    let out = located(&mut bench, out);
    assert_eq!(
        (sent(&out).len(), failure(&out)),
        (0, Some(Failure::Withheld))
    );
}

#[test]
fn servers_that_are_remembered_are_bounded() {
    let mut config = config();
    config.limits.restraints = 1;
    let mut bench = Bench::with(config);
    for (ordinal, host) in [(1, "192.0.2.2"), (2, "192.0.2.3")] {
        let first = one_sent(&place(&mut bench, ordinal, &format!("sip:bob@{host}")));
        let refusal = reply(&first, 503, &[("Retry-After", "30")]);
        bench.receive(&format!("{host}:5060"), refusal);
    }
    assert_eq!(bench.endpoint.restraints(), 1);
}

fn top_via(bytes: &Bytes) -> String {
    value(bytes, "Via").unwrap()
}

#[test]
fn client_with_feedback_says_so_in_its_via() {
    // 7339-4.1-01, 7339-4.2-01
    let mut bench = Bench::with(with_feedback(Algorithm::Loss));
    let invite = one_sent(&place(&mut bench, 1, "sip:bob@192.0.2.2:5070"));
    let via = top_via(&invite.bytes);
    assert!(via.ends_with(";rport;oc;oc-algo=\"loss,rate\""), "{via}");
    // The ACK for a refusal and a CANCEL have the Via of their INVITE.
    let out = bench.receive(PEER, reply(&invite, 486, &[]));
    assert_eq!(top_via(&sent(&out)[0].bytes), via);
    let mut bench = Bench::new();
    let invite = one_sent(&place(&mut bench, 1, "sip:bob@192.0.2.2:5070"));
    assert!(top_via(&invite.bytes).ends_with(";rport"));
}

/// The response of a server that gives feedback.
fn told(invite: &Transmit, status: u16, feedback: &str) -> Bytes {
    let response = String::from_utf8(reply(invite, status, &[]).to_vec()).unwrap();
    response
        .replace(";oc;oc-algo=\"loss,rate\"", feedback)
        .into()
}

#[test]
fn client_leaves_out_what_the_server_cannot_take() {
    // 7339-4.1-03, 7339-5.5-01, 7339-5.4-02
    let mut bench = Bench::with(with_feedback(Algorithm::Loss));
    let first = one_sent(&place(&mut bench, 0, "sip:bob@192.0.2.2:5070"));
    let half = ";oc=50;oc-algo=\"loss\";oc-validity=2000;oc-seq=7.5";
    bench.receive(PEER, told(&first, 180, half));
    assert_eq!(bench.endpoint.restraints(), 1);
    let goes = |bench: &mut Bench, ordinal| {
        let out = place(bench, ordinal, "sip:bob@192.0.2.2:5070");
        assert_eq!(failure(&out).is_some(), sent(&out).is_empty());
        !sent(&out).is_empty()
    };
    let gone = (1..=10).filter(|n| goes(&mut bench, *n)).count();
    assert_eq!(gone, 5);
    assert_eq!(bench.endpoint.counters().withheld, 5);
    // 7339-5.7-01: the server ends it.
    bench.receive(
        PEER,
        told(
            &first,
            180,
            ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=8.0",
        ),
    );
    assert!((11..=20).all(|n| goes(&mut bench, n)));
}

#[test]
fn feedback_that_this_side_did_not_ask_for_counts_for_nothing() {
    let mut bench = Bench::new();
    let first = one_sent(&place(&mut bench, 0, "sip:bob@192.0.2.2:5070"));
    let text = String::from_utf8(reply(&first, 180, &[]).to_vec()).unwrap();
    let all = ";rport;oc=100;oc-algo=\"loss\"";
    bench.receive(PEER, text.replace(";rport", all));
    assert_eq!(bench.endpoint.restraints(), 0);
}

#[test]
fn server_gives_feedback_to_who_asks_and_in_each_response() {
    // 7339-4.1-02, 7339-4.2-02, 7339-4.4-01, 7339-5.1-01, 7339-5.11-01
    let mut config = with_feedback(Algorithm::Rate);
    config.timers.trying = Duration::ZERO;
    let mut bench = Bench::with(config);
    bench.now = Time::from_millis(2_500);
    let asks = ";rport;oc;oc-algo=\"loss,rate\"";
    let out = bench.receive(PEER, invite_via(1, asks));
    let trying = one_sent(&out).bytes;
    let expected = "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKi1;rport=5070;received=192.0.2.2;\
                    oc=0;oc-algo=\"rate\";oc-validity=0;oc-seq=2.50000";
    assert_eq!(top_via(&trying), expected);
    let call = incoming(&out).unwrap();
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(call).unwrap();
    call.reject(
        bench.now,
        StatusCode::BUSY_HERE,
        Outgoing::default(),
        &mut out,
    )
    .unwrap();
    assert_eq!(top_via(&one_sent(&out).bytes), expected);
    // Who does not ask is told nothing.
    let out = bench.receive(PEER, invite_via(2, ";rport"));
    assert!(!top_via(&one_sent(&out).bytes).contains("oc"));
}

#[test]
fn overloaded_server_tells_how_much_less_and_leaves_retry_after_out() {
    // 7339-5.10.2-01, 7339-7.1-01
    let mut config = with_feedback(Algorithm::Loss);
    config.limits.request_rate = Some(10);
    config.limits.request_burst = Some(1);
    let mut bench = Bench::with(config);
    let asks = ";rport;oc;oc-algo=\"loss,rate\"";
    let mut last = Vec::new();
    for number in 0..41 {
        bench.now = Time::from_millis(50 * u64::from(number));
        let out = bench.receive(PEER, invite_via(number, asks));
        last.extend(sent(&out));
    }
    let refusals = last
        .iter()
        .filter(|sent| sent.bytes.starts_with(b"SIP/2.0 503 "));
    let last = refusals.last().unwrap();
    assert_eq!(value(&last.bytes, "Retry-After"), None);
    let via = top_via(&last.bytes);
    assert!(
        via.contains(";oc=50;oc-algo=\"loss\";oc-validity=2000;oc-seq=1."),
        "{via}"
    );
}

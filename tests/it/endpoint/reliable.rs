//! RFC 3262 as it stands on the wire: what an endpoint writes and what becomes of what it reads.

use std::time::Duration;

use drongo::call::reliable::Policy;
use drongo::endpoint::{CallHandle, Event, Output, Transmit};
use drongo::message::HeaderList;
use drongo::message::{Body, Message, Name, NameAddr, Outgoing, Reply, StatusCode, Via};

use super::{Bench, one_sent, read, request_via, sent};

const PEER: &str = "192.0.2.2:5070";

fn bench() -> Bench {
    let mut config = super::config();
    config.reliable = Policy::Supported;
    Bench::with(config)
}

fn message(transmit: &Transmit) -> Message {
    Message::parse(transmit.bytes.clone()).unwrap()
}

fn text(message: &Message, name: Name) -> Option<String> {
    let value = message.first(name)?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}

fn sdp() -> Outgoing {
    Outgoing::default().with_body(Body::sdp("v=0\r\n"))
}

/// An INVITE that supports the extension, without an offer.
fn invite() -> String {
    let headers = [
        ("Supported", "100rel"),
        ("Contact", "<sip:bob@192.0.2.2:5070>"),
        ("Record-Route", "<sip:192.0.2.3;lr>"),
    ];
    let bytes = request_via("192.0.2.2:5070;branch=z9hG4bK1", "INVITE", &headers);
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A call that has come in, and the 183 that goes out with an offer.
fn early(bench: &mut Bench) -> (CallHandle, Message) {
    let out = bench.receive(PEER, invite());
    let call = out.iter().find_map(|output| match output {
        Output::Event(Event::Incoming { call, .. }) => Some(*call),
        _ => None,
    });
    let call = call.unwrap();
    let mut out = Vec::new();
    let session = StatusCode::SESSION_PROGRESS;
    let mut view = bench.endpoint.call(call).unwrap();
    view.progress(bench.now, session, sdp(), &mut out).unwrap();
    (call, message(&one_sent(&out)))
}

/// A request of the peer within the dialog of that response.
fn within(response: &Message, method: &str, cseq: u32, branch: &str, headers: &str) -> String {
    let to = text(response, Name::To).unwrap();
    format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5070;branch={branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@192.0.2.2>;tag=b\r\nTo: {to}\r\nCall-ID: 1@192.0.2.2\r\n\
         CSeq: {cseq} {method}\r\n{headers}Content-Length: 0\r\n\r\n"
    )
}

fn prack(response: &Message, branch: &str, more: &str) -> String {
    let rseq = text(response, Name::RSeq).unwrap();
    let headers = format!("RAck: {rseq} 1 INVITE\r\n{more}");
    within(response, "PRACK", 2, branch, &headers)
}

fn answer_to_offer(response: &Message, branch: &str) -> String {
    let prack = prack(response, branch, "Content-Type: application/sdp\r\n");
    prack.replace(
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 5\r\n\r\nv=0\r\n",
    )
}

fn status(transmit: &Transmit) -> u16 {
    message(transmit).status_code().unwrap().as_u16()
}

#[test]
fn reliable_response_says_so_numbers_itself_and_makes_a_dialog() {
    // 3262-3-11, 3262-3-12, 3262-3-17
    let (_, response) = early(&mut bench());
    assert_eq!(text(&response, Name::Require).unwrap(), "100rel");
    assert_eq!(response.count(Name::RSeq), 1);
    let to = text(&response, Name::To).unwrap();
    assert!(NameAddr::parse(to.as_bytes()).unwrap().tag().is_some());
    assert_eq!(
        text(&response, Name::RecordRoute).unwrap(),
        "<sip:192.0.2.3;lr>"
    );
    assert!(response.first(Name::Contact).is_some());
}

#[test]
fn reliable_response_is_repeated_in_its_transaction_until_its_prack() {
    // 3262-3-22, 3262-3-28, 3262-3-29
    let mut bench = bench();
    let (_, response) = early(&mut bench);
    let mut repeated = Vec::new();
    for _ in 0..3 {
        let mut out = Vec::new();
        bench.now = bench.endpoint.deadline().unwrap();
        bench.endpoint.on_deadline(bench.now, &mut out);
        repeated.extend(sent(&out));
    }
    assert_eq!(repeated.len(), 3);
    for copy in &repeated {
        assert_eq!(&copy.bytes, response.bytes());
    }
    let prack = answer_to_offer(&response, "z9hG4bK2");
    let answer = one_sent(&bench.receive(PEER, prack.clone()));
    assert_eq!(status(&answer), 200);
    // The same PRACK again gets the same answer.
    assert_eq!(one_sent(&bench.receive(PEER, prack)), answer);
    // Another one acknowledges nothing any more.
    let other = self::prack(&response, "z9hG4bK3", "").replace("2 PRACK", "3 PRACK");
    assert_eq!(status(&one_sent(&bench.receive(PEER, other))), 481);
    bench.now = (bench.now + Duration::from_secs(30)).unwrap();
    let mut out = Vec::new();
    bench.endpoint.on_deadline(bench.now, &mut out);
    assert_eq!(sent(&out), []);
}

#[test]
fn prack_is_looked_at_as_any_request_within_a_dialog() {
    // 3262-3-30
    let mut bench = bench();
    let (_, response) = early(&mut bench);
    let wanting = prack(&response, "z9hG4bK2", "Require: magic\r\n");
    assert_eq!(status(&one_sent(&bench.receive(PEER, wanting))), 420);
    let late = answer_to_offer(&response, "z9hG4bK3").replace("2 PRACK", "1 PRACK");
    assert_eq!(status(&one_sent(&bench.receive(PEER, late))), 500);
    let strange = answer_to_offer(&response, "z9hG4bK4").replace("tag=b", "tag=c");
    assert_eq!(status(&one_sent(&bench.receive(PEER, strange))), 481);
    let right = answer_to_offer(&response, "z9hG4bK5").replace("2 PRACK", "3 PRACK");
    assert_eq!(status(&one_sent(&bench.receive(PEER, right))), 200);
}

#[test]
fn cancel_ends_the_repetition_at_once() {
    // 3262-3-46
    let mut bench = bench();
    let (_, response) = early(&mut bench);
    let via = text(&response, Name::Via).unwrap();
    let branch = Via::parse(via.as_bytes())
        .unwrap()
        .branch()
        .unwrap()
        .to_owned();
    let cancel = within(&response, "CANCEL", 1, &branch, "");
    let to = text(&response, Name::To).unwrap();
    let cancel = cancel.replace(&to, "<sip:alice@192.0.2.1>");
    let statuses: Vec<u16> = sent(&bench.receive(PEER, cancel))
        .iter()
        .map(status)
        .collect();
    assert_eq!(statuses, [200, 487]);
    let rest = bench.rest();
    assert!(
        rest.iter().all(|transmit| status(transmit) == 487),
        "{rest:?}"
    );
}

#[test]
fn only_responses_to_invite_are_numbered() {
    // 3262-3-06
    let mut bench = bench();
    let options = [("Supported", "100rel"), ("Require", "100rel")];
    for method in ["OPTIONS", "MESSAGE"] {
        let via = format!("192.0.2.2:5070;branch=z9hG4bK{method}");
        let out = bench.receive(PEER, request_via(&via, method, &options[..1]));
        let request = out.iter().find_map(|output| match output {
            Output::Event(Event::Request { request, .. }) => Some(*request),
            _ => None,
        });
        let mut all = sent(&out);
        if let Some(request) = request {
            let mut out = Vec::new();
            let mut view = bench.endpoint.request(request).unwrap();
            view.respond(bench.now, StatusCode::OK, Outgoing::default(), &mut out)
                .unwrap();
            all.extend(sent(&out));
        }
        assert_eq!(all.len(), 1);
        assert_eq!(message(&all[0]).count(Name::RSeq), 0);
        assert_eq!(message(&all[0]).count(Name::Require), 0);
    }
}

/// A reliable 180 to this side's INVITE, through a proxy that stays in the way.
fn ringing(invite: &Transmit, rseq: &str) -> bytes::Bytes {
    let headers = HeaderList::new()
        .with("Contact", "<sip:bob@192.0.2.99:5099>")
        .and_then(|list| list.with("Record-Route", "<sip:192.0.2.3;lr>"))
        .and_then(|list| list.with("Require", "100rel"))
        .unwrap();
    let reply = Reply::new(&read(invite.bytes.clone()));
    let bytes = reply.write(StatusCode::RINGING, None, Some("b"), &headers, None);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let text = text.replacen(
        "Require: 100rel",
        &format!("Require: 100rel\r\nRSeq: {rseq}"),
        1,
    );
    text.into()
}

#[test]
fn invite_offers_the_extension_and_prack_goes_within_the_dialog_it_made() {
    // 3262-4-02, 3262-4-03, 3262-4-09, 3262-4-10, 3262-4-11, 3262-4-24
    let mut bench = bench();
    let invite = bench.place();
    let placed = message(&invite);
    assert!(text(&placed, Name::Supported).unwrap().contains("100rel"));
    assert_eq!(placed.count(Name::Require), 0);
    let prack = one_sent(&bench.receive(PEER, ringing(&invite, "988789")));
    assert_eq!(prack.flow.remote, "192.0.2.3:5060".parse().unwrap());
    let prack = message(&prack);
    assert_eq!(prack.method_bytes(), Some(&b"PRACK"[..]));
    assert_eq!(prack.uri_bytes(), Some(&b"sip:bob@192.0.2.99:5099"[..]));
    assert_eq!(text(&prack, Name::Route).unwrap(), "<sip:192.0.2.3;lr>");
    assert_eq!(text(&prack, Name::RAck).unwrap(), "988789 1 INVITE");
    assert_eq!(text(&prack, Name::CSeq).unwrap(), "2 PRACK");
    assert_eq!(text(&prack, Name::CallId), text(&placed, Name::CallId));
    assert_eq!(text(&prack, Name::From), text(&placed, Name::From));
    assert!(text(&prack, Name::To).unwrap().ends_with(";tag=b"));
    assert_eq!(text(&prack, Name::MaxForwards).unwrap(), "70");
    assert_ne!(text(&prack, Name::Via), text(&placed, Name::Via));
    assert_eq!(prack.count(Name::Require), 0);
    // A response that cannot be numbered is one that is not reliable (7.1).
    for wrong in ["0", "4294967296", "-1", "x"] {
        let out = bench.receive(PEER, ringing(&invite, wrong));
        assert_eq!(sent(&out), [], "{wrong}");
    }
}

#[test]
fn update_to_nothing_is_answered_481() {
    // 3311-5.2-11
    let mut bench = bench();
    let outside = request_via("192.0.2.2:5070;branch=z9hG4bK7", "UPDATE", &[]);
    assert_eq!(status(&one_sent(&bench.receive(PEER, outside))), 481);
    let (_, response) = early(&mut bench);
    let stray = within(&response, "UPDATE", 2, "z9hG4bK8", "").replace("tag=b", "tag=c");
    assert_eq!(status(&one_sent(&bench.receive(PEER, stray))), 481);
}

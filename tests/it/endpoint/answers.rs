//! What an endpoint says by itself: to OPTIONS, to a SIPS or SIP URI that is not wanted, and in a 100.

use drongo::endpoint::{Config, Event, Output, Schemes};
use drongo::message::{Body, Message, Name};
use drongo::time::Time;

use super::{Bench, HERE, config, one_sent, request, request_via, sent};

const PEER: &str = "192.0.2.2:5070";
const CONTACT: (&str, &str) = ("Contact", "<sip:bob@192.0.2.2:5070>");

fn with(change: impl FnOnce(&mut Config)) -> Bench {
    let mut config = config();
    change(&mut config);
    Bench::with(config)
}

/// The only response to a request of the peer.
fn said(bench: &mut Bench, bytes: impl Into<bytes::Bytes>) -> Message {
    Message::parse(one_sent(&bench.receive(PEER, bytes)).bytes).unwrap()
}

fn status(message: &Message) -> u16 {
    message.status_code().unwrap().as_u16()
}

fn value(message: &Message, name: Name) -> String {
    let value = message.first(name).unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}

/// A request of the peer with each of its SIP URIs a SIPS URI, but for the Contact.
fn secured(method: &str, headers: &[(&str, &str)]) -> String {
    let text = String::from_utf8(request(method, headers).to_vec()).unwrap();
    text.replacen("sip:", "sips:", 1)
}

#[test]
fn options_are_answered_with_what_describes_media_if_that_is_taken() {
    let described = || with(|config| config.description = Some(Body::sdp("v=0\r\n")));
    for (accept, body) in [
        (None, "v=0\r\n"),
        (Some("application/sdp"), "v=0\r\n"),
        (Some("text/plain, application/*;q=0.5"), "v=0\r\n"),
        (Some("text/plain"), ""),
        (Some(""), ""),
    ] {
        let mut bench = described();
        let accept: Vec<_> = accept.map(|value| ("Accept", value)).into_iter().collect();
        let ok = said(&mut bench, request("OPTIONS", &accept));
        // 3261-11.2-06, 3261-11.2-07
        assert_eq!((status(&ok), ok.body_slice()), (200, body.as_bytes()));
        let kind = if body.is_empty() {
            ""
        } else {
            "application/sdp"
        };
        assert_eq!(value(&ok, Name::ContentType), kind);
    }
    let ok = said(&mut Bench::new(), request("OPTIONS", &[]));
    assert_eq!((status(&ok), ok.body_slice().len()), (200, 0));
}

#[test]
fn options_within_a_call_are_answered_with_it_too() {
    let mut bench = with(|config| config.description = Some(Body::sdp("v=0\r\n")));
    bench.receive(PEER, request("INVITE", &[CONTACT]));
    let call = bench.endpoint.call_handles().next().unwrap();
    let mut out = Vec::new();
    let now = bench.now;
    let mut call = bench.endpoint.call(call).unwrap();
    call.ring(now, &mut out).unwrap();
    let ringing = Message::parse(one_sent(&out).bytes).unwrap();
    let to = value(&ringing, Name::To);
    let options = request_via("192.0.2.2:5070;branch=z9hG4bK2", "OPTIONS", &[]);
    let options = String::from_utf8(options.to_vec()).unwrap();
    let options = options
        .replace("To: <sip:alice@192.0.2.1>", &format!("To: {to}"))
        .replace("CSeq: 1 ", "CSeq: 2 ");
    let ok = said(&mut bench, options);
    assert_eq!((status(&ok), ok.body_slice()), (200, &b"v=0\r\n"[..]));
}

#[test]
fn sips_that_is_not_wanted_is_refused_with_a_warning() {
    let mut bench = with(|config| config.schemes = Schemes::Sip);
    for method in ["INVITE", "OPTIONS", "MESSAGE"] {
        let refused = said(&mut bench, secured(method, &[]));
        assert_eq!(status(&refused), 480);
        // 5630-5.1.2-01, 5630-5.1.2-51
        let warning = format!("380 {HERE} \"SIPS Not Allowed\"");
        assert_eq!(value(&refused, Name::Warning), warning);
    }
    assert_eq!(status(&said(&mut bench, request("OPTIONS", &[]))), 200);
}

#[test]
fn sip_is_refused_with_a_warning_where_sips_is_wanted() {
    let mut bench = with(|config| config.schemes = Schemes::Sips);
    for method in ["INVITE", "OPTIONS", "MESSAGE"] {
        let refused = said(&mut bench, request(method, &[]));
        assert_eq!(status(&refused), 480);
        // 5630-5.1.2-02, 5630-5.1.2-52
        let warning = format!("381 {HERE} \"SIPS Required\"");
        assert_eq!(value(&refused, Name::Warning), warning);
    }
    assert_eq!(status(&said(&mut bench, secured("OPTIONS", &[]))), 200);
}

#[test]
fn call_to_a_sips_uri_from_a_sip_contact_is_a_contradiction() {
    let refused = said(&mut Bench::new(), secured("INVITE", &[CONTACT]));
    // 5630-5.1.2-03, 5630-5.1.2-53
    assert_eq!(status(&refused), 400);
    let contact = [("Contact", "<sips:bob@192.0.2.2:5070>")];
    let out = Bench::new().receive(PEER, secured("INVITE", &contact));
    assert!(matches!(out[..], [Output::Event(Event::Incoming { .. })]));
    // What names no target, and a binding of a registration, is no contradiction.
    assert_eq!(
        status(&said(&mut Bench::new(), secured("OPTIONS", &[]))),
        200
    );
}

#[test]
fn late_100_says_how_late_it_is() {
    for (timestamp, says) in [("54", "54 0.200"), ("54.25", "54.25 0.200"), ("", "")] {
        let mut bench = Bench::new();
        let timestamp: Vec<_> = [("Timestamp", timestamp)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        bench.receive(PEER, request("INVITE", &timestamp));
        bench.now = bench.endpoint.deadline().unwrap();
        assert_eq!(bench.now, Time::from_millis(200));
        let mut out = Vec::new();
        bench.endpoint.on_deadline(bench.now, &mut out);
        let trying = Message::parse(sent(&out)[0].bytes.clone()).unwrap();
        assert_eq!(status(&trying), 100);
        // 3261-8.2.6.1-02, 3261-8.2.6.1-03
        assert_eq!(value(&trying, Name::Timestamp), says);
    }
}

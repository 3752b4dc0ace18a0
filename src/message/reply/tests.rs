use alloc::format;
use alloc::string::{String, ToString};

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::message::mutation::mutated;
use crate::message::{Incoming, Message, ParseError, ParseErrorKind, parse};

const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bKnashds8;rport\r\n\
    v: SIP/2.0/TCP a;branch=1,SIP/2.0/TCP b\r\n\
    Record-Route: <sip:p1.example.com;lr>\r\n\
    Max-Forwards: 70\r\n\
    t: Bob\r\n <sip:bob@biloxi.com>\r\n\
    From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710\r\n\
    CSeq: 314159 INVITE\r\n\
    Timestamp: 54\r\n\
    Record-Route: <sip:p2.example.com;lr>\r\n\
    Subject: not copied\r\n\r\n";

fn request(text: &str, source: Option<&str>) -> Request {
    let Ok(Incoming::Request(mut request)) = parse(text.to_string().into(), &Limits::DEFAULT)
    else {
        panic!("not a request");
    };
    if let Some(source) = source {
        request.stamp_source(source.parse().unwrap());
    }
    request
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn top_via(via: &str, source: &str) -> String {
    let text = INVITE.replace(
        "SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bKnashds8;rport",
        via,
    );
    let reply = Reply::new(&request(&text, Some(source)));
    String::from_utf8(reply.top_via_value().to_vec()).unwrap()
}

#[test]
fn a_response_copies_what_8_2_6_names_and_nothing_else() {
    // 3261-7-01, 3261-7-02, 3261-7.3.1-04, 3261-7.1-07
    let reply = Reply::new(&request(INVITE, Some("192.0.2.1:9988")));
    let headers = HeaderList::new()
        .with("Contact", "<sip:bob@192.0.2.4>")
        .unwrap();
    let body = Body::sdp("v=0\r\n");
    let bytes = reply.write_in_dialog(StatusCode::OK, None, Some("a6c85cf"), &headers, Some(&body));
    assert_eq!(
        text(&bytes),
        "SIP/2.0 200 OK\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bKnashds8;rport=9988;received=192.0.2.1\r\n\
        Via: SIP/2.0/TCP a;branch=1,SIP/2.0/TCP b\r\n\
        From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
        Call-ID: a84b4c76e66710\r\n\
        CSeq: 314159 INVITE\r\n\
        To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n\
        Record-Route: <sip:p1.example.com;lr>\r\n\
        Record-Route: <sip:p2.example.com;lr>\r\n\
        Contact: <sip:bob@192.0.2.4>\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 5\r\n\r\nv=0\r\n"
    );
    let message = Message::parse(bytes).unwrap();
    assert!(matches!(message.check(), Ok(Incoming::Response(_))));
}

proptest! {
    /// What is known to be plain is written as anything else.
    #[test]
    fn plain_request_has_the_reply_of_any(
        via in "SIP/2\\.0/UDP a(:5060)?(;y)?;(branch|BRANCH)=z9hG4bK[a-z]{1,3}(;rport|;RPORT|;rport=7)?(;x=1)?(,SIP/2\\.0/UDP b)?",
        tag in "(;tag=[a-z]{1,4})?",
        more in prop::collection::vec(
            prop::sample::select(Vec::from([
                "Record-Route: <sip:p.example.com;lr>\r\n",
                "v: SIP/2.0/TCP c;branch=1\r\n",
                "Timestamp: 54\r\n",
                "Subject: folded\r\n here\r\n",
                "Accept-Encoding: gzip\r\n",
                "Organization: x\r\n",
            ])),
            0..3,
        ),
    ) {
        let text = format!(
            "OPTIONS sip:b@c SIP/2.0\r\nVia: {via}\r\n{}f: <sip:a@b>;tag=1\r\nTo: Bob <sip:b@c>{tag}\r\n\
             i: x\r\nCSeq: 1  OPTIONS\r\n\r\n",
            more.concat(),
        );
        for source in [None, Some("192.0.2.1:9988")] {
            let request = request(&text, source);
            let mut draft = Draft::of(&request);
            draft.asks_for_rport_alone = false;
            let general = draft.lines(request.source()).unwrap();
            prop_assert_eq!(&Lines::of(&request), &general);
            let odd = via.contains(',')
                || more.iter().any(|line| !matches!(line.as_bytes(), [b'A' | b'O', ..]));
            match request.is_plainly_routed() {
                true => prop_assert_eq!(Lines::of_plain(&request), general),
                false => prop_assert!(odd, "{text}"),
            }
        }
    }
}

#[test]
fn a_100_copies_timestamp_and_gets_no_tag() {
    let reply = Reply::new(&request(INVITE, None));
    let list = HeaderList::new();
    let trying = text(&reply.write(StatusCode::TRYING, None, Some("x"), &list, None));
    assert!(trying.contains("\r\nTimestamp: 54\r\n"), "{trying}");
    assert!(!trying.contains("tag=x"), "{trying}");
    assert!(
        trying.ends_with("\r\nContent-Length: 0\r\n\r\n"),
        "{trying}"
    );
    let ringing = text(&reply.write(StatusCode::RINGING, None, Some("x"), &list, None));
    assert!(!ringing.contains("Timestamp"), "{ringing}");
    assert!(ringing.contains(";tag=x\r\n"), "{ringing}");
}

#[test]
fn record_route_goes_into_101_to_299_only() {
    let reply = Reply::new(&request(INVITE, None));
    let list = HeaderList::new();
    for (status, expected) in [(100, false), (101, true), (299, true), (300, false)] {
        let status = StatusCode::new(status).unwrap();
        let bytes = reply.write_in_dialog(status, None, None, &list, None);
        let message = Message::parse(bytes).unwrap();
        assert_eq!(
            message.first(Name::RecordRoute).is_some(),
            expected,
            "{status:?}"
        );
        let bytes = reply.write(status, None, None, &list, None);
        assert_eq!(Message::parse(bytes).unwrap().count(Name::RecordRoute), 0);
    }
}

#[test]
fn a_to_tag_of_the_request_stays() {
    let in_dialog = INVITE.replace(
        "<sip:bob@biloxi.com>\r\n",
        "<sip:bob@biloxi.com>;tag=old\r\n",
    );
    let reply = Reply::new(&request(&in_dialog, None));
    assert_eq!((reply.has_to_tag(), reply.to_tag()), (true, Some("old")));
    let bytes = reply.write(StatusCode::OK, None, Some("new"), &HeaderList::new(), None);
    assert!(text(&bytes).contains("\r\nTo: Bob <sip:bob@biloxi.com>;tag=old\r\n"));
    assert!(!Reply::new(&request(INVITE, None)).has_to_tag());
}

#[test]
fn received_is_added_unless_sent_by_is_the_source() {
    let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1";
    assert_eq!(top_via(via, "192.0.2.1:5060"), via);
    assert_eq!(top_via(via, "[::ffff:192.0.2.1]:5060"), via);
    assert_eq!(
        top_via(via, "192.0.2.9:5060"),
        format!("{via};received=192.0.2.9")
    );
    let name = "SIP/2.0/UDP host.example.com";
    assert_eq!(
        top_via(name, "[2001:db8::1]:7"),
        format!("{name};received=2001:db8::1")
    );
}

#[test]
fn rport_is_filled_in_only_if_it_was_asked_for() {
    let via = "SIP/2.0/UDP 192.0.2.1;rport ;branch=z9hG4bK1";
    assert_eq!(
        top_via(via, "192.0.2.1:1024"),
        "SIP/2.0/UDP 192.0.2.1;rport=1024;branch=z9hG4bK1;received=192.0.2.1"
    );
    // What the sender claims about its address is replaced.
    let lie = "SIP/2.0/UDP h;received=203.0.113.5;RPORT=1;x=\";rport\"";
    assert_eq!(
        top_via(lie, "192.0.2.1:1024"),
        "SIP/2.0/UDP h;RPORT=1;x=\";rport\";received=192.0.2.1"
    );
}

#[test]
fn only_the_first_value_of_the_top_row_is_stamped() {
    assert_eq!(
        top_via(", SIP/2.0/UDP a;rport , SIP/2.0/UDP b;rport", "192.0.2.1:7"),
        "SIP/2.0/UDP a;rport=7;received=192.0.2.1 , SIP/2.0/UDP b;rport"
    );
}

#[test]
fn stamping_a_reply_later_is_the_same() {
    let mut later = Reply::new(&request(INVITE, None));
    later.stamp_source("192.0.2.1:9988".parse().unwrap());
    assert_eq!(later, Reply::new(&request(INVITE, Some("192.0.2.1:9988"))));
    assert_eq!(later.method(), Some(Method::Invite));
    assert_eq!(later.call_id_value(), b"a84b4c76e66710");
    assert_eq!(
        later.from_value(),
        b"Alice <sip:alice@atlanta.com>;tag=1928301774"
    );
    assert_eq!(later.cseq_value(), b"314159 INVITE");
    assert_eq!(later.top_via().unwrap().rport(), Some(Some(9988)));
}

fn failed(text: &str) -> ParseError {
    parse(text.to_string().into(), &Limits::DEFAULT).unwrap_err()
}

#[test]
fn a_malformed_request_carries_its_answer() {
    // 3261-18.3-04; 4475-3.1.2.2-01, 4475-3.1.2.16-01
    let broken = [
        (
            INVITE.replace("Subject:", "l: 9999\r\nSubject:"),
            400,
            ParseErrorKind::BodyTruncated,
        ),
        (
            INVITE.replace("Subject:", "l: -999\r\nSubject:"),
            400,
            ParseErrorKind::ContentLength,
        ),
        (
            INVITE.replace("Max-Forwards:", "Max Forwards:"),
            400,
            ParseErrorKind::HeaderName,
        ),
        (
            INVITE.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
            505,
            ParseErrorKind::Version,
        ),
        (
            INVITE.replace("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"),
            400,
            ParseErrorKind::RequestUri,
        ),
        (
            INVITE.replace("bob@biloxi.com SIP", &format!("{} SIP", "b".repeat(9_000))),
            414,
            ParseErrorKind::StartLineTooLong,
        ),
        (
            format!("{INVITE}{}", "x".repeat(65_535)),
            513,
            ParseErrorKind::MessageTooLarge,
        ),
    ];
    for (text, status, kind) in broken {
        let error = failed(&text);
        assert_eq!(error.kind, kind);
        assert_eq!(error.status.map(StatusCode::as_u16), Some(status), "{kind}");
        let reply = error.reply.unwrap();
        assert_eq!(*reply, Reply::new(&request(INVITE, None)), "{kind}");
    }
}

#[test]
fn what_must_not_be_answered_is_not() {
    // 3261-18.3-03
    let truncated = INVITE.replace("Subject:", "l: 9999\r\nSubject:");
    let response = truncated.replace("INVITE sip:bob@biloxi.com SIP/2.0", "SIP/2.0 200 OK");
    let ack = truncated
        .replace("INVITE sip", "ACK sip")
        .replace("9 INVITE", "9 ACK");
    let nobody = truncated.replace("From:", "X:");
    for text in [
        response.as_str(),
        &ack,
        &nobody,
        "\r\n\r\n",
        "noise",
        "\0\0\r\n\r\n",
    ] {
        let error = failed(text);
        assert_eq!((error.status, error.reply), (None, None), "{text}");
    }
}

#[test]
fn a_via_that_cannot_be_read_is_still_echoed() {
    // 4475-3.1.2.1-01
    let text = INVITE.replace("pc33.atlanta.com:5066;branch", "192.0.2.15;;,;,,;branch");
    let error = failed(&text);
    assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
    let mut reply = error.reply.unwrap();
    reply.stamp_source("192.0.2.15:5060".parse().unwrap());
    assert!(
        reply
            .top_via_value()
            .starts_with(b"SIP/2.0/UDP 192.0.2.15;")
    );
}

#[test]
fn a_to_tag_is_found_with_and_without_folds() {
    for to in [
        "Bob <sip:b@b>;x=1;tag=old;y",
        "Bob\r\n <sip:b@b>;x=1;\r\n tag=old;y",
    ] {
        let text = INVITE.replace("Bob\r\n <sip:bob@biloxi.com>", to);
        assert_eq!(
            Reply::new(&request(&text, None)).to_tag(),
            Some("old"),
            "{to}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_is_read_is_answered_well_formed(bytes in mutated(INVITE, &["tag=x", ";rport"], 3)) {
        let source = "192.0.2.1:9988".parse().unwrap();
        let list = HeaderList::new();
        match parse(bytes.into(), &Limits::DEFAULT) {
            Ok(Incoming::Request(mut request)) => {
                let vias = request.all(Name::Via).flat_map(crate::message::split_commas).count();
                request.stamp_source(source);
                let reply = Reply::new(&request);
                let written = reply.write(StatusCode::OK, None, Some("new"), &list, None);
                let parsed = parse(written, &Limits::DEFAULT);
                let Ok(Incoming::Response(response)) = parsed else {
                    panic!("{request:?} got {parsed:?}");
                };
                prop_assert_eq!(response.call_id(), request.call_id());
                prop_assert_eq!(response.cseq(), request.cseq());
                prop_assert_eq!(response.branch(), request.branch());
                prop_assert_eq!(response.from_tag(), request.from_tag());
                prop_assert_eq!(response.to_tag(), Some(request.to_tag().unwrap_or("new")));
                prop_assert_eq!(response.top_via().received(), Some(source.ip()));
                let echoed = response.all(Name::Via).flat_map(crate::message::split_commas);
                prop_assert_eq!(echoed.count(), vias);
            }
            Ok(Incoming::Response(response)) => panic!("{response:?}"),
            Err(ParseError { status: Some(status), reply: Some(mut reply), .. }) => {
                reply.stamp_source(source);
                let written = reply.write(status, None, Some("new"), &list, None);
                let message = Message::parse(written).unwrap();
                prop_assert_eq!(message.status_code(), Some(status));
                for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
                    prop_assert_eq!(message.count(name), 1);
                }
            }
            Err(_) => {}
        }
    }
}

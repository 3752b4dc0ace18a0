//! What a session description is, and when a 2xx must carry one.

use super::script::{Script, context, headers, nothing, one, outgoing, sdp, their_invite};
use crate::call::reliable::Policy;
use crate::call::{Command, Context};
use crate::error::Misuse;
use crate::message::{Body, Incoming, Outgoing, Request, StatusCode, parse};

fn reliable() -> Context {
    Context {
        reliable: Policy::Supported,
        ..context()
    }
}

fn progress(outgoing: Outgoing) -> Command {
    let status = StatusCode::SESSION_PROGRESS;
    Command::Progress { status, outgoing }
}

/// An INVITE whose body is of this type.
fn invite_with(content_type: &str, body: &'static str) -> Request {
    let invite = their_invite(&[], None);
    let text = core::str::from_utf8(invite.bytes()).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let head = head.replace("Content-Length: 0", "");
    let text = alloc::format!(
        "{}\r\nContent-Type: {content_type}\r\n\r\n{body}",
        head.trim_end()
    );
    match parse(text.into(), &crate::limits::Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

const MIXED: &str = "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
    --b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";

#[test]
fn incoming_answer_without_what_the_2xx_owes_is_a_misuse() {
    // 3261-13.3.1.4-02 with an offer, 3261-13.3.1.4-03 without
    for body in [Some("offer"), None] {
        let mut s = Script::incoming_with(context(), &their_invite(&[], body));
        for owing in [nothing(), text(), sdp("")] {
            let result = s.command(Command::Answer(owing));
            assert!(
                matches!(result, Err(Misuse::WrongState { .. })),
                "{result:?}"
            );
        }
        s.command(Command::Answer(sdp("v=0"))).unwrap();
        assert_eq!(s.take(), ["200 INVITE 100"]);
    }
}

#[test]
fn previewed_answer_must_be_said_once_more_in_the_2xx() {
    // 3261-13.3.1.4-02: an unreliable response is no answer.
    let mut s = Script::incoming();
    s.command(progress(sdp("answer"))).unwrap();
    assert!(s.command(Command::Answer(nothing())).is_err());
    s.command(Command::Answer(sdp("answer"))).unwrap();
}

#[test]
fn reoffered_answer_without_what_the_2xx_owes_is_a_misuse() {
    // 3261-13.3.1.4-02, 3261-13.3.1.4-03
    for body in [Some("offer"), None] {
        let mut s = Script::confirmed_as_caller();
        s.request_with("INVITE", 1, Some("a"), &[], body);
        assert!(s.command(Command::Answer(nothing())).is_err());
        s.command(Command::Answer(sdp("v=0"))).unwrap();
    }
}

#[test]
fn answered_reliably_the_2xx_owes_nothing() {
    let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
    let mut s = Script::incoming_with(reliable(), &invite);
    s.command(progress(sdp("answer"))).unwrap();
    let rack = alloc::format!("{} 100 INVITE", one(&s.said(), "RSeq"));
    s.request_with("PRACK", 101, Some("them"), &[("RAck", &rack)], None);
    s.command(Command::Answer(nothing())).unwrap();
    assert_eq!(
        s.take(),
        [
            "183 INVITE 100",
            "200 PRACK 101",
            "pracked",
            "200 INVITE 100"
        ]
    );
}

fn text() -> Outgoing {
    Outgoing::new().with_body(Body::new("text/plain", "hello").unwrap())
}

#[test]
fn a_body_that_is_for_something_else_is_no_offer_and_no_answer() {
    // 3261-13.2.1-13: with the disposition `session`, or SDP without any.
    let mut s = Script::place();
    let other = [("Content-Disposition", "render;handling=optional")];
    s.respond_with("INVITE 1", 183, Some("a"), &other, Some("a picture"));
    s.respond_with("INVITE 1", 200, Some("a"), &[], Some("answer"));
    assert_eq!(
        s.take(),
        ["INVITE 1", "progress 183", "ACK 1", "answered 200"]
    );

    // The INVITE carries none, so that the 2xx would have to.
    let mut s = Script::incoming_with(context(), &invite_with("text/plain", "hello"));
    s.command(progress(text())).unwrap();
    s.command(Command::Answer(sdp("offer"))).unwrap();
    s.ack(100, "them");
    let expected = [
        "183 INVITE 100",
        "200 INVITE 100",
        "acknowledged, answer missing",
    ];
    assert_eq!(s.take(), expected);
}

#[test]
fn a_part_of_a_multipart_body_is_an_offer() {
    let invite = invite_with("multipart/mixed;boundary=b", MIXED);
    let mut s = Script::incoming_with(context(), &invite);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    assert_eq!(s.take(), ["200 INVITE 100", "acknowledged"]);

    // And in what this side says.
    let mixed = Body::new("multipart/mixed;boundary=b", MIXED).unwrap();
    let mut s = Script::incoming();
    s.command(Command::Answer(Outgoing::new().with_body(mixed)))
        .unwrap();
    assert_eq!(s.take(), ["200 INVITE 100"]);
}

#[test]
fn a_disposition_says_what_a_body_is_for_whatever_its_type() {
    // 3261-13.2.1-13
    let session = headers(&[("Content-Disposition", "session")]);
    let body = Body::new("application/x-session", "v=0").unwrap();
    let mut s = Script::incoming();
    let answer = Outgoing::new().with_headers(session).with_body(body);
    s.command(Command::Answer(answer)).unwrap();

    let mut s = Script::incoming();
    let mut early = outgoing(&[("Content-Disposition", "early-session")]);
    early.body = Some(Body::sdp("early"));
    // RFC 3959: a session of its own.
    assert!(s.command(Command::Answer(early)).is_err());
}

#[test]
fn prack_with_a_body_that_is_no_session_answers_nothing() {
    // 3262-3-45: it is as in an ACK, so the offer of this side has no answer.
    let invite = their_invite(&[("Supported", "100rel")], None);
    let mut s = Script::incoming_with(reliable(), &invite);
    s.command(progress(sdp("offer"))).unwrap();
    let rack = alloc::format!("{} 100 INVITE", one(&s.said(), "RSeq"));
    let extra = [("RAck", rack.as_str()), ("Content-Disposition", "render")];
    s.request_with("PRACK", 101, Some("them"), &extra, Some("a note"));
    assert_eq!(
        s.take(),
        ["183 INVITE 100", "200 PRACK 101", "pracked, answer missing"]
    );
}

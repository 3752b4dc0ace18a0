//! Connected identity (RFC 4916): From and To of a dialog that change.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::script::{Script, all, context, headers, invitation, nothing, one, sdp, their_invite};
use crate::call::reliable::Policy;
use crate::call::{Command, Context, Event, ServerId};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::message::{Incoming, Message, Outgoing, Reply, Request, StatusCode, parse};
use crate::transaction::Failure;

const CAROL: &str = "\"Carol\" <sip:carol@example.net>";
const BOTH: [(&str, &str); 2] = [
    ("Supported", "path, from-change"),
    ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, PRACK"),
];

fn connected() -> Context {
    Context {
        connected_identity: true,
        capabilities: headers(&[
            ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE"),
            ("Supported", "path, from-change"),
        ]),
        ..context()
    }
}

fn reliable() -> Context {
    Context {
        reliable: Policy::Supported,
        ..connected()
    }
}

fn identify(from: &str) -> Command {
    let (from, reinvite) = (from.into(), None);
    Command::Identify { from, reinvite }
}

/// Whether a list of option tags in some row has the extension.
fn says(message: &Message) -> bool {
    let rows = all(message, "Supported");
    let mut tags = rows.iter().flat_map(|row| row.split(','));
    tags.any(|tag| tag.trim() == "from-change")
}

/// A call of this side to who has the extension; its dialog has the tag `a`.
fn caller() -> Script {
    let mut s = Script::place_with(connected(), invitation());
    s.respond_with("INVITE 1", 200, Some("a"), &with_contact(), None);
    s.gone("INVITE 1");
    s.skip();
    s
}

fn with_contact() -> Vec<(&'static str, &'static str)> {
    let contact = ("Contact", "<sip:a@192.0.2.4:5070>");
    BOTH.into_iter().chain([contact]).collect()
}

/// A call to this side from who has the extension, answered and acknowledged.
fn callee() -> Script {
    let mut s = Script::incoming_with(connected(), &their_invite(&BOTH, Some("offer")));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    s
}

/// A request of the other side that says it is somebody else.
fn they_say(s: &mut Script, method: &str, cseq: u32, from: &str, body: bool) -> ServerId {
    let server = ServerId(90 + u64::from(cseq));
    let body = body.then_some("offer");
    let request = s.their_request(method, cseq, Some("them"), &BOTH, body);
    let text = core::str::from_utf8(request.bytes()).unwrap();
    let text = text.replace("<sip:them@example.org>", from);
    let Ok(Incoming::Request(request)) = parse(text.into_bytes().into(), &Limits::DEFAULT) else {
        panic!("not a request");
    };
    receive(s, server, request);
    server
}

fn receive(s: &mut Script, server: ServerId, request: Request) {
    s.receive(Event::Request {
        server,
        reply: Reply::new(&request),
        request: request.into(),
        host: bytes::Bytes::from_static(b"192.0.2.1:5060"),
    });
}

fn respond(s: &mut Script, server: ServerId, status: u16, outgoing: Outgoing) {
    let status = StatusCode::new(status).unwrap();
    s.command(Command::Respond {
        server,
        status,
        outgoing,
    })
    .unwrap();
}

/// Whom this side would hang up on.
fn to_of_bye(s: &mut Script) -> String {
    s.hang_up();
    let sent = s.take();
    let bye = sent.iter().find(|words| words.starts_with("BYE")).unwrap();
    one(&s.sent(bye), "To")
}

#[test]
fn extension_is_listed_in_an_invite_and_in_what_makes_a_dialog() {
    let s = Script::place_with(connected(), invitation());
    // 4916-4.1-01
    assert!(says(&s.sent("INVITE 1")));
    let own = sdp("offer").with_headers(headers(&[("Supported", "x")]));
    let s = Script::place_with(connected(), invitation().with(own));
    assert!(says(&s.sent("INVITE 1")));
    for context in [connected(), reliable()] {
        for own in [
            nothing(),
            nothing().with_headers(headers(&[("Supported", "x")])),
        ] {
            let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
            let mut s = Script::incoming_with(context.clone(), &invite);
            let status = StatusCode::RINGING;
            let outgoing = own.clone();
            s.command(Command::Progress { status, outgoing }).unwrap();
            // 4916-4.1-02
            assert!(says(&s.said()));
            let answer = Outgoing {
                body: sdp("answer").body,
                ..own
            };
            s.command(Command::Answer(answer)).unwrap();
            assert!(says(&s.said()));
        }
    }
    let mut s = Script::incoming();
    s.command(Command::Progress {
        status: StatusCode::RINGING,
        outgoing: nothing(),
    })
    .unwrap();
    assert!(!says(&s.said()));
}

#[test]
fn callee_says_who_answered_after_the_ack() {
    let mut s = Script::incoming_with(connected(), &their_invite(&BOTH, Some("offer")));
    s.command(identify(CAROL)).unwrap();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // RFC 4916 4.2: the other side has a dialog once it has acknowledged it.
    assert_eq!(s.take(), ["200 INVITE 100"]);
    s.ack(100, "them");
    assert_eq!(s.take(), ["acknowledged", "UPDATE 1"]);
    let update = s.sent("UPDATE 1");
    assert_eq!(
        one(&update, "From"),
        "\"Carol\" <sip:carol@example.net>;tag=me"
    );
    assert_eq!(update.to_tag(), Some("them"));
    assert!(update.body_slice().is_empty());
    s.respond("UPDATE 1", 200, "them");
    assert_eq!(s.take(), ["identified 200"]);
    s.hang_up();
    // 4916-4.4.1-02
    assert_eq!(one(&s.sent("BYE 2"), "From"), one(&update, "From"));
}

#[test]
fn callee_that_is_who_was_called_says_so_too() {
    let mut s = callee();
    // RFC 4916 4.2: "even if the URI does not differ".
    assert_eq!(s.take(), ["200 INVITE 100", "acknowledged", "UPDATE 1"]);
    assert_eq!(
        one(&s.sent("UPDATE 1"), "From"),
        "<sip:me@example.com>;tag=me"
    );
    s.respond("UPDATE 1", 200, "them");
    s.request("INFO", 101, "them");
    assert_eq!(s.take(), ["identified 200", "request INFO"]);
    for invite in [
        their_invite(&[("Allow", "UPDATE")], Some("offer")),
        their_invite(&[("Supported", "from-change")], Some("offer")),
    ] {
        let mut s = Script::incoming_with(connected(), &invite);
        s.command(Command::Answer(sdp("answer"))).unwrap();
        s.ack(100, "them");
        // Who does not list it is not told; who does not list UPDATE is not asked (3311 4).
        assert_eq!(s.take(), ["200 INVITE 100", "acknowledged"]);
    }
}

#[test]
fn callee_says_who_may_answer_after_the_first_prack() {
    let invite = [
        ("Supported", "100rel, from-change"),
        ("Allow", "UPDATE, PRACK"),
    ];
    let mut s = Script::incoming_with(reliable(), &their_invite(&invite, Some("offer")));
    s.command(identify(CAROL)).unwrap();
    let status = StatusCode::RINGING;
    let outgoing = sdp("answer");
    s.command(Command::Progress { status, outgoing }).unwrap();
    assert_eq!(s.take(), ["180 INVITE 100"]);
    let rack = alloc::format!("{} 100 INVITE", one(&s.said(), "RSeq"));
    s.request_with("PRACK", 101, Some("them"), &[("RAck", &rack)], None);
    assert_eq!(s.take(), ["200 PRACK 101", "pracked", "UPDATE 1"]);
    s.respond("UPDATE 1", 200, "them");
    s.command(Command::Answer(nothing())).unwrap();
    s.ack(100, "them");
    // It has been said.
    assert_eq!(
        s.take(),
        ["identified 200", "200 INVITE 100", "acknowledged"]
    );
}

#[test]
fn changed_identity_is_told_at_once_and_kept() {
    let mut s = caller();
    s.command(identify(CAROL)).unwrap();
    assert_eq!(s.take(), ["UPDATE 2"]);
    let from = one(&s.sent("UPDATE 2"), "From");
    assert!(from.starts_with("\"Carol\" <sip:carol@example.net>;tag="));
    // 4916-4.4.1-04
    let tag = |request: &Request| request.from().tag().unwrap().to_string();
    assert_eq!(tag(&s.sent("UPDATE 2")), tag(&s.sent("INVITE 1")));
    // 4.4.1: a refusal changes nothing.
    s.respond("UPDATE 2", 428, "a");
    assert_eq!(s.take(), ["identified 428"]);
    let info = Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    };
    s.command(info).unwrap();
    // 4916-4.4.1-02
    assert_eq!(one(&s.sent("INFO 3"), "From"), from);
    s.command(identify("sip:dave@example.net")).unwrap();
    let from = one(&s.sent("UPDATE 4"), "From");
    assert!(from.starts_with("<sip:dave@example.net>;tag="), "{from}");
}

#[test]
fn identity_that_changes_during_an_update_is_told_after_it() {
    let mut s = caller();
    let (leg, outgoing) = (None, sdp("offer"));
    s.command(Command::Update { leg, outgoing }).unwrap();
    s.command(identify(CAROL)).unwrap();
    assert_eq!(s.take(), ["UPDATE 2"]);
    s.respond_with("UPDATE 2", 200, Some("a"), &[], Some("answer"));
    assert_eq!(s.take(), ["updated 200", "UPDATE 3"]);
    s.fail("UPDATE 3", Failure::Transport);
    assert_eq!(s.take(), ["request failed Transport"]);
}

#[test]
fn identity_is_told_in_a_reinvite_that_goes_at_the_same_time() {
    let mut s = caller();
    let from = CAROL.into();
    let reinvite = Some(Box::new(sdp("offer")));
    s.command(Command::Identify { from, reinvite }).unwrap();
    assert_eq!(s.take(), ["INVITE 2"]);
    let from = one(&s.sent("INVITE 2"), "From");
    assert!(from.starts_with(CAROL), "{from}");
    s.respond_with("INVITE 2", 200, Some("a"), &[], Some("answer"));
    assert_eq!(s.take(), ["ACK 2", "updated 200"]);
    assert_eq!(one(&s.sent("ACK 2"), "From"), from);
}

#[test]
fn identity_is_not_changed_for_who_would_not_stand_it() {
    let wrong = |result| matches!(result, Err(Misuse::WrongState { .. }));
    let mut s = Script::confirmed_as_caller();
    assert!(wrong(s.command(identify(CAROL))));
    let mut s = Script::place_with(connected(), invitation());
    assert!(wrong(s.command(identify(CAROL))));
    s.respond("INVITE 1", 200, "a");
    assert!(wrong(s.command(identify(CAROL))));
    let mut s = caller();
    for from in ["<sip:x@y>;tag=1", "\r\n", "sip:a\r\nb@c"] {
        let malformed = Err(Misuse::Malformed { what: "from" });
        assert_eq!(s.command(identify(from)), malformed);
    }
}

#[test]
fn old_uri_is_taken_in_to_as_well_as_the_new_one() {
    let mut s = callee();
    s.command(identify(CAROL)).unwrap();
    s.skip();
    for (cseq, to) in [(101, "sip:me@example.com"), (102, "sip:carol@example.net")] {
        let info = s.their_request("INFO", cseq, Some("them"), &[], None);
        let text = core::str::from_utf8(info.bytes()).unwrap();
        let text = text.replace("To: <sip:me@example.com>", &alloc::format!("To: <{to}>"));
        let Ok(Incoming::Request(info)) = parse(text.into_bytes().into(), &Limits::DEFAULT) else {
            panic!("not a request");
        };
        assert!(s.call.has_dialog(Some("them")));
        receive(&mut s, ServerId(u64::from(cseq)), info);
        // 4916-4.4.1-03
        assert_eq!(s.take(), ["request INFO"]);
    }
}

#[test]
fn changed_from_in_a_request_that_is_accepted_names_the_other_side() {
    let mut s = callee();
    s.skip();
    they_say(&mut s, "UPDATE", 101, CAROL, false);
    // 4916-4.4.2-01
    let told = [
        "200 UPDATE 101",
        "peer is sip:carol@example.net",
        "refreshed",
    ];
    assert_eq!(s.take(), told);
    // 4916-4.4.1-01
    assert_eq!(
        to_of_bye(&mut s),
        "\"Carol\" <sip:carol@example.net>;tag=them"
    );

    let mut s = callee();
    s.skip();
    let server = they_say(&mut s, "INFO", 101, CAROL, false);
    assert_eq!(s.take(), ["request INFO"]);
    respond(&mut s, server, 200, nothing());
    assert_eq!(s.take(), ["200 INFO 101", "peer is sip:carol@example.net"]);

    let mut s = callee();
    s.skip();
    they_say(&mut s, "INVITE", 101, CAROL, true);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    let told = [
        "reoffered",
        "200 INVITE 101",
        "peer is sip:carol@example.net",
    ];
    assert_eq!(s.take(), told);
    assert!(s.call.has_dialog(Some("them")));
}

#[test]
fn changed_from_in_a_request_that_is_refused_names_nobody() {
    let old = "<sip:them@example.org>;tag=them";
    let mut s = callee();
    let server = they_say(&mut s, "UPDATE", 101, CAROL, true);
    respond(&mut s, server, 488, nothing());
    // 4916-4.4.2-02
    assert_eq!(to_of_bye(&mut s), old);
    let mut s = callee();
    they_say(&mut s, "INVITE", 101, CAROL, true);
    s.command(Command::Reject {
        status: StatusCode::BUSY_HERE,
        outgoing: nothing(),
    })
    .unwrap();
    assert_eq!(to_of_bye(&mut s), old);
    // A number that is not above the last.
    let mut s = callee();
    they_say(&mut s, "INFO", 100, CAROL, false);
    assert_eq!(to_of_bye(&mut s), old);
}

#[test]
fn same_uri_in_other_words_names_nobody_else() {
    let mut s = callee();
    s.skip();
    they_say(
        &mut s,
        "UPDATE",
        101,
        "\"Them\" <sip:them@EXAMPLE.org>",
        false,
    );
    assert_eq!(s.take(), ["200 UPDATE 101", "refreshed"]);
}

#[test]
fn without_the_extension_a_changed_from_names_nobody() {
    let mut s = Script::confirmed_as_callee();
    they_say(&mut s, "UPDATE", 101, CAROL, false);
    // 3261 12.2.1.1: the remote URI is that of the beginning.
    assert_eq!(to_of_bye(&mut s), "<sip:them@example.org>;tag=them");
}

#[test]
fn fork_that_answers_late_is_told_of_nobody_else() {
    let mut s = Script::place_with(connected(), invitation());
    s.respond_with("INVITE 1", 200, Some("a"), &with_contact(), None);
    s.command(identify(CAROL)).unwrap();
    s.command(identify("sip:dave@example.net")).unwrap();
    s.respond("INVITE 1", 200, "b");
    // It has not said that it would stand that.
    let invite = one(&s.sent("INVITE 1"), "From");
    assert_eq!(one(&s.sent("ACK 1"), "From"), invite);
    assert_eq!(one(&s.sent("BYE 2"), "From"), invite);
    assert_eq!(s.sent("BYE 2").to_tag(), Some("b"));
    s.hang_up();
    s.respond("BYE 3", 200, "a");
    s.respond("INVITE 1", 200, "c");
    assert_eq!(one(&s.sent("ACK 1"), "From"), invite);
}

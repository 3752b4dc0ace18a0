//! What RFC 3262, RFC 6337 and RFC 6228 say of single messages, read off the messages.

use alloc::format;
use alloc::string::String;

use super::script::{Script, all, context, invitation, nothing, one, sdp, secs, their_invite};
use crate::call::reliable::Policy;
use crate::call::{Command, Context, LegId, ServerId};
use crate::message::{Message, Outgoing, StatusCode};
use crate::time::Time;

fn reliable() -> Context {
    Context {
        reliable: Policy::Supported,
        ..context()
    }
}

/// Keeps so many responses that come too early.
fn keeping(provisionals_ahead: usize) -> Context {
    let mut context = reliable();
    context.limits.provisionals_ahead = provisionals_ahead;
    context
}

fn incoming(extra: &[(&str, &str)], body: Option<&'static str>) -> Script {
    Script::incoming_with(reliable(), &their_invite(extra, body))
}

fn progress(status: u16, outgoing: Outgoing) -> Command {
    let status = StatusCode::new(status).unwrap();
    Command::Progress { status, outgoing }
}

fn respond(server: ServerId, status: u16, outgoing: Outgoing) -> Command {
    let status = StatusCode::new(status).unwrap();
    Command::Respond {
        server,
        status,
        outgoing,
    }
}

fn update(outgoing: Outgoing) -> Command {
    Command::Update {
        leg: None,
        outgoing,
    }
}

fn rseq(message: &Message) -> u32 {
    one(message, "RSeq").parse().unwrap()
}

fn prack(s: &mut Script, cseq: u32, rack: &str, body: Option<&'static str>) -> ServerId {
    s.request_with("PRACK", cseq, Some("them"), &[("RAck", rack)], body)
}

/// A reliable 183 of the other side, with its RSeq.
fn rings(s: &mut Script, tag: &str, rseq: &str, body: Option<&'static str>) {
    let extra = [
        ("Require", "100rel"),
        ("RSeq", rseq),
        ("Record-Route", "<sip:p1.example.org;lr>"),
        ("Contact", "<sip:desk@192.0.2.9>"),
    ];
    s.respond_with("INVITE 1", 183, Some(tag), &extra, body);
}

#[test]
fn incoming_reliable_response_says_that_it_is_and_makes_the_dialog() {
    let route = ("Record-Route", "<sip:p1.example.org;lr>");
    let mut s = incoming(&[("Supported", "100rel"), route], Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let said = s.said();
    // 3262-3-11, 3262-3-12, 3261-8.2.4-04
    assert_eq!(one(&said, "Require"), "100rel");
    assert!((1..1 << 31).contains(&rseq(&said)));
    // 3262-3-17
    assert_eq!(said.to_tag(), Some("me"));
    assert_eq!(one(&said, "Record-Route"), "<sip:p1.example.org;lr>");
    assert_eq!(all(&said, "Contact").len(), 1);
    // 3262-3-16
    assert_eq!(said.body_slice(), b"answer");
    assert!(s.call.has_dialog(Some("them")));
}

#[test]
fn incoming_reliable_response_comes_again_over_tcp_too() {
    let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
    let invite = super::script::over("TCP", &invite);
    let mut s = Script::incoming_with(reliable(), &invite);
    s.command(progress(180, nothing())).unwrap();
    s.run_to(Time::from_millis(1500));
    // 3262-3-20
    assert_eq!(s.take(), ["180 INVITE 100"; 3]);
}

#[test]
fn incoming_prack_is_a_request_in_the_dialog() {
    let mut s = incoming(&[("Supported", "100rel")], Some("offer"));
    s.command(progress(180, nothing())).unwrap();
    let rack = format!("{} 100 INVITE", rseq(&s.said()));
    // 3262-3-30: an old CSeq.
    prack(&mut s, 99, &rack, None);
    assert_eq!(s.take(), ["180 INVITE 100", "500 PRACK 99"]);
    prack(&mut s, 101, &rack, None);
    // 3262-3-29
    assert_eq!(s.take(), ["200 PRACK 101", "pracked"]);
    // 3262-3-06: nothing of it in what answers other requests.
    assert_eq!(all(&s.said(), "RSeq"), [""; 0]);
    assert_eq!(all(&s.said(), "Require"), [""; 0]);
    s.request("UPDATE", 102, "them");
    assert_eq!(all(&s.said(), "RSeq"), [""; 0]);
    assert_eq!(s.said().status(), StatusCode::OK);
}

#[test]
fn incoming_cancel_ends_the_copies_and_says_487_at_once() {
    let mut s = incoming(&[("Supported", "100rel")], Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    s.skip();
    s.cancel(ServerId(1));
    // 3262-3-46
    assert_eq!(s.take(), ["487 INVITE 100", "ended: cancelled by caller"]);
    s.run_to(secs(31));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn incoming_offer_of_its_own_goes_only_in_an_update() {
    let mut s = incoming(&[("Supported", "100rel")], Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let rack = format!("{} 100 INVITE", rseq(&s.said()));
    prack(&mut s, 101, &rack, None);
    s.skip();
    // 6337-3.2-02
    // 6337-3.2-51, 6337-2.2-54: the exchange is complete; another description is an offer.
    assert!(s.command(progress(183, sdp("offer 2"))).is_err());
    assert!(s.command(Command::Answer(sdp("offer 2"))).is_err());
    assert_eq!(s.take(), [""; 0]);
    assert_eq!(s.command(update(sdp("offer 2"))), Ok(()));
    assert_eq!(s.take(), ["UPDATE 1"]);
}

#[test]
fn incoming_exchange_that_is_made_leaves_no_more_to_say() {
    // 6337-3.1.2-51, 6337-3.1.2-02: offer in 183, answer in PRACK.
    let mut s = incoming(&[("Supported", "100rel")], None);
    s.command(progress(183, sdp("offer"))).unwrap();
    let rack = format!("{} 100 INVITE", rseq(&s.said()));
    prack(&mut s, 101, &rack, Some("answer"));
    s.skip();
    // 6337-2.2-52, 6337-2.2-29: not one placement and then another.
    assert!(s.command(Command::Answer(sdp("offer 2"))).is_err());
    s.command(Command::Answer(sdp("offer"))).unwrap();
    assert!(s.said().body_slice().is_empty());
    s.ack(100, "them");
    assert_eq!(s.take(), ["200 INVITE 100", "acknowledged"]);
}

#[test]
fn reoffered_numbers_are_the_new_invites() {
    let mut s = incoming(&[("Supported", "100rel")], Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let first = rseq(&s.said());
    prack(&mut s, 101, &format!("{first} 100 INVITE"), None);
    s.command(Command::Answer(nothing())).unwrap();
    s.ack(100, "them");
    let extra = [("Supported", "100rel")];
    s.request_with("INVITE", 102, Some("them"), &extra, Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let second = rseq(&s.said());
    s.skip();
    // 3262-3-15: the RSeq space is the INVITE's.
    prack(&mut s, 103, &format!("{second} 100 INVITE"), None);
    assert_eq!(s.take(), ["481 PRACK 103"]);
    prack(&mut s, 104, &format!("{second} 102 INVITE"), None);
    assert_eq!(s.take(), ["200 PRACK 104", "pracked"]);
}

#[test]
fn inviting_says_100rel_in_supported_and_requires_it_of_no_other_request() {
    let mut s = Script::place_with(reliable(), invitation().reliable(Policy::Supported));
    // 3262-4-03
    assert_eq!(one(&s.sent("INVITE 1"), "Supported"), "path, 100rel");
    assert_eq!(all(&s.sent("INVITE 1"), "Require"), [""; 0]);
    let invitation = invitation().reliable(Policy::Required);
    let required = Script::place_with(reliable(), invitation);
    // 3262-4-01
    assert_eq!(one(&required.sent("INVITE 1"), "Require"), "100rel");
    rings(&mut s, "a", "7", Some("answer"));
    s.respond_with("PRACK 2", 200, Some("a"), &[], None);
    s.command(update(sdp("offer"))).unwrap();
    s.respond_with("UPDATE 3", 200, Some("a"), &[], Some("answer"));
    s.respond("INVITE 1", 200, "a");
    s.hang_up();
    // 3262-4-02
    for label in ["PRACK 2", "UPDATE 3", "ACK 1", "BYE 4"] {
        let required: String = all(&s.sent(label), "Require").join(",");
        assert!(!required.contains("100rel"), "{label}: {required}");
    }
}

#[test]
fn inviting_prack_goes_within_the_dialog_that_its_response_made() {
    let mut s = Script::place();
    rings(&mut s, "a", "7", Some("answer"));
    // 3262-4-09
    assert!(s.call.has_dialog(Some("a")));
    let sent = s.sent("PRACK 2");
    // 3262-4-10
    assert_eq!(sent.uri().as_bytes(), b"sip:desk@192.0.2.9");
    assert_eq!(one(&sent, "Route"), "<sip:p1.example.org;lr>");
    assert_eq!(sent.to_tag(), Some("a"));
    assert_eq!(sent.from_tag(), s.sent("INVITE 1").from_tag());
    // 3262-4-11
    assert_eq!(one(&sent, "CSeq"), "2 PRACK");
    // 3262-4-24
    for name in ["Call-ID", "From", "To", "Via", "Max-Forwards", "RAck"] {
        assert_eq!(all(&sent, name).len(), 1, "{name}");
    }
    assert_ne!(sent.branch(), s.sent("INVITE 1").branch());
}

#[test]
fn inviting_caller_offers_again_once_the_answer_is_reliable() {
    let mut s = Script::place();
    rings(&mut s, "a", "7", Some("answer"));
    s.respond_with("PRACK 2", 200, Some("a"), &[], None);
    s.skip();
    // 6337-3.1.1-60, 3262-5-06
    s.command(update(sdp("offer 2"))).unwrap();
    s.respond_with("UPDATE 3", 200, Some("a"), &[], Some("answer 2"));
    assert_eq!(s.take(), ["UPDATE 3", "updated 200"]);
    assert_eq!(s.call.state(), "Inviting");
}

#[test]
fn inviting_rseq_that_is_none_is_not_acknowledged() {
    // 3262-7.1-01, 3262-7.1-03
    for broken in ["0", "4294967296", "x", "-1"] {
        let mut s = Script::place();
        s.skip();
        rings(&mut s, "a", broken, Some("answer"));
        assert_eq!(s.take(), ["absorbed"], "{broken}");
    }
    // 3262-7.1-02: in a final response it says nothing.
    let mut s = Script::place();
    let extra = [("RSeq", "7"), ("Contact", "<sip:a@192.0.2.4>")];
    s.respond_with("INVITE 1", 200, Some("a"), &extra, Some("answer"));
    assert_eq!(s.take(), ["INVITE 1", "ACK 1", "answered 200"]);
}

#[test]
fn inviting_reliable_response_after_the_2xx_is_dropped() {
    let mut s = Script::placed_and_answered();
    rings(&mut s, "a", "7", None);
    // 3262-4-22
    assert_eq!(s.take(), ["absorbed"]);
}

#[test]
fn inviting_legs_with_answers_are_muted_each_by_its_own_update() {
    let mut s = Script::place();
    for tag in ["b", "c"] {
        rings(&mut s, tag, "7", Some("answer"));
        s.respond_with("PRACK 2", 200, Some(tag), &[], None);
    }
    // 3960-3-03
    for (leg, tag) in [(1, "b"), (2, "c")] {
        let (leg, outgoing) = (Some(LegId(leg)), sdp("inactive"));
        s.command(Command::Update { leg, outgoing }).unwrap();
        assert_eq!(s.sent("UPDATE 3").to_tag(), Some(tag));
        s.respond_with("UPDATE 3", 200, Some(tag), &[], Some("inactive"));
    }
}

#[test]
fn inviting_end_ends_every_early_session() {
    let mut s = Script::place();
    rings(&mut s, "b", "7", Some("answer"));
    rings(&mut s, "c", "9", Some("answer"));
    s.skip();
    s.respond_with("INVITE 1", 486, Some("b"), &[], None);
    // 3960-3-01
    assert_eq!(s.take()[0], "ended: refused 486");
    assert!(!s.call.has_dialog(Some("b")) && !s.call.has_dialog(Some("c")));
    let mut s = Script::place();
    rings(&mut s, "b", "7", Some("answer"));
    s.respond("INVITE 1", 200, "b");
    assert_eq!(s.call.state(), "Confirmed");
    assert!(s.call.has_dialog(Some("b")));
}

#[test]
fn incoming_180_may_follow_early_media() {
    let mut s = incoming(&[], Some("offer"));
    s.command(progress(183, sdp("preview"))).unwrap();
    s.command(progress(180, nothing())).unwrap();
    // 3960-3-02
    assert_eq!(s.take(), ["183 INVITE 100", "180 INVITE 100"]);
}

#[test]
fn incoming_refused_prack_offer_leaves_the_answer_in_force() {
    let mut s = incoming(&[("Supported", "100rel")], Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let rack = format!("{} 100 INVITE", rseq(&s.said()));
    let server = prack(&mut s, 101, &rack, Some("offer 2"));
    // 6337-2.3-53, 6337-5.2-02, 6337-2.3-03: 200 with an answer, and then an offer of this side.
    s.command(respond(server, 200, sdp("answer 2"))).unwrap();
    assert_eq!(s.command(update(sdp("offer 3"))), Ok(()));
    assert_eq!(s.said_to(server), [200]);
}

#[test]
fn inviting_response_that_came_too_early_is_used_once_the_gap_is_closed() {
    let mut s = Script::place_with(keeping(4), invitation());
    rings(&mut s, "a", "10", None);
    assert_eq!(s.take(), ["INVITE 1", "PRACK 2", "progress 183"]);
    rings(&mut s, "a", "13", Some("answer"));
    rings(&mut s, "a", "12", None);
    rings(&mut s, "a", "12", None);
    rings(&mut s, "a", "9", None);
    assert_eq!(s.take(), ["absorbed"; 4]);
    rings(&mut s, "a", "11", None);
    // 3262-4-19
    let all = [
        "PRACK 3",
        "progress 183",
        "PRACK 4",
        "progress 183",
        "PRACK 5",
        "progress 183, answer",
    ];
    assert_eq!(s.take(), all);
    let racks = [3, 4, 5].map(|cseq| one(&s.sent(&format!("PRACK {cseq}")), "RAck"));
    assert_eq!(racks, ["11 1 INVITE", "12 1 INVITE", "13 1 INVITE"]);
    // They come again, and are copies.
    rings(&mut s, "a", "12", None);
    rings(&mut s, "a", "13", Some("answer"));
    assert_eq!(s.take(), ["absorbed"; 2]);
    // Too many are left to come again.
    for rseq in ["15", "16", "17", "18", "19"] {
        rings(&mut s, "a", rseq, None);
    }
    s.skip();
    rings(&mut s, "a", "14", None);
    assert_eq!(s.take().len(), 10);
    rings(&mut s, "a", "19", None);
    assert_eq!(s.take(), ["PRACK 11", "progress 183"]);
}

#[test]
fn reinvite_response_that_came_too_early_is_used_once_the_gap_is_closed() {
    let mut s = Script::place_with(keeping(4), invitation());
    s.respond("INVITE 1", 200, "a");
    s.skip();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    let mut rings = |rseq, body| {
        let extra = [("Require", "100rel"), ("RSeq", rseq)];
        s.respond_with("INVITE 2", 183, Some("a"), &extra, body);
        s.take()
    };
    assert_eq!(rings("1", None), ["INVITE 2", "PRACK 3", "progress 183"]);
    assert_eq!(rings("3", Some("answer")), ["absorbed"]);
    let all = ["PRACK 4", "progress 183", "PRACK 5", "progress 183, answer"];
    assert_eq!(rings("2", None), all);
}

#[test]
fn confirmed_prack_that_finds_no_dialog_on_another_fork_leaves_the_call() {
    let mut s = Script::place_with(reliable(), invitation());
    rings(&mut s, "a", "7", Some("answer"));
    s.respond_with("PRACK 2", 200, Some("a"), &[], None);
    rings(&mut s, "b", "9", Some("answer"));
    s.respond("INVITE 1", 200, "a");
    s.skip();
    // 5057-5.1-28: what it ends is not the call's own.
    s.respond_with("PRACK 2", 481, Some("b"), &[], None);
    assert_eq!(s.take(), ["response 481"]);
    assert_eq!(s.call.state(), "Confirmed");
    assert!(s.call.has_dialog(Some("a")));
}

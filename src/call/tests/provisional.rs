//! Reliable provisional responses (RFC 3262) of this side, and of the other one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::script::{Script, all, context, invitation, nothing, one, outgoing, sdp, secs};
use super::script::{headers, their_invite};
use crate::call::reliable::Policy;
use crate::call::{Command, Context, LegId, ServerId};
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::{Message, Outgoing, StatusCode};
use crate::time::Time;
use crate::transaction::Failure;

fn reliable() -> Context {
    Context {
        reliable: Policy::Supported,
        ..context()
    }
}

/// A call of somebody who supports or requires the extension.
fn incoming(header: &str, body: Option<&'static str>) -> Script {
    Script::incoming_with(reliable(), &their_invite(&[(header, "100rel")], body))
}

fn progress(status: u16, outgoing: Outgoing) -> Command {
    let status = StatusCode::new(status).unwrap();
    Command::Progress { status, outgoing }
}

fn rseq(message: &Message) -> u32 {
    one(message, "RSeq").parse().unwrap()
}

/// A PRACK of the other side.
fn prack(s: &mut Script, cseq: u32, rseq: u32, body: Option<&'static str>) -> ServerId {
    let rack = format!("{rseq} 100 INVITE");
    s.request_with("PRACK", cseq, Some("them"), &[("RAck", &rack)], body)
}

/// A reliable response of the other side.
fn rings(s: &mut Script, status: u16, tag: &str, rseq: u32, body: Option<&'static str>) {
    let (rseq, contact) = (format!("{rseq}"), format!("<sip:{tag}@192.0.2.4:5070>"));
    let extra = [
        ("Require", "100rel"),
        ("RSeq", rseq.as_str()),
        ("Contact", contact.as_str()),
    ];
    s.respond_with("INVITE 1", status, Some(tag), &extra, body);
}

fn is_wrong_state(result: Result<(), Misuse>) -> bool {
    matches!(result, Err(Misuse::WrongState { .. }))
}

#[test]
fn incoming_progress_is_reliable_as_policy_and_invite_say() {
    // 3261-8.2.4-01, PAINS 36
    let cell = |policy, asked: &[(&str, &str)]| {
        let context = Context {
            reliable: policy,
            ..context()
        };
        let mut s = Script::incoming_with(context, &their_invite(asked, Some("offer")));
        s.command(progress(180, nothing())).unwrap();
        all(&s.said(), "Require").join(",")
    };
    let supported = [("Supported", "timer, 100rel")];
    let required = [("Require", "100rel")];
    assert_eq!(cell(Policy::Off, &supported), "");
    assert_eq!(cell(Policy::Supported, &[]), "");
    assert_eq!(cell(Policy::Supported, &supported), "100rel");
    assert_eq!(cell(Policy::Supported, &required), "100rel");
    assert_eq!(cell(Policy::Required, &supported), "100rel");
}

#[test]
fn incoming_reliable_response_comes_again_until_its_prack() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["183 INVITE 100"]);
    let first = s.said();
    // 3311-4-02
    assert_eq!(one(&first, "Allow"), "INVITE, ACK, CANCEL, BYE");
    assert_eq!(one(&first, "Contact"), "<sip:me@192.0.2.1:5060>");
    s.run_to(Time::from_millis(3500));
    // 500, 1500, 3500.
    assert_eq!(s.take(), ["183 INVITE 100"; 3]);
    // PAINS 10
    assert_eq!(s.said().bytes(), first.bytes());
    prack(&mut s, 101, rseq(&first), None);
    assert_eq!(s.take(), ["200 PRACK 101", "pracked"]);
    s.run_to(secs(60));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn incoming_reliable_responses_go_one_after_another() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let first = rseq(&s.said());
    s.command(progress(180, nothing())).unwrap();
    assert_eq!(s.take(), ["183 INVITE 100"]);
    prack(&mut s, 101, first, None);
    assert_eq!(s.take(), ["200 PRACK 101", "pracked", "180 INVITE 100"]);
    assert_eq!(rseq(&s.said()), first + 1);
}

#[test]
fn incoming_wrong_prack_is_refused() {
    let mut s = incoming("Supported", Some("offer"));
    s.request("PRACK", 101, "them");
    // 3262-7.2-04
    assert_eq!(s.take(), ["400 PRACK 101"]);
    prack(&mut s, 102, 1, None);
    s.command(progress(180, nothing())).unwrap();
    let number = rseq(&s.said());
    prack(&mut s, 103, number.wrapping_add(1), None);
    assert_eq!(
        s.take(),
        ["481 PRACK 102", "180 INVITE 100", "481 PRACK 103"]
    );
    let rack = format!("{number} 100 invite");
    s.request_with("PRACK", 104, Some("them"), &[("RAck", &rack)], None);
    // 3262-7.2-02
    assert_eq!(s.take(), ["481 PRACK 104"]);
    let mut off = Script::incoming();
    prack(&mut off, 101, 1, None);
    assert_eq!(off.take(), ["481 PRACK 101"]);
}

#[test]
fn incoming_without_prack_is_refused_after_64_t1() {
    let mut s = incoming("Require", Some("offer"));
    s.command(progress(180, nothing())).unwrap();
    s.run_to(Time::from_millis(31_900));
    s.skip();
    s.run_to(secs(32));
    assert_eq!(s.take(), ["500 INVITE 100", "ended: no PRACK"]);
    // A late one is answered still; then all is over.
    assert!(s.call.has_dialog(Some("them")));
    let number = rseq(&s.said_first());
    prack(&mut s, 101, number, None);
    assert_eq!(s.take(), ["200 PRACK 101", "terminated"]);
}

#[test]
fn incoming_answer_waits_for_the_prack_of_the_answer() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let number = rseq(&s.said());
    // 6337-3.1.1-04
    // 6337-3.1.1-05
    // 6337-3.1.1-55, 6337-3.1.1-56: the same answer is not said again, another one is none.
    assert!(is_wrong_state(s.command(Command::Answer(sdp("another")))));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert!(is_wrong_state(s.command(Command::Answer(sdp("answer")))));
    assert!(is_wrong_state(s.command(progress(180, nothing()))));
    assert_eq!(s.take(), ["183 INVITE 100"]);
    prack(&mut s, 101, number, None);
    // 3262-5-07
    assert_eq!(s.take(), ["200 PRACK 101", "pracked", "200 INVITE 100"]);
    assert!(s.said().body_slice().is_empty());
    s.ack(100, "them");
    assert_eq!(s.take(), ["acknowledged"]);
    assert_eq!(s.call.deadline(), None);
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn incoming_answer_does_not_wait_for_what_only_rings() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(180, nothing())).unwrap();
    let number = rseq(&s.said());
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["180 INVITE 100", "200 INVITE 100"]);
    s.ack(100, "them");
    prack(&mut s, 101, number, None);
    assert_eq!(s.take(), ["acknowledged", "200 PRACK 101", "pracked"]);
    prack(&mut s, 102, number, None);
    assert_eq!(s.take(), ["481 PRACK 102"]);
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn incoming_held_answer_is_refused_when_no_prack_comes() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    s.command(Command::Answer(nothing())).unwrap();
    s.run_to(Time::from_millis(31_900));
    s.skip();
    s.run_to(secs(32));
    assert_eq!(s.take(), ["500 INVITE 100", "ended: no PRACK"]);
    s.run_to(secs(64));
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn incoming_prack_with_an_offer_is_the_users_to_answer() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let number = rseq(&s.said());
    let server = prack(&mut s, 101, number, Some("offer 2"));
    assert_eq!(s.take(), ["183 INVITE 100", "offered PRACK"]);
    s.command(Command::Answer(nothing())).unwrap();
    assert_eq!(s.take(), [""; 0], "the answer to the PRACK first");
    let respond = |outgoing| Command::Respond {
        server,
        status: StatusCode::OK,
        outgoing,
    };
    assert!(is_wrong_state(s.command(respond(nothing()))));
    s.command(respond(sdp("answer 2"))).unwrap();
    // 3262-5-05
    assert_eq!(s.take(), ["200 PRACK 101", "200 INVITE 100"]);
    s.ack(100, "them");
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn incoming_prack_that_was_answered_matches_no_more() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let number = rseq(&s.said());
    let server = prack(&mut s, 101, number, Some("offer 2"));
    s.command(Command::Respond {
        server,
        status: StatusCode::OK,
        outgoing: sdp("answer 2"),
    })
    .unwrap();
    s.skip();
    prack(&mut s, 102, number, None);
    // 3262-3-27
    assert_eq!(s.take(), ["481 PRACK 102"]);
}

#[test]
fn incoming_answered_twice_waits_for_the_answer_to_the_prack_all_the_same() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let number = rseq(&s.said());
    prack(&mut s, 101, number, Some("offer 2"));
    s.command(Command::Answer(nothing())).unwrap();
    s.skip();
    // 3262-5-05
    assert!(is_wrong_state(s.command(Command::Answer(nothing()))));
    assert!(is_wrong_state(s.command(progress(180, nothing()))));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn reoffered_answered_twice_waits_for_the_answer_to_the_prack_all_the_same() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    let asks = [("Supported", "100rel")];
    s.request_with("INVITE", 101, Some("them"), &asks, Some("offer 2"));
    s.command(progress(183, sdp("answer 2"))).unwrap();
    let rack = format!("{} 101 INVITE", rseq(&s.said()));
    let rack = [("RAck", rack.as_str())];
    s.request_with("PRACK", 102, Some("them"), &rack, Some("offer 3"));
    s.command(Command::Answer(nothing())).unwrap();
    s.skip();
    // 3262-5-05
    assert!(is_wrong_state(s.command(Command::Answer(nothing()))));
    assert!(is_wrong_state(s.command(progress(180, nothing()))));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn incoming_prack_whose_offer_was_refused_comes_again_without() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let number = rseq(&s.said());
    let server = prack(&mut s, 101, number, Some("offer 2"));
    let status = StatusCode::NOT_ACCEPTABLE_HERE;
    let outgoing = nothing();
    s.command(Command::Respond {
        server,
        status,
        outgoing,
    })
    .unwrap();
    s.skip();
    prack(&mut s, 102, number, None);
    // 6337-2.3-54, 6337-2.3-04
    assert_eq!(s.take(), ["200 PRACK 102"]);
    s.command(Command::Answer(nothing())).unwrap();
    assert_eq!(s.take(), ["200 INVITE 100"]);
}

#[test]
fn incoming_without_offer_makes_it_in_the_first_reliable_response() {
    let mut s = incoming("Require", None);
    // 3262-5-02, 6337-5.2.2-51, 3261-13.3.1-03
    assert!(is_wrong_state(s.command(progress(180, nothing()))));
    s.command(progress(183, sdp("offer"))).unwrap();
    let number = rseq(&s.said());
    prack(&mut s, 101, number, Some("answer"));
    assert_eq!(
        s.take(),
        ["183 INVITE 100", "200 PRACK 101", "pracked, answer"]
    );
    s.command(Command::Answer(nothing())).unwrap();
    assert_eq!(s.take(), ["200 INVITE 100"]);
    // Who leaves the choice hears the ring at once, without.
    let mut s = incoming("Supported", None);
    s.command(progress(180, nothing())).unwrap();
    assert_eq!(all(&s.said(), "RSeq"), [""; 0]);
}

#[test]
fn incoming_answer_missing_in_a_prack_says_so() {
    let mut s = incoming("Supported", None);
    s.command(progress(183, sdp("offer"))).unwrap();
    let number = rseq(&s.said());
    prack(&mut s, 101, number, None);
    assert_eq!(s.take()[1..], ["200 PRACK 101", "pracked, answer missing"]);
}

#[test]
fn incoming_reject_stops_the_copies_and_answers_a_late_prack() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(180, nothing())).unwrap();
    let number = rseq(&s.said());
    s.command(Command::Reject {
        status: StatusCode::BUSY_HERE,
        outgoing: nothing(),
    })
    .unwrap();
    assert_eq!(
        s.take(),
        ["180 INVITE 100", "486 INVITE 100", "ended: rejected 486"]
    );
    s.run_to(secs(10));
    assert_eq!(s.take(), [""; 0]);
    s.request("INFO", 101, "them");
    prack(&mut s, 102, number, None);
    assert_eq!(s.take(), ["481 INFO 101", "200 PRACK 102", "terminated"]);
}

#[test]
fn incoming_reject_answers_an_offer_in_a_late_prack_itself() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(183, sdp("answer"))).unwrap();
    let number = rseq(&s.said());
    s.command(Command::Reject {
        status: StatusCode::BUSY_HERE,
        outgoing: nothing(),
    })
    .unwrap();
    s.skip();
    prack(&mut s, 101, number, Some("offer"));
    assert_eq!(s.take(), ["487 PRACK 101", "terminated"]);
    assert_eq!(s.call.deadline(), None);
}

// 3261-13.3.1.1-03, 3262-3-09, 3262-3-10
#[test]
fn incoming_reliable_ring_is_refreshed_before_a_proxy_gives_up() {
    let mut s = incoming("Supported", Some("offer"));
    s.command(progress(180, nothing())).unwrap();
    let first = rseq(&s.said());
    prack(&mut s, 101, first, None);
    s.skip();
    s.run_to(secs(149));
    assert_eq!(s.take(), [""; 0]);
    s.run_to(secs(150));
    assert_eq!(s.take(), ["180 INVITE 100"]);
    assert_eq!(rseq(&s.said()), first + 1);
}

#[test]
fn incoming_update_waits_for_the_prack() {
    let mut s = incoming("Supported", Some("offer"));
    let update = |outgoing| Command::Update {
        leg: None,
        outgoing,
    };
    s.command(progress(183, sdp("answer"))).unwrap();
    // 3311-5.1-12, 6337-4.1-58, 6337-4.1-60, 6337-4.3-14
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    let number = rseq(&s.said());
    prack(&mut s, 101, number, None);
    s.command(update(sdp("offer"))).unwrap();
    s.skip();
    // 3311-5.2-02
    let offer = s.request_with("UPDATE", 102, Some("them"), &[], Some("offer"));
    assert_eq!(s.said_to(offer), [491]);
    s.respond_with("UPDATE 1", 200, Some("them"), &[], Some("answer"));
    let offer = s.request_with("UPDATE", 103, Some("them"), &[], Some("offer"));
    s.command(Command::Respond {
        server: offer,
        status: StatusCode::OK,
        outgoing: sdp("answer"),
    })
    .unwrap();
    // 3311-8-01
    assert_eq!(s.said_to(offer), [200]);
    s.command(Command::Answer(nothing())).unwrap();
    assert!(s.said().body_slice().is_empty());
}

#[test]
fn reoffered_with_changes_made_is_not_refused() {
    let mut s = Script::incoming_with(reliable(), &their_invite(&[], Some("offer")));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    let extra = [("Supported", "100rel"), ("Contact", "<sip:new@192.0.2.44>")];
    let server = s.request_with("INVITE", 101, Some("them"), &extra, Some("offer"));
    s.skip();
    s.command(progress(183, sdp("answer"))).unwrap();
    // RFC 6141 4.6
    assert_eq!(s.take(), ["183 INVITE 101", "target refreshed"]);
    let rack = format!("{} 101 INVITE", rseq(&s.said()));
    s.request_with("PRACK", 102, Some("them"), &[("RAck", &rack)], None);
    s.skip();
    // 6141-3.3-51, 6141-3.3-01, 6141-3.3-04, 6141-3.3-53
    let reject = Command::Reject {
        status: StatusCode::DECLINE,
        outgoing: nothing(),
    };
    assert!(is_wrong_state(s.command(reject)));
    s.cancel(server);
    // 6141-3.3-52, 6141-3.3-02, 6337-2.3-02, 6141-3.8-51, 6141-3.8-01
    assert_eq!(s.take(), ["200 INVITE 101", "reoffer cancelled"]);
}

#[test]
fn inviting_reliable_response_is_acknowledged_by_itself() {
    let mut s = Script::place();
    rings(&mut s, 183, "a", 7, Some("answer"));
    assert_eq!(s.take(), ["INVITE 1", "PRACK 2", "progress 183, answer"]);
    let sent = s.sent("PRACK 2");
    // 3262-7.2-03, PAINS 26
    assert_eq!(one(&sent, "RAck"), "7 1 INVITE");
    assert_eq!(sent.to_tag(), Some("a"));
    assert_eq!(sent.uri().as_bytes(), b"sip:a@192.0.2.4:5070");
    // 3262-4-23
    assert_eq!(all(&sent, "Contact"), [""; 0]);
    rings(&mut s, 183, "a", 7, Some("answer"));
    // A gap: 3262-4-16, 3262-4-17
    rings(&mut s, 180, "a", 9, None);
    assert_eq!(s.take(), ["absorbed"; 2]);
    // PAINS 25
    rings(&mut s, 180, "a", 8, None);
    assert_eq!(s.take(), ["PRACK 3", "progress 180"]);
    rings(&mut s, 180, "a", 9, None);
    assert_eq!(s.take(), ["PRACK 4", "progress 180"]);
    for label in ["PRACK 2", "PRACK 3", "PRACK 4"] {
        s.respond_with(label, 200, Some("a"), &[], None);
    }
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["ACK 1", "answered 200"]);
    s.gone("INVITE 1");
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn inviting_each_fork_counts_for_itself() {
    // PAINS 23, 24
    let mut s = Script::place();
    rings(&mut s, 180, "b", 7, None);
    rings(&mut s, 180, "c", 7, None);
    // 3262-4-20, 3262-4-21
    assert_eq!(
        s.take()[1..],
        ["PRACK 2", "progress 180", "PRACK 2", "progress 180"]
    );
    assert_eq!(s.sent("PRACK 2").to_tag(), Some("c"));
    assert_eq!(one(&s.sent("PRACK 2"), "RAck"), "7 1 INVITE");
}

#[test]
fn inviting_response_that_cannot_be_acknowledged_is_dropped() {
    let mut s = Script::place();
    s.skip();
    let require = [("Require", "100rel")];
    s.respond_with("INVITE 1", 180, Some("a"), &require, None);
    let both = [("Require", "100rel"), ("RSeq", "1")];
    s.respond_with("INVITE 1", 180, None, &both, None);
    assert_eq!(s.take(), ["absorbed"; 2]);
    assert!(s.call.dialog().is_none());
}

#[test]
fn inviting_offer_in_a_reliable_response_is_answered_in_the_prack() {
    let mut s = Script::place_with(reliable(), invitation().with(nothing()));
    rings(&mut s, 183, "a", 7, Some("offer"));
    assert_eq!(s.take(), ["INVITE 1", "progress 183, answer needed"]);
    let prack = |outgoing| Command::Prack {
        leg: LegId(1),
        outgoing,
    };
    assert!(is_wrong_state(s.command(prack(nothing()))));
    s.command(prack(sdp("answer"))).unwrap();
    // 3262-5-03, 3262-4-12
    assert_eq!(s.take(), ["PRACK 2"]);
    assert_eq!(s.sent("PRACK 2").body_slice(), b"answer");
    assert!(is_wrong_state(s.command(prack(sdp("answer")))));
    s.respond_with("PRACK 2", 200, Some("a"), &[], None);
    s.respond_with("INVITE 1", 200, Some("a"), &[], Some("ignored"));
    // 6337-3.1.2-52
    assert_eq!(s.take(), ["ACK 1", "answered 200"]);
}

#[test]
fn inviting_offer_that_nobody_answers_cancels() {
    let mut s = Script::place_with(reliable(), invitation().with(nothing()));
    rings(&mut s, 183, "a", 7, Some("offer"));
    s.skip();
    s.run_to(secs(32));
    assert_eq!(s.take(), ["PRACK 2", "CANCEL 1"]);
    // What nobody can read cannot be refused, but it need not come again.
    assert!(s.sent("PRACK 2").body_slice().is_empty());
    s.respond_with("INVITE 1", 487, Some("a"), &[], None);
    assert_eq!(s.take(), ["ended: no answer"]);
}

#[test]
fn inviting_success_may_overtake_the_200_of_its_prack() {
    let mut s = Script::place();
    rings(&mut s, 183, "a", 7, Some("answer"));
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take()[3..], ["ACK 1", "answered 200"]);
    // 6337-4.1-60
    let update = |outgoing| Command::Update {
        leg: None,
        outgoing,
    };
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    s.respond_with("PRACK 2", 200, Some("a"), &[], None);
    assert_eq!(s.command(update(sdp("offer"))), Ok(()));
}

#[test]
fn inviting_prack_that_meets_a_lost_dialog_cancels() {
    let mut s = Script::place();
    rings(&mut s, 180, "a", 7, None);
    s.skip();
    s.respond_with("PRACK 2", 481, Some("a"), &[], None);
    // 3262-4-25
    assert_eq!(s.take(), ["response 481", "CANCEL 1"]);
    s.respond_with("INVITE 1", 487, Some("a"), &[], None);
    assert_eq!(s.take(), ["ended: dialog lost Some(481)"]);
    let mut s = Script::place();
    rings(&mut s, 180, "a", 7, None);
    s.skip();
    s.fail("PRACK 2", Failure::Timeout);
    assert_eq!(s.take(), ["request failed Timeout", "CANCEL 1"]);
}

#[test]
fn inviting_199_ends_its_leg_and_no_other() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 180, "c");
    s.respond_with("INVITE 1", 199, Some("b"), &[], None);
    s.skip();
    // 6228-4-07, 6228-7-02, 6228-4-04
    assert!(!s.call.has_dialog(Some("b")) && s.call.has_dialog(Some("c")));
    let update = |leg| Command::Update {
        leg: Some(LegId(leg)),
        outgoing: nothing(),
    };
    assert!(is_wrong_state(s.command(update(1))));
    assert_eq!(s.command(update(2)), Ok(()));
    s.skip();
    // 6228-4-09
    s.respond_with("INVITE 1", 199, Some("x"), &[], None);
    assert_eq!(s.take(), ["absorbed"]);
    // 6228-4-10
    rings(&mut s, 199, "y", 3, None);
    assert_eq!(s.take(), ["PRACK 2", "progress 199"]);
    // 6228-4-11, 6228-4-12
    assert_eq!(s.call.state(), "Inviting");
}

#[test]
fn inviting_says_what_the_invitation_wants() {
    // PAINS 36
    let header = |policy, name| {
        let invitation = invitation().reliable(policy);
        let s = Script::place_with(context(), invitation);
        all(&s.sent("INVITE 1"), name)
    };
    assert_eq!(header(Policy::Off, "Supported"), ["path"]);
    assert_eq!(header(Policy::Supported, "Supported"), ["path, 100rel"]);
    assert_eq!(header(Policy::Supported, "Require"), [""; 0]);
    assert_eq!(header(Policy::Required, "Require"), ["100rel"]);
    let own: Vec<String> = headers(&[("Require", "x")])
        .iter()
        .map(|(.., value)| String::from_utf8_lossy(value).into_owned())
        .collect();
    assert_eq!(own, ["x"]);
    assert_eq!(outgoing(&[]).headers.iter().count(), 0);
}

#[test]
fn early_media_comes_in_any_101_to_199() {
    // PAINS 34
    for status in [101, 180, 181, 182, 183, 198] {
        let mut s = Script::place();
        s.respond_with("INVITE 1", status, Some("a"), &[], Some("answer"));
        // 6337-3.1.1-51, 6337-3.1.1-01
        assert_eq!(s.take()[1..], [format!("progress {status}, preview")]);
        // 6337-3.1.1-54, 6337-3.1.1-03
        s.respond_with("INVITE 1", 183, Some("a"), &[], Some("other"));
        assert_eq!(s.take(), ["progress 183, body ignored"]);
    }
}

#[test]
fn early_media_ring_progress_and_answer_are_separate() {
    // PAINS 35
    let mut s = incoming("Supported", Some("offer"));
    let preview = Command::Preview {
        status: StatusCode::SESSION_PROGRESS,
        outgoing: sdp("answer"),
    };
    s.command(preview).unwrap();
    assert_eq!(all(&s.said(), "RSeq"), [""; 0]);
    assert_eq!(s.said().body_slice(), b"answer");
    s.command(progress(180, nothing())).unwrap();
    let number = rseq(&s.said());
    prack(&mut s, 101, number, None);
    s.command(progress(183, sdp("answer"))).unwrap();
    assert_eq!(rseq(&s.said()), number + 1);
    prack(&mut s, 102, number + 1, None);
    s.command(Command::Answer(nothing())).unwrap();
    assert_eq!(s.said().status(), StatusCode::OK);
}

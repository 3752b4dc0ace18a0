//! UPDATE (RFC 3311) both ways, in early and confirmed dialogs.

use alloc::string::String;
use alloc::vec::Vec;

use super::script::{Script, all, nothing, one, outgoing, sdp, secs};
use crate::call::{Command, LegId, ServerId, Timer};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::{Method, Outgoing, StatusCode};
use crate::time::Time;
use crate::transaction::Failure;

fn update(outgoing: Outgoing) -> Command {
    Command::Update {
        leg: None,
        outgoing,
    }
}

fn respond(server: ServerId, status: u16, outgoing: Outgoing) -> Command {
    Command::Respond {
        server,
        status: StatusCode::new(status).unwrap(),
        outgoing,
    }
}

/// A confirmed call whose UPDATE with an offer is out.
fn updating() -> Script {
    let mut s = Script::confirmed_as_caller();
    s.command(update(sdp("offer"))).unwrap();
    assert_eq!(s.take(), ["UPDATE 2"]);
    s
}

fn offered(s: &mut Script, cseq: u32, tag: &str) -> ServerId {
    let contact = [("Contact", "<sip:new@192.0.2.44>")];
    s.request_with("UPDATE", cseq, Some(tag), &contact, Some("offer"))
}

fn is_wrong_state(result: Result<(), Misuse>) -> bool {
    matches!(result, Err(Misuse::WrongState { .. }))
}

#[test]
fn confirmed_update_is_a_request_within_the_dialog() {
    let s = updating();
    let sent = s.sent("UPDATE 2");
    // 3311-5.1-01, 3311-5.1-05
    assert_eq!(one(&sent, "CSeq"), "2 UPDATE");
    assert_eq!(sent.to_tag(), Some("a"));
    assert_eq!(sent.uri().as_bytes(), b"sip:a@192.0.2.4:5070");
    assert_eq!(one(&sent, "Contact"), one(&s.sent("INVITE 1"), "Contact"));
    assert_eq!(sent.body_slice(), b"offer");
}

#[test]
fn updating_success_tells_the_answer_and_refreshes_the_target() {
    let mut s = updating();
    let extra = [
        ("Contact", "<sip:moved@192.0.2.44>"),
        ("Record-Route", "<sip:p1.example.org;lr>"),
    ];
    s.respond_with("UPDATE 2", 200, Some("a"), &extra, Some("answer"));
    // 3311-5.3-10, PAINS 47
    assert_eq!(s.take(), ["target refreshed", "updated 200"]);
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:moved@192.0.2.44");
    // 3311-7-03
    assert_eq!(dialog.routes().count(), 0);
    assert_eq!(s.command(update(sdp("offer"))), Ok(()));
}

#[test]
fn changes_are_under_way_until_they_are_decided() {
    let is_changing = |s: &Script| [Method::Invite, Method::Update].map(|m| s.call.is_changing(m));
    let mut s = Script::confirmed_as_caller();
    assert_eq!(is_changing(&s), [false, false]);
    s.command(update(sdp("offer 2"))).unwrap();
    assert_eq!(is_changing(&s), [false, true]);
    s.respond("UPDATE 2", 491, "a");
    assert_eq!(is_changing(&s), [false, true], "it waits for its next try");
    s.fire();
    s.respond_with("UPDATE 3", 200, Some("a"), &[], Some("answer 2"));
    assert_eq!(is_changing(&s), [false, false]);
    s.command(Command::Reinvite(sdp("offer 3"))).unwrap();
    assert_eq!(is_changing(&s), [true, false]);
}

#[test]
fn updating_refuses_another_offer_of_this_side() {
    let mut s = updating();
    // 3311-5.1-16, 6337-4.3-52, 6337-4.3-02, 6337-4.3-53, 6337-4.3-03
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    assert!(is_wrong_state(s.command(update(nothing()))));
    assert!(is_wrong_state(s.command(Command::Reinvite(sdp("offer")))));
    s.respond_with("UPDATE 2", 200, Some("a"), &[], Some("answer"));
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
    // 6337-4.3-54, 6337-4.3-04
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
}

#[test]
fn updating_refused_leaves_the_session_and_the_dialog() {
    for status in [488, 500, 504] {
        let mut s = updating();
        let contact = [("Contact", "<sip:else@192.0.2.99>")];
        s.respond_with("UPDATE 2", status, Some("a"), &contact, None);
        // 3311-5.3-01, 3311-5.3-03
        assert_eq!(s.take(), [alloc::format!("update refused {status}")]);
        assert_eq!(s.call.state(), "Confirmed");
        let dialog = s.call.dialog().unwrap();
        assert_eq!(dialog.remote_target(), b"sip:a@192.0.2.4:5070");
        assert_eq!(s.command(update(sdp("offer"))), Ok(()));
    }
}

#[test]
fn updating_met_by_a_lost_dialog_hangs_up() {
    for status in [481, 408] {
        let mut s = updating();
        s.respond_with("UPDATE 2", status, Some("a"), &[], None);
        // 3311-5.3-02
        let refused = alloc::format!("update refused {status}");
        assert_eq!(s.take(), [refused, "BYE 3".into()]);
        s.respond("BYE 3", 481, "a");
        let ended = alloc::format!("ended: dialog lost Some({status})");
        assert_eq!(s.take(), [ended, "terminated".into()]);
    }
    let mut s = updating();
    s.fail("UPDATE 2", Failure::Timeout);
    assert_eq!(s.take(), ["request failed Timeout", "BYE 3"]);
    let mut s = updating();
    s.fail("UPDATE 2", Failure::Transport);
    assert_eq!(s.take(), ["request failed Transport"]);
    assert_eq!(s.command(update(sdp("offer"))), Ok(()));
}

#[test]
fn updating_glare_is_tried_again_in_the_band_of_the_call_id() {
    // PAINS 30, 31
    let mut s = updating();
    s.respond_with("UPDATE 2", 491, Some("a"), &[], None);
    assert_eq!(s.take(), ["update deferred 491"]);
    let (at, timer) = s.call.next_timer().unwrap();
    let wait = at.saturating_since(Time::ZERO).as_millis();
    // 3311-5.3-04, 3311-5.3-06
    assert!((2100..=4000).contains(&wait) && wait % 10 == 0, "{wait}");
    assert!(matches!(timer, Timer::UpdateRetry(_)));
    s.fire();
    // 3311-5.3-08
    assert_eq!(s.take(), ["UPDATE 3"]);
    assert_eq!(s.sent("UPDATE 3").body_slice(), b"offer");
    assert_ne!(s.sent("UPDATE 3").branch(), s.sent("UPDATE 2").branch());

    let mut s = Script::confirmed_as_callee();
    s.command(update(sdp("offer"))).unwrap();
    s.respond_with("UPDATE 1", 491, Some("them"), &[], None);
    s.skip();
    if let Some(at) = s.call.deadline() {
        // 3311-5.3-05
        let wait = at.saturating_since(Time::ZERO).as_millis();
        assert!(wait <= 2000 && wait % 10 == 0, "{wait}");
        s.fire();
    }
    assert_eq!(s.count_sent("UPDATE 2"), 1);
}

#[test]
fn deferred_update_waits_for_an_offer_of_the_other_side_and_ends_with_the_call() {
    let mut s = updating();
    s.respond_with("UPDATE 2", 491, Some("a"), &[], None);
    offered(&mut s, 5, "a");
    s.skip();
    s.fire();
    assert_eq!(s.take(), [""; 0], "nothing while theirs is open");
    assert!(s.call.deadline().unwrap() > s.now);
    s.hang_up();
    s.skip();
    // 3311-5.3-07
    s.run_to(secs(20));
    assert_eq!(s.count_sent("UPDATE 3"), 0);
}

#[test]
fn deferred_update_gives_up_after_the_limit() {
    let mut s = updating();
    let tries = u32::from(Limits::DEFAULT.glare_retries);
    for cseq in 2..2 + tries {
        s.respond_with(&alloc::format!("UPDATE {cseq}"), 491, Some("a"), &[], None);
        assert_eq!(s.take(), ["update deferred 491"]);
        s.fire();
        s.skip();
    }
    s.respond_with(
        &alloc::format!("UPDATE {}", 2 + tries),
        491,
        Some("a"),
        &[],
        None,
    );
    assert_eq!(s.take(), ["update refused 491"]);
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn confirmed_update_without_an_offer_is_answered_at_once() {
    // PAINS 45
    let mut s = Script::confirmed_as_callee();
    let contact = [("Contact", "<sip:new@192.0.2.44>")];
    s.request_with("UPDATE", 101, Some("them"), &contact, None);
    // 3311-5.2-13, 3311-5.1-17
    assert_eq!(
        s.take(),
        ["200 UPDATE 101", "target refreshed", "refreshed"]
    );
    assert!(s.said().body_slice().is_empty());
    // 3311-5.1-05, 3311-7-01
    assert_eq!(one(&s.said(), "Contact"), "<sip:me@192.0.2.1:5060>");
    // 3311-5.2-12
    s.request("UPDATE", 101, "them");
    assert_eq!(s.take(), ["500 UPDATE 101"]);
}

#[test]
fn offered_answer_goes_in_the_2xx() {
    let mut s = Script::confirmed_as_callee();
    let server = offered(&mut s, 101, "them");
    assert_eq!(s.take(), ["offered UPDATE"]);
    let target = |s: &Script| s.call.dialog().unwrap().remote_target().to_vec();
    assert_eq!(target(&s), b"sip:them@192.0.2.4:5070");
    // A 2xx without the answer would leave the other side with an open offer.
    assert!(is_wrong_state(s.command(respond(server, 200, nothing()))));
    s.command(respond(server, 200, sdp("answer"))).unwrap();
    // 3311-5.2-06
    assert_eq!(s.take(), ["200 UPDATE 101", "target refreshed"]);
    assert_eq!(s.said().body_slice(), b"answer");
    assert_eq!(target(&s), b"sip:new@192.0.2.44");
    assert_eq!(s.command(update(sdp("offer"))), Ok(()));
}

#[test]
fn offered_refusal_changes_nothing() {
    let mut s = Script::confirmed_as_callee();
    let server = offered(&mut s, 101, "them");
    let warning = outgoing(&[("Warning", "304 example.org \"none\"")]);
    s.command(respond(server, 488, warning)).unwrap();
    // 3311-5.2-09, 3311-5.2-10
    assert_eq!(s.take(), ["offered UPDATE", "488 UPDATE 101"]);
    assert_eq!(all(&s.said(), "Warning").len(), 1);
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:them@192.0.2.4:5070");
    offered(&mut s, 102, "them");
    assert_eq!(s.take(), ["offered UPDATE"]);
}

// 6337-3.3-51
#[test]
fn offered_and_nobody_answers_is_refused_in_time() {
    let mut s = Script::confirmed_as_callee();
    offered(&mut s, 101, "them");
    s.skip();
    // 3311-5.2-07: well before the other side gives up.
    s.run_to(secs(32));
    assert_eq!(s.take(), ["500 UPDATE 101", "request expired"]);
    assert!(s.call.deadline().is_none());
    assert_eq!(s.command(update(sdp("offer"))), Ok(()));
}

/// What an UPDATE with an offer meets in each state: the tables of 3311 5.2 and 6337 4.3.
#[test]
fn update_meets_what_the_tables_say() {
    // PAINS 28, 29
    let cell = |mut s: Script, cseq, tag| -> String {
        s.skip();
        offered(&mut s, cseq, tag);
        s.take().join(", ")
    };
    // 6337-4.3-58, 6337-4.3-08, 3311-5.2-01
    let mut s = Script::confirmed_as_callee();
    offered(&mut s, 101, "them");
    assert_eq!(cell(s, 102, "them"), "500 UPDATE 102");
    // 6337-4.3-57, 6337-4.3-07, 3311-5.2-02
    assert_eq!(cell(updating(), 5, "a"), "491 UPDATE 5");
    // 6337-4.3-61, 6337-4.3-11, 6337-4.1-56
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    assert_eq!(cell(s, 5, "a"), "491 UPDATE 5");
    // 6337-4.3-62, 6337-4.3-12, 3311-5.2-03
    let mut s = Script::confirmed_as_callee();
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    assert_eq!(cell(s, 102, "them"), "500 UPDATE 102");
    // The caller's own INVITE has no answer.
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    assert_eq!(cell(s, 5, "a"), "491 UPDATE 5");
    // The callee has not answered.
    assert_eq!(cell(Script::incoming(), 101, "them"), "500 UPDATE 101");
    // 6337-4.3-59, 6337-4.3-09: and a re-INVITE.
    let mut s = updating();
    s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    assert_eq!(s.take(), ["491 INVITE 5"]);
    // 6337-4.3-60, 6337-4.3-10, 6337-4.1-52
    let mut s = Script::confirmed_as_callee();
    offered(&mut s, 101, "them");
    s.request_with("INVITE", 102, Some("them"), &[], None);
    assert_eq!(s.take(), ["offered UPDATE", "500 INVITE 102"]);
    // 3311-5.2-04
    let retry: u32 = one(&s.said(), "Retry-After").parse().unwrap();
    assert!(retry <= 10);
}

#[test]
fn refused_overlap_is_spread_over_ten_seconds_and_glare_has_no_retry_after() {
    let mut s = Script::incoming();
    let mut seen = [false; 11];
    for cseq in 101..400 {
        offered(&mut s, cseq, "them");
        seen[one(&s.said(), "Retry-After").parse::<usize>().unwrap()] = true;
    }
    // 3311-5.2-01, 3311-5.2-03
    assert_eq!(seen, [true; 11]);
    let mut s = updating();
    offered(&mut s, 5, "a");
    // 3311-5.2-04
    assert_eq!(all(&s.said(), "Retry-After"), [""; 0]);
}

#[test]
fn early_update_of_the_caller_needs_a_dialog_and_the_answer() {
    // PAINS 32
    let mut s = Script::place();
    // 3311-5.1-03
    assert!(is_wrong_state(s.command(update(nothing()))));
    s.respond_with("INVITE 1", 183, Some("a"), &[], Some("answer"));
    assert_eq!(s.take(), ["INVITE 1", "progress 183, preview"]);
    // 3311-5.1-07, 3311-5.1-08: a preview is no answer. 3311-5.1-17: no offer needs none.
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    s.command(update(nothing())).unwrap();
    // 3311-5.1-02
    assert_eq!(s.take(), ["UPDATE 2"]);
    s.respond("UPDATE 2", 200, "a");
    s.respond("INVITE 1", 200, "a");
    // The 2xx of the INVITE recomputes what the UPDATE had refreshed.
    assert_eq!(
        s.take(),
        ["target refreshed", "updated 200", "ACK 1", "answered 200"]
    );
}

#[test]
fn early_update_goes_to_the_leg_that_is_named() {
    let mut s = Script::place();
    for tag in ["b", "c"] {
        s.respond("INVITE 1", 180, tag);
    }
    let named = |leg| Command::Update {
        leg: Some(LegId(leg)),
        outgoing: nothing(),
    };
    s.command(named(2)).unwrap();
    assert_eq!(s.sent("UPDATE 2").to_tag(), Some("c"));
    s.command(named(1)).unwrap();
    // Each dialog counts for itself.
    assert_eq!(s.sent("UPDATE 2").to_tag(), Some("b"));
    assert!(is_wrong_state(s.command(named(3))));
}

#[test]
fn early_update_of_the_callee_waits_for_its_first_response() {
    let mut s = Script::incoming();
    assert!(is_wrong_state(s.command(update(nothing()))));
    s.command(Command::Progress {
        status: StatusCode::RINGING,
        outgoing: nothing(),
    })
    .unwrap();
    // 3311-5.1-12
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    let own = outgoing(&[("Contact", "<sip:desk@192.0.2.7>")]);
    s.command(update(own)).unwrap();
    s.respond("UPDATE 1", 200, "them");
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // 3311-5.1-06
    assert_eq!(one(&s.said(), "Contact"), "<sip:desk@192.0.2.7>");
}

#[test]
fn early_update_that_meets_a_lost_dialog_ends_the_call() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 180, "c");
    s.skip();
    s.command(update(nothing())).unwrap();
    s.respond_with("UPDATE 2", 481, Some("b"), &[], None);
    // The other leg may still answer.
    assert_eq!(s.take(), ["UPDATE 2", "update refused 481"]);
    let leg = Some(LegId(2));
    let outgoing = nothing();
    s.command(Command::Update { leg, outgoing }).unwrap();
    s.fail("UPDATE 2", Failure::Timeout);
    assert_eq!(s.take(), ["UPDATE 2", "request failed Timeout", "CANCEL 1"]);
    s.respond_with("INVITE 1", 487, Some("b"), &[], None);
    assert_eq!(s.take(), ["ended: dialog lost None"]);

    let mut s = Script::incoming();
    s.command(Command::Progress {
        status: StatusCode::RINGING,
        outgoing: nothing(),
    })
    .unwrap();
    s.command(update(nothing())).unwrap();
    s.respond_with("UPDATE 1", 481, Some("them"), &[], None);
    assert_eq!(
        s.take()[2..],
        [
            "update refused 481",
            "500 INVITE 100",
            "ended: dialog lost Some(481)",
            "terminated"
        ]
    );
}

#[test]
fn side_that_lists_no_update_gets_none() {
    let mut s = Script::place();
    let allow = [
        ("Contact", "<sip:a@192.0.2.4>"),
        ("Allow", "INVITE, ACK, BYE"),
    ];
    s.respond_with("INVITE 1", 180, Some("a"), &allow, None);
    let allow = [
        ("Contact", "<sip:b@192.0.2.4>"),
        ("Allow", "INVITE, UPDATE,BYE"),
    ];
    s.respond_with("INVITE 1", 180, Some("b"), &allow, None);
    let named = |leg| Command::Update {
        leg: Some(LegId(leg)),
        outgoing: nothing(),
    };
    // 3311-4-05, 3311-4-07
    assert!(is_wrong_state(s.command(named(1))));
    assert_eq!(s.command(named(2)), Ok(()));
}

#[test]
fn reoffered_update_of_this_side_is_refused_until_it_is_answered() {
    let mut s = Script::confirmed_as_callee();
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // 6337-4.1-59
    assert!(is_wrong_state(s.command(update(sdp("offer")))));
    s.ack(101, "them");
    assert_eq!(s.command(update(sdp("offer"))), Ok(()));
}

#[test]
fn confirmed_ack_without_the_answer_says_so() {
    // PAINS 33
    let mut s = Script::incoming_with(
        super::script::context(),
        &super::script::their_invite(&[], None),
    );
    s.command(Command::Answer(sdp("offer"))).unwrap();
    s.ack(100, "them");
    assert_eq!(s.take(), ["200 INVITE 100", "acknowledged, answer missing"]);
    assert_eq!(s.now, Time::ZERO);
    let words: Vec<String> = s.take();
    assert!(words.is_empty());
}

#[test]
fn deferred_offer_that_another_exchange_has_overtaken_goes_back_to_the_user() {
    let mut s = updating();
    s.respond_with("UPDATE 2", 491, Some("a"), &[], None);
    let server = offered(&mut s, 5, "a");
    s.command(respond(server, 200, sdp("answer"))).unwrap();
    s.skip();
    s.fire();
    assert_eq!(s.take(), ["update outdated"]);
    assert_eq!(s.call.deadline(), None);
    assert_eq!(s.command(update(sdp("new"))), Ok(()));

    // 3311-5.3-06: an offer that was refused has made nothing of it moot.
    let mut s = updating();
    s.respond_with("UPDATE 2", 491, Some("a"), &[], None);
    let server = offered(&mut s, 5, "a");
    s.command(respond(server, 488, nothing())).unwrap();
    s.skip();
    s.fire();
    assert_eq!(s.take(), ["UPDATE 3"]);
}

#[test]
fn update_says_nothing_of_what_does_not_belong_there() {
    let strange = [
        ("Event", "presence"),
        ("Subscription-State", "active"),
        ("Expires", "60"),
        ("Priority", "urgent"),
        ("Subject", "lunch"),
        ("Alert-Info", "<http://example.com/ring>"),
        ("RSeq", "1"),
        ("RAck", "1 1 INVITE"),
    ];
    for (name, value) in strange {
        let mut s = Script::confirmed_as_caller();
        // 3311-7-02
        let reserved = Err(Misuse::ReservedHeader { name });
        assert_eq!(s.command(update(outgoing(&[(name, value)]))), reserved);
        assert_eq!(s.command(update(outgoing(&[("Reason", "SIP")]))), Ok(()));
    }
}

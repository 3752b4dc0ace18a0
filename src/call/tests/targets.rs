//! Target refresh within re-INVITE and UPDATE: RFC 6141 4, 5.

use alloc::vec::Vec;

use super::script::{Script, context, nothing, one, outgoing, sdp, their_invite};
use crate::call::reliable::Policy;
use crate::call::{Command, Context};
use crate::message::{Outgoing, StatusCode};
use crate::transaction::Failure;

const NEW: (&str, &str) = ("Contact", "<sip:new@192.0.2.44>");

fn reliable() -> Context {
    Context {
        reliable: Policy::Supported,
        ..context()
    }
}

fn target(s: &Script) -> Vec<u8> {
    s.call.dialog().unwrap().remote_target().to_vec()
}

fn updating() -> Script {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.skip();
    s
}

fn reoffered() -> Script {
    let mut s = Script::incoming_with(reliable(), &their_invite(&[], Some("offer")));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    let extra = [("Supported", "100rel"), NEW];
    s.request_with("INVITE", 101, Some("them"), &extra, Some("offer"));
    s.skip();
    s
}

fn progress(outgoing: Outgoing) -> Command {
    let status = StatusCode::SESSION_PROGRESS;
    Command::Progress { status, outgoing }
}

#[test]
fn updating_reliable_response_refreshes_the_target_and_an_unreliable_one_does_not() {
    let old = b"sip:a@192.0.2.4:5070";
    let mut s = updating();
    s.respond_with("INVITE 2", 183, Some("a"), &[NEW], Some("answer"));
    // 6141-4.7-02, 6141-4.7-52
    assert_eq!(s.take(), ["progress 183, preview"]);
    assert_eq!(target(&s), old);
    let rel = [("Require", "100rel"), ("RSeq", "7")];
    s.respond_with("INVITE 2", 183, Some("a"), &rel, Some("answer"));
    // 6141-4.7-51: no Contact, no change.
    assert_eq!(target(&s), old);
    let rel = [("Require", "100rel"), ("RSeq", "8"), NEW];
    s.respond_with("INVITE 2", 183, Some("a"), &rel, None);
    // 6141-4.7-01, 6141-4.7-51
    assert_eq!(target(&s), b"sip:new@192.0.2.44");
    s.respond_with("INVITE 2", 488, Some("a"), &[], None);
    // It is not undone.
    assert_eq!(target(&s), b"sip:new@192.0.2.44");
}

#[test]
fn updating_2xx_refreshes_the_target_if_it_has_a_contact() {
    let mut s = updating();
    s.respond_with("INVITE 2", 200, Some("a"), &[], Some("answer"));
    // 6141-4.7-51
    assert_eq!(target(&s), b"sip:a@192.0.2.4:5070");
    let mut s = updating();
    s.respond_with("INVITE 2", 200, Some("a"), &[NEW], Some("answer"));
    assert_eq!(target(&s), b"sip:new@192.0.2.44");
    assert_eq!(s.sent("ACK 2").uri().as_bytes(), b"sip:new@192.0.2.44");
}

#[test]
fn inviting_unreliable_response_moves_no_early_dialog_but_the_2xx_does() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.respond_with("INVITE 1", 180, Some("a"), &[NEW], None);
    // 6141-4.9-51, 6141-4.9-52, 6141-4.9-01
    assert_eq!(target(&s), b"sip:a@192.0.2.4:5070");
    let route = ("Record-Route", "<sip:p1.example.org;lr>");
    s.respond_with("INVITE 1", 200, Some("a"), &[NEW, route], Some("answer"));
    // 6141-4.9-53, 6141-4.9-02
    assert_eq!(target(&s), b"sip:new@192.0.2.44");
    assert_eq!(one(&s.sent("ACK 1"), "Route"), "<sip:p1.example.org;lr>");
}

#[test]
fn reoffered_reliable_response_refreshes_the_target_and_an_unreliable_one_does_not() {
    let mut s = reoffered();
    let preview = Command::Preview {
        status: StatusCode::SESSION_PROGRESS,
        outgoing: nothing(),
    };
    s.command(preview).unwrap();
    assert_eq!(target(&s), b"sip:them@192.0.2.4:5070");
    s.command(progress(sdp("answer"))).unwrap();
    // 6141-4.6-02, 6141-4.6-53
    assert_eq!(target(&s), b"sip:new@192.0.2.44");
    assert_eq!(
        s.take(),
        ["183 INVITE 101", "183 INVITE 101", "target refreshed"]
    );
}

#[test]
fn reoffered_refusal_leaves_the_target() {
    let mut s = reoffered();
    s.command(Command::Reject {
        status: StatusCode::NOT_ACCEPTABLE_HERE,
        outgoing: nothing(),
    })
    .unwrap();
    // 6141-4.6-03, 6141-4.6-54
    assert_eq!(target(&s), b"sip:them@192.0.2.4:5070");
    assert_eq!(s.take(), ["488 INVITE 101"]);
}

#[test]
fn updating_own_target_moves_with_the_2xx_and_not_with_a_refusal() {
    let own = ("Contact", "<sip:desk@192.0.2.7>");
    for (status, contact) in [(200, own.1), (488, "<sip:me@192.0.2.1:5060>")] {
        let mut s = Script::confirmed_as_callee();
        s.command(Command::Reinvite(outgoing(&[own]))).unwrap();
        s.respond_with("INVITE 1", status, Some("them"), &[], None);
        s.skip();
        s.request("UPDATE", 101, "them");
        // 6141-4.4-53, 6141-4.4-01
        assert_eq!(one(&s.said(), "Contact"), contact, "{status}");
    }
}

#[test]
fn updating_refused_is_past_any_trouble_with_its_ack() {
    let mut s = updating();
    let rel = [("Require", "100rel"), ("RSeq", "7"), NEW];
    s.respond_with("INVITE 2", 183, Some("a"), &rel, Some("answer"));
    s.respond_with("INVITE 2", 488, Some("a"), &[], None);
    s.skip();
    // 6141-5.3-01, 6141-5.3-51
    s.fail("INVITE 2", Failure::Transport);
    assert_eq!(s.take(), ["absorbed"]);
    assert_eq!(s.call.state(), "Confirmed");
    // What holds now can be said again.
    s.respond_with("PRACK 3", 200, Some("a"), &[], None);
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn updating_refused_after_an_answer_says_that_it_is_undone() {
    let mut s = updating();
    let rel = [("Require", "100rel"), ("RSeq", "7")];
    s.respond_with("INVITE 2", 183, Some("a"), &rel, Some("answer"));
    s.respond_with("PRACK 3", 200, Some("a"), &[], None);
    s.skip();
    s.respond_with("INVITE 2", 488, Some("a"), &[], None);
    // 6337-3.4-51
    assert_eq!(s.take(), ["update refused 488, undone"]);
}

#[test]
fn confirmed_update_outside_the_dialog_is_not_the_calls() {
    let mut s = Script::confirmed_as_callee();
    let server = s.request_with("UPDATE", 101, Some("else"), &[], Some("offer"));
    // 3311-5.2-11
    assert_eq!(s.said_to(server), [481]);
}

#[test]
fn updating_crossing_offers_are_refused_on_both_sides() {
    // 6337-4.2-51: whichever of INVITE and UPDATE carries them.
    for theirs in ["INVITE", "UPDATE"] {
        let mut s = updating();
        let server = s.request_with(theirs, 5, Some("a"), &[], Some("offer"));
        assert_eq!(s.said_to(server), [491]);
        let mut s = Script::confirmed_as_caller();
        let (leg, outgoing) = (None, sdp("offer"));
        s.command(Command::Update { leg, outgoing }).unwrap();
        let server = s.request_with(theirs, 5, Some("a"), &[], Some("offer"));
        assert_eq!(s.said_to(server), [491]);
    }
}

#[test]
fn confirmed_stray_retransmission_of_a_2xx_rearms_nothing() {
    // PAINS 9: a timer belongs to the state that armed it.
    let mut s = Script::incoming();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.run_to(crate::time::Time::from_millis(700));
    s.ack(100, "them");
    s.skip();
    s.run_to(crate::time::Time::from_secs(100));
    assert_eq!(s.take(), [""; 0]);
    assert_eq!(s.call.state(), "Confirmed");
}

#[test]
fn reoffered_response_moves_nobody_who_can_say_so_in_an_update() {
    let own = ("Contact", "<sip:desk@192.0.2.7>");
    let moving = || outgoing(&[own]).with_body(sdp("answer").body.unwrap());
    for (allow, verb) in [("INVITE, UPDATE", false), ("INVITE", true)] {
        let extra = [("Allow", allow), ("Supported", "100rel")];
        let reoffered = || {
            let mut s = Script::incoming_with(reliable(), &their_invite(&extra, Some("offer")));
            s.command(Command::Answer(sdp("answer"))).unwrap();
            s.ack(100, "them");
            s.request_with("INVITE", 101, Some("them"), &extra, Some("offer"));
            s
        };
        // 6141-4.8-01, 6141-4.8-51, 6141-4.5-51
        assert_eq!(reoffered().command(Command::Answer(moving())).is_ok(), verb);
        assert_eq!(reoffered().command(progress(moving())).is_ok(), verb);
        let mut s = reoffered();
        s.command(Command::Reject {
            status: StatusCode::NOT_ACCEPTABLE_HERE,
            outgoing: nothing(),
        })
        .unwrap();
        let update = s.request_with("UPDATE", 102, Some("them"), &extra, Some("offer"));
        let answer = Command::Respond {
            server: update,
            status: StatusCode::OK,
            outgoing: moving(),
        };
        assert_eq!(s.command(answer).is_ok(), verb);
        // What says where this side is already moves nobody.
        let mut s = reoffered();
        let here = ("Contact", "<sip:me@192.0.2.1:5060>");
        let here = outgoing(&[here]).with_body(sdp("answer").body.unwrap());
        assert_eq!(s.command(Command::Answer(here)), Ok(()));
    }
    // While an UPDATE of this side is out, another cannot go.
    let extra = [("Allow", "INVITE, UPDATE")];
    let mut s = Script::incoming_with(reliable(), &their_invite(&extra, Some("offer")));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    let (leg, outgoing) = (None, nothing());
    s.command(Command::Update { leg, outgoing }).unwrap();
    s.request_with("INVITE", 101, Some("them"), &extra, Some("offer"));
    assert_eq!(s.command(Command::Answer(moving())), Ok(()));
}

//! The caller until the final response: 13.2, §9.1.

use super::script::{
    FROM, Script, TARGET, all, context, invitation, nothing, one, outgoing, sdp, secs,
};
use crate::call::{Command, Event, Invitation};
use crate::dialog::Phase;
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::transaction::Failure;

// 3261-8.1.3.2-03, 5057-4.1-01
#[test]
fn inviting_trying_progresses_without_a_dialog() {
    let mut s = Script::place();
    s.respond_with("INVITE 1", 100, Some("a"), &[], None);
    assert_eq!(s.take(), ["INVITE 1", "progress 100"]);
    // 3261-12.1-02
    assert!(s.call.dialog().is_none());
    assert!(!s.call.has_dialog(Some("a")));
}

#[test]
fn inviting_provisional_with_tag_makes_an_early_dialog() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    assert_eq!(s.take(), ["INVITE 1", "progress 180"]);
    // 3261-12.1-01
    assert!(s.call.has_dialog(Some("a")));
    assert_eq!(s.call.dialog().unwrap().phase(), Phase::Early);
    assert_eq!(s.call.state(), "Inviting");
}

#[test]
fn inviting_provisional_without_tag_makes_no_dialog() {
    let mut s = Script::place();
    s.respond_with("INVITE 1", 180, None, &[("Contact", "<sip:b@c>")], None);
    assert_eq!(s.take(), ["INVITE 1", "progress 180"]);
    // 3261-12.1-04
    assert!(s.call.dialog().is_none());
    assert!(!s.call.has_dialog(None));
}

#[test]
fn inviting_provisional_with_unknown_code_acts_as_183() {
    let mut s = Script::place();
    s.respond("INVITE 1", 198, "a");
    // 3261-8.1.3.2-02, PAINS 34: any 101-199 goes to the user, and makes a dialog.
    assert_eq!(s.take(), ["INVITE 1", "progress 198"]);
    assert!(s.call.has_dialog(Some("a")));
}

#[test]
fn inviting_repeated_provisional_keeps_the_dialog() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.respond_with(
        "INVITE 1",
        183,
        Some("a"),
        &[("Contact", "<sip:x@y>")],
        None,
    );
    // 3261-13.2.2.1-02
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:a@192.0.2.4:5070");
}

#[test]
fn inviting_provisionals_of_two_forks_make_two_dialogs() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.respond("INVITE 1", 180, "b");
    // 3261-13.2.2.1-01, PAINS 2
    assert!(s.call.has_dialog(Some("a")) && s.call.has_dialog(Some("b")));
}

#[test]
fn inviting_forks_above_the_limit_make_no_dialog() {
    let mut context = context();
    context.limits.forks = 2;
    let mut s = Script::place_with(context, invitation());
    for tag in ["a", "b", "c"] {
        s.respond("INVITE 1", 180, tag);
    }
    assert!(!s.call.has_dialog(Some("c")));
    // Its 2xx wins all the same.
    s.skip();
    s.respond("INVITE 1", 200, "c");
    assert_eq!(s.take(), ["ACK 1", "answered 200"]);
    assert_eq!(s.call.dialog().unwrap().remote_tag(), Some("c"));
}

#[test]
fn inviting_success_acknowledges_before_it_tells() {
    let mut s = Script::place();
    s.respond("INVITE 1", 200, "a");
    // 3261-13.2.2.4-06, 3261-13.2.2.4-04, PAINS 1
    assert_eq!(s.take(), ["INVITE 1", "ACK 1", "answered 200"]);
    assert_eq!(s.call.state(), "Confirmed");
    assert_eq!(s.call.dialog().unwrap().phase(), Phase::Confirmed);
}

#[test]
fn inviting_success_of_an_early_dialog_confirms_it() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "b");
    // 3261-13.2.2.4-02, 3261-12-05
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_tag(), Some("b"));
    assert_eq!(dialog.phase(), Phase::Confirmed);
    // PAINS 3: the ACK has the tag and the target of the 2xx, not of the first 180.
    let ack = s.sent("ACK 1");
    assert_eq!(ack.to_tag(), Some("b"));
    assert_eq!(ack.uri().as_bytes(), b"sip:b@192.0.2.4:5070");
}

#[test]
fn inviting_success_recomputes_route_set_and_target() {
    let mut s = Script::place();
    let early = [
        ("Record-Route", "<sip:p9.example.org;lr>"),
        ("Contact", "<sip:early@192.0.2.9>"),
    ];
    s.respond_with("INVITE 1", 180, Some("a"), &early, None);
    let late = [
        (
            "Record-Route",
            "<sip:p2.example.org;lr>, <sip:p1.example.org;lr>",
        ),
        ("Contact", "<sip:late@192.0.2.8>"),
    ];
    s.respond_with("INVITE 1", 200, Some("a"), &late, None);
    // 3261-13.2.2.4-03, 3261-13.2.2.4-05, 3261-13.2.2.4-09, 3261-12.1.2-01, PAINS 46, 110
    let ack = s.sent("ACK 1");
    assert_eq!(ack.uri().as_bytes(), b"sip:late@192.0.2.8");
    let routes = ["<sip:p1.example.org;lr>", "<sip:p2.example.org;lr>"];
    assert_eq!(all(&ack, "Route"), routes);
}

#[test]
fn inviting_success_keeps_sequence_numbers_of_the_early_dialog() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.request("INFO", 7, "a");
    s.respond("INVITE 1", 200, "a");
    // 3261-13.2.2.4-03
    let dialog = s.call.dialog().unwrap();
    assert_eq!(
        (dialog.local_cseq(), dialog.remote_cseq()),
        (Some(1), Some(7))
    );
}

#[test]
fn tags_are_made_in_one_case_and_given_back_as_they_came() {
    let mut s = Script::place();
    let contact = [("Contact", "<sip:a@192.0.2.4>")];
    s.respond_with("INVITE 1", 200, Some("MiXeD-aB"), &contact, Some("answer"));
    // 3261-19.3-03: a peer that folds the case of tags finds the dialog, and so does one that does
    // not.
    let (invite, ack) = (s.sent("INVITE 1"), s.sent("ACK 1"));
    assert_eq!(ack.to_tag(), Some("MiXeD-aB"));
    assert_eq!(ack.from_tag(), invite.from_tag());
    let is_capital = |b: u8| b.is_ascii_uppercase();
    assert!(!ack.from_tag().unwrap().bytes().any(is_capital));
    s.hang_up();
    assert_eq!(s.sent("BYE 2").to_tag(), Some("MiXeD-aB"));
    let mut s = Script::incoming();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert!(!s.said().to_tag().unwrap().bytes().any(is_capital));
}

#[test]
fn the_ack_is_built_like_a_request_in_the_dialog() {
    let s = Script::placed_and_answered();
    let (invite, ack) = (s.sent("INVITE 1"), s.sent("ACK 1"));
    // 3261-13.2.2.4-07, 3261-12.2.1.1-05
    assert_eq!(one(&ack, "CSeq"), "1 ACK");
    // 3261-8.1.1.7-05, PAINS 13
    assert_ne!(ack.branch(), invite.branch());
    assert!(ack.branch().unwrap().starts_with("z9hG4bK"));
    // 3261-8.1.1.6-01
    assert_eq!(one(&ack, "Max-Forwards"), "70");
    // 3261-8.1.1.4-02, 3261-12.2.1.1-01, 3261-12.2.1.1-03
    assert_eq!(one(&ack, "Call-ID"), one(&invite, "Call-ID"));
    assert_eq!(one(&ack, "From"), one(&invite, "From"));
    assert_eq!(one(&ack, "To"), "<sip:bob@192.0.2.4>;tag=a");
}

#[test]
fn confirmed_repeated_success_gets_the_same_ack() {
    let mut s = Script::placed_and_answered();
    let first = s.sent("ACK 1");
    s.now = secs(3);
    s.respond("INVITE 1", 200, "a");
    s.respond("INVITE 1", 200, "a");
    // 3261-13.2.2.4-12, 3261-13.2.2.4-13, PAINS 6, 10: the same bytes, and the user hears nothing.
    assert_eq!(s.take(), ["ACK 1", "ACK 1"]);
    assert_eq!(s.sent("ACK 1").bytes(), first.bytes());
}

#[test]
fn confirmed_nothing_comes_acks_are_not_repeated_by_a_timer() {
    let mut s = Script::placed_and_answered();
    // 3261-13.2.2.4-14
    assert_eq!(s.call.deadline(), None);
    s.run_to(secs(100));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn confirmed_success_of_another_fork_is_acknowledged_and_hung_up() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "a");
    s.skip();
    s.respond("INVITE 1", 200, "b");
    s.respond("INVITE 1", 200, "c");
    // 3261-13.2.2.4-01, 3261-13.2.2.4-17, PAINS 1, 4, 98
    let each = ["ACK 1", "BYE 2", "fork dropped"];
    assert_eq!(s.take(), [each, each].concat());
    let bye = s.sent("BYE 2");
    assert_eq!(bye.to_tag(), Some("c"));
    assert_eq!(bye.uri().as_bytes(), b"sip:c@192.0.2.4:5070");
    // The call itself stands.
    assert_eq!(s.call.dialog().unwrap().remote_tag(), Some("a"));
    s.respond("BYE 2", 200, "c");
    assert_eq!(s.take(), [""; 0]);
    assert_eq!(s.call.state(), "Confirmed");
}

#[test]
fn confirmed_repeated_success_of_a_dropped_fork_gets_its_own_ack() {
    let mut s = Script::placed_and_answered();
    s.respond("INVITE 1", 200, "b");
    let ack = s.sent("ACK 1");
    assert_eq!(ack.to_tag(), Some("b"));
    s.skip();
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.sent("ACK 1").to_tag(), Some("a"));
    s.respond("INVITE 1", 200, "b");
    // PAINS 98
    assert_eq!(s.sent("ACK 1").bytes(), ack.bytes());
    assert_eq!(s.take(), ["ACK 1", "ACK 1"]);
}

#[test]
fn confirmed_fork_without_contact_is_not_sought_at_its_sibling() {
    let mut s = Script::placed_and_answered();
    s.respond_with("INVITE 1", 200, Some("b"), &[], None);
    assert_eq!(s.take(), ["ACK 1", "BYE 2", "fork dropped"]);
    assert_eq!(s.sent("BYE 2").uri().as_bytes(), b"sip:bob@192.0.2.4");
}

#[test]
fn confirmed_invite_gone_ends_early_dialogs() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "a");
    assert!(s.call.has_dialog(Some("b")));
    s.gone("INVITE 1");
    // 3261-13.2.2.4-16
    assert!(!s.call.has_dialog(Some("b")));
    assert!(s.call.has_dialog(Some("a")));
}

#[test]
fn inviting_success_without_tag_makes_a_dialog_without_one() {
    let mut s = Script::place();
    let contact = [("Contact", "<sip:old@192.0.2.4>")];
    s.respond_with("INVITE 1", 200, None, &contact, None);
    assert_eq!(s.take(), ["INVITE 1", "ACK 1", "answered 200"]);
    // 3261-12.1.2-05, 3261-12.2.1.1-02, PAINS 13, 95
    assert_eq!(s.sent("ACK 1").to_tag(), None);
    assert!(s.call.has_dialog(None));
    s.hang_up();
    assert_eq!(one(&s.sent("BYE 2"), "To"), "<sip:bob@192.0.2.4>");
}

#[test]
fn inviting_success_without_contact_goes_to_the_request_uri() {
    let mut s = Script::place();
    s.respond_with("INVITE 1", 200, Some("a"), &[], None);
    assert_eq!(s.take(), ["INVITE 1", "ACK 1", "answered 200"]);
    assert_eq!(s.sent("ACK 1").uri().as_bytes(), TARGET.as_bytes());
}

#[test]
fn inviting_success_with_angle_in_the_display_name_is_acknowledged() {
    let mut s = Script::place();
    let contact = [("Contact", "\"a <b\" <sip:c@192.0.2.4>")];
    s.respond_with("INVITE 1", 200, Some("a"), &contact, None);
    // PAINS 94
    assert_eq!(s.sent("ACK 1").uri().as_bytes(), b"sip:c@192.0.2.4");
}

fn placed_without_offer() -> Script {
    let mut s = Script::place_with(context(), Invitation::new(TARGET, FROM).unwrap());
    let contact = [("Contact", "<sip:a@192.0.2.4:5070>")];
    s.respond_with("INVITE 1", 200, Some("a"), &contact, Some("offer"));
    // 3261-13.2.1-08, PAINS 33: no ACK before the answer is there.
    assert_eq!(s.take(), ["INVITE 1", "answered 200, answer needed"]);
    s
}

#[test]
fn confirmed_acknowledge_carries_the_answer() {
    let mut s = placed_without_offer();
    s.command(Command::Acknowledge(sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["ACK 1"]);
    // 3261-13.2.2.4-10, 3261-13.2.1-11
    assert_eq!(s.sent("ACK 1").body_slice(), b"answer");
    assert_eq!(s.call.deadline(), None);
    // The copy of the 2xx gets it again, answer included.
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["ACK 1"]);
    assert_eq!(s.sent("ACK 1").body_slice(), b"answer");
    let again = s.command(Command::Acknowledge(sdp("answer")));
    assert!(matches!(again, Err(Misuse::WrongState { .. })));
}

#[test]
fn confirmed_acknowledge_after_the_invite_is_gone_keeps_nothing() {
    let mut s = placed_without_offer();
    s.gone("INVITE 1");
    s.command(Command::Acknowledge(sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["ACK 1"]);
    // PAINS 69: no copy of the 2xx can come that would want it again.
    assert!(s.call.core.legs.iter().all(|leg| leg.heap_bytes() == 0));
}

#[test]
fn awaiting_answer_repeated_success_waits_for_the_user() {
    let mut s = placed_without_offer();
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["absorbed"]);
}

#[test]
fn awaiting_answer_too_long_acknowledges_and_hangs_up() {
    let mut s = placed_without_offer();
    s.run_to(secs(20));
    // PAINS 33
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
    s.respond("BYE 2", 200, "a");
    assert_eq!(s.take(), ["ended: no answer"]);
    s.gone("INVITE 1");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn awaiting_answer_hang_up_acknowledges_first() {
    let mut s = placed_without_offer();
    s.hang_up();
    // 3261-13.2.2.4-06, PAINS 12
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
}

#[test]
fn awaiting_answer_bye_acknowledges_first() {
    let mut s = placed_without_offer();
    s.request("BYE", 5, "a");
    assert_eq!(
        s.take(),
        ["ACK 1", "200 BYE 5", "ended: BYE of the other side, CSeq 5"]
    );
}

#[test]
fn awaiting_answer_invite_is_refused_for_now() {
    let mut s = placed_without_offer();
    s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    // 3261-14.2-03, 3261-13.2.1-09
    assert_eq!(s.take(), ["491 INVITE 5"]);
    let update = s.command(Command::Reinvite(sdp("offer")));
    assert!(matches!(update, Err(Misuse::WrongState { .. })));
}

#[test]
fn inviting_failure_response_ends_the_call() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.respond("INVITE 1", 486, "a");
    assert_eq!(s.take(), ["INVITE 1", "progress 180", "ended: refused 486"]);
    // 3261-12.1-03, 3261-12.3-01, 3261-13.2.2.3-02
    assert!(!s.call.has_dialog(Some("a")));
    assert_eq!(s.call.state(), "Lingering");
    // 3261-13.2.2.3-01
    s.respond("INVITE 1", 603, "b");
    s.gone("INVITE 1");
    assert_eq!(s.take(), ["absorbed", "terminated"]);
}

#[test]
fn inviting_redirection_and_unknown_codes_end_the_call() {
    // 3261-8.1.3.2-01: a code nobody knows is a failure of its class.
    for status in [302, 399, 499, 599, 699] {
        let mut s = Script::place();
        s.skip();
        s.respond("INVITE 1", status, "a");
        assert_eq!(s.take(), [alloc::format!("ended: refused {status}")]);
    }
}

#[test]
fn inviting_transaction_fails_ends_the_call() {
    // 3261-13.2.2-01
    for failure in [Failure::Timeout, Failure::Transport] {
        let mut s = Script::place();
        s.skip();
        s.fail("INVITE 1", failure);
        assert_eq!(s.take(), [alloc::format!("ended: failed {failure:?}")]);
        s.gone("INVITE 1");
        assert_eq!(s.take(), ["terminated"]);
    }
}

#[test]
fn inviting_invite_gone_without_a_word_ends_the_call() {
    let mut s = Script::place();
    s.skip();
    s.gone("INVITE 1");
    assert_eq!(s.take(), ["ended: failed Timeout", "terminated"]);
}

#[test]
fn inviting_hang_up_cancels_once() {
    for rings in [false, true] {
        let mut s = Script::place();
        if rings {
            s.respond("INVITE 1", 180, "a");
        }
        s.skip();
        // PAINS 14, 17: when the CANCEL may go is the transaction's to know.
        s.hang_up();
        s.hang_up();
        // 3261-15-02
        assert_eq!(s.take(), ["CANCEL 1"]);
        assert_eq!(s.call.state(), "Inviting");
        s.respond("INVITE 1", 180, "a");
        assert_eq!(s.take(), ["absorbed"]);
        s.respond("INVITE 1", 487, "a");
        assert_eq!(s.take(), ["ended: cancelled"]);
        s.gone("INVITE 1");
        assert_eq!(s.take(), ["terminated"]);
    }
}

#[test]
fn cancelled_success_is_acknowledged_and_hung_up() {
    let mut s = Script::place();
    s.hang_up();
    s.skip();
    s.respond("INVITE 1", 200, "a");
    // 3261-9.1-15, PAINS 19
    assert_eq!(s.take(), ["ACK 1", "BYE 2", "ended: cancelled"]);
    // Another fork was as fast, and the first 2xx comes again.
    s.respond("INVITE 1", 200, "b");
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["ACK 1", "BYE 2", "ACK 1"]);
    assert_eq!(s.sent("ACK 1").to_tag(), Some("a"));
    assert_eq!(s.call.state(), "Lingering");
    s.gone("INVITE 1");
    // Its BYEs are not answered yet.
    assert_eq!(s.take(), [""; 0]);
    assert!(s.call.has_dialog(Some("a")));
}

#[test]
fn cancelled_success_ends_when_every_bye_has_been() {
    let mut s = Script::place();
    s.hang_up();
    s.respond("INVITE 1", 200, "a");
    let bye = s.id("BYE 2");
    s.respond("INVITE 1", 200, "b");
    s.gone("INVITE 1");
    s.skip();
    s.respond("BYE 2", 200, "b");
    assert_eq!(s.take(), [""; 0]);
    s.receive(Event::Failed {
        request: bye,
        failure: Failure::Timeout,
    });
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn cancelled_other_answers_end_as_cancelled() {
    // 3261-9.1-19: nothing hangs on a 487; PAINS 15.
    for status in [481, 486, 500, 603] {
        let mut s = Script::place();
        s.hang_up();
        s.skip();
        s.respond("INVITE 1", status, "a");
        assert_eq!(s.take(), ["ended: cancelled"]);
    }
    for failure in [Failure::CancelTimeout, Failure::Timeout, Failure::Transport] {
        let mut s = Script::place();
        s.hang_up();
        s.skip();
        s.fail("INVITE 1", failure);
        assert_eq!(s.take(), ["ended: cancelled"]);
    }
}

#[test]
fn cancelled_requires_no_extension() {
    let mut s = Script::place();
    for name in ["Require", "Proxy-Require"] {
        let command = Command::HangUp(outgoing(&[(name, "100rel")]));
        // 3261-9.1-10, 3261-8.2.2.3-03
        assert_eq!(s.command(command), Err(Misuse::ReservedHeader { name }));
    }
    let reason = outgoing(&[("Reason", "SIP;cause=200")]);
    assert_eq!(s.command(Command::HangUp(reason)), Ok(()));
    assert_eq!(s.take(), ["INVITE 1", "CANCEL 1"]);
}

#[test]
fn inviting_rings_too_long_cancels() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.skip();
    assert_eq!(s.call.deadline(), Some(secs(240)));
    s.run_to(secs(240));
    assert_eq!(s.take(), ["CANCEL 1"]);
    assert_eq!(s.call.deadline(), None);
    s.respond("INVITE 1", 487, "a");
    assert_eq!(s.take(), ["ended: cancelled, rang too long"]);
}

#[test]
fn inviting_expires_cancels() {
    let timed = |seconds| {
        let invitation = Invitation::new(TARGET, FROM).unwrap();
        let s = Script::place_with(
            context(),
            invitation.with(outgoing(&[("Expires", seconds)])),
        );
        s.call.deadline()
    };
    // 3261-13.2.1-03; a limit of this side stands.
    assert_eq!(timed("30"), Some(secs(30)));
    assert_eq!(timed("3600"), Some(secs(240)));
    assert_eq!(timed("soon"), Some(secs(240)));
}

#[test]
fn inviting_bye_of_a_fork_ends_only_the_fork() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.respond("INVITE 1", 180, "b");
    s.skip();
    s.request("BYE", 9, "a");
    assert_eq!(s.take(), ["200 BYE 9"]);
    assert!(!s.call.has_dialog(Some("a")));
    // 3261-15-06
    assert!(s.call.has_dialog(Some("b")));
    s.respond("INVITE 1", 200, "b");
    assert_eq!(s.take(), ["ACK 1", "answered 200"]);
}

#[test]
fn inviting_invite_within_an_early_dialog_is_refused() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.skip();
    s.request("INVITE", 9, "a");
    // 3261-14.2-03
    assert_eq!(s.take(), ["491 INVITE 9"]);
    s.request("INFO", 9, "a");
    // 3261-12.2.2-10: the 491 took the number.
    assert_eq!(s.take(), ["500 INFO 9"]);
}

#[test]
fn inviting_request_within_an_early_dialog_is_the_users() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.skip();
    let server = s.request("INFO", 9, "a");
    assert_eq!(s.take(), ["request INFO"]);
    let status = crate::message::StatusCode::OK;
    let answer = Command::Respond {
        server,
        status,
        outgoing: nothing(),
    };
    s.command(answer).unwrap();
    assert_eq!(s.take(), ["200 INFO 9"]);
    s.request("INFO", 10, "a");
    s.run_to(secs(20));
    assert_eq!(s.take(), ["request INFO", "500 INFO 10", "request expired"]);
    s.request("INFO", 11, "nobody");
    assert_eq!(s.take(), ["481 INFO 11"]);
}

#[test]
fn inviting_events_for_others_are_absorbed() {
    let mut s = Script::place();
    s.skip();
    s.cancel(crate::call::ServerId(9));
    s.ack(1, "a");
    assert_eq!(s.take(), ["absorbed", "absorbed"]);
    assert_eq!(s.call.state(), "Inviting");
}

#[test]
fn confirmed_forks_beyond_the_limit_push_out_early_ones() {
    let mut context = context();
    context.limits = Limits::DEFAULT;
    context.limits.forks = 3;
    let mut s = Script::place_with(context, invitation());
    for tag in ["a", "b", "c"] {
        s.respond("INVITE 1", 180, tag);
    }
    s.respond("INVITE 1", 200, "a");
    s.skip();
    for tag in ["x", "y"] {
        s.respond("INVITE 1", 200, tag);
        assert_eq!(s.take(), ["ACK 1", "BYE 2", "fork dropped"]);
    }
    // All three places are bound; what comes now is dropped, and the peer's 64*T1 ends it.
    s.respond("INVITE 1", 200, "z");
    assert_eq!(s.take(), ["absorbed"]);
    assert_eq!(s.call.dialog().unwrap().remote_tag(), Some("a"));
}

#[test]
fn inviting_prack_for_nothing_is_refused() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    s.skip();
    let rack = [("RAck", "1 1 INVITE")];
    s.request_with("PRACK", 5, Some("a"), &rack, None);
    // 3262-3-26: there is no reliable response of this side.
    assert_eq!(s.take(), ["481 PRACK 5"]);
}

#[test]
fn inviting_that_goes_to_another_server_has_no_early_dialog_of_the_last_one() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    let offer = s.request_with("UPDATE", 5, Some("a"), &[], None);
    let info = s.request("INFO", 6, "a");
    s.skip();
    let request = s.id("INVITE 1");
    s.receive(Event::Rerouted { request });
    // 13.2.2.3: what it asked is asked by nobody.
    assert_eq!(s.take(), ["487 INFO 6"]);
    assert_eq!(
        (s.said_to(offer), s.said_to(info)),
        ([200].into(), [487].into())
    );
    // 3261-13.2.2.3-02
    assert!(!s.call.has_dialog(Some("a")));
    let (leg, outgoing) = (None, nothing());
    let update = s.command(Command::Update { leg, outgoing });
    assert!(matches!(update, Err(Misuse::WrongState { .. })));
    s.respond("INVITE 1", 200, "b");
    assert_eq!(s.take(), ["ACK 1", "answered 200"]);
}

//! Re-INVITE both ways: §14, and the target refresh of 12.2.

use super::script::{Script, all, nothing, one, outgoing, sdp, secs};
use crate::call::{Command, Event, ServerId, Timer};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::StatusCode;
use crate::time::Time;
use crate::transaction::Failure;

fn updating() -> Script {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    assert_eq!(s.take(), ["INVITE 2"]);
    s
}

fn reoffered() -> (Script, ServerId) {
    let mut s = Script::confirmed_as_callee();
    let contact = [("Contact", "<sip:new@192.0.2.44>")];
    let server = s.request_with("INVITE", 101, Some("them"), &contact, Some("offer"));
    assert_eq!(s.take(), ["reoffered"]);
    (s, server)
}

fn reject(status: u16) -> Command {
    Command::Reject {
        status: StatusCode::new(status).unwrap(),
        outgoing: nothing(),
    }
}

#[test]
fn confirmed_update_sends_invite_within_the_dialog() {
    let s = updating();
    let (first, second) = (s.sent("INVITE 1"), s.sent("INVITE 2"));
    // 3261-12.2.1.1-04, 3261-12.2.1.1-12
    assert_eq!(one(&second, "CSeq"), "2 INVITE");
    assert_eq!(one(&second, "Contact"), one(&first, "Contact"));
    assert_eq!(second.to_tag(), Some("a"));
    assert_eq!(second.body_slice(), b"offer");
    assert_ne!(second.branch(), first.branch());
    assert_eq!(one(&second, "Allow"), "INVITE, ACK, CANCEL, BYE");
}

#[test]
fn confirmed_update_takes_the_users_contact_for_its_own() {
    let mut s = Script::confirmed_as_caller();
    let own = outgoing(&[("Contact", "<sip:else@192.0.2.7>")]);
    s.command(Command::Reinvite(own)).unwrap();
    assert_eq!(one(&s.sent("INVITE 2"), "Contact"), "<sip:else@192.0.2.7>");
}

#[test]
fn updating_success_is_acknowledged_and_refreshes_the_target() {
    let mut s = updating();
    s.respond_with("INVITE 2", 180, Some("a"), &[], None);
    let extra = [
        ("Contact", "<sip:moved@192.0.2.44>"),
        ("Record-Route", "<sip:p1.example.org;lr>"),
    ];
    s.respond_with("INVITE 2", 200, Some("a"), &extra, Some("answer"));
    // PAINS 47
    assert_eq!(
        s.take(),
        ["progress 180", "target refreshed", "ACK 2", "updated 200"]
    );
    let ack = s.sent("ACK 2");
    // 3261-12.2.1.2-03, 3261-13.2.2.4-07
    assert_eq!(ack.uri().as_bytes(), b"sip:moved@192.0.2.44");
    // 3261-12.2-01, PAINS 46
    assert_eq!(all(&ack, "Route"), [""; 0]);
    assert_eq!(s.call.dialog().unwrap().routes().count(), 0);
}

#[test]
fn updated_success_again_gets_the_same_ack() {
    let mut s = updating();
    s.respond("INVITE 2", 200, "a");
    let ack = s.sent("ACK 2");
    s.skip();
    s.respond("INVITE 2", 200, "a");
    // PAINS 5
    assert_eq!(s.take(), ["ACK 2"]);
    assert_eq!(s.sent("ACK 2").bytes(), ack.bytes());
    s.gone("INVITE 2");
    s.hang_up();
    s.respond("BYE 3", 200, "a");
    assert_eq!(s.take(), ["BYE 3", "ended: BYE of this side", "terminated"]);
}

#[test]
fn confirmed_update_while_the_first_2xx_may_come_again_keeps_both_acks() {
    let mut s = Script::placed_and_answered();
    // 3261-14.1-05
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.respond("INVITE 2", 200, "a");
    s.skip();
    s.respond("INVITE 1", 200, "a");
    s.respond("INVITE 2", 200, "a");
    // PAINS 5, 7: each gets its own.
    assert_eq!(s.take(), ["ACK 1", "ACK 2"]);
}

#[test]
fn updating_without_offer_owes_the_answer() {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(nothing())).unwrap();
    let contact = [("Contact", "<sip:a@192.0.2.4:5070>")];
    s.respond_with("INVITE 2", 200, Some("a"), &contact, Some("offer"));
    assert_eq!(s.take(), ["INVITE 2", "updated 200, answer needed"]);
    s.command(Command::Acknowledge(sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["ACK 2"]);
    assert_eq!(s.sent("ACK 2").body_slice(), b"answer");
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn updating_refused_leaves_the_call_as_it_was() {
    for status in [488, 500, 603] {
        let mut s = updating();
        let contact = [("Contact", "<sip:else@192.0.2.99>")];
        s.respond_with("INVITE 2", status, Some("a"), &contact, None);
        // 3261-14.1-10, 3261-12.2.2-01
        assert_eq!(s.take(), [alloc::format!("update refused {status}")]);
        let dialog = s.call.dialog().unwrap();
        assert_eq!(dialog.remote_target(), b"sip:a@192.0.2.4:5070");
        // 3261-14.1-04: it may be tried again at once.
        assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
    }
}

#[test]
fn updating_lost_dialog_is_hung_up() {
    for status in [408, 481] {
        let mut s = updating();
        s.respond("INVITE 2", status, "a");
        // 3261-14.1-11
        assert_eq!(
            s.take(),
            [alloc::format!("update refused {status}"), "BYE 3".into()]
        );
    }
    let mut s = updating();
    s.fail("INVITE 2", Failure::Timeout);
    // 3261-14.1-11
    assert_eq!(s.take(), ["request failed Timeout", "BYE 3"]);
}

#[test]
fn updating_transport_error_leaves_the_call() {
    let mut s = updating();
    s.fail("INVITE 2", Failure::Transport);
    s.gone("INVITE 2");
    assert_eq!(s.take(), ["request failed Transport"]);
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn updating_update_is_a_misuse() {
    let mut s = updating();
    // 3261-14.1-03
    let result = s.command(Command::Reinvite(sdp("offer")));
    assert!(matches!(result, Err(Misuse::WrongState { .. })));
    // 3261-14.1-09: other requests go.
    s.command(Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    })
    .unwrap();
    assert_eq!(s.take(), ["INFO 3"]);
}

#[test]
fn updating_invite_of_the_other_side_is_glare() {
    let mut s = updating();
    s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    // 3261-14.2-03, PAINS 29, 99
    assert_eq!(s.take(), ["491 INVITE 5"]);
    assert!(all(&s.said(), "Retry-After").is_empty());
    s.settle(ServerId(2));
    s.respond("INVITE 2", 491, "a");
    assert_eq!(s.take(), ["update deferred 491"]);
    // 3261-14.1-12, 3261-14.1-14: 2.1 to 4 s in steps of 10 ms, since this side made the Call-ID. PAINS 30, 31
    let (at, timer) = s.call.next_timer().unwrap();
    let wait = at.saturating_since(s.now).as_millis();
    assert_eq!(timer, Timer::Retry);
    assert!((2100..=4000).contains(&wait) && wait % 10 == 0, "{wait}");
    s.fire();
    assert_eq!(s.take(), ["INVITE 3"]);
    assert_eq!(s.sent("INVITE 3").body_slice(), b"offer");
    s.respond("INVITE 3", 200, "a");
    assert_eq!(s.take(), ["ACK 3", "updated 200"]);
}

// 3261-14.1-15
#[test]
fn updating_callee_tries_again_sooner_than_the_caller() {
    let mut s = Script::confirmed_as_callee();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.skip();
    s.respond("INVITE 1", 491, "a");
    // 3261-14.1-13: 0 to 2 s in steps of 10 ms. PAINS 31
    let (at, _) = s.call.next_timer().unwrap();
    let wait = at.saturating_since(s.now).as_millis();
    assert!(wait <= 2000 && wait % 10 == 0, "{wait}");
}

#[test]
fn retrying_waits_for_an_invite_of_the_other_side() {
    let mut s = updating();
    s.respond("INVITE 2", 491, "a");
    s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    s.skip();
    s.fire();
    assert_eq!(s.take(), [""; 0], "nothing while theirs is open");
    assert!(s.call.deadline().unwrap() > s.now);
}

#[test]
fn retrying_hang_up_forgets_the_update() {
    let mut s = updating();
    s.respond("INVITE 2", 491, "a");
    s.skip();
    s.hang_up();
    assert_eq!(s.take(), ["BYE 3"]);
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn retrying_gives_up_after_the_limit() {
    let mut s = updating();
    let tries = Limits::DEFAULT.glare_retries;
    for cseq in 2..2 + u32::from(tries) {
        s.respond(&alloc::format!("INVITE {cseq}"), 491, "a");
        assert_eq!(s.take(), ["update deferred 491"]);
        s.fire();
        s.skip();
    }
    s.respond(&alloc::format!("INVITE {}", 2 + u32::from(tries)), 491, "a");
    assert_eq!(s.take(), ["update refused 491"]);
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn updating_hang_up_says_bye_and_acknowledges_a_late_2xx() {
    let mut s = updating();
    s.hang_up();
    s.skip();
    s.respond("INVITE 2", 200, "a");
    // PAINS 11
    assert_eq!(s.take(), ["ACK 2"]);
    s.respond("INVITE 2", 200, "a");
    assert_eq!(s.take(), ["ACK 2"]);
    s.respond("BYE 3", 200, "a");
    assert_eq!(s.take(), ["ended: BYE of this side"]);
    s.gone("INVITE 2");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn updating_hang_up_absorbs_a_late_refusal() {
    let mut s = updating();
    s.hang_up();
    s.skip();
    s.respond("INVITE 2", 487, "a");
    s.gone("INVITE 2");
    s.respond("BYE 3", 200, "a");
    assert_eq!(
        s.take(),
        ["absorbed", "ended: BYE of this side", "terminated"]
    );
}

#[test]
fn updating_bye_ends_the_call_and_a_late_2xx_is_acknowledged() {
    let mut s = updating();
    s.request("BYE", 5, "a");
    assert_eq!(
        s.take(),
        ["200 BYE 5", "ended: BYE of the other side, CSeq 5"]
    );
    s.respond("INVITE 2", 200, "a");
    // 3261-13.2.2.4-06, PAINS 11: ACK, and no second BYE.
    assert_eq!(s.take(), ["ACK 2"]);
    s.gone("INVITE 2");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn reoffered_answer_says_200_until_its_ack() {
    let (mut s, server) = reoffered();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // 3261-12.2.2-11, PAINS 47
    assert_eq!(s.take(), ["200 INVITE 101", "target refreshed"]);
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:new@192.0.2.44");
    assert_eq!(one(&s.said(), "Contact"), "<sip:me@192.0.2.1:5060>");
    s.run_to(Time::from_millis(500));
    assert_eq!(s.said_to(server), [200, 200]);
    // PAINS 7: the ACK of the first INVITE says nothing of this one.
    s.ack(100, "them");
    s.skip();
    s.ack(101, "them");
    assert_eq!(s.take(), ["acknowledged"]);
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn reoffered_answer_without_ack_is_hung_up() {
    let (mut s, _) = reoffered();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.run_to(secs(32));
    // 3261-14.2-07
    assert_eq!(s.count_sent("BYE 1"), 1);
    s.respond("BYE 1", 200, "x");
    assert_eq!(s.call.state(), "Terminated");
}

#[test]
fn reoffered_reject_leaves_the_call_as_it_was() {
    let (mut s, server) = reoffered();
    s.command(reject(488)).unwrap();
    assert_eq!(s.take(), ["488 INVITE 101"]);
    // 3261-14.2-05, 3261-12.2.2-01, 3261-8.2-01
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:them@192.0.2.4:5070");
    assert_eq!(s.said_to(server), [488]);
    let again = s.command(reject(488));
    assert!(matches!(again, Err(Misuse::WrongState { .. })));
}

#[test]
fn reoffered_progress_is_sent() {
    let (mut s, _) = reoffered();
    let progress = |status| Command::Progress {
        status: StatusCode::new(status).unwrap(),
        outgoing: nothing(),
    };
    s.command(progress(183)).unwrap();
    assert_eq!(s.take(), ["183 INVITE 101"]);
    let wrong = s.command(progress(200));
    assert_eq!(wrong, Err(Misuse::WrongStatus { status: 200 }));
}

#[test]
fn reoffered_nobody_answers_refuses_and_keeps_the_call() {
    let (mut s, _) = reoffered();
    s.run_to(secs(180));
    assert_eq!(s.take(), ["500 INVITE 101", "reoffer expired 500"]);
    assert_eq!(s.call.state(), "Confirmed");
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn reoffered_cancel_says_487_and_keeps_the_call() {
    let (mut s, server) = reoffered();
    s.cancel(server);
    // 3261-9.2-07
    assert_eq!(s.take(), ["487 INVITE 101", "reoffer cancelled"]);
    s.cancel(server);
    assert_eq!(s.take(), ["absorbed"]);
    assert_eq!(s.call.state(), "Confirmed");
    let late = s.command(Command::Answer(sdp("answer")));
    assert!(matches!(late, Err(Misuse::WrongState { .. })));
}

#[test]
fn reoffered_second_invite_is_refused_with_retry_after() {
    let (mut s, first) = reoffered();
    s.request_with("INVITE", 102, Some("them"), &[], Some("offer"));
    // 3261-14.2-01, 3261-14.2-02, PAINS 29
    assert_eq!(s.take(), ["500 INVITE 102"]);
    let retry: u64 = one(&s.said(), "Retry-After").parse().unwrap();
    assert!(retry <= 10);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(s.said_to(first), [200]);
}

#[test]
fn reoffered_update_is_a_misuse() {
    let (mut s, _) = reoffered();
    // 3261-14.1-06
    let result = s.command(Command::Reinvite(sdp("offer")));
    assert!(matches!(result, Err(Misuse::WrongState { .. })));
}

#[test]
fn reoffered_bye_says_487_to_the_invite() {
    let (mut s, _) = reoffered();
    s.request("BYE", 102, "them");
    // 3261-15.1.2-04, 3261-15.1.2-05
    assert_eq!(
        s.take(),
        [
            "200 BYE 102",
            "487 INVITE 101",
            "ended: BYE of the other side, CSeq 102",
            "terminated"
        ]
    );
}

#[test]
fn reoffered_hang_up_says_487_to_the_invite() {
    let (mut s, _) = reoffered();
    s.hang_up();
    assert_eq!(s.take(), ["487 INVITE 101", "BYE 1"]);
}

#[test]
fn reoffered_without_contact_keeps_the_target() {
    let mut s = Script::confirmed_as_callee();
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["reoffered", "200 INVITE 101"]);
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:them@192.0.2.4:5070");
}

#[test]
fn reoffered_record_route_changes_no_route() {
    let mut s = Script::confirmed_as_callee();
    let extra = [
        ("Record-Route", "<sip:p1.example.org;lr>"),
        ("Contact", "<sip:new@192.0.2.44>"),
    ];
    s.request_with("INVITE", 101, Some("them"), &extra, Some("offer"));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(101, "them");
    s.hang_up();
    // 3261-12.2-01, PAINS 46
    let bye = s.sent("BYE 1");
    assert_eq!(all(&bye, "Route"), [""; 0]);
    assert_eq!(bye.uri().as_bytes(), b"sip:new@192.0.2.44");
}

#[test]
fn confirmed_contact_of_an_ack_changes_no_target() {
    let mut s = Script::incoming();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    let contact = [("Contact", "<sip:else@192.0.2.99>")];
    let ack = s.their_request("ACK", 100, Some("them"), &contact, None);
    s.receive(Event::Ack { ack: ack.into() });
    // 3261-12.2-02
    let dialog = s.call.dialog().unwrap();
    assert_eq!(dialog.remote_target(), b"sip:them@192.0.2.4:5070");
}

#[test]
fn confirmed_invite_on_a_fork_is_not_a_reoffer() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "a");
    s.skip();
    let contact = [("Contact", "<sip:else@192.0.2.99>")];
    s.request_with("INVITE", 5, Some("b"), &contact, Some("offer"));
    // 3261-14.2-03: on that dialog the INVITE of this side has no final response.
    assert_eq!(s.take(), ["491 INVITE 5"]);
    let answer = s.command(Command::Answer(sdp("answer")));
    assert!(matches!(answer, Err(Misuse::WrongState { .. })));
}

#[test]
fn updating_bye_and_no_final_response_cancels_the_reinvite() {
    let mut s = updating();
    s.respond_with("INVITE 2", 180, Some("a"), &[], None);
    s.request("BYE", 5, "a");
    s.skip();
    // Nothing else would end its transaction: 17.1.1.2 has no timer for it.
    s.run_to(secs(32));
    assert_eq!(s.take(), ["CANCEL 2"]);
    s.fail("INVITE 2", Failure::CancelTimeout);
    s.gone("INVITE 2");
    assert_eq!(s.take(), ["absorbed", "terminated"]);
}

#[test]
fn updating_hang_up_and_no_final_response_cancels_the_reinvite() {
    let mut s = updating();
    s.respond_with("INVITE 2", 180, Some("a"), &[], None);
    s.hang_up();
    s.respond("BYE 3", 200, "a");
    s.skip();
    s.run_to(secs(32));
    assert_eq!(s.take(), ["CANCEL 2"]);
    s.respond_with("INVITE 2", 487, Some("a"), &[], None);
    s.gone("INVITE 2");
    assert_eq!(s.take(), ["absorbed", "terminated"]);
}

#[test]
fn rejected_reinvite_is_followed_by_none_before_its_ack() {
    let (mut s, server) = reoffered();
    s.command(reject(488)).unwrap();
    // 3261-14.1-07
    s.command(Command::Reinvite(sdp("mine"))).unwrap();
    assert_eq!(s.take(), ["488 INVITE 101"]);
    assert_eq!(s.call.deadline(), None);
    // Of another one.
    s.settle(ServerId(77));
    assert_eq!(s.take(), [""; 0]);
    s.settle(server);
    assert_eq!(s.take(), ["INVITE 1"]);
    assert_eq!(s.sent("INVITE 1").body_slice(), b"mine");
    s.settle(server);
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn rejected_reinvite_lets_other_requests_go_and_takes_the_last_wish() {
    let (mut s, server) = reoffered();
    s.command(reject(488)).unwrap();
    s.command(Command::Reinvite(sdp("first"))).unwrap();
    s.command(Command::Reinvite(sdp("second"))).unwrap();
    // 3261-14.1-09
    s.command(Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    })
    .unwrap();
    assert_eq!(s.take(), ["488 INVITE 101", "INFO 1"]);
    s.settle(server);
    assert_eq!(s.take(), ["INVITE 2"]);
    assert_eq!(s.sent("INVITE 2").body_slice(), b"second");

    let (mut s, server) = reoffered();
    s.command(reject(488)).unwrap();
    s.command(Command::Reinvite(sdp("first"))).unwrap();
    s.command(Command::CancelReinvite(nothing())).unwrap();
    s.settle(server);
    assert_eq!(s.take(), ["488 INVITE 101"]);
}

#[test]
fn retrying_waits_for_the_ack_of_what_this_side_refused() {
    let mut s = updating();
    let server = s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    s.respond("INVITE 2", 491, "a");
    s.skip();
    s.fire();
    // 3261-14.1-07
    assert_eq!(s.take(), [""; 0]);
    assert_eq!(s.call.deadline(), None);
    s.settle(server);
    assert_eq!(s.take(), ["INVITE 3"]);
}

#[test]
fn retrying_offer_that_another_exchange_has_overtaken_goes_back_to_the_user() {
    let mut s = updating();
    let refused = s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    s.settle(refused);
    s.respond("INVITE 2", 491, "a");
    s.request_with("INVITE", 6, Some("a"), &[], Some("offer"));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(6, "a");
    s.skip();
    s.fire();
    assert_eq!(s.take(), ["reinvite outdated"]);
    assert_eq!(s.call.deadline(), None);
    s.command(Command::Reinvite(sdp("new"))).unwrap();
    assert_eq!(s.take(), ["INVITE 3"]);

    // One that describes nothing is as good as ever.
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(nothing())).unwrap();
    s.respond("INVITE 2", 491, "a");
    s.request_with("INVITE", 6, Some("a"), &[], Some("offer"));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(6, "a");
    s.skip();
    s.fire();
    assert_eq!(s.take(), ["INVITE 3"]);
}

#[test]
fn reinvite_waits_for_the_ack_of_what_was_refused_before_the_call_was_answered() {
    let mut s = Script::incoming();
    let refused = s.request("INVITE", 101, "them");
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    assert_eq!(s.said_to(refused), [500]);
    s.skip();
    s.command(Command::Reinvite(sdp("mine"))).unwrap();
    // 3261-14.1-07
    assert_eq!(s.take(), [""; 0]);
    s.settle(refused);
    assert_eq!(s.take(), ["INVITE 1"]);

    let mut s = Script::place();
    s.respond("INVITE 1", 180, "a");
    let refused = s.request("INVITE", 7, "a");
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.said_to(refused), [491]);
    s.skip();
    s.command(Command::Reinvite(sdp("mine"))).unwrap();
    assert_eq!(s.take(), [""; 0]);
    s.settle(refused);
    assert_eq!(s.take(), ["INVITE 2"]);

    // One whose ACK has come in time holds nothing up.
    let mut s = Script::incoming();
    let refused = s.request("INVITE", 101, "them");
    s.settle(refused);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    s.skip();
    s.command(Command::Reinvite(sdp("mine"))).unwrap();
    assert_eq!(s.take(), ["INVITE 1"]);
}

#[test]
fn reinvite_that_goes_to_another_server_begins_anew() {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(sdp("mine"))).unwrap();
    let reliable = |rseq| {
        [
            ("Contact", "<sip:a@192.0.2.4:5070>"),
            ("Require", "100rel"),
            ("RSeq", rseq),
        ]
    };
    s.respond_with("INVITE 2", 183, Some("a"), &reliable("5"), Some("answer"));
    s.skip();
    let request = s.id("INVITE 2");
    s.receive(Event::Rerouted { request });
    // RFC 3263 4.3: another transaction, whose responses have numbers of their own.
    s.respond_with("INVITE 2", 183, Some("a"), &reliable("70"), Some("answer"));
    assert_eq!(s.take(), ["PRACK 4", "progress 183, answer"]);
}

#[test]
fn updating_refused_offer_is_not_offered_again_by_itself() {
    for status in [488, 606] {
        let mut s = updating();
        s.respond("INVITE 2", status, "a");
        // 6337-2.3-06, 6337-2.3-56
        assert_eq!(s.take(), [alloc::format!("update refused {status}")]);
        assert_eq!(s.call.deadline(), None);
    }
}

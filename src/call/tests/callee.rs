//! The callee until the final response, and its 2xx until the ACK: 13.3, §9.2.

use alloc::vec::Vec;

use super::script::{
    Script, all, context, headers, invite_to, nothing, one, outgoing, over, sdp, secs, their_invite,
};
use crate::call::{Command, ServerId};
use crate::dialog::Phase;
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::StatusCode;
use crate::time::Time;
use crate::transaction::Failure;

const INVITE: ServerId = ServerId(1);

fn progress(status: u16) -> Command {
    Command::Progress {
        status: StatusCode::new(status).unwrap(),
        outgoing: nothing(),
    }
}

fn reject(status: u16) -> Command {
    Command::Reject {
        status: StatusCode::new(status).unwrap(),
        outgoing: nothing(),
    }
}

fn answered() -> Script {
    let mut s = Script::incoming();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(s.take(), ["200 INVITE 100"]);
    s
}

#[test]
fn incoming_ring_says_180_with_tag_contact_and_record_route() {
    let route = "<sip:p1.example.org;lr>;x=y, \"b, c\" <sip:p2.example.org;lr>";
    let invite = their_invite(&[("Record-Route", route)], None);
    let mut s = Script::incoming_with(context(), &invite);
    s.command(progress(180)).unwrap();
    assert_eq!(s.take(), ["180 INVITE 100"]);
    let said = s.said();
    // 3261-8.2.6.2-07, PAINS 110
    assert_eq!(said.to_tag(), Some("me"));
    // 3261-12.1.1-01, 3261-12.1.1-02
    assert_eq!(all(&said, "Record-Route"), [route]);
    assert_eq!(one(&said, "Contact"), "<sip:me@192.0.2.1:5060>");
    // 3261-8.2.6.2-01, 3261-8.2.6.2-02, 3261-8.2.6.2-03, 3261-8.2.6.2-04
    for name in ["From", "Call-ID", "CSeq", "Via"] {
        assert_eq!(all(&said, name), all(&invite, name));
    }
}

#[test]
fn incoming_all_responses_show_one_dialog() {
    let mut s = Script::incoming();
    for status in [180, 183, 198] {
        s.command(progress(status)).unwrap();
        // 3261-13.3.1.1-01, 3261-8.2.6.2-08
        assert_eq!(s.said().to_tag(), Some("me"));
    }
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(s.said().to_tag(), Some("me"));
}

#[test]
fn incoming_progress_carries_what_the_user_adds() {
    let mut s = Script::incoming();
    let early = sdp("early media");
    let command = Command::Progress {
        status: StatusCode::new(183).unwrap(),
        outgoing: early.with_headers(headers(&[("Alert-Info", "<cid:x>")])),
    };
    s.command(command).unwrap();
    // PAINS 35
    assert_eq!(s.said().body_slice(), b"early media");
    assert_eq!(one(&s.said(), "Alert-Info"), "<cid:x>");
}

#[test]
fn incoming_progress_outside_101_to_199_is_a_misuse() {
    let mut s = Script::incoming();
    for status in [100, 200, 486] {
        let result = s.command(progress(status));
        assert_eq!(result, Err(Misuse::WrongStatus { status }));
    }
}

#[test]
fn incoming_a_minute_passes_repeats_the_provisional() {
    let mut s = Script::incoming();
    s.now = secs(5);
    s.command(progress(183)).unwrap();
    let bytes = s.said().bytes().clone();
    s.skip();
    s.run_to(secs(64));
    assert_eq!(s.take(), [""; 0]);
    // 3261-13.3.1.1-02
    s.run_to(secs(65));
    assert_eq!(s.take(), ["183 INVITE 100"]);
    assert_eq!(s.said().bytes(), &bytes);
    s.run_to(secs(125));
    assert_eq!(s.take(), ["183 INVITE 100"]);
    // A newer one starts its own minute.
    s.now = secs(130);
    s.command(progress(180)).unwrap();
    s.run_to(secs(179));
    assert_eq!(s.take(), ["180 INVITE 100"]);
}

#[test]
fn incoming_a_late_wake_repeats_the_provisional_once() {
    let mut s = Script::incoming();
    s.command(progress(180)).unwrap();
    s.skip();
    s.now = secs(170);
    s.wake();
    assert_eq!(s.take(), ["180 INVITE 100"]);
    // Counted from now: 120 s has passed too.
    assert_eq!(s.call.deadline(), Some(secs(180)));
}

#[test]
fn incoming_a_wake_after_the_end_repeats_nothing() {
    let mut s = Script::incoming();
    s.command(progress(180)).unwrap();
    s.skip();
    s.now = secs(1_000);
    s.wake();
    // L4
    assert_eq!(
        s.take(),
        ["480 INVITE 100", "ended: unanswered", "terminated"]
    );
}

#[test]
fn waits_of_zero_are_over_at_once() {
    let mut context = context();
    context.timers.t1 = core::time::Duration::ZERO;
    let mut s = Script::incoming_with(context, &their_invite(&[], None));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // L1
    assert_eq!(s.take(), ["200 INVITE 100", "BYE 1"]);
    let mut context = super::script::context();
    context.limits.ringing_wait = core::time::Duration::ZERO;
    let mut s = Script::place_with(context, super::script::invitation());
    assert_eq!(s.take(), ["INVITE 1", "CANCEL 1"]);
}

#[test]
fn incoming_without_progress_repeats_nothing() {
    let mut s = Script::incoming();
    s.run_to(secs(179));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn incoming_nobody_answers_says_480() {
    let mut s = Script::incoming();
    s.command(progress(180)).unwrap();
    s.run_to(secs(179));
    s.skip();
    s.run_to(secs(180));
    // At this instant a minute has passed too: the end goes first (L4).
    assert_eq!(
        s.take(),
        ["480 INVITE 100", "ended: unanswered", "terminated"]
    );
    assert_eq!(s.said_to(INVITE), [180, 180, 180, 480]);
}

#[test]
fn incoming_expires_says_487() {
    let mut s = Script::incoming_with(context(), &their_invite(&[("Expires", "20")], None));
    s.run_to(secs(20));
    // 3261-13.3.1-01
    assert_eq!(
        s.take(),
        ["487 INVITE 100", "ended: unanswered", "terminated"]
    );
    let long = Script::incoming_with(context(), &their_invite(&[("Expires", "999")], None));
    assert_eq!(long.call.deadline(), Some(secs(180)));
}

#[test]
fn incoming_answer_says_200_with_capabilities() {
    let s = answered();
    let said = s.said();
    // 3261-13.3.1.4-01, PAINS 103
    assert_eq!(one(&said, "Allow"), "INVITE, ACK, CANCEL, BYE");
    assert_eq!(one(&said, "Supported"), "path");
    assert_eq!(one(&said, "Contact"), "<sip:me@192.0.2.1:5060>");
    assert_eq!(said.body_slice(), b"answer");
    assert_eq!(s.call.state(), "Confirmed");
    assert_eq!(s.call.dialog().unwrap().phase(), Phase::Confirmed);
}

#[test]
fn incoming_answer_takes_the_users_headers_for_its_own() {
    let mut s = Script::incoming();
    let own = outgoing(&[
        ("Contact", "<sip:else@192.0.2.7>"),
        ("allow", "INVITE, ACK, BYE"),
    ]);
    let own = own.with_body(sdp("answer").body.unwrap());
    s.command(Command::Answer(own)).unwrap();
    assert_eq!(one(&s.said(), "Contact"), "<sip:else@192.0.2.7>");
    assert_eq!(one(&s.said(), "Allow"), "INVITE, ACK, BYE");
    assert_eq!(one(&s.said(), "User-Agent"), "drongo");
}

#[test]
fn incoming_sips_anywhere_makes_the_contact_sips() {
    let cases = [
        ("sips:me@example.com", "<sip:p;lr>", "<sip:a@b>", "sips"),
        ("sip:me@example.com", "<sips:p;lr>", "<sip:a@b>", "sips"),
        ("sip:me@example.com", "<sip:p;lr>", "<sips:a@b>", "sip"),
        ("sip:me@example.com", "", "<sips:a@b>", "sips"),
        ("sip:me@example.com", "", "<sip:a@b>", "sip"),
    ];
    for (uri, route, contact, scheme) in cases {
        let extra = [("Record-Route", route), ("Contact", contact)];
        let invite = invite_to(uri, Some("them"), &extra, None);
        let mut s = Script::incoming_with(context(), &invite);
        s.command(Command::Answer(sdp("offer"))).unwrap();
        // 3261-12.1.1-05: it came over UDP.
        assert!(!s.call.dialog().unwrap().is_secure());
        // 3261-12.1.1-03, 3261-12.1.1-04
        let expected = alloc::format!("<{scheme}:me@192.0.2.1:5060>");
        assert_eq!(
            one(&s.said(), "Contact"),
            expected,
            "{uri} {route} {contact}"
        );
    }
}

#[test]
fn incoming_sips_over_tls_makes_a_secure_dialog() {
    // 3261-12.1.1-05, 5630-5.1.2-05
    for uri in ["sips:me@example.com", "sip:me@example.com"] {
        for transport in ["UDP", "TCP", "TLS", "WSS"] {
            let invite = invite_to(uri, Some("them"), &[], None);
            let s = Script::incoming_with(context(), &over(transport, &invite));
            let secure = uri.starts_with("sips:") && ["TLS", "WSS"].contains(&transport);
            let dialog = s.call.dialog().unwrap();
            assert_eq!(dialog.is_secure(), secure, "{uri} {transport}");
        }
    }
}

#[test]
fn incoming_without_from_tag_is_answered() {
    let invite = invite_to("sip:me@example.com", None, &[], Some("offer"));
    let mut s = Script::incoming_with(context(), &invite);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // 3261-12.1.1-11, PAINS 95, 112
    assert!(s.call.has_dialog(None));
    let ack = s.their_request("ACK", 100, None, &[], None);
    s.receive(crate::call::Event::Ack { ack: ack.into() });
    s.hang_up();
    assert_eq!(s.take(), ["200 INVITE 100", "acknowledged", "BYE 1"]);
    // 3261-12.2.1.1-02
    assert_eq!(one(&s.sent("BYE 1"), "To"), "<sip:them@example.org>");
}

#[test]
fn answered_no_ack_repeats_the_2xx_from_t1_to_t2_and_then_says_bye() {
    let mut s = answered();
    let bytes = s.said().bytes().clone();
    let mut times = Vec::new();
    while s.call.deadline().unwrap() < secs(32) {
        s.run_to(s.call.deadline().unwrap());
        assert_eq!(s.take(), ["200 INVITE 100"]);
        // PAINS 10
        assert_eq!(s.said().bytes(), &bytes);
        times.push(s.now.as_nanos() / 1_000_000);
    }
    // 6026-8.1-01, 6026-8.1-02, 3261-13.3.1.4-04, 3261-13.3.1.4-05, PAINS 8: a call knows no
    // transport.
    assert_eq!(
        times,
        [
            500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
        ]
    );
    s.run_to(secs(32));
    // 3261-13.3.1.4-07, PAINS 12, 103
    assert_eq!(s.take(), ["BYE 1"]);
    assert_eq!(s.call.deadline(), None);
    s.fail("BYE 1", Failure::Timeout);
    assert_eq!(
        s.take(),
        ["ended: no ACK, BYE failed Timeout", "terminated"]
    );
}

#[test]
fn answered_a_late_wake_repeats_once() {
    let mut s = answered();
    s.now = secs(20);
    s.wake();
    // L5
    assert_eq!(s.take(), ["200 INVITE 100"]);
    assert_eq!(s.call.deadline(), Some(secs(21)));
    s.now = secs(100);
    s.wake();
    // L4: the end of it beats its repetition.
    assert_eq!(s.take(), ["BYE 1"]);
    s.respond("BYE 1", 200, "x");
    assert_eq!(s.take(), ["ended: no ACK", "terminated"]);
}

#[test]
fn answered_ack_stops_the_2xx() {
    let mut s = answered();
    s.run_to(Time::from_millis(600));
    s.skip();
    s.ack(100, "them");
    // 3261-13.3.1.4-06, 3261-12.2.2-12
    assert_eq!(s.take(), ["acknowledged"]);
    assert_eq!(s.call.deadline(), None);
    s.ack(100, "them");
    assert_eq!(s.take(), ["absorbed"]);
}

#[test]
fn answered_ack_with_another_cseq_is_absorbed() {
    let mut s = answered();
    s.ack(99, "them");
    s.ack(101, "them");
    // 3261-13.3.1.4-06, PAINS 7
    assert_eq!(s.take(), ["absorbed", "absorbed"]);
    s.run_to(Time::from_millis(500));
    assert_eq!(s.take(), ["200 INVITE 100"]);
}

#[test]
fn answered_bye_before_the_ack_ends_the_call() {
    let mut s = answered();
    s.request("BYE", 101, "them");
    // 3261-15.1.2-06
    assert_eq!(
        s.take(),
        [
            "200 BYE 101",
            "ended: BYE of the other side, CSeq 101",
            "terminated"
        ]
    );
}

#[test]
fn answered_hang_up_waits_for_the_ack() {
    let mut s = answered();
    s.hang_up();
    s.hang_up();
    // 3261-15-05, PAINS 12
    assert_eq!(s.take(), [""; 0]);
    s.run_to(Time::from_millis(500));
    assert_eq!(s.take(), ["200 INVITE 100"]);
    s.ack(100, "them");
    assert_eq!(s.take(), ["acknowledged", "BYE 1"]);
    s.respond("BYE 1", 200, "x");
    assert_eq!(s.take(), ["ended: BYE of this side", "terminated"]);
}

#[test]
fn answered_hang_up_without_ack_says_bye_at_last() {
    let mut s = answered();
    s.hang_up();
    s.run_to(secs(32));
    // 3261-15-05
    assert_eq!(s.count_sent("BYE 1"), 1);
    s.respond("BYE 1", 200, "x");
    assert_eq!(s.call.state(), "Terminated");
}

#[test]
fn answered_lost_dialog_waits_for_the_ack_too() {
    let mut s = answered();
    s.command(Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    })
    .unwrap();
    s.respond("INFO 1", 481, "x");
    // 3261-15-05
    assert_eq!(s.take(), ["INFO 1", "response 481"]);
    s.ack(100, "them");
    assert_eq!(s.take(), ["acknowledged", "BYE 2"]);
    s.respond("BYE 2", 481, "x");
    assert_eq!(s.take(), ["ended: dialog lost Some(481)", "terminated"]);
}

#[test]
fn answered_invite_before_the_ack_is_taken() {
    let mut s = answered();
    // 6337-4.3-06: the ACK carries nothing, and who sends this has seen the 2xx.
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    assert_eq!(s.take(), ["reoffered"]);
    // The first still waits for its own ACK.
    s.ack(101, "them");
    assert_eq!(s.take(), ["absorbed"]);
    s.ack(100, "them");
    assert_eq!(s.take(), ["acknowledged"]);
}

#[test]
fn answered_update_before_the_ack_is_a_misuse() {
    let mut s = answered();
    // 3261-14.1-06, 3261-14.1-08
    let result = s.command(Command::Reinvite(sdp("offer")));
    assert!(matches!(result, Err(Misuse::WrongState { .. })));
    s.ack(100, "them");
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn answered_cancel_changes_nothing() {
    let mut s = answered();
    s.cancel(INVITE);
    // 3261-9.2-06, PAINS 18
    assert_eq!(s.take(), ["absorbed"]);
    assert_eq!(s.call.state(), "Confirmed");
}

#[test]
fn incoming_reject_ends_the_call() {
    for status in [302, 404, 486, 503, 603] {
        let mut s = Script::incoming();
        s.command(reject(status)).unwrap();
        assert_eq!(
            s.take(),
            [
                alloc::format!("{status} INVITE 100"),
                alloc::format!("ended: rejected {status}"),
                "terminated".into()
            ]
        );
        assert_eq!(s.said().to_tag(), Some("me"));
        assert!(!s.call.has_dialog(Some("them")));
    }
}

#[test]
fn incoming_reject_with_what_is_no_refusal_is_a_misuse() {
    let mut s = Script::incoming();
    for status in [100, 183, 200, 299] {
        let result = s.command(reject(status));
        assert_eq!(result, Err(Misuse::WrongStatus { status }));
    }
    let own = outgoing(&[("Contact", "<sip:else@192.0.2.7>")]);
    let command = Command::Reject {
        status: StatusCode::new(302).unwrap(),
        outgoing: own,
    };
    s.command(command).unwrap();
    // 3261-13.3.1.2-01
    assert_eq!(one(&s.said(), "Contact"), "<sip:else@192.0.2.7>");
}

#[test]
fn incoming_hang_up_rejects() {
    let mut s = Script::incoming();
    s.hang_up();
    // 3261-15-02, 3261-15-04: a callee sends no BYE here.
    assert_eq!(
        s.take(),
        ["480 INVITE 100", "ended: rejected 480", "terminated"]
    );
    s.hang_up();
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn incoming_cancel_says_487() {
    let mut s = Script::incoming();
    s.command(progress(180)).unwrap();
    s.skip();
    s.cancel(INVITE);
    // 3261-9.2-07, 3261-9.2-11
    assert_eq!(
        s.take(),
        ["487 INVITE 100", "ended: cancelled by caller", "terminated"]
    );
    // 3261-9.2-10: the owner answers the CANCEL with the tag that it gave the call.
    assert_eq!(s.said().to_tag(), Some("me"));
    // PAINS 18, 74: the answer in flight lost, and is harmless.
    assert_eq!(s.command(Command::Answer(sdp("answer"))), Ok(()));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn incoming_cancel_of_another_invite_is_absorbed() {
    let mut s = Script::incoming();
    s.cancel(ServerId(99));
    assert_eq!(s.take(), ["absorbed"]);
    assert_eq!(s.call.state(), "Incoming");
}

#[test]
fn incoming_bye_says_200_and_487() {
    let mut s = Script::incoming();
    let info = s.request("INFO", 101, "them");
    s.skip();
    s.request("BYE", 102, "them");
    // 3261-15.1.2-03, 3261-15.1.2-04, 3261-15.1.2-05
    assert_eq!(
        s.take(),
        [
            "200 BYE 102",
            "487 INVITE 100",
            "487 INFO 101",
            "ended: BYE of the other side, CSeq 102",
            "terminated"
        ]
    );
    assert_eq!(s.said_to(info), [487]);
}

#[test]
fn incoming_second_invite_is_refused_for_now() {
    let mut s = Script::incoming();
    let second = s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    assert_eq!(s.take(), ["500 INVITE 101"]);
    // 3261-14.2-01, 3261-14.2-02
    assert_eq!(s.said_to(second), [500]);
    let retry: u64 = one(&s.said(), "Retry-After").parse().unwrap();
    assert!(retry <= 10);
    assert_eq!(s.call.state(), "Incoming");
    // Its CANCEL is not the first one's.
    s.cancel(second);
    assert_eq!(s.take(), ["absorbed"]);
}

#[test]
fn incoming_second_invites_are_spread_over_ten_seconds() {
    let mut s = Script::incoming();
    let mut seen = [false; 11];
    for cseq in 101..400 {
        s.request("INVITE", cseq, "them");
        let retry: usize = one(&s.said(), "Retry-After").parse().unwrap();
        seen[retry] = true;
    }
    // 3261-14.2-02
    assert_eq!(seen, [true; 11]);
}

#[test]
fn incoming_request_is_the_users_and_stale_ones_are_refused() {
    let mut s = Script::incoming();
    // PAINS 27: the early dialog is there before anyone has heard of it.
    s.request("REFER", 105, "them");
    assert_eq!(s.take(), ["request REFER"]);
    // 3261-12.2.2-06, 3261-12.2.2-07
    s.request("INFO", 105, "them");
    s.request("INFO", 100, "them");
    assert_eq!(s.take(), ["500 INFO 105", "500 INFO 100"]);
    s.request("INFO", 106, "nobody");
    assert_eq!(s.take(), ["481 INFO 106"]);
}

#[test]
fn incoming_events_of_a_caller_are_absorbed() {
    let mut s = Script::incoming();
    s.ack(100, "them");
    let other = Script::place();
    let request = other.id("INVITE 1");
    let response = other.response("INVITE 1", 200, Some("a"), &[], None);
    s.receive(crate::call::Event::Response {
        request,
        response: response.into(),
    });
    s.receive(crate::call::Event::Failed {
        request,
        failure: Failure::Timeout,
    });
    s.receive(crate::call::Event::Gone { request });
    assert_eq!(s.take(), ["absorbed"; 4]);
}

#[test]
fn incoming_body_in_a_coding_that_the_caller_lacks_is_a_misuse() {
    // 3261-20.12-01
    let encoded = |coding| {
        let outgoing = sdp("answer");
        let headers = outgoing
            .headers
            .clone()
            .with("Content-Encoding", coding)
            .unwrap();
        outgoing.with_headers(headers)
    };
    let refused = Err(Misuse::NotAccepted {
        what: "Content-Encoding",
    });
    let accepts = [("Accept-Encoding", "gzip, deflate;q=0, *;q=0")];
    for (extra, coding, fits) in [
        (&accepts[..], "gzip", true),
        (&accepts[..], "GZIP", true),
        (&accepts[..], "deflate", false),
        (&accepts[..], "br", false),
        (&[("Accept-Encoding", "*")][..], "br", true),
        (&[][..], "gzip", false),
        (&[][..], "identity", true),
    ] {
        let invite = their_invite(extra, Some("offer"));
        let mut s = Script::incoming_with(context(), &invite);
        let answered = s.command(Command::Answer(encoded(coding)));
        match fits {
            true => assert_eq!(answered, Ok(()), "{extra:?} {coding}"),
            false => assert_eq!(answered, refused, "{extra:?} {coding}"),
        }
        // A misuse has changed nothing.
        let said = s.take();
        assert_eq!(said.is_empty(), !fits, "{said:?}");
    }
    // A request within the dialog, and a re-INVITE.
    let mut s = Script::confirmed_as_callee();
    s.request("INVITE", 101, "them");
    assert_eq!(s.command(Command::Answer(encoded("gzip"))), refused);
}

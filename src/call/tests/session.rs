//! A confirmed call: BYE and requests within the dialog, §12.2, §15.

use super::script::{Script, all, context, nothing, one, outgoing, secs};
use crate::call::{Command, Event, ServerId};
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::StatusCode;
use crate::transaction::Failure;

fn request(method: &str) -> Command {
    Command::Request {
        method: method.into(),
        outgoing: nothing(),
    }
}

fn respond(server: ServerId, status: u16) -> Command {
    Command::Respond {
        server,
        status: StatusCode::new(status).unwrap(),
        outgoing: nothing(),
    }
}

#[test]
fn confirmed_hang_up_says_bye_and_ends_with_its_answer() {
    let mut s = Script::confirmed_as_caller();
    s.hang_up();
    s.hang_up();
    assert_eq!(s.take(), ["BYE 2"]);
    let bye = s.sent("BYE 2");
    // 3261-12.2.1.1-01, 3261-12.2.1.1-03, 3261-12.2.1.1-04, 3261-12.2.1.1-07
    assert_eq!(bye.uri().as_bytes(), b"sip:a@192.0.2.4:5070");
    assert_eq!(one(&bye, "To"), "<sip:bob@192.0.2.4>;tag=a");
    assert_eq!(one(&bye, "From"), one(&s.sent("INVITE 1"), "From"));
    assert_eq!(one(&bye, "Call-ID"), one(&s.sent("INVITE 1"), "Call-ID"));
    // 3261-8.1.1.5-01
    assert_eq!(one(&bye, "CSeq"), "2 BYE");
    assert_eq!(all(&bye, "Route"), [""; 0]);
    s.respond("BYE 2", 100, "a");
    assert_eq!(s.take(), [""; 0]);
    // PAINS 55: the dialog is there until the BYE is final.
    assert!(s.call.has_dialog(Some("a")));
    s.respond("BYE 2", 200, "a");
    assert_eq!(s.take(), ["ended: BYE of this side", "terminated"]);
    assert!(!s.call.has_dialog(Some("a")));
}

#[test]
fn confirmed_hang_up_carries_what_the_user_adds() {
    let mut s = Script::confirmed_as_caller();
    let reason = outgoing(&[("Reason", "Q.850;cause=16")]);
    s.command(Command::HangUp(reason)).unwrap();
    assert_eq!(one(&s.sent("BYE 2"), "Reason"), "Q.850;cause=16");
}

#[test]
fn leaving_any_final_response_or_silence_ends_the_call() {
    for status in [200, 401, 408, 481, 500, 603] {
        let mut s = Script::confirmed_as_callee();
        s.hang_up();
        s.respond("BYE 1", status, "x");
        // 3261-15.1.1-02
        assert_eq!(s.take(), ["BYE 1", "ended: BYE of this side", "terminated"]);
    }
    for failure in [Failure::Timeout, Failure::Transport] {
        let mut s = Script::confirmed_as_callee();
        s.hang_up();
        s.skip();
        s.fail("BYE 1", failure);
        // PAINS 71
        let ended = alloc::format!("ended: BYE failed {failure:?}");
        assert_eq!(s.take(), [ended.as_str(), "terminated"]);
    }
}

#[test]
fn confirmed_bye_ends_the_call() {
    let mut s = Script::confirmed_as_caller();
    let info = s.request("INFO", 4, "a");
    s.skip();
    // 3261-12-03: its From is another URI than the To of this side's requests.
    s.request("BYE", 5, "a");
    // 3261-12.3-02, 3261-15-01
    // 3261-15.1.2-02, 3261-15.1.2-03, 3261-15.1.2-04, 3261-15.1.2-05
    assert_eq!(
        s.take(),
        [
            "200 BYE 5",
            "487 INFO 4",
            "ended: BYE of the other side, CSeq 5",
            "terminated"
        ]
    );
    assert_eq!(s.said_to(info), [487]);
    assert!(!s.call.has_dialog(Some("a")));
}

#[test]
fn leaving_bye_that_crossed_is_answered() {
    let mut s = Script::confirmed_as_caller();
    s.hang_up();
    s.skip();
    s.request("BYE", 5, "a");
    assert_eq!(
        s.take(),
        ["200 BYE 5", "ended: BYE of the other side, CSeq 5"]
    );
    // Its own is not answered yet.
    assert_eq!(s.call.state(), "Lingering");
    s.respond("BYE 2", 481, "a");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn leaving_other_requests_have_no_dialog() {
    let mut s = Script::confirmed_as_caller();
    s.hang_up();
    s.skip();
    for (cseq, method) in [(5, "INVITE"), (6, "INFO"), (7, "UPDATE")] {
        s.request(method, cseq, "a");
        // 3261-15.1.1-01
        assert_eq!(s.take(), [alloc::format!("481 {method} {cseq}")]);
    }
}

#[test]
fn confirmed_bye_of_a_fork_leaves_the_call() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "a");
    s.respond("INVITE 1", 200, "c");
    s.skip();
    s.request("BYE", 5, "b");
    s.request("BYE", 5, "c");
    assert_eq!(s.take(), ["200 BYE 5", "200 BYE 5"]);
    assert_eq!(s.call.state(), "Confirmed");
    assert!(!s.call.has_dialog(Some("b")));
    // This side's BYE to the third is still under way.
    assert!(s.call.has_dialog(Some("c")));
    s.respond("BYE 2", 481, "c");
    assert!(!s.call.has_dialog(Some("c")));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn confirmed_request_of_the_other_side_is_answered_by_the_user() {
    let mut s = Script::confirmed_as_callee();
    let server = s.request_with("INFO", 101, Some("them"), &[], Some("digits"));
    assert_eq!(s.take(), ["request INFO"]);
    for status in [100, 183] {
        // 3261-8.2.6.1-01
        let result = s.command(respond(server, status));
        assert_eq!(result, Err(Misuse::WrongStatus { status }));
    }
    s.command(respond(server, 415)).unwrap();
    assert_eq!(s.take(), ["415 INFO 101"]);
    // 3261-8.2.6.2-06
    assert_eq!(s.said().to_tag(), Some("me"));
    // Answered: twice is harmless.
    s.command(respond(server, 200)).unwrap();
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn confirmed_request_that_nobody_answers_is_refused() {
    let mut s = Script::confirmed_as_callee();
    let first = s.request("INFO", 101, "them");
    s.now = secs(5);
    let second = s.request("INFO", 102, "them");
    s.skip();
    s.run_to(secs(20));
    assert_eq!(s.said_to(first), [500]);
    s.run_to(secs(25));
    assert_eq!(s.said_to(second), [500]);
    assert_eq!(
        s.take(),
        [
            "500 INFO 101",
            "request expired",
            "500 INFO 102",
            "request expired"
        ]
    );
    assert_eq!(s.call.deadline(), None);
    s.command(respond(first, 200)).unwrap();
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn confirmed_requests_above_the_limit_are_refused() {
    let mut context = context();
    context.limits.pending_requests = 2;
    let mut s = Script::place_with(context, super::script::invitation());
    s.respond("INVITE 1", 200, "a");
    s.skip();
    for cseq in 5..8 {
        s.request("INFO", cseq, "a");
    }
    assert_eq!(s.take(), ["request INFO", "request INFO", "503 INFO 7"]);
    // An offer is the user's to answer, too.
    s.request_with("UPDATE", 8, Some("a"), &[], Some("offer"));
    assert_eq!(s.take(), ["503 UPDATE 8"]);
    s.request_with("UPDATE", 9, Some("a"), &[], None);
    assert_eq!(s.take(), ["200 UPDATE 9", "refreshed"]);
}

#[test]
fn confirmed_stale_cseq_is_refused_and_a_gap_is_taken() {
    let mut s = Script::confirmed_as_callee();
    // 3261-12.2.2-08, PAINS 109
    s.request("INFO", 5_000, "them");
    assert_eq!(s.take(), ["request INFO"]);
    // 3261-12.2.2-06, 3261-12.2.2-07, 3261-12.2.2-09
    s.request("INFO", 5_000, "them");
    s.request("BYE", 4_999, "them");
    assert_eq!(s.take(), ["500 INFO 5000", "500 BYE 4999"]);
    assert_eq!(s.call.state(), "Confirmed");
    s.request("BYE", 5_001, "them");
    assert_eq!(s.call.state(), "Terminated");
}

#[test]
fn confirmed_first_request_of_the_callee_may_have_any_cseq() {
    let mut s = Script::confirmed_as_caller();
    // 3261-12.2.2-05, 3261-12.1.2-04
    s.request("INFO", 0, "a");
    assert_eq!(s.take(), ["request INFO"]);
}

#[test]
fn confirmed_both_sides_count_for_themselves() {
    let mut s = Script::confirmed_as_callee();
    s.command(request("INFO")).unwrap();
    s.request("INFO", 101, "them");
    s.command(request("INFO")).unwrap();
    // 3261-12.2.1.1-06, 3261-12.1.1-09
    assert_eq!(s.take(), ["INFO 1", "request INFO", "INFO 2"]);
}

#[test]
fn confirmed_request_of_this_side_gets_its_response() {
    let mut s = Script::confirmed_as_caller();
    s.command(request("INFO")).unwrap();
    s.respond("INFO 2", 180, "a");
    s.respond("INFO 2", 200, "a");
    assert_eq!(s.take(), ["INFO 2", "response 180", "response 200"]);
    s.respond("INFO 2", 200, "a");
    assert_eq!(s.take(), ["absorbed"]);
}

#[test]
fn confirmed_error_response_leaves_the_dialog() {
    let mut s = Script::confirmed_as_caller();
    // 3261-12.2.1.2-05
    for status in [302, 400, 401, 405, 415, 420, 486, 489, 500, 501, 503, 603] {
        s.command(request("INFO")).unwrap();
        let label = s.take().remove(0);
        s.respond(&label, status, "a");
        assert_eq!(s.take(), [alloc::format!("response {status}")]);
    }
    assert_eq!(s.call.state(), "Confirmed");
}

#[test]
fn confirmed_lost_dialog_is_hung_up() {
    // 3261-12.2.1.2-04, 3261-12.2.1.2-05
    for status in [404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604] {
        let mut s = Script::confirmed_as_caller();
        s.command(request("INFO")).unwrap();
        s.respond("INFO 2", status, "a");
        let response = alloc::format!("response {status}");
        assert_eq!(s.take(), ["INFO 2", response.as_str(), "BYE 3"]);
        s.respond("BYE 3", 481, "a");
        let ended = alloc::format!("ended: dialog lost Some({status})");
        assert_eq!(s.take(), [ended.as_str(), "terminated"]);
    }
}

#[test]
fn confirmed_silence_is_hung_up_but_a_transport_error_is_not() {
    let mut s = Script::confirmed_as_caller();
    s.command(request("INFO")).unwrap();
    s.fail("INFO 2", Failure::Transport);
    // 3261-8.1.3.1-02, 3261-8.1.3.1-03, PAINS 71
    assert_eq!(s.take(), ["INFO 2", "request failed Transport"]);
    s.command(request("INFO")).unwrap();
    s.fail("INFO 3", Failure::Timeout);
    // 3261-8.1.3.1-01, 3261-12.2.1.2-01, 4320-4.2-04
    assert_eq!(s.take(), ["INFO 3", "request failed Timeout", "BYE 4"]);
    s.fail("BYE 4", Failure::Timeout);
    assert_eq!(s.take(), ["ended: dialog lost None", "terminated"]);
}

#[test]
fn leaving_responses_to_other_requests_do_not_say_bye_again() {
    let mut s = Script::confirmed_as_caller();
    s.command(request("INFO")).unwrap();
    s.command(request("MESSAGE")).unwrap();
    s.hang_up();
    s.skip();
    s.respond("INFO 2", 481, "a");
    s.fail("MESSAGE 3", Failure::Timeout);
    assert_eq!(s.take(), ["response 481", "request failed Timeout"]);
    s.respond("BYE 4", 200, "a");
    assert_eq!(s.take(), ["ended: BYE of this side", "terminated"]);
}

#[test]
fn confirmed_contact_of_other_requests_changes_no_target() {
    let mut s = Script::confirmed_as_caller();
    let contact = [("Contact", "<sip:else@192.0.2.99>")];
    for (cseq, method) in [(5, "INFO"), (6, "OPTIONS"), (7, "MESSAGE")] {
        s.request_with(method, cseq, Some("a"), &contact, None);
    }
    s.command(request("INFO")).unwrap();
    s.respond_with("INFO 2", 200, Some("a"), &contact, None);
    s.hang_up();
    // 3261-12.2-04
    let bye = s.sent("BYE 3");
    assert_eq!(bye.uri().as_bytes(), b"sip:a@192.0.2.4:5070");
}

#[test]
fn confirmed_strangers_are_absorbed() {
    let mut s = Script::confirmed_as_callee();
    let other = Script::place();
    let request = other.id("INVITE 1");
    let response = other.response("INVITE 1", 200, Some("a"), &[], None);
    s.receive(Event::Response {
        request,
        response: response.into(),
    });
    s.receive(Event::Failed {
        request,
        failure: Failure::Timeout,
    });
    s.cancel(ServerId(77));
    s.ack(7, "them");
    assert_eq!(s.take(), ["absorbed"; 4]);
}

#[test]
fn confirmed_over_a_strict_router_puts_the_target_last() {
    let mut s = Script::place();
    let extra = [
        ("Record-Route", "<sip:p2.example.org>"),
        ("Record-Route", "<sip:p1.example.org;method=INVITE?x=y>"),
        ("Contact", "<sip:a@192.0.2.4:5070>"),
    ];
    s.respond_with("INVITE 1", 200, Some("a"), &extra, None);
    s.hang_up();
    for label in ["ACK 1", "BYE 2"] {
        let sent = s.sent(label);
        // 3261-12.2.1.1-09, 3261-12.2.1.1-10
        assert_eq!(sent.uri().as_bytes(), b"sip:p1.example.org");
        let routes = ["<sip:p2.example.org>", "<sip:a@192.0.2.4:5070>"];
        assert_eq!(all(&sent, "Route"), routes);
    }
}

#[test]
fn confirmed_requests_that_refresh_the_target_have_a_contact() {
    let mut s = Script::confirmed_as_caller();
    for (method, expected) in [
        ("REFER", 1),
        ("NOTIFY", 1),
        ("SUBSCRIBE", 1),
        ("INFO", 0),
        ("MESSAGE", 0),
    ] {
        s.command(request(method)).unwrap();
        let label = s.take().remove(0);
        // 3261-12.2.1.1-12
        assert_eq!(all(&s.sent(&label), "Contact").len(), expected, "{method}");
    }
}

//! After the end: late messages, and `Terminated` exactly once.

use alloc::string::ToString;

use super::script::{Script, context, nothing, sdp, secs, their_invite};
use crate::call::reliable::Policy;
use crate::call::{Command, Context, EndReason, Event, ServerId};
use crate::machine::Machine;
use crate::message::StatusCode;
use crate::time::Time;
use crate::transaction::Failure;

/// Ended by the other side's BYE, while its 2xx may come again.
fn lingering() -> Script {
    let mut s = Script::placed_and_answered();
    s.request("BYE", 5, "a");
    s.skip();
    assert_eq!(s.call.state(), "Lingering");
    s
}

#[test]
fn lingering_repeated_success_gets_the_same_ack() {
    let mut s = lingering();
    let ack = s.sent("ACK 1");
    s.respond("INVITE 1", 200, "a");
    // PAINS 4, 11
    assert_eq!(s.take(), ["ACK 1"]);
    assert_eq!(s.sent("ACK 1").bytes(), ack.bytes());
}

#[test]
fn lingering_success_of_another_fork_is_acknowledged_and_hung_up() {
    let mut s = lingering();
    s.respond("INVITE 1", 200, "b");
    // 3261-13.2.2.4-17, PAINS 4
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
    s.gone("INVITE 1");
    assert_eq!(s.take(), [""; 0]);
    s.respond("BYE 2", 200, "b");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn lingering_success_of_an_early_fork_is_acknowledged_and_hung_up() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "a");
    s.request("BYE", 5, "a");
    s.skip();
    s.respond("INVITE 1", 200, "b");
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
    assert_eq!(s.sent("BYE 2").to_tag(), Some("b"));
}

#[test]
fn lingering_requests_have_no_dialog() {
    let mut s = lingering();
    assert!(!s.call.has_dialog(Some("a")));
    s.request("INFO", 6, "a");
    s.request("BYE", 7, "a");
    assert_eq!(s.take(), ["481 INFO 6", "481 BYE 7"]);
}

#[test]
fn lingering_bye_that_crossed_is_answered() {
    let mut s = Script::place();
    s.hang_up();
    s.respond("INVITE 1", 200, "a");
    s.skip();
    s.request("BYE", 5, "a");
    assert_eq!(s.take(), ["200 BYE 5"]);
    s.respond("BYE 2", 481, "a");
    s.gone("INVITE 1");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn lingering_everything_else_is_absorbed() {
    let mut s = lingering();
    s.respond("INVITE 1", 180, "a");
    s.ack(100, "a");
    s.cancel(ServerId(9));
    s.fail("INVITE 1", Failure::Timeout);
    assert_eq!(s.take(), ["absorbed"; 4]);
    s.hang_up();
    s.command(Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    })
    .unwrap();
    assert_eq!(s.take(), [""; 0]);
    s.gone("INVITE 1");
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn terminated_everything_is_silent() {
    let mut s = lingering();
    s.gone("INVITE 1");
    s.skip();
    s.gone("INVITE 1");
    s.respond("INVITE 1", 200, "b");
    s.request("BYE", 9, "a");
    s.hang_up();
    s.run_to(secs(1_000));
    // L9
    assert_eq!(s.take(), [""; 0]);
    assert!(s.call.is_terminated());
    assert_eq!(s.call.state(), "Terminated");
}

#[test]
fn ended_calls_hold_no_acks_and_no_early_dialogs() {
    let mut s = Script::place();
    s.respond("INVITE 1", 180, "b");
    s.respond("INVITE 1", 200, "a");
    s.hang_up();
    s.gone("INVITE 1");
    // PAINS 69: what the INVITE could still have brought is free.
    assert_eq!(s.call.core.legs.len(), 1);
    assert!(s.call.core.invites.is_empty());
}

#[test]
fn time_that_runs_backwards_is_clamped_to_the_start_of_the_state() {
    let mut s = Script::incoming();
    s.now = secs(10);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.now = secs(3);
    s.wake();
    s.ack(100, "them");
    s.request("INFO", 101, "them");
    // L6: the wait counts from the state's start.
    assert_eq!(s.call.deadline(), Some(secs(30)));
}

#[test]
fn rebased_calls_go_on_as_if_nothing_was() {
    let scripts: [fn() -> Script; 5] = [
        || Script::place(),
        || {
            let mut s = Script::incoming();
            let (status, outgoing) = (StatusCode::RINGING, nothing());
            s.command(Command::Progress { status, outgoing }).unwrap();
            s
        },
        || {
            let mut s = Script::incoming();
            s.command(Command::Answer(sdp("answer"))).unwrap();
            s.request("INFO", 101, "them");
            s
        },
        || {
            let mut s = Script::confirmed_as_caller();
            s.request("INVITE", 5, "a");
            s
        },
        || {
            // Its reliable response waits for a PRACK.
            let context = Context {
                reliable: Policy::Supported,
                ..context()
            };
            let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
            let mut s = Script::incoming_with(context, &invite);
            let (status, outgoing) = (StatusCode::SESSION_PROGRESS, sdp("answer"));
            s.command(Command::Progress { status, outgoing }).unwrap();
            s
        },
    ];
    let (from, to) = (Time::ZERO, secs(1_000));
    for make in scripts {
        let (mut a, mut b) = (make(), make());
        b.call.rebase(from, to);
        b.now = to;
        for step in 1..=250 {
            a.run_to(secs(step));
            b.run_to(secs(1_000 + step));
            assert_eq!(a.take(), b.take());
        }
    }
}

#[test]
fn same_script_says_the_same_bytes() {
    let run = || {
        let mut s = Script::place();
        s.respond("INVITE 1", 180, "b");
        s.respond("INVITE 1", 200, "a");
        s.respond("INVITE 1", 200, "b");
        s.hang_up();
        let sent = ["INVITE 1", "ACK 1", "BYE 2"].map(|label| s.sent(label).bytes().clone());
        (sent, s.call)
    };
    // L12
    assert_eq!(run(), run());
}

#[test]
fn lingering_events_cannot_end_it_twice() {
    let mut s = lingering();
    let request = s.id("INVITE 1");
    for _ in 0..3 {
        s.receive(Event::Gone { request });
    }
    assert_eq!(s.take(), ["terminated"]);
}

#[test]
fn an_end_is_said_in_a_few_words() {
    let rejected = |status| EndReason::Rejected {
        status: StatusCode::new(status).unwrap(),
    };
    for (reason, words) in [
        (rejected(486), "rejected: 486 Busy Here"),
        (EndReason::Failed(Failure::NoAck), "failed: no ACK came"),
        (
            EndReason::DialogLost { response: None },
            "the other side is silent",
        ),
    ] {
        assert_eq!(reason.to_string(), words);
    }
}

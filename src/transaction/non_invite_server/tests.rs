//! The non-INVITE server transaction against RFC 3261 17.2.2, RFC 4320 and RFC 6026 8.8.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::testing::*;
use super::*;
use crate::message::{Message, Name, Response};

type Script = Timed<NonInviteServer>;

const UNRELIABLE: Reliability = Reliability::Unreliable;
const RELIABLE: Reliability = Reliability::Reliable;

fn fresh_with(timers: Timers, reliability: Reliability) -> Script {
    let reply = Reply::new(&request(&INVITE.replace("INVITE", "OPTIONS")));
    Timed::new(|_| NonInviteServer::new(ms(0), timers, reliability, reply))
}

fn trying_over(reliability: Reliability) -> Script {
    fresh_with(Timers::DEFAULT, reliability)
}

fn trying() -> Script {
    trying_over(UNRELIABLE)
}

/// After the 100 of the user, which on an unreliable transport comes too early at first.
fn proceeding_over(reliability: Reliability) -> Script {
    let mut script = trying_over(reliability);
    script.until(3_500);
    script.command(3_500, respond(100)).unwrap();
    script
}

fn completed() -> Script {
    let mut script = trying();
    assert_eq!(script.command(0, respond(200)), Ok(vec![sent(200)]));
    script
}

fn respond(code: u16) -> Command {
    Command::Respond {
        status: status(code),
        bytes: written(code),
    }
}

fn sent(code: u16) -> Action {
    Action::Transmit(written(code))
}

// 3261-17.2.2-01, 3261-17.2.2-15
#[test]
fn trying_entry_says_nothing_for_long() {
    for reliability in BOTH {
        let mut script = trying_over(reliability);
        assert_eq!(script.machine.state(), "Trying");
        assert_eq!(script.until(3_499), []);
    }
}

// 4320-4.1-04, 4320-4.1-06
#[test]
fn trying_silent_user_sends_trying_when_timer_e_reaches_t2() {
    for reliability in BOTH {
        let mut script = trying_over(reliability);
        let log = script.until(1_000_000);
        let [(3_500, Action::Transmit(bytes))] = log.as_slice() else {
            panic!("not one response at 3.5 s: {log:?}");
        };
        let trying = Response::try_from(Message::parse(bytes.clone()).unwrap()).unwrap();
        assert_eq!(trying.status().as_u16(), 100);
        assert_eq!(trying.cseq().method.as_str(), "OPTIONS");
        assert!(trying.message().first(Name::Timestamp).is_some());
        assert_eq!(script.machine.state(), "Proceeding");
    }
    let mut timers = Timers::DEFAULT;
    timers.t1 = Duration::from_secs(1);
    timers.t2 = Duration::from_secs(5);
    assert_eq!(fresh_with(timers, UNRELIABLE).instants(100_000), [7_000]);
}

// 3261-17.2.2-02, 3261-17-03
#[test]
fn trying_request_is_dropped() {
    let mut script = trying();
    assert_eq!(script.receive(500, Event::Request), []);
    assert_eq!(script.machine, trying().machine);
}

// 4320-4.1-02
#[test]
fn trying_early_trying_of_the_user_waits_for_its_time() {
    let mut script = trying();
    assert_eq!(script.command(3_499, respond(100)), Ok(Vec::new()));
    assert_eq!(script.instants(10_000), [3_500]);
}

// 4320-4.1-03, 3261-17.2.2-03
#[test]
fn trying_reliable_trying_of_the_user_is_sent_at_once() {
    let mut script = trying_over(RELIABLE);
    assert_eq!(script.command(10, respond(100)), Ok(vec![sent(100)]));
    assert_eq!(script.machine.state(), "Proceeding");
    assert_eq!(script.until(10_000), []);
}

// 3261-17.2.2-04
#[test]
fn proceeding_trying_of_the_user_is_sent_again() {
    for reliability in BOTH {
        let mut script = proceeding_over(reliability);
        assert_eq!(script.command(4_000, respond(100)), Ok(vec![sent(100)]));
        assert_eq!(script.machine.state(), "Proceeding");
    }
}

// 4320-4.1-01, 4320-4.1-05
#[test]
fn pending_provisional_above_100_is_refused() {
    for mut script in [trying(), trying_over(RELIABLE), proceeding_over(UNRELIABLE)] {
        for code in [101, 180, 183, 199] {
            let before = script.machine.clone();
            let refused = script.command(0, respond(code));
            assert_eq!(refused, Err(Misuse::WrongStatus { status: code }));
            assert_eq!(script.machine, before);
        }
    }
}

// 4320-4.2-01, 4320-4.2-02
#[test]
fn pending_request_timeout_is_refused() {
    for mut script in [trying(), trying_over(RELIABLE), proceeding_over(UNRELIABLE)] {
        let before = script.machine.clone();
        let refused = script.command(0, respond(408));
        assert_eq!(refused, Err(Misuse::WrongStatus { status: 408 }));
        assert_eq!(script.machine, before);
        // And none is sent by itself.
        script.until(3_500);
        assert_eq!(script.until(10_000_000), []);
    }
}

// 3261-17.2.2-05
#[test]
fn proceeding_request_repeats_the_latest_trying() {
    let mut script = trying();
    let own = script.until(3_500);
    assert_eq!(script.receive(4_000, Event::Request), [own[0].1.clone()]);
    script.command(4_500, respond(100)).unwrap();
    assert_eq!(script.receive(5_000, Event::Request), [sent(100)]);
}

// 3261-17.2.2-06, 3261-17.2.2-07, 3261-17.2.2-08, 3261-17.2.2-12, 3261-17.2.2-13
// 3261-17.2.2-14, 3261-A-13
#[test]
fn trying_or_proceeding_final_is_sent_once_and_waits_for_timer_j() {
    for script in [trying(), proceeding_over(UNRELIABLE)] {
        for code in [200, 302, 404, 503, 699] {
            let mut script = script.clone();
            assert_eq!(
                script.command(3_600, respond(code)).unwrap().last(),
                Some(&sent(code))
            );
            assert_eq!(script.machine.state(), "Completed");
            assert_eq!(script.until(1_000_000), [(35_600, Action::Terminated)]);
            assert_eq!(script.receive(35_600, Event::Request), []);
        }
    }
}

// 3261-17.2.2-08, 3261-A-13
#[test]
fn trying_or_proceeding_reliable_final_ends_in_the_same_call() {
    for mut script in [trying_over(RELIABLE), proceeding_over(RELIABLE)] {
        let actions = script.command(3_500, respond(404)).unwrap();
        assert!(
            actions.ends_with(&[sent(404), Action::Terminated]),
            "{actions:?}"
        );
        assert!(script.machine.is_terminated());
    }
}

// 3261-17.2.2-09
#[test]
fn completed_request_repeats_the_response() {
    let mut script = completed();
    let before = script.machine.clone();
    for at in [500, 1_500, 31_999] {
        assert_eq!(script.receive(at, Event::Request), [sent(200)]);
    }
    assert_eq!(script.machine, before);
}

// 3261-17.2.2-10, 3261-17.2.2-11
#[test]
fn completed_further_responses_are_discarded() {
    let mut script = completed();
    let before = script.machine.clone();
    for code in [100, 180, 200, 404, 408, 603] {
        assert_eq!(script.command(10, respond(code)), Ok(Vec::new()));
    }
    assert_eq!(script.machine, before);
}

// PAINS 71.
// 3261-17.2.4-02, 3261-17.2.4-03
#[test]
fn proceeding_or_completed_transport_error_is_told_and_ends_nothing() {
    for mut script in [proceeding_over(UNRELIABLE), completed()] {
        let before = script.machine.clone();
        let actions = script.receive(3_500, Event::TransportError);
        assert_eq!(actions, [Action::Failed(Failure::Transport)]);
        assert_eq!(script.machine, before);
    }
}

/// One machine in each state.
fn states(reliability: Reliability) -> Vec<NonInviteServer> {
    let mut terminated = trying_over(RELIABLE);
    terminated.command(0, respond(200)).unwrap();
    let mut states = vec![trying_over(reliability), proceeding_over(reliability)];
    if reliability == UNRELIABLE {
        states.push(completed());
    }
    states.push(terminated);
    states.into_iter().map(|script| script.machine).collect()
}

/// Every state with every input, over this transport.
fn cells(reliability: Reliability) -> Vec<Cell> {
    let mut inputs = vec![
        ("request".into(), Input::Request),
        ("user 100".into(), Input::Trying(written(100))),
        ("user 200-699".into(), Input::Final(written(404))),
        ("transport error".into(), Input::TransportError),
    ];
    let timers = [Timer::Trying, Timer::J];
    inputs.extend(timers.map(|timer| (format!("timer {timer:?}"), Input::Timer(timer))));
    let mut cells = Vec::new();
    for before in states(reliability) {
        for (input, given) in &inputs {
            let mut machine = before.clone();
            let mut out = Vec::new();
            let now = machine.since;
            machine.take(now, given.clone(), &mut out);
            cells.push(Cell {
                state: before.state().into(),
                input: input.clone(),
                actions: actions(&out),
                next: machine.state().into(),
                timers: super::super::testing::timers(machine.running(), now),
            });
        }
    }
    cells
}

#[test]
fn figure() {
    assert_figure("non_invite_server_unreliable", &cells(UNRELIABLE));
    assert_figure("non_invite_server_reliable", &cells(RELIABLE));
}

#[test]
fn figure_has_the_rows_of_rfc_3261() {
    let rows = [
        // 3261-17.2.2-16
        ("Trying", "request", "", "Trying"),
        // 3261-17.2.2-18
        ("Trying", "user 200-699", "Transmit 404", "Completed"),
        // 3261-17.2.2-19
        ("Trying", "timer J", "", "Trying"),
        // 3261-17.2.2-20
        ("Trying", "transport error", "", "Trying"),
        // 3261-17.2.2-21
        ("Proceeding", "request", "Transmit 100", "Proceeding"),
        // 3261-17.2.2-22
        ("Proceeding", "user 100", "Transmit 100", "Proceeding"),
        // 3261-17.2.2-23
        ("Proceeding", "user 200-699", "Transmit 404", "Completed"),
        // 3261-17.2.2-24
        ("Proceeding", "timer J", "", "Proceeding"),
        // 3261-17.2.2-25
        (
            "Proceeding",
            "transport error",
            "Failed(Transport)",
            "Proceeding",
        ),
        // 3261-17.2.2-26
        ("Completed", "request", "Transmit 200", "Completed"),
        // 3261-17.2.2-27
        ("Completed", "user 100", "", "Completed"),
        // 3261-17.2.2-28
        ("Completed", "user 200-699", "", "Completed"),
        // 3261-17.2.2-29
        ("Completed", "timer J", "Terminated", "Terminated"),
        // 3261-17.2.2-30
        (
            "Completed",
            "transport error",
            "Failed(Transport)",
            "Completed",
        ),
    ];
    assert_rows(&cells(UNRELIABLE), &rows);
    // A 100 of the user goes out over a reliable transport alone before its time (4320 4.1).
    // 3261-17.2.2-17
    let row = ("Trying", "user 100", "Transmit 100", "Proceeding");
    assert_rows(&cells(RELIABLE), &[row]);
}

#[test]
fn every_state_moves_with_its_clock_and_only_the_last_has_ended() {
    moves_with_its_clock(&[trying(), proceeding_over(UNRELIABLE), completed()]);
    let mut late = completed();
    late.until(1_000_000);
    assert!(late.machine.is_terminated());
}

// 4320-4.1-01
#[test]
fn user_may_answer_with_a_final_response_that_is_no_408() {
    for (code, may) in [
        (100, false),
        (183, false),
        (200, true),
        (408, false),
        (500, true),
    ] {
        assert_eq!(is_allowed(status(code)), may, "{code}");
    }
}

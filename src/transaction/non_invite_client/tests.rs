//! The non-INVITE client transaction against RFC 3261 17.1.2.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::testing::*;
use super::*;

type Script = Timed<NonInviteClient>;

const UNRELIABLE: Reliability = Reliability::Unreliable;
const RELIABLE: Reliability = Reliability::Reliable;

fn options() -> Bytes {
    Bytes::from(INVITE.replace("INVITE", "OPTIONS"))
}

fn trying_over(reliability: Reliability) -> Script {
    let timers = Timers::DEFAULT;
    Timed::new(|out| NonInviteClient::new(ms(0), timers, reliability, options(), out))
}

fn trying() -> Script {
    trying_over(UNRELIABLE)
}

fn proceeding_over(reliability: Reliability) -> Script {
    let mut script = trying_over(reliability);
    script.receive(0, of(100));
    script
}

fn completed() -> Script {
    let mut script = trying();
    script.receive(0, of(200));
    script
}

fn of(status: u16) -> Event {
    Event::Response(tagged(status, "a", "OPTIONS").into())
}

fn up(status: u16) -> Action {
    Action::Response(tagged(status, "a", "OPTIONS").into())
}

fn failed(failure: Failure) -> [Action; 2] {
    [Action::Failed(failure), Action::Terminated]
}

// 3261-17.1.2.2-01
#[test]
fn trying_entry_sends_the_request() {
    for reliability in BOTH {
        let script = trying_over(reliability);
        assert_eq!(script.first, [Action::Transmit(options())]);
        assert_eq!(script.machine.state(), "Trying");
    }
}

// PAINS 108: timer E starts at T1.
// 3261-17.1.2.2-03, 3261-17.1.2.2-05, 3261-A-08, 3261-A-01, 3261-A-02, 3261-17.1.1.1-03
#[test]
fn trying_timer_e_repeats_the_very_bytes_up_to_t2() {
    let mut script = trying();
    let log = script.until(31_999);
    let at = [
        500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    let expected: Vec<_> = at.map(|at| (at, Action::Transmit(options()))).into();
    assert_eq!(log, expected);
}

// 3261-17.1.2.2-03
#[test]
fn trying_timer_e_starts_at_a_t1_above_t2() {
    let mut timers = Timers::DEFAULT;
    timers.t1 = Duration::from_secs(6);
    let fresh =
        |out: &mut Vec<Action>| NonInviteClient::new(ms(0), timers, UNRELIABLE, options(), out);
    assert_eq!(Timed::new(fresh).instants(15_000), [6_000, 10_000, 14_000]);
}

// 3261-17.1.2.2-04
#[test]
fn trying_or_proceeding_reliable_never_repeats() {
    for mut script in [trying_over(RELIABLE), proceeding_over(RELIABLE)] {
        assert_eq!(script.instants(31_999), Vec::<u64>::new());
    }
}

// 3261-17.1.2.2-02, 3261-17.1.2.2-08, 3261-A-09, 3261-17.1.2.2-17
#[test]
fn trying_timer_f_times_out() {
    for reliability in BOTH {
        let mut script = trying_over(reliability);
        script.until(31_999);
        let log = script.until(1_000_000);
        assert_eq!(log, failed(Failure::Timeout).map(|action| (32_000, action)));
        assert_eq!(script.receive(32_000, of(200)), []);
    }
}

// 3261-17.1.2.2-09, 3261-17.1.2.2-02
#[test]
fn proceeding_timer_f_times_out() {
    for reliability in BOTH {
        let mut script = trying_over(reliability);
        script.receive(400, of(100));
        script.until(31_999);
        let log = script.until(1_000_000);
        assert_eq!(log, failed(Failure::Timeout).map(|action| (32_000, action)));
    }
}

/// Law L4: with T1 = T2, timers E and F are due at one instant.
#[test]
fn trying_timers_e_and_f_together_send_nothing_more() {
    let mut timers = Timers::DEFAULT;
    timers.t2 = timers.t1;
    let mut script =
        Timed::new(|out| NonInviteClient::new(ms(0), timers, UNRELIABLE, options(), out));
    assert_eq!(script.instants(31_999).len(), 63);
    let log = script.until(32_000);
    assert_eq!(log, failed(Failure::Timeout).map(|action| (32_000, action)));
}

#[test]
fn trying_late_wake_past_timer_f_sends_no_last_request() {
    let mut script = trying();
    let mut out = Vec::new();
    script.machine.on_deadline(ms(100_000), &mut out);
    assert_eq!(out, failed(Failure::Timeout));
}

// 3261-17.1.2.2-06, 3261-17.1.2.2-07
#[test]
fn proceeding_timer_e_runs_on_and_is_next_t2() {
    let mut script = trying();
    assert_eq!(script.instants(600), [500]);
    script.receive(600, of(100));
    let log = script.until(12_000);
    let expected = [1_500, 5_500, 9_500].map(|at| (at, Action::Transmit(options())));
    assert_eq!(log, expected);
}

// 3261-17.1.2.2-10, 3261-17.1.2.2-11
#[test]
fn trying_or_proceeding_provisional_goes_up() {
    let mut script = trying();
    for status in [100, 100, 183] {
        assert_eq!(script.receive(10, of(status)), [up(status)]);
        assert_eq!(script.machine.state(), "Proceeding");
    }
}

// 3261-17.1.2.2-12, 3261-17.1.2.2-13, 3261-17.1.2.2-14, 3261-17.1.2.2-16, 3261-A-03, 3261-A-14
// 3261-17.1.2.2-18, 3261-17.1.2.2-17
#[test]
fn trying_or_proceeding_final_goes_up_and_waits_for_timer_k() {
    for script in [trying(), proceeding_over(UNRELIABLE)] {
        for status in [200, 302, 404, 503, 699] {
            let mut script = script.clone();
            assert_eq!(script.receive(100, of(status)), [up(status)]);
            assert_eq!(script.machine.state(), "Completed");
            assert_eq!(script.until(1_000_000), [(5_100, Action::Terminated)]);
            assert_eq!(script.receive(5_100, of(status)), []);
        }
    }
}

// 3261-17.1.2.2-14, 3261-A-14
#[test]
fn trying_or_proceeding_reliable_final_is_gone_in_the_same_call() {
    for mut script in [trying_over(RELIABLE), proceeding_over(RELIABLE)] {
        assert_eq!(script.receive(100, of(404)), [up(404), Action::Terminated]);
        assert!(script.machine.is_terminated());
    }
}

// 3261-17.1.2.1-01, 3261-17.1.2.2-15, 3261-17.1.3-05
#[test]
fn completed_responses_are_absorbed() {
    let mut script = completed();
    let before = script.machine.clone();
    for event in [
        of(200),
        of(100),
        of(404),
        Event::Response(tagged(200, "other", "OPTIONS").into()),
    ] {
        assert_eq!(script.receive(10, event), []);
    }
    assert_eq!(script.machine, before);
}

// 3261-17.1.4-01, 3261-17.1.4-02, 6026-7.2-08
#[test]
fn trying_or_proceeding_transport_error_is_told_and_ends() {
    for mut script in [trying(), proceeding_over(UNRELIABLE)] {
        let actions = script.receive(100, Event::TransportError);
        assert_eq!(actions, failed(Failure::Transport));
        assert!(script.machine.is_terminated());
        assert_eq!(script.machine.deadline(), None);
    }
}

/// One machine in each state.
fn states(reliability: Reliability) -> Vec<NonInviteClient> {
    let mut terminated = trying_over(reliability);
    terminated.receive(0, Event::TransportError);
    let mut states = vec![trying_over(reliability), proceeding_over(reliability)];
    if reliability == UNRELIABLE {
        states.push(completed());
    }
    states.push(terminated);
    states.into_iter().map(|script| script.machine).collect()
}

/// Every state with every input, over this transport.
fn cells(reliability: Reliability) -> Vec<Cell> {
    let response = |status| tagged(status, "a", "OPTIONS");
    let mut inputs = vec![
        ("1xx".into(), Input::Provisional(response(100).into())),
        ("200-699".into(), Input::Final(response(404).into())),
        ("transport error".into(), Input::TransportError),
    ];
    let timers = [Timer::E, Timer::F, Timer::K];
    inputs.extend(timers.map(|timer| (format!("timer {timer:?}"), Input::Timer(timer))));
    let mut cells = Vec::new();
    for before in states(reliability) {
        for (input, given) in &inputs {
            let mut machine = before.clone();
            let mut out = Vec::new();
            machine.take(ms(0), given.clone(), &mut out);
            cells.push(Cell {
                state: before.state().into(),
                input: input.clone(),
                actions: actions(&out),
                next: machine.state().into(),
                timers: super::super::testing::timers(machine.running(), ms(0)),
            });
        }
    }
    cells
}

#[test]
fn figure() {
    assert_figure("non_invite_client_unreliable", &cells(UNRELIABLE));
    assert_figure("non_invite_client_reliable", &cells(RELIABLE));
}

#[test]
fn figure_has_the_rows_of_rfc_3261() {
    let rows = [
        // 3261-17.1.2.2-19
        ("Trying", "timer E", "Transmit OPTIONS", "Trying"),
        // 3261-17.1.2.2-20
        (
            "Trying",
            "timer F",
            "Failed(Timeout), Terminated",
            "Terminated",
        ),
        // 3261-17.1.2.2-21
        ("Trying", "timer K", "", "Trying"),
        // 3261-17.1.2.2-22
        ("Trying", "1xx", "Response", "Proceeding"),
        // 3261-17.1.2.2-23
        ("Trying", "200-699", "Response", "Completed"),
        // 3261-17.1.2.2-24
        (
            "Trying",
            "transport error",
            "Failed(Transport), Terminated",
            "Terminated",
        ),
        // 3261-17.1.2.2-25
        ("Proceeding", "timer E", "Transmit OPTIONS", "Proceeding"),
        // 3261-17.1.2.2-26
        (
            "Proceeding",
            "timer F",
            "Failed(Timeout), Terminated",
            "Terminated",
        ),
        // 3261-17.1.2.2-27
        ("Proceeding", "timer K", "", "Proceeding"),
        // 3261-17.1.2.2-28
        ("Proceeding", "1xx", "Response", "Proceeding"),
        // 3261-17.1.2.2-29
        ("Proceeding", "200-699", "Response", "Completed"),
        // 3261-17.1.2.2-30
        (
            "Proceeding",
            "transport error",
            "Failed(Transport), Terminated",
            "Terminated",
        ),
        // 3261-17.1.2.2-31
        ("Completed", "timer E", "", "Completed"),
        // 3261-17.1.2.2-32
        ("Completed", "timer F", "", "Completed"),
        // 3261-17.1.2.2-33
        ("Completed", "timer K", "Terminated", "Terminated"),
        // 3261-17.1.2.2-34
        ("Completed", "1xx", "", "Completed"),
        // 3261-17.1.2.2-35
        ("Completed", "200-699", "", "Completed"),
        // 3261-17.1.2.2-36
        ("Completed", "transport error", "", "Completed"),
    ];
    assert_rows(&cells(UNRELIABLE), &rows);
}

#[test]
fn every_state_moves_with_its_clock_and_only_the_last_has_ended() {
    let proceeding = proceeding_over(Reliability::Unreliable);
    moves_with_its_clock(&[trying(), proceeding, completed()]);
    let mut late = trying();
    late.until(1_000_000);
    assert!(late.machine.is_terminated());
}

//! The INVITE client transaction against RFC 3261 17.1.1, 9.1 and RFC 6026.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::testing::*;
use super::*;
use crate::message::{Message, Name, Request};

type Script = Timed<InviteClient>;

const UNRELIABLE: Reliability = Reliability::Unreliable;

fn calling_over(reliability: Reliability) -> Script {
    let timers = Timers::DEFAULT;
    Timed::new(|out| InviteClient::new(ms(0), timers, reliability, invite(), out))
}

fn calling() -> Script {
    calling_over(UNRELIABLE)
}

fn proceeding_over(reliability: Reliability) -> Script {
    let mut script = calling_over(reliability);
    assert_eq!(
        script.receive(0, of(180)),
        [Action::Response(response(180).into())]
    );
    script
}

fn proceeding() -> Script {
    proceeding_over(UNRELIABLE)
}

fn completed() -> Script {
    let mut script = calling();
    script.receive(0, of(486));
    script
}

fn accepted_over(reliability: Reliability) -> Script {
    let mut script = calling_over(reliability);
    script.receive(0, of(200));
    script
}

fn of(status: u16) -> Event {
    Event::Response(response(status).into())
}

fn up(status: u16) -> Action {
    Action::Response(response(status).into())
}

fn failed(failure: Failure) -> [Action; 2] {
    [Action::Failed(failure), Action::Terminated]
}

/// The ACK that this script sends for a 486, read back.
fn ack_of(script: &mut Script) -> Request {
    let actions = script.receive(0, of(486));
    let Some(Action::Transmit(bytes)) = actions.first() else {
        panic!("no ACK: {actions:?}");
    };
    Request::try_from(Message::parse(bytes.clone()).unwrap()).unwrap()
}

// 3261-17.1.1.2-01
#[test]
fn calling_entry_sends_the_invite() {
    for reliability in BOTH {
        let script = calling_over(reliability);
        assert_eq!(script.first, [Action::Transmit(invite())]);
        assert_eq!(script.machine.state(), "Calling");
    }
}

// PAINS 108: timer A is not capped at T2.
// 3261-17.1.1.2-02, 3261-17.1.1.2-05, 3261-17.1.1.2-06, 3261-17.1.1.2-08, 3261-A-04
// 3261-17.1.1.1-03, 3261-17.1.1.2-07
#[test]
fn calling_timer_a_repeats_the_very_bytes_and_doubles() {
    let mut script = calling();
    let log = script.until(31_999);
    let at = [500, 1_500, 3_500, 7_500, 15_500, 31_500];
    let expected: Vec<_> = at.map(|at| (at, Action::Transmit(invite()))).into();
    assert_eq!(log, expected);
}

// 3261-17.1.1.2-03
#[test]
fn calling_reliable_never_repeats() {
    let mut script = calling_over(Reliability::Reliable);
    assert_eq!(script.instants(31_999), Vec::<u64>::new());
}

// 3261-17.1.1.2-04, 3261-17.1.1.2-09, 3261-17.1.1.2-10, 3261-17.1.1.2-11, 3261-A-05
// 3261-17.1.1.2-26
#[test]
fn calling_timer_b_times_out_without_ack() {
    for reliability in BOTH {
        let mut script = calling_over(reliability);
        script.until(31_999);
        let log = script.until(1_000_000);
        assert_eq!(log, failed(Failure::Timeout).map(|action| (32_000, action)));
        assert!(script.machine.is_terminated());
        assert_eq!(script.machine.deadline(), None);
    }
}

#[test]
fn calling_late_wake_past_timer_b_sends_no_last_invite() {
    let mut script = calling();
    let mut out = Vec::new();
    script.machine.on_deadline(ms(100_000), &mut out);
    assert_eq!(out, failed(Failure::Timeout));
}

#[test]
fn calling_late_wake_repeats_once_and_keeps_the_schedule() {
    let mut script = calling();
    let mut out = Vec::new();
    script.machine.on_deadline(ms(1_400), &mut out);
    assert_eq!(out, [Action::Transmit(invite())]);
    assert_eq!(script.machine.next_timer(), Some((ms(1_500), Timer::A)));
    // So late that the next one has passed too: from now on.
    script.machine.on_deadline(ms(10_000), &mut out);
    assert_eq!(out.len(), 2);
    assert_eq!(script.machine.next_timer(), Some((ms(12_000), Timer::A)));
}

// 3261-17.1.1.1-01, 3261-17.1.1.1-02, 3261-17.1.1.2-20
#[test]
fn timers_follow_another_t1_but_timer_d_stays_long() {
    let mut timers = Timers::DEFAULT;
    timers.t1 = Duration::from_millis(100);
    let fresh = || Timed::new(|out| InviteClient::new(ms(0), timers, UNRELIABLE, invite(), out));
    let at = [100, 300, 700, 1_500, 3_100, 6_300, 6_400];
    assert_eq!(fresh().instants(100_000), at);
    let mut script = fresh();
    script.receive(0, of(486));
    assert_eq!(script.machine.next_timer(), Some((ms(32_000), Timer::D)));
    timers.t1 = Duration::from_secs(1);
    let mut script = Timed::new(|out| InviteClient::new(ms(0), timers, UNRELIABLE, invite(), out));
    script.receive(0, of(486));
    assert_eq!(script.machine.next_timer(), Some((ms(64_000), Timer::D)));
}

// 3261-17.1.1.2-13, 3261-17.1.1.2-14
#[test]
fn calling_provisional_goes_up_and_stops_the_timers() {
    for status in [100, 180, 199] {
        let mut script = calling();
        assert_eq!(script.receive(100, of(status)), [up(status)]);
        assert_eq!(script.machine.state(), "Proceeding");
        assert_eq!(script.machine.deadline(), None);
    }
}

// PAINS 108: ringing may last.
// 3261-17.1.1.2-12
#[test]
fn proceeding_lasts_without_limit() {
    for reliability in BOTH {
        let mut script = proceeding_over(reliability);
        assert_eq!(script.instants(10_000_000), Vec::<u64>::new());
        assert_eq!(script.receive(10_000_000, of(183)), [up(183)]);
        assert_eq!(script.machine.state(), "Proceeding");
    }
}

// 3261-17.1.1.2-15
#[test]
fn proceeding_every_provisional_goes_up() {
    let mut script = proceeding();
    for status in [100, 180, 180, 183] {
        assert_eq!(script.receive(1, of(status)), [up(status)]);
        assert_eq!(script.machine.state(), "Proceeding");
    }
}

// 3261-17.1.1.2-16, 3261-17.1.1.2-17, 3261-17-01
#[test]
fn calling_or_proceeding_failure_sends_ack_then_goes_up() {
    for reliability in BOTH {
        for script in [calling_over(reliability), proceeding_over(reliability)] {
            for status in [300, 404, 503, 699] {
                let mut script = script.clone();
                let actions = script.receive(5, of(status));
                assert!(
                    matches!(&actions[0], Action::Transmit(b) if b.starts_with(b"ACK ")),
                    "{actions:?}"
                );
                assert_eq!(actions[1], up(status));
                let next = if reliability == UNRELIABLE {
                    "Completed"
                } else {
                    "Terminated"
                };
                assert_eq!(script.machine.state(), next);
            }
        }
    }
}

// 3261-17.1.1.2-19, 3261-17.1.1.2-23, 3261-17.1.1.2-26, 3261-A-07
#[test]
fn completed_timer_d_ends_after_32_s() {
    let mut script = completed();
    assert_eq!(script.until(1_000_000), [(32_000, Action::Terminated)]);
}

// 3261-17.1.1.2-19, 3261-17.1.1.2-24, 3261-A-07
#[test]
fn calling_reliable_failure_is_gone_in_the_same_call() {
    let mut script = calling_over(Reliability::Reliable);
    let actions = script.receive(5, of(486));
    assert_eq!(actions.len(), 3);
    assert_eq!(actions[2], Action::Terminated);
    assert!(script.machine.is_terminated());
}

// 3261-17.1.1.2-21
#[test]
fn completed_failure_repeats_the_ack_and_is_not_told_again() {
    let mut script = calling();
    let first = script.receive(0, of(486));
    for status in [486, 486, 503] {
        assert_eq!(script.receive(10, of(status)), first[..1]);
    }
    assert_eq!(script.machine.next_timer(), Some((ms(32_000), Timer::D)));
}

// PAINS 114: a late 1xx or 2xx is not acknowledged again.
// 3261-17.1.1.2-22
#[test]
fn completed_provisional_and_success_change_nothing() {
    for status in [100, 180, 200] {
        let mut script = completed();
        let before = script.machine.clone();
        assert_eq!(script.receive(10, of(status)), []);
        assert_eq!(script.machine, before);
    }
}

// 3261-17.1.1.2-25, 6026-6-01, 3261-A-16, 6026-7.2-02, 3261-17-01
#[test]
fn calling_or_proceeding_success_goes_up_and_stays_for_timer_m() {
    for reliability in BOTH {
        for mut script in [calling_over(reliability), proceeding_over(reliability)] {
            assert_eq!(script.receive(400, of(200)), [up(200)]);
            assert_eq!(script.machine.state(), "Accepted");
            assert_eq!(script.machine.next_timer(), Some((ms(32_400), Timer::M)));
        }
    }
}

// 6026-7.2-01, 6026-7.2-02, 6026-7.2-06
#[test]
fn accepted_every_success_goes_up_and_timer_m_runs_on() {
    let mut script = accepted_over(UNRELIABLE);
    for (at, tag) in [(100, "a6c85cf"), (20_000, "otherfork"), (31_999, "a6c85cf")] {
        let success = tagged(200, tag, "INVITE");
        let actions = script.receive(at, Event::Response(success.clone().into()));
        assert_eq!(actions, [Action::Response(success.into())]);
        assert_eq!(script.machine.next_timer(), Some((ms(32_000), Timer::M)));
    }
}

// 6026-7.2-05
#[test]
fn accepted_other_responses_are_absorbed() {
    let mut script = accepted_over(UNRELIABLE);
    let before = script.machine.clone();
    for status in [100, 183, 302, 486, 699] {
        assert_eq!(script.receive(10, of(status)), []);
    }
    assert_eq!(script.machine, before);
}

// 6026-7.2-03, 6026-7.2-04, 3261-17.1.1.2-26
#[test]
fn accepted_timer_m_ends() {
    for reliability in BOTH {
        let mut script = accepted_over(reliability);
        assert_eq!(script.until(1_000_000), [(32_000, Action::Terminated)]);
        assert_eq!(script.receive(32_000, of(200)), []);
    }
}

// 3261-17.1.1.2-27, 3261-17.1.1.2-28, 3261-17.1.4-01, 3261-17.1.4-02, 6026-7.2-08
#[test]
fn calling_or_completed_transport_error_is_told_and_ends() {
    for mut script in [calling(), completed()] {
        let actions = script.receive(100, Event::TransportError);
        assert_eq!(actions, failed(Failure::Transport));
        assert!(script.machine.is_terminated());
    }
}

// PAINS 89, 107: the ACK has the To tag of the response, the Routes and the credentials.
// 3261-17.1.1.3-01, 3261-17.1.1.3-02, 3261-17.1.1.3-03, 3261-17.1.1.3-04, 3261-17.1.1.3-05
// 3261-17.1.1.3-06, 3261-17.1.1.3-07, 3261-17.1.1.3-08, 3261-17.1.1.3-09, 3261-17.1.1.3-10
#[test]
fn ack_is_made_of_the_invite_and_the_to_of_the_response() {
    let original = request(INVITE);
    let ack = ack_of(&mut calling());
    let all = |name| -> Vec<Vec<u8>> { ack.message().all(name).map(<[u8]>::to_vec).collect() };
    let of = |name| -> Vec<Vec<u8>> { original.message().all(name).map(<[u8]>::to_vec).collect() };
    assert_eq!(ack.method().as_str(), "ACK");
    assert_eq!(ack.uri().as_bytes(), original.uri().as_bytes());
    for name in [Name::From, Name::CallId, Name::Route, Name::MaxForwards] {
        assert_eq!(all(name), of(name), "{name:?}");
        assert!(!all(name).is_empty(), "{name:?}");
    }
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        assert_eq!(all(name), of(name), "{name:?}");
    }
    assert_eq!(all(Name::Via), of(Name::Via)[..1]);
    assert_eq!(all(Name::To), [response(486).to_value().to_vec()]);
    assert_eq!(
        (ack.cseq().number, ack.cseq().method.as_str()),
        (314_159, "ACK")
    );
    for name in [
        Name::Require,
        Name::ProxyRequire,
        Name::ContentType,
        Name::RecordRoute,
    ] {
        assert_eq!(all(name), Vec::<Vec<u8>>::new(), "{name:?}");
    }
    assert!(ack.message().body().is_empty());
}

// PAINS 14: cancelled before any 1xx, the INVITE goes on until one comes.
#[test]
fn calling_cancel_waits_for_the_provisional() {
    let mut script = calling();
    assert_eq!(script.command(100, Command::Cancel), Ok(Vec::new()));
    assert_eq!(script.instants(1_600), [500, 1_500]);
    let actions = script.receive(1_700, of(100));
    assert_eq!(actions, [up(100), Action::Cancel(invite())]);
    assert_eq!(
        script.machine.next_timer(),
        Some((ms(33_700), Timer::CancelGuard))
    );
}

#[test]
fn calling_cancelled_final_needs_no_cancel() {
    for status in [200, 487] {
        let mut script = calling();
        script.command(100, Command::Cancel).unwrap();
        let actions = script.receive(200, of(status));
        assert!(!actions.contains(&Action::Cancel(invite())), "{actions:?}");
        assert_eq!(actions.last(), Some(&up(status)));
    }
}

// PAINS 15, 17: a CANCEL goes out at once and once.
#[test]
fn proceeding_cancel_is_sent_once() {
    let mut script = proceeding();
    assert_eq!(
        script.command(100, Command::Cancel),
        Ok(vec![Action::Cancel(invite())])
    );
    assert_eq!(script.command(200, Command::Cancel), Ok(Vec::new()));
    assert_eq!(script.receive(300, of(183)), [up(183)]);
    assert_eq!(
        script.machine.next_timer(),
        Some((ms(32_100), Timer::CancelGuard))
    );
}

// PAINS 15, 92: 180, CANCEL and silence.
// 3261-9.1-03
#[test]
fn proceeding_cancelled_without_final_ends_after_64_t1() {
    for reliability in BOTH {
        let mut script = proceeding_over(reliability);
        script.command(1_000, Command::Cancel).unwrap();
        let log = script.until(1_000_000);
        assert_eq!(
            log,
            failed(Failure::CancelTimeout).map(|action| (33_000, action))
        );
    }
}

// PAINS 18, 19: the INVITE goes on beside its CANCEL, and either final may win.
// 3261-9.1-02
#[test]
fn proceeding_cancelled_final_ends_as_always() {
    for (status, state) in [(487, "Completed"), (200, "Accepted")] {
        let mut script = proceeding();
        script.command(0, Command::Cancel).unwrap();
        let actions = script.receive(31_999, of(status));
        assert_eq!(actions.last(), Some(&up(status)));
        assert_eq!(script.machine.state(), state);
        assert_eq!(script.machine.next_timer().unwrap().0, ms(31_999 + 32_000));
    }
}

#[test]
fn finished_cancel_is_harmless() {
    let mut terminated = completed();
    terminated.until(1_000_000);
    for mut script in [completed(), accepted_over(UNRELIABLE), terminated] {
        let before = script.machine.clone();
        assert_eq!(script.command(10, Command::Cancel), Ok(Vec::new()));
        assert_eq!(script.machine, before);
    }
}

/// One machine in each state.
fn states(reliability: Reliability) -> Vec<InviteClient> {
    let cancelled = |mut script: Script| {
        script.command(0, Command::Cancel).unwrap();
        script
    };
    let mut terminated = calling();
    terminated.receive(0, Event::TransportError);
    let mut states = vec![
        calling_over(reliability),
        cancelled(calling_over(reliability)),
        proceeding_over(reliability),
        cancelled(proceeding_over(reliability)),
        accepted_over(reliability),
    ];
    if reliability == UNRELIABLE {
        states.push(completed());
    }
    states.push(terminated);
    states.into_iter().map(|script| script.machine).collect()
}

fn label(machine: &InviteClient) -> String {
    let cancel = match &machine.state {
        State::Calling { cancel, .. } | State::Proceeding { cancel, .. } => *cancel,
        State::Completed { .. } | State::Accepted { .. } | State::Terminated => false,
    };
    format!(
        "{}{}",
        machine.state(),
        if cancel { ", cancel" } else { "" }
    )
}

/// Every state with every input, over this transport.
fn cells(reliability: Reliability) -> Vec<Cell> {
    let states = states(reliability);
    let timers = [Timer::A, Timer::B, Timer::D, Timer::M, Timer::CancelGuard];
    let mut inputs = vec![
        ("1xx".into(), Input::Provisional(response(180).into())),
        ("2xx".into(), Input::Success(response(200).into())),
        ("300-699".into(), Input::Failure(response(486).into())),
        ("transport error".into(), Input::TransportError),
        ("cancel".into(), Input::Cancel),
    ];
    inputs.extend(timers.map(|timer| (format!("timer {timer:?}"), Input::Timer(timer))));
    let mut cells = Vec::new();
    for before in &states {
        for (input, given) in &inputs {
            let mut machine = before.clone();
            let mut out = Vec::new();
            machine.take(ms(0), given.clone(), &mut out);
            cells.push(Cell {
                state: label(before),
                input: input.clone(),
                actions: actions(&out),
                next: label(&machine),
                timers: super::super::testing::timers(machine.running(), ms(0)),
            });
        }
    }
    cells
}

#[test]
fn figure() {
    assert_figure("invite_client_unreliable", &cells(UNRELIABLE));
    assert_figure("invite_client_reliable", &cells(Reliability::Reliable));
}

#[test]
fn figure_has_the_rows_of_rfc_6026() {
    let cells = cells(UNRELIABLE);
    let rows = [
        // 6026-8.4-01
        ("Calling", "timer A", "Transmit INVITE", "Calling"),
        // 6026-8.4-02
        (
            "Calling",
            "timer B",
            "Failed(Timeout), Terminated",
            "Terminated",
        ),
        // 6026-8.4-03
        ("Calling", "timer D", "", "Calling"),
        // 6026-8.4-04
        ("Calling", "timer M", "", "Calling"),
        // 6026-8.4-05
        ("Calling", "1xx", "Response", "Proceeding"),
        // 6026-8.4-06
        ("Calling", "2xx", "Response", "Accepted"),
        // 6026-8.4-07
        ("Calling", "300-699", "Transmit ACK, Response", "Completed"),
        // 6026-8.4-08
        (
            "Calling",
            "transport error",
            "Failed(Transport), Terminated",
            "Terminated",
        ),
        // 6026-8.4-09
        ("Proceeding", "timer A", "", "Proceeding"),
        // 6026-8.4-10
        ("Proceeding", "timer B", "", "Proceeding"),
        // 6026-8.4-11
        ("Proceeding", "timer D", "", "Proceeding"),
        // 6026-8.4-12
        ("Proceeding", "timer M", "", "Proceeding"),
        // 6026-8.4-13
        ("Proceeding", "1xx", "Response", "Proceeding"),
        // 6026-8.4-14
        ("Proceeding", "2xx", "Response", "Accepted"),
        // 6026-8.4-15
        (
            "Proceeding",
            "300-699",
            "Transmit ACK, Response",
            "Completed",
        ),
        // 6026-8.4-16
        ("Proceeding", "transport error", "", "Proceeding"),
        // 6026-8.4-17
        ("Accepted", "timer A", "", "Accepted"),
        // 6026-8.4-18
        ("Accepted", "timer B", "", "Accepted"),
        // 6026-8.4-19
        ("Accepted", "timer D", "", "Accepted"),
        // 6026-8.4-20
        ("Accepted", "timer M", "Terminated", "Terminated"),
        // 6026-8.4-21
        ("Accepted", "1xx", "", "Accepted"),
        // 6026-8.4-22
        ("Accepted", "2xx", "Response", "Accepted"),
        // 6026-8.4-23
        ("Accepted", "300-699", "", "Accepted"),
        // 6026-8.4-24
        ("Accepted", "transport error", "", "Accepted"),
        // 6026-8.4-25
        ("Completed", "timer A", "", "Completed"),
        // 6026-8.4-26
        ("Completed", "timer B", "", "Completed"),
        // 6026-8.4-27
        ("Completed", "timer D", "Terminated", "Terminated"),
        // 6026-8.4-28
        ("Completed", "timer M", "", "Completed"),
        // 6026-8.4-29
        ("Completed", "1xx", "", "Completed"),
        // 6026-8.4-30
        ("Completed", "2xx", "", "Completed"),
        // 6026-8.4-31
        ("Completed", "300-699", "Transmit ACK", "Completed"),
        // 6026-8.4-32
        (
            "Completed",
            "transport error",
            "Failed(Transport), Terminated",
            "Terminated",
        ),
    ];
    assert_rows(&cells, &rows);
}

#[test]
fn every_state_moves_with_its_clock_and_only_the_last_has_ended() {
    let accepted = accepted_over(UNRELIABLE);
    moves_with_its_clock(&[calling(), proceeding(), completed(), accepted]);
    let mut late = calling();
    late.until(1_000_000);
    assert!(late.machine.is_terminated());
    // A CANCEL waits for its INVITE to end.
    let mut cancelled = proceeding();
    cancelled.command(0, Command::Cancel).unwrap();
    assert!(cancelled.machine.deadline().is_some());
    moves_with_its_clock(&[cancelled]);
}

#[test]
fn invite_is_kept_until_its_final_response() {
    assert_eq!(calling().machine.invite(), Some(&invite()));
    assert_eq!(proceeding().machine.invite(), Some(&invite()));
    assert_eq!(completed().machine.invite(), None);
    assert_eq!(accepted_over(UNRELIABLE).machine.invite(), None);
}

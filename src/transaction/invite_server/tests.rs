//! The INVITE server transaction against RFC 3261 17.2.1 and RFC 6026.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::testing::*;
use super::*;
use crate::message::{Message, Name, Response};

type Script = Timed<InviteServer>;

const UNRELIABLE: Reliability = Reliability::Unreliable;
const RELIABLE: Reliability = Reliability::Reliable;

fn fresh_over(reliability: Reliability) -> Script {
    let reply = Reply::new(&request(INVITE));
    let timers = Timers::DEFAULT;
    Timed::new(|out| InviteServer::new(ms(0), timers, reliability, reply, out))
}

fn fresh() -> Script {
    fresh_over(UNRELIABLE)
}

/// In the state that this response leads to.
fn after(reliability: Reliability, code: u16) -> Script {
    let mut script = fresh_over(reliability);
    assert_eq!(script.command(0, respond(code)), Ok(vec![sent(code)]));
    script
}

fn confirmed() -> Script {
    let mut script = after(UNRELIABLE, 486);
    assert_eq!(script.receive(0, ack()), []);
    script
}

fn terminated() -> Script {
    let mut script = after(RELIABLE, 486);
    assert_eq!(script.receive(0, ack()), [Action::Terminated]);
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

fn ack_request() -> Request {
    let text = INVITE.replace("INVITE", "ACK");
    request(&text.replace(
        "bob@biloxi.example.com>\r\nFrom",
        "bob@biloxi.example.com>;tag=b\r\nFrom",
    ))
}

fn ack() -> Event {
    Event::Ack(ack_request().into())
}

/// The 100 that this script says by itself, and when.
fn own_trying(script: &mut Script) -> (u64, Bytes) {
    let log = script.until(1_000_000);
    let [(at, Action::Transmit(bytes))] = log.as_slice() else {
        panic!("not one response: {log:?}");
    };
    (*at, bytes.clone())
}

// 3261-17.2.1-01
#[test]
fn proceeding_entry_says_nothing() {
    let script = fresh();
    assert_eq!(script.first, []);
    assert_eq!(script.machine.state(), "Proceeding");
    assert!(script.machine.is_pending());
}

// 3261-8.2.6.1-02, PAINS 89: the automatic 100 keeps Timestamp.
// 3261-17.2.1-02, 3261-17.2.1-04
#[test]
fn proceeding_silent_user_sends_trying_after_200_ms() {
    for reliability in BOTH {
        let mut script = fresh_over(reliability);
        let (at, bytes) = own_trying(&mut script);
        assert_eq!(at, 200);
        let trying = Response::try_from(Message::parse(bytes).unwrap()).unwrap();
        let original = request(INVITE);
        assert_eq!(trying.status().as_u16(), 100);
        assert_eq!(trying.to_tag(), None);
        let timestamp = trying.message().first(Name::Timestamp);
        assert!(
            timestamp.is_some_and(|value| value.starts_with(b"54")),
            "{timestamp:?}"
        );
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            let of = |message: &Message| -> Vec<Vec<u8>> {
                message.all(name).map(<[u8]>::to_vec).collect()
            };
            assert_eq!(of(trying.message()), of(original.message()), "{name:?}");
        }
    }
}

// 3261-17.2.1-03
#[test]
fn proceeding_trying_of_zero_is_said_at_once() {
    let mut timers = Timers::DEFAULT;
    timers.trying = Duration::ZERO;
    let reply = Reply::new(&request(INVITE));
    let script = Timed::new(|out| InviteServer::new(ms(7), timers, UNRELIABLE, reply, out));
    assert_eq!(actions(&script.first), "Transmit 100");
    assert_eq!(script.machine.deadline(), None);
}

// 3261-17.2.1-05
#[test]
fn proceeding_response_in_time_leaves_the_trying_out() {
    for code in [100, 180, 200] {
        let mut script = fresh();
        assert_eq!(script.command(199, respond(code)), Ok(vec![sent(code)]));
        assert_eq!(script.until(10_000), []);
    }
}

// 3261-17.2.1-06
#[test]
fn proceeding_provisional_is_sent_and_never_repeated_by_itself() {
    let mut script = fresh();
    for code in [100, 180, 183, 183, 199] {
        assert_eq!(script.command(10, respond(code)), Ok(vec![sent(code)]));
        assert_eq!(script.machine.state(), "Proceeding");
    }
    assert_eq!(script.until(10_000_000), []);
}

// 3261-17.2.1-07, 3261-17.2.1-09, 3261-17-03
#[test]
fn proceeding_invite_repeats_what_was_said_last() {
    let mut script = fresh();
    let (_, trying) = own_trying(&mut script);
    assert_eq!(
        script.receive(500, Event::Invite),
        [Action::Transmit(trying)]
    );
    for code in [180, 183] {
        script.command(600, respond(code)).unwrap();
        assert_eq!(script.receive(700, Event::Invite), [sent(code)]);
    }
}

// 3261-17.2.1-08
#[test]
fn proceeding_invite_before_any_response_is_silent() {
    let mut script = fresh();
    assert_eq!(script.receive(199, Event::Invite), []);
    assert_eq!(script.machine, fresh().machine);
}

// 3261-17.2.1-28
#[test]
fn proceeding_ack_is_ignored() {
    for mut script in [fresh(), after(UNRELIABLE, 180)] {
        let before = script.machine.clone();
        assert_eq!(script.receive(10, ack()), []);
        assert_eq!(script.machine, before);
    }
}

// 3261-17.2.1-10, 6026-6-02, 6026-7.1-01, 6026-7.1-03, 6026-7.1-07, 6026-7.1-08, 3261-A-15
#[test]
fn proceeding_success_is_sent_once_and_stays_for_timer_l() {
    for reliability in BOTH {
        for code in [200, 202, 299] {
            let mut script = after(reliability, code);
            assert_eq!(script.machine.state(), "Accepted");
            assert_eq!(script.until(1_000_000), [(32_000, Action::Terminated)]);
            assert_eq!(script.receive(32_000, ack()), []);
            assert_eq!(script.machine.deadline(), None);
        }
    }
}

// 6026-7.1-02, 3261-17-03
#[test]
fn accepted_invite_is_absorbed() {
    let mut script = after(UNRELIABLE, 200);
    let before = script.machine.clone();
    assert_eq!(script.receive(500, Event::Invite), []);
    assert_eq!(script.machine, before);
}

// 6026-7.1-04, 6026-7.1-11
#[test]
fn accepted_success_is_sent_each_time() {
    let mut script = after(UNRELIABLE, 200);
    let fork = Bytes::from_static(b"SIP/2.0 200 OK\r\nTo: <sip:b>;tag=fork\r\n\r\n");
    for bytes in [written(200), fork, written(200)] {
        let command = Command::Respond {
            status: StatusCode::OK,
            bytes: bytes.clone(),
        };
        assert_eq!(
            script.command(500, command),
            Ok(vec![Action::Transmit(bytes)])
        );
        assert_eq!(script.machine.next_timer(), Some((ms(32_000), Timer::L)));
    }
}

// 6026-7.1-05, 6026-7.1-06
#[test]
fn accepted_ack_goes_up_and_timer_l_runs_on() {
    let mut script = after(UNRELIABLE, 200);
    for at in [10, 20, 31_999] {
        assert_eq!(
            script.receive(at, ack()),
            [Action::Ack(ack_request().into())]
        );
        assert_eq!(script.machine.next_timer(), Some((ms(32_000), Timer::L)));
    }
}

// 6026-7.1-10, 3261-17.2.1-27
#[test]
fn accepted_other_responses_are_discarded() {
    let mut script = after(UNRELIABLE, 200);
    let before = script.machine.clone();
    for code in [100, 180, 302, 486, 699] {
        assert_eq!(script.command(10, respond(code)), Ok(Vec::new()));
    }
    assert_eq!(script.machine, before);
}

// 3261-17.2.1-11, 3261-17.2.1-12, 3261-17.2.1-15, 3261-A-10, 3261-17.1.1.1-03
#[test]
fn completed_timer_g_repeats_up_to_t2() {
    for code in [300, 486, 503, 699] {
        let mut script = after(UNRELIABLE, code);
        assert_eq!(script.machine.state(), "Completed");
        let at = [
            500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
        ];
        assert_eq!(script.until(31_999), at.map(|at| (at, sent(code))));
    }
}

// PAINS 114: failures were repeated over TCP.
// 3261-17.2.1-13
#[test]
fn completed_reliable_never_repeats() {
    let mut script = after(RELIABLE, 486);
    assert_eq!(script.instants(31_999), Vec::<u64>::new());
}

// 3261-17.2.1-14, 3261-17.2.1-20, 3261-17.2.1-21, 3261-17.2.1-25, 3261-A-11
#[test]
fn completed_timer_h_tells_and_ends() {
    for reliability in BOTH {
        let mut script = after(reliability, 486);
        script.until(31_999);
        let log = script.until(1_000_000);
        let expected = [Action::Failed(Failure::NoAck), Action::Terminated];
        assert_eq!(log, expected.map(|action| (32_000, action)));
        assert_eq!(script.receive(32_000, Event::Invite), []);
    }
}

/// Law L4: with T1 = T2, timers G and H are due at one instant.
#[test]
fn completed_timers_g_and_h_together_send_nothing_more() {
    let mut timers = Timers::DEFAULT;
    timers.t2 = timers.t1;
    let reply = Reply::new(&request(INVITE));
    let mut script = Timed::new(|out| InviteServer::new(ms(0), timers, UNRELIABLE, reply, out));
    script.command(0, respond(486)).unwrap();
    assert_eq!(script.instants(31_999).len(), 63);
    assert_eq!(script.until(32_000).len(), 2);
}

// 3261-17.2.1-16
#[test]
fn completed_invite_repeats_the_response() {
    for reliability in BOTH {
        let mut script = after(reliability, 486);
        let before = script.machine.clone();
        assert_eq!(script.receive(100, Event::Invite), [sent(486)]);
        assert_eq!(script.machine, before);
    }
}

// 3261-17.2.1-17, 3261-17.2.1-18, 3261-17.2.1-19, 3261-17.2.1-22, 3261-17.2.1-24
// 3261-17.2.1-25, 3261-A-12
#[test]
fn completed_ack_stops_the_timers_and_waits_for_timer_i() {
    let mut script = after(UNRELIABLE, 486);
    assert_eq!(script.receive(400, ack()), []);
    assert_eq!(script.machine.state(), "Confirmed");
    assert_eq!(script.until(1_000_000), [(5_400, Action::Terminated)]);
    assert_eq!(script.receive(5_400, Event::Invite), []);
}

// 3261-17.2.1-22, 3261-A-12
#[test]
fn completed_reliable_ack_ends_in_the_same_call() {
    let mut script = after(RELIABLE, 486);
    assert_eq!(script.receive(400, ack()), [Action::Terminated]);
    assert!(script.machine.is_terminated());
}

// 3261-17.2.1-23
#[test]
fn confirmed_copies_are_absorbed() {
    let mut script = confirmed();
    let before = script.machine.clone();
    for event in [ack(), Event::Invite, ack(), Event::TransportError] {
        assert_eq!(script.receive(10, event), []);
    }
    assert_eq!(script.machine, before);
}

// 3261-17.2.1-26, 3261-17.2.1-27
#[test]
fn completed_or_confirmed_further_responses_are_discarded() {
    for mut script in [after(UNRELIABLE, 486), confirmed()] {
        let before = script.machine.clone();
        for code in [100, 180, 200, 302, 603] {
            assert_eq!(script.command(10, respond(code)), Ok(Vec::new()));
        }
        assert_eq!(script.machine, before);
    }
}

// PAINS 71, 84: a transport error while sending a 2xx must not make room for a ghost call.
// 6026-6-03, 6026-7.1-09, 3261-17.2.4-02, 3261-17.2.4-03
#[test]
fn proceeding_completed_or_accepted_transport_error_is_told_and_ends_nothing() {
    for code in [180, 486, 200] {
        let mut script = after(UNRELIABLE, code);
        let before = script.machine.clone();
        let actions = script.receive(10, Event::TransportError);
        assert_eq!(actions, [Action::Failed(Failure::Transport)]);
        assert_eq!(script.machine, before);
    }
}

/// One machine in each state. Proceeding in the rows of RFC 6026 is the one that said 180.
fn states(reliability: Reliability) -> Vec<InviteServer> {
    let mut states = vec![
        fresh_over(reliability),
        after(reliability, 180),
        after(reliability, 200),
        after(reliability, 486),
    ];
    if reliability == UNRELIABLE {
        states.push(confirmed());
    }
    states.push(terminated());
    states.into_iter().map(|script| script.machine).collect()
}

fn label(machine: &InviteServer) -> String {
    let silent = matches!(machine.state, State::Proceeding(Provisional::Due { .. }));
    format!(
        "{}{}",
        machine.state(),
        if silent { ", silent" } else { "" }
    )
}

/// Every state with every input, over this transport.
fn cells(reliability: Reliability) -> Vec<Cell> {
    let mut inputs = vec![
        ("INVITE".into(), Input::Invite),
        ("ACK".into(), Input::Ack(ack_request().into())),
        ("user 101-199".into(), Input::Provisional(written(183))),
        ("user 2xx".into(), Input::Success(written(200))),
        ("user 300-699".into(), Input::Failure(written(603))),
        ("transport error".into(), Input::TransportError),
    ];
    let timers = [Timer::Trying, Timer::G, Timer::H, Timer::I, Timer::L];
    inputs.extend(timers.map(|timer| (format!("timer {timer:?}"), Input::Timer(timer))));
    let mut cells = Vec::new();
    for before in states(reliability) {
        for (input, given) in &inputs {
            let mut machine = before.clone();
            let mut out = Vec::new();
            machine.take(ms(0), given.clone(), &mut out);
            cells.push(Cell {
                state: label(&before),
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
    assert_figure("invite_server_unreliable", &cells(UNRELIABLE));
    assert_figure("invite_server_reliable", &cells(RELIABLE));
}

#[test]
fn figure_has_the_rows_of_rfc_6026() {
    let rows = [
        // 6026-8.6-01
        ("Proceeding", "INVITE", "Transmit 180", "Proceeding"),
        // 6026-8.6-02
        ("Proceeding", "ACK", "", "Proceeding"),
        // 6026-8.6-03
        ("Proceeding", "user 101-199", "Transmit 183", "Proceeding"),
        // 6026-8.6-04
        ("Proceeding", "user 2xx", "Transmit 200", "Accepted"),
        // 6026-8.6-05
        ("Proceeding", "user 300-699", "Transmit 603", "Completed"),
        // 6026-8.6-06
        ("Proceeding", "timer G", "", "Proceeding"),
        // 6026-8.6-07
        ("Proceeding", "timer H", "", "Proceeding"),
        // 6026-8.6-08
        ("Proceeding", "timer I", "", "Proceeding"),
        // 6026-8.6-09
        ("Proceeding", "timer L", "", "Proceeding"),
        // 6026-8.6-10
        (
            "Proceeding",
            "transport error",
            "Failed(Transport)",
            "Proceeding",
        ),
        // 6026-8.6-11
        ("Accepted", "INVITE", "", "Accepted"),
        // 6026-8.6-12
        ("Accepted", "ACK", "Ack", "Accepted"),
        // 6026-8.6-13
        ("Accepted", "user 101-199", "", "Accepted"),
        // 6026-8.6-14
        ("Accepted", "user 2xx", "Transmit 200", "Accepted"),
        // 6026-8.6-15
        ("Accepted", "user 300-699", "", "Accepted"),
        // 6026-8.6-16
        ("Accepted", "timer G", "", "Accepted"),
        // 6026-8.6-17
        ("Accepted", "timer H", "", "Accepted"),
        // 6026-8.6-18
        ("Accepted", "timer I", "", "Accepted"),
        // 6026-8.6-19
        ("Accepted", "timer L", "Terminated", "Terminated"),
        // 6026-8.6-20
        (
            "Accepted",
            "transport error",
            "Failed(Transport)",
            "Accepted",
        ),
        // 6026-8.6-21
        ("Completed", "INVITE", "Transmit 486", "Completed"),
        // 6026-8.6-22
        ("Completed", "ACK", "", "Confirmed"),
        // 6026-8.6-23
        ("Completed", "user 101-199", "", "Completed"),
        // 6026-8.6-24
        ("Completed", "user 2xx", "", "Completed"),
        // 6026-8.6-25
        ("Completed", "user 300-699", "", "Completed"),
        // 6026-8.6-26
        ("Completed", "timer G", "Transmit 486", "Completed"),
        // 6026-8.6-27
        (
            "Completed",
            "timer H",
            "Failed(NoAck), Terminated",
            "Terminated",
        ),
        // 6026-8.6-28
        ("Completed", "timer I", "", "Completed"),
        // 6026-8.6-29
        ("Completed", "timer L", "", "Completed"),
        // 6026-8.6-30
        (
            "Completed",
            "transport error",
            "Failed(Transport)",
            "Completed",
        ),
        // 6026-8.6-31
        ("Confirmed", "INVITE", "", "Confirmed"),
        // 6026-8.6-32
        ("Confirmed", "ACK", "", "Confirmed"),
        // 6026-8.6-33
        ("Confirmed", "user 101-199", "", "Confirmed"),
        // 6026-8.6-34
        ("Confirmed", "user 2xx", "", "Confirmed"),
        // 6026-8.6-35
        ("Confirmed", "user 300-699", "", "Confirmed"),
        // 6026-8.6-36
        ("Confirmed", "timer G", "", "Confirmed"),
        // 6026-8.6-37
        ("Confirmed", "timer H", "", "Confirmed"),
        // 6026-8.6-38
        ("Confirmed", "timer I", "Terminated", "Terminated"),
        // 6026-8.6-39
        ("Confirmed", "timer L", "", "Confirmed"),
        // 6026-8.6-40
        ("Confirmed", "transport error", "", "Confirmed"),
    ];
    assert_rows(&cells(UNRELIABLE), &rows);
}

#[test]
fn every_state_moves_with_its_clock_and_only_the_last_has_ended() {
    let states = [
        fresh(),
        after(UNRELIABLE, 486),
        confirmed(),
        after(UNRELIABLE, 200),
    ];
    moves_with_its_clock(&states);
    assert!(terminated().machine.is_terminated());
}

#[test]
fn final_response_is_pending_until_it_is_sent() {
    assert!(fresh().machine.is_pending());
    assert!(after(UNRELIABLE, 180).machine.is_pending());
    assert!(!after(UNRELIABLE, 486).machine.is_pending());
    assert!(!after(UNRELIABLE, 200).machine.is_pending());
}

// 3261-14.1-07
#[test]
fn refused_invite_is_settled_once_it_is_confirmed_or_terminated() {
    let of = |script: Script| (script.machine.is_unsettled(), script.machine.is_settled());
    let [open, settled, neither] = [(true, false), (false, true), (false, false)];
    assert_eq!(of(fresh()), open);
    assert_eq!(of(after(UNRELIABLE, 486)), open);
    assert_eq!(of(confirmed()), settled);
    assert_eq!(of(terminated()), settled);
    // A 2xx has no ACK of its transaction.
    assert_eq!(of(after(UNRELIABLE, 200)), neither);
}

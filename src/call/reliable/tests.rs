//! Reliable provisional responses against RFC 3262.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "tests count seconds; an overflow would panic, which fails the test"
)]

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::message::{Message, Response};
use crate::seed::Seed;
use crate::transaction::testing::{Timed, ms, status};

type Script = Timed<ReliableServer>;

const FIRST: u32 = 776_655;

fn idle() -> Script {
    Timed::new(|_| ReliableServer::new(ms(0), Timers::DEFAULT, 1, FIRST))
}

/// 183 is out since 0.
fn waiting(session: bool) -> Script {
    let mut script = idle();
    assert_eq!(script.command(0, send(183, session)), Ok(vec![sent(183)]));
    script
}

fn send(code: u16, session: bool) -> Command {
    Command::Send {
        status: status(code),
        bytes: written(code),
        session,
    }
}

fn sent(code: u16) -> Action {
    Action::Transmit {
        status: status(code),
        bytes: written(code),
    }
}

fn written(code: u16) -> Bytes {
    Bytes::from(format!("SIP/2.0 {code} Written\r\n\r\n"))
}

fn prack(text: &'static str) -> Event {
    Event::Prack(RAck::parse(text.as_bytes()).unwrap().into())
}

fn acked(rseq: u32, session: bool) -> Action {
    Action::Acknowledged { rseq, session }
}

fn response(code: u16, rest: &str) -> Response {
    let text = format!(
        "SIP/2.0 {code} As It Is\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
         CSeq: 1 INVITE\r\n{rest}\r\n"
    );
    Response::try_from(Message::parse(text.into()).unwrap()).unwrap()
}

fn invite(rest: &str) -> Request {
    let text = format!(
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8\r\n\
         To: Bob <sip:bob@biloxi.example.com>\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
         CSeq: 1 INVITE\r\n{rest}\r\n"
    );
    Request::try_from(Message::parse(text.into()).unwrap()).unwrap()
}

// 3262-3-01, 3262-3-02, 3262-3-03, 3262-3-05
#[test]
fn invite_and_policy_decide_what_is_reliable() {
    use Sending as S;
    let all = [Policy::Off, Policy::Supported, Policy::Required];
    let row = |rest| all.map(|policy| sending(policy, Asked::of(&invite(rest))));
    assert_eq!(
        row("Supported: timer\r\n"),
        [S::Unreliable, S::Unreliable, S::Refuse(status(421))]
    );
    assert_eq!(
        row("k: timer, 100REL\r\n"),
        [S::Unreliable, S::Either, S::Reliable]
    );
    assert_eq!(
        row("Supported: 100rel\r\nRequire: 100rel\r\n"),
        [S::Refuse(status(420)), S::Reliable, S::Reliable]
    );
}

// 3262-3-13, 3262-3-14
#[test]
fn first_rseq_is_spread_over_its_range() {
    let ids = Ids::new(Seed::from_bytes([4; 32]));
    let drawn: Vec<u32> = (0..4_000).map(|n| first_rseq(&ids, 9, n)).collect();
    assert!(drawn.iter().all(|rseq| (1..1 << 31).contains(rseq)));
    let eighths: BTreeSet<u32> = drawn.iter().map(|rseq| rseq >> 28).collect();
    assert_eq!(eighths.len(), 8);
    let in_first = drawn.iter().filter(|rseq| **rseq >> 28 == 0).count();
    assert!((400..600).contains(&in_first), "{in_first}");
}

// 3262-3-04
#[test]
fn idle_send_takes_101_to_199_only() {
    for code in [100, 200, 486] {
        let refused = Err(Misuse::WrongStatus { status: code });
        assert_eq!(idle().command(0, send(code, false)), refused);
    }
    for code in [101, 199] {
        assert!(idle().command(0, send(code, false)).is_ok());
    }
}

// 3262-3-18, 3262-3-19, 3262-3-21, 3262-3-31, 3262-3-32
#[test]
fn waiting_timers_repeat_without_t2_and_give_up_after_64_t1() {
    let mut script = waiting(true);
    let log = script.until(100_000);
    let mut expected: Vec<_> = [500, 1_500, 3_500, 7_500, 15_500, 31_500]
        .map(|at| (at, sent(183)))
        .into();
    expected.push((32_000, Action::TimedOut));
    expected.push((64_000, Action::Terminated));
    assert_eq!(log, expected);
}

// 3262-3-32
#[test]
fn each_response_has_its_own_64_t1() {
    let mut script = waiting(false);
    script.command(10, send(180, false)).unwrap();
    let event = prack("776655 1 INVITE");
    assert_eq!(script.receive(400, event), [acked(FIRST, false), sent(180)]);
    let at: Vec<_> = script.until(32_400).into_iter().collect();
    assert_eq!(at.first(), Some(&(900, sent(180))));
    assert_eq!(at.last(), Some(&(32_400, Action::TimedOut)));
}

// 3262-3-23, 3262-3-24
#[test]
fn waiting_prack_stops_the_copies() {
    let mut script = waiting(true);
    script.until(1_500);
    let event = prack("776655 1 INVITE");
    assert_eq!(script.receive(1_600, event), [acked(FIRST, true)]);
    assert_eq!(script.machine.state(), "Idle");
    assert_eq!(script.until(100_000), []);
}

// 3262-3-24, 3262-3-25, 3262-3-26, 3262-7.2-02
#[test]
fn waiting_prack_for_anything_else_is_unmatched() {
    for rack in [
        "776656 1 INVITE",
        "776654 1 INVITE",
        "776655 2 INVITE",
        "776655 1 invite",
        "776655 1 UPDATE",
    ] {
        let mut script = waiting(true);
        assert_eq!(
            script.receive(10, prack(rack)),
            [Action::Unmatched],
            "{rack}"
        );
        assert_eq!(script.until(500), [(500, sent(183))], "{rack}");
    }
}

// 3262-3-27, 3262-3-26
#[test]
fn second_prack_is_unmatched() {
    let mut script = waiting(true);
    script.receive(10, prack("776655 1 INVITE"));
    let again = script.receive(20, prack("776655 1 INVITE"));
    assert_eq!(again, [Action::Unmatched]);
}

// 3262-3-34, 3262-3-35, 3262-3-36, 3262-3-37
#[test]
fn waiting_send_queues_in_order() {
    let mut script = waiting(false);
    for (at, code) in [(1, 180), (2, 182)] {
        let next = script.machine.next_rseq();
        assert_eq!(next, Some(FIRST + u32::try_from(at).unwrap()));
        assert_eq!(script.command(at, send(code, false)), Ok(vec![]));
    }
    // The second has not been sent, so its PRACK is early.
    let early = script.receive(3, prack("776656 1 INVITE"));
    assert_eq!(early, [Action::Unmatched]);
    let first = script.receive(10, prack("776655 1 INVITE"));
    assert_eq!(first, [acked(FIRST, false), sent(180)]);
    let second = script.receive(20, prack("776656 1 INVITE"));
    assert_eq!(second, [acked(FIRST + 1, false), sent(182)]);
    let third = script.receive(30, prack("776657 1 INVITE"));
    assert_eq!(third, [acked(FIRST + 2, false)]);
}

// 3262-3-33
#[test]
fn idle_again_sends_the_next_at_once() {
    let mut script = waiting(false);
    script.receive(10, prack("776655 1 INVITE"));
    assert_eq!(script.command(20, send(180, false)), Ok(vec![sent(180)]));
}

// 3262-3-38
#[test]
fn rseq_does_not_wrap() {
    let mut script = Timed::new(|_| ReliableServer::new(ms(0), Timers::DEFAULT, 1, u32::MAX));
    script.command(0, send(183, false)).unwrap();
    assert_eq!(script.machine.next_rseq(), None);
    let refused = script.command(0, send(180, false));
    assert_eq!(refused, Err(Misuse::LimitReached { limit: "RSeq" }));
    let acknowledged = script.receive(1, prack("4294967295 1 INVITE"));
    assert_eq!(acknowledged, [acked(u32::MAX, false)]);
    assert!(script.command(2, send(180, false)).is_err());
}

#[test]
fn queue_has_a_limit() {
    let mut script = waiting(false);
    for _ in 0..MAX_QUEUED {
        script.command(0, send(180, false)).unwrap();
    }
    let before = script.machine.next_rseq();
    let limit = "reliable provisional responses";
    let refused = Err(Misuse::LimitReached { limit });
    assert_eq!(script.command(0, send(180, false)), refused);
    assert_eq!(script.machine.next_rseq(), before);
}

// 3262-3-40, 3262-3-41, 3262-5-07
#[test]
fn waiting_accept_is_held_for_a_session_description() {
    let mut script = waiting(true);
    assert_eq!(script.command(100, Command::Accept), Ok(vec![]));
    // Asked twice, it is held once.
    assert_eq!(script.command(200, Command::Accept), Ok(vec![]));
    assert_eq!(script.until(600), [(500, sent(183))]);
    let released = script.receive(700, prack("776655 1 INVITE"));
    assert_eq!(
        released,
        [acked(FIRST, true), Action::Accept, Action::Terminated]
    );
}

// 3262-3-39, 3262-3-42, 3262-3-43
#[test]
fn waiting_accept_goes_at_once_without_one() {
    let mut script = waiting(false);
    assert_eq!(
        script.command(100, Command::Accept),
        Ok(vec![Action::Accept])
    );
    assert_eq!(
        script.clone().until(100_000),
        [(32_100, Action::Terminated)]
    );
    let late = script.receive(900, prack("776655 1 INVITE"));
    assert_eq!(late, [acked(FIRST, false), Action::Terminated]);
}

// 3262-3-40
#[test]
fn accept_waits_for_a_description_that_queues_and_not_for_what_rings_behind_it() {
    let mut script = waiting(false);
    script.command(1, send(183, true)).unwrap();
    script.command(2, send(180, false)).unwrap();
    assert_eq!(script.command(3, Command::Accept), Ok(vec![]));
    let first = script.receive(10, prack("776655 1 INVITE"));
    assert_eq!(first, [acked(FIRST, false), sent(183)]);
    let second = script.receive(20, prack("776656 1 INVITE"));
    assert_eq!(
        second,
        [acked(FIRST + 1, true), Action::Accept, Action::Terminated]
    );
}

// 3262-3-31
#[test]
fn held_accept_is_off_after_64_t1() {
    let mut script = waiting(true);
    script.command(100, Command::Accept).unwrap();
    let log = script.until(32_000);
    assert_eq!(log.last(), Some(&(32_000, Action::TimedOut)));
    assert!(!log.iter().any(|(_, action)| *action == Action::Accept));
    // 3262-3-43
    let late = script.receive(33_000, prack("776655 1 INVITE"));
    assert_eq!(late, [acked(FIRST, true), Action::Terminated]);
}

// 3262-3-42, 3262-3-43
#[test]
fn waiting_close_stops_the_copies_and_hears_a_late_prack() {
    let mut script = waiting(true);
    script.command(1, send(180, false)).unwrap();
    assert_eq!(script.command(100, Command::Close), Ok(vec![]));
    assert_eq!(
        script.clone().until(100_000),
        [(32_100, Action::Terminated)]
    );
    let wrong = script.receive(200, prack("776656 1 INVITE"));
    assert_eq!(wrong, [Action::Unmatched]);
    let late = script.receive(300, prack("776655 1 INVITE"));
    assert_eq!(late, [acked(FIRST, true), Action::Terminated]);
}

// 3262-3-44
#[test]
fn closed_send_does_nothing() {
    let mut script = waiting(true);
    script.command(100, Command::Close).unwrap();
    for command in [send(180, false), Command::Accept, Command::Close] {
        let before = script.machine.clone();
        assert_eq!(script.command(200, command), Ok(vec![]));
        assert_eq!(script.machine, before);
    }
    let mut accepting = waiting(true);
    accepting.command(100, Command::Accept).unwrap();
    assert!(accepting.command(200, send(180, false)).is_err());
}

#[test]
fn idle_accept_and_close_end_it() {
    let accepted = idle().command(0, Command::Accept);
    assert_eq!(accepted, Ok(vec![Action::Accept, Action::Terminated]));
    assert_eq!(
        idle().command(0, Command::Close),
        Ok(vec![Action::Terminated])
    );
    assert_eq!(idle().receive(0, prack("1 1 INVITE")), [Action::Unmatched]);
}

// 3262-4-05, 3262-4-06, 3262-4-07, 3262-4-08
#[test]
fn require_decides_what_a_caller_takes_for_reliable() {
    let of = |code, rest: &str| kind(&response(code, rest));
    let reliable = Kind::Reliable { rseq: 776_656 };
    let tag = "To: <sip:bob@biloxi.example.com>;tag=a\r\n";
    let full = format!("{tag}Require: timer, 100REL\r\nRSeq: 776656\r\n");
    assert_eq!(of(183, &full), reliable);
    assert_eq!(of(199, &full), reliable);
    assert_eq!(of(100, &full), Kind::Unreliable);
    assert_eq!(of(200, &full), Kind::Unreliable);
    let unasked = format!("{tag}Supported: 100rel\r\nRSeq: 776656\r\n");
    assert_eq!(of(183, &unasked), Kind::Unreliable);
    let no_tag = "To: <sip:bob@biloxi.example.com>\r\nRequire: 100rel\r\nRSeq: 1\r\n";
    assert_eq!(of(183, no_tag), Kind::Broken);
    for rseq in ["", "RSeq: 0\r\n", "RSeq: 4294967296\r\n", "RSeq: one\r\n"] {
        let broken = format!("{tag}Require: 100rel\r\n{rseq}");
        assert_eq!(of(183, &broken), Kind::Broken, "{rseq}");
    }
}

// 3262-4-13, 3262-4-14, 3262-4-15, 3262-4-16, 3262-4-17, 3262-4-18
#[test]
fn caller_takes_responses_in_order() {
    let mut order = RseqOrder::new(1);
    let taken: Vec<_> = [10, 12, 10, 11, 12, 12, 11, 9, 14]
        .map(|rseq| order.take(rseq))
        .into();
    use Order as O;
    assert_eq!(
        taken,
        [
            O::Next,
            O::OutOfOrder,
            O::Repeated,
            O::Next,
            O::Next,
            O::Repeated,
            O::Repeated,
            O::OutOfOrder,
            O::OutOfOrder,
        ]
    );
    let mut last = RseqOrder::new(1);
    assert_eq!(last.take(u32::MAX), O::Next);
    assert_eq!(last.take(1), O::OutOfOrder);
}

// 3262-7.2-03
#[test]
fn rack_copies_the_response() {
    let rack = RseqOrder::new(314_159).rack(776_656);
    assert_eq!(format!("{rack}"), "776656 314159 INVITE");
}

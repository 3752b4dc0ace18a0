//! What servers ask for, by timed scripts.

#![allow(clippy::arithmetic_side_effects, reason = "tests count")]

use alloc::vec::Vec;

use super::*;

const BEGIN: Command = Command::Begin(Priority::Ordinary);
const HELP: Command = Command::Begin(Priority::Emergency);

fn held(seconds: u64) -> Restraint {
    let wait = Duration::from_secs(seconds);
    Restraint::new(Time::ZERO, Event::Unavailable { wait }).unwrap()
}

fn told(algorithm: Algorithm, value: u32, validity: u32, sequence: u64) -> Event {
    let feedback = Feedback::new(algorithm, value, validity);
    Event::Feedback(feedback.with_sequence(Sequence::at(Time::from_secs(sequence))))
}

fn throttled(event: Event) -> Restraint {
    Restraint::new(Time::ZERO, event).unwrap()
}

fn ask(restraint: &mut Restraint, millis: u64, command: Command) -> Vec<Action> {
    let mut out = Vec::new();
    restraint
        .command(Time::from_millis(millis), command, &mut out)
        .unwrap();
    out
}

fn hear(restraint: &mut Restraint, millis: u64, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    restraint.receive(Time::from_millis(millis), event, &mut out);
    out
}

/// How many of a thousand requests, one each millisecond, go.
fn sent(restraint: &mut Restraint, command: impl Fn(u64) -> Command) -> usize {
    let goes = |n: &u64| ask(restraint, *n, command(*n)) == [Action::Send];
    (0..1_000).filter(goes).count()
}

#[test]
fn held_begin_is_withheld_until_the_time_has_passed() {
    // 3261-21-04, 3263-4.3-56
    let mut restraint = held(5);
    let until = Some(Time::from_secs(5));
    let wait = Some(Duration::from_millis(1));
    assert_eq!(
        ask(&mut restraint, 4_999, BEGIN),
        [Action::Withhold { wait }]
    );
    assert_eq!(
        ask(&mut restraint, 4_999, Command::Continue),
        [Action::Send]
    );
    assert_eq!(restraint.deadline(), until);
    assert_eq!(ask(&mut restraint, 5_000, BEGIN), [Action::Terminated]);
    assert!(restraint.is_terminated());
    assert_eq!(ask(&mut restraint, 5_000, BEGIN), []);
}

#[test]
fn held_another_503_counts_from_then() {
    let mut restraint = held(5);
    let wait = Duration::from_secs(2);
    assert_eq!(hear(&mut restraint, 4_000, Event::Unavailable { wait }), []);
    assert_eq!(restraint.held_until(), Some(Time::from_secs(6)));
}

#[test]
fn what_keeps_nothing_back_needs_no_machine() {
    // 7339-4.3-03, 7339-5.7-02
    let wait = Duration::ZERO;
    for event in [
        Event::Unavailable { wait },
        told(Algorithm::Loss, 0, 0, 1),
        told(Algorithm::Loss, 0, 500, 1),
        told(Algorithm::Loss, 50, 0, 1),
        told(Algorithm::Rate, 0, 0, 1),
    ] {
        assert_eq!(Restraint::new(Time::ZERO, event), None, "{event:?}");
    }
}

#[test]
fn throttled_loss_leaves_out_as_many_in_a_hundred() {
    // 7339-5.5-01, 7339-4.1-03
    for percent in [1, 10, 33, 50, 95, 100] {
        let mut restraint = throttled(told(Algorithm::Loss, percent, 5_000, 1));
        let left_out = 1_000 - sent(&mut restraint, |_| BEGIN);
        assert_eq!(left_out, 10 * percent as usize);
    }
}

#[test]
fn throttled_loss_takes_from_what_can_wait_for_what_cannot() {
    // 7339-7.1-02, 7339-5.10-02: two of five can wait, and a quarter of them is left out.
    let mut restraint = throttled(told(Algorithm::Loss, 10, 5_000, 1));
    let command = |n| match n % 5 {
        0 | 1 => BEGIN,
        2 => HELP,
        _ => Command::Continue,
    };
    let (mut could, mut waited) = (0, 0);
    for n in 0..=1_000 {
        let goes = ask(&mut restraint, n, command(n)) == [Action::Send];
        match command(n) {
            Command::Begin(Priority::Ordinary) => {
                could += 1;
                waited += usize::from(!goes);
            }
            Command::Begin(Priority::Emergency) | Command::Continue => assert!(goes),
        }
    }
    // The one after the thousandth pays for the last.
    assert_eq!((could, waited), (401, 100));
}

#[test]
fn throttled_rate_sends_no_more_than_that() {
    // 7415-3.5-02, 7415-3.5-04
    let mut restraint = throttled(told(Algorithm::Rate, 50, 5_000, 1));
    let all = sent(&mut restraint, |_| BEGIN);
    // Five intervals of tolerance, and the first one.
    assert_eq!(all, 50 + 5);
}

#[test]
fn throttled_rate_lets_emergencies_go_deeper() {
    // 7415-3.5-06
    let mut restraint = throttled(told(Algorithm::Rate, 10, 5_000, 1));
    let mut goes = |command| ask(&mut restraint, 0, command) == [Action::Send];
    assert_eq!((0..20).filter(|_| goes(BEGIN)).count(), 6);
    assert_eq!((0..20).filter(|_| goes(HELP)).count(), 5);
    assert!(goes(Command::Continue));
}

#[test]
fn throttled_rate_of_zero_sends_nothing_new() {
    // 7415-3.5-03
    let mut restraint = throttled(told(Algorithm::Rate, 0, 5_000, 1));
    let withheld = [Action::Withhold { wait: None }];
    assert_eq!(ask(&mut restraint, 1, BEGIN), withheld);
    assert_eq!(ask(&mut restraint, 1, Command::Continue), [Action::Send]);
}

#[test]
fn throttled_rate_what_is_withheld_takes_nothing() {
    // 7415-3.5-05
    let mut restraint = throttled(told(Algorithm::Rate, 10, 60_000, 1));
    sent(&mut restraint, |_| BEGIN);
    let once = restraint.clone();
    ask(&mut restraint, 999, BEGIN);
    assert_eq!(restraint, once);
}

#[test]
fn throttled_validity_passes_is_over() {
    // 7339-4.3-04, 7339-5.4-05
    let mut restraint = throttled(told(Algorithm::Loss, 100, 500, 1));
    let withheld = [Action::Withhold { wait: None }];
    assert_eq!(ask(&mut restraint, 499, BEGIN), withheld);
    assert_eq!(ask(&mut restraint, 500, BEGIN), [Action::Terminated]);
}

#[test]
fn throttled_newer_feedback_counts_and_older_does_not() {
    // 7339-5.4-03, 7339-5.4-04
    let mut restraint = throttled(told(Algorithm::Loss, 100, 1_000, 10));
    hear(&mut restraint, 600, told(Algorithm::Loss, 10, 1_000, 9));
    hear(&mut restraint, 600, told(Algorithm::Loss, 10, 1_000, 10));
    assert_eq!(restraint.deadline(), Some(Time::from_secs(1)));
    assert_ne!(ask(&mut restraint, 600, BEGIN), [Action::Send]);
    // Higher: it counts from now. Much lower: the server has begun anew.
    for sequence in [11, 2] {
        hear(
            &mut restraint,
            700,
            told(Algorithm::Loss, 1, 1_000, sequence),
        );
        assert_eq!(restraint.deadline(), Some(Time::from_millis(1_700)));
    }
}

#[test]
fn throttled_server_ends_it_lets_go_at_once_and_ignores_what_is_late() {
    // 7339-4.3-03, 7339-5.7-02
    let mut restraint = throttled(told(Algorithm::Loss, 100, 60_000, 10));
    hear(&mut restraint, 100, told(Algorithm::Loss, 100, 0, 11));
    assert_eq!(ask(&mut restraint, 100, BEGIN), [Action::Send]);
    hear(&mut restraint, 200, told(Algorithm::Loss, 100, 60_000, 10));
    assert_eq!(ask(&mut restraint, 200, BEGIN), [Action::Send]);
    assert_eq!(restraint.deadline(), Some(Time::from_millis(600)));
}

#[test]
fn held_and_throttled_outlives_the_shorter() {
    let mut restraint = held(2);
    hear(&mut restraint, 0, told(Algorithm::Loss, 100, 5_000, 1));
    assert_eq!(restraint.state(), "Held");
    let withheld = [Action::Withhold { wait: None }];
    assert_eq!(ask(&mut restraint, 2_000, BEGIN), withheld);
    assert_eq!(restraint.state(), "Throttled");
}

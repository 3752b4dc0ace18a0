//! The timers against RFC 3261 Appendix A and RFC 4320 4.1.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn with(t1: Duration, t2: Duration) -> Timers {
    Timers {
        t1,
        t2,
        ..Timers::DEFAULT
    }
}

// 3261-A-01, 3261-A-02, 3261-A-03
#[test]
fn defaults_are_those_of_the_appendix() {
    let timers = Timers::default();
    assert_eq!(timers.t1, Duration::from_millis(500));
    assert_eq!(timers.t2, 4 * SECOND);
    assert_eq!(timers.t4, 5 * SECOND);
    assert_eq!(timers.trying, Duration::from_millis(200));
}

// 3261-A-07, 3261-A-12, 3261-A-13, 3261-A-14, 3261-17.1.1.2-20
#[test]
fn durations_depend_on_reliability() {
    use Reliability::{Reliable, Unreliable};
    let timers = Timers::DEFAULT;
    assert_eq!(timers.t1x64(), 32 * SECOND);
    for (wait, unreliable) in [
        (
            Timers::d as fn(&Timers, Reliability) -> Duration,
            32 * SECOND,
        ),
        (|t, r| t.ik(r), 5 * SECOND),
        (|t, r| t.j(r), 32 * SECOND),
    ] {
        assert_eq!(wait(&timers, Unreliable), unreliable);
        assert_eq!(wait(&timers, Reliable), Duration::ZERO);
    }
}

// 3261-17.1.1.1-01, 3261-17.1.1.1-02
#[test]
fn durations_scale_with_t1() {
    let timers = with(SECOND / 10, 4 * SECOND);
    assert_eq!(timers.t1x64(), SECOND * 64 / 10);
    assert_eq!(timers.j(Reliability::Unreliable), SECOND * 64 / 10);
    assert_eq!(timers.d(Reliability::Unreliable), 32 * SECOND);
    assert_eq!(with(SECOND, SECOND).d(Reliability::Unreliable), 64 * SECOND);
}

/// The instant at which timer E is reset to T2, step by step.
fn stepped(t1: Duration, t2: Duration) -> Duration {
    let mut backoff = Backoff::start(Time::ZERO, t1).unwrap();
    loop {
        let at = backoff.due;
        backoff = backoff.doubled(at, t2).unwrap();
        if backoff.interval == t2 {
            return at.saturating_since(Time::ZERO);
        }
    }
}

// 4320-4.1-06
#[test]
fn trying_is_due_when_timer_e_is_reset_to_t2() {
    assert_eq!(Timers::DEFAULT.e_reaches_t2(), Duration::from_millis(3_500));
    for t1 in [1, 100, 300, 500, 1_000, 1_900, 2_000, 3_000, 4_000, 9_000] {
        let (t1, t2) = (Duration::from_millis(t1), 4 * SECOND);
        assert_eq!(with(t1, t2).e_reaches_t2(), stepped(t1, t2), "{t1:?}");
    }
    assert_eq!(with(Duration::ZERO, SECOND).e_reaches_t2(), Duration::MAX);
    assert!(with(SECOND, Duration::MAX).e_reaches_t2() > with(SECOND, SECOND).t1x64());
}

#[test]
fn backoff_counts_from_when_it_was_due_or_from_now() {
    let first = Backoff::start(Time::ZERO, SECOND).unwrap();
    assert_eq!(first.due, Time::from_secs(1));
    let due = |now| {
        first
            .doubled(Time::from_millis(now), 8 * SECOND)
            .unwrap()
            .due
    };
    assert_eq!(due(1_000), Time::from_secs(3));
    assert_eq!(due(2_999), Time::from_secs(3));
    assert_eq!(due(3_000), Time::from_secs(5));
    assert_eq!(due(60_000), Time::from_secs(62));
}

#[test]
fn backoff_never_starts_with_zero_or_past_the_end_of_time() {
    assert_eq!(Backoff::start(Time::ZERO, Duration::ZERO), None);
    assert_eq!(Backoff::start(Time::MAX, SECOND), None);
    let last = Backoff {
        due: Time::MAX,
        interval: SECOND,
    };
    assert_eq!(last.doubled(Time::MAX, Duration::MAX), None);
    assert_eq!(last.again(Time::ZERO, Duration::ZERO), None);
}

#[test]
fn running_at_a_tie_or_late_the_one_that_ends_fires() {
    let backoff = Backoff::start(Time::ZERO, SECOND);
    let running = |ends| Running::ends(ends, "ends").repeats(backoff, "repeats");
    let tie = running(Some(Time::from_secs(1)));
    assert_eq!(tie.next(), Some((Time::from_secs(1), "ends")));
    let later = running(Some(Time::from_secs(9)));
    assert_eq!(later.next(), Some((Time::from_secs(1), "repeats")));
    assert_eq!(later.due(Time::from_millis(999)), None);
    assert_eq!(later.due(Time::from_secs(1)), Some("repeats"));
    assert_eq!(later.due(Time::from_secs(9)), Some("ends"));
    assert_eq!(running(None).due(Time::from_secs(1)), Some("repeats"));
}

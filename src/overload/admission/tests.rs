//! Admission by timed scripts.

#![allow(clippy::arithmetic_side_effects, reason = "tests count")]

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::overload::FeedbackPolicy;

fn limits(rate: Option<u32>, burst: u32) -> Limits {
    let mut limits = Limits::DEFAULT;
    limits.request_rate = rate;
    limits.request_burst = Some(burst);
    limits
}

fn admission(rate: Option<u32>, burst: u32) -> Admission {
    Admission::new(Policy::DEFAULT, &limits(rate, burst))
}

fn offer(admission: &mut Admission, millis: u64, offer: Offer) -> Vec<Action> {
    let mut out = Vec::new();
    admission.receive(Time::from_millis(millis), offer, &mut out);
    out
}

fn waited(millis: u64) -> Offer {
    Offer {
        waited: Duration::from_millis(millis),
        is_repeated: true,
        ..Offer::default()
    }
}

const REFUSE: Action = Action::Refuse {
    retry_after: Some(5),
};

/// How many of those that come in equal intervals within a second, from then on, are taken.
fn taken(admission: &mut Admission, from: u64, offered: u64) -> usize {
    let mut taken = 0;
    for n in 0..offered {
        let at = Time::from_nanos(from * SECOND + n * SECOND / offered);
        let mut out = Vec::new();
        admission.receive(at, Offer::default(), &mut out);
        taken += out
            .iter()
            .filter(|action| **action == Action::Admit)
            .count();
    }
    taken
}

#[test]
fn calm_as_many_as_the_rate_are_taken_and_no_more() {
    let mut admission = admission(Some(500), 1);
    assert_eq!(taken(&mut admission, 0, 1_000), 500);
    assert_eq!(taken(&mut admission, 1, 250), 250);
    assert_eq!(taken(&mut admission, 2, 5_000), 500);
}

#[test]
fn calm_burst_is_taken_at_once_and_comes_back_with_time() {
    let mut admission = admission(Some(10), 5);
    let mut at = |millis| offer(&mut admission, millis, Offer::default());
    for _ in 0..5 {
        assert_eq!(at(0), [Action::Admit]);
    }
    assert_eq!(at(0), [Action::Began(Bound::Rate), REFUSE]);
    assert_eq!(at(99), [REFUSE]);
    assert_eq!(at(100), [Action::Admit]);
    assert_eq!(at(100), [REFUSE]);
}

#[test]
fn calm_burst_is_what_is_worked_off_before_t1() {
    let mut admission = Admission::new(
        Policy::DEFAULT,
        &Limits {
            request_rate: Some(100),
            ..Limits::DEFAULT
        },
    );
    for _ in 0..50 {
        assert_eq!(offer(&mut admission, 0, Offer::default()), [Action::Admit]);
    }
    assert_eq!(
        offer(&mut admission, 0, Offer::default()).last(),
        Some(&REFUSE)
    );
}

#[test]
fn overloaded_calm_passes_is_told_once() {
    let mut admission = admission(Some(1), 1);
    assert_eq!(offer(&mut admission, 0, Offer::default()), [Action::Admit]);
    let began = [Action::Began(Bound::Rate), REFUSE];
    assert_eq!(offer(&mut admission, 100, Offer::default()), began);
    assert_eq!(offer(&mut admission, 400, Offer::default()), [REFUSE]);
    assert_eq!(admission.deadline(), Some(Time::from_millis(1_400)));
    let mut out = Vec::new();
    admission.on_deadline(Time::from_millis(1_400), &mut out);
    let episode = Episode {
        lasted: Duration::from_millis(300),
        refused: 2,
        shed: 0,
    };
    assert_eq!(out, [Action::Ended(episode)]);
    assert_eq!((admission.state(), admission.deadline()), ("Calm", None));
}

#[test]
fn overloaded_rate_is_there_again_takes_at_once() {
    let mut admission = admission(Some(500), 50);
    taken(&mut admission, 0, 10_000);
    assert_eq!(admission.state(), "Overloaded");
    // The load falls: nothing is refused any more, long before the end is told.
    assert_eq!(taken(&mut admission, 1, 400), 400);
}

#[test]
fn calm_tables_are_full_refuses_until_there_is_room() {
    let mut limits = limits(None, 50);
    (limits.calls, limits.transactions) = (2, 8);
    let mut admission = Admission::new(Policy::DEFAULT, &limits);
    let full = |calls, transactions| Offer {
        calls,
        transactions,
        ..Offer::default()
    };
    assert_eq!(offer(&mut admission, 0, full(1, 7)), [Action::Admit]);
    let began = [Action::Began(Bound::Calls), REFUSE];
    assert_eq!(offer(&mut admission, 1, full(2, 7)), began);
    assert_eq!(offer(&mut admission, 2, full(1, 8)), [REFUSE]);
    assert_eq!(offer(&mut admission, 3, full(1, 7)), [Action::Admit]);
}

/// 3261 17.1.1.2: until T1 nobody has sent his request again.
#[test]
fn calm_queue_of_a_moment_is_worked_off() {
    let mut admission = admission(None, 50);
    for millis in [101, 300, 500, 200] {
        assert_eq!(offer(&mut admission, 0, waited(millis)), [Action::Admit]);
    }
    assert_eq!(admission.state(), "Calm");
}

#[test]
fn calm_queue_reaches_t1_is_kept_short_until_it_was_calm() {
    let mut admission = admission(None, 50);
    let began = [Action::Began(Bound::Queue), REFUSE];
    assert_eq!(offer(&mut admission, 1_000, waited(501)), began);
    assert_eq!(offer(&mut admission, 1_100, waited(101)), [REFUSE]);
    assert_eq!(offer(&mut admission, 1_200, waited(100)), [Action::Admit]);
    assert_eq!(offer(&mut admission, 2_099, waited(101)), [REFUSE]);
    let later = offer(&mut admission, 3_099, waited(500));
    assert!(matches!(later[..], [Action::Ended(_), Action::Admit]));
}

/// At T1 what waits would come twice, and what was taken would be answered twice.
#[test]
fn calm_queue_only_grows_is_overload_at_half_of_t1() {
    let mut admission = admission(None, 50);
    for millis in (60..=250).step_by(10) {
        let out = offer(&mut admission, 1_000 + 2 * millis, waited(millis));
        assert_eq!(out, [Action::Admit], "{millis}");
    }
    let began = [Action::Began(Bound::Queue), REFUSE];
    assert_eq!(offer(&mut admission, 1_502, waited(251)), began);
    assert_eq!(offer(&mut admission, 1_503, waited(101)), [REFUSE]);
}

#[test]
fn calm_queue_is_worked_off_is_no_overload() {
    let mut admission = admission(None, 50);
    for n in 0..40 {
        let out = offer(&mut admission, 1_000 + 10 * n, waited(490 - 10 * n));
        assert_eq!(out, [Action::Admit], "{n}");
    }
}

/// Nothing was in the queue between two that had to wait.
#[test]
fn calm_queue_was_empty_in_between_has_not_grown() {
    let mut admission = admission(None, 50);
    for (at, millis) in [(1_000, 150), (1_401, 400), (1_700, 298), (2_000, 299)] {
        let out = offer(&mut admission, at, waited(millis));
        assert_eq!(out, [Action::Admit], "{at}");
    }
    let began = [Action::Began(Bound::Queue), REFUSE];
    assert_eq!(offer(&mut admission, 2_100, waited(299)), began);
}

/// What is said of a request before it is read is what becomes of it.
#[test]
fn foreseen_refusal_is_the_verdict_and_changes_nothing() {
    let mut admission = admission(Some(10), 2);
    let mut verdicts = Vec::new();
    for at in 0..4 {
        let now = Time::from_millis(at);
        let before = admission.clone();
        let foreseen = admission.refuses(now, &Offer::default());
        assert_eq!(admission, before);
        let out = offer(&mut admission, at, Offer::default());
        assert_eq!(foreseen, out.last() == Some(&REFUSE));
        verdicts.push(foreseen);
    }
    assert_eq!(verdicts, [false, false, true, true]);
}

/// That the rate is too high says nothing of the queue.
#[test]
fn overloaded_by_rate_queue_of_a_moment_is_worked_off() {
    let mut admission = admission(Some(10), 2);
    for _ in 0..3 {
        offer(&mut admission, 0, Offer::default());
    }
    assert_eq!(admission.state(), "Overloaded");
    assert_eq!(offer(&mut admission, 200, waited(300)), [Action::Admit]);
}

#[test]
fn behind_refusing_does_not_keep_up_sheds() {
    let mut admission = admission(None, 50);
    offer(&mut admission, 1_000, waited(501));
    // What was there when it began is answered, and so is what has waited a little.
    assert_eq!(offer(&mut admission, 1_200, waited(700)), [REFUSE]);
    assert_eq!(offer(&mut admission, 1_400, waited(350)), [REFUSE]);
    assert_eq!(offer(&mut admission, 1_400, waited(351)), [Action::Shed]);
    // What came over a stream does not come again: it is answered.
    let on_stream = Offer {
        is_repeated: false,
        ..waited(351)
    };
    assert_eq!(offer(&mut admission, 1_400, on_stream), [REFUSE]);
}

#[test]
fn calm_queue_reaches_twice_t1_is_shed() {
    let mut admission = admission(None, 50);
    assert_eq!(
        offer(&mut admission, 5_000, waited(1_000)).last(),
        Some(&REFUSE)
    );
    assert_eq!(offer(&mut admission, 5_000, waited(1_001)), [Action::Shed]);
}

#[test]
fn overloaded_refusing_does_not_keep_up_empties_the_queue() {
    let mut admission = admission(None, 50);
    offer(&mut admission, 5_000, waited(1_001));
    // The queue gets shorter, and what is in it is still too old to be answered in time.
    for millis in [200, 90, 26] {
        assert_eq!(offer(&mut admission, 5_001, waited(millis)), [Action::Shed]);
    }
    // From here on what comes is fresh, and it is taken until the queue has grown again.
    for millis in [25, 60, 100] {
        assert_eq!(
            offer(&mut admission, 5_002, waited(millis)),
            [Action::Admit]
        );
    }
    assert_eq!(offer(&mut admission, 5_003, waited(101)), [REFUSE]);
}

#[test]
fn calm_emergency_goes_twice_as_deep() {
    let mut admission = admission(Some(10), 2);
    let help = Offer {
        priority: Priority::Emergency,
        ..Offer::default()
    };
    for _ in 0..2 {
        assert_eq!(offer(&mut admission, 0, Offer::default()), [Action::Admit]);
    }
    offer(&mut admission, 0, Offer::default());
    for _ in 0..2 {
        assert_eq!(offer(&mut admission, 0, help), [Action::Admit]);
    }
    assert_eq!(offer(&mut admission, 0, help), [REFUSE]);
}

#[test]
fn calm_emergency_waited_is_taken() {
    let mut admission = admission(None, 50);
    let help = Offer {
        priority: Priority::Emergency,
        ..waited(400)
    };
    assert_eq!(offer(&mut admission, 0, help), [Action::Admit]);
}

#[test]
fn calm_rate_of_zero_takes_nothing_new() {
    let mut admission = admission(None, 50);
    let mut out = Vec::new();
    admission
        .command(Time::ZERO, Command::SetRate(Some(0)), &mut out)
        .unwrap();
    assert!(out.is_empty());
    let began = [Action::Began(Bound::Rate), REFUSE];
    assert_eq!(offer(&mut admission, 1, Offer::default()), began);
    admission
        .command(Time::from_millis(2), Command::SetRate(None), &mut out)
        .unwrap();
    assert_eq!(offer(&mut admission, 3, Offer::default()), [Action::Admit]);
}

#[test]
fn refused_at_one_moment_are_not_asked_back_at_one_moment() {
    let mut admission = admission(Some(0), 1);
    let mut seen = [0; 6];
    for salt in 0..600 {
        let salted = Offer {
            salt,
            ..Offer::default()
        };
        let out = offer(&mut admission, 0, salted);
        let Some(Action::Refuse {
            retry_after: Some(seconds @ 5..=10),
        }) = out.last()
        else {
            panic!("{out:?}");
        };
        seen[*seconds as usize - 5] += 1;
    }
    assert_eq!(seen, [100; 6]);
}

#[test]
fn capacity_names_the_nearest_bound() {
    let mut admission = admission(Some(100), 1);
    let at = |millis| Time::from_millis(millis);
    let calm = admission.capacity(at(0), 500_000, 7, Duration::ZERO);
    assert_eq!((calm.bound, calm.percent()), (Bound::Calls, 50));
    assert_eq!((calm.is_overloaded, calm.delay), (false, None));
    taken(&mut admission, 0, 200);
    let full = admission.capacity(at(999), 5, 7, Duration::from_millis(90));
    assert_eq!((full.bound, full.load, full.limit), (Bound::Rate, 200, 100));
    assert_eq!(
        (full.is_overloaded, full.delay),
        (true, Some(Duration::from_secs(5)))
    );
    let slow = admission.capacity(at(5_000), 5, 7, Duration::from_millis(450));
    assert_eq!((slow.bound, slow.percent()), (Bound::Queue, 90));
}

fn with_feedback(rate: Option<u32>) -> Admission {
    let policy = Policy {
        feedback: Some(FeedbackPolicy::default()),
        ..Policy::DEFAULT
    };
    Admission::new(policy, &limits(rate, 50))
}

/// Offers as many a second as clients would that heed what they were told, from then on.
fn obeying(admission: &mut Admission, second: u64, would: u64, algorithm: Algorithm) -> u64 {
    let told = admission.feedback(Time::from_secs(second), algorithm);
    let told = told.unwrap();
    let sent = match (told.algorithm, told.validity) {
        (_, 0) => would,
        (Algorithm::Loss, _) => would * u64::from(100 - told.value) / 100,
        (Algorithm::Rate, _) => would.min(4 * u64::from(told.value)),
    };
    for n in 0..sent {
        let at = Time::from_nanos(second * SECOND + n * SECOND / sent);
        let own = Offer {
            client: Some((algorithm, n % 4)),
            ..Offer::default()
        };
        admission.receive(at, own, &mut |_| ());
    }
    sent
}

#[test]
fn calm_feedback_says_that_nothing_is_asked() {
    // 7339-5.1-01
    for algorithm in [Algorithm::Loss, Algorithm::Rate] {
        let told = with_feedback(Some(500)).feedback(Time::from_secs(7), algorithm);
        let told = told.unwrap();
        assert_eq!(
            (told.algorithm, told.value, told.validity),
            (algorithm, 0, 0)
        );
        assert!(told.sequence.is_some());
    }
    assert_eq!(
        admission(Some(500), 1).feedback(Time::ZERO, Algorithm::Loss),
        None
    );
}

#[test]
fn overloaded_feedback_halves_what_comes_twice_too_much_and_lets_go_when_it_is_over() {
    // 7339-7.1-01, 7339-5.7-01
    let mut admission = with_feedback(Some(500));
    let mut at = |second, would| obeying(&mut admission, second, would, Algorithm::Loss);
    assert_eq!(at(1, 1_000), 1_000);
    for second in 2..10 {
        assert_eq!(at(second, 1_000), 500, "at {second}");
    }
    assert_eq!(at(10, 400), 200);
    assert_eq!(at(11, 400), 400);
    let told = admission.feedback(Time::from_secs(12), Algorithm::Loss);
    assert_eq!(told.map(|told| (told.value, told.validity)), Some((0, 0)));
}

#[test]
fn overloaded_feedback_shares_the_rate_among_its_clients() {
    // 7415-3.5-02
    let mut admission = with_feedback(Some(500));
    let mut at = |second, would| obeying(&mut admission, second, would, Algorithm::Rate);
    assert_eq!(at(1, 1_000), 1_000);
    for second in 2..10 {
        assert_eq!(at(second, 1_000), 500, "at {second}");
    }
}

#[test]
fn overloaded_feedback_numbers_rise() {
    // 7339-4.4-01
    let mut admission = with_feedback(Some(500));
    let mut before = None;
    for second in 1..9 {
        obeying(&mut admission, second, 1_000, Algorithm::Loss);
        let told = admission.feedback(Time::from_secs(second), Algorithm::Loss);
        let sequence = told.unwrap().sequence;
        assert!(sequence > before, "{sequence:?} after {before:?}");
        before = sequence;
    }
}

#[test]
fn overloaded_without_a_bound_asks_for_what_was_refused() {
    let mut admission = with_feedback(None);
    for n in 0..100 {
        let mut late = waited(if n % 4 == 0 { 501 } else { 0 });
        late.client = Some((Algorithm::Loss, 1));
        offer(&mut admission, 10 * n, late);
    }
    let told = admission.feedback(Time::from_secs(1), Algorithm::Loss);
    assert_eq!(told.map(|told| told.value), Some(25));
}

#[test]
fn server_that_gives_feedback_asks_nobody_to_stay_away() {
    // 7339-5.10.2-01
    let out = offer(&mut with_feedback(Some(0)), 0, Offer::default());
    assert_eq!(out.last(), Some(&Action::Refuse { retry_after: None }));
}

#[test]
fn overloaded_time_runs_back_keeps_its_end() {
    let mut admission = admission(Some(0), 1);
    offer(&mut admission, 5_000, Offer::default());
    offer(&mut admission, 1_000, Offer::default());
    assert_eq!(admission.deadline(), Some(Time::from_millis(6_000)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes when, each request has one verdict, the bucket gives no more than it has, and
    /// beginnings and ends come in turn.
    #[test]
    fn every_offer_has_one_verdict_and_the_rate_holds(
        rate in 1_u32..2_000,
        burst in 1_u32..100,
        offers in prop::collection::vec((0_u64..50, 0_u64..600, any::<bool>()), 1..400),
    ) {
        let mut admission = admission(Some(rate), burst);
        let (mut now, mut verdicts, mut is_over) = (0, [0_u64; 3], true);
        for (after, late, is_repeated) in &offers {
            now += after;
            let offered = Offer { is_repeated: *is_repeated, ..waited(*late) };
            for action in offer(&mut admission, now, offered) {
                match action {
                    Action::Admit => verdicts[0] += 1,
                    Action::Refuse { .. } => verdicts[1] += 1,
                    Action::Shed => verdicts[2] += 1,
                    Action::Began(_) => prop_assert!(std::mem::replace(&mut is_over, false)),
                    Action::Ended(_) => prop_assert!(!std::mem::replace(&mut is_over, true)),
                }
            }
        }
        prop_assert_eq!(verdicts.iter().sum::<u64>(), offers.len() as u64);
        let most = u64::from(burst) + 1 + now * u64::from(rate) / 1_000;
        prop_assert!(verdicts[0] <= most, "{} of {most}", verdicts[0]);
    }
}

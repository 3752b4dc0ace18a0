//! The laws on the machines against overload.

use std::time::Duration;

use drongo::limits::Limits;
use drongo::machine::Leaf;
use drongo::overload::admission::{self, Admission, Offer};
use drongo::overload::restraint::{self, Restraint};
use drongo::overload::{Algorithm, Feedback, FeedbackPolicy, Policy, Priority};
use drongo::time::Time;
use proptest::prelude::*;

use super::{Subject, check_exhaustively, check_script, choices, chosen};

struct OfAdmission {
    policy: Policy,
    limits: Limits,
    events: Vec<Offer>,
}

impl OfAdmission {
    fn new(rate: Option<u32>, feedback: bool) -> Self {
        let mut policy = Policy::default();
        policy.feedback = feedback.then(FeedbackPolicy::default);
        let mut limits = Limits::default();
        (limits.request_rate, limits.request_burst, limits.calls) = (rate, Some(1), 2);
        let offer = |change: &dyn Fn(&mut Offer)| {
            let mut offer = Offer::default();
            change(&mut offer);
            offer
        };
        let events = vec![
            offer(&|_| ()),
            offer(&|offer| offer.client = Some((Algorithm::Loss, 1))),
            offer(&|offer| offer.client = Some((Algorithm::Rate, 2))),
            offer(&|offer| offer.priority = Priority::Emergency),
            offer(&|offer| offer.calls = 2),
            offer(&|offer| {
                offer.waited = Duration::from_secs(1);
                offer.is_repeated = true;
            }),
        ];
        Self {
            policy,
            limits,
            events,
        }
    }
}

impl Subject for OfAdmission {
    type Machine = Admission;

    fn fresh(&self, now: Time, _: &mut Vec<admission::Action>) -> Admission {
        Admission::new(self.policy, &self.limits).alone(now)
    }

    fn events(&self) -> &[Offer] {
        &self.events
    }

    fn commands(&self) -> &[admission::Command] {
        const COMMANDS: [admission::Command; 3] = [
            admission::Command::SetRate(None),
            admission::Command::SetRate(Some(0)),
            admission::Command::SetRate(Some(2)),
        ];
        &COMMANDS
    }

    fn is_last(&self, _: &admission::Action) -> bool {
        false
    }

    fn is_repetition(&self, _: &admission::Action) -> bool {
        false
    }

    fn phase(&self, machine: &Admission) -> &'static str {
        machine.state()
    }

    fn max_actions(&self, _: &Admission) -> usize {
        Admission::MAX_ACTIONS
    }
}

struct OfRestraint(Vec<restraint::Event>);

impl OfRestraint {
    fn new() -> Self {
        let told = |algorithm, value, validity| {
            restraint::Event::Feedback(Feedback::new(algorithm, value, validity))
        };
        let unavailable = |seconds| restraint::Event::Unavailable {
            wait: Duration::from_secs(seconds),
        };
        Self(vec![
            unavailable(5),
            unavailable(0),
            told(Algorithm::Loss, 60, 700),
            told(Algorithm::Loss, 0, 700),
            told(Algorithm::Loss, 60, 0),
            told(Algorithm::Rate, 2, 9_000),
            told(Algorithm::Rate, 0, 700),
        ])
    }
}

impl Subject for OfRestraint {
    type Machine = Restraint;

    fn fresh(&self, now: Time, _: &mut Vec<restraint::Action>) -> Restraint {
        Restraint::new(now, self.0[0]).unwrap()
    }

    fn events(&self) -> &[restraint::Event] {
        &self.0
    }

    fn commands(&self) -> &[restraint::Command] {
        const COMMANDS: [restraint::Command; 3] = [
            restraint::Command::Begin(Priority::Ordinary),
            restraint::Command::Begin(Priority::Emergency),
            restraint::Command::Continue,
        ];
        &COMMANDS
    }

    fn is_last(&self, action: &restraint::Action) -> bool {
        *action == restraint::Action::Terminated
    }

    fn is_repetition(&self, _: &restraint::Action) -> bool {
        false
    }

    fn phase(&self, machine: &Restraint) -> &'static str {
        machine.state()
    }

    fn max_actions(&self, _: &Restraint) -> usize {
        Restraint::MAX_ACTIONS
    }

    /// What is held and what is throttled end each at their own time.
    fn is_composite(&self) -> bool {
        true
    }
}

const ADMISSIONS: [(Option<u32>, bool); 4] = [
    (None, false),
    (Some(2), false),
    (None, true),
    (Some(2), true),
];

#[test]
fn admission_keeps_the_laws() {
    let mut most = 0;
    for (rate, feedback) in ADMISSIONS {
        let tally = check_exhaustively(&OfAdmission::new(rate, feedback), 4);
        let tally = tally.unwrap_or_else(|violation| panic!("{rate:?}: {violation}"));
        assert_eq!(tally.phases.len(), 2);
        most = most.max(tally.most_actions);
    }
    assert_eq!(most, Admission::MAX_ACTIONS, "the bound is not tight");
}

#[test]
fn restraint_keeps_the_laws() {
    let tally = check_exhaustively(&OfRestraint::new(), 4);
    let tally = tally.unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(tally.phases.len(), 3);
    assert_eq!(tally.most_actions, Restraint::MAX_ACTIONS);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn machines_against_overload_keep_the_laws_for_long(
        which in 0..ADMISSIONS.len(),
        choices in choices(),
    ) {
        let (rate, feedback) = ADMISSIONS[which];
        let subject = OfAdmission::new(rate, feedback);
        let checked = check_script(&subject, &chosen(&subject, &choices));
        checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        let subject = OfRestraint::new();
        let checked = check_script(&subject, &chosen(&subject, &choices));
        checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    }
}

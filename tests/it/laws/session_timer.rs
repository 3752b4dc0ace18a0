//! The laws on session timers.

use std::time::Duration;

use drongo::call::session_timer::{
    Action, Command, Config, Event, Negotiation, SessionExpires, SessionTimer,
};
use drongo::machine::Leaf;
use drongo::time::Time;
use proptest::prelude::*;

use super::{Subject, check_exhaustively, check_script, choices, chosen, must_keep_the_laws};

struct OfSessionTimer {
    events: Vec<Event>,
}

impl OfSessionTimer {
    fn new() -> Self {
        let agreed = |text: &[u8]| {
            let mut negotiation = Negotiation::new(Some(Config::default()));
            Event::Agreed(negotiation.on_success(SessionExpires::parse(text).ok()))
        };
        Self {
            events: vec![
                agreed(b"90;refresher=uac"),
                agreed(b"90;refresher=uas"),
                agreed(b"4294967295;refresher=uac"),
                Event::Agreed(None),
                Event::Refused(None),
                Event::Refused(Some(Duration::from_secs(15))),
                Event::Refused(Some(Duration::ZERO)),
                Event::Lost,
            ],
        }
    }
}

impl Subject for OfSessionTimer {
    type Machine = SessionTimer;

    fn fresh(&self, now: Time, _: &mut Vec<Action>) -> SessionTimer {
        SessionTimer::new(now)
    }

    fn events(&self) -> &[Event] {
        &self.events
    }

    fn commands(&self) -> &[Command] {
        &[Command::Stop]
    }

    fn is_last(&self, action: &Action) -> bool {
        *action == Action::Terminated
    }

    fn is_repetition(&self, _: &Action) -> bool {
        false
    }

    fn phase(&self, machine: &SessionTimer) -> &'static str {
        machine.state()
    }

    fn max_actions(&self, _: &SessionTimer) -> usize {
        SessionTimer::MAX_ACTIONS
    }

    fn is_composite(&self) -> bool {
        true
    }
}

/// A script of the fuzzer.
pub(super) fn script(choices: &[(u8, i32)]) {
    must_keep_the_laws(&OfSessionTimer::new(), choices);
}

#[test]
fn session_timer_keeps_the_laws() {
    let tally = check_exhaustively(&OfSessionTimer::new(), 5).unwrap_or_else(|v| panic!("{v}"));
    assert_eq!(tally.phases.len(), 3, "{:?}", tally.phases);
    assert_eq!(tally.most_actions, SessionTimer::MAX_ACTIONS);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn session_timer_keeps_the_laws_for_long(choices in choices()) {
        let subject = OfSessionTimer::new();
        let checked = check_script(&subject, &chosen(&subject, &choices));
        checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    }
}

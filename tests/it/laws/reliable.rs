//! The laws on the callee's reliable provisional responses.

use std::time::Duration;

use bytes::Bytes;
use drongo::call::reliable::{Action, Command, Event, ReliableServer};
use drongo::machine::Leaf;
use drongo::message::{RAck, StatusCode};
use drongo::time::Time;
use drongo::transaction::Timers;
use proptest::prelude::*;

use super::{Subject, check_exhaustively, check_script, choices, chosen, must_keep_the_laws};

const FIRST: u32 = u32::MAX - 3;

struct OfReliable {
    timers: Timers,
    events: Vec<Event>,
    commands: Vec<Command>,
}

fn all() -> [OfReliable; 3] {
    [Timers::DEFAULT.t1, Duration::ZERO, Duration::MAX].map(OfReliable::new)
}

impl OfReliable {
    fn new(t1: Duration) -> Self {
        let mut timers = Timers::DEFAULT;
        timers.t1 = t1;
        let prack = |rseq| {
            let text = format!("{rseq} 1 INVITE");
            Event::Prack(RAck::parse(text.as_bytes()).unwrap().into())
        };
        let send = |code, session| Command::Send {
            status: StatusCode::new(code).unwrap(),
            bytes: Bytes::from(format!("{code}")),
            session,
        };
        Self {
            timers,
            events: [FIRST, FIRST + 1, FIRST + 2].map(prack).into(),
            commands: vec![
                send(180, false),
                send(183, true),
                send(200, false),
                Command::Accept,
                Command::Close,
            ],
        }
    }
}

impl Subject for OfReliable {
    type Machine = ReliableServer;

    fn fresh(&self, now: Time, _: &mut Vec<Action>) -> ReliableServer {
        ReliableServer::new(now, self.timers, 1, FIRST)
    }

    fn events(&self) -> &[Event] {
        &self.events
    }

    fn commands(&self) -> &[Command] {
        &self.commands
    }

    fn is_last(&self, action: &Action) -> bool {
        *action == Action::Terminated
    }

    fn is_repetition(&self, action: &Action) -> bool {
        matches!(action, Action::Transmit { .. })
    }

    fn phase(&self, machine: &ReliableServer) -> &'static str {
        machine.state()
    }

    fn max_actions(&self, _: &ReliableServer) -> usize {
        ReliableServer::MAX_ACTIONS
    }
}

/// A script of the fuzzer.
pub(super) fn script(on: u8, choices: &[(u8, i32)]) {
    let all = all();
    must_keep_the_laws(&all[usize::from(on) % all.len()], choices);
}

#[test]
fn reliable_server_keeps_the_laws() {
    let mut most = 0;
    for subject in all() {
        let t1 = subject.timers.t1;
        let tally = check_exhaustively(&subject, 4).unwrap_or_else(|v| panic!("{t1:?}: {v}"));
        most = most.max(tally.most_actions);
        if t1 == Timers::DEFAULT.t1 {
            assert_eq!(tally.phases.len(), 4, "{:?}", tally.phases);
            assert!(tally.situations > 100, "{}", tally.situations);
        }
    }
    assert_eq!(most, ReliableServer::MAX_ACTIONS, "the bound is not tight");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn reliable_server_keeps_the_laws_for_long(on in 0..3_usize, choices in choices()) {
        let subject = &all()[on];
        let checked = check_script(subject, &chosen(subject, &choices));
        checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    }
}

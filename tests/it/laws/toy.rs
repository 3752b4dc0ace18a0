//! A machine that breaks one law at a time, to show that each check bites.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use drongo::error::Misuse;
use drongo::machine::Machine;
use drongo::sink::Sink;
use drongo::time::Time;

use super::{Subject, check_exhaustively};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Fault {
    LeavesPending,
    InputFirst,
    LastRepetition,
    Bursts,
    CountsFromNow,
    TakesAnyTime,
    FiresEarly,
    StaysDue,
    SpeaksAfterTheEnd,
    GoesOnAfterTheEnd,
    EndsSilently,
    RefusesTheDead,
    RefusesAndChanges,
    RefusesAndPushes,
    SaysTooMuch,
    Counts,
    ForgetsToRebase,
    HashesItsAddress,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Event {
    Answer,
    HangUp,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Command {
    Wrong,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Knock(u32),
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// Knocks after 1 s, 2 s, 4 s and so on, for 64 s.
    Knocking {
        knock: Time,
        interval: Duration,
        end: Time,
    },
    /// Stays for 4 s.
    Answered {
        end: Time,
    },
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Toy {
    fault: Option<Fault>,
    since: Time,
    state: State,
}

impl Hash for Toy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.has(Fault::HashesItsAddress) {
            std::ptr::from_ref(self).hash(state);
        }
        (self.since, &self.state).hash(state);
    }
}

static KNOCKS: AtomicU32 = AtomicU32::new(0);

fn after(now: Time, wait: Duration) -> Time {
    (now + wait).unwrap_or(Time::MAX)
}

const SECOND: Duration = Duration::from_secs(1);

impl Toy {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn clamp(&self, now: Time) -> Time {
        if self.has(Fault::TakesAnyTime) {
            now
        } else {
            now.max(self.since)
        }
    }

    fn knock(&self) -> Action {
        if self.has(Fault::Counts) {
            return Action::Knock(KNOCKS.fetch_add(1, Ordering::Relaxed));
        }
        Action::Knock(0)
    }

    fn enter(&mut self, now: Time, state: State) {
        self.since = now;
        self.state = state;
    }

    fn terminate(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        self.enter(now, State::Terminated);
        if !self.has(Fault::EndsSilently) {
            out.push(Action::Terminated);
        }
        if self.has(Fault::SpeaksAfterTheEnd) {
            out.push(self.knock());
        }
    }

    /// Fires one timer, if one is due.
    fn fire(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) -> bool {
        let slack = Duration::from_nanos(u64::from(self.has(Fault::FiresEarly)));
        let due = |at: Time| at <= after(now, slack);
        match self.state.clone() {
            State::Knocking { end, .. } if due(end) && !self.has(Fault::LastRepetition) => {
                self.terminate(now, out);
            }
            State::Knocking {
                knock,
                interval,
                end,
            } if due(knock) => {
                out.push(self.knock());
                let interval = interval * 2;
                let next = after(knock, interval);
                let from_now =
                    next <= now && !self.has(Fault::Bursts) && !self.has(Fault::StaysDue);
                let from_now = from_now || self.has(Fault::CountsFromNow);
                let knock = if from_now { after(now, interval) } else { next };
                self.state = State::Knocking {
                    knock,
                    interval,
                    end,
                };
            }
            State::Knocking { end, .. } | State::Answered { end } if due(end) => {
                self.terminate(now, out);
            }
            State::Knocking { .. } | State::Answered { .. } | State::Terminated => return false,
        }
        true
    }
}

impl Machine for Toy {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = self.clamp(now);
        if !self.has(Fault::InputFirst) {
            self.on_deadline(now, out);
        }
        match (&self.state, event) {
            (State::Knocking { .. }, Event::Answer) => {
                for _ in 0..if self.has(Fault::SaysTooMuch) { 4 } else { 1 } {
                    out.push(self.knock());
                }
                let wait = if self.has(Fault::LeavesPending) {
                    Duration::ZERO
                } else {
                    SECOND * 4
                };
                self.enter(
                    now,
                    State::Answered {
                        end: after(now, wait),
                    },
                );
            }
            (State::Knocking { .. } | State::Answered { .. }, Event::HangUp) => {
                self.terminate(now, out);
            }
            (State::Terminated, _) if self.has(Fault::GoesOnAfterTheEnd) => out.push(self.knock()),
            (State::Answered { .. } | State::Terminated, _) => {}
        }
        if self.has(Fault::InputFirst) {
            self.on_deadline(now, out);
        }
    }

    fn command(
        &mut self,
        now: Time,
        _: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = self.clamp(now);
        self.on_deadline(now, out);
        if self.is_terminated() && !self.has(Fault::RefusesTheDead) {
            return Ok(());
        }
        if self.has(Fault::RefusesAndPushes) {
            out.push(self.knock());
        }
        if self.has(Fault::RefusesAndChanges) {
            self.enter(
                now,
                State::Answered {
                    end: after(now, SECOND),
                },
            );
        }
        Err(Misuse::Malformed { what: "toy" })
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = self.clamp(now);
        while self.fire(now, out) && !self.has(Fault::StaysDue) {}
    }

    fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Knocking { knock, end, .. } => Some(knock.min(end)),
            State::Answered { end } => Some(end),
            State::Terminated => None,
        }
    }

    fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn rebase(&mut self, from: Time, to: Time) {
        self.since = self.since.rebased(from, to);
        match &mut self.state {
            State::Knocking { knock, end, .. } => {
                *knock = knock.rebased(from, to);
                if !self
                    .fault
                    .is_some_and(|fault| fault == Fault::ForgetsToRebase)
                {
                    *end = end.rebased(from, to);
                }
            }
            State::Answered { end } => *end = end.rebased(from, to),
            State::Terminated => {}
        }
    }
}

struct Broken(Option<Fault>);

impl Subject for Broken {
    type Machine = Toy;

    fn fresh(&self, now: Time, out: &mut Vec<Action>) -> Toy {
        let state = State::Knocking {
            knock: after(now, SECOND),
            interval: SECOND,
            end: after(now, SECOND * 64),
        };
        let toy = Toy {
            fault: self.0,
            since: now,
            state,
        };
        out.push(toy.knock());
        toy
    }

    fn events(&self) -> &[Event] {
        &[Event::Answer, Event::HangUp]
    }

    fn commands(&self) -> &[Command] {
        &[Command::Wrong]
    }

    fn is_last(&self, action: &Action) -> bool {
        *action == Action::Terminated
    }

    fn is_repetition(&self, action: &Action) -> bool {
        matches!(action, Action::Knock(_))
    }

    fn phase(&self, toy: &Toy) -> &'static str {
        match toy.state {
            State::Knocking { .. } => "Knocking",
            State::Answered { .. } => "Answered",
            State::Terminated => "Terminated",
        }
    }

    fn max_actions(&self, _: &Toy) -> usize {
        3
    }
}

#[test]
fn a_machine_that_keeps_the_laws_passes() {
    let tally = check_exhaustively(&Broken(None), 6).unwrap_or_else(|v| panic!("{v}"));
    assert_eq!(tally.phases.len(), 3);
    // A late knock, and the one that answers.
    assert_eq!(tally.most_actions, 2);
}

#[test]
fn every_fault_is_found_and_named() {
    use Fault as F;
    for (fault, law) in [
        (F::LeavesPending, "L1"),
        (F::InputFirst, "L3"),
        (F::LastRepetition, "L4"),
        (F::Bursts, "L5"),
        (F::CountsFromNow, "L5"),
        (F::TakesAnyTime, "L6"),
        (F::FiresEarly, "L7"),
        (F::StaysDue, "L8"),
        (F::SpeaksAfterTheEnd, "L9"),
        (F::GoesOnAfterTheEnd, "L9"),
        (F::EndsSilently, "L9"),
        (F::RefusesTheDead, "L9"),
        (F::RefusesAndChanges, "L10"),
        (F::RefusesAndPushes, "L10"),
        (F::SaysTooMuch, "L11"),
        (F::Counts, "L12"),
        (F::ForgetsToRebase, "rebase"),
        (F::HashesItsAddress, "Hash"),
    ] {
        match check_exhaustively(&Broken(Some(fault)), 4) {
            Ok(_) => panic!("{fault:?} was not found"),
            Err(violation) => assert_eq!(violation.law, law, "{fault:?}: {violation}"),
        }
    }
}

//! The laws of `drongo::machine::Machine`, checked on any machine.
//!
//! [`check_exhaustively`] runs every script up to a length, [`check_script`] one script. A script
//! receives events, takes commands, and moves the clock: to just before, at, just after and long
//! after the deadline, and backwards. Every step is made several times on clones, each time in a
//! way that a law says must come to the same.
//!
//! A machine is put under them by a [`Subject`]: see `transactions.rs` and `calls.rs`. `toy.rs`
//! shows that each check bites. L2, the order of pushes, is left to the tests of each machine.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use drongo::error::Misuse;
use drongo::machine::Machine;
use drongo::time::Time;
use proptest::prelude::*;

mod calls;
mod connection;
mod locate;
mod overload;
mod reliable;
mod session_timer;
mod toy;
pub(crate) mod transactions;

/// A machine under test, in one configuration.
pub(crate) trait Subject {
    type Machine: Machine<Event: Clone + Debug, Command: Clone + Debug, Action: Clone + PartialEq + Debug>
        + Clone
        + Eq
        + Hash
        + Debug;

    /// Starts one at `now`.
    fn fresh(&self, now: Time, out: &mut Vec<ActionOf<Self>>) -> Self::Machine;

    /// One event of each kind.
    fn events(&self) -> &[<Self::Machine as Machine>::Event];

    /// One command of each kind, misuse among them.
    fn commands(&self) -> &[<Self::Machine as Machine>::Command];

    /// Whether this is `Terminated`.
    fn is_last(&self, action: &ActionOf<Self>) -> bool;

    /// Whether this, pushed by a timer, does no more than repeat what was sent.
    fn is_repetition(&self, action: &ActionOf<Self>) -> bool;

    /// The state's name: while it stays the same, timers are counted from when they were due.
    fn phase(&self, machine: &Self::Machine) -> &'static str;

    /// The most that one call on this machine may push.
    fn max_actions(&self, machine: &Self::Machine) -> usize;

    /// Whether it has several timers in one phase, of which some fire once: then the next deadline
    /// says nothing of the interval of the one that fired.
    fn is_composite(&self) -> bool {
        false
    }

    /// What time that runs backwards is clamped to, for a machine whose phase began at `since`
    /// and which has seen `latest`. One that owns others says `latest`.
    fn floor(&self, since: Time, latest: Time) -> Time {
        let _ = latest;
        since
    }
}

type ActionOf<S> = <<S as Subject>::Machine as Machine>::Action;

/// One step of a script. Numbers choose among the subject's events and commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Receive(usize),
    Command(usize),
    /// `on_deadline`, due or not.
    Wake,
    /// To a nanosecond before the deadline.
    Before,
    /// To the deadline.
    At,
    /// To a nanosecond after the deadline; without one, a second on.
    After,
    /// Past the deadline, and past the one that would follow it.
    Skip,
    /// An hour past the deadline, or on.
    Late,
    /// A second back.
    Back,
    /// To the beginning of time.
    Zero,
    /// On or back by so many milliseconds.
    Move(i32),
}

/// A law that was broken, and how.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) law: &'static str,
    detail: String,
    script: Vec<Step>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} broken by {:?}: {}",
            self.law, self.script, self.detail
        )
    }
}

/// What the scripts of a check came to.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    /// How many different situations were met.
    pub(crate) situations: usize,
    /// The most actions that one call pushed.
    pub(crate) most_actions: usize,
    /// The phases that were met.
    pub(crate) phases: BTreeSet<&'static str>,
}

/// Checks every script of up to `depth` steps. Situations that are met again are not gone through
/// again.
pub(crate) fn check_exhaustively<S: Subject>(
    subject: &S,
    depth: usize,
) -> Result<Tally, Violation> {
    let steps = steps(subject);
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    let start = Run::start(subject)?;
    start.count(subject, &mut tally);
    let mut layer = vec![(start, Vec::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (run, script) in &layer {
            for &step in &steps {
                let mut script: Vec<Step> = script.clone();
                script.push(step);
                let after = run.step(subject, step, &mut tally);
                let after = after.map_err(|violation| violation.after(&script))?;
                if seen.insert(hash(&after)) {
                    after.count(subject, &mut tally);
                    next.push((after, script));
                }
            }
        }
        layer = next;
    }
    for (run, script) in layer {
        let again = check_script(subject, &script)?;
        ensure("L12", again.0 == run, || "a replay came elsewhere".into())
            .map_err(|violation| violation.after(&script))?;
    }
    Ok(tally)
}

/// Checks one script.
pub(crate) fn check_script<S: Subject>(
    subject: &S,
    script: &[Step],
) -> Result<(Run<S>, Tally), Violation> {
    let mut tally = Tally::default();
    let mut run = Run::start(subject)?;
    for (index, &step) in script.iter().enumerate() {
        run = run
            .step(subject, step, &mut tally)
            .map_err(|violation| violation.after(&script[..=index]))?;
        run.count(subject, &mut tally);
    }
    Ok((run, tally))
}

/// What a long random script is made of, for [`chosen`].
pub(crate) fn choices() -> impl Strategy<Value = Vec<(u8, i32)>> {
    prop::collection::vec((any::<u8>(), -2_000..20_000_i32), 0..60)
}

/// A script out of numbers: some of its steps move the clock by any amount.
pub(crate) fn chosen<S: Subject>(subject: &S, choices: &[(u8, i32)]) -> Vec<Step> {
    let steps = steps(subject);
    let choose = |&(which, by): &(u8, i32)| {
        let which = usize::from(which);
        if which < 100 {
            Step::Move(by)
        } else {
            steps[which % steps.len()]
        }
    };
    choices.iter().map(choose).collect()
}

/// A machine and a script out of bytes, for the fuzzer: the first byte chooses the machine, the
/// second its configuration; a step that moves the clock takes three bytes, any other one.
pub(crate) fn script(bytes: &[u8]) {
    let [which, on, steps @ ..] = bytes else {
        return;
    };
    let mut choices = Vec::new();
    let mut steps = steps.iter().copied();
    while let Some(step) = steps.next().filter(|_| choices.len() < 60) {
        let mut by = 0;
        if step < 100 {
            let bytes = [steps.next().unwrap_or(0), steps.next().unwrap_or(0)];
            by = i32::from(i16::from_be_bytes(bytes)) * 2;
        }
        choices.push((step, by));
    }
    match which % 8 {
        0..=3 => transactions::script(which % 8, *on, &choices),
        4 => connection::script(&choices),
        5 => reliable::script(*on, &choices),
        6 => session_timer::script(&choices),
        _ => calls::script(*on, &choices),
    }
}

fn must_keep_the_laws<S: Subject>(subject: &S, choices: &[(u8, i32)]) {
    if let Err(violation) = check_script(subject, &chosen(subject, choices)) {
        panic!("{violation}");
    }
}

/// Every step that the subject knows.
fn steps<S: Subject>(subject: &S) -> Vec<Step> {
    let moves = [
        Step::Wake,
        Step::Before,
        Step::At,
        Step::After,
        Step::Skip,
        Step::Late,
        Step::Back,
        Step::Zero,
    ];
    let events = (0..subject.events().len()).map(Step::Receive);
    let commands = (0..subject.commands().len()).map(Step::Command);
    events.chain(commands).chain(moves).collect()
}

/// A machine in the middle of a script.
pub(crate) struct Run<S: Subject> {
    machine: S::Machine,
    now: Time,
    /// When the phase began.
    since: Time,
    /// The latest time that the machine was told.
    latest: Time,
}

impl<S: Subject> PartialEq for Run<S> {
    fn eq(&self, other: &Self) -> bool {
        (self.now, self.since, self.latest) == (other.now, other.since, other.latest)
            && self.machine == other.machine
    }
}

impl<S: Subject> Hash for Run<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.machine, self.now, self.since, self.latest).hash(state);
    }
}

/// What a call came to.
type Outcome<S> = (Vec<ActionOf<S>>, Result<(), Misuse>);

impl<S: Subject> Run<S> {
    /// Long after the beginning of time, so that there is room to run backwards.
    const START: Time = Time::from_secs(10_000);

    fn start(subject: &S) -> Result<Self, Violation> {
        let mut out = Vec::new();
        let machine = subject.fresh(Self::START, &mut out);
        let overdue = machine.deadline().is_some_and(|at| at < Self::START);
        ensure("L8", !overdue, || format!("born overdue: {machine:?}"))?;
        Ok(Self {
            machine,
            now: Self::START,
            since: Self::START,
            latest: Self::START,
        })
    }

    fn count(&self, subject: &S, tally: &mut Tally) {
        tally.situations += 1;
        tally.phases.insert(subject.phase(&self.machine));
    }

    fn step(&self, subject: &S, step: Step, tally: &mut Tally) -> Result<Self, Violation> {
        let deadline = self.machine.deadline().map(Time::as_nanos);
        let nanos = self.now.as_nanos();
        const SECOND: u64 = 1_000_000_000;
        let to = match step {
            Step::Receive(_) | Step::Command(_) | Step::Wake => {
                return self.call(subject, step, tally);
            }
            Step::Before => deadline.map_or(nanos, |at| at.saturating_sub(1)),
            Step::At => deadline.unwrap_or(nanos),
            Step::After => deadline.map_or(nanos + SECOND, |at| at + 1),
            Step::Skip => self.after_next().as_nanos(),
            Step::Late => deadline.unwrap_or(nanos) + 3_600 * SECOND,
            Step::Back => nanos.saturating_sub(SECOND),
            Step::Zero => 0,
            Step::Move(ms) => nanos.saturating_add_signed(i64::from(ms) * 1_000_000),
        };
        Ok(Self {
            machine: self.machine.clone(),
            now: Time::from_nanos(to),
            ..*self
        })
    }

    /// A nanosecond after the deadline that follows the deadline.
    fn after_next(&self) -> Time {
        let deadline = self.machine.deadline().unwrap_or(self.now);
        let (next, _) = woken(&self.machine, deadline);
        let next = next.deadline().unwrap_or(deadline);
        Time::from_nanos(next.as_nanos() + 1)
    }

    /// Makes the call, and every call that must come to the same.
    fn call(&self, subject: &S, step: Step, tally: &mut Tally) -> Result<Self, Violation> {
        let mut machine = self.machine.clone();
        let outcome = perform(subject, &mut machine, self.now, step);
        tally.most_actions = tally.most_actions.max(outcome.0.len());
        self.reproduced(subject, &machine, &outcome, step)?;
        self.spurious()?;
        self.bounded(subject, &outcome)?;
        self.ended(subject, &machine, &outcome)?;
        self.settled(&machine)?;
        self.refused(&machine, &outcome)?;
        self.timers_first(subject, &machine, &outcome, step)?;
        self.rebased(subject, &machine, &outcome, step)?;
        self.clamped(subject, &machine, &outcome, step)?;
        self.late(subject, &machine, &outcome, step)?;
        let now = self.now.max(subject.floor(self.since, self.latest));
        let stayed = subject.phase(&machine) == subject.phase(&self.machine);
        Ok(Self {
            machine,
            now: self.now,
            since: if stayed { self.since } else { now },
            latest: self.latest.max(self.now),
        })
    }

    /// L7: before the deadline nothing happens.
    fn spurious(&self) -> Result<(), Violation> {
        let early = match self.machine.deadline() {
            Some(at) if at > self.now => [self.now, Time::from_nanos(at.as_nanos() - 1)],
            Some(_) => return Ok(()),
            None => [self.now, Time::MAX],
        };
        for at in early {
            let (machine, out) = woken(&self.machine, at);
            ensure("L7", out.is_empty() && machine == self.machine, || {
                format!(
                    "a wake at {at:?} did {out:?}, {:?} became {machine:?}",
                    self.machine
                )
            })?;
        }
        Ok(())
    }

    /// L11.
    fn bounded(&self, subject: &S, (out, _): &Outcome<S>) -> Result<(), Violation> {
        let max = subject.max_actions(&self.machine);
        ensure("L11", out.len() <= max, || {
            format!("more than {max}: {out:?}")
        })
    }

    /// L9: `Terminated` comes last, once, and nothing after it.
    fn ended(
        &self,
        subject: &S,
        machine: &S::Machine,
        (out, result): &Outcome<S>,
    ) -> Result<(), Violation> {
        let says = out.iter().filter(|action| subject.is_last(action)).count();
        let law = |holds: bool| ensure("L9", holds, || format!("{out:?} led to {machine:?}"));
        if self.machine.is_terminated() {
            law(out.is_empty() && result.is_ok() && *machine == self.machine)?;
            return law(machine.is_terminated() && machine.deadline().is_none());
        }
        law(says == usize::from(machine.is_terminated()))?;
        if machine.is_terminated() {
            law(out.last().is_some_and(|action| subject.is_last(action)))?;
            law(machine.deadline().is_none())?;
        }
        Ok(())
    }

    /// L8, L1: nothing is due after a wake, nothing is pending after a call.
    fn settled(&self, machine: &S::Machine) -> Result<(), Violation> {
        let (after_wake, _) = woken(&self.machine, self.now);
        for (law, machine) in [("L8", &after_wake), ("L1", machine)] {
            let due = machine.deadline().filter(|at| *at <= self.now);
            ensure(law, due.is_none(), || {
                format!("at {:?}, due at {due:?}: {machine:?}", self.now)
            })?;
        }
        let (again, out) = woken(machine, self.now);
        ensure("L1", out.is_empty() && again == *machine, || {
            format!("{out:?} was pending, {machine:?} became {again:?}")
        })
    }

    /// L10: a refused command does what a wake does.
    fn refused(&self, machine: &S::Machine, outcome: &Outcome<S>) -> Result<(), Violation> {
        let (pushed, Err(misuse)) = outcome else {
            return Ok(());
        };
        let (woken, out) = woken(&self.machine, self.now);
        ensure("L10", out == *pushed && woken == *machine, || {
            format!(
                "{misuse:?} pushed {pushed:?}, {:?} became {machine:?}",
                self.machine
            )
        })
    }

    /// L3: the same as a wake, and then the input.
    fn timers_first(
        &self,
        subject: &S,
        machine: &S::Machine,
        outcome: &Outcome<S>,
        step: Step,
    ) -> Result<(), Violation> {
        let (mut other, mut out) = woken(&self.machine, self.now);
        let (rest, result) = perform(subject, &mut other, self.now, step);
        out.extend(rest);
        self.same("L3", (machine, outcome), (&other, &(out, result)))
    }

    /// L12, and what `Clone`, `Eq` and `Hash` promise.
    fn reproduced(
        &self,
        subject: &S,
        machine: &S::Machine,
        outcome: &Outcome<S>,
        step: Step,
    ) -> Result<(), Violation> {
        let mut other = self.machine.clone();
        let again = perform(subject, &mut other, self.now, step);
        self.same("L12", (machine, outcome), (&other, &again))?;
        let clone = Box::new(machine.clone());
        ensure("Clone", *clone == *machine, || {
            format!("{clone:?} is not {machine:?}")
        })?;
        ensure("Hash", hash(&*clone) == hash(machine), || {
            format!("of {machine:?}")
        })
    }

    /// On another clock, the same comes out.
    fn rebased(
        &self,
        subject: &S,
        machine: &S::Machine,
        outcome: &Outcome<S>,
        step: Step,
    ) -> Result<(), Violation> {
        let from = Self::START;
        for to in [Time::from_secs(1_000_000), Time::from_secs(9_000)] {
            if self.now.rebased(from, to).rebased(to, from) != self.now {
                // Out of range: clamped.
                continue;
            }
            let mut other = self.machine.clone();
            other.rebase(from, to);
            let again = perform(subject, &mut other, self.now.rebased(from, to), step);
            other.rebase(to, from);
            self.same("rebase", (machine, outcome), (&other, &again))?;
        }
        Ok(())
    }

    /// L6: a time before the floor is taken for the floor.
    fn clamped(
        &self,
        subject: &S,
        machine: &S::Machine,
        outcome: &Outcome<S>,
        step: Step,
    ) -> Result<(), Violation> {
        let floor = subject.floor(self.since, self.latest);
        if self.now > floor {
            return Ok(());
        }
        for at in [floor, Time::ZERO] {
            let mut other = self.machine.clone();
            let again = perform(subject, &mut other, at, step);
            self.same("L6", (machine, outcome), (&other, &again))?;
        }
        Ok(())
    }

    /// L4, L5: a late wake repeats nothing twice, nothing at all if it ends the machine, and
    /// keeps the schedule.
    fn late(
        &self,
        subject: &S,
        machine: &S::Machine,
        (out, _): &Outcome<S>,
        step: Step,
    ) -> Result<(), Violation> {
        let due = self.machine.deadline().filter(|at| *at <= self.now);
        let (Step::Wake, Some(due)) = (step, due) else {
            return Ok(());
        };
        let repeated: Vec<_> = out.iter().filter(|a| subject.is_repetition(a)).collect();
        let says = || format!("{:?} late, {out:?}", self.now.saturating_since(due));
        ensure("L4", repeated.is_empty() || !machine.is_terminated(), says)?;
        let once = (1..repeated.len()).all(|i| !repeated[..i].contains(&repeated[i]));
        ensure("L5", once, says)?;
        let (in_time, _) = woken(&self.machine, due);
        let phase = subject.phase(&self.machine);
        let stayed = [machine, &in_time]
            .iter()
            .all(|m| subject.phase(m) == phase);
        let (true, Some(next)) = (stayed, in_time.deadline()) else {
            return Ok(());
        };
        let got = machine.deadline();
        let holds = if next > self.now {
            got == Some(next)
        } else if subject.is_composite() {
            // L8 says the rest.
            true
        } else {
            let interval: Duration = next.saturating_since(due);
            got.is_some_and(|got| Some(got) <= self.now + interval)
        };
        ensure("L5", holds, || {
            format!(
                "due at {due:?}, next at {next:?}, but woken at {:?} it is {got:?}",
                self.now
            )
        })
    }

    fn same(
        &self,
        law: &'static str,
        (machine, outcome): (&S::Machine, &Outcome<S>),
        (other, again): (&S::Machine, &Outcome<S>),
    ) -> Result<(), Violation> {
        ensure(law, outcome == again && machine == other, || {
            format!(
                "at {:?}, {:?}\n  came to {machine:?}\n    with {outcome:?}\n  and to {other:?}\n    \
                 with {again:?}",
                self.now, self.machine
            )
        })
    }
}

fn perform<S: Subject>(subject: &S, machine: &mut S::Machine, now: Time, step: Step) -> Outcome<S> {
    let mut out = Vec::new();
    let result = match step {
        Step::Receive(index) => {
            machine.receive(now, subject.events()[index].clone(), &mut out);
            Ok(())
        }
        Step::Command(index) => machine.command(now, subject.commands()[index].clone(), &mut out),
        Step::Wake
        | Step::Before
        | Step::At
        | Step::After
        | Step::Skip
        | Step::Late
        | Step::Back
        | Step::Zero
        | Step::Move(_) => {
            machine.on_deadline(now, &mut out);
            Ok(())
        }
    };
    (out, result)
}

fn woken<M: Machine + Clone>(machine: &M, now: Time) -> (M, Vec<M::Action>) {
    let mut machine = machine.clone();
    let mut out = Vec::new();
    machine.on_deadline(now, &mut out);
    (machine, out)
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn ensure(
    law: &'static str,
    holds: bool,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds {
        return Ok(());
    }
    Err(Violation {
        law,
        detail: detail(),
        script: Vec::new(),
    })
}

impl Violation {
    fn after(self, script: &[Step]) -> Self {
        Self {
            script: script.to_vec(),
            ..self
        }
    }
}

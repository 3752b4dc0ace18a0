//! Two endpoints with a call between them: each end's calls, transactions and tables, as shipped.
//!
//! The network holds what is on its way, hands it over in any order, and may lose, duplicate and
//! delay as often as [`Faults`] says. Unless it delays, time goes on only when nothing is on its
//! way. Nothing stays longer on its way than T4, the most that a message stays in the network
//! (RFC 3261 17.1.2.2). Each user may do each of its deeds once, at any moment.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use drongo::call::offer_answer::Verdict;
use drongo::call::reliable::Policy;
use drongo::call::{Early, EndReason, Invitation};
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Input, Output};
use drongo::error::Misuse;
use drongo::message::{Body, Outgoing, StatusCode};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};
use stateright::{Model, Property};

use super::{NOW, assert_every_path_ends, explore};

/// The longest that a message is on its way.
const T4: Duration = Duration::from_secs(5);

/// Who: the two ends of the call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Who {
    Caller,
    Callee,
}

impl Who {
    const BOTH: [Self; 2] = [Self::Caller, Self::Callee];

    fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }

    fn flow(self) -> Flow {
        let at = |who| match who {
            Self::Caller => "192.0.2.1:5060".parse().unwrap(),
            Self::Callee => "192.0.2.4:5060".parse().unwrap(),
        };
        Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: at(self),
            remote: at(self.other()),
        }
    }
}

/// What a user may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Deed {
    Ring,
    EarlyMedia,
    Answer,
    Reject,
    HangUp,
    Reinvite,
    Update,
    /// Answers the re-INVITE of the other side.
    AnswerOffer,
}

impl Deed {
    /// By what the other side did, which its user need not have heard.
    fn may_be_refused(self) -> bool {
        matches!(self, Self::Reinvite | Self::Update | Self::AnswerOffer)
    }
}

/// What can happen. Packets are named by their place among those that are on their way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    Arrives(usize),
    ArrivesAndComesAgain(usize),
    IsLost(usize),
    Does(Who, Deed),
    Time,
}

/// What the network may still do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Faults {
    losses: u8,
    copies: u8,
    /// How often time may go on while something is on its way.
    delays: u8,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Packet {
    to: Who,
    bytes: Bytes,
    /// How long it has been on its way.
    age: Duration,
}

/// What one user knows and may still do.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct User {
    call: Option<CallHandle>,
    left: BTreeSet<Deed>,
    /// The callee said 2xx.
    accepted: bool,
    /// The caller heard it, or the callee heard of the ACK.
    stands: bool,
    /// A re-INVITE of the other side waits.
    is_asked: bool,
    /// Changes of the session that it asked for, and that were accepted.
    asked: u8,
    updated: u8,
    deferred: bool,
    pracked: bool,
    ended: Option<End>,
}

/// How a call ended for one user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum End {
    Refused,
    Cancelled,
    HungUp,
    Failed,
}

impl From<EndReason> for End {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Refused { .. } | EndReason::Rejected { .. } => Self::Refused,
            EndReason::Cancelled { .. } | EndReason::CancelledByCaller { .. } => Self::Cancelled,
            EndReason::HungUp { .. } => Self::HungUp,
            _ => Self::Failed,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    ends: [Endpoint; 2],
    users: [User; 2],
    packets: Vec<Packet>,
    faults: Faults,
    lost: bool,
    /// Something happened that never may: said here, so that the checker shows the way to it.
    wrong: Option<String>,
}

/// What is worth reading: a line for each side and for each packet.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.wrong)?;
        for who in Who::BOTH {
            let (end, user) = (&self.ends[who as usize], &self.users[who as usize]);
            writeln!(f, "{who:?}: {user:?}, next {:?}", end.next_wake())?;
        }
        for packet in &self.packets {
            let line = packet.bytes.split(|b| *b == b'\r').next().unwrap();
            writeln!(f, "to {:?}: {}", packet.to, String::from_utf8_lossy(line))?;
        }
        Ok(())
    }
}

/// What a model explores.
#[derive(Clone)]
struct Calls {
    reliable: Policy,
    /// Whether it begins with a call that stands.
    stands: bool,
    caller: &'static [Deed],
    callee: &'static [Deed],
    faults: Faults,
    /// Whether nobody hangs up before all changes are made.
    patient: bool,
    /// Whether re-INVITEs are answered before time goes on.
    prompt: bool,
    /// What must be reached.
    goals: &'static [(&'static str, Goal)],
}

type Goal = fn(&Calls, &State) -> bool;

impl Calls {
    fn new(caller: &'static [Deed], callee: &'static [Deed]) -> Self {
        Self {
            reliable: Policy::Off,
            stands: false,
            caller,
            callee,
            faults: Faults::default(),
            patient: false,
            prompt: true,
            goals: &[],
        }
    }

    fn reaching(mut self, goals: &'static [(&'static str, Goal)]) -> Self {
        self.goals = goals;
        self
    }

    fn faults(mut self, losses: u8, copies: u8, delays: u8) -> Self {
        self.faults = Faults {
            losses,
            copies,
            delays,
        };
        self
    }

    fn standing(mut self) -> Self {
        self.stands = true;
        self
    }

    fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    fn slow(mut self) -> Self {
        self.prompt = false;
        self
    }

    fn reliable(mut self) -> Self {
        self.reliable = Policy::Supported;
        self
    }

    fn end(&self, who: Who) -> Endpoint {
        let mut config = Config::default().local(Local::new(Transport::Udp, who.flow().local));
        config.reliable = self.reliable;
        let seed = Seed::from_bytes([who as u8; 32]);
        Endpoint::new(config, seed, NOW).unwrap()
    }

    /// A call that was just placed, or that stands.
    fn start(&self) -> State {
        let mut state = State {
            ends: Who::BOTH.map(|who| self.end(who)),
            users: Default::default(),
            packets: Vec::new(),
            faults: self.faults,
            lost: false,
            wrong: None,
        };
        let mut out = Vec::new();
        let invitation = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com").unwrap();
        let placed = state.ends[0].place(NOW, 0, invitation.with(sdp()), &mut out);
        state.users[0].call = Some(placed.unwrap());
        state.perform(Who::Caller, out, NOW);
        if self.stands {
            state.arrive_all();
            state.does(Who::Callee, Deed::Answer);
            state.arrive_all();
            // The INVITE's transactions end: 64*T1 later all is quiet.
            while state.deadline().is_some() {
                state.time();
            }
        }
        state.users[0].left = self.caller.iter().copied().collect();
        state.users[1].left = self.callee.iter().copied().collect();
        state
    }
}

fn sdp() -> Outgoing {
    Outgoing::new().with_body(Body::sdp("v=0\r\n"))
}

impl State {
    fn deadline(&self) -> Option<Time> {
        self.ends.iter().filter_map(Endpoint::deadline).min()
    }

    /// Nothing is left in any table, and everybody heard that it is over.
    fn is_at_rest(&self) -> bool {
        let told = |user: &User| user.call.is_none() || user.ended.is_some();
        self.ends.iter().all(Endpoint::is_idle) && self.users.iter().all(told)
    }

    /// Every change that somebody wanted to make is made.
    fn is_changed(&self) -> bool {
        let changes = [Deed::Reinvite, Deed::Update];
        self.users.iter().all(|user| {
            user.asked == user.updated && !changes.iter().any(|deed| user.left.contains(deed))
        })
    }

    fn arrive_all(&mut self) {
        while !self.packets.is_empty() {
            self.arrive(0);
        }
    }

    fn arrive(&mut self, at: usize) {
        let Packet { to, bytes, .. } = self.packets.remove(at);
        let input = Input::Datagram {
            flow: to.flow(),
            bytes,
        };
        let mut out = Vec::new();
        self.ends[to as usize].receive(NOW, input, &mut out);
        self.perform(to, out, NOW);
    }

    /// Jumps to the next deadline, and turns the clock back by so much.
    fn time(&mut self) {
        let Some(now) = self.deadline() else {
            return;
        };
        let passed = now.saturating_since(NOW);
        for packet in &mut self.packets {
            packet.age += passed;
        }
        self.packets.retain(|packet| packet.age <= T4);
        for who in Who::BOTH {
            let mut out = Vec::new();
            let end = &mut self.ends[who as usize];
            end.on_deadline(now, &mut out);
            if end.deadline().is_some_and(|at| at <= now) {
                self.wrong = Some("L8: a deadline in the past".into());
            }
            self.perform(who, out, now);
        }
        for end in &mut self.ends {
            end.rebase(now, NOW);
        }
    }

    fn does(&mut self, who: Who, deed: Deed) -> Option<()> {
        let mut out = Vec::new();
        let user = &mut self.users[who as usize];
        user.left.remove(&deed);
        let mut call = self.ends[who as usize].call(user.call?).ok()?;
        let out_ = &mut out;
        let done = match deed {
            Deed::Ring => call.ring(NOW, out_),
            Deed::EarlyMedia => call.progress(NOW, StatusCode::SESSION_PROGRESS, sdp(), out_),
            Deed::Answer => {
                user.accepted = true;
                call.answer(NOW, sdp(), out_)
            }
            Deed::Reject => call.reject(NOW, StatusCode::BUSY_HERE, Outgoing::new(), out_),
            Deed::HangUp => call.hang_up(NOW, out_),
            Deed::Reinvite => call.reinvite(NOW, sdp(), out_),
            Deed::Update => call.update(NOW, sdp(), out_),
            Deed::AnswerOffer => {
                user.is_asked = false;
                call.answer(NOW, sdp(), out_)
            }
        };
        match (done, deed) {
            (Ok(()), Deed::Reinvite | Deed::Update) => user.asked += 1,
            // An offer is on its way already, or it is too late for an answer: not now.
            (Err(Misuse::WrongState { .. }), deed) if deed.may_be_refused() => return None,
            (Ok(()), _) => {}
            (Err(_), _) => self.wrong = Some("a verb was refused".into()),
        }
        self.perform(who, out, NOW);
        Some(())
    }

    fn perform(&mut self, who: Who, out: Vec<Output>, now: Time) {
        let mut more = Vec::new();
        for output in out {
            match output {
                Output::Transmit(transmit) => self.packets.push(Packet {
                    to: who.other(),
                    bytes: transmit.bytes,
                    age: Duration::ZERO,
                }),
                Output::Event(event) => self.hear(who, event, now, &mut more),
                _ => {}
            }
        }
        // What arrives in which order is the network's to choose.
        self.packets.sort_unstable();
        // What was received and dropped is no part of the situation.
        self.ends[who as usize].take_counters();
        if !more.is_empty() {
            self.perform(who, more, now);
        }
    }

    fn hear(&mut self, who: Who, event: Event, now: Time, out: &mut Vec<Output>) {
        let end = &mut self.ends[who as usize];
        let user = &mut self.users[who as usize];
        if user.ended.is_some() && !matches!(event, Event::ForkDropped { .. }) {
            let event = format!("{event:?}");
            let name = event.split_whitespace().next();
            self.wrong = Some(format!("{who:?} hears {name:?} after the end"));
            return;
        }
        match event {
            Event::Incoming { call, .. } => {
                let ghost = user.call.replace(call).map(|_| "a ghost call".into());
                self.wrong = ghost.or(self.wrong.take());
            }
            Event::Answered { .. } => {
                if user.stands {
                    self.wrong = Some("answered twice".into());
                }
                user.stands = true;
            }
            Event::Acknowledged { .. } => user.stands = true,
            Event::Reoffered { .. } => user.is_asked = true,
            Event::ReofferCancelled { .. } => user.is_asked = false,
            Event::Offered { request, .. } => {
                if let Ok(mut request) = end.request(request) {
                    let done = request.respond(now, StatusCode::OK, sdp(), out);
                    if done.is_err() {
                        self.wrong = Some("an UPDATE cannot be answered".into());
                    }
                }
            }
            Event::Updated { .. } => user.updated += 1,
            Event::UpdateDeferred { .. } => user.deferred = true,
            Event::ReinviteOutdated { call, .. } => {
                if let Ok(mut call) = end.call(call) {
                    let _ = call.reinvite(now, sdp(), out);
                }
            }
            Event::UpdateOutdated { call, .. } => {
                if let Ok(mut call) = end.call(call) {
                    let _ = call.update(now, sdp(), out);
                }
            }
            Event::Pracked { .. } => user.pracked = true,
            Event::Progress {
                early:
                    Some(Early {
                        session: Verdict::Offer,
                        ..
                    }),
                ..
            } => self.wrong = Some("an offer in answer to an offer".into()),
            Event::Ended { reason, .. } => {
                user.ended = Some(reason.into());
                user.left.clear();
                user.is_asked = false;
            }
            _ => {}
        }
        if self.users[1].ended != Some(End::Refused) && self.users[0].ended == Some(End::Refused) {
            self.refused_by_nobody();
        }
    }

    /// The caller hears a refusal: its callee knows, since it refused, or gave up.
    fn refused_by_nobody(&mut self) {
        if self.users[1].ended.is_none() {
            self.wrong = Some("the caller hears what nobody said".into());
        }
    }
}

impl Model for Calls {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let mut before = None;
        for (at, packet) in state.packets.iter().enumerate() {
            // Two copies of one packet are alike.
            if before.replace(packet) == Some(packet) {
                continue;
            }
            steps.push(Step::Arrives(at));
            if state.faults.copies > 0 {
                steps.push(Step::ArrivesAndComesAgain(at));
            }
            if state.faults.losses > 0 {
                steps.push(Step::IsLost(at));
            }
        }
        for who in Who::BOTH {
            let user = &state.users[who as usize];
            if user.call.is_none() || user.ended.is_some() {
                continue;
            }
            let can = |deed: &Deed| match deed {
                Deed::Ring | Deed::EarlyMedia | Deed::Answer | Deed::Reject => !user.accepted,
                Deed::HangUp => !self.patient || state.is_changed(),
                Deed::Reinvite | Deed::Update => user.stands,
                Deed::AnswerOffer => false,
            };
            let can = user.left.iter().copied().filter(can);
            steps.extend(can.map(|deed| Step::Does(who, deed)));
            if user.is_asked {
                steps.push(Step::Does(who, Deed::AnswerOffer));
            }
        }
        let waits = self.prompt && state.users.iter().any(|user| user.is_asked);
        let may_wait = !waits && (state.packets.is_empty() || state.faults.delays > 0);
        if may_wait && state.deadline().is_some() {
            steps.push(Step::Time);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut state = state.clone();
        match step {
            Step::Arrives(at) => state.arrive(at),
            Step::ArrivesAndComesAgain(at) => {
                state.faults.copies -= 1;
                let copy = state.packets.get(at)?.clone();
                state.arrive(at);
                state.packets.push(copy);
                state.packets.sort_unstable();
            }
            Step::IsLost(at) => {
                state.faults.losses -= 1;
                state.lost = true;
                state.packets.remove(at);
            }
            Step::Does(who, deed) => state.does(who, deed)?,
            Step::Time => {
                if !state.packets.is_empty() {
                    state.faults.delays -= 1;
                }
                state.time();
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always("nothing wrong happens", |_, state: &State| {
                state.wrong.is_none()
            }),
            Property::always("both ends come to rest", |model: &Self, state: &State| {
                !is_last(model, state) || state.is_at_rest()
            }),
            Property::always("no contradiction", |_, state: &State| agree(state)),
        ];
        let goals = self.goals.iter();
        all.extend(goals.map(|(name, goal)| Property::sometimes(name, *goal)));
        all
    }
}

fn is_last(model: &Calls, state: &State) -> bool {
    let mut steps = Vec::new();
    model.actions(state, &mut steps);
    let next = |step| model.next_state(state, step);
    steps.into_iter().all(|step| match step {
        Step::Does(_, deed) if deed.may_be_refused() => next(step).is_none(),
        _ => false,
    })
}

/// What one user knows is not the contrary of what the other did.
fn agree(state: &State) -> bool {
    let [caller, callee] = &state.users;
    let answered = !caller.stands || callee.accepted;
    // Who gave up hangs up a 2xx that crosses its CANCEL without a word (RFC 3261 15).
    let gave_up = caller.ended == Some(End::Cancelled);
    let acknowledged = !callee.stands || caller.stands || gave_up;
    answered && acknowledged
}

/// Explores all of it, and says how much that was.
fn check(name: &str, model: Calls) {
    let states = explore(model.clone());
    println!("{name}: {states} states");
    assert!(states > 100, "{states}");
    // On one thread, so not where there is much.
    if states < 10_000 {
        assert_every_path_ends(&model);
    }
}

const REFUSED: (&str, Goal) = ("refused", |_, state| {
    state.is_at_rest() && state.users[0].ended == Some(End::Refused)
});
const CANCELLED: (&str, Goal) = ("cancelled on both sides", |_, state| {
    let ends = state.users.iter().map(|user| user.ended);
    state.is_at_rest() && ends.eq([Some(End::Cancelled); 2])
});
const CROSSED: (&str, Goal) = ("a CANCEL that crosses the 200", |_, state| {
    let [caller, callee] = &state.users;
    callee.accepted && caller.ended == Some(End::Cancelled) && state.is_at_rest()
});
const BOTH_HANG_UP: (&str, Goal) = ("both hang up", |_, state| {
    let done = |user: &User| user.stands && user.left.is_empty();
    state.is_at_rest() && state.users.iter().all(done)
});
const GLARE: (&str, Goal) = ("glare, and then both changes", |_, state| {
    let changed = |user: &User| user.deferred && user.updated == 1;
    state.is_at_rest() && state.users.iter().all(changed)
});
const ONE_AFTER_GLARE: (&str, Goal) = ("glare, and then both changes", |_, state| {
    let changed = state.users.iter().all(|user| user.updated == 1);
    state.is_at_rest() && changed && state.users.iter().any(|user| user.deferred)
});
const PRACKED: (&str, Goal) = ("a reliable answer, and then the call", |_, state| {
    state.users[1].pracked && state.users[0].stands && state.is_at_rest()
});

const EARLY: [&[Deed]; 2] = [
    &[Deed::HangUp],
    &[Deed::Ring, Deed::Answer, Deed::Reject, Deed::HangUp],
];
const RELIABLE: [&[Deed]; 2] = [
    &[Deed::HangUp],
    &[Deed::EarlyMedia, Deed::Answer, Deed::Reject],
];

fn early() -> Calls {
    Calls::new(EARLY[0], EARLY[1]).reaching(&[REFUSED, CANCELLED, CROSSED, BOTH_HANG_UP])
}

fn both_hang_up() -> Calls {
    Calls::new(&[Deed::HangUp], &[Deed::HangUp])
        .standing()
        .reaching(&[BOTH_HANG_UP])
}

fn changes(caller: &'static [Deed], callee: &'static [Deed]) -> Calls {
    Calls::new(caller, callee).standing()
}

fn reliable() -> Calls {
    let calls = Calls::new(RELIABLE[0], RELIABLE[1]).reliable();
    calls.reaching(&[REFUSED, CANCELLED, PRACKED])
}

const REINVITE: &[Deed] = &[Deed::Reinvite, Deed::HangUp];
const UPDATE: &[Deed] = &[Deed::Update, Deed::HangUp];

#[test]
fn answer_refusal_cancel_and_hang_up_in_any_order_end_both_sides_in_agreement() {
    // 3261-15-02, 3261-9.1-10
    check("early", early().faults(1, 0, 0));
}

#[test]
fn both_hang_up_at_once_and_both_end() {
    check("hanging up", both_hang_up().faults(1, 1, 1));
}

#[test]
fn reinvites_that_meet_are_both_made_in_the_end() {
    let model = changes(REINVITE, REINVITE).patient().reaching(&[GLARE]);
    check("re-INVITE glare", model);
}

#[test]
fn updates_that_meet_are_both_made_in_the_end() {
    let model = changes(UPDATE, UPDATE).patient().reaching(&[GLARE]);
    check("UPDATE glare", model);
}

#[test]
fn reinvite_and_update_that_meet_are_both_made_in_the_end() {
    let model = changes(REINVITE, UPDATE).patient();
    check("mixed glare", model.reaching(&[ONE_AFTER_GLARE]));
}

#[test]
fn glare_with_losses_and_hang_ups_ends_both_sides() {
    check("re-INVITE, impatient", changes(REINVITE, REINVITE));
    let one = changes(UPDATE, &[Deed::Update]);
    check("UPDATE, one loss", one.faults(1, 0, 0));
}

#[test]
fn reliable_responses_with_cancel_and_refusal_end_both_sides_in_agreement() {
    check("PRACK", reliable().faults(1, 0, 0));
}

/// `cargo test --all-features --test it -- models --ignored --nocapture`: a quarter of an hour, and
/// some gigabytes. 30,732, 43,049 and 480,660 states.
#[test]
#[ignore = "it takes minutes and gigabytes"]
fn calls_with_more_faults() {
    check("early, a loss and a copy", early().faults(1, 1, 0));
    check("UPDATE, a loss", changes(UPDATE, UPDATE).faults(1, 0, 0));
    check("re-INVITE, slow", changes(REINVITE, REINVITE).slow());
}

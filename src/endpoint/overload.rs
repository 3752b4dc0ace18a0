//! Too much work: what of the new work that arrives is refused (RFC 3261 21.5.4, 8.2.7), and what
//! of this side's is kept from servers that ask for it (RFC 7339).

use core::net::SocketAddr;
use core::time::Duration;

use smallvec::SmallVec;

use super::arrival::Arrival;
use super::calls::Unsent;
use super::locations::Errand;
use super::{CallEvent, Config, Dropped, Endpoint, Event, Output};
use crate::deadlines::Deadlines;
use crate::handle::{Arena, Handle, Kind};
use crate::locate::Locate;
use crate::machine::Machine;
use crate::message::{HeaderList, Method, Request, Response, StatusCode};
use crate::overload::admission::{Action, Admission, Capacity, Command, Offer};
use crate::overload::restraint::{self, Restraint};
use crate::overload::{Feedback, Priority, Refusal, Refusals, of_client, put_feedback};
use crate::sink::Sink;
use crate::table::Table;
use crate::time::Time;
use crate::transaction::Failure;

/// What one call of the admission pushed.
type Actions = SmallVec<[Action; 3]>;

/// What a [`RestraintHandle`] names.
#[derive(Debug)]
enum RestraintKind {}

impl Kind for RestraintKind {
    const NAME: &'static str = "restraint";
}

type RestraintHandle = Handle<RestraintKind>;

/// What an endpoint knows of overload, its own and that of others.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Overload {
    admission: Admission,
    refusals: Refusals,
    restraints: Arena<RestraintKind, Restrained>,
    by_remote: Table<SocketAddr, RestraintHandle>,
    /// Of the admission, which is number 0, and of the restraints.
    deadlines: Deadlines,
    /// How long the last datagram waited before it was brought here.
    waited: Duration,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Restrained {
    remote: SocketAddr,
    machine: Restraint,
}

/// The number of the admission in its queue of deadlines.
const ADMISSION: u32 = 0;

impl Overload {
    pub(super) fn new(config: &Config, key: [u64; 2]) -> Self {
        Self {
            admission: Admission::new(config.overload, &config.limits),
            refusals: Refusals::with_key(key),
            restraints: Arena::new(),
            by_remote: Table::with_key(key),
            deadlines: Deadlines::new(),
            waited: Duration::ZERO,
        }
    }

    /// Nothing has to be done for it.
    pub(super) fn is_idle(&self) -> bool {
        self.restraints.is_empty() && self.by_remote.is_empty() && self.deadlines.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.next().map(|(at, _)| at)
    }

    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    /// Whether a request of which this is all that is known would not be taken.
    pub(super) fn refuses(&mut self, now: Time, offer: &Offer) -> bool {
        self.admission.refuses(now, offer)
    }

    /// Whether something was refused so lately that it is remembered.
    pub(super) fn has_refused(&self, now: Time) -> bool {
        !self.refusals.is_over(now)
    }

    /// Whether the request with this hash was.
    pub(super) fn is_refused(&self, now: Time, hash: u64) -> bool {
        self.refusals.get(now, hash).is_some()
    }

    pub(super) fn set_waited(&mut self, waited: Duration) {
        self.waited = waited;
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        self.admission.rebase(from, to);
        self.refusals.rebase(from, to);
        for (_, restrained) in self.restraints.iter_mut() {
            restrained.machine.rebase(from, to);
        }
        self.deadlines.rebase(from, to);
    }

    fn arm(&mut self, restraint: RestraintHandle) {
        let at = self.restraints.get(restraint);
        let at = at.and_then(|restrained| restrained.machine.deadline());
        let id = restraint.index().saturating_add(1);
        self.deadlines.set(id, at);
    }

    /// A server has asked for something.
    fn restrain(&mut self, now: Time, remote: SocketAddr, event: restraint::Event, most: usize) {
        if let Some(restraint) = self.by_remote.get(&remote).copied() {
            return self.drive(restraint, |machine, actions| {
                machine.receive(now, event, actions);
            });
        }
        if self.by_remote.len() >= most {
            return;
        }
        let Some(machine) = Restraint::new(now, event) else {
            return;
        };
        if let Some(restraint) = self.restraints.insert(Restrained { remote, machine }) {
            self.by_remote.insert(remote, restraint);
            self.arm(restraint);
        }
    }

    /// Calls the machine; says nothing of what it wants, but ends it if it is over.
    fn drive(
        &mut self,
        restraint: RestraintHandle,
        call: impl FnOnce(&mut Restraint, &mut SmallVec<[restraint::Action; 1]>),
    ) {
        let Some(restrained) = self.restraints.get_mut(restraint) else {
            return;
        };
        let mut actions = SmallVec::new();
        call(&mut restrained.machine, &mut actions);
        let (remote, is_over) = (restrained.remote, restrained.machine.is_terminated());
        if is_over {
            self.restraints.remove(restraint);
            self.by_remote.remove(&remote);
        }
        self.arm(restraint);
    }

    /// Whether a request may go there now.
    fn may_send(&mut self, now: Time, remote: SocketAddr, command: restraint::Command) -> bool {
        let Some(restraint) = self.by_remote.get(&remote).copied() else {
            return true;
        };
        let mut goes = true;
        self.drive(restraint, |machine, actions| {
            // The command has no way to fail.
            let _ = machine.command(now, command, actions);
            let withheld =
                |action: &restraint::Action| matches!(action, restraint::Action::Withhold { .. });
            goes = !actions.iter().any(withheld);
        });
        goes
    }
}

impl Endpoint {
    /// How much more can be taken: which bound is nearest, how much of it is used, and how long who
    /// would bring more should wait.
    ///
    /// ```
    /// # use drongo::endpoint::{Config, Endpoint};
    /// # use drongo::seed::Seed;
    /// # use drongo::time::Time;
    /// let mut config = Config::default();
    /// config.limits.request_rate = Some(500);
    /// let endpoint = Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO)?;
    /// let capacity = endpoint.capacity(Time::ZERO);
    /// assert_eq!((capacity.load, capacity.limit, capacity.delay), (0, 500, None));
    /// # Ok::<(), drongo::error::Misuse>(())
    /// ```
    pub fn capacity(&self, now: Time) -> Capacity {
        let (calls, transactions) = (self.calls(), self.transactions());
        let now = now.max(self.now);
        let overload = &self.overload;
        overload
            .admission
            .capacity(now, calls, transactions, overload.waited)
    }

    /// From now on this side takes so many requests a second that begin something new, or as many
    /// as come. Zero takes nothing new, so that what stands can come to its end.
    pub fn set_request_rate(
        &mut self,
        now: Time,
        rate: Option<u32>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let now = self.advance(now, out);
        let mut actions = Actions::new();
        // The command has no way to fail.
        let _ = self
            .overload
            .admission
            .command(now, Command::SetRate(rate), &mut actions);
        self.rearm_admission();
    }

    /// Until when nothing new goes to the server with this address, because it said 503 with
    /// Retry-After (3261 21.5.4).
    pub fn held_until(&self, remote: SocketAddr) -> Option<Time> {
        let restraint = self.overload.by_remote.get(&remote)?;
        let restrained = self.overload.restraints.get(*restraint)?;
        restrained.machine.held_until()
    }

    /// Servers that asked this side to wait, or to send less.
    pub fn restraints(&self) -> usize {
        self.overload.restraints.len() as usize
    }

    /// Fires what is due of it.
    pub(super) fn advance_overload(&mut self, now: Time, out: &mut (impl Sink<Output> + ?Sized)) {
        while let Some((_, id)) = self.overload.deadlines.pop_due(now) {
            if id == ADMISSION {
                let mut actions = Actions::new();
                self.overload.admission.on_deadline(now, &mut actions);
                self.rearm_admission();
                self.tell_overload(&actions, out);
            } else if let Some(restraint) = self.overload.restraints.at(id.saturating_sub(1)) {
                self.overload.drive(restraint, |machine, actions| {
                    machine.on_deadline(now, actions)
                });
            }
        }
    }

    fn rearm_admission(&mut self) {
        let at = self.overload.admission.deadline();
        self.overload.deadlines.set(ADMISSION, at);
    }

    fn tell_overload(&mut self, actions: &Actions, out: &mut (impl Sink<Output> + ?Sized)) {
        for action in actions {
            match *action {
                Action::Began(bound) => {
                    let counter = &mut self.counters.overloads;
                    *counter = counter.saturating_add(1);
                    out.push(Output::Event(Event::OverloadBegan { bound }));
                }
                Action::Ended(episode) => {
                    out.push(Output::Event(Event::OverloadEnded { episode }));
                }
                Action::Admit | Action::Refuse { .. } | Action::Shed => {}
            }
        }
    }

    /// Whether a request that begins something new is taken. If not, all that is due to it is done.
    pub(super) fn is_admitted(
        &mut self,
        now: Time,
        request: &Request,
        arrival: &Arrival,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> bool {
        let hash = arrival.hashed.as_u64();
        if let Some(refusal) = self.repeated_refusal(now, hash) {
            self.answer_busy(request, arrival, refusal, out);
            return false;
        }
        let offer = self.offer(request, arrival, hash);
        match self.judge(now, offer, out) {
            Some(Action::Refuse { retry_after }) => {
                let refusal = self.turn_away(now, hash, retry_after);
                self.answer_busy(request, arrival, refusal, out);
                self.drop_packet(Dropped::Overload, out);
                false
            }
            Some(Action::Shed) => {
                self.drop_packet(Dropped::Shed, out);
                false
            }
            Some(Action::Admit | Action::Began(_) | Action::Ended(_)) | None => {
                self.counters.admitted = self.counters.admitted.saturating_add(1);
                true
            }
        }
    }

    /// What was said to the request with this hash, which has come again.
    pub(super) fn repeated_refusal(&mut self, now: Time, hash: u64) -> Option<Refusal> {
        let refusal = self.overload.refusals.get(now, hash)?;
        let counter = &mut self.counters.refusals_repeated;
        *counter = counter.saturating_add(1);
        Some(refusal)
    }

    /// The request with this hash is refused.
    pub(super) fn turn_away(&mut self, now: Time, hash: u64, retry_after: Option<u32>) -> Refusal {
        let refusal = Refusal { retry_after };
        let memory = (self.context.timers.t1x64(), self.limits().refusals);
        self.overload.refusals.put(now, hash, refusal, memory);
        self.counters.turned_away = self.counters.turned_away.saturating_add(1);
        self.counters.refused = self.counters.refused.saturating_add(1);
        refusal
    }

    /// Whether a datagram is dropped without being read: when answering does not keep up, all that
    /// is done to new work is too much. What is not plainly new work is read.
    pub(super) fn is_shed_unread(
        &mut self,
        now: Time,
        bytes: &[u8],
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> bool {
        let waited = self.overload.waited;
        // Nearly always it has not waited at all.
        let is_shed = waited > Duration::ZERO
            && !self.config.overload.emergencies
            && is_plainly_new(bytes)
            && self.overload.admission.sheds(now, waited);
        if is_shed {
            let offer = Offer {
                waited,
                is_repeated: true,
                ..Offer::default()
            };
            self.judge(now, offer, out);
            self.drop_packet(Dropped::Shed, out);
        }
        is_shed
    }

    pub(super) fn judge(
        &mut self,
        now: Time,
        offer: Offer,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Option<Action> {
        let mut actions = Actions::new();
        self.overload.admission.receive(now, offer, &mut actions);
        self.rearm_admission();
        self.tell_overload(&actions, out);
        self.counters.offered = self.counters.offered.saturating_add(1);
        actions.last().copied()
    }

    fn offer(&self, request: &Request, arrival: &Arrival, hash: u64) -> Offer {
        let policy = &self.config.overload;
        let client = policy.feedback.and_then(|feedback| {
            let algorithm = of_client(&request.top_via(), feedback.prefer)?;
            let who = self.overload.by_remote.hashed(&arrival.flow.remote);
            Some((algorithm, who.as_u64()))
        });
        Offer {
            priority: match policy.emergencies {
                true => Priority::of(request),
                false => Priority::Ordinary,
            },
            waited: self.overload.waited,
            is_repeated: !arrival.flow.transport.is_reliable(),
            calls: self.calls(),
            transactions: self.transactions(),
            salt: hash,
            client,
        }
    }

    /// 503 without a trace in the tables of transactions (8.2.7).
    fn answer_busy(
        &mut self,
        request: &Request,
        arrival: &Arrival,
        refusal: Refusal,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        self.stateless(request, arrival, status, &retry_after(refusal), out);
    }

    /// 503 to a request that is not for admission to judge: one within a call that has too many.
    pub(super) fn busy(
        &mut self,
        request: &Request,
        arrival: &Arrival,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let wait = self.config.overload.retry_after;
        let refusal = Refusal {
            retry_after: Some(wait),
        };
        self.counters.refused = self.counters.refused.saturating_add(1);
        self.answer_busy(request, arrival, refusal, out);
        self.drop_packet(Dropped::Overload, out);
    }

    /// An ACK whose To tag is one that this side has made for that very INVITE, which has no
    /// transaction: it was refused without one, or its transaction is over.
    pub(super) fn acknowledges_refusal(&mut self, ack: &Request) -> bool {
        let tag = self.tag_for(ack);
        let is_ours = ack.to_tag_bytes() == Some(tag.as_bytes());
        if is_ours {
            let counter = &mut self.counters.refusals_acknowledged;
            *counter = counter.saturating_add(1);
        }
        is_ours
    }

    /// What a client that heeds feedback is told in the responses to this request: it is of the
    /// time when the request came (RFC 7339 5.2).
    pub(super) fn feedback_for(&mut self, now: Time, request: &Request) -> Option<Feedback> {
        let policy = self.config.overload.feedback?;
        let algorithm = of_client(&request.top_via(), policy.prefer)?;
        self.overload.admission.feedback(now, algorithm)
    }

    /// What a response says of the server that it is from.
    pub(super) fn heed(&mut self, now: Time, remote: SocketAddr, response: &Response) {
        let limits = self.limits();
        let (most, longest) = (limits.restraints, limits.restraint_wait);
        if self.config.overload.feedback.is_some()
            && let Some(feedback) = Feedback::of(&response.top_via())
        {
            let event = restraint::Event::Feedback(feedback);
            self.overload.restrain(now, remote, event, most);
        }
        if response.status() == StatusCode::SERVICE_UNAVAILABLE
            && let Some(Ok(after)) = response.retry_after()
        {
            let wait = Duration::from_secs(u64::from(after.seconds())).min(longest);
            let event = restraint::Event::Unavailable { wait };
            self.overload.restrain(now, remote, event, most);
        }
    }

    /// Whether a request of a call may go to that server now.
    pub(super) fn may_send(&mut self, now: Time, errand: &Errand, remote: SocketAddr) -> bool {
        // Nearly always nobody has asked for anything.
        if self.overload.by_remote.is_empty() || errand.draft.method() == Method::Ack {
            return true;
        }
        let command = match errand.draft.is_initial() {
            true => restraint::Command::Begin(errand.draft.priority()),
            false => restraint::Command::Continue,
        };
        self.overload.may_send(now, remote, command)
    }

    /// A request goes to the next server that is known, or its call hears that it was not sent.
    pub(super) fn withhold(
        &mut self,
        now: Time,
        mut errand: Errand,
        locate: Option<&Locate>,
        unsent: &mut Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.counters.withheld = self.counters.withheld.saturating_add(1);
        let failure = Failure::Withheld;
        let Some(request) = errand.request else {
            return self.fail(errand, failure, unsent);
        };
        let verdict = CallEvent::Failed { request, failure };
        errand.verdict.get_or_insert_with(|| verdict.into());
        let Some(locate) = locate.filter(|locate| locate.has_next()).cloned() else {
            return self.fail(errand, failure, unsent);
        };
        match self.next_place(now, errand, locate) {
            Ok((location, mut actions)) => self.perform_location(now, location, &mut actions, out),
            Err(errand) => self.fail(*errand, failure, unsent),
        }
    }
}

/// The parameters for the Via of a response.
pub(super) fn said(feedback: &Feedback) -> SmallVec<[u8; 96]> {
    put_feedback(feedback)
}

/// Whether a datagram may be a request that begins something new, by its method.
pub(super) fn begins_new_work(bytes: &[u8]) -> bool {
    const METHODS: [&[u8]; 5] = [
        b"INVITE ",
        b"OPTIONS ",
        b"MESSAGE ",
        b"REGISTER ",
        b"PUBLISH ",
    ];
    METHODS.iter().any(|method| bytes.starts_with(method))
}

/// Whether a datagram is a request that begins something new, as far as a glance can tell: its
/// method is one that does, and its To, written as most write it, has no tag.
fn is_plainly_new(bytes: &[u8]) -> bool {
    if !begins_new_work(bytes) {
        return false;
    }
    let to = memchr::memmem::find(bytes, b"\r\nTo: ");
    let to = to.and_then(|at| bytes.get(at.checked_add(2)?..));
    let end = to.and_then(|to| memchr::memchr(b'\n', to));
    let Some((line, rest)) = to.zip(end).and_then(|(to, end)| to.split_at_checked(end)) else {
        return false;
    };
    let has_tag = line
        .windows(3)
        .any(|three| three.eq_ignore_ascii_case(b"tag"));
    let is_folded = matches!(rest.get(1), Some(b' ' | b'\t'));
    !has_tag && !is_folded
}

fn retry_after(refusal: Refusal) -> HeaderList {
    let mut headers = HeaderList::new();
    if let Some(seconds) = refusal.retry_after {
        // A number can stand in a header.
        let _ = headers.push("Retry-After", alloc::format!("{seconds}"));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glance_takes_nothing_for_new_that_may_not_be() {
        let is_new = |text: &str| is_plainly_new(text.replace('\n', "\r\n").as_bytes());
        assert!(is_new("INVITE sip:b@h SIP/2.0\nTo: <sip:b@h>\n\n"));
        assert!(is_new(
            "OPTIONS sip:b@h SIP/2.0\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>\n\n"
        ));
        for other in [
            "INVITE sip:b@h SIP/2.0\nTo: <sip:b@h>;tag=1\n\n",
            "INVITE sip:b@h SIP/2.0\nTo: <sip:b@h>\n ;TAG=1\n\n",
            "INVITE sip:b@h SIP/2.0\nTo: <sip:b@h>;Tag = 1\n\n",
            "INVITE sip:b@h SIP/2.0\nt: <sip:b@h>\n\n",
            "INVITE sip:b@h SIP/2.0\nTo: <sip:b@h>",
            "ACK sip:b@h SIP/2.0\nTo: <sip:b@h>\n\n",
            "CANCEL sip:b@h SIP/2.0\nTo: <sip:b@h>\n\n",
            "BYE sip:b@h SIP/2.0\nTo: <sip:b@h>\n\n",
            "SIP/2.0 200 OK\nTo: <sip:b@h>\n\n",
            "",
        ] {
            assert!(!is_new(other), "{other}");
        }
    }
}

//! Calls: the INVITE usage of dialogs (RFC 3261 §13, §14, §15), both sides of it.
//!
//! A call is a machine above transactions and below its user. As a caller it owns a request
//! template and a list of attempts, each of which can make a set of dialogs, its legs; the first
//! 2xx wins, the others are acknowledged and hung up. As a callee it repeats its 2xx until the
//! ACK comes.
//!
//! Each leg has one offer/answer state for INVITE, PRACK and UPDATE ([`offer_answer`]), whatever
//! state of the figure the call is in:
//!
//! | what | where | rules |
//! |---|---|---|
//! | UPDATE, both ways | `update.rs` | RFC 3311 |
//! | reliable 1xx of this side, and their PRACKs | `provisional.rs`, [`reliable`] | RFC 3262 3 |
//! | reliable 1xx of the other side, and their PRACKs | `prack.rs`, [`reliable`] | RFC 3262 4 |
//! | re-INVITE, both ways | `session/reinvite.rs` | §14, RFC 6141 |
//! | identities that change | `identity.rs` | RFC 4916 |
//! | session timers | `refresh.rs`, [`session_timer`] | RFC 4028 |
//!
//! Which transaction carries what is its owner's matter: requests of this side are
//! named by [`RequestId`], those of the other side by [`ServerId`].
//!
//! A request outside of any dialog other than INVITE ([`Call::ask`]) is a call without legs: it is
//! Asking until its final response, and Terminated after that.
//!
//! ```text
//!   place                                     INVITE
//!     |                                         |
//!     V          2xx: ACK                       V
//! +----------+                            +----------+  answer: 2xx
//! | Inviting |--------------+       +-----| Incoming | (it waits for the PRACK of
//! +----------+              V       V     +----------+  what answered already)
//!   | 300-699, silence,   +-----------+        | reject, CANCEL: 487, BYE: 487,
//!   | cancelled           | Confirmed |        | nobody answers: 480, no PRACK: 500
//!   |        BYE of the   +-----------+        |
//!   |        other side     |       | BYE of this side: hung up, no ACK, dialog lost,
//!   |                       |       V          | session expired
//!   |                       |  +---------+     |
//!   |                       |  | Leaving |     |
//!   |                       |  +---------+     |
//!   |                       V       V its end  |
//!   |                       +-----------+      |
//!   +---------------------->| Lingering |<-----+
//!                           +-----------+
//!                                  | no INVITE of this side can be answered any more,
//!                                  V every BYE has been
//!                           +------------+
//!                           | Terminated |
//!                           +------------+
//! ```

mod answers;
mod asking;
mod callee;
mod caller;
mod checks;
mod contract;
mod course;
mod credentials;
mod declined;
mod description;
mod exchange;
pub mod failure;
pub(crate) mod identity;
mod invitation;
mod leg;
mod legs;
mod notice;
pub mod offer_answer;
mod policy;
mod prack;
mod provisional;
mod recursion;
mod refresh;
pub mod reliable;
mod retries;
mod session;
pub mod session_timer;
#[cfg(test)]
mod tests;
mod timer;
mod update;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use smallvec::SmallVec;

pub use contract::{Action, Command, Event, RequestId, ServerId};
pub use description::session_description;
pub use invitation::Invitation;
pub use leg::LegId;
pub use notice::{Early, EndReason, Notice, Side};
pub use retries::Retries;
pub use timer::Timer;

use crate::auth::{self, Keyring};
use crate::dialog::Dialog;
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::{HeaderList, Method, Name, Origin, Outgoing, Reply, Request, StatusCode};
use crate::seed::{CallIds, Ids, Token};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Timers;
use asking::Asking;
use callee::Incoming;
use caller::Inviting;
use checks::{check, wrong_state};
pub(crate) use checks::{check_coding, check_response};
use credentials::Credentials;
use exchange::{Asked, Own};
use identity::Identities;
use leg::{Leg, LegState};
use provisional::Reliable;
use reliable::Policy;
use session::Session;

/// What all calls of an owner share.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Context {
    /// Makes branches and delays.
    pub ids: Ids,
    /// T1, T2 and T4.
    pub timers: Timers,
    /// Bounds.
    pub limits: Limits,
    /// The accounts with which challenges are answered (RFC 3261 22).
    pub keyring: Arc<Keyring>,
    /// Header lines that say what this side can do (Allow, Supported, User-Agent, …): sent with
    /// INVITE and its 2xx.
    pub capabilities: HeaderList,
    /// Whether provisional responses are reliable (RFC 3262).
    pub reliable: Policy,
    /// What this side wants of session timers (RFC 4028); `None` to do without.
    pub session_timer: Option<session_timer::Config>,
    /// Whether identities may change within a dialog (RFC 4916).
    pub connected_identity: bool,
    /// Where requests usually leave from.
    pub origin: Origin,
}

/// A call, from its INVITE to the end of the last transaction that can still bring something.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    core: Core,
    state: State,
    /// When its first timer fires: asked before and after each input, and nearly always later.
    due: Option<Time>,
}

/// What a call has in every state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Core {
    context: Arc<Context>,
    since: Time,
    /// `None`: it follows from the dialog, and a callee that sends nothing needs none.
    own_base: Option<u64>,
    branches: u32,
    requests: u32,
    /// INVITEs of this side whose transaction is alive.
    invites: SmallVec<[RequestId; 2]>,
    /// The dialogs. Once one is confirmed, the first is the one that the user talks on.
    legs: SmallVec<[Leg; 1]>,
    /// How many legs there were.
    forks: u32,
    /// Requests of the other side that the user has not answered.
    pending: Vec<Pending>,
    /// UPDATEs and PRACKs of this side without final response.
    own: Vec<Own>,
    /// The reliable responses of this side to the INVITE of the other one.
    reliable: Option<Box<Reliable>>,
    /// The re-INVITE that had no final response when the call ended: it is cancelled if none
    /// comes, since nothing else would end its transaction.
    unanswered: Option<RequestId>,
    /// The Contact that the user gave in an UPDATE or re-INVITE that was accepted: this side's
    /// since then (RFC 3311 5.1).
    contact: Option<Box<[u8]>>,
    /// The user part of this side's Contact.
    user: SmallVec<[u8; 16]>,
    /// What few calls have.
    aside: Option<Box<Aside>>,
    /// What challenges have taught, if there were any.
    credentials: Option<Box<Credentials>>,
    /// Whether this side made the Call-ID, which decides who waits longer after glare (14.1).
    owns_call_id: bool,
    /// Whether the first INVITE of this side carried no offer, so that every 2xx to it does.
    asks: bool,
}

/// What few calls have at a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Aside {
    /// Who the sides are, if that has changed.
    identities: Identities,
    /// INVITEs of the other side that were refused and are neither Confirmed nor Terminated.
    refused: SmallVec<[ServerId; 2]>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Pending {
    server: ServerId,
    reply: Reply,
    until: Option<Time>,
    asked: Asked,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// A request of this side outside of any dialog, other than INVITE, has no final response.
    Asking(Box<Asking>),
    /// The INVITE of this side has no final response.
    Inviting(Box<Inviting>),
    /// The INVITE of the other side has none.
    Incoming(Box<Incoming>),
    /// A dialog is confirmed. While the BYE of this side is out on it, it is Leaving.
    Confirmed(Session),
    /// The user heard [`Notice::Ended`].
    Lingering,
    Terminated,
}

/// All that can happen, for the table.
enum Input {
    Event(Event),
    Command(Command),
    Timer(Timer),
}

impl Call {
    /// Whether a request with these tags is within a dialog of this call. One place decides who
    /// gets a 481 (12.2.2): the owner, by asking this.
    ///
    /// A peer of RFC 2543 has no tag (12.1).
    pub fn has_dialog(&self, remote_tag: Option<&str>) -> bool {
        self.is_with(remote_tag.map(str::as_bytes))
    }

    /// Whether its dialogs, if it has any, are those with this Call-ID and this tag of this side.
    pub(crate) fn is_named(&self, call_id: &[u8], local_tag: &[u8]) -> bool {
        self.dialog().is_some_and(|dialog| {
            let [own_call_id, own_tag, _] = dialog.id_bytes();
            own_tag == local_tag && own_call_id == call_id
        })
    }

    /// Whether it is the call of this side with these identifiers.
    pub(crate) fn is_by(&self, ids: &CallIds) -> bool {
        self.core.own_base == Some(ids.branch_base)
    }

    /// [`has_dialog`](Self::has_dialog), of the bytes.
    pub(crate) fn is_with(&self, remote_tag: Option<&[u8]>) -> bool {
        self.core.legs.iter().any(|leg| {
            // A late PRACK is answered still.
            let left = matches!(leg.state, LegState::Left) && self.core.reliable.is_none();
            let over = left || leg.is_hung_up();
            !over && leg.dialog.is_with(remote_tag)
        })
    }

    /// Whether its user has heard of its end.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Lingering | State::Terminated)
    }

    /// Whether this call knows the extension, by policies of its own (RFC 3262, RFC 4028).
    pub(crate) fn has_extension(&self, option_tag: &str) -> bool {
        let is = |tag: &str| option_tag.eq_ignore_ascii_case(tag);
        (is(reliable::OPTION_TAG) && self.takes_prack())
            || (is(session_timer::OPTION_TAG) && self.session_timer().is_some())
    }

    /// Whether a PRACK can belong to it.
    pub(crate) fn takes_prack(&self) -> bool {
        self.core.context.reliable != Policy::Off
    }

    /// What this side wants of session timers in it.
    pub(crate) fn session_timer(&self) -> Option<session_timer::Config> {
        self.core.context.session_timer
    }

    /// Takes the CSeq of a request that its owner refuses before the call hears of it: that
    /// counts all the same. Otherwise says what refuses it first (12.2.2).
    pub(crate) fn take_cseq(&mut self, request: &Request) -> Result<(), StatusCode> {
        self.core.take_cseq(request)
    }

    /// Its owner has refused this re-INVITE before the call heard of it, and will tell it when that
    /// is [`Event::Settled`].
    pub(crate) fn has_refused(&mut self, server: ServerId) {
        if !self.has_ended() {
            self.core.has_refused(server);
        }
    }

    /// The dialog that the user talks on, or the first early one.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.core.dialog()
    }

    /// The name of the state, as in the figure above.
    pub fn state(&self) -> &'static str {
        match &self.state {
            State::Asking(_) => "Asking",
            State::Inviting(_) => "Inviting",
            State::Incoming(_) => "Incoming",
            State::Confirmed(_) if self.core.is_leaving() => "Leaving",
            State::Confirmed(_) => "Confirmed",
            State::Lingering => "Lingering",
            State::Terminated => "Terminated",
        }
    }

    /// Names the request that this side sent last: right after a [`Command::Request`] that was
    /// taken, that one.
    pub fn last_request(&self) -> RequestId {
        RequestId(self.core.requests)
    }

    /// Whether a change of the session that the user asked for is still to be decided: with
    /// [`Method::Invite`] a re-INVITE, with [`Method::Update`] an UPDATE. One that waits for its
    /// next try after glare is, too.
    pub fn is_changing(&self, method: Method<'_>) -> bool {
        match (method, &self.state) {
            (Method::Invite, State::Confirmed(session)) => session.is_reinviting(),
            (Method::Update, _) => self.core.is_updating(),
            _ => false,
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        timer::next(&self.core, &self.state)
    }

    /// The figure as a table.
    fn step(
        &mut self,
        now: Time,
        input: Input,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let before = self.position();
        let state = mem::replace(&mut self.state, State::Terminated);
        let core = &mut self.core;
        let (state, result) = match (state, input) {
            (State::Asking(state), Input::Event(event)) => {
                (state.receive(core, event, out), Ok(()))
            }
            (State::Asking(state), Input::Command(command)) => state.command(core, &command, out),
            // It has no timers: its transaction has.
            (state @ State::Asking(_), Input::Timer(_)) => (state, Ok(())),
            (State::Inviting(state), Input::Event(event)) => {
                (state.receive(core, now, event, out), Ok(()))
            }
            (State::Inviting(state), Input::Command(command)) => {
                state.command(core, now, command, out)
            }
            (State::Inviting(state), Input::Timer(timer)) => {
                (state.on_timer(core, now, timer, out), Ok(()))
            }
            (State::Incoming(state), Input::Event(event)) => {
                (state.receive(core, now, event, out), Ok(()))
            }
            (State::Incoming(state), Input::Command(command)) => {
                state.command(core, now, command, out)
            }
            (State::Incoming(state), Input::Timer(timer)) => {
                (state.on_timer(core, now, timer, out), Ok(()))
            }
            (State::Confirmed(state), Input::Event(event)) => {
                (state.receive(core, now, event, out), Ok(()))
            }
            (State::Confirmed(state), Input::Command(command)) => {
                state.command(core, now, command, out)
            }
            (State::Confirmed(state), Input::Timer(timer)) => {
                (state.on_timer(core, now, timer, out), Ok(()))
            }
            (State::Lingering, Input::Event(event)) => {
                core.linger(now, event, out);
                (State::Lingering, Ok(()))
            }
            (State::Terminated, Input::Event(_)) => {
                // L9: absorbed; the owner frees it and hears nothing more.
                (State::Terminated, Ok(()))
            }
            (State::Lingering, Input::Timer(Timer::Provisional)) => {
                core.on_reliable_timer(now, out);
                (State::Lingering, Ok(()))
            }
            (State::Lingering, Input::Timer(Timer::Unanswered)) => {
                core.cancel_unanswered(out);
                (State::Lingering, Ok(()))
            }
            // L10: a verb on what has ended is harmless.
            (
                state @ (State::Lingering | State::Terminated),
                Input::Command(_) | Input::Timer(_),
            ) => (state, Ok(())),
        };
        self.state = state;
        if matches!(self.state, State::Lingering) && self.core.is_done() {
            self.state = State::Terminated;
            out.push(Action::Terminated);
        }
        if self.position() != before {
            self.core.since = now;
        }
        self.due = timer::earliest(&self.core, &self.state);
        result
    }

    /// Where it is in the figure.
    fn position(&self) -> (mem::Discriminant<State>, bool) {
        let leaving = matches!(self.state, State::Confirmed(_)) && self.core.is_leaving();
        (mem::discriminant(&self.state), leaving)
    }

    fn new(core: Core, state: State) -> Self {
        let due = timer::earliest(&core, &state);
        Self { core, state, due }
    }
}

impl Machine for Call {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.core.since);
        self.on_deadline(now, out);
        // Only a command can be a misuse.
        let _ = self.step(now, Input::Event(event), out);
        // A wait of zero is over in the call that began it.
        self.on_deadline(now, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = now.max(self.core.since);
        self.on_deadline(now, out);
        let result = self.step(now, Input::Command(command), out);
        self.on_deadline(now, out);
        result
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.core.since);
        while self.due.is_some_and(|due| due <= now) {
            let Some(timer) = timer::due(&self.core, &self.state, now) else {
                break;
            };
            let _ = self.step(now, Input::Timer(timer), out);
        }
        // It waits for no time, but for what the other side or the user has done before.
        if self.core.context.connected_identity {
            self.core.tell_identity(&self.state, out);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.due
    }

    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn rebase(&mut self, from: Time, to: Time) {
        timer::rebase_all(&mut self.core, &mut self.state, from, to);
        self.due = timer::earliest(&self.core, &self.state);
    }
}

impl Core {
    fn new(context: Arc<Context>, now: Time, own_base: Option<u64>, user: &[u8]) -> Self {
        Self {
            context,
            since: now,
            own_base,
            branches: 0,
            requests: 0,
            invites: SmallVec::new(),
            legs: SmallVec::new(),
            forks: 0,
            pending: Vec::new(),
            own: Vec::new(),
            reliable: None,
            unanswered: None,
            contact: None,
            user: SmallVec::from_slice(user),
            aside: None,
            credentials: None,
            owns_call_id: false,
            asks: false,
        }
    }

    fn dialog(&self) -> Option<&Dialog> {
        self.legs.first().map(|leg| &leg.dialog)
    }

    fn new_branch(&mut self) -> Token {
        self.branches = self.branches.wrapping_add(1);
        self.context
            .ids
            .branch(self.branch_base(), u64::from(self.branches))
    }

    /// The base of this side's branches and delays: a caller's is that of its identifiers; a callee's
    /// is made of what names its only dialog, which never changes.
    fn branch_base(&self) -> u64 {
        let of_dialog = || {
            let parts = self.dialog().map(Dialog::id_bytes).unwrap_or_default();
            self.context.ids.base(&parts)
        };
        self.own_base.unwrap_or_else(of_dialog)
    }

    fn new_request(&mut self) -> RequestId {
        self.requests = self.requests.wrapping_add(1);
        RequestId(self.requests)
    }

    /// What this side can do, but for what the application says itself, and that.
    fn with_capabilities(&self, own: &HeaderList) -> HeaderList {
        own.over(&self.context.capabilities)
    }

    /// The user part of Contact in an INVITE of this side, unless the application gives its own
    /// Contact (8.1.1.8: exactly one).
    fn contact_user(&self, own: &HeaderList) -> Option<&[u8]> {
        (!own.contains(Name::Contact)).then_some(&*self.user)
    }

    /// A request within a dialog, other than INVITE and ACK.
    fn request(
        &mut self,
        at: usize,
        method: Method<'_>,
        outgoing: &Outgoing,
        attempt: &mut auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<RequestId> {
        let branch = self.new_branch();
        let request = self.new_request();
        let cseq = self.legs.get_mut(at)?.dialog.next_cseq();
        let headers = self.authorize_within(at, attempt, method, outgoing);
        let headers = match refreshes_target(method) {
            true => self.with_local_target(&headers),
            false => headers,
        };
        let headers = self.with_timer_tag(headers);
        let user = match refreshes_target(method) {
            true => self.contact_user(&headers),
            false => None,
        };
        let dialog = &self.legs.get(at)?.dialog;
        let draft = dialog
            .request(method, cseq)
            .headers(&headers)
            .body(outgoing.body.as_ref())
            .draft(branch, user, &self.context.origin);
        out.push(Action::Request { request, draft });
        Some(request)
    }
}

/// Requests besides INVITE that carry a Contact (12.2.1.1): UPDATE (RFC 3311 5.1), and those of
/// the usages that share the dialog (RFC 6665 4.1.2, 4.2.2; RFC 3515 2.2).
fn refreshes_target(method: Method<'_>) -> bool {
    matches!(
        method,
        Method::Update | Method::Subscribe | Method::Notify | Method::Refer
    )
}

//! One dialog of a call's INVITE, and what this side owes it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::exchange::{Exchange, Why};
use super::identity::Known;
use super::offer_answer::OfferAnswer;
use super::prack::Owed;
use super::refresh::SessionTime;
use super::reliable::RseqOrder;
use super::timer::{Timer, timed};
use super::update::Deferred;
use super::{Core, RequestId};
use crate::dialog::Dialog;
use crate::message::{Body, Draft, Message, Method, Name, Request, Response};
use crate::time::Time;
use crate::transaction::rebase;

/// Names a leg within its call: one fork of its INVITE.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegId(pub(super) u32);

/// Where a leg stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum LegState {
    /// Made by a provisional response.
    Early,
    /// Its 2xx carries an offer, and the user has until then to give the answer for the ACK.
    AwaitingAnswer {
        invite: RequestId,
        cseq: u32,
        until: Option<Time>,
    },
    /// The leg that the user talks on.
    Confirmed,
    /// BYE is out.
    Leaving { bye: RequestId },
    /// The BYE of the other side came before the 2xx that made the dialog one to hang up. It stays
    /// to give that 2xx its ACK, and to go on with its numbers.
    HungUp { bye: Box<Request> },
    /// Gone. It stays while its INVITE can bring its 2xx again, which wants its ACK again.
    Left,
}

/// One fork of an INVITE: a dialog, and the ACKs for its 2xx.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    pub(super) state: LegState,
    pub(super) id: LegId,
    /// Where the offers and answers of this dialog stand, whatever carries them.
    pub(super) exchange: Exchange,
    /// Whether the other side's Allow lists UPDATE (RFC 3311 4); `None` before it has said.
    pub(super) takes_update: Option<bool>,
    /// What it knows of this side's identity (RFC 4916).
    pub(super) known: Known,
    /// What few legs have at a time.
    rare: Option<Box<Rare>>,
    /// One an INVITE whose transaction is alive: each copy of its 2xx gets it again (13.2.2.4).
    acks: Vec<(RequestId, Draft)>,
}

/// What few legs have at a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Rare {
    /// The UPDATE of this side that met glare.
    pub(super) deferred: Option<Deferred>,
    /// The reliable responses to the INVITE in progress (RFC 3262 4).
    pub(super) order: Option<RseqOrder>,
    /// Those that came before one that is missing (RFC 3262 4).
    pub(super) ahead: Vec<Response>,
    /// One whose offer the user has not answered.
    pub(super) owed: Option<Owed>,
    /// The session timer that was agreed on (RFC 4028).
    pub(super) session: Option<SessionTime>,
    /// The answer that refuses all that its 2xx offers, while the user owes one.
    pub(super) declined: Option<Body>,
}

impl Leg {
    fn new(id: LegId, dialog: Dialog, exchange: OfferAnswer) -> Self {
        Self {
            dialog,
            state: LegState::Early,
            id,
            exchange: exchange.into(),
            takes_update: None,
            known: Known::Closed,
            rare: None,
            acks: Vec::new(),
        }
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Nothing rare is waited for any more.
    pub(super) fn drop_rare(&mut self) {
        self.rare = None;
    }

    /// Takes one of the rare things, and frees the place if it was the last.
    pub(super) fn take_rare<T: Default>(&mut self, of: impl FnOnce(&mut Rare) -> &mut T) -> T {
        let taken = self
            .rare
            .as_deref_mut()
            .map(|rare| core::mem::take(of(rare)));
        if self.rare.as_deref() == Some(&Rare::default()) {
            self.rare = None;
        }
        taken.unwrap_or_default()
    }

    /// Whether an UPDATE of the user waits for its next try after glare.
    pub(super) fn is_deferred(&self) -> bool {
        let rare = self.rare.as_deref();
        let deferred = rare.and_then(|rare| rare.deferred.as_ref());
        deferred.is_some_and(|deferred| deferred.why == Why::User)
    }

    pub(super) fn owed(&self) -> Option<&Owed> {
        self.rare.as_deref()?.owed.as_ref()
    }

    pub(super) fn session(&self) -> Option<&SessionTime> {
        self.rare.as_deref()?.session.as_ref()
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut SessionTime> {
        self.rare.as_deref_mut()?.session.as_mut()
    }

    /// Whether it may have timers.
    pub(super) fn has_rare(&self) -> bool {
        self.rare.is_some()
    }

    /// The timers of what is rare.
    pub(super) fn timers(&self) -> impl Iterator<Item = (Time, Timer)> {
        let rare = self.rare.as_deref();
        let deferred = rare.and_then(|rare| rare.deferred.as_ref()?.at);
        let owed = self.owed().and_then(|owed| owed.until);
        [
            timed(deferred, Timer::UpdateRetry(self.id)),
            timed(owed, Timer::PrackOwed(self.id)),
            timed(
                self.session().and_then(SessionTime::deadline),
                Timer::Session(self.id),
            ),
        ]
        .into_iter()
        .flatten()
    }

    /// What the other side's Allow says of UPDATE, if the message has one (RFC 3311 4); and where
    /// that matters, whether it has connected identity (RFC 4916).
    pub(super) fn learn(&mut self, message: &Message, connected: bool) {
        if connected {
            self.hear_extension(message);
        }
        let mut rows = message.all(Name::Allow);
        if let Some(first) = rows.next() {
            self.takes_update = Some(lists_update(first) || rows.any(lists_update));
        }
    }

    pub(super) fn keep_ack(&mut self, invite: RequestId, ack: Draft) {
        self.acks.reserve_exact(1);
        self.acks.push((invite, ack));
    }

    pub(super) fn ack_of(&self, invite: RequestId) -> Option<&Draft> {
        self.acks
            .iter()
            .find(|(id, _)| *id == invite)
            .map(|(_, ack)| ack)
    }

    /// No more copies of the 2xx to `invite` can come.
    pub(super) fn forget_ack(&mut self, invite: RequestId) {
        self.acks.retain(|(id, _)| *id != invite);
        if self.acks.is_empty() {
            // What was kept on the heap goes back.
            self.acks = Vec::new();
        }
    }

    /// What the ACKs hold.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.acks
            .capacity()
            .saturating_mul(size_of::<(RequestId, Draft)>())
            .saturating_add(self.rare.as_ref().map_or(0, |_| size_of::<Rare>()))
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, LegState::Leaving { .. })
    }

    /// The other side has hung up before the leg was confirmed.
    pub(super) fn is_hung_up(&self) -> bool {
        matches!(self.state, LegState::HungUp { .. })
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            LegState::AwaitingAnswer { until, .. } => until,
            LegState::Early
            | LegState::Confirmed
            | LegState::Leaving { .. }
            | LegState::HungUp { .. }
            | LegState::Left => None,
        }
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        if let Some(rare) = &mut self.rare {
            if let Some(deferred) = &mut rare.deferred {
                rebase(&mut deferred.at, from, to);
            }
            if let Some(owed) = &mut rare.owed {
                rebase(&mut owed.until, from, to);
            }
            if let Some(session) = &mut rare.session {
                session.rebase(from, to);
            }
        }
        match &mut self.state {
            LegState::AwaitingAnswer { until, .. } => rebase(until, from, to),
            LegState::Early
            | LegState::Confirmed
            | LegState::Leaving { .. }
            | LegState::HungUp { .. }
            | LegState::Left => {}
        }
    }
}

/// Whether a list of methods has UPDATE in it.
fn lists_update(methods: &[u8]) -> bool {
    let update = Method::Update.as_str().as_bytes();
    let is_whole = |at: usize| {
        let (before, rest) = methods.split_at_checked(at)?;
        let after = rest.strip_prefix(update)?.trim_ascii_start();
        let before = before.trim_ascii_end();
        let starts = before.is_empty() || before.ends_with(b",");
        Some(starts && (after.is_empty() || after.starts_with(b",")))
    };
    memchr::memchr_iter(b'U', methods).any(|at| is_whole(at) == Some(true))
}

#[cfg(test)]
#[test]
fn update_is_found_where_it_is_a_whole_method() {
    let lists: [(&[u8], bool); 7] = [
        (b"UPDATE", true),
        (b"INVITE, PUBLISH ,\tUPDATE , BYE", true),
        (b"UPDATES,UPDATE", true),
        (b"", false),
        (b"UPDATES, XUPDATE, X-UPDATE", false),
        (b"update", false),
        (b"UPDATE x, BYE", false),
    ];
    for (list, has) in lists {
        assert_eq!(lists_update(list), has, "{}", list.escape_ascii());
    }
}

impl Core {
    /// A leg with a name of its own.
    pub(super) fn new_leg(&mut self, dialog: Dialog, exchange: OfferAnswer) -> Leg {
        self.forks = self.forks.wrapping_add(1);
        Leg::new(LegId(self.forks), dialog, exchange)
    }

    pub(super) fn leg_at(&self, id: LegId) -> Option<usize> {
        self.legs.iter().position(|leg| leg.id == id)
    }

    pub(super) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }
}

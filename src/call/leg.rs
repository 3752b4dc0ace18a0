//! One dialog of a call's INVITE, and what this side owes it.

use alloc::vec::Vec;

use super::RequestId;
use crate::dialog::Dialog;
use crate::message::Draft;
use crate::time::Time;
use crate::transaction::rebase;

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
    /// Gone. It stays while its INVITE can bring its 2xx again, which wants its ACK again.
    Left,
}

/// One fork of an INVITE: a dialog, and the ACKs for its 2xx.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    pub(super) state: LegState,
    /// One an INVITE whose transaction is alive: each copy of its 2xx gets it again (13.2.2.4).
    acks: Vec<(RequestId, Draft)>,
}

impl Leg {
    pub(super) fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            state: LegState::Early,
            acks: Vec::new(),
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
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, LegState::Leaving { .. })
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            LegState::AwaitingAnswer { until, .. } => until,
            LegState::Early | LegState::Confirmed | LegState::Leaving { .. } | LegState::Left => {
                None
            }
        }
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        match &mut self.state {
            LegState::AwaitingAnswer { until, .. } => rebase(until, from, to),
            LegState::Early | LegState::Confirmed | LegState::Leaving { .. } | LegState::Left => {}
        }
    }
}

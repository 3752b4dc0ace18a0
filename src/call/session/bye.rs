//! BYE, and what else ends a confirmed call (§15).

use alloc::boxed::Box;

use super::super::exchange::Fate;
use super::super::{Action, Core, EndReason, RequestId, Side, State, check};
use super::Session;
use crate::auth;
use crate::error::Misuse;
use crate::message::{Outgoing, Response};
use crate::sink::Sink;
use crate::transaction::Failure;

/// The BYE of this side, as it is sent again if it is challenged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Bye {
    pub(super) outgoing: Outgoing,
    pub(super) credentials: auth::Attempt,
}

impl Session {
    /// What became of an UPDATE or PRACK. A fork that lost is of no concern.
    pub(super) fn suffer(
        self,
        core: &mut Core,
        fate: Fate,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        match fate {
            Fate::Lost(leg, response) if core.leg_at(leg) == Some(0) => {
                self.leave(core, EndReason::DialogLost { response }, out)
            }
            Fate::Lost(..) | Fate::Stands => State::Confirmed(self),
        }
    }

    /// The BYE of the call's own leg ends it; that of a dropped fork frees the fork.
    pub(super) fn on_bye_done(
        self,
        core: &mut Core,
        bye: RequestId,
        leaving: usize,
        failure: Option<Failure>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let _ = core.left(bye);
        if leaving != 0 {
            return State::Confirmed(self);
        }
        core.unanswered = self.reinvite.map(|reinvite| reinvite.request);
        let reason = match (self.ending, failure) {
            (Some(reason), failure) => after_bye(*reason, failure),
            (None, Some(failure)) => EndReason::ByeFailed(failure),
            (None, None) => EndReason::HungUp {
                by: Side::Local,
                bye: None,
            },
        };
        core.end(reason, out)
    }

    /// The other side has lost the dialog, or does not answer any more (12.2.1.2): BYE, in case
    /// it has not.
    pub(super) fn lose(
        self,
        core: &mut Core,
        response: Option<Box<Response>>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        self.leave(core, EndReason::DialogLost { response }, out)
    }

    /// BYE, for a reason that is not the user's wish.
    pub(super) fn leave(
        mut self,
        core: &mut Core,
        reason: EndReason,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if !core.is_leaving() {
            self.ending.get_or_insert_with(|| Box::new(reason));
            let outgoing = self.hang_up.take().unwrap_or_default();
            self.part(core, outgoing, out);
        }
        State::Confirmed(self)
    }

    /// BYE; §15: a callee's waits for the ACK, or for the end of its 2xx.
    pub(super) fn part(
        &mut self,
        core: &mut Core,
        outgoing: Box<Outgoing>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        self.retry = None;
        self.refuse_reoffer(core, out);
        core.decline_owed(out);
        core.ack_owed(out);
        match &self.unacked {
            None => self.say_bye(core, *outgoing, out),
            Some(_) => self.hang_up = Some(outgoing),
        }
    }

    pub(super) fn say_bye(
        &mut self,
        core: &mut Core,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let mut credentials = auth::Attempt::new();
        core.bye(0, &outgoing, &mut credentials, out);
        self.bye = Some(Box::new(Bye {
            outgoing,
            credentials,
        }));
    }

    pub(super) fn hang_up(
        &mut self,
        core: &mut Core,
        outgoing: Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        check(&outgoing)?;
        let Some(leg) = core.legs.first() else {
            return Ok(());
        };
        if leg.is_leaving() || self.hang_up.is_some() {
            return Ok(());
        }
        self.part(core, Box::new(outgoing), out);
        Ok(())
    }

    /// 13.3.1.4: the dialog stands, the session must not; but for RFC 6141 5.4.
    pub(super) fn on_no_ack(
        mut self,
        core: &mut Core,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let overtaken = self.unacked.take().is_some_and(|unacked| unacked.overtaken);
        if !overtaken {
            return self.leave(core, EndReason::NoAck { bye: None }, out);
        }
        if let Some(outgoing) = self.hang_up.take() {
            self.say_bye(core, *outgoing, out);
        }
        State::Confirmed(self)
    }
}

/// The reason for a BYE, now that its own fate is known.
fn after_bye(reason: EndReason, failure: Option<Failure>) -> EndReason {
    match reason {
        EndReason::NoAck { .. } => EndReason::NoAck { bye: failure },
        reason @ (EndReason::Refused { .. }
        | EndReason::Completed { .. }
        | EndReason::Failed(_)
        | EndReason::Cancelled { .. }
        | EndReason::CancelledByCaller { .. }
        | EndReason::Rejected { .. }
        | EndReason::Unanswered
        | EndReason::HungUp { .. }
        | EndReason::ByeFailed(_)
        | EndReason::NoAnswer
        | EndReason::NoPrack
        | EndReason::SessionExpired
        | EndReason::DialogLost { .. }) => reason,
    }
}

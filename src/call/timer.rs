//! The timers of a call: which is next, and in which order ties go.

use super::{Core, ServerId, State};
use crate::time::Time;
use crate::transaction::rebase;

/// A timer of a call.
///
/// At one instant they go in this order: what ends something goes before what repeats it (L4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// The 2xx in this transaction was not acknowledged for 64*T1 (13.3.1.4).
    NoAck(ServerId),
    /// The other side rings longer than [`Limits::ringing_wait`](crate::limits::Limits), or than
    /// the INVITE's Expires (13.2.1).
    Ringing,
    /// The user has not answered the INVITE within [`Limits::answer_wait`](crate::limits::Limits),
    /// or the INVITE's Expires (13.3.1).
    AnswerWait,
    /// The user has not answered the re-INVITE within that time.
    ReofferWait,
    /// The user has not given the answer for the ACK.
    AnswerOwed,
    /// The user has not answered this request within
    /// [`Limits::request_wait`](crate::limits::Limits).
    Pending(ServerId),
    /// A minute has passed since the last 101-199 (13.3.1.1).
    RepeatProvisional,
    /// The 2xx in this transaction again: T1, doubling up to T2, on every transport (13.3.1.4).
    Resend(ServerId),
}

/// The earliest timer.
pub(super) fn next(core: &Core, state: &State) -> Option<(Time, Timer)> {
    let own = match state {
        State::Inviting(state) => state.ringing_until.map(|at| (at, Timer::Ringing)),
        State::Incoming(state) => min(
            state.answer_until.map(|at| (at, Timer::AnswerWait)),
            state.repeat.map(|at| (at, Timer::RepeatProvisional)),
        ),
        State::Confirmed(session) => {
            let owed = core.legs.first().and_then(|leg| leg.deadline());
            min(session.next_timer(), owed.map(|at| (at, Timer::AnswerOwed)))
        }
        State::Lingering | State::Terminated => None,
    };
    core.pending
        .iter()
        .map(|pending| pending.until.map(|at| (at, Timer::Pending(pending.server))))
        .fold(own, min)
}

/// The earlier; at a tie the lesser timer.
pub(super) fn min(a: Option<(Time, Timer)>, b: Option<(Time, Timer)>) -> Option<(Time, Timer)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (Some(a), None) => Some(a),
        (None, b) => b,
    }
}

/// Shifts every point in time of a call.
pub(super) fn rebase_all(core: &mut Core, state: &mut State, from: Time, to: Time) {
    core.since = core.since.rebased(from, to);
    for leg in &mut core.legs {
        leg.rebase(from, to);
    }
    for pending in &mut core.pending {
        rebase(&mut pending.until, from, to);
    }
    match state {
        State::Inviting(state) => rebase(&mut state.ringing_until, from, to),
        State::Incoming(state) => {
            rebase(&mut state.answer_until, from, to);
            rebase(&mut state.repeat, from, to);
        }
        State::Confirmed(session) => session.rebase(from, to),
        State::Lingering | State::Terminated => {}
    }
}

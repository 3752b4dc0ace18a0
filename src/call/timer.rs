//! The timers of a call: which is next, and in which order ties go.

use super::leg::Leg;
use super::{Core, LegId, ServerId, State};
use crate::time::Time;
use crate::transaction::rebase;

/// A timer of a call.
///
/// At one instant they go in this order: what ends something goes before what repeats it (L4). A
/// wake that is so late that the INVITE or its 2xx is at its end repeats nothing first.
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
    /// The session on this leg is to be refreshed, or has expired (RFC 4028).
    Session(LegId),
    /// The user has not answered the re-INVITE within that time.
    ReofferWait,
    /// The user has not given the answer for the ACK.
    AnswerOwed,
    /// The user has not answered the offer in a reliable response on this leg (RFC 3262 5).
    PrackOwed(LegId),
    /// A reliable response of this side again, or for the last time (RFC 3262 3).
    Provisional,
    /// The user has not answered this request within
    /// [`Limits::request_wait`](crate::limits::Limits).
    Pending(ServerId),
    /// The call is over, and its last re-INVITE has had no final response for 64*T1.
    Unanswered,
    /// The re-INVITE that met glare is due again (14.1).
    Retry,
    /// The UPDATE that met glare on this leg is due again (RFC 3311 5.3).
    UpdateRetry(LegId),
    /// A minute has passed since the last 101-199 (13.3.1.1).
    RepeatProvisional,
    /// The 2xx in this transaction again: T1, doubling up to T2, on every transport (13.3.1.4).
    Resend(ServerId),
}

impl Timer {
    /// Whether what it ends would be repeated by another timer.
    fn ends_repetition(self) -> bool {
        matches!(self, Self::NoAck(_) | Self::AnswerWait)
    }
}

/// When the earliest timer fires: that of [`next`], without its name. It is asked for after each
/// event, when most calls have few timers or none.
pub(super) fn earliest(core: &Core, state: &State) -> Option<Time> {
    let mut earliest = match state {
        State::Inviting(state) => state.ringing_until,
        State::Incoming(state) => first(state.answer_until, state.repeat),
        State::Confirmed(session) if !session.has_timers() => {
            core.legs.first().and_then(Leg::deadline)
        }
        State::Confirmed(_) | State::Asking(_) | State::Lingering | State::Terminated => {
            let times = own(core, state).map(|timer| timer.map(|(at, _)| at));
            times.into_iter().fold(None, first)
        }
    };
    for pending in &core.pending {
        earliest = first(earliest, pending.until);
    }
    if let Some(reliable) = &core.reliable {
        earliest = first(earliest, reliable.deadline());
    }
    for leg in core.legs.iter().filter(|leg| leg.has_rare()) {
        earliest = leg.timers().map(|(at, _)| Some(at)).fold(earliest, first);
    }
    earliest
}

/// The earlier of two, if there are two.
#[inline]
fn first(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The earliest timer; at a tie the lesser.
pub(super) fn next(core: &Core, state: &State) -> Option<(Time, Timer)> {
    let own = own(core, state).into_iter().flatten();
    own.chain(shared(core)).min()
}

/// The timer that fires first at `now`, if one is due: what ends a repetition, then the earliest.
pub(super) fn due(core: &Core, state: &State, now: Time) -> Option<Timer> {
    own(core, state)
        .into_iter()
        .flatten()
        .chain(shared(core))
        .filter(|(at, _)| *at <= now)
        .min_by_key(|(at, timer)| (!timer.ends_repetition(), *at, *timer))
        .map(|(_, timer)| timer)
}

/// The timers of the state.
fn own(core: &Core, state: &State) -> [Option<(Time, Timer)>; 4] {
    match state {
        State::Inviting(state) => [timed(state.ringing_until, Timer::Ringing), None, None, None],
        State::Incoming(state) => [
            timed(state.answer_until, Timer::AnswerWait),
            timed(state.repeat, Timer::RepeatProvisional),
            None,
            None,
        ],
        State::Confirmed(session) => session.timers(core),
        State::Asking(_) => [None; 4],
        State::Lingering => {
            let wait = core.context.timers.t1x64();
            let at = core.unanswered.and_then(|_| core.since + wait);
            [timed(at, Timer::Unanswered), None, None, None]
        }
        State::Terminated => [None; 4],
    }
}

/// The timers of every state.
fn shared(core: &Core) -> impl Iterator<Item = (Time, Timer)> {
    let pending = core.pending.iter();
    let pending = pending.filter_map(|p| timed(p.until, Timer::Pending(p.server)));
    let reliable = core.reliable.as_ref().and_then(|r| r.deadline());
    pending
        .chain(timed(reliable, Timer::Provisional))
        .chain(core.legs.iter().flat_map(Leg::timers))
}

pub(super) fn timed(at: Option<Time>, timer: Timer) -> Option<(Time, Timer)> {
    at.map(|at| (at, timer))
}

/// Shifts every point in time of a call.
pub(super) fn rebase_all(core: &mut Core, state: &mut State, from: Time, to: Time) {
    core.since = core.since.rebased(from, to);
    for leg in &mut core.legs {
        leg.rebase(from, to);
    }
    if let Some(reliable) = &mut core.reliable {
        reliable.rebase(from, to);
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
        State::Asking(_) | State::Lingering | State::Terminated => {}
    }
}

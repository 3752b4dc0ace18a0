//! What a call tells its user.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use super::failure::{Hold, hold};
use super::offer_answer::Verdict;
use super::retries::retry_after;
use super::{LegId, RequestId, ServerId};
use crate::message::{Outgoing, Request, Response, StatusCode, UriBuf};
use crate::transaction::Failure;

/// Something the user of a call must hear, each once, with the message that caused it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A provisional response to the INVITE of this side, 100 included. A body in a 101-199 is
    /// early media or a preview of it.
    Progress {
        /// The response.
        response: Box<Response>,
        /// What it means for its early dialog; `None` for a 100, for one without To tag, and past
        /// [`Limits::forks`](crate::limits::Limits::forks).
        early: Option<Early>,
    },
    /// The INVITE of this side goes to another target now: the first that a 3xx named, or the next
    /// one, because the last has failed (8.1.3.4).
    Redirected {
        /// Where it goes.
        target: UriBuf,
        /// The 3xx, or the refusal of the last target; `None` if that was silent or out of reach.
        response: Option<Box<Response>>,
    },
    /// The INVITE of this side was refused and goes again to the same target, changed as the
    /// response asks (8.1.3.5). New credentials are not worth a word.
    Retried {
        /// The refusal.
        response: Box<Response>,
    },
    /// The other side accepted. Its 2xx is acknowledged already, unless it carries an offer that
    /// must be answered in the ACK: then `answer_needed`.
    Answered {
        /// The 2xx.
        response: Box<Response>,
        /// Whether [`Command::Acknowledge`](super::Command::Acknowledge) is owed.
        answer_needed: bool,
    },
    /// The other side acknowledged the 2xx of this side: the session stands.
    Acknowledged {
        /// The ACK, with the answer if the 2xx carried the offer.
        ack: Box<Request>,
        /// Whether it owes an answer and carries none.
        answer_missing: bool,
    },
    /// The other side wants to change the session: answer or reject it.
    Reoffered {
        /// The re-INVITE; without a body it asks for an offer.
        request: Box<Request>,
    },
    /// The other side cancelled its re-INVITE; it is answered 487.
    ReofferCancelled {
        /// The CANCEL.
        cancel: Box<Request>,
    },
    /// The re-INVITE or UPDATE of this side was accepted.
    Updated {
        /// The 2xx.
        response: Box<Response>,
        /// Whether [`Command::Acknowledge`](super::Command::Acknowledge) is owed.
        answer_needed: bool,
    },
    /// The re-INVITE or UPDATE of this side was refused; the session is as it was before it.
    UpdateRefused {
        /// The 300-699.
        response: Box<Response>,
        /// Whether an exchange was completed within the re-INVITE: that is undone now, and this
        /// side should offer once more what was in force before, so that both know (RFC 6141 3.4).
        changed: bool,
    },
    /// The re-INVITE or UPDATE of this side crossed one of the other side, or came too soon after it.
    /// It is sent again by itself, after a delay that lets the other side go first or not (14.1), or
    /// that it asks for (RFC 3311 5.3); unless another offer is answered until then, which makes
    /// its own one out of date.
    UpdateDeferred {
        /// The 491, or the 500 with Retry-After.
        response: Box<Response>,
    },
    /// The re-INVITE of this side that was deferred is due, and is not sent: another offer was
    /// answered while it waited, so its session description is out of date (RFC 3264 8). It is for
    /// the user to offer again what is still wanted.
    ReinviteOutdated {
        /// What it would have carried.
        outgoing: Box<Outgoing>,
    },
    /// The same of an UPDATE.
    UpdateOutdated {
        /// On which leg.
        leg: LegId,
        /// What it would have carried.
        outgoing: Box<Outgoing>,
    },
    /// The user has not answered the re-INVITE of the other side within
    /// [`Limits::answer_wait`](crate::limits::Limits::answer_wait): the core has.
    ReofferExpired {
        /// 500, after which the session is as it was; or 200, if changes within the re-INVITE were
        /// agreed on already (RFC 6141 3.3).
        status: StatusCode,
    },
    /// The user has not answered this request within
    /// [`Limits::request_wait`](crate::limits::Limits::request_wait): the core has said 500.
    RequestExpired {
        /// Which request.
        server: ServerId,
    },
    /// The other side's Contact changed; requests go to `Contact` of the message from now on.
    TargetRefreshed,
    /// The other side is somebody else from now on: a request of it with another URI in From was
    /// accepted (RFC 4916 4.4.2). Nobody has vouched for that but who signed the request.
    PeerIdentified {
        /// On which leg.
        leg: LegId,
        /// The request.
        request: Box<Request>,
    },
    /// The UPDATE that told who this side is has its answer, after which nothing is done, whatever it
    /// says (RFC 4916 4.4.1).
    Identified {
        /// The 200-699.
        response: Box<Response>,
    },
    /// The other side offers another session in an UPDATE (RFC 3311) or PRACK (RFC 3262 5): answer
    /// with [`Command::Respond`](super::Command::Respond), at once; a 2xx carries the answer.
    Offered {
        /// To answer it with.
        server: ServerId,
        /// The request.
        request: Box<Request>,
    },
    /// The other side acknowledged a reliable provisional response of this side. Its PRACK is
    /// answered already.
    Pracked {
        /// The PRACK.
        request: Box<Request>,
        /// What its session description is: the answer to the offer of this side, or
        /// [`Verdict::Missing`] where that is owed.
        session: Verdict,
    },
    /// The other side sent an UPDATE without an offer. It is answered already.
    Refreshed {
        /// The UPDATE.
        request: Box<Request>,
    },
    /// This side refreshed the session (RFC 4028), and nothing changed.
    SessionRefreshed {
        /// The 2xx to the UPDATE or re-INVITE that did it.
        response: Box<Response>,
    },
    /// A request within the dialog that is the user's to answer.
    Request {
        /// To answer it with.
        server: ServerId,
        /// The request.
        request: Box<Request>,
    },
    /// A response to a request of this side within the dialog.
    Response {
        /// Which request.
        request: RequestId,
        /// The response.
        response: Box<Response>,
    },
    /// A request of this side within the dialog got no response.
    RequestFailed {
        /// Which request.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// Another fork of this side's INVITE answered too late: it is acknowledged and hung up.
    ForkDropped {
        /// Its 2xx.
        response: Box<Response>,
    },
    /// The call is over for its user. Exactly once; the call may linger for its transactions.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// What a provisional response means for the early dialog that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Early {
    /// The leg.
    pub leg: LegId,
    /// Whether this response made it.
    pub is_new: bool,
    /// Whether it is reliable (RFC 3262).
    pub is_reliable: bool,
    /// What its session description is: the answer, a preview of it, or an offer that wants
    /// an answer.
    pub session: Verdict,
}

/// Which side did something.
///
/// Exhaustive on purpose: a call has two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// This side.
    Local,
    /// The other side.
    Remote,
}

/// Why a call is over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum EndReason {
    /// The other side refused the INVITE, or a request outside of any dialog.
    Refused {
        /// Its 300-699.
        response: Box<Response>,
    },
    /// The other side has done what a request outside of any dialog asked for.
    Completed {
        /// Its 2xx.
        response: Box<Response>,
    },
    /// The INVITE, or a request outside of any dialog, got no answer at all.
    Failed(Failure),
    /// This side cancelled its INVITE before it was answered. `timeout` says that the core did,
    /// because the other side rang longer than
    /// [`Limits::ringing_wait`](crate::limits::Limits::ringing_wait) or the Expires of the INVITE.
    Cancelled {
        /// Whether the core did it.
        timeout: bool,
    },
    /// The caller cancelled before this side answered.
    CancelledByCaller {
        /// The CANCEL.
        cancel: Box<Request>,
    },
    /// This side refused the INVITE.
    Rejected {
        /// With this status.
        status: StatusCode,
    },
    /// The user did not answer within
    /// [`Limits::answer_wait`](crate::limits::Limits::answer_wait): the core said 480. Or not
    /// within the Expires of the INVITE: it said 487.
    Unanswered,
    /// A BYE ended the call. If it was this side's, it has been answered.
    HungUp {
        /// Whose BYE.
        by: Side,
        /// The BYE of the other side.
        bye: Option<Box<Request>>,
    },
    /// The BYE of this side got no answer. The call is over all the same (15.1.1).
    ByeFailed(Failure),
    /// The 2xx of this side was never acknowledged; BYE was sent (13.3.1.4).
    NoAck {
        /// How the BYE failed, if it did.
        bye: Option<Failure>,
    },
    /// The user did not give the answer that the ACK owed: ACK and BYE were sent. Or not the one
    /// that a PRACK owed: the INVITE was cancelled.
    NoAnswer,
    /// Nobody refreshed the session in time; BYE was sent (RFC 4028 10).
    SessionExpired,
    /// A reliable provisional response of this side was never acknowledged: the INVITE was refused
    /// with 500 (RFC 3262 3).
    NoPrack,
    /// The other side has lost the dialog: a request within it met 481, 408 or silence
    /// (12.2.1.2); BYE was sent.
    DialogLost {
        /// The response, if there was one.
        response: Option<Box<Response>>,
    },
}

impl EndReason {
    /// When the other side says it can be asked again, and what of: a Retry-After in the response
    /// that ended the call, where its status gives it a meaning (20.33, 21.5.4; RFC 5057 5.1).
    /// Nothing is sent again by itself.
    ///
    /// ```
    /// # use drongo::call::{EndReason, failure::Hold};
    /// # fn redial(reason: &EndReason) -> Option<core::time::Duration> {
    /// match reason.retry_after() {
    ///     Some((Hold::Server, wait)) => Some(wait), // nothing to this server before then
    ///     Some((Hold::Request, wait)) => Some(wait), // nor this call
    ///     _ => None,
    /// }
    /// # }
    /// ```
    pub fn retry_after(&self) -> Option<(Hold, Duration)> {
        let response = match self {
            Self::Refused { response } => Some(response),
            Self::DialogLost { response } => response.as_ref(),
            Self::Completed { .. }
            | Self::Failed(_)
            | Self::Cancelled { .. }
            | Self::CancelledByCaller { .. }
            | Self::Rejected { .. }
            | Self::Unanswered
            | Self::HungUp { .. }
            | Self::ByeFailed(_)
            | Self::NoAck { .. }
            | Self::NoPrack
            | Self::SessionExpired
            | Self::NoAnswer => None,
        }?;
        let held = hold(response.status())?;
        let seconds = retry_after(response.message())?;
        Some((held, Duration::from_secs(seconds.into())))
    }
}

/// In a few words, for logs: `refused: 486 Busy Here`.
impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { response } => {
                write!(f, "refused: {}", Spoken(response.status()))
            }
            Self::Completed { response } => {
                write!(f, "completed: {}", Spoken(response.status()))
            }
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Cancelled { timeout: false } => f.write_str("cancelled by this side"),
            Self::Cancelled { timeout: true } => f.write_str("cancelled: nobody answered"),
            Self::CancelledByCaller { .. } => f.write_str("cancelled by the caller"),
            Self::Rejected { status } => write!(f, "rejected: {}", Spoken(*status)),
            Self::Unanswered => f.write_str("this side did not answer in time"),
            Self::HungUp { by, .. } => match by {
                Side::Local => f.write_str("hung up by this side"),
                Side::Remote => f.write_str("hung up by the other side"),
            },
            Self::ByeFailed(failure) => write!(f, "hung up, but the BYE failed: {failure}"),
            Self::NoAck { .. } => f.write_str("no ACK came"),
            Self::NoAnswer => f.write_str("this side did not answer the offer in time"),
            Self::SessionExpired => f.write_str("nobody refreshed the session"),
            Self::NoPrack => f.write_str("no PRACK came"),
            Self::DialogLost { response } => match response {
                Some(response) => {
                    write!(f, "the other side lost it: {}", Spoken(response.status()))
                }
                None => f.write_str("the other side is silent"),
            },
        }
    }
}

/// A status with its reason phrase.
struct Spoken(StatusCode);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.reason() {
            "" => write!(f, "{}", self.0),
            reason => write!(f, "{} {reason}", self.0),
        }
    }
}

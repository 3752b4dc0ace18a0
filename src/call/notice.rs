//! What a call tells its user.

use alloc::boxed::Box;

use super::{RequestId, ServerId};
use crate::message::{Request, Response, StatusCode};
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
    /// The re-INVITE of this side was accepted.
    Updated {
        /// The 2xx.
        response: Box<Response>,
        /// Whether [`Command::Acknowledge`](super::Command::Acknowledge) is owed.
        answer_needed: bool,
    },
    /// The re-INVITE of this side was refused; the session is as it was.
    UpdateRefused {
        /// The 300-699.
        response: Box<Response>,
    },
    /// The re-INVITE of this side crossed one of the other side. It is sent again by itself, after
    /// a delay that lets the other side go first or not (14.1).
    UpdateDeferred {
        /// The 491.
        response: Box<Response>,
    },
    /// The other side's Contact changed; requests go to `Contact` of the message from now on.
    TargetRefreshed,
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
    /// The other side refused the INVITE.
    Refused {
        /// Its 300-699.
        response: Box<Response>,
    },
    /// The INVITE got no answer at all.
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
    /// The user did not give the answer that the ACK owed; ACK and BYE were sent.
    NoAnswer,
    /// The other side has lost the dialog: a request within it met 481, 408 or silence
    /// (12.2.1.2); BYE was sent.
    DialogLost {
        /// The response, if there was one.
        response: Option<Box<Response>>,
    },
}

//! What a call is told, and what it wants.

use alloc::boxed::Box;
use alloc::string::String;

use bytes::Bytes;

use super::reliable::Policy;
#[cfg(doc)]
use super::{Call, Context, Early};
use super::{LegId, Notice, session_timer};
use crate::message::{Draft, HeaderList, Outgoing, Reply, Request, Response, StatusCode};
use crate::transaction::Failure;

/// Names a request of this side within its call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub(super) u32);

/// The owner's name for the server transaction of a request of the other side.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub u64);

/// What the floor below tells a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A response to a request of this side.
    Response {
        /// Which request.
        request: RequestId,
        /// The response.
        response: Box<Response>,
    },
    /// A request of this side failed without a response.
    Failed {
        /// Which request.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// A request of this side goes to the next server, in a transaction of its own (RFC 3263 4.3):
    /// what responses of the last one have made is over.
    Rerouted {
        /// Which request.
        request: RequestId,
    },
    /// The client transaction of an INVITE is gone: no response to it can come any more.
    Gone {
        /// Which INVITE.
        request: RequestId,
    },
    /// A request of the other side within a dialog of this call, other than ACK and CANCEL.
    Request {
        /// Its server transaction.
        server: ServerId,
        /// The request.
        request: Box<Request>,
        /// Host, port and parameters for a Contact that answers it, as in
        /// [`Call::incoming`].
        host: Bytes,
        /// What answers it.
        reply: Reply,
    },
    /// A CANCEL for an INVITE that has no final response yet. It is answered already.
    Cancel {
        /// The server transaction of the INVITE.
        server: ServerId,
        /// The CANCEL.
        cancel: Box<Request>,
    },
    /// An ACK within a dialog of this call, for a 2xx.
    Ack {
        /// The ACK.
        ack: Box<Request>,
    },
    /// The server transaction of an INVITE within a dialog that this call refused is Confirmed or
    /// Terminated: only now may this side send an INVITE there (14.1).
    Settled {
        /// Which INVITE.
        server: ServerId,
    },
}

/// What its user tells a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Callee: a provisional response, 101-199. 180 rings. It is reliable if this side's policy
    /// and the other side want that (RFC 3262).
    Progress {
        /// The status.
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// The same, without reliability where the other side leaves the choice: a session description
    /// in it is a preview (RFC 6337 3.1.1).
    Preview {
        /// The status.
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// Callee, before the first response: whether provisional responses of this call are reliable,
    /// if not as [`Context::reliable`] says.
    Reliable(Policy),
    /// Callee, before it answers: what this side wants of session timers in this call, if not as
    /// [`Context::session_timer`] says.
    SessionTimer(Option<session_timer::Config>),
    /// Accept the INVITE or re-INVITE of the other side. The 2xx waits for the PRACK of what
    /// carried the answer (RFC 3262 3); a body that was said so is not said again. It carries the
    /// session description that the 2xx owes (13.3.1.4).
    Answer(Outgoing),
    /// Refuse the INVITE or re-INVITE of the other side, 300-699.
    Reject {
        /// The status.
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// Send the ACK that carries the answer to the offer in a 2xx.
    Acknowledge(Outgoing),
    /// Send the PRACK that carries the answer to the offer in a reliable provisional response
    /// (RFC 3262 5). Other PRACKs go by themselves.
    Prack {
        /// On which leg: that of [`Early`].
        leg: LegId,
        /// With the answer.
        outgoing: Outgoing,
    },
    /// End the call, whatever state it is in: cancel, refuse with 480, or BYE. It waits where the
    /// RFC says so: CANCEL for a provisional response (9.1), a callee's BYE for the ACK (§15). A
    /// CANCEL takes the headers only.
    ///
    /// If the answer to the offer in a response is owed, one that refuses each of its streams goes
    /// before, in the ACK or PRACK (13.2.2.4; RFC 6337 5.2.4).
    HangUp(Outgoing),
    /// Send a re-INVITE (§14.1). After one of the other side that was refused, it waits for the
    /// ACK of that.
    Reinvite(Outgoing),
    /// Cancel the re-INVITE of this side that has no final response (9.1); the session stays. One
    /// that waits for its next try after glare is forgotten. Without any it does nothing. A
    /// CANCEL takes the headers only.
    CancelReinvite(Outgoing),
    /// Send an UPDATE (RFC 3311), with or without an offer, also before the call is answered.
    Update {
        /// On which leg; `None` for the one that the user talks on, or the first.
        leg: Option<LegId>,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// This side is somebody else from now on (RFC 4916): so say From and, as soon as it may go, an
    /// UPDATE. A callee that was retargeted says so who it is.
    Identify {
        /// A name-addr or URI, without tag.
        from: String,
        /// A re-INVITE that goes now and says it instead (4.3).
        reinvite: Option<Box<Outgoing>>,
    },
    /// Send another request within the dialog.
    Request {
        /// A method other than INVITE, ACK, CANCEL and BYE.
        method: String,
        /// What goes with it.
        outgoing: Outgoing,
    },
    /// Answer a request that [`Notice::Request`] or [`Notice::Offered`] brought. A 2xx to an offer
    /// carries the answer.
    Respond {
        /// Which request.
        server: ServerId,
        /// 200-699, but 408 (RFC 4320 4.2).
        status: StatusCode,
        /// What goes with it.
        outgoing: Outgoing,
    },
}

/// What a call wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send an INVITE in a client transaction of its own, and report on it until
    /// [`Event::Gone`].
    Invite {
        /// To report on it.
        request: RequestId,
        /// The INVITE.
        draft: Draft,
    },
    /// Send another request in a client transaction of its own.
    Request {
        /// To report on it.
        request: RequestId,
        /// The request.
        draft: Draft,
    },
    /// Send the ACK for a 2xx, outside any transaction (13.2.2.4).
    Ack {
        /// The ACK.
        draft: Draft,
    },
    /// Cancel an INVITE of this side as soon as that is allowed.
    Cancel {
        /// Which INVITE.
        request: RequestId,
        /// What goes with the CANCEL.
        headers: HeaderList,
    },
    /// Respond in the server transaction.
    Respond {
        /// Which one.
        server: ServerId,
        /// The status in the bytes.
        status: StatusCode,
        /// The whole response.
        bytes: Bytes,
    },
    /// Tell the user.
    Notify(Notice),
    /// An event changed nothing: count it.
    Absorbed,
    /// The last action: the resources are free.
    Terminated,
}

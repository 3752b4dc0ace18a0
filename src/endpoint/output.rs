//! What goes into an endpoint and what comes out.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;

use super::{CallHandle, QueryId, RequestHandle, TransmitId};
use crate::call::offer_answer::Verdict;
use crate::call::{Early, EndReason, LegId, RequestId};
use crate::locate::{Question, Records};
use crate::message::{Outgoing, ParseError, ParseErrorKind, Request, Response, StatusCode, UriBuf};
use crate::overload::{Bound, Episode};
use crate::time::Time;
use crate::transaction::Failure;
use crate::transport::Flow;

/// What a driver tells an endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A datagram arrived, or a whole message on a stream.
    Datagram {
        /// Where: the local address it was sent to, the remote one it came from.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
    },
    /// The same, of what has waited in a queue of the driver: new work that is too old is refused
    /// or dropped ([`Limits::queue_wait`](crate::limits::Limits::queue_wait)).
    Delayed {
        /// Where.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
        /// When it was read, on the clock of the `now` of each call.
        arrived: Time,
    },
    /// What arrived on a stream cannot be cut into messages (18.3). The sender is told, if it can
    /// be; then the driver closes the connection.
    Malformed {
        /// Where.
        flow: Flow,
        /// What is wrong.
        error: ParseError,
    },
    /// A transmission could not be sent (18.4).
    SendFailed {
        /// That of the [`Transmit`].
        id: TransmitId,
    },
    /// A transmission could not be sent because the peer refused the connection: a TCP reset, or
    /// the ICMP message that the protocol is not supported there (18.1.1).
    Refused {
        /// That of the [`Transmit`].
        id: TransmitId,
    },
    /// A connection is gone (18.4). Transmissions that were on their way on it are reported one by
    /// one besides, with [`SendFailed`](Self::SendFailed).
    Disconnected {
        /// That of the messages that came on it; with the address that was connected to if this
        /// side opened it.
        flow: Flow,
        /// How it ended.
        how: Disconnect,
    },
    /// The answer to a query.
    Answer {
        /// Which query.
        id: QueryId,
        /// The answer.
        answer: Answer,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Disconnect {
    /// In order, by either side.
    Closed,
    /// By a reset, by a timeout, or without the word that ends TLS or a WebSocket: what was sent
    /// last may not have arrived.
    Broken,
}

/// What an endpoint wants done, in this order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send these bytes.
    Transmit(Transmit),
    /// Tell the application.
    Event(Event),
    /// Ask the world outside, and come back with [`Input::Answer`].
    Query {
        /// To answer it.
        id: QueryId,
        /// The question.
        query: Query,
    },
    /// What arrived was of no use. It is counted too.
    Dropped(Dropped),
}

/// Bytes to send.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Transmit {
    /// From where, to where.
    pub flow: Flow,
    /// One whole message.
    pub bytes: Bytes,
    /// To report a failure with [`Input::SendFailed`].
    pub id: TransmitId,
    /// The name under which the address was found; `None` for a numeric one, and for datagrams.
    ///
    /// A connection that is opened for this message, or taken for it, must be with that host: its
    /// certificate is for this name, whatever names DNS gave on the way (RFC 5922 7.3), and a
    /// WebSocket handshake asks for it (RFC 6455 4.1).
    pub host: Option<Arc<str>>,
}

/// A question to the world outside.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Query {
    /// To DNS, for where a request or response of this side goes (RFC 3263).
    Dns(Question),
}

/// An answer from there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// From DNS.
    Dns(Records),
}

/// Why a request goes another way than the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Reroute {
    /// The server before could not be reached, did not answer or said 503 (RFC 3263 4.3).
    Failover,
    /// It is over 1,300 bytes, so it goes over TCP instead of UDP (RFC 3261 18.1.1).
    TooLarge,
    /// It went over TCP because of its size, and the peer refused that (18.1.1).
    StreamRefused,
}

/// What an application hears. Each carries the message that caused it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody calls. Ring, answer or reject.
    Incoming {
        /// The call.
        call: CallHandle,
        /// The INVITE.
        request: Box<Request>,
        /// The offer in it, which may be a part of its body
        /// ([`session_description`](crate::call::session_description)); empty if this side is to
        /// make one in its 2xx.
        offer: Bytes,
    },
    /// A provisional response to a call that was placed.
    Progress {
        /// The call.
        call: CallHandle,
        /// The 1xx.
        response: Box<Response>,
        /// What it means for its early dialog, if it belongs to one.
        early: Option<Early>,
    },
    /// The INVITE goes to another target now: one that a 3xx named (RFC 3261 8.1.3.4).
    Redirected {
        /// The call.
        call: CallHandle,
        /// Where it goes.
        target: UriBuf,
        /// The 3xx, or the refusal of the last target; `None` if that was silent or out of reach.
        response: Option<Box<Response>>,
    },
    /// The INVITE was refused and goes again, changed as the response asks (8.1.3.5).
    Retried {
        /// The call.
        call: CallHandle,
        /// The refusal.
        response: Box<Response>,
    },
    /// A request of the call goes another way than the first: to the next server, or over another
    /// transport.
    Rerouted {
        /// The call.
        call: CallHandle,
        /// Why.
        reason: Reroute,
        /// The way.
        flow: Flow,
    },
    /// The other side answered.
    Answered {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Box<Response>,
        /// Whether `acknowledge` is owed, with the answer to the offer in the 2xx.
        answer_needed: bool,
    },
    /// The other side acknowledged the answer of this side.
    Acknowledged {
        /// The call.
        call: CallHandle,
        /// The ACK.
        request: Box<Request>,
        /// Whether it owes an answer and carries none.
        answer_missing: bool,
    },
    /// The other side wants to change the session. Answer or reject.
    Reoffered {
        /// The call.
        call: CallHandle,
        /// The re-INVITE.
        request: Box<Request>,
    },
    /// The other side took its re-INVITE back.
    ReofferCancelled {
        /// The call.
        call: CallHandle,
        /// The CANCEL.
        request: Box<Request>,
    },
    /// The other side accepted the re-INVITE or UPDATE of this side.
    Updated {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Box<Response>,
        /// Whether `acknowledge` is owed.
        answer_needed: bool,
    },
    /// The other side refused the re-INVITE or UPDATE of this side.
    UpdateRefused {
        /// The call.
        call: CallHandle,
        /// The 300-699.
        response: Box<Response>,
        /// Whether changes that were made already are undone: see
        /// [`Notice::UpdateRefused`](crate::call::Notice::UpdateRefused).
        changed: bool,
    },
    /// The re-INVITE or UPDATE of this side crossed one of the other side; the core sends it again,
    /// unless another offer is answered until then.
    UpdateDeferred {
        /// The call.
        call: CallHandle,
        /// The 491, or the 500 with Retry-After.
        response: Box<Response>,
    },
    /// The re-INVITE of this side that was deferred is due, and is not sent: another offer was
    /// answered while it waited, so its session description is out of date (RFC 3264 8). Offer
    /// again what is still wanted.
    ReinviteOutdated {
        /// The call.
        call: CallHandle,
        /// What it would have carried.
        outgoing: Box<Outgoing>,
    },
    /// The same of an UPDATE.
    UpdateOutdated {
        /// The call.
        call: CallHandle,
        /// On which leg.
        leg: LegId,
        /// What it would have carried.
        outgoing: Box<Outgoing>,
    },
    /// The application took too long to answer a re-INVITE: the core has, with 500, or with 200 if
    /// changes were agreed on already.
    ReofferExpired {
        /// The call.
        call: CallHandle,
        /// The answer.
        status: StatusCode,
    },
    /// The application took too long to answer a request, within a call or outside of any: the core
    /// has said 500.
    RequestExpired {
        /// Which request.
        request: RequestHandle,
        /// The call that it belongs to.
        call: Option<CallHandle>,
    },
    /// The other side moved: its Contact changed.
    TargetRefreshed {
        /// The call.
        call: CallHandle,
    },
    /// The other side is somebody else from now on (RFC 4916): a request of it with another URI in
    /// From was accepted. Nobody has vouched for that but who signed the request.
    PeerIdentified {
        /// The call.
        call: CallHandle,
        /// On which leg.
        leg: LegId,
        /// The request.
        request: Box<Request>,
    },
    /// The UPDATE that told the other side who this side is has its answer (RFC 4916). Nothing is
    /// done after it, whatever it says.
    Identified {
        /// The call.
        call: CallHandle,
        /// The 200-699.
        response: Box<Response>,
    },
    /// The other side offers another session in an UPDATE or PRACK. Respond at once; a 2xx carries
    /// the answer.
    Offered {
        /// The call.
        call: CallHandle,
        /// To answer it.
        request: RequestHandle,
        /// The UPDATE or PRACK.
        message: Box<Request>,
    },
    /// The other side acknowledged a reliable provisional response. Its PRACK is answered already.
    Pracked {
        /// The call.
        call: CallHandle,
        /// The PRACK.
        request: Box<Request>,
        /// What its session description is: see [`Notice::Pracked`](crate::call::Notice::Pracked).
        session: Verdict,
    },
    /// The other side sent an UPDATE without an offer. It is answered already.
    Refreshed {
        /// The call.
        call: CallHandle,
        /// The UPDATE.
        request: Box<Request>,
    },
    /// This side refreshed the session (RFC 4028), and nothing changed.
    SessionRefreshed {
        /// The call.
        call: CallHandle,
        /// The 2xx that says so.
        response: Box<Response>,
    },
    /// A request that is the application's to answer, within a call or outside of any.
    Request {
        /// To answer it.
        request: RequestHandle,
        /// The call that it belongs to.
        call: Option<CallHandle>,
        /// The request.
        message: Box<Request>,
    },
    /// A response to a request that the application sent within a call.
    Response {
        /// The call.
        call: CallHandle,
        /// Which request.
        request: RequestId,
        /// The response.
        response: Box<Response>,
    },
    /// A request that the application sent within a call got no response.
    RequestFailed {
        /// The call.
        call: CallHandle,
        /// Which request.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// Another fork answered too late, and is hung up.
    ForkDropped {
        /// The call.
        call: CallHandle,
        /// Its 2xx.
        response: Box<Response>,
    },
    /// The call is over. Exactly once for each call.
    Ended {
        /// The call. The handle goes stale when the last transaction of the dialog has gone; that of a
        /// request outside of any dialog ([`Endpoint::ask`](super::Endpoint::ask)) is stale by now.
        call: CallHandle,
        /// Why.
        reason: EndReason,
    },
    /// More new work comes than is taken: from now on some of it is refused with 503, or dropped.
    /// Once for each overload.
    OverloadBegan {
        /// What there was too much of first.
        bound: Bound,
    },
    /// All new work was taken for a while ([`Policy::calm`](crate::overload::Policy::calm)): the
    /// overload is over. Once for each that began.
    OverloadEnded {
        /// What became of it.
        episode: Episode,
    },
}

/// Why something that arrived was dropped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Dropped {
    /// Nothing but CR and LF: a keep-alive.
    KeepAlive,
    /// Not a message. A request that could be answered was.
    Malformed {
        /// What is wrong.
        kind: ParseErrorKind,
        /// Where.
        offset: usize,
    },
    /// A response that belongs to no transaction (18.1.2, 6026 8.9).
    StrayResponse,
    /// A response whose top Via is not of this endpoint (18.1.2).
    ForeignResponse,
    /// An ACK that belongs to nothing. It is never answered.
    StrayAck,
    /// A request within a dialog that does not exist: answered 481.
    StrayRequest,
    /// A limit is reached: answered 503 if it was a new request.
    Overload,
    /// A request outside of any dialog that waited too long before it was looked at, in a
    /// datagram. It is not answered: its copy is in the queue behind it.
    Shed,
    /// An answer to a query that is over.
    StaleAnswer,
    /// A failure of a transmission that nobody waits for.
    StaleFailure,
}

/// How often what happened. Counters never go back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that arrived.
    pub received: u64,
    /// Messages that were sent, retransmissions included.
    pub sent: u64,
    /// [`Dropped::KeepAlive`].
    pub keep_alives: u64,
    /// [`Dropped::Malformed`].
    pub malformed: u64,
    /// [`Dropped::StrayResponse`] and [`Dropped::ForeignResponse`].
    pub stray_responses: u64,
    /// [`Dropped::StrayAck`].
    pub stray_acks: u64,
    /// [`Dropped::StrayRequest`].
    pub stray_requests: u64,
    /// [`Dropped::Overload`].
    pub overload: u64,
    /// [`Dropped::Shed`].
    pub shed: u64,
    /// Requests outside of any dialog that came, without copies. Each was
    /// [admitted](Self::admitted), [turned away](Self::turned_away) or [shed](Self::shed).
    pub offered: u64,
    /// Requests outside of any dialog that were taken, to be looked at further.
    pub admitted: u64,
    /// Requests outside of any dialog that were answered 503 because there was too much of them.
    pub turned_away: u64,
    /// Copies of requests that were turned away, which met the same 503.
    pub refusals_repeated: u64,
    /// ACKs for INVITEs that were refused without a transaction.
    pub refusals_acknowledged: u64,
    /// [`Event::OverloadBegan`].
    pub overloads: u64,
    /// Requests of this side that were not sent to a server because it asked for that.
    pub withheld: u64,
    /// [`Dropped::StaleAnswer`] and [`Dropped::StaleFailure`].
    pub stale: u64,
    /// Requests that a transaction had seen before.
    pub retransmissions_received: u64,
    /// Requests that were sent once more because nobody had answered, and responses that were sent
    /// once more (17.1, 17.2, 13.3.1.4, RFC 3262 3). The ACK for a 2xx that comes again does not
    /// count: whoever repeats the 2xx does.
    pub retransmissions_sent: u64,
    /// Messages that reached a call and changed nothing, such as a repeated ACK.
    pub absorbed: u64,
    /// Requests that the core refused by itself (405, 416, 420, …).
    pub refused: u64,
    /// Responses that could not be sent or were never acknowledged, and ACKs that have no way to go.
    pub undelivered: u64,
    /// Responses that were sent to the next place because one failed (18.2.2, RFC 3263 5).
    pub rerouted: u64,
    /// [`Reroute::Failover`].
    pub failed_over: u64,
    /// [`Reroute::TooLarge`], ACKs included.
    pub oversized: u64,
    /// [`Reroute::StreamRefused`].
    pub stream_refused: u64,
    /// Connections that were lost.
    pub disconnected: u64,
    /// Times that the clock ran backwards (law L6).
    pub time_went_back: u64,
}

impl Counters {
    /// All that was dropped, but for keep-alives.
    pub fn dropped(&self) -> u64 {
        [
            self.malformed,
            self.stray_responses,
            self.stray_acks,
            self.stray_requests,
            self.overload,
            self.shed,
            self.stale,
        ]
        .iter()
        .fold(0, |sum, n| sum.saturating_add(*n))
    }

    pub(super) fn count(&mut self, dropped: &Dropped) {
        let counter = match dropped {
            Dropped::KeepAlive => &mut self.keep_alives,
            Dropped::Malformed { .. } => &mut self.malformed,
            Dropped::StrayResponse | Dropped::ForeignResponse => &mut self.stray_responses,
            Dropped::StrayAck => &mut self.stray_acks,
            Dropped::StrayRequest => &mut self.stray_requests,
            Dropped::Overload => &mut self.overload,
            Dropped::Shed => &mut self.shed,
            Dropped::StaleAnswer | Dropped::StaleFailure => &mut self.stale,
        };
        *counter = counter.saturating_add(1);
    }
}

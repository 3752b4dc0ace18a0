//! Calls and re-INVITEs of the other side that wait for an answer.

use std::ops::Deref;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::call::{Call, CallEvent, CallRef, Line};
use super::link::{Farewell, Link};
use super::route::Established;
use super::{CallError, IncomingRequest};
use crate::auth::{Refusal, Verifier};
use crate::call::reliable::Policy;
use crate::call::session_timer;
use crate::endpoint::{CallHandle, CallView};
use crate::error::Misuse;
use crate::message::{Outgoing, Request, StatusCode};
use crate::time::Time;

/// Something that the other side begins.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// Somebody calls.
    Call(IncomingCall),
    /// A request outside of any dialog, of a method in
    /// [`Config::methods`](crate::endpoint::Config::methods).
    Request(IncomingRequest),
}

/// Somebody calls. Dropped, the call is refused with 480; with 500 by a panic.
///
/// It derefs to [`CallRef`], for the verbs that every call has.
#[derive(Debug)]
pub struct IncomingCall {
    line: Line,
    told: oneshot::Receiver<Established>,
    request: Box<Request>,
    offer: Bytes,
}

type Out = std::collections::VecDeque<crate::endpoint::Output>;

impl IncomingCall {
    pub(super) fn new(
        line: Line,
        told: oneshot::Receiver<Established>,
        request: Box<Request>,
        offer: Bytes,
    ) -> Self {
        Self {
            line,
            told,
            request,
            offer,
        }
    }

    /// The INVITE.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The offer in it; empty if this side is to make one in its answer.
    pub fn offer(&self) -> &Bytes {
        &self.offer
    }

    /// Says 180 Ringing.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the caller has given up.
    pub async fn ring(&self) -> Result<(), CallError> {
        self.progress(StatusCode::RINGING, Outgoing::new()).await
    }

    /// Says 101-199, with early media if it has a body (RFC 3261 13.3.1.1).
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`], [`Misuse::ReservedHeader`], or [`CallError::Ended`].
    pub async fn progress(
        &self,
        status: StatusCode,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        let outgoing = outgoing.into();
        self.verb(move |call, now, out| call.progress(now, status, outgoing, out))
            .await
    }

    /// As [`progress`](Self::progress), without reliability where the other side leaves the choice.
    ///
    /// # Errors
    ///
    /// Those of [`progress`](Self::progress).
    pub async fn preview(
        &self,
        status: StatusCode,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        let outgoing = outgoing.into();
        self.verb(move |call, now, out| call.preview(now, status, outgoing, out))
            .await
    }

    /// Before the first response: whether provisional responses of this call are reliable: see
    /// [`CallView::reliable`].
    ///
    /// # Errors
    ///
    /// Those of [`CallView::reliable`], or [`CallError::Ended`].
    pub async fn reliable(&self, policy: Policy) -> Result<(), CallError> {
        self.verb(move |call, now, out| call.reliable(now, policy, out))
            .await
    }

    /// What this side wants of session timers in this call: see [`CallView::session_timer`].
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn session_timer(
        &self,
        config: Option<session_timer::Config>,
    ) -> Result<(), CallError> {
        self.verb(move |call, now, out| call.session_timer(now, config, out))
            .await
    }

    /// What happens before the call is answered: PRACKs, and offers in them or in UPDATEs. `None`
    /// when it is over. Nothing is lost if the future is dropped.
    pub async fn next_event(&mut self) -> Option<CallEvent> {
        self.line.next_event().await
    }

    /// Accepts the call with 200, and waits for the ACK: then the session stands. Events that
    /// nobody has read are the call's. A future that is dropped hangs up.
    ///
    /// # Errors
    ///
    /// [`Misuse`] without the session description that is owed, or with a header that the core
    /// writes: the call is refused. [`CallError::Ended`] if the caller has given up, or the ACK
    /// never comes.
    pub async fn answer(self, outgoing: impl Into<Outgoing>) -> Result<Call, CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        self.act(move |desk| desk.answer(call, outgoing)).await?;
        match self.told.await {
            Ok(Established::Acknowledged {
                ack,
                answer_missing,
            }) => Ok(Call::acknowledged(self.line, ack, answer_missing)),
            Ok(Established::Answered { .. }) | Err(_) => Err(self.line.over()),
        }
    }

    /// Refuses the call with 300-699.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`], [`Misuse::ReservedHeader`] or [`Misuse::MissingHeader`]: the call is
    /// refused with 480 then. [`CallError::Ended`] if the caller has given up.
    pub async fn reject(
        self,
        status: StatusCode,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        let outgoing = outgoing.into();
        self.verb(move |call, now, out| call.reject(now, status, outgoing, out))
            .await
    }

    /// Refuses the call because of what it presents to `verifier`: see [`CallView::challenge`].
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the caller has given up.
    pub async fn challenge(
        self,
        verifier: &mut Verifier,
        refusal: Refusal,
    ) -> Result<(), CallError> {
        let (status, headers) = verifier.refuse(self.link.now(), refusal);
        self.reject(status, Outgoing::new().with_headers(headers))
            .await
    }

    async fn verb(
        &self,
        verb: impl FnOnce(&mut CallView<'_>, Time, &mut Out) -> Result<(), Misuse> + Send + 'static,
    ) -> Result<(), CallError> {
        let call = self.call;
        self.act(move |desk| desk.verb(call, verb)).await
    }
}

impl Deref for IncomingCall {
    type Target = CallRef;

    fn deref(&self) -> &CallRef {
        &self.line.call
    }
}

/// The other side wants to change the session of a call, by re-INVITE. Dropped, that is refused
/// with 488, and the session stays as it is.
#[derive(Debug)]
pub struct Reoffer {
    link: Link,
    of: (CallHandle, u64),
    request: Box<Request>,
}

impl Reoffer {
    pub(super) fn new(link: Link, of: (CallHandle, u64), request: Box<Request>) -> Self {
        Self { link, of, request }
    }

    /// The re-INVITE; without a body it asks for an offer.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Says 101-199.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`], [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] if the other
    /// side has taken it back or the call is over.
    pub async fn progress(
        &self,
        status: StatusCode,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        let outgoing = outgoing.into();
        self.verb(false, move |call, now, out| {
            call.progress(now, status, outgoing, out)
        })
        .await
    }

    /// Accepts it with 200. Its ACK comes as an event.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] without the session description that is
    /// owed: it is refused then; or if the other side has taken it back or the call is over.
    pub async fn answer(self, outgoing: impl Into<Outgoing>) -> Result<(), CallError> {
        let outgoing = outgoing.into();
        self.verb(true, move |call, now, out| call.answer(now, outgoing, out))
            .await
    }

    /// Refuses it with 300-699; the session stays as it is.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`], [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] if the other
    /// side has taken it back or the call is over.
    pub async fn reject(
        self,
        status: StatusCode,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        let outgoing = outgoing.into();
        self.verb(true, move |call, now, out| {
            call.reject(now, status, outgoing, out)
        })
        .await
    }

    async fn verb(
        &self,
        is_final: bool,
        verb: impl FnOnce(&mut CallView<'_>, Time, &mut Out) -> Result<(), Misuse> + Send + 'static,
    ) -> Result<(), CallError> {
        let of = self.of;
        let done = self
            .link
            .act(move |desk| desk.for_reoffer(of, is_final, verb))
            .await?;
        Ok(done?)
    }
}

/// One that was answered is another by now, so nothing happens to it.
impl Drop for Reoffer {
    fn drop(&mut self) {
        let (call, number) = self.of;
        self.link.leave(Farewell::Reoffer { call, number });
    }
}

//! Calls, and what can be done with any of them.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};

use super::desk::Desk;
use super::link::{Farewell, Link};
use super::route::{Established, Fate, Route};
use super::{CallError, IncomingRequest, Reoffer};
use crate::call::{EndReason, LegId};
use crate::endpoint::{CallHandle, Event};
use crate::error::Misuse;
use crate::message::{Outgoing, Request, Response};

/// What happens in a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallEvent {
    /// The other side wants to change the session, by re-INVITE.
    Reoffered(Reoffer),
    /// The other side offers another session, by UPDATE or PRACK. A 2xx carries the answer;
    /// dropped, the offer is refused with 488.
    Offered(IncomingRequest),
    /// A request within the call, such as INFO. Dropped, it is refused with 500.
    Request(IncomingRequest),
    /// Something that asks for nothing: progress, redirections, refreshes and what else
    /// [`Event`] has. It is never an end, an answer, or what a verb waits for.
    Told(Event),
}

/// The other side accepted a re-INVITE or UPDATE.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Updated {
    /// Its 2xx.
    pub response: Box<Response>,
    /// Whether it carries an offer: [`Call::acknowledge`] is owed, with the answer.
    pub answer_needed: bool,
}

/// A call, without owning it: what can be done with a call in any state. It comes from the call
/// that owns it, can be cloned, and does not keep the call up.
///
/// A verb is carried out when its future is awaited. One whose future is dropped has been carried
/// out or never will be.
#[derive(Clone, Debug)]
pub struct CallRef {
    pub(super) link: Link,
    pub(super) call: CallHandle,
    fate: Arc<Fate>,
}

impl CallRef {
    pub(super) fn new(link: Link, call: CallHandle, route: &Route) -> Self {
        let fate = Arc::clone(&route.fate);
        Self { link, call, fate }
    }

    /// Its name, for logs and for [`UserAgent::act`](super::UserAgent::act).
    pub fn handle(&self) -> CallHandle {
        self.call
    }

    /// Why it is over, if it is.
    pub fn end(&self) -> Option<&EndReason> {
        self.fate.end.get()
    }

    /// Waits for its end, however it comes about. The future borrows nothing, and there may be any
    /// number of them.
    pub fn closed(&self) -> impl Future<Output = EndReason> + Send + use<> {
        let fate = Arc::clone(&self.fate);
        async move { fate.end.wait().await.clone() }
    }

    /// Does this while the call lasts: the future is dropped when the call ends.
    ///
    /// ```
    /// # use drongo::call::EndReason;
    /// # use drongo::driver::tokio::Call;
    /// # async fn play(_file: &str) {}
    /// async fn announce(call: &Call) -> Result<(), EndReason> {
    ///     call.during(play("welcome.wav")).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Why the call ended, if it did before the future was done.
    pub async fn during<F: Future>(&self, future: F) -> Result<F::Output, EndReason> {
        tokio::select! {
            biased;
            reason = self.closed() => Err(reason),
            output = future => Ok(output),
        }
    }

    /// How many events of it found no room, because nobody read those before
    /// ([`Bounds::events`](super::Bounds::events)).
    pub fn missed(&self) -> u64 {
        self.fate.missed.load(Ordering::Relaxed)
    }

    /// Ends the call in whatever state it is: CANCEL, 480 or BYE; and waits until it is over.
    pub async fn hang_up(&self) -> EndReason {
        // Nothing is added, so nothing can be wrong with it.
        let _ = self.hang_up_with(Outgoing::new()).await;
        self.closed().await
    }

    /// As [`hang_up`](Self::hang_up), with headers for the CANCEL, 480 or BYE, such as Reason.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`]: the call stands.
    pub async fn hang_up_with(
        &self,
        outgoing: impl Into<Outgoing>,
    ) -> Result<EndReason, CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        let hung_up = self.act(move |desk| {
            desk.verb(call, |call, now, out| call.hang_up_with(now, outgoing, out))
        });
        match hung_up.await {
            Ok(()) | Err(CallError::Ended(_) | CallError::Stopped) => Ok(self.closed().await),
            Err(error) => Err(error),
        }
    }

    /// Sends a re-INVITE (RFC 3261 14.1), and waits for its outcome. What crosses one of the other
    /// side is tried again by itself. A future that is dropped cancels it; what the other side has
    /// accepted by then comes as an event.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] if the other side does, [`Misuse::WrongState`] unless the call is
    /// answered and nothing else is in progress, and all other [`CallError`]s.
    pub async fn reinvite(&self, outgoing: impl Into<Outgoing>) -> Result<Updated, CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        let mut cancelling = Cancelling { call: Some(self) };
        // Dropped before what cancels: what comes later is not begun.
        let (tell, told) = oneshot::channel();
        self.act(move |desk| match tell.is_closed() {
            true => Ok(()),
            false => desk.reinvite(call, outgoing, tell),
        })
        .await?;
        let outcome = told.await;
        cancelling.call = None;
        outcome.unwrap_or_else(|_| Err(self.over()))
    }

    /// Sends an UPDATE (RFC 3311), also before the call is answered, and waits for its outcome:
    /// with an offer if it has a body. If the future is dropped, the outcome comes as an event.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] if the other side does, [`Misuse::WrongState`] without a dialog, with
    /// a side that has no UPDATE, or while another UPDATE or offer is in progress, and all other
    /// [`CallError`]s.
    pub async fn update(&self, outgoing: impl Into<Outgoing>) -> Result<Updated, CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        let (tell, told) = oneshot::channel();
        self.act(move |desk| desk.update(call, outgoing, tell))
            .await?;
        told.await.unwrap_or_else(|_| Err(self.over()))
    }

    /// This side is somebody else from now on (RFC 4916): `from` is a name-addr or URI. The other side
    /// is told as soon as that may be; [`Event::Identified`] says that it has heard.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`], [`Misuse::WrongState`] without a dialog with a side that has the
    /// extension, or if [`Config::connected_identity`](crate::endpoint::Config::connected_identity)
    /// is off; [`CallError::Ended`].
    pub async fn identify(&self, from: &str) -> Result<(), CallError> {
        let (call, from) = (self.call, from.to_owned());
        self.act(move |desk| desk.verb(call, |call, now, out| call.identify(now, &from, out)))
            .await
    }

    /// Sends another request within the call, such as INFO, and waits for its final response,
    /// whatever that says. Provisional ones come as events; so does the final one if the future is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] without a response, [`Misuse::Malformed`] for a method that has a verb
    /// of its own, [`Misuse::WrongState`] without a confirmed dialog, and other [`CallError`]s.
    pub async fn request(
        &self,
        method: &str,
        outgoing: impl Into<Outgoing>,
    ) -> Result<Box<Response>, CallError> {
        let (call, method, outgoing) = (self.call, method.to_owned(), outgoing.into());
        let (tell, told) = oneshot::channel();
        self.act(move |desk| desk.send(call, &method, outgoing, tell))
            .await?;
        told.await.unwrap_or_else(|_| Err(self.over()))
    }

    /// A verb of a call that is not over.
    pub(super) async fn act(
        &self,
        act: impl FnOnce(&mut Desk) -> Result<(), Misuse> + Send + 'static,
    ) -> Result<(), CallError> {
        let call = self.call;
        let acted = self
            .link
            .act(move |desk| desk.has(call).then(|| act(desk)))
            .await?;
        match acted {
            Some(done) => Ok(done?),
            None => Err(self.over()),
        }
    }

    fn over(&self) -> CallError {
        match self.end() {
            Some(reason) => CallError::Ended(reason.clone()),
            None => CallError::Stopped,
        }
    }
}

/// Cancels a re-INVITE that nobody waits for.
struct Cancelling<'c> {
    call: Option<&'c CallRef>,
}

impl Drop for Cancelling<'_> {
    fn drop(&mut self) {
        if let Some(CallRef { link, call, .. }) = self.call {
            link.leave(Farewell::Reinvite { call: *call });
        }
    }
}

/// A call that is owned: dropped, it is hung up.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) call: CallRef,
    events: mpsc::Receiver<CallEvent>,
}

impl Line {
    pub(super) fn new(call: CallRef, events: mpsc::Receiver<CallEvent>) -> Self {
        Self { call, events }
    }

    pub(super) async fn next_event(&mut self) -> Option<CallEvent> {
        self.events.recv().await
    }

    /// What the call brings from now on.
    pub(super) fn read_from(&mut self, events: mpsc::Receiver<CallEvent>) {
        self.events = events;
    }

    pub(super) fn over(&self) -> CallError {
        self.call.over()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let CallRef { link, call, fate } = &self.call;
        if fate.end.get().is_none() {
            let (call, panicked) = (*call, std::thread::panicking());
            link.leave(Farewell::Call { call, panicked });
        }
    }
}

/// A call that this side placed and nobody has answered yet. Dropped, it is cancelled.
///
/// It derefs to [`CallRef`], for the verbs that every call has.
#[derive(Debug)]
pub struct OutgoingCall {
    line: Line,
    told: oneshot::Receiver<Established>,
}

impl OutgoingCall {
    pub(super) fn new(line: Line, told: oneshot::Receiver<Established>) -> Self {
        Self { line, told }
    }

    /// What happens next, before the call is answered: progress with early media, the forks of the
    /// INVITE, redirections. `None` as soon as it is answered or over: then
    /// [`answered`](Self::answered) says which, at once. Nothing is lost if the future is dropped.
    pub async fn next_event(&mut self) -> Option<CallEvent> {
        self.line.next_event().await
    }

    /// Waits for the answer. What happens before it is of no interest: offers of the other side in
    /// an early dialog are refused. A future that is dropped cancels the call.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`]: it was refused, cancelled, or met nobody.
    pub async fn answered(mut self) -> Result<Call, CallError> {
        while self.next_event().await.is_some() {}
        let Ok(Established::Answered {
            response,
            answer_needed,
            events,
        }) = self.told.await
        else {
            return Err(self.line.over());
        };
        self.line.read_from(events);
        let opening = Opening::Response {
            response,
            answer_needed,
        };
        Ok(Call {
            line: self.line,
            opening,
        })
    }

    /// Answers the offer in a reliable provisional response, in its PRACK (RFC 3262 5). `leg` is
    /// that of its [`Early`](crate::call::Early).
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`] unless an answer is owed, or without one; [`Misuse::ReservedHeader`];
    /// [`CallError::Ended`].
    pub async fn prack(&self, leg: LegId, outgoing: impl Into<Outgoing>) -> Result<(), CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        self.act(move |desk| desk.verb(call, |call, now, out| call.prack(now, leg, outgoing, out)))
            .await
    }

    /// As [`update`](CallRef::update), on this leg of an INVITE that forked, and without waiting
    /// for the outcome, which comes as an event.
    ///
    /// # Errors
    ///
    /// Those of [`update`](CallRef::update).
    pub async fn update_leg(
        &self,
        leg: LegId,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        self.act(move |desk| {
            desk.verb(call, |call, now, out| {
                call.update_leg(now, leg, outgoing, out)
            })
        })
        .await
    }
}

impl Deref for OutgoingCall {
    type Target = CallRef;

    fn deref(&self) -> &CallRef {
        &self.line.call
    }
}

/// A call that was answered. Dropped, it is hung up.
///
/// It derefs to [`CallRef`], for the verbs that every call has. Whoever wants to use those while it
/// waits for an event clones that.
#[derive(Debug)]
pub struct Call {
    line: Line,
    opening: Opening,
}

/// What made it stand.
#[derive(Debug)]
enum Opening {
    Response {
        response: Box<Response>,
        answer_needed: bool,
    },
    Ack {
        ack: Box<Request>,
        answer_missing: bool,
    },
}

impl Call {
    pub(super) fn acknowledged(line: Line, ack: Box<Request>, answer_missing: bool) -> Self {
        let opening = Opening::Ack {
            ack,
            answer_missing,
        };
        Self { line, opening }
    }

    /// The 2xx with which the other side answered, if this side placed the call.
    pub fn response(&self) -> Option<&Response> {
        match &self.opening {
            Opening::Response { response, .. } => Some(response),
            Opening::Ack { .. } => None,
        }
    }

    /// The ACK for the answer of this side, if the other side placed the call. It carries the
    /// session description that answers an offer of this side.
    pub fn ack(&self) -> Option<&Request> {
        match &self.opening {
            Opening::Ack { ack, .. } => Some(ack),
            Opening::Response { .. } => None,
        }
    }

    /// Whether the ACK owes an answer to an offer of this side, and carries none: there is no
    /// session.
    pub fn answer_missing(&self) -> bool {
        match self.opening {
            Opening::Ack { answer_missing, .. } => answer_missing,
            Opening::Response { .. } => false,
        }
    }

    /// Whether the 2xx carries an offer, since the INVITE had none: then
    /// [`acknowledge`](Self::acknowledge) is owed, with the answer.
    pub fn answer_needed(&self) -> bool {
        match self.opening {
            Opening::Response { answer_needed, .. } => answer_needed,
            Opening::Ack { .. } => false,
        }
    }

    /// Sends the ACK with the answer to the offer that a 2xx brought (RFC 3261 13.2.2.4).
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`] unless one is owed, [`Misuse::ReservedHeader`], or
    /// [`CallError::Ended`].
    pub async fn acknowledge(&mut self, outgoing: impl Into<Outgoing>) -> Result<(), CallError> {
        let (call, outgoing) = (self.call, outgoing.into());
        self.act(move |desk| {
            desk.verb(call, |call, now, out| call.acknowledge(now, outgoing, out))
        })
        .await?;
        if let Opening::Response { answer_needed, .. } = &mut self.opening {
            *answer_needed = false;
        }
        Ok(())
    }

    /// What happens next. `None` when the call is over: [`end`](CallRef::end) says why. Nothing is
    /// lost if the future is dropped.
    pub async fn next_event(&mut self) -> Option<CallEvent> {
        self.line.next_event().await
    }

    /// Waits for the end of the call, and refuses whatever the other side asks for until then: the
    /// session stays as it is. A future that is dropped hangs up; [`closed`](CallRef::closed) does
    /// not.
    pub async fn ended(mut self) -> EndReason {
        while self.next_event().await.is_some() {}
        self.closed().await
    }
}

impl Deref for Call {
    type Target = CallRef;

    fn deref(&self) -> &CallRef {
        &self.line.call
    }
}

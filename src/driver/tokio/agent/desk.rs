//! The task that drives: events go to their calls, and what applications want is done.
//!
//! It never waits for an application. What finds no room is refused, or counted.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::call::{CallRef, Line};
use super::incoming::Reoffer;
use super::link::{Farewell, Job, Link, Shared, Tallies};
use super::request::IncomingRequest;
use super::route::{Changed, Established, Responded, Route};
use super::{Arrival, CallError, CallEvent, IncomingCall, OutgoingCall, Updated};
use crate::call::{Call as Machine, Invitation, LegId, RequestId};
use crate::driver::tokio::Driver;
use crate::endpoint::{CallHandle, CallView, Endpoint, Event, Output, RequestHandle};
use crate::error::Misuse;
use crate::message::{HeaderList, Method, Outgoing, Request, Response, StatusCode};
use crate::time::Time;
use crate::transaction::Failure;

/// How much of one kind is done before others have their turn.
const BATCH: usize = 64;

/// The driver, and who hears what.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) driver: Driver,
    routes: BTreeMap<CallHandle, Route>,
    /// `None` if nothing new is taken.
    arrivals: Option<mpsc::Sender<Arrival>>,
    jobs: mpsc::WeakSender<Job>,
    farewells: mpsc::UnboundedSender<Farewell>,
    shared: Arc<Shared>,
}

/// What a desk takes from.
pub(super) struct Inbox {
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) farewells: mpsc::UnboundedReceiver<Farewell>,
}

impl Desk {
    pub(super) fn new(driver: Driver, arrivals: mpsc::Sender<Arrival>, link: &Link) -> Self {
        Self {
            driver,
            routes: BTreeMap::new(),
            arrivals: Some(arrivals),
            jobs: link.jobs.downgrade(),
            farewells: link.farewells.clone(),
            shared: Arc::clone(&link.shared),
        }
    }

    /// Until all is done and nothing more is wanted, or a socket fails.
    pub(super) async fn run(mut self, mut inbox: Inbox) {
        let outcome = self.drive(&mut inbox).await;
        let shared = Arc::clone(&self.shared);
        // Nothing is open any more when others hear of it.
        drop((self, inbox));
        let _ = shared.stopped.set(outcome.map_err(Arc::new));
    }

    async fn drive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let mut is_wanted = true;
        let mut limit = None;
        loop {
            self.deliver();
            if self.arrivals.is_some() || !self.routes.is_empty() {
                limit = None;
            } else if self.driver.is_drained(&mut limit) {
                return Ok(());
            }
            tokio::select! {
                Some(farewell) = inbox.farewells.recv() => {
                    self.take_leave(farewell);
                    for _ in 1..BATCH {
                        let Ok(farewell) = inbox.farewells.try_recv() else { break };
                        self.take_leave(farewell);
                    }
                }
                job = inbox.jobs.recv(), if is_wanted => match job {
                    Some(job) => {
                        job(self);
                        for _ in 1..BATCH {
                            self.deliver();
                            let Ok(job) = inbox.jobs.try_recv() else { break };
                            job(self);
                        }
                    }
                    // Nobody is left who could want anything.
                    None => {
                        is_wanted = false;
                        self.close();
                    }
                },
                turned = self.driver.turn(limit) => turned?,
            }
        }
    }

    /// Takes nothing new.
    pub(super) fn drain(&mut self) {
        self.arrivals = None;
    }

    /// Takes nothing new, and ends what stands.
    pub(super) fn close(&mut self) {
        self.drain();
        let calls: Vec<CallHandle> = self.driver.endpoint().call_handles().collect();
        for call in calls {
            // Repeated, it is harmless.
            let _ = self.verb(call, |call, now, out| call.hang_up(now, out));
        }
    }

    /// What an application does with the endpoint itself. Who owns a call that is abandoned there
    /// hears that it is over.
    pub(super) fn act<R>(
        &mut self,
        act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R,
    ) -> R {
        let before = self.driver.endpoint().calls();
        let done = self.driver.act(act);
        self.deliver();
        if self.driver.endpoint().calls() < before {
            let driver = &mut self.driver;
            self.routes
                .retain(|call, _| driver.act(|endpoint, _, _| endpoint.call(*call).is_ok()));
        }
        done
    }

    /// A verb of a call.
    pub(super) fn verb(
        &mut self,
        call: CallHandle,
        verb: impl FnOnce(&mut CallView<'_>, Time, &mut VecDeque<Output>) -> Result<(), Misuse>,
    ) -> Result<(), Misuse> {
        self.driver
            .act(|endpoint, now, out| verb(&mut endpoint.call(call)?, now, out))
    }

    /// Places a call that belongs to who gets it.
    pub(super) fn invite(&mut self, invitation: Invitation) -> Result<OutgoingCall, CallError> {
        let link = self.link().ok_or(CallError::Stopped)?;
        let call = self.driver.place(invitation)?;
        let (mail, events) = mpsc::channel(self.shared.bounds.events);
        let (tell, told) = oneshot::channel();
        let route = Route::new(Some(mail), Some(tell));
        let line = Line::new(CallRef::new(link, call, &route), events);
        self.routes.insert(call, route);
        Ok(OutgoingCall::new(line, told))
    }

    /// Sends a request that belongs to who gets it.
    pub(super) fn ask(&mut self, method: &str, invitation: Invitation) -> Result<Line, CallError> {
        let link = self.link().ok_or(CallError::Stopped)?;
        let call = self.driver.ask(method, invitation)?;
        let route = Route::new(None, None);
        let (_, events) = mpsc::channel(1);
        let line = Line::new(CallRef::new(link, call, &route), events);
        self.routes.insert(call, route);
        Ok(line)
    }

    /// The re-INVITE of this side.
    pub(super) fn reinvite(
        &mut self,
        call: CallHandle,
        outgoing: Outgoing,
        tell: oneshot::Sender<Changed>,
    ) -> Result<(), Misuse> {
        self.verb(call, |call, now, out| call.reinvite(now, outgoing, out))?;
        if let Some(route) = self.routes.get_mut(&call) {
            route.reinvite = Some(tell);
        }
        Ok(())
    }

    /// The UPDATE of this side. Two at a time could not be told apart by their responses.
    pub(super) fn update(
        &mut self,
        call: CallHandle,
        outgoing: Outgoing,
        tell: oneshot::Sender<Changed>,
    ) -> Result<(), Misuse> {
        let route = self.routes.get(&call);
        if route.is_some_and(|route| route.update.is_some()) {
            return Err(Misuse::WrongState {
                verb: "update",
                state: "with another UPDATE in progress",
            });
        }
        self.verb(call, |call, now, out| call.update(now, outgoing, out))?;
        if let Some(route) = self.routes.get_mut(&call) {
            route.update = Some(tell);
        }
        Ok(())
    }

    /// Another request of this side within the call.
    pub(super) fn send(
        &mut self,
        call: CallHandle,
        method: &str,
        outgoing: Outgoing,
        tell: oneshot::Sender<Responded>,
    ) -> Result<(), Misuse> {
        let mut sent = None;
        self.verb(call, |call, now, out| {
            call.send(now, method, outgoing, out)?;
            sent = call.machine().map(Machine::last_request);
            Ok(())
        })?;
        if let (Some(request), Some(route)) = (sent, self.routes.get_mut(&call)) {
            route.requests.push((request, tell));
        }
        Ok(())
    }

    /// Accepts the INVITE.
    pub(super) fn answer(&mut self, call: CallHandle, outgoing: Outgoing) -> Result<(), Misuse> {
        self.verb(call, |call, now, out| call.answer(now, outgoing, out))?;
        if let Some(route) = self.routes.get_mut(&call) {
            route.rings = false;
        }
        Ok(())
    }

    /// Does something about the re-INVITE of the other side, if that is still the one.
    pub(super) fn for_reoffer(
        &mut self,
        (call, number): (CallHandle, u64),
        is_final: bool,
        verb: impl FnOnce(&mut CallView<'_>, Time, &mut VecDeque<Output>) -> Result<(), Misuse>,
    ) -> Result<(), Misuse> {
        let is_open = |route: &&mut Route| route.reoffer == Some(number);
        if self.routes.get_mut(&call).filter(is_open).is_none() {
            return Err(Misuse::WrongState {
                verb: "answer",
                state: "without that re-INVITE",
            });
        }
        self.verb(call, verb)?;
        if is_final && let Some(route) = self.routes.get_mut(&call) {
            route.reoffer = None;
        }
        Ok(())
    }

    /// Whether its user has not heard of its end.
    pub(super) fn has(&self, call: CallHandle) -> bool {
        self.routes.contains_key(&call)
    }

    /// Answers a request of the other side.
    pub(super) fn respond(
        &mut self,
        request: RequestHandle,
        status: StatusCode,
        outgoing: Outgoing,
    ) -> Result<(), Misuse> {
        self.driver.act(|endpoint, now, out| {
            endpoint
                .request(request)?
                .respond(now, status, outgoing, out)
        })
    }

    /// What an owner that is gone has left. A verb that meets something that is over is no trouble.
    fn take_leave(&mut self, farewell: Farewell) {
        let _ = match farewell {
            Farewell::Call { call, panicked } => self.hang_up(call, panicked),
            Farewell::Request { request, status } => self.respond(request, status, Outgoing::new()),
            Farewell::Reoffer { call, number } => {
                let status = StatusCode::NOT_ACCEPTABLE_HERE;
                self.for_reoffer((call, number), true, |call, now, out| {
                    call.reject(now, status, Outgoing::new(), out)
                })
            }
            Farewell::Reinvite { call } => self.verb(call, |call, now, out| {
                call.cancel_reinvite(now, Outgoing::new(), out)
            }),
        };
    }

    fn hang_up(&mut self, call: CallHandle, panicked: bool) -> Result<(), Misuse> {
        if !panicked {
            return self.verb(call, |call, now, out| call.hang_up(now, out));
        }
        let status = StatusCode::SERVER_INTERNAL_ERROR;
        let rings = self.routes.get(&call).is_some_and(|route| route.rings);
        if rings {
            return self.verb(call, |call, now, out| {
                call.reject(now, status, Outgoing::new(), out)
            });
        }
        // RFC 3326.
        let why = HeaderList::new().with("Reason", "SIP;cause=500")?;
        let outgoing = Outgoing::new().with_headers(why);
        self.verb(call, |call, now, out| call.hang_up_with(now, outgoing, out))
    }

    /// `None` if nobody is left.
    fn link(&self) -> Option<Link> {
        Some(Link {
            jobs: self.jobs.upgrade()?,
            farewells: self.farewells.clone(),
            shared: Arc::clone(&self.shared),
        })
    }
}

/// Events, to whom they are for.
impl Desk {
    fn deliver(&mut self) {
        while let Some(event) = self.driver.core.events.pop_front() {
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Incoming {
                call,
                request,
                offer,
            } => self.on_incoming(call, request, offer),
            Event::Request {
                request,
                call,
                message,
            } => self.on_request(call, request, message, StatusCode::SERVER_INTERNAL_ERROR),
            Event::Offered {
                call,
                request,
                message,
            } => self.on_request(
                Some(call),
                request,
                message,
                StatusCode::NOT_ACCEPTABLE_HERE,
            ),
            Event::Reoffered { call, request } => self.on_reoffered(call, request),
            Event::Answered {
                call,
                response,
                answer_needed,
            } => self.on_answered(call, response, answer_needed),
            Event::Updated {
                call,
                response,
                answer_needed,
            } => self.on_updated(call, response, answer_needed),
            Event::UpdateRefused {
                call,
                response,
                changed,
            } => self.on_update_refused(call, response, changed),
            Event::Response {
                call,
                request,
                response,
            } => self.on_response(call, request, response),
            Event::RequestFailed {
                call,
                request,
                failure,
            } => self.on_failed(call, request, failure),
            Event::Acknowledged {
                call,
                request,
                answer_missing,
            } => self.on_acknowledged(call, request, answer_missing),
            Event::Ended { call, reason } => {
                if let Some(route) = self.routes.remove(&call) {
                    route.end(reason);
                }
            }
            Event::ReinviteOutdated { call, outgoing } => {
                self.on_outdated(call, None, outgoing);
            }
            Event::UpdateOutdated {
                call,
                leg,
                outgoing,
            } => self.on_outdated(call, Some(leg), outgoing),
            Event::RequestExpired { call, .. } => {
                // Whoever has it answers nothing any more, and need not.
                if let Some(call) = call {
                    self.tell(call, event);
                }
            }
            Event::ReofferCancelled { call, .. } | Event::ReofferExpired { call, .. } => {
                if let Some(route) = self.routes.get_mut(&call) {
                    route.reoffer = None;
                }
                self.tell(call, event);
            }
            Event::Progress { call, .. }
            | Event::Redirected { call, .. }
            | Event::Retried { call, .. }
            | Event::Rerouted { call, .. }
            | Event::UpdateDeferred { call, .. }
            | Event::TargetRefreshed { call }
            | Event::PeerIdentified { call, .. }
            | Event::Identified { call, .. }
            | Event::Pracked { call, .. }
            | Event::Refreshed { call, .. }
            | Event::SessionRefreshed { call, .. }
            | Event::ForkDropped { call, .. } => self.tell(call, event),
            // The endpoint sees to it, and counts what it refuses.
            Event::OverloadBegan { .. } | Event::OverloadEnded { .. } => {}
        }
    }

    fn on_incoming(&mut self, call: CallHandle, request: Box<Request>, offer: bytes::Bytes) {
        let Some(link) = self.link() else {
            return self.refuse(call);
        };
        let (mail, events) = mpsc::channel(self.shared.bounds.events);
        let (tell, told) = oneshot::channel();
        let mut route = Route::new(Some(mail), Some(tell));
        route.rings = true;
        let line = Line::new(CallRef::new(link, call, &route), events);
        self.routes.insert(call, route);
        let incoming = IncomingCall::new(line, told, request, offer);
        if let Err(arrival) = self.arrive(Arrival::Call(incoming)) {
            self.refuse(call);
            drop(arrival);
        }
    }

    fn refuse(&mut self, call: CallHandle) {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let _ = self.verb(call, |call, now, out| call.reject(now, status, busy(), out));
    }

    /// Puts it before the application, if there is one that has room.
    fn arrive(&mut self, arrival: Arrival) -> Result<(), Box<Arrival>> {
        use mpsc::error::TrySendError;
        let sent = match &self.arrivals {
            Some(arrivals) => arrivals.try_send(arrival),
            None => Err(TrySendError::Closed(arrival)),
        };
        sent.map_err(|error| {
            Tallies::count(&self.shared.tallies.arrivals_refused);
            match error {
                TrySendError::Full(arrival) | TrySendError::Closed(arrival) => Box::new(arrival),
            }
        })
    }

    /// A request that the application answers; `otherwise` if it does not.
    fn on_request(
        &mut self,
        call: Option<CallHandle>,
        request: RequestHandle,
        message: Box<Request>,
        otherwise: StatusCode,
    ) {
        let Some(link) = self.link() else {
            let _ = self.respond(request, otherwise, Outgoing::new());
            return;
        };
        let is_offer = otherwise == StatusCode::NOT_ACCEPTABLE_HERE;
        let incoming = IncomingRequest::new(link, request, message, otherwise);
        match call {
            Some(call) if is_offer => self.mail(call, CallEvent::Offered(incoming)),
            Some(call) => self.mail(call, CallEvent::Request(incoming)),
            None => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                if let Err(arrival) = self.arrive(Arrival::Request(incoming)) {
                    let _ = self.respond(request, status, busy());
                    drop(arrival);
                }
            }
        }
    }

    fn on_reoffered(&mut self, call: CallHandle, request: Box<Request>) {
        let (Some(link), Some(route)) = (self.link(), self.routes.get_mut(&call)) else {
            return;
        };
        route.reoffers = route.reoffers.wrapping_add(1);
        let number = route.reoffers;
        route.reoffer = Some(number);
        let reoffer = Reoffer::new(link, (call, number), request);
        self.mail(call, CallEvent::Reoffered(reoffer));
    }

    fn on_answered(&mut self, call: CallHandle, response: Box<Response>, answer_needed: bool) {
        let Some(route) = self.routes.get_mut(&call) else {
            return;
        };
        let (mail, events) = mpsc::channel(self.shared.bounds.events);
        // The end of the mailbox so far tells its reader that something was decided.
        route.mail = Some(mail);
        if let Some(tell) = route.established.take() {
            // Whoever placed it is gone if it is not taken, and has hung up.
            let _ = tell.send(Established::Answered {
                response,
                answer_needed,
                events,
            });
        }
    }

    fn on_acknowledged(&mut self, call: CallHandle, ack: Box<Request>, answer_missing: bool) {
        let Some(route) = self.routes.get_mut(&call) else {
            return;
        };
        match route.established.take() {
            Some(tell) => {
                let _ = tell.send(Established::Acknowledged {
                    ack,
                    answer_missing,
                });
            }
            None => self.tell(
                call,
                Event::Acknowledged {
                    call,
                    request: ack,
                    answer_missing,
                },
            ),
        }
    }

    fn on_updated(&mut self, call: CallHandle, response: Box<Response>, answer_needed: bool) {
        let waiting = self.take_change(call, response.cseq().method);
        let updated = Updated {
            response,
            answer_needed,
        };
        let untold = match waiting {
            Some(tell) => tell.send(Ok(updated)).err().and_then(Result::ok),
            None => Some(updated),
        };
        if let Some(updated) = untold {
            let Updated {
                response,
                answer_needed,
            } = updated;
            self.tell(
                call,
                Event::Updated {
                    call,
                    response,
                    answer_needed,
                },
            );
        }
    }

    fn on_update_refused(&mut self, call: CallHandle, response: Box<Response>, changed: bool) {
        let told = self.take_change(call, response.cseq().method);
        let refused = Event::UpdateRefused {
            call,
            response: response.clone(),
            changed,
        };
        let error = CallError::Refused { response, changed };
        if told.is_none_or(|tell| tell.send(Err(error)).is_err()) {
            self.tell(call, refused);
        }
    }

    /// A re-INVITE, or an UPDATE on that leg, that waited and was not sent.
    fn on_outdated(&mut self, call: CallHandle, leg: Option<LegId>, outgoing: Box<Outgoing>) {
        let method = leg.map_or(Method::Invite, |_| Method::Update);
        let told = self.take_change(call, method);
        let event = match leg {
            Some(leg) => Event::UpdateOutdated {
                call,
                leg,
                outgoing: outgoing.clone(),
            },
            None => Event::ReinviteOutdated {
                call,
                outgoing: outgoing.clone(),
            },
        };
        let error = CallError::Outdated { outgoing };
        if told.is_none_or(|tell| tell.send(Err(error)).is_err()) {
            self.tell(call, event);
        }
    }

    /// Who waits for a change by this method, and waits no more.
    fn take_change(
        &mut self,
        call: CallHandle,
        method: Method<'_>,
    ) -> Option<oneshot::Sender<Changed>> {
        let route = self.routes.get_mut(&call)?;
        match method == Method::Update {
            true => route.update.take(),
            false => route.reinvite.take(),
        }
    }

    fn on_response(&mut self, call: CallHandle, request: RequestId, response: Box<Response>) {
        let is_final = response.status().is_final();
        let route = self.routes.get_mut(&call).filter(|_| is_final);
        let untold = match route.and_then(|route| route.take_request(request)) {
            Some(tell) => tell.send(Ok(response)).err().and_then(Result::ok),
            None => Some(response),
        };
        if let Some(response) = untold {
            self.tell(
                call,
                Event::Response {
                    call,
                    request,
                    response,
                },
            );
        }
    }

    fn on_failed(&mut self, call: CallHandle, request: RequestId, failure: Failure) {
        let error = CallError::Failed(failure);
        let known = self.routes.get_mut(&call);
        if let Some(tell) = known.and_then(|route| route.take_request(request)) {
            if tell.send(Err(error)).is_ok() {
                return;
            }
        } else if self.changes_failed(call, &error) {
            return;
        }
        self.tell(
            call,
            Event::RequestFailed {
                call,
                request,
                failure,
            },
        );
    }

    /// The request of a change has failed if the call makes none any more. Whether somebody has
    /// heard of it.
    fn changes_failed(&mut self, call: CallHandle, error: &CallError) -> bool {
        let mut is_changing = [Method::Invite, Method::Update].map(|_| false);
        let _ = self.verb(call, |call, _, _| {
            let machine = call.machine();
            is_changing = [Method::Invite, Method::Update]
                .map(|method| machine.is_some_and(|machine| machine.is_changing(method)));
            Ok(())
        });
        let [reinvites, updates] = is_changing;
        let Some(route) = self.routes.get_mut(&call) else {
            return false;
        };
        let over = [
            route.reinvite.take_if(|_| !reinvites),
            route.update.take_if(|_| !updates),
        ];
        let mut is_told = false;
        for tell in over.into_iter().flatten() {
            is_told |= tell.send(Err(error.clone())).is_ok();
        }
        is_told
    }

    fn tell(&mut self, call: CallHandle, event: Event) {
        self.mail(call, CallEvent::Told(event));
    }

    /// To the mailbox of its call. What finds no room is counted; a request in it is refused by
    /// being dropped.
    fn mail(&mut self, call: CallHandle, event: CallEvent) {
        use mpsc::error::TrySendError;
        let Some(route) = self.routes.get(&call) else {
            return Tallies::count(&self.shared.tallies.events_lost);
        };
        let Some(mail) = &route.mail else {
            return;
        };
        match mail.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                Tallies::count(&route.fate.missed);
                Tallies::count(&self.shared.tallies.events_lost);
            }
            // Its owner has gone, and said so.
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// As an endpoint that is full says it.
fn busy() -> Outgoing {
    let headers = HeaderList::new().with("Retry-After", "5");
    Outgoing::new().with_headers(headers.unwrap_or_default())
}

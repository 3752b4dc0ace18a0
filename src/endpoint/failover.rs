//! Requests that go another way than the first: to the next server (RFC 3263 4.3), or over a
//! stream because of their size, and back (RFC 3261 18.1.1).

use alloc::boxed::Box;

use smallvec::smallvec;

use super::calls::{CallEntry, Unsent};
use super::config::LargeRequests;
use super::locations::{Actions, Errand, Waiting};
use super::{
    CallEvent, CallHandle, ClientHandle, Endpoint, Event, LocationHandle, Output, Reroute,
};
use crate::call::RequestId;
use crate::locate::{self, Command, Locate};
use crate::machine::Machine;
use crate::message::{Draft, StatusCode};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;
use crate::transaction::invite_client;
use crate::transport::{Flow, Transport};

/// The largest request that goes in a datagram where the path MTU is not known (18.1.1).
const DATAGRAM_BYTES: usize = 1_300;

/// How a request that fails can go on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Trail {
    draft: Draft,
    /// The servers that are left.
    locate: Option<Locate>,
    /// Where it would have gone but for its size.
    datagram: Option<Flow>,
    /// The peer refused the stream that its size led to.
    refused: bool,
}

impl Trail {
    /// `None` if there is no other way.
    pub(super) fn new(
        draft: &Draft,
        locate: Option<&Locate>,
        datagram: Option<Flow>,
    ) -> Option<Box<Self>> {
        let locate = locate.filter(|locate| locate.has_next()).cloned();
        (locate.is_some() || datagram.is_some()).then(|| {
            Box::new(Self {
                draft: draft.clone(),
                locate,
                datagram,
                refused: false,
            })
        })
    }
}

impl Endpoint {
    /// The stream to the same address that a request of that size takes instead of UDP.
    pub(super) fn stream_for(&self, call: CallHandle, bytes: usize, flow: &Flow) -> Option<Flow> {
        let too_large = flow.transport == Transport::Udp && bytes > DATAGRAM_BYTES;
        if !too_large || self.config.large_requests == LargeRequests::Datagram {
            return None;
        }
        let refused = self.calls.get(call).is_some_and(|c| c.stream_refused);
        let stream = || self.places.flow(Transport::Tcp, flow.remote, None);
        (!refused).then(stream).flatten()
    }

    /// Sends a request that failed another way. Gives back what its call must hear if there is
    /// none, or if this is no failure of the server.
    pub(super) fn fail_over(
        &mut self,
        now: Time,
        client: ClientHandle,
        verdict: CallEvent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Option<CallEvent> {
        let Some(entry) = self.clients.get_mut(client) else {
            return Some(verdict);
        };
        // What has its verdict goes nowhere later: an ACK that cannot be sent is none.
        let trail = entry.trail.take();
        let trail = trail.filter(|_| is_of_the_server(&verdict, entry.heard));
        let (call, request) = (entry.owner.call, entry.owner.request);
        let (Some(request), Some(trail)) = (request, trail) else {
            return Some(verdict);
        };
        let Trail {
            mut draft,
            locate,
            datagram,
            refused,
        } = *trail;
        // A new transaction (3263 4.3).
        let ids = &self.context.ids;
        let base = ids.base(&[draft.branch()]);
        draft.rebranch(ids.branch(base, 0));
        if let Some(flow) = datagram.filter(|_| refused) {
            self.detach(call, request, client);
            self.send_as_datagram(now, (call, request, draft), flow, locate.as_ref(), out);
            return None;
        }
        let Some(locate) = locate else {
            return Some(verdict);
        };
        let errand = Errand {
            call,
            request: Some(request),
            draft,
            verdict: Some(Box::new(verdict.clone())),
        };
        match self.next_place(now, errand, locate) {
            Ok((location, mut actions)) => {
                self.detach(call, request, client);
                self.tell_rerouted(now, (call, request), out);
                self.perform_location(now, location, &mut actions, out);
                None
            }
            Err(_) => Some(verdict),
        }
    }

    /// What the last server's responses have made is over.
    #[cold]
    fn tell_rerouted(
        &mut self,
        now: Time,
        (call, request): (CallHandle, RequestId),
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.tell_call(now, call, CallEvent::Rerouted { request }, out);
    }

    /// Has an errand wait for the server after the one that does not serve; gives it back if there
    /// is none.
    pub(super) fn next_place(
        &mut self,
        now: Time,
        errand: Errand,
        mut locate: Locate,
    ) -> Result<(LocationHandle, Actions), Box<Errand>> {
        let mut actions = Actions::new();
        // It has named a target.
        let _ = locate.command(now, Command::Next, &mut actions);
        if actions.is_empty() || actions.contains(&locate::Action::Exhausted) {
            return Err(Box::new(errand));
        }
        let waiting = Waiting::Requests {
            call: errand.call,
            errands: smallvec![errand.clone()],
            place: None,
        };
        match self.wait_for(locate, waiting) {
            Some(location) => Ok((location, actions)),
            None => Err(Box::new(errand)),
        }
    }

    /// The call hears no more of this transaction: another one carries its request. It lives on
    /// to acknowledge copies of the 503.
    fn detach(&mut self, call: CallHandle, request: RequestId, client: ClientHandle) {
        if let Some(entry) = self.clients.get_mut(client) {
            entry.owner.request = None;
        }
        let Some(entry) = self.calls.get_mut(call) else {
            return;
        };
        for (id, handle) in &mut entry.clients {
            if *id == Some(request) && *handle == client {
                *id = None;
            }
        }
    }

    /// 18.1.1: a peer that has no TCP gets the request over UDP, whatever its size.
    fn send_as_datagram(
        &mut self,
        now: Time,
        (call, request, draft): (CallHandle, RequestId, Draft),
        flow: Flow,
        locate: Option<&Locate>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.remember_refusal(call);
        self.tell_reroute(call, Reroute::StreamRefused, flow, out);
        let errand = Errand {
            call,
            request: Some(request),
            draft,
            verdict: None,
        };
        let mut unsent = Unsent::new();
        self.dispatch(now, errand, flow, locate, &mut unsent, out);
        self.tell_unsent(now, call, unsent, out);
    }

    /// The peer of the call has no TCP.
    pub(super) fn remember_refusal(&mut self, call: CallHandle) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.stream_refused = true;
        }
    }

    pub(super) fn tell_reroute(
        &mut self,
        call: CallHandle,
        reason: Reroute,
        flow: Flow,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let counter = match reason {
            Reroute::Failover => &mut self.counters.failed_over,
            Reroute::TooLarge => &mut self.counters.oversized,
            Reroute::StreamRefused => &mut self.counters.stream_refused,
        };
        *counter = counter.saturating_add(1);
        // Nothing of a call is heard after its end.
        let is_heard = |entry: &CallEntry| !entry.call.has_ended();
        if self.calls.get(call).is_some_and(is_heard) {
            out.push(Output::Event(Event::Rerouted { call, reason, flow }));
        }
    }

    /// The connection for a request was refused: if its size alone led there, UDP serves.
    pub(super) fn on_refused(
        &mut self,
        now: Time,
        client: ClientHandle,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if let Some(trail) = self.clients.get_mut(client).and_then(|c| c.trail.as_mut()) {
            trail.refused = true;
        }
        self.drive_client(now, client, out, |machine, actions| {
            machine.receive(now, invite_client::Event::TransportError, actions);
        });
    }
}

/// RFC 3263 4.3: 503, a failure of the transport, or a timeout without any response.
fn is_of_the_server(verdict: &CallEvent, heard: bool) -> bool {
    match verdict {
        CallEvent::Response { response, .. } => {
            response.status() == StatusCode::SERVICE_UNAVAILABLE
        }
        CallEvent::Failed { failure, .. } => match failure {
            Failure::Transport => true,
            Failure::Timeout => !heard,
            Failure::NoAck
            | Failure::CancelTimeout
            | Failure::Withheld
            | Failure::Unroutable
            | Failure::Unresolved
            | Failure::NoLocalAddress
            | Failure::NoRoom
            | Failure::Withdrawn => false,
        },
        CallEvent::Gone { .. }
        | CallEvent::Request { .. }
        | CallEvent::Cancel { .. }
        | CallEvent::Ack { .. }
        | CallEvent::Rerouted { .. }
        | CallEvent::Settled { .. } => false,
    }
}

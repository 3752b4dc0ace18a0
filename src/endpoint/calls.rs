//! Calls in their table, and what they want done.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use smallvec::SmallVec;

use super::arrival::Arrival;
use super::clients::{Owner as ClientOwner, Start};
use super::failover::Trail;
use super::locations::Errand;
use super::notices::event_of;
use super::servers::{Owner, server_handle, server_id};
use super::{
    CallEvent, CallHandle, ClientHandle, Dropped, Endpoint, Event, LocationHandle, Origin, Output,
    Part, RequestHandle, Reroute, event_for,
};
use crate::call::{
    Action, Call, Command, Invitation, Notice, RequestId, ServerId, session_description,
};
use crate::error::Misuse;
use crate::locate::Locate;
use crate::machine::Machine;
use crate::message::{Body, Draft, HeaderList, Method, Outgoing, Request, StatusCode, Uri};
use crate::seed::Token;
use crate::sink::Sink;
use crate::table::Hashed;
use crate::time::Time;
use crate::transaction::Failure;
use crate::transport::{Flow, NextHop, Transport};

/// What one call of a call pushed.
pub(super) type Actions = SmallVec<[Action; 4]>;

/// What a call must hear of its requests that could not be sent, once all else that it wanted is
/// done (law L2): told at once, what it does about it would come before what it wanted first.
///
/// Nearly always empty.
pub(super) type Unsent = Vec<CallEvent>;

/// A call, and what of the tables is its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct CallEntry {
    pub(super) call: Call,
    /// Where in the table of dialogs it is.
    pub(super) hashed: Hashed,
    /// The flow of its INVITE: where its other requests leave from.
    pub(super) flow: Option<Flow>,
    pub(super) clients: SmallVec<[(Option<RequestId>, ClientHandle); 2]>,
    pub(super) servers: SmallVec<[RequestHandle; 2]>,
    /// Requests that wait for an address.
    pub(super) locations: Vec<LocationHandle>,
    /// The peer refused the stream that a large request asked for (18.1.1).
    pub(super) stream_refused: bool,
}

impl CallEntry {
    fn new(call: Call, hashed: Hashed, flow: Option<Flow>) -> Self {
        Self {
            call,
            hashed,
            flow,
            clients: SmallVec::new(),
            servers: SmallVec::new(),
            locations: Vec::new(),
            stream_refused: false,
        }
    }
}

impl Endpoint {
    /// An INVITE, or with a method that request outside of any dialog.
    pub(super) fn place_call(
        &mut self,
        now: Time,
        ordinal: u64,
        (method, invitation): (Option<&str>, Invitation),
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<CallHandle, Misuse> {
        if self.calls() >= self.limits().calls {
            return Err(Misuse::LimitReached { limit: "calls" });
        }
        if !self.has_room(false) {
            return Err(Misuse::LimitReached {
                limit: "transactions",
            });
        }
        let ids = self.context.ids.call(ordinal);
        let hashed = self.dialog_hashed(ids.from_tag.as_bytes());
        if self.find_call(hashed, |call| call.is_by(&ids)).is_some() {
            return Err(Misuse::Malformed {
                what: "ordinal: it is in use",
            });
        }
        let flow = self.first_flow(&invitation)?;
        let mut actions = Actions::new();
        let context = self.context.clone();
        let call = match method {
            None => Call::place(now, context, &ids, invitation, &mut actions)?,
            Some(method) => {
                let invitation = match method == Method::Options.as_str() {
                    true => invitation.accepting(&self.config.accept.join(", ")),
                    false => invitation,
                };
                Call::ask(now, context, &ids, method, invitation, &mut actions)?
            }
        };
        let full = Misuse::LimitReached { limit: "calls" };
        let entry = CallEntry::new(call, hashed, None);
        let call = self.calls.insert(entry).ok_or(full)?;
        self.dialogs.insert(hashed, call);
        self.rearm_call(call);
        let mut unsent = Unsent::new();
        if let (Some(flow), Some(Action::Invite { .. })) = (flow, actions.first())
            && let Action::Invite { request, draft } = actions.remove(0)
        {
            let request = Some(request);
            let errand = Errand {
                call,
                request,
                draft,
                verdict: None,
            };
            self.dispatch(now, errand, flow, None, &mut unsent, out);
        }
        self.perform_call(now, call, &mut actions, out);
        self.tell_unsent(now, call, unsent, out);
        Ok(call)
    }

    /// A target that no local address reaches is the caller's mistake, and found before anything
    /// is sent. Where a name leads is found out later.
    fn first_flow(&self, invitation: &Invitation) -> Result<Option<Flow>, Misuse> {
        let uri = invitation.first_hop();
        let Some(hop) = NextHop::read(uri, invitation.is_secure()) else {
            let is_sip = Uri::parse(uri).is_ok_and(|uri| uri.as_sip().is_some());
            return Err(Misuse::Malformed {
                what: match is_sip {
                    true => "target",
                    false => {
                        "target: it is no SIP URI, so it needs a proxy (via_proxy) that knows it"
                    }
                },
            });
        };
        let reach = self.places.reach();
        match (hop.address(), hop.transport) {
            (Some(remote), _) => {
                let flow = self.places.flow(transport_of(&hop), remote, None);
                flow.map(Some).ok_or(Misuse::NoLocalAddress)
            }
            (None, Some(transport)) if reach.speaks(transport) => Ok(None),
            // DNS decides, among what is spoken.
            (None, None) if !hop.secure && !self.config.locals.is_empty() => Ok(None),
            (None, None) if reach.speaks(Transport::Tls) || reach.speaks(Transport::Wss) => {
                Ok(None)
            }
            (None, _) => Err(Misuse::NoLocalAddress),
        }
    }

    /// 13.3: an INVITE outside any dialog.
    pub(super) fn take_invite(
        &mut self,
        now: Time,
        request: Box<Request>,
        arrival: &Arrival,
        tag: Token,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let hashed = self.dialog_hashed(tag.as_bytes());
        if self.has_dialogs(hashed, request.call_id_bytes(), tag.as_bytes()) {
            // The INVITE of a call that stands, come once more after its transaction has gone
            // (8.2.2.2).
            let none = HeaderList::new();
            return self.refuse(&request, arrival, StatusCode::LOOP_DETECTED, &none, out);
        }
        let server = self.start_server(now, &request, arrival, tag, Owner::Nobody, out);
        let Some(server) = server else {
            return self.busy(&request, arrival, out);
        };
        let host = self.places.contact(&arrival.flow);
        let context = self.context.clone();
        let entry = |_| {
            let call = Call::incoming(
                now,
                context,
                server_id(server),
                &request,
                arrival.reply.clone(),
                tag.as_str(),
                host,
            );
            let mut entry = CallEntry::new(call, hashed, Some(arrival.flow));
            entry.servers.push(server);
            entry
        };
        let Some(call) = self.calls.insert_with(entry) else {
            self.end_server(server);
            return self.busy(&request, arrival, out);
        };
        self.dialogs.insert(hashed, call);
        if let Some(entry) = self.servers.get_mut(server) {
            entry.owner = Owner::Call(call);
        }
        self.rearm_call(call);
        let offer = session_description(&request, self.limits()).unwrap_or_default();
        out.push(Output::Event(Event::Incoming {
            call,
            request,
            offer,
        }));
    }

    pub(super) fn tell_call(
        &mut self,
        now: Time,
        call: CallHandle,
        event: CallEvent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.drive_call(now, call, out, |call, actions| {
            event_for(call, now, event, actions)
        });
    }

    /// The application's verbs.
    pub(super) fn command_call(
        &mut self,
        now: Time,
        call: CallHandle,
        command: Command,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let mut result = Err(Misuse::UnknownHandle);
        self.drive_call(now, call, out, |call, actions| {
            result = call.command(now, command, actions);
        });
        result
    }

    /// Calls the machine and does what it wants.
    pub(super) fn drive_call(
        &mut self,
        now: Time,
        call: CallHandle,
        out: &mut (impl Sink<Output> + ?Sized),
        drive: impl FnOnce(&mut Call, &mut Actions),
    ) {
        let Some(entry) = self.calls.get_mut(call) else {
            return;
        };
        let mut actions = Actions::new();
        drive(&mut entry.call, &mut actions);
        self.rearm_call(call);
        self.perform_call(now, call, &mut actions, out);
    }

    fn rearm_call(&mut self, call: CallHandle) {
        let at = self.calls.get(call).and_then(|entry| entry.call.deadline());
        self.arm(Part::Call(call), at);
    }

    fn perform_call(
        &mut self,
        now: Time,
        call: CallHandle,
        actions: &mut Actions,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let mut unsent = Unsent::new();
        for action in actions.drain(..) {
            match action {
                Action::Invite { request, draft } | Action::Request { request, draft } => {
                    let request = Some(request);
                    let errand = Errand {
                        call,
                        request,
                        draft,
                        verdict: None,
                    };
                    self.send(now, errand, &mut unsent, out);
                }
                Action::Ack { draft } => {
                    let errand = Errand {
                        call,
                        request: None,
                        draft,
                        verdict: None,
                    };
                    self.send(now, errand, &mut unsent, out);
                }
                Action::Cancel { request, headers } => {
                    self.cancel(now, call, request, headers, &mut unsent, out);
                }
                Action::Respond {
                    server,
                    status,
                    bytes,
                } => {
                    self.respond(now, server_handle(server), status, bytes, out);
                }
                Action::Notify(Notice::Request { server, request })
                    if request.method() == Method::Options =>
                {
                    let body = self.config.body_for(&request);
                    self.answer_options(now, call, (server, body), out);
                }
                Action::Notify(notice) => out.push(Output::Event(event_of(call, notice))),
                Action::Absorbed => {
                    self.counters.absorbed = self.counters.absorbed.saturating_add(1);
                }
                Action::Terminated => self.remove_call(call),
            }
        }
        if !unsent.is_empty() {
            self.tell_unsent(now, call, unsent, out);
        }
    }

    /// Tells a call what could not be sent, after what caused it.
    pub(super) fn tell_unsent(
        &mut self,
        now: Time,
        call: CallHandle,
        unsent: Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        for event in unsent {
            self.tell_call(now, call, event, out);
        }
    }

    /// 11.2, within a dialog: its call has taken the CSeq.
    // Out of line: it is rare, and its registers are wanted by what calls it.
    #[inline(never)]
    fn answer_options(
        &mut self,
        now: Time,
        call: CallHandle,
        (server, body): (ServerId, Option<Body>),
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let outgoing = Outgoing {
            headers: self.options.clone(),
            body,
        };
        let status = StatusCode::OK;
        let command = Command::Respond {
            server,
            status,
            outgoing,
        };
        // The core's own headers and a final status cannot be a misuse.
        let _ = self.command_call(now, call, command, out);
    }

    /// Sends a request of a call to its next hop, at once if that is numeric.
    fn send(
        &mut self,
        now: Time,
        errand: Errand,
        unsent: &mut Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let secure = errand.draft.is_secure();
        let hop = NextHop::read(errand.draft.next_hop(), secure);
        let Some(hop) = hop else {
            return self.fail(errand, Failure::Unroutable, unsent);
        };
        let known = self.calls.get(errand.call).and_then(|entry| entry.flow);
        if let Some(known) = known.filter(|known| is_back_on(known, &hop)) {
            return self.dispatch(now, errand, known, None, unsent, out);
        }
        match hop.address() {
            // The one target of a numeric hop needs no location.
            Some(remote) => {
                let transport = transport_of(&hop);
                match self.places.flow(transport, remote, known.as_ref()) {
                    Some(flow) => self.dispatch(now, errand, flow, None, unsent, out),
                    None => self.fail(errand, Failure::NoLocalAddress, unsent),
                }
            }
            None => {
                // The hop borrows from the draft that goes with the errand.
                let text = errand.draft.next_hop().to_vec();
                if let Some(hop) = NextHop::read(&text, secure) {
                    self.locate_for(now, errand, &hop, unsent, out);
                }
            }
        }
    }

    /// Sends a request of a call on this flow. `locate` knows of others.
    pub(super) fn dispatch(
        &mut self,
        now: Time,
        errand: Errand,
        flow: Flow,
        locate: Option<&Locate>,
        unsent: &mut Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let call = errand.call;
        if !self.may_send(now, &errand, flow.remote) {
            return self.withhold(now, errand, locate, unsent, out);
        }
        let Some(mut bytes) = self.seal(&errand, &flow) else {
            return self.fail(errand, Failure::NoLocalAddress, unsent);
        };
        // 18.1.1: the Via that counts is the one that will be sent.
        let (mut flow, mut datagram) = (flow, None);
        if let Some(stream) = self.stream_for(call, bytes.len(), &flow)
            && let Some(sealed) = self.seal(&errand, &stream)
        {
            datagram = Some(flow);
            (flow, bytes) = (stream, sealed);
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.flow.get_or_insert(flow);
        }
        let oversized = datagram.is_some();
        let host = name_of_hop(&errand.draft, &flow);
        let Some(request) = errand.request else {
            let oversizes = &mut self.counters.oversized;
            *oversizes = oversizes.saturating_add(oversized.into());
            let origin = Origin::Ack { call, oversized };
            return self.transmit(flow, host, bytes, origin, out);
        };
        if errand.verdict.is_some() {
            self.tell_reroute(call, Reroute::Failover, flow, out);
        }
        if oversized {
            self.tell_reroute(call, Reroute::TooLarge, flow, out);
        }
        let trail = Trail::new(&errand.draft, locate, datagram);
        let start = Start {
            owner: ClientOwner {
                call,
                request: Some(request),
            },
            method: errand.draft.method(),
            branch: errand.draft.branch(),
            flow,
            host,
            bytes,
            trail,
        };
        if self.start_client(now, start, out).is_err() {
            self.drop_packet(Dropped::Overload, out);
            self.fail(errand, Failure::NoRoom, unsent);
        }
    }

    /// The whole request as it goes on that flow.
    fn seal(&self, errand: &Errand, flow: &Flow) -> Option<Bytes> {
        let origin = self.places.origin(flow)?;
        // All drafts of calls are written for that one.
        match origin.is_copy_of(&self.context.origin) {
            true => Some(errand.draft.as_written()),
            false => Some(errand.draft.seal(origin)),
        }
    }

    /// A request of a call could not be sent, to this server or at all. Nobody waits for an ACK;
    /// of an INVITE there is no transaction that could say that it is gone.
    #[cold]
    pub(super) fn fail(&mut self, errand: Errand, failure: Failure, unsent: &mut Unsent) {
        let Some(request) = errand.request else {
            self.counters.undelivered = self.counters.undelivered.saturating_add(1);
            return;
        };
        let failed = CallEvent::Failed { request, failure };
        unsent.push(errand.verdict.map_or(failed, |verdict| *verdict));
        if errand.draft.method() == Method::Invite {
            unsent.push(CallEvent::Gone { request });
        }
    }

    /// §9.1, also when the INVITE still waits for an address: then it is never sent.
    #[inline(never)]
    fn cancel(
        &mut self,
        now: Time,
        call: CallHandle,
        request: RequestId,
        headers: HeaderList,
        unsent: &mut Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.calls.get(call) else {
            return;
        };
        let client = entry.clients.iter().find(|(id, _)| *id == Some(request));
        if let Some((_, client)) = client.copied() {
            return self.cancel_client(now, client, headers, out);
        }
        if let Some(errand) = self.withdraw(call, request) {
            self.fail(errand, Failure::Withdrawn, unsent);
        }
    }

    /// The call is over: its dialogs, and what still waits for an address.
    #[inline(never)]
    fn remove_call(&mut self, call: CallHandle) {
        self.arm(Part::Call(call), None);
        let Some(entry) = self.calls.get_mut(call) else {
            return;
        };
        self.dialogs.remove(entry.hashed, call);
        let (locations, servers) = (
            mem::take(&mut entry.locations),
            mem::take(&mut entry.servers),
        );
        self.calls.discard(call);
        for location in locations {
            self.remove_location(location);
        }
        for server in servers {
            // It serves copies of its request until its own end.
            if let Some(server) = self.servers.get_mut(server) {
                server.owner = Owner::Nobody;
            }
        }
    }

    /// Forgets a call as if it had never been: every table entry, timer and buffer.
    pub(super) fn abandon_call(&mut self, call: CallHandle) {
        let Some(entry) = self.calls.get(call) else {
            return;
        };
        let (clients, servers) = (entry.clients.clone(), entry.servers.clone());
        self.remove_call(call);
        for (_, client) in clients {
            self.remove_client(client);
        }
        for server in servers {
            self.end_server(server);
        }
    }
}

/// Whether the way to a next hop is the call's own connection: a peer on a WebSocket cannot be
/// called back (7118 5.3), and writes a name that leads nowhere.
fn is_back_on(known: &Flow, hop: &NextHop<'_>) -> bool {
    known.transport.is_websocket() && hop.transport == Some(known.transport)
}

/// The name of the host that a connection for a request is with (RFC 5922 7.3): that of the next
/// hop. A datagram needs none.
fn name_of_hop(draft: &Draft, flow: &Flow) -> Option<Arc<str>> {
    if !flow.transport.is_reliable() {
        return None;
    }
    let hop = NextHop::read(draft.next_hop(), draft.is_secure())?;
    let is_name = hop.host.ip().is_none();
    is_name.then(|| hop.host.to_string().into())
}

/// The transport to a numeric next hop; whatever must be secure goes over TLS or not at all
/// (8.1.2, 26.2.2).
fn transport_of(hop: &NextHop<'_>) -> Transport {
    match hop.transport {
        Some(transport) => transport,
        None if hop.secure => Transport::Tls,
        None => Transport::Udp,
    }
}

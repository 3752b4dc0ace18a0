//! Server transactions in their table.

use bytes::Bytes;
use smallvec::SmallVec;

use super::arrival::Arrival;
use super::detour::ReturnPath;
use super::{CallEvent, CallHandle, Endpoint, Event as Heard, Origin, Output, Part, RequestHandle};
use crate::call::{ServerId, check_coding, check_response};
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::{Body, HeaderList, Method, Outgoing, Reply, Request, StatusCode};
use crate::seed::Token;
use crate::sink::Sink;
use crate::table::Hashed;
use crate::time::Time;
use crate::transaction::invite_server::{Action, Command, Event};
use crate::transaction::key::ServerKey;
use crate::transaction::non_invite_server::is_allowed;
use crate::transaction::{InviteServer, NonInviteServer, Reliability, non_invite_server, rebase};

/// What one call of a server transaction pushed.
pub(super) type Actions = SmallVec<[Action; 3]>;

/// A server transaction, where its responses go, and who gives them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct ServerEntry {
    machine: Server,
    /// Its name, and where in the index it is.
    key: ServerKey,
    hashed: Hashed,
    pub(super) path: ReturnPath,
    /// The last response, for another place if it cannot be sent to the first.
    pub(super) sent: Bytes,
    pub(super) owner: Owner,
    /// The tag in the To of its responses.
    pub(super) tag: Token,
    /// What its copies over another way have in common with it (8.2.2.2).
    origin: Option<Hashed>,
}

/// Who answers a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Owner {
    Call(CallHandle),
    /// The application, outside of any call, until then.
    Application {
        reply: Reply,
        until: Option<Time>,
    },
    /// It is answered.
    Nobody,
}

/// Both machines under the names of the one that can do more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Server {
    Invite(InviteServer),
    Other(NonInviteServer),
}

impl Server {
    pub(super) fn receive(&mut self, now: Time, event: Event, out: &mut Actions) {
        match self {
            Self::Invite(machine) => machine.receive(now, event, out),
            Self::Other(machine) => {
                let event = match event {
                    Event::Invite => non_invite_server::Event::Request,
                    Event::TransportError => non_invite_server::Event::TransportError,
                    // Only an INVITE is acknowledged.
                    Event::Ack(_) => return,
                };
                machine.receive(now, event, &mut |action| out.push(retagged(action)));
            }
        }
    }

    fn respond(
        &mut self,
        now: Time,
        status: StatusCode,
        bytes: Bytes,
        out: &mut Actions,
    ) -> Result<(), Misuse> {
        match self {
            Self::Invite(machine) => machine.command(now, Command::Respond { status, bytes }, out),
            Self::Other(machine) => {
                let command = non_invite_server::Command::Respond { status, bytes };
                machine.command(now, command, &mut |action| out.push(retagged(action)))
            }
        }
    }

    fn on_deadline(&mut self, now: Time, out: &mut Actions) {
        match self {
            Self::Invite(machine) => machine.on_deadline(now, out),
            Self::Other(machine) => {
                machine.on_deadline(now, &mut |action| out.push(retagged(action)));
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        match self {
            Self::Invite(machine) => machine.deadline(),
            Self::Other(machine) => machine.deadline(),
        }
    }

    /// An INVITE without 2xx whose ACK has not come.
    fn is_unsettled(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_unsettled(),
            Self::Other(_) => false,
        }
    }

    /// One whose refusal needs no ACK any more (14.1).
    fn is_settled(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_settled(),
            Self::Other(_) => false,
        }
    }

    fn is_pending(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_pending(),
            Self::Other(machine) => machine.is_pending(),
        }
    }
}

impl ServerEntry {
    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        match &mut self.machine {
            Server::Invite(machine) => machine.rebase(from, to),
            Server::Other(machine) => machine.rebase(from, to),
        }
        match &mut self.owner {
            Owner::Application { until, .. } => rebase(until, from, to),
            Owner::Call(_) | Owner::Nobody => {}
        }
    }

    /// The call that still has to answer this INVITE.
    pub(super) fn pending_call(&self) -> Option<CallHandle> {
        match (&self.machine, &self.owner) {
            (Server::Invite(machine), Owner::Call(call)) if machine.is_pending() => Some(*call),
            (Server::Invite(_) | Server::Other(_), _) => None,
        }
    }

    fn deadline(&self) -> Option<Time> {
        let until = match &self.owner {
            Owner::Application { until, .. } => *until,
            Owner::Call(_) | Owner::Nobody => None,
        };
        match (self.machine.deadline(), until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

fn retagged(action: non_invite_server::Action) -> Action {
    match action {
        non_invite_server::Action::Transmit(bytes) => Action::Transmit(bytes),
        non_invite_server::Action::Failed(failure) => Action::Failed(failure),
        non_invite_server::Action::Terminated => Action::Terminated,
    }
}

impl Endpoint {
    /// Starts a server transaction. `None` if there is no room.
    pub(super) fn start_server(
        &mut self,
        now: Time,
        request: &Request,
        arrival: &Arrival,
        tag: Token,
        owner: Owner,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Option<RequestHandle> {
        let reply = arrival.reply.clone();
        let timers = self.context.timers;
        let reliability = match arrival.flow.transport.is_reliable() {
            true => Reliability::Reliable,
            false => Reliability::Unreliable,
        };
        let mut actions = Actions::new();
        let machine = match request.method() == Method::Invite {
            true => Server::Invite(InviteServer::new(
                now,
                timers,
                reliability,
                reply,
                &mut actions,
            )),
            false => Server::Other(NonInviteServer::new(now, timers, reliability, reply)),
        };
        let (hashed, origin) = (arrival.hashed, arrival.origin);
        let call = match &owner {
            Owner::Call(call) => Some(*call),
            Owner::Application { .. } | Owner::Nobody => None,
        };
        let entry = ServerEntry {
            machine,
            key: arrival.key.clone(),
            hashed,
            path: arrival.path.clone(),
            sent: Bytes::new(),
            owner,
            tag,
            origin,
        };
        let server = self.servers.insert(entry)?;
        self.server_keys.insert(hashed, server);
        if let Some(connection) = arrival.path.connection() {
            self.connections.add_server(connection, server);
        }
        if let Some(origin) = origin {
            self.origins.insert(origin, server);
        }
        if let Some(entry) = call.and_then(|call| self.calls.get_mut(call)) {
            entry.servers.push(server);
        }
        self.rearm_server(server);
        self.perform_server(now, server, &mut actions, out);
        Some(server)
    }

    /// The server transaction with this key, whose hash this is.
    pub(super) fn find_server(&self, hashed: Hashed, key: &ServerKey) -> Option<RequestHandle> {
        self.server_keys.find(hashed, |server| {
            let entry = self.servers.get(server);
            entry.is_some_and(|entry| entry.key == *key)
        })
    }

    /// Calls the machine and does what it wants.
    pub(super) fn drive_server(
        &mut self,
        now: Time,
        server: RequestHandle,
        out: &mut (impl Sink<Output> + ?Sized),
        call: impl FnOnce(&mut Server, &mut Actions),
    ) {
        let Some(entry) = self.servers.get_mut(server) else {
            return;
        };
        let mut actions = Actions::new();
        let was_open = entry.machine.is_unsettled();
        call(&mut entry.machine, &mut actions);
        let settled = match entry.owner {
            Owner::Call(call) if was_open && entry.machine.is_settled() => Some(call),
            Owner::Call(_) | Owner::Application { .. } | Owner::Nobody => None,
        };
        self.rearm_server(server);
        self.perform_server(now, server, &mut actions, out);
        if let Some(call) = settled {
            let server = server_id(server);
            self.tell_call(now, call, CallEvent::Settled { server }, out);
        }
    }

    fn rearm_server(&mut self, server: RequestHandle) {
        let at = self.servers.get(server).and_then(ServerEntry::deadline);
        self.arm(Part::Server(server), at);
    }

    fn perform_server(
        &mut self,
        now: Time,
        server: RequestHandle,
        actions: &mut Actions,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        for action in actions.drain(..) {
            let Some(entry) = self.servers.get_mut(server) else {
                return;
            };
            match action {
                Action::Transmit(bytes) => {
                    let again = is_same(&entry.sent, &bytes);
                    let counter = &mut self.counters.retransmissions_sent;
                    *counter = counter.saturating_add(again.into());
                    entry.sent = bytes.clone();
                    let (flow, turn) = (entry.path.flow, entry.path.turn);
                    if entry.path.is_lost() {
                        self.on_response_failed(now, server, turn, out);
                        continue;
                    }
                    let host = entry.path.host();
                    self.transmit(flow, host, bytes, Origin::Server { server, turn }, out);
                }
                Action::Ack(ack) => {
                    if let Owner::Call(call) = entry.owner {
                        self.tell_call(now, call, CallEvent::Ack { ack }, out);
                    }
                }
                // The state stays, copies of the request are served (6026 7.1). The call has
                // timers of its own for what does not arrive.
                Action::Failed(_) => {
                    self.counters.undelivered = self.counters.undelivered.saturating_add(1);
                }
                Action::Terminated => self.end_server(server),
            }
        }
    }

    pub(super) fn end_server(&mut self, server: RequestHandle) {
        self.arm(Part::Server(server), None);
        let Some(entry) = self.servers.remove(server) else {
            return;
        };
        self.server_keys.remove(entry.hashed, server);
        if let Some(origin) = entry.origin {
            self.origins.remove(origin, server);
        }
        if let Some(connection) = entry.path.connection() {
            self.connections.remove_server(connection, server);
        }
        if let Some(location) = entry.path.location() {
            self.remove_location(location);
        }
        if let Owner::Call(call) = entry.owner
            && let Some(call) = self.calls.get_mut(call)
        {
            call.servers.retain(|handle| *handle != server);
        }
    }

    /// The machine's timer, or the end of the application's time: 500, never 408 (4320 4.2).
    pub(super) fn on_server_deadline(
        &mut self,
        now: Time,
        server: RequestHandle,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.drive_server(now, server, out, |machine, actions| {
            machine.on_deadline(now, actions)
        });
        let Some(entry) = self.servers.get(server) else {
            return;
        };
        if let Owner::Application {
            until: Some(until), ..
        } = entry.owner
            && until <= now
        {
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            let _ = self.respond_as_application(now, server, status, &Outgoing::default(), out);
            let (request, call) = (server, None);
            out.push(Output::Event(Heard::RequestExpired { request, call }));
        }
    }

    /// Sends a response in its transaction.
    pub(super) fn respond(
        &mut self,
        now: Time,
        server: RequestHandle,
        status: StatusCode,
        bytes: Bytes,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.drive_server(now, server, out, |machine, actions| {
            // What a call sends is in range; what comes too late is discarded by the machine.
            let _ = machine.respond(now, status, bytes, actions);
        });
    }

    /// The application's answer to a request outside of any call.
    pub(super) fn respond_as_application(
        &mut self,
        now: Time,
        server: RequestHandle,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        check_response(status, outgoing)?;
        let entry = self.servers.get_mut(server).ok_or(Misuse::UnknownHandle)?;
        let Owner::Application { reply, .. } = &entry.owner else {
            return Ok(());
        };
        check_coding(reply, outgoing)?;
        if !is_allowed(status) {
            return Err(Misuse::WrongStatus {
                status: status.as_u16(),
            });
        }
        let tag = Some(entry.tag.as_str());
        let body = outgoing.body.as_ref();
        let bytes = match reply.method() == Some(Method::Options) && status.is_success() {
            // 11.2: all that the core would say.
            true => {
                let headers = outgoing.headers.over(&self.options);
                reply.write(status, None, tag, &headers, body)
            }
            false => reply.write(status, None, tag, &outgoing.headers, body),
        };
        entry.owner = Owner::Nobody;
        self.respond(now, server, status, bytes, out);
        Ok(())
    }

    /// A response that is the core's own, in a transaction that somebody may ask again.
    pub(super) fn answer_at_once(
        &mut self,
        now: Time,
        request: &Request,
        arrival: &Arrival,
        (status, headers): (StatusCode, &HeaderList),
        tag: Token,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let what = (status, headers, None);
        self.answer_with(now, request, arrival, what, tag, out);
    }

    /// The same with a body.
    pub(super) fn answer_with(
        &mut self,
        now: Time,
        request: &Request,
        arrival: &Arrival,
        (status, headers, body): (StatusCode, &HeaderList, Option<&Body>),
        tag: Token,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let reply = &arrival.reply;
        let bytes = reply.write(status, None, Some(tag.as_str()), headers, body);
        match self.start_server(now, request, arrival, tag, Owner::Nobody, out) {
            Some(server) => self.respond(now, server, status, bytes, out),
            None => self.transmit(arrival.path.flow, None, bytes, Origin::Nobody, out),
        }
    }

    /// Whether a request is waiting for its final response.
    pub(super) fn is_pending(&self, server: RequestHandle) -> bool {
        self.servers
            .get(server)
            .is_some_and(|entry| entry.machine.is_pending())
    }
}

/// Whether this is the message that was sent before, not another that reads alike.
fn is_same(before: &Bytes, now: &Bytes) -> bool {
    before.as_ptr() == now.as_ptr() && before.len() == now.len()
}

/// The name of a server transaction towards its call.
pub(super) fn server_id(server: RequestHandle) -> ServerId {
    ServerId(server.to_bits())
}

pub(super) fn server_handle(server: ServerId) -> RequestHandle {
    RequestHandle::from_bits(server.0)
}

//! Client transactions in their table.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;
use equivalent::Equivalent;
use smallvec::SmallVec;

use super::failover::Trail;
use super::{CallEvent, CallHandle, ClientHandle, Dropped, Endpoint, Origin, Output, Part};
use crate::call::RequestId;
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::{HeaderList, Method, Name, Response, derive, split_commas};
use crate::sink::Sink;
use crate::table::Hashed;
use crate::time::Time;
use crate::transaction::invite_client::{Action, Command, Event};
use crate::transaction::key::{Answered, ClientKey};
use crate::transaction::{InviteClient, NonInviteClient, Reliability, Timers, non_invite_client};
use crate::transport::{Flow, Transport};

/// What one call of a client transaction pushed.
pub(super) type Actions = SmallVec<[Action; 4]>;

/// A client transaction, where it sends, and who hears of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct ClientEntry {
    pub(super) machine: Client,
    /// Its name, and where in the index it is.
    key: ClientKey,
    hashed: Hashed,
    pub(super) flow: Flow,
    /// The name of that host, if it has one.
    host: Option<Arc<str>>,
    pub(super) owner: Owner,
    /// Whether any response came.
    pub(super) heard: bool,
    /// Where the request goes if it fails here.
    pub(super) trail: Option<Box<Trail>>,
    /// What the application adds to the CANCEL.
    cancel: HeaderList,
}

/// Whose a client transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Owner {
    pub(super) call: CallHandle,
    /// `None`: a CANCEL, of which the call needs not hear.
    pub(super) request: Option<RequestId>,
}

/// Both machines under the names of the one that can do more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Client {
    Invite(InviteClient),
    Other(NonInviteClient),
}

impl Client {
    fn new(
        now: Time,
        timers: Timers,
        (method, transport): (Method<'_>, Transport),
        bytes: Bytes,
        out: &mut Actions,
    ) -> Self {
        let reliability = match transport.is_reliable() {
            true => Reliability::Reliable,
            false => Reliability::Unreliable,
        };
        if method == Method::Invite {
            return Self::Invite(InviteClient::new(now, timers, reliability, bytes, out));
        }
        let mut retag = |action| out.push(retagged(action));
        Self::Other(NonInviteClient::new(
            now,
            timers,
            reliability,
            bytes,
            &mut retag,
        ))
    }

    pub(super) fn receive(&mut self, now: Time, event: Event, out: &mut Actions) {
        match self {
            Self::Invite(machine) => machine.receive(now, event, out),
            Self::Other(machine) => {
                let event = match event {
                    Event::Response(response) => non_invite_client::Event::Response(response),
                    Event::TransportError => non_invite_client::Event::TransportError,
                };
                machine.receive(now, event, &mut |action| out.push(retagged(action)));
            }
        }
    }

    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Actions) {
        match self {
            Self::Invite(machine) => machine.on_deadline(now, out),
            Self::Other(machine) => {
                machine.on_deadline(now, &mut |action| out.push(retagged(action)));
            }
        }
    }

    fn cancel(&mut self, now: Time, out: &mut Actions) {
        match self {
            Self::Invite(machine) => {
                // The command has no way to fail.
                let _ = machine.command(now, Command::Cancel, out);
            }
            Self::Other(_) => {}
        }
    }

    fn deadline(&self) -> Option<Time> {
        match self {
            Self::Invite(machine) => machine.deadline(),
            Self::Other(machine) => machine.deadline(),
        }
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        match self {
            Self::Invite(machine) => machine.rebase(from, to),
            Self::Other(machine) => machine.rebase(from, to),
        }
    }
}

fn retagged(action: non_invite_client::Action) -> Action {
    match action {
        non_invite_client::Action::Transmit(bytes) => Action::Transmit(bytes),
        non_invite_client::Action::Response(response) => Action::Response(response),
        non_invite_client::Action::Failed(failure) => Action::Failed(failure),
        non_invite_client::Action::Terminated => Action::Terminated,
    }
}

/// A request that is ready to go.
pub(super) struct Start<'a> {
    pub(super) owner: Owner,
    pub(super) method: Method<'a>,
    pub(super) branch: &'a [u8],
    pub(super) flow: Flow,
    pub(super) host: Option<Arc<str>>,
    pub(super) bytes: Bytes,
    pub(super) trail: Option<Box<Trail>>,
}

impl Endpoint {
    /// Starts a client transaction.
    pub(super) fn start_client(
        &mut self,
        now: Time,
        start: Start<'_>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<ClientHandle, Misuse> {
        // One BYE a leg and one CANCEL an INVITE: they are bounded, and end what is there.
        let ends = matches!(start.method, Method::Bye | Method::Cancel);
        if !ends && !self.has_room(true) {
            return Err(Misuse::LimitReached {
                limit: "transactions",
            });
        }
        let key = ClientKey::of_bytes(start.branch, start.method);
        let hashed = self.client_keys.hashed_own(&key);
        if self.find_client(hashed, &key).is_some() {
            return Err(Misuse::DuplicateBranch);
        }
        let mut actions = Actions::new();
        let (owner, flow) = (start.owner, start.flow);
        let what = (start.method, flow.transport);
        let machine = Client::new(now, self.context.timers, what, start.bytes, &mut actions);
        let cancel = HeaderList::new();
        let entry = ClientEntry {
            machine,
            key,
            hashed,
            flow,
            host: start.host,
            owner,
            heard: false,
            trail: start.trail,
            cancel,
        };
        let full = Misuse::LimitReached {
            limit: "transactions",
        };
        let client = self.clients.insert(entry).ok_or(full)?;
        self.client_keys.insert(hashed, client);
        self.connections.add_client(&flow, client);
        if let Some(entry) = self.calls.get_mut(owner.call) {
            entry.clients.push((owner.request, client));
        }
        self.rearm_client(client);
        self.perform_client(now, client, &mut actions, out);
        Ok(client)
    }

    fn find_client(
        &self,
        hashed: Hashed,
        key: &impl Equivalent<ClientKey>,
    ) -> Option<ClientHandle> {
        self.client_keys.find(hashed, |client| {
            let entry = self.clients.get(client);
            entry.is_some_and(|entry| key.equivalent(&entry.key))
        })
    }

    /// Calls the machine and does what it wants.
    pub(super) fn drive_client(
        &mut self,
        now: Time,
        client: ClientHandle,
        out: &mut (impl Sink<Output> + ?Sized),
        call: impl FnOnce(&mut Client, &mut Actions),
    ) {
        let Some(entry) = self.clients.get_mut(client) else {
            return;
        };
        let mut actions = Actions::new();
        call(&mut entry.machine, &mut actions);
        self.rearm_client(client);
        self.perform_client(now, client, &mut actions, out);
    }

    /// What a timer of the machine sends, it has sent before (17.1.1.2, 17.1.2.2).
    pub(super) fn on_client_deadline(
        &mut self,
        now: Time,
        client: ClientHandle,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let mut again = 0_u64;
        self.drive_client(now, client, out, |machine, actions| {
            machine.on_deadline(now, actions);
            let sent = actions.iter();
            let sent = sent.filter(|action| matches!(action, Action::Transmit(_)));
            again = sent.count() as u64;
        });
        let counter = &mut self.counters.retransmissions_sent;
        *counter = counter.saturating_add(again);
    }

    fn rearm_client(&mut self, client: ClientHandle) {
        let at = self
            .clients
            .get(client)
            .and_then(|entry| entry.machine.deadline());
        self.arm(Part::Client(client), at);
    }

    fn perform_client(
        &mut self,
        now: Time,
        client: ClientHandle,
        actions: &mut Actions,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        for action in actions.drain(..) {
            let Some(entry) = self.clients.get_mut(client) else {
                return;
            };
            let owner = entry.owner;
            match action {
                Action::Transmit(bytes) => {
                    let (flow, host) = (entry.flow, entry.host.clone());
                    self.transmit(flow, host, bytes, Origin::Client(client), out);
                }
                Action::Response(response) => {
                    entry.heard = true;
                    let server = entry.flow.remote;
                    // Nearly always there is no other server that it could go to.
                    let has_more = entry.trail.is_some() && response.status().is_final();
                    self.heed(now, server, &response);
                    if let Some(request) = owner.request {
                        let event = CallEvent::Response { request, response };
                        if !has_more {
                            self.tell_call(now, owner.call, event, out);
                            continue;
                        }
                        let event = self.fail_over(now, client, event, out);
                        self.tell_owner(now, owner.call, event, out);
                    }
                }
                Action::Failed(failure) => {
                    if let Some(request) = owner.request {
                        let event = CallEvent::Failed { request, failure };
                        let event = self.fail_over(now, client, event, out);
                        self.tell_owner(now, owner.call, event, out);
                    }
                }
                Action::Cancel(invite) => self.send_cancel(now, client, &invite, out),
                Action::Terminated => self.end_client(now, client, out),
            }
        }
    }

    fn tell_owner(
        &mut self,
        now: Time,
        call: CallHandle,
        event: Option<CallEvent>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if let Some(event) = event {
            self.tell_call(now, call, event, out);
        }
    }

    /// 9.1: the CANCEL goes where the INVITE went, with its branch, in a transaction of its own.
    // Out of line: it is rare, and its registers are wanted by what calls it.
    #[inline(never)]
    fn send_cancel(
        &mut self,
        now: Time,
        client: ClientHandle,
        invite: &Bytes,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.clients.get(client) else {
            return;
        };
        let Some(bytes) = derive::cancel(invite, &entry.cancel) else {
            return;
        };
        let branch = entry.key.branch();
        let start = Start {
            owner: Owner {
                call: entry.owner.call,
                request: None,
            },
            method: Method::Cancel,
            branch: branch.as_bytes(),
            flow: entry.flow,
            host: entry.host.clone(),
            bytes,
            trail: None,
        };
        if self.start_client(now, start, out).is_err() {
            // No room for it. The INVITE's own guard ends the wait (9.1).
            self.drop_packet(Dropped::Overload, out);
        }
    }

    #[inline(never)]
    fn end_client(
        &mut self,
        now: Time,
        client: ClientHandle,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.remove_client(client) else {
            return;
        };
        let Owner { call, request } = entry.owner;
        if let Some(call) = self.calls.get_mut(call) {
            call.clients.retain(|(_, handle)| *handle != client);
        }
        if let (Client::Invite(_), Some(request)) = (entry.machine, request) {
            self.tell_call(now, call, CallEvent::Gone { request }, out);
        }
    }

    pub(super) fn remove_client(&mut self, client: ClientHandle) -> Option<ClientEntry> {
        self.arm(Part::Client(client), None);
        let entry = self.clients.remove(client)?;
        self.client_keys.remove(entry.hashed, client);
        self.connections.remove_client(&entry.flow, client);
        Some(entry)
    }

    /// The user takes its INVITE back.
    pub(super) fn cancel_client(
        &mut self,
        now: Time,
        client: ClientHandle,
        headers: HeaderList,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if let Some(entry) = self.clients.get_mut(client) {
            entry.cancel = headers;
            // What is taken back goes nowhere else.
            entry.trail = None;
        }
        self.drive_client(now, client, out, |machine, actions| {
            machine.cancel(now, actions)
        });
    }

    /// 18.1.2, 17.1.3: to the transaction of its branch and method, or nowhere.
    pub(super) fn on_response(
        &mut self,
        now: Time,
        response: Box<Response>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if !self.places.wrote(&response) || has_second_via(&response) {
            return self.drop_packet(Dropped::ForeignResponse, out);
        }
        let client = Answered::of(&response)
            .and_then(|key| self.find_client(self.client_keys.hashed_own(&key), &key));
        let Some(client) = client else {
            return self.drop_packet(Dropped::StrayResponse, out);
        };
        self.drive_client(now, client, out, |machine, actions| {
            machine.receive(now, Event::Response(response), actions);
        });
    }
}

/// 8.1.3.3: then the response was for somebody else.
fn has_second_via(response: &Response) -> bool {
    if response.is_one_hop() {
        return false;
    }
    let mut rows = response.all(Name::Via);
    let first = rows.next().unwrap_or_default();
    let is_alone = first.len() == response.top_via_value().len();
    rows.next().is_some() || !is_alone && split_commas(first).nth(1).is_some()
}

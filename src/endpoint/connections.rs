//! Connections that are lost, and whose they were (RFC 3261 18.4, RFC 3263 5, RFC 5923).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{ClientHandle, Disconnect, Endpoint, Output, RequestHandle};
use crate::sink::Sink;
use crate::table::Table;
use crate::time::Time;
use crate::transaction::invite_client;
use crate::transport::{Flow, FlowId, Transport};

/// The transactions on streams, by what a lost connection tells of itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Connections {
    /// A request goes to a peer: the driver has a connection with it or opens one.
    clients: Table<(Transport, SocketAddr), BTreeSet<ClientHandle>>,
    /// A response goes over the connection of its request.
    servers: Table<FlowId, BTreeSet<RequestHandle>>,
}

impl Connections {
    pub(super) fn with_key(key: [u64; 2]) -> Self {
        Self {
            clients: Table::with_key(key),
            servers: Table::with_key(key),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.servers.is_empty()
    }

    pub(super) fn add_client(&mut self, flow: &Flow, client: ClientHandle) {
        if !flow.transport.is_reliable() {
            return;
        }
        let key = (flow.transport, flow.remote);
        match self.clients.get_mut(&key) {
            Some(clients) => {
                clients.insert(client);
            }
            None => {
                self.clients.insert(key, BTreeSet::from([client]));
            }
        }
    }

    pub(super) fn remove_client(&mut self, flow: &Flow, client: ClientHandle) {
        if !flow.transport.is_reliable() {
            return;
        }
        let key = (flow.transport, flow.remote);
        if let Some(clients) = self.clients.get_mut(&key) {
            clients.remove(&client);
            if clients.is_empty() {
                self.clients.remove(&key);
            }
        }
    }

    pub(super) fn add_server(&mut self, connection: FlowId, server: RequestHandle) {
        match self.servers.get_mut(&connection) {
            Some(servers) => {
                servers.insert(server);
            }
            None => {
                self.servers.insert(connection, BTreeSet::from([server]));
            }
        }
    }

    pub(super) fn remove_server(&mut self, connection: FlowId, server: RequestHandle) {
        if let Some(servers) = self.servers.get_mut(&connection) {
            servers.remove(&server);
            if servers.is_empty() {
                self.servers.remove(&connection);
            }
        }
    }

    fn clients_of(&self, flow: &Flow) -> Vec<ClientHandle> {
        let clients = self.clients.get(&(flow.transport, flow.remote));
        clients.into_iter().flatten().copied().collect()
    }

    fn servers_of(&self, flow: &Flow) -> Vec<RequestHandle> {
        let servers = self.servers.get(&flow.id);
        servers.into_iter().flatten().copied().collect()
    }
}

impl Endpoint {
    /// A connection is gone. What was received stands; what will be sent goes over a new one.
    pub(super) fn on_disconnected(
        &mut self,
        now: Time,
        flow: &Flow,
        how: Disconnect,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.counters.disconnected = self.counters.disconnected.saturating_add(1);
        // The response to a request goes to the place that its Via names (18.2.2).
        for server in self.connections.servers_of(flow) {
            if let Some(entry) = self.servers.get_mut(server) {
                entry.path.lose_connection();
            }
        }
        for client in self.connections.clients_of(flow) {
            let Some(entry) = self.clients.get(client) else {
                continue;
            };
            let named = entry.flow.id;
            let other = named != FlowId::new(0) && named != flow.id;
            // One who answered can do so again over a connection of its own (18.2.2), and one who
            // closed in order has read what was sent. A WebSocket has no way back (7118 5.3).
            let lost = match how {
                Disconnect::Closed => false,
                Disconnect::Broken => !entry.heard,
            };
            if !other && (lost || flow.transport.is_websocket()) {
                self.drive_client(now, client, out, |machine, actions| {
                    machine.receive(now, invite_client::Event::TransportError, actions);
                });
            }
        }
    }
}

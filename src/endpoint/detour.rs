//! Where a response goes when it could not be sent: the next place of RFC 3261 18.2.2 and
//! RFC 3263 5, before its transaction hears of the failure (17.2.4).

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::places::Places;
use super::queries::Waiting;
use super::{Dropped, Endpoint, Origin, Output, QueryId, RequestHandle};
use crate::limits::Limits;
use crate::message::{Incoming, Via, parse};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::invite_server;
use crate::transport::{Flow, ResponseRoute, Transport, first_response_route, response_routes};

/// Where the responses of a server transaction go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct ReturnPath {
    pub(super) flow: Flow,
    /// How many flows came before this one, to know the failures of what went there.
    pub(super) turn: u8,
    /// How many of the places that the Via names are used up.
    tried: u8,
    detour: Option<Box<Detour>>,
}

/// What only a failure makes necessary.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Detour {
    /// The last place is a name that is being looked up.
    query: Option<QueryId>,
    /// Its other addresses, the next one last.
    addresses: Vec<Flow>,
}

/// What to do about a failure.
enum Next {
    Send,
    Ask(Box<str>, Option<u16>, Transport),
    Wait,
    Nothing,
}

impl ReturnPath {
    /// Where the response to a request on `flow` goes first (18.2.2): the core answers from the
    /// address that was asked.
    pub(super) fn new(via: &Via<'_>, flow: &Flow) -> Self {
        let (flow, tried) = match first_response_route(via, flow) {
            ResponseRoute::Flow(flow) | ResponseRoute::Datagram { flow, .. } => (flow, 1),
            // Nothing is known better than where the request came from, until that fails.
            ResponseRoute::Connect { .. } | ResponseRoute::Lookup(_) => (*flow, 0),
        };
        Self {
            flow,
            turn: 0,
            tried,
            detour: None,
        }
    }

    /// The query that looks for another place.
    pub(super) fn query(&self) -> Option<QueryId> {
        self.detour.as_ref().and_then(|detour| detour.query)
    }

    fn send_to(&mut self, flow: Flow) -> Next {
        self.flow = flow;
        self.turn = self.turn.wrapping_add(1);
        Next::Send
    }

    /// The next place, as the Via of the last response names them.
    fn next(&mut self, sent: &Bytes, places: &Places, limits: &Limits) -> Next {
        if self.query().is_some() {
            return Next::Wait;
        }
        if let Some(flow) = self
            .detour
            .as_mut()
            .and_then(|detour| detour.addresses.pop())
        {
            return self.send_to(flow);
        }
        // What this side wrote parses; it carries the Via as it was completed (18.2.1).
        let Ok(Incoming::Response(response)) = parse(sent.clone(), limits) else {
            return Next::Nothing;
        };
        let via = response.top_via();
        let routes = response_routes(&via, &self.flow);
        let Some(route) = routes.get(usize::from(self.tried)) else {
            return Next::Nothing;
        };
        self.tried = self.tried.saturating_add(1);
        match route {
            ResponseRoute::Flow(flow) | ResponseRoute::Datagram { flow, .. } => self.send_to(*flow),
            ResponseRoute::Connect { transport, remote } => {
                match places.flow(*transport, *remote, None) {
                    Some(flow) => self.send_to(flow),
                    None => Next::Nothing,
                }
            }
            ResponseRoute::Lookup(hop) => Next::Ask(
                hop.host.to_string().into(),
                hop.port,
                hop.transport.unwrap_or(self.flow.transport),
            ),
        }
    }
}

impl Endpoint {
    /// A response could not be sent to the place that was the `turn`th.
    pub(super) fn on_response_failed(
        &mut self,
        now: Time,
        server: RequestHandle,
        turn: u8,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.servers.get_mut(server) else {
            return;
        };
        if entry.path.turn != turn {
            // What went there has gone to the next place since.
            return self.drop_packet(Dropped::StaleFailure, out);
        }
        match entry
            .path
            .next(&entry.sent, &self.places, &self.context.limits)
        {
            Next::Send => self.send_again(server, out),
            Next::Ask(host, port, transport) => {
                let waiting = Waiting::Response(server);
                match self.look_up(now, waiting, (host, port, transport), out) {
                    Some(id) => self.await_place(server, id),
                    None => self.give_up(now, server, out),
                }
            }
            Next::Wait => {}
            Next::Nothing => self.give_up(now, server, out),
        }
    }

    /// The name in the Via has these addresses: each is tried (3263 5).
    pub(super) fn on_places(
        &mut self,
        now: Time,
        server: RequestHandle,
        (addresses, port, transport): (Vec<IpAddr>, u16, Transport),
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.servers.get_mut(server) else {
            return;
        };
        let path = &mut entry.path;
        let known = Some(&path.flow).filter(|_| !transport.is_reliable());
        let to = |ip| {
            self.places
                .flow(transport, SocketAddr::new(ip, port), known)
        };
        let mut addresses: Vec<Flow> = addresses.into_iter().filter_map(to).collect();
        addresses.retain(|flow| *flow != path.flow);
        addresses.reverse();
        let first = addresses.pop();
        path.detour = Some(Box::new(Detour {
            query: None,
            addresses,
        }));
        match first {
            Some(flow) => {
                path.send_to(flow);
                self.send_again(server, out);
            }
            None => self.give_up(now, server, out),
        }
    }

    fn await_place(&mut self, server: RequestHandle, id: QueryId) {
        if let Some(entry) = self.servers.get_mut(server) {
            entry.path.detour.get_or_insert_default().query = Some(id);
        }
    }

    fn send_again(&mut self, server: RequestHandle, out: &mut (impl Sink<Output> + ?Sized)) {
        let Some(entry) = self.servers.get(server) else {
            return;
        };
        let (flow, turn) = (entry.path.flow, entry.path.turn);
        let bytes = entry.sent.clone();
        self.counters.rerouted = self.counters.rerouted.saturating_add(1);
        self.transmit(flow, bytes, Origin::Server { server, turn }, out);
    }

    /// There is no other place: the transaction hears of it (17.2.4).
    fn give_up(
        &mut self,
        now: Time,
        server: RequestHandle,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.drive_server(now, server, out, |machine, actions| {
            machine.receive(now, invite_server::Event::TransportError, actions);
        });
    }
}

//! Where a response goes when it could not be sent: the next place of RFC 3261 18.2.2 and
//! RFC 3263 5, before its transaction hears of the failure (17.2.4).

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;

use bytes::Bytes;

use super::locations::{Actions, Waiting};
use super::places::Places;
use super::{Dropped, Endpoint, LocationHandle, Origin, Output, RequestHandle};
use crate::limits::Limits;
use crate::locate::{Command, Locate, Target};
use crate::machine::Machine;
use crate::message::{Host, Incoming, Via, parse};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::invite_server;
use crate::transport::{
    Flow, FlowId, NextHop, ResponseRoute, Transport, first_response_route, response_routes,
};

/// Where the responses of a server transaction go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct ReturnPath {
    pub(super) flow: Flow,
    /// The connection that the request came on.
    connection: Option<FlowId>,
    /// How many flows came before this one, to know the failures of what went there.
    pub(super) turn: u8,
    /// How many of the places that the Via names are used up.
    tried: u8,
    detour: Option<Box<Detour>>,
}

/// What only a failure makes necessary.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Detour {
    /// The connection is gone, and nothing was sent elsewhere yet.
    is_lost: bool,
    /// The last place is a name that is being looked up.
    location: Option<LocationHandle>,
    /// Its other addresses.
    locate: Option<Box<Locate>>,
    /// That name, as the last place of all.
    host: Option<Arc<str>>,
}

/// What to do about a failure.
enum Next {
    Send,
    Locate(Arc<str>, Option<u16>, Transport),
    Further(Box<Locate>),
    Wait,
    Nothing,
}

impl ReturnPath {
    /// Where the response to a request on `flow` goes first (18.2.2): the core answers from the
    /// address that was asked.
    pub(super) fn new(via: &Via<'_>, flow: &Flow) -> Self {
        let mut path = Self::back(flow);
        match first_response_route(via, flow) {
            ResponseRoute::Flow(flow) | ResponseRoute::Datagram { flow, .. } => path.flow = flow,
            // Nothing is known better than where the request came from, until that fails.
            ResponseRoute::Connect { .. } | ResponseRoute::Lookup(_) => path.tried = 0,
        }
        path
    }

    /// To where the request came from, as it asks for.
    pub(super) fn back(flow: &Flow) -> Self {
        let connection = flow.transport.is_reliable().then_some(flow.id);
        Self {
            flow: *flow,
            connection,
            turn: 0,
            tried: 1,
            detour: None,
        }
    }

    /// The connection that the request came on.
    pub(super) fn connection(&self) -> Option<FlowId> {
        self.connection
    }

    /// The connection is gone: what is sent next goes elsewhere at once.
    pub(super) fn lose_connection(&mut self) {
        if self.connection == Some(self.flow.id) {
            self.detour.get_or_insert_default().is_lost = true;
        }
    }

    /// Whether what would be sent now could not arrive.
    pub(super) fn is_lost(&self) -> bool {
        self.detour.as_ref().is_some_and(|detour| detour.is_lost)
    }

    /// The name of the host that responses go to now, if it was looked up.
    pub(super) fn host(&self) -> Option<Arc<str>> {
        self.detour.as_ref().and_then(|detour| detour.host.clone())
    }

    /// What looks for another place.
    pub(super) fn location(&self) -> Option<LocationHandle> {
        self.detour.as_ref().and_then(|detour| detour.location)
    }

    fn send_to(&mut self, flow: Flow) -> Next {
        self.flow = flow;
        self.turn = self.turn.wrapping_add(1);
        if let Some(detour) = &mut self.detour {
            detour.is_lost = false;
        }
        Next::Send
    }

    /// The next place, as the Via of the last response names them.
    fn next(&mut self, sent: &Bytes, places: &Places, limits: &Limits) -> Next {
        if self.location().is_some() {
            return Next::Wait;
        }
        let locate = self.detour.as_mut().and_then(|detour| detour.locate.take());
        if let Some(locate) = locate {
            return Next::Further(locate);
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
            ResponseRoute::Lookup(hop) => Next::Locate(
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
        // The choice between equal servers is that of this transaction.
        let base = self.context.ids.base(&[entry.tag.as_bytes()]);
        match entry
            .path
            .next(&entry.sent, &self.places, &self.context.limits)
        {
            Next::Send => self.send_again(server, out),
            Next::Locate(host, port, transport) => {
                let detour = entry.path.detour.get_or_insert_default();
                detour.host = Some(Arc::clone(&host));
                let Ok(host) = Host::parse(host.as_bytes()) else {
                    return self.give_up(now, server, out);
                };
                let hop = NextHop {
                    transport: Some(transport),
                    host,
                    port,
                    secure: transport.is_secure(),
                };
                let (locate, actions) = self.start_locating(now, &hop, base);
                self.await_place(now, server, (locate, actions), out);
            }
            Next::Further(locate) => self.go_further(now, server, *locate, out),
            Next::Wait => {}
            Next::Nothing => self.give_up(now, server, out),
        }
    }

    /// The address before failed: the next one (3263 5).
    fn go_further(
        &mut self,
        now: Time,
        server: RequestHandle,
        mut locate: Locate,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let mut actions = Actions::new();
        // It has named a target, and that has failed.
        let _ = locate.command(now, Command::Next, &mut actions);
        match actions.is_empty() {
            true => self.give_up(now, server, out),
            false => self.await_place(now, server, (locate, actions), out),
        }
    }

    fn await_place(
        &mut self,
        now: Time,
        server: RequestHandle,
        (locate, mut actions): (Locate, Actions),
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(location) = self.wait_for(locate, Waiting::Response(server)) else {
            return self.give_up(now, server, out);
        };
        if let Some(entry) = self.servers.get_mut(server) {
            entry.path.detour.get_or_insert_default().location = Some(location);
        }
        self.perform_location(now, location, &mut actions, out);
    }

    /// The name in the Via leads there.
    pub(super) fn on_place(
        &mut self,
        now: Time,
        server: RequestHandle,
        (target, locate): (Option<Target>, Box<Locate>),
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.servers.get_mut(server) else {
            return;
        };
        let path = &mut entry.path;
        path.detour.get_or_insert_default().location = None;
        let Some(target) = target else {
            return self.give_up(now, server, out);
        };
        let known = Some(&path.flow).filter(|_| !target.transport.is_reliable());
        let flow = self.places.flow(target.transport, target.remote, known);
        match flow.filter(|flow| *flow != path.flow) {
            Some(flow) => {
                path.send_to(flow);
                path.detour.get_or_insert_default().locate = Some(locate);
                self.send_again(server, out);
            }
            // That is where it could not be sent.
            None => self.go_further(now, server, *locate, out),
        }
    }

    fn send_again(&mut self, server: RequestHandle, out: &mut (impl Sink<Output> + ?Sized)) {
        let Some(entry) = self.servers.get(server) else {
            return;
        };
        let (flow, turn) = (entry.path.flow, entry.path.turn);
        let (host, bytes) = (entry.path.host(), entry.sent.clone());
        self.counters.rerouted = self.counters.rerouted.saturating_add(1);
        self.transmit(flow, host, bytes, Origin::Server { server, turn }, out);
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

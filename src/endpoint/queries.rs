//! Questions to the world outside, and the requests that wait for their answers.

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::{Answer, CallHandle, Dropped, Endpoint, Output, Part, Query, QueryId};
use crate::call::RequestId;
use crate::message::Draft;
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::rebase;
use crate::transport::Transport;

/// A request of a call on its way out; without an id it is an ACK.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Errand {
    pub(super) call: CallHandle,
    pub(super) request: Option<RequestId>,
    pub(super) draft: Draft,
}

/// An errand that waits for the address of its next hop.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct QueryEntry {
    errand: Errand,
    port: Option<u16>,
    transport: Option<Transport>,
    until: Option<Time>,
}

impl QueryEntry {
    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        rebase(&mut self.until, from, to);
    }
}

impl Endpoint {
    /// Asks for the addresses of a host.
    pub(super) fn ask(
        &mut self,
        now: Time,
        errand: Errand,
        host: Box<str>,
        port: Option<u16>,
        transport: Option<Transport>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let until = now + self.limits().query_wait;
        let call = errand.call;
        let Some(id) = self.queries.insert(QueryEntry {
            errand,
            port,
            transport,
            until,
        }) else {
            return self.drop_packet(Dropped::Overload, out);
        };
        if let Some(entry) = self.calls.get_mut(call) {
            entry.queries.push(id);
        }
        self.arm(Part::Query(id), until);
        out.push(Output::Query {
            id,
            query: Query::Resolve { host },
        });
    }

    /// The first address that a local one can reach. The others are for the failover of RFC 3263.
    pub(super) fn on_answer(
        &mut self,
        now: Time,
        id: QueryId,
        answer: Answer,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(query) = self.remove_query(id) else {
            return self.drop_packet(Dropped::StaleAnswer, out);
        };
        let Answer::Addresses(addresses) = answer;
        let transport = query.transport.unwrap_or(Transport::Udp);
        let port = query.port.unwrap_or(transport.default_port());
        let known = self
            .calls
            .get(query.errand.call)
            .and_then(|entry| entry.flow);
        let flow = addresses.into_iter().find_map(|ip| {
            self.places
                .flow(transport, SocketAddr::new(ip, port), known.as_ref())
        });
        match flow {
            Some(flow) => self.dispatch(now, query.errand, flow, out),
            None => self.fail(now, &query.errand, out),
        }
    }

    pub(super) fn on_query_deadline(
        &mut self,
        now: Time,
        id: QueryId,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if let Some(query) = self.remove_query(id) {
            self.fail(now, &query.errand, out);
        }
    }

    /// Takes back a request that still waits for an address.
    pub(super) fn withdraw(&mut self, call: CallHandle, request: RequestId) -> Option<Errand> {
        let queries = self.calls.get(call)?.queries.clone();
        let waits = |id: &QueryId| {
            self.queries
                .get(*id)
                .is_some_and(|query| query.errand.request == Some(request))
        };
        let id = queries.into_iter().find(waits)?;
        self.remove_query(id).map(|query| query.errand)
    }

    pub(super) fn remove_query(&mut self, id: QueryId) -> Option<QueryEntry> {
        self.arm(Part::Query(id), None);
        let query = self.queries.remove(id)?;
        if let Some(entry) = self.calls.get_mut(query.errand.call) {
            entry.queries.retain(|other| *other != id);
        }
        Some(query)
    }
}

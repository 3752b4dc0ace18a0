//! Questions to the world outside, and the requests that wait for their answers.

use alloc::boxed::Box;
use core::net::SocketAddr;

use smallvec::{SmallVec, smallvec};

use super::calls::Unsent;
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

/// Errands that wait for the address of their next hop.
///
/// Those of one call to one place share a query, so that they go in the order in which the call
/// sent them: no BYE overtakes an ACK because its answer came first.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct QueryEntry {
    pub(super) call: CallHandle,
    errands: SmallVec<[Errand; 1]>,
    host: Box<str>,
    port: Option<u16>,
    transport: Transport,
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
        (host, port, transport): (Box<str>, Option<u16>, Transport),
        unsent: &mut Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let call = errand.call;
        let Some(errand) = self.join(errand, &host, port, transport) else {
            return;
        };
        let until = now + self.limits().query_wait;
        let Some(id) = self.queries.insert(QueryEntry {
            call,
            errands: smallvec![errand.clone()],
            host: host.clone(),
            port,
            transport,
            until,
        }) else {
            self.drop_packet(Dropped::Overload, out);
            return self.fail(&errand, unsent);
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

    /// Puts an errand behind those of its call that wait for the same place; gives it back if
    /// there are none.
    fn join(
        &mut self,
        errand: Errand,
        host: &str,
        port: Option<u16>,
        transport: Transport,
    ) -> Option<Errand> {
        let Some(entry) = self.calls.get(errand.call) else {
            return Some(errand);
        };
        for id in &entry.queries {
            let Some(query) = self.queries.get_mut(*id) else {
                continue;
            };
            if (&*query.host, query.port, query.transport) == (host, port, transport) {
                // An ACK that a repeated 2xx asks for again need not go twice.
                if !query.errands.contains(&errand) {
                    query.errands.push(errand);
                }
                return None;
            }
        }
        Some(errand)
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
        let transport = query.transport;
        let port = query.port.unwrap_or(transport.default_port());
        let known = self.calls.get(query.call).and_then(|entry| entry.flow);
        let flow = addresses.into_iter().find_map(|ip| {
            self.places
                .flow(transport, SocketAddr::new(ip, port), known.as_ref())
        });
        let mut unsent = Unsent::new();
        for errand in query.errands {
            match flow {
                Some(flow) => self.dispatch(now, errand, flow, &mut unsent, out),
                None => self.fail(&errand, &mut unsent),
            }
        }
        self.tell_unsent(now, query.call, unsent, out);
    }

    pub(super) fn on_query_deadline(
        &mut self,
        now: Time,
        id: QueryId,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(query) = self.remove_query(id) else {
            return;
        };
        let mut unsent = Unsent::new();
        for errand in &query.errands {
            self.fail(errand, &mut unsent);
        }
        self.tell_unsent(now, query.call, unsent, out);
    }

    /// Takes back a request that still waits for an address.
    pub(super) fn withdraw(&mut self, call: CallHandle, request: RequestId) -> Option<Errand> {
        for id in &self.calls.get(call)?.queries {
            let query = self.queries.get_mut(*id)?;
            let waits = |errand: &Errand| errand.request == Some(request);
            let Some(at) = query.errands.iter().position(waits) else {
                continue;
            };
            let errand = query.errands.remove(at);
            let (id, left) = (*id, query.errands.len());
            if left == 0 {
                self.remove_query(id);
            }
            return Some(errand);
        }
        None
    }

    pub(super) fn remove_query(&mut self, id: QueryId) -> Option<QueryEntry> {
        self.arm(Part::Query(id), None);
        let query = self.queries.remove(id)?;
        if let Some(entry) = self.calls.get_mut(query.call) {
            entry.queries.retain(|other| *other != id);
        }
        Some(query)
    }
}

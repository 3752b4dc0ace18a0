//! Questions to the world outside, and what waits for their answers.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smallvec::{SmallVec, smallvec};

use super::calls::Unsent;
use super::{Answer, CallHandle, Dropped, Endpoint, Output, Part, Query, QueryId, RequestHandle};
use crate::call::RequestId;
use crate::message::Draft;
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::rebase;
use crate::transport::{Flow, Transport};

/// A request of a call on its way out; without an id it is an ACK.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Errand {
    pub(super) call: CallHandle,
    pub(super) request: Option<RequestId>,
    pub(super) draft: Draft,
}

/// What waits for the addresses of a host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Waiting {
    /// Errands of a call on their way to their next hop.
    ///
    /// Those of one call to one place share a query, so that they go in the order in which the
    /// call sent them: no BYE overtakes an ACK because its answer came first.
    Requests {
        call: CallHandle,
        errands: SmallVec<[Errand; 1]>,
    },
    /// A response that could not be sent elsewhere (3263 5).
    Response(RequestHandle),
}

/// A question that is out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct QueryEntry {
    waiting: Waiting,
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
    pub(super) fn ask_where(
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
        let waiting = Waiting::Requests {
            call,
            errands: smallvec![errand.clone()],
        };
        let Some(id) = self.look_up(now, waiting, (host, port, transport), out) else {
            return self.fail(&errand, unsent);
        };
        if let Some(entry) = self.calls.get_mut(call) {
            entry.queries.push(id);
        }
    }

    /// Puts a question. `None` if there is no room for one more.
    pub(super) fn look_up(
        &mut self,
        now: Time,
        waiting: Waiting,
        (host, port, transport): (Box<str>, Option<u16>, Transport),
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Option<QueryId> {
        let until = now + self.limits().query_wait;
        let entry = QueryEntry {
            waiting,
            host: host.clone(),
            port,
            transport,
            until,
        };
        let Some(id) = self.queries.insert(entry) else {
            self.drop_packet(Dropped::Overload, out);
            return None;
        };
        self.arm(Part::Query(id), until);
        out.push(Output::Query {
            id,
            query: Query::Resolve { host },
        });
        Some(id)
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
            let same = (&*query.host, query.port, query.transport) == (host, port, transport);
            if same && let Waiting::Requests { errands, .. } = &mut query.waiting {
                // An ACK that a repeated 2xx asks for again need not go twice.
                if !errands.contains(&errand) {
                    errands.push(errand);
                }
                return None;
            }
        }
        Some(errand)
    }

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
        self.settle_query(now, query, addresses, out);
    }

    /// No answer is an answer without addresses.
    pub(super) fn on_query_deadline(
        &mut self,
        now: Time,
        id: QueryId,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if let Some(query) = self.remove_query(id) {
            self.settle_query(now, query, Vec::new(), out);
        }
    }

    fn settle_query(
        &mut self,
        now: Time,
        query: QueryEntry,
        addresses: Vec<IpAddr>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let transport = query.transport;
        let port = query.port.unwrap_or(transport.default_port());
        match query.waiting {
            Waiting::Requests { call, errands } => {
                self.send_errands(now, call, errands, (addresses, port, transport), out);
            }
            Waiting::Response(server) => {
                self.on_places(now, server, (addresses, port, transport), out);
            }
        }
    }

    /// To the first address that a local one can reach. The others are tried when it fails
    /// (RFC 3263 4.3).
    fn send_errands(
        &mut self,
        now: Time,
        call: CallHandle,
        errands: SmallVec<[Errand; 1]>,
        (addresses, port, transport): (Vec<IpAddr>, u16, Transport),
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let known = self.calls.get(call).and_then(|entry| entry.flow);
        let mut flows = addresses.into_iter().filter_map(|ip| {
            self.places
                .flow(transport, SocketAddr::new(ip, port), known.as_ref())
        });
        let flow = flows.next();
        let mut others: Vec<Flow> = flows.collect();
        others.reverse();
        let mut unsent = Unsent::new();
        for errand in errands {
            match flow {
                Some(flow) => {
                    self.dispatch(now, errand, (flow, others.clone()), &mut unsent, out);
                }
                None => self.fail(&errand, &mut unsent),
            }
        }
        self.tell_unsent(now, call, unsent, out);
    }

    /// Takes back a request that still waits for an address.
    pub(super) fn withdraw(&mut self, call: CallHandle, request: RequestId) -> Option<Errand> {
        for id in &self.calls.get(call)?.queries {
            let Waiting::Requests { errands, .. } = &mut self.queries.get_mut(*id)?.waiting else {
                continue;
            };
            let waits = |errand: &Errand| errand.request == Some(request);
            let Some(at) = errands.iter().position(waits) else {
                continue;
            };
            let errand = errands.remove(at);
            let (id, left) = (*id, errands.len());
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
        if let Waiting::Requests { call, .. } = query.waiting
            && let Some(entry) = self.calls.get_mut(call)
        {
            entry.queries.retain(|other| *other != id);
        }
        Some(query)
    }
}

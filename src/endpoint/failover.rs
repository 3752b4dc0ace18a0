//! A request whose host has several addresses, and the first does not serve it: RFC 3263 4.3.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::clients::Start;
use super::{ClientHandle, Endpoint, Output};
use crate::message::{Draft, StatusCode};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;
use crate::transport::Flow;

/// Where else a request can go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Failover {
    draft: Draft,
    /// The next one last.
    flows: Vec<Flow>,
    /// There was a 100.
    heard: bool,
}

impl Endpoint {
    /// The request of this transaction can go on these flows too.
    pub(super) fn prepare_failover(
        &mut self,
        client: ClientHandle,
        draft: Draft,
        flows: Vec<Flow>,
    ) {
        if let Some(entry) = self.clients.get_mut(client)
            && !flows.is_empty()
        {
            entry.failover = Some(Box::new(Failover {
                draft,
                flows,
                heard: false,
            }));
        }
    }

    /// What came of a request. Whether it goes to the next address because of it: 503, silence, and
    /// a transport that cannot send say something of the server that was asked only (3261 21.5.4).
    /// Its owner does not hear of that.
    pub(super) fn is_elsewhere(
        &mut self,
        now: Time,
        client: ClientHandle,
        outcome: Result<StatusCode, Failure>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> bool {
        let Some(entry) = self.clients.get_mut(client) else {
            return false;
        };
        let Some(mut failover) = entry.failover.take() else {
            return false;
        };
        let has_failed = match outcome {
            Ok(StatusCode::TRYING) => {
                failover.heard = true;
                entry.failover = Some(failover);
                return false;
            }
            // Whoever rings has been found.
            Ok(status) => status == StatusCode::SERVICE_UNAVAILABLE,
            Err(Failure::Timeout) => !failover.heard,
            Err(Failure::Transport) => true,
            Err(Failure::NoAck | Failure::CancelTimeout) => false,
        };
        let Some(flow) = failover.flows.pop().filter(|_| has_failed) else {
            return false;
        };
        let owner = entry.owner;
        let Some(origin) = self.places.origin(&flow) else {
            return false;
        };
        let ids = &self.context.ids;
        let base = ids.base(&[failover.draft.branch().as_bytes()]);
        let draft = failover.draft.with_branch(ids.branch(base, 0));
        let bytes = draft.seal(origin);
        self.disown(client);
        let (method, branch) = (draft.method(), draft.branch().as_bytes());
        let start = Start {
            owner,
            method,
            branch,
            flow,
            bytes,
        };
        match self.start_client(now, start, out) {
            Ok(next) => {
                self.counters.rerouted = self.counters.rerouted.saturating_add(1);
                self.prepare_failover(next, draft, failover.flows);
                true
            }
            Err(_) => {
                if let Some(entry) = self.clients.get_mut(client) {
                    entry.owner = owner;
                }
                false
            }
        }
    }

    /// Nobody hears of this transaction any more: another has its request.
    fn disown(&mut self, client: ClientHandle) {
        let Some(entry) = self.clients.get_mut(client) else {
            return;
        };
        entry.owner.request = None;
        let call = entry.owner.call;
        if let Some(call) = self.calls.get_mut(call) {
            let of = call.clients.iter_mut().find(|(_, other)| *other == client);
            if let Some((request, _)) = of {
                *request = None;
            }
        }
    }
}

//! Spans of calls and transactions, by the facade of the `tracing` crate.

use std::collections::BTreeMap;

use bytes::Bytes;
use tracing::field::Empty;
use tracing::{Level, Span, info, info_span, warn};

use crate::endpoint::{CallHandle, Event};
use crate::limits::Limits;
use crate::message::{Incoming, parse};
use crate::transport::Flow;

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    fn back(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

/// Spans of transactions that are open at once. Those whose response never comes are closed when
/// there are more.
const TRANSACTIONS: usize = 65_536;

/// Which way the request goes, its branch and its method.
type Key = (Way, Box<str>, Box<str>);

/// The spans that are open.
#[derive(Debug, Default)]
pub(super) struct Spans {
    calls: BTreeMap<CallHandle, Span>,
    transactions: BTreeMap<Key, (u64, Span)>,
    /// In the order in which they were opened.
    order: BTreeMap<u64, Key>,
    next: u64,
}

impl Spans {
    pub(super) fn message(&mut self, flow: &Flow, bytes: &Bytes, way: Way) {
        // Nothing is read if nobody listens.
        if !tracing::enabled!(Level::INFO) {
            return;
        }
        match parse(bytes.clone(), &Limits::DEFAULT) {
            Ok(Incoming::Request(request)) => {
                let method = request.method();
                let branch = request.top_via().branch().unwrap_or_default();
                // An ACK has no transaction of its own.
                if method.as_str() == "ACK" {
                    return;
                }
                let key = (way, branch.into(), method.as_str().into());
                if self.transactions.contains_key(&key) {
                    return;
                }
                let role = match way {
                    Way::In => "server",
                    Way::Out => "client",
                };
                let span = info_span!(
                    "sip.transaction",
                    sip.role = role,
                    sip.method = method.as_str(),
                    sip.call_id = %String::from_utf8_lossy(request.call_id_bytes()),
                    sip.cseq = request.cseq_number(),
                    network.transport = flow.transport.as_via(),
                    network.peer.address = %flow.remote,
                    sip.status_code = Empty,
                );
                self.open(key, span);
            }
            Ok(Incoming::Response(response)) => {
                let via = response.top_via();
                let cseq = response.cseq();
                let key = (
                    way.back(),
                    via.branch().unwrap_or_default().into(),
                    cseq.method.as_str().into(),
                );
                if response.status().is_final()
                    && let Some((order, span)) = self.transactions.remove(&key)
                {
                    self.order.remove(&order);
                    span.record("sip.status_code", response.status().as_u16());
                }
            }
            Err(_) => {}
        }
    }

    fn open(&mut self, key: Key, span: Span) {
        let order = self.next;
        self.next = order.wrapping_add(1);
        self.order.insert(order, key.clone());
        self.transactions.insert(key, (order, span));
        if self.transactions.len() > TRANSACTIONS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.transactions.remove(&oldest);
        }
    }

    pub(super) fn placed(&mut self, call: CallHandle, call_id: &str) {
        self.begin(call, call_id, "outgoing");
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "four of thirty events")]
    pub(super) fn heard(&mut self, event: &Event) {
        match event {
            Event::Incoming { call, request, .. } => {
                let call_id = String::from_utf8_lossy(request.call_id_bytes());
                self.begin(*call, &call_id, "incoming");
            }
            Event::Ended { call, reason } => {
                if let Some(span) = self.calls.remove(call) {
                    let text = format!("{reason:?}");
                    // The name of the variant; what it carries is in the transactions.
                    let end = text.split(|c: char| !c.is_alphanumeric()).next();
                    span.record("sip.end", end.unwrap_or_default());
                }
            }
            Event::OverloadBegan { bound } => {
                warn!(target: "drongo::overload", bound = ?bound, "new work is refused");
            }
            Event::OverloadEnded { episode } => {
                info!(
                    target: "drongo::overload",
                    lasted = ?episode.lasted,
                    refused = episode.refused,
                    shed = episode.shed,
                    "all new work is taken again"
                );
            }
            _ => {}
        }
    }

    fn begin(&mut self, call: CallHandle, call_id: &str, direction: &str) {
        if tracing::enabled!(Level::INFO) {
            let span = info_span!(
                "sip.call",
                sip.call_id = call_id,
                sip.direction = direction,
                sip.end = Empty
            );
            self.calls.insert(call, span);
        }
    }
}

//! What a driver says of its work to those who watch it: spans with the feature `tracing`, metrics
//! with the feature `metrics`. Without them nothing is done, and nothing is compiled in.
//!
//! Names, for dashboards that know other stacks:
//!
//! | metric | labels | what |
//! |---|---|---|
//! | `sip_requests_received_total`, `sip_requests_sent_total` | `method` | requests, copies too |
//! | `sip_responses_received_total`, `sip_responses_sent_total` | `code` | responses, copies too |
//! | `sip_retransmissions_received_total` | | copies of requests that a transaction had seen |
//! | `sip_retransmissions_sent_total` | | requests and responses that were sent again |
//! | `sip_new_requests_total` | `result`: `admitted`, `refused`, `shed` | requests outside of any dialog |
//! | `sip_requests_withheld_total` | | requests that were not sent because a server asked for that |
//! | `sip_overloads_total` | | overloads that began |
//! | `sip_dropped_total` | `reason` | what came and was of no use |
//! | `sip_failovers_total` | | requests that went on to the next server |
//! | `sip_calls_active`, `sip_transactions_active`, `sip_dialogs_active` | | in the tables now, lingering ones included |
//! | `sip_overloaded` | | 1 while new work is refused, 0 otherwise |
//!
//! Spans: `sip.call` from the first word of a call to its end, with `sip.call_id`, `sip.direction`
//! (`incoming`, `outgoing`) and, at the end, `sip.end`; `sip.transaction` from a request to its
//! final response, with `sip.role` (`client`, `server`), `sip.method`, `sip.call_id`, `sip.cseq`,
//! `network.transport`, `network.peer.address` and, at the end, `sip.status_code`. Overload that
//! begins is a warning, and its end an event, both of the target `drongo::overload`.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(feature = "tracing")]
mod spans;

use bytes::Bytes;

use crate::endpoint::{CallHandle, Endpoint, Event};
use crate::transport::Flow;

/// Everybody who watches.
#[derive(Debug, Default)]
pub(super) struct Observer {
    #[cfg(feature = "metrics")]
    meters: meters::Meters,
    #[cfg(feature = "tracing")]
    spans: spans::Spans,
}

#[cfg_attr(
    not(any(feature = "metrics", feature = "tracing")),
    allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        unused_variables,
        reason = "nobody watches"
    )
)]
impl Observer {
    /// A message came in.
    #[inline]
    pub(super) fn received(&mut self, flow: &Flow, bytes: &Bytes) {
        #[cfg(feature = "metrics")]
        self.meters.message(bytes, meters::Way::In);
        #[cfg(feature = "tracing")]
        self.spans.message(flow, bytes, spans::Way::In);
        #[cfg(not(feature = "tracing"))]
        let _ = flow;
        let _ = bytes;
    }

    /// A message goes out.
    #[inline]
    pub(super) fn sent(&mut self, flow: &Flow, bytes: &Bytes) {
        #[cfg(feature = "metrics")]
        self.meters.message(bytes, meters::Way::Out);
        #[cfg(feature = "tracing")]
        self.spans.message(flow, bytes, spans::Way::Out);
        #[cfg(not(feature = "tracing"))]
        let _ = flow;
        let _ = bytes;
    }

    /// The application hears something.
    #[inline]
    pub(super) fn heard(&mut self, event: &Event) {
        #[cfg(feature = "tracing")]
        self.spans.heard(event);
        let _ = event;
    }

    /// The application placed a call or asked for something.
    #[inline]
    pub(super) fn placed(&mut self, call: CallHandle, call_id: &str) {
        #[cfg(feature = "tracing")]
        self.spans.placed(call, call_id);
        let _ = (call, call_id);
    }

    /// A turn of the loop is over.
    #[inline]
    pub(super) fn turned(&mut self, endpoint: &Endpoint) {
        #[cfg(feature = "metrics")]
        self.meters.export(endpoint);
        let _ = endpoint;
    }
}

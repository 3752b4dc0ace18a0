//! A request on its way to its owner, and what of it is needed more than once.

use super::Endpoint;
use super::detour::ReturnPath;
use super::overload::said;
use crate::message::{Method, Reply, Request};
use crate::table::Hashed;
use crate::time::Time;
use crate::transaction::key::{OriginKey, ServerKey};
use crate::transport::Flow;

/// What is made of a new request once.
pub(super) struct Arrival {
    /// Where it came from.
    pub(super) flow: Flow,
    pub(super) key: ServerKey,
    pub(super) hashed: Hashed,
    /// Where its responses go.
    pub(super) path: ReturnPath,
    /// What answers it.
    pub(super) reply: Reply,
    /// What its copies over another way have in common with it (8.2.2.2).
    pub(super) origin: Option<Hashed>,
}

impl Endpoint {
    pub(super) fn arrival(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Request,
        (key, hashed): (ServerKey, Hashed),
    ) -> Arrival {
        let mut reply = Reply::new(request);
        if let Some(feedback) = self.feedback_for(now, request) {
            reply.say_feedback(&said(&feedback));
        }
        Arrival {
            flow,
            key,
            hashed,
            path: match request.asks_for_rport_alone() {
                true => ReturnPath::back(&flow),
                false => ReturnPath::new(&request.top_via(), &flow),
            },
            reply,
            origin: self.origin_of(request),
        }
    }

    /// 8.2.2.2: a request without To tag that came before over another way, so with another
    /// branch.
    pub(super) fn is_merged(&self, arrival: &Arrival) -> bool {
        let before = |origin| self.origins.find(origin, |_| true);
        arrival.origin.and_then(before).is_some()
    }

    /// The hash of what its copies over another way have in common with a request. A CANCEL has
    /// that of its INVITE.
    fn origin_of(&self, request: &Request) -> Option<Hashed> {
        let method = request.method();
        // An OPTIONS is over as soon as it has come, so nothing is ongoing that another could be
        // merged with; who pings with the same words again and again is answered each time.
        if request.has_to_tag() || matches!(method, Method::Cancel | Method::Options) {
            return None;
        }
        Some(self.origins.hashed(&OriginKey(request)))
    }
}

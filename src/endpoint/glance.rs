//! New work that is not taken, and the ACKs of that, settled without reading all of a datagram.
//!
//! What comes out is to the byte what reading all of it gives: `dispatch.rs` does whatever is not
//! done here. A request that is malformed where nobody looked is refused like any other; it gets
//! its 400 when there is time for it.

use super::Endpoint;
use super::detour::ReturnPath;
use super::overload::begins_new_work;
use super::{Dropped, Origin, Output};
use crate::message::{Glance, Method, StatusCode, TopVia};
use crate::overload::admission::{Action, Offer};
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::key::ServerKey;
use crate::transport::Flow;

impl Endpoint {
    /// Whether all that is due to a datagram is done.
    pub(super) fn is_settled_at_a_glance(
        &mut self,
        now: Time,
        flow: &Flow,
        bytes: &[u8],
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> bool {
        match bytes.starts_with(b"ACK ") {
            true => self.absorb_at_a_glance(now, bytes).is_some(),
            false => self.refuse_at_a_glance(now, flow, bytes, out).is_some(),
        }
    }

    /// Refuses a request that begins something new, if such are refused now. `None`: it is to be
    /// read.
    fn refuse_at_a_glance(
        &mut self,
        now: Time,
        flow: &Flow,
        bytes: &[u8],
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Option<()> {
        let policy = &self.config.overload;
        // What it says of its priority, and what it is told, would have to be looked for.
        let is_simple = !policy.emergencies && policy.feedback.is_none();
        if !is_simple || !begins_new_work(bytes) {
            return None;
        }
        let offer = self.offer_unread(flow);
        if !self.overload.refuses(now, &offer) {
            return None;
        }
        let top = TopVia::of(bytes)?;
        let key = ServerKey::of_branch(top.branch, &top.via, top.method);
        let hashed = self.server_keys.hashed(&key);
        // A copy of one that was taken gets what that one got.
        if self.server_keys.get_hashed(hashed, &key).is_some() {
            return None;
        }
        let path = ReturnPath::new(&top.via, flow);
        let glance = Glance::of(top).filter(|glance| glance.to_tag().is_none())?;
        let hash = hashed.as_u64();
        let known = self.repeated_refusal(now, hash);
        let refusal = match known {
            Some(refusal) => refusal,
            None => match self.judge(now, Offer { salt: hash, ..offer }, out)? {
                Action::Refuse { retry_after } => self.turn_away(now, hash, retry_after),
                Action::Shed => {
                    self.drop_packet(Dropped::Shed, out);
                    return Some(());
                }
                // Not what it has just said.
                Action::Admit | Action::Began(_) | Action::Ended(_) => return None,
            },
        };
        let (call_id, from_tag, branch, number) = glance.identity();
        let ids = &self.context.ids;
        let tag = ids.to_tag_of(call_id, from_tag, Some(branch), number);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let response = glance.refuse(status, flow.remote, tag.as_bytes(), refusal.retry_after);
        self.transmit(path.flow, None, response, Origin::Nobody, out);
        if known.is_none() {
            self.drop_packet(Dropped::Overload, out);
        }
        Some(())
    }

    /// Takes the ACK of a refusal that is remembered: the branch and sent-by of the INVITE name it
    /// (17.2.3), whatever else it says. `None`: it is to be read.
    fn absorb_at_a_glance(&mut self, now: Time, bytes: &[u8]) -> Option<()> {
        if !self.overload.has_refused(now) {
            return None;
        }
        let top = TopVia::of(bytes)?;
        let key = ServerKey::of_branch(top.branch, &top.via, Method::Invite);
        let hash = self.server_keys.hashed(&key).as_u64();
        if !self.overload.is_refused(now, hash) {
            return None;
        }
        let counter = &mut self.counters.refusals_acknowledged;
        *counter = counter.saturating_add(1);
        Some(())
    }

    /// What can be said of a request before it is read.
    fn offer_unread(&self, flow: &Flow) -> Offer {
        Offer {
            waited: self.overload.waited(),
            is_repeated: !flow.transport.is_reliable(),
            calls: self.calls(),
            transactions: self.transactions(),
            ..Offer::default()
        }
    }
}

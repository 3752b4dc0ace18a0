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
        let key = ServerKey::of_branch(top.branch, top.via.sent_by(), top.method);
        let hashed = self.server_keys.hashed(&key);
        // A copy of one that was taken gets what that one got.
        if self.find_server(hashed, &key).is_some() {
            return None;
        }
        let path = ReturnPath::new(&top.via, flow);
        let glance = Glance::of(top).filter(|glance| glance.to_tag().is_none())?;
        let hash = hashed.as_u64();
        let known = self.repeated_refusal(now, hash);
        let refusal = match known {
            Some(refusal) => refusal,
            None => match self.judge(
                now,
                Offer {
                    salt: hash,
                    ..offer
                },
                out,
            )? {
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
        let key = ServerKey::of_branch(top.branch, top.via.sent_by(), Method::Invite);
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

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::endpoint::{Config, Event, Input};
    use crate::message::Outgoing;
    use crate::seed::Seed;
    use crate::transport::{FlowId, Local, Transport};

    const HERE: &str = "192.0.2.1:5060";

    /// One that takes so many calls, and no more.
    fn endpoint(calls: u32, reads_all: bool) -> Endpoint {
        let mut config = Config::default().local(Local::new(Transport::Udp, HERE.parse().unwrap()));
        config.limits.calls = calls as usize;
        // Who believes such marks must look for them.
        config.overload.emergencies = reads_all;
        Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO).unwrap()
    }

    fn flow() -> Flow {
        Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: HERE.parse().unwrap(),
            remote: "192.0.2.2:5070".parse().unwrap(),
        }
    }

    fn request(method: &str, call: usize, via: &str, tag: &str) -> Bytes {
        alloc::format!(
            "{method} sip:bob@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKi{call};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:alice@192.0.2.2>;tag=a{call}\r\nTo: <sip:bob@{HERE}>{tag}\r\n\
             Call-ID: {call}@192.0.2.2\r\nCSeq: 1 {method}\r\nContact: <sip:alice@192.0.2.2>\r\n\
             Content-Length: 0\r\n\r\n"
        )
        .into()
    }

    /// The tag of the last response, if it has one: a 100 has none.
    fn tag(out: &[Output]) -> String {
        let sent = out.iter().rev().find_map(|output| match output {
            Output::Transmit(transmit) => Some(&transmit.bytes),
            Output::Event(_) | Output::Query { .. } | Output::Dropped(_) => None,
        });
        let text = String::from_utf8(sent.unwrap().to_vec()).unwrap();
        let to = text.lines().find(|line| line.starts_with("To: "));
        let tag = to.unwrap().split_once(";tag=");
        tag.map_or(String::new(), |(_, tag)| alloc::format!(";tag={tag}"))
    }

    fn receive(endpoint: &mut Endpoint, now: Time, bytes: Bytes) -> Vec<Output> {
        let mut out = Vec::new();
        let flow = flow();
        endpoint.receive(now, Input::Datagram { flow, bytes }, &mut out);
        out
    }

    #[test]
    fn full_endpoint_reads_neither_what_it_refuses_nor_the_ack_of_that() {
        let mut endpoint = endpoint(0, false);
        let mut out = Vec::new();
        let invite = request("INVITE", 1, "192.0.2.2:5070", "");
        for _ in 0..2 {
            assert!(endpoint.is_settled_at_a_glance(Time::ZERO, &flow(), &invite, &mut out));
        }
        let ack = request("ACK", 1, "192.0.2.2:5070", &tag(&out));
        assert!(endpoint.is_settled_at_a_glance(Time::ZERO, &flow(), &ack, &mut out));
        let counters = endpoint.counters();
        assert_eq!((counters.turned_away, counters.refusals_repeated), (1, 1));
        assert_eq!(counters.refusals_acknowledged, 1);
        // Another ACK is not of it, and no ACK is looked at when nothing was refused lately.
        let other = request("ACK", 1, "192.0.2.3:5070", &tag(&out));
        assert!(!endpoint.is_settled_at_a_glance(Time::ZERO, &flow(), &other, &mut out));
        let later = Time::from_secs(33);
        assert!(!endpoint.is_settled_at_a_glance(later, &flow(), &ack, &mut out));
    }

    #[test]
    fn full_endpoint_reads_what_may_be_of_a_call() {
        let mut endpoint = endpoint(1, false);
        let invite = request("INVITE", 1, "192.0.2.2:5070", "");
        let out = receive(&mut endpoint, Time::ZERO, invite.clone());
        let call = out.iter().find_map(|output| match output {
            Output::Event(Event::Incoming { call, .. }) => Some(*call),
            Output::Event(_) | Output::Transmit(_) | Output::Query { .. } | Output::Dropped(_) => {
                None
            }
        });
        // There is no room for another one, so its refusal is remembered.
        let mut out = Vec::new();
        let other = request("INVITE", 2, "192.0.2.2:5070", "");
        assert!(endpoint.is_settled_at_a_glance(Time::ZERO, &flow(), &other, &mut out));
        let mut call = endpoint.call(call.unwrap()).unwrap();
        let mut out = Vec::new();
        let busy = StatusCode::BUSY_HERE;
        call.reject(Time::ZERO, busy, Outgoing::default(), &mut out)
            .unwrap();
        for bytes in [
            // The copy of what was taken, and its ACK.
            invite,
            request("ACK", 1, "192.0.2.2:5070", &tag(&out)),
            // Within a dialog, or not new work.
            request("INVITE", 3, "192.0.2.2:5070", ";tag=x"),
            request("CANCEL", 1, "192.0.2.2:5070", ""),
            request("BYE", 3, "192.0.2.2:5070", ""),
        ] {
            let is_settled = endpoint.is_settled_at_a_glance(Time::ZERO, &flow(), &bytes, &mut out);
            assert!(!is_settled, "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What comes out does not depend on how much is read.
        #[test]
        fn what_is_settled_at_a_glance_is_settled_as_if_all_was_read(
            room in 0_u32..3,
            steps in prop::collection::vec((0_usize..4, 0_usize..7, 0_u64..400), 1..40),
        ) {
            let (mut quick, mut whole) = (endpoint(room, false), endpoint(room, true));
            let mut tags = [const { String::new() }; 4];
            let mut now = Time::ZERO;
            for (call, what, after) in steps {
                now = (now + core::time::Duration::from_millis(after)).unwrap();
                let via = ["192.0.2.2:5070", "192.0.2.2", "b.example:5070"][call % 3];
                let bytes = match what {
                    0..3 => request("INVITE", call, via, ""),
                    3 => request("ACK", call, via, &tags[call]),
                    4 => request("OPTIONS", call, via, ""),
                    5 => request("CANCEL", call, via, ""),
                    _ => request("BYE", call, via, &tags[call]),
                };
                let is_quick = bytes.clone();
                let out = receive(&mut quick, now, bytes);
                prop_assert_eq!(&out, &receive(&mut whole, now, is_quick));
                prop_assert_eq!(quick.counters(), whole.counters());
                if what < 3 && out.iter().any(|output| matches!(output, Output::Transmit(_))) {
                    tags[call] = tag(&out);
                }
            }
        }
    }
}

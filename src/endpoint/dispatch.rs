//! What arrives, and whose it is: RFC 3261 8.2, 9.2, 12.2.2, 17.1.3, 17.2.3, 18.1.2, 18.2.1.
//!
//! Here, and nowhere else, it is decided that a request belongs to no dialog (481).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use bytes::Bytes;

use super::arrival::Arrival;
use super::checks::Refusal;
use super::detour::ReturnPath;
use super::servers::Owner;
use super::{CallEvent, CallHandle, Dropped, Endpoint, Event, Origin, Output, RequestHandle};
use crate::message::{Boxed, HeaderList, Method, ParseError, Request, StatusCode, parse_boxed};
use crate::seed::Token;
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::invite_server;
use crate::transaction::key::ServerKey;
use crate::transport::Flow;

/// The methods whose requests a CANCEL may name; INVITE is tried first (9.2).
const CANCELLABLE: [Method<'static>; 11] = [
    Method::Options,
    Method::Bye,
    Method::Register,
    Method::Prack,
    Method::Update,
    Method::Info,
    Method::Message,
    Method::Refer,
    Method::Subscribe,
    Method::Notify,
    Method::Publish,
];

impl Endpoint {
    pub(super) fn on_datagram(
        &mut self,
        now: Time,
        flow: Flow,
        bytes: Bytes,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.counters.received = self.counters.received.saturating_add(1);
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            return self.drop_packet(Dropped::KeepAlive, out);
        }
        if !flow.transport.is_reliable() && self.is_shed_unread(now, &bytes, out) {
            return;
        }
        if self.is_settled_at_a_glance(now, &flow, &bytes, out) {
            return;
        }
        match parse_boxed(bytes, &self.context.limits) {
            Ok(Boxed::Request(mut request)) => {
                request.stamp_source(flow.remote);
                self.on_request(now, flow, request, out);
            }
            Ok(Boxed::Response(response)) => self.on_response(now, response, out),
            Err(error) => self.on_malformed(&flow, error, out),
        }
    }

    /// What is not a message: 400 or what else the error says, if it can be answered (8.2, 18.3).
    pub(super) fn on_malformed(
        &mut self,
        flow: &Flow,
        error: ParseError,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if let (Some(status), Some(mut reply)) = (error.status, error.reply) {
            reply.stamp_source(flow.remote);
            let ids = &self.context.ids;
            let call_id = String::from_utf8_lossy(reply.call_id_value());
            let via = String::from_utf8_lossy(reply.top_via_value());
            let tag = ids.to_tag(&call_id, None, Some(&via), 0);
            // 21.4.1: what is wrong with it.
            let reason = (status == StatusCode::BAD_REQUEST).then(|| error.kind.to_string());
            let tag = Some(tag.as_str());
            let bytes = reply.write(status, reason.as_deref(), tag, &HeaderList::new(), None);
            let flow = reply
                .top_via()
                .map_or(*flow, |via| ReturnPath::new(&via, flow).flow);
            self.transmit(flow, None, bytes, Origin::Nobody, out);
        }
        let (kind, offset) = (error.kind, error.offset);
        self.drop_packet(Dropped::Malformed { kind, offset }, out);
    }

    fn on_request(
        &mut self,
        now: Time,
        flow: Flow,
        request: Box<Request>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if request.method() == Method::Ack {
            return self.on_ack(now, request, out);
        }
        let key = ServerKey::of_request(&request);
        let hashed = self.server_keys.hashed(&key);
        if let Some(server) = self.find_server(hashed, &key) {
            let counter = &mut self.counters.retransmissions_received;
            *counter = counter.saturating_add(1);
            return self.drive_server(now, server, out, |machine, actions| {
                machine.receive(now, invite_server::Event::Invite, actions);
            });
        }
        let arrival = self.arrival(now, flow, &request, (key, hashed));
        match (request.method(), request.has_to_tag()) {
            (Method::Cancel, _) => self.on_cancel(now, &arrival, request, out),
            (_, true) => self.on_request_in_dialog(now, &arrival, request, out),
            (_, false) => self.on_request_outside(now, &arrival, request, out),
        }
    }

    /// An ACK for a non-2xx is of its INVITE's transaction; one for a 2xx is of its dialog; none
    /// is ever answered.
    fn on_ack(&mut self, now: Time, ack: Box<Request>, out: &mut (impl Sink<Output> + ?Sized)) {
        if let Some(server) = self.acknowledged_by(&ack) {
            return self.drive_server(now, server, out, |machine, actions| {
                machine.receive(now, invite_server::Event::Ack(ack), actions);
            });
        }
        let tag = ack.to_tag_bytes().unwrap_or_default();
        match self.find_dialog(ack.call_id_bytes(), tag, ack.tag_of_from()) {
            Some(call) => self.tell_call(now, call, CallEvent::Ack { ack }, out),
            None if self.acknowledges_refusal(&ack) => {}
            None => self.drop_packet(Dropped::StrayAck, out),
        }
    }

    /// The transaction of the INVITE that an ACK is for; see [`ServerKey::of_acknowledged`].
    fn acknowledged_by(&self, ack: &Request) -> Option<RequestHandle> {
        ServerKey::of_acknowledged(ack).find_map(|candidate| {
            let hashed = self.server_keys.hashed(&candidate.key);
            let server = self.find_server(hashed, &candidate.key)?;
            let sent = self.servers.get(server).map(|entry| entry.tag.as_str());
            (!candidate.by_sent_tag || sent == ack.to_tag()).then_some(server)
        })
    }

    /// 9.2: 200 to a CANCEL that names a request, 481 to another; the INVITE gets its 487 from
    /// its call, if it has no final response yet.
    fn on_cancel(
        &mut self,
        now: Time,
        arrival: &Arrival,
        cancel: Box<Request>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(server) = self.cancelled_by(&cancel) else {
            return self.no_such_dialog(&cancel, arrival, out);
        };
        let Some(entry) = self.servers.get(server) else {
            return;
        };
        // The tag of the 200 is that of the responses to the request (9.2).
        let (tag, call) = (entry.tag, entry.pending_call());
        let none = HeaderList::new();
        self.answer_at_once(now, &cancel, arrival, (StatusCode::OK, &none), tag, out);
        if let Some(call) = call {
            let server = super::servers::server_id(server);
            self.tell_call(now, call, CallEvent::Cancel { server, cancel }, out);
        }
    }

    fn cancelled_by(&self, cancel: &Request) -> Option<RequestHandle> {
        let find = |method| {
            let key = ServerKey::of_cancelled(cancel, method);
            self.find_server(self.server_keys.hashed(&key), &key)
        };
        find(Method::Invite).or_else(|| CANCELLABLE.into_iter().find_map(find))
    }

    /// 12.2.2.
    fn on_request_in_dialog(
        &mut self,
        now: Time,
        arrival: &Arrival,
        request: Box<Request>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let local_tag = request.to_tag_bytes().unwrap_or_default();
        let found = self.find_dialog(request.call_id_bytes(), local_tag, request.tag_of_from());
        let Some(call) = found else {
            return self.no_such_dialog(&request, arrival, out);
        };
        let machine = self.calls.get(call).map(|entry| &entry.call);
        if let Some(refusal) = self.refusal(&request, arrival, machine) {
            return self.refuse_in_dialog(now, call, &request, arrival, refusal, out);
        }
        let tag = Token::of_bytes(local_tag).unwrap_or_else(|| self.tag_for(&request));
        let owner = Owner::Call(call);
        match self.admit(now, &request, arrival, tag, owner, out) {
            Some(server) => {
                let server = super::servers::server_id(server);
                let host = self.places.contact(&arrival.flow);
                self.tell_call(
                    now,
                    call,
                    CallEvent::Request {
                        server,
                        request,
                        host,
                        reply: arrival.reply.clone(),
                    },
                    out,
                );
            }
            None => self.busy(&request, arrival, out),
        }
    }

    /// A refusal takes the CSeq all the same (12.2.2), so its copies need a transaction.
    fn refuse_in_dialog(
        &mut self,
        now: Time,
        call: CallHandle,
        request: &Request,
        arrival: &Arrival,
        (status, headers): Refusal,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        if !self.has_room(true) {
            return self.busy(request, arrival, out);
        }
        self.counters.refused = self.counters.refused.saturating_add(1);
        let entry = self.calls.get_mut(call);
        let taken = entry.map_or(Ok(()), |entry| entry.call.take_cseq(request));
        let (status, headers) = match taken {
            Ok(()) => (status, headers),
            Err(status) => (status, HeaderList::new()),
        };
        let tag = self.tag_for(request);
        if request.method() == Method::Invite {
            // 14.1: no INVITE of this side goes before its ACK has come.
            let bytes = arrival
                .reply
                .write(status, None, Some(tag.as_str()), &headers, None);
            let owner = Owner::Call(call);
            let Some(server) = self.start_server(now, request, arrival, tag, owner, out) else {
                return self.transmit(arrival.path.flow, None, bytes, Origin::Nobody, out);
            };
            if let Some(entry) = self.calls.get_mut(call) {
                entry.call.has_refused(super::servers::server_id(server));
            }
            return self.respond(now, server, status, bytes, out);
        }
        self.answer_at_once(now, request, arrival, (status, &headers), tag, out);
    }

    /// 8.2: in the order of the RFC.
    fn on_request_outside(
        &mut self,
        now: Time,
        arrival: &Arrival,
        request: Box<Request>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        // A refusal must cost little, so the rest is looked at later. What names no dialog in
        // which alone it makes sense is refused below, and is no work.
        let is_work = !matches!(
            request.method(),
            Method::Bye | Method::Prack | Method::Update
        );
        if is_work && !self.is_admitted(now, &request, arrival, out) {
            return;
        }
        if let Some((status, headers)) = self.refusal(&request, arrival, None) {
            return self.refuse(&request, arrival, status, &headers, out);
        }
        let tag = self.tag_for(&request);
        match request.method() {
            Method::Invite => self.take_invite(now, request, arrival, tag, out),
            Method::Options if !self.config.asks_of_options() => {
                let options = self.options.clone();
                let body = self.config.body_for(&request);
                let what = (StatusCode::OK, &options, body.as_ref());
                self.answer_with(now, &request, arrival, what, tag, out);
            }
            // They make no sense without a dialog, and name none.
            Method::Bye | Method::Prack | Method::Update => {
                self.no_such_dialog(&request, arrival, out);
            }
            // ACK and CANCEL have gone another way.
            Method::Ack
            | Method::Cancel
            | Method::Options
            | Method::Register
            | Method::Info
            | Method::Message
            | Method::Refer
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Other(_) => self.hand_over(now, request, arrival, tag, out),
        }
    }

    /// A request outside of any call that is the application's to answer.
    fn hand_over(
        &mut self,
        now: Time,
        request: Box<Request>,
        arrival: &Arrival,
        tag: Token,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let until = now + self.limits().request_wait;
        let owner = Owner::Application {
            reply: arrival.reply.clone(),
            until,
        };
        match self.admit(now, &request, arrival, tag, owner, out) {
            Some(server) => out.push(Output::Event(Event::Request {
                request: server,
                call: None,
                message: request,
            })),
            None => self.busy(&request, arrival, out),
        }
    }

    fn no_such_dialog(
        &mut self,
        request: &Request,
        arrival: &Arrival,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
        self.stateless(request, arrival, status, &HeaderList::new(), out);
        self.drop_packet(Dropped::StrayRequest, out);
    }

    /// A refusal by the core itself.
    pub(super) fn refuse(
        &mut self,
        request: &Request,
        arrival: &Arrival,
        status: StatusCode,
        headers: &HeaderList,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.counters.refused = self.counters.refused.saturating_add(1);
        self.stateless(request, arrival, status, headers, out);
    }

    /// 8.2.7: a response that leaves nothing in the tables. Its tag is a keyed hash of the request,
    /// so the next copy gets the same bytes.
    pub(super) fn stateless(
        &mut self,
        request: &Request,
        arrival: &Arrival,
        status: StatusCode,
        headers: &HeaderList,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let tag = self.tag_for(request);
        let reply = &arrival.reply;
        let bytes = reply.write(status, None, Some(tag.as_str()), headers, None);
        self.transmit(arrival.path.flow, None, bytes, Origin::Nobody, out);
    }

    /// The To tag of every response to a request that has none.
    pub(super) fn tag_for(&self, request: &Request) -> Token {
        self.context.ids.to_tag_of(
            request.call_id_bytes(),
            request.tag_of_from(),
            request.branch_bytes(),
            request.cseq_number(),
        )
    }

    /// Whether one more transaction may be. New work is refused at the limit; what belongs to a
    /// call goes on to twice that, so that a full endpoint can still end its calls.
    pub(super) fn has_room(&self, within_call: bool) -> bool {
        let limit = self.limits().transactions;
        let limit = match within_call {
            true => limit.saturating_mul(2),
            false => limit,
        };
        self.transactions() < limit
    }

    /// A server transaction, if there is room for one.
    fn admit(
        &mut self,
        now: Time,
        request: &Request,
        arrival: &Arrival,
        tag: Token,
        owner: Owner,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Option<RequestHandle> {
        let has_room = match owner {
            Owner::Call(call) => self.has_room(true) && self.may_ask(call, request),
            Owner::Application { .. } | Owner::Nobody => self.has_room(false),
        };
        if !has_room {
            return None;
        }
        self.start_server(now, request, arrival, tag, owner, out)
    }

    /// Whether a call may have one more request of the other side; it may always be ended.
    fn may_ask(&self, call: CallHandle, request: &Request) -> bool {
        let servers = self.calls.get(call).map_or(0, |entry| entry.servers.len());
        request.method() == Method::Bye || servers < self.limits().call_transactions
    }
}

//! Two endpoints with calls between them, and one endpoint among strangers, driven by bytes: each
//! is decoded, position by position, into an input, a verb or a step of time. The fuzz targets
//! `pair` and `endpoint`.
//!
//! When the bytes are used up, what is on its way arrives, everybody hangs up, and time goes on
//! until nothing is armed: then nothing may be left.

use std::time::Duration;

use bytes::Bytes;
use drongo::call::reliable::Policy;
use drongo::call::{Early, Invitation};
use drongo::endpoint::{
    Answer, CallHandle, Config, Endpoint, Event, Input, Output, QueryId, RequestHandle, TransmitId,
};
use drongo::locate::{Records, Srv};
use drongo::message::{Body, HeaderList, Incoming, Outgoing, Reply, StatusCode, parse};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

/// The most of what is kept to be chosen from.
const KEPT: usize = 24;

/// An endpoint, what it may be told next, and what its user heard.
struct Party {
    endpoint: Endpoint,
    flow: Flow,
    calls: Vec<CallHandle>,
    ended: Vec<CallHandle>,
    requests: Vec<RequestHandle>,
    queries: Vec<QueryId>,
    transmits: Vec<TransmitId>,
    legs: Vec<(CallHandle, Early)>,
    sent: Vec<Bytes>,
    placed: u64,
}

impl Party {
    fn new(ordinal: u8, config: Config) -> Self {
        let address = |n: u8| ([192, 0, 2, n], 5060).into();
        let flow = Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: address(ordinal),
            remote: address(3 - ordinal),
        };
        let config = config.local(Local::new(Transport::Udp, flow.local));
        let seed = Seed::from_bytes([ordinal; 32]);
        Self {
            endpoint: Endpoint::new(config, seed, Time::ZERO).unwrap(),
            flow,
            calls: Vec::new(),
            ended: Vec::new(),
            requests: Vec::new(),
            queries: Vec::new(),
            transmits: Vec::new(),
            legs: Vec::new(),
            sent: Vec::new(),
            placed: 0,
        }
    }

    fn hear(&mut self, now: Time, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Transmit(transmit) => {
                    let read = parse(transmit.bytes.clone(), &Default::default());
                    assert!(read.is_ok(), "{read:?}: {:?}", transmit.bytes);
                    keep(&mut self.transmits, transmit.id);
                    keep(&mut self.sent, transmit.bytes);
                }
                Output::Event(event) => self.on_event(event),
                Output::Query { id, .. } => keep(&mut self.queries, id),
                _ => {}
            }
        }
        let deadline = self.endpoint.deadline();
        assert!(deadline.is_none_or(|at| at > now), "L8: {deadline:?}");
    }

    fn on_event(&mut self, event: Event) {
        let text = format!("{event:?}");
        let of = |call: &CallHandle| assert!(!self.ended.contains(call), "after the end: {text}");
        match event {
            Event::Incoming { call, .. } => {
                assert!(!self.calls.contains(&call), "{text}");
                self.calls.push(call);
            }
            Event::Ended { call, .. } => {
                of(&call);
                self.ended.push(call);
            }
            Event::Progress { call, early, .. } => {
                of(&call);
                if let Some(early) = early {
                    keep(&mut self.legs, (call, early));
                }
            }
            Event::Request { request, call, .. } => {
                call.iter().for_each(of);
                keep(&mut self.requests, request);
            }
            Event::Offered { call, request, .. } => {
                of(&call);
                keep(&mut self.requests, request);
            }
            Event::Answered { call, .. }
            | Event::Acknowledged { call, .. }
            | Event::Reoffered { call, .. }
            | Event::Updated { call, .. }
            | Event::UpdateRefused { call, .. }
            | Event::UpdateDeferred { call, .. }
            | Event::ReinviteOutdated { call, .. }
            | Event::UpdateOutdated { call, .. }
            | Event::ReofferExpired { call, .. }
            | Event::Pracked { call, .. }
            | Event::Refreshed { call, .. }
            | Event::Redirected { call, .. }
            | Event::Retried { call, .. }
            | Event::Response { call, .. }
            | Event::RequestFailed { call, .. }
            | Event::ReofferCancelled { call, .. } => of(&call),
            _ => {}
        }
    }

    /// A verb. One that does not fit is refused, and that is all.
    fn does(&mut self, now: Time, verb: u8, with: u8) {
        let mut out = Vec::new();
        let status = StatusCode::new(STATUSES[usize::from(with >> 2) % STATUSES.len()]).unwrap();
        let outgoing = match with & 1 {
            0 => Outgoing::new(),
            _ => Outgoing::new().with_body(Body::sdp("v=0\r\n")),
        };
        let (to, o) = (usize::from(with >> 1), &mut out);
        let verb = verb % 18;
        if verb == 0 {
            return self.place(now, with);
        }
        if verb == 1 {
            if let Some(request) = pick(&self.requests, to)
                && let Ok(mut request) = self.endpoint.request(request)
            {
                let _ = request.respond(now, status, outgoing, o);
            }
            return self.hear(now, out);
        }
        let Some(handle) = pick(&self.calls, usize::from(with >> 6)) else {
            return;
        };
        let leg = self.legs.iter().rev().find(|(call, _)| *call == handle);
        let leg = leg.map(|(_, early)| early.leg);
        let Ok(mut call) = self.endpoint.call(handle) else {
            return;
        };
        let _ = match verb {
            2 => call.ring(now, o),
            3 => call.progress(now, status, outgoing, o),
            4 => call.preview(now, status, outgoing, o),
            5 | 6 => call.answer(now, outgoing, o),
            7 => call.reject(now, status, outgoing, o),
            8 => call.acknowledge(now, outgoing, o),
            9 => call.hang_up(now, o),
            10 | 11 => call.reinvite(now, outgoing, o),
            12 => call.cancel_reinvite(now, Outgoing::new(), o),
            13 | 14 => call.update(now, outgoing, o),
            15 if with & 8 != 0 => call.identify(now, "sip:else@example.com", o),
            15 => call.send(now, "INFO", outgoing, o),
            16 => match leg {
                Some(leg) if with & 2 == 0 => call.prack(now, leg, outgoing, o),
                Some(leg) => call.update_leg(now, leg, outgoing, o),
                None => Ok(()),
            },
            _ => {
                call.abandon();
                self.calls.retain(|call| *call != handle);
                Ok(())
            }
        };
        self.hear(now, out);
    }

    fn place(&mut self, now: Time, with: u8) {
        if self.placed >= 4 {
            return;
        }
        let target = match with & 6 {
            6 => "sip:bob@biloxi.example.com".to_string(),
            _ => format!("sip:bob@{}", self.flow.remote),
        };
        let invitation = Invitation::new(&target, "sip:alice@example.com").unwrap();
        let invitation = match with & 1 {
            0 => invitation,
            _ => invitation.with(Outgoing::new().with_body(Body::sdp("v=0\r\n"))),
        };
        let mut out = Vec::new();
        let placed = self.endpoint.place(now, self.placed, invitation, &mut out);
        self.placed += 1;
        self.calls.extend(placed);
        self.hear(now, out);
    }

    fn receive(&mut self, now: Time, bytes: Bytes) {
        let input = Input::Datagram {
            flow: self.flow,
            bytes,
        };
        self.input(now, input);
    }

    fn input(&mut self, now: Time, input: Input) {
        let mut out = Vec::new();
        // L12: a copy does the same.
        let mut copy = self.endpoint.clone();
        let mut again = Vec::new();
        self.endpoint.receive(now, input.clone(), &mut out);
        copy.receive(now, input, &mut again);
        assert_eq!(out, again);
        assert_eq!(self.endpoint, copy);
        self.hear(now, out);
    }

    fn wake(&mut self, now: Time) {
        let mut out = Vec::new();
        self.endpoint.on_deadline(now, &mut out);
        self.hear(now, out);
    }

    fn hang_up_all(&mut self, now: Time) {
        for handle in self.calls.clone() {
            if let Ok(mut call) = self.endpoint.call(handle) {
                let mut out = Vec::new();
                call.hang_up(now, &mut out).unwrap();
                self.hear(now, out);
            }
        }
    }

    /// Nothing is left, and every call ended.
    fn assert_at_rest(&self) {
        let end = &self.endpoint;
        let left = (end.transactions(), end.calls(), end.dialogs());
        assert!(end.is_idle(), "left: {left:?}, {:?}", end.next_wake());
        for call in &self.calls {
            assert!(self.ended.contains(call), "{call} never ended");
        }
    }
}

const STATUSES: [u16; 12] = [180, 183, 199, 200, 302, 401, 408, 422, 481, 486, 491, 500];

fn keep<T>(kept: &mut Vec<T>, more: T) {
    if kept.len() >= KEPT {
        kept.remove(0);
    }
    kept.push(more);
}

fn pick<T: Clone>(kept: &[T], at: usize) -> Option<T> {
    let at = at.checked_rem(kept.len())?;
    // The latest first.
    kept.iter().rev().nth(at).cloned()
}

fn config(bits: u8) -> Config {
    let mut config = Config::default();
    config.reliable = match bits & 3 {
        0 => Policy::Off,
        1 | 2 => Policy::Supported,
        _ => Policy::Required,
    };
    config.session_timer = (bits & 4 != 0).then(Default::default);
    config.connected_identity = bits & 8 != 0;
    config
}

/// A step of time out of a byte: short ones, up to the deadline, beyond it, back.
fn later(now: Time, deadline: Option<Time>, by: u8) -> Time {
    let on = |millis| (now + Duration::from_millis(millis)).unwrap();
    match by {
        0..=63 => on(u64::from(by)),
        64..=95 => on(u64::from(by - 63) * 100),
        96..=111 => on(u64::from(by - 95) * 4_000),
        112 => Time::from_nanos(now.as_nanos().saturating_sub(1_000_000_000)),
        _ => deadline.map_or(now, |at| at.max(now)),
    }
}

/// Two endpoints, and a network in the hands of the bytes.
pub(crate) fn pair(bytes: &[u8]) {
    let [first, second, steps @ ..] = bytes else {
        return;
    };
    let mut now = Time::ZERO;
    let mut pair = [
        Party::new(1, config(*first)),
        Party::new(2, config(*second)),
    ];
    let mut packets: [Vec<Bytes>; 2] = Default::default();
    for step in steps.chunks_exact(2).take(400) {
        let (what, with) = (step[0], step[1]);
        let who = usize::from(with & 1);
        match what >> 5 {
            // What is on its way to this one arrives, is doubled, or is lost.
            0..=2 => {
                let at = usize::from(with >> 1).checked_rem(packets[who].len());
                if let Some(at) = at {
                    let packet = match what & 31 {
                        0..=3 => packets[who][at].clone(),
                        _ => packets[who].remove(at),
                    };
                    if what & 31 != 31 {
                        pair[who].receive(now, packet);
                    }
                }
            }
            3..=5 => pair[usize::from(what & 1)].does(now, what >> 1, with),
            _ => {
                let deadlines = pair.iter().filter_map(|party| party.endpoint.deadline());
                let at = later(now, deadlines.min(), what << 2 | with & 3);
                if at < now {
                    pair[who].wake(at);
                } else {
                    now = at;
                    pair.iter_mut().for_each(|party| party.wake(now));
                }
            }
        }
        carry(&mut pair, &mut packets);
    }
    for party in &mut pair {
        party.hang_up_all(now);
    }
    carry(&mut pair, &mut packets);
    rest(&mut pair, &mut packets, now);
    for party in &pair {
        party.assert_at_rest();
    }
}

/// What one sent is on its way to the other.
fn carry(pair: &mut [Party; 2], packets: &mut [Vec<Bytes>; 2]) {
    let [one, two] = pair;
    packets[1].append(&mut one.sent);
    packets[0].append(&mut two.sent);
}

/// Everything arrives, and time goes on until nothing is armed.
fn rest(pair: &mut [Party; 2], packets: &mut [Vec<Bytes>; 2], mut now: Time) {
    for round in 0_u32.. {
        assert!(round < 20_000, "it does not come to rest");
        let full = (0..2).find(|who| !packets[*who].is_empty());
        if let Some(who) = full {
            let packet = packets[who].remove(0);
            pair[who].receive(now, packet);
        } else {
            let deadlines = pair.iter().filter_map(|party| party.endpoint.deadline());
            let Some(at) = deadlines.min() else {
                return;
            };
            now = now.max(at);
            for party in pair.iter_mut() {
                party.wake(now);
                // A call that reached it since then.
                party.hang_up_all(now);
            }
        }
        carry(pair, packets);
    }
}

/// One endpoint, among strangers who send what the bytes say.
pub(crate) fn endpoint(bytes: &[u8]) {
    let [first, steps @ ..] = bytes else {
        return;
    };
    let mut now = Time::ZERO;
    let mut party = Party::new(1, config(*first));
    for step in steps.chunks_exact(3).take(300) {
        let (what, with, more) = (step[0], step[1], step[2]);
        match what >> 5 {
            0 | 1 => party.receive(now, request(&party, what & 63, with, more)),
            2 | 3 => {
                if let Some(bytes) = response(&party, with, more) {
                    party.receive(now, bytes);
                }
            }
            4 | 5 => party.does(now, what, with),
            6 => match what & 31 {
                0..=7 => {
                    if let Some(id) = pick(&party.transmits, with.into()) {
                        let input = match more & 1 {
                            0 => Input::SendFailed { id },
                            _ => Input::Refused { id },
                        };
                        party.input(now, input);
                    }
                }
                8..=15 => {
                    if let Some(id) = pick(&party.queries, with.into()) {
                        let all = [[192, 0, 2, 9].into(), [192, 0, 2, 10].into()];
                        let some = all[..usize::from(more) % 3].to_vec();
                        let target = "s.example.com".into();
                        let srv = Srv {
                            priority: 1,
                            weight: with.into(),
                            port: 5060,
                            target,
                        };
                        let records = match more >> 6 {
                            0 => Records::None,
                            1 => Records::Srv(vec![srv]),
                            _ => Records::Addresses(some),
                        };
                        let answer = Answer::Dns(records);
                        party.input(now, Input::Answer { id, answer });
                    }
                }
                16..=23 => {
                    let bytes = pick(&party.sent, with.into()).unwrap_or_default();
                    let short = bytes.slice(..usize::from(more).min(bytes.len()));
                    party.receive(now, short);
                }
                _ => {
                    // What it sent comes back.
                    let bytes = pick(&party.sent, with.into()).unwrap_or_default();
                    party.receive(now, bytes);
                }
            },
            _ => {
                let at = later(now, party.endpoint.deadline(), with);
                party.wake(at);
                now = now.max(at);
            }
        }
    }
    party.hang_up_all(now);
    for round in 0_u32.. {
        assert!(round < 20_000, "it does not come to rest");
        let Some(at) = party.endpoint.deadline() else {
            break;
        };
        now = now.max(at);
        party.wake(now);
        party.hang_up_all(now);
    }
    party.assert_at_rest();
}

const METHODS: [&str; 10] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE", "INFO", "NOTIFY", "FOO",
];

/// A request of a stranger: few branches, tags and Call-IDs, so that they meet.
fn request(party: &Party, what: u8, with: u8, more: u8) -> Bytes {
    let method = METHODS[usize::from(what) % METHODS.len()];
    let of = match method {
        "ACK" | "CANCEL" if more & 1 == 0 => "INVITE",
        _ => method,
    };
    // The To tag is one that this side gave, if there is one.
    let given =
        party
            .sent
            .iter()
            .rev()
            .filter_map(|sent| match parse(sent.clone(), &Default::default()) {
                Ok(Incoming::Response(response)) if response.call_id() == "c" => {
                    response.to_tag().map(str::to_string)
                }
                _ => None,
            });
    let tag = match with & 3 {
        0 => String::new(),
        1 => ";tag=unknown".to_string(),
        _ => given
            .last()
            .map_or_else(String::new, |tag| format!(";tag={tag}")),
    };
    let rseq =
        party
            .sent
            .iter()
            .rev()
            .find_map(|sent| match parse(sent.clone(), &Default::default()) {
                Ok(Incoming::Response(response)) => response.rseq()?.ok(),
                _ => None,
            });
    let (branch, cseq, from) = (with >> 2 & 3, 1 + (with >> 4 & 7), with >> 7);
    let mut text = format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{branch}{of}{cseq}\r\n\
         From: <sip:b@example.com>;tag={from}\r\nTo: <sip:a@example.com>{tag}\r\n\
         Call-ID: c\r\nCSeq: {cseq} {method}\r\nContact: <sip:b@192.0.2.2>\r\n\
         Max-Forwards: 70\r\n"
    );
    for (bit, line) in [
        (2, "Supported: 100rel, timer\r\n"),
        (4, "Session-Expires: 90;refresher=uac\r\n"),
        (8, "Require: 100rel\r\n"),
        (16, "Expires: 20\r\n"),
        (32, "Record-Route: <sip:192.0.2.7;lr>\r\n"),
    ] {
        if more & bit != 0 {
            text.push_str(line);
        }
    }
    if method == "PRACK" {
        let rseq = rseq.unwrap_or(1);
        text.push_str(&format!("RAck: {rseq} {} INVITE\r\n", 1 + (more >> 1 & 1)));
    }
    match more & 64 {
        0 => text.push_str("Content-Length: 0\r\n\r\n"),
        _ => text.push_str("Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"),
    }
    text.into()
}

/// A response to a request that this side sent.
fn response(party: &Party, with: u8, more: u8) -> Option<Bytes> {
    let requests =
        party
            .sent
            .iter()
            .filter_map(|sent| match parse(sent.clone(), &Default::default()) {
                Ok(Incoming::Request(request)) => Some(request),
                _ => None,
            });
    let requests: Vec<_> = requests.collect();
    let request = pick(&requests, usize::from(with & 15))?;
    let status = STATUSES[usize::from(more & 15) % STATUSES.len()];
    let tag = if more & 16 == 0 { "x" } else { "y" };
    let mut headers = HeaderList::new();
    let mut add = |name, value: &str| {
        headers = headers.clone().with(name, value).unwrap();
    };
    add("Contact", "<sip:x@192.0.2.2>");
    if more & 32 != 0 && status < 200 {
        add("Require", "100rel");
        add("RSeq", &(1 + u32::from(with >> 6)).to_string());
    }
    if more & 32 != 0 && status >= 200 {
        add("Session-Expires", "90;refresher=uac");
        add("Min-SE", "120");
        add("Retry-After", "1");
        add("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\"");
    }
    let body = (more & 64 != 0).then(|| Body::sdp("v=0\r\n"));
    let status = StatusCode::new(status)?;
    Some(Reply::new(&request).write(status, None, Some(tag), &headers, body.as_ref()))
}

/// As many again, whatever the fuzzer kept.
#[test]
fn scripts_out_of_random_bytes_come_to_rest() {
    let mut stream = Seed::from_bytes([8; 32]).stream(drongo::seed::Domain::Simulation, 0);
    for _ in 0..100 {
        let mut bytes = [0; 300];
        stream.fill(&mut bytes);
        pair(&bytes);
        endpoint(&bytes);
        crate::laws::script(&bytes[..60]);
    }
}

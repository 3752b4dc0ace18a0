//! What a hostile peer sends to an endpoint that stands alone, and what is left of it.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "a test counts and picks bytes"
)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use drongo::call::Invitation;
use drongo::endpoint::{Answer, CallHandle, Config, Dropped, Endpoint, Input, Output, Query};
use drongo::error::Misuse;
use drongo::locate::Records;
use drongo::message::Outgoing;
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

use super::support::{ALICE, BOB, address, invitation, raw, request, response, sdp};

const MALLORY: &str = "192.0.2.66:5060";

/// Alice without a network: what she says stays in `out`.
struct Lone {
    endpoint: Endpoint,
    now: Time,
    out: VecDeque<Output>,
}

impl Lone {
    fn new() -> Self {
        Self::with(Config::default().local(Local::new(Transport::Udp, address(ALICE))))
    }

    fn with(config: Config) -> Self {
        let endpoint = Endpoint::new(config, Seed::from_bytes([1; 32]), Time::ZERO).unwrap();
        let (now, out) = (Time::ZERO, VecDeque::new());
        Self { endpoint, now, out }
    }

    fn hear_from(&mut self, remote: SocketAddr, bytes: impl Into<Bytes>) {
        let flow = Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: address(ALICE),
            remote,
        };
        let bytes = bytes.into();
        self.endpoint
            .receive(self.now, Input::Datagram { flow, bytes }, &mut self.out);
    }

    fn hear(&mut self, text: &str) {
        self.hear_from(address(BOB), text.replace('\n', "\r\n"));
    }

    /// Runs to that time.
    fn wait(&mut self, until: Time) {
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = at;
            self.endpoint.on_deadline(at, &mut self.out);
            assert!(self.endpoint.deadline().is_none_or(|next| next > at), "L8");
        }
        self.now = until;
    }

    /// Runs until nothing is armed; nothing may be left then.
    fn end(&mut self) {
        self.wait(Time::from_secs(100_000));
        assert!(self.endpoint.is_idle(), "{:?}", self.endpoint.next_wake());
    }

    /// The messages and events that came out since the last time, each by its first words.
    fn said(&mut self) -> Vec<String> {
        let word = |output| match output {
            Output::Transmit(transmit) => {
                let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
                let line = text.lines().next().unwrap_or_default();
                let words: Vec<&str> = match line.strip_prefix("SIP/2.0 ") {
                    Some(status) => status.split(' ').take(1).collect(),
                    None => line.split(' ').take(1).collect(),
                };
                format!("{} to {}", words.concat(), transmit.flow.remote)
            }
            Output::Event(event) => first_word(&event),
            Output::Query { .. } => "Query".into(),
            Output::Dropped(dropped) => first_word(&dropped),
            other => format!("{other:?}"),
        };
        self.out.drain(..).map(word).collect()
    }

    fn only_call(&self) -> CallHandle {
        self.endpoint.call_handles().next().unwrap()
    }

    fn answer(&mut self) {
        let call = self.only_call();
        let mut view = self.endpoint.call(call).unwrap();
        view.answer(self.now, sdp(), &mut self.out).unwrap();
    }

    fn hang_up(&mut self) {
        let call = self.only_call();
        let mut view = self.endpoint.call(call).unwrap();
        view.hang_up(self.now, &mut self.out).unwrap();
    }
}

fn first_word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '{']).next().unwrap_or_default().into()
}

fn invite() -> String {
    raw("INVITE", "i1", "")
}

/// A request of Bob's in the dialog of [`invite`], with the tag that Alice gave it.
fn in_dialog(lone: &Lone, method: &str, cseq: u32) -> String {
    let mut lone = Lone {
        endpoint: lone.endpoint.clone(),
        now: lone.now,
        out: VecDeque::new(),
    };
    let call = lone.only_call();
    let view = lone.endpoint.call(call).unwrap();
    let tag = view
        .machine()
        .unwrap()
        .dialog()
        .unwrap()
        .local_tag()
        .to_string();
    raw(method, &format!("{method}{cseq}"), "")
        .replace(
            "To: <sip:alice@example.com>",
            &format!("To: <sip:alice@example.com>;tag={tag}"),
        )
        .replace("CSeq: 1 ", &format!("CSeq: {cseq} "))
        .replace(&format!("Call-ID: {method}{cseq}"), "Call-ID: i1")
}

/// Bytes without a pattern, the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn mangle(&mut self, text: &[u8]) -> Vec<u8> {
        let mut bytes = text.to_vec();
        for _ in 0..=self.next(6) {
            let at = self.next(bytes.len());
            match self.next(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = self.next(256) as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n ;:,<>\"@\0\xff"[self.next(12)]),
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        bytes
    }
}

#[test]
fn ten_thousand_kinds_of_garbage_are_all_seen_and_leave_nothing() {
    let mut lone = Lone::new();
    lone.hear(&invite());
    lone.answer();
    let ack = in_dialog(&lone, "ACK", 1);
    lone.hear(&ack);
    let bye = in_dialog(&lone, "BYE", 2);
    let seeds = [
        raw("OPTIONS", "o", "Accept: a/b, c/d;q=0.1\n"),
        raw("INVITE", "j", "Require: x\nRoute: <sip:192.0.2.1;lr>\n"),
        ack,
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKq\nCSeq: 1 BYE\n\n".into(),
    ];
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for n in 0..10_000 {
        let bytes = match n % 5 {
            4 => (0..1 + noise.next(200))
                .map(|_| noise.next(256) as u8)
                .collect(),
            kind => noise.mangle(seeds[kind].replace('\n', "\r\n").as_bytes()),
        };
        let before = *lone.endpoint.counters();
        lone.out.clear();
        lone.hear_from(address(MALLORY), bytes.clone());
        let mut quiet = before;
        quiet.received += 1;
        let seen = !lone.out.is_empty() || *lone.endpoint.counters() != quiet;
        assert!(seen, "{:?}", String::from_utf8_lossy(&bytes));
    }
    // The call in progress has not noticed.
    lone.out.clear();
    lone.hear(&bye);
    assert_eq!(lone.said(), ["200 to 192.0.2.4:5060", "Ended"]);
    lone.end();
}

#[test]
fn every_truncation_of_a_request_is_served_or_refused_and_never_leaks() {
    let mut ready = Lone::new();
    ready.hear(&invite());
    ready.answer();
    let ack = in_dialog(&ready, "ACK", 1);
    ready.hear(&ack);
    let bye = in_dialog(&ready, "BYE", 2).replace('\n', "\r\n");
    let body = "Content-Type: application/sdp\nContent-Length: 5\n\nv=0\n";
    let invite = raw("INVITE", "i2", "").replace("Content-Length: 0\n\n", body);
    for text in [bye, invite.replace('\n', "\r\n")] {
        for length in 0..text.len() {
            let mut lone = Lone::new();
            lone.endpoint = ready.endpoint.clone();
            lone.hear_from(address(BOB), text.as_bytes()[..length].to_vec());
            let said = lone.said();
            let refused = said.last().is_some_and(|last| {
                ["KeepAlive", "Malformed", "StrayRequest"].contains(&last.as_str())
            });
            let served = said
                .iter()
                .any(|word| word == "Ended" || word == "Incoming");
            assert!(refused != served, "{length} {said:?}");
            // What is cut within its body is not taken (18.3).
            assert!(refused, "{length} of {}: {said:?}", text.len());
            assert_eq!(lone.endpoint.calls(), 1);
            assert_eq!(lone.endpoint.transactions(), ready.endpoint.transactions());
            lone.hang_up();
            lone.end();
        }
    }
}

#[test]
fn ack_that_cannot_be_read_gets_no_reply() {
    let ack = raw("ACK", "i1", "");
    for (from, to) in [
        ("CSeq: 1 ACK\n", ""),
        ("CSeq: 1 ACK\n", "CSeq: 1 INVITE\n"),
        ("Max-Forwards: 70\n", "Max-Forwards: x\n"),
        ("Content-Length: 0", "Content-Length: 9"),
        ("SIP/2.0\n", "SIP/3.0\n"),
        (";tag=bob", ";tag="),
    ] {
        let mut lone = Lone::new();
        lone.hear(&ack.replacen(from, to, 1));
        let said = lone.said();
        assert!(
            ["Malformed", "StrayAck"].contains(&said.concat().as_str()),
            "{to}: {said:?}"
        );
    }
}

#[test]
fn flood_of_invites_that_are_never_acknowledged_leaves_nothing() {
    let mut lone = Lone::new();
    for n in 0..2_000 {
        lone.hear(&raw("INVITE", &format!("i{n}"), ""));
    }
    let calls: Vec<CallHandle> = lone.endpoint.call_handles().collect();
    assert_eq!(calls.len(), 2_000);
    for call in calls.into_iter().step_by(2) {
        let mut view = lone.endpoint.call(call).unwrap();
        view.answer(lone.now, sdp(), &mut lone.out).unwrap();
    }
    lone.end();
    let ended = lone.said().iter().filter(|word| *word == "Ended").count();
    assert_eq!(ended, 2_000);
}

#[test]
fn one_call_does_not_fill_the_tables_of_all() {
    let mut config = Config::default().local(Local::new(Transport::Udp, address(ALICE)));
    config.limits.call_transactions = 10;
    let mut lone = Lone::with(config);
    lone.hear(&invite());
    lone.answer();
    let ack = in_dialog(&lone, "ACK", 1);
    lone.hear(&ack);
    let bye = in_dialog(&lone, "BYE", 2_000);
    lone.said();
    for cseq in 2..1_000 {
        let options = in_dialog(&lone, "OPTIONS", cseq);
        lone.hear(&options);
    }
    assert_eq!(lone.endpoint.transactions(), 10);
    let said = lone.said();
    let busy = said.iter().filter(|word| word.starts_with("503 ")).count();
    let dropped = said.iter().filter(|word| *word == "Overload").count();
    // The INVITE and nine more.
    assert_eq!((busy, dropped), (998 - 9, 998 - 9));
    lone.hear(&bye);
    assert_eq!(lone.said(), ["200 to 192.0.2.4:5060", "Ended"]);
    lone.end();
}

#[test]
fn branch_of_another_does_not_reach_his_transaction() {
    let mut lone = Lone::new();
    lone.hear(&invite());
    lone.said();
    // Another sent-by is another transaction (17.2.3), and here a merged request (8.2.2.2).
    let other = invite().replace("UDP 192.0.2.4;", "UDP 192.0.2.66;");
    lone.hear_from(address(MALLORY), other.replace('\n', "\r\n"));
    assert_eq!(lone.said(), ["482 to 192.0.2.66:5060"]);
    // With the same sent-by it is a copy: what it gets goes to where the first came from.
    lone.hear_from(address(MALLORY), invite().replace('\n', "\r\n"));
    assert!(lone.said().iter().all(|word| word.ends_with(BOB)));
    assert_eq!(lone.endpoint.calls(), 1);
    lone.hear(&raw("CANCEL", "i1", ""));
    assert_eq!(
        lone.said(),
        ["200 to 192.0.2.4:5060", "487 to 192.0.2.4:5060", "Ended"]
    );
    lone.hear(&raw("ACK", "i1", ""));
    lone.end();
}

#[test]
fn response_with_the_via_of_another_is_foreign() {
    let mut lone = Lone::new();
    lone.endpoint
        .place(lone.now, 0, invitation(), &mut lone.out)
        .unwrap();
    let Some(Output::Transmit(sent)) = lone.out.pop_front() else {
        panic!("no INVITE");
    };
    let ok = response(&request(&sent.bytes).unwrap(), 200, "b");
    let ok = String::from_utf8_lossy(&ok).into_owned();
    lone.hear_from(
        address(MALLORY),
        ok.replace("UDP 192.0.2.1:5060", "UDP 192.0.2.9:5060"),
    );
    assert_eq!(
        lone.out.pop_front(),
        Some(Output::Dropped(Dropped::ForeignResponse))
    );
    let unknown = ok.replace("branch=z9hG4bK", "branch=z9hG4bKx");
    lone.hear_from(address(MALLORY), unknown);
    assert_eq!(
        lone.out.pop_front(),
        Some(Output::Dropped(Dropped::StrayResponse))
    );
    lone.hear_from(address(BOB), ok);
    assert_eq!(lone.said(), ["ACK to 192.0.2.4:5060", "Answered"]);
}

/// Longer after its 2xx than any transaction lasts.
#[test]
fn copy_of_an_invite_that_comes_after_its_transaction_does_not_take_its_dialog() {
    let mut lone = Lone::new();
    lone.hear(&invite());
    lone.answer();
    let ack = in_dialog(&lone, "ACK", 1);
    lone.hear(&ack);
    let bye = in_dialog(&lone, "BYE", 2);
    lone.wait(Time::from_secs(100));
    assert_eq!(lone.endpoint.transactions(), 0);
    lone.said();
    lone.hear(&invite());
    assert_eq!(lone.said(), ["482 to 192.0.2.4:5060"]);
    assert_eq!(lone.endpoint.calls(), 1);
    lone.hear(&bye);
    assert_eq!(lone.said(), ["200 to 192.0.2.4:5060", "Ended"]);
    lone.end();
}

#[test]
fn odd_bytes_in_a_call_id_are_kept_or_refused() {
    for odd in [
        "!%*_+`'~()<>:\\\"/[]?{}",
        "a@b",
        "\u{e9}",
        "a b",
        "a\0b",
        "\"",
        "a@b@c",
    ] {
        let mut lone = Lone::new();
        let text = invite().replace("Call-ID: i1@192.0.2.4", &format!("Call-ID: {odd}"));
        lone.hear(&text);
        if lone.endpoint.calls() == 1 {
            lone.answer();
            let kept = format!("\r\nCall-ID: {odd}\r\n");
            let sent = lone.out.iter().filter_map(|output| match output {
                Output::Transmit(transmit) => Some(String::from_utf8_lossy(&transmit.bytes)),
                _ => None,
            });
            assert!(sent.last().unwrap().contains(&kept), "{odd}");
        } else {
            let said = lone.said();
            assert_eq!(said.last().unwrap(), "Malformed", "{odd:?} {said:?}");
        }
        lone.end();
    }
}

#[test]
fn contact_that_cannot_be_reached_ends_the_call_and_leaves_nothing() {
    for contact in [
        "<sip:bob@192.0.2.4;transport=tcp>",
        "<sips:bob@192.0.2.4>",
        "<sip:bob@[2001:db8::1]>",
        "<tel:+15551234>",
        "<mailto:bob@example.com>",
        "<sip:bob@192.0.2.4;transport=sctp>",
        "<sip:bob@nowhere.invalid>",
        "<sip:bob@nowhere.invalid;transport=tcp>",
    ] {
        let mut lone = Lone::new();
        lone.hear(&invite().replace(
            "Contact: <sip:bob@192.0.2.4>",
            &format!("Contact: {contact}"),
        ));
        if lone.endpoint.calls() == 0 {
            let said = lone.said();
            assert!(
                said.iter().any(|word| word.starts_with("400 ")),
                "{contact} {said:?}"
            );
            continue;
        }
        lone.answer();
        let ack = in_dialog(&lone, "ACK", 1);
        lone.hear(&ack);
        lone.hang_up();
        lone.end();
        let ended = lone.said().iter().filter(|word| *word == "Ended").count();
        assert_eq!(ended, 1, "{contact}");
    }
}

#[test]
fn sips_never_goes_over_udp() {
    // 3261 8.1.2, 26.2.2, and without an address of TLS it is the caller's mistake.
    for (target, route) in [
        ("sips:bob@192.0.2.4", None),
        ("sips:bob@example.com", None),
        ("sips:bob@192.0.2.4", Some("sip:192.0.2.5;lr")),
        ("sip:bob@192.0.2.4", Some("sips:proxy.example.com;lr")),
    ] {
        let mut lone = Lone::new();
        let mut invitation = Invitation::new(target, "sip:alice@example.com").unwrap();
        if let Some(route) = route {
            invitation = invitation.via_proxy(route).unwrap();
        }
        let placed = lone.endpoint.place(lone.now, 0, invitation, &mut lone.out);
        assert_eq!(placed, Err(Misuse::NoLocalAddress), "{target} {route:?}");
        assert!(lone.out.is_empty());
    }
}

#[test]
fn huge_counts_are_refused_and_leave_nothing() {
    let many = |line: &str, n: usize| line.repeat(n);
    for (extra, n) in [
        (many("X-Much: y\n", 10_000), 1),
        (many("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKv\n", 200), 2),
        (many("Record-Route: <sip:192.0.2.9;lr>\n", 240), 3),
        (
            format!("Record-Route: {}<sip:p;lr>\n", many("<sip:p;lr>,", 1_000)),
            4,
        ),
        (format!("Require: {}x\n", many("x,", 5_000)), 5),
        (format!("Supported: x{}\n", many(";y", 5_000)), 6),
        (format!("Subject: {}\n", many("(", 10_000)), 7),
    ] {
        let mut lone = Lone::new();
        lone.hear(&raw("INVITE", "i1", &extra));
        let said = lone.said();
        assert!(!said.is_empty(), "{n}");
        if lone.endpoint.calls() == 1 {
            lone.answer();
            lone.hang_up();
        }
        lone.end();
    }
}

#[test]
fn errand_that_fails_is_told_after_those_behind_it() {
    // L2: what the application sent comes before what it hears of what could not be sent.
    let mut config = Config::default().local(Local::new(Transport::Udp, address(ALICE)));
    config.limits.transactions = 1;
    let mut lone = Lone::with(config);
    lone.endpoint
        .place(lone.now, 0, invitation(), &mut lone.out)
        .unwrap();
    let Some(Output::Transmit(sent)) = lone.out.pop_front() else {
        panic!("no INVITE");
    };
    let ok = response(&request(&sent.bytes).unwrap(), 200, "b");
    let ok =
        String::from_utf8_lossy(&ok).replace("<sip:b@192.0.2.4>", "<sip:b@b.example.com:5060>");
    lone.hear_from(address(BOB), ok);
    let Some(Output::Query {
        id,
        query: Query::Dns(_),
    }) = lone.out.pop_front()
    else {
        panic!("no query");
    };
    let call = lone.only_call();
    for _ in 0..2 {
        let mut view = lone.endpoint.call(call).unwrap();
        view.send(lone.now, "INFO", Outgoing::default(), &mut lone.out)
            .unwrap();
    }
    lone.hang_up();
    assert_eq!(lone.said(), ["Answered"]);
    let answer = Answer::Dns(Records::Addresses(vec![address(BOB).ip()]));
    lone.endpoint
        .receive(lone.now, Input::Answer { id, answer }, &mut lone.out);
    let said = lone.said();
    let expected = [
        "ACK to 192.0.2.4:5060",
        "INFO to 192.0.2.4:5060",
        "Overload",
        "BYE to 192.0.2.4:5060",
        "RequestFailed",
    ];
    assert_eq!(said, expected);
    lone.end();
}

#[test]
fn endpoint_without_addresses_harms_nobody() {
    let mut lone = Lone::with(Config::default());
    let placed = lone
        .endpoint
        .place(lone.now, 0, invitation(), &mut lone.out);
    assert_eq!(placed, Err(Misuse::NoLocalAddress));
    lone.hear(&invite());
    lone.answer();
    let ack = in_dialog(&lone, "ACK", 1);
    lone.hear(&ack);
    lone.hang_up();
    lone.end();
    assert_eq!(lone.said().last().map(String::as_str), Some("Ended"));
}

#[test]
fn end_of_time_is_no_panic() {
    let mut lone = Lone::new();
    lone.now = Time::MAX;
    lone.hear(&invite());
    lone.answer();
    lone.endpoint
        .place(lone.now, 0, invitation(), &mut lone.out)
        .unwrap();
    lone.hear(&raw("MESSAGE", "m1", ""));
    lone.hear(&raw("OPTIONS", "o1", ""));
    lone.endpoint.on_deadline(Time::MAX, &mut lone.out);
    assert_eq!(lone.endpoint.deadline(), None);
    lone.endpoint.on_deadline(Time::ZERO, &mut lone.out);
    assert_eq!(lone.endpoint.counters().time_went_back, 1);
}

#[test]
fn timers_of_zero_and_of_ages_do_not_spin() {
    for t1 in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let mut config = Config::default().local(Local::new(Transport::Udp, address(ALICE)));
        config.timers.t1 = t1;
        config.timers.t2 = t1;
        config.timers.t4 = t1;
        config.timers.trying = t1;
        let mut lone = Lone::with(config);
        lone.hear(&invite());
        lone.hear(&raw("OPTIONS", "o1", ""));
        lone.hear(&raw("MESSAGE", "m1", ""));
        lone.endpoint
            .place(lone.now, 0, invitation(), &mut lone.out)
            .unwrap();
        for call in lone.endpoint.call_handles().collect::<Vec<_>>() {
            let mut view = lone.endpoint.call(call).unwrap();
            let _ = view.answer(lone.now, sdp(), &mut lone.out);
        }
        let mut wakes = 0;
        while let Some(at) = lone.endpoint.deadline() {
            lone.endpoint.on_deadline(at, &mut lone.out);
            assert!(lone.endpoint.deadline().is_none_or(|next| next > at), "L8");
            wakes += 1;
            assert!(wakes < 1_000, "{t1:?}");
        }
        if t1 != Duration::MAX {
            assert!(lone.endpoint.is_idle(), "{t1:?}");
        }
    }
}

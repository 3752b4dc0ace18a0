//! Metrics, by the facade of the `metrics` crate.

use bytes::Bytes;
use metrics::{counter, gauge};

use crate::endpoint::{Counters, Endpoint};
use crate::message::Method;
use crate::time::Time;

/// Which way a message goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    In,
    Out,
}

/// What was exported last: of counters the difference is told.
#[derive(Debug, Default)]
pub(super) struct Meters {
    told: Counters,
    active: Option<[usize; 4]>,
}

impl Meters {
    /// Counts a message by its first line. Labels are of a known set: strangers choose methods.
    pub(super) fn message(&self, bytes: &Bytes, way: Way) {
        let line = bytes.split(|b| matches!(b, b'\r' | b'\n')).next();
        let mut words = line.unwrap_or_default().split(|b| *b == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        if first == b"SIP/2.0" {
            let code = code(second.unwrap_or_default());
            match way {
                Way::In => counter!("sip_responses_received_total", "code" => code).increment(1),
                Way::Out => counter!("sip_responses_sent_total", "code" => code).increment(1),
            }
            return;
        }
        // A keep-alive is no request.
        if second.is_none() {
            return;
        }
        let method = method(first);
        match way {
            Way::In => counter!("sip_requests_received_total", "method" => method).increment(1),
            Way::Out => counter!("sip_requests_sent_total", "method" => method).increment(1),
        }
    }

    /// Tells what the endpoint has counted since, and what it holds.
    pub(super) fn export(&mut self, endpoint: &Endpoint) {
        let (now, told) = (*endpoint.counters(), self.told);
        if now != told {
            self.told = now;
            tell(&now, &told);
        }
        let is_overloaded = endpoint.capacity(Time::ZERO).is_overloaded;
        let active = [
            endpoint.calls(),
            endpoint.transactions(),
            endpoint.dialogs(),
            usize::from(is_overloaded),
        ];
        if self.active.replace(active) == Some(active) {
            return;
        }
        let names = [
            "sip_calls_active",
            "sip_transactions_active",
            "sip_dialogs_active",
            "sip_overloaded",
        ];
        for (name, count) in names.into_iter().zip(active) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            gauge!(name).set(f64::from(count));
        }
    }
}

fn tell(now: &Counters, told: &Counters) {
    // An application that took the counters made them begin again.
    let since = |now: u64, told: u64| now.checked_sub(told).unwrap_or(now);
    let plain = [
        (
            "sip_retransmissions_received_total",
            since(now.retransmissions_received, told.retransmissions_received),
        ),
        (
            "sip_retransmissions_sent_total",
            since(now.retransmissions_sent, told.retransmissions_sent),
        ),
        (
            "sip_requests_withheld_total",
            since(now.withheld, told.withheld),
        ),
        ("sip_overloads_total", since(now.overloads, told.overloads)),
        (
            "sip_failovers_total",
            since(now.failed_over, told.failed_over),
        ),
    ];
    for (name, more) in plain.into_iter().filter(|(_, more)| *more > 0) {
        counter!(name).increment(more);
    }
    let results = [
        ("admitted", since(now.admitted, told.admitted)),
        ("refused", since(now.turned_away, told.turned_away)),
        ("shed", since(now.shed, told.shed)),
    ];
    for (result, more) in results.into_iter().filter(|(_, more)| *more > 0) {
        counter!("sip_new_requests_total", "result" => result).increment(more);
    }
    let reasons = [
        ("malformed", since(now.malformed, told.malformed)),
        (
            "stray_response",
            since(now.stray_responses, told.stray_responses),
        ),
        ("stray_ack", since(now.stray_acks, told.stray_acks)),
        (
            "stray_request",
            since(now.stray_requests, told.stray_requests),
        ),
        ("overload", since(now.overload, told.overload)),
        ("shed", since(now.shed, told.shed)),
        ("stale", since(now.stale, told.stale)),
    ];
    for (reason, more) in reasons.into_iter().filter(|(_, more)| *more > 0) {
        counter!("sip_dropped_total", "reason" => reason).increment(more);
    }
}

fn method(name: &[u8]) -> &'static str {
    let Ok(method) = Method::parse(name) else {
        return "other";
    };
    match method {
        Method::Invite => "INVITE",
        Method::Ack => "ACK",
        Method::Cancel => "CANCEL",
        Method::Bye => "BYE",
        Method::Options => "OPTIONS",
        Method::Register => "REGISTER",
        Method::Prack => "PRACK",
        Method::Update => "UPDATE",
        Method::Info => "INFO",
        Method::Message => "MESSAGE",
        Method::Refer => "REFER",
        Method::Subscribe => "SUBSCRIBE",
        Method::Notify => "NOTIFY",
        Method::Publish => "PUBLISH",
        Method::Other(_) => "other",
    }
}

fn code(text: &[u8]) -> String {
    match text {
        [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9'] => String::from_utf8_lossy(text).into_owned(),
        _ => "other".into(),
    }
}

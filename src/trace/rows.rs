//! What every view shows: a row for each packet and each note, in words.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use bytes::Bytes;

use super::{Entry, Fate, Packet, Trace};
use crate::message::{CSeq, ContentType, Message, Name, NameAddr, Via};
use crate::time::Time;

/// One line of a view.
pub(super) enum Row {
    Arrow(Arrow),
    Note { at: Time, lane: usize, text: String },
    Broken { at: Time, lane: usize, law: String },
}

/// A packet in words.
pub(super) struct Arrow {
    pub(super) at: Time,
    pub(super) from: usize,
    /// `None` if nobody is there.
    pub(super) to: Option<usize>,
    /// Method or status, and what is special about it.
    pub(super) label: String,
    /// Sequence number, branch, tags and call, each numbered in the order of first appearance.
    pub(super) beside: String,
    pub(super) lost: bool,
    /// The first digit of the status; `None` for requests and what is no message.
    pub(super) class: Option<u16>,
}

/// All rows of a trace.
pub(super) fn rows(trace: &Trace) -> Vec<Row> {
    let mut words = Words::default();
    trace
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Packet(packet) => Row::Arrow(words.arrow(trace, packet)),
            Entry::Note { at, lane, text } => Row::Note {
                at: *at,
                lane: *lane,
                text: text.clone(),
            },
            Entry::Broken { at, lane, law } => Row::Broken {
                at: *at,
                lane: *lane,
                law: law.clone(),
            },
        })
        .collect()
}

/// A method, or a status and the method of its CSeq; for what is no message, its first bytes.
pub(crate) fn label(bytes: &Bytes) -> String {
    let Ok(message) = Message::parse(bytes.clone()) else {
        let line = bytes.split(|b| matches!(b, b'\r' | b'\n')).next();
        let line = line.unwrap_or_default();
        let start = line.get(..line.len().min(16)).unwrap_or_default();
        return format!("\"{}\"", start.escape_ascii());
    };
    let cseq = message.first(Name::CSeq).and_then(|v| CSeq::parse(v).ok());
    match (message.method_bytes(), message.status_code(), cseq) {
        (Some(method), _, _) => String::from_utf8_lossy(method).into_owned(),
        (None, Some(status), Some(cseq)) => format!("{} {}", status.as_u16(), cseq.method),
        (None, Some(status), None) => status.as_u16().to_string(),
        (None, None, _) => "?".to_string(),
    }
}

/// What has been seen.
#[derive(Default)]
struct Words {
    seen: BTreeSet<(usize, Bytes)>,
    branches: Names,
    tags: Names,
    calls: Names,
}

impl Words {
    fn arrow(&mut self, trace: &Trace, packet: &Packet) -> Arrow {
        let from = trace.place(packet.source).unwrap_or_default();
        let to = match packet.fate {
            Fate::Nowhere => None,
            Fate::Carried | Fate::Lost | Fate::Refused => trace.place(packet.target),
        };
        let mut label = label(&packet.bytes);
        let mut beside = String::new();
        let mut class = None;
        if let Ok(message) = Message::parse(packet.bytes.clone()) {
            if !message.body_slice().is_empty() {
                label.push_str(match is_sdp(&message) {
                    true => " (sdp)",
                    false => " (body)",
                });
            }
            if !self.seen.insert((from, packet.bytes.clone())) {
                label.push_str(" again");
            }
            beside = self.beside(&message);
            class = message.status_code().map(|status| status.as_u16() / 100);
        }
        if packet.copies > 1 {
            label.push_str(" twice");
        }
        Arrow {
            at: packet.at,
            from,
            to,
            label,
            beside,
            lost: packet.fate != Fate::Carried,
            class,
        }
    }

    fn beside(&mut self, message: &Message) -> String {
        let cseq = message.first(Name::CSeq).and_then(|v| CSeq::parse(v).ok());
        let mut text = match cseq {
            Some(cseq) => format!("cseq {}", cseq.number),
            None => String::new(),
        };
        if let Some(call) = message.first(Name::CallId) {
            let _ = write!(text, " call {}", self.calls.number(call));
        }
        let via = message.first(Name::Via).and_then(|v| Via::parse(v).ok());
        if let Some(branch) = via.as_ref().and_then(Via::branch) {
            let _ = write!(text, " branch {}", self.branches.number(branch.as_bytes()));
        }
        for (word, name) in [("from", Name::From), ("to", Name::To)] {
            let value = message.first(name).and_then(|v| NameAddr::parse(v).ok());
            if let Some(tag) = value.as_ref().and_then(NameAddr::tag) {
                let _ = write!(text, " {word} {}", self.tags.letter(tag.as_bytes()));
            }
        }
        text
    }
}

fn is_sdp(message: &Message) -> bool {
    let value = message.first(Name::ContentType);
    let kind = value.and_then(|value| ContentType::parse(value).ok());
    kind.is_some_and(|kind| kind.is("application", "sdp"))
}

/// Values numbered in the order of first appearance.
#[derive(Default)]
struct Names(BTreeMap<Vec<u8>, usize>);

impl Names {
    fn number(&mut self, value: &[u8]) -> usize {
        let next = self.0.len().saturating_add(1);
        *self.0.entry(value.to_vec()).or_insert(next)
    }

    /// A, B, …, Z, then by number.
    fn letter(&mut self, value: &[u8]) -> String {
        let number = self.number(value);
        let letter = u8::try_from(number).ok().and_then(|n| n.checked_add(b'@'));
        match letter.filter(u8::is_ascii_uppercase) {
            Some(letter) => char::from(letter).to_string(),
            None => number.to_string(),
        }
    }
}

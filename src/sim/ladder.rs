//! A recorded flow as a text that a person can read: a ladder, one column a node.
//!
//! An arrow stands at the time of sending. `x` at its end says that the message was lost, `again`
//! that the very bytes were sent before, `twice` that the network delivers them twice, `(sdp)` or `(body)` that it has a body. Beside it stand
//! the sequence number, branch, tags and call, each numbered in the order of first appearance, so
//! that the text is the same for every seed whose flow is.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use bytes::Bytes;

use super::record::{Entry, Fate, Sent};
use super::{World, describe};
use crate::message::{CSeq, ContentType, Message, Name, NameAddr, Via};
use crate::time::Time;

/// Between two columns.
const GAP: usize = 30;
/// Before the first column: the time.
const MARGIN: usize = 10;

/// Prints all that a world recorded.
pub fn print(world: &World) -> String {
    let mut ladder = Ladder::new(world);
    for entry in world.record().entries() {
        ladder.entry(entry);
    }
    ladder.text
}

struct Ladder<'w> {
    names: Vec<&'w str>,
    text: String,
    seen: BTreeSet<(usize, Bytes)>,
    branches: Names,
    tags: Names,
    calls: Names,
}

impl<'w> Ladder<'w> {
    fn new(world: &'w World) -> Self {
        let names: Vec<&str> = world.names().collect();
        let mut text = " ".repeat(MARGIN);
        for name in &names {
            let _ = write!(text, "{name:<GAP$}");
        }
        let mut text = text.trim_end().to_string();
        text.push('\n');
        Self {
            names,
            text,
            seen: BTreeSet::new(),
            branches: Names::default(),
            tags: Names::default(),
            calls: Names::default(),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Sent(sent) => {
                let again = self.is_again(sent);
                let (mut label, beside) = self.words(&sent.bytes, again);
                if sent.copies > 1 {
                    label.push_str(" twice");
                }
                let rungs = self.arrow(sent, &label);
                self.line(sent.at, &format!("{rungs}  {beside}"));
            }
            Entry::Arrived { .. } => {}
            Entry::Note { at, node, text } => {
                let name = self.names.get(node.0).copied().unwrap_or_default();
                let rungs = self.rungs();
                self.line(*at, &format!("{rungs}  * {name} {text}"));
            }
            Entry::Broken { at, node, law } => {
                let name = self.names.get(node.0).copied().unwrap_or_default();
                self.line(*at, &format!("BROKEN at {name}: {law}"));
            }
        }
    }

    fn line(&mut self, at: Time, text: &str) {
        let nanos = at.as_nanos();
        let (secs, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1000);
        let _ = writeln!(self.text, "{secs:>4}.{millis:03}  {}", text.trim_end());
    }

    fn rungs(&self) -> String {
        let rungs: Vec<&str> = self.names.iter().map(|_| "|").collect();
        rungs.join(&" ".repeat(GAP.saturating_sub(1)))
    }

    /// The columns with an arrow between two of them.
    fn arrow(&self, sent: &Sent, label: &str) -> String {
        let rungs = self.rungs();
        let from = sent.from.0;
        let (to, stub) = match sent.to {
            Some(to) if to.0 != from => (to.0, false),
            // To itself, or to nobody: a stub beside the column.
            Some(_) | None => (from.saturating_add(1), true),
        };
        let right = to > from;
        let (low, high) = (from.min(to), from.max(to));
        let width = high
            .saturating_sub(low)
            .saturating_mul(GAP)
            .saturating_sub(1);
        let lost = sent.fate != Fate::Carried;
        let arrow = shaft(label, width, right, lost || (stub && sent.to.is_none()));
        let start = low.saturating_mul(GAP).saturating_add(1);
        let end = start.saturating_add(width);
        let before = rungs.get(..start.min(rungs.len())).unwrap_or_default();
        let after = rungs.get(end..).unwrap_or_default();
        format!("{before}{arrow}{after}")
    }

    fn is_again(&mut self, sent: &Sent) -> bool {
        !self.seen.insert((sent.from.0, sent.bytes.clone()))
    }

    /// What stands on the arrow and beside it.
    fn words(&mut self, bytes: &Bytes, again: bool) -> (String, String) {
        let mut label = describe::label(bytes);
        let Ok(message) = Message::parse(bytes.clone()) else {
            return (label, String::new());
        };
        if !message.body_slice().is_empty() {
            label.push_str(match is_sdp(&message) {
                true => " (sdp)",
                false => " (body)",
            });
        }
        if again {
            label.push_str(" again");
        }
        (label, self.beside(&message))
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

/// `------- INVITE ------->`, or with `x` for its head if it gets nowhere.
fn shaft(label: &str, width: usize, right: bool, lost: bool) -> String {
    let dashes = width
        .saturating_sub(label.chars().count())
        .saturating_sub(3);
    let left = dashes / 2;
    let (left, rest) = ("-".repeat(left), "-".repeat(dashes.saturating_sub(left)));
    match (right, lost) {
        (true, false) => format!("{left} {label} {rest}>"),
        (true, true) => format!("{left} {label} {}x ", cut(&rest)),
        (false, false) => format!("<{left} {label} {rest}"),
        (false, true) => format!(" x{} {label} {rest}", cut(&left)),
    }
}

fn cut(dashes: &str) -> &str {
    dashes.get(1..).unwrap_or_default()
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

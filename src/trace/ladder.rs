//! The text ladder: one column a place.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use super::Trace;
use super::rows::{Arrow, Row, rows};
use crate::time::Time;

/// Between two columns.
const GAP: usize = 30;
/// Before the first column: the time.
const MARGIN: usize = 10;

impl Trace {
    /// A text that a person can read: a ladder, one column a place.
    ///
    /// An arrow stands at the time of sending. `x` at its end says that the message was lost,
    /// `again` that the very bytes were sent before, `twice` that the network delivers them twice,
    /// `(sdp)` or `(body)` that it has a body. Beside it stand the sequence number, call, branch
    /// and tags, each numbered in the order of first appearance, so that the text is the same for
    /// every seed whose flow is.
    pub fn ladder(&self) -> String {
        let names: Vec<&str> = self.names().collect();
        let mut text = " ".repeat(MARGIN);
        for name in &names {
            let _ = write!(text, "{name:<GAP$}");
        }
        let mut text = text.trim_end().to_string();
        text.push('\n');
        for row in rows(self) {
            match row {
                Row::Arrow(arrow) => {
                    let rungs = across(&names, &arrow);
                    let line = format!("{rungs}  {}", arrow.beside);
                    put(&mut text, arrow.at, &line);
                }
                Row::Note {
                    at,
                    lane,
                    text: note,
                } => {
                    let name = names.get(lane).copied().unwrap_or_default();
                    let line = format!("{}  * {name} {note}", rungs(&names));
                    put(&mut text, at, &line);
                }
                Row::Broken { at, lane, law } => {
                    let name = names.get(lane).copied().unwrap_or_default();
                    put(&mut text, at, &format!("BROKEN at {name}: {law}"));
                }
            }
        }
        text
    }
}

fn put(text: &mut String, at: Time, line: &str) {
    let nanos = at.as_nanos();
    let (secs, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1000);
    let _ = writeln!(text, "{secs:>4}.{millis:03}  {}", line.trim_end());
}

fn rungs(names: &[&str]) -> String {
    let rungs: Vec<&str> = names.iter().map(|_| "|").collect();
    rungs.join(&" ".repeat(GAP.saturating_sub(1)))
}

/// The columns with an arrow between two of them.
fn across(names: &[&str], sent: &Arrow) -> String {
    let rungs = rungs(names);
    let (to, stub) = match sent.to {
        Some(to) if to != sent.from => (to, false),
        // To itself, or to nobody: a stub beside the column.
        Some(_) | None => (sent.from.saturating_add(1), true),
    };
    let right = to > sent.from;
    let (low, high) = (sent.from.min(to), sent.from.max(to));
    let width = high
        .saturating_sub(low)
        .saturating_mul(GAP)
        .saturating_sub(1);
    let lost = sent.lost || (stub && sent.to.is_none());
    let arrow = shaft(&sent.label, width, right, lost);
    let start = low.saturating_mul(GAP).saturating_add(1);
    let end = start.saturating_add(width);
    let before = rungs.get(..start.min(rungs.len())).unwrap_or_default();
    let after = rungs.get(end..).unwrap_or_default();
    format!("{before}{arrow}{after}")
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

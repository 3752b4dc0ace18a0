//! A Mermaid sequence diagram.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use super::Trace;
use super::rows::{Row, rows};

impl Trace {
    /// A sequence diagram in the Mermaid language, for documents that render it.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("sequenceDiagram\n");
        let ids: Vec<String> = self.names().enumerate().map(id).collect();
        for (name, id) in self.names().zip(&ids) {
            let _ = match name == id {
                true => writeln!(text, "    participant {id}"),
                false => writeln!(text, "    participant {id} as {}", plain(name)),
            };
        }
        let id = |lane: usize| ids.get(lane).map_or("", String::as_str);
        for row in rows(self) {
            let _ = match row {
                Row::Arrow(arrow) => {
                    let head = if arrow.lost { "-x" } else { "->>" };
                    // Nobody's arrow comes back to where it started, crossed.
                    let to = arrow.to.unwrap_or(arrow.from);
                    let (from, to, label) = (id(arrow.from), id(to), plain(&arrow.label));
                    writeln!(text, "    {from}{head}{to}: {label}")
                }
                Row::Note {
                    lane, text: note, ..
                } => writeln!(text, "    Note over {}: {}", id(lane), plain(&note)),
                Row::Broken { lane, law, .. } => {
                    writeln!(text, "    Note over {}: BROKEN {}", id(lane), plain(&law))
                }
            };
        }
        text
    }
}

/// A name that the language takes as it is, or a number in its place.
fn id((at, name): (usize, &str)) -> String {
    let is_word = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            // A word of the language.
            && !name.eq_ignore_ascii_case("end")
    };
    match is_word(name) {
        true => name.to_string(),
        false => format!("p{at}"),
    }
}

/// Without what the language reads as its own.
fn plain(text: &str) -> String {
    let escape = |c: char| match c {
        ';' | '#' | '<' | '>' | '"' => format!("#{};", u32::from(c)),
        c if c.is_control() => " ".to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

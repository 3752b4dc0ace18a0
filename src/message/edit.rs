//! Changing a message: what is not changed stays byte for byte.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::index::{Entry, offset};
use super::lexer::is_token;
use super::put::{self, Emit, Put};
use super::reply::range_in;
use super::write::check_value;
use super::{Body, Message, Name, Uri, split_commas};
use crate::error::Misuse;

/// Changes to a message, gathered and then written in one pass with one allocation.
///
/// Every line that no change names is copied as it came, folds and spelling included; without a
/// change the result is the message's own bytes. Names match in long and compact form. Changes
/// are about the rows of the original message; rows that were pushed are not changed again.
///
/// ```
/// use drongo::message::{Edit, Message, Name};
///
/// let message = Message::parse(
///     b"OPTIONS sip:a@example.com SIP/2.0\r\nv: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n\r\n"
///         .as_slice()
///         .into(),
/// )?;
/// let mut edit = Edit::new(&message);
/// edit.remove_first_value(Name::Via);
/// assert_eq!(
///     edit.write(),
///     b"OPTIONS sip:a@example.com SIP/2.0\r\nv: SIP/2.0/UDP b\r\n\r\n".as_slice()
/// );
/// # Ok::<(), drongo::message::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Edit<'m> {
    message: &'m Message,
    /// What the changes write, one after another.
    text: SmallVec<[u8; 256]>,
    changes: SmallVec<[Change; 8]>,
    uri: Option<Range<u32>>,
    body: Option<NewBody>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    /// A row above the first of its name.
    Push { name: Name, value: Range<u32> },
    /// A row after all others; the text is the whole line.
    Append { line: Range<u32> },
    /// The first row gets this value.
    SetFirst { name: Name, value: Range<u32> },
    /// Every row of this name but the first goes.
    RemoveOthers { name: Name },
    /// Every row of this name goes.
    RemoveAll { name: Name },
    /// The first comma values go, as many as this.
    RemoveValues { name: Name, count: u32 },
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum NewBody {
    None,
    Of(Body),
}

impl<'m> Edit<'m> {
    /// No changes yet.
    pub fn new(message: &'m Message) -> Self {
        Self {
            message,
            text: SmallVec::new(),
            changes: SmallVec::new(),
            uri: None,
            body: None,
        }
    }

    /// Sets the Request-URI. In a response it has no effect.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if it is not a URI.
    pub fn set_request_uri(&mut self, uri: &[u8]) -> Result<&mut Self, Misuse> {
        if Uri::parse(uri).is_err() {
            return Err(Misuse::Malformed {
                what: "Request-URI",
            });
        }
        self.uri = Some(self.keep(uri));
        Ok(self)
    }

    /// Puts a row above the first of its name; a later push goes above an earlier one. Via,
    /// Record-Route, Route and Path are pushed so. A name that the message lacks goes below the
    /// Vias, and Via itself to the top.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the name is `Other`, or the value holds a line break or NUL.
    pub fn push_first(&mut self, name: Name, value: &[u8]) -> Result<&mut Self, Misuse> {
        check(name, value)?;
        let value = self.keep(value);
        self.changes.push(Change::Push { name, value });
        Ok(self)
    }

    /// Removes the first value of a header: only the first of a comma-separated row. Called
    /// again, the next one.
    pub fn remove_first_value(&mut self, name: Name) -> &mut Self {
        for change in &mut self.changes {
            if let Change::RemoveValues { name: other, count } = change
                && *other == name
            {
                *count = count.saturating_add(1);
                return self;
            }
        }
        self.changes.push(Change::RemoveValues { name, count: 1 });
        self
    }

    /// Removes every row of this name. [`Name::Other`] removes nothing.
    pub fn remove(&mut self, name: Name) -> &mut Self {
        if name != Name::Other {
            self.forget(name);
            self.changes.push(Change::RemoveAll { name });
        }
        self
    }

    /// Gives the header exactly this value: in the place of its first row, or at the end.
    ///
    /// # Errors
    ///
    /// As [`Edit::push_first`].
    pub fn set(&mut self, name: Name, value: &[u8]) -> Result<&mut Self, Misuse> {
        check(name, value)?;
        self.forget(name);
        if self.message.first(name).is_none() {
            return self.append(name.as_str(), value);
        }
        let value = self.keep(value);
        self.changes.push(Change::SetFirst { name, value });
        self.changes.push(Change::RemoveOthers { name });
        Ok(self)
    }

    /// Adds a row after all others.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the name is not a token, or the value holds a line break or NUL.
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<&mut Self, Misuse> {
        if !is_token(name.as_bytes()) {
            return Err(Misuse::Malformed {
                what: "header name",
            });
        }
        check_value(value)?;
        let start = self.text.len();
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.text.extend_from_slice(part);
        }
        let line = offset(start)..offset(self.text.len());
        self.changes.push(Change::Append { line });
        Ok(self)
    }

    /// Sets Max-Forwards.
    pub fn set_max_forwards(&mut self, hops: u8) -> &mut Self {
        let mut digits = Vec::with_capacity(3);
        put::number(&mut digits, u64::from(hops));
        // A number is a well-formed value.
        let _ = self.set(Name::MaxForwards, &digits);
        self
    }

    /// Replaces the body, its Content-Type and Content-Length. With `None` there is no body, no
    /// Content-Type, and Content-Length is 0.
    pub fn set_body(&mut self, body: Option<Body>) -> &mut Self {
        self.body = Some(body.map_or(NewBody::None, NewBody::Of));
        self
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.uri.is_none() && self.body.is_none()
    }

    /// The changed message. Without a change, the same bytes, shared.
    pub fn write(&self) -> Bytes {
        if self.is_empty() {
            self.message.bytes().clone()
        } else {
            self.to_bytes()
        }
    }

    fn keep(&mut self, value: &[u8]) -> Range<u32> {
        let start = offset(self.text.len());
        self.text.extend_from_slice(value);
        start..offset(self.text.len())
    }

    fn kept(&self, range: &Range<u32>) -> &[u8] {
        self.text
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// Drops earlier changes of what is now set or removed whole.
    fn forget(&mut self, name: Name) {
        let text = &self.text;
        self.changes.retain(|change| match change {
            Change::Push { name: other, .. }
            | Change::SetFirst { name: other, .. }
            | Change::RemoveOthers { name: other }
            | Change::RemoveAll { name: other }
            | Change::RemoveValues { name: other, .. } => *other != name,
            Change::Append { line } => {
                let line = text
                    .get(line.start as usize..line.end as usize)
                    .unwrap_or_default();
                Name::parse(line.split(|&b| b == b':').next().unwrap_or_default()) != name
            }
        });
    }

    /// Where a row of this name goes that has none below it: after the Vias.
    fn below_vias(&self) -> usize {
        let vias = self
            .message
            .entries()
            .iter()
            .rposition(|entry| entry.name == Name::Via);
        vias.map_or(0, |last| last.saturating_add(1))
    }

    /// The rows to push before the entry at `index`, the last pushed first.
    fn emit_pushed(&self, out: &mut dyn Put, index: usize, below_vias: usize) {
        for change in self.changes.iter().rev() {
            let Change::Push { name, value } = change else {
                continue;
            };
            let first = self
                .message
                .entries()
                .iter()
                .position(|entry| entry.name == *name);
            let default = if *name == Name::Via { 0 } else { below_vias };
            if first.unwrap_or(default) == index {
                put::line(out, *name, self.kept(value));
            }
        }
    }

    fn emit_start_line(&self, out: &mut dyn Put) {
        let line = self.message.start_line();
        match (&self.uri, self.message.uri_range()) {
            (Some(uri), Some(old)) => {
                out.put(line.get(..old.start as usize).unwrap_or_default());
                out.put(self.kept(uri));
                out.put(line.get(old.end as usize..).unwrap_or_default());
            }
            _ => out.put(line),
        }
    }

    /// Writes what is left of one row. `gone` counts the values removed before it, by change.
    fn emit_row(&self, out: &mut dyn Put, index: usize, entry: &Entry, seen: &mut Seen) {
        if self.body.is_some() && matches!(entry.name, Name::ContentLength | Name::ContentType) {
            return;
        }
        let first = seen.first(entry.name);
        for (at, change) in self.changes.iter().enumerate() {
            match change {
                Change::RemoveAll { name } if *name == entry.name => return,
                Change::RemoveOthers { name } if *name == entry.name && !first => return,
                Change::SetFirst { name, value } if *name == entry.name && first => {
                    put_named(out, self.message.header(entry).raw_name, self.kept(value));
                    return;
                }
                Change::RemoveValues { name, count } if *name == entry.name => {
                    let left = count.saturating_sub(seen.gone(at));
                    let value = self.message.value(entry);
                    let (kept, removed) = without_values(value, left);
                    seen.remove(at, removed);
                    match kept {
                        Some(kept) if removed > 0 => {
                            put_named(out, self.message.header(entry).raw_name, kept);
                        }
                        Some(_) => out.put(self.message.entry_line(index)),
                        None => {}
                    }
                    return;
                }
                Change::RemoveAll { .. }
                | Change::RemoveOthers { .. }
                | Change::SetFirst { .. }
                | Change::RemoveValues { .. }
                | Change::Push { .. }
                | Change::Append { .. } => {}
            }
        }
        out.put(self.message.entry_line(index));
    }
}

impl Emit for Edit<'_> {
    fn emit(&self, out: &mut dyn Put) {
        self.emit_start_line(out);
        let below_vias = self.below_vias();
        let pushes = self
            .changes
            .iter()
            .any(|change| matches!(change, Change::Push { .. }));
        let mut seen = Seen::default();
        for (index, entry) in self.message.entries().iter().enumerate() {
            if pushes && (index == 0 || index == below_vias || seen.is_new(entry.name)) {
                self.emit_pushed(out, index, below_vias);
            }
            self.emit_row(out, index, entry, &mut seen);
        }
        let rows = self.message.entries().len();
        if pushes && (below_vias >= rows || rows == 0) {
            self.emit_pushed(out, rows, below_vias);
        }
        for change in &self.changes {
            if let Change::Append { line } = change {
                out.put(self.kept(line));
            }
        }
        match &self.body {
            None => {
                out.put(b"\r\n");
                out.put(self.message.body_slice());
            }
            Some(NewBody::None) => put::end(out, b""),
            Some(NewBody::Of(body)) => {
                put::line(out, Name::ContentType, body.content_type().as_bytes());
                put::end(out, body.bytes());
            }
        }
    }
}

/// Which names have gone by, and how many values each change has removed.
#[derive(Default)]
struct Seen {
    names: u128,
    gone: SmallVec<[(usize, u32); 4]>,
}

impl Seen {
    fn is_new(&self, name: Name) -> bool {
        self.names & bit(name) == 0
    }

    /// Whether this is the first of its name.
    fn first(&mut self, name: Name) -> bool {
        let new = self.is_new(name);
        self.names |= bit(name);
        new
    }

    fn gone(&self, change: usize) -> u32 {
        self.gone
            .iter()
            .filter(|(at, _)| *at == change)
            .fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    fn remove(&mut self, change: usize, count: u32) {
        match self.gone.iter_mut().find(|(at, _)| *at == change) {
            Some((_, n)) => *n = n.saturating_add(count),
            None => self.gone.push((change, count)),
        }
    }
}

/// A set of names as bits: there are fewer than 128.
pub(crate) const fn bit(name: Name) -> u128 {
    1_u128.wrapping_shl(name as u32)
}

/// A row without its first values: what is left of it, and how many were removed.
fn without_values(value: &[u8], count: u32) -> (Option<&[u8]>, u32) {
    let mut rest = Some(value);
    let mut removed = 0_u32;
    while removed < count
        && let Some(row) = rest
    {
        removed = removed.saturating_add(1);
        let second = split_commas(row)
            .nth(1)
            .and_then(|next| range_in(row, next));
        rest = second.and_then(|(start, _)| row.get(start as usize..));
    }
    (rest, removed)
}

fn put_named(out: &mut dyn Put, name: &[u8], value: &[u8]) {
    out.put(name);
    out.put(b": ");
    out.put(value);
    out.put(b"\r\n");
}

fn check(name: Name, value: &[u8]) -> Result<(), Misuse> {
    if name == Name::Other {
        return Err(Misuse::Malformed {
            what: "header name",
        });
    }
    check_value(value)
}

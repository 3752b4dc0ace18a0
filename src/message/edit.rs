//! Changing a message: what is not changed stays byte for byte.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::{BufMut, Bytes};
use smallvec::SmallVec;

use super::header_block::Entry;
use super::put::{self, offset};
use super::scan::is_token;
use super::span::range_in;
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
    text: Vec<u8>,
    changes: SmallVec<[Change; 8]>,
    uri: Option<Range<u32>>,
    body: Option<NewBody>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    /// A row before the one at that index; the text is the whole line.
    Push {
        name: Name,
        line: Range<u32>,
        before: usize,
    },
    /// A row after all others; the text is the whole line.
    Append { line: Range<u32> },
    /// The first row gets this value; the text is all that is behind the name as it is spelt.
    SetFirst { name: Name, rest: Range<u32> },
    /// Every row of this name but the first goes.
    RemoveOthers { name: Name },
    /// Every row of this name goes.
    RemoveAll { name: Name },
    /// The first comma values go, as many as this.
    RemoveValues { name: Name, count: u32 },
}

/// The end of the message: its last header lines with the empty one, and the body.
#[derive(Clone, PartialEq, Eq, Debug)]
struct NewBody {
    lines: Range<u32>,
    bytes: Bytes,
}

/// Room for what a proxy's hop writes.
const TEXT: usize = 256;

/// What a message is put together from: those of a proxy's hop fit.
type Pieces<'a> = SmallVec<[&'a [u8]; 32]>;

impl<'m> Edit<'m> {
    /// No changes yet.
    pub fn new(message: &'m Message) -> Self {
        Self {
            message,
            text: Vec::new(),
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
        let line = self.keep_all([name.as_str().as_bytes(), b": ", value, b"\r\n"]);
        let before = self.place_of(name);
        self.changes.push(Change::Push { name, line, before });
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
        let rest = self.keep_all([b": ", value, b"\r\n"]);
        self.changes.push(Change::SetFirst { name, rest });
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
        let line = self.keep_all([name.as_bytes(), b": ", value, b"\r\n"]);
        self.changes.push(Change::Append { line });
        Ok(self)
    }

    /// Sets Max-Forwards.
    pub fn set_max_forwards(&mut self, hops: u8) -> &mut Self {
        let mut room = [0; 20];
        // A number is a well-formed value.
        let _ = self.set(Name::MaxForwards, put::digits(u64::from(hops), &mut room));
        self
    }

    /// Replaces the body, its Content-Type and Content-Length. With `None` there is no body, no
    /// Content-Type, and Content-Length is 0.
    pub fn set_body(&mut self, body: Option<Body>) -> &mut Self {
        let start = offset(self.text.len());
        let bytes = match body {
            Some(body) => {
                put::line(
                    &mut self.text,
                    Name::ContentType,
                    body.content_type().as_bytes(),
                );
                body.bytes().clone()
            }
            None => Bytes::new(),
        };
        put::end_before_body(&mut self.text, bytes.len());
        let lines = start..offset(self.text.len());
        self.body = Some(NewBody { lines, bytes });
        self
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.uri.is_none() && self.body.is_none()
    }

    /// The changed message. Without a change, the same bytes, shared.
    pub fn write(&self) -> Bytes {
        if self.is_empty() {
            return self.message.bytes().clone();
        }
        let mut pieces = Pieces::new();
        self.pieces(&mut pieces);
        let length = pieces
            .iter()
            .fold(0, |sum: usize, piece| sum.saturating_add(piece.len()));
        let mut bytes = Vec::with_capacity(length);
        for piece in &pieces {
            bytes.extend_from_slice(piece);
        }
        Bytes::from(bytes)
    }

    /// Appends the changed message to a buffer; without a change, it is one copy.
    ///
    /// ```
    /// use drongo::message::{Edit, Message};
    ///
    /// let message = Message::parse(b"BYE sip:a@example.com SIP/2.0\r\n\r\n".as_slice().into())?;
    /// let mut datagram = Vec::with_capacity(65_535);
    /// Edit::new(&message).set_max_forwards(69).write_to(&mut datagram);
    /// assert_eq!(datagram, b"BYE sip:a@example.com SIP/2.0\r\nMax-Forwards: 69\r\n\r\n");
    /// # Ok::<(), drongo::message::ParseError>(())
    /// ```
    pub fn write_to(&self, out: &mut impl BufMut) {
        if self.is_empty() {
            out.put_slice(self.message.bytes());
            return;
        }
        let mut pieces = Pieces::new();
        self.pieces(&mut pieces);
        for piece in pieces {
            out.put_slice(piece);
        }
    }

    fn keep(&mut self, value: &[u8]) -> Range<u32> {
        self.keep_all([value])
    }

    fn keep_all<const N: usize>(&mut self, parts: [&[u8]; N]) -> Range<u32> {
        let start = offset(self.text.len());
        let all = parts
            .iter()
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if self.text.capacity() == 0 {
            self.text.reserve(all.max(TEXT));
        }
        for part in parts {
            self.text.extend_from_slice(part);
        }
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

    /// Before which row a pushed one goes: the first of its name, else the first below the Vias, and
    /// a Via before all.
    fn place_of(&self, name: Name) -> usize {
        let mut below_vias = 0;
        for (index, entry) in self.message.entries().iter().enumerate() {
            if entry.name == name {
                return index;
            }
            if entry.name == Name::Via {
                below_vias = index.saturating_add(1);
            }
        }
        below_vias
    }

    /// Puts the rows that go before the one at `index`, the last pushed first.
    fn push_rows<'a>(&'a self, out: &mut Pieces<'a>, index: usize) {
        for change in self.changes.iter().rev() {
            match change {
                Change::Push { line, before, .. } if *before == index => {
                    out.push(self.kept(line));
                }
                Change::Push { .. }
                | Change::Append { .. }
                | Change::SetFirst { .. }
                | Change::RemoveOthers { .. }
                | Change::RemoveAll { .. }
                | Change::RemoveValues { .. } => {}
            }
        }
    }

    /// Which rows have others pushed before them, a bit for each; the last for all from 63 on.
    fn pushed_places(&self) -> u64 {
        self.changes.iter().fold(0, |places, change| match change {
            Change::Push { before, .. } => places | row_bit(*before),
            Change::Append { .. }
            | Change::SetFirst { .. }
            | Change::RemoveOthers { .. }
            | Change::RemoveAll { .. }
            | Change::RemoveValues { .. } => places,
        })
    }

    /// The names of rows that do not stay as they are.
    fn changed_names(&self) -> u128 {
        let mut names = 0;
        for change in &self.changes {
            match change {
                Change::SetFirst { name, .. }
                | Change::RemoveOthers { name }
                | Change::RemoveAll { name }
                | Change::RemoveValues { name, .. } => names |= bit(*name),
                Change::Push { .. } | Change::Append { .. } => {}
            }
        }
        if self.body.is_some() {
            names |= bit(Name::ContentLength) | bit(Name::ContentType);
        }
        names
    }

    /// The whole in order.
    fn pieces<'a>(&'a self, out: &mut Pieces<'a>) {
        let message = self.message;
        let changed = self.changed_names();
        // In halves: a row asks with one shift of a register.
        let changed = [changed as u64, (changed >> 64) as u64];
        let places = self.pushed_places();
        let mut seen = Seen::default();
        // Lines that stay are put together, up to the next place where something is different.
        let mut done = self.push_start_line(out);
        for (index, entry) in message.entries().iter().enumerate() {
            let name = entry.name as u32;
            let half = if name < 64 { changed[0] } else { changed[1] };
            let is_changed = half.wrapping_shr(name) & 1 != 0;
            let is_pushed = places & row_bit(index) != 0;
            if is_changed || is_pushed {
                let start = entry.start as usize;
                out.push(message.bytes().get(done..start).unwrap_or_default());
                done = start;
            }
            if is_pushed {
                self.push_rows(out, index);
            }
            if is_changed {
                self.push_row(out, index, entry, &mut seen);
                done = done.saturating_add(message.entry_line(index).len());
            }
        }
        let end = message.headers_end();
        if self.adds_at_end(places) {
            out.push(message.bytes().get(done..end).unwrap_or_default());
            done = end;
            self.push_rows(out, message.entries().len());
            for change in &self.changes {
                if let Change::Append { line } = change {
                    out.push(self.kept(line));
                }
            }
        }
        match &self.body {
            None => out.push(message.bytes().get(done..).unwrap_or_default()),
            Some(NewBody { lines, bytes }) => {
                out.push(self.kept(lines));
                out.push(bytes);
            }
        }
    }

    /// Whether something comes behind the last row that there was: a new row, or another body.
    fn adds_at_end(&self, places: u64) -> bool {
        let rows = self.message.entries().len();
        let is_append = |change: &Change| matches!(change, Change::Append { .. });
        self.body.is_some() || places & row_bit(rows) != 0 || self.changes.iter().any(is_append)
    }

    /// Puts what is changed of the start line; returns how much of the message that takes.
    fn push_start_line<'a>(&'a self, out: &mut Pieces<'a>) -> usize {
        let (Some(uri), Some(old)) = (&self.uri, self.message.uri_range()) else {
            return 0;
        };
        let line = self.message.start_line();
        out.push(line.get(..old.start as usize).unwrap_or_default());
        out.push(self.kept(uri));
        old.end as usize
    }

    /// Writes what is left of one row.
    fn push_row<'a>(&'a self, out: &mut Pieces<'a>, index: usize, entry: &Entry, seen: &mut Seen) {
        if self.body.is_some() && matches!(entry.name, Name::ContentLength | Name::ContentType) {
            return;
        }
        let first = seen.first(entry.name);
        for (at, change) in self.changes.iter().enumerate() {
            match change {
                Change::RemoveAll { name } if *name == entry.name => return,
                Change::RemoveOthers { name } if *name == entry.name && !first => return,
                Change::SetFirst { name, rest } if *name == entry.name && first => {
                    out.push(self.message.header(entry).raw_name);
                    out.push(self.kept(rest));
                    return;
                }
                Change::RemoveValues { name, count } if *name == entry.name => {
                    let left = count.saturating_sub(seen.gone(at));
                    let value = self.message.value(entry);
                    let (kept, removed) = without_values(value, left);
                    seen.remove(at, removed);
                    match kept {
                        Some(kept) if removed > 0 => {
                            push_named(out, self.message.header(entry).raw_name, kept);
                        }
                        Some(_) => out.push(self.message.entry_line(index)),
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
        out.push(self.message.entry_line(index));
    }
}

fn row_bit(index: usize) -> u64 {
    1_u64 << index.min(63)
}

/// Which names have gone by, and how many values each change has removed.
#[derive(Default)]
struct Seen {
    names: u128,
    gone: SmallVec<[(usize, u32); 4]>,
}

impl Seen {
    /// Whether this is the first of its name.
    fn first(&mut self, name: Name) -> bool {
        let new = self.names & bit(name) == 0;
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
        && split_commas(row).next().is_some()
    {
        removed = removed.saturating_add(1);
        let second = split_commas(row)
            .nth(1)
            .and_then(|next| range_in(row, next));
        rest = second.and_then(|(start, _)| row.get(start as usize..));
    }
    (rest, removed)
}

fn push_named<'a>(out: &mut Pieces<'a>, name: &'a [u8], value: &'a [u8]) {
    out.push(name);
    out.push(b": ");
    out.push(value);
    out.push(b"\r\n");
}

fn check(name: Name, value: &[u8]) -> Result<(), Misuse> {
    if name == Name::Other {
        return Err(Misuse::Malformed {
            what: "header name",
        });
    }
    check_value(value)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    const START: &str = "INVITE sip:a@example.com SIP/2.0\r\n";
    const REST: &str = "v : SIP/2.0/UDP a,\r\n SIP/2.0/UDP b\r\n\
        X-Odd  :  kept as it is \r\n\
        Via: SIP/2.0/UDP c\r\n\
        route: <sip:p1;lr>;x=\",\", <sip:p2;lr>\r\n\
        Max-Forwards: 70\r\n\
        Content-Type: text/plain\r\n\
        l: 4\r\n\
        Subject: one\r\n\r\nbody";

    fn message() -> Message {
        Message::parse(format!("{START}{REST}").into()).unwrap()
    }

    fn edited(change: impl FnOnce(&mut Edit<'_>)) -> String {
        let message = message();
        let mut edit = Edit::new(&message);
        change(&mut edit);
        String::from_utf8(edit.write().to_vec()).unwrap()
    }

    fn expected(from: &str, to: &str) -> String {
        let whole = format!("{START}{REST}");
        assert!(whole.contains(from));
        whole.replacen(from, to, 1)
    }

    #[test]
    fn without_a_change_the_bytes_are_the_same_and_shared() {
        let message = message();
        let written = Edit::new(&message).write();
        assert_eq!(written, message.bytes());
        assert_eq!(written.as_ptr(), message.bytes().as_ptr());
    }

    #[test]
    fn the_request_uri_changes_alone() {
        let got = edited(|edit| {
            edit.set_request_uri(b"sip:b@192.0.2.4").unwrap();
        });
        assert_eq!(got, expected("sip:a@example.com", "sip:b@192.0.2.4"));
        let message = message();
        assert!(Edit::new(&message).set_request_uri(b"sip:a b").is_err());
        assert!(
            Edit::new(&message)
                .set_request_uri(b"sip:a SIP/2.0\r\nX: y")
                .is_err()
        );
    }

    #[test]
    fn pushed_rows_stand_above_the_first_of_their_name() {
        // 3261-7.3.1-09
        let got = edited(|edit| {
            edit.push_first(Name::Via, b"SIP/2.0/TCP x").unwrap();
            edit.push_first(Name::Via, b"SIP/2.0/TCP y").unwrap();
            edit.push_first(Name::Route, b"<sip:p0;lr>").unwrap();
            edit.push_first(Name::RecordRoute, b"<sip:me;lr>").unwrap();
        });
        let first = format!("{START}Via: SIP/2.0/TCP y\r\nVia: SIP/2.0/TCP x\r\nv : ");
        assert!(got.starts_with(&first), "{got}");
        let below = "SIP/2.0/UDP c\r\nRecord-Route: <sip:me;lr>\r\nRoute: <sip:p0;lr>\r\nroute: ";
        assert!(got.contains(below), "{got}");
        let pushed = [
            "Via: SIP/2.0/TCP y\r\n",
            "Via: SIP/2.0/TCP x\r\n",
            "Record-Route: <sip:me;lr>\r\n",
            "Route: <sip:p0;lr>\r\n",
        ];
        let rest = pushed
            .iter()
            .fold(got, |text, line| text.replacen(line, "", 1));
        assert_eq!(rest, format!("{START}{REST}"));
    }

    #[test]
    fn a_push_into_a_message_without_headers_or_with_vias_only_works() {
        for rest in ["", "Via: SIP/2.0/UDP c\r\n"] {
            let message = Message::parse(format!("{START}{rest}\r\n").into()).unwrap();
            let mut edit = Edit::new(&message);
            edit.push_first(Name::Route, b"<sip:r>").unwrap();
            edit.push_first(Name::Via, b"SIP/2.0/UDP x").unwrap();
            let again = Message::parse(edit.write()).unwrap();
            assert_eq!(again.first(Name::Via), Some(&b"SIP/2.0/UDP x"[..]));
            assert_eq!(again.first(Name::Route), Some(&b"<sip:r>"[..]));
        }
    }

    #[test]
    fn removing_the_first_via_leaves_the_rest_of_its_row() {
        // 3261-7.3.1-09, 3261-7.3.3-01
        let one = edited(|edit| {
            edit.remove_first_value(Name::Via);
        });
        assert_eq!(
            one,
            expected("v : SIP/2.0/UDP a,\r\n SIP/2.0/UDP b", "v: SIP/2.0/UDP b")
        );
        let two = edited(|edit| {
            edit.remove_first_value(Name::Via)
                .remove_first_value(Name::Via);
        });
        assert_eq!(
            two,
            expected("v : SIP/2.0/UDP a,\r\n SIP/2.0/UDP b\r\n", "")
        );
        let route = edited(|edit| {
            edit.remove_first_value(Name::Route);
        });
        assert_eq!(
            route,
            expected("<sip:p1;lr>;x=\",\", ", "").replace("route:  ", "route: ")
        );
        let three = edited(|edit| {
            edit.remove_first_value(Name::Via)
                .remove_first_value(Name::Via);
            edit.remove_first_value(Name::Via)
                .remove_first_value(Name::Via);
        });
        assert!(!three.contains("SIP/2.0/UDP"), "{three}");
    }

    #[test]
    fn setting_a_header_takes_the_place_of_its_first_row() {
        let got = edited(|edit| {
            edit.set_max_forwards(9);
        });
        assert_eq!(got, expected("Max-Forwards: 70", "Max-Forwards: 9"));
        let got = edited(|edit| {
            edit.set(Name::Via, b"SIP/2.0/UDP only").unwrap();
        });
        assert!(
            got.starts_with(&format!("{START}v: SIP/2.0/UDP only\r\nX-Odd")),
            "{got}"
        );
        assert_eq!(got.matches("SIP/2.0/UDP").count(), 1);
        let got = edited(|edit| {
            edit.set(Name::Priority, b"urgent").unwrap();
        });
        assert_eq!(got, expected("one\r\n", "one\r\nPriority: urgent\r\n"));
    }

    #[test]
    fn the_last_change_of_a_header_wins() {
        let got = edited(|edit| {
            edit.set(Name::Priority, b"urgent").unwrap();
            edit.set(Name::Priority, b"normal").unwrap();
            edit.remove(Name::Subject);
            edit.set(Name::Subject, b"two").unwrap();
        });
        assert_eq!(got, expected("one\r\n", "two\r\nPriority: normal\r\n"));
    }

    #[test]
    fn removing_and_appending_touch_one_header() {
        let got = edited(|edit| {
            edit.remove(Name::Route);
        });
        assert_eq!(
            got,
            expected("route: <sip:p1;lr>;x=\",\", <sip:p2;lr>\r\n", "")
        );
        let got = edited(|edit| {
            edit.append("X-New", b"v").unwrap();
        });
        assert_eq!(got, expected("one\r\n", "one\r\nX-New: v\r\n"));
        let message = message();
        for value in [&b"a\r\nb: c"[..], b"a\nb", b"\0"] {
            assert!(Edit::new(&message).append("X", value).is_err());
            assert!(Edit::new(&message).set(Name::Subject, value).is_err());
            assert!(Edit::new(&message).push_first(Name::Via, value).is_err());
        }
        assert!(Edit::new(&message).append("X Y", b"v").is_err());
        assert!(Edit::new(&message).set(Name::Other, b"v").is_err());
    }

    #[test]
    fn a_new_body_brings_its_type_and_length() {
        let got = edited(|edit| {
            edit.set_body(Some(Body::sdp("v=0\r\n")));
        });
        let again = Message::parse(got.clone().into()).unwrap();
        assert_eq!(
            again.first(Name::ContentType),
            Some(&b"application/sdp"[..])
        );
        assert_eq!(again.first(Name::ContentLength), Some(&b"5"[..]));
        assert_eq!(
            (
                again.count(Name::ContentType),
                again.count(Name::ContentLength)
            ),
            (1, 1)
        );
        assert_eq!(again.body(), "v=0\r\n");
        let none = edited(|edit| {
            edit.set_body(None);
        });
        assert!(
            none.ends_with("Subject: one\r\nContent-Length: 0\r\n\r\n"),
            "{none}"
        );
        assert!(!none.contains("Content-Type"), "{none}");
    }

    proptest! {
        #[test]
        fn a_push_undone_is_the_same_list(values in prop::collection::vec("[a-z<>;=\"]{1,9}", 1..6)) {
            let row = values.join(" , ");
            let message = Message::parse(format!("{START}Route: {row}\r\n\r\n").into()).unwrap();
            let mut edit = Edit::new(&message);
            edit.push_first(Name::Route, b"<sip:pushed>").unwrap();
            let pushed = Message::parse(edit.write()).unwrap();
            let mut edit = Edit::new(&pushed);
            edit.remove_first_value(Name::Route);
            prop_assert_eq!(edit.write().to_vec(), message.bytes().to_vec());
        }

        #[test]
        fn removing_values_one_by_one_empties_the_list(
            rows in prop::collection::vec("[a-c<>,\" ]{0,12}", 1..5)
        ) {
            let lines: String = rows.iter().map(|row| format!("Route: {row}\r\n")).collect();
            let mut message = Message::parse(format!("{START}{lines}\r\n").into()).unwrap();
            let list = |message: &Message| -> Vec<Vec<u8>> {
                message.all(Name::Route).flat_map(split_commas).map(<[u8]>::to_vec).collect()
            };
            let mut left = list(&message);
            while !left.is_empty() {
                let mut edit = Edit::new(&message);
                edit.remove_first_value(Name::Route);
                message = Message::parse(edit.write()).unwrap();
                left.remove(0);
                prop_assert_eq!(list(&message), left.clone());
            }
        }
    }

    #[test]
    fn a_header_that_is_set_has_one_row_and_no_other_changes() {
        let text = edited(|edit| {
            edit.set(Name::Via, b"SIP/2.0/TCP d").unwrap();
            edit.set(Name::Subject, b"two").unwrap();
        });
        let rest = REST
            .replace("Subject: one", "Subject: two")
            .replace(
                "v : SIP/2.0/UDP a,\r\n SIP/2.0/UDP b\r\n",
                "v: SIP/2.0/TCP d\r\n",
            )
            .replace("Via: SIP/2.0/UDP c\r\n", "");
        assert_eq!(text, format!("{START}{rest}"));
    }

    #[test]
    fn max_forwards_prints_every_number() {
        for hops in [0_u8, 9, 10, 99, 100, 255] {
            let got = edited(|edit| {
                edit.set_max_forwards(hops);
            });
            assert!(got.contains(&format!("Max-Forwards: {hops}\r\n")), "{got}");
        }
    }
}

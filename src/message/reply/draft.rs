//! The lines of a reply from those of any request.

use alloc::vec::Vec;
use core::net::SocketAddr;

use smallvec::SmallVec;

use super::super::bounds;
use super::super::edit::bit;
use super::super::header_block::Entry;
use super::super::put::{self, Put, offset};
use super::super::span::range_in;
use super::super::via_stamp::{put_told, put_top_via};
use super::super::{Message, Name, NameAddr, Request};
use super::{Lines, Marks};

/// What a reply is made of, still in the datagram.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub(super) vias: SmallVec<[Row<'a>; 4]>,
    record_routes: SmallVec<[Row<'a>; 4]>,
    from: Row<'a>,
    to: Row<'a>,
    call_id: Row<'a>,
    cseq: Row<'a>,
    timestamp: Row<'a>,
    to_tag: Tag<'a>,
    /// Whether the first row of Via has the common form, with `rport` behind its branch and nothing
    /// else.
    pub(super) asks_for_rport_alone: bool,
}

/// The headers that it takes to answer a request.
const NEEDED: u128 = bounds::set(&[
    Name::Via,
    Name::RecordRoute,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::Timestamp,
]);

/// One header value that a reply copies.
#[derive(Clone, Copy, Default)]
pub(super) struct Row<'a> {
    value: &'a [u8],
    /// Whether it is known to stand on one line.
    is_one_line: bool,
}

impl<'a> Row<'a> {
    pub(super) const fn new(value: &'a [u8]) -> Self {
        let is_one_line = false;
        Self { value, is_one_line }
    }

    fn of(message: &'a Message, entry: &Entry) -> Self {
        Self {
            value: message.value(entry),
            is_one_line: !entry.folded,
        }
    }

    #[inline]
    fn put_value(&self, out: &mut (impl Put + ?Sized)) {
        match self.is_one_line {
            true => out.put(self.value),
            false => put::one_line(out, self.value),
        }
    }

    /// A line with this start.
    #[inline]
    fn put(&self, out: &mut (impl Put + ?Sized), start: &[u8]) {
        out.put(start);
        self.put_value(out);
        out.put(b"\r\n");
    }
}

/// What is known of the To tag.
#[derive(Clone, Copy, Default)]
enum Tag<'a> {
    #[default]
    Unread,
    /// A part of the To value, if there is one.
    Read(Option<&'a [u8]>),
}

impl<'a> Draft<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let mut draft = Self::default();
        for entry in request.entries() {
            if NEEDED & bit(entry.name) != 0 {
                draft.take(entry.name, Row::of(request, entry));
            }
        }
        draft.to_tag = Tag::Read(request.to_tag_bytes());
        draft.asks_for_rport_alone = request.asks_for_rport_alone();
        draft
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "seven of a hundred names")]
    pub(super) fn take(&mut self, name: Name, row: Row<'a>) {
        let single = match name {
            Name::Via => return self.vias.push(row),
            Name::RecordRoute => return self.record_routes.push(row),
            Name::From => &mut self.from,
            Name::To => &mut self.to,
            Name::CallId => &mut self.call_id,
            Name::CSeq => &mut self.cseq,
            Name::Timestamp => &mut self.timestamp,
            _ => return,
        };
        if single.value.is_empty() {
            *single = row;
        }
    }

    /// Takes a line that `write` has written.
    pub(super) fn take_line(&mut self, line: &'a [u8]) {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let Some(colon) = memchr::memchr(b':', line) else {
            return;
        };
        if let Some((name, value)) = line.split_at_checked(colon) {
            let value = value.get(2..).unwrap_or_default();
            self.take(Name::parse(name), Row::new(value));
        }
    }

    /// The reply, if everything that it needs was there.
    pub(super) fn lines(&self, source: Option<SocketAddr>) -> Option<Lines> {
        let top = self.vias.first().map(|row| row.value);
        let top = top.filter(|top| !top.is_empty())?;
        let needed = [&self.from, &self.to, &self.call_id, &self.cseq];
        let is_whole = needed.iter().all(|row| !row.value.is_empty());
        is_whole.then(|| self.write(source, top))
    }

    pub(super) fn write(&self, source: Option<SocketAddr>, top: &[u8]) -> Lines {
        let mut bytes = Vec::with_capacity(self.room());
        let marks = self.lay(&mut bytes, source, top);
        let mut lines = Lines {
            bytes,
            marks,
            to_tag: None,
            codings: None,
        };
        lines.to_tag = self.find_to_tag(&lines);
        lines
    }

    /// Room for all lines in one allocation, with a little to spare: counting them exactly would
    /// take as long as writing them.
    fn room(&self) -> usize {
        // The longest name with its colon, blank and CRLF; and a source that is not there yet.
        const LINE: usize = 16;
        const SOURCE: usize = 64;
        let add = |room: usize, row: &Row<'_>| {
            let line = row.value.len().saturating_add(LINE);
            room.saturating_add(line)
        };
        let fixed = [self.from, self.to, self.call_id, self.cseq, self.timestamp];
        let room = fixed.iter().fold(SOURCE, add);
        let room = self.vias.iter().fold(room, add);
        self.record_routes.iter().fold(room, add)
    }

    /// Where the To tag is in the reply. A To that cannot be read has none.
    fn find_to_tag(&self, reply: &Lines) -> Option<(u32, u32)> {
        let to = reply.to_value();
        match self.to_tag {
            Tag::Read(None) => None,
            // Without folds the value was copied as it is.
            Tag::Read(Some(tag)) if to.len() == self.to.value.len() => {
                let (start, end) = range_in(self.to.value, tag)?;
                let (at, _) = range_in(&reply.bytes, to)?;
                Some((at.checked_add(start)?, at.checked_add(end)?))
            }
            Tag::Read(Some(_)) | Tag::Unread => {
                range_in(&reply.bytes, NameAddr::parse(to).ok()?.tag()?.as_bytes())
            }
        }
    }

    fn lay(&self, out: &mut (impl Put + ?Sized), source: Option<SocketAddr>, top: &[u8]) -> Marks {
        out.put(b"Via: ");
        match source {
            Some(source) if self.asks_for_rport_alone => put_told(out, top, source),
            source => put_top_via(out, top, source),
        }
        let top_via_end = offset(out.taken());
        out.put(b"\r\n");
        for via in self.vias.iter().skip(1) {
            via.put(out, b"Via: ");
        }
        let vias_end = offset(out.taken());
        self.from.put(out, b"From: ");
        let from_end = offset(out.taken());
        self.call_id.put(out, b"Call-ID: ");
        let call_id_end = offset(out.taken());
        self.cseq.put(out, b"CSeq: ");
        let fixed_end = offset(out.taken());
        out.put(b"To: ");
        self.to.put_value(out);
        let to_end = offset(out.taken());
        for route in &self.record_routes {
            route.put(out, b"Record-Route: ");
        }
        let record_routes_end = offset(out.taken());
        if !self.timestamp.value.is_empty() {
            self.timestamp.put(out, b"Timestamp: ");
        }
        Marks {
            top_via_end,
            vias_end,
            from_end,
            call_id_end,
            fixed_end,
            to_end,
            record_routes_end,
        }
    }
}

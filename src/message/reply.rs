//! What it takes to answer a request, detached from its datagram (RFC 3261 8.2.6, 18.2.1).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::bounds;
use super::builder::put_status_line;
use super::edit::bit;
use super::error::{ParseError, ParseErrorKind};
use super::header_block::Entry;
use super::lexer::{self, Line};
use super::put::offset;
use super::put::{self, Put};
use super::via_stamp::{put_feedback, put_told, put_top_via};
use super::write::put_rest;
use super::{Body, HeaderList, Message, Method, Name, NameAddr, Request, StatusCode, Via};

/// What is needed to answer a request: small, and detached from the datagram.
///
/// It holds finished header lines: every Via in order, the top one with `received` and `rport`
/// as RFC 3261 18.2.1 and RFC 3581 4 ask if the source was stamped; From, To, Call-ID, CSeq;
/// Record-Route and Timestamp. Clones share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reply(Arc<Lines>);

/// What a [`Reply`] holds.
#[derive(PartialEq, Eq, Hash, Debug)]
struct Lines {
    /// Via, From, Call-ID and CSeq lines; To without its CRLF; Record-Route; Timestamp.
    bytes: Vec<u8>,
    marks: Marks,
    /// Where the To tag is, if the request had one.
    to_tag: Option<(u32, u32)>,
    /// The codings that the other side takes a body in, if it has said so.
    codings: Option<Box<str>>,
}

/// Where the lines of a reply end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Marks {
    /// The value of the first Via row.
    top_via_end: u32,
    vias_end: u32,
    from_end: u32,
    call_id_end: u32,
    fixed_end: u32,
    to_end: u32,
    record_routes_end: u32,
}

impl Reply {
    /// Takes from the request what every response copies (RFC 3261 8.2.6.2).
    pub fn new(request: &Request) -> Self {
        let mut lines = match request.is_plainly_routed() {
            true => Lines::of_plain(request),
            false => Lines::of(request),
        };
        lines.codings = codings(request.message());
        Self(Arc::new(lines))
    }

    /// Whether a body of the response may be in this coding (RFC 3261 20.12, 20.2).
    pub(crate) fn may_encode(&self, coding: &str) -> bool {
        let says = |name: &str| {
            let mut codings = self.0.codings.as_deref()?.split(',');
            codings.find_map(|coding| match coding.strip_prefix('!') {
                Some(refused) => refused.eq_ignore_ascii_case(name).then_some(false),
                None => coding.eq_ignore_ascii_case(name).then_some(true),
            })
        };
        let otherwise = coding.eq_ignore_ascii_case("identity");
        says(coding).or_else(|| says("*")).unwrap_or(otherwise)
    }

    /// Says where the request came from: fills `received` and `rport` of the top Via.
    pub fn stamp_source(&mut self, source: SocketAddr) {
        let stamped = self.0.draft().lines(Some(source));
        if let Some(stamped) = stamped {
            self.lay_out_as(stamped);
        }
    }

    /// Takes other lines; what the other side accepts stays.
    fn lay_out_as(&mut self, new: Lines) {
        let codings = self.0.codings.clone();
        self.0 = Arc::new(Lines { codings, ..new });
    }

    /// Says in the top Via what its client is told of overload, in place of what the client said
    /// (RFC 7339 4): every response then says so.
    pub(crate) fn say_feedback(&mut self, params: &[u8]) {
        let row = self.top_via_value();
        let first = super::split_commas(row).next();
        let first = first.and_then(|first| range_in(row, first));
        let (start, end) = first.unwrap_or((0, offset(row.len())));
        let mut told = Vec::with_capacity(row.len().saturating_add(params.len()));
        put_feedback(
            &mut told,
            row.get(start as usize..end as usize).unwrap_or_default(),
            params,
        );
        told.put(row.get(end as usize..).unwrap_or_default());
        let mut draft = self.0.draft();
        if let Some(top) = draft.vias.first_mut() {
            *top = Row::new(&told);
        }
        let new = draft.lines(None);
        drop(draft);
        if let Some(new) = new {
            self.lay_out_as(new);
        }
    }

    /// Writes a response. A tag is added to To only if the request had none, and never to a 100;
    /// a 100 copies Timestamp (RFC 3261 8.2.6). Record-Route is not copied.
    ///
    /// Without a reason, that of the RFCs. One allocation.
    pub fn write(
        &self,
        status: StatusCode,
        reason: Option<&str>,
        to_tag: Option<&str>,
        headers: &HeaderList,
        body: Option<&Body>,
    ) -> Bytes {
        Response {
            reply: &self.0,
            status,
            reason,
            to_tag: to_tag.map(str::as_bytes),
            is_own_tag: false,
            lines: &[headers.as_bytes()],
            body,
            record_route: false,
            timestamp: None,
        }
        .to_bytes()
    }

    /// [`write`](Self::write) with the RFCs' reason, and a tag of the core's own.
    pub(crate) fn write_tagged(
        &self,
        status: StatusCode,
        to_tag: Option<&[u8]>,
        headers: &HeaderList,
        body: Option<&Body>,
    ) -> Bytes {
        Response {
            reply: &self.0,
            status,
            reason: None,
            to_tag,
            is_own_tag: true,
            lines: &[headers.as_bytes()],
            body,
            record_route: false,
            timestamp: None,
        }
        .to_bytes()
    }

    /// Writes a response that may form a dialog: as [`Reply::write`], and a 101 to 299 copies
    /// Record-Route (RFC 3261 12.1.1).
    pub fn write_in_dialog(
        &self,
        status: StatusCode,
        reason: Option<&str>,
        to_tag: Option<&str>,
        headers: &HeaderList,
        body: Option<&Body>,
    ) -> Bytes {
        Response {
            reply: &self.0,
            status,
            reason,
            to_tag: to_tag.map(str::as_bytes),
            is_own_tag: false,
            lines: &[headers.as_bytes()],
            body,
            record_route: matches!(status.as_u16(), 101..=299),
            timestamp: None,
        }
        .to_bytes()
    }

    /// [`write_in_dialog`](Self::write_in_dialog) of finished header lines, which may be in pieces,
    /// with a tag of the core's own.
    pub(crate) fn write_lines(
        &self,
        status: StatusCode,
        to_tag: Option<&[u8]>,
        lines: &[&[u8]],
        body: Option<&Body>,
    ) -> Bytes {
        Response {
            reply: &self.0,
            status,
            reason: None,
            to_tag,
            is_own_tag: true,
            lines,
            body,
            record_route: matches!(status.as_u16(), 101..=299),
            timestamp: None,
        }
        .to_bytes()
    }

    /// Writes the 100 that is sent this long after the request came: its Timestamp says so, if the
    /// request has one (RFC 3261 8.2.6.1).
    pub(crate) fn write_trying(&self, delay: Duration) -> Bytes {
        let (none, status) = (HeaderList::new(), StatusCode::TRYING);
        let line = self.0.timestamp();
        if line.is_empty() || delay.is_zero() {
            return self.write(status, None, None, &none, None);
        }
        let value = String::from_utf8_lossy(line.trim_ascii_end());
        let (seconds, millis) = (delay.as_secs(), delay.subsec_millis());
        let line = alloc::format!("{value} {seconds}.{millis:03}\r\n");
        Response {
            reply: &self.0,
            status,
            reason: None,
            to_tag: None,
            is_own_tag: true,
            lines: &[],
            body: None,
            record_route: false,
            timestamp: Some(line.as_bytes()),
        }
        .to_bytes()
    }

    /// Whether the request had a To tag.
    pub fn has_to_tag(&self) -> bool {
        self.0.to_tag.is_some()
    }

    /// The To tag of the request.
    pub fn to_tag(&self) -> Option<&str> {
        let (start, end) = self.0.to_tag?;
        core::str::from_utf8(self.0.slice(start..end)).ok()
    }

    /// The value of the first Via row, source filled in.
    pub fn top_via_value(&self) -> &[u8] {
        let end = self.0.marks.top_via_end;
        self.0.slice(offset(b"Via: ".len())..end)
    }

    /// The top Via, source filled in; `None` if the request was malformed there.
    pub fn top_via(&self) -> Option<Via<'_>> {
        let first = super::split_commas(self.top_via_value()).next()?;
        Via::parse(first).ok()
    }

    /// The method that CSeq names.
    pub fn method(&self) -> Option<Method<'_>> {
        let method = self.cseq_value().rsplit(|&b| lexer::is_blank(b)).next()?;
        Method::parse(method).ok()
    }

    /// The value of From.
    pub fn from_value(&self) -> &[u8] {
        let marks = &self.0.marks;
        self.0.value(marks.vias_end, marks.from_end, Name::From)
    }

    /// The value of Call-ID.
    pub fn call_id_value(&self) -> &[u8] {
        let marks = &self.0.marks;
        self.0
            .value(marks.from_end, marks.call_id_end, Name::CallId)
    }

    /// The value of CSeq.
    pub fn cseq_value(&self) -> &[u8] {
        let marks = &self.0.marks;
        self.0.value(marks.call_id_end, marks.fixed_end, Name::CSeq)
    }

    /// The value of To, as the request had it.
    pub fn to_value(&self) -> &[u8] {
        self.0.to_value()
    }
}

impl Lines {
    fn of(request: &Request) -> Self {
        let lines = Draft::of(request).lines(request.source());
        lines.unwrap_or_else(|| Self::empty(request.source()))
    }

    /// The same of a request that has one Via, neither Record-Route nor Timestamp, and no folds:
    /// its values are taken over as they are.
    fn of_plain(request: &Request) -> Self {
        let (via, from, to) = (
            request.top_via_value(),
            request.from_value(),
            request.to_value(),
        );
        let (call_id, cseq) = (request.call_id_bytes(), request.cseq_value());
        // All names with what is between them; and a source that is not there yet.
        const REST: usize = 128;
        let values = [via, from, call_id, cseq, to];
        let room = values.iter().map(|value| value.len());
        let mut out = Vec::with_capacity(room.fold(REST, usize::saturating_add));
        out.put(b"Via: ");
        match request.source() {
            Some(source) if request.asks_for_rport_alone() => put_told(&mut out, via, source),
            source => put_top_via(&mut out, via, source),
        }
        // Each line ends with the two bytes before the next name.
        let mut ends = [0; 4];
        for (end, (start, value)) in ends.iter_mut().zip([
            (&b"\r\nFrom: "[..], from),
            (b"\r\nCall-ID: ", call_id),
            (b"\r\nCSeq: ", cseq),
            (b"\r\nTo: ", to),
        ]) {
            *end = offset(out.taken().saturating_add(2));
            out.put(start);
            out.put(value);
        }
        let [vias_end, from_end, call_id_end, fixed_end] = ends;
        let to_end = offset(out.taken());
        let to_start = to_end.saturating_sub(offset(to.len()));
        let tag = request.tag_in_to();
        Self {
            bytes: out,
            marks: Marks {
                top_via_end: vias_end.saturating_sub(2),
                vias_end,
                from_end,
                call_id_end,
                fixed_end,
                to_end,
                record_routes_end: to_end,
            },
            to_tag: tag.map(|tag| {
                (
                    to_start.saturating_add(tag.start),
                    to_start.saturating_add(tag.end),
                )
            }),
            codings: None,
        }
    }

    fn draft(&self) -> Draft<'_> {
        let mut draft = Draft::default();
        // To ends without CRLF; every other line has it.
        draft.take(Name::To, Row::new(self.to_value()));
        let rest = self.slice(self.marks.to_end..offset(self.bytes.len()));
        for lines in [self.slice(0..self.marks.fixed_end), rest] {
            lines
                .split_inclusive(|&b| b == b'\n')
                .for_each(|line| draft.take_line(line));
        }
        draft
    }

    fn to_value(&self) -> &[u8] {
        self.slice(self.marks.fixed_end..self.marks.to_end)
            .get(b"To: ".len()..)
            .unwrap_or_default()
    }

    /// The line of Timestamp; empty if the request has none.
    fn timestamp(&self) -> &[u8] {
        self.slice(self.marks.record_routes_end..offset(self.bytes.len()))
    }

    /// The value in a finished line.
    fn value(&self, start: u32, end: u32, name: Name) -> &[u8] {
        let line = self.slice(start..end.saturating_sub(2));
        line.get(name.as_str().len().saturating_add(2)..)
            .unwrap_or_default()
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        self.bytes
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// Never seen: a `Request` has all that a reply needs.
    fn empty(source: Option<SocketAddr>) -> Self {
        Draft::default().write(source, b"")
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply(b\"{}\")", self.0.bytes.escape_ascii())
    }
}

/// A response as it will be written.
struct Response<'a> {
    reply: &'a Lines,
    status: StatusCode,
    reason: Option<&'a str>,
    to_tag: Option<&'a [u8]>,
    /// Whether the core made the tag, which is on one line then.
    is_own_tag: bool,
    /// Finished header lines, in pieces.
    lines: &'a [&'a [u8]],
    body: Option<&'a Body>,
    record_route: bool,
    /// The finished line of a 100 in place of the request's Timestamp.
    timestamp: Option<&'a [u8]>,
}

impl Response<'_> {
    /// One pass, into room for all that the response may have.
    fn to_bytes(&self) -> Bytes {
        // Status line; tag; Content-Type and Content-Length.
        const REST: usize = 128;
        let reason = self.reason.map_or(32, str::len);
        let tag = self.to_tag.map_or(0, <[u8]>::len);
        let body = self.body.map_or(0, |body| {
            body.bytes().len().saturating_add(body.content_type().len())
        });
        let lines = self.lines.iter().map(|piece| piece.len());
        let room = [self.reply.bytes.len(), reason, tag, body]
            .into_iter()
            .chain(lines)
            .fold(REST, usize::saturating_add);
        put::written(room, |out| self.emit(out))
    }

    fn emit(&self, out: &mut Vec<u8>) {
        let reply = self.reply;
        put_status_line(out, self.status, self.reason);
        out.put(reply.slice(0..reply.marks.to_end));
        let trying = self.status.as_u16() == 100;
        if let Some(tag) = self.to_tag.filter(|_| !trying && reply.to_tag.is_none()) {
            out.put(b";tag=");
            match self.is_own_tag {
                true => out.put(tag),
                false => put::one_line(out, tag),
            }
        }
        out.put(b"\r\n");
        if self.record_route {
            out.put(reply.slice(reply.marks.to_end..reply.marks.record_routes_end));
        }
        if trying {
            out.put(self.timestamp.unwrap_or_else(|| reply.timestamp()));
        }
        // To add nothing costs as much as to add a little.
        for piece in self.lines.iter().filter(|piece| !piece.is_empty()) {
            out.put(piece);
        }
        put_rest(out, &HeaderList::new(), self.body);
    }
}

/// The codings that Accept-Encoding lists, with `!` before one that it refuses (`q=0`).
fn codings(message: &Message) -> Option<Box<str>> {
    message.first(Name::AcceptEncoding)?;
    let mut codings = String::new();
    for coding in message.accept_encoding().flatten() {
        if !codings.is_empty() {
            codings.push(',');
        }
        if coding.q().unwrap_or_default() == 0 {
            codings.push('!');
        }
        codings.push_str(coding.name());
    }
    Some(codings.into())
}

/// What a reply is made of, still in the datagram.
#[derive(Default)]
struct Draft<'a> {
    vias: SmallVec<[Row<'a>; 4]>,
    record_routes: SmallVec<[Row<'a>; 4]>,
    from: Row<'a>,
    to: Row<'a>,
    call_id: Row<'a>,
    cseq: Row<'a>,
    timestamp: Row<'a>,
    to_tag: Tag<'a>,
    /// Whether that is all that the first row of Via does.
    asks_for_rport_alone: bool,
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
struct Row<'a> {
    value: &'a [u8],
    /// Whether it is known to stand on one line.
    is_one_line: bool,
}

impl<'a> Row<'a> {
    const fn new(value: &'a [u8]) -> Self {
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
    fn of(request: &'a Request) -> Self {
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
    fn take(&mut self, name: Name, row: Row<'a>) {
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
    fn take_line(&mut self, line: &'a [u8]) {
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
    fn lines(&self, source: Option<SocketAddr>) -> Option<Lines> {
        let top = self.vias.first().map(|row| row.value);
        let top = top.filter(|top| !top.is_empty())?;
        let needed = [&self.from, &self.to, &self.call_id, &self.cseq];
        let is_whole = needed.iter().all(|row| !row.value.is_empty());
        is_whole.then(|| self.write(source, top))
    }

    fn write(&self, source: Option<SocketAddr>, top: &[u8]) -> Lines {
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

/// Where a part of `whole` is in it. The addresses are only compared.
pub(crate) fn range_in(whole: &[u8], part: &[u8]) -> Option<(u32, u32)> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some((offset(start), offset(end)))
}

/// [`range_in`] for who knows that the part is one. Of what is not, no range of the whole.
#[inline(always)]
pub(super) fn span_in(whole: &[u8], part: &[u8]) -> (u32, u32) {
    // Offsets in a message of less than 4 GiB.
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()) as u32;
    (start, start.wrapping_add(part.len() as u32))
}

/// Makes the error, with what of the message it takes to answer it.
///
/// Lines that cannot be read are passed over: the five headers may stand behind them.
#[cold]
pub(crate) fn salvage(bytes: &[u8], kind: ParseErrorKind, offset: usize) -> ParseError {
    let lines = draft_of(bytes).and_then(|draft| draft.lines(None));
    let reply = lines.map(|lines| Reply(Arc::new(lines)));
    let reply = reply.filter(|reply| reply.method() != Some(Method::Ack));
    ParseError {
        kind,
        offset,
        status: reply.as_ref().map(|_| status_of(kind)),
        reply: reply.map(Box::new),
    }
}

/// The response that a malformed request gets.
fn status_of(kind: ParseErrorKind) -> StatusCode {
    match kind {
        ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
        ParseErrorKind::StartLineTooLong => StatusCode::REQUEST_URI_TOO_LONG,
        ParseErrorKind::MessageTooLarge => StatusCode::MESSAGE_TOO_LARGE,
        ParseErrorKind::Empty
        | ParseErrorKind::HeaderLineTooLong
        | ParseErrorKind::TooManyHeaders
        | ParseErrorKind::StartLine
        | ParseErrorKind::RequestUri
        | ParseErrorKind::StatusCode
        | ParseErrorKind::HeaderName
        | ParseErrorKind::BareLineBreak
        | ParseErrorKind::Unterminated
        | ParseErrorKind::ContentLength
        | ParseErrorKind::BodyTruncated
        | ParseErrorKind::Missing(_)
        | ParseErrorKind::Duplicate(_)
        | ParseErrorKind::TooManyValues(_)
        | ParseErrorKind::Value { .. }
        | ParseErrorKind::MethodMismatch => StatusCode::BAD_REQUEST,
    }
}

/// What of a request can be read; `None` for what is never answered.
fn draft_of(bytes: &[u8]) -> Option<Draft<'_>> {
    let skipped = bytes
        .iter()
        .take_while(|&&b| matches!(b, b'\r' | b'\n'))
        .count();
    let bytes = bytes.get(skipped..)?;
    let end = memchr::memchr(b'\n', bytes)?;
    let start_line = bytes.get(..end)?;
    let method = start_line.split(|&b| b == b' ').next()?;
    if super::start_line::begins_with_sip(start_line) || Method::parse(method) == Ok(Method::Ack) {
        return None;
    }
    let mut draft = Draft::default();
    let mut at = end.checked_add(1)?;
    loop {
        match lexer::line(bytes, at) {
            Ok(Line::End { .. }) => return Some(draft),
            Ok(Line::Header(header)) => {
                let name = bytes.get(header.name.0..header.name.1)?;
                let value = bytes.get(header.value.0..header.value.1)?;
                draft.take(Name::parse(name), Row::new(value));
                at = header.next;
            }
            Err(_) => {
                let Some(skip) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest))
                else {
                    return Some(draft);
                };
                at = at.checked_add(skip)?.checked_add(1)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};

    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::message::{Incoming, Message, parse};

    const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bKnashds8;rport\r\n\
        v: SIP/2.0/TCP a;branch=1,SIP/2.0/TCP b\r\n\
        Record-Route: <sip:p1.example.com;lr>\r\n\
        Max-Forwards: 70\r\n\
        t: Bob\r\n <sip:bob@biloxi.com>\r\n\
        From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
        Call-ID: a84b4c76e66710\r\n\
        CSeq: 314159 INVITE\r\n\
        Timestamp: 54\r\n\
        Record-Route: <sip:p2.example.com;lr>\r\n\
        Subject: not copied\r\n\r\n";

    fn request(text: &str, source: Option<&str>) -> Request {
        let Ok(Incoming::Request(mut request)) = parse(text.to_string().into(), &Limits::DEFAULT)
        else {
            panic!("not a request");
        };
        if let Some(source) = source {
            request.stamp_source(source.parse().unwrap());
        }
        request
    }

    fn text(bytes: &Bytes) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn top_via(via: &str, source: &str) -> String {
        let text = INVITE.replace(
            "SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bKnashds8;rport",
            via,
        );
        let reply = Reply::new(&request(&text, Some(source)));
        String::from_utf8(reply.top_via_value().to_vec()).unwrap()
    }

    #[test]
    fn a_response_copies_what_8_2_6_names_and_nothing_else() {
        // 3261-7-01, 3261-7-02, 3261-7.3.1-04, 3261-7.1-07
        let reply = Reply::new(&request(INVITE, Some("192.0.2.1:9988")));
        let headers = HeaderList::new()
            .with("Contact", "<sip:bob@192.0.2.4>")
            .unwrap();
        let body = Body::sdp("v=0\r\n");
        let bytes =
            reply.write_in_dialog(StatusCode::OK, None, Some("a6c85cf"), &headers, Some(&body));
        assert_eq!(
            text(&bytes),
            "SIP/2.0 200 OK\r\n\
            Via: SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bKnashds8;rport=9988;received=192.0.2.1\r\n\
            Via: SIP/2.0/TCP a;branch=1,SIP/2.0/TCP b\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
            Call-ID: a84b4c76e66710\r\n\
            CSeq: 314159 INVITE\r\n\
            To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n\
            Record-Route: <sip:p1.example.com;lr>\r\n\
            Record-Route: <sip:p2.example.com;lr>\r\n\
            Contact: <sip:bob@192.0.2.4>\r\n\
            Content-Type: application/sdp\r\n\
            Content-Length: 5\r\n\r\nv=0\r\n"
        );
        let message = Message::parse(bytes).unwrap();
        assert!(matches!(message.check(), Ok(Incoming::Response(_))));
    }

    proptest! {
        /// What is known to be plain is written as anything else.
        #[test]
        fn plain_request_has_the_reply_of_any(
            via in "SIP/2\\.0/UDP a(:5060)?(;y)?;(branch|BRANCH)=z9hG4bK[a-z]{1,3}(;rport|;RPORT|;rport=7)?(;x=1)?(,SIP/2\\.0/UDP b)?",
            tag in "(;tag=[a-z]{1,4})?",
            more in prop::collection::vec(
                prop::sample::select(Vec::from([
                    "Record-Route: <sip:p.example.com;lr>\r\n",
                    "v: SIP/2.0/TCP c;branch=1\r\n",
                    "Timestamp: 54\r\n",
                    "Subject: folded\r\n here\r\n",
                    "Accept-Encoding: gzip\r\n",
                    "Organization: x\r\n",
                ])),
                0..3,
            ),
        ) {
            let text = format!(
                "OPTIONS sip:b@c SIP/2.0\r\nVia: {via}\r\n{}f: <sip:a@b>;tag=1\r\nTo: Bob <sip:b@c>{tag}\r\n\
                 i: x\r\nCSeq: 1  OPTIONS\r\n\r\n",
                more.concat(),
            );
            for source in [None, Some("192.0.2.1:9988")] {
                let request = request(&text, source);
                let mut draft = Draft::of(&request);
                draft.asks_for_rport_alone = false;
                let general = draft.lines(request.source()).unwrap();
                prop_assert_eq!(&Lines::of(&request), &general);
                let odd = via.contains(',')
                    || more.iter().any(|line| !matches!(line.as_bytes(), [b'A' | b'O', ..]));
                match request.is_plainly_routed() {
                    true => prop_assert_eq!(Lines::of_plain(&request), general),
                    false => prop_assert!(odd, "{text}"),
                }
            }
        }
    }

    #[test]
    fn a_100_copies_timestamp_and_gets_no_tag() {
        let reply = Reply::new(&request(INVITE, None));
        let list = HeaderList::new();
        let trying = text(&reply.write(StatusCode::TRYING, None, Some("x"), &list, None));
        assert!(trying.contains("\r\nTimestamp: 54\r\n"), "{trying}");
        assert!(!trying.contains("tag=x"), "{trying}");
        assert!(
            trying.ends_with("\r\nContent-Length: 0\r\n\r\n"),
            "{trying}"
        );
        let ringing = text(&reply.write(StatusCode::RINGING, None, Some("x"), &list, None));
        assert!(!ringing.contains("Timestamp"), "{ringing}");
        assert!(ringing.contains(";tag=x\r\n"), "{ringing}");
    }

    #[test]
    fn record_route_goes_into_101_to_299_only() {
        let reply = Reply::new(&request(INVITE, None));
        let list = HeaderList::new();
        for (status, expected) in [(100, false), (101, true), (299, true), (300, false)] {
            let status = StatusCode::new(status).unwrap();
            let bytes = reply.write_in_dialog(status, None, None, &list, None);
            let message = Message::parse(bytes).unwrap();
            assert_eq!(
                message.first(Name::RecordRoute).is_some(),
                expected,
                "{status:?}"
            );
            let bytes = reply.write(status, None, None, &list, None);
            assert_eq!(Message::parse(bytes).unwrap().count(Name::RecordRoute), 0);
        }
    }

    #[test]
    fn a_to_tag_of_the_request_stays() {
        let in_dialog = INVITE.replace(
            "<sip:bob@biloxi.com>\r\n",
            "<sip:bob@biloxi.com>;tag=old\r\n",
        );
        let reply = Reply::new(&request(&in_dialog, None));
        assert_eq!((reply.has_to_tag(), reply.to_tag()), (true, Some("old")));
        let bytes = reply.write(StatusCode::OK, None, Some("new"), &HeaderList::new(), None);
        assert!(text(&bytes).contains("\r\nTo: Bob <sip:bob@biloxi.com>;tag=old\r\n"));
        assert!(!Reply::new(&request(INVITE, None)).has_to_tag());
    }

    #[test]
    fn received_is_added_unless_sent_by_is_the_source() {
        let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1";
        assert_eq!(top_via(via, "192.0.2.1:5060"), via);
        assert_eq!(top_via(via, "[::ffff:192.0.2.1]:5060"), via);
        assert_eq!(
            top_via(via, "192.0.2.9:5060"),
            format!("{via};received=192.0.2.9")
        );
        let name = "SIP/2.0/UDP host.example.com";
        assert_eq!(
            top_via(name, "[2001:db8::1]:7"),
            format!("{name};received=2001:db8::1")
        );
    }

    #[test]
    fn rport_is_filled_in_only_if_it_was_asked_for() {
        let via = "SIP/2.0/UDP 192.0.2.1;rport ;branch=z9hG4bK1";
        assert_eq!(
            top_via(via, "192.0.2.1:1024"),
            "SIP/2.0/UDP 192.0.2.1;rport=1024;branch=z9hG4bK1;received=192.0.2.1"
        );
        // What the sender claims about its address is replaced.
        let lie = "SIP/2.0/UDP h;received=203.0.113.5;RPORT=1;x=\";rport\"";
        assert_eq!(
            top_via(lie, "192.0.2.1:1024"),
            "SIP/2.0/UDP h;RPORT=1;x=\";rport\";received=192.0.2.1"
        );
    }

    #[test]
    fn only_the_first_value_of_the_top_row_is_stamped() {
        assert_eq!(
            top_via(", SIP/2.0/UDP a;rport , SIP/2.0/UDP b;rport", "192.0.2.1:7"),
            "SIP/2.0/UDP a;rport=7;received=192.0.2.1 , SIP/2.0/UDP b;rport"
        );
    }

    #[test]
    fn stamping_a_reply_later_is_the_same() {
        let mut later = Reply::new(&request(INVITE, None));
        later.stamp_source("192.0.2.1:9988".parse().unwrap());
        assert_eq!(later, Reply::new(&request(INVITE, Some("192.0.2.1:9988"))));
        assert_eq!(later.method(), Some(Method::Invite));
        assert_eq!(later.call_id_value(), b"a84b4c76e66710");
        assert_eq!(
            later.from_value(),
            b"Alice <sip:alice@atlanta.com>;tag=1928301774"
        );
        assert_eq!(later.cseq_value(), b"314159 INVITE");
        assert_eq!(later.top_via().unwrap().rport(), Some(Some(9988)));
    }

    fn failed(text: &str) -> ParseError {
        parse(text.to_string().into(), &Limits::DEFAULT).unwrap_err()
    }

    #[test]
    fn a_malformed_request_carries_its_answer() {
        // 3261-18.3-04; 4475-3.1.2.2-01, 4475-3.1.2.16-01
        let broken = [
            (
                INVITE.replace("Subject:", "l: 9999\r\nSubject:"),
                400,
                ParseErrorKind::BodyTruncated,
            ),
            (
                INVITE.replace("Subject:", "l: -999\r\nSubject:"),
                400,
                ParseErrorKind::ContentLength,
            ),
            (
                INVITE.replace("Max-Forwards:", "Max Forwards:"),
                400,
                ParseErrorKind::HeaderName,
            ),
            (
                INVITE.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
                505,
                ParseErrorKind::Version,
            ),
            (
                INVITE.replace("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"),
                400,
                ParseErrorKind::RequestUri,
            ),
            (
                INVITE.replace("bob@biloxi.com SIP", &format!("{} SIP", "b".repeat(9_000))),
                414,
                ParseErrorKind::StartLineTooLong,
            ),
            (
                format!("{INVITE}{}", "x".repeat(65_535)),
                513,
                ParseErrorKind::MessageTooLarge,
            ),
        ];
        for (text, status, kind) in broken {
            let error = failed(&text);
            assert_eq!(error.kind, kind);
            assert_eq!(error.status.map(StatusCode::as_u16), Some(status), "{kind}");
            let reply = error.reply.unwrap();
            assert_eq!(*reply, Reply::new(&request(INVITE, None)), "{kind}");
        }
    }

    #[test]
    fn what_must_not_be_answered_is_not() {
        // 3261-18.3-03
        let truncated = INVITE.replace("Subject:", "l: 9999\r\nSubject:");
        let response = truncated.replace("INVITE sip:bob@biloxi.com SIP/2.0", "SIP/2.0 200 OK");
        let ack = truncated
            .replace("INVITE sip", "ACK sip")
            .replace("9 INVITE", "9 ACK");
        let nobody = truncated.replace("From:", "X:");
        for text in [
            response.as_str(),
            &ack,
            &nobody,
            "\r\n\r\n",
            "noise",
            "\0\0\r\n\r\n",
        ] {
            let error = failed(text);
            assert_eq!((error.status, error.reply), (None, None), "{text}");
        }
    }

    #[test]
    fn a_via_that_cannot_be_read_is_still_echoed() {
        // 4475-3.1.2.1-01
        let text = INVITE.replace("pc33.atlanta.com:5066;branch", "192.0.2.15;;,;,,;branch");
        let error = failed(&text);
        assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
        let mut reply = error.reply.unwrap();
        reply.stamp_source("192.0.2.15:5060".parse().unwrap());
        assert!(
            reply
                .top_via_value()
                .starts_with(b"SIP/2.0/UDP 192.0.2.15;")
        );
    }

    #[test]
    fn a_to_tag_is_found_with_and_without_folds() {
        for to in [
            "Bob <sip:b@b>;x=1;tag=old;y",
            "Bob\r\n <sip:b@b>;x=1;\r\n tag=old;y",
        ] {
            let text = INVITE.replace("Bob\r\n <sip:bob@biloxi.com>", to);
            assert_eq!(
                Reply::new(&request(&text, None)).to_tag(),
                Some("old"),
                "{to}"
            );
        }
    }

    fn mutated() -> impl Strategy<Value = Vec<u8>> {
        let pieces = [
            " ", "\t", "\r\n ", "\r\n", ",", ";", "\"", "\\", "<", ">", "\0", "\u{fc}", "tag=x",
            ";rport", "=",
        ];
        let edit = (
            any::<prop::sample::Index>(),
            0..4_usize,
            prop::sample::select(pieces.to_vec()),
        );
        prop::collection::vec(edit, 0..4).prop_map(|edits| {
            let mut bytes = INVITE.as_bytes().to_vec();
            for (at, cut, piece) in edits {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at.saturating_add(cut));
                bytes.splice(at..end, piece.bytes());
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn whatever_is_read_is_answered_well_formed(bytes in mutated()) {
            let source = "192.0.2.1:9988".parse().unwrap();
            let list = HeaderList::new();
            match parse(bytes.into(), &Limits::DEFAULT) {
                Ok(Incoming::Request(mut request)) => {
                    let vias = request.all(Name::Via).flat_map(crate::message::split_commas).count();
                    request.stamp_source(source);
                    let reply = Reply::new(&request);
                    let written = reply.write(StatusCode::OK, None, Some("new"), &list, None);
                    let parsed = parse(written, &Limits::DEFAULT);
                    let Ok(Incoming::Response(response)) = parsed else {
                        panic!("{request:?} got {parsed:?}");
                    };
                    prop_assert_eq!(response.call_id(), request.call_id());
                    prop_assert_eq!(response.cseq(), request.cseq());
                    prop_assert_eq!(response.branch(), request.branch());
                    prop_assert_eq!(response.from_tag(), request.from_tag());
                    prop_assert_eq!(response.to_tag(), Some(request.to_tag().unwrap_or("new")));
                    prop_assert_eq!(response.top_via().received(), Some(source.ip()));
                    let echoed = response.all(Name::Via).flat_map(crate::message::split_commas);
                    prop_assert_eq!(echoed.count(), vias);
                }
                Ok(Incoming::Response(response)) => panic!("{response:?}"),
                Err(ParseError { status: Some(status), reply: Some(mut reply), .. }) => {
                    reply.stamp_source(source);
                    let written = reply.write(status, None, Some("new"), &list, None);
                    let message = Message::parse(written).unwrap();
                    prop_assert_eq!(message.status_code(), Some(status));
                    for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
                        prop_assert_eq!(message.count(name), 1);
                    }
                }
                Err(_) => {}
            }
        }
    }
}

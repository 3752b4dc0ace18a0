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

use super::builder::put_status_line;
use super::lexer;
use super::put::{self, Put, offset};
use super::span::range_in;
use super::via_stamp::{put_feedback, put_told, put_top_via};
use super::write::put_rest;
use super::{Body, HeaderList, Message, Method, Name, Request, StatusCode, Via};
use draft::{Draft, Row};

mod draft;
mod salvage;

pub(crate) use salvage::salvage;

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

#[cfg(test)]
mod tests;

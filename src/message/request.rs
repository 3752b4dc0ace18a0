//! Requests and responses: messages whose essential headers have been read.

use alloc::boxed::Box;
use core::hash::{Hash, Hasher};
use core::net::SocketAddr;
use core::ops::{Deref, Range};

use bytes::Bytes;

use super::error::{ParseError, ParseErrorKind};
use super::reply::salvage;
use super::simple::check_call_id;
use super::span::{range_in, span_in};
use super::start_line::{StartLine, begins_with_sip, breaks_before};
use super::survey::Survey;
use super::via::{PlainVia, SentBy, ViaParts};
use super::{
    CSeq, Message, Method, Name, NameAddr, StatusCode, Uri, ValueError, Via, split_commas,
};
use super::{bounds, cseq};
use crate::limits::Limits;

/// Reads a datagram and checks what every message must have (RFC 3261 8.1.1).
///
/// # Errors
///
/// [`ParseError`] says what is wrong, where, and what to answer. Stamp the source on its reply.
///
/// ```
/// use drongo::limits::Limits;
/// use drongo::message::{Incoming, StatusCode, parse};
///
/// let text = "OPTIONS sip:carol@chicago.example.com SIP/2.0\r\n\
///     Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKhjhs8ass877\r\n\
///     To: <sip:carol@chicago.example.com>\r\n\
///     From: <sip:alice@example.com>;tag=1928301774\r\n\
///     Call-ID: a84b4c76e66710\r\n\
///     CSeq: 63104 OPTIONS\r\n\r\n";
/// assert!(matches!(parse(text.into(), &Limits::DEFAULT)?, Incoming::Request(_)));
///
/// let wrong = text.replace("63104 OPTIONS", "63104 INVITE");
/// let error = parse(wrong.into(), &Limits::DEFAULT).unwrap_err();
/// assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
/// assert!(error.reply.is_some());
/// # Ok::<(), drongo::message::ParseError>(())
/// ```
pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Incoming, ParseError> {
    // Where it will be returned: moving an index costs as much as reading a line.
    let mut read = Ok(Incoming::unread(bytes));
    if let Ok(incoming) = &mut read
        && let Err((kind, offset)) = incoming.read(limits)
    {
        read = Err(salvage(incoming.message().bytes(), kind, offset));
    }
    read
}

/// A checked message. Exhaustive on purpose: there is no third kind.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "both are a message with its index"
)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request whose essential headers have been read.
///
/// It has exactly one From, To, Call-ID and CSeq, and at least one Via; the top one, From, To,
/// CSeq and the Request-URI are well-formed, and CSeq names the method. Max-Forwards and the From
/// tag may be missing (RFC 2543). The scheme of the Request-URI may be any: 416 is for the user
/// agent to say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Request {
    message: Message,
    parts: Parts,
    source: Option<SocketAddr>,
}

/// A response whose essential headers have been read; see [`Request`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Response {
    message: Message,
    parts: Parts,
}

impl Message {
    /// Checks what every message must have, under the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`ParseError`]: what is missing, twice there, malformed, or too much.
    pub fn check(self) -> Result<Incoming, ParseError> {
        self.check_with(&Limits::DEFAULT)
    }

    /// Checks what every message must have, and that no value of it holds more than the limits
    /// allow: list items, Via hops, parameters, nested comments.
    ///
    /// # Errors
    ///
    /// As [`Message::check`].
    pub fn check_with(self, limits: &Limits) -> Result<Incoming, ParseError> {
        let mut parts = Parts::UNREAD;
        match check(&self, limits, &mut parts) {
            Ok(()) => Ok(Incoming::of(self, parts)),
            Err((kind, offset)) => Err(salvage(self.bytes(), kind, offset)),
        }
    }
}

/// [`Incoming`] on the heap: a message with its index is half a kilobyte, and is moved from floor to
/// floor.
pub(crate) enum Boxed {
    Request(Box<Request>),
    Response(Box<Response>),
}

/// [`parse`], for who keeps the message on the heap: it is read where it will stay.
pub(crate) fn parse_boxed(bytes: Bytes, limits: &Limits) -> Result<Boxed, ParseError> {
    let failed = |message: &Message, (kind, offset)| salvage(message.bytes(), kind, offset);
    match looks_like_response(&bytes) {
        true => {
            let mut response = Box::write(Box::new_uninit(), Response::unread(bytes));
            match read(&mut response.message, &mut response.parts, limits) {
                Ok(()) => Ok(Boxed::Response(response)),
                Err(error) => Err(failed(&response.message, error)),
            }
        }
        false => {
            let mut request = Box::write(Box::new_uninit(), Request::unread(bytes));
            match read(&mut request.message, &mut request.parts, limits) {
                Ok(()) => Ok(Boxed::Request(request)),
                Err(error) => Err(failed(&request.message, error)),
            }
        }
    }
}

/// What the start line will make of it.
#[inline(always)]
fn looks_like_response(bytes: &[u8]) -> bool {
    begins_with_sip(bytes.get(breaks_before(bytes)..).unwrap_or_default())
}

#[inline(always)]
fn read(message: &mut Message, parts: &mut Parts, limits: &Limits) -> Result<(), CheckError> {
    message.read(limits)?;
    check(message, limits, parts)
}

impl Incoming {
    #[inline(always)]
    fn unread(bytes: Bytes) -> Self {
        match looks_like_response(&bytes) {
            true => Self::Response(Response::unread(bytes)),
            false => Self::Request(Request::unread(bytes)),
        }
    }

    #[inline(always)]
    fn read(&mut self, limits: &Limits) -> Result<(), CheckError> {
        match self {
            Self::Request(request) => read(&mut request.message, &mut request.parts, limits),
            Self::Response(response) => read(&mut response.message, &mut response.parts, limits),
        }
    }

    fn message(&self) -> &Message {
        match self {
            Self::Request(request) => &request.message,
            Self::Response(response) => &response.message,
        }
    }

    /// Not inlined, so that the index is moved in one piece.
    #[inline(never)]
    fn of(message: Message, parts: Parts) -> Self {
        if message.is_request() {
            Self::Request(Request {
                message,
                parts,
                source: None,
            })
        } else {
            Self::Response(Response { message, parts })
        }
    }
}

macro_rules! essentials {
    ($type:ty) => {
        impl $type {
            /// The message and its other headers.
            pub fn message(&self) -> &Message {
                &self.message
            }

            /// The top Via.
            pub fn top_via(&self) -> Via<'_> {
                self.parts.top_via(&self.message)
            }

            /// The branch of the top Via.
            pub fn branch(&self) -> Option<&str> {
                self.parts.text(&self.message, self.parts.branch)
            }

            /// The branch of the top Via.
            pub(crate) fn branch_bytes(&self) -> Option<&[u8]> {
                self.parts.bytes(&self.message, self.parts.branch)
            }

            /// The To tag.
            pub(crate) fn to_tag_bytes(&self) -> Option<&[u8]> {
                self.parts.bytes(&self.message, self.parts.to_tag)
            }

            /// Call-ID.
            pub fn call_id(&self) -> &str {
                self.parts
                    .text(&self.message, self.parts.call_id)
                    .unwrap_or_default()
            }

            /// CSeq.
            pub fn cseq(&self) -> CSeq<'_> {
                self.parts.cseq(&self.message)
            }

            /// From.
            pub fn from(&self) -> NameAddr<'_> {
                self.parts.address(&self.message, self.parts.from)
            }

            /// To.
            pub fn to(&self) -> NameAddr<'_> {
                self.parts.address(&self.message, self.parts.to)
            }

            /// The From tag.
            pub fn from_tag(&self) -> Option<&str> {
                self.parts.text(&self.message, self.parts.from_tag)
            }

            /// The To tag.
            pub fn to_tag(&self) -> Option<&str> {
                self.parts.text(&self.message, self.parts.to_tag)
            }

            /// The value of the top Via, as it came.
            pub fn top_via_value(&self) -> &[u8] {
                self.message.slice(self.parts.via.0..self.parts.via.1)
            }

            /// The value of From, as it came.
            pub fn from_value(&self) -> &[u8] {
                self.message.slice(self.parts.from.0..self.parts.from.1)
            }

            /// The value of To, as it came.
            pub fn to_value(&self) -> &[u8] {
                self.message.slice(self.parts.to.0..self.parts.to.1)
            }
        }

        impl Deref for $type {
            type Target = Message;

            fn deref(&self) -> &Message {
                &self.message
            }
        }

        impl From<$type> for Message {
            fn from(checked: $type) -> Self {
                checked.message
            }
        }
    };
}

essentials!(Request);
essentials!(Response);

impl Request {
    #[inline(always)]
    fn unread(bytes: Bytes) -> Self {
        Self {
            message: Message::unread(bytes),
            parts: Parts::UNREAD,
            source: None,
        }
    }

    /// Call-ID.
    pub(crate) fn call_id_bytes(&self) -> &[u8] {
        value(&self.message, self.parts.call_id)
    }

    /// The From tag.
    pub(crate) fn tag_of_from(&self) -> Option<&[u8]> {
        self.parts.bytes(&self.message, self.parts.from_tag)
    }

    /// The value of CSeq, as it came.
    pub(crate) fn cseq_value(&self) -> &[u8] {
        value(&self.message, self.parts.cseq)
    }

    /// Whether it has one Via, and neither Record-Route nor Timestamp, and no line is folded; a
    /// request of which that is not known at once has not.
    pub(crate) fn is_plainly_routed(&self) -> bool {
        let message = &self.message;
        self.parts.is_one_hop
            && !message.may_be_folded()
            && !message.may_have(&[Name::RecordRoute, Name::Timestamp])
    }

    /// Whether the top Via is alone in its row, and has a branch and behind that `rport` without a
    /// value, and nothing else; one of which that is not known at once has more.
    pub(crate) fn asks_for_rport_alone(&self) -> bool {
        let Parts {
            plain_via, branch, ..
        } = &self.parts;
        plain_via
            .as_ref()
            .is_some_and(|via| via.asks_for_rport_alone(*branch, self.message.bytes()))
    }

    /// The sent-by of the top Via.
    pub(crate) fn sent_by(&self) -> SentBy<'_> {
        let plain = self.parts.plain_via;
        let plain = plain.and_then(|via| via.sent_by(self.message.bytes()));
        plain.unwrap_or_else(|| self.top_via().sent_by())
    }

    /// The To tag, in To.
    pub(crate) fn tag_in_to(&self) -> Option<Range<u32>> {
        let Parts { to, to_tag, .. } = &self.parts;
        let within = |at: u32| at.wrapping_sub(to.0);
        (*to_tag != NOWHERE).then(|| within(to_tag.0)..within(to_tag.1))
    }

    /// Whether To has a tag.
    pub(crate) fn has_to_tag(&self) -> bool {
        self.parts.to_tag != NOWHERE
    }

    /// The number of CSeq.
    pub(crate) fn cseq_number(&self) -> u32 {
        self.parts.cseq_number
    }

    /// The method.
    pub fn method(&self) -> Method<'_> {
        // It is that of CSeq.
        self.parts.method(&self.message)
    }

    /// The Request-URI.
    pub fn uri(&self) -> Uri<'_> {
        let uri = self.message.uri_bytes().unwrap_or_default();
        Uri::parse_again(uri)
    }

    /// Notes where the request came from. The bytes do not change; answers do.
    pub fn stamp_source(&mut self, source: SocketAddr) {
        self.source = Some(source);
    }

    /// Where the request came from, if it was noted.
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }
}

impl Response {
    /// Whether its Via is known to be the only one.
    pub(crate) fn is_one_hop(&self) -> bool {
        self.parts.is_one_hop
    }

    #[inline(always)]
    fn unread(bytes: Bytes) -> Self {
        Self {
            message: Message::unread(bytes),
            parts: Parts::UNREAD,
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.message
            .status_code()
            .unwrap_or(StatusCode::SERVER_INTERNAL_ERROR)
    }

    /// The reason phrase, as it came; it may be empty, and it need not be UTF-8.
    pub fn reason(&self) -> &[u8] {
        self.message.reason_bytes().unwrap_or_default()
    }
}

impl TryFrom<Message> for Request {
    type Error = ParseError;

    /// Fails with the error of [`Message::check`], or `StartLine` for a response.
    fn try_from(message: Message) -> Result<Self, Self::Error> {
        match message.check() {
            Ok(Incoming::Request(request)) => Ok(request),
            Ok(Incoming::Response(_)) => Err(wrong_kind()),
            Err(error) => Err(error),
        }
    }
}

impl TryFrom<Message> for Response {
    type Error = ParseError;

    /// Fails with the error of [`Message::check`], or `StartLine` for a request.
    fn try_from(message: Message) -> Result<Self, Self::Error> {
        match message.check() {
            Ok(Incoming::Response(response)) => Ok(response),
            Ok(Incoming::Request(_)) => Err(wrong_kind()),
            Err(error) => Err(error),
        }
    }
}

fn wrong_kind() -> ParseError {
    ParseError {
        kind: ParseErrorKind::StartLine,
        offset: 0,
        status: None,
        reply: None,
    }
}

/// From and to. What is not there is `NOWHERE`.
pub(super) type Span = (u32, u32);

pub(super) const NOWHERE: Span = (0, 0);

/// Where the essential values are. They follow from the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Parts {
    via: Span,
    /// The same, if it is of the common form.
    plain_via: Option<ViaParts>,
    /// Whether it is known to be the only one.
    is_one_hop: bool,
    branch: Span,
    from: Span,
    from_tag: Span,
    to: Span,
    to_tag: Span,
    call_id: Span,
    cseq: Span,
    cseq_number: u32,
    /// Where its method begins, which is its end.
    cseq_method: u32,
    /// The method of CSeq, if it has a name here.
    known_method: Option<Method<'static>>,
}

impl Parts {
    const UNREAD: Self = Self {
        via: NOWHERE,
        plain_via: None,
        is_one_hop: false,
        branch: NOWHERE,
        from: NOWHERE,
        from_tag: NOWHERE,
        to: NOWHERE,
        to_tag: NOWHERE,
        call_id: NOWHERE,
        cseq: NOWHERE,
        cseq_number: 0,
        cseq_method: 0,
        known_method: None,
    };
}

impl Hash for Parts {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Parts {
    /// Takes what the top Via in this row says, if it is alone there and of the common form.
    #[inline(never)]
    fn take_plain_via(&mut self, whole: &[u8], row: Span) -> bool {
        let text = whole.get(row.0 as usize..).unwrap_or_default();
        let len = row.1.wrapping_sub(row.0) as usize;
        let Some(via) = PlainVia::scan(text, len) else {
            return false;
        };
        self.via = row;
        self.branch = part_of(whole, via.branch);
        self.plain_via = Some(ViaParts::of(&via, whole));
        true
    }
}

/// The typed values are read again from bytes that `check` has read: the fallbacks are never taken.
impl Parts {
    fn text<'m>(&self, message: &'m Message, span: Span) -> Option<&'m str> {
        if span == NOWHERE {
            return None;
        }
        text_in(message.bytes(), span)
    }

    fn bytes<'m>(&self, message: &'m Message, span: Span) -> Option<&'m [u8]> {
        (span != NOWHERE).then(|| value(message, span))
    }

    fn top_via<'m>(&self, message: &'m Message) -> Via<'m> {
        let plain = self.plain_via.and_then(|via| via.via(message.bytes()));
        plain.unwrap_or_else(|| Via::parse(value(message, self.via)).unwrap_or(Via::UNREAD))
    }

    fn cseq_method(&self) -> Span {
        (self.cseq_method, self.cseq.1)
    }

    fn cseq<'m>(&self, message: &'m Message) -> CSeq<'m> {
        CSeq {
            number: self.cseq_number,
            method: self.method(message),
        }
    }

    #[inline]
    fn method<'m>(&self, message: &'m Message) -> Method<'m> {
        match self.known_method {
            Some(method) => method,
            None => Method::parse(value(message, self.cseq_method())).unwrap_or(Method::Other("")),
        }
    }

    fn address<'m>(&self, message: &'m Message, span: Span) -> NameAddr<'m> {
        let raw = value(message, span);
        NameAddr::parse(raw).unwrap_or_else(|_| NameAddr::from_uri(Uri::parse_again(raw)))
    }
}

/// The text of a span.
///
/// Reading text is fast where it is aligned, so that what is around the span is read too, up to
/// there: header lines, and so ASCII as a rule. If it is not, the span is read alone.
#[inline]
fn text_in(whole: &[u8], (from, to): Span) -> Option<&str> {
    const STEP: usize = 16;
    let (from, to) = (from as usize, to as usize);
    // Sums and differences that wrap give ranges that are not there.
    let before = whole.as_ptr().addr().wrapping_add(from) % STEP;
    let start = from.wrapping_sub(before);
    let len = to.wrapping_sub(start).wrapping_add(STEP.wrapping_sub(1)) & STEP.wrapping_neg();
    let around = whole.get(start..start.wrapping_add(len));
    match around.map(core::str::from_utf8) {
        Some(Ok(around)) => around.get(before..to.wrapping_sub(start)),
        Some(Err(_)) | None => core::str::from_utf8(whole.get(from..to)?).ok(),
    }
}

pub(super) type CheckError = (ParseErrorKind, usize);

/// Checks a message that has been read, and fills its parts in.
fn check(message: &Message, limits: &Limits, parts: &mut Parts) -> Result<(), CheckError> {
    let mut survey = Survey::default();
    survey.look_at(message);
    let via = survey.row(Name::Via);
    let is_plain = parts.take_plain_via(message.bytes(), via);
    if is_plain {
        // The common form has no comma that separates.
        survey.sizes.is_one_hop(via);
    }
    bounds::check(message, limits, survey.sizes)?;
    survey.check(message)?;
    if !is_plain {
        (parts.via, parts.branch) = check_via(message, via)?;
    }
    (parts.from, parts.to) = (survey.row(Name::From), survey.row(Name::To));
    parts.from_tag = check_address(message, Name::From, parts.from)?;
    parts.to_tag = check_address(message, Name::To, parts.to)?;
    parts.is_one_hop = is_plain && !survey.is_twice(Name::Via);
    parts.cseq = survey.row(Name::CSeq);
    check_cseq(message, parts)?;
    parts.call_id = survey.row(Name::CallId);
    let (text, len) = front(message, parts.call_id);
    check_call_id(text, len).map_err(in_header(Name::CallId, parts.call_id))?;
    check_request_line(message, parts)
}

/// The number and the method, which is the end of the value.
#[inline]
fn check_cseq(message: &Message, parts: &mut Parts) -> Result<(), CheckError> {
    let row = parts.cseq;
    let (text, len) = front(message, row);
    if let Some((number, method)) = cseq::plain_front(text, len) {
        parts.cseq_number = number;
        parts.cseq_method = span_in(message.bytes(), method).0;
        parts.known_method = Method::of_known(method);
        if parts.known_method.is_some() {
            return Ok(());
        }
    }
    let cseq = CSeq::parse(value(message, row)).map_err(in_header(Name::CSeq, row))?;
    let method_len = cseq.method.as_str().len() as u32;
    parts.cseq_number = cseq.number;
    parts.cseq_method = row.1.wrapping_sub(method_len);
    parts.known_method = cseq.method.known();
    Ok(())
}

/// The tag of an address.
fn check_address(message: &Message, name: Name, row: Span) -> Result<Span, CheckError> {
    let (text, len) = front(message, row);
    let tag = NameAddr::tag_of_front(text, len).map_err(in_header(name, row))?;
    Ok(part_of(message.bytes(), tag))
}

/// Where a part of the whole is, if it is there.
#[inline(always)]
fn part_of(whole: &[u8], part: Option<&[u8]>) -> Span {
    part.map_or(NOWHERE, |part| span_in(whole, part))
}

/// The top Via of the first row, and its branch.
fn check_via(message: &Message, row: Span) -> Result<(Span, Span), CheckError> {
    let first = split_commas(value(message, row)).next().unwrap_or_default();
    let via = range_in(message.bytes(), first).unwrap_or(row);
    let branch = Via::branch_of(first).map_err(in_header(Name::Via, via))?;
    Ok((via, part_of(message.bytes(), branch)))
}

fn check_request_line(message: &Message, parts: &Parts) -> Result<(), CheckError> {
    let StartLine::Request {
        method_end,
        uri_end,
    } = message.start()
    else {
        return Ok(());
    };
    if value(message, parts.cseq_method()) != message.slice(0..method_end) {
        return Err((ParseErrorKind::MethodMismatch, parts.cseq.0 as usize));
    }
    let uri_start = method_end.saturating_add(1);
    let (text, len) = front(message, (uri_start, uri_end));
    Uri::check(text, len).map_err(|error| {
        (
            ParseErrorKind::RequestUri,
            (uri_start as usize).saturating_add(error.offset),
        )
    })
}

/// The text that begins where the span does, and the length of the span.
#[inline]
fn front(message: &Message, (from, to): Span) -> (&[u8], usize) {
    // No span ends before it begins.
    (message.tail_at(from), to.wrapping_sub(from) as usize)
}

fn value(message: &Message, span: Span) -> &[u8] {
    message.slice(span.0..span.1)
}

fn in_header(name: Name, span: Span) -> impl Fn(ValueError) -> CheckError {
    move |error| {
        let at = (span.0 as usize).saturating_add(error.offset);
        (
            ParseErrorKind::Value {
                name,
                kind: error.kind,
            },
            at,
        )
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn text_is_read_alike_wherever_it_stands_and_whatever_is_around() {
        for around in [&b"a"[..], b"\xe9", b"\xc3\xa9", b"\xf0\x9f\x98\x80"] {
            for inner in [
                &b""[..],
                b"tag",
                b"a-longer-tag.of-30-bytes.12345",
                b"\xc3\xa9",
                b"\xa9",
                b"x\xc3",
            ] {
                for before in 0..20 {
                    for after in [0, 1, 2, 5, 40] {
                        let (front, behind) = (around.repeat(before), around.repeat(after));
                        let whole = [&front[..], inner, &behind].concat();
                        let (from, to) = (front.len(), front.len() + inner.len());
                        let text = text_in(&whole, (from as u32, to as u32));
                        assert_eq!(text, core::str::from_utf8(inner).ok());
                    }
                }
            }
        }
        assert_eq!(text_in(b"short", (3, 9)), None);
    }

    use crate::message::{Host, ValueErrorKind};

    const LINES: [&str; 7] = [
        "INVITE sip:bob@biloxi.com SIP/2.0\r\n",
        "Via: SIP/2.0/UDP bigbox3.site3.atlanta.com;branch=z9hG4bK77ef4c, SIP/2.0/UDP pc33\r\n",
        "Max-Forwards: 70\r\n",
        "To: Bob <sip:bob@biloxi.com>\r\n",
        "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n",
        "Call-ID: a84b4c76e66710\r\n",
        "CSeq: 314159 INVITE\r\n",
    ];

    fn checked(lines: &[&str]) -> Result<Incoming, ParseError> {
        parse(
            Bytes::from([&lines.concat(), "\r\n"].concat()),
            &Limits::DEFAULT,
        )
    }

    fn request(lines: &[&str]) -> Request {
        match checked(lines) {
            Ok(Incoming::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// The message with one line replaced.
    fn with(index: usize, line: &str) -> Result<Incoming, ParseError> {
        let mut lines = LINES;
        lines[index] = line;
        checked(&lines)
    }

    fn kind(result: Result<Incoming, ParseError>) -> ParseErrorKind {
        result.unwrap_err().kind
    }

    #[test]
    fn the_essential_values_are_read_once_and_given_back() {
        let request = request(&LINES);
        assert_eq!(request.method(), Method::Invite);
        assert_eq!(request.uri().as_bytes(), b"sip:bob@biloxi.com");
        assert_eq!(
            request.top_via().host(),
            Host::Name("bigbox3.site3.atlanta.com")
        );
        assert_eq!(request.branch(), Some("z9hG4bK77ef4c"));
        assert_eq!(request.call_id(), "a84b4c76e66710");
        assert_eq!(
            request.cseq(),
            CSeq {
                number: 314_159,
                method: Method::Invite
            }
        );
        assert_eq!(request.from_tag(), Some("1928301774"));
        assert_eq!(request.to_tag(), None);
        assert_eq!(request.to().uri().as_bytes(), b"sip:bob@biloxi.com");
        assert_eq!(request.from().display(), Some(&b"Alice"[..]));
        assert_eq!(request.max_forwards(), Some(Ok(70)));
        assert_eq!(request.vias().count(), 2);
    }

    #[test]
    fn a_response_is_read_the_same_way() {
        let mut lines = LINES;
        lines[0] = "SIP/2.0 180 Ringing = \u{43d}\u{43e}\r\n";
        lines[3] = "t: <sip:bob@biloxi.com>;tag=x\r\n";
        let Ok(Incoming::Response(response)) = checked(&lines) else {
            panic!()
        };
        assert_eq!(response.status(), StatusCode::RINGING);
        assert_eq!(response.reason(), "Ringing = \u{43d}\u{43e}".as_bytes());
        assert_eq!(response.to_tag(), Some("x"));
        assert_eq!(response.cseq().method, Method::Invite);
    }

    #[test]
    fn each_essential_header_must_be_there() {
        for (index, name) in [
            (1, Name::Via),
            (3, Name::To),
            (4, Name::From),
            (5, Name::CallId),
            (6, Name::CSeq),
        ] {
            assert_eq!(kind(with(index, "")), ParseErrorKind::Missing(name));
        }
        assert!(with(2, "").is_ok(), "RFC 2543 has no Max-Forwards");
    }

    #[test]
    fn a_header_that_occurs_once_may_not_occur_twice() {
        // 4475-3.3.8-01
        for (index, line) in LINES.iter().enumerate().skip(2) {
            let again = line.repeat(2);
            let error = with(index, &again).unwrap_err();
            let name = Name::parse(line.split(':').next().unwrap().as_bytes());
            assert_eq!(error.kind, ParseErrorKind::Duplicate(name));
            assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
        }
        let mixed = "i: a84b4c76e66710\r\nCall-ID: other\r\n";
        assert_eq!(
            kind(with(5, mixed)),
            ParseErrorKind::Duplicate(Name::CallId)
        );
    }

    #[test]
    fn malformed_values_are_named_with_their_place() {
        for (index, line, name, value_kind) in [
            (
                6,
                "CSeq: 4294967296 INVITE\r\n",
                Name::CSeq,
                ValueErrorKind::Overflow,
            ),
            (
                3,
                "To: \"Bob <sip:bob@biloxi.com>\r\n",
                Name::To,
                ValueErrorKind::Quote,
            ),
            (
                5,
                "Call-ID: two words\r\n",
                Name::CallId,
                ValueErrorKind::Token,
            ),
        ] {
            let error = with(index, line).unwrap_err();
            assert_eq!(
                error.kind,
                ParseErrorKind::Value {
                    name,
                    kind: value_kind
                },
                "{line}"
            );
            let before: usize = LINES[..index].iter().map(|line| line.len()).sum();
            assert!(
                (before..before + line.len()).contains(&error.offset),
                "{line}"
            );
            assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
        }
        let error = with(6, "CSeq: 4294967296 INVITE\r\n").unwrap_err();
        assert!(error.to_string().starts_with("malformed CSeq: number"));
    }

    #[test]
    fn cseq_names_the_method_to_the_letter() {
        // 4475-3.1.2.17-01, 4475-3.1.2.18-01
        for start in ["OPTIONS", "NEWMETHOD", "invite"] {
            let line = alloc::format!("{start} sip:bob@biloxi.com SIP/2.0\r\n");
            let mut lines = LINES;
            lines[0] = &line;
            let error = checked(&lines).unwrap_err();
            assert_eq!(error.kind, ParseErrorKind::MethodMismatch);
            assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
        }
    }

    #[test]
    fn any_scheme_is_a_request_uri_but_brackets_are_not() {
        // 3261-7.1-05, 3261-7.1-06; 4475-3.1.2.7-01
        for uri in [
            "nobodyKnowsThisScheme:totallyopaquecontent",
            "soap.beep://192.0.2.103:3002",
        ] {
            let line = alloc::format!("INVITE {uri} SIP/2.0\r\n");
            let Ok(Incoming::Request(request)) = with(0, &line) else {
                panic!("{uri}")
            };
            assert_eq!(request.uri().as_bytes(), uri.as_bytes());
        }
        let error = with(0, "INVITE <sip:user@example.com> SIP/2.0\r\n").unwrap_err();
        assert_eq!((error.kind, error.offset), (ParseErrorKind::RequestUri, 7));
        assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn the_source_is_an_overlay() {
        let mut request = request(&LINES);
        let before = request.clone();
        request.stamp_source("192.0.2.1:5060".parse().unwrap());
        assert_eq!(request.bytes(), before.bytes());
        assert_ne!(request, before);
        assert_eq!(before.source(), None);
    }

    #[test]
    fn a_folded_value_reads_as_one_line() {
        // 3261-7.3.1-05
        let line = "Via: SIP/2.0/UDP\r\n pc33.atlanta.com\r\n\t;branch=z9hG4bK77ef4c\r\n";
        let Ok(Incoming::Request(request)) = with(1, line) else {
            panic!()
        };
        assert_eq!(request.branch(), Some("z9hG4bK77ef4c"));
        assert_eq!(request.top_via().host(), Host::Name("pc33.atlanta.com"));
    }

    #[test]
    fn try_from_tells_requests_and_responses_apart() {
        let message = request(&LINES).message().clone();
        assert!(Request::try_from(message.clone()).is_ok());
        assert_eq!(
            Response::try_from(message).unwrap_err().kind,
            ParseErrorKind::StartLine
        );
    }
}

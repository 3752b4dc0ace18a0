//! The index of a message: where its parts are. One pass, no copies.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use super::error::{ParseError, ParseErrorKind};
use super::lexer::{self, LexError, Line};
use super::reply::salvage;
use super::start_line::{self, StartLine};
use super::{Name, StatusCode};
use crate::limits::Limits;

/// A message and the index of its parts. Cloning copies the index and shares the bytes.
///
/// The bytes are kept as they came; nothing is normalised. A value that was folded over several
/// lines keeps its line breaks, which the typed parsers read as white space.
///
/// ```
/// use drongo::message::{Message, Name};
///
/// let bytes = b"OPTIONS sip:carol@chicago.example.com SIP/2.0\r\n\
///     v: SIP/2.0/UDP pc33.example.com;branch=z9hG4bKhjhs8ass877\r\n\
///     l: 0\r\n\r\n";
/// let message = Message::parse(bytes.as_slice().into())?;
/// assert!(message.is_request());
/// assert_eq!(message.first(Name::ContentLength), Some(b"0".as_slice()));
/// # Ok::<(), drongo::message::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    start: StartLine,
    headers: SmallVec<[Entry; INLINE_HEADERS]>,
    /// Where the header block ends, its empty line included.
    body: u32,
}

/// One header line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'m> {
    /// Which header it is.
    pub name: Name,
    /// The name as it came.
    pub raw_name: &'m [u8],
    /// The value without white space at its ends; line breaks of folds are still in it.
    pub value: &'m [u8],
}

/// How many headers the index holds without allocating.
pub(crate) const INLINE_HEADERS: usize = 24;

/// Where one header is. Offsets are 32 bits: a message on a stream may exceed 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) start: u32,
    pub(crate) value: u32,
    pub(crate) value_end: u32,
    name_len: u16,
    pub(crate) name: Name,
    pub(crate) folded: bool,
}

impl Message {
    /// Reads a datagram: the bytes are one message, under the default [`Limits`].
    ///
    /// Line breaks before the start line are skipped (RFC 3261 7.5). Content-Length cuts what
    /// follows the body; without it the body runs to the end (18.3).
    ///
    /// # Errors
    ///
    /// [`ParseError`] says what is wrong, where, and what to answer.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        Self::parse_with(bytes, &Limits::DEFAULT)
    }

    /// Reads a datagram under limits of the caller's.
    ///
    /// # Errors
    ///
    /// As [`Message::parse`].
    pub fn parse_with(bytes: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        match Layout::read(&bytes, limits, HeaderPath::Fast) {
            Ok(layout) => Ok(layout.of(bytes)),
            Err((kind, offset)) => Err(salvage(&bytes, kind, offset)),
        }
    }

    /// Reads bytes that this crate wrote: no limits, and no answer if it fails.
    pub(crate) fn parse_own(bytes: &Bytes) -> Option<Self> {
        let limits = Limits {
            message_bytes: usize::MAX,
            start_line_bytes: usize::MAX,
            headers: usize::MAX,
            header_line_bytes: usize::MAX,
            ..Limits::DEFAULT
        };
        let layout = Layout::read(bytes, &limits, HeaderPath::Fast).ok()?;
        Some(layout.of(bytes.clone()))
    }

    /// The message, exactly: no line breaks before it, nothing after its body.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of a request, as it came.
    pub fn method_bytes(&self) -> Option<&[u8]> {
        match &self.start {
            StartLine::Request { method_end, .. } => Some(self.slice(0..*method_end)),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, as it came.
    pub fn uri_bytes(&self) -> Option<&[u8]> {
        self.uri_range().map(|range| self.slice(range))
    }

    /// The status code of a response.
    pub fn status_code(&self) -> Option<StatusCode> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(*status),
        }
    }

    /// The reason phrase of a response, as it came; it may be empty.
    pub fn reason_bytes(&self) -> Option<&[u8]> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Response {
                reason, reason_end, ..
            } => Some(self.slice(*reason..*reason_end)),
        }
    }

    /// The headers in order.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> + ExactSizeIterator {
        self.headers.iter().map(|entry| self.header(entry))
    }

    /// The value of the first row with this name. All unknown headers are [`Name::Other`].
    pub fn first(&self, name: Name) -> Option<&[u8]> {
        self.entry(name).map(|entry| self.value(entry))
    }

    /// The values of all rows with this name, in order. Rows are not split at commas.
    pub fn all(&self, name: Name) -> Rows<'_> {
        Rows {
            message: self,
            entries: self.headers.iter(),
            name,
        }
    }

    /// The values of all rows with this name, known to the crate or not, compared without case.
    pub fn all_named<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m [u8]> {
        let known = Name::parse(name.as_bytes());
        self.headers
            .iter()
            .filter(move |entry| entry.name == known)
            .filter_map(move |entry| {
                let header = self.header(entry);
                (known != Name::Other || header.raw_name.eq_ignore_ascii_case(name.as_bytes()))
                    .then_some(header.value)
            })
    }

    /// How many rows have this name.
    pub fn count(&self, name: Name) -> usize {
        self.headers
            .iter()
            .filter(|entry| entry.name == name)
            .count()
    }

    /// The body, sharing the message's bytes.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body as usize..)
    }

    /// The body.
    pub fn body_slice(&self) -> &[u8] {
        self.bytes.get(self.body as usize..).unwrap_or_default()
    }

    pub(crate) fn uri_range(&self) -> Option<Range<u32>> {
        match &self.start {
            StartLine::Request {
                method_end,
                uri_end,
            } => Some(method_end.saturating_add(1)..*uri_end),
            StartLine::Response { .. } => None,
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.headers
    }

    pub(crate) fn entry(&self, name: Name) -> Option<&Entry> {
        self.headers.iter().find(|entry| entry.name == name)
    }

    /// The start line with its CRLF.
    pub(crate) fn start_line(&self) -> &[u8] {
        let end = self
            .headers
            .first()
            .map_or(self.body.saturating_sub(2), |entry| entry.start);
        self.slice(0..end)
    }

    /// The line of the entry at `index`, with its continuations and CRLF.
    pub(crate) fn entry_line(&self, index: usize) -> &[u8] {
        let Some(entry) = self.headers.get(index) else {
            return &[];
        };
        let next = self.headers.get(index.saturating_add(1));
        let end = next.map_or(self.body.saturating_sub(2), |next| next.start);
        self.slice(entry.start..end)
    }

    pub(crate) fn value(&self, entry: &Entry) -> &[u8] {
        self.slice(entry.value..entry.value_end)
    }

    pub(crate) fn header(&self, entry: &Entry) -> Header<'_> {
        let name_end = entry.start.saturating_add(u32::from(entry.name_len));
        Header {
            name: entry.name,
            raw_name: self.slice(entry.start..name_end),
            value: self.value(entry),
        }
    }

    pub(crate) fn slice(&self, range: Range<u32>) -> &[u8] {
        self.bytes
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }
}

/// The same bytes: the index follows from them.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

/// The text, with what cannot be printed escaped.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.bytes).finish()
    }
}

impl TryFrom<Bytes> for Message {
    type Error = ParseError;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        Self::parse(bytes)
    }
}

/// The values of the rows with one name; see [`Message::all`].
#[derive(Clone, Debug)]
pub struct Rows<'m> {
    message: &'m Message,
    entries: core::slice::Iter<'m, Entry>,
    name: Name,
}

impl<'m> Iterator for Rows<'m> {
    type Item = &'m [u8];

    fn next(&mut self) -> Option<&'m [u8]> {
        let name = self.name;
        self.entries
            .find(|entry| entry.name == name)
            .map(|entry| self.message.value(entry))
    }
}

/// Which reader takes the header block. Tests compare the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeaderPath {
    Fast,
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the tests' side of the comparison")
    )]
    Tolerant,
}

/// Where everything is, before the message owns its bytes.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// Line breaks before the start line. All other offsets count from behind them.
    skipped: usize,
    start: StartLine,
    block: Block,
    /// Where the body ends.
    end: usize,
}

impl Layout {
    /// Finds everything; the offset of an error counts from the start of the given bytes.
    pub(crate) fn read(bytes: &[u8], limits: &Limits, path: HeaderPath) -> Result<Self, LexError> {
        let skipped = bytes
            .iter()
            .take_while(|&&b| matches!(b, b'\r' | b'\n'))
            .count();
        let bytes = bytes.get(skipped..).unwrap_or_default();
        Self::read_message(bytes, limits, path)
            .map(|layout| Self { skipped, ..layout })
            .map_err(|(kind, offset)| (kind, offset.saturating_add(skipped)))
    }

    fn read_message(bytes: &[u8], limits: &Limits, path: HeaderPath) -> Result<Self, LexError> {
        if bytes.is_empty() {
            return Err((ParseErrorKind::Empty, 0));
        }
        let longest = limits.message_bytes.min(u32::MAX as usize);
        if bytes.len() > longest {
            return Err((ParseErrorKind::MessageTooLarge, longest));
        }
        let (start, at) = start_line::parse(bytes, limits.start_line_bytes)?;
        let fast = match path {
            HeaderPath::Fast => read_fast(bytes, at, limits),
            HeaderPath::Tolerant => None,
        };
        let block = fast.map_or_else(|| read_tolerant(bytes, at, limits), Ok)?;
        let available = bytes.len().saturating_sub(block.end);
        let end = match block.content_length {
            Some((length, row)) if length > available => {
                return Err((ParseErrorKind::BodyTruncated, row));
            }
            Some((length, _)) => block.end.saturating_add(length),
            None => bytes.len(),
        };
        Ok(Self {
            skipped: 0,
            start,
            block,
            end,
        })
    }

    fn of(self, mut bytes: Bytes) -> Message {
        bytes.advance(self.skipped);
        bytes.truncate(self.end);
        let body = offset(self.block.end);
        Message {
            bytes,
            start: self.start,
            headers: self.block.headers,
            body,
        }
    }
}

/// What the header block holds.
#[derive(PartialEq, Eq, Debug)]
struct Block {
    headers: SmallVec<[Entry; INLINE_HEADERS]>,
    /// The value of Content-Length, and where it stands.
    content_length: Option<(usize, usize)>,
    /// The first byte after the empty line.
    end: usize,
}

impl Block {
    fn new() -> Self {
        Self {
            headers: SmallVec::new(),
            content_length: None,
            end: 0,
        }
    }

    fn push(
        &mut self,
        bytes: &[u8],
        name: (usize, usize),
        value: (usize, usize),
        folded: bool,
    ) -> Result<(), LexError> {
        let raw_name = bytes.get(name.0..name.1).unwrap_or_default();
        let Ok(name_len) = u16::try_from(raw_name.len()) else {
            return Err((ParseErrorKind::HeaderLineTooLong, name.0));
        };
        let known = Name::parse(raw_name);
        if known == Name::ContentLength {
            self.content_length(bytes.get(value.0..value.1).unwrap_or_default(), value.0)?;
        }
        self.headers.push(Entry {
            start: offset(name.0),
            value: offset(value.0),
            value_end: offset(value.1),
            name_len,
            name: known,
            folded,
        });
        Ok(())
    }

    fn content_length(&mut self, value: &[u8], at: usize) -> Result<(), LexError> {
        let length = decimal(value).ok_or((ParseErrorKind::ContentLength, at))?;
        match self.content_length {
            Some((other, _)) if other != length => Err((ParseErrorKind::ContentLength, at)),
            _ => {
                self.content_length = Some((length, at));
                Ok(())
            }
        }
    }
}

/// How many headers the fast path takes: a larger array costs every message its set-up.
const FAST_HEADERS: usize = 32;

/// Reads the block with `httparse`. `None`: the tolerant lexer must say.
fn read_fast(bytes: &[u8], at: usize, limits: &Limits) -> Option<Block> {
    let block = bytes.get(at..)?;
    let mut parsed = [httparse::EMPTY_HEADER; FAST_HEADERS];
    let Ok(httparse::Status::Complete((length, parsed))) =
        httparse::parse_headers(block, &mut parsed)
    else {
        return None;
    };
    if parsed.len() > limits.headers {
        return None;
    }
    let end = at.checked_add(length)?;
    let base = bytes.as_ptr().addr();
    let mut out = Block::new();
    let mut line = None;
    for header in parsed {
        let start = header.name.as_ptr().addr().checked_sub(base)?;
        let value = header.value.as_ptr().addr().checked_sub(base)?;
        if let Some(line) = line {
            check_line(bytes, line, start, limits)?;
        }
        line = Some(start);
        let name = (start, start.checked_add(header.name.len())?);
        let value = (value, value.checked_add(header.value.len())?);
        out.push(bytes, name, value, false).ok()?;
    }
    let empty_line = end.checked_sub(2)?;
    if bytes.get(empty_line..end) != Some(b"\r\n".as_slice()) {
        return None;
    }
    if let Some(line) = line {
        check_line(bytes, line, empty_line, limits)?;
    }
    out.end = end;
    Some(out)
}

/// `httparse` ends a line at a bare LF too; a CR inside a line it refuses. So a CR in the last
/// place but one means CRLF.
fn check_line(bytes: &[u8], start: usize, next: usize, limits: &Limits) -> Option<()> {
    let crlf = bytes.get(next.checked_sub(2)?) == Some(&b'\r');
    (crlf && next.checked_sub(start)? <= limits.header_line_bytes).then_some(())
}

/// Reads the block with the tolerant lexer.
fn read_tolerant(bytes: &[u8], mut at: usize, limits: &Limits) -> Result<Block, LexError> {
    let mut out = Block::new();
    loop {
        match lexer::line(bytes, at)? {
            Line::End { next } => {
                out.end = next;
                return Ok(out);
            }
            Line::Header(header) => {
                if out.headers.len() >= limits.headers {
                    return Err((ParseErrorKind::TooManyHeaders, at));
                }
                if header.next.saturating_sub(at) > limits.header_line_bytes {
                    return Err((ParseErrorKind::HeaderLineTooLong, at));
                }
                out.push(bytes, header.name, header.value, header.folded)?;
                at = header.next;
            }
        }
    }
}

/// A number of digits alone; `None` if it is not one, or does not fit.
pub(crate) fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |sum, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10)?;
        sum.checked_mul(10)?.checked_add(usize::from(value))
    })
}

/// An offset as the index keeps it; messages are shorter than 4 GiB.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

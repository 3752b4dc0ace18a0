//! The index of a message: where its parts are. One pass, no copies.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;

use bytes::{Buf, Bytes};

use super::error::{ParseError, ParseErrorKind};
use super::header_block::{Block, Entry, HeaderPath, Headers, Names};
use super::lexer::LexError;
use super::list::has_token;
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
    headers: Headers,
    names: Names,
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
        // Where it will be returned: moving an index costs as much as reading a line.
        let mut read = Ok(Self::unread(bytes));
        if let Ok(message) = &mut read
            && let Err((kind, offset)) = message.read(limits)
        {
            read = Err(salvage(&message.bytes, kind, offset));
        }
        read
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
        let mut message = Self::unread(bytes.clone());
        message.read(&limits).ok()?;
        Some(message)
    }

    /// Bytes without an index.
    #[inline(always)]
    pub(super) fn unread(bytes: Bytes) -> Self {
        Self {
            bytes,
            start: StartLine::Request {
                method_end: 0,
                uri_end: 0,
            },
            headers: Headers::new(),
            names: Names::default(),
            body: 0,
        }
    }

    /// Makes the index in its place. After an error the bytes are as they were.
    pub(super) fn read(&mut self, limits: &Limits) -> Result<(), LexError> {
        let layout = Layout::read(&self.bytes, limits, HeaderPath::Fast, &mut self.headers)?;
        self.bytes.advance(layout.skipped);
        self.bytes.truncate(layout.end);
        self.start = layout.start;
        self.names = layout.block.names;
        // The message is shorter than 4 GiB.
        self.body = layout.block.end as u32;
        Ok(())
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
        let entries = match self.names.may_have(name) {
            true => self.entries(),
            false => &[],
        };
        Rows {
            message: self,
            entries: entries.iter(),
            name,
        }
    }

    /// Whether a row with this name lists the token, without regard to case.
    pub(crate) fn lists(&self, name: Name, token: &str) -> bool {
        self.all(name).any(|row| has_token(row, token))
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
        self.all(name).count()
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
        if !self.names.may_have(name) {
            return None;
        }
        self.headers.iter().find(|entry| entry.name == name)
    }

    /// Whether a row may have one of these names; `false` is sure.
    #[inline]
    pub(crate) fn may_have(&self, names: &[Name]) -> bool {
        names.iter().any(|name| self.names.may_have(*name))
    }

    /// Whether a row may be folded; `false` is sure.
    #[inline]
    pub(crate) fn may_be_folded(&self) -> bool {
        self.names.may_be_folded()
    }

    /// The start line with its CRLF.
    pub(crate) fn start_line(&self) -> &[u8] {
        let end = self
            .headers
            .first()
            .map_or(self.body.saturating_sub(2), |entry| entry.start);
        self.slice(0..end)
    }

    /// Where the header lines end and the empty line begins.
    pub(crate) fn headers_end(&self) -> usize {
        self.body.saturating_sub(2) as usize
    }

    /// The header lines, without the empty line.
    pub(crate) fn header_block(&self) -> &[u8] {
        let start = self.headers.first().map_or(self.body, |entry| entry.start);
        self.slice(start..self.body)
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

    /// What begins at the offset, to the end of the message.
    #[inline]
    pub(crate) fn tail_at(&self, at: u32) -> &[u8] {
        self.bytes.get(at as usize..).unwrap_or_default()
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

    pub(crate) fn start(&self) -> StartLine {
        self.start
    }

    #[inline]
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

/// How long the message on a stream is whose header block, with its empty line, is `head`: what
/// [`Message::parse`] will find (18.3). What is wrong with the start line does not matter yet.
pub(crate) fn stream_length(head: &[u8], limits: &Limits) -> Result<usize, LexError> {
    let start_line = memchr::memchr(b'\n', head).map_or(head.len(), |at| at.saturating_add(1));
    let mut headers = Headers::new();
    let block = Block::read(head, start_line, limits, HeaderPath::Fast, &mut headers)?;
    let missing = (ParseErrorKind::Missing(Name::ContentLength), block.end);
    let (body, at) = block.content_length.ok_or(missing)?;
    let length = block.end.saturating_add(body);
    let longest = limits.message_bytes.min(u32::MAX as usize);
    match length > longest {
        true => Err((ParseErrorKind::MessageTooLarge, at)),
        false => Ok(length),
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

/// Where everything but the headers is, before the message owns its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layout {
    /// Line breaks before the start line. All other offsets count from behind them.
    skipped: usize,
    start: StartLine,
    block: Block,
    /// Where the body ends.
    end: usize,
}

impl Layout {
    /// Finds everything; the offset of an error counts from the start line.
    fn read(
        bytes: &[u8],
        limits: &Limits,
        path: HeaderPath,
        headers: &mut Headers,
    ) -> Result<Self, LexError> {
        let skipped = start_line::breaks_before(bytes);
        let bytes = bytes.get(skipped..).unwrap_or_default();
        Ok(Self {
            skipped,
            ..Self::read_message(bytes, limits, path, headers)?
        })
    }

    fn read_message(
        bytes: &[u8],
        limits: &Limits,
        path: HeaderPath,
        headers: &mut Headers,
    ) -> Result<Self, LexError> {
        if bytes.is_empty() {
            return Err((ParseErrorKind::Empty, 0));
        }
        let longest = limits.message_bytes.min(u32::MAX as usize);
        if bytes.len() > longest {
            return Err((ParseErrorKind::MessageTooLarge, longest));
        }
        let (start, at) = start_line::parse(bytes, limits.start_line_bytes)?;
        let block = Block::read(bytes, at, limits, path, headers)?;
        // The block is part of the bytes.
        let available = bytes.len().wrapping_sub(block.end);
        let end = match block.content_length {
            Some((length, row)) if length > available => {
                return Err((ParseErrorKind::BodyTruncated, row));
            }
            Some((length, _)) => block.end.wrapping_add(length),
            None => bytes.len(),
        };
        Ok(Self {
            skipped: 0,
            start,
            block,
            end,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const OPTIONS: &str = "OPTIONS sip:carol@chicago.example.com SIP/2.0\r\n\
        v: SIP/2.0/UDP pc33.example.com;branch=z9hG4bKhjhs8ass877\r\n\
        X-First: 1\r\n\
        Via: SIP/2.0/UDP other.example.com\r\n\
        x-SECOND : 2\r\n\
        Subject: I know\r\n you are there\r\n\
        l: 4\r\n\r\nbody";

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn error(text: &str) -> (ParseErrorKind, usize) {
        let error = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
        (error.kind, error.offset)
    }

    #[test]
    fn headers_come_in_order_under_one_name_whatever_their_form() {
        // 3261-7.3.1-09, 3261-7.3.3-01, 3261-7.3.3-02, 3261-7.3.1-22
        let message = message(OPTIONS);
        let names: Vec<_> = message.headers().map(|h| (h.name, h.raw_name)).collect();
        assert_eq!(
            names,
            [
                (Name::Via, &b"v"[..]),
                (Name::Other, b"X-First"),
                (Name::Via, b"Via"),
                (Name::Other, b"x-SECOND"),
                (Name::Subject, b"Subject"),
                (Name::ContentLength, b"l"),
            ]
        );
        let vias: Vec<_> = message.all(Name::Via).collect();
        assert_eq!(vias[1], b"SIP/2.0/UDP other.example.com");
        assert_eq!((vias.len(), message.count(Name::Via)), (2, 2));
        assert_eq!(
            message.first(Name::Subject),
            Some(&b"I know\r\n you are there"[..])
        );
        assert_eq!(message.all_named("x-second").collect::<Vec<_>>(), [b"2"]);
        assert_eq!(message.all_named("VIA").count(), 2);
        assert_eq!(message.first(Name::To), None);
        assert_eq!(message.body(), "body");
    }

    #[test]
    fn line_breaks_before_the_start_line_are_skipped() {
        // 3261-7.5-01
        let message = message(&format!("\r\n\r\n{OPTIONS}"));
        assert_eq!(message.bytes(), OPTIONS);
        assert_eq!(message.first(Name::ContentLength), Some(&b"4"[..]));
        assert_eq!(error("\r\n\r\n"), (ParseErrorKind::Empty, 0));
        assert_eq!(error(""), (ParseErrorKind::Empty, 0));
        assert_eq!(error("\r\nA B C\r\n\r\n"), (ParseErrorKind::StartLine, 4));
    }

    #[test]
    fn content_length_cuts_what_follows_the_body() {
        // 3261-18.3-01, 3261-18.3-02, 3261-7.5-06
        let message = message(&format!(
            "{OPTIONS}INVITE sip:second@example.com SIP/2.0\r\n"
        ));
        assert_eq!(message.bytes(), OPTIONS);
        assert_eq!(message.body_slice(), b"body");
    }

    #[test]
    fn without_content_length_the_body_runs_to_the_end() {
        // 3261-18.3-05, 3261-7.4-02
        let text = "OPTIONS sip:a@b SIP/2.0\r\nA: b\r\n\r\nbo\0dy\n\r\r\n";
        assert_eq!(message(text).body_slice(), b"bo\0dy\n\r\r\n");
    }

    #[test]
    fn a_body_shorter_than_content_length_is_an_error() {
        let at = OPTIONS.find("4\r\n\r\nbody").unwrap();
        let cut = OPTIONS.strip_suffix("y").unwrap();
        assert_eq!(error(cut), (ParseErrorKind::BodyTruncated, at));
    }

    #[test]
    fn a_datagram_without_an_empty_line_is_malformed() {
        // 3261-7-03
        let text = "OPTIONS sip:a@b SIP/2.0\r\nA: b\r\n";
        assert_eq!(error(text), (ParseErrorKind::Unterminated, text.len()));
        assert_eq!(
            error("OPTIONS sip:a@b SIP/2.0"),
            (ParseErrorKind::Unterminated, 23)
        );
    }

    #[test]
    fn a_fold_right_after_the_start_line_is_malformed() {
        // 3261-7.3.1-06
        assert_eq!(
            error("OPTIONS sip:a@b SIP/2.0\r\n x: y\r\n\r\n"),
            (ParseErrorKind::HeaderName, 26)
        );
    }

    #[test]
    fn bytes_beyond_ascii_change_nothing_else() {
        // A display name in Latin-1.
        let bytes = b"OPTIONS sip:a@b SIP/2.0\r\nFrom: M\xfcller <sip:m@b>\r\nTo: x\r\n\r\n";
        let message = Message::parse(Bytes::from_static(bytes)).unwrap();
        assert_eq!(message.first(Name::From), Some(&b"M\xfcller <sip:m@b>"[..]));
        assert_eq!(message.first(Name::To), Some(&b"x"[..]));
    }

    #[test]
    fn a_message_larger_than_the_limit_is_refused() {
        let limits = Limits {
            message_bytes: OPTIONS.len(),
            ..Limits::DEFAULT
        };
        assert!(Message::parse_with(Bytes::from_static(OPTIONS.as_bytes()), &limits).is_ok());
        let longer = Bytes::from(format!("{OPTIONS}\r\n"));
        let error = Message::parse_with(longer, &limits).unwrap_err();
        assert_eq!(
            (error.kind, error.offset),
            (ParseErrorKind::MessageTooLarge, OPTIONS.len())
        );
    }

    #[test]
    fn what_this_crate_wrote_is_read_whatever_the_limits() {
        let rows = "X: 1\r\n".repeat(Limits::DEFAULT.headers);
        let long = "x".repeat(Limits::DEFAULT.message_bytes);
        let uri = "a".repeat(Limits::DEFAULT.start_line_bytes);
        let text = format!("OPTIONS sip:{uri} SIP/2.0\r\n{rows}Long: {long}\r\n\r\n");
        let own = Message::parse_own(&Bytes::from(text)).unwrap();
        assert_eq!(own.headers().len(), Limits::DEFAULT.headers + 1);
        assert!(Message::parse_own(&Bytes::from_static(b"OPTIONS")).is_none());
    }

    #[test]
    fn a_message_index_weighs_what_it_did() {
        assert_eq!(size_of::<Message>(), 448);
    }

    fn mutated() -> impl Strategy<Value = Vec<u8>> {
        let edit = (
            any::<prop::sample::Index>(),
            0..3_u8,
            prop::sample::select(vec![
                b' ', b'\t', b'\r', b'\n', b':', b';', b',', b'<', b'>', b'"', b'\\', 0, 0x7f,
                0xff, b'9',
            ]),
        );
        prop::collection::vec(edit, 0..6).prop_map(|edits| {
            let mut bytes = OPTIONS.as_bytes().to_vec();
            for (at, what, byte) in edits {
                let at = at.index(bytes.len());
                match what {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_bytes_parse_or_fail_without_panic(
            bytes in prop_oneof![mutated(), prop::collection::vec(any::<u8>(), 0..200)]
        ) {
            match Message::parse(Bytes::from(bytes.clone())) {
                Ok(message) => {
                    for header in message.headers() {
                        prop_assert!(!header.raw_name.is_empty());
                        prop_assert!(message.bytes().len() >= header.value.len());
                    }
                    // Read again, it is the same message.
                    let again = Message::parse(message.bytes().clone()).unwrap();
                    prop_assert_eq!(&again, &message);
                    prop_assert_eq!(again.headers, message.headers.clone());
                    drop(message.check());
                }
                Err(error) => prop_assert!(error.offset <= bytes.len()),
            }
        }

        #[test]
        fn both_header_paths_lay_a_message_out_alike(bytes in mutated()) {
            let read = |path| {
                let mut headers = Headers::new();
                let layout = Layout::read(&bytes, &Limits::DEFAULT, path, &mut headers);
                layout.map(|layout| (layout, headers))
            };
            prop_assert_eq!(read(HeaderPath::Fast), read(HeaderPath::Tolerant));
        }
    }
}

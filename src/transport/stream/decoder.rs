//! Cuts the bytes of a stream into messages (RFC 3261 7.5, 18.3; RFC 5626 3.5.1).

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::limits::Limits;
use crate::message::{ParseError, ParseErrorKind, salvage, stream_length};

/// What a stream holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Frame {
    /// One whole message, from its start line to the end of its body. What is wrong inside it, but
    /// for its length, is for [`parse`](crate::message::parse) to say.
    Message(Bytes),
    /// A second CRLF right after a first, between messages: a ping, which the peer wants answered
    /// with one CRLF (5626 5.4). The first was a [`Frame::Pong`].
    Ping,
    /// One CRLF between messages: a pong (5626 4.4.1), or padding (3261 7.5). Which one it is
    /// cannot wait for what follows: nothing may follow.
    Pong,
}

/// Cuts a stream into messages by their Content-Length. Fed byte by byte it gives what it gives
/// when it is fed whole, and in the same time.
///
/// It is pulled: [`feed`](Self::feed), then [`next`](Self::next) until there is nothing. No copy
/// is made of a message once it is here.
///
/// ```
/// use drongo::limits::Limits;
/// use drongo::transport::stream::{Frame, StreamDecoder};
///
/// let mut decoder = StreamDecoder::new();
/// decoder.feed(b"\r\n\r\nOPTIONS sip:a@example.com SIP/2.0\r\nContent-Length: 2\r\n");
/// let limits = Limits::DEFAULT;
/// assert_eq!(decoder.next(&limits), Some(Ok(Frame::Pong)));
/// assert_eq!(decoder.next(&limits), Some(Ok(Frame::Ping)));
/// assert_eq!(decoder.next(&limits), None);
/// decoder.feed(b"\r\nhi\r\n");
/// assert!(matches!(decoder.next(&limits), Some(Ok(Frame::Message(m))) if m.ends_with(b"hi")));
/// assert_eq!(decoder.next(&limits), Some(Ok(Frame::Pong)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct StreamDecoder {
    buffer: BytesMut,
    progress: Progress,
}

/// How much of what is in the buffer is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Progress {
    /// Between messages; whether a CRLF was the last thing, so that another makes a ping.
    Between { after_pong: bool },
    /// In a header block that does not end before `scanned`.
    Head { scanned: usize },
    /// In a message of this many bytes.
    Body { length: usize },
    /// Nobody knows where the next message begins.
    Lost,
}

impl Default for Progress {
    fn default() -> Self {
        Self::Between { after_pong: false }
    }
}

impl StreamDecoder {
    /// For a new connection. It holds no memory until it is fed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !matches!(self.progress, Progress::Lost) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next thing on the stream; `None` if more must be read first.
    ///
    /// # Errors
    ///
    /// What leaves nobody knowing where the next message begins: a header block that cannot be
    /// read or does not end, a Content-Length that is missing, malformed or contradicts another
    /// (3261 18.3), or a message that is longer than [`Limits::message_bytes`]. The error says what
    /// to answer before the connection is closed. Nothing comes after it.
    pub fn next(&mut self, limits: &Limits) -> Option<Result<Frame, ParseError>> {
        loop {
            match self.progress {
                Progress::Between { after_pong } => {
                    if let Some(frame) = self.between(after_pong)? {
                        return Some(Ok(frame));
                    }
                }
                Progress::Head { scanned } => {
                    if let Err(error) = self.head(scanned, limits)? {
                        self.progress = Progress::Lost;
                        self.buffer = BytesMut::new();
                        return Some(Err(error));
                    }
                }
                Progress::Body { length } if self.buffer.len() < length => return None,
                Progress::Body { length } => {
                    let message = self.buffer.split_to(length).freeze();
                    self.progress = Progress::default();
                    self.release();
                    return Some(Ok(Frame::Message(message)));
                }
                Progress::Lost => return None,
            }
        }
    }

    /// The [`Frame::Pong`] that came last was awaited, so it is not the first half of a ping.
    pub fn took_pong(&mut self) {
        if matches!(self.progress, Progress::Between { .. }) {
            self.progress = Progress::default();
        }
    }

    /// Whether a message has begun and is not here yet.
    pub fn is_within_message(&self) -> bool {
        matches!(self.progress, Progress::Head { .. } | Progress::Body { .. })
    }

    /// Whether an error came: nothing can come any more.
    pub fn is_lost(&self) -> bool {
        matches!(self.progress, Progress::Lost)
    }

    /// Bytes that wait for others.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Line breaks before the start line are no part of a message (7.5). `None` if more is needed,
    /// `Some(None)` if something else begins, or what came means nothing.
    fn between(&mut self, after_pong: bool) -> Option<Option<Frame>> {
        match (self.buffer.first()?, self.buffer.get(1)) {
            (b'\r', None) => None,
            (b'\r', Some(b'\n')) => {
                let _ = self.buffer.split_to(2);
                self.release();
                self.progress = Progress::Between {
                    after_pong: !after_pong,
                };
                Some(Some(match after_pong {
                    true => Frame::Ping,
                    false => Frame::Pong,
                }))
            }
            // Half a line break: padding of a peer that is lax.
            (b'\r' | b'\n', _) => {
                let _ = self.buffer.split_to(1);
                self.release();
                self.progress = Progress::default();
                Some(None)
            }
            (_, _) => {
                self.progress = Progress::Head { scanned: 0 };
                Some(None)
            }
        }
    }

    /// Looks for the empty line. It may come in pieces, so the scan goes back over what a line
    /// break began.
    fn head(&mut self, mut scanned: usize, limits: &Limits) -> Option<Result<(), ParseError>> {
        let end = loop {
            let rest = self.buffer.get(scanned..).unwrap_or_default();
            let Some(at) = memchr(b'\n', rest) else {
                break None;
            };
            let at = scanned.saturating_add(at);
            let before = self.buffer.get(..at).unwrap_or_default();
            scanned = at.saturating_add(1);
            if before.ends_with(b"\n\r") {
                break Some(scanned);
            }
            if before.ends_with(b"\n") {
                // An empty line of a peer that writes no CR: its block would never end.
                return Some(Err(self.error(ParseErrorKind::BareLineBreak, at)));
            }
            if scanned > limits.message_bytes {
                break None;
            }
        };
        let Some(end) = end else {
            if self.buffer.len() > limits.message_bytes {
                let kind = ParseErrorKind::MessageTooLarge;
                return Some(Err(self.error(kind, limits.message_bytes)));
            }
            let scanned = self.buffer.len();
            self.progress = Progress::Head { scanned };
            return None;
        };
        let head = self.buffer.get(..end).unwrap_or_default();
        match stream_length(head, limits) {
            Ok(length) => {
                self.progress = Progress::Body { length };
                Some(Ok(()))
            }
            Err((kind, at)) => Some(Err(self.error(kind, at))),
        }
    }

    /// What to answer, out of what is here.
    fn error(&self, kind: ParseErrorKind, at: usize) -> ParseError {
        salvage(&self.buffer, kind, at)
    }

    /// An idle connection holds no memory.
    fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }
}

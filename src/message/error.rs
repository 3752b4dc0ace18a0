//! Why bytes are not a message, and what to answer.

use alloc::boxed::Box;
use core::fmt;

use super::{Name, Reply, StatusCode, ValueErrorKind};

/// Why bytes are not a SIP message, where, and what it takes to answer.
///
/// If `status` and `reply` are both there, the sender is owed that response:
/// `reply.write(status, …)`. Stamp the source first ([`Reply::stamp_source`]).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, in bytes from the first one of the start line.
    pub offset: usize,
    /// The response to send. `None` for what is not answered: responses, ACK, noise.
    pub status: Option<StatusCode>,
    /// What of the request is needed to answer it, if Via, From, To, Call-ID and CSeq were there.
    pub reply: Option<Box<Reply>>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for ParseError {}

/// What is wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but line breaks, or nothing at all: a keep-alive.
    #[error("no message")]
    Empty,
    /// Longer than `Limits::message_bytes`.
    #[error("the message is too large")]
    MessageTooLarge,
    /// Longer than `Limits::start_line_bytes`.
    #[error("the start line is too long")]
    StartLineTooLong,
    /// Longer than `Limits::header_line_bytes`.
    #[error("a header line is too long")]
    HeaderLineTooLong,
    /// More than `Limits::headers`.
    #[error("too many header lines")]
    TooManyHeaders,
    /// Not `Method SP Request-URI SP SIP-Version`, nor `SIP-Version SP Status-Code SP Reason`.
    #[error("malformed start line")]
    StartLine,
    /// The Request-URI is not a URI.
    #[error("malformed Request-URI")]
    RequestUri,
    /// The version is not SIP/2.0.
    #[error("not version SIP/2.0")]
    Version,
    /// The status code is not three digits from 100 to 699.
    #[error("malformed status code")]
    StatusCode,
    /// A header line does not start with a name and a colon.
    #[error("a header line without name and colon")]
    HeaderName,
    /// CR or LF alone inside the start line or the header block.
    #[error("a bare CR or LF")]
    BareLineBreak,
    /// No empty line after the headers.
    #[error("no empty line after the headers")]
    Unterminated,
    /// Content-Length is not a number, or two rows contradict each other.
    #[error("malformed Content-Length")]
    ContentLength,
    /// Content-Length is larger than what is there.
    #[error("the body is shorter than Content-Length")]
    BodyTruncated,
    /// A header that every message has is missing.
    #[error("{0} is missing")]
    Missing(Name),
    /// A header that occurs at most once occurs again.
    #[error("{0} occurs more than once")]
    Duplicate(Name),
    /// A list has more values than `Limits::list_items`, or Via more than `Limits::via_hops`.
    #[error("{0} has too many values")]
    TooManyValues(Name),
    /// The value of a header that every message has is malformed, or one of any header exceeds
    /// `Limits::params` or `Limits::nesting`.
    #[error("malformed {name}: {kind}")]
    Value {
        /// Which header.
        name: Name,
        /// What is wrong with its value.
        kind: ValueErrorKind,
    },
    /// The method in CSeq is not that of the request line.
    #[error("CSeq names another method than the request line")]
    MethodMismatch,
}

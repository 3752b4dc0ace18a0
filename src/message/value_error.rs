//! Why the value of a header is not well-formed.

/// A header value that cannot be read: what is wrong, and where.
///
/// ```
/// use drongo::message::{CSeq, ValueErrorKind};
///
/// let error = CSeq::parse(b"4294967296 INVITE").unwrap_err();
/// assert_eq!(error.kind, ValueErrorKind::Overflow);
/// assert_eq!(error.offset, 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[error("{kind} at byte {offset} of the value")]
pub struct ValueError {
    /// What is wrong.
    pub kind: ValueErrorKind,
    /// Where, in bytes from the start of the value that was given to the parser.
    pub offset: usize,
}

impl ValueError {
    pub(crate) const fn new(kind: ValueErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The same error seen from a value in which this one starts at `base`.
    pub(crate) const fn shifted(self, base: usize) -> Self {
        Self {
            kind: self.kind,
            offset: self.offset.saturating_add(base),
        }
    }
}

/// What is wrong with a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// Nothing is there, and something must be.
    #[error("empty value")]
    Empty,
    /// A token was expected (3261 25.1).
    #[error("not a token")]
    Token,
    /// Digits were expected.
    #[error("not a number")]
    Number,
    /// A number is larger than the header allows.
    #[error("number out of range")]
    Overflow,
    /// Neither a host name nor an IP address.
    #[error("malformed host")]
    Host,
    /// A port is not a number up to 65,535.
    #[error("malformed port")]
    Port,
    /// A URI has no scheme.
    #[error("missing or malformed URI scheme")]
    Scheme,
    /// A byte that a URI cannot hold there, white space for example.
    #[error("byte not allowed in a URI")]
    UriByte,
    /// The user part is empty although there is an `@`.
    #[error("empty user part")]
    User,
    /// A `%` without two hexadecimal digits.
    #[error("malformed escape")]
    Escape,
    /// `sips` with `transport=udp`, which cannot be secure (3261 19.1.1).
    #[error("a sips URI over UDP")]
    InsecureTransport,
    /// A telephone number without digits, or a local one without its context (3966 3).
    #[error("malformed telephone number")]
    Telephone,
    /// A quoted string without end, or with a line break inside.
    #[error("malformed quoted string")]
    Quote,
    /// A comment without end.
    #[error("malformed comment")]
    Comment,
    /// A `<` without its `>`.
    #[error("missing closing angle bracket")]
    Angle,
    /// A display name with bytes that need quotes.
    #[error("malformed display name")]
    DisplayName,
    /// A parameter without a name, or with `=` and no value.
    #[error("malformed parameter")]
    Param,
    /// A parameter that may be there once is there twice (3261 7.3.1).
    #[error("duplicate parameter")]
    DuplicateParam,
    /// More parameters than [`MAX_PARAMS`](super::MAX_PARAMS).
    #[error("too many parameters")]
    TooManyParams,
    /// Comments or bodies nest deeper than [`Limits::nesting`](crate::limits::Limits::nesting).
    #[error("nested too deeply")]
    TooDeep,
    /// Not a date of the one form that SIP has, or not in GMT (3261 20.17).
    #[error("malformed date")]
    Date,
    /// Something follows the end of the value, or stands where a separator belongs.
    #[error("unexpected byte")]
    Unexpected,
}

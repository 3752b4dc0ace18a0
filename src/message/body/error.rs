//! Why a body is not what its type says.

use super::super::ValueErrorKind;

/// A body that cannot be read: what is wrong, and where.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[error("{kind} at byte {offset} of the body")]
pub struct BodyError {
    /// What is wrong.
    pub kind: BodyErrorKind,
    /// Where, in bytes from the start of the body that was given to the reader. In a part of a
    /// part, from the start of that part.
    pub offset: usize,
}

/// What is wrong with a body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyErrorKind {
    /// A multipart type without a `boundary`, or with one that cannot be: longer than 70 bytes,
    /// empty, or with bytes that it cannot hold (2046 5.1.1).
    #[error("missing or malformed boundary")]
    Boundary,
    /// The boundary is nowhere in the body.
    #[error("no part")]
    NoPart,
    /// The last part has no boundary behind it.
    #[error("the last part is not closed")]
    Unclosed,
    /// A header line of a part or a fragment without a name and a colon.
    #[error("a header line without name and colon")]
    Field,
    /// A start line that is none.
    #[error("malformed start line")]
    StartLine,
    /// The value of a header of a part or a fragment is malformed.
    #[error("malformed header: {0}")]
    Value(ValueErrorKind),
    /// A fragment has a body and does not say of what type.
    #[error("a body without Content-Type")]
    Untyped,
    /// Content-Length is larger than what is there.
    #[error("the body is shorter than Content-Length")]
    Truncated,
    /// Parts in parts, deeper than `Limits::nesting`.
    #[error("parts nest too deeply")]
    TooDeep,
}

impl BodyError {
    pub(crate) const fn new(kind: BodyErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

//! What names a transaction, a side of a dialog, or a call.

use core::fmt;

use super::print::{Pieces, writes};

/// A branch, a tag or a Call-ID, as it came: it has been read, and is visible ASCII.
///
/// Such values are compared, hashed and passed on far more often than they are looked at, and all of
/// that is done with the bytes. Two are equal if their bytes are. A Call-ID compares so by RFC 3261
/// 20.8; branches and tags are tokens, whose case does not count (7.3.1), but whoever makes one gets
/// it back as it was: compare with [`same_token`](Self::same_token) where a peer may have changed it.
///
/// ```
/// use drongo::message::Message;
///
/// let text = "BYE sip:a@b SIP/2.0\r\nFrom: <sip:c@d>;tag=a6C\r\n\r\n";
/// let message = Message::parse(text.into())?;
/// let tag = message.from_tag().unwrap().unwrap();
/// assert_eq!((tag.as_str(), tag.as_bytes()), ("a6C", &b"a6C"[..]));
/// assert!(tag == "a6C" && tag.same_token("A6c"));
/// # Ok::<(), drongo::message::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<'a> {
    /// ASCII.
    bytes: &'a [u8],
}

impl<'a> Id<'a> {
    /// What has been read and found to be ASCII.
    #[inline]
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The text.
    pub const fn as_str(&self) -> &'a str {
        match core::str::from_utf8(self.bytes) {
            Ok(text) => text,
            // It is ASCII.
            Err(_) => "",
        }
    }

    /// Whether both are the same token: case does not count.
    pub fn same_token(&self, other: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(other.as_bytes())
    }
}

impl PartialEq<str> for Id<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for Id<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl Pieces for Id<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.bytes);
    }
}

writes!(Id<'_>);

impl fmt::Debug for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

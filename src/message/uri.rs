//! URIs of any scheme.

use alloc::boxed::Box;
use core::fmt;

use super::print::{Pieces, writes};
use super::scan::{ascii, is_visible};
use super::sip_uri::SipUri;
use super::tel_uri::TelUri;
use super::value_error::{ValueError, ValueErrorKind};

/// A URI, borrowed from a message.
///
/// Equality and hash are over the bytes. Whether two URIs mean the same is the question of
/// [`equivalent`](Self::equivalent), which is not transitive and so cannot be `Eq`.
///
/// ```
/// use drongo::message::Uri;
///
/// let a = Uri::parse(b"sip:%61lice@atlanta.com;transport=TCP").unwrap();
/// let b = Uri::parse(b"sip:alice@AtLanTa.CoM;Transport=tcp").unwrap();
/// assert!(a != b && a.equivalent(&b));
/// assert!(Uri::parse(b"<sip:alice@atlanta.com>").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:`.
    Tel(TelUri<'a>),
    /// Any other scheme, kept as it came.
    Other(OtherUri<'a>),
}

impl<'a> Uri<'a> {
    /// Reads a whole URI.
    ///
    /// # Errors
    ///
    /// [`Scheme`](ValueErrorKind::Scheme) if it does not begin with a scheme,
    /// [`UriByte`](ValueErrorKind::UriByte) if white space, a control character, a quote or an
    /// angle bracket is in it, or what is wrong with a `sip:`, `sips:` or `tel:` URI.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let colon = memchr::memchr(b':', raw).unwrap_or(raw.len());
        let (scheme, rest) = raw.split_at_checked(colon).unwrap_or((raw, &[]));
        let scheme_error = ValueError::new(ValueErrorKind::Scheme, 0);
        let scheme = ascii(scheme).filter(|s| is_scheme(s)).ok_or(scheme_error)?;
        let rest = rest.get(1..).ok_or(scheme_error)?;
        if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
            return SipUri::parse(raw).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case("tel") {
            return TelUri::parse(raw).map(Self::Tel);
        }
        let bad = |b: &u8| !is_visible(*b) || matches!(b, b'<' | b'>' | b'"');
        if rest.is_empty() {
            return Err(ValueError::new(ValueErrorKind::Empty, raw.len()));
        }
        match raw.iter().position(bad) {
            Some(at) => Err(ValueError::new(ValueErrorKind::UriByte, at)),
            None => Ok(Self::Other(OtherUri { raw, scheme })),
        }
    }

    /// Reads bytes that were a URI when they were read before, so the fallback is never taken.
    pub(crate) fn parse_again(raw: &'a [u8]) -> Self {
        Self::parse(raw).unwrap_or(Self::Other(OtherUri { raw, scheme: "" }))
    }

    /// The whole URI as it came.
    pub const fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Sip(uri) => uri.as_bytes(),
            Self::Tel(uri) => uri.as_bytes(),
            Self::Other(uri) => uri.as_bytes(),
        }
    }

    /// The `sip:` or `sips:` URI, if it is one.
    pub const fn as_sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other(_) => None,
        }
    }

    /// Whether both mean the same: by 3261 19.1.4 for `sip:` and `sips:`, by 3966 4 for `tel:`,
    /// and byte for byte after the scheme for others.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(a), Uri::Sip(b)) => a.equivalent(b),
            (Self::Tel(a), Uri::Tel(b)) => a.equivalent(b),
            (Self::Other(a), Uri::Other(b)) => {
                a.scheme.eq_ignore_ascii_case(b.scheme) && a.rest() == b.rest()
            }
            (Self::Sip(_) | Self::Tel(_) | Self::Other(_), _) => false,
        }
    }

    /// A copy that owns its bytes.
    pub fn to_buf(&self) -> UriBuf {
        UriBuf {
            raw: self.as_bytes().into(),
        }
    }
}

impl Pieces for Uri<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.as_bytes());
    }
}

writes!(Uri<'_>);

/// A URI of a scheme that this crate does not read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OtherUri<'a> {
    raw: &'a [u8],
    scheme: &'a str,
}

impl<'a> OtherUri<'a> {
    /// The whole URI as it came.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The scheme as it came. Schemes compare without case.
    pub const fn scheme(&self) -> &'a str {
        self.scheme
    }

    fn rest(&self) -> &'a [u8] {
        self.raw.get(self.scheme.len()..).unwrap_or(&[])
    }
}

impl fmt::Debug for OtherUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherUri({})", self.raw.escape_ascii())
    }
}

/// A URI that owns its bytes, in one allocation of exactly their length.
///
/// Equality, order and hash are over the bytes.
///
/// ```
/// use drongo::message::UriBuf;
///
/// let uri: UriBuf = "sip:bob@biloxi.com".parse().unwrap();
/// assert_eq!(uri.to_string(), "sip:bob@biloxi.com");
/// assert!(uri.as_uri().as_sip().is_some());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UriBuf {
    raw: Box<[u8]>,
}

impl UriBuf {
    /// Copies a URI, if it is well-formed.
    ///
    /// # Errors
    ///
    /// As [`Uri::parse`].
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, ValueError> {
        Uri::parse(raw.as_ref()).map(|uri| uri.to_buf())
    }

    /// The URI, read again from the bytes.
    pub fn as_uri(&self) -> Uri<'_> {
        Uri::parse_again(&self.raw)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.raw
    }
}

impl core::str::FromStr for UriBuf {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl From<Uri<'_>> for UriBuf {
    fn from(uri: Uri<'_>) -> Self {
        uri.to_buf()
    }
}

impl Pieces for UriBuf {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(&self.raw);
    }
}

writes!(UriBuf);

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UriBuf({})", self.raw.escape_ascii())
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

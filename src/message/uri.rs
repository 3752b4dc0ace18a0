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
        let starts = |scheme: &[u8]| {
            raw.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if let Some(uri) = SipUri::plain(raw) {
            return Ok(Self::Sip(uri));
        }
        if starts(b"sip:") || starts(b"sips:") {
            return SipUri::parse(raw).map(Self::Sip);
        }
        if starts(b"tel:") {
            return TelUri::parse(raw).map(Self::Tel);
        }
        OtherUri::parse(raw).map(Self::Other)
    }

    /// Whether [`parse`](Self::parse) fails for the front of the text, of that length, and how.
    pub(crate) fn check(text: &[u8], len: usize) -> Result<(), ValueError> {
        if SipUri::is_plain(text, len) {
            return Ok(());
        }
        Uri::parse(text.get(..len).unwrap_or(text)).map(|_| ())
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
    fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let colon = memchr::memchr(b':', raw).unwrap_or(raw.len());
        let (scheme, rest) = raw.split_at_checked(colon).unwrap_or((raw, &[]));
        let scheme = ascii(scheme).filter(|scheme| is_scheme(scheme) && !rest.is_empty());
        let scheme = scheme.ok_or(ValueError::new(ValueErrorKind::Scheme, 0))?;
        if rest == b":" {
            return Err(ValueError::new(ValueErrorKind::Empty, raw.len()));
        }
        let bad = |b: &u8| !is_visible(*b) || matches!(b, b'<' | b'>' | b'"');
        match raw.iter().position(bad) {
            Some(at) => Err(ValueError::new(ValueErrorKind::UriByte, at)),
            None => Ok(Self { raw, scheme }),
        }
    }

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

impl Pieces for OtherUri<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.raw);
    }
}

writes!(OtherUri<'_>);

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

    /// Keeps bytes that are a URI by the way they were made.
    pub(crate) fn from_checked(raw: Box<[u8]>) -> Self {
        Self { raw }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ValueErrorKind {
        Uri::parse(text.as_bytes()).expect_err(text).kind
    }

    /// Requirement, one URI, another, and whether they are equivalent.
    const PAIRS: [(&str, &str, &str, bool); 44] = [
        (
            "3261-19.1.4-01",
            "sip:alice@atlanta.com",
            "sips:alice@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-02",
            "SIP:alice@atlanta.com",
            "sip:alice@atlanta.com",
            true,
        ),
        (
            "3261-19.1.4-03",
            "sip:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
            false,
        ),
        (
            "3261-19.1.4-04",
            "sip:alice:Secret@atlanta.com",
            "sip:alice:secret@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-05",
            "sip:+358-555-1234567;postd=pp22@foo.com;user=phone",
            "sip:+358-555-1234567;POSTD=PP22@foo.com;user=phone",
            false,
        ),
        (
            "3261-19.1.4-06",
            "sip:+358-555-1234567;postd=pp22;isub=1411@foo.com;user=phone",
            "sip:+358-555-1234567;isub=1411;postd=pp22@foo.com;user=phone",
            false,
        ),
        (
            "3261-19.1.4-07",
            "sip:+1-212-555-1212@gateway.com",
            "sip:+12125551212@gateway.com",
            false,
        ),
        (
            "3261-19.1.4-08",
            "sip:bob@Biloxi.COM",
            "sip:bob@biloxi.com",
            true,
        ),
        (
            "3261-19.1.4-09",
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
            true,
        ),
        (
            "3261-19.1.4-10",
            "sip:user%3Bx@atlanta.com",
            "sip:user;x@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-11",
            "sip:user%3bx@atlanta.com",
            "sip:user%3Bx@atlanta.com",
            true,
        ),
        (
            "3261-19.1.4-12",
            "sip:%41lice@atlanta.com",
            "sip:alice@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-13",
            "sip:a.com;tt%6C=1",
            "sip:a.com;ttl=1",
            true,
        ),
        (
            "3261-19.1.4-14",
            "sip:a%2541@atlanta.com",
            "sip:aA@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-15",
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            true,
        ),
        (
            "3261-19.1.4-16",
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            true,
        ),
        (
            "3261-19.1.4-17",
            "sip:bob@phone21.boxesbybob.com",
            "sip:bob@192.0.2.4",
            false,
        ),
        (
            "3261-19.1.4-18",
            "sip:biloxi.com",
            "sip:bob@biloxi.com",
            false,
        ),
        (
            "3261-19.1.4-19",
            "sip:alice:pw@atlanta.com",
            "sip:alice@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-20",
            "sip:alice:@atlanta.com",
            "sip:alice@atlanta.com",
            false,
        ),
        (
            "3261-19.1.4-21",
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:5060",
            false,
        ),
        (
            "3261-19.1.4-22",
            "sip:bob@biloxi.com:5060",
            "sip:bob@biloxi.com:5070",
            false,
        ),
        (
            "3261-19.1.4-23",
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com;transport=udp",
            false,
        ),
        (
            "3261-19.1.4-24",
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
            false,
        ),
        (
            "3261-19.1.4-25",
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
            false,
        ),
        (
            "3261-19.1.4-26",
            "sip:+12125551212@gateway.com",
            "sip:+12125551212@gateway.com;user=phone",
            false,
        ),
        (
            "3261-19.1.4-27",
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com;user=ip",
            false,
        ),
        (
            "3261-19.1.4-28",
            "sip:bob@biloxi.com;maddr=239.255.255.1",
            "sip:bob@biloxi.com;maddr=239.255.255.1;ttl=1",
            false,
        ),
        (
            "3261-19.1.4-29",
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com;method=INVITE",
            false,
        ),
        (
            "3261-19.1.4-30",
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com;maddr=192.0.2.1",
            false,
        ),
        (
            "3261-19.1.4-31",
            "sip:carol@chicago.com",
            "sip:carol@chicago.com;newparam=5",
            true,
        ),
        (
            "3261-19.1.4-32",
            "sip:carol@chicago.com",
            "sip:carol@chicago.com;security=on",
            true,
        ),
        (
            "3261-19.1.4-33",
            "sip:carol@chicago.com;newparam=5",
            "sip:carol@chicago.com;security=on",
            true,
        ),
        (
            "3261-19.1.4-34",
            "sip:proxy.example.com;lr",
            "sip:proxy.example.com",
            true,
        ),
        (
            "3261-19.1.4-35",
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
            false,
        ),
        (
            "3261-19.1.4-36",
            "sip:carol@chicago.com?Subject=a",
            "sip:carol@chicago.com?Subject=b",
            false,
        ),
        (
            "5954-4.2-01",
            "sip:bob@[::ffff:192.0.2.128]",
            "sip:bob@[::ffff:c000:280]",
            true,
        ),
        (
            "5954-4.2-02",
            "sip:bob@[2001:db8::9:1]",
            "sip:bob@[2001:db8::9:01]",
            true,
        ),
        (
            "5954-4.2-03",
            "sip:bob@[0:0:0:0:0:FFFF:129.144.52.38]",
            "sip:bob@[::FFFF:129.144.52.38]",
            true,
        ),
        (
            "5954-4.2-04",
            "sip:bob@[::ffff:192.0.2.128]",
            "sip:bob@192.0.2.128",
            false,
        ),
        ("3966-4-02", "tel:+1-201-555-0123", "tel:+12015550123", true),
        (
            "3966-4-03",
            "tel:+358-555-1234567;postd=pp22",
            "tel:+358-555-1234567;POSTD=PP22",
            true,
        ),
        ("3966-4-04", "tel:+1;b=1;a=2", "tel:+1;a=2;b=1", true),
        (
            "3966-4-05",
            "tel:+12015550123",
            "tel:+12015550123;tsp=a.b",
            false,
        ),
    ];

    #[test]
    fn the_pairs_of_the_requirements_compare_as_they_say() {
        for (id, a, b, equal) in PAIRS {
            let (x, y) = (
                Uri::parse(a.as_bytes()).unwrap(),
                Uri::parse(b.as_bytes()).unwrap(),
            );
            assert_eq!(x.equivalent(&y), equal, "{id}: {a} {b}");
            assert_eq!(y.equivalent(&x), equal, "{id}: {b} {a}");
            assert!(x.equivalent(&x) && y.equivalent(&y), "{id}: not reflexive");
        }
    }

    #[test]
    fn equality_is_of_bytes_because_equivalence_is_not_transitive() {
        // 3261-19.1.4-37
        let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
        let (plain, on, off) = (uri("sip:a@b"), uri("sip:a@b;s=on"), uri("sip:a@b;s=off"));
        assert!(plain.equivalent(&on) && plain.equivalent(&off) && !on.equivalent(&off));
        assert_ne!(plain, on);
        assert_eq!(on, uri("sip:a@b;s=on"));
    }

    #[test]
    fn unknown_schemes_are_kept_as_they_came() {
        // 3261-7.1-06, 3261-25.1-43
        for text in [
            "nobodyKnowsThisScheme:totallyopaquecontent",
            "soap.beep://192.0.2.103:3002",
            "isbn:2983792873",
            "http://www.example.com",
            "urn:service:sos",
        ] {
            let uri = Uri::parse(text.as_bytes()).unwrap();
            assert!(matches!(uri, Uri::Other(_)), "{text}");
            assert_eq!(uri.to_string(), text);
        }
        let upper = Uri::parse(b"URN:service:sos").unwrap();
        assert!(upper.equivalent(&Uri::parse(b"urn:service:sos").unwrap()));
        assert!(!upper.equivalent(&Uri::parse(b"urn:SERVICE:sos").unwrap()));
    }

    #[test]
    fn white_space_control_bytes_and_brackets_are_refused() {
        // 3261-7.1-04, 3261-7.1-05, 3261-19.1.2-02, 3261-25.1-08
        assert_eq!(kind("<sip:user@example.com>"), ValueErrorKind::Scheme);
        for text in [
            "sip:user@example.com; lr",
            "sip:user@example.com;lr ",
            " sip:user@example.com",
            "sip: user@example.com",
            "sip:us er@example.com",
            "sip:user@exam\tple.com",
            "sip:user@example.com\r\n",
            "sip:user@example.com?a=b c",
            "sip:\0@example.com",
            "tel:+1 201",
            "urn:a b",
            "urn:a\x7fb",
            "urn:<b>",
        ] {
            assert!(Uri::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_scheme_is_needed() {
        for text in ["", "sip", "alice@atlanta.com", ":x", "1a:x", "s ip:x"] {
            assert_eq!(kind(text), ValueErrorKind::Scheme, "{text:?}");
        }
        assert_eq!(kind("urn:"), ValueErrorKind::Empty);
    }

    #[test]
    fn a_copy_says_what_the_original_said() {
        for text in [
            "sip:%00@host5.example.com",
            "tel:+358-555-1234567;postd=pp22",
            "urn:a:b",
        ] {
            let copy = UriBuf::parse(text).unwrap();
            assert_eq!(copy.as_uri(), Uri::parse(text.as_bytes()).unwrap());
            assert_eq!(copy.to_string(), text);
        }
        assert!(UriBuf::parse("sip:").is_err());
    }

    #[test]
    fn escaped_nuls_make_different_bindings() {
        let one = Uri::parse(b"sip:%00@host5.example.com").unwrap();
        let two = Uri::parse(b"sip:%00%00@host5.example.com").unwrap();
        assert!(!one.equivalent(&two));
    }
}

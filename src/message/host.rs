//! Hosts and ports.

use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::put;
use super::scan::{ascii, digits, trim};
use super::value_error::{ValueError, ValueErrorKind};

/// A host: a name or an IP address (3261 25.1, as corrected by 5954).
///
/// Names compare without case and addresses by their bits, so `[2001:DB8::9:01]` equals
/// `[2001:db8::9:1]`. An IPv4-mapped IPv6 address does not equal the IPv4 address.
///
/// ```
/// use drongo::message::Host;
///
/// assert_eq!(Host::parse(b"Atlanta.COM"), Host::parse(b"atlanta.com"));
/// let (host, port) = Host::parse_with_port(b"[2001:db8::1]:5070").unwrap();
/// assert_eq!(host.to_string(), "[2001:db8::1]");
/// assert_eq!(port, Some(5070));
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the grammar has these three forms and no other"
)]
pub enum Host<'a> {
    /// A host name. Underscores are accepted, because they are in use.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host without a port. An IPv6 address may have brackets or not, because `received`
    /// comes both ways (5118 4.5).
    ///
    /// # Errors
    ///
    /// [`Host`](ValueErrorKind::Host), or [`Empty`](ValueErrorKind::Empty).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ValueError> {
        if let Some(text) = ascii(bytes)
            && text.contains(':')
            && let Ok(address) = text.parse()
        {
            return Ok(Self::V6(address));
        }
        Self::parse_bracketed(bytes)
    }

    /// Reads `host [":" port]`. An IPv6 address must have brackets: without them, its end could be
    /// taken for a port (5118 4.2). White space around the colon is accepted (3261 20.42).
    ///
    /// # Errors
    ///
    /// [`Host`](ValueErrorKind::Host), [`Port`](ValueErrorKind::Port) or
    /// [`Empty`](ValueErrorKind::Empty).
    pub fn parse_with_port(bytes: &'a [u8]) -> Result<(Self, Option<u16>), ValueError> {
        // The colon of a port comes after the bracket, or is the only one.
        let from = memchr::memchr(b']', bytes).unwrap_or(0);
        let colon = bytes
            .get(from..)
            .and_then(|tail| memchr::memchr(b':', tail))
            .map(|at| at.saturating_add(from));
        let Some(colon) = colon else {
            return Ok((Self::parse_bracketed(trim(bytes))?, None));
        };
        let (host, port) = bytes.split_at_checked(colon).unwrap_or((bytes, &[]));
        let port = trim(port.get(1..).unwrap_or(&[]));
        let host = Self::parse_bracketed(trim(host))?;
        let port = digits(port).ok().and_then(|port| u16::try_from(port).ok());
        match port {
            Some(port) => Ok((host, Some(port))),
            None => Err(ValueError::new(ValueErrorKind::Port, colon)),
        }
    }

    /// The address, if the host is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match *self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(address)),
            Self::V6(address) => Some(IpAddr::V6(address)),
        }
    }

    fn parse_bracketed(bytes: &'a [u8]) -> Result<Self, ValueError> {
        if bytes.is_empty() {
            return Err(ValueError::new(ValueErrorKind::Empty, 0));
        }
        let error = ValueError::new(ValueErrorKind::Host, 0);
        let text = ascii(bytes).ok_or(error)?;
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(error)?;
            return inner.parse().map(Self::V6).map_err(|_| error);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        if is_name(text) {
            Ok(Self::Name(text))
        } else {
            Err(error)
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a), Self::V6(b)) => a == b,
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => false,
        }
    }
}

impl Eq for Host<'_> {}

impl Hash for Host<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Name(name) => {
                for b in name.bytes() {
                    state.write_u8(b.to_ascii_lowercase());
                }
                state.write_u8(0xff);
            }
            Self::V4(address) => address.hash(state),
            Self::V6(address) => address.hash(state),
        }
    }
}

/// As it stands in a URI or a Via: IPv6 in brackets and in the form of RFC 5952.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => fmt::Display::fmt(address, f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl Host<'_> {
    /// Adds its text.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Name(name) => out.extend_from_slice(name.as_bytes()),
            Self::V4(address) => put::ipv4(out, *address),
            Self::V6(address) => {
                out.extend_from_slice(alloc::format!("[{address}]").as_bytes());
            }
        }
    }
}

/// Labels of letters, digits, underscores and inner hyphens; one trailing dot. The last label may
/// begin with a digit, as the names of containers do, but not consist of digits: `1.2.3` and
/// `444.555.666.777` are neither names nor addresses (5954 4.1).
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut last = "";
    for label in text.split('.') {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let hyphened = label.starts_with('-') || label.ends_with('-');
        if label.is_empty() || hyphened || !label.bytes().all(inner) {
            return false;
        }
        last = label;
    }
    !last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> Host<'static> {
        Host::V6(text.parse().unwrap())
    }

    #[test]
    fn addresses_follow_the_corrected_grammar() {
        // 5954-4.1-01, 5954-4.1-02, 5954-4.1-03, 5954-4.1-04, 5954-4.1-05, 5954-4.1-06,
        // 5954-4.1-07, 5954-4.1-08, 5954-4.1-09, 3986-3.2.2-01
        assert_eq!(
            Host::parse(b"[2001:db8::192.0.2.1]"),
            Ok(v6("2001:db8::c000:201"))
        );
        assert_eq!(
            Host::parse(b"192.0.2.4"),
            Ok(Host::V4([192, 0, 2, 4].into()))
        );
        for text in [
            "444.555.666.777",
            "192.0.02.4",
            "1.2.3",
            "1.2.3.4.5",
            "[2001:db8:::192.0.2.1]",
            "[1::2::3]",
            "[1:2:3:4:5:6:7]",
            "[1:2:3:4:5:6:7:8:9]",
            "[192.0.2.1::]",
            "[fe80::1%eth0]",
            "fe80::1%eth0",
            "[2001:0db80::1]",
            "[::1",
            "::1]",
            "[192.0.2.4]",
            "[]",
        ] {
            assert!(Host::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_labels() {
        // 3261-25.1-22, 3261-25.1-23
        for text in [
            "a",
            "a.b-c.d1",
            "1a.com",
            "com.",
            "my_host.local",
            "3fa85f64b7c1",
        ] {
            assert_eq!(Host::parse(text.as_bytes()), Ok(Host::Name(text)), "{text}");
        }
        for text in [
            ".", "a..b", ".a", "-a.com", "a-.com", "a b", "a%61", "a/b", "", "a..", "5",
        ] {
            assert!(Host::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Host::parse(b"h\xc3\xb6st").is_err());
    }

    #[test]
    fn ipv6_is_taken_with_and_without_brackets_but_not_with_a_port() {
        // 5118-4.5-01, 5118-4.5-02
        assert_eq!(
            Host::parse(b"[2001:db8::9:255]"),
            Host::parse(b"2001:db8::9:255")
        );
        assert!(Host::parse_with_port(b"2001:db8::1").is_err());
        assert!(Host::parse_with_port(b"2001:db8::1:5060").is_err());
        assert_eq!(
            Host::parse_with_port(b"[2001:db8::1:5060]"),
            Ok((v6("2001:db8::1:5060"), None))
        );
        assert_eq!(
            Host::parse_with_port(b"[2001:db8::1]:5060"),
            Ok((v6("2001:db8::1"), Some(5060)))
        );
    }

    #[test]
    fn white_space_around_the_colon_is_accepted() {
        assert_eq!(
            Host::parse_with_port(b"h.com \t:\r\n 4000"),
            Ok((Host::Name("h.com"), Some(4000)))
        );
    }

    #[test]
    fn equality_is_that_of_names_without_case_and_of_bits() {
        // 5954-4.2-01, 5954-4.2-02, 5954-4.2-03, 5954-4.2-04
        fn hash(host: Host<'_>) -> u64 {
            use core::hash::BuildHasher as _;
            core::hash::BuildHasherDefault::<siphasher::sip::SipHasher13>::default().hash_one(host)
        }
        for (a, b) in [
            ("AtLanTa.com", "atlanta.COM"),
            ("2001:DB8:0:0::9:01", "2001:db8::9:1"),
        ] {
            let (a, b) = (
                Host::parse(a.as_bytes()).unwrap(),
                Host::parse(b.as_bytes()).unwrap(),
            );
            assert_eq!(a, b);
            assert_eq!(hash(a), hash(b));
        }
        assert_ne!(Host::parse(b"::ffff:192.0.2.1"), Host::parse(b"192.0.2.1"));
        assert_ne!(Host::parse(b"192.0.2.1.example"), Host::parse(b"192.0.2.1"));
    }

    #[test]
    fn ipv6_is_written_in_canonical_form() {
        // 5954-5-01
        let host = Host::parse(b"2001:DB8:0:0:0:0:0:01").unwrap();
        assert_eq!(host.to_string(), "[2001:db8::1]");
    }
}

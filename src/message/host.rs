//! Hosts and ports.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

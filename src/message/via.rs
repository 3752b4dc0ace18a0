//! Via hops.

use core::fmt;
use core::fmt::Write as _;
use core::net::IpAddr;

use super::host::Host;
use super::params::{Param, Params};
use super::plain::{self, PlainHost};
use super::print::{AsFmt, Pieces, writes};
use super::scan::{Cursor, digits, trim};
use super::span::span_in;
use super::value_error::{ValueError, ValueErrorKind};

/// What a branch begins with when it identifies a transaction (3261 8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop of a Via header: `SIP/2.0/UDP host:port;branch=...` (3261 20.42).
///
/// One value is one hop. A row with commas goes through
/// [`split_commas`](super::split_commas) first.
///
/// ```
/// use drongo::message::{Host, Via};
///
/// let via = Via::parse(b"SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;branch=z9hG4bKa7").unwrap();
/// assert_eq!(via.transport(), "UDP");
/// assert_eq!((via.host(), via.port()), (Host::Name("first.example.com"), Some(4000)));
/// assert_eq!(via.branch(), Some("z9hG4bKa7"));
/// assert_eq!(via.to_string(), "SIP/2.0/UDP first.example.com:4000;ttl=16;branch=z9hG4bKa7");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Via<'a> {
    protocol: &'a str,
    version: &'a str,
    transport: &'a str,
    host: Host<'a>,
    port: Option<u16>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one hop. White space around `/`, `:`, `;` and `=` is accepted.
    ///
    /// # Errors
    ///
    /// What is wrong, and where. `branch` and `rport` must be readable if they are there, because
    /// they decide whom a response belongs to and where it goes; `received`, `maddr` and `ttl` are
    /// judged where they are used.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        match Self::plain(value, value.len()) {
            Some(via) => Ok(via),
            None => Self::parse_any(value),
        }
    }

    /// The branch of a whole value that may be parsed; the errors are those of
    /// [`parse`](Self::parse).
    #[inline]
    pub(crate) fn branch_of(value: &'a [u8]) -> Result<Option<&'a [u8]>, ValueError> {
        match PlainVia::scan(value, value.len()) {
            Some(via) => Ok(via.branch),
            None => Self::parse_any(value).map(|via| via.branch().map(str::as_bytes)),
        }
    }

    /// The front of the text, of that length, if it is of the common form.
    pub(super) fn plain(text: &'a [u8], len: usize) -> Option<Self> {
        PlainVia::scan(text, len).map(Self::of_plain)
    }

    fn of_plain(via: PlainVia<'a>) -> Self {
        Self {
            protocol: "SIP",
            version: "2.0",
            transport: via.transport.as_str(),
            host: via.host.host(),
            port: via.port,
            params: Params::of_header(via.params),
        }
    }

    pub(super) fn parse_any(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        if cursor.is_at_end() {
            return Err(cursor.error(ValueErrorKind::Empty));
        }
        let protocol = cursor.token()?;
        slash(&mut cursor)?;
        let version = cursor.token()?;
        slash(&mut cursor)?;
        let transport = cursor.token()?;
        let before_space = cursor.offset();
        cursor.skip_lws();
        if cursor.offset() == before_space {
            return Err(cursor.error(ValueErrorKind::Unexpected));
        }
        let host_at = cursor.offset();
        let sent_by = cursor.take_while(|b| b != b';');
        let (host, port) = Host::parse_with_port(trim(sent_by)).map_err(|e| e.shifted(host_at))?;
        let params = Params::parse_with(cursor.rest(), check_param)
            .map_err(|e| e.shifted(cursor.offset()))?;
        Ok(Self {
            protocol,
            version,
            transport,
            host,
            port,
            params,
        })
    }

    /// The front of the text, of that length, and its branch, if it has one and is of the common
    /// form.
    pub(crate) fn plain_front(text: &'a [u8], len: usize) -> Option<(Self, &'a [u8])> {
        let plain = PlainVia::scan(text, len)?;
        let branch = plain.branch?;
        Some((Self::of_plain(plain), branch))
    }

    /// The name of the protocol as it came: `SIP`.
    pub const fn protocol(&self) -> &'a str {
        self.protocol
    }

    /// The version as it came: `2.0`.
    pub const fn version(&self) -> &'a str {
        self.version
    }

    /// The transport as it came, for example `UDP`. Compare it without case.
    pub const fn transport(&self) -> &'a str {
        self.transport
    }

    /// The host of sent-by.
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port of sent-by, if it is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Both.
    pub(crate) const fn sent_by(&self) -> SentBy<'a> {
        (self.host, self.port)
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// `branch`, as it came.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.str("branch")
    }

    /// The branch if it identifies a transaction: it begins with [`MAGIC_COOKIE`], in any case, and
    /// something follows. Otherwise requests are matched as in RFC 2543 (3261 17.2.3).
    pub fn transaction_branch(&self) -> Option<&'a str> {
        self.branch().filter(|branch| {
            branch
                .split_at_checked(MAGIC_COOKIE.len())
                .is_some_and(|(cookie, rest)| {
                    cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()
                })
        })
    }

    /// `received`: the address that the request came from. An IPv6 address may have brackets.
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse(self.params.get("received")?.value?).ok()?.ip()
    }

    /// `rport`: `Some(None)` as a request asks for it, `Some(Some(port))` as it was filled in
    /// (3581).
    pub fn rport(&self) -> Option<Option<u16>> {
        Some(self.params.get("rport")?.value.and_then(parse_port))
    }

    /// Whether it has a branch and `rport` without a value, written as most write them. Says
    /// nothing of other Vias.
    pub(crate) fn asks_for_rport_alone(&self) -> bool {
        let params = self.params.as_bytes();
        let rest = params.strip_prefix(b";branch=").unwrap_or_default();
        let branch = rest.strip_suffix(b";rport").unwrap_or_default();
        !branch.is_empty() && memchr::memchr2(b';', b'"', branch).is_none()
    }

    /// `maddr`: where responses go instead of to sent-by.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse(self.params.get("maddr")?.value?).ok()
    }

    /// `ttl`: time to live of a multicast response.
    pub fn ttl(&self) -> Option<u8> {
        digits(self.params.get("ttl")?.value?)
            .ok()
            .and_then(|ttl| u8::try_from(ttl).ok())
    }

    /// Whether both have the same host and port, case not counting. A missing port is not the
    /// default one.
    pub fn same_sent_by(&self, other: &Via<'_>) -> bool {
        self.host == other.host && self.port == other.port
    }

    /// Whether both are equal by 3261 20.42: protocol, sent-by and the set of parameters.
    pub fn equivalent(&self, other: &Via<'_>) -> bool {
        self.protocol.eq_ignore_ascii_case(other.protocol)
            && self.version.eq_ignore_ascii_case(other.version)
            && self.transport.eq_ignore_ascii_case(other.transport)
            && self.same_sent_by(other)
            && self.params.equivalent(&other.params)
    }
}

impl Via<'_> {
    /// What stands for a Via that cannot be read where one that was read before is read again:
    /// the fallback that is never taken.
    pub(crate) const UNREAD: Self = Self {
        protocol: "SIP",
        version: "2.0",
        transport: "UDP",
        host: Host::Name("invalid"),
        port: None,
        params: Params::EMPTY,
    };
}

/// Host and port of a Via; the port if it is written.
pub(crate) type SentBy<'a> = (Host<'a>, Option<u16>);

/// `SIP/2.0/UDP host:port;name=value`, with one of the transports in use.
pub(super) struct PlainVia<'a> {
    transport: Known,
    host: PlainHost<'a>,
    port: Option<u16>,
    params: &'a [u8],
    pub(super) branch: Option<&'a [u8]>,
}

impl<'a> PlainVia<'a> {
    /// Reads the front of the text, of that length.
    #[inline(always)]
    pub(super) fn scan(text: &'a [u8], len: usize) -> Option<Self> {
        let (transport, rest) = Known::read(text.strip_prefix(b"SIP/2.0/")?)?;
        let (host, port, params) = plain::host_port(rest)?;
        let (branch, rest) = branch_among(params)?;
        if !plain::has_read(text, len, rest) {
            return None;
        }
        Some(Self {
            transport,
            host,
            port,
            params: params.get(..params.len().saturating_sub(rest.len()))?,
            branch,
        })
    }
}

/// A transport in use, for which one byte is kept and not its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
    Sctp,
}

impl Known {
    /// In capital letters, with one space behind it.
    #[inline(always)]
    fn read(text: &[u8]) -> Option<(Self, &[u8])> {
        const UDP: u32 = u32::from_le_bytes(*b"UDP ");
        const TCP: u32 = u32::from_le_bytes(*b"TCP ");
        const TLS: u32 = u32::from_le_bytes(*b"TLS ");
        const WSS: u32 = u32::from_le_bytes(*b"WSS ");
        const SCTP: u32 = u32::from_le_bytes(*b"SCTP");
        let (name, rest) = text.split_first_chunk::<4>()?;
        match u32::from_le_bytes(*name) {
            UDP => Some((Self::Udp, rest)),
            TCP => Some((Self::Tcp, rest)),
            TLS => Some((Self::Tls, rest)),
            WSS => Some((Self::Wss, rest)),
            SCTP => Some((Self::Sctp, rest.strip_prefix(b" ")?)),
            _ => Some((Self::Ws, text.strip_prefix(b"WS ")?)),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Sctp => "SCTP",
        }
    }
}

/// Where the parts of a [`PlainVia`] are in the message that it stands in, which need not be read
/// for it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ViaParts {
    transport: Known,
    host: HostPart,
    port: Option<u16>,
    params: (u32, u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HostPart {
    Address(IpAddr),
    Name(u32, u32),
}

impl ViaParts {
    #[inline(always)]
    pub(super) fn of(via: &PlainVia<'_>, whole: &[u8]) -> Self {
        let host = match via.host {
            PlainHost::V4(address) => HostPart::Address(IpAddr::V4(address)),
            PlainHost::V6(address) => HostPart::Address(IpAddr::V6(address)),
            PlainHost::Name(name) => {
                let (start, end) = span_in(whole, name);
                HostPart::Name(start, end)
            }
        };
        Self {
            transport: via.transport,
            host,
            port: via.port,
            params: span_in(whole, via.params),
        }
    }

    /// Whether it has this branch and behind that `rport` without a value, and nothing else, as
    /// nearly all write it.
    #[inline]
    pub(super) fn asks_for_rport_alone(&self, branch: (u32, u32), whole: &[u8]) -> bool {
        const NAME: u32 = b";branch=".len() as u32;
        let (start, end) = self.params;
        let behind = whole.get(branch.1 as usize..end as usize);
        branch.0 == start.wrapping_add(NAME) && behind == Some(b";rport")
    }

    /// The Via in the message that it is of.
    #[inline]
    pub(super) fn via(self, whole: &[u8]) -> Option<Via<'_>> {
        let (start, end) = self.params;
        Some(Via::of_plain(PlainVia {
            transport: self.transport,
            host: self.host(whole)?,
            port: self.port,
            params: whole.get(start as usize..end as usize)?,
            branch: None,
        }))
    }

    /// Its sent-by.
    #[inline]
    pub(super) fn sent_by(self, whole: &[u8]) -> Option<SentBy<'_>> {
        Some((self.host(whole)?.host(), self.port))
    }

    #[inline]
    fn host(self, whole: &[u8]) -> Option<PlainHost<'_>> {
        Some(match self.host {
            HostPart::Address(IpAddr::V4(address)) => PlainHost::V4(address),
            HostPart::Address(IpAddr::V6(address)) => PlainHost::V6(address),
            HostPart::Name(start, end) => PlainHost::Name(whole.get(start as usize..end as usize)?),
        })
    }
}

/// What is behind that which nearly always stands behind the branch: `rport`, and in a response its
/// port and `received`.
#[inline]
fn behind_common_end(params: &[u8]) -> Option<&[u8]> {
    let behind = match params.strip_prefix(b";rport")? {
        [b'=', filled @ ..] => {
            let (port, rest) = plain::digits(filled)?;
            let (address, behind) =
                plain::run(rest.strip_prefix(b";received=")?, plain::set::VALUE)?;
            if port > u64::from(u16::MAX) || address.is_empty() {
                return None;
            }
            behind
        }
        behind => behind,
    };
    matches!(behind, [] | [b'\r', ..]).then_some(behind)
}

/// The branch among parameters of the common form, and what is behind them.
#[inline]
fn branch_among(params: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (mut branch, rest, read) = match plain::first_param(params, b";branch=") {
        // A token is ASCII.
        Some((branch, rest)) => (Some(branch), rest, &b"branch"[..]),
        None => (None, params, &b""[..]),
    };
    if !rest.starts_with(b";") {
        return Some((branch, rest));
    }
    if let Some(rest) = behind_common_end(rest) {
        return Some((branch, rest));
    }
    let rest = plain::header_params(rest, read, |name, value| {
        if name.eq_ignore_ascii_case(b"branch") {
            branch = value;
            value.is_some_and(<[u8]>::is_ascii)
        } else if name.eq_ignore_ascii_case(b"rport") {
            value.is_none_or(|value| parse_port(value).is_some())
        } else {
            true
        }
    })?;
    Some((branch, rest))
}

impl Pieces for Via<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        for part in [self.protocol, "/", self.version, "/", self.transport, " "] {
            out(part.as_bytes());
        }
        // Writing to pieces cannot fail.
        let _ = write!(AsFmt(out), "{}", self.host);
        if let Some(port) = self.port {
            let _ = write!(AsFmt(out), ":{port}");
        }
        self.params.pieces(out);
    }
}

writes!(Via<'_>);

impl fmt::Debug for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Via({self})")
    }
}

fn slash(cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
    cursor.skip_lws();
    if !cursor.eat(b'/') {
        return Err(cursor.error(ValueErrorKind::Unexpected));
    }
    cursor.skip_lws();
    Ok(())
}

fn check_param(param: &Param<'_>) -> Result<(), ValueErrorKind> {
    if param.name.eq_ignore_ascii_case("branch") && param.value_str().is_none() {
        return Err(ValueErrorKind::Param);
    }
    match param.value {
        Some(port) if param.name.eq_ignore_ascii_case("rport") => {
            parse_port(port).map(|_| ()).ok_or(ValueErrorKind::Port)
        }
        Some(_) | None => Ok(()),
    }
}

fn parse_port(value: &[u8]) -> Option<u16> {
    digits(value).ok().and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via<'_> {
        Via::parse(text.as_bytes()).expect(text)
    }

    fn kind(text: &str) -> ValueErrorKind {
        Via::parse(text.as_bytes()).expect_err(text).kind
    }

    #[test]
    fn the_spaced_via_of_the_rfc_is_read() {
        // 3261-20.42-01, 3261-25.1-31
        let text = "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 \
                    ;branch=z9hG4bKa7c6a8dlze.1";
        let spaced = via(text);
        assert_eq!((spaced.protocol(), spaced.version()), ("SIP", "2.0"));
        assert_eq!((spaced.transport(), spaced.port()), ("UDP", Some(4000)));
        assert_eq!(spaced.ttl(), Some(16));
        assert_eq!(spaced.maddr(), Some(Host::V4([224, 2, 0, 1].into())));
        assert_eq!(spaced.branch(), Some("z9hG4bKa7c6a8dlze.1"));
        assert_eq!(
            via("SIP\r\n /\t2.0/\r\n UDP\r\n host").host(),
            Host::Name("host")
        );
    }

    #[test]
    fn any_transport_token_is_read() {
        // 3261-20.42-04, 3261-20.42-05
        for transport in [
            "UDP", "SCTP", "TLS", "UNKNOWN", "TCP", "TLS-SCTP", "WS", "wss",
        ] {
            let text = format!("SIP/2.0/{transport} t1.example.com;branch=z9hG4bK1");
            assert_eq!(via(&text).transport(), transport);
        }
    }

    #[test]
    fn ipv6_hosts_have_brackets_and_received_may_have_them() {
        // 3261-20.42-10, 3261-25.1-24, 5118-4.5-01, 5118-4.5-02
        let a =
            via("SIP/2.0/UDP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3");
        let b = via("SIP/2.0/UDP [2001:db8::9:1]:6050;received=2001:db8::9:255;branch=z9hG4bKas3");
        assert_eq!(a.port(), Some(6050));
        assert_eq!(a.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(a.received(), b.received());
        let mixed = via("SIP/2.0/UDP [::1]:6050;received=192.0.2.1;branch=z9hG4bK1");
        assert_eq!(mixed.received(), Some([192, 0, 2, 1].into()));
        assert_eq!(
            kind("SIP/2.0/UDP 2001:db8::1;branch=z9hG4bK1"),
            ValueErrorKind::Host
        );
    }

    #[test]
    fn rport_has_a_value_or_not() {
        // 3581-5-01
        assert_eq!(via("SIP/2.0/UDP h").rport(), None);
        assert_eq!(via("SIP/2.0/UDP h;rport").rport(), Some(None));
        assert_eq!(via("SIP/2.0/UDP h;rport=9988").rport(), Some(Some(9988)));
        assert_eq!(kind("SIP/2.0/UDP h;rport=65536"), ValueErrorKind::Port);
        assert_eq!(kind("SIP/2.0/UDP h;rport=x"), ValueErrorKind::Port);
    }

    #[test]
    fn known_parameters_occur_once() {
        // 3261-20.42-11
        for name in ["maddr", "ttl", "received", "rport", "branch"] {
            let text = format!("SIP/2.0/UDP h;{name}=1;{}=1", name.to_uppercase());
            assert_eq!(kind(&text), ValueErrorKind::DuplicateParam, "{name}");
        }
    }

    #[test]
    fn a_branch_with_the_cookie_and_more_names_a_transaction() {
        // 3261-20.42-03
        let branch = |text| via(text).transaction_branch();
        assert_eq!(branch("SIP/2.0/UDP h;branch=z9hG4bKx"), Some("z9hG4bKx"));
        assert_eq!(branch("SIP/2.0/UDP h;branch=Z9HG4BKx"), Some("Z9HG4BKx"));
        assert_eq!(branch("SIP/2.0/UDP h;branch=z9hG4bK"), None);
        assert_eq!(branch("SIP/2.0/UDP h;branch=1"), None);
        assert_eq!(branch("SIP/2.0/UDP h"), None);
    }

    #[test]
    fn unknown_parameters_are_kept() {
        // 3261-20.42-09
        let text = "SIP/2.0/UDP h;a;b=c;d=[::1];e=\"f;g\"";
        assert_eq!(via(text).to_string(), text);
        assert!(Via::parse(b"SIP/2.0/UDP h;x=\xe9;branch=z9hG4bK1").is_ok());
        // What decides must be readable: an error, never the end of the process.
        assert!(Via::parse(b"SIP/2.0/UDP h;branch=z9hG4bK\xe9").is_err());
        assert!(Via::parse(b"SIP/2.0/UDP h\xe9;branch=z9hG4bK1").is_err());
    }

    #[test]
    fn equality_is_of_protocol_sent_by_and_parameters() {
        // 3261-20.42-07
        let base = via("SIP/2.0/UDP Host.com:5060;a=1;b");
        assert!(base.equivalent(&via("sip/2.0/udp host.COM:5060;B;A=1")));
        for other in [
            "SIP/2.0/TCP host.com:5060;a=1;b",
            "SIP/2.0/UDP host.com;a=1;b",
            "SIP/2.0/UDP host.org:5060;a=1;b",
            "SIP/2.0/UDP host.com:5060;a=1",
            "SIP/2.0/UDP host.com:5060;a=2;b",
            "SIP/3.0/UDP host.com:5060;a=1;b",
        ] {
            assert!(!base.equivalent(&via(other)), "{other}");
        }
    }

    #[test]
    fn one_value_is_one_hop() {
        assert!(Via::parse(b"SIP/2.0/UDP a, SIP/2.0/UDP b").is_err());
        assert!(Via::parse(b"SIP/2.0/UDP a;branch=x, SIP/2.0/UDP b").is_err());
        assert_eq!(kind("SIP/2.0/UDP 192.0.2.15;;"), ValueErrorKind::Param);
        for text in [
            "",
            "SIP",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDPh",
            "//  h",
        ] {
            assert!(Via::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

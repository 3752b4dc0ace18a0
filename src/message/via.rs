//! Via hops.

use core::fmt;
use core::fmt::Write as _;
use core::net::IpAddr;

use super::host::Host;
use super::params::Params;
use super::print::{AsFmt, Pieces, writes};
use super::scan::{Cursor, digits, trim};
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
        let params = Params::parse(cursor.rest()).map_err(|e| e.shifted(cursor.offset()))?;
        let via = Self {
            protocol,
            version,
            transport,
            host,
            port,
            params,
        };
        if params.contains("branch") && via.branch().is_none() {
            return Err(cursor.error(ValueErrorKind::Param));
        }
        if let Some(value) = params.get("rport").and_then(|rport| rport.value) {
            parse_port(value).ok_or(cursor.error(ValueErrorKind::Port))?;
        }
        Ok(via)
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

fn parse_port(value: &[u8]) -> Option<u16> {
    digits(value).ok().and_then(|port| u16::try_from(port).ok())
}

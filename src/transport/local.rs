//! Our own addresses: what Via and Contact say of them.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;

use crate::message::{Host, ValueError, Via};
use crate::transport::{Flow, Transport};

/// An address that the endpoint receives on, and what it calls itself there.
///
/// ```
/// use drongo::transport::{Advertised, Local, Transport};
///
/// let local = Local::new(Transport::Udp, "10.0.0.5:5060".parse().unwrap());
/// assert_eq!(local.via("z9hG4bK1").to_string(), "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK1;rport");
///
/// let local = local.advertise(Advertised::new("sip.example.com", None).unwrap());
/// assert_eq!(local.sent_by().to_string(), "sip.example.com");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Local {
    transport: Transport,
    bound: SocketAddr,
    advertised: Option<Advertised>,
}

/// What others are told instead of the bound address, because it is private or a wildcard.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Advertised {
    host: Box<str>,
    port: Option<u16>,
}

impl Advertised {
    /// A host, and its port if it shall be written. A name without a port is looked up as SRV by
    /// those who send to it (3263 5).
    ///
    /// # Errors
    ///
    /// [`ValueError`] if `host` is neither a host name nor an IP address.
    pub fn new(host: &str, port: Option<u16>) -> Result<Self, ValueError> {
        Host::parse(host.as_bytes())?;
        Ok(Self {
            host: host.into(),
            port,
        })
    }

    /// The host.
    pub fn host(&self) -> Host<'_> {
        // The text was a host when it was copied, so the fallback is never taken.
        Host::parse(self.host.as_bytes()).unwrap_or(Host::Name(&self.host))
    }

    /// The port, if it is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

impl Local {
    /// A bound address that is told to others as it is. A wildcard address tells nobody where to
    /// answer: give it something to [`advertise`](Self::advertise).
    pub const fn new(transport: Transport, bound: SocketAddr) -> Self {
        Self {
            transport,
            bound,
            advertised: None,
        }
    }

    /// The same address with another face.
    #[must_use]
    pub fn advertise(self, advertised: Advertised) -> Self {
        Self {
            advertised: Some(advertised),
            ..self
        }
    }

    /// The transport.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The address that the socket is bound to.
    pub const fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// What others are told instead, if anything.
    pub const fn advertised(&self) -> Option<&Advertised> {
        self.advertised.as_ref()
    }

    /// The host that others are told.
    pub fn host(&self) -> Host<'_> {
        match &self.advertised {
            Some(advertised) => advertised.host(),
            None => self.bound.ip().into(),
        }
    }

    /// The port that others are told, if one is written.
    pub fn port(&self) -> Option<u16> {
        match &self.advertised {
            Some(advertised) => advertised.port,
            None => Some(self.bound.port()),
        }
    }

    /// Whether the flow is one of this address: same transport and port, and same address, or at
    /// least same family if this one is a wildcard.
    pub fn carries(&self, flow: &Flow) -> bool {
        let (ip, other) = (self.bound.ip(), flow.local.ip());
        let is_covered = match ip.is_unspecified() {
            true => ip.is_ipv4() == other.is_ipv4(),
            false => ip.to_canonical() == other.to_canonical(),
        };
        self.transport == flow.transport
            && (self.bound.port() == flow.local.port() || flow.transport.is_reliable())
            && is_covered
    }

    /// Whether we wrote that Via: its transport and sent-by are ours. A response with another one
    /// on top is not for us and is dropped (3261 18.1.2). A missing port is the default one.
    pub fn is_ours(&self, via: &Via<'_>) -> bool {
        let port = |port: Option<u16>| port.unwrap_or(self.transport.default_port());
        Transport::from_via(via.transport()) == Some(self.transport)
            && via.host() == self.host()
            && port(via.port()) == port(self.port())
    }

    /// `host:port` as a Via says it.
    pub fn sent_by(&self) -> impl fmt::Display {
        SentBy {
            host: self.host(),
            port: self.port(),
        }
    }

    /// The value of the Via that a request from here carries. It asks for `rport` on every
    /// transport (3581 3).
    pub fn via(&self, branch: &str) -> impl fmt::Display {
        Shown(move |f: &mut fmt::Formatter<'_>| {
            write!(
                f,
                "SIP/2.0/{} {};branch={branch};rport",
                self.transport,
                self.sent_by()
            )
        })
    }

    /// The URI at which this address is reached, for a Contact or a Record-Route: `user` is written
    /// as it is, so it must be escaped. `sips` says which scheme.
    ///
    /// TLS is never written as a parameter (5630 5.1.1): a peer that shall come back over TLS is
    /// given a `sips` URI, or keeps the flow.
    pub fn uri(&self, user: Option<&str>, sips: bool) -> impl fmt::Display {
        let scheme = if sips { "sips" } else { "sip" };
        let parameter = match self.transport {
            Transport::Udp | Transport::Tls => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Ws | Transport::Wss => ";transport=ws",
        };
        Shown(move |f: &mut fmt::Formatter<'_>| match user {
            Some(user) => write!(f, "{scheme}:{user}@{}{parameter}", self.sent_by()),
            None => write!(f, "{scheme}:{}{parameter}", self.sent_by()),
        })
    }
}

struct SentBy<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

impl fmt::Display for SentBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.host, f)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// What a closure writes.
struct Shown<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Shown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UriBuf;
    use crate::transport::FlowId;

    fn local(transport: Transport, bound: &str) -> Local {
        Local::new(transport, bound.parse().unwrap())
    }

    fn advertised(transport: Transport, host: &str, port: Option<u16>) -> Local {
        local(transport, "0.0.0.0:5060").advertise(Advertised::new(host, port).unwrap())
    }

    #[test]
    fn a_via_names_the_transport_and_asks_for_rport() {
        // 3261-18.1.1-10, 3581-3-01, 3261-20.42-10
        let text = local(Transport::Tcp, "[2001:db8::1]:5070")
            .via("z9hG4bKx")
            .to_string();
        assert_eq!(text, "SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bKx;rport");
        let via = Via::parse(text.as_bytes()).unwrap();
        assert_eq!(via.rport(), Some(None));
    }

    #[test]
    fn a_response_is_ours_if_we_wrote_its_via() {
        let ours = |local: &Local, via: &str| local.is_ours(&Via::parse(via.as_bytes()).unwrap());
        let plain = local(Transport::Udp, "192.0.2.1:5060");
        let own = plain.via("z9hG4bK1").to_string();
        assert!(ours(&plain, &own));
        assert!(ours(&plain, "SIP/2.0/udp 192.0.2.1;branch=z9hG4bK1"));
        for other in [
            "SIP/2.0/TCP 192.0.2.1:5060",
            "SIP/2.0/UDP 192.0.2.2:5060",
            "SIP/2.0/UDP 192.0.2.1:5061",
            "SIP/2.0/UDP sip.example.com",
        ] {
            assert!(!ours(&plain, other), "{other}");
        }
        let named = advertised(Transport::Tls, "sip.Example.com", None);
        assert!(ours(&named, "SIP/2.0/TLS SIP.example.com:5061"));
        assert!(ours(&named, "SIP/2.0/TLS sip.example.com"));
        assert!(!ours(&named, "SIP/2.0/TLS sip.example.com:5060"));
        assert!(!ours(&named, "SIP/2.0/TLS 0.0.0.0:5060"));
    }

    #[test]
    fn a_uri_never_says_transport_tls() {
        // 5630-5.1.1-06, 7118-5.2-51, 3261-19.1.1-08
        let uri = |transport, sips| {
            local(transport, "192.0.2.1:5062")
                .uri(Some("bob"), sips)
                .to_string()
        };
        assert_eq!(uri(Transport::Udp, false), "sip:bob@192.0.2.1:5062");
        assert_eq!(
            uri(Transport::Tcp, false),
            "sip:bob@192.0.2.1:5062;transport=tcp"
        );
        assert_eq!(uri(Transport::Tls, true), "sips:bob@192.0.2.1:5062");
        assert_eq!(
            uri(Transport::Wss, true),
            "sips:bob@192.0.2.1:5062;transport=ws"
        );
        assert!(!uri(Transport::Tls, false).contains("tls"));
        let bare = advertised(Transport::Tcp, "p1.example.com", None)
            .uri(None, false)
            .to_string();
        assert_eq!(bare, "sip:p1.example.com;transport=tcp");
        assert!(UriBuf::parse(bare).is_ok());
    }

    #[test]
    fn an_advertised_host_must_be_one() {
        assert!(Advertised::new("not a host", None).is_err());
        assert!(Advertised::new("", Some(5060)).is_err());
        let v6 = advertised(Transport::Udp, "2001:db8::1", Some(5060));
        assert_eq!(v6.sent_by().to_string(), "[2001:db8::1]:5060");
    }

    #[test]
    fn a_flow_belongs_to_the_address_it_came_in_at() {
        let flow = |transport, local: &str| Flow {
            id: FlowId::new(1),
            transport,
            local: local.parse().unwrap(),
            remote: "198.51.100.1:9".parse().unwrap(),
        };
        let any = local(Transport::Udp, "0.0.0.0:5060");
        assert!(any.carries(&flow(Transport::Udp, "192.0.2.1:5060")));
        assert!(!any.carries(&flow(Transport::Udp, "192.0.2.1:5061")));
        assert!(!any.carries(&flow(Transport::Tcp, "192.0.2.1:5060")));
        assert!(!any.carries(&flow(Transport::Udp, "[2001:db8::1]:5060")));
        let any = local(Transport::Udp, "[::]:5060");
        assert!(any.carries(&flow(Transport::Udp, "[2001:db8::1]:5060")));
        assert!(!any.carries(&flow(Transport::Udp, "192.0.2.1:5060")));
        let one = local(Transport::Tcp, "192.0.2.1:5060");
        // A connection that we opened has a port of its own.
        assert!(one.carries(&flow(Transport::Tcp, "192.0.2.1:40000")));
        assert!(one.carries(&flow(Transport::Tcp, "[::ffff:192.0.2.1]:5060")));
        assert!(!one.carries(&flow(Transport::Tcp, "192.0.2.2:5060")));
    }
}

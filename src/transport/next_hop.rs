//! Where a request goes, as far as its URI tells without looking anything up (3263 4).

use core::net::SocketAddr;

use crate::message::{Host, SipUri, Uri};
use crate::transport::Transport;

/// The target that a URI names, before DNS.
///
/// ```
/// use drongo::message::Uri;
/// use drongo::transport::{NextHop, Transport};
///
/// let uri = Uri::parse(b"sips:bob@192.0.2.4").unwrap();
/// let hop = NextHop::of(&uri, false).unwrap();
/// assert_eq!(hop.transport, Some(Transport::Tls));
/// assert_eq!(hop.address(), Some("192.0.2.4:5061".parse().unwrap()));
///
/// // A name alone leaves the transport to NAPTR and SRV records.
/// let uri = Uri::parse(b"sip:bob@example.com").unwrap();
/// assert_eq!(NextHop::of(&uri, false).unwrap().transport, None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the arguments of RFC 3263"
)]
pub struct NextHop<'a> {
    /// The transport; `None` if DNS decides it.
    pub transport: Option<Transport>,
    /// The TARGET of 3263 4: `maddr` if it is there, else the host.
    pub host: Host<'a>,
    /// The port, if it is written.
    pub port: Option<u16>,
    /// Whether only transports over TLS will do.
    pub secure: bool,
}

/// Why a URI names no next hop that this crate can reach.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoNextHop {
    /// Neither `sip:` nor `sips:`: a `tel:` URI must be translated first, others answered 416.
    #[error("the URI scheme cannot be routed")]
    Scheme,
    /// The URI asks for a transport that this crate does not speak, or for UDP where TLS is
    /// required.
    #[error("the transport of the URI is not available")]
    Transport,
}

impl<'a> NextHop<'a> {
    /// The target of a URI. `sips` says that the Request-URI is a `sips` one, which requires TLS
    /// whatever URI is used to route (3261 8.1.2).
    ///
    /// # Errors
    ///
    /// [`NoNextHop`].
    pub fn of(uri: &Uri<'a>, sips: bool) -> Result<Self, NoNextHop> {
        let uri = uri.as_sip().ok_or(NoNextHop::Scheme)?;
        let secure = sips || uri.is_secure();
        let host = uri.maddr().unwrap_or(uri.host());
        let port = uri.port();
        let transport = match uri.params().get("transport") {
            Some(param) => {
                let name = param.value_str().ok_or(NoNextHop::Transport)?;
                let transport = Transport::from_uri_param(name, secure);
                Some(transport.ok_or(NoNextHop::Transport)?)
            }
            None if host.ip().is_none() && port.is_none() => None,
            None if secure => Some(Transport::Tls),
            None => Some(Transport::Udp),
        };
        Ok(Self {
            transport,
            host,
            port,
            secure,
        })
    }

    /// The target of a URI that has been checked before.
    pub(crate) fn read(uri: &'a [u8], sips: bool) -> Option<Self> {
        // Nearly always the target is where the last message came from, and its URI says no more.
        match SipUri::address(uri).filter(|_| !sips) {
            Some((address, port)) => Some(Self {
                transport: Some(Transport::Udp),
                host: Host::V4(address),
                port,
                secure: false,
            }),
            None => Self::of(&Uri::parse(uri).ok()?, sips).ok(),
        }
    }

    /// The address, if the target is numeric: no look-up is needed.
    pub fn address(&self) -> Option<SocketAddr> {
        let port = self.port.or(self.transport.map(Transport::default_port))?;
        Some(SocketAddr::new(self.host.ip()?, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(uri: &str, sips: bool) -> Result<NextHop<'_>, NoNextHop> {
        NextHop::of(&Uri::parse(uri.as_bytes()).unwrap(), sips)
    }

    fn target(uri: &str) -> (Option<Transport>, Option<String>) {
        let hop = hop(uri, false).unwrap();
        (
            hop.transport,
            hop.address().map(|address| address.to_string()),
        )
    }

    #[test]
    fn what_is_read_again_is_what_was_read() {
        for uri in [
            "sip:bob@192.0.2.4",
            "sip:bob@192.0.2.4:5070",
            "sip:192.0.2.4",
            "SIP:b%6fb@192.0.2.4",
            "sip:bob:secret@192.0.2.4",
            "sip:bob@[2001:db8::1]:5070",
            "sip:bob@example.com",
            "sip:bob@example.com:5070",
            "sips:bob@192.0.2.4",
            "sip:bob@192.0.2.4;transport=tcp",
            "sip:bob@192.0.2.4?Subject=x",
            "sip:192.0.2.4;x=bob@192.0.2.9",
            "sip:bob@192.0.2.4;transport=carrier-pigeon",
            "tel:+15551230042",
        ] {
            for sips in [false, true] {
                let read = NextHop::read(uri.as_bytes(), sips);
                let parsed = Uri::parse(uri.as_bytes());
                let of = parsed.ok().and_then(|uri| NextHop::of(&uri, sips).ok());
                assert_eq!(read, of, "{uri} {sips}");
            }
        }
        assert_eq!(NextHop::read(b"sip:bob@192.0.2.400", false), None);
    }

    #[test]
    fn the_transport_parameter_decides() {
        // 3263-4.1-51, 3263-4.2-51
        let tcp = (Some(Transport::Tcp), Some("192.0.2.4:5060".into()));
        assert_eq!(target("sip:192.0.2.4;transport=TCP"), tcp);
        let ws = (Some(Transport::Ws), Some("192.0.2.4:80".into()));
        assert_eq!(target("sip:192.0.2.4;transport=ws"), ws);
        assert_eq!(
            target("sip:example.com;transport=tcp"),
            (Some(Transport::Tcp), None)
        );
    }

    #[test]
    fn a_numeric_target_has_a_default_transport_and_port() {
        // 3263-4.1-52, 3263-4.2-51, 3261-19.1.1-17
        let udp = (Some(Transport::Udp), Some("192.0.2.4:5060".into()));
        assert_eq!(target("sip:bob@192.0.2.4"), udp);
        let tls = (Some(Transport::Tls), Some("[2001:db8::1]:5061".into()));
        assert_eq!(target("sips:bob@[2001:db8::1]"), tls);
        let port = (Some(Transport::Udp), Some("192.0.2.4:5080".into()));
        assert_eq!(target("sip:bob@192.0.2.4:5080"), port);
    }

    #[test]
    fn a_name_with_a_port_has_a_default_transport_and_one_without_has_not() {
        // 3263-4.1-53, 3263-4.1-55
        assert_eq!(target("sip:example.com:5060"), (Some(Transport::Udp), None));
        assert_eq!(
            target("sips:example.com:5061"),
            (Some(Transport::Tls), None)
        );
        assert_eq!(target("sip:example.com"), (None, None));
    }

    #[test]
    fn maddr_is_the_target_and_port_and_transport_apply_to_it() {
        // 3263-4-51, 3261-19.1.1-09
        let there = (Some(Transport::Tcp), Some("192.0.2.4:5070".into()));
        assert_eq!(
            target("sip:bob@example.com:5070;maddr=192.0.2.4;transport=tcp"),
            there
        );
        assert_eq!(
            hop("sip:192.0.2.1;maddr=x.example", false).unwrap().host,
            Host::Name("x.example")
        );
    }

    #[test]
    fn sips_means_tls_whatever_uri_is_used_to_route() {
        // 3261-8.1.2-02, 7118-5.2-52
        assert_eq!(
            hop("sip:192.0.2.4", true).unwrap().transport,
            Some(Transport::Tls)
        );
        assert_eq!(
            hop("sip:192.0.2.4;transport=tcp", true).unwrap().transport,
            Some(Transport::Tls)
        );
        assert_eq!(
            hop("sips:h.example;transport=ws", false).unwrap().transport,
            Some(Transport::Wss)
        );
        assert_eq!(
            hop("sip:192.0.2.4;transport=udp", true),
            Err(NoNextHop::Transport)
        );
        let name = hop("sip:h.example", true).unwrap();
        assert_eq!((name.transport, name.secure), (None, true));
    }

    #[test]
    fn what_cannot_be_reached_is_an_error() {
        assert_eq!(hop("tel:+12015550123", false), Err(NoNextHop::Scheme));
        assert_eq!(hop("urn:service:sos", false), Err(NoNextHop::Scheme));
        assert_eq!(
            hop("sip:h.example;transport=sctp", false),
            Err(NoNextHop::Transport)
        );
    }
}

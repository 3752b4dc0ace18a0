//! Flows: where a message came from, and where one goes.

use core::fmt;
use core::net::SocketAddr;

/// A transport protocol that SIP runs over.
///
/// ```
/// use drongo::transport::Transport;
///
/// assert_eq!(Transport::from_via("tls"), Some(Transport::Tls));
/// assert_eq!(Transport::Wss.as_via(), "WSS");
/// assert!(!Transport::Udp.is_reliable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (7118).
    Ws,
    /// WebSocket over TLS (7118).
    Wss,
}

impl Transport {
    /// Whether the transport delivers or says that it did not: all but UDP. Transactions over it do
    /// not retransmit (3261 17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the transport runs over TLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether the transport is a WebSocket. Its responses go over the connection of the request or
    /// nowhere (7118 5.3).
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The port where none is written: 5060, 5061 for TLS (3261 18.1.1), 80 and 443 for WebSockets
    /// (7118 5.5).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// As it stands in a Via.
    pub const fn as_via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The transport that a Via names, without regard to case; `None` for one that this crate does
    /// not speak.
    pub fn from_via(token: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|transport| transport.as_via().eq_ignore_ascii_case(token))
    }

    /// The transport that the `transport` parameter of a URI names, without regard to case.
    /// `secure` says that TLS is required, as it is by `sips`: then `tcp` is TLS and `ws` is
    /// WebSocket over TLS, and UDP is nothing.
    ///
    /// `tls` and `wss` are read although they must not be written (5630 3.1.4, 7118 5.2).
    pub fn from_uri_param(token: &str, secure: bool) -> Option<Self> {
        match (Self::from_via(token)?, secure) {
            (Self::Udp, true) => None,
            (Self::Tcp, true) => Some(Self::Tls),
            (Self::Ws, true) => Some(Self::Wss),
            (transport, _) => Some(transport),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_via())
    }
}

/// The number of a flow: a connection, or a socket for datagrams. The driver chooses it, and never
/// gives one number to two flows of one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowId(u64);

impl FlowId {
    /// The flow of that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "flow {}", self.0)
    }
}

/// Two ends and the transport between them, on a connection or a socket of the driver.
///
/// A datagram flow may be used with another remote address: the driver then sends from the same
/// socket.
///
/// ```
/// use drongo::transport::{Flow, FlowId, Transport};
///
/// let flow = Flow {
///     id: FlowId::new(7),
///     transport: Transport::Udp,
///     local: "192.0.2.1:5060".parse().unwrap(),
///     remote: "192.0.2.4:40312".parse().unwrap(),
/// };
/// assert_eq!(flow.to_string(), "flow 7 UDP 192.0.2.1:5060 - 192.0.2.4:40312");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "drivers build flows, and these are all their parts"
)]
pub struct Flow {
    /// The driver's number.
    pub id: FlowId,
    /// The transport.
    pub transport: Transport,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} - {}",
            self.id, self.transport, self.local, self.remote
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transport; 5] = [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
    ];

    #[test]
    fn via_names_are_read_in_any_case_and_written_in_upper_case() {
        // 7118-5.1-51
        for transport in ALL {
            assert_eq!(Transport::from_via(transport.as_via()), Some(transport));
            assert_eq!(
                Transport::from_via(&transport.as_via().to_lowercase()),
                Some(transport)
            );
        }
        for token in ["SCTP", "", "UDPX", "TLS-SCTP"] {
            assert_eq!(Transport::from_via(token), None);
        }
    }

    #[test]
    fn a_uri_parameter_is_raised_by_sips() {
        // 7118-5.2-52, 5630-3.1.4-51
        let read = Transport::from_uri_param;
        assert_eq!(read("tcp", true), Some(Transport::Tls));
        assert_eq!(read("WS", true), Some(Transport::Wss));
        assert_eq!(read("ws", false), Some(Transport::Ws));
        assert_eq!(read("tls", false), Some(Transport::Tls));
        assert_eq!(read("udp", true), None);
        assert_eq!(read("udp", false), Some(Transport::Udp));
        for transport in ALL {
            if let Some(secured) = read(transport.as_via(), true) {
                assert!(secured.is_secure());
            }
        }
    }

    #[test]
    fn default_ports_are_those_of_the_rfcs() {
        // 3261-18.1.1-12, 7118-5.5-52, 3261-19.1.1-16
        let ports = ALL.map(Transport::default_port);
        assert_eq!(ports, [5060, 5060, 5061, 80, 443]);
    }

    #[test]
    fn only_udp_is_unreliable() {
        assert_eq!(
            // 3261-A-17
            ALL.map(Transport::is_reliable),
            [false, true, true, true, true]
        );
    }
}

//! Where a driver listens, and what others are told of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::endpoint::Config;
use crate::transport::{Advertised, Local, Transport};

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Listen {
    /// UDP on this address; port 0 takes any.
    Udp(SocketAddr),
    /// TCP on this address; port 0 takes any.
    Tcp(SocketAddr),
    /// TLS on this address; port 0 takes any. `Driver::bind_secure` says who this side is.
    #[cfg(feature = "tls")]
    Tls(SocketAddr),
    /// WebSockets (RFC 7118) on this address; port 0 takes any.
    #[cfg(feature = "ws")]
    Ws(SocketAddr),
    /// WebSockets over TLS on this address; port 0 takes any.
    #[cfg(all(feature = "tls", feature = "ws"))]
    Wss(SocketAddr),
}

impl Listen {
    /// The transport.
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Transport::Tls,
            #[cfg(feature = "ws")]
            Self::Ws(_) => Transport::Ws,
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss(_) => Transport::Wss,
        }
    }

    /// The address.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(address) | Self::Tcp(address) => *address,
            #[cfg(feature = "tls")]
            Self::Tls(address) => *address,
            #[cfg(feature = "ws")]
            Self::Ws(address) => *address,
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss(address) => *address,
        }
    }

    /// The same place with a port that was bound.
    pub(super) fn at(&self, address: SocketAddr) -> Self {
        let mut place = *self;
        match &mut place {
            Self::Udp(at) | Self::Tcp(at) => *at = address,
            #[cfg(feature = "tls")]
            Self::Tls(at) => *at = address,
            #[cfg(feature = "ws")]
            Self::Ws(at) => *at = address,
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss(at) => *at = address,
        }
        place
    }

    /// A socket that does not block, bound to the place; one for streams listens. If it is
    /// `shared`, others of this kind may be bound to the same address, and the operating system
    /// spreads what comes over them.
    pub(super) fn bind(&self, shared: bool) -> io::Result<Socket> {
        let address = self.address();
        let (kind, protocol) = match self.transport() {
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                (Type::STREAM, Protocol::TCP)
            }
        };
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if shared {
            share(&socket)?;
        }
        let is_stream = kind == Type::STREAM;
        // On Windows it would let others take the port.
        if is_stream && cfg!(unix) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        if is_stream {
            socket.listen(WAITING)?;
        } else {
            // A system that gives less than that gives what it may, or what it always does.
            let _ = socket.set_recv_buffer_size(ARRIVING);
        }
        Ok(socket)
    }
}

/// How many connections may wait to be accepted: a burst after a restart. The operating system has
/// a limit of its own.
const WAITING: i32 = 4096;

/// How many bytes of datagrams the operating system is asked to hold for a process that does not
/// come to read them: those of T1 at some thousand calls a second. What it gives to everybody holds
/// less than 200 datagrams on Linux.
const ARRIVING: usize = 4_194_304;

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn share(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The configuration with the local addresses of a socket: the one that it is bound to, and what
/// the wildcard of IPv6 stands for besides.
pub(super) fn with_locals(
    config: Config,
    transport: Transport,
    local: SocketAddr,
) -> io::Result<Config> {
    let config = config.local(face(transport, local)?);
    match second(local) {
        Some(second) => Ok(config.local(face(transport, second)?)),
        None => Ok(config),
    }
}

/// What the wildcard of IPv6 stands for besides: the wildcard of IPv4.
pub(super) fn second(local: SocketAddr) -> Option<SocketAddr> {
    let both = local.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    both.then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, local.port())))
}

/// What a socket's address is to others.
fn face(transport: Transport, local: SocketAddr) -> io::Result<Local> {
    let face = Local::new(transport, local);
    if !local.ip().is_unspecified() {
        return Ok(face);
    }
    let loopback = match local {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let ip = outbound(local).unwrap_or(loopback);
    let advertised = Advertised::new(&ip.to_string(), Some(local.port()))
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(face.advertise(advertised))
}

/// The address that packets to elsewhere leave from. Connecting a UDP socket sends nothing; the
/// target is an address for documentation (RFC 5737, RFC 3849).
fn outbound(local: SocketAddr) -> io::Result<IpAddr> {
    let probe = UdpSocket::bind(SocketAddr::new(local.ip(), 0))?;
    match local {
        SocketAddr::V4(_) => probe.connect("192.0.2.1:9")?,
        SocketAddr::V6(_) => probe.connect("[2001:db8::1]:9")?,
    }
    Ok(probe.local_addr()?.ip())
}

//! What the local addresses can reach.

use core::net::IpAddr;

use crate::transport::{Local, Transport};

/// The transports that this side speaks, each with the address families that it reaches.
///
/// ```
/// use drongo::locate::Reach;
/// use drongo::transport::{Local, Transport};
///
/// let local = Local::new(Transport::Udp, "192.0.2.1:5060".parse()?);
/// let reach = Reach::of([&local]);
/// assert!(reach.speaks(Transport::Udp) && !reach.speaks(Transport::Tcp));
/// assert!(!reach.reaches(Transport::Udp, "2001:db8::1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reach(u16);

impl Reach {
    /// What these local addresses reach.
    pub fn of<'a>(locals: impl IntoIterator<Item = &'a Local>) -> Self {
        let bits = |local: &Local| bit(local.transport(), local.bound().ip());
        Self(locals.into_iter().map(bits).fold(0, |all, bit| all | bit))
    }

    /// Whether any address can be reached over that transport.
    pub fn speaks(self, transport: Transport) -> bool {
        let (v4, v6) = bits(transport);
        self.0 & (v4 | v6) != 0
    }

    /// Whether this address can be reached over that transport.
    pub fn reaches(self, transport: Transport, ip: IpAddr) -> bool {
        self.0 & bit(transport, ip) != 0
    }
}

fn bit(transport: Transport, ip: IpAddr) -> u16 {
    let (v4, v6) = bits(transport);
    if ip.is_ipv4() { v4 } else { v6 }
}

const fn bits(transport: Transport) -> (u16, u16) {
    match transport {
        Transport::Udp => (1, 1 << 8),
        Transport::Tcp => (1 << 1, 1 << 9),
        Transport::Tls => (1 << 2, 1 << 10),
        Transport::Ws => (1 << 3, 1 << 11),
        Transport::Wss => (1 << 4, 1 << 12),
    }
}

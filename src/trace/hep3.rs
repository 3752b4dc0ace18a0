//! HEP version 3: messages for a capture server.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::Packet;
use crate::message::{Message, Name};

/// Wraps packets in HEP version 3, to be sent to a capture server.
///
/// ```
/// use std::time::Duration;
/// use drongo::time::Time;
/// use drongo::trace::{Hep3, Packet};
/// use drongo::transport::Transport;
///
/// let packet = Packet::new(
///     Time::ZERO,
///     Transport::Udp,
///     "192.0.2.1:5060".parse()?,
///     "192.0.2.4:5060".parse()?,
///     b"SIP/2.0 200 OK\r\n\r\n".as_slice().into(),
/// );
/// let hep = Hep3 { agent: 2001, epoch: Duration::from_secs(1_700_000_000) };
/// let bytes = hep.wrap(&packet).expect("it is short");
/// assert!(bytes.starts_with(b"HEP3"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the format has these two for the sender to choose"
)]
pub struct Hep3 {
    /// Which capture agent this is.
    pub agent: u32,
    /// How long after the Unix epoch the clock of the packets read zero.
    pub epoch: Duration,
}

impl Hep3 {
    /// The packet in its wrapper; `None` if it is too long for one (65,535 bytes in all).
    pub fn wrap(&self, packet: &Packet) -> Option<Vec<u8>> {
        let at = self
            .epoch
            .saturating_add(Duration::from_nanos(packet.at.as_nanos()));
        let mut chunks = Vec::new();
        let protocol = if packet.transport.is_reliable() {
            6
        } else {
            17
        };
        match (
            packet.source.ip().to_canonical(),
            packet.target.ip().to_canonical(),
        ) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                put(&mut chunks, 1, &[2])?;
                put(&mut chunks, 3, &source.octets())?;
                put(&mut chunks, 4, &target.octets())?;
            }
            (source, target) => {
                put(&mut chunks, 1, &[10])?;
                put(&mut chunks, 5, &v6(source))?;
                put(&mut chunks, 6, &v6(target))?;
            }
        }
        put(&mut chunks, 2, &[protocol])?;
        put(&mut chunks, 7, &packet.source.port().to_be_bytes())?;
        put(&mut chunks, 8, &packet.target.port().to_be_bytes())?;
        put(&mut chunks, 9, &(at.as_secs() as u32).to_be_bytes())?;
        put(&mut chunks, 10, &at.subsec_micros().to_be_bytes())?;
        // SIP.
        put(&mut chunks, 11, &[1])?;
        put(&mut chunks, 12, &self.agent.to_be_bytes())?;
        if let Ok(message) = Message::parse(packet.bytes.clone())
            && let Some(call) = message.first(Name::CallId)
        {
            put(&mut chunks, 17, call)?;
        }
        put(&mut chunks, 15, &packet.bytes)?;
        let length = u16::try_from(chunks.len().checked_add(6)?).ok()?;
        let mut bytes = Vec::from(*b"HEP3");
        bytes.extend(length.to_be_bytes());
        bytes.extend(chunks);
        Some(bytes)
    }
}

/// A chunk of the generic vendor.
fn put(chunks: &mut Vec<u8>, kind: u16, value: &[u8]) -> Option<()> {
    let length = u16::try_from(value.len().checked_add(6)?).ok()?;
    chunks.extend(0_u16.to_be_bytes());
    chunks.extend(kind.to_be_bytes());
    chunks.extend(length.to_be_bytes());
    chunks.extend(value);
    Some(())
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

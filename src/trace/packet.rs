//! One message on its way.

use core::net::SocketAddr;

use bytes::Bytes;

use crate::time::Time;
use crate::transport::Transport;

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Fate {
    /// It is on its way, or has arrived.
    Carried,
    /// It was lost.
    Lost,
    /// The sender's own stack refused it.
    Refused,
    /// Nobody is there.
    Nowhere,
}

/// One message, from where to where.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Packet {
    /// When it was sent; on what one node saw, when it was seen.
    pub at: Time,
    /// What carried it.
    pub transport: Transport,
    /// From where.
    pub source: SocketAddr,
    /// To where.
    pub target: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
    /// What became of it.
    pub fate: Fate,
    /// How often it arrives.
    pub copies: usize,
}

impl Packet {
    /// One that is carried once.
    pub const fn new(
        at: Time,
        transport: Transport,
        source: SocketAddr,
        target: SocketAddr,
        bytes: Bytes,
    ) -> Self {
        Self {
            at,
            transport,
            source,
            target,
            bytes,
            fate: Fate::Carried,
            copies: 1,
        }
    }
}

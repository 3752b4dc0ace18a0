//! Recorded flows, and many views of one: a text ladder, Mermaid, SVG, pcapng, HEP3.
//!
//! A [`Trace`] is what went between some places and what was said about it. A simulated world gives
//! one (`World::trace`), a driver fills one, and a capture is read into one (`capture::read`).
//!
//! ```
//! use drongo::time::Time;
//! use drongo::trace::{Packet, Trace};
//! use drongo::transport::Transport;
//!
//! let mut trace = Trace::new();
//! trace.lane("alice", &["192.0.2.1:5060".parse()?]);
//! trace.lane("bob", &["192.0.2.4:5060".parse()?]);
//! let bytes = b"OPTIONS sip:bob@192.0.2.4 SIP/2.0\r\n\r\n";
//! let packet = Packet::new(
//!     Time::from_millis(20),
//!     Transport::Udp,
//!     "192.0.2.1:5060".parse()?,
//!     "192.0.2.4:5060".parse()?,
//!     bytes.as_slice().into(),
//! );
//! trace.packet(packet);
//! assert!(trace.ladder().contains("|---------- OPTIONS ---------->|"), "{}", trace.ladder());
//! assert!(trace.mermaid().contains("alice->>bob: OPTIONS"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "trace")]
pub mod capture;
#[cfg(feature = "trace")]
mod hep3;
mod ladder;
mod mermaid;
mod packet;
#[cfg(feature = "trace")]
mod pcapng;
mod rows;
mod svg;
#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::time::Time;

#[cfg(feature = "trace")]
pub use hep3::Hep3;
pub use packet::{Fate, Packet};
#[cfg(feature = "sim")]
pub(crate) use rows::label;

/// What went between some places, and what was said about it, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Trace {
    lanes: Vec<Lane>,
    entries: Vec<Entry>,
}

/// A place: a column of a ladder.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Lane {
    name: String,
    addresses: Vec<SocketAddr>,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Entry {
    Packet(Packet),
    Note { at: Time, lane: usize, text: String },
    Broken { at: Time, lane: usize, law: String },
}

impl Trace {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a place with all its addresses; gives its number. Places stand in the order in which
    /// they were added. An address that no place has gets one of its own, with its first packet.
    pub fn lane(&mut self, name: &str, addresses: &[SocketAddr]) -> usize {
        self.lanes.push(Lane {
            name: name.into(),
            addresses: addresses.to_vec(),
        });
        self.lanes.len().saturating_sub(1)
    }

    /// Adds a packet. Packets and notes come in the order of their times.
    pub fn packet(&mut self, packet: Packet) {
        for address in [packet.source, packet.target] {
            let known = packet.fate != Fate::Carried || self.place(address).is_some();
            if !known {
                self.lane(&address.to_string(), &[address]);
            }
        }
        self.entries.push(Entry::Packet(packet));
    }

    /// Adds a remark beside a place.
    pub fn note(&mut self, at: Time, lane: usize, text: &str) {
        let text = text.into();
        self.entries.push(Entry::Note { at, lane, text });
    }

    /// Adds a law or an invariant that was broken at a place.
    pub fn broken(&mut self, at: Time, lane: usize, law: &str) {
        let law = law.into();
        self.entries.push(Entry::Broken { at, lane, law });
    }

    /// The packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Packet(packet) => Some(packet),
            Entry::Note { .. } | Entry::Broken { .. } => None,
        })
    }

    /// The names of the places.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lanes.iter().map(|lane| lane.name.as_str())
    }

    fn place(&self, address: SocketAddr) -> Option<usize> {
        let has = |lane: &Lane| lane.addresses.contains(&address);
        self.lanes.iter().position(has)
    }
}

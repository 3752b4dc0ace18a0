//! What happened, with times.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::{Fate, Node};
use crate::time::Time;

/// A datagram that a node sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// When.
    pub at: Time,
    /// By which node.
    pub from: Node,
    /// From which address, as its receiver sees it.
    pub source: SocketAddr,
    /// To which node, if the address is one's.
    pub to: Option<Node>,
    /// To which address.
    pub remote: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
    /// What became of it.
    pub fate: Fate,
    /// How often it arrives.
    pub copies: usize,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Entry {
    /// A node sent a datagram.
    Sent(Sent),
    /// A datagram arrived; one that was duplicated does so twice.
    Arrived {
        /// When.
        at: Time,
        /// At which node.
        node: Node,
        /// The entry of its [`Sent`].
        sent: usize,
    },
    /// A user heard an event, an endpoint asked a question, or dropped something.
    Note {
        /// When.
        at: Time,
        /// At which node.
        node: Node,
        /// What, in words.
        text: String,
    },
    /// A law of the endpoint was broken: a fault of the crate.
    Broken {
        /// When.
        at: Time,
        /// At which node.
        node: Node,
        /// Which law.
        law: &'static str,
    },
}

/// All that happened, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Record {
    entries: Vec<Entry>,
}

impl Record {
    /// All entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was sent, in order.
    pub fn sent(&self) -> impl Iterator<Item = &Sent> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Sent(sent) => Some(sent),
            Entry::Arrived { .. } | Entry::Note { .. } | Entry::Broken { .. } => None,
        })
    }

    /// What a node's users heard and its endpoint said, in order.
    pub fn notes(&self, of: Node) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(move |entry| match entry {
            Entry::Note { node, text, .. } if *node == of => Some(text.as_str()),
            Entry::Note { .. } | Entry::Sent(_) | Entry::Arrived { .. } | Entry::Broken { .. } => {
                None
            }
        })
    }

    /// Which laws were broken. None, if the crate is right.
    pub fn broken(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Broken { law, .. } => Some(*law),
            Entry::Sent(_) | Entry::Arrived { .. } | Entry::Note { .. } => None,
        })
    }

    /// Adds an entry, and says which one it is.
    pub(super) fn add(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len().saturating_sub(1)
    }
}

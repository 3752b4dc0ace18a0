//! Address translation in front of a node.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::time::Time;

/// The first port that a translator takes.
const FIRST_PORT: u16 = 20_000;

/// A translator: each remote address has a port of its own, to which only it can send, and that is
/// forgotten when nothing was sent from it for a while (RFC 4787's worst).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Nat {
    public: IpAddr,
    forgets: Duration,
    next: u16,
    bindings: Vec<Binding>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Binding {
    remote: SocketAddr,
    port: u16,
    until: Time,
}

impl Nat {
    pub(super) fn new(public: IpAddr, forgets: Duration) -> Self {
        Self {
            public,
            forgets,
            next: FIRST_PORT,
            bindings: Vec::new(),
        }
    }

    /// What the source of a datagram to `remote` becomes.
    pub(super) fn source(&mut self, now: Time, remote: SocketAddr) -> SocketAddr {
        self.bindings.retain(|binding| binding.until >= now);
        let until = (now + self.forgets).unwrap_or(Time::MAX);
        let known = self.bindings.iter_mut().find(|b| b.remote == remote);
        let port = match known {
            Some(binding) => {
                binding.until = until;
                binding.port
            }
            None => {
                let port = self.next;
                self.next = port.checked_add(1).unwrap_or(FIRST_PORT);
                self.bindings.push(Binding {
                    remote,
                    port,
                    until,
                });
                port
            }
        };
        SocketAddr::new(self.public, port)
    }

    /// Whether what `source` sends to this address comes through.
    pub(super) fn lets_in(&self, now: Time, source: SocketAddr, to: SocketAddr) -> bool {
        let fits = |b: &Binding| b.remote == source && b.port == to.port() && b.until >= now;
        to.ip() == self.public && self.bindings.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_sent_to_can_answer_and_not_for_ever() {
        let remote: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let other: SocketAddr = "192.0.2.2:5060".parse().unwrap();
        let mut nat = Nat::new("198.51.100.1".parse().unwrap(), Duration::from_secs(30));
        let source = nat.source(Time::ZERO, remote);
        assert_eq!(source, "198.51.100.1:20000".parse().unwrap());
        assert!(nat.lets_in(Time::from_secs(30), remote, source));
        assert!(!nat.lets_in(Time::from_secs(30), other, source));
        assert!(!nat.lets_in(Time::from_secs(31), remote, source));
        // What is used stays; what is forgotten comes back as another.
        assert_eq!(nat.source(Time::from_secs(30), remote), source);
        assert_ne!(nat.source(Time::from_secs(61), remote), source);
    }
}

//! One UDP socket.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::counters::add;
use super::listen::second;
use crate::endpoint::{Input, Transmit, TransmitId};
use crate::transport::{Flow, FlowId, Transport};

/// The largest datagram that IP can carry.
const DATAGRAM: usize = 65_535;
/// How many datagrams wait for a socket that cannot send, before the oldest is given up. A
/// transaction repeats what it needs.
const BACKLOG: usize = 4096;

/// How many datagrams are read before what else there is to do is looked at.
pub(super) const BATCH: usize = 64;

/// A socket that does not block.
pub(super) trait Socket {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
}

/// A socket and what waits for it.
#[derive(Debug)]
pub(super) struct Datagrams<S> {
    pub(super) socket: S,
    pub(super) local: SocketAddr,
    unsent: VecDeque<Transmit>,
    pub(super) given_up: u64,
    buffer: Box<[u8]>,
}

impl<S: Socket> Datagrams<S> {
    pub(super) fn new(socket: S, local: SocketAddr) -> Self {
        Self {
            socket,
            local,
            unsent: VecDeque::new(),
            given_up: 0,
            buffer: vec![0; DATAGRAM].into(),
        }
    }

    /// Whether something waits for the socket.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// One datagram, if there is one. `None` ends the batch.
    pub(super) fn read(&mut self) -> io::Result<Option<Input>> {
        for _ in 0..BATCH {
            match self.socket.receive(&mut self.buffer) {
                Ok((length, remote)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    let bytes = Bytes::copy_from_slice(bytes);
                    let flow = self.flow_from(remote);
                    return Ok(Some(Input::Datagram { flow, bytes }));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                // What an earlier datagram met (ICMP). The socket goes on.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn flow_from(&self, remote: SocketAddr) -> Flow {
        let ip = remote.ip().to_canonical();
        let local = match second(self.local) {
            Some(second) if ip.is_ipv4() => second,
            _ => self.local,
        };
        Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local,
            // As it is, scope and all, unless it is of the other family.
            remote: match local == self.local {
                true => remote,
                false => SocketAddr::new(ip, remote.port()),
            },
        }
    }

    /// Puts a datagram behind those that wait.
    pub(super) fn push(&mut self, transmit: Transmit) {
        self.unsent.push_back(transmit);
    }

    /// Sends what can be sent now, until one fails.
    pub(super) fn flush(&mut self) -> Option<TransmitId> {
        while let Some(transmit) = self.unsent.front() {
            let to = match (self.local.ip(), transmit.flow.remote) {
                (IpAddr::V6(_), SocketAddr::V4(v4)) => {
                    SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()))
                }
                (_, to) => to,
            };
            match self.socket.send(&transmit.bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.unsent.len() > BACKLOG {
                        self.unsent.pop_front();
                        add(&mut self.given_up);
                    }
                    return None;
                }
                Ok(_) => {
                    self.unsent.pop_front();
                }
                Err(_) => return self.unsent.pop_front().map(|transmit| transmit.id),
            }
        }
        None
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::Interrupted
    )
}

//! One UDP socket.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use tokio::net::UdpSocket;

use super::second;
use crate::endpoint::{Input, Transmit, TransmitId};
use crate::time::Time;
use crate::transport::{Flow, FlowId, Transport};

/// The largest datagram that IP can carry.
const DATAGRAM: usize = 65_535;
/// How many datagrams are processed before what they caused is sent and others are looked at.
const BATCH: usize = 64;
/// How many are read before any is processed: more than come while a batch is processed, and few
/// enough that one who sends without end holds up nobody.
const READS: usize = 1024;
/// What a datagram in the queue costs besides its bytes.
const OVERHEAD: usize = 128;
/// How many datagrams wait for a socket that cannot send, before the oldest is given up. A
/// transaction repeats what it needs.
const BACKLOG: usize = 4096;

/// A socket and what waits for it.
#[derive(Debug)]
pub(super) struct Udp {
    socket: UdpSocket,
    pub(super) local: SocketAddr,
    unsent: VecDeque<Transmit>,
    pub(super) given_up: u64,
    buffer: Box<[u8]>,
    /// What was read and not processed yet, and when it was read.
    queue: VecDeque<(Time, Flow, Bytes)>,
    /// The bytes in it, and the most that there may be.
    queued: (usize, usize),
}

impl Udp {
    /// Of what comes it holds up to `most` bytes.
    pub(super) async fn bind(address: SocketAddr, most: usize) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            unsent: VecDeque::new(),
            given_up: 0,
            buffer: vec![0; DATAGRAM].into(),
            queue: VecDeque::new(),
            queued: (0, most),
        })
    }

    /// When something can be read, and there is room for it.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self.has_room() {
            true => self.socket.readable().await,
            false => std::future::pending().await,
        }
    }

    fn has_room(&self) -> bool {
        let (bytes, most) = self.queued;
        bytes < most || self.queue.is_empty()
    }

    /// Reads what has come. All of it is stamped before any is processed, so that its age says how
    /// long it waited.
    pub(super) fn fetch(&mut self, now: impl Fn() -> Time) -> io::Result<()> {
        for _ in 0..READS {
            if !self.has_room() {
                break;
            }
            let Some((flow, bytes)) = self.read()? else {
                break;
            };
            let cost = bytes.len().saturating_add(OVERHEAD);
            self.queued.0 = self.queued.0.saturating_add(cost);
            self.queue.push_back((now(), flow, bytes));
        }
        Ok(())
    }

    /// The oldest datagram that was read.
    pub(super) fn next(&mut self) -> Option<Input> {
        let (arrived, flow, bytes) = self.queue.pop_front()?;
        let cost = bytes.len().saturating_add(OVERHEAD);
        self.queued.0 = self.queued.0.saturating_sub(cost);
        if self.queue.is_empty() {
            // After a burst its memory is given back.
            self.queue.shrink_to(READS);
        }
        Some(Input::Delayed {
            flow,
            bytes,
            arrived,
        })
    }

    /// How many were read and not processed yet.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// When something waits and can be sent.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self.unsent.is_empty() {
            true => std::future::pending().await,
            false => self.socket.writable().await,
        }
    }

    /// One datagram, if there is one.
    fn read(&mut self) -> io::Result<Option<(Flow, Bytes)>> {
        for _ in 0..BATCH {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, remote)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    let bytes = Bytes::copy_from_slice(bytes);
                    return Ok(Some((self.flow_from(remote), bytes)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                // What an earlier datagram met (ICMP). The socket goes on.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    pub(super) const BATCH: usize = BATCH;

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
            match self.socket.try_send_to(&transmit.bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.unsent.len() > BACKLOG {
                        self.unsent.pop_front();
                        self.given_up = self.given_up.saturating_add(1);
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

//! One UDP socket.

use std::collections::VecDeque;
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;

use bytes::Bytes;
#[cfg(target_os = "linux")]
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

use super::clock::Clock;
use super::counters::add;
use super::listen::second;
use crate::endpoint::{Input, Transmit, TransmitId};
use crate::time::Time;
use crate::transport::{Flow, FlowId, Transport};

/// The largest datagram that IP can carry.
const DATAGRAM: usize = 65_535;
/// How many datagrams wait for a socket that cannot send, before the oldest is given up. A
/// transaction repeats what it needs.
const BACKLOG: usize = 4096;

/// How many datagrams are processed before what else there is to do is looked at.
pub(super) const BATCH: usize = 64;
/// How many are read before any is processed: more than come while a batch is processed, and few
/// enough that one who sends without end holds up nobody.
const READS: usize = 1024;
/// What a datagram in the queue costs besides its bytes.
const OVERHEAD: usize = 128;

/// How many datagrams are received one by one before those behind them are read together: where one
/// comes now and then, to make ready for many costs more than it saves.
#[cfg(target_os = "linux")]
const ALONE: usize = 4;

/// A socket that does not block.
pub(super) trait Socket {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    /// Receives what is there, a bounded number, at once.
    #[cfg(target_os = "linux")]
    fn receive_many(&self, many: &mut Many) -> io::Result<()>;
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
    #[cfg(target_os = "linux")]
    many: Many,
    /// What was read and not processed yet, and when it was read.
    queue: VecDeque<(Time, Flow, Bytes)>,
    /// The bytes in it, and the most that there may be.
    queued: (usize, usize),
}

impl<S: Socket> Datagrams<S> {
    /// Of what comes it holds up to `most` bytes.
    pub(super) fn new(socket: S, local: SocketAddr, most: usize) -> Self {
        Self {
            socket,
            local,
            unsent: VecDeque::new(),
            given_up: 0,
            buffer: vec![0; DATAGRAM].into(),
            #[cfg(target_os = "linux")]
            many: Many::default(),
            queue: VecDeque::new(),
            queued: (0, most),
        }
    }

    /// Whether something waits for the socket.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether more may be held: there is always room for one.
    pub(super) fn has_room(&self) -> bool {
        let (bytes, most) = self.queued;
        bytes < most || self.queue.is_empty()
    }

    /// Reads what has come. All of it is stamped before any is processed, so that its age says how
    /// long it waited. Whether all was read.
    pub(super) fn fetch(&mut self, clock: Clock) -> io::Result<bool> {
        for _ in 0..READS {
            if !self.has_room() {
                return Ok(false);
            }
            let Some((flow, bytes)) = self.read()? else {
                return Ok(true);
            };
            let cost = bytes.len().saturating_add(OVERHEAD);
            self.queued.0 = self.queued.0.saturating_add(cost);
            self.queue.push_back((clock.now(), flow, bytes));
        }
        Ok(false)
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

    /// One datagram, if there is one.
    fn read(&mut self) -> io::Result<Option<(Flow, Bytes)>> {
        for _ in 0..BATCH {
            match self.read_one() {
                Ok((remote, bytes)) => return Ok(Some((self.flow_from(remote), bytes))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    #[cfg(target_os = "linux")]
                    self.many.pause();
                    return Ok(None);
                }
                // What an earlier datagram met (ICMP). The socket goes on.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn read_one(&mut self) -> io::Result<(SocketAddr, Bytes)> {
        #[cfg(target_os = "linux")]
        {
            if self.many.is_due() {
                self.socket.receive_many(&mut self.many)?;
            }
            if let Some(arrived) = self.many.arrived.pop_front() {
                return Ok(arrived);
            }
        }
        let (length, remote) = self.socket.receive(&mut self.buffer)?;
        #[cfg(target_os = "linux")]
        self.many.count();
        let bytes = self.buffer.get(..length).unwrap_or_default();
        Ok((remote, Bytes::copy_from_slice(bytes)))
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

/// Datagrams that are received together.
#[cfg(target_os = "linux")]
#[derive(Default)]
pub(super) struct Many {
    /// How many were received one by one without a pause.
    alone: usize,
    /// Made when they are needed.
    buffers: Vec<Box<[u8]>>,
    arrived: VecDeque<(SocketAddr, Bytes)>,
}

#[cfg(target_os = "linux")]
impl std::fmt::Debug for Many {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Many")
            .field("alone", &self.alone)
            .field("arrived", &self.arrived.len())
            .finish_non_exhaustive()
    }
}

#[cfg(target_os = "linux")]
impl Many {
    /// One was received alone.
    fn count(&mut self) {
        self.alone = self.alone.saturating_add(1);
    }

    /// There was nothing to receive.
    fn pause(&mut self) {
        self.alone = 0;
    }

    /// Whether it is worth to receive several.
    fn is_due(&self) -> bool {
        self.arrived.is_empty() && self.alone >= ALONE
    }

    /// Receives what is there, as many as there are buffers.
    pub(super) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<()> {
        if self.buffers.is_empty() {
            let buffer = || vec![0; DATAGRAM].into();
            self.buffers = std::iter::repeat_with(buffer).take(AT_ONCE).collect();
        }
        let buffers = self.buffers.iter_mut();
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(AT_ONCE, None);
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            flags,
            None,
        )?;
        for message in received {
            let remote = message.address.as_ref().and_then(address);
            let bytes = message.iovs().next().unwrap_or_default();
            let arrived = remote.map(|remote| (remote, Bytes::copy_from_slice(bytes)));
            self.arrived.extend(arrived);
        }
        Ok(())
    }
}

/// How many datagrams are received with one call of the system.
#[cfg(target_os = "linux")]
const AT_ONCE: usize = 32;

#[cfg(target_os = "linux")]
fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| Some(SocketAddr::V6((*storage.as_sockaddr_in6()?).into())))
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

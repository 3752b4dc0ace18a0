//! A listening TCP socket and its connections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use smallvec::SmallVec;

use super::super::core::WRITE_WAIT;
use super::super::counters::Counters;
use super::super::pool::{self, BACKLOG, Directory, Found, Job, Kind, Pool, Refusal, Ticket};
use super::LISTENER;
use crate::endpoint::{Disconnect, Transmit};
use crate::time::Time;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
/// How many connections are accepted, or read a chunk of, before what else there is to do is looked
/// at.
const BATCH: usize = 64;
/// How many messages are written at once.
const SLICES: usize = 16;
/// How long opening a connection may take; a transaction waits 32 s in all.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted, for want of descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(50);

/// A connection, and what waits to be written to it.
#[derive(Debug)]
struct Line {
    stream: TcpStream,
    unsent: VecDeque<Job>,
    /// When what waits must have moved.
    stuck: Option<Time>,
}

impl pool::Line for Line {
    const WAITS: bool = true;

    fn write(&mut self, job: Job) -> bool {
        let has_room = self.unsent.len() < BACKLOG;
        if has_room {
            self.unsent.push_back(job);
        }
        has_room
    }
}

impl Line {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            unsent: VecDeque::new(),
            stuck: None,
        }
    }

    /// Writes what can be written now.
    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let slices: SmallVec<[IoSlice<'_>; SLICES]> = self
                .unsent
                .iter()
                .take(SLICES)
                .map(|job| IoSlice::new(&job.bytes))
                .collect();
            let written = self.stream.write_vectored(&slices);
            drop(slices);
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// So many bytes are written.
    fn advance(&mut self, mut written: usize) {
        while let Some(job) = self.unsent.front_mut() {
            let length = job.bytes.len();
            if length > written {
                job.bytes.advance(written);
                return;
            }
            written = written.saturating_sub(length);
            self.unsent.pop_front();
        }
    }

    fn take_tickets(&mut self) -> Vec<Ticket> {
        let unsent = std::mem::take(&mut self.unsent);
        unsent.into_iter().filter_map(|job| job.ticket).collect()
    }
}

/// A listening socket and its connections.
#[derive(Debug)]
pub(super) struct Tcp {
    listener: TcpListener,
    registry: Registry,
    pool: Pool<Line, TcpStream>,
    /// When connections may be there to accept that nobody will tell of again.
    accept_at: Option<Time>,
    /// Which connections may have something to read that nobody will tell of again.
    readable: BTreeSet<u64>,
    /// When connections must be open, and what waits on them must be written.
    deadlines: BTreeSet<(Time, u64)>,
    /// What is written yet to connections that have ended.
    closing: BTreeMap<u64, Line>,
    chunk: Box<[u8]>,
}

impl Tcp {
    pub(super) fn new(
        mut listener: TcpListener,
        registry: Registry,
        kind: Kind,
        directory: Option<Directory>,
    ) -> io::Result<Self> {
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            listener,
            registry,
            pool: Pool::new(kind, directory),
            accept_at: Some(Time::ZERO),
            readable: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            closing: BTreeMap::new(),
            chunk: vec![0; CHUNK].into(),
        })
    }

    pub(super) fn connections(&self) -> usize {
        self.pool.len()
    }

    /// Whether a message waits for a connection.
    pub(super) fn has_unsent(&self) -> bool {
        let waits = |line: &Line| !line.unsent.is_empty();
        !self.closing.is_empty() || self.pool.has_unsent(waits)
    }

    pub(super) fn counters(&self) -> Counters {
        self.pool.counters
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        let own = self.deadlines.first().map(|(at, _)| *at);
        let all = [self.pool.deadline(), own, self.accept_at];
        all.into_iter().flatten().min()
    }

    /// Whether something may be readable that nobody will tell of again.
    pub(super) fn has_more(&self) -> bool {
        !self.readable.is_empty()
    }

    /// See [`Pool::elsewhere`].
    pub(super) fn elsewhere(&self, transmit: &Transmit) -> Option<u32> {
        self.pool.elsewhere(transmit)
    }

    /// What an endpoint is to hear next.
    pub(super) fn next_found(&mut self) -> Option<Found> {
        self.pool.next_found()
    }

    /// The operating system says that there is something to do.
    pub(super) fn on_ready(&mut self, now: Time, token: Token, event: &Event) {
        if token == LISTENER {
            self.accept_at = Some(now);
            return;
        }
        let id = token.0 as u64;
        if self.pool.is_opening(id) {
            self.on_maybe_open(now, id);
        }
        if event.is_writable() || event.is_error() {
            self.flush_one(now, id);
        }
        // An error is told by reading.
        self.readable.insert(id);
    }

    /// Accepts and reads.
    pub(super) fn work(&mut self, now: Time) {
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept(now);
        }
        let mut batch = 0_usize;
        for id in std::mem::take(&mut self.readable) {
            // The rest is for the next time.
            if batch >= BATCH || self.read(now, id) {
                self.readable.insert(id);
            }
            batch = batch.saturating_add(1);
        }
    }

    pub(super) fn on_deadline(&mut self, now: Time) {
        self.pool.on_deadline(now);
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.pop_first();
            if self.pool.is_opening(id) {
                self.pool.on_connect_failed(id, Refusal::Failed);
            } else if let Some(line) = self.pool.line(id) {
                if line.stuck.is_some_and(|at| at <= now) {
                    line.stuck = None;
                    self.on_broken(now, id);
                }
            } else if self
                .closing
                .get(&id)
                .is_some_and(|line| line.stuck <= Some(now))
            {
                self.close(id);
            }
        }
    }

    /// Writes to a connection, if need be to a new one. Whether there is any.
    pub(super) fn send(&mut self, now: Time, transmit: Transmit, shard: u32) -> bool {
        let Self {
            pool,
            registry,
            deadlines,
            ..
        } = self;
        pool.send(now, transmit, shard, |id, (remote, _)| {
            let stream = connect(*remote, registry, id).ok()?;
            deadlines.extend((now + CONNECT_WAIT).map(|at| (at, id)));
            Some(stream)
        })
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, now: Time) {
        for id in self.pool.take_written() {
            self.flush_one(now, id);
        }
    }

    /// Connections whose machines have ended are closed when what was to be written is written.
    pub(super) fn close_ended(&mut self, now: Time) {
        for (id, mut line) in self.pool.take_ended() {
            self.forget_stuck(id, line.stuck.take());
            line.stuck = now + WRITE_WAIT;
            self.deadlines.extend(line.stuck.map(|at| (at, id)));
            self.closing.insert(id, line);
            self.flush_one(now, id);
        }
    }

    fn accept(&mut self, now: Time) {
        for _ in 0..BATCH {
            match self.listener.accept() {
                Ok((stream, remote)) => {
                    let Self { pool, registry, .. } = self;
                    pool.on_accepted(now, remote, |id| {
                        let mut stream = stream;
                        register(registry, &mut stream, id).ok()?;
                        Some(Line::new(stream))
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accept_at = None;
                    return;
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(_) => {
                    self.accept_at = now + ACCEPT_WAIT;
                    return;
                }
            }
        }
        self.accept_at = Some(now);
    }

    /// Something happened to a connection that is being opened.
    fn on_maybe_open(&mut self, now: Time, id: u64) {
        let Some(stream) = self.pool.opening(id) else {
            return;
        };
        let failed = match (stream.take_error(), stream.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => Some(error),
            (Ok(None), Ok(_)) => None,
            // It is not open yet.
            (Ok(None), Err(_)) => return,
        };
        match failed {
            None => {
                self.pool.on_connected(now, id, Line::new);
                self.flush(now);
            }
            Some(error) => {
                let how = match error.kind() == io::ErrorKind::ConnectionRefused {
                    true => Refusal::Refused,
                    false => Refusal::Failed,
                };
                self.pool.on_connect_failed(id, how);
            }
        }
    }

    /// Reads a chunk. Whether there may be more.
    fn read(&mut self, now: Time, id: u64) -> bool {
        let Some(line) = self.pool.line(id) else {
            return false;
        };
        match line.stream.read(&mut self.chunk) {
            Ok(0) => self.pool.on_closed(now, id, Disconnect::Closed),
            Ok(length) => {
                let bytes = self.chunk.get(..length).unwrap_or_default();
                let bytes = Bytes::copy_from_slice(bytes);
                self.pool.on_received(now, id, bytes);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(_) => self.pool.on_closed(now, id, Disconnect::Broken),
        }
        false
    }

    fn flush_one(&mut self, now: Time, id: u64) {
        if let Some(line) = self.closing.get_mut(&id) {
            if line.flush().is_err() || line.unsent.is_empty() {
                self.close(id);
            }
            return;
        }
        let Some(line) = self.pool.line(id) else {
            return;
        };
        let before = line.unsent.len();
        let is_broken = line.flush().is_err();
        let has_moved = line.unsent.len() < before;
        let is_stuck = !line.unsent.is_empty();
        let armed = line.stuck;
        if is_stuck && (has_moved || armed.is_none()) {
            line.stuck = now + WRITE_WAIT;
        } else if !is_stuck {
            line.stuck = None;
        }
        if line.stuck != armed {
            let stuck = line.stuck;
            self.forget_stuck(id, armed);
            self.deadlines.extend(stuck.map(|at| (at, id)));
        }
        if is_broken {
            self.on_broken(now, id);
        }
    }

    /// What waits for it has failed.
    fn on_broken(&mut self, now: Time, id: u64) {
        let Some(line) = self.pool.line(id) else {
            return;
        };
        let tickets = line.take_tickets();
        self.pool.on_unsent(tickets);
        self.pool.on_closed(now, id, Disconnect::Broken);
    }

    fn forget_stuck(&mut self, id: u64, armed: Option<Time>) {
        if let Some(at) = armed {
            self.deadlines.remove(&(at, id));
        }
    }

    /// Closes what has nothing to write any more, or was not read in time.
    fn close(&mut self, id: u64) {
        let Some(mut line) = self.closing.remove(&id) else {
            return;
        };
        self.forget_stuck(id, line.stuck);
        self.readable.remove(&id);
        // What fails is closed already.
        let _ = self.registry.deregister(&mut line.stream);
        let _ = line.stream.shutdown(Shutdown::Write);
    }
}

fn connect(remote: SocketAddr, registry: &Registry, id: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(remote)?;
    register(registry, &mut stream, id)?;
    Ok(stream)
}

fn register(registry: &Registry, stream: &mut TcpStream, id: u64) -> io::Result<()> {
    // Messages are written whole: waiting for more gains nothing. One that is not open yet may
    // not take the option everywhere.
    let _ = stream.set_nodelay(true);
    let token = usize::try_from(id).map_err(io::Error::other)?;
    registry.register(
        stream,
        Token(token),
        Interest::READABLE | Interest::WRITABLE,
    )
}

/// The other side was gone before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

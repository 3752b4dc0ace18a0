//! A listening socket for connections of one transport, and its connections.
//!
//! Each connection has a task that reads and one that writes; what they find comes to the driver
//! through one bounded queue, so that streams are not read faster than the endpoint works. What a
//! connection means is for its [`Connection`] machine to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

use super::carrier::{Carrier, Duplex, Reader, Writer};
use crate::endpoint::{Disconnect, Input, Transmit, TransmitId};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::seed::Ids;
use crate::time::Time;
use crate::transport::stream::{Action, Connection, Event, Role};
use crate::transport::{Flow, FlowId, Transport};

/// What the tasks may have found before they wait for the driver.
const NEWS: usize = 1024;
/// What may wait to be written to one connection before it counts as broken.
const BACKLOG: usize = 1024;
/// How long opening a connection may take, its handshakes included; a transaction waits 32 s in
/// all.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted, for want of descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(50);

/// What a task found.
enum News {
    Accepted(Duplex, SocketAddr),
    /// Somebody connected, and no handshake came of it.
    Failed,
    /// Too many are in their handshakes.
    Refused,
    Connected(u64, io::Result<Duplex>),
    Read(u64, Bytes),
    Closed(u64),
    Unsent(Vec<TransmitId>),
}

/// Bytes to write, and what to say if they cannot be.
#[derive(Debug)]
struct Job {
    bytes: Bytes,
    id: Option<TransmitId>,
}

/// A listening socket and its connections, each with a number that is never used again.
pub(super) struct Streams {
    pub(super) local: SocketAddr,
    carrier: Carrier,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    accepting: AbortHandle,
    places: BTreeMap<u64, Place>,
    /// The newest connection with each peer, under the name that it was opened for.
    by_peer: BTreeMap<Peer, u64>,
    deadlines: BTreeSet<(Time, u64)>,
    /// The number of the next connection. Transports count in steps, so that they never meet.
    next: u64,
    inputs: VecDeque<Input>,
    arrived: VecDeque<News>,
    ended: Vec<u64>,
    limits: Arc<Limits>,
    ids: Ids,
    pub(super) refused: u64,
    pub(super) failed: u64,
}

/// An address, and the name of the host that was wanted there.
type Peer = (SocketAddr, Option<Arc<str>>);

/// More than there are transports.
const STEP: u64 = 8;

/// A connection in the table.
#[derive(Debug)]
enum Place {
    Opening {
        peer: Peer,
        waiting: Vec<Job>,
        task: AbortHandle,
    },
    Open(Box<Open>),
}

#[derive(Debug)]
struct Open {
    flow: Flow,
    host: Option<Arc<str>>,
    machine: Connection,
    armed: Option<Time>,
    writer: mpsc::Sender<Job>,
    reading: AbortHandle,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("local", &self.local)
            .field("transport", &self.transport())
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Streams {
    /// `number` tells the transports of one driver apart: under [`STEP`].
    pub(super) async fn bind(
        address: SocketAddr,
        carrier: Carrier,
        number: u64,
        limits: Limits,
        ids: Ids,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        let news = mpsc::channel(NEWS);
        let most = limits.connections;
        let accepting = accept(listener, carrier.clone(), most, news.0.clone());
        let accepting = tokio::spawn(accepting).abort_handle();
        Ok(Self {
            local,
            carrier,
            news,
            accepting,
            places: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            // Zero names no connection.
            next: number.saturating_add(1),
            inputs: VecDeque::new(),
            arrived: VecDeque::new(),
            ended: Vec::new(),
            limits: Arc::new(limits),
            ids,
            refused: 0,
            failed: 0,
        })
    }

    pub(super) fn connections(&self) -> usize {
        self.places.len()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn transport(&self) -> Transport {
        self.carrier.transport()
    }

    /// Whether a task has found something. Nothing is lost if nobody comes again.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // The sender is here, so there is always one.
        self.news
            .1
            .poll_recv(context)
            .map(|news| self.arrived.extend(news))
    }

    /// What the endpoint is to hear next.
    pub(super) fn next_input(&mut self, now: Time) -> Option<Input> {
        loop {
            if let Some(input) = self.inputs.pop_front() {
                return Some(input);
            }
            let news = self.arrived.pop_front()?;
            self.on_news(now, news);
        }
    }

    /// Connections whose machines have ended are closed when what was to be written is written.
    pub(super) fn close_ended(&mut self) {
        for id in std::mem::take(&mut self.ended) {
            self.forget(id);
        }
    }

    pub(super) fn on_deadline(&mut self, now: Time) {
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.drive(id, |machine, out| machine.on_deadline(now, out));
        }
    }

    /// Writes to the connection that the flow names, or to one with the same peer, or to a new
    /// one. Whether there is any.
    pub(super) fn send(&mut self, now: Time, transmit: Transmit) -> bool {
        let Transmit {
            flow,
            bytes,
            id,
            host,
            ..
        } = transmit;
        let named = flow.id.as_u64();
        let peer = (flow.remote, host);
        let known = match named {
            0 => self.known(&peer),
            named => Some(named),
        };
        let job = Job {
            bytes,
            id: Some(id),
        };
        match known.and_then(|known| Some((known, self.places.get_mut(&known)?))) {
            Some((known, Place::Open(open))) => {
                let is_sent = open.writer.try_send(job).is_ok();
                if is_sent {
                    self.drive(known, |machine, out| machine.receive(now, Event::Sent, out));
                }
                is_sent
            }
            Some((_, Place::Opening { waiting, .. })) => {
                let has_room = waiting.len() < BACKLOG;
                if has_room {
                    waiting.push(job);
                }
                has_room
            }
            // A connection that is gone cannot be had back: the other side opened it.
            None if named != 0 => false,
            None => self.connect(peer, job),
        }
    }

    /// A connection with this peer. One that was opened for one name is not taken for another
    /// (RFC 5923 5, RFC 5922 7.3); whoever asks for an address takes any.
    fn known(&self, peer: &Peer) -> Option<u64> {
        let same = self.by_peer.get(peer).copied();
        let (remote, host) = peer;
        let any = || {
            let mut others = self.by_peer.range((*remote, None)..);
            let ((at, _), id) = others.next()?;
            (host.is_none() && at == remote).then_some(*id)
        };
        same.or_else(any)
    }

    fn connect(&mut self, peer: Peer, job: Job) -> bool {
        let Some(id) = self.new_id() else {
            return false;
        };
        let news = self.news.0.clone();
        let (carrier, (remote, host)) = (self.carrier.clone(), peer.clone());
        let task = tokio::spawn(async move {
            let stream = timeout(CONNECT_WAIT, carrier.connect(remote, host.as_deref())).await;
            let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let _ = news.send(News::Connected(id, stream)).await;
        });
        let place = Place::Opening {
            peer: peer.clone(),
            waiting: vec![job],
            task: task.abort_handle(),
        };
        self.places.insert(id, place);
        self.by_peer.insert(peer, id);
        true
    }

    /// A number for one connection more, if there may be one.
    fn new_id(&mut self) -> Option<u64> {
        if self.places.len() >= self.limits.connections {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        let id = self.next;
        self.next = id.wrapping_add(STEP);
        Some(id)
    }

    fn on_news(&mut self, now: Time, news: News) {
        match news {
            News::Accepted(stream, remote) => {
                if let Some(id) = self.new_id() {
                    self.open(now, id, Role::Server, stream, (remote, None));
                }
            }
            News::Failed => self.failed = self.failed.saturating_add(1),
            News::Refused => self.refused = self.refused.saturating_add(1),
            News::Connected(id, stream) => self.on_connected(now, id, stream),
            News::Read(id, bytes) => {
                self.drive(id, |machine, out| {
                    machine.receive(now, Event::Received(bytes), out);
                });
            }
            News::Closed(id) => {
                self.drive(id, |machine, out| machine.receive(now, Event::Closed, out));
            }
            News::Unsent(ids) => {
                let failed = ids.into_iter().map(|id| Input::SendFailed { id });
                self.inputs.extend(failed);
            }
        }
    }

    fn on_connected(&mut self, now: Time, id: u64, stream: io::Result<Duplex>) {
        let Some(Place::Opening { peer, waiting, .. }) = self.places.remove(&id) else {
            return;
        };
        match stream {
            Ok(stream) => {
                self.open(now, id, Role::Client, stream, peer);
                let Some(Place::Open(open)) = self.places.get_mut(&id) else {
                    return;
                };
                for job in waiting {
                    // There is room for all that could wait.
                    let _ = open.writer.try_send(job);
                }
            }
            Err(error) => {
                self.by_peer.retain(|_, known| *known != id);
                let failed = waiting.into_iter().filter_map(|job| job.id);
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                self.inputs.extend(failed.map(|id| match refused {
                    true => Input::Refused { id },
                    false => Input::SendFailed { id },
                }));
            }
        }
    }

    fn open(&mut self, now: Time, id: u64, role: Role, stream: Duplex, peer: Peer) {
        let (reader, writer_half) = stream;
        let (writer, jobs) = mpsc::channel(BACKLOG);
        let news = self.news.0.clone();
        let reading = tokio::spawn(read(id, reader, news.clone())).abort_handle();
        tokio::spawn(write(id, writer_half, jobs, news));
        let flow = Flow {
            id: FlowId::new(id),
            transport: self.transport(),
            local: self.local,
            remote: peer.0,
        };
        let (limits, ids) = (Arc::clone(&self.limits), self.ids.clone());
        let place = Place::Open(Box::new(Open {
            flow,
            host: peer.1.clone(),
            machine: Connection::new(now, role, limits, ids, id)
                .with_framing(self.carrier.framing()),
            armed: None,
            writer,
            reading,
        }));
        self.places.insert(id, place);
        self.by_peer.insert(peer, id);
        self.drive(id, |_, _| {});
    }

    /// Calls the machine of a connection and does what it wants.
    fn drive(&mut self, id: u64, call: impl FnOnce(&mut Connection, &mut Vec<Action>)) {
        let Some(Place::Open(open)) = self.places.get_mut(&id) else {
            return;
        };
        let mut actions = Vec::new();
        call(&mut open.machine, &mut actions);
        let armed = open.machine.deadline();
        if let Some(before) = std::mem::replace(&mut open.armed, armed) {
            self.deadlines.remove(&(before, id));
        }
        self.deadlines.extend(armed.map(|at| (at, id)));
        let flow = open.flow;
        for action in actions {
            match action {
                Action::Message(bytes) => self.inputs.push_back(Input::Datagram { flow, bytes }),
                Action::Transmit(bytes) => {
                    // Who does not read what it asked for can do without.
                    let _ = open.writer.try_send(Job { bytes, id: None });
                }
                Action::Malformed(error) => self.inputs.push_back(Input::Malformed { flow, error }),
                Action::Padding | Action::Close(_) => {}
                Action::Terminated => {
                    let how = Disconnect::Closed;
                    self.inputs.push_back(Input::Disconnected { flow, how });
                    self.ended.push(id);
                }
            }
        }
    }

    /// Its writer ends when it has written what waits; its reader ends at once.
    fn forget(&mut self, id: u64) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        let peer = match place {
            Place::Open(open) => {
                open.reading.abort();
                if let Some(at) = open.armed {
                    self.deadlines.remove(&(at, id));
                }
                (open.flow.remote, open.host)
            }
            Place::Opening { peer, task, .. } => {
                task.abort();
                peer
            }
        };
        if self.by_peer.get(&peer) == Some(&id) {
            self.by_peer.remove(&peer);
        }
    }
}

/// Nothing of it runs on.
impl Drop for Streams {
    fn drop(&mut self) {
        self.accepting.abort();
        let ids: Vec<u64> = self.places.keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
    }
}

/// Takes connections, and sees to the handshakes of at most so many at once. They end with it.
async fn accept(listener: TcpListener, carrier: Carrier, most: usize, news: mpsc::Sender<News>) {
    let mut handshakes = JoinSet::new();
    let is_bare = carrier.is_bare();
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                sleep(ACCEPT_WAIT).await;
                continue;
            }
        };
        while handshakes.try_join_next().is_some() {}
        if handshakes.len() >= most {
            if news.send(News::Refused).await.is_err() {
                return;
            }
            continue;
        }
        let (carrier, news) = (carrier.clone(), news.clone());
        let ready = async move {
            let found = match timeout(CONNECT_WAIT, carrier.accept(stream)).await {
                Ok(Ok(duplex)) => News::Accepted(duplex, remote),
                Ok(Err(_)) | Err(_) => News::Failed,
            };
            let _ = news.send(found).await;
        };
        match is_bare {
            true => ready.await,
            false => drop(handshakes.spawn(ready)),
        }
    }
}

async fn read(id: u64, mut stream: Reader, news: mpsc::Sender<News>) {
    while let Some(bytes) = stream.next().await {
        if news.send(News::Read(id, bytes)).await.is_err() {
            return;
        }
    }
    let _ = news.send(News::Closed(id)).await;
}

async fn write(
    id: u64,
    mut stream: Writer,
    mut jobs: mpsc::Receiver<Job>,
    news: mpsc::Sender<News>,
) {
    while let Some(job) = jobs.recv().await {
        if stream.write(&job.bytes).await.is_err() {
            jobs.close();
            let mut unsent: Vec<TransmitId> = job.id.into_iter().collect();
            while let Some(job) = jobs.recv().await {
                unsent.extend(job.id);
            }
            let _ = news.send(News::Unsent(unsent)).await;
            let _ = news.send(News::Closed(id)).await;
            return;
        }
    }
    stream.close().await;
}

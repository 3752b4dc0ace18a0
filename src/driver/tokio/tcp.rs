//! A listening TCP socket and its connections.
//!
//! Each connection has a task that reads and one that writes; what they find comes to the driver
//! through one bounded queue, so that streams are not read faster than the endpoint works. What a
//! connection means is for its [`Connection`] machine to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Duration, sleep, timeout};

use crate::endpoint::{Disconnect, Input, Transmit, TransmitId};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::seed::Ids;
use crate::time::Time;
use crate::transport::stream::{Action, Connection, Event, Role};
use crate::transport::{Flow, FlowId, Transport};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// What the tasks may have found before they wait for the driver.
const NEWS: usize = 1024;
/// What may wait to be written to one connection before it counts as broken.
const BACKLOG: usize = 1024;
/// How long opening a connection may take; a transaction waits 32 s in all.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted, for want of descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(50);

/// What a task found.
#[derive(Debug)]
enum News {
    Accepted(TcpStream, SocketAddr),
    Connected(u64, io::Result<TcpStream>),
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
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) local: SocketAddr,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    accepting: AbortHandle,
    places: BTreeMap<u64, Place>,
    /// The newest connection with each peer.
    by_remote: BTreeMap<SocketAddr, u64>,
    deadlines: BTreeSet<(Time, u64)>,
    last: u64,
    inputs: VecDeque<Input>,
    arrived: VecDeque<News>,
    ended: Vec<u64>,
    limits: Arc<Limits>,
    ids: Ids,
    pub(super) refused: u64,
}

/// A connection in the table.
#[derive(Debug)]
enum Place {
    Opening {
        remote: SocketAddr,
        waiting: Vec<Job>,
        task: AbortHandle,
    },
    Open(Box<Open>),
}

#[derive(Debug)]
struct Open {
    flow: Flow,
    machine: Connection,
    armed: Option<Time>,
    writer: mpsc::Sender<Job>,
    reading: AbortHandle,
}

impl Tcp {
    pub(super) async fn bind(address: SocketAddr, limits: Limits, ids: Ids) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        let news = mpsc::channel(NEWS);
        let accepting = tokio::spawn(accept(listener, news.0.clone())).abort_handle();
        Ok(Self {
            local,
            news,
            accepting,
            places: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            last: 0,
            inputs: VecDeque::new(),
            arrived: VecDeque::new(),
            ended: Vec::new(),
            limits: Arc::new(limits),
            ids,
            refused: 0,
        })
    }

    pub(super) fn connections(&self) -> usize {
        self.places.len()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Waits until a task has found something. Nothing is lost if it is dropped.
    pub(super) async fn wait(&mut self) {
        // The sender is here, so there is always one.
        if let Some(news) = self.news.1.recv().await {
            self.arrived.push_back(news);
        }
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
            flow, bytes, id, ..
        } = transmit;
        let named = flow.id.as_u64();
        let known = match named {
            0 => self.by_remote.get(&flow.remote).copied(),
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
            None => self.connect(flow.remote, job),
        }
    }

    fn connect(&mut self, remote: SocketAddr, job: Job) -> bool {
        let Some(id) = self.new_id() else {
            return false;
        };
        let news = self.news.0.clone();
        let task = tokio::spawn(async move {
            let stream = timeout(CONNECT_WAIT, TcpStream::connect(remote)).await;
            let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let _ = news.send(News::Connected(id, stream)).await;
        });
        let place = Place::Opening {
            remote,
            waiting: vec![job],
            task: task.abort_handle(),
        };
        self.places.insert(id, place);
        self.by_remote.insert(remote, id);
        true
    }

    /// A number for one connection more, if there may be one.
    fn new_id(&mut self) -> Option<u64> {
        if self.places.len() >= self.limits.connections {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        self.last = self.last.wrapping_add(1);
        Some(self.last)
    }

    fn on_news(&mut self, now: Time, news: News) {
        match news {
            News::Accepted(stream, remote) => {
                if let Some(id) = self.new_id() {
                    self.open(now, id, Role::Server, stream, remote);
                }
            }
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

    fn on_connected(&mut self, now: Time, id: u64, stream: io::Result<TcpStream>) {
        let Some(Place::Opening {
            remote, waiting, ..
        }) = self.places.remove(&id)
        else {
            return;
        };
        match stream {
            Ok(stream) => {
                self.open(now, id, Role::Client, stream, remote);
                let Some(Place::Open(open)) = self.places.get_mut(&id) else {
                    return;
                };
                for job in waiting {
                    // There is room for all that could wait.
                    let _ = open.writer.try_send(job);
                }
            }
            Err(error) => {
                self.by_remote.retain(|_, known| *known != id);
                let failed = waiting.into_iter().filter_map(|job| job.id);
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                self.inputs.extend(failed.map(|id| match refused {
                    true => Input::Refused { id },
                    false => Input::SendFailed { id },
                }));
            }
        }
    }

    fn open(&mut self, now: Time, id: u64, role: Role, stream: TcpStream, remote: SocketAddr) {
        // Messages are written whole: waiting for more gains nothing.
        let _ = stream.set_nodelay(true);
        let (read_half, write_half) = stream.into_split();
        let (writer, jobs) = mpsc::channel(BACKLOG);
        let news = self.news.0.clone();
        let reading = tokio::spawn(read(id, read_half, news.clone())).abort_handle();
        tokio::spawn(write(id, write_half, jobs, news));
        let flow = Flow {
            id: FlowId::new(id),
            transport: Transport::Tcp,
            local: self.local,
            remote,
        };
        let (limits, ids) = (Arc::clone(&self.limits), self.ids.clone());
        let place = Place::Open(Box::new(Open {
            flow,
            machine: Connection::new(now, role, limits, ids, id),
            armed: None,
            writer,
            reading,
        }));
        self.places.insert(id, place);
        self.by_remote.insert(remote, id);
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
        let remote = match place {
            Place::Open(open) => {
                open.reading.abort();
                if let Some(at) = open.armed {
                    self.deadlines.remove(&(at, id));
                }
                open.flow.remote
            }
            Place::Opening { remote, task, .. } => {
                task.abort();
                remote
            }
        };
        if self.by_remote.get(&remote) == Some(&id) {
            self.by_remote.remove(&remote);
        }
    }
}

/// Nothing of it runs on.
impl Drop for Tcp {
    fn drop(&mut self) {
        self.accepting.abort();
        let ids: Vec<u64> = self.places.keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
    }
}

async fn accept(listener: TcpListener, news: mpsc::Sender<News>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if news.send(News::Accepted(stream, remote)).await.is_err() {
                    return;
                }
            }
            Err(_) => sleep(ACCEPT_WAIT).await,
        }
    }
}

async fn read(id: u64, mut stream: OwnedReadHalf, news: mpsc::Sender<News>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => {
                let _ = news.send(News::Closed(id)).await;
                return;
            }
            Ok(_) => {
                let read = News::Read(id, buffer.split().freeze());
                if news.send(read).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(
    id: u64,
    mut stream: OwnedWriteHalf,
    mut jobs: mpsc::Receiver<Job>,
    news: mpsc::Sender<News>,
) {
    while let Some(job) = jobs.recv().await {
        if stream.write_all(&job.bytes).await.is_err() {
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
    let _ = stream.shutdown().await;
}

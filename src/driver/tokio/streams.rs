//! A listening socket for connections of one transport, and its connections.
//!
//! Each connection has a task that reads and one that writes; what they find comes to the driver
//! through one bounded queue, so that streams are not read faster than the endpoint works.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

use super::super::core::WRITE_WAIT;
use super::super::counters::{Counters, add};
use super::super::pool::{self, BACKLOG, Directory, Found, Job, Kind, Pool, Refusal, Ticket};
use super::carrier::{Carrier, Duplex, Reader, Writer};
use crate::endpoint::{Disconnect, Transmit};
use crate::time::Time;
use crate::transport::Transport;

/// What the tasks may have found before they wait for the driver.
const NEWS: usize = 1024;
/// How much of it is heard before what else there is to do is looked at.
const BATCH: usize = 64;
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
    Closed(u64, Disconnect),
    Unsent(Vec<Ticket>),
}

/// What the tasks of a driver have not written yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsent(Arc<(AtomicUsize, Notify)>);

impl Unsent {
    pub(super) fn is_empty(&self) -> bool {
        self.0.0.load(Ordering::Acquire) == 0
    }

    /// Waits until it has become empty. It may have happened before, and it may not last.
    pub(super) async fn emptied(&self) {
        self.0.1.notified().await;
    }

    fn add(&self) -> Pending {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        Pending(self.clone())
    }
}

/// A message that is not written, until it is dropped: written or lost.
#[derive(Debug)]
struct Pending(Unsent);

impl Drop for Pending {
    fn drop(&mut self) {
        let Unsent(unsent) = &self.0;
        if unsent.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            unsent.1.notify_one();
        }
    }
}

/// What writes to a connection. Its writer ends when it has written what waits; its reader ends at
/// once.
#[derive(Debug)]
struct Line {
    writer: mpsc::Sender<(Job, Pending)>,
    reading: AbortHandle,
    unsent: Unsent,
}

impl pool::Line for Line {
    const WAITS: bool = false;

    fn write(&mut self, job: Job) -> bool {
        self.writer.try_send((job, self.unsent.add())).is_ok()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// A connection that is being opened.
#[derive(Debug)]
struct Opening(AbortHandle);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A listening socket and its connections.
pub(super) struct Streams {
    carrier: Carrier,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    accepting: AbortHandle,
    pool: Pool<Line, Opening>,
    unsent: Unsent,
    arrived: Option<News>,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("local", &self.local())
            .field("transport", &self.transport())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

impl Streams {
    pub(super) fn new(
        listener: std::net::TcpListener,
        carrier: Carrier,
        kind: Kind,
        directory: Option<Directory>,
        unsent: Unsent,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let news = mpsc::channel(NEWS);
        let most = kind.limits.connections;
        // A handshake is not to take longer than a message.
        let wait = CONNECT_WAIT.min(kind.limits.message_wait);
        let accepting = accept(listener, carrier.clone(), most, wait, news.0.clone());
        Ok(Self {
            carrier,
            news,
            accepting: tokio::spawn(accepting).abort_handle(),
            pool: Pool::new(kind, directory),
            unsent,
            arrived: None,
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.pool.kind.local
    }

    pub(super) fn transport(&self) -> Transport {
        self.pool.kind.transport
    }

    pub(super) fn connections(&self) -> usize {
        self.pool.len()
    }

    /// Whether a message waits for a connection that is being opened. What waits for an open one is
    /// in [`Unsent`].
    pub(super) fn has_unsent(&self) -> bool {
        self.pool.has_unsent(|_| false)
    }

    pub(super) fn counters(&self) -> Counters {
        self.pool.counters
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.pool.deadline()
    }

    pub(super) fn on_deadline(&mut self, now: Time) {
        self.pool.on_deadline(now);
    }

    /// Whether a task has found something. Nothing is lost if nobody comes again.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.arrived.is_some() {
            return Poll::Ready(());
        }
        // The sender is here, so there is always one.
        self.news
            .1
            .poll_recv(context)
            .map(|news| self.arrived = news)
    }

    /// Hears what the tasks have found.
    pub(super) fn hear(&mut self, now: Time) {
        for _ in 0..BATCH {
            let Some(news) = self.arrived.take().or_else(|| self.news.1.try_recv().ok()) else {
                return;
            };
            self.on_news(now, news);
        }
    }

    /// What an endpoint is to hear next.
    pub(super) fn next_found(&mut self) -> Option<Found> {
        self.pool.next_found()
    }

    /// Connections whose machines have ended are closed when what was to be written is written.
    pub(super) fn close_ended(&mut self) {
        drop(self.pool.take_ended());
    }

    /// See [`Pool::elsewhere`].
    pub(super) fn elsewhere(&self, transmit: &Transmit) -> Option<u32> {
        self.pool.elsewhere(transmit)
    }

    /// Writes to a connection, if need be to a new one. Whether there is any. A failure is
    /// told to that shard.
    pub(super) fn send(&mut self, now: Time, transmit: Transmit, shard: u32) -> bool {
        let Self {
            pool,
            carrier,
            news,
            ..
        } = self;
        pool.send(now, transmit, shard, |id, peer| {
            let news = news.0.clone();
            let (carrier, (remote, host)) = (carrier.clone(), peer.clone());
            let task = tokio::spawn(async move {
                let stream = carrier.connect(remote, host.as_deref());
                let stream = timeout(CONNECT_WAIT, stream).await;
                let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let _ = news.send(News::Connected(id, stream)).await;
            });
            Some(Opening(task.abort_handle()))
        })
    }

    fn on_news(&mut self, now: Time, news: News) {
        let (sender, unsent) = (&self.news.0, &self.unsent);
        match news {
            News::Accepted(duplex, remote) => {
                self.pool
                    .on_accepted(now, remote, |id| Some(line(id, duplex, sender, unsent)));
            }
            News::Failed => add(&mut self.pool.counters.handshakes_failed),
            News::Refused => add(&mut self.pool.counters.connections_refused),
            News::Connected(id, Ok(duplex)) => {
                self.pool
                    .on_connected(now, id, |_| line(id, duplex, sender, unsent));
            }
            News::Connected(id, Err(error)) => {
                let how = match error.kind() == io::ErrorKind::ConnectionRefused {
                    true => Refusal::Refused,
                    false => Refusal::Failed,
                };
                self.pool.on_connect_failed(id, how);
            }
            News::Read(id, bytes) => self.pool.on_received(now, id, bytes),
            News::Closed(id, how) => self.pool.on_closed(now, id, how),
            News::Unsent(tickets) => self.pool.on_unsent(tickets),
        }
    }
}

/// Nothing of it runs on.
impl Drop for Streams {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Has a connection read and written.
fn line(id: u64, (reader, writer): Duplex, news: &mpsc::Sender<News>, unsent: &Unsent) -> Line {
    let (sender, jobs) = mpsc::channel(BACKLOG);
    tokio::spawn(write(id, writer, jobs, news.clone()));
    Line {
        writer: sender,
        reading: tokio::spawn(read(id, reader, news.clone())).abort_handle(),
        unsent: unsent.clone(),
    }
}

/// Takes connections, and sees to the handshakes of at most so many at once, for so long each. They
/// end with it.
async fn accept(
    listener: TcpListener,
    carrier: Carrier,
    most: usize,
    wait: Duration,
    news: mpsc::Sender<News>,
) {
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
            let found = match timeout(wait, carrier.accept(stream)).await {
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
    let how = loop {
        match stream.next().await {
            Ok(Some(bytes)) => {
                if news.send(News::Read(id, bytes)).await.is_err() {
                    return;
                }
            }
            Ok(None) => break Disconnect::Closed,
            Err(_) => break Disconnect::Broken,
        }
    };
    let _ = news.send(News::Closed(id, how)).await;
}

async fn write(
    id: u64,
    mut stream: Writer,
    mut jobs: mpsc::Receiver<(Job, Pending)>,
    news: mpsc::Sender<News>,
) {
    while let Some((job, _pending)) = jobs.recv().await {
        let written = timeout(WRITE_WAIT, stream.write(&job.bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            jobs.close();
            let mut unsent: Vec<Ticket> = job.ticket.into_iter().collect();
            while let Some((job, _)) = jobs.recv().await {
                unsent.extend(job.ticket);
            }
            let _ = news.send(News::Unsent(unsent)).await;
            let _ = news.send(News::Closed(id, Disconnect::Broken)).await;
            return;
        }
    }
    let _ = timeout(WRITE_WAIT, stream.close()).await;
}

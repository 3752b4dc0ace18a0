//! Sockets on mio, with an endpoint behind them: UDP and TCP, in one thread and without a runtime.

mod resolver;
mod tcp;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use super::bound::{Bound, address_of};
use super::core::{self, Core};
use super::datagrams::{self, BATCH, Datagrams};
use super::peers::{Handed, Peers, Post, QUEUE};
use super::pool::{Found, Refusal, Ticket};
use super::{Counters, wrong};
use crate::call::Invitation;
use crate::endpoint::{CallHandle, Config, Endpoint, Event, Output, QueryId, Transmit, TransmitId};
use crate::error::Misuse;
use crate::locate::Question;
use crate::shard::Shard;
use crate::time::Time;
use crate::transport::Transport;
use resolver::Resolver;
use tcp::Tcp;

pub use super::Listen;

/// Somebody wants the driver to look up.
const WAKE: Token = Token(usize::MAX);
const UDP: Token = Token(usize::MAX - 1);
/// Connections have their own numbers, which begin with one.
const LISTENER: Token = Token(0);

/// How many sockets are told of at once; the others are told of next time.
const EVENTS: usize = 1024;
/// How long to wait before a full queue of another shard is tried again: short, against any timer
/// of SIP.
const AGAIN: Duration = Duration::from_millis(1);

/// An endpoint on sockets: at most one of UDP and one of TCP. It runs, in the thread of the caller,
/// while [`next_event`](Self::next_event) waits.
///
/// ```no_run
/// use drongo::driver::mio::Driver;
/// use drongo::endpoint::{Config, Event};
/// use drongo::message::{Body, Outgoing};
///
/// # fn run() -> std::io::Result<()> {
/// let mut driver = Driver::udp("127.0.0.1:5060".parse().unwrap(), Config::default())?;
/// loop {
///     match driver.next_event()? {
///         Event::Incoming { call, .. } => {
///             let answered = driver.act(|endpoint, now, out| {
///                 let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
///                 endpoint.call(call)?.answer(now, answer, out)
///             });
///             println!("{call}: {answered:?}");
///         }
///         Event::Ended { call, reason, .. } => println!("{call} ended: {reason:?}"),
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Driver {
    core: Core,
    wires: Wires,
    events: Events,
    /// Where it listens, with the ports that were bound.
    places: Vec<Listen>,
    waker: Waker,
    inbox: Receiver<Handed>,
    /// Whether datagrams may be there that nobody will tell of again.
    is_readable: bool,
    /// Whether the inbox may hold more than was taken out.
    is_handed: bool,
    /// Whether the operating system is to tell when datagrams can be sent again. Else it would
    /// tell of each one that has left.
    is_blocked: bool,
}

/// The sockets, and all else that performs what the endpoint wants.
#[derive(Debug)]
struct Wires {
    poll: Poll,
    udp: Option<Datagrams<UdpSocket>>,
    tcp: Option<Tcp>,
    resolver: Resolver,
    peers: Peers<Mailbox>,
}

/// Wakes a driver that waits in another thread.
#[derive(Clone, Debug)]
pub struct Waker {
    waker: Arc<mio::Waker>,
    /// Whether it was woken and has not looked yet.
    is_awake: Arc<AtomicBool>,
    /// Whether whoever waits for an event is to be woken too.
    is_asked: Arc<AtomicBool>,
}

impl Waker {
    fn new(poll: &Poll) -> io::Result<Self> {
        Ok(Self {
            waker: Arc::new(mio::Waker::new(poll.registry(), WAKE)?),
            is_awake: Arc::default(),
            is_asked: Arc::default(),
        })
    }

    /// Has [`Driver::next_event_within`] return `None` at once, or the next time if nobody waits.
    pub fn wake(&self) {
        self.is_asked.store(true, Ordering::Release);
        self.rouse();
    }

    /// Has the driver look for what was given to it.
    fn rouse(&self) {
        if !self.is_awake.swap(true, Ordering::AcqRel) {
            // It fails only for want of memory; the driver then looks at its next deadline.
            let _ = self.waker.wake();
        }
    }
}

/// The queue of a shard.
#[derive(Clone, Debug)]
struct Mailbox {
    queue: SyncSender<Handed>,
    waker: Waker,
}

impl Post for Mailbox {
    fn post(&self, handed: Handed) -> Result<(), Handed> {
        match self.queue.try_send(handed) {
            Ok(()) => {
                self.waker.rouse();
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(handed)) => Err(handed),
        }
    }
}

impl Driver {
    /// Binds a UDP socket: [`bind`](Self::bind) with one place.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn udp(address: SocketAddr, config: Config) -> io::Result<Self> {
        Self::bind(&[Listen::Udp(address)], config)
    }

    /// Binds a TCP socket: [`bind`](Self::bind) with one place.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn tcp(address: SocketAddr, config: Config) -> io::Result<Self> {
        Self::bind(&[Listen::Tcp(address)], config)
    }

    /// Binds the sockets, and puts an endpoint with this configuration behind them; the addresses
    /// are added to [`Config::locals`]. A wildcard address is told to others as the address that
    /// the operating system would send from. The wildcard of IPv6 serves IPv4 too, where the
    /// operating system lets it, and stands for two local addresses.
    ///
    /// # Errors
    ///
    /// What binding a socket says; `InvalidInput` for no place, for two of one transport, for one
    /// that is neither UDP nor TCP, and for a configuration that [`Endpoint::new`] refuses.
    pub fn bind(places: &[Listen], config: Config) -> io::Result<Self> {
        let mut shards = Self::bind_shards(places, config, 1)?;
        shards.pop().ok_or(wrong("one shard at least"))
    }

    /// Binds the places once for each of so many shards, whose endpoints share the work by
    /// Call-ID: each is to be run in a thread of its own. The operating system spreads datagrams
    /// and connections over them (`SO_REUSEPORT`); what arrives at a shard that it does not belong
    /// to is handed over. Each shard has the events of its own calls, and bounds
    /// ([`Config::limits`]) of its own.
    ///
    /// All shards must run as long as one does: what belongs to one that is gone is lost.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); `Unsupported` where sockets cannot share an address.
    pub fn bind_shards(places: &[Listen], config: Config, shards: u32) -> io::Result<Vec<Self>> {
        let known = |place: &Listen| matches!(place, Listen::Udp(_) | Listen::Tcp(_));
        if !places.iter().all(known) {
            return Err(wrong("UDP or TCP: this one has nothing else"));
        }
        let all = Bound::all(places, config, shards)?;
        let mut ends = Vec::new();
        let mut posts = Vec::new();
        for _ in &all {
            let poll = Poll::new()?;
            let waker = Waker::new(&poll)?;
            let (queue, inbox) = sync_channel(QUEUE);
            posts.push(Mailbox {
                queue,
                waker: waker.clone(),
            });
            ends.push((poll, waker, inbox));
        }
        let started = all.into_iter().zip(ends);
        let start =
            |(bound, (poll, waker, inbox))| Self::start(bound, poll, waker, inbox, posts.clone());
        started.map(start).collect()
    }

    fn start(
        mut bound: Bound,
        poll: Poll,
        waker: Waker,
        inbox: Receiver<Handed>,
        posts: Vec<Mailbox>,
    ) -> io::Result<Self> {
        let core = bound.core()?;
        let (mut udp, mut tcp) = (None, None);
        for (place, socket) in bound.take_sockets() {
            if place.transport() == Transport::Udp {
                let mut socket = UdpSocket::from_std(socket.into());
                let interest = Interest::READABLE;
                poll.registry().register(&mut socket, UDP, interest)?;
                let most = bound.config.limits.queue_bytes;
                udp = Some(Datagrams::new(socket, place.address(), most));
            } else {
                let listener = mio::net::TcpListener::from_std(socket.into());
                let registry = poll.registry().try_clone()?;
                let directory = bound.directory.clone();
                tcp = Some(Tcp::new(listener, registry, bound.kind(place)?, directory)?);
            }
        }
        Ok(Self {
            core,
            wires: Wires {
                poll,
                udp,
                tcp,
                resolver: Resolver::new(waker.clone()),
                peers: Peers::new(bound.shard, posts),
            },
            events: Events::with_capacity(EVENTS),
            places: bound.places,
            waker,
            inbox,
            is_readable: true,
            is_handed: false,
            is_blocked: false,
        })
    }

    /// Which shard it is; [`Shard::ONLY`] if there are no others.
    pub fn shard(&self) -> Shard {
        self.wires.peers.shard
    }

    /// The address of the first place that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        let first = self.places.first().map(Listen::address);
        first.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    }

    /// The address that it listens on with that transport, if it does.
    pub fn local_addr_of(&self, transport: Transport) -> Option<SocketAddr> {
        address_of(&self.places, transport)
    }

    /// The endpoint, to look at.
    pub fn endpoint(&self) -> &Endpoint {
        &self.core.endpoint
    }

    /// What has happened to its sockets so far.
    pub fn counters(&self) -> Counters {
        let mut sum = self.wires.peers.counters;
        sum.given_up = self.wires.udp.as_ref().map_or(0, |udp| udp.given_up);
        let tcp = self.wires.tcp.as_ref().map(Tcp::counters);
        sum.plus(tcp.unwrap_or_default())
    }

    /// Datagrams that were read and wait to be processed. How long they waited decides whether new
    /// work is refused ([`Limits::queue_wait`](crate::limits::Limits::queue_wait)); what the
    /// operating system holds besides is not seen.
    pub fn waiting(&self) -> usize {
        self.wires.udp.as_ref().map_or(0, Datagrams::waiting)
    }

    /// Connections that are open or being opened.
    pub fn connections(&self) -> usize {
        self.wires.tcp.as_ref().map_or(0, Tcp::connections)
    }

    /// The time of the endpoint now.
    pub fn now(&self) -> Time {
        self.core.now()
    }

    /// What wakes it from another thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Does something with the endpoint, at the time that it is, and performs what it causes. Calls
    /// and requests are for [`place`](Self::place) and [`ask`](Self::ask), which number them.
    pub fn act<R>(
        &mut self,
        act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R,
    ) -> R {
        self.core.act(&mut self.wires, act)
    }

    /// Places a call.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::place`].
    pub fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse> {
        self.core.place(&mut self.wires, None, invitation)
    }

    /// Sends a request outside of any dialog: OPTIONS, MESSAGE and others.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::ask`].
    pub fn ask(&mut self, method: &str, invitation: Invitation) -> Result<CallHandle, Misuse> {
        self.core.place(&mut self.wires, Some(method), invitation)
    }

    /// Runs until there is something for the application. While nobody waits in it, the endpoint
    /// stands still.
    ///
    /// # Errors
    ///
    /// What a socket says when it cannot receive any more.
    pub fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.core.events.pop_front() {
                return Ok(event);
            }
            self.turn(None)?;
        }
    }

    /// Runs until there is something for the application; `None` when that takes longer than
    /// `limit`, or when [`waker`](Self::waker) was used.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn next_event_within(&mut self, limit: Duration) -> io::Result<Option<Event>> {
        let end = self.core.now() + limit;
        loop {
            if let Some(event) = self.core.events.pop_front() {
                return Ok(Some(event));
            }
            let is_asked = self.waker.is_asked.swap(false, Ordering::AcqRel);
            if is_asked || end.is_some_and(|end| self.core.now() >= end) {
                return Ok(None);
            }
            self.turn(end)?;
            self.core.observe();
        }
    }

    /// Whether something that the endpoint sent is not written yet: it waits for a connection or
    /// its peer, for a socket, or for another shard. It is written while the driver runs, and lost
    /// with the driver.
    pub fn has_unsent(&self) -> bool {
        let Wires {
            udp, tcp, peers, ..
        } = &self.wires;
        let datagrams = udp.as_ref().is_some_and(Datagrams::has_unsent);
        let handed = self.is_handed || self.waker.is_awake.load(Ordering::Acquire);
        let streams = || tcp.as_ref().is_some_and(Tcp::has_unsent);
        datagrams || handed || peers.awaited().is_some() || streams()
    }

    /// Runs until there is something for the application, or no call and no transaction is left and
    /// all is written: then it is `None`, and the driver may be dropped without anybody waiting for
    /// an answer of it. A peer that does not read is waited for 32 s at most. Who stops hangs up
    /// first, and refuses what still comes.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn drain(&mut self) -> io::Result<Option<Event>> {
        let mut limit = None;
        loop {
            if let Some(event) = self.core.events.pop_front() {
                return Ok(Some(event));
            }
            if self.core.is_drained(self.has_unsent(), &mut limit) {
                return Ok(None);
            }
            self.turn(limit)?;
        }
    }

    /// Waits until there is something to do, and does it.
    fn turn(&mut self, limit: Option<Time>) -> io::Result<()> {
        self.watch_datagrams()?;
        let wait = self.wait(limit);
        match self.wires.poll.poll(&mut self.events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        let now = self.core.now();
        for event in &self.events {
            match event.token() {
                WAKE => self.is_handed = true,
                UDP => self.is_readable |= event.is_readable() || event.is_error(),
                token => {
                    if let Some(tcp) = &mut self.wires.tcp {
                        tcp.on_ready(now, token, event);
                    }
                }
            }
        }
        self.work()
    }

    /// Asks to be told when datagrams can be sent again, if some wait for that.
    fn watch_datagrams(&mut self) -> io::Result<()> {
        let Wires { udp, poll, .. } = &mut self.wires;
        let Some(udp) = udp
            .as_mut()
            .filter(|udp| udp.has_unsent() != self.is_blocked)
        else {
            return Ok(());
        };
        self.is_blocked = udp.has_unsent();
        let interest = match self.is_blocked {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        poll.registry().reregister(&mut udp.socket, UDP, interest)?;
        // Whoever asks anew is not told of what was there before on every system.
        self.is_readable = true;
        Ok(())
    }

    /// How long nothing is due, unless a socket says so.
    fn wait(&self, limit: Option<Time>) -> Option<Duration> {
        if self.is_readable || self.is_handed || self.waiting() > 0 {
            return Some(Duration::ZERO);
        }
        let tcp = self.wires.tcp.as_ref();
        let deadlines = [
            self.core.endpoint.deadline(),
            tcp.and_then(Tcp::deadline),
            limit,
        ];
        let next = deadlines.into_iter().flatten().min();
        let wait = next.map(|at| self.core.clock.until(at));
        // Nobody says when a queue of another shard has room again.
        if self.wires.peers.awaited().is_some() {
            return Some(AGAIN);
        }
        match tcp.is_some_and(Tcp::has_more) {
            true => Some(Duration::ZERO),
            false => wait,
        }
    }

    /// Does what there is to do, a batch of each: no flood of one kind starves another.
    fn work(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_handed) {
            self.read_inbox();
        }
        if self.is_readable || self.waiting() > 0 {
            self.read_datagrams()?;
        }
        self.wires.peers.retry();
        let is_held = self.wires.peers.awaited().is_some();
        let now = self.core.now();
        if let Some(tcp) = &mut self.wires.tcp {
            if !is_held {
                tcp.work(now);
            }
            tcp.on_deadline(now);
        }
        self.on_streams();
        self.core.on_deadline(&mut self.wires);
        self.on_streams();
        Ok(())
    }

    /// Takes what others gave: other shards, and the resolver.
    fn read_inbox(&mut self) {
        // What comes from here on wakes it again.
        self.waker.is_awake.store(false, Ordering::Release);
        while let Some(looked) = self.wires.resolver.next_answer() {
            self.core.on_looked_up(&mut self.wires, looked);
        }
        for _ in 0..BATCH {
            let Ok(handed) = self.inbox.try_recv() else {
                return;
            };
            self.on_handed(handed);
        }
        self.is_handed = true;
    }

    /// Feeds what is readable, in order.
    fn read_datagrams(&mut self) -> io::Result<()> {
        let clock = self.core.clock;
        let fetched = self.wires.udp.as_mut().map(|udp| udp.fetch(clock));
        self.is_readable = fetched.transpose()? == Some(false);
        for _ in 0..BATCH {
            let Some(input) = self.wires.udp.as_mut().and_then(Datagrams::next) else {
                break;
            };
            if let Some(input) = self.wires.peers.route_datagram(input) {
                self.core.receive(&mut self.wires, input);
            }
        }
        Ok(())
    }

    /// Feeds what connections brought, in order.
    fn on_streams(&mut self) {
        while let Some(found) = self.wires.tcp.as_mut().and_then(Tcp::next_found) {
            if let Some(input) = self.wires.peers.route(found) {
                self.core.receive(&mut self.wires, input);
            }
        }
        // What was to be answered on a connection that ends has been.
        let now = self.core.now();
        if let Some(tcp) = &mut self.wires.tcp {
            tcp.close_ended(now);
        }
    }

    /// Takes what another shard gave.
    fn on_handed(&mut self, handed: Handed) {
        match handed {
            Handed::Input(input) => self.core.receive(&mut self.wires, input),
            Handed::Transmit(from, transmit) => {
                let ticket = Ticket {
                    shard: from,
                    id: transmit.id,
                };
                let now = self.core.now();
                if !self.wires.write(now, *transmit, from) {
                    let failed = Found::Failed(ticket, Refusal::Failed);
                    // It is not for this shard.
                    let _ = self.wires.peers.route(failed);
                }
                if let Some(tcp) = &mut self.wires.tcp {
                    tcp.flush(now);
                }
            }
        }
    }
}

impl Wires {
    /// Writes to a connection of this shard. Whether there is one.
    fn write(&mut self, now: Time, transmit: Transmit, shard: u32) -> bool {
        let is_tcp = transmit.flow.transport == Transport::Tcp;
        let tcp = self.tcp.as_mut().filter(|_| is_tcp);
        tcp.is_some_and(|tcp| tcp.send(now, transmit, shard))
    }

    /// The other shard that has the connection.
    fn elsewhere(&self, transmit: &Transmit) -> Option<u32> {
        let flow = &transmit.flow;
        let owner = self.peers.owner_of_flow(flow);
        owner.or_else(|| self.tcp.as_ref()?.elsewhere(transmit))
    }
}

impl core::Wires for Wires {
    fn send(&mut self, now: Time, transmit: Transmit) -> bool {
        match (&mut self.udp, transmit.flow.transport) {
            (Some(udp), Transport::Udp) => {
                udp.push(transmit);
                true
            }
            _ => match self.elsewhere(&transmit) {
                Some(to) => self.peers.hand_transmit(to, transmit),
                None => self.write(now, transmit, self.peers.shard.index()),
            },
        }
    }

    fn flush(&mut self, now: Time) -> Option<TransmitId> {
        if let Some(tcp) = &mut self.tcp {
            tcp.flush(now);
        }
        self.udp.as_mut().and_then(Datagrams::flush)
    }

    fn look_up(&mut self, id: QueryId, question: Question) {
        self.resolver.ask(id, question);
    }
}

impl datagrams::Socket for UdpSocket {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buffer)
    }

    #[cfg(target_os = "linux")]
    fn receive_many(&self, many: &mut datagrams::Many) -> io::Result<()> {
        self.try_io(|| many.receive(self))
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send_to(bytes, to)
    }
}

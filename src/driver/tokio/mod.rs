//! Sockets on tokio, with an endpoint behind them: UDP and TCP; TLS with the feature `tls`,
//! WebSockets with `ws`.

mod agent;
mod carrier;
#[cfg(feature = "dns")]
mod dns;
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "ws")]
mod ws;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use super::bound::{Bound as Sockets, address_of};
use super::core::{self, Core, Looked};
use super::datagrams::{self, BATCH, Datagrams};
use super::names::look_up;
use super::peers::{Handed, Peers, Post, QUEUE};
use super::pool::{Found, Refusal, Ticket};
use super::{Counters, wrong};
use crate::call::Invitation;
use crate::endpoint::{CallHandle, Config, Endpoint, Event, Output, QueryId, Transmit, TransmitId};
use crate::error::Misuse;
use crate::locate::Question;
#[cfg(feature = "dns")]
use crate::locate::Records;
use crate::shard::Shard;
use crate::time::Time;
use crate::transport::Transport;
use carrier::Carrier;
use streams::{Streams, Unsent};

pub use super::Listen;
pub use agent::{
    AgentCounters, Arrival, Arrivals, Bounds, Call, CallError, CallEvent, CallRef, IncomingCall,
    IncomingRequest, OutgoingCall, Reoffer, Updated, UserAgent,
};
#[cfg(feature = "dns")]
pub use dns::{Dns, DnsCounters, DnsFailure};
#[cfg(feature = "dns")]
pub use hickory_resolver;
#[cfg(feature = "tls")]
pub use tls::Tls;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// An endpoint on sockets: at most one of each transport. It runs while
/// [`next_event`](Self::next_event) is awaited.
///
/// ```no_run
/// use drongo::driver::tokio::Driver;
/// use drongo::endpoint::{Config, Event};
/// use drongo::message::{Body, Outgoing};
///
/// # async fn run() -> std::io::Result<()> {
/// let mut driver = Driver::udp("127.0.0.1:5060".parse().unwrap(), Config::default()).await?;
/// loop {
///     match driver.next_event().await? {
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
    /// Where it listens, with the ports that were bound.
    places: Vec<Listen>,
    looked: UnboundedReceiver<Looked>,
    inbox: Receiver<Handed>,
}

/// The sockets, and all else that performs what the endpoint wants.
#[derive(Debug)]
struct Wires {
    udp: Option<Datagrams<UdpSocket>>,
    streams: Vec<Streams>,
    unsent: Unsent,
    looked: UnboundedSender<Looked>,
    peers: Peers<Sender<Handed>>,
    /// Who answers questions to DNS, if not the operating system.
    #[cfg(feature = "dns")]
    dns: Option<Dns>,
}

/// What secures connections, where anything does.
#[derive(Clone, Debug, Default)]
struct Security {
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// A driver that is bound and does not run yet: it starts on the runtime that is to run it, which
/// may be that of another thread.
///
/// ```no_run
/// use drongo::driver::tokio::{Driver, Listen};
/// use drongo::endpoint::Config;
///
/// let places = [Listen::Udp("127.0.0.1:5060".parse().unwrap())];
/// let shards = Driver::bind_shards(&places, Config::default(), 4)?;
/// for shard in shards {
///     std::thread::spawn(move || -> std::io::Result<()> {
///         let mut runtime = tokio::runtime::Builder::new_current_thread();
///         runtime.enable_all().build()?.block_on(async {
///             let mut driver = shard.start()?;
///             loop {
///                 println!("{:?}", driver.next_event().await?);
///             }
///         })
///     });
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Bound {
    sockets: Sockets,
    security: Security,
    inbox: Receiver<Handed>,
    posts: Vec<Sender<Handed>>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("shard", &self.sockets.shard)
            .field("places", &self.sockets.places)
            .finish_non_exhaustive()
    }
}

impl Bound {
    /// Which shard it is.
    pub fn shard(&self) -> Shard {
        self.sockets.shard
    }

    /// Starts it on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// What registering a socket says; `InvalidInput` for a configuration that [`Endpoint::new`]
    /// refuses.
    ///
    /// # Panics
    ///
    /// Outside of a runtime with its I/O enabled, as tokio does.
    pub fn start(mut self) -> io::Result<Driver> {
        let core = self.sockets.core()?;
        let (looked, heard) = mpsc::unbounded_channel();
        let mut wires = Wires {
            udp: None,
            streams: Vec::new(),
            unsent: Unsent::default(),
            looked,
            peers: Peers::new(self.sockets.shard, self.posts),
            #[cfg(feature = "dns")]
            dns: None,
        };
        for (place, socket) in self.sockets.take_sockets() {
            if place.transport() == Transport::Udp {
                let socket = UdpSocket::from_std(socket.into())?;
                let most = self.sockets.config.limits.queue_bytes;
                wires.udp = Some(Datagrams::new(socket, place.address(), most));
                continue;
            }
            let carrier = self.security.carrier(&place, &self.sockets.config)?;
            let kind = self.sockets.kind(place)?;
            let directory = self.sockets.directory.clone();
            let unsent = wires.unsent.clone();
            let streams = Streams::new(socket.into(), carrier, kind, directory, unsent)?;
            wires.streams.push(streams);
        }
        Ok(Driver {
            core,
            wires,
            places: self.sockets.places,
            looked: heard,
            inbox: self.inbox,
        })
    }
}

impl Driver {
    /// Binds a UDP socket: [`bind`](Self::bind) with one place.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn udp(address: SocketAddr, config: Config) -> io::Result<Self> {
        Self::bind(&[Listen::Udp(address)], config).await
    }

    /// Binds a TCP socket: [`bind`](Self::bind) with one place.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn tcp(address: SocketAddr, config: Config) -> io::Result<Self> {
        Self::bind(&[Listen::Tcp(address)], config).await
    }

    /// Binds the sockets, and puts an endpoint with this configuration behind them; the addresses
    /// are added to [`Config::locals`]. A wildcard address is told to others as the address that
    /// the operating system would send from. The wildcard of IPv6 serves IPv4 too, where the
    /// operating system lets it, and stands for two local addresses.
    ///
    /// # Errors
    ///
    /// What binding a socket says; `InvalidInput` for no place, for two of one transport, and for
    /// a configuration that [`Endpoint::new`] refuses.
    #[allow(
        clippy::unused_async,
        reason = "it must be called on a runtime, which only an async function makes sure of"
    )]
    pub async fn bind(places: &[Listen], config: Config) -> io::Result<Self> {
        Self::one(places, config, Security::default())
    }

    /// As [`bind`](Self::bind), for places with TLS too.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[cfg(feature = "tls")]
    #[allow(clippy::unused_async, reason = "as bind")]
    pub async fn bind_secure(places: &[Listen], config: Config, tls: Tls) -> io::Result<Self> {
        Self::one(places, config, Security { tls: Some(tls) })
    }

    fn one(places: &[Listen], config: Config, security: Security) -> io::Result<Self> {
        let mut shards = Self::several(places, config, 1, &security)?;
        shards.pop().ok_or(wrong("one shard at least"))?.start()
    }

    /// Binds the places once for each of so many shards, whose endpoints share the work by
    /// Call-ID: each is to be started and run on a core of its own. The operating system spreads
    /// datagrams and connections over them (`SO_REUSEPORT`); what arrives at a shard that it does
    /// not belong to is handed over. Each shard has the events of its own calls, and bounds
    /// ([`Config::limits`]) of its own.
    ///
    /// All shards must run as long as one does: what belongs to one that is gone is lost.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); `Unsupported` where sockets cannot share an address.
    pub fn bind_shards(places: &[Listen], config: Config, shards: u32) -> io::Result<Vec<Bound>> {
        Self::several(places, config, shards, &Security::default())
    }

    /// As [`bind_shards`](Self::bind_shards), for places with TLS too.
    ///
    /// # Errors
    ///
    /// As [`bind_shards`](Self::bind_shards).
    #[cfg(feature = "tls")]
    pub fn bind_secure_shards(
        places: &[Listen],
        config: Config,
        shards: u32,
        tls: Tls,
    ) -> io::Result<Vec<Bound>> {
        Self::several(places, config, shards, &Security { tls: Some(tls) })
    }

    fn several(
        places: &[Listen],
        config: Config,
        shards: u32,
        security: &Security,
    ) -> io::Result<Vec<Bound>> {
        let all = Sockets::all(places, config, shards)?;
        let (posts, inboxes): (Vec<_>, Vec<_>) = all.iter().map(|_| mpsc::channel(QUEUE)).unzip();
        let bound = all.into_iter().zip(inboxes).map(|(sockets, inbox)| Bound {
            sockets,
            security: security.clone(),
            inbox,
            posts: posts.clone(),
        });
        Ok(bound.collect())
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
        let streams = self.wires.streams.iter().map(Streams::counters);
        streams.fold(sum, Counters::plus)
    }

    /// Datagrams that were read and wait to be processed. How long they waited decides whether new
    /// work is refused ([`Limits::queue_wait`](crate::limits::Limits::queue_wait)); what the
    /// operating system holds besides is not seen.
    pub fn waiting(&self) -> usize {
        self.wires.udp.as_ref().map_or(0, Datagrams::waiting)
    }

    /// Connections that are open or being opened.
    pub fn connections(&self) -> usize {
        self.wires.streams.iter().map(Streams::connections).sum()
    }

    /// Asks this resolver from now on, instead of that of the operating system, which knows
    /// addresses alone. A clone that is kept tells how its look-ups fare.
    ///
    /// ```
    /// # use drongo::driver::tokio::{Bounds, Dns, Driver, UserAgent};
    /// # use drongo::endpoint::Config;
    /// # async fn run() -> Result<UserAgent, Box<dyn std::error::Error>> {
    /// let mut driver = Driver::udp("127.0.0.1:0".parse()?, Config::default()).await?;
    /// driver.resolve_with(Dns::system()?);
    /// let agent = UserAgent::new(driver, Bounds::default());
    /// # Ok(agent)
    /// # }
    /// ```
    #[cfg(feature = "dns")]
    pub fn resolve_with(&mut self, dns: Dns) {
        self.wires.dns = Some(dns);
    }

    /// The time of the endpoint now.
    pub fn now(&self) -> Time {
        self.core.now()
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

    /// Runs until there is something for the application. Nothing is lost if the future is
    /// dropped; while nobody awaits it, the endpoint stands still.
    ///
    /// # Errors
    ///
    /// What a socket says when it cannot receive any more.
    pub async fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.core.events.pop_front() {
                return Ok(event);
            }
            self.turn(None).await?;
            self.core.observe();
        }
    }

    /// Whether something that the endpoint sent is not written yet: it waits for a connection or
    /// its peer, for a socket, or for another shard. It is written while the driver runs, and lost
    /// with the runtime.
    pub fn has_unsent(&self) -> bool {
        let Self { wires, inbox, .. } = self;
        let datagrams = wires.udp.as_ref().is_some_and(Datagrams::has_unsent);
        let handed = !inbox.is_empty() || wires.peers.awaited().is_some();
        let opening = || wires.streams.iter().any(Streams::has_unsent);
        datagrams || handed || !wires.unsent.is_empty() || opening()
    }

    /// Runs until there is something for the application, or no call and no transaction is left and
    /// all is written: then it is `None`, and the driver and its runtime may be dropped without
    /// anybody waiting for an answer of it. A peer that does not read is waited for 32 s at most.
    /// Who stops hangs up first, and refuses what still comes.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn drain(&mut self) -> io::Result<Option<Event>> {
        let mut limit = None;
        loop {
            if let Some(event) = self.core.events.pop_front() {
                return Ok(Some(event));
            }
            if self.is_drained(&mut limit) {
                return Ok(None);
            }
            self.turn(limit).await?;
        }
    }

    /// See [`Core::is_drained`].
    fn is_drained(&self, limit: &mut Option<Time>) -> bool {
        self.core.is_drained(self.has_unsent(), limit)
    }

    /// Waits until there is something to do, and does it. With a limit it waits no longer than that
    /// or until all is written.
    async fn turn(&mut self, limit: Option<Time>) -> io::Result<()> {
        // A socket that is readable each time must not keep the tasks of connections from running.
        tokio::task::coop::consume_budget().await;
        let wake = self.wake(limit);
        let has_waiting = self.waiting() > 0;
        let Self {
            core,
            wires,
            looked,
            inbox,
            ..
        } = self;
        let (is_held, awaited) = match wires.peers.awaited() {
            Some(post) => (true, Some(post.clone())),
            None => (false, None),
        };
        let Wires {
            udp,
            streams,
            unsent,
            ..
        } = &mut *wires;
        let mut handed = None;
        let mut found = None;
        tokio::select! {
            // Whatever it is that comes first, all of it is seen to below.
            biased;
            Some(answer) = looked.recv() => found = Some(answer),
            Some(message) = inbox.recv() => handed = Some(message),
            ready = some(udp.as_ref().filter(|udp| udp.has_room()).map(|udp| udp.socket.readable())) => ready?,
            // What was read before, and not processed; other tasks get their turn first.
            () = some(has_waiting.then(tokio::task::yield_now)) => {}
            ready = some(udp.as_ref().filter(|udp| udp.has_unsent()).map(|udp| udp.socket.writable())) => ready?,
            () = any(streams), if !is_held => {}
            () = unsent.emptied(), if limit.is_some() => {}
            _ = some(awaited.as_ref().map(Sender::reserve)) => {}
            () = some(wake.map(sleep_until)) => {}
        }
        if let Some(found) = found {
            core.on_looked_up(wires, found);
        }
        if let Some(handed) = handed {
            self.on_handed(handed);
        }
        self.work()
    }

    /// When something is due, whoever else comes.
    fn wake(&self, limit: Option<Time>) -> Option<Instant> {
        let deadlines = self.wires.streams.iter().filter_map(Streams::deadline);
        let others = [self.core.endpoint.deadline(), limit];
        let wake = deadlines.chain(others.into_iter().flatten()).min()?;
        self.core.clock.instant(wake).map(Instant::from_std)
    }

    /// Does what there is to do, a batch of each: no flood of one kind starves another.
    fn work(&mut self) -> io::Result<()> {
        for _ in 0..BATCH {
            let Ok(handed) = self.inbox.try_recv() else {
                break;
            };
            self.on_handed(handed);
        }
        self.read_datagrams()?;
        self.wires.peers.retry();
        let now = self.now();
        if self.wires.peers.awaited().is_none() {
            for streams in &mut self.wires.streams {
                streams.hear(now);
            }
        }
        for streams in &mut self.wires.streams {
            streams.on_deadline(now);
        }
        self.on_streams();
        self.core.on_deadline(&mut self.wires);
        Ok(())
    }

    /// Feeds what is readable, in order.
    fn read_datagrams(&mut self) -> io::Result<()> {
        if let Some(udp) = &mut self.wires.udp {
            udp.fetch(self.core.clock)?;
        }
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
        let next = |streams: &mut Vec<Streams>| {
            let mut all = streams.iter_mut();
            all.find_map(Streams::next_found)
        };
        while let Some(found) = next(&mut self.wires.streams) {
            if let Some(input) = self.wires.peers.route(found) {
                self.core.receive(&mut self.wires, input);
            }
        }
        // What was to be answered on a connection that ends has been.
        for streams in &mut self.wires.streams {
            streams.close_ended();
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
                if !self.wires.write(self.core.now(), *transmit, from) {
                    let failed = Found::Failed(ticket, Refusal::Failed);
                    // It is not for this shard.
                    let _ = self.wires.peers.route(failed);
                }
            }
        }
    }
}

impl Wires {
    /// Writes to a connection of this shard. Whether there is one.
    fn write(&mut self, now: Time, transmit: Transmit, shard: u32) -> bool {
        let mut streams = self.streams.iter_mut();
        let streams = streams.find(|known| known.transport() == transmit.flow.transport);
        streams.is_some_and(|streams| streams.send(now, transmit, shard))
    }

    /// The other shard that has the connection.
    fn elsewhere(&self, transmit: &Transmit) -> Option<u32> {
        let flow = &transmit.flow;
        let mut streams = self.streams.iter();
        let streams = streams.find(|known| known.transport() == flow.transport)?;
        let owner = self.peers.owner_of_flow(flow);
        owner.or_else(|| streams.elsewhere(transmit))
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

    fn flush(&mut self, _: Time) -> Option<TransmitId> {
        self.udp.as_mut().and_then(Datagrams::flush)
    }

    fn look_up(&mut self, id: QueryId, question: Question) {
        let looked = self.looked.clone();
        #[cfg(feature = "dns")]
        if let Some(dns) = self.dns.clone() {
            tokio::spawn(async move {
                // To RFC 3263, DNS without an answer has no records.
                let records = dns.look_up(&question).await.unwrap_or(Records::None);
                let _ = looked.send((id, records));
            });
            return;
        }
        tokio::task::spawn_blocking(move || {
            // The receiver is gone only if the driver is.
            let records = look_up(&question);
            let _ = looked.send((id, records));
        });
    }
}

impl datagrams::Socket for UdpSocket {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_recv_from(buffer)
    }

    #[cfg(target_os = "linux")]
    fn receive_many(&self, many: &mut datagrams::Many) -> io::Result<()> {
        self.try_io(tokio::io::Interest::READABLE, || many.receive(self))
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.try_send_to(bytes, to)
    }
}

impl Post for Sender<Handed> {
    fn post(&self, handed: Handed) -> Result<(), Handed> {
        match self.try_send(handed) {
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full(handed)) => Err(handed),
        }
    }
}

impl Security {
    fn carrier(&self, place: &Listen, config: &Config) -> io::Result<Carrier> {
        #[cfg(feature = "ws")]
        let longest = config.limits.message_bytes;
        #[cfg(not(feature = "ws"))]
        let _ = config;
        #[cfg(feature = "tls")]
        let tls = || self.tls.clone().ok_or(wrong("TLS: see bind_secure"));
        match place {
            Listen::Udp(_) | Listen::Tcp(_) => Ok(Carrier::Tcp),
            #[cfg(feature = "tls")]
            Listen::Tls(_) => Ok(Carrier::Tls(tls()?)),
            #[cfg(feature = "ws")]
            Listen::Ws(_) => Ok(Carrier::Ws { longest }),
            #[cfg(all(feature = "tls", feature = "ws"))]
            Listen::Wss(_) => Ok(Carrier::Wss {
                tls: tls()?,
                longest,
            }),
        }
    }
}

/// Waits for the first connection that has something.
async fn any(streams: &mut [Streams]) {
    std::future::poll_fn(|context: &mut Context<'_>| {
        let mut all = streams.iter_mut();
        match all.any(|streams| streams.poll(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// A future that may not be there never comes.
async fn some<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

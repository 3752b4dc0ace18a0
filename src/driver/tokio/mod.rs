//! Sockets on tokio, with an endpoint behind them: UDP and TCP; TLS with the feature `tls`,
//! WebSockets with `ws`.

mod carrier;
mod streams;
#[cfg(feature = "tls")]
mod tls;
mod udp;
#[cfg(feature = "ws")]
mod ws;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;

use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep_until};

use super::observe::Observer;
use crate::call::Invitation;
use crate::endpoint::{
    Answer, CallHandle, Config, Endpoint, Event, Input, Output, Query, QueryId, Transmit,
};
use crate::error::Misuse;
use crate::locate::{Question, Records};
use crate::seed::{Ids, Seed};
use crate::time::Time;
use crate::transport::{Advertised, Local, Transport};
use carrier::Carrier;
use streams::Streams;
use udp::Udp;

#[cfg(feature = "tls")]
pub use tls::Tls;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Listen {
    /// UDP on this address; port 0 takes any.
    Udp(SocketAddr),
    /// TCP on this address; port 0 takes any.
    Tcp(SocketAddr),
    /// TLS on this address; port 0 takes any. [`Driver::bind_secure`] says who this side is.
    #[cfg(feature = "tls")]
    Tls(SocketAddr),
    /// WebSockets (RFC 7118) on this address; port 0 takes any.
    #[cfg(feature = "ws")]
    Ws(SocketAddr),
    /// WebSockets over TLS on this address; port 0 takes any.
    #[cfg(all(feature = "tls", feature = "ws"))]
    Wss(SocketAddr),
}

impl Listen {
    /// The transport.
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Transport::Tls,
            #[cfg(feature = "ws")]
            Self::Ws(_) => Transport::Ws,
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss(_) => Transport::Wss,
        }
    }

    /// The address.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(address) | Self::Tcp(address) => *address,
            #[cfg(feature = "tls")]
            Self::Tls(address) => *address,
            #[cfg(feature = "ws")]
            Self::Ws(address) => *address,
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss(address) => *address,
        }
    }
}

/// An endpoint on sockets: at most one of each transport.
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
    /// Where it listens, as it was asked to.
    places: Vec<Listen>,
    udp: Option<Udp>,
    streams: Vec<Streams>,
}

/// The endpoint and what goes in and out of it.
#[derive(Debug)]
struct Core {
    endpoint: Endpoint,
    /// Time zero of the endpoint.
    origin: Instant,
    /// The ordinal of the next call that is placed.
    ordinal: u64,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
    answers: (
        mpsc::UnboundedSender<Looked>,
        mpsc::UnboundedReceiver<Looked>,
    ),
    observer: Observer,
    /// Which host an address was found for last.
    names: BTreeMap<IpAddr, Box<str>>,
}

/// What a look-up found, and for which name.
type Looked = (QueryId, Box<str>, Records);

/// How many addresses are kept with their names. Those that are forgotten are looked up again when
/// they are called again; an open connection needs no name.
const NAMES: usize = 4096;

/// What secures connections, where anything does.
#[derive(Clone, Debug, Default)]
struct Security {
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
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
    pub async fn bind(places: &[Listen], config: Config) -> io::Result<Self> {
        Self::bind_with(places, config, Security::default()).await
    }

    /// As [`bind`](Self::bind), for places with TLS too.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[cfg(feature = "tls")]
    pub async fn bind_secure(places: &[Listen], config: Config, tls: Tls) -> io::Result<Self> {
        Self::bind_with(places, config, Security { tls: Some(tls) }).await
    }

    async fn bind_with(
        places: &[Listen],
        mut config: Config,
        security: Security,
    ) -> io::Result<Self> {
        let mut udp = None;
        let mut streams: Vec<Streams> = Vec::new();
        for (number, place) in (0..).zip(places) {
            let transport = place.transport();
            let is_same = |known: &Streams| known.transport() == transport;
            let has_udp = transport == Transport::Udp && udp.is_some();
            if has_udp || streams.iter().any(is_same) {
                return Err(wrong("one place of each transport"));
            }
            let local = if let Listen::Udp(address) = place {
                udp.insert(Udp::bind(*address, config.limits.queue_bytes).await?)
                    .local
            } else {
                let ids = Ids::new(Seed::from_bytes(entropy()?));
                let carrier = security.carrier(place, &config)?;
                let limits = config.limits.clone();
                let bound = Streams::bind(place.address(), carrier, number, limits, ids).await?;
                let local = bound.local;
                streams.push(bound);
                local
            };
            config = config.local(face(transport, local).await?);
            if let Some(second) = second(local) {
                config = config.local(face(transport, second).await?);
            }
        }
        if places.is_empty() {
            return Err(wrong("a place to listen"));
        }
        let endpoint = Endpoint::new(config, Seed::from_bytes(entropy()?), Time::ZERO)
            .map_err(|misuse| io::Error::new(io::ErrorKind::InvalidInput, misuse))?;
        let core = Core {
            endpoint,
            origin: clock(),
            ordinal: 0,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            answers: mpsc::unbounded_channel(),
            observer: Observer::default(),
            names: BTreeMap::new(),
        };
        Ok(Self {
            core,
            places: places.to_vec(),
            udp,
            streams,
        })
    }

    /// The address of the first place that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        let first = self.places.first();
        first
            .and_then(|place| self.local_addr_of(place.transport()))
            .unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    }

    /// The address that it listens on with that transport, if it does.
    pub fn local_addr_of(&self, transport: Transport) -> Option<SocketAddr> {
        if transport == Transport::Udp {
            return self.udp.as_ref().map(|udp| udp.local);
        }
        let mut all = self.streams.iter();
        let found = all.find(|known| known.transport() == transport);
        found.map(|known| known.local)
    }

    /// The endpoint, to look at.
    pub fn endpoint(&self) -> &Endpoint {
        &self.core.endpoint
    }

    /// How many datagrams were given up because too many waited for a socket that could not send.
    /// Transactions repeat what they need.
    pub fn given_up(&self) -> u64 {
        self.udp.as_ref().map_or(0, |udp| udp.given_up)
    }

    /// Datagrams that were read and wait to be processed. How long they waited decides whether new
    /// work is refused ([`Limits::queue_wait`](crate::limits::Limits::queue_wait)); what the
    /// operating system holds besides is not seen.
    pub fn waiting(&self) -> usize {
        self.udp.as_ref().map_or(0, Udp::waiting)
    }

    /// Connections that are open or being opened.
    pub fn connections(&self) -> usize {
        self.streams.iter().map(Streams::connections).sum()
    }

    /// Connections that were closed at once because there were too many
    /// ([`Limits::connections`](crate::limits::Limits::connections)).
    pub fn connections_refused(&self) -> u64 {
        self.streams.iter().map(|streams| streams.refused).sum()
    }

    /// Connections from others that came to nothing before they carried a message: what was not
    /// TLS where TLS was due, not a WebSocket, not one for SIP, or not done in time.
    pub fn handshakes_failed(&self) -> u64 {
        self.streams.iter().map(|streams| streams.failed).sum()
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
        let now = self.now();
        let result = act(&mut self.core.endpoint, now, &mut self.core.outputs);
        self.perform();
        result
    }

    /// Places a call.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::place`].
    pub fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse> {
        let ordinal = self.next_ordinal();
        let placed = self.act(|endpoint, now, out| endpoint.place(now, ordinal, invitation, out));
        self.observe_placed(ordinal, placed)
    }

    /// Sends a request outside of any dialog: OPTIONS, MESSAGE and others.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::ask`].
    pub fn ask(&mut self, method: &str, invitation: Invitation) -> Result<CallHandle, Misuse> {
        let ordinal = self.next_ordinal();
        let asked =
            self.act(|endpoint, now, out| endpoint.ask(now, ordinal, method, invitation, out));
        self.observe_placed(ordinal, asked)
    }

    fn observe_placed(
        &mut self,
        ordinal: u64,
        placed: Result<CallHandle, Misuse>,
    ) -> Result<CallHandle, Misuse> {
        if let Ok(call) = placed {
            let call_id = self.core.endpoint.call_id(ordinal);
            self.core.observer.placed(call, call_id.as_str());
        }
        placed
    }

    fn next_ordinal(&mut self) -> u64 {
        let ordinal = self.core.ordinal;
        self.core.ordinal = ordinal.wrapping_add(1);
        ordinal
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
            self.turn().await?;
            let Core {
                endpoint, observer, ..
            } = &mut self.core;
            observer.turned(endpoint);
        }
    }

    /// Waits for one thing, and does what it takes.
    async fn turn(&mut self) -> io::Result<()> {
        let deadlines = self.streams.iter().filter_map(Streams::deadline);
        let wake = deadlines.chain(self.core.endpoint.deadline()).min();
        let wake = wake.and_then(|at| self.core.instant(at));
        let has_waiting = self.waiting() > 0;
        let Self {
            core, udp, streams, ..
        } = self;
        tokio::select! {
            biased;
            // There are no more answers than questions of this side; a socket under a flood is
            // always readable.
            Some((id, name, records)) = core.answers.1.recv() => {
                core.remember(&name, &records);
                let answer = Answer::Dns(records);
                self.receive(Input::Answer { id, answer });
            }
            ready = some(udp.as_ref().map(Udp::readable)) => {
                ready?;
                self.read_datagrams()?;
                self.serve_streams().await;
            }
            // What was read before, and not processed; other tasks get their turn first.
            () = some(has_waiting.then(tokio::task::yield_now)) => {
                self.read_datagrams()?;
                self.serve_streams().await;
            }
            ready = some(udp.as_ref().map(Udp::writable)) => {
                ready?;
                self.perform();
            }
            () = any(streams) => self.on_streams(),
            () = some(wake.map(sleep_until)) => {
                let now = self.now();
                self.core.endpoint.on_deadline(now, &mut self.core.outputs);
                self.perform();
                for streams in &mut self.streams {
                    streams.on_deadline(now);
                }
                self.on_streams();
            }
        }
        Ok(())
    }

    /// Reads what has come, and feeds the oldest of it, in order.
    fn read_datagrams(&mut self) -> io::Result<()> {
        let Self { core, udp, .. } = self;
        if let Some(udp) = udp {
            udp.fetch(|| core.now())?;
        }
        for _ in 0..Udp::BATCH {
            let Some(input) = self.udp.as_mut().and_then(Udp::next) else {
                break;
            };
            self.receive(input);
        }
        Ok(())
    }

    /// Sees to streams without waiting for them: a socket under a flood is always readable. They
    /// are read no faster than this, so who floods one is held up by its own connection.
    async fn serve_streams(&mut self) {
        let streams = &mut self.streams;
        let found = std::future::poll_fn(|context| {
            let found = streams
                .iter_mut()
                .map(|streams| streams.poll(context).is_ready());
            Poll::Ready(found.fold(false, |any, one| any | one))
        });
        if found.await {
            self.on_streams();
        }
        let now = self.now();
        for streams in &mut self.streams {
            streams.on_deadline(now);
        }
    }

    /// Feeds what connections brought, in order.
    fn on_streams(&mut self) {
        let now = self.now();
        let next = |streams: &mut Vec<Streams>| {
            let mut all = streams.iter_mut();
            all.find_map(|streams| streams.next_input(now))
        };
        while let Some(input) = next(&mut self.streams) {
            self.receive(input);
        }
        // What was to be answered on a connection that ends has been.
        for streams in &mut self.streams {
            streams.close_ended();
        }
    }

    fn receive(&mut self, input: Input) {
        if let Input::Datagram { flow, bytes } | Input::Delayed { flow, bytes, .. } = &input {
            self.core.observer.received(flow, bytes);
        }
        let now = self.now();
        self.core
            .endpoint
            .receive(now, input, &mut self.core.outputs);
        self.perform();
    }

    fn perform(&mut self) {
        loop {
            while let Some(output) = self.core.outputs.pop_front() {
                match output {
                    Output::Transmit(transmit) => {
                        self.core.observer.sent(&transmit.flow, &transmit.bytes);
                        self.transmit(transmit);
                    }
                    Output::Event(event) => {
                        self.core.observer.heard(&event);
                        self.core.events.push_back(event);
                    }
                    Output::Query { id, query } => self.core.ask(id, query),
                    // The endpoint has counted it.
                    Output::Dropped(_) => {}
                }
            }
            let Some(id) = self.udp.as_mut().and_then(Udp::flush) else {
                return;
            };
            self.core.send_failed(id);
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let now = self.now();
        let id = transmit.id;
        let transport = transmit.flow.transport;
        let mut streams = self.streams.iter_mut();
        let is_sent = match (&mut self.udp, transport) {
            (Some(udp), Transport::Udp) => {
                udp.push(transmit);
                true
            }
            (_, transport) => match streams.find(|known| known.transport() == transport) {
                Some(streams) => {
                    let name = self.core.names.get(&transmit.flow.remote.ip());
                    streams.send(now, transmit, name.map(|name| &**name))
                }
                None => false,
            },
        };
        if !is_sent {
            self.core.send_failed(id);
        }
    }
}

impl Core {
    fn now(&self) -> Time {
        let elapsed = clock().saturating_duration_since(self.origin);
        Time::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    fn instant(&self, at: Time) -> Option<Instant> {
        self.origin.checked_add(Duration::from_nanos(at.as_nanos()))
    }

    fn send_failed(&mut self, id: crate::endpoint::TransmitId) {
        let now = self.now();
        let input = Input::SendFailed { id };
        self.endpoint.receive(now, input, &mut self.outputs);
    }

    fn ask(&self, id: QueryId, query: Query) {
        let Query::Dns(question) = query;
        let answers = self.answers.0.clone();
        tokio::spawn(async move {
            // The receiver is gone only if the driver is.
            let records = look_up(&question).await;
            let _ = answers.send((id, question.name().into(), records));
        });
    }

    fn remember(&mut self, host: &str, records: &Records) {
        let Records::Addresses(addresses) = records else {
            return;
        };
        if self.names.len() >= NAMES {
            self.names.clear();
        }
        for address in addresses {
            self.names.insert(*address, host.into());
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
    std::future::poll_fn(|context| {
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

fn wrong(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("a driver needs {what}"),
    )
}

fn entropy() -> io::Result<[u8; 32]> {
    let mut entropy = [0; 32];
    #[allow(
        clippy::disallowed_methods,
        reason = "a driver is where entropy comes from"
    )]
    getrandom::fill(&mut entropy).map_err(io::Error::other)?;
    Ok(entropy)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a driver is where time comes from"
)]
fn clock() -> Instant {
    Instant::now()
}

/// What the wildcard of IPv6 stands for besides: the wildcard of IPv4.
fn second(local: SocketAddr) -> Option<SocketAddr> {
    let both = local.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    both.then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, local.port())))
}

/// What a socket's address is to others.
async fn face(transport: Transport, local: SocketAddr) -> io::Result<Local> {
    let face = Local::new(transport, local);
    if !local.ip().is_unspecified() {
        return Ok(face);
    }
    let loopback = match local {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let ip = outbound(local).await.unwrap_or(loopback);
    let advertised = Advertised::new(&ip.to_string(), Some(local.port()))
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(face.advertise(advertised))
}

/// The address that packets to elsewhere leave from. Connecting a UDP socket sends nothing; the
/// target is an address for documentation (RFC 5737, RFC 3849).
async fn outbound(local: SocketAddr) -> io::Result<IpAddr> {
    let probe = UdpSocket::bind(SocketAddr::new(local.ip(), 0)).await?;
    match local {
        SocketAddr::V4(_) => probe.connect("192.0.2.1:9").await?,
        SocketAddr::V6(_) => probe.connect("[2001:db8::1]:9").await?,
    }
    Ok(probe.local_addr()?.ip())
}

/// The resolver of the operating system knows addresses alone: NAPTR and SRV count as missing.
async fn look_up(question: &Question) -> Records {
    let Question::Addresses { name } = question else {
        return Records::None;
    };
    match lookup_host((&**name, 0)).await {
        Ok(addresses) => Records::Addresses(addresses.map(|address| address.ip()).collect()),
        Err(_) => Records::None,
    }
}

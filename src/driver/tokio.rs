//! One UDP socket on tokio, with an endpoint behind it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep_until};

use crate::call::Invitation;
use crate::endpoint::{
    Answer, CallHandle, Config, Endpoint, Event, Input, Output, Query, QueryId, Transmit,
};
use crate::error::Misuse;
use crate::seed::Seed;
use crate::time::Time;
use crate::transport::{Advertised, Flow, FlowId, Local, Transport};

/// The largest datagram that IP can carry.
const DATAGRAM: usize = 65_535;
/// How many datagrams are read before what they caused is sent and timers are looked at.
const BATCH: usize = 64;
/// How many datagrams wait for a socket that cannot send, before the oldest is given up. A
/// transaction repeats what it needs.
const BACKLOG: usize = 4096;

/// An endpoint on one UDP socket.
///
/// ```no_run
/// use drongo::driver::tokio::Udp;
/// use drongo::endpoint::{Config, Event};
/// use drongo::message::Outgoing;
///
/// # async fn run() -> std::io::Result<()> {
/// let mut udp = Udp::bind("127.0.0.1:5060".parse().unwrap(), Config::default()).await?;
/// loop {
///     match udp.next_event().await? {
///         Event::Incoming { call, .. } => {
///             let answered = udp.act(|endpoint, now, out| {
///                 endpoint.call(call)?.answer(now, Outgoing::default(), out)
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
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    endpoint: Endpoint,
    /// Time zero of the endpoint.
    origin: Instant,
    /// The ordinal of the next call that is placed.
    ordinal: u64,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
    unsent: VecDeque<Transmit>,
    given_up: u64,
    answers: (
        mpsc::UnboundedSender<Looked>,
        mpsc::UnboundedReceiver<Looked>,
    ),
    buffer: Box<[u8]>,
}

/// What a look-up found.
type Looked = (QueryId, Vec<IpAddr>);

impl Udp {
    /// Binds a socket, and puts an endpoint with this configuration behind it; the address is
    /// added to [`Config::locals`]. A wildcard address is told to others as the address that the
    /// operating system would send from. The wildcard of IPv6 serves IPv4 too, where the operating
    /// system lets it, and stands for two local addresses.
    ///
    /// # Errors
    ///
    /// What binding the socket says; `InvalidInput` for a configuration that [`Endpoint::new`]
    /// refuses.
    pub async fn bind(address: SocketAddr, config: Config) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let local = socket.local_addr()?;
        let mut entropy = [0; 32];
        #[allow(
            clippy::disallowed_methods,
            reason = "a driver is where entropy comes from"
        )]
        getrandom::fill(&mut entropy).map_err(io::Error::other)?;
        let mut config = config.local(face(local).await?);
        if let Some(second) = second(local) {
            config = config.local(face(second).await?);
        }
        let endpoint = Endpoint::new(config, Seed::from_bytes(entropy), Time::ZERO)
            .map_err(|misuse| io::Error::new(io::ErrorKind::InvalidInput, misuse))?;
        Ok(Self {
            socket,
            local,
            endpoint,
            origin: clock(),
            ordinal: 0,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            unsent: VecDeque::new(),
            given_up: 0,
            answers: mpsc::unbounded_channel(),
            buffer: vec![0; DATAGRAM].into(),
        })
    }

    /// The address that the socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The endpoint, to look at.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How many datagrams were given up because too many waited for a socket that could not send.
    /// Transactions repeat what they need.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// The time of the endpoint now.
    pub fn now(&self) -> Time {
        let elapsed = clock().saturating_duration_since(self.origin);
        Time::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Does something with the endpoint, at the time that it is, and performs what it causes.
    pub fn act<R>(
        &mut self,
        act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R,
    ) -> R {
        let now = self.now();
        let result = act(&mut self.endpoint, now, &mut self.outputs);
        self.perform();
        result
    }

    /// Places a call.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::place`].
    pub fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse> {
        let ordinal = self.ordinal;
        self.ordinal = ordinal.wrapping_add(1);
        self.act(|endpoint, now, out| endpoint.place(now, ordinal, invitation, out))
    }

    /// Runs until there is something for the application. Nothing is lost if the future is
    /// dropped; while nobody awaits it, the endpoint stands still.
    ///
    /// # Errors
    ///
    /// What the socket says when it cannot receive any more.
    pub async fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.turn().await?;
        }
    }

    /// Waits for one thing, and does what it takes.
    async fn turn(&mut self) -> io::Result<()> {
        let wake = self.endpoint.deadline().and_then(|at| self.instant(at));
        let sleep = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let unsent = !self.unsent.is_empty();
        tokio::select! {
            biased;
            // There are no more answers than questions of this side; a socket under a flood is
            // always readable.
            Some((id, addresses)) = self.answers.1.recv() => {
                let answer = Answer::Addresses(addresses);
                self.receive(Input::Answer { id, answer });
            }
            ready = self.socket.readable() => {
                ready?;
                self.read()?;
            }
            ready = self.socket.writable(), if unsent => {
                ready?;
                self.flush();
            }
            () = sleep => {
                let now = self.now();
                self.endpoint.on_deadline(now, &mut self.outputs);
                self.perform();
            }
        }
        Ok(())
    }

    /// Feeds what is readable, in order.
    fn read(&mut self) -> io::Result<()> {
        for _ in 0..BATCH {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, remote)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    let bytes = Bytes::copy_from_slice(bytes);
                    let flow = self.flow_from(remote);
                    self.receive(Input::Datagram { flow, bytes });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What an earlier datagram met (ICMP). The socket goes on.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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

    fn receive(&mut self, input: Input) {
        let now = self.now();
        self.endpoint.receive(now, input, &mut self.outputs);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(output) = self.outputs.pop_front() {
            match output {
                Output::Transmit(transmit) => {
                    self.unsent.push_back(transmit);
                    self.flush();
                }
                Output::Event(event) => self.events.push_back(event),
                Output::Query {
                    id,
                    query: Query::Resolve { host },
                } => {
                    let answers = self.answers.0.clone();
                    tokio::spawn(async move {
                        // The receiver is gone only if the driver is.
                        let _ = answers.send((id, look_up(&host).await));
                    });
                }
                // The endpoint has counted it.
                Output::Dropped(_) => {}
            }
        }
    }

    /// Sends what can be sent now.
    fn flush(&mut self) {
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
                    return;
                }
                Ok(_) => {
                    self.unsent.pop_front();
                }
                Err(_) => {
                    let id = transmit.id;
                    self.unsent.pop_front();
                    let now = self.now();
                    self.endpoint
                        .receive(now, Input::SendFailed { id }, &mut self.outputs);
                }
            }
        }
    }

    fn instant(&self, at: Time) -> Option<Instant> {
        self.origin.checked_add(Duration::from_nanos(at.as_nanos()))
    }
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
async fn face(local: SocketAddr) -> io::Result<Local> {
    let face = Local::new(Transport::Udp, local);
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

async fn look_up(host: &str) -> Vec<IpAddr> {
    match lookup_host((host, 0)).await {
        Ok(addresses) => addresses.map(|address| address.ip()).collect(),
        Err(_) => Vec::new(),
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

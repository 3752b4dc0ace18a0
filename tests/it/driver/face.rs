//! What the tests want of a driver, and the drivers behind it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drongo::call::Invitation;
use drongo::driver::{Counters, Listen};
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Output};
use drongo::error::Misuse;
use drongo::message::{Body, Outgoing, StatusCode};
use drongo::shard::Shard;
use drongo::time::Time;
use drongo::transport::Transport;

use super::{LIMIT, anywhere};

/// A driver, as the tests use it.
pub(super) trait Face: Send + Sized + 'static {
    fn bind_shards(places: &[Listen], config: Config, shards: u32) -> io::Result<Vec<Self>>;
    fn next_event_within(&mut self, limit: Duration) -> Option<Event>;
    fn drain(&mut self) -> Option<Event>;
    fn has_unsent(&self) -> bool;
    fn act<R>(&mut self, act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R) -> R;
    fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse>;
    fn ask(&mut self, method: &str, invitation: Invitation) -> Result<CallHandle, Misuse>;
    fn address(&self, transport: Transport) -> SocketAddr;
    fn endpoint(&self) -> &Endpoint;
    fn counters(&self) -> Counters;
    fn connections(&self) -> usize;
    fn shard(&self) -> Shard;

    fn bind(places: &[Listen], config: Config) -> io::Result<Self> {
        Self::bind_shards(places, config, 1).map(|mut shards| shards.pop().unwrap())
    }

    fn next_event(&mut self) -> Event {
        self.next_event_within(LIMIT).expect("it takes too long")
    }

    fn hang_up(&mut self, call: CallHandle) {
        self.act(|endpoint, now, out| endpoint.call(call)?.hang_up(now, out))
            .unwrap();
    }
}

/// That of a driver which is not to refuse anything, however starved the machine is that it runs
/// on: with the usual bounds it would say 503 to what has waited for T1.
pub(super) fn patient() -> Config {
    let mut config = Config::default();
    config.limits.queue_patience = LIMIT;
    config
}

/// One of UDP and one of TCP.
pub(super) fn both() -> [Listen; 2] {
    [Listen::Udp(anywhere()), Listen::Tcp(anywhere())]
}

#[cfg(feature = "tokio")]
pub(super) struct Tokio {
    driver: drongo::driver::tokio::Driver,
    runtime: tokio::runtime::Runtime,
}

#[cfg(feature = "tokio")]
impl Face for Tokio {
    fn bind_shards(places: &[Listen], config: Config, shards: u32) -> io::Result<Vec<Self>> {
        let bound = drongo::driver::tokio::Driver::bind_shards(places, config, shards)?;
        let start = |bound: drongo::driver::tokio::Bound| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let guard = runtime.enter();
            let driver = bound.start()?;
            drop(guard);
            Ok(Self { driver, runtime })
        };
        bound.into_iter().map(start).collect()
    }

    fn next_event_within(&mut self, limit: Duration) -> Option<Event> {
        let event = async { tokio::time::timeout(limit, self.driver.next_event()).await };
        self.runtime.block_on(event).ok().map(Result::unwrap)
    }

    fn drain(&mut self) -> Option<Event> {
        self.runtime.block_on(self.driver.drain()).unwrap()
    }

    fn has_unsent(&self) -> bool {
        self.driver.has_unsent()
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R) -> R {
        let _guard = self.runtime.enter();
        self.driver.act(act)
    }

    fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse> {
        let _guard = self.runtime.enter();
        self.driver.place(invitation)
    }

    fn ask(&mut self, method: &str, invitation: Invitation) -> Result<CallHandle, Misuse> {
        let _guard = self.runtime.enter();
        self.driver.ask(method, invitation)
    }

    fn address(&self, transport: Transport) -> SocketAddr {
        self.driver.local_addr_of(transport).unwrap()
    }

    fn endpoint(&self) -> &Endpoint {
        self.driver.endpoint()
    }

    fn counters(&self) -> Counters {
        self.driver.counters()
    }

    fn connections(&self) -> usize {
        self.driver.connections()
    }

    fn shard(&self) -> Shard {
        self.driver.shard()
    }
}

#[cfg(feature = "mio")]
pub(super) struct Mio(pub(super) drongo::driver::mio::Driver);

#[cfg(feature = "mio")]
impl Face for Mio {
    fn bind_shards(places: &[Listen], config: Config, shards: u32) -> io::Result<Vec<Self>> {
        let bound = drongo::driver::mio::Driver::bind_shards(places, config, shards)?;
        Ok(bound.into_iter().map(Self).collect())
    }

    fn next_event_within(&mut self, limit: Duration) -> Option<Event> {
        self.0.next_event_within(limit).unwrap()
    }

    fn drain(&mut self) -> Option<Event> {
        self.0.drain().unwrap()
    }

    fn has_unsent(&self) -> bool {
        self.0.has_unsent()
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R) -> R {
        self.0.act(act)
    }

    fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse> {
        self.0.place(invitation)
    }

    fn ask(&mut self, method: &str, invitation: Invitation) -> Result<CallHandle, Misuse> {
        self.0.ask(method, invitation)
    }

    fn address(&self, transport: Transport) -> SocketAddr {
        self.0.local_addr_of(transport).unwrap()
    }

    fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
    }

    fn counters(&self) -> Counters {
        self.0.counters()
    }

    fn connections(&self) -> usize {
        self.0.connections()
    }

    fn shard(&self) -> Shard {
        self.0.shard()
    }
}

/// What is seen of an [`Answering`] driver from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) counters: Counters,
    pub(super) connections: usize,
    /// Calls that came.
    pub(super) calls: usize,
    /// Those of them whose Call-ID is of another shard.
    pub(super) astray: usize,
    /// How long the longest INVITE was.
    pub(super) longest: usize,
    /// Responses that could not be sent.
    pub(super) undelivered: u64,
}

/// A driver that answers every call and request, in a thread of its own.
pub(super) struct Answering {
    pub(super) udp: SocketAddr,
    pub(super) tcp: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Answering {
    pub(super) fn new<D: Face>(config: Config) -> Self {
        Self::run(D::bind(&both(), config).unwrap())
    }

    pub(super) fn run<D: Face>(mut driver: D) -> Self {
        let (udp, tcp) = (Transport::Udp, Transport::Tcp);
        let (udp, tcp) = (driver.address(udp), driver.address(tcp));
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !its.is_over.load(Ordering::Acquire) {
                if let Some(event) = driver.next_event_within(Duration::from_millis(5)) {
                    answer(&mut driver, event, &mut seen);
                }
                seen.counters = driver.counters();
                seen.connections = driver.connections();
                let counters = driver.endpoint().counters();
                seen.undelivered = counters.undelivered + counters.stale;
                *its.seen.lock().unwrap() = seen;
                its.changed.notify_all();
            }
        });
        Self {
            udp,
            tcp,
            shared,
            thread: Some(thread),
        }
    }

    pub(super) fn at(&self, transport: Transport) -> SocketAddr {
        match transport {
            Transport::Udp => self.udp,
            _ => self.tcp,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        *self.shared.seen.lock().unwrap()
    }

    /// Waits until it is so.
    pub(super) fn wait_until(&self, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let seen = self.shared.seen.lock().unwrap();
        let waiting = |seen: &mut Seen| !is_so(seen);
        let changed = &self.shared.changed;
        let (seen, waited) = changed.wait_timeout_while(seen, LIMIT, waiting).unwrap();
        assert!(!waited.timed_out(), "{seen:?}");
        *seen
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the driver failed");
    }
}

fn answer(driver: &mut impl Face, event: Event, seen: &mut Seen) {
    match event {
        Event::Incoming { call, request, .. } => {
            seen.calls += 1;
            seen.longest = seen.longest.max(request.bytes().len());
            seen.astray += usize::from(!driver.shard().owns(request.call_id().as_bytes()));
            let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
            driver
                .act(|endpoint, now, out| endpoint.call(call)?.answer(now, answer, out))
                .unwrap();
        }
        Event::Request { request, .. } => driver
            .act(|endpoint, now, out| {
                let status = StatusCode::OK;
                endpoint
                    .request(request)?
                    .respond(now, status, Outgoing::default(), out)
            })
            .unwrap(),
        _ => {}
    }
}

/// An invitation by that transport, with an offer.
pub(super) fn invitation(to: SocketAddr, transport: Transport) -> Invitation {
    let target = match transport {
        Transport::Udp => format!("sip:bob@{to}"),
        _ => format!("sip:bob@{to};transport={}", transport.as_via()),
    };
    let offer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    let invitation = Invitation::new(&target, "sip:alice@127.0.0.1").unwrap();
    invitation.with(offer)
}

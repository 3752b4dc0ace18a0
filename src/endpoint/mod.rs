//! The endpoint: transactions, dialogs and calls behind one face. Datagrams and time go in;
//! transmissions, events and queries come out.
//!
//! It owns the tables and the deadlines; the rules of SIP are in the machines below. Commands are
//! methods: [`Endpoint::place`], and the verbs of [`CallView`] and [`RequestView`]. The laws of
//! [`Machine`] hold for it, but for L9: an endpoint does not end.

mod arrival;
mod calls;
mod checks;
mod clients;
mod config;
mod connections;
mod detour;
mod dialogs;
mod dispatch;
mod failover;
mod glance;
mod locations;
mod notices;
mod output;
mod overload;
mod places;
mod servers;
mod views;

use alloc::sync::Arc;

use crate::auth::{Policy, Verifier};
use crate::call::{Call, Context, Event as CallEvent, Invitation};
use crate::deadlines::Deadlines;
use crate::error::Misuse;
use crate::handle::{Arena, Handle, Kind};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::HeaderList;
use crate::overload::asks_for_feedback;
use crate::seed::{Ids, Seed};
use crate::sink::Sink;
use crate::table::Index;
use crate::time::Time;
use calls::CallEntry;
use clients::ClientEntry;
pub use config::{Config, LargeRequests, Schemes};
use connections::Connections;
use locations::{LocationEntry, QueryEntry};
pub use output::{
    Answer, Counters, Disconnect, Dropped, Event, Input, Output, Query, Reroute, Transmit,
};
use overload::Overload;
use places::Places;
use servers::ServerEntry;
pub use views::{CallView, RequestView};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $handle:ident, $name:literal;)*) => {
        $(
            #[doc = concat!("What a [`", stringify!($handle), "`] names.")]
            #[derive(Debug)]
            #[allow(clippy::exhaustive_enums, reason = "a marker without values")]
            pub enum $kind {}

            impl Kind for $kind {
                const NAME: &'static str = $name;
            }

            $(#[$doc])*
            pub type $handle = Handle<$kind>;
        )*
    };
}

kinds! {
    /// Names a call of an endpoint.
    CallKind, CallHandle, "call";
    /// Names a request that is the application's to answer.
    RequestKind, RequestHandle, "request";
    /// Names a query.
    QueryKind, QueryId, "query";
    /// Names a client transaction.
    ClientKind, ClientHandle, "client";
    /// Names what waits for a place to go.
    LocationKind, LocationHandle, "location";
}

/// Names a transmission, to report that it failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransmitId(Origin);

/// Whose transmission it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Origin {
    Client(ClientHandle),
    /// And how many places its responses were sent to before.
    Server {
        server: RequestHandle,
        turn: u8,
    },
    /// An ACK for a 2xx, and whether its size led it to a stream. Nobody waits for it.
    Ack {
        call: CallHandle,
        oversized: bool,
    },
    /// A stateless reply: nobody waits.
    Nobody,
}

/// Something with a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Client(ClientHandle),
    Server(RequestHandle),
    Call(CallHandle),
    Location(LocationHandle),
}

/// Why an endpoint wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Wake {
    /// A timer of a client transaction.
    Client,
    /// A timer of a server transaction, or the end of the application's time to answer.
    Server,
    /// A timer of a call.
    Call,
    /// A query that is not answered.
    Query,
    /// Overload that is over, of this side or of a server.
    Overload,
}

/// A SIP endpoint.
///
/// ```
/// use std::collections::VecDeque;
///
/// use drongo::endpoint::{Config, Endpoint, Event, Input, Output};
/// use drongo::message::{Body, Outgoing};
/// use drongo::seed::Seed;
/// use drongo::time::Time;
/// use drongo::transport::{Flow, FlowId, Local, Transport};
///
/// let bound = "192.0.2.4:5060".parse()?;
/// let config = Config::default().local(Local::new(Transport::Udp, bound));
/// // A seed comes from the operating system; the same one is never used twice.
/// let mut endpoint = Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO)?;
///
/// let invite = "INVITE sip:bob@192.0.2.4 SIP/2.0\r\n\
///     Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnashds8;rport\r\n\
///     Max-Forwards: 70\r\n\
///     From: <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
///     To: <sip:bob@biloxi.example.com>\r\n\
///     Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
///     CSeq: 314159 INVITE\r\n\
///     Contact: <sip:alice@192.0.2.1>\r\n\r\n";
/// let flow = Flow {
///     id: FlowId::new(0),
///     transport: Transport::Udp,
///     local: bound,
///     remote: "192.0.2.1:5060".parse()?,
/// };
/// let mut out = VecDeque::new();
/// let now = Time::from_millis(1);
/// endpoint.receive(now, Input::Datagram { flow, bytes: invite.into() }, &mut out);
///
/// while let Some(output) = out.pop_front() {
///     match output {
///         Output::Event(Event::Incoming { call, .. }) => {
///             let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
///             endpoint.call(call)?.answer(now, answer, &mut out)?;
///         }
///         Output::Transmit(transmit) => {
///             assert!(transmit.bytes.starts_with(b"SIP/2.0 200 OK\r\n"));
///             assert_eq!(transmit.flow.remote, flow.remote);
///         }
///         other => panic!("unexpected: {other:?}"),
///     }
/// }
/// // The 2xx is due again after T1, until its ACK comes.
/// assert_eq!(endpoint.deadline(), Some(Time::from_millis(501)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    config: Config,
    context: Arc<Context>,
    places: Places,
    allow: HeaderList,
    options: HeaderList,
    now: Time,
    counters: Counters,
    clients: Arena<ClientKind, ClientEntry>,
    client_keys: Index<ClientHandle>,
    servers: Arena<RequestKind, ServerEntry>,
    server_keys: Index<RequestHandle>,
    /// Requests without To tag, by what merged copies share (8.2.2.2).
    origins: Index<RequestHandle>,
    calls: Arena<CallKind, CallEntry>,
    /// Calls, by the local tag of their dialogs.
    dialogs: Index<CallHandle>,
    locations: Arena<LocationKind, LocationEntry>,
    queries: Arena<QueryKind, QueryEntry>,
    connections: Connections,
    overload: Overload,
    deadlines: Deadlines,
}

impl Endpoint {
    /// An endpoint at rest.
    ///
    /// `seed` is 32 bytes of entropy. The same seed must never be used in two lives of a process:
    /// it would give two calls the same identifiers.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if a string in the configuration cannot stand in a header.
    pub fn new(config: Config, seed: Seed, now: Time) -> Result<Self, Misuse> {
        let ids = Ids::new(seed);
        let key = ids.table_key();
        // What this side says in its Via (RFC 7339 4.1, 4.2).
        let feedback = config.overload.feedback.as_ref();
        let via_params = feedback.map_or(&b""[..], |policy| asks_for_feedback(policy.prefer));
        let places = Places::new(&config.locals, config.transport_tls, via_params);
        let context = Context {
            keyring: Arc::new(config.keyring.clone()),
            ids,
            timers: config.timers,
            limits: config.limits.clone(),
            capabilities: config.capabilities("User-Agent")?,
            reliable: config.reliable,
            session_timer: config.session_timer,
            connected_identity: config.connected_identity,
            origin: places.usual_origin(),
        };
        Ok(Self {
            places,
            allow: config.allow()?,
            options: config.options()?,
            overload: Overload::new(&config, key),
            config,
            context: Arc::new(context),
            now,
            counters: Counters::default(),
            clients: Arena::new(),
            client_keys: Index::with_key(key),
            servers: Arena::new(),
            server_keys: Index::with_key(key),
            origins: Index::with_key(key),
            calls: Arena::new(),
            dialogs: Index::with_key(key),
            locations: Arena::new(),
            queries: Arena::new(),
            connections: Connections::with_key(key),
            deadlines: Deadlines::new(),
        })
    }

    /// Takes what the driver brings.
    pub fn receive(&mut self, now: Time, input: Input, out: &mut (impl Sink<Output> + ?Sized)) {
        let now = self.advance(now, out);
        match input {
            Input::Datagram { flow, bytes } => {
                self.overload.set_waited(core::time::Duration::ZERO);
                self.on_datagram(now, flow, bytes, out);
            }
            Input::Delayed {
                flow,
                bytes,
                arrived,
            } => {
                self.overload.set_waited(now.saturating_since(arrived));
                self.on_datagram(now, flow, bytes, out);
            }
            Input::Malformed { flow, error } => {
                self.counters.received = self.counters.received.saturating_add(1);
                self.on_malformed(&flow, error, out);
            }
            Input::SendFailed { id } => self.on_send_failed(now, id, false, out),
            Input::Refused { id } => self.on_send_failed(now, id, true, out),
            Input::Disconnected { flow, how } => self.on_disconnected(now, &flow, how, out),
            Input::Answer { id, answer } => self.on_answer(now, id, answer, out),
        }
    }

    /// Fires what is due.
    pub fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Output> + ?Sized)) {
        self.advance(now, out);
    }

    /// When [`on_deadline`](Self::on_deadline) must be called next. Costs nothing.
    pub fn deadline(&self) -> Option<Time> {
        self.next_wake().map(|(at, _)| at)
    }

    /// The next deadline with its reason, for logs and tests.
    pub fn next_wake(&self) -> Option<(Time, Wake)> {
        let overload = self.overload.deadline();
        let Some((at, id)) = self.deadlines.next() else {
            return overload.map(|at| (at, Wake::Overload));
        };
        if let Some(before) = overload.filter(|overload| *overload < at) {
            return Some((before, Wake::Overload));
        }
        let wake = match id & 3 {
            CLIENT => Wake::Client,
            SERVER => Wake::Server,
            CALL => Wake::Call,
            _ => Wake::Query,
        };
        Some((at, wake))
    }

    /// Places a call: what becomes of it comes as events, [`Event::Ended`] at the end.
    ///
    /// `ordinal` makes the call's identifiers: it must be new for each call and each request of
    /// [`ask`](Self::ask) of a seed, whatever endpoint of it places the call. One that is used
    /// again makes a Call-ID, tags and branches that others have seen before.
    ///
    /// # Errors
    ///
    /// [`Misuse`]: a header that the core writes, a target that cannot be reached from any local
    /// address, or a table that is full. Nothing was sent.
    pub fn place(
        &mut self,
        now: Time,
        ordinal: u64,
        invitation: Invitation,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<CallHandle, Misuse> {
        let now = self.advance(now, out);
        self.place_call(now, ordinal, (None, invitation), out)
    }

    /// Sends a request outside of any dialog, such as MESSAGE or OPTIONS: [`Event::Response`] tells
    /// of each provisional response, [`Event::Ended`] of the end, with
    /// [`EndReason::Completed`](crate::call::EndReason::Completed) for a 2xx. Credentials,
    /// redirections and what else a refusal asks for are as the invitation says, as in a call.
    ///
    /// The handle names it as if it were a call. `hang_up` forgets it; other verbs are a misuse.
    /// `ordinal` is as in [`place`](Self::place).
    ///
    /// ```
    /// # use drongo::call::Invitation;
    /// # use drongo::endpoint::{Config, Endpoint, Output};
    /// # use drongo::message::{Body, Outgoing};
    /// # use drongo::seed::Seed;
    /// # use drongo::time::Time;
    /// # use drongo::transport::{Local, Transport};
    /// # let config = Config::default().local(Local::new(Transport::Udp, "192.0.2.1:5060".parse()?));
    /// # let mut endpoint = Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO)?;
    /// let mut out = Vec::new();
    /// let watson = Outgoing::new().with_body(Body::new("text/plain", "Watson, come here.")?);
    /// let to_bob = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com")?.with(watson);
    /// endpoint.ask(Time::ZERO, 1, "MESSAGE", to_bob, &mut out)?;
    /// assert!(matches!(
    ///     &out[..],
    ///     [Output::Transmit(transmit)] if transmit.bytes.starts_with(b"MESSAGE sip:bob@192.0.2.4 ")
    /// ));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`place`](Self::place), and [`Misuse::Malformed`] for INVITE, ACK, CANCEL, BYE,
    /// PRACK and UPDATE.
    pub fn ask(
        &mut self,
        now: Time,
        ordinal: u64,
        method: &str,
        invitation: Invitation,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<CallHandle, Misuse> {
        let now = self.advance(now, out);
        self.place_call(now, ordinal, (Some(method), invitation), out)
    }

    /// A verifier of credentials that takes its key from the seed of this endpoint. An ordinal
    /// serves once.
    ///
    /// # Errors
    ///
    /// As [`Verifier::new`].
    pub fn verifier(&self, ordinal: u64, policy: Policy) -> Result<Verifier, Misuse> {
        Verifier::new(policy, &mut self.context.ids.nonces(ordinal))
    }

    /// The verbs of a call.
    ///
    /// # Errors
    ///
    /// [`Misuse::UnknownHandle`] if the call has ended and its last transaction has gone.
    pub fn call(&mut self, call: CallHandle) -> Result<CallView<'_>, Misuse> {
        match self.calls.contains(call) {
            true => Ok(CallView::new(self, call)),
            false => Err(Misuse::UnknownHandle),
        }
    }

    /// The verbs of a request that [`Event::Request`] brought.
    ///
    /// # Errors
    ///
    /// [`Misuse::UnknownHandle`] if its transaction has gone.
    pub fn request(&mut self, request: RequestHandle) -> Result<RequestView<'_>, Misuse> {
        match self.servers.contains(request) {
            true => Ok(RequestView::new(self, request)),
            false => Err(Misuse::UnknownHandle),
        }
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it counted, which starts again from zero.
    pub fn take_counters(&mut self) -> Counters {
        core::mem::take(&mut self.counters)
    }

    /// Transactions in the tables, lingering ones included.
    pub fn transactions(&self) -> usize {
        (self.clients.len() as usize).saturating_add(self.servers.len() as usize)
    }

    /// Calls in the tables, lingering ones included.
    pub fn calls(&self) -> usize {
        self.calls.len() as usize
    }

    /// Dialogs in the tables: one set a call.
    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Whether no call, transaction or query is left, nor any trace of one in a table.
    pub fn is_idle(&self) -> bool {
        let entries = [
            self.transactions(),
            self.calls(),
            self.locations.len() as usize,
            self.queries.len() as usize,
            self.client_keys.len(),
            self.server_keys.len(),
            self.origins.len(),
            self.dialogs.len(),
        ];
        let empty = entries.iter().all(|entries| *entries == 0)
            && self.connections.is_empty()
            && self.overload.is_idle();
        empty && self.deadline().is_none()
    }

    /// The handles of all calls, in the order of their places.
    pub fn call_handles(&self) -> impl Iterator<Item = CallHandle> + '_ {
        self.calls.iter().map(|(handle, _)| handle)
    }

    /// The Call-ID of what is placed with that ordinal.
    pub fn call_id(&self, ordinal: u64) -> crate::seed::Token {
        self.context.ids.call(ordinal).call_id
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Shifts every deadline from a clock that reads `from` to one that reads `to` at the same
    /// instant.
    pub fn rebase(&mut self, from: Time, to: Time) {
        self.now = self.now.rebased(from, to);
        for (_, client) in self.clients.iter_mut() {
            client.machine.rebase(from, to);
        }
        for (_, server) in self.servers.iter_mut() {
            server.rebase(from, to);
        }
        for (_, call) in self.calls.iter_mut() {
            call.call.rebase(from, to);
        }
        for (_, location) in self.locations.iter_mut() {
            location.rebase(from, to);
        }
        self.overload.rebase(from, to);
        self.deadlines.rebase(from, to);
    }

    /// L6 and L3: time never runs backwards here, and what is due goes first.
    #[inline]
    fn advance(&mut self, now: Time, out: &mut (impl Sink<Output> + ?Sized)) -> Time {
        if now < self.now {
            self.counters.time_went_back = self.counters.time_went_back.saturating_add(1);
        }
        self.now = self.now.max(now);
        if self.deadlines.next().is_some_and(|(at, _)| at <= self.now) {
            self.run_timers(self.now, out);
        }
        self.advance_overload(self.now, out);
        self.now
    }

    /// What is due by now.
    // Nearly always nothing is when something arrives.
    #[inline(never)]
    fn run_timers(&mut self, now: Time, out: &mut (impl Sink<Output> + ?Sized)) {
        while let Some((_, id)) = self.deadlines.pop_due(now) {
            match self.part(id) {
                Some(Part::Client(client)) => self.on_client_deadline(now, client, out),
                Some(Part::Server(server)) => self.on_server_deadline(now, server, out),
                Some(Part::Call(call)) => self.drive_call(now, call, out, |call, actions| {
                    call.on_deadline(now, actions);
                }),
                Some(Part::Location(location)) => {
                    self.drive_location(now, location, out, |locate, actions| {
                        locate.on_deadline(now, actions);
                    });
                }
                None => {}
            }
        }
    }

    fn arm(&mut self, part: Part, at: Option<Time>) {
        let (index, kind) = match part {
            Part::Client(handle) => (handle.index(), CLIENT),
            Part::Server(handle) => (handle.index(), SERVER),
            Part::Call(handle) => (handle.index(), CALL),
            Part::Location(handle) => (handle.index(), LOCATION),
        };
        self.deadlines.set(index << 2 | kind, at);
    }

    fn part(&self, id: u32) -> Option<Part> {
        let index = id >> 2;
        match id & 3 {
            CLIENT => self.clients.at(index).map(Part::Client),
            SERVER => self.servers.at(index).map(Part::Server),
            CALL => self.calls.at(index).map(Part::Call),
            _ => self.locations.at(index).map(Part::Location),
        }
    }

    fn limits(&self) -> &Limits {
        &self.context.limits
    }

    fn drop_packet(&mut self, dropped: Dropped, out: &mut (impl Sink<Output> + ?Sized)) {
        self.counters.count(&dropped);
        out.push(Output::Dropped(dropped));
    }

    fn transmit(
        &mut self,
        flow: crate::transport::Flow,
        host: Option<Arc<str>>,
        bytes: bytes::Bytes,
        origin: Origin,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        self.counters.sent = self.counters.sent.saturating_add(1);
        out.push(Output::Transmit(Transmit {
            flow,
            bytes,
            id: TransmitId(origin),
            host,
        }));
    }

    fn on_send_failed(
        &mut self,
        now: Time,
        id: TransmitId,
        refused: bool,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        use crate::transaction::invite_client;
        match id.0 {
            Origin::Client(client) if refused && self.clients.contains(client) => {
                self.on_refused(now, client, out);
            }
            Origin::Client(client) if self.clients.contains(client) => {
                self.drive_client(now, client, out, |machine, actions| {
                    machine.receive(now, invite_client::Event::TransportError, actions);
                });
            }
            Origin::Server { server, turn } if self.servers.contains(server) => {
                self.on_response_failed(now, server, turn, out);
            }
            // The other side repeats its 2xx, and the next ACK goes in a datagram.
            Origin::Ack {
                call,
                oversized: true,
            } if refused => self.remember_refusal(call),
            Origin::Client(_) | Origin::Server { .. } | Origin::Ack { .. } | Origin::Nobody => {
                self.drop_packet(Dropped::StaleFailure, out);
            }
        }
    }
}

/// The kind of a part in the last two bits of its number in the deadline queue.
const CLIENT: u32 = 0;
const SERVER: u32 = 1;
const CALL: u32 = 2;
const LOCATION: u32 = 3;

/// Keeps the names that the submodules share in one place.
fn event_for(call: &mut Call, now: Time, event: CallEvent, actions: &mut calls::Actions) {
    call.receive(now, event, actions);
}

//! The connections of one transport, without any socket: which there are, whose message goes over
//! which, how many there may be. What a connection means is for its [`Connection`] machine to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::counters::{Counters, add};
use crate::endpoint::{Disconnect, Input, Transmit, TransmitId};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::seed::Ids;
use crate::shard::Shard;
use crate::time::Time;
use crate::transport::stream::{Action, Connection, Event, Framing, Role};
use crate::transport::{Flow, FlowId, Transport};

/// What may wait to be written to one connection before it counts as broken.
pub(super) const BACKLOG: usize = 1024;

/// Writes to an open connection. When it is dropped, the connection is closed, after what waits
/// is written.
pub(super) trait Line {
    /// Whether what it takes waits until somebody writes it: see [`Pool::take_written`].
    const WAITS: bool;

    /// Takes bytes to write. Whether there was room.
    fn write(&mut self, job: Job) -> bool;
}

/// Bytes to write, and who is to hear if they cannot be.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) bytes: Bytes,
    pub(super) ticket: Option<Ticket>,
}

/// A transmission, and the shard whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) shard: u32,
    pub(super) id: TransmitId,
}

/// What an endpoint is to hear.
#[derive(Debug)]
pub(super) enum Found {
    /// The one that it belongs to.
    Input(Input),
    /// The one that has the ticket.
    Failed(Ticket, Refusal),
}

/// How a transmission failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// Nobody listens there.
    Refused,
    /// Anything else.
    Failed,
}

impl Found {
    /// What the endpoint hears.
    pub(super) fn into_input(self) -> Input {
        match self {
            Self::Input(input) => input,
            Self::Failed(Ticket { id, .. }, Refusal::Refused) => Input::Refused { id },
            Self::Failed(Ticket { id, .. }, Refusal::Failed) => Input::SendFailed { id },
        }
    }
}

/// What the connections of one transport have in common.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    /// Tells the transports of one driver apart: under [`STEP`].
    pub(super) number: u64,
    pub(super) shard: Shard,
    pub(super) limits: Arc<Limits>,
    pub(super) ids: Ids,
}

/// Whom a connection is with: an address, and the name of the host that was wanted there, if it was
/// opened for one.
pub(super) type Peer = (SocketAddr, Option<Arc<str>>);

/// More than there are transports.
const STEP: u64 = 8;

/// The shard that has the connection of a flow; `None` for a flow that is none.
pub(super) fn owner(flow: FlowId, shard: Shard) -> Option<u32> {
    let number = flow.as_u64().checked_sub(1)?.checked_div(STEP)?;
    u32::try_from(number.checked_rem(u64::from(shard.of()))?).ok()
}

/// The connections of one transport, each with a number that is never used again. `L` writes to an
/// open one; `O` is one that is being opened.
#[derive(Debug)]
pub(super) struct Pool<L, O> {
    pub(super) kind: Kind,
    places: BTreeMap<u64, Place<L, O>>,
    /// The newest connection with each peer.
    by_peer: BTreeMap<Peer, u64>,
    directory: Option<Directory>,
    deadlines: BTreeSet<(Time, u64)>,
    /// The number of the next connection. Transports and shards count in steps, so that they never
    /// meet.
    next: u64,
    found: VecDeque<Found>,
    written: Vec<u64>,
    ended: Vec<u64>,
    pub(super) counters: Counters,
}

/// A connection in the table.
#[derive(Debug)]
enum Place<L, O> {
    Opening {
        peer: Peer,
        waiting: Vec<Job>,
        opening: O,
    },
    Open(Box<Open<L>>),
}

#[derive(Debug)]
struct Open<L> {
    flow: Flow,
    host: Option<Arc<str>>,
    machine: Connection,
    armed: Option<Time>,
    /// How it has ended, when it has.
    how: Disconnect,
    line: L,
}

impl<L: Line, O> Pool<L, O> {
    /// `directory` is that of all shards, if there are several.
    pub(super) fn new(kind: Kind, directory: Option<Directory>) -> Self {
        // Zero names no connection.
        let first = STEP.wrapping_mul(u64::from(kind.shard.index()));
        Self {
            next: first.wrapping_add(kind.number).wrapping_add(1),
            kind,
            places: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            directory,
            deadlines: BTreeSet::new(),
            found: VecDeque::new(),
            written: Vec::new(),
            ended: Vec::new(),
            counters: Counters::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether a message waits for a connection that is being opened, or for an open one.
    pub(super) fn has_unsent(&self, waits: impl Fn(&L) -> bool) -> bool {
        self.places.values().any(|place| match place {
            Place::Opening { .. } => true,
            Place::Open(open) => waits(&open.line),
        })
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn on_deadline(&mut self, now: Time) {
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.drive(id, |machine, out| machine.on_deadline(now, out));
        }
    }

    /// The other shard whose connection with the peer of a transmission is to be used: this one
    /// has none.
    pub(super) fn elsewhere(&self, transmit: &Transmit) -> Option<u32> {
        let directory = self.directory.as_ref()?;
        let Transmit { flow, host, .. } = transmit;
        let peer = (flow.remote, host.clone());
        if flow.id.as_u64() != 0 || find(&self.by_peer, &peer).is_some() {
            return None;
        }
        directory.owner(self.kind.transport, &peer)
    }

    /// What an endpoint is to hear next.
    pub(super) fn next_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// The connections to which something was given to write since the last time.
    #[cfg(feature = "mio")]
    pub(super) fn take_written(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.written)
    }

    /// Takes connections out whose machines have ended.
    pub(super) fn take_ended(&mut self) -> Vec<(u64, L)> {
        let ended = std::mem::take(&mut self.ended);
        let take = |id: u64| self.forget(id).map(|line| (id, line));
        ended.into_iter().filter_map(take).collect()
    }

    /// What writes to an open connection.
    #[cfg(feature = "mio")]
    pub(super) fn line(&mut self, id: u64) -> Option<&mut L> {
        match self.places.get_mut(&id)? {
            Place::Open(open) => Some(&mut open.line),
            Place::Opening { .. } => None,
        }
    }

    /// A connection that is being opened.
    #[cfg(feature = "mio")]
    pub(super) fn opening(&self, id: u64) -> Option<&O> {
        match self.places.get(&id)? {
            Place::Opening { opening, .. } => Some(opening),
            Place::Open(_) => None,
        }
    }

    /// Whether the connection is being opened.
    #[cfg(feature = "mio")]
    pub(super) fn is_opening(&self, id: u64) -> bool {
        self.opening(id).is_some()
    }

    /// Writes to the connection that the flow names, or to one with the same peer, or to a new
    /// one, which `connect` opens under the number it is given. Whether there is any.
    pub(super) fn send(
        &mut self,
        now: Time,
        transmit: Transmit,
        shard: u32,
        connect: impl FnOnce(u64, &Peer) -> Option<O>,
    ) -> bool {
        let Transmit {
            flow,
            bytes,
            id,
            host,
            ..
        } = transmit;
        let ticket = Some(Ticket { shard, id });
        let job = Job { bytes, ticket };
        let peer = (flow.remote, host);
        let named = flow.id.as_u64();
        let known = match named {
            0 => find(&self.by_peer, &peer).copied(),
            named => Some(named),
        };
        match known.and_then(|known| Some((known, self.places.get_mut(&known)?))) {
            Some((known, Place::Open(open))) => {
                let is_sent = open.line.write(job);
                if is_sent {
                    self.written.extend(L::WAITS.then_some(known));
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
            None => self.connect(peer, job, connect),
        }
    }

    fn connect(
        &mut self,
        peer: Peer,
        job: Job,
        connect: impl FnOnce(u64, &Peer) -> Option<O>,
    ) -> bool {
        let Some(id) = self.new_id() else {
            return false;
        };
        let Some(opening) = connect(id, &peer) else {
            add(&mut self.counters.connect_failed);
            return false;
        };
        let place = Place::Opening {
            peer: peer.clone(),
            waiting: vec![job],
            opening,
        };
        self.places.insert(id, place);
        self.remember(peer, id);
        true
    }

    /// A number for one connection more, if there may be one.
    fn new_id(&mut self) -> Option<u64> {
        if self.places.len() >= self.kind.limits.connections {
            add(&mut self.counters.connections_refused);
            return None;
        }
        let id = self.next;
        let step = STEP.wrapping_mul(u64::from(self.kind.shard.of()));
        self.next = id.wrapping_add(step);
        Some(id)
    }

    /// A connection from another is ready for messages; `line` writes to it, unless there are too
    /// many.
    pub(super) fn on_accepted(
        &mut self,
        now: Time,
        remote: SocketAddr,
        line: impl FnOnce(u64) -> Option<L>,
    ) {
        let Some(id) = self.new_id() else {
            return;
        };
        if let Some(line) = line(id) {
            add(&mut self.counters.accepted);
            self.open(now, id, Role::Server, line, (remote, None));
        }
    }

    /// A connection that was being opened is ready for messages; `line` writes to it.
    pub(super) fn on_connected(&mut self, now: Time, id: u64, line: impl FnOnce(O) -> L) {
        let Some(Place::Opening {
            peer,
            waiting,
            opening,
        }) = self.remove_opening(id)
        else {
            return;
        };
        add(&mut self.counters.connected);
        self.open(now, id, Role::Client, line(opening), peer);
        if let Some(Place::Open(open)) = self.places.get_mut(&id) {
            for job in waiting {
                // There is room for all that could wait.
                let _ = open.line.write(job);
            }
            self.written.extend(L::WAITS.then_some(id));
        }
    }

    /// A connection could not be opened.
    pub(super) fn on_connect_failed(&mut self, id: u64, how: Refusal) {
        let Some(Place::Opening { peer, waiting, .. }) = self.remove_opening(id) else {
            return;
        };
        add(&mut self.counters.connect_failed);
        self.forget_peer(&peer, id);
        let tickets = waiting.into_iter().filter_map(|job| job.ticket);
        self.found
            .extend(tickets.map(|ticket| Found::Failed(ticket, how)));
    }

    fn remove_opening(&mut self, id: u64) -> Option<Place<L, O>> {
        match self.places.get(&id)? {
            Place::Opening { .. } => self.places.remove(&id),
            Place::Open(_) => None,
        }
    }

    /// Bytes came.
    pub(super) fn on_received(&mut self, now: Time, id: u64, bytes: Bytes) {
        self.drive(id, |machine, out| {
            machine.receive(now, Event::Received(bytes), out);
        });
    }

    /// The other side closed it, or it broke.
    pub(super) fn on_closed(&mut self, now: Time, id: u64, how: Disconnect) {
        if let Some(Place::Open(open)) = self.places.get_mut(&id) {
            open.how = how;
        }
        self.drive(id, |machine, out| machine.receive(now, Event::Closed, out));
    }

    /// What could not be written.
    pub(super) fn on_unsent(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        let failed = |ticket| Found::Failed(ticket, Refusal::Failed);
        self.found.extend(tickets.into_iter().map(failed));
    }

    fn open(&mut self, now: Time, id: u64, role: Role, line: L, peer: Peer) {
        let Kind {
            transport, local, ..
        } = self.kind;
        let flow = Flow {
            id: FlowId::new(id),
            transport,
            local,
            remote: peer.0,
        };
        let framing = match transport.is_websocket() {
            true => Framing::WebSocket,
            false => Framing::Stream,
        };
        let (limits, ids) = (Arc::clone(&self.kind.limits), self.kind.ids.clone());
        let place = Place::Open(Box::new(Open {
            flow,
            host: peer.1.clone(),
            machine: Connection::new(now, role, limits, ids, id).with_framing(framing),
            armed: None,
            how: Disconnect::Closed,
            line,
        }));
        self.places.insert(id, place);
        self.remember(peer, id);
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
        let (flow, how) = (open.flow, open.how);
        for action in actions {
            let input = match action {
                Action::Message(bytes) => Input::Datagram { flow, bytes },
                Action::Malformed(error) => Input::Malformed { flow, error },
                Action::Terminated => {
                    self.ended.push(id);
                    Input::Disconnected { flow, how }
                }
                Action::Transmit(bytes) => {
                    // Who does not read what it asked for can do without.
                    let job = Job {
                        bytes,
                        ticket: None,
                    };
                    if open.line.write(job) {
                        self.written.extend(L::WAITS.then_some(id));
                    }
                    continue;
                }
                Action::Padding => {
                    add(&mut self.counters.padding);
                    continue;
                }
                Action::Close(reason) => {
                    self.counters.count(reason);
                    continue;
                }
            };
            self.found.push_back(Found::Input(input));
        }
    }

    fn forget(&mut self, id: u64) -> Option<L> {
        let Place::Open(open) = self.places.remove(&id)? else {
            return None;
        };
        if let Some(at) = open.armed {
            self.deadlines.remove(&(at, id));
        }
        self.forget_peer(&(open.flow.remote, open.host), id);
        Some(open.line)
    }

    fn remember(&mut self, peer: Peer, id: u64) {
        if let Some(directory) = &self.directory {
            directory.insert(self.kind.transport, &peer, self.kind.shard.index());
        }
        self.by_peer.insert(peer, id);
    }

    fn forget_peer(&mut self, peer: &Peer, id: u64) {
        if self.by_peer.get(peer) != Some(&id) {
            return;
        }
        self.by_peer.remove(peer);
        if let Some(directory) = &self.directory {
            directory.remove(self.kind.transport, peer, self.kind.shard.index());
        }
    }
}

/// What is known of a peer. A connection that was opened for one name is not taken for another
/// (RFC 5923 5, RFC 5922 7.3); whoever asks for an address takes any that leads there.
fn find<'a, T>(known: &'a BTreeMap<Peer, T>, peer: &Peer) -> Option<&'a T> {
    let (remote, host) = peer;
    if host.is_some() {
        return known.get(peer);
    }
    // No name comes before all names.
    let ((at, _), found) = known.range(peer..).next()?;
    (at == remote).then_some(found)
}

/// Which shard has a connection with a peer: one serves all. It is looked at when a shard has none
/// with that peer itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory(Arc<Mutex<BTreeMap<Transport, BTreeMap<Peer, u32>>>>);

impl Directory {
    fn owner(&self, transport: Transport, peer: &Peer) -> Option<u32> {
        find(self.lock().get(&transport)?, peer).copied()
    }

    fn insert(&self, transport: Transport, peer: &Peer, shard: u32) {
        let mut known = self.lock();
        known
            .entry(transport)
            .or_default()
            .insert(peer.clone(), shard);
    }

    fn remove(&self, transport: Transport, peer: &Peer, shard: u32) {
        let mut known = self.lock();
        if let Some(known) = known.get_mut(&transport)
            && known.get(peer) == Some(&shard)
        {
            known.remove(peer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Transport, BTreeMap<Peer, u32>>> {
        // Each change is one step, so there is nothing that a panic could have left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The nodes, the time, and what happens next.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;

use super::clock::Clock;
use super::describe;
use super::nat::Nat;
use super::node::{Deed, Letter, Peer, Turn, User};
use super::record::{Entry, Record, Sent};
use super::{Fate, Link};
use crate::endpoint::{
    Answer, Config, Endpoint, Input, Output, Query, QueryId, Transmit, TransmitId,
};
use crate::error::Misuse;
use crate::locate::{Question, Records};
use crate::seed::{Domain, Seed, Stream};
use crate::time::Time;
use crate::trace::{Packet, Trace};
use crate::transport::{Flow, FlowId, Local, Transport};

/// How long a name server takes.
const LOOK_UP: Duration = Duration::from_millis(20);

/// Names a node of a world, in the order of their making.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Node(pub(super) usize);

pub(super) struct Place {
    name: String,
    address: SocketAddr,
    pub(super) part: Part,
    /// Where its deadline stands in the queue.
    pub(super) armed: Option<(Time, u64)>,
    pub(super) clock: Clock,
    pub(super) nat: Option<Nat>,
    pub(super) is_paused: bool,
    /// What waits while it is paused.
    pub(super) backlog: Vec<Plan>,
    /// How often it crashed.
    pub(super) lives: u64,
}

pub(super) enum Part {
    Endpoint(Box<Endpoint>, Box<dyn User>),
    /// It crashed.
    Down(Box<Config>, Box<dyn User>),
    Peer(Box<dyn Peer>),
    /// It is its turn.
    Busy,
}

/// What is going to happen.
pub(super) enum Plan {
    Arrive {
        sent: usize,
    },
    /// For the life of the node in which it was planned.
    Input {
        node: Node,
        life: u64,
        input: Input,
    },
    Deadline {
        node: Node,
    },
    /// For one life, or for any.
    Deed {
        node: Node,
        life: Option<u64>,
        deed: Deed,
    },
    Post {
        node: Node,
        letter: Letter,
    },
}

/// A loss that a test asks for.
struct Trap {
    from: Node,
    label: String,
    left: usize,
}

/// A simulated network with its nodes.
pub struct World {
    seed: Seed,
    faults: Stream,
    pub(super) now: Time,
    planned: u64,
    pub(super) queue: BTreeMap<(Time, u64), Plan>,
    pub(super) places: Vec<Place>,
    link: Link,
    links: Vec<(Node, Node, Link)>,
    traps: Vec<Trap>,
    names: BTreeMap<Question, Records>,
    record: Record,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "World({}, {} nodes)", self.now, self.places.len())
    }
}

impl World {
    /// A world without nodes. `link` is between any two of them.
    pub fn new(seed: Seed, link: Link) -> Self {
        Self {
            faults: seed.stream(Domain::Simulation, 0),
            seed,
            now: Time::ZERO,
            planned: 0,
            queue: BTreeMap::new(),
            places: Vec::new(),
            link,
            links: Vec::new(),
            traps: Vec::new(),
            names: BTreeMap::new(),
            record: Record::default(),
        }
    }

    /// Adds an endpoint with a UDP socket on `address`, seeded from the world's seed.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::new`].
    pub fn endpoint(
        &mut self,
        name: &str,
        address: SocketAddr,
        config: Config,
        user: impl User + 'static,
    ) -> Result<Node, Misuse> {
        let config = config.local(Local::new(Transport::Udp, address));
        let endpoint = self.new_endpoint(self.places.len(), 0, &config, self.now)?;
        let part = Part::Endpoint(Box::new(endpoint), Box::new(user));
        Ok(self.add(name, address, part))
    }

    /// Each life of each node has a seed of its own.
    pub(super) fn new_endpoint(
        &self,
        place: usize,
        life: u64,
        config: &Config,
        now: Time,
    ) -> Result<Endpoint, Misuse> {
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        let ordinal = place.saturating_add(1).saturating_add(life << 32);
        let mut seed = [0; 32];
        let mut stream = self.seed.stream(Domain::Simulation, ordinal);
        stream.fill(&mut seed);
        Endpoint::new(config.clone(), Seed::from_bytes(seed), now)
    }

    /// Adds a script of raw bytes.
    pub fn peer(&mut self, name: &str, address: SocketAddr, peer: impl Peer + 'static) -> Node {
        self.add(name, address, Part::Peer(Box::new(peer)))
    }

    fn add(&mut self, name: &str, address: SocketAddr, part: Part) -> Node {
        self.places.push(Place {
            name: name.to_string(),
            address,
            part,
            armed: None,
            clock: Clock::default(),
            nat: None,
            is_paused: false,
            backlog: Vec::new(),
            lives: 0,
        });
        Node(self.places.len().saturating_sub(1))
    }

    /// Changes the link from one node to another, in that direction.
    pub fn link(&mut self, from: Node, to: Node, link: Link) {
        self.links.retain(|(a, b, _)| (*a, *b) != (from, to));
        self.links.push((from, to, link));
    }

    /// Changes the link between all nodes, in all directions.
    pub fn link_all(&mut self, link: Link) {
        self.links.clear();
        self.link = link;
    }

    /// Loses the next `count` messages of `from` with this label: a method, or a status and the
    /// method of its CSeq, such as `200 INVITE`.
    pub fn lose(&mut self, from: Node, label: &str, count: usize) {
        let label = label.to_string();
        self.traps.push(Trap {
            from,
            label,
            left: count,
        });
    }

    /// Lets questions for `host` be answered with `addresses`. Those for another host never are.
    pub fn host(&mut self, host: &str, addresses: &[IpAddr]) {
        let name = host.into();
        let records = Records::Addresses(addresses.to_vec());
        self.dns(Question::Addresses { name }, records);
    }

    /// Lets a question to DNS be answered. Without that, there are no NAPTR and no SRV records.
    pub fn dns(&mut self, question: Question, records: Records) {
        self.names.insert(question, records);
    }

    /// Leaves a question to DNS unanswered again.
    pub fn forget(&mut self, question: &Question) {
        self.names.remove(question);
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What happened so far.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What happened so far, to be looked at.
    pub fn trace(&self) -> Trace {
        let mut trace = Trace::new();
        for place in &self.places {
            trace.lane(&place.name, &[place.address]);
        }
        for entry in self.record.entries() {
            match entry {
                Entry::Sent(sent) => {
                    let Some(from) = self.places.get(sent.from.0) else {
                        continue;
                    };
                    let (bytes, udp) = (sent.bytes.clone(), Transport::Udp);
                    // Lanes have the nodes' own addresses, whatever a translator makes of them.
                    let to = sent.to.and_then(|to| self.places.get(to.0));
                    let to = to.map_or(sent.remote, |to| to.address);
                    let mut packet = Packet::new(sent.at, udp, from.address, to, bytes);
                    packet.fate = sent.fate;
                    packet.copies = sent.copies;
                    trace.packet(packet);
                }
                Entry::Arrived { .. } => {}
                Entry::Note { at, node, text } => trace.note(*at, node.0, text),
                Entry::Broken { at, node, law } => trace.broken(*at, node.0, law),
            }
        }
        trace
    }

    /// The names of the nodes, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.places.iter().map(|place| place.name.as_str())
    }

    /// The endpoint of a node. `None` for a script.
    pub fn look(&self, node: Node) -> Option<&Endpoint> {
        match &self.places.get(node.0)?.part {
            Part::Endpoint(endpoint, _) => Some(endpoint),
            Part::Peer(_) | Part::Down(..) | Part::Busy => None,
        }
    }

    /// Lets a user do something now. `None` if the node has no endpoint.
    pub fn act<T>(&mut self, node: Node, deed: impl FnOnce(&mut Turn<'_>) -> T) -> Option<T> {
        self.turn(node, |turn, _| deed(turn))
    }

    /// Lets a user do something at that time, or now if it has passed.
    pub fn at(&mut self, at: Time, node: Node, deed: impl FnOnce(&mut Turn<'_>) + 'static) {
        let deed = Box::new(deed);
        let life = None;
        self.plan(at, Plan::Deed { node, life, deed });
    }

    /// Sends raw bytes from a node.
    pub fn send(&mut self, from: Node, to: SocketAddr, bytes: impl Into<Bytes>) {
        self.carry(from, to, bytes.into(), None);
    }

    /// Runs until that time; what is due then happens.
    pub fn run_until(&mut self, until: Time) {
        while self.next().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// Runs for that long.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until((self.now + duration).unwrap_or(Time::MAX));
    }

    /// Runs until nothing is planned and no deadline is armed, but for at most that long. Whether
    /// it came so far.
    #[must_use]
    pub fn run_until_idle(&mut self, at_most: Duration) -> bool {
        let until = (self.now + at_most).unwrap_or(Time::MAX);
        while let Some(at) = self.next() {
            if at > until {
                return false;
            }
            self.step();
        }
        true
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Time> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Jumps to what happens next.
    pub fn step(&mut self) {
        let Some(((at, _), plan)) = self.queue.pop_first() else {
            return;
        };
        self.now = self.now.max(at);
        if let Some(place) = self.waits_for(&plan) {
            // A deadline is armed again when it goes on.
            match plan {
                Plan::Deadline { .. } => place.armed = None,
                Plan::Arrive { .. }
                | Plan::Input { .. }
                | Plan::Deed { .. }
                | Plan::Post { .. } => {
                    place.backlog.push(plan);
                }
            }
            return;
        }
        self.perform_plan(plan);
    }

    /// The node that this is for, if it is paused.
    fn waits_for(&mut self, plan: &Plan) -> Option<&mut Place> {
        let node = match plan {
            Plan::Arrive { sent } => match self.record.entries().get(*sent)? {
                Entry::Sent(sent) => sent.to?,
                Entry::Arrived { .. } | Entry::Note { .. } | Entry::Broken { .. } => return None,
            },
            Plan::Input { node, .. }
            | Plan::Deadline { node }
            | Plan::Deed { node, .. }
            | Plan::Post { node, .. } => *node,
        };
        self.places.get_mut(node.0).filter(|place| place.is_paused)
    }

    fn perform_plan(&mut self, plan: Plan) {
        let lives = |node: Node, life| self.places.get(node.0).is_some_and(|p| p.lives == life);
        match plan {
            Plan::Arrive { sent } => self.arrive(sent),
            Plan::Input { node, life, input } if lives(node, life) => {
                self.turn(node, |turn, _| {
                    turn.endpoint.receive(turn.now, input, turn.out)
                });
            }
            Plan::Deadline { node } => self.on_deadline(node),
            Plan::Deed { node, life, deed } if life.is_none_or(|life| lives(node, life)) => {
                self.turn(node, |turn, _| deed(turn));
            }
            // What wanted it has crashed.
            Plan::Input { .. } | Plan::Deed { .. } => {}
            Plan::Post { node, letter } => self.carry(node, letter.to, letter.bytes, None),
        }
    }

    pub(super) fn plan(&mut self, at: Time, plan: Plan) -> (Time, u64) {
        self.planned = self.planned.saturating_add(1);
        let key = (at.max(self.now), self.planned);
        self.queue.insert(key, plan);
        key
    }

    fn plan_after(&mut self, delay: Duration, plan: Plan) {
        // What is due past the end of time never happens.
        if let Some(at) = self.now + delay {
            self.plan(at, plan);
        }
    }

    fn on_deadline(&mut self, node: Node) {
        if let Some(place) = self.places.get_mut(node.0) {
            place.armed = None;
        }
        self.turn(node, |turn, _| {
            turn.endpoint.on_deadline(turn.now, turn.out);
        });
        let own = self
            .places
            .get(node.0)
            .map(|place| place.clock.read(self.now));
        let deadline = self.look(node).and_then(Endpoint::deadline);
        if deadline.zip(own).is_some_and(|(at, own)| at <= own) {
            self.break_law(node, "L8: a deadline in the past after on_deadline");
        }
    }

    fn arrive(&mut self, sent: usize) {
        let Some(Entry::Sent(datagram)) = self.record.entries().get(sent) else {
            return;
        };
        let (source, bytes) = (datagram.source, datagram.bytes.clone());
        let Some(node) = datagram.to else {
            return;
        };
        let at = self.now;
        self.record.add(Entry::Arrived { at, node, sent });
        let Some(place) = self.places.get_mut(node.0) else {
            return;
        };
        if let Part::Peer(peer) = &mut place.part {
            let mut letters = Vec::new();
            peer.on_datagram(at, source, &bytes, &mut letters);
            for letter in letters {
                self.plan_after(letter.after, Plan::Post { node, letter });
            }
            return;
        }
        let flow = Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: place.address,
            remote: source,
        };
        self.turn(node, |turn, _| {
            let input = Input::Datagram { flow, bytes };
            turn.endpoint.receive(turn.now, input, turn.out);
        });
    }

    /// Gives a node its turn, and does what its endpoint then wants.
    fn turn<T>(
        &mut self,
        node: Node,
        deed: impl FnOnce(&mut Turn<'_>, &mut dyn User) -> T,
    ) -> Option<T> {
        let place = self.places.get_mut(node.0)?;
        let part = core::mem::replace(&mut place.part, Part::Busy);
        let Part::Endpoint(mut endpoint, mut user) = part else {
            place.part = part;
            return None;
        };
        let mut out = VecDeque::new();
        let (own, life) = (place.clock.read(self.now), place.lives);
        let mut turn = Turn {
            now: own,
            endpoint: &mut endpoint,
            out: &mut out,
            later: Vec::new(),
        };
        let result = deed(&mut turn, user.as_mut());
        while let Some(output) = turn.out.pop_front() {
            self.perform(node, &mut turn, user.as_mut(), output);
        }
        for (delay, deed) in turn.later {
            let life = Some(life);
            self.plan_after(delay, Plan::Deed { node, life, deed });
        }
        if let Some(place) = self.places.get_mut(node.0) {
            place.part = Part::Endpoint(endpoint, user);
        }
        self.rearm(node);
        Some(result)
    }

    fn perform(&mut self, node: Node, turn: &mut Turn<'_>, user: &mut dyn User, output: Output) {
        match output {
            Output::Transmit(Transmit {
                flow, bytes, id, ..
            }) => {
                self.carry(node, flow.remote, bytes, Some(id));
            }
            Output::Event(event) => {
                self.note(node, describe::event(&event));
                user.on_event(turn, event);
            }
            Output::Query { id, query } => self.answer(node, id, &query),
            Output::Dropped(dropped) => self.note(node, describe::dropped(&dropped)),
        }
    }

    fn answer(&mut self, node: Node, id: QueryId, query: &Query) {
        let Query::Dns(question) = query;
        self.note(node, describe::query(question));
        let records = match (self.names.get(question), question) {
            (Some(records), _) => records.clone(),
            (None, Question::Naptr { .. } | Question::Srv { .. }) => Records::None,
            (None, Question::Addresses { .. }) => return,
        };
        let answer = Answer::Dns(records);
        let input = Input::Answer { id, answer };
        let life = self.life(node);
        self.plan_after(LOOK_UP, Plan::Input { node, life, input });
    }

    fn carry(&mut self, from: Node, remote: SocketAddr, bytes: Bytes, id: Option<TransmitId>) {
        let (source, to) = self.translated(from, remote);
        let link = self.link_of(from, to);
        // Drawn in any case: what a test loses on purpose must not change the rest.
        let carried = link.carry(&mut self.faults);
        let trapped = self.is_trapped(from, &bytes);
        let fate = match (to, carried) {
            _ if link.refused => Fate::Refused,
            (None, _) => Fate::Nowhere,
            (Some(_), [None, _]) => Fate::Lost,
            (Some(_), _) if trapped || link.is_too_small_for(&bytes) => Fate::Lost,
            (Some(_), _) => Fate::Carried,
        };
        let at = self.now;
        let copies = match fate {
            Fate::Carried => carried.iter().flatten().count(),
            Fate::Lost | Fate::Refused | Fate::Nowhere => 0,
        };
        let sent = self.record.add(Entry::Sent(Sent {
            at,
            from,
            source,
            to,
            remote,
            bytes,
            fate,
            copies,
        }));
        match (fate, id) {
            (Fate::Carried, _) => {
                for delay in carried.into_iter().flatten() {
                    self.plan_after(delay, Plan::Arrive { sent });
                }
            }
            (Fate::Refused, Some(id)) => {
                let input = Input::SendFailed { id };
                let (node, life) = (from, self.life(from));
                self.plan(at, Plan::Input { node, life, input });
            }
            (Fate::Lost | Fate::Nowhere | Fate::Refused, _) => {}
        }
    }

    /// Where a datagram seems to come from, and whom it reaches.
    fn translated(&mut self, from: Node, remote: SocketAddr) -> (SocketAddr, Option<Node>) {
        let now = self.now;
        let Some(place) = self.places.get_mut(from.0) else {
            return (remote, None);
        };
        // What it sends to itself does not leave it.
        if place.address == remote {
            return (remote, Some(from));
        }
        let own = place.address;
        let source = place
            .nat
            .as_mut()
            .map_or(own, |nat| nat.source(now, remote));
        let mut places = self.places.iter();
        let to = places.position(|place| match &place.nat {
            None => place.address == remote,
            Some(nat) => nat.lets_in(now, source, remote),
        });
        (source, to.map(Node))
    }

    fn life(&self, node: Node) -> u64 {
        self.places.get(node.0).map_or(0, |place| place.lives)
    }

    fn link_of(&self, from: Node, to: Option<Node>) -> Link {
        let own = self
            .links
            .iter()
            .find(|(a, b, _)| (*a, Some(*b)) == (from, to));
        own.map_or(self.link, |(_, _, link)| *link)
    }

    fn is_trapped(&mut self, from: Node, bytes: &Bytes) -> bool {
        if self.traps.is_empty() {
            return false;
        }
        let label = crate::trace::label(bytes);
        let mut fits = self.traps.iter_mut();
        let trap = fits.find(|trap| trap.from == from && trap.left > 0 && trap.label == label);
        let Some(trap) = trap else {
            return false;
        };
        trap.left = trap.left.saturating_sub(1);
        true
    }

    /// Brings the queue up to the endpoint's deadline, which is never in the past.
    fn rearm(&mut self, node: Node) {
        let own = self
            .places
            .get(node.0)
            .map(|place| place.clock.read(self.now));
        let deadline = self.look(node).and_then(Endpoint::deadline);
        // One that fell due with a jump of the clock is in the queue.
        let waits = self.places.get(node.0).is_some_and(|p| p.armed.is_some());
        if !waits && deadline.zip(own).is_some_and(|(at, own)| at < own) {
            self.break_law(node, "L3: a deadline in the past was not served");
        }
        self.rearm_late(node);
    }

    /// The same, where it may be.
    pub(super) fn rearm_late(&mut self, node: Node) {
        let deadline = self.look(node).and_then(Endpoint::deadline);
        let Some(place) = self.places.get_mut(node.0) else {
            return;
        };
        let at = deadline.and_then(|at| place.clock.when(at));
        let at = at.map(|at| at.max(self.now));
        if place.is_paused || place.armed.map(|(at, _)| at) == at {
            return;
        }
        if let Some(armed) = place.armed.take() {
            self.queue.remove(&armed);
        }
        if let Some(at) = at {
            let armed = self.plan(at, Plan::Deadline { node });
            if let Some(place) = self.places.get_mut(node.0) {
                place.armed = Some(armed);
            }
        }
    }

    fn note(&mut self, node: Node, text: String) {
        let at = self.now;
        self.record.add(Entry::Note { at, node, text });
    }

    fn break_law(&mut self, node: Node, law: &'static str) {
        let at = self.now;
        self.record.add(Entry::Broken { at, node, law });
    }
}

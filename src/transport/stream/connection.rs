//! One connection that carries SIP: what it brings, whether it lives, when to close it.
//!
//! ```text
//!    opened
//!      |
//!      V           bytes: messages, pongs for the peer's pings
//! +----------+ <--------------------------------------------------+
//! | Open     |----------------------------------------------------+
//! +----------+   Ping is due: a ping, and Pong runs
//!      |
//!      | a framing error, a message that stays incomplete, no pong,
//!      | nothing at all for long, Close, or the peer closed it
//!      V
//! +------------+
//! | Terminated |
//! +------------+
//! ```
//!
//! A closed connection ends no transaction by itself: its owner tells those that wait to send.

use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;

use super::{Frame, StreamDecoder};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::ParseError;
use crate::seed::Ids;
use crate::sink::Sink;
use crate::time::Time;

/// What keeps a connection alive (5626 4.4.1).
pub const PING: &[u8] = b"\r\n\r\n";

/// What answers [`PING`] (5626 5.4).
pub const PONG: &[u8] = b"\r\n";

/// How long a pong may take (5626 4.4.1).
const PONG_WAIT: Duration = Duration::from_secs(10);

/// Who opened the connection.
///
/// Exhaustive on purpose: there are two ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// This side.
    Client,
    /// The other side.
    Server,
}

/// How messages are told apart on the connection.
///
/// Exhaustive on purpose: SIP has these two ways.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Framing {
    /// By their Content-Length, in a stream of bytes (3261 18.3).
    Stream,
    /// By the transport: each WebSocket message is one of SIP, or line breaks that keep the
    /// connection alive (7118 5, 6).
    WebSocket,
}

/// What the connection brings.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Bytes, as they were read: any piece of a stream, or the whole of a WebSocket message.
    Received(Bytes),
    /// This side wrote a message to it, so it is in use.
    Sent,
    /// It is closed, by the other side or by a failure.
    Closed,
}

/// What its owner wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Send pings, each after a random time between 80 % of this and this: the Flow-Timer of the
    /// registrar, or 120 s (5626 4.4.1). `None` or zero stops them.
    KeepAlive(Option<Duration>),
    /// Close it.
    Close,
}

/// What a connection wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// A whole message arrived.
    Message(Bytes),
    /// Write these bytes, between messages: pings or pongs.
    Transmit(Bytes),
    /// The stream cannot be read on. Send the response that the error names, if it names one;
    /// [`Action::Close`] comes next.
    Malformed(ParseError),
    /// Line breaks that asked for nothing: count them.
    Padding,
    /// Close the connection when what was to be written is written; whoever still waits to send
    /// on it has failed.
    Close(CloseReason),
    /// The last action.
    Terminated,
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// Its owner said so.
    Asked,
    /// The other side closed it, or it broke.
    Closed,
    /// The other side closed it, or it broke, in the middle of a message.
    Cut,
    /// What came cannot be cut into messages (3261 18.3).
    Malformed,
    /// A message was not whole in `Limits::message_wait`.
    Incomplete,
    /// No pong came (5626 4.4.1): the flow has failed.
    NoPong,
    /// Nothing came or went for `Limits::connection_idle`.
    Idle,
}

/// The timers of a connection, in the order in which they fire at one instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Timer {
    /// The message that has begun must be whole.
    Incomplete,
    /// The pong must be here.
    Pong,
    /// Nothing has happened for long.
    Idle,
    /// A ping is due.
    Ping,
}

/// A connection that carries SIP: over a stream (TCP, TLS), or a WebSocket.
///
/// ```
/// use std::sync::Arc;
/// use drongo::limits::Limits;
/// use drongo::machine::Machine;
/// use drongo::seed::{Ids, Seed};
/// use drongo::time::Time;
/// use drongo::transport::stream::{Action, Connection, Event, Role};
///
/// let ids = Ids::new(Seed::from_bytes([1; 32]));
/// let limits = Arc::new(Limits::DEFAULT);
/// let mut connection = Connection::new(Time::ZERO, Role::Server, limits, ids, 7);
/// let mut out = Vec::new();
/// let read = b"OPTIONS sip:a@example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n\r\n\r\n";
/// connection.receive(Time::ZERO, Event::Received(read.as_slice().into()), &mut out);
/// assert!(matches!(&out[0], Action::Message(message) if message.len() == read.len() - 4));
/// assert!(matches!(&out[1], Action::Transmit(pong) if &pong[..] == b"\r\n"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Connection {
    core: Core,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Core {
    role: Role,
    framing: Framing,
    limits: Arc<Limits>,
    ids: Ids,
    base: u64,
    since: Time,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    Open(Open),
    Terminated,
}

/// An open connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Open {
    decoder: StreamDecoder,
    incomplete: Option<Time>,
    idle: Option<Time>,
    keep_alive: Option<KeepAlive>,
}

/// The pings of this side.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct KeepAlive {
    at_most: Duration,
    sent: u64,
    next: Option<Time>,
    pong: Option<Pong>,
}

/// A ping that is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Pong {
    Until(Time),
    /// It is late, but a message is coming in, and no pong can come inside one.
    AfterMessage,
}

enum Input {
    Event(Event),
    Command(Command),
    Timer(Timer),
}

impl Connection {
    /// A connection that has just been opened. `base` names it among those of one [`Ids`]: its
    /// pings are spread by it.
    pub fn new(now: Time, role: Role, limits: Arc<Limits>, ids: Ids, base: u64) -> Self {
        let open = Open {
            decoder: StreamDecoder::new(),
            incomplete: None,
            idle: now + limits.connection_idle,
            keep_alive: None,
        };
        let core = Core {
            role,
            framing: Framing::Stream,
            limits,
            ids,
            base,
            since: now,
        };
        let state = State::Open(open);
        Self { core, state }
    }

    /// The same connection, before it is used, with messages that are told apart this way.
    #[must_use]
    pub fn with_framing(mut self, framing: Framing) -> Self {
        self.core.framing = framing;
        self
    }

    /// Who opened it.
    pub fn role(&self) -> Role {
        self.core.role
    }

    /// The name of the state, as in the figure above.
    pub fn state(&self) -> &'static str {
        match &self.state {
            State::Open(_) => "Open",
            State::Terminated => "Terminated",
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        match &self.state {
            State::Open(open) => open.timers().min(),
            State::Terminated => None,
        }
    }

    /// The timer that fires at `now`: one that ends the connection before a ping.
    fn due(&self, now: Time) -> Option<Timer> {
        let State::Open(open) = &self.state else {
            return None;
        };
        let due = open.timers().filter(|(at, _)| *at <= now);
        due.map(|(_, timer)| timer).min()
    }

    /// The figure as a table.
    fn step(&mut self, now: Time, input: Input, out: &mut (impl Sink<Action> + ?Sized)) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        let core = &self.core;
        let end = match input {
            Input::Event(Event::Received(bytes)) => match core.framing {
                Framing::Stream => open.on_received(core, now, &bytes, out),
                Framing::WebSocket => open.on_whole(core, now, bytes, out),
            },
            Input::Event(Event::Sent) => open.on_sent(core, now),
            Input::Event(Event::Closed) => Some(match open.decoder.is_within_message() {
                true => CloseReason::Cut,
                false => CloseReason::Closed,
            }),
            Input::Command(Command::KeepAlive(at_most)) => open.on_keep_alive(core, now, at_most),
            Input::Command(Command::Close) => Some(CloseReason::Asked),
            Input::Timer(Timer::Incomplete) => Some(CloseReason::Incomplete),
            Input::Timer(Timer::Pong) => open.on_pong_missed(),
            Input::Timer(Timer::Idle) => Some(CloseReason::Idle),
            Input::Timer(Timer::Ping) => open.on_ping_due(core, now, out),
        };
        if let Some(reason) = end {
            self.state = State::Terminated;
            out.push(Action::Close(reason));
            out.push(Action::Terminated);
        }
    }
}

impl Open {
    fn on_received(
        &mut self,
        core: &Core,
        now: Time,
        bytes: &[u8],
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<CloseReason> {
        self.idle = now + core.limits.connection_idle;
        self.decoder.feed(bytes);
        let mut line_breaks = LineBreaks::default();
        let mut is_new = self.incomplete.is_none();
        while let Some(frame) = self.decoder.next(&core.limits) {
            match frame {
                Ok(Frame::Pong) if self.take_pong() => {}
                Ok(Frame::Pong) => line_breaks.padding = line_breaks.padding.saturating_add(1),
                Ok(Frame::Ping) => line_breaks.pings = line_breaks.pings.saturating_add(1),
                Ok(Frame::Message(message)) => {
                    is_new = true;
                    line_breaks.flush(out);
                    out.push(Action::Message(message));
                }
                Err(error) => {
                    line_breaks.flush(out);
                    out.push(Action::Malformed(error));
                    return Some(CloseReason::Malformed);
                }
            }
        }
        line_breaks.flush(out);
        match self.decoder.is_within_message() {
            true if is_new => self.incomplete = now + core.limits.message_wait,
            true => return None,
            false => self.incomplete = None,
        }
        self.is_pong_overdue().then_some(CloseReason::NoPong)
    }

    /// 7118 5: one WebSocket message is one SIP message; what follows its Content-Length is not
    /// another.
    fn on_whole(
        &mut self,
        core: &Core,
        now: Time,
        message: Bytes,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<CloseReason> {
        self.idle = now + core.limits.connection_idle;
        if message.as_ref() == PING {
            out.push(Action::Transmit(Bytes::from_static(PONG)));
        } else if message.as_ref() != PONG {
            out.push(Action::Message(message));
        } else if !self.take_pong() {
            out.push(Action::Padding);
        }
        None
    }

    fn on_sent(&mut self, core: &Core, now: Time) -> Option<CloseReason> {
        self.idle = now + core.limits.connection_idle;
        None
    }

    fn on_keep_alive(
        &mut self,
        core: &Core,
        now: Time,
        at_most: Option<Duration>,
    ) -> Option<CloseReason> {
        let sent = self.keep_alive.as_ref().map_or(0, |pings| pings.sent);
        self.keep_alive = at_most.filter(|wait| !wait.is_zero()).map(|at_most| {
            let mut pings = KeepAlive {
                at_most,
                sent,
                next: None,
                pong: None,
            };
            pings.schedule(core, now, now);
            pings
        });
        None
    }

    /// Whether a pong was awaited.
    fn take_pong(&mut self) -> bool {
        let pings = self.keep_alive.as_mut();
        let awaited = pings.and_then(|pings| pings.pong.take()).is_some();
        if awaited {
            self.decoder.took_pong();
        }
        awaited
    }

    fn is_pong_overdue(&self) -> bool {
        let pong = self.keep_alive.as_ref().and_then(|pings| pings.pong);
        matches!(pong, Some(Pong::AfterMessage))
    }

    /// 4.4.1: the flow has failed, at once or when the message that is coming in has been read.
    fn on_pong_missed(&mut self) -> Option<CloseReason> {
        if !self.decoder.is_within_message() {
            return Some(CloseReason::NoPong);
        }
        if let Some(pings) = &mut self.keep_alive {
            pings.pong = Some(Pong::AfterMessage);
        }
        None
    }

    fn on_ping_due(
        &mut self,
        core: &Core,
        now: Time,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Option<CloseReason> {
        let pings = self.keep_alive.as_mut()?;
        pings.sent = pings.sent.wrapping_add(1);
        if pings.pong.is_none() {
            pings.pong = (now + PONG_WAIT).map(Pong::Until);
        }
        let due = pings.next.unwrap_or(now);
        pings.schedule(core, due, now);
        self.idle = now + core.limits.connection_idle;
        out.push(Action::Transmit(Bytes::from_static(PING)));
        None
    }

    fn timers(&self) -> impl Iterator<Item = (Time, Timer)> {
        let pings = self.keep_alive.as_ref();
        let pong = pings.and_then(|pings| match pings.pong? {
            Pong::Until(at) => Some(at),
            Pong::AfterMessage => None,
        });
        let timers = [
            (self.incomplete, Timer::Incomplete),
            (pong, Timer::Pong),
            (self.idle, Timer::Idle),
            (pings.and_then(|pings| pings.next), Timer::Ping),
        ];
        timers
            .into_iter()
            .filter_map(|(at, timer)| Some((at?, timer)))
    }

    fn rebase(&mut self, from: Time, to: Time) {
        let (mut next, mut pong) = (None, None);
        if let Some(pings) = &mut self.keep_alive {
            next = pings.next.as_mut();
            pong = match &mut pings.pong {
                Some(Pong::Until(at)) => Some(at),
                Some(Pong::AfterMessage) | None => None,
            };
        }
        let timers = [self.incomplete.as_mut(), self.idle.as_mut(), next, pong];
        for at in timers.into_iter().flatten() {
            *at = at.rebased(from, to);
        }
    }
}

impl KeepAlive {
    /// The next ping, 80 to 100 % of the time after the last was due (4.4).
    fn schedule(&mut self, core: &Core, due: Time, now: Time) {
        let spread = self.at_most.checked_div(5).unwrap_or_default();
        let least = self.at_most.saturating_sub(spread);
        let jitter = core.ids.jitter(core.base, self.sent, spread);
        // A ping that comes back at once to its own instant would never rest.
        let wait = least.saturating_add(jitter).max(Duration::from_millis(1));
        self.next = (due + wait).filter(|at| *at > now).or(now + wait);
    }
}

/// Line breaks between two messages.
#[derive(Default)]
struct LineBreaks {
    pings: usize,
    padding: usize,
}

impl LineBreaks {
    /// Pings that came together are answered together: as many pongs, in one piece. The first half
    /// of a ping looked like padding.
    fn flush(&mut self, out: &mut (impl Sink<Action> + ?Sized)) {
        if self.pings > 0 {
            out.push(Action::Transmit(PONG.repeat(self.pings).into()));
        }
        if self.padding > self.pings {
            out.push(Action::Padding);
        }
        *self = Self::default();
    }
}

impl Machine for Connection {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.core.since);
        self.on_deadline(now, out);
        self.step(now, Input::Event(event), out);
        // A wait of zero is over in the call that began it.
        self.on_deadline(now, out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = now.max(self.core.since);
        self.on_deadline(now, out);
        self.step(now, Input::Command(command), out);
        self.on_deadline(now, out);
        Ok(())
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.core.since);
        while let Some(timer) = self.due(now) {
            self.step(now, Input::Timer(timer), out);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.next_timer().map(|(at, _)| at)
    }

    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn rebase(&mut self, from: Time, to: Time) {
        self.core.since = self.core.since.rebased(from, to);
        match &mut self.state {
            State::Open(open) => open.rebase(from, to),
            State::Terminated => {}
        }
    }
}

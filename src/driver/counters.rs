//! What a driver counts.

use crate::transport::stream::CloseReason;

/// How often what happened to the sockets of a driver. Counters never go back. What happened to
/// messages, the endpoint counts: [`endpoint::Counters`](crate::endpoint::Counters).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that were given up because too many waited for a socket that could not send.
    /// Transactions repeat what they need.
    pub given_up: u64,
    /// Connections that others opened and that were ready for messages.
    pub accepted: u64,
    /// Connections that this side opened.
    pub connected: u64,
    /// Connections that this side could not open.
    pub connect_failed: u64,
    /// Connections that were closed at once, or not opened, because there were too many
    /// ([`Limits::connections`](crate::limits::Limits::connections)).
    pub connections_refused: u64,
    /// Connections from others that came to nothing before they carried a message: what was not
    /// TLS where TLS was due, not a WebSocket, not one for SIP, or not done in time.
    pub handshakes_failed: u64,
    /// Connections that the other side closed, or that broke, between messages.
    pub closed: u64,
    /// Connections that the other side closed, or that broke, in the middle of a message.
    pub cut: u64,
    /// Connections that were closed because a message did not become whole in time
    /// ([`Limits::message_wait`](crate::limits::Limits::message_wait)).
    pub incomplete: u64,
    /// Connections that were closed because nobody could say where the next message begins.
    pub malformed: u64,
    /// Connections that were closed because they were not used
    /// ([`Limits::connection_idle`](crate::limits::Limits::connection_idle)).
    pub idle: u64,
    /// Connections that were closed because a ping had no answer.
    pub no_pong: u64,
    /// Line breaks between messages that asked for nothing.
    pub padding: u64,
    /// Messages that were handed to the shard that they belong to.
    pub handed_over: u64,
    /// Messages that were lost because the shard that they belong to, or that has their
    /// connection, could not keep up. A sender repeats what it needs.
    pub overflowed: u64,
}

impl Counters {
    /// Counts a connection that has ended.
    pub(super) fn count(&mut self, reason: CloseReason) {
        let counter = match reason {
            // By the driver, when it ends.
            CloseReason::Asked => return,
            CloseReason::Closed => &mut self.closed,
            CloseReason::Cut => &mut self.cut,
            CloseReason::Malformed => &mut self.malformed,
            CloseReason::Incomplete => &mut self.incomplete,
            CloseReason::NoPong => &mut self.no_pong,
            CloseReason::Idle => &mut self.idle,
        };
        add(counter);
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = u64::saturating_add;
        Self {
            given_up: sum(self.given_up, other.given_up),
            accepted: sum(self.accepted, other.accepted),
            connected: sum(self.connected, other.connected),
            connect_failed: sum(self.connect_failed, other.connect_failed),
            connections_refused: sum(self.connections_refused, other.connections_refused),
            handshakes_failed: sum(self.handshakes_failed, other.handshakes_failed),
            closed: sum(self.closed, other.closed),
            cut: sum(self.cut, other.cut),
            incomplete: sum(self.incomplete, other.incomplete),
            malformed: sum(self.malformed, other.malformed),
            idle: sum(self.idle, other.idle),
            no_pong: sum(self.no_pong, other.no_pong),
            padding: sum(self.padding, other.padding),
            handed_over: sum(self.handed_over, other.handed_over),
            overflowed: sum(self.overflowed, other.overflowed),
        }
    }
}

/// One more.
pub(super) fn add(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

//! The laws on connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drongo::limits::Limits;
use drongo::seed::{Ids, Seed};
use drongo::time::Time;
use drongo::transport::stream::{Action, Command, Connection, Event, Framing, Role};
use proptest::prelude::*;

use super::{Subject, check_exhaustively, check_script, choices, chosen, must_keep_the_laws};

struct OfConnection {
    framing: Framing,
    events: Vec<Event>,
    commands: Vec<Command>,
}

impl OfConnection {
    fn new() -> Self {
        let read = |text: &'static str| Event::Received(Bytes::from_static(text.as_bytes()));
        Self {
            framing: Framing::Stream,
            events: vec![
                read("\r\n"),
                read("OPTIONS sip:a@example.com SIP/2.0\r\n"),
                read("Content-Length: 0\r\n\r\n"),
                read("\r\n\r\nOPTIONS"),
                Event::Sent,
                Event::Closed,
            ],
            commands: vec![
                Command::KeepAlive(Some(Duration::from_secs(8))),
                Command::KeepAlive(None),
                Command::Close,
            ],
        }
    }

    /// Whole messages.
    fn of_websocket() -> Self {
        let read = |text: &'static str| Event::Received(Bytes::from_static(text.as_bytes()));
        Self {
            framing: Framing::WebSocket,
            events: vec![
                read("\r\n"),
                read("\r\n\r\n"),
                read("OPTIONS sip:a@example.com SIP/2.0\r\n\r\n"),
                Event::Sent,
                Event::Closed,
            ],
            ..Self::new()
        }
    }
}

impl Subject for OfConnection {
    type Machine = Connection;

    fn fresh(&self, now: Time, _: &mut Vec<Action>) -> Connection {
        let ids = Ids::new(Seed::from_bytes([5; 32]));
        Connection::new(now, Role::Client, Arc::new(Limits::DEFAULT), ids, 1)
            .with_framing(self.framing)
    }

    fn events(&self) -> &[Event] {
        &self.events
    }

    fn commands(&self) -> &[Command] {
        &self.commands
    }

    fn is_last(&self, action: &Action) -> bool {
        *action == Action::Terminated
    }

    fn is_repetition(&self, action: &Action) -> bool {
        matches!(action, Action::Transmit(_))
    }

    fn phase(&self, machine: &Connection) -> &'static str {
        machine.state()
    }

    fn max_actions(&self, _: &Connection) -> usize {
        // A ping, a pong, a message, and the end.
        6
    }

    fn is_composite(&self) -> bool {
        true
    }
}

/// A script of the fuzzer.
pub(super) fn script(choices: &[(u8, i32)]) {
    must_keep_the_laws(&OfConnection::new(), choices);
}

#[test]
fn connection_keeps_the_laws() {
    for subject in [OfConnection::new(), OfConnection::of_websocket()] {
        let tally = check_exhaustively(&subject, 4).unwrap_or_else(|v| panic!("{v}"));
        assert_eq!(tally.phases.len(), 2, "{:?}", tally.phases);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn connection_keeps_the_laws_for_long(choices in choices(), is_websocket: bool) {
        let subject = match is_websocket {
            true => OfConnection::of_websocket(),
            false => OfConnection::new(),
        };
        let checked = check_script(&subject, &chosen(&subject, &choices));
        checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    }
}

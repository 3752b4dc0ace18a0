//! An endpoint, its clock, and what goes in and out of it, without any socket.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::clock::Clock;
use super::observe::Observer;
use crate::call::Invitation;
use crate::endpoint::{
    Answer, CallHandle, Config, Endpoint, Event, Input, Output, Query, QueryId, Transmit,
    TransmitId,
};
use crate::error::Misuse;
use crate::locate::{Question, Records};
use crate::seed::Seed;
use crate::shard::{Ordinals, Shard};
use crate::time::Time;

/// How long writing a message may take before the connection counts as broken: no transaction waits
/// longer. Who does not read holds no memory for ever.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(32);

/// What a look-up found.
pub(super) type Looked = (QueryId, Records);

/// What performs the outputs of an endpoint.
pub(super) trait Wires {
    /// Takes a transmission. Whether it can be sent.
    fn send(&mut self, now: Time, transmit: Transmit) -> bool;

    /// Sends what can be sent now, until one fails.
    fn flush(&mut self, now: Time) -> Option<TransmitId>;

    /// Begins to look up. An answer comes later.
    fn look_up(&mut self, id: QueryId, question: Question);
}

/// The endpoint and what goes in and out of it.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) endpoint: Endpoint,
    pub(super) clock: Clock,
    pub(super) events: VecDeque<Event>,
    outputs: VecDeque<Output>,
    ordinals: Ordinals,
    observer: Observer,
}

impl Core {
    /// `clock` starts at the time when the endpoint does.
    pub(super) fn new(config: Config, seed: Seed, clock: Clock, shard: Shard) -> io::Result<Self> {
        let ordinals = shard.ordinals(seed.clone());
        let endpoint = Endpoint::new(config, seed, Time::ZERO)
            .map_err(|misuse| io::Error::new(io::ErrorKind::InvalidInput, misuse))?;
        Ok(Self {
            endpoint,
            clock,
            events: VecDeque::new(),
            outputs: VecDeque::new(),
            ordinals,
            observer: Observer::default(),
        })
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) fn act<R>(
        &mut self,
        wires: &mut impl Wires,
        act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R,
    ) -> R {
        let now = self.now();
        let result = act(&mut self.endpoint, now, &mut self.outputs);
        self.perform(wires);
        result
    }

    /// Places a call, or sends a request of another method.
    pub(super) fn place(
        &mut self,
        wires: &mut impl Wires,
        method: Option<&str>,
        invitation: Invitation,
    ) -> Result<CallHandle, Misuse> {
        let ordinal = self.ordinals.next().ok_or(NO_ORDINALS)?;
        let placed = self.act(wires, |endpoint, now, out| match method {
            Some(method) => endpoint.ask(now, ordinal, method, invitation, out),
            None => endpoint.place(now, ordinal, invitation, out),
        })?;
        let call_id = self.endpoint.call_id(ordinal);
        self.observer.placed(placed, call_id.as_str());
        Ok(placed)
    }

    /// Tells those who watch where it stands, after a turn.
    pub(super) fn observe(&mut self) {
        self.observer.turned(&self.endpoint);
    }

    pub(super) fn receive(&mut self, wires: &mut impl Wires, input: Input) {
        if let Input::Datagram { flow, bytes } | Input::Delayed { flow, bytes, .. } = &input {
            self.observer.received(flow, bytes);
        }
        self.act(wires, |endpoint, now, out| {
            endpoint.receive(now, input, out);
        });
    }

    pub(super) fn on_looked_up(&mut self, wires: &mut impl Wires, looked: Looked) {
        let (id, records) = looked;
        let answer = Answer::Dns(records);
        self.receive(wires, Input::Answer { id, answer });
    }

    /// Fires what is due.
    pub(super) fn on_deadline(&mut self, wires: &mut impl Wires) {
        self.act(wires, |endpoint, now, out| {
            if endpoint.deadline().is_some_and(|at| at <= now) {
                endpoint.on_deadline(now, out);
            }
        });
    }

    /// Does what the endpoint wants, and what comes of that.
    pub(super) fn perform(&mut self, wires: &mut impl Wires) {
        loop {
            while let Some(output) = self.outputs.pop_front() {
                match output {
                    Output::Transmit(transmit) => self.transmit(wires, transmit),
                    Output::Event(event) => {
                        self.observer.heard(&event);
                        self.events.push_back(event);
                    }
                    Output::Query { id, query } => {
                        let Query::Dns(question) = query;
                        wires.look_up(id, question);
                    }
                    // The endpoint has counted it.
                    Output::Dropped(_) => {}
                }
            }
            let Some(id) = wires.flush(self.clock.now()) else {
                return;
            };
            self.on_send_failed(id);
        }
    }

    /// Whether nothing is left that would have an end to tell of, and nothing to write. What is
    /// not written is waited for until `limit`, which is set here.
    pub(super) fn is_drained(&self, has_unsent: bool, limit: &mut Option<Time>) -> bool {
        let is_free = self.endpoint.calls() == 0 && self.endpoint.transactions() == 0;
        if !is_free || !self.events.is_empty() {
            *limit = None;
            return false;
        }
        let now = self.now();
        let until = *limit.get_or_insert((now + WRITE_WAIT).unwrap_or(now));
        !has_unsent || until <= now
    }

    fn transmit(&mut self, wires: &mut impl Wires, transmit: Transmit) {
        let id = transmit.id;
        self.observer.sent(&transmit.flow, &transmit.bytes);
        if !wires.send(self.clock.now(), transmit) {
            self.on_send_failed(id);
        }
    }

    fn on_send_failed(&mut self, id: TransmitId) {
        let now = self.now();
        let input = Input::SendFailed { id };
        self.endpoint.receive(now, input, &mut self.outputs);
    }
}

/// After 2^64 calls.
const NO_ORDINALS: Misuse = Misuse::LimitReached { limit: "calls" };

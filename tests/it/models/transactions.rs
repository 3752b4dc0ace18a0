//! Client against server transaction: INVITE (RFC 3261 17.1.1, 17.2.1 with RFC 6026) and
//! non-INVITE (17.1.2, 17.2.2 with RFC 4320).
//!
//! The INVITE machines of RFC 3261 alone are known to be able to block: a 2xx ends the server
//! transaction, so an INVITE that comes late or again starts another one, and an ACK for a 2xx
//! may meet a transaction that waits for none. Here the server stays in Accepted for that time
//! (RFC 6026 8.5), and the client for more 2xx (8.4). A caller may wait for ever in Proceeding
//! when the final response is lost for good: that is not the transaction's to end but its user's,
//! who cancels (Timer C, 16.6; `Limits::ringing_wait` in the call), and then 64*T1 ends it (9.1).

use std::collections::BTreeSet;

use bytes::Bytes;
use drongo::machine::Machine;
use drongo::message::{HeaderList, Incoming, Reply, Request, Response, StatusCode, parse};
use drongo::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Reliability, Timers,
    invite_client, invite_server, non_invite_client, non_invite_server,
};
use stateright::{Model, Property};

use super::{NOW, explore};
use crate::laws::transactions::request;

/// What can be on the way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Message {
    Request,
    Ack,
    Response(u16),
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    /// Something arrives that was sent.
    Arrives(Message),
    /// The callee's user responds.
    Responds(u16),
    /// The caller's user cancels.
    Cancels,
    /// Time jumps to the next deadline.
    Time,
}

/// How a transaction ended for the caller's user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Heard {
    Final(u16),
    Failed,
}

/// A client, a server once the request has arrived, and the network.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Pair<C, S> {
    client: C,
    server: Option<S>,
    sent: BTreeSet<Message>,
    /// The final response that the callee's user gave.
    said: Option<u16>,
    heard: Option<Heard>,
    cancelled: bool,
    /// Something happened that never may: said here, so that the checker shows the way to it.
    wrong: Option<&'static str>,
}

impl<C: Machine, S: Machine> Pair<C, S> {
    fn new(client: C) -> Self {
        Self {
            client,
            server: None,
            sent: BTreeSet::new(),
            said: None,
            heard: None,
            cancelled: false,
            wrong: None,
        }
    }

    fn both_ended(&self) -> bool {
        let server = self.server.as_ref();
        self.client.is_terminated() && server.is_none_or(Machine::is_terminated)
    }

    fn deadline(&self) -> Option<drongo::time::Time> {
        let server = self.server.as_ref().and_then(Machine::deadline);
        let deadlines = [self.client.deadline(), server];
        deadlines.into_iter().flatten().min()
    }

    /// What can happen in every pair.
    fn steps(&self, steps: &mut Vec<Step>) {
        if !self.both_ended() {
            steps.extend(self.sent.iter().copied().map(Step::Arrives));
        }
        if self.deadline().is_some() {
            steps.push(Step::Time);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match (self.heard, heard) {
            // More 2xx are for the caller's user, who knows forks (RFC 6026 8.4).
            (Some(Heard::Final(200)), Heard::Final(200)) => {}
            (Some(_), _) => self.wrong = Some("the user hears two ends"),
            (None, heard) => self.heard = Some(heard),
        }
        if let Heard::Final(status) = heard
            && self.said != Some(status)
        {
            self.wrong = Some("the caller hears what nobody said");
        }
    }

    fn rest(&mut self, now: drongo::time::Time) {
        self.client.rebase(now, NOW);
        if let Some(server) = &mut self.server {
            server.rebase(now, NOW);
        }
    }
}

fn read_request(bytes: Bytes) -> Request {
    match parse(bytes, &drongo::limits::Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn read_response(bytes: Bytes) -> Response {
    match parse(bytes, &drongo::limits::Limits::DEFAULT) {
        Ok(Incoming::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn reply(method: &str) -> Reply {
    Reply::new(&read_request(request(method)))
}

fn response(method: &str, status: u16) -> Bytes {
    let status = StatusCode::new(status).unwrap();
    reply(method).write(status, None, Some("b"), &HeaderList::new(), None)
}

fn message(bytes: &Bytes) -> Message {
    match parse(bytes.clone(), &drongo::limits::Limits::DEFAULT) {
        Ok(Incoming::Request(request)) if request.method().as_str() == "ACK" => Message::Ack,
        Ok(Incoming::Request(_)) => Message::Request,
        Ok(Incoming::Response(response)) => Message::Response(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Nothing can happen any more, and yet one of the two has not ended.
fn is_stuck<M: Model>(model: &M, state: &M::State, both_ended: bool) -> bool {
    let mut steps = Vec::new();
    model.actions(state, &mut steps);
    steps.is_empty() && !both_ended
}

struct Invite(Reliability);

type InvitePair = Pair<InviteClient, InviteServer>;

impl Invite {
    fn on_client(state: &mut InvitePair, actions: Vec<invite_client::Action>) {
        for action in actions {
            match action {
                invite_client::Action::Transmit(bytes) => {
                    state.sent.insert(message(&bytes));
                }
                invite_client::Action::Response(response) if response.status().is_final() => {
                    state.hear(Heard::Final(response.status().as_u16()));
                }
                invite_client::Action::Failed(_) => state.hear(Heard::Failed),
                _ => {}
            }
        }
    }

    fn on_server(state: &mut InvitePair, actions: Vec<invite_server::Action>) {
        for action in actions {
            if let invite_server::Action::Transmit(bytes) = action {
                state.sent.insert(message(&bytes));
            }
        }
    }

    fn arrives(&self, state: &mut InvitePair, message: Message) {
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        match (message, &mut state.server) {
            (Message::Request, None) => {
                let (timers, reply) = (Timers::DEFAULT, reply("INVITE"));
                let new = InviteServer::new(NOW, timers, self.0, reply, &mut to_server);
                state.server = Some(new);
            }
            (Message::Request, Some(server)) => {
                server.receive(NOW, invite_server::Event::Invite, &mut to_server);
            }
            (Message::Ack, Some(server)) => {
                let ack = Box::new(read_request(request("ACK")));
                server.receive(NOW, invite_server::Event::Ack(ack), &mut to_server);
            }
            (Message::Ack, None) => state.wrong = Some("an ACK for nothing"),
            (Message::Response(status), _) => {
                let response = Box::new(read_response(response("INVITE", status)));
                let event = invite_client::Event::Response(response);
                state.client.receive(NOW, event, &mut to_client);
            }
        }
        Self::on_client(state, to_client);
        Self::on_server(state, to_server);
    }

    fn responds(state: &mut InvitePair, status: u16) {
        let mut out = Vec::new();
        if status >= 200 {
            state.said = Some(status);
        }
        if let Some(server) = &mut state.server {
            let command = invite_server::Command::Respond {
                status: StatusCode::new(status).unwrap(),
                bytes: response("INVITE", status),
            };
            server.command(NOW, command, &mut out).unwrap();
        }
        Self::on_server(state, out);
    }
}

impl Model for Invite {
    type State = InvitePair;
    type Action = Step;

    fn init_states(&self) -> Vec<InvitePair> {
        let mut out = Vec::new();
        let client = InviteClient::new(NOW, Timers::DEFAULT, self.0, request("INVITE"), &mut out);
        let mut state = Pair::new(client);
        Self::on_client(&mut state, out);
        vec![state]
    }

    fn actions(&self, state: &InvitePair, steps: &mut Vec<Step>) {
        state.steps(steps);
        if state.server.as_ref().is_some_and(InviteServer::is_pending) {
            steps.extend([180, 200, 486].map(Step::Responds));
        }
        let waits = matches!(state.client.state(), "Calling" | "Proceeding");
        if waits && !state.cancelled {
            steps.push(Step::Cancels);
        }
    }

    fn next_state(&self, state: &InvitePair, step: Step) -> Option<InvitePair> {
        let mut state = state.clone();
        match step {
            Step::Arrives(message) => self.arrives(&mut state, message),
            Step::Responds(status) => Self::responds(&mut state, status),
            Step::Cancels => {
                let mut out = Vec::new();
                let command = invite_client::Command::Cancel;
                state.client.command(NOW, command, &mut out).unwrap();
                state.cancelled = true;
                Self::on_client(&mut state, out);
            }
            Step::Time => {
                let now = state.deadline()?;
                let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
                state.client.on_deadline(now, &mut to_client);
                if let Some(server) = &mut state.server {
                    server.on_deadline(now, &mut to_server);
                }
                Self::on_client(&mut state, to_client);
                Self::on_server(&mut state, to_server);
                state.rest(now);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing wrong happens", |_, state: &InvitePair| {
                state.wrong.is_none()
            }),
            Property::always("no stuck state", |model: &Self, state: &InvitePair| {
                !is_stuck(model, state, state.both_ended())
            }),
            Property::sometimes("accepted, and both end", |_, state: &InvitePair| {
                state.heard == Some(Heard::Final(200)) && state.both_ended()
            }),
            Property::sometimes("refused, and both end", |_, state: &InvitePair| {
                state.heard == Some(Heard::Final(486)) && state.both_ended()
            }),
            Property::sometimes("a lost answer, and both end", |_, state: &InvitePair| {
                state.heard == Some(Heard::Failed) && state.said.is_some() && state.both_ended()
            }),
        ]
    }
}

#[test]
fn invite_transactions_never_block_over_a_network_that_loses_duplicates_and_reorders() {
    // 3261-17.1.1.2-11, 6026-8.4-01
    let states = explore(Invite(Reliability::Unreliable));
    println!("Invite, Unreliable: {states} states");
    assert!(states > 10_000, "{states} states");
}

#[test]
fn invite_transactions_never_block_over_a_reliable_transport() {
    let states = explore(Invite(Reliability::Reliable));
    println!("Invite, Reliable: {states} states");
    assert!(states > 100, "{states} states");
}

struct NonInvite(Reliability);

type NonInvitePair = Pair<NonInviteClient, NonInviteServer>;

impl NonInvite {
    fn on_client(state: &mut NonInvitePair, actions: Vec<non_invite_client::Action>) {
        for action in actions {
            match action {
                non_invite_client::Action::Transmit(bytes) => {
                    state.sent.insert(message(&bytes));
                }
                non_invite_client::Action::Response(response) if response.status().is_final() => {
                    state.hear(Heard::Final(response.status().as_u16()));
                }
                non_invite_client::Action::Failed(_) => state.hear(Heard::Failed),
                _ => {}
            }
        }
    }

    fn on_server(state: &mut NonInvitePair, actions: Vec<non_invite_server::Action>) {
        for action in actions {
            if let non_invite_server::Action::Transmit(bytes) = action {
                state.sent.insert(message(&bytes));
            }
        }
    }
}

impl Model for NonInvite {
    type State = NonInvitePair;
    type Action = Step;

    fn init_states(&self) -> Vec<NonInvitePair> {
        let mut out = Vec::new();
        let request = request("OPTIONS");
        let client = NonInviteClient::new(NOW, Timers::DEFAULT, self.0, request, &mut out);
        let mut state = Pair::new(client);
        Self::on_client(&mut state, out);
        vec![state]
    }

    fn actions(&self, state: &NonInvitePair, steps: &mut Vec<Step>) {
        state.steps(steps);
        if state
            .server
            .as_ref()
            .is_some_and(NonInviteServer::is_pending)
        {
            steps.extend([200, 404].map(Step::Responds));
        }
    }

    fn next_state(&self, state: &NonInvitePair, step: Step) -> Option<NonInvitePair> {
        let mut state = state.clone();
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        let mut now = NOW;
        match (step, &mut state.server) {
            (Step::Arrives(Message::Request), None) => {
                let reply = reply("OPTIONS");
                let new = NonInviteServer::new(NOW, Timers::DEFAULT, self.0, reply);
                state.server = Some(new);
            }
            (Step::Arrives(Message::Request), Some(server)) => {
                server.receive(NOW, non_invite_server::Event::Request, &mut to_server);
            }
            (Step::Arrives(Message::Response(status)), _) => {
                let response = Box::new(read_response(response("OPTIONS", status)));
                let event = non_invite_client::Event::Response(response);
                state.client.receive(NOW, event, &mut to_client);
            }
            (Step::Responds(status), Some(server)) => {
                state.said = Some(status);
                let command = non_invite_server::Command::Respond {
                    status: StatusCode::new(status).unwrap(),
                    bytes: response("OPTIONS", status),
                };
                server.command(NOW, command, &mut to_server).unwrap();
            }
            (Step::Time, server) => {
                let deadline = server.as_ref().and_then(Machine::deadline);
                let deadlines = [state.client.deadline(), deadline];
                now = deadlines.into_iter().flatten().min()?;
                state.client.on_deadline(now, &mut to_client);
                if let Some(server) = server {
                    server.on_deadline(now, &mut to_server);
                }
            }
            (Step::Arrives(Message::Ack) | Step::Responds(_) | Step::Cancels, _) => return None,
        }
        Self::on_client(&mut state, to_client);
        Self::on_server(&mut state, to_server);
        state.rest(now);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing wrong happens", |_, state: &NonInvitePair| {
                state.wrong.is_none()
            }),
            Property::always("no stuck state", |model: &Self, state: &NonInvitePair| {
                !is_stuck(model, state, state.both_ended())
            }),
            Property::sometimes("answered, and both end", |_, state: &NonInvitePair| {
                matches!(state.heard, Some(Heard::Final(_))) && state.both_ended()
            }),
            Property::sometimes("a lost answer, and both end", |_, state: &NonInvitePair| {
                state.heard == Some(Heard::Failed) && state.said.is_some() && state.both_ended()
            }),
        ]
    }
}

#[test]
fn non_invite_transactions_never_block_over_a_network_that_loses_duplicates_and_reorders() {
    let states = explore(NonInvite(Reliability::Unreliable));
    println!("NonInvite, Unreliable: {states} states");
    assert!(states > 100, "{states} states");
}

#[test]
fn non_invite_transactions_never_block_over_a_reliable_transport() {
    let states = explore(NonInvite(Reliability::Reliable));
    println!("NonInvite, Reliable: {states} states");
    assert!(states > 20, "{states} states");
}

//! What the flows share.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use drongo::call::Invitation;
use drongo::endpoint::{CallHandle, Config, Event};
use drongo::limits::Limits;
use drongo::message::{Body, HeaderList, Incoming, Outgoing, Reply, Request, StatusCode, parse};
use drongo::seed::Seed;
use drongo::sim::{Letter, Link, Node, Peer, Turn, User, World};
use drongo::time::Time;

pub(crate) const ALICE: &str = "192.0.2.1:5060";
pub(crate) const BOB: &str = "192.0.2.4:5060";

/// Alice, Bob, and a network that loses nothing unless it is told to.
pub(crate) struct Flow {
    pub(crate) world: World,
    pub(crate) alice: Node,
    pub(crate) bob: Node,
}

impl Flow {
    /// Both are endpoints; Alice's user does nothing by itself.
    pub(crate) fn new(bob: impl User + 'static) -> Self {
        Self::between((), bob)
    }

    pub(crate) fn between(alice: impl User + 'static, bob: impl User + 'static) -> Self {
        Self::with_config(Config::default(), alice, bob)
    }

    pub(crate) fn with_config(
        config: Config,
        alice: impl User + 'static,
        bob: impl User + 'static,
    ) -> Self {
        let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
        let alice = world
            .endpoint("alice", address(ALICE), config.clone(), alice)
            .unwrap();
        let bob = world.endpoint("bob", address(BOB), config, bob).unwrap();
        Self { world, alice, bob }
    }

    /// Bob is a script of raw bytes.
    pub(crate) fn with_peer(peer: impl Peer + 'static) -> Self {
        Self::with_peer_and(Config::default(), peer)
    }

    pub(crate) fn with_peer_and(config: Config, peer: impl Peer + 'static) -> Self {
        let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
        let alice = world.endpoint("alice", address(ALICE), config, ()).unwrap();
        let bob = world.peer("bob", address(BOB), peer);
        Self { world, alice, bob }
    }

    /// Alice calls Bob with an offer.
    pub(crate) fn place(&mut self) -> CallHandle {
        self.place_with(invitation())
    }

    pub(crate) fn place_with(&mut self, invitation: Invitation) -> CallHandle {
        let place = |turn: &mut Turn<'_>| turn.endpoint.place(turn.now, 0, invitation, turn.out);
        self.world.act(self.alice, place).unwrap().unwrap()
    }

    /// Lets a user do something at that many milliseconds.
    pub(crate) fn at(
        &mut self,
        millis: u64,
        node: Node,
        deed: impl FnOnce(&mut Turn<'_>) + 'static,
    ) {
        self.world.at(Time::from_millis(millis), node, deed);
    }

    /// A raw datagram from Bob at that many milliseconds.
    pub(crate) fn send(&mut self, millis: u64, text: &str) {
        self.world.run_until(Time::from_millis(millis));
        self.world
            .send(self.bob, address(ALICE), text.replace('\n', "\r\n"));
    }

    /// Runs until nothing is armed, and sees that nothing is left.
    pub(crate) fn end(mut self) -> String {
        assert!(
            self.world.run_until_idle(Duration::from_secs(1000)),
            "it never ends:\n{}",
            self.world.trace().ladder()
        );
        for node in [self.alice, self.bob] {
            assert_empty(&self.world, node);
        }
        assert_eq!(self.world.record().broken().next(), None);
        self.world.trace().ladder()
    }
}

/// L8 and DESIGN section 4: what is over leaves nothing behind.
pub(crate) fn assert_empty(world: &World, node: Node) {
    let Some(endpoint) = world.look(node) else {
        return;
    };
    let left = (
        endpoint.transactions(),
        endpoint.calls(),
        endpoint.dialogs(),
        endpoint.deadline(),
    );
    assert_eq!(left, (0, 0, 0, None), "{}", world.trace().ladder());
    assert!(endpoint.is_idle(), "{}", world.trace().ladder());
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn invitation() -> Invitation {
    Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com")
        .unwrap()
        .with(sdp())
}

pub(crate) fn sdp() -> Outgoing {
    Outgoing::default().with_body(Body::sdp("v=0\r\n"))
}

/// The only call of an endpoint.
pub(crate) fn call_of(turn: &Turn<'_>) -> CallHandle {
    turn.endpoint.call_handles().next().unwrap()
}

pub(crate) fn hang_up(turn: &mut Turn<'_>) {
    let call = call_of(turn);
    turn.call(call, |call, now, out| call.hang_up(now, out))
        .unwrap();
}

pub(crate) fn update(turn: &mut Turn<'_>) {
    let call = call_of(turn);
    turn.call(call, |call, now, out| call.reinvite(now, sdp(), out))
        .unwrap();
}

pub(crate) fn abandon(turn: &mut Turn<'_>) {
    let call = call_of(turn);
    turn.endpoint.call(call).unwrap().abandon();
}

pub(crate) fn info(turn: &mut Turn<'_>) {
    let call = call_of(turn);
    let body = Outgoing::default().with_body(Body::new("text/plain", "hello").unwrap());
    turn.call(call, |call, now, out| call.send(now, "INFO", body, out))
        .unwrap();
}

/// Rings at once, never answers; accepts re-INVITEs.
pub(crate) fn rings(turn: &mut Turn<'_>, event: Event) {
    match event {
        Event::Incoming { call, .. } => {
            turn.call(call, |call, now, out| call.ring(now, out))
                .unwrap();
        }
        Event::Reoffered { call, .. } => {
            turn.call(call, |call, now, out| call.answer(now, sdp(), out))
                .unwrap();
        }
        other => offers_again(turn, &other),
    }
}

/// Rings at once, answers after a second; accepts re-INVITEs.
pub(crate) fn answers(turn: &mut Turn<'_>, event: Event) {
    if let Event::Incoming { call, .. } = &event {
        let call = *call;
        turn.after(Duration::from_secs(1), move |turn| {
            let answered = turn.call(call, |call, now, out| call.answer(now, sdp(), out));
            // It may have been cancelled.
            assert!(
                answered.is_ok() || turn.endpoint.call(call).is_err(),
                "{answered:?}"
            );
        });
    }
    rings(turn, event);
}

/// Makes an offer anew that another exchange has overtaken.
pub(crate) fn offers_again(turn: &mut Turn<'_>, event: &Event) {
    match event {
        Event::ReinviteOutdated { call, .. } => {
            turn.call(*call, |call, now, out| call.reinvite(now, sdp(), out))
                .unwrap();
        }
        Event::UpdateOutdated { call, .. } => {
            turn.call(*call, |call, now, out| call.update(now, sdp(), out))
                .unwrap();
        }
        _ => {}
    }
}

/// Answers at once.
pub(crate) fn answers_at_once(turn: &mut Turn<'_>, event: Event) {
    match event {
        Event::Incoming { call, .. } | Event::Reoffered { call, .. } => {
            turn.call(call, |call, now, out| call.answer(now, sdp(), out))
                .unwrap();
        }
        other => offers_again(turn, &other),
    }
}

pub(crate) fn request(bytes: &Bytes) -> Option<Request> {
    match parse(bytes.clone(), &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => Some(request),
        _ => None,
    }
}

/// A response of a scripted peer.
pub(crate) fn response(request: &Request, status: u16, tag: &str) -> Bytes {
    let contact = format!("<sip:{tag}@192.0.2.4>");
    let headers = HeaderList::new().with("Contact", contact).unwrap();
    let status = StatusCode::new(status).unwrap();
    let body = Body::sdp("v=0\r\n");
    let body = (status.is_success() && request.method().as_str() == "INVITE").then_some(&body);
    Reply::new(request).write_in_dialog(status, None, Some(tag), &headers, body)
}

pub(crate) fn letter(millis: u64, bytes: Bytes) -> Letter {
    Letter {
        after: Duration::from_millis(millis),
        to: address(ALICE),
        bytes,
    }
}

/// A request of a scripted Bob outside of any call; `extra` are whole lines.
pub(crate) fn raw(method: &str, branch: &str, extra: &str) -> String {
    raw_to(method, "sip:alice@192.0.2.1", "", branch, extra)
}

/// The same with a Request-URI and parameters of To.
pub(crate) fn raw_to(method: &str, uri: &str, to: &str, branch: &str, extra: &str) -> String {
    let cseq = method.split(' ').next().unwrap_or(method);
    format!(
        "{method} {uri} SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK{branch};rport\n\
         Max-Forwards: 70\n\
         From: <sip:bob@example.com>;tag=bob\n\
         To: <sip:alice@example.com>{to}\n\
         Call-ID: {branch}@192.0.2.4\n\
         CSeq: 1 {cseq}\n\
         Contact: <sip:bob@192.0.2.4>\n\
         {extra}Content-Length: 0\n\n"
    )
}

/// A request of a scripted Bob within the dialog that his response with `tag` to Alice's INVITE
/// made.
pub(crate) fn within(invite: &Request, tag: &str, method: &str, cseq: u32, branch: &str) -> String {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK{branch}\n\
         Max-Forwards: 70\n\
         From: {};tag={tag}\n\
         To: {}\n\
         Call-ID: {}\n\
         CSeq: {cseq} {method}\n\
         Contact: <sip:bob@192.0.2.4>\n\
         Content-Length: 0\n\n",
        text(invite.to_value()),
        text(invite.from_value()),
        invite.call_id(),
    )
}

impl Flow {
    /// The first request that was sent: Alice's INVITE.
    pub(crate) fn invite(&self) -> Request {
        request(&self.world.record().sent().next().unwrap().bytes).unwrap()
    }

    /// What Alice sent last, as text.
    pub(crate) fn last_of_alice(&self) -> String {
        let sent = self
            .world
            .record()
            .sent()
            .filter(|sent| sent.from == self.alice);
        String::from_utf8_lossy(&sent.last().unwrap().bytes).into_owned()
    }
}

/// A scripted callee that answers an INVITE with these responses, after that many milliseconds,
/// each with its tag; and every other request but ACK with 200.
pub(crate) fn script(
    responses: &'static [(u64, u16, &'static str)],
) -> impl FnMut(Time, SocketAddr, &Bytes, &mut Vec<Letter>) {
    let mut seen = Vec::new();
    move |_, _, bytes, out| {
        let Some(request) = request(bytes) else {
            return;
        };
        match request.method().as_str() {
            "ACK" => {}
            "INVITE" if seen.contains(bytes) => {}
            "INVITE" => {
                seen.push(bytes.clone());
                for (after, status, tag) in responses {
                    out.push(letter(*after, response(&request, *status, tag)));
                }
            }
            _ => {
                let tag = request.to_tag().unwrap_or("new").to_string();
                out.push(letter(0, response(&request, 200, &tag)));
            }
        }
    }
}

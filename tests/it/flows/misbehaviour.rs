//! A peer that answers with anything at all: whatever it does, each call ends once and nothing is
//! left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use drongo::endpoint::{CallHandle, Config, Event};
use drongo::limits::Limits;
use drongo::message::{Incoming, Outgoing, StatusCode, parse};
use drongo::seed::Seed;
use drongo::sim::{Letter, Link, Peer, Turn, User, World};
use drongo::time::Time;

use super::support::{
    ALICE, BOB, address, assert_empty, invitation, letter, raw, request, response, sdp,
};

const METHODS: [&str; 9] = [
    "INVITE", "BYE", "CANCEL", "ACK", "INFO", "OPTIONS", "UPDATE", "MESSAGE", "DANCE",
];
const STATUSES: [u16; 16] = [
    100, 180, 183, 199, 200, 202, 302, 401, 408, 481, 486, 487, 491, 500, 503, 699,
];

/// What the peer does next.
#[derive(Clone, Debug)]
struct Move {
    kind: Kind,
    status: usize,
    method: usize,
    tag: u8,
    cseq: u32,
    after: u64,
    /// A byte that is changed.
    damage: Option<(prop::sample::Index, u8)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A response to the last request that came.
    Response,
    /// A response to the first one.
    ResponseToFirst,
    /// A request in the dialog of the last message that came.
    Within,
    /// A request outside of any dialog.
    Outside,
    /// What was sent last, again.
    Again,
}

fn step() -> impl Strategy<Value = Move> {
    let kind = prop_oneof![
        4 => Just(Kind::Response),
        3 => Just(Kind::ResponseToFirst),
        4 => Just(Kind::Within),
        1 => Just(Kind::Outside),
        1 => Just(Kind::Again),
    ];
    let after = prop_oneof![3 => 0_u64..50, 1 => 0_u64..40_000];
    let damage =
        prop_oneof![9 => Just(None), 1 => any::<(prop::sample::Index, u8)>().prop_map(Some)];
    (
        kind,
        0..STATUSES.len(),
        0..METHODS.len(),
        0_u8..3,
        0_u32..12,
        after,
        damage,
    )
        .prop_map(|(kind, status, method, tag, cseq, after, damage)| Move {
            kind,
            status,
            method,
            tag,
            cseq,
            after,
            damage,
        })
}

struct Chaos {
    moves: std::vec::IntoIter<Move>,
    requests: Vec<Bytes>,
    last: Option<Bytes>,
    sent: Option<Bytes>,
    count: u32,
}

impl Chaos {
    fn make(&mut self, step: &Move) -> Option<Bytes> {
        let tag = format!("t{}", step.tag);
        let method = METHODS[step.method];
        self.count += 1;
        match step.kind {
            Kind::Response => Some(response(
                &request(self.requests.last()?)?,
                STATUSES[step.status],
                &tag,
            )),
            Kind::ResponseToFirst => Some(response(
                &request(self.requests.first()?)?,
                STATUSES[step.status],
                &tag,
            )),
            Kind::Within => {
                // The branch of the last INVITE for CANCEL and ACK, at times.
                let number = if step.tag == 0 { 0 } else { self.count };
                self.within(method, step.cseq, &tag, &format!("w{number}"))
            }
            Kind::Outside => {
                let text = raw(method, &format!("x{}", step.tag), "");
                Some(text.replace('\n', "\r\n").into())
            }
            Kind::Again => self.sent.clone(),
        }
    }

    /// A request of this side in the dialog of the last message that came.
    fn within(&self, method: &str, cseq: u32, tag: &str, branch: &str) -> Option<Bytes> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let (from, to, call_id) = match parse(self.last.clone()?, &Limits::DEFAULT).ok()? {
            Incoming::Request(request) => {
                let to = text(request.to_value());
                let own = match request.to_tag() {
                    Some(_) => to,
                    None => format!("{to};tag={tag}"),
                };
                (
                    own,
                    text(request.from_value()),
                    request.call_id().to_string(),
                )
            }
            Incoming::Response(response) => (
                text(response.from_value()),
                text(response.to_value()),
                response.call_id().to_string(),
            ),
        };
        let lines = [
            format!("{method} sip:alice@192.0.2.1 SIP/2.0"),
            format!("Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK{branch}"),
            format!("From: {from}"),
            format!("To: {to}"),
            format!("Call-ID: {call_id}"),
            format!("CSeq: {cseq} {method}"),
            "Contact: <sip:bob@192.0.2.4>".to_string(),
            "Content-Length: 0\r\n\r\n".to_string(),
        ];
        Some(lines.join("\r\n").into())
    }
}

impl Peer for Chaos {
    fn on_datagram(&mut self, _: Time, _: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>) {
        self.last = Some(bytes.clone());
        if request(bytes).is_some() {
            self.requests.push(bytes.clone());
        }
        for _ in 0..2 {
            let Some(step) = self.moves.next() else {
                return;
            };
            let Some(bytes) = self.make(&step) else {
                continue;
            };
            self.sent = Some(bytes.clone());
            let mut bytes = bytes.to_vec();
            if let Some((at, byte)) = step.damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            out.push(letter(step.after, bytes.into()));
        }
    }
}

/// A user in changing moods: does what it is asked for, or nothing.
struct Moody {
    moods: Vec<u8>,
    heard: Rc<RefCell<BTreeMap<CallHandle, u32>>>,
    turns: usize,
}

impl User for Moody {
    fn on_event(&mut self, turn: &mut Turn<'_>, event: Event) {
        let mood = self.moods[self.turns % self.moods.len()];
        self.turns += 1;
        match event {
            Event::Incoming { call, .. } => {
                assert_eq!(self.heard.borrow_mut().insert(call, 0), None);
                let busy = StatusCode::BUSY_HERE;
                let _ = turn.call(call, |call, now, out| match mood % 4 {
                    0 => Ok(()),
                    1 => call.ring(now, out),
                    2 => call.answer(now, sdp(), out),
                    _ => call.reject(now, busy, Outgoing::default(), out),
                });
            }
            Event::Ended { call, .. } => {
                let ends = self.heard.borrow_mut().get_mut(&call).map(|ends| {
                    *ends += 1;
                    *ends
                });
                assert_eq!(ends, Some(1), "{call} ends once");
            }
            Event::Reoffered { call, .. } if mood.is_multiple_of(2) => {
                turn.call(call, |call, now, out| call.answer(now, sdp(), out))
                    .unwrap();
            }
            Event::Answered {
                call,
                answer_needed: true,
                ..
            }
            | Event::Updated {
                call,
                answer_needed: true,
                ..
            } if mood.is_multiple_of(2) => {
                turn.call(call, |call, now, out| call.acknowledge(now, sdp(), out))
                    .unwrap();
            }
            Event::Acknowledged { call, .. } | Event::Progress { call, .. } => {
                // Often a misuse, and then harmless.
                let _ = turn.call(call, |call, now, out| match mood % 6 {
                    0 => call.reinvite(now, Outgoing::default(), out),
                    1 => call.send(now, "INFO", Outgoing::default(), out),
                    2 => call.hang_up(now, out),
                    3 => call.answer(now, sdp(), out),
                    4 => call.acknowledge(now, sdp(), out),
                    _ => Ok(()),
                });
            }
            Event::Request { request, .. } if mood.is_multiple_of(2) => {
                turn.request(request, |request, now, out| {
                    request.respond(now, StatusCode::OK, Outgoing::default(), out)
                })
                .unwrap();
            }
            _ => {}
        }
    }
}

fn hang_up_all(turn: &mut Turn<'_>) {
    let calls: Vec<CallHandle> = turn.endpoint.call_handles().collect();
    for call in calls {
        turn.call(call, |call, now, out| call.hang_up(now, out))
            .unwrap();
    }
}

fn play(moves: Vec<Move>, moods: Vec<u8>, by_alice: bool) {
    let heard = Rc::new(RefCell::new(BTreeMap::new()));
    let user = Moody {
        moods,
        heard: heard.clone(),
        turns: 0,
    };
    let mut world = World::new(Seed::from_bytes([3; 32]), Link::default());
    let mut config = Config::default();
    config.limits.forks = 2;
    config.limits.pending_requests = 2;
    config.limits.answer_wait = Duration::from_secs(70);
    let alice = world
        .endpoint("alice", address(ALICE), config, user)
        .unwrap();
    let chaos = Chaos {
        moves: moves.into_iter(),
        requests: Vec::new(),
        last: None,
        sent: None,
        count: 0,
    };
    let bob = world.peer("bob", address(BOB), chaos);
    match by_alice {
        true => {
            let place =
                |turn: &mut Turn<'_>| turn.endpoint.place(turn.now, 0, invitation(), turn.out);
            let call = world.act(alice, place).unwrap().unwrap();
            heard.borrow_mut().insert(call, 0);
        }
        false => world.send(
            bob,
            address(ALICE),
            raw("INVITE", "w0", "").replace('\n', "\r\n"),
        ),
    }
    for at in [150, 250] {
        world.at(Time::from_secs(at), alice, hang_up_all);
    }
    let idle = world.run_until_idle(Duration::from_secs(2000));
    assert!(idle, "it never ends:\n{}", world.trace().ladder());
    assert_eq!(
        world.record().broken().next(),
        None,
        "{}",
        world.trace().ladder()
    );
    assert_empty(&world, alice);
    for (call, ends) in heard.borrow().iter() {
        assert_eq!(*ends, 1, "{call} ends once:\n{}", world.trace().ladder());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_peer_leaves_nothing_behind(
        moves in proptest::collection::vec(step(), 0..40),
        moods in proptest::collection::vec(any::<u8>(), 1..8),
        by_alice in any::<bool>(),
    ) {
        play(moves, moods, by_alice);
    }
}

//! However many endpoints share the work, each call is the same to the byte.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use drongo::bytes::Bytes;
use drongo::call::Invitation;
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Input, Output};
use drongo::message::{Body, Outgoing, call_id_of};
use drongo::seed::{Domain, Seed};
use drongo::shard::{Shard, shard_of};
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

const CALLS: u64 = 60;

/// A side: its endpoints, and what its users do later.
struct Side {
    address: SocketAddr,
    shards: Vec<Endpoint>,
    agenda: BTreeMap<(Time, u64), (usize, CallHandle, Deed)>,
}

#[derive(Clone, Copy)]
enum Deed {
    Answer,
    HangUp,
}

/// What each call put on the wire: when, from whom, what.
type Traffic = BTreeMap<Bytes, Vec<(Time, SocketAddr, Bytes)>>;

/// Two sides and a network that loses a tenth. What becomes of a datagram depends on its call
/// alone, so that calls do not disturb each other.
struct World {
    sides: [Side; 2],
    on_the_way: BTreeMap<(Time, u64), (usize, Flow, Bytes)>,
    traffic: Traffic,
    numbers: u64,
}

impl World {
    fn new(shards: u32) -> Self {
        let side = |number: u8| {
            let address = SocketAddr::from(([192, 0, 2, number], 5060));
            let config = Config::default().local(Local::new(Transport::Udp, address));
            let endpoint = |_| {
                let seed = Seed::from_bytes([number; 32]);
                Endpoint::new(config.clone(), seed, Time::ZERO).unwrap()
            };
            Side {
                address,
                shards: Shard::all(shards).map(endpoint).collect(),
                agenda: BTreeMap::new(),
            }
        };
        Self {
            sides: [side(1), side(2)],
            on_the_way: BTreeMap::new(),
            traffic: Traffic::new(),
            numbers: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Each shard places the calls whose Call-IDs are its own; some are cancelled.
    fn place(&mut self) {
        let shards = self.sides[0].shards.len() as u32;
        for shard in Shard::all(shards) {
            let ordinals = shard.ordinals(Seed::from_bytes([1; 32]));
            for ordinal in ordinals.take_while(|ordinal| *ordinal < CALLS) {
                let offer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
                let target = format!("sip:{ordinal}@192.0.2.2");
                let invitation = Invitation::new(&target, "sip:alice@192.0.2.1").unwrap();
                let invitation = invitation.with(offer);
                let mut out = VecDeque::new();
                let at = shard.index() as usize;
                let endpoint = &mut self.sides[0].shards[at];
                let call = endpoint.place(Time::ZERO, ordinal, invitation, &mut out);
                if ordinal % 3 == 0 {
                    self.later(0, at, call.unwrap(), Time::from_millis(700), Deed::HangUp);
                }
                self.perform(0, at, Time::ZERO, out);
            }
        }
    }

    fn later(&mut self, side: usize, shard: usize, call: CallHandle, at: Time, deed: Deed) {
        let number = self.number();
        let agenda = &mut self.sides[side].agenda;
        agenda.insert((at, number), (shard, call, deed));
    }

    fn perform(&mut self, side: usize, shard: usize, now: Time, outputs: VecDeque<Output>) {
        for output in outputs {
            match output {
                Output::Transmit(transmit) => self.send(side, now, transmit.bytes),
                Output::Event(Event::Incoming { call, .. }) => {
                    let at = (now + Duration::from_secs(1)).unwrap();
                    self.later(side, shard, call, at, Deed::Answer);
                }
                Output::Event(Event::Answered { call, .. }) => {
                    let at = (now + Duration::from_secs(3)).unwrap();
                    self.later(side, shard, call, at, Deed::HangUp);
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, side: usize, now: Time, bytes: Bytes) {
        let call_id = Bytes::copy_from_slice(call_id_of(&bytes).unwrap());
        let chance = u64::from(shard_of(&call_id, u32::MAX));
        let (from, to) = (self.sides[side].address, self.sides[1 - side].address);
        let traffic = self.traffic.entry(call_id).or_default();
        traffic.push((now, from, bytes.clone()));
        let nth = traffic.len() as u64;
        let seed = Seed::from_bytes([9; 32]);
        let luck = seed
            .stream(Domain::Simulation, chance << 32 | nth)
            .next_u64();
        if luck.is_multiple_of(10) {
            return;
        }
        let flow = Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: to,
            remote: from,
        };
        let delay = Duration::from_micros(10_000 + luck % 7_919);
        let key = ((now + delay).unwrap(), self.number());
        self.on_the_way.insert(key, (1 - side, flow, bytes));
    }

    /// Until nobody has anything to do any more. What was dropped is counted.
    fn run(mut self) -> (Traffic, u64) {
        self.place();
        while let Some(now) = self.next() {
            if let Some(entry) = self.on_the_way.first_entry().filter(|e| e.key().0 <= now) {
                let (side, flow, bytes) = entry.remove();
                let shards = self.sides[side].shards.len() as u32;
                let at = Shard::new(0, shards).unwrap().owner_of(&bytes) as usize;
                let input = Input::Datagram { flow, bytes };
                self.call(side, at, now, |endpoint, out| {
                    endpoint.receive(now, input, out);
                });
                continue;
            }
            for side in 0..2 {
                self.wake(side, now);
            }
        }
        let endpoints = || self.sides.iter().flat_map(|side| &side.shards);
        assert!(endpoints().all(Endpoint::is_idle));
        let dropped = endpoints().map(|endpoint| endpoint.counters().dropped());
        let dropped = dropped.sum();
        (self.traffic, dropped)
    }

    fn wake(&mut self, side: usize, now: Time) {
        while let Some(entry) = self.sides[side].agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (at, call, deed) = entry.remove();
            self.call(side, at, now, |endpoint, out| {
                // It may have ended meanwhile.
                let Ok(mut call) = endpoint.call(call) else {
                    return;
                };
                let _ = match deed {
                    Deed::Answer => {
                        let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
                        call.answer(now, answer, out)
                    }
                    Deed::HangUp => call.hang_up(now, out),
                };
            });
        }
        for at in 0..self.sides[side].shards.len() {
            if self.sides[side].shards[at]
                .deadline()
                .is_some_and(|due| due <= now)
            {
                self.call(side, at, now, |endpoint, out| {
                    endpoint.on_deadline(now, out)
                });
            }
        }
    }

    fn call(
        &mut self,
        side: usize,
        at: usize,
        now: Time,
        call: impl FnOnce(&mut Endpoint, &mut VecDeque<Output>),
    ) {
        let mut out = VecDeque::new();
        call(&mut self.sides[side].shards[at], &mut out);
        self.perform(side, at, now, out);
    }

    fn next(&self) -> Option<Time> {
        let arrival = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
        let sides = self.sides.iter().flat_map(|side| {
            let deed = side.agenda.first_key_value().map(|((at, _), _)| *at);
            let deadlines = side.shards.iter().filter_map(Endpoint::deadline);
            deadlines.chain(deed)
        });
        sides.chain(arrival).min()
    }
}

#[test]
fn calls_are_the_same_to_the_byte_with_one_two_and_eight_shards() {
    let (alone, dropped) = World::new(1).run();
    assert_eq!(alone.len() as u64, CALLS);
    let all = || alone.values().flatten();
    let begin = |start: &[u8]| {
        all()
            .filter(|(_, _, bytes)| bytes.starts_with(start))
            .count()
    };
    for start in ["CANCEL ", "BYE ", "ACK ", "SIP/2.0 487 "] {
        assert!(begin(start.as_bytes()) > 0, "{start}");
    }
    assert!(
        begin(b"INVITE ") > alone.len(),
        "something is lost and sent again"
    );
    for shards in [2, 8] {
        let (shared, of_all) = World::new(shards).run();
        assert_eq!(of_all, dropped);
        for (call_id, traffic) in &alone {
            assert_eq!(shared.get(call_id), Some(traffic), "{call_id:?}");
        }
        assert_eq!(shared.len(), alone.len());
    }
}

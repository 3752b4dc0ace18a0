//! One core that is offered twice what it carries, in virtual time: each message costs what the
//! model says, and waits until those before it are done. `benches/overload.rs` does the same with
//! what messages really cost.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use drongo::endpoint::{Config, Counters, Endpoint, Event, Input, Output};
use drongo::message::{Body, Outgoing};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

const HERE: &str = "192.0.2.1:5060";
const THERE: &str = "192.0.2.2:5060";
const SECOND: u64 = 1_000_000_000;
const T1: u64 = SECOND / 2;
const ROUND_TRIP: u64 = SECOND / 1_000;

/// Nanoseconds that the core of the model takes: for an INVITE that is answered, for any other
/// message that is served, to refuse, to absorb an ACK, and to drop. A call costs 2 ms.
const ANSWER: u64 = 1_000_000;
const SERVE: u64 = 500_000;
const REFUSE: u64 = 100_000;
const DROP: u64 = 20_000;
/// What that core carries: a call is an INVITE, an ACK and a BYE.
const CAPACITY: u64 = SECOND / (ANSWER + 2 * SERVE);

fn message(method: &str, call: u64, cseq: u32, branch: &str, tag: &str) -> Bytes {
    format!(
        "{method} sip:bob@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {THERE};branch=z9hG4bK{branch}{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@{THERE}>;tag=a{call}\r\nTo: <sip:bob@{HERE}>{tag}\r\n\
         Call-ID: {call}@{THERE}\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@{THERE}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into()
}

fn header<'a>(bytes: &'a [u8], name: &str) -> &'a str {
    let text = std::str::from_utf8(bytes).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap()
}

/// The callee, and an application that answers at once.
struct Callee(Endpoint);

impl Callee {
    fn new(rate: Option<u64>) -> Self {
        let local = Local::new(Transport::Udp, HERE.parse().unwrap());
        let mut config = Config::default().local(local);
        config.limits.request_rate = rate.map(|rate| u32::try_from(rate).unwrap());
        Self(Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO).unwrap())
    }

    /// What it says, and how long it takes.
    fn receive(&mut self, now: Time, arrived: Time, bytes: Bytes) -> (Vec<Bytes>, u64) {
        let before = *self.0.counters();
        let flow = Flow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: HERE.parse().unwrap(),
            remote: THERE.parse().unwrap(),
        };
        let input = Input::Delayed {
            flow,
            bytes,
            arrived,
        };
        let (mut out, mut sent) = (VecDeque::new(), Vec::new());
        self.0.receive(now, input, &mut out);
        let mut cost = price(&before, self.0.counters());
        while let Some(output) = out.pop_front() {
            match output {
                Output::Transmit(transmit) => sent.push(transmit.bytes),
                Output::Event(Event::Incoming { call, .. }) => {
                    cost = ANSWER;
                    let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
                    let mut call = self.0.call(call).unwrap();
                    call.answer(now, answer, &mut out).unwrap();
                }
                _ => {}
            }
        }
        (sent, cost)
    }
}

fn price(before: &Counters, after: &Counters) -> u64 {
    let refused = |counters: &Counters| counters.turned_away + counters.refusals_repeated;
    if after.shed > before.shed {
        DROP
    } else if refused(after) > refused(before)
        || after.refusals_acknowledged > before.refusals_acknowledged
    {
        REFUSE
    } else {
        SERVE
    }
}

/// What became of the calls of one phase.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    offered: u64,
    completed: u64,
    refused: u64,
    /// Heard nothing at all, though they repeated themselves for 64*T1.
    silent: u64,
}

/// When, in which order, which call, and how often its INVITE was repeated, or what else.
type Due = (u64, u64, u64, Result<u32, Bytes>);

/// Offers so many calls a second, for so many seconds, in one phase after the other.
fn offer(phases: &[(u64, u64)], rate: Option<u64>) -> (Vec<Tally>, Callee) {
    let mut callee = Callee::new(rate);
    let mut tallies = vec![Tally::default(); phases.len()];
    let mut events: BinaryHeap<Reverse<Due>> = BinaryHeap::new();
    let mut calls = Vec::new();
    let mut begins = SECOND;
    for (phase, (rate, seconds)) in phases.iter().enumerate() {
        for n in 0..rate * seconds {
            let call = calls.len() as u64;
            calls.push((phase, false));
            events.push(Reverse((begins + n * SECOND / rate, call, call, Ok(0))));
            tallies[phase].offered += 1;
        }
        begins += seconds * SECOND;
    }
    let (mut order, mut free_at) = (calls.len() as u64, 0);
    while let Some(Reverse((arrived, _, call, what))) = events.pop() {
        let (phase, settled) = &mut calls[call as usize];
        let bytes = match what {
            Ok(_) if *settled => continue,
            Ok(copies) => {
                if copies < 6 {
                    order += 1;
                    let again = arrived + (T1 << copies);
                    events.push(Reverse((again, order, call, Ok(copies + 1))));
                }
                message("INVITE", call, 1, "i", "")
            }
            Err(bytes) => bytes,
        };
        let now = free_at.max(arrived);
        let (sent, cost) = callee.receive(Time::from_nanos(now), Time::from_nanos(arrived), bytes);
        free_at = now + cost;
        for response in sent.iter().filter(|sent| !sent.starts_with(b"SIP/2.0 1")) {
            let is_invite = header(response, "CSeq: ").ends_with("INVITE");
            // Timers of other calls may have fired on the way.
            let whose = header(response, "Call-ID: ").split('@').next().unwrap();
            let to = header(response, "To: ");
            let tag = &format!(";tag={}", to.split_once(";tag=").unwrap().1);
            if whose != call.to_string() {
                continue;
            }
            let first = is_invite && !std::mem::replace(settled, true);
            let is_refusal = response.starts_with(b"SIP/2.0 503");
            tallies[*phase].completed += u64::from(!is_invite);
            tallies[*phase].refused += u64::from(first && is_refusal);
            let mut say = |bytes| {
                order += 1;
                events.push(Reverse((free_at + ROUND_TRIP, order, call, Err(bytes))));
            };
            match (is_invite, is_refusal) {
                (true, true) => say(message("ACK", call, 1, "i", tag)),
                (true, false) => {
                    say(message("ACK", call, 1, "a", tag));
                    if first {
                        say(message("BYE", call, 2, "b", tag));
                    }
                }
                (false, _) => {}
            }
        }
    }
    for (phase, settled) in calls {
        tallies[phase].silent += u64::from(!settled);
    }
    (tallies, callee)
}

fn check_conservation(counters: &Counters) {
    let split = counters.admitted + counters.turned_away + counters.shed;
    assert_eq!(counters.offered, split);
}

#[test]
fn core_that_is_offered_twice_its_rate_completes_its_rate_and_recovers_at_once() {
    // A rate of four fifths of what the core carries leaves enough for refusals.
    let rate = CAPACITY * 4 / 5;
    let phases = [(rate / 2, 2), (2 * rate, 10), (rate * 9 / 10, 5)];
    let (tallies, callee) = offer(&phases, Some(rate));
    let [before, during, after] = tallies[..] else {
        panic!()
    };
    assert_eq!((before.completed, before.refused), (before.offered, 0));
    assert!(during.completed >= 10 * rate * 9 / 10, "{during:?}");
    assert_eq!(during.silent, 0, "each that is refused hears it");
    assert_eq!(during.completed + during.refused, during.offered);
    assert_eq!((after.completed, after.refused), (after.offered, 0));
    assert_eq!(callee.0.counters().overloads, 1);
    check_conservation(callee.0.counters());
}

#[test]
fn core_that_is_offered_twice_what_it_carries_does_not_collapse() {
    // No rate is set: the age of the queue alone decides.
    let phases = [(CAPACITY / 2, 2), (2 * CAPACITY, 10), (CAPACITY / 2, 5)];
    let (tallies, callee) = offer(&phases, None);
    let [before, during, after] = tallies[..] else {
        panic!()
    };
    assert_eq!((before.completed, before.refused), (before.offered, 0));
    // What is left when each of the others is refused and acknowledges it: 89 % of the capacity.
    let left = 10 * (SECOND - 4 * CAPACITY * REFUSE) / (SECOND / CAPACITY - 2 * REFUSE);
    assert!(during.completed >= left * 9 / 10, "{during:?} of {left}");
    assert_eq!(during.silent, 0, "{during:?}");
    // Those that came while the queue of the overload was still there may have been refused.
    assert!(after.completed >= after.offered * 98 / 100, "{after:?}");
    check_conservation(callee.0.counters());
}

#[test]
fn core_that_cannot_even_refuse_all_still_completes_calls() {
    // Refusing alone would take more than the core has.
    let phases = [(SECOND / REFUSE * 3 / 4, 4), (1, 40), (CAPACITY / 2, 2)];
    let (tallies, callee) = offer(&phases, None);
    let [during, _, after] = tallies[..] else {
        panic!()
    };
    assert!(callee.0.counters().shed > 0);
    assert!(during.completed >= 4 * CAPACITY / 10, "{during:?}");
    // The copies of what was offered go on for 32 s.
    assert_eq!(after.completed, after.offered);
    check_conservation(callee.0.counters());
}

#[test]
fn memory_of_an_overload_is_bounded_and_given_back() {
    let rate = CAPACITY / 10;
    let (_, mut callee) = offer(&[(4 * CAPACITY, 5)], Some(rate));
    // Those that were taken linger; nothing else is held.
    let lingering = 64 * T1 / SECOND * rate * 2;
    assert!(callee.0.transactions() as u64 <= lingering + 100);
    while let Some(due) = callee.0.deadline() {
        callee.0.on_deadline(due, &mut VecDeque::new());
    }
    assert!(callee.0.is_idle());
    let capacity = callee.0.capacity(Time::from_secs(100));
    assert_eq!((capacity.load, capacity.delay), (0, None::<Duration>));
}

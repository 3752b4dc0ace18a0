//! A world in which one endpoint is offered twice what it takes, over a network that loses,
//! repeats, delays and swaps.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use drongo::call::{EndReason, Invitation};
use drongo::endpoint::{Config, Event};
use drongo::seed::Seed;
use drongo::sim::{Link, Node, Turn, World};
use drongo::time::Time;

use super::support::{address, answers_at_once, assert_empty, sdp};

/// What it takes in a second.
const LIMIT: u64 = 20;
/// How long it is offered twice as much.
const SECONDS: u64 = 8;

/// What the callers heard in the end.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    answered: u64,
    /// Refused with 503 and a Retry-After of 5 to 10 seconds.
    asked_to_wait: u64,
    /// Refused with 503 without one.
    refused: u64,
    /// Anything else.
    other: u64,
}

/// One phone that calls once, at that time, and hangs up when it is answered.
fn phone(world: &mut World, number: u64, at: Time, config: Config, tally: &Rc<RefCell<Tally>>) {
    let tally = Rc::clone(tally);
    let user = move |turn: &mut Turn<'_>, event: Event| match event {
        Event::Answered { call, .. } => {
            tally.borrow_mut().answered += 1;
            turn.call(call, |call, now, out| call.hang_up(now, out))
                .unwrap();
        }
        Event::Ended { reason, .. } => {
            let mut tally = tally.borrow_mut();
            match reason {
                EndReason::HungUp { .. } => {}
                EndReason::Refused { response } if response.status().as_u16() == 503 => {
                    let after = response.retry_after().map(|after| after.unwrap().seconds());
                    match after {
                        Some(5..=10) => tally.asked_to_wait += 1,
                        None => tally.refused += 1,
                        Some(_) => tally.other += 1,
                    }
                }
                _ => tally.other += 1,
            }
        }
        _ => {}
    };
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    let own = format!("198.18.{high}.{low}:5060");
    let node = world.endpoint(&format!("phone {number}"), address(&own), config, user);
    world.at(at, node.unwrap(), |turn| {
        let invitation = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com").unwrap();
        let invitation = invitation.with(sdp());
        turn.endpoint
            .place(turn.now, 0, invitation, turn.out)
            .unwrap();
    });
}

/// Phones call Bob at so many a second for so long, one phase after the other.
fn offered(
    seed: u8,
    link: Link,
    phases: &[(u64, u64)],
    change: fn(&mut Config),
) -> (Vec<Tally>, World, Node) {
    let mut world = World::new(Seed::from_bytes([seed; 32]), link);
    let mut config = Config::default();
    config.limits.request_rate = Some(u32::try_from(LIMIT).unwrap());
    config.limits.request_burst = Some(5);
    change(&mut config);
    let bob = world.endpoint("bob", address("192.0.2.4:5060"), config, answers_at_once);
    let (mut tallies, mut number, mut begins) = (Vec::new(), 0, 1_000);
    for (rate, seconds) in phases {
        let tally = Rc::new(RefCell::new(Tally::default()));
        for n in 0..rate * seconds {
            let at = Time::from_millis(begins + n * 1_000 / rate);
            let mut config = Config::default();
            change(&mut config);
            config.limits.request_rate = None;
            phone(&mut world, number, at, config, &tally);
            number += 1;
        }
        begins += seconds * 1_000;
        tallies.push(tally);
    }
    assert!(world.run_until_idle(Duration::from_secs(1_000)));
    assert_eq!(world.record().broken().next(), None);
    let tallies = tallies.iter().map(|tally| *tally.borrow()).collect();
    (tallies, world, bob.unwrap())
}

#[test]
fn endpoint_that_is_offered_twice_its_limit_serves_its_limit_and_refuses_the_rest_in_words() {
    let phases = [(LIMIT / 2, 2), (2 * LIMIT, SECONDS), (LIMIT * 9 / 10, 2)];
    let bad = Link::default()
        .loss(50)
        .duplication(50)
        .jitter(Duration::from_millis(40));
    for (seed, link) in [(1, Link::default()), (2, bad), (3, bad)] {
        let (tallies, world, bob) = offered(seed, link, &phases, |_| ());
        let [before, during, after] = tallies[..] else {
            panic!()
        };
        let served = LIMIT * SECONDS;
        assert!(during.answered >= served * 9 / 10, "{during:?}");
        assert!(during.answered <= served * 11 / 10, "{during:?}");
        // Nobody is left without an answer, and each refusal says when to come again.
        assert_eq!(during.answered + during.asked_to_wait, 2 * served);
        for calm in [before, after] {
            assert_eq!((calm.refused, calm.other), (0, 0));
        }
        // What is repeated to the overload of before may meet the load of after.
        assert_eq!(before.asked_to_wait, 0, "{before:?}");
        assert!(after.asked_to_wait <= after.answered / 10, "{after:?}");
        assert_empty(&world, bob);
        check_counters(&world, bob, &tallies);
    }
}

/// What was offered was taken or refused, each once; its copies met the same answer.
fn check_counters(world: &World, bob: Node, tallies: &[Tally]) {
    let counters = world.look(bob).unwrap().counters();
    let sum = |part: fn(&Tally) -> u64| tallies.iter().map(part).sum::<u64>();
    assert_eq!(counters.admitted, sum(|tally| tally.answered));
    assert_eq!(
        counters.turned_away,
        sum(|tally| tally.asked_to_wait + tally.refused)
    );
    assert_eq!(counters.offered, counters.admitted + counters.turned_away);
    assert_eq!((counters.shed, counters.overloads), (0, 1));
    // Retries are never multiplied: a network that loses a twentieth costs a few copies.
    let copies = counters.retransmissions_received + counters.refusals_repeated;
    assert!(copies <= counters.offered / 4, "{copies} copies");
}

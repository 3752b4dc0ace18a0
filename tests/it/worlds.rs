//! What the simulated network and its nodes can do to a call.

use std::time::Duration;

use drongo::endpoint::Config;
use drongo::seed::Seed;
use drongo::sim::{Link, Node, Sent, World};
use drongo::time::Time;

use crate::flows::support::{Flow, address, answers_at_once, call_of, hang_up, info, invitation};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Alice's call to Bob, who answers at once.
fn standing() -> Flow {
    let mut flow = Flow::between(answers_at_once, answers_at_once);
    flow.place();
    flow.world.run_for(secs(1));
    flow
}

fn notes(world: &World, node: Node) -> Vec<&str> {
    world.record().notes(node).collect()
}

fn sent_by(world: &World, node: Node) -> Vec<&Sent> {
    let sent = world.record().sent();
    sent.filter(|sent| sent.from == node).collect()
}

#[test]
fn response_comes_back_through_a_translator_and_a_bye_does_not() {
    // 3581-4-04
    let mut flow = Flow::between(answers_at_once, answers_at_once);
    let public = "198.51.100.7".parse().unwrap();
    flow.world.nat(flow.alice, public, secs(60));
    flow.place();
    flow.world.run_for(secs(1));
    let bob = sent_by(&flow.world, flow.bob);
    assert!(bob.iter().all(|sent| sent.remote.ip() == public));
    assert!(bob.iter().all(|sent| sent.to == Some(flow.alice)));
    assert!(notes(&flow.world, flow.alice).contains(&"hears Answered 200 (body)"));
    // Her Contact is no address that he can reach.
    flow.at(2_000, flow.bob, hang_up);
    flow.world.run_for(secs(60));
    let last = notes(&flow.world, flow.bob).pop().map(str::to_string);
    assert_eq!(last.as_deref(), Some("hears Ended: BYE failed Timeout"));
    flow.world.act(flow.alice, hang_up);
    flow.end();
}

#[test]
fn binding_that_is_forgotten_loses_the_answer() {
    let rings = |_: &mut drongo::sim::Turn<'_>, _| {};
    let mut flow = Flow::between((), rings);
    flow.world
        .nat(flow.alice, "198.51.100.7".parse().unwrap(), secs(5));
    flow.place();
    let answer = |turn: &mut drongo::sim::Turn<'_>| {
        let call = call_of(turn);
        let sdp = crate::flows::support::sdp();
        turn.call(call, |call, now, out| call.answer(now, sdp, out))
            .unwrap();
    };
    flow.at(10_000, flow.bob, answer);
    flow.at(100_000, flow.alice, hang_up);
    let ladder = flow.end();
    assert!(ladder.contains("no ACK"), "{ladder}");
}

#[test]
fn datagram_longer_than_the_mtu_is_lost() {
    let mut flow = Flow::between((), answers_at_once);
    flow.world.link_all(Link::default().mtu(Some(300)));
    flow.place();
    let ladder = flow.end();
    assert!(
        ladder.contains("alice hears Ended: failed Timeout"),
        "{ladder}"
    );
    assert!(!ladder.contains("bob hears"), "{ladder}");
}

#[test]
fn paused_node_takes_what_waited_in_its_order_and_is_not_late_twice() {
    let mut flow = standing();
    flow.world.pause(flow.bob);
    flow.world.act(flow.alice, info);
    flow.world.run_for(secs(1));
    flow.world.act(flow.alice, hang_up);
    flow.world.run_for(secs(4));
    assert_eq!(notes(&flow.world, flow.bob).len(), 2);
    flow.world.resume(flow.bob);
    flow.world.run_for(Duration::ZERO);
    let bob = notes(&flow.world, flow.bob);
    assert_eq!(
        bob[2..],
        [
            "hears Request INFO",
            "hears Ended: hung up by the other side"
        ]
    );
    flow.end();
}

#[test]
fn node_that_comes_back_after_a_crash_knows_nothing() {
    let mut flow = standing();
    flow.world.crash(flow.bob);
    assert!(flow.world.look(flow.bob).is_none());
    flow.world.run_for(secs(5));
    flow.world.restart(flow.bob);
    flow.world.act(flow.alice, info);
    let ladder = flow.end();
    assert!(ladder.contains("481 INFO"), "{ladder}");
    assert!(
        ladder.contains("alice hears Ended: dialog lost, 481"),
        "{ladder}"
    );
}

#[test]
fn clock_that_is_fast_retransmits_early() {
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::cut());
    let alice = world.endpoint("alice", address("192.0.2.1:5060"), Config::default(), ());
    let alice = alice.unwrap();
    world.peer("bob", address("192.0.2.4:5060"), ());
    world.clock_rate(alice, 2_000_000);
    let place = |turn: &mut drongo::sim::Turn<'_>| {
        let placed = turn.endpoint.place(turn.now, 0, invitation(), turn.out);
        placed.unwrap();
    };
    world.act(alice, place).unwrap();
    // Timer A at 0.5 s and 1.5 s of hers; then the clock is set on beyond timer B.
    world.run_for(secs(1));
    let at: Vec<Time> = sent_by(&world, alice).iter().map(|sent| sent.at).collect();
    assert_eq!(at, [0, 250, 750].map(Time::from_millis));
    world.clock_forward(alice, secs(60));
    world.run_for(Duration::ZERO);
    assert_eq!(notes(&world, alice), ["hears Ended: failed Timeout"]);
    assert_eq!(world.record().broken().next(), None);
}

#[test]
fn clock_that_is_set_back_makes_all_later_and_loses_nothing() {
    let mut flow = Flow::between((), answers_at_once);
    flow.world.lose(flow.alice, "INVITE", 1);
    flow.place();
    flow.world.clock_back(flow.alice, secs(10));
    flow.world.run_for(secs(9));
    // The world began at zero, so the clock is only set back to there; the deadline is as it was.
    flow.world.run_for(secs(2));
    let alice = notes(&flow.world, flow.alice);
    assert!(alice.contains(&"hears Answered 200 (body)"), "{alice:?}");
    flow.world.act(flow.alice, hang_up);
    flow.end();
}

//! Calls that go well, and calls that are refused.

use insta::assert_snapshot;
use std::time::Duration;

use drongo::endpoint::Event;
use drongo::message::{Outgoing, StatusCode};
use drongo::sim::{Link, Turn};
use drongo::time::Time;

use super::support::{
    Flow, abandon, answers, answers_at_once, assert_empty, call_of, hang_up, invitation, rings, sdp,
};

#[test]
fn call_answered_and_hung_up_by_the_caller() {
    // 3261-13.2.2.4-06, 3261-13.2.2.4-07, 3261-15.1.2-02, 3261-15.1.2-03
    let mut flow = Flow::new(answers);
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn call_answered_and_hung_up_by_the_callee() {
    let mut flow = Flow::new(answers);
    flow.place();
    flow.at(3000, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn callee_that_hangs_up_before_the_ack_waits_for_it() {
    // 3261-15-05
    // 3261 15: the callee's BYE must not overtake its 2xx.
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(15, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn delayed_offer_is_answered_in_the_ack() {
    // 3261-13.2.2.4-10
    let alice = |turn: &mut Turn<'_>, event: Event| {
        if let Event::Answered {
            call,
            answer_needed: true,
            ..
        } = event
        {
            turn.call(call, |call, now, out| call.acknowledge(now, sdp(), out))
                .unwrap();
        }
    };
    let mut flow = Flow::between(alice, answers_at_once);
    flow.place_with(invitation().with(Outgoing::default()));
    flow.at(1000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn delayed_offer_that_nobody_answers_ends_with_ack_and_bye() {
    // PAINS 33
    let mut flow = Flow::new(answers_at_once);
    flow.place_with(invitation().with(Outgoing::default()));
    assert_snapshot!(flow.end());
}

#[test]
fn callee_is_busy() {
    let bob = |turn: &mut Turn<'_>, event: Event| {
        if let Event::Incoming { call, .. } = event {
            let busy = StatusCode::BUSY_HERE;
            turn.call(call, |call, now, out| {
                call.reject(now, busy, Outgoing::default(), out)
            })
            .unwrap();
        }
    };
    let mut flow = Flow::new(bob);
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn callee_that_is_silent_says_100_after_200_ms_and_480_in_the_end() {
    let mut flow = Flow::new(());
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn callee_that_rings_repeats_its_180_each_minute() {
    // 3261-13.3.1.1-02
    let mut flow = Flow::new(rings);
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn caller_cancels_what_rings_for_ever() {
    let mut config = drongo::endpoint::Config::default();
    config.limits.ringing_wait = Duration::from_secs(30);
    let mut flow = Flow::with_config(config, (), rings);
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn callee_hangs_up_while_ringing() {
    let mut flow = Flow::new(rings);
    flow.place();
    flow.at(2000, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn both_hang_up_at_once() {
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    flow.at(1000, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn hanging_up_twice_is_harmless() {
    // PAINS 17
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    for at in [1000, 1000, 1005, 1500] {
        flow.at(at, flow.alice, |turn| {
            if turn.endpoint.calls() > 0 {
                hang_up(turn);
            }
        });
    }
    assert_snapshot!(flow.end());
}

#[test]
fn abandoned_call_leaves_nothing() {
    // Whatever it waits for: an answer, the ACK of its 2xx, nothing, the answer to its CANCEL.
    for (at, by_alice) in [
        (5, true),
        (500, true),
        (500, false),
        (1015, false),
        (2000, true),
    ] {
        let mut flow = Flow::new(answers);
        flow.place();
        let (node, other) = match by_alice {
            true => (flow.alice, flow.bob),
            false => (flow.bob, flow.alice),
        };
        flow.world.run_until(Time::from_millis(at));
        flow.world.link(other, node, Link::cut());
        flow.world.act(node, abandon);
        assert_empty(&flow.world, node);
        let notes: Vec<&str> = flow.world.record().notes(node).collect();
        assert!(
            !notes.iter().any(|note| note.contains("Ended")),
            "{notes:?}"
        );
    }
}

#[test]
fn call_abandoned_while_cancelling_leaves_nothing() {
    let mut flow = Flow::new(rings);
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    flow.world.run_until(Time::from_millis(1005));
    flow.world.act(flow.alice, abandon);
    assert_empty(&flow.world, flow.alice);
    // Bob's 200 and 487 meet nobody, and his 487 is repeated until he gives up.
    assert!(
        flow.world.run_until_idle(Duration::from_secs(100)),
        "{}",
        flow.world.trace().ladder()
    );
    assert_empty(&flow.world, flow.bob);
}

#[test]
fn peer_of_an_abandoned_call_finds_out_by_itself() {
    // 3261-12.2.1.2-04, 3261-14.1-11, 3261-15.1.1-02
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(1000, flow.alice, abandon);
    flow.at(2000, flow.bob, |turn| {
        let call = call_of(turn);
        turn.call(call, |call, now, out| call.reinvite(now, sdp(), out))
            .unwrap();
    });
    assert_snapshot!(flow.end());
}

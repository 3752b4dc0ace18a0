//! CANCEL, and what it races (3261 section 9).

use insta::assert_snapshot;
use std::time::Duration;

use drongo::sim::Link;

use super::support::{Flow, answers_at_once, hang_up, rings};

#[test]
fn cancelled_before_any_1xx_waits_for_one() {
    // 3261-9.1-11, 3261-9.1-12
    // PAINS 14: the INVITE repeats, and the CANCEL goes when the first 1xx comes.
    let mut flow = Flow::new(());
    flow.world.lose(flow.alice, "INVITE", 2);
    flow.place();
    flow.at(100, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn cancelled_with_no_1xx_ever_ends_at_timer_b() {
    let mut flow = Flow::new(());
    flow.world.link(flow.alice, flow.bob, Link::cut());
    flow.place();
    flow.at(100, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn cancelled_while_ringing() {
    // 3261-9.1-06, 3261-9.1-07, 3261-9.2-07, 3261-9.2-10, 3261-9.2-11
    let mut flow = Flow::new(rings);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn cancel_that_crosses_the_200_ends_with_ack_and_bye() {
    // 3261-9.1-15, 3261-9.2-06
    // PAINS 19
    let mut flow = Flow::new(rings);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    flow.at(2005, flow.bob, |turn| {
        let call = super::support::call_of(turn);
        turn.call(call, |call, now, out| {
            call.answer(now, super::support::sdp(), out)
        })
        .unwrap();
    });
    assert_snapshot!(flow.end());
}

#[test]
fn cancel_before_any_1xx_meets_the_200() {
    // 3261-9.1-13
    // The only response is the 200: there is nothing to cancel, and the call is not wanted.
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(5, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_cancel_is_repeated() {
    // 3261-9.1-01, 3261-9.2-03
    // PAINS 16, 21
    let mut flow = Flow::new(rings);
    flow.world.lose(flow.alice, "CANCEL", 1);
    flow.world.lose(flow.bob, "200 CANCEL", 1);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_487_and_lost_ack_are_repeated() {
    // PAINS 21
    let mut flow = Flow::new(rings);
    flow.world.lose(flow.bob, "487 INVITE", 1);
    flow.world.lose(flow.alice, "ACK", 1);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn peer_that_never_ends_its_cancelled_invite_is_given_up() {
    // 3261-9.1-03, 3261-9.1-19
    // PAINS 15, 92: a guard of 64*T1 after the CANCEL.
    let mut flow = Flow::new(rings);
    flow.world.lose(flow.bob, "487 INVITE", 100);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn cancel_takes_as_long_as_the_peer_is_away() {
    let mut flow = Flow::new(rings);
    flow.place();
    flow.world.run_for(Duration::from_secs(1));
    flow.world.link(flow.alice, flow.bob, Link::cut());
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

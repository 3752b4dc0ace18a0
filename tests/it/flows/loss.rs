//! Every message of a call lost once, and peers that vanish.

use insta::assert_snapshot;

use drongo::sim::Link;
use drongo::time::Time;

use super::support::{Flow, answers, answers_at_once, hang_up, info};

#[test]
fn lost_invite_is_repeated() {
    let mut flow = Flow::new(answers_at_once);
    flow.world.lose(flow.alice, "INVITE", 2);
    flow.place();
    flow.at(4000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn invite_that_nobody_hears_fails_after_64_t1() {
    let mut flow = Flow::new(answers_at_once);
    flow.world.link(flow.alice, flow.bob, Link::cut());
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn lost_200_is_repeated_by_the_callee() {
    // 3261-13.3.1.4-04
    // PAINS 8
    let mut flow = Flow::new(answers);
    flow.world.lose(flow.bob, "200 INVITE", 2);
    flow.place();
    flow.at(6000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_ack_is_sent_again_with_the_same_bytes() {
    // 3261-13.2.2.4-12, 3261-13.2.2.4-13, 3261-13.3.1.4-06
    // PAINS 5, 6
    let mut flow = Flow::new(answers);
    flow.world.lose(flow.alice, "ACK", 2);
    flow.place();
    flow.at(6000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_bye_and_lost_200_are_repeated() {
    let mut flow = Flow::new(answers_at_once);
    flow.world.lose(flow.alice, "BYE", 1);
    flow.world.lose(flow.bob, "200 BYE", 1);
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn caller_that_vanishes_after_the_200_gets_a_bye() {
    // 3261-13.3.1.4-04, 3261-13.3.1.4-07, 6026-8.1-01
    // PAINS 12, 103: the 2xx at 0.5, 1.5, 3.5, 7.5, 11.5, … s, then BYE.
    let mut flow = Flow::new(answers);
    flow.place();
    flow.world.run_until(Time::from_millis(1005));
    flow.world.link(flow.alice, flow.bob, Link::cut());
    flow.world.act(flow.alice, super::support::abandon);
    assert_snapshot!(flow.end());
}

#[test]
fn callee_that_vanishes_does_not_answer_the_bye() {
    // 3261-15.1.1-02
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    flow.world.act(flow.bob, super::support::abandon);
    flow.world.link(flow.alice, flow.bob, Link::cut());
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn silence_after_an_info_ends_the_call_with_a_bye() {
    // 3261-12.2.1.2-01, 3261-12.2.1.2-04
    // 12.2.1.2
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    flow.world.lose(flow.alice, "INFO", 100);
    flow.at(1000, flow.alice, info);
    assert_snapshot!(flow.end());
}

#[test]
fn invite_refused_by_the_own_stack_fails_at_once() {
    // PAINS 71
    let mut flow = Flow::new(answers_at_once);
    flow.world
        .link(flow.alice, flow.bob, Link::default().refusing());
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn error_while_sending_a_200_makes_no_ghost_call() {
    // 6026-7.1-09
    // PAINS 84, RFC 6026 7.1: the transaction stays, and takes the INVITE that is repeated.
    let mut flow = Flow::new(answers_at_once);
    flow.world
        .link(flow.bob, flow.alice, Link::default().refusing());
    flow.place();
    flow.world.run_until(Time::from_millis(700));
    flow.world.link(flow.bob, flow.alice, Link::default());
    flow.at(4000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

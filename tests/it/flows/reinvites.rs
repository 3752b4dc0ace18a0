//! re-INVITE (3261 section 14).

use insta::assert_snapshot;
use std::time::Duration;

use drongo::endpoint::Event;
use drongo::message::{Outgoing, StatusCode};
use drongo::sim::Turn;
use drongo::time::Time;

use super::support::{Flow, answers_at_once, hang_up, sdp, update};

#[test]
fn caller_reinvites() {
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn callee_reinvites() {
    let mut flow = Flow::between(answers_at_once, answers_at_once);
    flow.place();
    flow.at(1000, flow.bob, update);
    flow.at(2000, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn crossing_reinvites_get_491_and_are_tried_again() {
    // 3261-14.2-03, 3261-14.1-16
    // PAINS 30, 31, 99: 491 to both; bob, who did not make the Call-ID, tries again first.
    let mut flow = Flow::between(answers_at_once, answers_at_once);
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(1000, flow.bob, update);
    flow.at(9000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn refused_reinvite_leaves_the_session() {
    // 3261-14.1-10, 3261-12.2.1.2-05
    let bob = |turn: &mut Turn<'_>, event: Event| match event {
        Event::Reoffered { call, .. } => {
            let status = StatusCode::new(488).unwrap();
            turn.call(call, |call, now, out| {
                call.reject(now, status, Outgoing::default(), out)
            })
            .unwrap();
        }
        event => answers_at_once(turn, event),
    };
    let mut flow = Flow::new(bob);
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(5000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

/// Answers the call at once, and re-INVITEs never.
fn ignores_reoffers(turn: &mut Turn<'_>, event: Event) {
    if matches!(event, Event::Incoming { .. }) {
        answers_at_once(turn, event);
    }
}

#[test]
fn hanging_up_during_a_reinvite() {
    let mut flow = Flow::new(ignores_reoffers);
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn reinvite_that_nobody_answers_is_refused() {
    let mut config = drongo::endpoint::Config::default();
    config.limits.answer_wait = Duration::from_secs(10);
    let mut flow = Flow::with_config(config, (), ignores_reoffers);
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(20_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_200_and_lost_ack_of_a_reinvite() {
    // 3261-13.2.2.4-12
    // PAINS 5
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    flow.world.lose(flow.bob, "200 INVITE", 1);
    flow.world.lose(flow.alice, "ACK", 1);
    flow.at(1000, flow.alice, update);
    flow.at(6000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn late_200_to_a_reinvite_after_bye_is_acknowledged() {
    // PAINS 11
    let mut flow = Flow::new(ignores_reoffers);
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(2000, flow.alice, hang_up);
    flow.at(2005, flow.bob, |turn| {
        let call = super::support::call_of(turn);
        turn.call(call, |call, now, out| call.answer(now, sdp(), out))
            .unwrap();
    });
    assert_snapshot!(flow.end());
}

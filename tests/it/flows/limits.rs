//! What a full endpoint still does.

use insta::assert_snapshot;
use std::time::Duration;

use drongo::endpoint::Config;
use drongo::error::Misuse;
use drongo::time::Time;

use super::support::{Flow, answers_at_once, hang_up, info, invitation, raw, script, within};

#[test]
fn call_beyond_the_limit_gets_503_with_retry_after() {
    let mut config = Config::default();
    config.limits.calls = 1;
    let mut flow = Flow::with_peer_and(config, script(&[(0, 180, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    flow.send(1000, &raw("INVITE", "i1", ""));
    flow.world.run_for(Duration::from_millis(20));
    assert!(
        flow.last_of_alice().contains("\r\nRetry-After: "),
        "{}",
        flow.last_of_alice()
    );
    let placed = flow.world.act(flow.alice, |turn| {
        turn.endpoint.place(turn.now, 1, invitation(), turn.out)
    });
    assert_eq!(placed, Some(Err(Misuse::LimitReached { limit: "calls" })));
    flow.at(2000, flow.alice, hang_up);
    flow.world.run_until(Time::from_secs(2));
    let invite = flow.invite();
    let ended = within(&invite, "b", "CANCEL", 1, "no");
    flow.send(2500, &ended);
    assert_snapshot!(flow.end());
}

#[test]
fn full_endpoint_refuses_new_work_and_takes_a_bye() {
    // DESIGN section 5: 503 for new work, never for ACK, CANCEL or requests in a dialog.
    let mut config = Config::default();
    config.limits.transactions = 1;
    let mut flow = Flow::with_peer_and(config, script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let invite = flow.invite();
    for method in ["OPTIONS", "MESSAGE", "INVITE"] {
        flow.send(1000, &raw(method, method, ""));
    }
    flow.send(1200, &within(&invite, "b", "BYE", 1, "q1"));
    assert_snapshot!(flow.end());
}

#[test]
fn full_endpoint_can_still_hang_up() {
    let mut config = Config::default();
    config.limits.transactions = 1;
    let mut flow = Flow::with_peer_and(config, script(&[(0, 200, "b")]));
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn requests_beyond_what_the_application_answers_get_503() {
    let mut config = Config::default();
    config.limits.pending_requests = 2;
    let mut flow = Flow::with_config(config, (), answers_at_once);
    flow.place();
    for _ in 0..3 {
        flow.at(1000, flow.alice, info);
    }
    flow.at(25_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn forks_beyond_the_limit_make_no_dialog() {
    let mut config = Config::default();
    config.limits.forks = 2;
    let peer = script(&[
        (0, 180, "f1"),
        (0, 180, "f2"),
        (0, 180, "f3"),
        (0, 180, "f4"),
        (1000, 200, "f4"),
        (1100, 200, "f1"),
        (1200, 200, "f3"),
    ]);
    let mut flow = Flow::with_peer_and(config, peer);
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

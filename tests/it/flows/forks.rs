//! Several answers to one INVITE.

use insta::assert_snapshot;

use super::support::{Flow, hang_up, script};

#[test]
fn second_fork_that_answers_is_acknowledged_and_hung_up() {
    // 3261-13.2.2.4-01, 3261-13.2.2.4-04, 3261-13.2.2.4-17
    // PAINS 1, 2, 4, 98; 13.2.2.4
    let mut flow = Flow::with_peer(script(&[(0, 200, "f1"), (50, 200, "f2")]));
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn repeated_2xx_of_a_dropped_fork_gets_its_ack_again() {
    // 3261-13.2.2.4-12, 3261-13.2.2.4-13
    let mut flow = Flow::with_peer(script(&[
        (0, 200, "f1"),
        (50, 200, "f2"),
        (550, 200, "f2"),
        (600, 200, "f1"),
    ]));
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn forks_that_ring_are_told_apart() {
    // 3261-13.2.2.1-01, 3261-13.2.2.4-02
    // PAINS 3: the ACK has the tag of the 2xx.
    let mut flow = Flow::with_peer(script(&[
        (0, 180, "f1"),
        (10, 183, "f2"),
        (20, 180, "f1"),
        (1000, 200, "f2"),
        (1050, 200, "f1"),
    ]));
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn fork_that_answers_after_the_bye_is_acknowledged_and_hung_up() {
    // 3261-13.2.2.4-17
    // PAINS 4: the call lingers for 64*T1.
    let mut flow = Flow::with_peer(script(&[(0, 200, "f1"), (10_000, 200, "f2")]));
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn two_forks_answer_a_cancelled_call() {
    let mut flow = Flow::with_peer(script(&[
        (0, 180, "f1"),
        (1005, 200, "f1"),
        (1010, 200, "f2"),
    ]));
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn refusal_after_a_fork_rang_ends_the_call() {
    // 3261-13.2.2.3-02
    let mut flow = Flow::with_peer(script(&[
        (0, 180, "f1"),
        (10, 180, "f2"),
        (1000, 486, "f2"),
    ]));
    flow.place();
    assert_snapshot!(flow.end());
}

// 3261-13.2.2.4-15
#[test]
fn fork_that_answers_after_64_t1_is_a_stray() {
    // 3261-13.2.2.4-18, 6026-8.9-01
    // 6026 8.9 as corrected: the response is dropped.
    let mut flow = Flow::with_peer(script(&[(0, 200, "f1"), (40_000, 200, "f2")]));
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

//! Names that must be looked up.

use insta::assert_snapshot;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use drongo::call::Invitation;
use drongo::sim::{Letter, Peer};
use drongo::time::Time;

use super::support::{Flow, abandon, answers_at_once, assert_empty, hang_up, script, sdp};

const BOB: &str = "bob.example.com";

fn invitation() -> Invitation {
    Invitation::new("sip:bob@bob.example.com", "sip:alice@example.com")
        .unwrap()
        .with(sdp())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A peer whose Contact names a host.
fn named_contact() -> impl Peer {
    let mut answer = script(&[(0, 200, "b")]);
    move |now: Time, from: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>| {
        answer(now, from, bytes, out);
        for letter in out {
            let text = String::from_utf8_lossy(&letter.bytes);
            letter.bytes = text.replace("b@192.0.2.4", "b@bob.example.com").into();
        }
    }
}

#[test]
fn host_is_looked_up() {
    let mut flow = Flow::new(answers_at_once);
    // The first that a local address reaches.
    flow.world.host(BOB, &[ip("2001:db8::4"), ip("192.0.2.4")]);
    flow.place_with(invitation());
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn query_that_nobody_answers_ends_the_call() {
    let mut flow = Flow::new(answers_at_once);
    flow.place_with(invitation());
    assert_snapshot!(flow.end());
}

#[test]
fn host_without_addresses_ends_the_call() {
    let mut flow = Flow::new(answers_at_once);
    flow.world.host(BOB, &[]);
    flow.place_with(invitation());
    assert_snapshot!(flow.end());
}

#[test]
fn cancelled_while_waiting_is_never_sent_and_the_late_answer_is_dropped() {
    let mut flow = Flow::new(answers_at_once);
    flow.world.host(BOB, &[ip("192.0.2.4")]);
    flow.place_with(invitation());
    flow.at(10, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn abandoned_while_waiting_leaves_nothing() {
    let mut flow = Flow::new(answers_at_once);
    flow.place_with(invitation());
    flow.world.act(flow.alice, abandon);
    assert_empty(&flow.world, flow.alice);
    flow.end();
}

#[test]
fn contact_with_a_name_is_looked_up_for_ack_and_bye() {
    let mut flow = Flow::with_peer(named_contact());
    flow.world.host(BOB, &[ip("192.0.2.4")]);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn bye_waits_behind_the_ack_for_the_same_name() {
    // PAINS 1: one query, and the ACK goes first.
    let mut flow = Flow::with_peer(named_contact());
    flow.world.host(BOB, &[ip("192.0.2.4")]);
    flow.place();
    flow.at(30, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn name_that_is_not_found_any_more_ends_the_call() {
    let mut flow = Flow::with_peer(named_contact());
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

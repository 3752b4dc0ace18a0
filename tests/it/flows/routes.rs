//! Where the requests of a dialog go (3261 12.2).

use bytes::Bytes;
use insta::assert_snapshot;
use std::net::SocketAddr;

use drongo::endpoint::Config;
use drongo::seed::Seed;
use drongo::sim::{Letter, Link, Node, Peer, World};
use drongo::time::Time;

use super::support::{
    ALICE, BOB, Flow, address, answers_at_once, hang_up, request, response, script, within,
};

/// Alice, Bob, and a third node that answers every request with 200.
fn three(third: &str, bob: impl Peer + 'static) -> (Flow, Node) {
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let config = Config::default();
    let alice = world
        .endpoint("alice", address(ALICE), config, answers_at_once)
        .unwrap();
    let bob = world.peer("bob", address(BOB), bob);
    let node = world.peer(third, address("192.0.2.5:5060"), script(&[]));
    (Flow { world, alice, bob }, node)
}

#[test]
fn peer_that_moves_is_reached_where_it_is_now() {
    // 3261-12.2.2-11, PAINS 47; the route set stays empty.
    let (mut flow, _) = three("elsewhere", script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let invite = flow.invite();
    let moved = within(&invite, "b", "INVITE", 1, "m1").replace("bob@192.0.2.4", "bob@192.0.2.5");
    flow.send(1000, &moved);
    flow.send(1050, &within(&invite, "b", "ACK", 1, "m2"));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn refused_reinvite_moves_nobody() {
    // 3261-12.2.2-01
    let (mut flow, _) = three("elsewhere", script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let invite = flow.invite();
    let moved = within(&invite, "b", "INVITE", 1, "m1")
        .replace("bob@192.0.2.4", "bob@192.0.2.5")
        .replace("Contact:", "Require: x\nContact:");
    flow.send(1000, &moved);
    flow.send(1050, &within(&invite, "b", "ACK", 1, "m1"));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn dialog_goes_by_the_proxy_that_recorded_its_route() {
    // 3261-12.2.1.1-08, 3261-12.2.1.1-14
    let bob = |_: Time, _: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>| {
        let Some(invite) = request(bytes) else { return };
        let text = String::from_utf8_lossy(&response(&invite, 200, "b")).into_owned();
        let routed = text.replace("Contact:", "Record-Route: <sip:192.0.2.5;lr>\r\nContact:");
        out.push(super::support::letter(0, routed.into()));
    };
    let (mut flow, proxy) = three("proxy", bob);
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    flow.world.run_until(Time::from_secs(3));
    for sent in flow
        .world
        .record()
        .sent()
        .filter(|sent| sent.to == Some(proxy))
    {
        let text = String::from_utf8_lossy(&sent.bytes);
        assert!(text.contains(" sip:b@192.0.2.4 SIP/2.0\r\n"), "{text}");
        assert!(text.contains("\r\nRoute: <sip:192.0.2.5;lr>\r\n"), "{text}");
    }
    assert_snapshot!(flow.end());
}

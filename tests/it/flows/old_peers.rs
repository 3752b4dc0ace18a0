//! Peers of RFC 2543, and some that never read any RFC.

use bytes::Bytes;
use insta::assert_snapshot;
use std::net::SocketAddr;

use drongo::endpoint::Config;
use drongo::seed::Seed;
use drongo::sim::{Letter, Link, Peer, World};
use drongo::time::Time;

use super::support::{ALICE, BOB, Flow, address, answers_at_once, hang_up, raw, script};

/// The scripted peer, its messages rewritten.
fn rewritten(
    mut peer: impl Peer,
    rewrite: impl Fn(String) -> String,
) -> impl FnMut(Time, SocketAddr, &Bytes, &mut Vec<Letter>) {
    move |now, from, bytes, out| {
        let first = out.len();
        peer.on_datagram(now, from, bytes, out);
        for letter in out.iter_mut().skip(first) {
            let text = String::from_utf8_lossy(&letter.bytes).into_owned();
            letter.bytes = rewrite(text).into();
        }
    }
}

#[test]
fn callee_without_tags_can_be_called() {
    // 3261-12.2.1.1-02, PAINS 95
    let peer = rewritten(script(&[(0, 180, "b"), (100, 200, "b")]), |text| {
        text.replace(";tag=b\r\n", "\r\n")
    });
    let mut flow = Flow::with_peer(peer);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

/// Alice answers at once; Bob is whatever is sent in his name.
fn answering() -> Flow {
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let config = Config::default();
    let alice = world
        .endpoint("alice", address(ALICE), config, answers_at_once)
        .unwrap();
    let bob = world.peer("bob", address(BOB), ());
    Flow { world, alice, bob }
}

/// Alice's tag, from what she sent last.
fn tag_of_alice(flow: &Flow) -> String {
    let reply = flow.last_of_alice();
    let to = reply.lines().find(|line| line.starts_with("To:")).unwrap();
    let (_, tag) = to.split_once(";tag=").unwrap();
    format!(";tag={tag}")
}

/// A request of Bob in the call that `INVITE` with this branch made.
fn follow(flow: &Flow, method: &str, branch: &str, cseq: u32) -> String {
    let to = "To: <sip:alice@example.com>";
    raw(method, branch, "")
        .replace(to, &format!("{to}{}", tag_of_alice(flow)))
        .replace(&format!("Call-ID: {branch}@"), "Call-ID: i1@")
        .replace("CSeq: 1 ", &format!("CSeq: {cseq} "))
}

#[test]
fn caller_without_a_tag_can_call() {
    // PAINS 85, 95, 112
    let mut flow = answering();
    let untagged = |text: String| text.replace(";tag=bob", "");
    flow.send(0, &untagged(raw("INVITE", "i1", "")));
    flow.world.run_until(Time::from_millis(100));
    let ack = untagged(follow(&flow, "ACK", "i2", 1));
    let bye = untagged(follow(&flow, "BYE", "i3", 2));
    flow.send(100, &ack);
    flow.send(1000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn ack_for_a_2xx_with_the_branch_of_its_invite_is_taken() {
    // PAINS 13
    let mut flow = answering();
    flow.send(0, &raw("INVITE", "i1", ""));
    flow.world.run_until(Time::from_millis(100));
    let ack = follow(&flow, "ACK", "i1", 1);
    let bye = follow(&flow, "BYE", "i3", 2);
    flow.send(100, &ack);
    flow.send(1000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn ack_with_another_cseq_does_not_stop_the_2xx() {
    // 3261-13.3.1.4-06, PAINS 7
    let mut flow = answering();
    flow.send(0, &raw("INVITE", "i1", ""));
    flow.world.run_until(Time::from_millis(100));
    let wrong = follow(&flow, "ACK", "i2", 2);
    let right = follow(&flow, "ACK", "i3", 1);
    let bye = follow(&flow, "BYE", "i4", 2);
    flow.send(100, &wrong);
    flow.send(2000, &right);
    flow.send(3000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn request_without_a_cookie_is_matched_by_the_old_rules() {
    // Copies of an INVITE and its ACK for 480, all with a bare branch.
    let mut flow = Flow::with_peer(());
    let bare = |text: String| text.replace(";branch=z9hG4bKi1", ";branch=1");
    let invite = bare(raw("INVITE", "i1", ""));
    flow.send(0, &invite);
    flow.send(500, &invite);
    flow.at(1000, flow.alice, hang_up);
    flow.world.run_until(Time::from_millis(1015));
    let ack = bare(follow(&flow, "ACK", "i1", 1));
    flow.send(1015, &ack);
    assert_snapshot!(flow.end());
}

#[test]
fn response_with_a_rewritten_via_is_taken() {
    // PAINS 86: branch and CSeq method are the key.
    let peer = rewritten(script(&[(0, 200, "b")]), |text| {
        text.replace("UDP 192.0.2.1:5060;", "udp 192.0.2.1 ; ")
            .replace("z9hG4bK", "Z9HG4BK")
    });
    let mut flow = Flow::with_peer(peer);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

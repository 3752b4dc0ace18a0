//! The flows of RFC 3665 section 3 that two user agents make between them: as printed where it
//! has no proxy (3.1), else with the proxies left out. Its section 2 is about registrars.

use insta::assert_snapshot;
use std::time::Duration;

use drongo::call::Invitation;
use drongo::endpoint::{Config, Event};
use drongo::message::{HeaderList, Outgoing, StatusCode};
use drongo::seed::Seed;
use drongo::sim::{Link, Turn, World};
use drongo::time::Time;

use super::support::{Flow, address, answers, assert_empty, hang_up, rings, sdp, update};

/// Rings, and refuses after a second.
fn refuses(status: StatusCode) -> impl FnMut(&mut Turn<'_>, Event) {
    move |turn, event| {
        if let Event::Incoming { call, .. } = &event {
            let call = *call;
            turn.after(Duration::from_secs(1), move |turn| {
                turn.call(call, |call, now, out| {
                    call.reject(now, status, Outgoing::default(), out)
                })
                .unwrap();
            });
        }
        rings(turn, event);
    }
}

#[test]
fn flow_3_1_successful_session_establishment() {
    let mut flow = Flow::new(answers);
    flow.place();
    flow.at(5_000, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

/// The user of 3.6 calls without an offer, and answers that of the 200 in the ACK.
#[test]
fn flow_3_6_session_via_redirect_with_sdp_in_ack() {
    let redirects = |turn: &mut Turn<'_>, event: Event| {
        if let Event::Incoming { call, .. } = event {
            let contact = "<sip:bob@192.0.2.4>";
            let headers = HeaderList::new().with("Contact", contact).unwrap();
            let outgoing = Outgoing::new().with_headers(headers);
            turn.call(call, |call, now, out| {
                call.reject(now, StatusCode::MOVED_TEMPORARILY, outgoing, out)
            })
            .unwrap();
        }
    };
    let acknowledges = |turn: &mut Turn<'_>, event: Event| {
        if let Event::Answered { call, .. } = event {
            turn.call(call, |call, now, out| call.acknowledge(now, sdp(), out))
                .unwrap();
        }
    };
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let config = Config::default;
    let [a, r, b] = ["192.0.2.1:5060", "192.0.2.2:5060", "192.0.2.4:5060"].map(address);
    let alice = world.endpoint("alice", a, config(), acknowledges).unwrap();
    let server = world.endpoint("redirect", r, config(), redirects).unwrap();
    let bob = world.endpoint("bob", b, config(), answers).unwrap();
    let invitation = Invitation::new("sip:bob@192.0.2.2", "sip:alice@example.com").unwrap();
    let place = |turn: &mut Turn<'_>| turn.endpoint.place(turn.now, 0, invitation, turn.out);
    world.act(alice, place).unwrap().unwrap();
    world.at(Time::from_secs(5), bob, hang_up);
    assert!(world.run_until_idle(Duration::from_secs(1_000)));
    for node in [alice, server, bob] {
        assert_empty(&world, node);
    }
    assert_snapshot!(world.trace().ladder());
}

/// Bob's media move, as in 3.7; his signalling stays where it was.
#[test]
fn flow_3_7_session_with_reinvite() {
    let mut flow = Flow::between(answers, answers);
    flow.place();
    flow.at(3_000, flow.bob, update);
    flow.at(6_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn flow_3_8_unsuccessful_no_answer() {
    let mut flow = Flow::new(rings);
    flow.place();
    flow.at(10_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn flow_3_9_unsuccessful_busy() {
    let mut flow = Flow::new(refuses(StatusCode::BUSY_HERE));
    flow.place();
    assert_snapshot!(flow.end());
}

/// Bob is gone; where there is a proxy, it says 480 in the end.
#[test]
fn flow_3_10_unsuccessful_no_response_from_user_agent() {
    let mut flow = Flow::new(());
    flow.world.crash(flow.bob);
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn flow_3_11_unsuccessful_temporarily_unavailable() {
    let mut flow = Flow::new(refuses(StatusCode::TEMPORARILY_UNAVAILABLE));
    flow.place();
    assert_snapshot!(flow.end());
}

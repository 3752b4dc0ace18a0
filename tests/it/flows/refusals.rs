//! Refusals that say what to do about them (RFC 3261 8.1.3.4, 8.1.3.5; RFC 5057).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use insta::assert_snapshot;

use drongo::call::failure::Hold;
use drongo::call::{Invitation, Retries};
use drongo::endpoint::{Config, Event};
use drongo::message::{HeaderList, Outgoing, Reply, StatusCode};
use drongo::sim::{Letter, Link, Peer, Turn, User};
use drongo::time::Time;

use super::support::{
    Flow, address, answers_at_once, call_of, hang_up, invitation, letter, request, sdp,
};

const CAROL: &str = "192.0.2.5:5060";
const DAVE: &str = "192.0.2.6:5060";

fn rejects(status: u16, name: &'static str, value: &'static str) -> impl User {
    move |turn: &mut Turn<'_>, event: Event| {
        if let Event::Incoming { call, .. } = event {
            let status = StatusCode::new(status).unwrap();
            let headers = HeaderList::new().with(name, value).unwrap();
            let outgoing = Outgoing::default().with_headers(headers);
            turn.call(call, |call, now, out| {
                call.reject(now, status, outgoing, out)
            })
            .unwrap();
        }
    }
}

fn redirects(contacts: &'static str) -> impl User {
    rejects(302, "Contact", contacts)
}

#[test]
fn redirection_is_followed() {
    // 3261-8.1.3.4-01, 3261-8.1.3.4-14, 3261-8.1.3.4-15, 3261-8.1.3.4-16
    let mut flow = Flow::new(redirects("<sip:carol@192.0.2.5>"));
    let carol = address(CAROL);
    flow.world
        .endpoint("carol", carol, Config::default(), answers_at_once)
        .unwrap();
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn redirection_to_one_who_is_busy_goes_on_to_the_next() {
    // 3261-8.1.3.4-06, 3261-8.1.3.4-08
    let mut flow = Flow::new(redirects(
        "<sip:dave@192.0.2.6>;q=0.2, <sip:carol@192.0.2.5>;q=0.8",
    ));
    let busy = rejects(486, "Retry-After", "60");
    let (carol, dave) = (address(CAROL), address(DAVE));
    let world = &mut flow.world;
    world
        .endpoint("carol", carol, Config::default(), busy)
        .unwrap();
    world
        .endpoint("dave", dave, Config::default(), answers_at_once)
        .unwrap();
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn redirection_to_silence_and_to_nowhere_goes_on_to_the_next() {
    // 3261-8.1.3.4-08, 3261-13.2.2-01
    let contacts = "<sip:carol@192.0.2.5>, <sip:v6@[2001:db8::1]>, <sip:dave@192.0.2.6>";
    let mut flow = Flow::new(redirects(contacts));
    let (carol, dave) = (address(CAROL), address(DAVE));
    let world = &mut flow.world;
    world.peer("carol", carol, ());
    world
        .endpoint("dave", dave, Config::default(), answers_at_once)
        .unwrap();
    flow.place();
    flow.at(40_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn two_who_redirect_to_each_other_end_the_call() {
    // 3261-8.1.3.4-02
    let mut flow = Flow::new(redirects("<sip:carol@192.0.2.5>"));
    let back = redirects("<sip:bob@192.0.2.4>");
    let carol = address(CAROL);
    flow.world
        .endpoint("carol", carol, Config::default(), back)
        .unwrap();
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn redirected_call_is_cancelled() {
    // 3261-21-12, 3261-21-17
    let mut flow = Flow::new(redirects("<sip:carol@192.0.2.5>, <sip:dave@192.0.2.6>"));
    let carol = address(CAROL);
    flow.world
        .endpoint("carol", carol, Config::default(), super::support::rings)
        .unwrap();
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_302_and_lost_ack_are_repeated() {
    let mut flow = Flow::new(redirects("<sip:carol@192.0.2.5>"));
    let carol = address(CAROL);
    flow.world
        .endpoint("carol", carol, Config::default(), answers_at_once)
        .unwrap();
    flow.world.lose(flow.bob, "302 INVITE", 1);
    flow.world.lose(flow.alice, "ACK", 1);
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

/// Flow 13: the callee cannot do what is required, and the caller means it.
#[test]
fn required_extension_that_nobody_has_ends_the_call() {
    // 3261-8.2.2.3-01, 3261-21-08
    let mut flow = Flow::new(answers_at_once);
    flow.place_with(requiring("100rel"));
    assert_snapshot!(flow.end());
}

#[test]
fn required_extension_that_nobody_has_is_left_out_if_that_is_wanted() {
    // 3261-8.1.3.5-06, 3261-8.1.3.5-07, 3261-8.1.3.5-08
    let mut flow = Flow::new(answers_at_once);
    flow.place_with(requiring("100rel").with_retries(Retries::ALL));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

fn requiring(option_tag: &str) -> Invitation {
    let headers = HeaderList::new().with("Require", option_tag).unwrap();
    invitation().with(sdp().with_headers(headers))
}

#[test]
fn offer_of_a_type_that_nobody_reads_is_left_to_the_callee_if_that_is_wanted() {
    // 3261-8.1.3.5-03
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
    let body = drongo::message::Body::new("application/isup", "x").unwrap();
    let odd = invitation().with(Outgoing::default().with_body(body));
    flow.place_with(odd.with_retries(Retries::ALL));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn busy_server_is_left_alone_and_says_until_when() {
    // 3261-21-03, 3261-21-04. PAINS 75, 76
    let mut waits = Vec::new();
    let (heard, said) = std::sync::mpsc::channel();
    let alice = move |_: &mut Turn<'_>, event: Event| {
        if let Event::Ended { reason, .. } = event {
            heard.send(reason.retry_after()).unwrap();
        }
    };
    for after in ["120", "x"] {
        let bob = rejects(503, "Retry-After", after);
        let mut flow = Flow::between(alice.clone(), bob);
        flow.place();
        let ladder = flow.end();
        assert_eq!(ladder.matches("INVITE").count(), 2, "{ladder}");
        waits.push(said.recv().unwrap());
    }
    let minutes = Duration::from_secs(120);
    assert_eq!(waits, [Some((Hold::Server, minutes)), None]);
}

/// Answers the call, and every UPDATE with this status.
fn refuses_update(status: u16) -> impl Peer {
    let mut script = super::support::script(&[(0, 200, "b")]);
    move |now: Time, from: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>| match request(bytes) {
        Some(update) if update.method().as_str() == "UPDATE" => {
            let status = StatusCode::new(status).unwrap();
            let bytes = Reply::new(&update).write(status, None, None, &HeaderList::new(), None);
            out.push(letter(0, bytes));
        }
        _ => script(now, from, bytes, out),
    }
}

fn refused_update(status: u16) -> String {
    let mut flow = Flow::with_peer(refuses_update(status));
    flow.place();
    flow.at(1000, flow.alice, |turn| {
        let call = call_of(turn);
        turn.call(call, |call, now, out| call.update(now, sdp(), out))
            .unwrap();
    });
    flow.at(3000, flow.alice, |turn| {
        if turn.endpoint.calls() > 0 {
            hang_up(turn);
        }
    });
    flow.end()
}

/// Flow 23.
#[test]
fn update_that_meets_no_dialog_ends_the_call() {
    // 5057-5.1-28, 3261-12.2.1.2-04
    assert_snapshot!(refused_update(481));
}

/// Flows 21 and 22, as the caller sees them.
#[test]
fn update_that_is_refused_leaves_the_call() {
    assert_snapshot!(refused_update(504));
    assert_eq!(
        refused_update(488).replace("488", "504"),
        refused_update(504)
    );
}

#[test]
fn forking_to_nobody_leaves_nothing_of_the_redirection() {
    let mut flow = Flow::new(redirects("<sip:carol@192.0.2.5>"));
    let carol = flow.world.peer("carol", address(CAROL), ());
    flow.world.link(flow.alice, carol, Link::cut());
    flow.place();
    assert_snapshot!(flow.end());
}

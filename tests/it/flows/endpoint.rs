//! What an endpoint says of itself, and endpoints in odd places.

use insta::assert_snapshot;
use std::time::Duration;

use drongo::call::Invitation;
use drongo::endpoint::{Config, Event, Wake};
use drongo::error::Misuse;
use drongo::seed::Seed;
use drongo::sim::{Link, Turn, World};
use drongo::time::Time;

use super::support::{
    ALICE, BOB, Flow, address, answers, answers_at_once, assert_empty, hang_up, info, invitation,
    sdp,
};

#[test]
fn everything_that_arrives_twice_is_absorbed() {
    // PAINS 6, 16: nobody hears of a copy.
    let mut flow = Flow::new(answers);
    flow.world.link_all(
        Link::default()
            .duplication(1000)
            .jitter(Duration::from_millis(30)),
    );
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    let ladder = flow.end();
    for (heard, times) in [
        ("Incoming", 1),
        ("Answered", 1),
        ("Acknowledged", 1),
        ("Ended", 2),
    ] {
        assert_eq!(
            ladder.matches(&format!("hears {heard}")).count(),
            times,
            "{ladder}"
        );
    }
    assert_snapshot!(ladder);
}

#[test]
fn counters_tell_what_happened() {
    let mut flow = Flow::new(answers_at_once);
    flow.world.lose(flow.bob, "200 INVITE", 1);
    flow.world.lose(flow.alice, "ACK", 1);
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    assert!(flow.world.run_until_idle(Duration::from_secs(100)));
    let bob = flow.world.look(flow.bob).unwrap();
    // The INVITE again; its 200 at 0.01, 0.51 for the copy and by T1, 1.51; ACK, BYE.
    assert_eq!(bob.counters().retransmissions_received, 1);
    assert_eq!(bob.counters().received, 4);
    let sent = flow
        .world
        .record()
        .sent()
        .filter(|sent| sent.from == flow.bob)
        .count();
    assert_eq!(bob.counters().sent, sent as u64);
    // All of them are its 200, but for the first and that for the BYE.
    assert_eq!(bob.counters().retransmissions_sent, sent as u64 - 2);
    assert!(sent > 3, "{sent}");
    let alice = flow.world.look(flow.alice).unwrap();
    assert_eq!(alice.counters().retransmissions_sent, 1);
    assert_eq!(bob.counters().dropped(), 0);
    assert_eq!(bob.counters().time_went_back, 0);
}

#[test]
fn deadline_has_a_reason() {
    let mut flow = Flow::new(answers);
    assert_eq!(flow.world.look(flow.alice).unwrap().next_wake(), None);
    flow.place();
    let wake = |flow: &Flow, node| {
        let (at, wake) = flow.world.look(node).unwrap().next_wake().unwrap();
        (at.as_nanos() / 1_000_000, wake)
    };
    // Timer A.
    assert_eq!(wake(&flow, flow.alice), (500, Wake::Client));
    flow.world.run_until(Time::from_millis(30));
    // It rings: the caller's limit, the callee's 180 each minute.
    assert_eq!(wake(&flow, flow.alice), (240_000, Wake::Call));
    assert_eq!(wake(&flow, flow.bob), (60_010, Wake::Call));
    flow.world.run_until(Time::from_millis(1100));
    // Timers M and L.
    assert_eq!(wake(&flow, flow.alice), (33_020, Wake::Client));
    assert_eq!(wake(&flow, flow.bob), (33_010, Wake::Server));
    flow.at(2000, flow.alice, hang_up);
    flow.end();
}

#[test]
fn call_to_oneself_works() {
    // PAINS 88: client and server keys do not meet.
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let alice = world
        .endpoint("alice", address(ALICE), Config::default(), answers_at_once)
        .unwrap();
    let invitation = Invitation::new("sip:alice@192.0.2.1", "sip:alice@example.com").unwrap();
    let place = |turn: &mut Turn<'_>| {
        turn.endpoint
            .place(turn.now, 0, invitation.with(sdp()), turn.out)
    };
    world.act(alice, place).unwrap().unwrap();
    world.at(Time::from_secs(1), alice, hang_up);
    assert!(world.run_until_idle(Duration::from_secs(200)));
    assert_empty(&world, alice);
    assert_snapshot!(world.trace().ladder());
}

#[test]
fn identifiers_of_a_call_depend_on_nothing_but_its_ordinal() {
    // L12
    let invite = |ordinals: &[u64]| {
        let mut flow = Flow::new(());
        for ordinal in ordinals.iter().copied() {
            let place = move |turn: &mut Turn<'_>| {
                turn.endpoint
                    .place(turn.now, ordinal, invitation(), turn.out)
            };
            flow.world.act(flow.alice, place).unwrap().unwrap();
        }
        flow.world.record().sent().last().unwrap().bytes.clone()
    };
    assert_eq!(invite(&[5]), invite(&[0, 3, 9, 5]));
    assert_ne!(invite(&[5]), invite(&[6]));
}

#[test]
fn ordinal_in_use_is_a_misuse() {
    let mut flow = Flow::new(());
    flow.place();
    let again = flow.world.act(flow.alice, |turn| {
        turn.endpoint.place(turn.now, 0, invitation(), turn.out)
    });
    assert!(
        matches!(again, Some(Err(Misuse::Malformed { .. }))),
        "{again:?}"
    );
    assert_eq!(flow.world.record().sent().count(), 1);
    flow.at(1000, flow.alice, hang_up);
    flow.end();
}

#[test]
fn target_that_no_local_address_reaches_is_a_misuse() {
    let mut flow = Flow::new(());
    for target in [
        "sip:bob@192.0.2.4;transport=tcp",
        "sip:bob@[2001:db8::4]",
        "tel:+15551234",
    ] {
        let invitation = Invitation::new(target, "sip:alice@example.com").unwrap();
        let placed = flow.world.act(flow.alice, |turn| {
            turn.endpoint.place(turn.now, 0, invitation, turn.out)
        });
        assert!(matches!(placed, Some(Err(_))), "{target}: {placed:?}");
        assert_empty(&flow.world, flow.alice);
    }
    assert_eq!(flow.world.record().entries().len(), 0);
}

#[test]
fn handle_of_a_call_that_is_gone_is_a_misuse() {
    let mut flow = Flow::new(answers_at_once);
    let call = flow.place();
    flow.at(1000, flow.alice, hang_up);
    flow.world.run_until(Time::from_secs(2));
    // It has ended, and lingers: a verb does nothing.
    let verb = |turn: &mut Turn<'_>| turn.call(call, |call, now, out| call.hang_up(now, out));
    assert_eq!(flow.world.act(flow.alice, verb), Some(Ok(())));
    assert!(flow.world.run_until_idle(Duration::from_secs(100)));
    assert_eq!(
        flow.world.act(flow.alice, verb),
        Some(Err(Misuse::UnknownHandle))
    );
}

#[test]
fn hundreds_of_calls_leave_nothing() {
    // PAINS 69
    let mut flow = Flow::new(|turn: &mut Turn<'_>, event: Event| {
        if let Event::Answered { .. } = event {
            return;
        }
        answers_at_once(turn, event);
    });
    for ordinal in 0..300 {
        let place = move |turn: &mut Turn<'_>| {
            let call = turn
                .endpoint
                .place(turn.now, ordinal, invitation(), turn.out)
                .unwrap();
            turn.after(Duration::from_secs(5), move |turn| {
                turn.call(call, |call, now, out| call.hang_up(now, out))
                    .unwrap();
            });
        };
        flow.world
            .at(Time::from_millis(7 * ordinal), flow.alice, place);
    }
    flow.world.link_all(Link::default().loss(50));
    flow.world.run_until(Time::from_secs(3));
    assert_eq!(flow.world.look(flow.bob).unwrap().calls(), 300);
    let ladder = flow.end();
    assert_eq!(ladder.matches("hears Ended").count(), 600);
}

#[test]
fn request_within_a_call_that_ends_meanwhile_is_harmless_to_answer() {
    let mut flow = Flow::new(|turn: &mut Turn<'_>, event: Event| match event {
        Event::Request { request, .. } => {
            turn.after(Duration::from_secs(3), move |turn| {
                let ok = drongo::message::StatusCode::OK;
                let late = turn.request(request, |request, now, out| {
                    request.respond(now, ok, drongo::message::Outgoing::default(), out)
                });
                assert_eq!(late, Ok(()));
            });
        }
        event => answers_at_once(turn, event),
    });
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(2000, flow.alice, hang_up);
    let ladder = flow.end();
    assert_eq!(ladder.matches("487 INFO").count(), 1, "{ladder}");
    assert_eq!(ladder.matches("200 INFO").count(), 0, "{ladder}");
}

#[test]
fn datagram_to_nowhere_is_lost() {
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let alice = world
        .endpoint("alice", address(ALICE), Config::default(), ())
        .unwrap();
    let place = |turn: &mut Turn<'_>| turn.endpoint.place(turn.now, 0, invitation(), turn.out);
    world.act(alice, place).unwrap().unwrap();
    assert!(world.run_until_idle(Duration::from_secs(100)));
    assert_eq!(
        world.record().notes(alice).last(),
        Some("hears Ended: failed Timeout")
    );
    let first = world.record().sent().next().unwrap();
    assert_eq!((first.to, first.remote), (None, address(BOB)));
}

//! UPDATE (RFC 3311), re-INVITEs that change something on the way (RFC 6141), session timers
//! (RFC 4028): flows 17-29.

use std::time::Duration;

use drongo::call::session_timer;
use drongo::endpoint::{Config, Event};
use drongo::message::{HeaderList, Outgoing, StatusCode};
use drongo::sim::Turn;
use drongo::time::Time;
use insta::assert_snapshot;

use super::early::{
    agrees, answer, between, called, called_with, progress, rack, reliable, respond, with_sdp,
    within,
};
use super::support::{
    Flow, abandon, answers_at_once, call_of, hang_up, request, response, sdp, update as reinvite,
};

fn update(outgoing: Outgoing) -> impl FnOnce(&mut Turn<'_>) {
    move |turn| {
        let call = call_of(turn);
        turn.call(call, |call, now, out| call.update(now, outgoing, out))
            .unwrap();
    }
}

fn empty() -> Outgoing {
    Outgoing::default()
}

/// Answers at once, and every offer.
fn answers(turn: &mut Turn<'_>, event: Event) {
    match event {
        Event::Incoming { .. } => answers_at_once(turn, event),
        _ => agrees(turn, event),
    }
}

/// Refuses every offer in an UPDATE.
fn refuses(status: StatusCode, warning: Option<&'static str>) -> impl FnMut(&mut Turn<'_>, Event) {
    move |turn, event| match event {
        Event::Incoming { .. } => answers_at_once(turn, event),
        Event::Offered { request, .. } => {
            let mut headers = HeaderList::new();
            if let Some(warning) = warning {
                headers.push("Warning", warning).unwrap();
            }
            respond(turn, request, status, empty().with_headers(headers));
        }
        _ => {}
    }
}

/// Takes its time.
fn agrees_late(turn: &mut Turn<'_>, event: Event) {
    turn.after(Duration::from_millis(200), move |turn| agrees(turn, event));
}

/// A raw Bob whose call Alice has answered.
fn talking() -> Flow {
    talking_with(agrees)
}

fn talking_with(user: impl drongo::sim::User + 'static) -> Flow {
    let mut flow = called_with(true, user);
    flow.at(50, flow.alice, answer(sdp()));
    flow.world.run_until(Time::from_millis(80));
    let ack = within(&flow, "ACK", 1, "a", "");
    flow.send(100, &ack);
    flow
}

#[test]
fn updates_both_ways_before_the_answer() {
    // Flow 17: 3311 figure 1. PAINS 27
    let mut flow = between();
    flow.place();
    flow.at(100, flow.bob, progress(180, sdp()));
    flow.at(200, flow.alice, update(sdp()));
    flow.at(300, flow.bob, update(sdp()));
    flow.at(1000, flow.bob, answer(empty()));
    flow.world.run_until(Time::from_millis(1500));
    let sent: Vec<String> = flow
        .world
        .record()
        .sent()
        .map(|sent| String::from_utf8_lossy(&sent.bytes).into_owned())
        .collect();
    for start in ["INVITE ", "SIP/2.0 180", "SIP/2.0 200"] {
        // 3311-4-01, 3311-4-02, 3311-4-04
        let message = sent.iter().rev().find(|text| text.starts_with(start));
        let mut lines = message.unwrap().lines();
        let allow = lines.find(|line| line.starts_with("Allow:"));
        assert!(allow.unwrap().contains("UPDATE"), "{start}");
    }
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn second_update_before_the_first_is_answered_is_refused() {
    // Flow 18. PAINS 29
    let mut flow = talking_with(agrees_late);
    let first = with_sdp(&within(&flow, "UPDATE", 2, "u", ""));
    let second = with_sdp(&within(&flow, "UPDATE", 3, "v", ""));
    flow.send(200, &first);
    flow.send(300, &second);
    let bye = within(&flow, "BYE", 4, "b", "");
    flow.send(1000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn updates_that_cross_are_tried_again_in_turn() {
    // Flow 19. PAINS 28, 30, 31
    let mut flow = Flow::between(agrees, answers);
    flow.place();
    flow.at(1000, flow.alice, update(sdp()));
    flow.at(1000, flow.bob, update(sdp()));
    flow.at(8000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn update_while_the_offer_in_183_is_unanswered_is_refused() {
    // Flow 20. 6337-4.1-54
    let mut flow = called(false);
    flow.at(100, flow.alice, progress(183, sdp()));
    flow.world.run_until(Time::from_millis(150));
    let update = with_sdp(&within(&flow, "UPDATE", 2, "u", ""));
    let prack = with_sdp(&within(&flow, "PRACK", 3, "p", &rack(&flow)));
    let bye = within(&flow, "BYE", 4, "b", "");
    let ack = within(&flow, "ACK", 1, "i", "");
    flow.send(200, &update);
    flow.send(300, &prack);
    flow.send(400, &bye);
    flow.send(500, &ack);
    assert_snapshot!(flow.end());
}

#[test]
fn update_that_would_need_a_user_is_refused() {
    // Flow 21. 3311-5.2-08
    let mut flow = Flow::new(refuses(StatusCode::SERVER_TIMEOUT, None));
    flow.place();
    flow.at(1000, flow.alice, update(sdp()));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn update_that_is_not_acceptable_is_refused_with_a_warning() {
    // Flow 22. 3311-5.2-09, 3311-5.2-10
    let warning = "304 192.0.2.4 \"Media type not available\"";
    let mut flow = Flow::new(refuses(StatusCode::NOT_ACCEPTABLE_HERE, Some(warning)));
    flow.place();
    flow.at(1000, flow.alice, update(sdp()));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn update_that_meets_481_ends_the_call() {
    // Flow 23. 3311-5.3-02
    let mut flow = Flow::new(answers);
    flow.place();
    flow.at(1000, flow.bob, abandon);
    flow.at(2000, flow.alice, update(sdp()));
    assert_snapshot!(flow.end());
}

#[test]
fn update_that_overtakes_the_answer_to_a_reinvite_is_refused() {
    // Flow 24: 6337 figure 7. 6337-4.1-55
    let mut flow = talking();
    flow.at(200, flow.alice, reinvite);
    flow.world.run_until(Time::from_millis(250));
    let invite = request(&flow.world.record().sent().last().unwrap().bytes);
    let invite = invite.unwrap();
    let update = {
        let text = super::support::within(&invite, "x", "UPDATE", 2, "u");
        with_sdp(&text.replace(";tag=bob;tag=x", ";tag=bob"))
    };
    flow.send(300, &update);
    let ok = response(&invite, 200, "bob");
    flow.send(
        400,
        &String::from_utf8(ok.to_vec())
            .unwrap()
            .replace("\r\n", "\n"),
    );
    let bye = super::support::within(&invite, "x", "BYE", 3, "b");
    flow.send(1000, &bye.replace(";tag=bob;tag=x", ";tag=bob"));
    assert_snapshot!(flow.end());
}

#[test]
fn update_that_crosses_the_offer_in_183_is_refused() {
    // Flow 25: 6337 figure 12. 6337-4.2-53
    let mut flow = talking_with(());
    let invite = within(&flow, "INVITE", 2, "r", "Supported: 100rel\n");
    flow.send(200, &invite);
    flow.at(300, flow.alice, progress(183, sdp()));
    flow.world.run_until(Time::from_millis(350));
    let update = with_sdp(&within(&flow, "UPDATE", 3, "u", ""));
    let rack = rack(&flow).replace(" 1 INVITE", " 2 INVITE");
    let prack = with_sdp(&within(&flow, "PRACK", 4, "p", &rack));
    flow.send(400, &update);
    flow.send(500, &prack);
    flow.at(600, flow.alice, answer(empty()));
    flow.world.run_until(Time::from_millis(650));
    let ack = within(&flow, "ACK", 2, "c", "");
    let bye = within(&flow, "BYE", 5, "b", "");
    flow.send(700, &ack);
    flow.send(1000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn callee_that_moves_before_it_answers_is_reached_there() {
    // Flow 26. 3311-5.1-06. PAINS 47
    let mut flow = between();
    flow.place();
    flow.at(100, flow.bob, progress(180, empty()));
    let contact = HeaderList::new()
        .with("Contact", "<sip:desk@192.0.2.4>")
        .unwrap();
    flow.at(200, flow.bob, update(empty().with_headers(contact)));
    flow.at(1000, flow.bob, answer(sdp()));
    flow.world.run_until(Time::from_millis(1500));
    let sent = flow.world.record().sent();
    let says = |text: &str| text.contains("Contact: <sip:desk@192.0.2.4>");
    let texts: Vec<String> = sent
        .map(|sent| String::from_utf8_lossy(&sent.bytes).into_owned())
        .collect();
    let ok = texts
        .iter()
        .find(|text| text.starts_with("SIP/2.0 200") && text.contains("CSeq: 1 INVITE"));
    assert!(says(ok.unwrap()));
    let ack = texts.iter().find(|text| text.starts_with("ACK "));
    assert!(ack.unwrap().starts_with("ACK sip:desk@192.0.2.4 "));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

/// Answers calls; of a re-INVITE it answers the offer early and waits for its user.
fn answers_early(turn: &mut Turn<'_>, event: Event) {
    match event {
        Event::Reoffered { .. } => progress(183, sdp())(turn),
        event => answers(turn, event),
    }
}

#[test]
fn changes_within_a_reinvite_are_reverted_and_it_is_accepted() {
    // Flow 27: 6141 figure 4. 6141-3.3-03
    let mut flow = Flow::with_config(reliable(), agrees, answers_early);
    flow.place();
    flow.at(1000, flow.alice, reinvite);
    flow.at(1500, flow.alice, update(sdp()));
    // The user declines: back to what was, and then the 2xx.
    flow.at(2000, flow.bob, update(sdp()));
    flow.at(2500, flow.bob, answer(empty()));
    flow.world.run_until(Time::from_millis(1200));
    for invite in [flow.invite(), last_invite(&flow)] {
        // 3262-4-04: the re-INVITE too.
        let text = String::from_utf8_lossy(invite.bytes()).into_owned();
        let mut lines = text.lines();
        let supported = lines.find(|line| line.starts_with("Supported:"));
        assert!(supported.unwrap().contains("100rel"), "{text}");
    }
    flow.at(4000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn cancelled_reinvite_that_has_changed_something_is_accepted() {
    // RFC 6141 3.8, 3.3.
    let mut flow = talking_with(());
    let invite = with_sdp(&within(&flow, "INVITE", 2, "r", "Supported: 100rel\n"));
    flow.send(200, &invite);
    flow.at(300, flow.alice, progress(183, sdp()));
    flow.world.run_until(Time::from_millis(350));
    let rack = rack(&flow).replace(" 1 INVITE", " 2 INVITE");
    let prack = within(&flow, "PRACK", 3, "p", &rack);
    flow.send(400, &prack);
    let cancel = within(&flow, "CANCEL", 2, "r", "");
    flow.send(500, &cancel);
    let (ack, bye) = (
        within(&flow, "ACK", 2, "c", ""),
        within(&flow, "BYE", 4, "b", ""),
    );
    flow.send(600, &ack);
    flow.send(1000, &bye);
    assert_snapshot!(flow.end());
}

/// Alice's last INVITE.
fn last_invite(flow: &Flow) -> drongo::message::Request {
    let sent = flow.world.record().sent();
    let invites = sent.filter_map(|sent| request(&sent.bytes));
    let invites = invites.filter(|request| request.method().as_str() == "INVITE");
    invites.last().unwrap()
}

/// A response of the raw Bob to it.
fn says(flow: &mut Flow, millis: u64, status: u16, extra: &str) {
    flow.world.run_until(Time::from_millis(millis));
    let bytes = response(&last_invite(flow), status, "bob");
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let text = text.replace("\r\n", "\n");
    let text = text.replacen("Contact:", &format!("{extra}Contact:"), 1);
    // An answer, unless it is a failure or there already.
    let text = match status {
        183 => with_sdp(&text),
        _ => text,
    };
    flow.send(millis, &text);
}

#[test]
fn refusal_that_an_update_overtook_is_made_good_by_another_offer() {
    // Flow 28: 6141 figure 5, and 3.4 of it.
    // 6141-3.4-01, 6141-3.4-51, 6337-3.4-01, 6337-3.4-52: what was undone is said anew.
    let says_it_anew = |turn: &mut Turn<'_>, event: Event| match event {
        Event::UpdateRefused {
            call,
            changed: true,
            ..
        } => turn
            .call(call, |call, now, out| call.update(now, sdp(), out))
            .unwrap(),
        event => agrees(turn, event),
    };
    let mut flow = talking_with(says_it_anew);
    flow.at(200, flow.alice, reinvite);
    says(&mut flow, 250, 183, "Require: 100rel\nRSeq: 1\n");
    flow.world.run_until(Time::from_millis(265));
    let prack = flow.world.record().sent().last().unwrap().bytes.clone();
    let ok = response(&request(&prack).unwrap(), 200, "bob");
    let ok = String::from_utf8(ok.to_vec()).unwrap();
    flow.send(270, &ok.replace("\r\n", "\n"));
    // The 4xx is on its way when the UPDATE goes, and the UPDATE comes first.
    let update = with_sdp(&in_dialog(&last_invite(&flow), "UPDATE", 2, "u"));
    flow.send(300, &update);
    says(&mut flow, 400, 488, "");
    flow.world.run_until(Time::from_millis(450));
    let anew = flow.world.record().sent().last().unwrap().bytes.clone();
    let anew = request(&anew).unwrap();
    assert_eq!(anew.method().as_str(), "UPDATE");
    let ok = response(&anew, 200, "bob");
    let ok = String::from_utf8(ok.to_vec()).unwrap();
    flow.send(500, &with_sdp(&ok.replace("\r\n", "\n")));
    let bye = in_dialog(&last_invite(&flow), "BYE", 3, "b");
    flow.send(2000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn reinvite_that_is_taken_back_is_followed_by_another() {
    // Flow 29: 6141 5.5. 6141-5.5-51, 6141-5.5-01
    let bob = |turn: &mut Turn<'_>, event: Event| match event {
        Event::Reoffered { call, .. } if turn.now < Time::from_secs(2) => {
            let (status, outgoing) = (StatusCode::RINGING, empty());
            turn.call(call, |call, now, out| {
                call.progress(now, status, outgoing, out)
            })
            .unwrap();
        }
        event => answers(turn, event),
    };
    let mut flow = Flow::new(bob);
    flow.place();
    flow.at(1000, flow.alice, reinvite);
    flow.at(2000, flow.alice, |turn| {
        let call = call_of(turn);
        turn.call(call, |call, now, out| {
            call.cancel_reinvite(now, empty(), out)
        })
        .unwrap();
    });
    flow.at(2500, flow.alice, |turn| {
        let call = call_of(turn);
        let contact = HeaderList::new().with("Contact", "<sip:new@192.0.2.1>");
        let outgoing = sdp().with_headers(contact.unwrap());
        turn.call(call, |call, now, out| call.reinvite(now, outgoing, out))
            .unwrap();
    });
    flow.at(4000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

/// A request of the raw Bob whose call Alice has answered.
fn in_dialog(invite: &drongo::message::Request, method: &str, cseq: u32, branch: &str) -> String {
    let text = super::support::within(invite, "x", method, cseq, branch);
    text.replace(";tag=bob;tag=x", ";tag=bob")
}

fn timed(seconds: u32) -> Config {
    let mut config = Config::default();
    let mut timer = session_timer::Config::default();
    timer.interval = seconds;
    config.session_timer = Some(timer);
    config
}

#[test]
fn session_is_refreshed_by_update_until_the_other_side_is_gone() {
    // PAINS 44, 45
    let mut flow = Flow::with_config(timed(120), agrees, answers);
    flow.place();
    flow.at(100_000, flow.bob, abandon);
    assert_snapshot!(flow.end());
}

#[test]
fn session_that_nobody_refreshes_expires() {
    let mut flow = Flow::with_config(timed(120), agrees, answers);
    flow.place();
    flow.at(10_000, flow.alice, abandon);
    assert_snapshot!(flow.end());
}

#[test]
fn session_too_short_for_the_other_side_is_asked_for_again() {
    let mut world = drongo::sim::World::new(
        drongo::seed::Seed::from_bytes([1; 32]),
        drongo::sim::Link::default(),
    );
    let mut patient = timed(1800);
    if let Some(timer) = &mut patient.session_timer {
        timer.least = 600;
    }
    let (alice, bob) = (super::support::ALICE, super::support::BOB);
    let address = super::support::address;
    let alice = world.endpoint("alice", address(alice), timed(120), agrees);
    let bob = world.endpoint("bob", address(bob), patient, answers);
    let (alice, bob) = (alice.unwrap(), bob.unwrap());
    let mut flow = Flow { world, alice, bob };
    flow.place();
    flow.at(400_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

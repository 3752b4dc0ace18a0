//! Reliable provisional responses (RFC 3262) and what 199 says (RFC 6228): flows 1-15.

use drongo::call::Invitation;
use drongo::call::offer_answer::Verdict;
use drongo::call::reliable::Policy;
use drongo::endpoint::{Config, Event};
use drongo::message::{Outgoing, StatusCode};
use drongo::seed::Seed;
use drongo::sim::{Link, Turn, World};
use insta::assert_snapshot;

use super::support::{
    ALICE, BOB, Flow, address, call_of, hang_up, invitation, raw, raw_to, response, sdp,
};
use super::support::{letter, request};

pub(super) fn reliable() -> Config {
    let mut config = Config::default();
    config.reliable = Policy::Supported;
    config
}

/// Answers every offer there is.
pub(super) fn agrees(turn: &mut Turn<'_>, event: Event) {
    match event {
        Event::Offered { request, .. } => respond(turn, request, StatusCode::OK, sdp()),
        Event::Reoffered { call, .. } => turn
            .call(call, |call, now, out| call.answer(now, sdp(), out))
            .unwrap(),
        Event::Progress {
            call,
            early: Some(early),
            ..
        } if early.session == Verdict::Offer => turn
            .call(call, |call, now, out| {
                call.prack(now, early.leg, sdp(), out)
            })
            .unwrap(),
        other => super::support::offers_again(turn, &other),
    }
}

pub(super) fn respond(
    turn: &mut Turn<'_>,
    handle: drongo::endpoint::RequestHandle,
    status: StatusCode,
    outgoing: Outgoing,
) {
    let mut request = turn.endpoint.request(handle).unwrap();
    request
        .respond(turn.now, status, outgoing, turn.out)
        .unwrap();
}

pub(super) fn progress(status: u16, outgoing: Outgoing) -> impl FnOnce(&mut Turn<'_>) {
    move |turn| {
        let (call, status) = (call_of(turn), StatusCode::new(status).unwrap());
        turn.call(call, |call, now, out| {
            call.progress(now, status, outgoing, out)
        })
        .unwrap();
    }
}

pub(super) fn answer(outgoing: Outgoing) -> impl FnOnce(&mut Turn<'_>) {
    move |turn| {
        let call = call_of(turn);
        turn.call(call, |call, now, out| call.answer(now, outgoing, out))
            .unwrap();
    }
}

fn reject(turn: &mut Turn<'_>) {
    let call = call_of(turn);
    let (status, outgoing) = (StatusCode::BUSY_HERE, Outgoing::default());
    turn.call(call, |call, now, out| {
        call.reject(now, status, outgoing, out)
    })
    .unwrap();
}

/// Both know the extension; Bob does what the script says.
pub(super) fn between() -> Flow {
    Flow::with_config(reliable(), agrees, agrees)
}

fn empty() -> Outgoing {
    Outgoing::default()
}

/// Bob's request within the dialog of Alice's last response.
pub(super) fn within(flow: &Flow, method: &str, cseq: u32, branch: &str, extra: &str) -> String {
    let last = flow.last_of_alice();
    let to = last.lines().find(|line| line.starts_with("To:")).unwrap();
    let tag = to.split(";tag=").nth(1).unwrap().trim();
    let to = format!(";tag={tag}");
    let text = raw_to(method, "sip:alice@192.0.2.1", &to, branch, extra);
    let own = format!("Call-ID: {branch}@");
    let cseq_line = format!("CSeq: 1 {method}");
    text.replace(&own, "Call-ID: i@")
        .replace(&cseq_line, &format!("CSeq: {cseq} {method}"))
}

/// The same with an offer or answer.
pub(super) fn with_sdp(text: &str) -> String {
    let body = "Content-Type: application/sdp\nContent-Length: 5\n\nv=0\n";
    text.replace("Content-Length: 0\n\n", body)
}

pub(super) fn rack(flow: &Flow) -> String {
    let last = flow.last_of_alice();
    let rseq = last.lines().find_map(|line| line.strip_prefix("RSeq: "));
    format!("RAck: {} 1 INVITE\n", rseq.unwrap().trim())
}

/// A raw Bob calls Alice, who knows the extension.
pub(super) fn called(body: bool) -> Flow {
    called_with(body, agrees)
}

/// The same with another user.
pub(super) fn called_with(body: bool, user: impl drongo::sim::User + 'static) -> Flow {
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let alice = world
        .endpoint("alice", address(ALICE), reliable(), user)
        .unwrap();
    let bob = world.peer("bob", address(BOB), |_, _, _: &_, _: &mut Vec<_>| {});
    let mut flow = Flow { world, alice, bob };
    let invite = raw("INVITE", "i", "Supported: 100rel\n");
    let invite = if body { with_sdp(&invite) } else { invite };
    flow.send(0, &invite);
    flow.world.run_until(drongo::time::Time::from_millis(20));
    flow
}

#[test]
fn reliable_183_and_180_in_order() {
    // Flows 1, 2. PAINS 25
    let mut flow = between();
    flow.place();
    flow.at(100, flow.bob, progress(183, sdp()));
    flow.at(110, flow.bob, progress(180, empty()));
    flow.at(1000, flow.bob, answer(sdp()));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_183_comes_again_at_t1_3_t1_and_7_t1() {
    // Flow 3. 3262-3-22
    let mut flow = between();
    flow.place();
    flow.world.lose(flow.bob, "183 INVITE", 3);
    flow.at(100, flow.bob, progress(183, sdp()));
    flow.at(5000, flow.bob, answer(empty()));
    flow.at(6000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn lost_200_to_the_prack_comes_again() {
    // 3262-3-28: the copy of the PRACK gets the same 200, not 481.
    let mut flow = between();
    flow.place();
    flow.world.lose(flow.bob, "200 PRACK", 1);
    flow.at(100, flow.bob, progress(183, sdp()));
    flow.at(2000, flow.bob, answer(empty()));
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn no_prack_ever_refuses_the_invite() {
    // Flow 4.
    let mut flow = called(true);
    flow.at(100, flow.alice, progress(183, sdp()));
    flow.world
        .run_until(drongo::time::Time::from_millis(32_150));
    let ack = within(&flow, "ACK", 1, "i", "");
    flow.send(32_200, &ack);
    assert_snapshot!(flow.end());
}

#[test]
fn answered_200_waits_for_the_prack() {
    // Flow 5. PAINS 18
    let mut flow = between();
    flow.place();
    flow.world.lose(flow.alice, "PRACK", 1);
    flow.at(100, flow.bob, progress(183, sdp()));
    flow.at(150, flow.bob, answer(sdp()));
    flow.at(2000, flow.bob, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn late_prack_after_the_refusal_is_answered() {
    // Flow 6.
    let mut flow = between();
    flow.place();
    flow.world.lose(flow.alice, "PRACK", 1);
    flow.at(100, flow.bob, progress(180, empty()));
    flow.at(300, flow.bob, reject);
    assert_snapshot!(flow.end());
}

#[test]
fn gap_in_rseq_is_not_acknowledged_until_it_is_filled() {
    // Flow 7.
    let peer = scripted(&[
        (0, 180, "b", 5),
        (100, 183, "b", 7),
        (200, 183, "b", 6),
        (600, 183, "b", 7),
        (1000, 200, "b", 0),
    ]);
    let mut flow = Flow::with_peer_and(reliable(), peer);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn forks_with_the_same_rseq_are_acknowledged_each() {
    // Flow 8. PAINS 23, 24
    let peer = scripted(&[(0, 180, "b", 5), (10, 180, "c", 5), (1000, 200, "c", 0)]);
    let mut flow = Flow::with_peer_and(reliable(), peer);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn offer_in_183_is_answered_in_the_prack() {
    // Flow 9.
    let mut flow = between();
    flow.place_with(bare());
    flow.at(100, flow.bob, progress(183, sdp()));
    flow.at(1000, flow.bob, answer(empty()));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn offer_in_the_prack_is_answered_in_its_200() {
    // Flow 10.
    let mut flow = called(true);
    flow.at(100, flow.alice, progress(183, sdp()));
    flow.world.run_until(drongo::time::Time::from_millis(150));
    let prack = with_sdp(&within(&flow, "PRACK", 2, "p", &rack(&flow)));
    flow.send(200, &prack);
    flow.at(500, flow.alice, answer(empty()));
    flow.world.run_until(drongo::time::Time::from_millis(600));
    let (ack, bye) = (
        within(&flow, "ACK", 1, "a", ""),
        within(&flow, "BYE", 3, "b", ""),
    );
    flow.send(700, &ack);
    flow.send(1000, &bye);
    assert_snapshot!(flow.end());
}

#[test]
fn preview_and_then_the_answer() {
    // Flow 11: 6337 figure 1. PAINS 34, 35
    let mut flow = between();
    flow.place();
    flow.at(100, flow.bob, |turn| {
        let (call, status) = (call_of(turn), StatusCode::SESSION_PROGRESS);
        turn.call(call, |call, now, out| call.preview(now, status, sdp(), out))
            .unwrap();
    });
    flow.at(200, flow.bob, progress(180, empty()));
    flow.at(300, flow.bob, progress(183, sdp()));
    flow.at(1000, flow.bob, answer(empty()));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn prack_with_a_wrong_rack_is_refused() {
    // Flow 12.
    let mut flow = called(true);
    flow.at(100, flow.alice, progress(180, empty()));
    flow.world.run_until(drongo::time::Time::from_millis(150));
    let (right, wrong) = (rack(&flow), rack(&flow).replace(" 1 INVITE", " 2 INVITE"));
    let wrong = within(&flow, "PRACK", 2, "p", &wrong);
    let right = within(&flow, "PRACK", 3, "q", &right);
    flow.send(200, &wrong);
    flow.send(300, &right);
    let bye = within(&flow, "BYE", 4, "b", "");
    flow.send(400, &bye);
    let ack = within(&flow, "ACK", 1, "i", "");
    flow.send(500, &ack);
    assert_snapshot!(flow.end());
}

#[test]
fn required_extension_meets_who_has_it_not() {
    // Flow 13, and 421 the other way round. PAINS 36
    let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
    let mut demanding = reliable();
    demanding.reliable = Policy::Required;
    let alice = world
        .endpoint("alice", address(ALICE), demanding, ())
        .unwrap();
    let bob = world
        .endpoint("bob", address(BOB), Config::default(), ())
        .unwrap();
    let mut flow = Flow { world, alice, bob };
    flow.place();
    flow.at(1000, flow.bob, |turn: &mut Turn<'_>| {
        let back = Invitation::new("sip:alice@192.0.2.1", "sip:bob@example.com").unwrap();
        turn.endpoint.place(turn.now, 7, back, turn.out).unwrap();
    });
    assert_snapshot!(flow.end());
}

#[test]
fn cancelled_while_a_reliable_183_is_out() {
    // Flow 14.
    let mut flow = between();
    flow.place();
    flow.at(100, flow.bob, progress(183, sdp()));
    flow.at(500, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn early_dialog_that_is_terminated_by_199() {
    // Flow 15: 6228 figure 1, from where the caller stands.
    let peer = scripted(&[
        (0, 180, "b", 0),
        (50, 180, "c", 0),
        (500, 199, "b", 0),
        (1000, 200, "c", 0),
    ]);
    let mut config = reliable();
    config.supported.push("199".into());
    let mut flow = Flow::with_peer_and(config, peer);
    flow.place();
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn early_dialogs_of_two_forks_that_end_at_one_proxy() {
    // Flow 16: 6228 figure 3, from where the caller stands: 3 and 4 have rung, one proxy says of
    // both that they are over, and 2 answers without having rung.
    let peer = scripted(&[
        (0, 180, "uas3", 0),
        (50, 180, "uas4", 0),
        (500, 199, "uas3", 0),
        (510, 199, "uas4", 0),
        (1000, 200, "uas2", 0),
    ]);
    let mut config = reliable();
    config.supported.push("199".into());
    let mut flow = Flow::with_peer_and(config, peer);
    flow.place();
    flow.world.run_until(drongo::time::Time::from_millis(900));
    // 6228-4-01: the caller shows that it knows 199.
    let invite = flow.invite();
    let supported = String::from_utf8_lossy(invite.bytes()).into_owned();
    let supported = supported
        .lines()
        .find(|line| line.starts_with("Supported:"));
    assert!(supported.unwrap().contains("199"));
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

fn bare() -> Invitation {
    invitation().with(Outgoing::default())
}

/// A callee that sends these, after that many milliseconds: status, tag, and RSeq if it is to be
/// reliable; and 200 to every other request but ACK.
fn scripted(
    responses: &'static [(u64, u16, &'static str, u32)],
) -> impl FnMut(drongo::time::Time, std::net::SocketAddr, &bytes::Bytes, &mut Vec<drongo::sim::Letter>)
{
    let mut seen = Vec::new();
    move |_, _, bytes, out| {
        let Some(request) = request(bytes) else {
            return;
        };
        match request.method().as_str() {
            "ACK" => {}
            "INVITE" if seen.contains(bytes) => {}
            "INVITE" => {
                seen.push(bytes.clone());
                for (after, status, tag, rseq) in responses {
                    let text = response(&request, *status, tag);
                    let text = String::from_utf8(text.to_vec()).unwrap();
                    let reliable = format!("Require: 100rel\r\nRSeq: {rseq}\r\nContact:");
                    let text = match rseq {
                        0 => text,
                        _ => text.replacen("Contact:", &reliable, 1),
                    };
                    out.push(letter(*after, text.into()));
                }
            }
            _ => {
                let tag = request.to_tag().unwrap_or("new").to_string();
                out.push(letter(0, response(&request, 200, &tag)));
            }
        }
    }
}

#[test]
fn offer_that_nobody_answers_cancels_the_call() {
    let mut flow = Flow::with_config(reliable(), (), ());
    flow.place_with(bare());
    flow.at(100, flow.bob, progress(183, sdp()));
    assert_snapshot!(flow.end());
}

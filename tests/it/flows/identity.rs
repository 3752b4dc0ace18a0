//! Connected identity (RFC 4916): who is at the other end changes while the dialog stands.

use drongo::endpoint::{Config, Event};
use drongo::message::Request;
use drongo::sim::Turn;
use insta::assert_snapshot;

use super::support::{Flow, answers, call_of, hang_up, request, sdp};

fn connected() -> Config {
    let mut config = Config::default();
    config.connected_identity = true;
    config
}

/// The desk of Carol, to which Bob has his calls forwarded: it says who answers.
fn carol(turn: &mut Turn<'_>, event: Event) {
    if let Event::Incoming { call, .. } = &event {
        let carol = "\"Carol\" <sip:carol@example.com>";
        turn.call(*call, |call, now, out| call.identify(now, carol, out))
            .unwrap();
    }
    answers(turn, event);
}

/// The requests of that method, in the order in which they went.
fn sent(flow: &Flow, method: &str) -> Vec<Request> {
    let sent = flow.world.record().sent();
    let requests = sent.filter_map(|sent| request(&sent.bytes));
    requests.filter(|r| r.method().as_str() == method).collect()
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[test]
fn callee_that_was_retargeted_says_who_answered() {
    // RFC 4916 5.1.
    let mut flow = Flow::with_config(connected(), (), carol);
    flow.place();
    flow.at(3000, flow.alice, hang_up);
    flow.world.run_until(drongo::time::Time::from_secs(4));
    let (invite, update, bye) = (
        &sent(&flow, "INVITE")[0],
        &sent(&flow, "UPDATE")[0],
        &sent(&flow, "BYE")[0],
    );
    let uri = |value: &[u8]| text(value).split(";tag=").next().unwrap().to_string();
    assert_eq!(uri(invite.to_value()), "<sip:bob@192.0.2.4>");
    assert_eq!(
        uri(update.from_value()),
        "\"Carol\" <sip:carol@example.com>"
    );
    assert_eq!(uri(update.to_value()), "<sip:alice@example.com>");
    // 4916-4.4.1-01, 4916-4.4.2-01
    assert_eq!(text(bye.to_value()), text(update.from_value()));
    // 4916-4.4.1-04
    assert_eq!(update.to_tag(), invite.from().tag());
    assert_snapshot!(flow.end());
}

#[test]
fn who_answers_a_call_may_become_another() {
    // RFC 4916 5.2 in small: Bob's B2BUA hands the call over to Dave.
    let mut flow = Flow::with_config(connected(), (), answers);
    flow.place();
    flow.at(3000, flow.bob, |turn| {
        let (call, dave) = (call_of(turn), "sip:dave@example.com");
        turn.call(call, |call, now, out| {
            call.identify_in_reinvite(now, dave, sdp(), out)
        })
        .unwrap();
    });
    flow.at(4000, flow.bob, hang_up);
    // Alice's user accepts whatever is offered.
    flow.at(3015, flow.alice, |turn| {
        let call = call_of(turn);
        turn.call(call, |call, now, out| call.answer(now, sdp(), out))
            .unwrap();
    });
    flow.world.run_until(drongo::time::Time::from_secs(5));
    let (first, again, bye) = (
        &sent(&flow, "UPDATE")[0],
        &sent(&flow, "INVITE")[1],
        &sent(&flow, "BYE")[0],
    );
    // 4916 4.2: who answers says so, though it is who was called.
    assert!(text(first.from_value()).starts_with("<sip:bob@192.0.2.4>;tag="));
    assert!(text(again.from_value()).starts_with("<sip:dave@example.com>;tag="));
    // 4916-4.4.1-02
    assert_eq!(text(bye.from_value()), text(again.from_value()));
    assert_snapshot!(flow.end());
}

//! Offers in responses, which cannot be refused: the answer that is owed refuses every stream
//! (RFC 3261 13.2.2.4, RFC 6337 5.2.4).

use super::script::{FROM, Script, TARGET, context, nothing, one, sdp, secs};
use crate::call::reliable::Policy;
use crate::call::{Command, Context, Invitation};
use crate::message::Request;
use crate::transaction::Failure;

const OFFER: &str = "v=0\r\no=bob 1 1 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 0\r\n";

fn placed() -> Script {
    let context = Context {
        reliable: Policy::Supported,
        ..context()
    };
    Script::place_with(context, Invitation::new(TARGET, FROM).unwrap())
}

fn answered() -> Script {
    let mut s = placed();
    offers(&mut s, "INVITE 1", 200, "a");
    assert_eq!(s.take(), ["INVITE 1", "answered 200, answer needed"]);
    s
}

/// The other side's response with an offer; a provisional one is reliable.
fn offers(s: &mut Script, label: &str, status: u16, tag: &str) {
    let contact = ("Contact", "<sip:a@192.0.2.4:5070>");
    let reliable = [contact, ("Require", "100rel"), ("RSeq", "7")];
    let extra = if status < 200 {
        &reliable[..]
    } else {
        &reliable[..1]
    };
    s.respond_with(label, status, Some(tag), extra, Some(OFFER));
}

fn refuses(request: &Request) -> bool {
    let text = core::str::from_utf8(request.body_slice()).unwrap();
    assert_eq!(one(request, "Content-Type"), "application/sdp");
    text.starts_with("v=0\r\n") && text.ends_with("\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n")
}

#[test]
fn awaiting_answer_hang_up_answers_with_port_0_and_says_bye() {
    let mut s = answered();
    s.hang_up();
    // 3261-13.2.2.4-11, 6337-5.2.4-51, 6337-2.3-05, 6337-2.3-52
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
    assert!(refuses(&s.sent("ACK 1")));
    assert!(s.sent("BYE 2").body_slice().is_empty());
    // A copy of the 2xx gets the same.
    offers(&mut s, "INVITE 1", 200, "a");
    assert!(refuses(&s.sent("ACK 1")));
}

#[test]
fn awaiting_answer_too_long_or_hung_up_by_the_other_side_answers_too() {
    let mut s = answered();
    s.run_to(secs(20));
    // 3261-13.2.2.4-11
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
    assert!(refuses(&s.sent("ACK 1")));
    let mut s = answered();
    s.request("BYE", 5, "a");
    assert!(refuses(&s.sent("ACK 1")));
}

#[test]
fn awaiting_answer_the_users_own_answer_goes_before_its_bye() {
    let mut s = answered();
    s.command(Command::Acknowledge(sdp("no"))).unwrap();
    s.hang_up();
    assert_eq!(s.take(), ["ACK 1", "BYE 2"]);
    assert_eq!(s.sent("ACK 1").body_slice(), b"no");
}

#[test]
fn reinvite_whose_2xx_offers_what_is_not_wanted_is_answered_before_the_bye() {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(nothing())).unwrap();
    offers(&mut s, "INVITE 2", 200, "a");
    s.hang_up();
    // 3261-14.2-10
    assert_eq!(
        s.take(),
        ["INVITE 2", "updated 200, answer needed", "ACK 2", "BYE 3"]
    );
    assert!(refuses(&s.sent("ACK 2")));
}

#[test]
fn offers_of_2xx_that_nobody_wants_are_answered() {
    // It crossed the CANCEL; and another fork was as fast.
    let mut s = placed();
    s.hang_up();
    for tag in ["a", "b"] {
        offers(&mut s, "INVITE 1", 200, tag);
        // 3261-13.2.2.4-11
        assert!(refuses(&s.sent("ACK 1")), "{tag}");
    }
    // One that lost.
    let mut s = answered();
    s.command(Command::Acknowledge(sdp("answer"))).unwrap();
    offers(&mut s, "INVITE 1", 200, "b");
    assert!(refuses(&s.sent("ACK 1")));
    // A re-INVITE that the BYE overtook.
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(nothing())).unwrap();
    s.hang_up();
    offers(&mut s, "INVITE 2", 200, "a");
    assert!(refuses(&s.sent("ACK 2")));
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(nothing())).unwrap();
    s.request("BYE", 5, "a");
    offers(&mut s, "INVITE 2", 200, "a");
    assert!(refuses(&s.sent("ACK 2")));
    // The INVITE made the offer: this is the answer, and the ACK carries nothing.
    let mut s = Script::place();
    s.hang_up();
    offers(&mut s, "INVITE 1", 200, "a");
    assert!(s.sent("ACK 1").body_slice().is_empty());
}

#[test]
fn inviting_hang_up_answers_the_offer_of_a_reliable_response_in_its_prack() {
    let mut s = placed();
    offers(&mut s, "INVITE 1", 183, "a");
    assert_eq!(s.take(), ["INVITE 1", "progress 183, answer needed"]);
    s.hang_up();
    // 6337-5.2.4-51
    assert_eq!(s.take(), ["PRACK 2", "CANCEL 1"]);
    assert!(refuses(&s.sent("PRACK 2")));
    assert_eq!(one(&s.sent("PRACK 2"), "RAck"), "7 1 INVITE");
}

#[test]
fn inviting_offer_that_nobody_answers_is_refused_in_its_prack() {
    let mut s = placed();
    offers(&mut s, "INVITE 1", 183, "a");
    s.skip();
    s.run_to(secs(31));
    assert_eq!(s.take(), ["PRACK 2", "CANCEL 1"]);
    assert!(refuses(&s.sent("PRACK 2")));
    // One that comes when the call is cancelled already is not waited for without end.
    let mut s = placed();
    s.respond("INVITE 1", 180, "b");
    s.hang_up();
    offers(&mut s, "INVITE 1", 183, "a");
    s.skip();
    s.run_to(secs(31));
    assert_eq!(s.take(), ["PRACK 2"]);
    s.fail("INVITE 1", Failure::CancelTimeout);
}

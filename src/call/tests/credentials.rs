//! Challenges: RFC 3261 22.2, 22.3; the ACK of 22.1.

use alloc::sync::Arc;

use super::script::{Script, all, context, invitation, nothing, one, sdp};
use crate::auth::{Account, Keyring, Secret};
use crate::call::Command;

const CHALLENGE: &str = r#"Digest realm="atlanta.example.com", nonce="84f1c1ae", qop="auth""#;
const AGAIN: &str = r#"Digest realm="atlanta.example.com", nonce="77ab", stale=true, qop="auth""#;

fn with_account() -> Script {
    let secret = Secret::password("zanzibar");
    let account = Account::new("atlanta.example.com", "alice", secret).unwrap();
    let mut context = context();
    context.keyring = Arc::new(Keyring::new().with(account));
    let mut s = Script::place_with(context, invitation());
    s.skip();
    s
}

fn challenge(s: &mut Script, label: &str, value: &str) {
    s.respond_with(
        label,
        407,
        Some("p"),
        &[("Proxy-Authenticate", value)],
        None,
    );
}

#[test]
fn inviting_challenge_is_answered_with_a_higher_cseq() {
    let mut s = with_account();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    assert_eq!(s.take(), ["INVITE 2"]);
    let (first, second) = (s.sent("INVITE 1"), s.sent("INVITE 2"));
    // 3261-22.2-02, 3261-22.2-05, 3261-22.2-06
    assert!(one(&second, "Proxy-Authorization").contains(r#"username="alice""#));
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.from_tag(), first.from_tag());
    assert_eq!(second.to_tag(), None);
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.body_slice(), first.body_slice());
    s.gone("INVITE 1");
    s.respond("INVITE 2", 200, "a");
    assert_eq!(s.take(), ["ACK 2", "answered 200"]);
    // 3261-22.1-08, 3261-13.2.2.4-08: the ACK cannot be challenged; it repeats the credentials. PAINS 89
    let ack = one(&s.sent("ACK 2"), "Proxy-Authorization");
    assert_eq!(ack, one(&second, "Proxy-Authorization"));
    s.respond("INVITE 2", 200, "a");
    assert_eq!(s.take(), ["ACK 2"]);
}

#[test]
fn inviting_success_names_the_next_nonce() {
    let mut s = with_account();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    let next = ("Proxy-Authentication-Info", r#"nextnonce="99cc""#);
    let contact = ("Contact", "<sip:bob@192.0.2.4>");
    s.respond_with("INVITE 2", 200, Some("a"), &[contact, next], Some("answer"));
    s.skip();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    // 7616-3.5-01
    let shown = one(&s.sent("INVITE 3"), "Proxy-Authorization");
    assert!(
        shown.contains(r#"nonce="99cc""#) && shown.contains("nc=00000001"),
        "{shown}"
    );
}

#[test]
fn inviting_challenge_without_an_account_is_a_refusal() {
    let mut s = Script::place();
    s.skip();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    assert_eq!(s.take(), ["ended: refused 407"]);
}

#[test]
fn inviting_challenge_repeated_is_a_refusal_but_a_stale_one_is_not() {
    let mut s = with_account();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    challenge(&mut s, "INVITE 2", CHALLENGE);
    // 3261-22.1-11, 3261-22.1-12, 3261-22.1-13, PAINS 53
    assert_eq!(s.take(), ["INVITE 2", "ended: refused 407"]);

    let mut s = with_account();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    challenge(&mut s, "INVITE 2", AGAIN);
    assert_eq!(s.take(), ["INVITE 2", "INVITE 3"]);
    assert!(one(&s.sent("INVITE 3"), "Proxy-Authorization").contains(r#"nonce="77ab""#));
}

// 3261-9.1-16
#[test]
fn inviting_challenge_after_hang_up_ends_the_call() {
    let mut s = with_account();
    s.hang_up();
    s.skip();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    assert_eq!(s.take(), ["ended: cancelled"]);
}

// 3261-15.1.1-03
#[test]
fn confirmed_requests_carry_credentials_unasked_and_bye_is_tried_again() {
    let mut s = with_account();
    challenge(&mut s, "INVITE 1", CHALLENGE);
    s.gone("INVITE 1");
    s.respond("INVITE 2", 200, "a");
    s.gone("INVITE 2");
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.skip();
    // PAINS 52: each use of a nonce has its count.
    let first = one(&s.sent("INVITE 2"), "Proxy-Authorization");
    let third = one(&s.sent("INVITE 3"), "Proxy-Authorization");
    assert!(
        first.contains("nc=00000001") && third.contains("nc=00000002"),
        "{third}"
    );
    challenge(&mut s, "INVITE 3", AGAIN);
    assert_eq!(s.take(), ["INVITE 4"]);
    s.respond("INVITE 4", 200, "a");
    s.command(Command::HangUp(nothing())).unwrap();
    s.skip();
    // PAINS 55: the dialog is there until the BYE is final.
    let stale = AGAIN.replace("77ab", "9901");
    challenge(&mut s, "BYE 5", &stale);
    assert_eq!(s.take(), ["BYE 6"]);
    assert_eq!(all(&s.sent("BYE 6"), "Proxy-Authorization").len(), 1);
    s.respond("BYE 6", 200, "a");
    assert_eq!(s.take(), ["ended: BYE of this side"]);
}

#[test]
fn inviting_prack_that_is_challenged_goes_again_with_credentials() {
    let mut s = with_account();
    let extra = [
        ("Require", "100rel"),
        ("RSeq", "7"),
        ("Contact", "<sip:a@192.0.2.4:5070>"),
    ];
    s.respond_with("INVITE 1", 180, Some("a"), &extra, None);
    assert_eq!(s.take(), ["PRACK 2", "progress 180"]);
    challenge(&mut s, "PRACK 2", CHALLENGE);
    assert_eq!(s.take(), ["PRACK 3"]);
    // 3262-9-01
    let again = s.sent("PRACK 3");
    assert!(one(&again, "Proxy-Authorization").contains(r#"username="alice""#));
    assert_eq!(one(&again, "RAck"), one(&s.sent("PRACK 2"), "RAck"));
}

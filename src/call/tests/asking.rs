//! Requests outside of any dialog, other than INVITE.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::script::{FROM, Script, TARGET, all, context, headers, nothing, one, outgoing};
use crate::auth::{Account, Keyring, Secret};
use crate::call::{Call, Command, Context, Invitation, Retries};
use crate::error::Misuse;
use crate::message::{Body, Outgoing};
use crate::time::Time;
use crate::transaction::Failure;

fn message() -> Invitation {
    let text = Body::new("text/plain", "hello").unwrap();
    let outgoing = Outgoing::new().with_headers(headers(&[("Subject", "greeting")]));
    Invitation::new(TARGET, FROM)
        .unwrap()
        .with(outgoing.with_body(text))
}

#[test]
fn asking_sends_one_request_and_ends_with_its_2xx() {
    let mut s = Script::ask("MESSAGE", message());
    let sent = s.sent("MESSAGE 1");
    // 3261-8.1.1-01: all that a request must have; RFC 3428 4: no Contact.
    assert_eq!(one(&sent, "To"), "<sip:bob@192.0.2.4>");
    assert!(one(&sent, "From").starts_with(FROM));
    assert_eq!(one(&sent, "Max-Forwards"), "70");
    assert_eq!(one(&sent, "Subject"), "greeting");
    assert_eq!(one(&sent, "Supported"), "path");
    assert_eq!(all(&sent, "Contact"), [""; 0]);
    assert_eq!(sent.body_slice(), b"hello");
    s.respond("MESSAGE 1", 100, "a");
    assert_eq!(s.call.state(), "Asking");
    s.respond("MESSAGE 1", 202, "a");
    let expected = [
        "MESSAGE 1",
        "response 100",
        "ended: completed 202",
        "terminated",
    ];
    assert_eq!(s.take(), expected);
}

#[test]
fn asking_of_a_method_that_needs_a_dialog_is_a_misuse() {
    for method in [
        "INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "", "A B",
    ] {
        let mut out = Vec::new();
        let ids = context().ids.call(1);
        let context = Arc::new(context());
        let result = Call::ask(Time::ZERO, context, &ids, method, message(), &mut out);
        assert_eq!(
            result,
            Err(Misuse::Malformed { what: "method" }),
            "{method}"
        );
        assert_eq!(out, []);
    }
}

#[test]
fn asking_challenged_goes_again_with_credentials() {
    let account = Account::new("example.com", "alice", Secret::password("zanzibar")).unwrap();
    let context = Context {
        keyring: Keyring::new().with(account).into(),
        ..context()
    };
    let mut s = Script::ask_with(context, "MESSAGE", message());
    let challenge = [(
        "WWW-Authenticate",
        "Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"",
    )];
    s.respond_with("MESSAGE 1", 401, Some("a"), &challenge, None);
    let (first, again) = (s.sent("MESSAGE 1"), s.sent("MESSAGE 2"));
    assert!(one(&again, "Authorization").contains("username=\"alice\""));
    // 3261-8.1.3.5-02: the same but for CSeq and branch.
    for name in ["Call-ID", "From", "To", "Subject"] {
        assert_eq!(one(&first, name), one(&again, name), "{name}");
    }
    assert_ne!(one(&first, "Via"), one(&again, "Via"));
    // 3261-22.1-07: credentials that were refused are not sent again.
    s.respond_with("MESSAGE 2", 401, Some("a"), &challenge, None);
    let expected = ["MESSAGE 1", "MESSAGE 2", "ended: refused 401", "terminated"];
    assert_eq!(s.take(), expected);
}

#[test]
fn asking_redirected_asks_the_targets_one_after_another() {
    let contacts = [("Contact", "<sip:c@192.0.2.7>;q=0.5, <sip:d@192.0.2.8>")];
    let mut s = Script::ask("MESSAGE", message());
    s.respond_with("MESSAGE 1", 302, Some("a"), &contacts, None);
    s.fail("MESSAGE 2", Failure::Timeout);
    s.respond("MESSAGE 3", 200, "a");
    let expected = [
        "MESSAGE 1",
        "redirected Some(302) to sip:d@192.0.2.8",
        "MESSAGE 2",
        "redirected None to sip:c@192.0.2.7",
        "MESSAGE 3",
        "ended: completed 200",
        "terminated",
    ];
    assert_eq!(s.take(), expected);

    let careful = message().with_retries(Retries::NONE);
    let mut s = Script::ask("MESSAGE", careful);
    s.respond_with("MESSAGE 1", 302, Some("a"), &contacts, None);
    assert_eq!(s.take(), ["MESSAGE 1", "ended: refused 302", "terminated"]);
}

#[test]
fn asking_refused_goes_again_as_the_refusal_asks() {
    // 21.4.11, 21.4.13, 21.4.15
    let refusals: [(u16, &[(&str, &str)]); 3] = [
        (413, &[]),
        (415, &[("Accept", "application/sdp")]),
        (420, &[("Unsupported", "x")]),
    ];
    for (status, extra) in refusals {
        let asks = outgoing(&[("Require", "x")]);
        let asks = asks.with_body(Body::new("text/plain", "hello").unwrap());
        let all = message().with(asks).with_retries(Retries::ALL);
        let mut s = Script::ask("MESSAGE", all);
        s.respond_with("MESSAGE 1", status, Some("a"), extra, None);
        assert_eq!(s.take().pop().unwrap(), "MESSAGE 2", "{status}");
        // Once.
        s.respond_with("MESSAGE 2", status, Some("a"), extra, None);
        assert_eq!(s.take()[0], alloc::format!("ended: refused {status}"));
    }
}

#[test]
fn asking_without_an_answer_ends() {
    let mut s = Script::ask("OPTIONS", Invitation::new(TARGET, FROM).unwrap());
    s.fail("OPTIONS 1", Failure::Timeout);
    assert_eq!(
        s.take(),
        ["OPTIONS 1", "ended: failed Timeout", "terminated"]
    );
}

// 3261-9.1-04
#[test]
fn asking_hung_up_hears_no_more_and_cancels_nothing() {
    let mut s = Script::ask("OPTIONS", Invitation::new(TARGET, FROM).unwrap());
    let result = s.command(Command::Answer(nothing()));
    assert!(matches!(result, Err(Misuse::WrongState { .. })));
    s.hang_up();
    // 3261-9.1-02
    assert_eq!(s.take(), ["OPTIONS 1", "ended: cancelled", "terminated"]);
}

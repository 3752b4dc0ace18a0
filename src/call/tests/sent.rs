//! Requests of this side within the dialog: challenges, and what their failures end (RFC 5057).

use alloc::sync::Arc;

use super::script::{Script, all, context, invitation, one, outgoing};
use crate::auth::{Account, Keyring, Secret};
use crate::call::failure::{Effect, effect};
use crate::call::{Command, Event};
use crate::machine::Machine;
use crate::message::{Method, StatusCode};
use crate::transaction::Failure;

const CHALLENGE: &str = r#"Digest realm="atlanta.example.com", nonce="84f1c1ae", qop="auth""#;

/// A confirmed call of somebody with an account.
fn confirmed() -> Script {
    let secret = Secret::password("zanzibar");
    let account = Account::new("atlanta.example.com", "alice", secret).unwrap();
    let mut context = context();
    context.keyring = Arc::new(Keyring::new().with(account));
    let mut s = Script::place_with(context, invitation());
    s.respond("INVITE 1", 200, "a");
    s.gone("INVITE 1");
    s.skip();
    s
}

fn send(s: &mut Script, method: &str) -> String {
    let outgoing = outgoing(&[("X-Own", "kept")]);
    let command = match method {
        "UPDATE" => Command::Update {
            leg: None,
            outgoing,
        },
        method => Command::Request {
            method: method.into(),
            outgoing,
        },
    };
    s.command(command).unwrap();
    s.take().remove(0)
}

#[test]
fn confirmed_challenge_to_any_request_is_answered() {
    let mut s = confirmed();
    // 3261-22.2-02, 3261-8.1.3.5-01. PAINS 52
    let methods = ["INFO", "MESSAGE", "REFER", "OPTIONS", "NOTIFY"];
    for (at, method) in methods.into_iter().enumerate() {
        let first = send(&mut s, method);
        // Each in another realm of the same account would be asked once; here the nonce is stale.
        let challenge =
            CHALLENGE.replace("84f1c1ae", &format!("{at}\", stale=true, opaque=\"{at}"));
        let with = [("WWW-Authenticate", challenge.as_str())];
        s.respond_with(&first, 401, Some("a"), &with, None);
        let said = s.take();
        let [again] = said.as_slice() else {
            panic!("{said:?}");
        };
        let (one_sent, two_sent) = (s.sent(&first), s.sent(again));
        assert!(one(&two_sent, "Authorization").contains(&format!("nonce=\"{at}\"")));
        assert_eq!(one(&two_sent, "X-Own"), "kept");
        assert_eq!(two_sent.cseq().number, one_sent.cseq().number + 1);
        assert_eq!(two_sent.method(), one_sent.method());
        // The user's name for the request is that of its first try.
        let name = s.id(&first);
        let response = s.response(again, 200, Some("a"), &[], None);
        let request = s.id(again);
        let mut out = Vec::new();
        let event = Event::Response {
            request,
            response: response.into(),
        };
        s.call.receive(s.now, event, &mut out);
        assert!(format!("{out:?}").contains(&format!("{name:?}")), "{out:?}");
        assert_eq!(out.len(), 1);
    }
}

#[test]
fn confirmed_challenge_to_an_update_is_answered() {
    // 3261-22.2-02
    let mut s = confirmed();
    let first = send(&mut s, "UPDATE");
    let with = [("WWW-Authenticate", CHALLENGE)];
    s.respond_with(&first, 401, Some("a"), &with, None);
    assert_eq!(s.take(), ["UPDATE 3"]);
    assert_eq!(all(&s.sent("UPDATE 3"), "Authorization").len(), 1);
    s.respond_with("UPDATE 3", 401, Some("a"), &with, None);
    assert_eq!(s.take(), ["update refused 401"]);
}

#[test]
fn confirmed_challenge_repeated_is_handed_over() {
    let mut s = confirmed();
    let first = send(&mut s, "INFO");
    let with = [("Proxy-Authenticate", CHALLENGE)];
    s.respond_with(&first, 407, Some("a"), &with, None);
    assert_eq!(s.take(), ["INFO 3"]);
    // PAINS 53
    s.respond_with("INFO 3", 407, Some("a"), &with, None);
    assert_eq!(s.take(), ["response 407"]);
    let mut s = Script::confirmed_as_caller();
    let first = send(&mut s, "INFO");
    s.respond_with(&first, 407, Some("a"), &with, None);
    assert_eq!(s.take(), ["response 407"]);
}

#[test]
fn leaving_challenge_is_not_answered() {
    let mut s = confirmed();
    let first = send(&mut s, "INFO");
    s.hang_up();
    s.skip();
    let with = [("Proxy-Authenticate", CHALLENGE)];
    s.respond_with(&first, 407, Some("a"), &with, None);
    assert_eq!(s.take(), ["response 407"]);
}

#[test]
fn confirmed_credentials_go_with_what_follows() {
    let mut s = confirmed();
    let first = send(&mut s, "INFO");
    s.respond_with(
        &first,
        401,
        Some("a"),
        &[("WWW-Authenticate", CHALLENGE)],
        None,
    );
    s.skip();
    let message = send(&mut s, "MESSAGE");
    assert_eq!(all(&s.sent(&message), "Authorization").len(), 1);
}

/// Every status of the table, to a request of each usage, does what the table says.
#[test]
fn confirmed_failure_ends_what_rfc_5057_says() {
    // 5057-5.3-01, 5057-5.3-02, 5057-5.3-03, 5057-5.3-04, 5057-5.1-07, 5057-5.1-28, 5057-5.1-36
    let own = [("UPDATE", Effect::Usage), ("INFO", Effect::Usage)];
    let others = ["OPTIONS", "MESSAGE", "REFER", "NOTIFY"];
    let others = others.map(|method| (method, Effect::Dialog));
    for (name, least) in own.into_iter().chain(others) {
        let method = Method::parse(name.as_bytes()).unwrap();
        for status in 400..700 {
            let mut s = Script::confirmed_as_caller();
            let label = send(&mut s, name);
            s.respond(&label, status, "a");
            let ends = effect(method, StatusCode::new(status).unwrap()) >= least;
            let expected = if ends { "Leaving" } else { "Confirmed" };
            assert_eq!(s.call.state(), expected, "{name} {status}");
        }
    }
}

#[test]
fn confirmed_refused_reinvite_ends_what_rfc_5057_says() {
    for status in (300..700).filter(|status| *status != 491) {
        let mut s = Script::confirmed_as_caller();
        s.command(Command::Reinvite(super::script::sdp("offer")))
            .unwrap();
        s.respond("INVITE 2", status, "a");
        let ends = effect(Method::Invite, StatusCode::new(status).unwrap()) >= Effect::Usage;
        let expected = if ends { "Leaving" } else { "Confirmed" };
        assert_eq!(s.call.state(), expected, "{status}");
    }
}

#[test]
fn confirmed_480_that_says_when_to_come_again_leaves_the_session() {
    // 5057-5.1-27
    let mut s = Script::confirmed_as_caller();
    for (method, said) in [("INFO", "response 480"), ("UPDATE", "update refused 480")] {
        let label = send(&mut s, method);
        s.respond_with(&label, 480, Some("a"), &[("Retry-After", "5")], None);
        assert_eq!(s.take(), [said]);
    }
    assert_eq!(s.call.state(), "Confirmed");
}

#[test]
fn confirmed_silence_ends_the_session_only_if_it_met_its_own() {
    // 5057-5.1-10, 5057-5.2-01
    for (method, state) in [
        ("UPDATE", "Leaving"),
        ("INFO", "Leaving"),
        ("OPTIONS", "Confirmed"),
        ("MESSAGE", "Confirmed"),
        ("REFER", "Confirmed"),
    ] {
        let mut s = Script::confirmed_as_caller();
        let label = send(&mut s, method);
        s.fail(&label, Failure::Timeout);
        assert_eq!(s.call.state(), state, "{method}");
    }
}

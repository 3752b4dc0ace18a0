//! The keys against RFC 3261 17.1.3, 17.2.3 and 9.2.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::invite_server::{Action, Command, Event};
use super::super::testing::{INVITE, Timed, ms, request, status, tagged, written};
use super::super::{InviteServer, Reliability, Timers};
use super::*;
use crate::message::{Message, Reply};
use crate::seed::{Ids, Seed};

fn acknowledged(ack: &Request) -> Vec<Acknowledged> {
    ServerKey::of_acknowledged(ack).collect()
}

/// An INVITE with this top Via, as a client of today sends it.
fn with_via(via: &str) -> String {
    let top = "SIP/2.0/UDP pc33.atlanta.example.com:5066;branch=z9hG4bKnashds8;rport";
    INVITE.replace(top, via)
}

/// As a client of RFC 2543 sends it: no branch at all.
fn legacy() -> String {
    with_via("SIP/2.0/UDP pc33.atlanta.example.com:5066")
}

fn key(text: &str) -> ServerKey {
    ServerKey::of_request(&request(text))
}

fn key_of_via(via: &str) -> ServerKey {
    key(&with_via(via))
}

/// The same request with another method, in the start line and in CSeq.
fn method(text: &str, method: &str) -> String {
    text.replace("INVITE", method)
}

fn with_to_tag(text: &str, tag: &str) -> String {
    let to = "To: Bob <sip:bob@biloxi.example.com>";
    text.replace(to, &alloc::format!("{to};tag={tag}"))
}

fn response_with_via(via: &str, method: &str) -> Response {
    let text = alloc::format!(
        "SIP/2.0 200 OK\r\nVia: {via}\r\nTo: <sip:b@b.example>;tag=1\r\n\
         From: <sip:a@a.example>;tag=2\r\nCall-ID: other@a.example\r\nCSeq: 7 {method}\r\n\r\n"
    );
    Response::try_from(Message::parse(Bytes::from(text)).unwrap()).unwrap()
}

// PAINS 86: a top Via that had gained a port still matches.
// 3261-17.1.3-01, 3261-17.1.3-03
#[test]
fn response_matches_by_branch_and_method_alone() {
    let sent = ClientKey::new("z9hG4bKnashds8", Method::Invite);
    assert_eq!(
        ClientKey::of_response(&tagged(200, "x", "INVITE")),
        Some(sent.clone())
    );
    // Another sent-by, Call-ID, number and tags.
    let via = "SIP/2.0/TCP elsewhere.example.com:5060;branch=z9hG4bKnashds8";
    let of = |via, method| ClientKey::of_response(&response_with_via(via, method));
    assert_eq!(of(via, "INVITE"), Some(sent.clone()));
    assert_ne!(of(&via.replace("ds8", "ds9"), "INVITE"), Some(sent));
}

// 3261-17.1.3-02, 3261-17-02
#[test]
fn response_to_cancel_or_ack_does_not_match_the_invite() {
    let sent = ClientKey::new("z9hG4bKnashds8", Method::Invite);
    for method in ["CANCEL", "ACK", "OPTIONS", "invite"] {
        assert_ne!(
            ClientKey::of_response(&tagged(200, "x", method)),
            Some(sent.clone())
        );
    }
}

// 3261-17.1.3-04
#[test]
fn response_whose_branch_changed_case_matches() {
    let sent = ClientKey::new("z9hG4bKnAsHds8", Method::Invite);
    assert_eq!(
        ClientKey::of_response(&tagged(200, "x", "INVITE")),
        Some(sent)
    );
}

#[test]
fn client_key_gives_its_branch_as_it_is_written() {
    let key = ClientKey::new("z9hG4bKnAsH", Method::Invite);
    assert_eq!(key.branch(), "z9hG4bKnAsH");
}

#[test]
fn response_without_branch_has_no_key() {
    let response = response_with_via("SIP/2.0/UDP a.example.com", "INVITE");
    assert_eq!(ClientKey::of_response(&response), None);
}

/// PAINS 88: a request to oneself. Keys of different types cannot be taken for one another.
#[test]
fn client_and_server_keys_are_of_different_types() {
    use core::any::TypeId;
    assert_ne!(TypeId::of::<ClientKey>(), TypeId::of::<ServerKey>());
}

// 3261-17.2.3-01
#[test]
fn request_matches_by_branch_sent_by_and_method() {
    let invite = key(INVITE);
    // Nothing else takes part: not the URI, the tags, the Call-ID, the number or the transport.
    let other = INVITE
        .replace("INVITE sip:bob@biloxi", "INVITE sip:carol@chicago")
        .replace("1928301774", "other")
        .replace("a84b4c76e66710", "other")
        .replace("314159", "1")
        .replace("SIP/2.0/UDP pc33", "SIP/2.0/TCP pc33");
    assert_ne!(other, INVITE);
    assert_eq!(key(&with_to_tag(&other, "x")), invite);
    for via in [
        "SIP/2.0/UDP pc33.atlanta.example.com:5066;branch=z9hG4bKnashds9",
        "SIP/2.0/UDP pc34.atlanta.example.com:5066;branch=z9hG4bKnashds8",
        "SIP/2.0/UDP pc33.atlanta.example.com:5067;branch=z9hG4bKnashds8",
    ] {
        assert_ne!(key_of_via(via), invite, "{via}");
    }
    assert_ne!(key(&method(INVITE, "OPTIONS")), invite);
}

// 3261-17.2.3-03
#[test]
fn sent_by_compares_without_case() {
    let via = "SIP/2.0/UDP PC33.Atlanta.EXAMPLE.com:5066;branch=z9hG4bKnashds8";
    assert_eq!(key_of_via(via), key(INVITE));
}

// 3261-17.2.3-04
#[test]
fn sent_by_without_port_is_another_one() {
    assert_ne!(
        key_of_via("SIP/2.0/UDP a.example.com;branch=z9hG4bK1"),
        key_of_via("SIP/2.0/UDP a.example.com:5060;branch=z9hG4bK1")
    );
}

// PAINS 91.
// 3261-17.2.3-03
#[test]
fn sent_by_ipv6_is_compared_by_value() {
    let of = |sent_by: &str| key_of_via(&alloc::format!("SIP/2.0/UDP {sent_by};branch=z9hG4bK1"));
    assert_eq!(of("[2001:db8::1]:5060"), of("[2001:DB8:0::1]:5060"));
    assert_ne!(of("[2001:db8::1]:5060"), of("[2001:db8::1:5060]"));
    assert_ne!(of("[2001:db8::1]:5060"), of("[2001:db8::1]"));
}

// 3261-17.2.3-02, 3261-17.2.3-06
#[test]
fn ack_matches_the_invite_if_it_has_its_branch() {
    let invite = key(INVITE);
    let keys = |text: &str| -> Vec<ServerKey> {
        let keys = acknowledged(&request(text));
        assert!(keys.iter().all(|a| !a.by_sent_tag));
        keys.into_iter().map(|a| a.key).collect()
    };
    let ack = with_to_tag(&method(INVITE, "ACK"), "ours");
    assert_eq!(keys(&ack), core::slice::from_ref(&invite));
    // That for a 2xx has a branch of its own.
    assert_ne!(keys(&ack.replace("nashds8", "nashds9")), [invite]);
}

// 3261-17.2.3-02
#[test]
fn other_methods_match_their_own_kind_alone() {
    let names = ["INVITE", "OPTIONS", "BYE", "CANCEL", "PRACK", "options"];
    for one in names {
        for other in names {
            let equal = key(&method(INVITE, one)) == key(&method(INVITE, other));
            assert_eq!(equal, one == other, "{one}, {other}");
        }
    }
}

// PAINS 16.
// 3261-17.2.3-05, 3261-9.2-01, 3261-9.2-02, 3261-9.2-03, 3261-9.2-04
#[test]
fn cancel_has_its_own_key_and_names_what_it_cancels() {
    let cancel = method(INVITE, "CANCEL");
    let parsed = request(&cancel);
    assert_ne!(key(&cancel), key(INVITE));
    assert_eq!(key(&cancel), key(&cancel));
    assert_eq!(
        ServerKey::of_cancelled(&parsed, Method::Invite),
        key(INVITE)
    );
    let options = key(&method(INVITE, "OPTIONS"));
    assert_eq!(ServerKey::of_cancelled(&parsed, Method::Options), options);
    // Neither Call-ID nor tags nor the number are needed.
    let other = cancel
        .replace("a84b4c76e66710", "x")
        .replace("1928301774", "x");
    let other = request(&with_to_tag(&other.replace("314159", "1"), "x"));
    assert_eq!(ServerKey::of_cancelled(&other, Method::Invite), key(INVITE));
}

// 3261-9.2-01
#[test]
fn legacy_cancel_names_what_it_cancels() {
    let cancel = request(&method(&legacy(), "CANCEL"));
    assert_eq!(
        ServerKey::of_cancelled(&cancel, Method::Invite),
        key(&legacy())
    );
    let other = request(&method(&legacy(), "CANCEL").replace("a84b4c76e66710", "x"));
    assert_ne!(
        ServerKey::of_cancelled(&other, Method::Invite),
        key(&legacy())
    );
}

/// Two requests with this branch and different Call-IDs.
fn told_apart(branch: &str) -> bool {
    let via = alloc::format!("SIP/2.0/UDP a.example.com;branch={branch}");
    let one = with_via(&via);
    key(&one) != key(&one.replace("a84b4c76e66710", "other"))
}

// PAINS 87.
// 3261-17.2.3-08, 3261-17.2.3-09
#[test]
fn branch_identifies_by_the_exact_cookie_and_something_behind() {
    assert!(!told_apart("z9hG4bK1"));
    for branch in ["z9hG4bK", "Z9HG4BK1", "z9hG4b", "1z9hG4bK1", "4"] {
        assert!(told_apart(branch), "{branch}");
    }
}

// 3261-17.2.3-10, 3261-17.2.3-12
#[test]
fn legacy_request_matches_by_everything() {
    for name in ["INVITE", "OPTIONS"] {
        let text = method(&legacy(), name);
        assert_eq!(key(&text), key(&text));
        for other in [
            text.replace(
                "sip:bob@biloxi.example.com SIP",
                "sip:carol@biloxi.example.com SIP",
            ),
            with_to_tag(&text, "x"),
            text.replace("1928301774", "x"),
            text.replace("a84b4c76e66710", "x"),
            text.replace("314159", "314160"),
            text.replace(name, "BYE"),
            text.replace("pc33.atlanta.example.com:5066", "pc33.atlanta.example.com"),
            text.replace("SIP/2.0/UDP pc33", "SIP/2.0/TCP pc33"),
            text.replace("com:5066", "com:5066;branch=4"),
        ] {
            assert_ne!(other, text);
            assert_ne!(key(&other), key(&text), "{other}");
        }
    }
}

// 3261-17.2.3-13
#[test]
fn legacy_parts_compare_as_their_headers_do() {
    let text = legacy();
    let uri = |uri: &str| {
        key(&text.replace(
            "INVITE sip:bob@biloxi.example.com",
            &alloc::format!("INVITE {uri}"),
        ))
    };
    let bob = uri("sip:bob@biloxi.example.com");
    for same in ["SIP:bob@BILOXI.example.com", "sip:%62ob@biloxi.example.com"] {
        assert_eq!(uri(same), bob, "{same}");
    }
    for other in [
        "sip:Bob@biloxi.example.com",
        "sips:bob@biloxi.example.com",
        "sip:bob@biloxi.example.com:5060",
        "sip:bob:secret@biloxi.example.com",
        "sip:biloxi.example.com",
        "sip:bob@biloxi.example.com;transport=udp",
        "tel:+1",
    ] {
        assert_ne!(uri(other), bob, "{other}");
    }
    // A parameter that only one of two equal URIs may have.
    assert_eq!(uri("sip:bob@biloxi.example.com;lr"), bob);
    let transport = uri("sip:bob@biloxi.example.com;transport=udp");
    assert_eq!(uri("sip:bob@biloxi.example.com;Transport=UDP"), transport);
    // Via without case, Call-ID byte by byte.
    let via = text.replace("SIP/2.0/UDP pc33.atlanta", "sip/2.0/udp PC33.Atlanta");
    assert_eq!(key(&via), key(&text));
    assert_ne!(key(&text.replace("a84b4c", "A84B4C")), key(&text));
}

#[test]
fn legacy_parts_cannot_run_into_each_other() {
    let uri = |user: &str| {
        let start = alloc::format!("INVITE sip:{user}@biloxi");
        key(&legacy().replace("INVITE sip:bob@biloxi", &start))
    };
    // Escaped nulls and what once stood between the parts.
    assert_ne!(uri("a%00%3Db"), uri("a:b%00"));
    assert_ne!(uri("a%00=b"), uri("a:b%00"));
    assert_ne!(uri("a:"), uri("a"));
}

// 3261-17.2.3-14
#[test]
fn legacy_missing_tags_take_part_as_null() {
    let text = legacy().replace(";tag=1928301774", "");
    assert_eq!(key(&text), key(&text));
    assert_ne!(key(&text), key(&legacy()));
    // A To tag is not a From tag.
    assert_ne!(key(&with_to_tag(&text, "1928301774")), key(&legacy()));
}

/// The server transaction of a legacy INVITE that was answered, and an ACK of it.
fn answered(code: u16) -> (Timed<InviteServer>, Request) {
    let invite = request(&legacy());
    let reply = Reply::new(&invite);
    let timers = Timers::DEFAULT;
    let mut script =
        Timed::new(|out| InviteServer::new(ms(0), timers, Reliability::Unreliable, reply, out));
    let command = Command::Respond {
        status: status(code),
        bytes: written(code),
    };
    script.command(0, command).unwrap();
    let ack = request(&with_to_tag(&method(&legacy(), "ACK"), "ours"));
    (script, ack)
}

// PAINS 85.
// 3261-17.2.3-11
#[test]
fn legacy_ack_matches_by_the_tag_that_was_sent() {
    let (_, ack) = answered(486);
    let keys = acknowledged(&ack);
    let found: Vec<_> = keys.iter().filter(|a| a.key == key(&legacy())).collect();
    assert_eq!(found, vec![&keys[1]]);
    assert!(found[0].by_sent_tag, "the owner must compare the tag");
    let text = with_to_tag(&method(&legacy(), "ACK"), "ours");
    for other in [
        text.replace("a84b4c76e66710", "x"),
        text.replace("1928301774", "x"),
        text.replace("314159", "1"),
        text.replace("sip:bob@biloxi.example.com SIP", "sip:x@y.example SIP"),
        text.replace("com:5066", "com:5067"),
    ] {
        assert_ne!(other, text);
        let keys = acknowledged(&request(&other));
        assert!(keys.iter().all(|a| a.key != key(&legacy())), "{other}");
    }
}

// 3261-17.2.3-11
#[test]
fn legacy_ack_within_a_dialog_matches_by_its_own_tag() {
    let again = with_to_tag(&legacy(), "ours");
    let keys = acknowledged(&request(&method(&again, "ACK")));
    assert_eq!(keys[0].key, key(&again));
    assert!(!keys[0].by_sent_tag);
}

// 6026-6-05
#[test]
fn legacy_ack_of_a_success_goes_up() {
    let (mut script, ack) = answered(200);
    assert!(acknowledged(&ack).iter().any(|a| a.key == key(&legacy())));
    assert_eq!(
        script.receive(10, Event::Ack(ack.clone().into())),
        [Action::Ack(ack.into())]
    );
}

// 3261-17.2.3-07
#[test]
fn ack_of_a_success_with_the_branch_of_the_invite_goes_up() {
    let (mut script, _) = answered(200);
    let ack = request(&with_to_tag(&method(INVITE, "ACK"), "ours"));
    assert_eq!(acknowledged(&ack)[0].key, key(INVITE));
    assert_eq!(
        script.receive(10, Event::Ack(ack.clone().into())),
        [Action::Ack(ack.into())]
    );
}

// 3261-17.2.3-15
#[test]
fn legacy_ack_repeated_matches_again_and_is_absorbed() {
    let (mut script, ack) = answered(486);
    for _ in 0..3 {
        assert!(acknowledged(&ack).iter().any(|a| a.key == key(&legacy())));
        assert_eq!(script.receive(10, Event::Ack(ack.clone().into())), []);
        assert_eq!(script.machine.state(), "Confirmed");
    }
}

#[test]
fn long_branch_does_not_swallow_the_method() {
    let long = "z9hG4bK".to_owned() + &"x".repeat(300);
    let invite = ClientKey::new(&long, Method::Invite);
    assert_ne!(invite, ClientKey::new(&long, Method::Cancel));
    assert_eq!(invite, ClientKey::new(&long, Method::Invite));
    let text = alloc::format!("{invite:?}");
    assert!(text.contains(&long) && text.contains("INVITE"), "{text}");
}

#[test]
fn keys_are_shown_with_their_text() {
    let shown = alloc::format!("{:?}", ClientKey::new("z9hG4bK1", Method::Bye));
    assert!(
        shown.starts_with("ClientKey(") && shown.contains("z9hG4bK1"),
        "{shown}"
    );
    let shown = alloc::format!("{:?}", key(INVITE));
    assert!(
        shown.starts_with("ServerKey(") && shown.contains("nashds8"),
        "{shown}"
    );
}

/// A table tells the transactions of this side apart without a look at them.
#[test]
fn first_branches_of_calls_differ_in_their_marks() {
    let ids = Ids::new(Seed::from_bytes([9; 32]));
    let mark_of = |ordinal| mark(ids.branch(ids.call(ordinal).branch_base, 1).as_bytes());
    let marks: BTreeSet<_> = (0..20_000).map(mark_of).collect();
    assert_eq!(marks.len(), 20_000);
}

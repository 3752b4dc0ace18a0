//! What the INVITE of a placed call says: 8.1.1, 13.2.1.

use alloc::vec::Vec;

use super::script::{FROM, Script, TARGET, all, context, headers, invitation, one, outgoing, sdp};
use crate::call::{Action, Call, Invitation};
use crate::error::Misuse;
use crate::message::Message;

fn invite(invitation: Invitation) -> Message {
    Script::place_with(context(), invitation)
        .sent("INVITE 1")
        .into()
}

#[test]
fn an_invite_says_all_that_a_request_must_say() {
    let invite = Script::place().sent("INVITE 1");
    // 3261-8.1.1-01
    for name in ["To", "From", "CSeq", "Call-ID", "Max-Forwards", "Via"] {
        assert_eq!(all(&invite, name).len(), 1, "{name}");
    }
    // 3261-8.1.1.1-01, 3261-8.1.1.2-01
    assert_eq!(invite.uri().as_bytes(), TARGET.as_bytes());
    assert_eq!(invite.to_tag(), None);
    // 3261-8.1.1.3-01
    let (from, tag) = (one(&invite, "From"), invite.from_tag().unwrap());
    assert_eq!(from, alloc::format!("{FROM};tag={tag}"));
    // 3261-8.1.1.5-01, 3261-8.1.1.5-02
    assert_eq!(one(&invite, "CSeq"), "1 INVITE");
    // 3261-8.1.1.6-02
    assert_eq!(one(&invite, "Max-Forwards"), "70");
    // 3261-8.1.1.7-01, 3261-8.1.1.7-02
    assert!(one(&invite, "Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    // 3261-8.1.1.8-01
    assert_eq!(one(&invite, "Contact"), "<sip:alice@192.0.2.1:5060>");
    // 3261-13.2.1-01, 3261-13.2.1-02, 3261-8.1.1.9-01
    assert_eq!(one(&invite, "Allow"), "INVITE, ACK, CANCEL, BYE");
    assert_eq!(one(&invite, "Supported"), "path");
    assert_eq!(invite.body_slice(), b"offer");
    assert_eq!(one(&invite, "Content-Type"), "application/sdp");
}

#[test]
fn calls_differ_in_call_id_tag_and_branch() {
    let make = |ordinal| {
        let context = context();
        let ids = context.ids.call(ordinal);
        let mut out: Vec<Action> = Vec::new();
        let now = crate::time::Time::ZERO;
        let context = alloc::sync::Arc::new(context);
        Call::place(now, context, &ids, invitation(), &mut out).unwrap();
        match &out[..] {
            [Action::Invite { draft, .. }] => super::script::seal(draft),
            other => panic!("{other:?}"),
        }
    };
    let (a, b) = (make(1), make(2));
    // 3261-8.1.1.4-01, 3261-8.1.1.3-01, 3261-8.1.1.7-03
    assert_ne!(a.call_id(), b.call_id());
    assert_ne!(a.from_tag(), b.from_tag());
    assert_ne!(a.branch(), b.branch());
}

#[test]
fn requests_of_a_call_differ_in_branch() {
    let mut s = Script::placed_and_answered();
    s.respond("INVITE 1", 200, "b");
    let (fork_ack, fork_bye) = (s.sent("ACK 1"), s.sent("BYE 2"));
    s.hang_up();
    let sent = [s.sent("INVITE 1"), fork_ack, fork_bye, s.sent("BYE 2")];
    let branches: Vec<_> = sent.iter().map(|request| request.branch()).collect();
    for (at, branch) in branches.iter().enumerate() {
        // 3261-8.1.1.7-03
        assert!(!branches[..at].contains(branch));
    }
}

#[test]
fn to_has_no_port_and_no_transport() {
    let to = |target| one(&invite(Invitation::new(target, FROM).unwrap()), "To");
    let target = "sips:b@example.org:5071;transport=tcp?Subject=x";
    assert_eq!(to(target), "<sips:b@example.org>");
    assert_eq!(to("sip:[2001:db8::1]:5080"), "<sip:[2001:db8::1]>");
    assert_eq!(to("tel:+358-555-1234567"), "<tel:+358-555-1234567>");
}

#[test]
fn the_request_uri_has_no_headers_and_no_method() {
    let target = "sip:b;x@example.org;method=INVITE;transport=tcp?Subject=x";
    let invite = invite(Invitation::new(target, FROM).unwrap());
    let uri = invite.uri_bytes().unwrap();
    assert_eq!(uri, b"sip:b;x@example.org;transport=tcp");
}

#[test]
fn a_sips_target_or_route_needs_a_sips_contact() {
    let contact = |target, route: Option<&str>| {
        let mut invitation = Invitation::new(target, FROM).unwrap();
        if let Some(route) = route {
            invitation = invitation.via_proxy(route).unwrap();
        }
        one(&invite(invitation), "Contact")
    };
    let (sip, sips) = ("<sip:alice@192.0.2.1:5060>", "<sips:alice@192.0.2.1:5060>");
    // 3261-8.1.1.8-03
    assert_eq!(contact("sips:b@example.org", None), sips);
    assert_eq!(contact("sips:b@example.org", Some("sip:p;lr")), sips);
    assert_eq!(contact("sip:b@example.org", Some("sips:p;lr")), sips);
    // 3261-8.1.1.8-04
    assert_eq!(contact("sip:b@example.org", Some("sip:p;lr")), sip);
}

#[test]
fn a_contact_of_the_user_is_the_only_one() {
    let own = outgoing(&[("Contact", "<sip:else@192.0.2.7>")]);
    let invite = invite(Invitation::new(TARGET, FROM).unwrap().with(own));
    // 3261-8.1.1.8-01
    assert_eq!(one(&invite, "Contact"), "<sip:else@192.0.2.7>");
}

#[test]
fn a_preset_route_set_is_followed() {
    let base = || Invitation::new(TARGET, FROM).unwrap();
    let loose = base().via_proxy("sip:p1;lr").unwrap();
    let loose = invite(loose.via_proxy("sip:p2").unwrap());
    // 3261-8.1.1.1-02, 3261-8.1.1.1-03, 3261-12.2.1.1-08, 3261-12.2.1.1-11
    assert_eq!(loose.uri_bytes().unwrap(), TARGET.as_bytes());
    assert_eq!(all(&loose, "Route"), ["<sip:p1;lr>", "<sip:p2>"]);
    let strict = base().via_proxy("sip:p1").unwrap();
    let strict = invite(strict.via_proxy("sip:p2;lr").unwrap());
    // 3261-8.1.1.1-02
    assert_eq!(strict.uri_bytes().unwrap(), b"sip:p1");
    let target = alloc::format!("<{TARGET}>");
    assert_eq!(all(&strict, "Route"), ["<sip:p2;lr>", target.as_str()]);
}

#[test]
fn a_preset_route_set_ends_with_the_dialog() {
    let invitation = invitation().via_proxy("sip:p1;lr").unwrap();
    let mut s = Script::place_with(context(), invitation);
    s.respond("INVITE 1", 200, "a");
    // 3261-12.1.2-02
    assert_eq!(all(&s.sent("ACK 1"), "Route"), [""; 0]);
}

#[test]
fn headers_of_the_user_replace_the_capabilities_of_that_name() {
    let own = sdp("offer").with_headers(headers(&[("k", "timer"), ("user-agent", "mine")]));
    let invite = invite(Invitation::new(TARGET, FROM).unwrap().with(own));
    assert_eq!(one(&invite, "Supported"), "timer");
    assert_eq!(one(&invite, "User-Agent"), "mine");
    assert_eq!(one(&invite, "Allow"), "INVITE, ACK, CANCEL, BYE");
}

#[test]
fn what_does_not_parse_is_a_misuse() {
    let malformed = |what| Some(Misuse::Malformed { what });
    let wrong = |target, from| Invitation::new(target, from).err();
    assert_eq!(wrong("bob", FROM), malformed("target"));
    assert_eq!(wrong("sip:a b", FROM), malformed("target"));
    assert_eq!(wrong("sip:b\r\nX: y", FROM), malformed("target"));
    assert_eq!(wrong(TARGET, "alice"), malformed("from"));
    assert_eq!(wrong(TARGET, "<sip:a@b>;tag=1"), malformed("from"));
    assert_eq!(wrong(TARGET, "\"a\r\n\" <sip:a@b>"), malformed("from"));
    let route = Invitation::new(TARGET, FROM).unwrap().via_proxy("<sip:p>");
    assert_eq!(route.err(), malformed("route"));
    let from = Invitation::new(TARGET, " sip:alice@example.com ").unwrap();
    let from = one(&invite(from), "From");
    assert!(from.starts_with("<sip:alice@example.com>;tag="), "{from}");
}

#[test]
fn reserved_headers_place_no_call() {
    let own = outgoing(&[("Call-ID", "x")]);
    let context = context();
    let ids = context.ids.call(1);
    let mut out: Vec<Action> = Vec::new();
    let invitation = Invitation::new(TARGET, FROM).unwrap().with(own);
    let now = crate::time::Time::ZERO;
    let placed = Call::place(now, context.into(), &ids, invitation, &mut out);
    let name = "Call-ID";
    assert_eq!(placed.err(), Some(Misuse::ReservedHeader { name }));
    assert_eq!(out, []);
}

#[test]
fn a_sips_target_makes_a_secure_dialog() {
    for (target, secure) in [("sips:b@example.org", true), ("sip:b@example.org", false)] {
        let invitation = Invitation::new(target, FROM).unwrap().with(sdp("offer"));
        let mut s = Script::place_with(context(), invitation);
        s.respond("INVITE 1", 180, "a");
        s.respond("INVITE 1", 200, "a");
        // 3261-12.1.2-07
        assert_eq!(s.call.dialog().unwrap().is_secure(), secure);
        s.respond("INVITE 1", 200, "b");
        s.command(crate::call::Command::Reinvite(sdp("offer")))
            .unwrap();
        let scheme = if secure { "<sips:" } else { "<sip:" };
        // 3261-12.2.1.1-13
        let contact = one(&s.sent("INVITE 2"), "Contact");
        assert!(contact.starts_with(scheme), "{contact}");
    }
}

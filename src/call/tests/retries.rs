//! Retries of a refused INVITE: RFC 3261 8.1.3.5, 21.4; RFC 3329 2.3.1.

use core::time::Duration;

use super::script::{FROM, Script, all, context, headers, invitation, one, sdp};
use crate::call::failure::Hold;
use crate::call::{Action, Event, Invitation, Notice, Retries};
use crate::machine::Machine;
use crate::message::{Body, Outgoing};

fn placed(invitation: Invitation) -> Script {
    let mut s = Script::place_with(context(), invitation);
    s.skip();
    s
}

fn with(list: &[(&str, &str)]) -> Invitation {
    let mut offer = sdp("offer");
    offer.headers = headers(list);
    invitation().with(offer).with_retries(Retries::ALL)
}

/// Refuses the first INVITE, and says what comes of it.
fn refused(s: &mut Script, status: u16, list: &[(&str, &str)]) -> Vec<String> {
    s.respond_with("INVITE 1", status, Some("r"), list, None);
    s.take()
}

#[test]
fn inviting_retry_is_a_new_transaction_under_the_same_call_id() {
    let mut s = placed(with(&[("Require", "foo")]));
    let said = refused(&mut s, 420, &[("Unsupported", "foo")]);
    assert_eq!(said, ["retried 420", "INVITE 2"]);
    let (first, second) = (s.sent("INVITE 1"), s.sent("INVITE 2"));
    // 3261-8.1.3.5-07, 3261-8.1.3.5-08, 3261-8.1.1.4-04
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.to_value(), first.to_value());
    assert_eq!(second.from_value(), first.from_value());
    assert_eq!(second.to_tag(), None);
    assert_eq!(second.cseq().number, 2);
    assert_ne!(second.branch(), first.branch());
}

#[test]
fn inviting_413_and_415_are_tried_without_the_body() {
    // 3261-8.1.3.5-02, 3261-8.1.3.5-03
    for (status, list) in [
        (413, &[][..]),
        (415, &[("Accept", "application/isup")][..]),
        (415, &[("Accept-Language", "fr")][..]),
        (415, &[("Accept-Encoding", "identity")][..]),
    ] {
        let mut s = placed(with(&[
            ("Content-Language", "en"),
            ("Content-Encoding", "gzip"),
            ("Content-Disposition", "session"),
            ("Subject", "lunch"),
        ]));
        let said = refused(&mut s, status, list);
        assert_eq!(said, [format!("retried {status}"), "INVITE 2".into()]);
        let second = s.sent("INVITE 2");
        assert_eq!(second.body_slice(), b"");
        assert_eq!(one(&second, "Subject"), "lunch");
        for name in ["Type", "Language", "Encoding", "Disposition"] {
            assert_eq!(all(&second, &format!("Content-{name}")), [""; 0]);
        }
        // Now the other side makes the offer.
        let contact = [("Contact", "<sip:a@192.0.2.4>")];
        s.respond_with("INVITE 2", 200, Some("a"), &contact, Some("their offer"));
        assert_eq!(s.take(), ["answered 200, answer needed"]);
    }
}

#[test]
fn inviting_415_without_multipart_is_tried_with_the_session_description_alone() {
    const MIXED: &str = "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
        --b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";
    let mixed = |text: &'static str| {
        let body = Body::new("multipart/mixed;boundary=b", text).unwrap();
        let outgoing = Outgoing::new().with_body(body);
        placed(invitation().with(outgoing).with_retries(Retries::ALL))
    };
    // 3261-7.4.1-04
    let mut s = mixed(MIXED);
    let said = refused(&mut s, 415, &[("Accept", "application/sdp, text/plain")]);
    assert_eq!(said, ["retried 415", "INVITE 2"]);
    let second = s.sent("INVITE 2");
    assert_eq!(one(&second, "Content-Type"), "application/sdp");
    assert_eq!(second.body_slice(), b"v=0\r\n");
    // It is still an offer.
    let contact = [("Contact", "<sip:a@192.0.2.4>")];
    s.respond_with("INVITE 2", 200, Some("a"), &contact, Some("their answer"));
    assert_eq!(s.take(), ["ACK 2", "answered 200"]);
    // Without one, or with one that is not taken either, nothing is left to send; nor with one that
    // is for something else, or in a coding.
    const EARLY: &str = "--b\r\nContent-Type: application/sdp\r\n\
        Content-Disposition: early-session\r\n\r\nv=0\r\n\r\n--b--\r\n";
    const CODED: &str = "--b\r\nContent-Type: application/sdp\r\n\
        Content-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--b--\r\n";
    for (text, accept) in [
        (MIXED, "application/isup"),
        (EARLY, "application/sdp"),
        (CODED, "application/sdp"),
        ("--b\r\n\r\nhello\r\n--b--\r\n", "application/sdp"),
    ] {
        let mut s = mixed(text);
        refused(&mut s, 415, &[("Accept", accept)]);
        assert_eq!(s.sent("INVITE 2").body_slice(), b"");
    }
}

#[test]
fn inviting_415_that_names_what_was_sent_is_a_refusal() {
    let mut s = placed(with(&[]));
    let said = refused(&mut s, 415, &[("Accept", "application/sdp")]);
    assert_eq!(said, ["ended: refused 415"]);
}

#[test]
fn inviting_416_to_a_number_is_tried_as_a_sip_uri() {
    let tel = Invitation::new("tel:+1-201-555-0123", FROM).unwrap();
    let mut s = placed(tel.via_proxy("sip:192.0.2.9;lr").unwrap());
    // 3261-8.1.3.5-04
    assert_eq!(refused(&mut s, 416, &[]), ["retried 416", "INVITE 2"]);
    let second = s.sent("INVITE 2");
    assert_eq!(
        second.uri().to_string(),
        "sip:+1-201-555-0123@example.com;user=phone"
    );
    assert_eq!(second.to_value(), s.sent("INVITE 1").to_value());
    s.respond("INVITE 2", 416, "a");
    assert_eq!(s.take(), ["ended: refused 416"]);
}

// 5630-5.1.1-02, 5630-5.1.1-03
#[test]
fn inviting_416_to_a_sip_or_sips_uri_is_a_refusal() {
    // 3261-8.1.3.5-05
    for target in ["sip:bob@192.0.2.4", "sips:bob@192.0.2.4"] {
        let mut s = placed(Invitation::new(target, FROM).unwrap());
        assert_eq!(refused(&mut s, 416, &[]), ["ended: refused 416"]);
    }
    let mut s = placed(Invitation::new("sips:bob@192.0.2.4", FROM).unwrap());
    let warning = [("Warning", "380 example.com \"SIPS Not Allowed\"")];
    assert_eq!(refused(&mut s, 480, &warning), ["ended: refused 480"]);
}

#[test]
fn inviting_420_is_tried_without_what_is_not_supported() {
    let mut s = placed(with(&[
        ("Require", "foo, bar"),
        ("Proxy-Require", "foo"),
        ("Supported", "foo, timer"),
    ]));
    refused(&mut s, 420, &[("Unsupported", "FOO")]);
    let second = s.sent("INVITE 2");
    // 3261-8.1.3.5-06
    assert_eq!(one(&second, "Require"), "bar");
    assert_eq!(all(&second, "Proxy-Require"), [""; 0]);
    assert_eq!(one(&second, "Supported"), "timer");
    // 3261-8.1.3.5-09
    s.respond_with("INVITE 2", 420, Some("r"), &[("Unsupported", "bar")], None);
    assert_eq!(s.take(), ["ended: refused 420"]);
}

#[test]
fn inviting_420_about_what_was_not_required_is_a_refusal() {
    let mut s = placed(with(&[("Require", "bar")]));
    let said = refused(&mut s, 420, &[("Unsupported", "foo")]);
    assert_eq!(said, ["ended: refused 420"]);
    assert_eq!(
        refused(&mut placed(with(&[])), 420, &[]),
        ["ended: refused 420"]
    );
}

#[test]
fn inviting_421_is_tried_with_what_this_side_has() {
    // The context supports `path`; this application has not said so.
    let mut s = placed(with(&[("Supported", "")]));
    let said = refused(&mut s, 421, &[("Require", "path")]);
    assert_eq!(said, ["retried 421", "INVITE 2"]);
    assert!(all(&s.sent("INVITE 2"), "Supported").contains(&"path".into()));
    for required in ["timer", "path, timer"] {
        let mut s = placed(with(&[("Supported", "")]));
        let said = refused(&mut s, 421, &[("Require", required)]);
        assert_eq!(said, ["ended: refused 421"]);
    }
    // It was said already.
    let said = refused(&mut placed(with(&[])), 421, &[("Require", "path")]);
    assert_eq!(said, ["ended: refused 421"]);
}

#[test]
fn inviting_494_is_tried_with_the_list_of_the_server() {
    let mut s = placed(with(&[
        ("Security-Client", "tls;q=0.1, digest;q=0.2"),
        ("Require", "sec-agree"),
    ]));
    let list = "ipsec-ike;q=0.1, digest;q=0.9;d-alg=md5, tls;q=0.2";
    let said = refused(&mut s, 494, &[("Security-Server", list)]);
    assert_eq!(said, ["retried 494", "INVITE 2"]);
    let second = s.sent("INVITE 2");
    assert_eq!(one(&second, "Security-Verify"), list);
    // TLS is not what this call goes over, so it has not been agreed on.
    for list in ["tls;q=0.9, digest;q=0.1", "ipsec-ike", ""] {
        let own = [("Security-Client", "tls, digest"), ("Subject", "lunch")];
        let mut s = placed(with(&own));
        let said = refused(&mut s, 494, &[("Security-Server", list)]);
        assert_eq!(said, ["ended: refused 494"], "{list}");
    }
    let said = refused(
        &mut placed(with(&[])),
        494,
        &[("Security-Server", "digest")],
    );
    assert_eq!(said, ["ended: refused 494"]);
}

#[test]
fn inviting_refusal_that_would_change_what_was_said_ends_the_call_by_default() {
    let mut offer = sdp("offer");
    offer.headers = headers(&[("Require", "foo")]);
    for (status, list) in [(413, ("Retry-After", "5")), (420, ("Unsupported", "foo"))] {
        let mut s = placed(invitation().with(offer.clone()));
        assert_eq!(
            refused(&mut s, status, &[list]),
            [format!("ended: refused {status}")]
        );
    }
    let none = Invitation::new("tel:+1", FROM).unwrap();
    let mut s = placed(none.with_retries(Retries::NONE));
    assert_eq!(refused(&mut s, 416, &[]), ["ended: refused 416"]);
}

#[test]
fn inviting_body_of_accepted_type_and_coding_is_not_what_was_refused() {
    // 3261 21.4.13
    let types = ("Accept", "application/sdp");
    let coded = [types, ("Accept-Encoding", "gzip")];
    let mut s = placed(with(&[]));
    assert_eq!(refused(&mut s, 415, &coded), ["ended: refused 415"]);
    let mut s = placed(with(&[("Content-Encoding", "deflate")]));
    assert_eq!(refused(&mut s, 415, &coded), ["retried 415", "INVITE 2"]);
    // It has said nothing of codings.
    let mut s = placed(with(&[("Content-Encoding", "deflate")]));
    assert_eq!(refused(&mut s, 415, &[types]), ["ended: refused 415"]);
}

#[test]
fn inviting_of_equal_security_mechanisms_the_first_is_taken() {
    let own = [("Security-Client", "tls, digest"), ("Subject", "lunch")];
    let mut s = placed(with(&own));
    // RFC 3329 2.3.1; and TLS is not there.
    let listed = [("Security-Server", "digest;q=0.5, tls;q=0.5")];
    assert_eq!(refused(&mut s, 494, &listed), ["retried 494", "INVITE 2"]);
    assert_eq!(one(&s.sent("INVITE 2"), "Subject"), "lunch");
}

#[test]
fn inviting_retry_of_a_target_leaves_the_others_to_be_tried() {
    let mut s = placed(with(&[("Require", "foo")]));
    let contacts = [("Contact", "<sip:a@192.0.2.5>, <sip:b@192.0.2.5>")];
    s.respond_with("INVITE 1", 302, Some("r"), &contacts, None);
    s.skip();
    // 3261-8.1.3.4-09
    let unsupported = [("Unsupported", "foo")];
    s.respond_with("INVITE 2", 420, Some("r"), &unsupported, None);
    s.respond_with("INVITE 3", 420, Some("r"), &unsupported, None);
    s.respond_with("INVITE 4", 420, Some("r"), &unsupported, None);
    assert_eq!(
        s.take(),
        [
            "retried 420",
            "INVITE 3",
            "redirected Some(420) to sip:b@192.0.2.5",
            "INVITE 4",
            "retried 420",
            "INVITE 5",
        ]
    );
    assert_eq!(s.sent("INVITE 5").uri().to_string(), "sip:b@192.0.2.5");
}

#[test]
fn inviting_refusal_is_not_sent_again_unchanged() {
    // 3261-21-01, 3261-21-03, 3261-21-04
    for status in [400, 404, 422, 480, 486, 500, 503, 504] {
        let mut s = placed(with(&[]));
        let said = refused(&mut s, status, &[("Retry-After", "1")]);
        assert_eq!(said, [format!("ended: refused {status}")]);
        s.gone("INVITE 1");
        assert_eq!(s.take(), ["terminated"]);
        assert_eq!(s.call.deadline(), None);
    }
}

#[test]
fn ended_reason_says_when_to_come_again() {
    let minute = Duration::from_secs(60);
    for (status, expected) in [
        (503, Some((Hold::Server, minute))),
        (480, Some((Hold::Usage, minute))),
        (486, Some((Hold::Request, minute))),
        (403, None),
    ] {
        let mut s = placed(invitation());
        let after = [("Retry-After", "60 (lunch);duration=9")];
        let response = s.response("INVITE 1", status, Some("r"), &after, None);
        let request = s.id("INVITE 1");
        let mut out = Vec::new();
        s.call.receive(
            s.now,
            Event::Response {
                request,
                response: response.into(),
            },
            &mut out,
        );
        let Some(Action::Notify(Notice::Ended { reason })) = out.first() else {
            panic!("{out:?}");
        };
        assert_eq!(reason.retry_after(), expected, "{status}");
    }
}

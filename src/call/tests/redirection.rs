//! Redirection: RFC 3261 8.1.3.4, 13.2.2.2, 21.3.

use super::script::{FROM, Script, context, headers, invitation, one, outgoing, sdp};
use crate::call::{Invitation, Retries};
use crate::message::Request;
use crate::transaction::Failure;

fn placed(invitation: Invitation) -> Script {
    let mut s = Script::place_with(context(), invitation);
    s.skip();
    s
}

/// A 302, or another 3xx, with these Contacts.
fn redirect(s: &mut Script, label: &str, status: u16, contacts: &str) {
    s.respond_with(label, status, Some("r"), &[("Contact", contacts)], None);
}

fn uri(request: &Request) -> String {
    request.uri().to_string()
}

#[test]
fn inviting_302_is_followed_under_the_same_call_id() {
    let mut s = placed(invitation());
    redirect(&mut s, "INVITE 1", 302, "<sip:carol@192.0.2.5>");
    assert_eq!(
        s.take(),
        ["redirected Some(302) to sip:carol@192.0.2.5", "INVITE 2"]
    );
    let (first, second) = (s.sent("INVITE 1"), s.sent("INVITE 2"));
    // 3261-8.1.3.4-01, 3261-8.1.3.4-14, 3261-8.1.3.4-15, 3261-8.1.3.4-16, 3261-8.1.3.4-17,
    // 3261-13.2.2.2-01, 3261-8.1.1.7-04
    assert_eq!(uri(&second), "sip:carol@192.0.2.5");
    assert_eq!(second.to_value(), first.to_value());
    assert_eq!(second.from_value(), first.from_value());
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.cseq().number, 2);
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.body_slice(), first.body_slice());
    assert_eq!(one(&second, "Supported"), one(&first, "Supported"));
    s.gone("INVITE 1");
    s.respond("INVITE 2", 200, "c");
    assert_eq!(s.take(), ["ACK 2", "answered 200"]);
    assert_eq!(s.sent("ACK 2").cseq().number, 2);
}

#[test]
fn inviting_targets_are_tried_by_their_q() {
    let mut s = placed(invitation());
    let contacts = "<sip:low@192.0.2.5>;q=0.1, <sip:first@192.0.2.5>, \
        <sip:middle@192.0.2.5>;q=0.7, <sip:second@192.0.2.5>;q=1.0";
    redirect(&mut s, "INVITE 1", 300, contacts);
    s.respond("INVITE 2", 486, "a");
    s.respond("INVITE 3", 503, "b");
    s.fail("INVITE 4", Failure::Timeout);
    s.respond("INVITE 5", 404, "d");
    // 3261-8.1.3.4-06, 3261-8.1.3.4-07, 3261-8.1.3.4-08, 3261-8.1.3.4-10, 3261-21-05
    assert_eq!(
        s.take(),
        [
            "redirected Some(300) to sip:first@192.0.2.5",
            "INVITE 2",
            "redirected Some(486) to sip:second@192.0.2.5",
            "INVITE 3",
            "redirected Some(503) to sip:middle@192.0.2.5",
            "INVITE 4",
            "redirected None to sip:low@192.0.2.5",
            "INVITE 5",
            "ended: refused 404",
        ]
    );
}

#[test]
fn inviting_6xx_ends_the_search() {
    let mut s = placed(invitation());
    redirect(
        &mut s,
        "INVITE 1",
        302,
        "<sip:a@192.0.2.5>, <sip:b@192.0.2.5>",
    );
    s.skip();
    s.respond("INVITE 2", 603, "a");
    // 3261-21-16
    assert_eq!(s.take(), ["ended: refused 603"]);
}

#[test]
fn inviting_redirection_to_what_was_tried_is_a_refusal() {
    let mut s = placed(invitation());
    redirect(&mut s, "INVITE 1", 302, "<sip:a@192.0.2.5>");
    s.skip();
    // Both are known: bob under other capitals and a default parameter, a as it was.
    // 3261-8.1.3.4-02, 3261-8.1.3.4-03
    let known = "<sip:bob@192.0.2.4:5070>, <SIP:a@192.0.2.5>";
    redirect(&mut s, "INVITE 2", 301, known);
    assert_eq!(s.take(), ["ended: refused 301"]);
}

#[test]
fn inviting_nested_redirection_goes_before_what_is_left() {
    let mut s = placed(invitation());
    redirect(
        &mut s,
        "INVITE 1",
        302,
        "<sip:a@192.0.2.5>, <sip:b@192.0.2.5>;q=0.9",
    );
    redirect(&mut s, "INVITE 2", 302, "<sip:aa@192.0.2.5>;q=0.1");
    s.respond("INVITE 3", 404, "x");
    assert_eq!(
        s.take(),
        [
            "redirected Some(302) to sip:a@192.0.2.5",
            "INVITE 2",
            "redirected Some(302) to sip:aa@192.0.2.5",
            "INVITE 3",
            "redirected Some(404) to sip:b@192.0.2.5",
            "INVITE 4",
        ]
    );
}

#[test]
fn inviting_redirections_without_end_are_bounded() {
    // One after another: the fifth is the last that is followed.
    let mut s = placed(invitation());
    for number in 1..=6 {
        let contact = format!("<sip:a{number}@192.0.2.5>");
        redirect(&mut s, &format!("INVITE {number}"), 302, &contact);
    }
    // 3261-8.1.3.5-09
    assert_eq!(s.count_sent("INVITE 6"), 1);
    assert_eq!(s.take().last().unwrap(), "ended: refused 302");
    // Many at once: what Limits say.
    let mut context = context();
    context.limits.redirect_targets = 3;
    let mut s = Script::place_with(context, invitation());
    let contacts: Vec<String> = (0..9).map(|n| format!("<sip:a{n}@192.0.2.5>")).collect();
    redirect(&mut s, "INVITE 1", 302, &contacts.join(","));
    for number in 2..=4 {
        s.respond(&format!("INVITE {number}"), 404, "x");
    }
    assert_eq!(s.take().last().unwrap(), "ended: refused 404");
}

#[test]
fn inviting_redirection_without_a_target_is_a_refusal() {
    // 3261-8.1.3.4-18
    let mut s = placed(invitation());
    s.respond_with("INVITE 1", 300, Some("r"), &[], None);
    assert_eq!(s.take(), ["ended: refused 300"]);
    for (status, contact) in [
        (380, "<sip:a@192.0.2.5>"),
        (399, "<sip:a@192.0.2.5>"),
        (302, "<mailto:a@example.com>"),
        (302, "*"),
        // An extension that it asks for is not honoured, so nothing is (19.1.5).
        (302, "<sip:a@192.0.2.5?Require=foo>"),
    ] {
        let mut s = placed(invitation());
        redirect(&mut s, "INVITE 1", status, contact);
        assert_eq!(s.take(), [format!("ended: refused {status}")], "{contact}");
    }
}

#[test]
fn inviting_redirection_that_is_not_wanted_is_a_refusal() {
    let retries = Retries {
        redirects: false,
        ..Retries::DEFAULT
    };
    let mut s = placed(invitation().with_retries(retries));
    redirect(&mut s, "INVITE 1", 302, "<sip:a@192.0.2.5>");
    assert_eq!(s.take(), ["ended: refused 302"]);
}

// 3261-9.1-16
#[test]
fn inviting_redirection_after_hang_up_is_not_followed() {
    let mut s = placed(invitation());
    redirect(
        &mut s,
        "INVITE 1",
        302,
        "<sip:a@192.0.2.5>, <sip:b@192.0.2.5>",
    );
    s.hang_up();
    s.skip();
    s.respond("INVITE 2", 487, "a");
    assert_eq!(s.take(), ["ended: cancelled"]);
    let mut s = placed(invitation());
    s.hang_up();
    s.skip();
    redirect(&mut s, "INVITE 1", 302, "<sip:a@192.0.2.5>");
    assert_eq!(s.take(), ["ended: cancelled"]);
}

// 5630-5.1.1-01
#[test]
fn inviting_secure_call_is_not_led_into_the_open() {
    let secure = || Invitation::new("sips:bob@192.0.2.4", FROM).unwrap();
    // 3261-8.1.3.4-04: the user sees the 302.
    let mut s = placed(secure());
    redirect(&mut s, "INVITE 1", 302, "<sip:a@192.0.2.5>");
    assert_eq!(s.take(), ["ended: refused 302"]);
    // 3261-8.1.3.4-05
    let mut s = placed(secure());
    redirect(
        &mut s,
        "INVITE 1",
        302,
        "<sip:a@192.0.2.5>, <sips:b@192.0.2.5>;q=0.1",
    );
    s.skip();
    assert_eq!(uri(&s.sent("INVITE 2")), "sips:b@192.0.2.5");
    let mut s = placed(invitation());
    redirect(&mut s, "INVITE 1", 302, "<sips:b@192.0.2.5>");
    assert_eq!(uri(&s.sent("INVITE 2")), "sips:b@192.0.2.5");
}

#[test]
fn inviting_contact_may_bring_headers_of_its_own() {
    let own = headers(&[("Subject", "mine"), ("Call-Info", "<http://a.example>")]);
    let mut offer = sdp("offer");
    offer.headers = own;
    let mut s = placed(invitation().with(offer));
    let contact = "<sip:a@192.0.2.5;method=INVITE;x=y?Subject=theirs\
        &Call-Info=%3Chttp://b.example%3E&Authorization=x&Call-ID=1&body=other>, \
        <sip:b@192.0.2.5>";
    redirect(&mut s, "INVITE 1", 302, contact);
    let second = s.sent("INVITE 2");
    // 3261-8.1.3.4-11, 3261-8.1.3.4-12, 3261-8.1.3.4-13
    assert_eq!(uri(&second), "sip:a@192.0.2.5;x=y");
    assert_eq!(one(&second, "Subject"), "theirs");
    assert_eq!(super::script::all(&second, "Call-Info").len(), 2);
    assert_eq!(super::script::all(&second, "Authorization"), [""; 0]);
    assert_eq!(second.body_slice(), b"offer");
    // They are not the next target's.
    s.respond("INVITE 2", 404, "a");
    let third = s.sent("INVITE 3");
    assert_eq!(one(&third, "Subject"), "mine");
    assert_eq!(super::script::all(&third, "Call-Info").len(), 1);
}

#[test]
fn inviting_305_goes_by_the_proxy_that_it_names() {
    let mut s = placed(invitation());
    redirect(&mut s, "INVITE 1", 305, "<sip:p@192.0.2.9>");
    assert_eq!(
        s.take(),
        ["redirected Some(305) to sip:bob@192.0.2.4:5070", "INVITE 2"]
    );
    let second = s.sent("INVITE 2");
    assert_eq!(uri(&second), "sip:bob@192.0.2.4:5070");
    assert_eq!(one(&second, "Route"), "<sip:p@192.0.2.9;lr>");
}

#[test]
fn inviting_redirection_forgets_early_dialogs() {
    let mut s = placed(invitation());
    s.respond("INVITE 1", 180, "ringing");
    assert!(s.call.has_dialog(Some("ringing")));
    redirect(&mut s, "INVITE 1", 302, "<sip:a@192.0.2.5>");
    // 3261-13.2.2.3-01
    assert!(!s.call.has_dialog(Some("ringing")));
}

// 3261-9.1-17
#[test]
fn inviting_cancel_is_for_the_try_that_is_out() {
    let mut s = placed(invitation());
    redirect(&mut s, "INVITE 1", 302, "<sip:a@192.0.2.5>");
    s.skip();
    s.hang_up();
    assert_eq!(s.take(), ["CANCEL 2"]);
    s.respond("INVITE 2", 200, "a");
    assert_eq!(s.take(), ["ACK 2", "BYE 3", "ended: cancelled"]);
}

#[test]
fn inviting_headers_of_the_application_stay_its_own() {
    let mut s = placed(invitation().with(outgoing(&[("Subject", "mine")])));
    redirect(
        &mut s,
        "INVITE 1",
        302,
        "<sip:a@192.0.2.5?Replaces=1%3Bto-tag%3D2>",
    );
    let second = s.sent("INVITE 2");
    assert_eq!(one(&second, "Subject"), "mine");
    assert_eq!(one(&second, "Replaces"), "1;to-tag=2");
}

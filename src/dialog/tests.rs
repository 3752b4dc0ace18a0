//! Dialogs as plain data: §12.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests themselves"
)]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Dialog, Origin, OutOfOrder, Phase, as_request_uri};
use crate::limits::Limits;
use crate::message::{Builder, Incoming, Method, Request, Response, StatusCode, Uri, parse};

type Lines<'a> = &'a [(&'a str, &'a str)];

/// An INVITE with these lines besides Via, Call-ID and CSeq.
fn request(lines: Lines<'_>) -> Request {
    let mut builder = Builder::request("INVITE", "sip:bob@example.com")
        .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header("Call-ID", "the-call")
        .header("CSeq", "314159 INVITE");
    for (name, value) in lines {
        builder = builder.header(name, value);
    }
    match parse(builder.build().unwrap(), &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(to: &str, lines: Lines<'_>) -> Response {
    let status = StatusCode::OK;
    let mut builder = Builder::response(status, None)
        .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header("From", "Alice <sip:alice@example.com>;tag=al")
        .header("To", to)
        .header("Call-ID", "the-call")
        .header("CSeq", "7 INVITE");
    for (name, value) in lines {
        builder = builder.header(name, value);
    }
    match parse(builder.build().unwrap(), &Limits::DEFAULT) {
        Ok(Incoming::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

const FROM: (&str, &str) = ("From", "Alice <sip:alice@example.com>;tag=al");
const TO: (&str, &str) = ("To", "Bob <sip:bob@example.com>");
const CONTACT: (&str, &str) = ("Contact", "<sip:alice@192.0.2.1:5080;transport=tcp>");

fn uas(lines: Lines<'_>) -> Dialog {
    let lines = [&[FROM, TO, CONTACT], lines].concat();
    Dialog::uas(&request(&lines), "bo", false)
}

fn uac(lines: Lines<'_>) -> Dialog {
    Dialog::uac(
        origin(false),
        &response("Bob <sip:bob@example.com>;tag=bo", lines),
    )
}

fn origin(secure: bool) -> Origin<'static> {
    Origin {
        call_id: b"the-call",
        from: b"Alice <sip:alice@example.com>;tag=al",
        uri: b"sip:bob@example.com",
        cseq: 7,
        secure,
    }
}

fn routes(dialog: &Dialog) -> Vec<&str> {
    let text = |route| core::str::from_utf8(route).unwrap();
    dialog.routes().map(text).collect()
}

/// The lines of a BYE within the dialog, up to Max-Forwards.
fn bye(dialog: &Dialog) -> (String, Vec<String>) {
    let bytes = dialog.request(Method::Bye, 9).write();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.split("\r\n").map(ToString::to_string);
    let start = lines.next().unwrap();
    (
        start,
        lines
            .take_while(|line| line.starts_with("Route: "))
            .collect(),
    )
}

#[test]
fn a_uas_takes_its_state_from_the_request() {
    let dialog = uas(&[]);
    // 3261-12-01, 3261-12-02, 3261-12.1.1-10
    assert_eq!(dialog.call_id(), "the-call");
    assert_eq!(dialog.local_tag(), "bo");
    assert_eq!(dialog.remote_tag(), Some("al"));
    // 3261-12.1.1-12
    assert_eq!(dialog.local(), b"Bob <sip:bob@example.com>;tag=bo");
    assert_eq!(dialog.remote(), b"Alice <sip:alice@example.com>;tag=al");
    // 3261-12.1.1-08
    assert_eq!(
        dialog.remote_target(),
        b"sip:alice@192.0.2.1:5080;transport=tcp"
    );
    // 3261-12.1.1-09
    assert_eq!(dialog.remote_cseq(), Some(314_159));
    assert_eq!(dialog.local_cseq(), None);
    assert_eq!(dialog.phase(), Phase::Early);
    // 3261-12.1.1-07
    assert_eq!(routes(&dialog), [""; 0]);
}

#[test]
fn a_uac_takes_its_state_from_the_response() {
    let dialog = uac(&[("Contact", "<sip:bob@192.0.2.4;x=y>")]);
    // 3261-12-02, 3261-12.1.2-06
    assert_eq!(
        (dialog.local_tag(), dialog.remote_tag()),
        ("al", Some("bo"))
    );
    assert_eq!(dialog.local(), b"Alice <sip:alice@example.com>;tag=al");
    assert_eq!(dialog.remote(), b"Bob <sip:bob@example.com>;tag=bo");
    // 3261-12.1.2-03
    assert_eq!(dialog.remote_target(), b"sip:bob@192.0.2.4;x=y");
    // 3261-12.1.2-04
    assert_eq!(dialog.local_cseq(), Some(7));
    assert_eq!(dialog.remote_cseq(), None);
    // 3261-12.1.2-02
    assert_eq!(routes(&dialog), [""; 0]);
}

#[test]
fn record_route_is_the_route_set_of_a_uas_and_reversed_that_of_a_uac() {
    let rows = [
        (
            "Record-Route",
            "<sip:p3;lr>, \"a, \\\" <b>\" <sip:p2;lr;x=y>;h=1",
        ),
        ("Record-Route", "<sip:p1;lr=on>"),
    ];
    // 3261-12.1.1-06, 3261-12.1.1-13, PAINS 94
    let mut expected = ["<sip:p3;lr>", "<sip:p2;lr;x=y>", "<sip:p1;lr=on>"];
    assert_eq!(routes(&uas(&rows)), expected);
    expected.reverse();
    // 3261-12.1.2-01, PAINS 110
    assert_eq!(routes(&uac(&rows)), expected);
}

#[test]
fn record_route_without_brackets_keeps_its_parameters() {
    let dialog = uas(&[("Record-Route", "sip:p1;lr, <sip:p2;lr>")]);
    assert_eq!(routes(&dialog), ["<sip:p1;lr>", "<sip:p2;lr>"]);
}

#[test]
fn record_route_is_kept_to_the_letter_but_for_a_strict_router_that_comes_first() {
    let route = "<sip:p1;lr;method=INVITE?Subject=x>";
    let strict = "<sip:p2;method=INVITE?Subject=x>";
    // 3261-12.1.1-06
    let rows = ("Record-Route", format!("{route}, {strict}"));
    assert_eq!(routes(&uas(&[(rows.0, &rows.1)])), [route, strict]);
}

#[test]
fn missing_tags_are_null() {
    let from = ("From", "<sip:alice@example.com>");
    let dialog = Dialog::uas(&request(&[from, TO, CONTACT]), "bo", false);
    // 3261-12.1.1-11, PAINS 95
    assert_eq!(dialog.remote_tag(), None);
    assert_eq!(dialog.local_tag(), "bo");
    // 3261-12.2.1.1-02
    assert_eq!(dialog.remote(), b"<sip:alice@example.com>");
    let dialog = Dialog::uac(origin(false), &response("<sip:bob@example.com>", &[]));
    // 3261-12.1.2-05
    assert_eq!(dialog.remote_tag(), None);
}

#[test]
fn missing_contacts_are_stood_in_for() {
    let dialog = Dialog::uas(&request(&[FROM, TO]), "bo", false);
    assert_eq!(dialog.remote_target(), b"sip:alice@example.com");
    let star = Dialog::uas(&request(&[FROM, TO, ("Contact", "*")]), "bo", false);
    assert_eq!(star.remote_target(), b"sip:alice@example.com");
    assert_eq!(uac(&[]).remote_target(), b"sip:bob@example.com");
}

#[test]
fn addresses_without_brackets_and_with_odd_names_are_read() {
    let lines = [
        ("From", "sip:alice@example.com;tag=al;x=y"),
        ("To", "sip:bob@example.com;x=y"),
        (
            "Contact",
            "\"x \\\" <a, b>\" <sip:alice@192.0.2.1?Subject=x>;q=0.5, <sip:else@d>",
        ),
    ];
    let dialog = Dialog::uas(&request(&lines), "bo", false);
    assert_eq!(dialog.remote_tag(), Some("al"));
    assert_eq!(dialog.local(), b"sip:bob@example.com;x=y;tag=bo");
    // PAINS 94; 19.1.1: no headers in a Request-URI.
    assert_eq!(dialog.remote_target(), b"sip:alice@192.0.2.1");
}

#[test]
fn a_display_name_that_is_not_utf8_survives() {
    let mut raw = Vec::from(*b"INVITE sip:bob@example.com SIP/2.0\r\n");
    raw.extend_from_slice(b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: x\r\n");
    raw.extend_from_slice(b"CSeq: 1 INVITE\r\nTo: <sip:bob@example.com>\r\n");
    raw.extend_from_slice(b"From: \"Andr\xe9\"\r\n <sip:a@example.com>;tag=al\r\n\r\n");
    let Ok(Incoming::Request(request)) = parse(raw.into(), &Limits::DEFAULT) else {
        panic!("it is read");
    };
    let dialog = Dialog::uas(&request, "bo", false);
    // PAINS 95, 111
    assert!(dialog.remote().starts_with(b"\"Andr\xe9\" "));
    assert!(dialog.remote().ends_with(b"<sip:a@example.com>;tag=al"));
    assert!(
        !dialog.remote().contains(&b'\n'),
        "one line, whatever it came with"
    );
    assert_eq!(dialog.remote_tag(), Some("al"));
}

#[test]
fn a_2xx_confirms_with_its_own_routes_and_target() {
    let mut dialog = uac(&[
        ("Record-Route", "<sip:old;lr>"),
        ("Contact", "<sip:b@early>"),
    ]);
    dialog.next_cseq();
    dialog.accept_cseq(40).unwrap();
    let lines = [
        ("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"),
        ("Contact", "<sip:b@late>"),
    ];
    dialog.confirm(&response("Bob <sip:bob@example.com>;tag=bo", &lines));
    // 3261-12-05, 3261-13.2.2.4-03, 3261-13.2.2.4-05, PAINS 46
    assert_eq!(dialog.phase(), Phase::Confirmed);
    assert_eq!(routes(&dialog), ["<sip:p1;lr>", "<sip:p2;lr>"]);
    assert_eq!(dialog.remote_target(), b"sip:b@late");
    // 3261-13.2.2.4-03: the numbers are kept.
    assert_eq!(dialog.local_cseq(), Some(8));
    assert_eq!(dialog.remote_cseq(), Some(40));
    dialog.confirm(&response("Bob <sip:bob@example.com>;tag=bo", &[]));
    assert_eq!(routes(&dialog), [""; 0]);
    assert_eq!(dialog.remote_target(), b"sip:b@late");
}

#[test]
fn a_2xx_that_says_one_thing_anew_changes_just_that() {
    let early = uac(&[("Contact", "<sip:b@192.0.2.4>")]);
    let confirmed = |to, lines: Lines<'_>| {
        let mut dialog = early.clone();
        dialog.confirm(&response(to, lines));
        let target = String::from_utf8_lossy(dialog.remote_target()).into_owned();
        (target, routes(&dialog).join(","), dialog.remote().to_vec())
    };
    let to = "Bob <sip:bob@example.com>;tag=bo";
    let [same, other]: [(&str, &str); 2] = [
        ("Contact", "<sip:b@192.0.2.4>"),
        ("Contact", "<sip:b@192.0.2.5>"),
    ];
    let route = ("Record-Route", "<sip:p1;lr>");
    // 3261-13.2.2.4-05
    let (target, of, _) = confirmed(to, &[other]);
    assert_eq!((&*target, &*of), ("sip:b@192.0.2.5", ""));
    // 3261-13.2.2.4-03
    let (target, of, _) = confirmed(to, &[same, route]);
    assert_eq!((&*target, &*of), ("sip:b@192.0.2.4", "<sip:p1;lr>"));
    // 3261-13.2.2.4-03: the routes of the early dialog end with it.
    let mut dialog = uac(&[route, same]);
    dialog.confirm(&response(to, &[same]));
    assert_eq!(routes(&dialog), [""; 0]);
    // 3261-13.2.2.4-03: only the route set is computed anew; who the other side is stays.
    for lines in [&[same][..], &[other]] {
        let (_, _, remote) = confirmed("Robert <sip:bob@example.com>;tag=bo", lines);
        assert_eq!(remote, early.remote());
    }
}

#[test]
fn a_uas_is_confirmed_by_its_2xx() {
    let mut dialog = uas(&[]);
    dialog.confirm_as_uas();
    assert_eq!(dialog.phase(), Phase::Confirmed);
}

#[test]
fn a_dialog_is_named_by_its_call_id_and_its_tags() {
    let dialog = uas(&[]);
    // 3261-12-01, 3261-12-02
    assert_eq!(dialog.id_bytes(), [&b"the-call"[..], b"bo", b"al"]);
    assert!(dialog.is_with(Some(b"al")));
    assert!(!dialog.is_with(Some(b"bo")) && !dialog.is_with(None));
    let from = ("From", "<sip:alice@example.com>");
    let dialog = Dialog::uas(&request(&[from, TO, CONTACT]), "bo", false);
    // 3261-12.1.1-11
    assert!(dialog.is_with(None) && !dialog.is_with(Some(b"")));
}

#[test]
fn a_target_refresh_changes_the_target_and_nothing_else() {
    let mut dialog = uas(&[("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")]);
    let before = dialog.clone();
    let target = Uri::parse(b"sip:new@192.0.2.9?Subject=x").unwrap();
    assert!(dialog.refresh_target(target));
    assert!(!dialog.refresh_target(target), "the same is no change");
    assert_eq!(dialog.remote_target(), b"sip:new@192.0.2.9");
    // 3261-12.2-01, PAINS 46, 47
    assert_eq!(routes(&dialog), routes(&before));
    assert_eq!(dialog.local(), before.local());
    assert_eq!(dialog.remote(), before.remote());
    assert_eq!(dialog.remote_tag(), Some("al"));
    let old = Uri::parse(b"sip:alice@192.0.2.1:5080;transport=tcp").unwrap();
    dialog.refresh_target(old);
    assert_eq!(dialog, before);
}

#[test]
fn requests_without_routes_go_to_the_target() {
    let dialog = uas(&[]);
    // 3261-12.2.1.1-07
    let (start, routes) = bye(&dialog);
    assert_eq!(start, "BYE sip:alice@192.0.2.1:5080;transport=tcp SIP/2.0");
    assert_eq!(routes, [""; 0]);
    assert_eq!(dialog.next_hop(), b"sip:alice@192.0.2.1:5080;transport=tcp");
}

#[test]
fn requests_over_a_loose_router_keep_the_target() {
    let dialog = uas(&[("Record-Route", "<sip:p1;lr>, <sip:p2>")]);
    let (start, routes) = bye(&dialog);
    // 3261-12.2.1.1-08, 3261-12.2.1.1-11
    assert_eq!(start, "BYE sip:alice@192.0.2.1:5080;transport=tcp SIP/2.0");
    assert_eq!(routes, ["Route: <sip:p1;lr>", "Route: <sip:p2>"]);
    // 3261-12.2.1.1-14, 3261-8.1.2-01
    assert_eq!(dialog.next_hop(), b"sip:p1;lr");
}

#[test]
fn requests_over_a_strict_router_put_the_target_last() {
    let row = "<sip:p1;method=INVITE;x=y?Subject=z>, <sip:p2;lr>";
    let dialog = uas(&[("Record-Route", row)]);
    let (start, routes) = bye(&dialog);
    // 3261-12.2.1.1-09, 3261-12.2.1.1-10
    assert_eq!(start, "BYE sip:p1;x=y SIP/2.0");
    let target = "Route: <sip:alice@192.0.2.1:5080;transport=tcp>";
    assert_eq!(routes, ["Route: <sip:p2;lr>", target]);
    // 3261-8.1.2-01
    assert_eq!(dialog.next_hop(), b"sip:p1;x=y");
}

#[test]
fn sequence_numbers_of_the_two_sides_are_their_own() {
    let mut dialog = uas(&[]);
    // 3261-12.2.1.1-04, 3261-12.2.1.1-06
    assert_eq!(dialog.next_cseq(), 1);
    assert_eq!(dialog.next_cseq(), 2);
    assert_eq!(dialog.remote_cseq(), Some(314_159));
    let mut dialog = uac(&[]);
    assert_eq!(dialog.next_cseq(), 8);
}

#[test]
fn sequence_numbers_stay_below_2_to_the_31() {
    let last = Origin {
        cseq: 0x7fff_ffff,
        ..origin(false)
    };
    let mut dialog = Dialog::uac(last, &response("<sip:b@c>;tag=bo", &[]));
    // 3261-8.1.1.5-02
    assert_eq!(dialog.next_cseq(), 1);
}

#[test]
fn sequence_numbers_of_the_other_side_only_rise() {
    let mut dialog = uac(&[]);
    // 3261-12.2.2-05
    assert_eq!(dialog.accept_cseq(0), Ok(()));
    // 3261-12.2.2-08, 3261-12.2.2-09, PAINS 109
    assert_eq!(dialog.accept_cseq(1_000), Ok(()));
    let last = 1_000;
    // 3261-12.2.2-06, 3261-12.2.2-07
    for got in [1_000, 999, 0] {
        assert_eq!(dialog.accept_cseq(got), Err(OutOfOrder { got, last }));
    }
    assert_eq!(dialog.accept_cseq(u32::MAX), Ok(()));
    assert_eq!(dialog.remote_cseq(), Some(u32::MAX));
}

#[test]
fn the_secure_flag_makes_every_contact_sips() {
    let answer = response("<sip:b@c>;tag=bo", &[("Contact", "<sip:b@192.0.2.4>")]);
    for secure in [false, true] {
        let dialog = Dialog::uac(origin(secure), &answer);
        assert_eq!(dialog.is_secure(), secure);
        let branch = crate::seed::Token::new("z9hG4bKx").unwrap();
        let origin = crate::message::Origin::new("TLS", "192.0.2.1", "192.0.2.1");
        let writer = dialog.request(Method::Invite, 9);
        let bytes = writer.draft(branch, Some(b"me"), &origin).seal(&origin);
        let scheme = if secure { "sips" } else { "sip" };
        let contact = format!("Contact: <{scheme}:me@192.0.2.1>\r\n");
        // 3261-12.2.1.1-13
        assert!(String::from_utf8_lossy(&bytes).contains(&contact));
    }
}

#[test]
fn a_request_uri_has_neither_headers_nor_method() {
    for (uri, expected) in [
        ("sip:a@b", "sip:a@b"),
        ("sip:a@b?x=y", "sip:a@b"),
        ("sip:b;method=BYE", "sip:b"),
        ("sip:a@b;METHOD=BYE;lr?x=y&z=w", "sip:a@b;lr"),
        ("sip:a;method=x@b;x;method=y;z", "sip:a;method=x@b;x;z"),
        ("tel:+1;method=x", "tel:+1;method=x"),
    ] {
        let parsed = Uri::parse(uri.as_bytes()).unwrap();
        let got = as_request_uri(parsed);
        assert_eq!(String::from_utf8_lossy(&got), expected, "{uri}");
    }
}

#[test]
fn a_dialog_holds_its_text_and_no_more() {
    let dialog = uas(&[("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")]);
    let text = dialog.call_id().len()
        + dialog.local().len()
        + dialog.remote().len()
        + dialog.remote_target().len()
        + dialog.routes().map(|route| route.len() + 1).sum::<usize>();
    assert_eq!(dialog.heap_bytes() + 1, text);
}

//! Requests beside the session in one dialog, what carries no offer, and this side's own Contact
//! (RFC 3261 12.2, RFC 5057, RFC 6337 2.2).

use alloc::format;
use alloc::string::{String, ToString};

use super::script::{
    Script, all, context, invitation, nothing, one, outgoing, sdp, secs, their_invite,
};
use crate::call::reliable::Policy;
use crate::call::session_timer::Config;
use crate::call::{Command, Context, ServerId};
use crate::machine::Machine;
use crate::message::{Outgoing, StatusCode};

fn respond(server: ServerId, status: u16) -> Command {
    Command::Respond {
        server,
        status: StatusCode::new(status).unwrap(),
        outgoing: nothing(),
    }
}

fn request(method: &str, outgoing: Outgoing) -> Command {
    Command::Request {
        method: method.to_string(),
        outgoing,
    }
}

fn target(s: &Script) -> String {
    let target = s.call.dialog().unwrap().remote_target();
    String::from_utf8(target.to_vec()).unwrap()
}

const NEW: [(&str, &str); 1] = [("Contact", "<sip:new@192.0.2.44>")];

#[test]
fn request_of_any_usage_that_is_accepted_moves_the_target_of_all() {
    // 3261-12.2-03, 5057-5.4-01
    for method in ["SUBSCRIBE", "NOTIFY", "REFER"] {
        let mut s = Script::confirmed_as_callee();
        let server = s.request_with(method, 101, Some("them"), &NEW, None);
        assert_eq!(target(&s), "sip:them@192.0.2.4:5070");
        s.command(respond(server, 202)).unwrap();
        assert_eq!(
            s.take()[1..],
            [format!("202 {method} 101"), "target refreshed".into()]
        );
        assert_eq!(target(&s), "sip:new@192.0.2.44");
        // What is refused moves nobody.
        let refused = [("Contact", "<sip:else@192.0.2.99>")];
        let server = s.request_with(method, 102, Some("them"), &refused, None);
        s.command(respond(server, 603)).unwrap();
        assert_eq!(target(&s), "sip:new@192.0.2.44");
        // Nor do others.
        let server = s.request_with("INFO", 103, Some("them"), &refused, None);
        s.command(respond(server, 200)).unwrap();
        assert_eq!(target(&s), "sip:new@192.0.2.44");

        let mut s = Script::confirmed_as_caller();
        s.command(request(method, nothing())).unwrap();
        let sent = format!("{method} 2");
        s.respond_with(&sent, 200, Some("a"), &NEW, None);
        assert_eq!(s.take()[1..], ["target refreshed", "response 200"]);
        assert_eq!(target(&s), "sip:new@192.0.2.44");
    }
    let mut s = Script::confirmed_as_caller();
    s.command(request("INFO", nothing())).unwrap();
    s.respond_with("INFO 2", 200, Some("a"), &NEW, None);
    assert_eq!(target(&s), "sip:a@192.0.2.4:5070");
}

#[test]
fn contact_that_the_user_gave_is_this_sides_in_all_that_follows() {
    let desk = || outgoing(&[("Contact", "<sip:desk@192.0.2.7>")]);
    let body = |mut outgoing: Outgoing| {
        outgoing.body = sdp("answer").body;
        outgoing
    };
    let refer = |s: &mut Script| {
        s.command(request("REFER", nothing())).unwrap();
        let label = s.take().pop().unwrap();
        one(&s.sent(&label), "Contact")
    };
    // 6141-4.5-01: in the 2xx to the first INVITE, to a re-INVITE, to an UPDATE.
    let mut s = Script::incoming();
    s.command(Command::Answer(body(desk()))).unwrap();
    s.ack(100, "them");
    assert_eq!(refer(&mut s), "<sip:desk@192.0.2.7>");
    let mut s = Script::confirmed_as_callee();
    assert_eq!(refer(&mut s), "<sip:me@192.0.2.1:5060>");
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    s.command(Command::Answer(body(desk()))).unwrap();
    s.ack(101, "them");
    assert_eq!(refer(&mut s), "<sip:desk@192.0.2.7>");
    let mut s = Script::confirmed_as_callee();
    let server = s.request_with("UPDATE", 101, Some("them"), &[], Some("offer"));
    s.command(Command::Respond {
        server,
        status: StatusCode::OK,
        outgoing: body(desk()),
    })
    .unwrap();
    assert_eq!(refer(&mut s), "<sip:desk@192.0.2.7>");
    // A caller's own.
    let mut s = Script::place_with(context(), invitation().with(body(desk())));
    s.respond("INVITE 1", 200, "a");
    assert_eq!(refer(&mut s), "<sip:desk@192.0.2.7>");
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    assert_eq!(one(&s.sent("INVITE 3"), "Contact"), "<sip:desk@192.0.2.7>");
}

#[test]
fn bodies_of_other_requests_are_no_offers() {
    // 6337-2.2-28
    for method in ["INFO", "MESSAGE", "OPTIONS", "NOTIFY", "REFER", "SUBSCRIBE"] {
        let mut s = Script::confirmed_as_callee();
        s.request_with(method, 101, Some("them"), &[], Some("offer"));
        assert_eq!(s.take(), [format!("request {method}")]);
        assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
    }
    let mut s = Script::confirmed_as_caller();
    s.command(request("OPTIONS", nothing())).unwrap();
    s.respond_with("OPTIONS 2", 200, Some("a"), &[], Some("capabilities"));
    // 3261-11.2-08, 6337-2.4-01
    assert_eq!(s.take(), ["OPTIONS 2", "response 200"]);
    assert_eq!(s.command(Command::Reinvite(sdp("offer"))), Ok(()));
}

#[test]
fn early_session_is_kept_apart_from_the_session() {
    let mut s = Script::place();
    let extra = [
        ("Contact", "<sip:a@192.0.2.4:5070>"),
        ("Content-Disposition", "early-session"),
    ];
    s.respond_with("INVITE 1", 183, Some("a"), &extra, Some("v=0\r\n"));
    // 3960-4-01: neither answer nor preview.
    assert_eq!(s.take(), ["INVITE 1", "progress 183"]);
}

#[test]
fn acknowledge_asks_for_no_extension() {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(nothing())).unwrap();
    let contact = [("Contact", "<sip:a@192.0.2.4:5070>")];
    s.respond_with("INVITE 2", 200, Some("a"), &contact, Some("offer"));
    let mut answer = outgoing(&[("Require", "path")]);
    answer.body = sdp("answer").body;
    // 3261-8.2.2.3-05
    assert!(s.command(Command::Acknowledge(answer)).is_err());
    s.command(Command::Acknowledge(sdp("answer"))).unwrap();
    let ack = s.sent("ACK 2");
    for name in ["Require", "Proxy-Require"] {
        assert_eq!(all(&ack, name), [""; 0]);
    }
}

#[test]
fn dialog_is_found_by_its_tags_whatever_the_uris_say() {
    let mut s = Script::confirmed_as_callee();
    let mut info = s.their_request("INFO", 101, Some("them"), &[], None);
    let text = String::from_utf8(info.bytes().to_vec()).unwrap();
    let text = text.replace("sip:them@example.org", "sip:boss@example.net");
    if let Ok(crate::message::Incoming::Request(request)) =
        crate::message::parse(text.into(), &crate::limits::Limits::DEFAULT)
    {
        info = request;
    }
    s.receive(crate::call::Event::Request {
        server: ServerId(9),
        reply: crate::message::Reply::new(&info),
        request: info.into(),
        host: bytes::Bytes::from_static(b"192.0.2.1:5060"),
    });
    // 4916-4.4.2-03
    assert_eq!(s.take(), ["request INFO"]);
    s.hang_up();
    // 4916-4.4.1-04
    assert_eq!(s.sent("BYE 1").to_tag(), Some("them"));
}

#[test]
fn dialog_holds_what_section_12_says() {
    let route = [("Record-Route", "<sip:p1.example.org;lr>")];
    let s = Script::incoming_with(context(), &their_invite(&route, Some("offer")));
    let dialog = s.call.dialog().unwrap();
    // 3261-12-04
    assert_eq!(dialog.call_id(), "their-call");
    assert_eq!(
        (dialog.local_tag(), dialog.remote_tag()),
        ("me", Some("them"))
    );
    assert_eq!(dialog.remote_target(), b"sip:them@192.0.2.4:5070");
    assert_eq!(dialog.routes().count(), 1);
    assert!(!dialog.is_secure());
    assert!(dialog.local().starts_with(b"<sip:me@example.com>"));
    assert!(dialog.remote().starts_with(b"<sip:them@example.org>"));
    // The sequence numbers show in what is sent and refused.
    let mut s = Script::confirmed_as_callee();
    s.request("INFO", 99, "them");
    assert_eq!(s.take(), ["500 INFO 99"]);
    s.command(request("INFO", nothing())).unwrap();
    s.command(request("INFO", nothing())).unwrap();
    assert_eq!(s.take(), ["INFO 1", "INFO 2"]);
}

fn timed() -> Context {
    Context {
        session_timer: Some(Config::default()),
        reliable: Policy::Supported,
        ..context()
    }
}

#[test]
fn session_expires_stands_in_invite_update_and_their_2xx_only() {
    let supported = [("Supported", "timer, 100rel"), ("Session-Expires", "100")];
    let mut s = Script::incoming_with(timed(), &their_invite(&supported, Some("offer")));
    s.command(Command::Progress {
        status: StatusCode::RINGING,
        outgoing: nothing(),
    })
    .unwrap();
    // 4028-4-02
    assert_eq!(all(&s.said(), "Session-Expires"), [""; 0]);
    let rack = format!("{} 100 INVITE", one(&s.said(), "RSeq"));
    s.request_with("PRACK", 101, Some("them"), &[("RAck", &rack)], None);
    assert_eq!(all(&s.said(), "Session-Expires"), [""; 0]);
    s.command(Command::Answer(sdp("answer"))).unwrap();
    // 4028-4-04
    assert!(one(&s.said(), "Session-Expires").starts_with("100;"));
    s.ack(102, "them");
    s.ack(100, "them");
    s.command(request("INFO", nothing())).unwrap();
    assert_eq!(all(&s.sent("INFO 1"), "Session-Expires"), [""; 0]);
    s.request_with("UPDATE", 103, Some("them"), &supported, None);
    assert!(one(&s.said(), "Session-Expires").starts_with("100;"));
    s.hang_up();
    assert_eq!(all(&s.sent("BYE 2"), "Session-Expires"), [""; 0]);
}

#[test]
fn interval_of_any_length_is_held() {
    // 4028-4-04
    for (value, at) in [("91", 45), ("4294967295", 2_147_483_647)] {
        let mut s = Script::place_with(timed(), invitation());
        let session = format!("{value};refresher=uac");
        let extra = [
            ("Contact", "<sip:a@192.0.2.4:5070>"),
            ("Require", "timer"),
            ("Session-Expires", &session),
        ];
        s.respond_with("INVITE 1", 200, Some("a"), &extra, Some("answer"));
        s.gone("INVITE 1");
        // 4028-7.2-01
        assert_eq!(s.call.deadline().map(|at| at >= secs(1)), Some(true));
        let due = s.call.deadline().unwrap();
        assert_eq!(due.saturating_since(secs(0)).as_secs(), at);
    }
}

#[test]
fn refresh_goes_by_update_only_to_who_is_known_to_have_it() {
    let refreshed = |allow: &[(&'static str, &'static str)]| {
        let mut s = Script::place_with(timed(), invitation());
        let mut extra = alloc::vec![
            ("Contact", "<sip:a@192.0.2.4:5070>"),
            ("Session-Expires", "100;refresher=uac"),
        ];
        extra.extend(allow);
        s.respond_with("INVITE 1", 200, Some("a"), &extra, Some("answer"));
        s.gone("INVITE 1");
        s.skip();
        s.fire();
        let label = s.take().pop().unwrap();
        (label.clone(), s.sent(&label).body_slice().to_vec())
    };
    // 4028-7.4-08, 4028-7.4-09
    let update = refreshed(&[("Allow", "INVITE, UPDATE")]);
    assert_eq!(update, ("UPDATE 2".into(), b"".to_vec()));
    // 3311-4-06, 4028-7.4-10
    let invite = refreshed(&[]);
    assert_eq!(invite, ("INVITE 2".into(), b"offer".to_vec()));
}

//! Policies of one call, and what they say in its messages.

use alloc::string::String;
use alloc::vec::Vec;

use super::script::{
    Script, all, context, headers, invitation, nothing, one, outgoing, sdp, secs, their_invite,
};
use crate::call::reliable::Policy;
use crate::call::session_timer::Config;
use crate::call::{Command, Context, Invitation};
use crate::error::Misuse;
use crate::message::{Message, StatusCode};

fn timed() -> Context {
    Context {
        session_timer: Some(Config::default()),
        ..context()
    }
}

/// All that a message lists there.
fn listed(message: &Message, name: &str) -> Vec<String> {
    let rows = all(message, name).join(",");
    rows.split(',').map(|tag| tag.trim().into()).collect()
}

/// A placed call that was answered with a timer that this side refreshes.
fn timed_call(context: Context, invitation: Invitation, allow: &str) -> Script {
    let mut s = Script::place_with(context, invitation);
    let extra = [
        ("Contact", "<sip:a@192.0.2.4:5070>"),
        ("Session-Expires", "1800;refresher=uac"),
        ("Allow", allow),
    ];
    s.respond_with("INVITE 1", 200, Some("a"), &extra, Some("answer"));
    s.gone("INVITE 1");
    s.skip();
    s
}

#[test]
fn invitation_has_a_session_timer_of_its_own() {
    let s = Script::place_with(
        context(),
        invitation().session_timer(Some(Config::default())),
    );
    assert_eq!(one(&s.sent("INVITE 1"), "Session-Expires"), "1800");
    assert!(listed(&s.sent("INVITE 1"), "Supported").contains(&"timer".into()));
    let s = Script::place_with(timed(), invitation().session_timer(None));
    assert_eq!(all(&s.sent("INVITE 1"), "Session-Expires"), [""; 0]);
    assert!(!listed(&s.sent("INVITE 1"), "Supported").contains(&"timer".into()));
}

#[test]
fn invitation_policy_holds_for_every_invite_of_its_call() {
    let mut s = Script::place_with(context(), invitation().reliable(Policy::Required));
    s.respond_with("INVITE 1", 200, Some("a"), &[], Some("answer"));
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    for label in ["INVITE 1", "INVITE 2"] {
        assert_eq!(one(&s.sent(label), "Require"), "100rel", "{label}");
        assert_eq!(one(&s.sent(label), "Supported"), "path, 100rel", "{label}");
        assert!(one(&s.sent(label), "Allow").contains("PRACK"), "{label}");
    }
}

#[test]
fn incoming_takes_reliability_for_this_call_only_before_a_response() {
    let asks = [("Supported", "100rel")];
    let mut s = Script::incoming_with(context(), &their_invite(&asks, Some("offer")));
    s.command(Command::Reliable(Policy::Supported)).unwrap();
    let progress = Command::Progress {
        status: StatusCode::SESSION_PROGRESS,
        outgoing: sdp("answer"),
    };
    s.command(progress).unwrap();
    assert_eq!(one(&s.said(), "Require"), "100rel");
    assert!(s.call.takes_prack());
    let late = s.command(Command::Reliable(Policy::Off));
    assert!(matches!(late, Err(Misuse::WrongState { .. })), "{late:?}");
}

#[test]
fn incoming_cannot_take_a_policy_that_the_invite_forbids() {
    // 3262-3-05: what requires it would have to be refused, and what lacks it too.
    for (asks, policy) in [("Require", Policy::Off), ("X-None", Policy::Required)] {
        let asks = [(asks, "100rel")];
        let reliable = Context {
            reliable: Policy::Supported,
            ..context()
        };
        let mut s = Script::incoming_with(reliable, &their_invite(&asks, Some("offer")));
        let result = s.command(Command::Reliable(policy));
        assert!(
            matches!(result, Err(Misuse::WrongState { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn incoming_takes_a_session_timer_for_this_call_only() {
    let asks = [("Supported", "timer"), ("Session-Expires", "1800")];
    let invite = their_invite(&asks, Some("offer"));
    let mut s = Script::incoming_with(context(), &invite);
    s.command(Command::SessionTimer(Some(Config::default())))
        .unwrap();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(one(&s.said(), "Session-Expires"), "1800;refresher=uac");

    let mut s = Script::incoming_with(timed(), &invite);
    s.command(Command::SessionTimer(None)).unwrap();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    assert_eq!(all(&s.said(), "Session-Expires"), [""; 0]);
}

#[test]
fn incoming_that_is_answered_takes_no_session_timer_any_more() {
    let context = Context {
        reliable: Policy::Supported,
        ..context()
    };
    let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
    let mut s = Script::incoming_with(context, &invite);
    s.command(Command::Progress {
        status: StatusCode::SESSION_PROGRESS,
        outgoing: sdp("answer"),
    })
    .unwrap();
    // The 2xx waits for the PRACK.
    s.command(Command::Answer(nothing())).unwrap();
    let result = s.command(Command::SessionTimer(None));
    assert!(
        matches!(result, Err(Misuse::WrongState { .. })),
        "{result:?}"
    );
}

#[test]
fn a_call_has_the_extensions_of_its_policies() {
    let tags = ["100rel", "timer", "path"];
    let of = |context| {
        let call = Script::place_with(context, invitation()).call;
        tags.map(|tag| call.has_extension(tag))
    };
    assert_eq!(of(context()), [false; 3]);
    let reliable = Policy::Supported;
    let reliable = Context {
        reliable,
        ..context()
    };
    assert_eq!(of(reliable), [true, false, false]);
    assert_eq!(of(timed()), [false, true, false]);
}

#[test]
fn every_request_but_ack_says_that_this_side_has_session_timers() {
    // 4028-7.1-01, 4028-7.1-03
    let own = outgoing(&[("Supported", "path"), ("Require", "timer")]);
    let invitation = invitation().with(own.with_body(sdp("offer").body.unwrap()));
    let mut s = Script::place_with(timed(), invitation);
    let rings = [
        ("Contact", "<sip:a@192.0.2.4>"),
        ("Require", "100rel"),
        ("RSeq", "7"),
    ];
    s.respond_with("INVITE 1", 183, Some("a"), &rings, Some("answer"));
    s.command(Command::Update {
        leg: None,
        outgoing: nothing(),
    })
    .unwrap();
    s.respond_with("INVITE 1", 200, Some("a"), &rings[..1], None);
    s.command(Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    })
    .unwrap();
    s.respond_with("UPDATE 3", 200, Some("a"), &[], None);
    s.respond_with("PRACK 2", 200, Some("a"), &[], None);
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.hang_up();
    for label in [
        "INVITE 1", "PRACK 2", "UPDATE 3", "INFO 4", "INVITE 5", "BYE 6",
    ] {
        assert!(
            listed(&s.sent(label), "Supported").contains(&"timer".into()),
            "{label}"
        );
    }
    assert_eq!(all(&s.sent("ACK 1"), "Supported"), [""; 0]);
}

#[test]
fn cancel_says_that_this_side_has_session_timers() {
    // 4028-7.1-01
    let mut s = Script::place_with(timed(), invitation());
    let mut out = Vec::new();
    let hang_up = Command::HangUp(nothing());
    crate::machine::Machine::command(&mut s.call, s.now, hang_up, &mut out).unwrap();
    let expected = headers(&[("Supported", "timer")]);
    assert!(
        matches!(&out[..], [crate::call::Action::Cancel { headers, .. }] if *headers == expected),
        "{out:?}"
    );
}

#[test]
fn refresh_says_of_extensions_what_the_invite_said() {
    // 4028-7.4-01
    let own = [
        ("Require", "100rel, x"),
        ("Proxy-Require", "y"),
        ("Supported", "z, timer"),
    ];
    for (allow, label) in [("INVITE", "INVITE 2"), ("INVITE, UPDATE", "UPDATE 2")] {
        let offer = outgoing(&own).with_body(sdp("offer").body.unwrap());
        let mut s = timed_call(timed(), invitation().with(offer), allow);
        s.run_to(secs(900));
        let refresh = s.sent(label);
        assert_eq!(one(&refresh, "Proxy-Require"), "y");
        assert_eq!(listed(&refresh, "Supported"), ["z", "timer"]);
        // RFC 3262 4: only an INVITE asks for reliable responses.
        let required: &[&str] = match label {
            "INVITE 2" => &["100rel", "x"],
            _ => &["x"],
        };
        assert_eq!(listed(&refresh, "Require"), required, "{label}");
    }
    // 25.1: a Require lists one tag at least.
    let offer = outgoing(&[("Require", "100rel")]).with_body(sdp("offer").body.unwrap());
    let mut s = timed_call(timed(), invitation().with(offer), "INVITE, UPDATE");
    s.run_to(secs(900));
    assert_eq!(all(&s.sent("UPDATE 2"), "Require"), [""; 0]);
}

#[test]
fn reinvite_that_meets_422_again_and_again_stops() {
    let mut s = timed_call(timed(), invitation(), "INVITE");
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    for (cseq, least) in (2..).zip(["2000", "2001", "2002", "2003", "2004"]) {
        let label = alloc::format!("INVITE {cseq}");
        s.respond_with(&label, 422, Some("a"), &[("Min-SE", least)], None);
    }
    let expected = [
        "INVITE 2",
        "INVITE 3",
        "INVITE 4",
        "INVITE 5",
        "INVITE 6",
        "update refused 422",
    ];
    assert_eq!(s.take(), expected);
}

//! Faults of the other side that must not end a call, and of the user that must not reach it.

use alloc::string::{String, ToString};

use super::script::{
    Script, all, context, invitation, nothing, one, outgoing, sdp, secs, their_invite,
};
use crate::call::reliable::Policy;
use crate::call::{Command, Context, ServerId};
use crate::error::Misuse;
use crate::message::{Body, Outgoing, StatusCode};

fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

#[test]
fn prack_that_the_other_side_does_not_know_leaves_the_call() {
    // RFC 5057 5.1, note 3: it is not integral to the usage.
    for code in [405, 501] {
        let mut s = Script::place();
        let rings = [
            ("Contact", "<sip:a@192.0.2.4>"),
            ("Require", "100rel"),
            ("RSeq", "7"),
        ];
        s.respond_with("INVITE 1", 183, Some("a"), &rings, Some("answer"));
        s.skip();
        s.respond_with("PRACK 2", code, Some("a"), &[], None);
        assert_eq!(s.take(), [alloc::format!("response {code}")]);
        s.respond("INVITE 1", 200, "a");
        assert_eq!(s.take(), ["ACK 1", "answered 200"]);
    }
}

#[test]
fn prack_for_an_offer_that_is_not_answered_yet_matches_once() {
    // 3262-3-14: nothing is unacknowledged any more.
    let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
    let reliable = Context {
        reliable: Policy::Supported,
        ..context()
    };
    let mut s = Script::incoming_with(reliable, &invite);
    let progress = Command::Progress {
        status: StatusCode::SESSION_PROGRESS,
        outgoing: sdp("answer"),
    };
    s.command(progress).unwrap();
    let rack = alloc::format!("{} 100 INVITE", one(&s.said(), "RSeq"));
    s.skip();
    let rack = [("RAck", rack.as_str())];
    s.request_with("PRACK", 101, Some("them"), &rack, Some("offer"));
    s.request_with("PRACK", 102, Some("them"), &rack, Some("offer"));
    assert_eq!(s.take(), ["offered PRACK", "481 PRACK 102"]);
}

#[test]
fn own_contact_holds_once_a_reliable_response_has_shown_it() {
    for (reliable, expected) in [(true, true), (false, false)] {
        let mut s = Script::confirmed_as_caller();
        let moved = outgoing(&[("Contact", "<sip:alice@192.0.2.9>")]);
        s.command(Command::Reinvite(moved)).unwrap();
        let extra = [("Require", "100rel"), ("RSeq", "7")];
        let extra = if reliable { &extra[..] } else { &[] };
        s.respond_with(
            "INVITE 2",
            183,
            Some("a"),
            extra,
            reliable.then_some("offer"),
        );
        // 6141-4.4-03, 6141-4.3-01
        // 6141-4.4-51, 6141-4.4-02, 6141-4.4-52; 6141-4.4-54: whatever becomes of the re-INVITE.
        s.respond_with("INVITE 2", 488, Some("a"), &[], None);
        s.command(Command::Update {
            leg: None,
            outgoing: sdp("offer"),
        })
        .unwrap();
        let update = all(&s.sent("UPDATE 3"), "Contact");
        assert_eq!(update == ["<sip:alice@192.0.2.9>"], expected, "{update:?}");
    }
}

/// The 2xx to a re-INVITE of the other side has no ACK yet.
fn unacknowledged() -> Script {
    let mut s = Script::confirmed_as_callee();
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.skip();
    s
}

#[test]
fn missing_ack_ends_nothing_once_a_newer_reinvite_has_come() {
    // 6141-5.4-01, 6141-5.4-51
    let mut s = unacknowledged();
    s.request_with("INVITE", 102, Some("them"), &[], Some("offer"));
    assert_eq!(s.take(), ["reoffered"]);
    s.command(Command::Reject {
        status: status(488),
        outgoing: Outgoing::new(),
    })
    .unwrap();
    s.skip();
    s.run_to(secs(40));
    let repeated = |word: &String| word == "200 INVITE 101";
    assert!(s.take().iter().all(repeated));
    assert_eq!(s.call.state(), "Confirmed");
    s.hang_up();
    assert_eq!(s.take(), ["BYE 1"]);
}

#[test]
fn ack_that_is_late_belongs_to_its_own_2xx() {
    let mut s = unacknowledged();
    s.request_with("INVITE", 102, Some("them"), &[], Some("offer"));
    s.ack(101, "them");
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(102, "them");
    assert_eq!(
        s.take(),
        [
            "reoffered",
            "acknowledged",
            "200 INVITE 102",
            "acknowledged"
        ]
    );
    s.run_to(secs(100));
    assert_eq!(s.take(), [""; 0]);
}

#[test]
fn newer_reinvite_while_the_ack_owes_an_answer_is_too_soon() {
    // 6337-4.3-06
    let mut s = Script::confirmed_as_callee();
    s.request("INVITE", 101, "them");
    s.command(Command::Answer(sdp("offer"))).unwrap();
    s.skip();
    s.request_with("INVITE", 102, Some("them"), &[], Some("offer"));
    assert_eq!(s.take(), ["500 INVITE 102"]);
    assert_eq!(all(&s.said(), "Retry-After").len(), 1);
}

#[test]
fn missing_ack_that_owes_an_answer_ends_the_call_whatever_came_since() {
    // 3261-13.3.1.4-07. Found by a swarm (seed 3032406): the other side had gone.
    let mut s = Script::confirmed_as_callee();
    s.request("INVITE", 101, "them");
    s.command(Command::Answer(sdp("offer"))).unwrap();
    s.request_with("INVITE", 102, Some("them"), &[], Some("offer"));
    s.skip();
    s.run_to(secs(40));
    let said = s.take();
    assert_eq!(
        said.iter().filter(|word| *word == "BYE 1").count(),
        1,
        "{said:?}"
    );
    assert_eq!(s.call.state(), "Leaving");
}

#[test]
fn missing_ack_of_the_first_invite_ends_the_call_whatever_came_since() {
    // 3261-13.3.1.4-07. Found by a swarm (seed 3048814).
    let mut s = Script::incoming();
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.request_with("INVITE", 102, Some("them"), &[], Some("offer"));
    s.command(Command::Reject {
        status: status(603),
        outgoing: Outgoing::new(),
    })
    .unwrap();
    s.skip();
    s.run_to(secs(40));
    let said = s.take();
    assert_eq!(
        said.iter().filter(|word| *word == "BYE 1").count(),
        1,
        "{said:?}"
    );
}

/// An early dialog with `a` in which two PRACKs of this side went out, and which its BYE ended.
fn hung_up_early() -> Script {
    let context = Context {
        reliable: Policy::Supported,
        ..context()
    };
    let mut s = Script::place_with(context, invitation());
    let reliable = |rseq| [("Require", "100rel"), ("RSeq", rseq), CONTACT];
    s.respond_with("INVITE 1", 180, Some("a"), &reliable("1"), None);
    s.respond("PRACK 2", 200, "a");
    s.respond_with("INVITE 1", 183, Some("a"), &reliable("2"), None);
    s.respond("PRACK 3", 200, "a");
    s.request("BYE", 1, "a");
    assert!(s.take().ends_with(&["200 BYE 1".to_string()]));
    s
}

const CONTACT: (&str, &str) = ("Contact", "<sip:a@192.0.2.4:5070>");

#[test]
fn bye_before_its_2xx_ends_the_call_when_that_comes_and_it_has_its_ack() {
    // 3261-13.2.2.4-03 3261-13.2.2.4-06. Found by a swarm (seed 4616736): the 2xx made the dialog anew, and its BYE
    // counted from two again.
    let mut s = hung_up_early();
    s.respond("INVITE 1", 200, "a");
    assert_eq!(
        s.take(),
        [
            "ACK 1",
            "answered 200",
            "ended: BYE of the other side, CSeq 1"
        ]
    );
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["ACK 1"]);
}

#[test]
fn early_dialog_that_is_hung_up_takes_nothing_more_and_the_invite_goes_on() {
    let mut s = hung_up_early();
    assert!(!s.call.has_dialog(Some("a")));
    let reliable = [("Require", "100rel"), ("RSeq", "3"), CONTACT];
    s.respond_with("INVITE 1", 183, Some("a"), &reliable, None);
    assert_eq!(s.take(), ["absorbed"]);
    s.respond("INVITE 1", 200, "b");
    assert_eq!(s.take(), ["ACK 1", "answered 200"]);
    // Another fork has won: that one gets its ACK, and has hung up by itself.
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["ACK 1"]);
    s.gone("INVITE 1");
    assert!(!s.call.has_dialog(Some("a")));
}

#[test]
fn cancelled_call_whose_other_side_hung_up_early_is_acknowledged_without_a_bye() {
    let mut s = hung_up_early();
    s.command(Command::HangUp(nothing())).unwrap();
    s.skip();
    s.respond("INVITE 1", 200, "a");
    assert_eq!(s.take(), ["ACK 1", "ended: cancelled"]);
}

#[test]
fn offer_that_came_too_soon_is_made_again_when_the_other_side_says() {
    // 3311-5.3-09
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Update {
        leg: None,
        outgoing: sdp("offer"),
    })
    .unwrap();
    s.respond_with("UPDATE 2", 500, Some("a"), &[("Retry-After", "7")], None);
    assert_eq!(s.take(), ["UPDATE 2", "update deferred 500"]);
    s.run_to(secs(6));
    assert_eq!(s.take(), [""; 0]);
    s.run_to(secs(7));
    assert_eq!(s.take(), ["UPDATE 3"]);
    // Without a time, or with one that no glare takes, it is the user's matter.
    s.respond_with("UPDATE 3", 500, Some("a"), &[("Retry-After", "600")], None);
    assert_eq!(s.take(), ["update refused 500"]);
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.respond_with("INVITE 4", 500, Some("a"), &[("Retry-After", "3")], None);
    s.skip();
    s.run_to(secs(10));
    assert_eq!(s.take(), ["INVITE 5"]);
}

#[test]
fn refusal_without_what_its_status_makes_necessary_is_a_misuse() {
    // 3261-21-09, 4028-6-01, and 21.4.6, 21.4.15 to 21.4.17
    let needs = [
        (401, "WWW-Authenticate"),
        (405, "Allow"),
        (407, "Proxy-Authenticate"),
        (420, "Unsupported"),
        (421, "Require"),
        (422, "Min-SE"),
        (423, "Min-Expires"),
    ];
    for (code, name) in needs {
        let mut s = Script::incoming();
        let reject = |outgoing| Command::Reject {
            status: status(code),
            outgoing,
        };
        let result = s.command(reject(Outgoing::new()));
        assert_eq!(result, Err(Misuse::MissingHeader { name }));
        s.command(reject(outgoing(&[(name, "1")]))).unwrap();

        let mut s = Script::confirmed_as_callee();
        s.request("INVITE", 101, "them");
        assert!(s.command(reject(Outgoing::new())).is_err());
        let server: ServerId = s.request("INFO", 102, "them");
        let respond = Command::Respond {
            server,
            status: status(code),
            outgoing: Outgoing::new(),
        };
        assert_eq!(s.command(respond), Err(Misuse::MissingHeader { name }));
    }
}

#[test]
fn min_se_is_in_no_response_but_a_422() {
    // 4028-5-03
    let mut s = Script::incoming();
    let mut min_se = outgoing(&[("Min-SE", "90")]);
    let reserved = Err(Misuse::ReservedHeader { name: "Min-SE" });
    let ring = Command::Progress {
        status: status(180),
        outgoing: min_se.clone(),
    };
    assert_eq!(s.command(ring), reserved);
    let reject = Command::Reject {
        status: status(486),
        outgoing: min_se.clone(),
    };
    assert_eq!(s.command(reject), reserved);
    min_se.body = Some(Body::sdp("answer"));
    assert_eq!(s.command(Command::Answer(min_se)), reserved);
}

#[test]
fn callee_says_no_199() {
    // 6228-5-02, 6228-5-01: it has one dialog of the INVITE, whose end is the final response.
    let code = 199;
    let say = || Command::Progress {
        status: status(code),
        outgoing: Outgoing::new(),
    };
    let mut s = Script::incoming();
    assert_eq!(s.command(say()), Err(Misuse::WrongStatus { status: code }));
    let mut s = Script::confirmed_as_callee();
    s.request_with("INVITE", 101, Some("them"), &[], Some("offer"));
    assert_eq!(s.command(say()), Err(Misuse::WrongStatus { status: code }));
}

#[test]
fn ringing_that_waits_for_the_prack_of_early_media_is_heard() {
    let invite = their_invite(&[("Supported", "100rel")], Some("offer"));
    let reliable = Context {
        reliable: Policy::Supported,
        ..context()
    };
    let mut s = Script::incoming_with(reliable, &invite);
    let say = |code, outgoing| Command::Progress {
        status: status(code),
        outgoing,
    };
    s.command(say(183, sdp("answer"))).unwrap();
    s.command(say(180, Outgoing::new())).unwrap();
    let rack = alloc::format!("{} 100 INVITE", one(&s.said(), "RSeq"));
    s.request_with("PRACK", 101, Some("them"), &[("RAck", &rack)], None);
    let expected = [
        "183 INVITE 100",
        "200 PRACK 101",
        "pracked",
        "180 INVITE 100",
    ];
    assert_eq!(s.take(), expected);
}

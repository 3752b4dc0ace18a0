//! Session timers (RFC 4028) of a call, both roles.

use alloc::format;

use super::script::{Script, all, context, invitation, nothing, one, sdp, secs, their_invite};
use crate::call::session_timer::Config;
use crate::call::{Command, Context};
use crate::machine::Machine;
use crate::transaction::Failure;

fn timed() -> Context {
    Context {
        session_timer: Some(Config::default()),
        ..context()
    }
}

/// A placed call whose 2xx said this.
fn placed(session: &str, allow: &str) -> Script {
    let mut s = Script::place_with(timed(), invitation());
    let extra = [
        ("Contact", "<sip:a@192.0.2.4:5070>"),
        ("Session-Expires", session),
        ("Allow", allow),
    ];
    s.respond_with("INVITE 1", 200, Some("a"), &extra, Some("answer"));
    s.gone("INVITE 1");
    s.skip();
    s
}

fn answered(extra: &[(&str, &str)]) -> Script {
    let mut s = Script::incoming_with(timed(), &their_invite(extra, Some("offer")));
    s.command(Command::Answer(sdp("answer"))).unwrap();
    s.ack(100, "them");
    s.skip();
    s
}

// 4028-7.3-02
#[test]
fn inviting_asks_for_the_interval_and_lengthens_it_after_a_422() {
    let mut s = Script::place_with(timed(), invitation());
    assert_eq!(one(&s.sent("INVITE 1"), "Session-Expires"), "1800");
    s.respond_with("INVITE 1", 422, Some("a"), &[("Min-SE", "3600")], None);
    assert_eq!(s.take(), ["INVITE 1", "INVITE 2"]);
    let again = s.sent("INVITE 2");
    assert_eq!(one(&again, "Session-Expires"), "3600");
    assert_eq!(one(&again, "Min-SE"), "3600");
    assert_eq!(again.call_id(), s.sent("INVITE 1").call_id());
    // Who asks for no more than it was given will ask so for ever.
    s.respond_with("INVITE 2", 422, Some("a"), &[("Min-SE", "3600")], None);
    assert_eq!(s.take(), ["ended: refused 422"]);
}

#[test]
fn inviting_without_session_timers_says_nothing_of_them() {
    let mut s = Script::place();
    assert_eq!(all(&s.sent("INVITE 1"), "Session-Expires").len(), 0);
    s.respond_with("INVITE 1", 422, Some("a"), &[("Min-SE", "3600")], None);
    assert_eq!(s.take(), ["INVITE 1", "ended: refused 422"]);
}

#[test]
fn confirmed_refresher_refreshes_by_update_at_half_the_interval() {
    let mut s = placed("1800;refresher=uac", "INVITE, UPDATE");
    s.run_to(secs(899));
    assert_eq!(s.take(), [""; 0]);
    s.run_to(secs(900));
    assert_eq!(s.take(), ["UPDATE 2"]);
    let update = s.sent("UPDATE 2");
    // PAINS 44
    assert_eq!(one(&update, "Session-Expires"), "1800;refresher=uac");
    assert!(update.body_slice().is_empty());
    let held = [("Session-Expires", "1800;refresher=uac")];
    s.respond_with("UPDATE 2", 200, Some("a"), &held, None);
    assert_eq!(s.take(), ["session refreshed 200"]);
    s.run_to(secs(1800));
    assert_eq!(s.take(), ["UPDATE 3"]);
}

// 4028-7.4-11
#[test]
fn confirmed_refresher_repeats_what_it_said_in_a_reinvite() {
    let mut s = placed("1800;refresher=uac", "INVITE, BYE");
    s.run_to(secs(900));
    assert_eq!(s.take(), ["INVITE 2"]);
    let invite = s.sent("INVITE 2");
    assert_eq!(invite.body_slice(), b"offer");
    assert_eq!(one(&invite, "Session-Expires"), "1800;refresher=uac");
    let held = [("Session-Expires", "1800;refresher=uac")];
    s.respond_with("INVITE 2", 200, Some("a"), &held, Some("answer"));
    assert_eq!(s.take(), ["ACK 2", "session refreshed 200"]);
    // Without the header there is no timer any more.
    s.run_to(secs(1800));
    s.respond_with("INVITE 3", 200, Some("a"), &[], Some("answer"));
    s.gone("INVITE 2");
    s.gone("INVITE 3");
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn confirmed_other_refresher_that_is_silent_is_hung_up() {
    let mut s = placed("1800;refresher=uas", "INVITE, UPDATE");
    s.run_to(secs(1767));
    assert_eq!(s.take(), [""; 0]);
    s.run_to(secs(1768));
    assert_eq!(s.take(), ["BYE 2"]);
    s.respond("BYE 2", 200, "a");
    assert_eq!(s.take(), ["ended: session expired", "terminated"]);
}

#[test]
fn confirmed_refresh_of_the_other_side_starts_the_timer_again() {
    // PAINS 45
    let mut s = placed("1800;refresher=uas", "INVITE, UPDATE");
    s.run_to(secs(900));
    let extra = [
        ("Supported", "timer"),
        ("Session-Expires", "1800;refresher=uac"),
        ("Contact", "<sip:a@192.0.2.4:5070>"),
    ];
    s.request_with("UPDATE", 5, Some("a"), &extra, None);
    assert_eq!(s.take(), ["200 UPDATE 5", "refreshed"]);
    // PAINS 44
    assert_eq!(one(&s.said(), "Session-Expires"), "1800;refresher=uac");
    assert_eq!(one(&s.said(), "Require"), "timer");
    s.run_to(secs(2667));
    assert_eq!(s.take(), [""; 0]);
    s.run_to(secs(2668));
    assert_eq!(s.take(), ["BYE 2"]);
}

#[test]
fn confirmed_refresh_that_is_lost_ends_the_call() {
    for status in [481, 408] {
        let mut s = placed("1800;refresher=uac", "INVITE, UPDATE");
        s.run_to(secs(900));
        s.skip();
        s.respond_with("UPDATE 2", status, Some("a"), &[], None);
        assert_eq!(s.take()[1..], ["BYE 3"]);
        s.respond("BYE 3", 481, "a");
        assert_eq!(s.take()[0], format!("ended: dialog lost Some({status})"));
    }
    let mut s = placed("1800;refresher=uac", "INVITE, UPDATE");
    s.run_to(secs(900));
    s.skip();
    s.fail("UPDATE 2", Failure::Timeout);
    assert_eq!(s.take(), ["request failed Timeout", "BYE 3"]);
}

#[test]
fn confirmed_refresh_that_is_refused_is_tried_again_until_the_end() {
    let mut s = placed("90;refresher=uac", "INVITE, UPDATE");
    s.run_to(secs(45));
    s.respond_with("UPDATE 2", 500, Some("a"), &[], None);
    assert_eq!(s.take(), ["UPDATE 2", "absorbed"]);
    s.run_to(secs(48));
    assert_eq!(s.take(), ["UPDATE 3"]);
    s.run_to(secs(60));
    assert_eq!(s.take(), ["BYE 4"]);
}

#[test]
fn confirmed_refresh_that_is_too_short_is_sent_again_for_longer() {
    let mut s = placed("1800;refresher=uac", "INVITE, UPDATE");
    s.run_to(secs(900));
    s.respond_with("UPDATE 2", 422, Some("a"), &[("Min-SE", "2000")], None);
    assert_eq!(s.take(), ["UPDATE 2", "UPDATE 3"]);
    assert_eq!(one(&s.sent("UPDATE 3"), "Min-SE"), "2000");
    assert_eq!(
        one(&s.sent("UPDATE 3"), "Session-Expires"),
        "2000;refresher=uac"
    );
}

#[test]
fn confirmed_refresh_waits_for_a_reinvite_of_the_other_side() {
    let mut s = placed("1800;refresher=uac", "INVITE");
    s.run_to(secs(899));
    s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    s.skip();
    s.run_to(secs(902));
    assert_eq!(s.take(), [""; 0]);
    assert!(s.call.deadline().is_some_and(|at| at > s.now));
}

#[test]
fn confirmed_refresh_that_cannot_go_is_tried_again_counted_from_when_it_was_due() {
    let mut s = placed("1800;refresher=uac", "INVITE");
    s.run_to(secs(899));
    s.request_with("INVITE", 5, Some("a"), &[], Some("offer"));
    // Law L5: the wake is late, the next one is not.
    s.now = secs(901);
    s.wake();
    assert_eq!(s.call.deadline(), Some(secs(903)));
}

#[test]
fn answered_says_what_was_agreed_and_refreshes_if_it_must() {
    let mut s = answered(&[
        ("Supported", "timer"),
        ("Session-Expires", "600;refresher=uas"),
        ("Allow", "UPDATE"),
    ]);
    let said = s.said();
    assert_eq!(one(&said, "Session-Expires"), "600;refresher=uas");
    assert_eq!(one(&said, "Require"), "timer");
    s.run_to(secs(300));
    assert_eq!(s.take(), ["UPDATE 1"]);
    assert_eq!(
        one(&s.sent("UPDATE 1"), "Session-Expires"),
        "600;refresher=uac"
    );
}

#[test]
fn answered_caller_without_session_timers_is_refreshed_by_this_side() {
    let mut s = answered(&[("Session-Expires", "600")]);
    // Its proxy wants one: section 9, table 2.
    assert_eq!(one(&s.said(), "Session-Expires"), "600;refresher=uas");
    assert_eq!(all(&s.said(), "Require").len(), 0);
    s.run_to(secs(300));
    // It has not said that it knows UPDATE.
    assert_eq!(s.take(), ["INVITE 1"]);
    assert_eq!(s.sent("INVITE 1").body_slice(), b"answer");
    let mut plain = answered(&[]);
    assert_eq!(all(&plain.said(), "Session-Expires").len(), 0);
    assert_eq!(plain.call.deadline(), None);
    plain.hang_up();
}

#[test]
fn confirmed_hang_up_stops_the_timer() {
    let mut s = placed("1800;refresher=uac", "INVITE, UPDATE");
    s.hang_up();
    assert_eq!(s.take(), ["BYE 2"]);
    assert_eq!(s.call.deadline(), None);
    assert_eq!(s.command(Command::HangUp(nothing())), Ok(()));
}

#[test]
fn answered_by_who_has_no_session_timers_is_refreshed_alone_if_that_is_wanted() {
    for alone in [false, true] {
        let config = Config {
            alone,
            ..Config::default()
        };
        let context = Context {
            session_timer: Some(config),
            ..context()
        };
        let mut s = Script::place_with(context, invitation());
        let allow = [
            ("Contact", "<sip:a@192.0.2.4:5070>"),
            ("Allow", "INVITE, UPDATE"),
        ];
        s.respond_with("INVITE 1", 422, Some("a"), &[("Min-SE", "2000")], None);
        s.respond_with("INVITE 2", 200, Some("a"), &allow, Some("answer"));
        s.gone("INVITE 1");
        s.gone("INVITE 2");
        s.skip();
        // 4028-7.2-04: the interval of the request, and this side refreshes.
        s.run_to(secs(999));
        assert_eq!(s.take(), [""; 0]);
        s.run_to(secs(1000));
        let sent = if alone { &["UPDATE 3"][..] } else { &[] };
        assert_eq!(s.take(), sent);
        if alone {
            let update = s.sent("UPDATE 3");
            assert_eq!(one(&update, "Session-Expires"), "2000;refresher=uac");
            // What has no session timer refreshes the session all the same.
            s.respond_with("UPDATE 3", 200, Some("a"), &allow[..1], None);
            s.skip();
            s.run_to(secs(2000));
            assert_eq!(s.take(), ["UPDATE 4"]);
            s.fail("UPDATE 4", Failure::Timeout);
            assert_eq!(s.take(), ["request failed Timeout", "BYE 5"]);
        }
    }
}

#[test]
fn answered_by_two_forks_keeps_to_the_timer_of_its_own() {
    let mut s = Script::place_with(timed(), invitation());
    let says = |interval| {
        [
            ("Contact", "<sip:a@192.0.2.4:5070>"),
            ("Allow", "INVITE, UPDATE"),
            ("Session-Expires", interval),
        ]
    };
    let long = says("1000;refresher=uac");
    s.respond_with("INVITE 1", 200, Some("a"), &long, Some("answer"));
    let short = says("100;refresher=uac");
    s.respond_with("INVITE 1", 200, Some("b"), &short, Some("answer"));
    s.respond("BYE 2", 200, "b");
    s.gone("INVITE 1");
    s.skip();
    // 4028-7.2-07
    s.run_to(secs(499));
    assert_eq!(s.take(), [""; 0]);
    s.run_to(secs(500));
    assert_eq!(s.take(), ["UPDATE 2"]);
    assert_eq!(s.sent("UPDATE 2").to_tag(), Some("a"));
}

#[test]
fn confirmed_refresh_that_meets_glare_goes_again_in_the_band_of_its_side() {
    let bands = [(true, 2_100..=4_000), (false, 0..=2_000)];
    for (placed_here, band) in bands {
        let mut s = match placed_here {
            true => placed("1000;refresher=uac", "INVITE, UPDATE"),
            false => answered(&[
                ("Allow", "INVITE, UPDATE"),
                ("Supported", "timer"),
                ("Session-Expires", "1000;refresher=uas"),
            ]),
        };
        let (label, tag) = if placed_here {
            ("UPDATE 2", "a")
        } else {
            ("UPDATE 1", "them")
        };
        s.run_to(secs(500));
        assert_eq!(s.take(), [label]);
        s.respond_with(label, 491, Some(tag), &[], None);
        assert_eq!(s.take(), ["absorbed"]);
        // RFC 3311 5.3, as 3261 14.1.
        let wait = s
            .call
            .deadline()
            .unwrap()
            .saturating_since(s.now)
            .as_millis();
        assert!(band.contains(&wait), "{wait}");
        s.fire();
        assert_eq!(s.take().len(), 1);
        let label = if placed_here { "UPDATE 3" } else { "UPDATE 2" };
        s.respond_with(label, 500, Some(tag), &[("Retry-After", "7")], None);
        let wait = s.call.deadline().unwrap().saturating_since(s.now).as_secs();
        assert_eq!(wait, 7);
    }
}

//! Session timers against RFC 4028.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::transaction::testing::{Timed, ms};

type Script = Timed<SessionTimer>;

fn terms(interval: u32, refresher: Side) -> Terms {
    Terms {
        interval,
        refresher,
    }
}

fn agreed(interval: u32, refresher: Side) -> Event {
    Event::Agreed(Some(terms(interval, refresher)))
}

/// Agreed on at 0.
fn running(interval: u32, refresher: Side) -> Script {
    let mut script = Timed::new(|_| SessionTimer::new(ms(0)));
    assert_eq!(script.receive(0, agreed(interval, refresher)), []);
    script
}

fn expires(text: &str) -> Option<SessionExpires> {
    Some(SessionExpires::parse(text.as_bytes()).unwrap())
}

fn caller() -> Negotiation {
    Negotiation::new(Some(Config::default()))
}

fn asked(rest: &str) -> Asked {
    let text = format!(
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8\r\n\
         To: Bob <sip:bob@biloxi.example.com>\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
         CSeq: 1 INVITE\r\n{rest}\r\n"
    );
    Asked::of(&Request::try_from(Message::parse(text.into()).unwrap()).unwrap())
}

/// Session-Expires and Require of the 2xx, or Min-SE of the 422.
fn answer(config: Config, rest: &str) -> String {
    match Negotiation::new(Some(config)).answer(&asked(rest)) {
        Answer::Off => "off".into(),
        Answer::Accept {
            expires,
            require: true,
            ..
        } => format!("{expires} require"),
        Answer::Accept {
            expires,
            require: false,
            ..
        } => expires.to_string(),
        Answer::TooSmall { min_se } => format!("422 {min_se}"),
    }
}

fn wants(interval: u32, least: u32) -> Config {
    Config {
        interval,
        least,
        ..Config::default()
    }
}

// 4028-4-01
#[test]
fn session_expires_is_read_in_any_case() {
    let of = |rest| asked(rest).expires;
    assert_eq!(
        of("x: 4000;refresher=uas\r\n"),
        expires("4000;refresher=uas")
    );
    assert_eq!(
        of("Session-Expires: 90 ;a=b; REFRESHER = UAC\r\n"),
        expires("90;refresher=uac")
    );
    assert_eq!(of("Session-Expires: 90;refresher=me\r\n"), expires("90"));
    assert_eq!(of("Session-Expires: soon\r\n"), None);
    assert_eq!(of("Session-Expires: 4294967296\r\n"), None);
}

// 4028-5-01, 4028-5-02, 4028-5-04
#[test]
fn min_se_is_at_least_90() {
    assert_eq!(asked("Min-SE: 60\r\n").min_se, Some(90));
    assert_eq!(asked("Min-SE: 120;a=b\r\n").min_se, Some(120));
    assert_eq!(asked("").min_se, None);
    // Without one it is 90: the interval comes down to that.
    let request = "Supported: timer\r\nSession-Expires: 4000\r\n";
    assert_eq!(answer(wants(1, 1), request), "90;refresher=uac require");
}

// 4028-7.1-04, 4028-7.1-05, 4028-4-05
#[test]
fn first_request_names_no_refresher() {
    assert_eq!(caller().request(), Some((expires("1800").unwrap(), None)));
    let modest = Negotiation::new(Some(wants(10, 10)));
    assert_eq!(modest.request(), Some((expires("90").unwrap(), None)));
    assert_eq!(Negotiation::new(None).request(), None);
}

// PAINS 102: the retry has the new Min-SE, and a second 422 does not end the call.
// 4028-7.3-01, 4028-7.4-03, 4028-7.4-04
#[test]
fn too_small_is_retried_with_what_it_asks() {
    let mut caller = caller();
    assert!(caller.on_too_small(Some(3_600)));
    assert_eq!(
        caller.request(),
        Some((expires("3600").unwrap(), Some(3_600)))
    );
    assert!(caller.on_too_small(Some(4_000)));
    assert_eq!(
        caller.request(),
        Some((expires("4000").unwrap(), Some(4_000)))
    );
    // What asks for nothing more would say so for ever.
    assert!(!caller.on_too_small(Some(4_000)));
    assert!(!caller.on_too_small(Some(90)));
    assert!(!caller.on_too_small(None));
    assert_eq!(
        caller.request(),
        Some((expires("4000").unwrap(), Some(4_000)))
    );
    // 4028-7.4-05
    caller.on_dialog();
    assert_eq!(caller.request(), Some((expires("1800").unwrap(), None)));
}

// 4028-7.2-02, 4028-7.2-03, 4028-7.2-05, 4028-7.2-06
#[test]
fn caller_takes_what_the_2xx_says() {
    let mut none = Negotiation::new(None);
    let local = none.on_success(expires("200;refresher=uac"));
    assert_eq!(local, Some(terms(200, Side::Local)));
    let mut caller = caller();
    let remote = caller.on_success(expires("1000;refresher=uas"));
    assert_eq!(remote, Some(terms(1_000, Side::Remote)));
    assert_eq!(
        caller.on_success(expires("5;refresher=uas")),
        Some(terms(90, Side::Remote))
    );
    assert_eq!(caller.on_success(None), None);
    assert_eq!(caller.terms(), None);
}

// PAINS 44: a refresher that is left out orphans no dialog, and this side never leaves it out.
// 4028-7.4-06, 4028-7.4-07, 4028-9-08
#[test]
fn refresher_is_always_written() {
    let mut caller = caller();
    assert_eq!(
        caller.on_success(expires("1000")),
        Some(terms(1_000, Side::Local))
    );
    assert_eq!(
        caller.request(),
        Some((expires("1000;refresher=uac").unwrap(), None))
    );
    caller.on_success(expires("1000;refresher=uas"));
    assert_eq!(
        caller.request(),
        Some((expires("1000;refresher=uas").unwrap(), None))
    );
    for request in [
        "Session-Expires: 200\r\n",
        "Supported: timer\r\n",
        "Supported: timer\r\nSession-Expires: 200\r\n",
        "Supported: timer\r\nSession-Expires: 200;refresher=uas\r\n",
    ] {
        assert!(
            answer(Config::default(), request).contains(";refresher=ua"),
            "{request}"
        );
    }
}

// 4028-9-01, 4028-9-02, 4028-9-03
#[test]
fn too_small_an_interval_gets_422_if_its_sender_knows_it() {
    let config = wants(1_800, 300);
    let known = "Supported: timer\r\nSession-Expires: 299\r\n";
    assert_eq!(answer(config, known), "422 300");
    let least = "Supported: timer\r\nSession-Expires: 300\r\n";
    assert_eq!(answer(config, least), "300;refresher=uac require");
    assert_eq!(answer(wants(1_800, 10), "k: timer\r\nx: 89\r\n"), "422 90");
    let refused = Negotiation::new(Some(config))
        .answer(&asked(known))
        .refusal();
    assert_eq!(refused, Some(StatusCode::SESSION_INTERVAL_TOO_SMALL));
    assert_eq!(
        answer(config, "Session-Expires: 299\r\n"),
        "299;refresher=uas"
    );
    // 4028-4-03
    assert_eq!(answer(config, "Session-Expires: 89\r\n"), "off");
}

// 4028-9-04, 4028-9-05, 4028-9-06, 4028-9-07
#[test]
fn callee_lowers_the_interval_to_min_se_and_never_raises_it() {
    let timer = |rest: &str| format!("Supported: timer\r\n{rest}");
    let of = |config, rest: &str| answer(config, &timer(rest));
    let lowered = of(wants(600, 90), "x: 4000\r\n");
    assert_eq!(lowered, "600;refresher=uac require");
    let floor = of(wants(600, 90), "x: 4000\r\nMin-SE: 1200\r\n");
    assert_eq!(floor, "1200;refresher=uac require");
    assert_eq!(
        of(wants(600, 90), "x: 300\r\n"),
        "300;refresher=uac require"
    );
    assert_eq!(of(wants(600, 90), ""), "600;refresher=uac require");
    assert_eq!(
        of(wants(600, 90), "Min-SE: 900\r\n"),
        "900;refresher=uac require"
    );
    assert_eq!(answer(wants(600, 90), ""), "off");
    let without = Negotiation::new(None).answer(&asked(&timer("x: 4000\r\n")));
    assert_eq!(without, Answer::Off);
}

// 4028-9-09, 4028-9-10, 4028-9-11, 4028-9-12, 4028-9-13, 4028-9-14
#[test]
fn refresher_comes_from_table_2() {
    for (refresher, chosen) in [(Side::Local, "uas"), (Side::Remote, "uac")] {
        let config = Config {
            refresher,
            ..Config::default()
        };
        let of = |rest: &str| answer(config, rest);
        assert_eq!(of("x: 200\r\n"), "200;refresher=uas");
        let none = of("k: timer\r\nx: 200\r\n");
        assert_eq!(none, format!("200;refresher={chosen} require"));
        for asked in ["uac", "uas"] {
            let kept = of(&format!("k: timer\r\nx: 200;refresher={asked}\r\n"));
            assert_eq!(kept, format!("200;refresher={asked} require"));
        }
    }
}

// 4028-7.4-02, 4028-7.4-04, 4028-10-01
#[test]
fn min_se_of_a_refresh_is_kept() {
    let mut callee = caller();
    let first = asked("k: timer\r\nx: 2000\r\n");
    let accepted = callee.answer(&first);
    assert_eq!(
        callee.on_answered(&first, &accepted),
        Some(terms(1_800, Side::Remote))
    );
    let refresh = asked("k: timer\r\nx: 2000;refresher=uas\r\nMin-SE: 1900\r\n");
    let accepted = callee.answer(&refresh);
    assert_eq!(
        callee.on_answered(&refresh, &accepted),
        Some(terms(1_900, Side::Local))
    );
    let ours = callee.request();
    assert_eq!(
        ours,
        Some((expires("1900;refresher=uac").unwrap(), Some(1_900)))
    );
    // A 422 changes nothing.
    let small = asked("k: timer\r\nx: 80\r\n");
    let refused = callee.answer(&small);
    assert_eq!(
        callee.on_answered(&small, &refused),
        Some(terms(1_900, Side::Local))
    );
}

// 4028-7.2-09, 4028-7.2-10, 4028-7.2-08, 4028-9-16
#[test]
fn running_refreshes_at_half_the_interval() {
    let mut script = running(1_800, Side::Local);
    assert_eq!(script.until(900_000), [(900_000, Action::Refresh)]);
    assert_eq!(script.receive(901_000, agreed(1_800, Side::Local)), []);
    assert_eq!(script.until(1_801_000), [(1_801_000, Action::Refresh)]);
}

// 4028-10-04, 4028-9-15
#[test]
fn running_without_a_refresh_ends_before_the_interval_does() {
    let end = |at| vec![(at, Action::Expired), (at, Action::Terminated)];
    let mut long = running(1_800, Side::Remote);
    assert_eq!(long.until(9_000_000), end(1_768_000));
    // A third of 90 s is less than 32 s.
    let mut short = running(90, Side::Remote);
    assert_eq!(short.until(9_000_000), end(60_000));
    let mut unanswered = running(90, Side::Local);
    assert_eq!(unanswered.until(50_000), [(45_000, Action::Refresh)]);
    assert_eq!(unanswered.until(9_000_000), end(60_000));
}

// PAINS 45: any 2xx counts, whatever it answered.
// 4028-7.2-11, 4028-7.2-06
#[test]
fn running_agreed_starts_both_timers_again() {
    let mut script = running(90, Side::Remote);
    assert_eq!(script.receive(59_999, agreed(90, Side::Remote)), []);
    assert_eq!(script.receive(100_000, agreed(200, Side::Local)), []);
    assert_eq!(script.until(200_000), [(200_000, Action::Refresh)]);
    script.receive(210_000, agreed(90, Side::Remote));
    assert_eq!(script.until(269_999), []);
    assert_eq!(script.until(270_000).len(), 2);
}

// 4028-4-06, 4028-7.2-05
#[test]
fn running_agreed_on_none_is_off() {
    let mut script = running(90, Side::Local);
    assert_eq!(script.receive(10, Event::Agreed(None)), []);
    assert_eq!(script.until(9_000_000), []);
    assert_eq!(script.receive(9_000_000, Event::Lost), []);
}

// 4028-10-02
#[test]
fn running_lost_refresh_ends_the_session() {
    let mut script = running(1_800, Side::Local);
    script.until(900_000);
    let out = script.receive(932_000, Event::Lost);
    assert_eq!(out, [Action::Expired, Action::Terminated]);
}

// 4028-10-03
#[test]
fn running_refused_refresh_is_tried_again_after_its_wait_only() {
    let mut script = running(1_800, Side::Local);
    script.until(900_000);
    script.receive(901_000, Event::Refused(Some(Duration::from_secs(3))));
    assert_eq!(script.until(904_000), [(904_000, Action::Refresh)]);
    script.receive(905_000, Event::Refused(None));
    let log: Vec<_> = script.until(9_000_000);
    assert_eq!(log.first(), Some(&(1_768_000, Action::Expired)));
    // A wait past the end comes to nothing.
    let mut late = running(90, Side::Local);
    late.receive(46_000, Event::Refused(Some(Duration::from_secs(60))));
    assert_eq!(
        late.until(9_000_000).first(),
        Some(&(60_000, Action::Expired))
    );
}

#[test]
fn stop_ends_it_in_any_state() {
    let mut off = Timed::new(|_| SessionTimer::new(ms(0)));
    assert_eq!(off.machine.state(), "Off");
    assert!(!off.machine.is_terminated());
    assert_eq!(off.command(1, Command::Stop), Ok(vec![Action::Terminated]));
    assert_eq!(off.machine.state(), "Terminated");
    assert!(off.machine.is_terminated());
    assert_eq!(off.command(2, Command::Stop), Ok(vec![]));
    assert_eq!(off.receive(3, agreed(90, Side::Local)), []);
    let mut on = running(90, Side::Local);
    assert_eq!(on.machine.state(), "Running");
    assert_eq!(on.command(1, Command::Stop), Ok(vec![Action::Terminated]));
    assert_eq!(on.machine.deadline(), None);
}

#[test]
fn late_wake_does_not_refresh_what_is_over() {
    let mut script = running(90, Side::Local);
    let mut out = Vec::new();
    script.machine.on_deadline(ms(100_000), &mut out);
    assert_eq!(out, [Action::Expired, Action::Terminated]);
}

//! Requests within a call, outside of any, and those that the core refuses.

use insta::assert_snapshot;
use std::time::Duration;

use drongo::endpoint::{Config, Event};
use drongo::error::Misuse;
use drongo::message::{Outgoing, StatusCode};
use drongo::sim::Turn;
use drongo::time::Time;

use super::support::{Flow, answers_at_once, hang_up, info, raw, raw_to, script, update, within};

/// Answers calls and requests.
fn obliging(turn: &mut Turn<'_>, event: Event) {
    match event {
        Event::Request { request, .. } => {
            let respond = |turn: &mut Turn<'_>| {
                turn.request(request, |request, now, out| {
                    request.respond(now, StatusCode::OK, Outgoing::default(), out)
                })
            };
            respond(turn).unwrap();
            // More is harmless.
            respond(turn).unwrap();
        }
        event => answers_at_once(turn, event),
    }
}

#[test]
fn info_is_handed_over_and_answered() {
    let mut flow = Flow::new(obliging);
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(1000, flow.bob, info);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn info_that_the_application_never_answers_gets_500() {
    // 4320-4.2-01, 4320-4.1-04
    // Never 408 (4320 4.2); before the client gives up.
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(30_000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn info_unanswered_at_the_bye_gets_487() {
    // 3261-15.1.2-04, 3261-15.1.2-05
    // 15.1.2
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn message_outside_a_call_is_answered_by_the_application_or_with_500() {
    let mut flow = Flow::with_peer(());
    flow.send(0, &raw("MESSAGE", "m1", ""));
    flow.world.run_for(Duration::from_millis(15));
    // A copy is not a second request.
    flow.send(600, &raw("MESSAGE", "m1", ""));
    assert_snapshot!(flow.end());
}

/// Found by the fuzz target `endpoint`: the 408 was taken and never sent, and nothing ended the
/// transaction of the request.
#[test]
fn request_that_the_application_answers_with_408_is_still_to_be_answered() {
    // 4320-4.2-01
    let late = |turn: &mut Turn<'_>, event: Event| match event {
        Event::Request { request, .. } => {
            let refused = turn.request(request, |request, now, out| {
                request.respond(now, StatusCode::REQUEST_TIMEOUT, Outgoing::new(), out)
            });
            assert_eq!(refused, Err(Misuse::WrongStatus { status: 408 }));
        }
        event => answers_at_once(turn, event),
    };
    let mut flow = Flow::between(late, late);
    flow.send(0, &raw("MESSAGE", "m1", ""));
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(30_000, flow.alice, hang_up);
    let ladder = flow.end();
    assert_eq!(ladder.matches("500 MESSAGE").count(), 1, "{ladder}");
    assert_eq!(ladder.matches("500 INFO").count(), 1, "{ladder}");
}

#[test]
fn stray_requests_get_481_with_the_same_tag_for_each_copy() {
    // 3261-12.2.2-03, 3261-15.1.2-01, 3261-9.2-05, 3261-8.2.7-05, 3261-8.2.7-06
    // PAINS 42
    let mut flow = Flow::with_peer(());
    for (n, method) in ["BYE", "INFO", "INVITE", "OPTIONS", "MESSAGE"]
        .into_iter()
        .enumerate()
    {
        let text = raw_to(
            method,
            "sip:alice@192.0.2.1",
            ";tag=gone",
            &format!("s{n}"),
            "",
        );
        flow.send(1000 * (n as u64), &text);
    }
    // Without a To tag they name no dialog either.
    for (n, method) in ["BYE", "CANCEL"].into_iter().enumerate() {
        let text = raw(method, &format!("t{n}"), "");
        flow.send(10_000 + 1000 * (n as u64), &text);
        flow.send(10_500 + 1000 * (n as u64), &text);
    }
    assert_snapshot!(flow.end());
}

#[test]
fn stray_acks_and_responses_are_dropped_in_silence() {
    // 3261-12.2.2-04, 3261-18.1.2-01, 6026-8.9-01, 3261-8.2.7-03
    // PAINS 75: never a reply to an ACK.
    let mut flow = Flow::with_peer(());
    flow.send(0, &raw("ACK", "a1", ""));
    flow.send(
        0,
        &raw_to("ACK", "sip:alice@192.0.2.1", ";tag=gone", "a2", ""),
    );
    flow.send(
        0,
        &raw_to("ACK", "tel:+1", ";tag=gone", "a3", "Require: nothing\n"),
    );
    flow.send(
        0,
        "ACK sip:a SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKa4\n\n",
    );
    let stray = |via: &str| {
        format!(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP {via};branch=z9hG4bKr1\n\
             From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>;tag=2\n\
             Call-ID: r\nCSeq: 1 INVITE\nContent-Length: 0\n\n"
        )
    };
    flow.send(0, &stray("192.0.2.1:5060"));
    flow.send(0, &stray("192.0.2.99:5060"));
    flow.send(0, "\n\n");
    assert_snapshot!(flow.end());
}

#[test]
fn options_says_what_the_endpoint_can_do() {
    // 3261-11-01, 3261-11.2-03, 3261-11.2-04
    // 11.2
    let config = Config::default().method("MESSAGE");
    let mut flow = Flow::with_peer_and(config, ());
    flow.send(0, &raw("OPTIONS", "o1", "Accept: application/sdp\n"));
    flow.world.run_for(Duration::from_millis(15));
    let reply = flow.last_of_alice();
    for line in [
        "SIP/2.0 200 OK",
        "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, MESSAGE, NOTIFY",
        "Accept: application/sdp",
        "Accept-Encoding: identity",
        "Accept-Language: *",
    ] {
        assert!(reply.contains(&format!("{line}\r\n")), "{line}:\n{reply}");
    }
    assert!(reply.contains("Supported:"), "{reply}");
    assert!(
        !reply.contains("Contact:") || reply.contains("Contact: <sip:"),
        "{reply}"
    );
    assert_snapshot!(flow.end());
}

#[test]
fn options_within_a_call_leaves_it_alone() {
    // 3261-11.2-02
    let mut flow = Flow::with_peer(script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let options = within(&flow.invite(), "b", "OPTIONS", 1, "o2");
    flow.send(1000, &options);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn what_the_core_refuses_says_why() {
    // 3261-8.2.1-01, 3261-8.2.1-02, 3261-8.2.1-03, 3261-8.2.2.1-03, 3261-8.2.2.3-01,
    // 3261-8.2.2.3-02, 3261-8.2.7-06
    // PAINS 100, 112; 8.2.1, 8.2.2.1, 8.2.2.3, 21.5.6
    let cases = [
        (
            raw("PUBLISH", "c1", ""),
            "405 ",
            "\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE",
        ),
        (raw("DANCE", "c2", ""), "501 ", "\r\nAllow: "),
        (raw("invite", "c3", ""), "501 ", "\r\n"),
        (
            raw("INVITE", "c4", "Require: 100rel, foo\nRequire: bar\n"),
            "420 ",
            "\r\nUnsupported: 100rel, foo, bar\r\n",
        ),
        (
            raw_to("INVITE", "tel:+15551234", "", "c5", ""),
            "416 ",
            "\r\n",
        ),
        (
            raw_to("INVITE", "http://example.com", "", "c6", ""),
            "416 ",
            "\r\n",
        ),
        (
            raw("INVITE", "c7", "").replacen("SIP/2.0", "SIP/7.0", 1),
            "505 ",
            "\r\n",
        ),
        (
            raw("INVITE", "c8", "").replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
            "400 ",
            "\r\n",
        ),
        (
            raw("INVITE", "c9", "").replace("Length: 0", "Length: 99"),
            "400 ",
            "\r\n",
        ),
        (
            raw("INVITE", "c10", "").replace("CSeq: 1 ", "CSeq: 99999999999 "),
            "400 ",
            "\r\n",
        ),
    ];
    for (request, status, header) in cases {
        let mut flow = Flow::with_peer(());
        flow.send(0, &request);
        flow.world.run_for(Duration::from_millis(15));
        let first = flow.last_of_alice();
        assert!(
            first.starts_with(&format!("SIP/2.0 {status}")),
            "{request}\n{first}"
        );
        assert!(first.contains(header), "{request}\n{first}");
        // PAINS 104: a response can be made from what could be read; 8.2.7: without a trace, and
        // the same for each copy.
        flow.send(600, &request);
        flow.world.run_for(Duration::from_millis(15));
        assert_eq!(flow.last_of_alice(), first);
        assert_eq!(
            flow.world
                .record()
                .sent()
                .filter(|s| s.from == flow.alice)
                .count(),
            2
        );
        assert_eq!(flow.world.look(flow.alice).unwrap().transactions(), 0);
        flow.end();
    }
}

#[test]
fn garbage_is_counted_and_nothing_else() {
    let mut flow = Flow::with_peer(());
    for text in [
        "hello",
        "INVITE",
        "\0\0\0",
        "SIP/2.0 200 OK\n\n",
        "INVITE sip:a SIP/2.0\n\n",
    ] {
        flow.send(0, text);
    }
    flow.world.run_for(Duration::from_millis(15));
    assert_eq!(flow.world.look(flow.alice).unwrap().counters().malformed, 5);
    assert_snapshot!(flow.end());
}

// 3261-21-11
#[test]
fn merged_request_gets_482() {
    // 3261-8.2.2.2-01, 3261-8.2.2.2-02, 3261-8.2.2.2-03
    // The same request over two ways.
    let mut flow = Flow::with_peer(());
    let one = raw("INVITE", "f1", "");
    let two = one.replace("z9hG4bKf1", "z9hG4bKf2");
    flow.send(0, &one);
    flow.send(5, &two);
    flow.send(
        1000,
        &one.replacen("INVITE", "CANCEL", 1)
            .replace("1 INVITE", "1 CANCEL"),
    );
    flow.send(
        1015,
        &one.replacen("INVITE", "ACK", 1)
            .replace("1 INVITE", "1 ACK"),
    );
    assert_snapshot!(flow.end());
}

#[test]
fn reinvite_of_the_peer_that_is_cancelled_gets_487() {
    // 3261-9.2-07
    let mut flow = Flow::with_peer(script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let invite = flow.invite();
    flow.send(1000, &within(&invite, "b", "INVITE", 1, "ri"));
    flow.send(1100, &within(&invite, "b", "CANCEL", 1, "ri"));
    flow.send(1150, &within(&invite, "b", "ACK", 1, "ri"));
    flow.at(2000, flow.alice, update);
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn request_out_of_order_gets_500() {
    // 3261-12.2.2-06, 3261-12.2.2-08, 3261-12.2.2-09
    // 12.2.2
    let mut flow = Flow::with_peer(script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let invite = flow.invite();
    flow.send(1000, &within(&invite, "b", "OPTIONS", 7, "q1"));
    flow.send(1100, &within(&invite, "b", "BYE", 5, "q2"));
    flow.send(1200, &within(&invite, "b", "BYE", 9, "q3"));
    assert_snapshot!(flow.end());
}

#[test]
fn ladder_numbers_what_differs_between_seeds() {
    let mut flow = Flow::new(answers_at_once);
    flow.place();
    flow.world.run_for(Duration::from_secs(1));
    let text = flow.world.trace().ladder();
    assert!(!text.contains("z9hG4bK"), "{text}");
    assert!(text.contains("branch 2 from A to B"), "{text}");
    flow.at(2000, flow.bob, hang_up);
    flow.end();
}

#[test]
fn body_that_is_not_understood_gets_415() {
    // 3261-8.2.3-01, 3261-8.2.3-02, 3261-8.2.3-03, 3261-8.2.3-05, PAINS 100
    let with_body = |branch: &str, headers: &str| {
        raw("INVITE", branch, headers).replace("Content-Length: 0\n\n", "Content-Length: 3\n\nabc")
    };
    let cases = [
        (
            "b1",
            "Content-Type: text/plain\n",
            "415 ",
            "\r\nAccept: application/sdp\r\n",
        ),
        (
            "b2",
            "Content-Type: application/sdp\nContent-Encoding: gzip\n",
            "415 ",
            "\r\nAccept-Encoding: identity\r\n",
        ),
        (
            "b3",
            "Content-Type: application/SDP;charset=utf-8\n",
            "100 ",
            "\r\n",
        ),
        (
            "b4",
            "Content-Type: text/plain\nContent-Disposition: render;handling=optional\n",
            "100 ",
            "\r\n",
        ),
    ];
    for (branch, headers, status, header) in cases {
        let mut flow = Flow::with_peer(());
        flow.send(0, &with_body(branch, headers));
        flow.world.run_for(Duration::from_millis(250));
        let reply = flow.last_of_alice();
        assert!(
            reply.starts_with(&format!("SIP/2.0 {status}")),
            "{headers}{reply}"
        );
        assert!(reply.contains(header), "{headers}{reply}");
        flow.end();
    }
}

#[test]
fn cancel_of_a_message_is_answered_and_does_nothing() {
    // 3261-9.2-08, 3261-9.2-09
    let mut flow = Flow::with_peer(());
    flow.send(0, &raw("MESSAGE", "m2", ""));
    flow.send(1000, &raw("CANCEL", "m2", ""));
    assert_snapshot!(flow.end());
}

#[test]
fn require_in_a_cancel_is_ignored() {
    // 3261-8.2.2.3-04
    let mut flow = Flow::with_peer(());
    flow.send(0, &raw("INVITE", "n1", ""));
    flow.send(
        1000,
        &raw("CANCEL", "n1", "Require: nothing\nProxy-Require: nothing\n"),
    );
    flow.send(1015, &raw("ACK", "n1", "Require: nothing\n"));
    assert_snapshot!(flow.end());
}

#[test]
fn bye_that_overtakes_the_ack_ends_the_call() {
    // 3261-15.1.2-06
    let mut flow = Flow::new(answers_at_once);
    flow.world.lose(flow.alice, "ACK", 1);
    flow.place();
    flow.at(100, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn responses_go_where_the_top_via_and_the_source_say() {
    // Bob sends from 192.0.2.4:5060.
    let cases = [
        // 3261-18.2.2-06, 3261-18.2.1-03, 3261-18.2.1-04, 3581-4-05
        (
            "192.0.2.77:5070",
            "192.0.2.4:5070",
            ";received=192.0.2.4\r\n",
        ),
        (
            "bob.example.com",
            "192.0.2.4:5060",
            ";received=192.0.2.4\r\n",
        ),
        // 3581-4-01, 3581-4-02, 3581-4-06
        ("192.0.2.77:5070;rport", "192.0.2.4:5060", ";rport=5060"),
        (
            "192.0.2.4:5070;rport",
            "192.0.2.4:5060",
            ";received=192.0.2.4",
        ),
        // 3261-18.2.2-04
        (
            "192.0.2.4;maddr=192.0.2.9",
            "192.0.2.9:5060",
            "maddr=192.0.2.9",
        ),
    ];
    for (n, (via, destination, contains)) in cases.into_iter().enumerate() {
        let (host, params) = via.split_once(';').unwrap_or((via, ""));
        let params = if params.is_empty() {
            String::new()
        } else {
            format!(";{params}")
        };
        for (method, m) in [("OPTIONS", "o"), ("BYE", "b"), ("INVITE", "i")] {
            let branch = format!("v{m}{n}");
            let text = raw(method, &branch, "").replace(
                &format!("192.0.2.4;branch=z9hG4bK{branch};rport"),
                &format!("{host};branch=z9hG4bK{branch}{params}"),
            );
            let mut flow = Flow::with_peer(());
            flow.send(0, &text);
            flow.world.run_for(Duration::from_millis(500));
            let sent = flow.world.record().sent().last().unwrap();
            // 3581-4-07
            assert_eq!(sent.from, flow.alice, "{text}");
            assert_eq!(sent.remote.to_string(), destination, "{text}");
            assert!(
                flow.last_of_alice().contains(contains),
                "{}",
                flow.last_of_alice()
            );
        }
    }
}

#[test]
fn request_refused_in_a_dialog_takes_its_cseq() {
    // 3261-12.2.2-01, 3261-12.2.2-10
    let mut flow = Flow::with_peer(script(&[(0, 200, "b")]));
    flow.place();
    flow.world.run_until(Time::from_secs(1));
    let invite = flow.invite();
    let subscribe = within(&invite, "b", "SUBSCRIBE", 3, "u1");
    flow.send(1000, &subscribe);
    flow.send(1500, &subscribe);
    flow.send(2000, &within(&invite, "b", "BYE", 2, "u2"));
    let required = within(&invite, "b", "INVITE", 4, "u3");
    flow.send(3000, &required.replace("Contact:", "Require: x\nContact:"));
    flow.send(3100, &within(&invite, "b", "ACK", 4, "u3"));
    flow.send(4000, &within(&invite, "b", "BYE", 5, "u4"));
    assert_snapshot!(flow.end());
}

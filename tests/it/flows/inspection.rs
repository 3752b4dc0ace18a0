//! What a UAS looks at, and in which order (RFC 3261 8.2).

use std::time::Duration;

use drongo::endpoint::{Config, Endpoint, Event, Input, Output};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow as TransportFlow, FlowId, Local, Transport};

use super::support::{Flow, hang_up, raw, raw_to};

/// What this request gets; `merged` if it came before over another way.
fn reply(config: &Config, invite: &str, merged: bool) -> String {
    let mut flow = Flow::with_peer_and(config.clone(), ());
    if merged {
        // When nothing was wrong with it yet.
        let first = raw("INVITE", "order", "Supported: needed\n");
        flow.send(0, &first.replace("z9hG4bKorder", "z9hG4bKfirst"));
    }
    flow.send(5, invite);
    flow.world.run_for(Duration::from_millis(250));
    let mut said = flow.world.record().sent().filter_map(|sent| {
        let text = String::from_utf8_lossy(&sent.bytes);
        (sent.from == flow.alice && text.contains("z9hG4bKorder")).then(|| text.into_owned())
    });
    let reply = said.next().unwrap();
    drop(said);
    flow.end();
    reply
}

/// Everything is wrong with a request, and then one thing after another is not.
#[test]
fn what_is_wrong_is_found_in_the_order_of_the_rfc() {
    // 3261-8.2.1-01, 3261-8.2.2.1-03, 3261-8.2.2.2-01, 3261-8.2.2.3-01, 3261-8.2.3-01,
    // 3261-8.2.4-02, 3261-8.2.4-03, 3261-21-08, 3261-21-13
    let mut config = Config::default().require("needed");
    config.languages = ["en"].map(String::from).to_vec();
    let wrong = "Require: unheard-of\nContent-Type: text/plain\nContent-Language: fr\n\
        Content-Encoding: gzip\n";
    let with_body =
        |text: String| text.replace("Content-Length: 0\n\n", "Content-Length: 3\n\nabc");
    let invite = |uri: &str, extra: &str| with_body(raw_to("INVITE", uri, "", "order", extra));
    let (tel, sip) = ("tel:+1", "sip:alice@192.0.2.1");
    let publish = with_body(raw_to("PUBLISH", tel, "", "order", wrong));
    let cases = [
        (publish, true, "405 ", "Allow: INVITE, ACK"),
        (invite(tel, wrong), true, "416 ", "Call-ID"),
        (invite(sip, wrong), true, "482 ", "Call-ID"),
        (invite(sip, wrong), false, "420 ", "Unsupported: unheard-of"),
        (
            invite(sip, wrong.split_once('\n').unwrap().1),
            false,
            "415 ",
            "Accept: application/sdp\r\nAccept-Language: en\r\nAccept-Encoding: identity",
        ),
        (invite(sip, ""), false, "421 ", "Require: needed"),
        (invite(sip, "Supported: needed\n"), false, "100 ", "Call-ID"),
        (invite(sip, "Require: needed\n"), false, "100 ", "Call-ID"),
    ];
    for (request, merged, status, header) in cases {
        let reply = reply(&config, &request, merged);
        assert!(
            reply.starts_with(&format!("SIP/2.0 {status}")),
            "{request}\n{reply}"
        );
        assert!(
            reply.contains(&format!("\r\n{header}")),
            "{request}\n{reply}"
        );
    }
}

#[test]
fn language_that_is_read_is_taken() {
    // 3261-8.2.3-04
    let config = |languages: &[&str]| {
        let mut config = Config::default();
        config.languages = languages.iter().map(|tag| String::from(*tag)).collect();
        config
    };
    let invite = |tag: &str| {
        let extra = format!("Content-Type: application/sdp\nContent-Language: {tag}\n");
        raw("INVITE", "order", &extra).replace("Content-Length: 0\n\n", "Content-Length: 3\n\nabc")
    };
    for (languages, tag, status) in [
        (&["en", "de"][..], "EN-gb", "100 "),
        (&["en", "de"][..], "de, fr", "415 "),
        (&["en"][..], "eng", "415 "),
        (&[][..], "fr", "100 "),
    ] {
        let reply = reply(&config(languages), &invite(tag), false);
        let status = format!("SIP/2.0 {status}");
        assert!(reply.starts_with(&status), "{tag}\n{reply}");
        let says = reply.contains(&format!(
            "\r\nAccept-Language: {}\r\n",
            languages.join(", ")
        ));
        assert_eq!(says, status.contains("415"), "{tag}\n{reply}");
    }
}

#[test]
fn what_needs_no_notice_is_ignored() {
    // 3261-8.2.2-01, 3261-8.2.2-02, 3261-8.2.2.1-01, 3261-8.2.2.3-06
    for extra in [
        "X-Unheard-Of: 1\n",
        "Date: yesterday\nExpires: soon\nSubject:\n",
        "Proxy-Require: unheard-of\n",
    ] {
        let reply = reply(&Config::default(), &raw("INVITE", "order", extra), false);
        assert!(reply.starts_with("SIP/2.0 100 "), "{extra}\n{reply}");
    }
    let to = "To: <sip:alice@example.com>";
    let strange = raw("INVITE", "order", "").replace(to, "To: <unheard-of:somebody>");
    let reply = reply(&Config::default(), &strange, false);
    assert!(reply.starts_with("SIP/2.0 100 "), "{reply}");
}

#[test]
fn retry_with_a_higher_cseq_is_no_merge() {
    // 3261-8.2.2.2-04
    let mut flow = Flow::with_peer(());
    let first = raw("INVITE", "auth", "");
    flow.send(0, &first);
    flow.world.run_for(Duration::from_millis(15));
    flow.world.act(flow.alice, hang_up);
    let second = first
        .replace("z9hG4bKauth", "z9hG4bKauth2")
        .replace("CSeq: 1 ", "CSeq: 2 ");
    flow.send(100, &second);
    flow.world.run_for(Duration::from_millis(250));
    let reply = flow.last_of_alice();
    assert!(reply.starts_with("SIP/2.0 100 "), "{reply}");
    flow.end();
}

/// An INVITE with this body.
fn with_body(extra: &str, body: &str) -> String {
    let length = body.replace('\n', "\r\n").len();
    let head = raw("INVITE", "order", extra);
    head.replace(
        "Content-Length: 0\n\n",
        &format!("Content-Length: {length}\n\n{body}"),
    )
}

#[test]
fn body_for_what_nobody_knows_is_refused_if_it_must_be_handled() {
    // 5621-8.4-01, 3261-20.11-04
    for (disposition, status) in [
        ("session", "100 "),
        ("frobnicate", "415 "),
        ("frobnicate;handling=required", "415 "),
        ("frobnicate;handling=optional", "100 "),
        ("icon;handling=optional", "100 "),
    ] {
        let extra = format!("Content-Type: application/sdp\nContent-Disposition: {disposition}\n");
        let reply = reply(&Config::default(), &with_body(&extra, "v=0\n"), false);
        let status = format!("SIP/2.0 {status}");
        assert!(reply.starts_with(&status), "{disposition}\n{reply}");
        let says = reply.contains("\r\nAccept: application/sdp\r\n");
        assert_eq!(says, status.contains("415"), "{disposition}\n{reply}");
    }
}

#[test]
fn invite_whose_sender_cannot_be_reached_is_refused() {
    // What 8.1.1.8 asks of a UAC.
    let invite = raw("INVITE", "order", "");
    let contact = invite.lines().find(|line| line.starts_with("Contact:"));
    let contact = contact.unwrap();
    for (instead, status) in [
        ("Contact: *", "400 "),
        ("Contact: <mailto:bob@example.com>", "400 "),
        ("Contact: Bob <sip:bob@192.0.2.4>", "100 "),
        (
            "Contact: <tel:+15551234>\nRecord-Route: <sip:192.0.2.4;lr>",
            "100 ",
        ),
        ("Subject: nowhere", "100 "),
    ] {
        let reply = reply(&Config::default(), &invite.replace(contact, instead), false);
        let status = format!("SIP/2.0 {status}");
        assert!(reply.starts_with(&status), "{instead}\n{reply}");
    }
}

/// The application is given what the core takes for the offer.
#[test]
fn offer_of_an_invite_is_the_part_for_the_session() {
    // 5621-4.2-01, 3261-20.11-02
    let multipart = "--b\nContent-Type: text/plain\nContent-Disposition: render;handling=optional\n\nhello\n\
        --b\nContent-Type: application/sdp\n\nv=0\n\n--b--\n";
    for (extra, body, expected) in [
        ("Content-Type: application/sdp\n", "v=0\n", "v=0\r\n"),
        (
            "Content-Type: multipart/mixed;boundary=b\n",
            multipart,
            "v=0\r\n",
        ),
        ("", "", ""),
        (
            "Content-Type: application/sdp\nContent-Disposition: icon;handling=optional\n",
            "v=0\n",
            "",
        ),
    ] {
        let here = Local::new(Transport::Udp, "192.0.2.1:5060".parse().unwrap());
        let config = Config::default().local(here);
        let mut endpoint = Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO).unwrap();
        let flow = TransportFlow {
            id: FlowId::new(0),
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.9:5060".parse().unwrap(),
        };
        let bytes = with_body(extra, body).replace('\n', "\r\n").into();
        let mut out = Vec::new();
        endpoint.receive(Time::ZERO, Input::Datagram { flow, bytes }, &mut out);
        let offer = out.iter().find_map(|output| match output {
            Output::Event(Event::Incoming { offer, .. }) => Some(offer),
            _ => None,
        });
        assert_eq!(
            offer.map(|offer| &offer[..]),
            Some(expected.as_bytes()),
            "{extra}{out:?}"
        );
    }
}

//! What RFC 3261 7, 19 and 20 ask of a user agent and no single machine shows: what stands in the
//! messages that an endpoint writes, and what it makes of headers that mean nothing to it.

use std::collections::BTreeSet;

use drongo::call::Invitation;
use drongo::endpoint::{Config, Endpoint, Event, Output};
use drongo::error::Misuse;
use drongo::message::{Body, HeaderList, Message, Name, NameAddr, Outgoing, UriBuf};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Local, Transport};

use super::{Bench, HERE, one_sent, read, reply, request, sent};

/// A call of this side that is answered and hung up: all that this side sends.
fn outgoing_call(status_line: &str, headers: &[(&str, &str)]) -> Vec<Message> {
    let mut bench = Bench::new();
    let invite = bench.place();
    let mut all = vec![invite.clone()];
    let ringing = String::from_utf8(reply(&invite, 180, headers).to_vec()).unwrap();
    let ringing = ringing.replacen("SIP/2.0 180 Ringing", status_line, 1);
    assert_eq!(sent(&bench.receive("192.0.2.2:5070", ringing)), []);
    let out = bench.receive("192.0.2.2:5070", reply(&invite, 200, headers));
    all.extend(sent(&out));
    let call = out.iter().find_map(|output| match output {
        Output::Event(Event::Answered { call, .. }) => Some(*call),
        _ => None,
    });
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(call.expect("answered")).unwrap();
    call.reinvite(bench.now, Outgoing::default(), &mut out)
        .unwrap();
    let reinvite = one_sent(&out);
    all.push(reinvite.clone());
    let out = bench.receive("192.0.2.2:5070", reply(&reinvite, 488, headers));
    all.extend(sent(&out));
    let call = bench.endpoint.call_handles().next().unwrap();
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(call).unwrap();
    call.hang_up(bench.now, &mut out).unwrap();
    all.extend(sent(&out));
    let message = |sent: &drongo::endpoint::Transmit| Message::parse(sent.bytes.clone()).unwrap();
    all.iter().map(message).collect()
}

fn method(message: &Message) -> &[u8] {
    message.method_bytes().unwrap()
}

#[test]
fn call_goes_the_same_way_whatever_its_reason_phrases_and_idle_headers_say() {
    // 3261-7.2-08, 3261-20-67, 3261-20.5-02, 3261-20.43-02
    let plain = outgoing_call("SIP/2.0 180 Ringing", &[]);
    let methods: Vec<&[u8]> = plain.iter().map(method).collect();
    assert_eq!(methods, [&b"INVITE"[..], b"ACK", b"INVITE", b"ACK", b"BYE"]);
    let other = outgoing_call(
        "SIP/2.0 180 486 Busy Here",
        &[
            ("Warning", "399 example.com \"hang up at once\""),
            ("Allow", "ACK"),
            // Not for responses.
            ("Max-Forwards", "0"),
            ("Route", "<sip:192.0.2.99;lr>"),
            ("Proxy-Require", "magic"),
            ("Subject", "x"),
        ],
    );
    assert_eq!(plain, other);
}

#[test]
fn every_via_of_this_side_has_the_magic_cookie_and_a_branch_of_its_own() {
    // 3261-20.42-02
    let mut branches = BTreeSet::new();
    for message in outgoing_call("SIP/2.0 180 Ringing", &[]) {
        let via = message.first(Name::Via).unwrap();
        let via = drongo::message::Via::parse(via).unwrap();
        let branch = via.branch().unwrap().to_owned();
        assert!(branch.starts_with("z9hG4bK"));
        // The ACK for a refusal is of the INVITE's transaction.
        let repeated = !branches.insert(branch);
        assert_eq!(repeated, method(&message) == b"ACK" && branches.len() == 3);
    }
}

#[test]
fn header_without_meaning_for_the_method_is_ignored() {
    // 3261-20-66, 5393-5.3.5-01
    let mut bench = Bench::new();
    let plain = one_sent(&bench.receive("192.0.2.2:5070", request("OPTIONS", &[])));
    let mut bench = Bench::new();
    let odd = [
        ("Min-Expires", "1"),
        ("Retry-After", "1"),
        ("Unsupported", "all"),
        ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\""),
        ("Expires", "0"),
        ("Max-Breadth", "0"),
    ];
    let other = one_sent(&bench.receive("192.0.2.2:5070", request("OPTIONS", &odd)));
    assert_eq!(plain, other);
}

#[test]
fn max_breadth_is_the_applications_to_send() {
    // 5393-5.3.4-01
    let mut bench = Bench::new();
    let headers = HeaderList::new().with("Max-Breadth", "60").unwrap();
    let invitation = Invitation::new("sip:bob@192.0.2.2", "sip:alice@192.0.2.1").unwrap();
    let invitation = invitation.with(Outgoing::default().with_headers(headers));
    let mut out = Vec::new();
    bench
        .endpoint
        .place(bench.now, 1, invitation, &mut out)
        .unwrap();
    let invite = read(one_sent(&out).bytes);
    assert_eq!(invite.first(Name::MaxBreadth), Some(&b"60"[..]));
}

#[test]
fn encoding_is_told_of_bodies_only() {
    // 3261-7.4.1-02
    let mut bench = Bench::new();
    let headers = HeaderList::new().with("Content-Encoding", "gzip").unwrap();
    let outgoing = Outgoing::default().with_headers(headers);
    let invite = |outgoing| {
        let invitation = Invitation::new("sip:bob@192.0.2.2", "sip:alice@192.0.2.1");
        invitation.unwrap().with(outgoing)
    };
    let mut out = Vec::new();
    let placed = bench
        .endpoint
        .place(bench.now, 1, invite(outgoing.clone()), &mut out);
    assert!(matches!(placed, Err(Misuse::ReservedHeader { .. })));
    assert_eq!(out, []);
    let packed = outgoing.with_body(Body::sdp("packed"));
    bench
        .endpoint
        .place(bench.now, 1, invite(packed), &mut out)
        .unwrap();
    let invite = read(one_sent(&out).bytes);
    assert_eq!(invite.first(Name::ContentEncoding), Some(&b"gzip"[..]));
    let plain = read(Bench::new().place().bytes);
    assert_eq!(plain.first(Name::ContentEncoding), None);
}

#[test]
fn allow_lists_every_method_that_is_understood() {
    // 3261-20.5-01
    let mut bench = Bench::new();
    let answer = one_sent(&bench.receive("192.0.2.2:5070", request("OPTIONS", &[])));
    let answer = Message::parse(answer.bytes).unwrap();
    let allow = answer.first(Name::Allow).unwrap();
    let allow = std::str::from_utf8(allow).unwrap().to_owned();
    let allowed: BTreeSet<&str> = allow.split(", ").collect();
    for method in ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE"] {
        assert!(allowed.contains(method), "{method}");
    }
    // What is not in the list is refused, and what is in it is not.
    for method in [
        "INFO",
        "MESSAGE",
        "NOTIFY",
        "SUBSCRIBE",
        "PUBLISH",
        "REFER",
        "REGISTER",
        "FROB",
    ] {
        let mut bench = Bench::new();
        let out = bench.receive("192.0.2.2:5070", request(method, &[]));
        let refused = sent(&out).pop().is_some_and(|sent| {
            sent.bytes.starts_with(b"SIP/2.0 405") || sent.bytes.starts_with(b"SIP/2.0 501")
        });
        assert_eq!(refused, !allowed.contains(method), "{method}");
    }
}

#[test]
fn require_is_never_passed_over() {
    // 3261-20.32-01
    for method in ["INVITE", "OPTIONS", "MESSAGE", "INFO", "NOTIFY"] {
        let mut bench = Bench::new();
        let out = bench.receive("192.0.2.2:5070", request(method, &[("Require", "magic")]));
        assert!(one_sent(&out).bytes.starts_with(b"SIP/2.0 420"), "{method}");
    }
}

#[test]
fn product_is_told_only_if_it_is_configured() {
    // 3261-20.35-01, 3261-20.41-01
    for product in [None, Some("Phone/1.0 (x)")] {
        let mut config = super::config();
        config.product = product.map(String::from);
        let mut bench = Bench::with(config);
        let answer = one_sent(&bench.receive("192.0.2.2:5070", request("OPTIONS", &[])));
        let answer = Message::parse(answer.bytes).unwrap();
        let invite = read(bench.place().bytes);
        assert_eq!(answer.first(Name::Server), product.map(str::as_bytes));
        assert_eq!(invite.first(Name::UserAgent), product.map(str::as_bytes));
        assert_eq!(invite.first(Name::Server), None);
        assert_eq!(answer.first(Name::UserAgent), None);
    }
}

/// The tag of a From or To value.
fn tag(message: &Message, name: Name) -> String {
    let value = message.first(name).unwrap();
    let tag = NameAddr::parse(value).unwrap().tag().unwrap().to_owned();
    // 32 bits at least: a digit of the alphabet has five.
    assert!(tag.len() >= 7, "{tag}");
    tag
}

#[test]
fn tags_are_long_and_no_two_dialogs_share_one() {
    // 3261-19.3-01, 3261-19.3-04, 3261-19.3-05
    let mut seen = BTreeSet::new();
    for seed in 0..4_u8 {
        let endpoint = Endpoint::new(super::config(), Seed::from_bytes([seed; 32]), Time::ZERO);
        let mut bench = Bench {
            endpoint: endpoint.unwrap(),
            now: Time::ZERO,
        };
        for ordinal in 1..=50_u32 {
            let invitation = Invitation::new("sip:bob@192.0.2.2", "sip:alice@192.0.2.1").unwrap();
            let mut out = Vec::new();
            bench
                .endpoint
                .place(bench.now, ordinal.into(), invitation, &mut out)
                .unwrap();
            let invite = Message::parse(one_sent(&out).bytes).unwrap();
            assert!(seen.insert(tag(&invite, Name::From)));
            let via = format!("192.0.2.2:5070;branch=z9hG4bK{ordinal}");
            let call_id = [("X", "y")];
            let options = super::request_via(&via, "OPTIONS", &call_id);
            let options = String::from_utf8(options.to_vec()).unwrap();
            let options = options.replace("1@192.0.2.2", &format!("{ordinal}@192.0.2.2"));
            let answer = one_sent(&bench.receive("192.0.2.2:5070", options));
            let answer = Message::parse(answer.bytes).unwrap();
            assert!(seen.insert(tag(&answer, Name::To)));
        }
    }
}

#[test]
fn call_to_oneself_has_two_tags() {
    // 3261-19.3-02
    let mut bench = Bench::new();
    let invite = bench.place();
    let out = bench.receive(HERE, invite.bytes.clone());
    let call = out.iter().find_map(|output| match output {
        Output::Event(Event::Incoming { call, .. }) => Some(*call),
        _ => None,
    });
    let mut out = Vec::new();
    let mut call = bench.endpoint.call(call.unwrap()).unwrap();
    let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    call.answer(bench.now, answer, &mut out).unwrap();
    let answer = Message::parse(one_sent(&out).bytes).unwrap();
    assert_ne!(tag(&answer, Name::From), tag(&answer, Name::To));
}

#[test]
fn contact_carries_no_password() {
    // 3261-19.1.1-05
    let mut bench = Bench::new();
    let from = "sip:alice:secret@192.0.2.1";
    let invitation = Invitation::new("sip:bob@192.0.2.2", from).unwrap();
    let mut out = Vec::new();
    bench
        .endpoint
        .place(bench.now, 1, invitation, &mut out)
        .unwrap();
    let invite = read(one_sent(&out).bytes);
    let contact = invite.first(Name::Contact).unwrap();
    assert_eq!(contact, b"<sip:alice@192.0.2.1:5060>");
}

#[test]
fn tel_target_is_not_called_without_knowing_its_context() {
    // 3966-5.1.5-02
    let mut bench = Bench::new();
    let invite = String::from_utf8(request("INVITE", &[]).to_vec()).unwrap();
    let invite = invite.replace(
        "sip:alice@192.0.2.1 ",
        "tel:7042;phone-context=example.com ",
    );
    let refused = one_sent(&bench.receive("192.0.2.2:5070", invite));
    assert!(refused.bytes.starts_with(b"SIP/2.0 416"));
    let invitation = Invitation::new("tel:7042;phone-context=example.com", "sip:a@192.0.2.1");
    let placed = invitation.and_then(|invitation| {
        bench
            .endpoint
            .place(bench.now, 1, invitation, &mut Vec::new())
            .map(|_| ())
    });
    assert!(
        matches!(placed, Err(Misuse::Malformed { .. })),
        "{placed:?}"
    );
    assert_eq!(bench.rest(), []);
}

#[test]
fn secure_target_is_called_over_tls_as_sip() {
    // 3261-19.1-01, 3261-20.42-06
    let udp = Local::new(Transport::Udp, HERE.parse().unwrap());
    let tls = Local::new(Transport::Tls, "192.0.2.1:5061".parse().unwrap());
    let mut bench = Bench::with(Config::default().local(udp.clone()).local(tls));
    let secure = || Invitation::new("sips:bob@192.0.2.2", "sips:alice@192.0.2.1").unwrap();
    let mut out = Vec::new();
    bench
        .endpoint
        .place(bench.now, 1, secure(), &mut out)
        .unwrap();
    let invite = one_sent(&out);
    assert_eq!(invite.flow.transport, Transport::Tls);
    let invite = read(invite.bytes);
    assert!(invite.top_via_value().starts_with(b"SIP/2.0/TLS "));
    // Every hop: without TLS there is no way at all.
    let mut bench = Bench::with(Config::default().local(udp));
    let placed = bench
        .endpoint
        .place(bench.now, 1, secure(), &mut Vec::new());
    assert!(placed.is_err());
}

#[test]
fn secured_uri_differs_by_its_scheme_only() {
    // 3261-19.1-02
    for (plain, secure) in [
        ("sip:bob@example.com", "sips:bob@example.com"),
        (
            "SIP:b%20b:pw@[2001:db8::1]:5070;x=y?Subject=z",
            "sips:b%20b:pw@[2001:db8::1]:5070;x=y?Subject=z",
        ),
        ("sips:bob@example.com", "sips:bob@example.com"),
    ] {
        let plain = UriBuf::parse(plain).unwrap();
        let secured = plain.as_uri().as_sip().unwrap().secured().unwrap();
        assert_eq!(secured.as_bytes(), secure.as_bytes());
    }
    let udp = UriBuf::parse("sip:bob@example.com;transport=udp").unwrap();
    assert!(udp.as_uri().as_sip().unwrap().secured().is_err());
}

#[test]
fn double_crlf_over_udp_is_dropped_and_never_sent() {
    // 5626-4.4.1-01
    let mut bench = Bench::new();
    let out = bench.receive("192.0.2.2:5070", "\r\n\r\n");
    assert_eq!(sent(&out), []);
    assert_eq!(bench.endpoint.counters().keep_alives, 1);
    assert_eq!(bench.rest(), []);
}

#[test]
fn time_to_live_stands_for_groups_only() {
    // 3261-19.1.1-10: a target with a ttl and no group is called as if it had none.
    let mut bench = Bench::new();
    let target = "sip:bob@192.0.2.2:5070;ttl=9";
    let invitation = Invitation::new(target, "sip:alice@192.0.2.1").unwrap();
    let mut out = Vec::new();
    bench
        .endpoint
        .place(bench.now, 1, invitation, &mut out)
        .unwrap();
    assert!(
        !read(one_sent(&out).bytes)
            .top_via_value()
            .windows(3)
            .any(|w| w == b"ttl")
    );
}

#[test]
fn request_outside_of_any_dialog_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let bob = Invitation::new("sip:bob@192.0.2.2:5070", "sip:alice@192.0.2.1").unwrap();
    let asked = bench.endpoint.ask(bench.now, 1, "OPTIONS", bob, &mut out);
    let sent = one_sent(&out);
    let out = bench.receive("192.0.2.2:5070", reply(&sent, 200, &[]));
    let ended = out.iter().any(|output| {
        matches!(
            output,
            Output::Event(Event::Ended { call, reason: drongo::call::EndReason::Completed { .. } })
                if Ok(*call) == asked
        )
    });
    assert!(ended, "{out:?}");
    assert_eq!(bench.rest(), []);
}

#[test]
fn options_in_the_same_words_is_answered_each_time() {
    // PAINS 100 aside: 3261-8.2.2.2-01 is about what is ongoing.
    let mut bench = Bench::new();
    for branch in ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"] {
        let via = format!("192.0.2.2:5070;branch={branch}");
        let options = super::request_via(&via, "OPTIONS", &[]);
        let answer = one_sent(&bench.receive("192.0.2.2:5070", options));
        assert!(answer.bytes.starts_with(b"SIP/2.0 200 "), "{branch}");
    }
}

#[test]
fn options_is_told_what_an_invite_would_be() {
    // 3261-11.2-01
    let mut full = super::config();
    full.limits.calls = 0;
    let mut bench = Bench::with(full);
    let invite = request("INVITE", &[("Contact", "<sip:bob@192.0.2.2>")]);
    let invite = one_sent(&bench.receive("192.0.2.2:5070", invite));
    let options = super::request_via("192.0.2.2:5070;branch=z9hG4bK2", "OPTIONS", &[]);
    let options = one_sent(&bench.receive("192.0.2.2:5070", options));
    for answer in [invite, options] {
        assert!(answer.bytes.starts_with(b"SIP/2.0 503 "), "{answer:?}");
    }
}

#[test]
fn invite_whose_session_description_is_one_part_of_its_body_is_taken() {
    // 3261-8.2.3-01, RFC 5621 8: the other part need not be handled.
    let body = |handling: &str| {
        let parts = format!(
            "--b\r\nContent-Type: image/png\r\nContent-Disposition: icon{handling}\r\n\r\nx\r\n\
             --b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n"
        );
        Body::new("multipart/mixed;boundary=b", parts).unwrap()
    };
    for (handling, status) in [(";handling=optional", "100"), ("", "415")] {
        let mut bench = Bench::new();
        let invite = request("INVITE", &[("Contact", "<sip:bob@192.0.2.2>")]);
        let text = String::from_utf8(invite.to_vec()).unwrap();
        let body = body(handling);
        let typed = format!("Content-Type: {}\r\nContent-Length: 0", body.content_type());
        let text = text.replacen("Content-Length: 0", &typed, 1);
        let length = format!("Content-Length: {}", body.bytes().len());
        let text = text.replacen("Content-Length: 0", &length, 1);
        let bytes = [text.as_bytes(), body.bytes()].concat();
        bench.receive("192.0.2.2:5070", bytes.clone());
        bench.now = Time::from_millis(250);
        let mut out = Vec::new();
        bench.endpoint.on_deadline(bench.now, &mut out);
        let mut answers = sent(&out);
        answers.extend(sent(&Bench::new().receive("192.0.2.2:5070", bytes)));
        let answer = answers.pop().unwrap();
        let start = format!("SIP/2.0 {status} ");
        assert!(answer.bytes.starts_with(start.as_bytes()), "{answer:?}");
    }
}

//! What RFC 3261 8 to 15 and RFC 5630 ask of a user agent and no single machine shows.

use drongo::auth::{Account, Keyring, Secret};
use drongo::call::reliable::Policy;
use drongo::call::{EndReason, Invitation, session_timer};
use drongo::endpoint::{CallHandle, CallView, Event, Output, Transmit};
use drongo::error::Misuse;
use drongo::message::{Body, HeaderList, Message, Name, NameAddr, Outgoing, StatusCode};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transaction::Failure;
use drongo::transport::{Local, Transport};

use super::{Bench, config, lookup, one_sent, read, reply, request, request_via, response, sent};

const PEER: &str = "192.0.2.2:5070";
const CONTACT: (&str, &str) = ("Contact", "<sip:bob@192.0.2.2:5070>");

fn sdp() -> Outgoing {
    Outgoing::default().with_body(Body::sdp("v=0\r\n"))
}

fn invitation(target: &str) -> Invitation {
    Invitation::new(target, "sip:alice@192.0.2.1").unwrap()
}

fn place(bench: &mut Bench, ordinal: u64, invitation: Invitation) -> Transmit {
    let mut out = Vec::new();
    let placed = bench
        .endpoint
        .place(bench.now, ordinal, invitation, &mut out);
    placed.unwrap();
    one_sent(&out)
}

fn text(transmit: &Transmit) -> String {
    String::from_utf8(transmit.bytes.to_vec()).unwrap()
}

fn values(message: &Message, name: Name) -> Vec<String> {
    let rows = message.all(name);
    rows.map(|value| String::from_utf8(value.to_vec()).unwrap())
        .collect()
}

fn status(transmit: &Transmit) -> String {
    text(transmit).split(' ').nth(1).unwrap().to_owned()
}

fn statuses(out: &[Output]) -> Vec<String> {
    sent(out).iter().map(status).collect()
}

fn incoming(out: &[Output]) -> CallHandle {
    let found = out.iter().find_map(|output| match output {
        Output::Event(Event::Incoming { call, .. }) => Some(*call),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{out:?}"))
}

/// A verb of the only call.
fn with_call(
    bench: &mut Bench,
    verb: impl FnOnce(&mut CallView<'_>, Time, &mut Vec<Output>) -> Result<(), Misuse>,
) -> Vec<Output> {
    let mut out = Vec::new();
    let call = bench.endpoint.call_handles().next().unwrap();
    let now = bench.now;
    verb(&mut bench.endpoint.call(call).unwrap(), now, &mut out).unwrap();
    out
}

/// A call of the peer that was answered: the To tag of this side.
fn called(bench: &mut Bench) -> String {
    let invite = request("INVITE", &[CONTACT]);
    bench.receive(PEER, invite);
    let out = with_call(bench, |call, now, out| call.answer(now, sdp(), out));
    let ok = text(&one_sent(&out));
    let tag = ok.split("To: <sip:alice@192.0.2.1>;tag=").nth(1).unwrap();
    let tag = tag.split("\r\n").next().unwrap().to_owned();
    assert_eq!(
        sent(&bench.receive(PEER, within("ACK", 1, "a", &tag, &[]))),
        []
    );
    tag
}

/// A request of the peer within the call that it made.
fn within(method: &str, cseq: u32, branch: &str, tag: &str, headers: &[(&str, &str)]) -> String {
    let via = format!("192.0.2.2:5070;branch=z9hG4bK{branch}");
    let bytes = request_via(&via, method, headers).to_vec();
    let text = String::from_utf8(bytes).unwrap();
    let to = "To: <sip:alice@192.0.2.1>";
    text.replace(to, &format!("{to};tag={tag}")).replace(
        &format!("CSeq: 1 {method}"),
        &format!("CSeq: {cseq} {method}"),
    )
}

#[test]
fn contact_of_this_side_is_reached_from_outside_the_dialog() {
    let mut bench = Bench::new();
    let invite = read(place(&mut bench, 1, invitation("sip:bob@192.0.2.2:5070")).bytes);
    let contact = NameAddr::parse(invite.first(Name::Contact).unwrap()).unwrap();
    let uri = contact.uri().to_string();
    let call = String::from_utf8(request("INVITE", &[CONTACT]).to_vec()).unwrap();
    let call = call.replace("INVITE sip:alice@192.0.2.1 ", &format!("INVITE {uri} "));
    // 3261-8.1.1.8-02
    let out = bench.receive(PEER, call);
    incoming(&out);
    assert_eq!(uri, "sip:alice@192.0.2.1:5060");
}

#[test]
fn extensions_of_the_core_are_those_of_standards() {
    let mut config = config();
    config.reliable = Policy::Required;
    config.session_timer = Some(session_timer::Config::default());
    let mut bench = Bench::with(config.support("199"));
    let invite = read(place(&mut bench, 1, invitation("sip:bob@192.0.2.2:5070")).bytes);
    // 3261-8.1.1.9-02
    assert_eq!(values(&invite, Name::Supported), ["199, 100rel, timer"]);
    // 3261-8.1.1.9-03, 4028-7.1-02, 6228-4-02
    assert_eq!(values(&invite, Name::Require), ["100rel"]);
    assert_eq!(values(&invite, Name::ProxyRequire), [""; 0]);
}

fn with_tls() -> Bench {
    let tls = Local::new(Transport::Tls, "192.0.2.1:5061".parse().unwrap());
    Bench::with(config().local(tls))
}

#[test]
fn sips_goes_over_tls_whatever_the_route_says() {
    let via = |target: &str, proxy: &str| invitation(target).via_proxy(proxy).unwrap();
    let go = |invitation| {
        let sent = place(&mut with_tls(), 1, invitation);
        let routes = values(&read(sent.bytes.clone()), Name::Route);
        (sent.flow.transport, sent.flow.remote.to_string(), routes)
    };
    // 3261-8.1.2-03, 5630-5.1.1-04, 5630-5.1.1-01
    let (transport, remote, routes) = go(via("sips:bob@192.0.2.2", "sip:192.0.2.9;lr"));
    assert_eq!((transport, &*remote), (Transport::Tls, "192.0.2.9:5061"));
    assert_eq!(routes, ["<sips:192.0.2.9;lr>"]);
    // 5630-5.1.1-05
    let (transport, remote, routes) = go(via("sip:bob@192.0.2.2", "sips:192.0.2.9;lr"));
    assert_eq!((transport, &*remote), (Transport::Tls, "192.0.2.9:5061"));
    assert_eq!(routes, ["<sips:192.0.2.9;lr>"]);
    // 3261-8.1.1.2-02
    let (transport, remote, _) = go(invitation("sips:bob@192.0.2.2"));
    assert_eq!((transport, &*remote), (Transport::Tls, "192.0.2.2:5061"));
    let (transport, remote, _) = go(invitation("sip:bob@192.0.2.2"));
    assert_eq!((transport, &*remote), (Transport::Udp, "192.0.2.2:5060"));
}

/// 5630-5.1.1-06: but who asks for it has it, since there are phones that need it.
#[test]
fn contact_says_transport_tls_only_to_who_asks_for_it_and_never_of_sips() {
    for (wanted, plain) in [
        (false, "<sip:alice@192.0.2.1:5061>"),
        (true, "<sip:alice@192.0.2.1:5061;transport=tls>"),
    ] {
        let tls = Local::new(Transport::Tls, "192.0.2.1:5061".parse().unwrap());
        let mut config = config().local(tls);
        config.transport_tls = wanted;
        let contact = |target| {
            let sent = place(&mut Bench::with(config.clone()), 1, invitation(target));
            assert_eq!(sent.flow.transport, Transport::Tls);
            values(&read(sent.bytes), Name::Contact)
        };
        assert_eq!(contact("sip:bob@192.0.2.2;transport=tls"), [plain]);
        assert_eq!(
            contact("sips:bob@192.0.2.2"),
            ["<sips:alice@192.0.2.1:5061>"]
        );
    }
}

#[test]
fn anonymous_caller_says_nothing_of_itself() {
    let mut bench = Bench::new();
    let from = "\"Anonymous\" <sip:thisis@anonymous.invalid>";
    let call = Invitation::new("sip:bob@192.0.2.2:5070", from).unwrap();
    let invite = read(place(&mut bench, 1, call).bytes);
    // 3261-8.1.1.3-02
    let from = String::from_utf8(invite.from_value().to_vec()).unwrap();
    assert!(from.starts_with("\"Anonymous\" <sip:thisis@anonymous.invalid>;tag="));
    assert!(!text(&place(&mut bench, 2, invitation("sip:b@192.0.2.2:1"))).contains("nonymous"));
}

#[test]
fn call_ids_of_other_seeds_are_others() {
    let call_id = |seed: u8| {
        let endpoint =
            drongo::endpoint::Endpoint::new(config(), Seed::from_bytes([seed; 32]), Time::ZERO);
        let mut bench = Bench::new();
        bench.endpoint = endpoint.unwrap();
        let invite = place(&mut bench, 1, invitation("sip:bob@192.0.2.2:5070"));
        read(invite.bytes).call_id().to_owned()
    };
    // 3261-8.1.1.4-05
    assert_ne!(call_id(1), call_id(2));
    assert_eq!(call_id(1), call_id(1));
    assert!(call_id(1).len() >= 20, "{}", call_id(1));
}

#[test]
fn response_for_somebody_else_is_dropped() {
    let mut bench = Bench::new();
    let invite = bench.place();
    let ringing = String::from_utf8(response(&invite, 180).to_vec()).unwrap();
    let two = ringing.replacen("Via: ", "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKx, ", 1);
    let behind = ringing.replacen("From: ", "Via: SIP/2.0/UDP 192.0.2.50\r\nFrom: ", 1);
    // 3261-8.1.3.3-01
    for foreign in [two, behind] {
        let out = bench.receive(PEER, foreign);
        assert!(matches!(out[..], [Output::Dropped(_)]), "{out:?}");
    }
    assert_eq!(bench.receive(PEER, ringing).len(), 1);
}

#[test]
fn redirection_serves_one_call_only() {
    let mut bench = Bench::new();
    let invite = bench.place();
    let moved = reply(&invite, 302, &[]);
    let redirected = sent(&bench.receive(PEER, moved));
    let uri = |transmit: &Transmit| text(transmit).lines().next().unwrap().to_owned();
    assert_eq!(
        uri(&redirected[1]),
        "INVITE sip:else@192.0.2.99:5099 SIP/2.0"
    );
    // 3261-8.1.3.4-20
    let next = place(&mut bench, 2, invitation("sip:bob@192.0.2.2:5070"));
    assert_eq!(uri(&next), "INVITE sip:bob@192.0.2.2:5070 SIP/2.0");
}

#[test]
fn checks_go_in_the_order_of_the_rfc() {
    // 3261-8.2-02: what is mended in each step was all that its refusal spoke of.
    let mut branch = 0;
    let mut refused = |method: &str, uri: &str, headers: &[(&str, &str)]| {
        branch += 1;
        let via = format!("192.0.2.2:5070;branch=z9hG4bK{branch}");
        let text = String::from_utf8(request_via(&via, method, headers).to_vec()).unwrap();
        let text = text.replace("sip:alice@192.0.2.1 ", &format!("{uri} "));
        statuses(&Bench::new().receive(PEER, text))
    };
    let (require, encoding) = (("Require", "magic"), ("Content-Encoding", "gzip"));
    let body = |mut headers: Vec<(&'static str, &'static str)>| {
        headers.extend([CONTACT, ("Content-Type", "text/plain")]);
        headers
    };
    let all = body(vec![require, encoding]);
    assert_eq!(refused("BREW", "tel:+1", &all), ["501"]);
    assert_eq!(refused("REFER", "tel:+1", &all), ["405"]);
    assert_eq!(refused("INVITE", "tel:+1", &all), ["416"]);
    assert_eq!(refused("INVITE", "sip:a@h", &all), ["420"]);
    assert_eq!(refused("INVITE", "sip:a@h", &[CONTACT]), [""; 0]);
}

#[test]
fn request_uri_and_not_to_says_who_is_called() {
    let mut bench = Bench::new();
    let invite = String::from_utf8(request("INVITE", &[CONTACT]).to_vec()).unwrap();
    let invite = invite.replace("To: <sip:alice@192.0.2.1>", "To: <sip:office@example.com>");
    bench.receive(PEER, invite);
    let out = with_call(&mut bench, |call, now, out| call.ring(now, out));
    // 3261-8.2.2.1-05
    assert!(text(&one_sent(&out)).contains("\r\nContact: <sip:alice@192.0.2.1:5060>\r\n"));
}

#[test]
fn refusal_without_a_transaction_is_said_once_a_request() {
    let mut bench = Bench::new();
    let invite = request("INVITE", &[CONTACT, ("Require", "magic")]);
    let first = one_sent(&bench.receive(PEER, invite.clone()));
    // 3261-8.2.7-01, 3261-8.2.7-02
    assert_eq!(status(&first), "420");
    assert_eq!(
        (bench.endpoint.transactions(), bench.endpoint.deadline()),
        (0, None)
    );
    assert_eq!(one_sent(&bench.receive(PEER, invite)), first);
}

#[test]
fn two_callees_of_one_request_have_two_tags() {
    let tag = |seed: u8| {
        let mut bench = Bench::new();
        let seed = Seed::from_bytes([seed; 32]);
        bench.endpoint = drongo::endpoint::Endpoint::new(config(), seed, Time::ZERO).unwrap();
        let foo = ("User-Agent", "x");
        bench.receive(PEER, request("INVITE", &[CONTACT, foo]));
        let out = with_call(&mut bench, |call, now, out| call.ring(now, out));
        read_tag(&one_sent(&out))
    };
    // 3261-8.2.6.2-10
    assert_ne!(tag(1), tag(2));
}

fn read_tag(response: &Transmit) -> String {
    let text = text(response);
    let to = text.lines().find(|line| line.starts_with("To: ")).unwrap();
    to.split(";tag=").nth(1).unwrap().to_owned()
}

#[test]
fn parameters_that_nobody_knows_come_back() {
    let mut bench = Bench::new();
    let via = "192.0.2.2:5070;branch=z9hG4bK1;what=\"a;b\"";
    let invite = String::from_utf8(request_via(via, "INVITE", &[CONTACT]).to_vec()).unwrap();
    let invite = invite
        .replace("tag=b", "tag=b;x-who=\"bob, himself\";flag")
        .replace(
            "To: <sip:alice@192.0.2.1>",
            "To: <sip:alice@192.0.2.1>;new=1",
        );
    bench.receive(PEER, invite);
    let out = with_call(&mut bench, |call, now, out| call.ring(now, out));
    let ringing = text(&one_sent(&out));
    // 3261-8.2.6.2-05
    for line in [
        "Via: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK1;what=\"a;b\"",
        "From: <sip:bob@192.0.2.2>;tag=b;x-who=\"bob, himself\";flag",
        "To: <sip:alice@192.0.2.1>;new=1;tag=",
    ] {
        assert!(ringing.contains(line), "{line}: {ringing}");
    }
}

#[test]
fn methods_of_a_call_cannot_be_left_out() {
    let mut config = config();
    config.methods = Vec::new();
    let mut bench = Bench::with(config);
    let invite = read(place(&mut bench, 1, invitation("sip:bob@192.0.2.2:5070")).bytes);
    // 3261-13.1-01
    let allow = values(&invite, Name::Allow);
    assert_eq!(allow, ["INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE"]);
    let tag = called(&mut Bench::new());
    assert!(!tag.is_empty());
}

#[test]
fn invite_with_a_tag_is_within_a_dialog_or_nowhere() {
    let mut bench = Bench::new();
    let tag = called(&mut bench);
    // 3261-13.3.1-02, 3261-12.2.2-02, 3261-21-11
    let stray = bench.receive(PEER, within("INVITE", 2, "b", "another", &[CONTACT]));
    assert_eq!(statuses(&stray), ["481"]);
    let other = within("INVITE", 2, "c", &tag, &[CONTACT]).replace(";tag=b", ";tag=c");
    assert_eq!(statuses(&bench.receive(PEER, other)), ["481"]);
    let reinvite = bench.receive(PEER, within("INVITE", 2, "d", &tag, &[CONTACT]));
    assert!(matches!(
        reinvite.last(),
        Some(Output::Event(Event::Reoffered { .. }))
    ));
}

#[test]
fn reinvite_waits_for_the_ack_of_one_that_was_refused() {
    // By the application, and by the core.
    for (headers, by_core) in [
        (&[CONTACT][..], false),
        (&[CONTACT, ("Require", "x")], true),
    ] {
        let mut bench = Bench::new();
        let tag = called(&mut bench);
        let mut out = bench.receive(PEER, within("INVITE", 2, "d", &tag, headers));
        if !by_core {
            out = with_call(&mut bench, |call, now, out| {
                call.reject(
                    now,
                    StatusCode::NOT_ACCEPTABLE_HERE,
                    Outgoing::default(),
                    out,
                )
            });
        }
        let refusal = one_sent(&out);
        // 3261-14.1-07
        let out = with_call(&mut bench, |call, now, out| call.reinvite(now, sdp(), out));
        assert_eq!(sent(&out), [], "{}", text(&refusal));
        let out = bench.receive(PEER, within("ACK", 2, "d", &tag, &[]));
        assert!(text(&one_sent(&out)).starts_with("INVITE sip:bob@192.0.2.2:5070 "));
    }
    // No ACK ever comes: it goes when the transaction is given up.
    let mut bench = Bench::new();
    let tag = called(&mut bench);
    bench.receive(
        PEER,
        within("INVITE", 2, "d", &tag, &[CONTACT, ("Require", "x")]),
    );
    with_call(&mut bench, |call, now, out| call.reinvite(now, sdp(), out));
    let all = bench.rest();
    let first = all.iter().find(|sent| sent.bytes.starts_with(b"INVITE "));
    assert!(first.is_some());
}

#[test]
fn options_is_the_applications_if_it_wants_it() {
    let mut bench = Bench::with(config().method("OPTIONS"));
    let options = |branch: &str| {
        let via = format!("192.0.2.2:5070;branch={branch}");
        request_via(&via, "OPTIONS", &[])
    };
    let out = bench.receive(PEER, options("z9hG4bK1"));
    let [Output::Event(Event::Request { request, .. })] = out[..] else {
        panic!("{out:?}");
    };
    let mut out = Vec::new();
    let busy = StatusCode::BUSY_HERE;
    // 3261-11.2-01: as an INVITE would be told.
    let mut view = bench.endpoint.request(request).unwrap();
    view.respond(bench.now, busy, Outgoing::default(), &mut out)
        .unwrap();
    assert_eq!(statuses(&out), ["486"]);
    let out = bench.receive(PEER, options("z9hG4bK2"));
    let [Output::Event(Event::Request { request, .. })] = out[..] else {
        panic!("{out:?}");
    };
    let mut out = Vec::new();
    let mut view = bench.endpoint.request(request).unwrap();
    view.respond(bench.now, StatusCode::OK, sdp(), &mut out)
        .unwrap();
    let ok = text(&one_sent(&out));
    for line in [
        "Allow: INVITE, ACK",
        "Accept: application/sdp",
        "Supported:",
    ] {
        assert!(ok.contains(line), "{line}: {ok}");
    }
    assert!(ok.ends_with("\r\n\r\nv=0\r\n"));
    assert_eq!(ok.matches("OPTIONS,").count(), 1);
}

#[test]
fn options_says_what_its_answer_may_be() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let to = invitation("sip:bob@192.0.2.2:5070");
    bench
        .endpoint
        .ask(bench.now, 1, "OPTIONS", to, &mut out)
        .unwrap();
    // 3261-11.1-02
    let options = read(one_sent(&out).bytes);
    assert_eq!(values(&options, Name::Accept), ["application/sdp"]);
    let own = HeaderList::new().with("Accept", "text/plain").unwrap();
    let to = invitation("sip:bob@192.0.2.2:5070").with(Outgoing::new().with_headers(own));
    let mut out = Vec::new();
    bench
        .endpoint
        .ask(bench.now, 2, "OPTIONS", to, &mut out)
        .unwrap();
    let options = read(one_sent(&out).bytes);
    assert_eq!(values(&options, Name::Accept), ["text/plain"]);
}

#[test]
fn reason_phrase_of_a_400_says_what_is_wrong() {
    let mut bench = Bench::new();
    let broken = String::from_utf8(request("OPTIONS", &[]).to_vec()).unwrap();
    let broken = broken.replace("Content-Length: 0", "Content-Length: none");
    let out = bench.receive(PEER, broken);
    // 3261-21-10
    assert!(text(&one_sent(&out)).starts_with("SIP/2.0 400 malformed Content-Length\r\n"));
}

#[test]
fn credentials_for_a_proxy_serve_one_call() {
    let mut config = config();
    let secret = Secret::password("zanzibar");
    let account = Account::new("proxy.example.com", "alice", secret).unwrap();
    config.keyring = Keyring::new().with(account);
    let mut bench = Bench::with(config);
    let invite = bench.place();
    let challenge = [(
        "Proxy-Authenticate",
        "Digest realm=\"proxy.example.com\", nonce=\"n\", domain=\"sip:elsewhere.example.com\"",
    )];
    let again = sent(&bench.receive(PEER, reply(&invite, 407, &challenge)));
    // 7616-3.3-11: whatever its domain is.
    assert!(text(&again[1]).contains("\r\nProxy-Authorization: Digest "));
    // 3261-22.3-05
    let next = place(&mut bench, 2, invitation("sip:bob@192.0.2.2:5070"));
    assert!(!text(&next).contains("Authorization"));
}

fn failure(out: &[Output]) -> Failure {
    let ended = out.iter().find_map(|output| match output {
        Output::Event(Event::Ended {
            reason: EndReason::Failed(failure),
            ..
        }) => Some(*failure),
        _ => None,
    });
    ended.unwrap_or_else(|| panic!("{out:?}"))
}

#[test]
fn failure_says_why() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let to = invitation("sip:bob@example.com:5060");
    bench.endpoint.place(bench.now, 1, to, &mut out).unwrap();
    let (id, _) = lookup(&out);
    assert_eq!(failure(&bench.answer(id, &[])), Failure::Unresolved);
    // It has no local address of that family.
    let mut out = Vec::new();
    let to = invitation("sip:bob@example.com:5060");
    bench.endpoint.place(bench.now, 2, to, &mut out).unwrap();
    let (id, _) = lookup(&out);
    assert_eq!(
        failure(&bench.answer(id, &["2001:db8::1"])),
        Failure::Unresolved
    );
    let invite = place(&mut bench, 3, invitation("sip:bob@192.0.2.2:5070"));
    assert_eq!(failure(&bench.fail(&invite)), Failure::Transport);
}

#[test]
fn target_that_is_no_sip_uri_needs_a_proxy() {
    let mut bench = Bench::new();
    let asked = bench.endpoint.ask(
        bench.now,
        1,
        "MESSAGE",
        invitation("tel:+15551234"),
        &mut Vec::new(),
    );
    let said = asked.unwrap_err().to_string();
    assert!(said.contains("needs a proxy"), "{said}");
    let mut out = Vec::new();
    let to = invitation("tel:+15551234")
        .via_proxy("sip:192.0.2.9;lr")
        .unwrap();
    bench
        .endpoint
        .ask(bench.now, 1, "MESSAGE", to, &mut out)
        .unwrap();
    assert!(text(&one_sent(&out)).starts_with("MESSAGE tel:+15551234 SIP/2.0\r\n"));
}

#[test]
fn request_that_nobody_answers_is_heard_of() {
    let mut bench = Bench::new();
    bench.receive(PEER, request("MESSAGE", &[]));
    let mut out = Vec::new();
    bench.now = Time::from_secs(32);
    bench.endpoint.on_deadline(bench.now, &mut out);
    assert_eq!(statuses(&out), ["100", "500"]);
    assert!(matches!(
        out.last(),
        Some(Output::Event(Event::RequestExpired { call: None, .. }))
    ));
}

#[test]
fn refusal_of_a_cancel_concerns_the_cancel_only() {
    for invite_says in [487, 200] {
        let mut bench = Bench::new();
        let invite = bench.place();
        bench.receive(PEER, response(&invite, 180));
        let out = with_call(&mut bench, |call, now, out| call.hang_up(now, out));
        let cancel = one_sent(&out);
        assert!(cancel.bytes.starts_with(b"CANCEL "));
        // 3261-9.1-18
        assert_eq!(bench.receive(PEER, response(&cancel, 481)), []);
        let out = bench.receive(PEER, response(&invite, invite_says));
        let ended = out.iter().any(|output| {
            let reason = EndReason::Cancelled { timeout: false };
            matches!(output, Output::Event(Event::Ended { reason: found, .. }) if *found == reason)
        });
        assert!(ended, "{out:?}");
        let sent: Vec<String> = sent(&out).iter().map(text).collect();
        assert!(sent[0].starts_with("ACK "));
        assert_eq!(
            sent.iter().any(|sent| sent.starts_with("BYE ")),
            invite_says == 200
        );
    }
}

#[test]
fn message_that_is_too_much_is_told_what_is() {
    let mut config = config();
    config.limits.start_line_bytes = 200;
    config.limits.message_bytes = 1_000;
    let plain = String::from_utf8(request("OPTIONS", &[]).to_vec()).unwrap();
    let long = format!("sip:{}@192.0.2.1 ", "a".repeat(200));
    // 3261-21-14
    for (broken, refusal) in [
        (plain.replace("sip:alice@192.0.2.1 ", &long), "414"),
        (plain.replacen("SIP/2.0\r\n", "SIP/3.0\r\n", 1), "505"),
        (format!("{plain}{}", "x".repeat(1_000)), "513"),
    ] {
        let mut bench = Bench::with(config.clone());
        assert_eq!(statuses(&bench.receive(PEER, broken)), [refusal]);
    }
}

#[test]
fn secure_dialog_is_refreshed_with_a_secure_contact() {
    let mut bench = with_tls();
    let invite = place(&mut bench, 1, invitation("sips:bob@192.0.2.2"));
    let over_tls = |bench: &mut Bench, bytes: bytes::Bytes| {
        let mut out = Vec::new();
        let (flow, now) = (invite.flow, bench.now);
        let input = drongo::endpoint::Input::Datagram { flow, bytes };
        bench.endpoint.receive(now, input, &mut out);
        out
    };
    let ok = String::from_utf8(response(&invite, 200).to_vec()).unwrap();
    let ok = ok.replace("<sip:else@192.0.2.99:5099>", "<sips:bob@192.0.2.2>");
    let out = over_tls(&mut bench, ok.into());
    assert!(text(&one_sent(&out)).starts_with("ACK sips:bob@192.0.2.2 "));
    let out = with_call(&mut bench, |call, now, out| call.reinvite(now, sdp(), out));
    let reinvite = read(one_sent(&out).bytes);
    // 5630-5.1.1.2-01
    assert_eq!(
        values(&reinvite, Name::Contact),
        ["<sips:alice@192.0.2.1:5061>"]
    );

    // Called by a SIPS URI; the re-INVITE names another.
    let mut bench = with_tls();
    let their = String::from_utf8(request("INVITE", &[CONTACT]).to_vec()).unwrap();
    let their = their
        .replace("sip:", "sips:")
        .replace("SIP/2.0/UDP", "SIP/2.0/TLS");
    over_tls(&mut bench, their.clone().into());
    let out = with_call(&mut bench, |call, now, out| call.answer(now, sdp(), out));
    let tag = read_tag(&one_sent(&out));
    let within = |text: &str, method: &str, cseq: u32| {
        text.replace(
            "To: <sips:alice@192.0.2.1>",
            &format!("To: <sips:alice@192.0.2.1>;tag={tag}"),
        )
        .replace("INVITE", method)
        .replace("CSeq: 1", &format!("CSeq: {cseq}"))
        .replace("branch=z9hG4bK1", &format!("branch=z9hG4bK{method}{cseq}"))
    };
    over_tls(&mut bench, within(&their, "ACK", 1).into());
    let reinvite = within(&their, "INVITE", 2).replacen("INVITE sips:", "INVITE sip:", 1);
    let reinvite = reinvite.replace("Contact: <sips:", "Contact: <sip:");
    over_tls(&mut bench, reinvite.into());
    let out = with_call(&mut bench, |call, now, out| call.answer(now, sdp(), out));
    // 5630-5.1.2-04
    assert!(text(&one_sent(&out)).contains("\r\nContact: <sips:alice@192.0.2.1:5061>\r\n"));
}

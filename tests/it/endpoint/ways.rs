//! Requests that change their transport because of their size (RFC 3261 18.1.1), and connections
//! that are lost (18.4).

use drongo::call::EndReason;
use drongo::endpoint::{CallHandle, Disconnect, LargeRequests, Reroute};
use drongo::locate::Records;

use super::*;

const PEER: &str = "192.0.2.2:5070";

fn both() -> Config {
    config().local(Local::new(Transport::Tcp, HERE.parse().unwrap()))
}

/// A call whose INVITE has exactly that many bytes over UDP, and what comes of placing it.
fn place_sized(bench: &mut Bench, uri: &str, bytes: usize) -> (CallHandle, Vec<Output>) {
    let place = |endpoint: &mut Endpoint, fill: usize| {
        let headers = HeaderList::new().with("Subject", "x".repeat(fill)).unwrap();
        let mut outgoing = Outgoing::default();
        outgoing.headers = headers;
        let invitation = Invitation::new(uri, "sip:alice@192.0.2.1")
            .unwrap()
            .with(outgoing);
        let mut out = Vec::new();
        let call = endpoint.place(Time::ZERO, 1, invitation, &mut out).unwrap();
        (call, out)
    };
    let mut plain = both();
    plain.large_requests = LargeRequests::Datagram;
    let mut other = Bench::with(plain);
    let probe = place(&mut other.endpoint, 1);
    let fill = bytes - (sent(&probe.1).pop().unwrap().bytes.len() - 1);
    place(&mut bench.endpoint, fill)
}

fn reroutes(out: &[Output]) -> Vec<Reroute> {
    let reason = |output: &Output| match output {
        Output::Event(Event::Rerouted { reason, .. }) => Some(*reason),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

fn ended(out: &[Output]) -> Option<&EndReason> {
    out.iter().find_map(|output| match output {
        Output::Event(Event::Ended { reason, .. }) => Some(reason),
        _ => None,
    })
}

fn top_via(transmit: &Transmit) -> String {
    let text = String::from_utf8_lossy(&transmit.bytes);
    let line = text.lines().find(|line| line.starts_with("Via: "));
    line.unwrap().to_string()
}

fn input(bench: &mut Bench, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    bench.endpoint.receive(bench.now, input, &mut out);
    out
}

fn respond(bench: &mut Bench, to: &Transmit, status: u16, tag: &str) -> Vec<Output> {
    let Ok(Incoming::Request(request)) = parse(to.bytes.clone(), &Default::default()) else {
        panic!("not a request");
    };
    let headers = HeaderList::new()
        .with("Contact", "<sip:bob@192.0.2.2:5070>")
        .unwrap();
    let status = StatusCode::new(status).unwrap();
    let bytes = Reply::new(&request).write_in_dialog(status, None, Some(tag), &headers, None);
    bench.receive(PEER, bytes)
}

#[test]
fn request_of_1300_bytes_stays_on_udp_and_one_more_goes_over_tcp() {
    // 3261-18.1.1-02, 3261-18.1.1-03
    let uri = "sip:bob@192.0.2.2:5070";
    let mut bench = Bench::with(both());
    let (_, out) = place_sized(&mut bench, uri, 1_300);
    let small = one_sent(&out);
    assert_eq!(
        (small.bytes.len(), small.flow.transport),
        (1_300, Transport::Udp)
    );
    assert_eq!(reroutes(&out), []);

    let mut bench = Bench::with(both());
    let (_, out) = place_sized(&mut bench, uri, 1_301);
    let large = one_sent(&out);
    assert_eq!(large.flow.transport, Transport::Tcp);
    assert_eq!(large.flow.remote, PEER.parse().unwrap());
    assert!(top_via(&large).starts_with("Via: SIP/2.0/TCP 192.0.2.1:5060;"));
    assert_eq!(reroutes(&out), [Reroute::TooLarge]);
    assert_eq!(bench.endpoint.counters().oversized, 1);
    // A stream needs no copies; timer B is the next deadline.
    assert_eq!(bench.endpoint.deadline(), Some(Time::from_secs(32)));
}

#[test]
fn large_request_stays_on_udp_by_policy_or_without_tcp() {
    let mut datagram = both();
    datagram.large_requests = LargeRequests::Datagram;
    for config in [datagram, config()] {
        let mut bench = Bench::with(config);
        let (_, out) = place_sized(&mut bench, "sip:bob@192.0.2.2:5070", 2_000);
        assert_eq!(one_sent(&out).flow.transport, Transport::Udp);
        assert_eq!(reroutes(&out), []);
    }
}

#[test]
fn refused_stream_sends_a_large_request_back_to_udp() {
    // 3261-18.1.1-06, 3261-18.1.1-03
    let mut bench = Bench::with(both());
    let (_, out) = place_sized(&mut bench, "sip:bob@192.0.2.2:5070", 1_301);
    let tcp = one_sent(&out);
    let out = input(&mut bench, Input::Refused { id: tcp.id });
    let udp = one_sent(&out);
    assert_eq!(reroutes(&out), [Reroute::StreamRefused]);
    assert_eq!(udp.flow.transport, Transport::Udp);
    assert_eq!(udp.flow.remote, PEER.parse().unwrap());
    assert!(top_via(&udp).starts_with("Via: SIP/2.0/UDP 192.0.2.1:5060;"));
    // Another transport is another transaction.
    assert_ne!(
        top_via(&udp).split("branch=").nth(1),
        top_via(&tcp).split("branch=").nth(1)
    );
    assert_eq!(bench.endpoint.counters().stream_refused, 1);
    // The call goes on where it is, large ACK included.
    let out = respond(&mut bench, &udp, 200, "b");
    assert!(
        out.iter()
            .any(|o| matches!(o, Output::Event(Event::Answered { .. })))
    );
    assert!(
        sent(&out)
            .iter()
            .all(|t| t.flow.transport == Transport::Udp)
    );
}

#[test]
fn stream_that_fails_otherwise_is_a_failure() {
    // 3261-18.1.1-07, 3261-18.4-03
    let mut bench = Bench::with(both());
    let (_, out) = place_sized(&mut bench, "sip:bob@192.0.2.2:5070", 1_301);
    let out = bench.fail(&one_sent(&out));
    assert_eq!(sent(&out), []);
    assert!(ended(&out).is_some());
    // TCP was the URI's wish, not a matter of size.
    let mut bench = Bench::with(both());
    let uri = "sip:bob@192.0.2.2:5070;transport=tcp";
    let (_, out) = place_sized(&mut bench, uri, 1_400);
    let out = input(
        &mut bench,
        Input::Refused {
            id: one_sent(&out).id,
        },
    );
    assert_eq!(sent(&out), []);
    assert!(ended(&out).is_some());
    assert_eq!(bench.rest(), []);
}

#[test]
fn response_is_never_moved_because_of_its_size() {
    // 3261-18.1.1-04
    let mut bench = Bench::with(both());
    let out = bench.receive(PEER, request("MESSAGE", &[]));
    let Some(Output::Event(Event::Request { request, .. })) = out.first() else {
        panic!("{out:?}");
    };
    let (request, mut out) = (*request, Vec::new());
    let headers = HeaderList::new()
        .with("Subject", "x".repeat(3_000))
        .unwrap();
    let mut outgoing = Outgoing::default();
    outgoing.headers = headers;
    bench
        .endpoint
        .request(request)
        .unwrap()
        .respond(Time::ZERO, StatusCode::OK, outgoing, &mut out)
        .unwrap();
    assert_eq!(one_sent(&out).flow.transport, Transport::Udp);
}

/// A call to a name with two addresses.
fn two_servers(bench: &mut Bench, transport: &str) -> (CallHandle, Transmit) {
    let mut out = Vec::new();
    let uri = format!("sip:bob@b.example.com:5070;transport={transport}");
    let invitation = Invitation::new(&uri, "sip:alice@192.0.2.1").unwrap();
    let call = bench
        .endpoint
        .place(bench.now, 1, invitation, &mut out)
        .unwrap();
    let (id, name) = lookup(&out);
    assert_eq!(name, "b.example.com");
    let out = bench.answer(id, &["192.0.2.2", "192.0.2.3"]);
    (call, one_sent(&out))
}

fn lost(flow: Flow, how: Disconnect) -> Input {
    Input::Disconnected { flow, how }
}

#[test]
fn broken_connection_without_a_response_leads_to_the_next_server() {
    // 3261-18.4-03, 3261-17.1.4-01, 3263-4.3-01
    let mut bench = Bench::with(both());
    let (_, first) = two_servers(&mut bench, "tcp");
    // Connections have numbers of their own.
    let flow = Flow {
        id: FlowId::new(77),
        ..first.flow
    };
    let out = input(&mut bench, lost(flow, Disconnect::Broken));
    assert_eq!(reroutes(&out), [Reroute::Failover]);
    let second = one_sent(&out);
    assert_eq!(second.flow.remote, "192.0.2.3:5070".parse().unwrap());
    let flow = second.flow;
    let out = input(&mut bench, lost(flow, Disconnect::Broken));
    assert!(ended(&out).is_some());
    assert_eq!(bench.rest(), []);
}

#[test]
fn ack_that_cannot_be_sent_leads_nowhere() {
    // 3263-4.3-55: the call was refused already.
    let mut bench = Bench::with(both());
    let (_, first) = two_servers(&mut bench, "udp");
    let out = respond(&mut bench, &first, 486, "b");
    assert!(ended(&out).is_some());
    let ack = one_sent(&out);
    assert!(ack.bytes.starts_with(b"ACK "));
    // 3263-4-53
    assert_eq!(ack.flow, first.flow);
    assert_eq!(sent(&bench.fail(&ack)), []);
    assert_eq!(bench.rest(), []);
}

#[test]
fn connection_that_was_closed_or_had_carried_a_response_ends_nothing() {
    // 3261-18.4-04, 3261-18.1.1-14
    let mut bench = Bench::with(both());
    let (_, first) = two_servers(&mut bench, "tcp");
    assert_eq!(input(&mut bench, lost(first.flow, Disconnect::Closed)), []);
    respond(&mut bench, &first, 180, "b");
    assert_eq!(input(&mut bench, lost(first.flow, Disconnect::Broken)), []);
    // The answer comes over a connection of the peer's.
    let out = respond(&mut bench, &first, 200, "b");
    assert!(
        out.iter()
            .any(|o| matches!(o, Output::Event(Event::Answered { .. })))
    );
}

#[test]
fn response_goes_to_the_via_if_the_connection_of_its_request_is_lost() {
    // 3261-18.2.2-01, 3261-18.2.2-02, 3263-5-51
    let mut bench = Bench::with(both());
    let flow = Flow {
        id: FlowId::new(9),
        transport: Transport::Tcp,
        local: HERE.parse().unwrap(),
        remote: "192.0.2.2:40000".parse().unwrap(),
    };
    let text = String::from_utf8(request("MESSAGE", &[]).to_vec()).unwrap();
    for lose in [false, true] {
        let bytes = text
            .replace("SIP/2.0/UDP", "SIP/2.0/TCP")
            .replace("z9hG4bK1", &format!("z9hG4bK{lose};rport"))
            .replace("CSeq: 1 ", if lose { "CSeq: 2 " } else { "CSeq: 1 " });
        let bytes = bytes.into();
        let out = input(&mut bench, Input::Datagram { flow, bytes });
        let Some(Output::Event(Event::Request { request, .. })) = out.first() else {
            panic!("{out:?}");
        };
        let (request, mut out) = (*request, Vec::new());
        if lose {
            assert_eq!(input(&mut bench, lost(flow, Disconnect::Closed)), []);
        }
        let mut view = bench.endpoint.request(request).unwrap();
        view.respond(Time::ZERO, StatusCode::OK, Outgoing::default(), &mut out)
            .unwrap();
        let there = one_sent(&out).flow;
        if lose {
            // sent-by's port at the source address, over whatever connection there is or will be.
            assert_eq!(there.remote, PEER.parse().unwrap());
            assert_eq!(
                (there.id, there.transport),
                (FlowId::new(0), Transport::Tcp)
            );
        } else {
            assert_eq!(there, flow);
        }
    }
    assert_eq!(bench.rest(), []);
}

#[test]
fn call_over_a_websocket_stays_on_its_connection() {
    // 7118-5.3-53
    let config = config().local(Local::new(Transport::Ws, "192.0.2.1:80".parse().unwrap()));
    let mut bench = Bench::with(config);
    let flow = Flow {
        id: FlowId::new(9),
        transport: Transport::Ws,
        local: "192.0.2.1:80".parse().unwrap(),
        remote: "192.0.2.2:40000".parse().unwrap(),
    };
    let invite = "INVITE sip:alice@192.0.2.1 SIP/2.0\r\n\
        Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks;rport\r\n\
        Max-Forwards: 70\r\n\
        From: <sip:bob@example.com>;tag=asdyka899\r\n\
        To: <sip:alice@example.com>\r\n\
        Call-ID: asidkj3ss\r\n\
        CSeq: 1 INVITE\r\n\
        Contact: <sip:bob@df7jal23ls0d.invalid;transport=ws>\r\n\
        Content-Length: 0\r\n\r\n";
    let bytes = invite.into();
    let out = input(&mut bench, Input::Datagram { flow, bytes });
    let call = out.iter().find_map(|output| match output {
        Output::Event(Event::Incoming { call, .. }) => Some(*call),
        _ => None,
    });
    let (call, mut out) = (call.unwrap(), Vec::new());
    let body = drongo::message::Body::sdp("v=0\r\n");
    let answer = Outgoing::default().with_body(body);
    let mut view = bench.endpoint.call(call).unwrap();
    view.answer(Time::ZERO, answer, &mut out).unwrap();
    assert_eq!(one_sent(&out).flow, flow);
    let ack = invite
        .replace("INVITE", "ACK")
        .replace("56sdasks", "ack")
        .replace("To: <sip:alice@example.com>", &to_line(&one_sent(&out)));
    input(
        &mut bench,
        Input::Datagram {
            flow,
            bytes: ack.into(),
        },
    );
    let mut out = Vec::new();
    let mut view = bench.endpoint.call(call).unwrap();
    view.hang_up(Time::ZERO, &mut out).unwrap();
    let bye = sent(&out).pop().unwrap();
    assert_eq!(bye.flow, flow);
    // Nobody can come back to this side over another connection.
    let out = input(&mut bench, lost(flow, Disconnect::Closed));
    assert_eq!(sent(&out), []);
    assert_eq!(bench.rest(), []);
}

fn to_line(transmit: &Transmit) -> String {
    let text = String::from_utf8_lossy(&transmit.bytes);
    let line = text.lines().find(|line| line.starts_with("To: "));
    line.unwrap().to_string()
}

#[test]
fn response_to_a_name_without_a_port_asks_for_srv() {
    // 3263-5-55, 3263-5-03
    let mut bench = Bench::new();
    let via = "pc.example.com;branch=z9hG4bK1";
    let first = one_sent(&bench.receive("192.0.2.2:6000", request_via(via, "OPTIONS", &[])));
    let out = bench.fail(&first);
    let [Output::Query { id, query }] = &out[..] else {
        panic!("{out:?}");
    };
    let name = "_sip._udp.pc.example.com".into();
    assert_eq!(*query, Query::Dns(Question::Srv { name }));
    let srv = |priority, target: &str| drongo::locate::Srv {
        priority,
        weight: 0,
        port: 5080,
        target: target.into(),
    };
    let records = Records::Srv(vec![srv(1, "b.example.com"), srv(0, "a.example.com")]);
    let answer = Answer::Dns(records);
    let (id, name) = lookup(&input(&mut bench, Input::Answer { id: *id, answer }));
    assert_eq!(name, "a.example.com");
    let second = one_sent(&bench.answer(id, &["192.0.2.61"]));
    assert_eq!(second.flow.remote, "192.0.2.61:5080".parse().unwrap());
    let (id, name) = lookup(&bench.fail(&second));
    assert_eq!(name, "b.example.com");
    let third = one_sent(&bench.answer(id, &["192.0.2.62"]));
    assert_eq!(third.flow.remote, "192.0.2.62:5080".parse().unwrap());
    assert_eq!(bench.fail(&third), []);
    assert_eq!(bench.rest(), []);
}

/// Answers all questions until something is sent: SRV names two servers of another domain.
fn settle(bench: &mut Bench, mut out: Vec<Output>) -> Transmit {
    loop {
        let (id, query) = match &out[..] {
            [Output::Query { id, query }] => (*id, query.clone()),
            _ => return one_sent(&out),
        };
        let records = match query {
            Query::Dns(Question::Srv { .. }) => Records::Srv(
                ["a.provider.example", "b.provider.example"]
                    .into_iter()
                    .enumerate()
                    .map(|(at, target)| drongo::locate::Srv {
                        priority: u16::try_from(at).unwrap(),
                        weight: 0,
                        port: 5081,
                        target: target.into(),
                    })
                    .collect(),
            ),
            Query::Dns(Question::Addresses { name, .. }) => match &*name {
                "a.provider.example" => Records::Addresses(vec!["192.0.2.61".parse().unwrap()]),
                _ => Records::Addresses(vec!["192.0.2.62".parse().unwrap()]),
            },
            _ => Records::None,
        };
        let answer = Answer::Dns(records);
        out = input(bench, Input::Answer { id, answer });
    }
}

#[test]
fn connection_is_with_the_domain_of_the_uri_whatever_dns_names_on_the_way() {
    // 5922-7.3-51
    let config = both().local(Local::new(Transport::Tls, HERE.parse().unwrap()));
    let mut bench = Bench::with(config);
    let mut out = Vec::new();
    let bob = Invitation::new("sips:bob@example.org", "sip:alice@192.0.2.1").unwrap();
    let endpoint = &mut bench.endpoint;
    endpoint.place(bench.now, 1, bob, &mut out).unwrap();
    let first = settle(&mut bench, out);
    assert_eq!(first.flow.transport, Transport::Tls);
    assert_eq!(first.flow.remote, "192.0.2.61:5081".parse().unwrap());
    assert_eq!(first.host.as_deref(), Some("example.org"));
    // So is the one with the server after it.
    let out = bench.fail(&first);
    let out = out
        .into_iter()
        .filter(|out| !matches!(out, Output::Event(_)));
    let second = settle(&mut bench, out.collect());
    assert_eq!(second.flow.remote, "192.0.2.62:5081".parse().unwrap());
    assert_eq!(second.host.as_deref(), Some("example.org"));
}

#[test]
fn numeric_target_and_datagram_are_with_no_name() {
    let mut bench = Bench::with(both());
    assert_eq!(bench.place().host, None);
    let mut bench = Bench::with(both());
    let (_, by_name) = two_servers(&mut bench, "udp");
    assert_eq!(by_name.host, None);
}

#[test]
fn response_that_opens_a_connection_is_for_the_name_in_the_via() {
    // 5922-7.3-51
    let mut bench = Bench::with(both());
    let flow = Flow {
        id: FlowId::new(5),
        transport: Transport::Tcp,
        local: HERE.parse().unwrap(),
        remote: "192.0.2.2:6000".parse().unwrap(),
    };
    let contact = [("Contact", "<sip:bob@192.0.2.2>")];
    let bytes = request_via("pc.example.com;branch=z9hG4bK1", "INVITE", &contact);
    let bytes = String::from_utf8_lossy(&bytes).replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let bytes = bytes.into();
    let out = input(&mut bench, Input::Datagram { flow, bytes });
    let Some(Output::Event(Event::Incoming { call, .. })) = out.last() else {
        panic!("{out:?}");
    };
    let (call, mut out) = (*call, Vec::new());
    let mut view = bench.endpoint.call(call).unwrap();
    view.ring(bench.now, &mut out).unwrap();
    let first = one_sent(&out);
    assert_eq!((first.flow, first.host.clone()), (flow, None));
    // The connection is gone, and at the address it came from nobody listens.
    let second = one_sent(&bench.fail(&first));
    assert_eq!(second.flow.remote, "192.0.2.2:5060".parse().unwrap());
    assert_eq!(second.host, None);
    let out = bench.fail(&second);
    let third = settle(&mut bench, out);
    assert_eq!(third.flow.remote, "192.0.2.61:5081".parse().unwrap());
    assert_eq!(third.host.as_deref(), Some("pc.example.com"));
}

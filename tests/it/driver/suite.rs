//! What every driver does.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use drongo::call::{EndReason, Invitation};
use drongo::driver::Listen;
use drongo::endpoint::{Event, Reroute};
use drongo::message::{Body, Outgoing};
use drongo::transport::Transport;

use super::face::{Answering, Face, both, invitation, patient};
use super::{LIMIT, anywhere};

pub(super) fn call_over_each_transport_stands_and_is_hung_up<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let mut caller = D::bind(&both(), patient()).unwrap();
    for transport in [Transport::Udp, Transport::Tcp] {
        for _ in 0..3 {
            let invitation = invitation(callee.at(transport), transport);
            caller.place(invitation).unwrap();
        }
    }
    hang_up_all(&mut caller, 6);
    assert_eq!(caller.connections(), 1, "one connection serves all");
    assert_eq!(callee.wait_until(|seen| seen.calls == 6).connections, 1);
}

/// Hangs up what is answered, until so many have ended.
pub(super) fn hang_up_all(caller: &mut impl Face, calls: usize) {
    let mut ended = 0;
    while ended < calls {
        match caller.next_event() {
            Event::Answered { call, .. } => caller.hang_up(call),
            Event::Ended { reason, .. } => {
                assert!(matches!(reason, EndReason::HungUp { .. }), "{reason:?}");
                ended += 1;
            }
            _ => {}
        }
    }
}

pub(super) fn target_where_nobody_listens_fails_the_call<D: Face>() {
    let nobody = TcpListener::bind(anywhere()).unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let mut caller = D::bind(&both(), patient()).unwrap();
    let placed = caller.place(invitation(address, Transport::Tcp)).unwrap();
    let event = caller.next_event();
    assert!(
        matches!(event, Event::Ended { call, .. } if call == placed),
        "{event:?}"
    );
    assert_eq!(caller.connections(), 0);
    assert_eq!(caller.counters().connect_failed, 1);
}

pub(super) fn large_invite_reaches_a_peer_that_has_only_udp<D: Face>() {
    // 3261-18.1.1-06
    let callee = Answering::new::<D>(patient());
    let mut caller = D::bind(&both(), patient()).unwrap();
    let body = Body::sdp(format!("v=0\r\n{}", "a=x\r\n".repeat(400)));
    // The callee has another port for TCP: nobody listens at that of UDP.
    let invitation = invitation(callee.udp, Transport::Udp);
    caller
        .place(invitation.with(Outgoing::default().with_body(body)))
        .unwrap();
    let mut reasons = Vec::new();
    loop {
        match caller.next_event() {
            Event::Rerouted { reason, .. } => reasons.push(reason),
            Event::Answered { .. } => break,
            _ => {}
        }
    }
    assert_eq!(reasons, [Reroute::TooLarge, Reroute::StreamRefused]);
    assert!(callee.wait_until(|seen| seen.calls == 1).longest > 1_300);
}

pub(super) fn name_is_looked_up<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let mut caller = D::bind(&both(), patient()).unwrap();
    let target = format!("sip:bob@localhost:{};transport=tcp", callee.tcp.port());
    let invitation = Invitation::new(&target, "sip:alice@127.0.0.1").unwrap();
    let offer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    caller.place(invitation.with(offer)).unwrap();
    hang_up_all(&mut caller, 1);
}

pub(super) fn request_outside_of_a_call_is_answered<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let mut caller = D::bind(&both(), patient()).unwrap();
    for transport in [Transport::Udp, Transport::Tcp] {
        let invitation = invitation(callee.at(transport), transport);
        let asked = caller.ask("MESSAGE", invitation).unwrap();
        let event = caller.next_event();
        let Event::Ended { call, reason } = &event else {
            panic!("{event:?}");
        };
        assert_eq!(*call, asked);
        assert!(matches!(reason, EndReason::Completed { .. }), "{reason:?}");
    }
}

pub(super) fn options(headers: &str) -> String {
    format!(
        "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK1\r\n\
         From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: 1\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{headers}\r\n"
    )
}

/// A connection on which waiting has an end.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What comes back until the other side closes, or until so much is there.
pub(crate) fn read(stream: &mut TcpStream, enough: usize) -> String {
    let mut text = Vec::new();
    while text.len() < enough {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it takes too long"),
            Err(_) => break,
            Ok(length) => text.extend_from_slice(&chunk[..length]),
        }
    }
    String::from_utf8(text).unwrap()
}

pub(super) fn is_served(address: SocketAddr) {
    let mut stream = connect(address);
    let request = options("Content-Length: 0\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    assert!(read(&mut stream, 1).starts_with("SIP/2.0 200 "));
}

pub(super) fn bytes_one_by_one_and_requests_in_one_piece_are_answered_alike<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let mut stream = connect(callee.tcp);
    let one = options("Content-Length: 0\r\n");
    for byte in one.bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert!(read(&mut stream, 1).starts_with("SIP/2.0 200 "));
    let next = |number: &str| {
        one.replace("z9hG4bK1", &format!("z9hG4bK{number}"))
            .replace("1 OPTIONS", &format!("{number} OPTIONS"))
    };
    let (two, three) = (next("2"), next("3"));
    stream
        .write_all(format!("{two}{three}").as_bytes())
        .unwrap();
    let mut text = String::new();
    while text.matches("SIP/2.0 200 ").count() < 2 {
        text.push_str(&read(&mut stream, 1));
    }
}

pub(super) fn burst_of_datagrams_is_answered_in_order<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let socket = UdpSocket::bind(anywhere()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let one = options("").replace("TCP 127.0.0.1:9;", "UDP 127.0.0.1:9;rport;");
    for number in 0..150 {
        let request = one.replace("z9hG4bK1", &format!("z9hG4bK{number}"));
        socket.send_to(request.as_bytes(), callee.udp).unwrap();
    }
    for number in 0..150 {
        let mut answer = [0; 4096];
        let length = socket.recv(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        assert!(
            answer.contains(&format!(";branch=z9hG4bK{number};")),
            "{answer}"
        );
    }
}

pub(super) fn ping_is_answered_with_a_pong<D: Face>() {
    // 5626-5.4-01
    let callee = Answering::new::<D>(patient());
    let mut stream = connect(callee.tcp);
    stream.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(read(&mut stream, 2), "\r\n");
}

pub(super) fn connection_too_many_is_closed_at_once<D: Face>() {
    let mut config = patient();
    config.limits.connections = 2;
    let callee = Answering::new::<D>(config);
    let mut first = connect(callee.tcp);
    let mut second = connect(callee.tcp);
    // Both are there before the third.
    for stream in [&mut first, &mut second] {
        stream.write_all(b"\r\n\r\n").unwrap();
        assert_eq!(read(stream, 2), "\r\n");
    }
    let mut third = connect(callee.tcp);
    assert_eq!(read(&mut third, usize::MAX), "");
    callee.wait_until(|seen| seen.counters.connections_refused == 1);
    drop(first);
    // Its place is free again.
    callee.wait_until(|seen| seen.connections == 1);
    let mut stream = connect(callee.tcp);
    stream.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(read(&mut stream, 2), "\r\n");
}

pub(super) fn connection_without_use_is_closed<D: Face>() {
    let mut config = patient();
    config.limits.connection_idle = Duration::from_millis(100);
    let callee = Answering::new::<D>(config);
    let mut stream = connect(callee.tcp);
    assert_eq!(read(&mut stream, usize::MAX), "");
    callee.wait_until(|seen| seen.counters.idle == 1 && seen.connections == 0);
}

pub(super) fn driver_that_drains_says_when_nothing_is_left<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let mut config = patient();
    // A call that has ended lingers for 64*T1.
    config.timers.t1 = Duration::from_millis(10);
    let mut caller = D::bind(&both(), config).unwrap();
    assert!(caller.drain().is_none());
    caller
        .place(invitation(callee.tcp, Transport::Tcp))
        .unwrap();
    let mut ended = 0;
    while let Some(event) = caller.drain() {
        match event {
            Event::Answered { call, .. } => caller.hang_up(call),
            Event::Ended { .. } => ended += 1,
            _ => {}
        }
    }
    assert_eq!(ended, 1);
    assert_eq!(caller.endpoint().transactions(), 0);
}

pub(super) fn wrong_places_are_refused<D: Face>() {
    let bind = |places: &[Listen]| {
        let bound = D::bind(places, patient());
        bound.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(bind(&[]), Err(ErrorKind::InvalidInput));
    let two = [Listen::Tcp(anywhere()), Listen::Tcp(anywhere())];
    assert_eq!(bind(&two), Err(ErrorKind::InvalidInput));
    assert_eq!(bind(&both()), Ok(()));
    let none = D::bind_shards(&both(), patient(), 0);
    assert_eq!(
        none.map(|_| ()).map_err(|error| error.kind()),
        Err(ErrorKind::InvalidInput)
    );
}

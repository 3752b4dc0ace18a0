//! The tokio driver over real sockets of this machine: calls over TCP, and peers that misbehave.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drongo::call::Invitation;
use drongo::driver::tokio::{Driver, Listen};
use drongo::endpoint::{Config, Event, Reroute};
use drongo::message::{Body, Outgoing};
use drongo::transport::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(async { timeout(LIMIT, test).await })
        .expect("it takes too long")
}

pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A driver that answers every call, and where it listens.
async fn answering(config: Config) -> (SocketAddr, tokio::task::JoinHandle<io::Result<()>>) {
    let mut driver = Driver::tcp(anywhere(), config).await.unwrap();
    let address = driver.local_addr();
    let task = tokio::spawn(async move {
        loop {
            if let Event::Incoming { call, .. } = driver.next_event().await? {
                let answered = driver.act(|endpoint, now, out| {
                    endpoint.call(call)?.answer(
                        now,
                        Outgoing::default().with_body(Body::sdp("v=0\r\n")),
                        out,
                    )
                });
                answered.map_err(io::Error::other)?;
            }
        }
    });
    (address, task)
}

#[test]
fn call_over_tcp_stands_and_is_hung_up() {
    run(async {
        let (address, callee) = answering(Config::default()).await;
        let mut caller = Driver::tcp(anywhere(), Config::default()).await.unwrap();
        let target = format!("sip:bob@{address};transport=tcp");
        let mut ended = 0;
        for _ in 0..3 {
            let from = format!("sip:alice@{}", caller.local_addr());
            let invitation = Invitation::new(&target, &from).unwrap();
            caller.place(invitation).unwrap();
        }
        while ended < 3 {
            match caller.next_event().await.unwrap() {
                Event::Answered { call, .. } => {
                    let hang_up = |endpoint: &mut drongo::endpoint::Endpoint, now, out: &mut _| {
                        endpoint.call(call)?.hang_up(now, out)
                    };
                    caller.act(hang_up).unwrap();
                }
                Event::Ended { .. } => ended += 1,
                _ => {}
            }
        }
        assert_eq!(caller.connections(), 1, "one connection serves all");
        assert!(!callee.is_finished());
        callee.abort();
    });
}

#[test]
fn target_where_nobody_listens_fails_the_call() {
    run(async {
        let nobody = tokio::net::TcpListener::bind(anywhere()).await.unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let mut caller = Driver::tcp(anywhere(), Config::default()).await.unwrap();
        let target = format!("sip:bob@{address};transport=tcp");
        let invitation = Invitation::new(&target, "sip:alice@127.0.0.1").unwrap();
        let placed = caller.place(invitation).unwrap();
        let event = caller.next_event().await.unwrap();
        assert!(
            matches!(event, Event::Ended { call, .. } if call == placed),
            "{event:?}"
        );
        assert_eq!(caller.connections(), 0);
    });
}

#[test]
fn large_invite_reaches_a_peer_that_has_only_udp() {
    // 3261-18.1.1-06
    run(async {
        let places = [Listen::Udp(anywhere())];
        let mut callee = Driver::bind(&places, Config::default()).await.unwrap();
        let address = callee.local_addr();
        let places = [Listen::Udp(anywhere()), Listen::Tcp(anywhere())];
        let mut caller = Driver::bind(&places, Config::default()).await.unwrap();
        let body = Body::sdp(format!("v=0\r\n{}", "a=x\r\n".repeat(400)));
        let invitation = Invitation::new(&format!("sip:bob@{address}"), "sip:alice@127.0.0.1")
            .unwrap()
            .with(Outgoing::default().with_body(body));
        caller.place(invitation).unwrap();
        let mut reasons = Vec::new();
        loop {
            tokio::select! {
                event = caller.next_event() => {
                    if let Event::Rerouted { reason, .. } = event.unwrap() {
                        reasons.push(reason);
                    }
                }
                event = callee.next_event() => match event.unwrap() {
                    Event::Incoming { request, .. } => {
                        assert!(request.bytes().len() > 1_300);
                        break;
                    }
                    other => panic!("{other:?}"),
                },
            }
        }
        assert_eq!(reasons, [Reroute::TooLarge, Reroute::StreamRefused]);
    });
}

fn options(headers: &str) -> String {
    format!(
        "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK1\r\n\
         From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: 1\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{headers}\r\n"
    )
}

/// What comes back until the other side closes, or until so much is there.
async fn read(stream: &mut TcpStream, enough: usize) -> String {
    let mut text = Vec::new();
    while text.len() < enough {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => text.extend_from_slice(&chunk[..length]),
        }
    }
    String::from_utf8(text).unwrap()
}

async fn is_served(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = options("Content-Length: 0\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(read(&mut stream, 1).await.starts_with("SIP/2.0 200 "));
}

#[test]
fn bytes_one_by_one_and_requests_in_one_piece_are_answered_alike() {
    run(async {
        let (address, callee) = answering(Config::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let one = options("Content-Length: 0\r\n");
        for byte in one.bytes() {
            stream.write_all(&[byte]).await.unwrap();
        }
        assert!(read(&mut stream, 1).await.starts_with("SIP/2.0 200 "));
        let two = one
            .replace("z9hG4bK1", "z9hG4bK2")
            .replace("1 OPTIONS", "2 OPTIONS");
        let three = one
            .replace("z9hG4bK1", "z9hG4bK3")
            .replace("1 OPTIONS", "3 OPTIONS");
        stream
            .write_all(format!("{two}{three}").as_bytes())
            .await
            .unwrap();
        let mut text = String::new();
        while text.matches("SIP/2.0 200 ").count() < 2 {
            text.push_str(&read(&mut stream, 1).await);
        }
        callee.abort();
    });
}

#[test]
fn ping_is_answered_with_a_pong() {
    // 5626-5.4-01
    run(async {
        let (address, callee) = answering(Config::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut stream, 2).await, "\r\n");
        callee.abort();
    });
}

#[test]
fn stream_that_cannot_be_read_is_answered_and_closed_and_others_are_served() {
    // 3261-18.3-07, 3261-18.3-08
    run(async {
        let (address, callee) = answering(Config::default()).await;
        for (headers, status) in [
            ("", "400"),
            ("Content-Length: x\r\n", "400"),
            ("Content-Length: 1073741824\r\n", "513"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(options(headers).as_bytes()).await.unwrap();
            // It reads until the end, so the other side has closed.
            let text = read(&mut stream, usize::MAX).await;
            assert!(text.starts_with(&format!("SIP/2.0 {status} ")), "{text}");
        }
        let mut garbage = TcpStream::connect(address).await.unwrap();
        garbage
            .write_all(b"\x16\x03\x01\x02\x00\n\n")
            .await
            .unwrap();
        assert_eq!(read(&mut garbage, usize::MAX).await, "");
        is_served(address).await;
        callee.abort();
    });
}

#[test]
fn connection_cut_in_the_middle_of_a_message_harms_nobody() {
    run(async {
        let (address, callee) = answering(Config::default()).await;
        for length in [1, 40, 200] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = options("Content-Length: 9\r\n");
            stream
                .write_all(&request.as_bytes()[..length])
                .await
                .unwrap();
        }
        is_served(address).await;
        assert!(!callee.is_finished());
        callee.abort();
    });
}

#[test]
fn message_that_stays_incomplete_is_given_up() {
    run(async {
        let mut config = Config::default();
        config.limits.message_wait = Duration::from_millis(100);
        let (address, callee) = answering(config).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"OPTIONS sip:a").await.unwrap();
        assert_eq!(read(&mut stream, usize::MAX).await, "");
        is_served(address).await;
        callee.abort();
    });
}

#[test]
fn connection_too_many_is_closed_at_once() {
    run(async {
        let mut config = Config::default();
        config.limits.connections = 2;
        let (address, callee) = answering(config).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        // Both are there before the third.
        for stream in [&mut first, &mut second] {
            stream.write_all(b"\r\n\r\n").await.unwrap();
            assert_eq!(read(stream, 2).await, "\r\n");
        }
        let mut third = TcpStream::connect(address).await.unwrap();
        assert_eq!(read(&mut third, usize::MAX).await, "");
        drop(first);
        // Its place is free again, as soon as the driver knows.
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(b"\r\n\r\n").await;
            if read(&mut stream, 2).await == "\r\n" {
                break;
            }
        }
        callee.abort();
    });
}

#[test]
fn wrong_places_are_refused() {
    run(async {
        let bind = |places: Vec<Listen>| async move {
            let bound = Driver::bind(&places, Config::default()).await;
            bound.map(|_| ()).map_err(|error| error.kind())
        };
        assert_eq!(bind(vec![]).await, Err(io::ErrorKind::InvalidInput));
        let two = vec![Listen::Tcp(anywhere()), Listen::Tcp(anywhere())];
        assert_eq!(bind(two).await, Err(io::ErrorKind::InvalidInput));
        let both = vec![Listen::Udp(anywhere()), Listen::Tcp(anywhere())];
        assert_eq!(bind(both).await, Ok(()));
    });
}

/// Sends so many INVITEs over UDP before the driver does anything, and gives the counters when it
/// has processed all.
fn after_a_burst(config: Config) -> drongo::endpoint::Counters {
    const BURST: u64 = 100;
    run(async {
        let mut driver = Driver::udp(anywhere(), config).await.unwrap();
        let peer = std::net::UdpSocket::bind(anywhere()).unwrap();
        for number in 0..BURST {
            let invite = invite_over(number, "UDP", peer.local_addr().unwrap());
            peer.send_to(invite.as_bytes(), driver.local_addr())
                .unwrap();
        }
        while driver.endpoint().counters().offered < BURST {
            // What is refused makes no event but the first: the rest is seen by its counter.
            let _ = timeout(Duration::from_millis(20), driver.next_event()).await;
        }
        *driver.endpoint().counters()
    })
}

fn invite_over(number: u64, transport: &str, from: SocketAddr) -> String {
    format!(
        "INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {from};branch=z9hG4bK{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\n\
         Call-ID: {number}\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@{from}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn datagrams_that_wait_too_long_are_refused_or_shed() {
    let mut config = Config::default();
    config.limits.queue_wait = Duration::from_secs(3_600);
    config.limits.queue_shed = Duration::from_secs(3_600);
    let patient = after_a_burst(config.clone());
    assert_eq!((patient.admitted, patient.turned_away), (100, 0));
    // Each has waited longer than no time at all.
    config.limits.queue_wait = Duration::ZERO;
    let refusing = after_a_burst(config.clone());
    assert_eq!((refusing.admitted, refusing.turned_away), (0, 100));
    config.limits.queue_shed = Duration::ZERO;
    let shedding = after_a_burst(config);
    assert_eq!((shedding.admitted, shedding.shed), (0, 100));
    assert_eq!(shedding.sent, 0);
}

#[test]
fn driver_holds_no_more_datagrams_than_it_may() {
    run(async {
        let mut config = Config::default();
        config.limits.queue_bytes = 1;
        let mut driver = Driver::udp(anywhere(), config).await.unwrap();
        let peer = std::net::UdpSocket::bind(anywhere()).unwrap();
        let from = peer.local_addr().unwrap();
        for number in 0..50 {
            let invite = invite_over(number, "UDP", from);
            peer.send_to(invite.as_bytes(), driver.local_addr())
                .unwrap();
        }
        for _ in 0..50 {
            let event = driver.next_event().await.unwrap();
            assert!(matches!(event, Event::Incoming { .. }), "{event:?}");
            assert!(driver.waiting() <= 1);
        }
    });
}

#[test]
fn stream_that_floods_is_not_read_while_nobody_has_time_for_it() {
    run(async {
        let mut driver = Driver::tcp(anywhere(), Config::default()).await.unwrap();
        let stream = TcpStream::connect(driver.local_addr()).await.unwrap();
        let from = stream.local_addr().unwrap();
        let flood: String = (0..1_000).map(|n| invite_over(n, "TCP", from)).collect();
        let (mut written, mut refused) = (0_usize, 0);
        // The driver is not asked for anything: its tasks read until their queue is full.
        while refused < 10_000 {
            match stream.try_write(flood.as_bytes()) {
                Ok(bytes) => {
                    written += bytes;
                    refused = 0;
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    refused += 1;
                    tokio::task::yield_now().await;
                }
            }
        }
        // What the queue and the two sockets hold.
        assert!(written < 64 << 20, "{written}");
        assert_eq!(driver.endpoint().counters().received, 0);
        let event = driver.next_event().await.unwrap();
        assert!(matches!(event, Event::Incoming { .. }), "{event:?}");
    });
}

#[test]
fn stream_is_served_under_a_flood_of_datagrams() {
    run(async {
        let places = [Listen::Udp(anywhere()), Listen::Tcp(anywhere())];
        let mut config = Config::default();
        config.limits.request_rate = Some(0);
        let mut driver = Driver::bind(&places, config).await.unwrap();
        let of = |transport| driver.local_addr_of(transport).unwrap();
        let (udp, tcp) = (of(Transport::Udp), of(Transport::Tcp));
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let flooding = {
            let stop = std::sync::Arc::clone(&stop);
            std::thread::spawn(move || {
                let peer = std::net::UdpSocket::bind(anywhere()).unwrap();
                let from = peer.local_addr().unwrap();
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    let _ = peer.send_to(invite_over(number, "UDP", from).as_bytes(), udp);
                    number += 1;
                }
            })
        };
        let served = async {
            let mut stream = TcpStream::connect(tcp).await.unwrap();
            let from = stream.local_addr().unwrap();
            let bye = invite_over(0, "TCP", from).replace("INVITE", "BYE");
            stream.write_all(bye.as_bytes()).await.unwrap();
            let mut answer = vec![0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"SIP/2.0 481 ");
        };
        let driving = async {
            loop {
                driver.next_event().await.unwrap();
            }
        };
        tokio::select! {
            () = served => {}
            () = driving => {}
        }
        stop.store(true, Ordering::Relaxed);
        flooding.join().unwrap();
    });
}

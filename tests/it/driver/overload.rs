//! What a driver does with more than it can process: datagrams wait in a queue whose age decides,
//! and streams are left to fill up.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drongo::driver::tokio::{Driver, Listen};
use drongo::endpoint::{Config, Event};
use drongo::transport::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LIMIT, anywhere};

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limited = runtime.block_on(async { timeout(LIMIT, test).await });
    limited.expect("it takes too long")
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
    config.limits.queue_patience = Duration::from_secs(3_600);
    config.limits.queue_shed = Duration::from_secs(3_600);
    let patient = after_a_burst(config.clone());
    assert_eq!((patient.admitted, patient.turned_away), (100, 0));
    // Each has waited longer than no time at all.
    (config.limits.queue_patience, config.limits.queue_wait) = (Duration::ZERO, Duration::ZERO);
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

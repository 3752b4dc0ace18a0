//! What was sent last when a driver ends, and what a connection that ends takes with it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drongo::call::EndReason;
use drongo::driver::Listen;
use drongo::endpoint::{Config, Event};
use drongo::transaction::Failure;
use drongo::transport::Transport;

use super::anywhere;
use super::face::{Face, both, invitation, patient};
use super::suite::{connect, options, read};

/// A caller whose INVITE has come to a peer of TCP.
fn invited<D: Face>(config: Config) -> (D, TcpStream, String) {
    let listener = TcpListener::bind(anywhere()).unwrap();
    let mut caller = D::bind(&both(), config).unwrap();
    let to = listener.local_addr().unwrap();
    caller.place(invitation(to, Transport::Tcp)).unwrap();
    let peer = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let invite = read_to(&mut stream, "\r\n\r\nv=0\r\n");
        (stream, invite)
    });
    while !peer.is_finished() {
        let event = caller.next_event_within(Duration::from_millis(5));
        assert!(event.is_none(), "{event:?}");
    }
    let (stream, invite) = peer.join().unwrap();
    (caller, stream, invite)
}

/// A message with this end.
fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        text.push_str(&read(stream, 1));
    }
    text
}

/// A response to that request.
fn response(request: &str, status: &str) -> String {
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let mut text = format!("SIP/2.0 {status}\r\n");
    for row in request.lines() {
        if kept.iter().any(|name| row.starts_with(name)) {
            text.push_str(row);
            text.push_str(if row.starts_with("To:") { ";tag=b" } else { "" });
            text.push_str("\r\n");
        }
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}

pub(super) fn ack_of_a_refusal_is_written_before_the_driver_is_drained<D: Face>() {
    // 3261-17.1.1.2-17
    let (mut caller, mut peer, invite) = invited::<D>(patient());
    let refusal = response(&invite, "486 Busy Here");
    peer.write_all(refusal.as_bytes()).unwrap();
    let mut ended = 0;
    while let Some(event) = caller.drain() {
        ended += usize::from(matches!(event, Event::Ended { .. }));
    }
    assert_eq!(ended, 1);
    drop(caller);
    // It reads until the end, so nothing more comes.
    let text = read(&mut peer, usize::MAX);
    assert!(text.starts_with("ACK sip:bob@"), "{text:?}");
}

/// More responses than the sockets hold, and fewer than may wait.
pub(crate) const MUCH: usize = 1_000;

/// Asks for so many responses, which the endpoint gives by itself, and reads none.
pub(crate) fn ask_much(peer: &TcpStream) -> JoinHandle<()> {
    let mut peer = peer.try_clone().unwrap();
    // Its Via stands in each response.
    let long = format!("TCP 127.0.0.1:9;x={}", "x".repeat(10_000));
    let request = options("Content-Length: 0\r\n").replace("TCP 127.0.0.1:9", &long);
    thread::spawn(move || {
        for number in 0..MUCH {
            let request = request.replace("z9hG4bK1", &format!("z9hG4bK{number}"));
            peer.write_all(request.as_bytes()).unwrap();
        }
    })
}

/// Reads to the end.
pub(crate) fn count_responses(mut peer: TcpStream) -> JoinHandle<usize> {
    thread::spawn(move || read(&mut peer, usize::MAX).matches("SIP/2.0 200 ").count())
}

pub(super) fn peer_that_reads_late_gets_all_before_the_driver_is_drained<D: Face>() {
    let mut driver = D::bind(&[Listen::Tcp(anywhere())], patient()).unwrap();
    let peer = connect(driver.address(Transport::Tcp));
    let asking = ask_much(&peer);
    while driver.endpoint().counters().received < MUCH as u64 {
        let event = driver.next_event_within(Duration::from_millis(5));
        assert!(event.is_none(), "{event:?}");
    }
    asking.join().unwrap();
    assert_eq!(driver.endpoint().transactions(), 0);
    assert!(driver.has_unsent(), "the sockets held it all");
    let reading = count_responses(peer);
    assert!(driver.drain().is_none());
    assert!(!driver.has_unsent());
    drop(driver);
    assert_eq!(reading.join().unwrap(), MUCH);
}

/// How the only call of a driver ended.
fn end_of(caller: &mut impl Face) -> EndReason {
    match caller.next_event() {
        Event::Ended { reason, .. } => reason,
        event => panic!("{event:?}"),
    }
}

pub(super) fn request_on_a_connection_that_breaks_fails_at_once<D: Face>() {
    // 3261-18.4-03, 3261-17.1.4-01
    let listener = TcpListener::bind(anywhere()).unwrap();
    let mut caller = D::bind(&both(), patient()).unwrap();
    let to = listener.local_addr().unwrap();
    caller.place(invitation(to, Transport::Tcp)).unwrap();
    let peer = thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        // What came is not read: closing resets the connection.
        stream.peek(&mut [0]).unwrap();
    });
    let reason = end_of(&mut caller);
    let is_lost = matches!(reason, EndReason::Failed(Failure::Transport));
    assert!(is_lost, "{reason:?}");
    assert_eq!(caller.connections(), 0);
    peer.join().unwrap();
}

pub(super) fn request_on_a_connection_that_is_closed_in_order_waits_for_its_timer<D: Face>() {
    // 3261-18.4-04
    let mut config = patient();
    config.timers.t1 = Duration::from_millis(50);
    let (mut caller, peer, _) = invited::<D>(config);
    drop(peer);
    let reason = end_of(&mut caller);
    let is_unanswered = matches!(reason, EndReason::Failed(Failure::Timeout));
    assert!(is_unanswered, "{reason:?}");
    assert_eq!(caller.connections(), 0);
}

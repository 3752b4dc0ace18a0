//! Peers that are wrong or hostile: other calls are untouched, what they held is free again, and
//! each is counted.

use std::io::Write;
use std::net::Shutdown;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drongo::endpoint::{CallHandle, Event};
use drongo::transport::Transport;

use super::face::{Answering, Face, both, invitation, patient};
use super::suite::{connect, hang_up_all, is_served, options, read};
use crate::idle::{Idle, ten_thousand};

/// A caller with a call that stands while another misbehaves.
struct Bystander<D> {
    driver: D,
    call: CallHandle,
}

impl<D: Face> Bystander<D> {
    fn of(callee: &Answering) -> Self {
        let mut driver = D::bind(&both(), patient()).unwrap();
        let invitation = invitation(callee.tcp, Transport::Tcp);
        let placed = driver.place(invitation).unwrap();
        loop {
            if let Event::Answered { call, .. } = driver.next_event() {
                assert_eq!(call, placed);
                return Self { driver, call };
            }
        }
    }

    /// The call stands yet, and new ones are answered.
    fn stays_untouched(mut self, callee: &Answering) {
        self.driver.hang_up(self.call);
        hang_up_all(&mut self.driver, 1);
        is_served(callee.tcp);
    }
}

/// A callee that gives up soon.
fn impatient<D: Face>() -> Answering {
    let mut config = patient();
    config.limits.message_wait = Duration::from_millis(200);
    Answering::new::<D>(config)
}

pub(super) fn stream_that_cannot_be_read_is_answered_and_closed<D: Face>() {
    // 3261-18.3-07, 3261-18.3-08
    let callee = Answering::new::<D>(patient());
    let bystander = Bystander::<D>::of(&callee);
    for (headers, status) in [("", "400"), ("Content-Length: x\r\n", "400")] {
        let mut stream = connect(callee.tcp);
        stream.write_all(options(headers).as_bytes()).unwrap();
        // It reads until the end, so the other side has closed.
        let text = read(&mut stream, usize::MAX);
        assert!(text.starts_with(&format!("SIP/2.0 {status} ")), "{text}");
    }
    let mut garbage = connect(callee.tcp);
    garbage.write_all(b"\x16\x03\x01\x02\x00\n\n").unwrap();
    assert_eq!(read(&mut garbage, usize::MAX), "");
    callee.wait_until(|seen| seen.counters.malformed == 3 && seen.connections == 1);
    bystander.stays_untouched(&callee);
}

pub(super) fn half_a_message_and_silence_is_given_up<D: Face>() {
    let callee = impatient::<D>();
    let bystander = Bystander::<D>::of(&callee);
    let request = options("Content-Length: 9\r\n");
    for length in [1, 40, request.len()] {
        let mut stream = connect(callee.tcp);
        stream.write_all(&request.as_bytes()[..length]).unwrap();
        assert_eq!(read(&mut stream, usize::MAX), "");
    }
    callee.wait_until(|seen| seen.counters.incomplete == 3 && seen.connections == 1);
    bystander.stays_untouched(&callee);
}

pub(super) fn message_that_trickles_is_given_up<D: Face>() {
    let callee = impatient::<D>();
    let bystander = Bystander::<D>::of(&callee);
    let mut stream = connect(callee.tcp);
    // It waits for an answer between two bytes, in vain, and does not come to the end in time.
    let pause = Duration::from_millis(10);
    stream.set_read_timeout(Some(pause)).unwrap();
    let mut sent = 0;
    for byte in options(&"X: y\r\n".repeat(2_000)).bytes() {
        let mut nothing = [0; 1];
        let is_open = stream.write_all(&[byte]).is_ok()
            && match std::io::Read::read(&mut stream, &mut nothing) {
                Ok(length) => length != 0,
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            };
        if !is_open {
            break;
        }
        sent += 1;
    }
    assert!(sent < 10_000, "it was never given up");
    callee.wait_until(|seen| seen.counters.incomplete == 1 && seen.connections == 1);
    bystander.stays_untouched(&callee);
}

pub(super) fn gigabyte_that_was_announced_is_not_waited_for<D: Face>() {
    // 3261-18.3-08
    let callee = Answering::new::<D>(patient());
    let bystander = Bystander::<D>::of(&callee);
    let mut stream = connect(callee.tcp);
    let request = options("Content-Length: 1073741824\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let text = read(&mut stream, usize::MAX);
    assert!(text.starts_with("SIP/2.0 513 "), "{text}");
    callee.wait_until(|seen| seen.counters.malformed == 1 && seen.connections == 1);
    // Who sends it all the same finds nobody.
    let body = vec![b'x'; 1 << 20];
    let refused = (0..1_024).find(|_| stream.write_all(&body).is_err());
    assert!(refused.is_some(), "a gigabyte was read");
    bystander.stays_untouched(&callee);
}

pub(super) fn connection_cut_in_the_middle_of_a_message_harms_nobody<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let bystander = Bystander::<D>::of(&callee);
    let request = options("Content-Length: 9\r\n");
    for length in [1, 40, 200] {
        let mut stream = connect(callee.tcp);
        stream.write_all(&request.as_bytes()[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read(&mut stream, usize::MAX), "");
    }
    callee.wait_until(|seen| seen.counters.cut == 3 && seen.connections == 1);
    // Between two messages nothing is lost.
    drop(connect(callee.tcp));
    callee.wait_until(|seen| seen.counters.closed == 1 && seen.connections == 1);
    bystander.stays_untouched(&callee);
}

pub(super) fn peer_that_does_not_read_is_given_up<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let bystander = Bystander::<D>::of(&callee);
    let mut stream = connect(callee.tcp);
    // Its Via stands in each response.
    let request = options("Content-Length: 0\r\n");
    let long = format!("TCP 127.0.0.1:9;x={}", "x".repeat(8_000));
    let request = request.replace("TCP 127.0.0.1:9", &long);
    // It asks on and on and never reads: the responses fill what room there is for them, and what
    // does not fit has failed.
    let mut number = 0;
    while callee.seen().undelivered == 0 {
        number += 1;
        let branch = format!("z9hG4bK{number}");
        let request = request.replace("z9hG4bK1", &branch);
        assert!(number < 100_000, "it all has been taken");
        // On a machine that is slow the connection may be given up meanwhile.
        if stream.write_all(request.as_bytes()).is_err() {
            break;
        }
    }
    callee.wait_until(|seen| seen.undelivered > 0);
    bystander.stays_untouched(&callee);
    drop(stream);
    callee.wait_until(|seen| seen.connections == 0);
}

pub(super) fn thousands_of_idle_connections_harm_nobody<D: Face>() {
    // The sockets of all other tests are of this process, too.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let many = ten_thousand();
    let callee = Answering::new::<D>(patient());
    let bystander = Bystander::<D>::of(&callee);
    let idle = Idle::open(callee.tcp, many);
    let seen = callee.wait_until(|seen| seen.connections == many + 1);
    assert_eq!(seen.counters.connections_refused, 0);
    bystander.stays_untouched(&callee);
    drop(idle);
    let closed = many as u64;
    callee.wait_until(|seen| seen.connections == 0 && seen.counters.closed >= closed);
}

//! Garbage on the port while a call is made, taken and ended: by hand on both sides, so that what
//! arrives between which two messages of the call is no matter of luck.
//!
//! After each piece an OPTIONS goes the same way and is answered: the piece has been read by then,
//! the endpoint is alive, and no datagram is lost for want of buffer.

use std::net::SocketAddr;

use super::examples::{Answer, Call, DRAIN};
use super::socket::{OFFER, Socket, header};
use super::wanted;

#[test]
fn garbage_harms_no_call_that_is_taken() {
    if !wanted("garbage_harms_no_call_that_is_taken", &[]) {
        return;
    }
    let answer = Answer::start(&["--ring", "1"]);
    let (caller, stranger) = (Socket::bound(), Socket::bound());
    let id = "taken@127.0.0.1";
    let request = |method: &str, number: u32, branch: &str, to: &str, body: &str| {
        caller.request(method, answer.address, id, number, branch, to, body)
    };
    let to = format!("<sip:bob@{}>", answer.address);

    let invite = request("INVITE", 1, "invite", &to, OFFER);
    caller.send(answer.address, &invite);
    let mut thrown = throw(&stranger, answer.address, id, 1);
    let ok = caller.receive(|m| m.starts_with("SIP/2.0 200 ") && m.contains("1 INVITE\r\n"));
    assert!(
        ok.contains("\r\n\r\nv=0"),
        "the answer to an offer stands in the 200: {ok}"
    );
    let to = header(&ok, "To");
    caller.send(answer.address, &request("ACK", 1, "ack", &to, ""));

    thrown += throw(&stranger, answer.address, id, 2);
    caller.send(answer.address, &request("BYE", 2, "bye", &to, ""));
    caller.receive(|m| m.starts_with("SIP/2.0 200 ") && m.contains("2 BYE\r\n"));

    let report = answer.stop();
    for (name, expected) in [
        ("calls", 1),
        ("answered", 1),
        ("failed", 0),
        ("dropped", thrown),
    ] {
        report.check(name, expected);
    }
    report.check_nothing_left();
}

#[test]
fn garbage_harms_no_call_that_is_made() {
    if !wanted("garbage_harms_no_call_that_is_made", &[]) {
        return;
    }
    let (callee, stranger) = (Socket::bound(), Socket::bound());
    let mut call = Call::start(callee.address, &["--calls", "1", "--hold", "2"]);

    let (invite, caller) = callee.receive_from(|m| m.starts_with("INVITE "));
    let id = header(&invite, "Call-ID");
    callee.send(caller, &callee.response("180 Ringing", &invite, ""));
    let mut thrown = throw(&stranger, caller, &id, 1);
    callee.send(caller, &callee.response("200 OK", &invite, OFFER));
    callee.receive(|m| m.starts_with("ACK "));

    thrown += throw(&stranger, caller, &id, 2);
    let bye = callee.receive(|m| m.starts_with("BYE "));
    callee.send(caller, &callee.response("200 OK", &bye, ""));

    let (status, report) = call.end(DRAIN);
    for (name, expected) in [
        ("calls", 1),
        ("answered", 1),
        ("failed", 0),
        ("dropped", thrown),
    ] {
        report.check(name, expected);
    }
    report.check_nothing_left();
    assert!(status.success(), "call: {status}");
}

/// What no peer would send. `id` is the Call-ID of a call that is none of the sender's business.
fn garbage(id: &str, here: SocketAddr, there: SocketAddr) -> Vec<Vec<u8>> {
    let via = format!("Via: SIP/2.0/UDP {here};branch=z9hG4bK-garbage");
    let ids = format!(
        "From: <sip:eve@{here}>;tag=eve\r\nTo: <sip:bob@{there}>;tag=none\r\nCall-ID: {id}"
    );
    let texts = [
        // Cut within the start line, the first Via, and the To that a reply would need.
        "INVITE sip:bob@127.0".to_owned(),
        "INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/U".to_owned(),
        format!("BYE sip:bob@{there} SIP/2.0\r\n{via}\r\nTo: <sip:bo"),
        // A response of which the body is cut: 3261 18.3 has it discarded.
        format!(
            "SIP/2.0 200 OK\r\n{via}\r\n{ids}\r\nCSeq: 1 INVITE\r\nContent-Length: 99\r\n\r\nv"
        ),
        // Responses that nobody asked for.
        format!("SIP/2.0 200 OK\r\n{via}\r\n{ids}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"),
        format!("SIP/2.0 487 No\r\n{via}\r\n{ids}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"),
        format!("SIP/2.0 200 OK\r\n{via}\r\n{ids}\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"),
        // An ACK for nothing.
        format!(
            "ACK sip:bob@{there} SIP/2.0\r\n{via}\r\n{ids}\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        ),
    ];
    let mut pieces = vec![noise(1), noise(200), noise(65_507)];
    pieces.extend(texts.into_iter().map(String::into_bytes));
    pieces
}

/// The same random bytes each time: xorshift, from a seed of no meaning.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| byte()).collect()
}

/// Sends each piece of garbage, and after each sees that the other side still answers.
fn throw(stranger: &Socket, there: SocketAddr, id: &str, round: u32) -> u64 {
    let mut count = 0;
    for piece in garbage(id, stranger.address, there) {
        stranger.send(there, &piece);
        count += 1;
        let ping = format!("ping-{round}-{count}");
        let to = format!("<sip:bob@{there}>");
        stranger.send(
            there,
            &stranger.request("OPTIONS", there, &ping, 1, &ping, &to, ""),
        );
        stranger.receive(|m| m.starts_with("SIP/2.0 ") && header(m, "Call-ID") == ping);
    }
    count
}

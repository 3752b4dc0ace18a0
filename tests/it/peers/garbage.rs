//! Garbage on the port while a call is made, taken and ended: by hand on both sides, so that what
//! arrives between which two messages of the call is no matter of luck.
//!
//! After each piece an OPTIONS goes the same way and is answered: the piece has been read by then,
//! the endpoint is alive, and no datagram is lost for want of buffer.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN};
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
    caller.send(answer.address, invite.as_bytes());
    let mut thrown = stranger.throw(answer.address, id, 1);
    let ok = caller.receive(|m| m.starts_with("SIP/2.0 200 ") && m.contains("1 INVITE\r\n"));
    assert!(
        ok.contains("\r\n\r\nv=0"),
        "the answer to an offer stands in the 200: {ok}"
    );
    let to = header(&ok, "To");
    caller.send(answer.address, request("ACK", 1, "ack", &to, "").as_bytes());

    thrown += stranger.throw(answer.address, id, 2);
    caller.send(answer.address, request("BYE", 2, "bye", &to, "").as_bytes());
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
    callee.send(
        caller,
        callee.response("180 Ringing", &invite, "").as_bytes(),
    );
    let mut thrown = stranger.throw(caller, &id, 1);
    callee.send(caller, callee.response("200 OK", &invite, OFFER).as_bytes());
    callee.receive(|m| m.starts_with("ACK "));

    thrown += stranger.throw(caller, &id, 2);
    let bye = callee.receive(|m| m.starts_with("BYE "));
    callee.send(caller, callee.response("200 OK", &bye, "").as_bytes());

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

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

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

struct Socket {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Socket {
    fn bound() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        assert_eq!(self.socket.send_to(bytes, to).unwrap(), bytes.len());
    }

    fn receive(&self, is_it: impl Fn(&str) -> bool) -> String {
        self.receive_from(is_it).0
    }

    /// The next message that `is_it`; others, retransmissions among them, are passed over.
    fn receive_from(&self, is_it: impl Fn(&str) -> bool) -> (String, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let mut passed = Vec::new();
        for _ in 0..100 {
            let (length, from) = self
                .socket
                .recv_from(&mut buffer)
                .unwrap_or_else(|e| panic!("{e}; received until then: {passed:#?}"));
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if is_it(&message) {
                return (message, from);
            }
            passed.push(message);
        }
        panic!("not among a hundred messages: {passed:#?}")
    }

    /// Sends each piece of garbage, and after each sees that the other side still answers.
    fn throw(&self, there: SocketAddr, id: &str, round: u32) -> u64 {
        let mut count = 0;
        for piece in garbage(id, self.address, there) {
            self.send(there, &piece);
            count += 1;
            let ping = format!("ping-{round}-{count}");
            let to = format!("<sip:bob@{there}>");
            let options = self.request("OPTIONS", there, &ping, 1, &ping, &to, "");
            self.send(there, options.as_bytes());
            self.receive(|m| m.starts_with("SIP/2.0 ") && header(m, "Call-ID") == ping);
        }
        count
    }

    #[expect(clippy::too_many_arguments, reason = "a request has that many parts")]
    fn request(
        &self,
        method: &str,
        there: SocketAddr,
        id: &str,
        number: u32,
        branch: &str,
        to: &str,
        body: &str,
    ) -> String {
        let here = self.address;
        format!(
            "{method} sip:bob@{there} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:alice@{here}>;tag=alice\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: {number} {method}\r\nContact: <sip:alice@{here}>\r\n{}",
            entity(body)
        )
    }

    fn response(&self, status: &str, request: &str, body: &str) -> String {
        let copied = |name: &str| format!("{name}: {}\r\n", header(request, name));
        let to = header(request, "To");
        let tag = if to.contains(";tag=") {
            ""
        } else {
            ";tag=callee"
        };
        format!(
            "SIP/2.0 {status}\r\n{}{}{}{}To: {to}{tag}\r\nContact: <sip:bob@{}>\r\n{}",
            copied("Via"),
            copied("From"),
            copied("Call-ID"),
            copied("CSeq"),
            self.address,
            entity(body)
        )
    }
}

/// The end of a message, from its body's headers on.
fn entity(body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The value of the first header of this name, as drongo writes it.
fn header(message: &str, name: &str) -> String {
    let mut lines = message
        .split("\r\n")
        .filter_map(|line| line.split_once(':'));
    let value = lines
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    value
        .unwrap_or_else(|| panic!("no {name} in {message}"))
        .trim()
        .to_owned()
}

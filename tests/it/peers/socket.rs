//! A peer by hand: a socket, and the few messages that a test sends from it.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A session description for an offer or an answer.
pub(super) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// A UDP socket of the test's own, from which it speaks SIP by hand.
pub(super) struct Socket {
    socket: UdpSocket,
    pub(super) address: SocketAddr,
}

impl Socket {
    pub(super) fn bound() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub(super) fn send(&self, to: SocketAddr, bytes: &(impl AsRef<[u8]> + ?Sized)) {
        let bytes = bytes.as_ref();
        assert_eq!(self.socket.send_to(bytes, to).unwrap(), bytes.len());
    }

    pub(super) fn receive(&self, is_it: impl Fn(&str) -> bool) -> String {
        self.receive_from(is_it).0
    }

    /// The next message that `is_it`; others, retransmissions among them, are passed over.
    pub(super) fn receive_from(&self, is_it: impl Fn(&str) -> bool) -> (String, SocketAddr) {
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

    #[expect(clippy::too_many_arguments, reason = "a request has that many parts")]
    pub(super) fn request(
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

    pub(super) fn response(&self, status: &str, request: &str, body: &str) -> String {
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
pub(super) fn header(message: &str, name: &str) -> String {
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

//! Views of a small flow, and captures written and read again.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::*;
use crate::transport::Transport;

const ALICE: &str = "192.0.2.1:5060";
const BOB: &str = "192.0.2.4:5060";

fn message(start: &str, body: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:b@b>\r\nCall-ID: c<&>\r\nCSeq: 7 INVITE\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn packet(millis: u64, (source, target): (&str, &str), text: &str) -> Packet {
    let (source, target) = (source.parse().unwrap(), target.parse().unwrap());
    let bytes = String::from(text).into();
    Packet::new(
        Time::from_millis(millis),
        Transport::Udp,
        source,
        target,
        bytes,
    )
}

/// Alice invites Bob, it is lost, she tries again, he rings; a stranger's packet goes nowhere.
fn flow() -> Trace {
    let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let mut trace = Trace::new();
    let alice = trace.lane("alice", &[address(ALICE)]);
    trace.lane("bob's <phone>", &[address(BOB)]);
    let invite = message("INVITE sip:b@b SIP/2.0", "v=0\r\n");
    let mut lost = packet(0, (ALICE, BOB), &invite);
    lost.fate = Fate::Lost;
    trace.packet(lost);
    let mut twice = packet(500, (ALICE, BOB), &invite);
    twice.copies = 2;
    trace.packet(twice);
    trace.packet(packet(
        510,
        (BOB, ALICE),
        &message("SIP/2.0 180 Ringing", ""),
    ));
    trace.note(Time::from_millis(520), alice, "hears \"ringing\"; <b>");
    let mut stray = packet(600, (ALICE, "192.0.2.9:9"), "junk\u{1}\r\n\r\n");
    stray.fate = Fate::Nowhere;
    trace.packet(stray);
    trace.packet(packet(
        700,
        ("[2001:db8::1]:5060", ALICE),
        &message("SIP/2.0 486 x", ""),
    ));
    trace.broken(Time::from_millis(800), alice, "L8");
    trace
}

#[test]
fn ladder_shows_what_became_of_each_message() {
    insta::assert_snapshot!(flow().ladder());
}

#[test]
fn mermaid_escapes_what_it_would_read_as_its_own() {
    insta::assert_snapshot!(flow().mermaid());
}

#[test]
fn svg_escapes_what_it_would_read_as_its_own() {
    insta::assert_snapshot!(flow().svg());
}

#[cfg(feature = "trace")]
mod captures {
    use core::time::Duration;

    use super::*;
    use crate::trace::{Hep3, capture};

    const EPOCH: Duration = Duration::from_secs(1_700_000_000);

    /// What a capture keeps of a packet.
    fn kept(packet: &Packet) -> (Time, Transport, SocketAddr, SocketAddr, Vec<u8>) {
        let Packet {
            at,
            transport,
            source,
            target,
            ..
        } = *packet;
        (at, transport, source, target, packet.bytes.to_vec())
    }

    #[test]
    fn pcapng_is_read_as_it_was_written() {
        let file = flow().pcapng(EPOCH);
        let capture = capture::read(&file).unwrap();
        assert_eq!(capture.epoch, EPOCH);
        assert_eq!(capture.skipped, 1, "the junk");
        let written: Vec<_> = flow()
            .packets()
            .filter(|p| p.bytes.len() > 20)
            .map(kept)
            .collect();
        let read: Vec<_> = capture.trace.packets().map(kept).collect();
        assert_eq!(read.len(), 4);
        // Nothing in IPv6 goes to an IPv4 address: it is mapped.
        assert_eq!(read[..3], written[..3]);
        assert_eq!(read[3].4, written[3].4);
    }

    #[test]
    fn messages_over_tcp_are_cut_out_of_their_stream() {
        let mut trace = Trace::new();
        let texts = [
            message("OPTIONS sip:a SIP/2.0", "abc"),
            message("SIP/2.0 200 OK", ""),
        ];
        let ways = [(ALICE, BOB), (BOB, ALICE)];
        for round in 0..3 {
            for (text, way) in texts.iter().zip(ways) {
                let mut packet = packet(round, way, text);
                packet.transport = Transport::Tcp;
                trace.packet(packet);
            }
        }
        let capture = capture::read(&trace.pcapng(EPOCH)).unwrap();
        let written: Vec<_> = trace.packets().map(kept).collect();
        let read: Vec<_> = capture.trace.packets().map(kept).collect();
        assert_eq!(read, written);
    }

    #[test]
    fn what_is_no_capture_or_breaks_off_is_an_error() {
        let file = flow().pcapng(EPOCH);
        assert!(capture::read(b"").is_err());
        assert!(capture::read(b"INVITE sip:a SIP/2.0\r\n\r\n").is_err());
        assert!(capture::read(&file[..file.len() - 7]).is_err());
    }

    #[test]
    fn hep3_holds_addresses_time_and_message() {
        let packet = packet(1_500, (ALICE, BOB), &message("SIP/2.0 180 Ringing", ""));
        let hep = Hep3 {
            agent: 0x0102_0304,
            epoch: EPOCH,
        };
        let bytes = hep.wrap(&packet).unwrap();
        assert_eq!(&bytes[..4], b"HEP3");
        assert_eq!(
            usize::from(u16::from_be_bytes([bytes[4], bytes[5]])),
            bytes.len()
        );
        let mut rest = &bytes[6..];
        let mut chunks = Vec::new();
        while let [0, 0, 0, kind, high, low, ..] = *rest {
            let length = usize::from(u16::from_be_bytes([high, low]));
            chunks.push((kind, rest[6..length].to_vec()));
            rest = &rest[length..];
        }
        assert_eq!(rest, b"");
        let expected = [
            (1, vec![2]),
            (3, vec![192, 0, 2, 1]),
            (4, vec![192, 0, 2, 4]),
            (2, vec![17]),
            (7, vec![0x13, 0xc4]),
            (8, vec![0x13, 0xc4]),
            (9, 1_700_000_001_u32.to_be_bytes().to_vec()),
            (10, 500_000_u32.to_be_bytes().to_vec()),
            (11, vec![1]),
            (12, vec![1, 2, 3, 4]),
            (17, b"c<&>".to_vec()),
            (15, packet.bytes.to_vec()),
        ];
        assert_eq!(chunks, expected);
    }

    #[test]
    fn message_too_long_for_the_wrapper_is_refused() {
        let long = "x".repeat(65_536);
        let hep = Hep3 {
            agent: 1,
            epoch: EPOCH,
        };
        assert_eq!(hep.wrap(&packet(0, (ALICE, BOB), &long)), None);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None,
            ..proptest::prelude::ProptestConfig::default()
        })]
        #[test]
        fn any_bytes_are_read_without_harm(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
            at in 0..2_000_usize,
        ) {
            let _ = capture::read(&bytes);
            let mut file = flow().pcapng(EPOCH);
            let at = at.min(file.len());
            for (to, from) in file[at..].iter_mut().zip(&bytes) {
                *to ^= from;
            }
            let _ = capture::read(&file);
        }
    }
}

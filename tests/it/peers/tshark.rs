//! Wireshark's dissector reads what the crate writes down, and the crate reads what it is given.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use drongo::message::{Message, Name};
use drongo::trace::{Trace, capture};
use drongo::transport::Transport;

use super::{TSHARK, wanted};
use crate::flows::a_call_with_loss;

/// A file of this test's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("drongo-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn fields(file: &Scratch, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&file.0).args(["-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(row).collect()
}

#[test]
fn tshark_reads_every_record_as_sip_without_fault() {
    if !wanted("tshark_reads_every_record_as_sip_without_fault", &[TSHARK]) {
        return;
    }
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut trace = Trace::new();
        for packet in a_call_with_loss().packets() {
            let mut packet = packet.clone();
            packet.transport = transport;
            trace.packet(packet);
        }
        let file = Scratch::new(
            "flow.pcapng",
            &trace.pcapng(Duration::from_secs(1_700_000_000)),
        );
        let rows = fields(
            &file,
            &[
                "sip.Call-ID",
                "sip.CSeq",
                "frame.time_epoch",
                "_ws.malformed",
                "_ws.expert.severity",
            ],
        );
        assert_eq!(rows.len(), trace.packets().count());
        for (row, packet) in rows.iter().zip(trace.packets()) {
            let message = Message::parse(packet.bytes.clone()).unwrap();
            let text = |name| String::from_utf8_lossy(message.first(name).unwrap()).into_owned();
            assert_eq!(row[0], text(Name::CallId));
            assert_eq!(row[1], text(Name::CSeq));
            assert!(row[2].starts_with("17000000"), "{}", row[2]);
            assert_eq!(row[3], "", "malformed");
            // Chats and notes are remarks; warnings and errors are not.
            let severe = row[4]
                .split(',')
                .filter_map(|level| level.parse::<u32>().ok());
            assert!(severe.max().unwrap_or(0) < 0x0060_0000, "{row:?}");
        }
    }
}

#[test]
fn capture_that_tshark_rewrote_is_read_alike() {
    if !wanted("capture_that_tshark_rewrote_is_read_alike", &[TSHARK]) {
        return;
    }
    let trace = a_call_with_loss();
    let file = Scratch::new("one.pcapng", &trace.pcapng(Duration::ZERO));
    let old = Scratch::new("two.pcap", b"");
    let status = Command::new("tshark")
        .arg("-r")
        .arg(&file.0)
        .args(["-F", "pcap", "-w"])
        .arg(&old.0)
        .status()
        .unwrap();
    assert!(status.success());
    let capture = capture::read(&fs::read(&old.0).unwrap()).unwrap();
    let written: Vec<_> = trace.packets().map(|packet| &packet.bytes).collect();
    let read: Vec<_> = capture
        .trace
        .packets()
        .map(|packet| &packet.bytes)
        .collect();
    assert_eq!(read, written);
}

//! Captures (pcap and pcapng) read into a trace.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use etherparse::defrag::IpDefragPool;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::{Packet, Trace};
use crate::limits::Limits;
use crate::time::Time;
use crate::transport::Transport;
use crate::transport::stream::{Frame, StreamDecoder};

/// A capture that has been read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Capture {
    /// The SIP messages in it, from the time of the first packet on. A place is an address.
    pub trace: Trace,
    /// How long after the Unix epoch the first packet was seen: time zero of the trace.
    pub epoch: Duration,
    /// Packets that hold no SIP, or no part of a message that could be read.
    pub skipped: usize,
}

/// Why a file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a capture, or a broken one: {what}")]
pub struct CaptureError {
    what: String,
}

/// How many segments may wait for one that is missing before it is given up.
const MOST_WAITING: usize = 256;

/// Reads a pcap or pcapng file: SIP over UDP and TCP, over IPv4 and IPv6, fragments put together.
///
/// # Errors
///
/// [`CaptureError`] if it is neither, or breaks off inside a record.
pub fn read(file: &[u8]) -> Result<Capture, CaptureError> {
    let mut reader = create_reader(file.len().max(1 << 16), file).map_err(broken)?;
    let mut reading = Reading::default();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                reading.block(block);
                reader.consume(length);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(broken)?,
            Err(error) => return Err(broken(error)),
        }
    }
    Ok(reading.capture)
}

fn broken<I: core::fmt::Debug>(error: PcapError<I>) -> CaptureError {
    CaptureError {
        what: alloc::format!("{error:?}"),
    }
}

struct Reading {
    capture: Capture,
    started: bool,
    link: Linktype,
    /// Fractions of a second that a stamp of the old format counts.
    fraction: u32,
    interfaces: Vec<(Linktype, u64, i64)>,
    fragments: IpDefragPool<Duration, ()>,
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            capture: Capture {
                trace: Trace::new(),
                epoch: Duration::ZERO,
                skipped: 0,
            },
            started: false,
            link: Linktype::ETHERNET,
            fraction: 1_000,
            interfaces: Vec::new(),
            fragments: IpDefragPool::new(),
            streams: BTreeMap::new(),
        }
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Stream {
    decoder: StreamDecoder,
    next: Option<u32>,
    waiting: Vec<(u32, Bytes)>,
}

impl Reading {
    fn block(&mut self, block: PcapBlockOwned<'_>) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.link = header.network;
                self.fraction = if header.is_nanosecond_precision() {
                    1
                } else {
                    1_000
                };
            }
            PcapBlockOwned::Legacy(packet) => {
                let nanos = packet.ts_usec.saturating_mul(self.fraction);
                let stamp = Duration::new(u64::from(packet.ts_sec), nanos);
                self.frame(self.link, stamp, packet.data);
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                let resolution = interface.ts_resolution().unwrap_or(1_000_000);
                let offset = interface.ts_offset();
                self.interfaces
                    .push((interface.linktype, resolution, offset));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let at = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let Some((link, resolution, offset)) = self.interfaces.get(at).copied() else {
                    return self.skip();
                };
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let stamp = stamp(ticks, resolution, offset);
                let length = usize::try_from(packet.caplen).unwrap_or(usize::MAX);
                let data = packet.data.get(..length).unwrap_or(packet.data);
                self.frame(link, stamp, data);
            }
            PcapBlockOwned::NG(_) => {}
        }
    }

    fn skip(&mut self) {
        self.capture.skipped = self.capture.skipped.saturating_add(1);
    }

    fn frame(&mut self, link: Linktype, stamp: Duration, data: &[u8]) {
        if !self.started {
            self.started = true;
            self.capture.epoch = stamp;
        }
        match sliced(link, data) {
            Some(packet) => self.packet(stamp, &packet),
            None => self.skip(),
        }
    }

    fn packet(&mut self, stamp: Duration, packet: &SlicedPacket<'_>) {
        let whole = self.fragments.process_sliced_packet(packet, stamp, ());
        let Some((source, target)) = addresses(packet) else {
            return self.skip();
        };
        match (&packet.transport, whole) {
            (Some(TransportSlice::Udp(udp)), _) => {
                let source = SocketAddr::new(source, udp.source_port());
                let target = SocketAddr::new(target, udp.destination_port());
                self.datagram(stamp, source, target, udp.payload());
            }
            (Some(TransportSlice::Tcp(tcp)), _) => {
                let source = SocketAddr::new(source, tcp.source_port());
                let target = SocketAddr::new(target, tcp.destination_port());
                let (sequence, payload) = (tcp.sequence_number(), tcp.payload());
                self.segment(stamp, (source, target), (sequence, tcp.syn()), payload);
            }
            // The last fragment of a datagram.
            (None, Ok(Some(whole))) => {
                let payload = &whole.payload;
                let Ok(udp) = etherparse::UdpSlice::from_slice(payload) else {
                    return self.skip();
                };
                let source = SocketAddr::new(source, udp.source_port());
                let target = SocketAddr::new(target, udp.destination_port());
                self.datagram(stamp, source, target, udp.payload());
            }
            // A fragment that waits for others.
            (None, Ok(None)) if is_fragment(packet) => {}
            (None | Some(_), _) => self.skip(),
        }
    }

    fn datagram(
        &mut self,
        stamp: Duration,
        source: SocketAddr,
        target: SocketAddr,
        payload: &[u8],
    ) {
        match is_sip(payload) {
            true => self.message(stamp, Transport::Udp, (source, target), payload),
            false => self.skip(),
        }
    }

    fn message(
        &mut self,
        stamp: Duration,
        transport: Transport,
        (source, target): (SocketAddr, SocketAddr),
        bytes: &[u8],
    ) {
        let elapsed = stamp.saturating_sub(self.capture.epoch);
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let bytes = Bytes::copy_from_slice(bytes);
        let at = Time::from_nanos(nanos);
        let packet = Packet::new(at, transport, source, target, bytes);
        self.capture.trace.packet(packet);
    }

    /// Segments in their order, cut into messages.
    fn segment(
        &mut self,
        stamp: Duration,
        between: (SocketAddr, SocketAddr),
        (sequence, syn): (u32, bool),
        payload: &[u8],
    ) {
        let stream = self.streams.entry(between).or_default();
        if syn {
            *stream = Stream {
                next: Some(sequence.wrapping_add(1)),
                ..Stream::default()
            };
        }
        if payload.is_empty() {
            return;
        }
        if stream.next.is_none() && !is_sip(payload) {
            // The capture began in the middle of a message, or this is not SIP.
            return self.skip();
        }
        let messages = stream.take(sequence, payload);
        for message in messages {
            self.message(stamp, Transport::Tcp, between, &message);
        }
    }
}

impl Stream {
    fn take(&mut self, sequence: u32, payload: &[u8]) -> Vec<Bytes> {
        let next = *self.next.get_or_insert(sequence);
        if after(sequence, next) || sequence == next {
            self.waiting
                .push((sequence, Bytes::copy_from_slice(payload)));
        }
        if self.waiting.len() > MOST_WAITING {
            // What is missing was not captured.
            let first = self.waiting.iter().map(|(at, _)| *at);
            self.next = first.min_by_key(|at| at.wrapping_sub(next));
            self.decoder = StreamDecoder::new();
        }
        let mut messages = Vec::new();
        while let Some(segment) = self.pull() {
            if self.decoder.is_lost() {
                self.decoder = StreamDecoder::new();
            }
            if !self.decoder.is_within_message() && !is_sip(&segment) && segment.len() > 4 {
                continue;
            }
            self.decoder.feed(&segment);
            while let Some(Ok(frame)) = self.decoder.next(&Limits::DEFAULT) {
                if let Frame::Message(message) = frame {
                    messages.push(message);
                }
            }
        }
        messages
    }

    /// The next segment in order.
    fn pull(&mut self) -> Option<Bytes> {
        let next = self.next?;
        let at = self.waiting.iter().position(|(at, _)| *at == next)?;
        let (_, segment) = self.waiting.swap_remove(at);
        let length = u32::try_from(segment.len()).unwrap_or_default();
        let next = next.wrapping_add(length);
        self.next = Some(next);
        self.waiting
            .retain(|(at, _)| *at == next || after(*at, next));
        Some(segment)
    }
}

/// Whether a sequence number comes after another.
fn after(sequence: u32, next: u32) -> bool {
    sequence != next && sequence.wrapping_sub(next) < 1 << 31
}

/// Whether it begins as a message does.
fn is_sip(payload: &[u8]) -> bool {
    let line = payload.split(|b| *b == b'\r').next().unwrap_or_default();
    line.starts_with(b"SIP/2.0 ") || (line.ends_with(b" SIP/2.0") && line.len() < payload.len())
}

fn sliced(link: Linktype, data: &[u8]) -> Option<SlicedPacket<'_>> {
    match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(data).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => SlicedPacket::from_ip(data).ok(),
        Linktype::LINUX_SLL => SlicedPacket::from_linux_sll(data).ok(),
        // Four bytes for the family; twenty of the second Linux form.
        Linktype::NULL | Linktype::LOOP => SlicedPacket::from_ip(data.get(4..)?).ok(),
        Linktype(276) => SlicedPacket::from_ip(data.get(20..)?).ok(),
        Linktype(_) => None,
    }
}

fn addresses(packet: &SlicedPacket<'_>) -> Option<(IpAddr, IpAddr)> {
    match packet.net.as_ref()? {
        NetSlice::Ipv4(v4) => {
            let header = v4.header();
            let (source, target) = (header.source_addr(), header.destination_addr());
            Some((source.into(), target.into()))
        }
        NetSlice::Ipv6(v6) => {
            let header = v6.header();
            let (source, target) = (header.source_addr(), header.destination_addr());
            Some((source.into(), target.into()))
        }
        NetSlice::Arp(_) => None,
    }
}

fn is_fragment(packet: &SlicedPacket<'_>) -> bool {
    packet
        .net
        .as_ref()
        .and_then(NetSlice::ip_payload_ref)
        .is_some_and(|payload| payload.fragmented)
}

/// Ticks of an interface's clock.
fn stamp(ticks: u64, resolution: u64, offset: i64) -> Duration {
    let resolution = resolution.max(1);
    let secs = ticks.checked_div(resolution).unwrap_or_default();
    let rest = ticks.checked_rem(resolution).unwrap_or_default();
    let nanos = u128::from(rest)
        .saturating_mul(1_000_000_000)
        .checked_div(u128::from(resolution))
        .unwrap_or_default();
    let nanos = u32::try_from(nanos).unwrap_or_default();
    Duration::new(secs.saturating_add_signed(offset), nanos)
}

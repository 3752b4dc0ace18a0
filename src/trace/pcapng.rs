//! A capture file that Wireshark and its like read: pcapng, one message a record.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use etherparse::{PacketBuilder, PacketBuilderStep};

use super::{Fate, Packet, Trace};

/// What a UDP datagram over IPv4 can hold.
const LONGEST: usize = 65_507;

/// The numbers of pcapng: blocks, options, and the link type of bare IP packets.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const COMMENT: u16 = 1;
const TIMESTAMP_RESOLUTION: u16 = 9;
const LINK_TYPE_RAW: u16 = 101;

impl Trace {
    /// A pcapng file with the packets, one message a record; `epoch` is how long after the Unix epoch
    /// the trace's clock read zero.
    ///
    /// Packets that were lost or went nowhere are there, with a comment. What went over TLS or
    /// WebSocket stands there as if it had gone over TCP. A message that is too long for one IP
    /// packet is cut short.
    pub fn pcapng(&self, epoch: Duration) -> Vec<u8> {
        let mut file = Vec::new();
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend([1, 0, 0, 0]);
        section.extend((-1_i64).to_le_bytes());
        put_block(&mut file, SECTION_HEADER, &section);
        let mut interface = Vec::new();
        interface.extend(LINK_TYPE_RAW.to_le_bytes());
        interface.extend([0; 6]);
        // Nanoseconds.
        put_option(&mut interface, TIMESTAMP_RESOLUTION, &[9]);
        interface.extend([0; 4]);
        put_block(&mut file, INTERFACE, &interface);
        let mut streams = Streams::default();
        for packet in self.packets() {
            put_packet(&mut file, packet, epoch, &mut streams);
        }
        file
    }
}

/// How many bytes went over each stream, for sequence numbers.
#[derive(Default)]
struct Streams(BTreeMap<(SocketAddr, SocketAddr), u32>);

fn put_packet(file: &mut Vec<u8>, packet: &Packet, epoch: Duration, streams: &mut Streams) {
    let data = ip_packet(packet, streams);
    let at = epoch.saturating_add(Duration::from_nanos(packet.at.as_nanos()));
    let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut block = Vec::new();
    block.extend(0_u32.to_le_bytes());
    block.extend(((nanos >> 32) as u32).to_le_bytes());
    block.extend((nanos as u32).to_le_bytes());
    block.extend(length.to_le_bytes());
    block.extend(length.to_le_bytes());
    block.extend(&data);
    pad(&mut block);
    let comment: &[u8] = match packet.fate {
        Fate::Carried => b"",
        Fate::Lost => b"lost on the way",
        Fate::Refused => b"never sent",
        Fate::Nowhere => b"nobody is there",
    };
    if !comment.is_empty() {
        put_option(&mut block, COMMENT, comment);
        block.extend([0; 4]);
    }
    put_block(file, ENHANCED_PACKET, &block);
}

/// The message with the headers below it.
fn ip_packet(packet: &Packet, streams: &mut Streams) -> Vec<u8> {
    let (source, target) = (packet.source, packet.target);
    let payload = packet.bytes.get(..LONGEST.min(packet.bytes.len()));
    let payload = payload.unwrap_or_default();
    let ip = match (source.ip().to_canonical(), target.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            PacketBuilder::ipv4(source.octets(), target.octets(), 64)
        }
        (source, target) => PacketBuilder::ipv6(octets(source), octets(target), 64),
    };
    let (from, to) = (source.port(), target.port());
    if !packet.transport.is_reliable() {
        return written(ip.udp(from, to), payload);
    }
    let seen = streams.0.get(&(target, source)).copied().unwrap_or(1);
    let next = streams.0.entry((source, target)).or_insert(1);
    let header = ip.tcp(from, to, *next, u16::MAX).ack(seen).psh();
    *next = next.wrapping_add(payload.len() as u32);
    written(header, payload)
}

/// Either kind of packet; writing to a vector cannot fail, and the length fits.
fn written<T: Complete>(step: T, payload: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let _ = step.complete(&mut data, payload);
    data
}

/// The last step of building a packet.
trait Complete {
    fn complete(
        self,
        data: &mut Vec<u8>,
        payload: &[u8],
    ) -> Result<(), etherparse::err::packet::BuildWriteError>;
}

macro_rules! complete {
    ($($header:ty),*) => {$(
        impl Complete for PacketBuilderStep<$header> {
            fn complete(
                self,
                data: &mut Vec<u8>,
                payload: &[u8],
            ) -> Result<(), etherparse::err::packet::BuildWriteError> {
                self.write(data, payload)
            }
        }
    )*};
}

complete!(etherparse::UdpHeader, etherparse::TcpHeader);

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn put_option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend(code.to_le_bytes());
    block.extend((value.len() as u16).to_le_bytes());
    block.extend(value);
    pad(block);
}

fn put_block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = u32::try_from(body.len())
        .unwrap_or(u32::MAX)
        .saturating_add(12);
    file.extend(kind.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(body);
    file.extend(length.to_le_bytes());
}

/// Everything stands at multiples of four.
fn pad(block: &mut Vec<u8>) {
    while !block.len().is_multiple_of(4) {
        block.push(0);
    }
}

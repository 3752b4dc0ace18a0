//! m= lines and their attributes: what they say, and how they are written.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use sdp_types::Media;

use super::{Codec, Direction};

/// An m= line with port 0.
pub(super) fn bare(kind: &str, proto: &str, formats: &str) -> Media {
    Media {
        media: kind.to_owned(),
        port: 0,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: formats.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// a=rtpmap and a=fmtp.
pub(super) fn name_formats(media: &mut Media, codecs: &[Codec]) {
    for codec in codecs {
        let Codec {
            payload,
            encoding,
            parameters,
        } = codec;
        media.add_attribute_with_value("rtpmap", format!("{payload} {encoding}"));
        if let Some(parameters) = parameters {
            media.add_attribute_with_value("fmtp", format!("{payload} {parameters}"));
        }
    }
}

pub(super) fn printed(session: &sdp_types::Session) -> Bytes {
    let mut text = Vec::new();
    // A vector takes everything.
    let _ = session.write(&mut text);
    text.into()
}

pub(super) fn formats(codecs: &[Codec]) -> String {
    let all: Vec<String> = codecs
        .iter()
        .map(|codec| codec.payload.to_string())
        .collect();
    all.join(" ")
}

/// The formats of an m= line that are among `known`, in its order and with its numbers (6.1).
pub(super) fn common(media: &Media, known: &[Codec]) -> Vec<Codec> {
    let one = |format: &str| {
        let payload = format.parse().ok()?;
        let encoding = encoding(media, format, payload)?;
        let codec = known.iter().find(|codec| codec.is(encoding))?;
        Some(Codec {
            payload,
            ..codec.clone()
        })
    };
    media.fmt.split_ascii_whitespace().filter_map(one).collect()
}

/// What the payload numbers of an m= line mean.
pub(super) fn mapped(media: &Media) -> impl Iterator<Item = (u8, &str)> {
    let one = |format| {
        let payload = str::parse(format).ok()?;
        Some((payload, encoding(media, format, payload)?))
    };
    media.fmt.split_ascii_whitespace().filter_map(one)
}

/// By a=rtpmap, or the static numbers of RFC 3551 section 6.
fn encoding<'a>(media: &'a Media, format: &str, payload: u8) -> Option<&'a str> {
    let mut maps = media.attributes.iter().filter(|a| a.attribute == "rtpmap");
    let mapped = maps.find_map(|a| {
        let (number, encoding) = a.value.as_deref()?.split_once(' ')?;
        (number == format).then_some(encoding.trim())
    });
    mapped.or(match payload {
        0 => Some("PCMU/8000"),
        3 => Some("GSM/8000"),
        4 => Some("G723/8000"),
        8 => Some("PCMA/8000"),
        9 => Some("G722/8000"),
        18 => Some("G729/8000"),
        26 => Some("JPEG/90000"),
        31 => Some("H261/90000"),
        32 => Some("MPV/90000"),
        34 => Some("H263/90000"),
        _ => None,
    })
}

/// 5.1: of the m= line, or of the session, or both ways.
pub(super) fn direction(session: &sdp_types::Session, media: &Media) -> Direction {
    let own = Direction::among(&media.attributes);
    let said = own.or_else(|| Direction::among(&session.attributes));
    said.unwrap_or_default()
}

/// 8.4: who names 0.0.0.0 is sent nothing. What is answered still follows its a= line
/// (RFC 6337 5.4).
pub(super) fn is_nowhere(session: &sdp_types::Session, media: &Media) -> bool {
    address(session, media) == Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn address(session: &sdp_types::Session, media: &Media) -> Option<IpAddr> {
    let connection = media.connections.first().or(session.connection.as_ref())?;
    connection.connection_address.parse().ok()
}

pub(super) fn remote(session: &sdp_types::Session, media: &Media) -> Option<(IpAddr, u16)> {
    let address = address(session, media).filter(|address| !address.is_unspecified())?;
    Some((address, media.port))
}

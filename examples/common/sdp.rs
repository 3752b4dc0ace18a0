//! A plausible session description: G.711 audio that goes nowhere.

use std::fmt::Write;
use std::net::IpAddr;

use drongo::message::Body;

/// An offer of G.711 audio at this address.
pub(crate) fn offer(media: (IpAddr, u16)) -> Body {
    described(media, 1, "sendrecv")
}

/// The same, and nothing is listened to (RFC 3264 8.4).
pub(crate) fn hold(media: (IpAddr, u16)) -> Body {
    described(media, 2, "sendonly")
}

/// The same as a new version.
pub(crate) fn again(media: (IpAddr, u16)) -> Body {
    described(media, 3, "sendrecv")
}

fn described(media: (IpAddr, u16), version: u8, direction: &str) -> Body {
    let text = session(media.0);
    let mut text = text.replacen("o=- 1 1 ", &format!("o=- 1 {version} "), 1);
    let _ = write!(
        text,
        "m=audio {} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n",
        media.1
    );
    Body::sdp(text)
}

/// The answer to an offer: the first audio stream with G.711 is taken, all others are refused
/// (RFC 3264 6). An offer where there is none to answer; nothing for what is not SDP.
pub(crate) fn answer(sdp: &[u8], media: (IpAddr, u16)) -> Option<Body> {
    if sdp.is_empty() {
        return Some(offer(media));
    }
    let text = String::from_utf8_lossy(sdp);
    if !text.starts_with("v=0") {
        return None;
    }
    let mut answer = session(media.0);
    let mut taken = false;
    for line in text.lines().filter_map(|line| line.strip_prefix("m=")) {
        let mut words = line.split_ascii_whitespace();
        let (kind, _, protocol) = (words.next()?, words.next()?, words.next()?);
        let formats: Vec<&str> = words.collect();
        let chosen = ["0", "8"]
            .into_iter()
            .find(|format| formats.contains(format));
        let takes = !taken && kind == "audio" && protocol == "RTP/AVP";
        match chosen.filter(|_| takes) {
            Some(format) => {
                taken = true;
                let codec = if format == "0" { "PCMU" } else { "PCMA" };
                let _ = write!(
                    answer,
                    "m=audio {} RTP/AVP {format}\r\na=rtpmap:{format} {codec}/8000\r\na=sendrecv\r\n",
                    media.1
                );
            }
            // A refused stream keeps its place, with port 0.
            None => {
                let format = formats.first().copied().unwrap_or("0");
                let _ = write!(answer, "m={kind} 0 {protocol} {format}\r\n");
            }
        }
    }
    Some(Body::sdp(answer))
}

fn session(ip: IpAddr) -> String {
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!("v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n")
}

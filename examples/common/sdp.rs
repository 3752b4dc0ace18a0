//! A plausible session description: G.711 audio that goes nowhere.

use std::fmt::Write;
use std::net::IpAddr;

use drongo::message::Body;

/// The o= line before its version is known.
const ORIGIN: &str = "o=- 1 0 ";

/// What one side has said in a call: the version rises by one with each change (RFC 3264 8).
#[derive(Default)]
pub(crate) struct Said {
    version: u32,
    text: String,
}

impl Said {
    /// The description as it is to be said now.
    pub(crate) fn body(&mut self, text: String) -> Body {
        if self.text != text {
            self.version += 1;
            self.text = text;
        }
        let origin = format!("o=- 1 {} ", self.version);
        Body::sdp(self.text.replacen(ORIGIN, &origin, 1))
    }
}

/// An offer of G.711 audio at this address.
pub(crate) fn offer(media: (IpAddr, u16)) -> String {
    described(media, "sendrecv")
}

/// The same, and nothing is listened to (RFC 3264 8.4).
pub(crate) fn hold(media: (IpAddr, u16)) -> String {
    described(media, "sendonly")
}

fn described(media: (IpAddr, u16), direction: &str) -> String {
    let mut text = session(media.0, "t=0 0\r\n");
    let _ = write!(
        text,
        "m=audio {} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n",
        media.1
    );
    text
}

/// The answer to an offer: the first audio stream with G.711 is taken, all others are refused
/// (RFC 3264 6). An offer where there is none to answer; nothing for what is not SDP.
pub(crate) fn answer(sdp: &[u8], media: (IpAddr, u16)) -> Option<String> {
    if sdp.is_empty() {
        return Some(offer(media));
    }
    let text = String::from_utf8_lossy(sdp);
    if !text.starts_with("v=0") {
        return None;
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut sections = lines.split(|line| line.starts_with("m="));
    let head = sections.next().unwrap_or_default();
    let times = head.iter().filter(|line| line.starts_with("t="));
    let times: String = times.map(|line| format!("{line}\r\n")).collect();
    let mut answer = session(media.0, &times);
    let mut taken = false;
    let streams = lines.iter().filter_map(|line| line.strip_prefix("m="));
    for (stream, attributes) in streams.zip(sections) {
        let mut words = stream.split_ascii_whitespace();
        let (kind, port, protocol) = (words.next()?, words.next()?, words.next()?);
        let formats: Vec<&str> = words.collect();
        let chosen = ["0", "8"]
            .into_iter()
            .find(|format| formats.contains(format));
        let is_open = port.split('/').next() != Some("0");
        let takes = !taken && is_open && kind == "audio" && protocol == "RTP/AVP";
        match chosen.filter(|_| takes) {
            Some(format) => {
                taken = true;
                let codec = if format == "0" { "PCMU" } else { "PCMA" };
                let direction = other_way(attributes).or_else(|| other_way(head));
                let direction = direction.unwrap_or("sendrecv");
                let _ = write!(
                    answer,
                    "m=audio {} RTP/AVP {format}\r\na=rtpmap:{format} {codec}/8000\r\na={direction}\r\n",
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
    Some(answer)
}

/// The direction that answers the one said here (RFC 3264 6.1).
fn other_way(lines: &[&str]) -> Option<&'static str> {
    lines.iter().find_map(|line| match *line {
        "a=sendrecv" => Some("sendrecv"),
        "a=sendonly" => Some("recvonly"),
        "a=recvonly" => Some("sendonly"),
        "a=inactive" => Some("inactive"),
        _ => None,
    })
}

fn session(ip: IpAddr, times: &str) -> String {
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!("v=0\r\n{ORIGIN}IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\n{times}")
}

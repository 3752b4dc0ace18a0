//! The answer that refuses every stream of an offer (RFC 3264 6): what is owed where an offer came
//! in a response, which cannot be refused (RFC 3261 13.2.2.4; RFC 6337 5.2.4).

use alloc::vec::Vec;

use super::description::session_of;
use crate::limits::Limits;
use crate::message::{Body, Message, Name};

/// The answer to the offer in a message with each stream at port 0; `None` if it has none that is
/// SDP.
///
/// Of the offer it says the streams and the times again, as it must; its lines are not read
/// further.
pub(super) fn declining(message: &Message, limits: &Limits) -> Option<Body> {
    let offer = session_of(message, limits)?;
    let mut lines = offer
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    if lines.next() != Some(b"v=0") {
        return None;
    }
    let mut times: Vec<&[u8]> = Vec::new();
    let mut streams = Vec::new();
    for line in lines {
        if line.starts_with(b"t=") {
            times.push(line);
        } else if let Some(stream) = line.strip_prefix(b"m=") {
            streams.push(without_port(stream)?);
        }
    }
    if times.is_empty() {
        times.push(b"t=0 0");
    }
    let id = session_id(message);
    let origin = alloc::format!("v=0\r\no=- {id} 0 IN IP4 0.0.0.0\r\n");
    let mut text = origin.into_bytes();
    text.extend_from_slice(b"s=-\r\nc=IN IP4 0.0.0.0\r\n");
    for line in times.into_iter().chain(streams.iter().map(Vec::as_slice)) {
        text.extend_from_slice(line);
        text.extend_from_slice(b"\r\n");
    }
    Some(Body::sdp(text))
}

/// RFC 3264 5: a session is told from others by its o= line. It has no other here than its dialog's,
/// and one number each (FNV-1a of Call-ID and To tag, under 2^62).
fn session_id(message: &Message) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let parts = [Name::CallId, Name::To].map(|name| message.first(name).unwrap_or_default());
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    parts.concat().iter().fold(BASIS, mix) >> 2
}

/// `media port proto fmt …`, with port 0.
fn without_port(stream: &[u8]) -> Option<Vec<u8>> {
    let mut words = stream.splitn(3, |byte| *byte == b' ');
    let (media, _, rest) = (words.next()?, words.next()?, words.next()?);
    Some([b"m=", media, b" 0 ", rest].concat())
}

#[cfg(test)]
mod tests {
    use super::declining;
    use crate::limits::Limits;
    use crate::message::{Body, Builder, Message, parse};

    fn message(body: Body) -> Message {
        let builder = Builder::request("INVITE", "sip:bob@example.com")
            .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
            .header("Max-Forwards", "70")
            .header("From", "<sip:a@example.com>;tag=1")
            .header("To", "<sip:b@example.com>")
            .header("Call-ID", "1")
            .header("CSeq", "1 INVITE");
        match parse(builder.body(body).build().unwrap(), &Limits::DEFAULT) {
            Ok(crate::message::Incoming::Request(request)) => request.message().clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_stream_is_refused_in_the_order_of_the_offer() {
        let offer = "v=0\r\no=bob 2 7 IN IP4 192.0.2.4\r\ns= \r\nc=IN IP4 192.0.2.4\r\n\
                     t=10 20\r\nm=audio 49170 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n\
                     m=video 5000/2 RTP/AVP 31\r\n";
        let answer = declining(&message(Body::sdp(offer)), &Limits::DEFAULT).unwrap();
        assert_eq!(answer.content_type(), "application/sdp");
        // 3264-6-03
        let text = core::str::from_utf8(answer.bytes()).unwrap();
        let (_, rest) = text.split_once("o=- ").unwrap();
        let (id, _) = rest.split_once(' ').unwrap();
        // 3264-5-02
        assert!((1..1 << 62).contains(&id.parse::<u64>().unwrap()));
        assert_eq!(
            text.replacen(id, "1", 1),
            "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=10 20\r\n\
             m=audio 0 RTP/AVP 0 8\r\nm=video 0 RTP/AVP 31\r\n"
        );
    }

    #[test]
    fn what_is_no_sdp_has_no_answer() {
        for offer in ["", "offer", "m=audio 1 RTP/AVP 0", "v=0\r\nm=audio\r\n"] {
            let found = declining(&message(Body::sdp(offer)), &Limits::DEFAULT);
            assert_eq!(found, None, "{offer}");
        }
        let other = message(Body::new("text/plain", "v=0\r\n").unwrap());
        assert_eq!(declining(&other, &Limits::DEFAULT), None);
    }
}

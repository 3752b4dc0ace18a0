//! What must hold for any bytes. Each function is the oracle of the fuzz target of its name, and
//! `fuzz_corpus` replays what the fuzzer kept.

use std::time::{Duration, Instant};

use bytes::Bytes;
use drongo::limits::Limits;
use drongo::message::{
    Body, CSeq, ContactValue, ContentType, Edit, Host, Incoming, Message, Name, NameAddr, Params,
    RAck, Reply, RetryAfter, SipUri, StatusCode, TelUri, Timestamp, Tokens, Uri, Via, call_id_of,
    parse as read, percent_decode, split_call_ids, split_commas, unquote,
};

/// Nothing panics; an error says where, and what it says to answer can be written.
pub(crate) fn parse(bytes: &[u8]) {
    match read(Bytes::copy_from_slice(bytes), &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => {
            assert!(request.message().count(Name::From) == 1);
            let _ = (
                request.top_via(),
                request.from(),
                request.to(),
                request.uri(),
            );
            assert_eq!(request.branch(), request.top_via().branch());
            assert_eq!(request.from_tag(), request.from().tag());
            assert_eq!(request.to_tag(), request.to().tag());
            assert_eq!(request.cseq().method.as_str(), request.method().as_str());
            // Who hands messages over by Call-ID does not parse them.
            assert_eq!(call_id_of(bytes).map(text), Some(request.call_id()));
            answer(&Reply::new(&request), StatusCode::OK);
        }
        Ok(Incoming::Response(response)) => {
            assert_eq!(response.branch(), response.top_via().branch());
            let _ = (response.cseq(), response.reason());
            assert_eq!(call_id_of(bytes).map(text), Some(response.call_id()));
        }
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            if let (Some(status), Some(mut reply)) = (error.status, error.reply) {
                reply.stamp_source(([192, 0, 2, 1], 5060).into());
                answer(&reply, status);
            }
        }
    }
}

/// As the essentials are told: what is no UTF-8 is nothing.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

fn answer(reply: &Reply, status: StatusCode) {
    let headers = drongo::message::HeaderList::new();
    let answer = reply.write(status, None, Some("tag"), &headers, None);
    assert!(Message::parse(answer).is_ok_and(|answer| !answer.is_request()));
}

/// A message is written as it came, and read again it is the same.
pub(crate) fn round_trip(bytes: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let written = Edit::new(&message).write();
    assert_eq!(&written, message.bytes());
    let again = Message::parse(written).expect("it was read before");
    assert_eq!(again, message);
    assert!(again.headers().eq(message.headers()));
    assert_eq!(again.body(), message.body());
}

/// The fast lexer, the tolerant one and HTTP's see the same lines. A tab before the colon sends a
/// line to the tolerant lexer, and means nothing.
pub(crate) fn lexers(bytes: &[u8]) {
    let mut limits = Limits::DEFAULT;
    limits.message_bytes = usize::MAX;
    limits.header_line_bytes = usize::MAX;
    let Ok(message) = Message::parse_with(Bytes::copy_from_slice(bytes), &limits) else {
        return;
    };
    let mut tabbed = line_of(&message).to_vec();
    for header in message.headers() {
        for part in [header.raw_name, b"\t: ", header.value, b"\r\n"] {
            tabbed.extend_from_slice(part);
        }
    }
    tabbed.extend_from_slice(b"\r\n");
    tabbed.extend_from_slice(message.body_slice());
    let tolerant = Message::parse_with(tabbed.into(), &limits).expect("a tab means nothing");
    assert!(message.headers().eq(tolerant.headers()));
    assert_eq!(message.body(), tolerant.body());
    by_httparse(&message);
}

fn line_of(message: &Message) -> &[u8] {
    let end = memchr::memchr(b'\n', message.bytes()).map_or(0, |at| at.saturating_add(1));
    message.bytes().get(..end).unwrap_or_default()
}

fn by_httparse(message: &Message) {
    let bytes = message.bytes();
    let end = bytes.len().saturating_sub(message.body_slice().len());
    let block = bytes.get(line_of(message).len()..end).unwrap_or_default();
    let mut rows = vec![httparse::EMPTY_HEADER; 256];
    if let Ok(httparse::Status::Complete((_, rows))) = httparse::parse_headers(block, &mut rows) {
        let ours = message
            .headers()
            .map(|header| (header.raw_name, header.value));
        assert!(ours.eq(rows.iter().map(|row| (row.name.as_bytes(), row.value))));
    }
}

/// Typed values are read, written and read again as what they were. The first byte says which.
pub(crate) fn values(bytes: &[u8]) {
    macro_rules! written_alike {
        ($type:ident, $bytes:expr) => {
            if let Ok(value) = $type::parse($bytes) {
                let mut first = Vec::new();
                value.write_to(&mut first);
                assert!(!first.contains(&b'\r') && !first.contains(&b'\n'));
                let again = $type::parse(&first).expect("what was written can be read");
                let mut second = Vec::new();
                again.write_to(&mut second);
                assert_eq!(
                    first.escape_ascii().to_string(),
                    second.escape_ascii().to_string()
                );
            }
        };
    }
    macro_rules! printed_alike {
        ($type:ident, $bytes:expr) => {
            if let Ok(value) = $type::parse($bytes) {
                assert_eq!($type::parse(value.to_string().as_bytes()), Ok(value));
            }
        };
    }
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    match which % 12 {
        0 => written_alike!(NameAddr, bytes),
        1 => written_alike!(Via, bytes),
        2 => written_alike!(Uri, bytes),
        3 => written_alike!(Params, bytes),
        4 => written_alike!(ContentType, bytes),
        5 => written_alike!(RetryAfter, bytes),
        6 => written_alike!(ContactValue, bytes),
        7 => printed_alike!(CSeq, bytes),
        8 => printed_alike!(RAck, bytes),
        9 => printed_alike!(Timestamp, bytes),
        10 => printed_alike!(Host, bytes),
        _ => same_with_a_space(bytes),
    }
}

/// A space in front means nothing, and sends a value to the full reader.
fn same_with_a_space(bytes: &[u8]) {
    let spaced = [b" ", bytes].concat();
    match (NameAddr::parse(bytes), NameAddr::parse(&spaced)) {
        (Ok(a), Ok(b)) => assert!(a == b && a.tag() == b.tag()),
        (a, b) => assert_eq!(a.map_err(|e| e.kind), b.map_err(|e| e.kind)),
    }
    match (Via::parse(bytes), Via::parse(&spaced)) {
        (Ok(a), Ok(b)) => assert!(a == b && a.branch() == b.branch()),
        (a, b) => assert_eq!(a.map_err(|e| e.kind), b.map_err(|e| e.kind)),
    }
    match (CSeq::parse(bytes), CSeq::parse(&spaced)) {
        (Ok(a), Ok(b)) => assert_eq!(a, b),
        (a, b) => assert_eq!(a.map_err(|e| e.kind), b.map_err(|e| e.kind)),
    }
}

/// Equivalence of URIs is reflexive and symmetric, and a round trip keeps it. A line feed stands
/// between two URIs.
pub(crate) fn uris(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |&b| b == b'\n');
    let (first, second) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let (Ok(a), Ok(b)) = (Uri::parse(first), Uri::parse(second)) else {
        return;
    };
    assert!(a.equivalent(&a) && b.equivalent(&b), "not reflexive");
    assert_eq!(a.equivalent(&b), b.equivalent(&a), "not symmetric");
    let copy = a.to_buf();
    assert!(
        copy.as_uri() == a && copy.as_uri().equivalent(&a),
        "changed by a copy"
    );
    assert_eq!(copy.as_uri().equivalent(&b), a.equivalent(&b));
    let in_brackets = [b"<", first, b">"].concat();
    let address = NameAddr::parse(&in_brackets).expect("a URI stands in brackets");
    assert_eq!(address.uri(), a);
}

/// After any edits the message is one, and what was not named is as it was. Two bytes say what to
/// edit; the message follows.
pub(crate) fn edits(bytes: &[u8]) {
    const NAMES: [Name; 8] = [
        Name::Via,
        Name::Route,
        Name::RecordRoute,
        Name::MaxForwards,
        Name::Contact,
        Name::Subject,
        Name::ContentType,
        Name::Event,
    ];
    let [steps, which, text @ ..] = bytes else {
        return;
    };
    let Ok(message) = Message::parse(Bytes::copy_from_slice(text)) else {
        return;
    };
    let mut edit = Edit::new(&message);
    let mut changed = Vec::new();
    for step in 0..usize::from(steps % 4).saturating_add(1) {
        let choice = usize::from(*which).saturating_add(step.saturating_mul(3));
        let name = NAMES.get(choice % 8).copied().unwrap_or(Name::Via);
        changed.push(name);
        match choice / 8 % 5 {
            0 => drop(edit.push_first(name, b"<sip:pushed>").expect("a value")),
            1 => drop(edit.set(name, b"<sip:set>").expect("a value")),
            2 => drop(edit.remove(name)),
            3 => drop(edit.remove_first_value(name)),
            _ => {
                changed.extend([Name::ContentType, Name::ContentLength]);
                edit.set_body(Some(Body::sdp("v=0\r\n")));
            }
        }
    }
    let written = edit.write();
    let mut limits = Limits::DEFAULT;
    limits.headers = usize::MAX;
    limits.message_bytes = usize::MAX;
    let again = Message::parse_with(written, &limits).expect("an edited message is one");
    let kept = |message: &Message| -> Vec<(Vec<u8>, Vec<u8>)> {
        let others = message
            .headers()
            .filter(|header| !changed.contains(&header.name));
        others
            .map(|header| (header.raw_name.to_vec(), header.value.to_vec()))
            .collect()
    };
    assert_eq!(kept(&again), kept(&message));
    if changed.contains(&Name::ContentLength) {
        assert_eq!(again.body(), "v=0\r\n");
    } else {
        assert_eq!(again.body(), message.body());
    }
}

/// Messages of 32 and of 64 KiB that repeat the input. The first byte says where it stands.
fn repeated(bytes: &[u8]) -> Option<(Bytes, Bytes)> {
    const LENGTH: usize = 32 * 1024;
    let (place, unit) = bytes.split_first().filter(|(_, unit)| !unit.is_empty())?;
    let of = |length: usize| {
        let repeated = unit.repeat((length / unit.len()).saturating_add(1));
        let name = [
            "",
            "Via: ",
            "From: ",
            "To: \"",
            "Contact: ",
            "To: <sip:a",
            "Call-ID: ",
        ];
        let name = name
            .get(usize::from(place % 7))
            .copied()
            .unwrap_or_default();
        let start = ["OPTIONS sip:a@b SIP/2.0\r\n", name].concat();
        Bytes::from([start.as_bytes(), &*repeated, b"\r\n\r\n"].concat())
    };
    Some((of(LENGTH), of(LENGTH.saturating_mul(2))))
}

/// What the inputs of the target `cost` make is read without a panic. How long it takes, a test does
/// not judge: see [`cost`].
#[allow(dead_code, reason = "the replay's")]
pub(crate) fn long(bytes: &[u8]) {
    if let Some((half, whole)) = repeated(bytes) {
        all(&half);
        all(&whole);
    }
}

/// Twice the input costs about twice the time, whatever is repeated. The first byte says where the
/// rest is repeated.
#[allow(dead_code, reason = "the fuzz target's, which may judge by time")]
pub(crate) fn cost(bytes: &[u8]) {
    let Some((half, whole)) = repeated(bytes) else {
        return;
    };
    // A machine that is busy with other things is given another chance.
    for _ in 0..50 {
        let bound = least(&half)
            .saturating_mul(3)
            .saturating_add(Duration::from_millis(2));
        if least(&whole) < bound {
            return;
        }
    }
    panic!("the cost grows faster than the input");
}

#[allow(clippy::disallowed_methods, reason = "time is what is measured")]
fn least(bytes: &Bytes) -> Duration {
    let times = (0..3).map(|_| {
        let start = Instant::now();
        all(bytes);
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

/// Reads all that can be read, with limits that stop nothing.
fn all(bytes: &Bytes) {
    let mut limits = Limits::DEFAULT;
    limits.message_bytes = usize::MAX;
    limits.start_line_bytes = usize::MAX;
    limits.headers = usize::MAX;
    limits.header_line_bytes = usize::MAX;
    drop(read(bytes.clone(), &Limits::DEFAULT));
    drop(read(bytes.clone(), &limits));
    let Ok(message) = Message::parse_with(bytes.clone(), &limits) else {
        return;
    };
    let Some(value) = message.headers().next().map(|header| header.value) else {
        return;
    };
    let _ = (
        NameAddr::parse(value),
        Via::parse(value),
        Params::parse(value),
    );
    let _ = (
        SipUri::parse(value),
        TelUri::parse(value),
        ContentType::parse(value),
    );
    let _ = (
        RetryAfter::parse(value),
        unquote(value),
        percent_decode(value),
    );
    let _ = (split_commas(value).count(), split_call_ids(value).count());
    let _ = (
        Tokens::new(value).count(),
        message.vias().count(),
        message.contacts().count(),
    );
}

//! The call flows printed in RFC 3665 and RFC 5359 (`vectors/flows`): all of them are read and come
//! back as they were, but for the ones that are printed wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use drongo::limits::Limits;
use drongo::message::{FaultKind, Incoming, Message, Name, ParseErrorKind, parse};

/// What is printed wrong and cannot be read, and why not. `vectors/flows/README.md` says more.
const UNREADABLE: [(&str, ParseErrorKind); 11] = [
    ("rfc3665/3.10-f4", ParseErrorKind::HeaderName),
    ("rfc5359/2.1-f4", ParseErrorKind::HeaderName),
    ("rfc5359/2.1-f5", ParseErrorKind::HeaderName),
    ("rfc5359/2.10-f3", ParseErrorKind::Missing(Name::Via)),
    ("rfc5359/2.10-f6", ParseErrorKind::Missing(Name::Via)),
    ("rfc5359/2.2-f19", ParseErrorKind::HeaderName),
    ("rfc5359/2.2-f20", ParseErrorKind::HeaderName),
    ("rfc5359/2.2-f4", ParseErrorKind::HeaderName),
    ("rfc5359/2.2-f5", ParseErrorKind::HeaderName),
    ("rfc5359/2.7-f5", ParseErrorKind::HeaderName),
    ("rfc5359/2.7-f6", ParseErrorKind::HeaderName),
];

/// What is printed wrong in a value that can be ignored.
const MALFORMED: [(&str, Name); 3] = [
    ("rfc3665/2.1-f3", Name::Authorization),
    ("rfc5359/2.4-f11", Name::ReferredBy),
    ("rfc5359/2.4-f5", Name::ReferredBy),
];

#[test]
fn flows_are_read_but_for_those_printed_wrong() {
    let mut unreadable = BTreeMap::from(UNREADABLE);
    let mut malformed = Vec::new();
    let mut count = 0;
    for (name, bytes) in flows() {
        count += 1;
        let message = match parse(with_length(&bytes).into(), &Limits::DEFAULT) {
            Ok(Incoming::Request(request)) => Message::from(request),
            Ok(Incoming::Response(response)) => Message::from(response),
            Err(error) => {
                assert_eq!(unreadable.remove(name.as_str()), Some(error.kind), "{name}");
                continue;
            }
        };
        for fault in message.faults() {
            assert_eq!(fault.status, None, "{name}: {fault:?}");
            if let FaultKind::Malformed { name: header, .. } = fault.kind {
                malformed.push((name.clone(), header));
            }
        }
    }
    let malformed: Vec<_> = malformed
        .iter()
        .map(|(name, header)| (name.as_str(), *header))
        .collect();
    assert_eq!(malformed, MALFORMED);
    assert_eq!(unreadable, BTreeMap::new(), "these were read");
    assert_eq!(count, 178 + 324);
}

#[test]
fn a_length_of_three_dots_is_refused_as_printed() {
    let mut dotted = 0;
    for (name, bytes) in flows() {
        if with_length(&bytes) != bytes {
            let error = Message::parse(bytes.into()).unwrap_err();
            assert_eq!(error.kind, ParseErrorKind::ContentLength, "{name}");
            dotted += 1;
        }
    }
    // Two more stand behind the empty line after a start line.
    assert_eq!(dotted, 121);
}

/// Every message with its name, in the order of the names.
fn flows() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/flows");
    let mut found = Vec::new();
    for rfc in ["rfc3665", "rfc5359"] {
        for entry in fs::read_dir(root.join(rfc)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            found.push((format!("{rfc}/{stem}"), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// The message with the length of its body for three dots.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = format!("Content-Length: {}", body.len());
    let head = head.replace("Content-Length: ...", &length);
    format!("{head}\r\n\r\n{body}").into_bytes()
}

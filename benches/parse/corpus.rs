//! The messages.

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;

/// The `.sip` and `.dat` files below a directory that parse, in the order of their names.
pub(crate) fn files(directory: impl AsRef<Path>) -> Vec<Bytes> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut messages = Vec::new();
    for path in paths {
        if path.is_dir() {
            messages.extend(files(path));
        } else if path.extension().is_some_and(|e| e == "sip" || e == "dat") {
            let bytes = shared(std::fs::read(path).unwrap());
            let parsed = drongo::message::parse(bytes.clone(), &drongo::limits::Limits::DEFAULT);
            messages.extend(parsed.is_ok().then_some(bytes));
        }
    }
    messages
}

/// Messages that nobody wrote: names, order, lengths and parameters are drawn.
pub(crate) fn generated(count: u32) -> Vec<Bytes> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..count)
        .map(|_| shared(message(&mut random).into_bytes()))
        .collect()
}

/// Bytes whose clone costs next to nothing: each turn clones a datagram that in life arrives.
fn shared(bytes: Vec<u8>) -> Bytes {
    Bytes::from_static(bytes.leak())
}

fn message(random: &mut Random) -> String {
    const METHODS: [&str; 6] = ["INVITE", "OPTIONS", "BYE", "UPDATE", "SUBSCRIBE", "NEW.ONE"];
    const NAMES: [&str; 14] = [
        "Allow",
        "Supported",
        "User-Agent",
        "X-Trace-Context",
        "Accept",
        "P-Early-Media",
        "Date",
        "Organization",
        "Subject",
        "k",
        "Allow-Events",
        "Reply-To",
        "X-a",
        "X-b",
    ];
    let method = METHODS[random.below(6)];
    let mut text = if random.below(3) > 0 {
        format!("{method} {} SIP/2.0\r\n", uri(random))
    } else {
        format!("SIP/2.0 {} {}\r\n", 100 + random.below(500), random.word())
    };
    let mut lines = Vec::new();
    for _ in 0..=random.below(3) {
        let via = ["Via", "v", "VIA"][random.below(3)];
        let (host, branch, params) = (host(random), random.word(), params(random));
        lines.push(format!(
            "{via}: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{branch}{params}"
        ));
    }
    let tag = random.word();
    lines.push(format!(
        "From: {};tag={tag}{}",
        address(random),
        params(random)
    ));
    lines.push(format!(
        "{}: {}",
        ["To", "t"][random.below(2)],
        address(random)
    ));
    lines.push(format!("Call-ID: {}@{}", random.word(), host(random)));
    lines.push(format!("CSeq: {} {method}", random.below(1_000_000)));
    lines.push(format!("Max-Forwards: {}", 1 + random.below(70)));
    lines.push(format!("Contact: {}", address(random)));
    for _ in 0..random.below(10) {
        let value: Vec<_> = (0..1 + random.below(6)).map(|_| random.word()).collect();
        lines.push(format!("{}: {}", NAMES[random.below(14)], value.join(", ")));
    }
    for at in (1..lines.len()).rev() {
        lines.swap(at, random.below(at + 1));
    }
    for line in lines {
        write!(text, "{line}\r\n").unwrap();
    }
    text + "Content-Length: 0\r\n\r\n"
}

fn address(random: &mut Random) -> String {
    let uri = uri(random);
    match random.below(4) {
        0 => format!("<{uri}>"),
        1 => format!("{} <{uri}>", random.word()),
        2 => format!("\"{} {}\" <{uri}>", random.word(), random.word()),
        _ => format!("<{uri};x-{}={}>", random.word(), random.word()),
    }
}

fn uri(random: &mut Random) -> String {
    let (scheme, host) = (["sip", "sip", "sips"][random.below(3)], host(random));
    let tail = ["", ":5070", ";lr", ":5061;transport=tcp", ";user=phone"][random.below(5)];
    match random.below(4) {
        0 => format!("{scheme}:{host}{tail}"),
        _ => format!("{scheme}:{}@{host}{tail}", random.word()),
    }
}

fn host(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("192.0.2.{}", random.below(256)),
        1 => format!("{}.example.com", random.word()),
        _ => format!("[2001:db8::{:x}]", random.below(65_536)),
    }
}

fn params(random: &mut Random) -> String {
    (0..random.below(3))
        .map(|n| format!(";p{n}{}={}", random.word(), random.word()))
        .collect()
}

pub(crate) struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((high * end as u64) >> 32) as usize
    }

    /// A word of 1 to 20 letters and digits.
    fn word(&mut self) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..=self.below(20))
            .map(|at| char::from(LETTERS[self.below(if at == 0 { 26 } else { 36 })]))
            .collect()
    }
}

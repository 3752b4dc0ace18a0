//! Writing in one exact allocation: the same description is counted, then written.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use bytes::Bytes;
use smallvec::{Array, SmallVec};

use super::Name;
use super::print::unfolded;

/// Takes the bytes of a message in order.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    /// How many bytes it has taken.
    fn taken(&self) -> usize;
}

/// Something that can be written twice with the same bytes.
pub(crate) trait Emit {
    fn emit(&self, out: &mut dyn Put);

    /// The bytes, in one allocation of exactly their length.
    fn to_bytes(&self) -> Bytes {
        let mut length = Length(0);
        self.emit(&mut length);
        let mut bytes = Vec::with_capacity(length.0);
        self.emit(&mut bytes);
        debug_assert_eq!(bytes.len(), length.0, "counted and written alike");
        Bytes::from(bytes)
    }
}

/// Writes into room for that many bytes. More are taken too; what is left over is kept.
pub(crate) fn written(room: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = Vec::with_capacity(room);
    write(&mut bytes);
    Bytes::from(bytes)
}

/// Counts.
#[derive(Default)]
pub(crate) struct Length(pub(crate) usize);

impl Put for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }

    fn taken(&self) -> usize {
        self.0
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn taken(&self) -> usize {
        self.len()
    }
}

impl<A: Array<Item = u8>> Put for SmallVec<A> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn taken(&self) -> usize {
        self.len()
    }
}

/// A whole header line. A value that was folded comes out on one line, so no value can add a
/// line of its own.
pub(crate) fn line(out: &mut (impl Put + ?Sized), name: Name, value: &[u8]) {
    start_of_line(out, name);
    one_line(out, value);
    out.put(b"\r\n");
}

/// A value without its folds.
#[inline]
pub(crate) fn one_line(out: &mut (impl Put + ?Sized), value: &[u8]) {
    // To call for a search of a few bytes costs more than the search.
    let is_break = |b: &u8| matches!(*b, b'\r' | b'\n');
    let folded = match value.len() {
        0..16 => value.iter().any(is_break),
        _ => memchr::memchr2(b'\r', b'\n', value).is_some(),
    };
    match folded {
        false => out.put(value),
        true => unfolded(value, &mut |piece| out.put(piece)),
    }
}

/// `Name: `.
pub(crate) fn start_of_line(out: &mut (impl Put + ?Sized), name: Name) {
    out.put(name.as_str().as_bytes());
    out.put(b": ");
}

/// A number in decimal digits.
pub(crate) fn number(out: &mut (impl Put + ?Sized), number: u64) {
    out.put(digits(number, &mut [0; 20]));
}

/// An address in the dotted form.
pub(crate) fn ipv4(out: &mut (impl Put + ?Sized), address: Ipv4Addr) {
    // Each number with what fills its place, over which the next one is written.
    let (mut text, mut used) = ([0; 16], 0_usize);
    for octet in address.octets() {
        let number = OCTETS.get(usize::from(octet)).copied().unwrap_or_default();
        if let Some(place) = text.get_mut(used..).and_then(|rest| rest.first_chunk_mut()) {
            *place = number.text;
        }
        used = used.saturating_add(usize::from(number.len));
    }
    // Without the last dot.
    out.put(text.get(..used.saturating_sub(1)).unwrap_or_default());
}

/// A number of a dotted address with its dot.
#[derive(Clone, Copy, Default)]
struct Octet {
    text: [u8; 4],
    len: u8,
}

static OCTETS: [Octet; 256] = octets();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn octets() -> [Octet; 256] {
    let dot = [b'.'; 4];
    let mut octets = [Octet { text: dot, len: 2 }; 256];
    let mut octet = 0;
    while octet < octets.len() {
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let skipped = match octet {
            0..10 => 2,
            10..100 => 1,
            _ => 0,
        };
        let mut at = skipped;
        while at < digits.len() {
            octets[octet].text[at - skipped] = b'0' + digits[at] as u8;
            at += 1;
        }
        octets[octet].len = (digits.len() - skipped) as u8 + 1;
        octet += 1;
    }
    octets
}

/// The decimal digits of a number, in room for them.
pub(crate) fn digits(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut used = 0_usize;
    for digit in digits.iter_mut().rev() {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
        used = used.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    digits
        .get(digits.len().saturating_sub(used)..)
        .unwrap_or_default()
}

/// `Content-Length: n`, the empty line and the body: the end of every message.
pub(crate) fn end(out: &mut (impl Put + ?Sized), body: &[u8]) {
    end_before_body(out, body.len());
    out.put(body);
}

/// [`end`] without the body.
pub(crate) fn end_before_body(out: &mut (impl Put + ?Sized), length: usize) {
    if length == 0 {
        return out.put(b"Content-Length: 0\r\n\r\n");
    }
    out.put(b"Content-Length: ");
    number(out, u64::try_from(length).unwrap_or(u64::MAX));
    out.put(b"\r\n\r\n");
}

/// An offset as the index keeps it; messages are shorter than 4 GiB.
#[inline]
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

//! The common form of values, read in one pass: no white space but where everybody writes it, no
//! escapes, no parameter twice. What is not of this form is not read here and not judged: `None`
//! sends the value to the full reader, which says what it is or what is wrong with it.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::host::Host;
use super::scan::{class, is};
use super::words;

/// Sets of bytes; each is a bit of [`SETS`].
pub(crate) mod set {
    /// What ends neither a user part nor a host, and is no escape.
    pub(crate) const USER: u8 = 1;
    /// The name of a URI parameter.
    pub(crate) const URI_NAME: u8 = 2;
    /// The value of a URI parameter.
    pub(crate) const URI_VALUE: u8 = 4;
    /// Inside a quoted string without escapes and folds.
    pub(crate) const QUOTED: u8 = 8;
    /// A display name without quotes.
    pub(crate) const DISPLAY: u8 = 16;
    /// A token.
    pub(crate) const TOKEN: u8 = 32;
    /// The value of a header parameter.
    pub(crate) const VALUE: u8 = 64;
    /// What a host name is made of.
    pub(crate) const HOST: u8 = 128;
}

static SETS: [u8; 256] = sets();

/// The bytes at the front that are in the set, and the rest.
#[inline]
pub(crate) fn run(text: &[u8], set: u8) -> (&[u8], &[u8]) {
    let of = |b: u8| SETS.get(usize::from(b)).copied().unwrap_or(0) & set;
    let (chunks, tail) = text.as_chunks::<4>();
    // No sum here is larger than the length of the text.
    let mut len = 0_usize;
    for &[a, b, c, d] in chunks {
        // Four bytes take one branch.
        let (a, ab) = (of(a), of(a) & of(b));
        let abc = ab & of(c);
        if abc & of(d) == 0 {
            let more = [a, ab, abc].map(|inside| usize::from(inside != 0));
            len = more.iter().fold(len, |len, one| len.wrapping_add(*one));
            return text.split_at_checked(len).unwrap_or((text, &[]));
        }
        len = len.wrapping_add(4);
    }
    for &b in tail {
        if of(b) == 0 {
            break;
        }
        len = len.wrapping_add(1);
    }
    text.split_at_checked(len).unwrap_or((text, &[]))
}

/// A host that has been recognised.
#[derive(Clone, Copy)]
pub(crate) enum PlainHost<'a> {
    /// ASCII.
    Name(&'a [u8]),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> PlainHost<'a> {
    pub(crate) fn host(self) -> Option<Host<'a>> {
        match self {
            Self::Name(name) => core::str::from_utf8(name).ok().map(Host::Name),
            Self::V4(address) => Some(Host::V4(address)),
            Self::V6(address) => Some(Host::V6(address)),
        }
    }
}

/// `host [":" port]`, and what follows. The caller knows what may follow.
#[inline]
pub(crate) fn host_port(text: &[u8]) -> Option<(PlainHost<'_>, Option<u16>, &[u8])> {
    let (host, rest) = match text.first()? {
        b'0'..=b'9' => match v4(text) {
            Some((address, rest)) => (PlainHost::V4(address), rest),
            None => name(text)?,
        },
        b'[' => v6(text)?,
        _ => name(text)?,
    };
    match rest {
        [b':', digits @ ..] => {
            let (port, rest) = port(digits)?;
            Some((host, Some(port), rest))
        }
        _ => Some((host, None, rest)),
    }
}

/// Parameters of a header value, each shown to `see`; `None` too if `see` does not like one.
#[inline]
pub(crate) fn header_params<'a>(
    mut rest: &'a [u8],
    mut see: impl FnMut(&'a [u8], Option<&'a [u8]>) -> bool,
) -> Option<()> {
    let mut names = Names::default();
    while let Some((b';', tail)) = rest.split_first() {
        let (name, tail) = run(tail, set::TOKEN);
        names.add(name)?;
        let (value, tail) = match tail {
            [b'=', b'"', ..] => {
                let quoted = tail.get(1..)?;
                let (inner, _) = run(quoted.get(1..)?, set::QUOTED);
                let (value, tail) = quoted.split_at_checked(inner.len().checked_add(2)?)?;
                (Some(value).filter(|value| value.ends_with(b"\"")), tail)
            }
            [b'=', tail @ ..] => {
                let (value, tail) = run(tail, set::VALUE);
                (Some(value).filter(|value| !value.is_empty()), tail)
            }
            _ => {
                if !see(name, None) {
                    return None;
                }
                rest = tail;
                continue;
            }
        };
        if !see(name, Some(value?)) {
            return None;
        }
        rest = tail;
    }
    rest.is_empty().then_some(())
}

/// Parameters of a URI, each shown to `see`; `None` too if `see` does not like one.
#[inline]
pub(crate) fn uri_params<'a>(
    mut rest: &'a [u8],
    mut see: impl FnMut(&'a [u8]) -> bool,
) -> Option<()> {
    let mut names = Names::default();
    while let Some((b';', tail)) = rest.split_first() {
        let (name, mut tail) = run(tail, set::URI_NAME);
        names.add(name)?;
        if let [b'=', behind @ ..] = tail {
            let (value, behind) = run(behind, set::URI_VALUE);
            if value.is_empty() {
                return None;
            }
            tail = behind;
        }
        if !see(name) {
            return None;
        }
        rest = tail;
    }
    rest.is_empty().then_some(())
}

/// Digits up to the end or another byte, and the rest: at most ten, so that the sum fits.
#[inline]
pub(crate) fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut sum = 0_u64;
    let mut len = 0_usize;
    for &b in text.iter().take(11) {
        if !b.is_ascii_digit() {
            break;
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(b & 15));
        len = len.wrapping_add(1);
    }
    if matches!(len, 1..=10) {
        Some((sum, text.get(len..)?))
    } else {
        None
    }
}

/// Which names have been seen, as far as a small hash can tell.
#[derive(Default)]
struct Names(u64);

impl Names {
    /// `None` if the name may be there already, or is empty.
    #[inline]
    fn add(&mut self, name: &[u8]) -> Option<()> {
        let bit = 1_u64 << small_hash(name)?;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new.then_some(())
    }
}

/// From 0 to 63, the same for names that differ in case only; `None` for an empty one.
#[inline]
pub(crate) fn small_hash(name: &[u8]) -> Option<u8> {
    let (first, last) = (name.first()? | 0x20, name.last()? | 0x20);
    // A length past 255 hashes like its lowest byte.
    let len = name.len().to_le_bytes().first().copied()?;
    let mixed = first
        .wrapping_mul(7)
        .wrapping_add(last)
        .wrapping_add(len.wrapping_mul(29));
    Some(mixed & 63)
}

fn port(text: &[u8]) -> Option<(u16, &[u8])> {
    let (port, rest) = digits(text)?;
    Some((u16::try_from(port).ok()?, rest))
}

#[inline]
fn v4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let mut octets = [0_u8; 4];
    let mut rest = text;
    for (at, octet) in octets.iter_mut().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        (*octet, rest) = self::octet(rest)?;
    }
    let ends = !matches!(
        rest.first(),
        Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' | b'_')
    );
    ends.then_some((Ipv4Addr::from(octets), rest))
}

/// A number from 0 to 255 without leading zeros. A digit too many is left for the caller to see.
#[inline]
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let value = |b: u8| u16::from(b & 15);
    let two = |a: u8, b: u8| value(a).wrapping_mul(10).wrapping_add(value(b));
    let (number, rest) = match text {
        [b'0', rest @ ..] => (0, rest),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            (two(*a, *b).wrapping_mul(10).wrapping_add(value(*c)), rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (two(*a, *b), rest),
        [a @ b'1'..=b'9', rest @ ..] => (value(*a), rest),
        _ => return None,
    };
    Some((u8::try_from(number).ok()?, rest))
}

fn v6(text: &[u8]) -> Option<(PlainHost<'_>, &[u8])> {
    let inner = text.strip_prefix(b"[")?;
    // The longest form has 45 bytes.
    let close = inner.iter().take(46).position(|&b| b == b']')?;
    let (address, rest) = inner.split_at_checked(close)?;
    let address = core::str::from_utf8(address).ok()?.parse().ok()?;
    Some((PlainHost::V6(address), rest.get(1..)?))
}

/// A host name that does not end in a dot.
#[inline]
fn name(text: &[u8]) -> Option<(PlainHost<'_>, &[u8])> {
    let (host, rest) = run(text, set::HOST);
    let separator = |b: &u8| matches!(b, b'.' | b'-');
    let last = host.last()?;
    if separator(host.first()?) || separator(last) || !separators_are_alone(host) {
        return None;
    }
    if last.is_ascii_digit() {
        // A last label of digits alone makes neither a name nor an address.
        let before = host.iter().rposition(|b| !b.is_ascii_digit())?;
        if host.get(before) == Some(&b'.') {
            return None;
        }
    }
    Some((PlainHost::Name(host), rest))
}

/// Whether no dot has a dot or a hyphen beside it.
#[inline]
fn separators_are_alone(host: &[u8]) -> bool {
    let Some(last) = host.last_chunk::<8>() else {
        let pairs = host.iter().zip(host.iter().skip(1));
        return pairs.fold(true, |alone, (a, b)| {
            alone & !matches!((a, b), (b'.', b'.' | b'-') | (b'-', b'.'))
        });
    };
    // The last eight may overlap those before them; the byte before a chunk is looked at with it.
    let mut before = (false, false);
    let mut alone = true;
    for chunk in host.as_chunks::<8>().0 {
        let (dots, hyphens) = separators(chunk);
        alone &= stand_alone(dots, hyphens, before);
        before = (dots >> 63 != 0, hyphens >> 63 != 0);
    }
    let (dots, hyphens) = separators(last);
    let seam = host.get(host.len().wrapping_sub(9)).copied();
    alone & stand_alone(dots, hyphens, (seam == Some(b'.'), seam == Some(b'-')))
}

#[inline]
fn separators(chunk: &[u8; 8]) -> (u64, u64) {
    let word = u64::from_le_bytes(*chunk);
    (words::marks(word, b'.'), words::marks(word, b'-'))
}

/// `before`: whether a dot, or a hyphen, stands before the word.
#[inline]
fn stand_alone(dots: u64, hyphens: u64, before: (bool, bool)) -> bool {
    let carried = |marks: u64, before: bool| (marks << 8) | (u64::from(before) << 7);
    let (dot, hyphen) = (carried(dots, before.0), carried(hyphens, before.1));
    ((dot | hyphen) & dots) | (dot & hyphens) == 0
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiling, where a slip is an error"
)]
const fn sets() -> [u8; 256] {
    let mut sets = [0_u8; 256];
    let mut b = 0_u8;
    loop {
        let uri_value = is(b, class::URI_PARAMS) && b != b';';
        let members = [
            (
                is(b, class::USER) && !matches!(b, b':' | b';' | b'?'),
                set::USER,
            ),
            (uri_value && b != b'=' && b < 0x80, set::URI_NAME),
            (uri_value, set::URI_VALUE),
            (!matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0), set::QUOTED),
            (is(b, class::TOKEN) || b == b' ', set::DISPLAY),
            (is(b, class::TOKEN), set::TOKEN),
            (is(b, class::VALUE), set::VALUE),
            (
                b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'),
                set::HOST,
            ),
        ];
        let mut i = 0_usize;
        while i < members.len() {
            if members[i].0 {
                sets[b as usize] |= members[i].1;
            }
            i = i.wrapping_add(1);
        }
        if b == u8::MAX {
            return sets;
        }
        b = b.wrapping_add(1);
    }
}

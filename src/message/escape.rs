//! Percent escapes of URIs (3261 19.1.2, 3986 2).
//!
//! A URI is split first and its parts are decoded afterwards, once; a URI that passes through is
//! never decoded and encoded again, because that could change what it means.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::scan::{class, is};
use super::value_error::{ValueError, ValueErrorKind};

/// Decodes the escapes of one part of a URI; `%` without two hexadecimal digits stays as it is.
///
/// Allocates only if there is an escape.
///
/// ```
/// use drongo::message::percent_decode;
///
/// assert_eq!(&*percent_decode(b"project%20x"), b"project x");
/// // Once only.
/// assert_eq!(&*percent_decode(b"%2541"), b"%41");
/// ```
pub fn percent_decode(part: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', part) else {
        return Cow::Borrowed(part);
    };
    let mut decoded = Vec::with_capacity(part.len());
    let (head, mut rest) = part.split_at_checked(first).unwrap_or((part, &[]));
    decoded.extend_from_slice(head);
    while let Some((byte, _, tail)) = next_byte(rest) {
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(decoded)
}

/// Escapes what may not stand in a user part: `j@s0n` becomes `j%40s0n`.
pub fn escape_user(user: &[u8]) -> Cow<'_, str> {
    escape_where(user, |b| is_unreserved(b) || b"&=+$,;?/".contains(&b))
}

/// Escapes what may not stand in a password.
pub fn escape_password(password: &[u8]) -> Cow<'_, str> {
    escape_where(password, |b| is_unreserved(b) || b"&=+$,".contains(&b))
}

/// Escapes what may not stand in the name or the value of a URI parameter.
pub fn escape_param(text: &[u8]) -> Cow<'_, str> {
    escape_where(text, |b| is_unreserved(b) || b"[]/:&+$".contains(&b))
}

/// Escapes what may not stand in the name or the value of a URI header. All reserved characters
/// are escaped, as 19.1.2 asks, although the grammar would admit some.
pub fn escape_header(text: &[u8]) -> Cow<'_, str> {
    escape_where(text, is_unreserved)
}

/// `unreserved` of 3261 25.1.
pub(crate) fn is_unreserved(b: u8) -> bool {
    is(b, class::UNRESERVED)
}

/// Checks one part of a URI: every `%` begins an escape, and all else is of a class without `%`.
pub(crate) fn check_part(part: &[u8], base: usize, allowed: u8) -> Result<(), ValueError> {
    let mut rest = part;
    loop {
        let run = rest
            .iter()
            .position(|&b| !is(b, allowed))
            .unwrap_or(rest.len());
        rest = rest.get(run..).unwrap_or(&[]);
        let at = base.saturating_add(part.len().saturating_sub(rest.len()));
        rest = match rest {
            [] => return Ok(()),
            [b'%', a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => tail,
            [b'%', ..] => return Err(ValueError::new(ValueErrorKind::Escape, at)),
            [..] => return Err(ValueError::new(ValueErrorKind::UriByte, at)),
        };
    }
}

/// One character of a URI as it counts in a comparison: an escaped character equals the raw one,
/// unless it is reserved (3261 19.1.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    byte: u8,
    escaped_reserved: bool,
}

impl Unit {
    /// The byte without case, and whether it is an escape that must not be taken for the raw byte.
    pub(crate) const fn folded(self) -> (u8, bool) {
        (self.byte.to_ascii_lowercase(), self.escaped_reserved)
    }
}

/// The units of one part of a URI.
pub(crate) struct Units<'a>(pub(crate) &'a [u8]);

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let (byte, escaped, rest) = next_byte(self.0)?;
        self.0 = rest;
        Some(Unit {
            byte,
            escaped_reserved: escaped && b";/?:@&=+$,".contains(&byte),
        })
    }
}

/// Whether two parts are equal, case counting.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a == b || Units(a).eq(Units(b))
}

/// Whether two parts are equal, ASCII case not counting.
pub(crate) fn same_folded(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b) || Units(a).map(Unit::folded).eq(Units(b).map(Unit::folded))
}

/// The next character, whether it was escaped, and the rest.
fn next_byte(bytes: &[u8]) -> Option<(u8, bool, &[u8])> {
    if let [b'%', a, b, rest @ ..] = bytes
        && let (Some(a), Some(b)) = (nibble(*a), nibble(*b))
    {
        return Some((a.wrapping_mul(16).wrapping_add(b), true, rest));
    }
    let (&byte, rest) = bytes.split_first()?;
    Some((byte, false, rest))
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

pub(crate) fn escape_where(text: &[u8], allowed: impl Fn(u8) -> bool) -> Cow<'_, str> {
    if text.iter().all(|&b| allowed(b))
        && let Ok(text) = core::str::from_utf8(text)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_mul(3));
    for &b in text {
        if allowed(b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            for digit in [b >> 4, b & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
    Cow::Owned(out)
}

//! The Call-ID of a message that nobody has read yet.

use memchr::memchr;

use super::scan::trim;

/// The value of the first Call-ID header of a message, compact or not, without reading the rest:
/// for whoever has to pass the message on before it is parsed. `None` if there is none.
///
/// Of a message that [`parse`](super::parse) takes, it is what
/// [`Request::call_id`](super::Request::call_id) says. Of one that it refuses, it is whatever
/// stands there.
///
/// ```
/// use drongo::message::call_id_of;
///
/// let bytes = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nCALL-ID :\r\n 1@example.com\r\n\r\n";
/// assert_eq!(call_id_of(bytes), Some(b"1@example.com".as_slice()));
/// assert_eq!(call_id_of(b"\r\n\r\n"), None);
/// ```
pub fn call_id_of(message: &[u8]) -> Option<&[u8]> {
    let mut rest = message;
    // 7.5: line breaks before the start line are no part of it.
    while let Some((b'\r' | b'\n', next)) = rest.split_first() {
        rest = next;
    }
    let (_, mut rest) = split_line(rest)?;
    loop {
        let (line, next) = split_line(rest)?;
        if line.is_empty() {
            return None;
        }
        if let Some(value) = value_of(line) {
            return Some(unfolded(value, next));
        }
        rest = next;
    }
}

/// A line without its CR, and what follows it. `None` if it does not end.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr(b'\n', bytes)?)?;
    let (_, rest) = rest.split_first()?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

/// The value, if the line is a Call-ID header.
fn value_of(line: &[u8]) -> Option<&[u8]> {
    let after = match line.split_first()? {
        (b'i' | b'I', after) if !matches!(after.first(), Some(b'n' | b'N')) => after,
        (b'c' | b'C', _) => {
            let (name, after) = line.split_at_checked("Call-ID".len())?;
            name.eq_ignore_ascii_case(b"Call-ID").then_some(after)?
        }
        _ => return None,
    };
    let mut after = after;
    while let Some((b' ' | b'\t', next)) = after.split_first() {
        after = next;
    }
    after.strip_prefix(b":").map(trim)
}

/// A value that begins on a later line begins there.
fn unfolded<'a>(mut value: &'a [u8], mut rest: &'a [u8]) -> &'a [u8] {
    while value.is_empty() && matches!(rest.first(), Some(b' ' | b'\t')) {
        let Some((line, next)) = split_line(rest) else {
            return trim(rest);
        };
        (value, rest) = (trim(line), next);
    }
    value
}

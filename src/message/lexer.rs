//! The lexer: one header line at a time, in time linear in its length.
//!
//! It takes what RFC 3261 and RFC 4475 allow and HTTP's grammar does not: folded lines, white
//! space before the colon, control characters in values. It refuses a bare CR or LF anywhere in
//! the header block: two readers that disagree on where a line ends read two different messages.
//!
//! [`plain_line`] takes the lines that have none of this, in wide steps, and leaves all others and
//! every error to [`line`].

use memchr::memchr2;

use super::Name;
use super::error::ParseErrorKind;
use super::scan::is_space;
use super::words::{Lanes, first_control};

/// One line of the header block, in absolute offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    Header(HeaderLine),
    /// The empty line; `next` is the first byte after it.
    End {
        next: usize,
    },
}

/// Where the parts of one header are. The value has no white space at its ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HeaderLine {
    pub(crate) name: (usize, usize),
    pub(crate) value: (usize, usize),
    /// The first byte after the line and its continuations.
    pub(crate) next: usize,
    pub(crate) folded: bool,
}

impl HeaderLine {
    pub(crate) fn raw_name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.name.0..self.name.1).unwrap_or_default()
    }
}

/// What is wrong, and where.
pub(crate) type LexError = (ParseErrorKind, usize);

/// A line of the common form, in offsets from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PlainLine {
    pub(crate) name: Name,
    /// Under 32.
    pub(crate) name_len: u8,
    pub(crate) value: usize,
    pub(crate) value_end: usize,
}

/// The line that the text begins with, if it is a header on one line, with its name and colon
/// together, at most one space behind the colon, none at the end and no control character; and
/// what follows it, which is for the caller to judge. It must have sixteen bytes with that.
#[inline(always)]
pub(crate) fn plain_line(text: &[u8]) -> Option<(PlainLine, &[u8])> {
    let front = Lanes::of(*text.first_chunk()?);
    // Looked for from the start of the line, as the name is, so that neither waits for the other.
    let value_end = first_control(text)?;
    let (name, name_len) = Name::before_colon(front, text);
    let (line, ending) = text.split_at_checked(value_end)?;
    let &[cr, lf, _] = ending.first_chunk()?;
    let rest = ending.get(2..)?;
    // Sums of lengths of one slice cannot overflow; wrapping is the cheapest way to say so.
    let behind_colon = name_len.wrapping_add(1);
    let value = line.get(behind_colon..)?;
    if [cr, lf] != *b"\r\n" || value.starts_with(b"  ") || value.ends_with(b" ") && value.len() > 1
    {
        return None;
    }
    let line = PlainLine {
        name,
        name_len: name_len as u8,
        value: behind_colon.wrapping_add(usize::from(value.starts_with(b" "))),
        value_end,
    };
    Some((line, rest))
}

/// Reads the line that starts at `at`.
pub(crate) fn line(bytes: &[u8], at: usize) -> Result<Line, LexError> {
    let rest = bytes.get(at..).unwrap_or_default();
    let name_len = rest
        .iter()
        .position(|&b| !is_name_byte(b))
        .unwrap_or(rest.len());
    if name_len == 0 {
        return end_of_block(bytes, at);
    }
    let name_end = at.saturating_add(name_len);
    let colon = skip(bytes, name_end, is_blank);
    if bytes.get(colon) != Some(&b':') {
        return Err((ParseErrorKind::HeaderName, colon));
    }
    let start = skip(bytes, colon.saturating_add(1), is_blank);
    let (mut end, mut next) = end_of_line(bytes, start)?;
    let mut folded = false;
    loop {
        match bytes.get(next) {
            Some(b' ' | b'\t') => {
                folded = true;
                (end, next) = end_of_line(bytes, next)?;
            }
            Some(_) => break,
            None => return Err((ParseErrorKind::Unterminated, next)),
        }
    }
    let start = if folded {
        skip(bytes, start, is_space).min(end)
    } else {
        start
    };
    let value = (start, trim_end(bytes, start, end));
    Ok(Line::Header(HeaderLine {
        name: (at, name_end),
        value,
        next,
        folded,
    }))
}

/// Reads what does not start with a name: the empty line, or an error.
fn end_of_block(bytes: &[u8], at: usize) -> Result<Line, LexError> {
    match bytes.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(Line::End {
            next: at.saturating_add(2),
        }),
        [] | [b'\r'] => Err((ParseErrorKind::Unterminated, bytes.len())),
        [b'\r' | b'\n', ..] => Err((ParseErrorKind::BareLineBreak, at)),
        _ => Err((ParseErrorKind::HeaderName, skip(bytes, at, is_blank))),
    }
}

/// The end of the line that `from` is in: where its CRLF starts, and the byte after that.
#[inline]
pub(crate) fn end_of_line(bytes: &[u8], from: usize) -> Result<(usize, usize), LexError> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(at) = memchr2(b'\r', b'\n', rest) else {
        return Err((ParseErrorKind::Unterminated, bytes.len()));
    };
    let end = from.saturating_add(at);
    match rest.get(at..) {
        Some([b'\r', b'\n', ..]) => Ok((end, end.saturating_add(2))),
        Some([b'\r']) => Err((ParseErrorKind::Unterminated, bytes.len())),
        _ => Err((ParseErrorKind::BareLineBreak, end)),
    }
}

/// The first offset from `at` whose byte is not in the class.
fn skip(bytes: &[u8], at: usize, class: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(|&b| !class(b)).unwrap_or(rest.len()))
}

/// The end of `start..end` without trailing white space.
fn trim_end(bytes: &[u8], start: usize, end: usize) -> usize {
    let value = bytes.get(start..end).unwrap_or_default();
    let kept = value
        .iter()
        .rposition(|&b| !is_space(b))
        .map_or(0, |last| last.saturating_add(1));
    start.saturating_add(kept)
}

/// SP or HTAB.
pub(crate) const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// Whether all bytes may stand in a name, and there are some.
pub(crate) fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_name_byte(b))
}

/// SIP's `token` and what HTTP's adds to it, which the fast path takes too.
fn is_name_byte(b: u8) -> bool {
    NAME_BYTES.get(usize::from(b)).copied().unwrap_or_default()
}

static NAME_BYTES: [bool; 256] = name_bytes();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn name_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut b = 0_u8;
    while b < 128 {
        table[b as usize] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            )
            || matches!(b, b'#' | b'$' | b'&' | b'^' | b'|');
        b += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line_bytes: &[u8]) -> (&[u8], &[u8], bool) {
        match line(line_bytes, 0) {
            Ok(Line::Header(h)) => (
                &line_bytes[h.name.0..h.name.1],
                &line_bytes[h.value.0..h.value.1],
                h.folded,
            ),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn white_space_around_the_colon_and_value_is_not_part_of_them() {
        // 3261-7.3.1-01, 3261-7.3.1-03
        for text in [
            "Subject:lunch",
            "Subject : lunch",
            "Subject:   lunch",
            "Subject\t:\tlunch \t",
        ] {
            let text = [text.as_bytes(), b"\r\n\r\n"].concat();
            assert_eq!(value(&text), (&b"Subject"[..], &b"lunch"[..], false));
        }
    }

    #[test]
    fn folds_belong_to_the_value() {
        // 3261-7.3.1-02, 3261-7.3.1-05, 3261-7.3.1-07
        let all = value(b"Subject:\r\n  I know\r\n\tyou\r\n  \r\n.\r\n\r\n".as_slice());
        assert_eq!(all.1, b"I know\r\n\tyou");
        assert!(all.2);
        let empty = value(b"Subject:\r\n \r\n\t\r\nTo: x\r\n");
        assert_eq!(empty.1, b"");
    }

    #[test]
    fn a_fold_before_the_colon_is_refused() {
        // 3261-7.3.1-01
        assert_eq!(
            line(b"Subject\r\n : x\r\n\r\n", 0),
            Err((ParseErrorKind::HeaderName, 7))
        );
    }

    #[test]
    fn bare_line_breaks_are_refused_where_they_stand() {
        // 3261-7-04
        assert_eq!(
            line(b"A: b\nC: d\r\n\r\n", 0),
            Err((ParseErrorKind::BareLineBreak, 4))
        );
        assert_eq!(
            line(b"A: b\rC: d\r\n\r\n", 0),
            Err((ParseErrorKind::BareLineBreak, 4))
        );
        assert_eq!(
            line(b"\nA: b\r\n\r\n", 0),
            Err((ParseErrorKind::BareLineBreak, 0))
        );
        assert_eq!(
            line(b"A: b\r\r\n\r\n", 0),
            Err((ParseErrorKind::BareLineBreak, 4))
        );
    }

    #[test]
    fn control_characters_stay_in_values() {
        // intmeth of RFC 4475 has them as quoted pairs.
        assert_eq!(
            value(b"To: \"\\\x00\\\x07\\\x7f\"\r\n\r\n").1,
            b"\"\\\x00\\\x07\\\x7f\""
        );
    }

    #[test]
    fn a_line_without_a_name_or_colon_is_refused() {
        for (text, at) in [
            ("no colon\r\n\r\n", 3),
            (": x\r\n\r\n", 0),
            (" x: y\r\n\r\n", 1),
        ] {
            assert_eq!(
                line(text.as_bytes(), 0),
                Err((ParseErrorKind::HeaderName, at)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_block_that_stops_is_unterminated() {
        for text in ["", "\r", "A: b", "A: b\r", "A: b\r\n"] {
            assert_eq!(
                line(text.as_bytes(), 0),
                Err((ParseErrorKind::Unterminated, text.len())),
                "{text:?}"
            );
        }
    }
}

//! Values that are a number, a word, or little more.

use core::fmt;

use super::params::Params;
use super::print::{Pieces, unfolded, writes};
use super::scan::{Cursor, ascii, digits, digits_u32, is_space, trim};
use super::value_error::{ValueError, ValueErrorKind};
use super::words::first_not_graphic;
use crate::limits::Limits;

/// Content-Length: octets of the body. Never more than `u32`, so that no sum of it and a header
/// block overflows.
///
/// # Errors
///
/// [`Number`](ValueErrorKind::Number), or [`Overflow`](ValueErrorKind::Overflow).
///
/// ```
/// use drongo::message::parse_content_length;
///
/// assert_eq!(parse_content_length(b"0150"), Ok(150));
/// assert!(parse_content_length(b"-1").is_err());
/// assert!(parse_content_length(b"18446744073709551615").is_err());
/// ```
pub fn parse_content_length(value: &[u8]) -> Result<u32, ValueError> {
    whole(value, digits_u32)
}

/// Max-Forwards: hops that are left, from 0 to 255 (3261 20.22).
///
/// # Errors
///
/// [`Number`](ValueErrorKind::Number), or [`Overflow`](ValueErrorKind::Overflow), which may be
/// treated as if the header were absent.
pub fn parse_max_forwards(value: &[u8]) -> Result<u8, ValueError> {
    whole(value, |bytes| {
        u8::try_from(digits(bytes)?).map_err(|_| ValueErrorKind::Overflow)
    })
}

/// Seconds of Expires, Min-Expires and their like, from 0 to 2^32-1 (3261 20.19).
///
/// # Errors
///
/// [`Number`](ValueErrorKind::Number), or [`Overflow`](ValueErrorKind::Overflow).
pub fn parse_delta_seconds(value: &[u8]) -> Result<u32, ValueError> {
    whole(value, digits_u32)
}

/// RSeq: the number of a reliable provisional response, from 1 to 2^32-1 (3262 7.1).
///
/// # Errors
///
/// [`Number`](ValueErrorKind::Number), or [`Overflow`](ValueErrorKind::Overflow), for 0 too.
pub fn parse_rseq(value: &[u8]) -> Result<u32, ValueError> {
    whole(value, |bytes| match digits_u32(bytes)? {
        0 => Err(ValueErrorKind::Overflow),
        rseq => Ok(rseq),
    })
}

/// Call-ID: one run of visible ASCII. Quotes and brackets mean nothing in it, and it compares byte
/// for byte (3261 20.8).
///
/// # Errors
///
/// [`Empty`](ValueErrorKind::Empty), or [`Token`](ValueErrorKind::Token) at the byte that has no
/// place in it.
///
/// ```
/// use drongo::message::parse_call_id;
///
/// assert_eq!(parse_call_id(b" f81d4fae@foo.bar.com "), Ok("f81d4fae@foo.bar.com"));
/// assert!(parse_call_id(b"two words").is_err());
/// ```
pub fn parse_call_id(value: &[u8]) -> Result<&str, ValueError> {
    let id = check_call_id(value, value.len())?;
    // Visible ASCII is UTF-8.
    core::str::from_utf8(id).map_err(|_| ValueError::new(ValueErrorKind::Token, 0))
}

/// The bytes of [`parse_call_id`], from the front of the text, of that length.
#[inline]
pub(crate) fn check_call_id(text: &[u8], len: usize) -> Result<&[u8], ValueError> {
    let value = text.get(..len).unwrap_or(text);
    match len > 0 && first_not_graphic(text).unwrap_or(text.len()) == len {
        true => Ok(value),
        false => trimmed_call_id(value),
    }
}

fn trimmed_call_id(value: &[u8]) -> Result<&[u8], ValueError> {
    let start = value
        .iter()
        .position(|&b| !is_space(b))
        .unwrap_or(value.len());
    let id = trim(value);
    if id.is_empty() {
        return Err(ValueError::new(ValueErrorKind::Empty, 0));
    }
    match id.iter().position(|b| !b.is_ascii_graphic()) {
        Some(at) => {
            let at = at.saturating_add(start);
            Err(ValueError::new(ValueErrorKind::Token, at))
        }
        None => Ok(id),
    }
}

/// Timestamp: when a request was sent, and how long its receiver took (3261 20.38). The texts are
/// kept, because a response repeats the first one as it came.
///
/// ```
/// use drongo::message::Timestamp;
///
/// let t = Timestamp::parse(b"54.21 0.5").unwrap();
/// assert_eq!((t.sent, t.delay), ("54.21", Some("0.5")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the grammar has these two parts")]
pub struct Timestamp<'a> {
    /// What the sender wrote: seconds on a clock of its own.
    pub sent: &'a str,
    /// Seconds between receipt and response.
    pub delay: Option<&'a str>,
}

impl<'a> Timestamp<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// [`Number`](ValueErrorKind::Number), or [`Unexpected`](ValueErrorKind::Unexpected).
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let error = cursor.error(ValueErrorKind::Number);
        let sent = cursor.take_while(|b| !is_space(b));
        let sent = decimal(sent).filter(|s| s.starts_with(|c: char| c.is_ascii_digit()));
        let sent = sent.ok_or(error)?;
        cursor.skip_lws();
        if cursor.is_at_end() {
            return Ok(Self { sent, delay: None });
        }
        let error = cursor.error(ValueErrorKind::Number);
        let delay = decimal(trim(cursor.rest())).ok_or(error)?;
        Ok(Self {
            sent,
            delay: Some(delay),
        })
    }
}

impl fmt::Display for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sent)?;
        match self.delay {
            Some(delay) => write!(f, " {delay}"),
            None => Ok(()),
        }
    }
}

/// Retry-After: `18000 (in a meeting);duration=3600` (3261 20.33).
///
/// ```
/// use drongo::message::RetryAfter;
///
/// let retry = RetryAfter::parse(b"18000 (I'm (really) busy);duration=3600").unwrap();
/// assert_eq!((retry.seconds(), retry.duration()), (18_000, Some(3600)));
/// assert_eq!(retry.comment(), Some(&b"(I'm (really) busy)"[..]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryAfter<'a> {
    seconds: u32,
    comment: Option<&'a [u8]>,
    params: Params<'a>,
}

impl<'a> RetryAfter<'a> {
    /// Reads a whole value. More seconds than 2^32-1 count as 2^32-1: they say "not soon".
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let start = cursor;
        let text = cursor.take_while(|b| b.is_ascii_digit());
        let seconds = match digits_u32(text) {
            Ok(seconds) => seconds,
            Err(ValueErrorKind::Overflow) => u32::MAX,
            Err(kind) => return Err(start.error(kind)),
        };
        cursor.skip_lws();
        let comment = if cursor.peek() == Some(b'(') {
            Some(comment(&mut cursor)?)
        } else {
            None
        };
        cursor.skip_lws();
        let params = Params::parse(cursor.rest()).map_err(|e| e.shifted(cursor.offset()))?;
        Ok(Self {
            seconds,
            comment,
            params,
        })
    }

    /// How long to wait, in seconds.
    pub const fn seconds(&self) -> u32 {
        self.seconds
    }

    /// The comment as it came, with its parentheses.
    pub const fn comment(&self) -> Option<&'a [u8]> {
        self.comment
    }

    /// `duration`: how long the callee will then be there, in seconds.
    pub fn duration(&self) -> Option<u32> {
        digits_u32(self.params.get("duration")?.value?).ok()
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }
}

impl Pieces for RetryAfter<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        use fmt::Write as _;
        // Writing to pieces cannot fail.
        let _ = write!(super::print::AsFmt(out), "{}", self.seconds);
        if let Some(comment) = self.comment {
            out(b" ");
            unfolded(comment, out);
        }
        self.params.pieces(out);
    }
}

writes!(RetryAfter<'_>);

impl fmt::Debug for RetryAfter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RetryAfter({self})")
    }
}

/// The deepest nesting of comments.
const MAX_NESTING: usize = Limits::DEFAULT.nesting;

fn whole<T>(
    value: &[u8],
    read: impl Fn(&[u8]) -> Result<T, ValueErrorKind>,
) -> Result<T, ValueError> {
    let start = value
        .iter()
        .position(|&b| !is_space(b))
        .unwrap_or(value.len());
    read(trim(value)).map_err(|kind| ValueError::new(kind, start))
}

/// Digits with at most one dot.
fn decimal(bytes: &[u8]) -> Option<&str> {
    let text = ascii(bytes)?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let good = !text.is_empty() && text != "." && digits(whole) && digits(fraction);
    good.then_some(text)
}

/// A comment with its parentheses, in which others may nest; the cursor stands on the first one.
pub(crate) fn comment<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], ValueError> {
    let start = *cursor;
    let error = start.error(ValueErrorKind::Comment);
    let mut depth = 0_usize;
    loop {
        cursor.take_while(|b| !matches!(b, b'(' | b')' | b'\\' | b'\r' | b'\n' | 0));
        match cursor.rest() {
            [b'(', ..] if depth >= MAX_NESTING => {
                return Err(cursor.error(ValueErrorKind::TooDeep));
            }
            [b'(', ..] => depth = depth.saturating_add(1),
            [b')', ..] => depth = depth.saturating_sub(1),
            [b'\\', b'\r' | b'\n', ..] => return Err(error),
            [b'\\', _, ..] => {
                cursor.take(1);
            }
            [b'\r', b'\n', b' ' | b'\t', ..] => {
                cursor.take(2);
            }
            _ => return Err(error),
        }
        cursor.take(1);
        if depth == 0 {
            let len = cursor.offset().saturating_sub(start.offset());
            return start.rest().get(..len).ok_or(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_in_range_and_nothing_else() {
        // 3261-20.14-01, 3261-20.19-01, 3261-20.22-01, 3261-20.23-01, 3261-25.1-27
        assert_eq!(parse_content_length(b"0"), Ok(0));
        assert_eq!(parse_content_length(b"\r\n 00150 "), Ok(150));
        assert_eq!(parse_max_forwards(b"0068"), Ok(68));
        assert_eq!(parse_delta_seconds(b"4294967295"), Ok(u32::MAX));
        for text in [
            "", " ", "-1", "+1", "1a", "five", "1 2", "0x10", "1.0", "\u{661}",
        ] {
            let kind = |e: ValueError| e.kind;
            let number = Err(ValueErrorKind::Number);
            assert_eq!(
                parse_content_length(text.as_bytes()).map_err(kind),
                number,
                "{text}"
            );
            assert_eq!(
                parse_max_forwards(text.as_bytes()).map_err(kind),
                Err(ValueErrorKind::Number)
            );
        }
    }

    #[test]
    fn numbers_out_of_range_are_errors_and_never_wrap() {
        let kind = |e: ValueError| e.kind;
        let overflow = Err(ValueErrorKind::Overflow);
        for text in [
            "4294967296",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999",
        ] {
            assert_eq!(
                parse_content_length(text.as_bytes()).map_err(kind),
                overflow,
                "{text}"
            );
            assert_eq!(
                parse_delta_seconds(text.as_bytes()).map_err(kind),
                overflow,
                "{text}"
            );
        }
        assert_eq!(
            parse_max_forwards(b"256").map_err(kind),
            Err(ValueErrorKind::Overflow)
        );
        assert_eq!(
            parse_max_forwards(b"300").map_err(kind),
            Err(ValueErrorKind::Overflow)
        );
    }

    #[test]
    fn rseq_is_one_number_from_1_to_what_32_bits_hold() {
        // 3262-7.1-01, 3262-7.1-03
        assert_eq!(parse_rseq(b"1"), Ok(1));
        assert_eq!(parse_rseq(b"4294967295"), Ok(u32::MAX));
        for wrong in ["", "0", "-1", "x", "1 2", "4294967296"] {
            assert!(parse_rseq(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_call_id_is_one_run_of_visible_bytes() {
        // 3261-20.8-01, 3261-20.8-02, 3261-20.8-03, 3261-20.8-04
        let unusual = "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{";
        assert_eq!(parse_call_id(unusual.as_bytes()), Ok(unusual));
        assert_ne!(parse_call_id(b"A@b"), parse_call_id(b"a@b"));
        for (text, at) in [
            ("a b@c", 1),
            ("a\r\n b", 1),
            (" a\tb", 2),
            ("a\u{e9}", 1),
            ("", 0),
        ] {
            assert_eq!(
                parse_call_id(text.as_bytes()).unwrap_err().offset,
                at,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_timestamp_is_kept_as_it_came() {
        // 3261-20.38-01
        for text in ["54", "54.", "54.21 0.5", "54 .5"] {
            assert_eq!(Timestamp::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["", ".5", "a", "1 a", "1 2 3", "1.2.3", "-1", "1 ."] {
            assert!(Timestamp::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn retry_after_has_seconds_a_comment_and_parameters() {
        // 3261-20.33-01, 3261-20.33-02, 3261-25.1-15
        let retry = |text: &'static str| RetryAfter::parse(text.as_bytes()).expect(text);
        let a = retry("120 (I'm in a meeting)");
        assert_eq!(
            (a.seconds(), a.comment()),
            (120, Some(&b"(I'm in a meeting)"[..]))
        );
        assert_eq!(retry("18000;duration=3600").duration(), Some(3600));
        assert_eq!(
            retry("1 (a \\) (b(c)) );x").to_string(),
            "1 (a \\) (b(c)) );x"
        );
        assert_eq!(retry("949302838503028349304023988").seconds(), u32::MAX);
        for text in [
            "", "x", "1 (", "1 (a", "1 (a\\)", "1 a", "1 (a) b", "1 ((a)",
        ] {
            assert!(RetryAfter::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

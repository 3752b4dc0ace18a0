//! The header block: where each header is, by the fast path or the tolerant one.

use smallvec::SmallVec;

use super::Name;
use super::error::ParseErrorKind;
use super::lexer::{self, LexError, Line};
use super::put::offset;
use crate::limits::Limits;

/// The index of the header lines.
pub(crate) type Headers = SmallVec<[Entry; INLINE_HEADERS]>;

/// What the header block says about the rest of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Block {
    /// The value of Content-Length, and where it stands.
    pub(crate) content_length: Option<(usize, usize)>,
    /// The first byte after the empty line.
    pub(crate) end: usize,
}

/// How many headers the index holds without allocating.
pub(crate) const INLINE_HEADERS: usize = 24;

/// Where one header is. Offsets are 32 bits: a message on a stream may exceed 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) start: u32,
    pub(crate) value: u32,
    pub(crate) value_end: u32,
    pub(crate) name_len: u16,
    pub(crate) name: Name,
    pub(crate) folded: bool,
}

/// Which reader takes the header block. Tests compare the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeaderPath {
    Fast,
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the tests' side of the comparison")
    )]
    Tolerant,
}

impl Block {
    /// Reads the block that starts at `at`, and adds its lines to an empty index.
    pub(crate) fn read(
        bytes: &[u8],
        at: usize,
        limits: &Limits,
        path: HeaderPath,
        headers: &mut Headers,
    ) -> Result<Self, LexError> {
        match path {
            HeaderPath::Fast => {
                if let Some(block) = read_fast(bytes, at, limits, headers) {
                    return Ok(block);
                }
                headers.clear();
            }
            HeaderPath::Tolerant => {}
        }
        read_tolerant(bytes, at, limits, headers)
    }

    /// Takes one line, and what it says if it is Content-Length.
    #[inline]
    fn push(
        &mut self,
        headers: &mut Headers,
        bytes: &[u8],
        name: (usize, usize),
        value: (usize, usize),
        folded: bool,
    ) -> Result<(), LexError> {
        let raw_name = bytes.get(name.0..name.1).unwrap_or_default();
        let Ok(name_len) = u16::try_from(raw_name.len()) else {
            return Err((ParseErrorKind::HeaderLineTooLong, name.0));
        };
        let known = Name::parse(raw_name);
        if known == Name::ContentLength {
            self.content_length(bytes.get(value.0..value.1).unwrap_or_default(), value.0)?;
        }
        headers.push(Entry {
            start: offset(name.0),
            value: offset(value.0),
            value_end: offset(value.1),
            name_len,
            name: known,
            folded,
        });
        Ok(())
    }

    fn content_length(&mut self, value: &[u8], at: usize) -> Result<(), LexError> {
        let length = decimal(value).ok_or((ParseErrorKind::ContentLength, at))?;
        match self.content_length {
            Some((other, _)) if other != length => Err((ParseErrorKind::ContentLength, at)),
            _ => {
                self.content_length = Some((length, at));
                Ok(())
            }
        }
    }
}

/// How many headers the fast path takes: a larger array costs every message its set-up.
const FAST_HEADERS: usize = 32;

/// Reads the block with `httparse`. `None`: the tolerant lexer must say.
fn read_fast(bytes: &[u8], at: usize, limits: &Limits, headers: &mut Headers) -> Option<Block> {
    let block = bytes.get(at..)?;
    let mut parsed = [httparse::EMPTY_HEADER; FAST_HEADERS];
    let Ok(httparse::Status::Complete((length, parsed))) =
        httparse::parse_headers(block, &mut parsed)
    else {
        return None;
    };
    if parsed.len() > limits.headers {
        return None;
    }
    let end = at.checked_add(length)?;
    let base = bytes.as_ptr().addr();
    let mut out = Block::default();
    let mut line = None;
    for header in parsed {
        let start = header.name.as_ptr().addr().checked_sub(base)?;
        let value = header.value.as_ptr().addr().checked_sub(base)?;
        if let Some(line) = line {
            check_line(bytes, line, start, limits)?;
        }
        line = Some(start);
        let name = (start, start.checked_add(header.name.len())?);
        let value = (value, value.checked_add(header.value.len())?);
        out.push(headers, bytes, name, value, false).ok()?;
    }
    let empty_line = end.checked_sub(2)?;
    if bytes.get(empty_line..end) != Some(b"\r\n".as_slice()) {
        return None;
    }
    if let Some(line) = line {
        check_line(bytes, line, empty_line, limits)?;
    }
    out.end = end;
    Some(out)
}

/// `httparse` ends a line at a bare LF too; a CR inside a line it refuses. So a CR in the last
/// place but one means CRLF.
fn check_line(bytes: &[u8], start: usize, next: usize, limits: &Limits) -> Option<()> {
    let crlf = bytes.get(next.checked_sub(2)?) == Some(&b'\r');
    (crlf && next.checked_sub(start)? <= limits.header_line_bytes).then_some(())
}

/// Reads the block with the tolerant lexer.
fn read_tolerant(
    bytes: &[u8],
    mut at: usize,
    limits: &Limits,
    headers: &mut Headers,
) -> Result<Block, LexError> {
    let mut out = Block::default();
    loop {
        match lexer::line(bytes, at)? {
            Line::End { next } => {
                out.end = next;
                return Ok(out);
            }
            Line::Header(header) => {
                if headers.len() >= limits.headers {
                    return Err((ParseErrorKind::TooManyHeaders, at));
                }
                if header.next.saturating_sub(at) > limits.header_line_bytes {
                    return Err((ParseErrorKind::HeaderLineTooLong, at));
                }
                out.push(headers, bytes, header.name, header.value, header.folded)?;
                at = header.next;
            }
        }
    }
}

/// A number of digits alone; `None` if it is not one, or does not fit.
pub(crate) fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |sum, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10)?;
        sum.checked_mul(10)?.checked_add(usize::from(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(block: &[u8], path: HeaderPath) -> Result<(Block, Headers), LexError> {
        let mut headers = Headers::new();
        let block = Block::read(block, 0, &Limits::DEFAULT, path, &mut headers)?;
        Ok((block, headers))
    }

    fn fast(block: &[u8]) -> Option<(Block, Headers)> {
        let mut headers = Headers::new();
        let block = read_fast(block, 0, &Limits::DEFAULT, &mut headers)?;
        Some((block, headers))
    }

    /// Pieces that make and break header lines.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"\r\n".to_vec()),
            1 => Just(b"\n".to_vec()),
            1 => Just(b"\r".to_vec()),
            4 => Just(b": ".to_vec()),
            2 => Just(b":".to_vec()),
            2 => Just(b" ".to_vec()),
            1 => Just(b"\t".to_vec()),
            4 => Just(b"Via".to_vec()),
            2 => Just(b"l: 5".to_vec()),
            2 => Just(b"Content-Length: 5".to_vec()),
            2 => Just(b"x#y".to_vec()),
            2 => prop::collection::vec(any::<u8>(), 0..4),
            2 => "[a-zA-Z0-9<>@;=, ]{0,40}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..24)
            .prop_map(|all| [all.concat(), b"\r\n\r\n".to_vec()].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn both_paths_give_the_same_index(block in pieces()) {
            if let Some(fast) = fast(&block) {
                prop_assert_eq!(Ok(fast), read(&block, HeaderPath::Tolerant));
            }
        }

        #[test]
        fn whole_lines_take_the_fast_path(
            lines in prop::collection::vec(("[a-zA-Z-]{1,12}", "[ -~\u{a0}-\u{ff}]{0,60}"), 0..30)
        ) {
            let mut block = String::new();
            for (name, value) in &lines {
                block.push_str(&format!("X{name}: {value}\r\n"));
            }
            block.push_str("\r\n");
            let fast = fast(block.as_bytes());
            prop_assert!(fast.is_some());
            prop_assert_eq!(fast.map(Ok), Some(read(block.as_bytes(), HeaderPath::Tolerant)));
        }
    }

    #[test]
    fn a_bare_line_feed_is_refused_by_both() {
        // 3261-7-04
        for block in [
            &b"A: b\nC: d\r\n\r\n"[..],
            b"A: b\r\n\n",
            b"A: b\n\r\n",
            b"A:\nC: d\r\n\r\n",
            b"\n",
        ] {
            assert_eq!(fast(block), None);
            let error = read(block, HeaderPath::Fast).unwrap_err();
            assert_eq!(
                error.0,
                ParseErrorKind::BareLineBreak,
                "{}",
                block.escape_ascii()
            );
        }
    }

    #[test]
    fn limits_bound_count_and_length_on_both_paths() {
        let limits = Limits {
            headers: 2,
            header_line_bytes: 10,
            ..Limits::DEFAULT
        };
        for (block, expected) in [
            (&b"A: 1\r\nB: 2\r\n\r\n"[..], None),
            (
                b"A: 1\r\nB: 2\r\nC: 3\r\n\r\n",
                Some((ParseErrorKind::TooManyHeaders, 12)),
            ),
            (b"A: 12345\r\n\r\n", None),
            (
                b"A: 1\r\nB: 123456\r\n\r\n",
                Some((ParseErrorKind::HeaderLineTooLong, 6)),
            ),
            (
                b"A: 1\r\n 2345\r\n\r\n",
                Some((ParseErrorKind::HeaderLineTooLong, 0)),
            ),
        ] {
            for path in [HeaderPath::Fast, HeaderPath::Tolerant] {
                let got = Block::read(block, 0, &limits, path, &mut Headers::new());
                assert_eq!(got.err(), expected, "{}", block.escape_ascii());
            }
        }
    }

    #[test]
    fn more_headers_than_the_fast_path_takes_are_read() {
        let block = ["A: 1\r\n".repeat(200).as_bytes(), b"\r\n"].concat();
        assert_eq!(read(&block, HeaderPath::Fast).unwrap().1.len(), 200);
    }

    #[test]
    fn twenty_four_headers_need_no_allocation_and_an_entry_is_small() {
        let block = ["A: 1\r\n".repeat(24).as_bytes(), b"\r\n"].concat();
        assert!(!read(&block, HeaderPath::Fast).unwrap().1.spilled());
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn content_length_is_digits_that_fit_and_agree() {
        // 3261-18.3-09
        let length = |block: &[u8]| read(block, HeaderPath::Fast).map(|(b, _)| b.content_length);
        assert_eq!(length(b"l: 0150\r\n\r\n"), Ok(Some((150, 3))));
        assert_eq!(
            length(b"l: 5\r\nContent-Length: 5\r\n\r\n"),
            Ok(Some((5, 22)))
        );
        for (wrong, at) in [
            (&b"l: \r\n\r\n"[..], 3),
            (b"l: -999\r\n\r\n", 3),
            (b"l: +9\r\n\r\n", 3),
            (b"l: 1 2\r\n\r\n", 3),
            (b"l: 18446744073709551616\r\n\r\n", 3),
            (b"l: 13\r\nl: 5\r\n\r\n", 10),
        ] {
            let expected = Err((ParseErrorKind::ContentLength, at));
            assert_eq!(length(wrong), expected, "{}", wrong.escape_ascii());
        }
    }
}

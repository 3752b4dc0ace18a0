//! The header block: where each header is.

use smallvec::SmallVec;

use super::Name;
use super::error::ParseErrorKind;
use super::lexer::{self, HeaderLine, LexError, Line};
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
    pub(crate) names: Names,
}

/// Which names occur, and whether a line is folded. What is not there is sure; what is there may be
/// another name, of those that share a bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Names(u64);

impl Names {
    #[inline]
    pub(crate) fn add(&mut self, name: Name) {
        self.0 |= Self::bit(name);
    }

    /// Whether a line may have this name.
    #[inline]
    pub(crate) const fn may_have(self, name: Name) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// Whether a line may be folded.
    #[inline]
    pub(crate) const fn may_be_folded(self) -> bool {
        self.0 & Self::FOLDED != 0
    }

    /// This bit too is a name's.
    const FOLDED: u64 = 1 << 63;

    #[inline]
    const fn bit(name: Name) -> u64 {
        1 << (name as u8 & 63)
    }
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

/// Which lexer takes a line first. Tests compare the two.
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
    #[inline]
    pub(crate) fn read(
        bytes: &[u8],
        mut at: usize,
        limits: &Limits,
        path: HeaderPath,
        headers: &mut Headers,
    ) -> Result<Self, LexError> {
        let mut out = Self::default();
        loop {
            if path == HeaderPath::Fast {
                at = out.read_plain(bytes, at, limits, headers)?;
                let rest = bytes.get(at..);
                if rest.is_some_and(|rest| rest.starts_with(b"\r\n")) {
                    out.end = at.wrapping_add(2);
                    return Ok(out);
                }
            }
            let header = match lexer::line(bytes, at)? {
                Line::Header(header) => header,
                Line::End { next } => {
                    out.end = next;
                    return Ok(out);
                }
            };
            if headers.len() >= limits.headers {
                return Err((ParseErrorKind::TooManyHeaders, at));
            }
            if header.next.saturating_sub(at) > limits.header_line_bytes {
                return Err((ParseErrorKind::HeaderLineTooLong, at));
            }
            out.push(headers, bytes, &header)?;
            at = header.next;
        }
    }

    /// Takes lines of the common form within the limits; says where the first other one starts.
    #[inline]
    fn read_plain(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        limits: &Limits,
        headers: &mut Headers,
    ) -> Result<usize, LexError> {
        let mut rest = bytes.get(at..).unwrap_or_default();
        let mut room = limits.headers.saturating_sub(headers.len());
        while room > 0
            && let Some((line, behind)) = lexer::plain_line(rest)
            && let Some(&next) = behind.first()
        {
            // Offsets in a message of less than 4 GiB: no sum overflows, and 32 bits hold them.
            let len = line.value_end.wrapping_add(2);
            if len > limits.header_line_bytes {
                break;
            }
            let value = at.wrapping_add(line.value);
            if line.name == Name::ContentLength && !lexer::is_blank(next) {
                let digits = rest.get(line.value..line.value_end);
                self.content_length(digits.unwrap_or_default(), value)?;
            }
            self.names.add(line.name);
            headers.push(Entry {
                start: at as u32,
                value: value as u32,
                value_end: at.wrapping_add(line.value_end) as u32,
                name_len: u16::from(line.name_len),
                name: line.name,
                folded: false,
            });
            if next <= b' ' {
                // The block ends, or the line goes on, and was not for here.
                if lexer::is_blank(next) {
                    headers.pop();
                } else {
                    at = at.wrapping_add(len);
                }
                break;
            }
            at = at.wrapping_add(len);
            room = room.wrapping_sub(1);
            rest = behind;
        }
        Ok(at)
    }

    /// Takes one line, and what it says if it is Content-Length.
    fn push(
        &mut self,
        headers: &mut Headers,
        bytes: &[u8],
        header: &HeaderLine,
    ) -> Result<(), LexError> {
        let (start, (value, value_end)) = (header.name.0, header.value);
        let raw_name = header.raw_name(bytes);
        let Ok(name_len) = u16::try_from(raw_name.len()) else {
            return Err((ParseErrorKind::HeaderLineTooLong, start));
        };
        let name = Name::parse(raw_name);
        if name == Name::ContentLength {
            self.content_length(bytes.get(value..value_end).unwrap_or_default(), value)?;
        }
        self.names.add(name);
        if header.folded {
            self.names.0 |= Names::FOLDED;
        }
        headers.push(Entry {
            start: offset(start),
            value: offset(value),
            value_end: offset(value_end),
            name_len,
            name,
            folded: header.folded,
        });
        Ok(())
    }

    // Not built in, so that the lines are read in registers.
    #[inline(never)]
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

    /// Where the name is and what, where the value is and what.
    type Row<'b> = (usize, &'b str, usize, &'b [u8]);

    /// What `httparse` makes of a block: where each name and value is. It ends a line at a bare LF
    /// too, which is refused here; such blocks are left out.
    fn by_httparse(block: &[u8]) -> Option<Vec<Row<'_>>> {
        let bare = |at: usize| {
            at.checked_sub(1)
                .is_none_or(|before| block[before] != b'\r')
        };
        if memchr::memchr_iter(b'\n', block).any(bare) {
            return None;
        }
        let mut parsed = [httparse::EMPTY_HEADER; 64];
        let status = httparse::parse_headers(block, &mut parsed);
        let Ok(httparse::Status::Complete((_, parsed))) = status else {
            return None;
        };
        let base = block.as_ptr().addr();
        let at = |part: *const u8| part.addr().wrapping_sub(base);
        Some(
            parsed
                .iter()
                .map(|h| (at(h.name.as_ptr()), h.name, at(h.value.as_ptr()), h.value))
                .collect(),
        )
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
        fn both_paths_give_the_same_index_or_error(block in pieces()) {
            prop_assert_eq!(read(&block, HeaderPath::Fast), read(&block, HeaderPath::Tolerant));
        }

        #[test]
        fn what_httparse_accepts_has_the_same_index(block in pieces()) {
            let Some(expected) = by_httparse(&block) else {
                return Ok(());
            };
            match read(&block, HeaderPath::Fast) {
                Ok((_, headers)) => {
                    prop_assert_eq!(headers.len(), expected.len());
                    for (entry, (start, name, value, text)) in headers.iter().zip(expected) {
                        prop_assert_eq!(entry.start as usize, start);
                        prop_assert_eq!(usize::from(entry.name_len), name.len());
                        prop_assert_eq!(entry.name, Name::parse(name.as_bytes()));
                        let (from, to) = (entry.value as usize, entry.value_end as usize);
                        prop_assert_eq!(&block[from..to], text);
                        prop_assert!(text.is_empty() || from == value);
                    }
                }
                // What it does not read is the length.
                Err((kind, _)) => prop_assert_eq!(kind, ParseErrorKind::ContentLength),
            }
        }

        #[test]
        fn common_lines_are_plain(
            name in "[!-9;-~]{1,31}",
            value in "([!-~\u{a0}-\u{ff}]([ -~\u{a0}-\u{ff}]{0,60}[!-~\u{a0}-\u{ff}])?)?",
        ) {
            let text = format!("{name}: {value}\r\n\r\nand a body");
            let plain = lexer::plain_line(text.as_bytes()).map(|(line, _)| line);
            match lexer::line(text.as_bytes(), 0) {
                Ok(Line::Header(header)) => prop_assert_eq!(plain, Some(lexer::PlainLine {
                    name: Name::parse(name.as_bytes()),
                    name_len: u8::try_from(header.name.1).unwrap(),
                    value: header.value.0,
                    value_end: header.value.1,
                })),
                _ => prop_assert_eq!(plain, None),
            }
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
            for path in [HeaderPath::Fast, HeaderPath::Tolerant] {
                let kind = read(block, path).unwrap_err().0;
                let expected = ParseErrorKind::BareLineBreak;
                assert_eq!(kind, expected, "{}", block.escape_ascii());
            }
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

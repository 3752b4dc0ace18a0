//! Multipart bodies: finding the parts (RFC 2046 5.1.1).

use core::fmt;

use memchr::memmem;

use super::super::ContentType;
use super::part::Part;
use super::{BodyError, BodyErrorKind};

/// The longest boundary (2046 5.1.1).
const LONGEST: usize = 70;

/// A body of several parts. What stands before the first and behind the last is left out.
///
/// ```
/// use drongo::message::{ContentType, Multipart};
///
/// let kind = ContentType::parse(b"multipart/mixed;boundary=\"b 1\"").unwrap();
/// let body = b"--b 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b 1\r\n\r\nhello\r\n--b 1--\r\n";
/// let multipart = Multipart::parse(&kind, body)?;
/// let contents: Result<Vec<_>, _> = multipart.parts().map(|p| p.map(|p| p.content())).collect();
/// assert_eq!(contents?, [&b"v=0\r\n"[..], b"hello"]);
/// # Ok::<(), drongo::message::BodyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Multipart<'a> {
    delimiter: Delimiter,
    /// From behind the first delimiter line.
    first: &'a [u8],
    body: &'a [u8],
    alternative: bool,
}

impl<'a> Multipart<'a> {
    /// Reads a body of that type, with any subtype.
    ///
    /// # Errors
    ///
    /// [`Boundary`](BodyErrorKind::Boundary) or [`NoPart`](BodyErrorKind::NoPart).
    pub fn parse(content_type: &ContentType<'_>, body: &'a [u8]) -> Result<Self, BodyError> {
        let delimiter = Delimiter::of(content_type);
        let delimiter = delimiter.ok_or(BodyError::new(BodyErrorKind::Boundary, 0))?;
        let none = BodyError::new(BodyErrorKind::NoPart, body.len());
        // The first boundary may stand at the very start.
        let start = match delimiter.at_start(body) {
            Some(hit) => hit,
            None => delimiter.find(body).ok_or(none)?,
        };
        if start.closes {
            return Err(none);
        }
        Ok(Self {
            delimiter,
            first: body.get(start.end..).unwrap_or_default(),
            body,
            alternative: content_type.subtype().eq_ignore_ascii_case("alternative"),
        })
    }

    /// The parts in order. A part that cannot be read, or the last one if it is not closed, comes
    /// as an error, and nothing after it.
    pub const fn parts(&self) -> Parts<'a> {
        Parts {
            delimiter: self.delimiter,
            rest: Some(self.first),
            whole: self.body.len(),
        }
    }

    /// Whether the parts are versions of one thing, of which the last that is understood counts
    /// (2046 5.1.4). Any other subtype is read as `mixed` (5621 4.2).
    pub const fn is_alternative(&self) -> bool {
        self.alternative
    }

    /// The boundary.
    pub fn boundary(&self) -> &[u8] {
        self.delimiter.dashed().get(2..).unwrap_or_default()
    }
}

impl fmt::Debug for Multipart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

/// The parts of a body in order.
#[derive(Clone)]
pub struct Parts<'a> {
    delimiter: Delimiter,
    rest: Option<&'a [u8]>,
    whole: usize,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, BodyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let offset = self.whole.saturating_sub(rest.len());
        let unclosed = BodyError::new(BodyErrorKind::Unclosed, offset);
        // A part without headers and content: the next boundary stands at its start.
        let hit = self
            .delimiter
            .at_start(rest)
            .or_else(|| self.delimiter.find(rest));
        let Some(hit) = hit else {
            return Some(Err(unclosed));
        };
        let part = Part::read(rest.get(..hit.start).unwrap_or_default(), offset);
        if part.is_ok() && !hit.closes {
            self.rest = rest.get(hit.end..);
        }
        Some(part)
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// A delimiter line: where the part before it ends, and where what follows begins.
#[derive(Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    closes: bool,
}

/// `--` and the boundary, in a place of fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Delimiter {
    bytes: [u8; LONGEST + 2],
    len: usize,
}

impl Delimiter {
    fn of(content_type: &ContentType<'_>) -> Option<Self> {
        let boundary = content_type.params().get("boundary")?.unquoted()?;
        let allowed = |&b: &u8| b.is_ascii_graphic() || b == b' ';
        let good = boundary.iter().all(allowed) && boundary.last().is_some_and(|&b| b != b' ');
        if !good
            || boundary.len() > LONGEST
            || !content_type.kind().eq_ignore_ascii_case("multipart")
        {
            return None;
        }
        let mut bytes = [b'-'; LONGEST + 2];
        let len = boundary.len().saturating_add(2);
        bytes.get_mut(2..len)?.copy_from_slice(&boundary);
        Some(Self { bytes, len })
    }

    fn dashed(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// A delimiter line at the very start.
    fn at_start(&self, bytes: &[u8]) -> Option<Hit> {
        let tail = bytes.strip_prefix(self.dashed())?;
        Some(self.line(0, self.len, tail)?)
    }

    /// The first delimiter line behind a CRLF, which belongs to it. Linear: what is no delimiter is
    /// looked at again at most as far as its padding.
    fn find(&self, bytes: &[u8]) -> Option<Hit> {
        for at in memmem::find_iter(bytes, self.dashed()) {
            let Some(start) = at.checked_sub(2) else {
                continue;
            };
            let end = at.saturating_add(self.len);
            if bytes.get(start..at) == Some(b"\r\n")
                && let Some(hit) = self.line(start, end, bytes.get(end..).unwrap_or_default())
            {
                return Some(hit);
            }
        }
        None
    }

    /// The rest of a delimiter line: perhaps `--`, padding, and a line break or the end.
    fn line(&self, start: usize, end: usize, tail: &[u8]) -> Option<Hit> {
        let (tail, closes) = match tail.strip_prefix(b"--") {
            Some(tail) => (tail, true),
            None => (tail, false),
        };
        let padding = tail
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let after = tail.get(padding..).unwrap_or_default();
        let line_break = if after.starts_with(b"\r\n") {
            2
        } else if after.is_empty() && closes {
            0
        } else {
            return None;
        };
        let dashes = if closes { 2 } else { 0 };
        let end = end.saturating_add(dashes).saturating_add(padding);
        Some(Hit {
            start,
            end: end.saturating_add(line_break),
            closes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Name;

    fn contents<'a>(boundary: &str, body: &'a str) -> Result<Vec<&'a str>, BodyErrorKind> {
        let text = format!("multipart/mixed;boundary=\"{boundary}\"");
        let kind = ContentType::parse(text.as_bytes()).unwrap();
        let multipart = Multipart::parse(&kind, body.as_bytes()).map_err(|e| e.kind)?;
        assert_eq!(multipart.boundary(), boundary.as_bytes());
        let parts = multipart.parts().map(|part| {
            let part = part.map_err(|e| e.kind)?;
            Ok(core::str::from_utf8(part.content()).unwrap())
        });
        parts.collect()
    }

    #[test]
    fn the_example_of_the_rfc_is_split() {
        // From RFC 2046 5.1.1.
        let body = "This is the preamble.\r\n--simple boundary\r\n\r\nThis is implicitly typed.\r\n\
            It does NOT end with a linebreak.\r\n--simple boundary\r\n\
            Content-type: text/plain; charset=us-ascii\r\n\r\nIt DOES end with a linebreak.\r\n\r\n\
            --simple boundary--\r\n\r\nThis is the epilogue.";
        assert_eq!(
            contents("simple boundary", body).unwrap(),
            [
                "This is implicitly typed.\r\nIt does NOT end with a linebreak.",
                "It DOES end with a linebreak.\r\n"
            ]
        );
    }

    #[test]
    fn delimiters_are_whole_lines() {
        for (body, expected) in [
            ("--b\r\n\r\n1\r\n--b--", vec!["1"]),
            (
                "--b \t\r\n\r\n1\r\n--b\t\r\n\r\n2\r\n--b-- \r\n",
                vec!["1", "2"],
            ),
            (
                "--b\r\n\r\n1 --b\r\n--bc\r\n --b\r\n--b--",
                vec!["1 --b\r\n--bc\r\n --b"],
            ),
            ("--b\r\n\r\na\n--b\nc\r\n--b--", vec!["a\n--b\nc"]),
            ("--b\r\n\r\n\r\n--b\r\n\r\n--b--", vec!["", ""]),
            ("--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n--b--", vec!["1"]),
            ("--b\r\nX: y\r\n--b\r\n--b--", vec!["", ""]),
        ] {
            assert_eq!(contents("b", body), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_closed_is_an_error() {
        for (body, kind) in [
            ("", BodyErrorKind::NoPart),
            ("--c\r\n\r\n1\r\n--c--", BodyErrorKind::NoPart),
            ("--b--\r\n", BodyErrorKind::NoPart),
            ("--b\r\n\r\n1", BodyErrorKind::Unclosed),
            ("--b\r\n\r\n1\r\n--b", BodyErrorKind::Unclosed),
            ("--b\r\nno colon\r\n\r\n1\r\n--b--", BodyErrorKind::Field),
        ] {
            assert_eq!(contents("b", body), Err(kind), "{body:?}");
        }
    }

    #[test]
    fn a_boundary_is_up_to_seventy_bytes_and_does_not_end_in_a_space() {
        let long = "x".repeat(70);
        let body = format!("--{long}\r\n\r\n1\r\n--{long}--");
        assert_eq!(contents(&long, &body), Ok(vec!["1"]));
        for text in [
            "multipart/mixed",
            "multipart/mixed;boundary",
            "multipart/mixed;boundary=\"\"",
            "multipart/mixed;boundary=\"a \"",
            "multipart/mixed;boundary=\"a\\\x01\"",
            &format!("multipart/mixed;boundary={long}y"),
            "text/plain;boundary=a",
        ] {
            let kind = ContentType::parse(text.as_bytes()).unwrap();
            let error = Multipart::parse(&kind, b"--a\r\n\r\n--a--").unwrap_err();
            assert_eq!(error.kind, BodyErrorKind::Boundary, "{text:?}");
        }
    }

    #[test]
    fn headers_of_a_part_are_named() {
        let kind = ContentType::parse(b"Multipart/Related;boundary=b").unwrap();
        let body = b"--b\r\nc: application/sdp\r\nContent-ID: <1@a>\r\nX-y : z\r\n\r\nv=0\r\n--b--";
        let multipart = Multipart::parse(&kind, body).unwrap();
        let part = multipart.parts().next().unwrap().unwrap();
        assert!(part.content_type().unwrap().is("application", "sdp"));
        assert_eq!(part.content_id(), Some(&b"1@a"[..]));
        assert_eq!(part.first("x-Y"), Some(&b"z"[..]));
        let names: Vec<_> = part.fields().map(|field| field.unwrap().name).collect();
        assert_eq!(names, [Name::ContentType, Name::ContentId, Name::Other]);
    }
}

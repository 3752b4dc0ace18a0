//! Comma lists.

use super::scan::{Cursor, ascii, is_token, trim};
use super::value_error::{ValueError, ValueErrorKind};

/// Splits a list header at its commas: Via, Contact, Route, Record-Route, and others whose values
/// may hold quoted strings and angle brackets, in which a comma is data (3261 7.3).
///
/// Elements come without surrounding white space; empty ones are skipped. What is not closed runs
/// to the end, so that it fails where it is read. Parentheses mean nothing here: the headers with
/// comments (Retry-After, Server, User-Agent) are not lists, and a URI may hold one that is never
/// closed. Linear in the length of the value.
///
/// ```
/// use drongo::message::split_commas;
///
/// let row = br#""Bell, A" <sip:a@b;x=1,2>;q=1 , <sip:c@d>,"#;
/// let values: Vec<_> = split_commas(row).collect();
/// assert_eq!(values, [&br#""Bell, A" <sip:a@b;x=1,2>;q=1"#[..], b"<sip:c@d>"]);
/// ```
pub const fn split_commas(value: &[u8]) -> SplitCommas<'_> {
    SplitCommas {
        rest: value,
        plain: false,
    }
}

/// Splits a list of Call-IDs at its commas (In-Reply-To). A quote or a bracket in a Call-ID opens
/// nothing (3261 20.8), so every comma separates.
pub const fn split_call_ids(value: &[u8]) -> SplitCommas<'_> {
    SplitCommas {
        rest: value,
        plain: true,
    }
}

/// The elements of a list.
#[derive(Clone, Debug)]
pub struct SplitCommas<'a> {
    rest: &'a [u8],
    plain: bool,
}

impl<'a> Iterator for SplitCommas<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            // Empty elements, at a step each, since they may be all there is.
            while let [b',' | b' ' | b'\t', tail @ ..] = self.rest {
                self.rest = tail;
            }
            if self.rest.is_empty() {
                return None;
            }
            let len = if self.plain {
                memchr::memchr(b',', self.rest).unwrap_or(self.rest.len())
            } else {
                element_len(self.rest)
            };
            let (element, tail) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
            self.rest = tail.get(1..).unwrap_or(&[]);
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// The tokens of a list: option tags of Require and Supported, methods of Allow.
///
/// An element that is not a token comes as an error, because a Require that cannot be read must
/// not be ignored.
///
/// ```
/// use drongo::message::Tokens;
///
/// let supported = Tokens::new(b"100rel, timer");
/// assert!(supported.contains("Timer"));
/// assert_eq!(supported.collect::<Result<Vec<_>, _>>().unwrap(), ["100rel", "timer"]);
/// ```
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    value: &'a [u8],
    elements: SplitCommas<'a>,
}

impl<'a> Tokens<'a> {
    /// The tokens of one row. An empty row has none.
    pub const fn new(value: &'a [u8]) -> Self {
        Self {
            value,
            elements: split_call_ids(value),
        }
    }

    /// Whether the token is among those that are left, without regard to case.
    pub fn contains(&self, token: &str) -> bool {
        self.clone()
            .flatten()
            .any(|other| other.eq_ignore_ascii_case(token))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<&'a str, ValueError>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.elements.rest;
        let element = self.elements.next()?;
        let token = ascii(element).filter(|_| is_token(element));
        let offset = self.value.len().saturating_sub(before.len());
        Some(token.ok_or(ValueError::new(ValueErrorKind::Token, offset)))
    }
}

/// Whether a row lists this token: what [`Tokens::contains`] says, without looking at what the
/// others are made of.
pub(super) fn has_token(row: &[u8], token: &str) -> bool {
    let mut elements = row.split(|b| *b == b',');
    elements.any(|element| trim(element).eq_ignore_ascii_case(token.as_bytes()))
}

/// The length of the first element, up to its comma or the end.
fn element_len(bytes: &[u8]) -> usize {
    if memchr::memchr(b',', bytes).is_none() {
        return bytes.len();
    }
    let mut cursor = Cursor::new(bytes);
    loop {
        cursor.take_while(|b| !matches!(b, b',' | b'"' | b'<'));
        match cursor.peek() {
            Some(b'"') => {
                if cursor.quoted().is_err() {
                    return bytes.len();
                }
            }
            Some(b'<') => {
                cursor.take_while(|b| b != b'>');
                cursor.take(1);
            }
            Some(_) | None => return cursor.offset(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(row: &str) -> Vec<&str> {
        split_commas(row.as_bytes())
            .map(|e| core::str::from_utf8(e).unwrap())
            .collect()
    }

    #[test]
    fn commas_in_quotes_and_brackets_are_data() {
        // 3261-7.3-02, 3261-25.1-11, 3261-20.10-06
        assert_eq!(
            split("\"a,<b\" <sip:a,b@c>;x=\"1,2\", <sip:d@e>,f"),
            ["\"a,<b\" <sip:a,b@c>;x=\"1,2\"", "<sip:d@e>", "f"]
        );
        // An escaped quote does not end the string.
        assert_eq!(
            split(r#""a\",b" <sip:c@d>, e"#),
            [r#""a\",b" <sip:c@d>"#, "e"]
        );
        assert_eq!(split(r#""a\\",b"#), [r#""a\\""#, "b"]);
    }

    #[test]
    fn parentheses_are_ordinary_outside_of_comment_headers() {
        // 3261-25.1-15, 3261-25.1-16
        assert_eq!(
            split("<sip:(a@b>, sip:c(@d, e"),
            ["<sip:(a@b>", "sip:c(@d", "e"]
        );
    }

    #[test]
    fn a_token_is_found_among_those_that_are_read() {
        for row in [
            "",
            ",",
            "timer",
            " TIMER\t",
            "100rel,timer",
            "100rel ,\r\n Timer, x",
            "timers",
            "a timer, b",
            "\"timer\"",
            "tim,er",
        ] {
            let read = Tokens::new(row.as_bytes()).contains("timer");
            assert_eq!(has_token(row.as_bytes(), "timer"), read, "{row}");
        }
    }

    #[test]
    fn empty_elements_and_white_space_are_skipped() {
        assert_eq!(split(" ,, a ,\r\n b\t,"), ["a", "b"]);
        assert_eq!(split(""), [""; 0]);
    }

    #[test]
    fn what_is_not_closed_runs_to_the_end() {
        assert_eq!(split("a, \"b, c"), ["a", "\"b, c"]);
        assert_eq!(split("a, <b, c"), ["a", "<b, c"]);
    }

    #[test]
    fn a_quote_in_a_call_id_opens_nothing() {
        // 3261-20.8-03, 3261-20.21-01
        let ids: Vec<_> = split_call_ids(b"a\"b@c, <d, (e@f").collect();
        assert_eq!(ids, [&b"a\"b@c"[..], b"<d", b"(e@f"]);
    }

    #[test]
    fn tokens_compare_without_case_and_errors_are_seen() {
        // 3261-19.2-01, 3261-20.37-01
        assert!(Tokens::new(b"timer , 100rel").contains("100REL"));
        assert_eq!(Tokens::new(b"").next(), None);
        let all: Vec<_> = Tokens::new(b"a, b c, d").collect();
        assert_eq!(all[0], Ok("a"));
        assert_eq!(all[1], Err(ValueError::new(ValueErrorKind::Token, 2)));
        assert_eq!(all[2], Ok("d"));
    }
}

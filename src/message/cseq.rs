//! CSeq and RAck.

use core::fmt;

use super::method::Method;
use super::plain;
use super::scan::{Cursor, digits_u32, trim};
use super::value_error::ValueError;

/// A CSeq value: `4711 INVITE` (3261 20.16).
///
/// The number is accepted up to 4,294,967,295, because section 20.16 only says that it fits in 32
/// bits; one that we choose stays below 2,147,483,648 (3261 8.1.1.5).
///
/// ```
/// use drongo::message::{CSeq, Method};
///
/// let cseq = CSeq::parse(b"0009\r\n  INVITE").unwrap();
/// assert_eq!(cseq, CSeq { number: 9, method: Method::Invite });
/// assert_eq!(cseq.to_string(), "9 INVITE");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the grammar is a number and a method"
)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method. It is case-sensitive.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// [`Number`](super::ValueErrorKind::Number), [`Overflow`](super::ValueErrorKind::Overflow) or
    /// [`Token`](super::ValueErrorKind::Token).
    #[inline]
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        match plain(value) {
            Some((number, method)) => Ok(Self { number, method }),
            None => Self::parse_any(value),
        }
    }

    pub(super) fn parse_any(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        let number = number(&mut cursor)?;
        let method = method(cursor)?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// A RAck value: which reliable provisional response is acknowledged (3262 7.2).
///
/// ```
/// use drongo::message::{Method, RAck};
///
/// let rack = RAck::parse(b"776656 1 INVITE").unwrap();
/// assert_eq!((rack.rseq, rack.cseq, rack.method), (776_656, 1, Method::Invite));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the grammar is two numbers and a method"
)]
pub struct RAck<'a> {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq number of the response.
    pub cseq: u32,
    /// CSeq method of the response. It is case-sensitive.
    pub method: Method<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// [`Number`](super::ValueErrorKind::Number), [`Overflow`](super::ValueErrorKind::Overflow) or
    /// [`Token`](super::ValueErrorKind::Token).
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        let rseq = number(&mut cursor)?;
        let cseq = number(&mut cursor)?;
        let method = method(cursor)?;
        Ok(Self { rseq, cseq, method })
    }
}

impl fmt::Display for RAck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Digits, one space and a method; `None` for all else.
#[inline]
pub(super) fn plain(value: &[u8]) -> Option<(u32, Method<'_>)> {
    let (number, method) = plain_front(value, value.len())?;
    Some((number, Method::parse(method).ok()?))
}

/// Digits, one space and what may be a method, which are the front of the text, of that length.
#[inline]
pub(super) fn plain_front(text: &[u8], len: usize) -> Option<(u32, &[u8])> {
    let (number, rest) = plain::digits(text)?;
    let digits = text.len().checked_sub(rest.len())?;
    let method = rest.get(..len.checked_sub(digits)?)?.strip_prefix(b" ")?;
    Some((u32::try_from(number).ok()?, method))
}

/// Digits up to white space.
fn number(cursor: &mut Cursor<'_>) -> Result<u32, ValueError> {
    cursor.skip_lws();
    let start = *cursor;
    let digits = cursor.take_while(|b| !super::scan::is_space(b));
    digits_u32(digits).map_err(|kind| start.error(kind))
}

/// The rest of the value.
fn method(mut cursor: Cursor<'_>) -> Result<Method<'_>, ValueError> {
    cursor.skip_lws();
    Method::parse(trim(cursor.rest())).map_err(|e| e.shifted(cursor.offset()))
}

#[cfg(test)]
mod tests {
    use super::super::value_error::ValueErrorKind;
    use super::*;

    fn kind(text: &str) -> ValueErrorKind {
        CSeq::parse(text.as_bytes()).expect_err(text).kind
    }

    #[test]
    fn the_number_fits_in_32_bits() {
        // 3261-20.16-01, 3261-20.16-06, 3261-20.16-07
        let number = |text: &'static str| CSeq::parse(text.as_bytes()).unwrap().number;
        assert_eq!(number("0 INVITE"), 0);
        assert_eq!(number("2147483648 INVITE"), 1 << 31);
        assert_eq!(number("4294967295 INVITE"), u32::MAX);
        assert_eq!(kind("4294967296 INVITE"), ValueErrorKind::Overflow);
        assert_eq!(
            kind("36893488147419103232 REGISTER"),
            ValueErrorKind::Overflow
        );
        assert_eq!(kind("-1 INVITE"), ValueErrorKind::Number);
        assert_eq!(kind("INVITE"), ValueErrorKind::Number);
        assert_eq!(kind(""), ValueErrorKind::Number);
    }

    #[test]
    fn zeros_and_folds_are_legal_and_the_method_is_exact() {
        // 3261-20.16-02, 3261-20.16-03, 3261-20.16-04
        let cseq = CSeq::parse(b" 0009\r\n  INVITE ").unwrap();
        assert_eq!(
            cseq,
            CSeq {
                number: 9,
                method: Method::Invite
            }
        );
        assert_eq!(
            CSeq::parse(b"9 invite").unwrap().method,
            Method::Other("invite")
        );
        for text in ["9", "9 ", "9INVITE", "9 IN VITE", "9 INVITE;x"] {
            assert!(CSeq::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn rack_compares_its_method_with_case() {
        // 3262-7.2-01
        let rack = |text: &'static str| RAck::parse(text.as_bytes()).unwrap();
        assert_eq!(rack("1 2 INVITE").to_string(), "1 2 INVITE");
        assert_ne!(rack("1 2 INVITE"), rack("1 2 invite"));
        for text in [
            "",
            "1",
            "1 2",
            "1 INVITE",
            "1 2 3 INVITE",
            "1 4294967296 INVITE",
        ] {
            assert!(RAck::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

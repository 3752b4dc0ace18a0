//! CSeq and RAck.

use core::fmt;

use super::method::Method;
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
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
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

//! Media types: Content-Type, and the ranges of Accept.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::params::Params;
use super::print::{Pieces, writes};
use super::scan::Cursor;
use super::value_error::{ValueError, ValueErrorKind};

/// A media type with its parameters: `multipart/mixed;boundary="a b"` (3261 20.15).
///
/// Type and subtype compare without case, parameters as a set. As a value of Accept, either may be
/// `*`.
///
/// ```
/// use drongo::message::ContentType;
///
/// let a = ContentType::parse(b"Application/SDP;charset=utf-8").unwrap();
/// assert!(a.is("application", "sdp"));
/// assert_eq!(Ok(a), ContentType::parse(b"application / sdp ; CHARSET=UTF-8"));
/// ```
#[derive(Clone, Copy)]
pub struct ContentType<'a> {
    kind: &'a str,
    subtype: &'a str,
    params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// `application/sdp`.
    pub const SDP: ContentType<'static> = ContentType::new("application", "sdp");

    pub(crate) const fn new(kind: &'a str, subtype: &'a str) -> Self {
        Self {
            kind,
            subtype,
            params: Params::EMPTY,
        }
    }

    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let kind = cursor.token()?;
        cursor.skip_lws();
        if !cursor.eat(b'/') {
            return Err(cursor.error(ValueErrorKind::Unexpected));
        }
        cursor.skip_lws();
        let subtype = cursor.token()?;
        cursor.skip_lws();
        let params = Params::parse(cursor.rest()).map_err(|e| e.shifted(cursor.offset()))?;
        Ok(Self {
            kind,
            subtype,
            params,
        })
    }

    /// The type as it came, for example `application`.
    pub const fn kind(&self) -> &'a str {
        self.kind
    }

    /// The subtype as it came, for example `sdp`.
    pub const fn subtype(&self) -> &'a str {
        self.subtype
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// Whether this is that type and subtype, whatever its parameters.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this range of an Accept header admits that type, whatever its parameters.
    pub fn admits(&self, other: &ContentType<'_>) -> bool {
        let fits = |range: &str, name: &str| range == "*" || range.eq_ignore_ascii_case(name);
        fits(self.kind, other.kind) && fits(self.subtype, other.subtype)
    }
}

impl PartialEq for ContentType<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.kind, other.subtype) && self.params.equivalent(&other.params)
    }
}

impl Eq for ContentType<'_> {}

impl Hash for ContentType<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for b in self.kind.bytes().chain(*b"/").chain(self.subtype.bytes()) {
            state.write_u8(b.to_ascii_lowercase());
        }
    }
}

impl Pieces for ContentType<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        for part in [self.kind, "/", self.subtype] {
            out(part.as_bytes());
        }
        self.params.pieces(out);
    }
}

writes!(ContentType<'_>);

impl fmt::Debug for ContentType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentType({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(text: &str) -> ContentType<'_> {
        ContentType::parse(text.as_bytes()).expect(text)
    }

    #[test]
    fn type_and_subtype_compare_without_case_and_quoted_values_with() {
        // 3261-20.15-03, 3261-20.15-04
        assert_eq!(media("Application/SDP"), ContentType::SDP);
        assert_eq!(
            media("text/html; charset=ISO-8859-4"),
            media("text / HTML;Charset=iso-8859-4")
        );
        assert_ne!(
            media("multipart/mixed;boundary=\"a\""),
            media("multipart/mixed;boundary=\"A\"")
        );
        let boundary = |text| {
            media(text)
                .params()
                .get("boundary")
                .unwrap()
                .unquoted()
                .unwrap()
        };
        assert_eq!(&*boundary("multipart/mixed;boundary=\"a b\""), b"a b");
        assert_eq!(&*boundary("multipart/mixed;boundary=ab"), b"ab");
    }

    #[test]
    fn a_range_of_accept_admits_types() {
        // 3261-20.1-01
        assert!(media("*/*").admits(&ContentType::SDP));
        assert!(media("application/*;q=0.3").admits(&ContentType::SDP));
        assert!(!media("text/*").admits(&ContentType::SDP));
        assert!(!media("application/pidf+xml").admits(&ContentType::SDP));
    }

    #[test]
    fn what_is_not_a_media_type_is_refused() {
        for text in [
            "",
            "application",
            "application/",
            "/sdp",
            "a/b/c",
            "a/b c",
            "a b/c",
        ] {
            assert!(ContentType::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

//! Addresses: the values of To, From, Contact, Route, Record-Route, Refer-To and their like.

use alloc::borrow::Cow;
use core::fmt;

use super::params::{Params, unquote};
use super::plain;
use super::print::{Pieces, unfolded, writes};
use super::scan::{Cursor, digits_u32, is_space, is_token_byte, is_visible, trim};
use super::sip_uri::SipUri;
use super::uri::Uri;
use super::value_error::{ValueError, ValueErrorKind};

/// One address with its header parameters: `"Bob" <sip:bob@biloxi.com>;tag=a6c85cf`.
///
/// Without angle brackets, everything from the first `;` belongs to the header and not to the URI
/// (3261 20.10). It is always written with them.
///
/// ```
/// use drongo::message::NameAddr;
///
/// let from = NameAddr::parse(br#""Bell, <A>" <sip:agb@bell.com;lr>;tag=887s"#).unwrap();
/// assert_eq!(&*from.display_name().unwrap(), b"Bell, <A>");
/// assert_eq!(from.uri().as_bytes(), b"sip:agb@bell.com;lr");
/// assert_eq!(from.tag(), Some("887s"));
///
/// let bare = NameAddr::parse(b"sip:bob@biloxi.com;tag=1").unwrap();
/// assert_eq!(bare.to_string(), "<sip:bob@biloxi.com>;tag=1");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NameAddr<'a> {
    display: Option<&'a [u8]>,
    uri: Uri<'a>,
    bracketed: bool,
    params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value: not a list, and not `*`.
    ///
    /// Beyond the grammar, a display name without quotes may hold any visible byte that cannot be
    /// taken for the end of something, and white space inside the angle brackets is dropped.
    ///
    /// # Errors
    ///
    /// What is wrong, and where. A bare URI with `?` or `,` is refused: it needs angle brackets.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        match Self::plain(value, value.len()) {
            Some(address) => Ok(address),
            None => Self::parse_any(value),
        }
    }

    /// The tag of a whole value that may be parsed; the errors are those of
    /// [`parse`](Self::parse).
    pub(crate) fn tag_of(value: &'a [u8]) -> Result<Option<&'a [u8]>, ValueError> {
        Self::tag_of_front(value, value.len())
    }

    /// The tag of the value of that length that is the front of the text.
    #[inline]
    pub(crate) fn tag_of_front(text: &'a [u8], len: usize) -> Result<Option<&'a [u8]>, ValueError> {
        match plain_tag(text, len) {
            Some(tag) => Ok(tag),
            None => {
                let value = text.get(..len).unwrap_or(text);
                Self::parse(value).map(|address| address.tag().map(str::as_bytes))
            }
        }
    }

    /// The URI of a value that is nothing but a SIP URI of the common form in angle brackets.
    pub(crate) fn uri_alone(value: &'a [u8]) -> Option<Uri<'a>> {
        match SipUri::plain_front(value.strip_prefix(b"<")?) {
            Some((uri, b">")) => Some(Uri::Sip(uri)),
            Some(_) | None => None,
        }
    }

    /// The front of the text, of that length, if it is of the common form.
    #[inline]
    pub(super) fn plain(text: &'a [u8], len: usize) -> Option<Self> {
        let (display, inner) = behind_display(text)?;
        let (uri, params) = match SipUri::plain_front(inner) {
            Some((uri, [b'>', params @ ..])) => (Uri::Sip(uri), params),
            _ => {
                // Not beyond the value.
                let behind = text.len().checked_sub(len)?;
                let value = inner.get(..inner.len().checked_sub(behind)?)?;
                let close = memchr::memchr(b'>', value)?;
                let uri = value.get(..close)?;
                (Uri::parse(uri).ok()?, inner.get(close.checked_add(1)?..)?)
            }
        };
        let (_, rest) = tag_among(params)?;
        if !plain::has_read(text, len, rest) {
            return None;
        }
        let params = params.get(..params.len().saturating_sub(rest.len()))?;
        Some(Self {
            display,
            uri,
            bracketed: true,
            params: Params::of_header(params),
        })
    }

    pub(super) fn parse_any(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        if cursor.is_at_end() {
            return Err(cursor.error(ValueErrorKind::Empty));
        }
        let display = if cursor.peek() == Some(b'"') {
            let quoted = cursor.quoted()?;
            cursor.skip_lws();
            if cursor.peek() != Some(b'<') {
                return Err(cursor.error(ValueErrorKind::Angle));
            }
            Some(quoted)
        } else {
            let mut ahead = cursor;
            let start = ahead;
            let name = ahead.take_while(|b| !matches!(b, b'<' | b';' | b'"' | b','));
            if ahead.peek() == Some(b'<') {
                cursor = ahead;
                check_display(trim(name)).map_err(|kind| start.error(kind))?;
                Some(trim(name)).filter(|name| !name.is_empty())
            } else {
                return Self::bare(cursor);
            }
        };
        let uri = bracketed_uri(&mut cursor)?;
        let params = params(cursor)?;
        Ok(Self {
            display,
            uri,
            bracketed: true,
            params,
        })
    }

    /// An address without a display name and parameters.
    pub const fn from_uri(uri: Uri<'a>) -> Self {
        Self {
            display: None,
            uri,
            bracketed: true,
            params: Params::EMPTY,
        }
    }

    /// The same address with these header parameters.
    #[must_use]
    pub const fn with_params(self, params: Params<'a>) -> Self {
        Self { params, ..self }
    }

    /// The display name as it came, with its quotes if it has them.
    pub const fn display(&self) -> Option<&'a [u8]> {
        self.display
    }

    /// The display name without quotes and escapes.
    pub fn display_name(&self) -> Option<Cow<'a, [u8]>> {
        self.display.map(unquote)
    }

    /// The URI.
    pub const fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// Whether the URI stood in angle brackets. Route and Record-Route require them (3261 20.30).
    pub const fn is_bracketed(&self) -> bool {
        self.bracketed
    }

    /// The parameters of the header, not those of the URI.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// `tag`, as it came.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.str("tag")
    }

    /// `q` of a contact, in thousandths from 0 to 1000.
    ///
    /// # Errors
    ///
    /// [`Number`](ValueErrorKind::Number) if it is not a number from 0 to 1 with at most three
    /// decimals.
    pub fn q(&self) -> Result<Option<u16>, ValueError> {
        let Some(param) = self.params.get("q") else {
            return Ok(None);
        };
        parse_q(param.value.unwrap_or(&[])).map(Some)
    }

    /// `expires` of a contact, in seconds.
    ///
    /// # Errors
    ///
    /// [`Number`](ValueErrorKind::Number) or [`Overflow`](ValueErrorKind::Overflow); a registrar
    /// takes a malformed value for 3600 (3261 20.10).
    pub fn expires(&self) -> Result<Option<u32>, ValueError> {
        let Some(param) = self.params.get("expires") else {
            return Ok(None);
        };
        digits_u32(param.value.unwrap_or(&[]))
            .map(Some)
            .map_err(|kind| ValueError::new(kind, 0))
    }

    /// Whether both are equal by 3261 20.20: the URIs are equivalent, and so are the parameters that
    /// both have. A `tag` must be in both or in neither. Display names do not count.
    pub fn equivalent(&self, other: &NameAddr<'_>) -> bool {
        self.uri.equivalent(&other.uri)
            && self.tag().is_some() == other.tag().is_some()
            && self.params.agree(&other.params)
    }

    /// `addr-spec` form: the URI ends at the first `;` or white space.
    fn bare(mut cursor: Cursor<'a>) -> Result<Self, ValueError> {
        let base = cursor.offset();
        let start = cursor;
        let raw = cursor.take_while(|b| b != b';' && !is_space(b));
        if let Some(at) = raw.iter().position(|b| matches!(b, b'?' | b',' | b'"')) {
            let mut at_byte = start;
            at_byte.take(at);
            return Err(at_byte.error(ValueErrorKind::UriByte));
        }
        let uri = Uri::parse(raw).map_err(|e| e.shifted(base))?;
        let params = params(cursor)?;
        Ok(Self {
            display: None,
            uri,
            bracketed: false,
            params,
        })
    }
}

/// The tag of `"Name" <uri>;name=value` and what is simpler than that, which the front of the text
/// is, of that length.
#[inline]
pub(super) fn plain_tag(text: &[u8], len: usize) -> Option<Option<&[u8]>> {
    let (_, inner) = behind_display(text)?;
    let (tag, rest) = tag_among(SipUri::behind_plain(inner)?.strip_prefix(b">")?)?;
    plain::has_read(text, len, rest).then_some(tag)
}

/// The display name, and what is behind the angle bracket that opens.
#[inline]
fn behind_display(value: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (display, rest) = match value {
        [b'<', inner @ ..] => return Some((None, inner)),
        [b'"', quoted @ ..] => {
            let (inner, behind) = plain::run(quoted, plain::set::QUOTED)?;
            let ([b'"', b' ', b'<', uri @ ..] | [b'"', b'<', uri @ ..]) = behind else {
                return None;
            };
            return Some((value.get(..inner.len().checked_add(2)?), uri));
        }
        [b' ', ..] => return None,
        _ => {
            let (name, rest) = plain::run(value, plain::set::DISPLAY)?;
            (trim(name), rest)
        }
    };
    Some((Some(display), rest.strip_prefix(b"<")?))
}

/// The tag among parameters of the common form, and what is behind them.
#[inline]
fn tag_among(params: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (mut tag, rest, read) = match plain::first_param(params, b";tag=") {
        // A token is ASCII.
        Some((tag, rest)) => (Some(tag), rest, &b"tag"[..]),
        None => (None, params, &b""[..]),
    };
    if !rest.starts_with(b";") {
        return Some((tag, rest));
    }
    let rest = plain::header_params(rest, read, |name, value| {
        if name.eq_ignore_ascii_case(b"tag") {
            tag = value;
            value.is_some_and(<[u8]>::is_ascii)
        } else {
            true
        }
    })?;
    Some((tag, rest))
}

/// A value of Contact: an address, or the `*` that stands for all bindings (3261 10.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the grammar has these two forms and no other"
)]
pub enum ContactValue<'a> {
    /// `*`, which stands alone in its message.
    Star,
    /// An address.
    Addr(NameAddr<'a>),
}

impl<'a> ContactValue<'a> {
    /// Reads one value of a Contact list.
    ///
    /// # Errors
    ///
    /// As [`NameAddr::parse`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let is_star = value.last().is_some_and(|&b| b == b'*' || is_space(b));
        if is_star && trim(value) == b"*" {
            return Ok(Self::Star);
        }
        NameAddr::parse(value).map(Self::Addr)
    }
}

impl Pieces for NameAddr<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        match self.display {
            None => {}
            Some(quoted) if quoted.starts_with(b"\"") => {
                unfolded(quoted, out);
                out(b" ");
            }
            Some(tokens) if tokens.iter().all(|&b| is_token_byte(b) || is_space(b)) => {
                unfolded(tokens, out);
                out(b" ");
            }
            Some(other) => quote(other, out),
        }
        out(b"<");
        out(self.uri.as_bytes());
        out(b">");
        self.params.pieces(out);
    }
}

writes!(NameAddr<'_>);

impl Pieces for ContactValue<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Star => out(b"*"),
            Self::Addr(addr) => addr.pieces(out),
        }
    }
}

writes!(ContactValue<'_>);

impl fmt::Debug for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameAddr({self})")
    }
}

fn check_display(name: &[u8]) -> Result<(), ValueErrorKind> {
    let mut cursor = Cursor::new(name);
    loop {
        cursor.skip_lws();
        let word = cursor.take_while(|b| is_visible(b) && !matches!(b, b'>' | b'\\'));
        if cursor.is_at_end() {
            return Ok(());
        }
        if word.is_empty() {
            return Err(ValueErrorKind::DisplayName);
        }
    }
}

fn bracketed_uri<'a>(cursor: &mut Cursor<'a>) -> Result<Uri<'a>, ValueError> {
    let missing = cursor.error(ValueErrorKind::Angle);
    cursor.take(1);
    cursor.skip_lws();
    let base = cursor.offset();
    let raw = cursor.take_while(|b| b != b'>');
    if !cursor.eat(b'>') {
        return Err(missing);
    }
    Uri::parse(trim(raw)).map_err(|e| e.shifted(base))
}

fn params(mut cursor: Cursor<'_>) -> Result<Params<'_>, ValueError> {
    cursor.skip_lws();
    // A tag decides which dialog a message belongs to: one that cannot be read is not ignored.
    Params::parse_with(cursor.rest(), |param| {
        let unread = param.name.eq_ignore_ascii_case("tag") && param.value_str().is_none();
        if unread {
            Err(ValueErrorKind::Param)
        } else {
            Ok(())
        }
    })
    .map_err(|e| e.shifted(cursor.offset()))
}

/// `("0" ["." 0*3DIGIT]) / ("1" ["." 0*3("0")])`, in thousandths.
pub(crate) fn parse_q(text: &[u8]) -> Result<u16, ValueError> {
    let error = ValueError::new(ValueErrorKind::Number, 0);
    let (whole, decimals) = match text {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        [..] => return Err(error),
    };
    let mut thousandths = match whole {
        b'0' => 0_u16,
        b'1' => 1000,
        _ => return Err(error),
    };
    for (&digit, weight) in decimals.iter().zip([100_u16, 10, 1]) {
        let digit = char::from(digit)
            .to_digit(10)
            .and_then(|d| u16::try_from(d).ok());
        let part = digit.ok_or(error)?.saturating_mul(weight);
        thousandths = thousandths.saturating_add(part);
    }
    if thousandths > 1000 {
        Err(error)
    } else {
        Ok(thousandths)
    }
}

/// Text that is not tokens, in quotes, and a space.
fn quote(text: &[u8], out: &mut dyn FnMut(&[u8])) {
    out(b"\"");
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        let (special, tail) = tail.split_at_checked(1).unwrap_or((tail, &[]));
        unfolded(head, out);
        out(b"\\");
        out(special);
        rest = tail;
    }
    unfolded(rest, out);
    out(b"\" ");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> NameAddr<'_> {
        NameAddr::parse(text.as_bytes()).expect(text)
    }

    fn kind(text: &str) -> ValueErrorKind {
        NameAddr::parse(text.as_bytes()).expect_err(text).kind
    }

    fn name(text: &str) -> String {
        String::from_utf8(addr(text).display_name().unwrap().into_owned()).unwrap()
    }

    #[test]
    fn an_address_is_made_of_a_uri_and_parameters() {
        let plain = NameAddr::from_uri(Uri::parse(b"sip:a@b;lr").unwrap());
        assert_eq!(plain.to_string(), "<sip:a@b;lr>");
        let params = Params::parse(b";tag=1").unwrap();
        assert_eq!(plain.with_params(params).to_string(), "<sip:a@b;lr>;tag=1");
    }

    #[test]
    fn a_uri_alone_is_that_of_the_whole_value() {
        for (text, is_alone) in [
            ("<sip:a@192.0.2.1:5060>", true),
            ("<sips:a,b@c.example;transport=tcp>", true),
            ("<sip:c>", true),
            ("<sip:a@b>;expires=1", false),
            ("<sip:a@b>,<sip:c@d>", false),
            ("<sip:a@b> ", false),
            ("A <sip:a@b>", false),
            ("sip:a@b", false),
            ("<tel:+1>", false),
            ("<sip:a@b", false),
            ("*", false),
        ] {
            let alone = NameAddr::uri_alone(text.as_bytes());
            assert_eq!(alone.is_some(), is_alone, "{text}");
            if let Some(uri) = alone {
                assert_eq!(addr(text), NameAddr::from_uri(uri));
            }
        }
    }

    #[test]
    fn display_names_come_in_all_their_forms() {
        // 3261-20.10-04, 3261-20.10-05, 3261-25.1-32, 3261-25.1-33, 3261-20.20-02
        assert_eq!(addr("<sip:a@b>").display(), None);
        assert_eq!(name("A. Bell <sip:a.g.bell@example.com>"), "A. Bell");
        assert_eq!(
            name("\"Bell, <Alexander>; G\"<sip:a@b>"),
            "Bell, <Alexander>; G"
        );
        assert_eq!(name("\"\" <sip:a@b>"), "");
        // From RFC 4475 3.1.1.1.
        assert_eq!(
            name("\"J Rosenberg \\\\\\\"\" <sip:j@x>"),
            "J Rosenberg \\\""
        );
        assert_eq!(
            name("\"Quoted string \\\"\\\"\" <sip:j@x> ; q = .33"),
            "Quoted string \"\""
        );
        // From RFC 4475 3.1.1.6 and 3.1.1.5.
        assert_eq!(name("caller<sip:caller@example.com>;tag=323"), "caller");
        assert_eq!(name("%Z%45 <sip:resource@example.com>"), "%Z%45");
    }

    #[test]
    fn escaped_control_bytes_are_legal_in_a_display_name() {
        // From RFC 4475 3.1.1.2. 3261-25.1-10
        let to = NameAddr::parse(b"\"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:a@b>").unwrap();
        assert_eq!(&*to.display_name().unwrap(), b"BEL:\x07 NUL:\x00 DEL:\x7f");
    }

    #[test]
    fn bytes_beyond_ascii_survive_in_a_display_name() {
        // 3261-25.1-13
        for display in [&b"\"J\xf6rg\""[..], b"\"\xe6\x97\xa5\xe6\x9c\xac\""] {
            let value = [display, b" <sip:a@b>;tag=1"].concat();
            let addr = NameAddr::parse(&value).unwrap();
            assert_eq!(addr.display(), Some(display));
            let mut out = Vec::new();
            addr.write_to(&mut out);
            assert_eq!(out, value);
        }
    }

    #[test]
    fn parameters_belong_to_the_header_unless_they_are_in_brackets() {
        // 3261-20-70, 3261-20-72, 3261-20.10-06
        let bare = addr("sip:bob@biloxi.com ; tag=1;lr");
        assert_eq!(bare.uri().as_bytes(), b"sip:bob@biloxi.com");
        assert_eq!(
            (bare.tag(), bare.params().contains("lr")),
            (Some("1"), true)
        );
        assert_eq!(bare.to_string(), "<sip:bob@biloxi.com>;tag=1;lr");
        let inner = addr("<sip:+19725552222@gw1.example.net;unknownparam>");
        assert_eq!(
            inner.uri().as_bytes(),
            b"sip:+19725552222@gw1.example.net;unknownparam"
        );
        assert!(inner.params().is_empty());
        assert_eq!(
            addr("<sip:a@b?x=1,2;lr>;q=0.5").uri().as_bytes(),
            b"sip:a@b?x=1,2;lr"
        );
    }

    #[test]
    fn a_bare_uri_with_a_question_mark_or_comma_is_refused() {
        // 3261-20-71
        assert_eq!(
            kind("sip:user@example.com?Route=%3Csip:x%3E"),
            ValueErrorKind::UriByte
        );
        assert_eq!(
            kind("Bell, Alexander <sip:a.g.bell@example.com>"),
            ValueErrorKind::UriByte
        );
        assert_eq!(kind("sip:a@b,c@d"), ValueErrorKind::UriByte);
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        assert_eq!(
            kind("\"Mr. J. User <sip:j.user@example.com>"),
            ValueErrorKind::Quote
        );
        assert_eq!(kind("<sip:a@b"), ValueErrorKind::Angle);
        assert_eq!(kind("\"a\" sip:a@b"), ValueErrorKind::Angle);
        assert_eq!(
            kind("\"Joe\" <sip:joe@example.org>;;;;"),
            ValueErrorKind::Param
        );
        assert_eq!(kind("<sip:a@b> x"), ValueErrorKind::Unexpected);
        assert_eq!(kind(" "), ValueErrorKind::Empty);
        assert_eq!(kind("a\\b <sip:a@b>"), ValueErrorKind::DisplayName);
    }

    #[test]
    fn white_space_inside_the_brackets_is_dropped_only_at_the_ends() {
        let to = addr("\"Watson, Thomas\" < sip:t.watson@example.org >");
        assert_eq!(
            to.to_string(),
            "\"Watson, Thomas\" <sip:t.watson@example.org>"
        );
        assert_eq!(kind("<sip:a @b>"), ValueErrorKind::UriByte);
    }

    #[test]
    fn a_tag_occurs_once_and_keeps_its_bytes() {
        // 3261-7.3.1-14
        assert_eq!(
            kind("<sip:a@b>;tag=1;Tag=2"),
            ValueErrorKind::DuplicateParam
        );
        assert_eq!(
            addr("<sip:a@b>;tag=_token~1'+`*%!-.").tag(),
            Some("_token~1'+`*%!-.")
        );
        assert_eq!(addr("<sip:a@b>").tag(), None);
        assert_eq!(kind("<sip:a@b>;tag"), ValueErrorKind::Param);
    }

    #[test]
    fn a_display_name_that_needs_quotes_is_written_with_them() {
        let odd = addr("Bob (home) <sip:a@b>");
        assert_eq!(odd.to_string(), "\"Bob (home)\" <sip:a@b>");
        assert_eq!(addr("A\r\n B <sip:a@b>").to_string(), "A B <sip:a@b>");
        assert_eq!(
            addr("\"A\r\n B\"<sip:a@b>").to_string(),
            "\"A B\" <sip:a@b>"
        );
        assert_eq!(
            NameAddr::parse(b"\xc3\xa9 <sip:a@b>").unwrap().to_string(),
            "\"é\" <sip:a@b>"
        );
    }

    #[test]
    fn q_is_from_zero_to_one_with_three_decimals() {
        // 3261-25.1-34, 3261-20.10-02
        for (text, q) in [
            ("0", 0),
            ("0.", 0),
            ("0.000", 0),
            ("1", 1000),
            ("1.", 1000),
            ("1.000", 1000),
        ] {
            assert_eq!(parse_q(text.as_bytes()), Ok(q), "{text}");
        }
        assert_eq!(addr("<sip:a@b>;q=0.33").q(), Ok(Some(330)));
        assert_eq!(addr("<sip:a@b>").q(), Ok(None));
        for text in [
            ".5", "1.001", "0.0000", "1.5", "2", "", "-0", "0.1234", "0,5", "0.a",
        ] {
            assert!(parse_q(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn expires_of_a_contact_tells_malformed_from_absent() {
        assert_eq!(addr("<sip:a@b>;Expires=3600").expires(), Ok(Some(3600)));
        assert_eq!(addr("<sip:a@b>").expires(), Ok(None));
        let large = addr("<sip:a@b>;expires=280297596632815").expires();
        assert_eq!(large.unwrap_err().kind, ValueErrorKind::Overflow);
        assert!(
            addr("<sip:a@b>;expires=\"Sat, 01 Dec 2040 16:00:00 GMT\"")
                .expires()
                .is_err()
        );
    }

    #[test]
    fn a_star_is_not_an_address() {
        // 3261-20.10-01
        assert_eq!(ContactValue::parse(b" * "), Ok(ContactValue::Star));
        assert!(ContactValue::parse(b"*;expires=0").is_err());
        assert!(NameAddr::parse(b"*").is_err());
        assert!(matches!(
            ContactValue::parse(b"<sip:a@b>"),
            Ok(ContactValue::Addr(_))
        ));
    }

    #[test]
    fn equality_looks_at_the_uri_and_at_shared_parameters() {
        // 3261-20.20-01, 3261-20.39-01, 3261-7.3.1-19
        let base = addr("\"Bob\" <sip:bob@biloxi.com>;tag=a;x=1");
        for same in [
            "<sip:bob@BILOXI.com>;TAG=a;x=1",
            "sip:bob@biloxi.com;tag=a;y=2",
        ] {
            assert!(
                base.equivalent(&addr(same)) && addr(same).equivalent(&base),
                "{same}"
            );
        }
        for other in [
            "<sip:bob@biloxi.com>;tag=b;x=1",
            "<sip:bob@biloxi.com>;tag=a;x=2",
            "<sip:bob@biloxi.com>;x=1",
            "<sip:eve@biloxi.com>;tag=a;x=1",
        ] {
            assert!(
                !base.equivalent(&addr(other)) && !addr(other).equivalent(&base),
                "{other}"
            );
        }
        let contact = addr("<sip:alice@atlanta.com>;expires=3600");
        assert!(contact.equivalent(&addr("<sip:alice@atlanta.com>;ExPiReS=3600")));
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(
            NameAddr::parse(b"\"x\" <sip:a b@c>").unwrap_err().offset,
            10
        );
        assert_eq!(NameAddr::parse(b" sip:a@b?c").unwrap_err().offset, 8);
    }
}

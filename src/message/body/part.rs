//! One body, alone or among others: what it is, what it is for, and finding one that is understood
//! (RFC 5621).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt;

use super::super::{ContentType, Disposition, Message, Name, ValueError};
use super::fields::{Fields, split_block};
use super::multipart::Multipart;
use super::{BodyError, BodyErrorKind};
use crate::limits::Limits;

/// One body with what is said of it: that of a message ([`Message::root_part`]), or a part of a
/// [`Multipart`].
///
/// ```
/// use drongo::limits::Limits;
/// use drongo::message::Message;
///
/// let text = "INVITE sip:a@b SIP/2.0\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n\
///     --b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
///     --b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";
/// let message = Message::parse(text.into()).unwrap();
/// let is_sdp = |part: &drongo::message::Part<'_>| {
///     part.content_type().is_ok_and(|t| t.is("application", "sdp"))
/// };
/// let session = message.root_part().find(&Limits::DEFAULT, is_sdp)?.unwrap();
/// assert_eq!(session.content(), b"v=0\r\n");
/// # Ok::<(), drongo::message::BodyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part<'a> {
    fields: &'a [u8],
    content_type: Option<&'a [u8]>,
    disposition: Option<&'a [u8]>,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads what stands between two boundaries; `base` is where it starts.
    pub(super) fn read(bytes: &'a [u8], base: usize) -> Result<Self, BodyError> {
        let (fields, content) = split_block(bytes);
        let mut part = Self {
            fields,
            content_type: None,
            disposition: None,
            content: content.unwrap_or_default(),
        };
        for field in Fields::new(fields) {
            let field = field
                .map_err(|at| BodyError::new(BodyErrorKind::Field, base.saturating_add(at)))?;
            if field.name == Name::ContentType {
                part.content_type.get_or_insert(field.value);
            } else if field.name == Name::ContentDisposition {
                part.disposition.get_or_insert(field.value);
            }
        }
        Ok(part)
    }

    /// A body that is no part of another, with what is said of it beside.
    pub(crate) const fn of_body(
        content_type: Option<&'a [u8]>,
        disposition: Option<&'a [u8]>,
        content: &'a [u8],
    ) -> Self {
        Self {
            fields: &[],
            content_type,
            disposition,
            content,
        }
    }

    /// What it is, as it was sent.
    pub const fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Its type; `text/plain` if it does not say (2046 5.2). Text without a `charset` is UTF-8
    /// (3261 7.4.1).
    ///
    /// # Errors
    ///
    /// As [`ContentType::parse`].
    pub fn content_type(&self) -> Result<ContentType<'a>, ValueError> {
        self.content_type
            .map_or(Ok(ContentType::new("text", "plain")), ContentType::parse)
    }

    /// `charset` of a text; `utf-8` if it does not say (3261 7.4.1). `None` if it is no text.
    pub fn charset(&self) -> Option<Cow<'a, [u8]>> {
        let kind = self.content_type().ok()?;
        let said = kind.params().get("charset").and_then(|p| p.unquoted());
        let text = kind.kind().eq_ignore_ascii_case("text");
        text.then(|| said.unwrap_or(Cow::Borrowed(b"utf-8")))
    }

    /// What it is for: its Content-Disposition, or what holds without (3261 20.11).
    ///
    /// # Errors
    ///
    /// As [`Disposition::parse`].
    pub fn disposition(&self) -> Result<Disposition<'a>, ValueError> {
        let default = || Disposition::default_of(self.content_type().ok().as_ref());
        self.disposition
            .map_or_else(|| Ok(default()), Disposition::parse)
    }

    /// Whether it says what it is.
    pub(crate) const fn has_type(&self) -> bool {
        self.content_type.is_some()
    }

    /// Whether it says neither what it is nor what it is for.
    pub(crate) const fn says_nothing(&self) -> bool {
        self.content_type.is_none() && self.disposition.is_none()
    }

    /// Whether it says that it is SDP, to the letter, and not what it is for: then it is for the
    /// `session` (3261 20.11). Nearly every body of a call says just that.
    pub(crate) fn is_just_sdp(&self) -> bool {
        self.disposition.is_none() && self.content_type == Some(b"application/sdp")
    }

    /// The headers of a part. A message's body has none of its own.
    pub const fn fields(&self) -> Fields<'a> {
        Fields::new(self.fields)
    }

    /// The value of the first header of a part with this name, without regard to case. Compact
    /// forms are those of SIP.
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        let known = Name::parse(name.as_bytes());
        let mut fields = self.fields().flatten();
        let is_it = |raw: &[u8]| raw.eq_ignore_ascii_case(name.as_bytes());
        fields
            .find(|f| (known != Name::Other && f.name == known) || is_it(f.raw_name))
            .map(|field| field.value)
    }

    /// Content-ID without its angle brackets.
    pub fn content_id(&self) -> Option<&'a [u8]> {
        let id = self.first("Content-ID")?;
        Some(
            id.strip_prefix(b"<")
                .and_then(|id| id.strip_suffix(b">"))
                .unwrap_or(id),
        )
    }

    /// Whether its type is multipart.
    pub fn is_multipart(&self) -> bool {
        self.content_type()
            .is_ok_and(|kind| kind.kind().eq_ignore_ascii_case("multipart"))
    }

    /// Its parts, if its type is multipart.
    ///
    /// # Errors
    ///
    /// As [`Multipart::parse`].
    pub fn multipart(&self) -> Result<Option<Multipart<'a>>, BodyError> {
        match self.content_type() {
            Ok(kind) if kind.kind().eq_ignore_ascii_case("multipart") => {
                Multipart::parse(&kind, self.content).map(Some)
            }
            Ok(_) => Ok(None),
            Err(error) => Err(BodyError::new(BodyErrorKind::Value(error.kind), 0)),
        }
    }

    /// The body to work with: this one, or the first among its parts that is understood, at any
    /// depth; of alternatives, the last (5621 6.1). One whose disposition is `by-reference` is
    /// passed over: see [`Part::by_id`].
    ///
    /// # Errors
    ///
    /// What is wrong with a multipart body on the way, or [`TooDeep`](BodyErrorKind::TooDeep).
    pub fn find(
        &self,
        limits: &Limits,
        understood: impl Fn(&Part<'a>) -> bool,
    ) -> Result<Option<Part<'a>>, BodyError> {
        self.find_at(limits.nesting, &|part| {
            let referred = part.disposition().is_ok_and(|d| d.is("by-reference"));
            !referred && understood(part)
        })
    }

    /// The part with this Content-ID, given without angle brackets, at any depth.
    ///
    /// # Errors
    ///
    /// As [`Part::find`].
    pub fn by_id(&self, limits: &Limits, id: &[u8]) -> Result<Option<Part<'a>>, BodyError> {
        self.find_at(limits.nesting, &|part| part.content_id() == Some(id))
    }

    /// Whether a server must refuse this body (415): it, or a part of it, must be handled and is
    /// not understood. Of alternatives, one must be understood if the whole must be handled; what
    /// the alternatives say for themselves does not count (5621 8.3).
    ///
    /// `understood` looks at type and disposition together, as they are supported in one context
    /// (5621 8.1). A part by reference is not processed, so it need not be understood.
    ///
    /// # Errors
    ///
    /// As [`Part::find`].
    pub fn is_unsupported(
        &self,
        limits: &Limits,
        understood: impl Fn(&Part<'a>) -> bool,
    ) -> Result<bool, BodyError> {
        self.unsupported_at(limits.nesting, &understood)
    }

    fn find_at(
        &self,
        depth: usize,
        understood: &dyn Fn(&Part<'a>) -> bool,
    ) -> Result<Option<Part<'a>>, BodyError> {
        let Some(multipart) = self.multipart()? else {
            return Ok(understood(self).then_some(*self));
        };
        let depth = deeper(depth)?;
        let mut found = None;
        for part in multipart.parts() {
            let inner = part?.find_at(depth, understood)?;
            found = inner.or(found);
            if found.is_some() && !multipart.is_alternative() {
                break;
            }
        }
        Ok(found)
    }

    fn unsupported_at(
        &self,
        depth: usize,
        understood: &dyn Fn(&Part<'a>) -> bool,
    ) -> Result<bool, BodyError> {
        let disposition = self.disposition();
        let required = disposition.as_ref().map_or(true, Disposition::is_required);
        if !required || disposition.is_ok_and(|d| d.is("by-reference")) {
            return Ok(false);
        }
        let Some(multipart) = self.multipart()? else {
            return Ok(!understood(self));
        };
        let depth = deeper(depth)?;
        if multipart.is_alternative() {
            return Ok(self.find_at(depth, understood)?.is_none());
        }
        for part in multipart.parts() {
            if part?.unsupported_at(depth, understood)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn deeper(depth: usize) -> Result<usize, BodyError> {
    depth
        .checked_sub(1)
        .ok_or(BodyError::new(BodyErrorKind::TooDeep, 0))
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field(
                "content_type",
                &self.content_type.map(<[u8]>::escape_ascii).map(ascii),
            )
            .field("content", &ascii(self.content.escape_ascii()))
            .finish_non_exhaustive()
    }
}

fn ascii(text: core::slice::EscapeAscii<'_>) -> String {
    text.to_string()
}

impl Message {
    /// The body with what the message says of it.
    pub fn root_part(&self) -> Part<'_> {
        Part::of_body(
            self.first(Name::ContentType),
            self.first(Name::ContentDisposition),
            self.body_slice(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &str, body: &str) -> Message {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{headers}\r\n{body}");
        Message::parse(text.into()).unwrap()
    }

    /// A part with a type, more header lines and a content.
    fn part(kind: &str, lines: &str, content: &str) -> String {
        format!("--b\r\nContent-Type: {kind}\r\n{lines}\r\n{content}\r\n")
    }

    fn multipart(subtype: &str, lines: &str, parts: &[String]) -> Message {
        let headers = format!("Content-Type: multipart/{subtype};boundary=b\r\n{lines}");
        message(&headers, &format!("{}--b--\r\n", parts.concat()))
    }

    fn is(kind: &'static str, subtype: &'static str) -> impl Fn(&Part<'_>) -> bool {
        move |part: &Part<'_>| part.content_type().is_ok_and(|t| t.is(kind, subtype))
    }

    fn found(message: &Message, want: impl Fn(&Part<'_>) -> bool) -> Option<&str> {
        let part = message.root_part().find(&Limits::DEFAULT, want).unwrap()?;
        Some(core::str::from_utf8(part.content()).unwrap())
    }

    fn unsupported(message: &Message) -> bool {
        let part = message.root_part();
        let sdp = |part: &Part<'_>| {
            is("application", "sdp")(part) && part.disposition().is_ok_and(|d| d.is("session"))
        };
        part.is_unsupported(&Limits::DEFAULT, sdp).unwrap()
    }

    #[test]
    fn a_part_tells_whether_it_has_parts_and_what_is_in_it() {
        let whole = multipart("mixed", "", &[part("text/plain", "", "hello")]);
        let part = message("Content-Type: text/plain\r\n", "one");
        assert!(whole.root_part().is_multipart() && !part.root_part().is_multipart());
        let told = format!("{:?}", part.root_part());
        assert!(
            told.contains("text/plain") && told.contains("one"),
            "{told}"
        );
    }

    #[test]
    fn a_session_is_found_in_every_kind_of_multipart() {
        // 5621-4.2-02, 5621-4.2-03
        let parts = [
            part("text/plain", "", "hello"),
            part("application/sdp", "", "v=0"),
        ];
        for subtype in ["mixed", "alternative", "related", "x-unheard-of"] {
            let message = multipart(subtype, "", &parts);
            assert_eq!(
                found(&message, is("application", "sdp")),
                Some("v=0"),
                "{subtype}"
            );
            assert_eq!(found(&message, is("text", "html")), None);
        }
        let single = message("Content-Type: application/sdp\r\n", "v=0");
        assert_eq!(found(&single, is("application", "sdp")), Some("v=0"));
    }

    #[test]
    fn parts_in_parts_are_read_as_deep_as_allowed() {
        // 5621-4.2-01
        let inner = "--c\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--c--";
        let nested = part("multipart/alternative;boundary=c", "", inner);
        let message = multipart("mixed", "", &[part("text/plain", "", "x"), nested]);
        assert_eq!(found(&message, is("application", "sdp")), Some("v=0"));
        let limits = Limits {
            nesting: 1,
            ..Limits::DEFAULT
        };
        let error = message.root_part().find(&limits, is("application", "sdp"));
        assert_eq!(error.unwrap_err().kind, BodyErrorKind::TooDeep);
        let error = message.root_part().is_unsupported(&limits, |_| true);
        assert_eq!(error.unwrap_err().kind, BodyErrorKind::TooDeep);
    }

    #[test]
    fn of_alternatives_the_last_that_is_understood_counts() {
        // 5621-6.1-01
        let parts = [
            part("text/plain", "", "1"),
            part("text/plain", "", "2"),
            part("text/html", "", "3"),
        ];
        let alternatives = multipart("alternative", "", &parts);
        assert_eq!(found(&alternatives, is("text", "plain")), Some("2"));
        let mixed = multipart("mixed", "", &parts);
        assert_eq!(found(&mixed, is("text", "plain")), Some("1"));
    }

    #[test]
    fn a_part_by_reference_is_found_by_its_id_only() {
        // 5621-9.4-01
        let lines = "Content-Disposition: by-reference\r\nContent-ID: <1@a>\r\n";
        let message = multipart("mixed", "", &[part("application/sdp", lines, "v=0")]);
        assert_eq!(found(&message, is("application", "sdp")), None);
        let part = message.root_part();
        let by_id = part.by_id(&Limits::DEFAULT, b"1@a").unwrap();
        assert_eq!(by_id.unwrap().content(), b"v=0");
        assert_eq!(part.by_id(&Limits::DEFAULT, b"2@a"), Ok(None));
        assert!(!unsupported(&message));
    }

    #[test]
    fn handling_of_alternatives_is_that_of_the_whole() {
        // 5621-8.3-01, 5621-8.3-02
        let optional = "Content-Disposition: render;handling=optional\r\n";
        let plain = [part("text/plain", optional, "1")];
        assert!(unsupported(&multipart("alternative", "", &plain)));
        assert!(!unsupported(&multipart("mixed", "", &plain)));
        let required = [
            part("text/plain", "", "1"),
            part("application/sdp", "", "v=0"),
        ];
        assert!(!unsupported(&multipart("alternative", "", &required)));
        assert!(unsupported(&multipart("mixed", "", &required)));
        assert!(!unsupported(&multipart("alternative", optional, &plain)));
    }

    #[test]
    fn type_and_disposition_are_understood_together() {
        // 5621-8.4-01, 3261-20.11-02, 3261-20.11-04
        let sdp =
            |lines: &str| message(&format!("Content-Type: application/sdp\r\n{lines}"), "v=0");
        assert!(!unsupported(&sdp("")));
        for (disposition, refused) in [
            ("session", false),
            ("render", true),
            ("unheard-of;handling=required", true),
            ("unheard-of;handling=optional", false),
        ] {
            let lines = format!("Content-Disposition: {disposition}\r\n");
            assert_eq!(unsupported(&sdp(&lines)), refused, "{disposition}");
        }
        let text = message("Content-Type: text/plain\r\n", "x");
        assert!(text.root_part().disposition().unwrap().is("render"));
        assert!(sdp("").root_part().disposition().unwrap().is("session"));
    }

    #[test]
    fn text_is_utf_8_unless_it_says_otherwise() {
        // 3261-7.4.1-03
        let charset = |kind: &str| {
            let message = message(&format!("c: {kind}\r\n"), "x");
            message
                .root_part()
                .charset()
                .map(|c| String::from_utf8(c.into_owned()).unwrap())
        };
        assert_eq!(charset("text/html").as_deref(), Some("utf-8"));
        assert_eq!(
            charset("text/plain;charset=\"iso-8859-1\"").as_deref(),
            Some("iso-8859-1")
        );
        assert_eq!(charset("application/sdp"), None);
    }
}

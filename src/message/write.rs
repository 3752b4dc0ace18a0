//! What an application adds to a message: headers and a body.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::edit::bit;
use super::put::{self, Put};
use super::scan::is_token;
use super::{ContentType, Name};
use crate::error::Misuse;

/// Headers that an application adds, in order, as finished lines.
///
/// ```
/// use drongo::message::HeaderList;
///
/// let mut headers = HeaderList::new();
/// headers.push("Subject", "lunch")?;
/// assert!(headers.push("Subject", "lunch\r\nX-Smuggled: yes").is_err());
/// assert_eq!(headers.as_bytes(), b"Subject: lunch\r\n");
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct HeaderList {
    lines: Vec<u8>,
    /// Which names it has, as bits: the lower ones first.
    names: [u64; 2],
}

impl HeaderList {
    /// No headers.
    pub const fn new() -> Self {
        Self {
            lines: Vec::new(),
            names: [0; 2],
        }
    }

    /// No headers, and room for so many bytes of them.
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            lines: Vec::with_capacity(room),
            names: [0; 2],
        }
    }

    /// Adds a header at the end.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the name is not a token, or the value holds CR, LF or NUL: nothing
    /// can smuggle a header in.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Misuse> {
        let value = value.as_ref();
        if !is_token(name.as_bytes()) {
            return Err(Misuse::Malformed {
                what: "header name",
            });
        }
        check_value(value)?;
        self.lines
            .reserve(name.len().saturating_add(value.len()).saturating_add(4));
        self.note(bit(Name::parse(name.as_bytes())));
        self.lines.put(name.as_bytes());
        self.lines.put(b": ");
        self.lines.put(value);
        self.lines.put(b"\r\n");
        Ok(())
    }

    /// Adds a header of the core's own, a finished line in pieces.
    pub(crate) fn push_line(&mut self, name: Name, pieces: &[&[u8]]) {
        self.note(bit(name));
        pieces.iter().for_each(|piece| self.lines.put(piece));
    }

    /// The lines of `defaults` that this list has no header for, and then its own.
    pub(crate) fn over(&self, defaults: &Self) -> Self {
        if self.is_empty() {
            return defaults.clone();
        }
        let room = self.lines.len().saturating_add(defaults.lines.len());
        let mut list = Self::with_room(room);
        match self.shares_none_with(defaults) {
            true => list.extend(defaults),
            false => {
                let said = self.said();
                for line in defaults.lines.split_inclusive(|&b| b == b'\n') {
                    let name = line.split(|&b| b == b':').next().unwrap_or_default();
                    let known = Name::parse(name);
                    let spelled = |other: &[u8]| other.eq_ignore_ascii_case(name);
                    let is_said = said & bit(known) != 0
                        && (known != Name::Other
                            || self.iter().any(|(_, other, _)| spelled(other)));
                    if !is_said {
                        list.lines.put(line);
                        list.note(bit(known));
                    }
                }
            }
        }
        list.extend(self);
        list
    }

    /// Becomes what [`over`](Self::over) gives.
    pub(crate) fn put_over(&mut self, defaults: &Self) {
        if !self.shares_none_with(defaults) {
            *self = self.over(defaults);
            return;
        }
        let (own, more) = (self.lines.len(), defaults.lines.len());
        self.lines.resize(own.saturating_add(more), 0);
        self.lines.copy_within(..own, more);
        if let Some(place) = self.lines.get_mut(..more) {
            place.copy_from_slice(&defaults.lines);
        }
        self.note(defaults.said());
    }

    /// Whether no header is in both.
    pub(crate) fn shares_none_with(&self, other: &Self) -> bool {
        self.said() & other.said() == 0
    }

    fn said(&self) -> u128 {
        let [low, high] = self.names;
        u128::from(high) << 64 | u128::from(low)
    }

    fn note(&mut self, names: u128) {
        let [low, high] = &mut self.names;
        *low |= names as u64;
        *high |= (names >> 64) as u64;
    }

    /// The same list with one header more.
    ///
    /// # Errors
    ///
    /// As [`HeaderList::push`].
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Misuse> {
        self.push(name, value)?;
        Ok(self)
    }

    /// Adds all lines of `other` behind those that stand.
    pub fn extend(&mut self, other: &Self) {
        self.lines.extend_from_slice(&other.lines);
        self.note(other.said());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines as they will be written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Canonical name, name as given, and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.lines
            .split_inclusive(|&b| b == b'\n')
            .filter_map(|line| {
                let line = line.strip_suffix(b"\r\n")?;
                let colon = memchr::memchr(b':', line)?;
                let (name, value) = line.split_at_checked(colon)?;
                Some((Name::parse(name), name, value.get(2..)?))
            })
    }

    /// Whether a header of this name is there.
    pub fn contains(&self, name: Name) -> bool {
        self.said() & bit(name) != 0
    }
}

impl fmt::Debug for HeaderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(_, name, value)| (text(name), text(value))),
            )
            .finish()
    }
}

/// A body and its type. The bytes are opaque.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Body {
    content_type: Cow<'static, str>,
    bytes: Bytes,
}

impl Body {
    /// A body of the given type, `application/sdp` for example.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the type is not a media type on one line.
    pub fn new(content_type: &str, bytes: impl Into<Bytes>) -> Result<Self, Misuse> {
        check_value(content_type.as_bytes())?;
        if ContentType::parse(content_type.as_bytes()).is_err() {
            return Err(Misuse::Malformed {
                what: "content type",
            });
        }
        Ok(Self {
            content_type: Cow::Owned(content_type.to_owned()),
            bytes: bytes.into(),
        })
    }

    /// A session description (RFC 3264).
    pub fn sdp(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: Cow::Borrowed("application/sdp"),
            bytes: bytes.into(),
        }
    }

    /// A piece of a SIP message (RFC 3420), as NOTIFY of a transfer carries it.
    pub fn sipfrag(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: Cow::Borrowed("message/sipfrag;version=2.0"),
            bytes: bytes.into(),
        }
    }

    /// The type, as Content-Type will say it.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// What an application adds to a message that the core makes.
///
/// ```
/// use drongo::message::{Body, HeaderList, Name, Outgoing};
///
/// let headers = HeaderList::new().with("Subject", "lunch")?;
/// let outgoing = Outgoing::new().with_headers(headers).with_body(Body::sdp("v=0\r\n"));
/// assert_eq!(outgoing.reserved(), None);
///
/// // The core counts for itself.
/// let wrong = Outgoing::new().with_headers(HeaderList::new().with("CSeq", "1 INVITE")?);
/// assert_eq!(wrong.reserved(), Some(Name::CSeq));
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Outgoing {
    /// Headers besides those that the core writes.
    pub headers: HeaderList,
    /// The body, if there is one.
    pub body: Option<Body>,
}

impl Outgoing {
    /// Nothing added.
    pub const fn new() -> Self {
        Self {
            headers: HeaderList::new(),
            body: None,
        }
    }

    /// The same with these headers.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderList) -> Self {
        self.headers = headers;
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// The first header that only the core may write, or that speaks of another body than the one
    /// that is here (7.4.1), if the list has one: a verb refuses it as [`Misuse::ReservedHeader`].
    pub fn reserved(&self) -> Option<Name> {
        let of_another_body = match self.body {
            Some(_) => Name::ContentType,
            None => Name::ContentEncoding,
        };
        if self.headers.said() & (RESERVED | bit(of_another_body)) == 0 {
            return None;
        }
        self.headers
            .iter()
            .map(|(name, ..)| name)
            .find(|name| is_reserved(*name) || *name == of_another_body)
    }
}

/// The headers that only the core writes.
const RESERVED: u128 = super::bounds::set(&[
    Name::Via,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::MaxForwards,
    Name::Route,
    Name::RecordRoute,
    Name::RSeq,
    Name::RAck,
    Name::ContentLength,
]);

/// Whether only the core writes this header.
pub(crate) fn is_reserved(name: Name) -> bool {
    RESERVED & bit(name) != 0
}

/// Refuses what would end the line, or what some readers take for the end of the text.
pub(crate) fn check_value(value: &[u8]) -> Result<(), Misuse> {
    if memchr::memchr3(b'\r', b'\n', 0, value).is_some() {
        return Err(Misuse::Malformed {
            what: "header value",
        });
    }
    Ok(())
}

/// The end of a message: added headers, Content-Type, Content-Length, the empty line, the body.
pub(crate) fn put_rest(out: &mut (impl Put + ?Sized), headers: &HeaderList, body: Option<&Body>) {
    if !headers.is_empty() {
        out.put(headers.as_bytes());
    }
    match body {
        Some(body) => {
            out.put(b"Content-Type: ");
            // It was checked, or is the crate's own: it is one line.
            out.put(body.content_type().as_bytes());
            out.put(b"\r\n");
            put::end(out, body.bytes());
        }
        None => out.put(b"Content-Length: 0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_share_a_header_or_none() {
        let list = |name| HeaderList::new().with(name, "x").unwrap();
        let (subject, other) = (list("Subject"), list("X-Other"));
        assert!(subject.shares_none_with(&other) && other.shares_none_with(&subject));
        assert!(subject.shares_none_with(&HeaderList::new()));
        assert!(!subject.shares_none_with(&list("s")));
    }

    #[test]
    fn a_value_cannot_smuggle_a_header() {
        let mut list = HeaderList::new();
        for value in ["a\r\nVia: x", "a\nb", "a\rb", "a\0b"] {
            assert_eq!(
                list.push("Subject", value),
                Err(Misuse::Malformed {
                    what: "header value"
                }),
                "{value:?}"
            );
        }
        for name in ["", "Sub ject", "Subject:", "a\r\nVia", "S\u{fc}bject"] {
            assert_eq!(
                list.push(name, "x"),
                Err(Misuse::Malformed {
                    what: "header name"
                })
            );
        }
        assert!(list.is_empty());
    }

    #[test]
    fn headers_come_back_in_order_as_they_were_given() {
        let list = HeaderList::new()
            .with("Subject", "a: b")
            .and_then(|list| list.with("X-Y", ""))
            .and_then(|list| list.with("k", b"\xff".as_slice()))
            .unwrap();
        let got: Vec<_> = list.iter().collect();
        assert_eq!(
            got,
            [
                (Name::Subject, &b"Subject"[..], &b"a: b"[..]),
                (Name::Other, b"X-Y", b""),
                (Name::Supported, b"k", b"\xff"),
            ]
        );
    }

    #[test]
    fn defaults_give_way_to_what_is_said() {
        let list = |lines: &[(&str, &str)]| {
            lines.iter().fold(HeaderList::new(), |list, (name, value)| {
                list.with(name, value).unwrap()
            })
        };
        let defaults = list(&[("Allow", "BYE"), ("X-A", "1"), ("User-Agent", "z")]);
        let owns = [
            list(&[]),
            list(&[("Subject", "s")]),
            list(&[("allow", "INFO"), ("X-B", "2")]),
            list(&[("x-a", "3")]),
        ];
        let kept = ["BYE 1 z", "BYE 1 z s", "1 z INFO 2", "BYE z 3"];
        for (own, kept) in owns.into_iter().zip(kept) {
            let over = own.over(&defaults);
            let values: Vec<_> = over.iter().map(|(.., value)| value).collect();
            assert_eq!(values.join(&b' '), kept.as_bytes());
            assert!(over.iter().all(|(name, ..)| over.contains(name)));
            let mut same = own;
            same.put_over(&defaults);
            assert_eq!(same, over);
        }
    }

    #[test]
    fn what_the_core_writes_is_reserved_in_any_form() {
        for name in [
            "via",
            "v",
            "From",
            "t",
            "i",
            "CSEQ",
            "Max-Forwards",
            "Route",
            "l",
            "RAck",
        ] {
            let headers = HeaderList::new().with(name, "x").unwrap();
            assert!(
                Outgoing::new().with_headers(headers).reserved().is_some(),
                "{name}"
            );
        }
        let typed = HeaderList::new()
            .with("Content-Type", "text/plain")
            .unwrap();
        let outgoing = Outgoing::new().with_headers(typed);
        assert_eq!(outgoing.reserved(), None);
        assert_eq!(
            outgoing.with_body(Body::sdp("v=0")).reserved(),
            Some(Name::ContentType)
        );
    }

    #[test]
    fn a_body_has_a_media_type() {
        assert!(Body::new("text/plain;charset=utf-8", "x").is_ok());
        for wrong in ["", "text", "text/plain\r\nX: y"] {
            assert!(Body::new(wrong, "x").is_err(), "{wrong:?}");
        }
    }
}

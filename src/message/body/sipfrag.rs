//! Pieces of messages: `message/sipfrag` (RFC 3420).

use super::super::scan::trim;
use super::super::{
    CSeq, ContentType, Header, Method, Name, NameAddr, StatusCode, Uri, ValueError, Via,
};
use super::super::{ContactValue, Message, parse_call_id, parse_content_length, split_commas};
use super::fields::{Fields, split_block};
use super::{BodyError, BodyErrorKind};

/// A piece of a SIP message: perhaps a start line, perhaps headers, perhaps a body.
///
/// ```
/// use drongo::message::{FragStart, SipFrag, StatusCode};
///
/// let frag = SipFrag::parse(b"SIP/2.0 603 Declined\r\n")?;
/// assert_eq!(frag.status(), Some(StatusCode::DECLINE));
/// # Ok::<(), drongo::message::BodyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SipFrag<'a> {
    start: Option<FragStart<'a>>,
    fields: &'a [u8],
    body: Option<&'a [u8]>,
}

/// The start line of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a message is a request or a response"
)]
pub enum FragStart<'a> {
    /// That of a request.
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI.
        uri: Uri<'a>,
    },
    /// That of a response.
    Response {
        /// The status code.
        status: StatusCode,
        /// The reason phrase, as it came.
        reason: &'a [u8],
    },
}

impl<'a> SipFrag<'a> {
    /// Reads a piece. Any header may be missing; what is there must be well-formed. The last line
    /// may lack its CRLF.
    ///
    /// # Errors
    ///
    /// [`BodyError`]: what is wrong, and where.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let (head, body) = split_block(bytes);
        let (start, fields) = match start_line(head)? {
            Some((start, rest)) => (Some(start), rest),
            None => (None, head),
        };
        let base = bytes.len().min(head.len()).saturating_sub(fields.len());
        let mut length = None;
        let mut typed = false;
        for field in Fields::new(fields) {
            let field = field
                .map_err(|at| BodyError::new(BodyErrorKind::Field, base.saturating_add(at)))?;
            check(&field).map_err(|e| BodyError::new(BodyErrorKind::Value(e.kind), base))?;
            typed |= field.name == Name::ContentType;
            if field.name == Name::ContentLength {
                length = parse_content_length(field.value).ok();
            }
        }
        let at = head.len().saturating_add(4);
        let body = body.filter(|body| !body.is_empty());
        let body = match (body, length) {
            (Some(body), Some(length)) => {
                let cut = body.get(..length as usize);
                Some(cut.ok_or(BodyError::new(BodyErrorKind::Truncated, at))?)
            }
            (body, _) => body,
        };
        if body.is_some_and(|body| !body.is_empty()) && !typed {
            return Err(BodyError::new(BodyErrorKind::Untyped, at));
        }
        Ok(Self {
            start,
            fields,
            body,
        })
    }

    /// The start line, if it has one.
    pub const fn start(&self) -> Option<FragStart<'a>> {
        self.start
    }

    /// The status code, if it begins as a response.
    pub const fn status(&self) -> Option<StatusCode> {
        match self.start {
            Some(FragStart::Response { status, .. }) => Some(status),
            Some(FragStart::Request { .. }) | None => None,
        }
    }

    /// The headers in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        Fields::new(self.fields).flatten()
    }

    /// The value of the first header with this name.
    pub fn first(&self, name: Name) -> Option<&'a [u8]> {
        self.headers()
            .find(|header| header.name == name)
            .map(|header| header.value)
    }

    /// The body, if it has one.
    pub const fn body(&self) -> Option<&'a [u8]> {
        self.body
    }
}

impl Message {
    /// The body as a piece of a message, if it is of type `message/sipfrag` in version 2.0, which
    /// holds too when there is no version.
    pub fn sipfrag(&self) -> Option<Result<SipFrag<'_>, BodyError>> {
        let kind = self.content_type()?.ok()?;
        is_sipfrag(&kind).then(|| SipFrag::parse(self.body_slice()))
    }
}

fn is_sipfrag(kind: &ContentType<'_>) -> bool {
    let version = kind.params().get("version").and_then(|p| p.unquoted());
    kind.is("message", "sipfrag") && version.is_none_or(|version| &*version == b"2.0")
}

/// The start line and what follows it, unless the first line is a header.
fn start_line(head: &[u8]) -> Result<Option<(FragStart<'_>, &[u8])>, BodyError> {
    let end = memchr::memmem::find(head, b"\r\n").unwrap_or(head.len());
    let (line, rest) = head.split_at_checked(end).unwrap_or((head, &[]));
    let rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    let word = line.iter().position(|b| matches!(b, b' ' | b'\t' | b':'));
    let after = trim(line.get(word.unwrap_or(line.len())..).unwrap_or_default());
    if line.is_empty() || after.starts_with(b":") {
        return Ok(None);
    }
    let error = BodyError::new(BodyErrorKind::StartLine, 0);
    let start = if line
        .get(..4)
        .is_some_and(|sip| sip.eq_ignore_ascii_case(b"SIP/"))
    {
        status_line(line)
    } else {
        request_line(line)
    };
    start.map(|start| Some((start, rest))).ok_or(error)
}

fn status_line(line: &[u8]) -> Option<FragStart<'_>> {
    let (version, rest) = line.split_at_checked(7)?;
    let (code, reason) = rest.get(..4)?.strip_prefix(b" ").zip(rest.get(4..))?;
    let reason = match reason {
        [] => reason,
        [b' ', reason @ ..] => reason,
        [..] => return None,
    };
    let status = StatusCode::parse(code)?;
    version
        .eq_ignore_ascii_case(b"SIP/2.0")
        .then_some(FragStart::Response { status, reason })
}

fn request_line(line: &[u8]) -> Option<FragStart<'_>> {
    let mut words = line.split(|&b| b == b' ');
    let (method, uri, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return None;
    }
    let method = Method::parse(method).ok()?;
    let uri = Uri::parse(uri).ok()?;
    Some(FragStart::Request { method, uri })
}

/// Refuses a malformed value of the headers that say what the message was.
fn check(field: &Header<'_>) -> Result<(), ValueError> {
    let value = field.value;
    if matches!(field.name, Name::To | Name::From) {
        NameAddr::parse(value).map(drop)
    } else if field.name == Name::CallId {
        parse_call_id(value).map(drop)
    } else if field.name == Name::CSeq {
        CSeq::parse(value).map(drop)
    } else if field.name == Name::ContentLength {
        parse_content_length(value).map(drop)
    } else if field.name == Name::ContentType {
        ContentType::parse(value).map(drop)
    } else if field.name == Name::Via {
        split_commas(value).try_for_each(|hop| Via::parse(hop).map(drop))
    } else if field.name == Name::Contact {
        split_commas(value).try_for_each(|contact| ContactValue::parse(contact).map(drop))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frag(text: &str) -> SipFrag<'_> {
        SipFrag::parse(text.as_bytes()).expect(text)
    }

    fn kind(text: &str) -> BodyErrorKind {
        SipFrag::parse(text.as_bytes()).expect_err(text).kind
    }

    #[test]
    fn a_piece_is_any_part_of_a_message() {
        // 3420-2-01, 3420-2-02, 3420-2-04
        // From RFC 3420 3.1.
        let start = frag("INVITE sip:alice@atlanta.com SIP/2.0\r\n");
        let Some(FragStart::Request { method, uri }) = start.start() else {
            panic!()
        };
        assert_eq!(
            (method, uri.as_bytes()),
            (Method::Invite, &b"sip:alice@atlanta.com"[..])
        );
        assert_eq!(
            frag("SIP/2.0 603 Declined").status(),
            Some(StatusCode::DECLINE)
        );
        assert_eq!(frag("SIP/2.0 100\r\n").status(), Some(StatusCode::TRYING));
        let headers = frag(
            "REGISTER sip:atlanta.com SIP/2.0\r\nTo: sip:alice@atlanta.com\r\n\
            Contact: <sip:alicepc@atlanta.com>;q=0.9,\r\n <sip:alicemobile@atlanta.com>;q=0.1\r\n",
        );
        assert_eq!(headers.headers().count(), 2);
        let only = frag("From: Alice <sip:alice@atlanta.com>\r\nTo: Bob <sip:bob@biloxi.com>\r\n");
        assert_eq!((only.start(), only.headers().count()), (None, 2));
        assert_eq!(only.first(Name::To), Some(&b"Bob <sip:bob@biloxi.com>"[..]));
        assert_eq!(frag("").headers().count(), 0);
    }

    #[test]
    fn a_body_says_its_type_and_stands_behind_an_empty_line() {
        // 3420-2-03, 3420-3.2-03
        let text = "SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\ns=-\r\n";
        assert_eq!(frag(text).body(), Some(&b"v=0\r\n"[..]));
        assert_eq!(frag("\r\n").body(), None);
        assert_eq!(kind("SIP/2.0 200 OK\r\n\r\nv=0"), BodyErrorKind::Untyped);
        assert_eq!(kind("SIP/2.0 200 OK\r\nv=0\r\n"), BodyErrorKind::Field);
        let short = "c: text/plain\r\nl: 9\r\n\r\nv=0";
        assert_eq!(kind(short), BodyErrorKind::Truncated);
    }

    #[test]
    fn an_incomplete_start_line_is_refused() {
        // 3420-3.2-01
        for text in [
            "INVITE",
            "INVITE sip:a@b",
            "SIP/2.0",
            "404 Not Found",
            "SIP/1.09 404 Not Found",
            "INVITE sip:a@b SIP/1.09",
            "INVITE sip:a@b SIP/2.0 x",
            "IN/VITE sip:a@b SIP/2.0",
            "SIP/2.0 20 OK",
            "SIP/2.0 2000",
            "SIP/2.0  200 OK",
        ] {
            assert_eq!(kind(text), BodyErrorKind::StartLine, "{text}");
        }
    }

    #[test]
    fn a_malformed_header_is_refused() {
        // 3420-3.2-02
        for text in [
            "To: <>",
            "To:",
            "Call-ID: a b",
            "From: <sip:a@b>;tag=1;tag=2",
            "CSeq: x INVITE",
            "Via: nothing",
            "Contact: <sip:a",
            "Content-Type: x",
            "Content-Length: -1",
        ] {
            assert!(matches!(kind(text), BodyErrorKind::Value(_)), "{text}");
        }
    }

    #[test]
    fn the_last_line_may_lack_its_end() {
        // 3420-3.2-04
        for text in [
            "SIP/2.0 200 OK",
            "To: sip:a@b",
            "SIP/2.0 200 OK\r\nTo: sip:a@b",
        ] {
            let whole = format!("{text}\r\n");
            assert_eq!(frag(text).start(), frag(&whole).start());
            assert_eq!(frag(text).first(Name::To), frag(&whole).first(Name::To));
        }
    }

    #[test]
    fn the_version_is_2_0_unless_it_says_otherwise() {
        // 3420-5-01
        for (kind, is) in [
            ("message/sipfrag", true),
            ("Message/SipFrag;version=2.0", true),
            ("message/sipfrag;version=\"2.0\"", true),
            ("message/sipfrag;version=3.0", false),
            ("message/sip", false),
        ] {
            let text =
                format!("NOTIFY sip:a@b SIP/2.0\r\nContent-Type: {kind}\r\n\r\nSIP/2.0 200 OK");
            let message = Message::parse(text.into()).unwrap();
            assert_eq!(message.sipfrag().is_some(), is, "{kind}");
        }
    }
}

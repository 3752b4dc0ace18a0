//! A request from a URI: on a web page, in a Refer-To, in a Contact (RFC 3261 19.1.5).

use alloc::vec::Vec;

use super::escape::percent_decode;
use super::{Body, ContentType, HeaderList, Method, Name, SipUri, UriBuf};
use super::{ValueError, ValueErrorKind};

/// What a SIP URI asks for: a method, a Request-URI, headers and a body.
///
/// ```
/// use drongo::message::{Method, SipUri, UriRequest};
///
/// let uri = SipUri::parse(b"sip:bob@biloxi.com;method=INVITE;x=y?subject=a%20b&route=c").unwrap();
/// let request = UriRequest::of(&uri)?;
/// assert_eq!(request.method(), Method::Invite);
/// assert_eq!(request.request_uri().as_bytes(), b"sip:bob@biloxi.com;x=y");
/// assert_eq!(request.headers().as_bytes(), b"subject: a b\r\n");
/// # Ok::<(), drongo::message::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UriRequest<'a> {
    method: Method<'a>,
    request_uri: UriBuf,
    headers: HeaderList,
    body: Option<Body>,
}

/// Headers of a URI that are not honoured: they would let a link speak in another's name, send the
/// request elsewhere, or claim what only this element knows of itself.
const NOT_HONOURED: [Name; 24] = [
    Name::From,
    Name::CallId,
    Name::CSeq,
    Name::Via,
    Name::RecordRoute,
    Name::Route,
    Name::Accept,
    Name::AcceptEncoding,
    Name::AcceptLanguage,
    Name::Allow,
    Name::Contact,
    Name::Organization,
    Name::Supported,
    Name::UserAgent,
    // Besides those that the RFC lists: what the core writes, and what states a fact that the
    // sender of a link cannot know.
    Name::To,
    Name::MaxForwards,
    Name::RSeq,
    Name::RAck,
    Name::ContentDisposition,
    Name::ContentEncoding,
    Name::ContentLanguage,
    Name::ContentLength,
    Name::Date,
    Name::Timestamp,
];

impl<'a> UriRequest<'a> {
    /// What the URI asks for. The method is INVITE if it does not say. Content-Type is honoured
    /// with a `body`, and with nothing else of that family; the core writes the length.
    ///
    /// # Errors
    ///
    /// [`Token`](ValueErrorKind::Token) if the method, or the name of a header, is none or is not
    /// known here; [`Unexpected`](ValueErrorKind::Unexpected) if a header asks for an extension
    /// (Require, Proxy-Require), or if a value, escapes undone, holds a line break or NUL. Then
    /// nothing is to be sent.
    pub fn of(uri: &SipUri<'a>) -> Result<Self, ValueError> {
        let method = match uri.method_param() {
            Some(method) => Method::parse(method.as_bytes())?,
            None => Method::Invite,
        };
        let token = ValueError::new(ValueErrorKind::Token, 0);
        if matches!(method, Method::Other(_)) {
            return Err(token);
        }
        let unexpected = ValueError::new(ValueErrorKind::Unexpected, 0);
        let mut headers = HeaderList::new();
        let (mut content, mut kind) = (None, None);
        for (name, value) in uri.header_pairs() {
            let (name, value) = (percent_decode(name), percent_decode(value));
            if name.eq_ignore_ascii_case(b"body") {
                content = Some(value);
                continue;
            }
            let known = Name::parse(&name);
            if matches!(known, Name::Require | Name::ProxyRequire) {
                return Err(unexpected);
            }
            if known == Name::ContentType {
                kind = Some(value);
                continue;
            }
            if NOT_HONOURED.contains(&known) {
                continue;
            }
            let name = core::str::from_utf8(&name).map_err(|_| token)?;
            headers.push(name, &*value).map_err(|_| unexpected)?;
        }
        Ok(Self {
            method,
            request_uri: request_uri(uri)?,
            headers,
            body: body(content.as_deref(), kind.as_deref())?,
        })
    }

    /// The method.
    pub const fn method(&self) -> Method<'a> {
        self.method
    }

    /// The Request-URI: the URI without `method` and without its headers.
    pub const fn request_uri(&self) -> &UriBuf {
        &self.request_uri
    }

    /// The headers to add.
    pub const fn headers(&self) -> &HeaderList {
        &self.headers
    }

    /// The body, if it asks for one.
    pub const fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }
}

/// The URI without the parts that do not belong in a Request-URI.
fn request_uri(uri: &SipUri<'_>) -> Result<UriBuf, ValueError> {
    let raw = uri.as_bytes();
    let tail = uri.params().as_bytes().len();
    let headers = uri
        .headers()
        .map_or(0, |headers| headers.len().saturating_add(1));
    let head = raw.len().saturating_sub(headers).saturating_sub(tail);
    let mut text = Vec::from(raw.get(..head).unwrap_or_default());
    for param in uri.params() {
        if !uri.params().is_named(&param, "method") {
            param.write_to(&mut text);
        }
    }
    UriBuf::parse(text)
}

fn body(content: Option<&[u8]>, kind: Option<&[u8]>) -> Result<Option<Body>, ValueError> {
    let Some(content) = content else {
        return Ok(None);
    };
    let kind = kind.unwrap_or(b"text/plain");
    ContentType::parse(kind)?;
    let kind = core::str::from_utf8(kind).unwrap_or_default();
    let body = Body::new(kind, Vec::from(content));
    body.map(Some)
        .map_err(|_| ValueError::new(ValueErrorKind::Unexpected, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<UriRequest<'_>, ValueErrorKind> {
        let uri = SipUri::parse(text.as_bytes()).expect(text);
        UriRequest::of(&uri).map_err(|error| error.kind)
    }

    #[test]
    fn the_request_uri_keeps_all_but_method_and_headers() {
        // 3261-19.1.5-01, 3261-19.1.5-03, 3261-19.1.5-04, 3261-19.1.5-05
        let text =
            "sips:b;x=y@h:5061;transport=tcp;Method=REFER;maddr=1.2.3.4;ttl=1;user=ip;new=a?s=b";
        let request = of(text).unwrap();
        let uri = "sips:b;x=y@h:5061;transport=tcp;maddr=1.2.3.4;ttl=1;user=ip;new=a";
        assert_eq!(request.request_uri().to_string(), uri);
        assert_eq!(of("sip:h").unwrap().request_uri().to_string(), "sip:h");
        let escaped = of("sip:h;meth%6Fd=BYE").unwrap();
        assert_eq!(
            (escaped.method(), escaped.request_uri().as_bytes()),
            (Method::Bye, &b"sip:h"[..])
        );
    }

    #[test]
    fn the_method_is_that_of_the_uri() {
        // 3261-19.1.5-02
        assert_eq!(
            of("sip:h;method=REGISTER").unwrap().method(),
            Method::Register
        );
        assert_eq!(of("sip:h").unwrap().method(), Method::Invite);
    }

    #[test]
    fn headers_and_body_are_taken_one_by_one() {
        // 3261-19.1.5-06, 3261-19.1.1-15
        let request = of("sip:h?Subject=a%3Ab&Replaces=1%3Bto-tag%3D2&body=x%0D%0Ay").unwrap();
        assert_eq!(
            request.headers().as_bytes(),
            b"Subject: a:b\r\nReplaces: 1;to-tag=2\r\n"
        );
        let body = request.body().unwrap();
        assert_eq!(
            (body.content_type(), &**body.bytes()),
            ("text/plain", &b"x\r\ny"[..])
        );
        let typed = of("sip:h?content-type=text%2Fhtml&BODY=x").unwrap();
        assert_eq!(typed.body().unwrap().content_type(), "text/html");
    }

    #[test]
    fn headers_that_would_mislead_are_left_out() {
        // 3261-19.1.5-07, 3261-19.1.5-08, 3261-19.1.5-09, 3261-19.1.5-10
        for name in [
            "From",
            "f",
            "Call-ID",
            "CSeq",
            "Via",
            "Record-Route",
            "Route",
            "Accept",
            "Accept-Encoding",
            "Accept-Language",
            "Allow",
            "Contact",
            "m",
            "Organization",
            "Supported",
            "User-Agent",
            "Content-Disposition",
            "Content-Encoding",
            "Content-Language",
            "Content-Length",
            "Date",
            "Timestamp",
            "r%6Fute",
        ] {
            let text = format!("sip:h?{name}=x&Subject=y");
            let request = of(&text).unwrap();
            assert_eq!(request.headers().as_bytes(), b"Subject: y\r\n", "{name}");
        }
    }

    #[test]
    fn what_gives_no_valid_request_gives_none() {
        // 3261-19.1.5-11, 3261-19.1.5-12, 3261-19.1.5-13
        for text in [
            "sip:h;method=UNHEARD-OF",
            "sip:h?Require=foo",
            "sip:h?Proxy-Require=foo",
            "sip:h?Subject=a%0D%0AVia:%20x",
            "sip:h?a%20b=c",
            "sip:h?Subject=%00",
            "sip:h?Content-Type=none&body=x",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}

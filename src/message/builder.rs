//! Any message, line by line: for tests, simulations, and what no writer of the core covers.

use alloc::vec::Vec;

use bytes::Bytes;

use super::put::{self, Put};
use super::scan::is_token;
use super::{Body, HeaderList, Message, Name, StatusCode, Uri};
use crate::error::Misuse;

/// Builds a message from a start line, headers in the order given, and a body.
///
/// Content-Length is written by the builder, and Content-Type with a body. Nothing else is added
/// or checked to be there.
///
/// ```
/// use drongo::message::Builder;
///
/// let bytes = Builder::request("OPTIONS", "sip:bob@example.com")
///     .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
///     .header("Max-Forwards", "70")
///     .build()?;
/// assert!(bytes.starts_with(b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: "));
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    start: Result<Vec<u8>, Misuse>,
    headers: HeaderList,
    body: Option<Body>,
}

impl Builder {
    /// A request. What is malformed is said by [`Builder::build`].
    pub fn request(method: &str, uri: &str) -> Self {
        let start = if !is_token(method.as_bytes()) {
            Err(Misuse::Malformed { what: "method" })
        } else if Uri::parse(uri.as_bytes()).is_err() {
            Err(Misuse::Malformed {
                what: "Request-URI",
            })
        } else {
            let parts = [method.as_bytes(), b" ", uri.as_bytes(), b" SIP/2.0\r\n"];
            Ok(parts.concat())
        };
        Self {
            start,
            headers: HeaderList::new(),
            body: None,
        }
    }

    /// A response; without a reason, that of the RFCs.
    pub fn response(status: StatusCode, reason: Option<&str>) -> Self {
        let reason = reason.unwrap_or_else(|| status.reason());
        let start = super::write::check_value(reason.as_bytes())
            .map_err(|_| Misuse::Malformed {
                what: "reason phrase",
            })
            .map(|()| {
                let mut line = Vec::new();
                put_status_line(&mut line, status, Some(reason));
                line
            });
        Self {
            start,
            headers: HeaderList::new(),
            body: None,
        }
    }

    /// One header more, after those before it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let pushed = if Name::parse(name.as_bytes()) == Name::ContentLength {
            Err(Misuse::ReservedHeader {
                name: "Content-Length",
            })
        } else {
            self.headers.push(name, value)
        };
        if let Err(misuse) = pushed {
            self.start = self.start.and(Err(misuse));
        }
        self
    }

    /// The body and its Content-Type.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// The bytes.
    ///
    /// # Errors
    ///
    /// The first thing that was malformed.
    pub fn build(self) -> Result<Bytes, Misuse> {
        let mut out = self.start?;
        if self.body.is_some() && self.headers.contains(Name::ContentType) {
            return Err(Misuse::ReservedHeader {
                name: "Content-Type",
            });
        }
        super::write::put_rest(&mut out, &self.headers, self.body.as_ref());
        Ok(Bytes::from(out))
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn build_message(self) -> Result<Message, Misuse> {
        let bytes = self.build()?;
        Message::parse_own(&bytes).ok_or(Misuse::Malformed { what: "message" })
    }
}

/// The status line. A line break in the reason comes out as a space.
#[inline]
pub(crate) fn put_status_line(
    out: &mut (impl Put + ?Sized),
    status: StatusCode,
    reason: Option<&str>,
) {
    match (reason, status.line()) {
        (None, Some(line)) => out.put(line.as_bytes()),
        (Some(reason), _) => put_status_and(out, status, reason),
        (None, None) => put_status_and(out, status, status.reason()),
    }
}

fn put_status_and(out: &mut (impl Put + ?Sized), status: StatusCode, reason: &str) {
    let code = status.as_u16();
    let digit = |n: u16| b'0'.saturating_add(u8::try_from(n % 10).unwrap_or(0));
    let [hundreds, tens, ones] = [code / 100, code / 10, code].map(digit);
    out.put(b"SIP/2.0 ");
    out.put(&[hundreds, tens, ones, b' ']);
    put::one_line(out, reason.as_bytes());
    out.put(b"\r\n");
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_comes_out_line_by_line() {
        let built = Builder::response(StatusCode::OK, None)
            .header("Via", "SIP/2.0/UDP a")
            .header("X-Y", b"\xff".as_slice())
            .body(Body::new("text/plain", "hi").unwrap())
            .build()
            .unwrap();
        assert_eq!(
            built,
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nX-Y: \xff\r\n\
            Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
                .as_slice()
        );
    }

    #[test]
    fn the_status_line_of_the_rfcs_is_the_one_made_in_pieces() {
        for code in 100..700 {
            let status = StatusCode::new(code).unwrap();
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());
            put_status_line(&mut whole, status, None);
            put_status_and(&mut pieces, status, status.reason());
            assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let malformed = |what| Err(Misuse::Malformed { what });
        let build = |method, uri| Builder::request(method, uri).build();
        assert_eq!(build("IN VITE", "sip:a@b"), malformed("method"));
        assert_eq!(
            build("INVITE", "sip:a@b SIP/2.0\r\nX: y"),
            malformed("Request-URI")
        );
        let response = |reason| Builder::response(StatusCode::OK, Some(reason)).build();
        assert_eq!(response("O\r\nK"), malformed("reason phrase"));
        let header =
            |name, value: &str| Builder::request("A", "sip:a@b").header(name, value).build();
        assert_eq!(header("A:", "x"), malformed("header name"));
        assert_eq!(header("A", "x\n"), malformed("header value"));
        assert_eq!(
            header("l", "5"),
            Err(Misuse::ReservedHeader {
                name: "Content-Length"
            })
        );
        let twice = Builder::request("A", "sip:a@b")
            .header("c", "text/plain")
            .body(Body::sdp(""));
        assert_eq!(
            twice.build(),
            Err(Misuse::ReservedHeader {
                name: "Content-Type"
            })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            lines in prop::collection::vec(("[A-Za-z][A-Za-z0-9.!%*_+`'~-]{1,11}", "[!-~\u{a1}-\u{2ff}][ -~]{0,30}[!-~]|"), 0..40),
            body in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        ) {
            let mut builder = Builder::request("X", "sip:a@b");
            for (name, value) in &lines {
                builder = builder.header(&alloc::format!("X{name}"), value);
            }
            if let Some(body) = &body {
                builder = builder.body(Body::new("a/b", body.clone()).unwrap());
            }
            let bytes = builder.build().unwrap();
            let message = Message::parse(bytes.clone()).unwrap();
            let read: Vec<(String, Vec<u8>)> = message
                .headers()
                .take(lines.len())
                .map(|h| (String::from_utf8(h.raw_name[1..].to_vec()).unwrap(), h.value.to_vec()))
                .collect();
            let given: Vec<_> = lines.into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
            prop_assert_eq!(read, given);
            prop_assert_eq!(message.body_slice().to_vec(), body.unwrap_or_default());
            prop_assert_eq!(message.bytes(), &bytes);
        }
    }
}

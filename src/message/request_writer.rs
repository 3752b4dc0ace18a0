//! Requests that the core makes, from their parts.

use bytes::Bytes;
use smallvec::SmallVec;

use super::put::{self, Emit, Put, offset};
use super::write::put_rest;
use super::{Body, Draft, HeaderList, Method, Name, NameAddr, Origin};
use crate::seed::Token;

/// Writes a whole request from its parts, in one exact allocation.
///
/// The parts are values as they stand on the wire, from the core's own state. A folded one comes
/// out on one line. What is not set is not written, but Content-Length always is.
///
/// ```
/// use drongo::message::{Message, Method, RequestWriter};
///
/// let bytes = RequestWriter::new(Method::Bye, b"sip:bob@192.0.2.4")
///     .via(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77ef4c")
///     .from(b"<sip:alice@example.com>;tag=1")
///     .to(b"<sip:bob@example.com>;tag=2")
///     .call_id(b"a84b4c76e66710")
///     .cseq(2)
///     .write();
/// assert!(Message::parse(bytes)?.is_request());
/// # Ok::<(), drongo::message::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestWriter<'a> {
    method: Method<'a>,
    uri: &'a [u8],
    via: Option<&'a [u8]>,
    max_forwards: u8,
    routes: SmallVec<[&'a [u8]; 4]>,
    last_route: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    call_id: Option<&'a [u8]>,
    cseq: u32,
    contact: Option<&'a [u8]>,
    secure: bool,
    /// Whether each of From, To, Call-ID, the URI and the routes is known to be on one line.
    on_one_line: bool,
    headers: Option<&'a HeaderList>,
    body: Option<&'a Body>,
}

impl<'a> RequestWriter<'a> {
    /// A request with Max-Forwards 70 (RFC 3261 8.1.1.6) and CSeq 1.
    pub fn new(method: Method<'a>, uri: &'a [u8]) -> Self {
        Self {
            method,
            uri,
            via: None,
            max_forwards: 70,
            routes: SmallVec::new(),
            last_route: None,
            from: None,
            to: None,
            call_id: None,
            cseq: 1,
            contact: None,
            secure: false,
            on_one_line: false,
            headers: None,
            body: None,
        }
    }

    /// The only Via.
    #[must_use]
    pub fn via(mut self, value: &'a [u8]) -> Self {
        self.via = Some(value);
        self
    }

    /// Max-Forwards.
    #[must_use]
    pub fn max_forwards(mut self, hops: u8) -> Self {
        self.max_forwards = hops;
        self
    }

    /// One Route value more, after those before it.
    #[must_use]
    pub fn route(mut self, value: &'a [u8]) -> Self {
        self.routes.push(value);
        self
    }

    /// Route values, in order, after those before them.
    #[must_use]
    pub fn routes(mut self, values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        self.routes.extend(values);
        self
    }

    /// A URI as the last Route, behind the others: the remote target, when the Request-URI is a
    /// strict router (RFC 3261 12.2.1.1).
    #[must_use]
    pub fn route_uri(mut self, uri: &'a [u8]) -> Self {
        self.last_route = Some(uri);
        self
    }

    /// From, with its tag.
    #[must_use]
    pub fn from(mut self, value: &'a [u8]) -> Self {
        self.from = Some(value);
        self
    }

    /// To, with its tag if there is one.
    #[must_use]
    pub fn to(mut self, value: &'a [u8]) -> Self {
        self.to = Some(value);
        self
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(mut self, value: &'a [u8]) -> Self {
        self.call_id = Some(value);
        self
    }

    /// The number of CSeq; the method is the request's.
    #[must_use]
    pub fn cseq(mut self, number: u32) -> Self {
        self.cseq = number;
        self
    }

    /// Contact.
    #[must_use]
    pub fn contact(mut self, value: &'a [u8]) -> Self {
        self.contact = Some(value);
        self
    }

    /// Whether the Contact of a [draft](Self::draft) is a SIPS URI even if neither the Request-URI
    /// nor the first Route is one: the secure flag of a dialog (RFC 3261 12.2.1.1).
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// The same; its values come from where folded ones have been made one line.
    #[must_use]
    pub(crate) fn on_one_line(mut self) -> Self {
        self.on_one_line = true;
        self
    }

    /// Further headers.
    #[must_use]
    pub fn headers(mut self, headers: &'a HeaderList) -> Self {
        self.headers = Some(headers);
        self
    }

    /// The body and its Content-Type.
    #[must_use]
    pub fn body(mut self, body: Option<&'a Body>) -> Self {
        self.body = body;
        self
    }

    /// The bytes.
    pub fn write(&self) -> Bytes {
        self.to_bytes()
    }

    /// The request with Via and Contact as from `origin`, which the flow that it takes may change.
    /// `contact` is the user part of the Contact, if it is to have one.
    pub fn draft(&self, branch: Token, contact: Option<&[u8]>, origin: &Origin) -> Draft {
        Draft::new(self, branch, contact, origin)
    }

    /// The Request-URI.
    pub(crate) fn uri(&self) -> &'a [u8] {
        self.uri
    }

    pub(super) fn method(&self) -> Method<'a> {
        self.method
    }

    /// Where in the written text the URI is that says where to send: that of the first Route, or
    /// the Request-URI. The first Route begins at `routes`.
    pub(super) fn find_next_hop(&self, text: &[u8], routes: usize) -> (u32, u32) {
        let route = self
            .routes
            .first()
            .and_then(|route| NameAddr::parse(route).ok());
        let (uri, line) = match (&route, self.last_route) {
            // A strict router stands in the Request-URI (RFC 3261 12.2.1.1).
            (Some(route), None) => (route.uri().as_bytes(), routes),
            (Some(_), Some(_)) | (None, _) => (self.uri, 0),
        };
        let line_text = text.get(line..).unwrap_or_default();
        let start = match line {
            // Behind the method and a blank.
            0 => self.method.as_str().len().saturating_add(1),
            _ => memchr::memmem::find(line_text, uri).unwrap_or(0),
        };
        let start = line.saturating_add(start);
        (offset(start), offset(start.saturating_add(uri.len())))
    }

    /// Room for the whole text, with a little to spare.
    pub(super) fn room(&self) -> usize {
        // Names, blanks and line breaks of the fixed lines, and three numbers.
        const FIXED: usize = 128;
        const LINE: usize = 16;
        let values = [self.from, self.to, self.call_id, self.last_route];
        let routes = self.routes.iter().copied();
        let lines = routes.chain(values.into_iter().flatten());
        let lines = lines.fold(FIXED, |room, line| {
            room.saturating_add(line.len()).saturating_add(LINE)
        });
        let headers = self.headers.map_or(0, |headers| headers.as_bytes().len());
        let body = self.body.map_or(0, |body| {
            body.bytes()
                .len()
                .saturating_add(body.content_type().len())
                .saturating_add(LINE)
        });
        let parts = [self.uri.len(), headers, body];
        parts
            .iter()
            .fold(lines, |room, part| room.saturating_add(*part))
    }

    /// Whether Contact must be a SIPS URI (RFC 3261 8.1.1.8).
    pub(super) fn is_secure(&self) -> bool {
        if self.secure {
            return true;
        }
        let is_sips = |uri: &[u8]| {
            matches!(
                uri,
                [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S', b':', ..]
            )
        };
        let route = self.routes.first();
        let route = route.and_then(|route| NameAddr::parse(route).ok());
        is_sips(self.uri) || route.is_some_and(|r| is_sips(r.uri().as_bytes()))
    }

    /// Everything before a Via.
    pub(super) fn emit_start_line(&self, out: &mut (impl Put + ?Sized)) {
        out.put(self.method.as_str().as_bytes());
        out.put(b" ");
        self.put_value(out, self.uri);
        out.put(b" SIP/2.0\r\n");
    }

    /// What stands between Via and Contact.
    pub(super) fn emit_core(&self, out: &mut (impl Put + ?Sized)) {
        for route in &self.routes {
            out.put(b"Route: ");
            self.put_value(out, route);
            out.put(b"\r\n");
        }
        if let Some(uri) = self.last_route {
            put::start_of_line(out, Name::Route);
            out.put(b"<");
            out.put(uri);
            out.put(b">\r\n");
        }
        match self.max_forwards {
            70 => out.put(b"Max-Forwards: 70"),
            hops => {
                out.put(b"Max-Forwards: ");
                put::number(out, u64::from(hops));
            }
        }
        let named: [(&[u8], _); 3] = [
            (b"\r\nFrom: ", self.from),
            (b"\r\nTo: ", self.to),
            (b"\r\nCall-ID: ", self.call_id),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                out.put(name);
                self.put_value(out, value);
            }
        }
        out.put(b"\r\n");
        put_cseq(out, self.cseq, self.method.as_str().as_bytes());
    }

    #[inline]
    fn put_value(&self, out: &mut (impl Put + ?Sized), value: &[u8]) {
        match self.on_one_line {
            true => out.put(value),
            false => put::one_line(out, value),
        }
    }

    /// What stands behind Contact.
    pub(super) fn emit_rest(&self, out: &mut (impl Put + ?Sized)) {
        match self.headers {
            Some(headers) => put_rest(out, headers, self.body),
            None => put_rest(out, &HeaderList::new(), self.body),
        }
    }
}

impl Emit for RequestWriter<'_> {
    fn emit(&self, out: &mut dyn Put) {
        self.emit_start_line(out);
        if let Some(via) = self.via {
            put::line(out, Name::Via, via);
        }
        self.emit_core(out);
        if let Some(contact) = self.contact {
            put::line(out, Name::Contact, contact);
        }
        self.emit_rest(out);
    }
}

/// The CSeq line.
pub(crate) fn put_cseq(out: &mut (impl Put + ?Sized), number: u32, method: &[u8]) {
    out.put(b"CSeq: ");
    put::number(out, u64::from(number));
    out.put(b" ");
    out.put(method);
    out.put(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_parts_in_order() {
        // 3261-7-01, 3261-7-02, 3261-7.3.1-10, 3261-7.4.1-01
        let headers = HeaderList::new().with("Supported", "timer").unwrap();
        let body = Body::sdp("v=0\r\n");
        let bytes = RequestWriter::new(Method::Invite, b"sip:bob@192.0.2.4")
            .via(b"SIP/2.0/UDP pc33;branch=z9hG4bK1")
            .max_forwards(9)
            .routes([&b"<sip:p1;lr>"[..], b"<sip:p2;lr>"])
            .route(b"<sip:p3;lr>")
            .from(b"Alice\r\n <sip:alice@a>;tag=1")
            .to(b"<sip:bob@b>")
            .call_id(b"1@a")
            .cseq(4_294_967_295)
            .contact(b"<sip:alice@pc33>")
            .headers(&headers)
            .body(Some(&body))
            .write();
        assert_eq!(
            bytes,
            b"INVITE sip:bob@192.0.2.4 SIP/2.0\r\n\
            Via: SIP/2.0/UDP pc33;branch=z9hG4bK1\r\n\
            Route: <sip:p1;lr>\r\n\
            Route: <sip:p2;lr>\r\n\
            Route: <sip:p3;lr>\r\n\
            Max-Forwards: 9\r\n\
            From: Alice <sip:alice@a>;tag=1\r\n\
            To: <sip:bob@b>\r\n\
            Call-ID: 1@a\r\n\
            CSeq: 4294967295 INVITE\r\n\
            Contact: <sip:alice@pc33>\r\n\
            Supported: timer\r\n\
            Content-Type: application/sdp\r\n\
            Content-Length: 5\r\n\r\nv=0\r\n"
                .as_slice()
        );
    }

    #[test]
    fn there_is_room_for_the_whole_text() {
        let headers = HeaderList::new().with("Subject", "x".repeat(300)).unwrap();
        let body = Body::sdp("v=0\r\n".repeat(90));
        let writer = RequestWriter::new(Method::Message, b"sip:bob@192.0.2.4")
            .max_forwards(9)
            .routes([&b"<sip:p1;lr>"[..], b"<sip:p2;lr>"])
            .route(b"<sip:p3;lr>")
            .from(b"Alice <sip:alice@a>;tag=1")
            .to(b"<sip:bob@b>")
            .call_id(b"1@a")
            .cseq(4_294_967_295)
            .headers(&headers)
            .body(Some(&body));
        let room = writer.room();
        let len = writer.write().len();
        assert!((len..len + 256).contains(&room), "{room} for {len}");
    }

    #[test]
    fn no_part_can_add_a_line() {
        let bytes = RequestWriter::new(Method::Bye, b"sip:b@b")
            .call_id(b"1\r\nX-Smuggled: 1\nY: 2")
            .write();
        assert_eq!(bytes.iter().filter(|&&b| b == b'\n').count(), 6);
    }
}

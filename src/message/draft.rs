//! Requests that are complete but for what the way they go decides.

use alloc::vec::Vec;

use bytes::Bytes;

use super::put::{Put, offset};
use super::{Method, NameAddr, RequestWriter};
use crate::overload::Priority;
use crate::seed::Token;

/// A request whose Via and Contact may still change: both name the local address of the flow that
/// it takes, which is known only when its next hop has been found.
///
/// It is written as it goes from where requests usually leave. Sealed for that, it costs nothing
/// more; for another origin, its two lines are written anew. Sealing it twice for one origin gives
/// the same bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    /// The request as it goes from its first origin.
    text: Bytes,
    method_end: u32,
    /// Where the line of Via begins, and the one behind it.
    via_at: u32,
    core_at: u32,
    /// The branch in that line.
    branch: (u32, u32),
    /// Where Contact begins, or would stand, and what is behind it.
    contact_at: u32,
    rest_at: u32,
    /// Where the user part ends that the Contact has.
    user_end: u32,
    /// Where the next hop's URI stands in the text.
    hop: (u32, u32),
    /// Whether Contact is a SIPS URI, and TLS is needed.
    secure: bool,
}

/// What a request says of where it comes from, as it stands in Via and Contact.
///
/// The default names no place: no request is sent from there.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Origin {
    /// How Via begins, up to its first parameter.
    via: Bytes,
    /// The parameters behind the branch, and the end of the line.
    via_rest: Bytes,
    /// Host, port and parameters for Contact.
    contact: Bytes,
}

impl Origin {
    /// Of the transport as Via names it; host and port for Via; host, port and parameters for
    /// Contact.
    pub fn new(transport: &str, sent_by: &str, contact: &str) -> Self {
        let via = ["SIP/2.0/", transport, " ", sent_by, ";"].concat();
        let origin = Self {
            via: via.into(),
            via_rest: Bytes::new(),
            contact: Bytes::copy_from_slice(contact.as_bytes()),
        };
        origin.with_via_params(b"")
    }

    /// The same with these parameters in its Via, each with its `;`.
    #[must_use]
    pub(crate) fn with_via_params(mut self, params: &[u8]) -> Self {
        // RFC 3581 3: rport without a value, so that a server behind whatever address rewriting
        // answers to where the request came from.
        self.via_rest = [b";rport", params, b"\r\n"].concat().into();
        self
    }

    /// Whether it is a copy of that one: equal without a look at the texts.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        core::ptr::eq(self.via.as_ref(), other.via.as_ref())
    }

    /// How a Via begins that was written for it.
    pub(crate) fn via(&self) -> &[u8] {
        &self.via
    }

    /// Host, port and parameters for Contact.
    pub(crate) fn contact(&self) -> &Bytes {
        &self.contact
    }

    /// The same for a Contact of that scheme.
    fn contact_for(&self, secure: bool) -> &[u8] {
        contact_host(&self.contact, secure)
    }
}

/// What stands in a Contact of `sip:` that is reached over TLS, if it is to be said there.
pub(crate) const TRANSPORT_TLS: &str = ";transport=tls";

/// Host, port and parameters for a Contact of that scheme: `sips:` says TLS itself (RFC 5630
/// 5.1.1).
pub(crate) fn contact_host(text: &[u8], secure: bool) -> &[u8] {
    let said = text.strip_suffix(TRANSPORT_TLS.as_bytes());
    said.filter(|_| secure).unwrap_or(text)
}

const VIA: &[u8] = b"Via: ";
const BRANCH: &[u8] = b"branch=";
const CONTACT: &[u8] = b"Contact: <sip:";
const CONTACT_SECURE: &[u8] = b"Contact: <sips:";
const CONTACT_END: &[u8] = b">\r\n";

impl Draft {
    pub(super) fn new(
        writer: &RequestWriter<'_>,
        branch: Token,
        contact: Option<&[u8]>,
        origin: &Origin,
    ) -> Self {
        let user = contact.unwrap_or_default();
        let room = writer.room().saturating_add(origin.room(user));
        let secure = writer.is_secure();
        let mut text = Vec::with_capacity(room);
        writer.emit_start_line(&mut text);
        let via_at = text.len();
        let branch = put_via(&mut text, origin, branch.as_bytes());
        let core_at = text.len();
        writer.emit_core(&mut text);
        let contact_at = text.len();
        let user_end = match contact {
            Some(user) => put_contact(&mut text, origin, user, secure),
            None => contact_at,
        };
        let rest_at = text.len();
        writer.emit_rest(&mut text);
        Self {
            method_end: offset(writer.method().as_str().len()),
            via_at: offset(via_at),
            core_at: offset(core_at),
            branch,
            contact_at: offset(contact_at),
            rest_at: offset(rest_at),
            user_end: offset(user_end),
            hop: writer.find_next_hop(&text, core_at),
            secure,
            text: text.into(),
        }
    }

    /// The whole request as it goes from the origin that it is written for.
    pub(crate) fn as_written(&self) -> Bytes {
        self.text.clone()
    }

    /// The whole request as it goes from `origin`.
    pub fn seal(&self, origin: &Origin) -> Bytes {
        match self.is_from(origin) {
            true => self.as_written(),
            false => self.written_anew(origin, self.branch()).text,
        }
    }

    /// Whether Via and Contact name that origin.
    fn is_from(&self, origin: &Origin) -> bool {
        let via = self.slice(self.via_at.saturating_add(offset(VIA.len())), self.branch.0);
        let via = via.strip_suffix(BRANCH);
        let via_rest = self.slice(self.branch.1, self.core_at);
        let is_there = via == Some(&*origin.via) && via_rest == origin.via_rest;
        is_there && (!self.has_contact() || self.names(origin.contact_for(self.secure)))
    }

    /// Whether its Contact names that host.
    fn names(&self, host: &[u8]) -> bool {
        let behind_user = self.slice(self.user_end, self.rest_at);
        let said = behind_user.strip_suffix(CONTACT_END).unwrap_or_default();
        said.strip_prefix(b"@").unwrap_or(said) == host
    }

    /// Makes it the request of another transaction.
    pub fn rebranch(&mut self, branch: Token) {
        let via = self.slice(self.via_at, self.branch.0);
        let via = via
            .strip_prefix(VIA)
            .and_then(|via| via.strip_suffix(BRANCH));
        let host = self.slice(self.user_end, self.rest_at);
        let host = host.strip_suffix(CONTACT_END).unwrap_or_default();
        let origin = Origin {
            via: self.text.slice_ref(via.unwrap_or_default()),
            via_rest: self.text.slice_ref(self.slice(self.branch.1, self.core_at)),
            contact: self.text.slice_ref(host.strip_prefix(b"@").unwrap_or(host)),
        };
        *self = self.written_anew(&origin, branch.as_bytes());
    }

    /// The same with other lines of Via and Contact.
    fn written_anew(&self, origin: &Origin, branch: &[u8]) -> Self {
        let room = self.text.len().saturating_add(origin.room(b""));
        let mut text = Vec::with_capacity(room);
        text.put(self.slice(0, self.via_at));
        let branch = put_via(&mut text, origin, branch);
        let core_at = text.len();
        text.put(self.slice(self.core_at, self.contact_at));
        let contact_at = text.len();
        let user_end = match self.has_contact() {
            true => put_contact(&mut text, origin, self.user(), self.secure),
            false => contact_at,
        };
        let rest_at = text.len();
        text.put(self.text.get(self.rest_at as usize..).unwrap_or_default());
        let moved = |at: u32| match at < self.core_at {
            true => at,
            false => at.wrapping_sub(self.core_at).wrapping_add(offset(core_at)),
        };
        Self {
            core_at: offset(core_at),
            branch,
            contact_at: offset(contact_at),
            rest_at: offset(rest_at),
            user_end: offset(user_end),
            // In the start line or in a Route, which stands before Contact.
            hop: (moved(self.hop.0), moved(self.hop.1)),
            text: text.into(),
            ..*self
        }
    }

    /// The branch in its Via.
    pub fn branch(&self) -> &[u8] {
        self.slice(self.branch.0, self.branch.1)
    }

    /// The method.
    pub fn method(&self) -> Method<'_> {
        Method::parse(self.slice(0, self.method_end)).unwrap_or(Method::Other(""))
    }

    /// Whether it must take TLS all the way: its Request-URI or first Route is a SIPS URI, or its
    /// dialog is secure (RFC 3261 8.1.2, 12.2.1.1).
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is outside of any dialog. Its lines are looked through for it: that is for
    /// the few cases where it matters.
    pub(crate) fn is_initial(&self) -> bool {
        let to = self.lines("To").next();
        let to = to.and_then(|to| NameAddr::parse(to).ok());
        to.is_none_or(|to| to.tag().is_none())
    }

    /// What it says of itself, as [`is_initial`](Self::is_initial).
    pub(crate) fn priority(&self) -> Priority {
        let line = self.slice(self.method_end, self.via_at);
        let uri = line.split(|b| *b == b' ').nth(1).unwrap_or_default();
        Priority::said(uri, self.lines("Resource-Priority"))
    }

    /// The values of the lines with this name.
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.text.get(self.via_at as usize..).unwrap_or_default();
        let lines = headers.split(|b| *b == b'\n');
        // Then comes the body.
        let lines = lines.take_while(|line| !matches!(*line, b"\r" | b""));
        lines.filter_map(move |line| {
            let (found, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
            let is_it = found.eq_ignore_ascii_case(name.as_bytes());
            is_it.then(|| value.get(1..).unwrap_or_default().trim_ascii())
        })
    }

    /// The URI that says where to send it (RFC 3261 8.1.2).
    pub fn next_hop(&self) -> &[u8] {
        self.slice(self.hop.0, self.hop.1)
    }

    fn has_contact(&self) -> bool {
        self.contact_at < self.rest_at
    }

    /// The user part of its Contact.
    fn user(&self) -> &[u8] {
        let front = match self.secure {
            true => CONTACT_SECURE,
            false => CONTACT,
        };
        let start = self.contact_at.saturating_add(offset(front.len()));
        self.slice(start, self.user_end)
    }

    fn slice(&self, start: u32, end: u32) -> &[u8] {
        self.text.get(start as usize..end as usize).unwrap_or(&[])
    }
}

impl Origin {
    /// Room for the lines of Via and Contact.
    fn room(&self, user: &[u8]) -> usize {
        // What is always there, and the branch.
        const FIXED: usize = 48 + Token::CAPACITY;
        let parts = [&self.via, &self.via_rest, &self.contact, user];
        parts
            .iter()
            .fold(FIXED, |room, part| room.saturating_add(part.len()))
    }
}

/// The line of Via, and where its branch stands in the text.
fn put_via(text: &mut Vec<u8>, origin: &Origin, branch: &[u8]) -> (u32, u32) {
    text.put(VIA);
    text.put(&origin.via);
    text.put(BRANCH);
    let start = text.len();
    text.put(branch);
    let end = text.len();
    text.put(&origin.via_rest);
    (offset(start), offset(end))
}

/// The line of Contact, and where its user part ends in the text.
fn put_contact(text: &mut Vec<u8>, origin: &Origin, user: &[u8], secure: bool) -> usize {
    text.put(match secure {
        true => CONTACT_SECURE,
        false => CONTACT,
    });
    text.put(user);
    let user_end = text.len();
    if !user.is_empty() {
        text.put(b"@");
    }
    text.put(origin.contact_for(secure));
    text.put(CONTACT_END);
    user_end
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::string::{String, ToString as _};

    use super::*;
    use crate::message::{Body, Message, Name};

    fn home() -> Origin {
        Origin::new("UDP", "192.0.2.4", "192.0.2.4:5070")
    }

    /// The places that a draft may be written for or go from.
    fn origins() -> [Origin; 4] {
        [
            Origin::default(),
            home(),
            Origin::new(
                "TLS",
                "[2001:db8::9]:5061",
                "[2001:db8::9]:5061;transport=tls",
            ),
            home().with_via_params(b";oc;oc-algo=\"loss\""),
        ]
    }

    fn text(bytes: &Bytes) -> String {
        bytes.escape_ascii().to_string()
    }

    #[test]
    fn contact_has_the_user_of_the_draft_and_the_place_of_its_origin() {
        let branch = Token::new("z9hG4bK1").unwrap();
        let contact = |uri: &[u8], user: Option<&[u8]>| {
            let bytes = RequestWriter::new(Method::Invite, uri)
                .draft(branch, user, &Origin::default())
                .seal(&home());
            let message = Message::parse(bytes).unwrap();
            message.first(Name::Contact).map(<[u8]>::to_vec)
        };
        let read =
            |uri: &[u8], user| contact(uri, user).map(|text| text.escape_ascii().to_string());
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(b"sip:b@c", Some(b"alice")),
            of("<sip:alice@192.0.2.4:5070>")
        );
        assert_eq!(read(b"sips:b@c", Some(b"")), of("<sips:192.0.2.4:5070>"));
        assert_eq!(read(b"sip:b@c", None), None);
    }

    /// Whatever it was written for, it goes as if it had been written for where it goes from.
    #[test]
    fn draft_goes_from_anywhere_as_if_written_for_it() {
        let branch = Token::new("z9hG4bKabc").unwrap();
        let body = Body::sdp("v=0\r\n");
        let routes: [&[u8]; 2] = [b"<sip:p1.example;lr>", b"<sip:p2.example;lr>"];
        for (uri, user, routes) in [
            (&b"sip:bob@192.0.2.9"[..], Some(&b"alice"[..]), &routes[..0]),
            (b"sips:bob@example.com", Some(b""), &routes[..1]),
            (b"sip:bob@192.0.2.9", None, &routes[..]),
        ] {
            let writer = RequestWriter::new(Method::Invite, uri)
                .routes(routes.iter().copied())
                .route_uri(uri)
                .from(b"<sip:alice@example.com>;tag=1")
                .call_id(b"a84b4c76e66710")
                .body(Some(&body));
            for written_for in origins() {
                for from in origins() {
                    let straight = writer.draft(branch, user, &from);
                    let draft = writer.draft(branch, user, &written_for);
                    let sealed = draft.seal(&from);
                    assert_eq!(text(&sealed), text(&straight.seal(&from)));
                    let anew = draft.written_anew(&from, draft.branch());
                    assert_eq!(anew.next_hop(), straight.next_hop());
                    assert_eq!(anew, straight);
                }
            }
        }
    }

    #[test]
    fn draft_with_another_branch_is_another_request_from_the_same_place() {
        let (first, second) = (Token::new("z9hG4bK1"), Token::new("z9hG4bKlonger"));
        let writer = RequestWriter::new(Method::Update, b"sip:bob@192.0.2.9");
        for user in [Some(&b"alice"[..]), Some(b""), None] {
            for origin in origins() {
                let mut draft = writer.draft(first.unwrap(), user, &origin);
                draft.rebranch(second.unwrap());
                assert_eq!(draft.branch(), b"z9hG4bKlonger");
                assert_eq!(draft, writer.draft(second.unwrap(), user, &origin));
            }
        }
    }
}

//! Requests that are complete but for what the way they go decides.

use alloc::vec::Vec;

use bytes::Bytes;

use super::put::{self, Put, offset};
use super::{Method, NameAddr, RequestWriter};
use crate::overload::Priority;
use crate::seed::Token;

/// A request without its Via and Contact: both name the local address of the flow that it takes,
/// which is known only when its next hop has been found.
///
/// Sealing a draft twice for one origin gives the same bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    /// Start line; what stands between Via and Contact; the rest with the body; the user part of
    /// Contact.
    text: Vec<u8>,
    method_end: u32,
    via_at: u32,
    contact_at: u32,
    user_at: u32,
    /// Where the next hop's URI stands in the text.
    hop: (u32, u32),
    has_contact: bool,
    /// Whether Contact is a SIPS URI, and TLS is needed.
    secure: bool,
    branch: Token,
}

/// What a request says of where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The transport as Via names it.
    pub transport: &'a str,
    /// Host and port for Via.
    pub sent_by: &'a [u8],
    /// Host, port and parameters for Contact.
    pub contact: &'a [u8],
}

impl Draft {
    pub(super) fn new(writer: &RequestWriter<'_>, branch: Token, contact: Option<&[u8]>) -> Self {
        let user = contact.unwrap_or_default();
        let mut text = Vec::with_capacity(writer.room().saturating_add(user.len()));
        writer.emit_start_line(&mut text);
        let via_at = text.len();
        writer.emit_core(&mut text);
        let contact_at = text.len();
        writer.emit_rest(&mut text);
        let user_at = text.len();
        text.put(user);
        Self {
            method_end: offset(writer.method().as_str().len()),
            via_at: offset(via_at),
            contact_at: offset(contact_at),
            user_at: offset(user_at),
            hop: writer.find_next_hop(&text, via_at),
            has_contact: contact.is_some(),
            secure: writer.is_secure(),
            branch,
            text,
        }
    }

    /// The whole request as it goes from `origin`.
    pub fn seal(&self, origin: Origin<'_>) -> Bytes {
        self.seal_with(origin, b"")
    }

    /// The same, with these parameters in its Via, each with its `;`.
    pub(crate) fn seal_with(&self, origin: Origin<'_>, via_params: &[u8]) -> Bytes {
        // The fixed parts of Via and Contact.
        const REST: usize = 64;
        let parts = [
            self.text.len(),
            origin.transport.len(),
            origin.sent_by.len(),
            origin.contact.len(),
            via_params.len(),
            Token::CAPACITY,
        ];
        let room = parts
            .iter()
            .fold(REST, |room, part| room.saturating_add(*part));
        put::written(room, |out| self.write(origin, via_params, out))
    }

    /// The branch in its Via.
    pub fn branch(&self) -> &Token {
        &self.branch
    }

    /// Makes it the request of another transaction.
    pub fn rebranch(&mut self, branch: Token) {
        self.branch = branch;
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
        let headers = self.slice(self.via_at, self.user_at);
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

    fn write(&self, origin: Origin<'_>, via_params: &[u8], out: &mut Vec<u8>) {
        out.put(self.slice(0, self.via_at));
        out.put(b"Via: SIP/2.0/");
        out.put(origin.transport.as_bytes());
        out.put(b" ");
        out.put(origin.sent_by);
        out.put(b";branch=");
        out.put(self.branch.as_bytes());
        // RFC 3581 3: without a value, so that a server behind whatever address rewriting answers
        // to where the request came from.
        out.put(b";rport");
        out.put(via_params);
        out.put(b"\r\n");
        out.put(self.slice(self.via_at, self.contact_at));
        if self.has_contact {
            let secure: &[u8] = if self.secure {
                b"Contact: <sips:"
            } else {
                b"Contact: <sip:"
            };
            out.put(secure);
            let user = self.user();
            out.put(user);
            if !user.is_empty() {
                out.put(b"@");
            }
            out.put(contact_host(origin.contact, self.secure));
            out.put(b">\r\n");
        }
        out.put(self.slice(self.contact_at, self.user_at));
    }

    fn user(&self) -> &[u8] {
        self.text.get(self.user_at as usize..).unwrap_or(&[])
    }

    fn slice(&self, start: u32, end: u32) -> &[u8] {
        self.text.get(start as usize..end as usize).unwrap_or(&[])
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

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::string::ToString as _;

    use super::*;
    use crate::message::{Message, Name};

    #[test]
    fn contact_has_the_user_of_the_draft_and_the_place_of_its_origin() {
        let origin = Origin {
            transport: "UDP",
            sent_by: b"192.0.2.4",
            contact: b"192.0.2.4:5070",
        };
        let branch = Token::new("z9hG4bK1").unwrap();
        let contact = |uri: &[u8], user: Option<&[u8]>| {
            let bytes = RequestWriter::new(Method::Invite, uri)
                .draft(branch, user)
                .seal(origin);
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
}

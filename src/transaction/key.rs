//! Which message belongs to which transaction: RFC 3261 17.1.3 and 17.2.3.
//!
//! Client and server keys are different types, so a request that an element sends to itself
//! cannot be taken for the wrong side.
//!
//! ```
//! use drongo::limits::Limits;
//! use drongo::message::{Incoming, Method, parse};
//! use drongo::transaction::key::ServerKey;
//!
//! let read = |text: &str| match parse(text.to_string().into(), &Limits::DEFAULT) {
//!     Ok(Incoming::Request(request)) => request,
//!     other => panic!("not a request: {other:?}"),
//! };
//! let invite = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnashds8\r\n\
//!     To: <sip:bob@biloxi.example.com>\r\n\
//!     From: <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
//!     Call-ID: a84b4c76e66710\r\n\
//!     CSeq: 314159 INVITE\r\n\r\n";
//! let key = ServerKey::of_request(&read(invite));
//!
//! // A copy has the same key; a CANCEL has one of its own, and names that of its INVITE.
//! assert_eq!(ServerKey::of_request(&read(invite)), key);
//! let cancel = read(&invite.replace("INVITE", "CANCEL"));
//! assert_ne!(ServerKey::of_request(&cancel), key);
//! assert_eq!(ServerKey::of_cancelled(&cancel, Method::Invite), key);
//! // So has the ACK for a 300-699.
//! let ack = read(&invite.replace("INVITE", "ACK"));
//! assert!(ServerKey::of_acknowledged(&ack).any(|candidate| candidate.key == key));
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter;

use equivalent::Equivalent;
use smallvec::SmallVec;

use crate::message::{Host, MAGIC_COOKIE, Method, Request, Response, SentBy, Uri, percent_decode};

/// What a key of a server is made of. Rarely longer than a branch, a host and a method.
type Text = SmallVec<[u8; ROOM]>;

const ROOM: usize = 88;

/// Parts a method or a fixed part of a key from what is beside it: a control character, which none
/// of them contains. What the network may put anything into comes first or last, or has its length
/// before it.
const END: u8 = 0;

/// Names a client transaction: the branch of its top Via, and its method (17.1.3).
///
/// Call-ID, tags, sent-by and CSeq number take no part. Branches compare without regard to case:
/// a branch is a token (7.3.1), and the core's own never differ in case alone.
#[derive(Clone)]
pub struct ClientKey {
    /// The branch as it is written, and the method behind it.
    text: ClientText,
    branch_len: usize,
}

impl PartialEq for ClientKey {
    fn eq(&self, other: &Self) -> bool {
        let (branch, method) = self.parts();
        same_request((branch, method), other.parts())
    }
}

impl Eq for ClientKey {}

/// A branch of the core's own has 31 bytes.
type ClientText = SmallVec<[u8; CLIENT_ROOM]>;

const CLIENT_ROOM: usize = 48;

impl ClientKey {
    /// The key of a request of this side.
    pub fn new(branch: &str, method: Method<'_>) -> Self {
        Self::of_bytes(branch.as_bytes(), method)
    }

    pub(crate) fn of_bytes(branch: &[u8], method: Method<'_>) -> Self {
        let (branch_len, method) = (branch.len(), method.as_str().as_bytes());
        let len = branch_len.saturating_add(method.len());
        let mut room = [0; CLIENT_ROOM];
        if let Some(place) = room.get_mut(..len)
            && let Some((front, back)) = place.split_at_mut_checked(branch_len)
        {
            front.copy_from_slice(branch);
            back.copy_from_slice(method);
            let text = ClientText::from_buf_and_len(room, len);
            return Self { text, branch_len };
        }
        let mut text = ClientText::from_slice(branch);
        text.extend_from_slice(method);
        Self { text, branch_len }
    }

    /// The branch.
    pub(crate) fn branch(&self) -> String {
        String::from_utf8_lossy(self.parts().0).into_owned()
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        let parts = self.text.split_at_checked(self.branch_len);
        parts.unwrap_or_default()
    }

    /// The key of the request that this response answers; `None` if its top Via has no branch.
    pub fn of_response(response: &Response) -> Option<Self> {
        Answered::of(response).map(|answered| Self::of_bytes(answered.branch, answered.method))
    }
}

/// What a response says of the request that it answers: finds its [`ClientKey`], without making
/// one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered<'a> {
    branch: &'a [u8],
    method: Method<'a>,
}

impl<'a> Answered<'a> {
    /// `None` if the top Via has no branch.
    pub(crate) fn of(response: &'a Response) -> Option<Self> {
        Some(Self {
            branch: response.branch_bytes()?,
            method: response.cseq().method,
        })
    }
}

impl Equivalent<ClientKey> for Answered<'_> {
    fn equivalent(&self, key: &ClientKey) -> bool {
        let method = self.method.as_str().as_bytes();
        same_request(key.parts(), (self.branch, method))
    }
}

/// Whether these are branch and method of one request.
#[inline]
fn same_request(one: (&[u8], &[u8]), other: (&[u8], &[u8])) -> bool {
    // Nearly always a branch comes back as it was written.
    one.1 == other.1 && (one.0 == other.0 || one.0.eq_ignore_ascii_case(other.0))
}

/// A few bytes of a branch, whatever their case: the keys in a table have branches of this side,
/// which differ there.
fn mark(branch: &[u8]) -> u64 {
    // Makes letters small, and other bytes what they may be.
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let last = branch.last_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(last) | SMALL
}

impl Hash for ClientKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(mark(self.parts().0));
    }
}

/// As a [`ClientKey`].
impl Hash for Answered<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(mark(self.branch));
    }
}

/// Names a server transaction (17.2.3).
///
/// With a branch that begins with the magic cookie: branch, sent-by of the top Via, and method,
/// where an ACK counts as its INVITE. Without one the rules of RFC 2543 hold: Request-URI, tags,
/// Call-ID, CSeq and top Via.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerKey(Text);

impl Clone for ServerKey {
    fn clone(&self) -> Self {
        Self(Text::from_slice(&self.0))
    }
}

impl Hash for ServerKey {
    /// It is a key's all: where it ends need not be said.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl ServerKey {
    /// The key under which a request other than ACK creates its transaction, and which its copies
    /// have.
    pub fn of_request(request: &Request) -> Self {
        Self::with_method(request, request.method())
    }

    /// The keys of the INVITE that an ACK may acknowledge, the likelier first.
    ///
    /// By the rules of RFC 2543 an ACK has the To tag of the response, which the INVITE lacked if
    /// it was not within a dialog. A match by the second key counts only if the tag is that of
    /// the response sent ([`Acknowledged::by_sent_tag`]).
    pub fn of_acknowledged(ack: &Request) -> impl Iterator<Item = Acknowledged> {
        let likelier = Acknowledged {
            key: Self::with_method(ack, Method::Invite),
            by_sent_tag: false,
        };
        let other = || {
            let is_legacy = usable_branch(ack).is_none() && ack.has_to_tag();
            is_legacy.then(|| Acknowledged {
                key: Self::legacy(ack, Method::Invite, None),
                by_sent_tag: true,
            })
        };
        // The other one is made only if it is asked for.
        iter::once(likelier).chain(iter::once_with(other).flatten())
    }

    /// The key of the request with this method that a CANCEL cancels (9.2).
    pub fn of_cancelled(cancel: &Request, method: Method<'_>) -> Self {
        Self::with_method(cancel, method)
    }

    /// The key of a request, as if it had this method.
    pub(crate) fn with_method(request: &Request, method: Method<'_>) -> Self {
        match usable_branch(request) {
            Some(branch) => Self::of_branch(branch, request.sent_by(), method),
            None => Self::legacy(request, method, request.to_tag()),
        }
    }

    /// The key of a request with this sent-by and this branch in its top Via, which begins with the
    /// magic cookie and does not end there.
    pub(crate) fn of_branch(branch: &[u8], via: SentBy<'_>, method: Method<'_>) -> Self {
        let mut text = Draft::new();
        text.put(method.as_str().as_bytes());
        text.put(&[END]);
        sent_by(&mut text, via);
        text.put(&[END]);
        text.put(branch);
        Self(text.finish())
    }

    /// The rules for clients of RFC 2543. A tag that is missing takes part as null.
    fn legacy(request: &Request, method: Method<'_>, to_tag: Option<&str>) -> Self {
        let mut text = Draft::new();
        let via = request.top_via();
        // No method is empty, so that the two kinds of keys cannot meet.
        text.put(&[END]);
        text.put(method.as_str().as_bytes());
        text.put(&[END]);
        text.put(&request.cseq().number.to_be_bytes());
        part(&mut text, to_tag.map(str::as_bytes));
        part(&mut text, request.from_tag().map(str::as_bytes));
        part(&mut text, Some(request.call_id().as_bytes()));
        uri(&mut text, request.uri());
        for via_part in [via.transport(), via.branch().unwrap_or_default()] {
            part(&mut text, Some(&via_part.to_ascii_lowercase().into_bytes()));
        }
        sent_by(&mut text, via.sent_by());
        Self(text.finish())
    }
}

/// What a request without To tag and its copies over other ways have in common (8.2.2.2): From
/// tag, Call-ID, CSeq and its method.
pub(crate) struct OriginKey<'a>(pub(crate) &'a Request);

impl Hash for OriginKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self(request) = self;
        let (from_tag, call_id) = (request.tag_of_from(), request.call_id_bytes());
        let from_tag = from_tag.unwrap_or_default();
        // Lengths before what they are of, so that no two requests make one text. They are under
        // 4 GiB, as a message is.
        state.write_u64(u64::from(request.cseq_number()) << 32 | from_tag.len() as u64);
        state.write(from_tag);
        state.write_u64(call_id.len() as u64);
        state.write(call_id);
        state.write(request.method().as_str().as_bytes());
    }
}

/// A key that an ACK may match.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Acknowledged {
    /// The key of the INVITE.
    pub key: ServerKey,
    /// Whether the match counts only if the ACK's To tag is that of the response sent.
    pub by_sent_tag: bool,
}

/// A branch that identifies: the cookie and something behind it. The bare cookie identifies
/// nothing, two requests can have it (RFC 4475 3.2.1).
fn usable_branch(request: &Request) -> Option<&[u8]> {
    let branch = request.branch_bytes()?;
    let rest = branch.strip_prefix(MAGIC_COOKIE.as_bytes())?;
    if rest.is_empty() { None } else { Some(branch) }
}

/// Host and port; a port that is not there is not 5060. Names compare without regard to case,
/// addresses by value.
#[inline(always)]
fn sent_by(text: &mut Draft, (name, port): SentBy<'_>) {
    host(text, name);
    if let Some(port) = port {
        put_port(text, port);
    }
}

#[inline]
fn put_port(text: &mut Draft, port: u16) {
    let [high, low] = port.to_be_bytes();
    text.put(&[b':', high, low]);
}

#[inline(always)]
fn host(text: &mut Draft, host: Host<'_>) {
    match host {
        Host::Name(name) => {
            text.put(b"n");
            lowercase(text, name.as_bytes());
        }
        Host::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            text.put(&[b'4', a, b, c, d]);
        }
        Host::V6(ip) => {
            text.put(b"6");
            text.put(&ip.octets());
        }
    }
}

/// What two URIs that are equal by 19.1.4 have in common: every part that they must both have or
/// both lack. Parameters that only one of them may have do not count.
fn uri(text: &mut Draft, uri: Uri<'_>) {
    let Some(sip) = uri.as_sip() else {
        part(text, Some(uri.as_bytes()));
        return;
    };
    text.put(if sip.is_secure() { b"s" } else { b"p" });
    for userinfo in [sip.user(), sip.password()] {
        part(text, userinfo.map(percent_decode).as_deref());
    }
    host(text, sip.host());
    text.put(&[END]);
    if let Some(port) = sip.port() {
        put_port(text, port);
    }
    for name in ["transport", "user", "ttl", "method", "maddr"] {
        let value = sip.params().get(name).map(|param| param.value);
        let value = value.map(|value| value.unwrap_or_default().to_ascii_lowercase());
        part(text, value.as_deref());
    }
}

/// A part that may be anything, null among it: its length first, so that no two lists of parts
/// make one text.
fn part(text: &mut Draft, part: Option<&[u8]>) {
    let length = part.map_or(u64::MAX, |part| {
        u64::try_from(part.len()).unwrap_or(u64::MAX)
    });
    text.put(&length.to_be_bytes());
    text.put(part.unwrap_or_default());
}

fn lowercase(text: &mut Draft, bytes: &[u8]) {
    // A loop over so many bytes, whatever their number, takes as long as one over a few.
    let mut room = [0; 64];
    match room.get_mut(..bytes.len()) {
        Some(place) => {
            place.copy_from_slice(bytes);
            room.make_ascii_lowercase();
            text.put(room.get(..bytes.len()).unwrap_or_default());
        }
        None => text.put(&bytes.to_ascii_lowercase()),
    }
}

/// A text that is written piece by piece, on the stack as long as it fits there.
struct Draft {
    room: [u8; ROOM],
    len: usize,
    /// All of it, once it does not.
    long: Vec<u8>,
}

impl Draft {
    const fn new() -> Self {
        Self {
            room: [0; ROOM],
            len: 0,
            long: Vec::new(),
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.room.get_mut(self.len..end) {
            Some(place) if self.long.is_empty() => {
                place.copy_from_slice(bytes);
                self.len = end;
            }
            Some(_) | None => self.put_more(bytes),
        }
    }

    #[cold]
    fn put_more(&mut self, bytes: &[u8]) {
        if self.long.is_empty() {
            let text = self.room.get(..self.len).unwrap_or_default();
            self.long.extend_from_slice(text);
        }
        self.long.extend_from_slice(bytes);
    }

    fn finish(self) -> Text {
        match self.long.is_empty() {
            true => Text::from_buf_and_len(self.room, self.len),
            false => Text::from_vec(self.long),
        }
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (branch, method) = self.parts();
        let (branch, method) = (branch.escape_ascii(), method.escape_ascii());
        write!(f, "ClientKey({branch} {method})")
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerKey({})", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests;

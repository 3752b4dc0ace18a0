//! Which message belongs to which transaction: RFC 3261 17.1.3 and 17.2.3.
//!
//! Client and server keys are different types, so a request that an element sends to itself
//! cannot be taken for the wrong side.

use alloc::string::String;
use core::fmt;

use smallvec::SmallVec;

use crate::message::{Host, MAGIC_COOKIE, Method, Request, Response, SipUri, Uri, Via};

/// What a key is made of. Rarely longer than a branch, a host and a method.
type Text = SmallVec<[u8; 88]>;

/// Between two parts of a key. No part can contain it: it is a control character.
const END: u8 = 0;

/// Names a client transaction: the branch of its top Via, and its method (17.1.3).
///
/// Call-ID, tags, sent-by and CSeq number take no part. Branches compare without regard to case:
/// a branch is a token (7.3.1), and the core's own never differ in case alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(Text);

impl ClientKey {
    /// The key of a request of this side.
    pub fn new(branch: &str, method: Method<'_>) -> Self {
        let mut text = Text::new();
        lowercase(&mut text, branch.as_bytes());
        text.push(END);
        text.extend_from_slice(method.as_str().as_bytes());
        Self(text)
    }

    /// The branch, in lower case: as the core's own are.
    pub(crate) fn branch(&self) -> String {
        let end = self.0.iter().position(|b| *b == END).unwrap_or(0);
        String::from_utf8_lossy(self.0.get(..end).unwrap_or(&[])).into_owned()
    }

    /// The key of the request that this response answers; `None` if its top Via has no branch.
    pub fn of_response(response: &Response) -> Option<Self> {
        Some(Self::new(response.branch()?, response.cseq().method))
    }
}

/// Names a server transaction (17.2.3).
///
/// With a branch that begins with the magic cookie: branch, sent-by of the top Via, and method,
/// where an ACK counts as its INVITE. Without one the rules of RFC 2543 hold: Request-URI, tags,
/// Call-ID, CSeq and top Via.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(Text);

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
    pub fn of_acknowledged(ack: &Request) -> SmallVec<[Acknowledged; 2]> {
        let mut keys = SmallVec::new();
        let key = Self::with_method(ack, Method::Invite);
        keys.push(Acknowledged {
            key,
            by_sent_tag: false,
        });
        if usable_branch(&ack.top_via()).is_none() && ack.to_tag().is_some() {
            let key = Self::legacy(ack, Method::Invite, None);
            keys.push(Acknowledged {
                key,
                by_sent_tag: true,
            });
        }
        keys
    }

    /// The key of the request with this method that a CANCEL cancels (9.2).
    pub fn of_cancelled(cancel: &Request, method: Method<'_>) -> Self {
        Self::with_method(cancel, method)
    }

    fn with_method(request: &Request, method: Method<'_>) -> Self {
        let via = request.top_via();
        let Some(branch) = usable_branch(&via) else {
            return Self::legacy(request, method, request.to_tag());
        };
        let mut text = Text::new();
        text.extend_from_slice(branch.as_bytes());
        text.push(END);
        sent_by(&mut text, &via);
        text.push(END);
        text.extend_from_slice(method.as_str().as_bytes());
        Self(text)
    }

    /// The rules for clients of RFC 2543. A tag that is missing takes part as null.
    fn legacy(request: &Request, method: Method<'_>, to_tag: Option<&str>) -> Self {
        let via = request.top_via();
        let mut text = Text::new();
        // No branch begins like this, so that the two kinds of keys cannot meet.
        text.push(END);
        uri(&mut text, request.uri());
        for tag in [to_tag, request.from_tag()] {
            text.push(END);
            if let Some(tag) = tag {
                text.push(b'=');
                text.extend_from_slice(tag.as_bytes());
            }
        }
        text.push(END);
        text.extend_from_slice(request.call_id().as_bytes());
        text.push(END);
        text.extend_from_slice(&request.cseq().number.to_be_bytes());
        text.extend_from_slice(method.as_str().as_bytes());
        text.push(END);
        lowercase(&mut text, via.transport().as_bytes());
        text.push(END);
        sent_by(&mut text, &via);
        text.push(END);
        lowercase(&mut text, via.branch().unwrap_or("").as_bytes());
        Self(text)
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
fn usable_branch<'a>(via: &Via<'a>) -> Option<&'a str> {
    let branch = via.branch()?;
    let rest = branch.strip_prefix(MAGIC_COOKIE)?;
    if rest.is_empty() { None } else { Some(branch) }
}

/// Host and port; a port that is not there is not 5060. Names compare without regard to case,
/// addresses by value.
fn sent_by(text: &mut Text, via: &Via<'_>) {
    host(text, via.host());
    if let Some(port) = via.port() {
        text.push(b':');
        text.extend_from_slice(&port.to_be_bytes());
    }
}

fn host(text: &mut Text, host: Host<'_>) {
    match host {
        Host::Name(name) => {
            text.push(b'n');
            lowercase(text, name.as_bytes());
        }
        Host::V4(ip) => {
            text.push(b'4');
            text.extend_from_slice(&ip.octets());
        }
        Host::V6(ip) => {
            text.push(b'6');
            text.extend_from_slice(&ip.octets());
        }
    }
}

/// What two URIs that are equal by 19.1.4 have in common: every part that they must both have or
/// both lack. Parameters that only one of them may have do not count.
fn uri(text: &mut Text, uri: Uri<'_>) {
    let Some(sip) = uri.as_sip() else {
        text.extend_from_slice(uri.as_bytes());
        return;
    };
    text.push(if sip.is_secure() { b's' } else { b'p' });
    for part in [sip.user(), sip.password()] {
        text.push(END);
        if let Some(part) = part {
            text.push(b'=');
            text.extend_from_slice(&crate::message::percent_decode(part));
        }
    }
    text.push(END);
    host(text, sip.host());
    if let Some(port) = sip.port() {
        text.push(b':');
        text.extend_from_slice(&port.to_be_bytes());
    }
    params(text, sip);
}

fn params(text: &mut Text, sip: &SipUri<'_>) {
    for name in ["transport", "user", "ttl", "method", "maddr"] {
        text.push(END);
        if let Some(param) = sip.params().get(name) {
            lowercase(text, param.value.unwrap_or_default());
        }
    }
}

fn lowercase(text: &mut Text, bytes: &[u8]) {
    text.extend(bytes.iter().map(u8::to_ascii_lowercase));
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({})", self.0.escape_ascii())
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerKey({})", self.0.escape_ascii())
    }
}

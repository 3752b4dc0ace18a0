//! Which bodies are session descriptions: only those take part in offer and answer (RFC 3261
//! 13.2.1, 20.11; RFC 5621).

use bytes::Bytes;

use crate::limits::Limits;
use crate::message::{ContentType, Message, Name, Outgoing, Part, range_in};

/// The session description in a message: what of its body takes part in offer and answer. That is
/// the body, or the part of a multipart body that is for the `session` (RFC 5621 4.2); `None` if
/// there is none, such as where the body is an icon (RFC 3261 20.11). It need not be SDP.
///
/// ```
/// use drongo::call::session_description;
/// use drongo::limits::Limits;
/// use drongo::message::Message;
///
/// let head = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n";
/// let body = "--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n\
///     --x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x--\r\n";
/// let text = format!("{head}Content-Type: multipart/mixed;boundary=x\r\n\r\n{body}");
/// let message = Message::parse(text.into())?;
/// let found = session_description(&message, &Limits::DEFAULT);
/// assert_eq!(found.as_deref(), Some(b"v=0\r\n".as_slice()));
/// # Ok::<(), drongo::message::ParseError>(())
/// ```
pub fn session_description(message: &Message, limits: &Limits) -> Option<Bytes> {
    let found = session_in(message, limits)?;
    let (start, end) = range_in(message.bytes(), found)?;
    Some(message.bytes().slice(start as usize..end as usize))
}

/// Whether a message carries a session description: its body, or a part of it, is for the
/// `session`. What does not say what it is for is, if it is SDP (20.11).
pub(super) fn has_session(message: &Message, limits: &Limits) -> bool {
    session_in(message, limits).is_some()
}

/// What [`session_description`] finds.
fn session_in<'m>(message: &'m Message, limits: &Limits) -> Option<&'m [u8]> {
    let body = message.body_slice();
    if body.is_empty() {
        return None;
    }
    let root = message.root_part();
    // 20.15: a body without a type says nothing; it is taken for what a call needs.
    if root.says_nothing() || root.is_just_sdp() {
        return Some(body);
    }
    let part = root.find(limits, is_for_session).ok().flatten()?;
    match root.has_type() {
        true => Some(part.content()),
        false => Some(body),
    }
}

/// The session description of a message, if it is SDP.
pub(super) fn session_of<'m>(message: &'m Message, limits: &Limits) -> Option<&'m [u8]> {
    let session = session_in(message, limits)?;
    let root = message.root_part();
    if !root.has_type() {
        return Some(session);
    }
    let found = root.find(limits, |part| part.content_type() == Ok(ContentType::SDP));
    found.ok().flatten().map(|part| part.content())
}

/// [`has_session`], of what this side is about to send.
pub(super) fn describes(outgoing: &Outgoing, limits: &Limits) -> bool {
    let Some(body) = outgoing
        .body
        .as_ref()
        .filter(|body| !body.bytes().is_empty())
    else {
        return false;
    };
    let mut rows = outgoing.headers.iter();
    let purpose = rows.find(|(name, ..)| *name == Name::ContentDisposition);
    let kind = body.content_type().as_bytes();
    let part = Part::of_body(Some(kind), purpose.map(|(.., value)| value), body.bytes());
    is_session(&part, limits)
}

fn is_session(part: &Part<'_>, limits: &Limits) -> bool {
    if part.is_just_sdp() {
        return true;
    }
    matches!(part.find(limits, is_for_session), Ok(Some(_)))
}

fn is_for_session(part: &Part<'_>) -> bool {
    match part.disposition() {
        Ok(disposition) => disposition.is("session"),
        Err(_) => part.content_type() == Ok(ContentType::SDP),
    }
}

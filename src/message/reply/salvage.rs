//! What of a malformed message it takes to answer it.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::super::error::{ParseError, ParseErrorKind};
use super::super::lexer::{self, Line};
use super::super::{Method, Name, StatusCode};
use super::Reply;
use super::draft::{Draft, Row};

/// Makes the error, with what of the message it takes to answer it.
///
/// Lines that cannot be read are passed over: the five headers may stand behind them.
#[cold]
pub(crate) fn salvage(bytes: &[u8], kind: ParseErrorKind, offset: usize) -> ParseError {
    let lines = draft_of(bytes).and_then(|draft| draft.lines(None));
    let reply = lines.map(|lines| Reply(Arc::new(lines)));
    let reply = reply.filter(|reply| reply.method() != Some(Method::Ack));
    ParseError {
        kind,
        offset,
        status: reply.as_ref().map(|_| status_of(kind)),
        reply: reply.map(Box::new),
    }
}

/// The response that a malformed request gets.
fn status_of(kind: ParseErrorKind) -> StatusCode {
    match kind {
        ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
        ParseErrorKind::StartLineTooLong => StatusCode::REQUEST_URI_TOO_LONG,
        ParseErrorKind::MessageTooLarge => StatusCode::MESSAGE_TOO_LARGE,
        ParseErrorKind::Empty
        | ParseErrorKind::HeaderLineTooLong
        | ParseErrorKind::TooManyHeaders
        | ParseErrorKind::StartLine
        | ParseErrorKind::RequestUri
        | ParseErrorKind::StatusCode
        | ParseErrorKind::HeaderName
        | ParseErrorKind::BareLineBreak
        | ParseErrorKind::Unterminated
        | ParseErrorKind::ContentLength
        | ParseErrorKind::BodyTruncated
        | ParseErrorKind::Missing(_)
        | ParseErrorKind::Duplicate(_)
        | ParseErrorKind::TooManyValues(_)
        | ParseErrorKind::Value { .. }
        | ParseErrorKind::MethodMismatch => StatusCode::BAD_REQUEST,
    }
}

/// What of a request can be read; `None` for what is never answered.
fn draft_of(bytes: &[u8]) -> Option<Draft<'_>> {
    let skipped = bytes
        .iter()
        .take_while(|&&b| matches!(b, b'\r' | b'\n'))
        .count();
    let bytes = bytes.get(skipped..)?;
    let end = memchr::memchr(b'\n', bytes)?;
    let start_line = bytes.get(..end)?;
    let method = start_line.split(|&b| b == b' ').next()?;
    if crate::message::start_line::begins_with_sip(start_line)
        || Method::parse(method) == Ok(Method::Ack)
    {
        return None;
    }
    let mut draft = Draft::default();
    let mut at = end.checked_add(1)?;
    loop {
        match lexer::line(bytes, at) {
            Ok(Line::End { .. }) => return Some(draft),
            Ok(Line::Header(header)) => {
                let name = bytes.get(header.name.0..header.name.1)?;
                let value = bytes.get(header.value.0..header.value.1)?;
                draft.take(Name::parse(name), Row::new(value));
                at = header.next;
            }
            Err(_) => {
                let Some(skip) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest))
                else {
                    return Some(draft);
                };
                at = at.checked_add(skip)?.checked_add(1)?;
            }
        }
    }
}

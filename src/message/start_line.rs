//! The start line: request or response (RFC 3261 7.1, 7.2).

use super::StatusCode;
use super::error::ParseErrorKind;
use super::index::offset;
use super::lexer::{self, LexError, is_token};

/// Where the parts of the start line are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StartLine {
    /// `Method SP Request-URI SP SIP/2.0`.
    Request { method_end: u32, uri_end: u32 },
    /// `SIP/2.0 SP Status-Code SP Reason-Phrase`.
    Response {
        status: StatusCode,
        reason: u32,
        reason_end: u32,
    },
}

/// Reads the start line; gives it and where the headers start.
pub(crate) fn parse(bytes: &[u8], limit: usize) -> Result<(StartLine, usize), LexError> {
    let (end, next) = lexer::end_of_line(bytes, 0)?;
    if next > limit {
        return Err((ParseErrorKind::StartLineTooLong, limit));
    }
    let line = bytes.get(..end).unwrap_or_default();
    let start = if begins_with_sip(line) {
        status_line(line)
    } else {
        request_line(line)
    }?;
    Ok((start, next))
}

/// Whether a start line is that of a response.
pub(crate) fn begins_with_sip(line: &[u8]) -> bool {
    line.first_chunk::<4>()
        .is_some_and(|first| first.eq_ignore_ascii_case(b"SIP/"))
}

fn request_line(line: &[u8]) -> Result<StartLine, LexError> {
    let malformed = |at: usize| (ParseErrorKind::StartLine, at);
    let method_end = line
        .iter()
        .position(|&b| b == b' ')
        .ok_or(malformed(line.len()))?;
    if !is_token(line.get(..method_end).unwrap_or_default()) {
        return Err(malformed(0));
    }
    let uri_start = method_end.saturating_add(1);
    let rest = line.get(uri_start..).unwrap_or_default();
    let uri_len = rest
        .iter()
        .position(|&b| b == b' ')
        .ok_or(malformed(line.len()))?;
    let uri_end = uri_start.saturating_add(uri_len);
    let uri = line.get(uri_start..uri_end).unwrap_or_default();
    if let Some(bad) = uri.iter().position(|&b| b < 0x21 || b == 0x7f) {
        return Err((ParseErrorKind::RequestUri, uri_start.saturating_add(bad)));
    }
    let version_start = uri_end.saturating_add(1);
    let version = line.get(version_start..).unwrap_or_default();
    if version.contains(&b' ') || uri.is_empty() {
        return Err((ParseErrorKind::RequestUri, uri_end));
    }
    match Version::read(version) {
        Version::Two => Ok(StartLine::Request {
            method_end: offset(method_end),
            uri_end: offset(uri_end),
        }),
        Version::Another => Err((ParseErrorKind::Version, version_start)),
        Version::Malformed => Err(malformed(version_start)),
    }
}

fn status_line(line: &[u8]) -> Result<StartLine, LexError> {
    let version_end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    match Version::read(line.get(..version_end).unwrap_or_default()) {
        Version::Two => {}
        Version::Another => return Err((ParseErrorKind::Version, 0)),
        Version::Malformed => return Err((ParseErrorKind::StartLine, 0)),
    }
    let code_start = version_end.saturating_add(1);
    let code_end = code_start.saturating_add(3);
    let wrong = (ParseErrorKind::StatusCode, code_start);
    let code = line.get(code_start..code_end).ok_or(wrong)?;
    let status = StatusCode::parse(code).ok_or(wrong)?;
    // The space before an empty reason phrase is often left out.
    let reason = match line.get(code_end) {
        Some(b' ') => code_end.saturating_add(1),
        None => code_end,
        Some(_) => return Err(wrong),
    };
    Ok(StartLine::Response {
        status,
        reason: offset(reason),
        reason_end: offset(line.len()),
    })
}

/// What `SIP-Version` says (RFC 3261 7.1): the name without case, the number to the letter.
enum Version {
    Two,
    Another,
    Malformed,
}

impl Version {
    fn read(text: &[u8]) -> Self {
        let Some((name, number)) = text.split_at_checked(4) else {
            return Self::Malformed;
        };
        if !name.eq_ignore_ascii_case(b"SIP/") {
            return Self::Malformed;
        }
        if number == b"2.0" {
            return Self::Two;
        }
        let mut parts = number.split(|&b| b == b'.');
        let digits = |part: Option<&[u8]>| {
            part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
        };
        if digits(parts.next()) && digits(parts.next()) && parts.next().is_none() {
            Self::Another
        } else {
            Self::Malformed
        }
    }
}

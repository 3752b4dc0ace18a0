//! The start line: request or response (RFC 3261 7.1, 7.2).

use memchr::memchr;

use super::StatusCode;
use super::error::ParseErrorKind;
use super::lexer::{self, LexError};
use super::plain;
use super::put::offset;
use super::scan::is_token;
use super::words::{first_control, first_space_or_control};

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
#[inline]
pub(crate) fn parse(bytes: &[u8], limit: usize) -> Result<(StartLine, usize), LexError> {
    match plain(bytes).filter(|(_, next)| *next <= limit) {
        Some(read) => Ok(read),
        None => parse_any(bytes, limit),
    }
}

/// Where the reason phrase begins behind the version and the code.
const REASON: usize = 12;

/// A well-formed start line with the version in capital letters; all else is for [`parse_any`].
#[inline]
fn plain(bytes: &[u8]) -> Option<(StartLine, usize)> {
    // Sums of lengths of one slice cannot overflow, and 32 bits hold those of a message.
    if let Some((front, text)) = bytes.split_first_chunk::<REASON>()
        && let Some(code) = front.strip_prefix(b"SIP/2.0 ")
    {
        let status = StatusCode::parse(code.strip_suffix(b" ")?)?;
        let len = first_control(text)?;
        if !text.get(len..)?.starts_with(b"\r\n") {
            return None;
        }
        let end = REASON.wrapping_add(len);
        let line = StartLine::Response {
            status,
            reason: REASON as u32,
            reason_end: end as u32,
        };
        return Some((line, end.wrapping_add(2)));
    }
    let (method, rest) = plain::run(bytes, plain::set::TOKEN)?;
    let rest = rest.strip_prefix(b" ")?;
    let uri_len = first_space_or_control(rest)?;
    let (uri, rest) = rest.split_at_checked(uri_len)?;
    let ending = b" SIP/2.0\r\n";
    if method.is_empty() || uri.is_empty() || !rest.starts_with(ending) {
        return None;
    }
    let uri_end = method.len().wrapping_add(1).wrapping_add(uri_len);
    let line = StartLine::Request {
        method_end: method.len() as u32,
        uri_end: uri_end as u32,
    };
    Some((line, uri_end.wrapping_add(ending.len())))
}

fn parse_any(bytes: &[u8], limit: usize) -> Result<(StartLine, usize), LexError> {
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

/// How many bytes of line breaks stand before the start line.
#[inline]
pub(crate) fn breaks_before(bytes: &[u8]) -> usize {
    let is_break = |b: &&u8| matches!(b, b'\r' | b'\n');
    bytes.iter().take_while(is_break).count()
}

/// Whether a start line is that of a response.
pub(crate) fn begins_with_sip(line: &[u8]) -> bool {
    matches!(line, [b's' | b'S', b'i' | b'I', b'p' | b'P', b'/', ..])
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
    let control = |b: u8| b < 0x20 || b == 0x7f;
    // Without an early end the scan is done in wide steps.
    if uri.iter().fold(false, |found, &b| found | control(b)) {
        let at = uri.iter().position(|&b| control(b)).unwrap_or_default();
        return Err((ParseErrorKind::RequestUri, uri_start.saturating_add(at)));
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
    let version_end = memchr(b' ', line).unwrap_or(line.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<StartLine, LexError> {
        let line = format!("{line}\r\n");
        let read = parse(line.as_bytes(), 8_192);
        assert_eq!(read, parse_any(line.as_bytes(), 8_192), "{line}");
        read.map(|(start, next)| {
            assert_eq!(next, line.len());
            start
        })
    }

    #[test]
    fn a_request_line_has_three_parts_with_one_space_between() {
        // 3261-7.1-01, 3261-7.1-03, 3261-7.1-04
        let ok = StartLine::Request {
            method_end: 7,
            uri_end: 15,
        };
        assert_eq!(read("OPTIONS sip:a@b SIP/2.0"), Ok(ok));
        for (line, kind, at) in [
            ("OPTIONS  sip:a@b SIP/2.0", ParseErrorKind::RequestUri, 8),
            ("OPTIONS sip:a@b  SIP/2.0", ParseErrorKind::RequestUri, 15),
            ("OPTIONS sip:a@b SIP/2.0 ", ParseErrorKind::RequestUri, 15),
            (
                "INVITE sip:user@example.com; lr SIP/2.0",
                ParseErrorKind::RequestUri,
                28,
            ),
            ("OPTIONS sip:a\tb SIP/2.0", ParseErrorKind::RequestUri, 13),
            ("OPTIONS sip:a\x7fb SIP/2.0", ParseErrorKind::RequestUri, 13),
            ("OPTIONS  SIP/2.0", ParseErrorKind::RequestUri, 8),
            (" sip:a@b SIP/2.0", ParseErrorKind::StartLine, 0),
            (" OPTIONS sip:a@b SIP/2.0", ParseErrorKind::StartLine, 0),
            ("OPT/IONS sip:a@b SIP/2.0", ParseErrorKind::StartLine, 0),
            ("OPTIONS sip:a@b", ParseErrorKind::StartLine, 15),
            ("OPTIONS", ParseErrorKind::StartLine, 7),
            ("OPTIONS sip:a@b HTTP/1.1", ParseErrorKind::StartLine, 16),
        ] {
            assert_eq!(read(line), Err((kind, at)), "{line}");
        }
    }

    #[test]
    fn the_version_is_compared_without_case_and_to_the_letter() {
        // 3261-7.1-08, 3261-7.1-09
        assert!(read("OPTIONS sip:a@b sip/2.0").is_ok());
        assert!(read("Sip/2.0 200 OK").is_ok());
        for version in ["SIP/7.0", "SIP/2.00", "SIP/02.0", "SIP/2.1", "SIP/1.0"] {
            let error = read(&format!("OPTIONS sip:a@b {version}"));
            assert_eq!(error, Err((ParseErrorKind::Version, 16)), "{version}");
            let error = read(&format!("{version} 200 OK"));
            assert_eq!(error, Err((ParseErrorKind::Version, 0)), "{version}");
        }
        for version in ["SIP/2", "SIP/", "SIP/2.", "SIP/2.0.0", "SIP/x.y"] {
            let error = read(&format!("OPTIONS sip:a@b {version}"));
            assert_eq!(error, Err((ParseErrorKind::StartLine, 16)), "{version}");
        }
    }

    #[test]
    fn a_start_line_that_begins_with_sip_is_a_status_line() {
        // 3261-7.1-10, 3261-7.2-03, 3261-7.2-04, 3261-7.2-05
        for code in [100_u16, 199, 299, 699] {
            let start = read(&format!("SIP/2.0 {code} x"));
            let Ok(StartLine::Response {
                status,
                reason: 12,
                reason_end: 13,
            }) = start
            else {
                panic!("{start:?}");
            };
            assert_eq!(status.as_u16(), code);
        }
        // 4475-3.1.2.19-01 is the first
        for line in [
            "SIP/2.0 4294967301 better not break the receiver",
            "SIP/2.0 99 x",
            "SIP/2.0 099 x",
            "SIP/2.0 700 x",
            "SIP/2.0 +20 x",
            "SIP/2.0  200 x",
            "SIP/2.0 ",
        ] {
            assert_eq!(read(line), Err((ParseErrorKind::StatusCode, 8)), "{line}");
        }
    }

    #[test]
    fn a_reason_may_be_empty_or_any_bytes() {
        // 3261-7.2-06; 4475-3.1.1.13-01
        let reason = |line: &str| match read(line) {
            Ok(StartLine::Response {
                reason, reason_end, ..
            }) => (reason, reason_end),
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("SIP/2.0 100 "), (12, 12));
        assert_eq!(reason("SIP/2.0 100"), (11, 11));
        assert_eq!(reason("SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}"), (12, 30));
    }

    #[test]
    fn no_line_break_but_the_last_belongs_to_a_start_line() {
        // 3261-7.1-02, 3261-7.2-02
        for line in ["OPTIONS sip:a@b\n SIP/2.0", "SIP/2.0 200 O\rK"] {
            assert!(
                matches!(read(line), Err((ParseErrorKind::BareLineBreak, _))),
                "{line}"
            );
        }
    }

    #[test]
    fn a_long_start_line_is_refused() {
        let line = b"OPTIONS sip:a@b SIP/2.0\r\n";
        assert!(parse(line, 25).is_ok());
        assert_eq!(parse(line, 24), Err((ParseErrorKind::StartLineTooLong, 24)));
    }
}

//! What a glance at a datagram shows of a request: enough to refuse it and to know the ACK of that,
//! for a tenth of what it takes to read all of it.
//!
//! Who refuses more than he takes must do it for less than taking costs, or refusing is all that he
//! does (RFC 5390 REQ 6 and 10, RFC 6357 4). A request is looked at here only if it is written as
//! nearly all are: needed headers by their long names, each on one line, one Via in the first row.
//! Any other is read as a whole; so is one that is taken.

use bytes::Bytes;
use core::net::SocketAddr;
use smallvec::SmallVec;

use super::builder::put_status_line;
use super::plain;
use super::put::{self, Put};
use super::via_stamp::{put_common_via, put_top_via};
use super::write::put_rest;
use super::{CSeq, HeaderList, MAGIC_COOKIE, Method, NameAddr, StatusCode, Via};

/// A request of the common form, as far as its refusal needs it. What else is in the datagram may
/// be anything.
pub(crate) struct Glance<'a> {
    top: TopVia<'a>,
    /// Rows behind the first.
    more_vias: SmallVec<[&'a [u8]; 4]>,
    from: &'a [u8],
    from_tag: Option<&'a [u8]>,
    to: &'a [u8],
    to_tag: Option<&'a [u8]>,
    call_id: &'a [u8],
    cseq: &'a [u8],
    number: u32,
}

/// The first Via of a request, if it is the first header and has a branch that identifies.
#[derive(Clone)]
pub(crate) struct TopVia<'a> {
    pub(crate) method: Method<'a>,
    pub(crate) via: Via<'a>,
    pub(crate) branch: &'a [u8],
    row: &'a [u8],
    /// Those behind it.
    lines: Lines<'a>,
}

impl<'a> TopVia<'a> {
    /// Of a datagram.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut lines = Lines::of(bytes);
        let start = lines.next()?.strip_suffix(b" SIP/2.0")?;
        let space = memchr::memchr(b' ', start)?;
        let method = Method::parse(start.get(..space)?).ok()?;
        let at = lines.at;
        let Line::Via(row) = Line::of(lines.next()?)? else {
            return None;
        };
        let text = bytes.get(at..)?.strip_prefix(b"Via: ")?;
        let (via, branch) = Via::plain_front(text, row.len())?;
        let is_usable = branch.len() > MAGIC_COOKIE.len();
        if !is_usable || !branch.starts_with(MAGIC_COOKIE.as_bytes()) {
            return None;
        }
        Some(Self {
            method,
            via,
            branch,
            row,
            lines,
        })
    }
}

/// Lines of headers, each without its CRLF, as long as none ends in another way.
#[derive(Clone)]
struct Lines<'a> {
    bytes: &'a [u8],
    breaks: memchr::Memchr2<'a>,
    /// Where the next one begins.
    at: usize,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let breaks = memchr::memchr2_iter(b'\r', b'\n', bytes);
        Self {
            bytes,
            breaks,
            at: 0,
        }
    }

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (end, feed) = (self.breaks.next()?, self.breaks.next()?);
        let line = self.bytes.get(self.at..end)?;
        self.at = feed.checked_add(1)?;
        (self.bytes.get(end..self.at)? == b"\r\n").then_some(line)
    }
}

/// A header line.
enum Line<'a> {
    Via(&'a [u8]),
    From(&'a [u8]),
    To(&'a [u8]),
    CallId(&'a [u8]),
    CSeq(&'a [u8]),
    Other,
}

impl<'a> Line<'a> {
    /// `None` if it may be one of those that are needed, written in another way.
    #[inline]
    fn of(line: &'a [u8]) -> Option<Self> {
        let (known, row) = match line {
            [b'V', b'i', b'a', b':', b' ', row @ ..] => (Self::Via(row), row),
            [b'F', b'r', b'o', b'm', b':', b' ', row @ ..] => (Self::From(row), row),
            [b'T', b'o', b':', b' ', row @ ..] => (Self::To(row), row),
            [b'C', b'S', b'e', b'q', b':', b' ', row @ ..] => (Self::CSeq(row), row),
            [
                b'C',
                b'a',
                b'l',
                b'l',
                b'-',
                b'I',
                b'D',
                b':',
                b' ',
                row @ ..,
            ] => (Self::CallId(row), row),
            // The second line of a header.
            [] | [b' ' | b'\t', ..] => return None,
            [first, ..] => {
                let may_be = matches!(first.to_ascii_lowercase(), b'v' | b'f' | b't' | b'c' | b'i');
                return (!may_be || !is_needed(line)).then_some(Self::Other);
            }
        };
        // It is written back as it stands.
        let is_bare = |b: &u8| !matches!(*b, b' ' | b'\t');
        (row.first().is_some_and(is_bare) && row.last().is_some_and(is_bare)).then_some(known)
    }
}

/// Whether a line is of one of the headers that are needed, in whatever way it is written.
fn is_needed(line: &[u8]) -> bool {
    const NAMES: [&[u8]; 9] = [
        b"via", b"v", b"from", b"f", b"to", b"t", b"call-id", b"i", b"cseq",
    ];
    let name = line.split(|&b| b == b':').next().unwrap_or(line);
    let name = name.trim_ascii();
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The tag of a From or To; `None` if it cannot be read.
fn tag_of(value: &[u8]) -> Option<Option<&[u8]>> {
    // Nearly always a tag is the one parameter behind the brackets, if it is there.
    let tail = || {
        let (head, rest) = value.split_at_checked(memchr::memchr(b'<', value)?)?;
        let is_name = memchr::memchr2(b';', b'>', head).is_none();
        let end = memchr::memchr(b'>', rest).filter(|_| is_name)?;
        rest.get(end.checked_add(1)?..)
    };
    let Some(tail) = tail() else {
        return NameAddr::tag_of(value).ok();
    };
    if tail.is_empty() {
        return Some(None);
    }
    match tail
        .strip_prefix(b";tag=")
        .and_then(|tag| plain::run(tag, plain::set::TOKEN))
    {
        Some((tag @ [_, ..], [])) => Some(Some(tag)),
        _ => NameAddr::tag_of(value).ok(),
    }
}

impl<'a> Glance<'a> {
    /// The rest of the headers.
    pub(crate) fn of(mut top: TopVia<'a>) -> Option<Self> {
        const NONE: &[u8] = b"";
        let (mut from, mut to, mut call_id, mut cseq) = (NONE, NONE, NONE, NONE);
        let mut more_vias = SmallVec::new();
        loop {
            let line = top.lines.next()?;
            if line.is_empty() {
                break;
            }
            let (place, row) = match Line::of(line)? {
                Line::Other => continue,
                Line::Via(row) => {
                    more_vias.push(row);
                    continue;
                }
                Line::From(row) => (&mut from, row),
                Line::To(row) => (&mut to, row),
                Line::CallId(row) => (&mut call_id, row),
                Line::CSeq(row) => (&mut cseq, row),
            };
            if !place.is_empty() {
                return None;
            }
            *place = row;
        }
        let read = CSeq::parse(cseq).ok()?;
        if call_id.is_empty() || read.method != top.method {
            return None;
        }
        Some(Self {
            top,
            more_vias,
            from_tag: tag_of(from)?,
            from,
            to_tag: tag_of(to)?,
            to,
            call_id,
            cseq,
            number: read.number,
        })
    }

    /// What a To tag is made of: Call-ID, From tag, branch and number.
    pub(crate) fn identity(&self) -> (&'a [u8], Option<&'a [u8]>, &'a [u8], u32) {
        (self.call_id, self.from_tag, self.top.branch, self.number)
    }

    pub(crate) fn to_tag(&self) -> Option<&'a [u8]> {
        self.to_tag
    }

    /// The response with this status that a request without To tag gets, to the byte as a
    /// [`Reply`](super::Reply) writes it.
    pub(crate) fn refuse(
        &self,
        status: StatusCode,
        source: SocketAddr,
        tag: &[u8],
        retry_after: Option<u32>,
    ) -> Bytes {
        // Status line, names, tag, source, what is said, and Content-Length.
        const REST: usize = 256;
        let TopVia { row, branch, .. } = self.top;
        let rows = [row, self.from, self.to, self.call_id, self.cseq];
        let rows = rows.iter().chain(&self.more_vias);
        let room = rows.fold(REST, |room, row| {
            room.saturating_add(row.len()).saturating_add(8)
        });
        put::written(room, |out| {
            put_status_line(out, status, None);
            out.put(b"Via: ");
            if !put_common_via(out, row, branch, source) {
                put_top_via(out, row, Some(source));
            }
            for row in &self.more_vias {
                out.put(b"\r\nVia: ");
                out.put(row);
            }
            for (start, row) in [
                (&b"\r\nFrom: "[..], self.from),
                (b"\r\nCall-ID: ", self.call_id),
                (b"\r\nCSeq: ", self.cseq),
                (b"\r\nTo: ", self.to),
                (b";tag=", tag),
            ] {
                out.put(start);
                out.put(row);
            }
            out.put(b"\r\n");
            if let Some(seconds) = retry_after {
                out.put(b"Retry-After: ");
                put::number(out, u64::from(seconds));
                out.put(b"\r\n");
            }
            put_rest(out, &HeaderList::new(), None);
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::message::mutation::mutated;
    use crate::message::{Incoming, Reply, parse};

    const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bK776asdhds;rport\r\n\
        Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK7\r\n\
        Max-Forwards: 70\r\n\
        To: Bob <sip:bob@biloxi.com>\r\n\
        From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
        Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n\
        CSeq: 314159 INVITE\r\n\
        Contact: <sip:alice@pc33.atlanta.com>\r\n\
        Content-Length: 4\r\n\r\nbody";
    const SOURCE: &str = "192.0.2.1:9988";

    fn glance(bytes: &[u8]) -> Option<Glance<'_>> {
        TopVia::of(bytes).and_then(Glance::of)
    }

    /// What the whole reader makes of it.
    fn refused(bytes: &[u8], tag: &[u8], retry_after: Option<u32>) -> Option<Bytes> {
        let parsed = parse(Bytes::copy_from_slice(bytes), &Limits::DEFAULT).ok()?;
        let Incoming::Request(mut request) = parsed else {
            return None;
        };
        request.stamp_source(SOURCE.parse().unwrap());
        let mut headers = HeaderList::new();
        if let Some(seconds) = retry_after {
            headers
                .push("Retry-After", alloc::format!("{seconds}"))
                .unwrap();
        }
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let reply = Reply::new(&request);
        Some(reply.write_tagged(status, Some(tag), &headers, None))
    }

    fn at_a_glance(glance: &Glance<'_>, tag: &[u8], retry_after: Option<u32>) -> Bytes {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        glance.refuse(status, SOURCE.parse().unwrap(), tag, retry_after)
    }

    #[test]
    fn refusal_has_the_bytes_that_reading_all_gives() {
        for retry_after in [None, Some(7)] {
            let glance = glance(INVITE.as_bytes()).unwrap();
            let written = at_a_glance(&glance, b"x1", retry_after);
            let whole = refused(INVITE.as_bytes(), b"x1", retry_after);
            assert_eq!(Some(written), whole);
            assert_eq!(glance.top.method, Method::Invite);
            let identity = (
                &b"a84b4c76e66710@pc33.atlanta.com"[..],
                Some(&b"1928301774"[..]),
                &b"z9hG4bK776asdhds"[..],
                314_159,
            );
            assert_eq!((glance.identity(), glance.to_tag()), (identity, None));
        }
    }

    #[test]
    fn request_of_another_form_is_left_to_who_reads_all() {
        for (from, to) in [
            ("Via: SIP/2.0/UDP pc", "v: SIP/2.0/UDP pc"),
            ("Via: SIP/2.0/UDP 192", "VIA: SIP/2.0/UDP 192"),
            ("Via: SIP/2.0/UDP 192", "v : SIP/2.0/UDP 192"),
            ("z9hG4bK776asdhds", "z9hG4bK"),
            ("z9hG4bK776asdhds", "1"),
            (";rport", ", SIP/2.0/UDP 192.0.2.9"),
            ("To: Bob", "t: Bob"),
            ("To: Bob", "To:\r\n Bob"),
            ("To: Bob", "To:  Bob"),
            ("To: Bob", "To: <sip:a@b>\r\nTo: Bob"),
            ("From: Alice", "From : Alice"),
            ("Call-ID: ", "i: "),
            ("Call-ID: ", "I: "),
            ("Call-ID: ", "Call-Id: "),
            ("CSeq: 314159 INVITE", "CSeq: 314159 ACK"),
            ("Max-Forwards: 70\r\n", "Max-Forwards: 70\n"),
            ("\r\n\r\n", "\r\n"),
            (" SIP/2.0\r", " SIP/3.0\r"),
        ] {
            let other = INVITE.replacen(from, to, 1);
            assert!(glance(other.as_bytes()).is_none(), "{from:?} -> {to:?}");
        }
    }

    /// Whatever brackets are where.
    #[test]
    fn tag_at_a_glance_is_the_tag() {
        for value in [
            "<sip:a@b>;tag=1",
            "<sip:a@b;tag=1>",
            "\"a<b>;tag=2\" <sip:a@b>;tag=1",
            "\"a;b\" <sip:a@b>;x=\">\";tag=1",
            "<sip:a@b>;x;tag=1",
            "<sip:a@b>;tag=1;x",
            "<sip:a@b>;TAG=1",
            "<sip:a@b> ;tag=1",
            "sip:a@b;tag=1",
            "A sip:a@b>;tag=1>",
        ] {
            let whole = NameAddr::tag_of(value.as_bytes()).ok();
            assert_eq!(tag_of(value.as_bytes()), whole, "{value}");
        }
    }

    const PIECES: [&str; 9] = [
        ";tag=x",
        ";rport",
        "v:",
        "\r\nf: ",
        "Via",
        "To: ",
        ";received=192.0.2.1",
        "\n",
        "\r",
    ];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 1_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// What is seen of a request that can be read is what reading it gives.
        #[test]
        fn glance_sees_what_is_there(bytes in mutated(INVITE, &PIECES, 2), via in "SIP/2\\.0/(UDP|TCP) [a-z0-9.]{1,9}(:5060)?(;(rport|ttl|received)(=[0-9a-z.]{0,3})?){0,2};branch=z9hG4bK[a-z]{0,3}(;rport)?") {
            let text = String::from_utf8_lossy(&bytes);
            let other = text.replacen("SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bK776asdhds;rport", &via, 1);
            for bytes in [&bytes[..], other.as_bytes()] {
                let parsed = parse(Bytes::copy_from_slice(bytes), &Limits::DEFAULT);
                let (Some(glance), Ok(Incoming::Request(request))) = (glance(bytes), parsed) else {
                    continue;
                };
                let identity = (
                    request.call_id_bytes(),
                    request.tag_of_from(),
                    request.branch_bytes().unwrap(),
                    request.cseq_number(),
                );
                prop_assert_eq!(glance.identity(), identity);
                prop_assert_eq!(glance.to_tag(), request.to_tag_bytes());
                prop_assert_eq!(glance.top.via, request.top_via());
                prop_assert_eq!(glance.top.method, request.method());
                if glance.to_tag().is_none() {
                    let written = at_a_glance(&glance, b"x1", Some(5));
                    prop_assert_eq!(Some(written), refused(bytes, b"x1", Some(5)));
                }
            }
        }
    }
}

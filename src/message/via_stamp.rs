//! Where a request came from, written into its top Via (RFC 3261 18.2.1, RFC 3581 4).

use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};

use super::print::{AsFmt, unfolded};
use super::put::{self, Put, offset};
use super::scan::trim;
use super::span::range_in;
use super::{Via, split_commas};

/// Writes a Via row whose first value is the top one, with `received` and `rport` of the source.
///
/// `received` is written unless sent-by is the source and neither parameter is there; a `received`
/// that is there is replaced, since the sender cannot know it. `rport` is filled in if it has no
/// value. All other bytes stay, those of a Via that cannot be read too.
pub(crate) fn put_top_via(out: &mut (impl Put + ?Sized), row: &[u8], source: Option<SocketAddr>) {
    // Empty elements may stand before the first.
    let first = split_commas(row)
        .next()
        .and_then(|first| range_in(row, first));
    let (start, end) = first.unwrap_or((0, offset(row.len())));
    let via = row.get(start as usize..end as usize).unwrap_or_default();
    let rest = row.get(end as usize..).unwrap_or_default();
    match source {
        Some(source) => put_stamped(out, via, source),
        None => put::one_line(out, via),
    }
    put::one_line(out, rest);
}

/// As [`put_top_via`], for a Via on one line that was read, with this branch. If it is written as
/// nearly all write it, with `rport` behind the branch and nothing else, what is to be said stands at
/// its end; says whether it is, and otherwise has written nothing.
pub(crate) fn put_common_via(
    out: &mut (impl Put + ?Sized),
    via: &[u8],
    branch: &[u8],
    source: SocketAddr,
) -> bool {
    let is_common = || {
        let (start, end) = range_in(via, branch)?;
        let head = via.get(..start as usize)?.strip_suffix(b";branch=")?;
        let is_alone = memchr::memchr(b';', head).is_none() && trim(head).len() == head.len();
        let is_token = !branch.starts_with(b"\"");
        Some(is_alone && is_token && via.get(end as usize..) == Some(b";rport"))
    };
    let is_common = is_common() == Some(true);
    if is_common {
        put_told(out, via, source);
    }
    is_common
}

/// As [`put_top_via`], for a Via on one line that ends in `rport`, and has no `received`.
pub(crate) fn put_told(out: &mut (impl Put + ?Sized), via: &[u8], source: SocketAddr) {
    out.put(via);
    out.put(b"=");
    put::number(out, u64::from(source.port()));
    out.put(b";received=");
    put_address(out, source.ip().to_canonical());
}

fn put_stamped(out: &mut (impl Put + ?Sized), via: &[u8], source: SocketAddr) {
    let address = source.ip().to_canonical();
    let is_elsewhere = || {
        let via = Via::parse(via).ok();
        let sent_by = via.and_then(|via| via.host().ip());
        sent_by.map(|ip| ip.to_canonical()) != Some(address)
    };
    let found = match put_plain(out, via, source.port()) {
        Some(found) => found,
        None => put_segments(out, via, source.port()),
    };
    if found || is_elsewhere() {
        out.put(b";received=");
        put_address(out, address);
    }
}

/// Writes a Via whose parameters are visible ASCII without quotes, so that each `;` parts two of
/// them, nothing is folded and nothing need be trimmed: what stays goes out in one piece up to
/// what changes. Says whether `received` or `rport` was there; `None` if the Via is of another
/// form, and nothing was written.
fn put_plain(out: &mut (impl Put + ?Sized), via: &[u8], port: u16) -> Option<bool> {
    let params = memchr::memchr(b';', via).unwrap_or(via.len());
    let (head, tail) = via.split_at_checked(params)?;
    let is_plain = tail.iter().fold(true, |plain, b| {
        plain & matches!(*b, b'!' | b'#'..=b'~') // Without an early end it is one comparison.
    });
    if !is_plain || trim(head).len() != head.len() || memchr::memchr2(b'\r', b'\n', head).is_some()
    {
        return None;
    }
    let (mut found, mut done) = (false, 0_usize);
    let mut at = params;
    // Each round begins at a `;`.
    while let Some(segment) = via.get(at.saturating_add(1)..) {
        let len = memchr::memchr(b';', segment).unwrap_or(segment.len());
        let end = at.saturating_add(1).saturating_add(len);
        let segment = segment.get(..len).unwrap_or_default();
        if names(segment, b"received") {
            found = true;
            out.put(via.get(done..at).unwrap_or_default());
            done = end;
        } else if names(segment, b"rport") {
            found = true;
            if segment.len() == b"rport".len() {
                out.put(via.get(done..end).unwrap_or_default());
                out.put(b"=");
                put::number(out, u64::from(port));
                done = end;
            }
        }
        at = end;
    }
    out.put(via.get(done..).unwrap_or_default());
    Some(found)
}

/// Whether a parameter without white space has this name.
fn names(segment: &[u8], name: &[u8]) -> bool {
    segment
        .split_at_checked(name.len())
        .is_some_and(|(start, rest)| {
            matches!(rest.first(), None | Some(b'=')) && start.eq_ignore_ascii_case(name)
        })
}

/// Writes a Via of any form. Says whether `received` or `rport` was there.
fn put_segments(out: &mut (impl Put + ?Sized), via: &[u8], port: u16) -> bool {
    let mut found = false;
    let (mut segment, mut rest) = split_segment(via);
    unfolded(trim(segment), &mut |piece| out.put(piece));
    while let Some(next) = rest.get(1..) {
        (segment, rest) = split_segment(next);
        let name = trim(segment.split(|&b| b == b'=').next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"received") {
            found = true;
            continue;
        }
        out.put(b";");
        unfolded(trim(segment), &mut |piece| out.put(piece));
        if name.eq_ignore_ascii_case(b"rport") {
            found = true;
            if name.len() == trim(segment).len() {
                out.put(b"=");
                put::number(out, u64::from(port));
            }
        }
    }
    found
}

/// Writes a Via value without what was said of overload in it (RFC 7339 4), and with this instead.
pub(crate) fn put_feedback(out: &mut (impl Put + ?Sized), via: &[u8], said: &[u8]) {
    const NAMES: [&[u8]; 4] = [b"oc", b"oc-algo", b"oc-validity", b"oc-seq"];
    let (head, mut rest) = split_segment(via);
    put::one_line(out, trim(head));
    while let Some(next) = rest.get(1..) {
        let (segment, left) = split_segment(next);
        rest = left;
        let name = trim(segment.split(|&b| b == b'=').next().unwrap_or_default());
        if NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            continue;
        }
        out.put(b";");
        put::one_line(out, trim(segment));
    }
    out.put(said);
}

fn put_address(out: &mut (impl Put + ?Sized), address: IpAddr) {
    match address {
        IpAddr::V4(ip) => put::ipv4(out, ip),
        IpAddr::V6(ip) => put_text(out, format_args!("{ip}")),
    }
}

fn put_text(out: &mut (impl Put + ?Sized), text: fmt::Arguments<'_>) {
    // Writing into a message cannot fail.
    let _ = AsFmt(&mut |piece: &[u8]| out.put(piece)).write_fmt(text);
}

/// Splits before the next `;` that is not inside a quoted string.
fn split_segment(row: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut escaped = false;
    let at = row.iter().position(|&b| {
        if quoted {
            quoted = escaped || b != b'"';
            escaped = b == b'\\' && !escaped;
            return false;
        }
        quoted = b == b'"';
        b == b';'
    });
    row.split_at_checked(at.unwrap_or(row.len()))
        .unwrap_or((row, &[]))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The common form, too.
        #[test]
        fn common_way_is_the_plain_one(
            via in "SIP/2\\.0/UDP[ ]{1,2}[a-z0-9]{1,3}(:5060)?(;x)?;branch=[a-z0-9]{0,5}( )?(;rport)?(;x)?",
        ) {
            let source = "192.0.2.210:9988".parse().unwrap();
            let (mut common, mut plain) = (Vec::new(), Vec::new());
            put_stamped(&mut plain, via.as_bytes(), source);
            let read = Via::parse(via.as_bytes()).ok().and_then(|via| via.branch());
            let branch = read.unwrap_or_default().as_bytes();
            if put_common_via(&mut common, via.as_bytes(), branch, source) {
                prop_assert_eq!(common, plain);
            } else {
                prop_assert!(common.is_empty());
                let odd = via.contains(" ;") || via.contains(";x");
                prop_assert!(odd || branch.is_empty() || !via.ends_with(";rport"));
            }
        }

        /// The two ways to write a Via differ in no byte.
        #[test]
        fn plain_way_is_the_general_one(
            params in prop::collection::vec(
                "(rport|RPORT|received|rports|branch|x|ttl)(=[a-z0-9.\"]{0,4})?", 0..5),
            blank in prop::sample::select(Vec::from(["", " ", "\t", "\r\n "])),
        ) {
            let mut via = Vec::from(*b"SIP/2.0/UDP a:5060");
            for param in &params {
                via.extend_from_slice(blank.as_bytes());
                via.push(b';');
                via.extend_from_slice(param.as_bytes());
            }
            let (mut plain, mut general) = (Vec::new(), Vec::new());
            let found = put_segments(&mut general, &via, 9988);
            match put_plain(&mut plain, &via, 9988) {
                Some(same) => prop_assert_eq!((same, plain), (found, general)),
                None => {
                    prop_assert!(plain.is_empty());
                    let odd = via.contains(&b'"') || !blank.is_empty();
                    prop_assert!(odd);
                }
            }
        }
    }
}

//! Where a request came from, written into its top Via (RFC 3261 18.2.1, RFC 3581 4).

use core::fmt::{self, Write as _};
use core::net::SocketAddr;

use super::print::{AsFmt, unfolded};
use super::put::{Put, offset};
use super::reply::range_in;
use super::scan::trim;
use super::{Via, split_commas};

/// Writes a Via row whose first value is the top one, with `received` and `rport` of the source.
///
/// `received` is written unless sent-by is the source and neither parameter is there; a `received`
/// that is there is replaced, since the sender cannot know it. `rport` is filled in if it has no
/// value. All other bytes stay, those of a Via that cannot be read too.
pub(crate) fn put_top_via(out: &mut dyn Put, row: &[u8], source: Option<SocketAddr>) {
    // Empty elements may stand before the first.
    let first = split_commas(row)
        .next()
        .and_then(|first| range_in(row, first));
    let (start, end) = first.unwrap_or((0, offset(row.len())));
    let via = row.get(start as usize..end as usize).unwrap_or_default();
    let rest = row.get(end as usize..).unwrap_or_default();
    match source {
        Some(source) => put_stamped(out, via, source),
        None => unfolded(via, &mut |piece| out.put(piece)),
    }
    unfolded(rest, &mut |piece| out.put(piece));
}

fn put_stamped(out: &mut dyn Put, via: &[u8], source: SocketAddr) {
    let address = source.ip().to_canonical();
    let sent_by = Via::parse(via)
        .ok()
        .and_then(|via| via.host().ip())
        .map(|ip| ip.to_canonical());
    let mut received = sent_by != Some(address);
    let (mut segment, mut rest) = split_segment(via);
    unfolded(trim(segment), &mut |piece| out.put(piece));
    while let Some(next) = rest.get(1..) {
        (segment, rest) = split_segment(next);
        let name = trim(segment.split(|&b| b == b'=').next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"received") {
            received = true;
            continue;
        }
        out.put(b";");
        unfolded(trim(segment), &mut |piece| out.put(piece));
        if name.eq_ignore_ascii_case(b"rport") {
            received = true;
            if name.len() == trim(segment).len() {
                put_text(out, format_args!("={}", source.port()));
            }
        }
    }
    if received {
        put_text(out, format_args!(";received={address}"));
    }
}

fn put_text(out: &mut dyn Put, text: fmt::Arguments<'_>) {
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

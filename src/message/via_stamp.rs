//! Where a request came from, written into its top Via (RFC 3261 18.2.1, RFC 3581 4).

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};

use super::print::{AsFmt, unfolded};
use super::put::Put;
use super::reply::range_in;
use super::{Via, split_commas};

/// Writes a Via row whose first value is the top one, with `received` and `rport` of the source.
///
/// What the sender said in these two is replaced: it cannot know them. Everything else stays.
pub(crate) fn put_top_via(out: &mut dyn Put, row: &[u8], source: Option<SocketAddr>) {
    let Some(source) = source else {
        unfolded(row, &mut |piece| out.put(piece));
        return;
    };
    let address = source.ip().to_canonical();
    let mut rport = false;
    // Empty elements may stand before the first.
    let start = split_commas(row)
        .next()
        .and_then(|first| range_in(row, first));
    let row = start
        .and_then(|(start, _)| row.get(start as usize..))
        .unwrap_or(row);
    let mut rest = row;
    let mut first = None;
    loop {
        let (segment, tail) = split_segment(rest);
        let end = tail.first() != Some(&b';');
        let parameter = first.is_some();
        first.get_or_insert(segment);
        match stamped(segment, parameter) {
            Some(Stamped::Rport) => rport = true,
            Some(Stamped::Received) => {}
            None => {
                if parameter {
                    out.put(b";");
                }
                unfolded(trim(segment), &mut |piece| out.put(piece));
            }
        }
        rest = tail;
        if end {
            break;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let value = row
        .get(..row.len().saturating_sub(rest.len()))
        .unwrap_or_default();
    let mut fmt = |piece: &[u8]| out.put(piece);
    let mut fmt = AsFmt(&mut fmt);
    // Writing into a message cannot fail.
    if rport || sent_by(value) != Some(address) {
        let _ = write!(fmt, ";received={address}");
    }
    if rport {
        let _ = write!(fmt, ";rport={}", source.port());
    }
    unfolded(rest, &mut |piece| out.put(piece));
}

/// The two parameters that the receiver writes.
enum Stamped {
    Received,
    Rport,
}

fn stamped(segment: &[u8], parameter: bool) -> Option<Stamped> {
    if !parameter {
        return None;
    }
    let name = trim(segment.split(|&b| b == b'=').next()?);
    if name.eq_ignore_ascii_case(b"received") {
        Some(Stamped::Received)
    } else if name.eq_ignore_ascii_case(b"rport") {
        Some(Stamped::Rport)
    } else {
        None
    }
}

/// The address in sent-by, if it is one.
fn sent_by(value: &[u8]) -> Option<IpAddr> {
    Via::parse(value)
        .ok()?
        .host()
        .ip()
        .map(|ip| ip.to_canonical())
}

/// Splits before the next `;` or `,` that is not inside a quoted string.
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
        matches!(b, b';' | b',')
    });
    row.split_at_checked(at.unwrap_or(row.len()))
        .unwrap_or((row, &[]))
}

fn trim(bytes: &[u8]) -> &[u8] {
    super::scan::trim(bytes)
}

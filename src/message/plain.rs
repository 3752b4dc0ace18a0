//! The common form of values, read in one pass: no white space but where everybody writes it, no
//! escapes, no parameter twice. What is not of this form is not read here and not judged: `None`
//! sends the value to the full reader, which says what it is or what is wrong with it.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::host::Host;
use super::scan::{class, is};
use super::words::{self, Lanes};

/// Sets of bytes; each is a bit of [`SETS`].
pub(crate) mod set {
    /// What ends neither a user part nor a host, and is no escape.
    pub(crate) const USER: u8 = 1;
    /// The name of a URI parameter.
    pub(crate) const URI_NAME: u8 = 2;
    /// The value of a URI parameter.
    pub(crate) const URI_VALUE: u8 = 4;
    /// Inside a quoted string without escapes and folds.
    pub(crate) const QUOTED: u8 = 8;
    /// A display name without quotes.
    pub(crate) const DISPLAY: u8 = 16;
    /// A token.
    pub(crate) const TOKEN: u8 = 32;
    /// The value of a header parameter.
    pub(crate) const VALUE: u8 = 64;
    /// What a host name is made of.
    pub(crate) const HOST: u8 = 128;
}

static SETS: [u8; 256] = sets();

/// The bytes at the front that are in the set, and the rest. Letters, digits, `-` and `.` are in
/// all of them. Never `None`: the caller returns its own with `?`, without a branch for less.
#[inline(always)]
pub(crate) fn run(text: &[u8], set: u8) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(run_len(text, set))
}

/// Whether all bytes are in the set.
pub(crate) fn is_all(text: &[u8], set: u8) -> bool {
    run_len(text, set) == text.len()
}

/// How many bytes at the front are in the set. One function for all sets: where it is built in,
/// its constants leave no room in the registers for anything else. Most runs end in the first steps.
#[inline(never)]
fn run_len(text: &[u8], set: u8) -> usize {
    let Some((front, behind)) = text.split_first_chunk() else {
        return short_run(text, set);
    };
    if let Some(len) = run_in(front, set) {
        return len;
    }
    match behind.first_chunk().and_then(|next| run_in(next, set)) {
        Some(len) => len.wrapping_add(words::STEP),
        None => long_run(text, set),
    }
}

/// Where a run ends in sixteen bytes. Letters and their like take one step, others of the set than
/// those in all one each.
#[inline(always)]
fn run_in(chunk: &[u8; words::STEP], set: u8) -> Option<usize> {
    let mut others = Lanes::of(*chunk).not_common();
    while others != 0 {
        let place = words::place(others);
        match chunk.get(place) {
            Some(b) if is_in(*b, set) => others &= others.wrapping_sub(1),
            _ => return Some(place),
        }
    }
    None
}

/// A run of sixteen bytes and more.
#[inline(never)]
fn long_run(text: &[u8], set: u8) -> usize {
    let (chunks, _) = text.get(words::STEP..).unwrap_or_default().as_chunks();
    let mut before = words::STEP;
    for chunk in chunks {
        if let Some(len) = run_in(chunk, set) {
            return before.wrapping_add(len);
        }
        before = before.wrapping_add(words::STEP);
    }
    // The last sixteen bytes: those that have been looked at are in the set.
    let last = text.last_chunk().and_then(|last| run_in(last, set));
    last.map_or(text.len(), |len| {
        text.len().wrapping_sub(words::STEP).wrapping_add(len)
    })
}

/// A run in less than sixteen bytes. NUL is in no set, so that their end ends it.
#[inline(never)]
fn short_run(text: &[u8], set: u8) -> usize {
    run_in(&Lanes::front(text).bytes(), set).unwrap_or(text.len())
}

#[inline(always)]
fn is_in(b: u8, set: u8) -> bool {
    SETS.get(usize::from(b)).copied().unwrap_or(0) & set != 0
}

#[inline]
fn split_before<'a>(text: &'a [u8], tail: &[u8]) -> (&'a [u8], &'a [u8]) {
    let len = text.len().saturating_sub(tail.len());
    text.split_at_checked(len).unwrap_or((text, &[]))
}

/// A host that has been recognised.
#[derive(Clone, Copy)]
pub(crate) enum PlainHost<'a> {
    /// ASCII.
    Name(&'a [u8]),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> PlainHost<'a> {
    pub(crate) const fn host(self) -> Host<'a> {
        match self {
            Self::Name(name) => match core::str::from_utf8(name) {
                Ok(name) => Host::Name(name),
                // A name is ASCII.
                Err(_) => Host::Name(""),
            },
            Self::V4(address) => Host::V4(address),
            Self::V6(address) => Host::V6(address),
        }
    }

    /// The same, as it is kept where the name may not be asked for.
    pub(crate) const fn of(host: Host<'a>) -> Self {
        match host {
            Host::Name(name) => Self::Name(name.as_bytes()),
            Host::V4(address) => Self::V4(address),
            Host::V6(address) => Self::V6(address),
        }
    }
}

/// `host [":" port]`, and what follows. The caller knows what may follow.
#[inline(never)]
pub(crate) fn host_port(text: &[u8]) -> Option<(PlainHost<'_>, Option<u16>, &[u8])> {
    match v4(text) {
        Some((address, rest)) => with_port(PlainHost::V4(address), rest),
        None => {
            let (host, rest) = other_host(text)?;
            with_port(host, rest)
        }
    }
}

/// `host [":" port]` at the end of the text, if the host is an IPv4 address.
#[inline]
pub(crate) fn v4_port(text: &[u8]) -> Option<(Ipv4Addr, Option<u16>)> {
    let (address, rest) = v4(text)?;
    match rest {
        [] => Some((address, None)),
        [b':', digits @ ..] => {
            let (port, rest) = port(digits)?;
            rest.is_empty().then_some((address, Some(port)))
        }
        _ => None,
    }
}

#[inline(always)]
fn with_port<'a>(
    host: PlainHost<'a>,
    rest: &'a [u8],
) -> Option<(PlainHost<'a>, Option<u16>, &'a [u8])> {
    match rest {
        [b':', digits @ ..] => port(digits).map(|(port, rest)| (host, Some(port), rest)),
        _ => Some((host, None, rest)),
    }
}

/// What follows `host [":" port]`, for who does not ask what they are.
#[inline(never)]
pub(crate) fn behind_host_port(text: &[u8]) -> Option<&[u8]> {
    let rest = match v4(text) {
        Some((_, rest)) => rest,
        None => other_host(text)?.1,
    };
    match rest {
        [b':', digits @ ..] => port(digits).map(|(_, rest)| rest),
        _ => Some(rest),
    }
}

/// A host that is no IPv4 address.
#[inline(never)]
fn other_host(text: &[u8]) -> Option<(PlainHost<'_>, &[u8])> {
    match text.first()? {
        b'[' => v6(text),
        _ => name(text),
    }
}

/// Whether what has been read of a text is its front of that length.
///
/// A value is read with what is behind it in its message, if there is a message: a line break at
/// the least, which nothing here reads, so that no step must look out for a near end.
#[inline(always)]
pub(crate) fn has_read(text: &[u8], len: usize, rest: &[u8]) -> bool {
    // The rest is the end of the text, and so not longer.
    text.len().wrapping_sub(rest.len()) == len
}

/// The value of the first parameter, if it has that name, to the letter, and is a token; and what
/// follows it. The start, with `;` and `=`, is what most values have there.
#[inline(always)]
pub(crate) fn first_param<'a, const N: usize>(
    params: &'a [u8],
    start: &[u8; N],
) -> Option<(&'a [u8], &'a [u8])> {
    match run(params.strip_prefix(start)?, set::TOKEN)? {
        (value @ [_, ..], rest @ ([] | [b';' | b'\r', ..])) => Some((value, rest)),
        _ => None,
    }
}

/// Parameters of a header value, each shown to `see`, and what follows them; `None` too if `see`
/// does not like one, or if one may have the name in `read`, which stands before them.
#[inline]
pub(crate) fn header_params<'a>(
    mut rest: &'a [u8],
    read: &[u8],
    mut see: impl FnMut(&'a [u8], Option<&'a [u8]>) -> bool,
) -> Option<&'a [u8]> {
    let mut names = Names(small_hash(read).map_or(0, |hash| 1 << hash));
    while let Some((b';', tail)) = rest.split_first() {
        let (name, tail) = run(tail, set::TOKEN)?;
        names.add(name)?;
        let (value, tail) = match tail {
            [b'=', b'"', ..] => {
                let quoted = tail.get(1..)?;
                let (inner, _) = run(quoted.get(1..)?, set::QUOTED)?;
                let (value, tail) = quoted.split_at_checked(inner.len().checked_add(2)?)?;
                (Some(value).filter(|value| value.ends_with(b"\"")), tail)
            }
            [b'=', tail @ ..] => {
                let (value, tail) = run(tail, set::VALUE)?;
                (Some(value).filter(|value| !value.is_empty()), tail)
            }
            _ => {
                if !see(name, None) {
                    return None;
                }
                rest = tail;
                continue;
            }
        };
        if !see(name, Some(value?)) {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

/// Parameters of a URI, each shown to `see`, and what follows them; `None` too if `see` does not
/// like one.
#[inline]
pub(crate) fn uri_params<'a>(
    mut rest: &'a [u8],
    mut see: impl FnMut(&'a [u8], &'a [u8]) -> bool,
) -> Option<&'a [u8]> {
    let mut names = Names::default();
    while let Some((b';', tail)) = rest.split_first() {
        let (name, mut tail) = run(tail, set::URI_NAME)?;
        names.add(name)?;
        let mut value: &[u8] = &[];
        if let [b'=', behind @ ..] = tail {
            (value, tail) = run(behind, set::URI_VALUE)?;
            if value.is_empty() {
                return None;
            }
        }
        if !see(name, value) {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

/// Digits up to the end or another byte, and the rest: at most ten, so that the sum fits.
#[inline(always)]
pub(crate) fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    match text.first_chunk().and_then(|front| few_digits(*front)) {
        Some((sum, len)) => Some((sum, text.get(len..)?)),
        None => up_to_ten_digits(text),
    }
}

/// One to seven digits with something else behind them, and how many there are.
#[inline]
fn few_digits(front: [u8; 8]) -> Option<(u64, usize)> {
    const ALL: u64 = u64::MAX / 0xff;
    // A digit is less than ten now, the first one is lowest.
    let word = u64::from_le_bytes(front) ^ ALL.wrapping_mul(0x30);
    // The highest bit of each other byte; what a sum carries goes to those behind the first one.
    let others = (word.wrapping_add(ALL.wrapping_mul(0x76)) | word) & ALL.wrapping_mul(0x80);
    let bits = others.trailing_zeros();
    if !matches!(bits, 8..64) {
        return None;
    }
    let len = bits / 8;
    // With zeros before them they are eight. Two become one, three times.
    let eight = word.wrapping_shl(64_u32.wrapping_sub(len.wrapping_mul(8)));
    let pairs = eight.wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    let sum = fours.wrapping_mul(10_000 << 32 | 1) >> 32;
    Some((sum, len as usize))
}

#[inline(never)]
fn up_to_ten_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut sum = 0_u64;
    let mut len = 0_usize;
    for &b in text.iter().take(11) {
        if !b.is_ascii_digit() {
            break;
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(b & 15));
        len = len.wrapping_add(1);
    }
    if matches!(len, 1..=10) {
        Some((sum, text.get(len..)?))
    } else {
        None
    }
}

/// Which names have been seen, as far as a small hash can tell.
#[derive(Default)]
struct Names(u64);

impl Names {
    /// `None` if the name may be there already, or is empty.
    #[inline]
    fn add(&mut self, name: &[u8]) -> Option<()> {
        let bit = 1_u64 << small_hash(name)?;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new.then_some(())
    }
}

/// From 0 to 63, the same for names that differ in case only; `None` for an empty one.
#[inline]
pub(crate) fn small_hash(name: &[u8]) -> Option<u8> {
    let (first, last) = (name.first()? | 0x20, name.last()? | 0x20);
    // A length past 255 hashes like its lowest byte.
    let len = name.len().to_le_bytes().first().copied()?;
    let mixed = first
        .wrapping_mul(7)
        .wrapping_add(last)
        .wrapping_add(len.wrapping_mul(29));
    Some(mixed & 63)
}

fn port(text: &[u8]) -> Option<(u16, &[u8])> {
    let (port, rest) = digits(text)?;
    Some((u16::try_from(port).ok()?, rest))
}

#[inline(always)]
fn v4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (mut address, mut rest) = octet(text)?;
    for _ in 0..3 {
        let (octet, tail) = octet(rest.strip_prefix(b".")?)?;
        (address, rest) = (address << 8 | octet, tail);
    }
    let goes_on = rest.first().is_some_and(|b| is_in(*b, set::HOST));
    (!goes_on).then_some((Ipv4Addr::from_bits(address), rest))
}

/// A number from 0 to 255 without leading zeros. A digit too many is left for the caller to see.
#[inline(always)]
fn octet(text: &[u8]) -> Option<(u32, &[u8])> {
    // A byte more than it has, so that nothing behind it is looked for twice.
    let Some(front) = text.first_chunk::<4>() else {
        return last_octet(text);
    };
    let &[a, b, c, _] = front;
    let value = |b: u8| u32::from(b & 15);
    let ten = value(a).wrapping_mul(10).wrapping_add(value(b));
    if !b.is_ascii_digit() {
        return Some((value(a), text.get(1..)?)).filter(|_| a.is_ascii_digit());
    }
    if !matches!(a, b'1'..=b'9') {
        return None;
    }
    if !c.is_ascii_digit() {
        return Some((ten, text.get(2..)?));
    }
    let number = ten.wrapping_mul(10).wrapping_add(value(c));
    Some((number, text.get(3..)?)).filter(|_| number <= 255)
}

/// The same near the end of the text.
fn last_octet(text: &[u8]) -> Option<(u32, &[u8])> {
    let value = |b: u8| u32::from(b & 15);
    let two = |a: u8, b: u8| value(a).wrapping_mul(10).wrapping_add(value(b));
    let (number, rest) = match text {
        [b'0', rest @ ..] => (0, rest),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            (two(*a, *b).wrapping_mul(10).wrapping_add(value(*c)), rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (two(*a, *b), rest),
        [a @ b'1'..=b'9', rest @ ..] => (value(*a), rest),
        _ => return None,
    };
    Some((number, rest)).filter(|_| number <= 255)
}

fn v6(text: &[u8]) -> Option<(PlainHost<'_>, &[u8])> {
    let inner = text.strip_prefix(b"[")?;
    if let Some((address, rest)) = v6_groups(inner) {
        return Some((PlainHost::V6(address), rest));
    }
    // The longest form has 45 bytes.
    let close = inner.iter().take(46).position(|&b| b == b']')?;
    let (address, rest) = inner.split_at_checked(close)?;
    let address = core::str::from_utf8(address).ok()?.parse().ok()?;
    Some((PlainHost::V6(address), rest.get(1..)?))
}

/// An IPv6 address without an IPv4 part, and what is behind the bracket that ends it.
fn v6_groups(text: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let (mut before, mut number) = (0_u128, 0_u128);
    let mut count = 0_u32;
    // How many groups stand before the `::`.
    let mut gap = None;
    let mut rest = text;
    if let [b':', b':', tail @ ..] = rest {
        (gap, rest) = (Some(0), tail);
    }
    let rest = loop {
        if let [b']', tail @ ..] = rest {
            // Only behind the gap is there nothing before the bracket.
            if gap != Some(count) {
                return None;
            }
            break tail;
        }
        let (group, tail) = hex_group(rest)?;
        if count == 8 {
            return None;
        }
        number = number << 16 | u128::from(group);
        count = count.wrapping_add(1);
        rest = match tail {
            [b']', tail @ ..] => break tail,
            [b':', b':', tail @ ..] if gap.is_none() => {
                (before, number, gap) = (number, 0, Some(count));
                tail
            }
            [b':', b']', ..] => return None,
            [b':', tail @ ..] => tail,
            _ => return None,
        };
    };
    let number = match gap {
        None if count == 8 => number,
        Some(0) if count < 8 => number,
        Some(gap) if count < 8 => {
            before << (8_u32.wrapping_sub(gap).wrapping_mul(16) & 127) | number
        }
        None | Some(_) => return None,
    };
    Some((Ipv6Addr::from_bits(number), rest))
}

/// One to four hexadecimal digits.
#[inline]
fn hex_group(text: &[u8]) -> Option<(u16, &[u8])> {
    let mut group = 0_u16;
    let mut rest = text;
    for _ in 0..4 {
        let Some((&b, tail)) = rest.split_first() else {
            break;
        };
        let digit = HEX.get(usize::from(b)).copied().unwrap_or(NO_DIGIT);
        if digit == NO_DIGIT {
            break;
        }
        group = group << 4 | u16::from(digit);
        rest = tail;
    }
    (rest.len() < text.len()).then_some((group, rest))
}

const NO_DIGIT: u8 = 0xff;

/// What each hexadecimal digit is worth.
static HEX: [u8; 256] = hex();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiling, where a slip is an error"
)]
const fn hex() -> [u8; 256] {
    let mut hex = [NO_DIGIT; 256];
    let mut digit = 0_u8;
    while digit < 16 {
        let b = b"0123456789abcdef"[digit as usize];
        hex[b as usize] = digit;
        hex[b.to_ascii_uppercase() as usize] = digit;
        digit = digit.wrapping_add(1);
    }
    hex
}

/// A host name that does not end in a dot.
#[inline]
fn name(text: &[u8]) -> Option<(PlainHost<'_>, &[u8])> {
    let rest = behind_labels(text)?;
    let (host, rest) = split_before(text, rest);
    let last = host.last()?;
    if matches!(last, b'.' | b'-') {
        return None;
    }
    if last.is_ascii_digit() {
        // A last label of digits alone makes neither a name nor an address.
        let before = host.iter().rposition(|b| !b.is_ascii_digit())?;
        if host.get(before) == Some(&b'.') {
            return None;
        }
    }
    Some((PlainHost::Name(host), rest))
}

/// What is behind letters, digits, `_`, and dots and hyphens that stand alone: two hyphens, or one
/// beside a dot, are for the full reader, and so is one at the front.
#[inline]
fn behind_labels(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    // The bit of the byte before the sixteen, if it separates: the front does.
    let mut before = 1;
    let mut beside = 0;
    loop {
        let lanes = Lanes::front(rest);
        let others = lanes.not_common();
        // Those before the first other.
        let inside = !others & others.wrapping_sub(1);
        let separators = (lanes.equal(b'.') | lanes.equal(b'-')) & inside;
        beside |= separators & (separators << 1 | before);
        if others == 0 {
            before = separators >> 15;
            rest = rest.get(words::STEP..)?;
            continue;
        }
        match rest.get(words::place(others)..) {
            Some([b'_', tail @ ..]) => (before, rest) = (0, tail),
            Some(end) => return (beside == 0).then_some(end),
            None => return None,
        }
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiling, where a slip is an error"
)]
const fn sets() -> [u8; 256] {
    let mut sets = [0_u8; 256];
    let mut b = 0_u8;
    loop {
        let uri_value = is(b, class::URI_PARAMS) && b != b';';
        let members = [
            (
                is(b, class::USER) && !matches!(b, b':' | b';' | b'?'),
                set::USER,
            ),
            (uri_value && b != b'=' && b < 0x80, set::URI_NAME),
            (uri_value, set::URI_VALUE),
            (!matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0), set::QUOTED),
            (is(b, class::TOKEN) || b == b' ', set::DISPLAY),
            (is(b, class::TOKEN), set::TOKEN),
            (is(b, class::VALUE), set::VALUE),
            (
                b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'),
                set::HOST,
            ),
        ];
        let mut i = 0_usize;
        while i < members.len() {
            if members[i].0 {
                sets[b as usize] |= members[i].1;
            }
            i = i.wrapping_add(1);
        }
        if b == u8::MAX {
            return sets;
        }
        b = b.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

        /// Both ways: what either reader takes, the other reads alike.
        #[test]
        fn addresses_in_brackets_are_read_as_by_the_full_reader(
            text in "\\[[0-9a-fA-F]{0,5}(:{1,2}[0-9a-f]{1,4}){0,8}(::|:|)(1\\.2\\.3\\.[0-9]{1,3})?\\]"
        ) {
            let plain = host_port(text.as_bytes()).filter(|(_, _, rest)| rest.is_empty());
            let full = Host::parse_with_port(text.as_bytes()).ok();
            prop_assert_eq!(plain.map(|(host, port, _)| (host.host(), port)), full);
        }

        #[test]
        fn names_are_read_as_by_the_full_reader(text in "[a-zA-Z0-9_]{0,9}([.-]{1,2}[a-z0-9_]{0,10}){0,4}") {
            let plain = host_port(text.as_bytes()).filter(|(_, _, rest)| rest.is_empty());
            let full = Host::parse_with_port(text.as_bytes()).ok();
            if let Some((host, port, _)) = plain {
                prop_assert_eq!(Some((host.host(), port)), full);
            } else if !text.contains("--") && !text.ends_with('.') {
                prop_assert_eq!(full, None);
            }
        }
    }

    #[test]
    fn the_common_forms_are_not_left_to_the_full_reader() {
        let params = b";tag=a-b;x".as_slice();
        assert_eq!(
            first_param(params, b";tag="),
            Some((&b"a-b"[..], &b";x"[..]))
        );
        for (text, rest) in [
            ("1:2:3:4:5:6:7:8]", ""),
            ("2001:db8::9]:5060", ":5060"),
            ("::]>", ">"),
            ("fFfF::1]", ""),
        ] {
            let (address, behind) = v6_groups(text.as_bytes()).unwrap();
            let (inner, _) = text.split_once(']').unwrap();
            assert_eq!((Ok(address), behind), (inner.parse(), rest.as_bytes()));
        }
        for text in [
            "1:2]",
            "1::2::3]",
            "1:2:3:4:5:6:7:8:9]",
            "g::]",
            "::1",
            "1::2:]",
        ] {
            assert_eq!(v6_groups(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn digits_are_read_up_to_another_byte() {
        for len in 0..13 {
            for first in 0..=9_u8 {
                let number: Vec<u8> = (0..len).map(|at| b'0' + (first + at) % 10).collect();
                let sum = core::str::from_utf8(&number).unwrap().parse::<u64>().ok();
                for behind in [0, b'/', b':', b' ', b'a', 0x7f, 0x80, 0xb0, 0xff] {
                    for more in [0, 1, 9] {
                        let text = [&number[..], &[behind], &[b'5'; 9][..more]].concat();
                        let (_, rest) = text.split_at(number.len());
                        let read = sum.filter(|_| len <= 10).map(|sum| (sum, rest));
                        assert_eq!(digits(&text), read, "{}", text.escape_ascii());
                    }
                }
                assert_eq!(
                    digits(&number).map(|read| read.0),
                    sum.filter(|_| len <= 10)
                );
            }
        }
    }

    #[test]
    fn a_run_ends_at_the_first_byte_outside_of_its_set() {
        for b in 0..=u8::MAX {
            for before in 0..20 {
                for after in [0, 1, 9] {
                    let text = [&[b'a'; 20][..before], &[b], &[b'z'; 9][..after]].concat();
                    for set in [set::HOST, set::TOKEN, set::USER, set::QUOTED] {
                        let inside = SETS[usize::from(b)] & set != 0;
                        let len = if inside { text.len() } else { before };
                        assert_eq!(run(&text, set), Some(text.split_at(len)));
                    }
                }
            }
        }
    }
}

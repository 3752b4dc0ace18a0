//! Looking for bytes eight or sixteen at a time.

/// The bit that marks each byte of a word.
pub(crate) const MARKS: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// How far into the text the byte is, in a word read little end first; `None` if it is not there.
#[inline]
pub(crate) const fn position(word: u64, byte: u8) -> Option<usize> {
    let differs = word ^ ONES.wrapping_mul(byte as u64);
    // A borrow marks bytes above a zero byte at most: the lowest mark is right.
    lowest_mark(differs.wrapping_sub(ONES) & !differs)
}

/// The highest bit of each byte that is neither a letter nor a digit nor `-` nor `.`.
#[inline]
pub(crate) const fn not_common(word: u64) -> u64 {
    // Sums of seven bits never carry into the next byte; the highest bit says that it is at least
    // `first`. One that is at least `first` but not past the last differs in the two.
    const fn from(low: u64, first: u8) -> u64 {
        low.wrapping_add(ONES.wrapping_mul(0x80_u64.wrapping_sub(first as u64)))
    }
    let low = word & !MARKS;
    let small = low | ONES.wrapping_mul(0x20);
    let letters = from(small, b'a') ^ from(small, b'z'.wrapping_add(1));
    let others = from(low, b'-') ^ from(low, b'9'.wrapping_add(1));
    let is_slash = low ^ ONES.wrapping_mul(b'/' as u64);
    (!(letters | others & from(is_slash, 1)) | word) & MARKS
}

/// Where the first byte under `limit` is. The limit is at most 128.
#[inline]
const fn first_under(word: u64, limit: u8) -> Option<usize> {
    lowest_mark(word.wrapping_sub(ONES.wrapping_mul(limit as u64)) & !word)
}

#[inline]
const fn lowest_mark(word: u64) -> Option<usize> {
    let marks = word & MARKS;
    if marks == 0 { None } else { Some(place(marks)) }
}

/// Which byte the lowest mark is in; 8 if there is none.
#[inline]
pub(crate) const fn place(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Where the first byte under 14 is: CR, LF, HTAB or another control character.
#[inline]
pub(crate) fn first_control(text: &[u8]) -> Option<usize> {
    first_byte_under::<14>(text)
}

/// Where the first byte is that is a space or below.
#[inline]
pub(crate) fn first_space_or_control(text: &[u8]) -> Option<usize> {
    first_byte_under::<33>(text)
}

#[inline]
fn first_byte_under<const LIMIT: u8>(text: &[u8]) -> Option<usize> {
    let (chunks, tail) = text.as_chunks::<16>();
    // Offsets in the text, which wrapping sums cannot leave.
    let mut at = 0_usize;
    for chunk in chunks {
        // Without an early end it is one comparison of all sixteen.
        if chunk.iter().fold(false, |found, &b| found | (b < LIMIT)) {
            let (low, high) = halves(chunk);
            return match first_under(low, LIMIT) {
                Some(found) => Some(at.wrapping_add(found)),
                None => Some(at.wrapping_add(8).wrapping_add(first_under(high, LIMIT)?)),
            };
        }
        at = at.wrapping_add(16);
    }
    let found = tail.iter().position(|&b| b < LIMIT)?;
    Some(at.wrapping_add(found))
}

#[inline]
fn halves(chunk: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*chunk);
    (both as u64, (both >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_one_is_found(
            word in prop::array::uniform8(prop_oneof![
                Just(b':'), Just(b';'), Just(b'9'), Just(0xba), Just(0), any::<u8>()
            ]),
            text in prop::collection::vec(prop_oneof![8 => any::<u8>(), 1 => Just(b'a')], 0..70),
            from in 0..128_u8,
        ) {
            let slow = word.iter().position(|&b| b == b':');
            prop_assert_eq!(position(u64::from_le_bytes(word), b':'), slow);
            let slow = word.iter().position(|&b| b < 14);
            prop_assert_eq!(first_under(u64::from_le_bytes(word), 14), slow);
            let text: Vec<u8> = text.into_iter().map(|b| b.max(from % 20)).collect();
            prop_assert_eq!(first_control(&text), text.iter().position(|&b| b < 14));
        }
    }

    #[test]
    fn every_byte_is_common_or_not_beside_any_other() {
        let common = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        for b in 0..=u8::MAX {
            for beside in [0, 0xff, b'a', b'/', 0x7f, 0x80] {
                let word = [beside, b, beside, b, b, beside, beside, b];
                let marks = word.map(|b| if common(b) { 0 } else { 0x80 });
                let marked = not_common(u64::from_le_bytes(word));
                assert_eq!(marked.to_le_bytes(), marks, "{b} beside {beside}");
                let first = word.iter().position(|&b| !common(b));
                assert_eq!(place(marked), first.unwrap_or(8));
            }
        }
    }
}

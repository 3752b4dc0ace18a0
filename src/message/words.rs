//! Looking for bytes sixteen at a time.

use wide::{CmpEq, CmpGt, CmpLt, i8x16};

/// How many bytes are looked at in one step.
pub(crate) const STEP: usize = 16;

/// Sixteen bytes as lanes are made of them without a detour.
pub(crate) type Bytes = [i8; STEP];

/// Sixteen bytes side by side. What is asked of them comes as a bit for each, the first one lowest.
#[derive(Clone, Copy)]
pub(crate) struct Lanes(i8x16);

impl Lanes {
    #[inline(always)]
    pub(crate) fn of(bytes: [u8; STEP]) -> Self {
        Self(i8x16::new(bytes.map(u8::cast_signed)))
    }

    /// The first sixteen bytes of the text, with NULs behind it if it is shorter.
    #[inline(always)]
    pub(crate) fn front(text: &[u8]) -> Self {
        match text.first_chunk() {
            Some(chunk) => Self::of(*chunk),
            None => Self::of(short(text).to_le_bytes()),
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(self) -> [u8; STEP] {
        self.0.to_array().map(i8::cast_unsigned)
    }

    /// With these bits in each.
    #[inline(always)]
    pub(crate) fn with(self, bits: u8) -> Self {
        Self(self.0 | every(bits))
    }

    /// With these bits of each alone.
    #[inline(always)]
    pub(crate) fn within(self, bits: &Bytes) -> Self {
        Self(self.0 & i8x16::new(*bits))
    }

    /// Whether they are these bytes.
    #[inline(always)]
    pub(crate) fn is_all(self, bytes: &Bytes) -> bool {
        bits(self.0.cmp_eq(i8x16::new(*bytes))) == 0xffff
    }

    /// Which are that byte.
    #[inline(always)]
    pub(crate) fn equal(self, byte: u8) -> u32 {
        bits(self.is(byte))
    }

    /// Which are under 14: CR, LF, HTAB or another control character.
    #[inline(always)]
    fn controls(self) -> u32 {
        bits(self.is_at_most(13))
    }

    /// Which are a space or a control character.
    #[inline(always)]
    fn spaces_or_controls(self) -> u32 {
        bits(self.is_at_most(b' ') | self.is(0x7f))
    }

    /// Which are not visible ASCII.
    #[inline(always)]
    fn not_graphic(self) -> u32 {
        bits(self.is_outside(b'!', b'~'))
    }

    /// Which are neither a letter nor a digit nor `-` nor `.`.
    #[inline(always)]
    pub(crate) fn not_common(self) -> u32 {
        let not_letters = self.with(0x20).is_outside(b'a', b'z');
        // The slash is between the others.
        let not_others = self.is_outside(b'-', b'9');
        bits(not_letters & not_others | self.is(b'/'))
    }

    #[inline(always)]
    fn is(self, byte: u8) -> i8x16 {
        self.0.cmp_eq(every(byte))
    }

    #[inline(always)]
    fn is_at_most(self, most: u8) -> i8x16 {
        self.above(0).cmp_lt(every(most.wrapping_add(0x81)))
    }

    #[inline(always)]
    fn is_outside(self, least: u8, most: u8) -> i8x16 {
        let span = most.wrapping_sub(least);
        self.above(least).cmp_gt(every(span.wrapping_add(0x80)))
    }

    /// How far above the least, counted from the lowest number: what is compared has a sign.
    #[inline(always)]
    fn above(self, least: u8) -> i8x16 {
        #[expect(clippy::arithmetic_side_effects, reason = "lanes wrap around")]
        let above = self.0 + every(0x80_u8.wrapping_sub(least));
        above
    }
}

#[inline(always)]
fn every(byte: u8) -> i8x16 {
    i8x16::new([byte.cast_signed(); STEP])
}

/// A bit for each.
#[inline(always)]
fn bits(lanes: i8x16) -> u32 {
    lanes.move_mask() as u32
}

/// Which byte the lowest bit is for; 32 if there is none.
#[inline(always)]
pub(crate) const fn place(bits: u32) -> usize {
    bits.trailing_zeros() as usize
}

/// Up to fifteen bytes, the first one lowest.
#[inline]
fn short(text: &[u8]) -> u128 {
    // Two words that share some bytes, so that no byte is read on its own.
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let shift = text.len().wrapping_sub(8).wrapping_mul(8) as u32;
        let tail = u128::from(u64::from_le_bytes(*tail)).wrapping_shl(shift);
        return u128::from(u64::from_le_bytes(*head)) | tail;
    }
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let shift = text.len().wrapping_sub(4).wrapping_mul(8) as u32;
        let tail = u64::from(u32::from_le_bytes(*tail)).wrapping_shl(shift);
        return u128::from(u64::from(u32::from_le_bytes(*head)) | tail);
    }
    let after = |word: u32, &byte: &u8| word << 8 | u32::from(byte);
    u128::from(text.iter().rev().fold(0, after))
}

/// Where the first control character under 14 is: CR, LF, HTAB or another.
#[inline]
pub(crate) fn first_control(text: &[u8]) -> Option<usize> {
    first(text, Lanes::controls)
}

/// Where the first byte is that is a space or a control character.
#[inline]
pub(crate) fn first_space_or_control(text: &[u8]) -> Option<usize> {
    first(text, Lanes::spaces_or_controls)
}

/// Where the first byte is that is not visible ASCII.
#[inline]
pub(crate) fn first_not_graphic(text: &[u8]) -> Option<usize> {
    first(text, Lanes::not_graphic)
}

/// Where the first byte is that is wanted; NUL is.
#[inline(always)]
fn first(text: &[u8], wanted: impl Fn(Lanes) -> u32) -> Option<usize> {
    let (chunks, tail) = text.as_chunks::<STEP>();
    // Offsets in the text, which wrapping sums cannot leave.
    let mut at = 0_usize;
    for chunk in chunks {
        let found = wanted(Lanes::of(*chunk));
        if found != 0 {
            return Some(at.wrapping_add(place(found)));
        }
        at = at.wrapping_add(STEP);
    }
    if tail.is_empty() {
        return None;
    }
    // The last sixteen: those that have been looked at are not wanted.
    if let Some(last) = text.last_chunk() {
        let found = wanted(Lanes::of(*last));
        let start = text.len().wrapping_sub(STEP);
        return (found != 0).then_some(start.wrapping_add(place(found)));
    }
    let found = place(wanted(Lanes::front(tail)));
    (found < tail.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_one_is_found(
            text in prop::collection::vec(prop_oneof![8 => any::<u8>(), 1 => Just(b'a')], 0..70),
            from in 0..40_u8,
        ) {
            let text: Vec<u8> = text.into_iter().map(|b| b.max(from)).collect();
            prop_assert_eq!(first_control(&text), text.iter().position(|&b| b < 14));
            let outside = |b: &u8| *b <= b' ' || *b == 0x7f;
            prop_assert_eq!(first_space_or_control(&text), text.iter().position(outside));
            let not_graphic = text.iter().position(|b| !b.is_ascii_graphic());
            prop_assert_eq!(first_not_graphic(&text), not_graphic);
        }

        #[test]
        fn what_is_behind_a_short_text_is_nul(text in prop::collection::vec(1..=u8::MAX, 0..40)) {
            let mut expected = [0_u8; STEP];
            for (to, from) in expected.iter_mut().zip(&text) {
                *to = *from;
            }
            prop_assert_eq!(Lanes::front(&text).bytes(), expected);
            let colons = expected.iter().rev().fold(0, |bits, &b| bits << 1 | u32::from(b == b':'));
            prop_assert_eq!(Lanes::front(&text).equal(b':'), colons);
        }
    }

    #[test]
    fn every_byte_is_common_or_not_beside_any_other() {
        let common = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        for b in 0..=u8::MAX {
            for beside in [0, 0xff, b'a', b'/', 0x7f, 0x80] {
                let lanes = core::array::from_fn(|i| if i % 3 == 1 { b } else { beside });
                let marked = Lanes::of(lanes).not_common();
                for (at, byte) in lanes.iter().enumerate() {
                    assert_eq!(marked >> at & 1 == 0, common(*byte), "{b} beside {beside}");
                }
            }
        }
        assert_eq!(place(Lanes::of([b'a'; STEP]).not_common()), 32);
    }
}

//! Where a part of a text is.

use super::put::offset;

/// Where a part of `whole` is in it. The addresses are only compared.
pub(crate) fn range_in(whole: &[u8], part: &[u8]) -> Option<(u32, u32)> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some((offset(start), offset(end)))
}

/// [`range_in`] for who knows that the part is one. Of what is not, no range of the whole.
#[inline(always)]
pub(super) fn span_in(whole: &[u8], part: &[u8]) -> (u32, u32) {
    // Offsets in a message of less than 4 GiB.
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()) as u32;
    (start, start.wrapping_add(part.len() as u32))
}

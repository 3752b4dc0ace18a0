//! The names of dialogs, as they stand in the table.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use equivalent::Equivalent;

/// Names the dialogs of a call: Call-ID and local tag. The remote tag tells its legs apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct DialogKey(Box<[u8]>);

/// The same, to look up.
#[derive(Clone, Copy)]
pub(super) struct DialogName<'a> {
    pub(super) call_id: &'a [u8],
    pub(super) local_tag: &'a [u8],
}

/// Parts the Call-ID from the tag: no Call-ID has it.
const END: u8 = 0;

impl DialogKey {
    pub(super) fn new(DialogName { call_id, local_tag }: DialogName<'_>) -> Self {
        let room = call_id.len().saturating_add(local_tag.len());
        let mut text = Vec::with_capacity(room.saturating_add(1));
        text.extend_from_slice(call_id);
        text.push(END);
        text.extend_from_slice(local_tag);
        Self(text.into())
    }
}

impl Hash for DialogKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let tag = self.0.rsplit(|byte| *byte == END).next();
        state.write_u64(mark(tag.unwrap_or_default()));
    }
}

impl Hash for DialogName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(mark(self.local_tag));
    }
}

/// The end of the local tag. It is this side's own, and random: a Call-ID that a stranger chooses
/// need not be hashed.
fn mark(local_tag: &[u8]) -> u64 {
    local_tag
        .last_chunk()
        .copied()
        .map_or(0, u64::from_le_bytes)
}

impl Equivalent<DialogKey> for DialogName<'_> {
    fn equivalent(&self, key: &DialogKey) -> bool {
        let parts = key.0.split_at_checked(self.call_id.len());
        parts.is_some_and(|(call_id, tag)| {
            tag.strip_prefix(&[END]) == Some(self.local_tag) && call_id == self.call_id
        })
    }
}

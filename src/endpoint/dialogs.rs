//! The names of dialogs, as they stand in the table.

use alloc::boxed::Box;
use core::hash::{Hash, Hasher};

use equivalent::Equivalent;
use smallvec::SmallVec;

/// Names the dialogs of a call: Call-ID and local tag. The remote tag tells its legs apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct DialogKey(Box<[u8]>);

/// The same on the stack, to look up.
pub(super) struct DialogText(SmallVec<[u8; 96]>);

impl DialogText {
    pub(super) fn new(call_id: &[u8], local_tag: &[u8]) -> Self {
        let mut room = [0; 96];
        let len = call_id.len().saturating_add(1);
        let len = len.saturating_add(local_tag.len());
        if let Some((head, rest)) = room
            .get_mut(..len)
            .and_then(|text| text.split_at_mut_checked(call_id.len()))
            && let Some((_, tail)) = rest.split_first_mut()
        {
            head.copy_from_slice(call_id);
            tail.copy_from_slice(local_tag);
            return Self(SmallVec::from_buf_and_len(room, len));
        }
        let mut text = SmallVec::from_slice(call_id);
        text.push(0);
        text.extend_from_slice(local_tag);
        Self(text)
    }
}

impl DialogKey {
    pub(super) fn new(call_id: &[u8], local_tag: &[u8]) -> Self {
        Self(DialogText::new(call_id, local_tag).0.as_slice().into())
    }
}

impl Hash for DialogKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(end_of(&self.0));
    }
}

impl Hash for DialogText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(end_of(&self.0));
    }
}

/// The end of the local tag. It is this side's own, and random: a Call-ID that a stranger chooses
/// need not be hashed.
fn end_of(text: &[u8]) -> u64 {
    text.last_chunk().copied().map_or(0, u64::from_le_bytes)
}

impl Equivalent<DialogKey> for DialogText {
    fn equivalent(&self, key: &DialogKey) -> bool {
        *self.0 == *key.0
    }
}

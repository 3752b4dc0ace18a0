//! How the dialogs of calls are found.

use core::hash::{Hash, Hasher};

use super::{CallHandle, Endpoint};
use crate::table::Hashed;

/// The tag of this side in a dialog.
struct LocalTag<'a>(&'a [u8]);

impl Hash for LocalTag<'_> {
    /// Its end: it is this side's own, and random. A Call-ID that a stranger chooses need not be
    /// hashed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let end = self.0.last_chunk().copied();
        state.write_u64(end.map_or(0, u64::from_le_bytes));
    }
}

impl Endpoint {
    /// Where in the table of dialogs a call with this tag is.
    pub(super) fn dialog_hashed(&self, local_tag: &[u8]) -> Hashed {
        self.dialogs.hashed_own(&LocalTag(local_tag))
    }

    /// The call whose dialogs have this name. The remote tag tells them apart.
    pub(super) fn find_call(
        &self,
        hashed: Hashed,
        call_id: &[u8],
        local_tag: &[u8],
    ) -> Option<CallHandle> {
        self.dialogs.find(hashed, |call| {
            let entry = self.calls.get(call);
            entry.is_some_and(|entry| entry.call.is_named(call_id, local_tag))
        })
    }

    /// The call with this dialog.
    pub(super) fn find_dialog(
        &self,
        call_id: &[u8],
        local_tag: &[u8],
        remote_tag: Option<&[u8]>,
    ) -> Option<CallHandle> {
        let call = self.find_call(self.dialog_hashed(local_tag), call_id, local_tag)?;
        let entry = self.calls.get(call)?;
        entry.call.is_with(remote_tag).then_some(call)
    }
}

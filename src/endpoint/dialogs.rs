//! How the dialogs of calls are found.

use core::hash::{Hash, Hasher};

use super::{CallHandle, Endpoint};
use crate::call::Call;
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

    /// Whether there is a call whose dialogs have this name. The remote tag tells them apart.
    pub(super) fn has_dialogs(&self, hashed: Hashed, call_id: &[u8], local_tag: &[u8]) -> bool {
        let is_named = |call: &Call| call.is_named(call_id, local_tag);
        self.find_call(hashed, is_named).is_some()
    }

    /// The call with this dialog.
    pub(super) fn find_dialog(
        &self,
        call_id: &[u8],
        local_tag: &[u8],
        remote_tag: Option<&[u8]>,
    ) -> Option<CallHandle> {
        self.find_call(self.dialog_hashed(local_tag), |call| {
            call.is_named(call_id, local_tag) && call.is_with(remote_tag)
        })
    }

    /// The call in this place that is the one.
    #[inline]
    pub(super) fn find_call(
        &self,
        hashed: Hashed,
        is: impl Fn(&Call) -> bool,
    ) -> Option<CallHandle> {
        let is = |call| self.calls.get(call).is_some_and(|entry| is(&entry.call));
        self.dialogs.find(hashed, is)
    }
}

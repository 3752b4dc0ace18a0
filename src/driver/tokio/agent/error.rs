//! Why something came to nothing.

use crate::call::EndReason;
use crate::error::Misuse;
use crate::message::{Outgoing, Response};
use crate::transaction::Failure;

/// Why a verb of a call, or of a user agent, came to nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It cannot be done: nothing was sent, and all is as it was.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The other side refused the re-INVITE or UPDATE. The call goes on.
    #[error("refused with {}", response.status())]
    Refused {
        /// Its 300-699.
        response: Box<Response>,
        /// Whether changes that were made already are undone: see
        /// [`Notice::UpdateRefused`](crate::call::Notice::UpdateRefused).
        changed: bool,
    },
    /// The re-INVITE or UPDATE had to wait for one of the other side, and another offer was answered
    /// meanwhile, so its session description is out of date: offer again what is still wanted. The
    /// call goes on.
    #[error("the session has changed meanwhile")]
    Outdated {
        /// What it would have carried.
        outgoing: Box<Outgoing>,
    },
    /// The request within the call got no response. The call goes on.
    #[error("no response: {0}")]
    Failed(Failure),
    /// The call is over.
    #[error("the call is over: {0}")]
    Ended(EndReason),
    /// The user agent has stopped.
    #[error("the user agent has stopped")]
    Stopped,
}

impl CallError {
    /// Why the call is over, if it is.
    pub fn end(&self) -> Option<&EndReason> {
        match self {
            Self::Ended(reason) => Some(reason),
            Self::Misuse(_)
            | Self::Refused { .. }
            | Self::Outdated { .. }
            | Self::Failed(_)
            | Self::Stopped => None,
        }
    }
}

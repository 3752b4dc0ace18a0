//! The four transaction machines of RFC 3261 §17, one file each, as corrected by RFC 6026
//! (Accepted, timers L and M) and RFC 4320.
//!
//! They mint nothing: the branch comes in the request. They keep the very bytes that they
//! retransmit. They know no table: [`key`] says which message belongs to which.
//!
//! | machine | file | figure |
//! |---|---|---|
//! | INVITE client | [`invite_client`] | RFC 6026 figure 5 |
//! | non-INVITE client | [`non_invite_client`] | RFC 3261 figure 6 |
//! | INVITE server | [`invite_server`] | RFC 6026 figure 7 |
//! | non-INVITE server | [`non_invite_server`] | RFC 3261 figure 8 |

pub mod invite_client;
pub mod invite_server;
pub mod key;

pub mod non_invite_client;
pub mod non_invite_server;
#[cfg(test)]
pub(crate) mod testing;
mod timers;

pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use non_invite_client::NonInviteClient;
pub use non_invite_server::NonInviteServer;
pub(crate) use timers::{Backoff, Running, rebase};
pub use timers::{Reliability, Timers};

/// What a transaction tells its user when it could not do its work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No final response in time: timer B or F. A client treats it as a 408 (3261 8.1.3.1).
    #[error("no final response in time")]
    Timeout,
    /// The transport could not send. A client treats it as a 503 (3261 8.1.3.1).
    #[error("it cannot be sent")]
    Transport,
    /// No ACK for a final response of 300-699: timer H.
    #[error("no ACK came")]
    NoAck,
    /// No final response within 64*T1 of the CANCEL: the INVITE counts as cancelled (3261 9.1).
    #[error("no final response after the CANCEL")]
    CancelTimeout,
    /// It was never sent: its next hop is neither a SIP nor a SIPS URI. As the four below, an
    /// endpoint says it, and no transaction.
    #[error("its next hop is neither a SIP nor a SIPS URI")]
    Unroutable,
    /// It was never sent: no server was found for its next hop (RFC 3263 4). As
    /// [`Transport`](Self::Transport).
    #[error("no server was found")]
    Unresolved,
    /// It was never sent: there is no local address of that transport and family. As
    /// [`Transport`](Self::Transport).
    #[error("no local address of that transport and family")]
    NoLocalAddress,
    /// It was never sent: a table of this endpoint is full. As [`Transport`](Self::Transport).
    #[error("a table of this endpoint is full")]
    NoRoom,
    /// It was cancelled before it was sent.
    #[error("cancelled before it was sent")]
    Withdrawn,
    /// It was not sent: the server has asked this side to wait, or to send less
    /// ([`Restraint`](crate::overload::Restraint)), and no other one is known. No transaction says
    /// this; a client treats it as a 503 (RFC 7339 5.10).
    #[error("the server has asked to wait or to send less")]
    Withheld,
}

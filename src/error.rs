//! What the caller did wrong.

/// A command that cannot be carried out. The mistake is the caller's, never the network's.
///
/// The command changed nothing and pushed nothing; timers that were due by its `now` have fired,
/// and stand (law L10 of [`Machine`](crate::machine::Machine)). A verb on something that has
/// ended but lingers is not a misuse: it is `Ok` and does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The handle is stale, or belongs to another endpoint.
    #[error("no such handle: it is stale or belongs to another endpoint")]
    UnknownHandle,
    /// The verb does not fit the state, for example answering a call that was placed.
    #[error("`{verb}` is not possible in state {state}")]
    WrongState {
        /// The verb that was tried.
        verb: &'static str,
        /// The state it met.
        state: &'static str,
    },
    /// A status code outside the range that the verb sends.
    #[error("status {status} cannot be sent here")]
    WrongStatus {
        /// The status that was asked for.
        status: u16,
    },
    /// The header belongs to the core (Via, From, To, Call-ID, CSeq, …); an application adds others.
    #[error("the header {name} is written by the core")]
    ReservedHeader {
        /// The header's canonical name.
        name: &'static str,
    },
    /// The response must have this header (RFC 3261 21.4, RFC 4028 6), and only the caller knows
    /// its value.
    #[error("the header {name} is missing")]
    MissingHeader {
        /// The header's canonical name.
        name: &'static str,
    },
    /// A header name, value, URI or method that would not be well-formed on the wire.
    #[error("malformed {what}")]
    Malformed {
        /// Which argument.
        what: &'static str,
    },
    /// What the other side has not said that it takes (RFC 3261 20.12).
    #[error("the other side does not accept this {what}")]
    NotAccepted {
        /// Which header.
        what: &'static str,
    },
    /// No local address of the transport that the target needs.
    #[error("no local address of that transport and family")]
    NoLocalAddress,
    /// A table has reached its limit.
    #[error("limit reached: {limit}")]
    LimitReached {
        /// The field of [`Limits`](crate::limits::Limits).
        limit: &'static str,
    },
    /// A live transaction already has this key.
    #[error("a live transaction already has this branch")]
    DuplicateBranch,
}

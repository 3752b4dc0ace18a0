//! Overload: how a server keeps what it can do from being drowned in what it cannot, and how a
//! client heeds a server that says so (RFC 3261 21.5.4, RFC 7339, RFC 7415; RFC 5390 says why).
//!
//! Two machines: [`Admission`] decides what of the new work that arrives is taken, and
//! [`Restraint`] what of the new work of this side may go to one server. Neither is ever asked about
//! an ACK, a CANCEL, a response or a request within a dialog: those end work, or belong to work that
//! was taken.

pub mod admission;
mod feedback;
mod refusals;
pub mod restraint;

pub use admission::{Admission, Bound, Capacity, Episode, Offer};
pub use feedback::{Algorithm, Feedback, Sequence};
pub(crate) use feedback::{asks_for_feedback, of_client, put_feedback};
pub(crate) use refusals::{Refusal, Refusals};
pub use restraint::Restraint;

use crate::message::{Request, split_commas};

/// What an endpoint makes of overload, its own and that of others.
///
/// How much is too much is said by [`Limits`](crate::limits::Limits): `request_rate`,
/// `queue_wait`, `queue_shed`, `calls` and `transactions`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// The least that the Retry-After of a 503 asks for, in seconds (3261 21.5.4). A proxy that
    /// keeps to the RFC sends nothing at all for so long, so it is short.
    pub retry_after: u32,
    /// Up to so many seconds are added, by a keyed hash of the request: those who were refused at
    /// one moment shall not all come back at one moment.
    pub retry_spread: u32,
    /// How long nothing must have been refused before the overload counts as over. It bounds how
    /// often an application is told; what arrives is taken again at once.
    pub calm: core::time::Duration,
    /// Whether requests marked as emergencies go before others, and the marks of those that
    /// arrive are believed: an SOS URN as Request-URI (RFC 5031), or Resource-Priority with a
    /// namespace for them (RFC 4412). Off by default, since whoever sends a request can mark it:
    /// it is for networks that strip such marks at their edge.
    pub emergencies: bool,
    /// Feedback between neighbours (RFC 7339); none by default, since it tells strangers how busy
    /// this side is. With it, a 503 has no Retry-After (RFC 7339 5.10.2): who understands feedback
    /// is told to send less, instead of nothing.
    pub feedback: Option<FeedbackPolicy>,
}

impl Policy {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        retry_after: 5,
        retry_spread: 5,
        calm: core::time::Duration::from_secs(1),
        emergencies: false,
        feedback: None,
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How feedback is given and taken (RFC 7339).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct FeedbackPolicy {
    /// The algorithm that this side chooses as a server where the client has it; the other one
    /// otherwise. The choice is a function of the client's list, so it stays (5.8).
    pub prefer: Algorithm,
    /// How long what was said stays in force, in milliseconds (4.3).
    pub validity: u32,
}

impl Default for FeedbackPolicy {
    fn default() -> Self {
        Self {
            prefer: Algorithm::Loss,
            // Twice as long as the load is measured: nobody falls back between two reports.
            validity: 2_000,
        }
    }
}

/// Which of two requests goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Priority {
    /// Any request.
    #[default]
    Ordinary,
    /// One for help, or of those who give it.
    Emergency,
}

/// Namespaces of Resource-Priority for emergencies (RFC 4412 12.6, RFC 7135).
const NAMESPACES: [&[u8]; 3] = [b"esnet", b"ets", b"wps"];

impl Priority {
    /// What the request says of itself: an SOS URN (RFC 5031 4), or a namespace of
    /// Resource-Priority that is for emergencies.
    pub fn of(request: &Request) -> Self {
        let uri = request.uri_bytes().unwrap_or_default();
        Self::said(uri, request.all_named("Resource-Priority"))
    }

    pub(crate) fn said<'a>(uri: &[u8], values: impl Iterator<Item = &'a [u8]>) -> Self {
        const SOS: &[u8] = b"urn:service:sos";
        let head = uri.get(..SOS.len());
        let is_sos = head.is_some_and(|head| head.eq_ignore_ascii_case(SOS));
        let is_known = |value: &[u8]| {
            let namespace = value.split(|b| *b == b'.').next().unwrap_or_default();
            let namespace = namespace.trim_ascii();
            NAMESPACES
                .iter()
                .any(|known| namespace.eq_ignore_ascii_case(known))
        };
        let mut values = values.flat_map(split_commas);
        match is_sos || values.any(is_known) {
            true => Self::Emergency,
            false => Self::Ordinary,
        }
    }
}

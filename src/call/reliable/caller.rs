//! The caller's half of RFC 3262: which provisional responses are reliable, and in which order.

use super::{OPTION_TAG, can_be_reliable};
use crate::message::{Method, RAck, Response};

/// What a caller makes of a 101-199 to its INVITE, by [`kind`].
///
/// Exhaustive on purpose: a match on it is the caller's table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// It asks for no PRACK.
    Unreliable,
    /// It asks for one: [`RseqOrder::take`] says whether it gets it.
    Reliable {
        /// Its RSeq.
        rseq: u32,
    },
    /// It asks for a PRACK and cannot have one: without an RSeq or a To tag. It is dropped.
    Broken,
}

/// Whether a provisional response to an INVITE is reliable (section 4): by its Require alone, and
/// never a 100.
pub fn kind(response: &Response) -> Kind {
    let mut required = response.require().flatten();
    let asks = required.any(|tag| tag.eq_ignore_ascii_case(OPTION_TAG));
    if !asks || !can_be_reliable(response.status()) {
        return Kind::Unreliable;
    }
    match (response.rseq(), response.to_tag()) {
        (Some(Ok(rseq)), Some(_)) => Kind::Reliable { rseq },
        (Some(Ok(_)), None) | (Some(Err(_)) | None, _) => Kind::Broken,
    }
}

/// Where a reliable response stands among those of its leg.
///
/// Exhaustive on purpose: a match on it is the caller's table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// The next one: use it, and acknowledge it.
    Next,
    /// A copy of one that was used. The client transaction of its PRACK repeats that by itself
    /// (section 4).
    Repeated,
    /// Others are missing before it, or it is from before the first: neither used nor
    /// acknowledged, until those are there. It comes again.
    OutOfOrder,
}

/// The reliable responses that a caller has seen on one leg of one INVITE (section 4).
///
/// ```
/// use drongo::call::reliable::{Order, RseqOrder};
///
/// let mut order = RseqOrder::new(1);
/// assert_eq!(order.take(776_655), Order::Next);
/// assert_eq!(order.take(776_657), Order::OutOfOrder);
/// assert_eq!(order.take(776_656), Order::Next);
/// assert_eq!(order.take(776_656), Order::Repeated);
/// assert_eq!(order.rack(776_656).to_string(), "776656 1 INVITE");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RseqOrder {
    cseq: u32,
    /// The first and the last that were in order.
    seen: Option<(u32, u32)>,
}

impl RseqOrder {
    /// For an INVITE with this CSeq number: each INVITE on each leg has numbers of its own.
    pub const fn new(cseq: u32) -> Self {
        Self { cseq, seen: None }
    }

    /// CSeq number of the INVITE.
    pub const fn cseq(&self) -> u32 {
        self.cseq
    }

    /// Takes the RSeq of a response. The first one that comes sets the start.
    pub fn take(&mut self, rseq: u32) -> Order {
        let Some((first, last)) = self.seen else {
            self.seen = Some((rseq, rseq));
            return Order::Next;
        };
        if last.checked_add(1) == Some(rseq) {
            self.seen = Some((first, rseq));
            return Order::Next;
        }
        match (first..=last).contains(&rseq) {
            true => Order::Repeated,
            false => Order::OutOfOrder,
        }
    }

    /// Whether the response comes after those that are in order.
    pub(in crate::call) fn is_ahead(&self, rseq: u32) -> bool {
        self.seen.is_some_and(|(_, last)| last < rseq)
    }

    /// Whether the response is the next one.
    pub(in crate::call) fn is_next(&self, rseq: u32) -> bool {
        let next = self.seen.and_then(|(_, last)| last.checked_add(1));
        next == Some(rseq)
    }

    /// The RAck of the PRACK for a response (7.2).
    pub const fn rack(&self, rseq: u32) -> RAck<'static> {
        RAck {
            rseq,
            cseq: self.cseq,
            method: Method::Invite,
        }
    }
}

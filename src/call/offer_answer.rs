//! Offer and answer (RFC 3264) over INVITE, PRACK and UPDATE: who may offer when, and what a body
//! in a message means.
//!
//! All state of it lives in this file: one [`OfferAnswer`] for each dialog, early ones too (a fork
//! starts with a copy of what its INVITE began). Bodies are opaque: only whether a message carries a
//! session description counts. The rules are tables: `exchange` says what a message within an
//! INVITE means, `invite_gate` and `offer_gate` what a new INVITE and a new offer in an UPDATE
//! meet.
//!
//! ```text
//!                      INVITE with an offer        INVITE without
//!                              |                        |
//!                              V                        V
//!  1xx with the answer   +----------+               +-------+
//!  (a preview)      +----| Offered  |               | Asked |------------------+
//!                   |    +----------+               +-------+                  |
//!                   V      |     |                      | reliable 1xx         | 2xx with
//!           +-----------+  |     |                      | with an offer        | an offer
//!           | Previewed |  |     |                      V                      |
//!           +-----------+  |     |                +-------------+              |
//!               |   |      |     |                | OfferedBack |              |
//!               |   |      |     |                +-------------+              |
//!               +---)------+     |                      | PRACK with           |
//!               |   | reliable   |                      | the answer           |
//!               |   | 1xx with   |                      V                      |
//!               |   V the answer |                +---------------+            |
//!               | +---------------+ PRACK         | Acknowledging |            |
//!               | | AnsweredEarly |-------------->+---------------+            |
//!               | +---------------+                     | 2xx to PRACK         |
//!               |   | PRACK with   2xx to PRACK         V                      |
//!               |   | an offer  +-----------+ with  +---------+                |
//!               |   +---------->| Reoffered |------>| Settled |                |
//!               | 2xx with      +-----------+ the   +---------+                |
//!               | the answer                  answer    | 2xx                  V
//!               |              +----------+             |               +-------------+
//!               +------------->| Accepted |<------------+               | OfferedLate |
//!                              +----------+                             +-------------+
//!                                   | ACK                       ACK with the   |
//!                                   V                           answer         |
//!                                +------+                                      |
//!                                | Free |<-------------------------------------+
//!                                +------+<---- from any: 300-699 to the INVITE
//! ```
//!
//! What is sent is held to the RFCs ([`OfferAnswer::may_send`]); what comes is taken as well as it
//! can be, by its carrier and never by the order of arrival (RFC 6337 4.1).

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::error::Misuse;
use crate::message::StatusCode;
use crate::seed::Ids;

/// A message that can carry a session description, or ends the transaction of one that did.
///
/// Exhaustive on purpose: the tables have one column for each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Message {
    /// INVITE, the first of a dialog or a later one.
    Invite,
    /// A 101-199 to INVITE that asks for no PRACK.
    Unreliable,
    /// A 101-199 to INVITE that asks for a PRACK.
    Reliable,
    /// A 2xx to INVITE.
    Success,
    /// A 300-699 to INVITE, or what counts as one.
    Failure,
    /// The ACK for a 2xx.
    Ack,
    /// PRACK.
    Prack,
    /// A 2xx to PRACK.
    PrackSuccess,
    /// A 300-699 to PRACK, or what counts as one.
    PrackFailure,
    /// UPDATE.
    Update,
    /// A 2xx to UPDATE.
    UpdateSuccess,
    /// A 300-699 to UPDATE, or what counts as one.
    UpdateFailure,
}

/// What a message means for the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing: it carries no session description, and need not.
    Nothing,
    /// Its session description is an offer.
    Offer,
    /// Its session description is the answer to the open offer.
    Answer,
    /// Its session description shows what the answer will be. It may be used, and the exchange
    /// stays open (RFC 6337 3.1.1).
    Preview,
    /// It owes an answer, or an offer, and carries none. The exchange is over without one.
    Missing,
    /// Its session description has no meaning here and is ignored; the message is not.
    Ignore,
    /// The request is refused and changes nothing. Its response is not to be told to
    /// [`OfferAnswer::on_sent`].
    Refuse(Refusal),
}

/// Why a new request with an offer, or that asks for one, cannot be taken now.
///
/// Exhaustive on purpose: the RFCs know these two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// 491: this side has begun something that is open still (3261 14.2, 3311 5.2, 6337 4.3).
    Pending,
    /// 500 with a Retry-After: the other side has, and should have waited.
    Overlap,
}

impl Refusal {
    /// The status of the response.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Pending => StatusCode::REQUEST_PENDING,
            Self::Overlap => StatusCode::SERVER_INTERNAL_ERROR,
        }
    }

    /// The seconds among which its Retry-After is drawn, if it has one (3261 14.2, 3311 5.2).
    pub const fn retry_after(self) -> Option<RangeInclusive<u32>> {
        match self {
            Self::Pending => None,
            Self::Overlap => Some(0..=10),
        }
    }
}

/// How long to wait after a 491 before the request is tried again (3261 14.1, 3311 5.3): 2.1 to
/// 4 s for who made the Call-ID of the dialog, 0 to 2 s for the other side, in units of 10 ms.
///
/// `base` and `counter` are those of [`Ids::jitter`]: a pair serves once.
pub fn glare_wait(owns_call_id: bool, ids: &Ids, base: u64, counter: u64) -> Duration {
    const UNIT: Duration = Duration::from_millis(10);
    let (least, most): (u32, u32) = if owns_call_id { (210, 400) } else { (0, 200) };
    // One more than the spread, so that the last one is drawn as often as the others.
    let spread = most.saturating_sub(least).saturating_add(1);
    let drawn = ids.jitter(base, counter, UNIT.saturating_mul(spread));
    let units = u32::try_from(drawn.as_millis() / 10).unwrap_or_default();
    UNIT.saturating_mul(least.saturating_add(units))
}

/// Where the offer and answer of an INVITE stand; what else is open in the dialog comes beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
enum Phase {
    /// No INVITE is in progress.
    #[default]
    Free,
    /// The INVITE carried an offer; the answer comes in a reliable response (13.2.1).
    Offered,
    /// And an unreliable response has shown it.
    Previewed,
    /// The INVITE carried none; the offer comes in the first reliable response (13.2.1).
    Asked,
    /// A reliable 1xx carried the offer; the answer comes in its PRACK (3262 5).
    OfferedBack,
    /// A reliable 1xx carried the answer; its PRACK may carry another offer (3262 5).
    AnsweredEarly,
    /// It did; the answer comes in the 2xx to PRACK (3262 5).
    Reoffered,
    /// The PRACK of a reliable 1xx with a session description has no answer yet (6337 4.3).
    Acknowledging,
    /// The exchange of this INVITE is done, and the INVITE has no final response.
    Settled,
    /// The 2xx is out, and its ACK carries nothing.
    Accepted,
    /// The 2xx carried the offer; the answer comes in its ACK (13.2.1).
    OfferedLate,
}

/// An UPDATE without final response.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
enum Update {
    /// There is none.
    #[default]
    None,
    /// Without an offer.
    Plain,
    /// With an offer.
    Offer,
}

/// The offer/answer state of a dialog.
///
/// Every message of INVITE, PRACK and UPDATE transactions goes through it once, retransmissions
/// excepted: [`on_sent`](Self::on_sent) as this side sends it, [`on_received`](Self::on_received)
/// as it comes. What belongs to an earlier INVITE than the one in progress is left out: a response
/// to its PRACK, a late 1xx.
///
/// A [`Message::Failure`] also closes an INVITE whose ACK will never come.
///
/// ```
/// use drongo::call::offer_answer::{Message, OfferAnswer, Refusal, Verdict};
///
/// let mut state = OfferAnswer::new();
/// state.on_sent(Message::Invite, true);
/// // Early media: an UPDATE has to wait for more than this.
/// assert_eq!(state.on_received(Message::Unreliable, true), Verdict::Preview);
/// assert!(state.may_send(Message::Update, true).is_err());
/// let crossing = state.on_received(Message::Update, true);
/// assert_eq!(crossing, Verdict::Refuse(Refusal::Pending));
///
/// assert_eq!(state.on_received(Message::Success, true), Verdict::Answer);
/// state.on_sent(Message::Ack, false);
/// assert!(state.may_send(Message::Update, true).is_ok());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OfferAnswer {
    phase: Phase,
    /// Whose INVITE, unless Free.
    ours: bool,
    /// The 2xx to the INVITE overtook the one to its PRACK.
    accepted: bool,
    /// An exchange was completed in this dialog.
    established: bool,
    /// One was completed since the INVITE in progress began.
    changed: bool,
    /// This side's UPDATE.
    sent: Update,
    /// The other side's.
    received: Update,
}

/// One cell of the table: what the message means, where it leads, and whether it may be sent so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cell {
    verdict: Verdict,
    next: Phase,
    legal: bool,
}

impl OfferAnswer {
    /// Before the first INVITE.
    pub const fn new() -> Self {
        Self {
            phase: Phase::Free,
            ours: false,
            accepted: false,
            established: false,
            changed: false,
            sent: Update::None,
            received: Update::None,
        }
    }

    /// Whether an offer of this side or the other waits for its answer.
    pub const fn is_open(&self) -> bool {
        let update = matches!(self.sent, Update::Offer) || matches!(self.received, Update::Offer);
        update || self.phase.offerer_is_inviter().is_some()
    }

    /// Whether an offer of the other side waits for the answer of this one.
    pub fn owes_answer(&self) -> bool {
        let theirs = |inviter| inviter != self.ours;
        self.received == Update::Offer || self.phase.offerer_is_inviter().is_some_and(theirs)
    }

    /// Whether the 2xx of this side to the INVITE in progress must carry a session description
    /// (3261 13.3.1.4).
    pub const fn owes_description(&self) -> bool {
        !self.ours && matches!(self.phase, Phase::Offered | Phase::Previewed | Phase::Asked)
    }

    /// Whether an exchange was completed in this dialog.
    pub const fn is_established(&self) -> bool {
        self.established
    }

    /// Whether an exchange was completed since the INVITE in progress began, within it or by an
    /// UPDATE: then a re-INVITE is accepted all the same, and who sees it refused tells the other
    /// side again what is in force (6141 3.3, 3.4).
    pub const fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether this side may send the message now, with or without a session description. It
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`].
    pub fn may_send(&self, message: Message, body: bool) -> Result<(), Misuse> {
        let legal = match message {
            Message::Invite => self.may_invite(),
            Message::Update => self.may_update(body),
            // One that answers a plain UPDATE has nothing to answer with.
            Message::UpdateSuccess => {
                self.received != Update::None && body == (self.received == Update::Offer)
            }
            Message::UpdateFailure => self.received != Update::None,
            Message::Unreliable
            | Message::Reliable
            | Message::Success
            | Message::Failure
            | Message::Ack
            | Message::Prack
            | Message::PrackSuccess
            | Message::PrackFailure => {
                message.is_inviters() == self.ours && exchange(self.phase, message, body).legal
            }
        };
        match legal {
            true => Ok(()),
            false => Err(Misuse::WrongState {
                verb: message.verb(body),
                state: self.phase.name(),
            }),
        }
    }

    /// Takes a message that this side sends. What [`may_send`](Self::may_send) would refuse is
    /// taken as one that comes is.
    pub fn on_sent(&mut self, message: Message, body: bool) -> Verdict {
        match message {
            Message::Invite => self.begin(true, body),
            Message::Update => {
                self.sent = Update::of(body);
                Verdict::of_offer(body)
            }
            Message::UpdateSuccess | Message::UpdateFailure => {
                let update = core::mem::take(&mut self.received);
                self.update_answered(update, message, body)
            }
            Message::Unreliable
            | Message::Reliable
            | Message::Success
            | Message::Failure
            | Message::Ack
            | Message::Prack
            | Message::PrackSuccess
            | Message::PrackFailure => self.advance(true, message, body),
        }
    }

    /// Takes a message of the other side.
    pub fn on_received(&mut self, message: Message, body: bool) -> Verdict {
        match message {
            Message::Invite => match self.meets_invite() {
                Some(refusal) => Verdict::Refuse(refusal),
                None => self.begin(false, body),
            },
            Message::Update => match self.meets_update(body) {
                Some(refusal) => Verdict::Refuse(refusal),
                None => {
                    self.received = Update::of(body);
                    Verdict::of_offer(body)
                }
            },
            Message::UpdateSuccess | Message::UpdateFailure => {
                let update = core::mem::take(&mut self.sent);
                self.update_answered(update, message, body)
            }
            Message::Unreliable
            | Message::Reliable
            | Message::Success
            | Message::Failure
            | Message::Ack
            | Message::Prack
            | Message::PrackSuccess
            | Message::PrackFailure => self.advance(false, message, body),
        }
    }

    fn begin(&mut self, ours: bool, body: bool) -> Verdict {
        self.phase = match body {
            true => Phase::Offered,
            false => Phase::Asked,
        };
        self.ours = ours;
        self.accepted = false;
        self.changed = false;
        Verdict::of_offer(body)
    }

    /// The table, and what comes beside it.
    fn advance(&mut self, ours: bool, message: Message, body: bool) -> Verdict {
        let is_its = message.is_inviters() == (self.ours == ours);
        if self.phase == Phase::Free || !is_its {
            // A copy, or what belongs to no INVITE.
            return Verdict::ignoring(body);
        }
        let cell = exchange(self.phase, message, body);
        self.accepted |= message == Message::Success;
        self.phase = match cell.next == Phase::Settled && self.accepted {
            // The 2xx was first: with its PRACK the INVITE is done.
            true => Phase::Free,
            false => cell.next,
        };
        self.note(cell.verdict);
        if self.phase == Phase::Free {
            // Nobody's: equal states are equal.
            self.ours = false;
            self.accepted = false;
        }
        cell.verdict
    }

    fn update_answered(&mut self, update: Update, message: Message, body: bool) -> Verdict {
        let verdict = match (update, message == Message::UpdateSuccess, body) {
            (Update::Offer, true, true) => Verdict::Answer,
            (Update::Offer, true, false) => Verdict::Missing,
            // RFC 6337 2.4: what a 488 carries is no answer.
            (Update::Offer, false, _) | (Update::None | Update::Plain, ..) => {
                Verdict::ignoring(body)
            }
        };
        self.note(verdict);
        verdict
    }

    fn note(&mut self, verdict: Verdict) {
        if verdict == Verdict::Answer {
            self.established = true;
            self.changed = self.phase != Phase::Free || self.changed;
        }
    }

    /// 3261 14.1: no INVITE while another is in progress in either direction, and none before the
    /// ACK. 6337 4.3, UAC-II and UAC-UI: none while an UPDATE is.
    fn may_invite(&self) -> bool {
        (self.phase, self.sent, self.received) == (Phase::Free, Update::None, Update::None)
    }

    /// 6337 4.3, UAC-UU: one UPDATE at a time. An offer waits for every other exchange (3311 5.1)
    /// and for what acknowledges it (6337 4.1).
    fn may_update(&self, body: bool) -> bool {
        let offer_may_go = self.received != Update::Offer
            && matches!(self.phase, Phase::Free | Phase::Settled)
            && (self.established || self.phase == Phase::Free);
        self.sent == Update::None && (!body || offer_may_go)
    }

    fn meets_invite(&self) -> Option<Refusal> {
        invite_gate(self.phase, self.ours).or(match (self.sent, self.received) {
            // 6337 4.3, UAS-UcI.
            (Update::Offer, Update::None | Update::Plain | Update::Offer) => Some(Refusal::Pending),
            // UAS-UsI.
            (Update::None | Update::Plain, Update::Offer) => Some(Refusal::Overlap),
            (Update::None | Update::Plain, Update::None | Update::Plain) => None,
        })
    }

    fn meets_update(&self, body: bool) -> Option<Refusal> {
        match (self.received, self.sent, body) {
            // 3311 5.2: "before a final response was sent to a previous UPDATE".
            (Update::Plain | Update::Offer, ..) => Some(Refusal::Overlap),
            // 3311 5.2, 6337 4.3 UAS-UcU.
            (Update::None, Update::Offer, true) => Some(Refusal::Pending),
            (Update::None, Update::None | Update::Plain | Update::Offer, false) => None,
            (Update::None, Update::None | Update::Plain, true) => {
                offer_gate(self.phase, self.ours, self.established)
            }
        }
    }
}

/// What a message of an INVITE in progress means, sent by the side whose message it is.
fn exchange(phase: Phase, message: Message, body: bool) -> Cell {
    use Message as M;
    use Phase as P;
    use Verdict as V;
    let cell = |verdict, next, legal| Cell {
        verdict,
        next,
        legal,
    };
    match (phase, message, body) {
        // 3261 13.2.1; 3262 5; 6337 2.2, patterns 1 and 3.
        (P::Offered, M::Unreliable, true) => cell(V::Preview, P::Previewed, true),
        (P::Offered | P::Previewed, M::Reliable, true) => cell(V::Answer, P::AnsweredEarly, true),
        (P::Offered | P::Previewed, M::Success, true) => cell(V::Answer, P::Accepted, true),
        (P::Offered, M::Success, false) => cell(V::Missing, P::Accepted, false),
        // Lenient: what was shown stands.
        (P::Previewed, M::Success, false) => cell(V::Nothing, P::Accepted, false),
        // 13.2.1: the first that is seen stands, copies of it mean nothing. They may be sent.
        (P::Previewed, M::Unreliable, true) => cell(V::Ignore, phase, true),
        // 6337 3.1.1: a reliable 1xx may leave the answer to a later one.
        (P::Offered | P::Previewed, M::Reliable | M::Unreliable | M::Prack, false)
        | (P::Offered | P::Previewed, M::PrackSuccess | M::PrackFailure, false) => {
            cell(V::Nothing, phase, true)
        }
        // 3261 13.2.1; 3262 5; 6337 2.2, patterns 2 and 4.
        (P::Asked, M::Reliable, true) => cell(V::Offer, P::OfferedBack, true),
        (P::Asked, M::Success, true) => cell(V::Offer, P::OfferedLate, true),
        (P::Asked, M::Unreliable, false) => cell(V::Nothing, phase, true),
        (P::Asked, M::Reliable, false) => cell(V::Missing, phase, false),
        (P::Asked, M::Success, false) => cell(V::Missing, P::Accepted, false),
        (P::Asked, M::Prack | M::PrackSuccess | M::PrackFailure, false) => {
            cell(V::Nothing, phase, true)
        }
        (P::OfferedBack, M::Prack, true) => cell(V::Answer, P::Acknowledging, true),
        (P::OfferedBack, M::Prack, false) => cell(V::Missing, P::Acknowledging, false),
        (P::OfferedLate, M::Ack, true) => cell(V::Answer, P::Free, true),
        (P::OfferedLate, M::Ack, false) => cell(V::Missing, P::Free, false),
        // 3262 5; 6337 2.2, pattern 5.
        (P::AnsweredEarly, M::Prack, true) => cell(V::Offer, P::Reoffered, true),
        (P::AnsweredEarly, M::Prack, false) => cell(V::Nothing, P::Acknowledging, true),
        (P::Reoffered, M::PrackSuccess, true) => cell(V::Answer, P::Settled, true),
        (P::Reoffered, M::PrackSuccess, false) => cell(V::Missing, P::Settled, false),
        // 6337 2.3: the PRACK is due again, without the offer. 2.4: a body here is no answer.
        (P::Reoffered, M::PrackFailure, _) => cell(V::ignoring(body), P::AnsweredEarly, true),
        (P::Acknowledging, M::PrackSuccess | M::PrackFailure, false) => {
            cell(V::Nothing, P::Settled, true)
        }
        (P::Acknowledging, M::PrackSuccess | M::PrackFailure, true) => {
            cell(V::Ignore, P::Settled, false)
        }
        // 3262 3: the 2xx waits for these PRACKs. What comes all the same leaves them open.
        (P::OfferedBack | P::AnsweredEarly | P::Reoffered | P::Acknowledging, M::Success, _) => {
            cell(V::ignoring(body), phase, false)
        }
        (P::Settled, M::Success, false) => cell(V::Nothing, P::Accepted, true),
        // 6337 3.1.1, 3.1.2: after the exchange, bodies in responses mean nothing.
        (P::Settled, M::Success, true) => cell(V::Ignore, P::Accepted, false),
        (P::Accepted, M::Ack, _) => cell(V::ignoring(body), P::Free, !body),
        // 14.1: the session is as it was before the INVITE.
        (_, M::Failure, _) => cell(V::ignoring(body), P::Free, phase.takes_failure()),
        // One provisional response may always ring; a PRACK without a body acknowledges it.
        (
            P::OfferedBack | P::AnsweredEarly | P::Reoffered | P::Acknowledging | P::Settled,
            M::Unreliable | M::Reliable,
            false,
        )
        | (P::Reoffered | P::Acknowledging | P::Settled | P::Accepted, M::Prack, false)
        | (
            P::Free | P::Settled | P::Accepted | P::OfferedLate,
            M::PrackSuccess | M::PrackFailure,
            false,
        )
        | (P::OfferedBack | P::AnsweredEarly | P::Reoffered | P::Acknowledging, M::Ack, false) => {
            cell(V::Nothing, phase, true)
        }
        // What the RFCs leave out: the body means nothing, and the phase stays.
        (_, _, _) => cell(V::ignoring(body), phase, false),
    }
}

/// What an INVITE of the other side meets while an INVITE of `ours` is in this phase: 3261 14.2;
/// 6337 4.3, UAS-IcI and UAS-IsI.
const fn invite_gate(phase: Phase, ours: bool) -> Option<Refusal> {
    match (phase, ours) {
        (Phase::Free, _) => None,
        // The ACK of such a 2xx is no part of an exchange (6337 4.3): the other side has seen it.
        (Phase::Accepted, false) => None,
        (_, true) => Some(Refusal::Pending),
        (_, false) => Some(Refusal::Overlap),
    }
}

/// What an offer in an UPDATE of the other side meets: 3311 5.2; 6337 4.3, UAS-IcU and UAS-IsU.
const fn offer_gate(phase: Phase, ours: bool, established: bool) -> Option<Refusal> {
    match (phase, ours) {
        // The ACK of such a 2xx is no part of an exchange (6337 4.3).
        (Phase::Free | Phase::Settled | Phase::Accepted, _) => None,
        // Nothing is open yet; but no first exchange is made by an UPDATE (6337 2.2).
        (Phase::Asked, true) if established => None,
        (Phase::Asked, true) => Some(Refusal::Overlap),
        // 6337 figures 5 and 12: this side's offer is on its way, or will be.
        (Phase::Asked, false) => Some(Refusal::Overlap),
        (
            Phase::Offered
            | Phase::Previewed
            | Phase::OfferedBack
            | Phase::AnsweredEarly
            | Phase::Reoffered
            | Phase::Acknowledging
            | Phase::OfferedLate,
            true,
        ) => Some(Refusal::Pending),
        (
            Phase::Offered
            | Phase::Previewed
            | Phase::OfferedBack
            | Phase::AnsweredEarly
            | Phase::Reoffered
            | Phase::Acknowledging
            | Phase::OfferedLate,
            false,
        ) => Some(Refusal::Overlap),
    }
}

impl Phase {
    /// Whether the offer that is open within the INVITE is of who sent the INVITE.
    const fn offerer_is_inviter(self) -> Option<bool> {
        match self {
            Self::Offered | Self::Previewed | Self::Reoffered => Some(true),
            Self::OfferedBack | Self::OfferedLate => Some(false),
            Self::Free
            | Self::Asked
            | Self::AnsweredEarly
            | Self::Acknowledging
            | Self::Settled
            | Self::Accepted => None,
        }
    }

    /// Whether the INVITE has no final response.
    const fn takes_failure(self) -> bool {
        !matches!(self, Self::Free | Self::Accepted | Self::OfferedLate)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Free => "Free",
            Self::Offered => "Offered",
            Self::Previewed => "Previewed",
            Self::Asked => "Asked",
            Self::OfferedBack => "OfferedBack",
            Self::AnsweredEarly => "AnsweredEarly",
            Self::Reoffered => "Reoffered",
            Self::Acknowledging => "Acknowledging",
            Self::Settled => "Settled",
            Self::Accepted => "Accepted",
            Self::OfferedLate => "OfferedLate",
        }
    }
}

impl Update {
    const fn of(body: bool) -> Self {
        match body {
            true => Self::Offer,
            false => Self::Plain,
        }
    }
}

impl Verdict {
    const fn of_offer(body: bool) -> Self {
        match body {
            true => Self::Offer,
            false => Self::Nothing,
        }
    }

    const fn ignoring(body: bool) -> Self {
        match body {
            true => Self::Ignore,
            false => Self::Nothing,
        }
    }
}

impl Message {
    /// Whether it is sent by who sent the INVITE.
    const fn is_inviters(self) -> bool {
        matches!(self, Self::Invite | Self::Ack | Self::Prack)
    }

    const fn verb(self, body: bool) -> &'static str {
        match (self, body) {
            (Self::Invite, true) => "offer in INVITE",
            (Self::Invite, false) => "INVITE",
            (Self::Unreliable, true) => "session description in 1xx",
            (Self::Unreliable, false) => "1xx",
            (Self::Reliable, true) => "session description in reliable 1xx",
            (Self::Reliable, false) => "reliable 1xx without the session description that it owes",
            (Self::Success, true) => "session description in 2xx",
            (Self::Success, false) => "2xx without the session description that it owes",
            (Self::Failure, _) => "300-699",
            (Self::Ack, true) => "session description in ACK",
            (Self::Ack, false) => "ACK without the session description that it owes",
            (Self::Prack, true) => "session description in PRACK",
            (Self::Prack, false) => "PRACK without the session description that it owes",
            (Self::PrackSuccess, true) => "session description in 2xx to PRACK",
            (Self::PrackSuccess, false) => {
                "2xx to PRACK without the session description that it owes"
            }
            (Self::PrackFailure, _) => "300-699 to PRACK",
            (Self::Update, true) => "offer in UPDATE",
            (Self::Update, false) => "UPDATE",
            (Self::UpdateSuccess, true) => "session description in 2xx to UPDATE",
            (Self::UpdateSuccess, false) => {
                "2xx to UPDATE without the session description that it owes"
            }
            (Self::UpdateFailure, _) => "300-699 to UPDATE",
        }
    }
}

#[cfg(test)]
mod tests;

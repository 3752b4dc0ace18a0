//! What one look at each row of a message says: where the essential ones are, whether a single one
//! stands there twice, and how long all are.

use super::bounds;
use super::error::ParseErrorKind;
use super::request::{CheckError, NOWHERE, Span};
use super::start_line::StartLine;
use super::{Message, Name};

/// What one look at each row says.
pub(super) struct Survey {
    /// The first row of each place.
    first: [Span; PLACES],
    /// The single headers that occur more than once.
    twice: u32,
    pub(super) sizes: bounds::Sizes,
}

/// The first rows of what every message has.
pub(super) struct Rows {
    pub(super) via: Span,
    pub(super) from: Span,
    pub(super) to: Span,
    pub(super) call_id: Span,
    pub(super) cseq: Span,
}

impl Survey {
    /// Looks from the last row to the first, so that what is noted last is the first of its name.
    #[inline]
    pub(super) fn of(message: &Message) -> Self {
        let mut first = [NOWHERE; PLACES];
        let (mut seen, mut twice) = (0_u32, 0_u32);
        let mut sizes = bounds::Sizes::default();
        for entry in message.entries().iter().rev() {
            let kind = Kind::of(entry.name);
            if let Some(first) = first.get_mut(kind.place()) {
                *first = (entry.value, entry.value_end);
            }
            twice |= seen & kind.0;
            seen |= kind.0;
            sizes.add(entry.value_end.wrapping_sub(entry.value), kind.group());
        }
        sizes.end(message.headers_end());
        Self {
            first,
            twice,
            sizes,
        }
    }

    /// Via, if there is one.
    #[inline]
    pub(super) fn first_via(&self) -> Span {
        self.first.first().copied().unwrap_or(NOWHERE)
    }

    /// The essential rows: nothing that is single occurs twice, and all of these are there.
    #[inline]
    pub(super) fn rows(&self, message: &Message) -> Result<Rows, CheckError> {
        let single = match message.start() {
            StartLine::Request { .. } => Kind::SINGLE,
            StartLine::Response { .. } => Kind::ESSENTIAL,
        };
        if self.twice & single != 0 {
            return Err(second_of(message, single));
        }
        let row = |name: Name| match self.first.get(Kind::of(name).place()) {
            Some(&span) if span != NOWHERE => Ok(span),
            Some(_) | None => Err((ParseErrorKind::Missing(name), message.bytes().len())),
        };
        Ok(Rows {
            via: row(Name::Via)?,
            from: row(Name::From)?,
            to: row(Name::To)?,
            call_id: row(Name::CallId)?,
            cseq: row(Name::CSeq)?,
        })
    }
}

/// The first row that repeats a single header.
fn second_of(message: &Message, single: u32) -> CheckError {
    let mut seen = 0_u32;
    for entry in message.entries() {
        let this = Kind::of(entry.name).0 & single;
        if seen & this != 0 {
            return (ParseErrorKind::Duplicate(entry.name), entry.start as usize);
        }
        seen |= this;
    }
    (ParseErrorKind::StartLine, 0)
}

/// One for each essential row, and others for the rest.
const PLACES: usize = 8;

/// What is to be known of a name here: a bit for each single header, the place of its first row,
/// and the group it is counted with.
#[derive(Clone, Copy)]
struct Kind(u32);

impl Kind {
    /// Three bits from here, above two for the group.
    const PLACE: u32 = 28;
    const GROUP: u32 = 26;
    const SINGLE: u32 = Self::bits(&SINGLE);
    const ESSENTIAL: u32 = Self::bits(&ESSENTIAL);

    #[inline]
    fn of(name: Name) -> Self {
        Self(KINDS.get(name as usize).copied().unwrap_or_default())
    }

    #[inline]
    const fn place(self) -> usize {
        (self.0 >> Self::PLACE & 7) as usize
    }

    /// The number of its [`Group`](bounds::Group).
    #[inline]
    const fn group(self) -> u32 {
        self.0 >> Self::GROUP & 3
    }

    /// The bits of these single headers.
    const fn bits(names: &[Name]) -> u32 {
        let mut bits = 0;
        let mut rest = names;
        while let Some((first, tail)) = rest.split_first() {
            bits |= Self::bit(*first);
            rest = tail;
        }
        bits
    }

    /// The bit of a single header; none for another.
    const fn bit(name: Name) -> u32 {
        let mut bit = 1;
        let mut rest: &[Name] = &SINGLE;
        while let Some((first, tail)) = rest.split_first() {
            if *first as u8 == name as u8 {
                return bit;
            }
            bit <<= 1;
            rest = tail;
        }
        0
    }
}

static KINDS: [u32; 128] = kinds();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn kinds() -> [u32; 128] {
    // The last place is for all that is not essential.
    let mut kinds = [7 << Kind::PLACE; 128];
    let places = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];
    let mut i = 0;
    while i < places.len() {
        kinds[places[i] as usize] = (i as u32) << Kind::PLACE;
        i += 1;
    }
    let mut i = 0;
    while i < SINGLE.len() {
        kinds[SINGLE[i] as usize] |= Kind::bit(SINGLE[i]);
        i += 1;
    }
    let mut i = 0;
    while i < kinds.len() {
        kinds[i] |= (bounds::Group::of(i) as u32) << Kind::GROUP;
        i += 1;
    }
    kinds
}

/// Headers that a request has at most once (RFC 3261 7.3.1, 20; 3515 2.1, 3891 3, 3911 4, 4538 7).
const SINGLE: [Name; 18] = [
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::MaxForwards,
    Name::ContentLength,
    Name::ContentType,
    Name::Event,
    Name::Expires,
    Name::Join,
    Name::MinSe,
    Name::RAck,
    Name::RSeq,
    Name::ReferTo,
    Name::Replaces,
    Name::SessionExpires,
    Name::SubscriptionState,
    Name::TargetDialog,
];

/// Headers that a response has at most once: the rest is the business of who reads it.
const ESSENTIAL: [Name; 5] = [
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::ContentLength,
];

//! What one look at each row of a message says: where the essential ones are, whether a single one
//! stands there twice, and how long all are.

use super::bounds;
use super::error::ParseErrorKind;
use super::request::{CheckError, NOWHERE, Span};
use super::start_line::StartLine;
use super::{Message, Name};

/// What one look at each row says.
#[derive(Default)]
pub(super) struct Survey {
    /// The first row of each place.
    first: [Span; PLACES],
    /// The single and essential headers that are there.
    seen: u32,
    /// Those of them that occur more than once.
    twice: u32,
    pub(super) sizes: bounds::Sizes,
}

impl Survey {
    /// Looks from the last row to the first, so that what is noted last is the first of its name.
    #[inline]
    pub(super) fn look_at(&mut self, message: &Message) {
        let (mut seen, mut twice, mut sizes) = (0_u32, 0_u32, bounds::Sizes::default());
        for entry in message.entries().iter().rev() {
            let kind = Kind::of(entry.name);
            if let Some(first) = self.first.get_mut(kind.place()) {
                *first = (entry.value, entry.value_end);
            }
            twice |= seen & kind.0;
            seen |= kind.0;
            sizes.add(entry.value_end.wrapping_sub(entry.value), kind.shift());
        }
        sizes.end(message.headers_end());
        (self.seen, self.twice, self.sizes) = (seen, twice, sizes);
    }

    /// The first row of an essential header; `NOWHERE` if there is none.
    #[inline(always)]
    pub(super) fn row(&self, name: Name) -> Span {
        self.first
            .get(Kind::of(name).place())
            .copied()
            .unwrap_or(NOWHERE)
    }

    /// Whether an essential header stands there twice.
    #[inline(always)]
    pub(super) fn is_twice(&self, name: Name) -> bool {
        self.twice & Kind::bit(name) != 0
    }

    /// Refuses a message in which something single occurs twice, or something essential does not.
    #[inline]
    pub(super) fn check(&self, message: &Message) -> Result<(), CheckError> {
        let single = match message.start() {
            StartLine::Request { .. } => Kind::SINGLE,
            StartLine::Response { .. } => Kind::RESPONSE_SINGLE,
        };
        if self.twice & single != 0 {
            return Err(second_of(message, single));
        }
        match self.seen & Kind::ESSENTIAL == Kind::ESSENTIAL {
            true => Ok(()),
            false => Err(self.missing(message)),
        }
    }

    /// The first essential header that is not there.
    #[cold]
    fn missing(&self, message: &Message) -> CheckError {
        let is_missing = |name: &&Name| self.seen & Kind::bit(**name) == 0;
        let name = ESSENTIAL.iter().find(is_missing);
        let name = name.copied().unwrap_or(Name::Via);
        (ParseErrorKind::Missing(name), message.bytes().len())
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

/// What is to be known of a name here: a bit if it is single or essential, how far the sum of its
/// group is shifted, and the place of its first row.
#[derive(Clone, Copy)]
struct Kind(u32);

impl Kind {
    /// Six bits from here.
    const SHIFT: u32 = 20;
    /// Three bits from here, the last ones.
    const PLACE: u32 = 29;
    const SINGLE: u32 = Self::bits(&SINGLE);
    const RESPONSE_SINGLE: u32 = Self::bits(&RESPONSE_SINGLE);
    const ESSENTIAL: u32 = Self::bits(&ESSENTIAL);

    #[inline(always)]
    fn of(name: Name) -> Self {
        Self(KINDS.get(name as usize).copied().unwrap_or_default())
    }

    #[inline(always)]
    const fn place(self) -> usize {
        (self.0 >> Self::PLACE) as usize
    }

    /// Only the lowest six bits count.
    #[inline(always)]
    const fn shift(self) -> u32 {
        self.0 >> Self::SHIFT
    }

    /// The bits of these headers.
    const fn bits(names: &[Name]) -> u32 {
        let mut bits = 0;
        let mut rest = names;
        while let Some((first, tail)) = rest.split_first() {
            bits |= Self::bit(*first);
            rest = tail;
        }
        bits
    }

    /// The bit of a single header or of Via; none for another.
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
        if name as u8 == Name::Via as u8 {
            bit
        } else {
            0
        }
    }
}

static KINDS: [u32; 128] = kinds();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn kinds() -> [u32; 128] {
    assert!(SINGLE.len() < Kind::SHIFT as usize && ESSENTIAL.len() < PLACES);
    // The last place is for all that is not essential.
    let mut kinds = [(PLACES as u32 - 1) << Kind::PLACE; 128];
    let mut i = 0;
    while i < ESSENTIAL.len() {
        kinds[ESSENTIAL[i] as usize] = (i as u32) << Kind::PLACE | Kind::bit(ESSENTIAL[i]);
        i += 1;
    }
    let mut i = 0;
    while i < SINGLE.len() {
        kinds[SINGLE[i] as usize] |= Kind::bit(SINGLE[i]);
        i += 1;
    }
    let mut i = 0;
    while i < kinds.len() {
        kinds[i] |= bounds::Group::of(i).shift() << Kind::SHIFT;
        i += 1;
    }
    kinds
}

/// What every message has, in the order in which it is missed.
const ESSENTIAL: [Name; 5] = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];

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
const RESPONSE_SINGLE: [Name; 5] = [
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::ContentLength,
];

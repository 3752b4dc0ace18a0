//! Bounds on what the values of a message hold: list items, Via hops, parameters, nesting.
//!
//! A value must be long to hold much, so that the lengths of the rows acquit nearly every message
//! and only the rest is read for it. Linear in the message.

use super::edit::bit;
use super::error::ParseErrorKind;
use super::list::split_commas;
use super::scan::Cursor;
use super::{Message, Name, ValueErrorKind};
use crate::limits::Limits;

/// Headers that are comma lists of values.
const LISTS: u128 = set(&[
    Name::Accept,
    Name::AcceptContact,
    Name::AcceptEncoding,
    Name::AcceptLanguage,
    Name::AlertInfo,
    Name::Allow,
    Name::AllowEvents,
    Name::CallInfo,
    Name::Contact,
    Name::ContentEncoding,
    Name::ContentLanguage,
    Name::Diversion,
    Name::ErrorInfo,
    Name::FeatureCaps,
    Name::Geolocation,
    Name::HistoryInfo,
    Name::Identity,
    Name::InReplyTo,
    Name::PAssertedIdentity,
    Name::PAssociatedUri,
    Name::PPreferredIdentity,
    Name::Path,
    Name::ProxyRequire,
    Name::Reason,
    Name::RecordRoute,
    Name::RecvInfo,
    Name::RejectContact,
    Name::RequestDisposition,
    Name::Require,
    Name::Route,
    Name::SecurityClient,
    Name::SecurityServer,
    Name::SecurityVerify,
    Name::ServiceRoute,
    Name::Supported,
    Name::Unsupported,
    Name::Via,
    Name::Warning,
]);

/// Whether a header is a comma list of values, so that another row only adds to it.
pub(crate) const fn is_comma_list(name: Name) -> bool {
    LISTS & bit(name) != 0
}

/// Headers with one value that has parameters.
const SINGLES: u128 = set(&[
    Name::AnswerMode,
    Name::ContentDisposition,
    Name::ContentType,
    Name::Event,
    Name::From,
    Name::InfoPackage,
    Name::Join,
    Name::MinSe,
    Name::PCalledPartyId,
    Name::PrivAnswerMode,
    Name::Privacy,
    Name::ReferEventsAt,
    Name::ReferSub,
    Name::ReferTo,
    Name::ReferredBy,
    Name::Replaces,
    Name::ReplyTo,
    Name::RetryAfter,
    Name::SessionExpires,
    Name::SubscriptionState,
    Name::TargetDialog,
    Name::To,
]);

/// Headers whose parameters stand between commas.
const AUTHENTICATION: u128 = set(&[
    Name::AuthenticationInfo,
    Name::Authorization,
    Name::ProxyAuthenticate,
    Name::ProxyAuthorization,
    Name::WwwAuthenticate,
]);

/// Headers with comments.
const COMMENTED: u128 = set(&[Name::RetryAfter, Name::Server, Name::UserAgent]);

/// How long the rows are: from that follows what they cannot hold.
#[derive(Clone, Copy, Default)]
pub(super) struct Sizes {
    /// No row is longer: all lengths in one.
    longest: u32,
    /// The sum of each group side by side, each row one longer than it is. What is not in a group
    /// is lost beyond the top.
    sums: u64,
}

/// What the rows of a header are counted with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Via,
    List,
    Commented,
    Other,
}

impl Group {
    /// How many bits the sum of a group has.
    const BITS: u32 = 21;

    /// How far its sum is shifted.
    pub(super) const fn shift(self) -> u32 {
        (self as u32).wrapping_mul(Self::BITS)
    }

    /// The group of the name with that number.
    pub(super) const fn of(name: usize) -> Self {
        let this = 1_u128 << name;
        if this == bit(Name::Via) {
            Self::Via
        } else if this & COMMENTED != 0 {
            Self::Commented
        } else if this & LISTS != 0 {
            Self::List
        } else {
            Self::Other
        }
    }
}

impl Sizes {
    /// Adds a row of the group whose sum is shifted so far.
    #[inline(always)]
    pub(super) fn add(&mut self, len: u32, shift: u32) {
        self.longest |= len;
        let sum = u64::from(len).wrapping_add(1);
        self.sums = self.sums.wrapping_add(sum.wrapping_shl(shift));
    }

    /// Says where the last row ends: of what is too large to be summed up nothing is known.
    #[inline]
    pub(super) fn end(&mut self, headers_end: usize) {
        if headers_end >> Group::BITS != 0 {
            self.sums = u64::MAX;
        }
    }

    /// The sum of a group.
    const fn sum(self, group: Group) -> usize {
        (self.sums.wrapping_shr(group.shift()) & ((1 << Group::BITS) - 1)) as usize
    }

    /// Counts a Via that has been added for the one hop that it is.
    #[inline]
    pub(super) fn is_one_hop(&mut self, (from, to): (u32, u32)) {
        // As long as the shortest one.
        let more = to.saturating_sub(from).saturating_sub(1);
        if self.sums != u64::MAX {
            self.sums = self.sums.saturating_sub(u64::from(more));
        }
    }
}

/// Whether more than one row of this header may stand in a message (3261 7.3.1).
pub(super) const fn may_repeat(name: Name) -> bool {
    bit(name) & (LISTS | AUTHENTICATION) != 0
}

/// Refuses a message whose values hold more than the limits allow. The parameters of a URI count
/// with those of its value.
#[inline]
pub(super) fn check(
    message: &Message,
    limits: &Limits,
    sizes: Sizes,
) -> Result<(), (ParseErrorKind, usize)> {
    let [vias, lists, commented] =
        [Group::Via, Group::List, Group::Commented].map(|group| sizes.sum(group));
    if most(sizes.longest as usize) > limits.params || most(commented) > limits.nesting {
        check_rows(message, limits)?;
    }
    // Lengths acquit short messages, the commas of the whole nearly all others.
    let (items, hops) = (lists.saturating_add(vias) / 2, vias / 2);
    if (items > limits.list_items || hops > limits.via_hops)
        && commas(message.header_block()).saturating_add(message.entries().len())
            > limits.list_items.min(limits.via_hops)
    {
        count_items(message, limits)?;
    }
    Ok(())
}

/// The most items, parameters or levels that fit in a value of that length: a separator and one
/// byte is the least that another takes.
#[inline]
const fn most(len: usize) -> usize {
    len.saturating_add(1) / 2
}

/// Refuses a row with too many parameters or too deep comments.
fn check_rows(message: &Message, limits: &Limits) -> Result<(), (ParseErrorKind, usize)> {
    for entry in message.entries() {
        let this = bit(entry.name);
        let value = message.value(entry);
        let most = most(value.len());
        let refused = |kind| {
            let name = entry.name;
            Err((ParseErrorKind::Value { name, kind }, entry.value as usize))
        };
        if most > limits.params && most_params(value, this) > limits.params {
            return refused(ValueErrorKind::TooManyParams);
        }
        if most > limits.nesting && this & COMMENTED != 0 && is_deeper(value, limits.nesting) {
            return refused(ValueErrorKind::TooDeep);
        }
    }
    Ok(())
}

fn commas(text: &[u8]) -> usize {
    memchr::memchr_iter(b',', text).count()
}

/// Counts the items of each list over all its rows.
fn count_items(message: &Message, limits: &Limits) -> Result<(), (ParseErrorKind, usize)> {
    let mut counts = [0_usize; u128::BITS as usize];
    for entry in message.entries() {
        if bit(entry.name) & LISTS == 0 {
            continue;
        }
        let Some(count) = counts.get_mut(entry.name as usize) else {
            continue;
        };
        let most = if entry.name == Name::Via {
            limits.via_hops
        } else {
            limits.list_items
        };
        // One too many is enough to know.
        let room = most.saturating_sub(*count).saturating_add(1);
        let values = split_commas(message.value(entry)).take(room);
        *count = count.saturating_add(values.count());
        if *count > most {
            let kind = ParseErrorKind::TooManyValues(entry.name);
            return Err((kind, entry.value as usize));
        }
    }
    Ok(())
}

/// The most parameters that one value of the row has.
fn most_params(row: &[u8], name: u128) -> usize {
    if name & LISTS != 0 {
        let values = split_commas(row).map(|value| separators(value, b';'));
        return values.max().unwrap_or_default();
    }
    if name & SINGLES != 0 {
        return separators(row, b';');
    }
    if name & AUTHENTICATION != 0 {
        return separators(row, b',').saturating_add(1);
    }
    0
}

/// How often the separator stands outside of quoted strings.
fn separators(value: &[u8], separator: u8) -> usize {
    let mut cursor = Cursor::new(value);
    let mut count = 0_usize;
    loop {
        cursor.take_while(|b| b != separator && b != b'"');
        if cursor.is_at_end() {
            return count;
        }
        if cursor.peek() == Some(b'"') {
            if cursor.quoted().is_err() {
                return count;
            }
        } else {
            cursor.take(1);
            count = count.saturating_add(1);
        }
    }
}

/// Whether parentheses are nested deeper than that, which takes as many opening ones.
fn is_deeper(value: &[u8], limit: usize) -> bool {
    memchr::memchr_iter(b'(', value).count() > limit && depth(value) > limit
}

/// The deepest nesting of parentheses, escaped ones not counted.
fn depth(value: &[u8]) -> usize {
    let (mut now, mut deepest, mut escaped) = (0_usize, 0_usize, false);
    for &b in value {
        match b {
            _ if escaped => {}
            b'(' => now = now.saturating_add(1),
            b')' => now = now.saturating_sub(1),
            _ => {}
        }
        escaped = b == b'\\' && !escaped;
        deepest = deepest.max(now);
    }
    deepest
}

pub(super) const fn set(names: &[Name]) -> u128 {
    let mut set = 0;
    let mut rest = names;
    while let Some((first, tail)) = rest.split_first() {
        set |= bit(*first);
        rest = tail;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::super::survey::Survey;
    use super::*;

    const TIGHT: Limits = Limits {
        params: 3,
        list_items: 4,
        via_hops: 2,
        nesting: 2,
        ..Limits::DEFAULT
    };

    fn kind(lines: &str, limits: &Limits) -> Option<ParseErrorKind> {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards: 70\r\n{lines}\r\n\r\n");
        let message = Message::parse(text.into()).unwrap();
        let mut survey = Survey::default();
        survey.look_at(&message);
        let error = check(&message, limits, survey.sizes).err()?;
        let row = message.headers().last().unwrap();
        assert_eq!(row.value.as_ptr(), message.bytes()[error.1..].as_ptr());
        Some(error.0)
    }

    fn value(name: Name, kind: ValueErrorKind) -> Option<ParseErrorKind> {
        Some(ParseErrorKind::Value { name, kind })
    }

    #[test]
    fn items_are_counted_over_all_rows_of_a_list() {
        let many = |name| Some(ParseErrorKind::TooManyValues(name));
        assert_eq!(kind("Allow: A, B\r\nAllow: C,,D,", &TIGHT), None);
        assert_eq!(
            kind("Allow: A, B\r\nAllow: C, D, E", &TIGHT),
            many(Name::Allow)
        );
        assert_eq!(kind("k: a, b, c\r\nAllow: A, B, C", &TIGHT), None);
        assert_eq!(kind("m: <sip:a,b,c,d@e>, \",,,\" <sip:b>", &TIGHT), None);
        assert_eq!(kind("Subject: a, b, c, d, e, f, g", &TIGHT), None);
        assert_eq!(kind("X: a, b, c, d, e, f, g", &TIGHT), None);
        assert_eq!(kind("Via: a\r\nVia: b", &TIGHT), None);
        assert_eq!(kind("Via: a\r\nVia: b,c", &TIGHT), many(Name::Via));
        let hops = |n: usize| format!("v: {}", "SIP/2.0/UDP h,".repeat(n));
        assert_eq!(kind(&hops(70), &Limits::DEFAULT), None);
        assert_eq!(kind(&hops(71), &Limits::DEFAULT), many(Name::Via));
        // A long first Via of the common form is one hop, whatever its length.
        let long = |n: usize| {
            let text = format!(
                "OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1;x={}\r\nv: {}\r\n\
                 f: <sip:a@b>\r\nt: <sip:a@b>\r\ni: 1\r\nCSeq: 1 OPTIONS\r\n\r\n",
                "y".repeat(300),
                "a,".repeat(n)
            );
            let read = crate::message::parse(text.into(), &Limits::DEFAULT);
            read.err().map(|error| error.kind)
        };
        assert_eq!(long(69), None);
        assert_eq!(long(70), many(Name::Via));
        let tags = |n: usize| format!("Supported: {}", "x,".repeat(n));
        assert_eq!(kind(&tags(256), &Limits::DEFAULT), None);
        assert_eq!(kind(&tags(257), &Limits::DEFAULT), many(Name::Supported));
    }

    #[test]
    fn parameters_are_counted_for_each_value() {
        let many = |name| value(name, ValueErrorKind::TooManyParams);
        assert_eq!(kind("m: <sip:a>;b;c;d, <sip:a;b>;c;d", &TIGHT), None);
        assert_eq!(
            kind("m: <sip:a>;b, <sip:a;b>;c;d;e", &TIGHT),
            many(Name::Contact)
        );
        assert_eq!(kind("Event: a;b=\";;;;\";c;d", &TIGHT), None);
        assert_eq!(
            kind("Event: a;b=\"\\\";\";c;d;e", &TIGHT),
            many(Name::Event)
        );
        assert_eq!(
            kind("Authorization: Digest a=b, c=\",,,\", d=e", &TIGHT),
            None
        );
        let four = "Authorization: Digest a=b, c=d, e=f, g=h";
        assert_eq!(kind(four, &TIGHT), many(Name::Authorization));
        assert_eq!(kind("Subject: a;b;c;d;e;f;g", &TIGHT), None);
    }

    #[test]
    fn comments_nest_as_deep_as_allowed() {
        let deep = |name| value(name, ValueErrorKind::TooDeep);
        assert_eq!(kind("Server: a (b (c) (d)) (e \\( (f))", &TIGHT), None);
        assert_eq!(kind("Server: a (b (c (d)))", &TIGHT), deep(Name::Server));
        assert_eq!(
            kind("Retry-After: 1 (b (c (d)))", &TIGHT),
            deep(Name::RetryAfter)
        );
        assert_eq!(kind("Subject: a (b (c (d)))", &TIGHT), None);
    }

    #[test]
    fn headers_are_counted_with_their_group() {
        for (name, group) in [
            (Name::From, Group::Other),
            (Name::Via, Group::Via),
            (Name::Contact, Group::List),
            (Name::UserAgent, Group::Commented),
            (Name::Other, Group::Other),
        ] {
            assert!(Group::of(name as usize) == group, "{name}");
        }
    }

    #[test]
    fn a_request_beyond_a_limit_is_answered() {
        let text = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:a@b>\r\n\
            From: <sip:c@d>;tag=1\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nAllow: A, B, C, D, E\r\n\r\n";
        let error = crate::message::parse(text.into(), &TIGHT).unwrap_err();
        assert_eq!(error.kind, ParseErrorKind::TooManyValues(Name::Allow));
        assert_eq!(error.status, Some(crate::message::StatusCode::BAD_REQUEST));
        assert!(error.reply.is_some());
        assert!(crate::message::parse(text.into(), &Limits::DEFAULT).is_ok());
    }
}

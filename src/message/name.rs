//! Header field names: one value for each that the crate knows, whatever its case or form.

use core::fmt;

use super::lexer::is_name;
use super::words::{self, Lanes};

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal $(| $compact:literal)?,)*) => {
        /// A header field name, with compact forms and letter case folded in (RFC 3261 7.3.1,
        /// 7.3.3).
        ///
        /// ```
        /// use drongo::message::Name;
        ///
        /// assert_eq!(Name::parse(b"v"), Name::Via);
        /// assert_eq!(Name::parse(b"cALL-iD").as_str(), "Call-ID");
        /// assert_eq!(Name::parse(b"X-Unheard-Of"), Name::Other);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Name {
            $($(#[$doc])* $variant,)*
            /// A name that the crate does not know; the message keeps its bytes.
            Other,
        }

        /// Every known name with its compact form, in the order of the variants.
        const NAMES: &[(Name, &str, Option<u8>)] =
            &[$((Name::$variant, $text, names!(@compact $($compact)?)),)*];

        impl Name {
            /// The name as this crate prints it; empty for [`Name::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other => "",
                }
            }

            /// The one-letter form (RFC 3261 7.3.3), if there is one.
            pub const fn compact(self) -> Option<u8> {
                match self {
                    $(Self::$variant => names!(@compact $($compact)?),)*
                    Self::Other => None,
                }
            }

            /// The name that a one-letter form stands for, in either case.
            const fn from_compact(letter: u8) -> Self {
                match letter.to_ascii_lowercase() {
                    $($($compact => Self::$variant,)?)*
                    _ => Self::Other,
                }
            }
        }
    };
    (@compact $compact:literal) => { Some($compact) };
    (@compact) => { None };
}

names! {
    /// `Accept` (RFC 3261).
    Accept = "Accept",
    /// `Accept-Encoding` (RFC 3261).
    AcceptEncoding = "Accept-Encoding",
    /// `Accept-Language` (RFC 3261).
    AcceptLanguage = "Accept-Language",
    /// `Alert-Info` (RFC 3261).
    AlertInfo = "Alert-Info",
    /// `Allow` (RFC 3261).
    Allow = "Allow",
    /// `Authentication-Info` (RFC 3261).
    AuthenticationInfo = "Authentication-Info",
    /// `Authorization` (RFC 3261).
    Authorization = "Authorization",
    /// `Call-ID` (RFC 3261).
    CallId = "Call-ID" | b'i',
    /// `Call-Info` (RFC 3261).
    CallInfo = "Call-Info",
    /// `Contact` (RFC 3261).
    Contact = "Contact" | b'm',
    /// `Content-Disposition` (RFC 3261).
    ContentDisposition = "Content-Disposition",
    /// `Content-Encoding` (RFC 3261).
    ContentEncoding = "Content-Encoding" | b'e',
    /// `Content-Language` (RFC 3261).
    ContentLanguage = "Content-Language",
    /// `Content-Length` (RFC 3261).
    ContentLength = "Content-Length" | b'l',
    /// `Content-Type` (RFC 3261).
    ContentType = "Content-Type" | b'c',
    /// `CSeq` (RFC 3261).
    CSeq = "CSeq",
    /// `Date` (RFC 3261).
    Date = "Date",
    /// `Error-Info` (RFC 3261).
    ErrorInfo = "Error-Info",
    /// `Expires` (RFC 3261).
    Expires = "Expires",
    /// `From` (RFC 3261).
    From = "From" | b'f',
    /// `In-Reply-To` (RFC 3261).
    InReplyTo = "In-Reply-To",
    /// `Max-Forwards` (RFC 3261).
    MaxForwards = "Max-Forwards",
    /// `MIME-Version` (RFC 3261).
    MimeVersion = "MIME-Version",
    /// `Min-Expires` (RFC 3261).
    MinExpires = "Min-Expires",
    /// `Organization` (RFC 3261).
    Organization = "Organization",
    /// `Priority` (RFC 3261).
    Priority = "Priority",
    /// `Proxy-Authenticate` (RFC 3261).
    ProxyAuthenticate = "Proxy-Authenticate",
    /// `Proxy-Authorization` (RFC 3261).
    ProxyAuthorization = "Proxy-Authorization",
    /// `Proxy-Require` (RFC 3261).
    ProxyRequire = "Proxy-Require",
    /// `Record-Route` (RFC 3261).
    RecordRoute = "Record-Route",
    /// `Reply-To` (RFC 3261).
    ReplyTo = "Reply-To",
    /// `Require` (RFC 3261).
    Require = "Require",
    /// `Retry-After` (RFC 3261).
    RetryAfter = "Retry-After",
    /// `Route` (RFC 3261).
    Route = "Route",
    /// `Server` (RFC 3261).
    Server = "Server",
    /// `Subject` (RFC 3261).
    Subject = "Subject" | b's',
    /// `Supported` (RFC 3261).
    Supported = "Supported" | b'k',
    /// `Timestamp` (RFC 3261).
    Timestamp = "Timestamp",
    /// `To` (RFC 3261).
    To = "To" | b't',
    /// `Unsupported` (RFC 3261).
    Unsupported = "Unsupported",
    /// `User-Agent` (RFC 3261).
    UserAgent = "User-Agent",
    /// `Via` (RFC 3261).
    Via = "Via" | b'v',
    /// `Warning` (RFC 3261).
    Warning = "Warning",
    /// `WWW-Authenticate` (RFC 3261).
    WwwAuthenticate = "WWW-Authenticate",
    /// `Accept-Contact` (RFC 3841).
    AcceptContact = "Accept-Contact" | b'a',
    /// `Allow-Events` (RFC 6665).
    AllowEvents = "Allow-Events" | b'u',
    /// `Answer-Mode` (RFC 5373).
    AnswerMode = "Answer-Mode",
    /// `Content-ID` (RFC 8262).
    ContentId = "Content-ID",
    /// `Diversion` (RFC 5806).
    Diversion = "Diversion",
    /// `Event` (RFC 6665).
    Event = "Event" | b'o',
    /// `Feature-Caps` (RFC 6809).
    FeatureCaps = "Feature-Caps",
    /// `Flow-Timer` (RFC 5626).
    FlowTimer = "Flow-Timer",
    /// `Geolocation` (RFC 6442).
    Geolocation = "Geolocation",
    /// `Geolocation-Error` (RFC 6442).
    GeolocationError = "Geolocation-Error",
    /// `Geolocation-Routing` (RFC 6442).
    GeolocationRouting = "Geolocation-Routing",
    /// `History-Info` (RFC 7044).
    HistoryInfo = "History-Info",
    /// `Identity` (RFC 8224).
    Identity = "Identity" | b'y',
    /// `Info-Package` (RFC 6086).
    InfoPackage = "Info-Package",
    /// `Join` (RFC 3911).
    Join = "Join",
    /// `Max-Breadth` (RFC 5393).
    MaxBreadth = "Max-Breadth",
    /// `Min-SE` (RFC 4028).
    MinSe = "Min-SE",
    /// `P-Access-Network-Info` (RFC 7315).
    PAccessNetworkInfo = "P-Access-Network-Info",
    /// `P-Asserted-Identity` (RFC 3325).
    PAssertedIdentity = "P-Asserted-Identity",
    /// `P-Associated-URI` (RFC 7315).
    PAssociatedUri = "P-Associated-URI",
    /// `P-Called-Party-ID` (RFC 7315).
    PCalledPartyId = "P-Called-Party-ID",
    /// `P-Charging-Function-Addresses` (RFC 7315).
    PChargingFunctionAddresses = "P-Charging-Function-Addresses",
    /// `P-Charging-Vector` (RFC 7315).
    PChargingVector = "P-Charging-Vector",
    /// `P-Early-Media` (RFC 5009).
    PEarlyMedia = "P-Early-Media",
    /// `P-Preferred-Identity` (RFC 3325).
    PPreferredIdentity = "P-Preferred-Identity",
    /// `P-Visited-Network-ID` (RFC 7315).
    PVisitedNetworkId = "P-Visited-Network-ID",
    /// `Path` (RFC 3327).
    Path = "Path",
    /// `Permission-Missing` (RFC 5360).
    PermissionMissing = "Permission-Missing",
    /// `Priv-Answer-Mode` (RFC 5373).
    PrivAnswerMode = "Priv-Answer-Mode",
    /// `Privacy` (RFC 3323).
    Privacy = "Privacy",
    /// `RAck` (RFC 3262).
    RAck = "RAck",
    /// `RSeq` (RFC 3262).
    RSeq = "RSeq",
    /// `Reason` (RFC 3326).
    Reason = "Reason",
    /// `Recv-Info` (RFC 6086).
    RecvInfo = "Recv-Info",
    /// `Refer-Events-At` (RFC 7614).
    ReferEventsAt = "Refer-Events-At",
    /// `Refer-Sub` (RFC 4488).
    ReferSub = "Refer-Sub",
    /// `Refer-To` (RFC 3515).
    ReferTo = "Refer-To" | b'r',
    /// `Referred-By` (RFC 3892).
    ReferredBy = "Referred-By" | b'b',
    /// `Reject-Contact` (RFC 3841).
    RejectContact = "Reject-Contact" | b'j',
    /// `Replaces` (RFC 3891).
    Replaces = "Replaces",
    /// `Request-Disposition` (RFC 3841).
    RequestDisposition = "Request-Disposition" | b'd',
    /// `Security-Client` (RFC 3329).
    SecurityClient = "Security-Client",
    /// `Security-Server` (RFC 3329).
    SecurityServer = "Security-Server",
    /// `Security-Verify` (RFC 3329).
    SecurityVerify = "Security-Verify",
    /// `Service-Route` (RFC 3608).
    ServiceRoute = "Service-Route",
    /// `Session-Expires` (RFC 4028).
    SessionExpires = "Session-Expires" | b'x',
    /// `Session-ID` (RFC 7989).
    SessionId = "Session-ID",
    /// `SIP-ETag` (RFC 3903).
    SipETag = "SIP-ETag",
    /// `SIP-If-Match` (RFC 3903).
    SipIfMatch = "SIP-If-Match",
    /// `Subscription-State` (RFC 6665).
    SubscriptionState = "Subscription-State",
    /// `Suppress-If-Match` (RFC 5839).
    SuppressIfMatch = "Suppress-If-Match",
    /// `Target-Dialog` (RFC 4538).
    TargetDialog = "Target-Dialog",
    /// `Trigger-Consent` (RFC 5360).
    TriggerConsent = "Trigger-Consent",
    /// `User-to-User` (RFC 7433).
    UserToUser = "User-to-User",
}

impl Name {
    /// The name that these bytes spell, in long or compact form and any case.
    pub fn parse(name: &[u8]) -> Self {
        if let [letter] = name {
            return Self::from_compact(*letter);
        }
        match TABLE.get(hash(name)) {
            Some((name_of, text)) if text.as_bytes().eq_ignore_ascii_case(name) => *name_of,
            Some(_) | None => Self::Other,
        }
    }

    /// The name that stands before the first colon of a line, and its length: that of the line,
    /// where no colon is, if there is none in the first 32 bytes, or no name before it. A CR may be
    /// taken for a hyphen: it ends the line, and the caller looks for that anyway.
    #[inline(always)]
    pub(crate) fn before_colon(front: Lanes, line: &[u8]) -> (Self, usize) {
        let colons = front.equal(b':');
        if colons == 0 {
            return Self::long_before_colon(line);
        }
        let len = words::place(colons);
        match known(front, len) {
            Some(name) => (name, len),
            None => Self::other(line, len),
        }
    }

    /// The same for a name of sixteen bytes and more.
    #[inline(never)]
    fn long_before_colon(line: &[u8]) -> (Self, usize) {
        let behind = line.get(words::STEP..).unwrap_or_default();
        let colons = Lanes::front(behind).equal(b':');
        if colons == 0 {
            return (Self::Other, line.len());
        }
        let len = words::STEP.wrapping_add(words::place(colons));
        let name = Self::parse(line.get(..len).unwrap_or_default());
        match name == Self::Other {
            true => Self::other(line, len),
            false => (name, len),
        }
    }

    /// A name of that length that the crate does not know, if it is one.
    #[inline(never)]
    fn other(line: &[u8], len: usize) -> (Self, usize) {
        match line.get(..len).is_some_and(is_name) {
            true => (Self::Other, len),
            false => (Self::Other, line.len()),
        }
    }
}

/// Which name it is that the line begins with, of that length. The colon behind it counts, so that
/// no NUL is taken for nothing.
#[inline(always)]
fn known(line: Lanes, len: usize) -> Option<Name> {
    // What becomes a small letter is one or was a large one; what becomes a hyphen is one or CR.
    let folded = line.with(FOLD).within(KEEP.get(len)?);
    let slot = fold_hash(u128::from_le_bytes(folded.bytes()));
    let spelling = SPELLINGS.get(slot)?;
    folded.is_all(&spelling.letters).then_some(spelling.name)
}

/// The canonical spelling, or `?` for a name the crate does not know.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Other {
            "?"
        } else {
            self.as_str()
        })
    }
}

/// A power of two, large enough for a hash without collisions.
const SLOTS: usize = 512;

/// Names by hash, each in a slot of its own; built by the compiler. An empty slot matches nothing.
static TABLE: [(Name, &str); SLOTS] = table();

/// Mixes the length and three letters; case is folded by setting bit 5. The factor was searched
/// for: with it, no two names share a slot. A new name that does stops the build, and wants
/// another factor.
const fn hash(name: &[u8]) -> usize {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return 0;
    };
    let (_, tail) = name.split_at(name.len() / 2);
    let Some(middle) = tail.first() else { return 0 };
    let mixed = u32::from_le_bytes([
        name.len() as u8,
        *first | 0x20,
        *middle | 0x20,
        *last | 0x20,
    ]);
    (mixed.wrapping_mul(0x43b7_8c5f) >> 23) as usize
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn table() -> [(Name, &'static str); SLOTS] {
    let mut table = [(Name::Other, ""); SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let slot = hash(NAMES[i].1.as_bytes());
        assert!(table[slot].1.is_empty(), "two names share a slot");
        table[slot] = (NAMES[i].0, NAMES[i].1);
        i += 1;
    }
    table
}

/// How a name that fits sixteen bytes with its colon is written.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Spelling {
    /// In small letters, with its colon.
    letters: words::Bytes,
    name: Name,
}

/// Bit 5, which makes letters small ones; a hyphen and a colon have it.
const FOLD: u8 = 0x20;

/// For each length of a name, the bytes that are its own or its colon.
static KEEP: [words::Bytes; words::STEP] = keep();

/// A power of two, large enough for a hash without collisions.
const SPELLING_SLOTS: usize = 512;

/// All names and compact forms that fit, each in the slot of its hash. Nothing is spelled as what
/// is in an empty one.
static SPELLINGS: [Spelling; SPELLING_SLOTS] = spellings();

/// Mixes small letters. The factor was searched for, as that of [`hash`].
#[inline(always)]
const fn fold_hash(letters: u128) -> usize {
    let mixed = letters as u64 ^ ((letters >> 64) as u64).rotate_left(23);
    (mixed.wrapping_mul(0xba07_ad4a_9366_440b) >> 55) as usize
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn as_word(letters: &words::Bytes) -> u128 {
    let mut word = 0;
    let mut at = 0;
    while at < words::STEP {
        word |= (letters[at].cast_unsigned() as u128) << (at * 8);
        at += 1;
    }
    word
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn keep() -> [words::Bytes; words::STEP] {
    let mut keep = [[0; words::STEP]; words::STEP];
    let mut len = 0;
    while len < words::STEP {
        let mut at = 0;
        while at <= len {
            keep[len][at] = -1;
            at += 1;
        }
        len += 1;
    }
    keep
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn spellings() -> [Spelling; SPELLING_SLOTS] {
    let mut spellings = [Spelling {
        letters: [0; words::STEP],
        name: Name::Other,
    }; SPELLING_SLOTS];
    let mut i = 0;
    while i < NAMES.len() * 2 {
        let (name, text, compact) = NAMES[i / 2];
        let letter = [match compact {
            Some(letter) => letter,
            None => 0,
        }];
        let bytes = if i % 2 == 0 { text.as_bytes() } else { &letter };
        i += 1;
        if bytes.len() >= words::STEP || bytes[0] == 0 {
            continue;
        }
        let mut letters = [0; words::STEP];
        let mut at = 0;
        while at < bytes.len() {
            assert!(bytes[at].is_ascii_alphabetic() || bytes[at] == b'-');
            letters[at] = (bytes[at] | FOLD).cast_signed();
            at += 1;
        }
        letters[at] = b':'.cast_signed();
        let slot = fold_hash(as_word(&letters));
        assert!(spellings[slot].letters[0] == 0, "two names share a slot");
        spellings[slot] = Spelling { letters, name };
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        // 3261-7.3.1-16
        for &(name, text, _) in NAMES {
            assert_eq!(Name::parse(text.as_bytes()), name, "{text}");
            assert_eq!(
                Name::parse(text.to_ascii_uppercase().as_bytes()),
                name,
                "{text}"
            );
            assert_eq!(
                Name::parse(text.to_ascii_lowercase().as_bytes()),
                name,
                "{text}"
            );
            assert_eq!(name.as_str(), text);
        }
    }

    #[test]
    fn every_compact_form_is_found_in_both_cases() {
        // 3261-7.3.3-01, 3261-7.3.3-03
        let mut seen = 0;
        for &(name, _, compact) in NAMES {
            assert_eq!(name.compact(), compact);
            if let Some(letter) = compact {
                assert_eq!(Name::parse(&[letter]), name);
                assert_eq!(Name::parse(&[letter.to_ascii_uppercase()]), name);
                seen += 1;
            }
        }
        assert_eq!(seen, 19);
    }

    /// The same question asked in the other way.
    fn before_colon(name: &[u8], behind: &[u8]) -> Option<(Name, usize)> {
        let line = [name, b":", behind].concat();
        let end = words::first_control(&line).unwrap_or(line.len());
        Some(Name::before_colon(Lanes::front(&line), &line)).filter(|(_, len)| *len < end)
    }

    #[test]
    fn a_name_is_found_in_its_line() {
        for &(name, text, compact) in NAMES {
            // No name has this as its compact form.
            let short = [compact.unwrap_or(b'z')];
            for spelled in [
                text.as_bytes(),
                text.to_ascii_uppercase().as_bytes(),
                text.to_ascii_lowercase().as_bytes(),
                &short,
            ] {
                for behind in [&b""[..], b" : x", b" a value of more than thirty-two bytes"] {
                    let known = if spelled == b"z" { Name::Other } else { name };
                    assert_eq!(before_colon(spelled, behind), Some((known, spelled.len())));
                }
                // With one bit wrong it is another name, or none.
                for at in 0..spelled.len() * 8 {
                    let mut wrong = spelled.to_vec();
                    wrong[at / 8] ^= 1 << (at % 8);
                    let parsed = Name::parse(wrong.split(|&b| b == b':').next().unwrap());
                    let found = before_colon(&wrong, b" x").map_or(Name::Other, |found| found.0);
                    assert_eq!(found, parsed, "{}", wrong.escape_ascii());
                }
            }
        }
        for line in [&b"Via"[..], b": x", &[b'a'; 99]] {
            let none = (Name::Other, line.len());
            assert_eq!(Name::before_colon(Lanes::front(line), line), none);
        }
        let long = [b'a'; 31];
        assert_eq!(before_colon(&long, b""), Some((Name::Other, 31)));
        assert_eq!(before_colon(&[&long[..], b"a"].concat(), b""), None);
    }

    #[test]
    fn near_misses_are_other() {
        for name in [
            "",
            "z",
            "Vi",
            "Viaa",
            "Call_ID",
            "Call-I\0",
            "Tp",
            "X-Unknown",
            "@ia",
        ] {
            assert_eq!(Name::parse(name.as_bytes()), Name::Other, "{name}");
        }
    }
}

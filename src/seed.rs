//! Where every random value of the core comes from.
//!
//! Nothing here has hidden state: a value is a function of the seed and of what is asked, so that
//! no value depends on what a sibling did before.

use core::fmt;
use core::hash::Hasher;
use core::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use siphasher::sip;
use siphasher::sip128::SipHasher24;

/// The magic cookie that begins every branch of an RFC 3261 element (3261 8.1.1.7).
pub const BRANCH_COOKIE: &str = "z9hG4bK";

/// Digits of identifiers: lower case only, so that two of them never differ only in case.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Two digits for each ten bits, the lower ones first.
static PAIRS: [[u8; 2]; 1024] = pairs();

/// 80 bits. RFC 3261 19.3 asks for at least 32.
const TAG_DIGITS: usize = 16;
/// 120 bits: unique over all calls of all processes, without a host name to tell them apart.
const ID_DIGITS: usize = 24;
/// 60 bits that a call's branches have in common, and as many by which they differ.
const HALF_BRANCH: usize = 12;

/// 32 bytes from which the core derives everything random: identifiers, tags, branches, jitter,
/// the keys of its tables.
///
/// The same seed must never be used in two lives of a process, nor by two endpoints that live at
/// once, unless they are [shards](crate::shard) of one. Everything here is a function of the seed and of ordinals that start again at zero, so a
/// second life would send the Call-IDs, tags and branches of the first: a peer that remembers
/// them would take a new call for a retransmission, and whoever has seen them could forge a BYE.
/// The one exception is a restored snapshot, which goes on with the ordinals where they were.
///
/// ```
/// use drongo::seed::Seed;
///
/// let entropy = [7; 32]; // From the operating system, in earnest.
/// let seed = Seed::from_bytes(entropy);
/// assert_eq!(format!("{seed:?}"), "Seed(..)");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of 32 bytes. They must be secret and come from a good source of entropy, except
    /// in a simulation.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The stream of random bytes that belongs to `ordinal` in `domain`.
    ///
    /// Each pair has a ChaCha20 stream of its own: the nonce is the ordinal, and the domain is the
    /// top byte of the block counter, so streams of 2^62 bytes never overlap.
    pub fn stream(&self, domain: Domain, ordinal: u64) -> Stream {
        let mut rng = ChaCha20Rng::from_seed(self.0);
        rng.set_stream(ordinal);
        // 16 words make a block, and the counter of blocks has 64 bits: 4 + 56.
        rng.set_word_pos(u128::from(domain as u8) << 60);
        Stream(rng)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// What a [`Stream`] is for. The numbers are part of what a seed means and never change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Domain {
    /// Keys of keyed hashes.
    Keys = 0,
    /// Faults of a simulated network.
    Simulation = 2,
    /// Keys of digest clients, by the base of the call or registration that they serve.
    Credentials = 3,
    /// Keys of the nonces of digest verifiers, by an ordinal that the caller gives.
    Nonces = 4,
    /// The choice between servers of one priority, by the base of the call that it is for.
    Targets = 5,
}

/// A stream of random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Stream(ChaCha20Rng);

impl Stream {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A token of `digits` random digits, 5 bits each; at most [`Token::CAPACITY`].
    pub fn token(&mut self, digits: usize) -> Token {
        let mut token = Token::EMPTY;
        for _ in 0..digits.div_ceil(12) {
            let left = digits.saturating_sub(usize::from(token.len));
            token.push_digits(u128::from(self.next_u64()), left.min(12));
        }
        token
    }
}

impl core::hash::Hash for Stream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.get_seed().hash(state);
        self.0.get_stream().hash(state);
        self.0.get_word_pos().hash(state);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

/// A short identifier, inline and `Copy`: a Call-ID, a tag, or a branch.
///
/// Always a `token` of RFC 3261 25.1; those that the crate makes are in lower case but for the
/// cookie of a branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Token {
    /// The most bytes that a token holds.
    pub const CAPACITY: usize = 31;

    const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
        len: 0,
    };

    /// `text` as a token. `None` if it is empty, longer than [`Token::CAPACITY`], or not a
    /// `token` (3261 25.1).
    pub fn new(text: &str) -> Option<Self> {
        Self::of_bytes(text.as_bytes())
    }

    /// As [`new`](Self::new).
    pub(crate) fn of_bytes(text: &[u8]) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::CAPACITY;
        (fits
            && text
                .iter()
                .all(|byte| TOKEN.get(usize::from(*byte)) == Some(&true)))
        .then(|| {
            let mut token = Self::EMPTY;
            token.push(text);
            token
        })
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        // It is ASCII from its constructors: the default is never taken.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The identifier as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn push(&mut self, text: &[u8]) {
        let start = usize::from(self.len);
        let end = start.saturating_add(text.len());
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(text);
            self.len = u8::try_from(end).unwrap_or(self.len);
        }
    }

    /// Writes the lowest `5 * digits` bits; 25 digits at most have bits to show.
    fn push_digits(&mut self, bits: u128, digits: usize) {
        // So many digits fit into half of the bits.
        const HALF: usize = 12;
        let places = self.bytes.get_mut(usize::from(self.len)..);
        let places = places.unwrap_or_default();
        let digits = digits.min(places.len());
        let mut rest = bits;
        for half in places
            .get_mut(..digits)
            .unwrap_or_default()
            .chunks_mut(HALF)
        {
            let mut low = rest as u64;
            let (pairs, odd) = half.as_chunks_mut();
            for pair in pairs {
                *pair = pair_of(low);
                low >>= 10;
            }
            if let ([place], [digit, _]) = (odd, pair_of(low)) {
                *place = digit;
            }
            rest >>= 5 * HALF;
        }
        self.len = self.len.saturating_add(u8::try_from(digits).unwrap_or(0));
    }
}

impl AsRef<str> for Token {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Token {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq<str> for Token {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The identifiers of one outgoing call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct CallIds {
    /// The Call-ID, 120 bits.
    pub call_id: Token,
    /// The tag of From, 80 bits.
    pub from_tag: Token,
    /// The base of the branches of this call, for [`Ids::branch`].
    pub branch_base: u64,
}

/// Makes identifiers from a [`Seed`]. Built once; every method is a pure function.
///
/// ```
/// use drongo::seed::{Ids, Seed};
///
/// let ids = Ids::new(Seed::from_bytes([7; 32]));
/// let call = ids.call(0);
/// assert_ne!(call.call_id, ids.call(1).call_id);
/// assert!(ids.branch(call.branch_base, 1).as_str().starts_with("z9hG4bK"));
/// // A retransmission gets the To tag that the first one got.
/// let tag = ids.to_tag("a84b4c76e66710", Some("1928301774"), Some("z9hG4bK776asdhds"), 1);
/// assert_eq!(
///     tag,
///     ids.to_tag("a84b4c76e66710", Some("1928301774"), Some("z9hG4bK776asdhds"), 1)
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ids {
    seed: Seed,
    hash_key: [u64; 2],
    table_key: [u64; 2],
}

impl Ids {
    /// Derives the keys.
    pub fn new(seed: Seed) -> Self {
        let mut keys = seed.stream(Domain::Keys, 0);
        let hash_key = [keys.next_u64(), keys.next_u64()];
        let table_key = [keys.next_u64(), keys.next_u64()];
        Self {
            seed,
            hash_key,
            table_key,
        }
    }

    /// The identifiers of the outgoing call with this ordinal. An ordinal serves once.
    pub fn call(&self, ordinal: u64) -> CallIds {
        let (id, tag) = (self.of_call(ordinal, 0), self.of_call(ordinal, 1));
        let mut call_id = Token::EMPTY;
        call_id.push_digits(id, ID_DIGITS);
        let mut from_tag = Token::EMPTY;
        from_tag.push_digits(tag, TAG_DIGITS);
        CallIds {
            call_id,
            from_tag,
            // What the Call-ID shows of it helps nobody: the key of the branches is secret.
            branch_base: id as u64,
        }
    }

    fn of_call(&self, ordinal: u64, part: u64) -> u128 {
        self.numbers([Label::Call as u64, ordinal, part])
    }

    /// The To tag of the response to a request, 80 bits: a keyed hash of what a retransmission
    /// repeats, so a server without state gives the same bytes again (3261 8.2.7).
    ///
    /// `branch` is that of the top Via. A copy that came another way has another branch, and
    /// gets another tag.
    pub fn to_tag(
        &self,
        call_id: &str,
        from_tag: Option<&str>,
        branch: Option<&str>,
        cseq: u32,
    ) -> Token {
        let (from_tag, branch) = (from_tag.map(str::as_bytes), branch.map(str::as_bytes));
        self.to_tag_of(call_id.as_bytes(), from_tag, branch, cseq)
    }

    /// As [`to_tag`](Self::to_tag).
    pub(crate) fn to_tag_of(
        &self,
        call_id: &[u8],
        from_tag: Option<&[u8]>,
        branch: Option<&[u8]>,
        cseq: u32,
    ) -> Token {
        let mut hash = self.hash(Label::ToTag);
        hash.text(Some(call_id));
        hash.text(from_tag);
        hash.text(branch);
        hash.number(u64::from(cseq));
        let mut token = Token::EMPTY;
        token.push_digits(hash.finish(), TAG_DIGITS);
        token
    }

    /// The branch number `counter` of a call or dialog whose base is `base`: the cookie, 60 bits of
    /// the base and 60 of a keyed hash. Unique across space and time as long as a pair serves once
    /// (3261 8.1.1.7).
    ///
    /// Who has seen one branch of a call cannot tell the next: a response needs no more than that
    /// and its CSeq to be taken (17.1.3).
    pub fn branch(&self, base: u64, counter: u64) -> Token {
        let [first, second] = self.hash_key;
        // With 64 bits of output it is another function than the one for all else.
        let hasher = sip::SipHasher24::new_with_keys(first, second);
        let numbers = [base.to_le_bytes(), counter.to_le_bytes()];
        let hash = hasher.hash(numbers.as_flattened());
        let mut token = Token::EMPTY;
        token.push(BRANCH_COOKIE.as_bytes());
        token.push_digits(u128::from(base), HALF_BRANCH);
        token.push_digits(u128::from(hash), HALF_BRANCH);
        token
    }

    /// A base for [`branch`](Self::branch) and [`jitter`](Self::jitter) from what names its
    /// owner, for example the Call-ID and both tags of a dialog that a peer opened.
    pub fn base(&self, parts: &[&[u8]]) -> u64 {
        let mut hash = self.hash(Label::Base);
        for part in parts {
            hash.bytes(part);
        }
        hash.finish() as u64
    }

    /// A delay in `0..max`, evenly spread, for the `counter`-th use of its owner. Zero if `max` is
    /// zero; of a `max` over 584 years, only those count.
    pub fn jitter(&self, base: u64, counter: u64, max: Duration) -> Duration {
        let drawn = self.numbers([Label::Jitter as u64, base, counter]) as u64;
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        let wide = u128::from(drawn).saturating_mul(u128::from(max));
        Duration::from_nanos((wide >> 64) as u64)
    }

    /// The stream from which the digest client of the call or registration with this base takes
    /// its key (see [`Client`](crate::auth::Client)). A base serves one client.
    pub fn credentials(&self, base: u64) -> Stream {
        self.seed.stream(Domain::Credentials, base)
    }

    /// The stream that decides between servers of one priority (RFC 2782) for the call or request
    /// with this base: its requests prefer the same server.
    pub fn targets(&self, base: u64) -> Stream {
        self.seed.stream(Domain::Targets, base)
    }

    /// The stream from which the digest verifier with this ordinal takes its key (see
    /// [`Verifier`](crate::auth::Verifier)). An ordinal serves once.
    pub fn nonces(&self, ordinal: u64) -> Stream {
        self.seed.stream(Domain::Nonces, ordinal)
    }

    /// The key of the [`Table`](crate::table::Table)s.
    pub fn table_key(&self) -> [u64; 2] {
        self.table_key
    }

    /// The hash of a label and so many numbers.
    fn numbers<const N: usize>(&self, numbers: [u64; N]) -> u128 {
        let [first, second] = self.hash_key;
        let bytes = numbers.map(u64::to_le_bytes);
        let hasher = SipHasher24::new_with_keys(first, second);
        u128::from(hasher.hash(bytes.as_flattened()))
    }

    fn hash(&self, label: Label) -> KeyedHash {
        let [first, second] = self.hash_key;
        let mut hash = KeyedHash {
            hasher: SipHasher24::new_with_keys(first, second),
            text: [0; 128],
            len: 0,
        };
        hash.number(label as u64);
        hash
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids(..)")
    }
}

/// The first word of what is hashed: keeps values of different use apart under one key.
#[derive(Clone, Copy)]
enum Label {
    ToTag = 1,
    Base = 3,
    Jitter = 4,
    Call = 5,
}

/// SipHash-2-4 with 128 bits over fields that say where they end.
struct KeyedHash {
    hasher: SipHasher24,
    /// What is not hashed yet: to hash many small pieces costs more than to copy them.
    text: [u8; 128],
    len: usize,
}

impl KeyedHash {
    fn number(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.put(bytes);
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.text.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
            self.len = end;
        } else {
            self.flush();
            Hasher::write(&mut self.hasher, bytes);
        }
    }

    fn flush(&mut self) {
        let text = self.text.get(..self.len).unwrap_or_default();
        Hasher::write(&mut self.hasher, text);
        self.len = 0;
    }

    /// A missing text is no text's equal, not even that of the empty one.
    fn text(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => self.bytes(text),
            None => self.number(u64::MAX),
        }
    }

    fn finish(self) -> u128 {
        // The same as to write it and to finish, in one pass.
        let text = self.text.get(..self.len).unwrap_or_default();
        u128::from(self.hasher.hash(text))
    }
}

#[inline]
fn pair_of(bits: u64) -> [u8; 2] {
    PAIRS
        .get((bits & 1023) as usize)
        .copied()
        .unwrap_or_default()
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only, where a panic is a build error"
)]
const fn pairs() -> [[u8; 2]; 1024] {
    let mut pairs = [[0; 2]; 1024];
    let mut bits = 0;
    while bits < pairs.len() {
        pairs[bits] = [DIGITS[bits & 31], DIGITS[bits >> 5]];
        bits += 1;
    }
    pairs
}

/// The bytes of a `token` of RFC 3261 25.1.
const TOKEN: [bool; 256] = token_bytes();

const fn token_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    let mut rest: &mut [bool] = &mut table;
    while let [first, others @ ..] = rest {
        *first = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            );
        byte = byte.wrapping_add(1);
        rest = others;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use siphasher::sip128::Hasher128 as _;

    fn ids(byte: u8) -> Ids {
        Ids::new(Seed::from_bytes([byte; 32]))
    }

    /// Pins the derivation: a snapshot restored under the same seed by a later version of the
    /// crate must go on with the same bytes.
    #[test]
    fn same_seed_gives_the_same_ids_for_ever() {
        let ids = ids(1);
        let call = ids.call(5);
        let text = [
            call.call_id.to_string(),
            call.from_tag.to_string(),
            ids.branch(call.branch_base, 1).to_string(),
            ids.to_tag("id", Some("tag"), Some("z9hG4bKx"), 1)
                .to_string(),
        ];
        assert_eq!(text, PINNED);
    }

    const PINNED: [&str; 4] = [
        "g5mvn4vcvfytefr7et5qnht6",
        "6jhdien4rhy5lrv7",
        "z9hG4bKg5mvn4vcvfyto3mmixymh75t",
        "s57jgshjodb32e4e",
    ];

    #[test]
    fn streams_of_digest_keys_are_apart_and_pinned() {
        let (ids, seed) = (ids(1), Seed::from_bytes([1; 32]));
        let tokens = [
            ids.credentials(0).token(16),
            ids.credentials(1).token(16),
            ids.nonces(0).token(16),
            seed.stream(Domain::Keys, 0).token(16),
            seed.stream(Domain::Simulation, 0).token(16),
        ];
        let distinct: BTreeSet<_> = tokens.iter().collect();
        assert_eq!(distinct.len(), tokens.len());
        let text = [tokens[0].as_str(), tokens[2].as_str()];
        assert_eq!(text, ["uxawqwmf565ekeed", "ds47vujlptzdbzfw"]);
    }

    #[test]
    fn value_does_not_depend_on_what_was_drawn_before() {
        let used = ids(1);
        for ordinal in 0..100 {
            used.branch(used.call(ordinal).branch_base, 0);
        }
        assert_eq!(used.call(7), ids(1).call(7));
        assert_eq!(used.branch(3, 4), ids(1).branch(3, 4));
    }

    #[test]
    fn domains_and_ordinals_have_streams_of_their_own() {
        let seed = Seed::from_bytes([2; 32]);
        let mut seen = BTreeSet::new();
        for domain in [Domain::Keys, Domain::Nonces, Domain::Simulation] {
            for ordinal in [0, 1, 2, u64::MAX] {
                let mut stream = seed.stream(domain, ordinal);
                for _ in 0..256 {
                    assert!(seen.insert(stream.next_u64()), "{domain:?} {ordinal}");
                }
            }
        }
    }

    #[test]
    fn to_tag_of_a_retransmission_is_the_same_and_of_anything_else_another() {
        let made = ids(3);
        let first = made.to_tag("call", Some("from"), Some("z9hG4bK1"), 1);
        assert_eq!(
            first,
            made.to_tag("call", Some("from"), Some("z9hG4bK1"), 1)
        );
        let others = [
            made.to_tag("cal", Some("lfrom"), Some("z9hG4bK1"), 1),
            made.to_tag("call", None, Some("z9hG4bK1"), 1),
            made.to_tag("call", Some(""), Some("z9hG4bK1"), 1),
            made.to_tag("call", Some("from"), Some("z9hG4bK2"), 1),
            made.to_tag("call", Some("from"), None, 1),
            made.to_tag("call", Some("from"), Some("z9hG4bK1"), 2),
            ids(4).to_tag("call", Some("from"), Some("z9hG4bK1"), 1),
        ];
        let distinct: BTreeSet<Token> = others.into_iter().chain([first]).collect();
        assert_eq!(distinct.len(), 8);
        // 3261-19.3: at least 32 bits.
        assert!(first.as_str().len() * 5 >= 64);
    }

    // 3261-17.1.3-04: two branches never differ only in case, and each begins with the cookie.
    #[test]
    fn branches_have_one_case_and_the_cookie() {
        let ids = ids(5);
        for counter in 0..200 {
            let branch = ids.branch(9, counter);
            let digits = branch.as_str().strip_prefix("z9hG4bK").unwrap();
            assert_eq!(digits.len(), 24);
            assert!(digits.bytes().all(|b| DIGITS.contains(&b)));
        }
    }

    #[test]
    fn ids_are_distinct() {
        let ids = ids(6);
        let mut seen = BTreeSet::new();
        for ordinal in 0..500 {
            let call = ids.call(ordinal);
            assert!(seen.insert(call.call_id));
            assert!(seen.insert(call.from_tag));
            for counter in 0..4 {
                assert!(seen.insert(ids.branch(call.branch_base, counter)));
            }
        }
    }

    /// Who has seen a branch cannot tell the next one of its call: half of the digits are drawn
    /// anew, by a key of this side.
    #[test]
    fn next_branch_of_a_call_is_not_told_by_the_last() {
        let drawn = |ids: &Ids, counter| {
            let branch = ids.branch(9, counter);
            branch.as_bytes().get(19..).unwrap().to_vec()
        };
        let alike = |one: Vec<u8>, other: Vec<u8>| {
            let pairs = one.iter().zip(&other);
            pairs.filter(|(one, other)| one == other).count()
        };
        for counter in 0..200 {
            assert_eq!(drawn(&ids(6), counter).len(), 12);
            assert!(alike(drawn(&ids(6), counter), drawn(&ids(6), counter + 1)) < 6);
            assert!(alike(drawn(&ids(6), counter), drawn(&ids(7), counter)) < 6);
        }
    }

    /// What fits no more into the buffer is hashed as if there were none.
    #[test]
    fn long_parts_hash_as_one_text() {
        let ids = ids(7);
        for len in [0, 1, 96, 111, 112, 113, 127, 128, 129, 500] {
            let part = alloc::vec![b'x'; len];
            let mut text = Vec::new();
            let number = |n: u64| n.to_le_bytes();
            text.extend_from_slice(&number(Label::Base as u64));
            for part in [&part[..], b"y"] {
                text.extend_from_slice(&number(part.len() as u64));
                text.extend_from_slice(part);
            }
            let mut whole = SipHasher24::new_with_keys(ids.hash_key[0], ids.hash_key[1]);
            Hasher::write(&mut whole, &text);
            let whole = u128::from(whole.finish128()) as u64;
            assert_eq!(ids.base(&[&part, b"y"]), whole, "{len}");
        }
    }

    #[test]
    fn base_knows_where_its_parts_end() {
        let ids = ids(7);
        assert_ne!(ids.base(&[b"ab", b"c"]), ids.base(&[b"a", b"bc"]));
        assert_ne!(ids.base(&[b"ab"]), ids.base(&[b"ab", b""]));
    }

    #[test]
    fn jitter_stays_under_its_maximum_and_fills_it() {
        let ids = ids(8);
        let max = Duration::from_secs(2);
        let all: Vec<Duration> = (0..1000).map(|n| ids.jitter(1, n, max)).collect();
        assert!(all.iter().all(|d| *d < max));
        for tenth in 0..10u32 {
            let from = max / 10 * tenth;
            assert!(all.iter().any(|d| *d >= from && *d < from + max / 10));
        }
        assert_eq!(ids.jitter(1, 1, Duration::ZERO), Duration::ZERO);
        assert!(ids.jitter(1, 1, Duration::MAX) <= Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn token_takes_tokens_only() {
        assert_eq!(Token::new("a-B.1%").unwrap().to_string(), "a-B.1%");
        for bad in [
            "",
            "a b",
            "a@b",
            "\u{e9}",
            "abcdefghijklmnopqrstuvwxyz012345",
        ] {
            assert_eq!(Token::new(bad), None, "{bad}");
        }
        assert!(Token::new("abcdefghijklmnopqrstuvwxyz01234").is_some());
        let mut stream = Seed::from_bytes([0; 32]).stream(Domain::Keys, 1);
        assert_eq!(stream.token(100).as_str().len(), Token::CAPACITY);
        assert_eq!(stream.token(13).as_str().len(), 13);
    }

    #[test]
    fn secrets_do_not_print() {
        let seed = Seed::from_bytes([0x5a; 32]);
        let text = alloc::format!(
            "{seed:?} {:?} {:?}",
            Ids::new(seed.clone()),
            seed.stream(Domain::Keys, 0)
        );
        assert_eq!(text, "Seed(..) Ids(..) Stream(..)");
    }
}

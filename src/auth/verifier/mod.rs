//! The server: makes challenges, and checks what clients answer.

mod claim;
mod nonce;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

pub use self::claim::Claim;
use self::claim::Count;
use self::nonce::{Mint, Stamp, Window};
use super::algorithm::Algorithm;
use super::digest::{self, Qop};
use super::hex::Hex;
use super::secret::{Hidden, Secret};
use super::side::Side;
use super::text::{Pairs, Realm, is_one_line};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::message::{HeaderList, Method, Request, StatusCode};
use crate::seed::Stream;
use crate::time::Time;

/// What a [`Verifier`] asks for and accepts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// Whether it is a server or a proxy: which status and which headers.
    pub side: Side,
    /// The realm, unique in the world: a host or domain name (RFC 3261 22.1).
    pub realm: Realm,
    /// The algorithms, best first; each gets a challenge of its own (RFC 8760 2.3). SHA-256, then
    /// MD5 for peers that know nothing better.
    pub algorithms: Vec<Algorithm>,
    /// The qualities of protection. Only `auth`: whoever rewrites bodies on the way, as many do
    /// for NAT, breaks `auth-int`.
    pub qops: Vec<Qop>,
    /// Hosts whose URIs may stand in credentials beside the Request-URI itself, because a proxy on
    /// the way may have changed that (RFC 8760 2.6). None.
    pub hosts: Vec<Box<str>>,
    /// For how long a nonce is good. Five minutes: whoever has seen credentials without qop could
    /// use them for so long, and a client is asked again no sooner.
    pub nonce_life: Duration,
    /// Whether credentials without qop are accepted, from clients of RFC 2543 (RFC 3261 22.4):
    /// once for each nonce, since they have no count. Yes.
    pub accepts_no_qop: bool,
    /// Whether clients are asked to hash user names (RFC 7616 3.4.4). No.
    pub userhash: bool,
    /// `opaque`, which must come back. None.
    pub opaque: Option<Box<[u8]>>,
    /// `domain` of a server's challenge: URIs with spaces between. None.
    pub domain: Option<Box<[u8]>>,
    /// Nonces whose use is remembered: [`Limits::auth_nonces`].
    pub max_nonces: usize,
}

impl Policy {
    /// The defaults for a realm.
    pub fn new(side: Side, realm: impl AsRef<[u8]>) -> Self {
        Self {
            side,
            realm: Realm::new(realm),
            algorithms: [Algorithm::Sha256, Algorithm::Md5].to_vec(),
            qops: [Qop::Auth].to_vec(),
            hosts: Vec::new(),
            nonce_life: Duration::from_secs(300),
            accepts_no_qop: true,
            userhash: false,
            opaque: None,
            domain: None,
            max_nonces: Limits::DEFAULT.auth_nonces,
        }
    }

    fn check(&self) -> Result<(), Misuse> {
        let malformed = |what| Err(Misuse::Malformed { what });
        let is_text = |text: &Option<Box<[u8]>>| text.as_deref().is_none_or(is_one_line);
        let unique = |(index, one): (usize, &Algorithm)| {
            self.algorithms.iter().position(|other| other == one) == Some(index)
        };
        if self.realm.as_bytes().is_empty() || !is_one_line(self.realm.as_bytes()) {
            return malformed("realm");
        }
        if self.algorithms.is_empty() || !self.algorithms.iter().enumerate().all(unique) {
            return malformed("list of algorithms");
        }
        if self.qops.is_empty() {
            return malformed("list of qops");
        }
        if !is_text(&self.opaque) || !is_text(&self.domain) {
            return malformed("opaque or domain");
        }
        if self.max_nonces == 0 || self.nonce_life.is_zero() {
            return malformed("life or number of nonces");
        }
        Ok(())
    }
}

/// The digest server of one realm. It keeps nothing for those whom it has only challenged.
///
/// ```
/// use drongo::auth::{Policy, Presented, Refusal, Secret, Side, Verifier};
/// use drongo::limits::Limits;
/// use drongo::message::{Incoming, StatusCode, parse};
/// use drongo::seed::{Ids, Seed};
/// use drongo::time::Time;
///
/// let ids = Ids::new(Seed::from_bytes([7; 32]));
/// let policy = Policy::new(Side::Server, "biloxi.com");
/// let mut verifier = Verifier::new(policy, &mut ids.nonces(0))?;
/// let datagram = b"REGISTER sip:biloxi.com SIP/2.0\r\n\
///     Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     From: <sip:bob@biloxi.com>;tag=1\r\nTo: <sip:bob@biloxi.com>\r\n\
///     Call-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n";
/// let Ok(Incoming::Request(register)) = parse(datagram.as_slice().into(), &Limits::DEFAULT)
/// else {
///     unreachable!("it has a request line");
/// };
/// let now = Time::ZERO;
/// let lookup = |name: &[u8]| (name == b"bob").then(|| Secret::password("zanzibar"));
/// let verdict = match verifier.read(&register) {
///     Presented::Exempt => Ok(None),
///     Presented::Claim(claim) => {
///         let secret = lookup(claim.username());
///         verifier.verify(now, &claim, secret.as_ref()).map(Some)
///     }
///     Presented::Refused(refusal) => Err(refusal),
/// };
/// assert_eq!(verdict, Err(Refusal::Missing));
/// let (status, lines) = verifier.refuse(now, Refusal::Missing);
/// assert_eq!(status, StatusCode::UNAUTHORIZED);
/// assert!(lines.as_bytes().starts_with(b"WWW-Authenticate: Digest realm=\"biloxi.com\""));
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Verifier {
    policy: Policy,
    mint: Mint,
    window: Window,
}

/// What a request presents to a verifier.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "who lets a request in must have looked at each"
)]
#[expect(
    clippy::large_enum_variant,
    reason = "a claim is looked at and dropped; a box for each would cost more"
)]
pub enum Presented {
    /// Nothing is asked of an ACK or a CANCEL: neither can be sent again (RFC 3261 22.1). They are
    /// as good as the INVITE that they belong to.
    Exempt,
    /// Somebody says who they are: look up the secret, then [`Verifier::verify`].
    Claim(Claim),
    /// Nothing that could be checked: [`Verifier::refuse`].
    Refused(Refusal),
}

/// Why credentials are not accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There are none for this realm, or none yet that say more than a name.
    #[error("no credentials for the realm")]
    Missing,
    /// An algorithm, qop or opaque that was not in the challenge.
    #[error("an algorithm, qop or opaque that was not offered")]
    NotOffered,
    /// Nobody of that name, or the digest is wrong.
    #[error("wrong credentials")]
    Wrong,
    /// The digest is right, but its nonce is too old, or from elsewhere.
    #[error("stale nonce")]
    Stale,
    /// The digest is right, but was used before.
    #[error("nonce count not above the last one")]
    Replayed,
    /// A parameter is missing, malformed, or there twice.
    #[error("malformed credentials")]
    Malformed,
    /// They are for a URI that is not served.
    #[error("credentials for another URI")]
    WrongUri,
}

/// Somebody who has proved who they are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Verified {
    claim: Claim,
    ha1: Hidden<Hex>,
    issued: Time,
}

impl Verified {
    /// What was claimed, and is true.
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }
}

impl Verifier {
    /// A verifier that takes its key from the stream: see
    /// [`Ids::nonces`](crate::seed::Ids::nonces).
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the realm is empty, an algorithm is named twice, there is no
    /// algorithm or no qop, a text cannot stand in a header, or nonces would not live.
    pub fn new(policy: Policy, stream: &mut Stream) -> Result<Self, Misuse> {
        policy.check()?;
        let mut key = [0; 32];
        stream.fill(&mut key);
        Ok(Self {
            mint: Mint::new(key),
            window: Window::new(policy.max_nonces),
            policy,
        })
    }

    /// What it asks for.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Reads what a request claims. Nothing is proved yet.
    pub fn read(&self, request: &Request) -> Presented {
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return Presented::Exempt;
        }
        match claim::find(&self.policy, request) {
            Ok(claim) => Presented::Claim(claim),
            Err(refusal) => Presented::Refused(refusal),
        }
    }

    /// [`read`](Self::read) and [`verify`](Self::verify) in one, where `secret` is at hand: by user
    /// name, for policies that ask for no hashed names. `None` for an ACK or CANCEL, of which
    /// nothing is asked.
    ///
    /// # Errors
    ///
    /// Why the request is not accepted. [`Verifier::refuse`] says what to answer.
    pub fn check(
        &mut self,
        now: Time,
        request: &Request,
        secret: impl FnOnce(&[u8]) -> Option<Secret>,
    ) -> Result<Option<Verified>, Refusal> {
        match self.read(request) {
            Presented::Exempt => Ok(None),
            Presented::Refused(refusal) => Err(refusal),
            Presented::Claim(claim) => {
                let secret = secret(claim.username());
                self.verify(now, &claim, secret.as_ref()).map(Some)
            }
        }
    }

    /// Checks a claim against the secret of its user, `None` if there is no such user: that takes
    /// as long as a wrong password.
    ///
    /// The count of the nonce is noted only if the digest is right.
    ///
    /// # Errors
    ///
    /// Why the claim is not accepted. [`Verifier::refuse`] says what to answer.
    pub fn verify(
        &mut self,
        now: Time,
        claim: &Claim,
        secret: Option<&Secret>,
    ) -> Result<Verified, Refusal> {
        let stamp = self.mint.read(&claim.nonce);
        let ha1 = self.check_digest(claim, stamp, secret)?;
        let stamp = stamp.ok_or(Refusal::Stale)?;
        let life = self.policy.nonce_life;
        if now.saturating_since(stamp.issued) > life {
            return Err(Refusal::Stale);
        }
        self.window.expire(now, life);
        // Without a count the nonce serves once.
        let nc = claim.count.as_ref().map_or(u32::MAX, |count| count.nc);
        let cnonce = claim.count.as_ref().map(|count| &*count.cnonce);
        let session = cnonce.filter(|_| claim.algorithm.is_session());
        self.window.note(stamp, nc, session)?;
        Ok(Verified {
            claim: claim.clone(),
            ha1: Hidden(ha1),
            issued: stamp.issued,
        })
    }

    /// The header lines of a challenge, one for each algorithm, best first. `stale` says that the
    /// password was right and only the nonce was not.
    pub fn challenge(&mut self, now: Time, stale: bool) -> HeaderList {
        let policy = &self.policy;
        let nonce = self.mint.make(now);
        let qops: Vec<_> = policy.qops.iter().map(|qop| qop.as_str()).collect();
        let domain = policy.domain.as_ref();
        let domain = domain.filter(|_| policy.side == Side::Server);
        let mut lines = HeaderList::new();
        for algorithm in &policy.algorithms {
            let value = Pairs::digest()
                .quoted("realm", policy.realm.as_bytes())
                .maybe(domain, |pairs, uris| pairs.quoted("domain", uris))
                .quoted("nonce", nonce.as_bytes())
                .maybe(policy.opaque.as_ref(), |pairs, opaque| {
                    pairs.quoted("opaque", opaque)
                })
                .maybe(stale.then_some("true"), |pairs, yes| {
                    pairs.token("stale", yes)
                })
                .token("algorithm", algorithm.as_str())
                .quoted("qop", qops.join(","))
                .maybe(policy.userhash.then_some("true"), |pairs, yes| {
                    pairs.token("userhash", yes)
                });
            push(&mut lines, policy.side.challenge_header(), value);
        }
        lines
    }

    /// What to answer to credentials that are not accepted: the status and its header lines.
    pub fn refuse(&mut self, now: Time, refusal: Refusal) -> (StatusCode, HeaderList) {
        let stale = match refusal {
            Refusal::Malformed => return (StatusCode::BAD_REQUEST, HeaderList::new()),
            Refusal::WrongUri => return (StatusCode::FORBIDDEN, HeaderList::new()),
            Refusal::Stale | Refusal::Replayed => true,
            Refusal::Missing | Refusal::NotOffered | Refusal::Wrong => false,
        };
        (self.policy.side.status(), self.challenge(now, stale))
    }

    /// The header line in which the server proves itself in a response with this body: `rspauth`,
    /// and a next nonce if half the life of this one is over (RFC 7616 3.5). Empty if there is
    /// nothing to say, to a client that sent no qop.
    pub fn info(&mut self, now: Time, verified: &Verified, body: &[u8]) -> HeaderList {
        let Verified { claim, ha1, issued } = verified;
        let age = now.saturating_since(*issued);
        let is_old = age > self.policy.nonce_life.checked_div(2).unwrap_or_default();
        let next = is_old.then(|| self.mint.make(now));
        let mut lines = HeaderList::new();
        if next.is_none() && claim.count.is_none() {
            return lines;
        }
        let value = Pairs::bare()
            .maybe(next, |pairs, nonce| {
                pairs.quoted("nextnonce", nonce.as_bytes())
            })
            .maybe(claim.count.as_ref(), |pairs, count| {
                let ha2 = digest::response_ha2(claim.algorithm, Some(count.qop), &claim.uri, body);
                let proof = response(claim, &ha1.0, &ha2);
                pairs
                    .token("qop", count.qop.as_str())
                    .quoted("rspauth", proof.as_bytes())
                    .quoted("cnonce", &count.cnonce)
                    .token("nc", digest::count_text(count.nc).as_str())
            });
        push(&mut lines, self.policy.side.info_header(), value);
        lines
    }

    /// H(A1) with which the digest of the claim comes out right. Of a `-sess` algorithm that has
    /// the cnonce of the first answer; from clients that take a new one each time, the new one.
    fn check_digest(
        &self,
        claim: &Claim,
        stamp: Option<Stamp>,
        secret: Option<&Secret>,
    ) -> Result<Hex, Refusal> {
        let realm = claim.realm.as_bytes();
        let known = secret
            .filter(|_| !claim.is_hashed)
            .and_then(|secret| secret.to_ha1(claim.algorithm, claim.username(), realm));
        // For nobody, the same work is done in vain.
        let plain = known
            .unwrap_or_else(|| digest::ha1(claim.algorithm, claim.username(), realm, b"nobody"));
        let session = stamp.and_then(|stamp| self.window.session(stamp));
        let own = claim.count.as_ref().map(|Count { cnonce, .. }| &**cnonce);
        let own = own.filter(|_| claim.algorithm.is_session());
        let cnonces = [session.filter(|_| own.is_some()).or(own), own];
        let found = cnonces.into_iter().find_map(|cnonce| {
            let ha1 = cnonce.map_or(plain, |cnonce| {
                digest::session_ha1(claim.algorithm, &plain, &claim.nonce, cnonce)
            });
            (response(claim, &ha1, &claim.ha2) == claim.response).then_some(ha1)
        });
        match (known, found) {
            (Some(_), Some(ha1)) => Ok(ha1),
            (Some(_) | None, _) => Err(Refusal::Wrong),
        }
    }
}

fn response(claim: &Claim, ha1: &Hex, ha2: &Hex) -> Hex {
    let count = claim.count.as_ref().map(|count| digest::Count {
        qop: count.qop,
        nc: count.nc,
        cnonce: &count.cnonce,
    });
    digest::response(claim.algorithm, ha1, &claim.nonce, count, ha2)
}

/// No text in it can break a line: those of the policy were checked, those of a claim were read
/// from one.
fn push(lines: &mut HeaderList, name: &str, value: Pairs) {
    let pushed = lines.push(name, value.into_bytes());
    debug_assert!(pushed.is_ok(), "a line that cannot be written");
}

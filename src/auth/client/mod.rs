//! The client: answers challenges, and sends credentials before it is asked.

mod offer;
mod space;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sha2::digest::Digest as _;

use self::offer::{Asked, Offer, Unusable, asked};
use self::space::{Sent, Space};
use super::digest::{Protected, Qop};
use super::hex::Hex;
use super::keyring::Keyring;
use super::secret::Hidden;
use super::side::Side;
use super::text::{Quoted, Realm};
use crate::limits::Limits;
use crate::message::{AuthInfo, HeaderList, Method, Response, StatusCode};
use crate::seed::Stream;

/// How often one realm may challenge one request: when the first credentials are asked for or
/// those sent unasked are refused, and once more if the nonce is called stale.
const CHALLENGES: u8 = 2;

/// The digest client of one call, registration or subscription: the nonces that its peers gave,
/// how often each was used, and the accounts to answer with.
///
/// There is one for each Call-ID, since the credentials for a proxy serve no other (RFC 3261
/// 22.3). It knows every realm that has challenged so far and sends all their credentials with each
/// request that follows.
///
/// ```
/// use std::sync::Arc;
///
/// use drongo::auth::{Account, Attempt, Client, Keyring, Protected, Secret};
/// use drongo::message::{Builder, Method, Response, StatusCode};
/// use drongo::seed::{Ids, Seed};
///
/// let bob = Account::new("biloxi.com", "bob", Secret::password("zanzibar"))?;
/// let keyring = Arc::new(Keyring::new().with(bob));
/// let ids = Ids::new(Seed::from_bytes([7; 32]));
/// let mut client = Client::new(keyring, &mut ids.credentials(1));
///
/// let invite = Protected { method: Method::Invite, uri: b"sip:alice@biloxi.com", body: b"" };
/// let mut attempt = Attempt::new();
/// assert!(client.authorize(&mut attempt, &invite).is_empty());
/// // The request goes out and is refused:
/// let response = Builder::response(StatusCode::UNAUTHORIZED, None)
///     .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
///     .header("From", "<sip:bob@biloxi.com>;tag=1")
///     .header("To", "<sip:alice@biloxi.com>;tag=2")
///     .header("Call-ID", "1")
///     .header("CSeq", "1 INVITE")
///     .header("WWW-Authenticate", r#"Digest realm="biloxi.com", nonce="84f1", qop="auth""#)
///     .build_message()?;
/// let response = Response::try_from(response).unwrap();
/// // It goes again, with CSeq + 1, a new branch and these lines:
/// let lines = client.retry(&mut attempt, &response, &invite).unwrap();
/// assert!(lines.as_bytes().starts_with(b"Authorization: Digest username=\"bob\", "));
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    keyring: Arc<Keyring>,
    /// From which every cnonce is made.
    key: Hidden<[u8; 32]>,
    drawn: u64,
    /// In the order in which they first challenged.
    spaces: Vec<Space>,
    max_spaces: usize,
    max_rounds: u32,
}

/// One request through all its challenges: what was sent with it, and what was refused. It lives as
/// long as the request is tried.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Attempt {
    lines: HeaderList,
    uri: Box<[u8]>,
    tried: Vec<Tried>,
    rounds: u32,
}

/// What an attempt knows of one protection space.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Tried {
    side: Side,
    realm: Realm,
    sent: Option<Sent>,
    challenges: u8,
    is_refused: bool,
}

/// Why a challenged request is not sent again.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveUp {
    /// The response is neither 401 nor 407, or has no challenge.
    #[error("the response has no challenge")]
    NoChallenge,
    /// No challenge has a scheme, algorithm and qop that this crate answers. Basic is never one.
    #[error("no challenge can be answered")]
    NotUnderstood,
    /// There is no account for the realm, or none with a secret for its algorithms. The user
    /// should see the realm (RFC 3261 22.1).
    #[error("no account for realm {realm}")]
    NoAccount {
        /// The first realm without an account.
        realm: Realm,
    },
    /// The credentials were wrong: they would be refused again.
    #[error("credentials for realm {realm} were refused")]
    Refused {
        /// The first realm that refused.
        realm: Realm,
    },
    /// Each nonce was stale as soon as it was used.
    #[error("realm {realm} calls every nonce stale")]
    AlwaysStale {
        /// The first such realm.
        realm: Realm,
    },
    /// More challenges than [`Limits::auth_rounds`], each from another realm.
    #[error("too many challenges for one request")]
    TooManyRounds,
}

/// Whether the server has proved that it knows the secret too (RFC 7616 3.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "it said nothing, the truth or a lie"
)]
pub enum ServerProof {
    /// It gave no proof. Few do.
    Absent,
    /// The proof is right.
    Proven,
    /// The proof is wrong, or for another request: do not trust this response.
    Wrong,
}

impl Attempt {
    /// An attempt that has not been sent.
    pub fn new() -> Self {
        Self::default()
    }

    /// The header lines of the last request sent: what its ACK and CANCEL repeat (RFC 3261 22.1).
    pub const fn lines(&self) -> &HeaderList {
        &self.lines
    }

    /// How often it was challenged and went on.
    pub const fn rounds(&self) -> u32 {
        self.rounds
    }

    fn tried(&mut self, side: Side, realm: &Realm) -> &mut Tried {
        let known = self.tried.iter().position(|t| t.is(side, realm));
        let index = known.unwrap_or(self.tried.len());
        if known.is_none() {
            self.tried.push(Tried {
                side,
                realm: realm.clone(),
                sent: None,
                challenges: 0,
                is_refused: false,
            });
        }
        #[expect(clippy::indexing_slicing, reason = "found there, or just put there")]
        &mut self.tried[index]
    }

    fn has_refused(&self, side: Side, realm: &Realm) -> bool {
        self.tried.iter().any(|t| t.is(side, realm) && t.is_refused)
    }
}

impl Tried {
    fn is(&self, side: Side, realm: &Realm) -> bool {
        self.side == side && self.realm == *realm
    }

    /// Whether an offer that was made to this attempt may be answered.
    fn admit(&mut self, offer: &Offer) -> Result<(), GiveUp> {
        let realm = || self.realm.clone();
        let same_nonce = self.sent.as_ref().is_some_and(|s| s.nonce == offer.nonce);
        let result = if self.is_refused || same_nonce || (self.challenges > 0 && !offer.stale) {
            Err(GiveUp::Refused { realm: realm() })
        } else if self.challenges >= CHALLENGES {
            Err(GiveUp::AlwaysStale { realm: realm() })
        } else {
            Ok(())
        };
        self.challenges = self.challenges.saturating_add(1);
        self.is_refused |= result.is_err();
        result
    }
}

impl Client {
    /// A client with these accounts, which takes its key from the stream: see
    /// [`Ids::credentials`](crate::seed::Ids::credentials).
    pub fn new(keyring: Arc<Keyring>, stream: &mut Stream) -> Self {
        let mut key = [0; 32];
        stream.fill(&mut key);
        Self {
            keyring,
            key: Hidden(key),
            drawn: 0,
            spaces: Vec::new(),
            max_spaces: Limits::DEFAULT.auth_realms,
            max_rounds: Limits::DEFAULT.auth_rounds,
        }
    }

    /// The same under other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: &Limits) -> Self {
        self.max_spaces = limits.auth_realms;
        self.max_rounds = limits.auth_rounds;
        self
    }

    /// Other accounts from now on, for example when the user has typed a password. Nonces stay.
    pub fn set_keyring(&mut self, keyring: Arc<Keyring>) {
        self.keyring = keyring;
    }

    /// Forgets what this side of the path has asked for: the next request goes to another server.
    pub fn forget(&mut self, side: Side) {
        self.spaces.retain(|space| space.side != side);
    }

    /// The header lines for a request that is about to be sent, and that was not challenged since
    /// it was last sent: the credentials for every realm that is known, or none. Each call counts
    /// as one use of the nonces, so retransmissions send the bytes that are there.
    ///
    /// ACK and CANCEL repeat the lines of the INVITE whose attempt is given (RFC 3261 22.1).
    pub fn authorize<'a>(
        &mut self,
        attempt: &'a mut Attempt,
        protected: &Protected<'_>,
    ) -> &'a HeaderList {
        if matches!(protected.method, Method::Ack | Method::Cancel) {
            return &attempt.lines;
        }
        attempt.lines = HeaderList::new();
        attempt.uri = protected.uri.into();
        for tried in &mut attempt.tried {
            tried.sent = None;
        }
        let (key, drawn) = (&self.key.0, &mut self.drawn);
        for space in &mut self.spaces {
            if attempt.has_refused(space.side, &space.realm) {
                continue;
            }
            let Some(account) = self.keyring.find(space.realm.as_bytes()) else {
                continue;
            };
            let answer = space.answer(account, protected, || draw(key, drawn));
            let Some((value, sent)) = answer else {
                continue;
            };
            let header = space.side.credentials_header();
            // Only a Request-URI with a line break would be refused, and no request has one.
            if attempt.lines.push(header, value).is_ok() {
                attempt.tried(space.side, &space.realm).sent = Some(sent);
            }
        }
        &attempt.lines
    }

    /// Takes the challenges of a 401 or 407. `Ok` if the request should go once more, with the
    /// lines of [`authorize`](Self::authorize), as soon as one challenge can be answered: the
    /// others may come from branches of a fork.
    ///
    /// # Errors
    ///
    /// Why it should not go again: the first reason that is the weightiest.
    pub fn challenged(&mut self, attempt: &mut Attempt, response: &Response) -> Result<(), GiveUp> {
        let status = response.status();
        if status != StatusCode::UNAUTHORIZED && status != StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return Err(GiveUp::NoChallenge);
        }
        let mut is_answerable = false;
        let mut reason = unanswered(response);
        for asked in asked(response, &self.keyring) {
            match self.take(attempt, asked) {
                Ok(()) => is_answerable = true,
                Err(other) if other.weight() > reason.weight() => reason = other,
                Err(_) => {}
            }
        }
        if !is_answerable {
            return Err(reason);
        }
        if attempt.rounds >= self.max_rounds {
            return Err(GiveUp::TooManyRounds);
        }
        attempt.rounds = attempt.rounds.saturating_add(1);
        Ok(())
    }

    /// [`challenged`](Self::challenged), then [`authorize`](Self::authorize): the lines with which
    /// the request goes once more, with CSeq + 1 and a new branch, under the same Call-ID and tags.
    ///
    /// # Errors
    ///
    /// As [`challenged`](Self::challenged).
    pub fn retry<'a>(
        &mut self,
        attempt: &'a mut Attempt,
        response: &Response,
        protected: &Protected<'_>,
    ) -> Result<&'a HeaderList, GiveUp> {
        self.challenged(attempt, response)?;
        Ok(self.authorize(attempt, protected))
    }

    /// Takes what a response to an authorized request says of it: checks the proof of the server
    /// and takes the next nonce, if there is one and the proof is not wrong.
    pub fn confirmed(&mut self, attempt: &Attempt, response: &Response) -> ServerProof {
        let mut proof = ServerProof::Absent;
        for side in [Side::Server, Side::Proxy] {
            for info in side.infos(response.message()) {
                let (one, tried) = check(attempt, side, &info, response.message().body_slice());
                proof = proof.max(one);
                if one == ServerProof::Wrong {
                    continue;
                }
                let next = info.next_nonce();
                let next = next.and_then(|nonce| Quoted::of(&nonce));
                if let (Some(nonce), Some(tried)) = (next, tried) {
                    self.space(tried.side, &tried.realm)
                        .into_iter()
                        .for_each(|space| space.next_nonce(nonce.clone()));
                }
            }
        }
        proof
    }

    fn take(&mut self, attempt: &mut Attempt, asked: Asked) -> Result<(), GiveUp> {
        let Asked {
            side,
            realm,
            raw_realm,
            offer,
        } = asked;
        let offer = match offer {
            Ok(offer) => offer,
            Err(Unusable::NotUnderstood) => return Err(GiveUp::NotUnderstood),
            Err(Unusable::NoAccount) => return Err(GiveUp::NoAccount { realm }),
        };
        if let Err(reason) = attempt.tried(side, &realm).admit(&offer) {
            // Other requests should not be refused for the same reason.
            self.spaces.retain(|s| s.side != side || s.realm != realm);
            return Err(reason);
        }
        if let Some(space) = self.space(side, &realm) {
            space.renew(offer);
            return Ok(());
        }
        if self.spaces.len() >= self.max_spaces && !self.spaces.is_empty() {
            self.spaces.remove(0);
        }
        self.spaces.push(Space::new(side, realm, raw_realm, offer));
        Ok(())
    }

    fn space(&mut self, side: Side, realm: &Realm) -> Option<&mut Space> {
        self.spaces
            .iter_mut()
            .find(|space| space.side == side && space.realm == *realm)
    }
}

impl GiveUp {
    /// What the user should hear first weighs most.
    const fn weight(&self) -> u8 {
        match self {
            Self::NoChallenge => 0,
            Self::NotUnderstood => 1,
            Self::TooManyRounds => 2,
            Self::NoAccount { .. } => 3,
            Self::AlwaysStale { .. } => 4,
            Self::Refused { .. } => 5,
        }
    }
}

/// The reason that holds if no challenge says more.
fn unanswered(response: &Response) -> GiveUp {
    let mut rows = [Side::Server, Side::Proxy]
        .into_iter()
        .flat_map(|side| side.challenges(response.message()));
    match rows.next() {
        Some(_) => GiveUp::NotUnderstood,
        None => GiveUp::NoChallenge,
    }
}

/// Whether what a server says of itself fits credentials of the attempt, and which.
fn check<'a>(
    attempt: &'a Attempt,
    side: Side,
    info: &AuthInfo<'_>,
    body: &[u8],
) -> (ServerProof, Option<&'a Tried>) {
    let cnonce = info.cnonce();
    let meant = |tried: &Tried| {
        let sent = tried.sent.as_ref()?;
        Some(sent.is_meant(cnonce.as_deref(), info.nc()).unwrap_or(true))
    };
    let mut fitting = attempt
        .tried
        .iter()
        .filter(|tried| tried.side == side && meant(tried) == Some(true));
    // Without cnonce, two realms cannot be told apart.
    let tried = fitting.next().filter(|_| fitting.next().is_none());
    let Some(proof) = info.response_auth() else {
        return (ServerProof::Absent, tried);
    };
    let Some((tried, sent)) = tried.and_then(|tried| Some((tried, tried.sent.as_ref()?))) else {
        return (ServerProof::Wrong, None);
    };
    let qop = info.qop();
    let qop = qop.and_then(|name| Qop::parse(&name));
    let expected = sent.response_auth(qop, &attempt.uri, body);
    match Hex::parse(&proof, sent.digits()) == Some(expected) {
        true => (ServerProof::Proven, Some(tried)),
        false => (ServerProof::Wrong, None),
    }
}

/// 128 bits that nobody can guess, a new value each time.
fn draw(key: &[u8; 32], drawn: &mut u64) -> Hex {
    *drawn = drawn.wrapping_add(1);
    let hash = sha2::Sha256::new()
        .chain_update(key)
        .chain_update(drawn.to_be_bytes())
        .finalize();
    Hex::new(hash.get(..16).unwrap_or_default())
}

//! Reading challenges: which of them can be answered, and with what.

use alloc::vec::Vec;

use super::super::algorithm::Algorithm;
use super::super::digest::Qop;
use super::super::keyring::Keyring;
use super::super::side::Side;
use super::super::text::{Quoted, Realm};
use crate::message::{AuthParams, Challenge, Response};

/// A Digest challenge in terms that this crate can answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Offer {
    pub(super) nonce: Quoted,
    pub(super) opaque: Option<Quoted>,
    pub(super) algorithm: Algorithm,
    /// Whether the challenge named the algorithm: then the answer does too.
    pub(super) is_named: bool,
    pub(super) qop: Option<Qop>,
    pub(super) userhash: bool,
    pub(super) stale: bool,
}

/// What was asked for one realm.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Asked {
    pub(super) side: Side,
    pub(super) realm: Realm,
    /// The realm as it came.
    pub(super) raw_realm: Quoted,
    pub(super) offer: Result<Offer, Unusable>,
}

/// Why no challenge of a realm can be answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Unusable {
    NotUnderstood,
    NoAccount,
}

/// The challenges of a response, one a realm: the topmost that can be answered (RFC 8760 2.4).
pub(super) fn asked(response: &Response, keyring: &Keyring) -> Vec<Asked> {
    let mut all: Vec<Asked> = Vec::new();
    for side in [Side::Server, Side::Proxy] {
        for challenge in side.challenges(response.message()).flatten() {
            let Some((realm, raw_realm)) = realm_of(&challenge) else {
                continue;
            };
            let known = all
                .iter_mut()
                .find(|asked| asked.side == side && asked.realm == realm);
            match known {
                Some(asked) if asked.offer.is_ok() => {}
                Some(asked) => {
                    let offer = usable(&challenge, &realm, keyring);
                    // An algorithm that is not known says less than a missing account.
                    if offer.is_ok() || asked.offer == Err(Unusable::NotUnderstood) {
                        asked.offer = offer;
                    }
                }
                None => all.push(Asked {
                    side,
                    offer: usable(&challenge, &realm, keyring),
                    realm,
                    raw_realm,
                }),
            }
        }
    }
    all
}

fn realm_of(challenge: &Challenge<'_>) -> Option<(Realm, Quoted)> {
    if !challenge.is_digest() {
        return None;
    }
    let raw = raw(&challenge.params(), "realm")?;
    let raw = Quoted::read(raw)?;
    Some((Realm::new(raw.plain()), raw))
}

fn usable(challenge: &Challenge<'_>, realm: &Realm, keyring: &Keyring) -> Result<Offer, Unusable> {
    let offer = read(challenge).ok_or(Unusable::NotUnderstood)?;
    let account = keyring.find(realm.as_bytes()).ok_or(Unusable::NoAccount)?;
    if account.secret().serves(offer.algorithm) {
        Ok(offer)
    } else {
        Err(Unusable::NoAccount)
    }
}

fn read(challenge: &Challenge<'_>) -> Option<Offer> {
    let params = challenge.params();
    let named = challenge.algorithm();
    let algorithm = match &named {
        Some(name) => Algorithm::parse(name)?,
        None => Algorithm::Md5,
    };
    let qop = match challenge.has_qop() {
        false => None,
        true if challenge.offers_qop("auth") => Some(Qop::Auth),
        true if challenge.offers_qop("auth-int") => Some(Qop::AuthInt),
        true => return None,
    };
    if algorithm.is_session() && qop.is_none() {
        // Its A1 needs a cnonce, and that goes only with qop (RFC 3261 22.4).
        return None;
    }
    let opaque = match raw(&params, "opaque") {
        Some(value) => Some(Quoted::read(value)?),
        None => None,
    };
    Some(Offer {
        nonce: Quoted::read(raw(&params, "nonce")?)?,
        opaque,
        algorithm,
        is_named: named.is_some(),
        qop,
        userhash: params
            .get("userhash")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"true")),
        stale: challenge.stale(),
    })
}

/// The value of a parameter as it came, quotes included.
fn raw<'a>(params: &AuthParams<'a>, name: &str) -> Option<&'a [u8]> {
    params
        .iter()
        .find(|param| param.name.eq_ignore_ascii_case(name))?
        .value
}

//! A protection space that has challenged: its nonce, and the credentials made with it.

use alloc::vec::Vec;

use super::super::algorithm::Algorithm;
use super::super::digest::{self, Count, Protected, Qop};
use super::super::hex::Hex;
use super::super::keyring::Account;
use super::super::secret::Hidden;
use super::super::side::Side;
use super::super::text::{Pairs, Quoted, Realm};
use super::offer::Offer;

/// One realm of one side, and the nonce that it gave last.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Space {
    pub(super) side: Side,
    pub(super) realm: Realm,
    raw_realm: Quoted,
    offer: Offer,
    /// How often the nonce was used.
    nc: u32,
    /// For `-sess`: the cnonce of the first answer, which is kept for all, so that servers that
    /// take the first one and servers that take the last one agree on A1.
    first_cnonce: Option<Hex>,
}

/// Credentials that were sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sent {
    pub(super) nonce: Quoted,
    algorithm: Algorithm,
    ha1: Hidden<Hex>,
    count: Option<(Qop, u32, Hex)>,
}

impl Space {
    pub(super) fn new(side: Side, realm: Realm, raw_realm: Quoted, offer: Offer) -> Self {
        Self {
            side,
            realm,
            raw_realm,
            offer,
            nc: 0,
            first_cnonce: None,
        }
    }

    /// Takes a later challenge. The count goes on if it has the nonce that is known.
    pub(super) fn renew(&mut self, offer: Offer) {
        let same = self.offer.nonce == offer.nonce && self.offer.algorithm == offer.algorithm;
        self.offer = offer;
        if !same {
            self.restart();
        }
    }

    /// Takes the next nonce. The count goes on if it is the one that is known.
    pub(super) fn next_nonce(&mut self, nonce: Quoted) {
        if self.offer.nonce != nonce {
            self.offer.nonce = nonce;
            self.restart();
        }
    }

    /// The value of the header for a request, and what to remember of it. `None` if the account
    /// has no secret for the algorithm, or the nonce is used up.
    pub(super) fn answer(
        &mut self,
        account: &Account,
        protected: &Protected<'_>,
        cnonce: impl FnOnce() -> Hex,
    ) -> Option<(Vec<u8>, Sent)> {
        let algorithm = self.offer.algorithm;
        let realm = self.realm.as_bytes();
        let plain = account
            .secret()
            .to_ha1(algorithm, account.username(), realm)?;
        let count = match self.offer.qop {
            None => None,
            Some(qop) => {
                self.nc = self.nc.checked_add(1)?;
                Some((qop, self.nc, self.first_cnonce.unwrap_or_else(cnonce)))
            }
        };
        let nonce = self.offer.nonce.plain();
        let ha1 = match count {
            Some((_, _, cnonce)) if algorithm.is_session() => {
                self.first_cnonce = Some(cnonce);
                digest::session_ha1(algorithm, &plain, &nonce, cnonce.as_bytes())
            }
            Some(_) | None => plain,
        };
        let sent = Sent {
            nonce: self.offer.nonce.clone(),
            algorithm,
            ha1: Hidden(ha1),
            count,
        };
        let ha2 = digest::ha2(algorithm, self.offer.qop, protected);
        let value = self.credentials(account, protected.uri, &sent, &sent.digest(&ha2));
        Some((value, sent))
    }

    fn credentials(&self, account: &Account, uri: &[u8], sent: &Sent, response: &Hex) -> Vec<u8> {
        let Self { offer, .. } = self;
        let pairs = Pairs::digest();
        let pairs = if offer.userhash {
            let realm = self.realm.as_bytes();
            let name = digest::user_hash(offer.algorithm, account.username(), realm);
            pairs.quoted("username", name.as_bytes())
        } else {
            pairs.quoted("username", account.username())
        };
        pairs
            .quoted_raw("realm", self.raw_realm.raw())
            .quoted_raw("nonce", offer.nonce.raw())
            .quoted("uri", uri)
            .quoted("response", response.as_bytes())
            .maybe(offer.is_named.then_some(offer.algorithm), |pairs, name| {
                pairs.token("algorithm", name.as_str())
            })
            .maybe(sent.count, |pairs, (qop, nc, cnonce)| {
                pairs
                    .quoted("cnonce", cnonce.as_bytes())
                    .token("qop", qop.as_str())
                    .token("nc", digest::count_text(nc).as_str())
            })
            .maybe(offer.opaque.as_ref(), |pairs, opaque| {
                pairs.quoted_raw("opaque", opaque.raw())
            })
            .maybe(offer.userhash.then_some("true"), |pairs, yes| {
                pairs.token("userhash", yes)
            })
            .into_bytes()
    }

    fn restart(&mut self) {
        self.nc = 0;
        self.first_cnonce = None;
    }
}

impl Sent {
    /// Whether a server speaks of these credentials. `None` if it does not say.
    pub(super) fn is_meant(&self, cnonce: Option<&[u8]>, nc: Option<u32>) -> Option<bool> {
        let cnonce = cnonce?;
        Some(
            self.count
                .is_some_and(|(_, count, own)| own.as_bytes() == cnonce && Some(count) == nc),
        )
    }

    /// The `rspauth` that proves the server.
    pub(super) fn response_auth(&self, qop: Option<Qop>, uri: &[u8], body: &[u8]) -> Hex {
        let own = self.count.map(|(own, ..)| own);
        let qop = own.map(|own| qop.unwrap_or(own));
        let ha2 = digest::response_ha2(self.algorithm, qop, uri, body);
        let count = self.count.zip(qop);
        let count = count.map(|((_, nc, cnonce), qop)| (qop, nc, cnonce));
        Self {
            count,
            ..self.clone()
        }
        .digest(&ha2)
    }

    /// How many digits `rspauth` has.
    pub(super) fn digits(&self) -> usize {
        self.algorithm.digits()
    }

    fn digest(&self, ha2: &Hex) -> Hex {
        let nonce = self.nonce.plain();
        let count = self.count.as_ref().map(|(qop, nc, cnonce)| Count {
            qop: *qop,
            nc: *nc,
            cnonce: cnonce.as_bytes(),
        });
        digest::response(self.algorithm, &self.ha1.0, &nonce, count, ha2)
    }
}

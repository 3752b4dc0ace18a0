//! What a client claims: who it is, and a digest that shall prove it.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use super::super::algorithm::Algorithm;
use super::super::digest::{self, Protected, Qop};
use super::super::hex::Hex;
use super::super::text::{Realm, is_one_line};
use super::{Policy, Refusal};
use crate::message::{Credentials, Host, Request, Uri, percent_decode};

/// The most bytes of a cnonce: that of a session is kept for as long as its nonce.
const MAX_CNONCE: usize = 256;

/// Who a client says it is. It owns what it takes to check that later, when the secret has been
/// looked up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    username: Box<[u8]>,
    pub(super) is_hashed: bool,
    pub(super) realm: Realm,
    pub(super) algorithm: Algorithm,
    pub(super) uri: Box<[u8]>,
    pub(super) nonce: Box<[u8]>,
    pub(super) count: Option<Count>,
    pub(super) response: Hex,
    /// Of the request as it came, body included.
    pub(super) ha2: Hex,
}

/// What comes with qop.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Count {
    pub(super) qop: Qop,
    pub(super) nc: u32,
    pub(super) cnonce: Box<[u8]>,
}

impl Claim {
    /// The user name, or its hash: see [`is_hashed`](Self::is_hashed).
    pub const fn username(&self) -> &[u8] {
        &self.username
    }

    /// Whether the user name is hashed (RFC 7616 3.4.4): compare it with
    /// [`digest::user_hash`](crate::auth::digest::user_hash) of each user, and say which with
    /// [`resolved`](Self::resolved).
    pub const fn is_hashed(&self) -> bool {
        self.is_hashed
    }

    /// The realm: always that of the verifier.
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The algorithm: one that the verifier offers. A stored H(A1) must be of it, or of its plain
    /// form.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The quality of protection; `None` for a client that knows none.
    pub fn qop(&self) -> Option<Qop> {
        self.count.as_ref().map(|count| count.qop)
    }

    /// The Request-URI when the client made the digest.
    pub const fn uri(&self) -> &[u8] {
        &self.uri
    }

    /// The same claim with the user name in place of its hash. `None` if it is not the hash of that
    /// name, or the name is not hashed and another.
    pub fn resolved(self, username: &[u8]) -> Option<Self> {
        if !self.is_hashed {
            return (*self.username == *username).then_some(self);
        }
        let hash = digest::user_hash(self.algorithm, username, self.realm.as_bytes());
        let fits = self.username.eq_ignore_ascii_case(hash.as_bytes());
        fits.then(|| Self {
            username: username.into(),
            is_hashed: false,
            ..self
        })
    }
}

/// The claim of a request to this verifier. Of several, the first that can be checked counts.
pub(super) fn find(policy: &Policy, request: &Request) -> Result<Claim, Refusal> {
    let mut reason = None;
    for row in policy.side.credentials(request.message()) {
        let claim = match row {
            Ok(row) if !row.is_digest() => continue,
            Ok(row) => read(policy, &row, request),
            Err(_) => Some(Err(Refusal::Malformed)),
        };
        match claim {
            Some(Ok(claim)) => return Ok(claim),
            Some(Err(why)) => reason = reason.or(Some(why)),
            None => {}
        }
    }
    Err(reason.unwrap_or(Refusal::Missing))
}

/// `None` if the credentials are for somebody else.
fn read(
    policy: &Policy,
    row: &Credentials<'_>,
    request: &Request,
) -> Option<Result<Claim, Refusal>> {
    match row.realm() {
        Some(realm) if *realm != *policy.realm.as_bytes() => None,
        Some(_) => Some(read_own(policy, row, request)),
        None => Some(Err(Refusal::Malformed)),
    }
}

fn read_own(policy: &Policy, row: &Credentials<'_>, request: &Request) -> Result<Claim, Refusal> {
    let response = row.response().ok_or(Refusal::Malformed)?;
    if response.is_empty() {
        // The name only, before there was a challenge (RFC 8760 2.7).
        return Err(Refusal::Missing);
    }
    let algorithm = match row.algorithm() {
        Some(name) => Algorithm::parse(&name),
        None => Some(Algorithm::Md5),
    };
    let algorithm = algorithm.filter(|algorithm| policy.algorithms.contains(algorithm));
    let algorithm = algorithm.ok_or(Refusal::NotOffered)?;
    let count = count(policy, row)?;
    if algorithm.is_session() && count.is_none() {
        return Err(Refusal::Malformed);
    }
    if let Some(opaque) = &policy.opaque
        && row.opaque().as_deref() != Some(opaque)
    {
        return Err(Refusal::NotOffered);
    }
    let (username, is_hashed) = username(row)?;
    let uri = row.uri().ok_or(Refusal::Malformed)?;
    check_uri(policy, &uri, request)?;
    let protected = Protected {
        uri: &uri,
        ..Protected::of(request)
    };
    let qop = count.as_ref().map(|count| count.qop);
    Ok(Claim {
        username: (*username).into(),
        is_hashed,
        realm: policy.realm.clone(),
        algorithm,
        nonce: (*row.nonce().ok_or(Refusal::Malformed)?).into(),
        response: Hex::parse(&response, algorithm.digits()).ok_or(Refusal::Malformed)?,
        ha2: digest::ha2(algorithm, qop, &protected),
        uri: (*uri).into(),
        count,
    })
}

fn count(policy: &Policy, row: &Credentials<'_>) -> Result<Option<Count>, Refusal> {
    let Some(qop) = row.qop() else {
        return if policy.accepts_no_qop {
            Ok(None)
        } else {
            Err(Refusal::NotOffered)
        };
    };
    let qop = Qop::parse(&qop).filter(|qop| policy.qops.contains(qop));
    // It goes back in a header of ours.
    let fits = |cnonce: &[u8]| cnonce.len() <= MAX_CNONCE && is_one_line(cnonce);
    let cnonce = row.cnonce().filter(|cnonce| fits(cnonce));
    Ok(Some(Count {
        qop: qop.ok_or(Refusal::NotOffered)?,
        nc: row.nc().ok_or(Refusal::Malformed)?,
        cnonce: (*cnonce.ok_or(Refusal::Malformed)?).into(),
    }))
}

/// The user name, and whether it is hashed. One of `username` and `username*` (RFC 7616 3.4).
fn username<'a>(row: &Credentials<'a>) -> Result<(Cow<'a, [u8]>, bool), Refusal> {
    let params = row.params();
    let is_hashed = params
        .get("userhash")
        .is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
    match (row.username(), params.get("username*")) {
        (Some(name), None) => Ok((name, is_hashed)),
        (None, Some(value)) if !is_hashed => {
            let decoded = extended(&value).ok_or(Refusal::Malformed)?;
            Ok((Cow::Owned(decoded.into_vec()), false))
        }
        (None | Some(_), _) => Err(Refusal::Malformed),
    }
}

/// `UTF-8'language'text%20with%20escapes` (RFC 5987 3.2).
fn extended(value: &[u8]) -> Option<Box<[u8]>> {
    let mut parts = value.splitn(3, |&b| b == b'\'');
    let charset = parts.next()?;
    let _language = parts.next()?;
    let text = percent_decode(parts.next()?);
    let fits = charset.eq_ignore_ascii_case(b"UTF-8") && core::str::from_utf8(&text).is_ok();
    fits.then(|| (*text).into())
}

/// `uri` must be what was asked for, or at a host that is served: a proxy on the way may have sent
/// the request elsewhere (RFC 8760 2.6).
fn check_uri(policy: &Policy, uri: &[u8], request: &Request) -> Result<(), Refusal> {
    let uri = Uri::parse(uri).map_err(|_| Refusal::Malformed)?;
    let is_served = |host: Host<'_>| {
        policy
            .hosts
            .iter()
            .any(|own| Host::parse(own.as_bytes()) == Ok(host))
    };
    let is_ours =
        uri.equivalent(&request.uri()) || uri.as_sip().is_some_and(|uri| is_served(uri.host()));
    if is_ours {
        Ok(())
    } else {
        Err(Refusal::WrongUri)
    }
}

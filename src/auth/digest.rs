//! The digests themselves: H(A1), H(A2), `response`, `rspauth`, and the hash of a user name
//! (RFC 7616 3.4.1 to 3.4.4, 3.5; 3261 22.4 for peers without qop).

use core::fmt;

use super::algorithm::Algorithm;
use super::hex::Hex;
use crate::message::{Method, Request};

/// The quality of protection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third one would change every formula here"
)]
pub enum Qop {
    /// `auth`: method and URI are protected.
    Auth,
    /// `auth-int`: the body too. Whoever rewrites bodies on the way breaks it.
    AuthInt,
}

impl Qop {
    /// The quality of that name. Names compare without case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        [Self::Auth, Self::AuthInt]
            .into_iter()
            .find(|qop| qop.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

impl fmt::Display for Qop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a digest protects of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the formulas of RFC 7616 3.4.3 know these three"
)]
pub struct Protected<'a> {
    /// The method.
    pub method: Method<'a>,
    /// The Request-URI as it is sent, parameters included.
    pub uri: &'a [u8],
    /// The whole body as it is sent; empty if there is none.
    pub body: &'a [u8],
}

impl<'a> Protected<'a> {
    /// Of a request that was received.
    pub fn of(request: &'a Request) -> Self {
        Self {
            method: request.method(),
            uri: request.message().uri_bytes().unwrap_or_default(),
            body: request.message().body_slice(),
        }
    }
}

/// H(A1) of a plain algorithm: what a server may store in place of a password (RFC 7616 3.6).
///
/// ```
/// use drongo::auth::{Algorithm, digest};
///
/// let ha1 = digest::ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar");
/// assert_eq!(ha1.as_str(), "12af60467a33e8518da5c68bbff12b11");
/// ```
pub fn ha1(algorithm: Algorithm, username: &[u8], realm: &[u8], password: &[u8]) -> Hex {
    algorithm.hash(&[username, realm, password])
}

/// H(A1) of a `-sess` algorithm, from that of its plain form and from the nonce and cnonce of the
/// first answer to the challenge.
pub fn session_ha1(algorithm: Algorithm, ha1: &Hex, nonce: &[u8], cnonce: &[u8]) -> Hex {
    algorithm.hash(&[ha1.as_bytes(), nonce, cnonce])
}

/// H(A2) of a request. Without qop it is that of [`Qop::Auth`] (RFC 8760 2.6).
pub fn ha2(algorithm: Algorithm, qop: Option<Qop>, protected: &Protected<'_>) -> Hex {
    let method = protected.method.as_str().as_bytes();
    a2(algorithm, qop, method, protected.uri, protected.body)
}

/// H(A2) of a response, for `rspauth`: without a method (RFC 7616 3.5). `uri` is that of the
/// request, `body` that of the response.
pub fn response_ha2(algorithm: Algorithm, qop: Option<Qop>, uri: &[u8], body: &[u8]) -> Hex {
    a2(algorithm, qop, b"", uri, body)
}

fn a2(algorithm: Algorithm, qop: Option<Qop>, method: &[u8], uri: &[u8], body: &[u8]) -> Hex {
    match qop {
        None | Some(Qop::Auth) => algorithm.hash(&[method, uri]),
        Some(Qop::AuthInt) => {
            let body = algorithm.hash(&[body]);
            algorithm.hash(&[method, uri, body.as_bytes()])
        }
    }
}

/// What goes into a digest with `qop` besides the hashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 7616 3.4.1 knows these three"
)]
pub struct Count<'a> {
    /// The quality of protection.
    pub qop: Qop,
    /// How often the nonce was used.
    pub nc: u32,
    /// The client's nonce.
    pub cnonce: &'a [u8],
}

/// `response` or `rspauth`. Without `count` it is the short formula of RFC 2069, for peers that
/// know no qop.
pub fn response(
    algorithm: Algorithm,
    ha1: &Hex,
    nonce: &[u8],
    count: Option<Count<'_>>,
    ha2: &Hex,
) -> Hex {
    let (ha1, ha2) = (ha1.as_bytes(), ha2.as_bytes());
    match count {
        None => algorithm.hash(&[ha1, nonce, ha2]),
        Some(Count { qop, nc, cnonce }) => {
            let nc = count_text(nc);
            let qop = qop.as_str().as_bytes();
            algorithm.hash(&[ha1, nonce, nc.as_bytes(), cnonce, qop, ha2])
        }
    }
}

/// What stands for the user name when names are hidden (RFC 7616 3.4.4).
pub fn user_hash(algorithm: Algorithm, username: &[u8], realm: &[u8]) -> Hex {
    algorithm.hash(&[username, realm])
}

/// `nc` as eight hexadecimal digits.
pub(super) fn count_text(nc: u32) -> Hex {
    Hex::new(&nc.to_be_bytes())
}

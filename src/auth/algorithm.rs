//! The registered algorithms (RFC 7616 6.1; 8760 2.1).

use core::fmt;

use md5::Md5;
use sha2::digest::Digest as Hasher;
use sha2::{Sha256, Sha512_256};

use super::hex::Hex;

/// An algorithm of digest authentication.
///
/// SHA-512-256 is SHA-512/256 of FIPS 180-4, with initial values of its own; the example in RFC
/// 7616 3.9.2 was made with a truncated SHA-512, which is something else.
///
/// ```
/// use drongo::auth::Algorithm;
///
/// assert_eq!(Algorithm::parse(b"sha-256"), Some(Algorithm::Sha256));
/// assert_eq!(Algorithm::parse(b"SHA3"), None);
/// assert_eq!(Algorithm::Sha512_256Sess.as_str(), "SHA-512-256-sess");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// `MD5`: for peers that know nothing better.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512_256,
    /// `SHA-512-256-sess`.
    Sha512_256Sess,
}

impl Algorithm {
    /// All of them, the plain ones first, each group from strong to weak.
    pub const ALL: [Self; 6] = [
        Self::Sha512_256,
        Self::Sha256,
        Self::Md5,
        Self::Sha512_256Sess,
        Self::Sha256Sess,
        Self::Md5Sess,
    ];

    /// The algorithm of that name. Names compare without case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// Whether A1 holds the nonce and cnonce of the first answer (RFC 7616 3.4.2).
    pub const fn is_session(self) -> bool {
        matches!(
            self,
            Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess
        )
    }

    /// The algorithm without `-sess`: both hash alike, so one stored H(A1) serves both.
    #[must_use]
    pub const fn plain(self) -> Self {
        match self {
            Self::Md5 | Self::Md5Sess => Self::Md5,
            Self::Sha256 | Self::Sha256Sess => Self::Sha256,
            Self::Sha512_256 | Self::Sha512_256Sess => Self::Sha512_256,
        }
    }

    /// Hexadecimal digits of a digest: 32 or 64 (RFC 8760 2.2).
    pub const fn digits(self) -> usize {
        match self.plain() {
            Self::Md5 | Self::Md5Sess => 32,
            Self::Sha256 | Self::Sha256Sess | Self::Sha512_256 | Self::Sha512_256Sess => 64,
        }
    }

    /// The digest of the parts with a colon between each two, without any white space.
    pub(super) fn hash(self, parts: &[&[u8]]) -> Hex {
        match self.plain() {
            Self::Md5 | Self::Md5Sess => joined::<Md5>(parts),
            Self::Sha256 | Self::Sha256Sess => joined::<Sha256>(parts),
            Self::Sha512_256 | Self::Sha512_256Sess => joined::<Sha512_256>(parts),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn joined<H: Hasher>(parts: &[&[u8]]) -> Hex {
    let mut hasher = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    Hex::new(&hasher.finalize())
}

//! What proves who somebody is.

use alloc::boxed::Box;
use core::fmt;
use core::hash::{Hash, Hasher};

use smallvec::SmallVec;
use subtle::ConstantTimeEq;

use super::algorithm::Algorithm;
use super::digest;
use super::hex::Hex;
use crate::error::Misuse;

/// A password, or the H(A1) that was made from one. `Debug` does not show it, and two compare in a
/// time that tells nothing of where they differ.
///
/// ```
/// use drongo::auth::{Algorithm, Secret};
///
/// let stored = Secret::ha1(Algorithm::Md5, "12af60467a33e8518da5c68bbff12b11")?;
/// assert_eq!(format!("{stored:?}"), "Secret(..)");
/// assert!(Secret::ha1(Algorithm::Sha256, "12af60467a33e8518da5c68bbff12b11").is_err());
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone)]
pub struct Secret(Kind);

#[derive(Clone)]
enum Kind {
    Password(Box<[u8]>),
    /// Of plain algorithms, each once.
    Ha1(SmallVec<[(Algorithm, Hex); 1]>),
}

impl Secret {
    /// A password, as the bytes of its UTF-8 form. It may be empty (RFC 3261 22.1).
    pub fn password(password: impl AsRef<[u8]>) -> Self {
        Self(Kind::Password(password.as_ref().into()))
    }

    /// H(A1) in hexadecimal digits. It serves the algorithm and its `-sess` form, and no other.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if it has not as many digits as the algorithm gives.
    pub fn ha1(algorithm: Algorithm, ha1: &str) -> Result<Self, Misuse> {
        Self(Kind::Ha1(SmallVec::new())).with_ha1(algorithm, ha1)
    }

    /// The same, with the H(A1) of one algorithm more. A password needs none and stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Secret::ha1`].
    pub fn with_ha1(mut self, algorithm: Algorithm, ha1: &str) -> Result<Self, Misuse> {
        let algorithm = algorithm.plain();
        let ha1 = Hex::parse(ha1.as_bytes(), algorithm.digits());
        let ha1 = ha1.ok_or(Misuse::Malformed { what: "H(A1)" })?;
        if let Kind::Ha1(list) = &mut self.0 {
            list.retain(|(known, _)| *known != algorithm);
            list.push((algorithm, ha1));
        }
        Ok(self)
    }

    /// Whether it can answer a challenge with this algorithm.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        match &self.0 {
            Kind::Password(_) => true,
            Kind::Ha1(list) => list.iter().any(|(known, _)| *known == algorithm.plain()),
        }
    }

    /// H(A1) of the plain form of the algorithm.
    pub(super) fn to_ha1(
        &self,
        algorithm: Algorithm,
        username: &[u8],
        realm: &[u8],
    ) -> Option<Hex> {
        match &self.0 {
            Kind::Password(password) => Some(digest::ha1(algorithm, username, realm, password)),
            Kind::Ha1(list) => list
                .iter()
                .find(|(known, _)| *known == algorithm.plain())
                .map(|(_, ha1)| *ha1),
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Password(a), Kind::Password(b)) => a.ct_eq(b).into(),
            (Kind::Ha1(a), Kind::Ha1(b)) => a == b,
            (Kind::Password(_) | Kind::Ha1(_), _) => false,
        }
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Kind::Password(password) => password.hash(state),
            Kind::Ha1(list) => list.hash(state),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A value that `Debug` does not show: an H(A1) is as good as a password in its realm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hidden<T>(pub(super) T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

//! Who the user is, realm by realm.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::secret::Secret;
use super::text::{Realm, is_one_line};
use crate::error::Misuse;

/// A user name and what proves it, for one realm or for any.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Account {
    realm: Option<Realm>,
    username: Box<[u8]>,
    secret: Secret,
}

impl Account {
    /// An account in one realm.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the user name holds CR, LF or NUL.
    pub fn new(
        realm: impl AsRef<[u8]>,
        username: impl AsRef<[u8]>,
        secret: Secret,
    ) -> Result<Self, Misuse> {
        let account = Self::anywhere(username, secret)?;
        Ok(Self {
            realm: Some(Realm::new(realm)),
            ..account
        })
    }

    /// An account for every realm that has none of its own.
    ///
    /// Whoever can challenge then gets a digest made from the secret, and can try passwords on it
    /// at leisure: name the realm where it is known.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if the user name holds CR, LF or NUL.
    pub fn anywhere(username: impl AsRef<[u8]>, secret: Secret) -> Result<Self, Misuse> {
        let username = username.as_ref();
        if !is_one_line(username) {
            return Err(Misuse::Malformed { what: "user name" });
        }
        Ok(Self {
            realm: None,
            username: username.into(),
            secret,
        })
    }

    /// User `anonymous` with an empty password, for every realm that has no account of its own
    /// (RFC 3261 22.2).
    pub fn anonymous() -> Self {
        Self {
            realm: None,
            username: b"anonymous".as_slice().into(),
            secret: Secret::password(""),
        }
    }

    /// The realm; `None` for any.
    pub const fn realm(&self) -> Option<&Realm> {
        self.realm.as_ref()
    }

    /// The user name.
    pub const fn username(&self) -> &[u8] {
        &self.username
    }

    /// What proves it.
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// The accounts of a user.
///
/// ```
/// use drongo::auth::{Account, Keyring, Secret};
///
/// let keyring = Keyring::new()
///     .with(Account::new("biloxi.com", "bob", Secret::password("zanzibar"))?)
///     .with(Account::anonymous());
/// assert_eq!(keyring.find(b"biloxi.com").unwrap().username(), b"bob");
/// assert_eq!(keyring.find(b"elsewhere").unwrap().username(), b"anonymous");
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Keyring {
    accounts: Vec<Account>,
}

impl Keyring {
    /// No accounts.
    pub const fn new() -> Self {
        Self {
            accounts: Vec::new(),
        }
    }

    /// The same with one account more. It takes the place of one for the same realm.
    #[must_use]
    pub fn with(mut self, account: Account) -> Self {
        self.accounts.retain(|known| known.realm != account.realm);
        self.accounts.push(account);
        self
    }

    /// The account for a realm: its own, or the one for any.
    pub fn find(&self, realm: &[u8]) -> Option<&Account> {
        let own = |account: &&Account| {
            account
                .realm
                .as_ref()
                .is_some_and(|known| known.as_bytes() == realm)
        };
        let any = || self.accounts.iter().find(|account| account.realm.is_none());
        self.accounts.iter().find(own).or_else(any)
    }
}

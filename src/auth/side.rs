//! Who asks for credentials: the user agent at the other end, or a proxy on the way.

use crate::message::{AuthInfo, Challenge, Credentials, Message, StatusCode, ValueError};

/// Who asks for credentials. It decides which headers carry them; the status code of the response
/// does not, since a forking proxy puts the challenges of both into one (RFC 3261 22.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "SIP has these two pairs of headers and no third"
)]
pub enum Side {
    /// A user agent server, registrar or redirect server: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Side {
    /// The status code of a challenge (RFC 3261 22.1).
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Server => StatusCode::UNAUTHORIZED,
            Self::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// The header of a challenge.
    pub const fn challenge_header(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    /// The header of credentials.
    pub const fn credentials_header(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }

    /// The header in which the server proves itself (RFC 7616 3.5).
    pub const fn info_header(self) -> &'static str {
        match self {
            Self::Server => "Authentication-Info",
            Self::Proxy => "Proxy-Authentication-Info",
        }
    }

    pub(super) fn challenges(
        self,
        message: &Message,
    ) -> impl Iterator<Item = Result<Challenge<'_>, ValueError>> {
        message
            .all_named(self.challenge_header())
            .map(Challenge::parse)
    }

    pub(super) fn credentials(
        self,
        message: &Message,
    ) -> impl Iterator<Item = Result<Credentials<'_>, ValueError>> {
        message
            .all_named(self.credentials_header())
            .map(Credentials::parse)
    }

    pub(super) fn infos(self, message: &Message) -> impl Iterator<Item = AuthInfo<'_>> {
        message
            .all_named(self.info_header())
            .filter_map(|row| AuthInfo::parse(row).ok())
    }
}

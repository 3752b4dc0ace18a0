//! Which part of a SIP URI belongs where: table 1 of RFC 3261 19.1.1, as data.

use core::fmt;

use super::SipUri;

/// A part of a SIP URI that may be there or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the table has these rows")]
pub enum UriPart {
    /// The user.
    User,
    /// The password.
    Password,
    /// The host.
    Host,
    /// The port.
    Port,
    /// The parameter `user`.
    UserParam,
    /// The parameter `method`.
    Method,
    /// The parameter `maddr`.
    Maddr,
    /// The parameter `ttl`.
    Ttl,
    /// The parameter `transport`.
    Transport,
    /// The parameter `lr`.
    Lr,
    /// Any other parameter.
    OtherParam,
    /// The headers behind the `?`.
    Headers,
}

/// Where a URI stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the table has these columns")]
pub enum UriPlace {
    /// The Request-URI.
    RequestUri,
    /// To.
    To,
    /// From.
    From,
    /// Contact in REGISTER and in 3xx.
    Binding,
    /// Contact in a dialog, Record-Route, Route.
    Route,
    /// Outside of messages: a web page, for example.
    External,
}

/// The marks `o`, `m` or `-` of each part in the order of [`UriPlace`].
const TABLE: [(UriPart, &[u8; 6]); 12] = [
    (UriPart::User, b"oooooo"),
    (UriPart::Password, b"oooooo"),
    (UriPart::Host, b"mmmmmm"),
    (UriPart::Port, b"o--ooo"),
    (UriPart::UserParam, b"oooooo"),
    (UriPart::Method, b"-----o"),
    (UriPart::Maddr, b"o--ooo"),
    (UriPart::Ttl, b"o--o-o"),
    (UriPart::Transport, b"o--ooo"),
    (UriPart::Lr, b"o---oo"),
    (UriPart::OtherParam, b"oooooo"),
    (UriPart::Headers, b"---o-o"),
];

impl fmt::Display for UriPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::User => "a user",
            Self::Password => "a password",
            Self::Host => "a host",
            Self::Port => "a port",
            Self::UserParam => "the parameter user",
            Self::Method => "the parameter method",
            Self::Maddr => "the parameter maddr",
            Self::Ttl => "the parameter ttl",
            Self::Transport => "the parameter transport",
            Self::Lr => "the parameter lr",
            Self::OtherParam => "an unknown parameter",
            Self::Headers => "headers",
        })
    }
}

impl UriPart {
    /// Whether this part has a meaning in that place. If not, it is ignored there (3261 19.1.1).
    ///
    /// ```
    /// use drongo::message::{UriPart, UriPlace};
    ///
    /// assert!(!UriPart::Headers.belongs_in(UriPlace::RequestUri));
    /// ```
    pub fn belongs_in(self, place: UriPlace) -> bool {
        let row = TABLE.iter().find(|row| row.0 == self);
        row.and_then(|row| row.1.get(place as usize)) != Some(&b'-')
    }

    /// The parts that a URI has.
    pub fn of<'u>(uri: &'u SipUri<'_>) -> impl Iterator<Item = Self> + use<'u> {
        let has = |part: bool, which: Self| part.then_some(which);
        let named = |name: &str| uri.params().contains(name);
        let known = ["user", "method", "maddr", "ttl", "transport", "lr"];
        let mut params = uri.params().iter();
        let other = params.any(|param| !known.iter().any(|k| k.eq_ignore_ascii_case(param.name)));
        let parts = [
            has(uri.user().is_some(), Self::User),
            has(uri.password().is_some(), Self::Password),
            Some(Self::Host),
            has(uri.port().is_some(), Self::Port),
            has(named("user"), Self::UserParam),
            has(named("method"), Self::Method),
            has(named("maddr"), Self::Maddr),
            has(named("ttl"), Self::Ttl),
            has(named("transport"), Self::Transport),
            has(named("lr"), Self::Lr),
            has(other, Self::OtherParam),
            has(uri.headers().is_some(), Self::Headers),
        ];
        parts.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn every_part_is_told_by_a_name_of_its_own() {
        let text = b"sip:a:b@c:1;user=phone;method=BYE;maddr=d;ttl=1;transport=tcp;lr;x?e=f";
        let uri = SipUri::parse(text).unwrap();
        let told: Vec<_> = UriPart::of(&uri).map(|part| part.to_string()).collect();
        assert_eq!(
            told.join(", "),
            "a user, a password, a host, a port, the parameter user, the parameter method, \
             the parameter maddr, the parameter ttl, the parameter transport, the parameter lr, \
             an unknown parameter, headers"
        );
    }
}

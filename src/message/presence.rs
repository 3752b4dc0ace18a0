//! Which header belongs in which message: tables 2 and 3 of RFC 3261 20 with the columns that
//! RFC 3262 and RFC 3311 add, as data. The order of the columns is that of [`COLUMNS`].

use super::{Method, Name, StatusCode};

/// What RFC 3261 20 says of a header in a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the tables have these marks")]
pub enum Presence {
    /// `m`: it must be there.
    Mandatory,
    /// `m*`: it should be there, and its absence is taken.
    Expected,
    /// `t`: it should be there, and on a stream it must.
    Framing,
    /// `o`: it may be there.
    Optional,
    /// `c`: it depends on the message.
    Conditional,
    /// `*`: it must be there if there is a body.
    WithBody,
    /// `-`: it is not sent, and ignored if it is there.
    Never,
}

/// The methods of the columns.
const COLUMNS: [Method<'static>; 8] = [
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Invite,
    Method::Options,
    Method::Register,
    Method::Prack,
    Method::Update,
];

/// The status codes of a row, from and to; a request counts as 0.
type Where = &'static [(u16, u16)];

const REQUEST: Where = &[(0, 0)];
const ALL: Where = &[(100, 699)];
const BOTH: Where = &[(0, 699)];

/// One row a mark: of several that fit, the first counts. The marks are those of the RFC, but `s`
/// for `m*` and `b` for `*`.
const ROWS: [(Name, Where, &[u8; 8]); 65] = [
    (Name::Accept, REQUEST, b"-o-osooo"),
    (Name::Accept, &[(200, 299)], b"---oso-o"),
    (Name::Accept, &[(415, 415)], b"-c-ccccc"),
    (Name::AcceptEncoding, REQUEST, b"-o-ooooo"),
    (Name::AcceptEncoding, &[(200, 299)], b"---oso-o"),
    (Name::AcceptEncoding, &[(415, 415)], b"-c-ccccc"),
    (Name::AcceptLanguage, REQUEST, b"-o-ooooo"),
    (Name::AcceptLanguage, &[(200, 299)], b"---oso-o"),
    (Name::AcceptLanguage, &[(415, 415)], b"-c-ccccc"),
    (Name::AlertInfo, REQUEST, b"---o----"),
    (Name::AlertInfo, &[(101, 199)], b"---o----"),
    (Name::Allow, REQUEST, b"-o-ooooo"),
    (Name::Allow, &[(200, 299)], b"-o-ssooo"),
    (Name::Allow, &[(405, 405)], b"-m-mmmmm"),
    (Name::Allow, ALL, b"-o-ooooo"),
    (Name::AuthenticationInfo, &[(200, 299)], b"-o-ooooo"),
    (Name::Authorization, REQUEST, b"oooooooo"),
    (Name::CallId, BOTH, b"mmmmmmmm"),
    (Name::CallInfo, BOTH, b"---ooo-o"),
    (Name::Contact, REQUEST, b"o--moo-m"),
    (Name::Contact, &[(100, 199)], b"---o---o"),
    (Name::Contact, &[(200, 299)], b"---moo-m"),
    (Name::Contact, &[(300, 399)], b"-o-ooooo"),
    (Name::Contact, &[(485, 485)], b"-o-ooooo"),
    (Name::ContentDisposition, BOTH, b"oo-ooooo"),
    (Name::ContentEncoding, BOTH, b"oo-ooooo"),
    (Name::ContentLanguage, BOTH, b"oo-ooooo"),
    (Name::ContentLength, BOTH, b"tttttttt"),
    (Name::ContentType, BOTH, b"bb-bbbbb"),
    (Name::CSeq, BOTH, b"mmmmmmmm"),
    (Name::Date, BOTH, b"oooooooo"),
    (Name::ErrorInfo, &[(300, 699)], b"-ooooooo"),
    (Name::Expires, BOTH, b"---o-o--"),
    (Name::From, BOTH, b"mmmmmmmm"),
    (Name::InReplyTo, REQUEST, b"---o----"),
    (Name::MaxForwards, REQUEST, b"mmmmmmmm"),
    (Name::MinExpires, &[(423, 423)], b"-----m--"),
    (Name::MimeVersion, BOTH, b"oo-ooooo"),
    (Name::Organization, BOTH, b"---ooo-o"),
    (Name::Priority, REQUEST, b"---o----"),
    (Name::ProxyAuthenticate, &[(407, 407)], b"-m-mmmmm"),
    (Name::ProxyAuthenticate, &[(401, 401)], b"-ooooooo"),
    (Name::ProxyAuthorization, REQUEST, b"oo-ooooo"),
    (Name::ProxyRequire, REQUEST, b"-o-ooooo"),
    (Name::RecordRoute, REQUEST, b"ooooo-oo"),
    (Name::RecordRoute, &[(180, 189), (200, 299)], b"-oooo-oo"),
    (Name::ReplyTo, BOTH, b"---o----"),
    (Name::Require, BOTH, b"-c-ccccc"),
    (
        Name::RetryAfter,
        &[(404, 404), (413, 413), (480, 480), (486, 486)],
        b"-ooooooo",
    ),
    (Name::RetryAfter, &[(500, 500), (503, 503)], b"-ooooooo"),
    (Name::RetryAfter, &[(600, 600), (603, 603)], b"-ooooooo"),
    (Name::Route, REQUEST, b"cccccccc"),
    (Name::Server, ALL, b"-ooooooo"),
    (Name::Subject, REQUEST, b"---o----"),
    (Name::Supported, REQUEST, b"-oosoooo"),
    (Name::Supported, &[(200, 299)], b"-oossooo"),
    (Name::Timestamp, BOTH, b"oooooooo"),
    (Name::To, BOTH, b"mmmmmmmm"),
    (Name::Unsupported, &[(420, 420)], b"-m-mmmmm"),
    (Name::UserAgent, BOTH, b"oooooooo"),
    (Name::Via, REQUEST, b"mmmmmmmm"),
    (Name::Via, ALL, b"mmmmmmmm"),
    (Name::Warning, ALL, b"-ooooooo"),
    (Name::WwwAuthenticate, &[(401, 401)], b"-m-mmmmm"),
    (Name::WwwAuthenticate, &[(407, 407)], b"-o-ooo-o"),
];

impl Presence {
    /// What the tables say of a header in a request of this method (`status` is `None`) or in a
    /// response to one. `None` if they have no row for the header or no column for the method.
    ///
    /// ```
    /// use drongo::message::{Method, Name, Presence, StatusCode};
    ///
    /// let in_invite = Presence::of(Name::Contact, Method::Invite, None);
    /// assert_eq!(in_invite, Some(Presence::Mandatory));
    /// let in_bye = Presence::of(Name::Contact, Method::Bye, Some(StatusCode::OK));
    /// assert_eq!(in_bye, Some(Presence::Never));
    /// ```
    pub fn of(name: Name, method: Method<'_>, status: Option<StatusCode>) -> Option<Self> {
        let column = COLUMNS.iter().position(|known| *known == method)?;
        let status = status.map_or(0, |status| status.as_u16());
        let mut rows = ROWS.iter().filter(|row| row.0 == name).peekable();
        rows.peek()?;
        let fits = |of: Where| of.iter().any(|&(from, to)| (from..=to).contains(&status));
        let row = rows.find(|row| fits(row.1));
        let mark = row.and_then(|row| row.2.get(column));
        Some(mark.map_or(Self::Never, |mark| Self::from_mark(*mark)))
    }

    /// The headers that the tables say must be in such a message.
    pub fn mandatory(
        method: Method<'_>,
        status: Option<StatusCode>,
    ) -> impl Iterator<Item = Name> + use<'_> {
        let mut last = None;
        let names = ROWS.iter().map(|row| row.0);
        names
            .filter(move |name| last.replace(*name) != Some(*name))
            .filter(move |name| Self::of(*name, method, status) == Some(Self::Mandatory))
    }

    const fn from_mark(mark: u8) -> Self {
        match mark {
            b'm' => Self::Mandatory,
            b's' => Self::Expected,
            b't' => Self::Framing,
            b'o' => Self::Optional,
            b'c' => Self::Conditional,
            b'b' => Self::WithBody,
            _ => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_that_fits_best_counts() {
        let of = |name, method, code: u16| {
            let status = StatusCode::new(code);
            Presence::of(name, method, status)
        };
        assert_eq!(of(Name::Allow, Method::Bye, 405), Some(Presence::Mandatory));
        assert_eq!(
            of(Name::Allow, Method::Invite, 200),
            Some(Presence::Expected)
        );
        assert_eq!(of(Name::Allow, Method::Bye, 404), Some(Presence::Optional));
        assert_eq!(
            of(Name::Contact, Method::Invite, 404),
            Some(Presence::Never)
        );
        assert_eq!(of(Name::Event, Method::Invite, 200), None);
        assert_eq!(Presence::of(Name::Contact, Method::Refer, None), None);
    }

    #[test]
    fn mandatory_headers_are_listed_once() {
        let names: Vec<_> = Presence::mandatory(Method::Invite, None).collect();
        let expected = [
            Name::CallId,
            Name::Contact,
            Name::CSeq,
            Name::From,
            Name::MaxForwards,
            Name::To,
            Name::Via,
        ];
        assert_eq!(names, expected);
        let names: Vec<_> = Presence::mandatory(Method::Invite, StatusCode::new(407)).collect();
        assert!(names.contains(&Name::ProxyAuthenticate) && !names.contains(&Name::Contact));
    }
}

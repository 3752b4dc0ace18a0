//! Typed values of a message's headers, over all rows and commas.

use super::index::Rows;
use super::list::SplitCommas;
use super::{
    ContactValue, ContentType, Message, Name, NameAddr, RAck, Timestamp, ValueError, Via,
    parse_delta_seconds, parse_max_forwards, parse_rseq, split_call_ids, split_commas,
};

/// The values of a list header in order, over all its rows and commas. A value that cannot be
/// read comes as an error in its place.
#[derive(Clone, Debug)]
pub struct Values<'m, T> {
    rows: Rows<'m>,
    row: Option<SplitCommas<'m>>,
    split: fn(&'m [u8]) -> SplitCommas<'m>,
    parse: fn(&'m [u8]) -> Result<T, ValueError>,
}

impl<'m, T> Values<'m, T> {
    fn of(message: &'m Message, name: Name, parse: fn(&'m [u8]) -> Result<T, ValueError>) -> Self {
        Self {
            rows: message.all(name),
            row: None,
            split: split_commas,
            parse,
        }
    }
}

impl<T> Iterator for Values<'_, T> {
    type Item = Result<T, ValueError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.row.as_mut().and_then(Iterator::next) {
                return Some((self.parse)(value));
            }
            self.row = Some((self.split)(self.rows.next()?));
        }
    }
}

macro_rules! lists {
    ($($(#[$doc:meta])* $method:ident: $name:ident => $type:ty,)*) => {
        $($(#[$doc])*
        pub fn $method(&self) -> Values<'_, $type> {
            Values::of(self, Name::$name, <$type>::parse)
        })*
    };
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $method:ident: $name:ident,)*) => {
        $($(#[$doc])*
        pub fn $method(&self) -> Values<'_, &str> {
            Values { split: split_call_ids, ..Values::of(self, Name::$name, token) }
        })*
    };
}

/// Values by name. A list yields nothing if the header is absent; a single value is `None` then.
impl Message {
    lists! {
        /// Via, the top one first.
        vias: Via => Via<'_>,
        /// Contact.
        contacts: Contact => ContactValue<'_>,
        /// Route.
        routes: Route => NameAddr<'_>,
        /// Record-Route, as it came: a client reads it in reverse (RFC 3261 12.1.2).
        record_routes: RecordRoute => NameAddr<'_>,
        /// Path (RFC 3327).
        paths: Path => NameAddr<'_>,
        /// Service-Route (RFC 3608).
        service_routes: ServiceRoute => NameAddr<'_>,
        /// Accept. A type with a wild card parses too.
        accept: Accept => ContentType<'_>,
    }

    tokens! {
        /// The option tags of Require.
        require: Require,
        /// The option tags of Proxy-Require.
        proxy_require: ProxyRequire,
        /// The option tags of Supported.
        supported: Supported,
        /// The option tags of Unsupported.
        unsupported: Unsupported,
        /// The methods of Allow. They are case-sensitive.
        allow: Allow,
        /// The event packages of Allow-Events (RFC 6665).
        allow_events: AllowEvents,
    }

    /// Max-Forwards.
    pub fn max_forwards(&self) -> Option<Result<u8, ValueError>> {
        self.first(Name::MaxForwards).map(parse_max_forwards)
    }

    /// Content-Type.
    pub fn content_type(&self) -> Option<Result<ContentType<'_>, ValueError>> {
        self.first(Name::ContentType).map(ContentType::parse)
    }

    /// Expires, in seconds.
    pub fn expires(&self) -> Option<Result<u32, ValueError>> {
        self.first(Name::Expires).map(parse_delta_seconds)
    }

    /// Min-Expires, in seconds.
    pub fn min_expires(&self) -> Option<Result<u32, ValueError>> {
        self.first(Name::MinExpires).map(parse_delta_seconds)
    }

    /// RSeq (RFC 3262).
    pub fn rseq(&self) -> Option<Result<u32, ValueError>> {
        self.first(Name::RSeq).map(parse_rseq)
    }

    /// RAck (RFC 3262).
    pub fn rack(&self) -> Option<Result<RAck<'_>, ValueError>> {
        self.first(Name::RAck).map(RAck::parse)
    }

    /// Timestamp.
    pub fn timestamp(&self) -> Option<Result<Timestamp<'_>, ValueError>> {
        self.first(Name::Timestamp).map(Timestamp::parse)
    }

    /// Refer-To (RFC 3515).
    pub fn refer_to(&self) -> Option<Result<NameAddr<'_>, ValueError>> {
        self.first(Name::ReferTo).map(NameAddr::parse)
    }
}

/// One element of a list of tokens.
fn token(element: &[u8]) -> Result<&str, ValueError> {
    super::Tokens::new(element)
        .next()
        .unwrap_or(Err(ValueError::new(super::ValueErrorKind::Empty, 0)))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;
    use crate::message::ValueErrorKind;

    fn message(lines: &str) -> Message {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{lines}\r\n");
        Message::parse(text.into()).unwrap()
    }

    #[test]
    fn rows_and_commas_give_one_list() {
        // 3261-7.3.1-11
        for lines in [
            "Route: <sip:1,2@a>, \"b,\" <sip:b>,<sip:c>\r\n",
            "Route: <sip:1,2@a>\r\nSubject: x\r\nroute: \"b,\" <sip:b>\r\nRoute: <sip:c>\r\n",
            "Route: <sip:1,2@a>\r\n , \"b,\" <sip:b>\r\nRoute:\r\nRoute: ,<sip:c>,\r\n",
        ] {
            let message = message(lines);
            let routes: Result<Vec<_>, _> = message.routes().collect();
            let routes = routes.unwrap();
            let uris: Vec<_> = routes.iter().map(|route| route.uri()).collect();
            let uris: Vec<_> = uris.iter().map(|uri| uri.as_bytes()).collect();
            assert_eq!(uris, [&b"sip:1,2@a"[..], b"sip:b", b"sip:c"], "{lines}");
        }
    }

    #[test]
    fn tokens_of_all_rows_are_read() {
        let message = message("Supported: 100rel, timer\r\nk: path\r\nRequire: a b, c\r\n");
        let supported: Result<Vec<_>, _> = message.supported().collect();
        assert_eq!(supported, Ok(["100rel", "timer", "path"].to_vec()));
        let require: Vec<_> = message.require().collect();
        assert_eq!(
            require,
            [Err(ValueError::new(ValueErrorKind::Token, 0)), Ok("c")]
        );
        assert_eq!(message.allow().count(), 0);
    }

    #[test]
    fn single_values_are_read_or_absent() {
        let message = message("Expires: 60\r\nRSeq: 0\r\nRAck: 1 2 INVITE\r\nc: a/b\r\n");
        assert_eq!(message.expires(), Some(Ok(60)));
        assert!(matches!(message.rseq(), Some(Err(_))));
        assert_eq!(message.rack().unwrap().unwrap().cseq, 2);
        assert!(message.content_type().unwrap().unwrap().is("A", "B"));
        assert_eq!(message.max_forwards(), None);
    }
}

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

//! Typed values of a message's headers, over all rows and commas.

use super::index::Rows;
use super::list::SplitCommas;
use super::simple::check_call_id;
use super::via::PlainVia;
use super::{
    CSeq, ContactValue, ContentType, Id, Message, Name, NameAddr, RAck, Timestamp, ValueError,
    ValueErrorKind, Via, parse_delta_seconds, parse_max_forwards, parse_rseq, split_call_ids,
    split_commas,
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
    pub(super) fn of(
        message: &'m Message,
        name: Name,
        parse: fn(&'m [u8]) -> Result<T, ValueError>,
    ) -> Self {
        Self {
            rows: message.all(name),
            row: None,
            split: split_commas,
            parse,
        }
    }

    /// Values in which quotes and brackets mean nothing.
    pub(super) fn plain(
        message: &'m Message,
        name: Name,
        parse: fn(&'m [u8]) -> Result<T, ValueError>,
    ) -> Self {
        Self {
            split: split_call_ids,
            ..Self::of(message, name, parse)
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

/// The rows of a header whose values are never split at commas.
#[derive(Clone, Debug)]
pub struct WholeRows<'m, T> {
    rows: Rows<'m>,
    parse: fn(&'m [u8]) -> Result<T, ValueError>,
}

impl<'m, T> WholeRows<'m, T> {
    pub(super) fn of(
        message: &'m Message,
        name: Name,
        parse: fn(&'m [u8]) -> Result<T, ValueError>,
    ) -> Self {
        Self {
            rows: message.all(name),
            parse,
        }
    }
}

impl<T> Iterator for WholeRows<'_, T> {
    type Item = Result<T, ValueError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(self.parse)
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
pub(super) use lists;

macro_rules! tokens {
    ($($(#[$doc:meta])* $method:ident: $name:ident,)*) => {
        $($(#[$doc])*
        pub fn $method(&self) -> Values<'_, &str> {
            $crate::message::values::Values::plain(self, Name::$name, $crate::message::values::token)
        })*
    };
}
pub(super) use tokens;

macro_rules! rows {
    ($($(#[$doc:meta])* $method:ident: $name:ident => $type:ty,)*) => {
        $($(#[$doc])*
        pub fn $method(&self) -> WholeRows<'_, $type> {
            WholeRows::of(self, Name::$name, <$type>::parse)
        })*
    };
}
pub(super) use rows;

macro_rules! singles {
    ($($(#[$doc:meta])* $method:ident: $name:ident => $parse:path => $type:ty,)*) => {
        $($(#[$doc])*
        pub fn $method(&self) -> Option<Result<$type, ValueError>> {
            self.first(Name::$name).map($parse)
        })*
    };
}
pub(super) use singles;

/// What most readers ask for, without the check that makes a [`Request`](super::Request) or a
/// [`Response`](super::Response): each is the whole of its value read when asked for, of the first
/// row. For who passes messages on by them; that a row is there once, and what else a message must
/// have, is for [`Message::check`] to say.
///
/// ```
/// use drongo::message::{Message, Method};
///
/// let message = Message::parse(
///     b"BYE sip:bob@192.0.2.4 SIP/2.0\r\n\
///       Via: SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bKnashds10\r\n\
///       From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
///       To: <sip:bob@biloxi.example.com>\r\n\
///       Call-ID: a84b4c76e66710\r\n\
///       CSeq: 231 BYE\r\n\r\n".as_slice().into(),
/// )?;
/// assert_eq!(message.branch()?.unwrap(), "z9hG4bKnashds10");
/// assert_eq!(message.from_tag()?.unwrap(), "1928301774");
/// assert_eq!(message.to_tag()?, None);
/// assert_eq!(message.call_id().unwrap()?, "a84b4c76e66710");
/// assert_eq!(message.cseq().unwrap().unwrap().method, Method::Bye);
/// assert_eq!(message.contact(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Message {
    /// The top Via.
    pub fn top_via(&self) -> Option<Result<Via<'_>, ValueError>> {
        let (text, len) = self.front(Name::Via)?;
        match Via::plain(text, len) {
            Some(via) => Some(Ok(via)),
            None => self.vias().next(),
        }
    }

    /// The branch of the top Via; `None` if there is no Via, or no branch in it.
    ///
    /// # Errors
    ///
    /// As [`Via::parse`].
    pub fn branch(&self) -> Result<Option<Id<'_>>, ValueError> {
        let Some((text, len)) = self.front(Name::Via) else {
            return Ok(None);
        };
        match PlainVia::scan(text, len).map(|via| via.branch) {
            Some(branch) => Ok(branch.map(Id::new)),
            None => {
                let via = self.vias().next().transpose()?;
                let branch = via.and_then(|via| via.branch());
                Ok(branch.map(|branch| Id::new(branch.as_bytes())))
            }
        }
    }

    /// The From tag; `None` if there is no From, or no tag in it.
    ///
    /// # Errors
    ///
    /// As [`NameAddr::parse`].
    pub fn from_tag(&self) -> Result<Option<Id<'_>>, ValueError> {
        self.tag_of(Name::From)
    }

    /// The To tag; `None` if there is no To, or no tag in it.
    ///
    /// # Errors
    ///
    /// As [`NameAddr::parse`].
    pub fn to_tag(&self) -> Result<Option<Id<'_>>, ValueError> {
        self.tag_of(Name::To)
    }

    singles! {
        /// CSeq.
        cseq: CSeq => CSeq::parse => CSeq<'_>,
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<Result<Id<'_>, ValueError>> {
        let (text, len) = self.front(Name::CallId)?;
        Some(check_call_id(text, len).map(Id::new))
    }

    /// The first Contact.
    pub fn contact(&self) -> Option<Result<ContactValue<'_>, ValueError>> {
        let (text, len) = self.front(Name::Contact)?;
        match NameAddr::plain(text, len) {
            Some(address) => Some(Ok(ContactValue::Addr(address))),
            None => self.contacts().next(),
        }
    }

    /// The text that begins with the first value of this name, and the length of the value.
    #[inline]
    fn front(&self, name: Name) -> Option<(&[u8], usize)> {
        let entry = self.entry(name)?;
        let len = entry.value_end.saturating_sub(entry.value) as usize;
        Some((self.tail_at(entry.value), len))
    }

    #[inline]
    fn tag_of(&self, name: Name) -> Result<Option<Id<'_>>, ValueError> {
        let Some((text, len)) = self.front(name) else {
            return Ok(None);
        };
        NameAddr::tag_of_front(text, len).map(|tag| tag.map(Id::new))
    }
}

/// Values by name. A list yields nothing if the header is absent; a single value is `None` then.
impl Message {
    lists! {
        /// Via, the top one first.
        vias: Via => Via<'_>,
        /// Contact.
        contacts: Contact => ContactValue<'_>,
        /// Accept. A type with a wild card parses too.
        accept: Accept => ContentType<'_>,
    }

    /// Route. A URI without angle brackets is an error in its place, as in the three below: nobody
    /// could say whose its parameters are (RFC 3261 20.34).
    pub fn routes(&self) -> Values<'_, NameAddr<'_>> {
        Values::of(self, Name::Route, bracketed)
    }

    /// Record-Route, as it came: a client reads it in reverse (RFC 3261 12.1.2).
    pub fn record_routes(&self) -> Values<'_, NameAddr<'_>> {
        Values::of(self, Name::RecordRoute, bracketed)
    }

    /// Path (RFC 3327).
    pub fn paths(&self) -> Values<'_, NameAddr<'_>> {
        Values::of(self, Name::Path, bracketed)
    }

    /// Service-Route (RFC 3608).
    pub fn service_routes(&self) -> Values<'_, NameAddr<'_>> {
        Values::of(self, Name::ServiceRoute, bracketed)
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

    singles! {
        /// Max-Forwards.
        max_forwards: MaxForwards => parse_max_forwards => u8,
        /// Content-Type.
        content_type: ContentType => ContentType::parse => ContentType<'_>,
        /// Expires, in seconds.
        expires: Expires => parse_delta_seconds => u32,
        /// Min-Expires, in seconds.
        min_expires: MinExpires => parse_delta_seconds => u32,
        /// RSeq (RFC 3262).
        rseq: RSeq => parse_rseq => u32,
        /// RAck (RFC 3262).
        rack: RAck => RAck::parse => RAck<'_>,
        /// Timestamp.
        timestamp: Timestamp => Timestamp::parse => Timestamp<'_>,
        /// Refer-To (RFC 3515).
        refer_to: ReferTo => NameAddr::parse => NameAddr<'_>,
    }
}

/// An address in angle brackets.
fn bracketed(value: &[u8]) -> Result<NameAddr<'_>, ValueError> {
    let address = NameAddr::parse(value)?;
    if address.is_bracketed() {
        Ok(address)
    } else {
        Err(ValueError::new(ValueErrorKind::Angle, 0))
    }
}

/// One element of a list of tokens.
pub(super) fn token(element: &[u8]) -> Result<&str, ValueError> {
    super::Tokens::new(element)
        .next()
        .unwrap_or(Err(ValueError::new(ValueErrorKind::Empty, 0)))
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    use super::*;

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
    fn a_route_stands_in_angle_brackets() {
        // 3261-20.30-01, 3261-20.30-02, 3261-20.34-01, 3261-25.1-42
        for name in ["Route", "Record-Route", "Path", "Service-Route"] {
            let message = message(&format!(
                "{name}: <sip:a;lr>;x=1\r\n{name}: sip:b;lr, B <sip:c>\r\n"
            ));
            let routes = [
                message.routes().chain(message.record_routes()),
                message.paths().chain(message.service_routes()),
            ];
            let routes: Vec<_> = routes.into_iter().flatten().collect();
            let first = routes[0].unwrap();
            assert_eq!(first.uri().as_bytes(), b"sip:a;lr", "{name}");
            assert_eq!(first.params().as_bytes(), b";x=1");
            assert_eq!(routes[1], Err(ValueError::new(ValueErrorKind::Angle, 0)));
            assert_eq!(
                (routes[2].unwrap().uri().as_bytes(), routes.len()),
                (&b"sip:c"[..], 3)
            );
        }
        let bare = message("t: sip:a\r\nf: sip:a\r\nm: sip:a\r\nReply-To: sip:a;x, sip:b\r\n");
        assert!(bare.contacts().all(|contact| contact.is_ok()));
        for name in [Name::To, Name::From] {
            assert!(NameAddr::parse(bare.first(name).unwrap()).is_ok());
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
        // A quote opens nothing where all values are tokens.
        let quoted = self::message("Supported: \"a,b\", c\r\n");
        assert_eq!(quoted.supported().count(), 3);
    }

    #[test]
    fn what_names_a_message_is_read_from_the_first_row_as_by_the_full_readers() {
        let via = "SIP/2.0/UDP h;branch=z9hG4bK1";
        let other = "SIP / 2.0 / UDP h ;branch=\"x,\"";
        for (row, branch) in [
            (via.to_owned(), Ok(Some("z9hG4bK1"))),
            (format!("{via};rport, {other}"), Ok(Some("z9hG4bK1"))),
            (
                format!(" ,, SIP/2.0 /UDP h;received=1.2.3.4, {via}"),
                Ok(None),
            ),
            (
                "SIP/2.0/UDP h;branch=z9\r\n ;x=y".to_owned(),
                Ok(Some("z9")),
            ),
            (
                format!("SIP/2.0/UDP h;branch, {via}"),
                Err(ValueErrorKind::Param),
            ),
            ("SIP/2.0 h".to_owned(), Err(ValueErrorKind::Unexpected)),
        ] {
            let message = message(&format!("v: {row}\r\nVia: {via}2\r\n"));
            let read = message.branch().map_err(|error| error.kind);
            assert_eq!(read.map(|id| id.map(|id| id.as_str())), branch, "{row}");
            assert_eq!(message.top_via(), message.vias().next(), "{row}");
        }
        let read = message(
            "f: sip:a@b;x;tag=1\r\nt: A <tel:+1>;TAG=2 \r\nm: *\r\ni:  q@r \r\nCSeq: 7 ACK\r\n\
             From: <sip:a@b>;tag=3\r\n",
        );
        assert_eq!(read.from_tag().unwrap().unwrap(), "1");
        assert_eq!(read.to_tag().unwrap().unwrap().to_string(), "2");
        assert_eq!(read.contact(), Some(Ok(ContactValue::Star)));
        assert_eq!(read.call_id().unwrap().unwrap(), *"q@r");
        assert_eq!(read.cseq().unwrap().unwrap().number, 7);
        let wrong = message("t: <sip:a@b\r\ni: a b\r\nm: <sip:c@d>;q=1, sip:e@f\r\n");
        assert_eq!(wrong.to_tag().unwrap_err().kind, ValueErrorKind::Angle);
        assert_eq!(wrong.call_id().unwrap().unwrap_err().offset, 1);
        assert_eq!(wrong.contact(), wrong.contacts().next());
        assert!(matches!(wrong.contact(), Some(Ok(ContactValue::Addr(_)))));
        let without = (
            wrong.branch(),
            wrong.from_tag(),
            wrong.top_via(),
            wrong.cseq(),
        );
        assert_eq!(without, (Ok(None), Ok(None), None, None));
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

//! What a message that can be read does wrong: rules for its method, and values that nobody has
//! asked for yet.

use alloc::vec::Vec;

use super::bounds::may_repeat;
use super::edit::bit;
use super::presence::Presence;
use super::uri_parts::{UriPart, UriPlace};
use super::{ContactValue, Message, Method, Name, NameAddr, StatusCode, Uri};
use super::{Credentials, ValueErrorKind};

/// One thing that is wrong with a message, and where.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Where: the offset of the header's value, or the end of the message for what is missing.
    pub offset: usize,
    /// The response that a request with this fault is owed; `None` if it is to be lived with.
    pub status: Option<StatusCode>,
}

/// What is wrong with a message that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// A header that this kind of message must have is missing (3261 20).
    #[error("{0} is missing")]
    Missing(Name),
    /// A header that has no meaning in this kind of message, and is ignored (3261 20).
    #[error("{0} has no meaning here")]
    Meaningless(Name),
    /// A header that is no list has more than one row (3261 7.3.1); the first one counts.
    #[error("{0} is repeated")]
    Repeated(Name),
    /// A value that cannot be read.
    #[error("malformed {name}: {kind}")]
    Malformed {
        /// Which header.
        name: Name,
        /// What is wrong with its value.
        kind: ValueErrorKind,
    },
    /// From, or To of a response but 100, has no tag.
    #[error("{0} has no tag")]
    NoTag(Name),
    /// There is a body, and no Content-Type (3261 20.15).
    #[error("a body without Content-Type")]
    Untyped,
    /// The `*` of Contact does not stand alone in a REGISTER with Expires 0 (3261 10.2.2).
    #[error("* in Contact does not stand alone in a REGISTER with Expires: 0")]
    Star,
    /// A part of the Request-URI that has no meaning there (3261 19.1.1).
    #[error("the Request-URI has {0}, which does not belong there")]
    RequestUriPart(UriPart),
    /// A part of a URI that has no meaning where it stands (3261 19.1.1).
    #[error("the URI of {name} has {part}, which does not belong there")]
    UriPart {
        /// Which header.
        name: Name,
        /// Which part.
        part: UriPart,
    },
    /// The branch of the top Via is the magic cookie and nothing else: it identifies nothing.
    #[error("the branch of the top Via identifies no transaction")]
    Branch,
}

impl Message {
    /// Everything that is wrong with this message although it can be read, in no particular order:
    /// rules for its method, values of known headers that are malformed, and parts of URIs where
    /// they do not belong. Linear in the message; made for tools and logs, not for each datagram.
    ///
    /// ```
    /// use drongo::message::{FaultKind, Message, Name};
    ///
    /// let text = "INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h\r\nt: <sip:a@b>\r\n\
    ///     f: <sip:c@d>;tag=1\r\ni: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n";
    /// let faults = Message::parse(text.into())?.faults();
    /// assert_eq!(faults.len(), 1);
    /// assert_eq!(faults[0].kind, FaultKind::Missing(Name::Contact));
    /// # Ok::<(), drongo::message::ParseError>(())
    /// ```
    pub fn faults(&self) -> Vec<Fault> {
        let mut found = Found {
            message: self,
            faults: Vec::new(),
        };
        found.presence();
        found.tags_and_branch();
        found.values();
        found.star();
        found.uris();
        found.faults
    }

    /// The method of a request, or that of the request that a response answers.
    fn any_method(&self) -> Option<Method<'_>> {
        match self.method_bytes() {
            Some(method) => Method::parse(method).ok(),
            None => self
                .first(Name::CSeq)
                .and_then(|value| super::CSeq::parse(value).ok())
                .map(|cseq| cseq.method),
        }
    }
}

/// A response that is owed.
const REFUSE: Option<StatusCode> = Some(StatusCode::BAD_REQUEST);

struct Found<'m> {
    message: &'m Message,
    faults: Vec<Fault>,
}

impl<'m> Found<'m> {
    fn push(&mut self, kind: FaultKind, at: Option<Name>, status: Option<StatusCode>) {
        let entry = at.and_then(|name| self.message.entry(name));
        let end = self.message.bytes().len();
        let status = status.filter(|_| self.message.is_request());
        self.faults.push(Fault {
            kind,
            offset: entry.map_or(end, |entry| entry.value as usize),
            status,
        });
    }

    /// Headers that must be there and are not, and those that have no meaning here.
    fn presence(&mut self) {
        let Some(method) = self.message.any_method() else {
            return;
        };
        let status = self.message.status_code();
        for name in Presence::mandatory(method, status).chain(self.extension_headers(method)) {
            if self.message.first(name).is_none() {
                self.push(FaultKind::Missing(name), None, None);
            }
        }
        let mut last = None;
        let headers = self.message.headers().map(|header| header.name);
        let mut meaningless: Vec<Name> = headers
            .filter(|name| Presence::of(*name, method, status) == Some(Presence::Never))
            .collect();
        meaningless.sort_unstable();
        for name in meaningless {
            if last.replace(name) != Some(name) {
                self.push(FaultKind::Meaningless(name), Some(name), None);
            }
        }
        self.repeated();
        let untyped = self.message.first(Name::ContentType).is_none();
        if untyped && !self.message.body_slice().is_empty() {
            self.push(FaultKind::Untyped, None, None);
        }
    }

    /// Rows of headers of RFC 3261 that are no lists.
    fn repeated(&mut self) {
        let known = |name| Presence::of(name, Method::Options, None).is_some();
        let mut seen = 0_u128;
        for entry in self.message.entries() {
            let this = bit(entry.name);
            if seen & this != 0 && known(entry.name) && !may_repeat(entry.name) {
                self.faults.push(Fault {
                    kind: FaultKind::Repeated(entry.name),
                    offset: entry.value as usize,
                    status: None,
                });
            }
            seen |= this;
        }
    }

    /// What requests of extensions must have (3262 7.2, 3515 2.1, 6665 8.1).
    fn extension_headers(&self, method: Method<'_>) -> impl Iterator<Item = Name> + use<> {
        let names: &[Name] = match method {
            _ if !self.message.is_request() => &[],
            Method::Prack => &[Name::RAck],
            Method::Refer => &[Name::ReferTo, Name::Contact, Name::MaxForwards],
            Method::Subscribe => &[Name::Event, Name::Contact, Name::MaxForwards],
            Method::Notify => &[
                Name::Event,
                Name::SubscriptionState,
                Name::Contact,
                Name::MaxForwards,
            ],
            Method::Publish => &[Name::Event, Name::MaxForwards],
            Method::Message | Method::Info | Method::Other(_) => &[Name::MaxForwards],
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Register
            | Method::Update => &[],
        };
        names.iter().copied()
    }

    fn tags_and_branch(&mut self) {
        let without_tag = |name| {
            let value = self.message.first(name);
            value
                .and_then(|value| NameAddr::parse(value).ok())
                .is_some_and(|a| a.tag().is_none())
        };
        let status = self.message.status_code();
        let to_needs_tag = status.is_some_and(|status| status != StatusCode::TRYING);
        let (from, to) = (
            without_tag(Name::From),
            to_needs_tag && without_tag(Name::To),
        );
        if from {
            self.push(FaultKind::NoTag(Name::From), Some(Name::From), None);
        }
        if to {
            self.push(FaultKind::NoTag(Name::To), Some(Name::To), None);
        }
        let top = self.message.vias().next().and_then(Result::ok);
        let branch = top.and_then(|via| via.branch());
        if branch.is_some_and(|branch| branch.eq_ignore_ascii_case(super::MAGIC_COOKIE)) {
            self.push(FaultKind::Branch, Some(Name::Via), REFUSE);
        }
    }

    /// Reads every typed value. What routes a request, or must not be ignored, refuses it.
    fn values(&mut self) {
        let m = self.message;
        self.list(Name::Contact, REFUSE, m.contacts().map(drop_value));
        self.list(Name::Route, REFUSE, m.routes().map(drop_value));
        self.list(Name::RecordRoute, REFUSE, m.record_routes().map(drop_value));
        self.list(Name::Path, REFUSE, m.paths().map(drop_value));
        self.list(Name::Require, REFUSE, m.require().map(drop_value));
        self.list(
            Name::ProxyRequire,
            REFUSE,
            m.proxy_require().map(drop_value),
        );
        self.one(Name::Replaces, REFUSE, m.replaces());
        self.one(Name::Join, REFUSE, m.join());
        self.one(Name::ReferTo, REFUSE, m.refer_to());
        self.one(Name::RAck, REFUSE, m.rack());
        self.one(Name::Event, REFUSE, m.event());
        self.one(Name::SubscriptionState, REFUSE, m.subscription_state());
        self.one(Name::ContentType, REFUSE, m.content_type());
        self.one(Name::MaxForwards, None, m.max_forwards());
        self.one(Name::SessionExpires, None, m.session_expires());
        self.one(Name::MinSe, None, m.min_se());
        self.one(Name::TargetDialog, None, m.target_dialog());
        self.one(Name::RSeq, None, m.rseq());
        self.one(Name::ContentDisposition, None, m.content_disposition());
        self.one(Name::Date, None, m.date());
        self.one(Name::Expires, None, m.expires());
        self.one(Name::MinExpires, None, m.min_expires());
        self.one(Name::MimeVersion, None, m.mime_version());
        self.one(Name::ReplyTo, None, m.reply_to());
        self.one(Name::RetryAfter, None, m.retry_after());
        self.one(Name::Timestamp, None, m.timestamp());
        self.one(Name::Priority, None, Some(m.priority()));
        self.one(Name::Privacy, None, m.privacy());
        self.one(Name::ReferredBy, None, m.referred_by());
        self.one(Name::ReferSub, None, m.refer_sub());
        self.one(Name::FlowTimer, None, m.flow_timer());
        self.one(Name::MaxBreadth, None, m.max_breadth());
        self.one(Name::SipETag, None, m.sip_etag());
        self.one(Name::SipIfMatch, None, m.sip_if_match());
        self.more_lists();
        self.empty_lists();
    }

    /// Lists that hold at least one value wherever they are (3261 25.1).
    fn empty_lists(&mut self) {
        let kind = ValueErrorKind::Empty;
        for name in [
            Name::Contact,
            Name::Require,
            Name::ProxyRequire,
            Name::Unsupported,
            Name::Route,
            Name::RecordRoute,
            Name::ContentEncoding,
            Name::Warning,
        ] {
            let mut rows = self.message.all(name).peekable();
            let empty =
                rows.peek().is_some() && rows.all(|row| super::split_commas(row).next().is_none());
            if empty {
                let status = REFUSE.filter(|_| name != Name::Warning);
                self.push(FaultKind::Malformed { name, kind }, Some(name), status);
            }
        }
    }

    fn more_lists(&mut self) {
        let m = self.message;
        // Lower hops do not bear on what is done here.
        self.list(Name::Via, None, m.vias().map(drop_value));
        self.list(Name::Supported, None, m.supported().map(drop_value));
        self.list(Name::Unsupported, None, m.unsupported().map(drop_value));
        self.list(Name::Allow, None, m.allow().map(drop_value));
        self.list(Name::AllowEvents, None, m.allow_events().map(drop_value));
        self.list(Name::Accept, None, m.accept().map(drop_value));
        self.list(
            Name::AcceptEncoding,
            None,
            m.accept_encoding().map(drop_value),
        );
        self.list(
            Name::AcceptLanguage,
            None,
            m.accept_language().map(drop_value),
        );
        self.list(
            Name::ContentEncoding,
            None,
            m.content_encoding().map(drop_value),
        );
        self.list(
            Name::ContentLanguage,
            None,
            m.content_language().map(drop_value),
        );
        self.list(Name::AlertInfo, None, m.alert_info().map(drop_value));
        self.list(Name::CallInfo, None, m.call_info().map(drop_value));
        self.list(Name::ErrorInfo, None, m.error_info().map(drop_value));
        self.list(Name::InReplyTo, None, m.in_reply_to().map(drop_value));
        self.list(Name::Warning, None, m.warnings().map(drop_value));
        self.list(Name::Reason, None, m.reasons().map(drop_value));
        self.list(Name::HistoryInfo, None, m.history_info().map(drop_value));
        self.list(Name::Diversion, None, m.diversions().map(drop_value));
        self.list(Name::RecvInfo, None, m.recv_info().map(drop_value));
        self.list(Name::ServiceRoute, None, m.service_routes().map(drop_value));
        let asserted = m.asserted_identities().map(drop_value);
        self.list(Name::PAssertedIdentity, None, asserted);
        let preferred = m.preferred_identities().map(drop_value);
        self.list(Name::PPreferredIdentity, None, preferred);
        let challenges = m.www_authenticate().map(drop_value);
        self.list(Name::WwwAuthenticate, None, challenges);
        let challenges = m.proxy_authenticate().map(drop_value);
        self.list(Name::ProxyAuthenticate, None, challenges);
        let authorization = m.authorization().map(drop_value::<Credentials<'_>>);
        self.list(Name::Authorization, None, authorization);
        let authorization = m.proxy_authorization().map(drop_value::<Credentials<'_>>);
        self.list(Name::ProxyAuthorization, None, authorization);
    }

    fn one<T>(
        &mut self,
        name: Name,
        status: Option<StatusCode>,
        value: Option<Result<T, super::ValueError>>,
    ) {
        self.list(name, status, value.into_iter().map(drop_value));
    }

    fn list(
        &mut self,
        name: Name,
        status: Option<StatusCode>,
        mut values: impl Iterator<Item = Result<(), super::ValueError>>,
    ) {
        if let Some(error) = values.find_map(Result::err) {
            let kind = error.kind;
            self.push(FaultKind::Malformed { name, kind }, Some(name), status);
        }
    }

    fn star(&mut self) {
        let is_star = |value: &Result<ContactValue<'_>, _>| matches!(value, Ok(ContactValue::Star));
        if !self.message.contacts().any(|value| is_star(&value)) {
            return;
        }
        let register = self.message.method_bytes() == Some(b"REGISTER");
        let alone = self.message.contacts().count() == 1;
        if !register || !alone || self.message.expires() != Some(Ok(0)) {
            self.push(FaultKind::Star, Some(Name::Contact), REFUSE);
        }
    }

    /// Parts of URIs where they have no meaning.
    fn uris(&mut self) {
        let request_uri = self
            .message
            .uri_bytes()
            .and_then(|raw| Uri::parse(raw).ok());
        if let Some(Uri::Sip(uri)) = request_uri {
            let offset = self
                .message
                .uri_range()
                .map_or(0, |range| range.start as usize);
            let parts = UriPart::of(&uri).filter(|part| !part.belongs_in(UriPlace::RequestUri));
            self.faults.extend(parts.map(|part| Fault {
                kind: FaultKind::RequestUriPart(part),
                offset,
                // Headers in it would end up in the message (4475 3.1.2.11).
                status: REFUSE.filter(|_| part == UriPart::Headers),
            }));
        }
        for (name, place) in [(Name::From, UriPlace::From), (Name::To, UriPlace::To)] {
            let address = self
                .message
                .first(name)
                .and_then(|v| NameAddr::parse(v).ok());
            let Some(Uri::Sip(uri)) = address.map(|address| address.uri()) else {
                continue;
            };
            for part in UriPart::of(&uri).filter(|part| !part.belongs_in(place)) {
                self.push(FaultKind::UriPart { name, part }, Some(name), None);
            }
        }
    }
}

fn drop_value<T>(value: Result<T, super::ValueError>) -> Result<(), super::ValueError> {
    value.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        To: <sip:a@b>\r\nFrom: <sip:c@d>;tag=1\r\nCall-ID: 1\r\n";

    fn faults(method: &str, more: &str) -> Vec<(FaultKind, Option<u16>)> {
        let text = format!("{method} sip:a@b SIP/2.0\r\n{LINES}CSeq: 1 {method}\r\n{more}\r\n");
        let faults = Message::parse(text.into()).unwrap().faults();
        faults
            .into_iter()
            .map(|f| (f.kind, f.status.map(StatusCode::as_u16)))
            .collect()
    }

    #[test]
    fn a_faultless_request_has_no_faults() {
        assert_eq!(faults("OPTIONS", "Accept: application/sdp\r\n"), []);
        assert_eq!(
            faults("INVITE", "Contact: <sip:c@d:5070;transport=tcp>\r\n"),
            []
        );
    }

    #[test]
    fn what_a_method_must_have_is_missed() {
        for (method, names) in [
            ("INVITE", &[Name::Contact][..]),
            ("UPDATE", &[Name::Contact]),
            ("PRACK", &[Name::RAck]),
            ("REFER", &[Name::ReferTo, Name::Contact]),
            ("SUBSCRIBE", &[Name::Event, Name::Contact]),
            (
                "NOTIFY",
                &[Name::Event, Name::SubscriptionState, Name::Contact],
            ),
            ("PUBLISH", &[Name::Event]),
            ("BYE", &[]),
        ] {
            let missing: Vec<_> = names
                .iter()
                .map(|n| (FaultKind::Missing(*n), None))
                .collect();
            assert_eq!(faults(method, ""), missing, "{method}");
        }
    }

    #[test]
    fn headers_without_meaning_and_malformed_ones_are_told() {
        // 3261-7.3.2-01, 3261-7.3.2-02
        let told = faults("BYE", "Retry-After: 5\r\nm: <sip:a@b>\r\nWarning: x\r\n");
        for name in [Name::RetryAfter, Name::Contact, Name::Warning] {
            assert!(
                told.contains(&(FaultKind::Meaningless(name), None)),
                "{name}"
            );
        }
        let response = format!("SIP/2.0 200 OK\r\n{LINES}CSeq: 1 BYE\r\nPriority: urgent\r\n\r\n");
        let told = Message::parse(response.into()).unwrap().faults();
        let has = |kind| {
            told.iter()
                .any(|fault| fault.kind == kind && fault.status.is_none())
        };
        assert!(has(FaultKind::Meaningless(Name::Priority)));
        assert!(has(FaultKind::NoTag(Name::To)));
    }

    #[test]
    fn only_lists_and_authentication_are_repeated() {
        // 3261-7.3.1-12
        for (row, name) in [
            ("Date: Sat, 13 Nov 2010 23:29:00 GMT", Name::Date),
            ("Subject: a, b", Name::Subject),
            ("Content-Disposition: render", Name::ContentDisposition),
            ("Timestamp: 1", Name::Timestamp),
            ("User-Agent: x", Name::UserAgent),
        ] {
            let told = faults("INVITE", &format!("m: <sip:a@b>\r\n{row}\r\n{row}\r\n"));
            assert_eq!(told, [(FaultKind::Repeated(name), None)]);
        }
        for row in [
            "Allow: A",
            "k: x",
            "Accept: a/b",
            "Route: <sip:a>",
            "Authorization: D a=b",
        ] {
            let told = faults("OPTIONS", &format!("{row}\r\n{row}\r\n"));
            assert_eq!(told, [], "{row}");
        }
    }

    #[test]
    fn lists_that_need_a_value_have_one() {
        // 3261-20.37-02, 3261-25.1-21
        let empty = |name| {
            let kind = ValueErrorKind::Empty;
            (FaultKind::Malformed { name, kind }, Some(400))
        };
        let names = [
            ("Require", Name::Require),
            ("Proxy-Require", Name::ProxyRequire),
            ("Unsupported", Name::Unsupported),
            ("Contact", Name::Contact),
        ];
        for (text, name) in names {
            for value in ["", " , ,"] {
                let told = faults("OPTIONS", &format!("{text}:{value}\r\n"));
                assert!(told.contains(&empty(name)), "{text}");
            }
        }
        let lists = "Accept:\r\nAccept-Encoding:\r\nAccept-Language:\r\nAllow:\r\nk:\r\n";
        assert_eq!(faults("OPTIONS", lists), []);
    }

    #[test]
    fn what_must_not_be_ignored_refuses_the_request() {
        let of = |name, kind, status| (FaultKind::Malformed { name, kind }, status);
        let told = faults("OPTIONS", "Require: a b\r\nDate: today\r\nRoute: sip:a\r\n");
        for fault in [
            of(Name::Require, ValueErrorKind::Token, Some(400)),
            of(Name::Route, ValueErrorKind::Angle, Some(400)),
            of(Name::Date, ValueErrorKind::Date, None),
        ] {
            assert!(told.contains(&fault), "{fault:?}");
        }
    }

    #[test]
    fn the_star_stands_alone() {
        // 3261-7.3-03
        let star = (FaultKind::Star, Some(400));
        assert!(!faults("REGISTER", "m: *\r\nExpires: 0\r\n").contains(&star));
        for (method, more) in [
            ("REGISTER", "m: *, <sip:a@b>\r\nExpires: 0\r\n"),
            ("REGISTER", "m: *\r\n"),
            ("REGISTER", "m: *\r\nExpires: 3600\r\n"),
            ("INVITE", "m: *\r\nExpires: 0\r\n"),
        ] {
            assert!(faults(method, more).contains(&star), "{method} {more}");
        }
    }

    #[test]
    fn parts_of_a_uri_that_do_not_belong_there_are_told() {
        // 3261-19.1.1-18
        let text = format!("OPTIONS sip:a@b?x=y SIP/2.0\r\n{LINES}CSeq: 1 OPTIONS\r\n\r\n");
        let text = text.replace("sip:c@d", "sip:c@d:5060;lr");
        let told = Message::parse(text.into()).unwrap().faults();
        let parts: Vec<_> = told.iter().map(|f| (f.kind, f.status.is_some())).collect();
        let part = |name, part, refused| (FaultKind::UriPart { name, part }, refused);
        assert_eq!(
            parts,
            [
                (FaultKind::RequestUriPart(UriPart::Headers), true),
                part(Name::From, UriPart::Port, false),
                part(Name::From, UriPart::Lr, false),
            ]
        );
    }

    #[test]
    fn an_empty_branch_identifies_nothing() {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{LINES}CSeq: 1 OPTIONS\r\n\r\n");
        let text = text.replace("z9hG4bK1", "z9hG4bK");
        let told = Message::parse(text.into()).unwrap().faults();
        assert_eq!(told[0].kind, FaultKind::Branch);
        let untyped = faults("OPTIONS", "\r\nbody");
        assert!(untyped.contains(&(FaultKind::Untyped, None)));
    }
}

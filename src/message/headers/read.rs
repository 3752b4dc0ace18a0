//! The values of a message's headers by name, beyond those that routing and transactions need.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::super::scan::{digits_u32, trim};
use super::super::values::{Values, WholeRows, lists, rows, singles, tokens};
use super::super::{ContentType, Message, Name, NameAddr, RetryAfter, ValueError};
use super::super::{ValueErrorKind, parse_call_id, parse_delta_seconds};
use super::content::{language_tag, mime_version, one_token};
use super::*;

/// Headers of extensions and of RFC 3261 20 that core machines do not need. A list yields nothing
/// if the header is absent; a single value is `None` then.
impl Message {
    lists! {
        /// Accept-Encoding. Absent or empty, only `identity` is taken (RFC 3261 20.2).
        accept_encoding: AcceptEncoding => Coding<'_>,
        /// Accept-Language. Absent, every language is taken (RFC 3261 20.3).
        accept_language: AcceptLanguage => LanguageRange<'_>,
        /// Alert-Info.
        alert_info: AlertInfo => Reference<'_>,
        /// Call-Info.
        call_info: CallInfo => Reference<'_>,
        /// Error-Info.
        error_info: ErrorInfo => Reference<'_>,
        /// Warning.
        warnings: Warning => Warning<'_>,
        /// Accept-Contact (RFC 3841).
        accept_contact: AcceptContact => FeatureSet<'_>,
        /// Reject-Contact (RFC 3841).
        reject_contact: RejectContact => FeatureSet<'_>,
        /// Feature-Caps (RFC 6809).
        feature_caps: FeatureCaps => FeatureSet<'_>,
        /// Diversion (RFC 5806), the last one first.
        diversions: Diversion => Diversion<'_>,
        /// Geolocation (RFC 6442).
        geolocation: Geolocation => Reference<'_>,
        /// History-Info (RFC 7044), the oldest entry first.
        history_info: HistoryInfo => HistoryEntry<'_>,
        /// Identity (RFC 8224).
        identities: Identity => Identity<'_>,
        /// P-Asserted-Identity (RFC 3325).
        asserted_identities: PAssertedIdentity => NameAddr<'_>,
        /// P-Preferred-Identity (RFC 3325).
        preferred_identities: PPreferredIdentity => NameAddr<'_>,
        /// P-Associated-URI (RFC 7315).
        associated_uris: PAssociatedUri => NameAddr<'_>,
        /// Reason (RFC 3326).
        reasons: Reason => Reason<'_>,
        /// Recv-Info (RFC 6086). Present and empty, the sender wants no INFO.
        recv_info: RecvInfo => InfoPackage<'_>,
        /// Security-Client (RFC 3329).
        security_client: SecurityClient => SecurityMechanism<'_>,
        /// Security-Server (RFC 3329).
        security_server: SecurityServer => SecurityMechanism<'_>,
        /// Security-Verify (RFC 3329).
        security_verify: SecurityVerify => SecurityMechanism<'_>,
    }

    tokens! {
        /// Content-Encoding: the codings in the order in which they were applied.
        content_encoding: ContentEncoding,
        /// Request-Disposition (RFC 3841).
        request_disposition: RequestDisposition,
    }

    rows! {
        /// The rows of WWW-Authenticate, which are never split at commas.
        www_authenticate: WwwAuthenticate => Challenge<'_>,
        /// The rows of Proxy-Authenticate.
        proxy_authenticate: ProxyAuthenticate => Challenge<'_>,
        /// The rows of Authorization.
        authorization: Authorization => Credentials<'_>,
        /// The rows of Proxy-Authorization.
        proxy_authorization: ProxyAuthorization => Credentials<'_>,
    }

    singles! {
        /// Authentication-Info.
        authentication_info: AuthenticationInfo => AuthInfo::parse => AuthInfo<'_>,
        /// Content-Disposition; see [`Message::disposition`].
        content_disposition: ContentDisposition => Disposition::parse => Disposition<'_>,
        /// Date.
        date: Date => Date::parse => Date,
        /// MIME-Version: major and minor number.
        mime_version: MimeVersion => mime_version => (u32, u32),
        /// Reply-To.
        reply_to: ReplyTo => NameAddr::parse => NameAddr<'_>,
        /// Retry-After.
        retry_after: RetryAfter => RetryAfter::parse => RetryAfter<'_>,
        /// Answer-Mode (RFC 5373).
        answer_mode: AnswerMode => AnswerMode::parse => AnswerMode<'_>,
        /// Priv-Answer-Mode (RFC 5373).
        priv_answer_mode: PrivAnswerMode => AnswerMode::parse => AnswerMode<'_>,
        /// Event (RFC 6665).
        event: Event => Event::parse => Event<'_>,
        /// Flow-Timer, in seconds (RFC 5626).
        flow_timer: FlowTimer => parse_delta_seconds => u32,
        /// Info-Package (RFC 6086).
        info_package: InfoPackage => InfoPackage::parse => InfoPackage<'_>,
        /// Join (RFC 3911).
        join: Join => Join::parse => Join<'_>,
        /// Max-Breadth, a positive number (RFC 5393).
        max_breadth: MaxBreadth => breadth => u32,
        /// Min-SE (RFC 4028).
        min_se: MinSe => MinSe::parse => MinSe<'_>,
        /// P-Called-Party-ID (RFC 7315).
        called_party: PCalledPartyId => NameAddr::parse => NameAddr<'_>,
        /// Privacy (RFC 3323).
        privacy: Privacy => Privacy::parse => Privacy<'_>,
        /// Refer-Events-At (RFC 7614).
        refer_events_at: ReferEventsAt => Reference::parse => Reference<'_>,
        /// Refer-Sub (RFC 4488).
        refer_sub: ReferSub => ReferSub::parse => ReferSub<'_>,
        /// Referred-By (RFC 3892).
        referred_by: ReferredBy => ReferredBy::parse => ReferredBy<'_>,
        /// Replaces (RFC 3891).
        replaces: Replaces => Replaces::parse => Replaces<'_>,
        /// Session-Expires (RFC 4028).
        session_expires: SessionExpires => SessionExpires::parse => SessionExpires<'_>,
        /// SIP-ETag (RFC 3903).
        sip_etag: SipETag => one_token => &str,
        /// SIP-If-Match (RFC 3903).
        sip_if_match: SipIfMatch => one_token => &str,
        /// Subscription-State (RFC 6665).
        subscription_state: SubscriptionState => SubscriptionState::parse => SubscriptionState<'_>,
        /// Suppress-If-Match: an entity tag, or `*` (RFC 5839).
        suppress_if_match: SuppressIfMatch => one_token => &str,
        /// Target-Dialog (RFC 4538).
        target_dialog: TargetDialog => TargetDialog::parse => TargetDialog<'_>,
    }

    /// The Call-IDs of In-Reply-To.
    pub fn in_reply_to(&self) -> Values<'_, &str> {
        Values::plain(self, Name::InReplyTo, parse_call_id)
    }

    /// The tags of Content-Language.
    pub fn content_language(&self) -> Values<'_, &str> {
        Values::plain(self, Name::ContentLanguage, language_tag)
    }

    /// The words of Server.
    pub fn server(&self) -> Option<Products<'_>> {
        self.first(Name::Server).map(Products::new)
    }

    /// The words of User-Agent.
    pub fn user_agent(&self) -> Option<Products<'_>> {
        self.first(Name::UserAgent).map(Products::new)
    }

    /// Subject, with each fold as one space. It may be empty, and it need not be UTF-8.
    pub fn subject(&self) -> Option<Cow<'_, [u8]>> {
        self.first(Name::Subject).map(unfolded)
    }

    /// Organization, as [`Message::subject`].
    pub fn organization(&self) -> Option<Cow<'_, [u8]>> {
        self.first(Name::Organization).map(unfolded)
    }

    /// Priority; [`Normal`](Priority::Normal) if it is absent.
    ///
    /// # Errors
    ///
    /// As [`Priority::parse`].
    pub fn priority(&self) -> Result<Priority<'_>, ValueError> {
        self.first(Name::Priority)
            .map_or(Ok(Priority::Normal), Priority::parse)
    }

    /// What the body is for: Content-Disposition, or what holds without (RFC 3261 20.11).
    ///
    /// # Errors
    ///
    /// As [`Disposition::parse`].
    pub fn disposition(&self) -> Result<Disposition<'_>, ValueError> {
        let kind = self.content_type().and_then(Result::ok);
        self.content_disposition()
            .unwrap_or_else(|| Ok(Disposition::default_of(kind.as_ref())))
    }

    /// Whether the sender takes a body of this type: by the range of Accept that fits best, unless
    /// its `q` is 0. Without Accept, SDP is taken and nothing else (RFC 3261 20.1).
    ///
    /// ```
    /// use drongo::message::{ContentType, Message};
    ///
    /// let text = "OPTIONS sip:a@b SIP/2.0\r\nAccept: application/*, application/sdp;q=0\r\n\r\n";
    /// let message = Message::parse(text.into())?;
    /// assert!(!message.accepts(&ContentType::SDP));
    /// # Ok::<(), drongo::message::ParseError>(())
    /// ```
    pub fn accepts(&self, content_type: &ContentType<'_>) -> bool {
        if self.first(Name::Accept).is_none() {
            return content_type.is("application", "sdp");
        }
        let exactness = |range: &ContentType<'_>| match (range.kind(), range.subtype()) {
            ("*", _) => 0_u8,
            (_, "*") => 1,
            _ => 2,
        };
        let fitting = self
            .accept()
            .flatten()
            .filter(|range| range.admits(content_type));
        fitting
            .max_by_key(exactness)
            .is_some_and(|range| quality(range.params().get("q").and_then(|q| q.value)) > 0)
    }

    /// Whether the sender takes a body in this coding. `identity` is always taken unless Accept
    /// says otherwise, and nothing else is without Accept-Encoding (RFC 3261 20.2).
    pub fn accepts_encoding(&self, coding: &str) -> bool {
        let q = |name: &str| {
            let mut codings = self.accept_encoding().flatten();
            codings
                .find(|one| one.name().eq_ignore_ascii_case(name))
                .map(|one| one.q().unwrap_or_default())
        };
        let otherwise = u16::from(coding.eq_ignore_ascii_case("identity"));
        q(coding).or_else(|| q("*")).unwrap_or(otherwise) > 0
    }

    /// Whether the sender reads this language: by the range of Accept-Language that fits best,
    /// unless its `q` is 0. Without the header, or with an empty one, any (RFC 3261 20.3).
    pub fn accepts_language(&self, tag: &str) -> bool {
        let mut ranges = self.accept_language().flatten().peekable();
        if ranges.peek().is_none() {
            return true;
        }
        ranges
            .filter(|range| range.tag() == "*" || is_prefix(range.tag(), tag))
            .max_by_key(|range| {
                if range.tag() == "*" {
                    0
                } else {
                    range.tag().len()
                }
            })
            .is_some_and(|range| range.q().unwrap_or_default() > 0)
    }
}

/// Lifetimes of bindings.
impl Message {
    /// How long a contact of this REGISTER, or of this redirect, shall hold, in seconds: its
    /// `expires`, else Expires. A malformed one counts as 3600, and so do both if they are missing
    /// (RFC 3261 10.2.1.1, 10.3, 20.10, 20.19).
    pub fn contact_lifetime(&self, contact: &NameAddr<'_>) -> u32 {
        match contact.expires() {
            Ok(Some(seconds)) => seconds,
            Ok(None) => self
                .expires()
                .and_then(Result::ok)
                .unwrap_or(DEFAULT_LIFETIME),
            Err(_) => DEFAULT_LIFETIME,
        }
    }
}

/// Seconds (RFC 3261 10.2.1.1).
const DEFAULT_LIFETIME: u32 = 3600;

/// Whether a language range is a tag or the first parts of one, without regard to case.
fn is_prefix(range: &str, tag: &str) -> bool {
    tag.split_at_checked(range.len())
        .is_some_and(|(head, tail)| {
            head.eq_ignore_ascii_case(range) && (tail.is_empty() || tail.starts_with('-'))
        })
}

fn quality(q: Option<&[u8]>) -> u16 {
    q.map_or(1000, |q| {
        super::super::name_addr::parse_q(q).unwrap_or_default()
    })
}

/// From 1 (RFC 5393 5.3.1).
fn breadth(value: &[u8]) -> Result<u32, ValueError> {
    match digits_u32(trim(value)) {
        Ok(0) => Err(ValueError::new(ValueErrorKind::Overflow, 0)),
        Ok(breadth) => Ok(breadth),
        Err(kind) => Err(ValueError::new(kind, 0)),
    }
}

/// Text on one line.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut text = Vec::with_capacity(value.len());
    super::super::print::unfolded(value, &mut |piece| text.extend_from_slice(piece));
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn message(lines: &str) -> Message {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{lines}\r\n");
        Message::parse(text.into()).unwrap()
    }

    fn media(text: &str) -> ContentType<'_> {
        ContentType::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn without_accept_sdp_is_taken_and_with_an_empty_one_nothing() {
        // 3261-20.1-02, 3261-20.1-03
        let absent = message("");
        assert!(absent.accepts(&ContentType::SDP) && !absent.accepts(&media("text/plain")));
        let empty = message("Accept:\r\n");
        assert_eq!(empty.accept().count(), 0);
        assert!(!empty.accepts(&ContentType::SDP) && !empty.accepts(&media("text/plain")));
        let ranges = message("Accept: text/*;q=0.5, text/html;q=0\r\nAccept: */*;q=0\r\n");
        assert!(ranges.accepts(&media("text/plain")));
        assert!(!ranges.accepts(&media("text/html")) && !ranges.accepts(&ContentType::SDP));
    }

    #[test]
    fn without_accept_encoding_or_with_an_empty_one_only_identity_is_taken() {
        // 3261-20.2-01, 3261-20.2-02
        for lines in ["", "Accept-Encoding:\r\n"] {
            let message = message(lines);
            assert!(message.accepts_encoding("identity") && !message.accepts_encoding("gzip"));
        }
        let gzip = message("Accept-Encoding: GZIP, identity;q=0\r\n");
        assert!(gzip.accepts_encoding("gzip") && !gzip.accepts_encoding("identity"));
        assert!(message("Accept-Encoding: *\r\n").accepts_encoding("br"));
    }

    #[test]
    fn without_accept_language_every_language_is_read() {
        // 3261-20.3-01, 3261-20.3-02
        for lines in ["", "Accept-Language:\r\n"] {
            assert!(message(lines).accepts_language("da"), "{lines}");
        }
        let some = message("Accept-Language: da, en-gb;q=0.8, en;q=0, fr;q=0\r\n");
        assert!(some.accepts_language("DA-dk") && some.accepts_language("en-GB"));
        assert!(!some.accepts_language("en") && !some.accepts_language("dan"));
        assert!(!some.accepts_language("fr-ca") && !some.accepts_language("de"));
    }

    #[test]
    fn only_lists_are_split_at_commas() {
        // 3261-7.3-01, 3261-7.3.1-23, 3261-20.17-02, 3261-25.1-41
        let message = message(
            "Subject: a, b\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\nUser-Agent: Foo (x, y)\r\n\
             X-Odd: \"a, <b;c, ;;,\r\nAllow: A, B\r\n",
        );
        assert_eq!(message.subject().as_deref(), Some(&b"a, b"[..]));
        assert_eq!(message.date().unwrap().unwrap().day, 13);
        let words: Vec<_> = message.user_agent().unwrap().collect();
        assert_eq!(words[1], Ok(Product::Comment(b"(x, y)")));
        assert_eq!(
            message.all_named("x-odd").collect::<Vec<_>>(),
            [b"\"a, <b;c, ;;,"]
        );
        assert_eq!(message.allow().count(), 2);
    }

    #[test]
    fn rows_of_authentication_are_values_of_their_own() {
        // 3261-7.3.1-13
        let message = message(
            "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n\
             WWW-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\nAuthorization: Digest a=b\r\n\
             Proxy-Authenticate: Digest realm=\"c\"\r\nProxy-Authorization: Digest c=d,e=f\r\n",
        );
        let realms = message
            .www_authenticate()
            .map(|row| row.unwrap().realm().unwrap());
        assert_eq!(realms.collect::<Vec<_>>(), [&b"a"[..], b"b"]);
        assert_eq!(message.proxy_authenticate().count(), 1);
        assert_eq!(message.authorization().count(), 1);
        assert_eq!(message.proxy_authorization().count(), 1);
        assert!(message.proxy_authorization().all(|row| row.is_ok()));
    }

    #[test]
    fn texts_and_lists_may_be_empty_where_the_grammar_says_so() {
        // 3261-20.5-03, 3261-20.25-01, 3261-20.36-01
        let empty = message("s :\r\nOrganization:\r\nAllow:\r\n");
        assert_eq!(empty.subject().as_deref(), Some(&b""[..]));
        assert_eq!(empty.organization().as_deref(), Some(&b""[..]));
        assert_eq!(empty.allow().count(), 0);
        let methods: Result<Vec<_>, _> = message("Allow: INVITE, invite\r\n")
            .allow()
            .map(|method| method.map(|m| Method::parse(m.as_bytes()) == Ok(Method::Invite)))
            .collect();
        assert_eq!(methods, Ok([true, false].to_vec()));
        assert_eq!(message("").subject(), None);
        let folded = message("Subject: one\r\n  two\r\n");
        assert_eq!(folded.subject().as_deref(), Some(&b"one two"[..]));
    }

    #[test]
    fn unquoted_text_beyond_ascii_is_kept_and_is_no_token() {
        // 3261-25.1-14
        let text = message("Subject: \u{e9}t\u{e9}\r\nX-New: \u{e9}\r\nk: \u{e9}\r\n");
        assert_eq!(text.subject().as_deref(), Some("\u{e9}t\u{e9}".as_bytes()));
        assert_eq!(text.all_named("X-New").next(), Some("\u{e9}".as_bytes()));
        assert!(text.supported().next().unwrap().is_err());
    }

    #[test]
    fn single_values_are_not_lists() {
        // 3261-20.31-01
        assert!(
            message("Reply-To: Bob <sip:bob@biloxi.com>\r\n")
                .reply_to()
                .unwrap()
                .is_ok()
        );
        assert!(
            message("Reply-To: sip:bob@biloxi.com;x\r\n")
                .reply_to()
                .unwrap()
                .is_ok()
        );
        let list = message("Reply-To: <sip:a@b>, <sip:c@d>\r\n");
        assert!(list.reply_to().unwrap().is_err());
    }

    #[test]
    fn a_malformed_lifetime_is_an_hour() {
        // 3261-20.10-03, 3261-20.19-02
        let lifetime = |contact: &str, lines: &str| {
            message(lines).contact_lifetime(&NameAddr::parse(contact.as_bytes()).unwrap())
        };
        assert_eq!(lifetime("<sip:a@b>;expires=60", "Expires: 5\r\n"), 60);
        assert_eq!(lifetime("<sip:a@b>", "Expires: 5\r\n"), 5);
        let date = "Expires: Thu, 01 Dec 1994 16:00:00 GMT\r\n";
        assert_eq!(lifetime("<sip:a@b>", date), 3600);
        assert_eq!(lifetime("<sip:a@b>", "Expires: 4294967296\r\n"), 3600);
        assert_eq!(lifetime("<sip:a@b>;expires=soon", "Expires: 5\r\n"), 3600);
        assert_eq!(lifetime("<sip:a@b>;expires=4294967296", ""), 3600);
        assert_eq!(lifetime("<sip:a@b>", ""), 3600);
    }

    #[test]
    fn without_priority_a_request_is_normal() {
        // 3261-20.26-02
        assert_eq!(message("").priority(), Ok(Priority::Normal));
        assert_eq!(
            message("Priority: Urgent\r\n").priority(),
            Ok(Priority::Urgent)
        );
        assert!(message("Priority:\r\n").priority().is_err());
    }

    #[test]
    fn codings_come_in_the_order_in_which_they_were_applied() {
        // 3261-20.12-02
        let message = message("Content-Encoding: tar, gzip\r\ne: compress\r\n");
        let codings: Result<Vec<_>, _> = message.content_encoding().collect();
        assert_eq!(codings, Ok(["tar", "gzip", "compress"].to_vec()));
    }

    #[test]
    fn max_breadth_is_a_positive_number_and_nothing_else() {
        // 5393-5.3.1-01
        let breadth = |value: &str| message(&format!("Max-Breadth: {value}\r\n")).max_breadth();
        assert_eq!(breadth("60"), Some(Ok(60)));
        for wrong in ["0", "-1", "60;x=y", "60 30", "", "4294967296"] {
            assert!(breadth(wrong).unwrap().is_err(), "{wrong}");
        }
        assert_eq!(message("").max_breadth(), None);
    }

    #[test]
    fn headers_of_extensions_are_read_by_name() {
        let message = message(
            "In-Reply-To: 70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com\r\n\
             Content-Language: fr, en\r\nSecurity-Verify: tls;q=0.2, digest\r\n\
             P-Asserted-Identity: \"A\" <sip:a@b>, tel:+14085264000\r\nx: 90;refresher=uas\r\n\
             o: presence\r\nu: presence, dialog\r\nFlow-Timer: 126\r\nSIP-ETag: dx200xyz\r\n\
             Suppress-If-Match: *\r\nAnswer-Mode: Manual\r\nRecv-Info:\r\nb: <sip:r@x>\r\n",
        );
        assert_eq!(message.in_reply_to().count(), 2);
        assert_eq!(
            message
                .content_language()
                .map(Result::unwrap)
                .collect::<Vec<_>>(),
            ["fr", "en"]
        );
        assert_eq!(message.security_verify().count(), 2);
        assert!(
            message
                .asserted_identities()
                .all(|identity| identity.is_ok())
        );
        assert_eq!(message.session_expires().unwrap().unwrap().seconds(), 90);
        assert_eq!(message.event().unwrap().unwrap().package(), "presence");
        assert_eq!(message.allow_events().count(), 2);
        assert_eq!(message.flow_timer(), Some(Ok(126)));
        assert_eq!(
            (message.sip_etag(), message.sip_if_match()),
            (Some(Ok("dx200xyz")), None)
        );
        assert_eq!(message.suppress_if_match(), Some(Ok("*")));
        assert_eq!(message.answer_mode().unwrap().unwrap().mode(), "Manual");
        assert_eq!(
            (message.recv_info().count(), message.count(Name::RecvInfo)),
            (0, 1)
        );
        assert!(message.referred_by().unwrap().is_ok());
    }
}

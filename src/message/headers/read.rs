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

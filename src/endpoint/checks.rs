//! What the core refuses by itself, in the order of RFC 3261 8.2.

use alloc::string::String;
use alloc::vec::Vec;

use super::Endpoint;
use super::arrival::Arrival;
use super::config::Schemes;
use crate::call::Call;
use crate::call::session_timer::{self, Answer, Negotiation};
use crate::dialog::contact_of;
use crate::message::{
    ContentType, Disposition, HeaderList, Method, Name, Part, Request, StatusCode, split_commas,
};

/// What a request that is refused gets.
pub(super) type Refusal = (StatusCode, HeaderList);

impl Endpoint {
    /// Why this endpoint cannot process a request, if it cannot.
    ///
    /// A request within a call is held to what that call has of extensions.
    pub(super) fn refusal(
        &self,
        request: &Request,
        arrival: &Arrival,
        call: Option<&Call>,
    ) -> Option<Refusal> {
        let is_invite = request.method() == Method::Invite;
        self.wrong_method(request, call)
            .or_else(|| self.wrong_scheme(request, arrival))
            .or_else(|| is_invite.then(|| wrong_target(request))?)
            .or_else(|| self.merged(arrival))
            .or_else(|| self.wrong_extension(request, call))
            .or_else(|| self.wrong_content(request, is_invite))
            .or_else(|| is_invite.then(|| self.lacks_extension(request))?)
            .or_else(|| self.short_session(request, call))
    }

    /// 8.2.1.
    fn wrong_method(&self, request: &Request, call: Option<&Call>) -> Option<Refusal> {
        let method = request.method();
        if method == Method::Prack && call.is_some_and(Call::takes_prack) {
            return None;
        }
        if self.config.allows(method.as_str()) {
            return None;
        }
        let status = match matches!(method, Method::Other(_)) {
            true => StatusCode::NOT_IMPLEMENTED,
            false => StatusCode::METHOD_NOT_ALLOWED,
        };
        Some((status, self.allow.clone()))
    }

    /// 8.2.2.1; RFC 5630 5.1.2.
    fn wrong_scheme(&self, request: &Request, arrival: &Arrival) -> Option<Refusal> {
        let schemes = self.config.schemes;
        if is_by(request, b"sip:") {
            let unwanted = schemes == Schemes::Sips;
            return unwanted
                .then(|| self.unwanted(request, arrival, "381 {} \"SIPS Required\""))?;
        }
        if !is_by(request, b"sips:") {
            return Some((StatusCode::UNSUPPORTED_URI_SCHEME, HeaderList::new()));
        }
        if is_open(request) {
            return Some((StatusCode::BAD_REQUEST, HeaderList::new()));
        }
        let unwanted = schemes == Schemes::Sip;
        unwanted.then(|| self.unwanted(request, arrival, "380 {} \"SIPS Not Allowed\""))?
    }

    /// Within a dialog it is this side that has named its Contact.
    #[cold]
    fn unwanted(&self, request: &Request, arrival: &Arrival, warning: &str) -> Option<Refusal> {
        if request.has_to_tag() {
            return None;
        }
        let host = self.places.contact(&arrival.flow);
        let host = host.split(|byte| *byte == b';').next().unwrap_or_default();
        let value = warning.replacen("{}", &String::from_utf8_lossy(host), 1);
        refused_with(StatusCode::TEMPORARILY_UNAVAILABLE, "Warning", &value)
    }

    /// 8.2.2.2.
    fn merged(&self, arrival: &Arrival) -> Option<Refusal> {
        let refusal = (StatusCode::LOOP_DETECTED, HeaderList::new());
        self.is_merged(arrival).then_some(refusal)
    }

    /// 8.2.2.3.
    fn wrong_extension(&self, request: &Request, call: Option<&Call>) -> Option<Refusal> {
        request.first(Name::Require)?;
        let has = |tag: &str| {
            self.config.supports(tag) || call.is_some_and(|call| call.has_extension(tag))
        };
        let required = request.require().filter_map(Result::ok);
        let unsupported: Vec<&str> = required.filter(|tag| !has(tag)).collect();
        if unsupported.is_empty() {
            return None;
        }
        refused_with(
            StatusCode::BAD_EXTENSION,
            "Unsupported",
            &unsupported.join(", "),
        )
    }

    /// 8.2.3: one 415 that says all that is wrong with the body.
    fn wrong_content(&self, request: &Request, is_invite: bool) -> Option<Refusal> {
        if request.body_slice().is_empty() || is_optional(request) {
            return None;
        }
        let mut headers = HeaderList::new();
        // What a configuration that was checked holds can stand in a header.
        if is_invite && (self.is_wrong_type(request) || is_wrong_disposition(request)) {
            let _ = headers.push("Accept", self.config.accept.join(", "));
        }
        if self.is_wrong_language(request) {
            let _ = headers.push("Accept-Language", self.config.languages());
        }
        if is_wrong_encoding(request) {
            let _ = headers.push("Accept-Encoding", "identity");
        }
        (!headers.is_empty()).then_some((StatusCode::UNSUPPORTED_MEDIA_TYPE, headers))
    }

    /// RFC 4028 9.
    fn short_session(&self, request: &Request, call: Option<&Call>) -> Option<Refusal> {
        let config = call.map_or(self.config.session_timer, Call::session_timer)?;
        if !matches!(request.method(), Method::Invite | Method::Update) {
            return None;
        }
        let asked = session_timer::Asked::of(request);
        let answer = Negotiation::new(Some(config)).answer(&asked);
        match answer {
            Answer::TooSmall { min_se } => {
                let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
                refused_with(status, Name::MinSe.as_str(), &alloc::format!("{min_se}"))
            }
            Answer::Off | Answer::Accept { .. } => None,
        }
    }

    /// For the session description of an INVITE. What other bodies mean is the application's
    /// matter.
    fn is_wrong_type(&self, request: &Request) -> bool {
        // 20.15: without a type a body says nothing; it is taken for a session description.
        let Some(said) = request.first(Name::ContentType) else {
            return false;
        };
        // Nearly always it is this one to the letter.
        const SDP: &str = "application/sdp";
        if said == SDP.as_bytes() && self.config.accept.iter().any(|range| range == SDP) {
            return false;
        }
        let accepts = |part: &Part<'_>| {
            let found = part.content_type();
            let admits = |range: &String| {
                let range = ContentType::parse(range.as_bytes());
                let found = found.as_ref().ok();
                found.is_some_and(|found| range.is_ok_and(|range| range.admits(found)))
            };
            self.config.accept.iter().any(admits)
        };
        // RFC 5621 8: of a multipart body each part that must be handled. One that cannot be read
        // cannot be handled.
        let root = request.root_part();
        let wrong = root.is_unsupported(self.limits(), accepts);
        !accepts(&root) && wrong.unwrap_or(true)
    }

    fn is_wrong_language(&self, request: &Request) -> bool {
        let own = &self.config.languages;
        let reads = |tag: &str| own.iter().any(|range| is_within(range, tag));
        !own.is_empty() && request.content_language().flatten().any(|tag| !reads(tag))
    }

    /// 8.2.4, for a new call.
    fn lacks_extension(&self, request: &Request) -> Option<Refusal> {
        if request.has_to_tag() {
            return None;
        }
        let has = |wanted: &str| {
            let said = request.supported().chain(request.require());
            said.flatten().any(|tag| tag.eq_ignore_ascii_case(wanted))
        };
        let mut required = self.config.required_tags().peekable();
        required.peek()?;
        let missing: Vec<&str> = required.filter(|tag| !has(tag)).collect();
        if missing.is_empty() {
            return None;
        }
        refused_with(
            StatusCode::EXTENSION_REQUIRED,
            "Require",
            &missing.join(", "),
        )
    }
}

fn is_by(request: &Request, scheme: &[u8]) -> bool {
    // The URI has been checked: its scheme says what it is.
    let uri = request.uri_bytes().unwrap_or_default();
    let start = uri.split_at_checked(scheme.len());
    start.is_some_and(|(start, _)| start.eq_ignore_ascii_case(scheme))
}

/// Whether a request that must be secure would have this side answer in the open: its Contact is a
/// SIP URI, where it names a target (RFC 5630 5.1.1: it is a SIPS URI then).
fn is_open(request: &Request) -> bool {
    let named = contact_of(request).and_then(|uri| uri.as_sip().map(|sip| !sip.is_secure()));
    named == Some(true) && request.method() != Method::Register
}

/// 8.1.1.8: an INVITE says with a SIP or SIPS URI where its sender is reached, or no request could
/// follow it. Behind a proxy that stays in the path any URI may do; one that says nothing is taken
/// for a peer of RFC 2543.
fn wrong_target(request: &Request) -> Option<Refusal> {
    let contact = request.first(Name::Contact)?;
    // As nearly all write it; the dialog reads it again.
    if contact.starts_with(b"<sip:") || request.first(Name::RecordRoute).is_some() {
        return None;
    }
    let is_reached = contact_of(request).is_some_and(|uri| uri.as_sip().is_some());
    (!is_reached).then(|| (StatusCode::BAD_REQUEST, HeaderList::new()))
}

/// RFC 5621 8.1: whether a body of an INVITE that must be handled is for something that nobody
/// knows. What a known one is for may be the application's matter; other requests are.
fn is_wrong_disposition(request: &Request) -> bool {
    const KNOWN: [&str; 11] = [
        "session",
        "early-session",
        "render",
        "icon",
        "alert",
        "aib",
        "signal",
        "by-reference",
        "info-package",
        "recipient-list",
        "recipient-list-history",
    ];
    let Some(value) = request.first(Name::ContentDisposition) else {
        return false;
    };
    let is_known = |disposition: Disposition<'_>| KNOWN.iter().any(|known| disposition.is(known));
    !Disposition::parse(value).is_ok_and(is_known)
}

/// Nothing here unpacks a body.
fn is_wrong_encoding(request: &Request) -> bool {
    let mut encodings = request.all(Name::ContentEncoding).flat_map(split_commas);
    encodings.any(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Whether a language tag is of a range: `en` has `en-GB` in it.
fn is_within(range: &str, tag: &str) -> bool {
    let head = tag.get(..range.len());
    let tail = tag.get(range.len()..).unwrap_or_default();
    head.is_some_and(|head| head.eq_ignore_ascii_case(range))
        && (tail.is_empty() || tail.starts_with('-'))
}

/// 20.11: a body that need not be understood.
fn is_optional(request: &Request) -> bool {
    // What does not say must be handled.
    request
        .first(Name::ContentDisposition)
        .is_some_and(|value| {
            let disposition = Disposition::parse(value);
            disposition.is_ok_and(|disposition| !disposition.is_required())
        })
}

fn refused_with(status: StatusCode, name: &str, value: &str) -> Option<Refusal> {
    // Tokens of a request that was read, and of a configuration that was checked, can stand in a
    // header.
    let headers = HeaderList::new().with(name, value).unwrap_or_default();
    Some((status, headers))
}

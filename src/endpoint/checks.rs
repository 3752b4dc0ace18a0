//! What the core refuses by itself, in the order of RFC 3261 8.2.

use alloc::string::String;
use alloc::vec::Vec;

use super::Endpoint;
use super::arrival::Arrival;
use crate::message::{ContentType, HeaderList, Method, Name, Params, Request, StatusCode};
use crate::message::{split_commas, unquote};

/// What a request that is refused gets.
pub(super) type Refusal = (StatusCode, HeaderList);

impl Endpoint {
    /// Why this endpoint cannot process a request, if it cannot.
    pub(super) fn refusal(&self, request: &Request, arrival: &Arrival) -> Option<Refusal> {
        self.wrong_method(request)
            .or_else(|| wrong_scheme(request))
            .or_else(|| self.merged(arrival))
            .or_else(|| self.wrong_extension(request))
            .or_else(|| wrong_encoding(request))
            .or_else(|| self.wrong_type(request))
    }

    /// 8.2.1.
    fn wrong_method(&self, request: &Request) -> Option<Refusal> {
        let method = request.method();
        if self.config.allows(method.as_str()) {
            return None;
        }
        let status = match matches!(method, Method::Other(_)) {
            true => StatusCode::NOT_IMPLEMENTED,
            false => StatusCode::METHOD_NOT_ALLOWED,
        };
        Some((status, self.allow.clone()))
    }

    /// 8.2.2.2.
    fn merged(&self, arrival: &Arrival) -> Option<Refusal> {
        let refusal = (StatusCode::LOOP_DETECTED, HeaderList::new());
        self.is_merged(arrival).then_some(refusal)
    }

    /// 8.2.2.3.
    fn wrong_extension(&self, request: &Request) -> Option<Refusal> {
        let required = request.require().filter_map(Result::ok);
        let unsupported: Vec<&str> = required.filter(|tag| !self.config.supports(tag)).collect();
        if unsupported.is_empty() {
            return None;
        }
        refused_with(
            StatusCode::BAD_EXTENSION,
            "Unsupported",
            &unsupported.join(", "),
        )
    }

    /// 8.2.3, for the session description of an INVITE. What other bodies mean is the
    /// application's matter.
    fn wrong_type(&self, request: &Request) -> Option<Refusal> {
        let is_offer = request.method() == Method::Invite && !request.body_slice().is_empty();
        if !is_offer || is_optional(request) {
            return None;
        }
        // Nearly always it is an accepted one to the letter.
        let is_accepted = |value: &[u8]| {
            let same = |range: &String| range.as_bytes().eq_ignore_ascii_case(value);
            !value.contains(&b'*') && self.config.accept.iter().any(same)
        };
        if request.first(Name::ContentType).is_some_and(is_accepted) {
            return None;
        }
        // 20.15: without a type a body says nothing; it is taken for a session description.
        let found = request.content_type()?.ok();
        let accepts = |range: &String| {
            let range = ContentType::parse(range.as_bytes());
            found.is_some_and(|found| range.is_ok_and(|range| range.admits(&found)))
        };
        match self.config.accept.iter().any(accepts) {
            true => None,
            false => refused_with(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Accept",
                &self.config.accept.join(", "),
            ),
        }
    }
}

/// 8.2.2.1.
fn wrong_scheme(request: &Request) -> Option<Refusal> {
    // The URI has been checked: its scheme says what it is.
    let uri = request.uri_bytes().unwrap_or_default();
    let begins = |scheme: &[u8]| {
        uri.split_at_checked(scheme.len())
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(scheme))
    };
    let refusal = (StatusCode::UNSUPPORTED_URI_SCHEME, HeaderList::new());
    (!begins(b"sip:") && !begins(b"sips:")).then_some(refusal)
}

/// 8.2.3: nothing here unpacks a body.
fn wrong_encoding(request: &Request) -> Option<Refusal> {
    let mut encodings = request.all(Name::ContentEncoding).flat_map(split_commas);
    let packed = encodings.any(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity"));
    if !packed || request.body_slice().is_empty() || is_optional(request) {
        return None;
    }
    refused_with(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "Accept-Encoding",
        "identity",
    )
}

/// 20.11: a body that need not be understood.
fn is_optional(request: &Request) -> bool {
    let Some(value) = request.first(Name::ContentDisposition) else {
        return false;
    };
    let start = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    let params = value.get(start..).map(Params::parse);
    let Some(Ok(params)) = params else {
        return false;
    };
    let handling = params.get("handling").and_then(|param| param.value);
    handling.is_some_and(|value| unquote(value).eq_ignore_ascii_case(b"optional"))
}

fn refused_with(status: StatusCode, name: &str, value: &str) -> Option<Refusal> {
    // Tokens of a request that was read, and of a configuration that was checked, can stand in a
    // header.
    let headers = HeaderList::new().with(name, value).unwrap_or_default();
    Some((status, headers))
}

//! An INVITE that failed and goes again, changed as the failure asks (RFC 3261 8.1.3.4, 8.1.3.5,
//! 21.4; RFC 3329 2.3.1): which of that is done by itself, and how.

use alloc::vec::Vec;

use super::Core;
use super::failure::Retry;
use super::invitation::Invitation;
use crate::limits::Limits;
use crate::message::{
    Body, ContentType, HeaderList, Message, Name, Outgoing, Part, Response, SecurityMechanism,
    TelUri, split_commas,
};

/// What a caller's core does by itself about a refusal. What it does not do ends the call: the
/// application hears of it in [`EndReason::Refused`](super::EndReason::Refused), with the response.
///
/// Credentials, glare and the session interval are not in here: those retries change nothing that
/// the application has said.
///
/// ```
/// use drongo::call::{Invitation, Retries};
///
/// let invitation = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com")?
///     .with_retries(Retries { redirects: false, ..Retries::DEFAULT });
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::exhaustive_structs,
    reason = "independent choices, one for each kind of retry; written with `..Retries::DEFAULT`"
)]
pub struct Retries {
    /// 300, 301, 302, 305: calls the URIs in Contact (8.1.3.4). On. Whoever is called can so have
    /// this side call whom they like: a side that pays for its calls may want to look first.
    pub redirects: bool,
    /// 413, 415: calls without the body; the other side then makes the offer, and the application
    /// owes the answer for the ACK. Off, as an application must be made for that.
    pub without_body: bool,
    /// 416: calls a `tel` URI as the SIP URI of that number in the domain of From (19.1.6). On.
    pub sip_uri: bool,
    /// 420: calls without the extensions that are not supported, though the application has put
    /// them into Require. Off: what is required is meant.
    pub fewer_extensions: bool,
    /// 421: says in Supported what the other side requires, if this side has it. On.
    pub more_extensions: bool,
    /// 494: answers Security-Server with Security-Verify, if this side has named the mechanism in
    /// Security-Client and it takes no more than that and credentials (`digest`), or the call goes
    /// over TLS (`tls`). On.
    pub security: bool,
}

impl Retries {
    /// The defaults, as said at each.
    pub const DEFAULT: Self = Self {
        redirects: true,
        without_body: false,
        sip_uri: true,
        fewer_extensions: false,
        more_extensions: true,
        security: true,
    };

    /// All that RFC 3261 says a client should try.
    pub const ALL: Self = Self {
        redirects: true,
        without_body: true,
        sip_uri: true,
        fewer_extensions: true,
        more_extensions: true,
        security: true,
    };

    /// None.
    pub const NONE: Self = Self {
        redirects: false,
        without_body: false,
        sip_uri: false,
        fewer_extensions: false,
        more_extensions: false,
        security: false,
    };

    /// Whether this kind is done. What is not the application's choice always is.
    pub const fn allows(&self, kind: Retry) -> bool {
        match kind {
            Retry::Never => false,
            Retry::Targets => self.redirects,
            Retry::ShorterBody | Retry::OtherBody => self.without_body,
            Retry::SipUri => self.sip_uri,
            Retry::FewerExtensions => self.fewer_extensions,
            Retry::MoreExtensions => self.more_extensions,
            Retry::Security => self.security,
            Retry::Credentials | Retry::LongerSession | Retry::LongerExpiry | Retry::AfterGlare => {
                true
            }
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Changes an invitation as a refusal asks. Returns false, and changes nothing, if that cannot be
/// done or would change nothing.
pub(super) fn remedy(
    kind: Retry,
    invitation: &mut Invitation,
    response: &Response,
    core: &Core,
) -> bool {
    let changed = match kind {
        Retry::ShorterBody => bare(invitation.outgoing()),
        Retry::OtherBody => {
            without_refused_body(invitation.outgoing(), response, &core.context.limits)
        }
        Retry::SipUri => return to_sip(invitation),
        Retry::FewerExtensions => without_extensions(invitation.outgoing(), response),
        Retry::MoreExtensions => {
            with_extensions(invitation.outgoing(), response, &core.context.capabilities)
        }
        Retry::Security => with_security(invitation.outgoing(), response, invitation.is_secure()),
        // 422: session timers have an interval of their own to raise, and do it themselves.
        Retry::LongerSession => None,
        // Others than the INVITE's, or not a change of what it says.
        Retry::Never
        | Retry::Targets
        | Retry::Credentials
        | Retry::LongerExpiry
        | Retry::AfterGlare => None,
    };
    match changed {
        Some(outgoing) => {
            invitation.replace(outgoing);
            true
        }
        None => false,
    }
}

/// Without the body, and without the headers that speak of one.
fn bare(outgoing: &Outgoing) -> Option<Outgoing> {
    outgoing.body.as_ref()?;
    let of_body = [
        Name::ContentType,
        Name::ContentEncoding,
        Name::ContentLanguage,
        Name::ContentDisposition,
    ];
    let headers = rewritten(&outgoing.headers, |name, _| match of_body.contains(&name) {
        true => None,
        false => Some(Vec::new()),
    });
    Some(Outgoing {
        headers,
        body: None,
    })
}

/// 415: a body of which type, coding and language are all accepted was not what was meant.
fn without_refused_body(
    outgoing: &Outgoing,
    response: &Response,
    limits: &Limits,
) -> Option<Outgoing> {
    let body = outgoing.body.as_ref()?;
    let kind = ContentType::parse(body.content_type().as_bytes()).ok()?;
    let values = |wanted| {
        let rows = outgoing
            .headers
            .iter()
            .filter(move |(name, ..)| *name == wanted);
        rows.flat_map(|(.., value)| split_commas(value))
            .map(|value| core::str::from_utf8(value.trim_ascii()).unwrap_or_default())
    };
    let says = |name| response.first(name).is_some();
    let refused = says(Name::Accept) && !response.accepts(&kind)
        || says(Name::AcceptEncoding)
            && values(Name::ContentEncoding).any(|coding| !response.accepts_encoding(coding))
        || values(Name::ContentLanguage).any(|tag| !response.accepts_language(tag))
        || ![Name::Accept, Name::AcceptEncoding, Name::AcceptLanguage]
            .into_iter()
            .any(says);
    match refused {
        true => plain_description(outgoing, response, limits).or_else(|| bare(outgoing)),
        false => None,
    }
}

/// 7.4.1: whoever takes no multipart body is sent the session description of it alone.
fn plain_description(
    outgoing: &Outgoing,
    response: &Response,
    limits: &Limits,
) -> Option<Outgoing> {
    let body = outgoing.body.as_ref()?;
    let whole = Part::of_body(Some(body.content_type().as_bytes()), None, body.bytes());
    let takes_it = response.first(Name::Accept).is_some() && response.accepts(&ContentType::SDP);
    if !whole.is_multipart() || !takes_it || outgoing.headers.contains(Name::ContentEncoding) {
        return None;
    }
    let is_encoded = |part: &Part<'_>| part.first("Content-Transfer-Encoding").is_some();
    let is_session = |part: &Part<'_>| part.disposition().map_or(true, |d| d.is("session"));
    let found = whole.find(limits, |part| {
        part.content_type() == Ok(ContentType::SDP) && is_session(part) && !is_encoded(part)
    });
    let description = body.bytes().slice_ref(found.ok()??.content());
    Some(bare(outgoing)?.with_body(Body::sdp(description)))
}

/// 19.1.6: the number as a user of the domain that this side is in.
fn to_sip(invitation: &mut Invitation) -> bool {
    let Ok(tel) = TelUri::parse(invitation.target().as_bytes()) else {
        return false;
    };
    let Some(sip) = invitation.with_domain(|host| tel.to_sip(host)) else {
        return false;
    };
    invitation.retarget(sip);
    true
}

fn without_extensions(outgoing: &Outgoing, response: &Response) -> Option<Outgoing> {
    let unsupported: Vec<&str> = response.unsupported().filter_map(Result::ok).collect();
    let is_refused = |tag: &[u8]| {
        let refused = |other: &&str| other.as_bytes().eq_ignore_ascii_case(tag);
        unsupported.iter().any(refused)
    };
    let asks = |name| matches!(name, Name::Require | Name::ProxyRequire);
    let mut found = false;
    let headers = rewritten(&outgoing.headers, |name, value| {
        let drops = asks(name) || name == Name::Supported;
        let tags = || split_commas(value).map(<[u8]>::trim_ascii);
        if !drops || !tags().any(is_refused) {
            return Some(Vec::new());
        }
        found |= asks(name);
        let kept: Vec<&[u8]> = tags().filter(|tag| !is_refused(tag)).collect();
        (!kept.is_empty()).then(|| kept.join(&b", "[..]))
    });
    found.then(|| Outgoing {
        headers,
        body: outgoing.body.clone(),
    })
}

/// 421: only of use if the extensions are this side's, and its application has hidden them.
fn with_extensions(
    outgoing: &Outgoing,
    response: &Response,
    capabilities: &HeaderList,
) -> Option<Outgoing> {
    let required: Vec<&str> = response.require().filter_map(Result::ok).collect();
    let lists = |headers: &HeaderList, tag: &str| {
        let mut rows = headers.iter().filter(|(name, ..)| *name == Name::Supported);
        rows.any(|(.., value)| {
            split_commas(value).any(|one| one.trim_ascii().eq_ignore_ascii_case(tag.as_bytes()))
        })
    };
    let hidden = |tag: &&&str| !lists(&outgoing.headers, tag);
    let has_own = outgoing.headers.contains(Name::Supported);
    let missing: Vec<&str> = required.iter().filter(hidden).copied().collect();
    if !has_own || missing.is_empty() || !missing.iter().all(|tag| lists(capabilities, tag)) {
        return None;
    }
    let headers = outgoing.headers.clone();
    let headers = headers.with("Supported", missing.join(", ")).ok()?;
    Some(Outgoing {
        headers,
        body: outgoing.body.clone(),
    })
}

/// RFC 3329 2.3.1: the mechanism that the server prefers among those of this side, and its list
/// back, so that nobody on the way can have shortened it.
fn with_security(outgoing: &Outgoing, response: &Response, secure: bool) -> Option<Outgoing> {
    let rows = outgoing.headers.iter();
    let own: Vec<SecurityMechanism<'_>> = rows
        .filter(|(name, ..)| *name == Name::SecurityClient)
        .flat_map(|(.., value)| split_commas(value))
        .filter_map(|value| SecurityMechanism::parse(value).ok())
        .collect();
    let is_own = |one: &SecurityMechanism<'_>| {
        own.iter()
            .any(|own| own.mechanism().eq_ignore_ascii_case(one.mechanism()))
    };
    let common = response.security_server().flatten().filter(is_own);
    // The first of the best.
    let best = common.reduce(|best, one| if one.q() > best.q() { one } else { best })?;
    let is = |name: &str| best.mechanism().eq_ignore_ascii_case(name);
    let is_agreed = is("digest") || (is("tls") && secure);
    if !is_agreed {
        return None;
    }
    let server = response.all(Name::SecurityServer).flat_map(split_commas);
    let list: Vec<&[u8]> = server.map(<[u8]>::trim_ascii).collect();
    let headers = rewritten(&outgoing.headers, |name, _| {
        (name != Name::SecurityVerify).then(Vec::new)
    });
    Some(Outgoing {
        headers: headers
            .with("Security-Verify", list.join(&b", "[..]))
            .ok()?,
        body: outgoing.body.clone(),
    })
}

/// The list with each row as `change` wants it: `None` leaves it out, an empty value as it is.
fn rewritten(
    headers: &HeaderList,
    mut change: impl FnMut(Name, &[u8]) -> Option<Vec<u8>>,
) -> HeaderList {
    let mut list = HeaderList::new();
    for (name, spelled, value) in headers.iter() {
        let Some(changed) = change(name, value) else {
            continue;
        };
        let value = if changed.is_empty() { value } else { &changed };
        // It was well-formed when it was pushed.
        let _ = list.push(core::str::from_utf8(spelled).unwrap_or_default(), value);
    }
    list
}

/// What of a message says when to come again, in seconds (20.33).
pub(super) fn retry_after(message: &Message) -> Option<u32> {
    message.retry_after()?.ok().map(|after| after.seconds())
}

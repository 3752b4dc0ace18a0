//! Redirection of an INVITE: the target set, and what the request to each target says (RFC 3261
//! 8.1.3.4, 13.2.2.2, 19.1.5).
//!
//! Targets are tried one at a time. Those of one 3xx go by falling `q`, and before what an earlier
//! one left over, since they stand for the target that was tried. A Contact without `q` counts as
//! 1; among equals the order of the message holds.

use alloc::vec::Vec;

use super::invitation::Invitation;
use crate::limits::Limits;
use crate::message::{
    ContactValue, HeaderList, Name, NameAddr, Response, StatusCode, Uri, UriBuf, UriRequest,
    is_comma_list,
};

/// The target set of one call, and what its first INVITE was.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Targets {
    /// The invitation as it was redirected: each target's own headers are laid over its own, and a
    /// 305 has it sent again by another way.
    redirected: Invitation,
    /// Every URI that ever was in the set, the first one too: none enters twice.
    seen: Vec<UriBuf>,
    /// Those not tried yet, the next one last.
    left: Vec<Target>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Target {
    /// With its headers.
    uri: UriBuf,
    /// It is not whom to call but the way to go (305).
    is_proxy: bool,
}

impl Targets {
    /// The set that holds the target of the invitation only.
    pub(super) fn of(invitation: &Invitation) -> Self {
        Self {
            redirected: invitation.clone(),
            seen: [invitation.target().to_buf()].into(),
            left: Vec::new(),
        }
    }

    /// Takes the Contacts of a 3xx that can be called and were not in the set before, as far as
    /// there is room. Returns how many.
    pub(super) fn add(&mut self, response: &Response, limits: &Limits) -> usize {
        let is_proxy = response.status() == StatusCode::USE_PROXY;
        let secure = self.redirected.is_secure();
        let mut found: Vec<(u16, Target)> = Vec::new();
        for contact in response.contacts().filter_map(Result::ok) {
            let ContactValue::Addr(address) = contact else {
                continue;
            };
            let uri = address.uri();
            // A request that must be secure never becomes an open one by itself (26.2.2).
            let callable = uri.as_sip().is_some() && (!secure || is_secure(uri));
            if !callable || self.has(uri) || self.seen.len() > limits.redirect_targets {
                continue;
            }
            self.seen.push(uri.to_buf());
            let uri = uri.to_buf();
            found.push((preference(&address), Target { uri, is_proxy }));
        }
        // The next one goes last. The sort is stable, so equals are turned round twice.
        found.reverse();
        found.sort_by_key(|(q, _)| *q);
        let count = found.len();
        self.left
            .extend(found.into_iter().map(|(_, target)| target));
        count
    }

    /// Points the invitation at the next target. Returns false when there is none left.
    pub(super) fn next(&mut self, invitation: &mut Invitation) -> bool {
        while let Some(target) = self.left.pop() {
            let Some(sip) = target.uri.as_uri().as_sip().cloned() else {
                continue;
            };
            // A URI that asks for an extension or for nonsense gives no request.
            let Ok(request) = UriRequest::of(&sip) else {
                continue;
            };
            *invitation = self.redirected.clone();
            if target.is_proxy {
                invitation.go_through(request.request_uri().as_uri());
            } else {
                let mut outgoing = invitation.outgoing().clone();
                outgoing.headers = overlaid(&outgoing.headers, request.headers());
                invitation.replace(outgoing);
                invitation.retarget(request.request_uri().clone());
            }
            return true;
        }
        false
    }

    fn has(&self, uri: Uri<'_>) -> bool {
        self.seen.iter().any(|seen| seen.as_uri().equivalent(&uri))
    }
}

fn is_secure(uri: Uri<'_>) -> bool {
    uri.as_sip().is_some_and(|sip| sip.is_secure())
}

/// `q` in thousandths.
fn preference(contact: &NameAddr<'_>) -> u16 {
    const MOST: u16 = 1000;
    contact.q().ok().flatten().unwrap_or(MOST)
}

/// The headers of a request with those of a target URI: a list grows, a single value is
/// overwritten.
fn overlaid(own: &HeaderList, of_uri: &HeaderList) -> HeaderList {
    let mut headers = HeaderList::new();
    let replaces = |name: Name, spelled: &[u8]| {
        !is_comma_list(name)
            && of_uri.iter().any(|(other, text, _)| {
                other == name && (name != Name::Other || text.eq_ignore_ascii_case(spelled))
            })
    };
    for (name, spelled, value) in own.iter() {
        if !replaces(name, spelled) {
            // It was well-formed when it was pushed.
            let _ = headers.push(core::str::from_utf8(spelled).unwrap_or_default(), value);
        }
    }
    for (name, spelled, value) in of_uri.iter() {
        // Who redirects does not speak for this side.
        if !is_ours(name) {
            let _ = headers.push(core::str::from_utf8(spelled).unwrap_or_default(), value);
        }
    }
    headers
}

/// Headers that only this side may write.
fn is_ours(name: Name) -> bool {
    crate::message::is_reserved(name)
        || matches!(
            name,
            Name::Authorization
                | Name::ProxyAuthorization
                | Name::ContentType
                | Name::PAssertedIdentity
                | Name::PPreferredIdentity
                | Name::Privacy
        )
}

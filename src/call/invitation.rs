//! Whom an INVITE, or another request outside of any dialog, goes to, and what it says.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::policy::Policies;
use super::reliable::Policy;
use super::retries::Retries;
use super::session_timer;
use crate::dialog::as_request_uri;
use crate::error::Misuse;
use crate::message::{Host, Name, NameAddr, Outgoing, SipUri, Uri, UriBuf, range_in};

/// Whom to call, as whom, and with what.
///
/// ```
/// use drongo::call::Invitation;
/// use drongo::message::{Body, Outgoing};
///
/// let invitation = Invitation::new("sip:bob@192.0.2.4", "\"Alice\" <sip:alice@example.com>")?
///     .with(Outgoing::default().with_body(Body::sdp("v=0\r\n")));
/// # Ok::<(), drongo::error::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Invitation {
    pub(super) target: UriBuf,
    pub(super) from: Box<[u8]>,
    /// Where in From the user part of its URI is.
    user: (u32, u32),
    pub(super) to: Box<[u8]>,
    pub(super) routes: Vec<Box<[u8]>>,
    pub(super) outgoing: Outgoing,
    pub(super) retries: Retries,
    pub(super) policies: Policies,
}

impl Invitation {
    /// Calls `target`, a URI, in the name of `from`, a name-addr or URI without tag.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if either does not parse.
    pub fn new(target: &str, from: &str) -> Result<Self, Misuse> {
        let malformed = |what| Misuse::Malformed { what };
        let target = UriBuf::parse(target).map_err(|_| malformed("target"))?;
        let address = NameAddr::parse(from.as_bytes()).map_err(|_| malformed("from"))?;
        if address.tag().is_some() || !is_line(from) {
            return Err(malformed("from"));
        }
        let uri = address.uri();
        let user = uri.as_sip().and_then(|sip| sip.user());
        let text = from.trim().as_bytes();
        let (user, user_end) = user.and_then(|user| range_in(text, user)).unwrap_or((0, 0));
        let (from, before) = match address.is_bracketed() {
            true => (text.into(), 0),
            false => (bracketed(text), 1),
        };
        let user = (user.saturating_add(before), user_end.saturating_add(before));
        let to = bracketed(&address_of(target.as_uri()));
        Ok(Self {
            target,
            from,
            user,
            to,
            routes: Vec::new(),
            outgoing: Outgoing::default(),
            retries: Retries::DEFAULT,
            policies: Policies::default(),
        })
    }

    /// What the user adds: headers and the offer.
    #[must_use]
    pub fn with(mut self, outgoing: impl Into<Outgoing>) -> Self {
        self.outgoing = outgoing.into();
        self
    }

    /// Which refusals the core answers with another INVITE by itself.
    #[must_use]
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// Whether provisional responses to this call are reliable (RFC 3262), if not as the endpoint's
    /// [`Config`](crate::endpoint::Config) says. [`Policy::Required`] refuses callees that cannot.
    #[must_use]
    pub fn reliable(mut self, policy: Policy) -> Self {
        self.policies.reliable = Some(policy);
        self
    }

    /// What this side wants of session timers in this call (RFC 4028), if not as the endpoint's
    /// [`Config`](crate::endpoint::Config) says; `None` to do without.
    #[must_use]
    pub fn session_timer(mut self, config: Option<session_timer::Config>) -> Self {
        self.policies.session_timer = Some(config);
        self
    }

    /// Adds a Route (8.1.1.1): a pre-loaded route set, such as an outbound proxy. Without `lr`
    /// the first is a strict router, and the Request-URI is its (12.2.1.1).
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if it is not a URI.
    pub fn via_proxy(mut self, uri: &str) -> Result<Self, Misuse> {
        let uri = UriBuf::parse(uri).map_err(|_| Misuse::Malformed { what: "route" })?;
        self.routes.push(bracketed(&as_request_uri(uri.as_uri())));
        self.secure_routes();
        Ok(self)
    }

    /// The URI that is called.
    pub fn target(&self) -> Uri<'_> {
        self.target.as_uri()
    }

    /// The URI that says where the INVITE goes first (8.1.2).
    pub(crate) fn first_hop(&self) -> &[u8] {
        let route = self.routes.first();
        let route = route.and_then(|route| NameAddr::parse(route).ok());
        route.map_or(self.target.as_bytes(), |route| route.uri().as_bytes())
    }

    /// Whether the target is a SIPS URI.
    pub(crate) fn is_secure(&self) -> bool {
        // It has been read: its scheme says what it is.
        let scheme = self.target.as_bytes().get(..5).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"sips:")
    }

    /// The target as a Request-URI.
    pub(super) fn request_uri(&self) -> Cow<'_, [u8]> {
        let target = self.target.as_bytes();
        match memchr::memchr2(b';', b'?', target) {
            Some(_) => as_request_uri(self.target()),
            None => target.into(),
        }
    }

    pub(super) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// The next INVITE goes to `target`; From and To stay (8.1.3.4).
    pub(super) fn retarget(&mut self, target: UriBuf) {
        self.target = target;
        self.secure_routes();
    }

    /// RFC 5630 5.1.1: to a SIPS target leads a route of SIPS URIs.
    fn secure_routes(&mut self) {
        if !self.is_secure() {
            return;
        }
        for route in &mut self.routes {
            if let Some((scheme, rest)) = route.split_at_checked(5)
                && scheme.eq_ignore_ascii_case(b"<sip:")
            {
                *route = [b"<sips:", rest].concat().into();
            }
        }
    }

    /// 11.1: OPTIONS says what its answer may be.
    pub(crate) fn accepting(mut self, types: &str) -> Self {
        if !self.outgoing.headers.contains(Name::Accept) {
            // A configuration that was checked can stand in a header.
            let _ = self.outgoing.headers.push(Name::Accept.as_str(), types);
        }
        self
    }

    pub(super) fn replace(&mut self, outgoing: Outgoing) {
        self.outgoing = outgoing;
    }

    /// The next INVITE goes by this proxy alone (21.3.4).
    pub(super) fn go_through(&mut self, proxy: Uri<'_>) {
        let loose = proxy.as_sip().is_none_or(SipUri::lr);
        let lr: &[u8] = if loose { b"" } else { b";lr" };
        let route = bracketed(&[proxy.as_bytes(), lr].concat());
        self.routes = [route].into();
        self.secure_routes();
    }

    /// What `make` makes of the domain of From.
    pub(super) fn with_domain<T>(&self, make: impl FnOnce(Host<'_>) -> T) -> Option<T> {
        let from = NameAddr::parse(&self.from).ok()?.uri();
        from.as_sip().map(|sip| make(sip.host()))
    }

    pub(super) fn user(&self) -> &[u8] {
        let (start, end) = self.user;
        self.from
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// A From value without tag, in angle brackets.
pub(super) fn from_value(from: &str) -> Result<Box<[u8]>, Misuse> {
    let malformed = Misuse::Malformed { what: "from" };
    let address = NameAddr::parse(from.as_bytes()).map_err(|_| malformed)?;
    if address.tag().is_some() || !is_line(from) {
        return Err(malformed);
    }
    let text = from.trim().as_bytes();
    Ok(match address.is_bracketed() {
        true => text.into(),
        false => bracketed(text),
    })
}

fn is_line(text: &str) -> bool {
    !text.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0))
}

fn bracketed(uri: &[u8]) -> Box<[u8]> {
    [b"<", uri, b">"].concat().into()
}

/// What To may say of a target: no port, no transport, no headers (19.1.1 table 1).
fn address_of(target: Uri<'_>) -> Vec<u8> {
    let Some(sip) = target.as_sip() else {
        return target.as_bytes().to_vec();
    };
    let scheme: &[u8] = if sip.is_secure() { b"sips:" } else { b"sip:" };
    let mut address = scheme.to_vec();
    if let Some(user) = sip.user() {
        address.extend_from_slice(user);
        address.push(b'@');
    }
    sip.host().write(&mut address);
    address
}

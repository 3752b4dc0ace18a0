//! What an endpoint is told once.

use alloc::string::String;
use alloc::vec::Vec;

use crate::auth::Keyring;
use crate::call::reliable::{self, Policy};
use crate::call::{identity, session_timer};
use crate::error::Misuse;
use crate::limits::Limits;
use crate::message::{Body, ContentType, HeaderList, Request};
use crate::transaction::Timers;
use crate::transport::Local;

/// What an endpoint is told once: where it is, what it can do, and its bounds.
///
/// ```
/// use drongo::endpoint::Config;
/// use drongo::transport::{Local, Transport};
///
/// let config = Config::default()
///     .local(Local::new(Transport::Udp, "192.0.2.1:5060".parse()?))
///     .method("MESSAGE");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The local addresses: what Via and Contact say of them.
    pub locals: Vec<Local>,
    /// The methods that the application answers itself, besides those of a call. A request with
    /// another method gets 405 (8.2.1). Allow is derived from this list.
    ///
    /// OPTIONS is the core's, which says 200 while there is room for another call. Outside of calls
    /// it is the application's if it is in this list: whoever would say 486 to an INVITE says it to
    /// OPTIONS too (11.2). What a 200 says of this side is added to that of the application.
    pub methods: Vec<String>,
    /// The option tags of the extensions that the application supports (20.37). A request that
    /// requires another gets 420 (8.2.2.3).
    pub supported: Vec<String>,
    /// The option tags without which no call is taken: an INVITE that lists one neither in Supported
    /// nor in Require gets 421 (8.2.4, which recommends against it).
    pub required: Vec<String>,
    /// The languages that the application reads in bodies, for Accept-Language (20.3). None says
    /// any.
    pub languages: Vec<String>,
    /// The body types that the application understands, for Accept (20.1).
    pub accept: Vec<String>,
    /// What describes the media that this side has, for the 200 of the core to OPTIONS, if its sender
    /// takes such a body (11.2).
    pub description: Option<Body>,
    /// The value of User-Agent and Server; none by default, since it tells strangers which faults
    /// to try (20.41).
    pub product: Option<String>,
    /// Whether provisional responses are reliable (RFC 3262): offered and used with whoever has the
    /// extension, or demanded. Off by default: each then costs a PRACK and its response, and an
    /// application must be ready to answer an offer before the call is answered.
    pub reliable: Policy,
    /// What this side wants of session timers (RFC 4028): whoever has lost the other one finds out
    /// when a refresh fails or does not come. Off by default.
    pub session_timer: Option<session_timer::Config>,
    /// Whether identities may change within a dialog (RFC 4916): who answers a call then says in an
    /// UPDATE who that is, and who is told of another one calls it so. Off by default: each call that
    /// is answered costs that UPDATE and its response.
    pub connected_identity: bool,
    /// By which scheme this side may be called.
    pub schemes: Schemes,
    /// What becomes of a request over 1,300 bytes for which UDP was chosen (18.1.1).
    pub large_requests: LargeRequests,
    /// Whether a `sip:` URI in a Contact says `transport=tls` where it is reached over TLS. RFC
    /// 5630 5.1.1 forbids it (RFC 3261 26.2.2 has deprecated it) and leaves those who called a
    /// `sip:` URI over TLS without a way back, but for `sips:` and for connections that are kept
    /// (RFC 5626). Phones that know neither send their ACK and BYE by UDP then, where nobody
    /// listens: this is for them. Off by default. A `sips:` URI never says it.
    pub transport_tls: bool,
    /// The accounts with which challenges are answered (22).
    pub keyring: Keyring,
    /// What becomes of too much work, this side's own and that of others.
    pub overload: crate::overload::Policy,
    /// Bounds.
    pub limits: Limits,
    /// T1, T2 and T4.
    pub timers: Timers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            locals: Vec::new(),
            methods: ["INFO", "MESSAGE", "NOTIFY"].map(String::from).to_vec(),
            supported: Vec::new(),
            required: Vec::new(),
            languages: Vec::new(),
            accept: ["application/sdp"].map(String::from).to_vec(),
            description: None,
            product: None,
            reliable: Policy::Off,
            session_timer: None,
            connected_identity: false,
            schemes: Schemes::Both,
            large_requests: LargeRequests::Stream,
            transport_tls: false,
            keyring: Keyring::new(),
            overload: crate::overload::Policy::DEFAULT,
            limits: Limits::DEFAULT,
            timers: Timers::DEFAULT,
        }
    }
}

/// What becomes of a request over 1,300 bytes for which UDP was chosen (18.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum LargeRequests {
    /// It goes over TCP if there is a local address of it; over UDP only if the peer refuses that.
    #[default]
    Stream,
    /// It goes over UDP all the same: for networks where fragments arrive and TCP does not.
    Datagram,
}

/// By which scheme this side may be called (RFC 5630 5.1.2). A request outside of any dialog by the
/// other one gets 480, with a Warning that says so.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Schemes {
    /// SIP and SIPS.
    #[default]
    Both,
    /// SIP alone: a side that cannot be reached over TLS.
    Sip,
    /// SIPS alone: whoever wants to talk must want it to be secure.
    Sips,
}

/// What the core answers itself, in the order of RFC 3261.
const CORE_METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "UPDATE"];

impl Config {
    /// Adds a local address.
    #[must_use]
    pub fn local(mut self, local: Local) -> Self {
        self.locals.push(local);
        self
    }

    /// Adds a method that the application answers.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        if !self.methods.iter().any(|m| m == method) {
            self.methods.push(method.into());
        }
        self
    }

    /// Adds an option tag that the application supports.
    #[must_use]
    pub fn support(mut self, option_tag: &str) -> Self {
        if !self.supports(option_tag) {
            self.supported.push(option_tag.into());
        }
        self
    }

    /// Adds an option tag that a caller must support too.
    #[must_use]
    pub fn require(mut self, option_tag: &str) -> Self {
        if !self.required.iter().any(|tag| tag == option_tag) {
            self.required.push(option_tag.into());
        }
        self.support(option_tag)
    }

    /// The value of Accept-Language.
    pub(super) fn languages(&self) -> String {
        match self.languages.is_empty() {
            true => "*".into(),
            false => self.languages.join(", "),
        }
    }

    /// Whether requests with this method reach a call or the application.
    pub(super) fn allows(&self, method: &str) -> bool {
        let prack = method == "PRACK" && self.reliable != Policy::Off;
        prack || CORE_METHODS.contains(&method) || self.methods.iter().any(|m| m == method)
    }

    /// Whether OPTIONS outside of calls is the application's to answer.
    pub(super) fn asks_of_options(&self) -> bool {
        self.methods.iter().any(|method| method == "OPTIONS")
    }

    pub(super) fn supports(&self, option_tag: &str) -> bool {
        let mut tags = self.option_tags();
        tags.any(|tag| tag.eq_ignore_ascii_case(option_tag))
    }

    /// What Supported lists: the application's tags, and those of the core that are enabled.
    fn option_tags(&self) -> impl Iterator<Item = &str> {
        let own = self.supported.iter().map(String::as_str);
        let reliable = (self.reliable != Policy::Off).then_some(reliable::OPTION_TAG);
        let timer = self.session_timer.map(|_| session_timer::OPTION_TAG);
        let identity = self.connected_identity.then_some(identity::OPTION_TAG);
        own.chain(reliable).chain(timer).chain(identity)
    }

    /// What a caller must support: what the application says, and what the core does.
    pub(super) fn required_tags(&self) -> impl Iterator<Item = &str> {
        let own = self.required.iter().map(String::as_str);
        let reliable = (self.reliable == Policy::Required).then_some(reliable::OPTION_TAG);
        own.chain(reliable)
    }

    /// Allow, alone: for a 405.
    pub(super) fn allow(&self) -> Result<HeaderList, Misuse> {
        let own = self.methods.iter().map(String::as_str);
        let own = own.filter(|method| !CORE_METHODS.contains(method));
        let prack = (self.reliable != Policy::Off).then_some("PRACK");
        let methods = CORE_METHODS.into_iter().chain(prack).chain(own);
        let methods: Vec<&str> = methods.collect();
        HeaderList::new().with("Allow", methods.join(", "))
    }

    /// What an INVITE and its 2xx say of this side (13.2.1, 13.3.1.4).
    pub(super) fn capabilities(&self, product_header: &str) -> Result<HeaderList, Misuse> {
        let tags: Vec<&str> = self.option_tags().collect();
        let headers = self.allow()?.with("Supported", tags.join(", "))?;
        match &self.product {
            Some(product) => headers.with(product_header, product),
            None => Ok(headers),
        }
    }

    /// The body of the 200 to OPTIONS (11.2).
    pub(super) fn body_for(&self, options: &Request) -> Option<Body> {
        let body = self.description.as_ref()?;
        let kind = ContentType::parse(body.content_type().as_bytes()).ok()?;
        options.accepts(&kind).then(|| body.clone())
    }

    /// What the 200 to OPTIONS says besides (11.2).
    pub(super) fn options(&self) -> Result<HeaderList, Misuse> {
        self.capabilities("Server")?
            .with("Accept", self.accept.join(", "))?
            .with("Accept-Encoding", "identity")?
            .with("Accept-Language", self.languages())
    }
}

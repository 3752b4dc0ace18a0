//! Every bound of the crate, each with its reason.

use core::time::Duration;

/// Bounds on what strangers and applications can make the core hold or do.
///
/// The defaults suit a phone or a server on the open internet. Reaching a limit is always visible:
/// as a [`ParseError`](crate::message::ParseError), a refused request, or a dropped packet that is
/// counted.
///
/// ```
/// use drongo::endpoint::Config;
///
/// let mut config = Config::default();
/// config.limits.calls = 200;
/// config.limits.ringing_wait = std::time::Duration::from_secs(60);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes in one message. 65,535 is the largest UDP datagram (3261 18.1.1).
    pub message_bytes: usize,
    /// Bytes in the start line: room for a long Request-URI with parameters, without letting one
    /// line fill the message.
    pub start_line_bytes: usize,
    /// Header lines in one message. Real messages have under 60; each costs an index entry.
    pub headers: usize,
    /// Bytes in one header line, folded continuation included: room for Identity and long
    /// Record-Route rows.
    pub header_line_bytes: usize,
    /// Parameters of one value, those of its URI included. Real ones have under 20; more than the
    /// default are never read, since telling them apart takes a place for each.
    pub params: usize,
    /// Values of one comma-separated list, over all its rows. Real ones have under 50.
    pub list_items: usize,
    /// Via hops of one message: Max-Forwards starts at 70 (3261 8.1.1.6).
    pub via_hops: usize,
    /// Nesting of comments, and of bodies in bodies: each level is a step of a scan, or one scan
    /// more. Real ones have one or two.
    pub nesting: usize,
    /// URIs besides the first that one call is redirected to, over all its 3xx responses. Each is
    /// a call to somebody whom another has named; real redirections have under 5.
    pub redirect_targets: usize,
    /// Early or confirmed dialogs of one INVITE. Real forks have under 10.
    pub forks: usize,
    /// Calls in one endpoint, answered or not.
    pub calls: usize,
    /// Transactions in one endpoint, lingering ones included. New work is refused then; requests of
    /// calls that stand go on up to twice as many, so that a full endpoint can end its calls.
    pub transactions: usize,
    /// Requests outside of any dialog that are taken in a second; others are refused with 503. As
    /// many as come by default, since only a measurement can say what a machine carries. Zero
    /// takes nothing new.
    pub request_rate: Option<u32>,
    /// Requests that are taken at once where there were none for a while: callers do not come in
    /// equal intervals, and what came while the machine was busy with something else comes at once.
    /// As many as are worked off in [`queue_patience`](Self::queue_patience) by default.
    pub request_burst: Option<u32>,
    /// How long a request outside of any dialog may have waited before it is refused with 503, as
    /// long as none was refused for that lately: T1, before which nobody sends his request again
    /// (3261 17.1.1.2). A burst is worked off, and so is what gathered while the machine was busy
    /// with something else. Half as long, if the wait has only grown for
    /// [`queue_wait`](Self::queue_wait): nothing is worked off then, and at T1 all would be sent
    /// twice. Twice as long, and it is dropped ([`queue_shed`](Self::queue_shed)).
    pub queue_patience: Duration,
    /// How long a request outside of any dialog may have waited before it is refused with 503,
    /// while the queue is too long ([`queue_patience`](Self::queue_patience) was not enough, less
    /// than [`Policy::calm`](crate::overload::Policy::calm) ago). All that is behind it waits as
    /// long, answers and ACKs too: a fifth of T1, so that nothing is sent twice.
    pub queue_wait: Duration,
    /// How long a request outside of any dialog may have waited before it is dropped without a
    /// word, if it came over UDP while the queue was too long, and all behind it that has waited:
    /// then refusing does not keep up. Under T1, when copies begin to come besides; and well over
    /// half of that, for what is dropped comes again, and what is refused does not.
    pub queue_shed: Duration,
    /// Bytes of datagrams that a driver holds before it leaves what comes to the operating system,
    /// which drops what it has no room for. More than can be processed in
    /// [`queue_shed`](Self::queue_shed), so that age decides what is lost, and not chance.
    pub queue_bytes: usize,
    /// Requests that were refused for overload of which their copies shall meet the same answer:
    /// those of 32 s at 2,000 a second. Each costs 50 bytes.
    pub refusals: usize,
    /// Servers of which it is remembered that they asked this side to wait, or to send less. A
    /// proxy talks to under 100.
    pub restraints: usize,
    /// The longest Retry-After that is kept to. More is said by mistake, or by an enemy.
    pub restraint_wait: Duration,
    /// Requests of one call that the application has not answered yet.
    pub pending_requests: usize,
    /// Realms of which one call keeps a nonce. Real calls meet two or three.
    pub auth_realms: usize,
    /// How often one request goes again because it was challenged: each realm may ask twice, so
    /// only a chain of many proxies needs more.
    pub auth_rounds: u32,
    /// Nonces of which a verifier remembers how often they were used. Beyond it the oldest are
    /// called stale, which costs their clients one round trip.
    pub auth_nonces: usize,
    /// Reliable provisional responses of one dialog that came before the one that they follow, and
    /// are kept until it has come (RFC 3262 4 leaves it to the client). None are by default: they
    /// come again by themselves, and some servers are surprised by a PRACK before that.
    pub provisionals_ahead: usize,
    /// Server transactions of one call, lingering ones included: room for 32 requests a second. What
    /// one peer sends within one call must not fill the tables of all. Its BYE is always taken.
    pub call_transactions: usize,
    /// How long an application may take to answer an INVITE before the core says 480.
    /// Three minutes is the least a proxy waits (Timer C, 3261 16.6).
    pub answer_wait: Duration,
    /// How long an application may take to answer another request before the core says 500.
    /// It must be under 64*T1, when the client gives up (4320 4.2: never 408).
    pub request_wait: Duration,
    /// How long a callee may ring before the caller's core cancels.
    pub ringing_wait: Duration,
    /// How often a re-INVITE that met glare (491) is sent again by itself. Two sides that back off
    /// at random meet again once in a few tries at most.
    pub glare_retries: u8,
    /// How long a message on a stream may take from its first byte to its last: 64*T1, after which
    /// no transaction waits for it. One byte a second holds no connection open.
    pub message_wait: Duration,
    /// How long a connection may be without use. Longer than the 14 minutes between two pings of a
    /// device on battery (5626 4.4.1).
    pub connection_idle: Duration,
    /// Connections that a driver has open at once; one more is closed at once. Each costs a
    /// descriptor, of which a process has a thousand by default.
    pub connections: usize,
    /// Records of one DNS answer that are looked at, the best ones. A domain has under 10.
    pub dns_records: usize,
    /// Servers that one request is sent to, one after the other (3263 4.3): each may cost 64*T1.
    pub request_targets: usize,
    /// How long the application may take to answer a query.
    pub query_wait: Duration,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        message_bytes: 65_535,
        start_line_bytes: 8_192,
        headers: 256,
        header_line_bytes: 16_384,
        params: 128,
        list_items: 256,
        via_hops: 70,
        nesting: 16,
        redirect_targets: 16,
        forks: 16,
        calls: 1_000_000,
        transactions: 4_000_000,
        request_rate: None,
        request_burst: None,
        queue_patience: Duration::from_millis(500),
        queue_wait: Duration::from_millis(100),
        queue_shed: Duration::from_millis(350),
        queue_bytes: 16_777_216,
        refusals: 65_536,
        restraints: 4_096,
        restraint_wait: Duration::from_secs(3_600),
        pending_requests: 16,
        auth_realms: 8,
        auth_rounds: 8,
        auth_nonces: 65_536,
        provisionals_ahead: 0,
        call_transactions: 1_024,
        answer_wait: Duration::from_secs(180),
        request_wait: Duration::from_secs(20),
        ringing_wait: Duration::from_secs(240),
        glare_retries: 8,
        message_wait: Duration::from_secs(32),
        connection_idle: Duration::from_secs(900),
        connections: 100_000,
        dns_records: 32,
        request_targets: 8,
        query_wait: Duration::from_secs(10),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

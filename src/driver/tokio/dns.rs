//! DNS by hickory-resolver, for the questions of RFC 3263: NAPTR, SRV, and addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::{Duration, timeout};

use crate::locate::{Naptr, Question, Records, Srv};

/// How long one try may take: under a third of what a question has.
const TRY: Duration = Duration::from_secs(2);
/// Tries after the first.
const RETRIES: usize = 1;
/// How long one question may take: less than
/// [`Limits::query_wait`](crate::limits::Limits::query_wait), so that whoever looks sees which of
/// both it was.
const QUESTION: Duration = Duration::from_secs(8);

/// A resolver that knows NAPTR and SRV records, and keeps what it was told for as long as the
/// records say (their TTL). Clones share all of it.
#[derive(Clone)]
pub struct Dns {
    resolver: TokioResolver,
    limit: Duration,
    tallies: Arc<Tallies>,
}

#[derive(Debug, Default)]
struct Tallies {
    answered: AtomicU64,
    timeouts: AtomicU64,
    refusals: AtomicU64,
    errors: AtomicU64,
}

/// Why DNS has no answer. That there are no such records is one.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsFailure {
    /// No server answered in time.
    #[error("no server answered in time")]
    Timeout,
    /// A server could not or would not answer.
    #[error("a server answered {code}")]
    Refused {
        /// What it said instead, such as `Server Failure`.
        code: Box<str>,
    },
    /// No server could be reached, or none made sense.
    #[error("{what}")]
    Network {
        /// What happened.
        what: Box<str>,
    },
    /// What is asked for cannot be a name.
    #[error("not a name")]
    Name,
}

/// How look-ups fared so far, those from the cache included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct DnsCounters {
    /// Answers, also that there is nothing.
    pub answered: u64,
    /// [`DnsFailure::Timeout`].
    pub timeouts: u64,
    /// [`DnsFailure::Refused`].
    pub refusals: u64,
    /// [`DnsFailure::Network`] and [`DnsFailure::Name`].
    pub errors: u64,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns")
            .field("limit", &self.limit)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

impl Dns {
    /// With the servers that the operating system is configured with.
    ///
    /// # Errors
    ///
    /// The configuration cannot be read.
    pub fn system() -> io::Result<Self> {
        let mut builder = TokioResolver::builder_tokio().map_err(other)?;
        let options = builder.options_mut();
        options.timeout = TRY;
        options.attempts = RETRIES;
        Ok(Self::new(builder.build().map_err(other)?))
    }

    /// With these servers, in this order, over UDP and TCP.
    ///
    /// ```
    /// use drongo::driver::tokio::Dns;
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let dns = Dns::with_servers(&["192.0.2.53:53".parse()?])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` for no server.
    pub fn with_servers(servers: &[SocketAddr]) -> io::Result<Self> {
        if servers.is_empty() {
            let nothing = "a resolver needs a server";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, nothing));
        }
        let on_port = |mut connection: ConnectionConfig, port| {
            connection.port = port;
            connection
        };
        let server = |address: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                .map(|connection| on_port(connection, address.port()));
            NameServerConfig::new(address.ip(), true, connections.to_vec())
        };
        let servers = servers.iter().map(server).collect();
        let config = ResolverConfig::from_name_servers(servers);
        let mut options = ResolverOpts::default();
        options.timeout = TRY;
        options.attempts = RETRIES;
        options.num_concurrent_reqs = 1;
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let provider = TokioRuntimeProvider::default();
        let builder = TokioResolver::builder_with_config(config, provider).with_options(options);
        Ok(Self::new(builder.build().map_err(other)?))
    }

    /// With this resolver as it is: its servers, time limits and cache.
    pub fn new(resolver: TokioResolver) -> Self {
        Self {
            resolver,
            limit: QUESTION,
            tallies: Arc::default(),
        }
    }

    /// How long one question may take, tries at all servers included: 8 s by default, under
    /// [`Limits::query_wait`](crate::limits::Limits::query_wait).
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How look-ups fared so far.
    pub fn counters(&self) -> DnsCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DnsCounters {
            answered: read(&self.tallies.answered),
            timeouts: read(&self.tallies.timeouts),
            refusals: read(&self.tallies.refusals),
            errors: read(&self.tallies.errors),
        }
    }

    /// Asks, or looks into the cache. That there are no such records is [`Records::None`].
    ///
    /// # Errors
    ///
    /// DNS has no answer.
    pub async fn look_up(&self, question: &Question) -> Result<Records, DnsFailure> {
        let found = match timeout(self.limit, self.ask(question)).await {
            Ok(found) => found,
            Err(_) => Err(DnsFailure::Timeout),
        };
        let counter = match &found {
            Ok(_) => &self.tallies.answered,
            Err(DnsFailure::Timeout) => &self.tallies.timeouts,
            Err(DnsFailure::Refused { .. }) => &self.tallies.refusals,
            Err(DnsFailure::Network { .. } | DnsFailure::Name) => &self.tallies.errors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    async fn ask(&self, question: &Question) -> Result<Records, DnsFailure> {
        // It is what the URI or the record says, whatever the search list of this machine.
        let mut name = Name::from_ascii(question.name()).map_err(|_| DnsFailure::Name)?;
        name.set_fqdn(true);
        let found = match question {
            Question::Naptr { .. } => self.records(name, RecordType::NAPTR).await,
            Question::Srv { .. } => self.records(name, RecordType::SRV).await,
            Question::Addresses { .. } => self.addresses(name).await,
        };
        match found {
            Ok(records) => Ok(records),
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(Records::None),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn records(&self, name: Name, kind: RecordType) -> Result<Records, NetError> {
        let found = self.resolver.lookup(name, kind).await?;
        let data = found.answers().iter().map(|record| &record.data);
        Ok(match kind == RecordType::SRV {
            true => Records::Srv(data.filter_map(srv).collect()),
            false => Records::Naptr(data.filter_map(naptr).collect()),
        })
    }

    async fn addresses(&self, name: Name) -> Result<Records, NetError> {
        let found = self.resolver.lookup_ip(name).await?;
        let mut addresses: Vec<IpAddr> = found.iter().collect();
        addresses.sort_by_cached_key(rank);
        Ok(Records::Addresses(addresses))
    }
}

/// The best first: what this machine has a route to, and of that IPv6 (RFC 6724 6, rules 1 and 6).
/// Connecting a UDP socket sends nothing.
fn rank(address: &IpAddr) -> (bool, bool) {
    let any = match address {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let probe = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((*address, 9)));
    (probe.is_err(), address.is_ipv4())
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(record) = data else {
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
    Some(Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        services: text(&record.services),
        regexp: text(&record.regexp),
        replacement: written(&record.replacement),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(record) = data else {
        return None;
    };
    Some(Srv {
        priority: record.priority,
        weight: record.weight,
        port: record.port,
        target: written(&record.target),
    })
}

/// Without a dot at the end, but for the root.
fn written(name: &Name) -> Box<str> {
    let name = name.to_ascii();
    match name.strip_suffix('.') {
        Some("") | None => name.into(),
        Some(name) => name.into(),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors: what is not named here is told as it is"
)]
fn failure(error: &NetError) -> DnsFailure {
    match error {
        NetError::Timeout => DnsFailure::Timeout,
        NetError::Dns(DnsError::ResponseCode(code)) => DnsFailure::Refused {
            code: code.to_string().into(),
        },
        other => DnsFailure::Network {
            what: other.to_string().into(),
        },
    }
}

fn other(error: NetError) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_without_the_last_dot() {
        let name = |text| Name::from_ascii(text).unwrap();
        assert_eq!(
            &*written(&name("_sip._tcp.Example.com.")),
            "_sip._tcp.Example.com"
        );
        assert_eq!(&*written(&Name::root()), ".");
    }

    #[test]
    fn reachable_addresses_go_first() {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let nowhere = IpAddr::V4(Ipv4Addr::BROADCAST);
        assert!(rank(&here) < rank(&nowhere));
    }
}

//! Which records serve, and in which order: 3263 4.1 for NAPTR, RFC 2782 for SRV.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::{Naptr, Reach, Srv};
use crate::seed::Stream;
use crate::transport::Transport;

/// The longest name that DNS knows.
const NAME_BYTES: usize = 255;

/// A host that may serve, and how.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Server {
    pub(super) transport: Transport,
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

/// The transports and SRV names that the NAPTR records lead to, the most preferred first.
pub(super) fn services(
    mut records: Vec<Naptr>,
    secure: bool,
    reach: Reach,
    limit: usize,
) -> Vec<(Transport, Box<str>)> {
    // Equal ones in an order of their own, whatever the order of the answer.
    records.sort();
    let service = |record: Naptr| {
        let transport = naptr_transport(&record.services)?;
        let leads_to_srv = record.flags.eq_ignore_ascii_case("s") && record.regexp.is_empty();
        let serves = leads_to_srv && reach.speaks(transport);
        let secured = transport.is_secure() || !secure;
        let name = name(&record.replacement)?;
        (serves && secured).then(|| (transport, name.into()))
    };
    records
        .into_iter()
        .filter_map(service)
        .take(limit)
        .collect()
}

/// The transports whose SRV records are asked for where NAPTR says nothing: the default of the URI
/// first. A SIP URI goes over TLS only where this side speaks nothing else.
pub(super) fn supported(secure: bool, reach: Reach) -> Vec<Transport> {
    let plain = [Transport::Udp, Transport::Tcp];
    let plain = plain.into_iter().filter(|t| !secure && reach.speaks(*t));
    let mut all: Vec<Transport> = plain.collect();
    if all.is_empty() && reach.speaks(Transport::Tls) {
        all.push(Transport::Tls);
    }
    all
}

/// The name of the SRV records of a transport (4.2; 7118 leaves those of WebSockets to the rule).
pub(super) fn srv_name(transport: Transport, domain: &str) -> Box<str> {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    };
    format!("{service}.{domain}").into()
}

/// The servers of SRV records in the order of RFC 2782: by priority, and within one priority drawn
/// by weight.
pub(super) fn servers(
    transport: Transport,
    mut records: Vec<Srv>,
    random: &mut Stream,
    limit: usize,
) -> VecDeque<Server> {
    // Among equal priorities those without weight are first, as the drawing wants them; equal ones
    // in an order of their own.
    records.sort();
    records.truncate(limit);
    let mut servers = VecDeque::new();
    while let Some(best) = records.first().map(|record| record.priority) {
        let same = records.iter().take_while(|r| r.priority == best);
        let sum = same.clone().map(|r| u64::from(r.weight)).sum::<u64>();
        let draw = draw(random, sum);
        let mut running = 0_u64;
        let chosen = same.clone().position(|record| {
            running = running.saturating_add(u64::from(record.weight));
            running >= draw
        });
        // The running sum ends at the whole sum, which no draw exceeds.
        let record = records.remove(chosen.unwrap_or_default());
        let Some(host) = name(&record.target).filter(|host| is_name(host)) else {
            continue;
        };
        servers.push_back(Server {
            transport,
            host: host.into(),
            port: record.port,
        });
    }
    servers
}

fn naptr_transport(services: &str) -> Option<Transport> {
    let known = [
        ("SIP+D2U", Transport::Udp),
        ("SIP+D2T", Transport::Tcp),
        ("SIPS+D2T", Transport::Tls),
        ("SIP+D2W", Transport::Ws),
        ("SIPS+D2W", Transport::Wss),
    ];
    let known = known
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(services));
    known.map(|(_, transport)| transport)
}

/// A name as it is asked for; `None` for the root and what no name can be.
fn name(text: &str) -> Option<&str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    (!name.is_empty() && name.len() <= NAME_BYTES).then_some(name)
}

/// RFC 2782 forbids addresses in SRV records.
fn is_name(host: &str) -> bool {
    host.parse::<core::net::IpAddr>().is_err()
}

/// A number in `0..=max`.
fn draw(random: &mut Stream, max: u64) -> u64 {
    let wide = u128::from(random.next_u64()).saturating_mul(u128::from(max).saturating_add(1));
    (wide >> 64) as u64
}

//! Where a response goes (3261 18.2.2, 3581 4, 3263 5).

use core::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use crate::message::{Host, Via};
use crate::transport::{Fixup, Flow, NextHop, Transport};

/// The most places that [`response_routes`] names.
pub const MAX_RESPONSE_ROUTES: usize = 3;

/// One place to send a response to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ResponseRoute<'a> {
    /// On the flow of the request, back to where it came from.
    Flow(Flow),
    /// From the socket that the request came to, to `flow.remote`, which is not where it came from.
    Datagram {
        /// The flow of the request with the remote address to use.
        flow: Flow,
        /// Time to live, if the address is a multicast group.
        ttl: Option<u8>,
    },
    /// Over a new connection.
    Connect {
        /// The transport.
        transport: Transport,
        /// Where to.
        remote: SocketAddr,
    },
    /// To a name, which must be looked up first.
    Lookup(NextHop<'a>),
}

/// Where to send the response to a request that came on `flow` with this top Via: the places in
/// the order in which they are tried, each if the one before failed.
///
/// Only the top Via and the flow count. `top` may be the Via as it came or as [`Fixup`] completed
/// it. Whether the transport is reliable is a matter of the flow, not of what the Via claims.
///
/// ```
/// use drongo::message::Via;
/// use drongo::transport::{Flow, FlowId, ResponseRoute, Transport, response_routes};
///
/// let flow = Flow {
///     id: FlowId::new(1),
///     transport: Transport::Udp,
///     local: "192.0.2.9:5060".parse().unwrap(),
///     remote: "192.0.2.1:9988".parse().unwrap(),
/// };
/// let via = Via::parse(b"SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bK1").unwrap();
/// assert_eq!(response_routes(&via, &flow).first(), Some(&ResponseRoute::Flow(flow)));
/// ```
pub fn response_routes<'a>(
    top: &Via<'a>,
    flow: &Flow,
) -> SmallVec<[ResponseRoute<'a>; MAX_RESPONSE_ROUTES]> {
    let mut routes = SmallVec::new();
    if flow.transport.is_websocket() {
        // The peer cannot be called back (7118 5.3).
        routes.push(ResponseRoute::Flow(*flow));
        return routes;
    }
    let fixup = Fixup::of_flow(top, flow);
    let port = top.port().unwrap_or(flow.transport.default_port());
    if flow.transport.is_reliable() {
        routes.push(ResponseRoute::Flow(*flow));
        if let Some(received) = fixup.received {
            let remote = SocketAddr::new(received, port);
            routes.push(ResponseRoute::Connect {
                transport: flow.transport,
                remote,
            });
        }
    } else if let Some(maddr) = top.maddr() {
        routes.push(to_maddr(top, maddr, flow, port));
        return routes;
    } else if let Some(received) = fixup.received {
        let port = fixup.rport.or(top.rport().flatten()).unwrap_or(port);
        routes.push(datagram(flow, SocketAddr::new(received, port), None));
    }
    let last = to_sent_by(top, flow, port);
    if !routes.contains(&last) {
        routes.push(last);
    }
    routes
}

/// The first of [`response_routes`], looked for once.
pub(crate) fn first_response_route<'a>(top: &Via<'a>, flow: &Flow) -> ResponseRoute<'a> {
    let back = ResponseRoute::Flow(*flow);
    // On a connection responses go back before anywhere else, and if a Via asks for `rport` alone,
    // as nearly all do.
    if flow.transport.is_reliable() || top.asks_for_rport_alone() {
        return back;
    }
    let (mut asks, mut has_maddr) = (false, false);
    for param in top.params() {
        asks |= param.value.is_none() && param.name.eq_ignore_ascii_case("rport");
        has_maddr |= param.name.eq_ignore_ascii_case("maddr");
    }
    if asks && !has_maddr {
        return back;
    }
    response_routes(top, flow)
        .into_iter()
        .next()
        .unwrap_or(back)
}

/// `maddr` overrides all but an open connection.
fn to_maddr<'a>(top: &Via<'a>, maddr: Host<'a>, flow: &Flow, port: u16) -> ResponseRoute<'a> {
    match maddr.ip() {
        Some(address) => {
            let ttl = address.is_multicast().then(|| top.ttl().unwrap_or(1));
            datagram(flow, SocketAddr::new(address, port), ttl)
        }
        None => ResponseRoute::Lookup(lookup(maddr, Some(port), flow.transport)),
    }
}

/// RFC 3263 section 5.
fn to_sent_by<'a>(top: &Via<'a>, flow: &Flow, port: u16) -> ResponseRoute<'a> {
    let transport = flow.transport;
    match top.host().ip() {
        Some(ip) if transport.is_reliable() => ResponseRoute::Connect {
            transport,
            remote: SocketAddr::new(ip, port),
        },
        Some(ip) => datagram(flow, SocketAddr::new(ip, port), None),
        None => ResponseRoute::Lookup(lookup(top.host(), top.port(), transport)),
    }
}

const fn lookup(host: Host<'_>, port: Option<u16>, transport: Transport) -> NextHop<'_> {
    NextHop {
        transport: Some(transport),
        host,
        port,
        secure: transport.is_secure(),
    }
}

fn datagram<'a>(flow: &Flow, remote: SocketAddr, ttl: Option<u8>) -> ResponseRoute<'a> {
    let remote = match (flow.local, remote.ip()) {
        // A socket for both families takes IPv4 addresses in their mapped form.
        (SocketAddr::V6(_), IpAddr::V4(v4)) => {
            SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), remote.port())
        }
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => remote,
    };
    let same = flow.remote.ip().to_canonical() == remote.ip().to_canonical()
        && flow.remote.port() == remote.port();
    if same {
        ResponseRoute::Flow(*flow)
    } else {
        ResponseRoute::Datagram {
            flow: Flow { remote, ..*flow },
            ttl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::FlowId;

    fn flow(transport: Transport, remote: &str) -> Flow {
        let remote: SocketAddr = remote.parse().unwrap();
        let local = if remote.is_ipv4() {
            "192.0.2.9:5060"
        } else {
            "[2001:db8::9]:5060"
        };
        Flow {
            id: FlowId::new(1),
            transport,
            local: local.parse().unwrap(),
            remote,
        }
    }

    fn routes<'a>(via: &'a str, flow: &Flow) -> Vec<ResponseRoute<'a>> {
        response_routes(&Via::parse(via.as_bytes()).unwrap(), flow).to_vec()
    }

    fn to(flow: &Flow, remote: &str, ttl: Option<u8>) -> ResponseRoute<'static> {
        ResponseRoute::Datagram {
            flow: Flow {
                remote: remote.parse().unwrap(),
                ..*flow
            },
            ttl,
        }
    }

    fn connect(transport: Transport, remote: &str) -> ResponseRoute<'static> {
        ResponseRoute::Connect {
            transport,
            remote: remote.parse().unwrap(),
        }
    }

    fn name(host: &str, port: Option<u16>, transport: Transport) -> ResponseRoute<'_> {
        let secure = transport.is_secure();
        let host = Host::Name(host);
        ResponseRoute::Lookup(NextHop {
            transport: Some(transport),
            host,
            port,
            secure,
        })
    }

    #[test]
    fn rport_sends_back_to_the_source_from_the_same_socket() {
        // 3581-4-06, 3581-4-07
        let flow = flow(Transport::Udp, "192.0.2.1:9988");
        let via = "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bK1";
        let completed = "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;received=192.0.2.1;branch=z9hG4bK1";
        for via in [via, completed] {
            let fallback = to(&flow, "10.1.1.1:4540", None);
            assert_eq!(routes(via, &flow), [ResponseRoute::Flow(flow), fallback]);
        }
    }

    #[test]
    fn the_first_route_is_the_first_of_all() {
        let hosts = [
            "192.0.2.1",
            "192.0.2.7:5070",
            "[2001:db8::7]",
            "h.example",
            "h.example:1",
        ];
        let params = [
            "",
            ";rport",
            ";rport=7",
            ";rport=9988",
            ";received=192.0.2.7",
            ";received=h",
        ];
        let maddr = [
            "",
            ";maddr=192.0.2.8",
            ";maddr=h.example",
            ";maddr",
            ";maddr=224.2.0.1;ttl=3",
        ];
        let flows = ["192.0.2.1:9988", "192.0.2.7:5060", "[2001:db8::7]:5060"];
        let transports = [
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
            Transport::Wss,
        ];
        let mut seen = 0;
        for (host, param) in hosts
            .iter()
            .flat_map(|h| params.iter().map(move |p| (h, p)))
        {
            for (maddr, remote) in maddr.iter().flat_map(|m| flows.iter().map(move |f| (m, f))) {
                for transport in transports {
                    let flow = flow(transport, remote);
                    let via = format!("SIP/2.0/UDP {host}{param}{maddr};branch=z9hG4bK1");
                    let via = Via::parse(via.as_bytes()).unwrap();
                    let all = response_routes(&via, &flow);
                    assert_eq!(
                        first_response_route(&via, &flow),
                        all[0],
                        "{via:?} {flow:?}"
                    );
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 5 * 6 * 5 * 3 * 4);
    }

    #[test]
    fn without_rport_the_port_is_that_of_sent_by() {
        // 3261-18.2.2-06, 3261-18.2.2-07
        let flow = flow(Transport::Udp, "192.0.2.4:9988");
        assert_eq!(
            routes("SIP/2.0/UDP bobspc.biloxi.com:5070", &flow),
            [
                to(&flow, "192.0.2.4:5070", None),
                name("bobspc.biloxi.com", Some(5070), Transport::Udp)
            ]
        );
        assert_eq!(
            routes("SIP/2.0/UDP bobspc.biloxi.com", &flow),
            [
                to(&flow, "192.0.2.4:5060", None),
                name("bobspc.biloxi.com", None, Transport::Udp)
            ]
        );
    }

    #[test]
    fn without_received_it_goes_to_sent_by() {
        // 3261-18.2.2-08, 3263-5-01
        let flow = flow(Transport::Udp, "192.0.2.4:9988");
        let one = [to(&flow, "192.0.2.4:5060", None)];
        assert_eq!(routes("SIP/2.0/UDP 192.0.2.4", &flow), one);
        let same = Flow {
            remote: "192.0.2.4:5070".parse().unwrap(),
            ..flow
        };
        assert_eq!(
            routes("SIP/2.0/UDP 192.0.2.4:5070", &same),
            [ResponseRoute::Flow(same)]
        );
    }

    #[test]
    fn maddr_overrides_received_and_a_group_has_a_ttl() {
        // 3261-18.2.2-04, 3261-18.2.2-05, 3261-18.2.2-09
        let flow = flow(Transport::Udp, "192.0.2.4:9988");
        let group = "SIP/2.0/UDP host.example:4000;rport;maddr=224.2.0.1";
        assert_eq!(routes(group, &flow), [to(&flow, "224.2.0.1:4000", Some(1))]);
        let far = "SIP/2.0/UDP host.example;maddr=224.2.0.1;ttl=16;received=192.0.2.4";
        assert_eq!(routes(far, &flow), [to(&flow, "224.2.0.1:5060", Some(16))]);
        let single = "SIP/2.0/UDP host.example;maddr=192.0.2.77;ttl=16";
        assert_eq!(routes(single, &flow), [to(&flow, "192.0.2.77:5060", None)]);
        let named = "SIP/2.0/UDP host.example;maddr=other.example";
        assert_eq!(
            routes(named, &flow),
            [name("other.example", Some(5060), Transport::Udp)]
        );
    }

    #[test]
    fn a_stream_answers_on_its_connection_then_opens_one() {
        // 3261-18.2.2-01, 3261-18.2.2-02, 3261-18.2.2-03, 3261-18.2.2-09, 3581-4-08
        let tcp = flow(Transport::Tcp, "192.0.2.4:40000");
        assert_eq!(
            routes(
                "SIP/2.0/TCP host.example;rport;maddr=192.0.2.77;branch=z9hG4bK1",
                &tcp
            ),
            [
                ResponseRoute::Flow(tcp),
                connect(Transport::Tcp, "192.0.2.4:5060"),
                name("host.example", None, Transport::Tcp)
            ]
        );
        assert_eq!(
            routes("SIP/2.0/TCP 10.0.0.1:5070", &tcp),
            [
                ResponseRoute::Flow(tcp),
                connect(Transport::Tcp, "192.0.2.4:5070"),
                connect(Transport::Tcp, "10.0.0.1:5070")
            ]
        );
        assert_eq!(
            routes("SIP/2.0/TCP 192.0.2.4", &tcp),
            [
                ResponseRoute::Flow(tcp),
                connect(Transport::Tcp, "192.0.2.4:5060")
            ]
        );
    }

    #[test]
    fn a_secure_request_is_answered_over_tls_only() {
        // 3263-5-02, 3263-5-03, 3263-5-04
        let tls = flow(Transport::Tls, "192.0.2.4:40000");
        assert_eq!(
            routes("SIP/2.0/TLS host.example", &tls),
            [
                ResponseRoute::Flow(tls),
                connect(Transport::Tls, "192.0.2.4:5061"),
                name("host.example", None, Transport::Tls)
            ]
        );
        let with_port = routes("SIP/2.0/TLS host.example:5071", &tls);
        assert_eq!(
            with_port.last(),
            Some(&name("host.example", Some(5071), Transport::Tls))
        );
    }

    #[test]
    fn a_via_that_lies_about_its_transport_changes_nothing() {
        let udp = flow(Transport::Udp, "192.0.2.4:5060");
        assert_eq!(
            routes("SIP/2.0/TCP 192.0.2.4", &udp),
            [ResponseRoute::Flow(udp)]
        );
        let tls = flow(Transport::Tls, "192.0.2.4:40000");
        assert_eq!(
            routes("SIP/2.0/UDP h.example", &tls).first(),
            Some(&ResponseRoute::Flow(tls))
        );
    }

    #[test]
    fn a_web_socket_is_never_called_back() {
        // 7118-5.3-53
        for transport in [Transport::Ws, Transport::Wss] {
            let flow = flow(transport, "192.0.2.4:40000");
            let via = format!("SIP/2.0/{transport} df7jal23ls0d.invalid;branch=z9hG4bK1");
            assert_eq!(routes(&via, &flow), [ResponseRoute::Flow(flow)]);
        }
    }

    #[test]
    fn a_socket_for_both_families_keeps_its_form_of_addresses() {
        let flow = flow(Transport::Udp, "[::ffff:192.0.2.4]:9988");
        assert_eq!(
            routes("SIP/2.0/UDP 192.0.2.4:9988", &flow),
            [ResponseRoute::Flow(flow)]
        );
        let via = "SIP/2.0/UDP 192.0.2.4:5060";
        assert_eq!(
            routes(via, &flow),
            [to(&flow, "[::ffff:192.0.2.4]:5060", None)]
        );
    }
}

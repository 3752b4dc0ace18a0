//! DNS in the tokio driver, with a server of our own on the loopback address: who is found, what is
//! kept, and what becomes of questions that nobody answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drongo::call::{EndReason, Invitation};
use drongo::driver::tokio::hickory_resolver::proto::op::{Message, ResponseCode};
use drongo::driver::tokio::hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use drongo::driver::tokio::hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use drongo::driver::tokio::{
    Arrival, Bounds, CallError, CallEvent, Dns, DnsFailure, Driver, Listen, UserAgent,
};
use drongo::endpoint::{Config, Event, Reroute};
use drongo::locate::{Question, Records, Srv};
use drongo::message::{Body, Outgoing, StatusCode};
use drongo::transport::Transport;
use tokio::net::UdpSocket;

use super::agent::{anywhere, run};

/// What a name server knows, in seconds and data; a name that is not here does not exist.
type Zone = BTreeMap<(&'static str, RecordType), Vec<(u32, RData)>>;

/// A name server on the loopback address, and what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl Server {
    async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind(anywhere()).await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                let mut buffer = [0; 4096];
                loop {
                    let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                    let query = Message::from_vec(&buffer[..length]).unwrap();
                    let question = &query.queries[0];
                    let name = question.name().to_ascii().to_ascii_lowercase();
                    let name = name.trim_end_matches('.').to_owned();
                    asked.lock().unwrap().push((name, question.query_type()));
                    let response = respond(&zone, &query);
                    socket.send_to(&response, from).await.unwrap();
                }
            }
        });
        Self { address, asked }
    }

    fn dns(&self) -> Dns {
        Dns::with_servers(&[self.address]).unwrap()
    }

    fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().unwrap().clone()
    }
}

fn respond(zone: &Zone, query: &Message) -> Vec<u8> {
    let question = &query.queries[0];
    let name = question.name().to_ascii().to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    let mut response = Message::response(query.metadata.id, query.metadata.op_code);
    response.metadata.recursion_available = true;
    response.add_query(question.clone());
    let mut known = zone.iter().filter(|((known, _), _)| *known == name);
    if name == "broken.test" {
        response.metadata.response_code = ResponseCode::ServFail;
    } else if known.clone().next().is_none() {
        response.metadata.response_code = ResponseCode::NXDomain;
    }
    if let Some((_, records)) = known.find(|((_, kind), _)| *kind == question.query_type()) {
        for (ttl, data) in records {
            let record = Record::from_rdata(question.name().clone(), *ttl, data.clone());
            response.add_answer(record);
        }
    }
    response.to_vec().unwrap()
}

const HOUR: u32 = 3_600;

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn naptr(order: u16, service: &str, replacement: &str) -> (u32, RData) {
    let (flags, service) = (b"s".to_vec().into(), service.as_bytes().into());
    let record = NAPTR::new(order, 0, flags, service, Box::default(), name(replacement));
    (HOUR, RData::NAPTR(record))
}

fn srv(priority: u16, target: &str, port: u16) -> (u32, RData) {
    (HOUR, RData::SRV(SRV::new(priority, 0, port, name(target))))
}

fn address(address: IpAddr) -> (u32, RData) {
    let data = match address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    };
    (HOUR, data)
}

fn here() -> (u32, RData) {
    address(anywhere().ip())
}

async fn agent(places: &[Listen], dns: Option<Dns>) -> UserAgent {
    let mut driver = Driver::bind(places, Config::default()).await.unwrap();
    if let Some(dns) = dns {
        driver.resolve_with(dns);
    }
    UserAgent::new(driver, Bounds::default())
}

fn invitation(target: &str) -> Invitation {
    Invitation::new(target, "sip:alice@127.0.0.1")
        .unwrap()
        .with(Body::sdp("v=0\r\n"))
}

/// Answers one call, and waits for its end.
fn answering(agent: &UserAgent) -> tokio::task::JoinHandle<EndReason> {
    let agent = agent.clone();
    tokio::spawn(async move {
        let Some(Arrival::Call(call)) = agent.incoming().await else {
            panic!("nobody calls");
        };
        call.answer(Body::sdp("v=0\r\n"))
            .await
            .unwrap()
            .ended()
            .await
    })
}

#[test]
fn call_goes_by_naptr_and_srv_to_the_next_server_if_the_first_refuses() {
    run(async {
        let nobody = tokio::net::TcpListener::bind(anywhere()).await.unwrap();
        let dead = nobody.local_addr().unwrap();
        drop(nobody);
        let bob = agent(&[Listen::Udp(anywhere()), Listen::Tcp(anywhere())], None).await;
        let alive = bob.local_addr_of(Transport::Tcp).unwrap();
        let server = Server::start(Zone::from([
            (
                ("example.test", RecordType::NAPTR),
                vec![
                    // The domain prefers TCP, whatever this side would.
                    naptr(20, "SIP+D2U", "_sip._udp.example.test"),
                    naptr(10, "SIP+D2T", "_sip._tcp.example.test"),
                ],
            ),
            (
                ("_sip._tcp.example.test", RecordType::SRV),
                vec![
                    srv(20, "alive.example.test", alive.port()),
                    srv(10, "dead.example.test", dead.port()),
                ],
            ),
            (("dead.example.test", RecordType::A), vec![here()]),
            (("alive.example.test", RecordType::A), vec![here()]),
        ]))
        .await;
        let places = [Listen::Udp(anywhere()), Listen::Tcp(anywhere())];
        let dns = server.dns();
        let alice = agent(&places, Some(dns.clone())).await;
        let answered = answering(&bob);
        let mut outgoing = alice
            .invite(invitation("sip:bob@example.test"))
            .await
            .unwrap();
        let mut ways = Vec::new();
        while let Some(event) = outgoing.next_event().await {
            if let CallEvent::Told(Event::Rerouted { reason, flow, .. }) = event {
                ways.push((reason, flow.transport, flow.remote));
            }
        }
        let call = outgoing.answered().await.unwrap();
        assert_eq!(ways, [(Reroute::Failover, Transport::Tcp, alive)]);
        call.hang_up().await;
        answered.await.unwrap();
        let asked = server.asked();
        let of = |kind| {
            let asked = asked.iter().filter(|(_, other)| *other == kind);
            asked.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(RecordType::NAPTR), ["example.test"]);
        assert_eq!(
            of(RecordType::A),
            ["dead.example.test", "alive.example.test"]
        );
        assert!(!of(RecordType::SRV).is_empty());
        assert_eq!(dns.counters().timeouts, 0);
    });
}

#[test]
fn call_goes_to_the_next_server_if_the_first_says_503() {
    run(async {
        let full = agent(&[Listen::Udp(anywhere())], None).await;
        let bob = agent(&[Listen::Udp(anywhere())], None).await;
        let server = Server::start(Zone::from([
            (
                // No NAPTR: the domain is there, and has none.
                ("_sip._udp.example.test", RecordType::SRV),
                vec![
                    srv(1, "full.example.test", full.local_addr().port()),
                    srv(2, "bob.example.test", bob.local_addr().port()),
                ],
            ),
            (("full.example.test", RecordType::A), vec![here()]),
            (("bob.example.test", RecordType::A), vec![here()]),
        ]))
        .await;
        let alice = agent(&[Listen::Udp(anywhere())], Some(server.dns())).await;
        tokio::spawn(async move {
            while let Some(Arrival::Call(call)) = full.incoming().await {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                call.reject(status, Outgoing::new()).await.unwrap();
            }
        });
        let answered = answering(&bob);
        let outgoing = alice
            .invite(invitation("sip:bob@example.test"))
            .await
            .unwrap();
        outgoing.answered().await.unwrap().hang_up().await;
        answered.await.unwrap();
    });
}

#[test]
fn answers_are_kept_as_long_as_they_say() {
    run(async {
        let service = |ttl, target| vec![(ttl, srv(0, target, 5060).1)];
        let server = Server::start(Zone::from([
            (
                ("_sip._udp.kept.test", RecordType::SRV),
                service(HOUR, "a.test"),
            ),
            (
                ("_sip._udp.fleeting.test", RecordType::SRV),
                service(0, "b.test"),
            ),
        ]))
        .await;
        let dns = server.dns();
        let question = |name: &str| Question::Srv { name: name.into() };
        for name in ["_sip._udp.kept.test", "_sip._udp.fleeting.test"] {
            let first = dns.look_up(&question(name)).await.unwrap();
            assert_eq!(dns.look_up(&question(name)).await, Ok(first));
        }
        let asked = server.asked();
        let times = |name| asked.iter().filter(|(asked, _)| asked == name).count();
        assert_eq!(times("_sip._udp.kept.test"), 1);
        assert_eq!(times("_sip._udp.fleeting.test"), 2);
        assert_eq!(dns.counters().answered, 4);
    });
}

#[test]
fn records_come_as_they_are() {
    run(async {
        let six: IpAddr = "::1".parse().unwrap();
        let server = Server::start(Zone::from([
            (("host.test", RecordType::A), vec![here()]),
            (("host.test", RecordType::AAAA), vec![address(six)]),
            (
                ("_sip._udp.away.test", RecordType::SRV),
                vec![(HOUR, RData::SRV(SRV::new(0, 0, 0, Name::root())))],
            ),
        ]))
        .await;
        let dns = server.dns();
        let addresses = Question::Addresses {
            name: "host.test".into(),
        };
        let Ok(Records::Addresses(found)) = dns.look_up(&addresses).await else {
            panic!("two addresses");
        };
        assert!(
            found.contains(&six) && found.contains(&anywhere().ip()),
            "{found:?}"
        );
        let away = Question::Srv {
            name: "_sip._udp.away.test".into(),
        };
        let target = ".".into();
        let none = Srv {
            priority: 0,
            weight: 0,
            port: 0,
            target,
        };
        assert_eq!(dns.look_up(&away).await, Ok(Records::Srv(vec![none])));
        // There is a host, and it has none of these.
        let naptr = Question::Naptr {
            name: "host.test".into(),
        };
        assert_eq!(dns.look_up(&naptr).await, Ok(Records::None));
        let nothing = Question::Naptr {
            name: "nothing.test".into(),
        };
        assert_eq!(dns.look_up(&nothing).await, Ok(Records::None));
        let wrong = Question::Addresses {
            name: "two..dots".into(),
        };
        assert_eq!(dns.look_up(&wrong).await, Err(DnsFailure::Name));
    });
}

#[test]
fn server_that_fails_is_no_absence_of_records() {
    run(async {
        let server = Server::start(Zone::new()).await;
        let dns = server.dns();
        let broken = Question::Naptr {
            name: "broken.test".into(),
        };
        let failed = dns.look_up(&broken).await;
        assert!(
            matches!(failed, Err(DnsFailure::Refused { .. })),
            "{failed:?}"
        );
        assert_eq!(dns.counters().refusals, 1);
    });
}

#[test]
fn silent_server_fails_the_call_in_time() {
    run(async {
        let silent = UdpSocket::bind(anywhere()).await.unwrap();
        let servers = [silent.local_addr().unwrap()];
        let limit = Duration::from_millis(50);
        let dns = Dns::with_servers(&servers).unwrap().with_limit(limit);
        let alice = agent(&[Listen::Udp(anywhere())], Some(dns.clone())).await;
        let outgoing = alice
            .invite(invitation("sip:bob@example.test"))
            .await
            .unwrap();
        let failed = outgoing.answered().await.unwrap_err();
        assert!(
            matches!(failed, CallError::Ended(EndReason::Failed(_))),
            "{failed}"
        );
        // NAPTR, SRV and addresses.
        assert!(dns.counters().timeouts >= 3, "{dns:?}");
        assert_eq!(dns.counters().answered, 0);
        assert!(Dns::with_servers(&[]).is_err());
    });
}

/// The certificate must be for the domain of the URI, whatever DNS makes of it: 5922-7.3-51.
#[cfg(feature = "tls")]
#[test]
fn certificate_is_for_the_domain_that_was_called() {
    use drongo::driver::tokio::Tls;
    use drongo::driver::tokio::rustls::crypto::ring::default_provider;
    use drongo::driver::tokio::rustls::pki_types::PrivateKeyDer;
    use drongo::driver::tokio::rustls::{ClientConfig, RootCertStore, ServerConfig};

    /// Somebody with a certificate for this name, who believes it.
    fn somebody(name: &str) -> Tls {
        let own = rcgen::generate_simple_self_signed([name.into()]).unwrap();
        let provider = Arc::new(default_provider());
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Tls::new(Arc::new(server), Arc::new(client))
    }

    run(async {
        for (certified, is_right) in [("Example.test", true), ("host.provider.test", false)] {
            let tls = somebody(certified);
            let places = [Listen::Tls(anywhere())];
            let bob = Driver::bind_secure(&places, Config::default(), tls.clone());
            let bob = UserAgent::new(bob.await.unwrap(), Bounds::default());
            let server = Server::start(Zone::from([
                (
                    ("example.test", RecordType::NAPTR),
                    vec![naptr(1, "SIPS+D2T", "_sips._tcp.provider.test")],
                ),
                (
                    ("_sips._tcp.provider.test", RecordType::SRV),
                    vec![srv(1, "host.provider.test", bob.local_addr().port())],
                ),
                (("host.provider.test", RecordType::A), vec![here()]),
            ]))
            .await;
            let alice = Driver::bind_secure(&places, Config::default(), tls).await;
            let mut alice = alice.unwrap();
            alice.resolve_with(server.dns());
            let alice = UserAgent::new(alice, Bounds::default());
            let answered = answering(&bob);
            let outgoing = alice
                .invite(invitation("sips:bob@example.test"))
                .await
                .unwrap();
            match (is_right, outgoing.answered().await) {
                (true, Ok(call)) => {
                    call.hang_up().await;
                    answered.await.unwrap();
                }
                (false, Err(CallError::Ended(EndReason::Failed(_)))) => answered.abort(),
                (_, other) => panic!("{certified}: {other:?}"),
            }
        }
    });
}

//! The tokio driver over TLS and WebSockets, on sockets of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use drongo::call::{EndReason, Invitation};
use drongo::driver::tokio::rustls::crypto::ring::default_provider;
use drongo::driver::tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use drongo::driver::tokio::rustls::{ClientConfig, RootCertStore, ServerConfig};
use drongo::driver::tokio::{Driver, Listen, Tls};
use drongo::endpoint::{Config, Endpoint, Event};
use drongo::message::{Body, Outgoing};
use drongo::transaction::Failure;
use drongo::transport::Transport;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{LIMIT, anywhere};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(async { tokio::time::timeout(LIMIT, test).await })
        .expect("it takes too long")
}

/// Somebody with a certificate for the loopback address, and who believes it.
fn believer() -> Tls {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    identity(own.cert.der(), own.signing_key.serialize_der(), true)
}

/// Somebody with another certificate, who believes nobody.
fn doubter() -> Tls {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    identity(own.cert.der(), own.signing_key.serialize_der(), false)
}

fn identity(cert: &CertificateDer<'static>, key: Vec<u8>, believes: bool) -> Tls {
    let provider = Arc::new(default_provider());
    let key = PrivateKeyDer::try_from(key).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    if believes {
        roots.add(cert.clone()).unwrap();
    }
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Tls::new(Arc::new(server), Arc::new(client))
}

/// A driver that answers every call on all places, and says how many handshakes have failed after
/// each event.
async fn answering(places: &[Listen], tls: Tls) -> (Vec<SocketAddr>, mpsc::Receiver<u64>) {
    answering_with(places, tls, Config::default()).await
}

async fn answering_with(
    places: &[Listen],
    tls: Tls,
    config: Config,
) -> (Vec<SocketAddr>, mpsc::Receiver<u64>) {
    let mut driver = Driver::bind_secure(places, config, tls).await.unwrap();
    let at = |place: &Listen| driver.local_addr_of(place.transport()).unwrap();
    let addresses = places.iter().map(at).collect();
    let (said, heard) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let event = driver.next_event().await.unwrap();
            if let Event::Incoming { call, .. } = event {
                let answer = |endpoint: &mut Endpoint, now, out: &mut _| {
                    let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
                    endpoint.call(call)?.answer(now, answer, out)
                };
                driver.act(answer).unwrap();
            }
            if said
                .send(driver.counters().handshakes_failed)
                .await
                .is_err()
            {
                return;
            }
        }
    });
    (addresses, heard)
}

/// Calls, hangs up when it is answered, and says why it ended and whether it was answered.
async fn call(driver: &mut Driver, target: &str) -> (EndReason, bool) {
    let offer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    let invitation = Invitation::new(target, "sip:alice@example.com").unwrap();
    let invitation = invitation.with(offer);
    driver.place(invitation).unwrap();
    let mut answered = false;
    loop {
        match driver.next_event().await.unwrap() {
            Event::Answered { call, .. } => {
                answered = true;
                let hang_up = |endpoint: &mut Endpoint, now, out: &mut _| {
                    endpoint.call(call)?.hang_up(now, out)
                };
                driver.act(hang_up).unwrap();
            }
            Event::Ended { reason, .. } => return (reason, answered),
            _ => {}
        }
    }
}

fn places() -> [Listen; 5] {
    [
        Listen::Udp(anywhere()),
        Listen::Tcp(anywhere()),
        Listen::Tls(anywhere()),
        Listen::Ws(anywhere()),
        Listen::Wss(anywhere()),
    ]
}

#[test]
fn call_over_each_transport_stands_and_is_hung_up() {
    // 7118-4.1-51, 7118-4.1-52, 7118-5.1-51, 7118-5.2-52
    run(async {
        let tls = believer();
        let (addresses, _heard) = answering(&places(), tls.clone()).await;
        let mut caller = Driver::bind_secure(&places(), Config::default(), tls)
            .await
            .unwrap();
        for (place, address) in places().iter().zip(addresses) {
            let target = match place.transport() {
                Transport::Tcp => format!("sip:bob@{address};transport=tcp"),
                Transport::Tls => format!("sips:bob@{address}"),
                Transport::Ws => format!("sip:bob@{address};transport=ws"),
                Transport::Wss => format!("sips:bob@{address};transport=ws"),
                _ => format!("sip:bob@{address}"),
            };
            let (reason, answered) = call(&mut caller, &target).await;
            assert!(answered, "{target}: {reason:?}");
        }
        assert_eq!(caller.connections(), 4);
    });
}

#[test]
fn connection_to_a_name_needs_a_certificate_for_that_name() {
    // 5922-7.3-51, 5922-7.3-52
    run(async {
        for (subject, stands) in [("localhost", true), ("127.0.0.1", false)] {
            let own = rcgen::generate_simple_self_signed([subject.to_owned()]).unwrap();
            let tls = identity(own.cert.der(), own.signing_key.serialize_der(), true);
            let (addresses, _heard) = answering(&[Listen::Tls(anywhere())], tls.clone()).await;
            let places = [Listen::Tls(anywhere())];
            let mut caller = Driver::bind_secure(&places, Config::default(), tls)
                .await
                .unwrap();
            // The Contact of the answer is numeric: the ACK and the BYE take the same connection.
            let target = format!("sips:bob@localhost:{}", addresses[0].port());
            let (reason, answered) = call(&mut caller, &target).await;
            assert_eq!(answered, stands, "{subject}: {reason:?}");
            assert_eq!(
                matches!(reason, EndReason::HungUp { .. }),
                stands,
                "{reason:?}"
            );
        }
    });
}

#[test]
fn certificate_that_nobody_vouches_for_fails_the_call() {
    run(async {
        let (addresses, _heard) = answering(&[Listen::Tls(anywhere())], believer()).await;
        let mut caller =
            Driver::bind_secure(&[Listen::Tls(anywhere())], Config::default(), doubter())
                .await
                .unwrap();
        let (reason, answered) = call(&mut caller, &format!("sips:bob@{}", addresses[0])).await;
        assert!(!answered);
        assert!(
            matches!(reason, EndReason::Failed(Failure::Transport)),
            "{reason:?}"
        );
    });
}

/// A call over TLS to a peer that takes the INVITE, says nothing and ends the connection.
async fn call_to_one_who_leaves(is_in_order: bool) -> EndReason {
    let tls = believer();
    let listener = TcpListener::bind(anywhere()).await.unwrap();
    let target = format!("sips:bob@{}", listener.local_addr().unwrap());
    let acceptor = TlsAcceptor::from(Arc::clone(&tls.server));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut invite = Vec::new();
        while !invite.ends_with(b"v=0\r\n") {
            stream.read_buf(&mut invite).await.unwrap();
        }
        if is_in_order {
            stream.shutdown().await.unwrap();
        }
    });
    let mut config = Config::default();
    config.timers.t1 = Duration::from_millis(50);
    let mut caller = Driver::bind_secure(&[Listen::Tls(anywhere())], config, tls)
        .await
        .unwrap();
    call(&mut caller, &target).await.0
}

#[test]
fn tls_that_ends_without_a_word_is_broken() {
    run(async {
        let reason = call_to_one_who_leaves(false).await;
        let is_lost = matches!(reason, EndReason::Failed(Failure::Transport));
        assert!(is_lost, "{reason:?}");
        let reason = call_to_one_who_leaves(true).await;
        let is_unanswered = matches!(reason, EndReason::Failed(Failure::Timeout));
        assert!(is_unanswered, "{reason:?}");
    });
}

#[test]
fn garbage_on_secure_ports_is_counted_and_harms_nobody() {
    run(async {
        let tls = believer();
        let places = [Listen::Tls(anywhere()), Listen::Ws(anywhere())];
        let (addresses, mut heard) = answering(&places, tls.clone()).await;
        for address in &addresses {
            let mut garbage = TcpStream::connect(address).await.unwrap();
            garbage
                .write_all(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
                .await
                .unwrap();
            let mut rest = Vec::new();
            // It reads to the end: the other side has closed.
            let _ = garbage.read_to_end(&mut rest).await;
        }
        let mut caller = Driver::bind_secure(&places, Config::default(), tls)
            .await
            .unwrap();
        let (_, answered) = call(&mut caller, &format!("sips:bob@{}", addresses[0])).await;
        assert!(answered);
        assert_eq!(heard.recv().await, Some(2));
    });
}

#[test]
fn handshake_that_stops_in_the_middle_is_given_up() {
    run(async {
        let tls = believer();
        let places = [Listen::Tls(anywhere()), Listen::Ws(anywhere())];
        let mut config = Config::default();
        config.limits.message_wait = Duration::from_millis(200);
        let (addresses, mut heard) = answering_with(&places, tls.clone(), config).await;
        // The head of a TLS record of 512 bytes, and half a request.
        let halves: [&[u8]; 2] = [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: "];
        for (address, half) in addresses.iter().zip(halves) {
            let mut silent = TcpStream::connect(address).await.unwrap();
            silent.write_all(half).await.unwrap();
            let mut rest = Vec::new();
            // It reads to the end: the other side has closed.
            let _ = silent.read_to_end(&mut rest).await;
            assert!(rest.is_empty());
        }
        let mut caller = Driver::bind_secure(&places, Config::default(), tls)
            .await
            .unwrap();
        let (_, answered) = call(&mut caller, &format!("sips:bob@{}", addresses[0])).await;
        assert!(answered);
        assert_eq!(heard.recv().await, Some(2));
    });
}

async fn websocket(
    address: SocketAddr,
    protocols: Option<&'static str>,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    if let Some(protocols) = protocols {
        let value = HeaderValue::from_static(protocols);
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", value);
    }
    let (socket, response) = client_async(request, stream).await?;
    let agreed = response.headers().get("Sec-WebSocket-Protocol");
    assert_eq!(agreed.unwrap(), "sip");
    Ok(socket)
}

#[test]
fn websocket_is_for_sip_alone() {
    // 7118-4.1-52
    run(async {
        let (addresses, _heard) = answering(&[Listen::Ws(anywhere())], believer()).await;
        for protocols in [None, Some("chat")] {
            let refused = websocket(addresses[0], protocols).await.map(|_| ());
            let Err(Error::Http(response)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(response.status(), 400);
        }
        websocket(addresses[0], Some("chat, sip")).await.unwrap();
    });
}

#[test]
fn handshake_that_is_wrong_is_answered_and_closed() {
    run(async {
        let (addresses, _heard) = answering(&[Listen::Ws(anywhere())], believer()).await;
        let right = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Protocol: sip\r\n\r\n";
        // All that is read of it.
        let endless = format!("{:x<16384}", "GET / HTTP/1.1\r\nCookie: ");
        for (request, status) in [
            (
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
                "400 Bad Request",
            ),
            (right.replace("GET", "POST"), "400 Bad Request"),
            (right.replace("Key", "Kay"), "400 Bad Request"),
            (right.replace("13", "8"), "426 Upgrade Required"),
            (format!("{right}x"), "400 Bad Request"),
            ("\x16\x03\x01\x02\0\n\n".into(), "400 Bad Request"),
            (endless, "400 Bad Request"),
        ] {
            let mut stream = TcpStream::connect(addresses[0]).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let answer = String::from_utf8(answer).unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request:?}: {answer:?}"
            );
            assert!(answer.ends_with("\r\n\r\n"), "{answer:?}");
            // RFC 6455 4.4
            let told = answer
                .to_lowercase()
                .contains("sec-websocket-version: 13\r\n");
            assert_eq!(told, status.starts_with("426"), "{answer:?}");
        }
    });
}

#[test]
fn websocket_text_and_binary_pings_and_line_breaks_are_answered() {
    // 7118-4.2-51, 7118-5-53, 7118-6-51, 7118-6-52
    run(async {
        let (addresses, _heard) = answering(&[Listen::Ws(anywhere())], believer()).await;
        let mut socket = websocket(addresses[0], Some("sip")).await.unwrap();
        let options = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\n\
            Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK1\r\n\
            From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: 1\r\n\
            CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n";
        let binary = options
            .replace("z9hG4bK1", "z9hG4bK2")
            .replace("Call-ID: 1", "Call-ID: 2");
        for message in [Message::text(options), Message::binary(binary)] {
            socket.send(message).await.unwrap();
            let answer = socket.next().await.unwrap().unwrap();
            let Message::Text(text) = &answer else {
                panic!("{answer:?}");
            };
            assert!(text.starts_with("SIP/2.0 200 "), "{text}");
        }
        socket.send(Message::Ping("x".into())).await.unwrap();
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::Pong("x".into())
        );
        socket.send(Message::text("\r\n\r\n")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("\r\n"));
    });
}

#[test]
fn websocket_message_too_long_closes() {
    run(async {
        let (addresses, _heard) = answering(&[Listen::Ws(anywhere())], believer()).await;
        let mut socket = websocket(addresses[0], Some("sip")).await.unwrap();
        let _ = socket.send(Message::binary(vec![b'x'; 1 << 20])).await;
        let ended = tokio::time::timeout(Duration::from_secs(20), async {
            while let Some(Ok(_)) = socket.next().await {}
        });
        ended.await.unwrap();
    });
}

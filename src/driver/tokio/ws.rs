//! WebSockets (RFC 7118): the handshake with the subprotocol `sip`, and one message a message.

use std::io;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

use super::carrier::{self, Duplex, Io};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const SIP: &str = "sip";

type Socket = WebSocketStream<Box<dyn Io>>;

/// 7118 4.1: a client that does not speak `sip` is refused.
pub(super) async fn accept(stream: Box<dyn Io>, longest: usize) -> io::Result<Duplex> {
    #[allow(
        clippy::result_large_err,
        reason = "the callback's type is the library's"
    )]
    let agree = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if !speaks_sip(request.headers()) {
            let mut refusal = ErrorResponse::new(Some("the subprotocol is sip".into()));
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            return Err(refusal);
        }
        let sip = HeaderValue::from_static(SIP);
        response.headers_mut().insert(PROTOCOL, sip);
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, agree, Some(config(longest))).await;
    socket.map(halves).map_err(other)
}

/// 7118 4.1: a server that does not agree to `sip` is no use.
pub(super) async fn connect(stream: Box<dyn Io>, uri: &str, longest: usize) -> io::Result<Duplex> {
    let mut request = uri.into_client_request().map_err(other)?;
    let sip = HeaderValue::from_static(SIP);
    request.headers_mut().insert(PROTOCOL, sip);
    let (socket, response) = client_async_with_config(request, stream, Some(config(longest)))
        .await
        .map_err(other)?;
    match speaks_sip(response.headers()) {
        true => Ok(halves(socket)),
        false => Err(io::Error::other("the server does not speak sip")),
    }
}

/// Whether `sip` is among the subprotocols (RFC 6455 11.3.4: a list, on one row or several).
fn speaks_sip(headers: &HeaderMap) -> bool {
    let rows = headers.get_all(PROTOCOL).iter();
    rows.filter_map(|row| row.to_str().ok())
        .flat_map(|row| row.split(','))
        .any(|protocol| protocol.trim().eq_ignore_ascii_case(SIP))
}

fn config(longest: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest))
}

fn halves(socket: Socket) -> Duplex {
    let (writer, reader) = socket.split();
    (
        carrier::Reader::Ws(Reader(reader)),
        carrier::Writer::Ws(Writer(writer)),
    )
}

fn other(error: Error) -> io::Error {
    if let Error::Io(error) = error {
        return error;
    }
    io::Error::other(error)
}

pub(super) struct Reader(SplitStream<Socket>);

impl Reader {
    /// 7118 4.2: text and binary alike. Pings are answered by the library.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while let Some(message) = self.0.next().await {
            match message.map_err(other)? {
                Message::Text(text) => return Ok(Some(text.into())),
                Message::Binary(bytes) => return Ok(Some(bytes)),
                Message::Close(_) => break,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(None)
    }
}

pub(super) struct Writer(SplitSink<Socket, Message>);

impl Writer {
    /// 7118 4.2: what is not UTF-8 goes as binary.
    pub(super) async fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        let message = match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes.clone()),
        };
        self.0.send(message).await.map_err(other)
    }

    pub(super) async fn close(&mut self) {
        let _ = self.0.close().await;
    }
}

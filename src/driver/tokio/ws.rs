//! WebSockets (RFC 7118): the handshake with the subprotocol `sip`, and one message a message.

use std::io;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{
    Request, Response, create_response, write_response,
};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::carrier::{self, Duplex, Io};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const SIP: &str = "sip";

type Socket = WebSocketStream<Box<dyn Io>>;

/// What no head of a request is longer than, and in how many pieces it may come.
const HEAD: usize = 16 * 1024;
const PIECES: usize = 512;

/// 7118 4.1: a client that does not speak `sip` is refused.
pub(super) async fn accept(mut stream: Box<dyn Io>, longest: usize) -> io::Result<Duplex> {
    let request = read_request(&mut stream).await?;
    let response = answer(request.as_ref());
    let mut head = Vec::new();
    write_response(&mut head, &response).map_err(other)?;
    stream.write_all(&head).await?;
    stream.flush().await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        stream.shutdown().await?;
        return Err(io::Error::other("the client wants no WebSocket for sip"));
    }
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(longest)));
    Ok(halves(socket.await))
}

/// `None` for what is none.
async fn read_request(stream: &mut Box<dyn Io>) -> io::Result<Option<Request>> {
    let mut head = Vec::with_capacity(1024);
    for _ in 0..PIECES {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match Request::try_parse(&head) {
            Ok(None) if head.len() < HEAD => {}
            // A client waits for the response before it sends more (RFC 6455 4.1).
            Ok(Some((length, request))) if length == head.len() => return Ok(Some(request)),
            Ok(_) | Err(_) => break,
        }
    }
    Ok(None)
}

/// RFC 6455 4.2.1, 4.2.2: whatever comes is answered.
fn answer(request: Option<&Request>) -> Response {
    let Some(request) = request else {
        return refusal(StatusCode::BAD_REQUEST, "close");
    };
    match create_response(request) {
        Ok(mut response) if speaks_sip(request.headers()) => {
            let sip = HeaderValue::from_static(SIP);
            response.headers_mut().insert(PROTOCOL, sip);
            response
        }
        Err(Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader)) => {
            let mut response = refusal(StatusCode::UPGRADE_REQUIRED, "Upgrade, close");
            let headers = response.headers_mut();
            headers.insert("Upgrade", HeaderValue::from_static("websocket"));
            headers.insert("Sec-WebSocket-Version", HeaderValue::from_static("13"));
            response
        }
        Ok(_) | Err(_) => refusal(StatusCode::BAD_REQUEST, "close"),
    }
}

fn refusal(status: StatusCode, connection: &'static str) -> Response {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("Connection", HeaderValue::from_static(connection));
    headers.insert("Content-Length", HeaderValue::from_static("0"));
    response
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

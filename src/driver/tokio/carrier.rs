//! What carries messages on a connection: TCP alone, TLS or a WebSocket over it.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use super::tls::Tls;
#[cfg(feature = "ws")]
use super::ws;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// How connections of one transport are made.
#[derive(Clone, Debug)]
pub(super) enum Carrier {
    Tcp,
    #[cfg(feature = "tls")]
    Tls(Tls),
    #[cfg(feature = "ws")]
    Ws {
        longest: usize,
    },
    #[cfg(all(feature = "tls", feature = "ws"))]
    Wss {
        tls: Tls,
        longest: usize,
    },
}

/// Bytes both ways.
#[cfg(any(feature = "tls", feature = "ws"))]
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

#[cfg(any(feature = "tls", feature = "ws"))]
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Both directions of a connection that is ready for messages.
pub(super) type Duplex = (Reader, Writer);

pub(super) enum Reader {
    Bytes(Box<dyn AsyncRead + Send + Unpin>),
    #[cfg(feature = "ws")]
    Ws(ws::Reader),
}

pub(super) enum Writer {
    Bytes(Box<dyn AsyncWrite + Send + Unpin>),
    #[cfg(feature = "ws")]
    Ws(ws::Writer),
}

impl Carrier {
    /// Whether an accepted connection carries messages at once.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self, Self::Tcp)
    }

    /// Makes an accepted connection ready.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Duplex> {
        // Messages are written whole: waiting for more gains nothing.
        stream.set_nodelay(true)?;
        match self {
            Self::Tcp => Ok(bare(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Ok(split(tls.accept(stream).await?)),
            #[cfg(feature = "ws")]
            Self::Ws { longest } => ws::accept(Box::new(stream), *longest).await,
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss { tls, longest } => {
                ws::accept(Box::new(tls.accept(stream).await?), *longest).await
            }
        }
    }

    /// Opens a connection. `name` is the host that the address was found for.
    pub(super) async fn connect(
        &self,
        remote: SocketAddr,
        name: Option<&str>,
    ) -> io::Result<Duplex> {
        let stream = TcpStream::connect(remote).await?;
        stream.set_nodelay(true)?;
        match self {
            Self::Tcp => {
                let _ = name;
                Ok(bare(stream))
            }
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Ok(split(tls.connect(stream, remote, name).await?)),
            #[cfg(feature = "ws")]
            Self::Ws { longest } => {
                ws::connect(Box::new(stream), &authority("ws", remote, name), *longest).await
            }
            #[cfg(all(feature = "tls", feature = "ws"))]
            Self::Wss { tls, longest } => {
                let stream = tls.connect(stream, remote, name).await?;
                ws::connect(Box::new(stream), &authority("wss", remote, name), *longest).await
            }
        }
    }
}

#[cfg(feature = "ws")]
fn authority(scheme: &str, remote: SocketAddr, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{scheme}://{name}:{}/", remote.port()),
        None => format!("{scheme}://{remote}/"),
    }
}

fn bare(stream: TcpStream) -> Duplex {
    let (read, write) = stream.into_split();
    (
        Reader::Bytes(Box::new(read)),
        Writer::Bytes(Box::new(write)),
    )
}

#[cfg(feature = "tls")]
fn split(stream: impl Io + 'static) -> Duplex {
    let (read, write) = tokio::io::split(stream);
    (
        Reader::Bytes(Box::new(read)),
        Writer::Bytes(Box::new(write)),
    )
}

impl Reader {
    /// What comes next: some bytes, or a whole message; `None` when the other side has closed the
    /// connection in order.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self {
            // While nothing comes, there is no buffer: many connections are idle.
            Self::Bytes(stream) => poll_fn(|context| read(stream, context)).await,
            #[cfg(feature = "ws")]
            Self::Ws(stream) => stream.next().await,
        }
    }
}

impl Writer {
    /// Writes a whole message.
    pub(super) async fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        match self {
            Self::Bytes(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            #[cfg(feature = "ws")]
            Self::Ws(stream) => stream.write(bytes).await,
        }
    }

    pub(super) async fn close(&mut self) {
        match self {
            Self::Bytes(stream) => {
                let _ = stream.shutdown().await;
            }
            #[cfg(feature = "ws")]
            Self::Ws(stream) => stream.close().await,
        }
    }
}

fn read(
    stream: &mut Box<dyn AsyncRead + Send + Unpin>,
    context: &mut Context<'_>,
) -> Poll<io::Result<Option<Bytes>>> {
    let mut chunk = [MaybeUninit::uninit(); CHUNK];
    let mut chunk = ReadBuf::uninit(&mut chunk);
    std::task::ready!(Pin::new(stream).poll_read(context, &mut chunk))?;
    let bytes = chunk.filled();
    Poll::Ready(Ok(
        (!bytes.is_empty()).then(|| Bytes::copy_from_slice(bytes))
    ))
}

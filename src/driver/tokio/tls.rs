//! TLS over TCP (RFC 3261 26.3.1): who this side is, and whom it believes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Configurations of rustls for the connections that a driver takes and makes.
///
/// A connection to an address that was looked up must show a certificate for the domain of the URI
/// that led there, not for a name that DNS gave on the way; one to a numeric address, a certificate
/// for that address (RFC 5922 7.3).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tls {
    /// For connections from others.
    pub server: Arc<ServerConfig>,
    /// For connections to others.
    pub client: Arc<ClientConfig>,
}

impl Tls {
    /// Both sides.
    pub fn new(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Self {
        Self { server, client }
    }

    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.server))
            .accept(stream)
            .await
    }

    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        name: Option<&str>,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let name = match name {
            Some(name) => ServerName::try_from(name.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
            None => ServerName::IpAddress(remote.ip().into()),
        };
        TlsConnector::from(Arc::clone(&self.client))
            .connect(name, stream)
            .await
    }
}

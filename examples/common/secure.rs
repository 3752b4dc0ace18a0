//! Who an example is over TLS, and whom it believes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use drongo::driver::tokio::Tls;
use drongo::driver::tokio::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use drongo::driver::tokio::rustls::crypto::{CryptoProvider, ring};
use drongo::driver::tokio::rustls::pki_types::pem::PemObject;
use drongo::driver::tokio::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, UnixTime,
};
use drongo::driver::tokio::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};

/// What the command line says of TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    /// A chain in PEM; a self-signed certificate for this machine if there is none.
    pub(crate) cert: Option<PathBuf>,
    /// Its key in PEM.
    pub(crate) key: Option<PathBuf>,
    /// Whom to believe, in PEM.
    pub(crate) ca: Option<PathBuf>,
    /// Believe anybody.
    pub(crate) insecure: bool,
}

impl Credentials {
    /// The configurations of both sides.
    pub(crate) fn tls(&self) -> io::Result<Tls> {
        let provider = Arc::new(ring::default_provider());
        let (chain, key) = self.identity()?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let client = if self.insecure {
            let anybody = Arc::new(Anybody(provider));
            client
                .dangerous()
                .with_custom_certificate_verifier(anybody)
                .with_no_client_auth()
        } else {
            client
                .with_root_certificates(self.roots()?)
                .with_no_client_auth()
        };
        Ok(Tls::new(Arc::new(server), Arc::new(client)))
    }

    fn identity(&self) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
            return Ok((certificates(cert)?, key));
        }
        if self.cert.is_some() || self.key.is_some() {
            return Err(io::Error::other("--cert and --key go together"));
        }
        let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let own = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der());
        Ok((vec![own.cert.der().clone()], key.map_err(io::Error::other)?))
    }

    fn roots(&self) -> io::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = &self.ca {
            for certificate in certificates(ca)? {
                roots.add(certificate).map_err(io::Error::other)?;
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &PathBuf) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(io::Error::other)
}

/// Believes any certificate, though not that a signature is one when it is not.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        drongo::driver::tokio::rustls::crypto::verify_tls12_signature(
            message, cert, signature, known,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        drongo::driver::tokio::rustls::crypto::verify_tls13_signature(
            message, cert, signature, known,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

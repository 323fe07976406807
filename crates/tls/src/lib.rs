//! TLS by files: what a server shows its callers, what services show each other, taken anew when the files change.
//!
//! TLS 1.2 and 1.3 with the suites of rustls and aws-lc-rs; there is nothing to choose, so nothing to choose wrongly.

mod files;
mod fresh;

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::ServerName,
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub use files::{Error, Files};
use files::{authorities, chain, key};
use fresh::Fresh;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What callers are shown. A connection keeps what it began with, whatever the files say later.
#[derive(Clone, Debug)]
pub struct Server {
    fresh: Fresh<ServerConfig>,
    /// Whether callers are told apart by the certificates they show.
    asks: bool,
}

impl Server {
    /// Reads the files, and again whenever they change; what cannot be used later is logged and not taken.
    pub fn open(files: &Files) -> Result<Self, Error> {
        let asks = files.peers_ca.is_some();
        Ok(Self { fresh: Fresh::keep(files.clone(), serving)?, asks })
    }

    /// Greets a caller. Who shows a certificate must have one of the services' authority; others need not show any.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        TlsAcceptor::from(self.fresh.current()).accept(stream).await
    }

    /// Whether a caller showed a service's certificate; nothing where none is asked for.
    pub fn shown(&self, stream: &server::TlsStream<TcpStream>) -> Option<bool> {
        let (_, connection) = stream.get_ref();
        self.asks.then(|| connection.peer_certificates().is_some_and(|it| !it.is_empty()))
    }
}

/// How other services are called: which authority vouches for them, and what they are shown.
#[derive(Clone, Debug)]
pub struct Client(Fresh<ClientConfig>);

impl Client {
    /// Reads the files, and again whenever they change; what cannot be used later is logged and not taken.
    pub fn open(files: &Files) -> Result<Self, Error> {
        Ok(Self(Fresh::keep(files.clone(), calling)?))
    }

    /// Greets the server of that name at the other end.
    pub async fn connect(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(self.0.current()).connect(name, stream).await
    }
}

fn serving(files: &Files) -> Result<ServerConfig, Error> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &files.peers_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(authorities(path)?.into(), provider())
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| Error::Authority(path.clone(), error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain(&files.certificate)?, key(&files.key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn calling(files: &Files) -> Result<ClientConfig, Error> {
    let path = files.peers_ca.as_ref().ok_or(Error::NoAuthority)?;
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities(path)?);
    let mut config = builder.with_client_auth_cert(chain(&files.certificate)?, key(&files.key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

//! PEM files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Deserialize;

/// Where certificates and keys are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Our certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// The authorities of the services' certificates, and of nobody else's.
    pub peers_ca: Option<PathBuf>,
}

impl Files {
    /// All that they hold, to see whether it has changed.
    pub(crate) fn content(&self) -> io::Result<Vec<Vec<u8>>> {
        [Some(&self.certificate), Some(&self.key), self.peers_ca.as_ref()]
            .into_iter()
            .flatten()
            .map(fs::read)
            .collect()
    }
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}: {1}")]
    Unreadable(PathBuf, String),
    #[error("{0}: no PEM certificate in it")]
    Empty(PathBuf),
    #[error("{0}: {1}")]
    Authority(PathBuf, String),
    #[error(
        "services that call each other over TLS need peers_ca, the authority of their certificates"
    )]
    NoAuthority,
    #[error("certificate and key do not fit: {0}")]
    Unfit(#[from] rustls::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |error: rustls::pki_types::pem::Error| {
        Error::Unreadable(path.to_owned(), error.to_string())
    };
    let chain = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if chain.is_empty() { Err(Error::Empty(path.to_owned())) } else { Ok(chain) }
}

pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Error::Unreadable(path.to_owned(), error.to_string()))
}

pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in chain(path)? {
        store
            .add(certificate)
            .map_err(|error| Error::Authority(path.to_owned(), error.to_string()))?;
    }
    Ok(store)
}

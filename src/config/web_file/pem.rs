//! Certificates and keys in PEM.

use std::fmt;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A private key, which no output shows.
pub struct PrivateKey(PrivateKeyDer<'static>);

impl PrivateKey {
    /// The key itself.
    pub fn der(&self) -> PrivateKeyDer<'static> {
        self.0.clone_key()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PrivateKey(..)")
    }
}

/// At least one certificate.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| format!("not valid PEM: {error}"))?;
    if all.is_empty() {
        return Err("it has no certificate (`-----BEGIN CERTIFICATE-----`)".to_owned());
    }
    Ok(all)
}

pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKey, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        tokio_rustls::rustls::pki_types::pem::Error::NoItemsFound => {
            "it has no key (`-----BEGIN PRIVATE KEY-----`) without a password".to_owned()
        }
        error => format!("not valid PEM: {error}"),
    })?;
    Ok(PrivateKey(key))
}

//! How a command proves itself to an exporter with TLS and users, and which certificates it trusts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Certificate, ClientBuilder, Identity, RequestBuilder};

/// The way through TLS and basic authentication.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// File with the certificate of the authority that signed the exporter's own, in PEM. The system's count, too.
    #[arg(long = "exporter.ca-file", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// File with the certificate to show to the exporter, in PEM.
    #[arg(
        long = "exporter.cert-file",
        value_name = "FILE",
        requires = "key_file"
    )]
    pub cert_file: Option<PathBuf>,
    /// File with its key, in PEM.
    #[arg(
        long = "exporter.key-file",
        value_name = "FILE",
        requires = "cert_file"
    )]
    pub key_file: Option<PathBuf>,
    /// One of the exporter's `basic_auth_users`.
    #[arg(
        long = "exporter.user",
        value_name = "NAME",
        requires = "password_file"
    )]
    pub user: Option<String>,
    /// File with the password of this user.
    #[arg(
        long = "exporter.password-file",
        value_name = "FILE",
        requires = "user"
    )]
    pub password_file: Option<PathBuf>,
}

/// A user and its password.
pub(super) struct Login {
    user: String,
    password: String,
}

impl AccessArgs {
    /// Lets a client trust and show the given certificates.
    pub(super) fn equip(&self, mut client: ClientBuilder) -> anyhow::Result<ClientBuilder> {
        if let Some(path) = &self.ca_file {
            let trusted = Certificate::from_pem_bundle(&read(path)?);
            let trusted = trusted.ok().filter(|trusted| !trusted.is_empty());
            let trusted = trusted
                .with_context(|| format!("{} has no certificate, wanted PEM", path.display()))?;
            client = client.tls_certs_merge(trusted);
        }
        if let (Some(certificate), Some(key)) = (&self.cert_file, &self.key_file) {
            let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
            let identity = Identity::from_pem(&pem).with_context(|| {
                format!(
                    "{} and {} are no certificate and its key, wanted PEM",
                    certificate.display(),
                    key.display()
                )
            })?;
            client = client.identity(identity);
        }
        Ok(client)
    }

    pub(super) fn login(&self) -> anyhow::Result<Option<Login>> {
        let (Some(user), Some(path)) = (&self.user, &self.password_file) else {
            return Ok(None);
        };
        Ok(Some(Login {
            user: user.clone(),
            password: secret(path)?,
        }))
    }
}

impl Login {
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.user, Some(&self.password))
    }
}

/// The secret that a file holds.
pub(super) fn secret(path: &Path) -> anyhow::Result<String> {
    let text = String::from_utf8(read(path)?);
    let text = text.with_context(|| format!("{} is not UTF-8 text", path.display()))?;
    let secret = text.trim().to_owned();
    if secret.is_empty() {
        bail!("{} is empty, wanted a secret", path.display());
    }
    Ok(secret)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

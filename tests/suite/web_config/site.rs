//! A server with a file of TLS and users, in a folder with its certificates.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;
use job_failure_exporter::http::{Limits, WebConfig, Webhooks};
use reqwest::{Certificate, Client, ClientBuilder};
use tempfile::TempDir;

use super::certificates::{Authority, Signed};
use crate::http_serving::{Daemon, Serving};
use crate::metrics_rows::{failing, job, timeline};

/// The lines of a server with TLS. More keys of the section may follow.
pub(crate) const TLS: &str = "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n";

/// See the module.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) serving: Serving,
}

/// Takes every webhook.
struct Hooks;

impl Webhooks for Hooks {
    fn expects(&self, _: &HeaderMap) -> Result<(), String> {
        Ok(())
    }

    fn take(&self, _: &HeaderMap, _: bytes::Bytes) -> Result<(), String> {
        Ok(())
    }

    fn too_large(&self) {}
}

impl Site {
    pub(crate) async fn start(web: &str) -> Self {
        Self::start_with(web, Limits::default()).await
    }

    pub(crate) async fn start_with(web: &str, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("the exporter's authority");
        let path = folder.path().join("web.yml");
        fs::write(&path, web).unwrap();
        write(&folder, &authority.server());
        fs::write(folder.path().join("ca.crt"), &authority.pem).unwrap();
        let daemon = Daemon {
            timelines: vec![timeline("group/app", "main", vec![job("unit", failing())])],
            ..Daemon::default()
        };
        let serving = Serving::start_with(daemon, limits, |bound, service, telemetry| {
            let web = WebConfig::open(&path, telemetry.clone()).unwrap();
            let service = service.with_webhooks(Arc::new(Hooks));
            (bound.with_web_config(web), service)
        });
        Self {
            serving: serving.await,
            folder,
            authority,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }

    /// Replaces the server's certificate, then its key.
    pub(crate) fn rotate(&self, signed: &Signed) {
        write(&self.folder, signed);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.serving.address)
    }

    /// A client that trusts the first authority of the server alone.
    pub(crate) fn client(&self) -> ClientBuilder {
        trusting(&self.authority)
    }

    /// The value of a metric without labels.
    pub(crate) async fn metric(&self, client: &Client, name: &str) -> Option<f64> {
        let page = client.get(self.url("/metrics")).send().await.unwrap();
        let page = page.text().await.unwrap();
        let mut lines = page.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }
}

pub(crate) fn trusting(authority: &Authority) -> ClientBuilder {
    let certificate = Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    Client::builder().no_proxy().tls_certs_only([certificate])
}

fn write(folder: &TempDir, signed: &Signed) {
    fs::write(folder.path().join("tls.crt"), &signed.certificate).unwrap();
    fs::write(folder.path().join("tls.key"), &signed.key).unwrap();
}

/// `basic_auth_users` with a password for each name.
pub(crate) fn users(users: &[(&str, &str)]) -> String {
    let mut text = "basic_auth_users:\n".to_owned();
    for (name, password) in users {
        let hash = bcrypt::hash(password, 4).unwrap();
        writeln!(text, "  {name}: {hash}").unwrap();
    }
    text
}

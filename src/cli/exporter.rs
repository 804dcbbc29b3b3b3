//! Asks a running exporter over HTTP, for commands that act.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::explain::server_url;

/// Longest time for an answer: an action takes some requests to GitLab.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Which exporter, and with which secret.
#[derive(Debug, Args)]
#[command(next_help_heading = "Exporter")]
pub struct ExporterArgs {
    /// The running exporter.
    #[arg(
        long = "exporter.url",
        value_name = "URL",
        value_parser = server_url,
        default_value = "http://127.0.0.1:10141"
    )]
    pub exporter_url: Url,
    /// File with the secret of one of `remediation.callers`.
    #[arg(long = "exporter.token-file", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A running exporter.
pub(super) struct Exporter {
    base: Url,
    token: Option<String>,
    http: Client,
}

impl Exporter {
    pub(super) fn of(args: &ExporterArgs) -> anyhow::Result<Self> {
        let token = args.token_file.as_ref().map(|path| {
            let text = fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            let token = text.trim().to_owned();
            if token.is_empty() {
                bail!("{} is empty, wanted a secret", path.display());
            }
            Ok(token)
        });
        Ok(Self {
            base: args.exporter_url.clone(),
            token: token.transpose()?,
            http: Client::builder().timeout(TIMEOUT).build()?,
        })
    }

    /// Reads JSON.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// Asks for an action.
    pub(super) async fn act(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Value> {
        if self.token.is_none() {
            bail!(
                "no secret is given; give --exporter.token-file, the file of one of `remediation.callers`"
            );
        }
        self.ask(method, path, Some(body)).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<Value> {
        let url = self.base.join(path)?;
        let mut request = self.http.request(method, url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| {
            format!("no answer from {url}; is the exporter running, and --exporter.url right?")
        })?;
        let status = answer.status();
        let text = answer.text().await?;
        if status == StatusCode::OK {
            return serde_json::from_str(&text)
                .with_context(|| format!("{url} answers with something else than JSON"));
        }
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|json| json["error"].as_str().map(str::to_owned))
            .unwrap_or_else(|| text.trim().to_owned());
        bail!("{url} answers {status}: {message}")
    }
}

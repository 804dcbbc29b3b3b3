//! Asks a running exporter over HTTP, for commands that act.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::exporter_access::{AccessArgs, Login, secret};
use crate::alerting::server_url;

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
    /// How to get through its TLS and users.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// A running exporter.
pub(super) struct Exporter {
    base: Url,
    token: Option<String>,
    login: Option<Login>,
    http: Client,
}

impl Exporter {
    pub(super) fn of(args: &ExporterArgs) -> anyhow::Result<Self> {
        let token = args.token_file.as_deref().map(secret);
        let client = Client::builder().timeout(TIMEOUT);
        Ok(Self {
            base: args.exporter_url.clone(),
            token: token.transpose()?,
            login: args.access.login()?,
            http: args.access.equip(client)?.build()?,
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
        // A request has room for one of them. Reading asks for a user, acting for a caller.
        request = match (&self.login, &self.token) {
            (Some(login), _) if body.is_none() => login.sign(request),
            (_, Some(token)) => request.bearer_auth(token),
            _ => request,
        };
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
        if status == StatusCode::UNAUTHORIZED && body.is_none() {
            bail!(
                "{url} asks for a user; give --exporter.user and --exporter.password-file, one of `basic_auth_users` of the exporter"
            );
        }
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|json| json["error"].as_str().map(str::to_owned))
            .unwrap_or_else(|| text.trim().to_owned());
        bail!("{url} answers {status}: {message}")
    }
}

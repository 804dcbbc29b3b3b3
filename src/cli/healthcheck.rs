//! `healthcheck`: asks a running exporter whether it works, for containers without a shell or curl.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, StatusCode};
use url::Url;

use super::common::Console;
use super::exporter_access::AccessArgs;
use crate::alerting::server_url;

/// Longest time for an answer. Docker's default for the whole command is 30 s.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `healthcheck`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exits with 0 if the exporter answers, else with 1.

Example:
  job-failure-exporter healthcheck --ready --exporter.url http://127.0.0.1:10141/job-failures")]
pub struct HealthcheckArgs {
    /// Wait for the first poll too: ask /-/ready in place of /-/healthy.
    #[arg(long = "ready")]
    pub ready: bool,
    /// The running exporter, with its route prefix.
    #[arg(
        long = "exporter.url",
        value_name = "URL",
        value_parser = server_url,
        default_value = "http://127.0.0.1:10141"
    )]
    pub exporter_url: Url,
    /// How to get through its TLS and users.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Runs `healthcheck`.
///
/// # Errors
///
/// Why the exporter does not count as healthy.
pub async fn run(args: &HealthcheckArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let path = if args.ready { "-/ready" } else { "-/healthy" };
    let url = args.exporter_url.join(path)?;
    // The exporter is near: a proxy of the environment is for GitLab.
    let client = Client::builder().timeout(TIMEOUT).no_proxy();
    let mut request = args.access.equip(client)?.build()?.get(url.clone());
    if let Some(login) = args.access.login()? {
        request = login.sign(request);
    }
    let answer = request.send().await.with_context(|| {
        format!("no answer from {url}; is the exporter running, and --exporter.url right?")
    })?;
    let status = answer.status();
    let wanted = answer.headers().get(WWW_AUTHENTICATE);
    let asks_for_user = wanted.is_some_and(|wanted| {
        let wanted = String::from_utf8_lossy(wanted.as_bytes());
        wanted.contains("realm=\"job-failure-exporter\"")
    });
    // An exporter that asks for a user works. Whether it is ready, only a user learns.
    if status == StatusCode::UNAUTHORIZED && asks_for_user && !args.ready {
        writeln!(console.out, "healthy; {url} asks for a user")?;
        return Ok(());
    }
    let kind = answer.headers().get(CONTENT_TYPE);
    // A page is for browsers: another server answers, or something before the exporter.
    let is_text = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let text = answer.text().await?;
    if !is_text {
        bail!(
            "{url} answers {status}, and not as an exporter does; is --exporter.url right, with its \
             route prefix?"
        );
    }
    if status != StatusCode::OK {
        bail!("{url} answers {status}: {}", text.trim());
    }
    write!(console.out, "{text}")?;
    Ok(())
}

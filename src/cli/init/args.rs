//! The arguments of `init`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal, init asks for what no flag says. Files that were edited are never overwritten without --force.

Example:
  job-failure-exporter init --gitlab.url https://gitlab.company.example --group platform \\
    --state /var/lib/job-failure-exporter --prometheus.url http://127.0.0.1:9090 \\
    --alertmanager.url http://127.0.0.1:9093 --to job-failure-exporter")]
pub struct InitArgs {
    /// GitLab to watch.
    #[arg(long = "gitlab.url", value_name = "URL")]
    pub gitlab_url: Option<String>,
    /// File with an access token of scope `read_api`. Without it, the token comes from the variable `GITLAB_TOKEN`.
    #[arg(long = "token-file", value_name = "FILE")]
    pub token_file: Option<String>,
    /// Project to watch, by path or id. Can be repeated.
    #[arg(long = "project", value_name = "PROJECT")]
    pub projects: Vec<String>,
    /// Group to watch, with its subgroups, by path or id. Can be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Where the state goes: a directory, or `s3://bucket/prefix`.
    #[arg(long = "state", value_name = "DIR|S3")]
    pub state: Option<String>,
    /// Prometheus that evaluates the rules, for the pages of alerts; `none` for none.
    #[arg(long = "prometheus.url", value_name = "URL")]
    pub prometheus_url: Option<String>,
    /// Alertmanager that Prometheus sends alerts to; `none` for none.
    #[arg(long = "alertmanager.url", value_name = "URL")]
    pub alertmanager_url: Option<String>,
    /// Address at which Prometheus reaches the exporter.
    #[arg(
        long = "target",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:10141"
    )]
    pub target: String,
    /// Directory to write to. It is created if it is missing.
    #[arg(long = "to", value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Overwrite files that were edited.
    #[arg(long)]
    pub force: bool,
}

//! The files that `init` writes, and what to do next.

use std::fs;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use url::Url;

use super::answers::{Answers, Place};
use crate::assets::{Addresses, File, Kind, Options, Prefix, Site};
use crate::config::{Config, Overrides};

const CONFIG: &str = "config.yml";
const PROMETHEUS: &str = "prometheus.yml";

const CONFIG_HEAD: &str = "\
# Configuration of job-failure-exporter, written by `job-failure-exporter init`.
# `check-config --print` shows every key with its value, docs/configuration.md explains them.
";
const PROMETHEUS_HEAD: &str = "\
# What Prometheus needs: merge it into its configuration. Written by `job-failure-exporter init`.
# Leave out the job `prometheus` if Prometheus scrapes itself already.
# `honor_labels` keeps labels such as `project` and `team` from being replaced by those of the target.
";

/// All files, by the name of their kind.
pub(super) fn make(
    answers: &Answers,
    target: &str,
) -> anyhow::Result<Vec<(&'static str, Vec<File>)>> {
    let config = with_head(CONFIG_HEAD, &config(answers))?;
    check(&config)?;
    let prometheus = with_head(PROMETHEUS_HEAD, &prometheus(answers, target)?)?;
    let options = options(answers, target)?;
    let mut made = vec![(
        "init",
        vec![File::new(CONFIG, config), File::new(PROMETHEUS, prometheus)],
    )];
    for kind in [Kind::Rules, Kind::Alertmanager] {
        let mut files = options.files(kind)?;
        for file in &mut files {
            file.path = format!("{}/{}", kind.folder(), file.path);
        }
        made.push((kind.name(), files));
    }
    Ok(made)
}

fn with_head(head: &str, value: &Value) -> anyhow::Result<String> {
    Ok(format!("{head}{}", serde_yaml::to_string(value)?))
}

fn config(answers: &Answers) -> Value {
    let mut gitlab = json!({"url": bare(&answers.gitlab)});
    if let Some(file) = &answers.token_file {
        gitlab["token_file"] = json!(file);
    }
    let mut watch = Map::new();
    if !answers.projects.is_empty() {
        watch.insert("projects".to_owned(), json!(answers.projects));
    }
    if !answers.groups.is_empty() {
        let groups: Vec<_> = answers
            .groups
            .iter()
            .map(|path| json!({"path": path}))
            .collect();
        watch.insert("groups".to_owned(), json!(groups));
    }
    let store = match &answers.state {
        Place::Directory(directory) => json!({"directory": directory}),
        Place::S3 { bucket, prefix } if prefix.is_empty() => json!({"s3": {"bucket": bucket}}),
        Place::S3 { bucket, prefix } => json!({"s3": {"bucket": bucket, "prefix": prefix}}),
    };
    let mut config = json!({"gitlab": gitlab, "watch": watch, "store": store});
    for (name, server) in [
        ("prometheus", &answers.prometheus),
        ("alertmanager", &answers.alertmanager),
    ] {
        if let Some(url) = server {
            config[name] = json!({"url": bare(url)});
        }
    }
    config
}

/// By the same check as `check-config`. A token that cannot be read here is no problem.
fn check(config: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary directory")?;
    let file = folder.path().join(CONFIG);
    fs::write(&file, config).context("cannot write a temporary file")?;
    let Err(problems) = Config::check(Some(&file), &Overrides::default(), &|_| None) else {
        return Ok(());
    };
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n  ");
    bail!("with these answers the configuration cannot be used, so nothing was written:\n  {lines}")
}

fn prometheus(answers: &Answers, target: &str) -> anyhow::Result<Value> {
    let is_address = Url::parse(&format!("http://{target}"))
        .is_ok_and(|url| url.path() == "/" && url.username().is_empty());
    if !is_address || target.contains('/') {
        bail!("--target {target}: wanted a host and a port, such as 127.0.0.1:10141");
    }
    let rules = answers.to.join(Kind::Rules.folder()).join("*.yml");
    let mut jobs = vec![json!({
        "job_name": "job-failure-exporter",
        "honor_labels": true,
        "static_configs": [{"targets": [target]}],
    })];
    // Rules on whether rules are evaluated need the series of Prometheus itself.
    if let Some(url) = &answers.prometheus {
        jobs.push(json!({
            "job_name": "prometheus",
            "scheme": url.scheme(),
            "metrics_path": format!("{}/metrics", url.path().trim_end_matches('/')),
            "static_configs": [{"targets": [address(url)]}],
        }));
    }
    let mut config = json!({
        "scrape_configs": jobs,
        "rule_files": [rules.to_string_lossy()],
    });
    if let Some(url) = &answers.alertmanager {
        let mut server = json!({
            "scheme": url.scheme(),
            "static_configs": [{"targets": [address(url)]}],
        });
        if url.path() != "/" {
            server["path_prefix"] = json!(url.path().trim_end_matches('/'));
        }
        config["alerting"] = json!({"alertmanagers": [server]});
    }
    Ok(config)
}

/// Host and port of a server.
fn address(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

fn options(answers: &Answers, target: &str) -> anyhow::Result<Options> {
    let site =
        |address: &str| Site::new(address).map_err(|why| anyhow::anyhow!("{address}: {why}"));
    let alertmanager = answers.alertmanager.as_ref();
    let alertmanager = alertmanager.map(|url| {
        Prefix::new(url.as_str()).map_err(|why| anyhow::anyhow!("--alertmanager.url: {why}"))
    });
    Ok(Options {
        addresses: Addresses {
            alertmanager: alertmanager.transpose()?,
            exporter: Some(site(&format!("http://{target}"))?),
            gitlab: Some(site(answers.gitlab.as_str())?),
            ..Addresses::default()
        },
        ..Options::default()
    })
}

fn bare(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// The commands that check and start what was written.
pub(super) fn next_steps(answers: &Answers) -> String {
    let to = answers.to.display();
    let alertmanager = Kind::Alertmanager.folder();
    let token = match &answers.token_file {
        Some(file) => format!("# Put an access token of scope read_api into {file}"),
        None => "export GITLAB_TOKEN=...   # an access token of scope read_api".to_owned(),
    };
    format!(
        "Next:
  {token}
  job-failure-exporter check-config --online {to}/{CONFIG}
  job-failure-exporter --config.file {to}/{CONFIG}

  # Merge {PROMETHEUS} into the configuration of Prometheus, and set the receivers of {alertmanager}/alertmanager.yml.
  promtool check config {to}/{PROMETHEUS}
  amtool check-config {to}/{alertmanager}/alertmanager.yml"
    )
}

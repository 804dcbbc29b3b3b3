//! How the operator's Prometheus finds the exporter: what the shipped scrape configuration says.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Deserialize;

use super::super::embedded::PROMETHEUS;
use super::super::file::File;
use super::metadata::Objects;

#[derive(Deserialize)]
struct Config {
    global: Global,
    scrape_configs: Vec<Scrape>,
}

#[derive(Deserialize)]
struct Global {
    scrape_interval: String,
}

#[derive(Deserialize)]
struct Scrape {
    #[serde(default)]
    honor_labels: bool,
    sample_limit: Option<u64>,
    label_value_length_limit: Option<u64>,
    static_configs: Vec<Targets>,
}

#[derive(Deserialize)]
struct Targets {
    targets: Vec<String>,
}

/// A Service and a ServiceMonitor.
pub(in super::super) fn service_monitor(objects: &Objects) -> anyhow::Result<File> {
    let config: Config = serde_yaml::from_str(PROMETHEUS)?;
    // The first scrape job is the exporter's, the second one is Prometheus itself.
    let scrape = config
        .scrape_configs
        .first()
        .context("no scrape configuration")?;
    let target = scrape
        .static_configs
        .iter()
        .flat_map(|all| &all.targets)
        .next();
    let port = target
        .and_then(|target| target.rsplit_once(':'))
        .context("no port")?
        .1;
    let selector = objects.selector();
    let mut text = "# Written by `job-failure-exporter assets servicemonitor`.
# The Service selects the exporter's pods by this label. Its name becomes the label `job`.
"
    .to_owned();
    text.push_str(&objects.head("v1", "Service", "", &[]));
    let _ = writeln!(
        text,
        "spec:\n  selector:\n    {selector}\n  ports:\n    - name: metrics\n      port: {port}\n---"
    );
    text.push_str(&objects.head("monitoring.coreos.com/v1", "ServiceMonitor", "", &[]));
    let _ = writeln!(
        text,
        "spec:
  selector:
    matchLabels:
      {selector}
  endpoints:
    - port: metrics
      path: /metrics
      interval: {}",
        config.global.scrape_interval,
    );
    if scrape.honor_labels {
        text.push_str("      honorLabels: true\n");
    }
    for (key, limit) in [
        ("sampleLimit", scrape.sample_limit),
        ("labelValueLengthLimit", scrape.label_value_length_limit),
    ] {
        if let Some(limit) = limit {
            let _ = writeln!(text, "  {key}: {limit}");
        }
    }
    Ok(File::new("servicemonitor.yaml", text))
}

//! A real Prometheus of its own, and its API.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;
use testkit::daemon::{holds, until};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// The name in the shipped scrape configuration.
pub(super) const SCRAPE_JOB: &str = "job-failure-exporter";

/// Between two scrapes and evaluations, as in the shipped configuration.
pub(super) const INTERVAL: Duration = Duration::from_secs(30);

/// A running Prometheus. Ends when it is dropped.
pub(super) struct Prometheus {
    address: SocketAddr,
    client: reqwest::Client,
    folder: TempDir,
    _process: Child,
}

/// The time that a query took, with its result or Prometheus' error.
pub(super) struct Timed {
    pub(super) took: Duration,
    pub(super) result: Result<Value, String>,
}

impl Prometheus {
    /// Starts it without targets and rules.
    pub(super) async fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, configuration(&[], None)).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args([
                "--web.enable-remote-write-receiver",
                "--web.enable-lifecycle",
            ])
            .args(["--log.level=error", "--storage.tsdb.retention.time=30d"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = process.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(10));
        let prometheus = Self {
            address,
            client: client.build().unwrap(),
            folder,
            _process: process,
        };
        until("Prometheus", async || {
            let answer = prometheus
                .client
                .get(prometheus.url("-/ready"))
                .send()
                .await;
            let is_ready = answer
                .as_ref()
                .is_ok_and(|answer| answer.status().is_success());
            holds(is_ready, format!("{answer:?}"))
        })
        .await;
        prometheus
    }

    fn url(&self, path: &str) -> Url {
        format!("http://{}/{path}", self.address).parse().unwrap()
    }

    /// Scrapes the targets and evaluates the rules from now on.
    pub(super) async fn configure(&self, targets: &[SocketAddr], rules: Option<&Path>) {
        let config = self.folder.path().join("prometheus.yml");
        fs::write(config, configuration(targets, rules)).unwrap();
        self.post("-/reload", Vec::new()).await;
    }

    /// A compressed request of remote write.
    pub(super) async fn write(&self, body: Vec<u8>) {
        self.post("api/v1/write", body).await;
    }

    async fn post(&self, path: &str, body: Vec<u8>) {
        let answer = self
            .client
            .post(self.url(path))
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{path}: {status}: {}",
            answer.text().await.unwrap()
        );
    }

    async fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value, String> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.client.get(url).send().await.unwrap();
        let bytes = answer.bytes().await.unwrap();
        let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
        if answer["status"] == "success" {
            Ok(answer["data"].take())
        } else {
            Err(answer["error"].to_string())
        }
    }

    /// The result of an instant query of now.
    pub(super) async fn query(&self, query: &str) -> Vec<Value> {
        let data = self
            .get("api/v1/query", &[("query", query.to_owned())])
            .await;
        let mut data = data.unwrap_or_else(|error| panic!("{query}: {error}"));
        match data["result"].take() {
            Value::Array(result) => result,
            other => panic!("{query}: {other}"),
        }
    }

    /// Like [`Self::get`], with the time it took until the last byte.
    pub(super) async fn timed(&self, path: &str, parameters: &[(&str, String)]) -> Timed {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(parameters);
        let start = Instant::now();
        let answer = self.client.get(url).send().await.unwrap();
        let bytes = answer.bytes().await.unwrap();
        let took = start.elapsed();
        let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
        let result = if answer["status"] == "success" {
            Ok(answer["data"].take())
        } else {
            Err(answer["error"].as_str().unwrap_or_default().to_owned())
        };
        Timed { took, result }
    }

    /// All groups with their rules.
    pub(super) async fn groups(&self) -> Vec<Value> {
        let mut data = self.get("api/v1/rules", &[]).await.unwrap();
        match data["groups"].take() {
            Value::Array(groups) => groups,
            other => panic!("groups of rules: {other}"),
        }
    }

    /// What Prometheus exposes about itself.
    pub(super) async fn metrics(&self) -> String {
        let answer = self.client.get(self.url("metrics")).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

fn configuration(targets: &[SocketAddr], rules: Option<&Path>) -> String {
    let seconds = INTERVAL.as_secs();
    let mut text = format!(
        "global: {{scrape_interval: {seconds}s, evaluation_interval: {seconds}s}}\n\
         scrape_configs:\n- job_name: {SCRAPE_JOB}\n  honor_labels: true\n  static_configs:\n  - targets: {:?}\n",
        targets.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    if let Some(rules) = rules {
        writeln!(text, "rule_files: ['{}/*.yml']", rules.display()).unwrap();
    }
    text
}

/// A value from what Prometheus exposes about itself: by the series as it is written.
pub(super) fn figure(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// Values by group of rules, from what Prometheus exposes about itself.
pub(super) fn by_group<'a>(metrics: &'a str, family: &str) -> Vec<(&'a str, f64)> {
    let start = format!("{family}{{rule_group=\"");
    let line = |line: &'a str| {
        let (group, value) = line.strip_prefix(&start)?.rsplit_once("\"} ")?;
        let (_, group) = group.rsplit_once(';')?;
        Some((group, value.parse().ok()?))
    };
    metrics.lines().filter_map(line).collect()
}

/// The program to start: `BENCH_PROMETHEUS`, or the one in `PATH`.
pub(super) fn program() -> PathBuf {
    super::variable("BENCH_PROMETHEUS")
        .unwrap_or_else(|| "prometheus".to_owned())
        .into()
}

//! Prometheus and Alertmanager with what is shipped, and a receiver of what they send.

use std::convert::Infallible;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use demo::shorten_waits;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::tools;
use testkit::client;
use testkit::daemon::{folder, until};

/// Every wait of rules and routes is divided by this, and so is the interval of scrapes and evaluations.
const HASTE: u32 = 60;

/// Those of `exporter.yml` by this: Prometheus finds its targets only after five seconds, however fast
/// it scrapes, and would miss an exporter until then.
const HASTE_OF_EXPORTER: u32 = 12;

/// A working copy of rules and configurations with waits so short that a test can see them pass.
/// Nothing but durations and addresses is changed.
pub(crate) struct Shipped {
    copy: TempDir,
}

impl Shipped {
    pub(crate) fn copy() -> Self {
        let copy = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let parts = [
            "alert-rules",
            "deploy/prometheus",
            "deploy/alertmanager",
            "deploy/alertmanager/templates",
        ];
        for part in parts {
            fs::create_dir_all(copy.path().join(part)).unwrap();
            for file in folder(&root.join(part)) {
                let ending = file.extension();
                if ending.is_some_and(|ending| ending == "yml" || ending == "tmpl") {
                    let name = file.file_name().unwrap();
                    let by = if name == "exporter.yml" {
                        HASTE_OF_EXPORTER
                    } else {
                        HASTE
                    };
                    let text = shorten_waits(&fs::read_to_string(&file).unwrap(), by);
                    fs::write(copy.path().join(part).join(name), text).unwrap();
                }
            }
        }
        Self { copy }
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.copy.path().join(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.copy.path().join(file), text).unwrap();
    }

    /// Replaces every match, of which there must be some.
    pub(crate) fn edit(&self, file: &str, pattern: &str, replacement: &str) {
        let path = self.copy.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let pattern = Regex::new(pattern).unwrap();
        assert!(pattern.is_match(&text), "{pattern} is not in {file}");
        fs::write(path, pattern.replace_all(&text, replacement).as_ref()).unwrap();
    }

    /// Adds to the end of a file.
    pub(crate) fn append(&self, file: &str, text: &str) {
        let path = self.copy.path().join(file);
        let all = fs::read_to_string(&path).unwrap();
        fs::write(path, all + text).unwrap();
    }

    /// Starts Alertmanager, whose webhooks send to `receiver`.
    pub(crate) async fn alertmanager(&self, receiver: SocketAddr) -> Tool {
        let file = "deploy/alertmanager/alertmanager.yml";
        self.edit(file, "127.0.0.1:10142", &receiver.to_string());
        self.start_alertmanager().await
    }

    /// Starts Alertmanager with its configuration as it is.
    pub(crate) async fn start_alertmanager(&self) -> Tool {
        let file = "deploy/alertmanager/alertmanager.yml";
        Tool::start(tools::alertmanager(), |address| {
            vec![
                format!("--config.file={}", self.copy.path().join(file).display()),
                format!("--storage.path={}", self.copy.path().join("am").display()),
                format!("--web.listen-address={address}"),
                // Links in messages start with it.
                "--web.external-url=https://alertmanager.example.com".to_owned(),
                // Without a cluster there is nothing to wait for at the start.
                "--cluster.listen-address=".to_owned(),
            ]
        })
        .await
    }

    /// Starts Prometheus, which scrapes `exporter` and alerts through `alertmanager`.
    pub(crate) async fn prometheus(&self, exporter: SocketAddr, alertmanager: SocketAddr) -> Tool {
        let file = "deploy/prometheus/prometheus.yml";
        self.edit(file, "127.0.0.1:10141", &exporter.to_string());
        self.edit(file, "127.0.0.1:9093", &alertmanager.to_string());
        self.edit(file, "_interval: 30s", "_interval: 1s");
        Tool::start("prometheus", |address| {
            let data = self.copy.path().join("data");
            vec![
                format!("--config.file={}", self.copy.path().join(file).display()),
                format!("--storage.tsdb.path={}", data.display()),
                format!("--web.listen-address={address}"),
                // It drops what it has to send before it knows its Alertmanager.
                "--rules.alert.resend-delay=1s".to_owned(),
            ]
        })
        .await
    }
}

/// A tool that runs until it is dropped.
pub(crate) struct Tool {
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Tool {
    /// Starts it on a free port and waits until it is ready; on another where somebody was quicker.
    pub(crate) async fn start(name: &str, arguments: impl Fn(SocketAddr) -> Vec<String>) -> Self {
        let attempts = 5;
        for _ in 0..attempts {
            let free = StdListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let process = Command::new(name)
                .args(arguments(address))
                .arg("--log.level=error")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn();
            let process = process.unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => {
                    panic!("{name} was not found in PATH; run: make install-tools")
                }
                _ => panic!("{name} did not start: {error}"),
            });
            let mut tool = Self { address, process };
            if tool.is_ready(name).await {
                return tool;
            }
        }
        panic!("{name} ended at each of {attempts} starts")
    }

    async fn is_ready(&mut self, name: &str) -> bool {
        let url = format!("http://{}/-/ready", self.address);
        until(name, async || {
            if self.process.try_wait().unwrap().is_some() {
                return Ok(false);
            }
            match client().get(&url).send().await {
                Ok(answer) if answer.status().is_success() => Ok(true),
                answer => Err(format!("{answer:?}")),
            }
        })
        .await
    }

    /// Has it read its configuration again.
    pub(crate) fn reload(&self) {
        let id = self.process.id().expect("it runs").try_into().unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::HUP).unwrap();
    }

    /// The answer of Alertmanager's API to a GET.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}/api/v2/{path}", self.address);
        let answer = client().get(url).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// The answer of Alertmanager's API to a POST, which has to succeed.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}/api/v2/{path}", self.address);
        let post = client()
            .post(url)
            .header("content-type", "application/json");
        let answer = post.body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let text = answer.bytes().await.unwrap();
        assert_eq!(status, 200, "{body}: {text:?}");
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Prometheus' answer to a query: the value of each series.
    pub(crate) async fn query(&self, query: &str) -> Vec<f64> {
        let value = |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
        self.series(query).await.iter().map(value).collect()
    }

    /// Prometheus' answer to a query: each series with its labels in `metric` and its `value`.
    pub(crate) async fn series(&self, query: &str) -> Vec<Value> {
        let url = format!("http://{}/api/v1/query", self.address);
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).unwrap();
        let answer = client().get(url).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let result = answer["data"]["result"].as_array();
        let series = result.unwrap_or_else(|| panic!("{query}: {answer}"));
        series.clone()
    }
}

/// What a receiver was sent, and where.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// A server that takes what Alertmanager sends.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    /// Ends with the receiver.
    _serving: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let kept = Arc::clone(&messages);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request| take(request, Arc::clone(&kept)));
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move {
                    // Alertmanager may close it whenever it likes.
                    serving.await.ok();
                });
            }
        });
        Self {
            address,
            messages,
            _serving: serving,
        }
    }

    /// All it was sent so far.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }
}

async fn take(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Message>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap();
    kept.lock().unwrap().push(Message { path, body });
    // Slack's answer. The others read none.
    Ok(Response::new(Full::from("ok")))
}

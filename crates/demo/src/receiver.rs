//! The receiver of the demo's alerts, and the printing of them.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use job_failure_exporter::http::job_path;

/// The alert that the demo has to deliver.
pub(super) const ALERT: &str = "CIJobFailingRepeatedly";

/// The alert that always fires, as a heartbeat.
const HEARTBEAT: &str = "CIWatchdog";

/// Maximum size of a message in bytes, far more than the demo's alerts need.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// A message from Alertmanager.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Name of the receiver in Alertmanager's configuration.
    pub(super) receiver: String,
    /// JSON of the message.
    pub(super) body: Bytes,
}

/// A server for deliveries; stops when dropped.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    server: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let (sender, deliveries) = mpsc::unbounded_channel();
        Ok(Self {
            address: listener.local_addr()?,
            deliveries,
            server: tokio::spawn(serve(listener, sender)),
        })
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, sender: mpsc::UnboundedSender<Delivery>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let sender = sender.clone();
        let service = service_fn(move |request| take(request, sender.clone()));
        connections.spawn(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service),
        );
        while connections.try_join_next().is_some() {}
    }
}

async fn take(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Delivery>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let receiver = request.uri().path().trim_matches('/').to_owned();
    let body = Limited::new(request.into_body(), MAX_MESSAGE_BYTES);
    if let Ok(body) = body.collect().await {
        let body = body.to_bytes();
        // Sending fails only while the demo ends.
        let _ = sender.send(Delivery { receiver, body });
    }
    Ok(Response::new(Empty::new()))
}

/// The printed parts of an Alertmanager webhook message.
#[derive(Debug, Deserialize)]
struct Message {
    alerts: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
struct Alert {
    status: String,
    labels: HashMap<String, String>,
    annotations: HashMap<String, String>,
    #[serde(default)]
    fingerprint: String,
}

/// The delivered alerts. Prints each change of an alert once.
#[derive(Debug, Default)]
pub(super) struct AlertLog {
    /// Base URL of the exporter's pages.
    pages: String,
    /// Last printed status by fingerprint.
    printed: HashMap<String, String>,
    /// Names of the delivered alerts, without the heartbeat.
    fired: BTreeSet<String>,
    /// Names of the alerts with a delivered resolution.
    resolved: BTreeSet<String>,
}

impl AlertLog {
    pub(super) fn new(pages: String) -> Self {
        Self {
            pages,
            ..Self::default()
        }
    }

    /// True after the delivery of a firing `CIJobFailingRepeatedly`.
    pub(super) fn delivered(&self) -> bool {
        self.fired.contains(ALERT)
    }

    /// The names of the delivered and of the resolved alerts.
    pub(super) fn summary(&self) -> String {
        let list = |names: &BTreeSet<String>| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            names.join(", ")
        };
        match (self.fired.len(), self.resolved.len()) {
            (0, _) => "No alert was delivered.".to_owned(),
            (fired, 0) => format!("Delivered ({fired}): {}.", list(&self.fired)),
            (fired, resolved) => format!(
                "Delivered ({fired}): {}.\nResolved ({resolved}): {}.",
                list(&self.fired),
                list(&self.resolved)
            ),
        }
    }

    /// Records a message. Returns the text of its new alerts.
    pub(super) fn record(&mut self, delivery: &Delivery) -> String {
        let message: Message = match serde_json::from_slice(&delivery.body) {
            Ok(message) => message,
            Err(error) => return format!("\nCannot parse a delivery: {error}\n"),
        };
        let mut text = String::new();
        for alert in message.alerts {
            let firing = alert.status == "firing";
            let before = self
                .printed
                .insert(alert.fingerprint.clone(), alert.status.clone());
            // A repetition, or the resolution of an alert that was never printed.
            let known = before.as_ref() == Some(&alert.status) || (before.is_none() && !firing);
            if known {
                continue;
            }
            text.push_str(&alert.block(&delivery.receiver, &self.pages));
            let name = alert.label("alertname");
            if name != HEARTBEAT {
                let names = if firing {
                    &mut self.fired
                } else {
                    &mut self.resolved
                };
                names.insert(name.to_owned());
            }
        }
        text
    }
}

impl Alert {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    fn block(&self, receiver: &str, pages: &str) -> String {
        let name = self.label("alertname");
        if name == HEARTBEAT {
            return format!(
                "\n{name} arrived at `{receiver}`: alerts pass through Alertmanager.\n"
            );
        }
        let mut text = format!(
            "\n=== {} {name} ({}), delivered to `{receiver}` ===\n",
            self.status.to_uppercase(),
            self.label("severity"),
        );
        let lines =
            ["project", "ref", "job_name", "schedule", "team"].map(|key| (key, self.label(key)));
        let annotation = |key| (key, self.annotations.get(key).map_or("", String::as_str));
        let texts = ["summary", "description", "runbook_url"].map(annotation);
        // The demo has no Grafana, so the exporter's page replaces the link to a dashboard.
        let page = job_path(
            self.label("project"),
            self.label("ref"),
            self.label("job_name"),
        );
        let page = page.filter(|_| !self.label("job_name").is_empty());
        let page = page.map_or_else(String::new, |path| format!("{pages}{path}"));
        let lines = lines.into_iter().chain(texts);
        for (key, value) in lines.chain([("page", page.as_str())]) {
            if !value.is_empty() {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "  {key:<14}{value}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivery(status: &str, alertname: &str) -> Delivery {
        let body = json!({ "alerts": [{
            "status": status,
            "labels": {
                "alertname": alertname, "severity": "warning",
                "project": "acme/shop", "ref": "main", "job_name": "unit-tests",
            },
            "annotations": { "summary": "A CI job fails.", "description": "It failed 3 times." },
            "fingerprint": "1",
        }]});
        Delivery {
            receiver: "chat".to_owned(),
            body: body.to_string().into(),
        }
    }

    #[test]
    fn an_alert_is_printed_when_it_fires_and_when_it_is_resolved() {
        let mut log = AlertLog::new("http://here".to_owned());
        let text = log.record(&delivery("firing", ALERT));
        let block = "
=== FIRING CIJobFailingRepeatedly (warning), delivered to `chat` ===
  project       acme/shop
  ref           main
  job_name      unit-tests
  summary       A CI job fails.
  description   It failed 3 times.
  page          http://here/jobs/acme/shop/-/main/-/unit-tests
";
        assert_eq!(text, block);
        assert!(log.delivered());
        assert_eq!(log.record(&delivery("firing", ALERT)), "");
        let resolved = log.record(&delivery("resolved", ALERT));
        assert!(resolved.starts_with("\n=== RESOLVED"), "{resolved}");
        assert_eq!(log.record(&delivery("resolved", ALERT)), "");
        let summary =
            "Delivered (1): CIJobFailingRepeatedly.\nResolved (1): CIJobFailingRepeatedly.";
        assert_eq!(log.summary(), summary);
    }

    #[test]
    fn other_alerts_do_not_count_as_the_required_one() {
        let mut log = AlertLog::default();
        log.record(&delivery("firing", "CIWatchdog"));
        log.record(&delivery("resolved", ALERT));
        assert!(!log.delivered());
        assert_eq!(log.summary(), "No alert was delivered.");
    }

    #[tokio::test]
    async fn a_posted_message_arrives_with_the_name_of_its_receiver() {
        let mut receiver = Receiver::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let url = format!("http://{}/pager", receiver.address);
        let sent = reqwest::Client::new().post(url).body("{}").send();
        assert_eq!(sent.await.unwrap().status(), 200);
        let delivery = receiver.next().await.unwrap();
        assert_eq!(
            (delivery.receiver.as_str(), &*delivery.body),
            ("pager", &b"{}"[..])
        );
    }
}

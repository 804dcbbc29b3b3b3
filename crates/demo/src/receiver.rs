//! Where the demo's Alertmanager delivers to, and how an alert is printed.

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

/// The alert the demo is about.
pub(super) const ALERT: &str = "CIJobFailingRepeatedly";

/// The alert that always fires.
const HEARTBEAT: &str = "Watchdog";

/// More than Alertmanager sends in one message here.
const LARGEST_MESSAGE: usize = 4 << 20;

/// A message as it came.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Name of the receiver in the routing.
    pub(super) receiver: String,
    /// The JSON.
    pub(super) body: Bytes,
}

/// Listens for deliveries; ends when dropped.
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
    let body = Limited::new(request.into_body(), LARGEST_MESSAGE);
    if let Ok(body) = body.collect().await {
        let body = body.to_bytes();
        // Nobody listens any more only while the demo ends.
        let _ = sender.send(Delivery { receiver, body });
    }
    Ok(Response::new(Empty::new()))
}

/// An Alertmanager webhook message, as far as it is shown.
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

/// What has been shown, so that what is repeated is shown once.
#[derive(Debug, Default)]
pub(super) struct Bulletin {
    /// Where the exporter's pages are, without the path.
    pages: String,
    shown: HashMap<String, String>,
    /// Names of the alerts that were delivered, without the heartbeat.
    fired: BTreeSet<String>,
    /// Names of those of which it was delivered that one is over.
    over: BTreeSet<String>,
}

impl Bulletin {
    pub(super) fn new(pages: String) -> Self {
        Self {
            pages,
            ..Self::default()
        }
    }

    /// True once a firing `CIJobFailingRepeatedly` was delivered.
    pub(super) fn delivered(&self) -> bool {
        self.fired.contains(ALERT)
    }

    /// Which alerts were delivered, and which of them are over.
    pub(super) fn summary(&self) -> String {
        let list = |names: &BTreeSet<String>| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            names.join(", ")
        };
        match (self.fired.len(), self.over.len()) {
            (0, _) => "No alert was delivered.".to_owned(),
            (fired, 0) => format!("Delivered ({fired}): {}.", list(&self.fired)),
            (fired, over) => format!(
                "Delivered ({fired}): {}.\nResolved ({over}): {}.",
                list(&self.fired),
                list(&self.over)
            ),
        }
    }

    /// What is new in a message, as text to be printed.
    pub(super) fn tell(&mut self, delivery: &Delivery) -> String {
        let message: Message = match serde_json::from_slice(&delivery.body) {
            Ok(message) => message,
            Err(error) => return format!("\nA delivery that cannot be read: {error}\n"),
        };
        let mut text = String::new();
        for alert in message.alerts {
            let firing = alert.status == "firing";
            let before = self
                .shown
                .insert(alert.fingerprint.clone(), alert.status.clone());
            // A resolved message of what was never shown, or one that is sent again.
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
                    &mut self.over
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
                "\n{name} arrived at `{receiver}`: the way through Alertmanager works.\n"
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
        let said = ["summary", "description", "runbook_url"].map(annotation);
        // In place of the link to a dashboard: no Grafana is part of this.
        let page = job_path(
            self.label("project"),
            self.label("ref"),
            self.label("job_name"),
        );
        let page = page.filter(|_| !self.label("job_name").is_empty());
        let page = page.map_or_else(String::new, |path| format!("{pages}{path}"));
        let lines = lines.into_iter().chain(said);
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
    fn an_alert_is_shown_as_a_block_once_and_again_when_it_is_resolved() {
        let mut bulletin = Bulletin::new("http://here".to_owned());
        let text = bulletin.tell(&delivery("firing", ALERT));
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
        assert!(bulletin.delivered());
        assert_eq!(bulletin.tell(&delivery("firing", ALERT)), "");
        let resolved = bulletin.tell(&delivery("resolved", ALERT));
        assert!(resolved.starts_with("\n=== RESOLVED"), "{resolved}");
        assert_eq!(bulletin.tell(&delivery("resolved", ALERT)), "");
        let summary =
            "Delivered (1): CIJobFailingRepeatedly.\nResolved (1): CIJobFailingRepeatedly.";
        assert_eq!(bulletin.summary(), summary);
    }

    #[test]
    fn other_alerts_do_not_count_as_the_one_the_demo_is_about() {
        let mut bulletin = Bulletin::default();
        bulletin.tell(&delivery("firing", "Watchdog"));
        bulletin.tell(&delivery("resolved", ALERT));
        assert!(!bulletin.delivered());
        assert_eq!(bulletin.summary(), "No alert was delivered.");
    }

    #[tokio::test]
    async fn what_is_posted_arrives_with_the_name_of_its_receiver() {
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

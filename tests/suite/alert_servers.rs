//! Prometheus and Alertmanager as the pages see them: a server that answers as a test wants.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::metrics_rows::HOSTILE;

/// Prometheus and Alertmanager in one.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) rules: Mutex<Value>,
    alerts: Mutex<Value>,
    pub(crate) asked: AtomicUsize,
    /// `Authorization` and `X-Scope-OrgID` of the last request for each path.
    pub(crate) logins: Mutex<HashMap<String, [String; 2]>>,
}

impl Answers {
    fn of(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let header = |name| {
            let value = request.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let login = [header("authorization"), header("x-scope-orgid")];
        let path = request.uri().path().to_owned();
        self.logins.lock().unwrap().insert(path, login);
        let query = request.uri().query().unwrap_or_default();
        let body = match request.uri().path() {
            "/api/v1/rules" => self.rules.lock().unwrap().clone(),
            "/api/v2/alerts" => self.alerts.lock().unwrap().clone(),
            "/api/v2/silences" => json!([
                {"id": "s1", "createdBy": "ann", "comment": HOSTILE, "endsAt": "2023-11-15T00:00:00Z"}
            ]),
            _ if query.contains("override") => written(),
            _ if query.contains("label_replace") => figures(),
            _ => series(),
        };
        let (status, body) = if body.is_null() {
            (503, json!({"error": "overloaded"}))
        } else {
            (200, body)
        };
        let response = Response::builder().status(status);
        let response = response.header("content-type", "application/json");
        response.body(Full::from(body.to_string())).unwrap()
    }
}

fn result(series: &[(Value, &str)]) -> Value {
    let series = series
        .iter()
        .map(|(metric, value)| json!({"metric": metric, "value": [0, value]}));
    json!({"data": {"result": series.collect::<Vec<_>>()}})
}

fn series() -> Value {
    let labels = json!({
        "__name__": "job_consecutive_failures", "project": "group/app", "ref": "main", "job_name": "unit",
        "gitlab": "eu"
    });
    result(&[(labels, "3")])
}

fn written() -> Value {
    let of = |what: &str, severity: &str, level: &str| json!({"what": what, "severity": severity, "level": level});
    result(&[
        (of("consecutive_failures", "warning", "job"), "10"),
        (of("failing_seconds", "critical", "team"), "7200"),
        (of("flaky_executions", "info", "project"), "+Inf"),
    ])
}

fn figures() -> Value {
    result(&[
        (json!({"what": "consecutive_failures"}), "3"),
        (json!({"what": "failing_seconds"}), "3600"),
        (json!({"what": "failing_for_long"}), "3"),
        (json!({"what": "flaky_executions"}), "1"),
    ])
}

fn labels(name: &str, severity: &str, more: &Value) -> Value {
    let mut labels = json!({"alertname": name, "severity": severity});
    for (name, value) in more.as_object().unwrap() {
        labels[name] = value.clone();
    }
    labels
}

fn rule(name: &str, alerts: &[Value]) -> Value {
    json!({
        "name": name, "query": "ci_job:x > 1", "duration": 60,
        "annotations": {"silence_url": "https://am.acme.net/x/#/silences/new?filter={{ printf }}"},
        "alerts": alerts
    })
}

fn active(state: &str, labels: &Value) -> Value {
    // The time of the tests is 20 seconds later, and the rules wait for a minute.
    let at = if state == "pending" {
        "2023-11-14T23:13:00Z"
    } else {
        "2023-11-14T23:10:00Z"
    };
    json!({
        "state": state, "activeAt": at, "labels": labels,
        "annotations": {"summary": "It fails.", "runbook_url": "https://runbooks.acme.net/x"}
    })
}

fn sent(labels: &Value, fingerprint: &str, status: &Value) -> Value {
    json!({
        "labels": labels, "annotations": {}, "startsAt": "2023-11-14T23:11:00Z", "fingerprint": fingerprint,
        "receivers": [{"name": "team-sre"}], "status": status
    })
}

pub(crate) const UNIT: fn() -> Value = || json!({"project": "group/app", "ref": "main", "job_name": "unit", "team": "sre", "gitlab": "eu"});

pub(crate) fn filled() -> Answers {
    let unit = labels("CIJobFailingRepeatedly", "warning", &UNIT());
    let hostile = json!({"project": "group/app", "ref": "main", "job_name": HOSTILE});
    let hostile = labels("CIJobFlaky", "info", &hostile);
    let nightly = json!({"project": "group/app", "schedule": "nightly"});
    let nightly = labels("CIScheduleMissed", "warning", &nightly);
    let pipeline = json!({"project": "group/app", "ref": "main"});
    let pipeline = labels("CIPipelineFailing", "critical", &pipeline);
    let other = json!({"project": "group/other", "ref": "main", "job_name": "unit"});
    let other = labels("CIJobFailingRepeatedly", "warning", &other);
    let down = labels(
        "CIExporterDown",
        "critical",
        &json!({"instance": "a:10141"}),
    );
    let rules = [
        rule(
            "CIJobFailingRepeatedly",
            &[active("firing", &unit), active("firing", &other)],
        ),
        rule("CIJobFlaky", &[active("pending", &hostile)]),
        rule("CIJobFailingForLong", &[]),
        rule("CIScheduleMissed", &[active("firing", &nightly)]),
        rule("CIPipelineFailing", &[active("firing", &pipeline)]),
        rule("CIExporterDown", &[active("firing", &down)]),
        rule(
            "CIWatchdog",
            &[active("firing", &labels("CIWatchdog", "none", &json!({})))],
        ),
        rule(
            "DiskFull",
            &[active(
                "firing",
                &labels("DiskFull", "critical", &json!({})),
            )],
        ),
    ];
    let none = json!({"silencedBy": [], "inhibitedBy": []});
    let alerts = [
        sent(
            &unit,
            "f1",
            &json!({"silencedBy": ["s1"], "inhibitedBy": []}),
        ),
        sent(
            &nightly,
            "f2",
            &json!({"silencedBy": [], "inhibitedBy": ["f3"]}),
        ),
        sent(&pipeline, "f3", &none),
        sent(
            &down,
            "f4",
            &json!({"silencedBy": [], "inhibitedBy": [], "mutedBy": ["nights"]}),
        ),
    ];
    Answers {
        rules: Mutex::new(json!({"data": {"groups": [{"rules": rules}]}})),
        alerts: Mutex::new(json!(alerts)),
        asked: AtomicUsize::new(0),
        logins: Mutex::default(),
    }
}

pub(crate) async fn server(answers: Arc<Answers>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answers = answers.clone();
            let answer = service_fn(move |request| {
                let answer = answers.of(&request);
                async { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

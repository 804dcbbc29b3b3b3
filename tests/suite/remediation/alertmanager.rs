//! `POST /hooks/alertmanager`: alerts whose labels ask for an action.

use gitlab_simulator::{ActionKind, JobPlan, PipelinePlan};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use testkit::client;
use testkit::daemon::{holds, until};

use super::stage::{OPS, SHOP, Stage, broken_runner, flaky_runner};

/// Without rules: only alerts act.
const NO_RULES: &str = "limits: {younger_than: 6h}";

/// Before anything was done about it.
const FIRED: &str = "2026-01-05T08:01:00Z";

/// As Alertmanager 0.28 sends it.
fn message(alerts: &[Value]) -> Value {
    json!({
        "receiver": "remediation", "status": "firing", "alerts": alerts,
        "groupLabels": {"alertname": "CIJobFailing"},
        "commonLabels": {"alertname": "CIJobFailing", "remediation": "recover"},
        "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "version": "4",
        "groupKey": "{}/{remediation=~\".+\"}:{alertname=\"CIJobFailing\"}", "truncatedAlerts": 0,
    })
}

fn labels(job: &str) -> Value {
    json!({"alertname": "CIJobFailing", "project": SHOP, "ref": "main", "track": "",
           "job_name": job, "remediation": "recover", "severity": "warning"})
}

fn alert(status: &str, since: &str, labels: &Value) -> Value {
    let fingerprint = format!("{:016x}", labels["job_name"].to_string().len());
    json!({"status": status, "labels": labels, "annotations": {"summary": "unit fails"},
           "startsAt": since, "endsAt": "0001-01-01T00:00:00Z",
           "generatorURL": "http://prometheus:9090/graph", "fingerprint": fingerprint})
}

async fn sent(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

impl Stage {
    fn hook(&self) -> RequestBuilder {
        client().post(self.url("/hooks/alertmanager"))
    }

    async fn tells(&self, alerts: &[Value]) -> (u16, String) {
        let body = message(alerts).to_string();
        sent(self.hook().basic_auth("ops", Some(OPS)).body(body)).await
    }

    /// Waits until the exporter knows that the job fails.
    async fn fails(&self, job: &str) {
        self.decides(job, "no_rule", "").await;
    }
}

#[tokio::test]
async fn a_firing_alert_brings_its_job_back_once_and_a_resolved_one_nothing() {
    let stage = Stage::new("act", NO_RULES).await;
    stage.ended([flaky_runner("lint"), flaky_runner("unit")]);
    stage.fails("lint").await;
    let resolved = alert("resolved", FIRED, &labels("lint"));
    let plain = json!({"alertname": "Other", "project": SHOP});
    let firing = alert("firing", FIRED, &labels("unit"));
    let alerts = [resolved, alert("firing", FIRED, &plain), firing];
    let (status, text) = stage.tells(&alerts).await;
    assert_eq!((status, &*text), (202, "taken\n"));
    stage.results(&["started"]).await;
    stage.tells(&alerts).await;
    stage.results_in_time(&["recovered"]).await;
    stage.tells(&alerts).await;
    stage.stays(&["recovered"]).await;
    let retried = (ActionKind::RetryJob, Some("unit".to_owned()));
    assert_eq!(stage.done(), [retried]);
    let action = &stage.record().await["actions"][0];
    assert_eq!(
        (&action["by"], &action["rule"]),
        (&json!("ops"), &json!("manual"))
    );
}

#[tokio::test]
async fn a_repeated_message_asks_for_nothing_more_until_the_alert_fires_anew() {
    let stage = Stage::new("act", NO_RULES).await;
    stage.ended([broken_runner("unit")]);
    stage.fails("unit").await;
    let firing = [alert("firing", FIRED, &labels("unit"))];
    stage.tells(&firing).await;
    stage.results_in_time(&["failed_again"]).await;
    for _ in 0..3 {
        stage.tells(&firing).await;
        stage.stays(&["failed_again"]).await;
    }
    stage
        .tells(&[alert("firing", "2026-01-05T09:00:00Z", &labels("unit"))])
        .await;
    stage
        .results_in_time(&["failed_again", "failed_again"])
        .await;
    assert_eq!(stage.retries(), 2);
}

#[tokio::test]
async fn one_message_may_ask_for_many_jobs_of_a_project() {
    let stage = Stage::new("act", NO_RULES).await;
    let names = ["a", "bb", "ccc", "dddd"];
    stage.ended(names.map(flaky_runner));
    stage.fails("dddd").await;
    let alerts = names.map(|name| alert("firing", FIRED, &labels(name)));
    for alert in &alerts {
        stage.tells(std::slice::from_ref(alert)).await;
    }
    stage.results_in_time(&["recovered"; 4]).await;
    stage.tells(&alerts).await;
    stage.stays(&["recovered"; 4]).await;
}

#[tokio::test]
async fn both_ways_of_authentication_are_taken_and_nobody_else_may_ask() {
    let stage = Stage::new("act", NO_RULES).await;
    stage.ended([flaky_runner("unit")]);
    stage.fails("unit").await;
    let body = message(&[alert("firing", FIRED, &labels("unit"))]).to_string();
    let wrong = [
        stage.hook(),
        stage.hook().basic_auth("ops", Some("0123456789abcdeX")),
        stage.hook().basic_auth("other", Some(OPS)),
        stage.hook().bearer_auth("0123456789abcde"),
    ];
    for request in wrong {
        let answer = request.body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let asked = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(asked.starts_with("Basic "), "{asked}");
    }
    stage.stays(&[]).await;
    let (status, _) = sent(stage.hook().bearer_auth(OPS).body(body)).await;
    assert_eq!(status, 202);
    stage.results_in_time(&["recovered"]).await;
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_what_an_alert_lacks_is_told() {
    let stage = Stage::new("act", NO_RULES).await;
    let send = async |body: String| sent(stage.hook().bearer_auth(OPS).body(body)).await;
    for (body, wanted) in [
        (String::new(), 400),
        ("{}".to_owned(), 400),
        (json!({"version": "3", "alerts": []}).to_string(), 400),
        (" ".repeat((1 << 20) + 1), 413),
        (message(&[]).to_string(), 202),
    ] {
        let (status, text) = send(body).await;
        assert_eq!(status, wanted, "{text}");
    }
    let mut lacking = labels("unit");
    lacking.as_object_mut().unwrap().remove("job_name");
    let (status, text) = stage.tells(&[alert("firing", FIRED, &lacking)]).await;
    assert_eq!(status, 202);
    assert!(text.contains("no label `job_name`"), "{text}");
    let unknown = alert("firing", FIRED, &labels("no-such-job"));
    assert_eq!(stage.tells(&[unknown]).await.0, 202);
    until("the refusal in the log", async || {
        let log = stage.log();
        holds(log.contains("nothing failed lately that fits"), log)
    })
    .await;
    let answer = client().get(stage.url("/hooks/alertmanager")).send().await;
    assert_eq!(answer.unwrap().status(), 405);
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn an_alert_starts_a_schedule_that_was_missed() {
    let stage = Stage::new("act", NO_RULES).await;
    let nightly = PipelinePlan::new([JobPlan::passes("nightly")]);
    let schedule = stage.with(|world| {
        let day = std::time::Duration::from_hours(24);
        world.create_schedule(stage.project, "nightly", day, nightly)
    });
    let labels = json!({"alertname": "CIScheduleMissed", "project": SHOP, "job_name": "",
                        "remediation": "run_schedule", "schedule_id": schedule.to_string()});
    let firing = [alert("firing", FIRED, &labels)];
    stage.tells(&firing).await;
    stage.results(&["started"]).await;
    stage.tells(&firing).await;
    stage.stays(&["started"]).await;
    assert_eq!(stage.done()[0].0, ActionKind::PlaySchedule);
}

#[tokio::test]
async fn in_the_mode_report_an_alert_changes_nothing() {
    let stage = Stage::new("report", NO_RULES).await;
    stage.ended([flaky_runner("unit")]);
    stage.fails("unit").await;
    let firing = alert("firing", FIRED, &labels("unit"));
    assert_eq!(stage.tells(&[firing]).await.0, 202);
    stage.stays(&[]).await;
    assert_eq!(stage.sent(), 0);
}

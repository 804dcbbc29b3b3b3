//! The status page: how the exporter itself is, as page, as JSON, and in agreement with its metrics.

use std::time::Duration;

use gitlab_simulator::DEFAULT_TOKEN;
use job_failure_exporter::http::{
    FirstRound, LimitUse, Limits, NotedError, ProjectError, RequestReport, SelfReport,
    WebFileReport,
};
use job_failure_exporter::metrics::Limit;
use serde_json::Value;
use testkit::daemon::{Place, gitlab, holds, minutes, until};

use crate::http_serving::{Daemon, Serving};
use crate::metrics_rows::{HOSTILE, failing, job, time, timeline};

const NOW: i64 = 1_700_003_600;

fn noted(message: &str) -> NotedError {
    NotedError {
        at: time(NOW - 60).unwrap(),
        message: message.into(),
    }
}

fn troubled() -> SelfReport {
    let error = |project: &str, is_over| ProjectError {
        project: project.into(),
        at: time(NOW - 120).unwrap(),
        message: format!("answered 500: {HOSTILE}"),
        is_over,
    };
    SelfReport {
        started: time(NOW - 3600),
        gitlab_url: "https://gitlab.example/".into(),
        gitlab_version: Some("18.5.1-ee".into()),
        has_token: true,
        requests: RequestReport {
            per_second: 10.0,
            per_second_now: 2.5,
            last_minute: 77,
            waiting: 5,
            paused_for: Some(Duration::from_secs(30)),
            next_probe: None,
        },
        first_round: FirstRound {
            has_ended: false,
            projects: 40,
            polled: 12,
            failing: 1,
            with_past: 11,
            time_left: Some(Duration::from_secs(130)),
        },
        store_kind: "s3",
        store_place: "s3://bucket/prefix".into(),
        save_error: Some(noted("S3 is away.")),
        queued_webhooks: Some(3),
        limits: vec![LimitUse {
            limit: Limit::JobsPerRef,
            key: "limits.jobs_per_ref",
            most: 10,
            used: 10,
            used_by: Some("group/app main".into()),
        }],
        config_error: Some(noted("line 3: unknown key")),
        web_file: Some(WebFileReport {
            path: "/etc/exporter/web.yml".into(),
            has_tls: true,
            has_users: false,
            error: None,
            certificate_expiry: time(NOW + 3 * 86_400 + 5),
        }),
        errors: vec![error("group/was", true), error("group/is", false)],
        ..SelfReport::default()
    }
}

#[tokio::test]
async fn what_is_wrong_comes_first_with_what_to_do() {
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", vec![job("unit", failing())])],
        report: troubled(),
        ..Daemon::default()
    };
    *daemon.waiting_for.lock().unwrap() = Some("12 of 40 projects read".into());
    let equip = |bound, service, telemetry: &job_failure_exporter::metrics::Telemetry| {
        telemetry.config_loaded(time(NOW - 600).unwrap());
        telemetry.config_refused();
        telemetry.token_scopes(&["read_user".to_owned()]);
        telemetry.token_expiry(time(NOW - 5 * 86_400));
        (bound, service)
    };
    let serving = Serving::start_with(daemon, Limits::default(), equip).await;
    let page = serving.text("/status").await;
    for part in [
        "<a href=\"/status\" aria-current=\"page\">Status</a>",
        "The state is not saved: S3 is away. 0 timelines wait",
        "The GitLab token has neither <code>read_api</code> nor <code>api</code>, but: read_user",
        "The GitLab token has ended 5 d ago (2023-11-09T23:13:20Z)",
        "Create another one and replace the content of <code>gitlab.token_file</code>",
        "The changed configuration was refused: line 3: unknown key",
        "The certificate of this server ends in 3 days",
        "GitLab limits requests: none is sent for 30 s",
        "The limit <code>jobs_per_ref</code> is reached by group/app main",
        "Raise <code>limits.jobs_per_ref</code>, or watch less.",
        "Not ready: 12 of 40 projects read",
        "… 12 of 40",
        "<progress max=\"40\" value=\"12\"",
        "2.5 a second",
        "<bdi>18.5.1-ee</bdi>",
        "<bdi>s3://bucket/prefix</bdi>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    let at = |text: &str| page.find(text).unwrap();
    assert!(at("✕ Critical") < at("! Warning") && at("! Warning") < at("<h2>Polling"));
    assert!(at("group/<wbr>is<") < at("group/<wbr>was<"));
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    let status: Value = serde_json::from_str(&serving.text("/api/v1/status").await).unwrap();
    assert_eq!(status["problems"][0]["severity"], "critical");
    assert_eq!(status["limits"][0]["reached"], true);
    assert_eq!(status["requests"]["paused_seconds"], 30.0);
    assert_eq!(status["store"]["error"]["timestamp_seconds"], NOW - 60);
    for path in ["/status?x=1", "/api/v1/status?x=1"] {
        assert_eq!(serving.get(path).await.status(), 400, "{path}");
    }
}

#[tokio::test]
async fn an_exporter_without_trouble_says_so() {
    let serving = Serving::start(Daemon::default(), Limits::default()).await;
    let page = serving.text("/status").await;
    assert!(page.contains("✓ No problem</span>"), "{page}");
    assert!(page.contains("No poll has failed since the start."));
}

/// The figures of the status that are metrics, with the metric of each.
const METRICS: [(&str, &str); 10] = [
    ("/exposed/timelines", "job_failure_exporter_timelines"),
    ("/exposed/jobs", "job_failure_exporter_jobs"),
    ("/exposed/series", "job_failure_exporter_series"),
    (
        "/store/unsaved_timelines",
        "job_failure_exporter_state_unsaved_timelines",
    ),
    (
        "/store/last_successful_save_timestamp_seconds",
        "job_failure_exporter_state_last_successful_save_timestamp_seconds",
    ),
    (
        "/store/documents_set_aside_total",
        "job_failure_exporter_state_documents_set_aside_total",
    ),
    (
        "/configuration_load/last_success_timestamp_seconds",
        "job_failure_exporter_config_last_load_success_timestamp_seconds",
    ),
    (
        "/gitlab/token_expiry_timestamp_seconds",
        "job_failure_exporter_gitlab_token_expiry_timestamp_seconds",
    ),
    (
        "/requests/budget_remaining",
        "job_failure_exporter_api_budget_remaining",
    ),
    (
        "/webhooks/received_total",
        "job_failure_exporter_webhook_events_total",
    ),
];

#[tokio::test]
async fn a_real_exporter_tells_its_state_without_secrets_and_as_its_metrics_do() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(10));
    let place = Place::new(
        gitlab.url(),
        "groups: [{path: acme}], projects: [acme/nowhere]",
    );
    place.configure_also(
        "limits: {jobs_per_ref: 3}\nwebhooks: {gitlab: {token_file: hook.token}}\n",
    );
    let secret = "hook-secret-0123456789-0123456789";
    std::fs::write(place.config().with_file_name("hook.token"), secret).unwrap();
    let daemon = place.start().await;
    daemon.is_ready().await;
    // Nobody has scraped yet.
    let (_, first) = daemon.get("/api/v1/status").await;
    let first: Value = serde_json::from_str(&first).unwrap();
    assert!(first["exposed"]["jobs"].as_u64().unwrap() > 0, "{first}");
    let status = until("a status that agrees with the metrics", async || {
        let (_, before) = daemon.get("/api/v1/status").await;
        let samples = daemon.scrape().await;
        let status: Value = serde_json::from_str(&before).unwrap();
        let differs = METRICS.iter().find_map(|(pointer, metric)| {
            let found = status.pointer(pointer).unwrap().as_f64();
            let is_known = !samples.of(metric, &[]).is_empty();
            let wanted = is_known.then(|| samples.sum(metric, &[]));
            (found != wanted).then(|| format!("{pointer}: {found:?}, not {wanted:?}"))
        });
        let is_known = status["gitlab"]["version"].is_string();
        let is_saved = status["store"]["last_successful_save_timestamp_seconds"].is_number();
        let differs = differs.or((!is_known || !is_saved).then(|| before.clone()));
        holds(differs.is_none(), differs.unwrap_or_default()).map(|()| status)
    })
    .await;
    assert_eq!(status["first_round"]["ended"], true);
    assert_eq!(status["webhooks"]["configured"], true);
    assert_eq!(status["circuit_breaker"]["state"], "closed");
    assert!(status["requests"]["last_minute"].as_u64().unwrap() > 0);
    let limits = status["limits"].as_array().unwrap();
    let of = |name: &str| limits.iter().find(|it| it["limit"] == name).unwrap();
    assert_eq!(
        (&of("jobs_per_ref")["used"], &of("jobs_per_ref")["reached"]),
        (&3.into(), &true.into())
    );
    assert!(of("listing_bytes")["used"].as_u64().unwrap() > 0);
    let error = &status["errors"][0];
    assert_eq!(
        (&error["project"], &error["over"]),
        (&"acme/nowhere".into(), &false.into())
    );
    let settings = status["configuration"].as_array().unwrap();
    let setting = |key: &str| settings.iter().find(|it| it["key"] == key).unwrap();
    assert_eq!(setting("limits.jobs_per_ref")["value"], "3");
    assert_eq!(setting("watch.groups[0].path")["value"], "acme");
    assert_eq!(setting("counting.window")["source"], "default");
    for path in ["/status", "/api/v1/status"] {
        let (_, text) = daemon.get(path).await;
        for secret in [DEFAULT_TOKEN, secret] {
            assert!(!text.contains(secret), "{path} shows a secret");
        }
    }
    daemon.stop().await;
}

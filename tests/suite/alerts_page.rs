//! The alerts of Prometheus and Alertmanager on the pages, by servers that answer as a test wants.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use job_failure_exporter::alerting::{Asker, Monitor, Servers};
use job_failure_exporter::http::{Limits, ProjectStatus};
use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;

use crate::alert_servers::{Answers, UNIT, filled, server};
use crate::http_serving::{Daemon, Serving};
use crate::list_pages::{documented, keys};
use crate::metrics_rows::{failing, job, timeline};
use crate::silence_link::{matchers, of_job};

async fn serving(prometheus: Option<String>, alertmanager: Option<String>) -> Serving {
    let url = |text: String| Url::parse(&text).unwrap().into();
    let servers = Servers::new(prometheus.map(url), alertmanager.map(url), Asker::Exporter);
    let monitor = Arc::new(Monitor::new(servers.unwrap()));
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", vec![job("unit", failing())])],
        projects: vec![ProjectStatus {
            path: "group/app".into(),
            ..ProjectStatus::default()
        }],
        ..Daemon::default()
    };
    Serving::start_with(daemon, Limits::default(), |bound, service, _| {
        (bound, service.with_monitor(monitor))
    })
    .await
}

async fn both(answers: &Arc<Answers>) -> Serving {
    let url = format!("http://{}/", server(answers.clone()).await);
    serving(Some(url.clone()), Some(url)).await
}

async fn json_at(serving: &Serving, path: &str) -> Value {
    serde_json::from_str(&serving.text(path).await).unwrap()
}

fn names(body: &Value) -> Vec<&str> {
    let alerts = body["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| alert["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_alerts_of_watched_things_are_listed_with_who_hears_of_them() {
    let serving = both(&Arc::new(filled())).await;
    let page = serving.text("/alerts").await;
    for part in [
        "<h1>Alerts</h1>",
        "1 to 5 of 5",
        "<a href=\"/jobs/group/app/-/main/-/unit\">",
        "<a href=\"/grid/group/app/-/main?track=\">",
        "<a href=\"/schedules?q=nightly\">",
        "<bdi>a:10141</bdi>",
        "<span class=\"badge\">– Silenced</span><small>until 2023-11-15 00:00 by <bdi>ann</bdi>",
        "– Inhibited</span><small>by <bdi>CIPipelineFailing</bdi> (<bdi>critical</bdi>) of <bdi>group/app</bdi>",
        "– Muted</span><small>by the time interval <bdi>nights</bdi>",
        "… Pending</span><small>fires <time datetime=\"2023-11-14T23:14:00Z\" title=\"2023-11-14T23:14:00Z\">in 40 s</time>",
        "<a href=\"https://runbooks.acme.net/x\">Runbook</a>",
        "<bdi>team-sre</bdi>",
        "<a href=\"/?team=sre\"><bdi>sre</bdi></a>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    for part in ["DiskFull", "group/other", "CIWatchdog", "<script>"] {
        assert!(!page.contains(part), "{part} in\n{page}");
    }
    let body = json_at(&serving, "/api/v1/alerts").await;
    let worst_first = [
        "CIPipelineFailing",
        "CIExporterDown",
        "CIJobFailingRepeatedly",
        "CIScheduleMissed",
        "CIJobFlaky",
    ];
    assert_eq!(names(&body), worst_first);
    let link = body["alerts"][2]["silence_url"].as_str().unwrap();
    assert_eq!(matchers(link), of_job(&UNIT()));
    for (query, wanted) in [
        (
            "?severity=critical",
            &["CIPipelineFailing", "CIExporterDown"][..],
        ),
        ("?state=pending", &["CIJobFlaky"]),
        ("?state=told", &["CIPipelineFailing"]),
        ("?state=silenced", &["CIJobFailingRepeatedly"]),
        ("?state=inhibited", &["CIScheduleMissed"]),
        ("?state=muted", &["CIExporterDown"]),
        ("?state=helper", &["CIWatchdog"]),
        ("?team=sre", &["CIJobFailingRepeatedly"]),
        ("?project=group/app&q=nightly", &["CIScheduleMissed"]),
        ("?project=group/ap", &[]),
        (
            "?sort=about&order=desc&limit=1&offset=4",
            &["CIExporterDown"],
        ),
    ] {
        let body = json_at(&serving, &format!("/api/v1/alerts{query}")).await;
        assert_eq!(names(&body), wanted, "{query}");
    }
    let documented = documented("/api/v1/alerts");
    assert_eq!(
        keys(&json_at(&serving, "/api/v1/alerts?state=silenced").await),
        keys(&documented)
    );
    let wrong = serving.text("/api/v1/alerts?severity=bad").await;
    assert!(
        wrong.contains("`severity` is `bad`, one of these is wanted: critical"),
        "{wrong}"
    );
    let wrong = serving.text("/api/v1/alerts?colour=red").await;
    assert!(
        wrong.contains("wanted q, state, sort, order, severity, team, project, limit, offset"),
        "{wrong}"
    );
}

#[tokio::test]
async fn many_readers_cost_one_request_to_each_address() {
    let answers = Arc::new(filled());
    let serving = Arc::new(both(&answers).await);
    let readers = (0..30).map(|_| {
        let serving = serving.clone();
        tokio::spawn(async move { serving.text("/alerts").await })
    });
    for reader in readers.collect::<Vec<_>>() {
        assert!(reader.await.unwrap().contains("1 to 5 of 5"));
    }
    // Rules, alerts and silences. A slow machine may ask again after five seconds.
    let asked = answers.asked.load(Ordering::Relaxed);
    assert!(asked.is_multiple_of(3) && asked < 12, "{asked}");
}

#[tokio::test]
async fn a_server_that_does_not_tell_is_named_and_the_other_is_shown() {
    let answers = Arc::new(filled());
    *answers.rules.lock().unwrap() = Value::Null;
    let serving = both(&answers).await;
    let page = serving.text("/alerts").await;
    for part in [
        "<b>Prometheus does not tell which alerts are pending or fire.</b>",
        "answered 503 Service Unavailable: overloaded; look into its log.",
        "1 to 4 of 4",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    let body = json_at(&serving, "/api/v1/alerts").await;
    assert!(
        body["prometheus"]["error"]
            .as_str()
            .unwrap()
            .contains("503")
    );
    assert_eq!(body["alertmanager"]["error"], Value::Null);
    // A server that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let page = self::serving(Some(url), None).await.text("/alerts").await;
    for part in [
        "does not answer: no answer within 2 s; check that it runs, and <code>prometheus.url</code>",
        "<b>Alertmanager is not configured.</b> Set <code>alertmanager.url</code>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
}

#[tokio::test]
async fn without_the_servers_the_pages_say_what_to_set() {
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", vec![job("unit", failing())])],
        ..Daemon::default()
    };
    let serving = Serving::start(daemon, Limits::default()).await;
    for path in ["/alerts", "/jobs/group/app/-/main/-/unit"] {
        let page = serving.text(path).await;
        for key in [
            "<code>prometheus.url</code>",
            "<code>alertmanager.url</code>",
        ] {
            assert!(page.contains(key), "{path}: {key} not in\n{page}");
        }
    }
    let body = json_at(&serving, "/api/v1/alerts").await;
    assert_eq!(
        (&body["prometheus"], &body["matching"]),
        (&Value::Null, &0.into())
    );
    let page = serving.text("/remediation").await;
    assert!(
        page.contains("<b>Remediation is off.</b> Set <code>remediation.mode</code>"),
        "{page}"
    );
    assert_eq!(
        json_at(&serving, "/api/v1/remediation").await["mode"],
        "off"
    );
}

#[tokio::test]
async fn the_page_of_a_job_has_its_alerts_thresholds_commit_and_durations() {
    let serving = both(&Arc::new(filled())).await;
    let page = serving.text("/jobs/group/app/-/main/-/unit").await;
    for part in [
        "<a href=\"https://runbooks.acme.net/x\"><bdi>CIJobFailingRepeatedly</bdi></a>",
        "– Silenced</span>",
        "data-label=\"Fires at\">10</td><td data-label=\"Level\">job</td><td data-label=\"Now\">3 failures in a row</td>",
        "2 h<br>10</td><td data-label=\"Level\">team<br>job</td>",
        "data-label=\"Level\">project</td><td data-label=\"Now\">1 passed only on a retry</td><td class=\"states\" data-label=\"Would fire\">never: switched off</td>",
        "Silence all alerts on this job</a>",
        "<svg role=\"img\" aria-labelledby=\"durations durations-summary\"",
        "First failing: “<bdi>Raise the limit</bdi>” by <b><bdi>ada</bdi></b>",
        "<td data-label=\"Took\">10 s</td>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    let body = json_at(
        &serving,
        "/api/v1/job?project=group/app&ref=main&job_name=unit",
    )
    .await;
    let link = body["alerting"]["silence_url"].as_str().unwrap();
    assert!(
        link.starts_with("https://am.acme.net/x/#/silences/new?filter="),
        "{link}"
    );
    assert_eq!(matchers(link), of_job(&UNIT()));
    let alerting = &body["alerting"];
    assert_eq!(
        alerting["alerts"][0]["delivery"]["silences"][0]["author"],
        "ann"
    );
    assert_eq!(
        alerting["checks"][0]["would_fire_at_timestamp_seconds"],
        Value::Null
    );
    assert_eq!(body["failing"]["first_failing_author"], "ada");
    assert_eq!(keys(&body), keys(&documented("/api/v1/job")), "{body:#}");
    for (query, status, said) in [
        ("?project=group/app&ref=main", 400, "`job_name` is missing"),
        ("?colour=red", 400, "wanted project, ref, track, job_name"),
        (
            "?project=group/app&ref=main&job_name=unti",
            404,
            "no job `unti`",
        ),
    ] {
        let answer = serving.get(&format!("/api/v1/job{query}")).await;
        assert_eq!(answer.status(), status, "{query}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(said), "{text}");
    }
}

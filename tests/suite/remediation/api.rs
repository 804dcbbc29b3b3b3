//! `PUT /api/v1/retry` and who may send it.

use gitlab_simulator::{ActionKind, JobPlan};
use serde_json::{Value, json};
use testkit::client;
use testkit::daemon::minutes;

use super::stage::{OPS, RULES, SHOP, Stage, broken_runner, flaky_runner};

/// Without rules: only requests act.
const NO_RULES: &str = "limits: {younger_than: 6h}";
const RETRY: &str = "/api/v1/retry";

fn named(job: &str) -> Value {
    json!({"jobs": [{"project": SHOP, "ref": "main", "job_name": job}]})
}

/// Two jobs that their runner failed, known to the exporter, and their pipeline.
async fn failing(mode: &str) -> (Stage, u64) {
    let stage = Stage::new(mode, NO_RULES).await;
    let pipeline = stage.ended([flaky_runner("lint"), flaky_runner("unit")]);
    stage.decides("unit", "no_rule", "").await;
    stage.decides("lint", "no_rule", "").await;
    (stage, pipeline)
}

#[tokio::test]
async fn a_job_is_asked_for_by_its_names_its_id_or_its_pipeline() {
    let (stage, pipeline) = failing("act").await;
    let id = stage.job(pipeline, "unit").id;
    for (body, total) in [
        (named("unit"), 1),
        (json!({"job_ids": [id]}), 1),
        (json!({"pipelines": [pipeline]}), 2),
        (
            json!({"pipelines": [pipeline], "job_ids": [id], "jobs": named("unit")["jobs"]}),
            2,
        ),
    ] {
        let (status, answer) = stage.ask("PUT", "/api/v1/retry?dry_run=true", &body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["total"], 0);
        assert_eq!(answer["would"].as_array().unwrap().len(), total, "{answer}");
    }
    assert_eq!(stage.retries(), 0);
    let (_, answer) = stage
        .ask("PUT", RETRY, &json!({"pipelines": [pipeline]}))
        .await;
    assert_eq!(answer["total"], 2, "{answer}");
    // Known as done, or running again by now.
    let (_, answer) = stage.ask("PUT", RETRY, &named("unit")).await;
    assert_eq!(answer["total"], 0, "{answer}");
    stage.results_in_time(&["recovered", "recovered"]).await;
    let (_, answer) = stage.ask("PUT", RETRY, &named("unit")).await;
    assert_eq!(answer["refused"][0]["reason"], "no_failure");
    assert_eq!(stage.retries(), 2);
}

#[tokio::test]
async fn a_restart_starts_one_pipeline_for_all() {
    let (stage, pipeline) = failing("act").await;
    let body = json!({"pipelines": [pipeline]});
    let (status, answer) = stage.ask("PUT", "/api/v1/retry?type=restart", &body).await;
    assert_eq!((status, &answer["total"]), (200, &json!(1)), "{answer}");
    assert_eq!(answer["refused"][0]["reason"], "newer_pipeline");
    assert_eq!(stage.done(), [(ActionKind::CreatePipeline, None)]);
    stage.results_in_time(&["recovered"]).await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_the_reason() {
    let (stage, _) = failing("act").await;
    let many: Vec<u64> = (0..1001).collect();
    for (path, body, words) in [
        (RETRY, json!({}), "found no job"),
        (RETRY, json!("unit"), "the body is not what is wanted"),
        (RETRY, json!({"job": []}), "unknown field"),
        (RETRY, json!({"jobs": [{"project": SHOP}]}), "job_name"),
        (RETRY, json!({"job_ids": many}), "wanted at most 1000"),
        (
            RETRY,
            json!({"job_ids": [-1]}),
            "the body is not what is wanted",
        ),
        (
            "/api/v1/retry?type=play",
            named("unit"),
            "wanted `recover` or `restart`",
        ),
        (
            "/api/v1/retry?dry_run=yes",
            named("unit"),
            "wanted `true` or `false`",
        ),
        (
            "/api/v1/retry?typ=recover",
            named("unit"),
            "wanted type and dry_run",
        ),
    ] {
        let (status, answer) = stage.ask("PUT", path, &body).await;
        assert_eq!(status, 400, "{answer}");
        let text = answer["error"].as_str().unwrap();
        assert!(text.contains(words), "{text}");
    }
    for job in [
        named("no-such-job"),
        json!({"job_ids": [1]}),
        json!({"pipelines": [1]}),
    ] {
        let (status, answer) = stage.ask("PUT", RETRY, &job).await;
        assert_eq!((status, &answer["total"]), (200, &json!(0)));
        assert_eq!(answer["refused"][0]["reason"], "no_failure", "{answer}");
    }
    let large = json!({"jobs": [{"project": "a".repeat(1 << 20), "job_name": "unit"}]});
    assert_eq!(stage.ask("PUT", RETRY, &large).await.0, 413);
    assert_eq!(stage.ask("POST", RETRY, &named("unit")).await.0, 405);
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn only_callers_may_ask_and_no_page_of_another_site_in_their_name() {
    let (stage, _) = failing("act").await;
    for secret in [None, Some("wrong"), Some("glpat-bot")] {
        let (status, _) = stage.ask_as(secret, "PUT", RETRY, &named("unit")).await;
        assert_eq!(status, 401);
    }
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = client().put(stage.url(RETRY)).basic_auth("ops", Some(OPS));
        let answer = request.header(name, value).body(named("unit").to_string());
        assert_eq!(
            answer.send().await.unwrap().status(),
            403,
            "{name}: {value}"
        );
    }
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn without_callers_or_with_remediation_off_there_is_nothing_to_ask() {
    for (from, to) in [
        ("callers: [{name: ops, token_file: ops-token}], ", ""),
        ("mode: act", "mode: \"off\""),
    ] {
        let stage = Stage::without_daemon("act", NO_RULES).await;
        stage.place.reconfigure(from, to);
        stage.start().await;
        for (method, path) in [
            ("PUT", RETRY),
            ("POST", "/hooks/alertmanager"),
            ("POST", "/api/v1/circuits/reset"),
            ("POST", "/api/v1/remediations/halt"),
            ("POST", "/actions/retry"),
        ] {
            let (status, answer) = stage.ask(method, path, &named("unit")).await;
            assert_eq!(status, 404, "{path}: {answer}");
            assert!(answer.to_string().contains("remediation"), "{answer}");
        }
        assert!(stage.record().await["actions"].is_array());
    }
}

#[tokio::test]
async fn in_the_mode_report_a_request_changes_nothing() {
    let (stage, _) = failing("report").await;
    let (status, answer) = stage.ask("PUT", RETRY, &named("unit")).await;
    assert_eq!(
        (status, &answer["total"], &answer["mode"]),
        (200, &json!(0), &json!("report"))
    );
    assert_eq!(answer["would"][0]["job"], "unit");
    stage.stays(&[]).await;
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn a_person_is_bound_by_the_guard_as_rules_are() {
    let stage = Stage::new("act", &format!("circuit: {{failures: 1}}, {RULES}")).await;
    stage.ended([broken_runner("unit")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    let (_, answer) = stage.ask("PUT", RETRY, &named("unit")).await;
    assert_eq!(answer["refused"][0]["reason"], "circuit_open");
    let (stage, _) = failing("act").await;
    stage.gitlab.advance(minutes(1));
    stage.ended([flaky_runner("deploy")]);
    stage.decides("deploy", "no_rule", "").await;
    let (_, answer) = stage.ask("PUT", RETRY, &named("deploy")).await;
    assert_eq!(answer["refused"][0]["reason"], "deployment");
    let (_, answer) = stage.ask("PUT", RETRY, &named("unit")).await;
    assert_eq!(answer["refused"][0]["reason"], "newer_pipeline");
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn the_record_is_listed_by_project_and_counted() {
    let (stage, _) = failing("act").await;
    stage.ask("PUT", RETRY, &named("unit")).await;
    stage.results_in_time(&["recovered"]).await;
    let labels = [
        ("action", "recover"),
        ("rule", "manual"),
        ("result", "started"),
    ];
    let name = "job_failure_exporter_remediation_actions_total";
    stage.shows(name, &labels, 1.0).await;
    let name = "job_failure_exporter_remediation_recovered_total";
    stage.shows(name, &[("rule", "manual")], 1.0).await;
    for (project, count) in [(SHOP, 1), ("acme/other", 0)] {
        let path = format!("/api/v1/remediations?project={project}");
        let listed: Value = serde_json::from_str(&stage.get(&path).await).unwrap();
        assert_eq!(listed["actions"].as_array().unwrap().len(), count);
    }
    let passes = JobPlan::passes("unit");
    stage.ended([passes]);
}

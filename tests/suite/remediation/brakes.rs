//! What stops or bounds actions: outages, limits, circuits, operators.

use std::time::Duration;

use gitlab_simulator::JobPlan;
use serde_json::json;
use testkit::daemon::{holds, until};

use super::stage::{RULES, SHOP, Stage, broken_runner, flaky_runner};

const HALT: &str = "/api/v1/remediations/halt";
const RESET: &str = "/api/v1/circuits/reset";
const OPEN: &str = "job_retry_circuit_open";

/// A rule with one quick try, so that a failure is told from the next by its pipeline.
const ONCE: &str = "rules: [{name: once, match: {failure_classes: [infrastructure]}, action: recover, delays: [10s]}]";

fn jobs(failing: usize, name: impl Fn(usize) -> String) -> Vec<JobPlan> {
    let job = |index| {
        if index < failing {
            flaky_runner(&name(index))
        } else {
            JobPlan::passes(name(index))
        }
    };
    (0..20).map(job).collect()
}

#[tokio::test]
async fn nothing_is_retried_into_an_outage_and_after_it_all_comes_back() {
    let stage = Stage::new("act", "limits: {per_project_per_hour: 30}, rules: [{name: r, match: {failure_classes: [infrastructure]}, action: recover, delays: [10s]}]").await;
    let name = |index| format!("job-{index:02}");
    stage.ended(jobs(12, name));
    stage.decides("job-00", "wait", "outage").await;
    stage.is_paused("outage", 1.0).await;
    stage.gitlab.advance(Duration::from_mins(10));
    stage.decides("job-11", "wait", "outage").await;
    assert_eq!(stage.sent(), 0);
    // Nothing has run in the last hour.
    stage.gitlab.advance(Duration::from_mins(50));
    stage.results_in_time(&["recovered"; 12]).await;
    stage.is_paused("outage", 0.0).await;
    assert_eq!(stage.retries(), 12);
}

#[tokio::test]
async fn the_limits_of_an_hour_put_actions_off() {
    for (limit, reason) in [
        ("per_project_per_hour", "project_limit"),
        ("actions_per_hour", "hourly_limit"),
    ] {
        let stage = Stage::new("act", &format!("limits: {{{limit}: 1}}, {RULES}")).await;
        stage.ended([flaky_runner("lint"), flaky_runner("unit")]);
        stage.decides("unit", "wait", reason).await;
        stage.results_in_time(&["recovered"]).await;
        assert_eq!(stage.sent(), 1);
        stage.gitlab.advance(Duration::from_hours(1));
        stage.results_in_time(&["recovered", "recovered"]).await;
        assert_eq!(stage.sent(), 2);
    }
}

#[tokio::test]
async fn the_limit_of_a_pipeline_is_final() {
    let stage = Stage::new("act", &format!("limits: {{per_pipeline: 1}}, {RULES}")).await;
    stage.ended([flaky_runner("lint"), flaky_runner("unit")]);
    stage.decides("unit", "refuse", "pipeline_limit").await;
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.sent(), 1);
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_given_up_until_an_operator_or_a_pass_closes_its_circuit() {
    let stage = Stage::new("act", &format!("circuit: {{failures: 2}}, {ONCE}")).await;
    let labels = [("project", SHOP), ("ref", "main"), ("job_name", "unit")];
    stage.ended([broken_runner("unit")]);
    stage.results_in_time(&["failed_again"]).await;
    stage.ended([broken_runner("unit")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    stage.shows(OPEN, &labels, 1.0).await;
    assert_eq!(stage.retries(), 1);

    let job = json!({"project": SHOP, "ref": "main", "job_name": "unit"});
    let (status, answer) = stage.ask("POST", RESET, &job).await;
    assert_eq!((status, &answer["was_open"]), (200, &json!(true)));
    stage
        .results_in_time(&["failed_again", "failed_again"])
        .await;
    assert_eq!(stage.retries(), 2);

    stage.ended([broken_runner("unit")]);
    stage.results_in_time(&["failed_again"; 3]).await;
    stage.ended([broken_runner("unit")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    stage.shows(OPEN, &labels, 1.0).await;
    stage.ended([JobPlan::passes("unit")]);
    until("a closed circuit", async || {
        let record = stage.record().await;
        holds(record["circuits"] == json!([]), record)
    })
    .await;
    stage.ended([flaky_runner("unit")]);
    let all = ["failed_again", "failed_again", "failed_again", "recovered"];
    stage.results_in_time(&all).await;
}

#[tokio::test]
async fn a_circuit_that_only_an_operator_closes_stays_open_although_the_job_passes() {
    let circuit = "circuit: {failures: 1, reset: manual}";
    let stage = Stage::new("act", &format!("{circuit}, {ONCE}")).await;
    let labels = [("project", SHOP), ("ref", "main"), ("job_name", "unit")];
    stage.ended([broken_runner("unit")]);
    stage.shows(OPEN, &labels, 1.0).await;
    stage.ended([JobPlan::passes("unit")]);
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn an_operator_stops_everything_and_lets_it_go_on() {
    let stage = Stage::new("act", RULES).await;
    let (status, _) = stage.ask("POST", HALT, &json!({"halted": true})).await;
    assert_eq!(status, 200);
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "wait", "halted").await;
    stage.is_paused("halted", 1.0).await;
    // It holds over a restart.
    stage.stop().await;
    stage.start().await;
    stage.decides("unit", "wait", "halted").await;
    assert_eq!(stage.record().await["halted"]["by"], "ops");
    assert_eq!(stage.sent(), 0);
    let (status, _) = stage.ask("POST", HALT, &json!({"halted": false})).await;
    assert_eq!(status, 200);
    stage.results_in_time(&["recovered"]).await;
    stage.is_paused("halted", 0.0).await;
}

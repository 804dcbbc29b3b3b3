//! What rules do, and what the guard forbids them.

use gitlab_simulator::{CiStatus, JobPlan};
use testkit::daemon::minutes;

use super::stage::{RULES, Stage, broken_runner, flaky_runner};

#[tokio::test]
async fn a_job_that_its_runner_failed_is_retried_once_and_recovers() {
    let stage = Stage::new("act", RULES).await;
    let pipeline = stage.ended([JobPlan::passes("lint"), flaky_runner("unit")]);
    stage.results(&["started"]).await;
    stage.gitlab.advance(minutes(2));
    stage.results(&["recovered"]).await;
    assert_eq!(stage.status(pipeline, "unit"), CiStatus::Success);
    assert_eq!(stage.retries(), 1);
    assert_eq!(stage.job(pipeline, "unit").user, stage.bot);
}

#[tokio::test]
async fn a_rule_gives_up_after_its_last_delay() {
    let stage = Stage::new("act", RULES).await;
    let pipeline = stage.ended([broken_runner("unit")]);
    for tries in 1..=3 {
        let mut wanted = vec!["failed_again"; tries - 1];
        wanted.push("started");
        stage.results(&wanted).await;
        stage.gitlab.advance(minutes(2));
    }
    stage.results(&["failed_again"; 3]).await;
    stage.decides("unit", "refuse", "tries_used_up").await;
    assert_eq!(stage.retries(), 3);
    assert_eq!(stage.status(pipeline, "unit"), CiStatus::Failed);
}

#[tokio::test]
async fn a_failure_that_no_rule_matches_is_left_alone() {
    let stage = Stage::new("act", RULES).await;
    stage.ended([JobPlan::fails("unit")]);
    stage.decides("unit", "no_rule", "").await;
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn the_mode_report_decides_and_changes_nothing() {
    let stage = Stage::new("report", RULES).await;
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "would_act", "report_only").await;
    assert_eq!(stage.retries(), 0);
}

//! What GitLab refuses, and what comes of it.

use std::time::Duration;

use gitlab_simulator::{Fault, Faults, Role, Scope};
use serde_json::json;
use testkit::daemon::minutes;

use super::stage::{BOT, RULES, Stage, broken_runner, flaky_runner};

const HALT: &str = "/api/v1/remediations/halt";

/// The bot may run jobs, but not on the protected branch.
async fn developer_on_a_protected_branch() -> Stage {
    let stage = Stage::without_daemon("act", RULES).await;
    stage.with(|world| {
        world.set_role(stage.bot, stage.project, Some(Role::Developer));
        world.protect_ref(stage.project, "main", Role::Maintainer);
    });
    stage.start().await;
    stage
}

#[tokio::test]
async fn missing_rights_stop_the_project_for_hours_and_are_told_once() {
    let stage = developer_on_a_protected_branch().await;
    stage.ended([flaky_runner("unit"), flaky_runner("lint")]);
    stage.results(&["refused"]).await;
    stage.is_paused("no_rights", 1.0).await;
    stage.gitlab.advance(minutes(1));
    stage.ended([broken_runner("unit"), broken_runner("lint")]);
    stage.decides("unit", "refuse", "no_rights").await;
    stage.decides("lint", "refuse", "no_rights").await;
    assert_eq!((stage.sent(), stage.retries()), (1, 0));
    let told = stage.log();
    assert_eq!(
        told.matches("may merge into the protected branch").count(),
        1
    );
    stage.gitlab.advance(Duration::from_hours(6));
    stage.is_paused("no_rights", 0.0).await;
}

#[tokio::test]
async fn an_operator_who_granted_the_rights_lets_it_go_on() {
    let stage = developer_on_a_protected_branch().await;
    stage.ended([flaky_runner("unit")]);
    stage.is_paused("no_rights", 1.0).await;
    stage.with(|world| world.allow_on_ref(stage.project, "main", stage.bot));
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "refuse", "no_rights").await;
    let (status, _) = stage.ask("POST", HALT, &json!({"halted": false})).await;
    assert_eq!(status, 200);
    stage.is_paused("no_rights", 0.0).await;
    stage.results_in_time(&["refused", "recovered"]).await;
}

#[tokio::test]
async fn a_token_that_may_only_read_is_told() {
    let stage = Stage::without_daemon("act", RULES).await;
    stage.with(|world| world.add_token(BOT, stage.bot, &[Scope::ReadApi]));
    stage.start().await;
    stage.ended([flaky_runner("unit")]);
    stage.results(&["refused"]).await;
    stage.is_paused("no_rights", 1.0).await;
    let answer = stage.record().await["actions"][0]["answer"].to_string();
    assert!(answer.contains("it needs scope `api`"), "{answer}");
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn a_token_that_was_revoked_pauses_everything_until_there_is_another() {
    let stage = Stage::new("act", RULES).await;
    stage.with(|world| world.revoke_token(BOT));
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "refuse", "no_rights").await;
    stage.is_paused("no_rights", 1.0).await;
    stage.with(|world| world.add_token(BOT, stage.bot, &[Scope::Api]));
    stage.results_in_time(&["recovered"]).await;
    stage.is_paused("no_rights", 0.0).await;
}

#[tokio::test]
async fn a_project_that_the_tokens_user_is_no_member_of_lacks_rights_and_no_job() {
    let stage = Stage::without_daemon("act", RULES).await;
    // GitLab does not find what it hides.
    stage.with(|world| world.set_role(stage.bot, stage.project, None));
    stage.start().await;
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "refuse", "no_rights").await;
    stage.is_paused("no_rights", 1.0).await;
    assert_eq!(stage.sent(), 0);
    let told = stage.log();
    assert_eq!(told.matches("make the token's user a member").count(), 1);
    stage.with(|world| world.set_role(stage.bot, stage.project, Some(Role::Maintainer)));
    stage.results_in_time(&["recovered"]).await;
    stage.is_paused("no_rights", 0.0).await;
}

#[tokio::test]
async fn somebody_who_was_faster_is_no_trouble() {
    let stage = Stage::new("act", RULES).await;
    let before = Duration::from_secs(2);
    stage
        .gitlab
        .faults(|faults| faults.writes.delay_before = before);
    let pipeline = stage.ended([flaky_runner("unit")]);
    stage.results(&["intended"]).await;
    let job = stage.job(pipeline, "unit").id;
    stage.with(|world| world.retry_job(job).unwrap());
    stage.results(&["refused"]).await;
    let record = stage.record().await;
    let answer = record["actions"][0]["answer"].as_str().unwrap().to_owned();
    assert!(answer.contains("Job is not retryable"), "{answer}");
    assert_eq!(stage.retries(), 0);
    stage.is_paused("no_rights", 0.0).await;
}

#[tokio::test]
async fn an_archived_job_is_left_alone() {
    let stage = Stage::without_daemon("act", RULES).await;
    let pipeline = stage.ended([flaky_runner("unit")]);
    let job = stage.job(pipeline, "unit").id;
    stage.with(|world| world.archive_job(job));
    stage.start().await;
    stage.decides("unit", "refuse", "archived").await;
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn what_a_lagging_replica_of_gitlab_does_not_have_yet_is_looked_at_again() {
    let stage = Stage::new("act", RULES).await;
    let pipeline = stage.ended([flaky_runner("lint")]);
    stage.results(&["started"]).await;
    let next = stage.job(pipeline, "lint").id + 1;
    let missing = |faults: &mut Faults| {
        faults.inject_at(&format!("/jobs/{next}"), Fault::NotYetThere);
    };
    stage.gitlab.faults(missing);
    let unit = stage.ended([flaky_runner("unit")]);
    assert_eq!(stage.job(unit, "unit").id, next);
    stage.decides("unit", "refuse", "gone").await;
    stage.results_in_time(&["recovered", "recovered"]).await;
}

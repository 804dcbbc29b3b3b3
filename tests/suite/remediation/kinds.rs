//! The other actions: play, restart, and what rules match besides classes.

use gitlab_simulator::{ActionKind, CiStatus, JobPlan};

use super::stage::{Stage, broken_runner, flaky_runner};

const PLAY: &str = "rules: [{name: mirror-down, match: {jobs: [publish]}, action: play, \
                    play: publish-from-mirror, delays: [10s]}]";

const RESTART: &str =
    "rules: [{name: again, match: {jobs: [unit]}, action: restart, delays: [10s, 10s]}]";

#[tokio::test]
async fn a_fallback_is_played_wherever_it_stands_in_the_pipeline() {
    let fallback = || JobPlan::passes("publish-from-mirror").manual();
    for jobs in [
        [fallback(), JobPlan::fails("publish")],
        [JobPlan::fails("publish"), fallback()],
    ] {
        let stage = Stage::new("act", PLAY).await;
        let pipeline = stage.ended(jobs);
        stage.results_in_time(&["recovered"]).await;
        let played = stage.status(pipeline, "publish-from-mirror");
        assert_eq!(played, CiStatus::Success);
        assert_eq!(stage.done()[0].0, ActionKind::PlayJob);
    }
}

#[tokio::test]
async fn a_fallback_that_is_missing_or_deploys_is_not_played() {
    let stage = Stage::new("act", PLAY).await;
    stage.ended([JobPlan::fails("publish")]);
    stage.decides("publish", "refuse", "nothing_to_play").await;
    let deploys = JobPlan::passes("publish-from-mirror").manual();
    stage.ended([JobPlan::fails("publish"), deploys.in_stage("production")]);
    // It is skipped behind the failure, so that it does not wait.
    stage.decides("publish", "refuse", "nothing_to_play").await;
    let deploys = JobPlan::passes("publish-from-mirror").manual();
    let deploys = deploys.in_stage("production").needing([]);
    stage.ended([JobPlan::fails("publish"), deploys]);
    stage.decides("publish", "refuse", "deployment").await;
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn a_restart_is_a_new_pipeline_that_recovers_the_job() {
    let stage = Stage::new("act", RESTART).await;
    stage.ended([flaky_runner("unit")]);
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.done()[0].0, ActionKind::CreatePipeline);
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn the_tries_of_restarts_are_counted_over_the_pipelines_that_they_started() {
    let stage = Stage::new("act", RESTART).await;
    stage.ended([broken_runner("unit")]);
    stage
        .results_in_time(&["failed_again", "failed_again"])
        .await;
    stage.decides("unit", "refuse", "tries_used_up").await;
    assert_eq!(stage.retries(), 2);
}

#[tokio::test]
async fn a_pipeline_that_deploys_is_not_started_anew() {
    let stage = Stage::new("act", RESTART).await;
    let deploy = JobPlan::passes("deploy").in_stage("ship");
    stage.ended([flaky_runner("unit"), deploy]);
    stage.decides("unit", "refuse", "revives_deployment").await;
    assert_eq!(stage.retries(), 0);
}

#[tokio::test]
async fn too_many_pipelines_in_a_minute_put_a_restart_off() {
    let stage = Stage::new("act", RESTART).await;
    stage.with(|world| world.settings_mut().pipelines_per_minute = Some(0));
    stage.ended([flaky_runner("unit")]);
    stage.results(&["not_done"]).await;
    stage.with(|world| world.settings_mut().pipelines_per_minute = None);
    stage.results_in_time(&["not_done", "recovered"]).await;
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn a_rule_matches_what_a_rule_for_logs_has_found() {
    let rules = "rules: [{name: network, match: {log_rules: [connection-reset]}, action: recover, delays: [10s]}]";
    let stage = Stage::without_daemon("act", rules).await;
    let log_rules = "{name: connection-reset, match: 'reset by peer', class: infrastructure}";
    stage.place.reconfigure(
        "classification: {read_logs: false}",
        &format!("classification: {{rules: [{log_rules}]}}"),
    );
    stage.start().await;
    let passes = || JobPlan::passes("").ending(0);
    let fails = || JobPlan::fails("").ending(0);
    let job = |name: &str| JobPlan::new(name, [fails(), passes()]);
    let plan = gitlab_simulator::PipelinePlan::new([job("unit"), job("lint")]);
    let pipeline = stage.with(|world| {
        let pipeline = world.push_pipeline(stage.project, plan);
        let unit = world.latest(pipeline, "unit").unwrap().id;
        world.set_log(unit, "fetching\nread: connection reset by peer\n");
        pipeline
    });
    stage.gitlab.advance(testkit::daemon::minutes(2));
    stage.decides("lint", "no_rule", "").await;
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.status(pipeline, "unit"), CiStatus::Success);
    assert_eq!(stage.status(pipeline, "lint"), CiStatus::Failed);
}

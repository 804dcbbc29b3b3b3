//! Answers of GitLab that are lost, late or no answers: nothing is sent twice.

use std::time::Duration;

use gitlab_simulator::{Fault, Faults, JobPlan};
use testkit::daemon::{holds, minutes, until};

use super::stage::{RULES, Stage, broken_runner, flaky_runner};

#[tokio::test]
async fn a_retry_whose_answer_is_lost_is_found_in_the_listing_and_not_sent_again() {
    for fault in [Fault::AnswerLost, Fault::Reset, Fault::TruncatedBody] {
        let stage = Stage::new("act", RULES).await;
        stage
            .gitlab
            .faults(|faults| faults.inject_at("/retry", fault));
        stage.ended([flaky_runner("unit")]);
        stage.results(&["intended"]).await;
        stage.results_in_time(&["recovered"]).await;
        assert_eq!((stage.sent(), stage.retries()), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn after_a_lost_answer_the_job_that_fails_again_gets_its_next_try() {
    let stage = Stage::new("act", RULES).await;
    stage
        .gitlab
        .faults(|faults| faults.inject_at("/retry", Fault::AnswerLost));
    stage.ended([broken_runner("unit")]);
    stage.results_in_time(&["failed_again"; 3]).await;
    assert_eq!((stage.sent(), stage.retries()), (3, 3));
    assert_eq!(stage.gitlab.retried_twice(), []);
}

#[tokio::test]
async fn a_retry_that_never_reached_gitlab_is_sent_again_after_it_cannot_arrive_any_more() {
    let stage = Stage::new("act", RULES).await;
    stage
        .gitlab
        .faults(|faults| faults.inject_at("/retry", Fault::BadGateway));
    stage.ended([flaky_runner("unit")]);
    stage.results(&["intended"]).await;
    stage.gitlab.advance(minutes(1));
    stage.stays(&["intended"]).await;
    stage.results_in_time(&["not_done", "recovered"]).await;
    assert_eq!((stage.sent(), stage.retries()), (2, 1));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_none() {
    for (before, after) in [(3, 0), (0, 3)] {
        let stage = Stage::without_daemon("act", RULES).await;
        stage.place.reconfigure("timeout: 5s", "timeout: 1s");
        stage.start().await;
        stage.gitlab.faults(|faults| {
            faults.writes.delay_before = Duration::from_secs(before);
            faults.writes.delay_after = Duration::from_secs(after);
        });
        stage.ended([flaky_runner("unit")]);
        stage.results(&["intended"]).await;
        until("what GitLab does late", async || {
            holds(stage.retries() == 1, "nothing")
        })
        .await;
        stage.results_in_time(&["recovered"]).await;
        assert_eq!((stage.sent(), stage.retries()), (1, 1));
    }
}

#[tokio::test]
async fn while_an_action_is_unclear_the_others_of_its_project_wait() {
    let stage = Stage::new("act", RULES).await;
    stage
        .gitlab
        .faults(|faults| faults.inject_at("/retry", Fault::Reset));
    stage.ended([flaky_runner("lint"), flaky_runner("unit")]);
    stage.decides("unit", "wait", "busy").await;
    stage.results_in_time(&["recovered", "recovered"]).await;
    assert_eq!(stage.retries(), 2);
}

#[tokio::test]
async fn a_limit_of_gitlab_puts_an_action_off() {
    let stage = Stage::new("act", RULES).await;
    stage
        .gitlab
        .faults(|faults| faults.inject_at("/retry", Fault::TooManyRequestsBare));
    stage.ended([flaky_runner("unit")]);
    stage.results(&["not_done"]).await;
    stage.results_in_time(&["not_done", "recovered"]).await;
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn an_exporter_that_is_killed_after_it_acted_does_not_act_again() {
    let stage = Stage::new("act", RULES).await;
    stage.gitlab.faults(|faults| {
        faults.writes.delay_after = Duration::from_mins(1);
    });
    stage.ended([flaky_runner("unit")]);
    until("the retry", async || {
        holds(stage.retries() == 1, stage.log())
    })
    .await;
    let daemon = stage.daemon.lock().unwrap().take();
    daemon.expect("a daemon").kill().await;
    stage
        .gitlab
        .faults(|faults| faults.writes.delay_after = Duration::ZERO);
    stage.start().await;
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn a_new_pipeline_and_a_played_job_are_found_after_a_lost_answer_too() {
    let again =
        "rules: [{name: again, match: {jobs: [unit]}, action: restart, delays: [10s, 10s]}]";
    let stage = Stage::new("act", again).await;
    let lose = |at: &str| {
        let inject = |faults: &mut Faults| faults.inject_at(at, Fault::Reset);
        stage.gitlab.faults(inject);
    };
    lose("/pipeline");
    stage.ended([flaky_runner("unit")]);
    stage.results(&["intended"]).await;
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.retries(), 1);

    let play = "rules: [{name: mirror, match: {jobs: [unit]}, action: play, play: mirror, delays: [10s, 10s]}]";
    let stage = Stage::new("act", play).await;
    let inject = |faults: &mut Faults| faults.inject_at("/play", Fault::AnswerLost);
    stage.gitlab.faults(inject);
    stage.ended([JobPlan::fails("unit"), JobPlan::passes("mirror").manual()]);
    stage.results(&["intended"]).await;
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn an_attempt_that_gitlab_drops_at_once_is_a_failed_try() {
    let stage = Stage::new("act", RULES).await;
    let reason = "runner_system_failure".to_owned();
    stage.with(|world| world.project_mut(stage.project).unwrap().drop_reason = Some(reason));
    stage.ended([flaky_runner("unit")]);
    stage.results_in_time(&["failed_again"; 3]).await;
    stage.decides("unit", "refuse", "tries_used_up").await;
    assert_eq!(stage.retries(), 3);
}

//! Lost and slow answers, simultaneous retries, and what becomes of retried executions.

use std::time::Duration;

use gitlab_simulator::{CiStatus, Ending, Fault, JobPlan, PipelinePlan};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::stage::{BOT, SHOP, Stage};
use super::{column, get_json, minutes};

#[tokio::test]
async fn a_lost_answer_hides_a_retry_that_was_done() {
    for fault in [Fault::Reset, Fault::AnswerLost] {
        let stage = Stage::new().await;
        let pipeline = stage.ended([JobPlan::fails("test")]);
        let path = format!("/jobs/{}/retry", stage.job(pipeline, "test").id);
        stage
            .gitlab
            .faults(|faults| faults.inject_at("/retry", fault));
        let answer = stage.send(BOT, &path, &json!({})).await;
        assert!(answer.is_err() || answer.unwrap().status() == 502);
        assert_eq!(stage.job(pipeline, "test").attempt, 1, "{fault:?}");
        assert_eq!(stage.gitlab.actions().len(), 1);
        let recorded = stage.gitlab.requests().pop().unwrap();
        assert_eq!(
            (recorded.user, recorded.fault),
            (Some(stage.bot), Some(fault))
        );
    }
}

#[tokio::test]
async fn a_failure_in_front_of_gitlab_does_nothing() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test")]);
    for fault in [Fault::BadGateway, Fault::InternalError, Fault::Forbidden] {
        stage
            .gitlab
            .faults(|faults| faults.inject_at("/retry", fault));
        let (status, _) = stage.retry(pipeline, "test").await;
        assert!(status.as_u16() >= 403, "{fault:?}");
    }
    assert!(stage.gitlab.actions().is_empty());
}

#[tokio::test]
async fn a_share_of_the_writes_loses_its_answers_and_reading_does_not() {
    let stage = Stage::new().await;
    stage.gitlab.faults(|faults| {
        faults.writes.probability = 1.0;
        faults.writes.kinds = vec![Fault::AnswerLost];
    });
    let pipeline = stage.ended([JobPlan::fails("test")]);
    assert_eq!(stage.retry(pipeline, "test").await.0, 502);
    assert_eq!(stage.json("/pipelines").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_what_gitlab_does_late() {
    let stage = Stage::new().await;
    stage.ended([JobPlan::fails("test")]);
    stage
        .gitlab
        .faults(|faults| faults.writes.delay_before = Duration::from_millis(400));
    let mut client = TcpStream::connect(stage.gitlab.address()).await.unwrap();
    let request = format!(
        "POST /api/v4{SHOP}/pipeline?ref=main HTTP/1.1\r\nhost: gitlab\r\nprivate-token: {BOT}\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let patience = Duration::from_millis(100);
    let impatient = tokio::time::timeout(patience, client.read_u8()).await;
    assert!(impatient.is_err());
    drop(client);
    assert!(stage.gitlab.actions().is_empty(), "not yet");
    let done = async {
        while stage.gitlab.actions().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, done).await.unwrap();
    assert_eq!(
        stage
            .json("/pipelines?source=api")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn two_retries_at_the_same_moment_both_succeed_and_one_after_the_other_does_not() {
    let stage = Stage::new().await;
    stage
        .gitlab
        .faults(|faults| faults.writes.race_window = Duration::from_millis(600));
    let pipeline = stage.ended([JobPlan::fails("test")]);
    let old = stage.job(pipeline, "test").id;
    let (first, second) =
        tokio::join!(stage.retry(pipeline, "test"), stage.retry(pipeline, "test"));
    assert_eq!((first.0.as_u16(), second.0.as_u16()), (201, 201));
    assert_eq!(stage.gitlab.retried_twice(), [(old, 2)]);
    let path = format!("{SHOP}/pipelines/{pipeline}/jobs");
    let shown = get_json(&stage.gitlab, &path).await;
    assert_eq!(
        column(&shown, "name"),
        ["test"],
        "the first clone is a retried one"
    );
    stage.gitlab.advance(minutes(1));
    let ended = stage.with(|world| {
        let jobs = world.jobs_of(pipeline).filter(|job| job.attempt > 0);
        jobs.map(|job| job.status).collect::<Vec<_>>()
    });
    assert_eq!(ended, [CiStatus::Failed; 2], "and still runs");
    let third = stage.post(&format!("/jobs/{old}/retry")).await;
    assert_eq!(third.0, 403);
}

#[tokio::test]
async fn the_actions_are_served_with_their_number_per_failed_attempt() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test")]);
    let old = stage.job(pipeline, "test").id;
    stage.retry(pipeline, "test").await;
    let url = format!("{}/-/actions", stage.gitlab.url());
    let answer = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["retries_per_job"], json!({ old.to_string(): 1 }));
    let action = &answer["actions"][0];
    assert_eq!(action["kind"], "retry_job");
    assert_eq!(
        (&action["job"], &action["user"]),
        (&json!(old), &json!(stage.bot))
    );
    assert_eq!(
        (&action["ref"], &action["job_name"]),
        (&json!("main"), &json!("test"))
    );
}

#[tokio::test]
async fn a_plan_says_how_retries_end() {
    let stage = Stage::new().await;
    let second = [Ending::fails(), Ending::fails(), Ending::Passes];
    let pipeline = stage.ended([
        JobPlan::new("second", second),
        JobPlan::fails("never").passing_on_retry(0.0),
        JobPlan::fails("always").passing_on_retry(1.0),
    ]);
    let mut statuses = Vec::new();
    for _ in 0..2 {
        for name in ["second", "never", "always"] {
            stage.retry(pipeline, name).await;
        }
        stage.gitlab.advance(minutes(1));
        statuses.push(["second", "never", "always"].map(|name| stage.status(pipeline, name)));
    }
    let (failed, passed) = (CiStatus::Failed, CiStatus::Success);
    assert_eq!(
        statuses,
        [[failed, failed, passed], [passed, failed, passed]]
    );
}

#[tokio::test]
async fn a_share_of_the_infrastructure_failures_passes_the_same_ones_whatever_the_order() {
    const REASON: &str = "runner_system_failure";
    let course = async |backwards: bool| {
        let stage = Stage::new().await;
        stage.with(|world| world.recover_on_retry(REASON, 0.7));
        let names: Vec<String> = (0..40).map(|n| format!("job-{n}")).collect();
        let broken = names.iter().map(|name| JobPlan::fails_with(name, REASON));
        let script = JobPlan::fails("script");
        let plan = PipelinePlan::new(broken.chain([script]).collect::<Vec<_>>());
        let pipeline = stage.push(plan);
        stage.gitlab.advance(minutes(1));
        let mut order = names.clone();
        if backwards {
            order.reverse();
        }
        for name in order.iter().chain([&"script".to_owned()]) {
            stage.retry(pipeline, name).await;
            stage.gitlab.advance(Duration::from_secs(3));
        }
        stage.gitlab.advance(minutes(1));
        assert_eq!(stage.status(pipeline, "script"), CiStatus::Failed);
        let passed = |name: &String| stage.status(pipeline, name) == CiStatus::Success;
        names.into_iter().filter(passed).collect::<Vec<_>>()
    };
    let passed = course(false).await;
    assert!((20..=36).contains(&passed.len()), "{} of 40", passed.len());
    assert_eq!(passed, course(true).await);
}

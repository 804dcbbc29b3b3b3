//! From GitLab to the message about a failing job, and the one that it is over: the real programs,
//! with what is shipped.

use std::collections::BTreeSet;

use job_failure_exporter::simulator::{Ending, Handle, JobPlan, Options, PipelinePlan, start};
use serde_json::Value;

use crate::daemon::{Place, holds, minutes, until};
use crate::monitoring::{Message, Receiver, Shipped, Tool};

const PROJECT: &str = "acme/payments/api";
const OWNERS: &str = "owners: {rules: [{jobs: '*', team: payments}]}\n";

/// One more pipeline: a flaky job, which passes on its retry, beside the one that may be broken.
fn push(gitlab: &Handle, unit_tests: JobPlan) -> u64 {
    let flaky = JobPlan::new("ui-tests", [Ending::fails(), Ending::Passes]).retried(1);
    let plan = PipelinePlan::new([unit_tests, flaky, JobPlan::passes("lint")]).instant();
    let pipeline = gitlab.with(|world| {
        let known = world.project_by_path(PROJECT).map(|project| project.id);
        let project = known.unwrap_or_else(|| world.create_project(PROJECT));
        world.push_pipeline(project, plan)
    });
    gitlab.advance(minutes(1));
    pipeline
}

/// Waits until Prometheus has such a streak of that job.
async fn streak_is(prometheus: &Tool, wanted: f64) {
    let query = "ci_job:consecutive_failures{job_name=\"unit-tests\"}";
    until("the streak in Prometheus", async || {
        let found = prometheus.query(query).await;
        holds(found == [wanted], format!("{found:?}, not {wanted}"))
    })
    .await;
}

/// Waits for a message with this status to the team, which holds one alert; gives both.
async fn message(receiver: &Receiver, status: &str) -> (Message, Value) {
    until(&format!("the message: {status}"), async || {
        let messages = receiver.messages();
        let mut of_team = messages.iter().filter(|m| m.path == "/team-payments");
        let found = of_team.find(|message| message.body["status"] == status);
        let found = found.ok_or_else(|| format!("{messages:?}"))?;
        let alerts = found.body["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        Ok((found.clone(), alerts[0].clone()))
    })
    .await
}

fn about_jobs(receiver: &Receiver) -> Vec<Message> {
    let heartbeat = |message: &Message| message.path == "/dead-mans-switch";
    let messages = receiver.messages().into_iter();
    messages.filter(|message| !heartbeat(message)).collect()
}

#[tokio::test]
async fn a_job_that_fails_three_times_is_told_with_its_reason_and_told_again_when_it_is_fixed() {
    let gitlab = start(Options::default()).await.unwrap();
    for _ in 0..2 {
        push(&gitlab, JobPlan::passes("unit-tests"));
    }
    for _ in 0..2 {
        push(&gitlab, JobPlan::fails("unit-tests"));
    }
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.configure_also(OWNERS);
    let exporter = place.start().await;
    let shipped = Shipped::copy();
    let receiver = Receiver::start().await;
    let alertmanager = shipped.alertmanager(receiver.address).await;
    let prometheus = shipped
        .prometheus(exporter.address(), alertmanager.address)
        .await;
    exporter.is_ready().await;

    // Two failures are below the threshold; the heartbeat shows that alerts are delivered.
    streak_is(&prometheus, 2.0).await;
    until("the heartbeat", async || {
        let messages = receiver.messages();
        let arrived = messages.iter().any(|m| m.path == "/dead-mans-switch");
        holds(arrived, format!("{messages:?}"))
    })
    .await;
    assert!(
        about_jobs(&receiver).is_empty(),
        "{:?}",
        about_jobs(&receiver)
    );

    let third = push(
        &gitlab,
        JobPlan::fails_with("unit-tests", "job_execution_timeout"),
    );
    let (_, alert) = message(&receiver, "firing").await;
    let labels = &alert["labels"];
    assert_eq!(labels["alertname"], "CIJobFailingRepeatedly");
    assert_eq!(labels["severity"], "warning");
    assert_eq!(labels["project"], PROJECT);
    assert_eq!(labels["ref"], "main");
    assert_eq!(labels["job_name"], "unit-tests");
    assert_eq!(labels["team"], "payments");
    let (commit, job) = gitlab.with(|world| {
        let job = world.latest(third, "unit-tests").unwrap().id;
        (world.pipeline(third).unwrap().sha.clone(), job)
    });
    let description = alert["annotations"]["description"].as_str().unwrap();
    let link = format!("{}/{PROJECT}/-/jobs/{job}", gitlab.url());
    let reason = "Last failure: job_execution_timeout (class timeout)";
    let told = [
        "Job unit-tests of project acme/payments/api (team payments) on ref main",
        "failed 3 times in a row (threshold 3)",
        reason,
        &commit,
        &link,
    ];
    for words in told {
        assert!(description.contains(words), "{words:?}: {description}");
    }

    push(&gitlab, JobPlan::passes("unit-tests"));
    let (_, over) = message(&receiver, "resolved").await;
    assert_eq!(over["labels"], *labels);

    // Failing on every first attempt, the flaky job has sent nothing, and the others neither.
    let flaky = "job_flaky_executions_total{job_name=\"ui-tests\"}";
    assert_eq!(prometheus.query(flaky).await, [6.0]);
    let told: BTreeSet<String> = about_jobs(&receiver)
        .iter()
        .map(|m| format!("{} {}", m.path, m.body["commonLabels"]["job_name"]))
        .collect();
    assert_eq!(
        told,
        BTreeSet::from(["/team-payments \"unit-tests\"".to_owned()])
    );
    drop((prometheus, alertmanager));
    exporter.stop().await;
}

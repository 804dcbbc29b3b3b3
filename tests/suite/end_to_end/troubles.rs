//! Each kind of trouble is told once, to whom it concerns: half of ten, a stuck job, one without a
//! runner, a nightly that did not run. What is silenced or flaky is not.

use std::collections::BTreeSet;
use std::time::Duration;

use gitlab_simulator::{Ending, JobPlan, PipelinePlan, RunBehavior, World};
use serde_json::json;

use super::{Chain, gitlab, name_and_subject};
use testkit::client;
use testkit::daemon::{holds, minutes, until};

/// Twelve pipelines, ten minutes apart. In each, `jobs` gives the jobs by the pipeline's number.
fn past(world: &mut World, project: &str, jobs: impl Fn(u64) -> Vec<JobPlan>) {
    let project = world.create_project(project);
    for number in 0..12 {
        let plan = PipelinePlan::new(jobs(number));
        world.at(minutes(10 * number), move |world| {
            world.push_pipeline(project, plan);
        });
    }
}

fn troubles(world: &mut World) {
    let passes = |name: &str| JobPlan::passes(name);
    past(world, "acme/payments/api", |number| {
        // Every second one: never two in a row.
        let half = if number % 2 == 0 {
            JobPlan::fails
        } else {
            JobPlan::passes
        };
        vec![half("contract-tests"), passes("lint")]
    });
    past(world, "acme/ml", |number| {
        let last = |name: &str, ending| match number {
            11 => JobPlan::new(name, [ending]),
            _ => passes(name).taking(Duration::from_secs(5), minutes(2)),
        };
        vec![
            last("train", Ending::Runs),
            last("gpu-tests", Ending::Waits),
        ]
    });
    past(world, "acme/legacy", |number| {
        let fails = number >= 8;
        vec![if fails {
            JobPlan::fails("e2e")
        } else {
            passes("e2e")
        }]
    });
    past(world, "acme/mobile", |_| {
        let flaky = JobPlan::new("ui-tests", [Ending::fails(), Ending::Passes]);
        vec![
            flaky.retried(1),
            passes("lint"),
            passes("build"),
            passes("sign"),
        ]
    });
    let nightly = world.create_project("acme/nightly");
    let backup = PipelinePlan::new([passes("backup")]);
    let schedule = world.create_schedule(nightly, "backup", minutes(60), backup.clone());
    world.push_pipeline(nightly, backup);
    if let Some(schedule) = world.schedule_mut(schedule) {
        schedule.behavior = RunBehavior::IsForgotten;
    }
}

/// Silences a job as a user does, before anything is told; gives the silence's id.
async fn silence(chain: &Chain, job: &str) -> String {
    let matcher = json!({"name": "job_name", "value": job, "isRegex": false, "isEqual": true});
    let silence = json!({
        "matchers": [matcher],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "a test",
        "comment": "known, being fixed",
    });
    let url = format!("http://{}/api/v2/silences", chain.alertmanager.address);
    let posted = client()
        .post(url)
        .header("content-type", "application/json")
        .body(silence.to_string());
    let answer = posted.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = answer.bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    answer["silenceID"].as_str().unwrap().to_owned()
}

async fn expire(chain: &Chain, silence: &str) {
    let address = chain.alertmanager.address;
    let url = format!("http://{address}/api/v2/silence/{silence}");
    let answer = client().delete(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn set(of: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let owned = |(name, subject): &(&str, &str)| ((*name).to_owned(), (*subject).to_owned());
    of.iter().map(owned).collect()
}

#[tokio::test]
async fn each_trouble_is_told_once_to_whom_it_concerns_and_what_is_silenced_or_flaky_is_not() {
    let gitlab = gitlab(troubles).await;
    let chain = Chain::start(&gitlab).await;
    let silenced = silence(&chain, "e2e").await;

    let all = set(&[
        ("CIJobFailureRatioHigh", "contract-tests"),
        ("CIJobStuck", "train"),
        ("CIJobPendingTooLong", "gpu-tests"),
        ("CIJobFailingRepeatedly", "e2e"),
        ("CIScheduleMissed", "backup"),
        ("CIJobFlaky", "ui-tests"),
    ]);
    until("all alerts that are to fire", async || {
        let firing = chain.firing().await;
        holds(firing == all, format!("{firing:#?}"))
    })
    .await;
    let ratio = chain.alert("/team-payments", "CIJobFailureRatioHigh", "firing");
    let ratio = ratio.await;
    assert_eq!(ratio["labels"]["team"], "payments");
    let description = ratio["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains("failed in 50% of its last executions"),
        "{description}"
    );
    for name in ["CIJobStuck", "CIJobPendingTooLong", "CIScheduleMissed"] {
        let alert = chain.alert("/chat", name, "firing").await;
        assert_eq!(alert["labels"]["severity"], "warning");
    }
    let stuck = chain.alert("/chat", "CIJobStuck", "firing").await;
    let details = stuck["annotations"]["details"].as_str().unwrap();
    assert_eq!(details, "usual duration: 2m 0s\n");

    // Without the silence it is told; so it was the silence that held it back, and it alone.
    let before = chain.told("firing");
    expire(&chain, &silenced).await;
    let once_silenced = chain
        .alert("/chat", "CIJobFailingRepeatedly", "firing")
        .await;
    assert_eq!(once_silenced["labels"]["job_name"], "e2e");
    let told: Vec<_> = before
        .iter()
        .map(|(path, alert)| (path.as_str(), name_and_subject(&alert["labels"])))
        .collect();
    let wanted = [
        ("/chat", ("CIJobPendingTooLong", "gpu-tests")),
        ("/chat", ("CIJobStuck", "train")),
        ("/chat", ("CIScheduleMissed", "backup")),
        (
            "/team-payments",
            ("CIJobFailureRatioHigh", "contract-tests"),
        ),
    ];
    let mut sorted: Vec<_> = told
        .iter()
        .map(|(path, (name, subject))| (*path, (name.as_str(), subject.as_str())))
        .collect();
    sorted.sort_unstable();
    // The message of a project repeats what still fires when something joins it.
    sorted.dedup();
    assert_eq!(sorted, wanted);
    assert!(chain.told("resolved").is_empty());
    chain.end().await;
}

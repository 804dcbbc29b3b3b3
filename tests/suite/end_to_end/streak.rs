//! A job that fails repeatedly and is fixed.

use std::collections::BTreeSet;

use gitlab_simulator::{Ending, JobPlan, World};

use super::{Chain, gitlab};
use crate::silence_link::{matchers, of_job};

const PROJECT: &str = "acme/payments/api";

/// One more pipeline: a flaky job, which passes on its retry, beside the one that may be broken.
fn push(world: &mut World, unit_tests: JobPlan) -> u64 {
    let flaky = JobPlan::new("ui-tests", [Ending::fails(), Ending::Passes]).retried(1);
    let jobs = vec![unit_tests, flaky, JobPlan::passes("lint")];
    super::push(world, PROJECT, jobs)
}

#[tokio::test]
async fn a_job_that_fails_three_times_is_told_with_its_reason_and_told_again_when_it_is_fixed() {
    let gitlab = gitlab(|world| {
        for plan in [
            JobPlan::passes,
            JobPlan::passes,
            JobPlan::fails,
            JobPlan::fails,
        ] {
            push(world, plan("unit-tests"));
        }
    })
    .await;
    let chain = Chain::start(&gitlab).await;

    // Two failures are below the threshold.
    chain.streak_is("unit-tests", 2.0).await;
    chain.is_alive().await;
    assert!(chain.messages().is_empty(), "{:?}", chain.messages());

    let times_out = JobPlan::fails_with("unit-tests", "job_execution_timeout");
    let third = gitlab.with(|world| push(world, times_out));
    let name = "CIJobFailingRepeatedly";
    let alert = chain.alert("/team-payments", name, "firing").await;
    let labels = &alert["labels"];
    assert_eq!(labels["severity"], "warning");
    assert_eq!(labels["project"], PROJECT);
    assert_eq!(labels["ref"], "main");
    assert_eq!(labels["job_name"], "unit-tests");
    assert_eq!(labels["team"], "payments");
    let (commit, job) = gitlab.with(|world| {
        let job = world.latest(third, "unit-tests").unwrap().id;
        (world.pipeline(third).unwrap().sha.clone(), job)
    });
    let annotation = |name: &str| alert["annotations"][name].as_str().unwrap();
    assert_eq!(
        annotation("description"),
        "Job unit-tests of project acme/payments/api (team payments) on ref main failed 3 times in a row."
    );
    assert_eq!(annotation("failures"), "3 in a row");
    let link = format!("job: {}/{PROJECT}/-/jobs/{job}", gitlab.url());
    let last = format!("last failure: {}", &commit[..8]);
    let details: Vec<_> = annotation("details").lines().collect();
    for line in ["reason: job_execution_timeout (timeout)", &link, &last] {
        assert!(details.contains(&line), "{line:?}: {details:?}");
    }
    for key in [
        "since: ",
        "first bad commit: ",
        "last good commit: ",
        "compare: http",
    ] {
        assert!(
            details.iter().any(|it| it.starts_with(key)),
            "{key:?}: {details:?}"
        );
    }
    assert_eq!(matchers(annotation("silence_url")), of_job(labels));

    gitlab.with(|world| push(world, JobPlan::passes("unit-tests")));
    let over = chain.alert("/team-payments", name, "resolved").await;
    assert_eq!(over["labels"], *labels);

    // Failing on every first attempt, the flaky job has sent nothing, and the others neither.
    let flaky = "job_flaky_executions_total{job_name=\"ui-tests\"}";
    assert_eq!(chain.prometheus.query(flaky).await, [6.0]);
    let told: BTreeSet<String> = chain
        .messages()
        .iter()
        .map(|m| format!("{} {}", m.path, m.body["commonLabels"]["job_name"]))
        .collect();
    assert_eq!(
        told,
        BTreeSet::from(["/team-payments \"unit-tests\"".to_owned()])
    );
    chain.end().await;
}

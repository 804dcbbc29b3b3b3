//! No deployment is started, neither by itself nor by what comes back behind a retried job.

use gitlab_simulator::{CiStatus, Fault, JobPlan, OutdatedDeployments, PipelinePlan};

use super::stage::{RULES, Stage, flaky_runner};

const ALLOWED: &str = "allow_deployments: true, ";

fn publish() -> JobPlan {
    let publish = JobPlan::passes("publish").in_stage("out");
    publish.deploying_to("web")
}

#[tokio::test]
async fn a_job_before_a_skipped_deployment_is_retried_only_where_that_is_allowed() {
    let jobs = || {
        [
            flaky_runner("unit"),
            JobPlan::passes("deploy").in_stage("ship"),
        ]
    };
    let stage = Stage::new("act", RULES).await;
    stage.ended(jobs());
    stage.decides("unit", "refuse", "revives_deployment").await;
    assert_eq!(stage.sent(), 0);

    let stage = Stage::new("act", &format!("{ALLOWED}{RULES}")).await;
    let pipeline = stage.ended(jobs());
    stage.results_in_time(&["recovered"]).await;
    stage.gitlab.advance(testkit::daemon::minutes(2));
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Success);
}

#[tokio::test]
async fn a_deployment_that_failed_is_retried_only_where_that_is_allowed() {
    let deploy = || [flaky_runner("ship").in_stage("production")];
    let stage = Stage::new("act", RULES).await;
    stage.ended(deploy());
    stage.decides("ship", "refuse", "deployment").await;
    assert_eq!(stage.sent(), 0);

    let stage = Stage::new("act", &format!("{ALLOWED}{RULES}")).await;
    stage.ended(deploy());
    stage.results_in_time(&["recovered"]).await;
}

#[tokio::test]
async fn a_job_that_gitlab_lists_with_a_deployment_deploys_whatever_its_name() {
    let stage = Stage::without_daemon("act", RULES).await;
    stage.ended([JobPlan::passes("unit"), publish()]);
    stage.start().await;
    stage.ended([flaky_runner("unit"), publish()]);
    stage.decides("unit", "refuse", "revives_deployment").await;
    stage.ended([
        JobPlan::passes("unit"),
        flaky_runner("publish").in_stage("out"),
    ]);
    stage.decides("publish", "refuse", "deployment").await;
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn where_gitlab_shows_no_deployments_names_and_stages_decide() {
    for is_missing in [false, true] {
        let stage = Stage::without_daemon("act", RULES).await;
        stage.ended([JobPlan::passes("unit"), publish()]);
        if is_missing {
            let at_each = |faults: &mut gitlab_simulator::Faults| {
                faults.inject_at("/deployments", Fault::NotYetThere);
            };
            stage.gitlab.faults(at_each);
        } else {
            stage.with(|world| world.settings_mut().hides_deployments = true);
        }
        stage.start().await;
        stage.ended([flaky_runner("unit"), publish()]);
        stage.results_in_time(&["recovered"]).await;
    }
}

#[tokio::test]
async fn a_skipped_trigger_job_that_deploys_is_not_brought_back() {
    let downstream = || PipelinePlan::new([JobPlan::passes("anything")]);
    let stage = Stage::new("act", RULES).await;
    let ships = JobPlan::triggers("release", downstream()).in_stage("after");
    stage.ended([flaky_runner("unit"), ships]);
    stage.decides("unit", "refuse", "revives_deployment").await;
    let harmless = JobPlan::triggers("more-tests", downstream()).in_stage("after");
    stage.ended([flaky_runner("unit"), harmless]);
    stage.results_in_time(&["recovered"]).await;
}

#[tokio::test]
async fn a_refused_rollback_is_no_matter_of_rights() {
    let stage = Stage::without_daemon("act", &format!("{ALLOWED}{RULES}")).await;
    stage.with(|world| {
        let project = world.project_mut(stage.project).unwrap();
        project.outdated_deployments = OutdatedDeployments::Refused;
    });
    stage.ended([flaky_runner("publish").in_stage("out").deploying_to("web")]);
    // Another branch deploys a newer commit to the same place.
    stage.ended_as(PipelinePlan::new([publish()]).on("hotfix"));
    stage.start().await;
    stage.results(&["refused"]).await;
    stage.is_paused("no_rights", 0.0).await;
}

//! Lists of GitLab's API that have more bytes than `limits.listing_bytes`.

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use testkit::daemon::{Place, holds, minutes};

const LARGE: &str = "acme/large";
const OTHER: &str = "acme/other";

fn push(gitlab: &Handle, project: &str, jobs: Vec<JobPlan>) {
    gitlab.with(|world| {
        let project = world.project_by_path(project).unwrap().id;
        world.push_pipeline(project, PipelinePlan::new(jobs))
    });
    gitlab.advance(minutes(2));
}

/// A failing job, and after it so many others that the list of the newest ones has all bytes that are allowed.
fn many() -> Vec<JobPlan> {
    let generated = (0..1000).map(|number| JobPlan::passes(format!("generated {number:>0200}")));
    [JobPlan::fails("unit")]
        .into_iter()
        .chain(generated)
        .collect()
}

async fn keeps_what_is_known(counting: &str) {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(LARGE));
    gitlab.with(|world| world.create_project(OTHER));
    push(&gitlab, LARGE, vec![JobPlan::fails("unit")]);
    let place = Place::new(gitlab.url(), &format!("projects: [{LARGE}, {OTHER}]"));
    place.configure_also(&format!(
        "limits: {{listing_bytes: 1048576, jobs_per_ref: 5}}\n{counting}"
    ));
    let daemon = place.start().await;
    let unit = [("project", LARGE), ("job_name", "unit")];
    let streak = "job_consecutive_failures";
    daemon
        .shows("the first failure", |samples| {
            let found = samples.value(streak, &unit);
            holds(found == Some(1.0), format!("{found:?}"))
        })
        .await;

    push(&gitlab, LARGE, many());
    daemon
        .shows("that the list was cut", |samples| {
            let limit = [("limit", "listing_bytes")];
            let found = samples.value("job_failure_exporter_limit_reached_total", &limit);
            holds(found >= Some(1.0), format!("{found:?}"))
        })
        .await;
    push(&gitlab, OTHER, vec![JobPlan::fails("unit")]);
    daemon
        .shows("the other project", |samples| {
            let other = samples.value(streak, &[("project", OTHER), ("job_name", "unit")]);
            holds(other == Some(1.0), format!("{other:?}"))?;
            let known = samples.value(streak, &unit);
            assert_eq!(known, Some(1.0), "neither passed nor lost");
            let absent = samples.value("job_absent_pipelines", &unit);
            holds(absent.unwrap_or_default() == 0.0, format!("{absent:?}"))
        })
        .await;
    push(&gitlab, LARGE, vec![JobPlan::fails("unit")]);
    daemon
        .shows("the next failure that could be read", |samples| {
            let found = samples.value(streak, &unit);
            holds(found == Some(2.0), format!("{found:?}"))
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_beyond_the_bytes_that_are_read_is_kept_and_other_projects_go_on() {
    keeps_what_is_known("").await;
}

#[tokio::test]
async fn a_job_beyond_the_bytes_that_are_read_has_not_passed_by_its_absence() {
    keeps_what_is_known("counting: {preset: datadog-agent}\n").await;
}

//! Sweeps tell whether projects without schedules still have none, so that their lists are not read one by one.

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use testkit::daemon::{Daemon, Place, holds, minutes, until};

const LIST: &str = "GET /projects/:id/pipeline_schedules";
const SWEEP: &str = "graphql";
const PROJECTS: usize = 4;

async fn gitlab() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        for number in 0..PROJECTS {
            let project = world.create_project(&format!("acme/project-{number}"));
            let plan = PipelinePlan::new([JobPlan::passes("build")]).instant();
            world.push_pipeline(project, plan);
        }
    });
    gitlab.advance(minutes(10));
    gitlab
}

/// Starts an exporter, and waits until it has read the schedules of every project.
async fn started(gitlab: &Handle) -> (Place, Daemon) {
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.reconfigure("api: rest", "api: graphql");
    let daemon = place.start().await;
    asked(gitlab, LIST, PROJECTS).await;
    gitlab.forget_requests();
    (place, daemon)
}

async fn asked(gitlab: &Handle, endpoint: &str, times: usize) {
    until("requests", async || {
        let found = gitlab.count(endpoint);
        holds(found >= times, format!("{found} {endpoint}"))
    })
    .await;
}

#[tokio::test]
async fn the_lists_of_projects_without_schedules_are_not_read_again_until_there_is_one() {
    let gitlab = gitlab().await;
    let (_place, daemon) = started(&gitlab).await;
    // Twice the time after which an empty list is read again.
    asked(&gitlab, SWEEP, 24).await;
    let lists = gitlab.count(LIST);
    assert!(lists < PROJECTS, "{lists}");
    gitlab.with(|world| {
        let project = world.project_by_path("acme/project-2").unwrap().id;
        let plan = PipelinePlan::new([JobPlan::passes("nightly")]);
        world.create_schedule(project, "nightly", minutes(60), plan);
    });
    daemon
        .shows("the new schedule", |samples| {
            let labels = [("schedule", "nightly")];
            let next = samples.value("schedule_next_run_timestamp_seconds", &labels);
            holds(next.is_some(), "none")
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn lists_are_read_by_rest_where_graphql_does_not_tell_the_schedules_of_several_projects() {
    for forgotten in [None, Some("Project.pipelineSchedules")] {
        let gitlab = gitlab().await;
        gitlab.faults(|faults| match forgotten {
            None => faults.graphql.schedules_of_one_project = true,
            Some(field) => faults.graphql.forget(field),
        });
        let (_place, daemon) = started(&gitlab).await;
        asked(&gitlab, LIST, PROJECTS).await;
        assert!(gitlab.count(SWEEP) > 1);
        let told = daemon.log().contains("schedules are not asked for");
        assert_eq!(told, forgotten.is_some());
        daemon.stop().await;
    }
}

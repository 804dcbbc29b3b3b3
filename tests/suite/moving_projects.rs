//! Projects that are archived and come back, are deleted and created anew, and change places.

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::samples::Samples;

const STREAK: &str = "job_consecutive_failures";

async fn gitlab() -> Handle {
    start(Options::default()).await.unwrap()
}

fn create(gitlab: &Handle, path: &str) -> u64 {
    gitlab.with(|world| world.create_project(path))
}

fn fails(gitlab: &Handle, project: u64, times: usize) {
    for _ in 0..times {
        let plan = PipelinePlan::new([JobPlan::fails("unit")]).instant();
        gitlab.with(|world| world.push_pipeline(project, plan));
        gitlab.advance(minutes(2));
    }
}

/// A name that is not found makes the exporter look for the projects again at once.
fn place(gitlab: &Handle) -> Place {
    Place::new(gitlab.url(), "groups: [{path: acme}], projects: [no/such]")
}

fn streaks(samples: &Samples) -> Vec<(String, f64)> {
    let mut found: Vec<_> = samples
        .of(STREAK, &[])
        .iter()
        .map(|it| (it.labels["project"].clone(), it.value))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

async fn shows(daemon: &Daemon, wanted: &[(&str, f64)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(path, streak)| ((*path).to_owned(), *streak))
        .collect();
    daemon
        .shows("the streaks", |samples| {
            let found = streaks(samples);
            holds(found == wanted, format!("{found:?}, not {wanted:?}"))
        })
        .await;
}

#[tokio::test]
async fn an_archived_project_goes_on_when_it_is_back() {
    let gitlab = gitlab().await;
    let project = create(&gitlab, "acme/shop");
    create(&gitlab, "acme/other");
    fails(&gitlab, project, 2);
    let place = place(&gitlab);
    let daemon = place.start().await;
    shows(&daemon, &[("acme/shop", 2.0)]).await;
    let archive = |archived| {
        gitlab.with(|world| world.project_mut(project).unwrap().archived = archived);
    };
    archive(true);
    shows(&daemon, &[]).await;
    archive(false);
    fails(&gitlab, project, 1);
    shows(&daemon, &[("acme/shop", 3.0)]).await;
    let problems = daemon.scrape().await;
    let of_shop = [("project", "acme/shop")];
    assert!(problems.of("project_problem_info", &of_shop).is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_project_that_is_created_anew_under_its_path_begins_anew() {
    let gitlab = gitlab().await;
    let first = create(&gitlab, "acme/shop");
    create(&gitlab, "acme/other");
    fails(&gitlab, first, 3);
    let place = place(&gitlab);
    let daemon = place.start().await;
    shows(&daemon, &[("acme/shop", 3.0)]).await;
    gitlab.with(|world| world.delete_project(first));
    // An id of its own: the simulated GitLab gives the next one after the last project.
    let second = create(&gitlab, "acme/shop");
    assert_ne!(first, second);
    fails(&gitlab, second, 1);
    shows(&daemon, &[("acme/shop", 1.0)]).await;
    daemon.stop().await;
    let daemon = place.start().await;
    shows(&daemon, &[("acme/shop", 1.0)]).await;
    daemon.stop().await;
}

#[tokio::test]
async fn two_projects_that_change_places_keep_their_streaks() {
    let gitlab = gitlab().await;
    let (one, other) = (create(&gitlab, "acme/one"), create(&gitlab, "acme/other"));
    fails(&gitlab, one, 1);
    fails(&gitlab, other, 2);
    let place = place(&gitlab);
    let daemon = place.start().await;
    shows(&daemon, &[("acme/one", 1.0), ("acme/other", 2.0)]).await;
    gitlab.with(|world| {
        world.project_mut(one).unwrap().path = "acme/other".into();
        world.project_mut(other).unwrap().path = "acme/one".into();
    });
    shows(&daemon, &[("acme/one", 2.0), ("acme/other", 1.0)]).await;
    fails(&gitlab, one, 1);
    shows(&daemon, &[("acme/one", 2.0), ("acme/other", 2.0)]).await;
    // The path of a project that was not polled since has no time.
    daemon
        .shows("a poll of each path", |samples| {
            let name = "project_last_successful_poll_timestamp_seconds";
            let polled = |path| samples.of(name, &[("project", path)]).len() == 1;
            let both = polled("acme/one") && polled("acme/other");
            holds(both, "a path was not polled")
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_that_moves_into_a_child_pipeline_and_back_keeps_its_history() {
    let gitlab = gitlab().await;
    let project = create(&gitlab, "acme/shop");
    fails(&gitlab, project, 2);
    let place = place(&gitlab);
    let daemon = place.start().await;
    shows(&daemon, &[("acme/shop", 2.0)]).await;
    for _ in 0..11 {
        let child = PipelinePlan::new([JobPlan::fails("unit")]);
        let jobs = [JobPlan::triggers("tests", child.instant())];
        let plan = PipelinePlan::new(jobs).instant();
        gitlab.with(|world| world.push_pipeline(project, plan));
        gitlab.advance(minutes(2));
    }
    daemon
        .shows("the job that is gone", |samples| {
            let absent = samples.value("job_absent_pipelines", &[("job_name", "unit")]);
            let moved = samples.value(STREAK, &[("job_name", "tests / unit")]);
            holds(
                absent >= Some(10.0) && moved == Some(11.0),
                format!("{absent:?}, {moved:?}"),
            )
        })
        .await;
    fails(&gitlab, project, 1);
    daemon
        .shows("the job that is back", |samples| {
            let streak = samples.value(STREAK, &[("job_name", "unit")]);
            let absent = samples.value("job_absent_pipelines", &[("job_name", "unit")]);
            holds(
                streak == Some(3.0) && absent.unwrap_or_default() < 1.0,
                format!("{streak:?}, {absent:?}"),
            )
        })
        .await;
    daemon.stop().await;
}

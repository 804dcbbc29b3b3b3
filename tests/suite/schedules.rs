//! Pipeline schedules: what is served of them, and what looking at them costs.

use gitlab_simulator::{
    Handle, JobPlan, Options, PipelinePlan, RunBehavior, Schedule, World, start,
};

use testkit::daemon::{Daemon, Place, gitlab, holds, minutes, until};
use testkit::samples::Samples;

const NEXT: &str = "schedule_next_run_timestamp_seconds";
const LAST: &str = "schedule_last_run_timestamp_seconds";
const ACTIVE: &str = "schedule_active";
const LIST: &str = "GET /projects/:id/pipeline_schedules";
const DETAIL: &str = "GET /projects/:id/pipeline_schedules/:sid";
const PROJECT: &str = "acme/nightly";

fn find<'a>(world: &'a mut World, description: &str) -> &'a mut Schedule {
    let ids = 1..100;
    let is_it = |id: &u64| {
        world
            .schedule(*id)
            .is_some_and(|s| s.description == description)
    };
    let id = ids.clone().find(is_it).unwrap();
    world.schedule_mut(id).unwrap()
}

/// Next and last run, and whether it is active, as GitLab has it.
fn truth(gitlab: &Handle, description: &str) -> [Option<f64>; 3] {
    gitlab.with(|world| {
        let schedule = find(world, description).clone();
        let last = schedule.last_pipeline.map(|id| world.pipeline(id).unwrap());
        let next = schedule.active.then(|| schedule.next_run_at.unix() as f64);
        [
            next,
            last.map(|pipeline| pipeline.created_at.unix() as f64),
            Some(f64::from(u8::from(schedule.active))),
        ]
    })
}

fn served(samples: &Samples, schedule: &str) -> [Option<f64>; 3] {
    let labels = [
        ("project", PROJECT),
        ("ref", "main"),
        ("schedule", schedule),
    ];
    [NEXT, LAST, ACTIVE].map(|family| samples.value(family, &labels))
}

async fn is_true(gitlab: &Handle, daemon: &Daemon, descriptions: &[&str]) -> Samples {
    daemon
        .shows("the schedules", |samples| {
            descriptions.iter().try_for_each(|description| {
                let (served, truth) = (served(samples, description), truth(gitlab, description));
                holds(
                    served == truth,
                    format!("{description}: {served:?}, {truth:?}"),
                )
            })
        })
        .await
}

#[tokio::test]
async fn a_schedule_that_runs_and_one_that_never_started_are_told_apart() {
    let gitlab = gitlab("schedules").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    let all = ["build", "report", "cleanup"];
    is_true(&gitlab, &daemon, &all).await;
    for _ in 0..3 {
        gitlab.advance(minutes(4));
        is_true(&gitlab, &daemon, &all).await;
    }
    let now = gitlab.with(|world| world.now().unix()) as f64;
    let samples = daemon.scrape().await;
    let [next, last, _] = served(&samples, "build");
    assert!(
        next > Some(now) && last > Some(now - 240.0),
        "{next:?} {last:?}"
    );
    let [next, last, active] = served(&samples, "report");
    assert!(next < Some(now - 480.0), "its time has passed: {next:?}");
    assert_eq!((last, active), (None, Some(1.0)));
    assert_eq!(served(&samples, "cleanup"), [None, None, Some(0.0)]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_of_which_no_pipeline_comes_moves_the_next_run_and_not_the_last() {
    let gitlab = gitlab("schedules").await;
    gitlab.advance(minutes(4));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    let before = served(&is_true(&gitlab, &daemon, &["build"]).await, "build");
    gitlab.with(|world| find(world, "build").behavior = RunBehavior::CreatesNothing);
    gitlab.advance(minutes(4));
    let after = served(&is_true(&gitlab, &daemon, &["build"]).await, "build");
    assert!(after[0] > before[0], "{before:?} {after:?}");
    assert_eq!(after[1], before[1]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_schedule_that_is_switched_off_says_so_and_one_that_is_deleted_goes() {
    let gitlab = gitlab("schedules").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    is_true(&gitlab, &daemon, &["build", "report"]).await;
    let gone = gitlab.with(|world| {
        let build = find(world, "build");
        build.active = false;
        find(world, "report").id
    });
    gitlab.with(|world| world.delete_schedule(gone));
    is_true(&gitlab, &daemon, &["build"]).await;
    daemon
        .shows("no report", |samples| {
            let found = served(samples, "report");
            holds(found == [None; 3], format!("{found:?}"))
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn schedules_of_one_description_are_told_apart_and_those_of_other_refs_are_left_out() {
    let gitlab = start(Options::default()).await.unwrap();
    let second = gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        let plan = || PipelinePlan::new([JobPlan::passes("tests")]);
        world.create_schedule(project, "nightly", minutes(60), plan());
        world.create_schedule(project, "elsewhere", minutes(60), plan().on("attic"));
        world.create_schedule(project, "nightly", minutes(90), plan())
    });
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let other = format!("nightly (id {second})");
    daemon
        .shows("both", |samples| {
            let found = [served(samples, "nightly"), served(samples, &other)];
            let both = found.iter().all(|[next, ..]| next.is_some());
            holds(both && found[0] != found[1], format!("{found:?}"))
        })
        .await;
    let samples = daemon.scrape().await;
    let series = samples.iter().filter(|sample| sample.name == ACTIVE);
    assert_eq!(series.count(), 2);
    daemon.stop().await;
}

#[tokio::test]
async fn schedules_are_looked_at_seldom_and_their_last_run_only_after_a_run() {
    let gitlab = gitlab("schedules").await;
    gitlab.advance(minutes(4));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    is_true(&gitlab, &daemon, &["build", "report", "cleanup"]).await;
    let looks = |wanted: usize| {
        let gitlab = &gitlab;
        until("looks", async move || {
            let found = gitlab.count(LIST);
            holds(found >= wanted, found)
        })
    };
    assert_eq!(gitlab.count(DETAIL), 3, "each once at first");
    gitlab.forget_requests();
    looks(3).await;
    assert_eq!(gitlab.count(DETAIL), 0, "none has run");
    let listings = gitlab.count("GET /projects/:id/pipelines");
    assert!(gitlab.count(LIST) * 3 < listings * 2, "{listings}");
    gitlab.advance(minutes(3));
    looks(gitlab.count(LIST) + 4).await;
    assert_eq!(
        gitlab.count(DETAIL),
        2,
        "one has run, and is asked for twice"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn schedules_that_are_not_wanted_are_not_asked_for() {
    let gitlab = gitlab("schedules").await;
    gitlab.advance(minutes(4));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}], schedules: false");
    let daemon = place.start().await;
    daemon.is_ready().await;
    until("cycles", async || {
        let found = gitlab.count("GET /projects/:id/pipelines");
        holds(found >= 5, found)
    })
    .await;
    assert_eq!(gitlab.count(LIST), 0);
    daemon.stop().await;
}

#[tokio::test]
async fn schedules_that_cannot_be_read_fail_no_poll_and_are_told_once() {
    let gitlab = gitlab("schedules").await;
    gitlab.advance(minutes(4));
    gitlab.faults(|faults| {
        for _ in 0..40 {
            let fault = gitlab_simulator::Fault::InvalidJson;
            faults.inject_at("/pipeline_schedules", fault);
        }
    });
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon.says("schedules not read").await;
    let samples = daemon.scrape().await;
    let errors = samples.sum("project_poll_errors_total", &[("project", PROJECT)]);
    assert!(errors.abs() < f64::EPSILON, "{errors}");
    assert_eq!(
        samples.value("job_window_executions", &[("job_name", "tests")]),
        Some(1.0)
    );
    is_true(&gitlab, &daemon, &["build"]).await;
    assert_eq!(daemon.log().matches("schedules not read").count(), 1);
    daemon.stop().await;
}

//! Pipeline schedules: what is served of them, and what looking at them costs.

use gitlab_simulator::{
    Handle, JobPlan, Options, PipelinePlan, RunBehavior, Schedule, World, start,
};

use testkit::daemon::{Daemon, Place, gitlab, holds, minutes, until};
use testkit::samples::Samples;

const NEXT: &str = "schedule_next_run_timestamp_seconds";
const LAST: &str = "schedule_last_run_timestamp_seconds";
const ACTIVE: &str = "schedule_active";
const MISSED: &str = "schedule_missed_run_timestamp_seconds";
const SWITCHED_OFF: &str = "schedule_switched_off_timestamp_seconds";
const READ: &str = "project_last_successful_schedules_read_timestamp_seconds";
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
        let next = schedule.next_run_at.filter(|_| schedule.active);
        let next = next.map(|at| at.unix() as f64);
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
async fn schedules_of_one_description_are_told_apart_and_those_of_refs_that_are_not_watched_are_shown()
 {
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
    let elsewhere = [("ref", "attic"), ("schedule", "elsewhere")];
    assert_eq!(samples.value(ACTIVE, &elsewhere), Some(1.0));
    daemon.stop().await;
}

#[tokio::test]
async fn schedules_are_looked_at_seldom_and_their_last_run_only_after_a_run() {
    let gitlab = gitlab("schedules").await;
    gitlab.advance(minutes(4));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    is_true(&gitlab, &daemon, &["build", "report", "cleanup"]).await;
    // A schedule that missed a run is asked for each time.
    gitlab.with(|world| {
        let missed = find(world, "report").id;
        world.delete_schedule(missed);
    });
    let looks = |wanted: usize| {
        let gitlab = &gitlab;
        until("looks", async move || {
            let found = gitlab.count(LIST);
            holds(found >= wanted, found)
        })
    };
    looks(gitlab.count(LIST) + 2).await;
    gitlab.forget_requests();
    looks(6).await;
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

fn value(samples: &Samples, family: &str, schedule: &str) -> Option<f64> {
    samples.value(family, &[("project", PROJECT), ("schedule", schedule)])
}

/// The time at which a schedule is to run next, as GitLab has it.
fn next_run(gitlab: &Handle, description: &str) -> f64 {
    gitlab.with(|world| find(world, description).next_run_at.unwrap().unix()) as f64
}

#[tokio::test]
async fn a_first_run_of_which_no_pipeline_comes_is_missed_also_on_a_ref_that_is_gone() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        let plan = PipelinePlan::new([JobPlan::passes("tests")]);
        let id = world.create_schedule(project, "first", minutes(60), plan.on("master"));
        world.schedule_mut(id).unwrap().behavior = RunBehavior::CreatesNothing;
    });
    let due = next_run(&gitlab, "first");
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let samples = daemon
        .shows("the schedule", |samples| {
            holds(value(samples, ACTIVE, "first") == Some(1.0), "none")
        })
        .await;
    assert_eq!(value(&samples, MISSED, "first"), None);
    gitlab.advance(minutes(61));
    daemon
        .shows("the missed run", |samples| {
            let found = value(samples, MISSED, "first");
            holds(found == Some(due), format!("{found:?}, due at {due}"))
        })
        .await;
    let read = [("project", PROJECT)];
    assert!(daemon.scrape().await.value(READ, &read).is_some());
    daemon.stop().await;
}

#[tokio::test]
async fn a_schedule_that_gitlab_switches_off_is_told_apart_from_one_that_a_person_pauses() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        for name in ["owner-left", "paused"] {
            let plan = PipelinePlan::new([JobPlan::passes("tests")]);
            world.create_schedule(project, name, minutes(60), plan);
        }
        find(world, "owner-left").behavior = RunBehavior::SwitchesOff;
    });
    let due = next_run(&gitlab, "owner-left");
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    daemon
        .shows("both", |samples| {
            let both = ["owner-left", "paused"].map(|name| value(samples, ACTIVE, name));
            holds(both == [Some(1.0); 2], format!("{both:?}"))
        })
        .await;
    gitlab.advance(minutes(59));
    gitlab.with(|world| {
        let paused = find(world, "paused").id;
        world.edit_schedule(paused, |schedule| schedule.active = false);
    });
    gitlab.advance(minutes(2));
    let samples = daemon
        .shows("both off", |samples| {
            let both = ["owner-left", "paused"].map(|name| value(samples, ACTIVE, name));
            holds(both == [Some(0.0); 2], format!("{both:?}"))
        })
        .await;
    assert_eq!(value(&samples, SWITCHED_OFF, "owner-left"), Some(due));
    assert_eq!(value(&samples, SWITCHED_OFF, "paused"), None);
    assert_eq!(value(&samples, MISSED, "paused"), None);
    daemon.stop().await;
}

#[tokio::test]
async fn an_active_schedule_without_a_next_run_and_one_of_an_archived_project_have_none() {
    let gitlab = start(Options::default()).await.unwrap();
    let plan = || PipelinePlan::new([JobPlan::passes("tests")]);
    gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        let id = world.create_schedule(project, "cleared", minutes(60), plan());
        world.edit_schedule(id, |schedule| {
            schedule.next_run_at = None;
            schedule.behavior = RunBehavior::IsForgotten;
        });
        let archived = world.create_project("acme/attic");
        let id = world.create_schedule(archived, "nightly", minutes(60), plan());
        world.schedule_mut(id).unwrap().behavior = RunBehavior::IsForgotten;
        world.project_mut(archived).unwrap().archived = true;
        world.push_pipeline(archived, plan().instant());
    });
    gitlab.advance(minutes(90));
    let watch = format!("projects: [{PROJECT}, acme/attic]");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    let samples = daemon
        .shows("the schedule and the archived project", |samples| {
            let polled = [("project", "acme/attic"), ("job_name", "tests")];
            let polled = samples.value("job_window_executions", &polled);
            let active = value(samples, ACTIVE, "cleared");
            holds(
                polled.is_some() && active == Some(1.0),
                format!("{active:?}"),
            )
        })
        .await;
    assert_eq!(value(&samples, NEXT, "cleared"), None);
    let nightly = [("project", "acme/attic"), ("schedule", "nightly")];
    assert_eq!(samples.value(ACTIVE, &nightly), None);
    assert_eq!(gitlab.count("GET /projects/:id/pipeline_schedules/:sid"), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_pipeline_without_jobs_is_a_configuration_error_and_no_execution_of_a_job() {
    let gitlab = start(Options::default()).await.unwrap();
    let project = gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        let plan = || PipelinePlan::new([JobPlan::passes("tests")]).instant();
        world.push_pipeline(project, plan());
        world.push_pipeline(project, PipelinePlan::new([]));
        world.push_pipeline(project, PipelinePlan::new([]).from_source("schedule"));
        project
    });
    gitlab.advance(minutes(1));
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let reason = |samples: &Samples| {
        let info = samples.iter().find(|it| it.name == "pipeline_failure_info");
        info.map(|info| info.labels["failure_reason"].clone())
    };
    let samples = daemon
        .shows("two failures", |samples| {
            let found = samples.value("pipeline_consecutive_failures", &[]);
            holds(found == Some(2.0), format!("{found:?}"))
        })
        .await;
    assert_eq!(reason(&samples).as_deref(), Some("config_error"));
    let tests = [("job_name", "tests")];
    assert_eq!(samples.value("job_window_executions", &tests), Some(1.0));
    assert_eq!(samples.value("job_consecutive_failures", &tests), Some(0.0));
    gitlab.with(|world| {
        let plan = PipelinePlan::new([JobPlan::fails("tests")]).instant();
        world.push_pipeline(project, plan);
    });
    daemon
        .shows("failed jobs", |samples| {
            let found = reason(samples);
            holds(
                found.as_deref() == Some("jobs_failed"),
                format!("{found:?}"),
            )
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn one_refused_list_erases_no_missed_run_and_several_in_a_row_do() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        let plan = PipelinePlan::new([JobPlan::passes("tests")]);
        let id = world.create_schedule(project, "nightly", minutes(60), plan);
        world.schedule_mut(id).unwrap().behavior = RunBehavior::CreatesNothing;
    });
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    daemon
        .shows("the schedule", |samples| {
            holds(value(samples, ACTIVE, "nightly") == Some(1.0), "none")
        })
        .await;
    gitlab.advance(minutes(61));
    let is_missed = |samples: &Samples| {
        let found = value(samples, MISSED, "nightly");
        holds(found.is_some(), format!("{found:?}"))
    };
    daemon.shows("the missed run", is_missed).await;
    let refuse = |times: usize| {
        gitlab.faults(|faults| {
            for _ in 0..times {
                faults.inject_at("/pipeline_schedules", gitlab_simulator::Fault::Forbidden);
            }
        });
    };
    refuse(1);
    daemon.says("schedules no longer read").await;
    let samples = daemon.scrape().await;
    assert!(value(&samples, MISSED, "nightly").is_some());
    daemon.says("schedules read again").await;
    daemon.shows("the missed run", is_missed).await;
    refuse(40);
    daemon
        .shows("no schedule", |samples| {
            let found = value(samples, ACTIVE, "nightly");
            holds(found.is_none(), format!("{found:?}"))
        })
        .await;
    daemon.stop().await;
}

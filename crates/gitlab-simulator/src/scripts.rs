//! The scripts of the scenarios, minute by minute.
//!
//! Jobs wait 2 s and run 20 s by default, so the first stage of a pipeline that is pushed at minute m ends
//! at m:22.

use std::time::Duration;

use super::entity::RunBehavior;
use super::plan::{Ending, JobPlan, PipelinePlan};
use super::steady;
use super::world::World;

/// Length of a script in minutes. Random pipelines follow.
const SCRIPT_MINUTES: u64 = 12;

pub(super) fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Pushes one pipeline per minute with the jobs that `jobs` returns for the minute.
fn every_minute(world: &mut World, project: u64, until: u64, jobs: impl Fn(u64) -> Vec<JobPlan>) {
    for minute in 0..until {
        let plan = PipelinePlan::new(jobs(minute));
        world.at(minutes(minute), move |world| {
            world.push_pipeline(project, plan);
        });
    }
    steady::push_at_random(world, project, minutes(until), jobs(0));
}

/// A job that fails if `broken`, else passes.
fn job(name: &str, broken: bool) -> JobPlan {
    if broken {
        JobPlan::fails(name)
    } else {
        JobPlan::passes(name)
    }
}

fn quick(name: &str) -> JobPlan {
    JobPlan::passes(name).taking(seconds(2), seconds(10))
}

pub(super) fn breaks_and_is_fixed(world: &mut World) {
    let project = world.create_project("acme/shop");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        vec![
            quick("build").in_stage("build"),
            job("unit-tests", (2..=5).contains(&minute)),
            quick("lint"),
            quick("deploy").in_stage("deploy"),
        ]
    });
}

pub(super) fn stays_broken(world: &mut World) {
    let project = world.create_project("acme/warehouse");
    every_minute(world, project, 32, |minute| {
        vec![
            quick("check"),
            job("import", (1..=25).contains(&minute)),
            quick("report").in_stage("report"),
        ]
    });
}

pub(super) fn flaky(world: &mut World) {
    let project = world.create_project("acme/mobile");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        let first = if minute % 2 == 1 {
            Ending::fails()
        } else {
            Ending::Passes
        };
        let tests = JobPlan::new("ui-tests", [first, Ending::Passes]);
        vec![
            tests.retried(1).taking(seconds(2), seconds(10)),
            quick("lint"),
        ]
    });
}

pub(super) fn retry_then_pass(world: &mut World) {
    let project = world.create_project("acme/api");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        let first = if minute == 3 {
            Ending::fails()
        } else {
            Ending::Passes
        };
        vec![
            JobPlan::new("integration-tests", [first, Ending::Passes]),
            quick("publish").in_stage("publish"),
        ]
    });
    retry_at(
        world,
        project,
        minutes(4) + seconds(30),
        4,
        "integration-tests",
    );
}

pub(super) fn retry_then_fail(world: &mut World) {
    let project = world.create_project("acme/billing");
    let plan =
        |broken: bool| PipelinePlan::new([job("contract-tests", broken).retried(1), quick("lint")]);
    for minute in [0, 1, 2, 5, 6, 7, 8, 9, 10, 11] {
        let plan = plan(minute == 2);
        world.at(minutes(minute), move |world| {
            world.push_pipeline(project, plan);
        });
    }
    retry_at(
        world,
        project,
        minutes(3) + seconds(30),
        3,
        "contract-tests",
    );
    let usual = plan(false).jobs;
    steady::push_at_random(world, project, minutes(SCRIPT_MINUTES), usual);
}

pub(super) fn allowed_failure(world: &mut World) {
    let project = world.create_project("acme/docs");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        let spelling = job("spell-check", (2..=5).contains(&minute));
        vec![
            job("link-check", minute >= 3).allowed_to_fail(),
            // From minute 4 on the job is allowed to fail.
            if minute >= 4 {
                spelling.allowed_to_fail()
            } else {
                spelling
            },
            quick("publish").in_stage("publish"),
        ]
    });
}

pub(super) fn matrix(world: &mut World) {
    let project = world.create_project("acme/compiler");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        vec![
            quick("test 1/3"),
            job("test 2/3", minute >= 3),
            quick("test 3/3"),
            quick("build: [linux, amd64]"),
            job("build: [linux, arm64]", minute == 8),
        ]
    });
}

pub(super) fn canceled(world: &mut World) {
    let project = world.create_project("acme/website");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        let quick_lint = JobPlan::passes("lint").taking(seconds(1), seconds(5));
        vec![quick_lint, job("e2e", minute == 3 || minute == 4)]
    });
    world.at(minutes(2) + seconds(10), move |world| {
        if let Some(pipeline) = nth_pipeline(world, project, 3) {
            world.cancel_pipeline(pipeline);
        }
    });
    retry_at(world, project, minutes(4) + seconds(40), 5, "e2e");
    world.at(minutes(4) + seconds(50), move |world| {
        if let Some(pipeline) = nth_pipeline(world, project, 5) {
            world.cancel_pipeline(pipeline);
        }
    });
}

pub(super) fn late_pipelines(world: &mut World) {
    let project = world.create_project("acme/data");
    for minute in 0..SCRIPT_MINUTES {
        let broken = [2, 6, 7, 8].contains(&minute);
        let (hidden, run) = match minute {
            // Becomes visible after a higher id has ended, ends later, and fails.
            2 => (45, 100),
            // Passes after a higher id has failed.
            5 => (0, 130),
            // Fails after a higher id has passed.
            8 => (0, 90),
            // Ends before it becomes visible.
            10 => (40, 5),
            _ => (0, 20),
        };
        let job = job("etl", broken).taking(seconds(2), seconds(run));
        let plan = PipelinePlan::new([job]).hidden_for(seconds(hidden));
        world.at(minutes(minute), move |world| {
            world.push_pipeline(project, plan);
        });
    }
    steady::push_at_random(world, project, minutes(14), vec![JobPlan::passes("etl")]);
}

pub(super) fn stuck(world: &mut World) {
    let project = world.create_project("acme/ml");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        let one = |name: &str, ending: Ending, stuck: bool| {
            let usual = JobPlan::passes(name);
            if stuck {
                JobPlan::new(name, [ending])
            } else {
                usual
            }
        };
        vec![
            one("train", Ending::Runs, minute == 1),
            one("gpu-tests", Ending::Waits, minute == 3),
            quick("lint"),
        ]
    });
}

pub(super) fn outage(world: &mut World) {
    for service in ["auth", "gateway", "ledger", "mail", "search"] {
        let project = world.create_project(&format!("acme/platform/{service}"));
        every_minute(world, project, SCRIPT_MINUTES, |minute| {
            let names = [
                "lint",
                "unit",
                "integration",
                "contract",
                "image",
                "scan",
                "docs",
                "load",
                "smoke",
            ];
            let down = minute == 3 || minute == 4;
            let job = |name| {
                if down {
                    JobPlan::fails_with(name, "runner_system_failure")
                } else {
                    quick(name)
                }
            };
            names.into_iter().map(job).collect()
        });
    }
}

pub(super) fn child_pipelines(world: &mut World) {
    let project = world.create_project("acme/monorepo");
    every_minute(world, project, SCRIPT_MINUTES, |minute| {
        let child = PipelinePlan::new([job("frontend-tests", minute % 2 == 1)]);
        vec![quick("lint"), JobPlan::triggers("frontend", child)]
    });
}

pub(super) fn schedules(world: &mut World) {
    let project = world.create_project("acme/nightly");
    let tests = || PipelinePlan::new([quick("tests")]);
    world.create_schedule(project, "build", minutes(3), tests());
    let report = world.create_schedule(project, "report", minutes(3), tests());
    let cleanup = world.create_schedule(project, "cleanup", minutes(3), tests());
    if let Some(schedule) = world.schedule_mut(report) {
        schedule.behavior = RunBehavior::IsForgotten;
    }
    if let Some(schedule) = world.schedule_mut(cleanup) {
        schedule.active = false;
    }
}

/// Retries by hand a job of the pipeline with this `iid`.
pub(super) fn retry_at(
    world: &mut World,
    project: u64,
    when: Duration,
    iid: u64,
    job: &'static str,
) {
    world.at(when, move |world| {
        let pipeline = nth_pipeline(world, project, iid);
        let job = pipeline.and_then(|pipeline| world.latest(pipeline, job).map(|job| job.id));
        // A retry through the API may have come first.
        if let Some(Err(refused)) = job.map(|job| world.retry_job(job)) {
            tracing::debug!(%refused, "a scripted retry was not needed");
        }
    });
}

fn nth_pipeline(world: &World, project: u64, iid: u64) -> Option<u64> {
    world
        .pipelines_of(project)
        .find(|pipeline| pipeline.iid == iid)
        .map(|pipeline| pipeline.id)
}

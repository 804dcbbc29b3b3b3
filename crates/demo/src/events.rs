//! Further events in the simulated GitLab: a schedule that never runs, a job that its runner loses, a job that no
//! retry helps, and an outage of runners during the demo.

use std::time::Duration;

use gitlab_simulator::{Ending, JobPlan, PipelinePlan, Role, RunBehavior, Scope, World};

/// Projects of the scenario that are affected by the outage.
const SERVICES: [&str; 5] = ["auth", "gateway", "ledger", "mail", "search"];

/// Time of the first missed run of the schedule, after the start of simulated time.
const FIRST_RUN: Duration = Duration::from_mins(3);

/// Token of the bot that brings jobs back.
pub(super) const BOT_TOKEN: &str = "glpat-bot-of-the-demo";

/// Time after the start of the demo at which a runner loses a job.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(45);

/// Pipelines of the courier before that, one a minute.
const COURIER_MINUTES: u64 = 8;

/// Start of the outage after the start of the demo. By then some alerts are resolved; the outage delays the
/// end of the others.
pub(super) const OUTAGE_AFTER: Duration = Duration::from_secs(105);

/// Duration of the outage.
const OUTAGE: Duration = Duration::from_secs(30);

/// Plans the events in a new world that starts `past` before the demo.
pub(super) fn plan(world: &mut World, past: Duration) {
    let nightly = world.create_project("acme/nightly");
    let report = PipelinePlan::new([JobPlan::passes("report")]);
    world.push_pipeline(nightly, report.clone());
    let schedule = world.create_schedule(nightly, "report", FIRST_RUN, report);
    if let Some(schedule) = world.schedule_mut(schedule) {
        schedule.behavior = RunBehavior::IsForgotten;
    }
    plan_courier(world, past);
    let begins = past + OUTAGE_AFTER;
    world.at(begins, |world| {
        push(world, |name| {
            JobPlan::fails_with(name, "runner_system_failure")
        });
    });
    world.at(begins + OUTAGE, |world| {
        push(world, |name| JobPlan::passes(name));
    });
}

/// A project with a job that its runner loses once, and one that fails in every attempt. The bot may write to this project
/// and to the services.
fn plan_courier(world: &mut World, past: Duration) {
    let courier = world.create_project("acme/courier");
    let bot = world.add_bot(courier, Role::Maintainer);
    world.add_token(BOT_TOKEN, bot, &[Scope::Api]);
    for service in SERVICES {
        let path = format!("acme/platform/{service}");
        if let Some(id) = world.project_by_path(&path).map(|project| project.id) {
            world.set_role(bot, id, Some(Role::Maintainer));
        }
    }
    let minutes = (0..COURIER_MINUTES).map(Duration::from_mins);
    for (at, is_lost) in minutes
        .map(|at| (at, false))
        .chain([(past + LOST_AFTER, true)])
    {
        world.at(at, move |world| {
            world.push_pipeline(courier, courier_pipeline(is_lost));
        });
    }
}

fn courier_pipeline(is_lost: bool) -> PipelinePlan {
    let moment = Duration::from_secs(1);
    let lost = Ending::Fails("runner_system_failure".to_owned());
    let endings = if is_lost {
        vec![lost, Ending::Passes]
    } else {
        vec![Ending::Passes]
    };
    let broken = JobPlan::fails_with("customs-check", "runner_system_failure");
    PipelinePlan::new([
        JobPlan::new("print-label", endings).taking(moment, moment),
        broken.passing_on_retry(0.0).taking(moment, moment),
    ])
}

/// Pushes a pipeline to each service, with the job names of its last pipeline.
fn push(world: &mut World, job: fn(&str) -> JobPlan) {
    for service in SERVICES {
        let path = format!("acme/platform/{service}");
        let Some(project) = world.project_by_path(&path).map(|project| project.id) else {
            continue;
        };
        let Some(last) = world.visible_pipelines(project).last().map(|it| it.id) else {
            continue;
        };
        let jobs: Vec<_> = world.jobs_of(last).map(|it| job(it.name())).collect();
        world.push_pipeline(project, PipelinePlan::new(jobs).instant());
    }
}

#[cfg(test)]
mod tests {
    use gitlab_simulator::{CiStatus, Moment, Scenario};

    use super::*;

    #[test]
    fn forty_five_jobs_fail_after_a_while_and_pass_half_a_minute_later() {
        let mut world = World::new(Moment::from_unix(0), 1);
        Scenario::named("outage").unwrap().fill(&mut world);
        let past = Duration::from_mins(10);
        plan(&mut world, past);
        let ended = |world: &World| {
            let last = |service| {
                let path = format!("acme/platform/{service}");
                let project = world.project_by_path(&path).unwrap().id;
                let pipeline = world.visible_pipelines(project).last().unwrap();
                world.jobs_of(pipeline.id).map(|job| job.status)
            };
            SERVICES.into_iter().flat_map(last).collect::<Vec<_>>()
        };
        world.advance(past + OUTAGE_AFTER + Duration::from_secs(1));
        assert_eq!(ended(&world), [CiStatus::Failed; 45]);
        world.advance(OUTAGE);
        assert_eq!(ended(&world), [CiStatus::Success; 45]);
    }
}

//! What the demo's GitLab has besides the scenario: a schedule that never runs, and runners that fail in
//! the present.

use std::time::Duration;

use gitlab_simulator::{Fate, JobPlan, PipelinePlan, World};

/// Projects of the scenario that share their runners.
const SERVICES: [&str; 5] = ["auth", "gateway", "ledger", "mail", "search"];

/// When the schedule should have run first, since the beginning.
const FIRST_RUN: Duration = Duration::from_mins(3);

/// How long after the demo's start the runners fail, and how long that lasts. Some alerts are over by then;
/// the end of those that go on is held back meanwhile.
pub(super) const OUTAGE_AFTER: Duration = Duration::from_secs(105);
const OUTAGE: Duration = Duration::from_secs(30);

/// Adds it to a new world that begins so long before the demo's start.
pub(super) fn plan(world: &mut World, past: Duration) {
    let nightly = world.create_project("acme/nightly");
    let report = PipelinePlan::new([JobPlan::passes("report")]);
    world.push_pipeline(nightly, report.clone());
    let schedule = world.create_schedule(nightly, "report", FIRST_RUN, report);
    if let Some(schedule) = world.schedule_mut(schedule) {
        schedule.fate = Fate::IsForgotten;
    }
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

/// One more pipeline of each service, with the jobs it always has.
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
    use gitlab_simulator::{Moment, Scenario, Status};

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
        assert_eq!(ended(&world), [Status::Failed; 45]);
        world.advance(OUTAGE);
        assert_eq!(ended(&world), [Status::Success; 45]);
    }
}

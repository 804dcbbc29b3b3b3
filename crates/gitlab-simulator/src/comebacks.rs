//! The script of a project whose failures come back, or not, if somebody retries them.

use std::time::Duration;

use super::plan::{Ending, JobPlan, PipelinePlan};
use super::world::World;

/// Length of the script in minutes.
const MINUTES: u64 = 12;

/// In `payments`, `integration` passes on its first retry, `e2e` on its second, `contract` never. A retry
/// that passes revives the deployment behind it.
pub(super) fn comebacks(world: &mut World) {
    let project = world.create_project("acme/payments");
    for minute in 0..MINUTES {
        let plan = PipelinePlan::new(jobs(minute));
        world.at(Duration::from_mins(minute), move |world| {
            world.push_pipeline(project, plan);
        });
    }
}

fn jobs(minute: u64) -> Vec<JobPlan> {
    let failing = |name: &str, minutes: &[u64], reason: &str, failures: usize| {
        let mut attempts = vec![Ending::Passes];
        if minutes.contains(&minute) {
            let failure = Ending::Fails(reason.to_owned());
            attempts.splice(0..0, vec![failure; failures]);
        }
        JobPlan::new(name, attempts)
    };
    let contract = if minute >= 4 {
        JobPlan::fails("contract").passing_on_retry(0.0)
    } else {
        JobPlan::passes("contract")
    };
    vec![
        JobPlan::passes("build").in_stage("build"),
        failing("integration", &[2, 6, 9], "runner_system_failure", 1),
        failing("e2e", &[3, 8], "stuck_or_timeout_failure", 2),
        contract,
        JobPlan::passes("deploy")
            .in_stage("deploy")
            .deploying_to("production"),
    ]
}

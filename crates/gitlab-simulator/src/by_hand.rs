//! The script of a project whose people retry failed jobs by hand, some minutes later: the past that rules for
//! retries are judged by.

use std::time::Duration;

use super::plan::{Ending, JobPlan, PipelinePlan};
use super::scripts::{minutes, retry_at};
use super::world::World;

/// Pipelines of the script.
const PIPELINES: u64 = 14;

/// Minutes between two pipelines.
const PAUSE: u64 = 3;

/// Minutes from the push to the first retry, and from each retry to the next.
const RETRIED_AFTER: u64 = 9;

/// Failures of a job: in which pipelines, how many attempts fail, and how many retries somebody makes.
struct Trouble {
    job: &'static str,
    reason: &'static str,
    pipelines: &'static [u64],
    failures: usize,
    retries: u64,
}

/// Retries help `browser-tests`, `image` only the second time, `contract-tests` always, and the others seldom.
const TROUBLES: [Trouble; 7] = [
    trouble(
        "browser-tests",
        "runner_system_failure",
        &[1, 4, 7, 10],
        1,
        1,
    ),
    trouble("image", "runner_system_failure", &[2, 8], 2, 2),
    trouble("load-tests", "job_execution_timeout", &[3, 5, 6, 11], 2, 1),
    trouble("load-tests", "job_execution_timeout", &[9], 1, 1),
    trouble("unit-tests", "script_failure", &[2, 3, 9], 2, 1),
    trouble("unit-tests", "script_failure", &[6], 1, 1),
    trouble(
        "contract-tests",
        "missing_dependency_failure",
        &[4, 9],
        1,
        1,
    ),
];

const fn trouble(
    job: &'static str,
    reason: &'static str,
    pipelines: &'static [u64],
    failures: usize,
    retries: u64,
) -> Trouble {
    Trouble {
        job,
        reason,
        pipelines,
        failures,
        retries,
    }
}

/// Fills `acme/storefront`.
pub(super) fn retried_by_hand(world: &mut World) {
    let project = world.create_project("acme/storefront");
    for number in 0..PIPELINES {
        let plan = PipelinePlan::new(jobs(number));
        world.at(minutes(number * PAUSE), move |world| {
            world.push_pipeline(project, plan);
        });
    }
    for trouble in &TROUBLES {
        for pipeline in trouble.pipelines {
            for retry in 1..=trouble.retries {
                let at = minutes(pipeline * PAUSE + retry * RETRIED_AFTER);
                retry_at(world, project, at, pipeline + 1, trouble.job);
            }
        }
    }
}

fn jobs(pipeline: u64) -> Vec<JobPlan> {
    let names = [
        "browser-tests",
        "image",
        "load-tests",
        "unit-tests",
        "contract-tests",
    ];
    let job = |name: &str| {
        let mut attempts = vec![Ending::Passes];
        let of_job = TROUBLES.iter().filter(|trouble| trouble.job == name);
        for trouble in of_job.filter(|trouble| trouble.pipelines.contains(&pipeline)) {
            let failure = Ending::Fails(trouble.reason.to_owned());
            attempts.splice(0..0, vec![failure; trouble.failures]);
        }
        JobPlan::new(name, attempts).taking(Duration::from_secs(2), Duration::from_secs(20))
    };
    names.into_iter().map(job).collect()
}

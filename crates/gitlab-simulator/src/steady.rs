//! Random pipelines after the end of a script, with jobs that break, flake and recover.

use std::time::Duration;

use super::plan::{Ending, JobPlan, PipelinePlan};
use super::world::World;

/// Probability that a healthy job breaks.
const BREAKS: f64 = 0.03;
/// Probability that a healthy job passes only on its second attempt.
const FLAKES: f64 = 0.04;
/// Probability that a pipeline is canceled.
const CANCELED: f64 = 0.02;

/// The random pipelines of one project.
struct RandomPipelines {
    project: u64,
    jobs: Vec<RandomJob>,
    random: fastrand::Rng,
}

/// A job of random pipelines.
struct RandomJob {
    plan: JobPlan,
    /// Number of further pipelines in which the job fails.
    broken_for: u32,
}

/// Pushes pipelines with these jobs to a project every one to three minutes, from `start` on.
pub(super) fn push_at_random(world: &mut World, project: u64, start: Duration, jobs: Vec<JobPlan>) {
    let healthy = |plan| RandomJob {
        plan,
        broken_for: 0,
    };
    let pipelines = RandomPipelines {
        project,
        jobs: jobs.into_iter().map(healthy).collect(),
        random: world.random.fork(),
    };
    world.at(start, move |world| push_next(world, pipelines));
}

fn push_next(world: &mut World, mut pipelines: RandomPipelines) {
    if world.project(pipelines.project).is_none() {
        return;
    }
    let random = &mut pipelines.random;
    let jobs: Vec<JobPlan> = pipelines
        .jobs
        .iter_mut()
        .map(|job| job.next(random))
        .collect();
    let pipeline = world.push_pipeline(pipelines.project, PipelinePlan::new(jobs));
    if random.f64() < CANCELED {
        let soon = Duration::from_secs(random.u64(3..20));
        world.after(soon, move |world| world.cancel_pipeline(pipeline));
    }
    let next = Duration::from_millis(random.u64(60_000..180_000));
    world.after(next, move |world| push_next(world, pipelines));
}

impl RandomJob {
    fn next(&mut self, random: &mut fastrand::Rng) -> JobPlan {
        let mut plan = self.plan.clone();
        plan.wait = Duration::from_millis(random.u64(500..4_000));
        plan.run = Duration::from_millis(random.u64(5_000..40_000));
        let chance = random.f64();
        let length = random.u32(1..6);
        if self.broken_for == 0 && chance < BREAKS {
            self.broken_for = length;
        }
        if self.broken_for > 0 {
            self.broken_for -= 1;
            plan.attempts = vec![Ending::fails()];
        } else if chance > 1.0 - FLAKES {
            plan.attempts = vec![Ending::fails(), Ending::Passes];
            plan.retry = 1;
        }
        plan
    }
}

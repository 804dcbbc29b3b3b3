//! What goes on after a script: pipelines at random, with jobs that break, flake and recover.

use std::time::Duration;

use super::plan::{Ending, JobPlan, PipelinePlan};
use super::world::World;

/// Chance of a healthy job to break.
const BREAKS: f64 = 0.03;
/// Chance of a healthy job to pass only on its second attempt.
const FLAKES: f64 = 0.04;
/// Chance of a pipeline to be canceled on the way.
const CANCELED: f64 = 0.02;

/// A project's pipelines from some time on.
struct Rhythm {
    project: u64,
    jobs: Vec<Course>,
    random: fastrand::Rng,
}

/// A job and how many more pipelines it stays broken.
struct Course {
    plan: JobPlan,
    broken_for: u32,
}

/// From `start` on, pipelines with these jobs are pushed to a project every one to three minutes.
pub(super) fn goes_on(world: &mut World, project: u64, start: Duration, jobs: Vec<JobPlan>) {
    let usual = |plan| Course {
        plan,
        broken_for: 0,
    };
    let rhythm = Rhythm {
        project,
        jobs: jobs.into_iter().map(usual).collect(),
        random: world.random.fork(),
    };
    world.at(start, move |world| beat(world, rhythm));
}

fn beat(world: &mut World, mut rhythm: Rhythm) {
    if world.project(rhythm.project).is_none() {
        return;
    }
    let random = &mut rhythm.random;
    let jobs: Vec<JobPlan> = rhythm.jobs.iter_mut().map(|job| job.next(random)).collect();
    let pipeline = world.push_pipeline(rhythm.project, PipelinePlan::new(jobs));
    if random.f64() < CANCELED {
        let soon = Duration::from_secs(random.u64(3..20));
        world.after(soon, move |world| world.cancel_pipeline(pipeline));
    }
    let next = Duration::from_millis(random.u64(60_000..180_000));
    world.after(next, move |world| beat(world, rhythm));
}

impl Course {
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

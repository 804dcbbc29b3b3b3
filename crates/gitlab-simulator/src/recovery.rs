//! The ends of retried executions: by plan, else drawn from a share, always determined by the seed.

use super::entity::Pipeline;
use super::plan::{Ending, JobPlan};
use super::world::World;

impl World {
    /// Lets this share of the retries pass that follow a failure with this reason. Concerns attempts after
    /// the last that a plan lists, of jobs whose plan does not say itself how its retries end.
    pub fn recover_on_retry(&mut self, reason: &str, share: f64) {
        self.recoveries.insert(reason.to_owned(), share);
    }

    /// The end of an attempt, numbered from 0.
    pub(super) fn ending_of(&self, pipeline: u64, plan: &JobPlan, attempt: usize) -> Ending {
        let planned = plan.ending(attempt);
        let Ending::Fails(reason) = &planned else {
            return planned;
        };
        let rule = || self.recoveries.get(reason).copied();
        let share = plan.retries_pass.or_else(rule).unwrap_or_default();
        let passes = |pipeline| self.draw(pipeline, plan, attempt) < share;
        if !plan.lists(attempt) && self.pipeline(pipeline).is_some_and(passes) {
            Ending::Passes
        } else {
            planned
        }
    }

    /// A number from 0 to 1 that depends only on the seed and the attempt, not on the order of events.
    fn draw(&self, pipeline: &Pipeline, plan: &JobPlan, attempt: usize) -> f64 {
        let (project, iid, name) = (pipeline.project_id, pipeline.iid, &plan.name);
        let attempt = format!("{project}/{iid}/{name}/{attempt}");
        let mix = |state, byte| fastrand::Rng::with_seed(state ^ u64::from(byte)).u64(..);
        fastrand::Rng::with_seed(attempt.bytes().fold(self.seed, mix)).f64()
    }
}

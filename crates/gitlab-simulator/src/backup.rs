//! Restoring the simulated GitLab from a backup: what came later is gone, and its ids are given again.

use super::world::World;

impl World {
    /// Forgets every pipeline after this one, with its jobs. The next pipeline gets the next id.
    pub fn restore_backup(&mut self, last_pipeline: u64) {
        let gone = self.pipelines.split_off(&(last_pipeline + 1));
        for id in gone.keys() {
            for job in self.jobs_by_pipeline.remove(id).unwrap_or_default() {
                self.jobs.remove(&job);
            }
        }
        self.last_pipeline_id = last_pipeline;
        self.last_job_id = self.jobs.keys().next_back().copied().unwrap_or(50_000);
    }
}

//! What the simulated GitLab loses: deleted pipelines, and everything that came after the backup it is restored from.

use super::world::World;

/// Source of a child pipeline.
const CHILD: &str = "parent_pipeline";

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

    /// Deletes a pipeline with its jobs and its child pipelines, as a user can.
    pub fn delete_pipeline(&mut self, id: u64) {
        let mut deleted = vec![id];
        while let Some(id) = deleted.pop() {
            self.pipelines.remove(&id);
            for job in self.jobs_by_pipeline.remove(&id).unwrap_or_default() {
                let job = self.jobs.remove(&job);
                let started = job.and_then(|job| self.pipeline(job.downstream?));
                deleted.extend(started.filter(|it| it.source == CHILD).map(|it| it.id));
            }
        }
        let pipelines = &self.pipelines;
        for job in self.jobs.values_mut() {
            job.downstream = job.downstream.filter(|id| pipelines.contains_key(id));
        }
    }

    /// Forgets an attempt of a job, as if it had never been.
    pub fn forget_attempt(&mut self, id: u64) {
        let Some(forgotten) = self.jobs.remove(&id) else {
            return;
        };
        let ids = self.jobs_by_pipeline.entry(forgotten.pipeline_id);
        let ids = ids.or_default();
        ids.retain(|known| *known != id);
        let before = ids.iter().rev().find(|known| {
            let job = self.jobs.get(known);
            job.is_some_and(|job| job.plan.name == forgotten.plan.name)
        });
        if let Some(job) = before.copied().and_then(|id| self.jobs.get_mut(&id)) {
            job.retried = false;
        }
        self.process(forgotten.pipeline_id);
    }
}

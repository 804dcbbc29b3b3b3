//! What a retry or a start by hand moves besides its job: skipped jobs behind it, and the parent pipeline.

use std::collections::BTreeSet;

use super::entity::{CiStatus, Job};
use super::world::World;

impl World {
    /// Sets the skipped jobs behind a job back to `created`, and the trigger job that waits for the
    /// pipeline back to `pending`.
    pub(super) fn revive_after(&mut self, job: u64, user: u64) {
        let Some(job) = self.jobs.get(&job) else {
            return;
        };
        let pipeline = job.pipeline_id;
        for id in self.skipped_behind(job) {
            self.revive(id, user);
        }
        self.revive_bridge_of(pipeline, user);
    }

    /// Sets every skipped job of a pipeline back to `created`.
    pub(super) fn revive_all(&mut self, pipeline: u64, user: u64) {
        let skipped: Vec<u64> = self
            .latest_jobs(pipeline)
            .filter(|job| job.status == CiStatus::Skipped)
            .map(|job| job.id)
            .collect();
        for id in skipped {
            self.revive(id, user);
        }
    }

    fn revive(&mut self, id: u64, user: u64) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.status = CiStatus::Created;
            job.finished_at = None;
            job.user = user;
        }
    }

    /// The skipped jobs of later stages, and those that need the job, directly or not.
    fn skipped_behind(&self, job: &Job) -> Vec<u64> {
        let pipeline = job.pipeline_id;
        let stages = self.pipelines.get(&pipeline).map(|p| p.stages.as_slice());
        let stages = stages.unwrap_or_default();
        let position = |job: &Job| stages.iter().position(|stage| *stage == job.plan.stage);
        let needing = self.names_needing(job);
        self.latest_jobs(pipeline)
            .filter(|other| other.status == CiStatus::Skipped)
            .filter(|other| {
                position(other) > position(job) || needing.contains(other.plan.name.as_str())
            })
            .map(|other| other.id)
            .collect()
    }

    /// Names of the jobs that need this one, directly or not.
    fn names_needing(&self, job: &Job) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let mut next = vec![job.plan.name.as_str()];
        while let Some(needed) = next.pop() {
            for other in self.latest_jobs(job.pipeline_id) {
                let needs = other.plan.needs.iter().flatten();
                if needs.into_iter().any(|name| name == needed) && names.insert(other.name()) {
                    next.push(other.name());
                }
            }
        }
        names
    }

    /// Sets the trigger job that waits for a pipeline back to `pending`, under its old id, and the skipped
    /// jobs behind it to `created`. Leaves out a parent that the user may not update.
    pub(super) fn revive_bridge_of(&mut self, child: u64, user: u64) {
        let depends = |job: &&Job| {
            let trigger = job.plan.trigger.as_ref();
            job.downstream == Some(child)
                && trigger.is_some_and(|trigger| trigger.depend)
                && job.status.is_terminal()
                && !job.retried
        };
        let Some(bridge) = self.jobs.values().find(depends) else {
            return;
        };
        let (id, parent) = (bridge.id, bridge.pipeline_id);
        let allowed = |pipeline| self.may_update_pipeline(user, pipeline);
        if !self.pipelines.get(&parent).is_some_and(allowed) {
            return;
        }
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(&id) {
            (job.finished_at, job.failure_reason) = (None, None);
            (job.status, job.queued_at, job.user) = (CiStatus::Pending, Some(now), user);
        }
        self.revive_after(id, user);
        self.process_later(parent);
    }
}

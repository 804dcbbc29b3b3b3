//! Bridges (trigger jobs), which start pipelines and may end with them.

use super::entity::{CiStatus, Job};
use super::plan::Ending;
use super::world::World;

impl World {
    /// Starts the pipeline of a pending bridge, or lets the bridge fail if its plan says so.
    pub(super) fn trigger(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id).filter(|j| j.status == CiStatus::Pending) else {
            return;
        };
        let (Some(trigger), Some(parent)) = (
            job.plan.trigger.clone(),
            self.pipelines.get(&job.pipeline_id),
        ) else {
            return;
        };
        let (attempt, user) = (job.attempt, job.user);
        if let Ending::Fails(reason) = job.ending.clone() {
            self.finish_job(id, CiStatus::Failed, Some(reason));
            return;
        }
        let downstream = trigger.pipeline.after_attempts(attempt);
        let (project, plan) = if let Some(path) = &trigger.project {
            let project = self.project_by_path(path).map_or(0, |project| project.id);
            (project, downstream.from_source("pipeline"))
        } else {
            let mut plan = downstream.from_source("parent_pipeline");
            plan.ref_name = Some(parent.ref_name.clone());
            plan.sha = Some(parent.sha.clone());
            (parent.project_id, plan)
        };
        let child = self.push_pipeline_as(user, project, plan);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.downstream = Some(child);
        }
        self.bridges.insert(child, id);
        if trigger.depend {
            self.move_job(id, CiStatus::Running);
        } else {
            self.finish_job(id, CiStatus::Success, None);
        }
    }

    /// Ends the bridge that waits for a pipeline, running or, after a retry within the pipeline, pending.
    pub(super) fn end_bridge_of(&mut self, child: u64, status: CiStatus) {
        let waits = |status| matches!(status, CiStatus::Running | CiStatus::Pending);
        let waiting = self.bridge_of(child).filter(|job| waits(job.status));
        let Some(bridge) = waiting.map(|job| job.id) else {
            return;
        };
        let reason = (status == CiStatus::Failed).then(|| "unknown_failure".to_owned());
        self.finish_job(bridge, status, reason);
    }

    /// The bridge that started a pipeline.
    pub(super) fn bridge_of(&self, child: u64) -> Option<&Job> {
        let bridge = self.job(*self.bridges.get(&child)?);
        bridge.filter(|job| job.downstream == Some(child))
    }
}

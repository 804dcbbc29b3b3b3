//! Trigger jobs: the child pipelines they start, and ending as those do.

use super::entity::{Job, Status};
use super::world::World;

impl World {
    /// Starts the child pipeline of a bridge that is due.
    pub(super) fn trigger(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id).filter(|j| j.status == Status::Pending) else {
            return;
        };
        let (Some(trigger), Some(parent)) = (
            job.plan.trigger.clone(),
            self.pipelines.get(&job.pipeline_id),
        ) else {
            return;
        };
        let mut plan = trigger.pipeline.from_source("parent_pipeline");
        plan.ref_name = Some(parent.ref_name.clone());
        plan.sha = Some(parent.sha.clone());
        let project = parent.project_id;
        let child = self.push_pipeline(project, plan);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.downstream = Some(child);
        }
        if trigger.depend {
            self.move_job(id, Status::Running);
        } else {
            self.finish_job(id, Status::Success, None);
        }
    }

    /// Ends the bridge that waits for this pipeline.
    pub(super) fn end_bridge_of(&mut self, child: u64, status: Status) {
        let waiting = |job: &&Job| job.downstream == Some(child) && job.status == Status::Running;
        let Some(bridge) = self.jobs.values().find(waiting).map(|job| job.id) else {
            return;
        };
        let reason = (status == Status::Failed).then(|| "unknown_failure".to_owned());
        self.finish_job(bridge, status, reason);
    }
}

//! Deployments: a job with an environment is outdated once a newer one deployed there.

use super::entity::{CiStatus, Job};
use super::world::World;

impl World {
    /// Whether the job would deploy an older commit than the one in its environment, and the project
    /// prevents that.
    pub(super) fn is_outdated(&self, job: &Job) -> bool {
        let Some(environment) = &job.plan.environment else {
            return false;
        };
        let Some(pipeline) = self.pipeline(job.pipeline_id) else {
            return false;
        };
        let prevented = self
            .project(pipeline.project_id)
            .is_some_and(|project| project.prevents_outdated_deployments);
        let deployed = self.jobs.values().rev().find(|other| {
            other.status == CiStatus::Success
                && other.plan.environment.as_ref() == Some(environment)
                && self.pipeline(other.pipeline_id).map(|p| p.project_id)
                    == Some(pipeline.project_id)
        });
        let newer = |other: &Job| {
            let sha = self.pipeline(other.pipeline_id).map(|p| &p.sha);
            other.id > job.id && sha != Some(&pipeline.sha)
        };
        prevented && deployed.is_some_and(newer)
    }

    /// Whether nobody may retry or play this outdated deployment. The retry of an ended one is a rollback,
    /// which a project may allow.
    pub(super) fn refuses_outdated(&self, job: &Job) -> bool {
        let rollback = self
            .pipeline(job.pipeline_id)
            .and_then(|pipeline| self.project(pipeline.project_id))
            .is_some_and(|project| project.allows_rollback);
        !(rollback && job.status.is_terminal()) && self.is_outdated(job)
    }
}

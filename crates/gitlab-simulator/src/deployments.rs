//! Deployments: a job with an environment is outdated once a newer one deployed there.

use super::entity::{CiStatus, Job, OutdatedDeployments};
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
        let of_pipeline = |job: &Job| self.pipeline(job.pipeline_id);
        let deployed = self.jobs.values().rev().find(|other| {
            other.status == CiStatus::Success
                && other.plan.environment.as_ref() == Some(environment)
                && of_pipeline(other).is_some_and(|p| p.project_id == pipeline.project_id)
        });
        let newer = |other: &Job| {
            other.id > job.id && of_pipeline(other).is_some_and(|p| p.sha != pipeline.sha)
        };
        self.outdated_deployments(job) != OutdatedDeployments::Run && deployed.is_some_and(newer)
    }

    /// Whether nobody may retry or play this outdated deployment. The retry of an ended one is a rollback,
    /// which a project may allow.
    pub(super) fn refuses_outdated(&self, job: &Job) -> bool {
        let rollback = self.outdated_deployments(job) == OutdatedDeployments::RollBack;
        !(rollback && job.status.is_terminal()) && self.is_outdated(job)
    }

    fn outdated_deployments(&self, job: &Job) -> OutdatedDeployments {
        self.pipeline(job.pipeline_id)
            .and_then(|pipeline| self.project(pipeline.project_id))
            .map_or(OutdatedDeployments::Run, |project| {
                project.outdated_deployments
            })
    }
}

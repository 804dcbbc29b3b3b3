//! Deployments: a job with an environment is outdated once a newer one deployed there.

use serde_json::{Value, json};

use super::entity::{CiStatus, Job, OutdatedDeployments, Pipeline};
use super::world::World;

impl World {
    /// The jobs of a project that deployed, or tried to, oldest first.
    pub(super) fn deployments(&self, project: u64) -> Vec<(&Job, &Pipeline)> {
        let has_run = |job: &&Job| job.plan.environment.is_some() && job.started_at.is_some();
        let jobs = self.jobs.values().filter(has_run);
        let with_pipeline = jobs.filter_map(|job| Some((job, self.pipeline(job.pipeline_id)?)));
        with_pipeline
            .filter(|(_, pipeline)| pipeline.project_id == project)
            .collect()
    }

    /// An entry of `GET /projects/:id/deployments`.
    pub(super) fn deployment_payload(&self, job: &Job, pipeline: &Pipeline) -> Value {
        json!({
            // One deployment an attempt.
            "id": job.id,
            "iid": job.id,
            "ref": pipeline.ref_name,
            "sha": pipeline.sha,
            "created_at": job.created_at.iso(),
            "updated_at": job.finished_at.unwrap_or(job.created_at).iso(),
            "status": job.status.as_str(),
            "user": self.user_payload(job.user),
            "environment": { "name": job.plan.environment },
            "deployable": self.job_payload(job, pipeline),
        })
    }

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

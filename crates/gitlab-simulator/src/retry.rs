//! Retries of single jobs, automatic, by hand and through the API.

use std::sync::Arc;

use super::accounts::Accounts;
use super::entity::{CiStatus, Job};
use super::ledger::ActionKind;
use super::world::World;

/// The reason why a job was not retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetryRefused {
    /// The job does not exist.
    #[error("there is no such job")]
    NotFound,
    /// The job has not finished, or a later attempt exists.
    #[error("Job is not retryable")]
    NotRetryable,
}

/// Reasons after which GitLab never retries a job by itself.
const NEVER_AUTOMATIC: [&str; 6] = [
    "ci_quota_exceeded",
    "no_matching_runner",
    "missing_dependency_failure",
    "forward_deployment_failure",
    "failed_outdated_deployment_job",
    "environment_creation_failure",
];

/// Retries after a failure of GitLab's scheduler, which nobody has to ask for.
const SCHEDULER_RETRIES: usize = 2;

/// Failures of a trigger job that a retry cannot change.
const HOPELESS_BRIDGES: [&str; 2] = [
    "pipeline_loop_detected",
    "reached_max_descendant_pipelines_depth",
];

impl Job {
    /// Whether GitLab allows to retry it, archived jobs and deployments aside.
    pub(super) fn is_retryable(&self) -> bool {
        let reason = self.failure_reason.as_deref().unwrap_or_default();
        let ended = matches!(
            self.status,
            CiStatus::Success | CiStatus::Failed | CiStatus::Canceled | CiStatus::Canceling
        );
        ended && !self.retried && !(self.is_bridge() && HOPELESS_BRIDGES.contains(&reason))
    }

    /// Whether an automatic retry follows. All earlier attempts use up `retry:`, also those by hand.
    pub(super) fn retries_itself(&self) -> bool {
        let reason = self.failure_reason.as_deref().unwrap_or_default();
        let budget = match reason {
            "scheduler_failure" => self.plan.retry.max(SCHEDULER_RETRIES),
            _ if NEVER_AUTOMATIC.contains(&reason) => 0,
            _ => self.plan.retry,
        };
        self.status == CiStatus::Failed && !self.retried && self.attempt < budget
    }
}

impl World {
    /// Retries a finished job by hand, without asking for rights. Returns the id of the new attempt.
    pub fn retry_job(&mut self, job: u64) -> Result<u64, RetryRefused> {
        let old = self.jobs.get(&job).ok_or(RetryRefused::NotFound)?;
        if !old.is_retryable() {
            return Err(RetryRefused::NotRetryable);
        }
        self.retry_unchecked(job, Accounts::OWNER)
            .ok_or(RetryRefused::NotFound)
    }

    /// Retries a job through the API although a later attempt may exist: GitLab checks this before it takes
    /// the lock.
    pub(super) fn retry_through_api(&mut self, job: u64, user: u64) -> Option<u64> {
        let new = self.retry_unchecked(job, user)?;
        self.record(ActionKind::RetryJob, user, job, Some(new));
        Some(new)
    }

    fn retry_unchecked(&mut self, job: u64, user: u64) -> Option<u64> {
        let new = self.clone_job(job, user)?;
        let clone = self.jobs.get_mut(&new)?;
        clone.started_by_hand = true;
        let pipeline = clone.pipeline_id;
        if self.drop_if_hopeless(new) {
            return Some(new);
        }
        self.revive_after(job, user);
        self.process(pipeline);
        Some(new)
    }

    /// The automatic retry of a failed job. It starts at once, and as the user of the failed attempt.
    pub(super) fn retry_itself(&mut self, job: u64) {
        let Some(user) = self.jobs.get(&job).map(|job| job.user) else {
            return;
        };
        let Some(new) = self.clone_job(job, user) else {
            return;
        };
        if let Some(clone) = self.jobs.get_mut(&new) {
            clone.started_by_hand = true;
        }
        self.process_job(new);
    }

    /// Creates another attempt of a job. All earlier ones become retried ones, also those that still run.
    pub(super) fn clone_job(&mut self, job: u64, user: u64) -> Option<u64> {
        let old = self.jobs.get(&job)?;
        let (pipeline, plan) = (old.pipeline_id, Arc::clone(&old.plan));
        let earlier: Vec<u64> = self
            .jobs_of(pipeline)
            .filter(|job| job.plan.name == plan.name)
            .map(|job| job.id)
            .collect();
        for id in &earlier {
            if let Some(job) = self.jobs.get_mut(id) {
                job.retried = true;
            }
        }
        Some(self.create_job(pipeline, plan, earlier.len(), user))
    }

    /// Fails a new attempt at once if the project has a reason for that.
    pub(super) fn drop_if_hopeless(&mut self, job: u64) -> bool {
        let project = self
            .jobs
            .get(&job)
            .filter(|job| !job.is_bridge())
            .and_then(|job| self.pipeline(job.pipeline_id))
            .and_then(|pipeline| self.project(pipeline.project_id));
        let reason = project.and_then(|project| project.drop_reason.clone());
        let dropped = reason.is_some();
        if dropped {
            self.finish_job(job, CiStatus::Failed, reason);
        }
        dropped
    }
}

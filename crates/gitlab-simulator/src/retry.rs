//! Retries of jobs, automatic and by hand.

use std::sync::Arc;

use super::entity::{CiStatus, Job};
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

impl World {
    /// Retries a finished job by hand. Returns the id of the new attempt.
    pub fn retry_job(&mut self, job: u64) -> Result<u64, RetryRefused> {
        let old = self.jobs.get(&job).ok_or(RetryRefused::NotFound)?;
        let retryable = matches!(
            old.status,
            CiStatus::Success | CiStatus::Failed | CiStatus::Canceled
        );
        if old.retried || !retryable {
            return Err(RetryRefused::NotRetryable);
        }
        let pipeline = old.pipeline_id;
        let new = self.next_attempt(job).ok_or(RetryRefused::NotFound)?;
        self.revive_skipped(pipeline, new);
        self.process(pipeline);
        Ok(new)
    }

    /// Creates and enqueues another attempt. Returns its id.
    pub(super) fn next_attempt(&mut self, job: u64) -> Option<u64> {
        let old = self.jobs.get_mut(&job)?;
        old.retried = true;
        let (pipeline, plan, attempt) = (old.pipeline_id, Arc::clone(&old.plan), old.attempt + 1);
        let new = self.create_job(pipeline, plan, attempt);
        self.enqueue(new);
        Some(new)
    }

    /// Sets the skipped jobs of later stages back to `created`.
    fn revive_skipped(&mut self, pipeline: u64, retried: u64) {
        let Some(stages) = self.pipelines.get(&pipeline).map(|p| p.stages.clone()) else {
            return;
        };
        let position = |job: &Job| stages.iter().position(|stage| *stage == job.plan.stage);
        let from = self.jobs.get(&retried).and_then(position);
        let skipped: Vec<u64> = self
            .jobs_of(pipeline)
            .filter(|job| job.status == CiStatus::Skipped && position(job) > from)
            .map(|job| job.id)
            .collect();
        for id in skipped {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.status = CiStatus::Created;
                job.finished_at = None;
            }
        }
    }
}

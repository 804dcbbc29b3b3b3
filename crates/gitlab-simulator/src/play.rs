//! What clients do to single jobs besides retrying them: start and cancel.

use super::entity::{CiStatus, Job};
use super::ledger::ActionKind;
use super::world::World;

impl Job {
    /// Whether it can be started by hand: it waits for that, or it is a manual job that has ended.
    pub(super) fn is_playable(&self) -> bool {
        match self.status {
            CiStatus::Manual | CiStatus::Scheduled => true,
            _ => self.plan.manual && self.is_retryable(),
        }
    }
}

impl World {
    /// Throws away what GitLab needs to run a job again.
    pub fn archive_job(&mut self, job: u64) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.archived = true;
        }
    }

    /// Starts a waiting job. A manual job that has ended is retried.
    pub(super) fn play_job(&mut self, id: u64, user: u64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !matches!(job.status, CiStatus::Manual | CiStatus::Scheduled) {
            self.retry_through_api(id, user);
            return;
        }
        (job.started_by_hand, job.user) = (true, user);
        let pipeline = job.pipeline_id;
        self.enqueue(id);
        self.revive_after(id, user);
        self.process(pipeline);
        self.record(ActionKind::PlayJob, user, id, None);
    }

    /// Cancels a job through the API. Does nothing if it has ended.
    pub(super) fn cancel_job_as(&mut self, id: u64, user: u64) {
        let ended = |job: &Job| job.status.is_terminal();
        if self.jobs.get(&id).is_none_or(ended) {
            return;
        }
        self.stop_job(id);
        self.record(ActionKind::CancelJob, user, id, None);
    }

    /// Cancels a job, a running one after the time that its runner takes.
    pub(super) fn stop_job(&mut self, id: u64) {
        let takes = self.settings.cancel_takes;
        let running = |job: &Job| job.status == CiStatus::Running && !job.is_bridge();
        if takes.is_zero() || !self.jobs.get(&id).is_some_and(running) {
            self.finish_job(id, CiStatus::Canceled, None);
            return;
        }
        self.move_job(id, CiStatus::Canceling);
        self.after(takes, move |world| {
            let job = world.jobs.get(&id);
            if job.is_some_and(|job| job.status == CiStatus::Canceling) {
                world.finish_job(id, CiStatus::Canceled, None);
            }
        });
    }
}

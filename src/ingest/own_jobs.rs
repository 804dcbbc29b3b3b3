//! The jobs of one pipeline, and whether they explain its status. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::sight::{Doubt, is_settled};
use crate::gitlab::{Bridge, Listing};
use ci_history::{JobObservation, Status, Timestamp};

/// The last attempts of a pipeline's own jobs and trigger jobs.
#[derive(Debug)]
pub(super) struct OwnJobs {
    last: HashMap<Arc<str>, Last>,
    /// Whether any attempt has not settled.
    unsettled: bool,
    in_flight: bool,
    /// Attempts of jobs that are no trigger jobs.
    listed: usize,
    /// Whether these are all jobs that GitLab listed.
    complete: bool,
}

#[derive(Debug)]
struct Last {
    id: u64,
    /// Whether the job fails its pipeline.
    fails: bool,
}

impl OwnJobs {
    pub(super) fn of(jobs: &[JobObservation], complete: bool) -> Self {
        let mut own = Self {
            last: HashMap::new(),
            unsettled: false,
            in_flight: false,
            listed: jobs.len(),
            complete,
        };
        for job in jobs {
            own.add(job);
        }
        own
    }

    pub(super) fn add_trigger_jobs(&mut self, bridges: &Listing<Bridge>) {
        self.complete &= bridges.rejected.is_empty();
        for bridge in &bridges.items {
            self.add(&bridge.job);
        }
    }

    /// Whether all jobs stay as they are until a user acts.
    pub(super) fn is_settled(&self) -> bool {
        !self.unsettled
    }

    /// How the jobs contradict a pipeline's status.
    pub(super) fn doubt(&self, status: Status) -> Option<Doubt> {
        let is_missing = match status {
            Status::Blocked if self.in_flight => return Some(Doubt::Unsettled),
            Status::Blocked => false,
            _ if !status.is_terminal() => return None,
            _ if self.unsettled => return Some(Doubt::Unsettled),
            // GitLab creates no jobs for a commit that asks to skip CI.
            Status::Skipped => false,
            Status::Failed => !self.any_fails(),
            Status::Success => self.last.is_empty() || self.any_fails(),
            _ => self.last.is_empty(),
        };
        let is_hidden = self.listed == 0 && !self.last.is_empty();
        let doubt = if is_missing {
            Some(Doubt::Missing)
        } else {
            is_hidden.then_some(Doubt::Hidden)
        };
        doubt.filter(|_| self.complete)
    }

    fn any_fails(&self) -> bool {
        self.last.values().any(|last| last.fails)
    }

    fn add(&mut self, job: &JobObservation) {
        self.unsettled |= !is_settled(job.status);
        self.in_flight |= matches!(
            job.status,
            Status::Pending | Status::Running | Status::Canceling
        );
        let last = Last {
            id: job.id,
            fails: job.status == Status::Failed && !job.allow_failure,
        };
        let known = self.last.get(&job.name);
        if known.is_none_or(|known| known.id < last.id) {
            self.last.insert(job.name.clone(), last);
        }
    }
}

/// The last time at which something happened to one of these jobs.
pub(super) fn last_moved(jobs: &[JobObservation]) -> Option<Timestamp> {
    jobs.iter().filter_map(moved_at).max()
}

/// The last time at which something happened to a job.
pub(super) fn moved_at(job: &JobObservation) -> Option<Timestamp> {
    let times = [
        job.created_at,
        job.started_at,
        job.finished_at,
        job.moved_at,
    ];
    times.into_iter().flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::samples::job;

    fn doubt(status: Status, jobs: &[JobObservation]) -> Option<Doubt> {
        OwnJobs::of(jobs, true).doubt(status)
    }

    #[test]
    fn a_pipeline_that_ended_is_doubted_while_a_job_has_not() {
        for status in [Status::Created, Status::Pending, Status::Running] {
            let jobs = [job(1, "unit", status), job(2, "lint", Status::Failed)];
            assert_eq!(doubt(Status::Failed, &jobs), Some(Doubt::Unsettled));
            assert_eq!(doubt(Status::Running, &jobs), None);
        }
        let waits = [job(1, "deploy", Status::Blocked)];
        assert_eq!(doubt(Status::Success, &waits), None);
        let later = [job(1, "deploy", Status::Created)];
        assert_eq!(doubt(Status::Blocked, &later), None);
        let running = [job(1, "unit", Status::Running)];
        assert_eq!(doubt(Status::Blocked, &running), Some(Doubt::Unsettled));
    }

    #[test]
    fn a_failed_pipeline_needs_a_job_that_failed_it() {
        let passed = job(1, "unit", Status::Success);
        let failed = job(2, "unit", Status::Failed);
        let mut allowed = failed.clone();
        allowed.allow_failure = true;
        let missing = Some(Doubt::Missing);
        assert_eq!(doubt(Status::Failed, &[]), missing);
        assert_eq!(
            doubt(Status::Failed, std::slice::from_ref(&passed)),
            missing
        );
        assert_eq!(doubt(Status::Failed, &[allowed]), missing);
        assert_eq!(doubt(Status::Failed, &[passed, failed]), None);
    }

    #[test]
    fn a_passed_pipeline_needs_jobs_that_passed_in_their_last_attempt() {
        let failed = job(1, "unit", Status::Failed);
        let retried = job(2, "unit", Status::Success);
        let missing = Some(Doubt::Missing);
        assert_eq!(doubt(Status::Success, &[]), missing);
        assert_eq!(
            doubt(Status::Success, std::slice::from_ref(&failed)),
            missing
        );
        assert_eq!(doubt(Status::Success, &[retried, failed]), None);
        assert_eq!(doubt(Status::Skipped, &[]), None);
    }

    #[test]
    fn a_pipeline_that_only_trigger_jobs_explain_may_hide_its_other_jobs() {
        let with_trigger_job = |jobs: &[JobObservation], status| {
            let mut own = OwnJobs::of(jobs, true);
            let mut bridges = Listing::<Bridge>::default();
            bridges.items.push(Bridge {
                job: job(9, "child", status),
                tag: false,
                commit: None,
                downstream: None,
            });
            own.add_trigger_jobs(&bridges);
            own
        };
        for status in [Status::Failed, Status::Success] {
            let hidden = with_trigger_job(&[], status).doubt(status);
            assert_eq!(hidden, Some(Doubt::Hidden));
            let shown = with_trigger_job(&[job(1, "unit", Status::Success)], status);
            assert_eq!(shown.doubt(status), None);
        }
        let contradicted = with_trigger_job(&[], Status::Success).doubt(Status::Failed);
        assert_eq!(contradicted, Some(Doubt::Missing));
        let goes_on = with_trigger_job(&[], Status::Running).doubt(Status::Running);
        assert_eq!(goes_on, None);
    }

    #[test]
    fn jobs_that_were_rejected_raise_no_doubt() {
        assert_eq!(OwnJobs::of(&[], false).doubt(Status::Failed), None);
    }
}

//! The state as remediation sees it: what failed, and what came of actions.

use ci_history::{Outcome, TimelineKey, Timestamp};

use super::shell::State;
use super::transitions::Rank;
use crate::config::ActionKind;
use crate::http::JobEntry;
use crate::remediation::{Action, ActionResult, FailedJob, Failures, JobName, Recent};

/// How long a log may take to be read before a failure is judged without it, in seconds.
const LOG_WAIT: i64 = 120;

impl Failures for State {
    /// Looks each job up by itself, so that the lock is never held for long.
    fn failed_jobs(&self, since: Timestamp) -> Vec<FailedJob> {
        let timelines = self.lock().timelines.visible();
        let mut failed = Vec::new();
        for timeline in &timelines {
            let failing = timeline.jobs.ranks().iter().filter(|rank| {
                rank.facts.consecutive_failures() > 0
                    && rank.absence().gone_since.is_none()
                    && rank.facts.last_execution().is_some_and(|at| at >= since)
            });
            let jobs = failing.filter_map(|rank| self.entry(&timeline.key, &rank.name));
            failed.extend(jobs.filter_map(|entry| self.failed(timeline.key.project_id, entry)));
        }
        failed
    }

    fn failed_job(&self, job: &JobName) -> Option<FailedJob> {
        self.failed(job.project_id, self.entry(&key_of(job), &job.job)?)
    }

    fn streak(&self, job: &JobName) -> Option<u64> {
        let entry = self.entry(&key_of(job), &job.job)?;
        Some(entry.row.figures.consecutive_failures)
    }

    fn recent(&self, since: Timestamp) -> Recent {
        let timelines = self.lock().timelines.visible();
        let mut recent = Recent::default();
        let ranks = timelines
            .iter()
            .flat_map(|timeline| timeline.jobs.ranks().iter());
        let is_recent = |rank: &&Rank| rank.facts.last_execution().is_some_and(|at| at >= since);
        for rank in ranks.filter(is_recent) {
            recent.add(rank.facts.consecutive_failures() > 0);
        }
        recent
    }

    fn result(&self, action: &Action) -> Option<ActionResult> {
        // The first attempt that counts: before it was seen the execution is still decided by an older one.
        let (job, pipeline, first) = match action.kind {
            ActionKind::Recover => {
                let first = action.started.unwrap_or(action.job_id + 1);
                (&action.job.job, action.pipeline_id, first)
            }
            // A manual job that is played stays the same attempt.
            ActionKind::Play => (action.play.as_ref()?, action.pipeline_id, action.started?),
            ActionKind::Restart => (&action.job.job, action.started?, 0),
            ActionKind::RunSchedule => return None,
        };
        let entry = self.entry(&key_of(&action.job), job)?;
        let window = entry.row.figures.window.iter();
        let execution = window.rev().find(|it| it.pipeline_id == Some(pipeline))?;
        let is_new = execution.job_id.is_some_and(|id| id >= first);
        match execution.outcome {
            Outcome::Passed | Outcome::AllowedFailure if is_new => Some(ActionResult::Passed),
            Outcome::Failed if is_new => Some(ActionResult::Failed),
            _ => None,
        }
    }

    fn project_id(&self, path: &str) -> Option<u64> {
        Some(self.lock().projects.at(path)?.id)
    }

    fn gitlab_is_down(&self) -> bool {
        !self.telemetry().circuit_is_closed()
    }

    fn now(&self) -> Timestamp {
        self.clock.gitlab_now()
    }
}

impl State {
    /// A job as a failure, once its class is known.
    fn failed(&self, project_id: u64, entry: JobEntry) -> Option<FailedJob> {
        let figures = &entry.row.figures;
        let failing = figures.failing.as_ref()?;
        let newest = figures.window.last()?;
        let failed_at = newest.finished_at?;
        let age = self.clock.gitlab_now().unix() - failed_at.unix();
        if self.policy.read_logs && !failing.log_was_read && age < LOG_WAIT {
            return None;
        }
        Some(FailedJob {
            project_id,
            ref_name: entry.ref_name,
            track: entry.track,
            team: entry.team,
            pipeline_id: failing.pipeline_id?,
            job_id: failing.job_id?,
            failed_at,
            class: failing.failure_class?,
            reason: failing.failure_reason.clone(),
            log_rule: failing.log_rule.clone(),
            streak: figures.consecutive_failures,
            project: entry.project,
            name: entry.row.name,
            stage: entry.row.stage,
        })
    }
}

fn key_of(job: &JobName) -> TimelineKey {
    TimelineKey::new(job.project_id, job.ref_name.clone()).with_track(job.track.clone())
}

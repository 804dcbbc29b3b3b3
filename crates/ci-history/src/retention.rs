//! The latest activity of histories, by which they expire.

use std::sync::Arc;

use super::execution::Execution;
use super::history::History;
use super::timeline::Timeline;
use super::{Rules, Timestamp};

impl Timeline {
    /// Sets `first_seen` to `now` in histories without any time, such as imported ones: they would never
    /// expire otherwise. Returns whether there were any.
    pub fn stamp_undated(&mut self, now: Timestamp) -> bool {
        let jobs = self.jobs.values_mut().map(|job| &mut job.history);
        let undated = jobs
            .chain([&mut self.pipelines])
            .filter(|history| history.last_activity().is_none());
        let mut any = false;
        for history in undated {
            history.first_seen = Some(now);
            any = true;
        }
        any
    }

    /// Drops the jobs without activity since `cutoff` that were missing in a whole window of newer pipelines;
    /// returns their names. A job that runs seldom keeps its history in a ref that runs seldom, too.
    pub fn expire(&mut self, cutoff: Timestamp, rules: &Rules) -> Vec<Arc<str>> {
        let expired: Vec<Arc<str>> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.history.last_activity().is_some_and(|at| at < cutoff))
            .filter(|(_, job)| self.pipelines_since(&job.history) >= rules.window)
            .map(|(name, _)| name.clone())
            .collect();
        for name in &expired {
            self.jobs.remove(name);
        }
        expired
    }

    /// The kept pipelines of the ref that are newer than the last one of a job.
    fn pipelines_since(&self, job: &History) -> usize {
        let last = job.kept.last().map(|execution| execution.pipeline_id);
        let last = last.unwrap_or(job.baseline.settled_through);
        let pipelines = self.pipelines.kept.iter();
        pipelines
            .filter(|pipeline| pipeline.pipeline_id > last)
            .count()
    }

    /// The latest time in any history of the ref.
    pub fn last_activity(&self) -> Option<Timestamp> {
        let of_jobs = self.jobs.values().map(|job| job.history.last_activity());
        self.pipelines.last_activity().max(of_jobs.max().flatten())
    }
}

impl History {
    fn last_activity(&self) -> Option<Timestamp> {
        self.kept
            .iter()
            .flat_map(Execution::listed_attempts)
            .filter_map(|attempt| attempt.times.at())
            .max()
            .max(self.baseline.last_execution)
            .max(self.first_seen)
    }
}

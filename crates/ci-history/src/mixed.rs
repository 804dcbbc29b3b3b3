//! Executions that were counted before the tracks of a ref were apart, and that their own track counts later.
//!
//! A timeline keeps only its newest executions one by one. What it settled before its tracks came apart is in its
//! sums, whatever the track. When such a pipeline is read again for its own track, it leaves the sums.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::baseline::Baseline;
use super::history::History;
use super::timeline::Timeline;
use super::{ClassCounts, OutcomeCounts, PipelineObservation};

/// The counters of all histories of a timeline.
#[derive(Debug, Clone, Default)]
pub struct Tallies {
    pipelines: Tally,
    jobs: BTreeMap<Arc<str>, Tally>,
}

/// The counters of a history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) executions: OutcomeCounts,
    pub(crate) failures: ClassCounts,
    pub(crate) flaky: u64,
    pub(crate) retries: u64,
}

impl Timeline {
    /// The counters as they are now.
    pub fn tallies(&self) -> Tallies {
        let jobs = self.jobs.iter();
        Tallies {
            pipelines: self.pipelines.tally_all(),
            jobs: jobs
                .map(|(name, job)| (name.clone(), job.history.tally_all()))
                .collect(),
        }
    }

    /// Whether a pipeline of another track may be in the sums.
    pub fn may_mix(&self, pipeline_id: u64) -> bool {
        pipeline_id <= self.mixed_through
    }

    /// Takes what another track has counted of a pipeline since `before` out of the sums.
    pub fn uncount(&mut self, pipeline: &PipelineObservation, before: &Tallies, after: &Tallies) {
        let gained = after.pipelines.since(&before.pipelines);
        self.pipelines.uncount(pipeline, &gained);
        for (name, after) in &after.jobs {
            if let Some(job) = self.jobs.get_mut(name) {
                let nothing = Tally::default();
                let gained = after.since(before.jobs.get(name).unwrap_or(&nothing));
                job.history.uncount(pipeline, &gained);
            }
        }
    }

    /// From now on other timelines count the pipelines of other tracks.
    pub(crate) fn note_mixed(&mut self) {
        let newest = self.pipelines.kept.last();
        let newest = newest.map_or(0, |pipeline| pipeline.pipeline_id);
        self.mixed_through = self.mixed_through.max(newest).max(self.newest_finished);
    }
}

impl History {
    /// The counters over all executions, the kept ones included.
    pub(crate) fn tally_all(&self) -> Tally {
        let mut totals = Baseline {
            executions: self.baseline.executions,
            failures: self.baseline.failures,
            flaky: self.baseline.flaky,
            retries: self.baseline.retries,
            ..Baseline::default()
        };
        for execution in &self.kept {
            totals.count(execution.counted);
            totals.retries = totals.retries.saturating_add(execution.retries());
        }
        Tally {
            executions: totals.executions,
            failures: totals.failures,
            flaky: totals.flaky,
            retries: totals.retries,
        }
    }

    fn uncount(&mut self, pipeline: &PipelineObservation, gained: &Tally) {
        let baseline = &mut self.baseline;
        let settled = baseline.settled_through.max(baseline.idle_settled_through);
        let began_before = pipeline.created_at.is_none_or(|at| {
            let first = self.first_seen;
            first.is_none_or(|first| first <= at)
        });
        if pipeline.id > settled || !began_before {
            return;
        }
        baseline.executions.take(&gained.executions);
        baseline.failures.take(&gained.failures);
        baseline.flaky = baseline.flaky.saturating_sub(gained.flaky);
        baseline.retries = baseline.retries.saturating_sub(gained.retries);
    }
}

impl Tally {
    fn since(&self, before: &Self) -> Self {
        let mut gained = self.clone();
        gained.executions.take(&before.executions);
        gained.failures.take(&before.failures);
        gained.flaky = self.flaky.saturating_sub(before.flaky);
        gained.retries = self.retries.saturating_sub(before.retries);
        gained
    }
}

//! Jobs that the newest pipelines of a ref no longer have, because they were removed or renamed.
//!
//! A job is compared with pipelines of the sources in which it used to run, and only once it has missed its
//! usual time: pushes say nothing about a nightly job, and two days say nothing about a weekly one.

use std::sync::Arc;

use arcstr::ArcStr;

use super::finished::{FinishedPipelines, KEPT_FINISHED};
use super::timeline::{Job, Timeline};
use super::{JobObservation, PipelineObservation, Rules, Timestamp};

/// How long a job has been absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absence {
    /// Pipelines in a row without the job, at most [`KEPT_FINISHED`] of each source.
    pub pipelines: u64,
    /// When the job became gone.
    pub gone_since: Option<Timestamp>,
}

impl Timeline {
    /// Notes a pipeline with jobs that has ended; returns whether it is new.
    pub(crate) fn note_finished(
        &mut self,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
    ) -> bool {
        self.finished.note(pipeline, jobs)
    }

    /// How long each job has been absent.
    pub fn absences(&self, rules: &Rules) -> impl Iterator<Item = (&Arc<str>, Absence)> {
        let jobs = self.jobs.iter();
        jobs.map(|(name, job)| (name, job.absence(&self.finished, rules)))
    }
}

impl Job {
    /// Notes that a pipeline has the job; returns whether that is new.
    pub(crate) fn note_presence(&mut self, pipeline: &PipelineObservation) -> bool {
        let source = pipeline.source.as_ref();
        source.is_some_and(|source| self.note_source(source, pipeline.id))
    }

    fn note_source(&mut self, source: &ArcStr, id: u64) -> bool {
        match self
            .sources
            .binary_search_by(|(known, _)| known.cmp(source))
        {
            Ok(at) => {
                let (_, newest) = &mut self.sources[at];
                let is_newer = id > *newest;
                *newest = id.max(*newest);
                is_newer
            }
            Err(at) => {
                self.sources.insert(at, (source.clone(), id));
                true
            }
        }
    }

    pub(crate) fn merge_sources(&mut self, other: &Self) {
        for (source, id) in &other.sources {
            self.note_source(source, *id);
        }
    }

    /// How long the job has been absent from the pipelines of its own sources.
    pub(crate) fn absence(&self, finished: &FinishedPipelines, rules: &Rules) -> Absence {
        let Some(newest) = self.newest_pipeline() else {
            return Absence::default();
        };
        let due = self.overdue_from();
        let absent: Vec<_> = finished
            .after(newest, &self.sources)
            .into_iter()
            .filter(|(_, at)| at.is_none_or(|at| due.is_none_or(|due| at > due)))
            .collect();
        let is_gone = rules.absent_after > 0 && absent.len() >= rules.absent_after;
        let decisive = absent.get(rules.absent_after.saturating_sub(1));
        let gone_since = decisive.filter(|_| is_gone).and_then(|(_, at)| {
            // The pipeline that decided is no longer kept: it lies between these two.
            let is_full = absent.len() >= KEPT_FINISHED;
            if is_full { due.or(*at) } else { *at }
        });
        Absence {
            pipelines: absent.len() as u64,
            gone_since,
        }
    }

    /// The newest pipeline that has the job.
    fn newest_pipeline(&self) -> Option<u64> {
        let kept = self.history.kept.iter();
        let with_attempts = kept.filter(|execution| execution.listed_attempts().next().is_some());
        let of_kept = with_attempts.map(|execution| execution.pipeline_id).max();
        of_kept.max(self.sources.iter().map(|(_, id)| *id).max())
    }

    /// From when on the job has missed its usual time: half as long again after its last execution as the
    /// longest pause between two of its last ones.
    fn overdue_from(&self) -> Option<Timestamp> {
        let ends = |execution: &super::execution::Execution| {
            let attempts = execution.listed_attempts();
            attempts.filter_map(|attempt| attempt.times.at()).max()
        };
        let mut ends: Vec<_> = self.history.kept.iter().filter_map(ends).collect();
        ends.extend(self.history.baseline.last_execution);
        ends.sort_unstable();
        let last = ends.last()?.unix();
        let pauses = ends.array_windows().map(|[a, b]| b.unix() - a.unix());
        let longest = pauses.max().unwrap_or(0);
        Timestamp::from_unix(last + longest + longest / 2)
    }
}

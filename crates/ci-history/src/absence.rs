//! Jobs that the newest pipelines of a ref no longer have, because they were removed or renamed.
//!
//! A job is compared with pipelines of the sources in which it used to run, and only once it has missed its
//! usual time: pushes say nothing about a nightly job, and two days say nothing about a weekly one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::timeline::{Job, Timeline};
use super::{JobObservation, PipelineObservation, Rules, Status, Timestamp};

/// Pipelines that are kept for each source. The greatest value of [`Rules::absent_after`].
pub const KEPT_FINISHED: usize = 50;

/// The newest pipelines with jobs that have ended or wait for a person: id and time of creation by source,
/// ordered by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FinishedPipelines(pub BTreeMap<Arc<str>, Vec<(u64, Option<Timestamp>)>>);

/// How long a job has been absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Absence {
    /// Pipelines in a row without the job, at most [`KEPT_FINISHED`] of each source.
    pub(crate) pipelines: usize,
    /// When the job became gone.
    pub(crate) gone_since: Option<Timestamp>,
}

impl FinishedPipelines {
    /// Returns whether the pipeline is new.
    fn note(&mut self, pipeline: &PipelineObservation, jobs: &[JobObservation]) -> bool {
        let Some(source) = &pipeline.source else {
            return false;
        };
        let is_complete = pipeline.status.is_terminal() || pipeline.status == Status::Blocked;
        // A lagging replica lists no jobs, and a pipeline without jobs could not have had this one.
        is_complete
            && !jobs.is_empty()
            && self.add(
                source,
                pipeline.id,
                pipeline.created_at.or(pipeline.updated_at),
            )
    }

    fn add(&mut self, source: &Arc<str>, id: u64, at: Option<Timestamp>) -> bool {
        let pipelines = match self.0.get_mut(source) {
            Some(pipelines) => pipelines,
            None => self.0.entry(source.clone()).or_default(),
        };
        match pipelines.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(known) => {
                let (_, known) = &mut pipelines[known];
                let joined = at.max(*known);
                std::mem::replace(known, joined) != joined
            }
            Err(0) if pipelines.len() == KEPT_FINISHED => false,
            Err(place) => {
                pipelines.insert(place, (id, at));
                let surplus = pipelines.len().saturating_sub(KEPT_FINISHED);
                pipelines.drain(..surplus);
                true
            }
        }
    }

    /// Joins another replica's pipelines.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (source, pipelines) in &other.0 {
            for (id, at) in pipelines {
                self.add(source, *id, *at);
            }
        }
    }

    /// The pipelines after `id` of these sources, oldest first. Without any source: of all.
    fn after(&self, id: u64, sources: &[(Arc<str>, u64)]) -> Vec<(u64, Option<Timestamp>)> {
        let is_own =
            |source: &Arc<str>| sources.is_empty() || sources.iter().any(|(own, _)| own == source);
        let own = self.0.iter().filter(|(source, _)| is_own(source));
        let mut after: Vec<_> = own
            .flat_map(|(_, pipelines)| pipelines)
            .filter(|(pipeline, _)| *pipeline > id)
            .copied()
            .collect();
        after.sort_unstable();
        after
    }
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
}

impl Job {
    /// Notes that a pipeline has the job; returns whether that is new.
    pub(crate) fn note_presence(&mut self, pipeline: &PipelineObservation) -> bool {
        let source = pipeline.source.as_ref();
        source.is_some_and(|source| self.note_source(source, pipeline.id))
    }

    fn note_source(&mut self, source: &Arc<str>, id: u64) -> bool {
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
                self.sources.reserve_exact(1);
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
            pipelines: absent.len(),
            gone_since,
        }
    }

    /// The newest pipeline that has the job.
    fn newest_pipeline(&self) -> Option<u64> {
        let kept = self.history.kept.iter();
        let with_attempts = kept.filter(|execution| !execution.attempts.is_empty());
        let of_kept = with_attempts.map(|execution| execution.pipeline_id).max();
        of_kept.max(self.sources.iter().map(|(_, id)| *id).max())
    }

    /// From when on the job has missed its usual time: half as long again after its last execution as the
    /// longest pause between two of its last ones.
    fn overdue_from(&self) -> Option<Timestamp> {
        let ends = |execution: &super::execution::Execution| {
            let attempts = execution.attempts.iter();
            attempts.filter_map(|attempt| attempt.at).max()
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

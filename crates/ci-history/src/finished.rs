//! The newest finished pipelines of a ref, with which jobs are compared.

use std::collections::BTreeMap;

use arcstr::ArcStr;

use super::{JobObservation, PipelineObservation, Status, Timestamp};

/// Pipelines that are kept for each source. The greatest value of [`Rules::absent_after`](super::Rules::absent_after).
pub const KEPT_FINISHED: usize = 50;

/// The newest pipelines with jobs that have ended or wait for a person: id and time of creation by source,
/// ordered by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FinishedPipelines(pub BTreeMap<ArcStr, Vec<(u64, Option<Timestamp>)>>);

impl FinishedPipelines {
    /// Returns whether the pipeline is new.
    pub(crate) fn note(&mut self, pipeline: &PipelineObservation, jobs: &[JobObservation]) -> bool {
        let Some(source) = &pipeline.source else {
            return false;
        };
        let is_complete = pipeline.status.is_terminal() || pipeline.status == Status::Blocked;
        // A lagging replica lists no jobs, and a pipeline without jobs could not have had this one.
        is_complete
            && !pipeline.is_partial
            && pipeline.has_jobs(jobs)
            && self.add(
                source,
                pipeline.id,
                pipeline.created_at.or(pipeline.updated_at),
            )
    }

    fn add(&mut self, source: &ArcStr, id: u64, at: Option<Timestamp>) -> bool {
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
    pub(crate) fn after(
        &self,
        id: u64,
        sources: &[(ArcStr, u64)],
    ) -> Vec<(u64, Option<Timestamp>)> {
        let is_own =
            |source: &ArcStr| sources.is_empty() || sources.iter().any(|(own, _)| own == source);
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

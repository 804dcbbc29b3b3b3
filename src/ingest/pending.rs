//! Pipelines whose jobs are still to be read, and when a failing one is given up.

use std::collections::BTreeMap;

use super::sight::{Sight, sight_of};
use ci_history::{PipelineObservation, Timestamp};

/// A pipeline is given up after so many failed readings, and not before so many seconds of them.
pub(super) const TRIES: u32 = 8;
const TRIED_FOR: i64 = 6 * 60 * 60;

/// The pipelines of a project whose jobs are still to be read, by id.
#[derive(Debug, Default)]
pub(super) struct PendingReads(BTreeMap<u64, PendingRead>);

#[derive(Debug)]
struct PendingRead {
    pipeline: PipelineObservation,
    failures: u32,
    first_failure: Option<Timestamp>,
}

/// The pipelines to read in a cycle, each list oldest first.
#[derive(Debug, Default)]
pub(super) struct ReadPlan {
    /// Pipelines that moved, or may have.
    pub(super) fresh: Vec<PipelineObservation>,
    /// Pipelines that could not be read the last time.
    pub(super) again: Vec<PipelineObservation>,
}

impl PendingReads {
    pub(super) fn pipelines(&self) -> impl Iterator<Item = &PipelineObservation> {
        self.0.values().map(|pending| &pending.pipeline)
    }

    pub(super) fn include(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn retain_refs(&mut self, is_watched: impl Fn(&str) -> bool) {
        self.0
            .retain(|_, pending| is_watched(&pending.pipeline.ref_name));
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.0.remove(&id);
    }

    /// Makes these the pending ones, by id. Those that were pending before keep count of their failures.
    pub(super) fn replace(&mut self, pipelines: BTreeMap<u64, PipelineObservation>) -> ReadPlan {
        let mut before = std::mem::take(&mut self.0);
        let mut plan = ReadPlan::default();
        for (id, pipeline) in pipelines {
            let former = before.remove(&id);
            let list = match &former {
                Some(_) => &mut plan.again,
                None => &mut plan.fresh,
            };
            list.push(pipeline.clone());
            let pending = PendingRead {
                pipeline,
                failures: former.as_ref().map_or(0, |former| former.failures),
                first_failure: former.and_then(|former| former.first_failure),
            };
            self.0.insert(id, pending);
        }
        plan
    }

    /// Counts a failed reading; returns the last sight of the pipeline if it is to be given up.
    pub(super) fn fail(&mut self, id: u64, now: Timestamp) -> Option<Sight> {
        let pending = self.0.get_mut(&id)?;
        pending.failures += 1;
        let since = *pending.first_failure.get_or_insert(now);
        let gives_up = pending.failures >= TRIES && now.unix() - since.unix() >= TRIED_FOR;
        gives_up.then(|| sight_of(&pending.pipeline))
    }
}

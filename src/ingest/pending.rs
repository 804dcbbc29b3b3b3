//! Pipelines whose jobs are still to be read, and when those that failed are tried again.

use std::collections::BTreeMap;

use super::recheck::{Readings, Reason};
use super::sight::sight_of;
use ci_history::{PipelineObservation, Timestamp};

/// The watermark waits for a failing pipeline for so many readings, and at least so many seconds.
pub(super) const TRIES: u32 = 8;
const TRIED_FOR: i64 = 6 * 60 * 60;

/// The pipelines of a project whose jobs are still to be read, by id. Boxed as the open ones.
#[derive(Debug, Default)]
pub(super) struct PendingReads(BTreeMap<u64, Box<PendingRead>>);

#[derive(Debug)]
struct PendingRead {
    pipeline: PipelineObservation,
    failures: u32,
    first_failure: Option<Timestamp>,
    readings: Readings,
    holds_watermark: bool,
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

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the watermark waits for a pipeline.
    pub(super) fn holds_watermark(&self) -> bool {
        self.0.values().any(|pending| pending.holds_watermark)
    }

    /// Whether a pipeline is pending as it is listed now.
    pub(super) fn has_seen(&self, pipeline: &PipelineObservation) -> bool {
        let pending = self.0.get(&pipeline.id);
        pending.is_some_and(|pending| sight_of(&pending.pipeline) == sight_of(pipeline))
    }

    pub(super) fn include(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn retain_refs(&mut self, is_watched: impl Fn(&str) -> bool) {
        self.0
            .retain(|_, pending| is_watched(&pending.pipeline.ref_name));
    }

    /// A pipeline is to be read.
    pub(super) fn add(&mut self, pipeline: PipelineObservation) {
        let id = pipeline.id;
        self.0
            .entry(id)
            .or_insert_with(|| Box::new(PendingRead::new(pipeline)));
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.0.remove(&id);
    }

    /// Makes these the pending ones, by id. Those that failed before keep count of it, and are in the plan when
    /// they are due or have moved.
    pub(super) fn replace(
        &mut self,
        pipelines: BTreeMap<u64, PipelineObservation>,
        now: Timestamp,
    ) -> ReadPlan {
        let mut before = std::mem::take(&mut self.0);
        let mut plan = ReadPlan::default();
        for (id, pipeline) in pipelines {
            let pending = match before.remove(&id) {
                None => {
                    plan.fresh.push(pipeline.clone());
                    PendingRead::new(pipeline)
                }
                Some(former) => {
                    let moved = sight_of(&former.pipeline) != sight_of(&pipeline);
                    if moved || former.is_due(now) {
                        plan.again.push(pipeline.clone());
                    }
                    PendingRead {
                        pipeline,
                        holds_watermark: former.holds_watermark || moved,
                        ..*former
                    }
                }
            };
            self.0.insert(id, Box::new(pending));
        }
        plan
    }

    /// Counts a failed reading; returns whether the watermark waits no longer for the pipeline.
    pub(super) fn fail(&mut self, id: u64, now: Timestamp) -> bool {
        let Some(pending) = self.0.get_mut(&id) else {
            return false;
        };
        pending.failures += 1;
        pending.readings.note(now);
        let since = *pending.first_failure.get_or_insert(now);
        let is_long = pending.failures >= TRIES && now.unix() - since.unix() >= TRIED_FOR;
        std::mem::replace(&mut pending.holds_watermark, !is_long) && is_long
    }
}

impl PendingRead {
    fn new(pipeline: PipelineObservation) -> Self {
        Self {
            pipeline,
            failures: 0,
            first_failure: None,
            readings: Readings::default(),
            holds_watermark: true,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.readings.due_in(Reason::Failing, now) == 0
    }
}

//! The kept pipelines of a timeline, with how many of their jobs failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arcstr::ArcStr;

use super::timeline::Timeline;
use super::{CommitInfo, ExecutionState, Outcome, Rules, Span, Timestamp};

/// A pipeline without its jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineSummary {
    /// GitLab's pipeline id.
    pub id: u64,
    /// Commit of the pipeline.
    pub commit: ArcStr,
    /// Title and author of the commit; known if the pipeline failed.
    pub info: Option<Arc<CommitInfo>>,
    /// What started it, in GitLab's words; known of the last finished ones.
    pub source: Option<ArcStr>,
    /// State of the pipeline as a whole.
    pub state: ExecutionState,
    /// End of the pipeline; its creation while it runs.
    pub at: Option<Timestamp>,
    /// Time during which at least one job ran.
    pub duration: Option<Span>,
}

/// The kept executions of a pipeline's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// All of them.
    pub jobs: usize,
    /// Those that failed.
    pub failed: usize,
}

impl Timeline {
    /// The kept pipelines, the newest first.
    pub fn pipeline_summaries(&self, rules: &Rules) -> Vec<PipelineSummary> {
        let rules = rules.for_pipelines();
        let newest_first = self.pipelines.kept.iter().rev();
        let listed = newest_first.filter(|it| it.listed_attempts().next().is_some());
        let summaries = listed.map(|execution| {
            let attempt = execution.deciding(&rules);
            PipelineSummary {
                id: execution.pipeline_id,
                commit: execution.commit.clone(),
                info: attempt.and_then(|attempt| attempt.commit_info()).cloned(),
                source: self.source_of(execution.pipeline_id),
                state: execution.state(&rules),
                at: attempt.and_then(|attempt| attempt.times.at()),
                duration: attempt.and_then(|attempt| attempt.times.duration()),
            }
        });
        summaries.collect()
    }

    fn source_of(&self, id: u64) -> Option<ArcStr> {
        let mut sources = self.finished.0.iter();
        let of_id = |pipelines: &Vec<(u64, Option<Timestamp>)>| {
            pipelines.binary_search_by_key(&id, |(id, _)| *id).is_ok()
        };
        let found = sources.find(|(_, pipelines)| of_id(pipelines));
        found.map(|(source, _)| source.clone())
    }

    /// Adds the executions of a job to the counts of their pipelines.
    pub fn count_executions(
        &self,
        job: &str,
        counts: &mut BTreeMap<u64, JobCounts>,
        rules: &Rules,
    ) {
        let Some(job) = self.jobs.get(job) else {
            return;
        };
        let kept = job.history.kept.iter();
        for execution in kept.filter(|it| it.listed_attempts().next().is_some()) {
            let counts = counts.entry(execution.pipeline_id).or_default();
            counts.jobs += 1;
            if execution.state(rules) == ExecutionState::Ended(Outcome::Failed) {
                counts.failed += 1;
            }
        }
    }
}

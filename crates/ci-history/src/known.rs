//! The pipelines and attempts that a timeline already knows, and the pipelines that are still open.

use std::collections::BTreeSet;

use super::attempt::Phase;
use super::execution::Execution;
use super::timeline::Timeline;
use super::{PipelineObservation, Rules, Status, Timestamp};

impl Timeline {
    /// A kept pipeline as it was last observed.
    pub fn known_pipeline(&self, pipeline_id: u64) -> Option<PipelineObservation> {
        let kept = &self.pipelines.kept;
        let at = kept
            .binary_search_by_key(&pipeline_id, |pipeline| pipeline.pipeline_id)
            .ok()?;
        self.as_observed(kept.get(at)?)
    }

    /// Whether there is a history of jobs of this name.
    pub fn has_job(&self, job: &str, rules: &Rules) -> bool {
        self.jobs.contains_key(&*rules.job_names.history_name(job))
    }

    /// Pipelines that may still change, as they were last observed: unfinished ones, and finished ones
    /// with unfinished jobs, because a child pipeline may outlive its parent.
    ///
    /// A blocked pipeline is among them only while a job of it is in flight.
    pub fn open_pipelines(&self) -> impl Iterator<Item = PipelineObservation> {
        let with_unfinished_jobs = self
            .pipelines_with_last_attempts(|phase| phase == Phase::Waiting || phase.is_in_flight());
        // Jobs in the later stages of a blocked pipeline wait as it does.
        let with_jobs_in_flight = self.pipelines_with_last_attempts(Phase::is_in_flight);
        self.pipelines.kept.iter().filter_map(move |pipeline| {
            let observed = self.as_observed(pipeline)?;
            let is_open = match observed.status {
                Status::Blocked => with_jobs_in_flight.contains(&pipeline.pipeline_id),
                Status::Success | Status::Failed | Status::Canceled => {
                    with_unfinished_jobs.contains(&pipeline.pipeline_id)
                }
                status => !status.is_terminal(),
            };
            is_open.then_some(observed)
        })
    }

    fn as_observed(&self, pipeline: &Execution) -> Option<PipelineObservation> {
        let attempt = pipeline.attempts.first()?;
        let status = attempt.phase.status();
        Some(PipelineObservation {
            id: pipeline.pipeline_id,
            ref_name: self.key.ref_name.clone(),
            tag: self.key.is_tag(),
            sha: pipeline.commit.clone(),
            status,
            source: None,
            created_at: attempt.times.at().filter(|_| !status.is_terminal()),
            updated_at: Timestamp::from_unix(i64::from(attempt.version)),
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        })
    }

    fn pipelines_with_last_attempts(&self, are: impl Fn(Phase) -> bool) -> BTreeSet<u64> {
        let executions = self.jobs.values().flat_map(|job| &job.history.kept);
        executions
            .filter(|execution| {
                let mut last = execution.last_attempts();
                last.any(|attempt| are(attempt.phase))
            })
            .map(|execution| execution.pipeline_id)
            .collect()
    }
}

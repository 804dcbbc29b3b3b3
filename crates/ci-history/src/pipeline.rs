//! What the histories of a timeline keep of one pipeline.

use std::sync::Arc;

use arcstr::ArcStr;

use super::attempt::{Attempt, Phase};
use super::execution::Execution;
use super::timeline::{Job, Timeline};
use super::{CONFIG_ERROR, FailureClass, Outcome, Rules, Span, Timestamp};

/// One pipeline with the kept executions of its jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineRow {
    /// GitLab's pipeline id.
    pub id: u64,
    /// Commit of the pipeline.
    pub commit: ArcStr,
    /// State of the pipeline as a whole; `None` if only executions of its jobs are kept.
    pub state: Option<ExecutionState>,
    /// Whether GitLab could not create any job from the configuration.
    pub is_config_error: bool,
    /// End of the pipeline; its creation while it runs.
    pub at: Option<Timestamp>,
    /// Time during which at least one job ran.
    pub duration: Option<Span>,
    /// The executions, ordered by the name of the job.
    pub jobs: Vec<ExecutionRow>,
}

/// The execution of one job in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRow {
    /// Name of the history.
    pub job_name: Arc<str>,
    /// Stage of the job.
    pub stage: Arc<str>,
    /// State of the execution.
    pub state: ExecutionState,
    /// Whether a later attempt passed after a failed one.
    pub flaky: bool,
    /// Whether this is the newest execution of a failing job: the one that can be brought back.
    pub is_newest_failure: bool,
    /// Attempts of the job that decides. Jobs that share a history have their own.
    pub attempts: usize,
    /// The deciding attempt.
    pub job_id: u64,
    /// Class of the failure by the log if it was read, else by the reason; `None` unless it failed.
    pub failure_class: Option<FailureClass>,
    /// GitLab's `failure_reason`, raw.
    pub failure_reason: Option<Arc<str>>,
    /// Name of the configured pattern that was found in the log.
    pub log_rule: Option<Arc<str>>,
    /// Time of the deciding attempt on a runner.
    pub duration: Option<Span>,
    /// End of the attempt. Start of a running one, start of the wait of a pending one.
    pub at: Option<Timestamp>,
    /// Page of the attempt in GitLab.
    pub web_url: Option<Box<str>>,
}

/// How far an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// It has this outcome.
    Ended(Outcome),
    /// It runs on a runner.
    Running,
    /// It waits for a runner.
    Pending,
    /// It waits for earlier stages.
    Waiting,
    /// It waits for a person or for a time.
    Blocked,
    /// It has ended without an outcome, by the rules.
    Uncounted,
}

impl Timeline {
    /// What is kept of a pipeline; `None` if that is nothing. A job that was absent from it is not listed.
    pub fn pipeline_row(&self, id: u64, rules: &Rules) -> Option<PipelineRow> {
        let for_pipelines = rules.for_pipelines();
        let whole = self.pipelines.kept_execution(id);
        let jobs: Vec<ExecutionRow> = self
            .jobs
            .iter()
            .filter_map(|(name, job)| {
                job.execution_row(name, id, rules, self.project_url.as_deref())
            })
            .collect();
        let of_job = || {
            let mut histories = self.jobs.values().map(|job| &job.history);
            histories.find_map(|history| history.kept_execution(id))
        };
        let commit = whole.or_else(of_job)?.commit.clone();
        let attempt = whole.and_then(|whole| whole.deciding(&for_pipelines));
        Some(PipelineRow {
            id,
            commit,
            state: whole.map(|whole| whole.state(&for_pipelines)),
            is_config_error: attempt
                .and_then(|attempt| attempt.failure_reason())
                .is_some_and(|reason| **reason == *CONFIG_ERROR),
            at: attempt.and_then(|attempt| attempt.times.at()),
            duration: attempt.and_then(|attempt| attempt.times.duration()),
            jobs,
        })
    }
}

impl Job {
    fn execution_row(
        &self,
        name: &Arc<str>,
        id: u64,
        rules: &Rules,
        project_url: Option<&str>,
    ) -> Option<ExecutionRow> {
        let execution = self.history.kept_execution(id)?;
        // None if the job was absent, or if GitLab does not have its attempts.
        execution.listed_attempts().next()?;
        let attempt = execution.deciding(rules)?;
        let member = attempt.member();
        let newest = self.history.window_candidates(rules).next_back();
        let has_failed = attempt.phase == Phase::Failed;
        Some(ExecutionRow {
            job_name: name.clone(),
            stage: self.stage.clone(),
            state: execution.state(rules),
            flaky: execution.is_flaky(rules),
            is_newest_failure: newest.is_some_and(|(newest, outcome)| {
                newest.pipeline_id == id && outcome == Outcome::Failed
            }),
            attempts: execution
                .listed_attempts()
                .filter(|other| other.member() == member)
                .count(),
            job_id: attempt.id,
            failure_class: has_failed.then(|| attempt.failure_class()),
            failure_reason: attempt.failure_reason().filter(|_| has_failed).cloned(),
            log_rule: attempt.log_rule().cloned(),
            duration: attempt.times.duration(),
            at: attempt.times.at(),
            web_url: attempt.web_url(project_url),
        })
    }
}

impl Execution {
    pub(super) fn state(&self, rules: &Rules) -> ExecutionState {
        if let Some(outcome) = self.outcome(rules) {
            return ExecutionState::Ended(outcome);
        }
        let is_any = |phase: Phase| {
            let is_it = |attempt: &Attempt| attempt.phase == phase;
            self.last_attempts().any(is_it)
        };
        let undecided = [
            (Phase::Running, ExecutionState::Running),
            (Phase::Pending, ExecutionState::Pending),
            (Phase::Waiting, ExecutionState::Waiting),
            (Phase::Blocked, ExecutionState::Blocked),
        ];
        let mut undecided = undecided.into_iter();
        let found = undecided.find(|(phase, _)| is_any(*phase));
        found.map_or(ExecutionState::Uncounted, |(_, state)| state)
    }
}

//! The figures an operator asks of one history, worked out in one pass.

use std::sync::Arc;

use super::{FailureClass, LogExcerpt, Outcome, Span, Timestamp};

/// Executions counted by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts([u64; Outcome::ALL.len()]);

impl OutcomeCounts {
    /// Executions that were seen to have the outcome.
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Mutable count of the outcome.
    pub fn get_mut(&mut self, outcome: Outcome) -> &mut u64 {
        &mut self.0[outcome as usize]
    }

    /// Of every outcome together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Failures counted by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts([u64; FailureClass::ALL.len()]);

impl ClassCounts {
    /// Failures of the class.
    pub fn get(&self, class: FailureClass) -> u64 {
        self.0[class as usize]
    }

    /// Mutable count of the class.
    pub fn get_mut(&mut self, class: FailureClass) -> &mut u64 {
        &mut self.0[class as usize]
    }
}

/// Everything that is known of a failing streak: there only while the streak is above 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failing {
    /// End of the streak's first execution.
    pub since: Option<Timestamp>,
    /// Commit of the streak's first execution.
    pub first_failing_commit: Option<Arc<str>>,
    /// Commit of the last execution that passed before the streak.
    pub last_passing_commit: Option<Arc<str>>,
    /// Attempt that failed last.
    pub job_id: Option<u64>,
    /// Pipeline of that attempt.
    pub pipeline_id: Option<u64>,
    /// Commit of that pipeline.
    pub commit: Option<Arc<str>>,
    /// GitLab's reason, raw.
    pub failure_reason: Option<Arc<str>>,
    /// What the failure is, by the reason and, once it was looked at, the log.
    pub failure_class: Option<FailureClass>,
    /// Whether the log of that attempt was looked at.
    pub log_was_read: bool,
    /// The last lines of the last failure that was looked at.
    pub excerpt: Option<Box<LogExcerpt>>,
    /// Page of the attempt in GitLab.
    pub web_url: Option<Box<str>>,
}

/// The figures of one history, of a job or of a ref's pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Consecutive failing executions up to the newest.
    pub consecutive_failures: u64,
    /// Executions in the window.
    pub window_executions: usize,
    /// Failing executions in the window.
    pub window_failures: usize,
    /// Flaky executions in the window.
    pub window_flaky: usize,
    /// Outcomes of the newest window, oldest first.
    pub window: Vec<WindowEntry>,
    /// Executions so far, by outcome.
    pub executions: OutcomeCounts,
    /// Failures so far, by class.
    pub failures: ClassCounts,
    /// Flaky executions so far.
    pub flaky_executions: u64,
    /// Attempts so far that followed another one of the same execution.
    pub retries: u64,
    /// End of the latest decided execution.
    pub last_execution: Option<Timestamp>,
    /// End of the latest passed execution.
    pub last_success: Option<Timestamp>,
    /// End of the latest failed execution.
    pub last_failure: Option<Timestamp>,
    /// Creation of the first execution known.
    pub first_seen: Option<Timestamp>,
    /// How long the last finished attempt ran.
    pub duration: Option<Span>,
    /// How long the last finished attempt waited for a runner.
    pub queued_duration: Option<Span>,
    /// Median of the passed executions in the window.
    pub usual_duration: Option<Span>,
    /// Start of the oldest running attempt.
    pub running_since: Option<Timestamp>,
    /// Since when the oldest pending attempt waits.
    pub pending_since: Option<Timestamp>,
    /// The streak, while there is one.
    pub failing: Option<Failing>,
}

/// One execution of the window, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowEntry {
    /// Passed, failed or allowed failure.
    pub outcome: Outcome,
    /// Passed on a later attempt after a failed one.
    pub flaky: bool,
    /// Deciding attempt; unknown for an imported or absent execution.
    pub job_id: Option<u64>,
    /// Its pipeline; unknown for an imported execution.
    pub pipeline_id: Option<u64>,
    /// Commit of the pipeline.
    pub commit: Option<Arc<str>>,
    /// Page of the attempt in GitLab.
    pub web_url: Option<Box<str>>,
    /// End of the attempt.
    pub finished_at: Option<Timestamp>,
}

impl Failing {
    /// GitLab's page that compares the last passing with the first failing commit; `None` where one of
    /// them is not known, or both are the same.
    pub fn compare_url(&self, project_url: Option<&str>) -> Option<String> {
        let from = self.last_passing_commit.as_deref()?;
        let to = self.first_failing_commit.as_deref()?;
        let is_id = |commit: &str| {
            !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        (from != to && is_id(from) && is_id(to))
            .then_some(project_url)?
            .map(|base| format!("{base}/-/compare/{from}...{to}"))
    }
}

impl Figures {
    /// Whether the job was ever executed, or is in flight: one that only waits to be started by
    /// somebody is nothing to be shown.
    pub fn is_worth_showing(&self) -> bool {
        let executed = Outcome::ALL
            .iter()
            .any(|outcome| self.executions.get(*outcome) > 0);
        executed
            || self.window_executions > 0
            || self.running_since.is_some()
            || self.pending_since.is_some()
    }

    /// Failing share of the window, 0 to 1; 0 for an empty window.
    pub fn failure_ratio(&self) -> f64 {
        if self.window_executions == 0 {
            0.0
        } else {
            self.window_failures as f64 / self.window_executions as f64
        }
    }
}

/// One job of a timeline with its figures: what is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Name of the history: the label `job_name`.
    pub name: Arc<str>,
    /// Stage of the newest attempt.
    pub stage: Arc<str>,
    /// `allow_failure` of the newest attempt.
    pub allow_failure: bool,
    /// Its figures.
    pub figures: Figures,
}

/// One timeline with the figures of all its histories: what is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRows {
    /// GitLab's project id.
    pub project_id: u64,
    /// Project path with namespace: the label `project`.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Branch or tag: the label `ref`.
    pub ref_name: Arc<str>,
    /// Figures of the pipelines as a unit.
    pub pipelines: Figures,
    /// The jobs, by name.
    pub jobs: Vec<JobRow>,
}

//! The figures of histories, and the rows of timelines.

use std::borrow::Cow;
use std::sync::Arc;

use arcstr::ArcStr;

use super::attempt::attempt_url;
use super::counts::{ClassCounts, OutcomeCounts};
use super::{CommitInfo, FailureClass, LogExcerpt, Outcome, Span, Timestamp};

/// Details of a failing streak.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failing {
    /// End of the streak's first execution.
    pub since: Option<Timestamp>,
    /// Commit of the streak's first execution.
    pub first_failing_commit: Option<ArcStr>,
    /// Title and author of that commit.
    pub first_failing_info: Option<Arc<CommitInfo>>,
    /// Commit of the last execution that passed before the streak.
    pub last_passing_commit: Option<ArcStr>,
    /// Job id of the last failed attempt.
    pub job_id: Option<u64>,
    /// Pipeline of that attempt.
    pub pipeline_id: Option<u64>,
    /// Commit of that pipeline.
    pub commit: Option<ArcStr>,
    /// GitLab's `failure_reason` of that attempt, raw.
    pub failure_reason: Option<Arc<str>>,
    /// Failure class of that attempt by the log if it was read, else by the reason.
    pub failure_class: Option<FailureClass>,
    /// Name of the configured pattern that was found in its log.
    pub log_rule: Option<Arc<str>>,
    /// Whether the log of that attempt was read.
    pub log_was_read: bool,
    /// End of the newest failure log that was read.
    pub excerpt: Option<Box<LogExcerpt>>,
    /// Page of the attempt in GitLab.
    pub web_url: Option<Box<str>>,
}

/// The figures of one history: of a job, or of a ref's pipelines.
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
    /// Executions of the window, oldest first.
    pub window: Vec<WindowEntry>,
    /// Executions so far, by outcome.
    pub executions: OutcomeCounts,
    /// Failures so far, by class.
    pub failures: ClassCounts,
    /// Flaky executions so far.
    pub flaky_executions: u64,
    /// Attempts so far that followed another attempt of the same execution.
    pub retries: u64,
    /// End of the latest decided execution.
    pub last_execution: Option<Timestamp>,
    /// End of the latest passed execution.
    pub last_success: Option<Timestamp>,
    /// End of the latest failed execution.
    pub last_failure: Option<Timestamp>,
    /// Creation of the first known execution.
    pub first_seen: Option<Timestamp>,
    /// Time on a runner of the last attempt that passed or failed.
    pub duration: Option<Span>,
    /// Wait for a runner of the last attempt that passed or failed.
    pub queued_duration: Option<Span>,
    /// Median duration of the passed executions in the window.
    pub usual_duration: Option<Span>,
    /// Start of the oldest running attempt.
    pub running_since: Option<Timestamp>,
    /// Start of the oldest pending attempt's wait.
    pub pending_since: Option<Timestamp>,
    /// Pipelines in a row without the job, counted from its usual time on; 0 for pipelines.
    pub absent_pipelines: u64,
    /// When the job became gone: absent for `absent_after` pipelines. `None` while it is not.
    pub gone_since: Option<Timestamp>,
    /// Details of the streak; `None` if `consecutive_failures` is 0.
    pub failing: Option<Failing>,
}

/// One execution of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowEntry {
    /// An outcome that enters the window: passed, failed or allowed failure.
    pub outcome: Outcome,
    /// Whether a later attempt passed after a failed one.
    pub flaky: bool,
    /// Job id of the deciding attempt; `None` for an imported execution or an absent job.
    pub job_id: Option<u64>,
    /// Pipeline of the execution; `None` for an imported one.
    pub pipeline_id: Option<u64>,
    /// Commit of the pipeline.
    pub commit: Option<ArcStr>,
    /// Page of the attempt in GitLab, unless it follows from the project's page as `<page>/-/jobs/<id>`.
    pub own_url: Option<Box<str>>,
    /// End of the attempt.
    pub finished_at: Option<Timestamp>,
    /// Time of the attempt on a runner.
    pub duration: Option<Span>,
}

impl WindowEntry {
    /// Page of the attempt in GitLab. `project_url` is that of its project; `None` for an entry of pipelines, whose pages
    /// do not follow from it. An imported execution has no page.
    pub fn web_url(&self, project_url: Option<&str>) -> Option<Cow<'_, str>> {
        let own = self.own_url.as_deref().map(Cow::Borrowed);
        let derived = || {
            self.pipeline_id?;
            Some(Cow::Owned(attempt_url(project_url?, self.job_id?)))
        };
        own.or_else(derived)
    }
}

impl Failing {
    /// GitLab's page that compares the last passing with the first failing commit. `None` if one of them is
    /// unknown or both are equal.
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
    /// Whether the job was ever executed or is in flight. False for a manual job that nobody has started.
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

/// One job of a timeline with its figures, for rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Name of the history: the label `job_name`.
    pub name: Arc<str>,
    /// Stage of the newest attempt.
    pub stage: Arc<str>,
    /// Tags that a runner must have to take the newest attempt: sorted, with commas between them.
    pub tags: Arc<str>,
    /// `allow_failure` of the newest attempt.
    pub allow_failure: bool,
    /// Figures of the job.
    pub figures: Figures,
}

/// One timeline with the figures of all its histories, for rendering.
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
    /// Track of the ref: the label `track`.
    pub track: Option<Arc<str>>,
    /// Figures of the pipelines themselves.
    pub pipelines: Figures,
    /// The jobs, ordered by name.
    pub jobs: Vec<JobRow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(job_id: Option<u64>, pipeline_id: Option<u64>, own_url: Option<&str>) -> WindowEntry {
        WindowEntry {
            outcome: Outcome::Passed,
            flaky: false,
            job_id,
            pipeline_id,
            commit: None,
            own_url: own_url.map(Box::from),
            finished_at: None,
            duration: None,
        }
    }

    #[test]
    fn the_page_of_an_attempt_is_its_own_or_follows_from_the_projects() {
        let project = Some("https://gitlab.example/group/app");
        let page = |entry: WindowEntry, url: Option<&str>| entry.web_url(url).map(Cow::into_owned);
        let derived = Some("https://gitlab.example/group/app/-/jobs/7".to_owned());
        assert_eq!(page(entry(Some(7), Some(1), None), project), derived);
        let own = page(entry(Some(7), Some(1), Some("https://other/7")), project);
        assert_eq!(own.as_deref(), Some("https://other/7"));
        // An absent job, an imported execution, a pipeline, and a project without a page.
        assert_eq!(page(entry(None, Some(1), None), project), None);
        assert_eq!(page(entry(Some(7), None, None), project), None);
        assert_eq!(page(entry(Some(1), Some(1), None), None), None);
    }
}

//! Observations of pipelines and jobs, independent of their source.

use std::sync::Arc;

use arcstr::ArcStr;

use super::{CommitInfo, Span, Timestamp};

/// Status of a job, trigger job or pipeline (GitLab's `Ci::HasStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `created`: waits for earlier stages.
    Created,
    /// `waiting_for_resource`, `preparing`, `waiting_for_callback`: precede `pending`.
    Preparing,
    /// `pending`: waits for a runner.
    Pending,
    /// `running`.
    Running,
    /// `success`.
    Success,
    /// `failed`.
    Failed,
    /// `canceling`: runs its last commands.
    Canceling,
    /// `canceled`.
    Canceled,
    /// `skipped`.
    Skipped,
    /// `manual` or `scheduled`: waits for a person or for a time.
    Blocked,
    /// Any other status, such as one of a newer GitLab; never an outcome.
    Unknown,
}

impl Status {
    /// Parses GitLab's word. Unknown words become [`Status::Unknown`].
    pub fn parse(word: &str) -> Self {
        match word {
            "created" => Self::Created,
            "waiting_for_resource" | "preparing" | "waiting_for_callback" => Self::Preparing,
            "pending" => Self::Pending,
            "running" => Self::Running,
            "success" => Self::Success,
            "failed" => Self::Failed,
            "canceling" => Self::Canceling,
            "canceled" => Self::Canceled,
            "skipped" => Self::Skipped,
            "manual" | "scheduled" => Self::Blocked,
            _ => Self::Unknown,
        }
    }

    /// True for `success`, `failed`, `canceled` and `skipped`: final unless something is retried.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped
        )
    }
}

/// Reason of a pipeline that failed without a job: GitLab could not create any from the configuration.
pub const CONFIG_ERROR: &str = "config_error";

/// Reason of a pipeline that failed and has jobs. Greater than [`CONFIG_ERROR`], so that a lagging replica that
/// shows no jobs changes nothing.
pub const JOBS_FAILED: &str = "jobs_failed";

/// One observation of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineObservation {
    /// GitLab's global pipeline id.
    pub id: u64,
    /// Branch or tag name.
    pub ref_name: Arc<str>,
    /// Whether the ref is a tag. Lists of pipelines do not tell; their jobs do.
    pub tag: bool,
    /// Commit the pipeline ran on.
    pub sha: ArcStr,
    /// Status at the time of the observation.
    pub status: Status,
    /// GitLab's pipeline source (`push`, `schedule`, ..).
    pub source: Option<ArcStr>,
    /// Time of creation.
    pub created_at: Option<Timestamp>,
    /// Time of the last status change; orders the observations of one pipeline.
    pub updated_at: Option<Timestamp>,
    /// Time during which at least one job ran.
    pub duration: Option<Span>,
    /// Reason of a failure: [`CONFIG_ERROR`] or [`JOBS_FAILED`]. `None` if the jobs are unknown.
    pub failure_reason: Option<Arc<str>>,
    /// Whether it has jobs that are not watched.
    pub has_other_jobs: bool,
    /// Page of the pipeline in GitLab.
    pub web_url: Option<Box<str>>,
    /// Title and author of its commit; known once a job failed.
    pub commit_info: Option<Arc<CommitInfo>>,
    /// Whether some of its jobs were left out because of a limit. Then a job that is missing was not absent.
    pub is_partial: bool,
}

impl PipelineObservation {
    /// Whether it has any jobs, of which `watched` are known.
    pub(crate) fn has_jobs(&self, watched: &[JobObservation]) -> bool {
        self.has_other_jobs || !watched.is_empty()
    }
}

/// One observation of an attempt of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobObservation {
    /// GitLab's global job id, which identifies the attempt.
    pub id: u64,
    /// Full name, matrix suffix included.
    pub name: Arc<str>,
    /// Stage name; empty if GitLab gives none.
    pub stage: Arc<str>,
    /// Tags that a runner must have to take the job: sorted, with commas between them.
    pub tags: Arc<str>,
    /// Status at the time of the observation.
    pub status: Status,
    /// Whether the pipeline passes although this job fails.
    pub allow_failure: bool,
    /// Time of creation.
    pub created_at: Option<Timestamp>,
    /// Time at which a runner took the job.
    pub started_at: Option<Timestamp>,
    /// Time of the end.
    pub finished_at: Option<Timestamp>,
    /// Time on a runner so far.
    pub duration: Option<Span>,
    /// Time spent waiting for a runner so far.
    pub queued_duration: Option<Span>,
    /// Time of the last status change of a trigger job, which runs again when its pipeline is retried; its creation
    /// before it started one. `None` for other jobs: they never leave a final status.
    pub moved_at: Option<Timestamp>,
    /// GitLab's `failure_reason`, raw; only on failed jobs.
    pub failure_reason: Option<Arc<str>>,
    /// Page of the job in GitLab.
    pub web_url: Option<Box<str>>,
}

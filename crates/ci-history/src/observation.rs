//! What was seen of a pipeline or of one attempt of a job, whoever brought it.

use std::sync::Arc;

use super::{Span, Timestamp};

/// Status of a job, a bridge or a pipeline, as GitLab names them (`Ci::HasStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `created`: waits for earlier stages.
    Created,
    /// `waiting_for_resource`, `preparing`, `waiting_for_callback`: on the way to `pending`.
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
    /// `manual` or `scheduled`: blocked until somebody or the time starts it.
    Blocked,
    /// A status of a GitLab newer than this program; decides nothing.
    Unknown,
}

impl Status {
    /// Reads GitLab's word; a word not known becomes [`Status::Unknown`].
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

    /// True for `success`, `failed`, `canceled` and `skipped`: nothing follows of itself.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped
        )
    }
}

/// A pipeline as seen once.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineObservation {
    /// GitLab's global pipeline id.
    pub id: u64,
    /// Branch or tag name.
    pub ref_name: Arc<str>,
    /// Commit the pipeline ran on.
    pub sha: Arc<str>,
    /// Status at the time of the observation.
    pub status: Status,
    /// What started it, as GitLab names it (`push`, `schedule`, ..).
    pub source: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When its status last moved; orders observations of one pipeline.
    pub updated_at: Option<Timestamp>,
    /// Time during which at least one of its jobs ran.
    pub duration: Option<Span>,
    /// Page of the pipeline in GitLab.
    pub web_url: Option<Box<str>>,
}

/// One attempt of a job as seen once.
#[derive(Debug, Clone, PartialEq)]
pub struct JobObservation {
    /// GitLab's global job id: the attempt.
    pub id: u64,
    /// Full name, matrix suffix included.
    pub name: Arc<str>,
    /// Stage name; empty where GitLab gives none.
    pub stage: Arc<str>,
    /// Status at the time of the observation.
    pub status: Status,
    /// Whether the pipeline passes although this job fails.
    pub allow_failure: bool,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When a runner took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it ran; grows while it runs.
    pub duration: Option<Span>,
    /// How long it waited for a runner; of a pending job the wait so far.
    pub queued_duration: Option<Span>,
    /// When its status last moved, of a job that can go back from an end to `running`: a trigger job
    /// that ends as its pipeline does, where that is retried. `None` of any other job.
    pub moved_at: Option<Timestamp>,
    /// GitLab's `failure_reason`, raw; only on failed jobs.
    pub failure_reason: Option<Arc<str>>,
    /// Page of the job in GitLab.
    pub web_url: Option<Box<str>>,
}

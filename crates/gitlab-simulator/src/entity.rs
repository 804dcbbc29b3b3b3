//! What a GitLab instance holds: groups, projects, pipelines, jobs and their statuses.

use std::sync::Arc;

use super::moment::Moment;
use super::plan::JobPlan;

/// Status of a pipeline, a job or a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "GitLab's own words, documented there")]
pub enum Status {
    Created,
    WaitingForResource,
    Preparing,
    WaitingForCallback,
    Pending,
    Running,
    Success,
    Failed,
    Canceling,
    Canceled,
    Skipped,
    Manual,
    Scheduled,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::WaitingForResource,
        Self::Preparing,
        Self::WaitingForCallback,
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Canceling,
        Self::Canceled,
        Self::Skipped,
        Self::Manual,
        Self::Scheduled,
    ];

    /// GitLab's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::WaitingForResource => "waiting_for_resource",
            Self::Preparing => "preparing",
            Self::WaitingForCallback => "waiting_for_callback",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// True where nothing follows of itself.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped
        )
    }
}

/// A group or a subgroup.
#[derive(Debug, Clone)]
pub struct Group {
    /// Numeric id.
    pub id: u64,
    /// Full path: `acme/platform`.
    pub path: String,
}

/// A project.
#[derive(Debug, Clone)]
pub struct Project {
    /// Numeric id.
    pub id: u64,
    /// Full path: `acme/shop`.
    pub path: String,
    /// Name of the default branch.
    pub default_branch: String,
    /// Read-only and hidden from most lists.
    pub archived: bool,
    /// CI/CD is switched off: its pipelines are refused to everybody.
    pub ci_disabled: bool,
    /// Ids of the groups the project is shared with.
    pub shared_with: Vec<u64>,
    /// When it was created.
    pub created_at: Moment,
    /// Internal id of its newest pipeline.
    pub last_iid: u64,
}

/// A pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Global id.
    pub id: u64,
    /// Id within the project.
    pub iid: u64,
    /// The project it runs in.
    pub project_id: u64,
    /// Branch or tag name.
    pub ref_name: String,
    /// True where `ref_name` is a tag.
    pub tag: bool,
    /// The commit.
    pub sha: String,
    /// The commit before.
    pub before_sha: String,
    /// What started it.
    pub source: String,
    /// Its status.
    pub status: Status,
    /// Stage names in order.
    pub stages: Vec<String>,
    /// When it was created.
    pub created_at: Moment,
    /// When its status last moved.
    pub updated_at: Moment,
    /// When it first ran.
    pub started_at: Option<Moment>,
    /// When it last ended; a retry leaves it.
    pub finished_at: Option<Moment>,
    /// Whole seconds in which at least one job ran, as of its last end.
    pub duration: Option<i64>,
    /// Not to be seen through the API before this.
    pub visible_from: Moment,
}

/// One attempt of a job, or a bridge.
#[derive(Debug, Clone)]
pub struct Job {
    /// Global id.
    pub id: u64,
    /// The pipeline it belongs to.
    pub pipeline_id: u64,
    /// What it is to do.
    pub plan: Arc<JobPlan>,
    /// 0 for the first attempt.
    pub attempt: usize,
    /// Its status.
    pub status: Status,
    /// When it was created.
    pub created_at: Moment,
    /// When it began to wait for a runner.
    pub queued_at: Option<Moment>,
    /// When a runner took it.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// True once a later attempt was made.
    pub retried: bool,
    /// The pipeline a bridge started.
    pub downstream: Option<u64>,
}

impl Job {
    /// Full name, matrix suffix included.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// True for a trigger job.
    pub fn is_bridge(&self) -> bool {
        self.plan.trigger.is_some()
    }
}

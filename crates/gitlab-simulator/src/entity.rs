//! The entities of a GitLab instance: groups, projects, pipelines, jobs and schedules.

use std::sync::Arc;
use std::time::Duration;

use strum::{EnumString, IntoStaticStr};

use super::accounts::Role;
use super::moment::Moment;
use super::plan::{Ending, JobPlan, PipelinePlan};

/// Status of a pipeline, job or bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "GitLab's own words, documented there")]
pub enum CiStatus {
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

impl CiStatus {
    /// GitLab's word for the status.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// True for a final status: it changes only when something is retried.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped
        )
    }
}

/// A group or subgroup.
#[derive(Debug, Clone)]
pub struct Group {
    /// Numeric id.
    pub id: u64,
    /// Full path: `acme/platform`.
    pub path: String,
}

/// A project.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that are independent in GitLab"
)]
pub struct Project {
    /// Numeric id.
    pub id: u64,
    /// Full path: `acme/shop`.
    pub path: String,
    /// Name of the default branch; empty while the repository is.
    pub default_branch: String,
    /// Whether answers leave the default branch out, as for a token that may not read the code.
    pub hides_default_branch: bool,
    /// Whether it is read-only and hidden from most lists.
    pub archived: bool,
    /// Whether CI/CD is switched off. The API then answers 403 for its pipelines.
    pub ci_disabled: bool,
    /// Whether guests may read pipelines and jobs ("Project-based pipeline visibility").
    pub public_pipelines: bool,
    /// Ids of the groups that the project is shared with.
    pub shared_with: Vec<u64>,
    /// Time of creation.
    pub created_at: Moment,
    /// Internal id (`iid`) of the newest pipeline.
    pub last_iid: u64,
    /// Refs to which not everybody may write.
    pub protected_refs: Vec<ProtectedRef>,
    /// Whether every write is answered with 403, as by a restriction outside of roles.
    pub refuses_writes: bool,
    /// GitLab's complaint about every new pipeline of the API, such as an invalid configuration.
    pub pipeline_error: Option<String>,
    /// The lowest role that may set variables of pipelines and jobs.
    pub variables_from: Role,
    /// Reason with which new attempts of retried jobs fail at once, such as `ci_quota_exceeded`.
    pub drop_reason: Option<String>,
    /// What becomes of deployments that a newer one has overtaken.
    pub outdated_deployments: OutdatedDeployments,
}

/// The settings "Prevent outdated deployment jobs" and "Allow job retries for rollback deployments".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutdatedDeployments {
    /// They run.
    Run,
    /// They fail, but the retry of an ended one is a rollback. GitLab's default.
    RollBack,
    /// They fail, and nobody can retry them.
    Refused,
}

/// A protected branch or tag.
#[derive(Debug, Clone)]
pub struct ProtectedRef {
    /// Name, with `*` for any text.
    pub pattern: String,
    /// The lowest role that may push or merge.
    pub role: Role,
    /// Users who may push or merge whatever their role.
    pub users: Vec<u64>,
}

impl ProtectedRef {
    pub(super) fn covers(&self, ref_name: &str) -> bool {
        match self.pattern.split_once('*') {
            None => self.pattern == ref_name,
            Some((before, after)) => {
                ref_name.len() >= before.len() + after.len()
                    && ref_name.starts_with(before)
                    && ref_name.ends_with(after)
            }
        }
    }
}

/// A branch or tag of a repository.
#[derive(Debug, Clone)]
pub(super) struct GitRef {
    pub(super) head: String,
    pub(super) tag: bool,
    /// The newest pipeline, whose jobs a new one repeats.
    pub(super) newest_pipeline: u64,
    /// The present configuration, if it differs from that of the newest pipeline.
    pub(super) plan: Option<PipelinePlan>,
}

/// A pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Global id.
    pub id: u64,
    /// Id within the project.
    pub iid: u64,
    /// Project of the pipeline.
    pub project_id: u64,
    /// Branch or tag name.
    pub ref_name: String,
    /// Whether `ref_name` is a tag.
    pub tag: bool,
    /// Commit of the pipeline.
    pub sha: String,
    /// The previous commit of the ref.
    pub before_sha: String,
    /// GitLab's pipeline source: `push`, `schedule`, ..
    pub source: String,
    /// Status composed of the jobs' statuses.
    pub status: CiStatus,
    /// Stage names in order.
    pub stages: Vec<String>,
    /// Time of creation.
    pub created_at: Moment,
    /// Time of the last status change.
    pub updated_at: Moment,
    /// Time at which it first ran.
    pub started_at: Option<Moment>,
    /// Time of the last end. A retry does not reset it.
    pub finished_at: Option<Moment>,
    /// Whole seconds in which at least one job ran, up to the last end.
    pub duration: Option<i64>,
    /// Time from which the API shows it.
    pub visible_from: Moment,
    /// Id of the user who started it.
    pub user: u64,
}

/// One attempt of a job, or a bridge.
#[derive(Debug, Clone)]
pub struct Job {
    /// Global id.
    pub id: u64,
    /// Pipeline of the job.
    pub pipeline_id: u64,
    /// Name, stage and course of the job.
    pub plan: Arc<JobPlan>,
    /// Number of the attempt, from 0.
    pub attempt: usize,
    /// Status of the attempt.
    pub status: CiStatus,
    /// Time of creation.
    pub created_at: Moment,
    /// Time at which it began to wait for a runner.
    pub queued_at: Option<Moment>,
    /// Time at which a runner took it.
    pub started_at: Option<Moment>,
    /// Time of the end.
    pub finished_at: Option<Moment>,
    /// GitLab's `failure_reason`; only of failed jobs.
    pub failure_reason: Option<String>,
    /// Whether a later attempt exists.
    pub retried: bool,
    /// The pipeline that a bridge started.
    pub downstream: Option<u64>,
    /// Id of the user who started it.
    pub user: u64,
    /// The end that the attempt will have.
    pub ending: Ending,
    /// Whether it starts at its turn although it is manual.
    pub started_by_hand: bool,
    /// Whether GitLab has thrown away what it needs to run the job again.
    pub archived: bool,
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

/// Behavior of a schedule at the time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunBehavior {
    /// Creates a pipeline.
    Runs,
    /// Creates no pipeline, but sets the time of the next run.
    CreatesNothing,
    /// Does nothing, not even set the time of the next run.
    IsForgotten,
    /// Creates no pipeline and switches the schedule off, as GitLab does if the owner may not run pipelines.
    SwitchesOff,
}

/// A pipeline schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Global id.
    pub id: u64,
    /// Project of its pipelines.
    pub project_id: u64,
    /// Free text.
    pub description: String,
    /// Branch of its pipelines.
    pub ref_name: String,
    /// Time between two runs.
    pub every: Duration,
    /// Time of the next run; `None` if GitLab could not calculate one.
    pub next_run_at: Option<Moment>,
    /// Whether it is switched on.
    pub active: bool,
    /// Behavior at the time of a run.
    pub behavior: RunBehavior,
    /// The pipeline that a run creates.
    pub plan: PipelinePlan,
    /// The newest pipeline it created.
    pub last_pipeline: Option<u64>,
    /// Time of creation.
    pub created_at: Moment,
    /// Time of the last change.
    pub updated_at: Moment,
}

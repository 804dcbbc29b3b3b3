//! Why nothing is done about a failure, or not yet.

use strum::{IntoStaticStr, VariantArray};

/// The label `reason` of `job_failure_exporter_remediation_decisions_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The mode is `report`.
    ReportOnly,
    /// The time of the next try has not come.
    Delay,
    /// All tries of the rule were used.
    TriesUsedUp,
    /// A newer attempt of the job exists.
    NewerAttempt,
    /// The attempt did not fail, or its result was changed.
    NotFailed,
    /// GitLab keeps no definition of the job any more.
    Archived,
    /// A newer pipeline of the ref has finished.
    NewerPipeline,
    /// The failure is older than `younger_than`.
    TooOld,
    /// The job deploys.
    Deployment,
    /// A job that deploys waits behind it.
    RevivesDeployment,
    /// The job failed too often in a row.
    CircuitOpen,
    /// Many jobs fail at the same time.
    Outage,
    /// An operator stopped everything.
    Halted,
    /// GitLab keeps failing.
    GitlabDown,
    /// `actions_per_hour` is reached.
    HourlyLimit,
    /// `per_project_per_hour` is reached.
    ProjectLimit,
    /// `per_pipeline` is reached.
    PipelineLimit,
    /// A job of an earlier stage failed.
    UpstreamFailed,
    /// The token lacks rights in the project.
    NoRights,
    /// Another action in the project is not finished.
    Busy,
    /// This failure was acted on already.
    AlreadyDone,
    /// GitLab refused the action.
    GitlabRefused,
    /// GitLab did not take the action now: too many requests or pipelines.
    NotTaken,
    /// There is no such manual job, or it does not wait.
    NothingToPlay,
    /// GitLab no longer has the job or its pipeline.
    Gone,
    /// The record of actions cannot be saved, or not so that a second exporter would notice.
    NotSaved,
}

impl Reason {
    /// The label.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it may pass by itself, so that the failure is looked at again.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Delay
                | Self::Outage
                | Self::Halted
                | Self::GitlabDown
                | Self::HourlyLimit
                | Self::ProjectLimit
                | Self::UpstreamFailed
                | Self::Busy
                | Self::NotTaken
                | Self::NotSaved
        )
    }

    /// For people: why, and what to do.
    pub fn explain(self) -> &'static str {
        match self {
            Self::ReportOnly => "`remediation.mode` is `report`, so nothing is changed in GitLab",
            Self::Delay => "the delay before the next try has not passed",
            Self::TriesUsedUp => "all tries of the rule were used in this pipeline",
            Self::NewerAttempt => "the job was retried already",
            Self::NotFailed => "GitLab does not list this attempt as failed",
            Self::Archived => "GitLab has archived the job and cannot run it again",
            Self::NewerPipeline => "a newer pipeline of this ref has finished",
            Self::TooOld => "it failed longer ago than `remediation.limits.younger_than`",
            Self::Deployment => "the job deploys, and `remediation.allow_deployments` is off",
            Self::RevivesDeployment => {
                "a job that deploys would run behind it, and `remediation.allow_deployments` is off"
            }
            Self::CircuitOpen => {
                "its circuit is open after too many failures in a row; see `circuit list` and `circuit reset`"
            }
            Self::Outage => "many jobs fail at the same time (`remediation.pause_when`)",
            Self::Halted => "an operator stopped everything; `circuit reset --all` lets it go on",
            Self::GitlabDown => "GitLab keeps failing",
            Self::HourlyLimit => "`remediation.limits.actions_per_hour` is reached",
            Self::ProjectLimit => "`remediation.limits.per_project_per_hour` is reached",
            Self::PipelineLimit => "`remediation.limits.per_pipeline` is reached",
            Self::UpstreamFailed => "a job of an earlier stage failed, which comes first",
            Self::NoRights => {
                "the token may not do this in the project: its user must be a member who may merge into the protected branch, and it needs the \
                 scope `api`"
            }
            Self::Busy => "another action in this project is not finished",
            Self::AlreadyDone => "this failure was acted on already",
            Self::GitlabRefused => "GitLab refused it; the record has its answer",
            Self::NotTaken => "GitLab takes no more requests or pipelines at the moment",
            Self::NothingToPlay => "no manual job of this name waits in the pipeline",
            Self::Gone => "GitLab no longer has this job",
            Self::NotSaved => {
                "the record of actions cannot be saved, so two exporters might act on one failure"
            }
        }
    }
}

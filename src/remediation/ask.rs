//! What is asked for, by whom, about which failure.

use std::fmt;
use std::sync::Arc;

use ci_history::{FailureClass, Timestamp};

use crate::config::{ActionKind, FailureFacts};

/// A job whose newest execution failed, as it was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// GitLab's project id.
    pub project_id: u64,
    /// Path of the project.
    pub project: Arc<str>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// Track of the ref.
    pub track: Option<Arc<str>>,
    /// Name of the job's history.
    pub name: Arc<str>,
    /// Stage of the job.
    pub stage: Arc<str>,
    /// Owner of the job.
    pub team: Option<Arc<str>>,
    /// The pipeline of the execution; of a child pipeline's job the parent.
    pub pipeline_id: u64,
    /// The failed attempt.
    pub job_id: u64,
    /// End of the failed attempt.
    pub failed_at: Timestamp,
    /// Class of the failure.
    pub class: FailureClass,
    /// GitLab's `failure_reason`.
    pub reason: Option<Arc<str>>,
    /// The rule of `classification` that matched the log.
    pub log_rule: Option<Arc<str>>,
    /// Consecutive failures.
    pub streak: u64,
}

impl FailedJob {
    /// As the conditions of rules see it.
    pub fn facts(&self) -> FailureFacts<'_> {
        FailureFacts {
            class: self.class,
            reason: self.reason.as_deref(),
            log_rule: self.log_rule.as_deref(),
            project: &self.project,
            ref_name: &self.ref_name,
            track: self.track.as_deref(),
            job: &self.name,
            stage: &self.stage,
            team: self.team.as_deref(),
        }
    }
}

/// Who asks for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A rule of the configuration.
    Rule(Arc<str>),
    /// A caller of the HTTP API, by name.
    Caller(Arc<str>),
    /// An alert that fires.
    Alert {
        /// The caller of `/hooks/alertmanager`, by name.
        caller: Arc<str>,
        /// The alert, and since when it fires.
        id: Arc<str>,
    },
}

impl Origin {
    /// The label `rule`; what a person or tool asked for has the rule `manual`.
    pub fn rule(&self) -> &str {
        match self {
            Self::Rule(name) => name,
            Self::Caller(_) | Self::Alert { .. } => "manual",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Caller(name) | Self::Alert { caller: name, .. } => f.write_str(name),
        }
    }
}

/// An action that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who wants it.
    pub origin: Origin,
    /// What is to be done.
    pub kind: ActionKind,
    /// The manual job that [`ActionKind::Play`] starts.
    pub play: Option<Arc<str>>,
    /// The failure. Of [`ActionKind::RunSchedule`] only project and ref are meant.
    pub job: FailedJob,
}

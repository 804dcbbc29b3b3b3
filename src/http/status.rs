//! What the status page and the probes ask of the daemon.

use std::sync::Arc;

use super::selection::{JobFilter, Paging, Selection};
use crate::model::{JobRow, Timestamp};

/// The daemon, as the status page and the probes see it. Called on the way of a request: must not
/// block for long.
pub trait Status: Send + Sync {
    /// Whether what is served is worth scraping.
    fn readiness(&self) -> Readiness;

    /// In words, that what is shown is older than it should be, and why; `None` where it is not.
    fn staleness(&self) -> Option<String> {
        None
    }

    /// The watched projects, in any order.
    fn projects(&self) -> Vec<ProjectStatus>;

    /// The jobs that match, failing ones first; [`select`](super::select) picks and orders them.
    fn jobs(&self, filter: &JobFilter, paging: Paging) -> JobPage;

    /// One job, by the names of its project, its ref and itself.
    fn job(&self, project: &str, ref_name: &str, job: &str) -> Option<JobEntry>;
}

/// Whether state is loaded and the first poll round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// Not yet, or no longer; why, in words for an operator.
    NotReady(String),
}

/// A watched project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectStatus {
    /// Path with namespace.
    pub path: Arc<str>,
    /// Page in GitLab.
    pub url: Option<Arc<str>>,
    /// When it was last polled without an error.
    pub last_successful_poll: Option<Timestamp>,
    /// What the last poll failed of; `None` after a successful one.
    pub error: Option<String>,
}

/// A job with where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// Path of the project.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// The owner.
    pub team: Option<Arc<str>>,
    /// The job and its figures.
    pub row: JobRow,
}

/// One page of jobs.
pub type JobPage = Selection<JobEntry>;

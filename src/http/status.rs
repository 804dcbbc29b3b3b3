//! The daemon, as handlers see it.

use std::sync::Arc;

use ci_history::{JobRow, PipelineRow, Timestamp};
use futures_util::future::BoxFuture;

use super::selection::{JobFilter, Paging, Selection};

/// The daemon's state, for pages, API and probes. Called while a client waits: must not block for long.
pub trait DaemonStatus: Send + Sync {
    /// Not ready before the state is loaded and the first round of polling has ended.
    fn readiness(&self) -> Readiness;

    /// Completes once the saved state was read, or could not be at the first try.
    fn loaded(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether excerpts of logs are served. If not, the entries of jobs have none.
    fn shows_logs(&self) -> bool {
        true
    }

    /// Why the figures are older than they should be, in words; `None` if they are not.
    fn staleness(&self) -> Option<String> {
        None
    }

    /// The watched projects, in any order.
    fn projects(&self) -> Vec<ProjectStatus>;

    /// A part of the matching jobs, the failing ones first, as [`select`](super::select) orders them.
    fn jobs(&self, filter: &JobFilter, paging: Paging) -> JobPage;

    /// `project` is a path. An empty `track` is the unnamed one; `None` is the first with the job.
    fn job(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
        job: &str,
    ) -> Option<JobEntry>;

    /// A pipeline of the project with this path, as far as it is kept.
    fn pipeline(&self, project: &str, id: u64) -> Option<PipelineEntry>;
}

/// Whether the figures are worth scraping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They are.
    Ready,
    /// Why not, in words for an operator.
    NotReady(String),
}

/// A watched project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectStatus {
    /// Path with namespace.
    pub path: Arc<str>,
    /// Page in GitLab.
    pub url: Option<Arc<str>>,
    /// Time of the last poll without an error.
    pub last_successful_poll: Option<Timestamp>,
    /// Error of the last poll; `None` after a successful one.
    pub error: Option<String>,
}

/// A job with its project, ref and owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// Path of the project.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// Track of the ref.
    pub track: Option<Arc<str>>,
    /// Its owner.
    pub team: Option<Arc<str>>,
    /// Its figures.
    pub row: JobRow,
}

/// A pipeline with its project and ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineEntry {
    /// Path of the project.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// Track of the ref.
    pub track: Option<Arc<str>>,
    /// What is kept of it.
    pub row: PipelineRow,
}

/// One page of jobs.
pub type JobPage = Selection<JobEntry>;

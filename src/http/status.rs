//! The daemon, as handlers see it.

use std::sync::Arc;

use ci_history::{Grid, JobCounts, JobRow, PipelineRow, PipelineSummary, Timestamp};
use futures_util::future::BoxFuture;

use super::selection::{JobQuery, Selection};
use super::self_report::SelfReport;
use crate::metrics::ScheduleRow;

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

    /// What the daemon knows of itself.
    fn self_report(&self) -> SelfReport {
        SelfReport::default()
    }

    /// The watched projects, in any order.
    fn projects(&self) -> Vec<ProjectStatus>;

    /// The refs with jobs, in any order.
    fn refs(&self) -> Vec<RefStatus>;

    /// The pipeline schedules of the watched projects, in any order.
    fn schedules(&self) -> Vec<ScheduleEntry>;

    /// A part of the matching jobs, as [`select`](super::select) orders them.
    fn jobs(&self, query: &JobQuery) -> JobPage;

    /// The last pipelines of a ref, at most `pipelines`. An empty `track` is the unnamed one; `None` is the first of the ref.
    fn grid(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
        pipelines: usize,
    ) -> Option<GridEntry>;

    /// The kept pipelines of a ref, the newest first; `track` as for [`DaemonStatus::grid`].
    fn pipelines(&self, project: &str, ref_name: &str, track: Option<&str>)
    -> Option<RefPipelines>;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectStatus {
    /// Path with namespace.
    pub path: Arc<str>,
    /// Page in GitLab.
    pub url: Option<Arc<str>>,
    /// Time of the last poll without an error.
    pub last_successful_poll: Option<Timestamp>,
    /// Error of the last poll; `None` after a successful one.
    pub error: Option<String>,
    /// Polls that failed since the start.
    pub failed_polls: u64,
    /// `None` while it is not known.
    pub default_branch: Option<Arc<str>>,
}

/// A track of a ref, and how its pipelines end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefStatus {
    /// Path of the project.
    pub project: Arc<str>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// Track of the ref.
    pub track: Option<Arc<str>>,
    /// Jobs that are tracked.
    pub jobs: usize,
    /// Jobs with a streak above 0.
    pub failing_jobs: usize,
    /// Failed pipelines in a row, up to the newest.
    pub failed_pipelines: u64,
    /// End of the first of these pipelines.
    pub red_since: Option<Timestamp>,
    /// End of the newest pipeline.
    pub last_pipeline: Option<Timestamp>,
}

/// A pipeline schedule with its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// Path of the project.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// The schedule.
    pub row: ScheduleRow,
}

/// The last pipelines of a ref with their jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridEntry {
    /// Path of the project.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// Track of the ref.
    pub track: Option<Arc<str>>,
    /// What is kept of them.
    pub grid: Grid,
}

/// The kept pipelines of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefPipelines {
    /// Path of the project.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// Track of the ref.
    pub track: Option<Arc<str>>,
    /// The newest first.
    pub pipelines: Vec<PipelineListing>,
}

/// A pipeline and how many of its jobs failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineListing {
    /// The pipeline.
    pub summary: PipelineSummary,
    /// Its jobs.
    pub counts: JobCounts,
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

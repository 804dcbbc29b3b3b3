//! What the adapter tells about its traffic while it works, for whoever counts it.

use std::time::Duration;

use super::breaker::CircuitState;
use crate::model::Timestamp;

/// A call of the GitLab API, as it is named in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /projects/:id`.
    Project,
    /// `GET /groups/:id/projects`.
    GroupProjects,
    /// `GET /projects/:id/pipelines`.
    Pipelines,
    /// `GET /projects/:id/pipelines/:id`.
    Pipeline,
    /// `GET /projects/:id/pipelines/:id/jobs`.
    PipelineJobs,
    /// `GET /projects/:id/pipelines/:id/bridges`.
    PipelineBridges,
    /// `GET /personal_access_tokens/self`.
    Token,
    /// `GET /metadata`.
    Metadata,
    /// `GET /projects/:id/jobs/:id/trace`.
    JobTrace,
    /// `GET /projects/:id/repository/files/:path/raw`.
    RepositoryFile,
    /// `GET /projects/:id/pipeline_schedules`.
    Schedules,
    /// `GET /projects/:id/pipeline_schedules/:id`.
    Schedule,
}

impl Endpoint {
    /// Every endpoint, so that label values can start at zero.
    pub const ALL: [Self; 12] = [
        Self::Project,
        Self::GroupProjects,
        Self::Pipelines,
        Self::Pipeline,
        Self::PipelineJobs,
        Self::PipelineBridges,
        Self::Token,
        Self::Metadata,
        Self::JobTrace,
        Self::RepositoryFile,
        Self::Schedules,
        Self::Schedule,
    ];

    /// The endpoint as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::GroupProjects => "group_projects",
            Self::Pipelines => "pipelines",
            Self::Pipeline => "pipeline",
            Self::PipelineJobs => "pipeline_jobs",
            Self::PipelineBridges => "pipeline_bridges",
            Self::Token => "token",
            Self::Metadata => "metadata",
            Self::JobTrace => "job_trace",
            Self::RepositoryFile => "repository_file",
            Self::Schedules => "pipeline_schedules",
            Self::Schedule => "pipeline_schedule",
        }
    }
}

/// Hears of every request as it ends. All methods do nothing unless they are implemented.
///
/// The methods are called on the way of a request: they must return at once.
pub trait Observer: Send + Sync {
    /// One request ended after `elapsed`; `status_class` is `2xx` to `5xx`, or `error` where no
    /// whole answer came. Each attempt of a retried request is told.
    fn answered(&self, endpoint: Endpoint, status_class: &'static str, elapsed: Duration) {
        let _ = (endpoint, status_class, elapsed);
    }

    /// A request is going to be sent again; `reason` is that of [`Error::reason`](super::Error::reason).
    fn retried(&self, endpoint: Endpoint, reason: &'static str) {
        let _ = (endpoint, reason);
    }

    /// `RateLimit-Remaining`: requests left in GitLab's current window.
    fn budget_remaining(&self, remaining: u64) {
        let _ = remaining;
    }

    /// `RateLimit-Limit`: requests GitLab allows in one window.
    fn budget_limit(&self, limit: u64) {
        let _ = limit;
    }

    /// The circuit breaker has moved.
    fn circuit(&self, state: CircuitState) {
        let _ = state;
    }

    /// `Date`: GitLab's clock at the time of the answer.
    fn server_date(&self, date: Timestamp) {
        let _ = date;
    }
}

/// Nobody listens.
impl Observer for () {}

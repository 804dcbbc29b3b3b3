//! Words about GitLab's API that the adapter speaks and the metrics show.

use strum::{IntoStaticStr, VariantArray};

/// A call of the GitLab API; the label `endpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Endpoint {
    /// `GET /projects/:id`.
    Project,
    /// `GET /groups/:id/projects`.
    GroupProjects,
    /// `GET /projects/:id/pipelines`.
    Pipelines,
    /// `POST /graphql`: pipelines of several projects.
    Graphql,
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
    /// `GET /projects/:id/jobs/:id`.
    Job,
    /// `GET /projects/:id/jobs/:id/trace`.
    JobTrace,
    /// `GET /projects/:id/repository/files/:path/raw`.
    RepositoryFile,
    /// `GET /projects/:id/pipeline_schedules`.
    #[strum(serialize = "pipeline_schedules")]
    Schedules,
    /// `GET /projects/:id/pipeline_schedules/:id`.
    #[strum(serialize = "pipeline_schedule")]
    Schedule,
    /// `GET /user`.
    User,
    /// `GET /projects/:id/repository/branches`, and one of them.
    Branches,
    /// `GET /projects/:id/repository/tags`.
    Tags,
    /// `GET /projects/:id/deployments`.
    Deployments,
    /// `POST /projects/:id/jobs/:id/retry`.
    RetryJob,
    /// `POST /projects/:id/jobs/:id/play`.
    PlayJob,
    /// `POST /projects/:id/pipeline`.
    StartPipeline,
    /// `POST /projects/:id/pipeline_schedules/:id/play`.
    RunSchedule,
}

/// Why GitLab's API gave no answer; the label `reason` of `project_poll_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorClass {
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// 401: the token is not accepted.
    Unauthorized,
    /// 403: the token may not read this.
    Forbidden,
    /// 404: no such thing, or not visible to the token.
    NotFound,
    /// 429: asked too often.
    RateLimited,
    /// 5xx.
    ServerError,
    /// An answer that is not what the API promises.
    InvalidAnswer,
    /// Not asked, because GitLab kept failing.
    CircuitOpen,
    /// CI/CD is switched off in the project.
    CiDisabled,
    /// Anything else.
    Other,
}

/// Whether requests go to GitLab; the label `state` of the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CircuitState {
    /// All requests go.
    Closed,
    /// One request goes, to see whether GitLab is back.
    HalfOpen,
    /// No request goes.
    Open,
}

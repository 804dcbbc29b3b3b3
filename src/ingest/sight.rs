//! How a pipeline was last seen, and what its status says about its future.

use ci_history::{PipelineObservation, Status, Timestamp};

/// `updated_at` and status of a pipeline. While they stay, nothing has happened to it.
pub(super) type Sight = (Option<Timestamp>, Status);

pub(super) fn sight_of(pipeline: &PipelineObservation) -> Sight {
    (pipeline.updated_at, pipeline.status)
}

/// Whether jobs of such a pipeline start, run or end without its status moving. A blocked pipeline waits for
/// a user, whose action moves it, but not its parent.
pub(super) fn may_move_on(status: Status) -> bool {
    !is_settled(status)
}

/// Whether a job or pipeline of this status stays as it is until a user starts it.
pub(super) fn is_settled(status: Status) -> bool {
    status.is_terminal() || status == Status::Blocked
}

/// What a reading of a pipeline's jobs says about its future.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReadJobs {
    /// Whether its own jobs stay as they are until a user acts.
    pub(super) settled: bool,
    /// How its jobs contradict its status, if they do.
    pub(super) doubt: Option<Doubt>,
    /// The last time at which something happened to its jobs.
    pub(super) moved: Option<Timestamp>,
}

/// How the jobs of a pipeline that has ended contradict its status, or what was read before. A replica that lags shows
/// such jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// The pipeline moved just now, and none of its jobs did.
    Unexplained,
    /// Attempts that are known are not listed, and GitLab was not asked for all of them yet.
    Unlisted,
    /// GitLab does not have attempts that were known.
    Withdrawn,
    /// Trigger jobs explain the status, and no other job is listed. Some pipelines have none.
    Hidden,
    /// The jobs that explain the status are missing.
    Missing,
    /// Some have not ended.
    Unsettled,
}

/// The last time at which a pipeline itself is known to have moved.
pub(super) fn last_movement(pipeline: &PipelineObservation) -> Option<Timestamp> {
    pipeline.updated_at.max(pipeline.created_at)
}

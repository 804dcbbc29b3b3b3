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

//! What polling knows of a project, so that a later process reads nothing again that did not move.

use std::collections::{BTreeMap, BTreeSet};

use ci_history::{Status, Timestamp};

/// What polling knew of a project when a cycle had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSights {
    /// All pipelines that moved before this time were listed. By GitLab's clock.
    pub asked_at: Timestamp,
    /// Up to when everything was read: when the last listed pipeline moved.
    pub watermark: Timestamp,
    /// Pipelines that have ended with all their jobs and children, by id: when each had moved, and its status, as its jobs
    /// were read. They are read again when they move.
    pub ended: BTreeMap<u64, (Timestamp, Status)>,
    /// Pipelines that are read again although they do not move.
    pub open: BTreeSet<u64>,
    /// Whether the project's schedules were read, and it has none.
    pub has_no_schedules: bool,
}

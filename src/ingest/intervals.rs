//! How often polling asks for what.

use std::time::Duration;

/// Time between two discoveries.
pub(super) const DISCOVERY_INTERVAL: Duration = Duration::from_mins(10);

/// Projects of one request of a sweep at first. GitLab may take too long for more.
pub(super) const FIRST_SIZE: usize = 50;

/// Running pipelines of one request for jobs at first. Each has up to a hundred.
pub(super) const FIRST_DETAILS: usize = 10;

/// Requests for jobs under way at a time per project.
pub(super) const CONCURRENT_REQUESTS: usize = 4;

/// With fewer projects, listing each one costs less than a sweep.
pub const FEWEST_PROJECTS: usize = 10;

/// Longest time that a project relies on sweeps. Then it is listed by itself, which shows whether the token may read it.
pub(super) const LISTED_ANYWAY: Duration = Duration::from_hours(3);

/// Idle intervals between two readings of the schedules of a project that has any.
pub(super) const INTERVALS: u32 = 2;

/// The same for a project without schedules, or that does not show them.
pub(super) const INTERVALS_WITHOUT: u32 = 12;

/// Idle intervals between two sweeps that ask whether projects have schedules.
pub(super) const INTERVALS_SWEPT: u32 = 4;

/// Longest time in which such answers spare the reading of a list of schedules that was empty.
pub(super) const SCHEDULES_ANYWAY: Duration = Duration::from_hours(12);

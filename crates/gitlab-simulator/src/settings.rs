//! Settings of the instance.

use std::time::Duration;

use super::release::Release;

/// Settings of a simulated instance.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Age at which jobs are archived (`archive_builds_older_than`); `None` archives none.
    pub archive_after: Option<Duration>,
    /// Time that a runner takes to cancel a running job, which is `canceling` meanwhile.
    pub cancel_takes: Duration,
    /// Time from the start of a schedule by hand until its pipeline exists.
    pub schedule_takes: Duration,
    /// Pipelines that a user can create by the API for one commit in a minute; more are refused.
    pub pipelines_per_minute: Option<usize>,
    /// Whether environments are switched off. The API then answers 403 for deployments.
    pub hides_deployments: bool,
    /// The release that REST answers as. [`Options::release`](super::Options::release) sets it for GraphQL, too.
    pub release: Release,
}

impl Default for Settings {
    /// GitLab's defaults, without limits.
    fn default() -> Self {
        Self {
            archive_after: None,
            cancel_takes: Duration::ZERO,
            schedule_takes: Duration::from_secs(2),
            pipelines_per_minute: None,
            hides_deployments: false,
            release: Release::default(),
        }
    }
}

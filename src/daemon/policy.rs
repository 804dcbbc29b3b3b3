//! What counts and who owns it, the same for the daemon's whole life.

use std::time::Duration;

use crate::config::{Config, JobSelector, Owners, RefSelector};
use ci_history::{Rules, Shard, Timestamp, Tracks};

/// The parts of the configuration that the state goes by.
pub(super) struct Policy {
    pub(super) rules: Rules,
    pub(super) owners: Owners,
    pub(super) refs: RefSelector,
    pub(super) tracks: Tracks,
    pub(super) jobs: JobSelector,
    pub(super) shard: Shard,
    /// A job or ref without activity for so long is forgotten.
    pub(super) retention: Duration,
    /// Poll interval of a quiet project.
    pub(super) idle_interval: Duration,
    /// Whether to read the logs of failing jobs.
    pub(super) read_logs: bool,
}

impl Policy {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            rules: config.counting.clone(),
            owners: config.owners.clone(),
            refs: config.watch.refs.clone(),
            tracks: config.watch.tracks.clone(),
            jobs: config.watch.jobs.clone(),
            shard: config.watch.shard,
            retention: config.retention,
            idle_interval: config.watch.idle_interval,
            read_logs: config.classification.read_logs,
        }
    }

    /// Activity before this time is older than the retention.
    pub(super) fn cutoff(&self, now: Timestamp) -> Timestamp {
        let retention = i64::try_from(self.retention.as_secs()).unwrap_or(i64::MAX);
        Timestamp::of_clock(now.unix().saturating_sub(retention))
    }
}

//! What counts and who owns it, the same for the daemon's whole life.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{ChildPipelines, Config, JobSelector, Owners, RefSelector};
use ci_history::{Rules, Shard, Timestamp};

/// The parts of the configuration that the state goes by.
pub(super) struct Policy {
    pub(super) rules: Rules,
    pub(super) owners: Owners,
    pub(super) refs: RefSelector,
    pub(super) jobs: JobSelector,
    /// The watched sources of pipelines.
    pub(super) sources: Vec<Arc<str>>,
    /// Whether the jobs of child pipelines count.
    pub(super) follows_children: bool,
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
            jobs: config.watch.jobs.clone(),
            sources: config.watch.sources.iter().map(Arc::from).collect(),
            follows_children: config.watch.child_pipelines != ChildPipelines::Ignore,
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

//! What counts and who owns it, the same for the daemon's whole life.

use std::sync::Arc;
use std::time::Duration;

use super::own_secrets::OwnSecrets;
use crate::config::{ChildPipelines, Config, JobSelector, Limits, Owners, RefSelector};
use ci_history::{Rules, Shard, Timestamp, Tracks};

/// A job of a ref that lives, and the default branch of a watched project, stay for so many times the retention: for
/// jobs that run once a month or once a quarter.
pub(super) const SELDOM: i64 = 4;

/// Activity before these times is too old.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutoffs {
    /// Of a whole ref.
    pub(super) refs: Timestamp,
    /// Of a job whose ref lives, and of a default branch.
    pub(super) seldom: Timestamp,
}

/// The parts of the configuration that the state goes by.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent keys of the configuration"
)]
pub(super) struct Policy {
    pub(super) rules: Rules,
    pub(super) owners: Owners,
    pub(super) refs: RefSelector,
    pub(super) jobs: JobSelector,
    /// The watched sources of pipelines.
    pub(super) sources: Arc<[Arc<str>]>,
    /// Whether the jobs of child pipelines count.
    pub(super) follows_children: bool,
    pub(super) tracks: Tracks,
    pub(super) limits: Limits,
    pub(super) shard: Shard,
    /// A job or ref without activity for so long is forgotten.
    pub(super) retention: Duration,
    /// Poll interval of a quiet project.
    pub(super) idle_interval: Duration,
    /// Poll interval of a quiet project whose webhooks tell of everything.
    pub(super) hooked_interval: Duration,
    /// Whether schedules are read.
    pub(super) reads_schedules: bool,
    /// Whether to read the logs of failing jobs.
    pub(super) read_logs: bool,
    /// Whether pages and JSON show excerpts of logs.
    pub(super) shows_logs: bool,
    /// What titles of commits may not show.
    pub(super) own_secrets: OwnSecrets,
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
            tracks: config.watch.tracks.clone(),
            limits: config.limits,
            shard: config.watch.shard,
            retention: config.retention,
            idle_interval: config.watch.idle_interval,
            hooked_interval: config.watch.hooked_interval,
            reads_schedules: config.watch.schedules,
            read_logs: config.classification.read_logs,
            // Nobody has to log in to read.
            shows_logs: config.shows_logs(),
            own_secrets: OwnSecrets::of(config),
        }
    }

    /// Before which times activity is too old, seen from the newest sign of life.
    pub(super) fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        let retention = i64::try_from(self.retention.as_secs()).unwrap_or(i64::MAX);
        let before = |span: i64| Timestamp::of_clock(now.unix().saturating_sub(span).max(1));
        Cutoffs {
            refs: before(retention),
            seldom: before(retention.saturating_mul(SELDOM)),
        }
    }
}

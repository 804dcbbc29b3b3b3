//! Backfill: watched projects are read back to some time, oldest pipeline first, into the store.
//!
//! A history counts forwards only, so what is read goes into timelines of its own beside the saved ones;
//! they take their place when a project is read to the end, unless the saved ones reach further back.
//! Until then a draft keeps what was read.

mod project;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::project::Ended;
use self::reading::{ClockReader, Reading};
use super::gitlab_clock::GitLabClock;
use super::{DaemonError, client, storage};
use crate::clock::Clock;
use crate::config::{Config, Watch};
use crate::gitlab::Project;
use crate::ingest::Ingest;
use crate::model::{Rules, Timeline, TimelineKey, Timestamp};
use crate::store::{Saved, Store};

/// Projects in a row that could not be read, after which the others are not tried.
const FAILURES_IN_A_ROW: usize = 3;

/// How far a backfill goes.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// How far back; further where the saved state ends before that, so that no gap stays.
    pub since: Duration,
    /// Whether what is read replaces what is saved of the same ref, even where that reaches further back.
    pub rebuild: bool,
}

/// Hears how a backfill goes.
pub trait Progress: Send + Sync {
    /// A project has so many pipelines to be read, of which some were read by an earlier run.
    fn begins(&self, project: &str, place: (usize, usize), pipelines: usize, before: usize);

    /// Another pipeline was read.
    fn has_read(&self);

    /// A project is in the store.
    fn ends(&self, project: &str, timelines: usize);
}

/// What a backfill came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Projects that are in the store.
    pub projects: usize,
    /// Projects there are.
    pub of: usize,
    /// Pipelines that were read.
    pub pipelines: usize,
    /// Timelines that were saved.
    pub timelines: usize,
    /// What could not be read, and why.
    pub failed: Vec<(String, String)>,
    /// Whether it was ended before it was done.
    pub stopped: bool,
}

/// A backfill under way.
struct Backfill {
    ingest: Ingest,
    reading: Arc<Reading>,
    store: Store,
    rules: Rules,
    /// What is read and how it is counted.
    scope: String,
    reach: Reach,
    target: Timestamp,
    save_interval: Duration,
    /// Of what gave no sign since then nothing is kept.
    expired: Timestamp,
    stop: CancellationToken,
}

/// What is saved of a project.
#[derive(Default)]
struct Known {
    timelines: BTreeMap<TimelineKey, Timeline>,
    watermark: Option<Timestamp>,
}

/// Reads the watched projects back to a time, one after the other. What an earlier run that was ended
/// has read is not read again.
///
/// # Errors
///
/// Where the store or GitLab cannot be used at all. What concerns single projects is in the outcome.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    reach: Reach,
    progress: Arc<dyn Progress>,
    stop: CancellationToken,
) -> Result<Outcome, DaemonError> {
    let clock = Arc::new(GitLabClock::new(clock));
    let client = client(&config.gitlab, Arc::new(ClockReader(clock.clone())))?;
    let store = storage::open(&config.store).await?;
    let loaded = store.load_shard(config.watch.shard).await?;
    storage::say_set_aside(&loaded.set_aside);
    let scope = scope(&config.watch, &config.counting);
    let rules = config.counting.clone();
    let reading = Arc::new(Reading::new(rules.clone(), clock.clone(), progress.clone()));
    let ingest = Ingest::new(client, config.watch, reading.clone());
    let (projects, complete) = tokio::select! {
        found = ingest.projects() => found,
        () = stop.cancelled() => return Ok(Outcome { stopped: true, ..Outcome::default() }),
    };
    let mut failed = reading.take_troubles();
    if !complete && failed.is_empty() {
        let why = "GitLab's list of its projects cannot be read whole";
        failed.push(("a watched group".to_owned(), why.to_owned()));
    }
    let backfill = Backfill {
        ingest,
        reading,
        store,
        rules,
        scope,
        reach,
        target: before(clock.gitlab_now(), reach.since),
        save_interval: config.store.save_interval,
        expired: before(clock.gitlab_now(), config.retention),
        stop,
    };
    backfill
        .all(projects, by_project(loaded.timelines), failed, &*progress)
        .await
}

impl Backfill {
    async fn all(
        &self,
        projects: BTreeMap<u64, Project>,
        mut known: BTreeMap<u64, Known>,
        failed: Vec<(String, String)>,
        progress: &dyn Progress,
    ) -> Result<Outcome, DaemonError> {
        let mut outcome = Outcome {
            of: projects.len(),
            failed,
            ..Outcome::default()
        };
        let mut in_a_row = 0;
        for (number, project) in (1..).zip(projects.values()) {
            let known = known.remove(&project.id).unwrap_or_default();
            let place = (number, projects.len());
            let ended = self.project(project, known, place, progress).await?;
            outcome.pipelines += self.reading.take_count();
            match ended {
                Ended::Done { timelines } => {
                    in_a_row = 0;
                    outcome.projects += 1;
                    outcome.timelines += timelines;
                    progress.ends(&project.path, timelines);
                }
                Ended::Stopped => {
                    outcome.stopped = true;
                    return Ok(outcome);
                }
                Ended::Failed(error) => {
                    in_a_row += 1;
                    let what = project.path.to_string();
                    outcome.failed.push((what, error.to_string()));
                    if in_a_row == FAILURES_IN_A_ROW {
                        break;
                    }
                }
            }
        }
        if outcome.failed.is_empty() {
            // Only now: another run, after one that was ended, is not to read a project again.
            for id in projects.keys() {
                self.store.remove_draft(*id).await?;
            }
        }
        Ok(outcome)
    }
}

fn before(time: Timestamp, span: Duration) -> Timestamp {
    let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    // Not before the epoch: GitLab takes no negative years.
    Timestamp::of_clock(time.unix().saturating_sub(span).max(1))
}

fn scope(watch: &Watch, rules: &Rules) -> String {
    let Watch {
        refs,
        sources,
        jobs,
        child_pipelines,
        ..
    } = watch;
    format!("refs {refs}; sources {sources}; jobs {jobs}; children {child_pipelines:?}; {rules:?}")
}

fn by_project(saved: Vec<Saved>) -> BTreeMap<u64, Known> {
    let mut projects: BTreeMap<u64, Known> = BTreeMap::new();
    for saved in saved {
        let key = saved.timeline.key.clone();
        let known = projects.entry(key.project_id).or_default();
        known.watermark = known.watermark.max(saved.watermark);
        known.timelines.insert(key, saved.timeline);
    }
    projects
}

//! The backfill of all watched projects, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::past::{PastOptions, Plan, Scope};
use super::project::{ProjectEnd, ProjectReader, SavedProject, before};
use super::report::{BackfillOutcome, Progress};
use super::timelines::BackfillTimelines;
use crate::config::Config;
use crate::daemon::client::client;
use crate::daemon::error::DaemonError;
use crate::daemon::gitlab_clock::GitLabClock;
use crate::daemon::own_secrets::OwnSecrets;
use crate::daemon::policy::scope;
use crate::daemon::storage;
use crate::gitlab::TransportMetrics;
use crate::ingest::{Discovery, Reader, project_span};
use crate::store::Saved;
use ci_history::clock::Clock;
use ci_history::{Rules, Timestamp, Tracks};

/// Projects in a row that could not be read, after which the others are not tried.
const FAILURES_IN_A_ROW: usize = 3;

/// How far a backfill goes.
#[derive(Debug, Clone)]
pub struct Reach {
    /// How far back; further if the saved state ends before that, so that no gap stays.
    pub since: Duration,
    /// Whether what is read replaces the saved histories of the same ref, even if those reach further back.
    pub rebuild: bool,
    /// What to write of the past.
    pub past: Option<PastOptions>,
}

/// Takes GitLab's time from its answers.
struct ClockReader(Arc<GitLabClock>);

impl TransportMetrics for ClockReader {
    fn server_date(&self, date: Timestamp) {
        self.0.note(date);
    }
}

/// Reads the watched projects back to some time, one after the other. Goes on where an earlier run was stopped.
///
/// # Errors
///
/// If the store or GitLab cannot be used at all. Errors of single projects are in the outcome.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    reach: Reach,
    progress: Arc<dyn Progress>,
    stop: CancellationToken,
) -> Result<BackfillOutcome, DaemonError> {
    let clock = Arc::new(GitLabClock::new(clock, config.clock_jump_hold));
    let client = client(
        &config.gitlab,
        Some(&config.limits),
        Arc::new(ClockReader(clock.clone())),
    )?;
    let store = storage::open(&config.store, Some(&config.gitlab.url)).await?;
    let loaded = store.load_shard(config.watch.shard).await?;
    storage::log_quarantined(&loaded.quarantined);
    let scope = scope(&config.watch, &config.counting);
    let own_secrets = OwnSecrets::of(&config);
    let rules = config.counting;
    let saved = by_project(loaded.timelines, &config.watch.tracks, &rules);
    let timelines = BackfillTimelines::new(
        rules.clone(),
        config.watch.tracks.clone(),
        clock.clone(),
        progress.clone(),
        own_secrets,
    );
    let timelines = Arc::new(timelines);
    let reader = Reader::new(client, config.watch, timelines.clone());
    let found = tokio::select! {
        found = reader.discover() => found,
        () = stop.cancelled() => {
            return Ok(BackfillOutcome { stopped: true, ..BackfillOutcome::default() });
        }
    };
    let target = before(clock.gitlab_now(), reach.since);
    let past = reach.past.map(|options| {
        let since = reach.since.as_secs();
        let scope = Scope {
            counting: scope.clone(),
            since,
            rebuild: reach.rebuild,
        };
        let counting = (rules.clone(), config.owners, config.retention);
        Plan::begin(options, scope, (target, clock.gitlab_now()), counting)
    });
    let reader = ProjectReader {
        reader,
        timelines,
        store,
        rules,
        scope,
        rebuild: reach.rebuild,
        target,
        past: past.transpose()?,
        save_interval: config.store.save_interval,
        cutoff: before(clock.gitlab_now(), config.retention),
        retention: config.retention,
        now: clock.gitlab_now(),
        progress,
        stop,
    };
    read_all(&reader, found, saved).await
}

async fn read_all(
    reader: &ProjectReader,
    found: Discovery,
    mut saved: BTreeMap<u64, SavedProject>,
) -> Result<BackfillOutcome, DaemonError> {
    let projects = &found.projects;
    let mut outcome = BackfillOutcome {
        of: projects.len(),
        failed: failures(&found),
        ..BackfillOutcome::default()
    };
    let mut in_a_row = 0;
    for (number, project) in (1..).zip(projects.values()) {
        let saved = saved.remove(&project.id).unwrap_or_default();
        let place = (number, projects.len());
        let reading = reader.read(project, saved, place);
        let end = reading.instrument(project_span(&project.path)).await?;
        outcome.pipelines += reader.timelines.take_count();
        match end {
            ProjectEnd::Done { timelines } => {
                in_a_row = 0;
                outcome.projects += 1;
                outcome.timelines += timelines;
                reader.progress.ends(&project.path, timelines);
            }
            ProjectEnd::Stopped => {
                outcome.stopped = true;
                return Ok(outcome);
            }
            ProjectEnd::Failed(error) => {
                in_a_row += 1;
                let failed = (project.path.to_string(), error.to_string());
                outcome.failed.push(failed);
                if in_a_row == FAILURES_IN_A_ROW {
                    break;
                }
            }
        }
    }
    if outcome.failed.is_empty() {
        // Not before: a run after one that was stopped must not read a project again.
        for id in projects.keys() {
            reader.store.remove_checkpoint(*id).await?;
        }
        if let Some(past) = reader.past.as_ref().filter(|_| outcome.of > 0) {
            let is_stopped = || reader.stop.is_cancelled();
            outcome.written = past.write(projects.keys().copied(), &is_stopped)?;
            outcome.stopped = outcome.written.is_none();
        }
    }
    Ok(outcome)
}

/// The names of the configuration that were not found.
fn failures(found: &Discovery) -> Vec<(String, String)> {
    let failures = found.failures.iter();
    let failures = failures.map(|(name, error)| (name.clone(), error.to_string()));
    let mut failures: Vec<_> = failures.collect();
    if !found.complete && failures.is_empty() {
        let why = "GitLab's list of its projects cannot be read whole";
        failures.push(("a watched group".to_owned(), why.to_owned()));
    }
    failures
}

fn by_project(saved: Vec<Saved>, tracks: &Tracks, rules: &Rules) -> BTreeMap<u64, SavedProject> {
    let mut projects: BTreeMap<u64, SavedProject> = BTreeMap::new();
    for saved in saved {
        let project = projects.entry(saved.timeline.key.project_id).or_default();
        project.add(saved, tracks, rules);
    }
    projects
}

//! The state: sole owner of all timelines, between polling, exposition and saving.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::gitlab_clock::GitLabClock;
use super::logs::{LogQueue, WantedLog};
use super::owners_files::OwnersFiles;
use crate::config::{Config, JobSelector, Owners, RefSelector};
use crate::gitlab::Project;
use crate::metrics::Exposition;
use crate::model::{LogFinding, Rules, Shard, Timeline, TimelineKey, Timestamp};
use crate::store::Saved;

/// What counts and who owns, the same for the daemon's whole life.
pub(super) struct Policy {
    pub(super) rules: Rules,
    pub(super) owners: Owners,
    pub(super) refs: RefSelector,
    pub(super) jobs: JobSelector,
    pub(super) shard: Shard,
    /// What was not heard of for this long is forgotten.
    pub(super) retention: Duration,
    /// How often a quiet project is polled.
    pub(super) idle_interval: Duration,
    /// Whether the logs of failing jobs are read.
    pub(super) read_logs: bool,
}

impl Policy {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            rules: config.counting.clone(),
            owners: config.owners.clone(),
            refs: config.watch.refs.clone(),
            jobs: config.watch.jobs.clone(),
            shard: config.watch.shard,
            retention: config.retention,
            idle_interval: config.watch.idle_interval,
            read_logs: config.classification.read_logs,
        }
    }
}

/// All timelines, behind one short lock that no scrape takes.
pub(super) struct State {
    pub(super) policy: Policy,
    pub(super) exposition: Exposition,
    pub(super) logs: LogQueue,
    pub(super) owners_files: OwnersFiles,
    pub(super) clock: Arc<GitLabClock>,
    held: Mutex<Held>,
}

/// What the lock guards.
#[derive(Default)]
pub(super) struct Held {
    pub(super) timelines: BTreeMap<TimelineKey, Tracked>,
    pub(super) projects: BTreeMap<u64, Watched>,
    /// The last error of each project, or of what the configuration names, by that name.
    pub(super) errors: BTreeMap<String, Failure>,
    /// Whether the saved state was read.
    pub(super) loading: Loading,
    pub(super) first_round_ended: bool,
    pub(super) any_polled: bool,
    /// Why the schedules of a project are not read.
    pub(super) schedule_errors: BTreeMap<u64, NotRead>,
    /// Projects that were found since the start.
    pub(super) seen: BTreeSet<u64>,
    /// Timelines that were dropped and may have a document.
    pub(super) gone: BTreeSet<TimelineKey>,
    pub(super) logged_rejections: HashSet<(&'static str, Option<u64>)>,
}

/// How far reading the saved state has come.
#[derive(Default)]
pub(super) enum Loading {
    #[default]
    UnderWay,
    /// To be tried again.
    Failed(String),
    Done,
}

/// Why polling fails.
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Why schedules are not read.
pub(super) struct NotRead {
    pub(super) reason: &'static str,
    /// The look that failed is still to tell what is known all the same.
    pub(super) is_under_way: bool,
}

/// A timeline with what is to be done about it.
pub(super) struct Tracked {
    pub(super) timeline: Timeline,
    /// For the order of the status page; also says which jobs there are to show.
    pub(super) ranks: Vec<Rank>,
    /// Whether its series are exposed.
    pub(super) shown: bool,
    /// Whether it changed since it was rendered.
    pub(super) stale: bool,
    /// Whether it changed since it was saved.
    pub(super) unsaved: bool,
}

/// How bad a job is.
pub(super) struct Rank {
    pub(super) name: Arc<str>,
    pub(super) consecutive_failures: u64,
    pub(super) failure_ratio: f64,
}

/// A project that is watched, or was when the state was saved.
#[derive(Default)]
pub(super) struct Watched {
    /// As GitLab told; `None` until it did.
    pub(super) facts: Option<Project>,
    /// Where it was before it moved, until the cycle that was under way has ended.
    pub(super) former_path: Option<Arc<str>>,
    /// Up to when everything of GitLab's is in the timelines.
    pub(super) watermark: Option<Timestamp>,
    /// Up to when everything of GitLab's is in the saved documents.
    saved_watermark: Option<Timestamp>,
}

impl State {
    pub(super) fn new(policy: Policy, exposition: Exposition, clock: Arc<GitLabClock>) -> Self {
        Self {
            policy,
            exposition,
            logs: LogQueue::default(),
            owners_files: OwnersFiles::default(),
            clock,
            held: Mutex::default(),
        }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what was saved, and exposes it. What is not among it is backfilled.
    pub(super) fn restore(&self, saved: Vec<Saved>) {
        let mut held = self.held();
        held.loading = Loading::Done;
        for Saved {
            timeline,
            watermark,
        } in saved
        {
            let key = timeline.key.clone();
            let project = held.projects.entry(key.project_id).or_default();
            project.watermark = project.watermark.max(watermark);
            project.saved_watermark = project.watermark;
            let mut tracked = Tracked::new(timeline);
            tracked.shown = true;
            self.publish(&mut tracked);
            held.timelines.insert(key, tracked);
        }
    }

    /// The time by GitLab's clock, once it has told it.
    pub(super) fn gitlab_told(&self) -> Option<Timestamp> {
        self.clock.is_told().then(|| self.clock.gitlab_now())
    }

    /// The saved state could not be read; returns whether that is news.
    pub(super) fn state_not_loaded(&self, error: &str) -> bool {
        let former = std::mem::replace(&mut self.held().loading, Loading::Failed(error.to_owned()));
        !matches!(former, Loading::Failed(former) if former == error)
    }

    /// Takes in what another replica knows of a timeline, as it was just saved; of it, what has
    /// outlived the retention is dropped again.
    pub(super) fn take_in(&self, saved: &Timeline) {
        let mut held = self.held();
        let Some(tracked) = held.timelines.get_mut(&saved.key) else {
            return;
        };
        let former = tracked.timeline.clone();
        tracked.timeline.merge(saved);
        tracked.timeline.trim(&self.policy.rules);
        if let Some(now) = self.gitlab_told() {
            tracked.timeline.expire(self.outlived(now));
        }
        // More was seen while it was saved, or less is to be kept.
        tracked.unsaved |= tracked.timeline != *saved;
        if tracked.timeline != former && tracked.shown {
            self.publish(tracked);
        }
    }

    pub(super) fn publish(&self, tracked: &mut Tracked) {
        let rows = tracked.timeline.rows(&self.policy.rules);
        tracked.ranks = rows
            .jobs
            .iter()
            .filter(|row| row.figures.is_worth_showing())
            .map(|row| Rank {
                name: row.name.clone(),
                consecutive_failures: row.figures.consecutive_failures,
                failure_ratio: row.figures.failure_ratio(),
            })
            .collect();
        tracked.stale = false;
        if self.policy.read_logs {
            self.logs.offer(rows.project_id, &rows);
            let telemetry = self.exposition.telemetry();
            telemetry.logs_waiting(self.logs.len());
        }
        let file = self.owners_files.of(rows.project_id);
        let owners = &self.policy.owners;
        self.exposition
            .publish(tracked.timeline.key.clone(), &rows, &|project, job| {
                owners.team(project, job, file.as_deref()).cloned()
            });
    }

    /// Whether a log is still that of its job's last failure, and was not read.
    pub(super) fn wants_log(&self, wanted: &WantedLog) -> bool {
        let held = self.held();
        let tracked = held.timelines.get(&wanted.key).filter(|t| t.shown);
        let row = tracked.and_then(|t| t.timeline.row(&wanted.job, &self.policy.rules));
        let failing = row.and_then(|row| row.figures.failing);
        failing.is_some_and(|f| f.job_id == Some(wanted.job_id) && !f.log_was_read)
    }

    /// Takes over what a look at a log brought.
    pub(super) fn log_was_read(&self, wanted: &WantedLog, finding: &LogFinding) {
        let mut held = self.held();
        let Some(tracked) = held.timelines.get_mut(&wanted.key) else {
            return;
        };
        let rules = &self.policy.rules;
        let changes = tracked.timeline.note_log(&wanted.job, finding, rules);
        tracked.note(!changes.is_empty());
        if tracked.stale && tracked.shown {
            self.publish(tracked);
        }
    }

    /// The projects that are watched.
    pub(super) fn watched_projects(&self) -> Vec<Project> {
        let held = self.held();
        let facts = held.projects.values();
        facts.filter_map(|project| project.facts.clone()).collect()
    }

    /// Renders a project once more: what others say of it has changed.
    pub(super) fn show_again(&self, project_id: u64) {
        for tracked in self.held().timelines_of(project_id) {
            if tracked.shown {
                self.publish(tracked);
            }
        }
    }

    /// Renders what changed in a project.
    pub(super) fn publish_project(&self, held: &mut Held, project_id: u64) {
        for tracked in held.timelines_of(project_id) {
            if tracked.stale && tracked.shown {
                self.publish(tracked);
            }
        }
    }

    pub(super) fn hide(&self, tracked: &mut Tracked) {
        if std::mem::replace(&mut tracked.shown, false) {
            self.exposition.remove(&tracked.timeline.key);
        }
    }

    /// What is to be saved: the changed timelines of each project.
    pub(super) fn take_unsaved(&self) -> Vec<Unsaved> {
        let mut held = self.held();
        let held = &mut *held;
        let mut batches: BTreeMap<u64, Unsaved> = BTreeMap::new();
        for (key, tracked) in &mut held.timelines {
            if std::mem::replace(&mut tracked.unsaved, false) {
                let batch = batches.entry(key.project_id).or_default();
                batch.timelines.push(tracked.timeline.clone());
            }
        }
        for (id, batch) in &mut batches {
            if let Some(project) = held.projects.get(id) {
                batch.watermark = project.watermark;
                batch.former_watermark = project.saved_watermark;
            }
        }
        batches.into_values().collect()
    }

    /// A project's changes are all saved, up to this time.
    pub(super) fn saved_up_to(&self, project_id: u64, watermark: Option<Timestamp>) {
        if let Some(project) = self.held().projects.get_mut(&project_id) {
            project.saved_watermark = project.saved_watermark.max(watermark);
        }
    }

    /// Saving failed: to be tried again.
    pub(super) fn unsaved(&self, key: &TimelineKey) {
        if let Some(tracked) = self.held().timelines.get_mut(key) {
            tracked.unsaved = true;
        }
    }

    /// How many timelines wait to be saved.
    pub(super) fn unsaved_count(&self) -> usize {
        let held = self.held();
        held.timelines.values().filter(|t| t.unsaved).count()
    }
}

/// The changed timelines of one project.
#[derive(Default)]
pub(super) struct Unsaved {
    pub(super) timelines: Vec<Timeline>,
    /// Up to when everything of GitLab's will be in the documents once all of these are saved.
    pub(super) watermark: Option<Timestamp>,
    /// Up to when it was before.
    pub(super) former_watermark: Option<Timestamp>,
}

impl Tracked {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self {
            timeline,
            ranks: Vec::new(),
            shown: false,
            stale: true,
            unsaved: false,
        }
    }

    pub(super) fn note(&mut self, changed: bool) {
        self.stale |= changed;
        self.unsaved |= changed;
    }
}

impl Held {
    /// What GitLab told last of a project that is watched.
    pub(super) fn facts(&self, project_id: u64) -> Option<&Project> {
        self.projects.get(&project_id)?.facts.as_ref()
    }

    /// The project of a path; of the one it had when the cycle under way began only once.
    pub(super) fn project_at(&mut self, path: &str) -> Option<u64> {
        let is_there = |watched: &Watched| watched.facts.as_ref().is_some_and(|f| &*f.path == path);
        if let Some((id, _)) = self.projects.iter().find(|(_, it)| is_there(it)) {
            return Some(*id);
        }
        let was_there = |watched: &Watched| watched.former_path.as_deref() == Some(path);
        let (id, watched) = self.projects.iter_mut().find(|(_, it)| was_there(it))?;
        watched.former_path = None;
        Some(*id)
    }

    pub(super) fn timelines_of(&mut self, project_id: u64) -> impl Iterator<Item = &mut Tracked> {
        let first = TimelineKey {
            project_id,
            ref_name: Arc::from(""),
        };
        self.timelines
            .range_mut(first..)
            .take_while(move |(key, _)| key.project_id == project_id)
            .map(|(_, tracked)| tracked)
    }
}

#[cfg(test)]
pub(super) fn test_state() -> (Arc<State>, crate::config::Watch) {
    use crate::clock::SystemClock;
    use crate::config::{Config, Overrides};
    use crate::metrics::{Build, Telemetry};

    let overrides = Overrides {
        projects: vec!["group/app".to_owned()],
        ..Overrides::default()
    };
    let config = Config::load(None, &overrides, &|_| None).unwrap();
    let build = Build {
        version: "1",
        revision: "x",
    };
    let exposition = Exposition::new(Telemetry::new(build).unwrap());
    let clock = Arc::new(GitLabClock::new(Arc::new(SystemClock)));
    let policy = Policy {
        read_logs: false,
        ..Policy::of(&config)
    };
    (
        Arc::new(State::new(policy, exposition, clock)),
        config.watch,
    )
}

#[cfg(test)]
pub(super) async fn page(state: &State) -> String {
    use http_body_util::BodyExt as _;

    let page = state.exposition.snapshot().identity().collect();
    String::from_utf8(page.await.unwrap().to_bytes().into()).unwrap()
}

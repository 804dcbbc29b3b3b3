//! The state: sole owner of all timelines, between polling, exposition and saving.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::gitlab_clock::GitLabClock;
use super::logs::{LogQueue, WantedLog};
use super::owners_files::OwnersFiles;
use crate::config::{JobSelector, Owners, RefSelector};
use crate::gitlab::{Error, Fault, Project, Rejected};
use crate::ingest::{Resume, ScheduleSight, Sink};
use crate::metrics::{Exposition, ScheduleRow};
use crate::model::{
    JobObservation, LogFinding, PipelineObservation, Rules, Shard, Timeline, TimelineKey, Timestamp,
};
use crate::store::Saved;

/// Rejected records that are remembered so that each is logged once.
const REMEMBERED_REJECTIONS: usize = 10_000;

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
    schedule_errors: BTreeMap<u64, &'static str>,
    /// Projects that were found since the start.
    seen: BTreeSet<u64>,
    /// Timelines that were dropped and may have a document.
    pub(super) gone: BTreeSet<TimelineKey>,
    logged_rejections: HashSet<(&'static str, Option<u64>)>,
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
    reason: &'static str,
    pub(super) message: String,
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
    /// Up to when everything of GitLab's is in the timelines.
    watermark: Option<Timestamp>,
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
    fn new(timeline: Timeline) -> Self {
        Self {
            timeline,
            ranks: Vec::new(),
            shown: false,
            stale: true,
            unsaved: false,
        }
    }
}

impl Held {
    fn timelines_of(&mut self, project_id: u64) -> impl Iterator<Item = &mut Tracked> {
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

impl Sink for State {
    fn resume(&self, project: &Project) -> Resume {
        let mut held = self.held();
        let mut resume = Resume {
            watermark: held
                .projects
                .get(&project.id)
                .and_then(|watched| watched.watermark)
                // One from the future would hide what comes until then.
                .map(|at| at.min(self.clock.gitlab_now())),
            ..Resume::default()
        };
        let is_begun = resume.watermark.is_some();
        for tracked in held.timelines_of(project.id) {
            let timeline = &tracked.timeline;
            // Without a watermark the first backfill was broken off, and of an import nothing was read.
            if is_begun && !timeline.is_bare() {
                resume.known_refs.insert(timeline.key.ref_name.clone());
            }
            if tracked.shown {
                resume.open.extend(timeline.open_pipelines());
            }
        }
        resume
    }

    fn watched(&self, project: &Project) {
        self.exposition.watch_project(&project.path);
        self.owners_files.look();
        let mut held = self.held();
        held.seen.insert(project.id);
        let watched = held.projects.entry(project.id).or_default();
        if watched.facts.as_ref() == Some(project) {
            return;
        }
        if let Some(former) = watched.facts.replace(project.clone())
            && former.path != project.path
        {
            tracing::info!(from = %former.path, to = %project.path, "project moved");
            self.exposition.remove_project(&former.path);
        }
        let default_branch = project.default_branch.as_deref();
        for tracked in held.timelines_of(project.id) {
            let timeline = &mut tracked.timeline;
            let moved = timeline.project != project.path || timeline.project_url != project.web_url;
            if moved {
                timeline.project = project.path.clone();
                timeline.project_url.clone_from(&project.web_url);
                tracked.unsaved = true;
            }
            let ref_name = &tracked.timeline.key.ref_name;
            if !self.policy.refs.matches(ref_name, default_branch) {
                self.hide(tracked);
            } else if !tracked.shown || moved {
                tracked.shown = true;
                self.publish(tracked);
            }
        }
    }

    fn watched_are(&self, projects: &BTreeMap<u64, Project>, complete: bool) {
        let mut held = self.held();
        let held = &mut *held;
        for (id, project) in &mut held.projects {
            if projects.contains_key(id) {
                continue;
            }
            if let Some(facts) = project.facts.take() {
                tracing::info!(project = %facts.path, "project is no longer watched");
                self.exposition.remove_project(&facts.path);
            }
        }
        for tracked in held.timelines.values_mut() {
            let id = tracked.timeline.key.project_id;
            // One that was not found yet since the start may be among those that were not found.
            let may_return = !complete && !held.seen.contains(&id);
            if !projects.contains_key(&id) && !may_return {
                self.hide(tracked);
            }
        }
        if !complete {
            return;
        }
        let paths: BTreeSet<&str> = projects.values().map(|project| &*project.path).collect();
        held.errors.retain(|what, _| {
            let stays = paths.contains(what.as_str());
            if !stays {
                self.exposition.remove_project(what);
            }
            stays
        });
    }

    fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    ) {
        let mut held = self.held();
        let key = TimelineKey {
            project_id: project.id,
            ref_name: pipeline.ref_name.clone(),
        };
        let tracked = held.timelines.entry(key.clone()).or_insert_with(|| {
            let path = project.path.clone();
            Tracked::new(Timeline::new(key, path, project.web_url.clone()))
        });
        let rules = &self.policy.rules;
        let changes = tracked.timeline.observe(pipeline, jobs, rules, at);
        tracked.note(!changes.is_empty());
        tracked.shown = true;
    }

    fn gone(&self, project: &Project, pipeline: &PipelineObservation) {
        tracing::info!(
            project = %project.path, pipeline = pipeline.id,
            "GitLab does not know this pipeline any more"
        );
        let mut held = self.held();
        let key = TimelineKey {
            project_id: project.id,
            ref_name: pipeline.ref_name.clone(),
        };
        if let Some(tracked) = held.timelines.get_mut(&key) {
            let changes = tracked.timeline.withdraw(pipeline.id, &self.policy.rules);
            tracked.note(!changes.is_empty());
        }
    }

    fn show(&self, project: &Project) {
        self.publish_project(&mut self.held(), project.id);
    }

    fn polled(&self, project: &Project, watermark: Option<Timestamp>) {
        self.exposition
            .poll_succeeded(&project.path, self.clock.local_now());
        let mut held = self.held();
        held.any_polled = true;
        if held.errors.remove(&*project.path).is_some() {
            tracing::info!(project = %project.path, "polled again");
        }
        if let Some(watched) = held.projects.get_mut(&project.id) {
            watched.watermark = watched.watermark.max(watermark);
        }
        self.expire_read(&mut held, project.id);
        self.publish_project(&mut held, project.id);
    }

    fn poll_failed(&self, what: &str, error: &Error) {
        let path = Arc::from(what);
        let (reason, message) = (error.reason(), error.to_string());
        let mut held = self.held();
        if matches!(error.fault(), Fault::CiDisabled) {
            // There is nothing to poll: no last poll that could be too long ago.
            held.any_polled = true;
            if held
                .errors
                .get(what)
                .is_none_or(|known| known.reason != reason)
            {
                self.exposition.remove_project(what);
                self.exposition.watch_project(&path);
            }
        }
        self.exposition
            .poll_failed(&path, super::telemetry::poll_error(error));
        // What is behind it was told; the one that opened the circuit stays to be seen.
        let is_left_alone = matches!(error.fault(), Fault::CircuitOpen { .. });
        if is_left_alone && held.errors.contains_key(what) {
            return;
        }
        let known = held.errors.get(what);
        // Not by the message: that may count down seconds.
        if is_left_alone || known.is_some_and(|known| known.reason == reason) {
            tracing::debug!(project = what, "still not polled: {message}");
        } else {
            tracing::warn!(project = what, "not polled: {message}");
        }
        held.errors
            .insert(what.to_owned(), Failure { reason, message });
        let of_project = held.projects.iter().find_map(|(id, watched)| {
            let facts = watched.facts.as_ref()?;
            (&*facts.path == what).then_some(*id)
        });
        // What was read before the error counts.
        if let Some(id) = of_project {
            self.publish_project(&mut held, id);
        }
    }

    fn rejected(&self, what: &str, rejected: &Rejected) {
        self.exposition
            .telemetry()
            .record_rejected(rejected.kind, rejected.reason.as_str());
        let mut held = self.held();
        if held.logged_rejections.len() < REMEMBERED_REJECTIONS
            && held.logged_rejections.insert((rejected.kind, rejected.id))
        {
            tracing::warn!(project = what, "left out of what GitLab sent: {rejected}");
        }
    }

    fn schedules(&self, project: &Project, schedules: &[ScheduleSight]) {
        let rows = schedules
            .iter()
            .map(|ScheduleSight { schedule, last_run }| ScheduleRow {
                id: schedule.id,
                description: schedule.description.clone(),
                ref_name: schedule.ref_name.clone(),
                next_run: schedule.next_run_at,
                last_run: *last_run,
                active: schedule.active,
            });
        let rows: Vec<_> = rows.collect();
        self.exposition.publish_schedules(&project.path, &rows);
    }

    fn schedules_not_read(&self, project: &Project, error: &Error) {
        let reason = error.reason();
        let known = self.held().schedule_errors.insert(project.id, reason);
        // A token may well be allowed to see pipelines and no schedules: nothing is broken then.
        if known == Some(reason) {
            tracing::debug!(project = %project.path, "schedules still not read: {error}");
        } else {
            tracing::info!(project = %project.path, "schedules not read: {error}");
        }
    }

    fn first_round_ended(&self) {
        self.held().first_round_ended = true;
    }

    fn gitlab_now(&self) -> Timestamp {
        self.clock.gitlab_now()
    }
}

impl Tracked {
    pub(super) fn note(&mut self, changed: bool) {
        self.stale |= changed;
        self.unsaved |= changed;
    }
}

//! The timelines of a project that is backfilled: new ones, and the saved ones that go on.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use super::past::{ProjectPast, TimelinePast};
use super::report::Progress;
use crate::daemon::gitlab_clock::GitLabClock;
use crate::daemon::own_secrets::OwnSecrets;
use crate::gitlab::{Project, Rejected};
use crate::ingest::{AbsentAttempts, Observations};
use crate::store::{BackfillCheckpoint, Saved};
use ci_history::{
    JobObservation, NotListed, PipelineObservation, Rules, Timeline, TimelineKey, Timestamp, Tracks,
};

/// What is read of one project after the other.
pub(super) struct BackfillTimelines {
    rules: Rules,
    tracks: Tracks,
    clock: Arc<GitLabClock>,
    progress: Arc<dyn Progress>,
    own_secrets: OwnSecrets,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What was read, and nothing else.
    read: Timelines,
    /// What was saved, and what was read now.
    own: SavedTimelines,
    /// The same, moment by moment, if it is to be written.
    past: Option<ProjectPast>,
    /// Pipelines up to this id were read.
    done: u64,
    /// Pipelines that were read by this run.
    count: usize,
}

pub(super) type Timelines = BTreeMap<TimelineKey, Timeline>;

pub(super) type SavedTimelines = BTreeMap<TimelineKey, Saved>;

impl BackfillTimelines {
    pub(super) fn new(
        rules: Rules,
        tracks: Tracks,
        clock: Arc<GitLabClock>,
        progress: Arc<dyn Progress>,
        own_secrets: OwnSecrets,
    ) -> Self {
        Self {
            rules,
            tracks,
            clock,
            progress,
            own_secrets,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a project where a checkpoint left off.
    pub(super) fn begin(
        &self,
        checkpoint: &BackfillCheckpoint,
        own: SavedTimelines,
        past: Option<ProjectPast>,
    ) {
        let timelines = checkpoint.timelines.iter().cloned();
        let mut inner = self.lock();
        inner.read = timelines.map(|t| (t.key.clone(), t)).collect();
        inner.own = own;
        inner.past = past;
        inner.done = checkpoint.done;
    }

    /// What was read so far.
    pub(super) fn checkpoint(&self, begun: &BackfillCheckpoint) -> BackfillCheckpoint {
        let inner = self.lock();
        BackfillCheckpoint {
            scope: begun.scope.clone(),
            since: begun.since,
            listed: begun.listed,
            done: inner.done,
            timelines: inner.read.values().cloned().collect(),
        }
    }

    /// Ends a project; returns what was read, what was saved and has gone on, and what is to be written of the past.
    pub(super) fn end(
        &self,
    ) -> (
        Timelines,
        SavedTimelines,
        BTreeMap<TimelineKey, TimelinePast>,
    ) {
        let mut inner = self.lock();
        let mut read = std::mem::take(&mut inner.read);
        let past = inner.past.take().map(ProjectPast::end).unwrap_or_default();
        for (key, past) in &past {
            // It has counted what came and went before the last attempt of an execution, as an exporter would have.
            read.insert(key.clone(), past.timeline.clone());
        }
        (read, std::mem::take(&mut inner.own), past)
    }

    /// Pipelines read since the last call.
    pub(super) fn take_count(&self) -> usize {
        std::mem::take(&mut self.lock().count)
    }

    fn passed(&self, inner: &mut Inner, pipeline: u64) {
        inner.done = inner.done.max(pipeline);
        inner.count += 1;
        self.progress.has_read();
    }
}

impl Observations for BackfillTimelines {
    fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    ) {
        let mut inner = self.lock();
        let key = self.tracks.key(project.id, pipeline);
        if let Some(own) = inner.own.get_mut(&key) {
            own.timeline.observe(pipeline, jobs, &self.rules, at);
        }
        let new = || Timeline::new(key.clone(), project.path.clone(), project.web_url.clone());
        if let Some(past) = &mut inner.past {
            past.add(new(), pipeline.clone(), jobs.to_vec(), at);
        }
        let read = inner.read.entry(key.clone()).or_insert_with(new);
        read.observe(pipeline, jobs, &self.rules, at);
        self.passed(&mut inner, pipeline.id);
    }

    fn not_listed(&self, _: &Project, _: &PipelineObservation, _: &HashSet<u64>) -> NotListed {
        // A backfill begins with nothing known.
        NotListed::default()
    }

    fn absent(&self, _: &Project, _: &PipelineObservation, _: &AbsentAttempts) {}

    fn knows_job(&self, project: &Project, ref_name: &str, job: &str) -> bool {
        let inner = self.lock();
        let own = inner.own.values().map(|saved| &saved.timeline);
        let mut of_ref = own.chain(inner.read.values()).filter(|it| {
            it.key.project_id == project.id
                && *it.key.ref_name == *self.tracks.ref_of(&ref_name.into())
        });
        of_ref.any(|it| it.has_job(job, &self.rules))
    }

    fn pipeline_removed(&self, _: &Project, pipeline: &PipelineObservation) {
        self.passed(&mut self.lock(), pipeline.id);
    }

    fn rejected(&self, rejected: &Rejected) {
        tracing::warn!("left out of what GitLab sent: {rejected}");
    }

    fn secrets(&self) -> Vec<SecretString> {
        self.own_secrets.all()
    }

    fn gitlab_now(&self) -> Timestamp {
        self.clock.gitlab_now()
    }
}

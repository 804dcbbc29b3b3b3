//! Where the observations of a backfill go: into timelines of their own, and into the saved ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Progress;
use crate::daemon::gitlab_clock::GitLabClock;
use crate::gitlab::{Error, Project, Rejected, TransportMetrics};
use crate::ingest::{Resume, ScheduleSight, Sink};
use crate::model::{JobObservation, PipelineObservation, Rules, Timeline, TimelineKey, Timestamp};
use crate::store::BackfillCheckpoint;

/// Takes GitLab's time from its answers.
pub(super) struct ClockReader(pub(super) Arc<GitLabClock>);

impl TransportMetrics for ClockReader {
    fn server_date(&self, date: Timestamp) {
        self.0.note(date);
    }
}

/// What is read of one project after the other.
pub(super) struct Reading {
    rules: Rules,
    clock: Arc<GitLabClock>,
    progress: Arc<dyn Progress>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// What was read, and nothing else.
    read: BTreeMap<TimelineKey, Timeline>,
    /// What was saved, and what was read now.
    own: BTreeMap<TimelineKey, Timeline>,
    /// Pipelines up to this one were read.
    done: u64,
    /// Pipelines that were read by this run.
    count: usize,
    troubles: Vec<(String, String)>,
}

type Timelines = BTreeMap<TimelineKey, Timeline>;

impl Reading {
    pub(super) fn new(rules: Rules, clock: Arc<GitLabClock>, progress: Arc<dyn Progress>) -> Self {
        Self {
            rules,
            clock,
            progress,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a project where a checkpoint left off.
    pub(super) fn begin(&self, checkpoint: &BackfillCheckpoint, own: Timelines) {
        let timelines = checkpoint.timelines.iter().cloned();
        let mut held = self.held();
        held.read = timelines.map(|t| (t.key.clone(), t)).collect();
        held.own = own;
        held.done = checkpoint.done;
    }

    /// The checkpoint as it is by now.
    pub(super) fn checkpoint(&self, begun: &BackfillCheckpoint) -> BackfillCheckpoint {
        let held = self.held();
        BackfillCheckpoint {
            scope: begun.scope.clone(),
            since: begun.since,
            listed: begun.listed,
            done: held.done,
            timelines: held.read.values().cloned().collect(),
        }
    }

    /// Ends a project: what was read, and what was saved and has gone on.
    pub(super) fn end(&self) -> (Timelines, Timelines) {
        let mut held = self.held();
        (
            std::mem::take(&mut held.read),
            std::mem::take(&mut held.own),
        )
    }

    /// How many pipelines were read since this was asked for the last time.
    pub(super) fn take_count(&self) -> usize {
        std::mem::take(&mut self.held().count)
    }

    /// What the configuration names and could not be found.
    pub(super) fn take_troubles(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.held().troubles)
    }

    fn passed(&self, held: &mut Held, pipeline: u64) {
        held.done = held.done.max(pipeline);
        held.count += 1;
        self.progress.has_read();
    }
}

impl Sink for Reading {
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
        if let Some(own) = held.own.get_mut(&key) {
            own.observe(pipeline, jobs, &self.rules, at);
        }
        let read = held
            .read
            .entry(key.clone())
            .or_insert_with(|| Timeline::new(key, project.path.clone(), project.web_url.clone()));
        read.observe(pipeline, jobs, &self.rules, at);
        self.passed(&mut held, pipeline.id);
    }

    fn gone(&self, _: &Project, pipeline: &PipelineObservation) {
        self.passed(&mut self.held(), pipeline.id);
    }

    fn rejected(&self, what: &str, rejected: &Rejected) {
        tracing::warn!(what, "left out of what GitLab sent: {rejected}");
    }

    fn poll_failed(&self, what: &str, error: &Error) {
        let trouble = (what.to_owned(), error.to_string());
        self.held().troubles.push(trouble);
    }

    fn gitlab_now(&self) -> Timestamp {
        self.clock.gitlab_now()
    }

    // What follows is asked and told by polling alone.

    fn resume(&self, _: &Project) -> Resume {
        Resume::default()
    }

    fn watched(&self, _: &Project) {}

    fn watched_are(&self, _: &BTreeMap<u64, Project>, _: bool) {}

    fn show(&self, _: &Project) {}

    fn polled(&self, _: &Project, _: Option<Timestamp>) {}

    fn schedules(&self, _: &Project, _: &[ScheduleSight]) {}

    fn schedules_not_read(&self, _: &Project, _: &Error) {}

    fn first_round_ended(&self) {}
}

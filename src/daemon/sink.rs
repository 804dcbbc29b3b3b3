//! What polling tells the state: observations, what is watched, what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::{Failure, State, Tracked};
use crate::gitlab::{Error, Fault, Project, Rejected};
use crate::ingest::{Resume, ScheduleSight, Sink};
use crate::metrics::ScheduleRow;
use crate::model::{JobObservation, PipelineObservation, Timeline, TimelineKey, Timestamp};

/// Rejected records that are remembered so that each is logged once.
const REMEMBERED_REJECTIONS: usize = 10_000;

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
            let timeline = &mut tracked.timeline;
            // Of an import nothing was read.
            timeline.has_gap |= timeline.is_bare();
            // Without a watermark the first backfill of the project was broken off.
            if is_begun && !timeline.has_gap {
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
                // What happens to it from now on is not read.
                tracked.unsaved |= !std::mem::replace(&mut tracked.timeline.has_gap, true);
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
            let mut timeline = Timeline::new(key, path, project.web_url.clone());
            // Until everything that was listed of it is read.
            timeline.has_gap = true;
            Tracked::new(timeline)
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
        if watermark.is_some() {
            for tracked in held.timelines_of(project.id).filter(|it| it.shown) {
                tracked.unsaved |= std::mem::take(&mut tracked.timeline.has_gap);
            }
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

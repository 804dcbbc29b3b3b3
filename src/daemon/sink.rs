//! What polling tells the state: observations, what is watched, what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::{Failure, NotRead, State, Tracked};
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
        let held = &mut *held;
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
            self.exposition.watch_project(&project.path);
            if let Some(failure) = held.errors.remove(&*former.path) {
                held.errors.insert(project.path.to_string(), failure);
            }
            watched.former_path = Some(former.path);
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
        // Since the cycle began the project may have moved, or be watched no more.
        let facts = held.facts(project.id).cloned();
        let default_branch = facts.as_ref().and_then(|it| it.default_branch.as_deref());
        let is_shown =
            facts.is_some() && self.policy.refs.matches(&pipeline.ref_name, default_branch);
        let project = facts.as_ref().unwrap_or(project);
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
        tracked.shown |= is_shown;
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
            let changes = tracked
                .timeline
                .cancel_in_flight(pipeline.id, &self.policy.rules);
            tracked.note(!changes.is_empty());
        }
    }

    fn show(&self, project: &Project) {
        self.publish_project(&mut self.held(), project.id);
    }

    fn polled(&self, project: &Project, watermark: Option<Timestamp>) {
        let mut held = self.held();
        held.any_polled = true;
        // Since the cycle began the project may have moved, or be watched no more.
        let facts = held.facts(project.id).cloned();
        if let Some(facts) = &facts {
            self.exposition
                .poll_succeeded(&facts.path, self.clock.local_now());
            if held.errors.remove(&*facts.path).is_some() {
                tracing::info!(project = %facts.path, "polled again");
            }
        }
        let is_as_it_began = facts.as_ref() == Some(project);
        if let Some(watched) = held.projects.get_mut(&project.id) {
            watched.watermark = watched.watermark.max(watermark);
            if is_as_it_began {
                watched.former_path = None;
            }
        }
        // Of a ref that is shown only since then, not everything was read.
        if watermark.is_some() && is_as_it_began {
            for tracked in held.timelines_of(project.id).filter(|it| it.shown) {
                tracked.unsaved |= std::mem::take(&mut tracked.timeline.has_gap);
            }
        }
        self.expire_read(&mut held, project.id);
        self.publish_project(&mut held, project.id);
    }

    fn poll_failed(&self, what: &str, error: &Error) {
        let (reason, message) = (error.reason(), error.to_string());
        let mut held = self.held();
        let of_project = held.project_at(what);
        let path = of_project
            .and_then(|id| held.facts(id))
            .map_or_else(|| Arc::from(what), |facts| facts.path.clone());
        let what = &*path;
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
        self.exposition.poll_failed(&path, error.class());
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
        let mut held = self.held();
        match held.schedule_errors.get_mut(&project.id) {
            Some(error) if error.is_under_way => error.is_under_way = false,
            Some(_) => {
                held.schedule_errors.remove(&project.id);
                tracing::info!(project = %project.path, "schedules read again");
            }
            None => {}
        }
        if let Some(facts) = held.facts(project.id) {
            self.exposition.publish_schedules(&facts.path, &rows);
        }
    }

    fn schedules_not_read(&self, project: &Project, error: &Error) {
        let reason = error.reason();
        let now = NotRead {
            reason,
            is_under_way: true,
        };
        let known = self.held().schedule_errors.insert(project.id, now);
        // A token may well be allowed to see pipelines and no schedules: nothing is broken then.
        if known.is_some_and(|known| known.reason == reason) {
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

#[cfg(test)]
mod tests {
    use super::super::state::{page, test_state};
    use super::*;
    use crate::model::Status;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_700_000_000 + seconds).unwrap()
    }

    fn project(path: &str, default_branch: &str) -> Project {
        Project {
            id: 7,
            path: path.into(),
            web_url: None,
            default_branch: Some(default_branch.into()),
            archived: false,
        }
    }

    fn fails_on(ref_name: &str) -> (PipelineObservation, JobObservation) {
        let pipeline = PipelineObservation {
            id: 1,
            ref_name: ref_name.into(),
            sha: "c1".into(),
            status: Status::Failed,
            source: None,
            created_at: Some(at(0)),
            updated_at: Some(at(9)),
            duration: None,
            web_url: None,
        };
        let job = JobObservation {
            id: 10,
            name: "unit".into(),
            stage: "test".into(),
            status: Status::Failed,
            allow_failure: false,
            created_at: Some(at(0)),
            started_at: Some(at(1)),
            finished_at: Some(at(9)),
            duration: None,
            queued_duration: None,
            moved_at: None,
            failure_reason: None,
            web_url: None,
        };
        (pipeline, job)
    }

    #[tokio::test]
    async fn a_cycle_that_began_before_its_project_moved_shows_nothing_of_the_old_path() {
        let (state, _) = test_state();
        let (old, new) = (project("acme/old", "main"), project("acme/new", "main"));
        state.watched(&old);
        state.watched(&new);
        let (pipeline, job) = fails_on("main");
        state.observed(&old, &pipeline, &[job], at(10));
        state.polled(&old, Some(at(10)));
        let page = page(&state).await;
        assert!(!page.contains("acme/old"), "{page}");
        for series in [
            "job_consecutive_failures{project=\"acme/new\"",
            "project_last_successful_poll_timestamp_seconds{project=\"acme/new\"}",
        ] {
            assert!(page.contains(series), "{series} is not in: {page}");
        }
    }

    #[tokio::test]
    async fn a_cycle_that_began_with_another_default_branch_shows_only_what_matches_now() {
        let (state, _) = test_state();
        let (old, new) = (project("acme/app", "main"), project("acme/app", "trunk"));
        state.watched(&old);
        let (pipeline, job) = fails_on("main");
        state.observed(&old, &pipeline, std::slice::from_ref(&job), at(10));
        state.polled(&old, Some(at(10)));
        assert!(page(&state).await.contains("job_consecutive_failures{"));

        state.watched(&new);
        let (other, _) = fails_on("trunk");
        state.observed(&old, &pipeline, std::slice::from_ref(&job), at(20));
        state.observed(&new, &other, &[job], at(20));
        state.polled(&old, Some(at(20)));
        let page = page(&state).await;
        assert!(page.contains("ref=\"trunk\""), "{page}");
        assert!(!page.contains("ref=\"main\""), "{page}");
        let mut held = state.held();
        assert!(
            held.timelines_of(7).all(|it| it.timeline.has_gap),
            "the old cycle has not read the new branch"
        );
    }

    #[tokio::test]
    async fn a_cycle_of_a_project_that_is_watched_no_more_shows_nothing() {
        let (state, _) = test_state();
        let project = project("acme/app", "main");
        state.watched(&project);
        state.watched_are(&BTreeMap::new(), true);
        let (pipeline, job) = fails_on("main");
        state.observed(&project, &pipeline, &[job], at(10));
        state.polled(&project, Some(at(10)));
        state.schedules(&project, &[]);
        let page = page(&state).await;
        assert!(!page.contains("acme/app"), "{page}");
    }

    #[test]
    fn an_error_of_a_cycle_that_began_before_a_move_is_one_of_the_new_path() {
        let (state, _) = test_state();
        state.watched(&project("acme/old", "main"));
        state.watched(&project("acme/new", "main"));
        let mut held = state.held();
        assert_eq!(held.project_at("acme/old"), Some(7));
        assert_eq!(held.project_at("acme/old"), None, "the next cycle knows");
        assert_eq!(held.project_at("acme/new"), Some(7));
    }

    #[test]
    fn schedules_that_are_read_again_are_no_known_trouble_any_more() {
        let (state, _) = test_state();
        let project = project("acme/app", "main");
        state.watched(&project);
        let failed = NotRead {
            reason: "forbidden",
            is_under_way: true,
        };
        state.held().schedule_errors.insert(7, failed);
        state.schedules(&project, &[]);
        assert!(
            !state.held().schedule_errors.is_empty(),
            "the look that failed"
        );
        state.schedules(&project, &[]);
        assert!(state.held().schedule_errors.is_empty());
    }
}

//! What polling tells the state.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use secrecy::SecretString;

use super::limits::admitted_schedules;
use super::projects::Found;
use super::shell::State;
use crate::base::label::Label as _;
use crate::base::project_memory::SchedulesMemory;
use crate::base::project_problem::ProjectProblem;
use crate::gitlab::{Error, Project, Rejected};
use crate::ingest::{
    AbsentAttempts, FormerProject, Observations, Origin, PollEvents, PollProgress, Resume,
    ScheduleSight, SweepReport,
};
use crate::metrics::ScheduleRow;
use ci_history::duration;
use ci_history::{JobObservation, NotListed, PipelineObservation, TimelineKey, Timestamp};

impl Observations for State {
    fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    ) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        // Since the cycle began the project may have moved, or be no longer watched.
        let facts = inner.projects.facts(project.id);
        let default_branch = facts.and_then(|facts| facts.default_branch.as_deref());
        let refs = &self.policy.refs;
        let is_watched = refs.watches(&pipeline.ref_name, pipeline.tag, default_branch);
        let is_visible = facts.is_some() && is_watched;
        let project = facts.unwrap_or(project);
        let timelines = &mut inner.timelines;
        let (effects, hit) = timelines.observe(project, is_visible, pipeline, jobs, at);
        if let Some(hit) = hit
            && inner.health.limit_reached(project.id, hit.limit)
        {
            hit.warn(&project.path, Some(&pipeline.ref_name));
        }
        drop(guard);
        if let Some(hit) = hit {
            self.telemetry().limit_reached(hit.limit, hit.count);
        }
        self.apply(effects);
    }

    fn not_listed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        listed: &HashSet<u64>,
    ) -> NotListed {
        let inner = self.lock();
        inner.timelines.not_listed(project.id, pipeline, listed)
    }

    fn absent(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        AbsentAttempts {
            never_there,
            deleted,
        }: &AbsentAttempts,
    ) {
        let (withdrawn, canceled) = (never_there.len(), deleted.len());
        tracing::warn!(
            withdrawn,
            canceled,
            "GitLab does not have some attempts of this pipeline: they count no more"
        );
        let mut inner = self.lock();
        let timelines = &mut inner.timelines;
        if let Some(key) = timelines.holder(project.id, &pipeline.ref_name, pipeline.id) {
            timelines.change(&key, |timeline, rules| {
                let mut changes = timeline.withdraw(pipeline.id, never_there, rules);
                let canceled = timeline.cancel_deleted(pipeline.id, deleted, rules);
                changes.jobs.extend(canceled.jobs);
                changes
            });
        }
    }

    fn knows_job(&self, project: &Project, ref_name: &str, job: &str) -> bool {
        self.lock().timelines.knows_job(project.id, ref_name, job)
    }

    fn pipeline_removed(&self, project: &Project, pipeline: &PipelineObservation) {
        tracing::info!("GitLab no longer knows this pipeline");
        let mut inner = self.lock();
        if let Some(key) = inner
            .timelines
            .holder(project.id, &pipeline.ref_name, pipeline.id)
        {
            inner.timelines.change(&key, |timeline, rules| {
                timeline.cancel_in_flight(pipeline.id, rules)
            });
        }
    }

    fn rejected(&self, rejected: &Rejected) {
        let reason = rejected.reason.as_str();
        self.telemetry().record_rejected(rejected.kind, reason);
        if self.lock().health.rejected(rejected) {
            tracing::warn!("left out of what GitLab sent: {rejected}");
        }
    }

    fn secrets(&self) -> Vec<SecretString> {
        self.policy.own_secrets.all()
    }

    fn gitlab_now(&self) -> Timestamp {
        self.clock.gitlab_now()
    }
}

impl PollEvents for State {
    fn resume(&self, project: &Project) -> Resume {
        let inner = self.lock();
        let watermark = inner.projects.watermark(project.id);
        // A watermark from the future would hide what comes until then.
        let watermark = watermark.map(|at| at.min(self.clock.gitlab_now()));
        let memory = inner.memories.get(project.id);
        Resume {
            schedules: memory.map_or_else(Default::default, |it| it.schedules.clone()),
            ..inner.timelines.resume(project.id, watermark)
        }
    }

    fn contradicted(
        &self,
        project: &Project,
        listed: &[PipelineObservation],
    ) -> Vec<PipelineObservation> {
        self.lock().timelines.contradicted(project.id, listed)
    }

    fn replaced(&self, project: &Project, known: &PipelineObservation) {
        let mut inner = self.lock();
        let holder = (inner.timelines).holder(project.id, &known.ref_name, known.id);
        if let Some(key) = holder {
            inner.timelines.begin_again(&key);
        }
        drop(inner);
        self.telemetry().ref_rebuilt();
        tracing::warn!(
            "ref" = &*known.ref_name,
            "GitLab no longer has pipeline {}, or has another one under its id: was it restored from a backup? The \
             history of this ref is read anew; the former one is in the attic (`state restore`)",
            known.id
        );
    }

    fn refs_to_read_back(&self, project: &Project) -> BTreeSet<Arc<str>> {
        self.lock().timelines.take_read_back(project.id)
    }

    fn former_projects(&self) -> Vec<FormerProject> {
        let inner = self.lock();
        let remembered = inner.memories.iter().filter_map(|(id, memory)| {
            Some(FormerProject {
                origin: Origin::Group(memory.group.clone()?),
                project: Project {
                    id,
                    path: memory.path.clone(),
                    web_url: memory.web_url.clone(),
                    default_branch: memory.default_branch.clone(),
                    hides_default_branch: false,
                    archived: false,
                },
            })
        });
        let mut former: Vec<_> = remembered.collect();
        let known = |id: u64| inner.memories.get(id).is_some();
        former.extend(
            inner
                .timelines
                .projects()
                .filter(|it| !known(it.id))
                .map(|project| FormerProject {
                    origin: Origin::Unknown,
                    project,
                }),
        );
        former
    }

    fn watched(&self, project: &Project, group: Option<&Arc<str>>) {
        self.owners_cache.request_reading();
        let mut inner = self.lock();
        let former_branch = inner.memories.get(project.id);
        let former_branch = former_branch.and_then(|it| it.default_branch.clone());
        inner.memories.found(project, group);
        self.exposition
            .watch_project(&project.path, project.default_branch.as_ref());
        let found = inner.projects.found(project);
        if found == Found::AsBefore {
            return;
        }
        if let Found::Moved { from } = &found {
            self.exposition.remove_project(from);
            inner.health.project_moved(from, &project.path);
        }
        let problem = self.problem_of(project);
        let former = inner.health.project_problem(project, problem);
        if let Some(path) = former.filter(|path| *path != project.path) {
            self.exposition.remove_project(&path);
        }
        self.exposition.project_problem(&project.path, problem);
        let default_branch = project.default_branch.as_deref();
        let refs = &self.policy.refs;
        let is_watched =
            |key: &TimelineKey| refs.watches(&key.ref_name, key.is_tag(), default_branch);
        let effects = inner.timelines.project_found(project, is_watched);
        drop(inner);
        if let Some(problem) = problem {
            log_problem(project, problem);
        } else if let (Some(branch), None) = (former_branch, default_branch)
            && refs.includes_default()
        {
            tracing::warn!(
                project = &*project.path,
                "GitLab says that this project has no default branch any more: its jobs on `{branch}` leave `/metrics` \
                 unless a pattern of `watch.refs` matches it. Their histories stay saved until the retention"
            );
        }
        if let Found::Moved { from } = found {
            tracing::info!(%from, to = %project.path, "project moved");
        }
        self.apply(effects);
    }

    fn watched_are(&self, projects: &BTreeMap<u64, Project>, complete: bool) {
        let mut inner = self.lock();
        let inner_mut = &mut *inner;
        let dropped = inner_mut.projects.drop_missing(projects);
        for path in &dropped {
            self.exposition.remove_project(path);
        }
        let known = &inner_mut.projects;
        let effects = inner_mut.timelines.hide(|key| {
            let id = key.project_id;
            // A project that was not found since the start may be behind a name that was not found.
            !projects.contains_key(&id) && (complete || known.was_found(id))
        });
        if complete {
            let paths: BTreeSet<&str> = projects.values().map(|it| &*it.path).collect();
            for name in inner_mut.health.forget_failures_but(&paths) {
                self.exposition.remove_project(&name);
            }
        }
        drop(inner);
        for path in dropped {
            tracing::info!(project = %path, "project is no longer watched");
        }
        self.apply(effects);
    }

    fn project_lost(&self, project: &Project, problem: ProjectProblem) {
        let mut inner = self.lock();
        inner.health.project_problem(project, Some(problem));
        inner.memories.found(project, None);
        self.exposition
            .project_problem(&project.path, Some(problem));
        drop(inner);
        log_problem(project, problem);
    }

    fn publish(&self, project: &Project) {
        self.publish_project(project.id);
    }

    fn polled(&self, project: &Project, watermark: Option<Timestamp>) {
        let mut inner = self.lock();
        // Since the cycle began the project may have moved, or be no longer watched.
        let path = inner.projects.facts(project.id);
        let path = path.map(|facts| facts.path.clone());
        let (now, by_gitlab) = (self.clock.local_now(), self.clock.shared_now());
        if let Some(path) = &path {
            self.exposition.poll_succeeded(path, now, by_gitlab);
        }
        let has_recovered = inner.health.polled(path.as_deref(), now);
        let is_as_it_began = inner.projects.polled(project, watermark);
        // A ref that is visible only since then was not read to the end.
        if watermark.is_some() && is_as_it_began {
            inner.timelines.close_gaps(project.id);
        }
        drop(inner);
        if has_recovered {
            tracing::info!("polled again");
        }
        self.expire_read(project.id);
        self.publish_project(project.id);
    }

    fn poll_failed(&self, name: &str, error: &Error) {
        let mut inner = self.lock();
        let project_id = inner.projects.take_at(name);
        let facts = project_id.and_then(|id| inner.projects.facts(id));
        let path = facts.map_or_else(|| Arc::from(name), |facts| facts.path.clone());
        let default_branch = facts.and_then(|facts| facts.default_branch.clone());
        let news = inner
            .health
            .poll_failed(&path, error, self.clock.local_now());
        if news.ci_was_disabled {
            self.exposition.remove_project(&path);
            self.exposition
                .watch_project(&path, default_branch.as_ref());
        }
        self.exposition.poll_failed(&path, error.class());
        drop(inner);
        if news.is_news {
            tracing::warn!("not polled: {error}");
        } else {
            tracing::debug!("still not polled: {error}");
        }
        // What was read before the error counts.
        if let Some(id) = project_id {
            self.publish_project(id);
        }
    }

    fn schedules(&self, project: &Project, schedules: &[ScheduleSight], memory: SchedulesMemory) {
        let (schedules, hit) = admitted_schedules(schedules);
        let rows = schedules.iter().map(|sight| ScheduleRow {
            id: sight.schedule.id,
            description: sight.schedule.description.clone(),
            ref_name: sight.schedule.ref_name.clone(),
            next_run: sight.schedule.next_run_at,
            last_run: sight.last_run,
            missed: sight.missed,
            switched_off: sight.switched_off,
            active: sight.schedule.active,
        });
        let rows: Vec<_> = rows.collect();
        let mut inner = self.lock();
        inner.memories.schedules(project, memory);
        if let Some(hit) = hit {
            self.telemetry().limit_reached(hit.limit, hit.count);
            if inner.health.limit_reached(project.id, hit.limit) {
                hit.warn(&project.path, None);
            }
        }
        let has_recovered = inner.health.schedules_reported(project.id);
        if let Some(facts) = inner.projects.facts(project.id) {
            self.exposition.publish_schedules(&facts.path, &rows);
        }
        drop(inner);
        if has_recovered {
            tracing::info!("schedules read again");
        }
    }

    fn schedules_read(&self, project: &Project) {
        let inner = self.lock();
        if let Some(facts) = inner.projects.facts(project.id) {
            let now = self.clock.local_now();
            self.exposition.schedules_read(&facts.path, now);
        }
    }

    fn schedules_not_read(&self, project: &Project, error: &Error) {
        let mut inner = self.lock();
        let is_news = inner.health.schedules_failed(project.id, error.reason());
        let memory = inner.memories.get(project.id);
        let were_read = memory.is_some_and(|it| !it.schedules.schedules.is_empty());
        drop(inner);
        if is_news && were_read && error.is_refusal() {
            tracing::warn!(
                "schedules no longer read: {error}; what is known of them stays until several readings in a row are refused"
            );
        } else if is_news {
            // The token may be allowed to see pipelines and no schedules: then nothing is broken.
            tracing::info!("schedules not read: {error}");
        } else {
            tracing::debug!("schedules still not read: {error}");
        }
    }

    fn relies_on_hooks(&self, project: &Project, relies: bool) {
        let path = self.lock().projects.relies_on_hooks(project.id, relies);
        if let Some(path) = path {
            let interval = relies.then_some(self.policy.hooked_interval);
            self.exposition.polled_seldom(&path, interval);
        }
        if relies {
            let interval = duration::format(self.policy.hooked_interval);
            tracing::debug!("its webhooks come: polled every {interval} while it is quiet");
        }
    }

    fn swept(&self, report: SweepReport) {
        self.exposition.telemetry().swept(
            report.answered,
            report.asked - report.answered,
            report.size,
        );
    }

    fn progressed(&self, progress: PollProgress) {
        self.note_progress(progress);
    }

    fn needs(&self, requests_per_second: f64) {
        self.note_needed_rate(requests_per_second);
    }

    fn first_round_ended(&self) {
        self.lock().health.first_round_ended();
    }
}

impl State {
    /// Why a project that was found is not watched as the configuration says.
    fn problem_of(&self, project: &Project) -> Option<ProjectProblem> {
        if project.archived {
            return Some(ProjectProblem::Archived);
        }
        let needs_branch = self.policy.refs.includes_default();
        // An empty repository has none either, and nothing to watch.
        let is_hidden = needs_branch && project.hides_default_branch;
        is_hidden.then_some(ProjectProblem::NoDefaultBranch)
    }
}

fn log_problem(project: &Project, problem: ProjectProblem) {
    let (project, advice) = (&*project.path, problem.advice());
    if problem.is_trouble() {
        tracing::warn!(project, "{advice}");
    } else {
        tracing::info!(project, "{advice}");
    }
}

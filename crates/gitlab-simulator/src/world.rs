//! The simulated GitLab instance: its entities, its time, and the agenda of future steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc;

use super::accounts::{Accounts, Role};
use super::delivery::Hook;
use super::entity::{GitRef, Group, Job, OutdatedDeployments, Pipeline, Project, Schedule};
use super::ledger::{Action, Ledger};
use super::moment::Moment;
use super::settings::Settings;

/// A planned change of the world.
pub(super) type Step = Box<dyn FnOnce(&mut World) + Send>;

/// A simulated GitLab instance.
///
/// Only [`World::advance`] moves time. Steps that are due at the same moment run in the order in which they
/// were planned, so that a seed always gives the same sequence of events.
pub struct World {
    pub(super) now: Moment,
    pub(super) base_url: String,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) projects: BTreeMap<u64, Project>,
    pub(super) pipelines: BTreeMap<u64, Pipeline>,
    /// Ids of pipelines by project, with those of pipelines that are gone.
    pub(super) pipelines_by_project: BTreeMap<u64, BTreeSet<u64>>,
    /// The bridges that started pipelines, by pipeline, with those that are gone.
    pub(super) bridges: BTreeMap<u64, u64>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) jobs_by_pipeline: BTreeMap<u64, Vec<u64>>,
    pub(super) schedules: BTreeMap<u64, Schedule>,
    pub(super) last_pipeline_id: u64,
    pub(super) last_job_id: u64,
    pub(super) status_lag: Duration,
    pub(super) random: fastrand::Rng,
    /// Logs set by [`World::set_log`], by job id.
    pub(super) logs: BTreeMap<u64, String>,
    /// When logs were erased, by job id.
    pub(super) erased_logs: BTreeMap<u64, Moment>,
    /// Titles of commits, by their ids.
    pub(super) titles: BTreeMap<String, String>,
    /// Files of repositories, by project id and path.
    pub(super) files: BTreeMap<(u64, String), String>,
    pub(super) hooks: Vec<mpsc::UnboundedSender<Hook>>,
    pub(super) accounts: Accounts,
    pub(super) settings: Settings,
    pub(super) ledger: Ledger,
    /// Branches and tags, by project id and name.
    pub(super) refs: BTreeMap<(u64, String), GitRef>,
    /// Shares of retries that pass, by the reason of the failure.
    pub(super) recoveries: BTreeMap<String, f64>,
    /// Schedules that were started by hand and have no pipeline yet.
    pub(super) queued_schedules: BTreeSet<u64>,
    pub(super) seed: u64,
    started: Moment,
    agenda: BTreeMap<(Moment, u64), Step>,
    planned: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("World")
            .field("now", &self.now.iso())
            .field("projects", &self.projects.len())
            .field("pipelines", &self.pipelines.len())
            .field("jobs", &self.jobs.len())
            .field("agenda", &self.agenda.len())
            .finish_non_exhaustive()
    }
}

impl World {
    /// An empty instance that starts at `start`.
    pub fn new(start: Moment, seed: u64) -> Self {
        Self {
            now: start,
            base_url: "http://gitlab.invalid".to_owned(),
            groups: BTreeMap::new(),
            projects: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            pipelines_by_project: BTreeMap::new(),
            bridges: BTreeMap::new(),
            jobs: BTreeMap::new(),
            jobs_by_pipeline: BTreeMap::new(),
            schedules: BTreeMap::new(),
            last_pipeline_id: 1000,
            last_job_id: 50_000,
            status_lag: Duration::ZERO,
            random: fastrand::Rng::with_seed(seed),
            logs: BTreeMap::new(),
            erased_logs: BTreeMap::new(),
            titles: BTreeMap::new(),
            files: BTreeMap::new(),
            hooks: Vec::new(),
            accounts: Accounts::new(),
            settings: Settings::default(),
            ledger: Ledger::default(),
            refs: BTreeMap::new(),
            recoveries: BTreeMap::new(),
            queued_schedules: BTreeSet::new(),
            seed,
            started: start,
            agenda: BTreeMap::new(),
            planned: 0,
        }
    }

    /// The present simulated time.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Simulated time at the start of the instance.
    pub fn started(&self) -> Moment {
        self.started
    }

    /// Delays further changes of a pipeline's status after changes of its jobs.
    pub fn set_status_lag(&mut self, lag: Duration) {
        self.status_lag = lag;
    }

    /// The settings of the instance, for changes.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Every action that clients carried out through the API, oldest first.
    pub fn actions(&self) -> &[Action] {
        self.ledger.actions()
    }

    /// Number of new attempts that clients made through the API, by the attempt that they repeat.
    pub fn retries_per_job(&self) -> BTreeMap<u64, usize> {
        self.ledger.retries_per_job()
    }

    /// Plans `step` for a time after the start of the instance, or for now if that time has passed.
    pub fn at(&mut self, after_start: Duration, step: impl FnOnce(&mut Self) + Send + 'static) {
        let moment = (self.started + after_start).max(self.now);
        self.plan(moment, Box::new(step));
    }

    /// Plans `step` for a time from now.
    pub fn after(&mut self, time: Duration, step: impl FnOnce(&mut Self) + Send + 'static) {
        self.plan(self.now + time, Box::new(step));
    }

    /// Advances time and runs all steps that become due.
    pub fn advance(&mut self, by: Duration) {
        self.advance_to(self.now + by);
    }

    /// Advances time to `target` and runs all due steps. If `target` has passed, runs the steps due now.
    pub fn advance_to(&mut self, target: Moment) {
        let target = target.max(self.now);
        while let Some(entry) = self.agenda.first_entry() {
            let (due, _) = *entry.key();
            if due > target {
                break;
            }
            let step = entry.remove();
            self.now = self.now.max(due);
            step(self);
        }
        self.now = target;
    }

    /// Creates a group and its missing parents. Returns the id of the new or existing group.
    pub fn create_group(&mut self, path: &str) -> u64 {
        if let Some(group) = self.group_by_path(path) {
            return group.id;
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.create_group(parent);
        }
        let id = self.groups.last_key_value().map_or(10, |(id, _)| id + 1);
        let path = path.to_owned();
        self.groups.insert(id, Group { id, path });
        id
    }

    /// Creates a project with default branch `main`, and its groups. Returns its id.
    pub fn create_project(&mut self, path: &str) -> u64 {
        if let Some((group, _)) = path.rsplit_once('/') {
            self.create_group(group);
        }
        let id = self.projects.last_key_value().map_or(100, |(id, _)| id + 1);
        let project = Project {
            id,
            path: path.to_owned(),
            default_branch: "main".to_owned(),
            hides_default_branch: false,
            archived: false,
            ci_disabled: false,
            public_pipelines: true,
            shared_with: Vec::new(),
            created_at: self.now,
            last_iid: 0,
            protected_refs: Vec::new(),
            refuses_writes: false,
            pipeline_error: None,
            variables_from: Role::Developer,
            drop_reason: None,
            outdated_deployments: OutdatedDeployments::RollBack,
        };
        self.projects.insert(id, project);
        id
    }

    /// Deletes a project with its schedules, pipelines and jobs.
    pub fn delete_project(&mut self, id: u64) {
        self.projects.remove(&id);
        self.refs.retain(|(project, _), _| *project != id);
        self.schedules
            .retain(|_, schedule| schedule.project_id != id);
        self.pipelines
            .retain(|_, pipeline| pipeline.project_id != id);
        let pipelines = &self.pipelines;
        self.jobs
            .retain(|_, job| pipelines.contains_key(&job.pipeline_id));
        self.jobs_by_pipeline
            .retain(|pipeline, _| pipelines.contains_key(pipeline));
    }

    /// A project, for changes such as archiving, renaming or another default branch.
    pub fn project_mut(&mut self, id: u64) -> Option<&mut Project> {
        self.projects.get_mut(&id)
    }

    /// A project by its id.
    pub fn project(&self, id: u64) -> Option<&Project> {
        self.projects.get(&id)
    }

    /// A project by its full path.
    pub fn project_by_path(&self, path: &str) -> Option<&Project> {
        self.projects.values().find(|project| project.path == path)
    }

    /// A group by its full path.
    pub fn group_by_path(&self, path: &str) -> Option<&Group> {
        self.groups.values().find(|group| group.path == path)
    }

    /// A pipeline by its id.
    pub fn pipeline(&self, id: u64) -> Option<&Pipeline> {
        self.pipelines.get(&id)
    }

    /// An attempt of a job by its id.
    pub fn job(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// The pipelines of a project that the API shows, oldest first.
    pub fn visible_pipelines(&self, project: u64) -> impl Iterator<Item = &Pipeline> {
        let all = self.pipelines_of(project);
        all.filter(|pipeline| pipeline.visible_from <= self.now)
    }

    /// Every pipeline of a project, oldest first.
    pub(super) fn pipelines_of(&self, project: u64) -> impl DoubleEndedIterator<Item = &Pipeline> {
        let ids = self.pipelines_by_project.get(&project).into_iter();
        ids.flatten()
            .filter_map(|id| self.pipelines.get(id))
            .filter(move |pipeline| pipeline.project_id == project)
    }

    /// Every attempt of every job and bridge of a pipeline, oldest first.
    pub fn jobs_of(&self, pipeline: u64) -> impl Iterator<Item = &Job> {
        let ids = self.jobs_by_pipeline.get(&pipeline);
        ids.into_iter().flatten().filter_map(|id| self.jobs.get(id))
    }

    /// The last attempt of a job in a pipeline.
    pub fn latest(&self, pipeline: u64, name: &str) -> Option<&Job> {
        self.jobs_of(pipeline)
            .filter(|job| job.name() == name)
            .last()
    }

    fn plan(&mut self, moment: Moment, step: Step) {
        self.planned += 1;
        self.agenda.insert((moment, self.planned), step);
    }
}

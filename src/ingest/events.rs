//! What reading and polling tell the state. Calls come from many tasks and must return soon.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use secrecy::SecretString;

use crate::base::project_memory::SchedulesMemory;
use crate::base::project_problem::ProjectProblem;
use crate::gitlab::{Error, Project, Rejected, Schedule};
use ci_history::{JobObservation, NotListed, PipelineObservation, Timestamp};

/// Where polling of a project left off.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// Up to when everything was observed; `None` for a new project.
    pub watermark: Option<Timestamp>,
    /// Refs with a history. Only other refs are backfilled.
    pub known_refs: BTreeSet<Arc<str>>,
    /// Pipelines that had not ended.
    pub open: Vec<PipelineObservation>,
    /// Its schedules as they were read last.
    pub schedules: SchedulesMemory,
}

/// A project that was watched before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerProject {
    /// As it was found last.
    pub project: Project,
    /// How it came to be watched.
    pub origin: Origin,
}

/// How a project came to be watched before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It was found in this group of the configuration.
    Group(Arc<str>),
    /// Only its histories are known: an earlier version saved them.
    Unknown,
}

/// A schedule, and when it last ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSight {
    /// As GitLab lists it.
    pub schedule: Schedule,
    /// When its last pipeline was created, if it ever was.
    pub last_run: Option<Timestamp>,
    /// The newest time at which GitLab should have run it and created no pipeline.
    pub missed: Option<Timestamp>,
    /// When GitLab itself switched it off.
    pub switched_off: Option<Timestamp>,
}

/// Attempts of a pipeline that GitLab does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AbsentAttempts {
    /// It never had them.
    pub never_there: HashSet<u64>,
    /// They were open when their child pipeline was deleted.
    pub deleted: HashSet<u64>,
}

/// What the last sweep came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Projects that were asked for.
    pub asked: usize,
    /// Those that the answers told of for certain.
    pub answered: usize,
    /// Projects of the next request. 0: sweeps are off.
    pub size: usize,
    /// Requests that it took.
    pub requests: usize,
}

/// How far polling is since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollProgress {
    /// Projects of the first discovery.
    pub projects: usize,
    /// Those whose newest pipelines were read, or that failed.
    pub tried: usize,
    /// Projects with older pipelines that are still to be read.
    pub with_past: usize,
    /// Whether all projects of the first discovery were tried.
    pub is_over: bool,
}

/// Takes what was read of pipelines.
pub trait Observations: Send + Sync + 'static {
    /// A pipeline and all attempts of its jobs were read at `at`, by GitLab's clock.
    fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    );

    /// What is known of a pipeline and is not among these ids, by which all of its jobs were listed.
    fn not_listed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        listed: &HashSet<u64>,
    ) -> NotListed;

    /// GitLab does not have these attempts of a pipeline.
    fn absent(&self, project: &Project, pipeline: &PipelineObservation, attempts: &AbsentAttempts);

    /// Whether a ref has a history of a job of this name.
    fn knows_job(&self, project: &Project, ref_name: &str, job: &str) -> bool;

    /// GitLab no longer knows a pipeline that it had listed.
    fn pipeline_removed(&self, project: &Project, pipeline: &PipelineObservation);

    /// An answer held an invalid record, which was left out. The current span says whose it is.
    fn rejected(&self, rejected: &Rejected);

    /// Secrets besides the tokens of the client, which nothing that is kept may contain.
    fn secrets(&self) -> Vec<SecretString> {
        Vec::new()
    }

    /// The current time by GitLab's clock.
    fn gitlab_now(&self) -> Timestamp;
}

/// Takes how polling goes.
pub trait PollEvents: Send + Sync + 'static {
    /// Where polling of a project left off. Asked once per project.
    fn resume(&self, project: &Project) -> Resume;

    /// The known pipelines that listed ones contradict, so that GitLab is asked whether it still has them: it may have
    /// been restored from a backup. Each is told once.
    fn contradicted(
        &self,
        project: &Project,
        listed: &[PipelineObservation],
    ) -> Vec<PipelineObservation>;

    /// GitLab no longer has this pipeline, or has another one under its id. The history of its ref begins again.
    fn replaced(&self, project: &Project, known: &PipelineObservation);

    /// The refs whose histories were lost, to be read back like new ones. Each is told once.
    fn refs_to_read_back(&self, project: &Project) -> BTreeSet<Arc<str>>;

    /// The projects that were watched before the start and may have been found in a group.
    fn former_projects(&self) -> Vec<FormerProject>;

    /// A project is watched, perhaps under a new path. `group` is the one of the configuration that it was found in, unless the
    /// configuration names the project itself.
    fn watched(&self, project: &Project, group: Option<&Arc<str>>);

    /// No project but these is watched any more. `complete` is false if something that the configuration
    /// names was not found: a project that was watched before the start may then still exist.
    fn watched_are(&self, projects: &BTreeMap<u64, Project>, complete: bool);

    /// A project that was watched left the list of its group, and is not watched any more. Told once, after
    /// [`Self::watched_are`].
    fn project_lost(&self, project: &Project, problem: ProjectProblem);

    /// Publish what was observed of a project, although its cycle goes on.
    fn publish(&self, project: &Project);

    /// A cycle of a project succeeded: everything up to `watermark` was observed.
    fn polled(&self, project: &Project, watermark: Option<Timestamp>);

    /// A cycle failed, or the configuration names a project or group that was not found. `name` is its path.
    fn poll_failed(&self, name: &str, error: &Error);

    /// Whether a project is polled every `watch.hooked_interval` while it is quiet, because its webhooks tell of everything.
    /// Told when that changes.
    fn relies_on_hooks(&self, project: &Project, relies: bool);

    /// All schedules of a project, in the order of their ids, and what is to be remembered of them.
    fn schedules(&self, project: &Project, schedules: &[ScheduleSight], memory: SchedulesMemory);

    /// All schedules of a project and their last runs were read.
    fn schedules_read(&self, project: &Project);

    /// Some or all schedules of a project could not be read.
    fn schedules_not_read(&self, project: &Project, error: &Error);

    /// Many projects were asked for at once.
    fn swept(&self, report: SweepReport);

    /// How far polling is. Told every second.
    fn progressed(&self, progress: PollProgress);

    /// How many requests a second polling needs. Told every ten seconds.
    fn needs(&self, requests_per_second: f64);

    /// Every project of the first discovery was polled once, or dropped.
    fn first_round_ended(&self);
}

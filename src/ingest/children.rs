//! Following trigger jobs: reads the jobs of a pipeline and of its child pipelines.
//!
//! All are executions of the parent. A child's job is named `trigger job / job`. A retried trigger job
//! starts another child, whose jobs are later attempts of the same names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::absent::{ChildScope, ChildScopes, Listed};
use super::child_names::{ChildJob, below, tell_apart};
use super::own_jobs::{OwnJobs, last_moved, moved_at};
use super::reader::Reader;
use super::recheck::{may_lack_jobs, may_lag};
use super::sight::{ReadJobs, Sight, last_movement, may_move_on};
use crate::config::ChildPipelines;
use crate::gitlab::{Bridge, Error, Listing, PipelineJobs, Project, Rejected};
use ci_history::{
    CHILD_SEPARATOR, CONFIG_ERROR, JOBS_FAILED, JobObservation, PipelineObservation, Span, Status,
    Timestamp,
};

/// Levels of children that are followed. GitLab allows two.
const DEEPEST: usize = 5;

/// Pipelines that are read for one parent at most. GitLab has the same limit.
const LARGEST_FAMILY: usize = 1000;

/// What is known of a pipeline's children, so that none is read twice without need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Family {
    /// No trigger jobs. It stays so: GitLab creates all jobs with the pipeline.
    childless: bool,
    /// Children that were read after they and all their descendants had ended.
    ended: HashMap<u64, Sight>,
    unended: HashMap<u64, Sight>,
    /// Whether a child goes on without a user.
    open: bool,
}

impl Family {
    /// Whether a child goes on without a user, even if the parent has ended.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a child has not ended. It may wait for a user, whose action moves no parent.
    pub(super) fn has_unended(&self) -> bool {
        !self.unended.is_empty()
    }

    /// Whether this descendant had not ended.
    pub(super) fn includes(&self, child: u64) -> bool {
        self.unended.contains_key(&child)
    }

    /// The last time at which a child is known to have moved.
    pub(super) fn moved(&self) -> Option<Timestamp> {
        let children = self.ended.values().chain(self.unended.values());
        children.filter_map(|(updated_at, _)| *updated_at).max()
    }

    #[cfg(test)]
    pub(super) fn waiting(child: u64) -> Self {
        Self {
            unended: HashMap::from([(child, (None, Status::Blocked))]),
            ..Self::default()
        }
    }
}

/// The jobs of a pipeline and of the children that are followed.
#[derive(Debug)]
pub(super) struct FamilyJobs {
    /// Every attempt of the jobs of the pipeline itself.
    jobs: Vec<JobObservation>,
    /// Every attempt of the jobs of its children.
    child_jobs: Vec<ChildJob>,
    rejected: Vec<Rejected>,
    child_scopes: ChildScopes,
    /// Whether the trigger jobs were read, or there are none.
    has_trigger_jobs: bool,
    /// How long the pipeline ran, without its children.
    running_time: Option<Span>,
    /// What its own jobs and trigger jobs say of it.
    own: OwnJobs,
    /// The last time at which something happened to a job of the family.
    moved: Option<Timestamp>,
    /// Whether the pipeline is of a tag.
    tag: bool,
    pub(super) family: Family,
    /// Why some children could not be read.
    pub(super) failed: Option<Error>,
}

impl FamilyJobs {
    pub(super) fn of(found: PipelineJobs) -> Self {
        let jobs = found.jobs.items;
        let rejected = found.jobs.rejected;
        Self {
            own: OwnJobs::of(&jobs, rejected.is_empty()),
            moved: last_moved(&jobs),
            jobs,
            child_jobs: Vec::new(),
            rejected,
            child_scopes: ChildScopes::default(),
            has_trigger_jobs: false,
            running_time: found.running_time,
            tag: found.tag,
            family: Family::default(),
            failed: None,
        }
    }

    /// What was read means for the pipeline, which has this status.
    pub(super) fn conclude(&self, status: Status) -> ReadJobs {
        ReadJobs {
            settled: self.own.is_settled(),
            doubt: self.own.doubt(status),
            moved: self.moved,
        }
    }

    /// All jobs that were listed; `None` if some may be missing in the pipeline, which has this status.
    pub(super) fn listed(&mut self, status: Status) -> Option<Listed> {
        let is_empty = self.jobs.is_empty() && self.child_jobs.is_empty();
        let is_partial = is_empty || self.failed.is_some() || !self.rejected.is_empty();
        if is_partial || self.own.doubt(status).is_some() {
            return None;
        }
        let jobs = self.jobs.iter();
        let all = jobs.chain(self.child_jobs.iter().map(|child| &child.job));
        Some(Listed {
            ids: all.map(|job| job.id).collect(),
            names: self.jobs.iter().map(|job| job.name.clone()).collect(),
            has_trigger_jobs: self.has_trigger_jobs,
            children: std::mem::take(&mut self.child_scopes),
        })
    }

    /// Why the pipeline failed, which has this status. GitLab creates a pipeline without jobs if its configuration
    /// is invalid.
    fn failure_reason(&self, status: Status, child_pipelines: ChildPipelines) -> Option<Arc<str>> {
        if status != Status::Failed {
            return None;
        }
        let has_jobs = !self.jobs.is_empty() || !self.child_jobs.is_empty();
        if has_jobs || !self.rejected.is_empty() {
            return Some(JOBS_FAILED.into());
        }
        // Without the trigger jobs it is unknown whether there are any jobs.
        let is_known = self.failed.is_none() && child_pipelines == ChildPipelines::Follow;
        is_known.then(|| CONFIG_ERROR.into())
    }
}

/// A pipeline whose trigger jobs are followed.
struct Member {
    id: u64,
    /// Prefix of its jobs' names.
    prefix: String,
    /// The trigger jobs that lead to it.
    path: Arc<str>,
    depth: usize,
    /// Index of the member that started it; `None` for the first.
    parent: Option<usize>,
    sight: Sight,
}

impl Reader {
    /// Reads the jobs of a pipeline and of its children, except for children that ended and have not moved
    /// since `known`. An error that concerns only children is in the result.
    pub(super) async fn read_pipeline(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        known: Family,
    ) -> Result<FamilyJobs, Error> {
        let found = self.client.pipeline_jobs(project.id, pipeline.id).await?;
        let mut reading = FamilyJobs::of(found);
        if self.watch.child_pipelines == ChildPipelines::Ignore {
            // Trigger jobs, which are not read, may explain the status.
            reading.own.is_incomplete();
            reading.family = known;
        } else if known.childless {
            reading.has_trigger_jobs = true;
            reading.family = known;
        } else if let Err(error) = self.follow(project, pipeline, known, &mut reading).await {
            reading.failed = Some(error);
        }
        Ok(reading)
    }

    /// Hands over what was read; returns the watched jobs.
    pub(super) fn hand_over(
        &self,
        project: &Project,
        pipeline: &mut PipelineObservation,
        read: FamilyJobs,
    ) -> Vec<JobObservation> {
        self.report_rejected(&read.rejected);
        pipeline.failure_reason = read.failure_reason(pipeline.status, self.watch.child_pipelines);
        let (mut own, mut children) = (read.jobs, read.child_jobs);
        own.retain(|job| self.watch.jobs.matches(&job.name));
        children.retain(|child| self.watch.jobs.matches(&child.job.name));
        let jobs = tell_apart(own, children, |name| {
            self.observations
                .knows_job(project, &pipeline.ref_name, name)
        });
        pipeline.duration = pipeline.duration.or(read.running_time);
        pipeline.tag |= read.tag;
        self.observed(project, pipeline, &jobs);
        jobs
    }

    async fn follow(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        known: Family,
        reading: &mut FamilyJobs,
    ) -> Result<(), Error> {
        let has_jobs = !reading.jobs.is_empty();
        let may_lack_jobs = may_lack_jobs(pipeline.created_at, self.observations.gitlab_now());
        let mut members = vec![Member::first(pipeline)];
        let mut met = HashSet::from([pipeline.id]);
        let mut ended = HashMap::new();
        let mut at = 0;
        while let Some(member) = members.get(at) {
            if member.parent.is_some() {
                self.read_child(project, member, reading).await?;
            }
            let found = self.bridges(project, member).await?;
            let none = found
                .as_ref()
                .is_some_and(|found| found.items.is_empty() && found.rejected.is_empty());
            let bridges = found.unwrap_or_default();
            if at == 0 {
                reading.own.add_trigger_jobs(&bridges);
                // A lagging replica shows neither jobs nor trigger jobs.
                reading.family.childless = has_jobs && none && !may_lack_jobs;
            }
            reading.rejected.extend(bridges.rejected);
            let mut children = Vec::new();
            for bridge in bridges.items {
                let child = member.child(at, &bridge, project);
                let scope = match &child {
                    Some(_) => ChildScope::NotRead,
                    None => ChildScope::Missing,
                };
                let prefix = member.prefix_of(&bridge);
                reading.child_scopes.note(prefix, scope);
                if let Some(child) = child {
                    if known.ended.get(&child.id) == Some(&child.sight) {
                        ended.insert(child.id, child.sight);
                    } else if child.depth <= DEEPEST && met.insert(child.id) {
                        children.push(child);
                    }
                }
                reading.moved = reading.moved.max(moved_at(&bridge.job));
                if member.parent.is_some() {
                    reading.child_jobs.push(member.named(bridge.job));
                } else {
                    reading.jobs.push(bridge.job);
                }
            }
            members.extend(children);
            members.truncate(LARGEST_FAMILY);
            at += 1;
        }
        reading.has_trigger_jobs = true;
        let is_unended = with_descendants(&members, |status| !status.is_terminal());
        let family = &mut reading.family;
        family.open = with_descendants(&members, may_move_on)[0];
        family.ended = ended;
        for (member, is_unended) in members.iter().zip(is_unended).skip(1) {
            let kind = if is_unended {
                &mut family.unended
            } else {
                &mut family.ended
            };
            kind.insert(member.id, member.sight);
        }
        Ok(())
    }

    /// Adds the jobs of a child. GitLab may have deleted it: then there are none.
    async fn read_child(
        &self,
        project: &Project,
        child: &Member,
        reading: &mut FamilyJobs,
    ) -> Result<(), Error> {
        match self.client.pipeline_jobs(project.id, child.id).await {
            Ok(found) => {
                reading.rejected.extend(found.jobs.rejected);
                let jobs = found.jobs.items;
                reading.child_scopes.note_read(&child.prefix, &jobs);
                reading.moved = reading.moved.max(last_moved(&jobs));
                let jobs = jobs.into_iter().map(|job| child.named(job));
                reading.child_jobs.extend(jobs);
                Ok(())
            }
            Err(error) if self.is_gone(child, &error) => {
                let scopes = &mut reading.child_scopes;
                scopes.note(child.prefix.clone(), ChildScope::Missing);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The trigger jobs of a pipeline; `None` if GitLab does not know it any more.
    async fn bridges(
        &self,
        project: &Project,
        member: &Member,
    ) -> Result<Option<Listing<Bridge>>, Error> {
        match self.client.bridges(project.id, member.id).await {
            Ok(bridges) => Ok(Some(bridges)),
            Err(error) if self.is_gone(member, &error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether GitLab no longer knows a pipeline. A replica that lags does not know a young one yet.
    fn is_gone(&self, member: &Member, error: &Error) -> bool {
        error.is_not_found() && !may_lag(member.sight.0, self.observations.gitlab_now())
    }
}

impl Member {
    fn first(pipeline: &PipelineObservation) -> Self {
        Self {
            id: pipeline.id,
            prefix: String::new(),
            path: Arc::from(""),
            depth: 0,
            parent: None,
            sight: (last_movement(pipeline), pipeline.status),
        }
    }

    /// The prefix of the jobs that a trigger job of this member leads to.
    fn prefix_of(&self, bridge: &Bridge) -> String {
        format!("{}{}{CHILD_SEPARATOR}", self.prefix, bridge.job.name)
    }

    /// A job of this child, under its name below the parent.
    fn named(&self, mut job: JobObservation) -> ChildJob {
        job.name = Arc::from(format!("{}{}", self.prefix, job.name));
        ChildJob {
            path: self.path.clone(),
            job,
        }
    }

    /// The child pipeline that a trigger job of this member, the `at`-th, started.
    fn child(&self, at: usize, bridge: &Bridge, project: &Project) -> Option<Self> {
        let downstream = bridge.downstream.as_ref()?;
        downstream.is_child_of(project).then(|| Self {
            id: downstream.id,
            prefix: self.prefix_of(bridge),
            path: below(&self.path, &bridge.job.name),
            depth: self.depth + 1,
            parent: Some(at),
            sight: (downstream.updated_at, downstream.status),
        })
    }
}

/// For each member, whether a descendant has a status that matches. Children count themselves as well.
/// Parents come before their children.
fn with_descendants(members: &[Member], of: impl Fn(Status) -> bool) -> Vec<bool> {
    let mut found: Vec<bool> = members
        .iter()
        .map(|member| member.parent.is_some() && of(member.sight.1))
        .collect();
    for (at, member) in members.iter().enumerate().rev() {
        if let Some(parent) = member.parent {
            found[parent] |= found[at];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, parent: Option<usize>, status: Status) -> Member {
        Member {
            path: Arc::from(""),
            parent,
            sight: (None, status),
            id,
            prefix: String::new(),
            depth: 0,
        }
    }

    #[test]
    fn a_child_that_ended_before_its_own_child_did_is_open() {
        let members = [
            member(1, None, Status::Success),
            member(2, Some(0), Status::Success),
            member(3, Some(0), Status::Failed),
            member(4, Some(1), Status::Running),
        ];
        let open = |members| with_descendants(members, may_move_on);
        assert_eq!(open(&members), [true, true, false, true]);
        assert_eq!(open(&members[..3]), [false; 3]);
    }
}

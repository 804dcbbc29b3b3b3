//! Following trigger jobs: reads the jobs of a pipeline and of its child pipelines.
//!
//! All are executions of the parent. A child's job is named `trigger job / job`. A retried trigger job
//! starts another child, whose jobs are later attempts of the same names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::absent::ChildScope;
use super::child_names::{ChildJob, below, tell_apart};
use super::details::DetailsBy;
use super::family::{Family, FamilyJobs, failed};
use super::own_jobs::{OwnJobs, last_moved, moved_at};
use super::reader::Reader;
use super::recheck::{may_lack_jobs, may_lag};
use super::sight::{Doubt, Sight, last_movement, may_move_on};
use crate::config::ChildPipelines;
use crate::gitlab::{Bridge, Error, Listing, Project};
use ci_history::{CHILD_SEPARATOR, JobObservation, PipelineObservation, Status};

/// Levels of children that are followed. GitLab allows two.
const DEEPEST: usize = 5;

/// Pipelines that are read for one parent at most. GitLab has the same limit.
const LARGEST_FAMILY: usize = 1000;

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
        api: DetailsBy,
    ) -> Result<FamilyJobs, Error> {
        if let Some(reading) = self.read_by_graphql(project, pipeline, &known, api).await {
            return Ok(reading);
        }
        let found = self.client.pipeline_jobs(project.id, pipeline.id).await?;
        let mut reading = FamilyJobs::of(found);
        let failures = failed(&reading.jobs).collect();
        if self.watch.child_pipelines == ChildPipelines::Ignore {
            self.explain_by_trigger_jobs(project, pipeline, &mut reading)
                .await;
            reading.family = known;
        } else if known.childless && reading.own.doubt(pipeline.status) != Some(Doubt::Missing) {
            reading.has_trigger_jobs = true;
            reading.family = known;
        } else if let Err(error) = self.follow(project, pipeline, known, &mut reading).await {
            reading.failed = Some(error);
        }
        if reading.lists_nothing() && pipeline.status.is_terminal() {
            let asked = self.ask_about_empty(project, pipeline, &mut reading).await;
            reading.failed = reading.failed.or(asked.err());
        }
        reading.family.note_failed(failures);
        Ok(reading)
    }

    /// Reads the jobs of a pipeline that goes on together with those of others; `None` if REST has to be asked.
    async fn read_by_graphql(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        known: &Family,
        api: DetailsBy,
    ) -> Option<FamilyJobs> {
        if known.has_children() {
            return None;
        }
        let found = self.details.jobs(api, project.id, pipeline).await?;
        if known.has_new_failure(&found.jobs.items) {
            return None;
        }
        let now = self.observations.gitlab_now();
        let mut reading = FamilyJobs::of(found);
        // Trigger jobs would be listed with the others.
        reading.has_trigger_jobs = true;
        reading.family = Family {
            childless: known.childless || !may_lack_jobs(pipeline.created_at, now),
            ..known.clone()
        };
        Some(reading)
    }

    /// Looks for trigger jobs, which are not counted, where the jobs do not explain the status. Without an answer the
    /// doubt stays.
    async fn explain_by_trigger_jobs(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        reading: &mut FamilyJobs,
    ) {
        if reading.own.doubt(pipeline.status) != Some(Doubt::Missing) {
            return;
        }
        match self.bridges(project, &Member::first(pipeline)).await {
            Ok(found) => {
                let bridges = found.unwrap_or_default();
                let moved = bridges.items.iter().filter_map(|it| moved_at(&it.job));
                reading.moved = reading.moved.max(moved.max());
                reading.own.add_trigger_jobs(&bridges);
            }
            Err(error) => tracing::debug!("not known whether trigger jobs failed: {error}"),
        }
    }

    /// Asks about a pipeline without jobs: whether its ref is a tag, which jobs would tell, and whether its
    /// configuration is invalid.
    async fn ask_about_empty(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        reading: &mut FamilyJobs,
    ) -> Result<(), Error> {
        let found = self.client.pipeline(project.id, pipeline.id).await?;
        reading.tag |= found.tag;
        reading.invalid = found.failure_reason.is_some();
        Ok(())
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
        let all = own.len() + children.len();
        own.retain(|job| self.watch.jobs.matches(&job.name));
        children.retain(|child| self.watch.jobs.matches(&child.job.name));
        pipeline.has_other_jobs |= own.len() + children.len() < all;
        let jobs = tell_apart(own, children, |name| {
            self.observations
                .knows_job(project, &pipeline.ref_name, name)
        });
        pipeline.duration = pipeline.duration.or(read.running_time);
        pipeline.tag |= read.tag;
        pipeline.is_partial |= read.is_partial;
        pipeline.commit_info = read.commit.and_then(|commit| commit.masked(&self.masker()));
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
        let mut doubtful = HashSet::new();
        let mut at = 0;
        while let Some(member) = members.get(at) {
            let mut child = None;
            if member.parent.is_some() {
                child = self.read_child(project, member, reading).await?;
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
            if let Some(mut child) = child {
                child.add_trigger_jobs(&bridges);
                let doubt = child.doubt(member.sight.1);
                doubtful.extend(doubt.map(|_| member.id));
                reading.child_doubt = reading.child_doubt.max(doubt);
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
                reading.tag |= bridge.tag;
                reading.commit = reading.commit.take().max(bridge.commit);
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
        let children = members.iter().zip(is_unended).skip(1);
        // A child that contradicts itself is read again.
        for (member, is_unended) in children.filter(|(it, _)| !doubtful.contains(&it.id)) {
            let kind = if is_unended {
                &mut family.unended
            } else {
                &mut family.ended
            };
            kind.insert(member.id, member.sight);
        }
        Ok(())
    }

    /// Adds the jobs of a child; returns what they say of it. `None` if GitLab has deleted it.
    async fn read_child(
        &self,
        project: &Project,
        child: &Member,
        reading: &mut FamilyJobs,
    ) -> Result<Option<OwnJobs>, Error> {
        match self.client.pipeline_jobs(project.id, child.id).await {
            Ok(found) => {
                let jobs = found.jobs.items;
                let own = OwnJobs::of(&jobs, found.jobs.rejected.is_empty() && !found.is_cut);
                reading.rejected.extend(found.jobs.rejected);
                reading.is_partial |= found.is_cut;
                reading.commit = reading.commit.take().max(found.commit);
                reading.child_scopes.note_read(&child.prefix, &jobs);
                reading.moved = reading.moved.max(last_moved(&jobs));
                let jobs = jobs.into_iter().map(|job| child.named(job));
                reading.child_jobs.extend(jobs);
                Ok(Some(own))
            }
            Err(error) if self.is_gone(child, &error) => {
                let scopes = &mut reading.child_scopes;
                scopes.note(child.prefix.clone(), ChildScope::Missing);
                Ok(None)
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

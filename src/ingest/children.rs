//! Following trigger jobs: the jobs of a pipeline together with those of its child pipelines.
//!
//! They are all executions of the parent: a child's job is named `trigger job / job`, and a trigger job
//! that was retried has started another child, whose jobs are later attempts of the same names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Ingest;
use super::cursor::{Sight, is_settled, may_move_on};
use crate::config::ChildPipelines;
use crate::gitlab::{Bridge, Error, Listing, PipelineJobs, Project, Rejected};
use crate::model::{JobObservation, Span, Status};

/// How deep children are followed; GitLab itself allows two levels.
const DEEPEST: usize = 5;

/// How many pipelines are read for one at the most; GitLab's own limit is 1000 too.
const LARGEST_FAMILY: usize = 1000;

/// What is put between the name of a trigger job and that of a job it led to.
const SEPARATOR: &str = " / ";

/// What is known of a pipeline's children, so that nothing is read twice for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Family {
    /// It has no trigger jobs, and will have none: all jobs are created with the pipeline.
    childless: bool,
    /// Children that were read after they and all of theirs had ended, as they were seen.
    ended: HashMap<u64, Sight>,
    /// The others: they or one of theirs had not ended.
    unended: HashMap<u64, Sight>,
    /// Whether a child goes on by itself.
    open: bool,
}

impl Family {
    /// Whether a child goes on by itself, whatever became of the parent.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a child has not ended, be it that it waits for somebody, whose doing moves no parent.
    pub(super) fn has_unended(&self) -> bool {
        !self.unended.is_empty()
    }

    #[cfg(test)]
    pub(super) fn with_unended(child: u64, sight: Sight) -> Self {
        Self {
            unended: HashMap::from([(child, sight)]),
            ..Self::default()
        }
    }

    /// Whether this child, at whatever depth, had not ended.
    pub(super) fn includes(&self, child: u64) -> bool {
        self.unended.contains_key(&child)
    }
}

/// A pipeline as it was read, with its children where they are followed.
#[derive(Debug)]
pub(super) struct Reading {
    /// Every attempt of every job, named as it is counted.
    pub(super) jobs: Vec<JobObservation>,
    pub(super) rejected: Vec<Rejected>,
    /// How long the pipeline ran, without its children.
    pub(super) running_time: Option<Span>,
    /// Whether nothing is left to happen to its own jobs.
    pub(super) settled: bool,
    pub(super) family: Family,
    /// Why the children could not be read to the end.
    pub(super) failed: Option<Error>,
}

/// A pipeline whose trigger jobs are looked at.
struct Member {
    id: u64,
    /// What its jobs' names begin with.
    prefix: String,
    depth: usize,
    /// Which one started it, as an index; `None` for the one that was asked for.
    parent: Option<usize>,
    sight: Sight,
}

impl Ingest {
    /// Reads the jobs of a pipeline, and of its children as far as `known` does not say that it is in
    /// vain. An error that only concerns children is part of the reading.
    pub(super) async fn read_pipeline(
        &self,
        project: &Project,
        pipeline: u64,
        known: Family,
    ) -> Result<Reading, Error> {
        let found = self.client.pipeline_jobs(project.id, pipeline).await?;
        let mut reading = Reading::of(found);
        if known.childless || self.watch.child_pipelines == ChildPipelines::Ignore {
            reading.family = known;
        } else if let Err(error) = self.follow(project, pipeline, known, &mut reading).await {
            reading.failed = Some(error);
        }
        Ok(reading)
    }

    async fn follow(
        &self,
        project: &Project,
        pipeline: u64,
        known: Family,
        reading: &mut Reading,
    ) -> Result<(), Error> {
        let has_jobs = !reading.jobs.is_empty();
        let mut members = vec![Member::first(pipeline)];
        let mut met = HashSet::from([pipeline]);
        let mut ended = HashMap::new();
        let mut at = 0;
        while let Some(member) = members.get(at) {
            if member.parent.is_some() {
                self.read_child(project, member, reading).await?;
            }
            let bridges = self.bridges(project, member.id).await?;
            if at == 0 {
                let mut own = bridges.items.iter();
                reading.settled &= own.clone().all(|bridge| is_settled(bridge.job.status));
                // A replica that lags shows neither jobs nor trigger jobs.
                let none = own.next().is_none() && bridges.rejected.is_empty();
                reading.family.childless = has_jobs && none;
            }
            reading.rejected.extend(bridges.rejected);
            let mut children = Vec::new();
            for bridge in bridges.items {
                if let Some(child) = member.child(at, &bridge, project) {
                    let is_known = known.ended.get(&child.id) == Some(&child.sight);
                    if is_known {
                        ended.insert(child.id, child.sight);
                    } else if child.depth <= DEEPEST && met.insert(child.id) {
                        children.push(child);
                    }
                }
                reading.jobs.push(named(bridge.job, &member.prefix));
            }
            members.extend(children);
            members.truncate(LARGEST_FAMILY);
            at += 1;
        }
        reading.family.open = with_descendants(&members, may_move_on)[0];
        let unended = with_descendants(&members, |status| !status.is_terminal());
        for (member, unended) in members.iter().zip(unended).skip(1) {
            if unended {
                reading.family.unended.insert(member.id, member.sight);
            } else {
                ended.insert(member.id, member.sight);
            }
        }
        reading.family.ended = ended;
        Ok(())
    }

    /// Adds the jobs of a child; none where GitLab does not know it any more.
    async fn read_child(
        &self,
        project: &Project,
        child: &Member,
        reading: &mut Reading,
    ) -> Result<(), Error> {
        match self.client.pipeline_jobs(project.id, child.id).await {
            Ok(found) => {
                reading.rejected.extend(found.jobs.rejected);
                let jobs = found.jobs.items.into_iter();
                reading
                    .jobs
                    .extend(jobs.map(|job| named(job, &child.prefix)));
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The trigger jobs of a pipeline; none where GitLab does not know it any more.
    async fn bridges(&self, project: &Project, pipeline: u64) -> Result<Listing<Bridge>, Error> {
        match self.client.bridges(project.id, pipeline).await {
            Err(error) if error.is_not_found() => Ok(Listing::default()),
            answer => answer,
        }
    }
}

impl Reading {
    fn of(found: PipelineJobs) -> Self {
        let jobs = found.jobs.items;
        Self {
            settled: jobs.iter().all(|job| is_settled(job.status)),
            jobs,
            rejected: found.jobs.rejected,
            running_time: found.running_time,
            family: Family::default(),
            failed: None,
        }
    }
}

impl Member {
    fn first(id: u64) -> Self {
        Self {
            id,
            prefix: String::new(),
            depth: 0,
            parent: None,
            sight: (None, Status::Unknown),
        }
    }

    /// The child pipeline that a trigger job of this one (the `at`-th) started, if it did.
    fn child(&self, at: usize, bridge: &Bridge, project: &Project) -> Option<Self> {
        let downstream = bridge.downstream.as_ref()?;
        downstream.is_child_of(project).then(|| Self {
            id: downstream.id,
            prefix: format!("{}{}{SEPARATOR}", self.prefix, bridge.job.name),
            depth: self.depth + 1,
            parent: Some(at),
            sight: (downstream.updated_at, downstream.status),
        })
    }
}

fn named(mut job: JobObservation, prefix: &str) -> JobObservation {
    if !prefix.is_empty() {
        job.name = Arc::from(format!("{prefix}{}", job.name));
    }
    job
}

/// Of each one whether a descendant, or for children they themselves, is of such a status. Parents come
/// before their children.
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
            parent,
            sight: (None, status),
            ..Member::first(id)
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

//! What is known and read of a pipeline and its children.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::absent::{ChildScopes, Listed};
use super::child_names::ChildJob;
use super::own_jobs::{OwnJobs, last_moved};
use super::sight::{Doubt, ReadJobs, Sight, may_move_on};
use crate::config::ChildPipelines;
use crate::gitlab::{Error, PipelineJobs, Rejected};
use ci_history::{
    CONFIG_ERROR, JOBS_FAILED, JobObservation, Span, Status, Timestamp, UnmaskedCommit,
};

/// What is known of a pipeline and its children, so that none is read twice without need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Family {
    /// No trigger jobs. It stays so: GitLab creates all jobs with the pipeline.
    pub(super) childless: bool,
    /// Children that were read after they and all their descendants had ended.
    pub(super) ended: HashMap<u64, Sight>,
    pub(super) unended: HashMap<u64, Sight>,
    /// Whether a child goes on without a user.
    pub(super) open: bool,
    /// Jobs of the pipeline that failed, as REST told. GraphQL tells no reasons and no commits.
    pub(super) failed: Arc<HashSet<u64>>,
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

    /// Whether it has children.
    pub(super) fn has_children(&self) -> bool {
        !self.ended.is_empty() || self.has_unended()
    }

    /// REST told these jobs.
    pub(super) fn note_failed(&mut self, jobs: HashSet<u64>) {
        self.failed = Arc::new(jobs);
    }

    /// Whether one of these jobs has failed of which REST did not tell yet.
    pub(super) fn has_new_failure(&self, jobs: &[JobObservation]) -> bool {
        failed(jobs).any(|id| !self.failed.contains(&id))
    }

    /// Whether this descendant had not ended.
    pub(super) fn includes(&self, child: u64) -> bool {
        self.unended.contains_key(&child)
    }

    /// Whether this descendant goes on without a user.
    pub(super) fn goes_on(&self, child: u64) -> bool {
        let child = self.unended.get(&child);
        child.is_some_and(|(_, status)| may_move_on(*status))
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

/// The jobs among these that failed.
pub(super) fn failed(jobs: &[JobObservation]) -> impl Iterator<Item = u64> {
    let failed = jobs.iter().filter(|job| job.status == Status::Failed);
    failed.map(|job| job.id)
}

/// Children that are remembered per project.
const REMEMBERED: usize = 128;

/// The newest child pipelines that were read, each with the pipeline it counts under and as it was.
#[derive(Debug, Default)]
pub(super) struct ReadChildren(BTreeMap<u64, (u64, Sight)>);

impl ReadChildren {
    pub(super) fn note(&mut self, parent: u64, family: &Family) {
        let read = family.ended.iter().chain(&family.unended);
        self.0
            .extend(read.map(|(child, sight)| (*child, (parent, *sight))));
        while self.0.len() > REMEMBERED {
            self.0.pop_first();
        }
    }

    pub(super) fn parent_of(&self, child: u64) -> Option<(u64, Sight)> {
        self.0.get(&child).copied()
    }
}

/// The jobs of a pipeline and of the children that are followed.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(super) struct FamilyJobs {
    /// Every attempt of the jobs of the pipeline itself.
    pub(super) jobs: Vec<JobObservation>,
    /// Every attempt of the jobs of its children.
    pub(super) child_jobs: Vec<ChildJob>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) child_scopes: ChildScopes,
    /// Whether the trigger jobs were read, or there are none.
    pub(super) has_trigger_jobs: bool,
    /// How long the pipeline ran, without its children.
    pub(super) running_time: Option<Span>,
    /// What its own jobs and trigger jobs say of it.
    pub(super) own: OwnJobs,
    /// How the jobs of a child contradict its status.
    pub(super) child_doubt: Option<Doubt>,
    /// The last time at which something happened to a job of the family.
    pub(super) moved: Option<Timestamp>,
    /// Whether the pipeline is of a tag.
    pub(super) tag: bool,
    /// The commit of the pipeline; known once a job of the family failed.
    pub(super) commit: Option<UnmaskedCommit>,
    /// Whether jobs of the family were left out because of a limit.
    pub(super) is_partial: bool,
    /// Whether GitLab says that it found the configuration invalid.
    pub(super) invalid: bool,
    pub(super) family: Family,
    /// Why some children could not be read.
    pub(super) failed: Option<Error>,
}

impl FamilyJobs {
    pub(super) fn of(found: PipelineJobs) -> Self {
        let jobs = found.jobs.items;
        let rejected = found.jobs.rejected;
        Self {
            own: OwnJobs::of(&jobs, rejected.is_empty() && !found.is_cut),
            child_doubt: None,
            moved: last_moved(&jobs),
            jobs,
            child_jobs: Vec::new(),
            rejected,
            child_scopes: ChildScopes::default(),
            has_trigger_jobs: false,
            running_time: found.running_time,
            tag: found.tag,
            commit: found.commit,
            is_partial: found.is_cut,
            invalid: false,
            family: Family::default(),
            failed: None,
        }
    }

    /// What was read means for the pipeline, which has this status.
    pub(super) fn conclude(&self, status: Status) -> ReadJobs {
        ReadJobs {
            settled: self.own.is_settled(),
            doubt: (self.own.doubt(status).max(self.child_doubt)).filter(|_| !self.invalid),
            moved: self.moved,
        }
    }

    /// All jobs that were listed; `None` if some may be missing in the pipeline, which has this status.
    pub(super) fn listed(&mut self, status: Status) -> Option<Listed> {
        let is_empty = self.jobs.is_empty() && self.child_jobs.is_empty();
        let is_unread = self.failed.is_some() || !self.rejected.is_empty();
        let is_partial = is_empty || is_unread || self.is_partial;
        if is_partial || self.conclude(status).doubt.is_some() {
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

    pub(super) fn lists_nothing(&self) -> bool {
        self.jobs.is_empty() && self.rejected.is_empty() && self.failed.is_none()
    }

    /// Why the pipeline failed, which has this status. GitLab creates a pipeline without jobs if its configuration
    /// is invalid.
    pub(super) fn failure_reason(
        &self,
        status: Status,
        child_pipelines: ChildPipelines,
    ) -> Option<Arc<str>> {
        if status != Status::Failed {
            return None;
        }
        let has_jobs = !self.jobs.is_empty() || !self.child_jobs.is_empty();
        if has_jobs || !self.rejected.is_empty() {
            return Some(JOBS_FAILED.into());
        }
        // Without the trigger jobs it is unknown whether there are any jobs, unless GitLab says why there are none.
        let is_followed = self.failed.is_none() && child_pipelines == ChildPipelines::Follow;
        (is_followed || self.invalid).then(|| CONFIG_ERROR.into())
    }
}

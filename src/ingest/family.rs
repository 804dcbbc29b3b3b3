//! A pipeline's children: what is known of them, and what one reading of a whole family brought.

use std::collections::HashMap;

use super::sight::{Sight, is_settled};
use crate::gitlab::{Error, PipelineJobs, Rejected};
use crate::model::{JobObservation, Span};

/// What is known of a pipeline's children, so that none is read twice without need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Family {
    childless: bool,
    ended: HashMap<u64, Sight>,
    unended: HashMap<u64, Sight>,
    open: bool,
}

impl Family {
    /// A pipeline without trigger jobs. It stays so: GitLab creates all jobs with the pipeline.
    pub(super) fn childless() -> Self {
        Self {
            childless: true,
            ..Self::default()
        }
    }

    /// `ended`: children that were read after they and all their descendants had ended. `open`: whether a
    /// child goes on without a user.
    pub(super) fn new(
        ended: HashMap<u64, Sight>,
        unended: HashMap<u64, Sight>,
        open: bool,
    ) -> Self {
        Self {
            childless: false,
            ended,
            unended,
            open,
        }
    }

    pub(super) fn is_childless(&self) -> bool {
        self.childless
    }

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

    /// Whether a child was read after its end and has not moved since.
    pub(super) fn was_read(&self, child: u64, sight: Sight) -> bool {
        self.ended.get(&child) == Some(&sight)
    }
}

/// The jobs of a pipeline and of the children that are followed.
#[derive(Debug)]
pub(super) struct FamilyJobs {
    /// Every attempt of every job, under the name it is counted by.
    pub(super) jobs: Vec<JobObservation>,
    pub(super) rejected: Vec<Rejected>,
    /// How long the pipeline ran, without its children.
    pub(super) running_time: Option<Span>,
    /// Whether all its own jobs stay as they are until a user acts.
    pub(super) settled: bool,
    pub(super) family: Family,
    /// Why some children could not be read.
    pub(super) failed: Option<Error>,
}

impl FamilyJobs {
    pub(super) fn of(found: PipelineJobs) -> Self {
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

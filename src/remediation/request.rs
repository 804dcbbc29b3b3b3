//! What people, tools and alerts wish for, and the answer.

use std::sync::Arc;

use super::ask::Ask;
use super::decisions::Verdict;
use super::ledger::{Action, JobName};
use crate::config::ActionKind;

/// What somebody wishes for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What is to be done.
    pub kind: ActionKind,
    /// Path of the project; `None`: any, where an id says which failure is meant.
    pub project: Option<Arc<str>>,
    /// Branch or tag; `None`: any ref on which the job fails.
    pub ref_name: Option<Arc<str>>,
    /// Track of the ref; matters only with `ref_name`.
    pub track: Option<Arc<str>>,
    /// The failed job; `None`: every failed job that `pipeline_id` or `job_id` selects.
    pub job: Option<Arc<str>>,
    /// Only failures in this pipeline.
    pub pipeline_id: Option<u64>,
    /// Only this attempt.
    pub job_id: Option<u64>,
    /// The manual job that [`ActionKind::Play`] starts.
    pub play: Option<Arc<str>>,
    /// The schedule that [`ActionKind::RunSchedule`] starts.
    pub schedule_id: Option<u64>,
    /// The alert that wishes for it, and since when it fires.
    pub alert: Option<Arc<str>>,
}

impl Wish {
    /// Of a project.
    pub fn new(kind: ActionKind, project: &str) -> Self {
        Self {
            project: Some(project.into()),
            ..Self::anywhere(kind)
        }
    }

    /// Of any project.
    pub fn anywhere(kind: ActionKind) -> Self {
        Self {
            kind,
            project: None,
            ref_name: None,
            track: None,
            job: None,
            pipeline_id: None,
            job_id: None,
            play: None,
            schedule_id: None,
            alert: None,
        }
    }
}

/// What became of a wish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The actions that were started; without any effect where only a trial was wished for.
    pub actions: Vec<Action>,
    /// What would be done: of a trial, and in the mode `report`.
    pub would: Vec<Ask>,
    /// What is not done.
    pub refused: Vec<Refusal>,
}

/// An action that is not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The job, as far as it is known.
    pub job: Option<JobName>,
    /// The decision; `None` if nothing matched the wish.
    pub verdict: Option<Verdict>,
    /// Why, in words.
    pub why: String,
}

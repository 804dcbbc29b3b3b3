//! The jobs that a list of jobs is selected from.

use super::folded_names::FoldedNames;
use super::job_state::JobFacts;
use crate::config::ProjectOwners;

/// The jobs of a timeline.
#[derive(Debug, Clone, Copy)]
pub struct JobGroup<'a, R, T> {
    /// Path of the project.
    pub project: &'a str,
    /// Branch or tag.
    pub ref_name: &'a str,
    /// Track of the ref.
    pub track: Option<&'a str>,
    /// Who owns them.
    pub owners: ProjectOwners<'a>,
    /// The jobs.
    pub jobs: &'a [R],
    /// Their names, in the same order.
    pub names: &'a FoldedNames,
    /// Finds the timeline again.
    pub item: T,
}

/// What jobs are filtered and sorted by.
pub trait ListedJob {
    /// Its name.
    fn name(&self) -> &str;

    /// What is known of its executions.
    fn facts(&self) -> &JobFacts;
}

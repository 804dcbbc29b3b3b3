//! The jobs that a list of jobs is selected from.

use super::folded_names::FoldedNames;

/// The jobs of a timeline.
#[derive(Debug, Clone, Copy)]
pub struct JobGroup<'a, R, T> {
    /// Path of the project.
    pub project: &'a str,
    /// Branch or tag.
    pub ref_name: &'a str,
    /// Track of the ref.
    pub track: Option<&'a str>,
    /// The jobs.
    pub jobs: &'a [R],
    /// Their names and teams, in the same order.
    pub names: &'a FoldedNames,
    /// Finds the timeline again.
    pub item: T,
}

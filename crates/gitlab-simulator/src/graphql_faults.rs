//! Limits, versions and faults of GraphQL, besides the faults of all requests.

use std::collections::BTreeSet;

/// GitLab's limit of the score for a user who is signed in.
const MAX_SCORE: u32 = 250;

/// What GraphQL refuses, does not know, or fails at.
#[derive(Debug, Clone)]
pub struct GraphqlFaults {
    /// Whether there is no GraphQL at all: 404 with HTML.
    pub switched_off: bool,
    /// The highest score of a query.
    pub max_score: u32,
    /// Fields and arguments that an old version does not know: `Pipeline.path`, `Project.pipelines(updatedAfter)`.
    pub unknown: BTreeSet<String>,
    /// Whether `source: "parent_pipeline"` finds nothing, as before GitLab 17.
    pub lists_no_children: bool,
    /// Whether `pipelineSchedules` is refused for the second project of a request, as its description says.
    pub schedules_of_one_project: bool,
    /// Projects on a page above which the statement times out: 503 with JSON.
    pub largest_page: Option<usize>,
    /// Pipelines whose jobs are listed before the time of the request is over: those of the others are null.
    pub job_lists: Option<usize>,
    /// Ids of the projects whose `pipelines` time out: the rest of the answer is there.
    pub slow_projects: BTreeSet<u64>,
}

impl Default for GraphqlFaults {
    /// A current version with GitLab's limits and without faults.
    fn default() -> Self {
        Self {
            switched_off: false,
            max_score: MAX_SCORE,
            unknown: BTreeSet::new(),
            lists_no_children: false,
            schedules_of_one_project: false,
            largest_page: None,
            job_lists: None,
            slow_projects: BTreeSet::new(),
        }
    }
}

impl GraphqlFaults {
    /// Makes this version older: it does not know this field or argument.
    pub fn forget(&mut self, name: &str) {
        self.unknown.insert(name.to_owned());
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        !self.unknown.contains(name)
    }
}

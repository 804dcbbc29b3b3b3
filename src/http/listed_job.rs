//! What the list of jobs knows of a job.

use super::job_state::JobFacts;

/// What jobs are filtered and sorted by.
pub trait ListedJob {
    /// Its name.
    fn name(&self) -> &str;

    /// Its owner.
    fn team(&self) -> Option<&str>;

    /// What is known of its executions.
    fn facts(&self) -> &JobFacts;
}

//! What remediation needs to know of the rest of the exporter, and tells it.

use ci_history::Timestamp;

use super::ask::FailedJob;
use super::decisions::Decided;
use super::ledger::{Action, JobName, Ledger};
use super::outage::Recent;

/// What was counted.
pub trait Failures: Send + Sync + 'static {
    /// The jobs whose newest execution failed at this time or later, and whose failure is classified by now.
    fn failed_jobs(&self, since: Timestamp) -> Vec<FailedJob>;

    /// A job, if its newest execution failed.
    fn failed_job(&self, job: &JobName) -> Option<FailedJob>;

    /// The consecutive failures of a job; `None` if it is not watched.
    fn streak(&self, job: &JobName) -> Option<u64>;

    /// The jobs that ran since a time.
    fn recent(&self, since: Timestamp) -> Recent;

    /// Whether the execution that an action started has passed; `None` while that is not known.
    fn result(&self, action: &Action) -> Option<Result>;

    /// The id of a project with this path.
    fn project_id(&self, path: &str) -> Option<u64>;

    /// Whether GitLab keeps failing.
    fn gitlab_is_down(&self) -> bool;

    /// The time, by GitLab's clock.
    fn now(&self) -> Timestamp;
}

/// What came of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Result {
    /// The job passed.
    Passed,
    /// It failed again.
    Failed,
}

/// Sees what is decided and done.
pub trait Observer: Send + Sync + 'static {
    /// Something was decided about a failure. Told once for each failure and decision.
    fn decided(&self, decided: &Decided);

    /// An action moved on.
    fn acted(&self, action: &Action);

    /// The record of actions changed.
    fn recorded(&self, ledger: &Ledger);

    /// How many failures wait for their turn, and what holds them up: 1 or 0, or how many projects.
    fn waiting(&self, count: usize, conditions: &[(Condition, usize)]);
}

/// What stops everything, or a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Condition {
    /// Many jobs fail at the same time.
    Outage,
    /// GitLab keeps failing.
    GitlabDown,
    /// The record of actions cannot be read or saved.
    NotSaved,
    /// An operator stopped everything.
    Halted,
    /// The token may not act in some projects.
    NoRights,
}

impl Condition {
    /// The label `reason` of metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

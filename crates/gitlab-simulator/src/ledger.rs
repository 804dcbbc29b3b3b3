//! The actions that clients carried out through the API.

use std::collections::BTreeMap;

use serde::Serialize;

/// Kind of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// A job was retried, by itself or by playing it a second time.
    RetryJob,
    /// A job was retried with all failed ones of its pipeline.
    RetryPipeline,
    /// A pipeline was created.
    CreatePipeline,
    /// A waiting job was started.
    PlayJob,
    /// A schedule was started.
    PlaySchedule,
    /// A job was canceled.
    CancelJob,
    /// A pipeline was canceled.
    CancelPipeline,
}

/// One action that was carried out, whether or not the client got the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// What was done.
    pub kind: ActionKind,
    /// Id of the project.
    pub project: u64,
    /// Branch or tag.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// The pipeline in which it was done, or which was created.
    pub pipeline: Option<u64>,
    /// The attempt that was retried, played or canceled.
    pub job: Option<u64>,
    /// Name of the job.
    pub job_name: Option<String>,
    /// The attempt that was created.
    pub new_job: Option<u64>,
    /// Id of the user.
    pub user: u64,
    /// Simulated time in seconds since the Unix epoch.
    pub at: i64,
}

/// Every action so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    actions: Vec<Action>,
}

impl Ledger {
    pub(super) fn record(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Number of new attempts by the attempt that they repeat.
    pub(super) fn retries_per_job(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        let retries = self
            .actions
            .iter()
            .filter(|action| action.new_job.is_some());
        for job in retries.filter_map(|action| action.job) {
            *counts.entry(job).or_default() += 1;
        }
        counts
    }
}

//! The last pipelines of a timeline beside each other, with the executions of each job in them.

use std::sync::Arc;

use arcstr::ArcStr;

use super::execution::Execution;
use super::timeline::{Job, Timeline};
use super::{CommitInfo, ExecutionState, FailureClass, Outcome, Rules, Timestamp};

/// Jobs by pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    /// The columns, the newest pipeline first.
    pub pipelines: Vec<GridPipeline>,
    /// The rows, ordered by name. Jobs without an execution in any of the pipelines are left out.
    pub jobs: Vec<GridJob>,
}

/// A pipeline of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridPipeline {
    /// GitLab's pipeline id.
    pub id: u64,
    /// Commit of the pipeline.
    pub commit: ArcStr,
    /// Title and author of the commit; known if the pipeline failed.
    pub info: Option<Arc<CommitInfo>>,
    /// State of the pipeline as a whole.
    pub state: ExecutionState,
    /// End of the pipeline; its creation while it runs.
    pub at: Option<Timestamp>,
}

/// A job of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridJob {
    /// Name of the history.
    pub name: Arc<str>,
    /// Stage of the newest attempt.
    pub stage: Arc<str>,
    /// Consecutive failing executions up to the newest.
    pub consecutive_failures: u64,
    /// The pipeline in which the streak began. `None` if the job is not failing, or began before the kept executions.
    pub broken_by: Option<u64>,
    /// The execution in each of the pipelines.
    pub cells: Vec<Option<GridCell>>,
}

/// The execution of a job in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridCell {
    /// How far it is.
    pub state: ExecutionState,
    /// Whether a later attempt passed after a failed one.
    pub flaky: bool,
    /// Class of the failure; `None` unless it failed.
    pub failure_class: Option<FailureClass>,
    /// Page of the deciding attempt in GitLab.
    pub web_url: Option<Box<str>>,
}

impl Timeline {
    /// The newest pipelines that are kept, at most `most`, the newest first.
    pub fn grid_pipelines(&self, most: usize, rules: &Rules) -> Vec<GridPipeline> {
        let rules = rules.for_pipelines();
        let newest_first = self.pipelines.kept.iter().rev();
        let listed = newest_first.filter(|it| it.listed_attempts().next().is_some());
        let columns = listed.take(most).map(|execution| {
            let attempt = execution.deciding(&rules);
            GridPipeline {
                id: execution.pipeline_id,
                commit: execution.commit.clone(),
                info: attempt.and_then(|attempt| attempt.commit_info()).cloned(),
                state: execution.state(&rules),
                at: attempt.and_then(|attempt| attempt.times.at()),
            }
        });
        columns.collect()
    }

    /// The row of a job; `None` if it has no execution in any of the pipelines.
    pub fn grid_job(
        &self,
        name: &Arc<str>,
        pipelines: &[GridPipeline],
        rules: &Rules,
    ) -> Option<GridJob> {
        let job = self.jobs.get(name)?;
        let url = self.project_url.as_deref();
        let cells = pipelines.iter().map(|pipeline| {
            let execution = job.history.kept_execution(pipeline.id)?;
            execution.grid_cell(rules, url)
        });
        let cells: Vec<_> = cells.collect();
        let (consecutive_failures, broken_by) = job.streak_start(rules);
        cells.iter().any(Option::is_some).then(|| GridJob {
            name: name.clone(),
            stage: job.stage.clone(),
            consecutive_failures,
            broken_by,
            cells,
        })
    }
}

impl Job {
    /// Length of the streak, and the pipeline in which it began if that is kept.
    fn streak_start(&self, rules: &Rules) -> (u64, Option<u64>) {
        let history = &self.history;
        let (mut length, mut first) = (0, None);
        for (execution, outcome) in history.window_candidates(rules).rev() {
            if outcome != Outcome::Failed {
                return (length, first);
            }
            length += 1;
            first = Some(execution.pipeline_id);
        }
        match history.baseline.streak {
            0 => (length, first),
            older => (older.saturating_add(length), None),
        }
    }
}

impl Execution {
    /// `None` if the job was absent, or if GitLab does not have its attempts.
    fn grid_cell(&self, rules: &Rules, project_url: Option<&str>) -> Option<GridCell> {
        self.listed_attempts().next()?;
        let attempt = self.deciding(rules)?;
        let state = self.state(rules);
        let has_failed = matches!(
            state,
            ExecutionState::Ended(Outcome::Failed | Outcome::AllowedFailure)
        );
        Some(GridCell {
            state,
            flaky: self.is_flaky(rules),
            failure_class: has_failed.then(|| attempt.failure_class()),
            web_url: attempt.web_url(project_url),
        })
    }
}

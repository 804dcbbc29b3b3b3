//! What a hook says, joined with what polling sees.

use super::shell::State;
use crate::gitlab::webhook::Hook;
use crate::ingest::{Observations as _, PollHint};
use ci_history::{JobObservation, Status};

impl State {
    /// Counts what a hook says for sure, and says what polling is to read; `None` if it is not watched.
    ///
    /// Only pipelines that polling has seen are known to count, and their jobs' names: a job hook says neither
    /// what started its pipeline nor whether that is a child. And GitLab may retry a failed job by itself, which
    /// only reading the whole pipeline shows.
    pub(in crate::daemon) fn take_hook(&self, hook: &Hook) -> Option<(u64, PollHint)> {
        let now = self.gitlab_now();
        let policy = &self.policy;
        let mut inner = self.lock();
        let facts = inner.projects.of_hook(&hook.project)?;
        let id = facts.id;
        let default_branch = facts.default_branch.as_deref();
        if !policy.refs.matches(&hook.ref_name, default_branch) {
            return None;
        }
        let key = (inner.timelines).holder(id, &hook.ref_name, hook.pipeline_id);
        let known = key.and_then(|key| {
            let timeline = inner.timelines.get_visible(&key)?;
            Some((key, timeline, timeline.known_pipeline(hook.pipeline_id)?))
        });
        let Some((key, timeline, pipeline)) = known else {
            return Some((id, PollHint::Everything));
        };
        let jobs = hook.jobs.items.iter();
        let (sure, unsure): (Vec<_>, Vec<_>) = jobs
            .filter(|job| policy.jobs.matches(&job.name))
            .filter(|job| tells_more(job.status))
            .filter(|job| !timeline.knows(hook.pipeline_id, job, &policy.rules))
            .cloned()
            .partition(|job| is_sure(job, hook.pipeline_status));
        inner.timelines.change(&key, |timeline, rules| {
            let changes = timeline.observe_attempts(hook.pipeline_id, &sure, rules, now);
            changes.unwrap_or_default()
        });
        drop(inner);
        self.publish(vec![key]);
        let hint = hint(hook, pipeline.status, !sure.is_empty(), !unsure.is_empty());
        Some((id, hint))
    }
}

/// A hook about a waiting job has no time that could be relied on.
fn tells_more(status: Status) -> bool {
    status.is_terminal() || matches!(status, Status::Running | Status::Canceling)
}

/// Whether an attempt counts as it is. After the end of its pipeline GitLab retries no job by itself.
fn is_sure(job: &JobObservation, pipeline: Option<Status>) -> bool {
    job.status != Status::Failed || pipeline.is_some_and(Status::is_terminal)
}

fn hint(hook: &Hook, known: Status, counted: bool, has_unsure: bool) -> PollHint {
    match (known.is_terminal(), hook.pipeline_status) {
        // It has ended.
        (false, Some(status)) if status.is_terminal() => PollHint::Everything,
        // It goes on after its end.
        (true, Some(status)) if !status.is_terminal() => PollHint::Everything,
        (true, _) if counted || has_unsure => PollHint::Everything,
        (false, _) if has_unsure => PollHint::Pipeline(hook.pipeline_id),
        _ => PollHint::Nothing,
    }
}

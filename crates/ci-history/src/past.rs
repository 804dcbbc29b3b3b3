//! Failed attempts of the past, each with the attempt that followed it.

use std::sync::Arc;

use super::attempt::{Attempt, Phase};
use super::execution::Execution;
use super::{FailureClass, Outcome, Rules, Span, Timeline};

/// A failed attempt, and what followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt<'a> {
    /// Name of the job.
    pub job: &'a Arc<str>,
    /// Stage of the job.
    pub stage: &'a str,
    /// Class, by log or reason.
    pub class: FailureClass,
    /// GitLab's `failure_reason`.
    pub reason: Option<&'a str>,
    /// Name of the configured pattern that was found in the log.
    pub log_rule: Option<&'a str>,
    /// Earlier attempts of the job in the pipeline.
    pub earlier_attempts: usize,
    /// Consecutive failed executions, this one included.
    pub streak: u64,
    /// The next attempt in the same pipeline.
    pub followed_by: Option<FollowingAttempt>,
}

/// The attempt after a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowingAttempt {
    /// Whether it passed; `None` if it did neither pass nor fail.
    pub passed: Option<bool>,
    /// Seconds from the failure to its creation, if both are known.
    pub waited: Option<i64>,
}

impl Timeline {
    /// The failed attempts of all kept executions, or of those of one pipeline.
    pub fn failed_attempts(&self, pipeline: Option<u64>, rules: &Rules) -> Vec<FailedAttempt<'_>> {
        let mut failed = Vec::new();
        for (name, job) in &self.jobs {
            let mut streak = job.history.baseline.streak;
            for execution in &job.history.kept {
                if pipeline.is_none_or(|id| id == execution.pipeline_id) {
                    let of_job = of_execution(execution, name, &job.stage, streak + 1);
                    failed.extend(of_job);
                }
                streak = match execution.outcome(rules) {
                    Some(Outcome::Failed) => streak + 1,
                    Some(outcome) if outcome.enters_window() => 0,
                    _ => streak,
                };
            }
        }
        failed
    }
}

fn of_execution<'a>(
    execution: &'a Execution,
    job: &'a Arc<str>,
    stage: &'a str,
    streak: u64,
) -> impl Iterator<Item = FailedAttempt<'a>> {
    // Jobs that share a history are retried apart from each other.
    let members = execution.attempts.chunk_by(|a, b| a.member() == b.member());
    members.flat_map(move |attempts| {
        let numbered = attempts.iter().enumerate();
        let failed = numbered.filter(|(_, attempt)| attempt.phase == Phase::Failed);
        failed.map(move |(index, attempt)| FailedAttempt {
            job,
            stage,
            class: attempt.failure_class(),
            reason: attempt.failure_reason().map(AsRef::as_ref),
            log_rule: attempt.log_rule().map(AsRef::as_ref),
            earlier_attempts: index,
            streak,
            followed_by: attempts.get(index + 1).map(|next| FollowingAttempt {
                passed: match next.phase {
                    Phase::Passed => Some(true),
                    Phase::Failed => Some(false),
                    _ => None,
                },
                waited: waited(attempt, next),
            }),
        })
    })
}

/// Seconds from the end of an attempt to the creation of the next one.
fn waited(failed: &Attempt, next: &Attempt) -> Option<i64> {
    let seconds = |span: Option<Span>| span.map_or(0, |span| span.micros() / 1_000_000);
    let took = i64::try_from(seconds(next.times.duration()) + seconds(next.times.queued())).ok()?;
    Some((next.times.at()?.unix() - took - failed.times.at()?.unix()).max(0))
}

//! One job in one pipeline, decided by its last attempt.

use std::sync::Arc;

use smallvec::SmallVec;

use super::attempt::{Attempt, Phase};
use super::{AbsentJobs, FailureClass, InfrastructureFailures, Outcome, Rules};

/// Which counters an execution has already moved: each outcome and class at most once, so that a
/// counter never goes back when a retry changes the outcome in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// A bit an outcome, and one for flaky.
    pub outcomes: u8,
    /// A bit a class.
    pub classes: u8,
}

const FLAKY: u8 = 1 << Outcome::ALL.len();

impl Counted {
    /// Whether the execution was counted under this outcome.
    pub fn has(self, outcome: Outcome) -> bool {
        self.outcomes & (1 << outcome as u8) != 0
    }

    /// Whether the execution was counted under this failure class.
    pub fn has_class(self, class: FailureClass) -> bool {
        self.classes & (1 << class as u8) != 0
    }

    /// Whether the execution was counted as flaky.
    pub fn has_flaky(self) -> bool {
        self.outcomes & FLAKY != 0
    }
}

/// One job in one pipeline. Identity: the pipeline's id and the history it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// GitLab's pipeline id; the place in the history.
    pub pipeline_id: u64,
    /// The pipeline's commit.
    pub commit: Arc<str>,
    /// All attempts, by member and id. None at all: the job was absent from a finished pipeline.
    pub attempts: SmallVec<[Attempt; 1]>,
    /// Which counters it has moved.
    pub counted: Counted,
    /// Its pipeline was seen finished.
    pub finished: bool,
}

impl Execution {
    /// An execution of which no attempt is known yet.
    pub fn new(pipeline_id: u64, commit: Arc<str>) -> Self {
        Self {
            pipeline_id,
            commit,
            attempts: SmallVec::new(),
            counted: Counted::default(),
            finished: false,
        }
    }

    /// Joins what was seen of some of its attempts.
    pub fn join_attempts(&mut self, seen: &[Attempt]) {
        for attempt in seen {
            self.join_attempt(attempt);
        }
    }

    fn join_attempt(&mut self, seen: &Attempt) {
        let place = self.attempts.binary_search_by(|attempt| {
            (attempt.member(), attempt.id).cmp(&(seen.member(), seen.id))
        });
        match place {
            Ok(at) => self.attempts[at].join(seen),
            Err(at) => self.attempts.insert(at, seen.clone()),
        }
    }

    /// Joins another state of the same execution.
    pub fn join(&mut self, other: &Self) {
        self.join_attempts(&other.attempts);
        if other.commit > self.commit {
            self.commit = other.commit.clone();
        }
        self.counted.outcomes |= other.counted.outcomes;
        self.counted.classes |= other.counted.classes;
        self.finished |= other.finished;
    }

    /// Whether it may be in a window: an attempt came to an end of its own that the rules need not leave out.
    pub fn may_enter(&self) -> bool {
        let has_entered = Outcome::ALL
            .into_iter()
            .any(|outcome| outcome.is_counted() && self.counted.has(outcome));
        self.attempts.iter().any(|attempt| {
            let is_infrastructure = attempt.reason_class() == FailureClass::Infrastructure;
            attempt.phase.is_decided() && (has_entered || !is_infrastructure)
        })
    }

    /// Whether any counter was moved by it.
    pub fn has_counted(&self) -> bool {
        self.counted != Counted::default() || self.retries() > 0
    }

    /// Whether all last attempts have ended, or were skipped.
    pub fn is_ended(&self) -> bool {
        self.last_attempts()
            .all(|attempt| attempt.phase.is_ended() || attempt.phase == Phase::Skipped)
    }

    /// Whether it is no outcome because of what the log of a failed attempt tells, and not GitLab's reason.
    pub fn is_left_out_by_log(&self, rules: &Rules) -> bool {
        rules.infrastructure_failures == InfrastructureFailures::Ignore
            && self.last_attempts().any(|attempt| {
                attempt.phase == Phase::Failed
                    && attempt.log_class() == Some(FailureClass::Infrastructure)
                    && attempt.reason_class() != FailureClass::Infrastructure
            })
    }

    /// The last attempts: one a member.
    pub fn last_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .chunk_by(|a, b| a.member() == b.member())
            .filter_map(|attempts| attempts.last())
    }

    /// The outcome under the rules; `None` while undecided.
    pub fn verdict(&self, rules: &Rules) -> Option<Outcome> {
        if rules.absent_jobs == AbsentJobs::Pass && self.finished {
            let failing = self
                .last_attempts()
                .any(|attempt| attempt_verdict(attempt, rules) == Some(Outcome::Failed));
            return Some(if failing {
                Outcome::Failed
            } else {
                Outcome::Passed
            });
        }
        self.last_attempts()
            .map(|attempt| attempt_verdict(attempt, rules))
            .max_by_key(|verdict| weight(*verdict))?
    }

    /// The attempt that stands for the execution: of the members that decided it the newest.
    pub fn deciding(&self, rules: &Rules) -> Option<&Attempt> {
        self.last_attempts()
            .max_by_key(|attempt| (weight(attempt_verdict(attempt, rules)), attempt.id))
    }

    /// Passed on a later attempt after a failed one.
    pub fn is_flaky(&self, rules: &Rules) -> bool {
        self.attempts.len() > 1
            && self.verdict(rules) == Some(Outcome::Passed)
            && self.attempts.chunk_by(|a, b| a.member() == b.member()).any(
                |attempts| match attempts {
                    [earlier @ .., last] => {
                        last.phase == Phase::Passed
                            && earlier.iter().any(|attempt| attempt.phase == Phase::Failed)
                    }
                    [] => false,
                },
            )
    }

    /// Attempts that followed another one of the same job.
    pub fn retries(&self) -> u64 {
        (self.attempts.len() - self.last_attempts().count()) as u64
    }

    /// True while it is undecided and an attempt that matters waits for a runner or runs.
    pub fn is_in_flight(&self, rules: &Rules) -> bool {
        self.verdict(rules).is_none()
            && self
                .last_attempts()
                .any(|attempt| attempt.phase.is_in_flight())
    }

    /// Notes in [`Counted`] what the execution has come to by now.
    pub fn count(&mut self, rules: &Rules) {
        if let Some(outcome) = self.verdict(rules) {
            self.counted.outcomes |= 1 << outcome as u8;
        }
        if self.is_flaky(rules) {
            self.counted.outcomes |= FLAKY;
        }
        let failed = |attempt: &&Attempt| attempt.phase == Phase::Failed && !attempt.allow_failure;
        let classes = self
            .last_attempts()
            .filter(failed)
            // By the reason alone: what was counted once must not move to another class later.
            .map(|attempt| 1 << attempt.reason_class() as u8)
            .fold(0, |bits, bit: u8| bits | bit);
        self.counted.classes |= classes;
    }

    /// Ends what was in flight: its pipeline is gone, nothing more will be heard of it.
    pub fn withdraw(&mut self) {
        for attempt in &mut self.attempts {
            if attempt.phase < Phase::Canceled {
                attempt.phase = Phase::Canceled;
            }
        }
    }
}

fn attempt_verdict(attempt: &Attempt, rules: &Rules) -> Option<Outcome> {
    match attempt.phase {
        Phase::Passed => Some(Outcome::Passed),
        Phase::Failed if attempt.allow_failure => Some(Outcome::AllowedFailure),
        Phase::Failed
            if rules.infrastructure_failures == InfrastructureFailures::Ignore
                && attempt.failure_class() == FailureClass::Infrastructure =>
        {
            None
        }
        Phase::Failed => Some(Outcome::Failed),
        Phase::Canceled => Some(Outcome::Canceled),
        Phase::Skipped => Some(Outcome::Skipped),
        Phase::Waiting | Phase::Blocked | Phase::Pending | Phase::Running => None,
    }
}

/// Which of several members that share a history decides: one failure is enough, and the others must
/// all be decided before the execution is.
fn weight(verdict: Option<Outcome>) -> u8 {
    match verdict {
        Some(Outcome::Failed) => 5,
        None => 4,
        Some(Outcome::AllowedFailure) => 3,
        Some(Outcome::Passed) => 2,
        Some(Outcome::Canceled) => 1,
        Some(Outcome::Skipped) => 0,
    }
}

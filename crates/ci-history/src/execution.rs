//! One job in one pipeline, decided by its last attempt.

use arcstr::ArcStr;

use super::attempt::{Attempt, Phase};
use super::attempts::Attempts;
use super::{
    AbsentJobs, FailureClass, InfrastructureFailures, Outcome, OutdatedDeployments, Rules,
};

/// The counters that an execution has moved, each at most once. A counter never goes back when a retry
/// changes the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// One bit per outcome, and one for flaky.
    pub outcomes: u8,
    /// One bit per failure class.
    pub classes: u8,
}

/// The bit of [`Counted::outcomes`] for flaky.
const FLAKY: u8 = 1 << Outcome::ALL.len();

impl Counted {
    pub(crate) fn has(self, outcome: Outcome) -> bool {
        self.outcomes & (1 << outcome as u8) != 0
    }

    pub(crate) fn has_class(self, class: FailureClass) -> bool {
        self.classes & (1 << class as u8) != 0
    }

    pub(crate) fn has_flaky(self) -> bool {
        self.outcomes & FLAKY != 0
    }
}

/// One job in one pipeline, identified by history and pipeline id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// GitLab's pipeline id, which orders the executions of a history.
    pub pipeline_id: u64,
    /// Commit of the pipeline.
    pub commit: ArcStr,
    /// All attempts, ordered by member and id. Empty if the job was absent from a finished pipeline.
    pub attempts: Attempts,
    /// The counters that the execution has moved.
    pub counted: Counted,
    /// Whether the pipeline has finished. Recorded only if that decides the outcome.
    pub finished: bool,
    /// Whether the pipeline was canceled or skipped. Recorded under the same condition.
    pub withdrawn: bool,
}

/// What the end of a pipeline says about its executions, where absent jobs pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipelineEnd {
    /// Not known, or without meaning under the rules.
    Open,
    /// It ran to its end.
    Finished,
    /// It was canceled or skipped.
    Withdrawn,
}

impl Execution {
    /// An execution without attempts.
    pub fn new(pipeline_id: u64, commit: ArcStr) -> Self {
        Self {
            pipeline_id,
            commit,
            attempts: Attempts::None,
            counted: Counted::default(),
            finished: false,
            withdrawn: false,
        }
    }

    pub(crate) fn note_end(&mut self, end: PipelineEnd) {
        self.finished |= end == PipelineEnd::Finished;
        self.withdrawn |= end == PipelineEnd::Withdrawn;
    }

    /// Joins attempts that GitLab lists now. Withdrawn ones among them are back.
    pub(crate) fn observe_attempts(&mut self, observed: &[Attempt]) {
        for attempt in observed {
            match self.position(attempt) {
                Ok(at) => {
                    let known = &mut self.attempts[at];
                    let listed = attempt.listed_again(known);
                    known.join(&listed);
                }
                Err(at) => self.attempts.insert(at, attempt.clone()),
            }
        }
    }

    /// Joins a saved state of an attempt, or that of another replica.
    pub fn join_attempt(&mut self, attempt: &Attempt) {
        match self.position(attempt) {
            Ok(at) => self.attempts[at].join(attempt),
            Err(at) => self.attempts.insert(at, attempt.clone()),
        }
    }

    fn position(&self, wanted: &Attempt) -> Result<usize, usize> {
        self.attempts.binary_search_by(|attempt| {
            (attempt.member(), attempt.id).cmp(&(wanted.member(), wanted.id))
        })
    }

    /// The attempts that GitLab has, ordered by member and id.
    pub(crate) fn listed_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| !attempt.is_withdrawn())
    }

    /// Joins another state of the same execution.
    pub(crate) fn join(&mut self, other: &Self) {
        for attempt in &other.attempts {
            self.join_attempt(attempt);
        }
        if other.commit > self.commit {
            self.commit = other.commit.clone();
        }
        self.counted.outcomes |= other.counted.outcomes;
        self.counted.classes |= other.counted.classes;
        self.finished |= other.finished;
        self.withdrawn |= other.withdrawn;
    }

    /// Whether the execution may enter a window under some rules: an attempt passed or failed.
    /// Infrastructure failures and outdated deployments suffice only if the execution already counted in a window.
    pub(crate) fn may_enter_window(&self) -> bool {
        let has_entered = Outcome::ALL
            .into_iter()
            .any(|outcome| outcome.enters_window() && self.counted.has(outcome));
        self.listed_attempts().any(|attempt| {
            let is_infrastructure = attempt.reason_class() == FailureClass::Infrastructure;
            attempt.phase.is_decided()
                && (has_entered || !(is_infrastructure || attempt.is_outdated()))
        })
    }

    /// Whether the execution has moved any counter.
    pub(crate) fn moved_counters(&self) -> bool {
        self.counted != Counted::default() || self.retries() > 0
    }

    /// Whether all last attempts have ended or were skipped.
    pub(crate) fn is_ended(&self) -> bool {
        self.last_attempts()
            .all(|attempt| attempt.phase.is_ended() || attempt.phase == Phase::Skipped)
    }

    /// Whether a failed attempt was reclassified as infrastructure by its log, so that the execution has no
    /// outcome.
    pub(crate) fn is_reclassified(&self, rules: &Rules) -> bool {
        rules.infrastructure_failures == InfrastructureFailures::Ignore
            && self.counting_attempts(rules).any(|attempt| {
                attempt.phase == Phase::Failed
                    && attempt.log_class() == Some(FailureClass::Infrastructure)
                    && attempt.reason_class() != FailureClass::Infrastructure
            })
    }

    /// The last attempt of each member.
    pub(crate) fn last_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.members()
            .filter_map(|attempts| attempts.iter().rfind(|it| !it.is_withdrawn()))
    }

    /// The attempt of each member that decides its outcome: the last one that was not outdated.
    fn counting_attempts(&self, rules: &Rules) -> impl Iterator<Item = &Attempt> {
        let counts_all = rules.outdated_deployments == OutdatedDeployments::Count;
        self.members().filter_map(move |attempts| {
            let mut listed = attempts.iter().filter(|it| !it.is_withdrawn());
            let last = listed.clone().next_back();
            let counting = listed.rfind(|it| counts_all || !it.is_outdated());
            counting.or(last)
        })
    }

    /// The outcome under the rules; `None` while undecided.
    pub(crate) fn outcome(&self, rules: &Rules) -> Option<Outcome> {
        if rules.absent_jobs == AbsentJobs::Pass && (self.finished || self.withdrawn) {
            if !self.finished {
                return None;
            }
            let failing = self
                .counting_attempts(rules)
                .any(|attempt| attempt_outcome(attempt, rules) == Some(Outcome::Failed));
            return Some(if failing {
                Outcome::Failed
            } else {
                Outcome::Passed
            });
        }
        self.counting_attempts(rules)
            .map(|attempt| attempt_outcome(attempt, rules))
            .max_by_key(|outcome| precedence(*outcome))?
    }

    /// Whether the execution has an outcome that enters the window.
    pub(crate) fn enters_window(&self, rules: &Rules) -> bool {
        self.outcome(rules).is_some_and(Outcome::enters_window)
    }

    /// The attempt that decides the outcome; the newest one if several members do.
    pub fn deciding(&self, rules: &Rules) -> Option<&Attempt> {
        self.counting_attempts(rules)
            .max_by_key(|attempt| (precedence(attempt_outcome(attempt, rules)), attempt.id))
    }

    /// Whether a later attempt passed after a failed one.
    pub(crate) fn is_flaky(&self, rules: &Rules) -> bool {
        let has_flaky_member = |attempts: &[Attempt]| {
            let mut listed = attempts.iter().filter(|it| !it.is_withdrawn());
            let last = listed.next_back();
            last.is_some_and(|last| last.phase == Phase::Passed)
                && listed.any(|it| it.phase == Phase::Failed && !it.is_outdated())
        };
        self.attempts.len() > 1
            && self.outcome(rules) == Some(Outcome::Passed)
            && self.members().any(has_flaky_member)
    }

    /// Attempts that followed another attempt of the same job. Withdrawn ones are among them: they were
    /// counted, and a counter never goes back.
    pub(crate) fn retries(&self) -> u64 {
        (self.attempts.len() - self.members().count()) as u64
    }

    /// The attempts of each member.
    fn members(&self) -> impl Iterator<Item = &[Attempt]> {
        self.attempts.chunk_by(|a, b| a.member() == b.member())
    }

    /// Whether the execution is undecided and a last attempt is pending or running.
    pub(crate) fn is_in_flight(&self, rules: &Rules) -> bool {
        self.outcome(rules).is_none()
            && self
                .last_attempts()
                .any(|attempt| attempt.phase.is_in_flight())
    }

    /// Records the current outcome and failure classes in [`Counted`].
    pub(crate) fn count(&mut self, rules: &Rules) {
        if let Some(outcome) = self.outcome(rules) {
            self.counted.outcomes |= 1 << outcome as u8;
        }
        if self.is_flaky(rules) {
            self.counted.outcomes |= FLAKY;
        }
        let failed = |attempt: &&Attempt| {
            let is_ignored =
                rules.outdated_deployments == OutdatedDeployments::Ignore && attempt.is_outdated();
            attempt.phase == Phase::Failed && !attempt.allow_failure && !is_ignored
        };
        let classes = self
            .counting_attempts(rules)
            .filter(failed)
            // By GitLab's reason alone: reading the log later must not count another class.
            .map(|attempt| 1 << attempt.reason_class() as u8)
            .fold(0, |bits, bit: u8| bits | bit);
        self.counted.classes |= classes;
    }

    /// Cancels those of these attempts that have not ended: GitLab removed them and will not report their end.
    pub(crate) fn cancel(&mut self, is_removed: impl Fn(u64) -> bool) {
        for attempt in &mut self.attempts {
            if attempt.phase < Phase::Canceled && is_removed(attempt.id) {
                attempt.phase = Phase::Canceled;
            }
        }
    }
}

fn attempt_outcome(attempt: &Attempt, rules: &Rules) -> Option<Outcome> {
    match attempt.phase {
        Phase::Passed => Some(Outcome::Passed),
        Phase::Failed
            if rules.outdated_deployments == OutdatedDeployments::Ignore
                && attempt.is_outdated() =>
        {
            None
        }
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

/// Ranks the outcomes of members that share a history; the highest is the execution's. One failure is
/// enough. Any other outcome needs all members decided.
fn precedence(outcome: Option<Outcome>) -> u8 {
    match outcome {
        Some(Outcome::Failed) => 5,
        None => 4,
        Some(Outcome::AllowedFailure) => 3,
        Some(Outcome::Passed) => 2,
        Some(Outcome::Canceled) => 1,
        Some(Outcome::Skipped) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_takes_64_bytes() {
        // A history keeps a window of them.
        assert_eq!(size_of::<Execution>(), 64);
        assert_eq!(size_of::<Attempt>(), 40);
    }
}

//! The states that a job is listed under, and the facts that decide them.

use std::sync::Arc;

use ci_history::{Failing, FailureClass, JobRow, Outcome, Span, Timestamp};

/// Seconds after which a job may count as stuck: `ci_default:running_seconds:threshold` of the shipped rules.
const LONG_RUNNING: i64 = 1800;

/// And times its usual duration: `ci_default:running_factor:threshold`.
const LONG_RUNNING_FACTOR: i64 = 3;

/// Seconds after which a job waits for a runner too long: `ci_default:pending_seconds:threshold`.
const LONG_WAITING: i64 = 1800;

/// Why a job is worth a look. A job may have several states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its last execution failed.
    Failing,
    /// It runs longer than half an hour and three times its usual duration.
    Stuck,
    /// It has waited for a runner for longer than half an hour.
    Waiting,
    /// An execution of the window passed only on a retry.
    Flaky,
    /// Its last execution failed, which is allowed.
    AllowedFailure,
    /// The newest pipelines do not have it any more.
    Gone,
}

impl JobState {
    /// All states, the worst first.
    pub(super) const ALL: [Self; 6] = [
        Self::Failing,
        Self::Stuck,
        Self::Waiting,
        Self::Flaky,
        Self::AllowedFailure,
        Self::Gone,
    ];

    /// The value in URLs and in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Stuck => "stuck",
            Self::Waiting => "waiting",
            Self::Flaky => "flaky",
            Self::AllowedFailure => "allowed_failure",
            Self::Gone => "gone",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Failing => "Failing",
            Self::Stuck => "Stuck",
            Self::Waiting => "Waiting",
            Self::Flaky => "Flaky",
            Self::AllowedFailure => "Allowed failure",
            Self::Gone => "Gone",
        }
    }
}

/// What a list of jobs is filtered and sorted by, beside names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobFacts {
    pub(super) consecutive_failures: u64,
    pub(super) failure_ratio: f64,
    /// Boxed, because most jobs have no streak.
    pub(super) streak: Option<Box<StreakFacts>>,
    pub(super) last_execution: Option<Timestamp>,
    /// When the running attempt counts as stuck.
    pub(super) stuck_from: Option<Timestamp>,
    /// When the pending attempt has waited too long.
    pub(super) late_from: Option<Timestamp>,
    pub(super) is_flaky: bool,
    pub(super) is_allowed_failure: bool,
    pub(super) is_gone: bool,
}

/// Facts of the streak of a failing job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StreakFacts {
    pub(super) since: Option<Timestamp>,
    pub(super) failure_class: FailureClass,
    pub(super) failure_reason: Option<Arc<str>>,
}

impl StreakFacts {
    fn of(failing: &Failing) -> Self {
        Self {
            since: failing.since,
            failure_class: failing.failure_class.unwrap_or(FailureClass::Unknown),
            failure_reason: failing.failure_reason.clone(),
        }
    }
}

impl JobFacts {
    /// The facts of a job as of now.
    pub fn of(row: &JobRow) -> Self {
        let figures = &row.figures;
        let usual = figures.usual_duration.map_or(LONG_RUNNING, whole_seconds);
        let long = LONG_RUNNING.max(usual.saturating_mul(LONG_RUNNING_FACTOR));
        let last = figures.window.last().map(|entry| entry.outcome);
        Self {
            consecutive_failures: figures.consecutive_failures,
            failure_ratio: figures.failure_ratio(),
            streak: figures.failing.as_ref().map(StreakFacts::of).map(Box::new),
            last_execution: figures.last_execution,
            stuck_from: figures.running_since.map(|since| later(since, long)),
            late_from: figures
                .pending_since
                .map(|since| later(since, LONG_WAITING)),
            is_flaky: figures.window_flaky > 0,
            is_allowed_failure: last == Some(Outcome::AllowedFailure),
            is_gone: figures.gone_since.is_some(),
        }
    }

    /// Consecutive failing executions up to the newest.
    pub fn consecutive_failures(&self) -> u64 {
        self.consecutive_failures
    }

    /// End of the latest decided execution.
    pub fn last_execution(&self) -> Option<Timestamp> {
        self.last_execution
    }

    /// Start of the streak.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.streak.as_ref()?.since
    }

    /// `None` if the job has no streak.
    pub(super) fn failure_class(&self) -> Option<FailureClass> {
        Some(self.streak.as_ref()?.failure_class)
    }

    pub(super) fn failure_reason(&self) -> Option<&Arc<str>> {
        self.streak.as_ref()?.failure_reason.as_ref()
    }

    /// Whether the job has the state at this time.
    pub fn is(&self, state: JobState, now: Timestamp) -> bool {
        match state {
            JobState::Failing => self.consecutive_failures > 0,
            JobState::Stuck => self.stuck_from.is_some_and(|from| from < now),
            JobState::Waiting => self.late_from.is_some_and(|from| from < now),
            JobState::Flaky => self.is_flaky,
            JobState::AllowedFailure => self.is_allowed_failure,
            JobState::Gone => self.is_gone,
        }
    }

    /// The states that the job has, the worst first.
    pub(super) fn states(&self, now: Timestamp) -> impl Iterator<Item = JobState> {
        JobState::ALL
            .into_iter()
            .filter(move |state| self.is(*state, now))
    }
}

fn later(since: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::of_clock(since.unix().saturating_add(seconds))
}

fn whole_seconds(span: Span) -> i64 {
    i64::try_from(span.micros() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ci_history::Figures;

    use super::*;

    fn facts(figures: Figures) -> JobFacts {
        JobFacts::of(&JobRow {
            name: "unit".into(),
            stage: "test".into(),
            tags: "".into(),
            allow_failure: false,
            figures,
        })
    }

    #[test]
    fn a_job_is_stuck_after_half_an_hour_and_three_times_its_usual_duration() {
        let running = |usual: Option<f64>| {
            facts(Figures {
                running_since: Timestamp::from_unix(1000),
                usual_duration: usual.and_then(Span::from_seconds),
                ..Figures::default()
            })
        };
        // Without a usual duration half an hour stands for it, as in the rules.
        for (usual, after) in [(Some(60.0), 1800), (Some(1000.0), 3000), (None, 5400)] {
            let facts = running(usual);
            let is_stuck = |at: i64| facts.is(JobState::Stuck, Timestamp::of_clock(1000 + at));
            assert!(!is_stuck(after), "{usual:?}");
            assert!(is_stuck(after + 1), "{usual:?}");
        }
    }

    #[test]
    fn a_job_waits_too_long_after_half_an_hour() {
        let facts = facts(Figures {
            pending_since: Timestamp::from_unix(1000),
            window_flaky: 1,
            ..Figures::default()
        });
        let states = |at| facts.states(Timestamp::of_clock(at)).collect::<Vec<_>>();
        assert_eq!(states(2800), [JobState::Flaky]);
        assert_eq!(states(2801), [JobState::Waiting, JobState::Flaky]);
    }
}

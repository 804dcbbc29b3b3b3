//! The baseline of a history: sums over its older executions.

use std::sync::Arc;

use arcstr::ArcStr;

use super::attempt::Attempt;
use super::execution::{Counted, Execution};
use super::{ClassCounts, CommitInfo, FailureClass, Outcome, OutcomeCounts, Rules, Timestamp};

/// An execution of an imported document, which names no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Imported {
    /// The attempt that failed.
    pub id: Option<u64>,
    /// Whether the execution counts as failing.
    pub failing: bool,
    /// Commit of the pipeline.
    pub commit: Option<ArcStr>,
}

/// The first execution of a streak.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct StreakStart {
    /// Its end.
    pub since: Option<Timestamp>,
    /// Its commit.
    pub commit: Option<ArcStr>,
    /// Title and author of that commit.
    pub info: Option<Arc<CommitInfo>>,
}

impl StreakStart {
    /// Boxed, if anything is known.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// What a history has of an imported document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportedWindow {
    /// Imported executions that are still in the window, oldest first. All kept executions are newer.
    pub entries: Vec<Imported>,
    /// Executions of the imported window if it was longer than the window of the rules, else 0.
    pub length: usize,
}

impl ImportedWindow {
    /// Boxed, if there is anything.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// Sums over the executions that a history no longer keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// Newest pipeline whose outcome is final. A new execution of an older pipeline is not counted.
    pub settled_through: u64,
    /// The same for executions that do not enter the window (skipped, canceled, manual).
    pub idle_settled_through: u64,
    /// Consecutive failing executions up to `settled_through`.
    pub streak: u64,
    /// The streak's first execution. Boxed, because few jobs fail for longer than their kept executions reach back.
    pub streak_start: Option<Box<StreakStart>>,
    /// Commit of the newest passed execution up to `settled_through`.
    pub last_passing_commit: Option<ArcStr>,
    /// Executions by outcome.
    pub executions: OutcomeCounts,
    /// Failures by class.
    pub failures: ClassCounts,
    /// Flaky executions.
    pub flaky: u64,
    /// Attempts that followed another attempt of the same execution.
    pub retries: u64,
    /// End of the latest decided execution.
    pub last_execution: Option<Timestamp>,
    /// End of the latest passed execution.
    pub last_success: Option<Timestamp>,
    /// End of the latest failed execution.
    pub last_failure: Option<Timestamp>,
    /// The attempt that passed or failed last.
    pub last_ended: Option<Box<Attempt>>,
}

impl Baseline {
    /// Adds an execution to the counters and latest times. They do not depend on its place in the order.
    pub(crate) fn tally(&mut self, execution: &Execution, rules: &Rules) {
        self.count(execution.counted);
        self.retries = self.retries.saturating_add(execution.retries());
        self.note_attempts(execution);
        if let Some(outcome) = execution.outcome(rules).filter(|o| o.enters_window()) {
            let at = execution
                .deciding(rules)
                .and_then(|attempt| attempt.times.at());
            self.last_execution = self.last_execution.max(at);
            match outcome {
                Outcome::Passed => self.last_success = self.last_success.max(at),
                Outcome::Failed => self.last_failure = self.last_failure.max(at),
                _ => {}
            }
        }
    }

    /// Keeps the attempt of the execution that ended last as `last_ended`, if it ended later than the known one.
    pub(crate) fn note_attempts(&mut self, execution: &Execution) {
        for attempt in execution
            .listed_attempts()
            .filter(|a| a.phase.is_decided() && !a.is_outdated())
        {
            self.note_ended(attempt);
        }
    }

    /// Keeps the attempt as `last_ended` if it ended later than the known one.
    pub(crate) fn note_ended(&mut self, attempt: &Attempt) {
        let known = self.last_ended.as_deref().map(Attempt::order_of_end);
        if known < Some(attempt.order_of_end()) {
            self.last_ended = Some(Box::new(attempt.without_commit_info()));
        }
    }

    /// Keeps the latest of each time, and the attempt that ended last.
    pub(crate) fn keep_latest(&mut self, other: &Self) {
        self.last_execution = self.last_execution.max(other.last_execution);
        self.last_success = self.last_success.max(other.last_success);
        self.last_failure = self.last_failure.max(other.last_failure);
        if let Some(ended) = &other.last_ended {
            self.note_ended(ended);
        }
    }

    /// Adds one execution to the counters.
    pub(crate) fn count(&mut self, counted: Counted) {
        for outcome in Outcome::ALL.into_iter().filter(|it| counted.has(*it)) {
            self.executions.increment(outcome);
        }
        let classes = FailureClass::ALL.into_iter();
        for class in classes.filter(|it| counted.has_class(*it)) {
            self.failures.increment(class);
        }
        self.flaky = self.flaky.saturating_add(counted.has_flaky().into());
    }

    /// Moves `settled_through` past an execution and continues or ends the streak.
    pub(crate) fn settle(&mut self, execution: &Execution, outcome: Outcome, rules: &Rules) {
        self.settled_through = self.settled_through.max(execution.pipeline_id);
        if outcome == Outcome::Failed {
            if self.streak == 0 {
                let deciding = execution.deciding(rules);
                let start = StreakStart {
                    since: deciding.and_then(|attempt| attempt.times.at()),
                    commit: Some(execution.commit.clone()),
                    info: deciding.and_then(Attempt::commit_info).cloned(),
                };
                self.streak_start = start.boxed();
            }
            self.streak = self.streak.saturating_add(1);
        } else {
            self.end_streak();
            if outcome == Outcome::Passed {
                self.last_passing_commit = Some(execution.commit.clone());
            }
        }
    }

    /// Ends the streak.
    pub(crate) fn end_streak(&mut self) {
        self.streak = 0;
        self.streak_start = None;
    }

    /// Moves `idle_settled_through` past an execution.
    pub(crate) fn settle_idle(&mut self, execution: &Execution) {
        self.idle_settled_through = self.idle_settled_through.max(execution.pipeline_id);
    }
}

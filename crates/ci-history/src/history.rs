//! A job's history: its last executions, and what lies before them as numbers.

use std::sync::Arc;

use super::attempt::{Attempt, Phase};
use super::execution::{Counted, Execution};
use super::{
    ClassCounts, FailureClass, LogExcerpt, LogFinding, Outcome, OutcomeCounts, Rules, Timestamp,
};

/// Executions kept beyond the window, so that late and withdrawn ones come out exact.
pub(crate) const REACH: usize = 4;

/// Executions without an outcome of the window (skipped, canceled, manual) that are kept.
const KEPT_IDLE: usize = 8;

/// Failures that are kept though their logs made them no outcome: by GitLab's reason alone, seen again,
/// they would enter the window.
const KEPT_LEFT_OUT: usize = 64;

/// Executions in flight that are kept, however many newer ones were decided: the oldest, which tell since
/// when something is stuck.
const KEPT_IN_FLIGHT: usize = 256;

/// An entry of a document that knows no pipelines, as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Imported {
    /// Attempt that failed.
    pub id: Option<u64>,
    /// Whether it counts as failing.
    pub failing: bool,
    /// Commit of its pipeline.
    pub commit: Option<Arc<str>>,
}

/// What lies before the kept executions, as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// Pipelines up to this one are done with: nothing new of them is counted.
    pub floor: u64,
    /// Up to this one, executions without an outcome of the window are done with.
    pub idle_floor: u64,
    /// Consecutive failing executions up to the floor.
    pub streak: u64,
    /// End of that streak's first execution.
    pub streak_since: Option<Timestamp>,
    /// Commit of that streak's first execution.
    pub first_failing_commit: Option<Arc<str>>,
    /// Commit of the newest passed execution up to the floor.
    pub last_passing_commit: Option<Arc<str>>,
    /// Executions by outcome.
    pub executions: OutcomeCounts,
    /// Failures by class.
    pub failures: ClassCounts,
    /// Flaky executions.
    pub flaky: u64,
    /// Retries.
    pub retries: u64,
    /// End of the latest decided execution.
    pub last_execution: Option<Timestamp>,
    /// End of the latest passed execution.
    pub last_success: Option<Timestamp>,
    /// End of the latest failed execution.
    pub last_failure: Option<Timestamp>,
    /// The latest attempt that passed or failed.
    pub last_ended: Option<Box<Attempt>>,
}

impl Carried {
    /// Takes over what counts of an execution wherever it stood: counters and latest times.
    fn tally(&mut self, execution: &Execution, rules: &Rules) {
        self.count(execution.counted);
        self.retries += execution.retries();
        for attempt in execution.attempts.iter().filter(|a| a.phase.is_decided()) {
            self.note_ended(attempt);
        }
        if let Some(outcome) = execution.verdict(rules).filter(|o| o.is_counted()) {
            let at = execution.deciding(rules).and_then(|attempt| attempt.at);
            self.last_execution = self.last_execution.max(at);
            match outcome {
                Outcome::Passed => self.last_success = self.last_success.max(at),
                Outcome::Failed => self.last_failure = self.last_failure.max(at),
                _ => {}
            }
        }
    }

    /// Keeps the latest attempt that passed or failed.
    pub fn note_ended(&mut self, attempt: &Attempt) {
        let known = self.last_ended.as_deref().map(Attempt::order_of_end);
        if known < Some(attempt.order_of_end()) {
            self.last_ended = Some(Box::new(attempt.clone()));
        }
    }

    /// Adds one execution to the counters.
    pub fn count(&mut self, counted: Counted) {
        for outcome in Outcome::ALL {
            *self.executions.get_mut(outcome) += u64::from(counted.has(outcome));
        }
        for class in FailureClass::ALL {
            *self.failures.get_mut(class) += u64::from(counted.has_class(class));
        }
        self.flaky += u64::from(counted.has_flaky());
    }

    /// Moves the floor over an execution of the window.
    fn pass_over(&mut self, execution: &Execution, outcome: Outcome, rules: &Rules) {
        self.floor = self.floor.max(execution.pipeline_id);
        if outcome == Outcome::Failed {
            if self.streak == 0 {
                self.streak_since = execution.deciding(rules).and_then(|attempt| attempt.at);
                self.first_failing_commit = Some(execution.commit.clone());
            }
            self.streak += 1;
        } else {
            self.streak = 0;
            self.streak_since = None;
            self.first_failing_commit = None;
            if outcome == Outcome::Passed {
                self.last_passing_commit = Some(execution.commit.clone());
            }
        }
    }
}

/// The executions of one job, or of a ref's pipelines as a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Entries of an imported document that are still in the window; they lie before the floor.
    pub imported: Vec<Imported>,
    /// Length of the imported window where it was longer than the rules' one.
    pub imported_window: usize,
    /// What lies before the kept executions.
    pub carried: Carried,
    /// The last executions, by pipeline id.
    pub kept: Vec<Execution>,
    /// Creation of the first execution known.
    pub first_seen: Option<Timestamp>,
    /// The last lines of the last failure that was looked at; only while the job fails.
    pub excerpt: Option<Box<LogExcerpt>>,
}

impl History {
    /// How many executions the window holds.
    pub fn window(&self, rules: &Rules) -> usize {
        rules.window.max(self.imported_window)
    }

    fn place(&self, pipeline_id: u64) -> Result<usize, usize> {
        self.kept
            .binary_search_by_key(&pipeline_id, |execution| execution.pipeline_id)
    }

    /// Joins one sight of an execution: its attempts, and whether its pipeline has finished.
    ///
    /// Returns whether anything changed.
    pub fn observe(
        &mut self,
        pipeline_id: u64,
        commit: &Arc<str>,
        attempts: &[Attempt],
        finished: bool,
        rules: &Rules,
    ) -> bool {
        match self.place(pipeline_id) {
            Ok(at) => {
                let execution = &mut self.kept[at];
                let before = execution.clone();
                execution.join_attempts(attempts);
                execution.finished |= finished;
                execution.count(rules);
                if *execution == before {
                    return false;
                }
            }
            Err(at) => {
                let mut execution = Execution::new(pipeline_id, commit.clone());
                execution.join_attempts(attempts);
                execution.finished = finished;
                if !self.reaches(&execution, rules) {
                    return false;
                }
                execution.count(rules);
                // There are many histories, and most do not grow any more.
                self.kept.reserve_exact(1);
                self.kept.insert(at, execution);
                self.trim(rules);
                // What was let go at once without being counted is as if it had not been seen.
                return self.carried.floor >= pipeline_id
                    || self.carried.idle_floor >= pipeline_id
                    || self.place(pipeline_id).is_ok();
            }
        }
        self.trim(rules);
        true
    }

    /// Takes over what a look at the log of a failed attempt brought, if the attempt is still kept.
    /// Returns whether anything changed.
    pub fn note_log(&mut self, finding: &LogFinding, rules: &Rules) -> bool {
        let Ok(at) = self.place(finding.pipeline_id) else {
            return false;
        };
        let execution = &mut self.kept[at];
        let before = execution.clone();
        let is_read =
            |attempt: &&mut Attempt| attempt.id == finding.job_id && attempt.phase == Phase::Failed;
        let Some(attempt) = execution.attempts.iter_mut().find(is_read) else {
            return false;
        };
        attempt.note_log_class(finding.class);
        execution.count(rules);
        let mut changed = *execution != before;
        if let Some(text) = &finding.excerpt {
            let excerpt = LogExcerpt {
                job_id: finding.job_id,
                text: text.clone(),
            };
            changed |= self.note_excerpt(&excerpt);
        }
        self.trim(rules);
        changed
    }

    /// Keeps the excerpt of the newest attempt.
    pub fn note_excerpt(&mut self, excerpt: &LogExcerpt) -> bool {
        let is_newer = self.excerpt.as_deref() < Some(excerpt);
        if is_newer {
            self.excerpt = Some(Box::new(excerpt.clone()));
        }
        is_newer
    }

    /// Whether the newest execution failed.
    fn is_failing(&self, rules: &Rules) -> bool {
        match self.counted(rules).next_back() {
            Some((_, outcome)) => outcome == Outcome::Failed,
            None => self.carried.streak > 0,
        }
    }

    /// Whether an execution not yet known is still to be counted.
    fn reaches(&self, execution: &Execution, rules: &Rules) -> bool {
        let id = execution.pipeline_id;
        let enters = execution.verdict(rules).is_some_and(Outcome::is_counted);
        id > self.carried.floor
            && (enters || execution.is_in_flight(rules) || id > self.carried.idle_floor)
    }

    /// Ends what was in flight in a pipeline that is gone. Returns whether anything changed.
    pub fn withdraw(&mut self, pipeline_id: u64, rules: &Rules) -> bool {
        let Ok(at) = self.place(pipeline_id) else {
            return false;
        };
        let execution = &mut self.kept[at];
        let before = execution.clone();
        execution.withdraw();
        execution.count(rules);
        let changed = *execution != before;
        self.trim(rules);
        changed
    }

    /// Moves what is beyond reach into the carried numbers.
    pub fn trim(&mut self, rules: &Rules) {
        self.settle_stragglers(rules);
        self.trim_counted(rules);
        self.trim_idle(rules);
        self.trim_in_flight(rules);
        if self.excerpt.is_some() && !self.is_failing(rules) {
            self.excerpt = None;
        }
        let newer = self.counted(rules).count();
        let spare = self.window(rules).saturating_sub(newer);
        let surplus = self.imported.len().saturating_sub(spare);
        self.imported.drain(..surplus);
    }

    /// What was in flight when the floor passed over it, and has ended since: no longer part of any
    /// window or streak, but counted.
    fn settle_stragglers(&mut self, rules: &Rules) {
        let floor = self.carried.floor;
        let carried = &mut self.carried;
        self.kept.retain(|execution| {
            let stays = execution.pipeline_id > floor || execution.is_in_flight(rules);
            if !stays {
                carried.tally(execution, rules);
            }
            stays
        });
    }

    fn trim_counted(&mut self, rules: &Rules) {
        let limit = self.window(rules) + REACH;
        let mut surplus = self.counted(rules).count().saturating_sub(limit);
        if surplus == 0 {
            return;
        }
        let carried = &mut self.carried;
        self.kept.retain(|execution| {
            if surplus == 0 || execution.is_in_flight(rules) {
                return true;
            }
            carried.tally(execution, rules);
            let verdict = execution.verdict(rules);
            if let Some(outcome) = verdict.filter(|o| o.is_counted()) {
                carried.pass_over(execution, outcome, rules);
                surplus -= 1;
            } else if execution.has_counted() || execution.is_ended() {
                carried.idle_floor = carried.idle_floor.max(execution.pipeline_id);
            }
            false
        });
    }

    fn trim_idle(&mut self, rules: &Rules) {
        let is_idle = |execution: &Execution| {
            !execution.is_in_flight(rules)
                && !execution.verdict(rules).is_some_and(Outcome::is_counted)
        };
        self.let_go(KEPT_IDLE, rules, |execution| {
            is_idle(execution) && !execution.is_left_out_by_log(rules)
        });
        self.let_go(KEPT_LEFT_OUT, rules, |execution| {
            is_idle(execution) && execution.is_left_out_by_log(rules)
        });
    }

    /// Moves the oldest executions of a kind into the carried numbers, but for so many.
    fn let_go(&mut self, kept: usize, rules: &Rules, is_meant: impl Fn(&Execution) -> bool) {
        let meant = self.kept.iter().filter(|e| is_meant(e)).count();
        let mut surplus = meant.saturating_sub(kept);
        let carried = &mut self.carried;
        self.kept.retain(|execution| {
            if surplus == 0 || !is_meant(execution) {
                return true;
            }
            surplus -= 1;
            // Of what never counted, nothing is missed: it may yet be skipped or canceled.
            if execution.has_counted() || execution.is_ended() {
                carried.tally(execution, rules);
                carried.idle_floor = carried.idle_floor.max(execution.pipeline_id);
            }
            false
        });
    }

    fn trim_in_flight(&mut self, rules: &Rules) {
        let mut room = KEPT_IN_FLIGHT;
        self.kept.retain(|execution| {
            if !execution.is_in_flight(rules) {
                return true;
            }
            let stays = room > 0;
            room = room.saturating_sub(1);
            stays
        });
    }

    /// Turns the kept executions into imported ones that lie before `floor`.
    pub fn freeze(&mut self, floor: u64, rules: &Rules) {
        let entries: Vec<Imported> = self
            .counted(rules)
            .map(|(execution, outcome)| {
                let failed = execution
                    .deciding(rules)
                    .filter(|_| outcome == Outcome::Failed);
                Imported {
                    id: failed.map(|attempt| attempt.id),
                    failing: outcome == Outcome::Failed,
                    commit: failed.map(|_| execution.commit.clone()),
                }
            })
            .collect();
        for execution in std::mem::take(&mut self.kept) {
            self.carried.tally(&execution, rules);
            if let Some(outcome) = execution.verdict(rules).filter(|o| o.is_counted()) {
                self.carried.pass_over(&execution, outcome, rules);
            }
        }
        self.carried.floor = floor;
        self.carried.idle_floor = floor;
        self.imported.extend(entries);
        let surplus = self.imported.len().saturating_sub(self.window(rules));
        self.imported.drain(..surplus);
    }

    /// The kept executions that count for window and streak, oldest first.
    pub fn counted<'a>(
        &'a self,
        rules: &'a Rules,
    ) -> impl DoubleEndedIterator<Item = (&'a Execution, Outcome)> {
        self.kept
            .iter()
            .filter(|execution| execution.pipeline_id > self.carried.floor)
            .filter_map(|execution| {
                let outcome = execution.verdict(rules).filter(|o| o.is_counted())?;
                Some((execution, outcome))
            })
    }
}

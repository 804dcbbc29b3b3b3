//! A job's history: its last executions, and a baseline of the older ones.

use arcstr::ArcStr;

use super::attempt::{Attempt, Phase};
use super::baseline::{Baseline, Imported, ImportedWindow};
use super::execution::{Execution, PipelineEnd};
use super::{LogExcerpt, LogFinding, Outcome, Rules, Timestamp};

/// Executions kept beyond the window, so that the window stays exact when a pipeline arrives late or a
/// retry takes an execution out of it.
const KEPT_BEYOND_WINDOW: usize = 4;

/// Kept executions that do not enter the window (skipped, canceled, manual).
const KEPT_IDLE: usize = 8;

/// Failures reclassified by their log. Kept, so that polling them again does not count them.
const KEPT_RECLASSIFIED: usize = 64;

/// Executions in flight, kept regardless of newer decided ones. Limited to the oldest, which tell since
/// when a job is stuck.
const KEPT_IN_FLIGHT: usize = 256;

/// The executions of one job, or of a ref's pipelines as a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// What is left of an imported document. Boxed, because few histories have it.
    pub imported: Option<Box<ImportedWindow>>,
    /// Sums over the executions before the kept ones.
    pub baseline: Baseline,
    /// The last executions, ordered by pipeline id.
    pub kept: Vec<Execution>,
    /// Creation of the first known execution.
    pub first_seen: Option<Timestamp>,
    /// End of the newest failure log that was read. Present only while the job fails.
    pub excerpt: Option<Box<LogExcerpt>>,
}

impl History {
    /// Executions in a full window.
    pub fn window(&self, rules: &Rules) -> usize {
        rules.window.max(self.imported_window())
    }

    /// Executions of the imported window if it was longer than the window of the rules, else 0.
    pub fn imported_window(&self) -> usize {
        self.imported.as_ref().map_or(0, |imported| imported.length)
    }

    /// Imported executions that are still in the window, oldest first.
    pub fn imported(&self) -> &[Imported] {
        self.imported
            .as_ref()
            .map_or(&[], |imported| &imported.entries)
    }

    /// Keeps only the newest imported executions.
    pub(crate) fn trim_imported(&mut self, most: usize) {
        if let Some(mut imported) = self.imported.take() {
            let surplus = imported.entries.len().saturating_sub(most);
            imported.entries.drain(..surplus);
            self.imported = imported.boxed();
        }
    }

    fn position(&self, pipeline_id: u64) -> Result<usize, usize> {
        self.kept
            .binary_search_by_key(&pipeline_id, |execution| execution.pipeline_id)
    }

    /// Joins an observation of an execution: its attempts, and how its pipeline ended.
    ///
    /// Returns whether anything changed.
    pub(crate) fn observe(
        &mut self,
        pipeline_id: u64,
        commit: &ArcStr,
        attempts: &[Attempt],
        end: PipelineEnd,
        rules: &Rules,
    ) -> bool {
        match self.position(pipeline_id) {
            Ok(at) => {
                let execution = &mut self.kept[at];
                let before = execution.clone();
                execution.observe_attempts(attempts);
                execution.note_end(end);
                execution.count(rules);
                if *execution == before {
                    return false;
                }
            }
            Err(at) => {
                let mut execution = Execution::new(pipeline_id, commit.clone());
                execution.observe_attempts(attempts);
                execution.note_end(end);
                if !self.is_unsettled(&execution, rules) {
                    return false;
                }
                execution.count(rules);
                // Most histories have reached their final length: spare capacity would be wasted.
                self.kept.reserve_exact(1);
                self.kept.insert(at, execution);
                self.trim(rules);
                // Nothing changed if `trim` dropped the execution at once without counting it.
                return self.baseline.settled_through >= pipeline_id
                    || self.baseline.idle_settled_through >= pipeline_id
                    || self.position(pipeline_id).is_ok();
            }
        }
        self.trim(rules);
        true
    }

    /// Records the class and excerpt found in the log of a failed attempt, if the attempt is still kept.
    /// Returns whether anything changed.
    pub(crate) fn note_log(&mut self, finding: &LogFinding, rules: &Rules) -> bool {
        let Ok(at) = self.position(finding.pipeline_id) else {
            return false;
        };
        let execution = &mut self.kept[at];
        let before = execution.clone();
        let is_read =
            |attempt: &&mut Attempt| attempt.id == finding.job_id && attempt.phase == Phase::Failed;
        let Some(attempt) = execution.attempts.iter_mut().find(is_read) else {
            return false;
        };
        attempt.note_log(finding.class, finding.rule.as_ref());
        execution.count(rules);
        let mut changed = *execution != before;
        if let Some(excerpt) = &finding.excerpt {
            changed |= self.note_excerpt(excerpt);
        }
        self.trim(rules);
        changed
    }

    /// Keeps the excerpt if it is of a newer attempt than the known one. Returns whether it is.
    pub(crate) fn note_excerpt(&mut self, excerpt: &LogExcerpt) -> bool {
        let is_newer = self.excerpt.as_deref() < Some(excerpt);
        if is_newer {
            self.excerpt = Some(Box::new(excerpt.clone()));
        }
        is_newer
    }

    /// Whether the newest execution failed.
    fn is_failing(&self, rules: &Rules) -> bool {
        match self.window_candidates(rules).next_back() {
            Some((_, outcome)) => outcome == Outcome::Failed,
            None => self.baseline.streak > 0,
        }
    }

    /// Whether a new execution is still to be counted.
    fn is_unsettled(&self, execution: &Execution, rules: &Rules) -> bool {
        let id = execution.pipeline_id;
        id > self.baseline.settled_through
            && (execution.enters_window(rules)
                || execution.is_in_flight(rules)
                || id > self.baseline.idle_settled_through)
    }

    /// Cancels the attempts in flight of a removed pipeline. Returns whether anything changed.
    pub(crate) fn cancel_in_flight(&mut self, pipeline_id: u64, rules: &Rules) -> bool {
        self.change_execution(pipeline_id, rules, |execution| execution.cancel(|_| true))
    }

    /// The execution in a pipeline, if it is still kept.
    pub(crate) fn kept_execution(&self, pipeline_id: u64) -> Option<&Execution> {
        self.kept.get(self.position(pipeline_id).ok()?)
    }

    /// Changes a kept execution. Returns whether anything changed.
    pub(crate) fn change_execution(
        &mut self,
        pipeline_id: u64,
        rules: &Rules,
        change: impl FnOnce(&mut Execution),
    ) -> bool {
        let Ok(at) = self.position(pipeline_id) else {
            return false;
        };
        let execution = &mut self.kept[at];
        let before = execution.clone();
        change(execution);
        execution.count(rules);
        let changed = *execution != before;
        self.trim(rules);
        changed
    }

    /// Moves the executions beyond the limits into the baseline.
    pub(crate) fn trim(&mut self, rules: &Rules) {
        self.settle_stragglers(rules);
        self.trim_window_candidates(rules);
        self.trim_idle(rules);
        self.trim_in_flight(rules);
        if self.excerpt.is_some() && !self.is_failing(rules) {
            self.excerpt = None;
        }
        let newer = self.window_candidates(rules).count();
        let spare = self.window(rules).saturating_sub(newer);
        self.trim_imported(spare);
    }

    /// Adds executions that ended after newer ones were settled to the counters. They are no longer part
    /// of the window or the streak.
    fn settle_stragglers(&mut self, rules: &Rules) {
        let settled_through = self.baseline.settled_through;
        let baseline = &mut self.baseline;
        self.kept.retain(|execution| {
            let stays = execution.pipeline_id > settled_through || execution.is_in_flight(rules);
            if !stays {
                baseline.tally(execution, rules);
            }
            stays
        });
    }

    fn trim_window_candidates(&mut self, rules: &Rules) {
        let limit = self.window(rules) + KEPT_BEYOND_WINDOW;
        let mut surplus = self.window_candidates(rules).count().saturating_sub(limit);
        if surplus == 0 {
            return;
        }
        let baseline = &mut self.baseline;
        self.kept.retain(|execution| {
            if surplus == 0 || execution.is_in_flight(rules) {
                return true;
            }
            baseline.tally(execution, rules);
            if let Some(outcome) = execution.outcome(rules).filter(|o| o.enters_window()) {
                baseline.settle(execution, outcome, rules);
                surplus -= 1;
            } else if execution.moved_counters() || execution.is_ended() {
                baseline.settle_idle(execution);
            }
            false
        });
    }

    fn trim_idle(&mut self, rules: &Rules) {
        let is_idle = |execution: &Execution| {
            !execution.is_in_flight(rules) && !execution.enters_window(rules)
        };
        self.settle_oldest(KEPT_IDLE, rules, |execution| {
            is_idle(execution) && !execution.is_reclassified(rules)
        });
        self.settle_oldest(KEPT_RECLASSIFIED, rules, |execution| {
            is_idle(execution) && execution.is_reclassified(rules)
        });
    }

    /// Moves the selected executions into the baseline, except the newest `limit` of them.
    fn settle_oldest(
        &mut self,
        limit: usize,
        rules: &Rules,
        is_selected: impl Fn(&Execution) -> bool,
    ) {
        let selected = self.kept.iter().filter(|e| is_selected(e)).count();
        let mut surplus = selected.saturating_sub(limit);
        let baseline = &mut self.baseline;
        self.kept.retain(|execution| {
            if surplus == 0 || !is_selected(execution) {
                return true;
            }
            surplus -= 1;
            // An execution that moved no counter is dropped unsettled: it may be skipped or canceled later.
            if execution.moved_counters() || execution.is_ended() {
                baseline.tally(execution, rules);
                baseline.settle_idle(execution);
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

    /// The kept executions that enter the window and the streak, with their outcomes, oldest first.
    pub fn window_candidates<'a>(
        &'a self,
        rules: &Rules,
    ) -> impl DoubleEndedIterator<Item = (&'a Execution, Outcome)> {
        self.kept
            .iter()
            .filter(|execution| execution.pipeline_id > self.baseline.settled_through)
            .filter_map(|execution| {
                let outcome = execution.outcome(rules).filter(|o| o.enters_window())?;
                Some((execution, outcome))
            })
    }
}

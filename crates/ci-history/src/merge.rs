//! Merges the states that two replicas have of one timeline: commutative, associative, idempotent.
//!
//! A merge may exceed the limits of a history. [`Timeline::trim`] restores them; it is a separate step
//! because trimming is not commutative.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::baseline::Baseline;
use super::execution::Execution;
use super::history::History;
use super::timeline::{Job, Timeline};
use super::{CommitInfo, FailureClass, Outcome, Rules, Timestamp};

impl Timeline {
    /// Merges another replica's state of the same timeline.
    pub fn merge(&mut self, other: &Self) {
        match self.generation.cmp(&other.generation) {
            std::cmp::Ordering::Less => self.clone_from(other),
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => self.merge_equal(other),
        }
    }

    fn merge_equal(&mut self, other: &Self) {
        // The newer path of a moved project is unknown here. The next poll corrects a wrong choice.
        if (&other.project, &other.project_url) > (&self.project, &self.project_url) {
            self.project = other.project.clone();
            self.project_url.clone_from(&other.project_url);
        }
        self.newest_finished = self.newest_finished.max(other.newest_finished);
        self.mixed_through = self.mixed_through.max(other.mixed_through);
        self.finished.merge(&other.finished);
        self.pipelines.merge(&other.pipelines);
        for (name, theirs) in &other.jobs {
            self.jobs
                .entry(name.clone())
                .and_modify(|job| job.merge(theirs))
                .or_insert_with(|| theirs.clone());
        }
    }

    /// Restores the limits of all histories after merges.
    pub fn trim(&mut self, rules: &Rules) {
        self.pipelines.trim(&rules.for_pipelines());
        for job in self.jobs.values_mut() {
            job.history.trim(rules);
        }
    }
}

impl Job {
    fn merge(&mut self, other: &Self) {
        let described = |job: &Self| {
            let texts = (job.stage.clone(), job.tags.clone());
            (job.newest_attempt, job.allow_failure, texts)
        };
        if described(other) > described(self) {
            self.newest_attempt = other.newest_attempt;
            self.allow_failure = other.allow_failure;
            self.stage = other.stage.clone();
            self.tags = other.tags.clone();
        }
        self.merge_sources(other);
        self.history.merge(&other.history);
    }
}

impl History {
    /// Merges another replica's state of the same history.
    ///
    /// The replica with the higher `settled_through` has counted every execution up to it. The merge drops
    /// executions that either replica has settled.
    fn merge(&mut self, other: &Self) {
        let mut executions: BTreeMap<u64, Execution> = BTreeMap::new();
        for execution in self.kept.iter().chain(&other.kept) {
            executions
                .entry(execution.pipeline_id)
                .and_modify(|known| known.join(execution))
                .or_insert_with(|| execution.clone());
        }
        let (settled, kept): (Vec<_>, Vec<_>) = executions
            .into_values()
            .partition(|execution| self.has_settled(execution) || other.has_settled(execution));
        self.kept = kept;
        self.baseline.merge(&other.baseline);
        for execution in &settled {
            // The replica that settled it may not have seen the last attempt.
            self.baseline.note_attempts(execution);
        }
        self.imported_window = self.imported_window.max(other.imported_window);
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        if let Some(excerpt) = &other.excerpt {
            self.note_excerpt(excerpt);
        }
        // The entries of an import only become fewer.
        let fewer = |history: &Self| (history.imported.len(), history.imported.clone());
        if fewer(other) < fewer(self) {
            self.imported.clone_from(&other.imported);
        }
    }

    /// Whether the execution was counted here and is no longer kept.
    fn has_settled(&self, execution: &Execution) -> bool {
        let id = execution.pipeline_id;
        let is_settled = id <= self.baseline.settled_through
            || (id <= self.baseline.idle_settled_through && !execution.may_enter_window());
        is_settled
            && self
                .kept
                .binary_search_by_key(&id, |known| known.pipeline_id)
                .is_err()
    }
}

impl Baseline {
    /// Keeps the streak and the counters of the baseline with the higher `settled_through`. If both are equal, keeps
    /// the greater of each number. The latest of each time is kept, whoever saw it.
    fn merge(&mut self, other: &Self) {
        let idle_settled_through = self.idle_settled_through.max(other.idle_settled_through);
        match self.settled_through.cmp(&other.settled_through) {
            std::cmp::Ordering::Less => {
                let before = std::mem::replace(self, other.clone());
                self.keep_latest(&before);
            }
            std::cmp::Ordering::Greater => self.keep_latest(other),
            std::cmp::Ordering::Equal => {
                self.merge_counters(other);
                self.keep_latest(other);
            }
        }
        self.idle_settled_through = idle_settled_through;
    }

    fn merge_counters(&mut self, other: &Self) {
        // The fields of the streak stay together.
        if streak(other) > streak(self) {
            self.streak = other.streak;
            self.streak_since = other.streak_since;
            self.first_failing_commit
                .clone_from(&other.first_failing_commit);
            self.first_failing_info
                .clone_from(&other.first_failing_info);
            self.last_passing_commit
                .clone_from(&other.last_passing_commit);
        }
        for outcome in Outcome::ALL {
            let count = self.executions.get_mut(outcome);
            *count = (*count).max(other.executions.get(outcome));
        }
        for class in FailureClass::ALL {
            let count = self.failures.get_mut(class);
            *count = (*count).max(other.failures.get(class));
        }
        self.flaky = self.flaky.max(other.flaky);
        self.retries = self.retries.max(other.retries);
    }
}

type StreakParts<'a> = (
    u64,
    Option<Timestamp>,
    &'a Option<Arc<str>>,
    &'a Option<Arc<str>>,
    &'a Option<Arc<CommitInfo>>,
);

fn streak(baseline: &Baseline) -> StreakParts<'_> {
    (
        baseline.streak,
        baseline.streak_since,
        &baseline.first_failing_commit,
        &baseline.last_passing_commit,
        &baseline.first_failing_info,
    )
}

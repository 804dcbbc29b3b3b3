//! Merges the states that two replicas have of one timeline: commutative, associative, idempotent.
//!
//! A merge may exceed the limits of a history. [`Timeline::trim`] restores them; it is a separate step
//! because trimming is not commutative.

use std::collections::BTreeMap;

use arcstr::ArcStr;

use super::Rules;
use super::baseline::{Baseline, ImportedWindow, StreakStart};
use super::execution::Execution;
use super::history::History;
use super::timeline::{Job, Timeline};

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
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        if let Some(excerpt) = &other.excerpt {
            self.note_excerpt(excerpt);
        }
        self.merge_imported(other);
    }

    fn merge_imported(&mut self, other: &Self) {
        let length = self.imported_window().max(other.imported_window());
        // The entries of an import only become fewer.
        let fewer = [self, other].map(|history| (history.imported().len(), history.imported()));
        let (_, entries) = fewer[0].min(fewer[1]);
        let entries = entries.to_vec();
        self.imported = ImportedWindow { entries, length }.boxed();
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
            self.streak_start.clone_from(&other.streak_start);
            self.last_passing_commit
                .clone_from(&other.last_passing_commit);
        }
        self.executions.keep_greater(&other.executions);
        self.failures.keep_greater(&other.failures);
        self.flaky = self.flaky.max(other.flaky);
        self.retries = self.retries.max(other.retries);
    }
}

fn streak(baseline: &Baseline) -> (u64, Option<&StreakStart>, Option<&ArcStr>) {
    (
        baseline.streak,
        baseline.streak_start.as_deref(),
        baseline.last_passing_commit.as_ref(),
    )
}

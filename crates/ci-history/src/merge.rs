//! Merging two states of one timeline, as two replicas hold them: commutative, associative, idempotent.
//!
//! Nothing is trimmed on the way: what a merge brings beyond the bounds goes with the next
//! [`Timeline::trim`], which is not part of the merge because it is no join.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::execution::Execution;
use super::history::{Carried, History};
use super::timeline::{Job, Timeline};
use super::{FailureClass, Outcome, Rules, Timestamp};

impl Timeline {
    /// Takes in what another replica knows of the same timeline.
    pub fn merge(&mut self, other: &Self) {
        // A moved project is told apart by nothing here; the next look at GitLab settles it.
        if (&other.project, &other.project_url) > (&self.project, &self.project_url) {
            self.project = other.project.clone();
            self.project_url.clone_from(&other.project_url);
        }
        // Whoever has read everything brings it along.
        self.has_gap &= other.has_gap;
        self.newest_finished = self.newest_finished.max(other.newest_finished);
        self.pipelines.merge(&other.pipelines);
        for (name, theirs) in &other.jobs {
            self.jobs
                .entry(name.clone())
                .and_modify(|job| job.merge(theirs))
                .or_insert_with(|| theirs.clone());
        }
    }

    /// Brings all histories back into their bounds after merges.
    pub fn trim(&mut self, rules: &Rules) {
        self.pipelines.trim(&rules.for_pipelines());
        for job in self.jobs.values_mut() {
            job.history.trim(rules);
        }
    }
}

impl Job {
    fn merge(&mut self, other: &Self) {
        let described = |job: &Self| (job.newest_attempt, job.allow_failure, job.stage.clone());
        if described(other) > described(self) {
            self.newest_attempt = other.newest_attempt;
            self.allow_failure = other.allow_failure;
            self.stage = other.stage.clone();
        }
        self.history.merge(&other.history);
    }
}

impl History {
    /// Takes in what another replica knows of the same job.
    ///
    /// Whoever's floor is higher has counted everything below it; what is missing there is done with.
    fn merge(&mut self, other: &Self) {
        let mut executions: BTreeMap<u64, Execution> = BTreeMap::new();
        for execution in self.kept.iter().chain(&other.kept) {
            executions
                .entry(execution.pipeline_id)
                .and_modify(|known| known.join(execution))
                .or_insert_with(|| execution.clone());
        }
        executions
            .retain(|_, execution| !self.is_done_with(execution) && !other.is_done_with(execution));
        self.kept = executions.into_values().collect();
        self.carried.merge(&other.carried);
        self.imported_window = self.imported_window.max(other.imported_window);
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        if let Some(excerpt) = &other.excerpt {
            self.note_excerpt(excerpt);
        }
        // Entries of one import only ever become fewer.
        let fewer = |history: &Self| (history.imported.len(), history.imported.clone());
        if fewer(other) < fewer(self) {
            self.imported.clone_from(&other.imported);
        }
    }

    /// Whether an execution was counted here and is kept no more.
    fn is_done_with(&self, execution: &Execution) -> bool {
        let id = execution.pipeline_id;
        let done =
            id <= self.carried.floor || (id <= self.carried.idle_floor && !execution.may_enter());
        done && self
            .kept
            .binary_search_by_key(&id, |known| known.pipeline_id)
            .is_err()
    }
}

impl Carried {
    /// The one whose floor is higher, and of two as high the greater of each number.
    fn merge(&mut self, other: &Self) {
        let idle_floor = self.idle_floor.max(other.idle_floor);
        match self.floor.cmp(&other.floor) {
            std::cmp::Ordering::Less => *self = other.clone(),
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => self.merge_equal(other),
        }
        self.idle_floor = idle_floor;
    }

    fn merge_equal(&mut self, other: &Self) {
        // The streak and what belongs to it stay together.
        if streak(other) > streak(self) {
            self.streak = other.streak;
            self.streak_since = other.streak_since;
            self.first_failing_commit
                .clone_from(&other.first_failing_commit);
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
        self.last_execution = self.last_execution.max(other.last_execution);
        self.last_success = self.last_success.max(other.last_success);
        self.last_failure = self.last_failure.max(other.last_failure);
        if let Some(ended) = &other.last_ended {
            self.note_ended(ended);
        }
    }
}

type StreakParts<'a> = (
    u64,
    Option<Timestamp>,
    &'a Option<Arc<str>>,
    &'a Option<Arc<str>>,
);

fn streak(carried: &Carried) -> StreakParts<'_> {
    (
        carried.streak,
        carried.streak_since,
        &carried.first_failing_commit,
        &carried.last_passing_commit,
    )
}

//! Retention: what nothing was heard of for too long goes, with its series and its document.

use std::collections::BTreeSet;

use super::state::{Held, State, Tracked};
use crate::model::{TimelineKey, Timestamp};

/// How often everything is looked through, in seconds of GitLab's clock.
const EXPIRY_INTERVAL: i64 = 60 * 60;

/// When everything is looked through.
#[derive(Default)]
pub(super) struct Expiry {
    /// By GitLab's clock.
    next: Option<Timestamp>,
    /// Whether it was looked through after the backfill.
    backfilled: bool,
}

impl Expiry {
    /// Whether it is time, by GitLab's clock: a wrong clock of ours must not cost the histories.
    pub(super) fn is_due(&mut self, state: &State) -> bool {
        let Some(now) = state.gitlab_told() else {
            return false;
        };
        let interval = |from: Timestamp| Timestamp::of_clock(from.unix() + EXPIRY_INTERVAL);
        // At first a backfill may be about to bring what an old history goes on with.
        let next = *self.next.get_or_insert_with(|| interval(now));
        let first = !self.backfilled && state.held().first_round_ended;
        // Also where the clock was set back.
        let due = first || now >= next || interval(now) < next;
        if due {
            self.backfilled |= first;
            self.next = Some(interval(now));
        }
        due
    }
}

impl State {
    /// Forgets jobs and timelines of which nothing was heard for the retention time, and projects of
    /// which nothing is left.
    pub(super) fn expire(&self) {
        let Some(now) = self.gitlab_told() else {
            return;
        };
        let mut held = self.held();
        self.expire_where(&mut held, now, |_, tracked| {
            // One that is being read may still get what it goes on with.
            !tracked.shown || !tracked.stale
        });
        let held = &mut *held;
        let ids = held.timelines.keys().map(|key| key.project_id);
        let known: BTreeSet<u64> = ids.collect();
        held.projects
            .retain(|id, project| project.facts.is_some() || known.contains(id));
    }

    /// The same for what was just read of a project: a backfill brings back what is long over.
    pub(super) fn expire_read(&self, held: &mut Held, project_id: u64) {
        if let Some(now) = self.gitlab_told() {
            self.expire_where(held, now, |key, tracked| {
                key.project_id == project_id && tracked.stale
            });
        }
    }

    fn expire_where(
        &self,
        held: &mut Held,
        now: Timestamp,
        looked_at: impl Fn(&TimelineKey, &Tracked) -> bool,
    ) {
        let before = self.outlived(now);
        let gone = &mut held.gone;
        held.timelines.retain(|key, tracked| {
            if !looked_at(key, tracked) {
                return true;
            }
            tracked.unsaved |= tracked.timeline.stamp_undated(now);
            let stays = tracked
                .timeline
                .last_activity()
                .is_none_or(|at| at >= before);
            if stays {
                self.expire_jobs(tracked, before);
            } else {
                tracing::info!(
                    project = %tracked.timeline.project, ref_name = %key.ref_name,
                    "nothing was heard of this ref for the retention time: its history is dropped"
                );
                self.hide(tracked);
                gone.insert(key.clone());
            }
            stays
        });
    }

    fn expire_jobs(&self, tracked: &mut Tracked, before: Timestamp) {
        let jobs = tracked.timeline.expire(before);
        if jobs.is_empty() {
            return;
        }
        tracing::info!(
            project = %tracked.timeline.project, ref_name = %tracked.timeline.key.ref_name, ?jobs,
            "these jobs were not executed for the retention time: their histories are dropped"
        );
        tracked.unsaved = true;
        if tracked.shown {
            self.publish(tracked);
        }
    }

    /// What gave no sign since then has outlived the retention.
    pub(super) fn outlived(&self, now: Timestamp) -> Timestamp {
        let retention = i64::try_from(self.policy.retention.as_secs()).unwrap_or(i64::MAX);
        Timestamp::of_clock(now.unix().saturating_sub(retention))
    }

    /// The documents that are to be removed.
    pub(super) fn take_gone(&self) -> Vec<TimelineKey> {
        let mut held = self.held();
        let gone = std::mem::take(&mut held.gone);
        // One that is there again is saved over its document.
        let gone = gone
            .into_iter()
            .filter(|key| !held.timelines.contains_key(key));
        gone.collect()
    }

    /// A document could not be removed: to be tried again.
    pub(super) fn not_removed(&self, key: TimelineKey) {
        self.held().gone.insert(key);
    }
}

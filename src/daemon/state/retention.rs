//! Retention: histories without activity for too long go, with their series. Their documents move to the attic.

use std::collections::BTreeSet;

use super::shell::{Inner, State};
use ci_history::{TimelineKey, Timestamp};

/// Timelines that are looked at while the lock is held.
const TIMELINES_AT_ONCE: usize = 50;

impl State {
    /// The time by which retention goes: the newest sign of life in the data, and no later than GitLab's clock as far as
    /// it is proved. A wrong clock alone, ours or GitLab's, must not cost a history.
    pub(in crate::daemon) fn retention_now(&self) -> Option<Timestamp> {
        self.retention_now_of(&self.lock())
    }

    pub(super) fn retention_now_of(&self, inner: &Inner) -> Option<Timestamp> {
        let proved = self.clock.proved_now()?;
        Some(proved.min(inner.timelines.newest_activity()?))
    }

    /// Forgets jobs and timelines without activity for the retention time, and projects without any.
    pub(in crate::daemon) fn expire(&self) {
        let keys = self.lock().timelines.at_rest();
        let mut is_known = true;
        for keys in keys.chunks(TIMELINES_AT_ONCE) {
            if let Some(now) = self.retention_now() {
                let with_gone = self.lock().timelines.hide_long_gone(keys, now);
                self.publish(with_gone);
            }
            is_known &= self.expire_these(keys);
        }
        if is_known {
            let mut inner = self.lock();
            let ids = inner.timelines.project_ids();
            let inner = &mut *inner;
            inner.projects.forget_unwatched(&ids);
            inner.memories.forget_unwatched(&inner.projects, &ids);
            let memories = &inner.memories;
            (inner.sights).forget_but(|id| memories.get(id).is_some());
        }
    }

    /// Forgets the same of what was just read of a project: a backfill brings back what is long over.
    pub(super) fn expire_read(&self, project_id: u64) {
        let keys = self.lock().timelines.dirty_of(project_id);
        self.expire_these(&keys);
    }

    /// Returns whether the time is known.
    fn expire_these(&self, keys: &[TimelineKey]) -> bool {
        let mut inner = self.lock();
        let Some(now) = self.retention_now_of(&inner) else {
            return false;
        };
        let inner_mut = &mut *inner;
        let projects = &inner_mut.projects;
        let is_default_branch = |key: &TimelineKey| {
            let facts = projects.facts(key.project_id);
            let branch = facts.and_then(|facts| facts.default_branch.as_deref());
            branch == Some(&*key.ref_name)
        };
        let cutoffs = self.policy.cutoffs(now);
        let effects = inner_mut
            .timelines
            .expire(keys, now, cutoffs, is_default_branch);
        drop(inner);
        self.apply(effects);
        true
    }

    /// The documents to copy into the attic before they are saved the next time.
    pub(in crate::daemon) fn take_to_copy(&self) -> BTreeSet<TimelineKey> {
        self.lock().timelines.take_to_copy()
    }

    /// Whether each project of the first discovery was polled.
    pub(in crate::daemon) fn has_first_round_ended(&self) -> bool {
        self.lock().health.has_first_round_ended()
    }
}

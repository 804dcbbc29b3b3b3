//! Retention: histories without activity for too long go, with their series and documents.

use super::shell::State;

impl State {
    /// Forgets jobs and timelines without activity for the retention time, and projects without any.
    pub(in crate::daemon) fn expire(&self) {
        let Some(now) = self.told_time() else {
            return;
        };
        let mut inner = self.lock();
        let keys = inner.timelines.at_rest();
        let mut effects = inner.timelines.expire(keys, now, self.policy.cutoff(now));
        effects.render.extend(inner.timelines.hide_long_gone(now));
        let ids = inner.timelines.project_ids();
        inner.projects.forget_unwatched(&ids);
        drop(inner);
        self.apply(effects);
    }

    /// Forgets the same of what was just read of a project: a backfill brings back what is long over.
    pub(super) fn expire_read(&self, project_id: u64) {
        if let Some(now) = self.told_time() {
            let mut inner = self.lock();
            let keys = inner.timelines.dirty_of(project_id);
            let effects = inner.timelines.expire(keys, now, self.policy.cutoff(now));
            drop(inner);
            self.apply(effects);
        }
    }

    /// Whether each project of the first discovery was polled.
    pub(in crate::daemon) fn has_first_round_ended(&self) -> bool {
        self.lock().health.has_first_round_ended()
    }
}

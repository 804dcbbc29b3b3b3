//! Retention: which timelines and jobs are dropped.

use super::super::effects::Effects;
use super::rendering::RenderState;
use super::{MOST_DROPPED, Timelines};
use crate::daemon::policy::Cutoffs;
use ci_history::{TimelineKey, Timestamp};

impl Timelines {
    /// The timelines that are not being read, or hidden. A backfill may still bring what the history of one that is
    /// being read goes on with.
    pub(in crate::daemon::state) fn at_rest(&self) -> Vec<TimelineKey> {
        let entries = self.entries.iter();
        let at_rest = entries.filter(|(_, entry)| !entry.is_visible() || !entry.is_dirty());
        at_rest.map(|(key, _)| key.clone()).collect()
    }

    /// The newest sign of life in any timeline.
    pub(in crate::daemon::state) fn newest_activity(&self) -> Option<Timestamp> {
        self.newest_activity
    }

    /// Drops the jobs of these timelines without activity for too long, and timelines without any. `is_seldom` names
    /// the timelines that may be quiet for as long as their jobs.
    pub(in crate::daemon::state) fn expire(
        &mut self,
        keys: Vec<TimelineKey>,
        now: Timestamp,
        cutoffs: Cutoffs,
        is_seldom: impl Fn(&TimelineKey) -> bool,
    ) -> Effects {
        let mut effects = Effects::default();
        for key in keys {
            let refs = if is_seldom(&key) {
                cutoffs.seldom
            } else {
                cutoffs.refs
            };
            let cutoffs = Cutoffs { refs, ..cutoffs };
            let expired = self.edit(&key, |entry, rules| entry.expire(now, cutoffs, rules));
            let Some(expired) = expired.flatten() else {
                continue;
            };
            if expired.jobs.is_some() {
                self.to_copy.insert(key.clone());
                effects.render.push(key);
            } else {
                self.drop_entry(&key);
                effects.hide.push(key);
            }
            effects.expired.push(expired);
        }
        effects
    }

    /// The timelines with jobs that have been gone for a day, to be rendered without them.
    pub(in crate::daemon::state) fn hide_long_gone(&mut self, now: Timestamp) -> Vec<TimelineKey> {
        let entries = self.entries.iter();
        let with_gone = entries.filter(|(_, entry)| entry.shows_long_gone(now));
        let keys: Vec<_> = with_gone.map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.edit(key, |entry, _| entry.render = RenderState::Dirty);
        }
        keys
    }

    pub(super) fn drop_entry(&mut self, key: &TimelineKey) {
        self.entries.remove(key);
        self.dirty.remove(key);
        self.unsaved.remove(key);
        self.removed.insert(key.clone());
        if self.dropped.len() < MOST_DROPPED {
            self.dropped.insert(key.clone());
        }
    }
}

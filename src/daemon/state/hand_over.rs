//! What a new state takes over from the one before it, when the configuration is loaded again.

use std::collections::BTreeSet;

use super::health::Health;
use super::memories::Memories;
use super::projects::Projects;
use super::shell::State;
use super::sights::Sights;
use crate::metrics::Exposition;
use crate::store::Saved;
use ci_history::TimelineKey;

/// Everything that the state knows, without the way over the store, which may be away.
pub(in crate::daemon) struct HandOver {
    timelines: Vec<Saved>,
    unsaved: Vec<TimelineKey>,
    /// Timelines that are not watched. They stay hidden until they are found to be.
    hidden: BTreeSet<TimelineKey>,
    /// Documents that are still to be removed.
    removed: Vec<TimelineKey>,
    projects: Projects,
    memories: Memories,
    sights: Sights,
    health: Health,
    exposition: Exposition,
}

impl State {
    /// Copies what a new state needs. Nothing may change this state any longer.
    pub(in crate::daemon) fn hand_over(&self) -> HandOver {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let projects = &inner.projects;
        HandOver {
            timelines: inner.timelines.all(|id| projects.saved_watermark(id)),
            unsaved: inner.timelines.unsaved(),
            hidden: inner.timelines.hidden(),
            removed: inner.timelines.take_removed(),
            projects: projects.handed_over(),
            memories: inner.memories.clone(),
            sights: inner.sights.clone(),
            health: inner.health.clone(),
            exposition: self.exposition.clone(),
        }
    }

    /// Takes it over, under the policy of this state, and exposes it. What is watched no longer stays until the projects are
    /// found anew.
    pub(in crate::daemon) fn take_over(&self, it: HandOver) {
        let with_schedules = self.policy.reads_schedules;
        self.exposition
            .take_projects(&it.exposition, with_schedules);
        self.restore(it.timelines);
        for key in &it.unsaved {
            self.save_again(key);
        }
        for key in it.removed {
            self.remove_again(key);
        }
        let mut inner = self.lock();
        inner.projects = it.projects;
        inner.memories = it.memories;
        inner.sights = it.sights;
        inner.health = it.health;
        let effects = inner.timelines.hide(|key| it.hidden.contains(key));
        drop(inner);
        self.apply(effects);
    }

    /// Whether the saved state was read.
    pub(in crate::daemon) fn is_loaded(&self) -> bool {
        self.lock().health.is_loaded()
    }
}

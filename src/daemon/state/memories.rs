//! What is remembered of projects over a restart, and which of it is to be saved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::projects::Projects;
use crate::base::project_memory::{ProjectMemory, SchedulesMemory};
use crate::gitlab::Project;
use crate::store::SavedMemory;
use ci_history::Timestamp;

/// Seconds after which the time at which a project was last seen archived is worth saving again.
const ARCHIVED_EVERY: i64 = 3600;

/// The memories of all projects, by id.
#[derive(Clone, Default)]
pub(super) struct Memories {
    by_id: BTreeMap<u64, ProjectMemory>,
    unsaved: BTreeSet<u64>,
    /// Projects that were forgotten and may have a document.
    removed: BTreeSet<u64>,
    /// Whether the last attempt to save failed.
    is_failing: bool,
}

impl Memories {
    pub(super) fn restore(&mut self, saved: SavedMemory) {
        self.by_id.insert(saved.project_id, saved.memory);
    }

    pub(super) fn get(&self, id: u64) -> Option<&ProjectMemory> {
        self.by_id.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &ProjectMemory)> {
        self.by_id.iter().map(|(id, memory)| (*id, memory))
    }

    /// A project was found, in a group or by its own name. One that is lost is of no group, and a later process does not look
    /// for it.
    pub(super) fn found(&mut self, project: &Project, group: Option<&Arc<str>>) {
        self.change(project.id, |memory| {
            memory.path = project.path.clone();
            memory.web_url.clone_from(&project.web_url);
            memory.default_branch.clone_from(&project.default_branch);
            memory.group = group.cloned();
        });
    }

    /// The schedules of a project were read.
    pub(super) fn schedules(&mut self, project: &Project, schedules: SchedulesMemory) {
        self.change(project.id, |memory| {
            let seconds = |it: &SchedulesMemory| it.archived_until.map(Timestamp::unix);
            let (before, now) = (seconds(&memory.schedules), seconds(&schedules));
            let is_as_before = before.zip(now).is_some_and(|(before, now)| {
                schedules.schedules == memory.schedules.schedules && now - before < ARCHIVED_EVERY
            });
            if !is_as_before {
                memory.schedules = schedules;
            }
        });
    }

    /// Forgets the projects that are not watched, but for those that have histories.
    pub(super) fn forget_unwatched(&mut self, projects: &Projects, with_history: &BTreeSet<u64>) {
        let is_kept = |id: &u64| projects.facts(*id).is_some() || with_history.contains(id);
        let gone: Vec<u64> = (self.by_id.keys().copied())
            .filter(|id| !is_kept(id))
            .collect();
        for id in gone {
            self.by_id.remove(&id);
            self.unsaved.remove(&id);
            self.removed.insert(id);
        }
    }

    /// The memories to save.
    pub(super) fn take_unsaved(&mut self) -> Vec<SavedMemory> {
        let unsaved = std::mem::take(&mut self.unsaved).into_iter();
        let saved = unsaved.filter_map(|project_id| {
            let memory = self.by_id.get(&project_id)?.clone();
            Some(SavedMemory { project_id, memory })
        });
        saved.collect()
    }

    /// The projects whose memories are to be removed. One that came back is saved again.
    pub(super) fn take_removed(&mut self) -> BTreeSet<u64> {
        let mut removed = std::mem::take(&mut self.removed);
        removed.retain(|id| !self.by_id.contains_key(id));
        removed
    }

    /// Saving or removing worked. Returns whether it failed the last time.
    pub(super) fn saved(&mut self) -> bool {
        std::mem::take(&mut self.is_failing)
    }

    /// Saving or removing failed: to be tried again. Returns whether it worked the last time.
    pub(super) fn save_again(&mut self, id: u64) -> bool {
        if self.by_id.contains_key(&id) {
            self.unsaved.insert(id);
        } else {
            self.removed.insert(id);
        }
        !std::mem::replace(&mut self.is_failing, true)
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut ProjectMemory)) {
        let memory = self.by_id.entry(id).or_default();
        let before = memory.clone();
        change(memory);
        if *memory != before {
            self.unsaved.insert(id);
        }
    }
}

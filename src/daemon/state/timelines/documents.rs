//! What is to be done about the documents: save, copy, remove.

use std::collections::{BTreeMap, BTreeSet};

use super::super::saving::Unsaved;
use super::Timelines;
use super::entry::SaveState;
use crate::store::Saved;
use ci_history::{TimelineKey, Timestamp};

impl Timelines {
    /// The timelines to save, by project.
    pub(in crate::daemon::state) fn unsaved_by_project(&self) -> BTreeMap<u64, Vec<Unsaved>> {
        let mut by_project: BTreeMap<u64, Vec<Unsaved>> = BTreeMap::new();
        // Tracks come before the rest of their ref: of pipelines that moved to a track one document has them always.
        for key in self.unsaved.iter().rev() {
            if let Some(entry) = self.entries.get(key) {
                by_project.entry(key.project_id).or_default().push(Unsaved {
                    key: key.clone(),
                    jobs: entry.timeline.jobs.len(),
                });
            }
        }
        by_project
    }

    /// A timeline as it is to be saved, with the watermark of its project's documents. It counts as saved until that fails.
    pub(in crate::daemon::state) fn begin_save(
        &mut self,
        key: &TimelineKey,
        watermark: Option<Timestamp>,
    ) -> Option<Saved> {
        self.unsaved.remove(key);
        let entry = self.entries.get_mut(key)?;
        entry.save = SaveState::Saved;
        Some(entry.to_save(watermark))
    }

    /// All timelines as they would be saved.
    pub(in crate::daemon::state) fn all(
        &self,
        watermark: impl Fn(u64) -> Option<Timestamp>,
    ) -> Vec<Saved> {
        let entries = self.entries.iter();
        entries
            .map(|(key, entry)| entry.to_save(watermark(key.project_id)))
            .collect()
    }

    /// The timelines that are not exposed.
    pub(in crate::daemon::state) fn hidden(&self) -> BTreeSet<TimelineKey> {
        let entries = self.entries.iter();
        let hidden = entries.filter(|(_, entry)| !entry.is_visible());
        hidden.map(|(key, _)| key.clone()).collect()
    }

    /// The timelines that are to be saved.
    pub(in crate::daemon::state) fn unsaved(&self) -> Vec<TimelineKey> {
        self.unsaved.iter().cloned().collect()
    }

    /// Whether histories of a dropped timeline are not saved where they went to yet.
    fn is_successor_unsaved(&self, key: &TimelineKey) -> bool {
        let mut successors = self.successors.get(key).into_iter().flatten();
        successors.any(|successor| self.unsaved.contains(successor))
    }

    /// Saving failed: to be tried again.
    pub(in crate::daemon::state) fn save_again(&mut self, key: &TimelineKey) {
        self.edit(key, |entry, _| entry.save = SaveState::Unsaved);
    }

    pub(in crate::daemon::state) fn unsaved_count(&self) -> usize {
        self.unsaved.len()
    }

    /// The documents to remove. A timeline that came back is saved over its document.
    pub(in crate::daemon::state) fn take_removed(&mut self) -> Vec<TimelineKey> {
        let removed = std::mem::take(&mut self.removed).into_iter();
        let gone = removed.filter(|key| !self.entries.contains_key(key));
        // Histories that moved to another document are saved there first.
        let (waits, goes): (BTreeSet<_>, BTreeSet<_>) =
            gone.partition(|key| self.is_successor_unsaved(key));
        self.removed = waits;
        goes.into_iter().collect()
    }

    /// Removing a document failed: to be tried again.
    pub(in crate::daemon::state) fn remove_again(&mut self, key: TimelineKey) {
        self.removed.insert(key);
    }

    /// The documents to copy before they are saved the next time.
    pub(in crate::daemon::state) fn take_to_copy(&mut self) -> BTreeSet<TimelineKey> {
        std::mem::take(&mut self.to_copy)
    }
}

//! The state as it is loaded and saved, and as logs complete it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::effects::Unsaved;
use super::shell::State;
use super::sights::UnsavedSights;
use crate::base::parallel::in_parallel;
use crate::daemon::log_queue::WantedLog;
use crate::store::{Saved, SavedMemory, SavedSights};
use ci_history::{LogFinding, TimelineKey, Timestamp};

/// The changed timelines of one project.
pub(in crate::daemon) struct ProjectBatch {
    pub(in crate::daemon) project_id: u64,
    /// In the order in which those of one ref are to be saved.
    pub(in crate::daemon) timelines: Vec<Unsaved>,
    /// Up to when everything of GitLab's is in the documents once all of these are saved.
    pub(in crate::daemon) watermark: Option<Timestamp>,
}

impl State {
    /// Takes over what was saved, and exposes it. Only other refs are backfilled.
    pub(in crate::daemon) fn restore(&self, saved: Vec<Saved>) {
        let mut keys = BTreeSet::new();
        let activity = in_parallel(&saved, |saved| saved.timeline.last_activity());
        let newest = activity.into_iter().max().flatten();
        self.lock().timelines.lives(newest);
        for saved in saved {
            keys.extend(self.restore_one(saved));
        }
        let keys: Vec<TimelineKey> = keys.into_iter().collect();
        let done = AtomicUsize::new(0);
        in_parallel(&keys, |key| {
            self.publish_one(key);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            self.lock().health.restoring(done, keys.len());
        });
        self.lock().health.loaded();
    }

    fn restore_one(&self, saved: Saved) -> Vec<TimelineKey> {
        let project_id = saved.timeline.key.project_id;
        let project = saved.timeline.project.clone();
        let ref_name = saved.timeline.key.ref_name.clone();
        let mut inner = self.lock();
        inner.projects.restore(project_id, saved.watermark);
        let (keys, unwatched) = inner.timelines.restore(saved, &self.policy);
        drop(inner);
        if !unwatched.is_empty() {
            tracing::info!(
                project = &*project,
                "ref" = &*ref_name,
                jobs = ?unwatched,
                "the configuration no longer watches these jobs: not exposing their histories"
            );
        }
        keys
    }

    /// Takes over what an earlier process remembered.
    pub(in crate::daemon) fn restore_memories(&self, saved: Vec<SavedMemory>) {
        let mut inner = self.lock();
        for memory in saved {
            inner.memories.restore(memory);
        }
    }

    /// The memories to save, and the projects whose memories are to be removed.
    pub(in crate::daemon) fn take_unsaved_memories(&self) -> (Vec<SavedMemory>, BTreeSet<u64>) {
        let memories = &mut self.lock().memories;
        (memories.take_unsaved(), memories.take_removed())
    }

    /// A memory was saved or removed. Returns whether that failed the last time.
    pub(in crate::daemon) fn memory_saved(&self) -> bool {
        self.lock().memories.saved()
    }

    /// Saving or removing a memory failed: to be tried again. Returns whether it worked the last time.
    pub(in crate::daemon) fn save_memory_again(&self, project_id: u64) -> bool {
        self.lock().memories.save_again(project_id)
    }

    /// The saved state could not be read; returns whether the error is a new one.
    pub(in crate::daemon) fn not_loaded(&self, error: &str) -> bool {
        self.lock().health.not_loaded(error)
    }

    /// Joins what another replica knows of a timeline, as it was just saved.
    pub(in crate::daemon) fn merge_saved(&self, saved: &Saved) {
        let now = self.retention_now();
        let cutoff = now.map(|now| self.policy.cutoffs(now).seldom);
        let keys = self.lock().timelines.merge_saved(saved, cutoff);
        self.publish(keys);
    }

    /// The changed timelines of each project, and the sights that are true once these are saved. `is_last`: nothing is saved
    /// after these.
    pub(in crate::daemon) fn unsaved(
        &self,
        is_last: bool,
    ) -> (Vec<ProjectBatch>, Vec<UnsavedSights>) {
        let mut inner = self.lock();
        let unsaved = inner.timelines.unsaved_by_project();
        let ids = unsaved.keys().copied().collect();
        let sights = inner.sights.take_unsaved(&ids, is_last);
        let projects = &inner.projects;
        let batches = unsaved
            .into_iter()
            .map(|(project_id, timelines)| ProjectBatch {
                project_id,
                timelines,
                watermark: projects.watermark(project_id),
            });
        (batches.collect(), sights)
    }

    /// Takes over what an earlier process saw of projects, with the checksums of the loaded documents. Returns of how many
    /// projects polling goes on from there.
    pub(in crate::daemon) fn restore_sights(
        &self,
        saved: Vec<SavedSights>,
        checksums: Vec<(TimelineKey, u32)>,
    ) -> usize {
        self.lock().sights.restore(saved, checksums)
    }

    /// The document of a timeline has this checksum in the store; `None` if there is none.
    pub(in crate::daemon) fn document_written(&self, key: &TimelineKey, checksum: Option<u32>) {
        self.lock().sights.written(key, checksum);
    }

    /// Sights as they are to be saved, once the documents contain what they speak of.
    pub(in crate::daemon) fn sights_to_save(&self, unsaved: UnsavedSights) -> SavedSights {
        self.lock().sights.to_save(unsaved)
    }

    /// Sights were saved.
    pub(in crate::daemon) fn sights_saved(&self, saved: &SavedSights) {
        self.lock().sights.saved(saved);
    }

    /// The projects whose sights are to be removed.
    pub(in crate::daemon) fn take_removed_sights(&self) -> BTreeSet<u64> {
        self.lock().sights.take_removed()
    }

    /// A changed timeline as it is to be saved now, with the watermark of the documents saved so far. `None` if it was dropped.
    pub(in crate::daemon) fn begin_save(&self, key: &TimelineKey) -> Option<Saved> {
        let mut inner = self.lock();
        let watermark = inner.projects.saved_watermark(key.project_id);
        inner.timelines.begin_save(key, watermark)
    }

    /// All changes of a project are saved up to this time.
    pub(in crate::daemon) fn saved_up_to(&self, project_id: u64, watermark: Option<Timestamp>) {
        self.lock().projects.saved(project_id, watermark);
    }

    /// Saving failed: to be tried again.
    pub(in crate::daemon) fn save_again(&self, key: &TimelineKey) {
        self.lock().timelines.save_again(key);
    }

    pub(in crate::daemon) fn unsaved_count(&self) -> usize {
        self.lock().timelines.unsaved_count()
    }

    /// The documents of dropped timelines, to be removed.
    pub(in crate::daemon) fn take_removed(&self) -> Vec<TimelineKey> {
        self.lock().timelines.take_removed()
    }

    /// Removing a document failed: to be tried again.
    pub(in crate::daemon) fn remove_again(&self, key: TimelineKey) {
        self.lock().timelines.remove_again(key);
    }

    /// Whether a log is still that of its job's last failure, and was not read.
    pub(in crate::daemon) fn wants_log(&self, log: &WantedLog) -> bool {
        let inner = self.lock();
        let timeline = inner.timelines.get_visible(&log.key);
        let timeline = timeline.filter(|_| !inner.timelines.is_unwatched(&log.key, &log.job));
        let row = timeline.and_then(|it| it.row(&log.job, &self.policy.rules));
        let failing = row.and_then(|row| row.figures.failing);
        failing.is_some_and(|it| it.job_id == Some(log.job_id) && !it.log_was_read)
    }

    /// Takes over what a log says.
    pub(in crate::daemon) fn log_was_read(&self, log: &WantedLog, finding: &LogFinding) {
        self.lock().timelines.change(&log.key, |timeline, rules| {
            timeline.note_log(&log.job, finding, rules)
        });
        self.publish(vec![log.key.clone()]);
    }
}

//! All timelines: which are to be rendered, hidden, saved and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::effects::{Effects, Expired, RenderRequest, Revision};
use super::entry::{Expiry, TimelineEntry};
use crate::gitlab::Project;
use crate::gitlab::webhook::Hook;
use crate::ingest::Resume;
use crate::model::{
    JobObservation, JobRow, LogFinding, PipelineObservation, Rules, Status, Timeline, TimelineKey,
    Timestamp,
};
use crate::store::Saved;

/// Every timeline that is known, by project and ref.
pub(super) struct Timelines {
    rules: Rules,
    entries: BTreeMap<TimelineKey, TimelineEntry>,
    /// Entries that may have to be rendered.
    dirty: BTreeSet<TimelineKey>,
    /// Entries that have to be saved.
    unsaved: BTreeSet<TimelineKey>,
    /// Timelines that were dropped and may have a document.
    removed: BTreeSet<TimelineKey>,
    newest_revision: Revision,
}

/// What a hook said of a known pipeline.
pub(super) struct HookCount {
    /// The pipeline's status as polling saw it last.
    pub(super) status: Status,
    /// Whether jobs were counted.
    pub(super) counted: bool,
    /// Whether the hook also told of jobs that only polling can count.
    pub(super) has_unsure: bool,
}

impl Timelines {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            entries: BTreeMap::new(),
            dirty: BTreeSet::new(),
            unsaved: BTreeSet::new(),
            removed: BTreeSet::new(),
            newest_revision: Revision::default(),
        }
    }

    /// Takes over a saved timeline, to be rendered.
    pub(super) fn restore(&mut self, saved: Saved) {
        let key = saved.timeline.key.clone();
        self.dirty.insert(key.clone());
        self.entries.insert(key, TimelineEntry::restored(saved));
    }

    /// Where polling of a project goes on.
    pub(super) fn resume(&self, project_id: u64, watermark: Option<Timestamp>) -> Resume {
        let mut resume = Resume {
            watermark,
            ..Resume::default()
        };
        for (key, entry) in of_project(&self.entries, project_id) {
            // Without a watermark the first backfill of the project was broken off.
            if watermark.is_some() && !entry.has_gap() {
                resume.known_refs.insert(key.ref_name.clone());
            }
            if entry.is_visible() {
                resume.open.extend(entry.timeline().open_pipelines());
            }
        }
        resume
    }

    /// Counts what was read of a pipeline.
    pub(super) fn observe(
        &mut self,
        project: &Project,
        is_visible: bool,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    ) {
        let key = key(project.id, &pipeline.ref_name);
        self.entries
            .entry(key.clone())
            .or_insert_with(|| TimelineEntry::new(key.clone(), project));
        self.edit(&key, |entry, rules| {
            entry.change(|timeline| !timeline.observe(pipeline, jobs, rules, at).is_empty());
            if is_visible {
                entry.show();
            }
        });
    }

    /// GitLab no longer knows a pipeline.
    pub(super) fn cancel_in_flight(&mut self, project_id: u64, pipeline: &PipelineObservation) {
        let key = key(project_id, &pipeline.ref_name);
        self.edit(&key, |entry, rules| {
            entry.change(|timeline| !timeline.withdraw(pipeline.id, rules).is_empty());
        });
    }

    /// Counts the jobs of a hook that `is_sure` holds for; `None` if polling has not seen its pipeline.
    pub(super) fn count_hook(
        &mut self,
        key: &TimelineKey,
        hook: &Hook,
        tells_more: impl Fn(&JobObservation) -> bool,
        is_sure: impl Fn(&JobObservation) -> bool,
        now: Timestamp,
    ) -> Option<HookCount> {
        let entry = self.entries.get(key).filter(|entry| entry.is_visible())?;
        let timeline = entry.timeline();
        let status = timeline.known_pipeline(hook.pipeline_id)?.status;
        let jobs = hook.jobs.items.iter();
        let (sure, unsure): (Vec<_>, Vec<_>) = jobs
            .filter(|job| tells_more(job))
            .filter(|job| !timeline.knows(hook.pipeline_id, job, &self.rules))
            .cloned()
            .partition(is_sure);
        self.edit(key, |entry, rules| {
            entry.change(|timeline| {
                let changes = timeline.observe_attempts(hook.pipeline_id, &sure, rules, now);
                changes.is_some_and(|changes| !changes.is_empty())
            });
        });
        Some(HookCount {
            status,
            counted: !sure.is_empty(),
            has_unsure: !unsure.is_empty(),
        })
    }

    /// A project was found, perhaps under a new path or with another default branch.
    pub(super) fn project_found(
        &mut self,
        project: &Project,
        is_watched: impl Fn(&str) -> bool,
    ) -> Effects {
        let mut effects = Effects::default();
        for key in self.keys_of(project.id) {
            self.edit(&key, |entry, _| {
                let timeline = entry.timeline();
                let moved =
                    timeline.project != project.path || timeline.project_url != project.web_url;
                entry.relocate(project);
                if !is_watched(&key.ref_name) {
                    if entry.hide() {
                        effects.hide.push(key.clone());
                    }
                    // What happens to it from now on is not read.
                    entry.set_gap(true);
                } else if entry.show() || moved {
                    effects.render.push(key.clone());
                }
            });
        }
        effects
    }

    /// Hides the timelines of these projects.
    pub(super) fn hide_projects(&mut self, is_hidden: impl Fn(u64) -> bool) -> Effects {
        let mut effects = Effects::default();
        for (key, entry) in &mut self.entries {
            if is_hidden(key.project_id) && entry.hide() {
                effects.hide.push(key.clone());
            }
        }
        effects
    }

    /// Everything of a project's visible refs was read.
    pub(super) fn close_gaps(&mut self, project_id: u64) {
        for key in self.keys_of(project_id) {
            self.edit(&key, |entry, _| {
                if entry.is_visible() {
                    entry.set_gap(false);
                }
            });
        }
    }

    /// The changed timelines of a project.
    pub(super) fn dirty_of(&self, project_id: u64) -> Vec<TimelineKey> {
        let keys = self.dirty.range(key(project_id, &Arc::from(""))..);
        keys.take_while(|key| key.project_id == project_id)
            .cloned()
            .collect()
    }

    /// All timelines of a project, to be rendered once more.
    pub(super) fn render_again(&mut self, project_id: u64) -> Vec<TimelineKey> {
        let keys = self.keys_of(project_id);
        for key in &keys {
            self.edit(key, |entry, _| entry.render_again());
        }
        keys
    }

    /// Begins the rendering of a timeline; `None` if it is hidden, or not changed since the last one.
    pub(super) fn take_rows(&mut self, key: &TimelineKey) -> Option<RenderRequest> {
        let entry = self.entries.get_mut(key);
        let entry = entry.filter(|entry| entry.is_visible() && entry.is_dirty())?;
        self.dirty.remove(key);
        Some(entry.take_rows(&self.rules, self.newest_revision.next()))
    }

    /// Whether a rendering is to be exposed: the timeline is visible, and no newer rendering was begun.
    pub(super) fn accepts(&self, key: &TimelineKey, revision: Revision) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.accepts(revision))
    }

    pub(super) fn is_visible(&self, key: &TimelineKey) -> bool {
        self.entries.get(key).is_some_and(TimelineEntry::is_visible)
    }

    /// The timelines whose series are exposed.
    pub(super) fn visible(&self) -> impl Iterator<Item = (&TimelineKey, &TimelineEntry)> {
        self.entries.iter().filter(|(_, entry)| entry.is_visible())
    }

    pub(super) fn get(&self, key: &TimelineKey) -> Option<&Timeline> {
        self.entries.get(key).map(TimelineEntry::timeline)
    }

    /// The figures of a job.
    pub(super) fn row(&self, key: &TimelineKey, job: &str) -> Option<JobRow> {
        self.get(key)?.row(job, &self.rules)
    }

    /// Whether this attempt is the last failure of a visible job, and its log was not read.
    pub(super) fn wants_log(&self, key: &TimelineKey, job: &str, attempt: u64) -> bool {
        let row = self.is_visible(key).then(|| self.row(key, job)).flatten();
        let failing = row.and_then(|row| row.figures.failing);
        failing.is_some_and(|it| it.job_id == Some(attempt) && !it.log_was_read)
    }

    /// Takes over what the log of a job's failure says.
    pub(super) fn note_log(&mut self, key: &TimelineKey, job: &str, finding: &LogFinding) {
        self.edit(key, |entry, rules| {
            entry.change(|timeline| !timeline.note_log(job, finding, rules).is_empty());
        });
    }

    /// Joins what another replica saved of a timeline, and drops jobs without activity since `cutoff`.
    pub(super) fn merge_saved(&mut self, saved: &Saved, cutoff: Option<Timestamp>) {
        self.edit(&saved.timeline.key, |entry, rules| {
            entry.merge_saved(saved, rules, cutoff);
        });
    }

    /// Drops jobs and timelines without activity since `cutoff`. A visible timeline that is being read is left
    /// alone: a backfill may bring what its history goes on with.
    pub(super) fn expire(&mut self, now: Timestamp, cutoff: Timestamp) -> Effects {
        let keys = self.entries.iter();
        let keys = keys.filter(|(_, entry)| !entry.is_visible() || !entry.is_dirty());
        let keys = keys.map(|(key, _)| key.clone()).collect();
        self.expire_all(keys, now, cutoff)
    }

    /// The same for what was just read of a project: a backfill brings back what is long over.
    pub(super) fn expire_read(
        &mut self,
        project_id: u64,
        now: Timestamp,
        cutoff: Timestamp,
    ) -> Effects {
        self.expire_all(self.dirty_of(project_id), now, cutoff)
    }

    fn expire_all(&mut self, keys: Vec<TimelineKey>, now: Timestamp, cutoff: Timestamp) -> Effects {
        let mut effects = Effects::default();
        for key in keys {
            let expiry = self.edit(&key, |entry, _| {
                (entry.expire(now, cutoff), entry.project())
            });
            let Some((expiry, project)) = expiry else {
                continue;
            };
            let jobs = match expiry {
                Expiry::Nothing => continue,
                Expiry::Jobs(jobs) => {
                    effects.render.push(key.clone());
                    Some(jobs)
                }
                Expiry::WholeRef => {
                    self.drop_entry(&key);
                    effects.hide.push(key.clone());
                    None
                }
            };
            effects.expired.push(Expired {
                project,
                ref_name: key.ref_name,
                jobs,
            });
        }
        effects
    }

    fn drop_entry(&mut self, key: &TimelineKey) {
        self.entries.remove(key);
        self.dirty.remove(key);
        self.unsaved.remove(key);
        self.removed.insert(key.clone());
    }

    /// The projects with timelines.
    pub(super) fn project_ids(&self) -> BTreeSet<u64> {
        self.entries.keys().map(|key| key.project_id).collect()
    }

    /// The timelines to save, by project, each with the watermark of its project's documents.
    pub(super) fn take_unsaved(
        &mut self,
        watermark: impl Fn(u64) -> Option<Timestamp>,
    ) -> BTreeMap<u64, Vec<Saved>> {
        let mut by_project: BTreeMap<u64, Vec<Saved>> = BTreeMap::new();
        for key in std::mem::take(&mut self.unsaved) {
            if let Some(entry) = self.entries.get_mut(&key) {
                let id = key.project_id;
                let saved = entry.take_to_save(watermark(id));
                by_project.entry(id).or_default().push(saved);
            }
        }
        by_project
    }

    /// Saving failed: to be tried again.
    pub(super) fn save_again(&mut self, key: &TimelineKey) {
        self.edit(key, |entry, _| entry.save_again());
    }

    pub(super) fn unsaved_count(&self) -> usize {
        self.unsaved.len()
    }

    /// The documents to remove. A timeline that came back is saved over its document.
    pub(super) fn take_removed(&mut self) -> Vec<TimelineKey> {
        let removed = std::mem::take(&mut self.removed).into_iter();
        removed
            .filter(|key| !self.entries.contains_key(key))
            .collect()
    }

    /// Removing a document failed: to be tried again.
    pub(super) fn remove_again(&mut self, key: TimelineKey) {
        self.removed.insert(key);
    }

    fn keys_of(&self, project_id: u64) -> Vec<TimelineKey> {
        let entries = of_project(&self.entries, project_id);
        entries.map(|(key, _)| key.clone()).collect()
    }

    /// Changes an entry, and notes whether it is to be rendered or saved.
    fn edit<T>(
        &mut self,
        key: &TimelineKey,
        change: impl FnOnce(&mut TimelineEntry, &Rules) -> T,
    ) -> Option<T> {
        let entry = self.entries.get_mut(key)?;
        let result = change(entry, &self.rules);
        if entry.is_dirty() {
            self.dirty.insert(key.clone());
        }
        if entry.is_unsaved() {
            self.unsaved.insert(key.clone());
        }
        Some(result)
    }
}

fn key(project_id: u64, ref_name: &Arc<str>) -> TimelineKey {
    TimelineKey {
        project_id,
        ref_name: ref_name.clone(),
    }
}

fn of_project(
    entries: &BTreeMap<TimelineKey, TimelineEntry>,
    project_id: u64,
) -> impl Iterator<Item = (&TimelineKey, &TimelineEntry)> {
    entries
        .range(key(project_id, &Arc::from(""))..)
        .take_while(move |(key, _)| key.project_id == project_id)
}

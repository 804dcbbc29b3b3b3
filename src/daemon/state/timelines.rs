//! All timelines: which are to be rendered, hidden, saved and removed.

mod documents;
mod entry;
mod expiry;
mod fullest;
mod lost;
mod regroup;
mod render_state;
mod rendering;
mod scope;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use self::entry::{SaveState, TimelineEntry};
use self::render_state::RenderState;
use super::effects::{Effects, RenderRequest};
use super::limits::{LimitHit, admit};
use super::ranked_jobs::{RankedJobs, Teams};
use super::transitions::PipelineRank;
use crate::config::Limits;
use crate::daemon::policy::Policy;
use crate::gitlab::Project;
use crate::ingest::Resume;
use crate::metrics::Limit;
use ci_history::{
    Changes, JobObservation, NotListed, PipelineObservation, Rules, Timeline, TimelineKey,
    Timestamp, Tracks,
};

/// Dropped refs that are remembered.
const MOST_DROPPED: usize = 10_000;

/// The jobs of a timeline at one moment.
pub(super) struct RankedTimeline {
    pub(super) key: TimelineKey,
    pub(super) project: Arc<str>,
    pub(super) jobs: RankedJobs,
    pub(super) pipelines: PipelineRank,
}

/// Every timeline that is known, by project and ref.
pub(super) struct Timelines {
    rules: Rules,
    /// The watched sources of pipelines.
    sources: Arc<[Arc<str>]>,
    limits: Limits,
    tracks: Tracks,
    entries: BTreeMap<TimelineKey, TimelineEntry>,
    /// Entries that may have to be rendered.
    dirty: BTreeSet<TimelineKey>,
    /// Entries that have to be saved.
    unsaved: BTreeSet<TimelineKey>,
    /// Timelines that were dropped and may have a document.
    removed: BTreeSet<TimelineKey>,
    /// Of a dropped timeline, the ones that its histories went to.
    successors: BTreeMap<TimelineKey, Vec<TimelineKey>>,
    /// Timelines whose document loses something when it is saved the next time.
    to_copy: BTreeSet<TimelineKey>,
    /// Refs that were dropped: one that comes back is read back.
    dropped: BTreeSet<TimelineKey>,
    /// Refs to read back in the next cycle of their project.
    to_read_back: BTreeSet<TimelineKey>,
    /// Timelines whose newest pipeline GitLab may no longer have.
    suspected: BTreeSet<TimelineKey>,
    /// Whether all were suspected since the start.
    has_suspected: bool,
    /// The latest time in any timeline.
    newest_activity: Option<Timestamp>,
    /// Renderings so far. Never counts back, so that a timeline that was dropped and came back has no old number.
    renderings: u64,
}

impl Timelines {
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            rules: policy.rules.clone(),
            limits: policy.limits,
            sources: policy.sources.clone(),
            tracks: policy.tracks.clone(),
            entries: BTreeMap::new(),
            dirty: BTreeSet::new(),
            unsaved: BTreeSet::new(),
            removed: BTreeSet::new(),
            successors: BTreeMap::new(),
            to_copy: BTreeSet::new(),
            dropped: BTreeSet::new(),
            to_read_back: BTreeSet::new(),
            suspected: BTreeSet::new(),
            has_suspected: false,
            newest_activity: None,
            renderings: 0,
        }
    }

    pub(super) fn lives(&mut self, at: Option<Timestamp>) {
        self.newest_activity = self.newest_activity.max(at);
    }

    /// Where polling of a project goes on.
    pub(super) fn resume(&self, project_id: u64, watermark: Option<Timestamp>) -> Resume {
        let mut resume = Resume {
            watermark,
            ..Resume::default()
        };
        let mut with_gap = BTreeSet::new();
        for (key, entry) in self.entries.range(refs_of(project_id)) {
            if entry.has_gap {
                with_gap.insert(key.ref_name.clone());
            }
            // Without a watermark the first backfill of the project was broken off.
            if watermark.is_some() {
                resume.known_refs.insert(key.ref_name.clone());
            }
            if entry.is_visible() {
                resume.open.extend(entry.timeline.open_pipelines());
            }
        }
        resume.known_refs.retain(|name| !with_gap.contains(name));
        resume
    }

    /// Whether pipelines of a visible ref may not have been read.
    pub(super) fn has_visible_gap(&self, project_id: u64) -> bool {
        let mut entries = self.entries.range(refs_of(project_id));
        entries.any(|(_, entry)| entry.is_visible() && entry.has_gap)
    }

    /// A pipeline of a project's visible refs, as it was last observed.
    pub(super) fn known_pipeline(&self, project_id: u64, id: u64) -> Option<PipelineObservation> {
        let mut entries = self.entries.range(refs_of(project_id));
        entries.find_map(|(_, entry)| {
            let timeline = entry.is_visible().then_some(&entry.timeline)?;
            timeline.known_pipeline(id)
        })
    }

    /// Counts what was read of a pipeline; returns what was left out because of a limit.
    pub(super) fn observe(
        &mut self,
        project: &Project,
        is_visible: bool,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    ) -> (Effects, Option<LimitHit>) {
        let key = self.key_of(project.id, pipeline);
        let is_branch = !pipeline.tag;
        let is_default = is_branch && project.default_branch.as_ref() == Some(&pipeline.ref_name);
        let sources = Arc::clone(&self.sources);
        self.lives(newest_sign(pipeline, jobs).filter(|sign| *sign <= at));
        let effects = self.collect(project, &key, pipeline.id);
        if !self.entries.contains_key(&key) {
            let refs = self.entries.range(refs_of(project.id)).count();
            if refs >= self.limits.refs_per_project {
                let limit = Limit::RefsPerProject;
                return (Effects::default(), Some(LimitHit { limit, count: 1 }));
            }
            if self.dropped.remove(&key) {
                self.to_read_back.insert(key.clone());
            }
            let entry = TimelineEntry::new(key.clone(), project);
            self.entries.insert(key.clone(), entry);
        }
        let Some(entry) = self.entries.get(&key) else {
            return (effects, None);
        };
        let timeline = &entry.timeline;
        let project_jobs = || {
            let refs = self.entries.range(refs_of(project.id));
            refs.map(|(_, entry)| entry.timeline.jobs.len()).sum()
        };
        let (jobs, hit) = admit(timeline, project_jobs, jobs, &self.rules, &self.limits);
        let mixed = self.mixed(&key, pipeline.id);
        self.edit(&key, |entry, rules| {
            let changes = entry.timeline.observe(pipeline, &jobs, rules, at);
            entry.note(&changes);
            entry.watch_again(&jobs, rules);
            entry.note_scope(is_default, &sources);
            if is_visible {
                entry.show();
            }
        });
        self.uncount(&key, mixed, pipeline);
        (effects, hit)
    }

    /// What is known of a pipeline, except for the attempts with these ids.
    pub(super) fn not_listed(
        &self,
        project_id: u64,
        pipeline: &PipelineObservation,
        listed: &HashSet<u64>,
    ) -> NotListed {
        let key = self.holder(project_id, &pipeline.ref_name, pipeline.id);
        let entry = key.and_then(|key| self.entries.get(&key));
        entry.map_or_else(NotListed::default, |entry| {
            entry.timeline.not_listed(pipeline.id, listed)
        })
    }

    /// Whether a timeline of the ref has a history of a job of this name.
    pub(super) fn knows_job(&self, project_id: u64, ref_name: &str, job: &str) -> bool {
        let ref_name = ref_name.into();
        let mut timelines = self.siblings(project_id, &ref_name);
        timelines.any(|(_, entry)| entry.timeline.has_job(job, &self.rules))
    }

    /// Changes a timeline.
    pub(super) fn change(
        &mut self,
        key: &TimelineKey,
        change: impl FnOnce(&mut Timeline, &Rules) -> Changes,
    ) {
        self.edit(key, |entry, rules| {
            let changes = change(&mut entry.timeline, rules);
            entry.note(&changes);
        });
    }

    /// A project was found, perhaps under a new path or with another default branch.
    pub(super) fn project_found(
        &mut self,
        project: &Project,
        is_watched: impl Fn(&TimelineKey) -> bool,
    ) -> Effects {
        let mut effects = self.follow_default_branch(project, &is_watched);
        let sources = Arc::clone(&self.sources);
        for key in self.keys_of(project.id) {
            self.edit(&key, |entry, _| {
                let moved = entry.relocate(project);
                let is_default = project.default_branch.as_ref() == Some(&key.ref_name);
                entry.note_scope(is_default && !key.is_tag(), &sources);
                if !is_watched(&key) {
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

    /// Hides these timelines.
    pub(super) fn hide(&mut self, is_hidden: impl Fn(&TimelineKey) -> bool) -> Effects {
        let mut effects = Effects::default();
        for (key, entry) in &mut self.entries {
            if is_hidden(key) && entry.hide() {
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
                    entry.close_gap();
                }
            });
        }
    }

    /// The changed timelines of a project.
    pub(super) fn dirty_of(&self, project_id: u64) -> Vec<TimelineKey> {
        self.dirty.range(refs_of(project_id)).cloned().collect()
    }

    /// All timelines of a project, to be rendered once more.
    pub(super) fn render_again(&mut self, project_id: u64) -> Vec<TimelineKey> {
        let keys = self.keys_of(project_id);
        for key in &keys {
            self.edit(key, |entry, _| entry.render = RenderState::Dirty);
        }
        keys
    }

    /// Begins the rendering of a timeline; `None` if it is hidden, or not changed since the last one.
    pub(super) fn take_rows(&mut self, key: &TimelineKey, now: Timestamp) -> Option<RenderRequest> {
        let entry = self.entries.get_mut(key);
        let entry = entry.filter(|entry| entry.is_visible() && entry.is_dirty())?;
        self.dirty.remove(key);
        self.renderings += 1;
        Some(entry.take_rows(&self.rules, self.renderings, now))
    }

    /// Whether a rendering is to be exposed: the timeline is visible, and no newer rendering was begun. `is_complete`: nothing
    /// that it asked for was left out, so that the next one may be of pieces. Its jobs have the teams that it has.
    pub(super) fn accept(
        &mut self,
        key: &TimelineKey,
        revision: u64,
        is_complete: bool,
        teams: &Teams,
    ) -> bool {
        let entry = self.entries.get_mut(key);
        let entry = entry.filter(|entry| entry.is_visible() && entry.revision == revision);
        entry.is_some_and(|entry| {
            if is_complete {
                entry.exposed = revision;
            }
            entry.jobs.give(teams);
            true
        })
    }

    /// The jobs of the timelines whose series are exposed. Shares them, and copies none.
    pub(super) fn visible(&self) -> Vec<RankedTimeline> {
        let visible = self.entries.iter().filter(|(_, entry)| entry.is_visible());
        let ranked = visible.map(|(key, entry)| RankedTimeline {
            key: key.clone(),
            project: entry.timeline.project.clone(),
            jobs: entry.jobs.clone(),
            pipelines: entry.pipelines,
        });
        ranked.collect()
    }

    /// The keys of a ref's timelines whose series are exposed, the unnamed track first. `track`: only this one, which is
    /// unnamed if it is empty.
    pub(super) fn visible_tracks(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
    ) -> Vec<TimelineKey> {
        let visible = self.entries.iter().filter(|(_, entry)| entry.is_visible());
        let of_ref = visible.filter(|(key, entry)| {
            *key.ref_name == *ref_name
                && *entry.timeline.project == *project
                && track.is_none_or(|track| track == key.track.as_deref().unwrap_or_default())
        });
        of_ref.map(|(key, _)| key.clone()).collect()
    }

    /// The keys of a project's timelines whose series are exposed.
    pub(super) fn visible_of(&self, project: &str) -> Vec<TimelineKey> {
        let visible = self.entries.iter().filter(|(_, entry)| entry.is_visible());
        let of_project = visible.filter(|(_, entry)| *entry.timeline.project == *project);
        of_project.map(|(key, _)| key.clone()).collect()
    }

    /// A timeline whose series are exposed.
    pub(super) fn get_visible(&self, key: &TimelineKey) -> Option<&Timeline> {
        let entry = self.entries.get(key).filter(|entry| entry.is_visible())?;
        Some(&entry.timeline)
    }

    /// The projects with timelines, as far as these tell.
    pub(super) fn projects(&self) -> impl Iterator<Item = Project> {
        let mut projects: BTreeMap<u64, Project> = BTreeMap::new();
        for (key, entry) in &self.entries {
            let id = key.project_id;
            let timeline = &entry.timeline;
            let project = projects.entry(id).or_insert_with(|| Project {
                id,
                path: timeline.project.clone(),
                web_url: timeline.project_url.clone(),
                default_branch: None,
                hides_default_branch: false,
                archived: false,
            });
            if entry.scope.default_branch {
                project.default_branch = Some(key.ref_name.clone());
            }
        }
        projects.into_values()
    }

    /// The projects with timelines.
    pub(super) fn project_ids(&self) -> BTreeSet<u64> {
        self.entries.keys().map(|key| key.project_id).collect()
    }

    fn keys_of(&self, project_id: u64) -> Vec<TimelineKey> {
        let entries = self.entries.range(refs_of(project_id));
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
        if entry.save == SaveState::Unsaved {
            self.unsaved.insert(key.clone());
        }
        Some(result)
    }
}

/// The newest time in what was read of a pipeline.
fn newest_sign(pipeline: &PipelineObservation, jobs: &[JobObservation]) -> Option<Timestamp> {
    let of_jobs = jobs
        .iter()
        .flat_map(|job| [job.created_at, job.started_at, job.finished_at]);
    let of_pipeline = [pipeline.created_at, pipeline.updated_at];
    of_jobs.chain(of_pipeline).flatten().max()
}

/// The keys of a project's timelines.
fn refs_of(project_id: u64) -> Range<TimelineKey> {
    TimelineKey::new(project_id, "")..TimelineKey::new(project_id.saturating_add(1), "")
}

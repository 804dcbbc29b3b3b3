//! One timeline, and how far it is exposed and saved.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::effects::Expired;
use super::super::ranked_jobs::RankedJobs;
use super::super::transitions::PipelineRank;
use super::render_state::RenderState;
use crate::base::DAY;
use crate::daemon::policy::Cutoffs;
use crate::gitlab::Project;
use crate::store::{Saved, SavedScope};
use ci_history::{Changes, PipelineObservation, Rules, Tallies, Timeline, TimelineKey, Timestamp};

/// A timeline, and whether it is exposed, rendered and saved as it is.
#[derive(Clone)]
pub(super) struct TimelineEntry {
    pub(super) timeline: Timeline,
    /// As of the newest rendering, sorted by name.
    pub(super) jobs: RankedJobs,
    /// As of the newest rendering.
    pub(super) pipelines: PipelineRank,
    pub(super) visibility: Visibility,
    pub(super) render: RenderState,
    pub(super) save: SaveState,
    /// Whether some of its past pipelines may not have been read, so that it is backfilled as a new ref is.
    pub(super) has_gap: bool,
    /// The first names of the pieces in which it was rendered, without that of the first piece.
    pub(super) borders: Box<[Arc<str>]>,
    /// Number of the newest rendering.
    pub(super) revision: u64,
    /// Number of the newest rendering that is exposed with everything it asked for.
    pub(super) exposed: u64,
    /// What is watched of it. Jobs that are no longer watched are kept and not exposed.
    pub(super) scope: SavedScope,
    /// Jobs that are watched again, until their executions are read back.
    pub(super) returning: BTreeSet<Arc<str>>,
}

/// Whether the series of a timeline are exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    Visible,
    /// The project or ref is not watched, or not known to be.
    Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaveState {
    /// Saved as it is, or being saved.
    Saved,
    Unsaved,
}

impl TimelineEntry {
    /// A ref that is seen for the first time: until all its listed pipelines are read it has a gap.
    pub(super) fn new(key: TimelineKey, project: &Project) -> Self {
        Self {
            timeline: Timeline::new(key, project.path.clone(), project.web_url.clone()),
            jobs: RankedJobs::default(),
            pipelines: PipelineRank::default(),
            visibility: Visibility::Hidden,
            render: RenderState::Dirty,
            save: SaveState::Saved,
            has_gap: true,
            borders: Box::default(),
            revision: 0,
            exposed: 0,
            scope: SavedScope::default(),
            returning: BTreeSet::new(),
        }
    }

    pub(super) fn restored(saved: Saved) -> Self {
        Self {
            // Nothing was read of an import.
            has_gap: saved.has_gap || saved.timeline.is_bare(),
            timeline: saved.timeline,
            jobs: RankedJobs::default(),
            pipelines: PipelineRank::default(),
            visibility: Visibility::Visible,
            render: RenderState::Restored,
            save: SaveState::Saved,
            borders: Box::default(),
            revision: 0,
            exposed: 0,
            scope: saved.scope,
            returning: BTreeSet::new(),
        }
    }

    /// As it is saved, with the watermark of its project's documents.
    pub(super) fn to_save(&self, watermark: Option<Timestamp>) -> Saved {
        Saved {
            timeline: self.timeline.clone(),
            watermark,
            has_gap: self.has_gap,
            scope: self.scope.clone(),
        }
    }

    pub(super) fn is_visible(&self) -> bool {
        self.visibility == Visibility::Visible
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.render != RenderState::Rendered
    }

    pub(super) fn note(&mut self, changes: &Changes) {
        if !changes.is_empty() {
            self.render.note(changes);
            self.save = SaveState::Unsaved;
        }
    }

    fn changed(&mut self) {
        self.render = RenderState::Dirty;
        self.save = SaveState::Unsaved;
    }

    /// Returns whether it was hidden.
    pub(super) fn show(&mut self) -> bool {
        let was_hidden = !self.is_visible();
        if was_hidden {
            self.visibility = Visibility::Visible;
            self.render = RenderState::Dirty;
        }
        was_hidden
    }

    /// Returns whether it was visible.
    pub(super) fn hide(&mut self) -> bool {
        std::mem::replace(&mut self.visibility, Visibility::Hidden) == Visibility::Visible
    }

    pub(super) fn set_gap(&mut self, has_gap: bool) {
        if std::mem::replace(&mut self.has_gap, has_gap) != has_gap {
            self.save = SaveState::Unsaved;
        }
    }

    /// Forgets everything: GitLab has other pipelines now.
    pub(super) fn begin_again(&mut self) {
        self.timeline.begin_again();
        self.has_gap = true;
        self.changed();
    }

    /// Takes over path and page of its project; returns whether they are new.
    pub(super) fn relocate(&mut self, project: &Project) -> bool {
        let timeline = &mut self.timeline;
        let moved = timeline.project != project.path || timeline.project_url != project.web_url;
        if moved {
            timeline.project = project.path.clone();
            timeline.project_url.clone_from(&project.web_url);
            self.changed();
        }
        moved
    }

    /// Joins what another track of the ref has counted.
    pub(super) fn absorb(&mut self, other: Timeline, rules: &Rules) {
        self.timeline.absorb(other, rules);
        self.changed();
    }

    /// Takes out the kept executions of some pipelines, or the whole timeline.
    pub(super) fn extract(
        &mut self,
        is_wanted: &dyn Fn(u64) -> bool,
        takes_all: bool,
        key: &TimelineKey,
        rules: &Rules,
    ) -> Timeline {
        self.changed();
        if takes_all {
            let own = self.timeline.key.clone();
            let (project, url) = (&self.timeline.project, &self.timeline.project_url);
            let rest = Timeline::new(own, project.clone(), url.clone());
            let mut all = std::mem::replace(&mut self.timeline, rest);
            all.key = key.clone();
            return all;
        }
        self.timeline.extract(is_wanted, key.clone(), rules)
    }

    /// Takes what another track has counted of a pipeline out of the sums.
    pub(super) fn uncount(
        &mut self,
        pipeline: &PipelineObservation,
        before: &Tallies,
        after: &Tallies,
    ) {
        self.timeline.uncount(pipeline, before, after);
        self.changed();
    }

    /// Joins what another replica saved.
    pub(super) fn merge_saved(&mut self, saved: &Saved, rules: &Rules, cutoff: Option<Timestamp>) {
        let former = self.timeline.clone();
        self.timeline.merge(&saved.timeline);
        self.timeline.trim(rules);
        self.has_gap &= saved.has_gap;
        if let Some(cutoff) = cutoff {
            self.timeline.expire(cutoff, rules);
        }
        if self.timeline != former {
            self.render = RenderState::Dirty;
        }
        // More was observed while it was saved, or less is to be kept.
        if self.timeline != saved.timeline || self.has_gap != saved.has_gap {
            self.save = SaveState::Unsaved;
        }
    }

    /// Drops jobs without activity for too long; returns what was dropped, or is to be: the whole timeline.
    /// Histories without any time count from now on.
    pub(super) fn expire(
        &mut self,
        now: Timestamp,
        Cutoffs { refs, seldom }: Cutoffs,
        rules: &Rules,
    ) -> Option<Expired> {
        if self.timeline.stamp_undated(now) {
            self.save = SaveState::Unsaved;
        }
        let is_over = self.timeline.last_activity().is_some_and(|at| at < refs);
        let jobs: Option<Vec<Arc<str>>> = (!is_over).then(|| self.timeline.expire(seldom, rules));
        if jobs.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        self.changed();
        Some(Expired {
            project: self.timeline.project.clone(),
            ref_name: self.timeline.key.ref_name.clone(),
            track: self.timeline.key.track.clone(),
            jobs,
        })
    }

    /// Whether the newest rendering has a job that has been gone for a day.
    pub(super) fn shows_long_gone(&self, now: Timestamp) -> bool {
        self.is_visible()
            && self
                .jobs
                .ranks()
                .iter()
                .any(|rank| is_long_gone(rank.absence().gone_since, now))
    }
}

pub(super) fn is_long_gone(gone_since: Option<Timestamp>, now: Timestamp) -> bool {
    gone_since.is_some_and(|since| since.unix() + DAY <= now.unix())
}

//! One timeline, and how far it is exposed and saved.

use std::sync::Arc;

use super::effects::{RenderRequest, Revision};
use super::transitions::Transition;
use crate::gitlab::Project;
use crate::model::{Rules, Timeline, TimelineKey, Timestamp};
use crate::store::Saved;

/// A timeline with what is to be done about it.
pub(super) struct TimelineEntry {
    timeline: Timeline,
    /// As of the last rendering, sorted by name.
    ranks: Vec<Rank>,
    visibility: Visibility,
    render: RenderState,
    save: SaveState,
    /// Whether some of its past pipelines may not have been read, so that it is backfilled as a new ref is.
    has_gap: bool,
    /// Of the newest rendering.
    revision: Revision,
}

/// Whether the series of a timeline are exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    Visible,
    /// The project or ref is not watched, or not known to be.
    Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RenderState {
    /// Not rendered yet, and as it was saved.
    Restored,
    /// Changed since the newest rendering.
    Dirty,
    /// As in the newest rendering.
    Rendered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SaveState {
    /// Saved, or being saved, as it is.
    Saved,
    Unsaved,
}

/// How bad a job is: its place on the status page.
pub(super) struct Rank {
    pub(super) name: Arc<str>,
    pub(super) consecutive_failures: u64,
    pub(super) failure_ratio: f64,
}

/// What of a timeline fell to the retention.
pub(super) enum Expiry {
    Nothing,
    /// These jobs, which are dropped.
    Jobs(Vec<Arc<str>>),
    WholeRef,
}

impl TimelineEntry {
    /// A ref that is seen for the first time: until all its listed pipelines are read it has a gap.
    pub(super) fn new(key: TimelineKey, project: &Project) -> Self {
        Self {
            timeline: Timeline::new(key, project.path.clone(), project.web_url.clone()),
            ranks: Vec::new(),
            visibility: Visibility::Hidden,
            render: RenderState::Dirty,
            save: SaveState::Saved,
            has_gap: true,
            revision: Revision::default(),
        }
    }

    pub(super) fn restored(saved: Saved) -> Self {
        Self {
            // Nothing was read of an import.
            has_gap: saved.has_gap || saved.timeline.is_bare(),
            timeline: saved.timeline,
            ranks: Vec::new(),
            visibility: Visibility::Visible,
            render: RenderState::Restored,
            save: SaveState::Saved,
            revision: Revision::default(),
        }
    }

    pub(super) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Path of the project.
    pub(super) fn project(&self) -> Arc<str> {
        self.timeline.project.clone()
    }

    pub(super) fn ranks(&self) -> &[Rank] {
        &self.ranks
    }

    pub(super) fn is_visible(&self) -> bool {
        self.visibility == Visibility::Visible
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.render != RenderState::Rendered
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.save == SaveState::Unsaved
    }

    pub(super) fn has_gap(&self) -> bool {
        self.has_gap
    }

    /// Whether a rendering is to be exposed: the timeline is visible, and no newer rendering was begun.
    pub(super) fn accepts(&self, revision: Revision) -> bool {
        self.is_visible() && self.revision == revision
    }

    /// Changes the timeline. `change` returns whether anything is to be rendered and saved.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Timeline) -> bool) {
        if change(&mut self.timeline) {
            self.render_again();
            self.save = SaveState::Unsaved;
        }
    }

    pub(super) fn render_again(&mut self) {
        self.render = RenderState::Dirty;
    }

    pub(super) fn save_again(&mut self) {
        self.save = SaveState::Unsaved;
    }

    /// Returns whether it was hidden.
    pub(super) fn show(&mut self) -> bool {
        let was_hidden = !self.is_visible();
        if was_hidden {
            self.visibility = Visibility::Visible;
            self.render_again();
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

    /// Takes over the path and page of its project.
    pub(super) fn relocate(&mut self, project: &Project) {
        self.change(|timeline| {
            let moved = timeline.project != project.path || timeline.project_url != project.web_url;
            timeline.project = project.path.clone();
            timeline.project_url.clone_from(&project.web_url);
            moved
        });
    }

    /// Joins what another replica saved.
    pub(super) fn merge_saved(&mut self, saved: &Saved, rules: &Rules, cutoff: Option<Timestamp>) {
        let former = self.timeline.clone();
        self.timeline.merge(&saved.timeline);
        self.timeline.trim(rules);
        self.has_gap &= saved.has_gap;
        if let Some(cutoff) = cutoff {
            self.timeline.expire(cutoff);
        }
        if self.timeline != former {
            self.render_again();
        }
        // More was observed while it was saved, or less is to be kept.
        if self.timeline != saved.timeline || self.has_gap != saved.has_gap {
            self.save = SaveState::Unsaved;
        }
    }

    /// Drops jobs without activity since `cutoff`. Histories without any time count from now on.
    pub(super) fn expire(&mut self, now: Timestamp, cutoff: Timestamp) -> Expiry {
        if self.timeline.date(now) {
            self.save_again();
        }
        if self.timeline.last_sign().is_some_and(|at| at < cutoff) {
            return Expiry::WholeRef;
        }
        let jobs = self.timeline.expire(cutoff);
        if jobs.is_empty() {
            return Expiry::Nothing;
        }
        self.render_again();
        self.save_again();
        Expiry::Jobs(jobs)
    }

    /// Begins a rendering.
    pub(super) fn take_rows(&mut self, rules: &Rules, revision: Revision) -> RenderRequest {
        let rows = self.timeline.rows(rules);
        let transitions = match self.render {
            // What was saved was logged before.
            RenderState::Restored => Vec::new(),
            _ => Transition::between(&self.ranks, &rows.jobs),
        };
        let worth_showing = rows.jobs.iter();
        let worth_showing = worth_showing.filter(|row| row.figures.is_worth_showing());
        self.ranks = worth_showing
            .map(|row| Rank {
                name: row.name.clone(),
                consecutive_failures: row.figures.consecutive_failures,
                failure_ratio: row.figures.failure_ratio(),
            })
            .collect();
        self.render = RenderState::Rendered;
        self.revision = revision;
        RenderRequest {
            key: self.timeline.key.clone(),
            revision,
            rows,
            transitions,
        }
    }

    /// Takes it to be saved, as if that could not fail.
    pub(super) fn take_to_save(&mut self, watermark: Option<Timestamp>) -> Saved {
        self.save = SaveState::Saved;
        Saved {
            timeline: self.timeline.clone(),
            watermark,
            has_gap: self.has_gap,
        }
    }
}

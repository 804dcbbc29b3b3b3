//! How a timeline differs from what is exposed of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ci_history::Changes;

/// How a timeline differs from its newest rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RenderState {
    /// Not rendered yet, and as it was saved.
    Restored,
    /// In anything.
    Dirty,
    /// In these jobs.
    Changed(ChangedJobs),
    /// Not at all.
    Rendered,
}

/// What changed of a timeline since its newest rendering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ChangedJobs {
    pub(super) names: BTreeSet<Arc<str>>,
    pub(super) pipelines: bool,
    /// Whether a pipeline has finished, so that jobs may be absent from one more.
    pub(super) finished: bool,
}

impl RenderState {
    /// Adds changes.
    pub(super) fn note(&mut self, changes: &Changes) {
        match self {
            Self::Rendered => *self = Self::Changed(ChangedJobs::of(changes)),
            Self::Changed(changed) => changed.add(changes),
            Self::Restored => *self = Self::Dirty,
            Self::Dirty => {}
        }
    }
}

impl ChangedJobs {
    fn of(changes: &Changes) -> Self {
        let mut changed = Self::default();
        changed.add(changes);
        changed
    }

    fn add(&mut self, changes: &Changes) {
        self.names.extend(changes.jobs.iter().cloned());
        self.pipelines |= changes.pipelines;
        self.finished |= changes.finished;
    }
}

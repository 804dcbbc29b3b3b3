//! What is to be done outside the lock after the state has changed.

use std::sync::Arc;

use super::transitions::Transition;
use crate::model::{TimelineKey, TimelineRows};

/// What a change asks for.
#[derive(Default)]
pub(super) struct Effects {
    /// Timelines whose series are to go.
    pub(super) hide: Vec<TimelineKey>,
    /// Timelines to render.
    pub(super) render: Vec<TimelineKey>,
    /// Histories that fell to the retention.
    pub(super) expired: Vec<Expired>,
}

/// Histories that were dropped because nothing happened for the retention time.
pub(super) struct Expired {
    pub(super) project: Arc<str>,
    pub(super) ref_name: Arc<str>,
    /// The dropped jobs; `None` if the whole ref was dropped.
    pub(super) jobs: Option<Vec<Arc<str>>>,
}

/// Orders the renderings of a timeline: the highest is the newest. Never used twice, also not after a timeline
/// was dropped and came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Revision(u64);

impl Revision {
    pub(super) fn next(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// A timeline to be rendered, as it was at a revision.
pub(super) struct RenderRequest {
    pub(super) key: TimelineKey,
    pub(super) revision: Revision,
    pub(super) rows: TimelineRows,
    /// Jobs that began to fail or recovered since the revision before.
    pub(super) transitions: Vec<Transition>,
}

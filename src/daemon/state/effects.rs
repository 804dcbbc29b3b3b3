//! What is to be done outside the lock after the state has changed.

use std::sync::Arc;

use super::transitions::Transition;
use crate::metrics::Pieces;
use ci_history::{TimelineKey, TimelineRows};

/// What a change asks for.
#[derive(Default)]
pub(super) struct Effects {
    /// Timelines whose series are to go.
    pub(super) hide: Vec<TimelineKey>,
    /// Timelines to render.
    pub(super) render: Vec<TimelineKey>,
    /// Timelines of former default branches, each with the one that its histories went to.
    pub(super) succeeded: Vec<(TimelineKey, TimelineKey)>,
    /// Histories that fell to the retention.
    pub(super) expired: Vec<Expired>,
}

/// Histories that were dropped because nothing happened for the retention time.
pub(super) struct Expired {
    pub(super) project: Arc<str>,
    pub(super) ref_name: Arc<str>,
    pub(super) track: Option<Arc<str>>,
    /// The dropped jobs; `None` if the whole ref was dropped.
    pub(super) jobs: Option<Vec<Arc<str>>>,
}

/// A timeline to be rendered, as it was when it was taken.
pub(super) struct RenderRequest {
    pub(super) key: TimelineKey,
    /// Orders the renderings of a timeline: the highest is the newest.
    pub(super) revision: u64,
    /// The jobs of the pieces that are to be rendered.
    pub(super) rows: TimelineRows,
    pub(super) pieces: Pieces,
    /// Jobs that began to fail or recovered since the rendering before.
    pub(super) transitions: Vec<Transition>,
}

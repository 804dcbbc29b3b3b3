//! The identity of a timeline.

use std::sync::Arc;

/// Track of the pipelines of tags. It keeps a tag and a branch of one name apart.
pub const TAG_TRACK: &str = "tag";

/// Identity of a timeline: a project's ref, and a track of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimelineKey {
    /// GitLab's project id. It stays when the project is renamed.
    pub project_id: u64,
    /// Branch or tag name.
    pub ref_name: Arc<str>,
    /// Track of the ref's pipelines; `None` for the unnamed one.
    pub track: Option<Arc<str>>,
}

impl TimelineKey {
    /// The key of the unnamed track of a project's ref.
    pub fn new(project_id: u64, ref_name: impl Into<Arc<str>>) -> Self {
        Self {
            project_id,
            ref_name: ref_name.into(),
            track: None,
        }
    }

    /// The key of another track of the same ref.
    #[must_use]
    pub fn with_track(mut self, track: Option<Arc<str>>) -> Self {
        self.track = track;
        self
    }

    /// Whether the pipelines are those of a tag.
    pub fn is_tag(&self) -> bool {
        self.track.as_deref() == Some(TAG_TRACK)
    }
}

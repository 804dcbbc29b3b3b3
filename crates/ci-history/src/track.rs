//! Tracks: pipelines of one ref that are counted apart, such as nightlies and pushes.

use std::sync::Arc;

use super::PipelineObservation;
use super::key::{TAG_TRACK, TimelineKey};

/// Ref of the pipelines of all merge requests together. No ref of Git has a `*`.
pub const ALL_MERGE_REQUESTS: &str = "refs/merge-requests/*";

/// Start of the refs of merge request pipelines.
pub const MERGE_REQUEST_REFS: &str = "refs/merge-requests/";

/// A part of the pipelines of every ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// The label `track`.
    pub name: Arc<str>,
    /// Sources of its pipelines, as GitLab names them.
    pub sources: Vec<&'static str>,
}

/// Assigns each pipeline to its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracks {
    tracks: Vec<Track>,
    joins_merge_requests: bool,
}

impl Tracks {
    /// The first track that matches takes a pipeline. `joins_merge_requests`: all merge requests have one
    /// timeline.
    pub fn new(tracks: Vec<Track>, joins_merge_requests: bool) -> Self {
        Self {
            tracks,
            joins_merge_requests,
        }
    }

    /// Whether pipelines of one branch may belong to different timelines.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// The timeline of a pipeline.
    pub fn key(&self, project_id: u64, pipeline: &PipelineObservation) -> TimelineKey {
        let track = if pipeline.tag {
            Some(TAG_TRACK.into())
        } else {
            self.of_source(pipeline.source.as_deref())
        };
        TimelineKey::new(project_id, self.ref_of(&pipeline.ref_name)).with_track(track)
    }

    /// The ref under which the pipelines of a ref are counted.
    pub fn ref_of(&self, ref_name: &Arc<str>) -> Arc<str> {
        if self.joins_merge_requests && ref_name.starts_with(MERGE_REQUEST_REFS) {
            ALL_MERGE_REQUESTS.into()
        } else {
            ref_name.clone()
        }
    }

    /// The key that a saved timeline has now: without a track that is no longer configured.
    pub(crate) fn current(&self, key: &TimelineKey) -> TimelineKey {
        let is_known = |track: &Arc<str>| {
            **track == *TAG_TRACK || self.tracks.iter().any(|known| known.name == *track)
        };
        let track = key.track.clone().filter(is_known);
        TimelineKey::new(key.project_id, self.ref_of(&key.ref_name)).with_track(track)
    }

    /// The track of a branch's pipelines of this source; `None` for the unnamed one.
    pub fn of_source(&self, source: Option<&str>) -> Option<Arc<str>> {
        let source = source?;
        let tracks = self.tracks.iter();
        let mut matching = tracks.filter(|track| track.sources.contains(&source));
        matching.next().map(|track| track.name.clone())
    }
}

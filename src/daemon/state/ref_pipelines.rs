//! The kept pipelines of a ref.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::shell::State;
use crate::http::{PipelineListing, RefPipelines};
use ci_history::{JobCounts, TimelineKey};

/// Jobs that are looked at while the lock is held.
const JOBS_AT_ONCE: usize = 500;

impl State {
    /// Looks at a part of the jobs at a time, so that the lock is never held for long.
    pub(super) fn pipelines_of(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
    ) -> Option<RefPipelines> {
        let inner = self.lock();
        let tracks = inner.timelines.visible_tracks(project, ref_name, track);
        let key = tracks.into_iter().next()?;
        let timeline = inner.timelines.get_visible(&key)?;
        let summaries = timeline.pipeline_summaries(&self.policy.rules);
        let names: Vec<Arc<str>> = timeline.jobs.keys().cloned().collect();
        let (project, project_url) = (timeline.project.clone(), timeline.project_url.clone());
        drop(inner);
        let mut counts = BTreeMap::new();
        for names in names.chunks(JOBS_AT_ONCE) {
            self.count_executions(&key, names, &mut counts);
        }
        let pipelines = summaries.into_iter().map(|summary| PipelineListing {
            counts: counts.get(&summary.id).copied().unwrap_or_default(),
            summary,
        });
        Some(RefPipelines {
            pipelines: pipelines.collect(),
            project,
            project_url,
            ref_name: key.ref_name,
            track: key.track,
        })
    }

    fn count_executions(
        &self,
        key: &TimelineKey,
        names: &[Arc<str>],
        counts: &mut BTreeMap<u64, JobCounts>,
    ) {
        let inner = self.lock();
        let Some(timeline) = inner.timelines.get_visible(key) else {
            return;
        };
        let watched = names
            .iter()
            .filter(|name| !inner.timelines.is_unwatched(key, name));
        for name in watched {
            timeline.count_executions(name, counts, &self.policy.rules);
        }
    }
}

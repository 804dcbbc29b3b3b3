//! The grid of a ref: its last pipelines with the executions of each job.

use std::sync::Arc;

use super::shell::State;
use crate::http::GridEntry;
use ci_history::{Grid, GridJob, GridPipeline, TimelineKey};

/// Jobs that are looked at while the lock is held.
const JOBS_AT_ONCE: usize = 100;

impl State {
    /// Looks at a part of the jobs at a time, so that the lock is never held for long.
    pub(super) fn grid_of(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
        pipelines: usize,
    ) -> Option<GridEntry> {
        let inner = self.lock();
        let tracks = inner.timelines.visible_tracks(project, ref_name, track);
        let key = tracks.into_iter().next()?;
        let timeline = inner.timelines.get_visible(&key)?;
        let columns = timeline.grid_pipelines(pipelines, &self.policy.rules);
        let names: Vec<Arc<str>> = timeline.jobs.keys().cloned().collect();
        let project_url = timeline.project_url.clone();
        let project = timeline.project.clone();
        drop(inner);
        let parts = names.chunks(JOBS_AT_ONCE);
        let jobs = parts.flat_map(|names| self.grid_jobs(&key, names, &columns));
        let jobs = jobs.collect();
        Some(GridEntry {
            project,
            project_url,
            ref_name: key.ref_name,
            track: key.track,
            grid: Grid {
                jobs,
                pipelines: columns,
            },
        })
    }

    fn grid_jobs(
        &self,
        key: &TimelineKey,
        names: &[Arc<str>],
        columns: &[GridPipeline],
    ) -> Vec<GridJob> {
        let inner = self.lock();
        let Some(timeline) = inner.timelines.get_visible(key) else {
            return Vec::new();
        };
        let watched = names
            .iter()
            .filter(|name| !inner.timelines.is_unwatched(key, name));
        let jobs = watched.filter_map(|name| timeline.grid_job(name, columns, &self.policy.rules));
        jobs.collect()
    }
}

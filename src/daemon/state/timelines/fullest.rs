//! How full the fullest ref and project are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Timelines;

/// The highest counts, and whose they are.
#[derive(Debug, Default)]
pub(in crate::daemon::state) struct Fullest {
    pub(in crate::daemon::state) jobs_of_ref: (usize, Option<String>),
    pub(in crate::daemon::state) jobs_of_project: (usize, Option<String>),
    /// Each track of a ref counts.
    pub(in crate::daemon::state) refs_of_project: (usize, Option<String>),
}

impl Timelines {
    /// Counts what the limits of jobs and refs count.
    pub(in crate::daemon::state) fn fullest(&self) -> Fullest {
        let mut by_project: BTreeMap<u64, (usize, usize, Arc<str>)> = BTreeMap::new();
        let mut fullest = Fullest::default();
        for (key, entry) in &self.entries {
            let timeline = &entry.timeline;
            let jobs = timeline.jobs.len();
            if jobs > fullest.jobs_of_ref.0 {
                let track = key.track.as_deref();
                let track = track.map(|track| format!(" · {track}")).unwrap_or_default();
                let name = format!("{} {}{track}", timeline.project, key.ref_name);
                fullest.jobs_of_ref = (jobs, Some(name));
            }
            let new = || (0, 0, timeline.project.clone());
            let (refs, all_jobs, _) = by_project.entry(key.project_id).or_insert_with(new);
            *refs += 1;
            *all_jobs += jobs;
        }
        for (refs, jobs, project) in by_project.into_values() {
            if jobs > fullest.jobs_of_project.0 {
                fullest.jobs_of_project = (jobs, Some(project.to_string()));
            }
            if refs > fullest.refs_of_project.0 {
                fullest.refs_of_project = (refs, Some(project.to_string()));
            }
        }
        fullest
    }
}

//! Histories that GitLab or the retention made worthless, and that are read back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Timelines, refs_of};
use ci_history::{PipelineObservation, TimelineKey};

impl Timelines {
    /// The known pipelines that listed ones contradict, one for each ref, and those of refs that are suspected.
    pub(in super::super) fn contradicted(
        &mut self,
        project_id: u64,
        listed: &[PipelineObservation],
    ) -> Vec<PipelineObservation> {
        let mut found = BTreeMap::new();
        for pipeline in listed {
            let key = self.key_of(project_id, pipeline);
            let entry = self.entries.get(&key);
            if let Some(known) = entry.and_then(|it| it.timeline.contradicted_by(pipeline)) {
                found.entry(key).or_insert(known);
            }
        }
        let suspected: Vec<TimelineKey> =
            self.suspected.range(refs_of(project_id)).cloned().collect();
        for key in suspected {
            self.suspected.remove(&key);
            let entry = self.entries.get(&key).filter(|entry| entry.is_visible());
            if let Some(known) = entry.and_then(|it| it.timeline.newest_pipeline()) {
                found.entry(key).or_insert(known);
            }
        }
        found.into_values().collect()
    }

    /// Empties a timeline whose pipelines GitLab no longer has. Its ref is read back, and all others are suspected.
    pub(in super::super) fn begin_again(&mut self, key: &TimelineKey) {
        self.edit(key, |entry, _| entry.begin_again());
        self.to_copy.insert(key.clone());
        self.to_read_back.insert(key.clone());
        if std::mem::replace(&mut self.has_suspected, true) {
            return;
        }
        let others = self.entries.keys().filter(|other| *other != key);
        self.suspected.extend(others.cloned());
    }

    /// The refs of a project that are to be read back, once.
    pub(in super::super) fn take_read_back(&mut self, project_id: u64) -> BTreeSet<Arc<str>> {
        let keys: Vec<TimelineKey> = self
            .to_read_back
            .range(refs_of(project_id))
            .cloned()
            .collect();
        let names = keys.iter().map(|key| key.ref_name.clone()).collect();
        for key in &keys {
            self.to_read_back.remove(key);
        }
        names
    }
}

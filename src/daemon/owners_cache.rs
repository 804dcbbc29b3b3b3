//! The owners files of the watched projects' repositories, by project.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::config::OwnersFile;

/// The files as they were read last. Reading them never waits.
#[derive(Default)]
pub(super) struct OwnersCache {
    files: RwLock<Arc<Files>>,
    reading_requested: Notify,
}

/// By project id.
type Files = BTreeMap<u64, Arc<OwnersFile>>;

impl OwnersCache {
    /// All files, as they are now.
    pub(super) fn all(&self) -> Arc<Files> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&files)
    }

    /// The file of a project's repository, if it has one.
    pub(super) fn of(&self, project_id: u64) -> Option<Arc<OwnersFile>> {
        self.all().get(&project_id).cloned()
    }

    /// A project was found, perhaps again.
    pub(super) fn request_reading(&self) {
        self.reading_requested.notify_one();
    }

    /// Waits until a project was found.
    pub(super) async fn reading_requested(&self) {
        self.reading_requested.notified().await;
    }

    /// Forgets the files of all other projects.
    pub(super) fn retain(&self, is_watched: impl Fn(u64) -> bool) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if !files.keys().all(|id| is_watched(*id)) {
            Arc::make_mut(&mut files).retain(|id, _| is_watched(*id));
        }
    }

    pub(super) fn put(&self, project_id: u64, file: Option<OwnersFile>) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let files = Arc::make_mut(&mut files);
        match file {
            Some(file) => drop(files.insert(project_id, Arc::new(file))),
            None => drop(files.remove(&project_id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_project_that_is_watched_no_more_is_forgotten() {
        let owners = OwnersCache::default();
        for id in [7, 8] {
            owners.put(id, OwnersFile::parse("unit @team").0);
        }
        owners.retain(|id| id == 8);
        assert!(owners.of(7).is_none());
        assert!(owners.of(8).is_some());
    }
}

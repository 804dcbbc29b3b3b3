//! What the process notes for the status page and no metric tells. It outlives each configuration.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{NotedError, WebConfig, WebFileReport};
use ci_history::Timestamp;

/// See the module.
pub(super) struct Journal {
    started: Timestamp,
    web: Option<WebConfig>,
    notes: Mutex<Notes>,
}

#[derive(Default, Clone)]
pub(super) struct Notes {
    pub(super) gitlab_version: Option<Arc<str>>,
    /// Since the last configuration that could be loaded.
    pub(super) config_error: Option<NotedError>,
    /// Since the last save.
    pub(super) save_error: Option<NotedError>,
}

impl Journal {
    pub(super) fn new(started: Timestamp, web: Option<WebConfig>) -> Self {
        Self {
            started,
            web,
            notes: Mutex::default(),
        }
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    pub(super) fn notes(&self) -> Notes {
        self.lock().clone()
    }

    pub(super) fn web_file(&self) -> Option<WebFileReport> {
        self.web.as_ref().map(WebConfig::report)
    }

    pub(super) fn gitlab_version(&self, version: &str) {
        self.lock().gitlab_version = Some(version.into());
    }

    pub(super) fn config_loaded(&self) {
        self.lock().config_error = None;
    }

    pub(super) fn config_refused(&self, at: Timestamp, message: String) {
        self.lock().config_error = Some(NotedError { at, message });
    }

    pub(super) fn saved(&self) {
        self.lock().save_error = None;
    }

    pub(super) fn not_saved(&self, at: Timestamp, message: String) {
        self.lock().save_error = Some(NotedError { at, message });
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

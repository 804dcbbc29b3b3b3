//! Projects whose pipelines GitLab does not list by the time of their last change.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use super::error_kind::ErrorKind;

/// The usual order is tried again after this time.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Such projects, and until when their pipelines are listed by id.
#[derive(Debug, Default)]
pub(super) struct SlowOrder(Mutex<HashMap<u64, Instant>>);

impl SlowOrder {
    /// Whether the pipelines of a project are listed by id for now.
    pub(super) fn applies_to(&self, project: u64) -> bool {
        let now = Instant::now();
        self.lock().get(&project).is_some_and(|until| now < *until)
    }

    /// Lists the pipelines of a project by id from now on. Logs it once for each project.
    pub(super) fn give_up(&self, project: u64, error: &Error) {
        let until = Instant::now() + REMEMBERED;
        if self.lock().insert(project, until).is_none() {
            tracing::warn!(
                "GitLab does not list the pipelines of project {project} by the time of their last change; they are \
                 listed by id instead: {error}"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the order may be the cause of an error.
pub(super) fn may_be_the_order(error: &Error) -> bool {
    error.kind().is_too_slow() || matches!(error.kind(), ErrorKind::Refused { status: 400, .. })
}

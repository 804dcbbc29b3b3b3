//! Observations for unit tests.

use ci_history::{JobObservation, Status};

/// An attempt without times.
pub(crate) fn job(id: u64, name: &str, status: Status) -> JobObservation {
    JobObservation {
        id,
        name: name.into(),
        stage: "test".into(),
        tags: "".into(),
        status,
        allow_failure: false,
        created_at: None,
        started_at: None,
        finished_at: None,
        duration: None,
        queued_duration: None,
        moved_at: None,
        failure_reason: None,
        web_url: None,
    }
}

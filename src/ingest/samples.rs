//! Observations for unit tests.

use ci_history::{JobObservation, PipelineObservation, Status, Timestamp};

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

/// A pipeline of `main` that moved at a second.
pub(crate) fn pipeline(id: u64, status: Status, updated_at: i64) -> PipelineObservation {
    PipelineObservation {
        id,
        ref_name: "main".into(),
        tag: false,
        sha: "abc".into(),
        status,
        source: None,
        created_at: None,
        updated_at: Timestamp::from_unix(updated_at),
        duration: None,
        failure_reason: None,
        has_other_jobs: false,
        web_url: None,
        commit_info: None,
        is_partial: false,
    }
}

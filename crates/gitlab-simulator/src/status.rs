//! The composite status of a set of jobs, by GitLab's rules (`Gitlab::Ci::Status::Composite`).

use super::entity::{CiStatus, Job};

/// A job's contribution to the status of its stage or pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Plain(CiStatus),
    /// Failed or canceled, with `allow_failure`.
    Warning,
    /// Manual, with `allow_failure`: nothing waits for it.
    Ignored,
}

/// The composite status; `None` without jobs.
pub(super) fn composite<'a>(jobs: impl Iterator<Item = &'a Job>) -> Option<CiStatus> {
    let parts: Vec<Part> = jobs.map(part).collect();
    if parts.is_empty() {
        return None;
    }
    let only = |statuses: &[CiStatus]| {
        parts.iter().all(|part| match part {
            Part::Plain(status) => statuses.contains(status),
            Part::Warning | Part::Ignored => true,
        })
    };
    let any = |status: CiStatus| parts.contains(&Part::Plain(status));
    let without_run = |part: &Part| matches!(part, Part::Ignored | Part::Plain(CiStatus::Skipped));

    Some(if parts.iter().all(without_run) {
        CiStatus::Skipped
    } else if only(&[CiStatus::Success, CiStatus::Skipped]) {
        CiStatus::Success
    } else if only(&[CiStatus::Created]) {
        CiStatus::Created
    } else if only(&[CiStatus::Preparing, CiStatus::Created]) {
        CiStatus::Preparing
    } else if only(&[CiStatus::Canceled, CiStatus::Success, CiStatus::Skipped]) {
        CiStatus::Canceled
    } else if any(CiStatus::Canceling) {
        CiStatus::Canceling
    } else if only(&[CiStatus::Pending, CiStatus::Created, CiStatus::Skipped]) {
        CiStatus::Pending
    } else if any(CiStatus::WaitingForCallback) {
        CiStatus::WaitingForCallback
    } else if any(CiStatus::Running) || any(CiStatus::Pending) {
        CiStatus::Running
    } else if any(CiStatus::WaitingForResource) {
        CiStatus::WaitingForResource
    } else if any(CiStatus::Manual) {
        CiStatus::Manual
    } else if any(CiStatus::Scheduled) {
        CiStatus::Scheduled
    } else if any(CiStatus::Preparing) {
        CiStatus::Preparing
    } else if any(CiStatus::Created) {
        CiStatus::Running
    } else {
        CiStatus::Failed
    })
}

fn part(job: &Job) -> Part {
    match job.status {
        CiStatus::Failed | CiStatus::Canceled if job.plan.allow_failure => Part::Warning,
        CiStatus::Manual if job.plan.allow_failure => Part::Ignored,
        status => Part::Plain(status),
    }
}

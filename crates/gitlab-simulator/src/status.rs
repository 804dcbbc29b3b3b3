//! The status of a set of jobs, as GitLab composes it (`Gitlab::Ci::Status::Composite`).

use super::entity::{Job, Status};

/// What a job contributes to the status of its stage or pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Plain(Status),
    /// Failed or canceled, and allowed to.
    Warning,
    /// Waits for somebody, and need not.
    Ignored,
}

/// The status of these jobs together; `None` for no jobs.
pub(super) fn composite<'a>(jobs: impl Iterator<Item = &'a Job>) -> Option<Status> {
    let parts: Vec<Part> = jobs.map(part).collect();
    if parts.is_empty() {
        return None;
    }
    let only = |statuses: &[Status]| {
        parts.iter().all(|part| match part {
            Part::Plain(status) => statuses.contains(status),
            Part::Warning | Part::Ignored => true,
        })
    };
    let any = |status: Status| parts.contains(&Part::Plain(status));
    let without_run = |part: &Part| matches!(part, Part::Ignored | Part::Plain(Status::Skipped));

    Some(if parts.iter().all(without_run) {
        Status::Skipped
    } else if only(&[Status::Success, Status::Skipped]) {
        Status::Success
    } else if only(&[Status::Created]) {
        Status::Created
    } else if only(&[Status::Preparing, Status::Created]) {
        Status::Preparing
    } else if only(&[Status::Canceled, Status::Success, Status::Skipped]) {
        Status::Canceled
    } else if any(Status::Canceling) {
        Status::Canceling
    } else if only(&[Status::Pending, Status::Created, Status::Skipped]) {
        Status::Pending
    } else if any(Status::WaitingForCallback) {
        Status::WaitingForCallback
    } else if any(Status::Running) || any(Status::Pending) {
        Status::Running
    } else if any(Status::WaitingForResource) {
        Status::WaitingForResource
    } else if any(Status::Manual) {
        Status::Manual
    } else if any(Status::Scheduled) {
        Status::Scheduled
    } else if any(Status::Preparing) {
        Status::Preparing
    } else if any(Status::Created) {
        Status::Running
    } else {
        Status::Failed
    })
}

fn part(job: &Job) -> Part {
    match job.status {
        Status::Failed | Status::Canceled if job.plan.allow_failure => Part::Warning,
        Status::Manual if job.plan.allow_failure => Part::Ignored,
        status => Part::Plain(status),
    }
}

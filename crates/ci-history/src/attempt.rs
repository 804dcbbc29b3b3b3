//! One attempt: one GitLab job id, or a pipeline as a unit, and how two sights of it join.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FailureClass, JobObservation, PipelineObservation, Span, Status, Timestamp};

/// How far an attempt has come.
///
/// GitLab only ever moves an attempt forward in this order: a skipped job can be revived by a retry of
/// what it waited for, and what ended with `success`, `failed` or `canceled` stays so (a retry is a new
/// id; what else moves back has a [`version`](Attempt::version)). The greater of two sights is therefore the newer one, in whatever order they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Created, preparing, or a status this program does not know.
    Waiting,
    /// Manual or scheduled: until somebody or the time starts it.
    Blocked,
    /// Skipped.
    Skipped,
    /// Waits for a runner.
    Pending,
    /// Runs.
    Running,
    /// Ended by somebody.
    Canceled,
    /// Ended with success.
    Passed,
    /// Ended with a failure.
    Failed,
}

impl Phase {
    fn of(status: Status) -> Self {
        match status {
            Status::Created | Status::Preparing | Status::Unknown => Self::Waiting,
            Status::Blocked => Self::Blocked,
            Status::Skipped => Self::Skipped,
            Status::Pending => Self::Pending,
            Status::Running | Status::Canceling => Self::Running,
            Status::Canceled => Self::Canceled,
            Status::Success => Self::Passed,
            Status::Failed => Self::Failed,
        }
    }

    /// A status that leads to this phase.
    pub fn status(self) -> Status {
        match self {
            Self::Waiting => Status::Created,
            Self::Blocked => Status::Blocked,
            Self::Skipped => Status::Skipped,
            Self::Pending => Status::Pending,
            Self::Running => Status::Running,
            Self::Canceled => Status::Canceled,
            Self::Passed => Status::Success,
            Self::Failed => Status::Failed,
        }
    }

    /// True while it waits for a runner or runs.
    pub fn is_in_flight(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }

    /// True when it came to an end of its own.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Passed | Self::Failed)
    }

    /// True when a runner or GitLab brought it to an end.
    pub fn is_ended(self) -> bool {
        self >= Self::Canceled
    }
}

/// What few attempts have, kept apart so that the many stay small.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// GitLab's `failure_reason`, raw.
    pub failure_reason: Option<Arc<str>>,
    /// Page of the attempt, where it is not the project's page with `/-/jobs/<id>`.
    pub web_url: Option<Box<str>>,
    /// The job's full name, where several jobs share a history.
    pub member: Option<Arc<str>>,
    /// What the failure is by reason and log; `None` until its log was looked at.
    pub log_class: Option<FailureClass>,
}

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// GitLab's job id, or the pipeline's.
    pub id: u64,
    /// When the attempt ended; since when it runs or waits, while it does.
    pub at: Option<Timestamp>,
    /// How long it ran.
    pub duration: Option<Span>,
    /// How long it waited for a runner.
    pub queued: Option<Span>,
    /// What few attempts have.
    pub detail: Option<Box<Detail>>,
    /// Orders sights of a pipeline, which unlike a job goes back from an end to `running`:
    /// seconds of `updated_at`. 0 for jobs but those that end as a pipeline does.
    pub version: u32,
    /// How far it has come.
    pub phase: Phase,
    /// Whether its failure is allowed.
    pub allow_failure: bool,
}

impl Attempt {
    /// An attempt of a job, seen at `now`.
    ///
    /// `project_url` spares the storing of a page address that can be worked out from it;
    /// `member` is the job's own name where it shares a history.
    pub fn of_job(
        job: &JobObservation,
        project_url: Option<&str>,
        member: Option<Arc<str>>,
        now: Timestamp,
    ) -> Self {
        let phase = Phase::of(job.status);
        let detail = Detail {
            failure_reason: job.failure_reason.clone(),
            web_url: job
                .web_url
                .clone()
                .filter(|url| !is_derived_url(url, project_url, job.id)),
            member,
            log_class: None,
        };
        Self {
            id: job.id,
            at: match phase {
                Phase::Pending => pending_since(job, now),
                Phase::Running => job.started_at,
                Phase::Waiting | Phase::Blocked | Phase::Skipped => None,
                _ => job.finished_at.or(job.started_at).or(job.created_at),
            },
            duration: job.duration.filter(|_| phase.is_ended()),
            queued: job
                .queued_duration
                .filter(|_| phase.is_ended() && job.started_at.is_some()),
            detail: (detail != Detail::default()).then(|| Box::new(detail)),
            version: version(job.moved_at),
            phase,
            allow_failure: job.allow_failure,
        }
    }

    /// The pipeline itself as an attempt.
    pub fn of_pipeline(pipeline: &PipelineObservation) -> Self {
        let phase = Phase::of(pipeline.status);
        Self {
            id: pipeline.id,
            at: match phase {
                Phase::Pending | Phase::Running => pipeline.created_at,
                _ if phase.is_ended() => pipeline.updated_at.or(pipeline.created_at),
                _ => None,
            },
            duration: pipeline.duration.filter(|_| phase.is_ended()),
            queued: None,
            detail: None,
            version: version(pipeline.updated_at),
            phase,
            allow_failure: false,
        }
    }

    /// Joins another sight of the same attempt: the one that is further wins, and of two equally far
    /// each field that either has. Commutative, associative, idempotent.
    pub fn join(&mut self, other: &Self) {
        match (self.version, self.phase).cmp(&(other.version, other.phase)) {
            std::cmp::Ordering::Less => *self = other.clone(),
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => self.join_equal(other),
        }
    }

    fn join_equal(&mut self, other: &Self) {
        self.at = if self.phase.is_in_flight() {
            // The longest wait known; an estimate made later can only be later.
            self.at.into_iter().chain(other.at).min()
        } else {
            self.at.max(other.at)
        };
        self.duration = self.duration.max(other.duration);
        self.queued = self.queued.max(other.queued);
        self.allow_failure |= other.allow_failure;
        if self.detail != other.detail
            && let Some(theirs) = &other.detail
        {
            let ours = self.detail.get_or_insert_default();
            let reason = ours.failure_reason.take();
            ours.failure_reason = reason.max(theirs.failure_reason.clone());
            ours.web_url = ours.web_url.take().max(theirs.web_url.clone());
            ours.member = ours.member.take().max(theirs.member.clone());
            ours.log_class = ours.log_class.max(theirs.log_class);
        }
    }

    /// Orders attempts by their ends.
    pub fn order_of_end(&self) -> (Option<Timestamp>, u64) {
        (self.at, self.id)
    }

    /// GitLab's reason of the failure, raw.
    pub fn failure_reason(&self) -> Option<&Arc<str>> {
        self.detail.as_ref()?.failure_reason.as_ref()
    }

    /// The reason's group.
    pub fn reason_class(&self) -> FailureClass {
        FailureClass::of_reason(self.failure_reason().map(AsRef::as_ref))
    }

    /// What the failure is by reason and log; `None` until its log was looked at.
    pub fn log_class(&self) -> Option<FailureClass> {
        self.detail.as_ref()?.log_class
    }

    /// What the failure is by all that is known.
    pub fn failure_class(&self) -> FailureClass {
        self.log_class().unwrap_or_else(|| self.reason_class())
    }

    /// Takes over what a look at the log of the failed attempt brought.
    pub fn note_log_class(&mut self, class: FailureClass) {
        let detail = self.detail.get_or_insert_default();
        detail.log_class = detail.log_class.max(Some(class));
    }

    /// The job's own name where it shares a history.
    pub fn member(&self) -> Option<&str> {
        self.detail.as_ref()?.member.as_deref()
    }

    /// Page of the attempt in GitLab, worked out from the project's where none was given.
    pub fn web_url(&self, project_url: Option<&str>) -> Option<Box<str>> {
        self.detail
            .as_ref()
            .and_then(|detail| detail.web_url.clone())
            .or_else(|| {
                project_url.map(|base| format!("{base}{JOB_PAGE}{}", self.id).into_boxed_str())
            })
    }
}

fn version(moved_at: Option<Timestamp>) -> u32 {
    moved_at.map_or(0, |at| u32::try_from(at.unix()).unwrap_or(0))
}

const JOB_PAGE: &str = "/-/jobs/";

fn is_derived_url(url: &str, project_url: Option<&str>, id: u64) -> bool {
    project_url
        .and_then(|base| url.strip_prefix(base))
        .and_then(|rest| rest.strip_prefix(JOB_PAGE))
        .is_some_and(|digits| digits == id.to_string())
}

/// `queued_duration` of a job that has not started is its wait so far; without it the job waits at most
/// since its creation.
fn pending_since(job: &JobObservation, now: Timestamp) -> Option<Timestamp> {
    job.queued_duration
        .and_then(|waited| i64::try_from(waited.micros() / 1_000_000).ok())
        .and_then(|waited| Timestamp::from_unix(now.unix() - waited))
        .max(job.created_at)
}

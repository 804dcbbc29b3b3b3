//! One attempt: a GitLab job id or a pipeline as a whole, and how two observations of it join.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attempt_times::AttemptTimes;
use super::{
    CommitInfo, FailureClass, JobObservation, PipelineObservation, Span, Status, Timestamp,
};

/// Progress of an attempt.
///
/// GitLab moves an attempt only forward in this order, so the greater of two observations is the newer
/// one, in whatever order they arrive. A skipped job runs when a job it needs is retried. A job that
/// succeeded, failed or was canceled stays so: its retry has a new id. Pipelines and their trigger jobs do
/// move back and have a [`version`](Attempt::version).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Created, preparing, or of unknown status.
    Waiting,
    /// Manual or scheduled: waits for a person or for a time.
    Blocked,
    /// GitLab's `skipped`.
    Skipped,
    /// Waits for a runner.
    Pending,
    /// Runs on a runner.
    Running,
    /// Ended by a person or by GitLab.
    Canceled,
    /// Ended with `success`.
    Passed,
    /// Ended with `failed`.
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

    /// The usual status of this phase.
    pub(crate) fn status(self) -> Status {
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

    /// True for a pending or running attempt.
    pub(crate) fn is_in_flight(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }

    /// True for an attempt that passed or failed.
    pub(crate) fn is_decided(self) -> bool {
        matches!(self, Self::Passed | Self::Failed)
    }

    /// True for an attempt that passed, failed or was canceled.
    pub(crate) fn is_ended(self) -> bool {
        self >= Self::Canceled
    }
}

/// Fields that few attempts have, boxed so that the other attempts stay small.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// GitLab's `failure_reason`, raw.
    pub failure_reason: Option<Arc<str>>,
    /// Page of the attempt, unless it is `<page of the project>/-/jobs/<id>`.
    pub web_url: Option<Box<str>>,
    /// Full name of the job if several jobs share a history.
    pub member: Option<Arc<str>>,
    /// Failure class by reason and log; `None` until the log was read.
    pub log_class: Option<FailureClass>,
    /// Name of the configured pattern that was found in the log.
    pub log_rule: Option<Arc<str>>,
    /// Title and author of the commit; only of failed attempts.
    pub commit_info: Option<Arc<CommitInfo>>,
}

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// GitLab's job id, or the pipeline's.
    pub id: u64,
    /// When it ended and how long it took.
    pub times: AttemptTimes,
    /// Fields that few attempts have.
    pub detail: Option<Box<Detail>>,
    /// Orders the observations of a pipeline or trigger job, which can go back from an end to `running`:
    /// seconds of `updated_at`. 0 for all other jobs.
    pub version: u32,
    /// Progress of the attempt.
    pub phase: Phase,
    /// Whether the pipeline passes although the attempt failed.
    pub allow_failure: bool,
    /// How often the attempt was withdrawn, and listed again: odd while it is withdrawn.
    pub withdrawals: u8,
}

impl Attempt {
    /// An attempt of a job, observed at `now`.
    ///
    /// A page address that follows from `project_url` is not stored. `member` is the job's own name if it
    /// shares a history.
    pub(crate) fn of_job(
        job: &JobObservation,
        commit_info: Option<&Arc<CommitInfo>>,
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
            log_rule: None,
            commit_info: commit_info.filter(|_| phase == Phase::Failed).cloned(),
        };
        let at = match phase {
            Phase::Pending => pending_since(job, now),
            Phase::Running => job.started_at,
            Phase::Waiting | Phase::Blocked | Phase::Skipped => None,
            _ => job.finished_at.or(job.started_at).or(job.created_at),
        };
        let queued = job.queued_duration.filter(|_| job.started_at.is_some());
        Self {
            id: job.id,
            times: times(phase, at, job.duration, queued),
            detail: (detail != Detail::default()).then(|| Box::new(detail)),
            version: version(job.moved_at),
            phase,
            allow_failure: job.allow_failure,
            withdrawals: 0,
        }
    }

    /// The pipeline itself as an attempt.
    pub(crate) fn of_pipeline(pipeline: &PipelineObservation) -> Self {
        let phase = Phase::of(pipeline.status);
        let detail = (phase == Phase::Failed).then(|| Detail {
            failure_reason: pipeline.failure_reason.clone(),
            web_url: pipeline.web_url.clone(),
            commit_info: pipeline.commit_info.clone(),
            ..Detail::default()
        });
        let at = match phase {
            Phase::Pending | Phase::Running => pipeline.created_at,
            _ if phase.is_ended() => pipeline.updated_at.or(pipeline.created_at),
            _ => None,
        };
        Self {
            id: pipeline.id,
            times: times(phase, at, pipeline.duration, None),
            detail: detail
                .filter(|detail| *detail != Detail::default())
                .map(Box::new),
            version: version(pipeline.updated_at),
            phase,
            allow_failure: false,
            withdrawals: 0,
        }
    }

    /// Whether GitLab does not have the attempt.
    pub(crate) fn is_withdrawn(&self) -> bool {
        !self.withdrawals.is_multiple_of(2)
    }

    /// Marks the attempt as one that GitLab does not have.
    pub(crate) fn withdraw(&mut self) {
        if !self.is_withdrawn() {
            self.withdrawals = self.withdrawals.saturating_add(1);
        }
    }

    /// This observation of an attempt that is known as `known`, which is back if it was withdrawn.
    pub(crate) fn listed_again(&self, known: &Self) -> Self {
        let withdrawals = known.withdrawals;
        Self {
            withdrawals: withdrawals.saturating_add(withdrawals % 2),
            ..self.clone()
        }
    }

    /// Whether it is the attempt of a trigger job: no other job has a version.
    pub(crate) fn is_of_trigger_job(&self) -> bool {
        self.version > 0
    }

    /// Joins another observation of the same attempt. The later phase wins; in the same phase the greater
    /// of each field. Commutative, associative, idempotent.
    pub(crate) fn join(&mut self, other: &Self) {
        let order = |it: &Self| (it.withdrawals, it.version, it.phase);
        match order(self).cmp(&order(other)) {
            std::cmp::Ordering::Less => *self = other.clone(),
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => self.join_equal(other),
        }
    }

    fn join_equal(&mut self, other: &Self) {
        let (ours, theirs) = (self.times, other.times);
        let at = if self.phase.is_in_flight() {
            // The earliest start: later estimates can only be later.
            ours.at().into_iter().chain(theirs.at()).min()
        } else {
            ours.at().max(theirs.at())
        };
        self.times = AttemptTimes::new(
            at,
            ours.duration().max(theirs.duration()),
            ours.queued().max(theirs.queued()),
        );
        self.allow_failure |= other.allow_failure;
        if self.detail != other.detail
            && let Some(theirs) = &other.detail
        {
            let ours = self.detail.get_or_insert_default();
            let reason = ours.failure_reason.take();
            ours.failure_reason = reason.max(theirs.failure_reason.clone());
            ours.web_url = ours.web_url.take().max(theirs.web_url.clone());
            ours.member = ours.member.take().max(theirs.member.clone());
            ours.commit_info = ours.commit_info.take().max(theirs.commit_info.clone());
            if ours.log_class < theirs.log_class {
                ours.log_class = theirs.log_class;
                ours.log_rule.clone_from(&theirs.log_rule);
            } else if ours.log_class == theirs.log_class {
                ours.log_rule = ours.log_rule.take().max(theirs.log_rule.clone());
            }
        }
    }

    /// Orders attempts by end.
    pub(crate) fn order_of_end(&self) -> (Option<Timestamp>, u64) {
        (self.times.at(), self.id)
    }

    /// GitLab's `failure_reason`, raw.
    pub(crate) fn failure_reason(&self) -> Option<&Arc<str>> {
        self.detail.as_ref()?.failure_reason.as_ref()
    }

    /// Whether GitLab failed the job without running it because it was no longer wanted: a newer
    /// deployment had run, a person rejected it, or the project was put away.
    pub(crate) fn is_outdated(&self) -> bool {
        self.phase == Phase::Failed
            && matches!(
                self.failure_reason().map(AsRef::as_ref),
                Some(
                    "archived_failure"
                        | "deployment_rejected"
                        | "failed_outdated_deployment_job"
                        | "forward_deployment_failure"
                        | "project_deleted"
                )
            )
    }

    /// Failure class by GitLab's reason alone.
    pub(crate) fn reason_class(&self) -> FailureClass {
        FailureClass::of_reason(self.failure_reason().map(AsRef::as_ref))
    }

    /// Failure class by reason and log; `None` until the log was read.
    pub(crate) fn log_class(&self) -> Option<FailureClass> {
        self.detail.as_ref()?.log_class
    }

    /// Failure class by the log if it was read, else by the reason.
    pub(crate) fn failure_class(&self) -> FailureClass {
        self.log_class().unwrap_or_else(|| self.reason_class())
    }

    /// Name of the configured pattern that was found in the log.
    pub(crate) fn log_rule(&self) -> Option<&Arc<str>> {
        self.detail.as_ref()?.log_rule.as_ref()
    }

    /// Title and author of the commit, if the attempt failed.
    pub fn commit_info(&self) -> Option<&Arc<CommitInfo>> {
        self.detail.as_ref()?.commit_info.as_ref()
    }

    /// Adds what is known of the commit, if the attempt failed.
    pub fn note_commit(&mut self, info: Option<&Arc<CommitInfo>>) {
        if let (Phase::Failed, Some(info)) = (self.phase, info) {
            let detail = self.detail.get_or_insert_default();
            detail.commit_info = detail.commit_info.take().max(Some(info.clone()));
        }
    }

    /// The same attempt without what is known of the commit.
    pub(crate) fn without_commit_info(&self) -> Self {
        let mut attempt = self.clone();
        if let Some(detail) = &mut attempt.detail {
            detail.commit_info = None;
        }
        attempt.detail = attempt
            .detail
            .filter(|detail| **detail != Detail::default());
        attempt
    }

    /// Records what was found in the log.
    pub(crate) fn note_log(&mut self, class: FailureClass, rule: Option<&Arc<str>>) {
        let detail = self.detail.get_or_insert_default();
        if detail.log_class < Some(class) {
            detail.log_class = Some(class);
            detail.log_rule = rule.cloned();
        } else if detail.log_class == Some(class) {
            detail.log_rule = detail.log_rule.take().max(rule.cloned());
        }
    }

    /// The job's own name if it shares a history.
    pub(crate) fn member(&self) -> Option<&str> {
        self.detail.as_ref()?.member.as_deref()
    }

    /// Page of the attempt in GitLab, derived from the project's page unless it was stored.
    pub(crate) fn web_url(&self, project_url: Option<&str>) -> Option<Box<str>> {
        self.detail
            .as_ref()
            .and_then(|detail| detail.web_url.clone())
            .or_else(|| project_url.map(|base| attempt_url(base, self.id).into_boxed_str()))
    }
}

fn version(moved_at: Option<Timestamp>) -> u32 {
    moved_at.map_or(0, |at| u32::try_from(at.unix()).unwrap_or(0))
}

const JOB_PAGE: &str = "/-/jobs/";

/// Page of an attempt in GitLab.
pub(crate) fn attempt_url(project_url: &str, id: u64) -> String {
    format!("{project_url}{JOB_PAGE}{id}")
}

fn is_derived_url(url: &str, project_url: Option<&str>, id: u64) -> bool {
    project_url
        .and_then(|base| url.strip_prefix(base))
        .and_then(|rest| rest.strip_prefix(JOB_PAGE))
        .is_some_and(|digits| digits == id.to_string())
}

/// The times of an attempt: only one that has ended has durations.
fn times(
    phase: Phase,
    at: Option<Timestamp>,
    duration: Option<Span>,
    queued: Option<Span>,
) -> AttemptTimes {
    let ended = |span: Option<Span>| span.filter(|_| phase.is_ended());
    AttemptTimes::new(at, ended(duration), ended(queued))
}

/// Start of a pending job's wait: `queued_duration` is the wait so far. Without it, the creation. A trigger job that was started
/// before waits again because its pipeline moved on: GitLab keeps both times of the first wait.
fn pending_since(job: &JobObservation, now: Timestamp) -> Option<Timestamp> {
    if job.started_at.is_some() {
        return job.moved_at.or(job.created_at);
    }
    job.queued_duration
        .and_then(|waited| i64::try_from(waited.micros() / 1_000_000).ok())
        .and_then(|waited| Timestamp::from_unix(now.unix() - waited))
        .max(job.created_at)
}

//! From wire shapes to observations, each record on its own.

use std::borrow::Cow;
use std::sync::Arc;

use arcstr::ArcStr;
use ci_history::{CONFIG_ERROR, JobObservation, PipelineObservation, Span, Status, UnmaskedCommit};
use serde_json::value::RawValue;

use super::commit::commit_of;
use super::listing::{Listing, Pages, RejectReason, Rejected};
use super::record::{Reader, Record, decode_list, decode_one};
use super::times::{self, Run, running_time};
use super::wire::{self, Value};

/// A project as far as watching it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// GitLab's id: stays when the project moves.
    pub id: u64,
    /// `path_with_namespace`, for example `group/subgroup/app`.
    pub path: Arc<str>,
    /// Page of the project in GitLab.
    pub web_url: Option<Arc<str>>,
    /// None in a project without commits.
    pub default_branch: Option<Arc<str>>,
    /// GitLab does not say whether there is a default branch: the token may not read the code.
    pub hides_default_branch: bool,
    /// Archived projects run no pipelines. Lists of a group leave them out.
    pub archived: bool,
}

impl Project {
    /// Page of one of its pipelines, which GraphQL does not tell.
    pub fn url_of_pipeline(&self, id: u64) -> Option<Box<str>> {
        let url = self.web_url.as_deref()?;
        Some(format!("{url}/-/pipelines/{id}").into())
    }
}

/// Every attempt of every job of one pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipelineJobs {
    /// All attempts, retried ones too; trigger jobs are not among them.
    pub jobs: Listing<JobObservation>,
    /// As GitLab's duration of a pipeline; `None` while a job runs.
    pub running_time: Option<Span>,
    /// Whether the jobs are of a tag.
    pub tag: bool,
    /// The commit of the pipeline; known once a job failed.
    pub commit: Option<UnmaskedCommit>,
    /// Whether some jobs were left out because of a limit.
    pub is_cut: bool,
}

/// A job with the digits of its times that [`JobObservation`] has no room for.
pub(super) struct TimedJob {
    pub(super) job: JobObservation,
    /// Microseconds since the Unix epoch.
    started_at: Option<i64>,
    finished_at: Option<i64>,
    pub(super) tag: bool,
    /// Only of a failed job.
    pub(super) commit: Option<UnmaskedCommit>,
}

impl From<Pages<TimedJob>> for PipelineJobs {
    fn from(pages: Pages<TimedJob>) -> Self {
        let is_cut = pages.is_cut;
        let listing = Listing::from(pages);
        let tag = listing.items.iter().any(|timed| timed.tag);
        let commits = listing
            .items
            .iter()
            .filter_map(|timed| timed.commit.clone());
        let commit = commits.max();
        let running_time = running_time(listing.items.iter().map(|timed| Run {
            id: timed.job.id,
            name: &timed.job.name,
            status: timed.job.status,
            started_at: timed.started_at,
            finished_at: timed.finished_at,
        }));
        Self {
            jobs: Listing {
                items: listing.items.into_iter().map(|timed| timed.job).collect(),
                rejected: listing.rejected,
            },
            running_time: running_time.filter(|_| !is_cut),
            tag,
            commit,
            is_cut,
        }
    }
}

/// Reads a pipeline as GitLab's API gives it, from a list or alone.
pub fn decode_pipeline(record: &RawValue) -> Result<PipelineObservation, Rejected> {
    Ok(decode_one(record.get())?.1)
}

/// Reads the jobs of one pipeline from a JSON array; anything else is one rejected record.
pub fn decode_pipeline_jobs(array: &RawValue) -> PipelineJobs {
    let mut jobs = Pages::default();
    jobs.extend(decode_list::<TimedJob>(array.get()).unwrap_or_else(|_| {
        vec![Err(Rejected {
            kind: "job",
            id: None,
            reason: RejectReason::WrongType,
            detail: "the jobs are no JSON array".into(),
        })]
    }));
    jobs.into()
}

impl Record for PipelineObservation {
    const KIND: &'static str = "pipeline";
    type Wire<'a> = wire::Pipeline<'a>;

    fn read(read: &mut Reader, wire: wire::Pipeline<'_>) -> Result<Self, Rejected> {
        let id = read.id(&wire.id)?;
        let status = read.required("status", &wire.status, RejectReason::MissingStatus)?;
        let status = Status::parse(status);
        let duration = read.number("duration", &wire.duration)?;
        let ref_name = read.required("ref", &wire.ref_name, RejectReason::MissingRef)?;
        Ok(Self {
            id,
            ref_name: ref_name.into(),
            tag: read.flag("tag", &wire.tag)?,
            sha: read.text("sha", &wire.sha)?.unwrap_or_default().into(),
            status,
            source: read.text("source", &wire.source)?.map(ArcStr::from),
            created_at: read.time("created_at", &wire.created_at)?,
            updated_at: read.time("updated_at", &wire.updated_at)?,
            failure_reason: matches!(wire.yaml_errors, Value::Text(_)).then(|| CONFIG_ERROR.into()),
            has_other_jobs: false,
            // After a retry a running pipeline still shows the duration of before.
            duration: duration
                .filter(|_| status.is_terminal())
                .and_then(Span::from_seconds),
            web_url: read.link("web_url", &wire.web_url)?,
            commit_info: None,
            is_partial: false,
        })
    }
}

impl Record for TimedJob {
    const KIND: &'static str = "job";
    type Wire<'a> = wire::Job<'a>;

    fn read(read: &mut Reader, wire: wire::Job<'_>) -> Result<Self, Rejected> {
        attempt(read, &wire)
    }
}

/// Reads one attempt of a job or of a trigger job.
pub(super) fn attempt(read: &mut Reader, wire: &wire::Job<'_>) -> Result<TimedJob, Rejected> {
    let id = read.id(&wire.id)?;
    let name = read.required("name", &wire.name, RejectReason::MissingName)?;
    let status = read.required("status", &wire.status, RejectReason::MissingStatus)?;
    let status = Status::parse(status);
    let started_at = read.instant("started_at", &wire.started_at)?;
    let finished_at = read.instant("finished_at", &wire.finished_at)?;
    let duration = read.number("duration", &wire.duration)?;
    let queued = read.number("queued_duration", &wire.queued_duration)?;
    let reason = read.text("failure_reason", &wire.failure_reason)?;
    let job = JobObservation {
        id,
        name: name.into(),
        stage: read.text("stage", &wire.stage)?.unwrap_or_default().into(),
        // A list of anything but texts counts as none.
        tags: wire.tag_list.map_or_else(Arc::default, |list| {
            tags(serde_json::from_str(list.get()).unwrap_or_default())
        }),
        status,
        allow_failure: read.flag("allow_failure", &wire.allow_failure)?,
        created_at: read.time("created_at", &wire.created_at)?,
        started_at: started_at.and_then(times::whole_seconds),
        finished_at: finished_at.and_then(times::whole_seconds),
        // Grows while the job runs.
        duration: duration
            .filter(|_| status.is_terminal())
            .and_then(Span::from_seconds),
        // Of a waiting job the wait so far; it grows for ever on one that ended without a start.
        queued_duration: queued
            .filter(|_| started_at.is_some() || status == Status::Pending)
            .and_then(Span::from_seconds),
        moved_at: None,
        // Webhooks send `unknown_failure` with a success too.
        failure_reason: reason
            .filter(|word| status == Status::Failed && !word.is_empty())
            .map(Arc::from),
        web_url: read.link("web_url", &wire.web_url)?,
    };
    Ok(TimedJob {
        job,
        started_at: started_at.map(jiff::Timestamp::as_microsecond),
        finished_at: finished_at.map(jiff::Timestamp::as_microsecond),
        tag: read.flag("tag", &wire.tag)?,
        commit: (status == Status::Failed)
            .then(|| commit_of(wire))
            .flatten(),
    })
}

/// The tags of a job: sorted, with commas between them.
pub(super) fn tags(mut tags: Vec<Cow<'_, str>>) -> Arc<str> {
    tags.retain(|tag| !tag.trim().is_empty());
    if tags.is_empty() {
        // Without an allocation: most jobs have none.
        return Arc::default();
    }
    tags.sort_unstable();
    tags.dedup();
    tags.join(",").into()
}

impl Record for Project {
    const KIND: &'static str = "project";
    type Wire<'a> = wire::Project<'a>;

    fn read(read: &mut Reader, wire: wire::Project<'_>) -> Result<Self, Rejected> {
        let id = read.id(&wire.id)?;
        let path = &wire.path_with_namespace;
        let path = read.required("path_with_namespace", path, RejectReason::MissingPath)?;
        let hides_default_branch = wire.default_branch.is_none();
        let default_branch = wire.default_branch.unwrap_or_default();
        let default_branch = read.text("default_branch", &default_branch)?;
        Ok(Self {
            id,
            path: path.into(),
            web_url: read.link("web_url", &wire.web_url)?,
            default_branch: default_branch
                .filter(|branch| !branch.is_empty())
                .map(Arc::from),
            hides_default_branch,
            archived: read.flag("archived", &wire.archived)?,
        })
    }
}

#[cfg(test)]
mod tests;

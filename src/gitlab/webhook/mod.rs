//! Webhooks of GitLab: who sent one, and what it says of jobs.
//!
//! ```text
//! headers, body -> Verifier -> decode -> Hook (the same observations that polling makes)
//! ```
//!
//! What a hook says is partial: a job hook knows one attempt, a pipeline hook the last attempt of each
//! job. Hooks are lost, repeated and out of order, so they only ever make polling faster.

mod verify;
mod wire;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::value::RawValue;

pub use verify::{Refusal, Verifier};

use super::record::{Listing, Reader, RejectReason, Rejected};
use super::validate;
use super::wire::Job;
use crate::model::{JobObservation, Status};

/// What a hook is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookKind {
    /// `object_kind: build`, the Job Hook.
    Job,
    /// `object_kind: pipeline`, the Pipeline Hook.
    Pipeline,
    /// Anything else: pushes, merge requests, deployments, ..
    Other,
}

impl HookKind {
    /// Every kind, so that label values can start at zero.
    pub const ALL: [Self; 3] = [Self::Job, Self::Pipeline, Self::Other];

    /// The kind as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Pipeline => "pipeline",
            Self::Other => "other",
        }
    }
}

/// How a hook names its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookProject {
    /// GitLab's id.
    Id(u64),
    /// The full path: old pipeline hooks have no id.
    Path(Arc<str>),
}

/// What a job or a pipeline hook says.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Which project.
    pub project: HookProject,
    /// GitLab's global pipeline id.
    pub pipeline_id: u64,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// What started the pipeline; `None` in a job hook, which does not say.
    pub source: Option<Arc<str>>,
    /// Status of the pipeline; `None` in a job hook, where it is not reliable.
    pub pipeline_status: Option<Status>,
    /// The attempt the hook is about, or the last attempt of each job; no trigger jobs.
    pub jobs: Listing<JobObservation>,
}

/// What is in the body of a hook; looks at nothing but its kind. `None`: the body is no JSON object.
pub fn kind_of(body: &[u8]) -> Option<HookKind> {
    let envelope: wire::Envelope<'_> = serde_json::from_slice(body).ok()?;
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap_or_default();
    let kind = envelope.object_kind.map(text).unwrap_or_default();
    Some(match &*kind {
        "build" => HookKind::Job,
        "pipeline" => HookKind::Pipeline,
        _ => HookKind::Other,
    })
}

/// Reads a hook; `None` for one that is neither of a job nor of a pipeline.
pub fn decode(body: &[u8]) -> Result<Option<Hook>, Rejected> {
    let text = String::from_utf8_lossy(body);
    let Ok(record) = serde_json::from_str::<&RawValue>(&text) else {
        return Err(no_object("the body is no JSON".to_owned()));
    };
    match kind_of(text.as_bytes()) {
        Some(HookKind::Job) => job(record).map(Some),
        Some(HookKind::Pipeline) => pipeline(record).map(Some),
        Some(HookKind::Other) => Ok(None),
        None => Err(no_object("the body is no JSON object".to_owned())),
    }
}

fn no_object(detail: String) -> Rejected {
    Rejected {
        kind: "webhook",
        id: None,
        reason: RejectReason::WrongType,
        detail,
    }
}

fn job(record: &RawValue) -> Result<Hook, Rejected> {
    let (mut read, wire): (_, wire::JobHook<'_>) = Reader::open("job", record)?;
    let job_id = wire.build_id;
    read.id(job_id)?;
    let project = wire.project.and_then(|project| project.id);
    let project = read.other_id("project_id", wire.project_id.or(project))?;
    // Older versions give the pipeline's id only as that of the "commit".
    let commit = wire.commit.and_then(|commit| commit.id);
    let pipeline_id = read.other_id("pipeline_id", wire.pipeline_id.or(commit))?;
    let ref_name = read.required("ref", wire.ref_name, RejectReason::MissingRef)?;
    let attempt = Job {
        id: job_id,
        name: wire.build_name,
        stage: wire.build_stage,
        status: wire.build_status,
        allow_failure: wire.build_allow_failure,
        created_at: wire.build_created_at,
        started_at: wire.build_started_at,
        finished_at: wire.build_finished_at,
        duration: wire.build_duration,
        queued_duration: wire.build_queued_duration,
        failure_reason: wire.build_failure_reason,
        web_url: None,
    };
    let job = validate::attempt_of(read, &attempt)?.into();
    Ok(Hook {
        project: HookProject::Id(project),
        pipeline_id,
        ref_name,
        source: None,
        pipeline_status: None,
        jobs: Listing {
            items: vec![with_known_reason(job)],
            rejected: Vec::new(),
        },
    })
}

fn pipeline(record: &RawValue) -> Result<Hook, Rejected> {
    let (mut read, wire): (_, wire::PipelineHook<'_>) = Reader::open("pipeline", record)?;
    let attributes = wire.object_attributes;
    let attributes =
        attributes.ok_or_else(|| read.missing("object_attributes.id", RejectReason::MissingId))?;
    let pipeline_id = read.id(attributes.id)?;
    let id = wire.project.as_ref().and_then(|project| project.id);
    let path = wire.project.and_then(|project| project.path_with_namespace);
    let project = match (id, path) {
        (None, Some(path)) => {
            let field = "project.path_with_namespace";
            let path = read.required(field, Some(path), RejectReason::MissingPath)?;
            HookProject::Path(path)
        }
        _ => HookProject::Id(read.other_id("project.id", id)?),
    };
    let status = read.required("status", attributes.status, RejectReason::MissingStatus)?;
    let mut jobs = Listing::new();
    jobs.extend(
        &wire.builds.unwrap_or_default(),
        &mut HashSet::new(),
        |build| {
            let job: JobObservation = validate::job(build)?.into();
            Ok(with_known_reason(job))
        },
    );
    Ok(Hook {
        project,
        pipeline_id,
        ref_name: read.required("ref", attributes.ref_name, RejectReason::MissingRef)?,
        source: read.text("source", attributes.source)?,
        pipeline_status: Some(Status::parse(&status)),
        jobs,
    })
}

/// A hook says `unknown_failure` where the API says nothing at all.
fn with_known_reason(mut job: JobObservation) -> JobObservation {
    job.failure_reason = job
        .failure_reason
        .filter(|reason| &**reason != "unknown_failure");
    job
}

#[cfg(test)]
mod tests;

//! Webhooks of GitLab: their sender and the jobs in them.
//!
//! ```text
//! headers, body -> Verifier -> decode -> Hook (the same observations that polling makes)
//! ```
//!
//! What a hook says is partial: a job hook knows one attempt, a pipeline hook the last attempt of each
//! job. Hooks are lost, repeated and out of order, so they only ever make polling faster.

mod verify;
mod wire;

use std::sync::Arc;

use serde::Deserialize;
use strum::{IntoStaticStr, VariantArray};

pub use verify::{Refusal, Verifier};

use ci_history::{JobObservation, Status};

use super::listing::{Listing, Pages, RejectReason, Rejected};
use super::record::{self, Reader};
use super::validate::{self, PipelineJobs, TimedJob};
use super::wire::{Field, Job, Value};

/// The subject of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum HookKind {
    /// `object_kind: build`, the Job Hook.
    Job,
    /// `object_kind: pipeline`, the Pipeline Hook.
    Pipeline,
    /// Anything else: pushes, merge requests, deployments, ..
    Other,
}

/// How a hook names its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookProject {
    /// GitLab's id.
    Id(u64),
    /// The full path: old pipeline hooks have no id.
    Path(Arc<str>),
}

/// A job hook or a pipeline hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Which project.
    pub project: HookProject,
    /// GitLab's global pipeline id.
    pub pipeline_id: u64,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// `source` of the pipeline; job hooks lack it.
    pub source: Option<Arc<str>>,
    /// Status of the pipeline; `None` in a job hook, where it is not reliable.
    pub pipeline_status: Option<Status>,
    /// The attempt the hook is about, or the last attempt of each job; no trigger jobs.
    pub jobs: Listing<JobObservation>,
}

/// The kind of a hook; looks at nothing else. `None`: the body is no JSON object.
pub fn kind_of(body: &[u8]) -> Option<HookKind> {
    let envelope: Value<'_, wire::Envelope<'_>> = serde_json::from_slice(body).ok()?;
    Some(match envelope.object()?.object_kind {
        Value::Text(kind) if kind == "build" => HookKind::Job,
        Value::Text(kind) if kind == "pipeline" => HookKind::Pipeline,
        _ => HookKind::Other,
    })
}

/// Reads a hook of the kind that [`kind_of`] found; `None` for one that is neither of a job nor of a
/// pipeline.
pub fn decode(kind: HookKind, body: &[u8]) -> Result<Option<Hook>, Rejected> {
    let text = String::from_utf8_lossy(body);
    match kind {
        HookKind::Job => job(parse(&text)?).map(Some),
        HookKind::Pipeline => pipeline(parse(&text)?).map(Some),
        HookKind::Other => Ok(None),
    }
}

fn parse<'a, W: Deserialize<'a>>(json: &'a str) -> Result<Value<'a, W>, Rejected> {
    serde_json::from_str(json).map_err(|error| Rejected {
        kind: "webhook",
        id: None,
        reason: RejectReason::WrongType,
        detail: format!("the body cannot be read: {error}"),
    })
}

fn job(hook: Value<'_, wire::JobHook<'_>>) -> Result<Hook, Rejected> {
    let (mut read, wire) = Reader::open("job", hook)?;
    read.id(&wire.build_id)?;
    let project = read.other_id("project_id", &wire.project_id.or(id_of(wire.project)))?;
    // Older versions give the pipeline's id only as that of the "commit".
    let pipeline_id = read.other_id("pipeline_id", &wire.pipeline_id.or(id_of(wire.commit)))?;
    let ref_name = read.required("ref", &wire.ref_name, RejectReason::MissingRef)?;
    let ref_name = Arc::from(ref_name);
    let attempt = Job {
        id: wire.build_id,
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
        ..Job::default()
    };
    let job = validate::attempt(&mut read, &attempt)?.job;
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

fn id_of<'a>(related: Value<'a, wire::Related<'a>>) -> Field<'a> {
    related.object().unwrap_or_default().id
}

fn pipeline(hook: Value<'_, wire::PipelineHook<'_>>) -> Result<Hook, Rejected> {
    let (mut read, wire) = Reader::open("pipeline", hook)?;
    let pipeline = wire.object_attributes.object().unwrap_or_default();
    let pipeline_id = read.id(&pipeline.id)?;
    let project = wire.project.object().unwrap_or_default();
    let project = match (&project.id, &project.path_with_namespace) {
        (Value::Missing, path @ Value::Text(_)) => {
            let name = "project.path_with_namespace";
            let path = read.required(name, path, RejectReason::MissingPath)?;
            HookProject::Path(path.into())
        }
        (id, _) => HookProject::Id(read.other_id("project.id", id)?),
    };
    let status = read.required("status", &pipeline.status, RejectReason::MissingStatus)?;
    let ref_name = read.required("ref", &pipeline.ref_name, RejectReason::MissingRef)?;
    let mut jobs = Pages::<TimedJob>::default();
    jobs.extend(wire.builds.into_iter().flatten().map(record::decode));
    let jobs = PipelineJobs::from(jobs).jobs;
    Ok(Hook {
        project,
        pipeline_id,
        ref_name: ref_name.into(),
        source: read.text("source", &pipeline.source)?.map(Arc::from),
        pipeline_status: Some(Status::parse(status)),
        jobs: Listing {
            items: jobs.items.into_iter().map(with_known_reason).collect(),
            rejected: jobs.rejected,
        },
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

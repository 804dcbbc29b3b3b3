//! Webhooks of GitLab: their sender and the pipeline that they name.
//!
//! ```text
//! headers, body -> Verifier -> decode -> Hook (a pipeline to read)
//! ```
//!
//! Hooks are lost, repeated, out of order, and sent by everybody who knows the secret. So a hook only names a
//! pipeline that may have moved: what counts is what the API says of it.

mod verify;
mod wire;

use std::sync::Arc;

use serde::Deserialize;
use strum::{IntoStaticStr, VariantArray};

pub use verify::{Credential, Refusal, Verifier};

use ci_history::Status;

use super::listing::{RejectReason, Rejected};
use super::record::Reader;
use super::wire::{Field, Value};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What the status is of: a job or the pipeline.
    pub kind: HookKind,
    /// Which project.
    pub project: HookProject,
    /// GitLab's global pipeline id.
    pub pipeline_id: u64,
    /// Branch or tag. For the pipeline of a merge request, the source branch or the API's name of the ref.
    pub ref_name: Arc<str>,
    /// `source` of the pipeline; job hooks lack it.
    pub source: Option<Arc<str>>,
    /// Number of the pipeline's merge request within the project; job hooks lack it.
    pub merge_request: Option<u64>,
    /// New status of the job or of the pipeline.
    pub status: Status,
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
    let reason = RejectReason::MissingStatus;
    let status = read.required("build_status", &wire.build_status, reason)?;
    Ok(Hook {
        kind: HookKind::Job,
        project: HookProject::Id(project),
        pipeline_id,
        ref_name: ref_name.into(),
        source: None,
        merge_request: None,
        status: Status::parse(status),
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
    let merge_request = wire.merge_request.object().unwrap_or_default().iid;
    Ok(Hook {
        kind: HookKind::Pipeline,
        project,
        pipeline_id,
        ref_name: ref_name.into(),
        source: read.text("source", &pipeline.source)?.map(Arc::from),
        merge_request: read.other_id("merge_request.iid", &merge_request).ok(),
        status: Status::parse(status),
    })
}

#[cfg(test)]
mod tests;

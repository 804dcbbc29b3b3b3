//! The shapes of GitLab's webhooks, field by field as they came; variables, users and messages are not read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::gitlab::wire::Raw;

/// What tells one kind of hook from another.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) object_kind: Raw<'a>,
}

/// `object_kind: build`.
#[derive(Deserialize)]
pub(super) struct JobHook<'a> {
    #[serde(borrow, rename = "ref")]
    pub(super) ref_name: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_id: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_name: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_stage: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_status: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_created_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_started_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_finished_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_duration: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_queued_duration: Raw<'a>,
    #[serde(borrow)]
    pub(super) build_allow_failure: Raw<'a>,
    /// `unknown_failure` on a success, too.
    #[serde(borrow)]
    pub(super) build_failure_reason: Raw<'a>,
    /// Absent before GitLab 13.
    #[serde(borrow)]
    pub(super) pipeline_id: Raw<'a>,
    #[serde(borrow)]
    pub(super) project_id: Raw<'a>,
    /// Its id is the pipeline's.
    #[serde(borrow)]
    pub(super) commit: Option<HasId<'a>>,
    #[serde(borrow)]
    pub(super) project: Option<HasId<'a>>,
}

/// `object_kind: pipeline`.
#[derive(Deserialize)]
pub(super) struct PipelineHook<'a> {
    #[serde(borrow)]
    pub(super) object_attributes: Option<Attributes<'a>>,
    #[serde(borrow)]
    pub(super) project: Option<HasId<'a>>,
    /// As the jobs of the API, without a few fields.
    #[serde(borrow)]
    pub(super) builds: Option<Vec<&'a RawValue>>,
}

/// The pipeline itself.
#[derive(Deserialize)]
pub(super) struct Attributes<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow, rename = "ref")]
    pub(super) ref_name: Raw<'a>,
    #[serde(borrow)]
    pub(super) status: Raw<'a>,
    #[serde(borrow)]
    pub(super) source: Raw<'a>,
}

/// Something of which only the id matters, or its path.
#[derive(Deserialize)]
pub(super) struct HasId<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow)]
    pub(super) path_with_namespace: Raw<'a>,
}

//! The shapes GitLab sends, field by field as they came; what they mean is decided in `validate`.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A field as it came; `None` for a missing one and for `null`.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// An element of `GET /projects/:id/pipelines`, or the single pipeline.
#[derive(Deserialize)]
pub(super) struct Pipeline<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow, rename = "ref")]
    pub(super) ref_name: Raw<'a>,
    #[serde(borrow)]
    pub(super) sha: Raw<'a>,
    #[serde(borrow)]
    pub(super) status: Raw<'a>,
    #[serde(borrow)]
    pub(super) source: Raw<'a>,
    #[serde(borrow)]
    pub(super) created_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) updated_at: Raw<'a>,
    /// Only on the single pipeline.
    #[serde(borrow)]
    pub(super) duration: Raw<'a>,
    #[serde(borrow)]
    pub(super) web_url: Raw<'a>,
    #[serde(borrow)]
    pub(super) project_id: Raw<'a>,
}

/// What only an element of `GET /projects/:id/pipelines/:id/bridges` has.
#[derive(Deserialize)]
pub(super) struct Bridge<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow)]
    pub(super) downstream_pipeline: Raw<'a>,
}

/// An element of `GET /projects/:id/pipelines/:id/jobs` or `../bridges`.
#[derive(Deserialize)]
pub(super) struct Job<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow)]
    pub(super) name: Raw<'a>,
    #[serde(borrow)]
    pub(super) stage: Raw<'a>,
    #[serde(borrow)]
    pub(super) status: Raw<'a>,
    #[serde(borrow)]
    pub(super) allow_failure: Raw<'a>,
    #[serde(borrow)]
    pub(super) created_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) started_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) finished_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) duration: Raw<'a>,
    #[serde(borrow)]
    pub(super) queued_duration: Raw<'a>,
    #[serde(borrow)]
    pub(super) failure_reason: Raw<'a>,
    #[serde(borrow)]
    pub(super) web_url: Raw<'a>,
}

/// An element of `GET /projects/:id/pipeline_schedules`, or the single schedule.
#[derive(Deserialize)]
pub(super) struct Schedule<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow)]
    pub(super) description: Raw<'a>,
    #[serde(borrow, rename = "ref")]
    pub(super) ref_name: Raw<'a>,
    #[serde(borrow)]
    pub(super) next_run_at: Raw<'a>,
    #[serde(borrow)]
    pub(super) active: Raw<'a>,
    #[serde(borrow)]
    pub(super) updated_at: Raw<'a>,
    /// Only on the single schedule.
    #[serde(borrow)]
    pub(super) last_pipeline: Raw<'a>,
}

/// `GET /projects/:id`, or an element of `GET /groups/:id/projects`.
#[derive(Deserialize)]
pub(super) struct Project<'a> {
    #[serde(borrow)]
    pub(super) id: Raw<'a>,
    #[serde(borrow)]
    pub(super) path_with_namespace: Raw<'a>,
    #[serde(borrow)]
    pub(super) web_url: Raw<'a>,
    /// `null` in a project without commits.
    #[serde(borrow)]
    pub(super) default_branch: Raw<'a>,
    #[serde(borrow)]
    pub(super) archived: Raw<'a>,
}

/// `GET /personal_access_tokens/self`.
#[derive(Deserialize)]
pub(super) struct Token<'a> {
    #[serde(borrow)]
    pub(super) scopes: Raw<'a>,
    /// A day without a time, or `null`.
    #[serde(borrow)]
    pub(super) expires_at: Raw<'a>,
}

/// `GET /metadata`.
#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) version: Raw<'a>,
}

/// Of `GET /projects/:id` what says whether CI/CD is on; lists of a group leave it out.
#[derive(Deserialize)]
pub(super) struct Ci<'a> {
    #[serde(borrow)]
    pub(super) builds_access_level: Raw<'a>,
    /// Deprecated in favour of the other.
    #[serde(borrow)]
    pub(super) jobs_enabled: Raw<'a>,
}

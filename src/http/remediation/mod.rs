//! Remediation over HTTP: what was decided and done, and requests for more.

mod act;
mod form;
mod job_names;
mod pipeline_section;
mod result;
mod section;

use http::StatusCode;
use serde_json::json;
use url::form_urlencoded;

pub(super) use self::act::Action;
pub(super) use self::pipeline_section::pipeline_section;
pub(super) use self::section::{recovered, section};
use super::api::json_body;
use super::context::{Context, Head};
use super::response::Response;
use crate::remediation::RemediationsView;

/// The path of the record.
pub(super) const LIST_PATH: &str = "/api/v1/remediations";

/// `GET /api/v1/remediations`, of all jobs or of a `project`.
pub(super) fn list(context: &Context, head: Head<'_>) -> Response {
    let Some(remedies) = &context.remedies else {
        let body = json!({ "mode": "off", "actions": [], "decisions": [], "circuits": [], "halted": null });
        return json_body(StatusCode::OK, &body);
    };
    let mut query = form_urlencoded::parse(head.query.as_bytes());
    let project = query.find_map(|(key, value)| (key == "project").then_some(value));
    let (ledger, decisions) = remedies.executor.shown();
    let is_wanted = |job: &crate::remediation::JobName| {
        project
            .as_deref()
            .is_none_or(|project| *project == *job.project)
    };
    let mode = remedies.executor.mode();
    json_body(
        StatusCode::OK,
        &RemediationsView::of(mode, &ledger, &decisions, is_wanted),
    )
}

//! Remediation over HTTP: what was decided and done, and requests for more.

mod act;
mod form;
mod section;

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;
use url::form_urlencoded;

pub(super) use self::act::Action;
pub(super) use self::section::{recovered, section};
use super::api::json_body;
use super::context::{Context, Head};
use super::response::Response;
use crate::remediation::{Callers, Executor, RemediationsView};

/// The path of the record.
pub(super) const LIST_PATH: &str = "/api/v1/remediations";

/// Requests for actions that are worked on at a time. Others are refused, and may come again.
const AT_A_TIME: usize = 8;

/// What decides and acts, and who may ask it.
pub struct Remedies {
    executor: Arc<Executor>,
    callers: Callers,
    /// Proves that a form was on a page of this process.
    form_token: String,
    turns: Arc<Semaphore>,
}

impl Remedies {
    /// `form_token` cannot be guessed, and is another one in each process.
    pub fn new(executor: Arc<Executor>, callers: Callers, form_token: String) -> Self {
        Self {
            executor,
            callers,
            form_token,
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        self.callers.of(headers)
    }
}

/// `GET /api/v1/remediations`, of all jobs or of a `project`.
pub(super) fn list(context: &Context, head: Head<'_>) -> Response {
    let Some(remedies) = &context.remedies else {
        let body = json!({ "mode": "off", "actions": [], "decisions": [], "circuits": [] });
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

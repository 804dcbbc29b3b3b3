//! `GET /api/v1/job`: one job as JSON, with the alerts on it.

use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::api::{bad_request, json_body};
use super::context::{Context, Head};
use super::job_state::{JobFacts, JobState};
use super::job_view::JobView;
use super::listing::address;
use super::parameters::unknown;
use super::response::Response;
use super::status::JobEntry;
use crate::alerting::Report;

/// The parameters.
struct JobQuery {
    project: String,
    ref_name: String,
    track: Option<String>,
    job: String,
}

#[derive(Serialize)]
struct JobBody<'a> {
    #[serde(flatten)]
    job: JobView<'a>,
    states: Vec<&'static str>,
    /// `None` if neither Prometheus nor Alertmanager was asked.
    alerting: Option<&'a Report>,
}

/// The job that the parameters name.
pub(super) fn named(context: &Context, head: Head<'_>) -> Option<JobEntry> {
    found(context, &JobQuery::parse(head.query).ok()?)
}

fn found(context: &Context, query: &JobQuery) -> Option<JobEntry> {
    let track = query.track.as_deref();
    (context.status).job(&query.project, &query.ref_name, track, &query.job)
}

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let query = match JobQuery::parse(head.query) {
        Ok(query) => query,
        Err(message) => return bad_request(&message),
    };
    let Some(job) = found(context, &query) else {
        let message = format!(
            "no job `{}` of the ref `{}` of `{}` is tracked on this track; /api/v1/jobs?project=.. lists the jobs of a project",
            query.job, query.ref_name, query.project
        );
        return json_body(StatusCode::NOT_FOUND, &json!({ "error": message }));
    };
    let facts = JobFacts::of(&job.row);
    let states = facts.states((context.now)());
    let body = JobBody {
        job: JobView::of(&job),
        states: states.map(JobState::as_str).collect(),
        alerting: context.told.job(),
    };
    json_body(StatusCode::OK, &body)
}

impl JobQuery {
    fn parse(query: &str) -> Result<Self, String> {
        let (mut project, mut ref_name, mut track, mut job) = (None, None, None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "project" => project = Some(value.into_owned()),
                "ref" => ref_name = Some(value.into_owned()),
                "track" => track = Some(value.into_owned()),
                "job_name" => job = Some(value.into_owned()),
                key => return Err(unknown(key, &[&["project", "ref", "track", "job_name"]])),
            }
        }
        let given = |name: &str, value: Option<String>| {
            let example = [
                ("project", "group/app"),
                ("ref", "main"),
                ("job_name", "unit-tests"),
            ];
            let value = value.filter(|value| !value.is_empty());
            value
                .ok_or_else(|| format!("`{name}` is missing; {}", address("/api/v1/job", &example)))
        };
        Ok(Self {
            project: given("project", project)?,
            ref_name: given("ref", ref_name)?,
            track,
            job: given("job_name", job)?,
        })
    }
}

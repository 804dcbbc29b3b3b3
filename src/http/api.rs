//! `GET /api/v1/jobs`: the jobs as JSON; its shape is documented in `docs/api.md`.

use ci_history::Timestamp;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::context::{Context, Head};
use super::job_state::{JobFacts, JobState};
use super::job_view::JobView;
use super::list_query::HIGHEST_LIMIT;
use super::listing::{limit, offset};
use super::parameters::unknown;
use super::query::{PARAMETERS, Wanted};
use super::response::{JSON, Response, uncached};
use super::selection::Paging;

/// Jobs in a response that names no limit.
const DEFAULT_LIMIT: usize = 100;

/// The wanted jobs, and the part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JobsQuery {
    wanted: Wanted,
    paging: Paging,
}

/// A job with its states at this moment.
#[derive(Serialize)]
struct ListedJob<'a> {
    #[serde(flatten)]
    job: JobView<'a>,
    states: Vec<&'static str>,
}

#[derive(Serialize)]
struct JobsBody<'a> {
    as_of_timestamp_seconds: Timestamp,
    jobs: Vec<ListedJob<'a>>,
    offset: usize,
    limit: usize,
    matching: usize,
    total: usize,
    failing: usize,
    tracked: usize,
}

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let JobsQuery { wanted, paging } = match JobsQuery::parse(head.query) {
        Ok(query) => query,
        Err(message) => return bad_request(&message),
    };
    let now = (context.now)();
    let page = context.status.jobs(&wanted.query(paging, now));
    let jobs = page.items.iter().map(|job| ListedJob {
        job: JobView::of(job),
        states: JobFacts::of(&job.row)
            .states(now)
            .map(JobState::as_str)
            .collect(),
    });
    let body = JobsBody {
        as_of_timestamp_seconds: now,
        jobs: jobs.collect(),
        offset: paging.offset,
        limit: paging.limit,
        matching: page.matching,
        total: page.tracked,
        failing: page.failing,
        tracked: page.tracked,
    };
    json_body(StatusCode::OK, &body)
}

/// What cannot be read of a query.
pub(super) fn bad_request(message: &str) -> Response {
    json_body(StatusCode::BAD_REQUEST, &json!({ "error": message }))
}

#[expect(
    clippy::expect_used,
    reason = "maps with string keys and plain numbers always serialize"
)]
pub(super) fn json_body(code: StatusCode, body: &impl Serialize) -> Response {
    let mut text = serde_json::to_vec(body).expect("a body that serializes");
    text.push(b'\n');
    uncached(code, JSON, text)
}

impl JobsQuery {
    /// Reads what selects and orders jobs, `limit` and `offset`.
    ///
    /// # Errors
    ///
    /// The parameter and its wanted values.
    fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self {
            wanted: Wanted::all(),
            paging: Paging {
                offset: 0,
                limit: DEFAULT_LIMIT,
            },
        };
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*key {
                "offset" => query.paging.offset = offset(&value)?,
                "limit" => query.paging.limit = limit(&value, HIGHEST_LIMIT)?,
                // Here nobody submits empty fields of a form.
                "track" if value.is_empty() => query.wanted.filter.track = Some(String::new()),
                key => {
                    if !query.wanted.read(key, &value)? {
                        return Err(unknown(key, &[&PARAMETERS, &["limit", "offset"]]));
                    }
                }
            }
        }
        query.wanted.filter.check()?;
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_refused_with_the_wanted_values() {
        let query = "q=+unit&failing=1&project=a%2Fb&ref=main&track=&limit=5&offset=10&sort=team";
        let read = JobsQuery::parse(query).unwrap();
        let filter = &read.wanted.filter;
        assert_eq!(filter.text, "unit");
        assert_eq!(filter.project.as_deref(), Some("a/b"));
        assert_eq!(filter.ref_name.as_deref(), Some("main"));
        assert_eq!(filter.track.as_deref(), Some(""));
        assert_eq!(filter.state, Some(JobState::Failing));
        assert_eq!((read.paging.limit, read.paging.offset), (5, 10));
        for (query, wanted) in [
            (
                "limit=0",
                "`limit` is `0`, a whole number from 1 to 1000 is wanted",
            ),
            (
                "limit=1001",
                "`limit` is `1001`, a whole number from 1 to 1000 is wanted",
            ),
            (
                "offset=-1",
                "`offset` is `-1`, a whole number from 0 to 1000000000 is wanted",
            ),
            (
                "failing=yes",
                "`failing` is `yes`, one of these is wanted: 1, true, 0, false",
            ),
            (
                "q=a+b+c+d+e+f+g+h+i",
                "`q` has 9 words, at most 8 are searched for",
            ),
            (
                "page=2",
                "found the parameter `page`, wanted q, state, project, ref, track, team, class, sort, order, failing, limit, offset",
            ),
        ] {
            assert_eq!(JobsQuery::parse(query).unwrap_err(), wanted);
        }
    }
}

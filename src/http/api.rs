//! `GET /api/v1/jobs`: the jobs as JSON; its shape is documented in `docs/api.md`.

use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::context::{Context, Head};
use super::job_view::JobView;
use super::response::{JSON, Response, uncached};
use super::selection::{JobFilter, Paging};

/// Jobs in a response that names no limit.
const DEFAULT_LIMIT: usize = 100;

/// Jobs in a response at most.
const HIGHEST_LIMIT: usize = 1000;

/// The wanted jobs, and the part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JobsQuery {
    filter: JobFilter,
    paging: Paging,
}

#[derive(Serialize)]
struct JobsBody<'a> {
    jobs: Vec<JobView<'a>>,
    offset: usize,
    limit: usize,
    matching: usize,
    failing: usize,
    tracked: usize,
}

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let JobsQuery { filter, paging } = match JobsQuery::parse(head.query) {
        Ok(query) => query,
        Err(message) => return json_body(StatusCode::BAD_REQUEST, &json!({ "error": message })),
    };
    let page = context.status.jobs(&filter, paging);
    let body = JobsBody {
        jobs: page.items.iter().map(JobView::of).collect(),
        offset: paging.offset,
        limit: paging.limit,
        matching: page.matching,
        failing: page.failing,
        tracked: page.tracked,
    };
    json_body(StatusCode::OK, &body)
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
    /// Reads `q`, `failing`, `project`, `ref`, `track`, `limit` and `offset`.
    ///
    /// # Errors
    ///
    /// The parameter and its wanted values.
    fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self {
            filter: JobFilter::default(),
            paging: Paging {
                offset: 0,
                limit: DEFAULT_LIMIT,
            },
        };
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*key {
                "q" => value.trim().clone_into(&mut query.filter.text),
                "project" => query.filter.project = Some(value.into_owned()),
                "ref" => query.filter.ref_name = Some(value.into_owned()),
                "track" => query.filter.track = Some(value.into_owned()),
                "failing" => {
                    query.filter.failing_only = match &*value {
                        "1" | "true" => true,
                        "0" | "false" | "" => false,
                        _ => return Err(refusal("failing", "1 or 0")),
                    }
                }
                "offset" => {
                    let number = value.parse();
                    query.paging.offset =
                        number.map_err(|_| refusal("offset", "a whole number"))?;
                }
                "limit" => {
                    let number = value.parse().ok();
                    let number = number.filter(|limit| (1..=HIGHEST_LIMIT).contains(limit));
                    let wanted = format!("a whole number from 1 to {HIGHEST_LIMIT}");
                    query.paging.limit = number.ok_or_else(|| refusal("limit", &wanted))?;
                }
                _ => {}
            }
        }
        query.filter.check()?;
        Ok(query)
    }
}

fn refusal(name: &str, wanted: &str) -> String {
    format!("`{name}` wants {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_refused_with_the_wanted_values() {
        let query = "q=+unit&failing=1&project=a%2Fb&ref=main&track=&limit=5&offset=10";
        let read = JobsQuery::parse(query).unwrap();
        assert_eq!(read.filter.text, "unit");
        assert_eq!(read.filter.project.as_deref(), Some("a/b"));
        assert_eq!(read.filter.ref_name.as_deref(), Some("main"));
        assert_eq!(read.filter.track.as_deref(), Some(""));
        assert!(read.filter.failing_only);
        assert_eq!((read.paging.limit, read.paging.offset), (5, 10));
        for (query, wanted) in [
            ("limit=0", "`limit` wants a whole number from 1 to 1000"),
            ("limit=1001", "`limit` wants a whole number from 1 to 1000"),
            ("offset=-1", "`offset` wants a whole number"),
            ("failing=yes", "`failing` wants 1 or 0"),
            (
                "q=a+b+c+d+e+f+g+h+i",
                "`q` has 9 words, at most 8 are searched for",
            ),
        ] {
            assert_eq!(JobsQuery::parse(query).unwrap_err(), wanted);
        }
    }
}

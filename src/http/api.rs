//! `GET /api/v1/jobs`: the jobs as JSON; its shape is documented in `docs/api.md`.

use std::collections::BTreeMap;

use serde::Serialize;
use url::form_urlencoded;

use super::address;
use super::selection::{JobFilter, Paging};
use super::shown::is_web;
use super::status::{JobEntry, JobPage};
use crate::model::{
    Failing, FailureClass, Figures, LogExcerpt, Outcome, Span, Timestamp, WindowEntry,
};

/// Jobs of an answer where nothing else is asked for.
const USUAL_LIMIT: usize = 100;

/// Jobs of an answer at most.
const HIGHEST_LIMIT: usize = 1000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) filter: JobFilter,
    pub(super) paging: Paging,
}

impl Question {
    /// Reads `q`, `failing`, `project`, `limit` and `offset`, or says what is wrong with them.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut question = Self {
            filter: JobFilter::default(),
            paging: Paging {
                offset: 0,
                limit: USUAL_LIMIT,
            },
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => value.trim().clone_into(&mut question.filter.text),
                "project" => question.filter.project = Some(value.into_owned()),
                "failing" => {
                    question.filter.failing_only = match &*value {
                        "1" | "true" => true,
                        "0" | "false" | "" => false,
                        _ => return Err(refusal("failing", "1 or 0")),
                    }
                }
                "offset" => {
                    let number = value.parse();
                    question.paging.offset =
                        number.map_err(|_| refusal("offset", "a whole number"))?;
                }
                "limit" => {
                    let number = value.parse().ok();
                    let number = number.filter(|limit| (1..=HIGHEST_LIMIT).contains(limit));
                    let wanted = format!("a whole number from 1 to {HIGHEST_LIMIT}");
                    question.paging.limit = number.ok_or_else(|| refusal("limit", &wanted))?;
                }
                _ => {}
            }
        }
        Ok(question)
    }
}

fn refusal(name: &str, wanted: &str) -> String {
    format!("`{name}` wants {wanted}")
}

/// An answer that is an error.
pub(super) fn error(message: &str) -> Vec<u8> {
    json(&BTreeMap::from([("error", message)]))
}

/// An answer with jobs.
pub(super) fn jobs(page: &JobPage, paging: Paging) -> Vec<u8> {
    json(&Answer {
        jobs: page.items.iter().map(Row::of).collect(),
        offset: paging.offset,
        limit: paging.limit,
        matching: page.matching,
        failing: page.failing,
        tracked: page.tracked,
    })
}

#[expect(
    clippy::expect_used,
    reason = "maps with string keys and plain numbers always serialize"
)]
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("an answer that serializes");
    text.push(b'\n');
    text
}

#[derive(Serialize)]
struct Answer<'a> {
    jobs: Vec<Row<'a>>,
    offset: usize,
    limit: usize,
    matching: usize,
    failing: usize,
    tracked: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    project: &'a str,
    #[serde(rename = "ref")]
    ref_name: &'a str,
    job_name: &'a str,
    stage: &'a str,
    team: Option<&'a str>,
    allow_failure: bool,
    page: Option<String>,
    consecutive_failures: u64,
    failure_ratio: f64,
    window_executions: usize,
    window_failures: usize,
    window_flaky: usize,
    window: Vec<Execution<'a>>,
    executions_total: BTreeMap<&'static str, u64>,
    failures_total: BTreeMap<&'static str, u64>,
    flaky_executions_total: u64,
    retries_total: u64,
    first_seen_timestamp_seconds: Option<i64>,
    last_execution_timestamp_seconds: Option<i64>,
    last_success_timestamp_seconds: Option<i64>,
    last_failure_timestamp_seconds: Option<i64>,
    duration_seconds: Option<f64>,
    queued_duration_seconds: Option<f64>,
    usual_duration_seconds: Option<f64>,
    running_start_timestamp_seconds: Option<i64>,
    pending_start_timestamp_seconds: Option<i64>,
    failing: Option<Streak<'a>>,
}

#[derive(Serialize)]
struct Execution<'a> {
    outcome: &'static str,
    flaky: bool,
    job_id: Option<u64>,
    pipeline_id: Option<u64>,
    commit: Option<&'a str>,
    finished_timestamp_seconds: Option<i64>,
    web_url: Option<&'a str>,
}

#[derive(Serialize)]
struct Streak<'a> {
    since_timestamp_seconds: Option<i64>,
    first_failing_commit: Option<&'a str>,
    last_passing_commit: Option<&'a str>,
    compare_url: Option<String>,
    job_id: Option<u64>,
    pipeline_id: Option<u64>,
    commit: Option<&'a str>,
    failure_reason: Option<&'a str>,
    failure_class: &'static str,
    web_url: Option<&'a str>,
    log_excerpt: Option<Excerpt<'a>>,
}

#[derive(Serialize)]
struct Excerpt<'a> {
    job_id: u64,
    text: &'a str,
}

impl<'a> Row<'a> {
    fn of(entry: &'a JobEntry) -> Self {
        let row = &entry.row;
        let figures: &Figures = &row.figures;
        let time = |time: Option<Timestamp>| time.map(Timestamp::unix);
        let seconds = |span: Option<Span>| span.map(Span::seconds);
        let executions = Outcome::ALL.map(|o| (o.as_str(), figures.executions.get(o)));
        let failures = FailureClass::ALL.map(|c| (c.as_str(), figures.failures.get(c)));
        let failing = figures.failing.as_ref();
        Self {
            project: &entry.project,
            ref_name: &entry.ref_name,
            job_name: &row.name,
            stage: &row.stage,
            team: entry.team.as_deref(),
            allow_failure: row.allow_failure,
            page: address::of(&entry.project, &entry.ref_name, &row.name),
            consecutive_failures: figures.consecutive_failures,
            failure_ratio: figures.failure_ratio(),
            window_executions: figures.window_executions,
            window_failures: figures.window_failures,
            window_flaky: figures.window_flaky,
            window: figures.window.iter().map(Execution::of).collect(),
            executions_total: executions.into(),
            failures_total: failures.into(),
            flaky_executions_total: figures.flaky_executions,
            retries_total: figures.retries,
            first_seen_timestamp_seconds: time(figures.first_seen),
            last_execution_timestamp_seconds: time(figures.last_execution),
            last_success_timestamp_seconds: time(figures.last_success),
            last_failure_timestamp_seconds: time(figures.last_failure),
            duration_seconds: seconds(figures.duration),
            queued_duration_seconds: seconds(figures.queued_duration),
            usual_duration_seconds: seconds(figures.usual_duration),
            running_start_timestamp_seconds: time(figures.running_since),
            pending_start_timestamp_seconds: time(figures.pending_since),
            failing: failing.map(|failing| Streak::of(failing, entry)),
        }
    }
}

impl<'a> Execution<'a> {
    fn of(entry: &'a WindowEntry) -> Self {
        Self {
            outcome: entry.outcome.as_str(),
            flaky: entry.flaky,
            job_id: entry.job_id,
            pipeline_id: entry.pipeline_id,
            commit: entry.commit.as_deref(),
            finished_timestamp_seconds: entry.finished_at.map(Timestamp::unix),
            web_url: entry.web_url.as_deref().filter(|url| is_web(url)),
        }
    }
}

impl<'a> Streak<'a> {
    fn of(failing: &'a Failing, entry: &JobEntry) -> Self {
        let project_url = entry.project_url.as_deref().filter(|url| is_web(url));
        Self {
            since_timestamp_seconds: failing.since.map(Timestamp::unix),
            first_failing_commit: failing.first_failing_commit.as_deref(),
            last_passing_commit: failing.last_passing_commit.as_deref(),
            compare_url: failing.compare_url(project_url),
            job_id: failing.job_id,
            pipeline_id: failing.pipeline_id,
            commit: failing.commit.as_deref(),
            failure_reason: failing.failure_reason.as_deref(),
            failure_class: failing
                .failure_class
                .unwrap_or(FailureClass::Unknown)
                .as_str(),
            web_url: failing.web_url.as_deref().filter(|url| is_web(url)),
            log_excerpt: failing.excerpt.as_deref().map(Excerpt::of),
        }
    }
}

impl<'a> Excerpt<'a> {
    fn of(excerpt: &'a LogExcerpt) -> Self {
        Self {
            job_id: excerpt.job_id,
            text: &excerpt.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_or_refused_with_what_is_wanted() {
        let question =
            Question::parse("q=+unit&failing=1&project=a%2Fb&limit=5&offset=10&x=y").unwrap();
        assert_eq!(question.filter.text, "unit");
        assert_eq!(question.filter.project.as_deref(), Some("a/b"));
        assert!(question.filter.failing_only);
        assert_eq!((question.paging.limit, question.paging.offset), (5, 10));
        for (query, wanted) in [
            ("limit=0", "`limit` wants a whole number from 1 to 1000"),
            ("limit=1001", "`limit` wants a whole number from 1 to 1000"),
            ("offset=-1", "`offset` wants a whole number"),
            ("failing=yes", "`failing` wants 1 or 0"),
        ] {
            assert_eq!(Question::parse(query).unwrap_err(), wanted);
        }
    }
}

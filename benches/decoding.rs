//! Decoding a page of jobs as GitLab sends it, against `serde_json` with typed fields, which refuses the whole page for one
//! odd field.
//!
//! `cargo bench --bench decoding`. Budget: 1.5 times as long.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use job_failure_exporter::gitlab::decode_pipeline_jobs;
use serde::Deserialize;
use serde_json::value::RawValue;
use testkit::figures::{figure, in_turn, ratio};

/// Jobs of a self-managed GitLab.
const PAGE: &str = include_str!("../tests/data/gitlab/real_project_jobs_selfmanaged_2022.json");

/// Most times as long as typed fields.
const FACTOR: f64 = 1.5;

/// What is read of a job.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Job {
    id: u64,
    name: String,
    stage: String,
    tag: bool,
    #[serde(default)]
    tag_list: Vec<String>,
    status: String,
    allow_failure: bool,
    created_at: Time,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    duration: Option<f64>,
    queued_duration: Option<f64>,
    failure_reason: Option<String>,
    web_url: String,
    commit: Commit,
    user: User,
}

#[derive(Deserialize)]
#[serde(try_from = "&str")]
#[expect(dead_code, reason = "only decoded")]
struct Time(jiff::Timestamp);

impl TryFrom<&str> for Time {
    type Error = jiff::Error;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Commit {
    title: String,
    author_name: String,
    author_email: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct User {
    username: String,
}

fn decode() {
    let array: &RawValue = serde_json::from_str(black_box(PAGE)).unwrap();
    let jobs = decode_pipeline_jobs(array);
    assert!(!jobs.jobs.items.is_empty());
}

fn decode_typed() {
    // As in the other case, the text is checked to be one JSON value first.
    let array: &RawValue = serde_json::from_str(black_box(PAGE)).unwrap();
    black_box(serde_json::from_str::<Vec<Job>>(array.get()).unwrap());
}

fn decoding(criterion: &mut Criterion) {
    let times = in_turn(501, decode, decode_typed);
    let what = format!(
        "decoding a page of {} KB, times typed fields",
        PAGE.len() / 1000
    );
    figure(&what, format!("{:.2}", ratio(times)), FACTOR);
    let mut group = criterion.benchmark_group("a page of jobs");
    group.bench_function("decode", |bencher| bencher.iter(decode));
    group.bench_function("typed fields", |bencher| bencher.iter(decode_typed));
    group.finish();
    assert!(ratio(times) <= FACTOR, "{times:?}");
}

criterion_group!(benches, decoding);
criterion_main!(benches);

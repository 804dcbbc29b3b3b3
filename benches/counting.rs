//! Counting and loading, held against the budgets: 200,000 executions observed a second on one core, a
//! load within three times of parsing the same JSON, 2 KiB a tracked job.
//!
//! `cargo bench --bench counting`; `BENCH_JOBS` sets the number of jobs (default 20,000).
#![expect(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ci_history::{
    JobObservation, PipelineObservation, Rules, Span, Status, Timeline, TimelineKey, Timestamp,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use job_failure_exporter::store::{Saved, decode, encode};
use testkit::environment::setting;
use testkit::figures::{figure, in_turn, ratio};

/// Jobs of one pipeline.
const JOBS_A_TIMELINE: usize = 40;

/// Executions of each job: more than the window and what is kept beyond it.
const EXECUTIONS: u64 = 30;

/// Timelines whose observation is timed.
const OBSERVED: u64 = 50;

fn at(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_unix(1_700_000_000 + seconds.cast_signed())
}

fn pipeline(id: u64) -> (PipelineObservation, Vec<JobObservation>) {
    let pipeline = PipelineObservation {
        id,
        ref_name: "main".into(),
        tag: false,
        sha: format!("{id:040x}").into(),
        status: Status::Success,
        source: Some("push".into()),
        created_at: at(id * 600),
        updated_at: at(id * 600 + 300),
        duration: Some(Span::from_micros(300_000_000)),
        failure_reason: None,
        has_other_jobs: false,
        web_url: None,
        commit_info: None,
        is_partial: false,
    };
    let jobs = (0..JOBS_A_TIMELINE).map(|index| {
        let fails = (id + index as u64).is_multiple_of(7);
        JobObservation {
            id: id * 1000 + index as u64,
            name: format!("test: [linux, part-{index}]").into(),
            stage: "test".into(),
            tags: "".into(),
            status: if fails {
                Status::Failed
            } else {
                Status::Success
            },
            allow_failure: false,
            created_at: at(id * 600),
            started_at: at(id * 600 + 2),
            finished_at: at(id * 600 + 120),
            duration: Some(Span::from_micros(118_000_000)),
            queued_duration: Some(Span::from_micros(1_500_000)),
            moved_at: None,
            failure_reason: fails.then(|| Arc::from("script_failure")),
            web_url: None,
        }
    });
    (pipeline, jobs.collect())
}

fn timeline(project_id: u64, pipelines: &[(PipelineObservation, Vec<JobObservation>)]) -> Timeline {
    let key = TimelineKey::new(project_id, "main");
    let url = format!("https://gitlab.example.com/group/project-{project_id}");
    let path = format!("group/project-{project_id}");
    let mut timeline = Timeline::new(key, path.into(), Some(url.into()));
    let rules = Rules::default();
    for (pipeline, jobs) in pipelines {
        timeline.observe(pipeline, jobs, &rules, Timestamp::of_clock(1_800_000_000));
    }
    timeline
}

fn resident_bytes() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: usize = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * 4096)
}

fn counting(c: &mut Criterion) {
    let pipelines: Vec<_> = (1..=EXECUTIONS).map(pipeline).collect();
    let mut group = c.benchmark_group("observe");
    group.throughput(Throughput::Elements(EXECUTIONS * JOBS_A_TIMELINE as u64));
    group.bench_function("executions", |b| {
        b.iter(|| timeline(1, black_box(&pipelines)));
    });
    group.finish();

    let jobs = setting("BENCH_JOBS", 20_000);
    let count = (jobs / JOBS_A_TIMELINE).max(1);
    let before = resident_bytes();
    let timelines: Vec<_> = (0..count)
        .map(|id| timeline(id as u64, &pipelines))
        .collect();
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let each = after.saturating_sub(before) / (count * JOBS_A_TIMELINE);
        figure(
            "memory a job, histories only",
            format!("{each} bytes"),
            "2048 bytes",
        );
    }
    let observed = (EXECUTIONS * JOBS_A_TIMELINE as u64) as f64;
    let began = Instant::now();
    for id in 0..OBSERVED {
        black_box(timeline(id, &pipelines));
    }
    let a_second = observed * OBSERVED as f64 / began.elapsed().as_secs_f64();
    figure(
        "executions observed a second, one core",
        format!("{a_second:.0}"),
        "200000",
    );
    let rules = Rules::default();
    let documents: Vec<_> = timelines
        .into_iter()
        .map(|timeline| {
            let saved = Saved {
                timeline,
                watermark: None,
                has_gap: false,
                scope: job_failure_exporter::store::SavedScope::default(),
            };
            encode(&saved, &rules)
        })
        .collect();
    let parse = || {
        for document in &documents {
            black_box(serde_json::from_slice::<serde_json::Value>(document).ok());
        }
    };
    let load = || {
        for document in &documents {
            black_box(decode(document).ok());
        }
    };
    let times = ratio(in_turn(5, load, parse));
    figure(
        "decoding documents, times parsing their JSON",
        format!("{times:.2}"),
        3,
    );
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    group.throughput(Throughput::Elements((count * JOBS_A_TIMELINE) as u64));
    group.bench_function("json alone", |b| b.iter(parse));
    group.bench_function("timelines", |b| b.iter(load));
    group.finish();
}

criterion_group!(benches, counting);
criterion_main!(benches);

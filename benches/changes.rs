//! What one changed job of a ref of 1,000 costs, from the observation to the exposed text: rendering its piece against
//! rendering its ref.
//!
//! `cargo bench --bench changes`. Budget: 100 us a change, 50 ms for 200 that come at once.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(missing_docs, reason = "criterion's macros make undocumented items")]
#![expect(
    clippy::print_stderr,
    reason = "a figure that criterion does not measure"
)]

use std::hint::black_box;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_history::{
    JobObservation, PipelineObservation, Rules, Span, Status, Timeline, TimelineKey, Timestamp,
};
use criterion::{Criterion, criterion_group, criterion_main};
use job_failure_exporter::metrics::{Build, Exposition, Pieces, Telemetry};
use testkit::figures::figure;

/// Jobs of the ref.
const JOBS: u64 = 1000;

/// Executions of each job.
const EXECUTIONS: u64 = 14;

/// Longest time that a change may take.
const BUDGET: Duration = Duration::from_micros(100);

/// Jobs that end at once.
const AT_ONCE: u64 = 200;

/// Longest time that they may take, shown once.
const BUDGET_AT_ONCE: Duration = Duration::from_millis(50);

fn at(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_unix(1_700_000_000 + seconds.cast_signed())
}

fn pipeline(id: u64, status: Status) -> PipelineObservation {
    PipelineObservation {
        id,
        ref_name: "main".into(),
        tag: false,
        sha: format!("{id:040x}").into(),
        status,
        source: Some("push".into()),
        created_at: at(id * 600),
        updated_at: at(id * 600 + 300),
        duration: None,
        failure_reason: None,
        has_other_jobs: false,
        web_url: None,
        commit_info: None,
        is_partial: false,
    }
}

fn job(pipeline: u64, number: u64, status: Status) -> JobObservation {
    JobObservation {
        id: pipeline * 10_000 + number,
        name: format!("integration-tests {number}/{JOBS}").into(),
        stage: "test".into(),
        tags: "docker, linux".into(),
        status,
        allow_failure: false,
        created_at: at(pipeline * 600),
        started_at: at(pipeline * 600 + 2),
        finished_at: at(pipeline * 600 + 120 + number % 60),
        duration: Some(Span::from_micros(118_000_000 + number * 1_003_777)),
        queued_duration: Some(Span::from_micros(1_500_000 + number * 1777)),
        moved_at: None,
        failure_reason: None,
        web_url: None,
    }
}

/// A ref whose newest pipeline runs, with its jobs.
fn known(rules: &Rules) -> Timeline {
    let key = TimelineKey::new(7, "main");
    let mut timeline = Timeline::new(
        key,
        "platform/monorepo".into(),
        Some("https://gitlab.example.com/platform/monorepo".into()),
    );
    for id in 1..=EXECUTIONS {
        let is_last = id == EXECUTIONS;
        let status = if is_last {
            Status::Running
        } else {
            Status::Success
        };
        let jobs = (0..JOBS).map(|number| job(id, number, status));
        let jobs: Vec<_> = jobs.collect();
        timeline.observe(&pipeline(id, status), &jobs, rules, at(id * 600).unwrap());
    }
    timeline
}

/// Shows the piece of a job as the state does, given the names at which pieces begin.
fn publish_piece(
    exposition: &Exposition,
    timeline: &Timeline,
    borders: &[Arc<str>],
    name: &str,
    rules: &Rules,
) {
    let number = borders.partition_point(|border| **border <= *name);
    let start = number.checked_sub(1).map(|it| &*borders[it]);
    let end = borders.get(number).map(|border| &**border);
    let names = (
        start.map_or(Unbounded, Included),
        end.map_or(Unbounded, Excluded),
    );
    let mut rows = timeline.rows_without_jobs(rules);
    rows.jobs = timeline.rows_of(names, rules).collect();
    let pieces = Pieces::some(vec![(number, rows.jobs.len())]).unwrap();
    let rendered = exposition.render(&rows, &pieces, &|_, _| None);
    exposition.show(timeline.key.clone(), rendered);
}

fn changes(c: &mut Criterion) {
    let rules = Rules::default();
    let mut timeline = known(&rules);
    let build = Build {
        version: "0",
        revision: "0",
    };
    let exposition = Exposition::new(Telemetry::new(build).unwrap());
    let rows = timeline.rows(&rules);
    exposition.publish(timeline.key.clone(), &rows, &|_, _| None);
    let mut from = 0;
    let mut borders = Vec::new();
    for (_, jobs) in Pieces::whole(&rows).sizes() {
        from += jobs;
        borders.extend(rows.jobs.get(from).map(|row| row.name.clone()));
    }
    let running = pipeline(EXECUTIONS, Status::Running);
    let now = at(EXECUTIONS * 600).unwrap();

    let began = Instant::now();
    for number in 0..JOBS {
        let ended = job(EXECUTIONS, number, Status::Failed);
        let name = ended.name.clone();
        let changed = timeline.observe(&running, &[ended], &rules, now);
        assert!(changed.jobs.contains(&*name));
        publish_piece(&exposition, &timeline, &borders, &name, &rules);
    }
    let each = began.elapsed() / u32::try_from(JOBS).unwrap();
    let what = format!("one change of a ref of {JOBS} jobs, observed to exposed");
    figure(&what, format!("{each:.1?}"), format!("{BUDGET:.0?}"));

    let began = Instant::now();
    exposition.compress();
    eprintln!(
        "compressing what {JOBS} changes left plain, once: {:.1?}",
        began.elapsed()
    );

    let ended = (0..AT_ONCE).map(|number| job(EXECUTIONS, number * 5, Status::Success));
    let ended: Vec<_> = ended.collect();
    let began = Instant::now();
    timeline.observe(&running, &ended, &rules, now);
    let rows = timeline.rows(&rules);
    exposition.publish(timeline.key.clone(), &rows, &|_, _| None);
    let at_once = began.elapsed();
    let what = format!("{AT_ONCE} changes of that ref at once, observed to exposed");
    figure(
        &what,
        format!("{at_once:.1?}"),
        format!("{BUDGET_AT_ONCE:.0?}"),
    );

    let mut group = c.benchmark_group("a change in a ref of 1,000 jobs");
    group.sample_size(20);
    group.bench_function("observe all jobs, none changed", |b| {
        let jobs: Vec<_> = (0..JOBS)
            .map(|number| job(EXECUTIONS, number, Status::Failed))
            .collect();
        b.iter(|| timeline.observe(&running, black_box(&jobs), &rules, now));
    });
    group.bench_function("figures of all jobs", |b| b.iter(|| timeline.rows(&rules)));
    group.bench_function("figures and text of all jobs", |b| {
        b.iter(|| {
            let rows = timeline.rows(&rules);
            exposition.publish(timeline.key.clone(), &rows, &|_, _| None);
        });
    });
    group.bench_function("figures and text of its piece", |b| {
        let name = job(EXECUTIONS, 500, Status::Failed).name;
        b.iter(|| publish_piece(&exposition, &timeline, &borders, black_box(&name), &rules));
    });
    group.bench_function("observe one job", |b| {
        let statuses = [Status::Failed, Status::Success];
        let both = statuses.map(|status| [job(EXECUTIONS, 500, status)]);
        let mut turn = both.iter().cycle();
        b.iter(|| timeline.observe(&running, turn.next().unwrap(), &rules, now));
    });
    group.bench_function("absences, when a pipeline has finished", |b| {
        b.iter(|| {
            timeline
                .absences(&rules)
                .map(|(_, absence)| absence.pipelines)
                .sum::<u64>()
        });
    });
    group.finish();
    assert!(each < BUDGET, "{each:?}");
    assert!(at_once < BUDGET_AT_ONCE, "{at_once:?}");
}

criterion_group!(benches, changes);
criterion_main!(benches);

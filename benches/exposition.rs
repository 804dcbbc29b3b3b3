//! A scrape against writing the same bytes to a socket; publishing a timeline against encoding as many samples by the
//! `prometheus` crate.
//!
//! `BENCH_JOBS=200000 cargo bench --bench exposition` for the size that the budget names.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ci_history::{
    Failing, FailureClass, Figures, JobRow, Outcome, Span, TimelineKey, TimelineRows, Timestamp,
};
use criterion::{Criterion, criterion_group, criterion_main};
use http_body::Body as _;
use job_failure_exporter::metrics::{Build, Exposition, Page, Telemetry};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};
use testkit::environment::setting;
use testkit::figures::{figure, in_turn, ratio};

/// Jobs of one timeline.
const JOBS: usize = 40;

fn timeline(number: usize) -> TimelineRows {
    TimelineRows {
        project_id: number as u64,
        project: format!("platform/team-{}/service-{number}", number % 97).into(),
        project_url: None,
        ref_name: "main".into(),
        track: None,
        pipelines: figures(number, 0),
        jobs: (0..JOBS).map(|job| row(number, job)).collect(),
    }
}

fn row(number: usize, job: usize) -> JobRow {
    JobRow {
        name: format!("integration-tests {job}/{JOBS}").into(),
        stage: "test".into(),
        tags: "".into(),
        allow_failure: false,
        figures: figures(number, job),
    }
}

/// Differs from job to job, so that the text compresses no better than in earnest.
fn figures(number: usize, job: usize) -> Figures {
    let some = (number * 7_919 + job * 104_729) as u64;
    let time =
        |offset: u64| Timestamp::from_unix(1_700_000_000 + (some % 100_000 + offset).cast_signed());
    let mut figures = Figures {
        window_executions: 10,
        last_execution: time(900),
        last_success: time(800),
        last_failure: time(100),
        first_seen: time(1),
        duration: Span::from_seconds((some % 1_000) as f64 / 7.0),
        queued_duration: Span::from_seconds((some % 100) as f64 / 9.0),
        usual_duration: Span::from_seconds((some % 900) as f64 / 11.0),
        ..Figures::default()
    };
    figures.executions.set(Outcome::Passed, some % 5_000);
    figures.executions.set(Outcome::Failed, some % 300);
    if some.is_multiple_of(20) {
        figures.consecutive_failures = some % 7 + 1;
        figures.window_failures = 3;
        figures.failing = Some(Failing {
            since: time(100),
            job_id: Some(some * 31),
            pipeline_id: Some(some * 3),
            commit: Some(format!("{some:040x}").into()),
            failure_reason: Some("script_failure".into()),
            failure_class: Some(FailureClass::Script),
            web_url: Some(format!("https://gitlab.example/-/jobs/{some}").into()),
            ..Failing::default()
        });
    }
    figures
}

fn publish(exposition: &Exposition, rows: &TimelineRows) {
    let key = TimelineKey::new(rows.project_id, rows.ref_name.clone());
    exposition.publish(key, rows, &|_, _| None);
}

fn exposition(jobs: usize) -> Exposition {
    let build = Build {
        version: "0",
        revision: "0",
    };
    let exposition = Exposition::new(Telemetry::new(build).unwrap());
    for number in 0..jobs.div_ceil(JOBS) {
        publish(&exposition, &timeline(number));
    }
    exposition
}

/// The frames of a page, one at a time.
fn frames(mut page: Page) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        match Pin::new(&mut page).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame.map(|frame| frame.unwrap().into_data().unwrap()),
            Poll::Pending => unreachable!("a page waits for nothing"),
        }
    })
}

/// A socket on loopback whose other end reads all there is.
fn socket() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut other, _) = listener.accept().unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while other.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    stream
}

fn scrapes(criterion: &mut Criterion) {
    let jobs = setting("BENCH_JOBS", 20_000);
    let exposition = exposition(jobs);
    let mut stream = socket();
    let mut group = criterion.benchmark_group(format!("scrape of {jobs} jobs"));
    group.sample_size(10);
    for (name, page) in [
        (
            "gzip",
            (|exposition| exposition.snapshot().gzip()) as fn(&Exposition) -> Page,
        ),
        ("identity", |exposition| exposition.snapshot().identity()),
    ] {
        let ready: Vec<u8> = frames(page(&exposition)).flatten().collect();
        let size = ready.len() / 1_000_000;
        group.bench_function(
            format!("{name}: write {size} MB that are ready"),
            |bencher| {
                bencher.iter(|| stream.write_all(&ready).unwrap());
            },
        );
        group.bench_function(format!("{name}: scrape and write"), |bencher| {
            bencher.iter(|| {
                for frame in frames(page(&exposition)) {
                    stream.write_all(&frame).unwrap();
                }
            });
        });
    }
    group.finish();
}

/// As many samples as a timeline has, with the same labels.
fn registry(samples: usize) -> Registry {
    let registry = Registry::new();
    let labels = ["project", "ref", "job_name"];
    for family in 0..samples.div_ceil(JOBS) {
        let name = format!("job_family_{family}");
        let gauges = GaugeVec::new(Opts::new(name, "A family of the same size."), &labels).unwrap();
        for job in 0..JOBS {
            let job = format!("integration-tests {job}/{JOBS}");
            let labels = ["platform/team-0/service-0", "main", &job];
            gauges
                .with_label_values(&labels)
                .set(job.len() as f64 / 7.0);
        }
        registry.register(Box::new(gauges)).unwrap();
    }
    registry
}

fn publications(criterion: &mut Criterion) {
    let exposition = exposition(JOBS);
    let rows = timeline(0);
    let page: Vec<u8> = frames(exposition.snapshot().identity()).flatten().collect();
    let page = String::from_utf8(page).unwrap();
    let samples = page
        .lines()
        .filter(|line| line.starts_with("job_") && line.contains("{project="));
    let samples = samples.count();
    let registry = registry(samples);
    let encode = || {
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        black_box(text.unwrap());
    };
    let times = in_turn(
        101,
        || publish(black_box(&exposition), black_box(&rows)),
        encode,
    );
    figure(
        &format!(
            "figures to shown and compressed text, {samples} samples, times gathering and encoding by `prometheus`"
        ),
        format!("{:.2}", ratio(times)),
        "-",
    );
    criterion.bench_function(&format!("publish a timeline of {JOBS} jobs"), |bencher| {
        bencher.iter(|| publish(black_box(&exposition), black_box(&rows)));
    });
}

criterion_group!(benches, scrapes, publications);
criterion_main!(benches);

//! The past in a real Prometheus: blocks of the file, then the samples of scrapes.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ci_history::clock::{Clock as _, SystemClock};
use gitlab_simulator::{Ending, Handle, JobPlan, Moment, Options, Pace, PipelinePlan, start};
use testkit::daemon::{Place, Ran, holds, minutes, until};

use super::NO_PAST;
use super::past::write;
use crate::monitoring::Tool;
use crate::tools;

const DAYS: u64 = 60;

/// Quotes, a backslash, line breaks and more, as GitLab allows them in the name of a job.
const HOSTILE: &str = "e2e \"q\" \\ \n{a=\"b\"} # ü 日本 1";

/// Pipelines every six hours for two months, which end a few minutes ago; the true streak and ratio at some of the times.
async fn months() -> (Handle, Vec<(i64, f64, f64)>) {
    let now = Moment::from(SystemClock.now());
    let begin = now - Duration::from_hours(24 * DAYS);
    // Nothing changes in the last minutes of an hour: the hours are compared with what was recorded some minutes before.
    let earlier = if begin.unix() % 3600 >= 2400 { 1200 } else { 0 };
    let begin = Moment::from_unix(begin.unix() / 300 * 300 - earlier);
    let pace = Pace::still(begin);
    let options = Options {
        pace,
        ..Options::default()
    };
    let gitlab = start(options).await.unwrap();
    gitlab.with(|world| world.create_project("acme/app"));
    let mut truths = Vec::new();
    for number in 0..DAYS * 4 {
        gitlab.with(|world| {
            let project = world.project_by_path("acme/app").unwrap().id;
            let endings = match number % 11 {
                0 | 6..=8 => vec![Ending::fails()],
                3 => vec![Ending::fails(), Ending::Passes],
                _ => vec![Ending::Passes],
            };
            let job = JobPlan::new(HOSTILE, endings);
            let job = if number % 11 == 3 {
                job.retried(1)
            } else {
                job
            };
            world.push_pipeline(project, PipelinePlan::new([job, JobPlan::passes("lint")]));
        });
        gitlab.advance(minutes(10));
        if number % 9 == 0 {
            let truth = gitlab.truth_of("acme/app", HOSTILE).unwrap();
            let at = gitlab.with(|world| world.now().unix());
            truths.push((at, truth.consecutive_failures as f64, truth.failure_ratio));
        }
        let is_last = number + 1 == DAYS * 4;
        gitlab.advance(minutes(if is_last { 345 } else { 350 }));
    }
    (gitlab, truths)
}

async fn prometheus(folder: &Path, exporter: SocketAddr) -> Tool {
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 2s}}\n\
         scrape_configs:\n  - job_name: exporter\n    honor_labels: true\n    static_configs:\n      \
         - {{targets: ['{exporter}'], labels: {{instance: 'here:1'}}}}\n"
    );
    fs::write(&config, text).unwrap();
    Tool::start("prometheus", |address| {
        vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={address}"),
            "--storage.tsdb.retention.time=1y".to_owned(),
        ]
    })
    .await
}

fn make_blocks(file: &Path, data: &Path) {
    let path = |it: &Path| it.to_str().unwrap().to_owned();
    let args = [
        "tsdb",
        "create-blocks-from",
        "--max-block-duration=486h",
        "openmetrics",
    ];
    let args = args.map(str::to_owned).into_iter();
    tools::run("promtool", args.chain([path(file), path(data)])).must_pass();
}

#[tokio::test]
async fn a_real_prometheus_serves_the_past_and_goes_on_with_the_same_series() {
    let (gitlab, truths) = months().await;
    let place = Place::new(gitlab.url(), NO_PAST);
    let (file, _) = write(&place, &["--since", "90d"]).await;
    let folder = tempfile::tempdir().unwrap();
    make_blocks(&file, &folder.path().join("data"));
    let daemon = place.start().await;
    daemon.is_ready().await;
    let server = prometheus(folder.path(), daemon.address()).await;
    let job = "job_name!=\"lint\"";
    for (at, streak, ratio) in truths {
        for (family, wanted) in [
            ("job_consecutive_failures", streak),
            ("job_failure_ratio", ratio),
        ] {
            let found = server.query(&format!("{family}{{{job}}} @ {at}")).await;
            assert_eq!(found, [wanted], "{family} at {at}");
        }
    }
    let name = server
        .series(&format!(
            "job_info{{{job}}} @ {}",
            gitlab.with(|world| world.now().unix()) - 600
        ))
        .await;
    assert_eq!(name[0]["metric"]["job_name"], HOSTILE);

    // The first scrape continues the series of the past: no other labels, no reset, nothing counted twice.
    until("a scrape", async || {
        let up = server.query("up").await;
        let scraped = server
            .query("timestamp(job_window_executions) > time() - 10")
            .await;
        holds(
            up == [1.0] && scraped.len() == 2,
            format!("{up:?} {scraped:?}"),
        )
    })
    .await;
    let page = daemon.scrape().await;
    for family in [
        "job_executions_total",
        "job_failures_total",
        "job_flaky_executions_total",
        "pipeline_executions_total",
    ] {
        let resets = server.query(&format!("sum(resets({family}[70d]))")).await;
        assert_eq!(resets, [0.0], "{family}");
        let last = format!("sum(last_over_time({family}[1m]))");
        let last = server.query(&last).await;
        assert_eq!(last, [page.sum(family, &[])], "{family}");
    }
    let series = server
        .query("count(count_over_time(job_window_executions[70d]))")
        .await;
    assert_eq!(series, [2.0]);
    // Without a hole: a range query of two months in steps of an hour has every value.
    let holes = server
        .query(&format!(
            "count_over_time(job_window_executions{{{job}}}[59d:5m])"
        ))
        .await;
    // GitLab's clock is late, and nobody scraped while this test made blocks.
    let late = Moment::from(SystemClock.now()).unix() - gitlab.with(|world| world.now().unix());
    let missed = late as f64 / 300.0 + 3.0;
    assert!(
        holes[0] >= 59.0 * 288.0 - missed,
        "{holes:?}, {late} s late"
    );

    record(&server, folder.path());
    drop(server);
    let server = prometheus(folder.path(), daemon.address()).await;
    is_recorded(&server).await;
    daemon.stop().await;
}

/// What the dashboards read of some days of the past.
fn record(server: &Tool, folder: &Path) {
    let rules = folder.join("history.yml");
    let made = Ran::of(
        &Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"))
            .args(["assets", "history"])
            .output()
            .unwrap(),
    );
    fs::write(&rules, made.done()).unwrap();
    let now = Moment::from(SystemClock.now()).unix();
    let args = [
        "tsdb",
        "create-blocks-from",
        "rules",
        &format!("--url=http://{}", server.address),
        &format!("--start={}", now - 4 * 86_400),
        &format!("--end={}", now - 3600),
        &format!("--output-dir={}", folder.join("data").display()),
        rules.to_str().unwrap(),
    ];
    tools::run("promtool", args).must_pass();
}

/// The recorded series at each hour of two days, against those of the exporter at the same times.
async fn is_recorded(server: &Tool) {
    for (recorded, raw) in [
        ("sum(ci_project:jobs:count)", "count(job_info)"),
        (
            "sum(ci_project:jobs_failing:count)",
            "count(job_consecutive_failures > 0)",
        ),
        (
            "sum(ci_project:jobs_failing_repeatedly:count{severity=\"warning\"})",
            "count(job_consecutive_failures >= 3)",
        ),
        (
            "max(ci_pipeline:consecutive_failures)",
            "max(pipeline_consecutive_failures > 0)",
        ),
        (
            "sum(ci_project:jobs_flaky:count)",
            "count(job_window_flaky > 0)",
        ),
    ] {
        let range = |query: &str| {
            format!(
                "count_over_time(({query})[2d:1h] offset 1d) + sum_over_time(({query})[2d:1h] offset 1d)"
            )
        };
        let found = server.query(&range(recorded)).await;
        let wanted = server.query(&range(raw)).await;
        assert_eq!(found, wanted, "{recorded}");
        assert_eq!(found.len(), 1, "{recorded}");
    }
    // Each repair once: as often as the streak of the pipelines ends.
    let repairs = "sum(count_over_time(ci_pipeline:repair_seconds[2d] offset 1d))";
    let ends = "sum(resets(pipeline_consecutive_failures[2d] offset 1d))";
    assert_eq!(server.query(repairs).await, server.query(ends).await);
    let lost = server
        .query("sum(sum_over_time(ci_project:failures:increase1h[2d] offset 1d)) / 6")
        .await;
    let failed = server
        .query("sum(increase(job_executions_total{outcome=\"failed\"}[2d] offset 1d))")
        .await;
    assert!((lost[0] - failed[0]).abs() <= 1.0, "{lost:?} {failed:?}");
}

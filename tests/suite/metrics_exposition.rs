//! Rows in, the whole page out.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use ci_history::{Figures, JobRow, LogExcerpt, Timestamp};
use http_body_util::BodyExt as _;
use job_failure_exporter::base::api::ErrorClass;
use job_failure_exporter::metrics::{Exposition, ExpositionOptions, Page};
use proptest::prelude::*;

use crate::metrics_rows::{
    HOSTILE, exposition, failing, job, key, passing, telemetry, time, timeline,
};

async fn bytes(page: Page) -> Vec<u8> {
    page.collect().await.unwrap().to_bytes().into()
}

async fn text(exposition: &Exposition) -> String {
    String::from_utf8(bytes(exposition.snapshot().identity()).await).unwrap()
}

/// The page without the exporter's own metrics.
async fn rows_text(exposition: &Exposition) -> String {
    let text = text(exposition).await;
    let own = text.find("# HELP job_failure_exporter_").unwrap();
    text[..own].to_owned()
}

fn publish(exposition: &Exposition, project: &str, ref_name: &str, jobs: Vec<JobRow>) {
    let rows = timeline(project, ref_name, jobs);
    exposition.publish(key(&rows), &rows, &|_, _| None);
}

/// Gives `input` to a program and returns what it said, or what it complained of.
fn piped(program: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; `make install-tools` installs it"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && complaint.is_empty() && written.is_ok() {
        Ok(output.stdout)
    } else {
        Err(complaint)
    }
}

#[tokio::test]
async fn a_failing_job_and_its_pipelines_come_out_as_this_text() {
    let exposition = exposition();
    let mut rows = timeline("group/app", "main", vec![job("unit", failing())]);
    rows.pipelines = passing(2);
    exposition.publish(key(&rows), &rows, &|project, job| {
        assert_eq!((project, job), ("group/app", "unit"));
        Some(Arc::from("sre"))
    });
    let expected = include_str!("../data/metrics/failing_job.prom");
    assert_eq!(rows_text(&exposition).await, expected);
}

#[tokio::test]
async fn a_passing_job_has_no_failure_info_and_no_start_of_a_streak() {
    let exposition = exposition();
    publish(
        &exposition,
        "group/app",
        "main",
        vec![job("unit", passing(3))],
    );
    let text = rows_text(&exposition).await;
    for absent in ["job_failure_info", "job_failing_since", "job_last_failure"] {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    let labels = "project=\"group/app\",ref=\"main\",job_name=\"unit\"";
    let zero = format!("job_executions_total{{{labels},outcome=\"failed\"}} 0\n");
    assert!(text.contains(&zero), "{text}");
    let series = text.lines().filter(|line| line.contains(labels));
    assert!(series.count() <= 14, "{text}");
}

#[tokio::test]
async fn only_a_failing_job_has_the_address_of_its_page_and_no_address_is_cut() {
    let options = ExpositionOptions::default().with_job_urls(|rows, job| {
        assert_ne!(job, "passing");
        let long = "x".repeat(if job == "long" { 600 } else { 0 });
        Some(format!("https://ci.example/{}/{job}{long}", rows.project))
    });
    let exposition = Exposition::with_options(telemetry(), options);
    let jobs = vec![
        job("long", failing()),
        job("passing", passing(3)),
        job("unit", failing()),
    ];
    publish(&exposition, "group/app", "main", jobs);
    let text = rows_text(&exposition).await;
    let infos = text
        .lines()
        .filter(|line| line.starts_with("job_failure_info{"));
    let urls: Vec<_> = infos
        .map(|line| {
            line.split_once("job_url=\"")
                .unwrap()
                .1
                .split_once('"')
                .unwrap()
                .0
        })
        .collect();
    assert_eq!(urls, ["", "https://ci.example/group/app/unit"]);
}

#[tokio::test]
async fn a_line_of_the_log_is_shown_while_the_job_fails_unless_the_configuration_says_no() {
    let mut figures = failing();
    let excerpt = LogExcerpt::of_text(102, "Error: \"no\" {a=\\b}\nagain".into());
    figures.failing.as_mut().unwrap().excerpt = Some(Box::new(excerpt));
    let jobs = || {
        vec![
            job("unit", figures.clone()),
            job("unread", failing()),
            job("passing", passing(3)),
        ]
    };
    let lines = async |options: ExpositionOptions| {
        let exposition = Exposition::with_options(telemetry(), options);
        publish(&exposition, "group/app", "main", jobs());
        let text = rows_text(&exposition).await;
        piped("promtool", &["check", "metrics"], text.as_bytes()).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("job_failure_log_info"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let wanted = "job_failure_log_info{project=\"group/app\",ref=\"main\",job_name=\"unit\",job_id=\"102\",\
                  line=\"Error: \\\"no\\\" {a=\\\\b}\"} 1";
    assert_eq!(lines(ExpositionOptions::default()).await, [wanted]);
    let hidden = ExpositionOptions::default().without_log_lines();
    assert!(lines(hidden).await.is_empty());
}

#[tokio::test]
async fn facts_about_failures_cost_a_healthy_job_nothing() {
    let options =
        ExpositionOptions::default().with_job_urls(|_, _| Some("https://ci.example/".into()));
    let exposition = Exposition::with_options(telemetry(), options);
    let mut rows = timeline("group/app", "main", vec![job("unit", passing(3))]);
    rows.pipelines = passing(3);
    exposition.publish(key(&rows), &rows, &|_, _| None);
    let text = rows_text(&exposition).await;
    let count = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
    // As many as before there were such facts.
    assert_eq!((count("job_"), count("pipeline_")), (9, 5), "{text}");
    assert!(
        !text.contains("ci.example") && !text.contains("commit"),
        "{text}"
    );
}

#[tokio::test]
async fn a_job_that_was_never_executed_shows_nothing_until_it_is_in_flight() {
    let exposition = exposition();
    publish(
        &exposition,
        "a",
        "main",
        vec![job("manual", Figures::default())],
    );
    assert!(!rows_text(&exposition).await.contains("manual"));
    let pending = Figures {
        pending_since: time(1_700_000_000),
        ..Figures::default()
    };
    publish(&exposition, "a", "main", vec![job("manual", pending)]);
    let text = rows_text(&exposition).await;
    let sample = "job_pending_start_timestamp_seconds\
                  {project=\"a\",ref=\"main\",job_name=\"manual\"} 1700000000\n";
    assert!(text.contains(sample), "{text}");
}

#[tokio::test]
async fn without_any_timeline_there_are_only_the_exporters_own_metrics() {
    let exposition = exposition();
    assert_eq!(rows_text(&exposition).await, "");
    let text = text(&exposition).await;
    assert!(
        text.contains("job_failure_exporter_timelines 0\n"),
        "{text}"
    );
    assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
}

#[tokio::test]
async fn hostile_names_stay_inside_their_labels() {
    let exposition = exposition();
    let long = "x".repeat(10_000);
    for name in [HOSTILE, &long, "", "\u{202e}gnp.exe", "back\\", "\\"] {
        publish(&exposition, name, name, vec![job(name, failing())]);
        exposition.poll_failed(&Arc::from(name), ErrorClass::Other);
    }
    let text = text(&exposition).await;
    assert!(!text.contains('\0'));
    let families = |line: &&str| !line.starts_with('#');
    for line in text.lines().filter(families) {
        let known = ["job_", "pipeline_", "project_", "process_"];
        assert!(known.iter().any(|name| line.starts_with(name)), "{line}");
    }
    piped("promtool", &["check", "metrics"], text.as_bytes()).unwrap();
}

#[tokio::test]
async fn promtool_has_nothing_to_say_of_any_family() {
    let exposition = exposition();
    let mut rows = timeline("group/app", "main", vec![job("unit", failing())]);
    rows.pipelines = failing();
    rows.jobs[0].figures.pending_since = time(1_700_000_000);
    exposition.publish(key(&rows), &rows, &|_, _| None);
    let at = Timestamp::from_unix(1).unwrap();
    exposition.poll_succeeded(&Arc::from("group/app"), at, at);
    crate::metrics_docs::touch_everything(exposition.telemetry());
    piped(
        "promtool",
        &["check", "metrics"],
        text(&exposition).await.as_bytes(),
    )
    .unwrap();
}

#[tokio::test]
async fn a_later_publication_replaces_and_a_removal_takes_away() {
    let exposition = exposition();
    let mut rows = timeline("group/app", "main", vec![job("unit", passing(1))]);
    exposition.publish(key(&rows), &rows, &|_, _| None);
    rows.project = "group/renamed".into();
    exposition.publish(key(&rows), &rows, &|_, _| None);
    let text = rows_text(&exposition).await;
    assert!(
        text.contains("group/renamed") && !text.contains("group/app"),
        "{text}"
    );
    exposition.remove(&key(&rows));
    assert_eq!(rows_text(&exposition).await, "");
    exposition.remove(&key(&rows));
}

#[tokio::test]
async fn of_two_projects_with_the_same_path_only_the_newer_is_shown() {
    let exposition = exposition();
    let mut old = timeline("group/app", "main", vec![job("unit", passing(1))]);
    let mut new = timeline("group/app", "main", vec![job("unit", passing(2))]);
    (old.project_id, new.project_id) = (9, 10);
    exposition.publish(key(&new), &new, &|_, _| None);
    exposition.publish(key(&old), &old, &|_, _| None);
    let shown = rows_text(&exposition).await;
    assert!(shown.contains("outcome=\"passed\"} 2\n"), "{shown}");
    assert_eq!(
        shown.matches("\njob_consecutive_failures{").count(),
        1,
        "{shown}"
    );
    exposition.remove(&key(&new));
    assert!(
        rows_text(&exposition)
            .await
            .contains("outcome=\"passed\"} 1\n")
    );
}

#[tokio::test]
async fn names_that_differ_only_by_nul_make_no_series_twice() {
    let exposition = exposition();
    let jobs = vec![job("a\0", passing(1)), job("a\u{fffd}", passing(2))];
    publish(&exposition, "group/app", "main", jobs);
    let text = rows_text(&exposition).await;
    assert_eq!(
        text.matches("\njob_consecutive_failures{").count(),
        1,
        "{text}"
    );
}

#[tokio::test]
async fn a_project_shows_its_polls_until_it_is_removed() {
    let exposition = exposition();
    let project = Arc::from("group/app");
    exposition.watch_project(&project, Some(&Arc::from("trunk")));
    let info = "project_info{project=\"group/app\",default_branch=\"trunk\"} 1\n";
    assert!(text(&exposition).await.contains(info));
    exposition.poll_failed(&project, ErrorClass::Timeout);
    exposition.poll_failed(&project, ErrorClass::Timeout);
    let at = |seconds| Timestamp::from_unix(seconds).unwrap();
    exposition.poll_succeeded(&project, at(1_700_000_000), at(1_699_990_000));
    let text = rows_text(&exposition).await;
    for sample in [
        "project_last_successful_poll_timestamp_seconds{project=\"group/app\"} 1700000000\n",
        "project_last_successful_poll_gitlab_timestamp_seconds{project=\"group/app\"} 1699990000\n",
        "project_poll_errors_total{project=\"group/app\",reason=\"timeout\"} 2\n",
        "project_poll_errors_total{project=\"group/app\",reason=\"forbidden\"} 0\n",
    ] {
        assert!(text.contains(sample), "{text}");
    }
    exposition.remove_project("group/app");
    assert_eq!(rows_text(&exposition).await, "");
}

#[tokio::test]
async fn the_counts_of_what_is_exposed_are_those_of_the_page() {
    let exposition = exposition();
    for ref_name in ["main", "next"] {
        let jobs = vec![job("unit", passing(1)), job("lint", failing())];
        publish(&exposition, "group/app", ref_name, jobs);
    }
    let text = text(&exposition).await;
    let rows = rows_text(&exposition).await;
    let samples = rows.lines().filter(|line| !line.starts_with('#')).count();
    for sample in [
        "job_failure_exporter_timelines 2\n".to_owned(),
        "job_failure_exporter_jobs 4\n".to_owned(),
        format!("job_failure_exporter_series {samples}\n"),
    ] {
        assert!(text.contains(&sample), "{sample} not in\n{text}");
    }
}

#[tokio::test]
async fn the_compressed_page_is_one_gzip_member_for_any_reader() {
    let exposition = exposition();
    for number in 0..300 {
        let jobs = (0..30)
            .map(|n| job(&format!("job {n}"), failing()))
            .collect();
        publish(&exposition, &format!("group/{number}"), "main", jobs);
    }
    let snapshot = exposition.snapshot();
    let plain = bytes(snapshot.identity()).await;
    let gzip = bytes(snapshot.gzip()).await;
    let mut decoded = Vec::new();
    // Stops after one member, and checks its checksum and length.
    let mut decoder = flate2::bufread::GzDecoder::new(&*gzip);
    decoder.read_to_end(&mut decoded).unwrap();
    assert!(decoder.into_inner().is_empty());
    assert!(decoded == plain, "the pages differ");
    assert!(
        piped("gzip", &["-dc"], &gzip).unwrap() == plain,
        "gzip(1) differs"
    );
    assert!(
        gzip.len() * 7 < plain.len(),
        "{} of {}",
        gzip.len(),
        plain.len()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_page_shows_what_is_there_now_whatever_was_published_removed_and_scraped_before(
        steps in prop::collection::vec(
            (0_u64..6, ".{0,40}", 0_usize..60, any::<bool>(), any::<bool>()), 0..24)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let exposition = exposition();
        let mut left = BTreeMap::new();
        for (id, name, jobs, keep, scrape) in steps {
            let jobs = (0..jobs).map(|n| job(&format!("{name}{n}"), failing())).collect();
            let mut rows = timeline(&format!("group/{}", id / 2), "main", jobs);
            rows.project_id = id;
            exposition.publish(key(&rows), &rows, &|_, _| None);
            if keep {
                left.insert(id, rows);
            } else {
                exposition.remove(&key(&rows));
                left.remove(&id);
            }
            if scrape {
                exposition.snapshot();
            }
        }
        let snapshot = exposition.snapshot();
        let plain = runtime.block_on(bytes(snapshot.identity()));
        let gzip = runtime.block_on(bytes(snapshot.gzip()));
        let mut decoded = Vec::new();
        flate2::bufread::GzDecoder::new(&*gzip).read_to_end(&mut decoded).unwrap();
        prop_assert!(decoded == plain);
        prop_assert!(each_series_is_there_once(&String::from_utf8(plain).unwrap()));
        let fresh = crate::metrics_rows::exposition();
        for rows in left.values() {
            fresh.publish(key(rows), rows, &|_, _| None);
        }
        let (seen, expected) = (rows_text(&exposition), rows_text(&fresh));
        prop_assert_eq!(runtime.block_on(seen), runtime.block_on(expected));
    }
}

fn each_series_is_there_once(text: &str) -> bool {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let series: Vec<_> = samples
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    series.iter().collect::<HashSet<_>>().len() == series.len()
}

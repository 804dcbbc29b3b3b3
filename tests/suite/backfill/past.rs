//! `backfill --openmetrics`: what an exporter would have exposed in the past.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gitlab_simulator::Handle;
use testkit::daemon::{Daemon, Place, gitlab, holds};
use testkit::samples::{Sample, Samples};
use testkit::truth::equal;

use super::NO_PAST;

/// Labels that Prometheus would add.
const LABELS: [&str; 4] = ["--label", "job=exporter", "--label", "instance=here:1"];

/// The samples of a file, by time.
pub(super) fn samples_by_time(text: &str) -> BTreeMap<i64, Samples> {
    let mut pages: BTreeMap<i64, String> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, time) = line.rsplit_once(' ').unwrap();
        let page = pages.entry(time.parse().unwrap()).or_default();
        page.push_str(sample);
        page.push('\n');
    }
    let pages = pages.into_iter();
    pages
        .map(|(time, page)| (time, Samples::parse(&page)))
        .collect()
}

pub(super) async fn write(place: &Place, more: &[&str]) -> (PathBuf, String) {
    let file = place.config().with_file_name("past.om");
    let path = file.to_str().unwrap();
    let mut args = vec!["backfill", "--openmetrics", path];
    args.extend(LABELS);
    args.extend(more);
    let said = place.run(&args).await.done();
    (file, said)
}

/// What the file has to say at a time: no counters that never count, and nothing that is about a moment only.
fn to_be_written(page: &Samples, ever: &Samples) -> BTreeMap<String, f64> {
    let is_written = |sample: &&Sample| {
        let name = &*sample.name;
        let is_of_ci = (name.starts_with("job_") || name.starts_with("pipeline_"))
            && !name.starts_with("job_failure_exporter_");
        let of_moment = ["_start_timestamp_seconds", "failure_info", "_log_info"];
        let counts = !name.ends_with("_total") || {
            let labels: Vec<_> = sample.labels.iter().map(|(k, v)| (&**k, &**v)).collect();
            ever.value(name, &labels).is_some_and(|value| value > 0.0)
        };
        is_of_ci && counts && !of_moment.iter().any(|end| name.ends_with(end))
    };
    let named = |sample: &Sample| (format!("{}{:?}", sample.name, sample.labels), sample.value);
    page.iter().filter(is_written).map(named).collect()
}

fn of_file(page: &Samples) -> BTreeMap<String, f64> {
    let plain = |sample: &Sample| {
        let mut labels = sample.labels.clone();
        assert_eq!(labels.remove("job").as_deref(), Some("exporter"));
        assert_eq!(labels.remove("instance").as_deref(), Some("here:1"));
        (format!("{}{labels:?}", sample.name), sample.value)
    };
    page.iter().map(plain).collect()
}

/// An exporter that sees everything, its pages by time.
async fn watched(
    gitlab: &Handle,
    daemon: &Daemon,
    steps: u32,
    step: Duration,
) -> BTreeMap<i64, Samples> {
    let mut pages = BTreeMap::new();
    for _ in 0..steps {
        gitlab.advance(step);
        let truths = gitlab.truth();
        let polls = |page: &Samples| page.sum("job_failure_exporter_polls_total", &[]);
        let before = polls(&daemon.scrape().await);
        // A poll may have listed the pipelines before that time and read their jobs after it.
        let page = daemon
            .shows("the truth, read again", |page| {
                holds(polls(page) >= before + 3.0, "polls").and_then(|()| equal(page, &truths))
            })
            .await;
        pages.insert(gitlab.with(|world| world.now().unix()), page);
    }
    pages
}

#[tokio::test]
async fn the_past_is_what_an_exporter_exposed_at_every_quarter_of_a_minute() {
    for scenario in [
        "retry-then-pass",
        "canceled",
        "child-pipelines",
        "comebacks",
    ] {
        let gitlab = gitlab(scenario).await;
        let watching = Place::new(gitlab.url(), "groups: [{path: acme}]");
        let daemon = watching.start().await;
        daemon.is_ready().await;
        let pages = watched(&gitlab, &daemon, 48, Duration::from_secs(15)).await;
        daemon.stop().await;
        let place = Place::new(gitlab.url(), NO_PAST);
        let (file, said) = write(&place, &["--since", "1d", "--step", "15s"]).await;
        assert!(said.contains("past.om: "), "{said}");
        let past = samples_by_time(&fs::read_to_string(file).unwrap());
        let (_, last) = pages.last_key_value().unwrap();
        for (time, page) in &pages {
            let wanted = to_be_written(page, last);
            let found = past.get(time).map(of_file).unwrap_or_default();
            let missing: Vec<_> = wanted
                .iter()
                .filter(|(k, v)| found.get(*k) != Some(v))
                .collect();
            let more: Vec<_> = found
                .iter()
                .filter(|(k, _)| !wanted.contains_key(*k))
                .collect();
            holds(missing.is_empty() && more.is_empty(), "").unwrap_or_else(|_| {
                panic!("{scenario} at {time}: missing {missing:#?}, more {more:#?}")
            });
        }
    }
}

#[tokio::test]
async fn an_existing_file_stays_and_missing_labels_are_named() {
    let gitlab = gitlab("flaky").await;
    gitlab.advance(Duration::from_mins(30));
    let place = Place::new(gitlab.url(), NO_PAST);
    let (file, _) = write(&place, &["--since", "1d"]).await;
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE job_executions counter\n"));
    assert!(!file.with_file_name("past.om.parts").exists());
    let path = file.to_str().unwrap();
    let again = ["backfill", "--since", "1d", "--openmetrics", path];
    let refused = place.run(&[&again[..], &LABELS].concat()).await.refused();
    assert!(
        refused.contains("past.om exists, and it is not overwritten"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let refused = place
        .run(&[&again[..], &LABELS[..2]].concat())
        .await
        .refused();
    assert!(
        refused.contains("--label instance=.. is missing"),
        "{refused}"
    );
    fs::remove_file(&file).unwrap();
    // The same past again: the state that the first run saved changes nothing.
    write(&place, &["--since", "1d"]).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

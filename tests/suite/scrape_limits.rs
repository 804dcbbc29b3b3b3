//! The limits of the shipped scrape configuration leave room for what the exporter's own limits allow.

use ci_history::{FailureClass, Figures, Outcome};
use http_body_util::BodyExt as _;
use job_failure_exporter::config::{Absence, keys};
use job_failure_exporter::metrics::families;
use serde_json::Value;

use crate::metrics_rows::{exposition, failing, job, key, timeline};

const PROMETHEUS: &str = include_str!("../../deploy/prometheus/prometheus.yml");

fn scrape_limit(name: &str) -> usize {
    let config: Value = serde_yaml::from_str(PROMETHEUS).unwrap();
    let limit = config["scrape_configs"][0][name].as_u64();
    usize::try_from(limit.unwrap()).unwrap()
}

fn default_of(path: &str) -> usize {
    let info = keys().find(|info| info.path == path).unwrap();
    match info.absence {
        Absence::Default(value) => value.parse().unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

/// The most series of one subject of the families with exactly these labels, and labels with a fixed set of values.
fn series_of(labels: &[&str]) -> usize {
    let values = |label: &str| match label {
        "outcome" => Outcome::ALL.len(),
        "failure_class" => FailureClass::ALL.len(),
        _ => 1,
    };
    let own = families().filter(|family| {
        let prefix = family.name.split('_').next();
        family.labels.starts_with(labels) && matches!(prefix, Some("job" | "pipeline"))
    });
    let is_job = labels.contains(&"job_name");
    own.filter(|family| is_job || !family.labels.contains(&"job_name"))
        .map(|family| match family.labels {
            [.., only] if family.labels.len() == labels.len() + 1 => values(only),
            _ => 1,
        })
        .sum()
}

#[test]
fn a_project_at_all_its_limits_fits_into_a_scrape() {
    let of_job = series_of(&["project", "ref", "job_name"]);
    let of_ref = series_of(&["project", "ref"]);
    let comment = format!("A job has up to {of_job} series");
    assert!(PROMETHEUS.contains(&comment), "wanted: {comment}");
    let jobs = default_of("limits.jobs_per_project");
    let refs = default_of("limits.refs_per_project");
    let most = jobs * of_job + refs * of_ref;
    let allowed = scrape_limit("sample_limit");
    assert!(most <= allowed, "{most} series of {allowed}");
}

#[tokio::test]
async fn no_label_is_longer_than_a_scrape_allows() {
    let long = "é\\\"\n".repeat(1 << 18);
    let mut figures = failing();
    let told = figures.failing.as_mut().unwrap();
    told.failure_reason = Some(long.as_str().into());
    told.commit = Some(long.as_str().into());
    told.web_url = Some(long.as_str().into());
    let mut row = job(&long, figures);
    row.stage = long.as_str().into();
    let mut rows = timeline(&long, &long, vec![row]);
    rows.pipelines = Figures::default();
    let exposition = exposition();
    exposition.publish(key(&rows), &rows, &|_, _| Some(long.as_str().into()));
    let page = exposition.snapshot().identity().collect().await.unwrap();
    let page = String::from_utf8(page.to_bytes().into()).unwrap();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let labels = samples.flat_map(|line| line.split("\",").map(str::len));
    let longest = labels.max().unwrap();
    // Escaped, each of these characters has two bytes.
    assert!((256..=2 * 512 + 32).contains(&longest), "{longest} bytes");
    assert!(scrape_limit("label_value_length_limit") >= 512);
    let limit = "job_failure_exporter_limit_reached_total{limit=\"label_bytes\"} 3";
    assert!(page.lines().any(|line| line == limit), "{page:.3000}");
}

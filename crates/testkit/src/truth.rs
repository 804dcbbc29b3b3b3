//! Compares the metrics and documents of the exporter with the truth of the simulated GitLab.

use std::collections::{BTreeMap, BTreeSet};

use gitlab_simulator::truth::{self, JobTruth};
use gitlab_simulator::{CiStatus, Handle};

use crate::daemon::{Daemon, Place, holds, until};
use crate::samples::Samples;

/// The endpoint that the exporter requests once in each polling cycle of a project.
const LISTING: &str = "GET /projects/:id/pipelines";

/// Tolerance in seconds for the start of a wait. The exporter computes it from the `Date` header, which has
/// whole seconds.
const WAIT_TOLERANCE: f64 = 2.0;

/// A place for an exporter that watches the whole scenario.
pub fn place(gitlab: &Handle) -> Place {
    Place::new(gitlab.url(), "groups: [{path: acme}]")
}

pub fn project_ids(gitlab: &Handle) -> BTreeSet<u64> {
    let paths: BTreeSet<_> = gitlab.truth().into_iter().map(|job| job.project).collect();
    let id = |path: &String| gitlab.with(|world| world.project_by_path(path).unwrap().id);
    paths.iter().map(id).collect()
}

/// Waits for one complete polling cycle of every project, which ends when the next cycle begins.
pub async fn polled(gitlab: &Handle, daemon: &Daemon, projects: &BTreeSet<u64>) {
    gitlab.forget_requests();
    until("a polling cycle of each project", async || {
        let mut listings: BTreeMap<u64, usize> = BTreeMap::new();
        for request in gitlab.requests() {
            if request.endpoint == LISTING {
                let id = request.target.split('/').nth(4).unwrap().parse().unwrap();
                *listings.entry(id).or_default() += 1;
            }
        }
        let waiting: Vec<_> = projects
            .iter()
            .filter(|id| listings.get(id).is_none_or(|count| *count < 2))
            .collect();
        let missing = || format!("projects {waiting:?} are not polled: {}", daemon.log());
        waiting.is_empty().then_some(()).ok_or_else(missing)
    })
    .await;
}

/// The differences between samples and truths.
pub fn differences(samples: &Samples, truths: &[JobTruth]) -> Vec<String> {
    let mut found: Vec<String> = truths.iter().flat_map(|t| of_job(samples, t)).collect();
    let known: BTreeSet<_> = truths
        .iter()
        .map(|job| (&*job.project, &*job.ref_name, &*job.job_name))
        .collect();
    for sample in samples.iter() {
        let label = |name: &str| sample.labels.get(name).map_or("", String::as_str);
        let job = (label("project"), label("ref"), label("job_name"));
        if sample.labels.contains_key("job_name") && !known.contains(&job) {
            found.push(format!("{job:?} does not exist: {}", sample.name));
        }
    }
    found
}

fn of_job(samples: &Samples, truth: &JobTruth) -> Vec<String> {
    let job = [
        ("project", truth.project.as_str()),
        ("ref", &truth.ref_name),
        ("job_name", &truth.job_name),
    ];
    let streak = samples.value("job_consecutive_failures", &job);
    let in_flight = truth.running_start.is_some() || truth.pending_since.is_some();
    if streak.is_none() && truth.window.is_empty() && !in_flight {
        return Vec::new();
    }
    let count = |count: usize| Some(count as f64);
    let time = |time: Option<i64>| time.map(|seconds| seconds as f64);
    let failing_since = truth
        .failing_since
        .filter(|_| truth.consecutive_failures > 0);
    let exact = [
        (
            "job_consecutive_failures",
            count(truth.consecutive_failures),
        ),
        ("job_failure_ratio", Some(truth.failure_ratio)),
        ("job_window_executions", count(truth.window_executions)),
        ("job_window_failures", count(truth.window_failures)),
        // Counts of 0 are not exposed.
        (
            "job_window_flaky",
            count(truth.window_flaky).filter(|flaky| *flaky > 0.0),
        ),
        (
            "job_last_success_timestamp_seconds",
            time(truth.last_success),
        ),
        ("job_failing_since_timestamp_seconds", time(failing_since)),
        (
            "job_running_start_timestamp_seconds",
            time(truth.running_start),
        ),
    ];
    let equal = |a: Option<f64>, b: Option<f64>, tolerance: f64| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= tolerance,
        _ => a == b,
    };
    let mut found = Vec::new();
    let mut compare = |family: &str, wanted: Option<f64>, tolerance: f64| {
        let served = samples.value(family, &job);
        if !equal(served, wanted, tolerance) {
            found.push(format!("{job:?} {family}: {served:?}, truth {wanted:?}"));
        }
    };
    for (family, wanted) in exact {
        compare(family, wanted, 1e-9);
    }
    let pending = "job_pending_start_timestamp_seconds";
    compare(pending, time(truth.pending_since), WAIT_TOLERANCE);
    found.extend(of_failure(samples, truth, &job));
    found
}

/// Compares `job_failure_info`.
fn of_failure(samples: &Samples, truth: &JobTruth, job: &[(&str, &str)]) -> Option<String> {
    let served = samples.one("job_failure_info", job).map(|info| {
        [
            "failure_reason",
            "first_failing_commit",
            "last_passing_commit",
        ]
        .map(|label| info.labels[label].clone())
    });
    let wanted = (truth.consecutive_failures > 0).then(|| {
        [
            &truth.failure_reason,
            &truth.first_failing_commit,
            &truth.last_passing_commit,
        ]
        .map(|text| text.clone().unwrap_or_default())
    });
    (served != wanted).then(|| format!("{job:?} job_failure_info: {served:?}, truth {wanted:?}"))
}

pub fn equal(samples: &Samples, truths: &[JobTruth]) -> Result<(), String> {
    let found = differences(samples, truths);
    holds(found.is_empty(), found.join("\n"))
}

/// Asserts that the documents contain the true windows.
pub fn windows_are_saved(place: &Place, truths: &[JobTruth]) {
    let mut saved: BTreeMap<(String, String), Vec<bool>> = BTreeMap::new();
    for (_, document) in place.documents() {
        let project = document["project"]["path"].as_str().unwrap();
        for (job, history) in document["jobs"].as_object().unwrap() {
            let entries = history["jobs_info"].as_array().unwrap().iter();
            let failing = entries.map(|entry| entry["failing"].as_bool().unwrap());
            saved.insert((project.to_owned(), job.clone()), failing.collect());
        }
    }
    for truth in truths {
        let window: Vec<_> = truth.window.iter().map(|o| *o == "failed").collect();
        let key = (truth.project.clone(), truth.job_name.clone());
        assert_eq!(saved.get(&key).unwrap_or(&Vec::new()), &window, "{key:?}");
    }
}

/// Retries and passed executions of a job. These counters do not depend on the times of polls.
pub fn counters(gitlab: &Handle, job: &JobTruth) -> (u64, u64) {
    let (mut retries, mut passed) = (0, 0);
    gitlab.with(|world| {
        let project = world.project_by_path(&job.project).unwrap().id;
        let counted = world
            .visible_pipelines(project)
            .filter(|p| truth::SOURCES.contains(&p.source.as_str()));
        for pipeline in counted {
            let attempts = world.jobs_of(pipeline.id);
            let attempts = attempts.filter(|a| a.name() == job.job_name);
            let attempts: Vec<_> = attempts.collect();
            retries += attempts.len().saturating_sub(1) as u64;
            let last = attempts.last().map(|attempt| attempt.status);
            passed += u64::from(last == Some(CiStatus::Success));
        }
    });
    (retries, passed)
}

/// Asserts the counters that do not depend on the times of polls.
pub fn counters_are_true(samples: &Samples, gitlab: &Handle) {
    let own = |job: &JobTruth| !job.job_name.contains(" / ");
    for job in gitlab.truth().into_iter().filter(own) {
        let labels = [("project", &*job.project), ("job_name", &*job.job_name)];
        let (retries, passed) = counters(gitlab, &job);
        let (retries, passed) = (retries as f64, passed as f64);
        let served = samples.sum("job_retries_total", &labels);
        assert!(
            (served - retries).abs() < 0.5,
            "{labels:?}: {served} retries, truth {retries}"
        );
        let with_outcome = [labels[0], labels[1], ("outcome", "passed")];
        let served = samples.sum("job_executions_total", &with_outcome);
        assert!(
            (served - passed).abs() < 0.5,
            "{labels:?}: {served} passed, truth {passed}"
        );
    }
}

//! What the thresholds of a job are compared with, healthy or not: the rules record it only for jobs in trouble.

use std::collections::BTreeMap;

use super::labels::JobLabels;
use super::prometheus::Series;

/// Figures of a job by the name of their threshold.
#[derive(Debug, Default)]
pub(super) struct Figures(BTreeMap<String, f64>);

/// The figure of jobs whose last execution passed, or which may fail: the default of `no_success_seconds` is not for
/// them.
const PASSES: &str = "passes";

/// Names of thresholds, and PromQL for the figure. `SELF` becomes the matchers of the job.
const FIGURES: [(&str, &str); 12] = [
    (
        "consecutive_failures",
        "max(job_consecutive_failures{SELF})",
    ),
    ("failing_for_long", "max(job_consecutive_failures{SELF})"),
    (
        "failing_seconds",
        "time() - min(job_failing_since_timestamp_seconds{SELF})",
    ),
    ("failure_ratio", "max(job_failure_ratio{SELF})"),
    ("window_failures", "max(job_window_failures{SELF})"),
    (
        "no_success_seconds",
        "time() - (max(job_last_success_timestamp_seconds{SELF}) or min(job_first_seen_timestamp_seconds{SELF}))",
    ),
    ("running_seconds", "max(ci_job:running_seconds{SELF})"),
    ("running_factor", "max(ci_job:running_factor{SELF})"),
    ("pending_seconds", "max(ci_job:pending_seconds{SELF})"),
    ("flaky_executions", "max(job_window_flaky{SELF})"),
    (
        "allowed_failures",
        "max(ci_job:allowed_failures:increase3d{SELF})",
    ),
    (
        PASSES,
        "max(job_last_success_timestamp_seconds{SELF}) >= max(job_last_execution_timestamp_seconds{SELF}) \
         or max(job_info{SELF,allow_failure=\"true\"})",
    ),
];

/// PromQL for all figures of a job, each with its name in the label `what`.
pub(super) fn figures_query(job: JobLabels<'_>) -> String {
    let selector = job.selector();
    let figures = FIGURES.map(|(name, query)| {
        let query = query.replace("SELF", &selector);
        format!("label_replace({query},\"what\",\"{name}\",\"\",\"\")")
    });
    figures.join(" or on (what) ")
}

impl Figures {
    pub(super) fn of(series: &[Series]) -> Self {
        let named = series
            .iter()
            .map(|it| (it.label("what").to_owned(), it.value()));
        Self(named.collect())
    }

    /// The figure that a threshold is compared with.
    pub(super) fn get(&self, threshold: &str) -> Option<f64> {
        self.0.get(threshold).copied()
    }

    pub(super) fn passes(&self) -> bool {
        self.0.contains_key(PASSES)
    }
}

//! The thresholds that hold for a job, and what each alert compares with them.

use std::collections::BTreeMap;

use serde::Serialize;

use self::Unit::{Count, Seconds, Share};
use super::labels::{JobLabels, quoted};
use super::prometheus::{AlertRule, Series};
use crate::base::human::span;

/// A threshold of `alert-rules/thresholds.yml` that holds for the job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Threshold {
    /// The middle of the series' name, such as `consecutive_failures`.
    name: String,
    /// Empty for thresholds of every severity.
    severity: String,
    /// `None` for `Inf`, which switches the alert off.
    value: Option<f64>,
    /// `job`, `project`, `team` or `default`; unknown where the rules took the value from elsewhere.
    level: Option<String>,
    /// Whether the rules compare something with it now. Some thresholds are only for jobs that run, or fail.
    in_use: bool,
    /// The compared value as Prometheus has it.
    found: Option<f64>,
}

/// What an alert of one severity compares.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) alert: String,
    pub(super) severity: String,
    pub(super) thresholds: Vec<Threshold>,
}

/// What recorded series of jobs begin with.
const RECORDED: &str = "ci_job:";

enum Unit {
    Count,
    Share,
    Seconds,
}

/// What a threshold is compared with: its name, the series after `ci_job:`, the unit, and words for a value and
/// for none.
struct Measure(&'static str, &'static str, Unit, &'static str, &'static str);

const NONE: &str = "Prometheus has no figure of it";
const STILL: &str = "it does not run now";
const NO_WAIT: &str = "it does not wait for a runner now";
const OTHER: &str = "it is not marked `allow_failure`";

#[rustfmt::skip]
const MEASURES: [Measure; 10] = [
    Measure("consecutive_failures", "consecutive_failures", Count, "failures in a row", NONE),
    Measure("failing_for_long", "consecutive_failures", Count, "failures in a row", NONE),
    Measure("failure_ratio", "failure_ratio", Share, "of the window failed", NONE),
    Measure("window_failures", "window_failures", Count, "failures in the window", NONE),
    Measure("no_success_seconds", "since_success_seconds", Seconds, "without a pass", NONE),
    Measure("running_seconds", "running_seconds", Seconds, "of running", STILL),
    Measure("running_factor", "running_factor", Count, "times the usual duration", STILL),
    Measure("pending_seconds", "pending_seconds", Seconds, "of waiting for a runner", NO_WAIT),
    Measure("flaky_executions", "window_flaky", Count, "passed only on a retry", NONE),
    Measure("allowed_failures", "allowed_failures:increase3d", Count, "allowed failures in 3 d", OTHER),
];

/// Levels from the most exact one on, with the labels that they match.
fn levels(job: JobLabels<'_>, team: &str) -> [(&'static str, &'static str, String); 4] {
    let project = format!("project={}", quoted(job.project));
    let job = format!("{project},job_name={}", quoted(job.job_name));
    [
        ("job", "ci_job_override", job),
        ("project", "ci_project_override", project),
        ("team", "ci_team_override", format!("team={}", quoted(team))),
        ("default", "ci_default", String::new()),
    ]
}

/// PromQL for the written thresholds of a job: of each the one of the most exact level, which it is labelled
/// with, as the rules choose it.
pub(super) fn written_query(job: JobLabels<'_>, team: &str) -> String {
    let levels = levels(job, team).map(|(level, prefix, matchers)| {
        let name = format!("{prefix}:(.+):threshold");
        let series = format!("{{__name__=~\"{prefix}:.+:threshold\",{matchers}}}");
        let named = format!("label_replace({series},\"what\",\"$1\",\"__name__\",\"{name}\")");
        format!("label_replace({named},\"level\",\"{level}\",\"\",\"\")")
    });
    let levels = levels.join(" or on (what, severity) ");
    format!("min by (what, severity, level) ({levels})")
}

impl Threshold {
    /// The recorded thresholds of a job, and the written ones that are not recorded for it now.
    pub(super) fn all(written: &[Series], of_job: &[Series]) -> Vec<Self> {
        let mut all = BTreeMap::new();
        for series in written {
            let level = Some(series.label("level").to_owned());
            let threshold = Self::of(series.label("what"), series, of_job);
            all.extend(threshold.map(|it| (it.key(), Self { level, ..it })));
        }
        for series in of_job {
            let name = series.name().strip_suffix(":threshold").unwrap_or_default();
            let name = name.strip_prefix(RECORDED).unwrap_or_default();
            let Some(recorded) = Self::of(name, series, of_job) else {
                continue;
            };
            let written = all.remove(&recorded.key());
            let written = written.filter(|written| written.value == recorded.value);
            let level = written.and_then(|written| written.level);
            let in_use = true;
            all.insert(
                recorded.key(),
                Self {
                    level,
                    in_use,
                    ..recorded
                },
            );
        }
        all.into_values().collect()
    }

    /// `None` for thresholds that are not on jobs.
    fn of(name: &str, series: &Series, of_job: &[Series]) -> Option<Self> {
        let Measure(_, compared, ..) = measure(name)?;
        let is_compared = |it: &&Series| it.name().strip_prefix(RECORDED) == Some(compared);
        Some(Self {
            name: name.to_owned(),
            severity: series.label("severity").to_owned(),
            value: Some(series.value()).filter(|value| value.is_finite()),
            level: None,
            in_use: false,
            found: of_job.iter().find(is_compared).map(Series::value),
        })
    }

    fn key(&self) -> (String, String) {
        (self.name.clone(), self.severity.clone())
    }

    /// `3 (default)`, `10 min (team)`.
    pub fn words(&self) -> String {
        let unit = measure(&self.name).map_or(&Count, |Measure(_, _, unit, ..)| unit);
        let value = self
            .value
            .map_or("Inf".to_owned(), |value| in_words(value, unit));
        match &self.level {
            Some(level) => format!("{value} ({level})"),
            None => value,
        }
    }

    /// Its name and severity, as in the rules.
    pub fn label(&self) -> String {
        match &*self.severity {
            "" => self.name.clone(),
            severity => format!("{} ({severity})", self.name),
        }
    }

    /// What is compared with it.
    pub(super) fn found_in_words(&self) -> String {
        match (measure(&self.name), self.found) {
            (Some(Measure(_, _, unit, words, _)), Some(found)) => {
                format!("{} {words}", in_words(found, unit))
            }
            (Some(Measure(.., none)), None) => (*none).to_owned(),
            (None, _) => NONE.to_owned(),
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.value.is_none()
    }

    pub(super) fn is_reached(&self) -> bool {
        self.found >= self.value && self.value.is_some()
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.in_use
    }
}

/// What each alert rule compares for the job, by the thresholds that its expression names.
pub(super) fn checks(rules: &[AlertRule], thresholds: &[Threshold]) -> Vec<Check> {
    let mut checks = Vec::new();
    for rule in rules {
        let is_used = |it: &&Threshold| {
            rule.query
                .contains(&format!("ci_job:{}:threshold", it.name))
        };
        let used: Vec<_> = thresholds.iter().filter(is_used).collect();
        let severities = used
            .iter()
            .map(|it| &*it.severity)
            .filter(|it| !it.is_empty());
        for severity in severities {
            let of_severity = |it: &&&Threshold| it.severity == severity || it.severity.is_empty();
            checks.push(Check {
                alert: rule.name.clone(),
                severity: severity.to_owned(),
                thresholds: used.iter().filter(of_severity).copied().cloned().collect(),
            });
        }
    }
    checks
}

fn measure(threshold: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|Measure(name, ..)| *name == threshold)
}

fn in_words(value: f64, unit: &Unit) -> String {
    match unit {
        Count => format!("{}", (value * 10.0).round() / 10.0),
        Share => format!("{:.0} %", value * 100.0),
        Seconds => span(value.round()),
    }
}

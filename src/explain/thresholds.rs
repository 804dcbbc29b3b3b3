//! The thresholds that hold for a job, and what each alert compares with them.

use std::collections::BTreeMap;

use serde::Serialize;

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

enum Unit {
    Count,
    Share,
    Seconds,
}

/// What a threshold is compared with: its series, and words for a value and for none.
struct Measure {
    threshold: &'static str,
    series: &'static str,
    unit: Unit,
    words: &'static str,
    absent: &'static str,
}

const NO_VALUE: &str = "Prometheus has no figure of it";

const MEASURES: [Measure; 10] = [
    Measure {
        threshold: "consecutive_failures",
        series: "ci_job:consecutive_failures",
        unit: Unit::Count,
        words: "failures in a row",
        absent: NO_VALUE,
    },
    Measure {
        threshold: "failing_for_long",
        series: "ci_job:consecutive_failures",
        unit: Unit::Count,
        words: "failures in a row",
        absent: NO_VALUE,
    },
    Measure {
        threshold: "failure_ratio",
        series: "ci_job:failure_ratio",
        unit: Unit::Share,
        words: "of the window failed",
        absent: NO_VALUE,
    },
    Measure {
        threshold: "window_failures",
        series: "ci_job:window_failures",
        unit: Unit::Count,
        words: "failures in the window",
        absent: NO_VALUE,
    },
    Measure {
        threshold: "no_success_seconds",
        series: "ci_job:since_success_seconds",
        unit: Unit::Seconds,
        words: "without a pass",
        absent: NO_VALUE,
    },
    Measure {
        threshold: "running_seconds",
        series: "ci_job:running_seconds",
        unit: Unit::Seconds,
        words: "of running",
        absent: "it does not run now",
    },
    Measure {
        threshold: "running_factor",
        series: "ci_job:running_factor",
        unit: Unit::Count,
        words: "times the usual duration",
        absent: "it does not run now",
    },
    Measure {
        threshold: "pending_seconds",
        series: "ci_job:pending_seconds",
        unit: Unit::Seconds,
        words: "of waiting for a runner",
        absent: "it does not wait for a runner now",
    },
    Measure {
        threshold: "flaky_executions",
        series: "ci_job:window_flaky",
        unit: Unit::Count,
        words: "passed only on a retry",
        absent: NO_VALUE,
    },
    Measure {
        threshold: "allowed_failures",
        series: "ci_job:allowed_failures:increase3d",
        unit: Unit::Count,
        words: "allowed failures in three days",
        absent: "it is not marked `allow_failure`",
    },
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
        let found = |name: &str| {
            let series = measure(name).map(|measure| measure.series);
            let value = of_job.iter().find(|it| Some(it.name()) == series);
            value.map(Series::value)
        };
        let threshold = |name: &str, series: &Series| Self {
            name: name.to_owned(),
            severity: series.label("severity").to_owned(),
            value: Some(series.value()).filter(|value| value.is_finite()),
            level: None,
            in_use: false,
            found: found(name),
        };
        let mut all = BTreeMap::new();
        for series in written {
            let name = series.label("what");
            let level = Some(series.label("level").to_owned());
            let written = Self {
                level,
                ..threshold(name, series)
            };
            all.insert((written.name.clone(), written.severity.clone()), written);
        }
        for series in of_job {
            let name = series.name().strip_prefix("ci_job:");
            let Some(name) = name.and_then(|name| name.strip_suffix(":threshold")) else {
                continue;
            };
            let mut recorded = Self {
                in_use: true,
                ..threshold(name, series)
            };
            let key = (recorded.name.clone(), recorded.severity.clone());
            let written = all.remove(&key);
            let written = written.filter(|written| written.value == recorded.value);
            recorded.level = written.and_then(|written| written.level);
            all.insert(key, recorded);
        }
        all.into_values()
            .filter(|threshold| measure(&threshold.name).is_some())
            .collect()
    }

    /// `3 (default)`, `10 min (team)`.
    pub fn words(&self) -> String {
        let unit = measure(&self.name).map_or(&Unit::Count, |measure| &measure.unit);
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
        let Some(measure) = measure(&self.name) else {
            return NO_VALUE.to_owned();
        };
        match self.found {
            Some(value) => format!("{} {}", in_words(value, &measure.unit), measure.words),
            None => measure.absent.to_owned(),
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
    MEASURES
        .iter()
        .find(|measure| measure.threshold == threshold)
}

fn in_words(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Count => format!("{}", (value * 10.0).round() / 10.0),
        Unit::Share => format!("{:.0} %", value * 100.0),
        Unit::Seconds => span(value.round()),
    }
}

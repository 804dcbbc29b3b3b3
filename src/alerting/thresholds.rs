//! The thresholds that hold for a job, and what each alert compares with them.

use serde::Serialize;

use self::Unit::{Count, Seconds, Share};
use super::figures::Figures;
use super::prometheus::{AlertRule, Series, whole};
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
    /// `job`, `stage`, `ref`, `project`, `group`, `team` or `default`.
    level: String,
    /// Whether the rules compare something with it now. Some thresholds are only for jobs that run, or fail.
    in_use: bool,
    /// The compared value as Prometheus has it.
    found: Option<f64>,
}

/// What an alert of one severity compares.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Name of the alert.
    pub alert: String,
    /// Its severity.
    pub severity: String,
    /// All of them have to be reached.
    #[serde(skip)]
    pub thresholds: Vec<Threshold>,
    /// When it would fire if things go on as now; `None` if that is not a matter of time.
    pub would_fire_at_timestamp_seconds: Option<i64>,
}

enum Unit {
    Count,
    Share,
    Seconds,
}

/// A threshold: its name, the unit, and words for the compared value and for none.
struct Measure(&'static str, Unit, &'static str, &'static str);

const NONE: &str = "Prometheus has no figure of it";
const PASSED: &str = "it does not fail now";
const STILL: &str = "it does not run now";
const NO_WAIT: &str = "it does not wait for a runner now";
const SHORT: &str = "it does not run for long";
const OTHER: &str = "it is not marked `allow_failure`, or has passed lately";

#[rustfmt::skip]
const MEASURES: [Measure; 11] = [
    Measure("consecutive_failures", Count, "failures in a row", NONE),
    Measure("failing_for_long", Count, "failures in a row", NONE),
    Measure("failing_seconds", Seconds, "of failing", PASSED),
    Measure("failure_ratio", Share, "of the window failed", NONE),
    Measure("window_failures", Count, "failures in the window", NONE),
    Measure("no_success_seconds", Seconds, "without a pass", NONE),
    Measure("running_seconds", Seconds, "of running", STILL),
    Measure("running_factor", Count, "times the usual duration", SHORT),
    Measure("pending_seconds", Seconds, "of waiting for a runner", NO_WAIT),
    Measure("flaky_executions", Count, "passed only on a retry", NONE),
    Measure("allowed_failures", Count, "allowed failures in 3 d", OTHER),
];

/// The thresholds of each alert on jobs.
#[rustfmt::skip]
const ALERTS: [(&str, &[&str]); 8] = [
    ("CIJobFailingRepeatedly", &["consecutive_failures"]),
    ("CIJobFailingForLong", &["failing_seconds", "failing_for_long"]),
    ("CIJobFailureRatioHigh", &["failure_ratio", "window_failures"]),
    ("CIJobNoRecentSuccess", &["no_success_seconds"]),
    ("CIJobStuck", &["running_seconds", "running_factor"]),
    ("CIJobPendingTooLong", &["pending_seconds"]),
    ("CIJobFlaky", &["flaky_executions"]),
    ("CIJobAllowedFailure", &["allowed_failures"]),
];

impl Threshold {
    /// The written thresholds that hold for a job, by name and severity.
    pub(super) fn all(written: &[Series], figures: &Figures) -> Vec<Self> {
        let mut all: Vec<_> = written
            .iter()
            .filter_map(|series| Self::of(series, figures))
            .collect();
        // The streak of a job that fails for long: that of the warning, unless somebody says otherwise.
        let own = all.iter().any(|it| it.name == "failing_for_long");
        let is_warning = |it: &&Self| it.name == "consecutive_failures" && it.severity == "warning";
        if let (false, Some(warning)) = (own, all.iter().find(is_warning)) {
            let (name, severity) = ("failing_for_long".to_owned(), "critical".to_owned());
            all.push(Self {
                name,
                severity,
                ..warning.clone()
            });
        }
        all.sort_by(|one, other| (&one.name, &one.severity).cmp(&(&other.name, &other.severity)));
        all
    }

    /// `None` for thresholds that are not on jobs.
    fn of(series: &Series, figures: &Figures) -> Option<Self> {
        let Measure(name, ..) = measure(series.label("what"))?;
        let level = series.label("level").to_owned();
        let found = figures.get(name);
        let is_for_others = *name == "no_success_seconds" && level == "default" && figures.passes();
        Some(Self {
            name: (*name).to_owned(),
            severity: series.label("severity").to_owned(),
            value: Some(series.value()).filter(|value| value.is_finite()),
            level,
            in_use: found.is_some() && !is_for_others,
            found,
        })
    }

    /// `3 (default)`, `10 min (team)`.
    pub fn words(&self) -> String {
        format!("{} ({})", self.value_in_words(), self.level)
    }

    /// `3`, `10 min`, `Inf`.
    pub fn value_in_words(&self) -> String {
        let unit = measure(&self.name).map_or(&Count, |Measure(_, unit, ..)| unit);
        self.value
            .map_or("Inf".to_owned(), |value| in_words(value, unit))
    }

    /// Its name and severity, as in the rules.
    pub fn label(&self) -> String {
        match &*self.severity {
            "" => self.name.clone(),
            severity => format!("{} ({severity})", self.name),
        }
    }

    /// What is compared with it.
    pub fn found_in_words(&self) -> String {
        match (measure(&self.name), self.found) {
            (Some(Measure(_, unit, words, _)), Some(found)) => {
                let found = in_words(found, unit);
                let words = if found == "1" {
                    words.replacen("failures", "failure", 1)
                } else {
                    (*words).to_owned()
                };
                format!("{found} {words}")
            }
            (Some(Measure(.., none)), None) => (*none).to_owned(),
            (None, _) => NONE.to_owned(),
        }
    }

    /// Whether `Inf` switches the alert off.
    pub fn is_off(&self) -> bool {
        self.value.is_none()
    }

    /// Its level, such as `job` or `default`.
    pub fn level(&self) -> &str {
        &self.level
    }

    /// Seconds until it is reached: 0 if it is, `None` if time alone does not lead there.
    fn seconds_left(&self) -> Option<f64> {
        let (value, found) = (self.value?, self.found?);
        let grows = matches!(measure(&self.name), Some(Measure(_, Seconds, ..)));
        let left = (value - found).max(0.0);
        (self.in_use && (grows || left == 0.0)).then_some(left)
    }

    pub(super) fn is_reached(&self) -> bool {
        self.found >= self.value && self.value.is_some()
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.in_use
    }
}

impl Check {
    /// Whether all thresholds are reached.
    pub fn is_reached(&self) -> bool {
        let mut thresholds = self.thresholds.iter();
        thresholds.all(|it| it.is_in_use() && it.is_reached())
    }
}

/// What each alert compares for the job, as far as Prometheus has its rule.
pub(super) fn checks(rules: &[AlertRule], thresholds: &[Threshold], now: i64) -> Vec<Check> {
    let mut checks = Vec::new();
    for (alert, names) in ALERTS {
        let Some(rule) = rules.iter().find(|rule| rule.name == alert) else {
            continue;
        };
        let used = names
            .iter()
            .flat_map(|name| thresholds.iter().filter(move |it| it.name == **name));
        let used: Vec<_> = used.collect();
        let mut severities: Vec<_> = used.iter().map(|it| &*it.severity).collect();
        severities.retain(|it| !it.is_empty());
        severities.dedup();
        for severity in severities {
            let of_severity = |it: &&&Threshold| it.severity == severity || it.severity.is_empty();
            let thresholds: Vec<_> = used.iter().filter(of_severity).copied().cloned().collect();
            checks.push(Check {
                alert: alert.to_owned(),
                severity: severity.to_owned(),
                would_fire_at_timestamp_seconds: would_fire_at(rule, &thresholds, now),
                thresholds,
            });
        }
    }
    checks
}

/// When the last threshold is reached, and has been for as long as the rule wants. `None` if all are reached already: the
/// alert is active then, or has a further condition.
fn would_fire_at(rule: &AlertRule, thresholds: &[Threshold], now: i64) -> Option<i64> {
    let mut longest = 0.0_f64;
    for threshold in thresholds {
        longest = longest.max(threshold.seconds_left()?);
    }
    let left = whole(longest.ceil());
    (left > 0).then(|| now.saturating_add(left).saturating_add(rule.duration()))
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

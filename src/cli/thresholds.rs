//! The shipped default thresholds, read from the rules that Prometheus gets.

use anyhow::Context as _;
use serde::Deserialize;

use crate::model::Figures;

const SHIPPED: &str = include_str!("../../alert-rules/thresholds.yml");

/// A shipped threshold on one job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Threshold {
    pub(super) alert: &'static str,
    pub(super) severity: String,
    limit: Limit,
}

#[derive(Debug, Clone, PartialEq)]
enum Limit {
    /// Failures in a row.
    Consecutive(f64),
    /// Failing share of the window, and the least failures in it.
    Ratio(f64, f64),
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: String,
    expr: String,
    #[serde(default)]
    labels: Labels,
}

#[derive(Deserialize, Default)]
struct Labels {
    #[serde(default)]
    severity: String,
}

/// All shipped default thresholds on jobs.
pub(super) fn shipped() -> anyhow::Result<Vec<Threshold>> {
    let file: RuleFile =
        serde_yaml::from_str(SHIPPED).context("the shipped thresholds are not readable")?;
    let rules = || file.groups.iter().flat_map(|group| &group.rules);
    let values = |name: &'static str| {
        rules()
            .filter(move |rule| rule.record == name)
            .map(move |rule| {
                let value: f64 = rule
                    .expr
                    .parse()
                    .with_context(|| format!("the shipped {name} is no number: {}", rule.expr))?;
                anyhow::Ok((rule.labels.severity.clone(), value))
            })
    };
    let mut thresholds = Vec::new();
    for value in values("ci_default:consecutive_failures:threshold") {
        let (severity, value) = value?;
        thresholds.push(Threshold {
            alert: "CIJobFailingRepeatedly",
            severity,
            limit: Limit::Consecutive(value),
        });
    }
    let least = values("ci_default:window_failures:threshold").next();
    let least = least.transpose()?.map_or(0.0, |(_, value)| value);
    for value in values("ci_default:failure_ratio:threshold") {
        let (severity, value) = value?;
        thresholds.push(Threshold {
            alert: "CIJobFailureRatioHigh",
            severity,
            limit: Limit::Ratio(value, least),
        });
    }
    Ok(thresholds)
}

impl Threshold {
    /// Whether a job is at or over it.
    pub(super) fn is_reached(&self, figures: &Figures) -> bool {
        match self.limit {
            Limit::Consecutive(limit) => figures.consecutive_failures as f64 >= limit,
            Limit::Ratio(limit, least) => {
                figures.failure_ratio() >= limit && figures.window_failures as f64 >= least
            }
        }
    }

    /// What of the job is compared with it, in words.
    pub(super) fn reading(&self, figures: &Figures) -> String {
        match self.limit {
            Limit::Consecutive(limit) => {
                format!("{} in a row (from {limit})", figures.consecutive_failures)
            }
            Limit::Ratio(limit, least) => format!(
                "{} of {} failed (from {} %, at least {least})",
                figures.window_failures,
                figures.window_executions,
                limit * 100.0
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_thresholds_are_three_and_six_in_a_row_and_half_of_the_window() {
        let limits: Vec<_> = shipped()
            .unwrap()
            .into_iter()
            .map(|threshold| (threshold.severity, threshold.limit))
            .collect();
        assert_eq!(
            limits,
            [
                ("warning".to_owned(), Limit::Consecutive(3.0)),
                ("critical".to_owned(), Limit::Consecutive(6.0)),
                ("warning".to_owned(), Limit::Ratio(0.5, 5.0)),
            ]
        );
    }
}

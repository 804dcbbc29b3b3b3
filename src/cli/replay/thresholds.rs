//! The default thresholds of `alert-rules/thresholds.yml` that `replay` compares with. Overrides, waits and
//! everything else is Prometheus' work; `explain` asks it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use ci_history::Figures;
use serde::Deserialize;

const SHIPPED: &str = include_str!("../../../alert-rules/thresholds.yml");

/// Values by record, then by severity; the empty severity is for all.
pub(super) struct Thresholds(BTreeMap<String, BTreeMap<String, f64>>);

/// A job beside a threshold.
pub(super) struct Comparison {
    pub(super) is_reached: bool,
    /// The alert with its severity.
    pub(super) alert: String,
    pub(super) words: String,
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
    labels: BTreeMap<String, String>,
}

impl Thresholds {
    pub(super) fn shipped() -> anyhow::Result<Self> {
        let file: RuleFile = serde_yaml::from_str(SHIPPED).context("the shipped thresholds")?;
        let mut all = BTreeMap::<_, BTreeMap<_, _>>::new();
        for mut rule in file.groups.into_iter().flat_map(|group| group.rules) {
            let severity = rule.labels.remove("severity").unwrap_or_default();
            let value = rule.expr.parse().with_context(|| rule.record.clone())?;
            all.entry(rule.record).or_default().insert(severity, value);
        }
        Ok(Self(all))
    }

    /// Compares a job with every threshold on its streak and on its window, always in the same order.
    pub(super) fn compare(&self, figures: &Figures) -> impl Iterator<Item = Comparison> {
        let streak = figures.consecutive_failures;
        let streaks = self
            .of("consecutive_failures")
            .map(move |(severity, limit)| Comparison {
                is_reached: streak as f64 >= limit,
                alert: format!("CIJobFailingRepeatedly ({severity})"),
                words: format!("{streak} in a row (from {limit})"),
            });
        let (failures, executions) = (figures.window_failures, figures.window_executions);
        let ratio = figures.failure_ratio();
        let least = self
            .of("window_failures")
            .next()
            .map_or(0.0, |(_, least)| least);
        let ratios = self
            .of("failure_ratio")
            .map(move |(severity, limit)| Comparison {
                is_reached: ratio >= limit && failures as f64 >= least,
                alert: format!("CIJobFailureRatioHigh ({severity})"),
                words: format!(
                    "{failures} of {executions} failed (from {} %, at least {least})",
                    limit * 100.0
                ),
            });
        streaks.chain(ratios)
    }

    fn of(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        let values = self.0.get(&format!("ci_default:{name}:threshold"));
        let values = values.into_iter().flatten();
        values.map(|(severity, value)| (&**severity, *value))
    }
}

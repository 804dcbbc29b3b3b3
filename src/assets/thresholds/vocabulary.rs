//! The thresholds that the shipped rules read: names, severities and levels.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use regex::Regex;

use super::super::embedded::{Embedded, RULES, THRESHOLDS};
use super::super::yaml_text::Node;
use super::number::Unit;

/// A default threshold: `ci_default:NAME:threshold`.
const DEFAULT: &str = r"ci_default:([a-z0-9_]+):threshold";
/// How expressions read a threshold, with the severity that they select.
const READ: &str =
    r#"ci_(default|[a-z_]+_override):([a-z0-9_]+):threshold(?:\{severity="([a-z]+)"\})?"#;
/// How expressions read a level: `min by (project) (ci_project_override:NAME:threshold`.
const LEVEL: &str = r"by \(([a-z_, ]+)\) \(\s*ci_([a-z_]+)_override:([a-z0-9_]+):threshold";

/// Everything that can be set.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    measures: BTreeMap<String, Measure>,
}

/// One threshold.
#[derive(Debug, Default)]
pub(super) struct Measure {
    /// Empty if the threshold is for all severities.
    severities: BTreeSet<String>,
    /// Names of the levels below the default, with the labels that select.
    levels: BTreeMap<String, BTreeSet<String>>,
}

impl Vocabulary {
    /// Of the shipped rules.
    pub(super) fn shipped() -> anyhow::Result<Self> {
        let mut all = Self::default();
        all.read_defaults()?;
        let read = Regex::new(READ)?;
        let level = Regex::new(LEVEL)?;
        for rule in RULES {
            let root = Node::parse(rule.text).with_context(|| rule.path)?;
            for expr in root.rules().filter_map(|rule| rule.get("expr")?.text()) {
                all.read_expression(expr, &read, &level);
            }
        }
        Ok(all)
    }

    fn read_defaults(&mut self) -> anyhow::Result<()> {
        let name = Regex::new(&format!("^{DEFAULT}$"))?;
        for rule in Node::parse(thresholds_file()?.text)?.rules() {
            let record = rule.get("record").and_then(Node::text).unwrap_or_default();
            if let Some(found) = name.captures(record) {
                let measure = self.measures.entry(found[1].to_owned()).or_default();
                measure.severities.extend(severity(rule).map(str::to_owned));
            }
        }
        Ok(())
    }

    fn read_expression(&mut self, expr: &str, read: &Regex, level: &Regex) {
        for found in read.captures_iter(expr) {
            let measure = self.measures.entry(found[2].to_owned()).or_default();
            let severity = found.get(3).map(|severity| severity.as_str().to_owned());
            measure.severities.extend(severity);
        }
        for found in level.captures_iter(expr) {
            let labels = found[1].split(',').map(|label| label.trim().to_owned());
            let measure = self.measures.entry(found[3].to_owned()).or_default();
            let labels = labels.filter(|label| label != "severity").collect();
            measure.levels.insert(found[2].to_owned(), labels);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<(&str, &Measure)> {
        let (name, measure) = self.measures.get_key_value(name)?;
        Some((name, measure))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.measures.keys().map(String::as_str).collect()
    }

    /// Every label by which a level selects.
    pub(super) fn labels(&self) -> BTreeSet<&str> {
        let levels = self.measures.values().flat_map(|it| it.levels.values());
        levels.flatten().map(String::as_str).collect()
    }
}

impl Measure {
    pub(super) fn severities(&self) -> Vec<&str> {
        self.severities.iter().map(String::as_str).collect()
    }

    /// The level that selects by exactly these labels.
    pub(super) fn level(&self, labels: &BTreeSet<&str>) -> Option<&str> {
        let is_it = |of_level: &BTreeSet<String>| {
            of_level
                .iter()
                .map(String::as_str)
                .eq(labels.iter().copied())
        };
        let found = self.levels.iter().find(|(_, labels)| is_it(labels));
        found.map(|(level, _)| level.as_str())
    }

    /// The labels of each level.
    pub(super) fn levels(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        self.levels.values()
    }
}

/// The `severity` of a rule, if it has one.
pub(super) fn severity(rule: &Node) -> Option<&str> {
    rule.get("labels")?.get("severity")?.text()
}

/// The shipped file with the defaults.
pub(super) fn thresholds_file() -> anyhow::Result<&'static Embedded> {
    let found = RULES.iter().find(|rule| rule.path == THRESHOLDS);
    found.context("no rule file has the defaults of the thresholds")
}

/// What a name counts.
pub(super) fn unit(name: &str) -> Unit {
    Unit::of(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_known_with_its_severities() {
        let shipped = Vocabulary::shipped().unwrap();
        assert!(shipped.names().len() > 15, "{:?}", shipped.names());
        let (_, measure) = shipped.get("consecutive_failures").unwrap();
        assert_eq!(measure.severities(), ["critical", "warning"]);
        let (_, measure) = shipped.get("poll_age_seconds").unwrap();
        assert_eq!(measure.severities(), Vec::<&str>::new());
    }

    #[test]
    fn every_threshold_of_jobs_can_be_overridden_by_team_project_and_job() {
        let shipped = Vocabulary::shipped().unwrap();
        for name in [
            "consecutive_failures",
            "failure_ratio",
            "no_success_seconds",
            "running_seconds",
        ] {
            let (_, measure) = shipped.get(name).unwrap();
            for labels in [&["team"][..], &["project"], &["project", "job_name"]] {
                let level = measure.level(&labels.iter().copied().collect());
                assert!(level.is_some(), "{name} by {labels:?}: {measure:?}");
            }
        }
    }
}

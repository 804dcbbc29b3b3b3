//! The thresholds that the shipped rules read: names, severities and levels.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use regex::Regex;

use super::super::embedded::{Embedded, RULES, THRESHOLDS};
use super::super::yaml_text::Node;
use super::table::{Level, Tables};

/// A default threshold: `ci_default:NAME:threshold`.
const DEFAULT: &str = r"^ci_default:([a-z0-9_]+):threshold$";

/// Everything that can be set.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    levels: BTreeMap<String, Level>,
    measures: BTreeMap<String, Measure>,
}

/// One threshold.
#[derive(Debug, Default)]
pub(super) struct Measure {
    /// Empty if the threshold is for all severities.
    severities: BTreeSet<String>,
    /// Severities that have a default.
    defaults: BTreeSet<String>,
    /// Names of the levels below the default.
    levels: BTreeSet<String>,
}

impl Vocabulary {
    /// Of the shipped rules.
    pub(super) fn shipped() -> anyhow::Result<Self> {
        let file = thresholds_file()?;
        let tables = Tables::read(file.text)?;
        let measures = tables.rows.into_iter().map(|(name, row)| {
            let measure = Measure {
                severities: row.severities,
                defaults: BTreeSet::new(),
                levels: row.levels,
            };
            (name, measure)
        });
        let mut all = Self {
            levels: tables.levels,
            measures: measures.collect(),
        };
        all.read_defaults(file.text)?;
        Ok(all)
    }

    fn read_defaults(&mut self, text: &str) -> anyhow::Result<()> {
        let name = Regex::new(DEFAULT)?;
        for rule in Node::parse(text)?.rules() {
            let record = rule.get("record").and_then(Node::text).unwrap_or_default();
            if let Some(found) = name.captures(record) {
                let measure = self.measures.entry(found[1].to_owned()).or_default();
                let severity = severity(rule).map(str::to_owned);
                measure.severities.extend(severity.clone());
                measure.defaults.extend(severity);
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<(&str, &Measure)> {
        let (name, measure) = self.measures.get_key_value(name)?;
        Some((name, measure))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.measures.keys().map(String::as_str).collect()
    }

    /// Every label by which an override can select.
    pub(super) fn labels(&self) -> BTreeSet<&str> {
        let labels = self.levels.values().flat_map(Level::labels);
        labels.collect()
    }

    /// The levels of a threshold, without the default.
    pub(super) fn levels(&self, measure: &Measure) -> impl Iterator<Item = &Level> {
        let names = measure.levels.iter();
        let levels: Vec<_> = names.filter_map(|name| self.levels.get(name)).collect();
        levels.into_iter()
    }
}

impl Measure {
    pub(super) fn severities(&self) -> Vec<&str> {
        self.severities.iter().map(String::as_str).collect()
    }

    /// The severity that is meant if none is named: the only one, or the only one with a default.
    pub(super) fn usual_severity(&self) -> Option<&str> {
        let all = [&self.severities, &self.defaults];
        let single = all.into_iter().find(|severities| severities.len() == 1)?;
        single.first().map(String::as_str)
    }
}

/// The `severity` of a rule, if it has one.
pub(super) fn severity(rule: &Node) -> Option<&str> {
    rule.get("labels")?.get("severity")?.text()
}

/// The shipped file with the defaults.
fn thresholds_file() -> anyhow::Result<&'static Embedded> {
    let found = RULES.iter().find(|rule| rule.path == THRESHOLDS);
    found.context("no rule file has the defaults of the thresholds")
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
        assert_eq!(measure.usual_severity(), None);
        let (_, measure) = shipped.get("failure_ratio").unwrap();
        assert_eq!(measure.usual_severity(), Some("warning"));
        let (_, measure) = shipped.get("poll_age_seconds").unwrap();
        assert_eq!(measure.severities(), Vec::<&str>::new());
    }

    #[test]
    fn every_threshold_of_jobs_can_be_overridden_by_team_project_and_job() {
        let shipped = Vocabulary::shipped().unwrap();
        for name in [
            "consecutive_failures",
            "failure_ratio",
            "window_failures",
            "running_seconds",
        ] {
            let (_, measure) = shipped.get(name).unwrap();
            for (labels, prefix) in [
                (&["team"][..], "team_override"),
                (&["project"], "project_override"),
                (&["project", "job_name"], "job_override"),
            ] {
                let labels = labels.iter().copied().collect();
                let level = shipped.levels(measure).find(|level| level.takes(&labels));
                assert_eq!(level.unwrap().prefix, prefix, "{name} by {labels:?}");
            }
        }
    }
}

//! Writes thresholds into `thresholds.yml`: defaults in their places, overrides as a group of their own.

use serde_yaml::{Mapping, Value};

use super::super::yaml_text::{Edits, Node};
use super::given::{Key, Thresholds};
use super::vocabulary::severity;

/// The group of the rules that the file did not have.
const GROUP: &str = "ci-thresholds-given";

impl Thresholds {
    /// The text of `thresholds.yml` with these values. Comments stay.
    pub(in super::super) fn apply(&self, text: &str) -> anyhow::Result<String> {
        if self.is_empty() {
            return Ok(text.to_owned());
        }
        let root = Node::parse(text)?;
        let mut edits = Edits::default();
        let mut added = Vec::new();
        for (key, value) in self.iter() {
            match expression(&root, key) {
                Some(expression) => edits.replace(expression, format!("'{value}'")),
                None => added.push(rule(key, value)),
            }
        }
        let mut text = edits.apply(text);
        if !added.is_empty() {
            text.push('\n');
            text.push_str(&group(added)?);
        }
        Ok(text)
    }
}

/// The expression of the shipped rule of a default.
fn expression<'n>(root: &'n Node, key: &Key) -> Option<&'n Node> {
    let wanted = key.labels.get("severity").map(String::as_str);
    let is_it = |rule: &&Node| {
        let labels = rule
            .get("labels")
            .map_or(0, |labels| labels.entries().len());
        rule.get("record").and_then(Node::text) == Some(&key.record)
            && severity(rule) == wanted
            && labels == key.labels.len()
    };
    root.rules().find(is_it)?.get("expr")
}

fn rule(key: &Key, value: &str) -> Value {
    let mut rule = Mapping::new();
    rule.insert("record".into(), key.record.clone().into());
    rule.insert("expr".into(), value.into());
    if !key.labels.is_empty() {
        let labels = key
            .labels
            .iter()
            .map(|(name, value)| (name.clone().into(), value.clone().into()));
        rule.insert("labels".into(), Value::Mapping(labels.collect()));
    }
    Value::Mapping(rule)
}

/// A group, indented as an item of `groups:` at the end of the file.
fn group(rules: Vec<Value>) -> anyhow::Result<String> {
    let mut group = Mapping::new();
    group.insert("name".into(), GROUP.into());
    group.insert("rules".into(), Value::Sequence(rules));
    let text = serde_yaml::to_string(&Value::Sequence(vec![Value::Mapping(group)]))?;
    let lines = text.lines().map(|line| ["  ", line, "\n"].concat());
    Ok(lines.collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use super::super::super::embedded::RULES;
    use super::*;

    fn shipped() -> &'static str {
        RULES
            .iter()
            .find(|rule| rule.path == "thresholds.yml")
            .unwrap()
            .text
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn problems(file: &str, pairs: &[(String, String)]) -> String {
        let read = Thresholds::read(Some(file), pairs).unwrap();
        read.map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn defaults_change_in_place_and_overrides_follow_in_a_group_of_their_own() {
        let file = "
defaults:
  consecutive_failures: {warning: 4}
  failure_ratio: {critical: 90%}
overrides:
  - team: research
    thresholds:
      consecutive_failures: {warning: 5, critical: off}
  - project: acme/shop
    job: \"de'ploy: \\\"prod\\\"\"
    thresholds: {no_success_seconds: {warning: 26h}}
";
        let pairs = [
            pair("window_failures", "7"),
            pair("failure_ratio", "60%"),
            pair("consecutive_failures.critical", "8"),
        ];
        let given = Thresholds::read(Some(file), &pairs).unwrap().unwrap();
        let text = given.apply(shipped()).unwrap();
        let changed = shipped()
            .replacen("expr: '3'", "expr: '4'", 1)
            .replacen("expr: '6'", "expr: '8'", 1)
            .replacen("expr: '5'", "expr: '7'", 1)
            .replacen("expr: '0.5'", "expr: '0.6'", 1);
        let (before, group) = text.split_at(changed.len());
        assert_eq!(before, changed, "comments and all other values stay");
        assert_eq!(
            group,
            "
  - name: ci-thresholds-given
    rules:
    - record: ci_default:failure_ratio:threshold
      expr: '0.9'
      labels:
        severity: critical
    - record: ci_job_override:no_success_seconds:threshold
      expr: '93600'
      labels:
        job_name: 'de''ploy: \"prod\"'
        project: acme/shop
        severity: warning
    - record: ci_team_override:consecutive_failures:threshold
      expr: Inf
      labels:
        severity: critical
        team: research
    - record: ci_team_override:consecutive_failures:threshold
      expr: '5'
      labels:
        severity: warning
        team: research
"
        );
    }

    #[test]
    fn the_command_line_overrides_the_file() {
        let file = "defaults: {consecutive_failures: {warning: 4}}";
        let pairs = [pair("consecutive_failures.warning", "5")];
        let given = Thresholds::read(Some(file), &pairs).unwrap().unwrap();
        let text = given.apply(shipped()).unwrap();
        assert_eq!(text, shipped().replacen("expr: '3'", "expr: '5'", 1));
    }

    #[test]
    fn an_empty_file_changes_nothing() {
        for file in [
            "",
            "# nothing\n",
            "defaults:\noverrides:\n",
            "overrides: []",
        ] {
            let given = Thresholds::read(Some(file), &[]).unwrap().unwrap();
            assert_eq!(given.apply(shipped()).unwrap(), shipped());
        }
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place_and_a_way_out() {
        let file = "
default: {consecutive_failures: 3}
defaults:
  consecutive_failure: {warning: 3}
  consecutive_failures: 4
  failure_ratio: {warnin: 50%}
  no_success_seconds: {warning: 4 weeks}
  poll_age_seconds: {warning: 30m}
  running_factor: [3]
overrides:
  - thresholds: {consecutive_failures: {warning: 5}}
  - team: research
  - team: [a, b]
    thresholds: {}
  - project: acme/*
    thresholds: {}
  - projct: acme/shop
    thresholds: {}
  - team: research
    thresholds: {save_age_seconds: 1h, poll_age_seconds: 1h}
  - team: twice
    thresholds: {window_failures: 2}
  - team: twice
    thresholds: {window_failures: 3}
  - nothing
";
        let pairs = [pair("consecutive_failures", "3"), pair("x", "1")];
        let said = problems(file, &pairs);
        for expected in [
            "default: no key is called `default`; did you mean `defaults`?",
            "defaults.consecutive_failure.warning: no threshold is called `consecutive_failure`; did you mean `consecutive_failures`?",
            "defaults.consecutive_failures: `consecutive_failures` has thresholds for critical and warning; say which: `consecutive_failures: {critical: ..}`",
            "defaults.failure_ratio.warnin: `failure_ratio` has no severity `warnin`, but critical and warning; did you mean `warning`?",
            "defaults.no_success_seconds.warning: found `4 weeks`, wanted a time such as 30m",
            "defaults.poll_age_seconds.warning: `poll_age_seconds` is one threshold for all severities; leave `warning` out",
            "defaults.running_factor: found a list, wanted a value",
            "overrides[1]: it applies to everything",
            "overrides[2]: it has no `thresholds:`",
            "overrides[3].team: found a list, wanted a name",
            "overrides[4].project: found `acme/*`; names are compared as they are",
            "overrides[5].projct: no key is called `projct`; did you mean `project`?",
            "overrides[6].save_age_seconds: `save_age_seconds` has only a default",
            "overrides[6].poll_age_seconds: `poll_age_seconds` cannot be set by team; it can be set by group; by project",
            "overrides[8].window_failures: it is given twice",
            "overrides[9]: found a single value, wanted what it applies to",
            "--threshold consecutive_failures=3: `consecutive_failures` has thresholds for",
            "--threshold x=1: no threshold is called `x`; known are allowed_failures, ",
        ] {
            assert!(said.contains(expected), "{expected}\nis not in\n{said}");
        }
    }

    #[test]
    fn what_is_no_mapping_or_has_a_key_twice_is_refused() {
        for (file, expected) in [
            ("- a\n", "wanted a mapping with `defaults` and `overrides`"),
            (
                "defaults: {window_failures: 2, window_failures: 3}",
                "duplicate entry",
            ),
            ("overrides: {team: a}", "wanted a list"),
            ("defaults: 3", "wanted a mapping of thresholds"),
            ("{", "wanted a mapping"),
        ] {
            let said = problems(file, &[]);
            assert!(said.contains(expected), "{file}: {said}");
        }
    }
}

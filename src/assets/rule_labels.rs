//! Labels that every alert gets.

use std::collections::{BTreeMap, BTreeSet};

use super::embedded::RULES;
use super::yaml_text::{Edits, Node, quoted};

/// Labels of the exporter's series and targets, which alerts keep: they say which job an alert is about.
const IDENTITY: [&str; 10] = [
    "alertname",
    "cluster",
    "gitlab",
    "instance",
    "job",
    "job_name",
    "project",
    "ref",
    "team",
    "track",
];

/// Checks a label for all alerts.
///
/// # Errors
///
/// What is wrong with it, in words.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    let mut letters = name.chars();
    let begins = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_name = begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name || name.starts_with("__") {
        return Err(format!(
            "`{name}` is no name of a label; wanted letters, digits and `_`, such as environment=production"
        ));
    }
    if ["gitlab", "cluster"].contains(&name) {
        return Err(format!(
            "`{name}` tells exporters apart and comes from the scrape configuration; \
             set it there, as a label of the targets"
        ));
    }
    if used().map_err(|error| error.to_string())?.contains(name) {
        return Err(format!(
            "the alerts have a label `{name}` of their own; choose another name"
        ));
    }
    if value.is_empty() {
        return Err(format!("`{name}` has no value; an empty label is no label"));
    }
    if value.contains("{{") {
        return Err(format!(
            "the value of `{name}` is a template; wanted a fixed text: a label that changes would restart alerts"
        ));
    }
    Ok(())
}

/// Labels that alerts have already.
fn used() -> anyhow::Result<BTreeSet<String>> {
    let mut used: BTreeSet<_> = IDENTITY.map(str::to_owned).into();
    for file in RULES {
        for rule in Node::parse(file.text)?.rules() {
            let labels = rule.get("labels").map(Node::entries).unwrap_or_default();
            used.extend(
                labels
                    .iter()
                    .filter_map(|(name, _)| name.text())
                    .map(str::to_owned),
            );
        }
    }
    Ok(used)
}

/// A rule file with labels on each of its alerts. Recording rules stay as they are.
pub(super) fn add(text: &str, labels: &BTreeMap<String, String>) -> anyhow::Result<String> {
    if labels.is_empty() {
        return Ok(text.to_owned());
    }
    let mut edits = Edits::default();
    let root = Node::parse(text)?;
    for rule in root.rules() {
        let Some((alert, _)) = rule
            .entries()
            .iter()
            .find(|(key, _)| key.text() == Some("alert"))
        else {
            continue;
        };
        match rule.get("labels") {
            None => {
                let indent = " ".repeat(alert.column);
                let all = lines(labels, &format!("\n{indent}  "));
                edits.insert(alert.start, format!("labels:\n{indent}  {all}\n{indent}"));
            }
            Some(map) => match map.entries().first() {
                Some((first, _)) => {
                    let separator = if text[map.start..].starts_with('{') {
                        ", ".to_owned()
                    } else {
                        format!("\n{}", " ".repeat(first.column))
                    };
                    edits.insert(first.start, lines(labels, &separator) + &separator);
                }
                // `{}`
                None => edits.insert(map.start + 1, lines(labels, ", ")),
            },
        }
    }
    Ok(edits.apply(text))
}

fn lines(labels: &BTreeMap<String, String>, separator: &str) -> String {
    let lines = labels
        .iter()
        .map(|(name, value)| format!("{name}: {}", quoted(value)));
    lines.collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_get_labels_in_every_style_and_recording_rules_do_not() {
        let text = "groups:
  - name: g
    rules:
      - record: r
        expr: '1'
        labels: {a: b}
      - alert: A
        expr: up
        labels:
          # Why.
          severity: info
      - alert: B
        expr: up
        labels: {severity: info}
      - expr: up
        alert: C
      - alert: D
        labels: {}
        expr: up
";
        let labels = BTreeMap::from([("env", "it's"), ("zone", "a")]);
        let labels = labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let added = add(text, &labels.collect()).unwrap();
        let file: serde_json::Value = serde_yaml::from_str(&added).unwrap();
        let rules = file["groups"][0]["rules"].as_array().unwrap();
        assert_eq!(rules[0]["labels"], serde_json::json!({"a": "b"}));
        for rule in &rules[1..] {
            assert_eq!(rule["labels"]["env"], "it's", "{added}");
            assert_eq!(rule["labels"]["zone"], "a", "{added}");
            assert_eq!(rule["expr"], "up", "{added}");
        }
        assert_eq!(rules[2]["labels"]["severity"], "info");
        assert!(added.contains("# Why.\n"), "{added}");
    }

    #[test]
    fn a_label_that_rules_routes_or_inhibition_use_is_refused() {
        for (name, value, problem) in [
            ("severity", "critical", "a label `severity` of their own"),
            ("project", "x", "a label `project` of their own"),
            ("cluster", "eu", "comes from the scrape configuration"),
            ("a-b", "x", "is no name of a label"),
            ("", "x", "is no name of a label"),
            ("__x", "x", "is no name of a label"),
            ("env", "", "has no value"),
            ("env", "{{ $value }}", "is a template"),
        ] {
            let said = check(name, value).unwrap_err();
            assert!(said.contains(problem), "{name}={value}: {said}");
        }
        check("environment", "production").unwrap();
    }
}

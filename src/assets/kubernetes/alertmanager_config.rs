//! Alertmanager's configuration as an AlertmanagerConfig.

use anyhow::{Context as _, bail};
use regex::Regex;
use serde_yaml::{Mapping, Value};

use super::super::file::File;
use super::metadata::{Objects, indented};

/// Sections that exist in both, in the order of Alertmanager's configuration.
const SECTIONS: [(&str, &str); 4] = [
    ("route", "route"),
    ("inhibit_rules", "inhibitRules"),
    ("time_intervals", "muteTimeIntervals"),
    ("receivers", "receivers"),
];

/// `config` is the text of `alertmanager.yml`.
pub(in super::super) fn alertmanager_config(
    config: &str,
    objects: &Objects,
) -> anyhow::Result<File> {
    let config: Mapping = serde_yaml::from_str(config)?;
    let mut spec = Mapping::new();
    for (key, name) in SECTIONS {
        if let Some(section) = config.get(key) {
            spec.insert(name.into(), converted(section)?);
        }
    }
    let spec = serde_yaml::to_string(&spec)?;
    // Readers of YAML 1.1 take `=` and `18:00` for something else.
    let bare = Regex::new(r"(?m)((?:matchType|startTime|endTime): )([^'\n]+)$")?;
    let spec = bare.replace_all(&spec, "${1}'${2}'");
    let head = objects.head(
        "monitoring.coreos.com/v1alpha1",
        "AlertmanagerConfig",
        "",
        &[],
    );
    let text = format!(
        "# Written by `job-failure-exporter assets alertmanagerconfig`.
# Alerts about the exporter may come from another namespace than this object, so the Alertmanager object needs
# `alertmanagerConfigMatcherStrategy: {{type: None}}`.
{head}spec:
{}",
        indented(&spec, 2)
    );
    Ok(File::new("alertmanagerconfig.yaml", text))
}

/// Keys in camel case, and matchers as objects.
fn converted(value: &Value) -> anyhow::Result<Value> {
    Ok(match value {
        Value::Sequence(all) => {
            Value::Sequence(all.iter().map(converted).collect::<Result<_, _>>()?)
        }
        Value::Mapping(entries) => {
            let mut made = Mapping::new();
            for (key, value) in entries {
                let key = key.as_str().context("a key is no text")?;
                let (name, value) = match key {
                    "matchers" => ("matchers".to_owned(), matchers(value)?),
                    "source_matchers" => ("sourceMatch".to_owned(), matchers(value)?),
                    "target_matchers" => ("targetMatch".to_owned(), matchers(value)?),
                    key if key.ends_with("_file") => {
                        bail!("`{key}`: an AlertmanagerConfig cannot read secrets from files")
                    }
                    key => (camel(key), converted(value)?),
                };
                made.insert(name.into(), value);
            }
            Value::Mapping(made)
        }
        other => other.clone(),
    })
}

/// `group_by` as `groupBy`.
fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_uppercase() + tail
    })
}

fn matchers(list: &Value) -> anyhow::Result<Value> {
    let list = list.as_sequence().context("matchers are no list")?;
    Ok(Value::Sequence(
        list.iter().map(matcher).collect::<Result<_, _>>()?,
    ))
}

/// A matcher such as `severity=~"warning|info"`.
fn matcher(text: &Value) -> anyhow::Result<Value> {
    let text = text.as_str().context("a matcher is no text")?;
    let parts = Regex::new(r"^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*$")?;
    let parts = parts
        .captures(text)
        .with_context(|| format!("`{text}` is no matcher"))?;
    let value = match &parts[3] {
        quoted if quoted.starts_with('"') => {
            serde_json::from_str(quoted).with_context(|| format!("the value of `{text}`"))?
        }
        plain => plain.to_owned(),
    };
    let mut made = Mapping::new();
    made.insert("name".into(), parts[1].into());
    made.insert("matchType".into(), parts[2].into());
    made.insert("value".into(), value.into());
    Ok(Value::Mapping(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_of_every_kind_become_objects() {
        for (text, expected) in [
            ("a=\"b\"", ["a", "=", "b"]),
            ("a != b", ["a", "!=", "b"]),
            ("a=~\"x|y\\\\.z\"", ["a", "=~", "x|y\\.z"]),
            ("a!~\"\"", ["a", "!~", ""]),
            ("a=\"=~\\\"\"", ["a", "=", "=~\""]),
        ] {
            let made = matcher(&text.into()).unwrap();
            let found = ["name", "matchType", "value"].map(|key| made[key].as_str().unwrap());
            assert_eq!(found, expected, "{text}");
        }
        assert!(matcher(&"severity".into()).is_err());
    }

    #[test]
    fn a_secret_in_a_file_is_refused() {
        let config = "receivers: [{name: a, webhook_configs: [{url_file: /x}]}]";
        let said = alertmanager_config(config, &Objects::default())
            .unwrap_err()
            .to_string();
        assert!(said.contains("`url_file`"), "{said}");
    }
}

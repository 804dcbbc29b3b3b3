//! Warnings of patterns of the configuration that are probably not what was meant.

use super::patterns::{doubt_of_glob, doubt_of_regex};
use super::report::Entry;
use crate::config::{Form, Setting, ValueType, keys};

/// Its expressions are looked for within lines of logs, where anything is possible.
const OF_LOGS: &str = "classification.rules[].match";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Regex,
    Glob,
}

/// A warning for each pattern that is probably not what was meant.
pub(super) fn of(settings: &[Setting]) -> Vec<Entry> {
    let mut doubts = Vec::new();
    for setting in settings {
        let is_given = !matches!(&*setting.source, "default" | "preset" | "not set");
        let Some(kind) = kind_of(&setting.key).filter(|_| is_given) else {
            continue;
        };
        for text in texts(setting) {
            let doubt = match kind {
                Kind::Regex => doubt_of_regex(&text),
                Kind::Glob => doubt_of_glob(&text),
            };
            doubts.extend(doubt.map(|doubt| Entry::at(setting, doubt)));
        }
    }
    doubts
}

fn kind_of(key: &str) -> Option<Kind> {
    let path = without_numbers(key);
    let mut keys = keys();
    let key = keys.find(|key| key.path == path && path != OF_LOGS)?;
    match key.value_type {
        ValueType::Text(Form { name: "glob", .. }) => Some(Kind::Glob),
        ValueType::Text(form) if form.name.ends_with("regular expression") => Some(Kind::Regex),
        _ => None,
    }
}

fn texts(setting: &Setting) -> Vec<String> {
    let value = setting.value.as_deref().filter(|_| !setting.is_hidden());
    let value = value.and_then(|yaml| serde_yaml::from_str(yaml).ok());
    match value {
        Some(serde_json::Value::String(text)) => vec![text],
        Some(serde_json::Value::Array(items)) => {
            let texts = items.iter().filter_map(|item| item.as_str());
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// `watch.groups[0].exclude` as `watch.groups[].exclude`.
fn without_numbers(key: &str) -> String {
    let mut path = String::new();
    let mut is_in_brackets = false;
    for c in key.chars() {
        is_in_brackets = c == '[' || (is_in_brackets && c != ']');
        if !is_in_brackets || c == '[' {
            path.push(c);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_of_the_key_without_its_numbers() {
        let path = without_numbers("remediation.rules[10].match.refs");
        assert_eq!(path, "remediation.rules[].match.refs");
        assert!(kind_of("remediation.rules[10].match.refs") == Some(Kind::Regex));
        assert!(kind_of("watch.groups[0].exclude") == Some(Kind::Glob));
        assert!(kind_of("classification.rules[0].match").is_none());
        assert!(kind_of("watch.interval").is_none());
    }
}

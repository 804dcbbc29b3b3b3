//! The configuration in force, key by key, for people: without secrets, and with the origin of each value.

use url::Url;

use super::hints::token_like;
use super::key_info::{Absence, KeyInfo};
use super::key_path::{children, join};
use super::node::{Node, NodeKind, Origin};
use super::value_type::{Form, ValueType};
use super::yaml;

/// Shown in place of a value that may hold a secret.
const HIDDEN: &str = "(not shown: it may be a secret)";

/// A key of the configuration and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Path, with the number of each item: `watch.groups[0].path`.
    pub key: String,
    /// As YAML has it, on one line. `None`: nothing is given, and nothing is the default.
    pub value: Option<String>,
    /// Where the value comes from: `line 7`, a flag, `preset`, `default`, or `not set`.
    pub source: String,
}

impl Setting {
    /// Whether the value is left out because it may be a secret.
    pub fn is_hidden(&self) -> bool {
        self.value.as_deref() == Some(HIDDEN)
    }
}

/// Takes the defaults away from the keys below a path, because another key replaces them.
pub(super) fn unset(settings: &mut [Setting], path: &str) {
    let is_below = |key: &str| {
        let rest = key.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for setting in settings {
        if setting.source == "default" && is_below(&setting.key) {
            setting.value = None;
            "not set".clone_into(&mut setting.source);
        }
    }
}

/// All keys of the table with their values. `derived` has the values of keys that other keys give when they are not given.
pub(super) fn settings(
    keys: &'static [&'static [KeyInfo]],
    entries: &[(String, Node)],
    derived: &dyn Fn(&KeyInfo) -> Option<String>,
) -> Vec<Setting> {
    let mut walk = Walk {
        keys,
        derived,
        found: Vec::new(),
    };
    walk.section("", "", entries);
    walk.found
}

struct Walk<'a> {
    keys: &'static [&'static [KeyInfo]],
    derived: &'a dyn Fn(&KeyInfo) -> Option<String>,
    found: Vec<Setting>,
}

impl Walk<'_> {
    /// Goes by the table, not by the document, so that no key is left out.
    fn section(&mut self, path: &str, pattern: &str, entries: &[(String, Node)]) {
        for name in children(self.keys, pattern) {
            let node = entries.iter().find(|(key, _)| key == name);
            let node = node.map(|(_, node)| node);
            let (path, pattern) = (join(path, name), join(pattern, name));
            let mut all = self.keys.iter().copied().flatten();
            if let Some(key) = all.find(|key| key.path == pattern) {
                self.found.push(self.setting(path, key, node));
            } else if let Some(NodeKind::List(items)) = node.map(|node| &node.kind) {
                for (n, item) in items.iter().enumerate() {
                    let entries = entries_of(Some(item));
                    self.section(&format!("{path}[{n}]"), &format!("{pattern}[]"), entries);
                }
            } else {
                self.section(&path, &pattern, entries_of(node));
            }
        }
    }

    fn setting(&self, key: String, info: &KeyInfo, node: Option<&Node>) -> Setting {
        if let Some(node) = node {
            let source = match node.origin {
                Origin::Line(line) => format!("line {line}"),
                Origin::Flag(flag) => flag.to_owned(),
                Origin::Unset => "default".to_owned(),
            };
            let value = Some(shown(&node.kind, info));
            return Setting { key, value, source };
        }
        let (value, source) = match info.absence {
            Absence::Default(yaml) => {
                let value = (self.derived)(info);
                (Some(value.unwrap_or_else(|| yaml.to_owned())), "default")
            }
            Absence::Preset(yaml) => match (self.derived)(info) {
                Some(value) if value != yaml => (Some(value), "preset"),
                _ => (Some(yaml.to_owned()), "default"),
            },
            Absence::Optional | Absence::Required => (None, "not set"),
        };
        let source = source.to_owned();
        Setting { key, value, source }
    }
}

fn entries_of(node: Option<&Node>) -> &[(String, Node)] {
    match node.map(|node| &node.kind) {
        Some(NodeKind::Map(entries)) => entries,
        _ => &[],
    }
}

fn shown(kind: &NodeKind, key: &KeyInfo) -> String {
    match kind {
        NodeKind::Null => "null".to_owned(),
        NodeKind::Bool(value) => value.to_string(),
        NodeKind::Integer(number) => number.to_string(),
        NodeKind::Number(number) => number.to_string(),
        NodeKind::Text(text) => match public(text, key) {
            text if text == HIDDEN => text,
            text => quoted(&text),
        },
        NodeKind::List(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(&item.kind, key)).collect();
            format!("[{}]", items.join(", "))
        }
        // No key has a mapping as its value.
        NodeKind::Map(_) => HIDDEN.to_owned(),
    }
}

/// A text as YAML has it, also within a list: in quotes where it would be read as something else.
fn quoted(text: &str) -> String {
    let is_plain = text
        .chars()
        .all(|c| c.is_ascii_graphic() && !",[]{}#'\"".contains(c))
        && !text.starts_with(|c: char| "-?&*!|>%@`".contains(c))
        && yaml::parse(text).is_ok_and(|node| node.kind == NodeKind::Text(text.to_owned()));
    if is_plain {
        text.to_owned()
    } else if text.contains(char::is_control) {
        // A text of JSON is one of YAML.
        serde_json::Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// A text without what may be a secret: a token in place of the path of its file, and the user of an address.
fn public(text: &str, key: &KeyInfo) -> String {
    let is_discreet = matches!(key.value_type, ValueType::Text(Form { discreet: true, .. }));
    if is_discreet && token_like(text) {
        return HIDDEN.to_owned();
    }
    if !text.contains("://") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return if text.contains('@') {
            HIDDEN.to_owned()
        } else {
            text.to_owned()
        };
    };
    if url.username().is_empty() && url.password().is_none() && url.query().is_none() {
        return text.to_owned();
    }
    url.set_query(None);
    // Both fail only for addresses that cannot have a user.
    let is_clean = url.set_username("").is_ok() && url.set_password(None).is_ok();
    if is_clean {
        url.into()
    } else {
        HIDDEN.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{ALL_KEYS, keys};
    use super::*;

    fn of(text: &str) -> Vec<Setting> {
        let NodeKind::Map(entries) = yaml::parse(text).unwrap().kind else {
            panic!("a mapping")
        };
        settings(ALL_KEYS, &entries, &|_| None)
    }

    fn value_of(settings: &[Setting], key: &str) -> (Option<String>, String) {
        let found = settings.iter().find(|it| it.key == key);
        let found = found.unwrap_or_else(|| panic!("{key} is missing"));
        (found.value.clone(), found.source.clone())
    }

    #[test]
    fn every_key_of_the_table_is_there_whatever_is_given() {
        let settings = of("watch:\n  groups:\n  - path: a\n  - path: b\n");
        for key in keys().filter(|key| !key.path.contains('[')) {
            let _ = value_of(&settings, key.path);
        }
        assert_eq!(
            value_of(&settings, "watch.groups[1].path"),
            (Some("b".to_owned()), "line 4".to_owned())
        );
        assert_eq!(
            value_of(&settings, "watch.groups[1].include_subgroups").1,
            "default"
        );
        assert_eq!(
            value_of(&settings, "web.external_url"),
            (None, "not set".to_owned())
        );
    }

    #[test]
    fn no_value_shows_a_token_or_the_user_of_an_address() {
        let settings = of(
            "gitlab: {token_file: glpat-0123456789abcdef, url: 'https://me:secret@gitlab.test/x?private_token=secret'}\n\
             prometheus: {url: 'https://me:se cret@[prometheus'}\n",
        );
        let text = format!("{settings:?}");
        for secret in ["glpat-0123456789abcdef", "me:", "=secret", "se cret"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(
            value_of(&settings, "gitlab.url").0.as_deref(),
            Some("https://gitlab.test/x")
        );
        assert_eq!(
            value_of(&settings, "prometheus.url").0.as_deref(),
            Some(HIDDEN)
        );
    }
}

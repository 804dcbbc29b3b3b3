//! The keys that were given, to tell what a reload changed.

use std::collections::BTreeMap;

use super::node::{Node, NodeKind};

/// Every given key with its value as text, by its path. Printing it shows no value: some are addresses with passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Given(BTreeMap<String, String>);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Given {
    /// Of the entries of a document.
    pub(super) fn of(entries: &[(String, Node)]) -> Self {
        let mut given = BTreeMap::new();
        for (name, node) in entries {
            note(name.clone(), node, &mut given);
        }
        Self(given)
    }

    /// The paths that are given in one of them only, or otherwise, in order.
    pub(super) fn differences<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let ours = self
            .0
            .iter()
            .filter(|(path, value)| other.0.get(*path) != Some(value));
        let theirs = other
            .0
            .iter()
            .filter(|(path, _)| !self.0.contains_key(*path));
        let mut paths: Vec<_> = ours.chain(theirs).map(|(path, _)| &**path).collect();
        paths.sort_unstable();
        paths
    }
}

/// A list is one value: an item that moves is no change of all after it.
fn note(path: String, node: &Node, given: &mut BTreeMap<String, String>) {
    match &node.kind {
        NodeKind::Null => {}
        NodeKind::Map(entries) => {
            for (name, node) in entries {
                note(format!("{path}.{name}"), node, given);
            }
        }
        NodeKind::List(items) => {
            given.insert(path, items.iter().map(value).collect());
        }
        _ => {
            given.insert(path, value(node));
        }
    }
}

/// The value without the lines on which it stands.
fn value(node: &Node) -> String {
    match &node.kind {
        NodeKind::List(items) => format!("[{}]", items.iter().map(value).collect::<String>()),
        NodeKind::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(name, node)| format!("{name:?}: {},", value(node)));
            format!("{{{}}}", entries.collect::<String>())
        }
        plain => format!("{plain:?},"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    fn given(text: &str) -> Given {
        let NodeKind::Map(entries) = yaml::parse(text).unwrap().kind else {
            panic!("a mapping")
        };
        Given::of(&entries)
    }

    #[test]
    fn changed_added_and_removed_keys_are_told_whatever_their_lines() {
        let before =
            given("watch:\n  interval: 30s\n  groups: [{path: a}, {path: b}]\nretention: 30d\n");
        let after = given(
            "# moved\n\nlimits: {jobs_per_project: 5}\nwatch:\n  groups:\n  - path: a\n  - path: c\n  interval: 30s\n",
        );
        assert_eq!(
            before.differences(&after),
            ["limits.jobs_per_project", "retention", "watch.groups"]
        );
        assert_eq!(before.differences(&before), [""; 0]);
    }

    #[test]
    fn printing_shows_no_value() {
        let given = given("gitlab: {url: 'https://user:secret@gitlab.test'}");
        assert_eq!(format!("{given:?}"), r#"{"gitlab.url"}"#);
    }
}

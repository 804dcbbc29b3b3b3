//! A mapping of the document: reads its keys, and refuses unknown and repeated ones.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::given::Given;
use super::hints::{excerpt, variable_hint};
use super::key::Key;
use super::key_info::{Absence, KeyInfo};
use super::key_path::{children, join};
use super::node::{Node, NodeKind, Origin};
use super::regexes::RegexBudget;
use super::settings::{Setting, settings};
use super::value::{Context, Value};
use super::yaml;
use crate::base::nearest::nearest;

/// A mapping of the document, or one that is not given and so has only defaults.
pub(super) struct Section<'a> {
    context: Context<'a>,
    /// All keys of the configuration.
    keys: &'static [&'static [KeyInfo]],
    /// As messages show it: `watch.groups[1]`.
    path: String,
    /// As the keys have it: `watch.groups[]`.
    pattern: String,
    origin: Origin,
    entries: &'a [(String, Node)],
    /// The node, or one around it, is not a mapping. Problems that follow from that are not noted.
    broken: bool,
}

impl<'a> Section<'a> {
    /// The document itself.
    pub(super) fn root(
        context: Context<'a>,
        keys: &'static [&'static [KeyInfo]],
        node: &'a Node,
    ) -> Self {
        let empty = Self {
            context,
            keys,
            path: String::new(),
            pattern: String::new(),
            origin: Origin::Unset,
            entries: &[],
            broken: false,
        };
        empty.open(String::new(), String::new(), Some(node))
    }

    fn open(&self, path: String, pattern: String, node: Option<&'a Node>) -> Self {
        let mut section = Self {
            context: self.context,
            keys: self.keys,
            path,
            pattern,
            origin: node.map_or(Origin::Unset, |node| node.origin),
            entries: &[],
            broken: self.broken,
        };
        match node.map(|node| &node.kind) {
            Some(NodeKind::Map(entries)) => section.entries = entries,
            // A section whose keys are all commented out.
            None | Some(NodeKind::Null) => {}
            Some(other) => {
                let keys = children(self.keys, &section.pattern).join(", ");
                section.complain(not_wanted(other, &format!("a mapping with {keys}")));
                section.broken = true;
            }
        }
        section.refuse_unknown_and_repeated_keys();
        section
    }

    /// Keys that begin with `x-` are ignored: anchors are kept there.
    fn refuse_unknown_and_repeated_keys(&self) {
        let valid = children(self.keys, &self.pattern);
        let mut lines = HashMap::new();
        let given = self.entries.iter();
        // A header in lower case is no such key.
        let is_ignored = |name: &str| {
            name.starts_with("x-") && !valid.iter().any(|key| key.eq_ignore_ascii_case(name))
        };
        for (name, node) in given.filter(|(name, _)| !is_ignored(name)) {
            let path = self.path_of(&excerpt(name));
            if let Some(first) = lines.get(name) {
                let message = format!("given twice{first}; keep one");
                self.context.report.add(node.origin, &path, message);
            } else {
                let line = match node.origin {
                    Origin::Line(line) => format!(", first on line {line}"),
                    _ => String::new(),
                };
                lines.insert(name, line);
            }
            if !valid.contains(&name.as_str()) {
                let guess = nearest(name, &valid)
                    .map(|guess| format!("did you mean `{guess}`? "))
                    .unwrap_or_default();
                let message = format!("unknown key; {guess}valid here: {}", valid.join(", "));
                self.context.report.add(node.origin, &path, message);
            }
        }
    }

    /// Every key that is given in it.
    pub(super) fn given(&self) -> Given {
        Given::of(self.entries)
    }

    /// Every key of the table with its value, for people.
    pub(super) fn settings(&self, preset: &dyn Fn(&KeyInfo) -> Option<String>) -> Vec<Setting> {
        settings(self.keys, self.entries, preset)
    }

    /// The section under `name`; empty where it is not given.
    pub(super) fn section(&self, name: &str) -> Section<'a> {
        let pattern = join(&self.pattern, name);
        self.open(self.path_of(name), pattern, self.entry(name))
    }

    /// The sections in the list under `name`.
    pub(super) fn sections(&self, name: &str) -> Vec<Section<'a>> {
        let path = self.path_of(name);
        let pattern = format!("{}[]", join(&self.pattern, name));
        let Some(node) = self.entry(name) else {
            return Vec::new();
        };
        let NodeKind::List(items) = &node.kind else {
            let keys = children(self.keys, &pattern).join(", ");
            let wanted = format!("a list of mappings with {keys}");
            let message = not_wanted(&node.kind, &wanted);
            self.context.report.add(node.origin, &path, message);
            return Vec::new();
        };
        let open = |(n, item): (usize, &'a Node)| {
            self.open(format!("{path}[{n}]"), pattern.clone(), Some(item))
        };
        items.iter().enumerate().map(open).collect()
    }

    /// The path of the file that `name` names, from the configuration's own directory.
    pub(super) fn path_of_file(&self, name: &str) -> Option<PathBuf> {
        match &self.entry(name)?.kind {
            NodeKind::Text(path) => Some(self.context.folder.join(path)),
            _ => None,
        }
    }

    /// Notes a problem with the section itself.
    pub(super) fn complain(&self, message: String) {
        if !self.broken {
            self.context.report.add(self.origin, &self.path, message);
        }
    }

    /// Notes a problem with the value of a key, if it is given here.
    pub(super) fn complain_of(&self, name: &str, message: String) {
        if let Some(node) = self.entry(name) {
            let path = self.path_of(name);
            self.context.report.add(node.origin, &path, message);
        }
    }

    /// Whether a list is not given, or given without items.
    pub(super) fn is_empty_list(&self, name: &str) -> bool {
        let empty = NodeKind::List(Vec::new());
        self.entry(name).is_none_or(|node| node.kind == empty)
    }

    /// Whether `name` is given here.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Whether none of its keys is given, or all are without a value.
    pub(super) fn is_blank(&self) -> bool {
        let mut given = self.entries.iter();
        !self.broken && given.all(|(_, node)| is_blank(&node.kind))
    }

    /// Whether a value other than an empty text is given for a key.
    pub(super) fn is_given<T>(&self, key: &Key<T>) -> bool {
        let node = self.entry(key.info.name());
        node.is_some_and(|node| !is_blank(&node.kind))
    }

    /// The value of a key that may be left empty; `None` where it is, is not given, or is refused.
    pub(super) fn read_unless_blank<T>(&self, key: &Key<T>) -> Option<T> {
        self.is_given(key).then(|| self.read(key)).flatten()
    }

    /// The same, of a list.
    pub(super) fn read_list_unless_blank<T>(&self, key: &Key<T>) -> Option<Vec<T>> {
        self.is_given(key).then(|| self.read_list(key)).flatten()
    }

    /// The entries of a mapping whose keys are names. `read` gets each name and its text, if it is one, and says what is
    /// wrong with it without showing it.
    pub(super) fn mapping<T>(
        &self,
        name: &str,
        wanted: &str,
        read: fn(&str, Option<&str>) -> Result<T, String>,
    ) -> Vec<T> {
        let entries = match self.entry(name).map(|node| &node.kind) {
            None | Some(NodeKind::Null) => return Vec::new(),
            Some(NodeKind::Map(entries)) => entries,
            Some(other) => {
                self.complain_of(name, not_wanted(other, wanted));
                return Vec::new();
            }
        };
        let mut names = HashSet::new();
        let mut found = Vec::new();
        for (key, node) in entries {
            let text = match &node.kind {
                NodeKind::Text(text) => Some(text.as_str()),
                _ => None,
            };
            let item = if names.insert(key) {
                read(key, text)
            } else {
                Err("given twice; keep one".to_owned())
            };
            match item {
                Ok(item) => found.push(item),
                Err(why) => {
                    let path = join(&self.path_of(name), &excerpt(key));
                    self.context.report.add(node.origin, &path, why);
                }
            }
        }
        found
    }

    /// The value of a key, or its default, which also stands in for a refused value.
    ///
    /// # Panics
    ///
    /// Where the key has no default, or not one of its type.
    pub(super) fn get<T>(&self, key: &Key<T>) -> T {
        let value = self.read(key);
        value.unwrap_or_else(|| self.default(&key.info, |value| key.read(value)))
    }

    /// The same, of a list.
    ///
    /// # Panics
    ///
    /// As [`Section::get`].
    pub(super) fn list<T>(&self, key: &Key<T>) -> Vec<T> {
        let value = self.read_list(key);
        value.unwrap_or_else(|| self.default(&key.info, |value| key.read_list(value)))
    }

    /// The items of a list; `None` where the value is refused, or not given and without a default.
    pub(super) fn read_list<T>(&self, key: &Key<T>) -> Option<Vec<T>> {
        self.value(&key.info, |value| key.read_list(value))
    }

    /// The value of a key, or its default; `None` where the value is refused, or there is neither.
    pub(super) fn read<T>(&self, key: &Key<T>) -> Option<T> {
        self.value(&key.info, |value| key.read(value))
    }

    fn value<T>(&self, key: &KeyInfo, read: impl Fn(&Value<'_>) -> Option<T>) -> Option<T> {
        let name = key.name();
        debug_assert_eq!(join(&self.pattern, name), key.path, "read in its section");
        let path = self.path_of(name);
        if let Some(node) = self.entry(name) {
            return read(&Value::new(self.context, path, node, *key));
        }
        match key.absence {
            Absence::Default(_) => Some(self.default(key, read)),
            Absence::Required if !self.broken => {
                let message = format!("missing; wanted {}", key.wanted());
                self.context.report.add(self.origin, &path, message);
                None
            }
            _ => None,
        }
    }

    fn default<T>(&self, key: &KeyInfo, read: impl Fn(&Value<'_>) -> Option<T>) -> T {
        let Absence::Default(yaml) = key.absence else {
            panic!("{} has no default", key.path);
        };
        let node = yaml::parse(yaml).unwrap_or(Node::UNSET);
        // A default fits, however much the given expressions take.
        let regexes = RegexBudget::default();
        let context = Context {
            regexes: &regexes,
            ..self.context
        };
        let value = read(&Value::new(context, key.path.to_owned(), &node, *key));
        value.unwrap_or_else(|| panic!("the default of {} does not fit", key.path))
    }

    fn entry(&self, name: &str) -> Option<&'a Node> {
        let mut entries = self.entries.iter();
        entries.find(|(key, _)| key == name).map(|(_, node)| node)
    }

    fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

fn not_wanted(found: &NodeKind, wanted: &str) -> String {
    let hint = match found {
        NodeKind::Text(text) => variable_hint(text),
        _ => None,
    };
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("found {}{hint}, wanted {wanted}", found.found())
}

/// Nothing, or an empty text.
fn is_blank(kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Null => true,
        NodeKind::Text(text) => text.is_empty(),
        _ => false,
    }
}
